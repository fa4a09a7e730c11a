/* The verbs of the control socket. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/process.h"

#define LEARNER_TIMEOUT_US (120 * CHIRR_US_PER_S)
#define WAIT_MS_DEFAULT 600000
#define TIME_LIMIT_MS_DEFAULT 60000
/* After leaving, the farewell is given so long to reach the wire. */
#define FAREWELL_US (300 * CHIRR_US_PER_MS)

static json_t *success(void)
{
    return json_pack("{s:b}", "ok", 1);
}

static json_t *task_reply(const struct chirr_agent *agent, const struct chirr_record *record)
{
    return json_pack("{s:b, s:o}", "ok", 1, "task", chirr_process_task(agent, &record->task));
}

static bool has_ended(const struct chirr_task *task)
{
    return task->phase == CHIRR_TASK_DONE || task->phase == CHIRR_TASK_CANCELLED;
}

/* ---- Waiters ------------------------------------------------------------------------------- */

static bool add_waiter(struct chirr_agent *agent, const struct chirr_waiter *waiter)
{
    for (size_t i = 0; i < CHIRR_WAITERS_MAX; i++) {
        if (agent->waiters[i].kind == CHIRR_WAITER_FREE) {
            agent->waiters[i] = *waiter;
            return true;
        }
    }
    agent->counters.waiters_refused++;
    return false;
}

/* Once the store has failed nothing can be promised to anybody: that is the answer to everything.
 * Consumes `reply`. */
static json_t *unless_failed(const struct chirr_agent *agent, json_t *reply)
{
    if (agent->failure == CHIRR_OK) {
        return reply;
    }
    json_decref(reply);
    return chirr_control_failure(agent->failure, agent->failure_why.text);
}

static void answer(struct chirr_agent *agent, struct chirr_waiter *waiter, json_t *reply)
{
    chirr_control_reply(agent->control, &waiter->client, unless_failed(agent, reply));
    waiter->kind = CHIRR_WAITER_FREE;
}

void chirr_process_answer_waiters(struct chirr_agent *agent, chirr_time_us now)
{
    for (size_t i = 0; i < CHIRR_WAITERS_MAX; i++) {
        struct chirr_waiter *waiter = &agent->waiters[i];
        if (waiter->kind == CHIRR_WAITER_FREE) {
            continue;
        }
        if (waiter->kind == CHIRR_WAITER_TASK) {
            const struct chirr_record *record =
                chirr_records_task(chirr_node_records(agent->node), waiter->key);
            if (record != NULL && has_ended(&record->task)) {
                answer(agent, waiter, task_reply(agent, record));
                continue;
            }
        }
        if (now >= waiter->until || agent->failure != CHIRR_OK) {
            answer(agent, waiter, chirr_control_failure(CHIRR_ERR_TIMEOUT, "not done in time"));
        }
    }
}

chirr_time_us chirr_process_waiters_deadline(const struct chirr_agent *agent)
{
    chirr_time_us at = CHIRR_TIME_NEVER;
    for (size_t i = 0; i < CHIRR_WAITERS_MAX; i++) {
        if (agent->waiters[i].kind != CHIRR_WAITER_FREE) {
            at = chirr_time_min(at, agent->waiters[i].until);
        }
    }
    return at;
}

static json_t *bits(double value)
{
    return value == value ? json_real(value) : json_null();
}

static uint64_t tag_of(const struct chirr_learner_report *report)
{
    switch (report->kind) {
    case CHIRR_LEARNER_REPORT_FAILURE:
        return report->failure.tag;
    case CHIRR_LEARNER_REPORT_ACTIVATION:
        return report->activation.tag;
    default:
        return report->reply.evaluation.tag;
    }
}

static json_t *learner_reply(const struct chirr_waiter *waiter,
                             const struct chirr_learner_report *report)
{
    if (report->kind == CHIRR_LEARNER_REPORT_FAILURE) {
        return chirr_control_failure(report->failure.code, report->failure.text);
    }
    if (report->kind == CHIRR_LEARNER_REPORT_ACTIVATION) {
        return json_pack("{s:b, s:o}", "ok", 1, "activation",
                         chirr_activation_json(&report->activation.of));
    }
    const struct chirr_learner_evaluation *evaluation = &report->reply.evaluation;
    return json_pack("{s:b, s:o, s:o, s:o, s:i}", "ok", 1, "bits_genesis",
                     bits(evaluation->bits_genesis), "bits_swarm", bits(evaluation->bits_swarm),
                     "bits_alone", bits(evaluation->bits_alone), "bytes_max", (int)waiter->bytes);
}

