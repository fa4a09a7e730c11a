/* A sorted table of agents. */
#include "swarm/peers.h"

#include <string.h>

size_t chirr_peers_bytes(uint32_t capacity)
{
    return chirr_arena_round(capacity * sizeof(struct chirr_peer));
}

enum chirr_err chirr_peers_init(struct chirr_peers *peers, struct chirr_arena *arena,
                                uint32_t capacity)
{
    *peers = (struct chirr_peers){.capacity = capacity};
    peers->slots = chirr_arena_take(arena, capacity, sizeof *peers->slots);
    return peers->slots == NULL ? CHIRR_ERR_NOMEM : CHIRR_OK;
}

/* Where `agent` stands, or would stand. */
static uint32_t rank_of(const struct chirr_peers *peers, chirr_agent_id agent)
{
    uint32_t low = 0;
    uint32_t high = peers->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (peers->slots[middle].agent < agent) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct chirr_peer *chirr_peers_find(const struct chirr_peers *peers, chirr_agent_id agent)
{
    uint32_t rank = rank_of(peers, agent);
    bool found = rank < peers->count && peers->slots[rank].agent == agent;
    return found ? &peers->slots[rank] : NULL;
}

bool chirr_peer_is_live(const struct chirr_peer *peer)
{
    return !peer->removed &&
           (peer->status == CHIRR_MEMBER_ALIVE || peer->status == CHIRR_MEMBER_SUSPECT);
}

struct chirr_peer *chirr_peers_add(struct chirr_peers *peers, chirr_agent_id agent)
{
    if (peers->count == peers->capacity) {
        return NULL;
    }
    uint32_t rank = rank_of(peers, agent);
    struct chirr_peer *peer = &peers->slots[rank];
    memmove(peer + 1, peer, (peers->count - rank) * sizeof *peer);
    memset(peer, 0, sizeof *peer);
    peer->agent = agent;
    peer->status = CHIRR_MEMBER_ALIVE;
    peers->count++;
    peers->live_count++;
    return peer;
}

void chirr_peers_drop(struct chirr_peers *peers, chirr_agent_id agent)
{
    struct chirr_peer *peer = chirr_peers_find(peers, agent);
    if (peer == NULL) {
        return;
    }
    peers->live_count -= chirr_peer_is_live(peer);
    peers->count--;
    size_t rank = (size_t)(peer - peers->slots);
    memmove(peer, peer + 1, (peers->count - rank) * sizeof *peer);
}

void chirr_peers_set(struct chirr_peers *peers, struct chirr_peer *peer,
                     enum chirr_member_status status, bool removed)
{
    peers->live_count -= chirr_peer_is_live(peer);
    peer->status = status;
    peer->removed = removed;
    peers->live_count += chirr_peer_is_live(peer);
}

chirr_agent_id chirr_peers_gone(const struct chirr_peers *peers)
{
    for (uint32_t i = 0; i < peers->count; i++) {
        if (peers->slots[i].removed || peers->slots[i].status == CHIRR_MEMBER_LEFT) {
            return peers->slots[i].agent;
        }
    }
    return 0;
}

chirr_agent_id chirr_peers_after(const struct chirr_peers *peers, chirr_agent_id agent)
{
    uint32_t rank = rank_of(peers, agent);
    for (uint32_t i = 0; i < peers->count; i++) {
        const struct chirr_peer *peer = &peers->slots[(rank + i) % peers->count];
        if (peer->agent != agent && chirr_peer_is_live(peer)) {
            return peer->agent;
        }
    }
    return 0;
}

chirr_agent_id chirr_peers_before(const struct chirr_peers *peers, chirr_agent_id agent)
{
    uint32_t rank = rank_of(peers, agent);
    for (uint32_t i = 1; i <= peers->count; i++) {
        const struct chirr_peer *peer = &peers->slots[(rank + peers->count - i) % peers->count];
        if (peer->agent != agent && chirr_peer_is_live(peer)) {
            return peer->agent;
        }
    }
    return 0;
}
