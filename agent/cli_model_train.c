/* `chirr model train`: learns from texts into a checkpoint, and goes on where it was interrupted.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli_model.h"
#include "agent/cli_model_run.h"
#include "base/yaml.h"

static const char help[] =
    "usage: chirr model train TEXT… [OPTION…]\n"
    "\n"
    "Learns from the texts, one after another, in one pass, and prints what predicting them cost.\n"
    "Recordings (WAV, FLAC, OGG) are heard as 8,000 bytes a second and pictures (PNG) are seen "
    "row\n"
    "by row, each by a sense of its own over one body; a new model gets the senses that it needs.\n"
    "A training that was interrupted, by a signal or by kill -9, goes on from its last checkpoint\n"
    "when the same command is given again, and ends with the same bits as one that was not.\n"
    "\n"
    "  --model FILE         the checkpoint; made when there is none: model.ckpt\n"
    "  --sense NAME         the sense that reads; else for each text the first one of its kind\n"
    "  --passes N           over all texts: 1, or as many as --bytes takes\n"
    "  --bytes N            ends after so many: 1500, 64K, 16M\n"
    "  --held-out PERCENT   of the end of every text are kept unseen, and examined at the end\n"
    "  --checkpoint-every T 60s\n"
    "  --anew               leaves an unfinished training on other texts, keeps what was learned\n"
    "  --json               an object a line: begin, progress, checkpoint, end\n"
    "\n"
    "A new model, or what must be true of one that exists; defaults are those of agents:\n"
    "  --shape D,L,E,F,K,P  width, layers, section width, MLP width, rates, partitions, as in\n"
    "                       64,2,128,0,4,8\n"
    "  --decay MIN,MAX      time constants of the fastest and the slowest decay, in steps: 6,512;\n"
    "                       0,0: the rates of the paper\n"
    "  --gate true|false    whether the present gates what is remembered: true\n"
    "  --grams N            rows of the n-gram tables, a power of two up to 65536: 1024; 0: none\n"
    "  --active K           so many partitions answer at a time, chosen by a selector; 0: all\n"
    "  --seed N             of the genesis: 1\n"
    "  --rate R             of learning: 0.0024\n"
    "  --chunk N            steps an update: 32\n"
    "\n"
    "Exit code: 0; 1 failed; 2 usage; 130 interrupted: the checkpoint is saved.\n";

/* ---- Options ------------------------------------------------------------------------------- */

static bool parse_whole(const struct chirr_cli_arguments *arguments, const char *option, int type,
                        uint64_t max, uint64_t *value)
{
    const struct chirr_cli_range range = {type, type == CHIRR_YAML_DURATION ? 10 : 1, max};
    return chirr_cli_integer(arguments, option, &range, value);
}

static bool take_option(const struct chirr_cli_arguments *arguments, int option,
                        struct chirr_train_options *o)
{
    const struct chirr_cli_range percent = {CHIRR_YAML_WHOLE, 0, 99};
    switch (option) {
    case 'm':
        o->path = optarg;
        if (optarg[0] == '\0') {
            chirr_cli_usage(arguments->command, "--model: expected a file, got \"\"");
        }
        return optarg[0] != '\0';
    case 'n':
        o->sense = optarg;
        return true;
    case 'p':
        return parse_whole(arguments, "--passes", CHIRR_YAML_WHOLE, 1000000, &o->passes);
    case 'b':
        return parse_whole(arguments, "--bytes", CHIRR_YAML_SIZE, INT64_MAX, &o->bytes);
    case 'o':
        return chirr_cli_integer(arguments, "--held-out", &percent, &o->held_out_percent);
    case 'e':
        return parse_whole(arguments, "--checkpoint-every", CHIRR_YAML_DURATION, 86400000,
                           &o->checkpoint_ms);
    case 'a':
        o->anew = true;
        return true;
    case 'j':
        o->json = true;
        return true;
    default:
        return chirr_train_model_option(arguments, option, o);
    }
}

/* ---- The model ----------------------------------------------------------------------------- */

