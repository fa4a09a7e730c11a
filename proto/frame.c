/* Framing, and the envelope read and written in place.
 *
 * The body is the one canonical encoding of an Envelope (chirr.proto):
 *
 *      0      1         9      10             n            n + payload
 *      +------+---------+------+--------------+---- … ----+------+------+-----------+
 *      | 0x09 | from    | 0x12 | length       |  payload  | 0x1a | 0x40 | signature |
 *      |      | 8 bytes |      | 1…3, LEB128  |           |      |      | 64 bytes  |
 *      +------+---------+------+--------------+---- … ----+------+------+-----------+
 *      |<------------- envelope head ------->|            |<-- absent if unsigned ->|
 *      |<------------------ what the signature covers --->|
 */
#include "proto/frame.h"

#include <string.h>

#include "base/digest.h"
#include "base/wire.h"

#define VERSION_AT 4
#define RESERVED_AT 6
#define LENGTH_AT 8
#define DIGEST_AT 12

#define TAG_FROM 0x09
#define TAG_PAYLOAD 0x12
#define TAG_SIGNATURE 0x1a

#define HEAD_BYTES_MIN ((size_t)11)
#define LENGTH_BYTES_MAX ((size_t)3) /* 2^21 > CHIRR_FRAME_BYTES_MAX */
#define HEAD_BYTES_MAX (HEAD_BYTES_MIN - 1 + LENGTH_BYTES_MAX)
#define SIGNATURE_FIELD_BYTES ((size_t)2 + CHIRR_SIGNATURE_BYTES)

#define ENVELOPE_DOMAIN "chirr envelope"

static const uint8_t magic[4] = {'C', 'H', 'R', 'R'};

/* Writes everything before the payload; returns its bytes. */
static size_t put_head(uint8_t out[HEAD_BYTES_MAX], chirr_agent_id from, size_t payload_bytes)
{
    out[0] = TAG_FROM;
    chirr_wire_put_u64(out + 1, from);
    out[9] = TAG_PAYLOAD;
    size_t at = 10;
    size_t rest = payload_bytes;
    while (rest >= 0x80) {
        out[at++] = (uint8_t)(rest | 0x80);
        rest >>= 7;
    }
    out[at++] = (uint8_t)rest;
    return at;
}

static void put_header(uint8_t *frame, size_t body_bytes)
{
    memcpy(frame, magic, sizeof magic);
    chirr_wire_put_u16(frame + VERSION_AT, CHIRR_WIRE_VERSION);
    chirr_wire_put_u16(frame + RESERVED_AT, 0);
    chirr_wire_put_u32(frame + LENGTH_AT, (uint32_t)body_bytes);
    chirr_wire_put_u64(frame + DIGEST_AT,
                       chirr_digest(frame + CHIRR_FRAME_HEADER_BYTES, body_bytes));
}

enum chirr_err chirr_frame_seal(const struct chirr_message *message,
                                const struct chirr_identity *identity, bool sign, uint8_t *out,
                                size_t capacity, size_t *bytes)
{
    *bytes = 0;
    enum chirr_err err = chirr_message_validate(message);
    if (err != CHIRR_OK) {
        return err;
    }
    uint8_t head[HEAD_BYTES_MAX];
    size_t payload_bytes = chirr_codec_message_bytes(message);
    size_t head_bytes = put_head(head, identity->id, payload_bytes);
    size_t body_bytes = head_bytes + payload_bytes + (sign ? SIGNATURE_FIELD_BYTES : 0);
    size_t frame_bytes = CHIRR_FRAME_HEADER_BYTES + body_bytes;
    if (frame_bytes > capacity || frame_bytes > CHIRR_FRAME_BYTES_MAX) {
        return CHIRR_ERR_FULL;
    }
    uint8_t *payload = out + CHIRR_FRAME_HEADER_BYTES + head_bytes;
    memcpy(payload - head_bytes, head, head_bytes);
    err = chirr_codec_encode_message(message, payload, payload_bytes, &payload_bytes);
    if (err != CHIRR_OK) {
        return err;
    }
    if (sign) {
        uint8_t *field = payload + payload_bytes;
        field[0] = TAG_SIGNATURE;
        field[1] = CHIRR_SIGNATURE_BYTES;
        chirr_sign(identity, ENVELOPE_DOMAIN, (struct chirr_span){head, head_bytes},
                   (struct chirr_span){payload, payload_bytes}, field + 2);
    }
    put_header(out, body_bytes);
    *bytes = frame_bytes;
    return CHIRR_OK;
}

