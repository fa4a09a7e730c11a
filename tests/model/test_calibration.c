#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/calibration.h"
#include "model/internal.h"
#include "tests/model/support.h"
#include "tests/support/station.h"
#include "tests/support/workloads.h"

enum { HALF, EIGHTY, MOST, COVERAGES };
static const double coverages[COVERAGES] = {0.5, 0.8, 0.95};

static struct chirr_arena arena;

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(calibration, .fini = teardown);

/* ---- The state itself ------------------------------------------------------------------------ */

Test(calibration, zeroed_memory_says_what_a_standard_normal_does)
{
    const struct chirr_calibration new = {0};
    const struct chirr_calibration_odds odds = {0};
    cr_expect_float_eq(chirr_calibration_quantile(&new, 0.975), 1.95996, 1e-4);
    cr_expect_float_eq(chirr_calibration_quantile(&new, 0.25), -0.67449, 1e-4);
    cr_expect_float_eq(chirr_calibration_quantile(&new, 0.7), 0.5244, 0.01);
    cr_expect_eq(chirr_calibration_scale(&new), 1);
    cr_expect_float_eq(chirr_calibration_odds_apply(&odds, 2), 1 / (1 + exp(-2)), 1e-6);
}

Test(calibration, quantiles_never_fall_as_levels_rise)
{
    struct chirr_calibration c = {0};
    struct chirr_random random;
    chirr_random_init(&random, 5, 0);
    for (int i = 0; i < 2000; i++) {
        double score = chirr_random_normal(&random) * (i % 7 == 0 ? 30 : 0.1) - (i % 300 > 200);
        chirr_calibration_learn(&c, score);
        double before = -INFINITY;
        for (double level = 1e-6; level < 1; level += 0.0173) {
            double quantile = chirr_calibration_quantile(&c, level);
            cr_assert(isfinite(quantile) && quantile >= before, "%g at %g", quantile, level);
            before = quantile;
        }
    }
}

Test(calibration, scores_of_students_t_are_those_of_tables)
{
    static const struct {
        double degrees, deviations, score;
    } rows[] = {{2, 4.3027, 1.96},  {3, 3.1824, 1.96},   {5, 2.5706, 1.96},   {10, 2.2281, 1.96},
                {30, 2.0423, 1.96}, {5, 0.7267, 0.6745}, {5, 1.4759, 1.2816}, {30, 0.6828, 0.6745}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double score = chirr_calibration_score(rows[i].deviations, rows[i].degrees);
        cr_expect_float_eq(score, rows[i].score, 0.03, "%g degrees: %g", rows[i].degrees, score);
    }
    for (double degrees = 1; degrees < 1000; degrees *= 3) {
        for (double score = -4; score < 4; score += 0.1) {
            double there = chirr_calibration_deviations(score, degrees);
            cr_expect_float_eq(chirr_calibration_score(there, degrees), score, 1e-4);
        }
    }
}

/* A stream that changes its mind: level and spread jump, crawl and explode. */
static double hostile_score(int regime, int i, struct chirr_random *random)
{
    double normal = chirr_random_normal(random);
    switch (regime) {
    case 0:
        return normal * (i / 500 % 2 == 0 ? 0.2 : 6);
    case 1:
        return normal + 4 * sin(i / 300.0);
    case 2:
        return normal * normal * normal;
    case 3:
        return 1000 * normal;
    default:
        return 0.1 * normal + 2;
    }
}

Test(calibration, covers_in_the_long_run_whatever_the_scores_do)
{
    enum { STEPS = 20000 };
    for (int regime = 0; regime < 5; regime++) {
        struct chirr_calibration c = {0};
        struct chirr_random random;
        chirr_random_init(&random, 9, (uint64_t)regime);
        int covered[COVERAGES] = {0};
        for (int i = 0; i < STEPS; i++) {
            double score = hostile_score(regime, i, &random);
            for (int k = 0; k < COVERAGES; k++) {
                double low = chirr_calibration_quantile(&c, (1 - coverages[k]) / 2);
                double high = chirr_calibration_quantile(&c, (1 + coverages[k]) / 2);
                covered[k] += score >= low && score <= high;
            }
            chirr_calibration_learn(&c, score);
        }
        for (int k = 0; k < COVERAGES; k++) {
            double share = (double)covered[k] / STEPS;
            cr_expect_float_eq(share, coverages[k], 0.02, "regime %d, %g: %g", regime, coverages[k],
                               share);
        }
    }
}