static struct chirr_model_sense sense_of(const struct chirr_media *media)
{
    struct chirr_model_sense sense = {.name = "text", .kind = media->kind};
    if (media->kind == CHIRR_SENSE_AUDIO) {
        strcpy(sense.name, "audio");
    } else if (media->kind == CHIRR_SENSE_IMAGE) {
        strcpy(sense.name, "image");
        sense.width = media->width <= CHIRR_MODEL_ROW_BYTES_MAX ? media->width * media->channels
                                                                : UINT32_MAX; /* not valid */
        sense.channels = media->channels;
    }
    return sense;
}

/* A sense for each kind of text, in the order in which they come. */
static void choose_senses(const struct chirr_training *training, struct chirr_model_config *config)
{
    config->sense_count = 0;
    for (size_t i = 0; i < training->text_count; i++) {
        const struct chirr_media *media = &training->texts[i].media;
        uint32_t sense = 0;
        while (sense < config->sense_count && config->senses[sense].kind != media->kind) {
            sense++;
        }
        if (sense == config->sense_count) {
            config->senses[config->sense_count++] = sense_of(media);
        }
    }
}

static enum chirr_err create_model(const struct chirr_train_options *o, struct chirr_train *train,
                                   struct chirr_error *error)
{
    struct chirr_model_config config = o->config;
    choose_senses(&train->training, &config);
    enum chirr_err err = chirr_model_config_validate(&config, error);
    return err == CHIRR_OK ? chirr_cli_model_create(&train->model, &config, error) : err;
}

