#include "tests/bench/lstm_wide.h"

#include <math.h>

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

INLINE void move(size_t count, chirr_real step, const chirr_real *restrict gradient,
                 const chirr_real *restrict moment, chirr_real *restrict weights)
{
    for (size_t i = 0; i < count; i++) {
#ifdef CHIRR_REAL_DOUBLE
        weights[i] -= step * gradient[i] / sqrt(moment[i]);
#else
        weights[i] -= step * gradient[i] / sqrtf(moment[i]);
#endif
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
    }                                                                                              \
    __attribute__((target(target_name))) static void move_##name(                                  \
        size_t count, chirr_real step, const chirr_real *gradient, const chirr_real *moment,       \
        chirr_real *weights)                                                                       \
    {                                                                                              \
        move(count, step, gradient, moment, weights);                                              \
    }
#ifdef __clang__
WIDE("avx512f", 512)
#else
WIDE("avx512f,prefer-vector-width=512", 512)
#endif
WIDE("avx2", 256)
/* The widest of the three. */
#define CHOOSE(name, ...)                                                                          \
    (__builtin_cpu_supports("avx512f") ? name##_512(__VA_ARGS__)                                   \
     : __builtin_cpu_supports("avx2")  ? name##_256(__VA_ARGS__)                                   \
                                       : name(__VA_ARGS__))
#else
#define CHOOSE(name, ...) name(__VA_ARGS__)
#endif

void chirr_lstm_cell_forward(size_t width, chirr_real *gates, chirr_real *cell,
                             chirr_real *squashed, chirr_real *hidden)
{
    CHOOSE(forward, width, gates, cell, squashed, hidden);
}

void chirr_lstm_cell_backward(size_t width, const struct chirr_lstm_cell *cell,
                              const chirr_real *d_hidden, chirr_real *d_cell, chirr_real *d_gates)
{
    CHOOSE(backward, width, cell, d_hidden, d_cell, d_gates);
}

void chirr_lstm_move(size_t count, chirr_real step, const chirr_real *gradient,
                     const chirr_real *moment, chirr_real *weights)
{
    CHOOSE(move, count, step, gradient, moment, weights);
}
