/* Fuzz target: whatever the inside of a frame or a disk may hold, through the codec.
 *
 * The first byte chooses the entrance: 'm' a message, 'r' a record. What is accepted must be valid
 * and encode to the very bytes it came from, and so must a flattened copy of it. */
#include <string.h>

#include "proto/codec.h"
#include "proto/frame.h"
#include "proto/sign.h"
#include "tests/fuzz/target.h"

static const uint8_t nobody[CHIRR_KEY_BYTES] = {1};
static uint8_t again[CHIRR_FRAME_BYTES_MAX];

/* A message that was decoded is at most as long as what it was decoded from, so it fits. */
static void must_encode_to(const struct chirr_message *message, const uint8_t *data, size_t bytes)
{
    size_t bytes_again;
    must(chirr_message_validate(message) == CHIRR_OK);
    must(chirr_codec_encode_message(message, again, sizeof again, &bytes_again) == CHIRR_OK);
    must(bytes == bytes_again && memcmp(data, again, bytes) == 0);
}

static void try_message(const uint8_t *data, size_t bytes)
{
    static struct chirr_arena scratch;
    if (scratch.base == NULL) {
        must(chirr_arena_init(&scratch, CHIRR_CODEC_SCRATCH_BYTES) == CHIRR_OK);
    }
    struct chirr_message message;
    if (bytes > sizeof again ||
        chirr_codec_decode_message(data, bytes, &scratch, &message) != CHIRR_OK) {
        return;
    }
    must_encode_to(&message, data, bytes);
    if (message.kind == CHIRR_MESSAGE_DELTA) {
        must(chirr_delta_verify(&message.delta, nobody) == CHIRR_ERR_SIGNATURE);
    }
    /* The original is overwritten, so that a copy that borrowed from it would be found out. */
    void *memory = aligned_alloc(16, chirr_message_copy_bytes(&message));
    must(memory != NULL);
    struct chirr_message *copy = chirr_message_copy(memory, &message);
    memset(scratch.base, 0xa5, scratch.used);
    must_encode_to(copy, data, bytes);
    free(memory);
}

static void try_record(const uint8_t *data, size_t bytes)
{
    struct chirr_record record;
    size_t bytes_again;
    if (chirr_codec_decode_record(data, bytes, &record) != CHIRR_OK) {
        return;
    }
    must(chirr_record_validate(&record) == CHIRR_OK);
    must(chirr_record_verify(&record, nobody) == CHIRR_ERR_SIGNATURE);
    must(chirr_codec_encode_record(&record, again, sizeof again, &bytes_again) == CHIRR_OK);
    must(bytes == bytes_again && memcmp(data, again, bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes > 0 && data[0] == 'm') {
        try_message(data + 1, bytes - 1);
    } else if (bytes > 0 && data[0] == 'r') {
        try_record(data + 1, bytes - 1);
    }
    return 0;
}
