/* Many auctions over a network: what holds without faults, with them, and at rest. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/swarm/auction_world.h"

#define S CHIRR_US_PER_S
#define MS CHIRR_US_PER_MS

static uint32_t claims_stated(struct world *world)
{
    uint32_t stated = 0;
    for (uint32_t i = 0; i < WORLD_AGENTS_MAX; i++) {
        stated += world_agent(world, i)->claims_stated;
    }
    return stated;
}

static uint32_t starts_of(struct world *world, uint32_t task)
{
    const struct world_start *starts;
    uint32_t count = world_starts(world, &starts);
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        found += starts[i].task == world_task(world, task)->id;
    }
    return found;
}

static void submit_random(struct world *world, uint32_t count, struct chirr_random *random)
{
    const struct world_agent *agents = world_agent(world, 0);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t submitter;
        do {
            submitter = (uint32_t)chirr_random_below(random, WORLD_AGENTS_MAX);
        } while (!agents[submitter].alive);
        uint64_t size_us = (uint64_t)(500 * MS) + chirr_random_below(random, 4 * S);
        world_submit(world, submitter, size_us, (uint32_t)chirr_random_below(random, 3), NULL);
    }
}

/* ---- Without faults ------------------------------------------------------------------------ */

static void expect_done_once(struct world *world, uint64_t seed)
{
    cr_assert(world_all_ended(world), "seed %lu: a task was lost", seed);
    cr_assert_eq(world_stops(world), 0, "seed %lu", seed);
    for (uint32_t i = 0; i < world_task_count(world); i++) {
        const struct chirr_task *task = world_record(world, i);
        cr_assert_eq(task->phase, CHIRR_TASK_DONE, "seed %lu", seed);
        cr_assert_eq(task->epoch, 0, "seed %lu", seed);
        cr_assert_eq(task->result.end, CHIRR_TASK_END_EXITED);
        cr_assert_eq(starts_of(world, i), 1, "seed %lu: done more than once", seed);
    }
}

Test(auction_swarm, does_every_task_exactly_once_without_faults)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct world_config config = world_config_default(seed);
        config.error_permille = 200;
        config.auction.slots = 1 + seed % 3;
        struct world *world = world_create(&config);
        struct chirr_random random;
        chirr_random_init(&random, seed, 2);
        for (int batch = 0; batch < 4; batch++) {
            submit_random(world, 10, &random);
            world_run(world, world_now(world) + 3 * S);
        }
        world_run(world, world_now(world) + 60 * S);
        expect_done_once(world, seed);
        cr_assert(world_converged(world), "seed %lu", seed);
        world_destroy(world);
    }
}

Test(auction_swarm, loss_of_messages_loses_no_task)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct world_config config = world_config_default(seed);
        config.loss_permille = 200;
        config.lease_ms = 12000;
        struct world *world = world_create(&config);
        struct chirr_random random;
        chirr_random_init(&random, seed, 2);
        submit_random(world, 25, &random);
        world_run(world, world_now(world) + 90 * S);
        cr_assert(world_all_ended(world), "seed %lu: a task was lost", seed);
        world_destroy(world);
    }
}

Test(auction_swarm, random_bids_do_every_task_exactly_once_too)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world_config config = world_config_default(seed);
        config.auction.policy = CHIRR_AUCTION_RANDOM;
        struct world *world = world_create(&config);
        struct chirr_random random;
        chirr_random_init(&random, seed, 2);
        submit_random(world, 30, &random);
        world_run(world, world_now(world) + 90 * S);
        expect_done_once(world, seed);
        world_destroy(world);
    }
}

Test(auction_swarm, replays_from_its_seed)
{
    uint64_t digests[3];
    for (uint64_t run = 0; run < 3; run++) {
        uint64_t seed = run == 2 ? 8 : 7;
        struct world_config config = world_config_default(seed);
        config.loss_permille = 100;
        struct world *world = world_create(&config);
        struct chirr_random random;
        chirr_random_init(&random, 7, 2);
        submit_random(world, 20, &random);
        world_run(world, world_now(world) + 3 * S);
        world_crash(world, 2);
        world_run(world, world_now(world) + 30 * S);
        digests[run] = world_output_digest(world);
        world_destroy(world);
    }
    cr_assert_eq(digests[0], digests[1]);
    cr_assert_neq(digests[0], digests[2]);
}

