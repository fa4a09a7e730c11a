/* The body that all senses share: layers of MCSD sections and gated MLPs over one residual stream.
 *
 * Source: arXiv 2406.12230, sections 3.1-3.3; docs/model.md gives the equations and deviations.
 * With n = RMSNorm(x), r_k the trace of rate k and every matrix cut into partitions:
 *
 *   history_k = W_VE[k] r_k          the past, the present excluded
 *   present   = W_UF n
 *   x += W_O (SiLU(present) ⊙ history)
 *   x += W_down (SiLU(W_gate n') ⊙ W_value n')      n' = RMSNorm(x)
 *
 * Forward runs step by step; backward takes a chunk at once, as matrix products. Not thread-safe:
 * the scratch is shared by all calls. */
#ifndef CHIRR_MODEL_BODY_H
#define CHIRR_MODEL_BODY_H

#include "base/arena.h"
#include "model/kernel.h"
#include "model/layout.h"
#include "model/stream.h"
#include "model/trace.h"

struct chirr_body_scratch { /* T = the longest chunk */
    chirr_real *read;       /* [2K][T][D] */
    chirr_real *d_read;     /* [2K][T][D] */
    chirr_real *mixed;      /* [T][2e], or [T][f] */
    chirr_real *d_mixed;    /* likewise */
    chirr_real *d_history;  /* [T][2e], or [T][2f] of the MLP */
    chirr_real *d_present;  /* [T][2e] */
    chirr_real *d_x;        /* [T][D] */
    chirr_real *d_n;        /* [T][D] */
    chirr_real *transposed; /* the largest matrix */
    chirr_real *carry;      /* [D] */
};

struct chirr_body {
    struct chirr_layout layout;
    struct chirr_row_layout rows;
    struct chirr_rates rates;
    const struct chirr_kernels *kernels;
    struct chirr_body_scratch scratch;
};

/* The parameter array and the gradient that is parallel to it. */
struct chirr_parameters {
    const chirr_real *weights;
    chirr_real *gradient;
};

/* Which matrix, [inner][columns] at `offset` of the parameters, and how its inputs lie. */
struct chirr_matrix {
    size_t offset;
    size_t inner;
    size_t columns;
    const chirr_real *inputs; /* [steps][inner], rows `input_stride` apart */
    size_t input_stride;
};

size_t chirr_body_bytes(const struct chirr_layout *layout, uint32_t chunk_max);

/* False when the arena is too small. */
bool chirr_body_init(struct chirr_body *body, struct chirr_arena *arena,
                     const struct chirr_layout *layout, uint32_t chunk_max);

/* Step `t` of the open chunk, from the encoded input `x` [D], which is overwritten. Reads the
 * traces, writes none. Returns what the heads read, [D], borrowed from the stream. */
const chirr_real *chirr_body_forward(const struct chirr_body *body, const chirr_real *weights,
                                     struct chirr_stream *stream, uint32_t t, chirr_real *x);

/* Writes what step `t` read into the traces: time goes on. */
void chirr_body_advance(const struct chirr_body *body, struct chirr_stream *stream, uint32_t t);

/* Adds the gradients of the open chunk's `filled` steps. `d_x` [filled][D] is the gradient of what
 * chirr_body_forward returned, and becomes that of the encoded inputs. */
void chirr_body_backward(const struct chirr_body *body, const struct chirr_parameters *parameters,
                         const struct chirr_stream *stream, chirr_real *d_x);

/* For y = inputs · w: d_w += inputsᵀ · d_y, then d_inputs += d_y · wᵀ.
 * d_y [steps][columns] and d_inputs [steps][inner] are dense. */
void chirr_matrix_backward(const struct chirr_body *body, const struct chirr_parameters *parameters,
                           const struct chirr_matrix *matrix, size_t steps, const chirr_real *d_y,
                           chirr_real *d_inputs);

#endif
