#include "sim/world.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "tests/sim/support.h"

#define SWEEP_SCENARIOS 30

static struct chirr_sim_scenario scenario;

/* Six agents, learning and working, with loss, a partition and a crash; forty seconds. */
static void setup(void)
{
    scenario = chirr_sim_scenario_default();
    scenario.agent_count = 6;
    scenario.duration_ms = 40 * 1000;
    scenario.network.loss = 0.1;
    scenario.network.duplicate = 0.05;
    scenario.network.partition_count = 1;
    scenario.network.partitions[0] =
        (struct chirr_sim_partition){.from_ms = 10000, .until_ms = 20000};
    scenario.network.partitions[0].group[0] = 1;
    scenario.network.partitions[0].group[1] = 1;
    scenario.crash_count = 1;
    scenario.crashes[0] = (struct chirr_sim_crash){.at_ms = 15000, .down_for_ms = 5000, .count = 1};
    scenario.work.task_count = 20;
    scenario.work.from_ms = 4000;
    scenario.work.until_ms = 30000;
    scenario.work.cancel_permille = 100;
    scenario.work.kind_count = 1;
    scenario.work.kinds[0] = test_kind();
    scenario.learning.enabled = true;
    scenario.bounds.settle_ms = 60 * 1000;
    chirr_sim_scenario_derive(&scenario);
}

TestSuite(world, .init = setup);

static struct chirr_sim_world *make(void)
{
    return test_world(&scenario);
}

static struct chirr_sim_world *play(void)
{
    return test_played(&scenario);
}

static uint64_t played_hash(void)
{
    struct chirr_sim_world *world = play();
    uint64_t hash = chirr_sim_world_state_hash(world);
    chirr_sim_world_destroy(world);
    return hash;
}

/* ---- Replay ---------------------------------------------------------------------------------- */

Test(world, one_seed_gives_one_hash_and_another_seed_another)
{
    uint64_t first = played_hash();
    cr_assert_eq(played_hash(), first);
    scenario.seed++;
    cr_assert_neq(played_hash(), first);
}

Test(world, running_in_pieces_changes_nothing)
{
    struct chirr_sim_world *whole = make();
    struct chirr_sim_world *pieces = make();
    chirr_sim_world_run(whole, 20 * CHIRR_US_PER_S);
    for (chirr_time_us until = 1; until < 20 * CHIRR_US_PER_S; until += 777777) {
        chirr_sim_world_run(pieces, until);
    }
    chirr_sim_world_run(pieces, 20 * CHIRR_US_PER_S);
    cr_assert_eq(chirr_sim_world_state_hash(pieces), chirr_sim_world_state_hash(whole));
    chirr_sim_world_destroy(whole);
    chirr_sim_world_destroy(pieces);
}

/* ---- What happens ---------------------------------------------------------------------------- */

static void without_faults(void)
{
    scenario.network.loss = 0;
    scenario.network.duplicate = 0;
    scenario.network.partition_count = 0;
    scenario.crash_count = 0;
    scenario.work.cancel_permille = 0;
}

Test(world, without_faults_every_task_is_done_once)
{
    without_faults();
    struct chirr_sim_world *world = play();
    uint32_t starts = 0;
    for (uint32_t i = 0; i < scenario.work.task_count; i++) {
        const struct chirr_sim_task *task = chirr_sim_workload_at(world->workload, i);
        cr_assert_eq(task->completions, 1, "task %u: %u completions", i, task->completions);
        starts += task->start_count;
    }
    /* Where bids cross on the way two agents can start a task, and one of them is stopped. */
    cr_assert_leq(starts, scenario.work.task_count + scenario.work.task_count / 10);
    chirr_sim_world_destroy(world);
}

/* Regression: heartbeats carried an incarnation that grew with refutations, so that after a healed
 * partition every run was taken for a dead process's and auctioned again. */
Test(world, a_refutation_does_not_cost_a_lease)
{
    without_faults();
    scenario.network.partition_count = 1;
    scenario.work.from_ms = 30000;
    scenario.work.until_ms = 35000;
    struct chirr_sim_world *world = play();
    cr_assert_gt(chirr_sim_network_count(world->network)->dropped[CHIRR_SIM_DROP_PARTITION], 0);
    for (uint32_t i = 0; i < scenario.work.task_count; i++) {
        const struct chirr_sim_task *task = chirr_sim_workload_at(world->workload, i);
        cr_assert_eq(task->start_count, 1, "task %u: %u starts", i, task->start_count);
    }
    chirr_sim_world_destroy(world);
}

