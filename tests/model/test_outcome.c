#include <math.h>
#include <string.h>

#include "base/random.h"
#include "model/internal.h"
#include "tests/model/support.h"

enum { KIND = 4, SIZE = KIND, SPEED, LOAD, WIDTH }; /* one-hot kind, then the rest */

static struct chirr_arena arena;
static struct chirr_model *model;
static struct chirr_random random_stream;

static void setup_seed(uint64_t seed)
{
    struct chirr_model_config config = chirr_model_config_default();
    config.origins_max = 0;
    config.sense_count = 2;
    config.senses[1] =
        (struct chirr_model_sense){.name = "cost", .kind = CHIRR_SENSE_OUTCOME, .width = WIDTH};
    model = make_model(&arena, &config);
    chirr_random_init(&random_stream, seed, 1);
}

static void setup(void)
{
    setup_seed(1);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(outcome, .init = setup, .fini = teardown);

struct task {
    float features[WIDTH];
    float log_seconds;
};

/* duration = speed · rate of the kind · size^exponent · noise of 10 % */
static struct task random_task(void)
{
    static const double rates[KIND] = {-4, -2.5, -1, 0.5};
    struct task task = {0};
    size_t kind = chirr_random_below(&random_stream, KIND);
    double log_size = 3 * chirr_random_uniform(&random_stream);
    double log_speed = -0.4;
    task.features[kind] = 1;
    task.features[SIZE] = (float)log_size;
    task.features[SPEED] = (float)log_speed;
    task.features[LOAD] = (float)chirr_random_uniform(&random_stream);
    task.log_seconds = (float)(log_speed + rates[kind] + 0.9 * log_size +
                               0.1 * chirr_random_normal(&random_stream));
    return task;
}

static struct chirr_model_forecast forecast_of(const float *features)
{
    struct chirr_model_forecast forecast;
    cr_assert_eq(chirr_model_peek(model, 1, features, 1, &forecast), CHIRR_OK);
    return forecast;
}

static void learn(const float *features, float target, bool success)
{
    const struct chirr_model_outcome outcome = {target, success};
    struct chirr_model_step step;
    cr_assert_eq(chirr_model_step_outcome(model, 1, features, &outcome, &step), CHIRR_OK);
    cr_assert(isfinite(step.bits));
}

#define RUNS 10
#define TASKS 40

Test(outcome, forecasts_are_useful_after_ten_tasks_and_know_how_sure_they_are)
{
    double early = 0;
    double late = 0;
    double baseline = 0;
    int covered = 0;
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        teardown();
        setup_seed(seed);
        double sum = 0;
        for (int i = 0; i < TASKS; i++) {
            struct task task = random_task();
            struct chirr_model_forecast forecast = forecast_of(task.features);
            double error = fabs((double)(forecast.mean - task.log_seconds));
            double mean = i > 0 ? sum / i : 0;
            early += i < 10 ? error / (10 * RUNS) : 0;
            late += i >= 20 ? error / (20 * RUNS) : 0;
            baseline += i >= 20 ? fabs(mean - (double)task.log_seconds) / (20 * RUNS) : 0;
            covered += i >= 10 && error < (double)forecast.deviation;
            learn(task.features, task.log_seconds, true);
            sum += (double)task.log_seconds;
        }
    }
    double coverage = (double)covered / (RUNS * (TASKS - 10));
    cr_expect_lt(late, 0.3 * early, "%g early, %g late", early, late);
    cr_expect_lt(late, 0.15 * baseline, "%g, baseline %g", late, baseline);
    cr_expect_lt(late, 0.15, "%g", late);
    cr_expect(coverage > 0.5 && coverage < 0.9, "68%% intervals cover %g", coverage);
}

Test(outcome, deviation_is_large_for_a_kind_that_was_never_seen)
{
    for (int i = 0; i < 40; i++) {
        struct task task = random_task();
        if (task.features[0] == 1) {
            learn(task.features, task.log_seconds, true);
        }
    }
    float known[WIDTH] = {[0] = 1, [SIZE] = 1, [SPEED] = -0.4f, [LOAD] = 0.5f};
    float unknown[WIDTH] = {[1] = 1, [SIZE] = 1, [SPEED] = -0.4f, [LOAD] = 0.5f};
    cr_expect_gt(forecast_of(unknown).deviation, 3 * forecast_of(known).deviation);
}

Test(outcome, knows_little_before_the_first_task)
{
    struct task task = random_task();
    struct chirr_model_forecast forecast = forecast_of(task.features);
    cr_expect_geq(forecast.deviation, 1);
    cr_expect(forecast.success > 0.5 && forecast.success < 0.9);
}

