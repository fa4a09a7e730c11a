/* One layer of the body, forward and backward; body.h gives the equations. */
#ifndef CHIRR_MODEL_BLOCK_H
#define CHIRR_MODEL_BLOCK_H

#include "model/body.h"

/* The row of a step and layer; that of the next step lies `rows.stride` on. */
static inline chirr_real *chirr_block_row(const struct chirr_body *body,
                                          const struct chirr_stream *stream, uint32_t layer,
                                          uint32_t t)
{
    return stream->rows + ((size_t)layer * stream->chunk + t) * body->rows.stride;
}

/* The steps at which one unit answers, and in which of their slots. */
struct chirr_answers {
    uint32_t count;
    uint32_t steps[CHIRR_MODEL_CHUNK_MAX];
    uint8_t slots[CHIRR_MODEL_CHUNK_MAX];
};

/* Of the `count` steps from `first`; `steps` are counted from `first`. */
void chirr_block_answers(const struct chirr_layout *layout, const struct chirr_span *span,
                         uint32_t layer, uint32_t unit, struct chirr_answers *answers);

/* Rows of a matrix: in place where they follow each other, else brought together in a buffer. */
struct chirr_rows {
    chirr_real *at;
    size_t stride;
    bool gathered;
};

struct chirr_rows chirr_rows_gather(const struct chirr_answers *answers, chirr_real *base,
                                    size_t stride, size_t width, chirr_real *buffer);

/* Puts gathered rows back to where they came from. */
void chirr_rows_scatter(const struct chirr_answers *answers, const struct chirr_rows *rows,
                        size_t width, chirr_real *base, size_t stride);

/* What the steps from `row` on write to the traces: their n, or what the input gate lets through of
 * it, in the scratch. */
struct chirr_trace_inputs chirr_block_written(const struct chirr_body *body, const chirr_real *row,
                                              size_t steps);

/* x [steps][D] += sections, then += MLP. */
void chirr_block_forward(const struct chirr_body *body, const struct chirr_weights *weights,
                         const struct chirr_span *span, uint32_t layer, chirr_real *x);

/* d_x [filled][D]: gradient of the layer's output, becomes that of its input. */
void chirr_block_backward(const struct chirr_backward *pass, uint32_t layer, chirr_real *d_x);

#endif
