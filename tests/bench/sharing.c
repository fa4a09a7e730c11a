/* Does a swarm of models that exchange deltas learn better together than alone?
 *
 *   sharing [KEY=VALUE …]
 *
 * Models of one lineage, six unless told otherwise, each read, in one pass, one kind of text that a
 * Debian machine has. After every `every` bytes a model publishes one delta of at most `delta`
 * bytes, of the exchange unit that drifted most, and all others apply it at weight `g`. Printed:
 * bits per byte of the own stream (all of it, and its last quarter), and on a held-out mix of all
 * six kinds with frozen weights, live and averaged. g=0 is learning alone. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/delta.h"
#include "model/model.h"

#define AGENTS_MAX 6
#define HELD_BYTES 4096
#define TEXT_BYTES_MAX (512 * 1024)
#define FILE_BYTES_MAX 8192 /* of each file, so that no single one is the whole text */
#define PATH_BYTES_MAX 1024

/* ---- Options -------------------------------------------------------------------------------- */

struct options {
    double bytes, every, delta, g;
    double trunk, partitions; /* 0 keeps them private */
    double width, layers, section, mlp, parts, chunk, rate, warmup, seed;
    double agents; /* at most AGENTS_MAX, the first kinds of text */
};

/* The shape and the rate are the model's defaults. */
static struct options default_options(void)
{
    const struct chirr_model_config config = chirr_model_config_default();
    return (struct options){.bytes = 72000,
                            .every = 300,
                            .delta = CHIRR_DELTA_BYTES_MAX,
                            .g = 0.4,
                            .trunk = 1,
                            .partitions = 1,
                            .width = config.width,
                            .layers = config.layers,
                            .section = config.section_width,
                            .mlp = config.mlp_width,
                            .parts = config.partitions,
                            .chunk = config.chunk,
                            .rate = (double)config.learning_rate,
                            .warmup = config.warmup_updates,
                            .seed = 1,
                            .agents = AGENTS_MAX};
}

static bool set_option(struct options *o, const char *key, double value)
{
    const struct {
        const char *key;
        double *value;
    } keys[] = {
        {"bytes", &o->bytes},   {"every", &o->every},   {"delta", &o->delta},
        {"g", &o->g},           {"trunk", &o->trunk},   {"partitions", &o->partitions},
        {"width", &o->width},   {"layers", &o->layers}, {"section", &o->section},
        {"mlp", &o->mlp},       {"P", &o->parts},       {"chunk", &o->chunk},
        {"rate", &o->rate},     {"warmup", &o->warmup}, {"seed", &o->seed},
        {"agents", &o->agents},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(key, keys[i].key) == 0) {
            *keys[i].value = value;
            return true;
        }
    }
    return false;
}

static bool parse_options(struct options *o, int argc, char **argv)
{
    *o = default_options();
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value != NULL) {
            *value++ = 0;
        }
        if (value == NULL || !set_option(o, argv[i], atof(value))) {
            fprintf(stderr, "sharing: %s is no option; the first comment of sharing.c says more\n",
                    argv[i]);
            return false;
        }
    }
    return o->delta <= CHIRR_DELTA_BYTES_MAX && o->every >= 1 && o->agents >= 1 &&
           o->agents <= AGENTS_MAX;
}

static struct chirr_model_config config_of(const struct options *o)
{
    struct chirr_model_config config = chirr_model_config_default();
    config.width = (uint32_t)o->width;
    config.layers = (uint32_t)o->layers;
    config.section_width = (uint32_t)o->section;
    config.mlp_width = (uint32_t)o->mlp;
    config.partitions = (uint32_t)o->parts;
    config.hosted = UINT64_MAX >> (64 - config.partitions);
    config.chunk = (uint32_t)o->chunk;
    config.learning_rate = (float)o->rate;
    config.warmup_updates = (uint32_t)o->warmup;
    config.genesis_seed = (uint64_t)o->seed;
    config.origins_max = AGENTS_MAX;
    return config;
}

/* ---- Texts ---------------------------------------------------------------------------------- */

struct text {
    uint8_t bytes[TEXT_BYTES_MAX];
    size_t count;
};

static struct text texts[AGENTS_MAX];
static uint8_t mix[AGENTS_MAX * HELD_BYTES];

/* The beginning of a file, if it begins with `magic`. */
static void add_file(struct text *text, const char *path, const char *magic)
{
    uint8_t bytes[FILE_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return;
    }
    size_t count = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    size_t length = strlen(magic);
    if (count < length || memcmp(bytes, magic, length) != 0) {
        return;
    }
    size_t room = sizeof text->bytes - text->count;
    count = count < room ? count : room;
    memcpy(text->bytes + text->count, bytes, count);
    text->count += count;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Every file of a folder, or the file of this name in each of its folders. */
static void add_folder(struct text *text, const char *folder, const char *inner, const char *magic)
{
    struct dirent **names = NULL;
    int count = scandir(folder, &names, NULL, by_name);
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES_MAX];
        int length = snprintf(path, sizeof path, "%s/%s%s", folder, names[i]->d_name, inner);
        if (names[i]->d_name[0] != '.' && length < PATH_BYTES_MAX) {
            add_file(text, path, magic);
        }
        free(names[i]);
    }
    free(names);
}

static void add_output(struct text *text, const char *command)
{
    FILE *pipe = popen(command, "r");
    if (pipe != NULL) {
        text->count = fread(text->bytes, 1, sizeof text->bytes, pipe);
        pclose(pipe);
    }
}