Test(auction_swarm, a_quiescent_system_makes_no_more_statements)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct world_config config = world_config_default(seed);
        config.auction.settle_ms = 3600000; /* claimed, never started */
        struct world *world = world_create(&config);
        struct chirr_random random;
        chirr_random_init(&random, seed, 2);
        submit_random(world, 30, &random);
        world_run(world, world_now(world) + 30 * S);
        uint32_t before = claims_stated(world);
        cr_assert_gt(before, 0);
        world_run(world, world_now(world) + 300 * S);
        cr_assert_eq(claims_stated(world), before, "seed %lu", seed);
        world_destroy(world);
    }
}

/* Each agent has one long run and a full bundle behind it; the bids of all grow alike. */
Test(auction_swarm, time_passing_alone_states_little)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct world_config config = world_config_default(seed);
        struct world *world = world_create(&config);
        for (uint32_t i = 0; i < 30; i++) {
            world_submit(world, 0, (uint64_t)(200 * S), 0, NULL);
        }
        world_run(world, world_now(world) + 20 * S);
        uint32_t before = claims_stated(world);
        world_run(world, world_now(world) + 60 * S);
        cr_assert_leq(claims_stated(world) - before, 36, "seed %lu: %u", seed,
                      claims_stated(world) - before);
        world_destroy(world);
    }
}

/* ---- With faults ------------------------------------------------------------------------------
 */

Test(auction_swarm, what_a_killed_owner_ran_is_auctioned_again_and_done)
{
    struct world_config config = world_config_default(5);
    struct world *world = world_create(&config);
    uint32_t task = world_submit(world, 0, (uint64_t)(20 * S), 0, NULL);
    world_run(world, world_now(world) + 3 * S);
    cr_assert_eq(world_record(world, task)->phase, CHIRR_TASK_RUNNING);
    const struct world_start *starts;
    cr_assert_eq(world_starts(world, &starts), 1);
    uint32_t owner = starts[0].agent;
    world_crash(world, owner);
    world_run(world, world_now(world) + 8 * S);
    cr_assert_eq(world_starts(world, &starts), 2);
    cr_assert_neq(starts[1].agent, owner);
    cr_assert_eq(starts[1].epoch, 1);
    world_run(world, world_now(world) + 30 * S);
    for (uint32_t i = 0; i < config.agent_count; i++) {
        const struct chirr_record *record =
            chirr_records_task(world_agent(world, i)->records, world_task(world, task)->id);
        cr_assert(i == owner || record->task.phase == CHIRR_TASK_DONE);
    }
    world_destroy(world);
}

Test(auction_swarm, of_the_living_the_smallest_states_a_reauction_alone)
{
    struct world_config config = world_config_default(5);
    struct world *world = world_create(&config);
    world_submit(world, 0, (uint64_t)(20 * S), 0, NULL);
    world_run(world, world_now(world) + 3 * S);
    const struct world_start *starts;
    cr_assert_eq(world_starts(world, &starts), 1);
    uint32_t stated[WORLD_AGENTS_MAX];
    uint32_t smallest = starts[0].agent == 0 ? 1 : 0;
    for (uint32_t i = 0; i < config.agent_count; i++) {
        stated[i] = world_agent(world, i)->tasks_stated;
        bool smaller = world_agent(world, i)->id < world_agent(world, smallest)->id;
        smallest = i != starts[0].agent && smaller ? i : smallest;
    }
    world_crash(world, starts[0].agent);
    world_run(world, world_now(world) + 5 * S);
    uint32_t second = world_starts(world, &starts) == 2 ? starts[1].agent : UINT32_MAX;
    for (uint32_t i = 0; i < config.agent_count; i++) {
        uint32_t news = (i == smallest) + (i == second);
        cr_assert_eq(world_agent(world, i)->tasks_stated - stated[i], news);
    }
    world_destroy(world);
}

