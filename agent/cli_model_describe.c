/* The configuration of a checkpoint's model, kept beside it in FILE.model as JSON: what memory to
 * make before the checkpoint can be loaded into it. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli_model.h"

#define PATH_BYTES_MAX 4096

/* Whole numbers alone; the rate and the senses are written by themselves. */
static const struct member {
    const char *key;
    size_t offset;
} members[] = {
#define MEMBER(name)                                                                               \
    {                                                                                              \
#name, offsetof(struct chirr_model_config, name)                                           \
    }
    MEMBER(width),  MEMBER(layers),        MEMBER(section_width),    MEMBER(mlp_width),
    MEMBER(rates),  MEMBER(decay_min),     MEMBER(decay_max),        MEMBER(partitions),
    MEMBER(active), MEMBER(gram_rows),     MEMBER(settling_updates), MEMBER(replay_bytes),
    MEMBER(chunk),  MEMBER(warmup_updates)
#undef MEMBER
};
#define MEMBER_COUNT (sizeof members / sizeof members[0])

static uint32_t *member_of(struct chirr_model_config *config, size_t i)
{
    return (uint32_t *)((char *)config + members[i].offset);
}

static bool name_file(const char *path, char name[PATH_BYTES_MAX])
{
    int length = snprintf(name, PATH_BYTES_MAX, "%s.model", path);
    return length > 0 && length < PATH_BYTES_MAX;
}

static bool from_json(const json_t *json, struct chirr_model_config *config)
{
    bool good = json_is_object(json);
    for (size_t i = 0; good && i < MEMBER_COUNT; i++) {
        json_t *member = json_object_get(json, members[i].key);
        json_int_t value = json_integer_value(member);
        good = json_is_integer(member) && value >= 0 && value <= UINT32_MAX;
        *member_of(config, i) = (uint32_t)value;
    }
    const char *seed = json_string_value(json_object_get(json, "genesis_seed"));
    json_t *rate = json_object_get(json, "learning_rate");
    json_t *gate = json_object_get(json, "input_gate");
    unsigned long long number = 0;
    good = good && seed != NULL && sscanf(seed, "%llu", &number) == 1 && json_is_number(rate) &&
           json_is_boolean(gate);
    config->genesis_seed = number;
    config->learning_rate = (float)json_number_value(rate);
    config->input_gate = json_is_true(gate);
    config->hosted = config->partitions >= CHIRR_MODEL_PARTITIONS_MAX
                         ? UINT64_MAX
                         : (UINT64_C(1) << config->partitions) - 1;
    return good;
}

enum chirr_err chirr_cli_model_describe(const char *path, struct chirr_model_config *config,
                                        struct chirr_error *error)
{
    char name[PATH_BYTES_MAX];
    *config = chirr_model_config_default();
    config->origins_max = 0;
    if (!name_file(path, name)) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "%.64s…: the path is too long", path);
    }
    if (access(name, F_OK) != 0) {
        return chirr_error_set(error, CHIRR_ERR_NOTFOUND,
                               "%.400s: %s; it says what model is in the checkpoint", name,
                               strerror(errno));
    }
    json_t *json = json_load_file(name, JSON_REJECT_DUPLICATES, NULL);
    bool good = from_json(json, config);
    json_decref(json);
    return good && chirr_model_config_validate(config, NULL) == CHIRR_OK
               ? CHIRR_OK
               : chirr_error_set(error, CHIRR_ERR_MALFORMED, "%.400s: damaged", name);
}

enum chirr_err chirr_cli_model_note(const char *path, const struct chirr_model_config *config,
                                    struct chirr_error *error)
{
    char name[PATH_BYTES_MAX], seed[24];
    struct chirr_model_config copy = *config;
    if (!name_file(path, name)) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "%.64s…: the path is too long", path);
    }
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)config->genesis_seed);
    json_t *json = json_pack("{s:s, s:f, s:b}", "genesis_seed", seed, "learning_rate",
                             (double)config->learning_rate, "input_gate", config->input_gate);
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        json_object_set_new(json, members[i].key, json_integer(*member_of(&copy, i)));
    }
    int failed = json_dump_file(json, name, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(json);
    return failed == 0 ? CHIRR_OK
                       : chirr_error_set(error, CHIRR_ERR_IO, "%.400s: cannot be written", name);
}
