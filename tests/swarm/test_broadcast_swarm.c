/* A hundred agents, each with five neighbours: what is pushed along the tree, and what is missed.
 */
#include "swarm/dissemination.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "tests/support/mesh.h"
#include "tests/support/sample.h"

#define AGENTS 100
#define DEGREE 5
#define STATEMENT_INTERVAL_US 20000

struct agent {
    struct chirr_arena arena;
    struct chirr_record_store *store;
    struct chirr_membership *membership;
    struct chirr_dissemination *dissemination;
    chirr_agent_id neighbours[AGENTS];
    uint32_t neighbour_count;
    uint64_t said;
};

struct world {
    struct chirr_random random;
    struct agent agents[AGENTS];
    bool linked[AGENTS][AGENTS];
    bool lazy[AGENTS][AGENTS]; /* [who listens][to whom] */
    bool down[AGENTS];
    struct mesh *mesh;
};

static uint32_t index_of(chirr_agent_id agent)
{
    for (uint32_t i = 0; i < AGENTS; i++) {
        if (sample_agent(i) == agent) {
            return i;
        }
    }
    cr_assert_fail("nobody has this id");
    return 0;
}

static void on_receive(void *context, uint32_t node, chirr_agent_id from,
                       const struct chirr_message *message, chirr_time_us now)
{
    struct agent *agent = &((struct world *)context)->agents[node];
    cr_assert_eq(chirr_dissemination_receive(agent->dissemination, from, message, now), CHIRR_OK);
}

static void on_tick(void *context, uint32_t node, chirr_time_us now)
{
    struct agent *agent = &((struct world *)context)->agents[node];
    chirr_dissemination_tick(agent->dissemination, agent->membership, now);
}

static chirr_time_us on_deadline(void *context, uint32_t node)
{
    return chirr_dissemination_deadline(((struct world *)context)->agents[node].dissemination);
}

static bool on_poll(void *context, uint32_t node, struct chirr_output *output)
{
    struct agent *agent = &((struct world *)context)->agents[node];
    struct chirr_record record;
    while (chirr_dissemination_changed(agent->dissemination, &record)) {
    }
    return chirr_dissemination_poll(agent->dissemination, output);
}

static void on_observe(void *context, uint32_t node, const struct chirr_output *output,
                       chirr_time_us now)
{
    struct world *world = context;
    cr_assert_eq(output->kind, CHIRR_OUTPUT_LISTEN);
    world->lazy[node][index_of(output->to)] = output->topic == CHIRR_TOPIC_LAZY;
}

static bool on_hears(void *context, uint32_t to, uint32_t from, const struct chirr_output *publish)
{
    const struct world *world = context;
    return world->linked[to][from] && world->lazy[to][from] == (publish->topic == CHIRR_TOPIC_LAZY);
}

static const struct mesh_machine machine = {.receive = on_receive,
                                            .tick = on_tick,
                                            .deadline = on_deadline,
                                            .poll = on_poll,
                                            .observe = on_observe,
                                            .hears = on_hears};

/* A ring, so that it is connected, and random chords up to the degree. */
static void link_up(struct world *world)
{
    uint32_t degree[AGENTS] = {0};
    for (uint32_t step = 0; step < 40 * AGENTS; step++) {
        uint32_t a = step < AGENTS ? step : (uint32_t)chirr_random_below(&world->random, AGENTS);
        uint32_t b =
            step < AGENTS ? (a + 1) % AGENTS : (uint32_t)chirr_random_below(&world->random, AGENTS);
        if (a != b && !world->linked[a][b] && degree[a] < DEGREE && degree[b] < DEGREE) {
            world->linked[a][b] = world->linked[b][a] = true;
            degree[a]++;
            degree[b]++;
        }
    }
}

static int compare_ids(const void *a, const void *b)
{
    chirr_agent_id left = *(const chirr_agent_id *)a;
    chirr_agent_id right = *(const chirr_agent_id *)b;
    return (left > right) - (left < right);
}

