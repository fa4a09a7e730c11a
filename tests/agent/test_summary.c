#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "agent/figures.h"
#include "agent/summary.h"

#define TOLERANCE 1e-9

static void assert_near(double expected, double actual)
{
    cr_assert_float_eq(expected, actual, TOLERANCE, "expected %.12f, got %.12f", expected, actual);
}

/* A fast agent of one slot and one of half its share with two. */
static const struct chirr_capacity two_agents[] = {{1.0, 1}, {0.5, 2}};

Test(figures, a_job_that_waits_starts_when_the_one_before_it_ends)
{
    const struct chirr_job_figure jobs[] = {{.arrival_s = 0, .duration_s = 4},
                                            {.arrival_s = 1, .duration_s = 2}};
    const uint32_t assigned[] = {0, 0};
    assert_near(6, chirr_figures_makespan(jobs, 2, assigned, two_agents));
}

Test(figures, a_slot_idles_until_its_next_job_arrives)
{
    const struct chirr_job_figure jobs[] = {{.arrival_s = 0, .duration_s = 1},
                                            {.arrival_s = 5, .duration_s = 2}};
    const uint32_t assigned[] = {0, 0};
    assert_near(7, chirr_figures_makespan(jobs, 2, assigned, two_agents));
}

Test(figures, a_job_takes_twice_as_long_at_half_the_share)
{
    const struct chirr_job_figure jobs[] = {{.arrival_s = 1, .duration_s = 3, .owner = 0}};
    const uint32_t assigned[] = {1};
    assert_near(7, chirr_figures_makespan(jobs, 1, assigned, two_agents));
}

Test(figures, a_job_takes_half_as_long_at_twice_the_share)
{
    const struct chirr_job_figure jobs[] = {{.arrival_s = 1, .duration_s = 3, .owner = 1}};
    const uint32_t assigned[] = {0};
    assert_near(2.5, chirr_figures_makespan(jobs, 1, assigned, two_agents));
}

Test(figures, two_slots_run_two_jobs_at_once_and_the_third_takes_the_first_free_one)
{
    /* Slot 0: 0 to 6, slot 1: 0 to 2, then the third from 2 to 5. */
    const struct chirr_job_figure jobs[] = {{.duration_s = 6, .owner = 1},
                                            {.duration_s = 2, .owner = 1},
                                            {.duration_s = 3, .owner = 1}};
    const uint32_t assigned[] = {1, 1, 1};
    assert_near(6, chirr_figures_makespan(jobs, 3, assigned, two_agents));
    const struct chirr_capacity one_slot[] = {{1.0, 1}, {0.5, 1}};
    assert_near(11, chirr_figures_makespan(jobs, 3, assigned, one_slot));
}

Test(figures, the_random_makespan_of_one_job_is_the_mean_over_the_agents_that_have_slots)
{
    /* 2 s at a full share: 2 s at agent 0, 4 s at agent 1; agent 2 takes no jobs. */
    const struct chirr_capacity agents[] = {{1.0, 1}, {0.5, 1}, {0.1, 0}};
    const struct chirr_job_figure jobs[] = {{.duration_s = 2, .owner = 0}};
    struct chirr_spread spread = chirr_figures_random_makespan(
        jobs, 1, agents, 3, (struct chirr_random_draws){.seed = 7, .draws = 1000});
    assert_near(2, spread.least);
    assert_near(4, spread.greatest);
    /* The mean of 1,000 draws of 2 or 4 lies within four deviations, 0.13, of 3. */
    cr_assert_float_eq(spread.mean, 3, 0.13, "got %f", spread.mean);
    cr_assert_float_eq(spread.deviation, 1, 0.02, "got %f", spread.deviation);
}