Test(outcome, learns_which_tasks_fail)
{
    for (int i = 0; i < 40; i++) {
        struct task task = random_task();
        learn(task.features, task.log_seconds, task.features[2] == 0);
    }
    float fails[WIDTH] = {[2] = 1, [SIZE] = 1, [SPEED] = -0.4f, [LOAD] = 0.5f};
    float succeeds[WIDTH] = {[1] = 1, [SIZE] = 1, [SPEED] = -0.4f, [LOAD] = 0.5f};
    cr_expect_lt(forecast_of(fails).success, 0.4, "%g", (double)forecast_of(fails).success);
    cr_expect_gt(forecast_of(succeeds).success, 0.8, "%g", (double)forecast_of(succeeds).success);
}

Test(outcome, a_missing_feature_counts_as_its_mean)
{
    for (int i = 0; i < 40; i++) {
        struct task task = random_task();
        task.features[LOAD] = i % 3 == 0 ? NAN : task.features[LOAD];
        learn(task.features, task.log_seconds, true);
    }
    const double *means = model->senses[1].outcomes.mean;
    float mean[WIDTH] = {[1] = 1, [SIZE] = 2, [SPEED] = -0.4f, [LOAD] = (float)means[LOAD]};
    float missing[WIDTH] = {[1] = 1, [SIZE] = 2, [SPEED] = -0.4f, [LOAD] = NAN};
    cr_expect_float_eq(forecast_of(missing).mean, forecast_of(mean).mean, 1e-4);
}

Test(outcome, follows_a_machine_that_becomes_slower)
{
    float features[WIDTH] = {[0] = 1, [SIZE] = 1};
    for (int i = 0; i < 200; i++) {
        learn(features, 0 + 0.05f * (float)chirr_random_normal(&random_stream), true);
    }
    for (int i = 0; i < CHIRR_OUTCOMES_MAX; i++) {
        learn(features, 2 + 0.05f * (float)chirr_random_normal(&random_stream), true);
    }
    cr_expect_float_eq(forecast_of(features).mean, 2, 0.1);
}

Test(outcome, extreme_numbers_keep_forecasts_finite)
{
    for (int i = 0; i < 30; i++) {
        float features[WIDTH] = {0};
        features[i % WIDTH] = i % 3 == 0 ? 3e38f : i % 3 == 1 ? -3e38f : 1e-38f;
        learn(features, i % 2 == 0 ? 3e38f : -3e38f, i % 5 != 0);
        struct chirr_model_forecast forecast = forecast_of(features);
        cr_assert(isfinite(forecast.mean) && isfinite(forecast.deviation));
        cr_assert(forecast.deviation > 0);
        cr_assert(forecast.success >= 0 && forecast.success <= 1);
    }
}

Test(outcome, learning_text_is_not_disturbed)
{
    const uint64_t updates = model->updates;
    float before[8];
    memcpy(before, model->weights, sizeof before);
    for (int i = 0; i < 20; i++) {
        struct task task = random_task();
        learn(task.features, task.log_seconds, true);
    }
    cr_expect_eq(model->updates, updates);
    cr_expect_eq(memcmp(before, model->weights, sizeof before), 0);
}

Test(outcome, what_was_fitted_one_by_one_is_what_is_fitted_at_once)
{
    struct chirr_outcomes *outcomes = &model->senses[1].outcomes;
    for (int i = 0; i < 250; i++) {
        struct task task = random_task();
        learn(task.features, task.log_seconds * task.log_seconds,
              chirr_random_below(&random_stream, 4) > 0);
        struct chirr_model_forecast before = forecast_of(task.features);
        chirr_outcomes_fit(outcomes);
        struct chirr_model_forecast after = forecast_of(task.features);
        cr_assert_eq(memcmp(&before, &after, sizeof before), 0, "after %d", i + 1);
    }
}

Test(outcome, candidates_together_are_forecast_as_each_alone)
{
    enum { CANDIDATES = 100 };
    bool read = false;
    for (int i = 0; i < 60; i++) {
        struct task task = random_task();
        /* bent, so that now and then the body's readout is what explains it */
        learn(task.features, task.log_seconds * task.log_seconds * task.features[SIZE], i % 5 > 0);
        struct task candidates[CANDIDATES];
        float features[CANDIDATES][WIDTH];
        struct chirr_model_forecast together[CANDIDATES];
        for (int c = 0; c < CANDIDATES; c++) {
            candidates[c] = random_task();
            memcpy(features[c], candidates[c].features, sizeof features[c]);
        }
        cr_assert_eq(chirr_model_peek(model, 1, features[0], CANDIDATES, together), CHIRR_OK);
        for (int c = 0; c < CANDIDATES; c++) {
            struct chirr_model_forecast alone = forecast_of(features[c]);
            cr_assert_eq(memcmp(&alone, &together[c], sizeof alone), 0, "%d of %d", c, i);
        }
        read = read || model->senses[1].outcomes.readout_weight > 0;
    }
    cr_expect(read, "the readout never counted: the test saw half of the code");
}
