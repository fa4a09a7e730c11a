/* The node: how the swarm's machines are put together.
 *
 * Every input goes to the one machine that handles it; then `settle` carries what it changed on to
 * the others until nothing moves. Records that changed wait in the dissemination machine and are
 * taken from there one by one in `poll`, each first handed out as PERSIST where it is a task, so
 * that durability comes before news. */
#include "agent/node.h"

#include <string.h>

#include "agent/acquaintance.h"
#include "agent/node_parts.h"
#include "base/digest.h"

struct chirr_node {
    struct chirr_node_config config;
    chirr_agent_id self;

    struct chirr_record_store *records;
    struct chirr_membership *membership;
    struct chirr_overlay *overlay;
    struct chirr_dissemination *dissemination;
    struct chirr_leases *leases;
    struct chirr_auction *auction;
    struct chirr_ledger *ledger;
    struct chirr_acquaintance *acquaintance;

    chirr_time_us now; /* of the newest input */
    chirr_time_us heartbeat_at;
    uint64_t heartbeat_sequence;
    uint64_t task_nonce;
    uint64_t delta_version;
    struct chirr_learner_news news;
    bool leaving;

    /* What is to be said next, each slot handed out at most once. */
    struct chirr_record current; /* borrowed by a PERSIST output */
    bool heartbeat_due;
    bool extract_due;
    bool delta_due;
    struct chirr_message outgoing; /* borrowed by an output of the node itself */
    struct chirr_delta_message delta;
    uint8_t delta_payload[CHIRR_DELTA_PAYLOAD_BYTES_MAX];
    struct chirr_record own_card; /* borrowed by the message that introduces this agent */
    struct chirr_node_counters counters;
};

size_t chirr_node_bytes(const struct chirr_node_config *config)
{
    struct chirr_node_parts parts = chirr_node_parts_of(config);
    return chirr_arena_round(sizeof(struct chirr_node)) + chirr_acquaintance_bytes(config) +
           chirr_records_bytes(&parts.records) + chirr_membership_bytes(&parts.membership) +
           chirr_overlay_bytes(&parts.overlay) + chirr_dissemination_bytes(&parts.dissemination) +
           chirr_lease_bytes(&parts.lease) + chirr_auction_bytes(&parts.auction) +
           chirr_ledger_bytes(&parts.ledger);
}

static bool create_parts(struct chirr_node *node, struct chirr_arena *arena, chirr_time_us now)
{
    struct chirr_node_parts parts = chirr_node_parts_of(&node->config);
    node->records = chirr_records_create(arena, &parts.records);
    node->membership = chirr_membership_create(arena, &parts.membership, now);
    node->overlay = chirr_overlay_create(arena, &parts.overlay);
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
    return node->dissemination != NULL && node->auction != NULL && node->ledger != NULL &&
           node->acquaintance != NULL;
}

static enum chirr_err state(struct chirr_node *node, struct chirr_record *record)
{
    return chirr_dissemination_state(node->dissemination, record,
                                     chirr_membership_incarnation(node->membership), node->now);
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
    struct chirr_record *card = &node->current;
    card->kind = CHIRR_RECORD_CARD;
    card->card = config->card;
    enum chirr_err err = state(node, card);
    return err == CHIRR_OK ? node : NULL;
}

