#include "model/quantised.h"

#include <string.h>

#include "base/wire.h"
#include "model/elementary.h"

#define VALUE_MAX 7

/* The least float with an empty lower half that is not below x >= 0. */
static float round_scale_up(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0xFFFF) & UINT32_C(0xFFFF0000);
    memcpy(&x, &bits, sizeof x);
    return x;
}

void chirr_quantise(const chirr_real *values, struct chirr_quantised *block)
{
    float greatest = 0;
    for (size_t i = 0; i < CHIRR_QUANTISED_COUNT; i++) {
        float size = (float)(values[i] < 0 ? -values[i] : values[i]);
        greatest = size > greatest ? size : greatest;
    }
    block->scale = round_scale_up(greatest / VALUE_MAX);
    float inverse = block->scale > 0 ? 1 / block->scale : 0;
    memset(block->values, 0, sizeof block->values);
    for (size_t i = 0; i < CHIRR_QUANTISED_COUNT; i++) {
        float steps = (float)values[i] * inverse;
        int rounded = (int)(steps + (steps < 0 ? -0.5f : 0.5f));
        rounded = rounded < VALUE_MAX ? rounded : VALUE_MAX;
        rounded = rounded > -VALUE_MAX ? rounded : -VALUE_MAX;
        block->values[i / 2] |= (uint8_t)((rounded + 8) << (i % 2 * 4));
    }
}

void chirr_quantised_add(const struct chirr_kernels *kernels, const struct chirr_quantised *block,
                         float factor, chirr_real *sum)
{
    chirr_real step = (chirr_real)(factor * block->scale);
    if (step != 0) {
        kernels->add_nibbles(CHIRR_QUANTISED_COUNT, step, block->values, sum);
    }
}

double chirr_quantised_noise(const struct chirr_quantised *block)
{
    /* uniform within ± half a step */
    return CHIRR_QUANTISED_COUNT / 12.0 * (double)block->scale * (double)block->scale;
}

void chirr_quantised_put(const struct chirr_quantised *block, uint8_t *out)
{
    uint32_t bits;
    memcpy(&bits, &block->scale, sizeof bits);
    chirr_wire_put_u16(out, (uint16_t)(bits >> 16));
    memcpy(out + 2, block->values, sizeof block->values);
}

static bool values_sound(const struct chirr_quantised *block)
{
    for (size_t i = 0; i < CHIRR_QUANTISED_COUNT; i++) {
        if (chirr_quantised_at(block, i) < -VALUE_MAX) {
            return false;
        }
    }
    return true;
}

/* The rounding of the scale adds less than a hundredth. */
static bool scale_sound(float scale, float change_max)
{
    return scale >= 0 && scale * VALUE_MAX <= change_max * 1.01f;
}

bool chirr_quantised_is_sound(const struct chirr_quantised *block, float change_max)
{
    return scale_sound(block->scale, change_max) && (block->scale == 0 || values_sound(block));
}

enum chirr_err chirr_quantised_get(const uint8_t *in, float change_max,
                                   struct chirr_quantised *block)
{
    uint32_t bits = (uint32_t)chirr_wire_get_u16(in) << 16;
    memcpy(&block->scale, &bits, sizeof bits);
    memcpy(block->values, in + 2, sizeof block->values);
    if (!chirr_is_finite((double)block->scale)) {
        return CHIRR_ERR_NOTFINITE;
    }
    bool negative = (bits & UINT32_C(0x80000000)) != 0; /* zero, too */
    bool sound = !negative && scale_sound(block->scale, change_max) && values_sound(block);
    return sound ? CHIRR_OK : CHIRR_ERR_MALFORMED;
}
