#include "agent/evaluation.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/provision.h"
#include "agent/sense.h"

#define DEADLINE_US (20 * CHIRR_US_PER_S) /* of all questions together */
#define PART_BYTES_LEAST 256

/* `name` NULL: the mix. */
static void file_path(const struct chirr_evaluation *evaluation, const char *name,
                      char path[CHIRR_PATH_BYTES_MAX + 64])
{
    snprintf(path, CHIRR_PATH_BYTES_MAX + 64, "%s/%s%s.txt", evaluation->directory,
             name != NULL ? "own-" : "mix", name != NULL ? name : "");
}

static const struct chirr_sense_config *text_sense(const struct chirr_agent_config *agent)
{
    for (uint32_t i = 0; i < agent->sense_count; i++) {
        if (agent->senses[i].source == CHIRR_SOURCE_FILE) {
            return &agent->senses[i];
        }
    }
    return NULL;
}

/* Whether an agent before this one reads the same files: the mix has each kind once. */
static bool is_repeated(const struct chirr_fleet_config *fleet, uint32_t agent)
{
    const struct chirr_sense_config *sense = text_sense(&fleet->agents[agent]);
    for (uint32_t i = 0; i < agent; i++) {
        const struct chirr_sense_config *other = text_sense(&fleet->agents[i]);
        if (other != NULL && strcmp(other->from, sense->from) == 0) {
            return true;
        }
    }
    return false;
}

static enum chirr_err write_file(const char *path, const char *mode, const uint8_t *bytes,
                                 size_t count, struct chirr_error *error)
{
    FILE *file = fopen(path, mode);
    bool failed = file == NULL;
    if (!failed) {
        failed = fwrite(bytes, 1, count, file) != count;
        failed |= fclose(file) != 0;
    }
    return failed ? chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be written: %s", path,
                                    strerror(errno))
                  : CHIRR_OK;
}

static enum chirr_err prepare_agent(struct chirr_evaluation *evaluation,
                                    const struct chirr_fleet_config *fleet, uint32_t index,
                                    struct chirr_error *error)
{
    const struct chirr_sense_config *sense = text_sense(&fleet->agents[index]);
    uint8_t text[CHIRR_EVALUATION_OWN_BYTES];
    size_t bytes = 0;
    char path[CHIRR_PATH_BYTES_MAX + 64];
    if (!fleet->agents[index].model || sense == NULL ||
        chirr_source_held_out(sense, text, sizeof text, &bytes, NULL) != CHIRR_OK || bytes < 2) {
        return CHIRR_OK;
    }
    evaluation->agents[index].own_file = true;
    file_path(evaluation, fleet->agents[index].name, path);
    enum chirr_err err = write_file(path, "we", text, bytes, error);

    size_t part = CHIRR_EVALUATION_MIX_BYTES / fleet->agent_count;
    part = part < PART_BYTES_LEAST ? PART_BYTES_LEAST : part;
    if (err != CHIRR_OK || is_repeated(fleet, index) ||
        evaluation->mix_bytes + part > CHIRR_EVALUATION_MIX_BYTES ||
        chirr_source_held_out(sense, text, part < sizeof text ? part : sizeof text, &bytes, NULL) !=
            CHIRR_OK) {
        return err;
    }
    file_path(evaluation, NULL, path);
    evaluation->mix_bytes += bytes;
    return write_file(path, "ae", text, bytes, error);
}

