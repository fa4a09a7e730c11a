/* A table of tasks, found by id through open addressing. */
#include "sim/workload.h"

#include <math.h>
#include <string.h>

#include "sim/streams.h"

struct chirr_sim_workload {
    const struct chirr_sim_scenario *scenario;
    uint32_t count;
    struct chirr_sim_task *tasks; /* [count], in the order of the plan */
    uint32_t *slots;              /* [slot_count]; index + 1 into tasks, or 0 */
    uint32_t slot_count;          /* a power of two, at least twice the count */
};

static uint32_t slot_count_for(uint32_t tasks)
{
    uint32_t count = 16;
    while (count < 2 * tasks) {
        count *= 2;
    }
    return count;
}

size_t chirr_sim_workload_bytes(const struct chirr_sim_scenario *scenario)
{
    uint32_t tasks = scenario->work.task_count;
    return chirr_arena_round(sizeof(struct chirr_sim_workload)) +
           chirr_arena_round(tasks * sizeof(struct chirr_sim_task)) +
           chirr_arena_round(slot_count_for(tasks) * sizeof(uint32_t));
}

static uint64_t draw_size(const struct chirr_sim_kind *kind, struct chirr_random *random)
{
    return kind->size_bytes_min +
           chirr_random_below(random, kind->size_bytes_max - kind->size_bytes_min + 1);
}

/* One stream for each task: adding a task changes no other. */
static void plan(const struct chirr_sim_scenario *scenario, uint32_t index,
                 struct chirr_sim_task *task)
{
    const struct chirr_sim_work *work = &scenario->work;
    struct chirr_random random;
    chirr_sim_stream_init(&random, scenario->seed, index, CHIRR_SIM_STREAM_WORKLOAD);
    double window_us = (double)chirr_time_from_ms(work->until_ms - work->from_ms);
    task->at = chirr_time_from_ms(work->from_ms) +
               (chirr_time_us)(chirr_random_uniform(&random) * window_us);
    task->agent = (uint32_t)chirr_random_below(&random, scenario->agent_count);
    task->kind = (uint32_t)chirr_random_below(&random, work->kind_count);
    task->size_bytes = draw_size(&work->kinds[task->kind], &random);
    bool cancel = chirr_random_below(&random, 1000) < work->cancel_permille;
    double mean_us = (double)chirr_time_from_ms(work->cancel_after_ms);
    chirr_time_us after = (chirr_time_us)(chirr_random_exponential(&random) * mean_us);
    task->cancel_after = cancel ? after : CHIRR_TIME_NEVER;
}

struct chirr_sim_workload *chirr_sim_workload_create(struct chirr_arena *arena,
                                                     const struct chirr_sim_scenario *scenario)
{
    struct chirr_sim_workload *workload = chirr_arena_take(arena, 1, sizeof *workload);
    if (workload == NULL) {
        return NULL;
    }
    workload->scenario = scenario;
    workload->count = scenario->work.task_count;
    workload->slot_count = slot_count_for(workload->count);
    workload->tasks = chirr_arena_take(arena, workload->count, sizeof *workload->tasks);
    workload->slots = chirr_arena_take(arena, workload->slot_count, sizeof *workload->slots);
    if (workload->tasks == NULL || workload->slots == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < workload->count; i++) {
        plan(scenario, i, &workload->tasks[i]);
    }
    return workload;
}

uint32_t chirr_sim_workload_count(const struct chirr_sim_workload *workload)
{
    return workload->count;
}

struct chirr_sim_task *chirr_sim_workload_at(const struct chirr_sim_workload *workload,
                                             uint32_t index)
{
    CHIRR_ASSERT(index < workload->count);
    return &workload->tasks[index];
}

/* The slot of an id, or the empty one where it belongs. Ids are digests: they hash themselves. */
static uint32_t *slot_of(const struct chirr_sim_workload *workload, chirr_task_id id)
{
    uint32_t mask = workload->slot_count - 1;
    uint32_t at = (uint32_t)id & mask;
    while (workload->slots[at] != 0 && workload->tasks[workload->slots[at] - 1].id != id) {
        at = (at + 1) & mask;
    }
    return &workload->slots[at];
}

uint32_t chirr_sim_workload_find(const struct chirr_sim_workload *workload, chirr_task_id id)
{
    uint32_t slot = *slot_of(workload, id);
    return slot == 0 ? CHIRR_SIM_NO_TASK : slot - 1;
}

struct chirr_task_spec chirr_sim_workload_spec(const struct chirr_sim_workload *workload,
                                               uint32_t index)
{
    const struct chirr_sim_task *task = chirr_sim_workload_at(workload, index);
    const struct chirr_sim_kind *kind = &workload->scenario->work.kinds[task->kind];
    struct chirr_task_spec spec;
    memset(&spec, 0, sizeof spec);
    memcpy(spec.kind, kind->name, sizeof spec.kind);
    spec.size_bytes = task->size_bytes;
    spec.time_limit_ms = workload->scenario->work.time_limit_ms;
    spec.argument_count = 1;
    size_t bytes = strlen(kind->name) + 1;
    memcpy(spec.command, kind->name, bytes);
    spec.command_bytes = (uint32_t)bytes;
    return spec;
}

void chirr_sim_workload_submitted(struct chirr_sim_workload *workload, uint32_t index,
                                  chirr_task_id id, uint32_t submitter, chirr_time_us now)
{
    struct chirr_sim_task *task = chirr_sim_workload_at(workload, index);
    CHIRR_ASSERT(task->id == 0);
    *slot_of(workload, id) = index + 1;
    task->id = id;
    task->submitter = submitter;
    task->submitted_at = now;
}

bool chirr_sim_workload_started(struct chirr_sim_workload *workload, uint32_t index,
                                struct chirr_sim_start start, chirr_time_us now)
{
    struct chirr_sim_task *task = chirr_sim_workload_at(workload, index);
    uint32_t kept =
        task->start_count < CHIRR_SIM_STARTS_MAX ? task->start_count : CHIRR_SIM_STARTS_MAX;
    bool again = false;
    for (uint32_t i = 0; i < kept; i++) {
        again =
            again || (task->starts[i].agent == start.agent && task->starts[i].epoch == start.epoch);
    }
    if (kept < CHIRR_SIM_STARTS_MAX) {
        task->starts[kept] = start;
    }
    if (task->start_count++ == 0) {
        task->started_at = now;
    }
    return !again;
}

void chirr_sim_workload_completed(struct chirr_sim_workload *workload, uint32_t index,
                                  chirr_time_us now)
{
    struct chirr_sim_task *task = chirr_sim_workload_at(workload, index);
    if (task->completions++ == 0) {
        task->completed_at = now;
    }
}

struct chirr_sim_truth chirr_sim_workload_truth(const struct chirr_sim_workload *workload,
                                                uint32_t index, uint32_t cpu_permille,
                                                struct chirr_random *random)
{
    const struct chirr_sim_task *task = chirr_sim_workload_at(workload, index);
    const struct chirr_sim_kind *kind = &workload->scenario->work.kinds[task->kind];
    double rate = (double)kind->bytes_per_s * (double)cpu_permille / 1000.0;
    double seconds =
        (double)task->size_bytes / rate * exp(kind->noise * chirr_random_normal(random));
    struct chirr_sim_truth truth = {
        .duration_us = 1 + (chirr_time_us)(seconds * (double)CHIRR_US_PER_S),
        .fails = chirr_random_below(random, 1000) < kind->fail_permille,
    };
    return truth;
}
