/* One agent's configuration: defaults, the rules between keys, reading and writing. */
#include "agent/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config_fields.h"
#include "agent/sense.h"

struct chirr_agent_config chirr_agent_config_default(void)
{
    struct chirr_agent_config config;
    memset(&config, 0, sizeof config);
    strcpy(config.device, "default");
    config.log_level = CHIRR_LOG_INFO;
    config.cpu_permille = 1000;
    config.slots = 1;
    config.model = true;
    config.checkpoint_interval_ms = 30000;
    config.output_bytes_max = 1 << 20;
    config.transport = chirr_transport_config_default();
    strcpy(config.transport.publish_bind, "tcp://127.0.0.1:*");
    strcpy(config.transport.unicast_bind, "tcp://127.0.0.1:*");
    config.beacon = chirr_beacon_config_default();
    config.learner = chirr_learner_config_default();
    memset(config.learner.model.senses, 0, sizeof config.learner.model.senses);
    config.learner.model.sense_count = 0;
    config.node = chirr_node_config_default();
    return config;
}

/* ---- Rules between keys -------------------------------------------------------------------- */

static enum chirr_err check_model(const struct chirr_yaml *yaml,
                                  const struct chirr_model_config *model, struct chirr_error *error)
{
    char expected[96];
    if (model->width % 8 != 0) {
        return chirr_yaml_reject(yaml, "model.width", error, "a multiple of 8", NULL);
    }
    const struct {
        const char *key, *of;
        uint32_t value, divisor;
    } rules[] = {
        {"model.section_width", "rates × partitions", model->section_width,
         model->rates * model->partitions},
        {"model.mlp_width", "partitions", model->mlp_width, model->partitions},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].value % rules[i].divisor != 0) {
            char got[16];
            snprintf(expected, sizeof expected, "a multiple of %s = %u", rules[i].of,
                     rules[i].divisor);
            snprintf(got, sizeof got, "%u", rules[i].value);
            return chirr_yaml_reject(yaml, rules[i].key, error, expected, got);
        }
    }
    return CHIRR_OK;
}

enum chirr_err chirr_config_check_common(const struct chirr_yaml *yaml,
                                         const struct chirr_agent_config *config,
                                         struct chirr_error *error)
{
    const struct chirr_node_config *node = &config->node;
    char expected[96], got[16];
    const struct {
        const char *key, *than;
        uint32_t least, value;
    } rules[] = {
        {"auction.lease", "two of membership.heartbeat_every", 2 * node->heartbeat_interval_ms,
         node->lease.lease_ms},
        {"membership.probe_every", "more than membership.probe_timeout",
         node->membership.probe_timeout_ms + 1, node->membership.probe_interval_ms},
        {"transport.reconnect_max", "transport.reconnect", config->transport.reconnect_ms,
         config->transport.reconnect_ms_max},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].value < rules[i].least) {
            snprintf(expected, sizeof expected, "at least %ums (%s)", rules[i].least,
                     rules[i].than);
            snprintf(got, sizeof got, "%ums", rules[i].value);
            return chirr_yaml_reject(yaml, rules[i].key, error, expected, got);
        }
    }
    if (node->agents_max < chirr_node_agents_min(node)) {
        snprintf(expected, sizeof expected, "at least %u with view: local",
                 chirr_node_agents_min(node));
        snprintf(got, sizeof got, "%u", node->agents_max);
        return chirr_yaml_reject(yaml, "membership.agents_max", error, expected, got);
    }
    return check_model(yaml, &config->learner.model, error);
}

/* ---- Paths --------------------------------------------------------------------------------- */

