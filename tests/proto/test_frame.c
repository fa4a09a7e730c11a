#include "proto/frame.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/wire.h"
#include "proto/chirr.pb-c.h"
#include "tests/support/generate.h"

static struct chirr_random random_stream;
static struct chirr_identity identity;
static struct chirr_arena arena;
static struct chirr_arena scratch;
static uint8_t frame[CHIRR_FRAME_BYTES_MAX + 64];

static void setup(void)
{
    chirr_random_init(&random_stream, 47, 0);
    identity = generate_identity(&random_stream);
    cr_assert_eq(chirr_arena_init(&arena, GENERATE_ARENA_BYTES), CHIRR_OK);
    cr_assert_eq(chirr_arena_init(&scratch, CHIRR_CODEC_SCRATCH_BYTES), CHIRR_OK);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
    chirr_arena_finish(&scratch);
}

TestSuite(frame, .init = setup, .fini = teardown);

static size_t seal(enum chirr_message_kind kind, bool sign)
{
    struct chirr_message message;
    size_t bytes;
    generate_message(&random_stream, &arena, &identity, kind, &message);
    cr_assert_eq(chirr_frame_seal(&message, &identity, sign, frame, sizeof frame, &bytes),
                 CHIRR_OK);
    return bytes;
}

/* As an attacker does who knows the format: a changed body gets a digest that fits. */
static void repair_header(size_t bytes)
{
    size_t body_bytes = bytes - CHIRR_FRAME_HEADER_BYTES;
    chirr_wire_put_u32(frame + 8, (uint32_t)body_bytes);
    chirr_wire_put_u64(frame + 12, chirr_digest(frame + CHIRR_FRAME_HEADER_BYTES, body_bytes));
}

Test(frame, opens_to_what_was_sealed)
{
    for (int round = 0; round < 200; round++) {
        struct chirr_envelope envelope;
        struct chirr_message message;
        bool sign = round % 2 == 0;
        size_t bytes = seal(0, sign);
        cr_assert_eq(chirr_frame_open(frame, bytes, &envelope), CHIRR_OK);
        cr_assert_eq(envelope.from, identity.id);
        cr_assert_eq(envelope.is_signed, sign);
        cr_assert_eq(chirr_envelope_verify(&envelope, identity.public_key),
                     sign ? CHIRR_OK : CHIRR_ERR_SIGNATURE);
        cr_assert_eq(chirr_codec_decode_message(envelope.payload, envelope.payload_bytes, &scratch,
                                                &message),
                     CHIRR_OK);
    }
}

/* frame.c writes the envelope by hand; the schema says what it must be. */
Test(frame, the_body_is_the_envelope_of_the_schema)
{
    for (int sign = 0; sign < 2; sign++) {
        size_t bytes = seal(CHIRR_MESSAGE_RECORDS, sign == 1);
        const uint8_t *body = frame + CHIRR_FRAME_HEADER_BYTES;
        Chirr__Wire__Envelope *wire =
            chirr__wire__envelope__unpack(NULL, bytes - CHIRR_FRAME_HEADER_BYTES, body);
        cr_assert_not_null(wire);
        cr_assert_eq(wire->from, identity.id);
        cr_assert_eq(wire->signature.len, sign == 1 ? CHIRR_SIGNATURE_BYTES : 0);
        uint8_t *packed = malloc(bytes);
        cr_assert_eq(chirr__wire__envelope__pack(wire, packed), bytes - CHIRR_FRAME_HEADER_BYTES);
        cr_assert_arr_eq(packed, body, bytes - CHIRR_FRAME_HEADER_BYTES);
        free(packed);
        chirr__wire__envelope__free_unpacked(wire, NULL);
    }
}

Test(frame, refuses_every_truncation)
{
    struct chirr_envelope envelope;
    size_t bytes = seal(CHIRR_MESSAGE_DELTA, true);
    for (size_t cut = 0; cut < bytes; cut++) {
        cr_assert_eq(chirr_frame_open(frame, cut, &envelope), CHIRR_ERR_MALFORMED, "at %zu", cut);
    }
    cr_assert_eq(chirr_frame_open(frame, bytes + 1, &envelope), CHIRR_ERR_MALFORMED);
}

/* Whatever else a frame of another version holds, its version is what is wrong with it. */
Test(frame, refuses_every_version_but_its_own)
{
    struct chirr_envelope envelope;
    for (int kind = CHIRR_MESSAGE_PING; kind < CHIRR_MESSAGE_KINDS; kind++) {
        size_t bytes = seal((enum chirr_message_kind)kind, true);
        for (uint32_t version = 0; version <= UINT16_MAX; version++) {
            chirr_wire_put_u16(frame + 4, (uint16_t)version);
            cr_assert_eq(chirr_frame_open(frame, bytes, &envelope),
                         version == CHIRR_WIRE_VERSION ? CHIRR_OK : CHIRR_ERR_VERSION);
        }
        chirr_wire_put_u16(frame + 4, CHIRR_WIRE_VERSION + 1);
        cr_assert_eq(chirr_frame_open(frame, CHIRR_FRAME_HEADER_BYTES, &envelope),
                     CHIRR_ERR_VERSION);
    }
}

