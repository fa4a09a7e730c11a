/* What the node wants done: changes shown round first, then what each part has to say. */
#include <string.h>

#include "agent/node_state.h"
#include "proto/codec.h"

/* With a local view whoever is in none makes room. */
static bool make_member(struct chirr_node *node, const struct chirr_record *record)
{
    chirr_agent_id agent = record->author;
    uint64_t incarnation = record->stamp.incarnation;
    enum chirr_err err = chirr_membership_add(node->membership, agent, incarnation, node->now);
    if (err != CHIRR_OK && node->config.local_view) {
        chirr_node_forget_strangers(node);
        err = chirr_membership_add(node->membership, agent, incarnation, node->now);
    }
    return err == CHIRR_OK;
}

bool chirr_node_show_card(struct chirr_node *node, const struct chirr_record *record)
{
    if (record->author == node->self) {
        return true;
    }
    /* Its life began with this incarnation: what an earlier one ran is gone. STALE: that is known;
     * FULL: one lease from the first question on, as without. */
    enum chirr_err err =
        chirr_lease_renew(node->leases, record->author, record->stamp.incarnation, 0, node->now);
    node->counters.leases_begun += err == CHIRR_OK;
    /* With a full view both tables are as large as the record store's: what it took in fits. Who
     * does not stays a stranger. */
    return chirr_overlay_card(node->overlay, record->author, &record->card, node->now) ==
               CHIRR_OK &&
           make_member(node, record);
}

/* A record changed: everybody who lives on its kind gets to see it. */
static void show(struct chirr_node *node, const struct chirr_record *record)
{
    chirr_membership_prove(node->membership, record->author, record->stamp.incarnation, node->now);
    switch (record->kind) {
    case CHIRR_RECORD_CARD:
        node->counters.unadmitted += !chirr_node_show_card(node, record);
        break;
    case CHIRR_RECORD_CLAIMS:
    case CHIRR_RECORD_TASK:
        chirr_auction_notice(node->auction, record, node->now);
        break;
    case CHIRR_RECORD_TRUST:
        break;
    }
}

/* States what the auction wants said, shows every changed record round; stops at the first that has
 * to be made durable and hands it out. */
static bool settle(struct chirr_node *node, struct chirr_output *output)
{
    if (node->trust_due) {
        node->trust_due = false;
        output->kind = CHIRR_OUTPUT_TRUST;
        output->record = &node->current;
        return true;
    }
    for (;;) {
        if (chirr_dissemination_changed(node->dissemination, &node->current)) {
            show(node, &node->current);
            node->trust_due = node->current.kind == CHIRR_RECORD_TRUST;
            if (node->trust_due || node->current.kind == CHIRR_RECORD_TASK) {
                output->kind = CHIRR_OUTPUT_PERSIST;
                output->record = &node->current;
                return true;
            }
        } else if (chirr_auction_statement(node->auction, &node->current)) {
            node->counters.unstated += chirr_node_state_record(node, &node->current) != CHIRR_OK;
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
    chirr_record_copy(&node->own_card, chirr_records_card(node->records, node->self));
    node->outgoing.kind = CHIRR_MESSAGE_RECORDS;
    node->outgoing.records = (struct chirr_records){.count = 1, .records = &node->own_card};
    output->kind = CHIRR_OUTPUT_SEND;
    output->to = to;
    output->message = &node->outgoing;
    chirr_dissemination_ask(node->dissemination, to);
}

static bool poll_acquaintance(struct chirr_node *node, struct chirr_output *output)
{
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
        chirr_overlay_status(node->overlay, output->member.agent, output->member.status, node->now);
        chirr_auction_member(node->auction, output->member.agent, node->now);
    }
    return true;
}

static bool poll_relays(struct chirr_node *node, struct chirr_output *output)
{
    if (node->relays.count == 0 || !chirr_budget_allows(&node->relay_budget, node->now)) {
        return false;
    }
    chirr_ring_pop(&node->relays, &node->relay);
    node->outgoing.delta = node->relay.delta;
    node->outgoing.delta.payload = node->relay.payload;
    publish_own(node, CHIRR_MESSAGE_DELTA, CHIRR_TOPIC_KNOWLEDGE, output);
    output->except = node->relay.from;
    chirr_budget_spend(&node->relay_budget, chirr_codec_message_bytes(&node->outgoing));
    return true;
}

static bool poll_overlay(struct chirr_node *node, struct chirr_output *output)
{
    chirr_node_follow_neighbours(node);
    return chirr_overlay_poll(node->overlay, output);
}

static bool poll_parts(struct chirr_node *node, struct chirr_output *output)
{
    memset(output, 0, sizeof *output);
    return settle(node, output) || poll_overlay(node, output) || poll_membership(node, output) ||
           chirr_dissemination_poll(node->dissemination, output) ||
           chirr_auction_poll(node->auction, output) || chirr_ledger_poll(node->ledger, output) ||
           poll_own(node, output) || poll_relays(node, output);
}

/* Nothing is sent to whom there is no connection: the overlay opens one, and the message waits
 * until that was handed out. */
bool chirr_node_poll(struct chirr_node *node, struct chirr_output *output)
{
    while (!node->holding && poll_parts(node, output)) {
        if (output->kind != CHIRR_OUTPUT_SEND) {
            return true;
        }
        node->holding = chirr_overlay_reach(node->overlay, output->to, node->now) == CHIRR_OK;
        node->counters.unreachable += !node->holding;
        node->held = *output;
    }
    if (!node->holding) {
        return false;
    }
    if (!chirr_overlay_poll_links(node->overlay, output)) {
        *output = node->held;
        node->holding = false;
    }
    return true;
}
