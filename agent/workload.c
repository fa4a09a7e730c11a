#include "agent/workload.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/inputs.h"
#include "agent/provision.h"
#include "base/random.h"

#define SUBMIT_TIMEOUT_MS 1000
#define LIST_TIMEOUT_MS 500
#define ATTEMPTS_MAX 60
#define RETRY_US (500 * CHIRR_US_PER_MS)

/* Random streams of the workload's seed. Each input file has one too, from STREAM_INPUTS on. */
enum { STREAM_PLAN, STREAM_AGENTS, STREAM_INPUTS };

/* What "/bin/sh", "-c" and their NULs leave of a task's command. */
#define COMMAND_BYTES (CHIRR_COMMAND_BYTES_MAX - (sizeof "/bin/sh" + sizeof "-c"))

#define INDEX_SLOTS 32768 /* > 3 · CHIRR_WORKLOAD_JOBS_MAX, a power of two */

struct chirr_workload_run {
    const struct chirr_workload *workload;
    char input_dir[CHIRR_PATH_BYTES_MAX];
    struct chirr_random agents; /* whom to ask */
    chirr_time_us start_us;     /* 0: not begun */
    chirr_time_us retry_us;
    uint32_t next;     /* job to submit */
    uint32_t observer; /* agent to ask next */
    struct chirr_workload_job jobs[CHIRR_WORKLOAD_JOBS_MAX];
    uint32_t index[INDEX_SLOTS]; /* by id: index of the job + 1 */
};

static const struct chirr_workload_kind *kind_of(const struct chirr_workload_run *run,
                                                 const struct chirr_workload_job *job)
{
    return &run->workload->kinds[job->kind];
}

#define INPUT_PATH_BYTES (CHIRR_PATH_BYTES_MAX + 32)

/* ---- Plan ------------------------------------------------------------------------------------ */

/* Uniform in the logarithm, so that small and large ones are equally frequent. */
static uint64_t draw_size(const struct chirr_workload_kind *kind, double uniform)
{
    if (kind->size_bytes_min == 0 || kind->size_bytes_max <= kind->size_bytes_min) {
        return kind->size_bytes_max;
    }
    double ratio = (double)kind->size_bytes_max / (double)kind->size_bytes_min;
    return (uint64_t)((double)kind->size_bytes_min * pow(ratio, uniform));
}

static uint64_t plan(struct chirr_workload_run *run)
{
    const struct chirr_workload *workload = run->workload;
    struct chirr_random random;
    chirr_random_init(&random, workload->seed, STREAM_PLAN);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < workload->job_count; i++) {
        struct chirr_workload_job *job = &run->jobs[i];
        double place = (i + chirr_random_uniform(&random)) / workload->job_count;
        job->due_us = (chirr_time_us)(place * workload->over_ms * 1e3);
        job->kind = i % workload->kind_count;
        job->size_bytes = draw_size(kind_of(run, job), chirr_random_uniform(&random));
        job->owner = CHIRR_WORKLOAD_NO_OWNER;
        bytes += kind_of(run, job)->input != CHIRR_INPUT_NONE ? job->size_bytes : 0;
    }
    return bytes;
}

/* A task's command is short and printable: a path that is neither shows now, not job by job. */
static enum chirr_err check_commands(const struct chirr_workload *workload, const char *input_dir,
                                     struct chirr_error *error)
{
    char path[INPUT_PATH_BYTES];
    char command[COMMAND_BYTES];
    snprintf(path, sizeof path, "%s/job-0000.bin", input_dir);
    for (const char *at = path; *at != '\0'; at++) {
        if (*at < 0x20 || *at > 0x7E) {
            return chirr_error_set(error, CHIRR_ERR_RANGE,
                                   "%s: jobs need a directory with a name of printable ASCII; give "
                                   "another with --state",
                                   input_dir);
        }
    }
    for (uint32_t i = 0; i < workload->kind_count; i++) {
        if (chirr_workload_command(workload->kinds[i].command, path, command, sizeof command) !=
            CHIRR_OK) {
            return chirr_error_set(error, CHIRR_ERR_RANGE,
                                   "workload, kind %s: its command is longer than %u bytes with "
                                   "{input} under %s; shorten it, or give another directory with "
                                   "--state",
                                   workload->kinds[i].kind, (unsigned)sizeof command - 1,
                                   input_dir);
        }
    }
    return CHIRR_OK;
}