enum chirr_err chirr_config_directory(const char *path, char directory[CHIRR_PATH_BYTES_MAX],
                                      struct chirr_error *error)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash == NULL   ? strdup(".")
                   : slash == path ? strdup("/")
                                   : strndup(path, (size_t)(slash - path));
    char *real = parent != NULL ? realpath(parent, NULL) : NULL;
    enum chirr_err err = CHIRR_OK;
    if (real == NULL) {
        err = chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    } else if (strlen(real) >= CHIRR_PATH_BYTES_MAX) {
        err = chirr_error_set(error, CHIRR_ERR_IO, "%s: its directory's path is too long", path);
    } else {
        strcpy(directory, strcmp(real, "/") == 0 ? "" : real);
    }
    free(real);
    free(parent);
    return err;
}

enum chirr_err chirr_config_settle_path(const struct chirr_yaml *yaml, const char *key,
                                        char path[CHIRR_PATH_BYTES_MAX], const char *directory,
                                        struct chirr_error *error)
{
    char whole[2 * CHIRR_PATH_BYTES_MAX];
    if (path[0] == '\0' || path[0] == '/') {
        return CHIRR_OK;
    }
    if (path[0] == '~') {
        return chirr_yaml_reject(yaml, key, error, "a path without ~, which only shells expand",
                                 NULL);
    }
    int bytes = snprintf(whole, sizeof whole, "%s/%s", directory, path);
    if (bytes >= CHIRR_PATH_BYTES_MAX) {
        return chirr_yaml_reject(
            yaml, key, error, "a path of at most 511 bytes, the file's directory included", NULL);
    }
    memcpy(path, whole, (size_t)bytes + 1);
    return CHIRR_OK;
}

/* Every glob that is relative gets the directory before it; "|" is none. */
static bool settle_globs(char from[CHIRR_SOURCE_BYTES_MAX], const char *directory)
{
    char whole[CHIRR_SOURCE_BYTES_MAX] = "";
    size_t used = 0;
    const char *at = from;
    while (*(at += strspn(at, " ")) != '\0') {
        int length = (int)strcspn(at, " ");
        bool relative = *at != '/' && !(length == 1 && *at == '|');
        int bytes = snprintf(whole + used, sizeof whole - used, "%s%s%s%.*s", used > 0 ? " " : "",
                             relative ? directory : "", relative ? "/" : "", length, at);
        used += (size_t)bytes;
        if (used >= sizeof whole) {
            return false;
        }
        at += length;
    }
    memcpy(from, whole, sizeof whole);
    return true;
}

/* ---- Senses -------------------------------------------------------------------------------- */

/* Each figure belongs to some kinds of sources alone. */
static enum chirr_err check_sense_figures(const struct chirr_yaml *yaml, const char *path,
                                          const struct chirr_sense_config *sense,
                                          struct chirr_error *error)
{
    bool vector = chirr_source_width(sense->source) > 0;
    bool image = sense->source == CHIRR_SOURCE_IMAGE;
    bool held_out = sense->source == CHIRR_SOURCE_FILE || sense->source == CHIRR_SOURCE_AUDIO;
    const struct {
        const char *key, *expected;
        bool fits;
        uint64_t value;
    } rules[] = {
        {"rate", "a rate for senses of bytes alone (vectors have: every)", !vector,
         sense->rate_bytes_per_s},
        {"every", "an interval for senses of vectors alone (bytes have: rate)", vector,
         sense->interval_ms},
        {"held_out", "a part held out of texts and recordings in files alone", held_out,
         sense->skip_bytes_per_mille},
        {"width", "a width for pictures alone", image, sense->width},
        {"channels", "channels for pictures alone", image, sense->channels},
        {"width", "the width in pixels of the pictures to learn from", !image || sense->width > 0,
         1},
        {"channels", "1 (grey) or 3 (colour)", sense->channels != 2, 1},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        char key[96];
        snprintf(key, sizeof key, "%s.%s", path, rules[i].key);
        if (!rules[i].fits && rules[i].value != 0) {
            return chirr_yaml_reject(yaml, key, error, rules[i].expected, NULL);
        }
    }
    return CHIRR_OK;
}