Test(auction_swarm, an_owner_that_restarts_finds_its_old_run_lost)
{
    for (int with_disk = 0; with_disk <= 1; with_disk++) {
        struct world_config config = world_config_default(5);
        config.agent_count = 1 + (uint32_t)(1 - with_disk);
        struct world *world = world_create(&config);
        uint32_t task = world_submit(world, 0, (uint64_t)(20 * S), 0, NULL);
        world_run(world, world_now(world) + 3 * S);
        const struct world_start *starts;
        cr_assert_eq(world_starts(world, &starts), 1);
        uint32_t owner = starts[0].agent;
        world_crash(world, owner);
        world_restart(world, owner, with_disk);
        world_run(world, world_now(world) + 4 * S);
        cr_assert_eq(world_starts(world, &starts), 2, "within less than a lease");
        cr_assert_eq(starts[1].epoch, 1);
        world_run(world, world_now(world) + 30 * S);
        cr_assert_eq(world_record(world, task)->phase, CHIRR_TASK_DONE);
        world_destroy(world);
    }
}

Test(auction_swarm, a_task_cancelled_while_it_runs_is_stopped)
{
    struct world_config config = world_config_default(6);
    struct world *world = world_create(&config);
    uint32_t task = world_submit(world, 0, (uint64_t)(20 * S), 0, NULL);
    world_run(world, world_now(world) + 3 * S);
    cr_assert_eq(world_record(world, task)->phase, CHIRR_TASK_RUNNING);
    world_cancel(world, task);
    world_run(world, world_now(world) + 100 * MS);
    cr_assert_eq(world_stops(world), 1);
    world_run(world, world_now(world) + 30 * S);
    cr_assert_eq(world_record(world, task)->phase, CHIRR_TASK_CANCELLED);
    cr_assert_eq(starts_of(world, task), 1);
    world_destroy(world);
}

Test(auction_swarm, after_a_partition_one_result_is_canonical)
{
    uint32_t duplicates = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct world_config config = world_config_default(seed);
        struct world *world = world_create(&config);
        struct chirr_random random;
        chirr_random_init(&random, seed, 2);
        submit_random(world, 20, &random);
        world_run(world, world_now(world) + 1 * S);
        world_partition(world, 3);
        world_run(world, world_now(world) + (chirr_time_us)(seed % 5) * 3 * S);
        world_heal(world);
        world_run(world, world_now(world) + 60 * S);
        cr_assert(world_all_ended(world), "seed %lu: a task was lost", seed);
        cr_assert(world_converged(world), "seed %lu", seed);
        for (uint32_t i = 0; i < world_task_count(world); i++) {
            cr_assert_eq(world_record(world, i)->phase, CHIRR_TASK_DONE);
            duplicates += starts_of(world, i) - 1;
        }
        world_destroy(world);
    }
    cr_assert_gt(duplicates, 0, "the faults did bite");
}

Test(auction_swarm, a_refuted_rumour_of_death_ends_no_lease)
{
    struct world_config config = world_config_default(9);
    struct world *world = world_create(&config);
    uint32_t task = world_submit(world, 0, (uint64_t)(20 * S), 0, NULL);
    world_run(world, world_now(world) + 3 * S);
    world_partition(world, 3);
    world_heal(world); /* nobody was away for longer than a moment */
    world_run(world, world_now(world) + 30 * S);
    cr_assert_eq(world_record(world, task)->epoch, 0);
    cr_assert_eq(starts_of(world, task), 1);
    world_destroy(world);
}

/* Up to all but one crash at random moments, some come back, with and without their disk. The
 * submitter of everything stays: what only a lost disk knew is lost, and that is no fault. */
