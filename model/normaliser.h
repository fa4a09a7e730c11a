/* Running mean and deviation of each component of a vector, so that sensors of any unit and range
 * reach the model as numbers of order one. Missing values (NaN) are skipped.
 *
 * - The first few values, from their median and the median of their distances to it: one wild value
 *   at the start does not set the scale.
 * - After them every value counts equally at first, later the last few thousand do. What lies many
 *   deviations away moves the estimates by a few alone.
 * - A run of values out of scale is a sensor that changed its level, range or unit: the estimates
 *   begin anew from the last of them. So does a spread that values have left for long.
 * - A component that was constant has no scale: its first change sets one.
 * Plain arithmetic on what came, no clock. Not thread-safe. */
#ifndef CHIRR_MODEL_NORMALISER_H
#define CHIRR_MODEL_NORMALISER_H

#include "base/arena.h"
#include "model/real.h"

#include <stdbool.h>
#include <stdint.h>

#define CHIRR_NORMALISED_MAX 8
#define CHIRR_NORMALISER_HELD 8

struct chirr_normaliser {
    uint32_t width;
    double *mean;     /* [width] */
    double *variance; /* [width] */
    double *count;    /* [width] values that the estimates are worth; 0 while the first are held */
    uint32_t *run;    /* [width] values in a row that are the first, or out of scale */
    float *held;      /* [width][CHIRR_NORMALISER_HELD] the last of these */
};

size_t chirr_normaliser_bytes(uint32_t width);
bool chirr_normaliser_init(struct chirr_normaliser *normaliser, struct chirr_arena *arena,
                           uint32_t width);

/* Writes `values` in the units of those that came before, within ±CHIRR_NORMALISED_MAX: what a
 * forecast is judged by. What is missing, or has no unit yet (the first values, while they are all
 * equal), is 0 and not `judged`. `values` hold finite numbers and NaN only. */
void chirr_normaliser_measure(const struct chirr_normaliser *normaliser, const float *values,
                              chirr_real *normalised, bool *judged);

/* Takes `values` in, then writes them normalised, within ±CHIRR_NORMALISED_MAX; what is missing is
 * 0. `values` hold finite numbers and NaN only. */
void chirr_normaliser_apply(struct chirr_normaliser *normaliser, const float *values,
                            chirr_real *normalised);

/* The unit of a component's normalised values, > 0. */
double chirr_normaliser_deviation(const struct chirr_normaliser *normaliser, uint32_t component);

#endif
