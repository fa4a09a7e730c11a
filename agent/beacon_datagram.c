/* What a beacon's datagram holds: no socket here, so that anything can be tried on it. */
#include "agent/beacon.h"

#include <string.h>

#include "base/digest.h"
#include "base/wire.h"

static const uint8_t magic[4] = {'C', 'H', 'R', 'B'};

uint64_t chirr_beacon_swarm(const char *name)
{
    static const char domain[] = "chirr beacon 1";
    struct chirr_digest_state digest;
    chirr_digest_begin(&digest);
    chirr_digest_add(&digest, domain, sizeof domain);
    chirr_digest_add(&digest, name, strlen(name));
    return chirr_digest_end(&digest);
}

enum chirr_err chirr_beacon_encode(uint64_t swarm, const struct chirr_record *card,
                                   uint8_t out[CHIRR_BEACON_BYTES_MAX], size_t *bytes)
{
    if (card->kind != CHIRR_RECORD_CARD) {
        return CHIRR_ERR_INVALID;
    }
    memcpy(out, magic, sizeof magic);
    chirr_wire_put_u16(out + 4, CHIRR_BEACON_VERSION);
    chirr_wire_put_u16(out + 6, 0);
    chirr_wire_put_u64(out + 8, swarm);
    size_t card_bytes = 0;
    enum chirr_err err =
        chirr_codec_encode_record(card, out + CHIRR_BEACON_HEADER_BYTES,
                                  CHIRR_BEACON_BYTES_MAX - CHIRR_BEACON_HEADER_BYTES, &card_bytes);
    *bytes = CHIRR_BEACON_HEADER_BYTES + card_bytes;
    return err;
}

enum chirr_err chirr_beacon_decode(uint64_t swarm, const uint8_t *in, size_t bytes,
                                   struct chirr_record *card)
{
    if (bytes < CHIRR_BEACON_HEADER_BYTES || bytes > CHIRR_BEACON_BYTES_MAX ||
        memcmp(in, magic, sizeof magic) != 0) {
        return CHIRR_ERR_MALFORMED;
    }
    if (chirr_wire_get_u16(in + 4) != CHIRR_BEACON_VERSION) {
        return CHIRR_ERR_VERSION;
    }
    if (chirr_wire_get_u16(in + 6) != 0) {
        return CHIRR_ERR_MALFORMED;
    }
    if (chirr_wire_get_u64(in + 8) != swarm) {
        return CHIRR_ERR_NOTFOUND;
    }
    enum chirr_err err = chirr_codec_decode_record(in + CHIRR_BEACON_HEADER_BYTES,
                                                   bytes - CHIRR_BEACON_HEADER_BYTES, card);
    return err == CHIRR_OK && card->kind != CHIRR_RECORD_CARD ? CHIRR_ERR_MALFORMED : err;
}
