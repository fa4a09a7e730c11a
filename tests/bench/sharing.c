/* Does a swarm of models that exchange deltas learn better together than alone?
 *
 *   sharing [key=value …]      keys: bytes every g trunk partitions seed width layers section mlp P
 *                              rate warm delta average
 *
 * Six models of one lineage each read one kind of text that a Debian machine has, `bytes` bytes in
 * one pass; after every `every` bytes a model publishes one delta of at most `delta` bytes, of the
 * unit that drifted most, and all others apply it at weight `g`. Printed: own bits per byte over the
 * last quarter of the stream, and bits on a held-out mix of all six kinds with frozen weights, live
 * and averaged. g=0 is learning alone. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/delta.h"
#include "model/model.h"

#define AGENTS 6
#define HELD_BYTES 4096
#define TEXT_BYTES_MAX (512 * 1024)

struct options {
    size_t bytes, every, delta;
    double g;
    int trunk, partitions, seed;
    struct chirr_model_config model;
};

struct text {
    const char *name;
    uint8_t bytes[TEXT_BYTES_MAX];
    size_t count;
};

static struct text texts[AGENTS];
static uint8_t mix[AGENTS * HELD_BYTES];

static void add_file(struct text *text, const char *path, size_t most)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return;
    }
    size_t room = TEXT_BYTES_MAX - text->count;
    text->count += fread(text->bytes + text->count, 1, room < most ? room : most, file);
    fclose(file);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Every file of a folder with this ending, or the file `inner` of each of its folders. */
static void add_folder(struct text *text, const char *folder, const char *ending, const char *inner)
{
    struct dirent **names;
    int count = scandir(folder, &names, NULL, by_name);
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        size_t length = strlen(name);
        size_t tail = strlen(ending);
        if (name[0] != '.' && length >= tail && strcmp(name + length - tail, ending) == 0) {
            char path[1024];
            snprintf(path, sizeof path, "%s/%s%s%s", folder, name, inner[0] ? "/" : "", inner);
            add_file(text, path, 8192);
        }
        free(names[i]);
    }
    free(count >= 0 ? names : NULL);
}

/* Shell scripts among the machine's programs. */
static void add_scripts(struct text *text, const char *folder)
{
    struct dirent **names;
    int count = scandir(folder, &names, NULL, by_name);
    for (int i = 0; i < count; i++) {
        char path[1024];
        char head[16] = {0};
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        FILE *file = fopen(path, "rb");
        if (file != NULL && fread(head, 1, 9, file) == 9 && memcmp(head, "#!/bin/sh", 9) == 0) {
            add_file(text, path, 16384);
        }
        if (file != NULL) {
            fclose(file);
        }
        free(names[i]);
    }
    free(count >= 0 ? names : NULL);
}

static void add_command(struct text *text, const char *command)
{
    FILE *pipe = popen(command, "r");
    if (pipe != NULL) {
        text->count += fread(text->bytes + text->count, 1, TEXT_BYTES_MAX - text->count, pipe);
        pclose(pipe);
    }
}

static void gather_texts(void)
{
    texts[0].name = "licences";
    add_folder(&texts[0], "/usr/share/common-licenses", "", "");
    texts[1].name = "copyright";
    add_folder(&texts[1], "/usr/share/doc", "", "copyright");
    texts[2].name = "headers";
    add_folder(&texts[2], "/usr/include", ".h", "");
    texts[3].name = "changelogs";
    add_command(&texts[3], "zcat /usr/share/doc/[a-d]*/changelog.Debian.gz 2>/dev/null");
    texts[4].name = "scripts";
    add_scripts(&texts[4], "/usr/bin");
    texts[5].name = "perl";
    add_folder(&texts[5], "/usr/share/perl/5.36", ".pm", "");
}

static struct options parse(int argc, char **argv)
{
    struct options o = {.bytes = 90000, .every = 375, .delta = CHIRR_DELTA_BYTES_MAX, .g = 0.2,
                        .trunk = 1, .partitions = 1, .model = chirr_model_config_default()};
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value == NULL) {
            continue;
        }
        *value++ = 0;
        double x = atof(value);
        struct chirr_model_config *m = &o.model;
        struct { const char *key; size_t *z; uint32_t *u; int *i; float *f; } keys[] = {
            {"bytes", &o.bytes, 0, 0, 0}, {"every", &o.every, 0, 0, 0}, {"delta", &o.delta, 0, 0, 0},
            {"trunk", 0, 0, &o.trunk, 0}, {"partitions", 0, 0, &o.partitions, 0},
            {"width", 0, &m->width, 0, 0}, {"layers", 0, &m->layers, 0, 0},
            {"section", 0, &m->section_width, 0, 0}, {"mlp", 0, &m->mlp_width, 0, 0},
            {"P", 0, &m->partitions, 0, 0}, {"warm", 0, &m->warmup_updates, 0, 0},
            {"chunk", 0, &m->chunk, 0, 0},
            {"rate", 0, 0, 0, &m->learning_rate},
        };
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            if (strcmp(keys[k].key, argv[i]) == 0) {
                if (keys[k].z) *keys[k].z = (size_t)x;
                if (keys[k].u) *keys[k].u = (uint32_t)x;
                if (keys[k].i) *keys[k].i = (int)x;
                if (keys[k].f) *keys[k].f = (float)x;
            }
        }
        if (strcmp(argv[i], "g") == 0) o.g = x;
        if (strcmp(argv[i], "seed") == 0) m->genesis_seed = (uint64_t)x;
    }
    o.model.hosted = o.model.partitions == 64 ? ~UINT64_C(0) : (UINT64_C(1) << o.model.partitions) - 1;
    o.model.origins_max = AGENTS;
    return o;
}

