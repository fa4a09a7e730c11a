/* A byte budget: so many bytes a second, with a burst (a token bucket).
 *
 * Each kind of traffic has one of its own, so that none starves another. Plain arithmetic on the
 * caller's memory; not thread-safe. */
#ifndef CHIRR_SWARM_BUDGET_H
#define CHIRR_SWARM_BUDGET_H

#include <stdbool.h>

#include "base/time.h"

struct chirr_budget {
    uint32_t bytes_per_s;
    uint32_t burst_bytes;
    int64_t level;        /* bytes; below 0 after one message larger than what was left */
    chirr_time_us at;     /* of `level` */
    int64_t remainder_us; /* earned, but less than a byte: bytes_per_s times microseconds */
};

/* Full at first. Both at least 1. */
void chirr_budget_init(struct chirr_budget *budget, uint32_t bytes_per_s, uint32_t burst_bytes,
                       chirr_time_us now);

/* True while there is anything left. Whoever was let through spends what the message then takes:
 * its size is known only once it is made, and the debt is paid before the next. */
bool chirr_budget_allows(struct chirr_budget *budget, chirr_time_us now);
void chirr_budget_spend(struct chirr_budget *budget, uint64_t bytes);
/* When `allows` will be true; `now` or earlier when it is. */
chirr_time_us chirr_budget_ready_at(const struct chirr_budget *budget);

/* The same of what there is beyond `kept_bytes`, which are not to be touched; less than a burst. */
bool chirr_budget_allows_above(struct chirr_budget *budget, uint32_t kept_bytes, chirr_time_us now);
chirr_time_us chirr_budget_ready_above_at(const struct chirr_budget *budget, uint32_t kept_bytes);
bool chirr_budget_is_full(struct chirr_budget *budget, chirr_time_us now);

#endif
