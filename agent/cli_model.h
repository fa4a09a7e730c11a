/* The inside of `chirr model`: what its commands share. Not installed. */
#ifndef CHIRR_AGENT_CLI_MODEL_H
#define CHIRR_AGENT_CLI_MODEL_H

#include "agent/cli.h"
#include "agent/media.h"
#include "model/checkpoint.h"
#include "model/model.h"

int chirr_cli_model_train(int argc, char **argv);
int chirr_cli_model_eval(int argc, char **argv);
int chirr_cli_model_generate(int argc, char **argv);
int chirr_cli_model_info(int argc, char **argv);
int chirr_cli_model_export(int argc, char **argv);
int chirr_cli_model_explain(int argc, char **argv);

#define CHIRR_EXIT_INTERRUPTED 130

/* A model in memory of its own. */
struct chirr_cli_model {
    struct chirr_arena arena;
    struct chirr_model_config config;
    struct chirr_checkpoint_description description; /* zeros where it was created */
    struct chirr_model *model;
};

/* At genesis. CHIRR_ERR_NOMEM says how much. */
CHIRR_NODISCARD enum chirr_err chirr_cli_model_create(struct chirr_cli_model *model,
                                                      const struct chirr_model_config *config,
                                                      struct chirr_error *error);
/* What a checkpoint is of; where it is damaged and PATH.previous is whole, the words say so. */
CHIRR_NODISCARD enum chirr_err
chirr_cli_model_describe(const char *path, struct chirr_checkpoint_description *description,
                         struct chirr_error *error);
/* From this file and no other; words as above. */
CHIRR_NODISCARD enum chirr_err chirr_cli_model_open(struct chirr_cli_model *model, const char *path,
                                                    struct chirr_error *error);
/* Takes a zeroed and a closed one. */
void chirr_cli_model_close(struct chirr_cli_model *model);

/* The sense of this name that reads such files; NULL: the first one that does. A picture is to have
 * as many channels, then, as the sense. CHIRR_ERR_CONFIG, with the names there are. */
CHIRR_NODISCARD enum chirr_err chirr_cli_model_sense(const struct chirr_model_config *config,
                                                     const char *name, struct chirr_media *media,
                                                     uint32_t *sense, struct chirr_error *error);

/* What a file holds, and the sense that reads it, as above. Words name the file. */
struct chirr_cli_model_text {
    struct chirr_media media;
    uint32_t sense;
};
CHIRR_NODISCARD enum chirr_err chirr_cli_model_find(const struct chirr_model_config *config,
                                                    const char *name, const char *path,
                                                    struct chirr_cli_model_text *found,
                                                    struct chirr_error *error);

/* Bits that a text costs in all, read from an empty state, with a bar where that takes long (but
 * when `quiet`). `sense` is one of symbols. */
double chirr_cli_model_read(struct chirr_cli_model *model, uint32_t sense, const uint8_t *text,
                            size_t bytes, bool averaged, bool quiet);

/* 64 bits as people compare them. */
#define CHIRR_CLI_HEX_BYTES 17
void chirr_cli_model_hex(uint64_t value, char text[CHIRR_CLI_HEX_BYTES]);

/* SIGINT and SIGTERM ask a long piece of work to come to a good end. */
void chirr_cli_model_catch_signals(void);
bool chirr_cli_model_interrupted(void);

#endif
