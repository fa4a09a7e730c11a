/* Kernels for any machine, and in double precision for the tests of gradients. Products multiply,
 * round and then add: a machine without fused multiply-add would have to emulate it. */
#include <string.h>

#include "model/kernel.h"

#define CHIRR_KERNEL portable
#define VECTOR_BYTES 16 /* every 64-bit machine has such registers */
#define LANES (VECTOR_BYTES / sizeof(chirr_real))
#define TILE_LINES 4
#define TILE_VECTORS 2

typedef chirr_real vector __attribute__((vector_size(VECTOR_BYTES)));

static inline vector vector_load(const chirr_real *from)
{
    vector a;
    memcpy(&a, from, sizeof a);
    return a;
}

static inline vector vector_load_first(const chirr_real *from, size_t count)
{
    vector a = {0};
    memcpy(&a, from, count * sizeof *from);
    return a;
}

static inline void vector_store(chirr_real *to, vector a)
{
    memcpy(to, &a, sizeof a);
}

static inline void vector_store_first(chirr_real *to, vector a, size_t count)
{
    memcpy(to, &a, count * sizeof *to);
}

static inline vector vector_fill(chirr_real x)
{
    return x - (vector){0};
}

static inline vector vector_multiply_add(vector a, vector b, vector sum)
{
    return sum + a * b;
}

static inline vector vector_widen(const uint16_t *from)
{
    vector a;
    for (size_t lane = 0; lane < LANES; lane++) {
        uint32_t bits = (uint32_t)from[lane] << 16;
        float wide;
        memcpy(&wide, &bits, sizeof wide);
        a[lane] = wide;
    }
    return a;
}

#define PICKS 8
typedef const chirr_real *pick_table;
typedef const uint32_t *pick_index;

static inline pick_table pick_table_load(const chirr_real *from)
{
    return from;
}

static inline pick_index pick_index_load(const uint32_t *from)
{
    return from;
}

static inline vector pick(pick_table table, pick_index index)
{
    vector a;
    for (size_t lane = 0; lane < LANES; lane++) {
        a[lane] = table[index[lane]];
    }
    return a;
}

#include "model/kernel_variant.h"
