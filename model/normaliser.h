/* Running mean and variance of each component of a vector, so that sensors of any unit and range
 * reach the model as numbers of order one. Missing values (NaN) are skipped.
 *
 * Early on every value counts equally, later the last few thousand do. Not thread-safe. */
#ifndef CHIRR_MODEL_NORMALISER_H
#define CHIRR_MODEL_NORMALISER_H

#include "base/arena.h"
#include "model/real.h"

#include <stdbool.h>
#include <stdint.h>

struct chirr_normaliser {
    uint32_t width;
    double *mean;     /* [width] */
    double *variance; /* [width] */
    double *count;    /* [width] values seen */
};

size_t chirr_normaliser_bytes(uint32_t width);
bool chirr_normaliser_init(struct chirr_normaliser *normaliser, struct chirr_arena *arena,
                           uint32_t width);

/* Takes `values` in, then writes them normalised, within ±CHIRR_NORMALISED_MAX; what is missing is
 * 0 and not `present`. `values` hold finite numbers and NaN only. */
#define CHIRR_NORMALISED_MAX 8
void chirr_normaliser_apply(struct chirr_normaliser *normaliser, const float *values,
                            chirr_real *normalised, bool *present);

#endif
