/* Identities and signatures from libsodium. */
#include "proto/sign.h"

#include <sodium.h>
#include <string.h>

#include "proto/codec.h"

_Static_assert(CHIRR_KEY_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519 public key");
_Static_assert(CHIRR_KEY_BYTES == crypto_sign_SEEDBYTES, "Ed25519 seed");
_Static_assert(CHIRR_KEY_BYTES == crypto_scalarmult_curve25519_BYTES, "Curve25519 key");
_Static_assert(CHIRR_SIGNATURE_BYTES == crypto_sign_BYTES, "Ed25519 signature");

#define RECORD_DOMAIN "chirr record"
#define DELTA_DOMAIN "chirr delta"

enum chirr_err chirr_identity_from_seed(struct chirr_identity *identity,
                                        const uint8_t seed[CHIRR_KEY_BYTES])
{
    memset(identity, 0, sizeof *identity);
    if (sodium_init() < 0) {
        return CHIRR_ERR_STATE;
    }
    _Static_assert(sizeof identity->secret_key == crypto_sign_SECRETKEYBYTES, "Ed25519 secret key");
    crypto_sign_seed_keypair(identity->public_key, identity->secret_key, seed);
    crypto_sign_ed25519_sk_to_curve25519(identity->curve_secret, identity->secret_key);
    chirr_identity_succeed(identity, identity->public_key);
    return chirr_curve_key_of(identity->public_key, identity->curve_public);
}

void chirr_identity_succeed(struct chirr_identity *identity,
                            const uint8_t first_key[CHIRR_KEY_BYTES])
{
    memcpy(identity->first_key, first_key, sizeof identity->first_key);
    identity->id = chirr_agent_id_of(first_key);
}

void chirr_identity_wipe(struct chirr_identity *identity)
{
    sodium_memzero(identity, sizeof *identity);
}

enum chirr_err chirr_curve_key_of(const uint8_t public_key[CHIRR_KEY_BYTES],
                                  uint8_t curve_public[CHIRR_KEY_BYTES])
{
    return crypto_sign_ed25519_pk_to_curve25519(curve_public, public_key) == 0 ? CHIRR_OK
                                                                               : CHIRR_ERR_INVALID;
}

void chirr_key_format(const uint8_t key[CHIRR_KEY_BYTES], char text[CHIRR_KEY_TEXT_BYTES])
{
    sodium_bin2hex(text, CHIRR_KEY_TEXT_BYTES, key, CHIRR_KEY_BYTES);
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

enum chirr_err chirr_key_parse(const char *text, uint8_t key[CHIRR_KEY_BYTES])
{
    if (strlen(text) != CHIRR_KEY_TEXT_BYTES - 1) {
        return CHIRR_ERR_MALFORMED;
    }
    for (size_t i = 0; i < CHIRR_KEY_BYTES; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return CHIRR_ERR_MALFORMED;
        }
        key[i] = (uint8_t)(high << 4 | low);
    }
    return CHIRR_OK;
}

/* Each domain starts with its length, so that none is the beginning of another. */
static void hash_parts(crypto_sign_state *state, const char *domain, struct chirr_span head,
                       struct chirr_span body)
{
    uint8_t length = (uint8_t)strlen(domain);
    crypto_sign_init(state);
    crypto_sign_update(state, &length, 1);
    crypto_sign_update(state, (const uint8_t *)domain, length);
    crypto_sign_update(state, head.data, head.bytes);
    crypto_sign_update(state, body.data, body.bytes);
}

void chirr_sign(const struct chirr_identity *identity, const char *domain, struct chirr_span head,
                struct chirr_span body, uint8_t signature[CHIRR_SIGNATURE_BYTES])
{
    crypto_sign_state state;
    hash_parts(&state, domain, head, body);
    crypto_sign_final_create(&state, signature, NULL, identity->secret_key);
}

bool chirr_signature_holds(const uint8_t public_key[CHIRR_KEY_BYTES], const char *domain,
                           struct chirr_span head, struct chirr_span body,
                           const uint8_t signature[CHIRR_SIGNATURE_BYTES])
{
    crypto_sign_state state;
    hash_parts(&state, domain, head, body);
    return crypto_sign_final_verify(&state, signature, public_key) == 0;
}

enum chirr_err chirr_record_sign(struct chirr_record *record, const struct chirr_identity *identity)
{
    if (record->author != identity->id) {
        return CHIRR_ERR_INVALID;
    }
    uint8_t statement[CHIRR_CODEC_RECORD_BYTES_MAX];
    size_t bytes;
    enum chirr_err err = chirr_codec_encode_statement(record, statement, sizeof statement, &bytes);
    if (err != CHIRR_OK) {
        return err;
    }
    chirr_sign(identity, RECORD_DOMAIN, (struct chirr_span){statement, bytes},
               (struct chirr_span){NULL, 0}, record->signature);
    return CHIRR_OK;
}

enum chirr_err chirr_record_verify(const struct chirr_record *record,
                                   const uint8_t public_key[CHIRR_KEY_BYTES])
{
    uint8_t statement[CHIRR_CODEC_RECORD_BYTES_MAX];
    size_t bytes;
    if (chirr_codec_encode_statement(record, statement, sizeof statement, &bytes) != CHIRR_OK) {
        return CHIRR_ERR_SIGNATURE;
    }
    bool holds =
        chirr_signature_holds(public_key, RECORD_DOMAIN, (struct chirr_span){statement, bytes},
                              (struct chirr_span){NULL, 0}, record->signature);
    return holds ? CHIRR_OK : CHIRR_ERR_SIGNATURE;
}

enum chirr_err chirr_delta_sign(struct chirr_delta_message *delta,
                                const struct chirr_identity *identity)
{
    if (delta->origin != identity->id) {
        return CHIRR_ERR_INVALID;
    }
    uint8_t statement[CHIRR_CODEC_DELTA_BYTES_MAX];
    size_t bytes;
    enum chirr_err err =
        chirr_codec_encode_delta_statement(delta, statement, sizeof statement, &bytes);
    if (err != CHIRR_OK) {
        return err;
    }
    chirr_sign(identity, DELTA_DOMAIN, (struct chirr_span){statement, bytes},
               (struct chirr_span){NULL, 0}, delta->signature);
    return CHIRR_OK;
}

enum chirr_err chirr_delta_verify(const struct chirr_delta_message *delta,
                                  const uint8_t public_key[CHIRR_KEY_BYTES])
{
    uint8_t statement[CHIRR_CODEC_DELTA_BYTES_MAX];
    size_t bytes;
    if (chirr_codec_encode_delta_statement(delta, statement, sizeof statement, &bytes) !=
        CHIRR_OK) {
        return CHIRR_ERR_SIGNATURE;
    }
    bool holds =
        chirr_signature_holds(public_key, DELTA_DOMAIN, (struct chirr_span){statement, bytes},
                              (struct chirr_span){NULL, 0}, delta->signature);
    return holds ? CHIRR_OK : CHIRR_ERR_SIGNATURE;
}
