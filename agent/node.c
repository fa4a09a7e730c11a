/* The node: how the swarm's machines are put together.
 *
 * Every input goes to the one machine that handles it; then `settle` carries what it changed on to
 * the others until nothing moves. Records that changed wait in the dissemination machine and are
 * taken from there one by one in `poll`, each first handed out as PERSIST where it is a task, so
 * that durability comes before news. */
#include "agent/node.h"

#include <string.h>

#include "agent/node_state.h"

#define RELAYS_MAX 32
#define ASK_INTERVAL_US (250 * CHIRR_US_PER_MS) /* between two new neighbours */

size_t chirr_node_bytes(const struct chirr_node_config *config)
{
    struct chirr_node_parts parts = chirr_node_parts_of(config);
    return chirr_arena_round(sizeof(struct chirr_node)) + chirr_acquaintance_bytes(config) +
           chirr_records_bytes(&parts.records) + chirr_membership_bytes(&parts.membership) +
           chirr_overlay_bytes(&parts.overlay) + chirr_dissemination_bytes(&parts.dissemination) +
           chirr_lease_bytes(&parts.lease) + chirr_auction_bytes(&parts.auction) +
           chirr_ledger_bytes(&parts.ledger) +
           chirr_ring_bytes(RELAYS_MAX, sizeof(struct chirr_node_relay));
}

static bool create_parts(struct chirr_node *node, struct chirr_arena *arena, chirr_time_us now)
{
    struct chirr_node_parts parts = chirr_node_parts_of(&node->config);
    node->records = chirr_records_create(arena, &parts.records);
    node->membership = chirr_membership_create(arena, &parts.membership, now);
    node->overlay = chirr_overlay_create(arena, &parts.overlay, node->records, now);
    node->leases = chirr_lease_create(arena, &parts.lease);
    if (node->records == NULL || node->membership == NULL || node->overlay == NULL ||
        node->leases == NULL) {
        return false;
    }
    node->dissemination =
        chirr_dissemination_create(arena, &parts.dissemination, node->records, now);
    node->auction = chirr_auction_create(arena, &parts.auction, node->records, node->membership,
                                         node->leases, now);
    node->ledger = chirr_ledger_create(arena, &parts.ledger, now);
    node->acquaintance = chirr_acquaintance_create(arena, &node->config, parts.self_seed, now);
    enum chirr_err err =
        chirr_ring_init(&node->relays, arena, RELAYS_MAX, sizeof(struct chirr_node_relay));
    chirr_budget_init(&node->relay_budget, node->config.knowledge_bytes_per_s,
                      4 * node->config.knowledge_bytes_per_s, now);
    return node->dissemination != NULL && node->auction != NULL && node->ledger != NULL &&
           node->acquaintance != NULL && err == CHIRR_OK;
}

enum chirr_err chirr_node_state_record(struct chirr_node *node, struct chirr_record *record)
{
    return chirr_dissemination_state(node->dissemination, record,
                                     chirr_membership_incarnation(node->membership), node->now);
}

static void greet_seeds(struct chirr_node *node)
{
    for (uint32_t i = 0; i < node->config.seed_count; i++) {
        const struct chirr_card *seed = &node->config.seeds[i];
        chirr_agent_id id = chirr_agent_id_of(seed->public_key);
        if (id == node->self) {
            continue;
        }
        if (chirr_overlay_card(node->overlay, id, seed, node->now) == CHIRR_OK) {
            chirr_overlay_join(node->overlay, id, node->now);
        } else {
            node->counters.unadmitted++;
        }
    }
}

struct chirr_node *chirr_node_create(struct chirr_arena *arena,
                                     const struct chirr_node_config *config, chirr_time_us now)
{
    struct chirr_node *node = chirr_arena_take(arena, 1, sizeof *node);
    if (node == NULL) {
        return NULL;
    }
    node->config = *config;
    node->self = chirr_agent_id_of(config->card.public_key);
    node->now = now;
    if (!create_parts(node, arena, now)) {
        return NULL;
    }
    node->heartbeat_at = now;
    node->forget_at = now;
    struct chirr_record *card = &node->current;
    card->kind = CHIRR_RECORD_CARD;
    card->card = config->card;
    enum chirr_err err = chirr_node_state_record(node, card);
    if (err != CHIRR_OK) {
        return NULL;
    }
    greet_seeds(node);
    return node;
}

