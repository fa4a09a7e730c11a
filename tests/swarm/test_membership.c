#include "swarm/membership.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/mesh.h"
#include "tests/support/sample.h"

#define NODES_MAX 32

struct world {
    struct chirr_membership_config config;
    uint32_t count;
    struct chirr_arena arenas[NODES_MAX];
    struct chirr_membership *members[NODES_MAX];
    uint64_t news[NODES_MAX]; /* MEMBER outputs */
    struct mesh *mesh;
};

static void node_create(struct world *world, uint32_t node, uint64_t incarnation, chirr_time_us now)
{
    struct chirr_membership_config config = world->config;
    config.self = sample_agent(node);
    config.incarnation = incarnation;
    chirr_arena_finish(&world->arenas[node]);
    cr_assert_eq(chirr_arena_init(&world->arenas[node], chirr_membership_bytes(&config)), CHIRR_OK);
    world->members[node] = chirr_membership_create(&world->arenas[node], &config, now);
    cr_assert_not_null(world->members[node]);
    for (uint32_t i = 0; i < world->count; i++) {
        cr_assert_eq(chirr_membership_add(world->members[node], sample_agent(i), 1, now), CHIRR_OK);
    }
}

static void on_receive(void *context, uint32_t node, chirr_agent_id from,
                       const struct chirr_message *message, chirr_time_us now)
{
    struct world *world = context;
    cr_assert_eq(chirr_membership_receive(world->members[node], from, message, now), CHIRR_OK);
}

static void on_tick(void *context, uint32_t node, chirr_time_us now)
{
    chirr_membership_tick(((struct world *)context)->members[node], now);
}

static chirr_time_us on_deadline(void *context, uint32_t node)
{
    return chirr_membership_deadline(((struct world *)context)->members[node]);
}

static bool on_poll(void *context, uint32_t node, struct chirr_output *output)
{
    return chirr_membership_poll(((struct world *)context)->members[node], output);
}

static void on_output(void *context, uint32_t node, const struct chirr_output *output,
                      chirr_time_us now)
{
    cr_assert_eq(output->kind, CHIRR_OUTPUT_MEMBER);
    ((struct world *)context)->news[node]++;
}

static const struct mesh_machine machine = {.receive = on_receive,
                                            .tick = on_tick,
                                            .deadline = on_deadline,
                                            .poll = on_poll,
                                            .observe = on_output};

static struct world *world_create(uint64_t seed, uint32_t count, uint32_t loss_permille)
{
    static struct world world;
    memset(&world, 0, sizeof world);
    world.count = count;
    world.config = chirr_membership_config_default();
    world.config.seed = seed;
    world.config.members_max = count;
    for (uint32_t i = 0; i < count; i++) {
        node_create(&world, i, 1, 0);
    }
    const struct mesh_config network = {.seed = seed,
                                        .node_count = count,
                                        .latency_min_us = 1000,
                                        .latency_max_us = 50000,
                                        .loss_permille = loss_permille,
                                        .duplicate_permille = 20};
    world.mesh = mesh_create(&network, &machine, &world);
    return &world;
}

static void world_destroy(struct world *world)
{
    mesh_destroy(world->mesh);
    for (uint32_t i = 0; i < world->count; i++) {
        chirr_arena_finish(&world->arenas[i]);
    }
}

static enum chirr_member_status status_of(struct world *world, uint32_t node, uint32_t of)
{
    return chirr_membership_find(world->members[node], sample_agent(of))->status;
}

/* How many of the others hold `of` in this status. */
static uint32_t count_status(struct world *world, uint32_t of, enum chirr_member_status status)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->count; i++) {
        count += i != of && status_of(world, i, of) == status;
    }
    return count;
}

static uint64_t total_deaths(struct world *world)
{
    uint64_t deaths = 0;
    for (uint32_t i = 0; i < world->count; i++) {
        deaths += chirr_membership_count_events(world->members[i])->deaths;
    }
    return deaths;
}

