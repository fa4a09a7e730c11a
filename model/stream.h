/* One sense's recurrent state, and the activations of its open chunk.
 *
 * Per layer and step one row holds all that the backward pass needs; rows of a layer are contiguous
 * in time, so that a chunk is a matrix with one stride:
 *
 *   hat1 [D] n1 [D] history [H][2e] present [H][2e] hat2 [D] n2 [D] hidden [H][2f] scale1 scale2
 *
 * hat is the normalised input before its gain, n after; H = hosted partitions. */
#ifndef CHIRR_MODEL_STREAM_H
#define CHIRR_MODEL_STREAM_H

#include "base/arena.h"
#include "model/layout.h"
#include "model/real.h"

struct chirr_row_layout { /* offsets in a row */
    size_t hat1, n1, history, present, hat2, n2, hidden, scales;
    size_t stride;
};

struct chirr_stream {
    uint32_t chunk;  /* T, steps of a chunk */
    uint32_t filled; /* steps of the open chunk, 0…T−1 */
    uint32_t inputs; /* numbers a step reads: 1 (a symbol) for bytes */
    uint32_t outputs;
    chirr_real *traces;       /* [L][2K][D], now */
    chirr_real *traces_start; /* [L][2K][D], when the chunk began */
    chirr_real *powers;       /* [2K], now */
    chirr_real *powers_start; /* [2K], when the chunk began */
    chirr_real *rows;         /* [L][T][row stride] */
    chirr_real *finals;       /* [T][2D + 1]: hat, n, scale of the last norm */
    chirr_real *input;        /* [T][inputs] */
    chirr_real *d_output;     /* [T][outputs], gradient of the step's loss at the head */
};

/* What a stream is made of besides the layout. */
struct chirr_stream_shape {
    uint32_t chunk;
    uint32_t inputs;
    uint32_t outputs;
};

void chirr_row_layout_init(struct chirr_row_layout *rows, const struct chirr_layout *layout);

size_t chirr_stream_bytes(const struct chirr_layout *layout,
                          const struct chirr_stream_shape *shape);

/* False when the arena is too small. */
bool chirr_stream_init(struct chirr_stream *stream, struct chirr_arena *arena,
                       const struct chirr_layout *layout, const struct chirr_stream_shape *shape);

/* Back to the empty past. */
void chirr_stream_reset(struct chirr_stream *stream, const struct chirr_layout *layout);

/* Copies the recurrent state, not the open chunk. */
void chirr_stream_copy_state(struct chirr_stream *to, const struct chirr_stream *from,
                             const struct chirr_layout *layout);

/* The open chunk is learned or dropped: the next one begins at the present state. */
void chirr_stream_begin_chunk(struct chirr_stream *stream, const struct chirr_layout *layout);

static inline size_t chirr_stream_trace_count(const struct chirr_layout *layout)
{
    return (size_t)layout->layers * 2 * layout->rates * layout->width;
}

/* Traces of a layer in `traces` or `traces_start`. */
static inline chirr_real *chirr_layer_traces(chirr_real *traces, const struct chirr_layout *layout,
                                             uint32_t layer)
{
    return traces + (size_t)layer * 2 * layout->rates * layout->width;
}

#endif