/* ---- Outcomes -------------------------------------------------------------------------------- */

static struct chirr_model *outcome_model(uint32_t width)
{
    struct chirr_model_config config = small_config();
    config.sense_count = 1;
    config.senses[0] =
        (struct chirr_model_sense){.name = "cost", .kind = CHIRR_SENSE_OUTCOME, .width = width};
    return make_model(&arena, &config);
}

struct tally {
    int count;
    int covered[COVERAGES];
};

static void tally_interval(struct tally *tally, int which, double value,
                           const struct chirr_model_interval *interval)
{
    tally->covered[which] += value >= (double)interval->low && value <= (double)interval->high;
}

static void tally_forecast(struct tally *tally, const struct chirr_model *model,
                           const struct chirr_model_forecast *forecast, double target)
{
    tally->count++;
    for (int k = 0; k < COVERAGES; k++) {
        struct chirr_model_interval interval;
        cr_assert_eq(chirr_model_interval(model, 0, forecast, coverages[k], &interval), CHIRR_OK);
        tally_interval(tally, k, target, &interval);
    }
}

static void expect_coverage(const char *name, const struct tally *tally, double tolerance)
{
    for (int k = 0; k < COVERAGES; k++) {
        double share = (double)tally->covered[k] / tally->count;
        cr_log_info("%s: %g %% intervals cover %.1f %% of %d", name, 100 * coverages[k],
                    100 * share, tally->count);
        cr_expect_float_eq(share, coverages[k], tolerance,
                           "%s: %g %% intervals cover %.1f %% of %d", name, 100 * coverages[k],
                           100 * share, tally->count);
    }
}

/* How well the success probability does, in ten bins. */
struct reliability {
    int count;
    double bins[10][2]; /* sums of what was said, and of what came */
    double brier;
};

static double calibration_error(const struct reliability *r)
{
    double error = 0;
    for (int i = 0; i < 10; i++) {
        error += fabs(r->bins[i][0] - r->bins[i][1]);
    }
    return error / r->count;
}

static void tally_success(struct reliability *r, double said, bool came)
{
    int bin = said < 1 ? (int)(said * 10) : 9;
    r->count++;
    r->bins[bin][0] += said;
    r->bins[bin][1] += came;
    r->brier += (said - came) * (said - came);
}

enum { SEEDS = 10, OUTCOMES = 400, EARLY = 10, EARLY_END = 40, LATE = 100 };

struct results {
    struct tally early;
    struct tally late;
    struct reliability success;
    double deviations[WORKLOAD_KINDS]; /* of the last forecasts, sums of their logarithms */
    double base_brier;                 /* of always saying the mean rate */
};

static void run_seed(enum workload workload, uint64_t seed, struct results *results)
{
    struct chirr_model *model = outcome_model(WORKLOAD_FEATURES);
    struct chirr_random random;
    chirr_random_init(&random, seed, workload);
    double rate = 0.5;
    for (uint32_t t = 0; t < OUTCOMES; t++) {
        struct workload_task task = workload_draw(workload, t, &random);
        struct chirr_model_forecast forecast;
        cr_assert_eq(chirr_model_peek(model, 0, task.features, 1, &forecast), CHIRR_OK);
        if (task.success && t >= EARLY && (t < EARLY_END || t >= LATE)) {
            struct tally *tally = t < EARLY_END ? &results->early : &results->late;
            tally_forecast(tally, model, &forecast, task.target);
        }
        if (t >= EARLY_END) {
            tally_success(&results->success, (double)forecast.success, task.success);
            results->base_brier += (rate - task.success) * (rate - task.success);
        }
        if (t >= OUTCOMES - 50) {
            results->deviations[task.kind] += log((double)forecast.deviation);
        }
        rate += (task.success - rate) / (t + 2);
        const struct chirr_model_outcome outcome = {(float)task.target, task.success};
        struct chirr_model_step step;
        cr_assert_eq(chirr_model_step_outcome(model, 0, task.features, &outcome, &step), CHIRR_OK);
    }
    chirr_arena_finish(&arena);
}

static void run(enum workload workload, struct results *results)
{
    *results = (struct results){.base_brier = 0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run_seed(workload, seed, results);
    }
}