/* The overlay's part: neighbours that are up. */
static void tell_neighbours(struct world *world, uint32_t node)
{
    struct agent *agent = &world->agents[node];
    agent->neighbour_count = 0;
    for (uint32_t i = 0; i < AGENTS; i++) {
        if (world->linked[node][i] && !world->down[i]) {
            agent->neighbours[agent->neighbour_count++] = sample_agent(i);
        }
    }
    qsort(agent->neighbours, agent->neighbour_count, sizeof agent->neighbours[0], compare_ids);
    chirr_dissemination_set_neighbours(agent->dissemination, agent->neighbours,
                                       agent->neighbour_count, false);
}

static void agent_init(struct world *world, uint32_t node, uint64_t seed)
{
    struct agent *agent = &world->agents[node];
    const struct chirr_records_config records = {.agents_max = AGENTS, .tasks_max = 2048};
    struct chirr_membership_config membership = chirr_membership_config_default();
    membership.self = sample_agent(node);
    membership.members_max = AGENTS;
    struct chirr_dissemination_config config = chirr_dissemination_config_default();
    config.self = sample_agent(node);
    config.seed = seed;
    cr_assert_eq(chirr_arena_init(&agent->arena, chirr_records_bytes(&records) +
                                                     chirr_membership_bytes(&membership) +
                                                     chirr_dissemination_bytes(&config)),
                 CHIRR_OK);
    agent->store = chirr_records_create(&agent->arena, &records);
    agent->membership = chirr_membership_create(&agent->arena, &membership, 0);
    agent->dissemination = chirr_dissemination_create(&agent->arena, &config, agent->store, 0);
    cr_assert_not_null(agent->dissemination);
    for (uint32_t i = 0; i < AGENTS; i++) {
        cr_assert_eq(chirr_membership_add(agent->membership, sample_agent(i), 1, 0), CHIRR_OK);
    }
    tell_neighbours(world, node);
    struct chirr_record card = sample_card(node);
    cr_assert_eq(chirr_dissemination_state(agent->dissemination, &card, 1, 0), CHIRR_OK);
}

static struct world *world_create(uint64_t seed, uint32_t loss_permille)
{
    struct world *world = calloc(1, sizeof *world);
    cr_assert_not_null(world);
    chirr_random_init(&world->random, seed, 99);
    const struct mesh_config network = {.seed = seed,
                                        .node_count = AGENTS,
                                        .latency_min_us = 1000,
                                        .latency_max_us = 20000,
                                        .loss_permille = loss_permille};
    world->mesh = mesh_create(&network, &machine, world);
    link_up(world);
    for (uint32_t i = 0; i < AGENTS; i++) {
        agent_init(world, i, seed);
        mesh_drain(world->mesh, i);
    }
    return world;
}

static void world_destroy(struct world *world)
{
    mesh_destroy(world->mesh);
    for (uint32_t i = 0; i < AGENTS; i++) {
        chirr_arena_finish(&world->agents[i].arena);
    }
    free(world);
}

/* One statement after another, each by one of the first `senders`, at random. */
static void talk(struct world *world, uint32_t senders, uint32_t statements)
{
    for (uint32_t i = 0; i < statements; i++) {
        uint32_t node = (uint32_t)chirr_random_below(&world->random, senders);
        struct agent *agent = &world->agents[node];
        if (!world->down[node]) {
            struct chirr_record task = sample_task(node, ++agent->said);
            cr_assert_eq(
                chirr_dissemination_state(agent->dissemination, &task, 1, mesh_now(world->mesh)),
                CHIRR_OK);
            mesh_drain(world->mesh, node);
        }
        mesh_run(world->mesh, mesh_now(world->mesh) + STATEMENT_INTERVAL_US);
    }
}

struct traffic {
    uint64_t first, duplicates;
};

static struct traffic traffic_of(const struct world *world)
{
    struct traffic traffic = {0, 0};
    for (uint32_t i = 0; i < AGENTS; i++) {
        struct chirr_dissemination_counters count =
            chirr_dissemination_count(world->agents[i].dissemination);
        traffic.first += count.first_deliveries;
        traffic.duplicates += count.duplicates;
    }
    return traffic;
}

