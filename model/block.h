/* One layer of the body, forward and backward; body.h gives the equations. */
#ifndef CHIRR_MODEL_BLOCK_H
#define CHIRR_MODEL_BLOCK_H

#include "model/body.h"

/* The row of a step and layer. */
static inline chirr_real *chirr_block_row(const struct chirr_body *body,
                                          const struct chirr_stream *stream, uint32_t layer,
                                          uint32_t t)
{
    return stream->rows + ((size_t)layer * stream->chunk + t) * body->rows.stride;
}

/* Which layer and step of which stream. */
struct chirr_block_place {
    struct chirr_stream *stream;
    uint32_t layer;
    uint32_t t;
};

/* x [D] += sections, then += MLP. */
void chirr_block_forward(const struct chirr_body *body, const chirr_real *weights,
                         const struct chirr_block_place *place, chirr_real *x);

/* d_x [filled][D]: gradient of the layer's output, becomes that of its input. */
void chirr_block_backward(const struct chirr_body *body, const struct chirr_parameters *parameters,
                          const struct chirr_stream *stream, uint32_t layer, chirr_real *d_x);

#endif