Test(membership, a_crash_is_known_to_everybody_within_a_bound)
{
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct world *world = world_create(seed, 16, 50);
        mesh_run(world->mesh, 5 * CHIRR_US_PER_S);
        mesh_set_up(world->mesh, 3, false);
        /* Somebody of fifteen probes it within some seconds, then suspects it for three. */
        mesh_run(world->mesh, 5 * CHIRR_US_PER_S + 12 * CHIRR_US_PER_S);
        cr_assert_eq(count_status(world, 3, CHIRR_MEMBER_DEAD), 15, "seed %llu",
                     (unsigned long long)seed);
        for (uint32_t i = 0; i < 16; i++) {
            cr_assert_eq(i == 3 ? 15 : count_status(world, i, CHIRR_MEMBER_DEAD),
                         i == 3 ? 15 : (uint32_t)0, "seed %llu", (unsigned long long)seed);
        }
        world_destroy(world);
    }
}

Test(membership, nobody_dies_falsely_under_five_percent_loss)
{
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct world *world = world_create(seed, 12, 50);
        mesh_run(world->mesh, 120 * CHIRR_US_PER_S);
        cr_assert_eq(total_deaths(world), 0, "seed %llu", (unsigned long long)seed);
        world_destroy(world);
    }
}

Test(membership, a_healed_partition_is_whole_again_everywhere)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct world *world = world_create(seed, 12, 50);
        mesh_run(world->mesh, 5 * CHIRR_US_PER_S);
        for (uint32_t i = 0; i < 5; i++) {
            mesh_set_side(world->mesh, i, 1);
        }
        mesh_run(world->mesh, 60 * CHIRR_US_PER_S);
        cr_assert_eq(count_status(world, 0, CHIRR_MEMBER_DEAD), 7);
        cr_assert_eq(count_status(world, 11, CHIRR_MEMBER_DEAD), 5);
        for (uint32_t i = 0; i < 5; i++) {
            mesh_set_side(world->mesh, i, 0);
        }
        mesh_run(world->mesh, 120 * CHIRR_US_PER_S);
        for (uint32_t i = 0; i < 12; i++) {
            cr_assert_eq(count_status(world, i, CHIRR_MEMBER_DEAD), 0, "seed %llu, agent %u",
                         (unsigned long long)seed, i);
        }
        world_destroy(world);
    }
}

Test(membership, a_restart_with_a_greater_incarnation_is_alive_again)
{
    struct world *world = world_create(5, 8, 50);
    mesh_set_up(world->mesh, 2, false);
    mesh_run(world->mesh, 30 * CHIRR_US_PER_S);
    cr_assert_eq(count_status(world, 2, CHIRR_MEMBER_DEAD), 7);
    node_create(world, 2, 900, mesh_now(world->mesh));
    mesh_set_up(world->mesh, 2, true);
    mesh_run(world->mesh, 60 * CHIRR_US_PER_S);
    cr_assert_eq(count_status(world, 2, CHIRR_MEMBER_ALIVE), 7);
    cr_assert_eq(chirr_membership_find(world->members[0], sample_agent(2))->incarnation, 900);
    world_destroy(world);
}

Test(membership, a_restart_with_a_smaller_incarnation_rises_above_its_past)
{
    struct world *world = world_create(6, 8, 50);
    node_create(world, 2, 900, 0);
    mesh_run(world->mesh, 20 * CHIRR_US_PER_S);
    node_create(world, 2, 1, mesh_now(world->mesh));
    mesh_run(world->mesh, 60 * CHIRR_US_PER_S);
    cr_assert_gt(chirr_membership_incarnation(world->members[2]), 900);
    cr_assert_eq(count_status(world, 2, CHIRR_MEMBER_ALIVE), 7);
    world_destroy(world);
}