Test(calibration, intervals_of_outcomes_cover_what_they_say_of_any_noise)
{
    static const enum workload stationary[] = {WORKLOAD_GAUSSIAN, WORKLOAD_STUDENT,
                                               WORKLOAD_LOG_NORMAL, WORKLOAD_HETEROSCEDASTIC,
                                               WORKLOAD_NONLINEAR};
    for (size_t i = 0; i < sizeof stationary / sizeof *stationary; i++) {
        struct results results;
        run(stationary[i], &results);
        expect_coverage(workload_name(stationary[i]), &results.late, 0.03);
        expect_coverage("the first 40", &results.early, 0.15);
        double error = calibration_error(&results.success);
        cr_expect_lt(error, 0.04, "expected calibration error of success %g", error);
    }
}

Test(calibration, intervals_of_outcomes_cover_what_they_say_under_drift)
{
    static const enum workload moving[] = {WORKLOAD_DRIFT, WORKLOAD_STEP, WORKLOAD_VOLATILE};
    for (size_t i = 0; i < sizeof moving / sizeof *moving; i++) {
        struct results results;
        run(moving[i], &results);
        expect_coverage(workload_name(moving[i]), &results.late, 0.06);
        expect_coverage("the first 40", &results.early, 0.15);
    }
}

Test(calibration, a_noisy_kind_is_known_from_a_quiet_one)
{
    struct results noisy;
    struct results alike;
    run(WORKLOAD_HETEROSCEDASTIC, &noisy);
    run(WORKLOAD_GAUSSIAN, &alike);
    double range = (noisy.deviations[3] - noisy.deviations[0]) / (SEEDS * 50 / WORKLOAD_KINDS);
    double none = (alike.deviations[3] - alike.deviations[0]) / (SEEDS * 50 / WORKLOAD_KINDS);
    cr_expect_gt(range, log(3), "noise of 1 and 0.03 differs by a factor of %g", exp(range));
    cr_expect_lt(fabs(none), log(1.5), "equal noise differs by a factor of %g", exp(none));
}

Test(calibration, success_is_known_better_than_by_its_rate)
{
    struct results results;
    run(WORKLOAD_GAUSSIAN, &results);
    cr_expect_lt(results.success.brier, results.base_brier, "Brier %g, of the base rate %g",
                 results.success.brier / results.success.count,
                 results.base_brier / results.success.count);
}

Test(calibration, a_coverage_that_is_none_is_refused)
{
    struct chirr_model *model = outcome_model(3);
    const struct chirr_model_forecast forecast = {.mean = 1, .deviation = 1};
    struct chirr_model_interval interval;
    static const double wrong[] = {0, 1, -0.1, 1.5, NAN, INFINITY};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect_eq(chirr_model_interval(model, 0, &forecast, wrong[i], &interval),
                     CHIRR_ERR_RANGE);
    }
    cr_expect_eq(chirr_model_interval(model, 1, &forecast, 0.5, &interval), CHIRR_ERR_INVALID);
    struct chirr_model_component component;
    cr_expect_eq(chirr_model_forecast_vector(model, 0, 0.5, &component), CHIRR_ERR_INVALID);
    cr_assert_eq(chirr_model_interval(model, 0, &forecast, 0.999999, &interval), CHIRR_OK);
    cr_expect(isfinite(interval.low) && interval.low < forecast.mean);
    cr_expect(isfinite(interval.high) && interval.high > forecast.mean);
}

/* ---- Vectors --------------------------------------------------------------------------------- */

static struct chirr_model *vector_model(uint32_t width)
{
    struct chirr_model_config config = small_config();
    config.sense_count = 1;
    config.senses[0] =
        (struct chirr_model_sense){.name = "load", .kind = CHIRR_SENSE_VECTOR, .width = width};
    return make_model(&arena, &config);
}

/* Forecasts, tallies and learns one vector. */
static void judge_vector(struct chirr_model *model, const float *values, struct tally *tally)
{
    const uint32_t width = chirr_model_configuration(model)->senses[0].width;
    for (int k = 0; k < COVERAGES && tally != NULL; k++) {
        struct chirr_model_component forecast[CHIRR_MODEL_VECTOR_WIDTH_MAX];
        cr_assert_eq(chirr_model_forecast_vector(model, 0, coverages[k], forecast), CHIRR_OK);
        for (uint32_t i = 0; i < width; i++) {
            struct chirr_model_interval interval = {forecast[i].low, forecast[i].high};
            if (!isnan(values[i])) {
                tally_interval(tally, k, (double)values[i], &interval);
                tally->count += k == 0;
            }
        }
    }
    struct chirr_model_step step;
    cr_assert_eq(chirr_model_step_vector(model, 0, values, &step), CHIRR_OK);
}