Test(world, a_partition_is_seen_and_healed)
{
    without_faults();
    scenario.network.partition_count = 1;
    /* With few left to confirm a suspicion, Lifeguard takes its time. */
    scenario.network.partitions[0].until_ms = 130000;
    struct chirr_sim_world *world = make();
    const struct chirr_sim_peer *a = &world->peers[0];
    const struct chirr_sim_peer *b = &world->peers[5];
    chirr_sim_world_run(world, 9 * CHIRR_US_PER_S);
    cr_assert(chirr_membership_is_live(chirr_node_membership(a->node), b->id));
    chirr_sim_world_run(world, 129 * CHIRR_US_PER_S);
    cr_assert_not(chirr_membership_is_live(chirr_node_membership(a->node), b->id));
    cr_assert_not(chirr_membership_is_live(chirr_node_membership(b->node), a->id));
    chirr_sim_world_run(world, 140 * CHIRR_US_PER_S);
    cr_assert(chirr_membership_is_live(chirr_node_membership(a->node), b->id));
    cr_assert(chirr_membership_is_live(chirr_node_membership(b->node), a->id));
    chirr_sim_world_destroy(world);
}

Test(world, a_kept_disk_brings_tasks_back_and_a_lost_one_does_not)
{
    without_faults();
    scenario.agent_count = 2;
    scenario.devices[0].slots = 0; /* nobody runs anything: tasks stay open */
    scenario.network.partition_count = 1;
    scenario.network.partitions[0] = (struct chirr_sim_partition){.until_ms = 100000};
    scenario.network.partitions[0].group[0] = 1; /* nobody hears of them either */
    scenario.crash_count = 1;
    for (int disk = CHIRR_SIM_DISK_KEPT; disk <= CHIRR_SIM_DISK_LOST; disk++) {
        scenario.crashes[0] = (struct chirr_sim_crash){
            .at_ms = 35000, .down_for_ms = 1000, .disk = (enum chirr_sim_disk_fate)disk};
        scenario.crashes[0].set[0] = true;
        chirr_sim_scenario_derive(&scenario);
        struct chirr_sim_world *world = make();
        chirr_sim_world_run(world, 34 * CHIRR_US_PER_S);
        const struct chirr_sim_peer *peer = &world->peers[0];
        uint32_t before = chirr_records_task_count(chirr_node_records(peer->node));
        cr_assert_gt(before, 0);
        chirr_sim_world_run(world, 37 * CHIRR_US_PER_S);
        uint32_t after = chirr_records_task_count(chirr_node_records(peer->node));
        cr_assert_eq(after, disk == CHIRR_SIM_DISK_KEPT ? before : 0);
        chirr_sim_world_destroy(world);
    }
}

/* Regression: nobody was left who could have told them of it, and they could not answer it. */
Test(world, a_survivor_is_known_again_to_all_who_lost_their_disks)
{
    without_faults();
    scenario.crash_count = 1;
    scenario.crashes[0] =
        (struct chirr_sim_crash){.at_ms = 15000, .down_for_ms = 1500, .disk = CHIRR_SIM_DISK_LOST};
    for (uint32_t i = 0; i < scenario.agent_count - 1; i++) {
        scenario.crashes[0].set[i] = true;
    }
    struct chirr_sim_world *world = make();
    chirr_sim_world_run(world, 35 * CHIRR_US_PER_S);
    const struct chirr_sim_peer *survivor = &world->peers[scenario.agent_count - 1];
    for (uint32_t i = 0; i < scenario.agent_count - 1; i++) {
        const struct chirr_membership *view = chirr_node_membership(world->peers[i].node);
        cr_assert(chirr_membership_is_live(view, survivor->id), "agent %u", i);
    }
    chirr_sim_world_destroy(world);
}

/* ---- Pauses ---------------------------------------------------------------------------------- */

