/* `chirr model`: its commands, and what they share. */
#include "agent/cli_model.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "agent/clock.h"
#include "agent/progress.h"
#include "model/explain.h"

/* Of a text, between two looks at the clock. */
#define PIECE_BYTES ((size_t)16384)
#define PATH_BYTES_MAX 4096

static const char help[] =
    "usage: chirr model COMMAND [OPTION…] [ARGUMENT…]\n"
    "\n"
    "Models on files, without agents: a checkpoint is the same file that an agent keeps.\n"
    "\n"
    "  train TEXT…          learn from texts, recordings and pictures into a checkpoint; goes on\n"
    "                       where it was interrupted\n"
    "  eval CHECKPOINT TEXT…  bits per byte, with frozen weights\n"
    "  generate CHECKPOINT  bytes that the model thinks likely\n"
    "  info CHECKPOINT      what a checkpoint holds\n"
    "  export CHECKPOINT OUT  the weights as safetensors or CSV\n"
    "  explain CHECKPOINT [TEXT…]  which partitions answered, and what was a surprise\n"
    "\n"
    "Every command has --help.\n"
    "\n"
    "Exit code: 0; 1 failed, or a file is damaged; 2 usage; 3 no such checkpoint; 130 "
    "interrupted.\n";

int chirr_cli_model(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } verbs[] = {
        {"train", chirr_cli_model_train},       {"eval", chirr_cli_model_eval},
        {"generate", chirr_cli_model_generate}, {"info", chirr_cli_model_info},
        {"export", chirr_cli_model_export},     {"explain", chirr_cli_model_explain},
    };
    static const char expected[] = "train, eval, generate, info, export or explain";
    if (argc < 2) {
        return chirr_cli_usage("model", "expected %s", expected);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(help, stdout);
        return CHIRR_EXIT_OK;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            return verbs[i].run(argc - 1, argv + 1);
        }
    }
    return chirr_cli_usage("model", "expected %s, got \"%s\"", expected, argv[1]);
}

/* ---- A model in memory --------------------------------------------------------------------- */

enum chirr_err chirr_cli_model_create(struct chirr_cli_model *model,
                                      const struct chirr_model_config *config,
                                      struct chirr_error *error)
{
    *model = (struct chirr_cli_model){.config = *config};
    size_t bytes = chirr_model_bytes(config);
    enum chirr_err err = chirr_arena_init(&model->arena, bytes);
    if (err != CHIRR_OK) {
        return chirr_error_set(error, err, "no memory for a model of %zu bytes", bytes);
    }
    model->model = chirr_model_create(&model->arena, config);
    CHIRR_ASSERT(model->model != NULL); /* the arena is as large as it asked for */
    return CHIRR_OK;
}

void chirr_cli_model_close(struct chirr_cli_model *model)
{
    chirr_arena_finish(&model->arena);
    model->model = NULL;
}

enum chirr_err chirr_cli_model_describe(const char *path,
                                        struct chirr_checkpoint_description *description,
                                        struct chirr_error *error)
{
    char previous[PATH_BYTES_MAX];
    struct chirr_checkpoint_description older;
    struct chirr_error why = {0};
    enum chirr_err err = chirr_checkpoint_describe(path, description, &why);
    if (err == CHIRR_OK) {
        return CHIRR_OK;
    }
    int length = snprintf(previous, sizeof previous, "%s.previous", path);
    bool whole = length > 0 && (size_t)length < sizeof previous &&
                 chirr_checkpoint_describe(previous, &older, NULL) == CHIRR_OK;
    return chirr_error_set(error, err, "%.350s%s%.100s%s", why.text, whole ? " (" : "",
                           whole ? previous : "", whole ? " is whole)" : "");
}

enum chirr_err chirr_cli_model_open(struct chirr_cli_model *model, const char *path,
                                    struct chirr_error *error)
{
    struct chirr_checkpoint_description description;
    enum chirr_checkpoint_origin origin;
    *model = (struct chirr_cli_model){0};
    enum chirr_err err = chirr_cli_model_describe(path, &description, error);
    if (err == CHIRR_OK) {
        err = chirr_cli_model_create(model, &description.config, error);
        model->description = description;
    }
    if (err == CHIRR_OK) {
        err = chirr_checkpoint_load(model->model, path, &origin, error);
    }
    if (err == CHIRR_OK && origin != CHIRR_CHECKPOINT_CURRENT) {
        err = chirr_error_set(error, CHIRR_ERR_IO, "%.400s: changed while it was read", path);
    }
    if (err != CHIRR_OK) {
        chirr_cli_model_close(model);
    }
    return err;
}

