#include "sim/workload.h"

#include <criterion/criterion.h>

static struct chirr_arena arena;
static struct chirr_sim_scenario scenario;

static void setup(void)
{
    scenario = chirr_sim_scenario_default();
    scenario.work.task_count = 200;
    scenario.work.from_ms = 1000;
    scenario.work.until_ms = 5000;
    scenario.work.kind_count = 2;
    scenario.work.kinds[0] = (struct chirr_sim_kind){
        .name = "fast", .bytes_per_s = 1000, .size_bytes_min = 500, .size_bytes_max = 2000};
    scenario.work.kinds[1] = (struct chirr_sim_kind){
        .name = "slow", .bytes_per_s = 10, .size_bytes_min = 10, .size_bytes_max = 10};
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(workload, .init = setup, .fini = teardown);

static struct chirr_sim_workload *make(void)
{
    chirr_arena_finish(&arena);
    cr_assert_eq(chirr_arena_init(&arena, chirr_sim_workload_bytes(&scenario)), CHIRR_OK);
    struct chirr_sim_workload *workload = chirr_sim_workload_create(&arena, &scenario);
    cr_assert_not_null(workload);
    return workload;
}

Test(workload, plans_within_what_was_asked_for)
{
    struct chirr_sim_workload *workload = make();
    uint32_t of_kind[2] = {0};
    for (uint32_t i = 0; i < chirr_sim_workload_count(workload); i++) {
        const struct chirr_sim_task *task = chirr_sim_workload_at(workload, i);
        const struct chirr_sim_kind *kind = &scenario.work.kinds[task->kind];
        cr_assert(task->at >= CHIRR_US_PER_S && task->at <= 5 * CHIRR_US_PER_S);
        cr_assert_lt(task->agent, scenario.agent_count);
        cr_assert(task->size_bytes >= kind->size_bytes_min &&
                  task->size_bytes <= kind->size_bytes_max);
        of_kind[task->kind]++;
    }
    cr_assert(of_kind[0] > 60 && of_kind[1] > 60, "%u and %u", of_kind[0], of_kind[1]);
}

Test(workload, more_tasks_change_none_of_the_others)
{
    struct chirr_sim_task before = *chirr_sim_workload_at(make(), 7);
    scenario.work.task_count = 300;
    struct chirr_sim_task after = *chirr_sim_workload_at(make(), 7);
    cr_assert_eq(before.at, after.at);
    cr_assert_eq(before.size_bytes, after.size_bytes);
}

Test(workload, a_specification_is_valid_and_found_again_by_its_id)
{
    struct chirr_sim_workload *workload = make();
    for (uint32_t i = 0; i < chirr_sim_workload_count(workload); i++) {
        struct chirr_task_spec spec = chirr_sim_workload_spec(workload, i);
        cr_assert_eq(chirr_task_spec_validate(&spec), CHIRR_OK);
        chirr_task_id id = chirr_task_id_of(1, i, &spec);
        cr_assert_eq(chirr_sim_workload_find(workload, id), CHIRR_SIM_NO_TASK);
        chirr_sim_workload_submitted(workload, i, id, 0, 10);
        cr_assert_eq(chirr_sim_workload_find(workload, id), i);
    }
}

Test(workload, notices_a_second_start_of_one_epoch_by_one_agent)
{
    struct chirr_sim_workload *workload = make();
    struct chirr_sim_start start = {.agent = 1, .epoch = 0};
    struct chirr_sim_start elsewhere = {.agent = 2, .epoch = 0};
    struct chirr_sim_start later = {.agent = 1, .epoch = 1};
    cr_assert(chirr_sim_workload_started(workload, 0, start, 5));
    cr_assert(chirr_sim_workload_started(workload, 0, elsewhere, 6));
    cr_assert(chirr_sim_workload_started(workload, 0, later, 7));
    cr_assert_not(chirr_sim_workload_started(workload, 0, start, 8));
    cr_assert_eq(chirr_sim_workload_at(workload, 0)->started_at, 5);
    cr_assert_eq(chirr_sim_workload_at(workload, 0)->start_count, 4);
}

Test(workload, a_run_takes_its_size_over_rate_and_device)
{
    struct chirr_sim_workload *workload = make();
    struct chirr_random random;
    chirr_random_init(&random, 1, 1);
    struct chirr_sim_task *task = chirr_sim_workload_at(workload, 0);
    task->kind = 1; /* 10 bytes at 10 bytes a second, on half a CPU */
    task->size_bytes = 10;
    struct chirr_sim_truth truth = chirr_sim_workload_truth(workload, 0, 500, &random);
    cr_assert_eq(truth.duration_us, 2 * CHIRR_US_PER_S + 1);
    cr_assert_not(truth.fails);
}