Test(figures, equal_seeds_give_equal_random_makespans)
{
    const struct chirr_job_figure jobs[] = {
        {.duration_s = 2}, {.duration_s = 3}, {.duration_s = 5}};
    const struct chirr_random_draws draws = {.seed = 3, .draws = 20};
    struct chirr_spread a = chirr_figures_random_makespan(jobs, 3, two_agents, 2, draws);
    struct chirr_spread b = chirr_figures_random_makespan(jobs, 3, two_agents, 2, draws);
    cr_assert_eq(a.mean, b.mean);
    cr_assert_eq(a.deviation, b.deviation);
}

Test(figures, there_is_no_random_makespan_without_jobs_or_slots)
{
    const struct chirr_job_figure jobs[] = {{.duration_s = 2}};
    const struct chirr_capacity none[] = {{1.0, 0}};
    const struct chirr_random_draws draws = {.seed = 3, .draws = 20};
    cr_assert(isnan(chirr_figures_random_makespan(jobs, 0, two_agents, 2, draws).mean));
    cr_assert(isnan(chirr_figures_random_makespan(jobs, 1, none, 1, draws).mean));
}

Test(figures, prediction_errors_are_split_in_the_middle_of_those_predicted)
{
    /* Errors ln 2, ln 4 | ln 8, 0, 0; the second job was not predicted. */
    const struct chirr_job_figure jobs[] = {
        {.predicted_s = 2, .duration_s = 1}, {.predicted_s = 0, .duration_s = 9},
        {.predicted_s = 1, .duration_s = 4}, {.predicted_s = 8, .duration_s = 1},
        {.predicted_s = 3, .duration_s = 3}, {.predicted_s = 1, .duration_s = 1},
    };
    struct chirr_prediction_halves halves = chirr_figures_prediction_halves(jobs, 6);
    cr_assert_eq(halves.first_count, 2);
    cr_assert_eq(halves.second_count, 3);
    assert_near(1.5 * log(2), halves.first);
    assert_near(log(2), halves.second);
}

Test(figures, one_prediction_has_no_first_half)
{
    const struct chirr_job_figure jobs[] = {{.predicted_s = 2, .duration_s = 1}};
    struct chirr_prediction_halves halves = chirr_figures_prediction_halves(jobs, 1);
    cr_assert(isnan(halves.first));
    assert_near(log(2), halves.second);
}

Test(figures, sorting_goes_by_arrival_or_by_end)
{
    struct chirr_job_figure jobs[] = {{.arrival_s = 2, .end_s = 3}, {.arrival_s = 1, .end_s = 9}};
    chirr_figures_sort_by_arrival(jobs, 2);
    cr_assert_eq(jobs[0].arrival_s, 1);
    chirr_figures_sort_by_end(jobs, 2);
    cr_assert_eq(jobs[0].arrival_s, 2);
}

Test(figures, a_mean_passes_over_what_is_not_known)
{
    const double values[] = {1, NAN, 3};
    assert_near(2, chirr_figures_mean(values, 3));
    cr_assert(isnan(chirr_figures_mean(values + 1, 1)));
}

/* A summary of which only the figures that are judged are filled in. */
static struct chirr_summary summary_of(double swarm_bits, double swarm_s, double second_half)
{
    struct chirr_summary summary = {
        .swarm = "test",
        .duration_s = 60,
        .jobs = {.planned = 40,
                 .accepted = 40,
                 .done = 37,
                 .failed = 2,
                 .open = 1,
                 .reauctioned = 5,
                 .ended_twice = 3},
        .own = {8, 3, 4},
        .heldout = {8, swarm_bits, 4},
        .own_heldout = {NAN, NAN, NAN},
        .predictions = {1, second_half, 20, 20},
        .makespan_swarm_s = swarm_s,
        .makespan_random_s = {40, 2, 35, 45},
    };
    return summary;
}

