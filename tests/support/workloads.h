/* Synthetic outcomes that differ in what makes forecasting hard; every one from a seed. */
#ifndef CHIRR_TESTS_SUPPORT_WORKLOADS_H
#define CHIRR_TESTS_SUPPORT_WORKLOADS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

enum workload {
    WORKLOAD_GAUSSIAN,        /* noise 0.1, Gaussian */
    WORKLOAD_STUDENT,         /* heavy tails: Student's t of 3 degrees */
    WORKLOAD_LOG_NORMAL,      /* skewed */
    WORKLOAD_HETEROSCEDASTIC, /* the noise of a kind is 0.03, 0.1, 0.3 or 1 */
    WORKLOAD_NONLINEAR,       /* the cost of size bends: no linear model can say it */
    WORKLOAD_DRIFT,           /* a noise every 20 outcomes */
    WORKLOAD_STEP,            /* +1 and three times the noise from outcome 250 on */
    WORKLOAD_VOLATILE,        /* noise breathes between a third and three times, in 200 outcomes */
    WORKLOAD_COUNT,
};

enum { WORKLOAD_KINDS = 4, WORKLOAD_FEATURES = 12 };

struct workload_task {
    float features[WORKLOAD_FEATURES]; /* eight signs of the kind, size, speed, running, load */
    uint32_t kind;
    double target; /* ln seconds */
    double mean;   /* what of it could be known */
    bool success;
    double success_probability;
};

static inline const char *workload_name(enum workload workload)
{
    static const char *const names[] = {"gaussian",  "student", "log-normal", "heteroscedastic",
                                        "nonlinear", "drift",   "step",       "volatile"};
    return names[workload];
}

static inline double workload_noise(enum workload workload, uint32_t kind, uint32_t time,
                                    struct chirr_random *random)
{
    static const double of_kind[WORKLOAD_KINDS] = {0.03, 0.1, 0.3, 1};
    double normal = chirr_random_normal(random);
    switch (workload) {
    case WORKLOAD_STUDENT: {
        double squares = 0;
        for (int i = 0; i < 3; i++) {
            double x = chirr_random_normal(random);
            squares += x * x;
        }
        return 0.1 * normal / sqrt(squares / 3);
    }
    case WORKLOAD_LOG_NORMAL:
        return 0.1 * (exp(normal) - exp(0.5));
    case WORKLOAD_HETEROSCEDASTIC:
        return of_kind[kind] * normal;
    case WORKLOAD_STEP:
        return time < 250 ? 0.1 * normal : 1 + 0.3 * normal;
    case WORKLOAD_VOLATILE:
        return 0.1 * pow(3, sin(time * 2 * M_PI / 200)) * normal;
    case WORKLOAD_DRIFT:
        return 0.005 * time + 0.1 * normal;
    default:
        return 0.1 * normal;
    }
}

static inline struct workload_task workload_draw(enum workload workload, uint32_t time,
                                                 struct chirr_random *random)
{
    static const double rates[WORKLOAD_KINDS] = {-4, -2.5, -1, 0.5};
    static const uint8_t signs[WORKLOAD_KINDS] = {0x5A, 0xC3, 0x17, 0xE8};
    struct workload_task task = {.kind = (uint32_t)chirr_random_below(random, WORKLOAD_KINDS)};
    for (int i = 0; i < 8; i++) {
        task.features[i] = signs[task.kind] >> i & 1 ? 1 : -1;
    }
    double size = 3 * chirr_random_uniform(random);
    double load = chirr_random_uniform(random);
    double running = (double)chirr_random_below(random, 4);
    task.features[8] = (float)size;
    task.features[9] = -0.4f;
    task.features[10] = (float)running;
    task.features[11] = chirr_random_below(random, 4) == 0 ? NAN : (float)load;
    double bend = workload == WORKLOAD_NONLINEAR ? 0.5 * sin(3 * size) : 0;
    task.mean = rates[task.kind] + 0.9 * size + 0.1 * running + 0.2 * load + bend;
    task.target = task.mean + workload_noise(workload, task.kind, time, random);
    double logit = 1 + 0.8 * task.features[0] - 0.5 * size + 0.3 * task.features[3];
    task.success_probability = 1 / (1 + exp(-logit));
    task.success = chirr_random_uniform(random) < task.success_probability;
    return task;
}

#endif
