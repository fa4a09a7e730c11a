/* The table of verified signatures. */
#include "agent/verified.h"

#include <sodium.h>
#include <string.h>

#include "base/wire.h"
#include "proto/codec.h"

_Static_assert(CHIRR_VERIFIED_DIGEST_BYTES == crypto_shorthash_siphashx24_BYTES, "digest");
_Static_assert(CHIRR_VERIFIED_DIGEST_BYTES == crypto_shorthash_siphashx24_KEYBYTES, "secret");
_Static_assert((CHIRR_VERIFIED_SETS & (CHIRR_VERIFIED_SETS - 1)) == 0, "a power of two");

/* Purpose, signature, then what was signed. */
#define HEAD_BYTES ((size_t)1 + CHIRR_SIGNATURE_BYTES)
_Static_assert(CHIRR_CODEC_DELTA_BYTES_MAX <= CHIRR_CODEC_RECORD_BYTES_MAX, "one buffer for both");

enum purpose { PURPOSE_RECORD = 1, PURPOSE_DELTA };

struct evidence {
    size_t bytes;
    uint8_t data[HEAD_BYTES + CHIRR_CODEC_RECORD_BYTES_MAX];
};

void chirr_verified_init(struct chirr_verified *verified, const struct chirr_keyring *keyring)
{
    verified->keyring = keyring;
    randombytes_buf(verified->secret, sizeof verified->secret);
}

static void begin(struct evidence *evidence, enum purpose purpose,
                  const uint8_t signature[CHIRR_SIGNATURE_BYTES])
{
    evidence->data[0] = (uint8_t)purpose;
    memcpy(evidence->data + 1, signature, CHIRR_SIGNATURE_BYTES);
}

static void digest_of(const struct chirr_verified *verified, const struct evidence *evidence,
                      uint8_t digest[CHIRR_VERIFIED_DIGEST_BYTES])
{
    crypto_shorthash_siphashx24(digest, evidence->data, HEAD_BYTES + evidence->bytes,
                                verified->secret);
}

static uint8_t (*set_of(struct chirr_verified *verified,
                        const uint8_t *digest))[CHIRR_VERIFIED_DIGEST_BYTES]
{
    return verified->sets[chirr_wire_get_u64(digest) & (CHIRR_VERIFIED_SETS - 1)];
}

static bool remembers(struct chirr_verified *verified, const uint8_t *digest)
{
    uint64_t revision = chirr_keyring_revision(verified->keyring);
    if (revision != verified->revision) {
        memset(verified->sets, 0, sizeof verified->sets);
        verified->revision = revision;
    }
    uint8_t(*set)[CHIRR_VERIFIED_DIGEST_BYTES] = set_of(verified, digest);
    for (int way = 0; way < CHIRR_VERIFIED_WAYS; way++) {
        if (memcmp(set[way], digest, CHIRR_VERIFIED_DIGEST_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

static void remember(struct chirr_verified *verified, const uint8_t *digest)
{
    uint8_t(*set)[CHIRR_VERIFIED_DIGEST_BYTES] = set_of(verified, digest);
    memmove(set[1], set[0], sizeof set[0] * (CHIRR_VERIFIED_WAYS - 1));
    memcpy(set[0], digest, sizeof set[0]);
}

enum chirr_err chirr_verified_record(struct chirr_verified *verified,
                                     const struct chirr_record *record, bool *known)
{
    struct evidence evidence;
    uint8_t digest[CHIRR_VERIFIED_DIGEST_BYTES];
    *known = false;
    begin(&evidence, PURPOSE_RECORD, record->signature);
    if (chirr_codec_encode_statement(record, evidence.data + HEAD_BYTES,
                                     CHIRR_CODEC_RECORD_BYTES_MAX, &evidence.bytes) != CHIRR_OK) {
        return CHIRR_ERR_SIGNATURE;
    }
    digest_of(verified, &evidence, digest);
    *known = remembers(verified, digest);
    enum chirr_err err = *known ? CHIRR_OK : chirr_keyring_verify_record(verified->keyring, record);
    if (err == CHIRR_OK && !*known) {
        remember(verified, digest);
    }
    return err;
}

enum chirr_err chirr_verified_delta(struct chirr_verified *verified,
                                    const struct chirr_delta_message *delta, bool *known)
{
    struct evidence evidence;
    uint8_t digest[CHIRR_VERIFIED_DIGEST_BYTES];
    *known = false;
    begin(&evidence, PURPOSE_DELTA, delta->signature);
    if (chirr_codec_encode_delta_statement(delta, evidence.data + HEAD_BYTES,
                                           CHIRR_CODEC_DELTA_BYTES_MAX,
                                           &evidence.bytes) != CHIRR_OK) {
        return CHIRR_ERR_SIGNATURE;
    }
    digest_of(verified, &evidence, digest);
    *known = remembers(verified, digest);
    enum chirr_err err = *known ? CHIRR_OK : chirr_keyring_verify_delta(verified->keyring, delta);
    if (err == CHIRR_OK && !*known) {
        remember(verified, digest);
    }
    return err;
}