Test(membership, who_leaves_has_left_everywhere_and_is_not_probed)
{
    struct world *world = world_create(7, 8, 0);
    mesh_run(world->mesh, 5 * CHIRR_US_PER_S);
    chirr_membership_leave(world->members[4], mesh_now(world->mesh));
    mesh_drain(world->mesh, 4);
    mesh_run(world->mesh, 6 * CHIRR_US_PER_S);
    cr_assert_eq(count_status(world, 4, CHIRR_MEMBER_LEFT), 7);
    cr_assert_eq(chirr_membership_deadline(world->members[4]), CHIRR_TIME_NEVER);
    cr_assert_not(chirr_membership_is_live(world->members[0], sample_agent(4)));
    mesh_set_up(world->mesh, 4, false);
    mesh_run(world->mesh, 60 * CHIRR_US_PER_S);
    cr_assert_eq(count_status(world, 4, CHIRR_MEMBER_LEFT), 7);
    cr_assert_eq(total_deaths(world), 0);
    world_destroy(world);
}

Test(membership, who_was_paused_is_alive_again_and_buried_nobody)
{
    struct world *world = world_create(8, 8, 0);
    mesh_run(world->mesh, 10 * CHIRR_US_PER_S);
    mesh_set_up(world->mesh, 1, false);
    mesh_run(world->mesh, 30 * CHIRR_US_PER_S);
    mesh_set_up(world->mesh, 1, true);
    mesh_run(world->mesh, 90 * CHIRR_US_PER_S);
    cr_assert_eq(chirr_membership_count_events(world->members[1])->deaths, 0);
    cr_assert_eq(count_status(world, 1, CHIRR_MEMBER_ALIVE), 7);
    world_destroy(world);
}

Test(membership, one_way_silence_is_bridged_by_indirect_probes)
{
    /* Without helpers a lost PING or ACK is a suspicion; with three it takes more bad luck. */
    uint64_t suspicions[2] = {0, 0};
    for (uint32_t helped = 0; helped < 2; helped++) {
        for (uint64_t seed = 0; seed < 5; seed++) {
            struct world *world = world_create(seed, 10, 100);
            for (uint32_t i = 0; i < 10; i++) {
                world->config.indirect_count = helped ? 3 : 0;
                node_create(world, i, 1, 0);
            }
            mesh_run(world->mesh, 60 * CHIRR_US_PER_S);
            for (uint32_t i = 0; i < 10; i++) {
                suspicions[helped] += chirr_membership_count_events(world->members[i])->suspicions;
            }
            world_destroy(world);
        }
    }
    cr_assert_lt(suspicions[1] * 3, suspicions[0]);
}

/* ---- One machine by hand ------------------------------------------------------------------- */

static struct chirr_arena arena;
static struct chirr_membership *one;

