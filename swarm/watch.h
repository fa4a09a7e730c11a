/* Whom this agent watches: its neighbours, probed in turn.
 *
 * Source: SWIM, section 4.3 (round-robin over a shuffled list), applied to the overlay's active
 * view: each agent is watched by those that hold it as a neighbour. Who stays in the list keeps its
 * turn when the list is replaced; newcomers take a random place in what is left of the round.
 *
 * Plain data of its owner; internal to membership. */
#ifndef CHIRR_SWARM_WATCH_H
#define CHIRR_SWARM_WATCH_H

#include "base/random.h"
#include "swarm/membership.h"

struct chirr_watch {
    uint32_t count;
    uint32_t at;                              /* already probed in this round */
    chirr_agent_id agents[CHIRR_WATCHED_MAX]; /* [count], in the order of probing */
};

/* `agents` without duplicates; `count` <= CHIRR_WATCHED_MAX. */
void chirr_watch_replace(struct chirr_watch *watch, struct chirr_random *random,
                         const chirr_agent_id *agents, uint32_t count);
void chirr_watch_forget(struct chirr_watch *watch, chirr_agent_id agent);
/* 0: nobody. */
chirr_agent_id chirr_watch_next(struct chirr_watch *watch, struct chirr_random *random);

#endif