Test(auction_swarm, no_task_is_lost_over_two_hundred_seeds_of_crashes)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct world_config config = world_config_default(seed);
        config.loss_permille = seed % 2 == 0 ? 50 : 0;
        config.error_permille = 300;
        config.auction.slots = 1 + seed % 2;
        config.agent_count = 2 + seed % 5;
        struct world *world = world_create(&config);
        struct chirr_random random;
        chirr_random_init(&random, seed, 2);
        for (uint32_t i = 0; i < 15; i++) {
            world_submit(world, 0,
                         (uint64_t)(S + (chirr_time_us)chirr_random_below(&random, 5 * S)), 0,
                         NULL);
        }
        for (uint32_t agent = 1; agent < config.agent_count; agent++) {
            world_run(world, world_now(world) + (chirr_time_us)chirr_random_below(&random, 3 * S));
            world_crash(world, agent);
            uint64_t fate = chirr_random_below(&random, 3);
            if (fate > 0) {
                world_run(world,
                          world_now(world) + (chirr_time_us)chirr_random_below(&random, 5 * S));
                world_restart(world, agent, fate == 1);
            }
        }
        world_run(world, world_now(world) + 150 * S);
        cr_assert(world_all_ended(world), "seed %lu: a task was lost", seed);
        world_destroy(world);
    }
}

/* ---- Rules -------------------------------------------------------------------------------------
 */

Test(auction_swarm, what_requires_more_than_an_agent_provides_is_left_alone)
{
    struct world_config config = world_config_default(2);
    struct world *world = world_create(&config);
    uint32_t task = world_submit(world, 0, (uint64_t)S, 0, "gpu");
    world_run(world, world_now(world) + 20 * S);
    cr_assert_eq(world_record(world, task)->phase, CHIRR_TASK_OPEN);
    cr_assert_eq(claims_stated(world), 0);
    world_destroy(world);

    config.auction.provides.count = 2;
    strcpy(config.auction.provides.names[0], "disk");
    strcpy(config.auction.provides.names[1], "gpu");
    world = world_create(&config);
    task = world_submit(world, 0, (uint64_t)S, 0, "gpu");
    world_run(world, world_now(world) + 20 * S);
    cr_assert_eq(world_record(world, task)->phase, CHIRR_TASK_DONE);
    world_destroy(world);
}

Test(auction_swarm, without_slots_it_never_bids)
{
    struct world_config config = world_config_default(2);
    config.auction.slots = 0;
    struct world *world = world_create(&config);
    uint32_t task = world_submit(world, 0, (uint64_t)S, 0, NULL);
    world_run(world, world_now(world) + 20 * S);
    cr_assert_eq(world_record(world, task)->phase, CHIRR_TASK_OPEN);
    cr_assert_eq(claims_stated(world), 0);
    world_destroy(world);
}

Test(auction_swarm, a_command_missing_at_one_agent_is_tried_at_another)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world_config config = world_config_default(seed);
        config.agent_count = 3;
        struct world *world = world_create(&config);
        uint32_t task = world_submit(world, 0, (uint64_t)(4 * S), 0, NULL);
        world_task(world, task)->missing_at = 1 << 1;
        world_task(world, task)->duration_us[1] = 1000; /* the best price by far */
        world_run(world, world_now(world) + 30 * S);
        const struct world_start *starts;
        cr_assert_eq(world_starts(world, &starts), 2, "seed %lu", seed);
        cr_assert_eq(starts[0].agent, 1);
        cr_assert_neq(starts[1].agent, 1);
        cr_assert_eq(starts[1].epoch, 1);
        cr_assert_eq(world_record(world, task)->result.end, CHIRR_TASK_END_EXITED);
        world_destroy(world);
    }
}

Test(auction_swarm, a_command_missing_everywhere_ends_after_three_tries)
{
    for (uint32_t agents = 1; agents <= 4; agents++) {
        struct world_config config = world_config_default(agents);
        config.agent_count = agents;
        struct world *world = world_create(&config);
        uint32_t task = world_submit(world, 0, (uint64_t)(4 * S), 0, NULL);
        world_task(world, task)->missing_at = UINT32_MAX;
        world_run(world, world_now(world) + 60 * S);
        cr_assert_eq(world_record(world, task)->phase, CHIRR_TASK_DONE);
        cr_assert_eq(world_record(world, task)->result.end, CHIRR_TASK_END_NOT_STARTED);
        cr_assert_eq(world_record(world, task)->epoch, 2);
        cr_assert_eq(starts_of(world, task), 3);
        world_destroy(world);
    }
}

