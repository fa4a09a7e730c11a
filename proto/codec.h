/* Between plain messages and protobuf: the only place that knows both.
 *
 * Decoding rejects whatever is unknown, missing, out of range or inconsistent, and writes variable
 * parts into the caller's scratch arena. Encoding a valid message cannot fail but for lack of room.
 * Not thread-safe for one scratch arena; otherwise pure. */
#ifndef CHIRR_PROTO_CODEC_H
#define CHIRR_PROTO_CODEC_H

#include "base/arena.h"
#include "proto/message.h"

/* Scratch that any accepted message fits into. */
#define CHIRR_CODEC_SCRATCH_BYTES ((size_t)512 * 1024)

/* Bytes of `message` encoded (without frame). */
size_t chirr_codec_message_bytes(const struct chirr_message *message);

/* CHIRR_ERR_FULL: `capacity` is too small. */
CHIRR_NODISCARD enum chirr_err chirr_codec_encode_message(const struct chirr_message *message,
                                                          uint8_t *out, size_t capacity,
                                                          size_t *bytes);

/* `scratch` is reset first; what `message` borrows lives there until the next decode.
 * CHIRR_ERR_MALFORMED, CHIRR_ERR_RANGE, CHIRR_ERR_FULL (more than the scratch or a limit holds). */
CHIRR_NODISCARD enum chirr_err chirr_codec_decode_message(const uint8_t *in, size_t bytes,
                                                          struct chirr_arena *scratch,
                                                          struct chirr_message *message);

/* A single record, as the store keeps it and as its author signs it (the signature itself is not
 * part of the signed bytes: `chirr_codec_encode_statement`). */
#define CHIRR_CODEC_RECORD_BYTES_MAX ((size_t)4096)
CHIRR_NODISCARD enum chirr_err chirr_codec_encode_record(const struct chirr_record *record,
                                                         uint8_t *out, size_t capacity,
                                                         size_t *bytes);
CHIRR_NODISCARD enum chirr_err chirr_codec_decode_record(const uint8_t *in, size_t bytes,
                                                         struct chirr_record *record);
CHIRR_NODISCARD enum chirr_err chirr_codec_encode_statement(const struct chirr_record *record,
                                                            uint8_t *out, size_t capacity,
                                                            size_t *bytes);

#endif
