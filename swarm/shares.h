/* A byte budget that several ask of: who asks without end takes from itself alone.
 *
 *   burst +-------------+
 *         |   common    |  to whoever comes first
 *         +-------------+
 *         |  held back  |  to each no more than its share: an eighth of this at once, and an eighth
 *       0 +-------------+  of the rate from then on
 *
 * While there is much nobody is counted, so that a lone asker has all of the rate. Once what is
 * common is spent, whoever has not had its share yet is let through at once all the same, as long
 * as no more than eight spend theirs: eight shares are what is held back, and what is earned.
 * (Sizes are known only afterwards, so each can take one message more than that.) Self is one of
 * the askers, but the others cannot keep it from its share, however many they are.
 *
 * Bounded: so many askers are remembered; the next one takes the place of who asked longest ago.
 *
 * Plain arithmetic on the caller's memory; not thread-safe. Internal to dissemination. */
#ifndef CHIRR_SWARM_SHARES_H
#define CHIRR_SWARM_SHARES_H

#include "proto/message.h"
#include "swarm/budget.h"

#define CHIRR_SHARES 8
#define CHIRR_ASKERS_MAX 64

struct chirr_shares_config { /* each at least 1; both parts together fit into 32 bits */
    uint32_t bytes_per_s;
    uint32_t common_bytes;
    uint32_t held_back_bytes;
};

struct chirr_asker {
    chirr_agent_id agent;
    struct chirr_budget share; /* as of when it asked last */
};

struct chirr_shares {
    struct chirr_shares_config config;
    struct chirr_budget all;
    uint32_t asker_count;
    struct chirr_asker askers[CHIRR_ASKERS_MAX]; /* the first is self, for ever */
    uint64_t forgotten; /* askers who had not their whole share again: they get a new one */
};

/* Full at first. */
void chirr_shares_init(struct chirr_shares *shares, const struct chirr_shares_config *config,
                       chirr_agent_id self, chirr_time_us now);

/* As those of a budget: who is let through spends afterwards what its message took. */
bool chirr_shares_allow(struct chirr_shares *shares, chirr_agent_id asker, chirr_time_us now);
void chirr_shares_spend(struct chirr_shares *shares, chirr_agent_id asker, uint64_t bytes);
chirr_time_us chirr_shares_ready_at(const struct chirr_shares *shares, chirr_agent_id asker);

/* Why somebody was not let through: is nothing left at all, or had it its share? */
bool chirr_shares_are_spent(const struct chirr_shares *shares);

#endif