Test(auction_swarm, every_agent_learns_every_outcome_once_with_its_prediction)
{
    struct world_config config = world_config_default(3);
    config.error_permille = 300;
    struct world *world = world_create(&config);
    struct chirr_random random;
    chirr_random_init(&random, 3, 2);
    submit_random(world, 20, &random);
    world_run(world, world_now(world) + 60 * S);
    for (uint32_t task = 0; task < world_task_count(world); task++) {
        const struct chirr_task_result *result = &world_record(world, task)->result;
        cr_assert_gt(result->predicted_us, 0);
        cr_assert_geq(result->predicted_us, result->duration_us * 69 / 100);
        cr_assert_leq(result->predicted_us, result->duration_us * 131 / 100);
        for (uint32_t agent = 0; agent < config.agent_count; agent++) {
            cr_assert_eq(world_agent(world, agent)->outcomes[task], 1);
        }
    }
    world_destroy(world);
}

Test(auction_swarm, a_greater_priority_is_started_first)
{
    struct world_config config = world_config_default(4);
    config.agent_count = 1;
    struct world *world = world_create(&config);
    for (uint32_t priority = 0; priority < 4; priority++) {
        world_submit(world, 0, (uint64_t)((1 + priority) * S), priority, NULL);
    }
    world_run(world, world_now(world) + 30 * S);
    const struct world_start *starts;
    cr_assert_eq(world_starts(world, &starts), 4);
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert_eq(starts[i].task, world_task(world, 3 - i)->id);
    }
    world_destroy(world);
}

Test(auction_swarm, nothing_starts_before_the_settle_window_is_over)
{
    struct world_config config = world_config_default(4);
    config.auction.settle_ms = 2000;
    struct world *world = world_create(&config);
    uint32_t task = world_submit(world, 0, (uint64_t)S, 0, NULL);
    world_run(world, world_now(world) + 1999 * MS);
    cr_assert_eq(starts_of(world, task), 0);
    world_run(world, world_now(world) + 1000 * MS);
    cr_assert_eq(starts_of(world, task), 1);
    world_destroy(world);
}

/* The next task of the bundle has settled while the first one ran. */
Test(auction_swarm, the_next_task_starts_as_soon_as_a_slot_is_free)
{
    struct world_config config = world_config_default(4);
    config.agent_count = 1;
    struct world *world = world_create(&config);
    world_submit(world, 0, (uint64_t)(4 * S), 0, NULL);
    world_submit(world, 0, (uint64_t)(4 * S), 0, NULL);
    while (world_record(world, 0)->phase != CHIRR_TASK_DONE &&
           world_record(world, 1)->phase != CHIRR_TASK_DONE) {
        world_run(world, world_now(world) + MS);
    }
    const struct world_start *starts;
    world_run(world, world_now(world) + MS);
    cr_assert_eq(world_starts(world, &starts), 2);
    world_destroy(world);
}

/* Agent 0 does everything best. */
static void do_tasks(struct world *world, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t task = world_submit(world, i % 8, (uint64_t)S, 0, NULL);
        for (uint32_t agent = 0; agent < 8; agent++) {
            world_task(world, task)->duration_us[agent] = (agent + 1) * (uint64_t)S;
        }
        world_run(world, world_now(world) + 3 * S);
    }
}

Test(auction_swarm, once_it_is_known_who_is_best_the_others_keep_silent)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world_config config = world_config_default(seed);
        config.agent_count = 8;
        struct world *world = world_create(&config);
        do_tasks(world, 20);
        uint32_t before = claims_stated(world);
        do_tasks(world, 20);
        uint32_t stated = claims_stated(world) - before;
        cr_assert_leq(stated, 30, "%u statements for 20 tasks, seed %lu", stated, seed);
        const struct world_start *starts;
        uint32_t count = world_starts(world, &starts);
        cr_assert_eq(count, 40, "seed %lu", seed);
        for (uint32_t i = 20; i < count; i++) {
            cr_assert_eq(starts[i].agent, 0, "seed %lu", seed);
        }
        world_destroy(world);
    }
}