enum { SENSORS = 3 };

/* Autoregressive sensors in units of their own; a fifth of the values is missing. */
static void sense_vector(double states[SENSORS], uint32_t time, bool drifts,
                         struct chirr_random *random, float values[SENSORS])
{
    double swell = drifts ? pow(3, sin(time / 150.0)) : 1;
    for (int i = 0; i < SENSORS; i++) {
        double noise = chirr_random_normal(random);
        noise = i == 1 ? noise * noise - 1 : noise;                     /* skewed */
        noise *= i == 2 && chirr_random_below(random, 10) == 0 ? 6 : 1; /* outliers */
        states[i] = 0.9 * states[i] + swell * noise;
    }
    double level = drifts ? time * 0.02 : 0;
    values[0] = (float)(1e5 + 300 * (states[0] + level));
    values[1] = (float)(1e-3 * (states[1] - level));
    values[2] = (float)(-40 + states[2]);
    for (int i = 0; i < SENSORS; i++) {
        values[i] = chirr_random_below(random, 5) == 0 ? NAN : values[i];
    }
}

static void run_vectors(bool drifts, struct tally *tally)
{
    *tally = (struct tally){.count = 0};
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct chirr_model *model = vector_model(SENSORS);
        struct chirr_random random;
        chirr_random_init(&random, seed, 2);
        double states[SENSORS] = {0};
        for (uint32_t t = 0; t < 1500; t++) {
            float values[SENSORS];
            sense_vector(states, t, drifts, &random, values);
            judge_vector(model, values, t >= LATE ? tally : NULL);
        }
        chirr_arena_finish(&arena);
    }
}

Test(calibration, intervals_of_vectors_cover_what_they_say_in_their_own_units)
{
    struct tally tally;
    run_vectors(false, &tally);
    expect_coverage("sensors", &tally, 0.03);
}

Test(calibration, intervals_of_vectors_cover_what_they_say_under_drift)
{
    struct tally tally;
    run_vectors(true, &tally);
    expect_coverage("drifting sensors", &tally, 0.06);
}

Test(calibration, forecasting_a_vector_changes_nothing)
{
    struct chirr_model *model = vector_model(SENSORS);
    struct chirr_model_component first[SENSORS];
    struct chirr_model_component again[SENSORS];
    cr_assert_eq(chirr_model_forecast_vector(model, 0, 0.8, first), CHIRR_OK);
    cr_expect(isnan(first[0].mean) && isnan(first[0].high), "nothing came yet");
    judge_vector(model, (const float[SENSORS]){3, NAN, 1e6f}, NULL);
    judge_vector(model, (const float[SENSORS]){4, NAN, 2e6f}, NULL);
    uint64_t hash = chirr_model_state_hash(model);
    cr_assert_eq(chirr_model_forecast_vector(model, 0, 0.8, first), CHIRR_OK);
    cr_assert_eq(chirr_model_forecast_vector(model, 0, 0.8, again), CHIRR_OK);
    cr_expect_eq(hash, chirr_model_state_hash(model));
    cr_expect_eq(memcmp(first, again, sizeof first), 0);
    cr_expect(isnan(first[1].mean), "this one never came");
    cr_expect(first[2].low < first[2].mean && first[2].mean < first[2].high);
}

/* ---- A station's table ----------------------------------------------------------------------- */

enum { STATION_HOURS = 3000 };

Test(calibration, intervals_of_a_station_cover_what_they_say)
{
    struct station station;
    station_init(&station, 1);
    struct chirr_model *model = vector_model(STATION_COLUMNS);
    struct tally tally = {.count = 0};
    for (int t = 0; t < STATION_HOURS; t++) {
        float values[STATION_COLUMNS];
        station_next(&station, values);
        judge_vector(model, values, t >= LATE ? &tally : NULL);
    }
    expect_coverage("a station as vectors", &tally, 0.06);
}

