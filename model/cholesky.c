#include "model/cholesky.h"

#include <math.h>

/* Four partial sums, so that additions need not wait for each other. */
static double dot(const double *x, const double *y, size_t n)
{
    double sums[4] = {0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        for (size_t k = 0; k < 4; k++) {
            sums[k] += x[i + k] * y[i + k];
        }
    }
    for (; i < n; i++) {
        sums[0] += x[i] * y[i];
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

bool chirr_cholesky_factor(double *a, size_t n, size_t stride)
{
    return chirr_cholesky_extend(a, 0, n, stride);
}

bool chirr_cholesky_extend(double *a, size_t factored, size_t n, size_t stride)
{
    for (size_t i = factored; i < n; i++) {
        double *row = a + i * stride;
        for (size_t j = 0; j < i; j++) {
            const double *above = a + j * stride;
            row[j] = (row[j] - dot(row, above, j)) / above[j];
        }
        double rest = row[i] - dot(row, row, i);
        if (!(rest > 0)) {
            return false;
        }
        row[i] = sqrt(rest);
    }
    return true;
}

void chirr_cholesky_forward(const double *l, size_t n, size_t stride, double *b)
{
    for (size_t i = 0; i < n; i++) {
        b[i] = (b[i] - dot(l + i * stride, b, i)) / l[i * stride + i];
    }
}

void chirr_cholesky_backward(const double *l, size_t n, size_t stride, double *b)
{
    for (size_t i = n; i-- > 0;) {
        b[i] /= l[i * stride + i];
        for (size_t j = 0; j < i; j++) {
            b[j] -= l[i * stride + j] * b[i];
        }
    }
}

void chirr_gram(const struct chirr_gram_rows *r, size_t n, double *gram)
{
    static const double none[CHIRR_GRAM_TERMS_MAX] = {0};
    for (size_t i = 0; i < n * n; i++) {
        gram[i] = 0;
    }
    for (size_t a = 0; a < r->count; a += 4) { /* four rows a pass over the sums */
        const double *x[4];
        double weight[4];
        for (size_t k = 0; k < 4; k++) {
            bool there = a + k < r->count;
            x[k] = there ? r->x + (a + k) * r->stride : none;
            weight[k] = there && r->weights != NULL ? r->weights[a + k] : 1;
        }
        for (size_t i = 0; i < n; i++) {
            double s[4];
            for (size_t k = 0; k < 4; k++) {
                s[k] = weight[k] * x[k][i];
            }
            for (size_t j = 0; j <= i; j++) {
                gram[i * n + j] +=
                    (s[0] * x[0][j] + s[1] * x[1][j]) + (s[2] * x[2][j] + s[3] * x[3][j]);
            }
        }
    }
}
