/* The attention baseline: a decoder that predicts one byte after the other with a cache of keys and
 * values.
 *
 * Source: Vaswani et al., "Attention Is All You Need", 2017, as it is built today: RMSNorm before
 * each part, rotary positions (Su et al., 2021), gated MLPs (Shazeer, 2020):
 *
 *   q, k, v = W_qkv n, q and k rotated by the position
 *   x += W_o [softmax(q_h · K_h / √d) V_h]_h         x += W_down (SiLU(W_gate n') ⊙ W_value n')
 *
 * Given its best: the model's own kernels, whose products read a matrix row by row; so keys lie in
 * blocks of CHIRR_TRANSFORMER_BLOCK positions, transposed, and both products of attention read the
 * cache from its beginning to its end, once. It only predicts: nothing here learns.
 *
 * Memory from one arena at creation. Threading: one owner. Deterministic. */
#ifndef CHIRR_TESTS_BENCH_TRANSFORMER_H
#define CHIRR_TESTS_BENCH_TRANSFORMER_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/real.h"

#define CHIRR_TRANSFORMER_BLOCK 64

struct chirr_transformer_config {
    uint32_t width; /* D */
    uint32_t layers;
    uint32_t heads;         /* divides D; D / heads is even */
    uint32_t mlp_width;     /* F */
    uint32_t positions_max; /* a multiple of CHIRR_TRANSFORMER_BLOCK */
    uint64_t seed;
};

/* Offsets into the parameters. A layer's are relative to layer + its index · layer_size. */
struct chirr_transformer_places {
    size_t embedding; /* [257][D]; symbol 256 is the start of a text */
    size_t layer, layer_size;
    size_t gain_attention; /* [D] */
    size_t qkv;            /* [D][3D]: q, k, v, each head by head */
    size_t output;         /* [D][D] */
    size_t gain_mlp;       /* [D] */
    size_t up;             /* [D][2F]: gate, value */
    size_t down;           /* [F][D] */
    size_t gain_final;     /* [D] */
    size_t head;           /* [D][256] */
    size_t head_bias;      /* [256] */
    size_t end;
};

struct chirr_transformer_places
chirr_transformer_places(const struct chirr_transformer_config *config);
size_t chirr_transformer_parameter_count(const struct chirr_transformer_config *config);
size_t chirr_transformer_bytes(const struct chirr_transformer_config *config);

struct chirr_transformer;

/* NULL when the arena is too small. */
struct chirr_transformer *chirr_transformer_create(struct chirr_arena *arena,
                                                   const struct chirr_transformer_config *config);

/* Reads `symbol` at the present position, which moves on. Probabilities of the byte after it,
 * [256], borrowed until the next step. Position < positions_max. */
const chirr_real *chirr_transformer_step(struct chirr_transformer *transformer, uint32_t symbol);

/* To tell the time at a position without all steps before it: keys and values of every position
 * become noise; and from here the next step is at `position`. */
void chirr_transformer_fill_cache(struct chirr_transformer *transformer);
void chirr_transformer_seek(struct chirr_transformer *transformer, uint32_t position);

chirr_real *chirr_transformer_weights(struct chirr_transformer *transformer);

#endif