enum chirr_err chirr_node_restore(struct chirr_node *node, const struct chirr_record *record)
{
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

static enum chirr_err receive_heartbeat(struct chirr_node *node, chirr_agent_id from,
                                        const struct chirr_message *message)
{
    const struct chirr_heartbeat *heartbeat = &message->heartbeat;
    enum chirr_err err = chirr_lease_renew(node->leases, from, heartbeat->incarnation,
                                           heartbeat->sequence, node->now);
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

static enum chirr_err receive_records(struct chirr_node *node, chirr_agent_id from,
                                      const struct chirr_message *message)
{
    const struct chirr_records_counters *count = chirr_records_count(node->records);
    uint64_t before = count->equivocations;
    enum chirr_err err = chirr_dissemination_receive(node->dissemination, from, message, node->now);
    if (count->equivocations > before) {
        quarantine_equivocators(node, &message->records);
    }
    return err;
}

static enum chirr_err route(struct chirr_node *node, chirr_agent_id from,
                            const struct chirr_message *message)
{
    switch (message->kind) {
    case CHIRR_MESSAGE_PING:
    case CHIRR_MESSAGE_PING_REQUEST:
    case CHIRR_MESSAGE_ACK:
    case CHIRR_MESSAGE_GOSSIP:
        return chirr_membership_receive(node->membership, from, message, node->now);
    case CHIRR_MESSAGE_HEARTBEAT:
        return receive_heartbeat(node, from, message);
    case CHIRR_MESSAGE_RECORDS:
        return receive_records(node, from, message);
    case CHIRR_MESSAGE_DIGEST:
        return chirr_dissemination_receive(node->dissemination, from, message, node->now);
    case CHIRR_MESSAGE_DELTA:
        return chirr_ledger_receive(node->ledger, from, message, node->now);
    }
    return CHIRR_ERR_MALFORMED;
}

enum chirr_err chirr_node_receive(struct chirr_node *node, chirr_agent_id from,
                                  const struct chirr_message *message, chirr_time_us now)
{
    node->now = now;
    if (from == node->self || from == 0) {
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

void chirr_node_tick(struct chirr_node *node, chirr_time_us now)
{
    node->now = now;
    if (now >= node->heartbeat_at && !node->leaving) {
        node->heartbeat_at = now + chirr_time_from_ms(node->config.heartbeat_interval_ms);
        node->heartbeat_due = true;
    }
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
    at = chirr_time_min(at, chirr_dissemination_deadline(node->dissemination));
    at = chirr_time_min(at, chirr_auction_deadline(node->auction));
    return chirr_time_min(at, chirr_ledger_deadline(node->ledger));
}

/* ---- Output -------------------------------------------------------------------------------- */

static void show_card(struct chirr_node *node, const struct chirr_record *record)
{
    if (record->author == node->self) {
        return;
    }
    /* Both tables are as large as the record store's: what it took in fits. A card that does not is
     * counted there and the agent stays a stranger. */
    if (chirr_membership_add(node->membership, record->author, record->stamp.incarnation,
                             node->now) != CHIRR_OK ||
        chirr_overlay_card(node->overlay, record->author, &record->card) != CHIRR_OK) {
        node->counters.refused++;
    }
}

/* A record changed: everybody who lives on its kind gets to see it. */
static void show(struct chirr_node *node, const struct chirr_record *record)
{
    switch (record->kind) {
    case CHIRR_RECORD_CARD:
        show_card(node, record);
        break;
    case CHIRR_RECORD_CLAIMS:
    case CHIRR_RECORD_TASK:
        chirr_auction_notice(node->auction, record, node->now);
        break;
    }
}

/* States what the auction wants said, shows every changed record round; stops at the first that has
 * to be made durable and hands it out. */
static bool settle(struct chirr_node *node, struct chirr_output *output)
{
    for (;;) {
        if (chirr_dissemination_changed(node->dissemination, &node->current)) {
            show(node, &node->current);
            if (node->current.kind == CHIRR_RECORD_TASK) {
                output->kind = CHIRR_OUTPUT_PERSIST;
                output->record = &node->current;
                return true;
            }
        } else if (chirr_auction_statement(node->auction, &node->current)) {
            if (state(node, &node->current) != CHIRR_OK) {
                node->counters.refused++;
            }
        } else {
            return false;
        }
    }
}

static void publish_own(struct chirr_node *node, enum chirr_message_kind kind,
                        enum chirr_topic topic, struct chirr_output *output)
{
    node->outgoing.kind = kind;
    output->kind = CHIRR_OUTPUT_PUBLISH;
    output->topic = topic;
    output->message = &node->outgoing;
}

/* Who does not know this agent can answer a digest only once it has its card. */
static void introduce(struct chirr_node *node, chirr_agent_id to, struct chirr_output *output)
{
    node->own_card = *chirr_records_card(node->records, node->self);
    node->outgoing.kind = CHIRR_MESSAGE_RECORDS;
    node->outgoing.records = (struct chirr_records){.count = 1, .records = &node->own_card};
    output->kind = CHIRR_OUTPUT_SEND;
    output->to = to;
    output->message = &node->outgoing;
    chirr_dissemination_ask(node->dissemination, to);
}

static bool poll_acquaintance(struct chirr_node *node, struct chirr_output *output)
{
    const struct chirr_card *seed = chirr_acquaintance_connect(node->acquaintance);
    if (seed != NULL) {
        output->kind = CHIRR_OUTPUT_CONNECT;
        output->to = chirr_agent_id_of(seed->public_key);
        output->card = seed;
        return true;
    }
    chirr_agent_id stranger = chirr_acquaintance_introduce(node->acquaintance);
    if (stranger != 0) {
        introduce(node, stranger, output);
    }
    return stranger != 0;
}

static bool poll_own(struct chirr_node *node, struct chirr_output *output)
{
    if (node->heartbeat_due) {
        node->heartbeat_due = false;
        /* The process's own, which its runs are stated under: a refutation, which raises that of
         * membership, must not make others take the runs for a dead process's (lease.h). */
        node->outgoing.heartbeat = (struct chirr_heartbeat){
            .incarnation = node->config.incarnation,
            .sequence = ++node->heartbeat_sequence,
            .running_count = chirr_auction_running_count(node->auction),
            .bits = node->news.bits,
        };
        publish_own(node, CHIRR_MESSAGE_HEARTBEAT, CHIRR_TOPIC_HEARTBEAT, output);
        return true;
    }
    if (node->delta_due) {
        node->delta_due = false;
        node->outgoing.delta = node->delta;
        publish_own(node, CHIRR_MESSAGE_DELTA, CHIRR_TOPIC_KNOWLEDGE, output);
        return true;
    }
    if (node->extract_due) {
        node->extract_due = false;
        output->kind = CHIRR_OUTPUT_EXTRACT;
        return true;
    }
    return poll_acquaintance(node, output);
}

static bool poll_membership(struct chirr_node *node, struct chirr_output *output)
{
    if (!chirr_membership_poll(node->membership, output)) {
        return false;
    }
    if (output->kind == CHIRR_OUTPUT_MEMBER) {
        chirr_overlay_status(node->overlay, output->member.agent, output->member.status);
        chirr_auction_member(node->auction, output->member.agent, node->now);
        if (output->member.status == CHIRR_MEMBER_ALIVE) {
            chirr_dissemination_ask(node->dissemination, output->member.agent);
        }
    }
    return true;
}

bool chirr_node_poll(struct chirr_node *node, struct chirr_output *output)
{
    memset(output, 0, sizeof *output);
    return settle(node, output) || chirr_overlay_poll(node->overlay, output) ||
           poll_membership(node, output) || chirr_dissemination_poll(node->dissemination, output) ||
           chirr_auction_poll(node->auction, output) || chirr_ledger_poll(node->ledger, output) ||
           poll_own(node, output);
}

/* ---- Local calls --------------------------------------------------------------------------- */

enum chirr_err chirr_node_submit(struct chirr_node *node, const struct chirr_task_spec *spec,
                                 chirr_time_us now, chirr_task_id *id)
{
    node->now = now;
    enum chirr_err err = chirr_task_spec_validate(spec);
    if (err != CHIRR_OK) {
        return err;
    }
    struct chirr_record record;
    memset(&record, 0, sizeof record);
    record.kind = CHIRR_RECORD_TASK;
    struct chirr_task *task = &record.task;
    task->submitter = node->self;
    /* The incarnation keeps nonces apart over restarts. */
    task->nonce = node->config.incarnation << 20 | (++node->task_nonce & 0xFFFFF);
    task->spec = *spec;
    task->id = chirr_task_id_of(node->self, task->nonce, spec);
    task->phase = CHIRR_TASK_OPEN;
    err = state(node, &record);
    if (err == CHIRR_OK) {
        *id = task->id;
        node->counters.tasks_submitted++;
    }
    return err;
}

enum chirr_err chirr_node_cancel(struct chirr_node *node, chirr_task_id id, chirr_time_us now)
{
    node->now = now;
    const struct chirr_record *known = chirr_records_task(node->records, id);
    if (known == NULL) {
        return CHIRR_ERR_NOTFOUND;
    }
    if (known->task.submitter != node->self) {
        return CHIRR_ERR_UNTRUSTED;
    }
    if (known->task.phase == CHIRR_TASK_DONE || known->task.phase == CHIRR_TASK_CANCELLED) {
        return CHIRR_ERR_STATE;
    }
    struct chirr_record record = *known;
    record.task.phase = CHIRR_TASK_CANCELLED;
    record.task.owner = 0;
    record.task.owner_incarnation = 0;
    return state(node, &record);
}

enum chirr_err chirr_node_ended(struct chirr_node *node, chirr_task_id id, uint32_t epoch,
                                const struct chirr_task_result *result, chirr_time_us now)
{
    node->now = now;
    enum chirr_err err = chirr_auction_ended(node->auction, id, epoch, result, now);
    if (err == CHIRR_OK) {
        bool failed = result->end != CHIRR_TASK_END_EXITED || result->code != 0;
        node->counters.tasks_done_here += !failed;
        node->counters.tasks_failed_here += failed;
    }
    return err;
}

void chirr_node_leave(struct chirr_node *node, chirr_time_us now)
{
    node->now = now;
    node->leaving = true;
    chirr_membership_leave(node->membership, now);
    chirr_auction_leave(node->auction, now);
}

void chirr_node_price(struct chirr_node *node, const struct chirr_price *price, chirr_time_us now)
{
    node->now = now;
    chirr_auction_price(node->auction, price, now);
}

enum chirr_err chirr_node_delta(struct chirr_node *node, uint32_t partition, const uint8_t *payload,
                                size_t payload_bytes, chirr_time_us now)
{
    node->now = now;
    if (payload_bytes == 0 || payload_bytes > sizeof node->delta_payload || partition >= 64 ||
        (node->config.card.hosted >> partition & 1) == 0) {
        return CHIRR_ERR_INVALID;
    }
    if (node->delta_due) {
        return CHIRR_ERR_BUSY;
    }
    memcpy(node->delta_payload, payload, payload_bytes);
    node->delta = (struct chirr_delta_message){
        .origin = node->self,
        .stamp = {.incarnation = chirr_membership_incarnation(node->membership),
                  .version = ++node->delta_version},
        .lineage = node->config.card.lineage,
        .partition = partition,
        .payload_bytes = (uint32_t)payload_bytes,
        .payload = node->delta_payload,
    };
    node->delta_due = true;
    return CHIRR_OK;
}

void chirr_node_news(struct chirr_node *node, const struct chirr_learner_news *news)
{
    node->news = *news;
}

/* ---- Looking in ---------------------------------------------------------------------------- */

chirr_agent_id chirr_node_id(const struct chirr_node *node)
{
    return node->self;
}

const struct chirr_record_store *chirr_node_records(const struct chirr_node *node)
{
    return node->records;
}

const struct chirr_membership *chirr_node_membership(const struct chirr_node *node)
{
    return node->membership;
}

const struct chirr_auction *chirr_node_auction(const struct chirr_node *node)
{
    return node->auction;
}

const struct chirr_ledger *chirr_node_ledger(const struct chirr_node *node)
{
    return node->ledger;
}

const struct chirr_heartbeat *chirr_node_heartbeat(const struct chirr_node *node,
                                                   chirr_agent_id agent)
{
    return chirr_acquaintance_heartbeat(node->acquaintance, agent);
}

const struct chirr_node_counters *chirr_node_count(const struct chirr_node *node)
{
    return &node->counters;
}

uint64_t chirr_node_state_hash(const struct chirr_node *node)
{
    struct chirr_digest_state digest;
    chirr_digest_begin(&digest);
    chirr_digest_add_u64(&digest, node->self);
    chirr_digest_add_u64(&digest, chirr_records_state_hash(node->records));
    for (uint32_t i = 0; i < chirr_membership_count(node->membership); i++) {
        const struct chirr_member *member = chirr_membership_at(node->membership, i);
        chirr_digest_add_u64(&digest, member->agent);
        chirr_digest_add_u64(&digest, member->incarnation);
        chirr_digest_add_u64(&digest, member->status);
    }
    chirr_digest_add_u64(&digest, chirr_auction_running_count(node->auction));
    chirr_digest_add_u64(&digest, node->heartbeat_sequence);
    chirr_digest_add_u64(&digest, node->delta_version);
    return chirr_digest_end(&digest);
}
