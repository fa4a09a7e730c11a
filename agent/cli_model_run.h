/* A training while it runs: what `chirr model train` was told, and the loop. Not installed. */
#ifndef CHIRR_AGENT_CLI_MODEL_RUN_H
#define CHIRR_AGENT_CLI_MODEL_RUN_H

#include "agent/cli_model.h"
#include "agent/progress.h"
#include "agent/training.h"

#define CHIRR_TRAIN_PATH_BYTES 4096

struct chirr_train_options {
    const char *path;
    const char *sense; /* NULL: for each text the first one of its kind */
    uint64_t passes;   /* 0: one, or as many as `bytes` takes */
    uint64_t bytes;    /* 0: what `passes` says */
    uint64_t held_out_percent;
    uint64_t checkpoint_ms;
    bool anew;
    bool json;
    unsigned given; /* on the command line, a bit for each of CHIRR_TRAIN_MODEL_OPTIONS */
    struct chirr_model_config config;
};

struct chirr_train {
    const struct chirr_train_options *options;
    struct chirr_cli_model model;
    bool resumed; /* a checkpoint was there */
    struct chirr_training training;
    char record_path[CHIRR_TRAIN_PATH_BYTES]; /* FILE.train */

    uint64_t position;
    uint64_t saved;                  /* the position of the checkpoint */
    struct chirr_training_point sum; /* of the bits up to here */
    double bits_now;                 /* over about the last 16 KiB; NaN until known */
    struct chirr_progress progress;
};

#define CHIRR_TRAIN_MODEL_OPTIONS                                                                  \
    {"shape", required_argument, NULL, 'S'}, {"decay", required_argument, NULL, 'D'},              \
        {"gate", required_argument, NULL, 'G'}, {"grams", required_argument, NULL, 'N'},           \
        {"active", required_argument, NULL, 'k'}, {"seed", required_argument, NULL, 'g'},          \
        {"rate", required_argument, NULL, 'r'},                                                    \
    {                                                                                              \
        "chunk", required_argument, NULL, 'c'                                                      \
    }

/* Takes one of these into `config`, and notes that it was given; false where it is wrong, and told.
 */
bool chirr_train_model_option(const struct chirr_cli_arguments *arguments, int letter,
                              struct chirr_train_options *options);
/* CHIRR_ERR_CONFIG: a model that exists is not what was asked for. */
CHIRR_NODISCARD enum chirr_err chirr_train_check_given(const struct chirr_train_options *options,
                                                       const struct chirr_model_config *is,
                                                       struct chirr_error *error);

/* Learns until the end, a signal or a failure, saves, examines what is held out, and tells.
 * CHIRR_ERR_CANCELLED: a signal came; all is saved and told. */
CHIRR_NODISCARD enum chirr_err chirr_train_run(struct chirr_train *train,
                                               struct chirr_error *error);

#endif
