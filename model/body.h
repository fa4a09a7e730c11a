/* The body that all senses share: layers of MCSD sections and gated MLPs over one residual stream.
 *
 * Source: arXiv 2406.12230, sections 3.1-3.3; docs/model.md gives the equations and deviations.
 * With n = RMSNorm(x), r_k the trace of rate k and every matrix cut into partitions:
 *
 *   written   = n ⊙ 2 sigmoid(W_I n)  what the traces keep (with an input gate, else n)
 *   history_k = W_VE[k] r_k          the past, the present excluded
 *   present   = W_UF n
 *   x += W_O (SiLU(present) ⊙ history)
 *   x += W_down (SiLU(W_gate n') ⊙ W_value n')      n' = RMSNorm(x)
 *
 * Forward takes any number of a chunk's steps at once, layer by layer: a trace needs only what its
 * own layer read, never what it gave. Steps taken one by one give the same bits. Where a selector
 * chooses, each partition takes the steps at which it answers, and nothing of it is read otherwise.
 * Not thread-safe: the scratch is shared by all calls, and by all bodies of a workspace. */
#ifndef CHIRR_MODEL_BODY_H
#define CHIRR_MODEL_BODY_H

#include "base/arena.h"
#include "model/kernel.h"
#include "model/layout.h"
#include "model/stream.h"
#include "model/trace.h"

struct chirr_body_scratch { /* T = the longest chunk, W = 2 · the wider of e and f */
    chirr_real *read;       /* [2K][T][D] what each step reads of the traces */
    chirr_real *d_read;     /* [2K][T][D]; forward: `read` turned, [2K][D][T] */
    chirr_real *history;    /* [T][W] of one unit; also the MLP's gate and value */
    chirr_real *present;    /* [T][W] */
    chirr_real *mixed;      /* [T][W] */
    chirr_real *d_mixed;    /* [T][W] */
    chirr_real *d_history;  /* [T][W] */
    chirr_real *d_present;  /* [T][W] */
    chirr_real *rows_in;    /* [T][D] rows of one unit, brought together */
    chirr_real *rows_out;   /* [T][D] */
    chirr_real *rows_sum;   /* [T][D] */
    chirr_real *logits;     /* [T][P] of the selector, or their gradients */
    chirr_real *written;    /* [T][D] what goes into the traces, or its gradient */
    chirr_real *d_opened;   /* [T][D] gradients of the input gate's logits */
    chirr_real *d_x;        /* [T][D] */
    chirr_real *d_n;        /* [T][D] */
    chirr_real *gradient;   /* the largest matrix */
    chirr_real *carry;      /* [2K][D] traces, or their gradient */
};

struct chirr_body {
    struct chirr_layout layout;
    struct chirr_row_layout rows;
    struct chirr_rates rates;
    const struct chirr_kernels *kernels;
    struct chirr_body_scratch scratch;
};

/* The parameters as forward reads them. */
struct chirr_weights {
    const chirr_real *full;
    const uint16_t *narrow; /* the same in bf16, read by matrix products instead; or NULL */
};

/* Where gradients go: one matrix after the other, each as soon as it is known and no longer needed
 * as it was, so that nobody holds them all. */
struct chirr_gradient_sink {
    void (*take)(void *context, size_t offset, size_t count, const chirr_real *gradient);
    void *context;
};

/* A backward pass over the open chunk's `filled` steps. */
struct chirr_backward {
    const struct chirr_body *body;
    const chirr_real *weights; /* the sink may change a matrix that it has taken */
    const struct chirr_gradient_sink *sink;
    const struct chirr_stream *stream;
};

/* A matrix, [inner][columns] at `offset` of the parameters, and the rows that went through it. */
struct chirr_matrix {
    size_t offset;
    size_t inner;
    size_t columns;
    size_t rows;
    const chirr_real *inputs; /* [rows][inner], `input_stride` apart */
    size_t input_stride;
};

size_t chirr_body_scratch_bytes(const struct chirr_layout *layout, uint32_t chunk_max);

/* False when the arena is too small. */
bool chirr_body_scratch_init(struct chirr_body_scratch *scratch, struct chirr_arena *arena,
                             const struct chirr_layout *layout, uint32_t chunk_max);

/* The scratch may be that of other bodies of this layout, too. */
void chirr_body_init(struct chirr_body *body, const struct chirr_layout *layout,
                     const struct chirr_model_config *config,
                     const struct chirr_body_scratch *scratch);

/* A span's steps from their encoded inputs `x` [steps][D], which are overwritten: writes the rows
 * and what the heads read (chirr_stream_features), and moves the traces on unless `what_if`. */
void chirr_body_forward(const struct chirr_body *body, const struct chirr_weights *weights,
                        const struct chirr_span *span, chirr_real *x);

/* Gives the gradients of the chunk to the sink. `d_x` [filled][D] is the gradient of what the heads
 * read, and becomes that of the encoded inputs. */
void chirr_body_backward(const struct chirr_backward *pass, chirr_real *d_x);

/* y[r][j] += Σ_i x[r][i] · w[i][j], for weights at `offset`; any product of forward. */
void chirr_body_multiply(const struct chirr_body *body, const struct chirr_weights *weights,
                         size_t offset, const struct chirr_product *shape, const chirr_real *x,
                         chirr_real *y);

/* For y = inputs · w: d_inputs += d_y · wᵀ, then inputsᵀ · d_y to the sink.
 * d_y [rows][columns] and d_inputs [rows][inner] are dense. */
void chirr_matrix_backward(const struct chirr_backward *pass, const struct chirr_matrix *matrix,
                           const chirr_real *d_y, chirr_real *d_inputs);

#endif
