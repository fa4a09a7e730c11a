/* Boot, crash, and what happens to an agent that is up. */
#include "sim/peer.h"

#include <stdio.h>
#include <string.h>

#include "agent/bridge.h"
#include "base/wire.h"
#include "sim/streams.h"

/* A node that wants more than this after one input will never have enough. */
#define OUTPUTS_MAX 20000U
/* What is answered within a tick may be due at once again, but not for ever. */
#define ROUNDS_MAX 100U

/* ---- Identity and memory --------------------------------------------------------------------- */

/* Any 32 bytes do for a public key in here: nothing is signed. */
static void derive_card(const struct chirr_sim_world *world, uint32_t index,
                        struct chirr_card *card)
{
    const struct chirr_sim_scenario *scenario = world->scenario;
    struct chirr_random random;
    memset(card, 0, sizeof *card);
    chirr_sim_stream_init(&random, scenario->seed, index, CHIRR_SIM_STREAM_IDENTITY);
    for (size_t i = 0; i < CHIRR_KEY_BYTES; i += 4) {
        chirr_wire_put_u32(card->public_key + i, chirr_random_u32(&random));
    }
    uint32_t shares = 0;
    for (uint32_t i = 0; i < scenario->device_count; i++) {
        shares += scenario->devices[i].share;
    }
    uint32_t turn = index % shares;
    const struct chirr_sim_device *device = scenario->devices;
    while (turn >= device->share) {
        turn -= device->share;
        device++;
    }
    snprintf(card->name, sizeof card->name, "agent-%u", (unsigned)index);
    memcpy(card->device, device->name, sizeof card->device);
    snprintf(card->publish_endpoint, sizeof card->publish_endpoint, "sim://%u/publish",
             (unsigned)index);
    snprintf(card->unicast_endpoint, sizeof card->unicast_endpoint, "sim://%u/unicast",
             (unsigned)index);
    card->cpu_permille = device->cpu_permille;
    card->slots = device->slots;
    if (scenario->learning.enabled) {
        card->lineage = world->lineage;
        card->hosted = chirr_learner_units(&world->learner_config);
    }
}

static struct chirr_node_config node_config(const struct chirr_sim_world *world,
                                            const struct chirr_sim_peer *peer)
{
    const struct chirr_sim_scenario *scenario = world->scenario;
    struct chirr_node_config config = scenario->node;
    struct chirr_random random;
    chirr_sim_stream_init(&random, scenario->seed, peer->index, CHIRR_SIM_STREAM_NODE);
    /* Milliseconds of the world: greater than at any earlier boot, refutations included. */
    config.incarnation = 1 + (uint64_t)(chirr_sim_world_now(world) / CHIRR_US_PER_MS);
    config.seed = chirr_random_u64(&random) + peer->boots;
    config.card = peer->card;
    config.seed_count = 0;
    for (uint32_t i = 0; i < scenario->seed_count; i++) {
        if (i != peer->index) {
            derive_card(world, i, &config.seeds[config.seed_count++]);
        }
    }
    return config;
}

/* Tasks are what is made durable, and what an operator says. */
static uint32_t disk_records_max(const struct chirr_sim_scenario *scenario)
{
    return scenario->work.task_count + 64;
}

size_t chirr_sim_peer_bytes(const struct chirr_sim_world *world)
{
    size_t bytes = chirr_sim_disk_bytes(disk_records_max(world->scenario));
    if (world->scenario->pause_count > 0) {
        bytes += chirr_ring_bytes(CHIRR_SIM_HELD_MAX, sizeof(struct chirr_sim_held));
    }
    return bytes;
}

/* A block of its own, new at every boot: pages that a life never touches cost nothing. */
static void renew_arena(struct chirr_arena *arena, size_t bytes)
{
    chirr_arena_finish(arena);
    enum chirr_err err = chirr_arena_init(arena, bytes);
    CHIRR_ASSERT(err == CHIRR_OK);
}

