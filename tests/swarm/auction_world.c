/* One loop over one heap of events. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/sample.h"
#include "tests/swarm/auction_world_state.h"

#define BEAT_US CHIRR_US_PER_S
#define SYNC_US CHIRR_US_PER_S
/* What traps SIGTERM, or takes its time to end. */
#define STOP_GRACE_US CHIRR_US_PER_S
#define PRICE_US (3 * CHIRR_US_PER_MS)

struct world_config world_config_default(uint64_t seed)
{
    struct world_config config = {
        .seed = seed,
        .agent_count = 6,
        .latency_us_max = 40 * CHIRR_US_PER_MS,
        .lease_ms = 4000,
        .auction = chirr_auction_config_default(),
    };
    config.auction.tasks_max = WORLD_TASKS_MAX;
    return config;
}

/* ---- Events -----------------------------------------------------------------------------------
 */

static bool earlier(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->sequence < b->sequence;
}

static void swap(struct event *a, struct event *b)
{
    struct event held = *a;
    *a = *b;
    *b = held;
}

void world_push(struct world *world, struct event event)
{
    cr_assert_lt(world->event_count, WORLD_EVENTS_MAX, "seed %lu: a storm", world->config.seed);
    event.sequence = ++world->sequence;
    uint32_t at = world->event_count++;
    world->events[at] = event;
    while (at > 0 && earlier(&world->events[at], &world->events[(at - 1) / 2])) {
        swap(&world->events[at], &world->events[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static struct event pop_event(struct world *world)
{
    struct event first = world->events[0];
    world->events[0] = world->events[--world->event_count];
    for (uint32_t at = 0;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < world->event_count &&
                earlier(&world->events[child], &world->events[least])) {
                least = child;
            }
        }
        if (least == at) {
            return first;
        }
        swap(&world->events[at], &world->events[least]);
        at = least;
    }
}

chirr_time_us world_latency(struct world *world)
{
    uint64_t spread = (uint64_t)world->config.latency_us_max;
    return 1 + (chirr_time_us)chirr_random_below(&world->random, spread);
}

static bool reaches(struct world *world, uint32_t from, uint32_t to)
{
    bool lost = chirr_random_below(&world->random, 1000) < world->config.loss_permille;
    return !lost && from != to && world->agents[to].alive &&
           world->agents[from].side == world->agents[to].side;
}

static void send_record(struct world *world, uint32_t from, uint32_t to,
                        const struct chirr_record *record)
{
    if (!reaches(world, from, to)) {
        return;
    }
    struct chirr_record *copy = malloc(sizeof *copy);
    cr_assert_not_null(copy);
    *copy = *record;
    world_push(world, (struct event){.at = world->now + world_latency(world),
                                     .kind = EVENT_RECORD,
                                     .to = to,
                                     .record = copy});
}

/* ---- Agents ---------------------------------------------------------------------------------- */

static struct world_task *find_task(struct world *world, chirr_task_id id)
{
    for (uint32_t i = 0; i < world->task_count; i++) {
        if (world->tasks[i].id == id) {
            return &world->tasks[i];
        }
    }
    cr_assert_fail("seed %lu: an unknown task", world->config.seed);
    return NULL;
}

void world_create_agent(struct world *world, uint32_t index)
{
    struct world_agent *agent = &world->agents[index];
    struct chirr_records_config records = {.agents_max = WORLD_AGENTS_MAX,
                                           .tasks_max = WORLD_TASKS_MAX};
    struct chirr_membership_config membership = chirr_membership_config_default();
    membership.self = agent->id;
    membership.incarnation = agent->incarnation;
    membership.members_max = WORLD_AGENTS_MAX;
    struct chirr_lease_config leases = {.owners_max = WORLD_AGENTS_MAX,
                                        .lease_ms = world->config.lease_ms};
    struct chirr_auction_config auction = world->config.auction;
    auction.self = agent->id;
    auction.seed = world->config.seed;
    size_t bytes = chirr_records_bytes(&records) + chirr_membership_bytes(&membership) +
                   chirr_lease_bytes(&leases) + chirr_auction_bytes(&auction);
    cr_assert_eq(chirr_arena_init(&agent->arena, bytes), CHIRR_OK);
    agent->records = chirr_records_create(&agent->arena, &records);
    agent->membership = chirr_membership_create(&agent->arena, &membership, world->now);
    agent->leases = chirr_lease_create(&agent->arena, &leases);
    agent->auction = chirr_auction_create(&agent->arena, &auction, agent->records,
                                          agent->membership, agent->leases, world->now);
    cr_assert_not_null(agent->auction);
    for (uint32_t i = 0; i < world->config.agent_count; i++) {
        struct world_agent *other = &world->agents[i];
        if (i != index && other->alive) {
            cr_assert_eq(chirr_membership_add(agent->membership, other->id,
                                              other->member_incarnation, world->now),
                         CHIRR_OK);
        }
    }
    agent->alive = true;
    agent->beat_us = world->now + world_latency(world);
    agent->sync_us = world->now + world_latency(world);
    memset(agent->runs, 0, sizeof agent->runs);
    memset(agent->outcomes, 0, sizeof agent->outcomes);
}

struct world *world_create(const struct world_config *config)
{
    struct world *world = calloc(1, sizeof *world);
    cr_assert_not_null(world);
    world->config = *config;
    world->now = CHIRR_US_PER_S;
    chirr_random_init(&world->random, config->seed, 1);
    chirr_digest_begin(&world->digest);
    for (uint32_t i = 0; i < config->agent_count; i++) {
        world->agents[i].id = sample_agent(i);
        world->agents[i].incarnation = 10;
        world->agents[i].member_incarnation = 10;
        world->agents[i].alive = true;
    }
    for (uint32_t i = 0; i < config->agent_count; i++) {
        world_create_agent(world, i);
    }
    return world;
}

void world_destroy(struct world *world)
{
    while (world->event_count > 0) {
        struct event event = pop_event(world);
        if (event.kind == EVENT_RECORD) {
            free(event.record);
        }
    }
    for (uint32_t i = 0; i < world->config.agent_count; i++) {
        chirr_arena_finish(&world->agents[i].arena);
    }
    free(world);
}

/* ---- What the auction wants -------------------------------------------------------------------
 */

enum chirr_join world_join(struct world_agent *agent, const struct chirr_record *record)
{
    enum chirr_join joined;
    cr_assert_eq(chirr_records_join(agent->records, record, &joined), CHIRR_OK);
    return joined;
}

void world_state(struct world *world, uint32_t index, struct chirr_record *record)
{
    struct world_agent *agent = &world->agents[index];
    record->author = agent->id;
    record->stamp = (struct chirr_stamp){agent->incarnation, ++agent->version};
    agent->claims_stated += record->kind == CHIRR_RECORD_CLAIMS;
    agent->tasks_stated += record->kind == CHIRR_RECORD_TASK;
    chirr_digest_add_u64(&world->digest, (uint64_t)world->now);
    chirr_digest_add_u64(&world->digest, record->author);
    chirr_digest_add_u64(&world->digest, record->kind);
    if (world_join(agent, record) == CHIRR_JOIN_CHANGED) {
        chirr_auction_notice(agent->auction, record, world->now);
        for (uint32_t to = 0; to < world->config.agent_count; to++) {
            send_record(world, index, to, record);
        }
    }
}

static void answer_price(struct world *world, uint32_t index, const struct chirr_task *task)
{
    const struct world_task *known = find_task(world, task->id);
    struct chirr_random random;
    chirr_random_init(&random, world->config.seed + index, task->id);
    uint64_t error = chirr_random_below(&random, 2 * world->config.error_permille + 1);
    uint64_t off_permille = 1000 - world->config.error_permille + error;
    world_push(world, (struct event){
                          .at = world->now + PRICE_US,
                          .kind = EVENT_PRICE,
                          .to = index,
                          .life = world->agents[index].incarnation,
                          .price = {.task = task->id,
                                    .duration_us = known->duration_us[index] * off_permille / 1000,
                                    .success_permille = 1000}});
}

static void start(struct world *world, uint32_t index, const struct chirr_task *task)
{
    struct world_agent *agent = &world->agents[index];
    cr_assert_eq(task->phase, CHIRR_TASK_RUNNING);
    cr_assert_eq(task->owner, agent->id);
    cr_assert_eq(task->owner_incarnation, agent->incarnation);
    for (uint32_t i = 0; i < world->start_count; i++) {
        const struct world_start *before = &world->starts[i];
        cr_assert(before->agent != index || before->task != task->id ||
                      before->epoch != task->epoch || before->disk != agent->disk,
                  "seed %lu: two STARTs of one (task, epoch)", world->config.seed);
    }
    cr_assert_lt(world->start_count, WORLD_STARTS_MAX);
    world->starts[world->start_count++] =
        (struct world_start){index, agent->disk, task->id, task->epoch};
    struct world_run *free_run = NULL;
    uint32_t running = 0;
    for (uint32_t i = 0; i < 8; i++) {
        running += agent->runs[i].task != 0;
        free_run = agent->runs[i].task == 0 ? &agent->runs[i] : free_run;
    }
    cr_assert_lt(running, world->config.auction.slots, "seed %lu: more than its slots",
                 world->config.seed);
    const struct world_task *known = find_task(world, task->id);
    *free_run =
        (struct world_run){.task = task->id,
                           .epoch = task->epoch,
                           .since_us = world->now,
                           .ends_us = world->now + (chirr_time_us)known->duration_us[index]};
    if (known->missing_at >> index & 1) {
        free_run->ends_us = world->now;
    }
}

static void stop(struct world *world, uint32_t index, const struct chirr_task *task)
{
    for (uint32_t i = 0; i < 8; i++) {
        struct world_run *run = &world->agents[index].runs[i];
        if (run->task == task->id && run->epoch == task->epoch && !run->stopped) {
            run->stopped = true;
            run->ends_us = chirr_time_min(run->ends_us, world->now + STOP_GRACE_US);
            world->stop_count++;
            return;
        }
    }
    cr_assert_fail("seed %lu: STOP of what does not run", world->config.seed);
}

static void carry_out(struct world *world, uint32_t index, const struct chirr_output *output)
{
    chirr_digest_add_u64(&world->digest, (uint64_t)world->now);
    chirr_digest_add_u64(&world->digest, world->agents[index].id);
    chirr_digest_add_u64(&world->digest, output->kind);
    chirr_digest_add_u64(&world->digest, output->task->id);
    switch (output->kind) {
    case CHIRR_OUTPUT_PRICE:
        answer_price(world, index, output->task);
        break;
    case CHIRR_OUTPUT_START:
        start(world, index, output->task);
        break;
    case CHIRR_OUTPUT_STOP:
        stop(world, index, output->task);
        break;
    case CHIRR_OUTPUT_OUTCOME:
        cr_assert_eq(output->task->phase, CHIRR_TASK_DONE);
        world->agents[index].outcomes[find_task(world, output->task->id) - world->tasks]++;
        break;
    default:
        cr_assert_fail("an output that no auction makes");
    }
}

/* As the node does: statements first, then outputs. */
void world_pump(struct world *world, uint32_t index)
{
    struct world_agent *agent = &world->agents[index];
    struct chirr_record record;
    struct chirr_output output;
    for (;;) {
        if (chirr_auction_statement(agent->auction, &record)) {
            world_state(world, index, &record);
        } else if (chirr_auction_poll(agent->auction, &output)) {
            carry_out(world, index, &output);
        } else {
            return;
        }
    }
}

/* ---- The loop ----------------------------------------------------------------------------------
 */

static void receive_status(struct world *world, struct world_agent *agent,
                           const struct chirr_member_update *update)
{
    if (update->agent == agent->id) {
        return;
    }
    if (update->status == CHIRR_MEMBER_ALIVE) {
        enum chirr_err err =
            chirr_membership_add(agent->membership, update->agent, update->incarnation, world->now);
        cr_assert_eq(err, CHIRR_OK);
    } else {
        /* Somebody known has to tell; it does not matter who. */
        struct chirr_message message = {.kind = CHIRR_MESSAGE_GOSSIP,
                                        .gossip = {.count = 1, .updates = {*update}}};
        enum chirr_err err =
            chirr_membership_receive(agent->membership, update->agent, &message, world->now);
        cr_assert(err == CHIRR_OK || err == CHIRR_ERR_NOTFOUND);
    }
    chirr_auction_member(agent->auction, update->agent, world->now);
}

static void handle(struct world *world, struct event *event)
{
    struct world_agent *agent = &world->agents[event->to];
    bool present = agent->alive && (event->life == 0 || event->life == agent->incarnation);
    switch (event->kind) {
    case EVENT_RECORD:
        if (present && world_join(agent, event->record) == CHIRR_JOIN_CHANGED) {
            chirr_auction_notice(agent->auction, event->record, world->now);
        }
        free(event->record);
        break;
    case EVENT_HEARTBEAT:
        if (present) {
            (void)!chirr_lease_renew(agent->leases, world->agents[event->heartbeat.from].id,
                                     event->heartbeat.incarnation, event->heartbeat.sequence,
                                     world->now);
        }
        break;
    case EVENT_PRICE:
        if (present) {
            chirr_auction_price(agent->auction, &event->price, world->now);
        }
        break;
    case EVENT_STATUS:
        if (present) {
            receive_status(world, agent, &event->status);
        }
        break;
    }
    if (present) {
        world_pump(world, event->to);
    }
}

static void beat(struct world *world, uint32_t index)
{
    struct world_agent *agent = &world->agents[index];
    agent->beat_us = world->now + BEAT_US;
    agent->heartbeat++;
    for (uint32_t to = 0; to < world->config.agent_count; to++) {
        if (reaches(world, index, to)) {
            world_push(world,
                       (struct event){.at = world->now + world_latency(world),
                                      .kind = EVENT_HEARTBEAT,
                                      .to = to,
                                      .heartbeat = {index, agent->incarnation, agent->heartbeat}});
        }
    }
}

/* What the store of `to` would change by goes there: the outcome of a repair, not its protocol. */
static void repair(struct world *world, uint32_t from, uint32_t to)
{
    struct world_agent *a = &world->agents[from];
    struct world_agent *b = &world->agents[to];
    for (uint32_t i = 0; i < chirr_records_task_count(a->records); i++) {
        const struct chirr_record *record = chirr_records_task_at(a->records, i);
        const struct chirr_record *other = chirr_records_task(b->records, record->task.id);
        if (other == NULL || chirr_task_compare(record, other) > 0) {
            send_record(world, from, to, record);
        }
    }
    for (uint32_t i = 0; i < chirr_records_author_count(a->records); i++) {
        chirr_agent_id author = chirr_records_author_at(a->records, i);
        const struct chirr_record *record = chirr_records_claims(a->records, author);
        const struct chirr_record *other = chirr_records_claims(b->records, author);
        if (record != NULL &&
            (other == NULL || chirr_stamp_compare(record->stamp, other->stamp) > 0)) {
            send_record(world, from, to, record);
        }
    }
}

static void sync(struct world *world, uint32_t index)
{
    struct world_agent *agent = &world->agents[index];
    agent->sync_us = world->now + SYNC_US;
    uint32_t to = (uint32_t)chirr_random_below(&world->random, world->config.agent_count);
    if (to != index && world->agents[to].alive && world->agents[to].side == agent->side) {
        repair(world, index, to);
    }
}

static void finish_runs(struct world *world, uint32_t index)
{
    struct world_agent *agent = &world->agents[index];
    for (uint32_t i = 0; i < 8; i++) {
        struct world_run run = agent->runs[i];
        if (run.task == 0 || run.ends_us > world->now) {
            continue;
        }
        agent->runs[i].task = 0;
        bool missing = find_task(world, run.task)->missing_at >> index & 1;
        struct chirr_task_result result = {.end = missing ? CHIRR_TASK_END_NOT_STARTED
                                                          : CHIRR_TASK_END_EXITED,
                                           .code = missing ? 2 : 0,
                                           .duration_us = (uint64_t)(world->now - run.since_us)};
        cr_assert_eq(chirr_auction_ended(agent->auction, run.task, run.epoch, &result, world->now),
                     run.stopped ? CHIRR_ERR_NOTFOUND : CHIRR_OK);
        world_pump(world, index);
    }
}

static chirr_time_us agent_deadline(const struct world_agent *agent)
{
    if (!agent->alive) {
        return CHIRR_TIME_NEVER;
    }
    chirr_time_us at = chirr_time_min(agent->beat_us, agent->sync_us);
    for (uint32_t i = 0; i < 8; i++) {
        at = agent->runs[i].task != 0 ? chirr_time_min(at, agent->runs[i].ends_us) : at;
    }
    return chirr_time_min(at, chirr_auction_deadline(agent->auction));
}

static void tick_agents(struct world *world)
{
    for (uint32_t i = 0; i < world->config.agent_count; i++) {
        struct world_agent *agent = &world->agents[i];
        if (agent_deadline(agent) > world->now) {
            continue;
        }
        if (agent->beat_us <= world->now) {
            beat(world, i);
        }
        if (agent->sync_us <= world->now) {
            sync(world, i);
        }
        finish_runs(world, i);
        chirr_auction_tick(agent->auction, world->now);
        world_pump(world, i);
    }
}

void world_run(struct world *world, chirr_time_us until_us)
{
    uint32_t standing_still = 0;
    for (;;) {
        chirr_time_us at = world->event_count > 0 ? world->events[0].at : CHIRR_TIME_NEVER;
        for (uint32_t i = 0; i < world->config.agent_count; i++) {
            at = chirr_time_min(at, agent_deadline(&world->agents[i]));
        }
        if (at > until_us) {
            world->now = until_us;
            return;
        }
        standing_still = at > world->now ? 0 : standing_still + 1;
        cr_assert_lt(standing_still, 10000, "seed %lu: time stands still", world->config.seed);
        world->now = at > world->now ? at : world->now;
        while (world->event_count > 0 && world->events[0].at <= world->now) {
            struct event event = pop_event(world);
            handle(world, &event);
        }
        tick_agents(world);
    }
}