static enum chirr_err check(const struct chirr_workload *workload, const char *input_dir,
                            struct chirr_error *error)
{
    if (workload->job_count > CHIRR_WORKLOAD_JOBS_MAX) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "workload: %u jobs are too many (at most %u)", workload->job_count,
                               (unsigned)CHIRR_WORKLOAD_JOBS_MAX);
    }
    if (workload->job_count > 0 && workload->kind_count == 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "workload: %u jobs, but of no kind",
                               workload->job_count);
    }
    return check_commands(workload, input_dir, error);
}

struct chirr_workload_run *chirr_workload_create(const struct chirr_workload *workload,
                                                 const char *input_dir, struct chirr_error *error)
{
    if (check(workload, input_dir, error) != CHIRR_OK ||
        chirr_provision_directory(input_dir, error) != CHIRR_OK) {
        return NULL;
    }
    struct chirr_workload_run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for a workload");
        return NULL;
    }
    run->workload = workload;
    snprintf(run->input_dir, sizeof run->input_dir, "%s", input_dir);
    chirr_random_init(&run->agents, workload->seed, STREAM_AGENTS);
    uint64_t bytes = plan(run);
    if (bytes > CHIRR_WORKLOAD_INPUT_BYTES_MAX) {
        chirr_error_set(error, CHIRR_ERR_RANGE,
                        "workload: its input files would take %" PRIu64 " MiB (at most %" PRIu64
                        ")",
                        bytes >> 20, CHIRR_WORKLOAD_INPUT_BYTES_MAX >> 20);
        free(run);
        return NULL;
    }
    return run;
}

/* ---- Inputs ---------------------------------------------------------------------------------- */

static void input_path(const struct chirr_workload_run *run, uint32_t job, char *path)
{
    static const char *const endings[] = {
        [CHIRR_INPUT_NONE] = "",
        [CHIRR_INPUT_BINARY] = ".bin",
        [CHIRR_INPUT_LINES] = ".txt",
        [CHIRR_INPUT_SOURCE] = ".c",
    };
    snprintf(path, INPUT_PATH_BYTES, "%s/job-%04u%s", run->input_dir, (unsigned)job,
             endings[kind_of(run, &run->jobs[job])->input]);
}

void chirr_workload_destroy(struct chirr_workload_run *run, bool keep)
{
    if (run == NULL) {
        return;
    }
    for (uint32_t i = 0; i < run->workload->job_count && !keep; i++) {
        char path[INPUT_PATH_BYTES];
        input_path(run, i, path);
        if (run->jobs[i].input_ready) {
            unlink(path);
        }
    }
    if (!keep) {
        rmdir(run->input_dir);
    }
    free(run);
}

static enum chirr_err make_input(struct chirr_workload_run *run, uint32_t index,
                                 struct chirr_error *error)
{
    struct chirr_workload_job *job = &run->jobs[index];
    enum chirr_workload_input kind = kind_of(run, job)->input;
    if (job->input_ready || kind == CHIRR_INPUT_NONE) {
        return CHIRR_OK;
    }
    char path[INPUT_PATH_BYTES];
    input_path(run, index, path);
    const struct chirr_input input = {kind, job->size_bytes, run->workload->seed,
                                      STREAM_INPUTS + index};
    enum chirr_err err = chirr_input_write(&input, path, &job->size_bytes, error);
    job->input_ready = err == CHIRR_OK;
    return err;
}

/* ---- Submitting ------------------------------------------------------------------------------ */

struct text {
    char *out;
    size_t used, capacity;
};

static void put(struct text *text, const char *bytes, size_t count)
{
    if (text->used + count < text->capacity) {
        memcpy(text->out + text->used, bytes, count);
    }
    text->used += count;
}

/* Single quotes keep everything but themselves: ' becomes '\''. */
static void put_quoted(struct text *text, const char *path)
{
    put(text, "'", 1);
    for (; *path != '\0'; path++) {
        if (*path == '\'') {
            put(text, "'\\''", 4);
        } else {
            put(text, path, 1);
        }
    }
    put(text, "'", 1);
}

enum chirr_err chirr_workload_command(const char *command, const char *path, char *out,
                                      size_t capacity)
{
    static const char mark[] = "{input}";
    struct text text = {out, 0, capacity};
    for (const char *at = strstr(command, mark); at != NULL; at = strstr(command, mark)) {
        put(&text, command, (size_t)(at - command));
        put_quoted(&text, path);
        command = at + sizeof mark - 1;
    }
    put(&text, command, strlen(command));
    if (text.used >= capacity) {
        return CHIRR_ERR_FULL;
    }
    out[text.used] = '\0';
    return CHIRR_OK;
}

static uint64_t parse_id(const char *text)
{
    return text != NULL ? strtoull(text, NULL, 16) : 0;
}

