#include "agent/node.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/random.h"
#include "tests/agent/local_world.h"

/* Many more agents than anyone may know, and more workers as well. */

#define AGENTS 300
#define AGENTS_MAX 64
#define WORKERS_ONE_IN 4
#define TASKS 12
#define TASK_PAUSE_US (400 * CHIRR_US_PER_MS)
#define VIEWS_US (15 * CHIRR_US_PER_S)       /* then the views have formed */
#define SILENCE_US (2 * 61 * CHIRR_US_PER_S) /* then ended tasks are forgotten */

static uint64_t seed_of_tests(void)
{
    const char *text = getenv("CHIRR_TEST_SEED");
    return text == NULL ? 7 : strtoull(text, NULL, 10);
}

static struct local_world *swarm_of(uint32_t agents)
{
    const struct local_world_config config = {.seed = seed_of_tests(),
                                              .node_count = agents,
                                              .agents_max = AGENTS_MAX,
                                              .loss_permille = 10,
                                              .workers_one_in = WORKERS_ONE_IN};
    struct local_world *world = local_world_create(&config);
    local_world_run(world, VIEWS_US);
    return world;
}

struct errand {
    uint32_t submitter;
    chirr_task_id task;
};

static void submit_anywhere(struct local_world *world, struct errand *errands, uint32_t count)
{
    struct chirr_random random;
    chirr_random_init(&random, seed_of_tests(), 1);
    for (uint32_t i = 0; i < count; i++) {
        errands[i].submitter = (uint32_t)chirr_random_below(&random, local_world_live_count(world));
        errands[i].task = local_world_submit(world, errands[i].submitter);
        local_world_run(world, TASK_PAUSE_US);
    }
}

static void assert_bounds(const struct local_world *world, uint32_t index)
{
    const struct chirr_node *node = local_world_node(world, index);
    const struct chirr_overlay_config overlay = chirr_overlay_config_default();
    cr_assert_leq(chirr_membership_count(chirr_node_membership(node)), AGENTS_MAX / 2);
    cr_assert_leq(chirr_records_author_count(chirr_node_records(node)), AGENTS_MAX);
    cr_assert_leq(chirr_overlay_neighbours(chirr_node_overlay(node)).count,
                  chirr_overlay_active_most(&overlay));
}

Test(node_local, a_swarm_of_which_each_knows_a_few_does_every_task_and_hardly_any_twice)
{
    struct local_world *world = swarm_of(AGENTS);
    cr_assert_eq(local_world_reached(world), AGENTS, "seed %" PRIu64, seed_of_tests());
    struct errand errands[TASKS];
    submit_anywhere(world, errands, TASKS);
    local_world_run(world, 10 * CHIRR_US_PER_S);
    for (uint32_t i = 0; i < TASKS; i++) {
        cr_assert_eq(local_world_phase(world, errands[i].submitter, errands[i].task),
                     CHIRR_TASK_DONE, "task %u, seed %" PRIu64, i, seed_of_tests());
    }
    cr_assert_leq(local_world_finished(world), TASKS + 1, "seed %" PRIu64, seed_of_tests());
    cr_assert_leq(local_world_starts(world), TASKS + 2, "seed %" PRIu64, seed_of_tests());
    for (uint32_t i = 0; i < AGENTS; i++) {
        assert_bounds(world, i);
    }
    cr_assert_eq(local_world_reached(world), AGENTS, "seed %" PRIu64, seed_of_tests());
    local_world_destroy(world);
}

Test(node_local, a_task_whose_owner_dies_is_done_by_another_long_before_its_time_limit)
{
    struct local_world *world = swarm_of(100);
    chirr_task_id task = local_world_submit(world, 50);
    uint32_t runner = 100;
    for (int i = 0; i < 500 && runner == 100; i++) {
        local_world_run(world, 10 * CHIRR_US_PER_MS);
        runner = local_world_runner(world, task);
    }
    cr_assert_lt(runner, 100);
    cr_assert_neq(runner, 50);
    local_world_kill(world, runner);
    local_world_run(world, 15 * CHIRR_US_PER_S); /* its limit is 20 s */
    cr_assert_eq(local_world_phase(world, 50, task), CHIRR_TASK_DONE, "seed %" PRIu64,
                 seed_of_tests());
    local_world_destroy(world);
}

static uint32_t count_holders(const struct local_world *world, uint32_t agents, chirr_task_id task,
                              uint32_t except)
{
    uint32_t holders = 0;
    for (uint32_t i = 0; i < agents; i++) {
        holders += i != except && local_world_node(world, i) != NULL &&
                   local_world_phase(world, i, task) != 0;
    }
    return holders;
}

/* More than its card, which its views may still hold. */
static uint32_t count_who_hold_words(const struct local_world *world, uint32_t agents,
                                     chirr_agent_id author)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < agents; i++) {
        if (local_world_node(world, i) == NULL) {
            continue;
        }
        const struct chirr_record_store *records = chirr_node_records(local_world_node(world, i));
        const struct chirr_record *card = chirr_records_card(records, author);
        struct chirr_stamp newest = chirr_records_span(records, author).newest;
        struct chirr_stamp of_card = card == NULL ? (struct chirr_stamp){0, 0} : card->stamp;
        count += chirr_stamp_compare(newest, of_card) > 0;
    }
    return count;
}

Test(node_local, what_a_dead_agent_said_does_not_linger)
{
    struct local_world *world = swarm_of(100);
    chirr_task_id task = local_world_submit(world, 50);
    local_world_run(world, 10 * CHIRR_US_PER_S);
    cr_assert_eq(local_world_phase(world, 50, task), CHIRR_TASK_DONE);
    cr_assert_gt(count_holders(world, 100, task, 50), 90);
    chirr_agent_id worker =
        chirr_records_task(chirr_node_records(local_world_node(world, 50)), task)->author;
    uint32_t index = 0;
    while (local_world_id(world, index) != worker) {
        index++;
    }
    local_world_kill(world, index);
    local_world_run(world, SILENCE_US);
    /* Who submitted it still knows how it ended. */
    cr_assert_eq(local_world_phase(world, 50, task), CHIRR_TASK_DONE);
    cr_assert_eq(count_holders(world, 100, task, 50), 0);
    cr_assert_eq(count_who_hold_words(world, 100, worker), 1);
    local_world_destroy(world);
}
