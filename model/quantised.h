/* A block of change in four bits a coordinate, with one scale: what travels, and what is held.
 *
 * Values are −7…7 steps of `scale`, so that a block's rounding error is about a tenth of its norm;
 * measured against eight bits, twice the blocks in a message are worth more than the finer step
 * (docs/model.md). The scale keeps the upper half of a float alone (rounded up). Thread-safe. */
#ifndef CHIRR_MODEL_QUANTISED_H
#define CHIRR_MODEL_QUANTISED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/kernel.h"
#include "model/real.h"

#define CHIRR_QUANTISED_COUNT 64
#define CHIRR_QUANTISED_BYTES (2 + CHIRR_QUANTISED_COUNT / 2) /* on the wire */

struct chirr_quantised {
    float scale;                               /* 0: all coordinates are 0 */
    uint8_t values[CHIRR_QUANTISED_COUNT / 2]; /* value + 8, the even coordinate in the low half */
};

static inline int chirr_quantised_at(const struct chirr_quantised *block, size_t i)
{
    return (block->values[i / 2] >> (i % 2 * 4) & 0xF) - 8;
}

void chirr_quantise(const chirr_real *values /* [64] */, struct chirr_quantised *block);

/* sum [64] += factor · block */
void chirr_quantised_add(const struct chirr_kernels *kernels, const struct chirr_quantised *block,
                         float factor, chirr_real *sum);

/* The squared norm that rounding to these steps is expected to leave behind. */
double chirr_quantised_noise(const struct chirr_quantised *block);

/* A block that chirr_quantise could have written of values within ±change_max, or one of zero bytes,
 * which is no change. */
bool chirr_quantised_is_sound(const struct chirr_quantised *block, float change_max);

/* u16 scale (upper half of an f32, little-endian), then the values. */
void chirr_quantised_put(const struct chirr_quantised *block, uint8_t *out);

/* CHIRR_ERR_NOTFINITE: the scale. CHIRR_ERR_MALFORMED: a negative scale, one whose values would
 * exceed `change_max`, or a value of −8. */
CHIRR_NODISCARD enum chirr_err chirr_quantised_get(const uint8_t *in, float change_max,
                                                   struct chirr_quantised *block);

#endif