/* The checkpoint, or the one before it where that is all there is, which is told. */
static enum chirr_err open_model(const struct chirr_train_options *o, struct chirr_train *train,
                                 struct chirr_error *error)
{
    struct chirr_checkpoint_description description;
    char previous[CHIRR_TRAIN_PATH_BYTES];
    enum chirr_checkpoint_origin origin = CHIRR_CHECKPOINT_NONE;
    enum chirr_err err = chirr_checkpoint_describe(o->path, &description, error);
    snprintf(previous, sizeof previous, "%s.previous", o->path);
    if (err != CHIRR_OK && chirr_checkpoint_describe(previous, &description, NULL) == CHIRR_OK) {
        err = CHIRR_OK;
    }
    if (err == CHIRR_OK) {
        err = chirr_train_check_given(o, &description.config, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_cli_model_create(&train->model, &description.config, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_checkpoint_load(train->model.model, o->path, &origin, error);
    }
    if (err == CHIRR_OK && origin == CHIRR_CHECKPOINT_PREVIOUS) {
        fprintf(stderr, "chirr: %s; goes on from %s.previous\n", error->text, o->path);
    }
    train->resumed = origin != CHIRR_CHECKPOINT_NONE;
    return err;
}

static bool exists(const char *path, const char *suffix)
{
    char name[CHIRR_TRAIN_PATH_BYTES];
    int length = snprintf(name, sizeof name, "%s%s", path, suffix);
    return length > 0 && (size_t)length < sizeof name && access(name, F_OK) == 0;
}

/* Which of them reads each text. */
static enum chirr_err find_senses(const struct chirr_train_options *o, struct chirr_train *train,
                                  struct chirr_error *error)
{
    enum chirr_err err = CHIRR_OK;
    for (size_t i = 0; i < train->training.text_count && err == CHIRR_OK; i++) {
        struct chirr_training_text *text = &train->training.texts[i];
        struct chirr_cli_model_text found = {0};
        err = chirr_cli_model_find(&train->model.config, o->sense, text->path, &found, error);
        text->media = found.media;
        text->sense = found.sense;
    }
    return err;
}

/* ---- The training -------------------------------------------------------------------------- */

static uint64_t sensed_by(const struct chirr_train *train)
{
    struct chirr_model_statistics statistics;
    chirr_model_statistics(train->model.model, &statistics);
    return statistics.sensed;
}

/* Takes over what FILE.train says of the same texts. */
static enum chirr_err resume_training(const struct chirr_train_options *o,
                                      struct chirr_train *train, struct chirr_error *error)
{
    struct chirr_training before;
    uint64_t sensed = sensed_by(train);
    train->training.begin = sensed;
    enum chirr_err err = chirr_training_load(&before, train->record_path, error);
    if (err == CHIRR_ERR_NOTFOUND || (err == CHIRR_ERR_MALFORMED && o->anew)) {
        return CHIRR_OK;
    }
    if (err != CHIRR_OK) {
        return err;
    }
    bool equal = chirr_training_equal(&before, &train->training);
    bool unfinished = sensed >= before.begin && sensed - before.begin < before.end;
    if (sensed >= before.begin && equal && !o->anew) {
        train->training.begin = before.begin;
        memcpy(train->training.points, before.points, sizeof before.points);
    } else if (unfinished && !equal && !o->anew) {
        err = chirr_error_set(error, CHIRR_ERR_CONFIG,
                              "%.200s: is %d%% through other texts (%.100s%s); give those to go "
                              "on, or --anew to leave them",
                              o->path, (int)((sensed - before.begin) * 100 / before.end),
                              before.texts[0].path, before.text_count > 1 ? ", …" : "");
    }
    chirr_training_finish(&before);
    return err;
}

static enum chirr_err prepare(const struct chirr_train_options *o, char *const *texts,
                              size_t text_count, struct chirr_train *train,
                              struct chirr_error *error)
{
    int length = snprintf(train->record_path, sizeof train->record_path, "%s.train", o->path);
    if (length < 0 || (size_t)length >= sizeof train->record_path) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "%.64s…: the path is too long", o->path);
    }
    enum chirr_err err = chirr_training_init(&train->training, texts, text_count, error);
    if (err != CHIRR_OK) {
        return err;
    }
    bool old = exists(o->path, "") || exists(o->path, ".previous");
    err = old ? open_model(o, train, error) : create_model(o, train, error);
    if (err == CHIRR_OK) {
        err = find_senses(o, train, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_training_examine(&train->training, (uint32_t)o->held_out_percent * 10, error);
    }
    if (err == CHIRR_OK && old) {
        err = resume_training(o, train, error);
    }
    return err;
}

int chirr_cli_model_train(int argc, char **argv)
{
    static const struct option options[] = {{"model", required_argument, NULL, 'm'},
                                            {"sense", required_argument, NULL, 'n'},
                                            {"passes", required_argument, NULL, 'p'},
                                            {"bytes", required_argument, NULL, 'b'},
                                            {"held-out", required_argument, NULL, 'o'},
                                            {"checkpoint-every", required_argument, NULL, 'e'},
                                            {"anew", no_argument, NULL, 'a'},
                                            {"json", no_argument, NULL, 'j'},
                                            CHIRR_TRAIN_MODEL_OPTIONS,
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const struct chirr_cli_arguments arguments = {"model train", help, options, argc, argv};
    struct chirr_train_options o = {
        .path = "model.ckpt", .checkpoint_ms = 60000, .config = chirr_model_config_default()};
    o.config.origins_max = 0; /* no peers */
    int option;
    bool good = true;
    chirr_cli_begin();
    while (good && (option = chirr_cli_option_anywhere(&arguments)) >= 0) {
        good = take_option(&arguments, option, &o);
    }
    if (!good || option != CHIRR_CLI_END) {
        return good && option == CHIRR_CLI_HELP ? CHIRR_EXIT_OK : CHIRR_EXIT_USAGE;
    }
    if (optind == argc) {
        return chirr_cli_usage("model train", "expected one text or more");
    }
    struct chirr_error error = {0};
    struct chirr_train train = {.options = &o};
    enum chirr_err err = prepare(&o, argv + optind, (size_t)(argc - optind), &train, &error);
    if (err == CHIRR_OK) {
        err = chirr_train_run(&train, &error);
    }
    chirr_cli_model_close(&train.model);
    chirr_training_finish(&train.training);
    if (err == CHIRR_ERR_CANCELLED) {
        return CHIRR_EXIT_INTERRUPTED;
    }
    return err == CHIRR_OK ? CHIRR_EXIT_OK : chirr_cli_fail(&error);
}
