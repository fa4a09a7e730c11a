/* What is done about the views as time passes. Quotations are from HyParView (DSN 2007). */
#include "swarm/overlay_state.h"

#define TRIES_MAX 3       /* of a request */
#define ASKS_MAX 8        /* NEIGHBOUR to a neighbour, unanswered; then it is given up */
#define SILENT_MS 10000   /* who did not answer is not asked again sooner */
#define SOON_MS 100       /* between two failures in a row, doubling */
#define IMMEDIATE_TRIES 4 /* before that */
#define MESH_OUTLASTS_US (30 * CHIRR_US_PER_S)
#define TRIM_MS 100        /* between two surplus neighbours that go */
#define ASKED_MAX 2        /* at once: all that start together ask each other as well */
#define CANDIDATE_TRIES 16 /* random picks for a passive view, of which some fail */

static chirr_time_us backed_off(struct chirr_overlay *o, uint32_t failures)
{
    uint32_t mean_ms = SOON_MS;
    while (failures > 0 && mean_ms < o->config.shuffle_interval_ms) {
        mean_ms *= 2;
        failures--;
    }
    return overlay_jittered(
        o, mean_ms < o->config.shuffle_interval_ms ? mean_ms : o->config.shuffle_interval_ms);
}

/* ---- Questions under way ------------------------------------------------------------------- */

/* The own card comes along, so that the receiver can answer. */
static void ask(struct chirr_overlay *o, const struct request *request, chirr_time_us now)
{
    const struct outgoing outgoing = {.to = request->agent,
                                      .origin = o->config.self,
                                      .verb = request->verb,
                                      .urgent = request->urgent,
                                      .count = request->verb != CHIRR_VIEW_DISCONNECT,
                                      .cards = {o->config.self}};
    overlay_send(o, &outgoing, now);
}

static void give_up(struct chirr_overlay *o, struct request *request, chirr_time_us now)
{
    chirr_view_remove(&o->passive, request->agent);
    overlay_hold_off(o, request->agent, SILENT_MS, now);
    overlay_drop_request(o, request);
    o->counters.unanswered++;
    o->fill_failures++;
}

/* "If the connection is not established, q is removed from the passive view and another is
 * selected" (section 4.3). */
static void tend_requests(struct chirr_overlay *o, chirr_time_us now)
{
    for (uint32_t i = o->request_count; i > 0; i--) {
        struct request *request = &o->requests[i - 1];
        if (request->due_us > now) {
            overlay_wake(o, request->due_us);
            continue;
        }
        if (request->tries == TRIES_MAX) {
            give_up(o, request, now);
            continue;
        }
        request->tries++;
        request->due_us = now + overlay_jittered(o, o->config.request_timeout_ms);
        overlay_wake(o, request->due_us);
        ask(o, request, now);
    }
}

/* Does each neighbour hold this agent as well? */
static void tend_neighbours(struct chirr_overlay *o, chirr_time_us now)
{
    for (uint32_t i = o->active.count; i > 0; i--) {
        chirr_agent_id agent = o->active.agents[i - 1];
        struct neighbour *neighbour = &o->neighbours[i - 1];
        if (neighbour->ask_us <= now && neighbour->unanswered == ASKS_MAX) {
            o->counters.unanswered++;
            overlay_part(o, agent, now);
            chirr_view_remove(&o->passive, agent);
            overlay_hold_off(o, agent, SILENT_MS, now);
            continue;
        }
        if (neighbour->ask_us <= now) {
            const struct outgoing outgoing = {.to = agent,
                                              .origin = o->config.self,
                                              .verb = CHIRR_VIEW_NEIGHBOUR,
                                              .count = neighbour->unanswered > 0,
                                              .cards = {o->config.self}};
            overlay_send(o, &outgoing, now);
            neighbour->unanswered++;
            neighbour->ask_us = now + overlay_jittered(o, o->config.request_timeout_ms);
        }
        overlay_wake(o, neighbour->ask_us);
    }
}

/* ---- A mesh -------------------------------------------------------------------------------- */

/* True: everybody is to be a neighbour, now that nobody came or went lately. Few too many for a
 * mesh end it only when they stay. */
static bool choose_mesh(struct chirr_overlay *o, chirr_time_us now)
{
    chirr_time_us end_us =
        o->large_us == CHIRR_TIME_NEVER ? CHIRR_TIME_NEVER : o->large_us + MESH_OUTLASTS_US;
    bool is_quiet = now >= o->quiet_us;
    o->may_be_mesh = o->peers.live_count + 1 < overlay_mesh_end(&o->config) && now < end_us;
    o->is_mesh = o->may_be_mesh && (o->is_mesh || (is_quiet && end_us == CHIRR_TIME_NEVER));
    if (o->may_be_mesh) {
        overlay_wake(o, is_quiet ? end_us : o->quiet_us);
    }
    return o->is_mesh && is_quiet;
}

