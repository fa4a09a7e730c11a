/* The replicated state: registers and tasks, joined.
 *
 * Both kinds are join-semilattices, so loss, repeats and reordering of records do no harm:
 *   register (author, kind): the greatest stamp wins.
 *   task (id): DONE dominates (among DONE the smallest (epoch, owner) is canonical); else
 *     CANCELLED; else the greatest (epoch, phase). What remains equal goes to the smaller owner,
 *     then the smaller author, then the greater stamp.
 * Two contents under one stamp are equivocation: the first is kept, the author is marked and
 * nothing more of it is accepted. Who may say what is checked by `chirr_records_join`: OPEN of
 * epoch 0 and CANCELLED only the submitter; RUNNING, RELEASED and DONE only the owner; OPEN of a
 * later epoch anybody.
 *
 * Tasks are bounded: when the table is full, the task that ended longest ago (in the order in which
 * this store saw the ends) is forgotten. Its id is remembered for another `tasks_max` forgettings,
 * and any statement about it counts as dominated meanwhile, so a late OPEN or DONE does not bring
 * it back to be run again. States of two agents whose tables overflow may differ, but only by ended
 * tasks that one of them forgot.
 *
 * Authors are bounded too. An agent that knows only a part of a swarm (`view: local`) forgets those
 * who have nothing live to say, with `chirr_records_evict`: tasks that ended, which are forgotten
 * as above, claims on nothing that is open, a card. The stamp of such claims is remembered for
 * another `agents_max` forgettings, so that no late copy of older ones brings back what was
 * withdrawn; beyond that the author is taken in as new when it speaks again.
 *
 * The store is passive: no time, no output. Scuttlebutt (van Renesse et al. 2008, section 3) needs
 * `covered`: per author the stamp up to which everything is known; a record pushed eagerly does not
 * raise it unless it is the next one. Not thread-safe. */
#ifndef CHIRR_SWARM_RECORDS_H
#define CHIRR_SWARM_RECORDS_H

#include "base/arena.h"
#include "proto/message.h"

struct chirr_records_config {
    uint32_t agents_max; /* authors, 1…CHIRR_DIGEST_ENTRIES_MAX */
    uint32_t tasks_max;  /* the oldest ended task is forgotten when full; else CHIRR_ERR_FULL */
};
struct chirr_records_config chirr_records_config_default(void); /* 256, 1,024 */

struct chirr_record_store;

size_t chirr_records_bytes(const struct chirr_records_config *config);
/* NULL when the arena is too small. */
struct chirr_record_store *chirr_records_create(struct chirr_arena *arena,
                                                const struct chirr_records_config *config);

enum chirr_join {
    CHIRR_JOIN_CHANGED,   /* the state is greater now */
    CHIRR_JOIN_KNOWN,     /* the very same statement */
    CHIRR_JOIN_DOMINATED, /* something greater was here already, or the task has been forgotten */
};

/* CHIRR_ERR_UNTRUSTED (may not say that), CHIRR_ERR_EQUIVOCATION, CHIRR_ERR_FULL,
 * or a validation error; the state is unchanged then. */
CHIRR_NODISCARD enum chirr_err chirr_records_join(struct chirr_record_store *store,
                                                  const struct chirr_record *record,
                                                  enum chirr_join *join);

/* < 0 when `a` loses, 0 when equal, > 0 when it wins: the total order of statements on one task. */
int chirr_task_compare(const struct chirr_record *a, const struct chirr_record *b);

/* Borrowed until the next join; NULL when unknown. */
const struct chirr_record *chirr_records_card(const struct chirr_record_store *store,
                                              chirr_agent_id author);
const struct chirr_record *chirr_records_claims(const struct chirr_record_store *store,
                                                chirr_agent_id author);
/* Of the author at `index`, as of chirr_records_author_at. */
const struct chirr_record *chirr_records_claims_at(const struct chirr_record_store *store,
                                                   uint32_t index);
const struct chirr_record *chirr_records_trust(const struct chirr_record_store *store,
                                               chirr_agent_id author);
const struct chirr_record *chirr_records_task(const struct chirr_record_store *store,
                                              chirr_task_id id);
/* The record that holds exactly this statement; NULL: never said, or something greater is held. */
const struct chirr_record *chirr_records_find(const struct chirr_record_store *store,
                                              const struct chirr_digest_entry *statement);

