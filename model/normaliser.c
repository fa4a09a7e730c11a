#include "model/normaliser.h"

#include <math.h>

/* The least weight of a new value: a memory of about 2,000 values. */
#define RATE_MIN 0.0005

size_t chirr_normaliser_bytes(uint32_t width)
{
    return 3 * chirr_arena_round(width * sizeof(double));
}

bool chirr_normaliser_init(struct chirr_normaliser *normaliser, struct chirr_arena *arena,
                           uint32_t width)
{
    normaliser->width = width;
    normaliser->mean = chirr_arena_take(arena, width, sizeof(double));
    normaliser->variance = chirr_arena_take(arena, width, sizeof(double));
    normaliser->count = chirr_arena_take(arena, width, sizeof(double));
    return normaliser->mean != NULL && normaliser->variance != NULL && normaliser->count != NULL;
}

void chirr_normaliser_apply(struct chirr_normaliser *normaliser, const float *values,
                            chirr_real *normalised, bool *present)
{
    for (uint32_t i = 0; i < normaliser->width; i++) {
        present[i] = !isnan(values[i]);
        normalised[i] = 0;
        if (!present[i]) {
            continue;
        }
        double rate = 1 / ++normaliser->count[i];
        rate = rate > RATE_MIN ? rate : RATE_MIN;
        double ahead = (double)values[i] - normaliser->mean[i];
        normaliser->mean[i] += rate * ahead;
        normaliser->variance[i] = (1 - rate) * (normaliser->variance[i] + rate * ahead * ahead);
        /* A constant is 0, not the quotient of two roundings. */
        double floor = 1e-6 * fabs(normaliser->mean[i]) + 1e-12;
        double deviation = sqrt(normaliser->variance[i]) + floor;
        double z = ((double)values[i] - normaliser->mean[i]) / deviation;
        z = z < CHIRR_NORMALISED_MAX ? z : CHIRR_NORMALISED_MAX;
        normalised[i] = (chirr_real)(z > -CHIRR_NORMALISED_MAX ? z : -CHIRR_NORMALISED_MAX);
    }
}
