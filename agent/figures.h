/* The arithmetic behind the closing summary: what random assignment would have taken, and whether
 * predictions got better.
 *
 * Pure functions over plain figures; the only randomness is a seeded stream. Thread-safe. */
#ifndef CHIRR_AGENT_FIGURES_H
#define CHIRR_AGENT_FIGURES_H

#include <stddef.h>
#include <stdint.h>

#include "agent/config.h"

#define CHIRR_FIGURES_SLOTS_MAX 256

/* One job that came to an end. Times in seconds since the first job arrived. */
struct chirr_job_figure {
    double arrival_s;
    double end_s;
    double duration_s;  /* as measured where it ran */
    double predicted_s; /* what its owner had predicted; 0: nothing */
    uint32_t owner;     /* index of the agent that ran it */
};

struct chirr_capacity {
    double cpu_share; /* of one CPU, > 0 */
    uint32_t slots;   /* jobs at once, 0…CHIRR_FIGURES_SLOTS_MAX; 0: takes no jobs */
};

struct chirr_spread {
    double mean;
    double deviation; /* of one draw, n - 1 in the denominator; 0 for fewer than two */
    double least;
    double greatest;
};

/* Both leave jobs that compare equal in the order of their other time. */
void chirr_figures_sort_by_arrival(struct chirr_job_figure *jobs, size_t count);
void chirr_figures_sort_by_end(struct chirr_job_figure *jobs, size_t count);

/* When the last of `jobs` (in order of arrival) would have ended, in seconds since the first
 * arrival, had each been given to `assigned[i]`: first come, first served per slot, and a job takes
 * its measured duration times the CPU share of its owner over that of the agent it is given to. */
double chirr_figures_makespan(const struct chirr_job_figure *jobs, size_t count,
                              const uint32_t *assigned /* [count] */,
                              const struct chirr_capacity *agents);

/* The makespan under uniformly random assignment to the agents that have slots, over `draws` draws
 * from streams 0…draws-1 of `seed`. All NaN without jobs, draws or slots. `count` <=
 * CHIRR_FIGURES_JOBS_MAX, `agent_count` <= CHIRR_FLEET_AGENTS_MAX. */
#define CHIRR_FIGURES_JOBS_MAX 10000
struct chirr_random_draws {
    uint64_t seed;
    uint32_t draws;
};
struct chirr_spread chirr_figures_random_makespan(const struct chirr_job_figure *jobs, size_t count,
                                                  const struct chirr_capacity *agents,
                                                  uint32_t agent_count,
                                                  struct chirr_random_draws draws);

/* Mean |ln(predicted / real)| of the earlier and the later half of the jobs that had a prediction
 * (in the order given; an odd one in the middle counts as later). exp() of it is the typical factor
 * between the two. NaN for a half without jobs. */
struct chirr_prediction_halves {
    double first, second;
    uint32_t first_count, second_count;
};
struct chirr_prediction_halves chirr_figures_prediction_halves(const struct chirr_job_figure *jobs,
                                                               size_t count);

/* Mean of the values that are numbers; NaN when none is. */
double chirr_figures_mean(const double *values, size_t count);

#endif
