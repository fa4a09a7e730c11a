/* Whom this agent watches: its neighbours, probed in turn.
 *
 * Source: SWIM, section 4.3 (round-robin over a random order), applied to the overlay's active
 * view: each agent is watched by those that hold it as a neighbour. Deviation: the order is not
 * shuffled again after each round, since it changes with the view anyway; so nobody waits longer
 * than one round, and whoever stays is not starved by newcomers, who take random places.
 *
 * Plain data of its owner; internal to membership. */
#ifndef CHIRR_SWARM_WATCH_H
#define CHIRR_SWARM_WATCH_H

#include "base/random.h"
#include "swarm/membership.h"

struct chirr_watch {
    uint32_t count;
    chirr_agent_id agents[CHIRR_WATCHED_MAX]; /* [count], the next to probe first */
};

/* `agents` without duplicates; `count` <= CHIRR_WATCHED_MAX. */
void chirr_watch_replace(struct chirr_watch *watch, struct chirr_random *random,
                         const chirr_agent_id *agents, uint32_t count);
void chirr_watch_forget(struct chirr_watch *watch, chirr_agent_id agent);
/* 0: nobody. */
chirr_agent_id chirr_watch_next(struct chirr_watch *watch);

#endif
