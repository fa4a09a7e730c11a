/* How records travel: pushed at once, and repaired for ever.
 *
 * Push: a record that changed the state is published on "e/" by its author (full mesh: one hop).
 * Repair: scuttlebutt anti-entropy (van Renesse, Dumitriu, Gough, Thomas, "Efficient Reconciliation
 * and Flow Control for Anti-Entropy Protocols", LADIS 2008, section 3): every interval a DIGEST of
 * stamps by author to one random live neighbour, who answers with what is missing here and its own
 * digest. Anti-entropy alone makes every loss harmless; the push makes it fast.
 *
 * A machine of the usual five verbs round a borrowed record store. Handles RECORDS and DIGEST. */
#ifndef CHIRR_SWARM_DISSEMINATION_H
#define CHIRR_SWARM_DISSEMINATION_H

#include "swarm/membership.h"
#include "swarm/records.h"

struct chirr_dissemination_config {
    chirr_agent_id self;
    uint64_t seed;
    uint32_t repair_interval_ms;
    uint32_t repair_records_max; /* in one answer, 1…CHIRR_RECORDS_MAX */
    uint32_t changes_max;        /* changed records that wait to be collected */
};
struct chirr_dissemination_config chirr_dissemination_config_default(void);

struct chirr_dissemination;

size_t chirr_dissemination_bytes(const struct chirr_dissemination_config *config);
struct chirr_dissemination *
chirr_dissemination_create(struct chirr_arena *arena,
                           const struct chirr_dissemination_config *config,
                           struct chirr_record_store *store, chirr_time_us now);

/* States something new as self: stamps, joins and pushes it. `record->kind` and its body are given;
 * author and stamp are filled in. */
CHIRR_NODISCARD enum chirr_err chirr_dissemination_state(struct chirr_dissemination *dissemination,
                                                         struct chirr_record *record,
                                                         uint64_t incarnation, chirr_time_us now);

/* Takes in what the durable store kept, before the first receive. */
CHIRR_NODISCARD enum chirr_err
chirr_dissemination_restore(struct chirr_dissemination *dissemination,
                            const struct chirr_record *record);

CHIRR_NODISCARD enum chirr_err
chirr_dissemination_receive(struct chirr_dissemination *dissemination, chirr_agent_id from,
                            const struct chirr_message *message, chirr_time_us now);
/* `membership` tells whom to ask. */
void chirr_dissemination_tick(struct chirr_dissemination *dissemination,
                              const struct chirr_membership *membership, chirr_time_us now);
chirr_time_us chirr_dissemination_deadline(const struct chirr_dissemination *dissemination);
bool chirr_dissemination_poll(struct chirr_dissemination *dissemination,
                              struct chirr_output *output);

/* The records that joins changed since the last call, in order: the node lets membership, overlay
 * and auction see them. False when there is none. Borrowed until the next input. */
bool chirr_dissemination_changed(struct chirr_dissemination *dissemination,
                                 struct chirr_record *record);

/* Sends a digest to this agent now (first contact, healed link). */
void chirr_dissemination_ask(struct chirr_dissemination *dissemination, chirr_agent_id to);

#endif