/* Extra copies per delivery, once the tree has settled. */
static double steady_redundancy(uint64_t seed, uint32_t senders)
{
    struct world *world = world_create(seed, 0);
    mesh_run(world->mesh, 5 * CHIRR_US_PER_S);
    talk(world, senders, 300);
    struct traffic before = traffic_of(world);
    talk(world, senders, 300);
    struct traffic after = traffic_of(world);
    world_destroy(world);
    cr_assert_gt(after.first - before.first, 300 * (AGENTS - 1) * 9 / 10);
    return (double)(after.duplicates - before.duplicates) / (double)(after.first - before.first);
}

Test(broadcast_swarm, one_sender_is_heard_nearly_without_extra_copies)
{
    for (uint64_t seed = 0; seed < 4; seed++) {
        double redundancy = steady_redundancy(seed, 1);
        cr_assert_leq(redundancy, 0.2, "seed %llu: %.3f", (unsigned long long)seed, redundancy);
    }
}

Test(broadcast_swarm, many_senders_share_one_tree)
{
    for (uint64_t seed = 0; seed < 4; seed++) {
        double redundancy = steady_redundancy(seed, AGENTS);
        cr_assert_leq(redundancy, 0.8, "seed %llu: %.3f", (unsigned long long)seed, redundancy);
    }
}

static bool has_heard(const struct world *world, uint32_t node, uint32_t submitter, uint64_t nonce)
{
    const struct chirr_record task = sample_task(submitter, nonce);
    return chirr_records_task(world->agents[node].store, task.task.id) != NULL;
}

static void assert_nobody_missed(const struct world *world, uint64_t seed)
{
    for (uint32_t i = 0; i < AGENTS; i++) {
        for (uint32_t j = 0; j < AGENTS && !world->down[i]; j++) {
            for (uint64_t nonce = 1; nonce <= world->agents[j].said; nonce++) {
                cr_assert(world->down[j] || has_heard(world, i, j, nonce),
                          "seed %llu: agent %u missed what agent %u said", (unsigned long long)seed,
                          i, j);
            }
        }
    }
}

Test(broadcast_swarm, nobody_misses_anything_when_a_fifth_is_lost_and_a_third_killed)
{
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct world *world = world_create(seed, 200);
        mesh_run(world->mesh, 5 * CHIRR_US_PER_S);
        talk(world, AGENTS, 100);
        for (uint32_t i = 0; i < AGENTS * 3 / 10; i++) {
            uint32_t node = (uint32_t)chirr_random_below(&world->random, AGENTS);
            world->down[node] = true;
            mesh_set_up(world->mesh, node, false);
        }
        talk(world, AGENTS, 100);
        for (uint32_t i = 0; i < AGENTS; i++) {
            tell_neighbours(world, i); /* the dead are noticed only now */
        }
        talk(world, AGENTS, 100);
        mesh_run(world->mesh, mesh_now(world->mesh) + 30 * CHIRR_US_PER_S);
        assert_nobody_missed(world, seed);
        world_destroy(world);
    }
}

Test(broadcast_swarm, what_the_tree_loses_is_grafted_long_before_the_repair)
{
    struct world *world = world_create(1, 0);
    mesh_run(world->mesh, 5 * CHIRR_US_PER_S);
    talk(world, AGENTS, 300);
    mesh_set_loss(world->mesh, 200);
    struct agent *speaker = &world->agents[0];
    struct chirr_record task = sample_task(0, ++speaker->said);
    cr_assert_eq(chirr_dissemination_state(speaker->dissemination, &task, 1, mesh_now(world->mesh)),
                 CHIRR_OK);
    mesh_drain(world->mesh, 0);
    mesh_run(world->mesh, mesh_now(world->mesh) + 700000);
    uint32_t heard = 0;
    for (uint32_t i = 0; i < AGENTS; i++) {
        heard += has_heard(world, i, 0, speaker->said);
    }
    cr_assert_geq(heard, AGENTS - 2, "%u", heard);
    world_destroy(world);
}
