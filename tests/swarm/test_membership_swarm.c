/* Many members on a virtual network. */
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

Test(membership_swarm, a_crash_is_known_to_everybody_within_a_bound)
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

Test(membership_swarm, nobody_dies_falsely_under_five_percent_loss)
{
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct world *world = world_create(seed, 12, 50);
        mesh_run(world->mesh, 120 * CHIRR_US_PER_S);
        cr_assert_eq(total_deaths(world), 0, "seed %llu", (unsigned long long)seed);
        world_destroy(world);
    }
}

Test(membership_swarm, a_healed_partition_is_whole_again_everywhere)
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

Test(membership_swarm, a_restart_with_a_greater_incarnation_is_alive_again)
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

Test(membership_swarm, a_restart_with_a_smaller_incarnation_rises_above_its_past)
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

Test(membership_swarm, who_leaves_has_left_everywhere_and_is_not_probed)
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

Test(membership_swarm, who_was_paused_is_alive_again_and_buried_nobody)
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

Test(membership_swarm, one_way_silence_is_bridged_by_indirect_probes)
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
