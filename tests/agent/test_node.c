#include "agent/node.h"
#include "agent/node_parts.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/random.h"
#include "tests/support/allocations.h"

/* A few nodes on virtual time: messages take 5 ms, jobs 400 ms, prices are a table. */

#define NODES_MAX 5
#define FLIGHTS_MAX 4096
#define DISK_MAX 256
#define LATENCY_US (5 * CHIRR_US_PER_MS)
#define JOB_US (400 * CHIRR_US_PER_MS)

struct flight {
    chirr_time_us at;
    uint32_t from, to;
    struct chirr_message *message; /* owned */
};

struct job {
    bool running, stopped;
    chirr_task_id task;
    uint32_t epoch;
    chirr_time_us ends_at;
};

struct place {
    struct chirr_arena arena;
    struct chirr_node_config config;
    struct chirr_node *node; /* NULL: down */
    bool connected[NODES_MAX];
    uint64_t price_us;
    struct job job;
    uint32_t starts;
    uint32_t deltas_applied;
    uint32_t outcomes;
    struct chirr_record disk[DISK_MAX];
    uint32_t disk_count;
};

struct world {
    chirr_time_us now;
    uint32_t count;
    struct place places[NODES_MAX];
    struct flight flights[FLIGHTS_MAX];
    uint32_t flight_count;
    struct chirr_digest_state trace; /* of every output, in order */
    long allocated;                  /* calls to the allocator while a node was at it: none */
};

static struct chirr_node_config config_of(uint32_t index, uint64_t incarnation)
{
    struct chirr_node_config config = chirr_node_config_default();
    config.incarnation = incarnation;
    config.seed = 1000 + index;
    config.agents_max = 8;
    config.tasks_max = 64;
    memset(config.card.public_key, (int)index + 1, sizeof config.card.public_key);
    snprintf(config.card.name, sizeof config.card.name, "node-%u", index);
    snprintf(config.card.device, sizeof config.card.device, "test");
    snprintf(config.card.publish_endpoint, sizeof config.card.publish_endpoint,
             "tcp://127.0.0.1:%u", 7000 + 2 * index);
    snprintf(config.card.unicast_endpoint, sizeof config.card.unicast_endpoint,
             "tcp://127.0.0.1:%u", 7001 + 2 * index);
    config.card.lineage = 77;
    config.card.hosted = 1;
    config.card.cpu_permille = 1000;
    config.card.slots = 1;
    return config;
}

static void boot(struct world *world, uint32_t index, uint64_t incarnation)
{
    struct place *place = &world->places[index];
    place->config = config_of(index, incarnation);
    if (index > 0) {
        place->config.seed_count = 1;
        place->config.seeds[0] = config_of(0, 1).card;
    }
    cr_assert_eq(chirr_arena_init(&place->arena, chirr_node_bytes(&place->config)), CHIRR_OK);
    place->node = chirr_node_create(&place->arena, &place->config, world->now);
    cr_assert_not_null(place->node);
    for (uint32_t i = 0; i < place->disk_count; i++) {
        cr_assert_eq(chirr_node_restore(place->node, &place->disk[i]), CHIRR_OK);
    }
}

static void kill_place(struct world *world, uint32_t index)
{
    struct place *place = &world->places[index];
    chirr_arena_finish(&place->arena);
    place->node = NULL;
    place->job.running = false;
    memset(place->connected, 0, sizeof place->connected);
}

static struct world *world_create(uint32_t count)
{
    struct world *world = calloc(1, sizeof *world);
    cr_assert_not_null(world);
    world->count = count;
    chirr_digest_begin(&world->trace);
    for (uint32_t i = 0; i < count; i++) {
        world->places[i].price_us = 1000000 * (i + 1);
        boot(world, i, 1);
    }
    return world;
}

static void world_destroy(struct world *world)
{
    cr_assert_eq(world->allocated, 0, "a node called the allocator %ld times", world->allocated);
    for (uint32_t i = 0; i < world->flight_count; i++) {
        free(world->flights[i].message);
    }
    for (uint32_t i = 0; i < world->count; i++) {
        chirr_arena_finish(&world->places[i].arena);
    }
    free(world);
}

static uint32_t index_of(const struct world *world, chirr_agent_id id)
{
    for (uint32_t i = 0; i < world->count; i++) {
        if (chirr_agent_id_of(world->places[i].config.card.public_key) == id) {
            return i;
        }
    }
    return NODES_MAX;
}

