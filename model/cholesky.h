/* Positive definite systems of a few hundred unknowns, in double precision.
 *
 * Matrices are square, row by row, [n][stride]; only the lower triangle is read or written. */
#ifndef CHIRR_MODEL_CHOLESKY_H
#define CHIRR_MODEL_CHOLESKY_H

#include <stdbool.h>
#include <stddef.h>

/* In place A = L Lᵀ. False, with A spoiled, where A is not positive definite. */
bool chirr_cholesky_factor(double *a, size_t n, size_t stride);

/* As above, where the first `factored` rows hold their factor already: a row's depends on none that
 * follow. The bits are those of factoring the whole. */
bool chirr_cholesky_extend(double *a, size_t factored, size_t n, size_t stride);

/* In place: b becomes L⁻¹ b, or L⁻ᵀ b. */
void chirr_cholesky_forward(const double *l, size_t n, size_t stride, double *b);
void chirr_cholesky_backward(const double *l, size_t n, size_t stride, double *b);

#define CHIRR_GRAM_TERMS_MAX 66

struct chirr_gram_rows {
    const double *x;       /* [count][n], rows `stride` apart */
    const double *weights; /* [count], or NULL: all 1 */
    size_t count;
    size_t stride;
};

/* gram [n][n] = Σ weight x xᵀ, n at most CHIRR_GRAM_TERMS_MAX. */
void chirr_gram(const struct chirr_gram_rows *rows, size_t n, double *gram);

#endif
