/* exp, log and sigmoid without libm, whose last bits differ between systems.
 *
 * Only IEEE additions, multiplications, divisions and conversions, in a fixed order, so that every
 * machine gets the same bits; relative error below 1e-6. Written to be vectorised in loops.
 * Thread-safe: pure functions. */
#ifndef CHIRR_MODEL_ELEMENTARY_H
#define CHIRR_MODEL_ELEMENTARY_H

#include <stdint.h>
#include <string.h>

#include "model/real.h"

#define CHIRR_LN2 0.69314718055994530942
#define CHIRR_EXP_MAX 87 /* e^88 leaves the range of float */

union chirr_real_bits {
    chirr_real value;
#ifdef CHIRR_REAL_DOUBLE
    int64_t bits;
#else
    int32_t bits;
#endif
};

/* x · 2^n for n in -126…127. */
static inline chirr_real chirr_scale_exponent(chirr_real x, int32_t n)
{
#ifdef CHIRR_REAL_DOUBLE
    const union chirr_real_bits power = {.bits = ((int64_t)n + 1023) << 52};
#else
    const union chirr_real_bits power = {.bits = (int32_t)((uint32_t)(n + 127) << 23)};
#endif
    return x * power.value;
}

/* e^x, saturating at e^±87; e^-87 where x is NaN, so that the conversion below is always defined.
 */
static inline chirr_real chirr_exp(chirr_real x)
{
    x = x > -CHIRR_EXP_MAX ? x : -CHIRR_EXP_MAX;
    x = x < CHIRR_EXP_MAX ? x : CHIRR_EXP_MAX;
    chirr_real halves = x * CHIRR_REAL(1 / CHIRR_LN2);
    int32_t n = (int32_t)(halves + (halves < 0 ? CHIRR_REAL(-0.5) : CHIRR_REAL(0.5)));
    /* ln 2 in two parts, the first with few bits, so that n · part is exact */
    chirr_real r = (x - (chirr_real)n * CHIRR_REAL(0.693359375)) -
                   (chirr_real)n * CHIRR_REAL(CHIRR_LN2 - 0.693359375);
    /* Taylor to the 8th power: |r| <= ln2 / 2, so the rest is below 2e-10 */
    chirr_real p = CHIRR_REAL(1.0 / 40320);
    p = p * r + CHIRR_REAL(1.0 / 5040);
    p = p * r + CHIRR_REAL(1.0 / 720);
    p = p * r + CHIRR_REAL(1.0 / 120);
    p = p * r + CHIRR_REAL(1.0 / 24);
    p = p * r + CHIRR_REAL(1.0 / 6);
    p = p * r + CHIRR_REAL(0.5);
    p = p * r + CHIRR_REAL(1);
    p = p * r + CHIRR_REAL(1);
    return chirr_scale_exponent(p, n);
}

/* The natural logarithm of a positive, normal, finite x. */
static inline chirr_real chirr_log(chirr_real x)
{
    union chirr_real_bits u = {.value = x};
#ifdef CHIRR_REAL_DOUBLE
    int32_t n = (int32_t)(u.bits >> 52) - 1023;
    u.bits = (u.bits & INT64_C(0xfffffffffffff)) | INT64_C(0x3ff0000000000000);
#else
    int32_t n = (u.bits >> 23) - 127;
    u.bits = (u.bits & 0x7fffff) | 0x3f800000;
#endif
    chirr_real m = u.value;
    if (m > CHIRR_REAL(1.41421356)) {
        m *= CHIRR_REAL(0.5);
        n++;
    }
    /* ln m = 2 artanh((m - 1) / (m + 1)), |s| <= 0.172 */
    chirr_real s = (m - 1) / (m + 1);
    chirr_real q = s * s;
    chirr_real p = CHIRR_REAL(1.0 / 11);
    p = p * q + CHIRR_REAL(1.0 / 9);
    p = p * q + CHIRR_REAL(1.0 / 7);
    p = p * q + CHIRR_REAL(1.0 / 5);
    p = p * q + CHIRR_REAL(1.0 / 3);
    p = p * q + CHIRR_REAL(1);
    return (chirr_real)n * CHIRR_REAL(CHIRR_LN2) + 2 * s * p;
}

static inline chirr_real chirr_sigmoid(chirr_real x)
{
    return 1 / (1 + chirr_exp(-x));
}

/* True for neither NaN nor infinity, read from the bits: a compiler cannot reason it away. */
static inline int chirr_is_finite(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits & UINT64_C(0x7ff0000000000000)) != UINT64_C(0x7ff0000000000000);
}

#endif
