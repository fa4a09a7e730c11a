/* The frame round every message on a wire.
 *
 *      0        4         6      8        12               20
 *      +--------+---------+------+--------+----------------+---- … ----+
 *      | "CHRR" | version | zero | length | digest of body |   body    |
 *      +--------+---------+------+--------+----------------+---- … ----+
 *
 * Little-endian. The body is a protobuf Envelope {from, payload, signature}: `from` says who sends,
 * `signature` (Ed25519 over from and payload) is present where the connection does not say that:
 * without CURVE. */
#ifndef CHIRR_PROTO_FRAME_H
#define CHIRR_PROTO_FRAME_H

#include "proto/codec.h"
#include "proto/sign.h"

#define CHIRR_FRAME_HEADER_BYTES 20
#define CHIRR_FRAME_BYTES_MAX ((size_t)256 * 1024)
#define CHIRR_WIRE_VERSION 2

struct chirr_envelope {
    chirr_agent_id from;
    bool is_signed;
    uint8_t signature[CHIRR_SIGNATURE_BYTES];
    const uint8_t *payload; /* borrowed from the frame; chirr_codec_decode_message reads it */
    size_t payload_bytes;
};

/* Encodes, signs when `sign`, frames. CHIRR_ERR_FULL: `capacity` (or CHIRR_FRAME_BYTES_MAX) is too
 * small. Otherwise what chirr_message_validate refuses. */
CHIRR_NODISCARD enum chirr_err chirr_frame_seal(const struct chirr_message *message,
                                                const struct chirr_identity *identity, bool sign,
                                                uint8_t *out, size_t capacity, size_t *bytes);

/* Checks magic (CHIRR_ERR_MALFORMED), version (CHIRR_ERR_VERSION), length (CHIRR_ERR_MALFORMED),
 * digest (CHIRR_ERR_CHECKSUM) and the envelope (CHIRR_ERR_MALFORMED), in that order; decodes
 * nothing further. */
CHIRR_NODISCARD enum chirr_err chirr_frame_open(const uint8_t *frame, size_t bytes,
                                                struct chirr_envelope *envelope);

/* CHIRR_ERR_SIGNATURE unless the envelope is signed by `public_key`; whether that is `from`'s is
 * for the keyring to say. */
CHIRR_NODISCARD enum chirr_err chirr_envelope_verify(const struct chirr_envelope *envelope,
                                                     const uint8_t public_key[CHIRR_KEY_BYTES]);

#endif
