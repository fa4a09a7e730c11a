/* How records travel: pushed at once, and repaired for ever.
 *
 * Push: a record that changed the state is published on "e/" by its author (full mesh: one hop).
 * Repair: scuttlebutt anti-entropy (van Renesse, Dumitriu, Gough, Thomas, "Efficient Reconciliation
 * and Flow Control for Anti-Entropy Protocols", LADIS 2008, section 3): every interval a DIGEST of
 * stamps by author to one random live neighbour, who answers with what is missing here and its own
 * digest. Anti-entropy alone makes every loss harmless; the push makes it fast.
 *
 * Deviations, all for agents that restart:
 *   - In its own digest an agent's entry about itself is (incarnation that this life began with,
 *     its present incarnation). Who answers sends, of that agent's own records, those of other
 *     lives. What is new to it (its disk was lost) it states again, as it does with what it
 *     restored from disk; so nothing of an earlier life lasts that only some replicas hold.
 *     Registers of an earlier life are void.
 *   - An answer echoes that entry among its marks. Marks count only under the echo of the present
 *     life: an answer to a digest that was sent before a restart promises too much.
 *   - Marks are not signed. They count only up to the newest statement that was heard of their
 *     author, and decide only what is asked for, never what is taken in.
 *   - Records beyond a gap that nobody can fill any more (their author died) are offered with
 *     every eighth answer, not with each.
 *
 * A machine of the usual five verbs round a borrowed record store. Handles RECORDS and DIGEST;
 * outputs SEND and PUBLISH. Not thread-safe; no allocation after create. */
#ifndef CHIRR_SWARM_DISSEMINATION_H
#define CHIRR_SWARM_DISSEMINATION_H

#include "swarm/membership.h"
#include "swarm/records.h"

struct chirr_dissemination_config {
    chirr_agent_id self;
    uint64_t seed;
    uint32_t repair_interval_ms; /* >= 1; the mean, jittered by a quarter */
    uint32_t repair_records_max; /* in one answer, 1…CHIRR_RECORDS_MAX */
    uint32_t changes_max;        /* >= 1; changed records that wait to be collected; beyond that
                                    everything held is shown once more */
};
struct chirr_dissemination_config chirr_dissemination_config_default(void);
CHIRR_NODISCARD enum chirr_err
chirr_dissemination_config_validate(const struct chirr_dissemination_config *config,
                                    struct chirr_error *error);

struct chirr_dissemination;

size_t chirr_dissemination_bytes(const struct chirr_dissemination_config *config);
/* `config` must be valid. NULL when the arena is too small. */
struct chirr_dissemination *
chirr_dissemination_create(struct chirr_arena *arena,
                           const struct chirr_dissemination_config *config,
                           struct chirr_record_store *store, chirr_time_us now);

/* States something new as self: stamps, joins and pushes it. `record->kind` and its body are given;
 * author and stamp are filled in. The first statement of a life begins it with `incarnation`.
 * CHIRR_ERR_STALE: something greater is known already, or an earlier life had this incarnation.
 * CHIRR_ERR_FULL: the store is. Any other error of the join. Nothing was said then. */
CHIRR_NODISCARD enum chirr_err chirr_dissemination_state(struct chirr_dissemination *dissemination,
                                                         struct chirr_record *record,
                                                         uint64_t incarnation, chirr_time_us now);

/* Takes in what the durable store kept, any number of records, before the first receive. */
CHIRR_NODISCARD enum chirr_err
chirr_dissemination_restore(struct chirr_dissemination *dissemination,
                            const struct chirr_record *record);

/* The first error of any record in it; the others are taken in all the same. */
CHIRR_NODISCARD enum chirr_err
chirr_dissemination_receive(struct chirr_dissemination *dissemination, chirr_agent_id from,
                            const struct chirr_message *message, chirr_time_us now);
/* `membership` tells whom to ask. */
void chirr_dissemination_tick(struct chirr_dissemination *dissemination,
                              const struct chirr_membership *membership, chirr_time_us now);
chirr_time_us chirr_dissemination_deadline(const struct chirr_dissemination *dissemination);
bool chirr_dissemination_poll(struct chirr_dissemination *dissemination,
                              struct chirr_output *output);

/* The records that joins changed since the last call, in order, own ones included: the node lets
 * membership, overlay and auction see them. Of a record that changed again meanwhile the newest
 * content comes, twice. False when there is none. Copied. */
bool chirr_dissemination_changed(struct chirr_dissemination *dissemination,
                                 struct chirr_record *record);

/* Sends a digest to this agent now (first contact, healed link). */
void chirr_dissemination_ask(struct chirr_dissemination *dissemination, chirr_agent_id to);

struct chirr_dissemination_counters {
    uint64_t pushed_records, answered_records;
    uint64_t overflows; /* too many changes waited */
    uint64_t dropped;   /* digests and answers that found their queue full */
    uint64_t restated;  /* own statements of an earlier life, made again */
};
const struct chirr_dissemination_counters *
chirr_dissemination_count(const struct chirr_dissemination *dissemination);

#endif
