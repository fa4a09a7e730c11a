/* A hundred agents, each with five neighbours: what is pushed along the tree, and what is missed.
 */
#include "swarm/dissemination.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/random.h"
#include "tests/support/mesh.h"
#include "tests/support/sample.h"
#include "tests/support/sanitizer.h"
#include "tests/swarm/dissemination_agent.h"

#define AGENTS 100
#define DEGREE 5
#define STATEMENT_INTERVAL_US 20000

/* More seeds show that the bounds hold by more than chance. Under a sanitizer each takes up to ten
 * seconds of CPU, and what that is there to find it finds in fewer. */
#define TREE_SEEDS (ADDRESS_SANITIZER ? 1 : 4)
#define LOSS_SEEDS (ADDRESS_SANITIZER ? 2 : 6)

struct world {
    struct agent agents[AGENTS]; /* first, for the mesh */
    uint64_t said[AGENTS];
    struct chirr_random random;
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

static const struct mesh_machine machine = {.receive = agents_receive,
                                            .tick = agents_tick,
                                            .deadline = agents_deadline,
                                            .poll = agents_poll,
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
    chirr_agent_id neighbours[AGENTS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < AGENTS; i++) {
        if (world->linked[node][i] && !world->down[i]) {
            neighbours[count++] = sample_agent(i);
        }
    }
    qsort(neighbours, count, sizeof neighbours[0], compare_ids);
    chirr_dissemination_set_neighbours(world->agents[node].dissemination, neighbours, count, false);
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
    static const struct agent_swarm swarm = {.agent_count = AGENTS, .tasks_max = 2048};
    struct chirr_dissemination_config config = chirr_dissemination_config_default();
    config.seed = seed;
    world->mesh = mesh_create(&network, &machine, world);
    link_up(world);
    for (uint32_t i = 0; i < AGENTS; i++) {
        agent_create_among(&world->agents[i], &config, &swarm, i, 1, 0);
        tell_neighbours(world, i);
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
            struct chirr_record task = sample_task(node, ++world->said[node]);
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
    for (uint64_t seed = 0; seed < TREE_SEEDS; seed++) {
        double redundancy = steady_redundancy(seed, 1);
        cr_assert_leq(redundancy, 0.2, "seed %llu: %.3f", (unsigned long long)seed, redundancy);
    }
}

Test(broadcast_swarm, many_senders_share_one_tree)
{
    for (uint64_t seed = 0; seed < TREE_SEEDS; seed++) {
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
            for (uint64_t nonce = 1; nonce <= world->said[j]; nonce++) {
                cr_assert(world->down[j] || has_heard(world, i, j, nonce),
                          "seed %llu: agent %u missed what agent %u said", (unsigned long long)seed,
                          i, j);
            }
        }
    }
}

Test(broadcast_swarm, nobody_misses_anything_when_a_fifth_is_lost_and_a_third_killed)
{
    for (uint64_t seed = 0; seed < LOSS_SEEDS; seed++) {
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
    struct chirr_record task = sample_task(0, ++world->said[0]);
    cr_assert_eq(chirr_dissemination_state(speaker->dissemination, &task, 1, mesh_now(world->mesh)),
                 CHIRR_OK);
    mesh_drain(world->mesh, 0);
    mesh_run(world->mesh, mesh_now(world->mesh) + 700000);
    uint32_t heard = 0;
    for (uint32_t i = 0; i < AGENTS; i++) {
        heard += has_heard(world, i, 0, world->said[0]);
    }
    cr_assert_geq(heard, AGENTS - 2, "%u", heard);
    world_destroy(world);
}