static void setup(void)
{
    struct chirr_membership_config config = chirr_membership_config_default();
    config.self = sample_agent(0);
    config.members_max = 4;
    cr_assert_eq(chirr_arena_init(&arena, chirr_membership_bytes(&config)), CHIRR_OK);
    one = chirr_membership_create(&arena, &config, 0);
    cr_assert_not_null(one);
    for (uint32_t i = 1; i < 4; i++) {
        cr_assert_eq(chirr_membership_add(one, sample_agent(i), 5, 0), CHIRR_OK);
    }
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

static enum chirr_err gossip(uint32_t from, uint32_t about, uint64_t incarnation,
                             enum chirr_member_status status)
{
    struct chirr_message message = {
        .kind = CHIRR_MESSAGE_GOSSIP,
        .gossip = {.count = 1, .updates = {{sample_agent(about), incarnation, status}}}};
    return chirr_membership_receive(one, sample_agent(from), &message, 0);
}

static const struct chirr_member *member(uint32_t index)
{
    return chirr_membership_find(one, sample_agent(index));
}

static void drain(void)
{
    struct chirr_output output;
    while (chirr_membership_poll(one, &output)) {
    }
}

/* The next message of this kind that goes out; NULL. */
static const struct chirr_message *next_message(enum chirr_message_kind kind, chirr_agent_id to)
{
    struct chirr_output output;
    while (chirr_membership_poll(one, &output)) {
        bool carries = output.kind == CHIRR_OUTPUT_SEND || output.kind == CHIRR_OUTPUT_PUBLISH;
        if (carries && output.message->kind == kind && (to == 0 || output.to == to)) {
            return output.message;
        }
    }
    return NULL;
}

static bool tells(const struct chirr_member_updates *news, uint32_t about, uint64_t incarnation,
                  enum chirr_member_status status)
{
    for (uint32_t i = 0; i < news->count; i++) {
        const struct chirr_member_update *update = &news->updates[i];
        if (update->agent == sample_agent(about) && update->incarnation == incarnation &&
            update->status == status) {
            return true;
        }
    }
    return false;
}

Test(membership, refutes_a_suspicion_about_itself, .init = setup, .fini = teardown)
{
    drain();
    cr_assert_eq(gossip(1, 0, 1, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    cr_assert_eq(chirr_membership_incarnation(one), 2);
    const struct chirr_message *message = next_message(CHIRR_MESSAGE_GOSSIP, 0);
    cr_assert_not_null(message);
    cr_assert(tells(&message->gossip, 0, 2, CHIRR_MEMBER_ALIVE));
    cr_assert_eq(gossip(1, 0, 1, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(chirr_membership_incarnation(one), 2);
    cr_assert_eq(gossip(1, 0, 7, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(chirr_membership_incarnation(one), 8);
}

Test(membership, believes_its_death_no_more_after_leaving, .init = setup, .fini = teardown)
{
    chirr_membership_leave(one, 0);
    cr_assert_eq(gossip(1, 0, 1, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(chirr_membership_incarnation(one), 1);
    const struct chirr_message *message = next_message(CHIRR_MESSAGE_GOSSIP, 0);
    cr_assert(tells(&message->gossip, 0, 1, CHIRR_MEMBER_LEFT));
}

Test(membership, ignores_news_of_a_lower_incarnation, .init = setup, .fini = teardown)
{
    cr_assert_eq(gossip(1, 2, 4, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_ALIVE);
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_SUSPECT);
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_ALIVE), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_SUSPECT);
    cr_assert_eq(gossip(1, 2, 6, CHIRR_MEMBER_ALIVE), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_ALIVE);
    cr_assert_eq(member(2)->incarnation, 6);
}

Test(membership, of_two_statuses_in_one_incarnation_the_worse_stands, .init = setup,
     .fini = teardown)
{
    const enum chirr_member_status worse[] = {CHIRR_MEMBER_SUSPECT, CHIRR_MEMBER_DEAD,
                                              CHIRR_MEMBER_LEFT};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(gossip(1, 2, 5, worse[i]), CHIRR_OK);
        cr_assert_eq(member(2)->status, worse[i]);
        for (int j = 0; j < i; j++) {
            cr_assert_eq(gossip(1, 2, 5, worse[j]), CHIRR_OK);
            cr_assert_eq(member(2)->status, worse[i]);
        }
    }
    cr_assert_eq(gossip(1, 2, 6, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_SUSPECT);
}

Test(membership, a_card_revives_the_dead_only_with_a_greater_incarnation, .init = setup,
     .fini = teardown)
{
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(chirr_membership_add(one, sample_agent(2), 5, 0), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_DEAD);
    cr_assert_eq(chirr_membership_add(one, sample_agent(2), 6, 0), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_ALIVE);
}

Test(membership, a_ping_is_acknowledged_with_what_its_sender_is_held_to_be, .init = setup,
     .fini = teardown)
{
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    drain();
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                 .probe = {.sequence = 42, .target = sample_agent(0)}};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(2), &ping, 0), CHIRR_OK);
    const struct chirr_message *ack = next_message(CHIRR_MESSAGE_ACK, sample_agent(2));
    cr_assert_not_null(ack);
    cr_assert_eq(ack->probe.sequence, 42);
    cr_assert_eq(ack->probe.target, sample_agent(0));
    cr_assert(tells(&ack->probe.news, 2, 5, CHIRR_MEMBER_SUSPECT));
    cr_assert(tells(&ack->probe.news, 0, 1, CHIRR_MEMBER_ALIVE));
    ping.probe.target = sample_agent(3);
    cr_assert_eq(chirr_membership_receive(one, sample_agent(2), &ping, 0), CHIRR_ERR_INVALID);
}

Test(membership, pings_for_another_and_passes_the_answer_on, .init = setup, .fini = teardown)
{
    drain();
    struct chirr_message request = {.kind = CHIRR_MESSAGE_PING_REQUEST,
                                    .probe = {.sequence = 9, .target = sample_agent(3)}};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &request, 0), CHIRR_OK);
    const struct chirr_message *ping = next_message(CHIRR_MESSAGE_PING, sample_agent(3));
    cr_assert_not_null(ping);
    struct chirr_message ack = {
        .kind = CHIRR_MESSAGE_ACK,
        .probe = {.sequence = ping->probe.sequence, .target = sample_agent(3)}};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(3), &ack, 0), CHIRR_OK);
    const struct chirr_message *passed = next_message(CHIRR_MESSAGE_ACK, sample_agent(1));
    cr_assert_not_null(passed);
    cr_assert_eq(passed->probe.sequence, 9);
    cr_assert_eq(passed->probe.target, sample_agent(3));
    cr_assert_eq(chirr_membership_receive(one, sample_agent(3), &ack, 0), CHIRR_OK);
    cr_assert_null(next_message(CHIRR_MESSAGE_ACK, 0));
    request.probe.target = 12345;
    cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &request, 0), CHIRR_ERR_NOTFOUND);
}