enum chirr_err chirr_evaluation_prepare(struct chirr_evaluation *evaluation,
                                        const struct chirr_fleet_config *fleet,
                                        const char *directory, struct chirr_error *error)
{
    const struct chirr_bits unknown = {NAN, NAN, NAN};
    *evaluation = (struct chirr_evaluation){0};
    snprintf(evaluation->directory, sizeof evaluation->directory, "%s", directory);
    enum chirr_err err = chirr_provision_directory(directory, error);
    char path[CHIRR_PATH_BYTES_MAX + 64];
    file_path(evaluation, NULL, path);
    unlink(path);
    for (uint32_t i = 0; i < fleet->agent_count && err == CHIRR_OK; i++) {
        struct chirr_evaluation_agent *agent = &evaluation->agents[i];
        agent->own = agent->own_heldout = agent->heldout = unknown;
        err = prepare_agent(evaluation, fleet, i, error);
    }
    return err;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

struct asking {
    pthread_t thread;
    bool started;
    struct chirr_evaluation *evaluation;
    struct chirr_launcher *launcher;
    uint32_t agent;
    chirr_time_us until_us;
};

/* Signals that the caller blocks stay pending: there is no need to take them from it. */
static bool is_interrupted(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1 ||
            sigismember(&pending, SIGHUP) == 1);
}

static double number_of(const json_t *reply, const char *key)
{
    const json_t *value = json_object_get(reply, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void ask_about(const struct asking *asking, const char *name, struct chirr_bits *bits)
{
    chirr_time_us left_us = asking->until_us - chirr_clock_now();
    if (left_us < CHIRR_US_PER_MS || is_interrupted()) {
        return;
    }
    char path[CHIRR_PATH_BYTES_MAX + 64];
    file_path(asking->evaluation, name, path);
    json_t *request = json_pack("{s:s, s:s, s:i}", "verb", "evaluate", "path", path, "bytes_max",
                                CHIRR_EVALUATION_MIX_BYTES);
    json_t *reply = NULL;
    if (chirr_launcher_ask(asking->launcher, asking->agent, request,
                           (int)(left_us / CHIRR_US_PER_MS), &reply, NULL) == CHIRR_OK) {
        bits->start = number_of(reply, "bits_genesis");
        bits->swarm = number_of(reply, "bits_swarm");
        bits->alone = number_of(reply, "bits_alone");
    }
    json_decref(reply);
    json_decref(request);
}

static void *ask_agent(void *context)
{
    const struct asking *asking = context;
    struct chirr_evaluation_agent *agent = &asking->evaluation->agents[asking->agent];
    if (agent->own_file) {
        ask_about(asking, chirr_launcher_fleet(asking->launcher)->agents[asking->agent].name,
                  &agent->own_heldout);
    }
    if (asking->evaluation->mix_bytes > 0) {
        ask_about(asking, NULL, &agent->heldout);
    }
    return NULL;
}

void chirr_evaluation_run(struct chirr_evaluation *evaluation, struct chirr_launcher *launcher)
{
    struct asking askings[CHIRR_FLEET_AGENTS_MAX];
    uint32_t count = chirr_launcher_agent_count(launcher);
    chirr_time_us until_us = chirr_clock_now() + DEADLINE_US;
    for (uint32_t i = 0; i < count; i++) {
        const struct chirr_launched *agent = chirr_launcher_agent(launcher, i);
        askings[i] = (struct asking){
            .evaluation = evaluation, .launcher = launcher, .agent = i, .until_us = until_us};
        if (agent->state != CHIRR_LAUNCHED_READY || !agent->now.model) {
            continue;
        }
        evaluation->agents[i].own =
            (struct chirr_bits){agent->now.bits_start, agent->now.bits_now, agent->now.bits_alone};
        askings[i].started = pthread_create(&askings[i].thread, NULL, ask_agent, &askings[i]) == 0;
        if (!askings[i].started) {
            ask_agent(&askings[i]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (askings[i].started) {
            pthread_join(askings[i].thread, NULL);
        }
    }
}

void chirr_evaluation_remove(const struct chirr_evaluation *evaluation,
                             const struct chirr_fleet_config *fleet)
{
    char path[CHIRR_PATH_BYTES_MAX + 64];
    for (uint32_t i = 0; i < fleet->agent_count; i++) {
        file_path(evaluation, fleet->agents[i].name, path);
        unlink(path);
    }
    file_path(evaluation, NULL, path);
    unlink(path);
    rmdir(evaluation->directory);
}
