/* The options of `chirr model train` that say what a new model is to be, and what must be true of
 * one that exists: no option is passed over in silence. */
#include <stdio.h>
#include <string.h>

#include "agent/cli_model_run.h"
#include "base/yaml.h"

#define TEXT_BYTES 80

/* Takes `optarg`; false, and told, where it cannot be. */
typedef bool (*parser)(const struct chirr_cli_arguments *arguments, const char *option,
                       struct chirr_model_config *config);
/* The value as it would be given. */
typedef void (*formatter)(const struct chirr_model_config *config, char text[TEXT_BYTES]);

static bool parse_count(const struct chirr_cli_arguments *arguments, const char *option,
                        const struct chirr_cli_range *range, uint32_t *count)
{
    uint64_t value = 0;
    bool good = chirr_cli_integer(arguments, option, range, &value);
    *count = (uint32_t)value;
    return good;
}

static void format_whole(uint64_t value, char text[TEXT_BYTES])
{
    snprintf(text, TEXT_BYTES, "%llu", (unsigned long long)value);
}

/* Exactly `count` whole numbers with commas between them. */
static bool parse_list(const char *text, uint32_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t bytes = strcspn(text, ",");
        char digits[16];
        uint64_t value;
        if (bytes >= sizeof digits || (text[bytes] == ',') != (i + 1 < count)) {
            return false;
        }
        memcpy(digits, text, bytes);
        digits[bytes] = '\0';
        if (!chirr_yaml_parse_integer(CHIRR_YAML_WHOLE, digits, &value) || value > UINT32_MAX) {
            return false;
        }
        values[i] = (uint32_t)value;
        text += bytes + 1;
    }
    return true;
}

static bool parse_shape(const struct chirr_cli_arguments *arguments, const char *option,
                        struct chirr_model_config *config)
{
    uint32_t v[6];
    if (!parse_list(optarg, v, 6)) {
        chirr_cli_usage(arguments->command,
                        "%s: expected six whole numbers (as in 64,2,128,0,4,8), got \"%s\"", option,
                        optarg);
        return false;
    }
    config->width = v[0];
    config->layers = v[1];
    config->section_width = v[2];
    config->mlp_width = v[3];
    config->rates = v[4];
    config->partitions = v[5];
    bool all = config->partitions >= CHIRR_MODEL_PARTITIONS_MAX;
    config->hosted = all ? UINT64_MAX : (UINT64_C(1) << config->partitions) - 1;
    return true;
}

static void format_shape(const struct chirr_model_config *config, char text[TEXT_BYTES])
{
    snprintf(text, TEXT_BYTES, "%u,%u,%u,%u,%u,%u", config->width, config->layers,
             config->section_width, config->mlp_width, config->rates, config->partitions);
}

static bool parse_decay(const struct chirr_cli_arguments *arguments, const char *option,
                        struct chirr_model_config *config)
{
    uint32_t v[2];
    if (!parse_list(optarg, v, 2)) {
        chirr_cli_usage(arguments->command,
                        "%s: expected two whole numbers (as in 6,512), got \"%s\"", option, optarg);
        return false;
    }
    config->decay_min = v[0];
    config->decay_max = v[1];
    return true;
}

static void format_decay(const struct chirr_model_config *config, char text[TEXT_BYTES])
{
    snprintf(text, TEXT_BYTES, "%u,%u", config->decay_min, config->decay_max);
}

static bool parse_gate(const struct chirr_cli_arguments *arguments, const char *option,
                       struct chirr_model_config *config)
{
    config->input_gate = strcmp(optarg, "true") == 0;
    if (!config->input_gate && strcmp(optarg, "false") != 0) {
        chirr_cli_usage(arguments->command, "%s: expected true or false, got \"%s\"", option,
                        optarg);
        return false;
    }
    return true;
}

static void format_gate(const struct chirr_model_config *config, char text[TEXT_BYTES])
{
    strcpy(text, config->input_gate ? "true" : "false");
}

