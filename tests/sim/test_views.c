#include "sim/views.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/support.h"

/* Local views in the simulator: more agents than anyone knows. */

#define AGENTS_MAX 64 /* of whom one holds anything; half of them members */
#define FORMED_US (15 * CHIRR_US_PER_S)
#define SWEEP_SCENARIOS 4

static struct chirr_sim_scenario scenario;

/* A tenth of a swarm of sensors can work; messages are lost. No tasks yet. */
static void setup(void)
{
    scenario = chirr_sim_scenario_default();
    scenario.seed = test_seed(7);
    scenario.agent_count = 100;
    scenario.seed_count = 3;
    scenario.duration_ms = 30 * 1000;
    scenario.network.loss = 0.02;
    scenario.device_count = 2;
    scenario.devices[0] =
        (struct chirr_sim_device){.name = "sensor", .share = 9, .cpu_permille = 100};
    scenario.devices[1] =
        (struct chirr_sim_device){.name = "server", .share = 1, .cpu_permille = 1000, .slots = 1};
    scenario.work.kind_count = 1;
    scenario.work.kinds[0] = test_kind();
    scenario.node.local_view = true;
    scenario.agents_max = AGENTS_MAX;
    chirr_sim_scenario_derive(&scenario);
}

TestSuite(views, .init = setup, .timeout = 300);

static void add_tasks(uint32_t count)
{
    scenario.work.task_count = count;
    scenario.work.from_ms = 10 * 1000;
    scenario.work.until_ms = 25 * 1000;
    scenario.work.time_limit_ms = 10 * 1000;
}

static void assert_all_tasks_done(const struct chirr_sim_world *world)
{
    for (uint32_t i = 0; i < scenario.work.task_count; i++) {
        const struct chirr_sim_task *task = chirr_sim_workload_at(world->workload, i);
        const struct chirr_record *end = chirr_sim_invariants_known(world, task->id);
        cr_assert(end != NULL && end->task.phase == CHIRR_TASK_DONE, "task %u, seed %" PRIu64, i,
                  scenario.seed);
    }
}

Test(views, with_a_local_view_every_task_is_done)
{
    add_tasks(20);
    struct chirr_sim_world *world = test_played(&scenario);
    cr_assert_leq(world->invariants.members_max, AGENTS_MAX / 2);
    assert_all_tasks_done(world);
    cr_assert_leq(world->invariants.duplicate_completions, 1);
    chirr_sim_world_destroy(world);
}

Test(views, with_a_local_view_every_task_is_done_although_agents_crash)
{
    add_tasks(20);
    scenario.crash_count = 2;
    scenario.crashes[0] =
        (struct chirr_sim_crash){.at_ms = 14000, .down_for_ms = 5000, .count = 10};
    scenario.crashes[1] = (struct chirr_sim_crash){.at_ms = 18000, .count = 5};
    struct chirr_sim_world *world = test_played(&scenario);
    cr_assert_geq(world->counters.crashes, 10);
    assert_all_tasks_done(world);
    chirr_sim_world_destroy(world);
}

/* What one agent holds and takes, at most. */
struct footprint {
    uint32_t members, authors;
    size_t node_bytes;
};

static struct footprint footprint_among(uint32_t agents)
{
    scenario.agent_count = agents;
    chirr_sim_scenario_derive(&scenario);
    struct chirr_sim_world *world = test_played(&scenario);
    struct footprint most = {.members = world->invariants.members_max,
                             .authors = world->invariants.authors_max};
    for (uint32_t i = 0; i < agents; i++) {
        size_t bytes = world->peers[i].node_memory.used;
        most.node_bytes = bytes > most.node_bytes ? bytes : most.node_bytes;
    }
    chirr_sim_world_destroy(world);
    return most;
}

Test(views, what_an_agent_holds_does_not_grow_with_the_swarm)
{
    add_tasks(6);
    struct footprint among_100 = footprint_among(100);
    struct footprint among_300 = footprint_among(300);
    cr_assert_eq(among_300.node_bytes, among_100.node_bytes);
    cr_assert_leq(among_100.members, AGENTS_MAX / 2);
    cr_assert_leq(among_300.members, AGENTS_MAX / 2);
    cr_assert_leq(among_100.authors, AGENTS_MAX);
    cr_assert_leq(among_300.authors, AGENTS_MAX);

    scenario.node.local_view = false;
    scenario.agents_max = 0;
    cr_assert_gt(footprint_among(100).members, AGENTS_MAX, "a full view does");
}

/* What is known to whoever is up. */
static uint32_t count_holders(const struct chirr_sim_world *world, uint32_t task)
{
    chirr_task_id id = chirr_sim_workload_at(world->workload, task)->id;
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct chirr_sim_peer *peer = &world->peers[i];
        count += peer->up && chirr_records_task(chirr_node_records(peer->node), id) != NULL;
    }
    return count;
}