static enum chirr_err check_sense(const struct chirr_yaml *yaml, const char *path,
                                  const struct chirr_config_senses *senses, uint32_t index,
                                  struct chirr_error *error)
{
    const struct chirr_sense_config *sense = &senses->senses[index];
    char key[96];
    snprintf(key, sizeof key, "%s.name", path);
    if (strcmp(sense->name, "outcome") == 0) {
        return chirr_yaml_reject(yaml, key, error, "a name other than that of the learner's own",
                                 NULL);
    }
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(senses->senses[i].name, sense->name) == 0) {
            return chirr_yaml_reject(yaml, key, error, "a name that no other sense has", NULL);
        }
        if (sense->source == CHIRR_SOURCE_STDIN && senses->senses[i].source == CHIRR_SOURCE_STDIN) {
            snprintf(key, sizeof key, "%s.from", path);
            return chirr_yaml_reject(yaml, key, error, "one sense at most that reads stdin:", NULL);
        }
    }
    return check_sense_figures(yaml, path, sense, error);
}

enum chirr_err chirr_config_settle_senses(const struct chirr_yaml *yaml, const char *path,
                                          struct chirr_config_senses senses, const char *directory,
                                          struct chirr_error *error)
{
    for (uint32_t i = 0; i < senses.count; i++) {
        char at[64];
        snprintf(at, sizeof at, "%s%ssenses[%u]", path, path[0] != '\0' ? "." : "", i);
        enum chirr_err err = check_sense(yaml, at, &senses, i, error);
        if (err != CHIRR_OK) {
            return err;
        }
        if (chirr_source_reads_files(senses.senses[i].source) &&
            !settle_globs(senses.senses[i].from, directory)) {
            strcat(at, ".from");
            return chirr_yaml_reject(yaml, at, error,
                                     "globs of at most 1023 bytes, the file's directory included",
                                     NULL);
        }
    }
    return CHIRR_OK;
}

void chirr_agent_config_derive_senses(struct chirr_agent_config *config)
{
    struct chirr_learner_config *learner = &config->learner;
    memset(learner->model.senses, 0, sizeof learner->model.senses);
    learner->model.sense_count = config->sense_count;
    learner->load_sense = CHIRR_LEARNER_NO_SENSE;
    for (uint32_t i = 0; i < config->sense_count; i++) {
        struct chirr_model_sense *sense = &learner->model.senses[i];
        memcpy(sense->name, config->senses[i].name, sizeof sense->name);
        chirr_source_describe(&config->senses[i], sense);
        if (config->senses[i].source == CHIRR_SOURCE_PROC &&
            learner->load_sense == CHIRR_LEARNER_NO_SENSE) {
            learner->load_sense = i;
        }
    }
}

enum chirr_err chirr_config_settle_learner(const struct chirr_yaml *yaml,
                                           struct chirr_agent_config *config,
                                           struct chirr_error *error)
{
    struct chirr_error why = {0};
    chirr_agent_config_derive_senses(config);
    enum chirr_err err = chirr_learner_config_validate(&config->learner, &why);
    return err == CHIRR_OK
               ? CHIRR_OK
               : chirr_yaml_reject(yaml, "model", error, "a model that can be made", why.text);
}

/* ---- Reading and writing ------------------------------------------------------------------- */

/* Every partition, where the file names none. */
static enum chirr_err settle_hosted(const struct chirr_yaml *yaml, struct chirr_model_config *model,
                                    struct chirr_error *error)
{
    uint64_t all = (UINT64_C(1) << model->partitions) - 1;
    if (!chirr_yaml_has(yaml, "model.hosted")) {
        model->hosted = all;
    } else if ((model->hosted & ~all) != 0) {
        char expected[64];
        snprintf(expected, sizeof expected, "partitions below model.partitions = %u",
                 model->partitions);
        return chirr_yaml_reject(yaml, "model.hosted", error, expected, NULL);
    }
    return CHIRR_OK;
}

