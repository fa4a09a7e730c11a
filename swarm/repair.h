/* One answer of scuttlebutt: what a store holds that the sender of a digest misses.
 *
 * With a local view (`live`) it is about live statements alone: cards do not travel this way, what
 * ended concerns nobody but who still takes it for open, and authors of whom nothing lives may have
 * been forgotten by one and not by the other. So stores that agree on what lives have nothing to
 * tell each other. No marks are kept; an entry tells the newest live statement of its author, and
 * where that hides a difference, everything live of that author is offered now and then.
 *
 * Internal to dissemination. The arrays are the caller's. Not thread-safe. */
#ifndef CHIRR_SWARM_REPAIR_H
#define CHIRR_SWARM_REPAIR_H

#include "base/random.h"
#include "swarm/records.h"

struct chirr_repair_answer {
    struct chirr_record *records; /* [capacity] */
    uint32_t capacity;
    uint32_t count;
    struct chirr_digest_entry *covered; /* [CHIRR_DIGEST_ENTRIES_MAX], ascending by author */
    uint32_t covered_count;
};

/* Fills `answer` for `from`, as far as it has room. False: there is nothing to tell. */
bool chirr_repair_answer(struct chirr_repair_answer *answer, const struct chirr_record_store *store,
                         struct chirr_random *random, chirr_agent_id from,
                         const struct chirr_digest_message *digest);
bool chirr_repair_answer_live(struct chirr_repair_answer *answer,
                              const struct chirr_record_store *store, struct chirr_random *random,
                              chirr_agent_id from, const struct chirr_digest_message *digest);

/* Fills the summary of `digest`, whose salt is given. */
void chirr_repair_summarise(const struct chirr_record_store *store, bool live,
                            struct chirr_digest_message *digest);
/* The buckets in which the store differs from a summary; bit by bit. */
uint64_t chirr_repair_compare(const struct chirr_record_store *store, bool live,
                              const struct chirr_digest_message *summary);
/* The marks of all authors in `buckets`, each followed by what is held beyond it, as far as there is
 * room, and `self` instead of the own one, whatever its bucket; into `entries`
 * [CHIRR_DIGEST_ENTRIES_MAX], ascending. Returns how many. */
uint32_t chirr_repair_list(const struct chirr_record_store *store, uint64_t buckets,
                           const struct chirr_digest_entry *self,
                           struct chirr_digest_entry *entries);
uint32_t chirr_repair_list_live(const struct chirr_record_store *store, uint64_t buckets,
                                const struct chirr_digest_entry *self,
                                struct chirr_digest_entry *entries);

/* The first of `author`, its mark; NULL when there is none. `entries` are ascending. */
const struct chirr_digest_entry *chirr_repair_find(const struct chirr_digest_entry *entries,
                                                   uint32_t count, chirr_agent_id author);

#endif