Test(world, who_stands_still_says_nothing_and_hears_it_all_afterwards)
{
    without_faults();
    scenario.learning.enabled = false;
    scenario.pause_count = 1;
    scenario.pauses[0] = (struct chirr_sim_pause){.at_ms = 20000, .for_ms = 3000};
    scenario.pauses[0].set[2] = true;
    struct chirr_sim_world *world = make();
    const struct chirr_sim_peer *sleeper = &world->peers[2];
    chirr_sim_world_run(world, 19999 * CHIRR_US_PER_MS);
    const struct chirr_node_counters *count = chirr_node_count(sleeper->node);
    chirr_sim_world_run(world, 20 * CHIRR_US_PER_S);
    uint64_t heard = count->received[CHIRR_MESSAGE_HEARTBEAT];
    chirr_sim_world_run(world, 22999 * CHIRR_US_PER_MS);
    cr_assert_eq(count->received[CHIRR_MESSAGE_HEARTBEAT], heard);
    cr_assert_gt(sleeper->held.count, 10);
    chirr_sim_world_run(world, 23 * CHIRR_US_PER_S);
    cr_assert_eq(sleeper->held.count, 0);
    cr_assert_geq(count->received[CHIRR_MESSAGE_HEARTBEAT], heard + 2 * 5);
    cr_assert_eq(world->counters.pauses, 1);
    chirr_sim_world_destroy(world);
}

Test(world, a_crash_during_a_pause_takes_with_it_what_was_held)
{
    without_faults();
    scenario.pause_count = 1;
    scenario.pauses[0] = (struct chirr_sim_pause){.at_ms = 20000, .for_ms = 9000};
    scenario.pauses[0].set[2] = true;
    scenario.crash_count = 1;
    scenario.crashes[0] = (struct chirr_sim_crash){.at_ms = 22000, .down_for_ms = 1000};
    scenario.crashes[0].set[2] = true;
    struct chirr_sim_world *world = make();
    chirr_sim_world_run(world, 22 * CHIRR_US_PER_S);
    cr_assert_eq(world->peers[2].held.count, 0);
    chirr_sim_world_run(world, 24 * CHIRR_US_PER_S);
    cr_assert(world->peers[2].up);
    cr_assert_eq(world->peers[2].paused_until, 0, "a new process does not stand still");
    cr_assert(chirr_sim_world_play(world), "%s", world->invariants.violation);
    chirr_sim_world_destroy(world);
}

/* What is due at a paused agent happens later; nothing is forgotten or done twice. */
Test(world, pauses_cost_time_but_no_task)
{
    without_faults();
    scenario.pause_count = 1;
    scenario.pauses[0] = (struct chirr_sim_pause){
        .at_ms = 5000, .for_ms = 1500, .awake_ms = 2000, .until_ms = 35000, .count = 3};
    struct chirr_sim_world *world = play();
    cr_assert_gt(world->counters.pauses, 15);
    for (uint32_t i = 0; i < scenario.work.task_count; i++) {
        cr_assert_geq(chirr_sim_workload_at(world->workload, i)->completions, 1, "task %u", i);
    }
    chirr_sim_world_destroy(world);
}

/* ---- One direction --------------------------------------------------------------------------- */

Test(world, who_is_heard_but_cannot_hear_is_found_out_and_taken_back)
{
    without_faults();
    scenario.learning.enabled = false;
    scenario.network.loss_count = 1;
    scenario.network.losses[0] =
        (struct chirr_sim_directed_loss){.from_ms = 10000, .until_ms = 60000, .loss = 1};
    for (uint32_t i = 0; i < scenario.agent_count; i++) {
        scenario.network.losses[0].senders[i] = i != 0;
    }
    scenario.network.losses[0].receivers[0] = true;
    struct chirr_sim_world *world = make();
    chirr_sim_world_run(world, 100 * CHIRR_US_PER_S);
    cr_assert_not(world->invariants.violated, "%s", world->invariants.violation);
    for (uint32_t i = 1; i < scenario.agent_count; i++) {
        const struct chirr_membership *view = chirr_node_membership(world->peers[i].node);
        cr_assert(chirr_membership_is_live(view, world->peers[0].id), "agent %u", i);
        view = chirr_node_membership(world->peers[0].node);
        cr_assert(chirr_membership_is_live(view, world->peers[i].id), "to agent %u", i);
    }
    chirr_sim_world_destroy(world);
}

Test(world, an_invariant_that_breaks_stops_the_run)
{
    without_faults();
    scenario.work.task_count = 0;
    scenario.bounds.views_ms = 1; /* nobody meets that */
    struct chirr_sim_world *world = make();
    cr_assert_not(chirr_sim_world_play(world));
    cr_assert(world->invariants.violated);
    cr_assert_lt(world->invariants.violated_at, 10 * CHIRR_US_PER_S);
    chirr_sim_world_destroy(world);
}

