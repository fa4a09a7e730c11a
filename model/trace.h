/* Traces: the recurrent state of a layer, and the only thing that crosses a chunk's edge.
 *
 * For each of 2K rates ρ (K slopes, then K decays) an exponential average of the layer's normalised
 * inputs, n_t, D numbers each:
 *
 *   read   r_t = a_t / (1 − ρ^t)          (bias-corrected; 0 before anything was written)
 *   write  a_{t+1} = ρ a_t + (1 − ρ) n_t
 *
 * The present is excluded: a step reads before it writes. Deviation from the paper, which keeps the
 * state behind the projection: with fixed rates W · trace is the same function. */
#ifndef CHIRR_MODEL_TRACE_H
#define CHIRR_MODEL_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "model/kernel.h"
#include "model/model.h"

struct chirr_rates {
    uint32_t count;                               /* 2K */
    chirr_real values[2 * CHIRR_MODEL_RATES_MAX]; /* ρ, slopes then decays */
};

/* Slopes log-spaced over 0.25…4 steps, decays over decay_min…decay_max, ρ = e^(−1/τ); or, where
 * both are 0, those of the paper: slopes of 2^(−8(i+1)/K) a step, read as ρ = e^−slope, and decays
 * 1 − 2^(−5−i). */
void chirr_rates_init(struct chirr_rates *rates, const struct chirr_model_config *config);

/* What a layer's steps write: rows [steps][width], `stride` apart. */
struct chirr_trace_inputs {
    const chirr_real *rows;
    size_t stride;
    size_t steps;
};

/* Each step reads, then writes. `powers` [2K] is ρ^t of the steps written before, 1 at the start of
 * a stream; it is not moved on, since all layers share it. */
void chirr_trace_scan(const struct chirr_rates *rates, const struct chirr_kernels *kernels,
                      size_t width, chirr_real *traces /* [2K][width] */, const chirr_real *powers,
                      const struct chirr_trace_inputs *inputs,
                      chirr_real *read /* [2K][steps][width] */);

/* What `steps` candidates for the next step would read, each the same. */
void chirr_trace_repeat(const struct chirr_rates *rates, size_t width, const chirr_real *traces,
                        const chirr_real *powers, size_t steps,
                        chirr_real *read /* [2K][steps][width] */);

/* Time's own gradient, from what was read to what was written:
 *   δa_t = δr_t / (1 − ρ^t) + ρ δa_{t+1},   δn_t += (1 − ρ) δa_{t+1} */
struct chirr_trace_gradient {
    const chirr_real *d_read; /* [2K][steps][width] */
    chirr_real *d_inputs;     /* [steps][width], added to */
    chirr_real *carry;        /* [width] scratch */
    size_t steps;             /* at most CHIRR_MODEL_CHUNK_MAX */
};
void chirr_trace_backward(const struct chirr_rates *rates, const struct chirr_kernels *kernels,
                          size_t width, const chirr_real *powers,
                          const struct chirr_trace_gradient *gradient);

/* One more step was written. */
void chirr_trace_advance(const struct chirr_rates *rates, chirr_real *powers);

/* 1 / (1 − ρ^t), or 0 before the first write. */
static inline chirr_real chirr_trace_correction(chirr_real power)
{
    return power < 1 ? 1 / (1 - power) : 0;
}

#endif