static void fly(struct world *world, uint32_t from, uint32_t to,
                const struct chirr_message *message)
{
    if (to >= world->count || !world->places[from].connected[to]) {
        return;
    }
    cr_assert_lt(world->flight_count, FLIGHTS_MAX);
    void *memory = malloc(chirr_message_copy_bytes(message));
    cr_assert_not_null(memory);
    world->flights[world->flight_count++] =
        (struct flight){world->now + LATENCY_US, from, to, chirr_message_copy(memory, message)};
}

static void write_disk(struct place *place, const struct chirr_record *record)
{
    uint32_t i = 0;
    while (i < place->disk_count && place->disk[i].task.id != record->task.id) {
        i++;
    }
    cr_assert_lt(i, DISK_MAX);
    place->disk[i] = *record;
    place->disk_count += i == place->disk_count;
}

static void carry_out(struct world *world, uint32_t index, const struct chirr_output *output)
{
    struct place *place = &world->places[index];
    chirr_digest_add_u64(&world->trace, output->kind);
    chirr_digest_add_u64(&world->trace, output->to);
    switch (output->kind) {
    case CHIRR_OUTPUT_SEND:
        fly(world, index, index_of(world, output->to), output->message);
        break;
    case CHIRR_OUTPUT_PUBLISH:
        for (uint32_t i = 0; i < world->count; i++) {
            /* A subscriber connects to the publisher. */
            if (i != index && world->places[i].node != NULL && world->places[i].connected[index]) {
                place->connected[i] = true;
                fly(world, index, i, output->message);
            }
        }
        break;
    case CHIRR_OUTPUT_CONNECT:
        if (index_of(world, output->to) < world->count) {
            place->connected[index_of(world, output->to)] = true;
        }
        break;
    case CHIRR_OUTPUT_PERSIST:
        write_disk(place, output->record);
        break;
    case CHIRR_OUTPUT_PRICE: {
        struct chirr_price price = {.task = output->task->id,
                                    .duration_us = place->price_us,
                                    .deviation_us = 1000,
                                    .success_permille = 1000};
        chirr_node_price(place->node, &price, world->now);
        break;
    }
    case CHIRR_OUTPUT_START:
        cr_assert_not(place->job.running, "node %u has one slot", index);
        place->job = (struct job){.running = true,
                                  .task = output->task->id,
                                  .epoch = output->task->epoch,
                                  .ends_at = world->now + JOB_US};
        place->starts++;
        break;
    case CHIRR_OUTPUT_STOP:
        cr_assert(place->job.running && place->job.task == output->task->id);
        place->job.stopped = true;
        break;
    case CHIRR_OUTPUT_APPLY:
        place->deltas_applied++;
        break;
    case CHIRR_OUTPUT_OUTCOME:
        place->outcomes++;
        break;
    default:
        break;
    }
}

static bool poll_node(struct world *world, uint32_t index, struct chirr_output *output)
{
    long before = allocations_count();
    bool more = chirr_node_poll(world->places[index].node, output);
    world->allocated += allocations_count() - before;
    return more;
}

static void drain(struct world *world, uint32_t index)
{
    struct chirr_output output;
    while (world->places[index].node != NULL && poll_node(world, index, &output)) {
        carry_out(world, index, &output);
    }
}

static void deliver_due(struct world *world)
{
    for (uint32_t i = 0; i < world->flight_count;) {
        struct flight flight = world->flights[i];
        if (flight.at > world->now) {
            i++;
            continue;
        }
        memmove(&world->flights[i], &world->flights[i + 1],
                (world->flight_count - i - 1) * sizeof flight);
        world->flight_count--;
        struct place *place = &world->places[flight.to];
        if (place->node != NULL) {
            chirr_agent_id from =
                chirr_agent_id_of(world->places[flight.from].config.card.public_key);
            long before = allocations_count();
            (void)!chirr_node_receive(place->node, from, flight.message, world->now);
            world->allocated += allocations_count() - before;
            drain(world, flight.to);
        }
        free(flight.message);
    }
}

static void end_job(struct world *world, uint32_t index)
{
    struct place *place = &world->places[index];
    if (place->node == NULL || !place->job.running || place->job.ends_at > world->now) {
        return;
    }
    struct chirr_task_result result = {.end = CHIRR_TASK_END_EXITED, .duration_us = JOB_US};
    place->job.running = false;
    cr_assert_eq(
        chirr_node_ended(place->node, place->job.task, place->job.epoch, &result, world->now),
        place->job.stopped ? CHIRR_ERR_NOTFOUND : CHIRR_OK);
}

