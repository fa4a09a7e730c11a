/* Kernels for AArch64, whose NEON has fused multiply-add. */
#include <arm_neon.h>
#include <string.h>

#include "model/kernel.h"

#define CHIRR_KERNEL neon
#define LANES 4
#define TILE_LINES 8
#define TILE_VECTORS 2 /* 16 of the 32 registers hold sums */

typedef float32x4_t vector;

static inline vector vector_load(const float *from)
{
    return vld1q_f32(from);
}

static inline vector vector_load_first(const float *from, size_t count)
{
    float lanes[LANES] = {0};
    memcpy(lanes, from, count * sizeof *lanes);
    return vld1q_f32(lanes);
}

static inline void vector_store(float *to, vector a)
{
    vst1q_f32(to, a);
}

static inline void vector_store_first(float *to, vector a, size_t count)
{
    float lanes[LANES];
    vst1q_f32(lanes, a);
    memcpy(to, lanes, count * sizeof *lanes);
}

static inline vector vector_fill(float x)
{
    return vdupq_n_f32(x);
}

static inline vector vector_multiply_add(vector a, vector b, vector sum)
{
    return vfmaq_f32(sum, a, b);
}

static inline vector vector_widen(const uint16_t *from)
{
    return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(from)), 16));
}

#define PICKS 8
typedef uint8x16x2_t pick_table;
typedef uint8x16_t pick_index;

static inline pick_table pick_table_load(const float *from)
{
    return vld1q_u8_x2((const uint8_t *)from);
}

/* Tables are looked up by byte: number n is bytes 4n…4n + 3. */
static inline pick_index pick_index_load(const uint32_t *from)
{
    uint32x4_t bytes = vdupq_n_u32(0x03020100);
    return vreinterpretq_u8_u32(vmlaq_n_u32(bytes, vld1q_u32(from), 0x04040404));
}

static inline vector pick(pick_table table, pick_index index)
{
    return vreinterpretq_f32_u8(vqtbl2q_u8(table, index));
}

#include "model/kernel_variant.h"