static void tend_mesh(struct chirr_overlay *o, chirr_time_us now)
{
    for (uint32_t i = 0; i < o->peers.count; i++) {
        const struct chirr_peer *peer = &o->peers.slots[i];
        if (!chirr_peer_is_live(peer) || chirr_view_has(&o->active, peer->agent)) {
            continue;
        }
        if (peer->again_us > now) {
            overlay_wake(o, peer->again_us);
        } else {
            overlay_add_neighbour(o, peer->agent, now);
        }
    }
}

/* A number for each pair of agents, the same on both sides (the finaliser of splitmix64). */
static uint64_t pair_rank(chirr_agent_id a, chirr_agent_id b)
{
    uint64_t x = a ^ b;
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* After a mesh there are too many neighbours. Both sides agree on which are worst, and they go one
 * by one, so that few are left with too few. */
static void trim(struct chirr_overlay *o, chirr_time_us now)
{
    if (o->active.count <= overlay_active_limit(o)) {
        return;
    }
    if (o->trim_us > now) {
        overlay_wake(o, o->trim_us);
        return;
    }
    struct ring ring = overlay_ring(o, o->config.self, 0);
    chirr_agent_id worst = 0;
    for (uint32_t i = 0; i < o->active.count; i++) {
        chirr_agent_id agent = o->active.agents[i];
        if (agent != ring.before && agent != ring.after &&
            (worst == 0 || pair_rank(agent, o->config.self) > pair_rank(worst, o->config.self))) {
            worst = agent;
        }
    }
    CHIRR_ASSERT(worst != 0); /* active_max >= 2 */
    overlay_part(o, worst, now);
    o->trim_us = now + overlay_jittered(o, TRIM_MS);
    overlay_wake(o, o->trim_us);
}

/* ---- Views --------------------------------------------------------------------------------- */

/* Everybody known is a candidate. */
static void refill_passive(struct chirr_overlay *o)
{
    if (o->config.local || o->peers.count == 0) {
        return;
    }
    for (uint32_t i = 0; i < CANDIDATE_TRIES && o->passive.count < o->passive.capacity; i++) {
        uint64_t at = chirr_random_below(&o->random, o->peers.count);
        overlay_add_passive(o, o->peers.slots[at].agent);
    }
}

static bool may_be_asked(struct chirr_overlay *o, chirr_agent_id agent, chirr_time_us now)
{
    const struct chirr_peer *peer = chirr_peers_find(&o->peers, agent);
    return peer != NULL && chirr_peer_is_live(peer) && peer->again_us <= now &&
           !chirr_view_has(&o->active, agent) && overlay_find_request(o, agent) == NULL;
}

static void tend_ring_side(struct chirr_overlay *o, chirr_agent_id agent, chirr_time_us now)
{
    if (agent == 0 || chirr_view_has(&o->active, agent)) {
        return;
    }
    const struct chirr_peer *peer = chirr_peers_find(&o->peers, agent);
    if (may_be_asked(o, agent, now)) {
        overlay_request(o,
                        (struct request){.agent = agent,
                                         .verb = CHIRR_VIEW_NEIGHBOUR,
                                         .urgent = o->active.count == 0},
                        now);
    } else if (peer != NULL && peer->again_us > now) {
        overlay_wake(o, peer->again_us);
    }
}

/* While many come, whoever is next to oneself on the circle is soon next to somebody else: of a
 * hundred that start together each would have ten such neighbours in turn. The next one is asked,
 * and the one before only if it has not asked by itself: two that ask each other at once would open
 * a connection each. */
static void tend_ring(struct chirr_overlay *o, chirr_time_us now)
{
    if (o->ring_us > now) {
        overlay_wake(o, o->ring_us);
        return;
    }
    struct ring ring = overlay_ring(o, o->config.self, 0);
    tend_ring_side(o, ring.after, now);
    chirr_time_us before_us = o->ring_us + chirr_time_from_ms(o->config.request_timeout_ms);
    if (before_us > now) {
        overlay_wake(o, before_us);
    } else {
        tend_ring_side(o, ring.before, now);
    }
}

static chirr_agent_id pick_candidate(struct chirr_overlay *o, chirr_time_us now)
{
    chirr_agent_id candidates[64];
    uint32_t count = chirr_view_sample(&o->passive, &o->random, 0, candidates, 64);
    for (uint32_t i = 0; i < count; i++) {
        if (may_be_asked(o, candidates[i], now)) {
            return candidates[i];
        }
    }
    return 0;
}

static uint32_t count_asked(const struct chirr_overlay *o)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < o->request_count; i++) {
        count += o->requests[i].verb != CHIRR_VIEW_DISCONNECT;
    }
    return count;
}