Test(membership, a_sign_of_life_of_the_dead_is_answered_with_the_news_of_its_death, .init = setup,
     .fini = teardown)
{
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_DEAD), CHIRR_OK);
    drain();
    chirr_time_us now = 1500000;
    struct chirr_message beat = {.kind = CHIRR_MESSAGE_HEARTBEAT,
                                 .heartbeat = {.incarnation = 5, .sequence = 1}};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(2), &beat, now), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_DEAD);
    cr_assert_leq(chirr_membership_deadline(one), now);
    chirr_membership_tick(one, now);
    const struct chirr_message *ping = next_message(CHIRR_MESSAGE_PING, sample_agent(2));
    cr_assert_not_null(ping);
    cr_assert(tells(&ping->probe.news, 2, 5, CHIRR_MEMBER_DEAD));
    beat.heartbeat.incarnation = 6;
    cr_assert_eq(chirr_membership_receive(one, sample_agent(2), &beat, now), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_ALIVE);
}

Test(membership, a_stranger_is_tolerated_and_its_ping_answered, .init = setup, .fini = teardown)
{
    drain();
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                 .probe = {.sequence = 3, .target = sample_agent(0)}};
    cr_assert_eq(chirr_membership_receive(one, 999, &ping, 0), CHIRR_ERR_NOTFOUND);
    cr_assert_not_null(next_message(CHIRR_MESSAGE_ACK, 999));
    struct chirr_message beat = {.kind = CHIRR_MESSAGE_HEARTBEAT,
                                 .heartbeat = {.incarnation = 1, .sequence = 1}};
    cr_assert_eq(chirr_membership_receive(one, 999, &beat, 0), CHIRR_ERR_NOTFOUND);
    cr_assert_eq(gossip(1, 31, 1, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(chirr_membership_count(one), 3);
    cr_assert_eq(chirr_membership_count_events(one)->strangers, 3);
}

Test(membership, reports_every_change_of_a_status_once, .init = setup, .fini = teardown)
{
    struct chirr_output output;
    for (int i = 0; i < 3; i++) {
        cr_assert(chirr_membership_poll(one, &output));
        cr_assert_eq(output.kind, CHIRR_OUTPUT_MEMBER);
        cr_assert_eq(output.member.status, CHIRR_MEMBER_ALIVE);
    }
    cr_assert_not(chirr_membership_poll(one, &output));
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert(chirr_membership_poll(one, &output));
    cr_assert_eq(output.member.agent, sample_agent(2));
    cr_assert_eq(output.member.status, CHIRR_MEMBER_DEAD);
    cr_assert_not(chirr_membership_poll(one, &output));
}

Test(membership, news_are_told_a_bounded_number_of_times_to_others, .init = setup, .fini = teardown)
{
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_DEAD), CHIRR_OK);
    drain();
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                 .probe = {.sequence = 1, .target = sample_agent(0)}};
    uint32_t told = 0;
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &ping, 0), CHIRR_OK);
        const struct chirr_message *ack = next_message(CHIRR_MESSAGE_ACK, sample_agent(1));
        told += tells(&ack->probe.news, 2, 5, CHIRR_MEMBER_DEAD);
    }
    cr_assert_eq(told, 6); /* 3·log2 of three members, rounded up */
}