static void init_streams(const struct chirr_sim_world *world, struct chirr_sim_peer *peer)
{
    const struct chirr_sim_scenario *scenario = world->scenario;
    uint64_t seed = scenario->seed;
    struct chirr_random clock;
    chirr_sim_stream_init(&clock, seed, peer->index, CHIRR_SIM_STREAM_CLOCK);
    uint64_t offset_us = (uint64_t)chirr_time_from_ms(scenario->clock_offset_ms);
    peer->clock_offset = (chirr_time_us)chirr_random_below(&clock, offset_us + 1);
    chirr_sim_stream_init(&peer->sense_random, seed, peer->index, CHIRR_SIM_STREAM_SENSE);
    chirr_sim_stream_init(&peer->job_random, seed, peer->index, CHIRR_SIM_STREAM_JOB);
    chirr_sim_stream_init(&peer->pause_random, seed, peer->index, CHIRR_SIM_STREAM_PAUSE);
    struct chirr_random rules;
    chirr_sim_stream_init(&rules, seed, 0, CHIRR_SIM_STREAM_TEXT);
    struct chirr_sim_text_config text = {
        .seed = chirr_random_u64(&rules),
        .group = peer->index % scenario->learning.group_count,
        .words = scenario->learning.words,
        .shared_permille = scenario->learning.shared_permille,
    };
    chirr_sim_text_init(&peer->text, &text);
}

enum chirr_err chirr_sim_peer_init(struct chirr_sim_world *world, struct chirr_sim_peer *peer)
{
    const struct chirr_sim_scenario *scenario = world->scenario;
    derive_card(world, peer->index, &peer->card);
    peer->id = chirr_agent_id_of(peer->card.public_key);
    peer->wake_at = CHIRR_TIME_NEVER;
    init_streams(world, peer);
    enum chirr_err err =
        chirr_sim_disk_init(&peer->disk, &world->arena, disk_records_max(scenario));
    if (err == CHIRR_OK && scenario->pause_count > 0) {
        err = chirr_ring_init(&peer->held, &world->arena, CHIRR_SIM_HELD_MAX,
                              sizeof(struct chirr_sim_held));
    }
    return err;
}

void chirr_sim_peer_finish(struct chirr_sim_peer *peer)
{
    chirr_arena_finish(&peer->node_memory);
    chirr_arena_finish(&peer->learner_memory);
}

/* ---- Up and down ----------------------------------------------------------------------------- */

chirr_time_us chirr_sim_peer_clock(const struct chirr_sim_world *world,
                                   const struct chirr_sim_peer *peer)
{
    return chirr_sim_world_now(world) + peer->clock_offset;
}

void chirr_sim_peer_expect(struct chirr_sim_world *world, const struct chirr_sim_peer *peer,
                           const struct chirr_sim_event *event)
{
    if (chirr_sim_engine_push(world->engine, event) != CHIRR_OK) {
        chirr_sim_violate(world, "agent %u: the simulator's event queue is full",
                          (unsigned)peer->index);
    }
}

static void expect_sense(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                         chirr_time_us at)
{
    if (peer->learner == NULL || world->closing) {
        return;
    }
    chirr_sim_peer_expect(world, peer,
                          &(struct chirr_sim_event){.at = at,
                                                    .to = peer->index,
                                                    .from = peer->index,
                                                    .kind = CHIRR_SIM_SENSE,
                                                    .number = peer->boots});
}

static void restore(struct chirr_sim_world *world, struct chirr_sim_peer *peer)
{
    for (uint32_t i = 0; i < peer->disk.count; i++) {
        enum chirr_err err = chirr_node_restore(peer->node, &peer->disk.records[i]);
        /* A disk remembers more authors than fit a local view. */
        bool turned_away = err == CHIRR_ERR_FULL && world->scenario->node.local_view;
        if (err != CHIRR_OK && !turned_away) {
            chirr_sim_violate(world, "agent %u: a record from its own disk was refused: %s",
                              (unsigned)peer->index, chirr_err_text(err));
        }
    }
}