Test(summary, says_so_when_the_swarm_did_not_help)
{
    struct chirr_summary summary = summary_of(4.2, 41, 1.3);
    cr_assert_eq(chirr_summary_knowledge_verdict(&summary.heldout), CHIRR_VERDICT_WORSE);
    cr_assert_eq(chirr_summary_allocation_verdict(&summary), CHIRR_VERDICT_WORSE);
    cr_assert_eq(chirr_summary_prediction_verdict(&summary.predictions), CHIRR_VERDICT_WORSE);
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);
    chirr_summary_print(&summary, memory);
    fclose(memory);
    cr_assert_not_null(strstr(text, "NO, worse than alone"));
    cr_assert_not_null(strstr(text, "NO, the jobs ended later"));
    cr_assert_not_null(strstr(text, "NO, predictions got worse"));
    cr_assert_not_null(strstr(text, "1 lost"));
    cr_assert_not_null(strstr(text, "5 given out again"));
    cr_assert_not_null(strstr(text, "3 seen to end twice"));
    free(text);
}

/* Characters of the longest line; a byte that continues one is none. */
static int columns_of(const char *text)
{
    int columns = 0, most = 0;
    for (; *text != '\0'; text++) {
        columns = *text == '\n' ? 0 : columns + (((unsigned char)*text & 0xC0) != 0x80);
        most = columns > most ? columns : most;
    }
    return most;
}

Test(summary, fits_into_eighty_columns)
{
    struct chirr_summary summary = summary_of(4.2, 141.7, 1.3);
    summary.makespan_random_s = (struct chirr_spread){1140.5, 102.2, 1035.1, 1245.3};
    summary.kills = summary.restarts = 1;
    summary.totals.wire_records = summary.totals.wire_knowledge = 123456789;
    summary.totals.wire_membership = 123456;
    summary.agent_count = 1;
    summary.agents[0] =
        (struct chirr_summary_agent){.name = "copyrights",
                                     .device = "computer",
                                     .ready = true,
                                     .jobs = 1234,
                                     .busy_s = 1234.5,
                                     .kills = 1,
                                     .capacity = {1, 1},
                                     .bits = {{8, 3, 4}, {8, 3, 4}, {8, 3, 4}, true}};
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);
    chirr_summary_print(&summary, memory);
    fclose(memory);
    cr_assert_leq(columns_of(text), 80, "%s", text);
    free(text);
}

Test(summary, calls_equal_what_such_a_run_cannot_tell_apart)
{
    struct chirr_summary summary = summary_of(4.004, 40.3, 1.01);
    cr_assert_eq(chirr_summary_knowledge_verdict(&summary.heldout), CHIRR_VERDICT_EQUAL);
    cr_assert_eq(chirr_summary_allocation_verdict(&summary), CHIRR_VERDICT_EQUAL);
    cr_assert_eq(chirr_summary_prediction_verdict(&summary.predictions), CHIRR_VERDICT_EQUAL);
}

static double number_at(const json_t *json, const char *first, const char *second,
                        const char *third)
{
    json = json_object_get(json_object_get(json, first), second);
    if (third != NULL) {
        json = json_object_get(json, third);
    }
    cr_assert(json_is_number(json), "%s.%s.%s is no number", first, second,
              third != NULL ? third : "");
    return json_number_value(json);
}

