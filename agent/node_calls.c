/* Local calls, and looking in. */
#include <string.h>

#include "agent/node_state.h"
#include "base/digest.h"

/* ---- Local calls --------------------------------------------------------------------------- */

enum chirr_err chirr_node_submit(struct chirr_node *node, const struct chirr_task_spec *spec,
                                 chirr_time_us now, chirr_task_id *id)
{
    now = chirr_node_begin(node, now);
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
    err = chirr_node_state_record(node, &record);
    if (err == CHIRR_OK) {
        *id = task->id;
        node->counters.tasks_submitted++;
    }
    return err;
}

enum chirr_err chirr_node_cancel(struct chirr_node *node, chirr_task_id id, chirr_time_us now)
{
    now = chirr_node_begin(node, now);
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
    return chirr_node_state_record(node, &record);
}

enum chirr_err chirr_node_ended(struct chirr_node *node, chirr_task_id id, uint32_t epoch,
                                const struct chirr_task_result *result, chirr_time_us now)
{
    now = chirr_node_begin(node, now);
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
    now = chirr_node_begin(node, now);
    node->leaving = true;
    chirr_membership_leave(node->membership, now);
    chirr_auction_leave(node->auction, now);
}

enum chirr_err chirr_node_learn(struct chirr_node *node, const struct chirr_record *record,
                                chirr_time_us now)
{
    now = chirr_node_begin(node, now);
    return chirr_dissemination_learn(node->dissemination, 0, record, 1, now);
}

enum chirr_err chirr_node_meet(struct chirr_node *node, const struct chirr_record *card,
                               chirr_time_us now)
{
    now = chirr_node_begin(node, now);
    if (card->kind != CHIRR_RECORD_CARD || card->author == node->self) {
        return CHIRR_ERR_INVALID;
    }
    chirr_node_make_room(node, 0, card, 1);
    enum chirr_err err = chirr_dissemination_learn(node->dissemination, 0, card, 1, now);
    const struct chirr_record *held = chirr_records_card(node->records, card->author);
    if (err != CHIRR_OK) {
        return err;
    }
    if (held == NULL) {
        node->counters.unadmitted++;
        return CHIRR_ERR_FULL;
    }
    chirr_node_show_card(node, held);
    chirr_overlay_join(node->overlay, card->author, now);
    chirr_acquaintance_meet(node->acquaintance, card->author);
    return CHIRR_OK;
}

void chirr_node_forget(struct chirr_node *node, chirr_agent_id agent, chirr_time_us now)
{
    now = chirr_node_begin(node, now);
    chirr_membership_forget(node->membership, agent);
    chirr_overlay_forget(node->overlay, agent, now);
    chirr_ledger_quarantine(node->ledger, agent);
    chirr_acquaintance_forget(node->acquaintance, agent);
    chirr_auction_member(node->auction, agent, now);
}

void chirr_node_price(struct chirr_node *node, const struct chirr_price *price, chirr_time_us now)
{
    now = chirr_node_begin(node, now);
    chirr_auction_price(node->auction, price, now);
}

enum chirr_err chirr_node_delta(struct chirr_node *node, uint32_t partition, const uint8_t *payload,
                                size_t payload_bytes, chirr_time_us now)
{
    now = chirr_node_begin(node, now);
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

const struct chirr_overlay *chirr_node_overlay(const struct chirr_node *node)
{
    return node->overlay;
}

const struct chirr_dissemination *chirr_node_dissemination(const struct chirr_node *node)
{
    return node->dissemination;
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
    for (uint32_t i = 0; i < node->neighbour_count; i++) {
        chirr_digest_add_u64(&digest, node->neighbours[i]);
    }
    chirr_digest_add_u64(&digest, chirr_auction_running_count(node->auction));
    chirr_digest_add_u64(&digest, node->heartbeat_sequence);
    chirr_digest_add_u64(&digest, node->delta_version);
    return chirr_digest_end(&digest);
}
