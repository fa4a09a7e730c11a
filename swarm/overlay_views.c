/* The verbs by which the views change: neighbours, the ring, the passive view, requests.
 * Quotations are from HyParView (DSN 2007). */
#include "swarm/overlay_state.h"

#include <string.h>

#define FIRST_ASK_MS 1000 /* a new neighbour is asked soon whether both sides took it so */
#define QUIET_US (CHIRR_US_PER_S / 2)
#define RESTLESS_US (2 * CHIRR_US_PER_S) /* quiet or not, the ring is closed then */
#define TOGETHER_US                                                                                \
    (10 * CHIRR_US_PER_MS) /* a thousand cards in a second are not a thousand causes */

/* ---- Small verbs --------------------------------------------------------------------------- */

bool overlay_take_token(struct bucket *bucket, chirr_time_us now)
{
    chirr_time_us full_us = (chirr_time_us)bucket->burst * CHIRR_US_PER_S / bucket->per_second;
    chirr_time_us passed_us = chirr_time_min(now - bucket->filled_us, full_us);
    uint32_t gained_milli = (uint32_t)(passed_us * bucket->per_second / CHIRR_US_PER_MS);
    if (gained_milli > 0) {
        uint32_t tokens_milli = bucket->tokens_milli + gained_milli;
        bucket->tokens_milli =
            tokens_milli < bucket->burst * 1000 ? tokens_milli : bucket->burst * 1000;
        bucket->filled_us = now;
    }
    if (bucket->tokens_milli < 1000) {
        return false;
    }
    bucket->tokens_milli -= 1000;
    return true;
}

chirr_time_us overlay_jittered(struct chirr_overlay *o, uint32_t mean_ms)
{
    chirr_time_us mean = chirr_time_from_ms(mean_ms);
    return mean - mean / 4 +
           (chirr_time_us)chirr_random_below(&o->random, (uint64_t)(mean / 2) + 1);
}

void overlay_wake(struct chirr_overlay *o, chirr_time_us at_us)
{
    o->deadline = chirr_time_min(o->deadline, at_us);
}

void overlay_peers_changed(struct chirr_overlay *o, chirr_time_us now)
{
    uint32_t live_count = o->peers.live_count + 1;
    bool is_large = live_count >= o->config.mesh_below;
    o->large_us = is_large ? chirr_time_min(o->large_us, now) : CHIRR_TIME_NEVER;
    o->restless_us = now >= o->quiet_us ? now : o->restless_us;
    o->quiet_us = now + QUIET_US;
    o->ring_us = chirr_time_min(o->quiet_us, o->restless_us + RESTLESS_US);
    if (o->active.count < o->config.active_max / 2 + 1) {
        o->fill_us = now;
        o->fill_failures = 0;
    }
    overlay_wake(o, now + TOGETHER_US);
}

uint32_t overlay_active_limit(const struct chirr_overlay *o)
{
    return o->may_be_mesh ? o->active.capacity : chirr_overlay_active_most(&o->config);
}

/* Distances round the circle are unsigned differences. */
static void consider_for_ring(struct ring *ring, chirr_agent_id centre, chirr_agent_id agent)
{
    if (agent == 0 || agent == centre) {
        return;
    }
    if (ring->after == 0 || agent - centre < ring->after - centre) {
        ring->after = agent;
    }
    if (ring->before == 0 || centre - agent < centre - ring->before) {
        ring->before = agent;
    }
}

struct ring overlay_ring(const struct chirr_overlay *o, chirr_agent_id centre, chirr_agent_id extra)
{
    struct ring ring = {0, 0};
    if (!o->config.local) {
        ring.before = chirr_peers_before(&o->peers, centre);
        ring.after = chirr_peers_after(&o->peers, centre);
        return ring;
    }
    consider_for_ring(&ring, centre, extra);
    for (uint32_t i = 0; i < o->active.count; i++) {
        consider_for_ring(&ring, centre, o->active.agents[i]);
    }
    for (uint32_t i = 0; i < o->passive.count; i++) {
        consider_for_ring(&ring, centre, o->passive.agents[i]);
    }
    return ring;
}

/* ---- Neighbours ---------------------------------------------------------------------------- */

struct neighbour *overlay_neighbour(const struct chirr_overlay *o, chirr_agent_id agent)
{
    uint32_t rank = chirr_view_rank(&o->active, agent);
    bool found = rank < o->active.count && o->active.agents[rank] == agent;
    return found ? &o->neighbours[rank] : NULL;
}

bool overlay_add_neighbour(struct chirr_overlay *o, chirr_agent_id agent, chirr_time_us now)
{
    CHIRR_ASSERT(o->active.count < o->active.capacity);
    CHIRR_ASSERT(!chirr_view_has(&o->active, agent));
    if (!overlay_want_link(o, agent, CHIRR_LINK_NEIGHBOUR, now)) {
        return false;
    }
    uint32_t rank = chirr_view_rank(&o->active, agent);
    memmove(&o->neighbours[rank + 1], &o->neighbours[rank],
            (o->active.count - rank) * sizeof *o->neighbours);
    o->neighbours[rank] = (struct neighbour){.ask_us = now + overlay_jittered(o, FIRST_ASK_MS),
                                             .pause_ms = FIRST_ASK_MS};
    chirr_view_add(&o->active, agent);
    chirr_view_remove(&o->passive, agent);
    struct request *request = overlay_find_request(o, agent);
    if (request != NULL) {
        overlay_drop_request(o, request);
    }
    o->change++;
    overlay_wake(o, o->neighbours[rank].ask_us);
    return true;
}