/* Particles are forecast from the weather and the hour, every eighth hour. */
static void judge_particles(struct chirr_model *model, const float values[STATION_COLUMNS],
                            double hour, struct tally *tally, struct reliability *clear)
{
    const float features[6] = {values[STATION_TEMPERATURE],  values[STATION_DEW_POINT],
                               values[STATION_WIND],         values[STATION_RAIN],
                               (float)sin(hour * M_PI / 12), (float)cos(hour * M_PI / 12)};
    float particles = values[STATION_PM25];
    const struct chirr_model_outcome outcome = {logf(particles), particles < 75};
    struct chirr_model_forecast forecast;
    cr_assert_eq(chirr_model_peek(model, 0, features, 1, &forecast), CHIRR_OK);
    if (tally != NULL && outcome.success) {
        tally_forecast(tally, model, &forecast, (double)outcome.target);
    }
    if (tally != NULL) {
        tally_success(clear, (double)forecast.success, outcome.success);
    }
    struct chirr_model_step step;
    cr_assert_eq(chirr_model_step_outcome(model, 0, features, &outcome, &step), CHIRR_OK);
}

Test(calibration, intervals_of_particles_given_the_weather_cover_what_they_say)
{
    struct station station;
    station_init(&station, 2);
    struct chirr_model *model = outcome_model(6);
    struct tally tally = {.count = 0};
    struct reliability clear = {.count = 0};
    for (int t = 0; t < 8 * STATION_HOURS; t++) {
        float values[STATION_COLUMNS];
        double hour = station_next(&station, values);
        if (t % 8 == 0 && !isnan(values[STATION_PM25])) {
            judge_particles(model, values, hour, t >= 8 * LATE ? &tally : NULL, &clear);
        }
    }
    expect_coverage("particles", &tally, 0.06);
    double error = calibration_error(&clear);
    cr_expect_lt(error, 0.06, "expected calibration error of clear air %g", error);
}

/* ---- Measured data --------------------------------------------------------------------------- */

/* Opens the table that CHIRR_AIR names: hourly air quality at a station of Beijing (UCI, "Beijing
 * Multi-Site Air Quality", CC BY 4.0), as CSV. Without it the test is skipped. */
static FILE *open_air(void)
{
    const char *path = getenv("CHIRR_AIR");
    if (path == NULL) {
        cr_skip_test("CHIRR_AIR names no table");
    }
    FILE *table = fopen(path, "r");
    cr_assert_not_null(table, "%s", path);
    char header[512];
    cr_assert_not_null(fgets(header, sizeof header, table));
    return table;
}

/* The columns of enum station_column, and the hour. */
static bool read_air(FILE *table, float values[STATION_COLUMNS], double *hour)
{
    char line[512];
    if (fgets(line, sizeof line, table) == NULL) {
        return false;
    }
    char *rest = line;
    for (int column = 0; column <= 16; column++) {
        const char *field = strsep(&rest, ",");
        cr_assert_not_null(field);
        float value = strncmp(field, "NA", 2) == 0 ? NAN : strtof(field, NULL);
        if (column == 4) {
            *hour = (double)value;
        }
        if (column >= 5 && column != 15) {
            values[column == 16 ? STATION_WIND : column - 5] = value;
        }
    }
    return true;
}

Test(calibration, intervals_of_air_quality_cover_what_they_say)
{
    FILE *table = open_air();
    struct chirr_model *model = vector_model(STATION_COLUMNS);
    struct tally tally = {.count = 0};
    float values[STATION_COLUMNS];
    double hour;
    for (int t = 0; t < STATION_HOURS && read_air(table, values, &hour); t++) {
        judge_vector(model, values, t >= LATE ? &tally : NULL);
    }
    fclose(table);
    expect_coverage("air as vectors", &tally, 0.06);
}

Test(calibration, intervals_of_measured_particles_cover_what_they_say)
{
    FILE *table = open_air();
    struct chirr_model *model = outcome_model(6);
    struct tally tally = {.count = 0};
    struct reliability clear = {.count = 0};
    float values[STATION_COLUMNS];
    double hour;
    for (int t = 0; t < 8 * STATION_HOURS && read_air(table, values, &hour); t++) {
        if (t % 8 == 0 && !isnan(values[STATION_PM25])) {
            judge_particles(model, values, hour, t >= 8 * LATE ? &tally : NULL, &clear);
        }
    }
    fclose(table);
    expect_coverage("measured particles", &tally, 0.06);
    cr_expect_lt(calibration_error(&clear), 0.06);
}
