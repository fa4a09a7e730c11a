/* The overlay's inputs: creation, who there is, coming and going. */
#include "swarm/overlay_state.h"

#include <string.h>

#define STREAM UINT64_C(0x6f766572) /* the machine's own, should seeds be shared */
#define ACTIVE_MAX 16
#define PASSIVE_MAX 64
#define MESH_BELOW_MAX 64

struct chirr_overlay_config chirr_overlay_config_default(void)
{
    return (struct chirr_overlay_config){
        .agents_max = 256,
        .active_max = 5,
        .passive_max = 30,
        .mesh_below = 16,
        .links_max = 32,      /* with 8, test_node_local's swarm starts or ends tasks twice */
        .link_idle_ms = 2000, /* time for a slow handshake; sweeps go to another each time */
        .shuffle_interval_ms = 10000,
        .request_timeout_ms = 1000,
    };
}

enum chirr_err chirr_overlay_config_validate(const struct chirr_overlay_config *config,
                                             struct chirr_error *error)
{
    if (config->agents_max == 0 || config->agents_max > CHIRR_DIGEST_ENTRIES_MAX) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "agents_max is %u, must be 1…%d",
                               config->agents_max, CHIRR_DIGEST_ENTRIES_MAX);
    }
    if (config->active_max < 2 || config->active_max > ACTIVE_MAX) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "active_max is %u, must be 2…%d",
                               config->active_max, ACTIVE_MAX);
    }
    if (config->passive_max == 0 || config->passive_max > PASSIVE_MAX) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "passive_max is %u, must be 1…%d",
                               config->passive_max, PASSIVE_MAX);
    }
    if (config->mesh_below > MESH_BELOW_MAX) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "mesh_below is %u, must be 0…%d",
                               config->mesh_below, MESH_BELOW_MAX);
    }
    if (config->local && config->agents_max < 2 * (config->active_max + config->passive_max)) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "agents_max is %u, must be at least %u with a local view",
                               config->agents_max, 2 * (config->active_max + config->passive_max));
    }
    if (config->links_max == 0 || config->link_idle_ms == 0 || config->shuffle_interval_ms == 0 ||
        config->request_timeout_ms == 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "links_max, link_idle_ms, shuffle_interval_ms and "
                               "request_timeout_ms must be at least 1");
    }
    return CHIRR_OK;
}

/* ---- Creation ------------------------------------------------------------------------------ */

uint32_t overlay_mesh_end(const struct chirr_overlay_config *config)
{
    return config->local || config->mesh_below == 0
               ? 0
               : config->mesh_below + (config->mesh_below + 3) / 4;
}

uint32_t chirr_overlay_active_most(const struct chirr_overlay_config *config)
{
    return config->active_max + (config->active_max + 1) / 2;
}

static uint32_t neighbours_max(const struct chirr_overlay_config *config)
{
    uint32_t mesh_end = overlay_mesh_end(config);
    return mesh_end > chirr_overlay_active_most(config) ? mesh_end
                                                        : chirr_overlay_active_most(config);
}

static struct chirr_links_config links_config(const struct chirr_overlay_config *config)
{
    return (struct chirr_links_config){.neighbours_max = neighbours_max(config),
                                       .unicast_max = config->links_max};
}

size_t chirr_overlay_bytes(const struct chirr_overlay_config *config)
{
    const struct chirr_links_config links = links_config(config);
    return chirr_arena_round(sizeof(struct chirr_overlay)) + chirr_peers_bytes(config->agents_max) +
           chirr_view_bytes(neighbours_max(config)) +
           chirr_arena_round(neighbours_max(config) * sizeof(struct neighbour)) +
           chirr_view_bytes(config->passive_max) + chirr_links_bytes(&links);
}

struct chirr_overlay *chirr_overlay_create(struct chirr_arena *arena,
                                           const struct chirr_overlay_config *config,
                                           const struct chirr_record_store *records,
                                           chirr_time_us now)
{
    CHIRR_ASSERT(chirr_overlay_config_validate(config, NULL) == CHIRR_OK);
    CHIRR_ASSERT(config->self != 0);
    struct chirr_overlay *o = chirr_arena_take(arena, 1, sizeof *o);
    if (o == NULL) {
        return NULL;
    }
    const struct chirr_links_config links = links_config(config);
    o->config = *config;
    o->records = records;
    if (chirr_peers_init(&o->peers, arena, config->agents_max) != CHIRR_OK ||
        chirr_view_init(&o->active, arena, neighbours_max(config)) != CHIRR_OK ||
        chirr_view_init(&o->passive, arena, config->passive_max) != CHIRR_OK ||
        chirr_links_init(&o->links, arena, &links) != CHIRR_OK) {
        return NULL;
    }
    o->neighbours = chirr_arena_take(arena, o->active.capacity, sizeof *o->neighbours);
    if (o->neighbours == NULL) {
        return NULL;
    }
    o->may_be_mesh = overlay_mesh_end(config) > 0;
    o->large_us = CHIRR_TIME_NEVER;
    chirr_random_init(&o->random, config->seed, config->self ^ STREAM);
    o->force = (struct bucket){.burst = 8, .per_second = 4, .tokens_milli = 8000, .filled_us = now};
    o->revive =
        (struct bucket){.burst = 2, .per_second = 1, .tokens_milli = 2000, .filled_us = now};
    o->shuffle_us = now + overlay_jittered(o, config->shuffle_interval_ms);
    o->deadline = o->shuffle_us;
    return o;
}

