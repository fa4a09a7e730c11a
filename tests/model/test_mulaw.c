#include <criterion/criterion.h>
#include <stdlib.h>

#include "model/mulaw.h"

/* G.711, table 2a: a decision value, the byte of the interval that begins there, and its value at
 * the decoder output; 14 bits. */
static const struct row {
    int decision;
    uint8_t byte;
    int output;
} table[] = {
    {0, 0xFF, 0},     {1, 0xFE, 2},      {31, 0xEF, 33},     {95, 0xDF, 99},     {223, 0xCF, 231},
    {479, 0xBF, 495}, {991, 0xAF, 1023}, {2015, 0x9F, 2079}, {4063, 0x8F, 4191}, {7903, 0x80, 8031},
};

Test(mulaw, has_the_values_of_the_recommendation)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct row *row = &table[i];
        cr_expect_eq(chirr_mulaw_encode((int16_t)(4 * row->decision)), row->byte, "%d",
                     row->decision);
        cr_expect_eq(chirr_mulaw_decode(row->byte), 4 * row->output, "%d", row->output);
        cr_expect_eq(chirr_mulaw_decode(row->byte & 0x7F), -4 * row->output, "%d", row->output);
        if (row->decision > 0) {
            cr_expect_eq(chirr_mulaw_encode((int16_t)(4 * row->decision - 1)), row->byte + 1);
            cr_expect_eq(chirr_mulaw_encode((int16_t)(-4 * row->decision)), row->byte & 0x7F);
        }
    }
}

Test(mulaw, clips_what_is_too_loud)
{
    cr_expect_eq(chirr_mulaw_encode(INT16_MAX), 0x80);
    cr_expect_eq(chirr_mulaw_encode(CHIRR_MULAW_CLIP), 0x80);
    cr_expect_eq(chirr_mulaw_encode(INT16_MIN), 0x00);
}

/* Half an interval, 8 · 2^segment wide; the first one, on both sides of 0, is half as wide. */
Test(mulaw, errs_by_half_an_interval_at_most)
{
    for (int sample = -CHIRR_MULAW_CLIP; sample <= CHIRR_MULAW_CLIP; sample++) {
        uint8_t byte = chirr_mulaw_encode((int16_t)sample);
        int segment = (byte ^ 0xFF) >> 4 & 7;
        int error = abs(chirr_mulaw_decode(byte) - sample);
        cr_assert_leq(error, 4 << segment, "%d", sample);
        cr_assert_leq(error, 4 + abs(sample) / 31, "%d", sample);
    }
}

Test(mulaw, every_byte_survives_but_the_second_zero)
{
    for (int byte = 0; byte < 256; byte++) {
        uint8_t expected = byte == 0x7F ? 0xFF : (uint8_t)byte;
        cr_expect_eq(chirr_mulaw_encode(chirr_mulaw_decode((uint8_t)byte)), expected, "%d", byte);
    }
}

Test(mulaw, is_monotonic)
{
    int16_t before = INT16_MIN;
    for (int sample = INT16_MIN; sample <= INT16_MAX; sample++) {
        int16_t after = chirr_mulaw_decode(chirr_mulaw_encode((int16_t)sample));
        cr_assert_geq(after, before, "%d", sample);
        before = after;
    }
}