void chirr_sim_peer_boot(struct chirr_sim_world *world, struct chirr_sim_peer *peer)
{
    chirr_time_us now = chirr_sim_world_now(world);
    CHIRR_ASSERT(!peer->up);
    peer->up = true;
    peer->boots++;
    peer->up_since = now;
    peer->wake_at = CHIRR_TIME_NEVER;
    peer->paused_until = 0;
    peer->pauses = 0;
    peer->one_sided_count = 0;
    world->counters.boots++;
    chirr_sim_network_up(world->network, peer->index, now);
    struct chirr_node_config config = node_config(world, peer);
    renew_arena(&peer->node_memory, chirr_node_bytes(&config));
    peer->node = chirr_node_create(&peer->node_memory, &config, chirr_sim_peer_clock(world, peer));
    CHIRR_ASSERT(peer->node != NULL);
    restore(world, peer);
    if (world->scenario->learning.enabled && peer->learner == NULL) {
        renew_arena(&peer->learner_memory, chirr_learner_bytes_within(&world->learner_config));
        peer->learner = chirr_learner_create_within(&peer->learner_memory, &world->learner_config,
                                                    world->learner_shared);
        CHIRR_ASSERT(peer->learner != NULL);
    } else if (peer->learner != NULL) {
        /* As from a checkpoint: nobody counts before being heard again. */
        chirr_learner_resume(peer->learner, world->learner_config.control);
    }
    uint64_t burst_us = (uint64_t)chirr_time_from_ms(world->scenario->learning.burst_ms);
    chirr_time_us phase = (chirr_time_us)chirr_random_below(&peer->sense_random, burst_us);
    expect_sense(world, peer, now + phase);
    chirr_sim_invariants_changed(world);
}

static void drop_held(struct chirr_sim_world *world, struct chirr_sim_peer *peer)
{
    struct chirr_sim_held held;
    while (chirr_ring_pop(&peer->held, &held)) {
        chirr_sim_network_count(world->network)->dropped[CHIRR_SIM_DROP_DOWN]++;
        chirr_sim_post_release(world->post, held.parcel);
    }
}

void chirr_sim_peer_crash(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                          enum chirr_sim_disk_fate disk)
{
    peer->up = false;
    peer->down_since = chirr_sim_world_now(world);
    peer->detected = false;
    peer->node = NULL;
    peer->run_count = 0;
    drop_held(world, peer);
    world->counters.crashes++;
    if (disk == CHIRR_SIM_DISK_LOST) {
        chirr_sim_disk_erase(&peer->disk);
        peer->disks_lost++;
        peer->learner = NULL;
    }
    chirr_sim_network_down(world->network, peer->index);
    chirr_sim_invariants_changed(world);
}

/* ---- While it is up -------------------------------------------------------------------------- */

/* What an honest peer over an honest network can make a node refuse. */
static bool is_expected_refusal(enum chirr_err err)
{
    return err == CHIRR_ERR_STALE || err == CHIRR_ERR_FULL || err == CHIRR_ERR_LINEAGE ||
           err == CHIRR_ERR_NOTFOUND || err == CHIRR_ERR_BUSY || err == CHIRR_ERR_INVALID ||
           err == CHIRR_ERR_STATE;
}

void chirr_sim_peer_deliver(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                            uint32_t from, const struct chirr_message *message)
{
    enum chirr_err err = chirr_node_receive(peer->node, world->peers[from].id, message,
                                            chirr_sim_peer_clock(world, peer));
    if (err == CHIRR_OK) {
        return;
    }
    world->counters.refused_messages++;
    if (!is_expected_refusal(err)) {
        chirr_sim_violate(world, "agent %u refused a %s of agent %u: %s", (unsigned)peer->index,
                          chirr_message_kind_name(message->kind), (unsigned)from,
                          chirr_err_text(err));
    }
}

