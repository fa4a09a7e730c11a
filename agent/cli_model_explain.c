/* `chirr model explain`: who answered, what each is worth, and what came as a surprise. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/activation.h"
#include "agent/cli_activation.h"
#include "agent/cli_model.h"
#include "agent/clock.h"
#include "agent/json_path.h"
#include "agent/progress.h"
#include "agent/surprise.h"
#include "base/yaml.h"
#include "model/explain.h"

#define SURPRISES 8
#define BYTES_PER_S 8000 /* of a recording */

static const char help[] =
    "usage: chirr model explain CHECKPOINT [TEXT…] [--bytes N] [--sense NAME] [--json]\n"
    "\n"
    "Reads each text from an empty state with the live weights, and tells which partitions\n"
    "answered, what each is worth, and where the text came as the greatest surprise; then, which\n"
    "answered which sense while the model learned. Nothing is learned.\n"
    "\n"
    "  --bytes N          of each text, from its beginning: 64K\n"
    "  --sense NAME       the sense that reads; else for each text the first one of its kind\n"
    "  --json             {\"averages\", \"texts\": an object for each}\n"
    "\n"
    "WORTH is how many bits per byte more the text costs when all that a partition adds counts as\n"
    "nothing: what the others lack without it, not what they would have learned in its place.\n"
    "LAYER is the share of the bytes at which it answered there; without a selector that is all.\n"
    "The last table is what the checkpoint keeps: shares of about the last 2048 steps that each\n"
    "of its senses learned from, whatever the texts given here are.\n"
    "\n"
    "Exit code: 0; 1 a file cannot be read or is damaged; 2 usage; 3 no such checkpoint.\n";

struct options {
    const char *sense;
    uint64_t bytes;
    bool json;
};

/* One text, explained. */
struct result {
    const char *path;
    struct chirr_cli_model_text is;
    uint8_t *text;
    size_t bytes;
    float *each;
    double bits; /* per byte */
    uint64_t answers[CHIRR_MODEL_LAYERS_MAX * CHIRR_MODEL_PARTITIONS_MAX];
    double worth[CHIRR_MODEL_PARTITIONS_MAX]; /* bits per byte; of the hosted ones */
    struct chirr_surprise surprises[SURPRISES];
    size_t surprise_count;
};

/* ---- Finding out --------------------------------------------------------------------------- */

static bool is_hosted(const struct chirr_model_config *config, uint32_t partition)
{
    return (config->hosted >> partition & 1) != 0;
}

static double read_without(struct chirr_cli_model *model, const struct result *result,
                           uint64_t silenced)
{
    struct chirr_explanation explanation = {.silenced = silenced};
    enum chirr_err err = chirr_model_explain(model->model, result->is.sense, result->text,
                                             result->bytes, &explanation);
    CHIRR_ASSERT(err == CHIRR_OK); /* a sense of symbols */
    return explanation.bits / (double)result->bytes;
}

/* Once with all, then once without each: that may take a while. */
static void find_worth(struct chirr_cli_model *model, struct result *result, bool quiet)
{
    struct chirr_progress progress;
    uint64_t rounds = (uint64_t)__builtin_popcountll(model->config.hosted);
    uint64_t round = 0;
    chirr_progress_init(&progress, 0, rounds * result->bytes, false, chirr_clock_now());
    for (uint32_t p = 0; p < model->config.partitions; p++) {
        if (!is_hosted(&model->config, p)) {
            continue;
        }
        result->worth[p] = read_without(model, result, UINT64_C(1) << p) - result->bits;
        const struct chirr_progress_moment moment = {
            .bytes = ++round * result->bytes, .bits = result->bits, .bits_now = NAN};
        if (!quiet) {
            chirr_progress_show(&progress, &moment, chirr_clock_now());
        }
    }
    chirr_progress_clear(&progress);
}

static enum chirr_err explain(struct chirr_cli_model *model, const struct options *o,
                              struct result *result, struct chirr_error *error)
{
    const struct chirr_media_part part = {.bytes_max = o->bytes};
    enum chirr_err err =
        chirr_cli_model_find(&model->config, o->sense, result->path, &result->is, error);
    if (err == CHIRR_OK) {
        err = chirr_media_read(result->path, &result->is.media, &part, &result->text,
                               &result->bytes, error);
    }
    if (err != CHIRR_OK) {
        return err;
    }
    if (result->bytes == 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%.400s: is empty", result->path);
    }
    result->each = malloc(result->bytes * sizeof *result->each);
    if (result->each == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "out of memory");
    }
    struct chirr_explanation all = {.each = result->each, .answers = result->answers};
    err = chirr_model_explain(model->model, result->is.sense, result->text, result->bytes, &all);
    CHIRR_ASSERT(err == CHIRR_OK);
    result->bits = all.bits / (double)result->bytes;
    result->surprise_count = chirr_surprise_find(result->text, result->each, result->bytes,
                                                 result->surprises, SURPRISES);
    find_worth(model, result, o->json);
    return CHIRR_OK;
}