/* ---- Who there is -------------------------------------------------------------------------- */

/* Neither in a view nor being asked. */
static bool is_stray(struct chirr_overlay *o, chirr_agent_id agent)
{
    return !chirr_view_has(&o->active, agent) && !chirr_view_has(&o->passive, agent) &&
           overlay_find_request(o, agent) == NULL;
}

/* Makes room among the known; 0: there is none to make. */
static bool make_peer_room(struct chirr_overlay *o)
{
    if (o->peers.count < o->peers.capacity) {
        return true;
    }
    chirr_agent_id gone = chirr_peers_gone(&o->peers);
    for (uint32_t i = 0; o->config.local && gone == 0 && i < o->peers.count; i++) {
        chirr_agent_id agent = o->peers.slots[i].agent;
        gone = is_stray(o, agent) ? agent : 0;
    }
    if (gone != 0) {
        chirr_peers_drop(&o->peers, gone);
    }
    return gone != 0;
}

struct chirr_peer *overlay_learn(struct chirr_overlay *o, chirr_agent_id agent)
{
    struct chirr_peer *peer = chirr_peers_find(&o->peers, agent);
    if (peer != NULL || !o->config.local || agent == o->config.self ||
        overlay_card_of(o, agent) == NULL || !make_peer_room(o)) {
        return peer;
    }
    return chirr_peers_add(&o->peers, agent);
}

/* A card that no record holds yet is kept here. */
static bool keep_seed(struct chirr_overlay *o, chirr_agent_id agent, const struct chirr_card *card)
{
    if (chirr_records_card(o->records, agent) != NULL) {
        return true;
    }
    struct seed *place = NULL;
    for (uint32_t i = 0; i < OVERLAY_SEEDS_MAX; i++) {
        struct seed *seed = &o->seeds[i];
        if (seed->agent == agent) {
            seed->card = *card;
            return true;
        }
        bool is_free = seed->agent == 0 || chirr_records_card(o->records, seed->agent) != NULL;
        place = place == NULL && is_free ? seed : place;
    }
    if (place != NULL) {
        *place = (struct seed){.agent = agent, .card = *card};
    }
    return place != NULL;
}

enum chirr_err chirr_overlay_card(struct chirr_overlay *o, chirr_agent_id agent,
                                  const struct chirr_card *card, chirr_time_us now)
{
    if (agent == o->config.self) {
        return CHIRR_OK;
    }
    struct chirr_peer *peer = chirr_peers_find(&o->peers, agent);
    if ((peer == NULL && !make_peer_room(o)) || !keep_seed(o, agent, card)) {
        o->counters.refused++;
        return CHIRR_ERR_FULL;
    }
    if (peer == NULL) {
        chirr_peers_add(&o->peers, agent);
        overlay_peers_changed(o, now);
    } else if (peer->removed) {
        chirr_peers_set(&o->peers, peer, CHIRR_MEMBER_ALIVE, false);
        overlay_peers_changed(o, now);
    }
    chirr_links_move(&o->links, agent, overlay_endpoints(card));
    if (o->passive.count < o->passive.capacity) {
        overlay_add_passive(o, agent);
    }
    return CHIRR_OK;
}

static void lose(struct chirr_overlay *o, chirr_agent_id agent, chirr_time_us now)
{
    overlay_remove_neighbour(o, agent, now);
    chirr_view_remove(&o->passive, agent);
    struct request *request = overlay_find_request(o, agent);
    if (request != NULL) {
        overlay_drop_request(o, request);
    }
}

/* Two halves of a swarm that found each other again are joined by more than the ring. */
static void revive(struct chirr_overlay *o, chirr_agent_id agent, chirr_time_us now)
{
    overlay_add_passive(o, agent);
    if (!o->is_mesh && overlay_take_token(&o->revive, now)) {
        overlay_request(
            o,
            (struct request){
                .agent = agent, .verb = CHIRR_VIEW_NEIGHBOUR, .urgent = true, .forced = true},
            now);
    }
}

void chirr_overlay_status(struct chirr_overlay *o, chirr_agent_id agent,
                          enum chirr_member_status status, chirr_time_us now)
{
    struct chirr_peer *peer = chirr_peers_find(&o->peers, agent);
    if (peer == NULL || peer->removed || o->leaving) {
        return;
    }
    bool was_dead = peer->status == CHIRR_MEMBER_DEAD;
    bool was_live = chirr_peer_is_live(peer);
    chirr_peers_set(&o->peers, peer, status, false);
    bool is_live = chirr_peer_is_live(peer);
    if (was_live != is_live) {
        overlay_peers_changed(o, now);
    }
    if (!is_live) {
        lose(o, agent, now);
    } else if (was_dead) {
        peer->again_us = now;
        revive(o, agent, now);
    }
    if (status == CHIRR_MEMBER_LEFT) {
        chirr_links_drop(&o->links, agent);
    }
}

