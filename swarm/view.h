/* A bounded view: some of the agents there are, and random ones of them.
 *
 * Source: HyParView (DSN 2007), section 4.1: both views are sets of bounded size from which members
 * are drawn and evicted at random. Kept sorted, so that two runs of one seed draw alike.
 * Internal to the overlay. Not thread-safe. */
#ifndef CHIRR_SWARM_VIEW_H
#define CHIRR_SWARM_VIEW_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/random.h"
#include "proto/message.h"

struct chirr_view {
    uint32_t capacity;
    uint32_t count;
    chirr_agent_id *agents; /* [capacity], ascending */
};

size_t chirr_view_bytes(uint32_t capacity);
CHIRR_NODISCARD enum chirr_err chirr_view_init(struct chirr_view *view, struct chirr_arena *arena,
                                               uint32_t capacity);

/* Where `agent` stands among `agents` (ascending), or would stand: 0…count. */
uint32_t chirr_view_rank(const struct chirr_view *view, chirr_agent_id agent);
bool chirr_view_has(const struct chirr_view *view, chirr_agent_id agent);
/* False: it was there already. The view must not be full. */
bool chirr_view_add(struct chirr_view *view, chirr_agent_id agent);
/* False: it was not there. */
bool chirr_view_remove(struct chirr_view *view, chirr_agent_id agent);

/* Any member but `except` (0: any at all); 0 when there is none. */
chirr_agent_id chirr_view_pick(const struct chirr_view *view, struct chirr_random *random,
                               chirr_agent_id except);
/* Up to `count` different members but `except`, in random order; returns how many. */
uint32_t chirr_view_sample(const struct chirr_view *view, struct chirr_random *random,
                           chirr_agent_id except, chirr_agent_id *agents, uint32_t count);

#endif