static double share_of(const struct result *result, const struct chirr_model_config *config,
                       uint32_t layer, uint32_t partition)
{
    return (double)result->answers[layer * config->partitions + partition] / (double)result->bytes;
}

/* Over all layers. */
static double mean_share(const struct result *result, const struct chirr_model_config *config,
                         uint32_t partition)
{
    double sum = 0;
    for (uint32_t layer = 0; layer < config->layers; layer++) {
        sum += share_of(result, config, layer, partition);
    }
    return sum / config->layers;
}

/* ---- As JSON ------------------------------------------------------------------------------- */

static json_t *partitions_json(const struct result *result, const struct chirr_model_config *config)
{
    json_t *partitions = json_array();
    for (uint32_t p = 0; p < config->partitions; p++) {
        if (!is_hosted(config, p)) {
            continue;
        }
        json_t *shares = json_array();
        for (uint32_t layer = 0; layer < config->layers; layer++) {
            json_array_append_new(shares, json_real(share_of(result, config, layer, p)));
        }
        json_array_append_new(partitions, json_pack("{s:i, s:f, s:o}", "partition", (int)p, "worth",
                                                    result->worth[p], "share", shares));
    }
    return partitions;
}

/* Texts have lines, pictures rows, recordings seconds. */
static json_t *place_json(const struct result *result, const struct chirr_surprise *s)
{
    const struct chirr_media *media = &result->is.media;
    switch (media->kind) {
    case CHIRR_SENSE_AUDIO:
        return json_pack("{s:f}", "second", (double)s->at / BYTES_PER_S);
    case CHIRR_SENSE_IMAGE:
        return json_pack("{s:I}", "row",
                         (json_int_t)(s->at / ((size_t)media->width * media->channels) + 1));
    default:
        return json_pack("{s:I}", "line", (json_int_t)s->line);
    }
}

static json_t *surprises_json(const struct result *result)
{
    json_t *surprises = json_array();
    for (size_t i = 0; i < result->surprise_count; i++) {
        const struct chirr_surprise *s = &result->surprises[i];
        char shown[CHIRR_SURPRISE_TEXT_BYTES];
        json_t *surprise = place_json(result, s);
        json_object_set_new(surprise, "at", json_integer((json_int_t)s->at));
        json_object_set_new(surprise, "bytes", json_integer((json_int_t)s->bytes));
        json_object_set_new(surprise, "bits", json_real(s->bits));
        if (result->is.media.kind == CHIRR_SENSE_BYTES) {
            chirr_surprise_show(result->text, result->bytes, s, shown);
            json_object_set_new(surprise, "text", json_string(shown));
        }
        json_array_append_new(surprises, surprise);
    }
    return surprises;
}

static json_t *result_json(const struct result *result, const struct chirr_model_config *config)
{
    return json_pack("{s:o, s:s, s:I, s:f, s:i, s:o, s:o}", "text", chirr_json_path(result->path),
                     "sense", config->senses[result->is.sense].name, "bytes",
                     (json_int_t)result->bytes, "bits", result->bits, "active", (int)config->active,
                     "partitions", partitions_json(result, config), "surprises",
                     surprises_json(result));
}

/* ---- For people ---------------------------------------------------------------------------- */

static void print_share(const struct chirr_model_config *config, double share)
{
    char cell[CHIRR_CLI_CELL_BYTES_MAX];
    double hosted = __builtin_popcountll(config->hosted);
    chirr_cli_cell_share(cell, share, chirr_cli_share_full(config->active, hosted));
    printf("  %s", cell);
}

static void print_partitions(const struct result *result, const struct chirr_model_config *config)
{
    printf("\nPARTITION   WORTH");
    for (uint32_t layer = 0; layer < config->layers; layer++) {
        printf("  LAYER %-2u", layer);
    }
    putchar('\n');
    for (uint32_t p = 0; p < config->partitions; p++) {
        if (!is_hosted(config, p)) {
            continue;
        }
        printf("%9u  %+6.3f", p, result->worth[p]);
        for (uint32_t layer = 0; layer < config->layers; layer++) {
            print_share(config, share_of(result, config, layer, p));
        }
        putchar('\n');
    }
}

static void print_surprises(const struct result *result)
{
    const struct chirr_media *media = &result->is.media;
    bool is_text = media->kind == CHIRR_SENSE_BYTES, is_audio = media->kind == CHIRR_SENSE_AUDIO;
    printf("\nBITS/BYTE  %8s  GREATEST SURPRISES\n", is_text    ? "LINE"
                                                     : is_audio ? "SECOND"
                                                                : "ROW");
    for (size_t i = 0; i < result->surprise_count; i++) {
        const struct chirr_surprise *s = &result->surprises[i];
        char shown[CHIRR_SURPRISE_TEXT_BYTES];
        if (is_text) {
            chirr_surprise_show(result->text, result->bytes, s, shown);
            printf("%9.2f  %8zu  %s\n", s->bits, s->line, shown);
        } else if (is_audio) {
            printf("%9.2f  %8.3f  byte %zu\n", s->bits, (double)s->at / BYTES_PER_S, s->at);
        } else {
            size_t row = (size_t)media->width * media->channels;
            printf("%9.2f  %8zu  pixel %zu\n", s->bits, s->at / row + 1,
                   s->at % row / media->channels + 1);
        }
    }
}

