/* Creation, and the loop round the clock. */
#include "sim/world.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "sim/peer.h"
#include "sim/streams.h"

#define CHECK_INTERVAL_US CHIRR_US_PER_S
/* Runs one after another, each up to its time limit, that are waited for at the end. */
#define WORK_ROUNDS 4

/* ---- Memory ---------------------------------------------------------------------------------- */

static struct chirr_sim_engine_config engine_config(const struct chirr_sim_scenario *scenario)
{
    return (struct chirr_sim_engine_config){
        .agents_max = scenario->agent_count,
        .events_max = 65536 + 1024 * scenario->agent_count + 2 * scenario->work.task_count,
    };
}

static size_t copies_bytes(const struct chirr_sim_scenario *scenario)
{
    return ((size_t)8 << 20) + ((size_t)scenario->agent_count << 20);
}

static size_t world_bytes(const struct chirr_sim_world *world)
{
    const struct chirr_sim_scenario *scenario = world->scenario;
    struct chirr_sim_engine_config engine = engine_config(scenario);
    size_t peers = scenario->agent_count; /* nodes and learners have blocks of their own */
    return chirr_sim_engine_bytes(&engine) + chirr_sim_post_bytes(copies_bytes(scenario)) +
           chirr_sim_network_bytes(scenario->agent_count) + chirr_sim_workload_bytes(scenario) +
           chirr_arena_round(peers * sizeof(struct chirr_sim_peer)) +
           chirr_arena_round(peers * sizeof(struct chirr_sim_index_entry)) +
           (scenario->learning.enabled ? chirr_learner_shared_bytes(&world->learner_config) : 0) +
           peers * chirr_sim_peer_bytes(world);
}

static int compare_ids(const void *a, const void *b)
{
    const struct chirr_sim_index_entry *left = a;
    const struct chirr_sim_index_entry *right = b;
    return left->id < right->id ? -1 : left->id > right->id;
}

static enum chirr_err create_peers(struct chirr_sim_world *world)
{
    if (world->scenario->learning.enabled) {
        world->learner_shared = chirr_learner_shared_create(&world->arena, &world->learner_config);
        if (world->learner_shared == NULL) {
            return CHIRR_ERR_NOMEM;
        }
    }
    for (uint32_t i = 0; i < world->peer_count; i++) {
        world->peers[i].index = i;
        enum chirr_err err = chirr_sim_peer_init(world, &world->peers[i]);
        if (err != CHIRR_OK) {
            return err;
        }
        world->by_id[i] = (struct chirr_sim_index_entry){.id = world->peers[i].id, .index = i};
    }
    qsort(world->by_id, world->peer_count, sizeof *world->by_id, compare_ids);
    return CHIRR_OK;
}

static enum chirr_err create_parts(struct chirr_sim_world *world)
{
    const struct chirr_sim_scenario *scenario = world->scenario;
    struct chirr_sim_engine_config engine = engine_config(scenario);
    struct chirr_arena *arena = &world->arena;
    world->engine = chirr_sim_engine_create(arena, &engine);
    world->post = chirr_sim_post_create(arena, copies_bytes(scenario));
    world->network =
        chirr_sim_network_create(arena, &scenario->network, scenario->agent_count, scenario->seed);
    world->workload = chirr_sim_workload_create(arena, scenario);
    world->peer_count = scenario->agent_count;
    world->peers = chirr_arena_take(arena, world->peer_count, sizeof *world->peers);
    world->by_id = chirr_arena_take(arena, world->peer_count, sizeof *world->by_id);
    bool complete = world->engine != NULL && world->post != NULL && world->network != NULL &&
                    world->workload != NULL && world->peers != NULL && world->by_id != NULL;
    return complete ? create_peers(world) : CHIRR_ERR_NOMEM;
}

/* ---- The plan -------------------------------------------------------------------------------- */

static void plan_event(struct chirr_sim_world *world, chirr_time_us at, uint32_t to,
                       enum chirr_sim_happening kind, uint32_t number)
{
    struct chirr_sim_event event = {
        .at = at, .to = to, .from = CHIRR_SIM_WORLD, .kind = kind, .number = number};
    if (chirr_sim_engine_push(world->engine, &event) != CHIRR_OK) {
        chirr_sim_violate(world, "the simulator's event queue is full");
    }
}

