/* Fuzz target: whatever a wire may hold, from the frame inwards.
 *
 * The first byte chooses the entrance, since no fuzzer finds a digest by chance: 'f' a frame as it
 * is, 'e' a frame whose header is repaired to fit its body, so that the envelope is reached. What
 * is accepted must frame to the very bytes it came from; nobody's key verifies it. */
#include <string.h>

#include "base/digest.h"
#include "base/wire.h"
#include "proto/frame.h"
#include "tests/fuzz/target.h"

#define SIGNATURE_FIELD_BYTES ((size_t)2 + CHIRR_SIGNATURE_BYTES)

static uint8_t frame[CHIRR_FRAME_BYTES_MAX];
static uint8_t again[CHIRR_FRAME_BYTES_MAX];

/* Sealed without a signature: all but the header, which counts it, and the signature itself. */
static void must_seal_to(const struct chirr_message *message, const struct chirr_envelope *envelope,
                         const uint8_t *data, size_t bytes)
{
    const struct chirr_identity sender = {.id = envelope->from};
    size_t unsigned_bytes = bytes - (envelope->is_signed ? SIGNATURE_FIELD_BYTES : 0);
    size_t compared_from = envelope->is_signed ? CHIRR_FRAME_HEADER_BYTES : 0;
    size_t bytes_again;
    must(chirr_frame_seal(message, &sender, false, again, sizeof again, &bytes_again) == CHIRR_OK);
    must(bytes_again == unsigned_bytes);
    must(memcmp(again + compared_from, data + compared_from, unsigned_bytes - compared_from) == 0);
}

static void try_frame(const uint8_t *data, size_t bytes)
{
    static const uint8_t nobody[CHIRR_KEY_BYTES] = {1};
    static struct chirr_arena scratch;
    if (scratch.base == NULL) {
        must(chirr_arena_init(&scratch, CHIRR_CODEC_SCRATCH_BYTES) == CHIRR_OK);
    }
    struct chirr_envelope envelope;
    struct chirr_message message;
    if (chirr_frame_open(data, bytes, &envelope) != CHIRR_OK) {
        return;
    }
    must(envelope.from != 0);
    must(envelope.payload >= data && envelope.payload_bytes <= bytes);
    must(chirr_envelope_verify(&envelope, nobody) == CHIRR_ERR_SIGNATURE);
    if (chirr_codec_decode_message(envelope.payload, envelope.payload_bytes, &scratch, &message) ==
        CHIRR_OK) {
        must_seal_to(&message, &envelope, data, bytes);
    }
}

static void try_repaired_frame(const uint8_t *data, size_t bytes)
{
    if (bytes < CHIRR_FRAME_HEADER_BYTES || bytes > sizeof frame) {
        return;
    }
    size_t body_bytes = bytes - CHIRR_FRAME_HEADER_BYTES;
    memcpy(frame, data, bytes);
    chirr_wire_put_u32(frame + 8, (uint32_t)body_bytes);
    chirr_wire_put_u64(frame + 12, chirr_digest(frame + CHIRR_FRAME_HEADER_BYTES, body_bytes));
    try_frame(frame, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes > 0 && data[0] == 'f') {
        try_frame(data + 1, bytes - 1);
    } else if (bytes > 0 && data[0] == 'e') {
        try_repaired_frame(data + 1, bytes - 1);
    }
    return 0;
}