bool chirr_sim_peer_hold(struct chirr_sim_peer *peer, uint32_t from,
                         struct chirr_sim_parcel *parcel)
{
    const struct chirr_sim_held held = {.parcel = parcel, .from = from};
    return chirr_ring_push(&peer->held, &held);
}

void chirr_sim_peer_pause(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                          chirr_time_us until)
{
    peer->paused_until = until;
    peer->pauses++;
    world->counters.pauses++;
}

/* What was due comes first, as in a process that stood still just before it looked at the clock. */
void chirr_sim_peer_resume(struct chirr_sim_world *world, struct chirr_sim_peer *peer)
{
    struct chirr_sim_held held;
    peer->paused_until = 0;
    chirr_sim_invariants_changed(world);
    chirr_sim_peer_settle(world, peer);
    while (chirr_ring_pop(&peer->held, &held)) {
        chirr_sim_network_count(world->network)->delivered[held.parcel->message->kind]++;
        chirr_sim_peer_deliver(world, peer, held.from, held.parcel->message);
        chirr_sim_post_release(world->post, held.parcel);
        chirr_sim_peer_settle(world, peer);
    }
}

void chirr_sim_peer_sense(struct chirr_sim_world *world, struct chirr_sim_peer *peer)
{
    const struct chirr_sim_learning *learning = &world->scenario->learning;
    uint8_t bytes[CHIRR_SIM_SENSE_BYTES_MAX];
    uint64_t due = (uint64_t)learning->bytes_per_s * learning->burst_ms / 1000;
    uint32_t count = due > sizeof bytes ? (uint32_t)sizeof bytes : (uint32_t)due;
    chirr_sim_text_read(&peer->text, &peer->sense_random, bytes, count);
    struct chirr_learner_request request = {
        .kind = CHIRR_LEARNER_BYTES, .sense = 0, .count = count, .bytes = bytes};
    struct chirr_learner_reply reply;
    if (chirr_learner_handle(peer->learner, &request, &reply) != CHIRR_OK) {
        world->counters.learner_refused++;
    }
    world->counters.bytes_sensed += count;
    struct chirr_learner_status status;
    chirr_learner_status(peer->learner, &status);
    struct chirr_learner_news news = chirr_bridge_news(&status);
    chirr_node_news(peer->node, &news);
    expect_sense(world, peer, chirr_sim_world_now(world) + chirr_time_from_ms(learning->burst_ms));
}

static struct chirr_task_result result_of(const struct chirr_sim_run *run, uint32_t time_limit_ms)
{
    struct chirr_task_result result;
    memset(&result, 0, sizeof result);
    result.duration_us = (uint64_t)run->duration_us;
    result.end = CHIRR_TASK_END_EXITED;
    result.code = run->fails ? 1 : 0;
    if (run->duration_us >= chirr_time_from_ms(time_limit_ms)) {
        result.end = CHIRR_TASK_END_TIMEOUT;
        result.code = 0;
    }
    return result;
}

void chirr_sim_peer_run_end(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                            uint32_t number)
{
    uint32_t at = 0;
    while (at < peer->run_count && peer->runs[at].number != number) {
        at++;
    }
    if (at == peer->run_count) {
        return; /* ended already, or gone with a crash */
    }
    struct chirr_sim_run run = peer->runs[at];
    peer->runs[at] = peer->runs[--peer->run_count];
    struct chirr_task_result result = result_of(&run, world->scenario->work.time_limit_ms);
    bool failed = result.end != CHIRR_TASK_END_EXITED || result.code != 0;
    world->counters.runs_failed += failed && !run.stopped;
    const struct chirr_sim_task *task = chirr_sim_workload_at(world->workload, run.task);
    enum chirr_err err = chirr_node_ended(peer->node, task->id, run.epoch, &result,
                                          chirr_sim_peer_clock(world, peer));
    /* Nobody wants the result of what was stopped. */
    if (err == CHIRR_OK && !run.stopped) {
        chirr_sim_workload_completed(world->workload, run.task, chirr_sim_world_now(world));
    } else if (err != CHIRR_ERR_NOTFOUND || !run.stopped) {
        chirr_sim_violate(world, "agent %u: the end of its run of task %u, epoch %u: %s",
                          (unsigned)peer->index, (unsigned)run.task, (unsigned)run.epoch,
                          chirr_err_text(err));
    }
}

