/* Fuzz target: whatever a wire or a disk may hold, through frame and codec.
 *
 * The first byte chooses the entrance, since no fuzzer finds a digest by chance:
 *   'f' a frame, 'e' a frame whose header is repaired to fit its body, 'm' a message, 'r' a record.
 * What is accepted must be valid and encode to the very bytes it came from. */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/wire.h"
#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint8_t frame[CHIRR_FRAME_BYTES_MAX];
static uint8_t again[CHIRR_FRAME_BYTES_MAX];

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void try_message(const uint8_t *data, size_t bytes)
{
    static struct chirr_arena scratch;
    if (scratch.base == NULL) {
        must(chirr_arena_init(&scratch, CHIRR_CODEC_SCRATCH_BYTES) == CHIRR_OK);
    }
    struct chirr_message message;
    size_t bytes_again;
    if (chirr_codec_decode_message(data, bytes, &scratch, &message) != CHIRR_OK) {
        return;
    }
    must(chirr_message_validate(&message) == CHIRR_OK);
    must(chirr_codec_encode_message(&message, again, sizeof again, &bytes_again) == CHIRR_OK);
    must(bytes == bytes_again && memcmp(data, again, bytes) == 0);
}

static void try_record(const uint8_t *data, size_t bytes)
{
    struct chirr_record record;
    size_t bytes_again;
    if (chirr_codec_decode_record(data, bytes, &record) != CHIRR_OK) {
        return;
    }
    must(chirr_codec_encode_record(&record, again, sizeof again, &bytes_again) == CHIRR_OK);
    must(bytes == bytes_again && memcmp(data, again, bytes) == 0);
}

static void try_frame(const uint8_t *data, size_t bytes)
{
    static const uint8_t nobody[CHIRR_KEY_BYTES] = {1};
    struct chirr_envelope envelope;
    if (chirr_frame_open(data, bytes, &envelope) == CHIRR_OK) {
        must(chirr_envelope_verify(&envelope, nobody) == CHIRR_ERR_SIGNATURE);
        try_message(envelope.payload, envelope.payload_bytes);
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
    if (bytes == 0) {
        return 0;
    }
    switch (data[0]) {
    case 'f':
        try_frame(data + 1, bytes - 1);
        break;
    case 'e':
        try_repaired_frame(data + 1, bytes - 1);
        break;
    case 'm':
        try_message(data + 1, bytes - 1);
        break;
    case 'r':
        try_record(data + 1, bytes - 1);
        break;
    default:
        break;
    }
    return 0;
}
