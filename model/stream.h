/* One sense's recurrent state, and the activations of its open chunk.
 *
 * Per layer and step one row holds all that the backward pass needs; rows of a layer are contiguous
 * in time, so that a chunk is a matrix with one stride:
 *
 *   hat1 [D] n1 [D] gate [D] history [S][2e] present [S][2e] hat2 [D] n2 [D] hidden [S][2f]
 *   scale1 scale2 opened [S]
 *
 * hat is the normalised input before its gain, n after. A slot holds one of the units that answered
 * at the step; which one, `chosen` says. `gate` is the input gate's sigmoid, where there is one;
 * hat2 and n2 are there for an MLP alone. */
#ifndef CHIRR_MODEL_STREAM_H
#define CHIRR_MODEL_STREAM_H

#include <stdbool.h>

#include "base/arena.h"
#include "model/layout.h"
#include "model/real.h"

struct chirr_row_layout { /* offsets in a row */
    size_t hat1, n1, gate, history, present, hat2, n2, hidden, scales, opened;
    size_t stride;
};

struct chirr_stream {
    uint32_t chunk;  /* T, steps of a chunk */
    uint32_t filled; /* steps of the open chunk, 0…T−1 */
    uint32_t inputs; /* numbers a step reads; of symbols, the first is the symbol */
    uint32_t outputs;
    uint64_t position;        /* steps since the beginning, the open chunk's with them */
    chirr_real *traces;       /* [L][2K][D], now */
    chirr_real *traces_start; /* [L][2K][D], when the chunk began */
    chirr_real *powers;       /* [2K], now */
    chirr_real *powers_start; /* [2K], when the chunk began */
    chirr_real *rows;         /* [L][T][row stride] */
    uint8_t *chosen;          /* [L][T][S] units that answered, ascending */
    chirr_real *offsets;      /* [L][H] what the selector adds to scores, with a selector */
    chirr_real noise;         /* greatest random addition to them */
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

/* A stretch of the open chunk's steps. */
struct chirr_span {
    struct chirr_stream *stream;
    uint32_t first;
    uint32_t steps;
    bool what_if; /* each step reads the same present state, and time stands still */
};

/* Of a sense's own stream. */
struct chirr_stream_shape chirr_stream_shape_of(const struct chirr_model_config *config,
                                                uint32_t sense);

void chirr_row_layout_init(struct chirr_row_layout *rows, const struct chirr_layout *layout);

size_t chirr_stream_bytes(const struct chirr_layout *layout,
                          const struct chirr_stream_shape *shape);

/* False when the arena is too small. */
bool chirr_stream_init(struct chirr_stream *stream, struct chirr_arena *arena,
                       const struct chirr_layout *layout, const struct chirr_stream_shape *shape);

/* Back to the empty past. */
void chirr_stream_reset(struct chirr_stream *stream, const struct chirr_layout *layout);

/* Copies the recurrent state and the selector's offsets, not the open chunk. */
void chirr_stream_copy_state(struct chirr_stream *to, const struct chirr_stream *from,
                             const struct chirr_layout *layout);

/* The selector's offsets alone; `to` chooses without noise. */
void chirr_stream_copy_offsets(struct chirr_stream *to, const struct chirr_stream *from,
                               const struct chirr_layout *layout);

/* The open chunk is learned or dropped: the next one begins at the present state. */
void chirr_stream_begin_chunk(struct chirr_stream *stream, const struct chirr_layout *layout);

static inline size_t chirr_stream_trace_count(const struct chirr_layout *layout)
{
    return (size_t)layout->layers * 2 * layout->rates * layout->width;
}

/* The units that answer at a step, [S]. */
static inline uint8_t *chirr_stream_chosen(const struct chirr_stream *stream,
                                           const struct chirr_layout *layout, uint32_t layer,
                                           uint32_t t)
{
    return stream->chosen + ((size_t)layer * stream->chunk + t) * layout->slots;
}

/* What the heads read of a step, [D]; those of the next step lie 2D + 1 numbers on. */
static inline chirr_real *chirr_stream_features(const struct chirr_stream *stream,
                                                const struct chirr_layout *layout, uint32_t t)
{
    return stream->finals + t * (2 * (size_t)layout->width + 1) + layout->width;
}

/* Traces of a layer in `traces` or `traces_start`. */
static inline chirr_real *chirr_layer_traces(chirr_real *traces, const struct chirr_layout *layout,
                                             uint32_t layer)
{
    return traces + (size_t)layer * 2 * layout->rates * layout->width;
}

#endif