void chirr_process_answer_learned(struct chirr_agent *agent,
                                  const struct chirr_learner_report *report)
{
    uint64_t tag = tag_of(report);
    for (size_t i = 0; i < CHIRR_WAITERS_MAX; i++) {
        struct chirr_waiter *waiter = &agent->waiters[i];
        if (waiter->kind == CHIRR_WAITER_LEARNER && waiter->key == tag) {
            answer(agent, waiter, learner_reply(waiter, report));
        }
    }
}

/* ---- Verbs --------------------------------------------------------------------------------- */

/* A verb answers at once, or returns NULL when its client waits. */
typedef json_t *(*verb)(struct chirr_agent *, const struct chirr_control_client *, const json_t *,
                        chirr_time_us);

static json_t *do_status(struct chirr_agent *agent, const struct chirr_control_client *client,
                         const json_t *request, chirr_time_us now)
{
    return chirr_process_status(agent, now);
}

/* Copies a text of the request; false when it is missing, no text, or too long. */
static bool take_text(const json_t *value, char *out, size_t capacity)
{
    const char *text = json_string_value(value);
    if (text == NULL || strlen(text) >= capacity || strlen(text) != json_string_length(value)) {
        return false;
    }
    strcpy(out, text);
    return true;
}

/* What people read on terminals and devices compare: printable ASCII, not empty. */
static bool take_name(const json_t *value, char *out, size_t capacity)
{
    if (!take_text(value, out, capacity) || out[0] == '\0') {
        return false;
    }
    for (const char *at = out; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~') {
            return false;
        }
    }
    return true;
}

static bool take_u64(const json_t *object, const char *key, uint64_t fallback, uint64_t max,
                     uint64_t *out)
{
    const json_t *value = json_object_get(object, key);
    *out = fallback;
    if (value == NULL) {
        return true;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > max) {
        return false;
    }
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static bool take_command(const json_t *value, struct chirr_task_spec *spec)
{
    size_t count = json_array_size(value);
    for (size_t i = 0; i < count; i++) {
        const json_t *argument = json_array_get(value, i);
        if (!take_text(argument, spec->command + spec->command_bytes,
                       sizeof spec->command - spec->command_bytes)) {
            return false;
        }
        spec->command_bytes += (uint32_t)json_string_length(argument) + 1;
        spec->argument_count++;
    }
    return count > 0 && spec->command[0] != '\0';
}

static bool take_tags(const json_t *value, struct chirr_tags *tags)
{
    size_t count = json_array_size(value);
    if (count > CHIRR_TAGS_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!take_name(json_array_get(value, i), tags->names[i], sizeof tags->names[i])) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(tags->names[i], tags->names[j]) == 0) {
                return false;
            }
        }
        tags->count++;
    }
    return true;
}

/* NULL when the specification is complete; else what is wrong with it. */
static const char *take_spec(const json_t *request, struct chirr_task_spec *spec)
{
    uint64_t limit = 0;
    uint64_t priority = 0;
    memset(spec, 0, sizeof *spec);
    if (!take_command(json_object_get(request, "command"), spec)) {
        return "command: expected a list of texts, the first not empty, of at most 768 bytes in "
               "all with one more for each";
    }
    if (!take_name(json_object_get(request, "kind"), spec->kind, sizeof spec->kind)) {
        return "kind: expected 1 to 31 printable ASCII characters";
    }
    if (!take_u64(request, "size_bytes", 0, INT64_MAX, &spec->size_bytes)) {
        return "size_bytes: expected a number of bytes";
    }
    if (!take_u64(request, "time_limit_ms", TIME_LIMIT_MS_DEFAULT, 86400000, &limit) ||
        limit == 0) {
        return "time_limit_ms: expected 1 to 86400000";
    }
    if (!take_u64(request, "priority", 0, 9, &priority)) {
        return "priority: expected 0 to 9";
    }
    if (!take_tags(json_object_get(request, "requires"), &spec->requires)) {
        return "requires: expected at most 4 different tags of 1 to 15 printable ASCII characters";
    }
    spec->time_limit_ms = (uint32_t)limit;
    spec->priority = (uint32_t)priority;
    return NULL;
}

