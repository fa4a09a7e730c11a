#include "tests/bench/lstm_cell.h"

#include "model/elementary.h"

#define INLINE static inline __attribute__((always_inline))

INLINE chirr_real squash(chirr_real x)
{
    return 2 * chirr_sigmoid(2 * x) - 1; /* tanh */
}

INLINE void forward(size_t width, chirr_real *restrict gates, chirr_real *restrict cell,
                    chirr_real *restrict squashed, chirr_real *restrict hidden)
{
    for (size_t j = 0; j < 3 * width; j++) {
        gates[j] = chirr_sigmoid(gates[j]);
    }
    for (size_t j = 0; j < width; j++) {
        chirr_real candidate = squash(gates[3 * width + j]);
        chirr_real next = gates[width + j] * cell[j] + gates[j] * candidate;
        chirr_real shown = squash(next);
        gates[3 * width + j] = candidate;
        cell[width + j] = next;
        squashed[j] = shown;
        hidden[j] = gates[2 * width + j] * shown;
    }
}

INLINE void backward(size_t width, const struct chirr_lstm_cell *at,
                     const chirr_real *restrict d_hidden, chirr_real *restrict d_cell,
                     chirr_real *restrict d_gates)
{
    const chirr_real *gates = at->gates;
    for (size_t j = 0; j < width; j++) {
        chirr_real in = gates[j];
        chirr_real forget = gates[width + j];
        chirr_real out = gates[2 * width + j];
        chirr_real candidate = gates[3 * width + j];
        chirr_real shown = at->squashed[j];
        chirr_real d = d_cell[j] + d_hidden[j] * out * (1 - shown * shown);
        d_gates[j] = d * candidate * in * (1 - in);
        d_gates[width + j] = d * at->cell[j] * forget * (1 - forget);
        d_gates[2 * width + j] = d_hidden[j] * shown * out * (1 - out);
        d_gates[3 * width + j] = d * in * (1 - candidate * candidate);
        d_cell[j] = d * forget;
    }
}

#ifdef __x86_64__
#define WIDE(target_name, name)                                                                    \
    __attribute__((target(target_name))) static void forward_##name(                               \
        size_t width, chirr_real *gates, chirr_real *cell, chirr_real *squashed,                   \
        chirr_real *hidden)                                                                        \
    {                                                                                              \
        forward(width, gates, cell, squashed, hidden);                                             \
    }                                                                                              \
    __attribute__((target(target_name))) static void backward_##name(                              \
        size_t width, const struct chirr_lstm_cell *cell, const chirr_real *d_hidden,              \
        chirr_real *d_cell, chirr_real *d_gates)                                                   \
    {                                                                                              \
        backward(width, cell, d_hidden, d_cell, d_gates);                                          \
    }
WIDE("avx512f,prefer-vector-width=512", 512)
WIDE("avx2", 256)
#endif

void chirr_lstm_cell_forward(size_t width, chirr_real *gates, chirr_real *cell,
                             chirr_real *squashed, chirr_real *hidden)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f")) {
        forward_512(width, gates, cell, squashed, hidden);
        return;
    }
    if (__builtin_cpu_supports("avx2")) {
        forward_256(width, gates, cell, squashed, hidden);
        return;
    }
#endif
    forward(width, gates, cell, squashed, hidden);
}

void chirr_lstm_cell_backward(size_t width, const struct chirr_lstm_cell *cell,
                              const chirr_real *d_hidden, chirr_real *d_cell, chirr_real *d_gates)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f")) {
        backward_512(width, cell, d_hidden, d_cell, d_gates);
        return;
    }
    if (__builtin_cpu_supports("avx2")) {
        backward_256(width, cell, d_hidden, d_cell, d_gates);
        return;
    }
#endif
    backward(width, cell, d_hidden, d_cell, d_gates);
}