/* Where the job of that id stands in `index`, or the empty slot where it would. */
static uint32_t *index_slot(struct chirr_workload_run *run, uint64_t id)
{
    size_t slot = id % INDEX_SLOTS;
    while (run->index[slot] != 0 && run->jobs[run->index[slot] - 1].id != id) {
        slot = (slot + 1) % INDEX_SLOTS;
    }
    return &run->index[slot];
}

static bool submit_to(struct chirr_workload_run *run, struct chirr_launcher *launcher,
                      uint32_t agent, const json_t *request)
{
    json_t *reply = NULL;
    struct chirr_workload_job *job = &run->jobs[run->next];
    if (chirr_launcher_ask(launcher, agent, request, SUBMIT_TIMEOUT_MS, &reply, NULL) != CHIRR_OK) {
        return false;
    }
    job->id = parse_id(json_string_value(json_object_get(reply, "task")));
    json_decref(reply);
    if (job->id == 0) {
        return false;
    }
    job->state = CHIRR_JOB_ACCEPTED;
    job->accepted_us = chirr_clock_now();
    *index_slot(run, job->id) = run->next + 1;
    return true;
}

/* NULL: the command is too long or not UTF-8. */
static json_t *submit_request(const struct chirr_workload_run *run)
{
    const struct chirr_workload_job *job = &run->jobs[run->next];
    const struct chirr_workload_kind *kind = kind_of(run, job);
    char path[INPUT_PATH_BYTES];
    char command[COMMAND_BYTES];
    input_path(run, run->next, path);
    if (chirr_workload_command(kind->command, path, command, sizeof command) != CHIRR_OK) {
        return NULL;
    }
    return json_pack("{s:s, s:s, s:[s, s, s], s:I, s:i}", "verb", "submit", "kind", kind->kind,
                     "command", "/bin/sh", "-c", command, "size_bytes", (json_int_t)job->size_bytes,
                     "time_limit_ms", (int)run->workload->time_limit_ms);
}

static bool submit(struct chirr_workload_run *run, struct chirr_launcher *launcher)
{
    json_t *request = submit_request(run);
    uint32_t count = chirr_launcher_agent_count(launcher);
    uint32_t first = (uint32_t)chirr_random_below(&run->agents, count);
    bool accepted = false;
    for (uint32_t i = 0; i < count && !accepted && request != NULL; i++) {
        accepted = submit_to(run, launcher, (first + i) % count, request);
    }
    json_decref(request);
    return accepted;
}

enum chirr_err chirr_workload_turn(struct chirr_workload_run *run, struct chirr_launcher *launcher,
                                   struct chirr_error *error)
{
    if (run->start_us == 0) {
        run->start_us = chirr_clock_now();
    }
    if (run->next == run->workload->job_count) {
        return CHIRR_OK;
    }
    enum chirr_err err = make_input(run, run->next, error);
    if (err != CHIRR_OK) {
        return err;
    }
    struct chirr_workload_job *job = &run->jobs[run->next];
    chirr_time_us now = chirr_clock_now();
    if (now < run->start_us + job->due_us || now < run->retry_us) {
        return CHIRR_OK;
    }
    if (submit(run, launcher)) {
        run->next++;
        return CHIRR_OK;
    }
    run->retry_us = now + RETRY_US;
    if (++job->attempts == ATTEMPTS_MAX) {
        job->state = CHIRR_JOB_REFUSED;
        run->next++;
        chirr_launcher_note(launcher, "a %s job was refused by every agent",
                            kind_of(run, job)->kind);
    }
    return CHIRR_OK;
}

/* ---- Following ------------------------------------------------------------------------------- */

static uint32_t agent_named(const struct chirr_launcher *launcher, const char *name)
{
    const struct chirr_fleet_config *fleet = chirr_launcher_fleet(launcher);
    for (uint32_t i = 0; i < fleet->agent_count && name != NULL; i++) {
        if (strcmp(fleet->agents[i].name, name) == 0) {
            return i;
        }
    }
    return CHIRR_WORKLOAD_NO_OWNER;
}

static double seconds_of(const json_t *task, const char *key)
{
    const json_t *value = json_object_get(task, key);
    return json_is_number(value) ? json_number_value(value) : 0;
}