static enum chirr_err check_header(const uint8_t *frame, size_t bytes)
{
    if (bytes < CHIRR_FRAME_HEADER_BYTES || memcmp(frame, magic, sizeof magic) != 0) {
        return CHIRR_ERR_MALFORMED;
    }
    if (chirr_wire_get_u16(frame + VERSION_AT) != CHIRR_WIRE_VERSION) {
        return CHIRR_ERR_VERSION;
    }
    size_t body_bytes = bytes - CHIRR_FRAME_HEADER_BYTES;
    if (bytes > CHIRR_FRAME_BYTES_MAX || chirr_wire_get_u16(frame + RESERVED_AT) != 0 ||
        chirr_wire_get_u32(frame + LENGTH_AT) != body_bytes) {
        return CHIRR_ERR_MALFORMED;
    }
    uint64_t digest = chirr_digest(frame + CHIRR_FRAME_HEADER_BYTES, body_bytes);
    return digest == chirr_wire_get_u64(frame + DIGEST_AT) ? CHIRR_OK : CHIRR_ERR_CHECKSUM;
}

/* The length of the payload, LEB128 of at most LENGTH_BYTES_MAX bytes; 0 when it is not that. */
static size_t get_length(const uint8_t *in, size_t bytes)
{
    size_t length = 0;
    for (size_t i = 0; i < LENGTH_BYTES_MAX && i < bytes; i++) {
        length |= (size_t)(in[i] & 0x7f) << (7 * i);
        if ((in[i] & 0x80) == 0) {
            return length;
        }
    }
    return 0;
}

enum chirr_err chirr_frame_open(const uint8_t *frame, size_t bytes, struct chirr_envelope *envelope)
{
    memset(envelope, 0, sizeof *envelope);
    enum chirr_err err = check_header(frame, bytes);
    if (err != CHIRR_OK) {
        return err;
    }
    const uint8_t *body = frame + CHIRR_FRAME_HEADER_BYTES;
    size_t body_bytes = bytes - CHIRR_FRAME_HEADER_BYTES;
    if (body_bytes < HEAD_BYTES_MIN || body[0] != TAG_FROM || body[9] != TAG_PAYLOAD) {
        return CHIRR_ERR_MALFORMED;
    }
    chirr_agent_id from = chirr_wire_get_u64(body + 1);
    size_t payload_bytes = get_length(body + 10, body_bytes - 10);
    /* Writing the head again finds every other way of writing it. */
    uint8_t head[HEAD_BYTES_MAX];
    size_t head_bytes = put_head(head, from, payload_bytes);
    if (from == 0 || payload_bytes == 0 || body_bytes < head_bytes + payload_bytes ||
        memcmp(body, head, head_bytes) != 0) {
        return CHIRR_ERR_MALFORMED;
    }
    const uint8_t *field = body + head_bytes + payload_bytes;
    size_t rest = body_bytes - head_bytes - payload_bytes;
    if (rest != 0) {
        if (rest != SIGNATURE_FIELD_BYTES || field[0] != TAG_SIGNATURE ||
            field[1] != CHIRR_SIGNATURE_BYTES) {
            return CHIRR_ERR_MALFORMED;
        }
        memcpy(envelope->signature, field + 2, CHIRR_SIGNATURE_BYTES);
    }
    envelope->is_signed = rest != 0;
    envelope->from = from;
    envelope->payload = body + head_bytes;
    envelope->payload_bytes = payload_bytes;
    return CHIRR_OK;
}

enum chirr_err chirr_envelope_verify(const struct chirr_envelope *envelope,
                                     const uint8_t public_key[CHIRR_KEY_BYTES])
{
    if (!envelope->is_signed) {
        return CHIRR_ERR_SIGNATURE;
    }
    uint8_t head[HEAD_BYTES_MAX];
    size_t head_bytes = put_head(head, envelope->from, envelope->payload_bytes);
    bool holds = chirr_signature_holds(
        public_key, ENVELOPE_DOMAIN, (struct chirr_span){head, head_bytes},
        (struct chirr_span){envelope->payload, envelope->payload_bytes}, envelope->signature);
    return holds ? CHIRR_OK : CHIRR_ERR_SIGNATURE;
}
