#include "agent/figures.h"

#include <math.h>
#include <stdlib.h>

#include "base/random.h"

static int compare(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_arrival(const void *a, const void *b)
{
    const struct chirr_job_figure *x = a;
    const struct chirr_job_figure *y = b;
    int order = compare(x->arrival_s, y->arrival_s);
    return order != 0 ? order : compare(x->end_s, y->end_s);
}

static int compare_end(const void *a, const void *b)
{
    const struct chirr_job_figure *x = a;
    const struct chirr_job_figure *y = b;
    int order = compare(x->end_s, y->end_s);
    return order != 0 ? order : compare(x->arrival_s, y->arrival_s);
}

void chirr_figures_sort_by_arrival(struct chirr_job_figure *jobs, size_t count)
{
    qsort(jobs, count, sizeof *jobs, compare_arrival);
}

void chirr_figures_sort_by_end(struct chirr_job_figure *jobs, size_t count)
{
    qsort(jobs, count, sizeof *jobs, compare_end);
}

/* When the slots of each agent become free. */
struct slots {
    double free_s[CHIRR_FLEET_AGENTS_MAX][CHIRR_FIGURES_SLOTS_MAX];
};

static double *earliest_slot(struct slots *slots, uint32_t agent, uint32_t slot_count)
{
    double *earliest = &slots->free_s[agent][0];
    for (uint32_t i = 1; i < slot_count; i++) {
        if (slots->free_s[agent][i] < *earliest) {
            earliest = &slots->free_s[agent][i];
        }
    }
    return earliest;
}

double chirr_figures_makespan(const struct chirr_job_figure *jobs, size_t count,
                              const uint32_t *assigned, const struct chirr_capacity *agents)
{
    struct slots slots = {0};
    double last_s = 0;
    for (size_t i = 0; i < count; i++) {
        const struct chirr_job_figure *job = &jobs[i];
        uint32_t agent = assigned[i];
        CHIRR_ASSERT(agent < CHIRR_FLEET_AGENTS_MAX);
        CHIRR_ASSERT(agents[agent].slots > 0 && agents[agent].slots <= CHIRR_FIGURES_SLOTS_MAX);

        double *free_s = earliest_slot(&slots, agent, agents[agent].slots);
        double start_s = *free_s > job->arrival_s ? *free_s : job->arrival_s;
        double scale = agents[job->owner].cpu_share / agents[agent].cpu_share;
        *free_s = start_s + job->duration_s * scale;
        if (*free_s > last_s) {
            last_s = *free_s;
        }
    }
    return last_s;
}

static struct chirr_spread spread_of(const double *values, size_t count)
{
    struct chirr_spread spread = {NAN, NAN, NAN, NAN};
    if (count == 0) {
        return spread;
    }
    spread.mean = chirr_figures_mean(values, count);
    spread.least = spread.greatest = values[0];
    double squares = 0;
    for (size_t i = 0; i < count; i++) {
        double distance = values[i] - spread.mean;
        squares += distance * distance;
        spread.least = fmin(spread.least, values[i]);
        spread.greatest = fmax(spread.greatest, values[i]);
    }
    spread.deviation = count < 2 ? 0 : sqrt(squares / (double)(count - 1));
    return spread;
}

#define DRAWS_MAX 1000

struct chirr_spread chirr_figures_random_makespan(const struct chirr_job_figure *jobs, size_t count,
                                                  const struct chirr_capacity *agents,
                                                  uint32_t agent_count,
                                                  struct chirr_random_draws draws)
{
    CHIRR_ASSERT(count <= CHIRR_FIGURES_JOBS_MAX);
    CHIRR_ASSERT(agent_count <= CHIRR_FLEET_AGENTS_MAX);
    CHIRR_ASSERT(draws.draws <= DRAWS_MAX);
    uint32_t able[CHIRR_FLEET_AGENTS_MAX];
    uint32_t able_count = 0;
    for (uint32_t i = 0; i < agent_count; i++) {
        if (agents[i].slots > 0) {
            able[able_count++] = i;
        }
    }
    if (count == 0 || able_count == 0) {
        return spread_of(NULL, 0);
    }

    double makespans_s[DRAWS_MAX];
    uint32_t assigned[CHIRR_FIGURES_JOBS_MAX];
    for (uint32_t draw = 0; draw < draws.draws; draw++) {
        struct chirr_random random;
        chirr_random_init(&random, draws.seed, draw);
        for (size_t i = 0; i < count; i++) {
            assigned[i] = able[chirr_random_below(&random, able_count)];
        }
        makespans_s[draw] = chirr_figures_makespan(jobs, count, assigned, agents);
    }
    return spread_of(makespans_s, draws.draws);
}

static bool predicted(const struct chirr_job_figure *job)
{
    return job->predicted_s > 0 && job->duration_s > 0;
}

struct chirr_prediction_halves chirr_figures_prediction_halves(const struct chirr_job_figure *jobs,
                                                               size_t count)
{
    uint32_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += predicted(&jobs[i]);
    }

    struct chirr_prediction_halves halves = {0};
    for (size_t i = 0; i < count; i++) {
        if (!predicted(&jobs[i])) {
            continue;
        }
        double error = fabs(log(jobs[i].predicted_s / jobs[i].duration_s));
        if (halves.first_count < total / 2) {
            halves.first += error;
            halves.first_count++;
        } else {
            halves.second += error;
            halves.second_count++;
        }
    }
    halves.first = halves.first_count > 0 ? halves.first / halves.first_count : NAN;
    halves.second = halves.second_count > 0 ? halves.second / halves.second_count : NAN;
    return halves;
}

double chirr_figures_mean(const double *values, size_t count)
{
    double sum = 0;
    size_t numbers = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(values[i])) {
            continue;
        }
        sum += values[i];
        numbers++;
    }
    return numbers > 0 ? sum / (double)numbers : NAN;
}