Test(views, a_broadcast_reaches_everybody_over_local_views)
{
    scenario.agent_count = 300;
    scenario.devices[1].slots = 0; /* nobody takes the task: it stays what was said */
    scenario.work.task_count = 3;
    scenario.work.from_ms = scenario.work.until_ms = 1000 * 1000; /* at hand before that */
    chirr_sim_scenario_derive(&scenario);
    struct chirr_sim_world *world = test_world(&scenario);
    chirr_sim_world_run(world, FORMED_US);
    for (uint32_t task = 0; task < scenario.work.task_count; task++) {
        chirr_sim_world_submit(world, 100 * task + 17, task);
        chirr_sim_world_run(world, chirr_sim_world_now(world) + 2 * CHIRR_US_PER_S);
        cr_assert_eq(count_holders(world, task), 300, "%u of 300 hold it, seed %" PRIu64,
                     count_holders(world, task), scenario.seed);
    }
    cr_assert_not(world->invariants.violated, "%s", world->invariants.violation);
    chirr_sim_world_destroy(world);
}

/* ---- Replay ---------------------------------------------------------------------------------- */

static void *play_on_thread(void *hash)
{
    struct chirr_sim_world *world = test_played(&scenario);
    *(uint64_t *)hash = chirr_sim_world_state_hash(world);
    chirr_sim_world_destroy(world);
    return NULL;
}

/* A sweep runs many worlds at a time: none may be felt by another. */
Test(views, worlds_on_several_threads_have_the_hash_of_one_alone)
{
    add_tasks(10);
    uint64_t alone;
    uint64_t beside[3] = {0};
    pthread_t threads[3];
    play_on_thread(&alone);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, play_on_thread, &beside[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
        cr_assert_eq(beside[i], alone, "thread %d, seed %" PRIu64, i, scenario.seed);
    }
}

/* ---- What is right --------------------------------------------------------------------------- */

Test(views, before_they_have_met_they_do_not_hang_together)
{
    char words[128] = "";
    struct chirr_sim_world *world = test_world(&scenario);
    chirr_sim_world_run(world, 100 * CHIRR_US_PER_MS);
    cr_assert_not(chirr_sim_views_are_right(world, words, sizeof words));
    cr_assert_not_null(strstr(words, "no chain of neighbours leads from agent"), "%s", words);
    chirr_sim_world_run(world, FORMED_US);
    cr_assert(chirr_sim_views_are_right(world, words, sizeof words), "%s, seed %" PRIu64, words,
              scenario.seed);
    chirr_sim_world_destroy(world);
}

Test(views, a_neighbour_that_crashed_is_wrong_until_it_is_found_out)
{
    char words[128] = "";
    scenario.crash_count = 1;
    scenario.crashes[0] = (struct chirr_sim_crash){.at_ms = 20000, .count = 10};
    struct chirr_sim_world *world = test_world(&scenario);
    chirr_sim_world_run(world, 21 * CHIRR_US_PER_S);
    cr_assert_not(chirr_sim_views_are_right(world, words, sizeof words));
    cr_assert_not_null(strstr(words, "which is down, for a neighbour"), "%s", words);
    chirr_sim_world_run(world, 60 * CHIRR_US_PER_S);
    cr_assert(chirr_sim_views_are_right(world, words, sizeof words), "%s, seed %" PRIu64, words,
              scenario.seed);
    chirr_sim_world_destroy(world);
}

/* ---- Sweep ----------------------------------------------------------------------------------- */

/* A part of the swarm is cut off, others crash, stand still or lose their disks. */
static void random_scenario(uint64_t seed)
{
    struct chirr_random random;
    chirr_random_init(&random, seed, 1);
    setup();
    scenario.seed = seed;
    scenario.agent_count = 70 + (uint32_t)chirr_random_below(&random, 60);
    scenario.network.loss = 0.01 * (double)chirr_random_below(&random, 16);
    scenario.network.partition_count = 1;
    scenario.network.partitions[0] =
        (struct chirr_sim_partition){.from_ms = 12000, .until_ms = 20000};
    for (uint32_t i = 0; i < scenario.agent_count; i++) {
        scenario.network.partitions[0].group[i] = chirr_random_below(&random, 3) == 0;
    }
    scenario.crash_count = 2;
    scenario.crashes[0] = (struct chirr_sim_crash){.at_ms = 8000, .down_for_ms = 10000, .count = 6};
    scenario.crashes[1] = (struct chirr_sim_crash){
        .at_ms = 22000, .down_for_ms = 5000, .disk = CHIRR_SIM_DISK_LOST, .count = 3};
    scenario.pause_count = 1;
    scenario.pauses[0] = (struct chirr_sim_pause){.at_ms = 15000, .for_ms = 4000, .count = 5};
    add_tasks(10 + (uint32_t)chirr_random_below(&random, 20));
    scenario.bounds.settle_ms = 180 * 1000;
    chirr_sim_scenario_derive(&scenario);
}

Test(views, invariants_hold_over_random_scenarios, .timeout = 600)
{
    uint64_t first = test_seed(1000);
    uint64_t count = getenv("CHIRR_TEST_SEED") != NULL ? 1 : SWEEP_SCENARIOS;
    for (uint64_t seed = first; seed < first + count; seed++) {
        random_scenario(seed);
        chirr_sim_world_destroy(test_played(&scenario));
    }
}
