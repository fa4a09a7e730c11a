/* Views, compared with what the observer sees. */
#include "sim/views.h"

#include <stdio.h>
#include <string.h>

static bool is_awake(const struct chirr_sim_peer *peer)
{
    return peer->up && peer->paused_until == 0;
}

static bool is_reachable(const struct chirr_sim_world *world, const struct chirr_sim_peer *peer,
                         const struct chirr_sim_peer *other)
{
    return other->up && !chirr_sim_network_is_cut(world->network, peer->index, other->index,
                                                  chirr_sim_world_now(world));
}

static bool all_see_rightly(const struct chirr_sim_world *world, char *words, size_t bytes)
{
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct chirr_sim_peer *peer = &world->peers[i];
        for (uint32_t j = 0; is_awake(peer) && j < world->peer_count; j++) {
            const struct chirr_sim_peer *other = &world->peers[j];
            if (i == j || other->paused_until != 0) {
                continue;
            }
            bool seen = chirr_membership_is_live(chirr_node_membership(peer->node), other->id);
            if (seen != is_reachable(world, peer, other)) {
                snprintf(words, bytes,
                         "agent %u still takes agent %u, which is %s, for the opposite",
                         (unsigned)i, (unsigned)j, other->up ? "up" : "down");
                return false;
            }
        }
    }
    return true;
}

static bool has_only_live_neighbours(const struct chirr_sim_world *world,
                                     const struct chirr_sim_peer *peer, char *words, size_t bytes)
{
    const struct chirr_neighbours neighbours =
        chirr_overlay_neighbours(chirr_node_overlay(peer->node));
    for (uint32_t i = 0; i < neighbours.count; i++) {
        uint32_t index = chirr_sim_world_find(world, neighbours.agents[i]);
        const struct chirr_sim_peer *other = &world->peers[index];
        if (other->paused_until == 0 && !is_reachable(world, peer, other)) {
            snprintf(words, bytes, "agent %u still holds agent %u, which is %s, for a neighbour",
                     (unsigned)peer->index, (unsigned)index, other->up ? "cut off" : "down");
            return false;
        }
    }
    return true;
}

static bool all_neighbours_live(const struct chirr_sim_world *world, char *words, size_t bytes)
{
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct chirr_sim_peer *peer = &world->peers[i];
        if (is_awake(peer) && !has_only_live_neighbours(world, peer, words, bytes)) {
            return false;
        }
    }
    return true;
}

/* Whom `first` reaches from neighbour to neighbour, itself included. */
static void walk_from(const struct chirr_sim_world *world, uint32_t first,
                      bool reached[CHIRR_SIM_AGENTS_MAX])
{
    uint32_t queue[CHIRR_SIM_AGENTS_MAX];
    uint32_t count = 0;
    queue[count++] = first;
    reached[first] = true;
    for (uint32_t at = 0; at < count; at++) {
        const struct chirr_sim_peer *peer = &world->peers[queue[at]];
        const struct chirr_neighbours neighbours =
            chirr_overlay_neighbours(chirr_node_overlay(peer->node));
        for (uint32_t i = 0; i < neighbours.count; i++) {
            uint32_t next = chirr_sim_world_find(world, neighbours.agents[i]);
            if (is_awake(&world->peers[next]) && !reached[next]) {
                reached[next] = true;
                queue[count++] = next;
            }
        }
    }
}

static bool all_hang_together(const struct chirr_sim_world *world, char *words, size_t bytes)
{
    bool reached[CHIRR_SIM_AGENTS_MAX] = {false};
    uint32_t first = 0;
    while (first < world->peer_count && !is_awake(&world->peers[first])) {
        first++;
    }
    if (first == world->peer_count) {
        return true;
    }
    walk_from(world, first, reached);
    for (uint32_t i = 0; i < world->peer_count; i++) {
        if (is_awake(&world->peers[i]) && !reached[i]) {
            snprintf(words, bytes, "no chain of neighbours leads from agent %u to agent %u",
                     (unsigned)first, (unsigned)i);
            return false;
        }
    }
    return true;
}

bool chirr_sim_views_are_right(const struct chirr_sim_world *world, char *words, size_t bytes)
{
    if (!world->scenario->node.local_view) {
        return all_see_rightly(world, words, bytes);
    }
    return all_neighbours_live(world, words, bytes) &&
           (!chirr_sim_network_is_whole(world->network, chirr_sim_world_now(world)) ||
            all_hang_together(world, words, bytes));
}