/* `owner` and `epoch` tell one run of a job from another. */
static void job_ended(struct chirr_workload_job *job, uint32_t owner, uint32_t epoch,
                      const json_t *task)
{
    const char *end = json_string_value(json_object_get(task, "end"));
    bool well = end != NULL && strcmp(end, "exited") == 0 &&
                json_integer_value(json_object_get(task, "code")) == 0;
    if (job->ended_us == 0) {
        job->ended_us = chirr_clock_now();
    } else {
        job->ended_twice |= owner != job->owner || epoch != job->end_epoch;
    }
    job->owner = owner;
    job->end_epoch = epoch;
    job->state = well ? CHIRR_JOB_DONE : CHIRR_JOB_FAILED;
    job->duration_s = seconds_of(task, "duration_s");
    job->predicted_s = seconds_of(task, "predicted_s");
}

static void observe_task(struct chirr_workload_run *run, const struct chirr_launcher *launcher,
                         const json_t *task)
{
    uint64_t id = parse_id(json_string_value(json_object_get(task, "id")));
    const char *phase = json_string_value(json_object_get(task, "phase"));
    uint32_t slot = id != 0 ? *index_slot(run, id) : 0;
    if (slot == 0 || phase == NULL) {
        return;
    }
    struct chirr_workload_job *job = &run->jobs[slot - 1];
    bool has_ended = strcmp(phase, "done") == 0;
    /* An agent that has not heard yet must not undo what another has told. */
    if (job->ended_us != 0 && !has_ended) {
        return;
    }
    uint32_t owner = agent_named(launcher, json_string_value(json_object_get(task, "owner_name")));
    uint32_t epoch = (uint32_t)json_integer_value(json_object_get(task, "epoch"));
    job->running = strcmp(phase, "running") == 0;
    job->epoch = epoch > job->epoch ? epoch : job->epoch;
    if (has_ended) {
        job_ended(job, owner, epoch, task);
        return;
    }
    job->owner = owner;
    if (strcmp(phase, "cancelled") == 0) {
        job->state = CHIRR_JOB_CANCELLED;
    }
}

static bool observe_by(struct chirr_workload_run *run, struct chirr_launcher *launcher,
                       uint32_t agent)
{
    json_t *request = json_pack("{s:s}", "verb", "list");
    json_t *reply = NULL;
    enum chirr_err err =
        chirr_launcher_ask(launcher, agent, request, LIST_TIMEOUT_MS, &reply, NULL);
    json_decref(request);
    if (err != CHIRR_OK) {
        return false;
    }
    size_t index;
    json_t *task;
    json_array_foreach(json_object_get(reply, "tasks"), index, task)
    {
        observe_task(run, launcher, task);
    }
    json_decref(reply);
    return true;
}

void chirr_workload_observe(struct chirr_workload_run *run, struct chirr_launcher *launcher,
                            bool all)
{
    uint32_t count = chirr_launcher_agent_count(launcher);
    bool enough = false;
    for (uint32_t i = 0; i < count && !enough; i++) {
        run->observer = (run->observer + 1) % count;
        enough = observe_by(run, launcher, run->observer) && !all;
    }
}

struct chirr_workload_counts chirr_workload_count(const struct chirr_workload_run *run)
{
    struct chirr_workload_counts counts = {.planned = run->workload->job_count};
    uint32_t *const of_state[] = {
        [CHIRR_JOB_PLANNED] = NULL,
        [CHIRR_JOB_ACCEPTED] = &counts.open,
        [CHIRR_JOB_DONE] = &counts.done,
        [CHIRR_JOB_FAILED] = &counts.failed,
        [CHIRR_JOB_CANCELLED] = &counts.cancelled,
        [CHIRR_JOB_REFUSED] = &counts.refused,
    };
    for (uint32_t i = 0; i < run->workload->job_count; i++) {
        const struct chirr_workload_job *job = &run->jobs[i];
        if (of_state[job->state] != NULL) {
            (*of_state[job->state])++;
        }
        counts.accepted += job->id != 0;
        counts.reauctioned += job->epoch > 0;
        counts.ended_twice += job->ended_twice;
    }
    return counts;
}

bool chirr_workload_is_over(const struct chirr_workload_run *run)
{
    return run->next == run->workload->job_count && chirr_workload_count(run).open == 0;
}

uint32_t chirr_workload_busy_agent(const struct chirr_workload_run *run)
{
    for (uint32_t i = 0; i < run->next; i++) {
        const struct chirr_workload_job *job = &run->jobs[i];
        if (job->state == CHIRR_JOB_ACCEPTED && job->running &&
            job->owner != CHIRR_WORKLOAD_NO_OWNER) {
            return job->owner;
        }
    }
    return CHIRR_WORKLOAD_NO_OWNER;
}

const struct chirr_workload_job *chirr_workload_jobs(const struct chirr_workload_run *run)
{
    return run->jobs;
}
