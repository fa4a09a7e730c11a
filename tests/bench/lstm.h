/* The recurrent baseline: one LSTM layer that learns a text in one pass, by truncated BPTT.
 *
 * Source: Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; with forget gates (Gers,
 * Schmidhuber and Cummins, 2000). For the byte that comes after x_t:
 *
 *   i, f, o, g = σ, σ, σ, tanh of (W_x e(x_t) + W_h h_{t−1} + b)
 *   c_t = f ⊙ c_{t−1} + i ⊙ g         h_t = o ⊙ tanh(c_t)         p = softmax(W_y h_t + b_y)
 *
 * It may read hashed n-grams beside the byte, as the model does (model/symbols.h): of the last two
 * bytes, of three and of the word so far, each row added to 16 numbers of e(x_t) of its own.
 *
 * Given its best: the model's own kernels; everything that the recurrence allows (inputs, head, and
 * all gradients of weights) as one product over the steps of an update; state carried over the
 * updates; the model's optimiser. Initial weights, embedding, warm-up and clipping are those that
 * did best in one pass over a text, of about thirty that were tried.
 *
 * Memory from one arena at creation. Threading: one owner. Deterministic. */
#ifndef CHIRR_TESTS_BENCH_LSTM_H
#define CHIRR_TESTS_BENCH_LSTM_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/real.h"

struct chirr_lstm_config {
    uint32_t embedding; /* numbers a byte is read as */
    uint32_t hidden;    /* H, a multiple of 4 */
    uint32_t gram_rows; /* R, a power of two: tables of R, 2R and R rows; 0: none. With them the
                           embedding is at least CHIRR_LSTM_GRAM_WIDTH */
    uint32_t steps;     /* T, of one update */
    float learning_rate;
    uint32_t warmup_updates;
    uint32_t settling_updates; /* the rate falls as 1 / √(1 + updates / this); 0: it stays */
    uint64_t seed;
};

#define CHIRR_LSTM_GRAM_WIDTH 48

/* Embedding 32, or 48 with tables, 64 steps, rate 8e-3 after 20 updates, settling over 500, seed 1,
 * and the width that comes nearest to this many parameters, the tables' among them. */
struct chirr_lstm_config chirr_lstm_config_of_size(size_t parameters, uint32_t gram_rows);

size_t chirr_lstm_parameter_count(const struct chirr_lstm_config *config);
size_t chirr_lstm_bytes(const struct chirr_lstm_config *config);

struct chirr_lstm;

/* NULL when the arena is too small. */
struct chirr_lstm *chirr_lstm_create(struct chirr_arena *arena,
                                     const struct chirr_lstm_config *config);

/* Predicts every byte, is scored, learns after each `steps` of them and after the last. Bits, in
 * all. */
double chirr_lstm_learn(struct chirr_lstm *lstm, const uint8_t *bytes, size_t count);

/* For tests of the gradient: mean nats of one update's bytes (count <= steps), the gradient of it,
 * and nothing learned, no state moved. `weights` may be changed by the caller. */
struct chirr_lstm_parameters {
    chirr_real *weights;
    chirr_real *gradient;
    size_t count;
};
struct chirr_lstm_parameters chirr_lstm_parameters(struct chirr_lstm *lstm);
double chirr_lstm_gradient(struct chirr_lstm *lstm, const uint8_t *bytes, size_t count);

#endif
