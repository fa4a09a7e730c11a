/* One answer of scuttlebutt: what a store holds that the sender of a digest misses.
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

/* NULL when there is none of `author`; `entries` are ascending. */
const struct chirr_digest_entry *chirr_repair_find(const struct chirr_digest_entry *entries,
                                                   uint32_t count, chirr_agent_id author);

#endif
