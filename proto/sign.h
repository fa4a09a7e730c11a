/* Ed25519 signatures (RFC 8032, libsodium) and the key pair that an agent is.
 *
 * One seed makes the whole identity: the Ed25519 pair that signs, the agent's id (a digest of the
 * public key), and the Curve25519 pair that CURVE sockets use (libsodium's birational map), so that
 * trusting an agent means knowing 32 bytes. An agent that changes its key keeps the id of its first
 * one; that a key is its author's is for the keyring to say (agent/keyring.h), here it is only
 * checked that the key signed. Thread-safe: no state. */
#ifndef CHIRR_PROTO_SIGN_H
#define CHIRR_PROTO_SIGN_H

#include "proto/message.h"

struct chirr_identity {
    chirr_agent_id id;                   /* of the holder: the digest of its first key */
    uint8_t first_key[CHIRR_KEY_BYTES];  /* Ed25519; the public key itself until it is changed */
    uint8_t public_key[CHIRR_KEY_BYTES]; /* Ed25519 */
    uint8_t secret_key[64];              /* Ed25519: seed and public key */
    uint8_t curve_public[CHIRR_KEY_BYTES];
    uint8_t curve_secret[CHIRR_KEY_BYTES];
};

/* Deterministic from a 32-byte seed. CHIRR_ERR_STATE: libsodium could not be initialised. */
CHIRR_NODISCARD enum chirr_err chirr_identity_from_seed(struct chirr_identity *identity,
                                                        const uint8_t seed[CHIRR_KEY_BYTES]);
/* Makes it a later key of the holder whose first one is `first_key`. */
void chirr_identity_succeed(struct chirr_identity *identity,
                            const uint8_t first_key[CHIRR_KEY_BYTES]);
void chirr_identity_wipe(struct chirr_identity *identity);

/* The Curve25519 key of a peer. CHIRR_ERR_INVALID: not a point that libsodium accepts. */
CHIRR_NODISCARD enum chirr_err chirr_curve_key_of(const uint8_t public_key[CHIRR_KEY_BYTES],
                                                  uint8_t curve_public[CHIRR_KEY_BYTES]);

/* Keys as people handle them: 64 lower-case hexadecimal digits. */
#define CHIRR_KEY_TEXT_BYTES (2 * CHIRR_KEY_BYTES + 1)
void chirr_key_format(const uint8_t key[CHIRR_KEY_BYTES], char text[CHIRR_KEY_TEXT_BYTES]);
/* CHIRR_ERR_MALFORMED: anything but exactly that. */
CHIRR_NODISCARD enum chirr_err chirr_key_parse(const char *text, uint8_t key[CHIRR_KEY_BYTES]);

/* Ed25519ph (RFC 8032, section 5.1: the prehashed variant, which signs pieces without joining them)
 * over a domain, a head and a body. The domain keeps a signature for one purpose from being passed
 * off as one for another. */
struct chirr_span {
    const void *data;
    size_t bytes;
};
void chirr_sign(const struct chirr_identity *identity, const char *domain, struct chirr_span head,
                struct chirr_span body, uint8_t signature[CHIRR_SIGNATURE_BYTES]);
bool chirr_signature_holds(const uint8_t public_key[CHIRR_KEY_BYTES], const char *domain,
                           struct chirr_span head, struct chirr_span body,
                           const uint8_t signature[CHIRR_SIGNATURE_BYTES]);

/* Signs a record that the identity authored (over chirr_codec_encode_statement).
 * CHIRR_ERR_INVALID: it is somebody else's. Otherwise what chirr_record_validate refuses. */
CHIRR_NODISCARD enum chirr_err chirr_record_sign(struct chirr_record *record,
                                                 const struct chirr_identity *identity);
/* CHIRR_ERR_SIGNATURE unless `public_key` signed exactly this record. */
CHIRR_NODISCARD enum chirr_err chirr_record_verify(const struct chirr_record *record,
                                                   const uint8_t public_key[CHIRR_KEY_BYTES]);

/* The same for a delta, which others pass on (over chirr_codec_encode_delta_statement).
 * CHIRR_ERR_INVALID: its origin is somebody else. Otherwise what chirr_delta_validate refuses. */
CHIRR_NODISCARD enum chirr_err chirr_delta_sign(struct chirr_delta_message *delta,
                                                const struct chirr_identity *identity);
/* CHIRR_ERR_SIGNATURE unless `public_key` signed exactly this delta. */
CHIRR_NODISCARD enum chirr_err chirr_delta_verify(const struct chirr_delta_message *delta,
                                                  const uint8_t public_key[CHIRR_KEY_BYTES]);

#endif