enum chirr_err chirr_node_restore(struct chirr_node *node, const struct chirr_record *record)
{
    chirr_node_make_room(node, 0, record, 1);
    enum chirr_err err = chirr_dissemination_restore(node->dissemination, record);
    if (err == CHIRR_OK && record->kind == CHIRR_RECORD_TASK) {
        const struct chirr_record *known = chirr_records_task(node->records, record->task.id);
        if (known != NULL) {
            chirr_auction_restore(node->auction, &known->task);
        }
    }
    return err;
}

/* ---- Input --------------------------------------------------------------------------------- */

chirr_time_us chirr_node_begin(struct chirr_node *node, chirr_time_us now)
{
    node->counters.clock_steps_back += now < node->now;
    node->counters.interrupted += node->holding;
    node->now = now > node->now ? now : node->now;
    node->holding = false;
    return node->now;
}

static enum chirr_err receive_heartbeat(struct chirr_node *node, chirr_agent_id from,
                                        const struct chirr_message *message)
{
    const struct chirr_heartbeat *heartbeat = &message->heartbeat;
    enum chirr_err err = chirr_lease_renew(node->leases, from, heartbeat->incarnation,
                                           heartbeat->sequence, node->now);
    node->counters.replayed += err == CHIRR_ERR_STALE;
    node->counters.leases_full += err == CHIRR_ERR_FULL;
    if (err != CHIRR_OK) {
        return err; /* replayed or reordered: no sign of life either */
    }
    chirr_acquaintance_heard(node->acquaintance, from, heartbeat);
    return chirr_membership_receive(node->membership, from, message, node->now);
}

/* Who said two things under one stamp is not believed in what it learned either. */
static void quarantine_equivocators(struct chirr_node *node, const struct chirr_records *records)
{
    for (uint32_t i = 0; i < records->count; i++) {
        chirr_agent_id author = records->records[i].author;
        if (author != node->self && chirr_records_is_quarantined(node->records, author)) {
            chirr_ledger_quarantine(node->ledger, author);
        }
    }
}

/* What arrives with it is news at once: it decides what the overlay may answer. */
static void show_cards(struct chirr_node *node, const struct chirr_record *records, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct chirr_record *card = chirr_records_card(node->records, records[i].author);
        if (records[i].kind == CHIRR_RECORD_CARD && card != NULL) {
            chirr_node_show_card(node, card); /* what has no room is counted when it is settled */
        }
    }
}

static enum chirr_err receive_records(struct chirr_node *node, chirr_agent_id from,
                                      const struct chirr_message *message)
{
    const struct chirr_records_counters *count = chirr_records_count(node->records);
    uint64_t before = count->equivocations;
    chirr_node_make_room(node, from, message->records.records, message->records.count);
    enum chirr_err err = chirr_dissemination_receive(node->dissemination, from, message, node->now);
    if (count->equivocations > before) {
        quarantine_equivocators(node, &message->records);
    }
    show_cards(node, message->records.records, message->records.count);
    return err;
}

static enum chirr_err receive_view(struct chirr_node *node, chirr_agent_id from,
                                   const struct chirr_message *message)
{
    const struct chirr_view_message *view = &message->view;
    chirr_node_make_room(node, 0, view->cards, view->count);
    enum chirr_err learnt =
        chirr_dissemination_learn(node->dissemination, from, view->cards, view->count, node->now);
    show_cards(node, view->cards, view->count);
    enum chirr_err err = chirr_overlay_receive(node->overlay, from, message, node->now);
    return err == CHIRR_OK ? learnt : err;
}