/* Iteration in a fixed order (authors ascending; tasks by id): index 0…count-1. */
uint32_t chirr_records_author_count(const struct chirr_record_store *store);
chirr_agent_id chirr_records_author_at(const struct chirr_record_store *store, uint32_t index);
uint32_t chirr_records_task_count(const struct chirr_record_store *store);
const struct chirr_record *chirr_records_task_at(const struct chirr_record_store *store,
                                                 uint32_t index);

/* Two contents under one stamp were seen of this author. */
bool chirr_records_is_quarantined(const struct chirr_record_store *store, chirr_agent_id author);

/* Scuttlebutt's view.
 * `_cover` raises one author's mark (never lowers it), if anything of it was joined.
 * `_cover_next` raises it only if `stamp` is the very next one, and on through what is held. It
 * also notes that the statement was taken in: `heard` and `witnessed` of the span, which no mark
 * raises. */
void chirr_records_cover(struct chirr_record_store *store, struct chirr_digest_entry entry);
void chirr_records_cover_next(struct chirr_record_store *store, struct chirr_digest_entry entry);

/* What is held of one author, without touching its records; zero stamps: nothing. */
struct chirr_records_span {
    struct chirr_stamp covered;
    struct chirr_stamp heard;     /* the greatest of a statement that was taken in */
    struct chirr_stamp witnessed; /* up to here everything of its incarnation was taken in */
    struct chirr_stamp oldest;    /* of the records held */
    struct chirr_stamp newest;    /* may be beyond `covered`: pushed, with a gap before it */
    uint64_t changed;             /* `joined` of the counters when a join last changed it */
};
struct chirr_records_span chirr_records_span(const struct chirr_record_store *store,
                                             chirr_agent_id author);

/* Sum, modulo 2^64, of the prints of all statements held and of all marks of the authors in this
 * bucket (chirr_digest_bucket). Kept up with every change, because every summary asks for all. */
uint64_t chirr_records_print(const struct chirr_record_store *store, uint32_t bucket);

/* The records of `author` newer than `after`, oldest first, copied; at most `capacity`. */
uint32_t chirr_records_since(const struct chirr_record_store *store, chirr_agent_id author,
                             struct chirr_stamp after, struct chirr_record *records,
                             uint32_t capacity);

/* The same, but only their stamps. */
uint32_t chirr_records_stamps_since(const struct chirr_record_store *store, chirr_agent_id author,
                                    struct chirr_stamp after, struct chirr_stamp *stamps,
                                    uint32_t capacity);

/* ---- What still matters of an author ------------------------------------------------------- */

/* What would be lost with an author, the least first. */
enum chirr_stake {
    CHIRR_STAKE_NONE,    /* nothing that lives */
    CHIRR_STAKE_CLAIMS,  /* claims on a task that is open here, in the same epoch, or that the
                            author is quarantined */
    CHIRR_STAKE_RESULTS, /* how tasks ended that the asker submitted */
    CHIRR_STAKE_TASKS,   /* statements on tasks that have not ended, or trust */
};
enum chirr_stake chirr_records_stake(const struct chirr_record_store *store, chirr_agent_id author,
                                     chirr_agent_id asker);

/* Forgets of an author what does not live but its card. */
void chirr_records_trim(struct chirr_record_store *store, chirr_agent_id author);
/* Forgets an author, as told above. CHIRR_ERR_NOTFOUND; CHIRR_ERR_STATE: tasks are at stake. */
CHIRR_NODISCARD enum chirr_err chirr_records_evict(struct chirr_record_store *store,
                                                   chirr_agent_id author);

/* As `_print` (of one author, and without its mark), the `newest` of a span, and `_since`, but of
 * live statements only: on tasks that have not ended, claims on those that are open, trust. */
uint64_t chirr_records_live_print(const struct chirr_record_store *store, chirr_agent_id author);
struct chirr_stamp chirr_records_live_newest(const struct chirr_record_store *store,
                                             chirr_agent_id author);
uint32_t chirr_records_live_since(const struct chirr_record_store *store, chirr_agent_id author,
                                  struct chirr_stamp after, struct chirr_record *records,
                                  uint32_t capacity);

struct chirr_records_counters {
    uint64_t joined, known, dominated;
    uint64_t refused;       /* all but equivocations */
    uint64_t equivocations; /* another content under a stamp that is held */
    uint64_t forgotten;     /* tasks that had ended */
    uint64_t evicted;       /* authors */
};
const struct chirr_records_counters *chirr_records_count(const struct chirr_record_store *store);

/* Digest of every record: equal on two agents exactly when their states are. Signatures and marks
 * are not part of it. */
uint64_t chirr_records_state_hash(const struct chirr_record_store *store);

#endif
