/* Between plain messages and protobuf: the only place that knows both.
 *
 * Decoding rejects whatever is unknown, missing, out of range or inconsistent, and writes variable
 * parts into the caller's scratch arena. Encoding a valid message cannot fail but for lack of room.
 * A message or record has exactly one encoding (chirr.proto), so a record that was decoded encodes
 * to the same bytes and its signature survives any number of relays.
 * Not thread-safe for one scratch arena; otherwise pure. */
#ifndef CHIRR_PROTO_CODEC_H
#define CHIRR_PROTO_CODEC_H

#include "base/arena.h"
#include "proto/message.h"

/* Scratch that any accepted message fits into. */
#define CHIRR_CODEC_SCRATCH_BYTES ((size_t)512 * 1024)

/* Bytes of `message` encoded (without frame). */
size_t chirr_codec_message_bytes(const struct chirr_message *message);

/* CHIRR_ERR_FULL: `capacity` is too small. Otherwise what chirr_message_validate refuses: nothing
 * invalid leaves. */
CHIRR_NODISCARD enum chirr_err chirr_codec_encode_message(const struct chirr_message *message,
                                                          uint8_t *out, size_t capacity,
                                                          size_t *bytes);

/* `scratch` is reset first; what `message` borrows lives there until the next decode.
 * CHIRR_ERR_MALFORMED (not the one encoding of a message, parts missing or contradicting each
 * other), CHIRR_ERR_RANGE, CHIRR_ERR_FULL (more than the scratch or a limit holds),
 * CHIRR_ERR_VERSION (a record of another format). After an error `message` means nothing. */
CHIRR_NODISCARD enum chirr_err chirr_codec_decode_message(const uint8_t *in, size_t bytes,
                                                          struct chirr_arena *scratch,
                                                          struct chirr_message *message);

/* A single record, with the same errors, as the store keeps it and as its author signs it (the
 * signature itself is not part of the signed bytes: `chirr_codec_encode_statement`). */
#define CHIRR_CODEC_RECORD_BYTES_MAX ((size_t)4096)
CHIRR_NODISCARD enum chirr_err chirr_codec_encode_record(const struct chirr_record *record,
                                                         uint8_t *out, size_t capacity,
                                                         size_t *bytes);
CHIRR_NODISCARD enum chirr_err chirr_codec_decode_record(const uint8_t *in, size_t bytes,
                                                         struct chirr_record *record);
CHIRR_NODISCARD enum chirr_err chirr_codec_encode_statement(const struct chirr_record *record,
                                                            uint8_t *out, size_t capacity,
                                                            size_t *bytes);

/* What the origin of a delta signs: the delta as it is sent, but for its signature. Same errors. */
#define CHIRR_CODEC_DELTA_BYTES_MAX ((size_t)CHIRR_DELTA_PAYLOAD_BYTES_MAX + 128)
CHIRR_NODISCARD enum chirr_err
chirr_codec_encode_delta_statement(const struct chirr_delta_message *delta, uint8_t *out,
                                   size_t capacity, size_t *bytes);

#endif
