/* Sound as bytes: the mu-law of ITU-T Recommendation G.711 (11/1988), table 2.
 *
 * A byte is a sign, one of 8 segments and one of 16 intervals in it, all bits inverted; intervals
 * double from segment to segment, so that the error is about a thirtieth of the amplitude whatever
 * that is. The Recommendation's values have 14 bits; here they are 16-bit samples, four times as
 * large. Pure functions. */
#ifndef CHIRR_MODEL_MULAW_H
#define CHIRR_MODEL_MULAW_H

#include <stdint.h>

/* The greatest amplitude that is told from greater ones. */
#define CHIRR_MULAW_CLIP 32635

/* Symmetric: two opposite samples differ in the sign bit alone. */
uint8_t chirr_mulaw_encode(int16_t sample);
/* The middle of the interval; both zeros are 0. */
int16_t chirr_mulaw_decode(uint8_t byte);

#endif