static void plan_boots(struct chirr_sim_world *world)
{
    uint64_t within_us = (uint64_t)chirr_time_from_ms(world->scenario->start_ms);
    for (uint32_t i = 0; i < world->peer_count; i++) {
        struct chirr_random random;
        chirr_sim_stream_init(&random, world->scenario->seed, i, CHIRR_SIM_STREAM_DEVICE);
        chirr_time_us at = (chirr_time_us)chirr_random_below(&random, within_us + 1);
        plan_event(world, at, i, CHIRR_SIM_BOOT, 0);
        world->last_boot_at = at > world->last_boot_at ? at : world->last_boot_at;
    }
}

/* The agents that a fault hits: those of `set`, and `count` more drawn at random. */
static void choose_agents(const struct chirr_sim_world *world, uint32_t count, const bool *set,
                          struct chirr_random *random, bool hit[CHIRR_SIM_AGENTS_MAX])
{
    memcpy(hit, set, CHIRR_SIM_AGENTS_MAX * sizeof *hit);
    for (uint32_t left = count; left > 0;) {
        uint32_t agent = (uint32_t)chirr_random_below(random, world->peer_count);
        left -= !hit[agent];
        hit[agent] = true;
    }
}

static void plan_crash(struct chirr_sim_world *world, uint32_t index)
{
    const struct chirr_sim_crash *crash = &world->scenario->crashes[index];
    bool hit[CHIRR_SIM_AGENTS_MAX];
    struct chirr_random random;
    chirr_sim_stream_init(&random, world->scenario->seed, index, CHIRR_SIM_STREAM_FAULT);
    choose_agents(world, crash->count, crash->set, &random, hit);
    for (uint32_t agent = 0; agent < world->peer_count; agent++) {
        if (hit[agent]) {
            plan_event(world, chirr_time_from_ms(crash->at_ms), agent, CHIRR_SIM_CRASH, index);
        }
    }
}

static void plan_pause(struct chirr_sim_world *world, uint32_t index)
{
    const struct chirr_sim_pause *pause = &world->scenario->pauses[index];
    bool hit[CHIRR_SIM_AGENTS_MAX];
    struct chirr_random random;
    chirr_sim_stream_init(&random, world->scenario->seed, index, CHIRR_SIM_STREAM_PAUSE_PLAN);
    choose_agents(world, pause->count, pause->set, &random, hit);
    uint64_t spread_us = pause->awake_ms == 0 ? 0 : (uint64_t)chirr_time_from_ms(pause->for_ms);
    for (uint32_t agent = 0; agent < world->peer_count; agent++) {
        if (hit[agent]) {
            uint64_t late_us = chirr_random_below(&world->peers[agent].pause_random, spread_us + 1);
            plan_event(world, chirr_time_from_ms(pause->at_ms) + (chirr_time_us)late_us, agent,
                       CHIRR_SIM_PAUSE, index);
        }
    }
}

static void plan(struct chirr_sim_world *world)
{
    plan_boots(world);
    for (uint32_t i = 0; i < world->scenario->pause_count; i++) {
        plan_pause(world, i);
    }
    for (uint32_t i = 0; i < world->scenario->crash_count; i++) {
        plan_crash(world, i);
    }
    for (uint32_t i = 0; i < chirr_sim_workload_count(world->workload); i++) {
        const struct chirr_sim_task *task = chirr_sim_workload_at(world->workload, i);
        plan_event(world, task->at, task->agent, CHIRR_SIM_SUBMIT, i);
    }
    plan_event(world, CHECK_INTERVAL_US, CHIRR_SIM_WORLD, CHIRR_SIM_CHECK, 0);
}

struct chirr_sim_world *chirr_sim_world_create(const struct chirr_sim_scenario *scenario,
                                               struct chirr_error *error)
{
    struct chirr_sim_world *world = calloc(1, sizeof *world);
    if (world == NULL) {
        chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for a world");
        return NULL;
    }
    world->scenario = scenario;
    world->learner_config = chirr_learner_config_default();
    world->learner_config.model = scenario->learning.model;
    world->learner_config.control = scenario->learning.control;
    if (scenario->learning.enabled) {
        struct chirr_model_config model = chirr_learner_model_config(&world->learner_config);
        world->lineage = chirr_model_lineage(&model);
    }
    size_t bytes = world_bytes(world);
    if (chirr_arena_init(&world->arena, bytes) != CHIRR_OK || create_parts(world) != CHIRR_OK) {
        chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for %u agents (%zu MiB)",
                        (unsigned)scenario->agent_count, bytes >> 20);
        chirr_sim_world_destroy(world);
        return NULL;
    }
    plan(world);
    return world;
}