static size_t sent;
static void publish(struct chirr_model **models, uint32_t from, uint64_t version, const struct options *o)
{
    uint32_t best = 0;
    double most = 0;
    uint32_t begin = o->partitions ? 0 : o->model.partitions;
    uint32_t end = o->model.partitions + (o->trunk ? 1 : 0);
    for (uint32_t p = begin; p < end; p++) {
        double drift = chirr_delta_drift(models[from], p);
        if (drift > most) { most = drift; best = p; }
    }
    uint8_t delta[CHIRR_DELTA_BYTES_MAX];
    size_t bytes = 0;
    if (chirr_delta_extract(models[from], best, delta, o->delta, &bytes) != CHIRR_OK || bytes == 0) return;
    sent += bytes;
    struct chirr_delta_source source = {.origin = from + 1, .incarnation = 1, .version = version, .partition = best};
    for (uint32_t to = 0; to < AGENTS; to++) {
        if (to == from) continue;
        if (chirr_delta_apply(models[to], &source, delta, bytes) != CHIRR_OK) abort();
        if (chirr_delta_weigh(models[to], source.origin, (float)o->g) != CHIRR_OK) abort();
    }
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    gather_texts();
    struct chirr_arena arenas[AGENTS];
    struct chirr_model *models[AGENTS];
    for (int a = 0; a < AGENTS; a++) {
        if (texts[a].count < o.bytes + HELD_BYTES) { printf("%s has %zu bytes\n", texts[a].name, texts[a].count); return 1; }
        memcpy(mix + a * HELD_BYTES, texts[a].bytes + o.bytes, HELD_BYTES);
        if (chirr_arena_init(&arenas[a], chirr_model_bytes(&o.model)) != CHIRR_OK) return 1;
        models[a] = chirr_model_create(&arenas[a], &o.model);
    }
    double last[AGENTS] = {0}, all[AGENTS] = {0};
    for (size_t i = 0; i < o.bytes; i++) {
        for (int a = 0; a < AGENTS; a++) {
            struct chirr_model_step step;
            if (chirr_model_step_byte(models[a], 0, texts[a].bytes[i], &step) != CHIRR_OK) return 1;
            all[a] += step.bits;
            if (i >= o.bytes - o.bytes / 4) last[a] += step.bits;
            if (o.g > 0 && (i + (size_t)a * o.every / AGENTS) % o.every == o.every - 1) publish(models, (uint32_t)a, i + 1, &o);
        }
    }
    double sum[6] = {0};
    printf("g %.3f trunk %d partitions %d every %zu:", o.g, o.trunk, o.partitions, o.every);
    for (int a = 0; a < AGENTS; a++) {
        double live, averaged, ol, oa;
        struct chirr_model_statistics s;
        if (chirr_model_evaluate(models[a], 0, mix, sizeof mix, false, &live) || chirr_model_evaluate(models[a], 0, mix, sizeof mix, true, &averaged)) return 1;
        if (chirr_model_evaluate(models[a], 0, texts[a].bytes + o.bytes, HELD_BYTES, false, &ol) || chirr_model_evaluate(models[a], 0, texts[a].bytes + o.bytes, HELD_BYTES, true, &oa)) return 1;
        chirr_model_statistics(models[a], &s);
        double q = last[a] / (double)(o.bytes / 4);
        sum[0] += all[a] / (double)o.bytes / AGENTS; sum[1] += q / AGENTS; sum[2] += live / AGENTS; sum[3] += averaged / AGENTS; sum[4] += ol / AGENTS; sum[5] += oa / AGENTS;
        printf(" %.2f", q);
    }
    struct chirr_model_statistics s;
    chirr_model_statistics(models[0], &s);
    printf("\n  own all %.3f last %.3f  mix live %.3f averaged %.3f  own-held live %.3f averaged %.3f  sent %zu norm own %.1f foreign %.1f\n", sum[0], sum[1], sum[2], sum[3], sum[4], sum[5], sent, s.own_norm, s.foreign_norm);
    return 0;
}
