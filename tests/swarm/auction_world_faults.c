/* Submissions, crashes, partitions, and what is seen of them. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/sample.h"
#include "tests/swarm/auction_world_state.h"

#define DETECT_US (2 * CHIRR_US_PER_S)

/* ---- What the test does to it -------------------------------------------------------------------
 */

uint32_t world_submit(struct world *world, uint32_t submitter, uint64_t size_us, uint32_t priority,
                      const char *requires)
{
    cr_assert_lt(world->task_count, WORLD_TASKS_MAX);
    struct chirr_record record = sample_task(submitter, world->task_count + 1);
    record.task.spec.time_limit_ms = 600000;
    record.task.spec.priority = priority;
    if (requires != NULL) {
        record.task.spec.requires.count = 1;
        strcpy(record.task.spec.requires.names[0], requires);
    }
    record.task.id = chirr_task_id_of(record.task.submitter, record.task.nonce, &record.task.spec);
    struct world_task *task = &world->tasks[world->task_count];
    *task = (struct world_task){.id = record.task.id, .submitter = submitter};
    for (uint32_t i = 0; i < world->config.agent_count; i++) {
        task->duration_us[i] = size_us / 2 + chirr_random_below(&world->random, size_us / 2 + 1);
    }
    world->task_count++;
    world_state(world, submitter, &record);
    world_pump(world, submitter);
    return world->task_count - 1;
}

void world_cancel(struct world *world, uint32_t task)
{
    struct world_task *known = &world->tasks[task];
    known->cancelled = true;
    struct chirr_record record =
        *chirr_records_task(world->agents[known->submitter].records, known->id);
    record.task.phase = CHIRR_TASK_CANCELLED;
    record.task.owner = 0;
    record.task.owner_incarnation = 0;
    memset(&record.task.result, 0, sizeof record.task.result);
    world_state(world, known->submitter, &record);
    world_pump(world, known->submitter);
}

static void tell_status(struct world *world, uint32_t to, uint32_t subject,
                        enum chirr_member_status status, chirr_time_us at)
{
    const struct world_agent *about = &world->agents[subject];
    world_push(world, (struct event){.at = at,
                                     .kind = EVENT_STATUS,
                                     .to = to,
                                     .status = {.agent = about->id,
                                                .incarnation = about->member_incarnation,
                                                .status = status}});
}

void world_crash(struct world *world, uint32_t index)
{
    world->agents[index].alive = false;
    for (uint32_t to = 0; to < world->config.agent_count; to++) {
        tell_status(world, to, index, CHIRR_MEMBER_DEAD, world->now + DETECT_US);
    }
}

void world_restart(struct world *world, uint32_t index, bool with_disk)
{
    struct world_agent *agent = &world->agents[index];
    struct chirr_arena before = agent->arena;
    const struct chirr_record_store *disk = agent->records;
    agent->incarnation += 10;
    agent->member_incarnation = agent->incarnation;
    agent->version = 0;
    agent->disk += with_disk ? 0 : 1;
    agent->heartbeat = 0;
    world_create_agent(world, index);
    for (uint32_t i = 0; with_disk && i < chirr_records_task_count(disk); i++) {
        const struct chirr_record *record = chirr_records_task_at(disk, i);
        world_join(agent, record);
        chirr_auction_notice(agent->auction, record, world->now);
    }
    chirr_arena_finish(&before);
    for (uint32_t to = 0; to < world->config.agent_count; to++) {
        tell_status(world, to, index, CHIRR_MEMBER_ALIVE, world->now + world_latency(world));
    }
    world_pump(world, index);
}

static void tell_sides(struct world *world, enum chirr_member_status status)
{
    for (uint32_t a = 0; a < world->config.agent_count; a++) {
        for (uint32_t b = 0; b < world->config.agent_count; b++) {
            if (world->agents[a].side != world->agents[b].side) {
                tell_status(world, a, b, status, world->now + DETECT_US);
            }
        }
    }
}

void world_partition(struct world *world, uint32_t first)
{
    for (uint32_t i = first; i < world->config.agent_count; i++) {
        world->agents[i].side = 1;
    }
    tell_sides(world, CHIRR_MEMBER_DEAD);
}

/* The dead have refuted their death: a greater incarnation of the member, not of the process. */
void world_heal(struct world *world)
{
    for (uint32_t i = 0; i < world->config.agent_count; i++) {
        world->agents[i].member_incarnation++;
    }
    tell_sides(world, CHIRR_MEMBER_ALIVE);
    for (uint32_t i = 0; i < world->config.agent_count; i++) {
        world->agents[i].side = 0;
    }
}

/* ---- Looking in
 * ---------------------------------------------------------------------------------- */

chirr_time_us world_now(const struct world *world)
{
    return world->now;
}

struct world_agent *world_agent(struct world *world, uint32_t agent)
{
    return &world->agents[agent];
}

struct world_task *world_task(struct world *world, uint32_t task)
{
    return &world->tasks[task];
}

uint32_t world_task_count(const struct world *world)
{
    return world->task_count;
}

const struct chirr_task *world_record(struct world *world, uint32_t task)
{
    for (uint32_t i = 0; i < world->config.agent_count; i++) {
        if (world->agents[i].alive) {
            const struct chirr_record *record =
                chirr_records_task(world->agents[i].records, world->tasks[task].id);
            return record == NULL ? NULL : &record->task;
        }
    }
    return NULL;
}

bool world_all_ended(struct world *world)
{
    for (uint32_t i = 0; i < world->task_count; i++) {
        const struct chirr_task *task = world_record(world, i);
        if (task == NULL ||
            (task->phase != CHIRR_TASK_DONE && task->phase != CHIRR_TASK_CANCELLED)) {
            return false;
        }
    }
    return true;
}

bool world_converged(struct world *world)
{
    bool first = true;
    uint64_t hash = 0;
    for (uint32_t i = 0; i < world->config.agent_count; i++) {
        if (!world->agents[i].alive) {
            continue;
        }
        uint64_t own = chirr_records_state_hash(world->agents[i].records);
        if (!first && own != hash) {
            return false;
        }
        hash = own;
        first = false;
    }
    return true;
}

uint32_t world_starts(const struct world *world, const struct world_start **starts)
{
    *starts = world->starts;
    return world->start_count;
}

uint32_t world_stops(const struct world *world)
{
    return world->stop_count;
}

uint64_t world_output_digest(struct world *world)
{
    struct chirr_digest_state copy = world->digest;
    return chirr_digest_end(&copy);
}