void chirr_sim_world_destroy(struct chirr_sim_world *world)
{
    if (world != NULL) {
        for (uint32_t i = 0; world->peers != NULL && i < world->peer_count; i++) {
            chirr_sim_peer_finish(&world->peers[i]);
        }
        chirr_arena_finish(&world->arena);
        free(world);
    }
}

/* ---- Happenings ------------------------------------------------------------------------------ */

/* True when the node has it. */
static bool deliver(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                    const struct chirr_sim_event *event)
{
    struct chirr_sim_parcel *parcel = event->body;
    struct chirr_sim_network_counters *counters = chirr_sim_network_count(world->network);
    bool cut = chirr_sim_network_is_cut(world->network, event->from, peer->index, event->at);
    bool paused = peer->paused_until != 0;
    if (peer->up && !cut && paused && chirr_sim_peer_hold(peer, event->from, parcel)) {
        return false; /* released when it is taken in */
    }
    bool arrives = peer->up && !cut && !paused;
    if (arrives) {
        counters->delivered[parcel->message->kind]++;
        chirr_sim_peer_deliver(world, peer, event->from, parcel->message);
    } else if (!peer->up) {
        counters->dropped[CHIRR_SIM_DROP_DOWN]++;
    } else {
        counters->dropped[cut ? CHIRR_SIM_DROP_PARTITION : CHIRR_SIM_DROP_BACKLOG]++;
    }
    chirr_sim_post_release(world->post, parcel);
    return arrives;
}

/* The next agent is asked a little later; a task that nobody could take is not accepted. */
static void submit(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                   const struct chirr_sim_event *event)
{
    if (peer->up) {
        chirr_sim_peer_submit(world, peer, event->number);
        return;
    }
    uint32_t next = (peer->index + 1) % world->peer_count;
    if (next == chirr_sim_workload_at(world->workload, event->number)->agent) {
        world->counters.unsubmitted++;
        return;
    }
    plan_event(world, event->at + CHIRR_US_PER_MS, next, CHIRR_SIM_SUBMIT, event->number);
}

static void cancel(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                   const struct chirr_sim_event *event)
{
    if (peer->up) {
        enum chirr_err err = chirr_sim_peer_cancel(world, peer, event->number);
        bool expected = err == CHIRR_OK || err == CHIRR_ERR_STATE ||
                        (err == CHIRR_ERR_NOTFOUND && peer->disks_lost > 0);
        if (!expected) {
            chirr_sim_violate(world, "agent %u cannot cancel task %u: %s", (unsigned)peer->index,
                              (unsigned)event->number, chirr_err_text(err));
        }
    } else if (!world->closing) {
        plan_event(world, event->at + CHIRR_US_PER_S, peer->index, CHIRR_SIM_CANCEL, event->number);
    }
}

static void crash(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                  const struct chirr_sim_event *event)
{
    const struct chirr_sim_crash *fault = &world->scenario->crashes[event->number];
    if (!peer->up || world->closing) {
        return;
    }
    chirr_sim_peer_crash(world, peer, fault->disk);
    if (fault->down_for_ms > 0) {
        chirr_time_us back = event->at + chirr_time_from_ms(fault->down_for_ms);
        plan_event(world, back, peer->index, CHIRR_SIM_BOOT, peer->boots);
        world->last_boot_at = back > world->last_boot_at ? back : world->last_boot_at;
    }
}

static void boot(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                 const struct chirr_sim_event *event)
{
    if (!peer->up && peer->boots == event->number) {
        chirr_sim_peer_boot(world, peer);
    }
}

/* Half to one and a half of it. */
static chirr_time_us vary(struct chirr_random *random, uint32_t mean_ms)
{
    chirr_time_us mean_us = chirr_time_from_ms(mean_ms);
    return mean_us / 2 + (chirr_time_us)chirr_random_below(random, (uint64_t)mean_us + 1);
}