static json_t *do_submit(struct chirr_agent *agent, const struct chirr_control_client *client,
                         const json_t *request, chirr_time_us now)
{
    struct chirr_task_spec spec;
    const char *wrong = take_spec(request, &spec);
    if (wrong != NULL) {
        return chirr_control_failure(CHIRR_ERR_RANGE, wrong);
    }
    if (agent->leaving) {
        return chirr_control_failure(CHIRR_ERR_STATE, "this agent is leaving");
    }
    chirr_task_id id;
    enum chirr_err err = chirr_agent_submit(agent, &spec, &id);
    if (err != CHIRR_OK) {
        return chirr_control_failure(err, chirr_err_text(err));
    }
    return json_pack("{s:b, s:o}", "ok", 1, "task", chirr_process_id(id));
}

static json_t *do_list(struct chirr_agent *agent, const struct chirr_control_client *client,
                       const json_t *request, chirr_time_us now)
{
    const struct chirr_record_store *records = chirr_node_records(agent->node);
    json_t *tasks = json_array();
    for (uint32_t i = 0; i < chirr_records_task_count(records); i++) {
        const struct chirr_task *task = &chirr_records_task_at(records, i)->task;
        json_array_append_new(tasks, chirr_process_task(agent, task));
    }
    return json_pack("{s:b, s:o}", "ok", 1, "tasks", tasks);
}

/* The task that a request names; NULL and a failure in `reply` when there is none. */
static const struct chirr_record *find_task(const struct chirr_agent *agent, const json_t *request,
                                            json_t **reply)
{
    const char *text = json_string_value(json_object_get(request, "task"));
    if (text == NULL || strlen(text) != 16 || strspn(text, "0123456789abcdefABCDEF") != 16) {
        *reply = chirr_control_failure(CHIRR_ERR_RANGE, "task: expected 16 hexadecimal digits");
        return NULL;
    }
    const struct chirr_record *record =
        chirr_records_task(chirr_node_records(agent->node), strtoull(text, NULL, 16));
    if (record == NULL) {
        *reply = chirr_control_failure(CHIRR_ERR_NOTFOUND, "no such task is known here");
    }
    return record;
}

static json_t *do_show(struct chirr_agent *agent, const struct chirr_control_client *client,
                       const json_t *request, chirr_time_us now)
{
    json_t *reply = NULL;
    const struct chirr_record *record = find_task(agent, request, &reply);
    return record == NULL ? reply : task_reply(agent, record);
}

static json_t *do_wait(struct chirr_agent *agent, const struct chirr_control_client *client,
                       const json_t *request, chirr_time_us now)
{
    json_t *reply = NULL;
    uint64_t timeout_ms;
    if (!take_u64(request, "timeout_ms", WAIT_MS_DEFAULT, 86400000, &timeout_ms)) {
        return chirr_control_failure(CHIRR_ERR_RANGE, "timeout_ms: expected 0 to 86400000");
    }
    const struct chirr_record *record = find_task(agent, request, &reply);
    if (record == NULL) {
        return reply;
    }
    if (has_ended(&record->task)) {
        return task_reply(agent, record);
    }
    struct chirr_waiter waiter = {
        .kind = CHIRR_WAITER_TASK,
        .client = *client,
        .key = record->task.id,
        .until = now + chirr_time_from_ms((int64_t)timeout_ms),
    };
    return add_waiter(agent, &waiter)
               ? NULL
               : chirr_control_failure(CHIRR_ERR_FULL, "too many clients are waiting here");
}

static json_t *do_cancel(struct chirr_agent *agent, const struct chirr_control_client *client,
                         const json_t *request, chirr_time_us now)
{
    json_t *reply = NULL;
    const struct chirr_record *record = find_task(agent, request, &reply);
    if (record == NULL) {
        return reply;
    }
    enum chirr_err err = chirr_node_cancel(agent->node, record->task.id, now);
    if (err == CHIRR_ERR_UNTRUSTED) {
        return chirr_control_failure(err, "only the agent that submitted a task can cancel it");
    }
    if (err != CHIRR_OK) {
        return chirr_control_failure(err, chirr_err_text(err));
    }
    chirr_process_drain(agent, now);
    return success();
}

static json_t *no_model(void)
{
    return chirr_control_failure(CHIRR_ERR_STATE, "this agent has no model");
}

