/* Signatures that were verified not long ago.
 *
 * In gossip a record comes over several links, and a signature costs a hundred times what a digest
 * costs. What is remembered is a digest of the signed bytes (the author among them) and the
 * signature, keyed with a secret of this process (SipHash, Aumasson and Bernstein, 2012, of 128
 * bits), so that nobody can find another input with the same one; never a stamp, or a second
 * content under one stamp would pass unseen. When the keyring changes all is forgotten. A fixed
 * table of sets; a newcomer takes the place of the oldest of its set. Not thread-safe. */
#ifndef CHIRR_AGENT_VERIFIED_H
#define CHIRR_AGENT_VERIFIED_H

#include "agent/keyring.h"

#define CHIRR_VERIFIED_SETS 512
#define CHIRR_VERIFIED_WAYS 4
#define CHIRR_VERIFIED_DIGEST_BYTES 16

struct chirr_verified {
    const struct chirr_keyring *keyring; /* borrowed */
    uint64_t revision;                   /* of the keyring, that all of this holds under */
    uint8_t secret[CHIRR_VERIFIED_DIGEST_BYTES];
    /* Newest first; all zero: free. */
    uint8_t sets[CHIRR_VERIFIED_SETS][CHIRR_VERIFIED_WAYS][CHIRR_VERIFIED_DIGEST_BYTES];
};

/* Draws the secret from the system. `*verified` is all zero. */
void chirr_verified_init(struct chirr_verified *verified, const struct chirr_keyring *keyring);

/* As chirr_keyring_verify_record and _delta, with their errors; `known` is set when the answer was
 * remembered. */
CHIRR_NODISCARD enum chirr_err chirr_verified_record(struct chirr_verified *verified,
                                                     const struct chirr_record *record,
                                                     bool *known);
CHIRR_NODISCARD enum chirr_err chirr_verified_delta(struct chirr_verified *verified,
                                                    const struct chirr_delta_message *delta,
                                                    bool *known);

#endif
