/* The keys of the agents that a swarm trusts: an allow-list, and nothing else.
 *
 * An entry is a *holder*: an agent (or an operator, who need not run one) under the id that is the
 * digest of its first key. A holder has one live key, or two while it changes from one to the next;
 * either one proves that it is the holder, and the id stays when the first one is gone. A holder
 * that is an operator may change, by TRUST records, which keys count everywhere.
 *
 * The file has one key a line:
 *
 *      [operator] KEY [of HOLDER] [curve CURVE] [NAME]
 *
 * KEY is 64 hexadecimal digits, HOLDER the 16 digits of the holder's id, without which the key is
 * its holder's first one; NAME is for people, '#' starts a comment. CURVE is the key that KEY's
 * connections use. It follows from KEY, but to work it out takes 50 us, which an agent of a large
 * swarm would spend on everybody before its first message; so who writes the file writes it down.
 * It is a hint, proven before anybody is let in or connected to by it: a wrong one helps nobody.
 * Fails closed: an empty keyring
 * trusts nobody but what is added. Not thread-safe. */
#ifndef CHIRR_AGENT_KEYRING_H
#define CHIRR_AGENT_KEYRING_H

#include "proto/frame.h"
#include "proto/sign.h"

#define CHIRR_KEYRING_HOLDERS_MAX 4096
#define CHIRR_HOLDER_KEYS_MAX 2

struct chirr_keyring_key {
    uint8_t public_key[CHIRR_KEY_BYTES]; /* Ed25519 */
    uint8_t curve_hint[CHIRR_KEY_BYTES]; /* ask chirr_keyring_curve_of */
    bool is_proven;
};

struct chirr_keyring_entry {
    chirr_agent_id id; /* the holder */
    bool is_operator;
    uint32_t key_count;                                   /* 1… */
    struct chirr_keyring_key keys[CHIRR_HOLDER_KEYS_MAX]; /* the newest last */
    char name[CHIRR_NAME_BYTES_MAX];
};

struct chirr_keyring;

struct chirr_keyring *chirr_keyring_create(void); /* NULL: out of memory */
void chirr_keyring_destroy(struct chirr_keyring *keyring);

struct chirr_keyring_addition {
    uint8_t public_key[CHIRR_KEY_BYTES];
    chirr_agent_id holder; /* 0: the digest of the key */
    const char *name;      /* NULL: none; the first name that a holder gets stays */
    bool is_operator;      /* of the holder; never taken back by adding */
    /* The Curve25519 key, if somebody said; NULL: worked out at once. With it, a public key that is
     * none is found out only when it is used. */
    const uint8_t *curve_hint;
};
/* CHIRR_OK too when it was there. CHIRR_ERR_INVALID: not a key. CHIRR_ERR_RANGE: the name is too
 * long, or not printable. CHIRR_ERR_EXISTS: the key is another holder's. CHIRR_ERR_FULL: too many
 * holders, or the holder has two other keys. Nothing has changed after an error. */
CHIRR_NODISCARD enum chirr_err chirr_keyring_add_key(struct chirr_keyring *keyring,
                                                     const struct chirr_keyring_addition *addition);
/* The same for the first key of a holder who is no operator. */
CHIRR_NODISCARD enum chirr_err chirr_keyring_add(struct chirr_keyring *keyring,
                                                 const uint8_t public_key[CHIRR_KEY_BYTES],
                                                 const char *name);
/* With its last key a holder goes. CHIRR_ERR_NOTFOUND. */
CHIRR_NODISCARD enum chirr_err chirr_keyring_remove_key(struct chirr_keyring *keyring,
                                                        const uint8_t public_key[CHIRR_KEY_BYTES]);
/* A holder with all its keys. CHIRR_ERR_NOTFOUND. */
CHIRR_NODISCARD enum chirr_err chirr_keyring_remove(struct chirr_keyring *keyring,
                                                    chirr_agent_id holder);

/* NULL when not trusted. Borrowed until the next change. `_curve` and `_key` find by either key. */
const struct chirr_keyring_entry *chirr_keyring_find(const struct chirr_keyring *keyring,
                                                     chirr_agent_id holder);
const struct chirr_keyring_entry *
chirr_keyring_find_curve(const struct chirr_keyring *keyring,
                         const uint8_t curve_public[CHIRR_KEY_BYTES]);
const struct chirr_keyring_entry *chirr_keyring_find_key(const struct chirr_keyring *keyring,
                                                         const uint8_t public_key[CHIRR_KEY_BYTES]);
/* The holder's live key that this is; NULL: none of them. */
const struct chirr_keyring_key *chirr_keyring_key_of(const struct chirr_keyring_entry *entry,
                                                     const uint8_t public_key[CHIRR_KEY_BYTES]);
/* The Curve25519 key that belongs to one; all zero when it is not a key. */
const uint8_t *chirr_keyring_curve_of(const struct chirr_keyring_key *key);
size_t chirr_keyring_count(const struct chirr_keyring *keyring); /* holders */
const struct chirr_keyring_entry *chirr_keyring_at(const struct chirr_keyring *keyring,
                                                   size_t index);
/* Grows with every change: what was concluded under an older revision must be concluded anew. */
uint64_t chirr_keyring_revision(const struct chirr_keyring *keyring);

/* Whether a live key of the author (origin, sender) signed this. CHIRR_ERR_UNTRUSTED: it is not on
 * the keyring, or speaks of trust without being an operator. CHIRR_ERR_SIGNATURE. */
CHIRR_NODISCARD enum chirr_err chirr_keyring_verify_record(const struct chirr_keyring *keyring,
                                                           const struct chirr_record *record);
CHIRR_NODISCARD enum chirr_err chirr_keyring_verify_delta(const struct chirr_keyring *keyring,
                                                          const struct chirr_delta_message *delta);
CHIRR_NODISCARD enum chirr_err chirr_keyring_verify_envelope(const struct chirr_keyring *keyring,
                                                             const struct chirr_envelope *envelope);

/* ---- Files --------------------------------------------------------------------------------- */

/* Adds every key of a file; `error` names file, line and what was expected. */
CHIRR_NODISCARD enum chirr_err chirr_keyring_load(struct chirr_keyring *keyring, const char *path,
                                                  struct chirr_error *error);
/* Makes the file say what the keyring holds: lines whose keys still count, and comments, stay as
 * they are; the others go; what is new is added behind. Written under a temporary name, synced and
 * renamed, so that a crash leaves the old file or the new one. A missing file is made (0644, or as
 * the umask wants). CHIRR_ERR_IO, CHIRR_ERR_CONFIG: the file that is there cannot be read. */
CHIRR_NODISCARD enum chirr_err chirr_keyring_save(const struct chirr_keyring *keyring,
                                                  const char *path, struct chirr_error *error);

/* An identity file holds the 32-byte seed as 64 hexadecimal digits, and, for a holder's later key,
 * a second line "first KEY" with its first public key, whose digest is its id. Readable by its
 * owner alone (0600); any wider permission is refused. `_create` refuses to overwrite. */
CHIRR_NODISCARD enum chirr_err chirr_identity_create_file(const char *path,
                                                          struct chirr_identity *identity,
                                                          struct chirr_error *error);
/* A new key pair for the holder of `old`. */
CHIRR_NODISCARD enum chirr_err chirr_identity_create_successor(const char *path,
                                                               const struct chirr_identity *old,
                                                               struct chirr_identity *identity,
                                                               struct chirr_error *error);
CHIRR_NODISCARD enum chirr_err chirr_identity_load_file(const char *path,
                                                        struct chirr_identity *identity,
                                                        struct chirr_error *error);

#endif