/* News of somebody's knowledge goes on to the neighbours; in a mesh its origin reaches all. */
static enum chirr_err receive_delta(struct chirr_node *node, chirr_agent_id from,
                                    const struct chirr_message *message)
{
    bool repeat = chirr_ledger_is_repeat(node->ledger, &message->delta);
    enum chirr_err err = chirr_ledger_receive(node->ledger, from, message, node->now);
    if (err != CHIRR_OK || repeat || node->mesh) {
        return err;
    }
    struct chirr_node_relay relay = {.from = from, .delta = message->delta};
    memcpy(relay.payload, message->delta.payload, message->delta.payload_bytes);
    node->counters.relays_dropped += !chirr_ring_push(&node->relays, &relay);
    return CHIRR_OK;
}

/* A new neighbour is asked what it knows, but one after the other: a newcomer that asked all of
 * them at once would be told everything by each. Of those that came meanwhile the last is asked;
 * the others push, and repair goes round. */
static void ask_neighbour(struct chirr_node *node)
{
    if (node->ask_next != 0 && node->now >= node->ask_at) {
        chirr_dissemination_ask(node->dissemination, node->ask_next);
        node->ask_next = 0;
        node->ask_at = node->now + ASK_INTERVAL_US;
    }
}

/* One may have been forgotten while it was in no view. */
static void know_neighbours(struct chirr_node *node)
{
    for (uint32_t i = 0; i < node->neighbour_count; i++) {
        const struct chirr_record *card = chirr_records_card(node->records, node->neighbours[i]);
        if (card != NULL && chirr_membership_find(node->membership, node->neighbours[i]) == NULL) {
            chirr_node_show_card(node, card);
        }
    }
}

void chirr_node_follow_neighbours(struct chirr_node *node)
{
    struct chirr_neighbours now = chirr_overlay_neighbours(node->overlay);
    bool mesh = chirr_overlay_is_mesh(node->overlay);
    if (now.change == node->neighbours_change && mesh == node->mesh) {
        return;
    }
    chirr_membership_watch(node->membership, now.agents, now.count);
    chirr_dissemination_set_neighbours(node->dissemination, now.agents, now.count, mesh);
    for (uint32_t i = 0, old = 0; i < now.count; i++) {
        while (old < node->neighbour_count && node->neighbours[old] < now.agents[i]) {
            old++;
        }
        if (old == node->neighbour_count || node->neighbours[old] != now.agents[i]) {
            node->ask_next = now.agents[i];
        }
    }
    ask_neighbour(node);
    CHIRR_ASSERT(now.count <= CHIRR_NEIGHBOURS_MAX);
    memcpy(node->neighbours, now.agents, now.count * sizeof now.agents[0]);
    node->neighbour_count = now.count;
    node->neighbours_change = now.change;
    node->mesh = mesh;
    if (node->config.local_view) {
        know_neighbours(node);
    }
}

static enum chirr_err route(struct chirr_node *node, chirr_agent_id from,
                            const struct chirr_message *message)
{
    switch (message->kind) {
    case CHIRR_MESSAGE_PING:
    case CHIRR_MESSAGE_PING_REQUEST:
    case CHIRR_MESSAGE_ACK:
    case CHIRR_MESSAGE_NACK:
    case CHIRR_MESSAGE_GOSSIP:
        return chirr_membership_receive(node->membership, from, message, node->now);
    case CHIRR_MESSAGE_HEARTBEAT:
        return receive_heartbeat(node, from, message);
    case CHIRR_MESSAGE_RECORDS:
        return receive_records(node, from, message);
    case CHIRR_MESSAGE_DIGEST:
    case CHIRR_MESSAGE_HAVE:
    case CHIRR_MESSAGE_GRAFT:
        return chirr_dissemination_receive(node->dissemination, from, message, node->now);
    case CHIRR_MESSAGE_DELTA:
        return receive_delta(node, from, message);
    case CHIRR_MESSAGE_VIEW:
        return receive_view(node, from, message);
    }
    node->counters.strays++;
    return CHIRR_ERR_MALFORMED;
}

