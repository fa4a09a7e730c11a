/* What one agent must not forget: a SQLite file in its state directory.
 *
 * Write-ahead log, synchronous=FULL: what a function here reported as saved survives `kill -9` and
 * a power cut. Holds the newest record of every register and task that was saved (encoded by
 * proto/codec, signature included), the incarnations used so far, and outcomes of tasks for later
 * analysis. The file is locked while open, so that two processes never speak with one identity.
 * The schema has a version (PRAGMA user_version); a newer one is refused.
 *
 * Bounds: ended tasks and outcomes beyond their limit are forgotten, oldest saved first; records
 * that have not ended are refused beyond `records_max` (CHIRR_ERR_FULL). Calls block for as long as
 * the disk takes to sync. Owned and used by one thread. */
#ifndef CHIRR_AGENT_STORE_H
#define CHIRR_AGENT_STORE_H

#include "proto/message.h"

#define CHIRR_STORE_INCARNATION_BLOCK UINT64_C(65536)

struct chirr_store_config {
    const char *path;         /* the file; made (0600) where missing. Borrowed during create */
    uint32_t records_max;     /* registers and tasks that have not ended; 1… */
    uint32_t ended_tasks_max; /* DONE and CANCELLED ones kept; 1… */
    uint32_t outcomes_max;    /* 1… */
};
struct chirr_store_config chirr_store_config_default(void); /* no path; 65,536, 1,024, 16,384 */

struct chirr_store;

/* NULL and words in `error` (path, reason, what to do): CHIRR_ERR_BUSY, another process has it;
 * CHIRR_ERR_MALFORMED, not a database or damaged; CHIRR_ERR_VERSION, made by a newer chirr;
 * CHIRR_ERR_IO. A damaged file is never changed. */
struct chirr_store *chirr_store_create(const struct chirr_store_config *config,
                                       struct chirr_error *error);
void chirr_store_destroy(struct chirr_store *store);

/* A value greater than any that this returned before, and at least `floor` (for a store that was
 * lost: seconds since 1970 times CHIRR_STORE_INCARNATION_BLOCK keep incarnations growing; 0: none).
 * CHIRR_STORE_INCARNATION_BLOCK values from it on are the caller's, so that refuting a suspicion
 * needs no write. Durable when it returns. CHIRR_ERR_STATE: inside a batch, whose fate it would
 * share. CHIRR_ERR_RANGE: `floor` leaves no room. */
CHIRR_NODISCARD enum chirr_err chirr_store_next_incarnation(struct chirr_store *store,
                                                            uint64_t floor, uint64_t *incarnation,
                                                            struct chirr_error *error);

/* Between `begin` and `commit` saves are collected: all of them are durable when commit returns
 * CHIRR_OK, none of them when it fails. A save outside is a batch of its own. CHIRR_ERR_STATE:
 * begun twice, or not begun. */
CHIRR_NODISCARD enum chirr_err chirr_store_begin(struct chirr_store *store,
                                                 struct chirr_error *error);
CHIRR_NODISCARD enum chirr_err chirr_store_commit(struct chirr_store *store,
                                                  struct chirr_error *error);
/* Forgets the batch; without effect outside of one. */
void chirr_store_rollback(struct chirr_store *store);

/* Replaces what was there for (kind, author) of a register or for the id of a task. */
CHIRR_NODISCARD enum chirr_err chirr_store_save_record(struct chirr_store *store,
                                                       const struct chirr_record *record,
                                                       struct chirr_error *error);

/* Remembers what a task cost; `task` is DONE. Once for a task and epoch. */
CHIRR_NODISCARD enum chirr_err chirr_store_save_outcome(struct chirr_store *store,
                                                        const struct chirr_task *task,
                                                        struct chirr_error *error);

/* Where an iteration stands; {0} is before the first record. May be kept across saves. */
struct chirr_store_cursor {
    uint32_t kind;
    uint64_t key;
};
/* The next record: cards, claims, then tasks, each in a fixed order. CHIRR_ERR_NOTFOUND after the
 * last. A record that cannot be decoded is counted and passed over. */
CHIRR_NODISCARD enum chirr_err chirr_store_next_record(struct chirr_store *store,
                                                       struct chirr_store_cursor *cursor,
                                                       struct chirr_record *record,
                                                       struct chirr_error *error);

struct chirr_store_counters {
    uint64_t records;         /* stored now */
    uint64_t ended_tasks;     /* of these */
    uint64_t outcomes;        /* stored now */
    uint64_t saved;           /* since create, as the next ones */
    uint64_t refused_full;    /* records_max */
    uint64_t forgotten_tasks; /* ended_tasks_max */
    uint64_t forgotten_outcomes;
    uint64_t undecodable; /* passed over by next_record */
};
const struct chirr_store_counters *chirr_store_count(const struct chirr_store *store);

#endif
