/* Kernels for x86-64 with AVX-512 (F). */
#include <immintrin.h>

#include "model/kernel.h"

#define CHIRR_KERNEL avx512
#define LANES 16
#define TILE_LINES 8
#define TILE_VECTORS 3 /* 24 of the 32 registers hold sums */

typedef __m512 vector;

static inline vector vector_load(const float *from)
{
    return _mm512_loadu_ps(from);
}

static inline vector vector_load_first(const float *from, size_t count)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
}

static inline void vector_store(float *to, vector a)
{
    _mm512_storeu_ps(to, a);
}

static inline void vector_store_first(float *to, vector a, size_t count)
{
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), a);
}

static inline vector vector_fill(float x)
{
    return _mm512_set1_ps(x);
}

static inline vector vector_multiply_add(vector a, vector b, vector sum)
{
    return _mm512_fmadd_ps(a, b, sum);
}

static inline vector vector_widen(const uint16_t *from)
{
    __m512i halves = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(halves, 16));
}

#define PICKS 16
typedef __m512 pick_table;
typedef __m512i pick_index;

static inline pick_table pick_table_load(const float *from)
{
    return _mm512_loadu_ps(from);
}

static inline pick_index pick_index_load(const uint32_t *from)
{
    return _mm512_loadu_si512(from);
}

static inline vector pick(pick_table table, pick_index index)
{
    return _mm512_permutexvar_ps(index, table);
}

#include "model/kernel_variant.h"
