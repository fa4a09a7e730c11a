/* A sorted array that one draws from. */
#include "swarm/view.h"

#include <string.h>

size_t chirr_view_bytes(uint32_t capacity)
{
    return chirr_arena_round(capacity * sizeof(chirr_agent_id));
}

enum chirr_err chirr_view_init(struct chirr_view *view, struct chirr_arena *arena,
                               uint32_t capacity)
{
    *view = (struct chirr_view){.capacity = capacity};
    view->agents = chirr_arena_take(arena, capacity, sizeof *view->agents);
    return view->agents == NULL ? CHIRR_ERR_NOMEM : CHIRR_OK;
}

uint32_t chirr_view_rank(const struct chirr_view *view, chirr_agent_id agent)
{
    uint32_t rank = 0;
    while (rank < view->count && view->agents[rank] < agent) {
        rank++;
    }
    return rank;
}

bool chirr_view_has(const struct chirr_view *view, chirr_agent_id agent)
{
    uint32_t rank = chirr_view_rank(view, agent);
    return rank < view->count && view->agents[rank] == agent;
}

bool chirr_view_add(struct chirr_view *view, chirr_agent_id agent)
{
    uint32_t rank = chirr_view_rank(view, agent);
    if (rank < view->count && view->agents[rank] == agent) {
        return false;
    }
    CHIRR_ASSERT(view->count < view->capacity);
    memmove(&view->agents[rank + 1], &view->agents[rank],
            (view->count - rank) * sizeof *view->agents);
    view->agents[rank] = agent;
    view->count++;
    return true;
}

bool chirr_view_remove(struct chirr_view *view, chirr_agent_id agent)
{
    uint32_t rank = chirr_view_rank(view, agent);
    if (rank == view->count || view->agents[rank] != agent) {
        return false;
    }
    view->count--;
    memmove(&view->agents[rank], &view->agents[rank + 1],
            (view->count - rank) * sizeof *view->agents);
    return true;
}

chirr_agent_id chirr_view_pick(const struct chirr_view *view, struct chirr_random *random,
                               chirr_agent_id except)
{
    uint32_t passed_over = chirr_view_has(view, except);
    if (view->count == passed_over) {
        return 0;
    }
    uint32_t at = (uint32_t)chirr_random_below(random, view->count - passed_over);
    at += passed_over != 0 && at >= chirr_view_rank(view, except);
    return view->agents[at];
}

/* Selection sampling (Knuth, volume 2, section 3.4.2, algorithm S) would keep the order of ids;
 * a reservoir with random places does not. */
uint32_t chirr_view_sample(const struct chirr_view *view, struct chirr_random *random,
                           chirr_agent_id except, chirr_agent_id *agents, uint32_t count)
{
    uint32_t taken = 0;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        if (view->agents[i] == except) {
            continue;
        }
        seen++;
        uint32_t at = (uint32_t)chirr_random_below(random, seen);
        if (taken < count) {
            agents[taken++] = agents[at];
            agents[at] = view->agents[i];
        } else if (at < count) {
            agents[at] = view->agents[i];
        }
    }
    return taken;
}
