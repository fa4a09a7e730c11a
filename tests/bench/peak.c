#include "tests/bench/peak.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif
#ifdef __aarch64__
#include <arm_neon.h>
#endif

#define SUMS 12
#define UNROLL _Pragma("GCC unroll 12")

/* Keeps sums in registers, and the compiler from knowing what they are. */
#define OPAQUE(value, constraint) __asm__ volatile("" : "+" constraint(value))

/* Two operations a lane: a multiplication, and the addition that it is, or is not, fused with. */
#define DEFINE_PEAK(name, attribute, vector, lanes, constraint, zero, multiply_add)                \
    attribute static double name(size_t count)                                                     \
    {                                                                                              \
        vector sums[SUMS];                                                                         \
        vector a = zero;                                                                           \
        OPAQUE(a, constraint);                                                                     \
        UNROLL                                                                                     \
        for (size_t s = 0; s < SUMS; s++) {                                                        \
            sums[s] = a;                                                                           \
        }                                                                                          \
        for (size_t i = 0; i < count; i++) {                                                       \
            UNROLL                                                                                 \
            for (size_t s = 0; s < SUMS; s++) {                                                    \
                sums[s] = multiply_add(a, a, sums[s]);                                             \
                OPAQUE(sums[s], constraint);                                                       \
            }                                                                                      \
        }                                                                                          \
        return 2.0 * lanes * SUMS * (double)count;                                                 \
    }

typedef float four __attribute__((vector_size(16)));
#define APART(a, b, sum) ((a) * (b) + (sum))

#ifdef __x86_64__
DEFINE_PEAK(peak_portable, , four, 4, "x", {0}, APART)
DEFINE_PEAK(peak_avx2, __attribute__((target("avx2,fma"))), __m256, 8, "x", _mm256_setzero_ps(),
            _mm256_fmadd_ps)
DEFINE_PEAK(peak_avx512, __attribute__((target("avx512f"))), __m512, 16, "v", _mm512_setzero_ps(),
            _mm512_fmadd_ps)
#elif defined(__aarch64__)
#define FUSED(a, b, sum) vfmaq_f32(sum, a, b)
DEFINE_PEAK(peak_portable, , four, 4, "w", {0}, APART)
DEFINE_PEAK(peak_neon, , float32x4_t, 4, "w", vdupq_n_f32(0), FUSED)
#else
DEFINE_PEAK(peak_portable, , four, 4, "m", {0}, APART)
#endif

double chirr_bench_peak_run(const char *kernels, size_t count)
{
#ifdef __x86_64__
    if (strcmp(kernels, "avx512") == 0) {
        return peak_avx512(count);
    }
    if (strcmp(kernels, "avx2") == 0) {
        return peak_avx2(count);
    }
#elif defined(__aarch64__)
    if (strcmp(kernels, "neon") == 0) {
        return peak_neon(count);
    }
#endif
    (void)kernels;
    return peak_portable(count);
}