/* False where this machine has not enough of some kind. */
static bool gather_texts(size_t bytes)
{
    add_folder(&texts[0], "/usr/share/common-licenses", "", "");
    add_folder(&texts[1], "/usr/share/doc", "/copyright", "");
    add_folder(&texts[2], "/usr/include", "", "/*");
    add_output(&texts[3], "zcat /usr/share/doc/[a-d]*/changelog.Debian.gz");
    add_folder(&texts[4], "/usr/bin", "", "#!/bin/sh");
    add_folder(&texts[5], "/usr/share/perl/5.36", "", "");
    for (size_t i = 0; i < AGENTS_MAX; i++) {
        if (texts[i].count < bytes + HELD_BYTES) {
            fprintf(stderr, "sharing: kind %zu has %zu bytes here\n", i, texts[i].count);
            return false;
        }
        memcpy(mix + i * HELD_BYTES, texts[i].bytes + bytes, HELD_BYTES);
    }
    return true;
}

/* ---- The swarm ------------------------------------------------------------------------------ */

static struct chirr_model *models[AGENTS_MAX];
static struct chirr_arena arenas[AGENTS_MAX];
static size_t bytes_sent;

/* Ends the program: the benchmark is of no use once a call fails. */
static void expect(enum chirr_err err)
{
    if (err != CHIRR_OK) {
        fprintf(stderr, "sharing: %s\n", chirr_err_text(err));
        exit(1);
    }
}

static uint32_t most_drifted(const struct chirr_model *model, const struct options *o)
{
    uint32_t trunk = (uint32_t)o->parts;
    uint32_t best = o->partitions > 0 ? 0 : trunk;
    double most = -1;
    for (uint32_t unit = best; unit <= trunk - (o->trunk > 0 ? 0 : 1); unit++) {
        double drift = chirr_delta_drift(model, unit);
        if (drift > most) {
            most = drift;
            best = unit;
        }
    }
    return best;
}

static void publish(uint32_t from, uint64_t version, const struct options *o)
{
    uint8_t delta[CHIRR_DELTA_BYTES_MAX];
    size_t bytes = 0;
    const struct chirr_delta_source source = {.origin = from + 1,
                                              .incarnation = 1,
                                              .version = version,
                                              .partition = most_drifted(models[from], o)};
    expect(chirr_delta_extract(models[from], source.partition, delta, (size_t)o->delta, &bytes));
    bytes_sent += bytes;
    for (uint32_t to = 0; bytes > 0 && to < (uint32_t)o->agents; to++) {
        if (to != from) {
            expect(chirr_delta_apply(models[to], &source, delta, bytes));
            expect(chirr_delta_weigh(models[to], source.origin, (float)o->g));
        }
    }
}

struct result { /* bits per byte, means over the agents */
    double all, last_quarter, live, averaged;
};

/* In turns of a slice each, after which one agent publishes: never all at once. */
static void learn(const struct options *o, struct result *result)
{
    const uint32_t agents = (uint32_t)o->agents;
    size_t bytes = (size_t)o->bytes;
    size_t quarter = bytes / 4;
    size_t slice = (size_t)o->every / agents > 0 ? (size_t)o->every / agents : 1;
    for (size_t at = 0; at < bytes; at += slice) {
        size_t count = bytes - at < slice ? bytes - at : slice;
        for (uint32_t a = 0; a < agents; a++) {
            struct chirr_model_reading reading;
            expect(chirr_model_step_bytes(models[a], 0, texts[a].bytes + at, count, &reading));
            double bits = reading.bits / agents;
            result->all += bits / (double)bytes;
            result->last_quarter += at >= bytes - quarter ? bits / (double)quarter : 0;
        }
        if (o->g > 0) {
            publish((uint32_t)(at / slice % agents), at + count, o);
        }
    }
}

int main(int argc, char **argv)
{
    struct options o;
    struct chirr_error error;
    if (!parse_options(&o, argc, argv) || !gather_texts((size_t)o.bytes)) {
        return 2;
    }
    const uint32_t agents = (uint32_t)o.agents;
    const struct chirr_model_config config = config_of(&o);
    if (chirr_model_config_validate(&config, &error) != CHIRR_OK) {
        fprintf(stderr, "sharing: %s\n", error.text);
        return 2;
    }
    for (uint32_t a = 0; a < agents; a++) {
        expect(chirr_arena_init(&arenas[a], chirr_model_bytes(&config)));
        models[a] = chirr_model_create(&arenas[a], &config);
    }
    struct result result = {0};
    learn(&o, &result);
    for (uint32_t a = 0; a < agents; a++) {
        double live, averaged;
        expect(chirr_model_evaluate(models[a], 0, mix, sizeof mix, false, &live));
        expect(chirr_model_evaluate(models[a], 0, mix, sizeof mix, true, &averaged));
        result.live += live / agents;
        result.averaged += averaged / agents;
        chirr_arena_finish(&arenas[a]);
    }
    printf("%u agents, g %.2f, trunk %s, partitions %s, every %.0f bytes: own %.3f, last quarter "
           "%.3f, "
           "mix live %.3f, averaged %.3f, %zu kB sent by each\n",
           agents, o.g, o.trunk > 0 ? "shared" : "private", o.partitions > 0 ? "shared" : "private",
           o.every, result.all, result.last_quarter, result.live, result.averaged,
           bytes_sent / agents / 1000);
    return 0;
}
