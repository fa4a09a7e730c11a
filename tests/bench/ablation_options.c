/* KEY=VALUE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/ablation.h"

static const struct ablation_options defaults = {
    .name = "block",
    .text = "",
    .mode = "online",
    .slope = "0.25-4/4",
    .decay = "3-64/4",
    .slope_gate = "silu",
    .decay_gate = "silu",
    .input_gate = "none",
    .ngrams = "",
    .bytes = 300000,
    .seed = 1,
    .width = 64,
    .layers = 3,
    .section = 112,
    .decay_section = -1,
    .mlp = 32,
    .chunk = 32,
    .rate = 2.4e-3,
    .halving = 4000,
    .warmup = 50,
    .clip = 2,
    .embed_deviation = 1,
    .head_deviation = 0.1,
    .history_deviation = 1,
    .output_deviation = 1,
    .embed_rate = 1,
    .head_rate = 1,
    .beta = 0.99,
    .tied_scale = 0.125,
    .table_rate = 1,
    .table_summed = 2,
    .window = 256,
    .passes = 1,
    .held = 100000,
    .credit = 1,
};

struct key {
    const char *key;
    double *number;
    char *text;
};

static bool set(struct ablation_options *o, const char *name, const char *value)
{
    const struct key keys[] = {
        {"name", NULL, o->name},
        {"text", NULL, o->text},
        {"mode", NULL, o->mode},
        {"slope", NULL, o->slope},
        {"decay", NULL, o->decay},
        {"slope_gate", NULL, o->slope_gate},
        {"decay_gate", NULL, o->decay_gate},
        {"input_gate", NULL, o->input_gate},
        {"ngrams", NULL, o->ngrams},
        {"head_ngrams", NULL, o->head_ngrams},
        {"bytes", &o->bytes, NULL},
        {"seed", &o->seed, NULL},
        {"width", &o->width, NULL},
        {"layers", &o->layers, NULL},
        {"section", &o->section, NULL},
        {"decay_section", &o->decay_section, NULL},
        {"mlp", &o->mlp, NULL},
        {"chunk", &o->chunk, NULL},
        {"rate", &o->rate, NULL},
        {"warmup", &o->warmup, NULL},
        {"clip", &o->clip, NULL},
        {"beta", &o->beta, NULL},
        {"block", &o->block, NULL},
        {"added", &o->added, NULL},
        {"normed", &o->normed, NULL},
        {"conv", &o->conv, NULL},
        {"shift", &o->shift, NULL},
        {"now", &o->now, NULL},
        {"tied", &o->tied, NULL},
        {"tied_scale", &o->tied_scale, NULL},
        {"gain", &o->gain, NULL},
        {"table_rate", &o->table_rate, NULL},
        {"embed_deviation", &o->embed_deviation, NULL},
        {"head_deviation", &o->head_deviation, NULL},
        {"history_deviation", &o->history_deviation, NULL},
        {"output_deviation", &o->output_deviation, NULL},
        {"embed_rate", &o->embed_rate, NULL},
        {"head_rate", &o->head_rate, NULL},
        {"halving", &o->halving, NULL},
        {"table_summed", &o->table_summed, NULL},
        {"window", &o->window, NULL},
        {"passes", &o->passes, NULL},
        {"held", &o->held, NULL},
        {"before", &o->before, NULL},
        {"credit", &o->credit, NULL},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(keys[i].key, name) != 0) {
            continue;
        }
        if (keys[i].number != NULL) {
            *keys[i].number = atof(value);
            return true;
        }
        return snprintf(keys[i].text, ABLATION_TEXT_MAX, "%s", value) < ABLATION_TEXT_MAX;
    }
    return false;
}

bool ablation_options_parse(struct ablation_options *options, int argc, char **argv)
{
    *options = defaults;
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value != NULL) {
            *value++ = 0;
        }
        if (value == NULL || !set(options, argv[i], value)) {
            fprintf(stderr, "ablation: %s is no option; ablation.c's first comment says more\n",
                    argv[i]);
            return false;
        }
    }
    if (options->decay_section < 0) {
        options->decay_section = options->section;
    }
    return true;
}
