/* Arithmetic on arrays: matrix products, norms, gates, softmax, optimizer step.
 *
 * One source for all machines (kernel_variant.h), compiled once per variant, which is chosen at run
 * time. Every output of a product is summed in the order of its inner index, however many rows are
 * done at once; avx2, avx512 and neon fuse each multiplication with its addition and so give the
 * same bits, while portable rounds in between and agrees with them within the rounding of a sum.
 * Nothing else is fused, and sums over an array use a fixed number of partial sums, so that all of
 * the rest has the same bits in every variant.
 * Arrays may be unaligned and never overlap. Thread-safe: pure functions of their arguments. */
#ifndef CHIRR_MODEL_KERNEL_H
#define CHIRR_MODEL_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "model/real.h"

/* Partial sums of a reduction, whatever the width of the vectors. */
#define CHIRR_KERNEL_SUMS 16
/* Weights behind the last one that `product_narrow` may read. */
#define CHIRR_KERNEL_OVERREAD 15

/* y[g][r][j] += Σ_i x[g][r][i] · w[g][i][j] for groups g, rows r, inner i and columns j.
 * The last index of y and w is contiguous; every other index has its stride, in elements. Forward
 * pass and gradient of the weights (x read across its rows) are this one product; the gradient of
 * the inputs is product_transposed. */
struct chirr_product {
    size_t groups, rows, inner, columns;
    size_t x_group, x_row, x_inner;
    size_t w_group, w_inner;
    size_t y_group, y_row;
};

/* Coefficients of one optimizer step. */
struct chirr_descent {
    chirr_real clip;    /* factor on the gradient, 0…1 */
    chirr_real rate;    /* learning rate */
    chirr_real decay;   /* β2 of RMSprop */
    chirr_real bound;   /* |own| never exceeds it */
    chirr_real average; /* share of `own` that the slow average takes in */
};

/* What a step moves, coordinate by coordinate. */
struct chirr_descent_arrays {
    const chirr_real *gradient;
    const chirr_real *moment; /* as `descend_moment` left it */
    const chirr_real *base;   /* what `own` is added to */
    chirr_real *own;
    chirr_real *average; /* slow average of `own` */
    chirr_real *weights; /* base + own */
};

struct chirr_kernels {
    const char *name;

    /* A product of at least so many rows and at most so many columns is about twice as fast where
     * x_row is 1: where the rows of x lie side by side, transposed. */
    size_t tall_rows, tall_columns;

    void (*product)(const struct chirr_product *shape, const chirr_real *x, const chirr_real *w,
                    chirr_real *y);

    /* The product with weights rounded by `narrow`, of which only half as many bytes are read. They
     * are widened again before anything is computed. Up to CHIRR_KERNEL_OVERREAD weights behind
     * the last are read, too, but not used: the caller makes sure that they are there. */
    void (*product_narrow)(const struct chirr_product *shape, const chirr_real *x,
                           const uint16_t *w, chirr_real *y);
    /* Rounds to bfloat16: the upper half of a float, to nearest, ties to even. */
    void (*narrow)(size_t count, const chirr_real *wide, uint16_t *narrow);

    /* y[g][r][j] += Σ_i x[g][r][i] · w[g][j][i]: the same with w read across. w's last index is the
     * inner one, and w_inner its stride from one output to the next. */
    void (*product_transposed)(const struct chirr_product *shape, const chirr_real *x,
                               const chirr_real *w, chirr_real *y);

    /* out[c][r] = in[r][c]; rows of `in` are contiguous. */
    void (*transpose)(size_t rows, size_t columns, const chirr_real *in, chirr_real *out);

    /* y[j] += Σ_r x[r][j] */
    void (*sum_rows)(size_t rows, size_t columns, const chirr_real *x, chirr_real *y);

    double (*sum_squares)(size_t count, const chirr_real *x);

    /* RMSNorm: hat = x / rms(x), out = gain ⊙ hat. Returns 1 / rms(x). */
    chirr_real (*norm)(size_t width, const chirr_real *x, const chirr_real *gain, chirr_real *hat,
                       chirr_real *out);
    /* From d(out): adds to d(x) and d(gain). `scale` is what `norm` returned. */
    void (*norm_backward)(size_t width, chirr_real scale, const chirr_real *gain,
                          const chirr_real *hat, const chirr_real *d_out,
                          chirr_real *d_x_d_gain[2]);

    /* out = SiLU(gate) ⊙ value */
    void (*gate)(size_t count, const chirr_real *gate, const chirr_real *value, chirr_real *out);
    /* From d(out): d_gate = d ⊙ value ⊙ SiLU'(gate), d_value = d ⊙ SiLU(gate). */
    void (*gate_backward)(size_t count, const chirr_real *gate_value[2], const chirr_real *d_out,
                          chirr_real *d_gate, chirr_real *d_value);

    /* In place: logits to probabilities. */
    void (*softmax)(size_t count, chirr_real *x);

    /* y = factor · y + gain · x */
    void (*blend)(size_t count, chirr_real factor, chirr_real *y, chirr_real gain,
                  const chirr_real *x);

    /* sum[i] += step · (four-bit value i − 8); the even value is in the low half of its byte.
     * `count` is even. */
    void (*add_nibbles)(size_t count, chirr_real step, const uint8_t *packed, chirr_real *sum);

    /* RMSprop in two passes, so that a step can be clipped by its own length. The first takes the
     * gradient into the moment and returns Σ g² / moment, the squared length of the step at rate 1;
     * the second moves by rate · clip · g / √moment. */
    double (*descend_moment)(const struct chirr_descent *descent, size_t count,
                             const chirr_real *gradient, chirr_real *moment);
    void (*descend_move)(const struct chirr_descent *descent, size_t count,
                         const struct chirr_descent_arrays *arrays);
};

/* The variant with this name, or NULL where this machine or build has it not:
 * "portable", "avx2", "avx512", "neon". */
const struct chirr_kernels *chirr_kernels_named(const char *name);

/* The widest that this machine runs. */
const struct chirr_kernels *chirr_kernels_best(void);

#endif