void chirr_overlay_forget(struct chirr_overlay *o, chirr_agent_id agent, chirr_time_us now)
{
    for (uint32_t i = 0; i < o->contact_count; i++) {
        if (o->contacts[i] == agent) {
            o->contacts[i] = o->contacts[--o->contact_count];
        }
    }
    for (uint32_t i = 0; i < OVERLAY_SEEDS_MAX; i++) {
        if (o->seeds[i].agent == agent) {
            o->seeds[i].agent = 0;
        }
    }
    struct chirr_peer *peer = chirr_peers_find(&o->peers, agent);
    if (peer != NULL) {
        chirr_peers_set(&o->peers, peer, CHIRR_MEMBER_LEFT, true);
    }
    lose(o, agent, now);
    chirr_links_drop(&o->links, agent);
    overlay_peers_changed(o, now);
}

/* ---- Coming and going ---------------------------------------------------------------------- */

static void remember_contact(struct chirr_overlay *o, chirr_agent_id contact)
{
    for (uint32_t i = 0; i < o->contact_count; i++) {
        if (o->contacts[i] == contact) {
            return;
        }
    }
    if (o->contact_count == OVERLAY_CONTACTS_MAX) {
        o->contact_count--;
        memmove(&o->contacts[0], &o->contacts[1], o->contact_count * sizeof o->contacts[0]);
    }
    o->contacts[o->contact_count++] = contact;
}

void chirr_overlay_join(struct chirr_overlay *o, chirr_agent_id contact, chirr_time_us now)
{
    if (contact == o->config.self || overlay_card_of(o, contact) == NULL || o->leaving) {
        return;
    }
    remember_contact(o, contact);
    overlay_wake(o, now);
    if (o->active.count > 0 || o->contact_us > now) {
        return; /* one at a time: each would make room for the newcomer at others' expense */
    }
    o->contact_at = o->contact_count; /* the next one that is remembered */
    o->contact_us = now + overlay_jittered(o, o->config.request_timeout_ms);
    overlay_wake(o, o->contact_us);
    overlay_request(o, (struct request){.agent = contact, .verb = CHIRR_VIEW_JOIN, .forced = true},
                    now);
}

void chirr_overlay_leave(struct chirr_overlay *o, chirr_time_us now)
{
    for (uint32_t i = 0; i < o->active.count; i++) {
        overlay_say(o, o->active.agents[i], CHIRR_VIEW_DISCONNECT, now);
    }
    while (o->active.count > 0) {
        overlay_remove_neighbour(o, o->active.agents[o->active.count - 1], now);
    }
    o->request_count = 0;
    o->leaving = true;
}

enum chirr_err chirr_overlay_reach(struct chirr_overlay *o, chirr_agent_id to, chirr_time_us now)
{
    const struct chirr_peer *peer = chirr_peers_find(&o->peers, to);
    bool is_removed = peer != NULL && peer->removed;
    bool has_card = chirr_links_find(&o->links, to) != NULL || overlay_card_of(o, to) != NULL;
    if (to == o->config.self || is_removed || !has_card) {
        return CHIRR_ERR_NOTFOUND;
    }
    return overlay_want_link(o, to, CHIRR_LINK_UNICAST, now) ? CHIRR_OK : CHIRR_ERR_FULL;
}

/* ---- Questions ----------------------------------------------------------------------------- */

chirr_time_us chirr_overlay_deadline(const struct chirr_overlay *o)
{
    return o->deadline;
}

struct chirr_neighbours chirr_overlay_neighbours(const struct chirr_overlay *o)
{
    return (struct chirr_neighbours){
        .count = o->active.count, .agents = o->active.agents, .change = o->change};
}

bool chirr_overlay_is_neighbour(const struct chirr_overlay *o, chirr_agent_id agent)
{
    return chirr_view_has(&o->active, agent);
}

bool chirr_overlay_keeps(const struct chirr_overlay *o, chirr_agent_id agent)
{
    bool kept = chirr_view_has(&o->active, agent) || chirr_view_has(&o->passive, agent);
    for (uint32_t i = 0; i < o->request_count; i++) {
        kept = kept || o->requests[i].agent == agent;
    }
    for (uint32_t i = 0; i < o->contact_count; i++) {
        kept = kept || o->contacts[i] == agent;
    }
    return kept;
}

bool chirr_overlay_is_mesh(const struct chirr_overlay *o)
{
    return o->is_mesh && o->active.count == o->peers.live_count;
}

uint32_t chirr_overlay_passive_count(const struct chirr_overlay *o)
{
    return o->passive.count;
}

uint32_t chirr_overlay_link_count(const struct chirr_overlay *o)
{
    return o->links.unicast_count;
}

const struct chirr_overlay_counters *chirr_overlay_count_events(const struct chirr_overlay *o)
{
    return &o->counters;
}