static void run(struct world *world, chirr_time_us duration)
{
    chirr_time_us until = world->now + duration;
    for (; world->now < until; world->now += CHIRR_US_PER_MS) {
        deliver_due(world);
        for (uint32_t i = 0; i < world->count; i++) {
            struct place *place = &world->places[i];
            end_job(world, i);
            if (place->node != NULL && chirr_node_deadline(place->node) <= world->now) {
                long before = allocations_count();
                chirr_node_tick(place->node, world->now);
                world->allocated += allocations_count() - before;
            }
            drain(world, i);
        }
    }
}

static struct chirr_task_spec a_spec(void)
{
    struct chirr_task_spec spec = {
        .kind = "hash", .time_limit_ms = 60000, .argument_count = 1, .command_bytes = 5};
    memcpy(spec.command, "true", 5);
    return spec;
}

static chirr_task_id submit(struct world *world, uint32_t index)
{
    struct chirr_task_spec spec = a_spec();
    chirr_task_id id;
    cr_assert_eq(chirr_node_submit(world->places[index].node, &spec, world->now, &id), CHIRR_OK);
    drain(world, index);
    return id;
}

static const struct chirr_task *task_at(const struct world *world, uint32_t index, chirr_task_id id)
{
    const struct chirr_record *record =
        chirr_records_task(chirr_node_records(world->places[index].node), id);
    return record == NULL ? NULL : &record->task;
}

static bool done_everywhere(const struct world *world, chirr_task_id id)
{
    for (uint32_t i = 0; i < world->count; i++) {
        if (world->places[i].node == NULL) {
            continue;
        }
        const struct chirr_task *task = task_at(world, i, id);
        if (task == NULL || task->phase != CHIRR_TASK_DONE) {
            return false;
        }
    }
    return true;
}

static uint32_t live_members(const struct world *world, uint32_t index)
{
    const struct chirr_membership *membership = chirr_node_membership(world->places[index].node);
    uint32_t live = 0;
    for (uint32_t i = 0; i < chirr_membership_count(membership); i++) {
        live += chirr_membership_at(membership, i)->status == CHIRR_MEMBER_ALIVE;
    }
    return live;
}

Test(node, everybody_meets_everybody_through_one_seed)
{
    struct world *world = world_create(5);
    run(world, 6 * CHIRR_US_PER_S);
    for (uint32_t i = 0; i < 5; i++) {
        cr_assert_eq(live_members(world, i), 4, "node %u sees %u", i, live_members(world, i));
    }
    world_destroy(world);
}

Test(node, a_task_is_to_be_persisted_before_anybody_hears_of_it)
{
    struct world *world = world_create(2);
    run(world, 4 * CHIRR_US_PER_S);
    struct chirr_node *node = world->places[1].node;
    struct chirr_task_spec spec = a_spec();
    chirr_task_id id;
    cr_assert_eq(chirr_node_submit(node, &spec, world->now, &id), CHIRR_OK);
    struct chirr_output output;
    cr_assert(chirr_node_poll(node, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_PERSIST);
    cr_assert_eq(output.record->task.id, id);
    bool told = false;
    while (chirr_node_poll(node, &output)) {
        told |=
            output.kind == CHIRR_OUTPUT_PUBLISH && output.message->kind == CHIRR_MESSAGE_RECORDS;
    }
    cr_assert(told);
    world_destroy(world);
}

Test(node, a_task_is_done_once_by_whom_it_costs_least)
{
    struct world *world = world_create(4);
    world->places[2].price_us = 1000;
    run(world, 5 * CHIRR_US_PER_S);
    chirr_task_id id = submit(world, 1);
    run(world, 4 * CHIRR_US_PER_S);
    cr_assert(done_everywhere(world, id));
    const struct chirr_task *task = task_at(world, 0, id);
    cr_assert_eq(index_of(world, task->owner), 2);
    cr_assert_eq(task->epoch, 0);
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert_eq(world->places[i].starts, i == 2);
    }
    world_destroy(world);
}

Test(node, the_task_of_a_killed_owner_is_done_by_another)
{
    struct world *world = world_create(3);
    world->places[2].price_us = 1000;
    run(world, 5 * CHIRR_US_PER_S);
    chirr_task_id id = submit(world, 1);
    while (!world->places[2].job.running) {
        run(world, 10 * CHIRR_US_PER_MS);
        cr_assert_lt(world->now, 20 * CHIRR_US_PER_S);
    }
    run(world, 50 * CHIRR_US_PER_MS);
    kill_place(world, 2);
    run(world, 25 * CHIRR_US_PER_S);
    cr_assert(done_everywhere(world, id));
    cr_assert_gt(task_at(world, 0, id)->epoch, 0);
    world_destroy(world);
}