static void print_result(const struct result *result, const struct chirr_model_config *config)
{
    printf("%s: %zu bytes, %.4f bits per byte\n", result->path, result->bytes, result->bits);
    print_partitions(result, config);
    print_surprises(result);
}

/* Which text calls whom, where somebody is called at all. */
static void print_comparison(const struct result *results, size_t count,
                             const struct chirr_model_config *config)
{
    printf("PARTITION");
    for (size_t i = 0; i < count; i++) {
        printf("  TEXT %-3zu", i + 1);
    }
    putchar('\n');
    for (uint32_t p = 0; p < config->partitions; p++) {
        if (!is_hosted(config, p)) {
            continue;
        }
        printf("%9u", p);
        for (size_t i = 0; i < count; i++) {
            print_share(config, mean_share(&results[i], config, p));
        }
        putchar('\n');
    }
}

/* ---- All of it ----------------------------------------------------------------------------- */

/* What the model has kept since it learned, whatever is read to it now. */
static json_t *averages_json(const struct chirr_model *model)
{
    struct chirr_activation activation;
    chirr_activation_read(model, &activation);
    return chirr_activation_json(&activation);
}

static void print_json(const struct result *results, size_t count,
                       const struct chirr_model_config *config, json_t *averages)
{
    json_t *texts = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(texts, result_json(&results[i], config));
    }
    chirr_cli_print_json(json_pack("{s:O, s:o}", "averages", averages, "texts", texts));
}

static void print_all(const char *path, const struct result *results, size_t count,
                      const struct chirr_model_config *config, const json_t *averages)
{
    for (size_t i = 0; i < count; i++) {
        print_result(&results[i], config);
        putchar('\n');
    }
    if (count > 1 && config->active > 0) {
        print_comparison(results, count, config);
        putchar('\n');
    }
    chirr_cli_print_activation(path, averages);
}

static void forget(struct result *result)
{
    free(result->text);
    free(result->each);
}

/* What cannot be read is told, and the others are explained all the same; those come first in
 * `results`, and *count is how many. */
static int explain_texts(struct chirr_cli_model *model, char **texts, const struct options *o,
                         struct result *results, size_t *count)
{
    int code = CHIRR_EXIT_OK;
    *count = 0;
    for (; *texts != NULL; texts++) {
        struct chirr_error error = {0};
        struct result *result = &results[*count];
        result->path = *texts;
        if (explain(model, o, result, &error) == CHIRR_OK) {
            (*count)++;
        } else {
            code = chirr_cli_fail(&error);
            forget(result);
            *result = (struct result){0};
        }
    }
    return code;
}

static int explain_all(struct chirr_cli_model *model, char **words, const struct options *o)
{
    struct chirr_error error = {0};
    size_t words_count = 0, count;
    while (words[words_count] != NULL) {
        words_count++;
    }
    struct result *results = calloc(words_count, sizeof *results);
    if (results == NULL) {
        chirr_error_set(&error, CHIRR_ERR_NOMEM, "out of memory");
        return chirr_cli_fail(&error);
    }
    int code = explain_texts(model, words + 1, o, results, &count);
    json_t *averages = averages_json(model->model);
    if (o->json) {
        print_json(results, count, &model->config, averages);
    } else {
        print_all(words[0], results, count, &model->config, averages);
    }
    json_decref(averages);
    for (size_t i = 0; i < count; i++) {
        forget(&results[i]);
    }
    free(results);
    return code;
}

int chirr_cli_model_explain(int argc, char **argv)
{
    static const struct option options[] = {{"bytes", required_argument, NULL, 'b'},
                                            {"sense", required_argument, NULL, 'n'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const struct chirr_cli_arguments arguments = {"model explain", help, options, argc, argv};
    const struct chirr_cli_range size = {CHIRR_YAML_SIZE, 1, INT64_MAX};
    struct options o = {.bytes = 65536};
    int option;
    bool good = true;
    chirr_cli_begin();
    while (good && (option = chirr_cli_option_anywhere(&arguments)) >= 0) {
        o.json = o.json || option == 'j';
        o.sense = option == 'n' ? optarg : o.sense;
        good = option != 'b' || chirr_cli_integer(&arguments, "--bytes", &size, &o.bytes);
    }
    if (!good || option != CHIRR_CLI_END) {
        return good && option == CHIRR_CLI_HELP ? CHIRR_EXIT_OK : CHIRR_EXIT_USAGE;
    }
    if (optind == argc) {
        return chirr_cli_usage("model explain", "expected a checkpoint");
    }
    struct chirr_error error = {0};
    struct chirr_cli_model model;
    enum chirr_err err = chirr_cli_model_open(&model, argv[optind], &error);
    int code = err == CHIRR_OK ? explain_all(&model, argv + optind, &o) : chirr_cli_fail(&error);
    chirr_cli_model_close(&model);
    return code;
}