static enum chirr_err settle(const struct chirr_yaml *yaml, const char *file,
                             struct chirr_agent_config *config, struct chirr_error *error)
{
    char directory[CHIRR_PATH_BYTES_MAX];
    enum chirr_err err = chirr_config_directory(file, directory, error);
    if (err == CHIRR_OK) {
        err = chirr_config_settle_path(yaml, "state", config->state_dir, directory, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_config_settle_path(yaml, "runtime", config->runtime_dir, directory, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_config_settle_path(yaml, "keyring", config->keyring, directory, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_config_check_common(yaml, config, error);
    }
    if (err == CHIRR_OK) {
        err = settle_hosted(yaml, &config->learner.model, error);
    }
    if (err == CHIRR_OK) {
        struct chirr_config_senses senses = {config->senses, config->sense_count};
        err = chirr_config_settle_senses(yaml, "", senses, directory, error);
    }
    return err == CHIRR_OK ? chirr_config_settle_learner(yaml, config, error) : err;
}

enum chirr_err chirr_agent_config_load(const char *path, struct chirr_agent_config *config,
                                       struct chirr_error *error)
{
    struct chirr_error why = {0};
    struct chirr_yaml *yaml = chirr_yaml_load(path, &why);
    if (yaml == NULL) {
        return chirr_error_set(error, why.code, "%s", why.text);
    }
    *config = chirr_agent_config_default();
    enum chirr_err err = chirr_yaml_read(yaml, "", chirr_config_agent_fields, config, error);
    if (err == CHIRR_OK) {
        err = settle(yaml, path, config, error);
    }
    chirr_yaml_destroy(yaml);
    return err;
}

static int write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL) {
        int why = errno;
        if (fd >= 0) {
            close(fd);
        }
        return why;
    }
    int why = fputs(text, file) < 0 || fflush(file) != 0 || fsync(fd) != 0 ? errno : 0;
    return fclose(file) != 0 && why == 0 ? errno : why;
}

enum chirr_err chirr_agent_config_write(const char *path, const struct chirr_agent_config *config,
                                        struct chirr_error *error)
{
    char temporary[CHIRR_PATH_BYTES_MAX + 8];
    if (strlen(path) >= CHIRR_PATH_BYTES_MAX) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG, "%.64s…: this path is too long", path);
    }
    char *text = chirr_yaml_write(chirr_config_agent_fields, config);
    if (text == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "%s: out of memory", path);
    }
    snprintf(temporary, sizeof temporary, "%s.new", path);
    int why = write_text(temporary, text);
    free(text);
    if (why == 0 && rename(temporary, path) != 0) {
        why = errno;
    }
    if (why != 0) {
        unlink(temporary);
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be written: %s", path,
                               strerror(why));
    }
    return CHIRR_OK;
}

/* ---- Default directories ------------------------------------------------------------------- */

enum chirr_err chirr_config_default_path(char path[CHIRR_PATH_BYTES_MAX], struct chirr_error *error,
                                         const char *format, ...)
{
    if (path[0] != '\0') {
        return CHIRR_OK;
    }
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(path, CHIRR_PATH_BYTES_MAX, format, args);
    va_end(args);
    if (bytes >= CHIRR_PATH_BYTES_MAX) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG, "%.64s…: this path is too long", path);
    }
    return CHIRR_OK;
}

enum chirr_err chirr_agent_config_place(struct chirr_agent_config *config,
                                        const struct chirr_paths *paths, struct chirr_error *error)
{
    enum chirr_err err = chirr_config_default_path(config->state_dir, error, "%s/chirr/%s/%s",
                                                   paths->state_home, config->swarm, config->name);
    return err == CHIRR_OK ? chirr_config_default_path(config->runtime_dir, error, "%s/chirr/%s",
                                                       paths->runtime_home, config->swarm)
                           : err;
}
