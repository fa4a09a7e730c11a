/* Senses of symbols: a byte at each step, predicted by a softmax from the past.
 *
 * Whatever reads symbols, a sense that learns, an evaluation, a sampler, does so through a reader:
 * a stream, where it stands, and the weights that it reads with. Not thread-safe. */
#ifndef CHIRR_MODEL_SYMBOLS_H
#define CHIRR_MODEL_SYMBOLS_H

#include "model/body.h"
#include "model/image.h"

/* Where a sense of symbols stands. */
struct chirr_symbols {
    uint32_t last;            /* what came last, or the start symbol */
    uint32_t recent;          /* the last four bytes, the newest lowest; 0 where none came */
    uint64_t word;            /* hash of the letters since the last other byte, and of that byte */
    struct chirr_image image; /* of width 0 for what is no image */
};

struct chirr_symbol_reader {
    const struct chirr_body *body;
    const struct chirr_layout_sense *layout;
    struct chirr_weights weights;
    struct chirr_stream *stream;
    struct chirr_symbols *symbols;
};

/* The next symbol is the first of an item. */
void chirr_symbols_begin(struct chirr_symbols *symbols);

/* A symbol came. */
void chirr_symbols_take(struct chirr_symbols *symbols, uint8_t byte);

/* Predicts and takes `count` symbols at the stream's next steps, for which its chunk has room;
 * writes what each cost, and leaves the gradient of that in the stream's output. */
void chirr_symbols_read(const struct chirr_symbol_reader *reader, const uint8_t *bytes,
                        uint32_t count, double *nats /* [count] */);

/* Probabilities of the symbol that comes next, [256], in the stream's output. The stream moves on,
 * its symbols wait for chirr_symbols_take. */
chirr_real *chirr_symbols_predict(const struct chirr_symbol_reader *reader);

#endif