static void pause_peer(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                       const struct chirr_sim_event *event)
{
    const struct chirr_sim_pause *pause = &world->scenario->pauses[event->number];
    bool repeats = pause->awake_ms > 0;
    if (world->closing || (repeats && event->at >= chirr_time_from_ms(pause->until_ms))) {
        return;
    }
    chirr_time_us until = event->at + (repeats ? vary(&peer->pause_random, pause->for_ms)
                                               : chirr_time_from_ms(pause->for_ms));
    /* Two pauses may overlap: the longer one holds. */
    if (peer->up && until > peer->paused_until) {
        chirr_sim_peer_pause(world, peer, until);
        /* The peer's own, so that it comes before what is postponed until then. */
        chirr_sim_peer_expect(world, peer,
                              &(struct chirr_sim_event){.at = until,
                                                        .to = peer->index,
                                                        .from = peer->index,
                                                        .kind = CHIRR_SIM_RESUME,
                                                        .number = event->number});
        world->last_boot_at = until > world->last_boot_at ? until : world->last_boot_at;
    }
    if (repeats) {
        plan_event(world, until + vary(&peer->pause_random, pause->awake_ms), peer->index,
                   CHIRR_SIM_PAUSE, event->number);
    }
}

/* What is due at a process that stands still is done when it goes on; the deadline of its node is
 * looked at then anyway. */
static void postpone(struct chirr_sim_world *world, const struct chirr_sim_peer *peer,
                     const struct chirr_sim_event *event)
{
    if (event->kind != CHIRR_SIM_WAKE) {
        struct chirr_sim_event later = *event;
        later.at = peer->paused_until;
        later.from = peer->index;
        chirr_sim_peer_expect(world, peer, &later);
    }
}

static bool is_postponed(const struct chirr_sim_peer *peer, const struct chirr_sim_event *event)
{
    switch ((enum chirr_sim_happening)event->kind) {
    case CHIRR_SIM_WAKE:
    case CHIRR_SIM_SENSE:
    case CHIRR_SIM_RUN_END:
    case CHIRR_SIM_SUBMIT:
    case CHIRR_SIM_CANCEL:
        return peer->up && peer->paused_until != 0;
    case CHIRR_SIM_DELIVER:
    case CHIRR_SIM_CRASH:
    case CHIRR_SIM_BOOT:
    case CHIRR_SIM_PAUSE:
    case CHIRR_SIM_RESUME:
    case CHIRR_SIM_CHECK:
        break;
    }
    return false;
}

/* True when the peer's node had an input. */
static bool happen(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                   const struct chirr_sim_event *event)
{
    switch ((enum chirr_sim_happening)event->kind) {
    case CHIRR_SIM_DELIVER:
        return deliver(world, peer, event);
    case CHIRR_SIM_WAKE:
        return peer->up && event->number == peer->boots && event->at == peer->wake_at;
    case CHIRR_SIM_SENSE:
        if (!peer->up || event->number != peer->boots) {
            return false;
        }
        chirr_sim_peer_sense(world, peer);
        break;
    case CHIRR_SIM_RUN_END:
        if (peer->up) {
            chirr_sim_peer_run_end(world, peer, event->number);
        }
        break;
    case CHIRR_SIM_SUBMIT:
        submit(world, peer, event);
        break;
    case CHIRR_SIM_CANCEL:
        cancel(world, peer, event);
        break;
    case CHIRR_SIM_CRASH:
        crash(world, peer, event);
        break;
    case CHIRR_SIM_BOOT:
        boot(world, peer, event);
        break;
    case CHIRR_SIM_PAUSE:
        pause_peer(world, peer, event);
        return false;
    case CHIRR_SIM_RESUME:
        if (peer->up && peer->paused_until == event->at) {
            chirr_sim_peer_resume(world, peer);
        }
        return false;
    case CHIRR_SIM_CHECK:
        break;
    }
    return peer->up && peer->paused_until == 0;
}

static uint64_t mix(uint64_t digest, uint64_t value)
{
    digest = (digest ^ value) * UINT64_C(0xff51afd7ed558ccd);
    return digest ^ digest >> 32;
}

static void note(struct chirr_sim_peer *peer, const struct chirr_sim_event *event)
{
    uint64_t trail = mix(peer->trail, (uint64_t)event->at);
    trail = mix(trail, (uint64_t)event->from << 32 | event->kind);
    peer->trail = mix(trail, event->sequence << 32 ^ event->number);
}

