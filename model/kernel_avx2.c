/* Kernels for x86-64 with AVX2 and FMA. */
#include <immintrin.h>

#include "model/kernel.h"

#define CHIRR_KERNEL avx2
#define LANES 8
#define TILE_LINES 4
#define TILE_VECTORS 3 /* 12 of the 16 registers hold sums */

typedef __m256 vector;

/* All bits set in the first `count` lanes. */
static inline __m256i mask_first(size_t count)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lane);
}

static inline vector vector_load(const float *from)
{
    return _mm256_loadu_ps(from);
}

static inline vector vector_load_first(const float *from, size_t count)
{
    return _mm256_maskload_ps(from, mask_first(count));
}

static inline void vector_store(float *to, vector a)
{
    _mm256_storeu_ps(to, a);
}

static inline void vector_store_first(float *to, vector a, size_t count)
{
    _mm256_maskstore_ps(to, mask_first(count), a);
}

static inline vector vector_fill(float x)
{
    return _mm256_set1_ps(x);
}

static inline vector vector_multiply_add(vector a, vector b, vector sum)
{
    return _mm256_fmadd_ps(a, b, sum);
}

static inline vector vector_widen(const uint16_t *from)
{
    __m256i halves = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)from));
    return _mm256_castsi256_ps(_mm256_slli_epi32(halves, 16));
}

#define PICKS 8
typedef __m256 pick_table;
typedef __m256i pick_index;

static inline pick_table pick_table_load(const float *from)
{
    return _mm256_loadu_ps(from);
}

static inline pick_index pick_index_load(const uint32_t *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

static inline vector pick(pick_table table, pick_index index)
{
    return _mm256_permutevar8x32_ps(table, index);
}

#include "model/kernel_variant.h"