/* ---- Sweep ----------------------------------------------------------------------------------- */

static uint32_t below(struct chirr_random *random, uint32_t bound)
{
    return (uint32_t)chirr_random_below(random, bound);
}

static void random_partitions(struct chirr_random *random)
{
    scenario.network.partition_count = below(random, 4);
    for (uint32_t i = 0; i < scenario.network.partition_count; i++) {
        struct chirr_sim_partition *partition = &scenario.network.partitions[i];
        *partition = (struct chirr_sim_partition){.from_ms = 5000 + below(random, 40000)};
        partition->until_ms = partition->from_ms + 500 + below(random, 15000);
        for (uint32_t agent = 0; agent < scenario.agent_count; agent++) {
            partition->group[agent] = (uint8_t)below(random, 3);
        }
    }
}

static void random_crashes(struct chirr_random *random)
{
    scenario.crash_count = below(random, 5);
    for (uint32_t i = 0; i < scenario.crash_count; i++) {
        scenario.crashes[i] = (struct chirr_sim_crash){
            .at_ms = 5000 + below(random, 45000),
            .down_for_ms = 200 + below(random, 12000),
            .disk = below(random, 3) == 0 ? CHIRR_SIM_DISK_LOST : CHIRR_SIM_DISK_KEPT,
            .count = 1 + below(random, 2),
        };
    }
}

static void random_pauses(struct chirr_random *random)
{
    scenario.pause_count = below(random, 3);
    for (uint32_t i = 0; i < scenario.pause_count; i++) {
        uint32_t at_ms = 5000 + below(random, 40000);
        bool repeats = below(random, 2) == 0;
        scenario.pauses[i] = (struct chirr_sim_pause){
            .at_ms = at_ms,
            .for_ms = 50 + below(random, 5000),
            .awake_ms = repeats ? 5 + below(random, 1000) : 0,
            .until_ms = repeats ? at_ms + 10000 : 0,
            .count = 1 + below(random, 2),
        };
    }
}

static void random_losses(struct chirr_random *random)
{
    scenario.network.loss_count = below(random, 3);
    for (uint32_t i = 0; i < scenario.network.loss_count; i++) {
        struct chirr_sim_directed_loss *loss = &scenario.network.losses[i];
        *loss = (struct chirr_sim_directed_loss){.from_ms = 5000 + below(random, 40000)};
        loss->until_ms = loss->from_ms + 500 + below(random, 10000);
        loss->loss = 0.1 * (1 + below(random, 10));
        for (uint32_t agent = 0; agent < scenario.agent_count; agent++) {
            loss->senders[agent] = below(random, 2) == 0;
            loss->receivers[agent] = below(random, 2) == 0;
        }
    }
}

/* Five to eight agents for a minute (every eighth time up to 24, past the mesh), with up to 30%
 * loss, partitions, crashes, pauses and losses in one direction at random. */
static void random_scenario(uint64_t seed)
{
    struct chirr_random random;
    chirr_random_init(&random, seed, 1);
    setup();
    scenario.seed = seed;
    scenario.agent_count = below(&random, 8) == 0 ? 16 + below(&random, 9) : 5 + below(&random, 4);
    scenario.duration_ms = 60 * 1000;
    scenario.network.loss = 0.01 * below(&random, 31);
    scenario.network.latency.spread_ms = 1 + below(&random, 100);
    scenario.devices[0].slots = 1 + below(&random, 2);
    scenario.work.task_count = 10 + below(&random, 30);
    scenario.work.until_ms = 50000;
    scenario.work.kinds[0].fail_permille = below(&random, 200);
    scenario.work.kinds[0].size_bytes_max = 1000 + below(&random, 12000);
    scenario.learning.enabled = below(&random, 4) == 0;
    scenario.bounds.settle_ms = 180 * 1000;
    random_partitions(&random);
    random_crashes(&random);
    random_pauses(&random);
    random_losses(&random);
    chirr_sim_scenario_derive(&scenario);
}

Test(world, invariants_hold_over_random_scenarios, .timeout = 600)
{
    uint64_t first = test_seed(1000);
    uint64_t count = getenv("CHIRR_TEST_SEED") != NULL ? 1 : SWEEP_SCENARIOS;
    for (uint64_t seed = first; seed < first + count; seed++) {
        random_scenario(seed);
        chirr_sim_world_destroy(play());
    }
}
