/* The agents that the overlay has heard of, and which of them are live.
 *
 * With a full view of the swarm these are all of it; with a local one those that messages named
 * lately, and one in no view makes room for another. No card is kept here: a thousand simulated
 * agents that know a thousand each would hold a million of them.
 * Internal to the overlay. Not thread-safe. */
#ifndef CHIRR_SWARM_PEERS_H
#define CHIRR_SWARM_PEERS_H

#include "base/arena.h"
#include "base/time.h"
#include "proto/message.h"

struct chirr_peer {
    chirr_agent_id agent;
    chirr_time_us again_us; /* not to be asked to be a neighbour before */
    enum chirr_member_status status;
    bool removed; /* its key was: only another card brings it back */
};

struct chirr_peers {
    uint32_t capacity;
    uint32_t count;
    uint32_t live_count;      /* without self */
    struct chirr_peer *slots; /* [capacity], ascending by agent */
};

size_t chirr_peers_bytes(uint32_t capacity);
CHIRR_NODISCARD enum chirr_err chirr_peers_init(struct chirr_peers *peers,
                                                struct chirr_arena *arena, uint32_t capacity);

/* Borrowed until the next add or drop; NULL when unknown. */
struct chirr_peer *chirr_peers_find(const struct chirr_peers *peers, chirr_agent_id agent);
bool chirr_peer_is_live(const struct chirr_peer *peer);
/* Unknown so far; alive. NULL: full. */
struct chirr_peer *chirr_peers_add(struct chirr_peers *peers, chirr_agent_id agent);
void chirr_peers_drop(struct chirr_peers *peers, chirr_agent_id agent);
/* The one place that changes these two. */
void chirr_peers_set(struct chirr_peers *peers, struct chirr_peer *peer,
                     enum chirr_member_status status, bool removed);
/* Somebody who left, or was removed; 0: nobody. */
chirr_agent_id chirr_peers_gone(const struct chirr_peers *peers);

/* The live one with the next greater id than `agent`, round the circle of ids; likewise the next
 * smaller one. 0: nobody is live but `agent`, if that. */
chirr_agent_id chirr_peers_after(const struct chirr_peers *peers, chirr_agent_id agent);
chirr_agent_id chirr_peers_before(const struct chirr_peers *peers, chirr_agent_id agent);

#endif