enum chirr_err chirr_node_receive(struct chirr_node *node, chirr_agent_id from,
                                  const struct chirr_message *message, chirr_time_us now)
{
    now = chirr_node_begin(node, now);
    if (from == node->self || from == 0) {
        node->counters.strays++;
        node->counters.refused++;
        return CHIRR_ERR_UNTRUSTED;
    }
    chirr_acquaintance_received(node->acquaintance, from, message->kind);
    enum chirr_err err = route(node, from, message);
    if (err == CHIRR_OK) {
        node->counters.received[message->kind]++;
    } else {
        node->counters.refused++;
    }
    return err;
}

/* ---- Time ---------------------------------------------------------------------------------- */

/* Heartbeats reach neighbours alone; of all others membership knows that they live. */
static void vouch(struct chirr_node *node)
{
    for (uint32_t i = 0; i < chirr_membership_count(node->membership); i++) {
        const struct chirr_member *member = chirr_membership_at(node->membership, i);
        if (member->status == CHIRR_MEMBER_ALIVE &&
            !chirr_overlay_is_neighbour(node->overlay, member->agent)) {
            chirr_lease_vouch(node->leases, member->agent, node->now);
        }
    }
}

/* Rumours drove this agent's incarnation so far up that others will soon not believe it any more:
 * its claims, stated again, carry the proof. (Not the card, which would begin a new life.) */
static void prove_incarnation(struct chirr_node *node)
{
    uint64_t incarnation = chirr_membership_incarnation(node->membership);
    uint64_t stated = chirr_records_span(node->records, node->self).newest.incarnation;
    if (incarnation <= stated || incarnation - stated <= CHIRR_INCARNATION_LEAD_MAX / 2) {
        return;
    }
    struct chirr_record claims;
    memset(&claims, 0, sizeof claims);
    const struct chirr_record *known = chirr_records_claims(node->records, node->self);
    if (known != NULL) {
        chirr_record_copy(&claims, known);
    }
    claims.kind = CHIRR_RECORD_CLAIMS;
    node->counters.incarnations_proven++;
    node->counters.unstated += chirr_node_state_record(node, &claims) != CHIRR_OK;
}

void chirr_node_tick(struct chirr_node *node, chirr_time_us now)
{
    now = chirr_node_begin(node, now);
    if (now >= node->heartbeat_at && !node->leaving) {
        node->heartbeat_at = now + chirr_time_from_ms(node->config.heartbeat_interval_ms);
        node->heartbeat_due = true;
        vouch(node);
        prove_incarnation(node);
        if (node->config.local_view) {
            chirr_node_forget_strangers(node);
            chirr_node_forget_silent(node);
        }
    }
    ask_neighbour(node);
    chirr_overlay_tick(node->overlay, now);
    chirr_acquaintance_tick(node->acquaintance, node->membership, now);
    chirr_membership_tick(node->membership, now);
    chirr_dissemination_tick(node->dissemination, node->membership, now);
    chirr_auction_tick(node->auction, now);
    chirr_ledger_tick(node->ledger, now);
    if (chirr_ledger_spend(node->ledger, node->news.drift_permille, now)) {
        node->extract_due = true;
    }
}

chirr_time_us chirr_node_deadline(const struct chirr_node *node)
{
    chirr_time_us at = node->leaving ? CHIRR_TIME_NEVER : node->heartbeat_at;
    at = chirr_time_min(at, chirr_acquaintance_deadline(node->acquaintance));
    at = chirr_time_min(at, chirr_membership_deadline(node->membership));
    at = chirr_time_min(at, chirr_overlay_deadline(node->overlay));
    if (node->ask_next != 0) {
        at = chirr_time_min(at, node->ask_at);
    }
    if (node->relays.count > 0) {
        at = chirr_time_min(at, chirr_budget_ready_at(&node->relay_budget));
    }
    at = chirr_time_min(at, chirr_dissemination_deadline(node->dissemination));
    at = chirr_time_min(at, chirr_auction_deadline(node->auction));
    return chirr_time_min(at, chirr_ledger_deadline(node->ledger));
}