Test(summary, json_has_every_promised_figure)
{
    struct chirr_summary summary = summary_of(3.5, 30, 0.5);
    summary.totals.wire_records = 1;
    summary.totals.wire_knowledge = 2;
    summary.totals.wire_membership = 3;
    json_t *json = chirr_summary_json(&summary);
    cr_assert_not_null(json);
    cr_assert_eq(number_at(json, "tasks", "submitted", NULL), 40);
    cr_assert_eq(number_at(json, "tasks", "done", NULL), 37);
    cr_assert_eq(number_at(json, "tasks", "failed", NULL), 2);
    cr_assert_eq(number_at(json, "tasks", "lost", NULL), 1);
    cr_assert_eq(number_at(json, "tasks", "reauctioned", NULL), 5);
    cr_assert_eq(number_at(json, "tasks", "duplicates", NULL), 3);
    cr_assert_eq(number_at(json, "bits_per_byte", "own", "start"), 8);
    cr_assert_eq(number_at(json, "bits_per_byte", "own", "swarm"), 3);
    cr_assert_eq(number_at(json, "bits_per_byte", "own", "alone"), 4);
    cr_assert_eq(number_at(json, "bits_per_byte", "heldout", "swarm"), 3.5);
    cr_assert_eq(number_at(json, "bytes_on_wire", "records", NULL), 1);
    cr_assert_eq(number_at(json, "bytes_on_wire", "knowledge", NULL), 2);
    cr_assert_eq(number_at(json, "bytes_on_wire", "membership", NULL), 3);
    cr_assert_eq(number_at(json, "tasks", "prediction_error", "first_half"), 1);
    cr_assert_eq(number_at(json, "tasks", "prediction_error", "second_half"), 0.5);
    cr_assert_eq(number_at(json, "tasks", "makespan_s", "swarm"), 30);
    cr_assert_eq(number_at(json, "tasks", "makespan_s", "random"), 40);
    const json_t *unread = json_object_get(json_object_get(json, "bits_per_byte"), "own_heldout");
    cr_assert(json_is_null(json_object_get(unread, "swarm")));
    json_decref(json);
}

Test(snapshot, former_lives_are_added_and_drop_reasons_kept_apart)
{
    struct chirr_snapshot_totals sum = {.tasks_done = 2,
                                        .drops = {1, {{.reason = "send_full", .count = 3}}}};
    const struct chirr_snapshot_totals life = {
        .tasks_done = 5,
        .drops = {2, {{.reason = "malformed", .count = 1}, {.reason = "send_full", .count = 4}}}};
    chirr_snapshot_add_life(&sum, &life);
    cr_assert_eq(sum.tasks_done, 7);
    cr_assert_eq(sum.drops.count, 2);
    cr_assert_str_eq(sum.drops.reasons[0].reason, "send_full");
    cr_assert_eq(sum.drops.reasons[0].count, 7);
    cr_assert_eq(sum.drops.reasons[1].count, 1);
}

Test(snapshot, more_drop_reasons_than_there_is_room_for_become_other)
{
    struct chirr_snapshot_totals sum = {0};
    for (int i = 0; i < 2 * CHIRR_SNAPSHOT_DROPS_MAX; i++) {
        struct chirr_snapshot_totals life = {.drops = {.count = 1}};
        snprintf(life.drops.reasons[0].reason, CHIRR_SNAPSHOT_REASON_BYTES_MAX, "reason_%d", i);
        life.drops.reasons[0].count = 1;
        chirr_snapshot_add_life(&sum, &life);
    }
    uint64_t total = 0;
    for (uint32_t i = 0; i < sum.drops.count; i++) {
        total += sum.drops.reasons[i].count;
    }
    cr_assert_eq(sum.drops.count, CHIRR_SNAPSHOT_DROPS_MAX);
    cr_assert_eq(total, 2 * CHIRR_SNAPSHOT_DROPS_MAX);
    cr_assert_str_eq(sum.drops.reasons[CHIRR_SNAPSHOT_DROPS_MAX - 1].reason, "other");
}

Test(snapshot, what_an_answer_does_not_say_is_unknown)
{
    json_t *status =
        json_pack("{s:n, s:{s:i, s:s}, s:[{s:s}, {s:s}]}", "model", "tasks", "done_here", 3,
                  "running", "many", "members", "status", "alive", "status", "dead");
    struct chirr_snapshot snapshot;
    chirr_snapshot_parse(status, &snapshot);
    json_decref(status);
    cr_assert_not(snapshot.model);
    cr_assert(isnan(snapshot.bits_now));
    cr_assert_eq(snapshot.totals.tasks_done, 3);
    cr_assert_eq(snapshot.running, 0);
    cr_assert_eq(snapshot.members_alive, 1);
}