Test(node, an_accepted_task_outlives_its_submitter_who_told_nobody)
{
    struct world *world = world_create(3);
    run(world, 5 * CHIRR_US_PER_S);
    struct place *place = &world->places[1];
    struct chirr_task_spec spec = a_spec();
    chirr_task_id id;
    cr_assert_eq(chirr_node_submit(place->node, &spec, world->now, &id), CHIRR_OK);
    struct chirr_output output;
    cr_assert(chirr_node_poll(place->node, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_PERSIST);
    carry_out(world, 1, &output); /* durable, and in this instant it dies */
    kill_place(world, 1);
    run(world, 3 * CHIRR_US_PER_S);
    cr_assert_null(task_at(world, 0, id));
    boot(world, 1, 1 << 16);
    run(world, 12 * CHIRR_US_PER_S);
    cr_assert(done_everywhere(world, id));
    world_destroy(world);
}

Test(node, the_outcome_of_a_task_is_told_once_over_all_lives)
{
    struct world *world = world_create(2);
    run(world, 5 * CHIRR_US_PER_S);
    chirr_task_id id = submit(world, 1);
    run(world, 10 * CHIRR_US_PER_S);
    cr_assert(done_everywhere(world, id));
    for (uint32_t i = 0; i < 2; i++) {
        cr_assert_eq(world->places[i].outcomes, 1);
        kill_place(world, i);
        boot(world, i, 1 << 16);
    }
    run(world, 10 * CHIRR_US_PER_S);
    cr_assert(done_everywhere(world, id));
    for (uint32_t i = 0; i < 2; i++) {
        cr_assert_eq(world->places[i].outcomes, 1, "node %u was told again", i);
    }
    world_destroy(world);
}

Test(node, who_leaves_starts_nothing_any_more)
{
    struct world *world = world_create(3);
    world->places[2].price_us = 1000;
    run(world, 5 * CHIRR_US_PER_S);
    chirr_task_id id = submit(world, 1);
    const struct chirr_node *node = world->places[2].node;
    while (chirr_auction_winner(chirr_node_auction(node), id) != chirr_node_id(node)) {
        run(world, CHIRR_US_PER_MS);
        cr_assert_lt(world->now, 20 * CHIRR_US_PER_S);
    }
    run(world, 200 * CHIRR_US_PER_MS); /* of the 300 in which the claim settles */
    cr_assert_eq(task_at(world, 2, id)->phase, CHIRR_TASK_OPEN);
    chirr_node_leave(world->places[2].node, world->now);
    run(world, 4 * CHIRR_US_PER_S);
    cr_assert_eq(world->places[2].starts, 0);
    cr_assert(done_everywhere(world, id));
    world_destroy(world);
}

Test(node, a_cancelled_task_is_not_done)
{
    struct world *world = world_create(2);
    run(world, 5 * CHIRR_US_PER_S);
    chirr_task_id id = submit(world, 0);
    cr_assert_eq(chirr_node_cancel(world->places[0].node, id, world->now), CHIRR_OK);
    drain(world, 0);
    run(world, 4 * CHIRR_US_PER_S);
    for (uint32_t i = 0; i < 2; i++) {
        cr_assert_eq(task_at(world, i, id)->phase, CHIRR_TASK_CANCELLED);
    }
    cr_assert_eq(chirr_node_cancel(world->places[0].node, id, world->now), CHIRR_ERR_STATE);
    cr_assert_eq(chirr_node_cancel(world->places[1].node, id, world->now), CHIRR_ERR_UNTRUSTED);
    cr_assert_eq(chirr_node_cancel(world->places[0].node, id + 1, world->now), CHIRR_ERR_NOTFOUND);
    world_destroy(world);
}

Test(node, what_one_learned_reaches_those_who_host_it)
{
    struct world *world = world_create(3);
    run(world, 5 * CHIRR_US_PER_S);
    uint8_t payload[64] = {1, 2, 3};
    cr_assert_eq(chirr_node_delta(world->places[0].node, 0, payload, sizeof payload, world->now),
                 CHIRR_OK);
    cr_assert_eq(chirr_node_delta(world->places[0].node, 0, payload, sizeof payload, world->now),
                 CHIRR_ERR_BUSY);
    drain(world, 0);
    run(world, 100 * CHIRR_US_PER_MS);
    cr_assert_eq(world->places[0].deltas_applied, 0);
    cr_assert_eq(world->places[1].deltas_applied, 1);
    cr_assert_eq(world->places[2].deltas_applied, 1);
    cr_assert_eq(chirr_node_delta(world->places[0].node, 1, payload, sizeof payload, world->now),
                 CHIRR_ERR_INVALID, "partition 1 is not hosted");
    cr_assert_eq(chirr_node_delta(world->places[0].node, 0, payload, 0, world->now),
                 CHIRR_ERR_INVALID);
    world_destroy(world);
}

Test(node, who_says_two_things_at_once_is_not_believed_in_what_it_learned)
{
    struct world *world = world_create(2);
    run(world, 5 * CHIRR_US_PER_S);
    struct chirr_node *node = world->places[0].node;
    chirr_agent_id liar = chirr_node_id(world->places[1].node);
    struct chirr_record card = *chirr_records_card(chirr_node_records(node), liar);
    card.card.slots++; /* under the same stamp */
    struct chirr_message records = {.kind = CHIRR_MESSAGE_RECORDS,
                                    .records = {.count = 1, .records = &card}};
    cr_assert_eq(chirr_node_receive(node, liar, &records, world->now), CHIRR_ERR_EQUIVOCATION);
    uint8_t payload[] = {1, 2, 3};
    struct chirr_message delta = {.kind = CHIRR_MESSAGE_DELTA,
                                  .delta = {.origin = liar,
                                            .stamp = {1, 1},
                                            .lineage = 77,
                                            .payload_bytes = sizeof payload,
                                            .payload = payload}};
    cr_assert_eq(chirr_node_receive(node, liar, &delta, world->now), CHIRR_ERR_UNTRUSTED);
    cr_assert_eq(chirr_ledger_count(chirr_node_ledger(node))->quarantined, 1);
    world_destroy(world);
}

Test(node, refuses_messages_from_itself_from_nobody_and_of_no_kind)
{
    struct world *world = world_create(2);
    struct chirr_message message = {.kind = CHIRR_MESSAGE_PING};
    struct chirr_node *node = world->places[0].node;
    cr_assert_eq(chirr_node_receive(node, chirr_node_id(node), &message, 1), CHIRR_ERR_UNTRUSTED);
    cr_assert_eq(chirr_node_receive(node, 0, &message, 1), CHIRR_ERR_UNTRUSTED);
    message.kind = (enum chirr_message_kind)99;
    chirr_agent_id other = chirr_node_id(world->places[1].node);
    cr_assert_eq(chirr_node_receive(node, other, &message, 1), CHIRR_ERR_MALFORMED);
    cr_assert_eq(chirr_node_count(node)->refused, 3);
    cr_assert_eq(chirr_node_count(node)->strays, 3);
    world_destroy(world);
}

Test(node, a_replayed_heartbeat_is_refused)
{
    struct world *world = world_create(2);
    run(world, 4 * CHIRR_US_PER_S);
    chirr_agent_id from = chirr_node_id(world->places[1].node);
    struct chirr_message message = {
        .kind = CHIRR_MESSAGE_HEARTBEAT,
        .heartbeat = *chirr_node_heartbeat(world->places[0].node, from),
    };
    cr_assert_eq(chirr_node_receive(world->places[0].node, from, &message, world->now),
                 CHIRR_ERR_STALE);
    cr_assert_eq(chirr_node_count(world->places[0].node)->replayed, 1);
    world_destroy(world);
}

static uint64_t trace_of_a_run(void)
{
    struct world *world = world_create(4);
    run(world, 5 * CHIRR_US_PER_S);
    for (uint32_t i = 0; i < 6; i++) {
        submit(world, i % 4);
    }
    run(world, 5 * CHIRR_US_PER_S);
    uint64_t trace = chirr_digest_end(&world->trace);
    world_destroy(world);
    return trace;
}

Test(node, equal_seeds_give_equal_outputs)
{
    cr_assert_eq(trace_of_a_run(), trace_of_a_run());
}

Test(node, does_not_fit_an_arena_that_is_too_small)
{
    struct chirr_node_config config = config_of(0, 1);
    size_t bytes = chirr_node_bytes(&config);
    for (size_t cut = 0; cut < bytes; cut += bytes / 97 + 1) {
        struct chirr_arena arena;
        cr_assert_eq(chirr_arena_init(&arena, cut), CHIRR_OK);
        cr_assert_null(chirr_node_create(&arena, &config, 0), "fits %zu of %zu bytes", cut, bytes);
        chirr_arena_finish(&arena);
    }
}

Test(node, holds_no_more_origins_than_the_model_nor_than_there_are_agents)
{
    struct chirr_node_config config = config_of(0, 1);
    config.ledger.origins_max = 3;
    cr_assert_eq(chirr_node_parts_of(&config).ledger.origins_max, 3);
    config.ledger.origins_max = 100;
    cr_assert_eq(chirr_node_parts_of(&config).ledger.origins_max, config.agents_max);
}