static bool parse_grams(const struct chirr_cli_arguments *arguments, const char *option,
                        struct chirr_model_config *config)
{
    const struct chirr_cli_range range = {CHIRR_YAML_WHOLE, 0, UINT32_MAX};
    return parse_count(arguments, option, &range, &config->gram_rows);
}

static void format_grams(const struct chirr_model_config *config, char text[TEXT_BYTES])
{
    format_whole(config->gram_rows, text);
}

static bool parse_active(const struct chirr_cli_arguments *arguments, const char *option,
                         struct chirr_model_config *config)
{
    const struct chirr_cli_range range = {CHIRR_YAML_WHOLE, 0, CHIRR_MODEL_PARTITIONS_MAX};
    return parse_count(arguments, option, &range, &config->active);
}

static void format_active(const struct chirr_model_config *config, char text[TEXT_BYTES])
{
    format_whole(config->active, text);
}

static bool parse_seed(const struct chirr_cli_arguments *arguments, const char *option,
                       struct chirr_model_config *config)
{
    const struct chirr_cli_range range = {CHIRR_YAML_WHOLE, 0, UINT64_MAX};
    return chirr_cli_integer(arguments, option, &range, &config->genesis_seed);
}

static void format_seed(const struct chirr_model_config *config, char text[TEXT_BYTES])
{
    format_whole(config->genesis_seed, text);
}

static bool parse_rate(const struct chirr_cli_arguments *arguments, const char *option,
                       struct chirr_model_config *config)
{
    double rate = 0;
    bool good = chirr_cli_number(arguments, option, 0, 0.1, &rate);
    config->learning_rate = (float)rate;
    return good;
}

/* As many digits as tell two floats apart, but for neighbours. */
static void format_rate(const struct chirr_model_config *config, char text[TEXT_BYTES])
{
    snprintf(text, TEXT_BYTES, "%.7g", (double)config->learning_rate);
}

static bool parse_chunk(const struct chirr_cli_arguments *arguments, const char *option,
                        struct chirr_model_config *config)
{
    const struct chirr_cli_range range = {CHIRR_YAML_WHOLE, 1, CHIRR_MODEL_CHUNK_MAX};
    return parse_count(arguments, option, &range, &config->chunk);
}

static void format_chunk(const struct chirr_model_config *config, char text[TEXT_BYTES])
{
    format_whole(config->chunk, text);
}

static const struct {
    int letter; /* of CHIRR_TRAIN_MODEL_OPTIONS */
    const char *name;
    parser parse;
    formatter format;
} known[] = {
    {'S', "--shape", parse_shape, format_shape},    {'D', "--decay", parse_decay, format_decay},
    {'G', "--gate", parse_gate, format_gate},       {'N', "--grams", parse_grams, format_grams},
    {'k', "--active", parse_active, format_active}, {'g', "--seed", parse_seed, format_seed},
    {'r', "--rate", parse_rate, format_rate},       {'c', "--chunk", parse_chunk, format_chunk},
};
#define KNOWN_COUNT (sizeof known / sizeof known[0])

bool chirr_train_model_option(const struct chirr_cli_arguments *arguments, int letter,
                              struct chirr_train_options *options)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (known[i].letter == letter) {
            options->given |= 1u << i;
            return known[i].parse(arguments, known[i].name, &options->config);
        }
    }
    return false;
}

enum chirr_err chirr_train_check_given(const struct chirr_train_options *options,
                                       const struct chirr_model_config *is,
                                       struct chirr_error *error)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        char wanted[TEXT_BYTES], found[TEXT_BYTES];
        known[i].format(&options->config, wanted);
        known[i].format(is, found);
        if ((options->given >> i & 1) != 0 && strcmp(wanted, found) != 0) {
            return chirr_error_set(error, CHIRR_ERR_CONFIG, "%.200s: exists, with %s %s",
                                   options->path, known[i].name, found);
        }
    }
    return CHIRR_OK;
}
