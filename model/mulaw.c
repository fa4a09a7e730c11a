#include "model/mulaw.h"

/* Added to an amplitude, it makes every segment begin at a power of two: 4 · 33. */
#define BIAS 132
#define SEGMENT_0 128 /* where the first segment begins, biased; the next one at twice as much */

uint8_t chirr_mulaw_encode(int16_t sample)
{
    int amplitude = sample < 0 ? -(int)sample : sample;
    amplitude = (amplitude > CHIRR_MULAW_CLIP ? CHIRR_MULAW_CLIP : amplitude) + BIAS;
    int segment = 7;
    while (segment > 0 && amplitude < SEGMENT_0 << segment) {
        segment--;
    }
    int interval = amplitude >> (segment + 3) & 15;
    int sign = sample < 0 ? 0x80 : 0;
    return (uint8_t) ~(sign | segment << 4 | interval);
}

int16_t chirr_mulaw_decode(uint8_t byte)
{
    int code = ~byte;
    int segment = code >> 4 & 7;
    int amplitude = ((((code & 15) << 3) + BIAS) << segment) - BIAS;
    return (int16_t)((code & 0x80) != 0 ? -amplitude : amplitude);
}
