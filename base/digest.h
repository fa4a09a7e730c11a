/* Fingerprints of bytes: BLAKE2b (RFC 7693) from libsodium, cut to 64 bits.
 *
 * Used for frame and checkpoint checksums, task and lineage identities and state hashes. An
 * incremental digest equals the one-shot digest of the concatenation. */
#ifndef CHIRR_BASE_DIGEST_H
#define CHIRR_BASE_DIGEST_H

#include <sodium/crypto_generichash.h>
#include <stddef.h>
#include <stdint.h>

uint64_t chirr_digest(const void *data, size_t bytes);

struct chirr_digest_state {
    crypto_generichash_state inner;
};

void chirr_digest_begin(struct chirr_digest_state *state);
void chirr_digest_add(struct chirr_digest_state *state, const void *data, size_t bytes);
void chirr_digest_add_u64(struct chirr_digest_state *state, uint64_t value); /* little-endian */
uint64_t chirr_digest_end(struct chirr_digest_state *state);

#endif