void overlay_remove_neighbour(struct chirr_overlay *o, chirr_agent_id agent, chirr_time_us now)
{
    uint32_t rank = chirr_view_rank(&o->active, agent);
    if (!chirr_view_remove(&o->active, agent)) {
        return;
    }
    memmove(&o->neighbours[rank], &o->neighbours[rank + 1],
            (o->active.count - rank) * sizeof *o->neighbours);
    chirr_links_demote(&o->links, agent, now);
    o->change++;
    o->fill_us = chirr_time_min(o->fill_us, now);
    overlay_wake(o, now);
}

void overlay_part(struct chirr_overlay *o, chirr_agent_id agent, chirr_time_us now)
{
    overlay_remove_neighbour(o, agent, now);
    overlay_add_passive(o, agent);
    overlay_request(o, (struct request){.agent = agent, .verb = CHIRR_VIEW_DISCONNECT}, now);
    overlay_wake(o, now);
}

/* Any of `view` that is not next to this agent on the circle of ids; 0: none. */
static chirr_agent_id pick_outside(struct chirr_overlay *o, const struct chirr_view *view,
                                   struct ring ring)
{
    chirr_agent_id picked = 0;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        chirr_agent_id agent = view->agents[i];
        if (agent != ring.before && agent != ring.after &&
            chirr_random_below(&o->random, ++seen) == 0) {
            picked = agent;
        }
    }
    return picked;
}

/* "drops a random element of its active view" and tells it (section 4.2), but none of the ring;
 * false: there is no other. */
static bool evict_for(struct chirr_overlay *o, chirr_agent_id newcomer, chirr_time_us now)
{
    chirr_agent_id victim = pick_outside(o, &o->active, overlay_ring(o, o->config.self, newcomer));
    if (victim == 0) {
        return false;
    }
    overlay_part(o, victim, now);
    o->counters.evictions++;
    return true;
}

bool overlay_take_in(struct chirr_overlay *o, chirr_agent_id agent, bool forced, chirr_time_us now)
{
    if (o->active.count >= overlay_active_limit(o)) {
        struct ring ring = overlay_ring(o, o->config.self, agent);
        bool is_next = agent == ring.before || agent == ring.after;
        if (!is_next && !forced) {
            return false;
        }
        if (!is_next && !overlay_take_token(&o->force, now)) {
            o->counters.held_off++;
            return false;
        }
        if (!evict_for(o, agent, now)) {
            return false;
        }
    }
    return overlay_add_neighbour(o, agent, now);
}

/* ---- The passive view ---------------------------------------------------------------------- */

static void make_passive_room(struct chirr_overlay *o, struct ring ring)
{
    while (o->shuffled_count > 0) {
        chirr_agent_id sent = o->shuffled[--o->shuffled_count];
        if (sent != ring.before && sent != ring.after && chirr_view_remove(&o->passive, sent)) {
            return;
        }
    }
    chirr_agent_id victim = pick_outside(o, &o->passive, ring);
    chirr_view_remove(&o->passive, victim != 0 ? victim : o->passive.agents[0]);
}

void overlay_add_passive(struct chirr_overlay *o, chirr_agent_id agent)
{
    const struct chirr_peer *peer = chirr_peers_find(&o->peers, agent);
    if (peer == NULL || !chirr_peer_is_live(peer) || chirr_view_has(&o->active, agent) ||
        chirr_view_has(&o->passive, agent)) {
        return;
    }
    if (o->passive.count == o->passive.capacity) {
        make_passive_room(o, overlay_ring(o, o->config.self, agent));
    }
    chirr_view_add(&o->passive, agent);
}

/* ---- Requests ------------------------------------------------------------------------------ */

struct request *overlay_find_request(struct chirr_overlay *o, chirr_agent_id agent)
{
    for (uint32_t i = 0; i < o->request_count; i++) {
        if (o->requests[i].agent == agent) {
            return &o->requests[i];
        }
    }
    return NULL;
}

void overlay_request(struct chirr_overlay *o, struct request request, chirr_time_us now)
{
    if (overlay_find_request(o, request.agent) != NULL ||
        chirr_view_has(&o->active, request.agent)) {
        return;
    }
    if (o->request_count == OVERLAY_REQUESTS_MAX) {
        o->counters.dropped++;
        return;
    }
    request.tries = 0;
    request.due_us = now;
    o->requests[o->request_count++] = request;
}

void overlay_drop_request(struct chirr_overlay *o, struct request *request)
{
    *request = o->requests[--o->request_count];
}

void overlay_hold_off(struct chirr_overlay *o, chirr_agent_id agent, uint32_t mean_ms,
                      chirr_time_us now)
{
    struct chirr_peer *peer = chirr_peers_find(&o->peers, agent);
    if (peer != NULL) {
        peer->again_us = now + overlay_jittered(o, mean_ms);
    }
}
