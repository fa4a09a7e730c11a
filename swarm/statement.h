/* What can be said of one statement alone, without a store: who may make it, and its fingerprint.
 *
 * Pure functions of a valid record; internal to swarm/. Thread-safe: no state. */
#ifndef CHIRR_SWARM_STATEMENT_H
#define CHIRR_SWARM_STATEMENT_H

#include "proto/message.h"

/* OPEN of epoch 0 and CANCELLED come from the submitter, RUNNING, RELEASED and DONE from the owner,
 * a re-auction (OPEN of a later epoch) from anybody; a register is its author's by signature. */
bool chirr_statement_allowed(const struct chirr_record *record);

/* Its epoch is not so far beyond the one held (NULL: none, as if it were 0) that only a liar can
 * have got there: at the greatest no next one would be left. */
#define CHIRR_EPOCH_STEP_MAX 65536U
bool chirr_statement_epoch_allowed(const struct chirr_record *record,
                                   const struct chirr_record *held);

/* No more will happen to the task: DONE or CANCELLED. */
bool chirr_statement_ends_task(const struct chirr_record *record);

/* Digest of everything but the signature: two replicas may hold two signatures of one content. */
uint64_t chirr_statement_digest(const struct chirr_record *record);

#endif