static enum chirr_err expected_at(size_t at)
{
    if (at >= 4 && at < 6) {
        return CHIRR_ERR_VERSION;
    }
    return at < 12 ? CHIRR_ERR_MALFORMED : CHIRR_ERR_CHECKSUM;
}

Test(frame, refuses_every_flipped_bit_with_the_reason)
{
    struct chirr_envelope envelope;
    size_t bytes = seal(CHIRR_MESSAGE_DELTA, true);
    for (size_t bit = 0; bit < 8 * bytes; bit++) {
        frame[bit / 8] ^= (uint8_t)(1U << bit % 8);
        cr_assert_eq(chirr_frame_open(frame, bytes, &envelope), expected_at(bit / 8), "bit %zu",
                     bit);
        frame[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    cr_assert_eq(chirr_frame_open(frame, bytes, &envelope), CHIRR_OK);
}

Test(frame, a_flipped_bit_under_a_repaired_digest_breaks_envelope_or_signature)
{
    struct chirr_envelope envelope;
    size_t bytes = seal(CHIRR_MESSAGE_HEARTBEAT, true);
    for (size_t bit = 8 * CHIRR_FRAME_HEADER_BYTES; bit < 8 * bytes; bit++) {
        frame[bit / 8] ^= (uint8_t)(1U << bit % 8);
        repair_header(bytes);
        enum chirr_err err = chirr_frame_open(frame, bytes, &envelope);
        cr_assert(err == CHIRR_OK || err == CHIRR_ERR_MALFORMED);
        if (err == CHIRR_OK) {
            cr_assert_eq(chirr_envelope_verify(&envelope, identity.public_key), CHIRR_ERR_SIGNATURE,
                         "bit %zu", bit);
        }
        frame[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

Test(frame, refuses_envelopes_that_are_not_the_one_encoding)
{
    static const struct {
        const char *what;
        size_t bytes;
        uint8_t body[24];
    } bad[] = {
        {"nothing", 0, {0}},
        {"from alone", 9, {0x09, 1}},
        {"from 0", 12, {0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 1, 'x'}},
        {"empty payload", 11, {0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0x12, 0}},
        {"payload past the end", 12, {0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0x12, 2, 'x'}},
        {"over-long length", 12, {0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x81, 0}},
        {"endless length", 14, {0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x81, 0x80, 0x80, 0x80}},
        {"no from", 3, {0x12, 1, 'x'}},
        {"rest behind", 14, {0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0x12, 1, 'x', 0x1a, 0}},
    };
    struct chirr_envelope envelope;
    seal(CHIRR_MESSAGE_PING, false);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memcpy(frame + CHIRR_FRAME_HEADER_BYTES, bad[i].body, sizeof bad[i].body);
        repair_header(CHIRR_FRAME_HEADER_BYTES + bad[i].bytes);
        cr_expect_eq(chirr_frame_open(frame, CHIRR_FRAME_HEADER_BYTES + bad[i].bytes, &envelope),
                     CHIRR_ERR_MALFORMED, "%s", bad[i].what);
    }
}

Test(frame, verification_wants_the_key_of_the_sender)
{
    struct chirr_envelope envelope;
    struct chirr_identity other = generate_identity(&random_stream);
    size_t bytes = seal(CHIRR_MESSAGE_PING, true);
    cr_assert_eq(chirr_frame_open(frame, bytes, &envelope), CHIRR_OK);
    cr_assert_eq(chirr_envelope_verify(&envelope, other.public_key), CHIRR_ERR_SIGNATURE);
    envelope.from = other.id; /* another's name over the same signature */
    cr_assert_eq(chirr_envelope_verify(&envelope, other.public_key), CHIRR_ERR_SIGNATURE);
}

Test(frame, says_when_the_buffer_is_too_small)
{
    struct chirr_message message;
    size_t bytes;
    size_t none;
    generate_message(&random_stream, &arena, &identity, CHIRR_MESSAGE_DELTA, &message);
    cr_assert_eq(chirr_frame_seal(&message, &identity, true, frame, sizeof frame, &bytes),
                 CHIRR_OK);
    cr_assert_eq(chirr_frame_seal(&message, &identity, true, frame, bytes, &none), CHIRR_OK);
    cr_assert_eq(chirr_frame_seal(&message, &identity, true, frame, bytes - 1, &none),
                 CHIRR_ERR_FULL);
    cr_assert_eq(none, 0);
}

Test(frame, noise_never_opens)
{
    struct chirr_envelope envelope;
    for (int round = 0; round < 20000; round++) {
        size_t bytes = chirr_random_below(&random_stream, 512);
        generate_bytes(&random_stream, frame, bytes);
        cr_assert_eq(chirr_frame_open(frame, bytes, &envelope), CHIRR_ERR_MALFORMED);
    }
}