Test(membership, outputs_that_nobody_polls_are_dropped_and_counted, .init = setup, .fini = teardown)
{
    drain();
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                 .probe = {.sequence = 1, .target = sample_agent(0)}};
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &ping, 0), CHIRR_OK);
    }
    uint32_t polled = 0;
    while (next_message(CHIRR_MESSAGE_ACK, 0) != NULL) {
        polled++;
    }
    cr_assert_lt(polled, 100);
    cr_assert_eq(chirr_membership_count_events(one)->dropped, 1000 - polled);
}

Test(membership, relays_that_are_never_answered_are_bounded, .init = setup, .fini = teardown)
{
    struct chirr_message request = {.kind = CHIRR_MESSAGE_PING_REQUEST,
                                    .probe = {.sequence = 9, .target = sample_agent(3)}};
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &request, 0), CHIRR_OK);
        drain();
    }
    cr_assert_eq(chirr_membership_count_events(one)->dropped, 50 - 32);
}

Test(membership, a_full_table_has_room_again_once_somebody_left, .init = setup, .fini = teardown)
{
    cr_assert_eq(chirr_membership_add(one, sample_agent(4), 1, 0), CHIRR_OK);
    cr_assert_eq(chirr_membership_add(one, sample_agent(5), 1, 0), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_membership_add(one, sample_agent(0), 1, 0), CHIRR_OK);
    cr_assert_eq(gossip(1, 3, 5, CHIRR_MEMBER_LEFT), CHIRR_OK);
    cr_assert_eq(chirr_membership_add(one, sample_agent(5), 1, 0), CHIRR_OK);
    cr_assert_null(member(3));
    cr_assert_eq(chirr_membership_count(one), 4);
    for (uint32_t i = 1; i < 4; i++) {
        cr_assert_lt(chirr_membership_at(one, i - 1)->agent, chirr_membership_at(one, i)->agent);
    }
    for (int i = 0; i < 20; i++) { /* the rounds go on without it */
        chirr_membership_tick(one, chirr_membership_deadline(one));
        drain();
    }
}

Test(membership, every_member_is_probed_once_in_a_round, .init = setup, .fini = teardown)
{
    drain();
    uint32_t probes[4] = {0};
    for (int i = 0; i < 3 * 20; i++) {
        chirr_time_us now = chirr_membership_deadline(one);
        chirr_membership_tick(one, now);
        const struct chirr_message *ping = next_message(CHIRR_MESSAGE_PING, 0);
        cr_assert_not_null(ping);
        struct chirr_message ack = {
            .kind = CHIRR_MESSAGE_ACK,
            .probe = {.sequence = ping->probe.sequence, .target = ping->probe.target}};
        cr_assert_eq(chirr_membership_receive(one, ping->probe.target, &ack, now), CHIRR_OK);
        drain();
        for (uint32_t j = 1; j < 4; j++) {
            probes[j] += ping->probe.target == sample_agent(j);
        }
        if (i % 3 == 2) {
            cr_assert(probes[1] == probes[2] && probes[2] == probes[3]);
        }
    }
}

