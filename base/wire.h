/* Little-endian integers and floats in byte buffers, whatever the machine's own order is. */
#ifndef CHIRR_BASE_WIRE_H
#define CHIRR_BASE_WIRE_H

#include <stdint.h>
#include <string.h>

static inline void chirr_wire_put_u16(uint8_t *out, uint16_t value)
{
    out[0] = (uint8_t)value;
    out[1] = (uint8_t)(value >> 8);
}

static inline void chirr_wire_put_u32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static inline void chirr_wire_put_u64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static inline uint16_t chirr_wire_get_u16(const uint8_t *in)
{
    return (uint16_t)(in[0] | in[1] << 8);
}

static inline uint32_t chirr_wire_get_u32(const uint8_t *in)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        value |= (uint32_t)in[i] << (8 * i);
    }
    return value;
}

static inline uint64_t chirr_wire_get_u64(const uint8_t *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value |= (uint64_t)in[i] << (8 * i);
    }
    return value;
}

static inline void chirr_wire_put_f32(uint8_t *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    chirr_wire_put_u32(out, bits);
}

static inline float chirr_wire_get_f32(const uint8_t *in)
{
    uint32_t bits = chirr_wire_get_u32(in);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
