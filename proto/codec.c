/* The two directions of the codec: validate, dress, write; read, undress, validate, compare.
 *
 * Decoding ends by encoding the result again, into a buffer that only compares: what differs from
 * the input is not the one encoding that a statement has (chirr.proto). That finds, without a rule
 * for each, unknown and repeated fields, over-long and truncated integers, unpacked columns and
 * NULs inside texts. */
#include "proto/codec.h"

#include <string.h>

#include "proto/pack.h"

/* A record unpacked takes its bytes and a few hundred for protobuf-c's structs. */
#define RECORD_SCRATCH_BYTES ((size_t)8192)

/* protobuf-c asks for memory here and gets it from an arena, or not at all. */
struct bounded {
    struct chirr_arena *arena;
    bool exhausted;
};

static void *bounded_alloc(void *data, size_t bytes)
{
    struct bounded *bounded = data;
    void *memory = chirr_arena_take(bounded->arena, 1, bytes);
    bounded->exhausted = bounded->exhausted || memory == NULL;
    return memory;
}

static void bounded_free(void *data, void *memory)
{
}

static enum chirr_err unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *in,
                             size_t bytes, struct chirr_arena *arena, ProtobufCMessage **message)
{
    struct bounded bounded = {.arena = arena};
    ProtobufCAllocator allocator = {bounded_alloc, bounded_free, &bounded};
    *message = protobuf_c_message_unpack(descriptor, &allocator, bytes, in);
    if (*message != NULL) {
        return CHIRR_OK;
    }
    return bounded.exhausted ? CHIRR_ERR_FULL : CHIRR_ERR_MALFORMED;
}

struct comparison {
    ProtobufCBuffer base; /* first, so that protobuf-c's pointer to it is ours */
    const uint8_t *expected;
    size_t remaining;
    bool equal;
};

static void compare(ProtobufCBuffer *buffer, size_t bytes, const uint8_t *data)
{
    struct comparison *comparison = (struct comparison *)buffer;
    comparison->equal = comparison->equal && bytes <= comparison->remaining &&
                        memcmp(comparison->expected, data, bytes) == 0;
    if (comparison->equal) {
        comparison->expected += bytes;
        comparison->remaining -= bytes;
    }
}

static enum chirr_err check_encoding(const ProtobufCMessage *message, const uint8_t *in,
                                     size_t bytes)
{
    struct comparison comparison = {{compare}, in, bytes, true};
    protobuf_c_message_pack_to_buffer(message, &comparison.base);
    return comparison.equal && comparison.remaining == 0 ? CHIRR_OK : CHIRR_ERR_MALFORMED;
}

static enum chirr_err write_packed(const ProtobufCMessage *message, uint8_t *out, size_t capacity,
                                   size_t *bytes)
{
    *bytes = protobuf_c_message_get_packed_size(message);
    if (*bytes > capacity) {
        return CHIRR_ERR_FULL;
    }
    protobuf_c_message_pack(message, out);
    return CHIRR_OK;
}

size_t chirr_codec_message_bytes(const struct chirr_message *message)
{
    struct chirr_message_pack pack;
    return protobuf_c_message_get_packed_size(chirr_pack_message(&pack, message));
}

enum chirr_err chirr_codec_encode_message(const struct chirr_message *message, uint8_t *out,
                                          size_t capacity, size_t *bytes)
{
    *bytes = 0;
    enum chirr_err err = chirr_message_validate(message);
    if (err != CHIRR_OK) {
        return err;
    }
    struct chirr_message_pack pack;
    return write_packed(chirr_pack_message(&pack, message), out, capacity, bytes);
}

enum chirr_err chirr_codec_decode_message(const uint8_t *in, size_t bytes,
                                          struct chirr_arena *scratch,
                                          struct chirr_message *message)
{
    memset(message, 0, sizeof *message);
    scratch->used = 0;
    ProtobufCMessage *wire;
    enum chirr_err err = unpack(&chirr__wire__message__descriptor, in, bytes, scratch, &wire);
    if (err != CHIRR_OK) {
        return err;
    }
    err = chirr_unpack_message(message, (const Chirr__Wire__Message *)wire, scratch);
    if (err != CHIRR_OK) {
        return err;
    }
    err = chirr_message_validate(message);
    if (err != CHIRR_OK) {
        return err;
    }
    struct chirr_message_pack pack;
    return check_encoding(chirr_pack_message(&pack, message), in, bytes);
}

static enum chirr_err encode_record(const struct chirr_record *record, bool with_signature,
                                    uint8_t *out, size_t capacity, size_t *bytes)
{
    *bytes = 0;
    enum chirr_err err = chirr_record_validate(record);
    if (err != CHIRR_OK) {
        return err;
    }
    struct chirr_record_pack pack;
    return write_packed(chirr_pack_record(&pack, record, with_signature), out, capacity, bytes);
}

enum chirr_err chirr_codec_encode_record(const struct chirr_record *record, uint8_t *out,
                                         size_t capacity, size_t *bytes)
{
    return encode_record(record, true, out, capacity, bytes);
}

enum chirr_err chirr_codec_encode_statement(const struct chirr_record *record, uint8_t *out,
                                            size_t capacity, size_t *bytes)
{
    return encode_record(record, false, out, capacity, bytes);
}

enum chirr_err chirr_codec_encode_delta_statement(const struct chirr_delta_message *delta,
                                                  uint8_t *out, size_t capacity, size_t *bytes)
{
    *bytes = 0;
    enum chirr_err err = chirr_delta_validate(delta);
    if (err != CHIRR_OK) {
        return err;
    }
    Chirr__Wire__Delta wire;
    return write_packed(chirr_pack_delta(&wire, delta, false), out, capacity, bytes);
}

enum chirr_err chirr_codec_decode_record(const uint8_t *in, size_t bytes,
                                         struct chirr_record *record)
{
    memset(record, 0, sizeof *record);
    _Alignas(64) uint8_t memory[RECORD_SCRATCH_BYTES];
    struct chirr_arena scratch = {.base = memory, .capacity = sizeof memory};
    ProtobufCMessage *wire;
    enum chirr_err err = unpack(&chirr__wire__record__descriptor, in, bytes, &scratch, &wire);
    if (err != CHIRR_OK) {
        return err;
    }
    err = chirr_unpack_record(record, (const Chirr__Wire__Record *)wire);
    if (err != CHIRR_OK) {
        return err;
    }
    err = chirr_record_validate(record);
    if (err != CHIRR_OK) {
        return err;
    }
    struct chirr_record_pack pack;
    return check_encoding(chirr_pack_record(&pack, record, true), in, bytes);
}