Test(membership, an_unanswered_probe_goes_indirect_then_suspects_then_buries, .init = setup,
     .fini = teardown)
{
    drain();
    chirr_time_us now = chirr_membership_deadline(one);
    chirr_membership_tick(one, now);
    chirr_agent_id target = next_message(CHIRR_MESSAGE_PING, 0)->probe.target;
    cr_assert_eq(chirr_membership_deadline(one), now + chirr_time_from_ms(300));
    chirr_membership_tick(one, now + chirr_time_from_ms(300));
    for (int i = 0; i < 2; i++) {
        const struct chirr_message *request = next_message(CHIRR_MESSAGE_PING_REQUEST, 0);
        cr_assert_not_null(request);
        cr_assert_eq(request->probe.target, target);
    }
    cr_assert_null(next_message(CHIRR_MESSAGE_PING_REQUEST, 0));
    chirr_membership_tick(one, now + chirr_time_from_ms(1000));
    cr_assert_eq(chirr_membership_find(one, target)->status, CHIRR_MEMBER_SUSPECT);
    cr_assert(chirr_membership_is_live(one, target));
    cr_assert_not_null(next_message(CHIRR_MESSAGE_GOSSIP, 0));
    for (chirr_time_us until = now + chirr_time_from_ms(4000);
         chirr_membership_deadline(one) <= until;) {
        chirr_membership_tick(one, chirr_membership_deadline(one));
        drain();
    }
    cr_assert_eq(chirr_membership_find(one, target)->status, CHIRR_MEMBER_DEAD);
    cr_assert_not(chirr_membership_is_live(one, target));
}

Test(membership, a_tick_far_too_late_accuses_nobody, .init = setup, .fini = teardown)
{
    drain();
    chirr_time_us now = chirr_membership_deadline(one);
    chirr_membership_tick(one, now); /* its probe stays unanswered */
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    now += 60 * CHIRR_US_PER_S;
    chirr_membership_tick(one, now);
    for (uint32_t i = 1; i < 4; i++) {
        cr_assert_eq(member(i)->status, i == 2 ? CHIRR_MEMBER_SUSPECT : CHIRR_MEMBER_ALIVE);
    }
    while (chirr_membership_deadline(one) <= now + chirr_time_from_ms(3000)) {
        chirr_membership_tick(one, chirr_membership_deadline(one));
        drain();
    }
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_DEAD);
}

Test(membership, a_tick_before_the_deadline_has_no_effect, .init = setup, .fini = teardown)
{
    drain();
    for (int i = 0; i < 30; i++) {
        chirr_time_us deadline = chirr_membership_deadline(one);
        chirr_membership_tick(one, deadline - 1);
        struct chirr_output output;
        cr_assert_not(chirr_membership_poll(one, &output));
        cr_assert_eq(chirr_membership_deadline(one), deadline);
        chirr_membership_tick(one, deadline);
        cr_assert_gt(chirr_membership_deadline(one), deadline);
        drain();
    }
}

Test(membership, creation_fails_at_every_cut_and_takes_exactly_its_bytes)
{
    struct chirr_membership_config config = chirr_membership_config_default();
    config.self = 1;
    size_t bytes = chirr_membership_bytes(&config);
    struct chirr_arena cut;
    cr_assert_eq(chirr_arena_init(&cut, bytes), CHIRR_OK);
    for (cut.capacity = 0; cut.capacity < bytes; cut.capacity += CHIRR_ARENA_ALIGN) {
        cut.used = 0;
        cr_assert_null(chirr_membership_create(&cut, &config, 0));
    }
    cut.used = 0;
    memset(cut.base, 0, bytes);
    cr_assert_not_null(chirr_membership_create(&cut, &config, 0));
    cr_assert_eq(cut.used, bytes);
    chirr_arena_finish(&cut);
}

Test(membership, a_bad_configuration_is_named)
{
    struct chirr_error error;
    struct chirr_membership_config config = chirr_membership_config_default();
    cr_assert_eq(chirr_membership_config_validate(&config, &error), CHIRR_OK);
    config.probe_timeout_ms = config.probe_interval_ms;
    cr_assert_eq(chirr_membership_config_validate(&config, &error), CHIRR_ERR_RANGE);
    cr_assert_not_null(strstr(error.text, "probe_timeout_ms"));
    config = chirr_membership_config_default();
    config.incarnation = 0;
    cr_assert_eq(chirr_membership_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = chirr_membership_config_default();
    config.members_max = 0;
    cr_assert_eq(chirr_membership_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = chirr_membership_config_default();
    config.indirect_count = 17;
    cr_assert_eq(chirr_membership_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = chirr_membership_config_default();
    config.suspect_timeout_ms = 0;
    cr_assert_eq(chirr_membership_config_validate(&config, &error), CHIRR_ERR_RANGE);
}