/* What was asked of the learner last, with the tag `learner_tag`; `err`: how that went. */
static json_t *await_learner(struct chirr_agent *agent, const struct chirr_control_client *client,
                             uint32_t bytes, enum chirr_err err, chirr_time_us now)
{
    if (err != CHIRR_OK) {
        return chirr_control_failure(err, chirr_err_text(err));
    }
    struct chirr_waiter waiter = {
        .kind = CHIRR_WAITER_LEARNER,
        .client = *client,
        .key = agent->learner_tag,
        .until = now + LEARNER_TIMEOUT_US,
        .bytes = bytes,
    };
    return add_waiter(agent, &waiter)
               ? NULL
               : chirr_control_failure(CHIRR_ERR_FULL, "too many clients are waiting here");
}

static json_t *do_evaluate(struct chirr_agent *agent, const struct chirr_control_client *client,
                           const json_t *request, chirr_time_us now)
{
    const char *path = json_string_value(json_object_get(request, "path"));
    uint64_t bytes_max;
    if (path == NULL || !take_u64(request, "bytes_max", CHIRR_EVALUATE_BYTES_MAX,
                                  CHIRR_EVALUATE_BYTES_MAX, &bytes_max)) {
        return chirr_control_failure(CHIRR_ERR_RANGE,
                                     "expected path, and bytes_max of at most 262144");
    }
    if (agent->learner == NULL) {
        return no_model();
    }
    enum chirr_err err = chirr_learner_thread_evaluate(agent->learner, path, (uint32_t)bytes_max,
                                                       ++agent->learner_tag);
    return await_learner(agent, client, (uint32_t)bytes_max, err, now);
}

static json_t *do_explain(struct chirr_agent *agent, const struct chirr_control_client *client,
                          const json_t *request, chirr_time_us now)
{
    if (agent->learner == NULL) {
        return no_model();
    }
    enum chirr_err err = chirr_learner_thread_explain(agent->learner, ++agent->learner_tag);
    return await_learner(agent, client, 0, err, now);
}

void chirr_process_leave(struct chirr_agent *agent, chirr_time_us now)
{
    if (!agent->leaving) {
        agent->leaving = true;
        agent->leave_at = now + FAREWELL_US;
        chirr_node_leave(agent->node, now);
        chirr_process_drain(agent, now);
    }
}

static json_t *do_stop(struct chirr_agent *agent, const struct chirr_control_client *client,
                       const json_t *request, chirr_time_us now)
{
    chirr_process_leave(agent, now);
    return success();
}

static json_t *do_trust(struct chirr_agent *agent, const struct chirr_control_client *client,
                        const json_t *request, chirr_time_us now)
{
    return chirr_process_ask_trust(agent, request, now);
}

/* What a request asked for and was refused is counted where it was: not once more as a request. */
static uint64_t count_refused_inside(const struct chirr_agent *agent)
{
    const struct chirr_records_counters *records =
        chirr_records_count(chirr_node_records(agent->node));
    return agent->counters.waiters_refused + records->refused;
}

void chirr_process_request(struct chirr_agent *agent, const struct chirr_control_client *client,
                           const json_t *request, chirr_time_us now)
{
    static const struct {
        const char *name;
        verb run;
    } verbs[] = {
        {"status", do_status},     {"submit", do_submit},   {"list", do_list},
        {"show", do_show},         {"wait", do_wait},       {"cancel", do_cancel},
        {"evaluate", do_evaluate}, {"explain", do_explain}, {"trust", do_trust},
        {"stop", do_stop},
    };
    const char *name = json_string_value(json_object_get(request, "verb"));
    json_t *reply = chirr_control_failure(CHIRR_ERR_INVALID, "unknown verb");
    bool able = name != NULL && agent->failure == CHIRR_OK;
    uint64_t refused_inside = count_refused_inside(agent);
    for (size_t i = 0; able && i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(name, verbs[i].name) == 0) {
            json_decref(reply);
            reply = verbs[i].run(agent, client, request, now);
            break;
        }
    }
    agent->counters.requests++;
    if (reply != NULL) {
        reply = unless_failed(agent, reply);
        agent->counters.requests_failed += json_is_false(json_object_get(reply, "ok")) &&
                                           count_refused_inside(agent) == refused_inside;
        chirr_control_reply(agent->control, client, reply);
    }
}