/* What the kind of sense that reads such files is called. */
static const char *kind_name(const struct chirr_media *media)
{
    switch (media->kind) {
    case CHIRR_SENSE_AUDIO:
        return "audio";
    case CHIRR_SENSE_IMAGE:
        return "pictures";
    default:
        return "bytes";
    }
}

/* The decoder makes grey or three colours of every picture. */
static enum chirr_err fit_picture(const struct chirr_model_sense *sense, struct chirr_media *media,
                                  struct chirr_error *error)
{
    uint32_t pixels = sense->width / sense->channels;
    if (sense->channels != 1 && sense->channels != 3) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "sense %s reads %u bytes a pixel; files give 1 or 3", sense->name,
                               sense->channels);
    }
    if (pixels != media->width) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "sense %s reads pictures %u pixels wide, this one has %u",
                               sense->name, pixels, media->width);
    }
    media->channels = sense->channels;
    return CHIRR_OK;
}

enum chirr_err chirr_cli_model_sense(const struct chirr_model_config *config, const char *name,
                                     struct chirr_media *media, uint32_t *sense,
                                     struct chirr_error *error)
{
    char names[CHIRR_MODEL_SENSES_MAX * (CHIRR_MODEL_NAME_BYTES_MAX + 2)] = "";
    const char *kind = kind_name(media);
    for (uint32_t i = 0; i < config->sense_count; i++) {
        if (config->senses[i].kind != media->kind) {
            continue;
        }
        if (name == NULL || strcmp(name, config->senses[i].name) == 0) {
            *sense = i;
            return media->kind == CHIRR_SENSE_IMAGE ? fit_picture(&config->senses[i], media, error)
                                                    : CHIRR_OK;
        }
        strcat(names, names[0] == '\0' ? "" : ", ");
        strcat(names, config->senses[i].name);
    }
    if (names[0] == '\0') {
        return chirr_error_set(error, CHIRR_ERR_CONFIG, "this model has no sense of %s", kind);
    }
    return chirr_error_set(error, CHIRR_ERR_CONFIG,
                           "expected a sense of %s of this model (%s), got \"%.100s\"", kind, names,
                           name);
}

enum chirr_err chirr_cli_model_find(const struct chirr_model_config *config, const char *name,
                                    const char *path, struct chirr_cli_model_text *found,
                                    struct chirr_error *error)
{
    struct chirr_error why;
    enum chirr_err err = chirr_media_recognise(path, &found->media, error);
    if (err != CHIRR_OK) {
        return err;
    }
    err = chirr_cli_model_sense(config, name, &found->media, &found->sense, &why);
    return err == CHIRR_OK ? CHIRR_OK : chirr_error_set(error, err, "%.200s: %s", path, why.text);
}

double chirr_cli_model_read(struct chirr_cli_model *model, uint32_t sense, const uint8_t *text,
                            size_t bytes, bool averaged, bool quiet)
{
    struct chirr_progress progress;
    double bits = 0;
    chirr_progress_init(&progress, 0, bytes, false, chirr_clock_now());
    for (size_t at = 0; at < bytes;) {
        size_t count = bytes - at < PIECE_BYTES ? bytes - at : PIECE_BYTES;
        struct chirr_explanation piece = {.averaged = averaged, .continues = at > 0};
        enum chirr_err err = chirr_model_explain(model->model, sense, text + at, count, &piece);
        CHIRR_ASSERT(err == CHIRR_OK);
        bits += piece.bits;
        at += count;
        const struct chirr_progress_moment moment = {
            .bytes = at, .bits = bits / (double)at, .bits_now = NAN};
        if (!quiet) {
            chirr_progress_show(&progress, &moment, chirr_clock_now());
        }
    }
    chirr_progress_clear(&progress);
    return bits;
}

void chirr_cli_model_hex(uint64_t value, char text[CHIRR_CLI_HEX_BYTES])
{
    snprintf(text, CHIRR_CLI_HEX_BYTES, "%016llx", (unsigned long long)value);
}

/* ---- Signals ------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

void chirr_cli_model_catch_signals(void)
{
    /* A second one ends the process at once. */
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool chirr_cli_model_interrupted(void)
{
    return interrupted != 0;
}
