/* Figures of docs/model.md, "Heads and calibration": what intervals of outcomes cover, how reliable
 * probabilities are, and what an outcome and a candidate cost.
 *
 * bench_heads [SEEDS [OUTCOMES]] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "model/model.h"
#include "tests/support/workloads.h"

enum { COVERAGES = 3, LATE = 100, CANDIDATES = 64 };
static const double coverages[COVERAGES] = {0.5, 0.8, 0.95};

struct results {
    double tallied;
    double covered[COVERAGES];
    double normal[COVERAGES]; /* by the deviation alone, were errors Gaussian */
    double forecasts;
    double bins[10][2]; /* sums of the success that was said, and that came */
    double outcomes;
    double outcome_s;
    double candidates;
    double candidate_s;
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_heads: %s\n", what);
    exit(1);
}

static void tally(const struct chirr_model *model, const struct workload_task *task,
                  const struct chirr_model_forecast *forecast, struct results *r)
{
    static const double normal[COVERAGES] = {0.67449, 1.28155, 1.95996};
    int bin = forecast->success < 1 ? (int)(forecast->success * 10) : 9;
    r->forecasts++;
    r->bins[bin][0] += (double)forecast->success;
    r->bins[bin][1] += task->success;
    r->tallied += task->success;
    for (int k = 0; k < COVERAGES && task->success; k++) {
        struct chirr_model_interval interval;
        if (chirr_model_interval(model, 0, forecast, coverages[k], &interval) != CHIRR_OK) {
            fail("no interval");
        }
        double error = fabs(task->target - (double)forecast->mean);
        r->covered[k] +=
            task->target >= (double)interval.low && task->target <= (double)interval.high;
        r->normal[k] += error <= normal[k] * (double)forecast->deviation;
    }
}

static void peek_many(struct chirr_model *model, enum workload workload, uint32_t time,
                      struct chirr_random *random, struct results *r)
{
    static float features[CANDIDATES][WORKLOAD_FEATURES];
    struct chirr_model_forecast forecasts[CANDIDATES];
    for (int i = 0; i < CANDIDATES; i++) {
        const struct workload_task task = workload_draw(workload, time, random);
        for (int k = 0; k < WORKLOAD_FEATURES; k++) {
            features[i][k] = task.features[k];
        }
    }
    double start = seconds();
    if (chirr_model_peek(model, 0, features[0], CANDIDATES, forecasts) != CHIRR_OK) {
        fail("no forecasts");
    }
    r->candidate_s += seconds() - start;
    r->candidates += CANDIDATES;
}

static void run(enum workload workload, uint64_t seed, uint32_t outcomes, struct results *r)
{
    struct chirr_model_config config = chirr_model_config_default();
    config.origins_max = 0;
    config.senses[0] = (struct chirr_model_sense){
        .name = "cost", .kind = CHIRR_SENSE_OUTCOME, .width = WORKLOAD_FEATURES};
    struct chirr_arena arena;
    struct chirr_random random;
    struct chirr_random others;
    chirr_random_init(&random, seed, workload);
    chirr_random_init(&others, seed, WORKLOAD_COUNT);
    if (chirr_arena_init(&arena, chirr_model_bytes(&config)) != CHIRR_OK) {
        fail("out of memory");
    }
    struct chirr_model *model = chirr_model_create(&arena, &config);
    for (uint32_t t = 0; t < outcomes; t++) {
        const struct workload_task task = workload_draw(workload, t, &random);
        struct chirr_model_forecast forecast;
        struct chirr_model_step step;
        if (chirr_model_peek(model, 0, task.features, 1, &forecast) != CHIRR_OK) {
            fail("no forecast");
        }
        if (t >= LATE) {
            tally(model, &task, &forecast, r);
        }
        if (t % 20 == 19) {
            peek_many(model, workload, t, &others, r);
        }
        const struct chirr_model_outcome outcome = {(float)task.target, task.success};
        double start = seconds();
        if (chirr_model_step_outcome(model, 0, task.features, &outcome, &step) != CHIRR_OK) {
            fail("an outcome was refused");
        }
        r->outcome_s += seconds() - start;
        r->outcomes++;
    }
    chirr_arena_finish(&arena);
}

static void print(enum workload workload, const struct results *r)
{
    double error = 0;
    for (int i = 0; i < 10; i++) {
        error += fabs(r->bins[i][0] - r->bins[i][1]);
    }
    printf("%-16s", workload_name(workload));
    for (int k = 0; k < COVERAGES; k++) {
        printf("  %4.1f (%4.1f)", 100 * r->covered[k] / r->tallied,
               100 * r->normal[k] / r->tallied);
    }
    printf("  %.3f  %7.1f  %7.2f\n", error / r->forecasts, 1e6 * r->outcome_s / r->outcomes,
           1e6 * r->candidate_s / r->candidates);
}

int main(int argc, char **argv)
{
    uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 12;
    uint32_t outcomes = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 500;
    if (seeds == 0 || outcomes <= LATE) {
        fail("needs a seed and more than 100 outcomes");
    }
    printf("coverage of intervals (by the deviation alone), after %d outcomes\n", LATE);
    printf("%-16s  50 %%         80 %%         95 %%         success  us/outcome  us/candidate\n",
           "");
    for (enum workload workload = 0; workload < WORKLOAD_COUNT; workload++) {
        struct results results = {0};
        for (uint64_t seed = 1; seed <= seeds; seed++) {
            run(workload, seed, outcomes, &results);
        }
        print(workload, &results);
    }
    return 0;
}