/* While many come, others ask as well: who asked for all its neighbours itself would end with twice
 * as many. */
static uint32_t wanted_neighbours(struct chirr_overlay *o, chirr_time_us now)
{
    if (now >= o->ring_us) {
        return o->config.active_max;
    }
    overlay_wake(o, o->ring_us);
    return o->config.active_max / 2 + 1;
}

/* "if the node has no other nodes in its active view the priority is high" (section 4.3). */
static void fill(struct chirr_overlay *o, chirr_time_us now)
{
    uint32_t wanted = wanted_neighbours(o, now);
    while (o->active.count + count_asked(o) < wanted && count_asked(o) < ASKED_MAX) {
        if (o->fill_us > now) {
            overlay_wake(o, o->fill_us);
            return;
        }
        if (o->fill_failures > IMMEDIATE_TRIES) {
            o->fill_us = now + backed_off(o, o->fill_failures - IMMEDIATE_TRIES);
        }
        refill_passive(o);
        chirr_agent_id agent = pick_candidate(o, now);
        if (agent == 0) {
            o->fill_failures++;
            o->fill_us = now + backed_off(o, o->fill_failures);
            continue;
        }
        overlay_request(o,
                        (struct request){.agent = agent,
                                         .verb = CHIRR_VIEW_NEIGHBOUR,
                                         .urgent = o->active.count == 0},
                        now);
    }
}

/* Nobody is left: the contacts of old, in turn. */
static void tend_contacts(struct chirr_overlay *o, chirr_time_us now)
{
    if (o->active.count > 0 || o->contact_count == 0) {
        return;
    }
    if (o->contact_us > now) {
        overlay_wake(o, o->contact_us);
        return;
    }
    chirr_agent_id contact = o->contacts[o->contact_at++ % o->contact_count];
    overlay_request(o, (struct request){.agent = contact, .verb = CHIRR_VIEW_JOIN, .forced = true},
                    now);
    o->contact_us = now + chirr_time_from_ms((int64_t)TRIES_MAX * o->config.request_timeout_ms) +
                    backed_off(o, o->contact_failures++);
    overlay_wake(o, o->contact_us);
}

/* "the initiator includes ka nodes of its active view and kp of its passive view" (section 4.4).
 * Who knows everybody draws fresh ones from there instead. */
static void shuffle(struct chirr_overlay *o, chirr_time_us now)
{
    if (o->shuffle_us > now) {
        overlay_wake(o, o->shuffle_us);
        return;
    }
    o->shuffle_us = now + overlay_jittered(o, o->config.shuffle_interval_ms);
    overlay_wake(o, o->shuffle_us);
    if (!o->config.local) {
        chirr_view_remove(&o->passive, chirr_view_pick(&o->passive, &o->random, 0));
        refill_passive(o);
        return;
    }
    chirr_agent_id to = chirr_view_pick(&o->active, &o->random, 0);
    if (to == 0) {
        return;
    }
    struct outgoing outgoing = {.to = to,
                                .origin = o->config.self,
                                .verb = CHIRR_VIEW_SHUFFLE,
                                .hops = OVERLAY_WALK_HOPS,
                                .count = 1,
                                .cards = {o->config.self}};
    outgoing.count += chirr_view_sample(&o->active, &o->random, to, &outgoing.cards[outgoing.count],
                                        OVERLAY_SHUFFLE_ACTIVE);
    o->shuffled_count =
        chirr_view_sample(&o->passive, &o->random, to, o->shuffled, OVERLAY_SHUFFLE_PASSIVE);
    for (uint32_t i = 0; i < o->shuffled_count; i++) {
        outgoing.cards[outgoing.count++] = o->shuffled[i];
    }
    o->shuffle_answer_us = now + chirr_time_from_ms(o->config.shuffle_interval_ms);
    overlay_send(o, &outgoing, now);
}

static void close_idle_links(struct chirr_overlay *o, chirr_time_us now)
{
    chirr_time_us idle_us = chirr_time_from_ms(o->config.link_idle_ms);
    chirr_time_us used_us = chirr_links_expire(&o->links, now - idle_us + 1);
    if (used_us != CHIRR_TIME_NEVER) {
        overlay_wake(o, used_us + idle_us);
    }
}

void chirr_overlay_tick(struct chirr_overlay *o, chirr_time_us now)
{
    if (now < o->deadline) {
        return;
    }
    o->deadline = CHIRR_TIME_NEVER;
    if (o->leaving) {
        return;
    }
    tend_neighbours(o, now);
    if (choose_mesh(o, now)) {
        tend_mesh(o, now);
    } else {
        trim(o, now);
        tend_ring(o, now);
        fill(o, now);
    }
    tend_contacts(o, now);
    tend_requests(o, now);
    shuffle(o, now);
    close_idle_links(o, now);
}
