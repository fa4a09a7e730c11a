/* Positive definite systems of a few hundred unknowns, in double precision.
 *
 * Matrices are square, row by row, [n][stride]; only the lower triangle is read or written. */
#ifndef CHIRR_MODEL_CHOLESKY_H
#define CHIRR_MODEL_CHOLESKY_H

#include <stdbool.h>
#include <stddef.h>

/* In place A = L Lᵀ. False, with A spoiled, where A is not positive definite. */
bool chirr_cholesky_factor(double *a, size_t n, size_t stride);

/* In place: b becomes L⁻¹ b, or L⁻ᵀ b. */
void chirr_cholesky_forward(const double *l, size_t n, size_t stride, double *b);
void chirr_cholesky_backward(const double *l, size_t n, size_t stride, double *b);

#endif