void chirr_sim_peer_submit(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                           uint32_t index)
{
    struct chirr_task_spec spec = chirr_sim_workload_spec(world->workload, index);
    chirr_task_id id = 0;
    chirr_time_us now = chirr_sim_world_now(world);
    enum chirr_err err =
        chirr_node_submit(peer->node, &spec, chirr_sim_peer_clock(world, peer), &id);
    if (err != CHIRR_OK) {
        world->counters.submit_refused++;
        chirr_sim_violate(world, "agent %u refused to take task %u: %s", (unsigned)peer->index,
                          (unsigned)index, chirr_err_text(err));
        return;
    }
    chirr_sim_workload_submitted(world->workload, index, id, peer->index, now);
    const struct chirr_sim_task *task = chirr_sim_workload_at(world->workload, index);
    if (task->cancel_after != CHIRR_TIME_NEVER) {
        chirr_sim_peer_expect(world, peer,
                              &(struct chirr_sim_event){.at = now + task->cancel_after,
                                                        .to = peer->index,
                                                        .from = peer->index,
                                                        .kind = CHIRR_SIM_CANCEL,
                                                        .number = index});
    }
}

enum chirr_err chirr_sim_peer_cancel(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                                     uint32_t index)
{
    struct chirr_sim_task *task = chirr_sim_workload_at(world->workload, index);
    enum chirr_err err = chirr_node_cancel(peer->node, task->id, chirr_sim_peer_clock(world, peer));
    task->cancelled = task->cancelled || err == CHIRR_OK;
    return err;
}

/* ---- Rest ------------------------------------------------------------------------------------ */

/* Sets the one WAKE that counts; the engine's queue may still hold earlier ones that do not. */
static void set_wake(struct chirr_sim_world *world, struct chirr_sim_peer *peer)
{
    chirr_time_us now = chirr_sim_world_now(world);
    chirr_time_us deadline = chirr_node_deadline(peer->node);
    if (deadline == CHIRR_TIME_NEVER) {
        return;
    }
    chirr_time_us at = deadline - peer->clock_offset;
    at = at <= now ? now + 1 : at;
    bool is_set = peer->wake_at > now && peer->wake_at <= at;
    if (is_set) {
        return; /* that one will find nothing to do, or set the next */
    }
    peer->wake_at = at;
    chirr_sim_peer_expect(world, peer,
                          &(struct chirr_sim_event){.at = at,
                                                    .to = peer->index,
                                                    .from = peer->index,
                                                    .kind = CHIRR_SIM_WAKE,
                                                    .number = peer->boots});
}

static bool drain(struct chirr_sim_world *world, struct chirr_sim_peer *peer)
{
    struct chirr_output output;
    uint32_t carried = 0;
    while (carried < OUTPUTS_MAX && chirr_node_poll(peer->node, &output)) {
        chirr_sim_peer_carry_out(world, peer, &output);
        carried++;
    }
    return carried < OUTPUTS_MAX;
}

void chirr_sim_peer_settle(struct chirr_sim_world *world, struct chirr_sim_peer *peer)
{
    chirr_time_us clock = chirr_sim_peer_clock(world, peer);
    bool rests = drain(world, peer);
    for (uint32_t round = 0; rests && chirr_node_deadline(peer->node) <= clock; round++) {
        chirr_node_tick(peer->node, clock);
        rests = drain(world, peer) && round < ROUNDS_MAX;
    }
    if (!rests) {
        chirr_sim_violate(world, "agent %u does not come to rest", (unsigned)peer->index);
    }
    set_wake(world, peer);
}