void chirr_sim_world_run(struct chirr_sim_world *world, chirr_time_us until)
{
    struct chirr_sim_event event;
    while (!world->invariants.violated && chirr_sim_engine_pop(world->engine, until, &event)) {
        if (event.to == CHIRR_SIM_WORLD) {
            chirr_sim_invariants_check(world);
            plan_event(world, event.at + CHECK_INTERVAL_US, CHIRR_SIM_WORLD, CHIRR_SIM_CHECK, 0);
            continue;
        }
        struct chirr_sim_peer *peer = &world->peers[event.to];
        note(peer, &event);
        if (is_postponed(peer, &event)) {
            postpone(world, peer, &event);
        } else if (happen(world, peer, &event)) {
            chirr_sim_peer_settle(world, peer);
        }
    }
}

void chirr_sim_world_submit(struct chirr_sim_world *world, uint32_t agent, uint32_t task)
{
    struct chirr_sim_peer *peer = &world->peers[agent];
    CHIRR_ASSERT(peer->up);
    chirr_sim_peer_submit(world, peer, task);
    chirr_sim_peer_settle(world, peer);
}

static bool is_working(const struct chirr_sim_world *world)
{
    for (uint32_t i = 0; i < world->peer_count; i++) {
        if (world->peers[i].up && world->peers[i].run_count > 0) {
            return true;
        }
    }
    return false;
}

/* Lets the swarm come to rest. What still runs may take its time, but not for ever: a swarm that
 * does one task again and again is not at work. */
static void settle(struct chirr_sim_world *world)
{
    chirr_time_us quiet_max = chirr_time_from_ms(world->scenario->bounds.settle_ms);
    chirr_time_us work_max = WORK_ROUNDS * chirr_time_from_ms(world->scenario->work.time_limit_ms);
    chirr_time_us began_at = chirr_sim_world_now(world);
    chirr_time_us worked_at = began_at;
    chirr_time_us now = began_at;
    while (!world->invariants.violated && !chirr_sim_invariants_at_rest(world) &&
           now - worked_at < quiet_max && now - began_at < quiet_max + work_max) {
        now += CHECK_INTERVAL_US;
        chirr_sim_world_run(world, now);
        worked_at = is_working(world) ? now : worked_at;
    }
}

bool chirr_sim_world_play(struct chirr_sim_world *world)
{
    chirr_time_us end = chirr_time_from_ms(world->scenario->duration_ms);
    chirr_sim_world_run(world, end);
    world->closing = true;
    /* Who is still down or stands still comes back first: what it brings along has to settle too.
     */
    chirr_sim_world_run(world, world->last_boot_at);
    settle(world);
    world->invariants.settled_after_us = chirr_sim_world_now(world) - end;
    if (!world->invariants.violated) {
        chirr_sim_invariants_check_end(world);
    }
    return !world->invariants.violated;
}

/* ---- Looking in ------------------------------------------------------------------------------ */

chirr_time_us chirr_sim_world_now(const struct chirr_sim_world *world)
{
    return chirr_sim_engine_now(world->engine);
}

uint32_t chirr_sim_world_find(const struct chirr_sim_world *world, chirr_agent_id id)
{
    struct chirr_sim_index_entry key = {.id = id};
    const struct chirr_sim_index_entry *found =
        bsearch(&key, world->by_id, world->peer_count, sizeof *world->by_id, compare_ids);
    return found == NULL ? CHIRR_SIM_WORLD : found->index;
}

uint64_t chirr_sim_world_state_hash(const struct chirr_sim_world *world)
{
    struct chirr_digest_state digest;
    chirr_digest_begin(&digest);
    chirr_digest_add_u64(&digest, (uint64_t)chirr_sim_world_now(world));
    chirr_digest_add_u64(&digest, chirr_sim_engine_count(world->engine)->popped);
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct chirr_sim_peer *peer = &world->peers[i];
        chirr_digest_add_u64(&digest, peer->trail);
        chirr_digest_add_u64(&digest, peer->up ? chirr_node_state_hash(peer->node) : 0);
        chirr_digest_add_u64(&digest,
                             peer->learner == NULL ? 0 : chirr_learner_state_hash(peer->learner));
    }
    return chirr_digest_end(&digest);
}
