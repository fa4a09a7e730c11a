/* The keys of the agents that a swarm trusts: an allow-list, and nothing else.
 *
 * The file has one key a line, 64 hexadecimal digits, then optionally a name; '#' starts a comment.
 * Fails closed: an empty keyring trusts nobody but what is added. Not thread-safe. */
#ifndef CHIRR_AGENT_KEYRING_H
#define CHIRR_AGENT_KEYRING_H

#include "proto/sign.h"

#define CHIRR_KEYRING_KEYS_MAX 4096

struct chirr_keyring_entry {
    chirr_agent_id id;
    uint8_t public_key[CHIRR_KEY_BYTES];
    uint8_t curve_public[CHIRR_KEY_BYTES];
    char name[CHIRR_NAME_BYTES_MAX];
};

struct chirr_keyring;

struct chirr_keyring *chirr_keyring_create(void); /* NULL: out of memory */
void chirr_keyring_destroy(struct chirr_keyring *keyring);

/* CHIRR_OK too when it was there. CHIRR_ERR_FULL, CHIRR_ERR_INVALID (not a key). */
CHIRR_NODISCARD enum chirr_err chirr_keyring_add(struct chirr_keyring *keyring,
                                                 const uint8_t public_key[CHIRR_KEY_BYTES],
                                                 const char *name);
/* Adds every key of a file; `error` names file, line and what was expected. */
CHIRR_NODISCARD enum chirr_err chirr_keyring_load(struct chirr_keyring *keyring, const char *path,
                                                  struct chirr_error *error);

/* NULL when not trusted. Borrowed until the next add. */
const struct chirr_keyring_entry *chirr_keyring_find(const struct chirr_keyring *keyring,
                                                     chirr_agent_id id);
const struct chirr_keyring_entry *
chirr_keyring_find_curve(const struct chirr_keyring *keyring,
                         const uint8_t curve_public[CHIRR_KEY_BYTES]);
size_t chirr_keyring_count(const struct chirr_keyring *keyring);
const struct chirr_keyring_entry *chirr_keyring_at(const struct chirr_keyring *keyring,
                                                   size_t index);

/* An identity file holds the 32-byte seed as 64 hexadecimal digits and is readable by its owner
 * alone (0600); any wider permission is refused. `_create` refuses to overwrite. */
CHIRR_NODISCARD enum chirr_err chirr_identity_create_file(const char *path,
                                                          struct chirr_identity *identity,
                                                          struct chirr_error *error);
CHIRR_NODISCARD enum chirr_err chirr_identity_load_file(const char *path,
                                                        struct chirr_identity *identity,
                                                        struct chirr_error *error);

#endif
