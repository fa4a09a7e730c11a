/* What operators changed, carried out on a keyring.
 *
 * An operator's TRUST record is a register with all that it ever changed, so that the newest one
 * alone says everything and an older one changes nothing. Of one operator's changes of a key the
 * last holds; between operators removing beats adding, so that every agent comes to the same keys
 * in whatever order it hears of them. An operator may remove any key, also another operator's and
 * its own, but cannot make an operator: that is for whoever writes the keyring file.
 * Pure; not thread-safe. */
#ifndef CHIRR_AGENT_TRUST_H
#define CHIRR_AGENT_TRUST_H

#include "agent/keyring.h"
#include "swarm/records.h"

#define CHIRR_TRUST_OPERATORS_MAX 16 /* more than a record store holds registers of */
#define CHIRR_TRUST_REMOVED_MAX (CHIRR_TRUST_OPERATORS_MAX * CHIRR_TRUST_CHANGES_MAX)

struct chirr_trust_effect {
    uint32_t added, removed;                         /* keys */
    uint32_t refused;                                /* changes that the keyring has no room for */
    bool self_removed;                               /* `self_key` was to go, and stayed */
    uint32_t gone_count;                             /* holders whose last key went */
    chirr_agent_id gone[CHIRR_TRUST_REMOVED_MAX];    /* [gone_count] */
    uint32_t retired_count;                          /* holders that lost a key and have another */
    chirr_agent_id retired[CHIRR_TRUST_REMOVED_MAX]; /* [retired_count] */
};

/* Makes the keyring say what the registers of its operators say. `self_key` (NULL: none) stays: an
 * agent that is trusted no longer is cut off by the others. Doing it again changes nothing. */
void chirr_trust_apply(struct chirr_keyring *keyring, const struct chirr_record_store *records,
                       const uint8_t *self_key, struct chirr_trust_effect *effect);

/* The same in a keyring file, which is written only if something changed. */
CHIRR_NODISCARD enum chirr_err chirr_trust_apply_file(const char *path,
                                                      const struct chirr_record_store *records,
                                                      struct chirr_error *error);

/* Adds a change to a register; an earlier one of the same key goes. CHIRR_ERR_FULL: an operator has
 * changed CHIRR_TRUST_CHANGES_MAX other keys. CHIRR_ERR_EXISTS: it gave the key to another holder
 * before. */
CHIRR_NODISCARD enum chirr_err chirr_trust_change(struct chirr_trust *trust,
                                                  const struct chirr_trust_change *change);

/* A record as text, for the control socket: its encoding as hexadecimal digits. `_parse`:
 * CHIRR_ERR_MALFORMED, also for a record of another kind. */
#define CHIRR_TRUST_TEXT_BYTES_MAX (2 * CHIRR_CODEC_RECORD_BYTES_MAX + 1)
CHIRR_NODISCARD enum chirr_err chirr_trust_record_format(const struct chirr_record *record,
                                                         char text[CHIRR_TRUST_TEXT_BYTES_MAX]);
CHIRR_NODISCARD enum chirr_err chirr_trust_record_parse(const char *text,
                                                        struct chirr_record *record);

#endif
