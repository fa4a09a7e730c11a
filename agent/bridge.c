/* From outputs of the node to requests of the learner, and back. */
#include "agent/bridge.h"

#include <math.h>
#include <string.h>

/* Where a task would run (here) or did run (its owner). */
static struct chirr_learner_task task_of(const struct chirr_node *node,
                                         const struct chirr_task *task, bool outcome)
{
    chirr_agent_id self = chirr_node_id(node);
    chirr_agent_id runner = outcome ? task->owner : self;
    struct chirr_learner_task out = {
        .id = task->id,
        .size_bytes = task->spec.size_bytes,
        .cpu_permille = 1000,
        .here = runner == self,
        .end = task->result.end,
        .code = task->result.code,
        .duration_us = task->result.duration_us,
    };
    memcpy(out.kind, task->spec.kind, sizeof out.kind);
    const struct chirr_record *card = chirr_records_card(chirr_node_records(node), runner);
    if (card != NULL && card->card.cpu_permille > 0) {
        out.cpu_permille = card->card.cpu_permille;
    }
    const struct chirr_heartbeat *heartbeat = chirr_node_heartbeat(node, runner);
    if (out.here) {
        out.running_count = chirr_auction_running_count(chirr_node_auction(node));
    } else if (heartbeat != NULL) {
        out.running_count = heartbeat->running_count;
    }
    return out;
}

bool chirr_bridge_request(const struct chirr_node *node, const struct chirr_output *output,
                          struct chirr_learner_request *request)
{
    memset(request, 0, sizeof *request);
    switch (output->kind) {
    case CHIRR_OUTPUT_PRICE:
        request->kind = CHIRR_LEARNER_PRICE;
        request->task = task_of(node, output->task, false);
        return true;
    case CHIRR_OUTPUT_OUTCOME:
        request->kind = CHIRR_LEARNER_OUTCOME;
        request->task = task_of(node, output->task, true);
        return true;
    case CHIRR_OUTPUT_APPLY:
        request->kind = CHIRR_LEARNER_APPLY;
        request->delta = *output->delta;
        return true;
    case CHIRR_OUTPUT_WEIGH:
        request->kind = CHIRR_LEARNER_WEIGH;
        request->weight = output->weight;
        return true;
    case CHIRR_OUTPUT_EXTRACT:
        request->kind = CHIRR_LEARNER_EXTRACT;
        return true;
    default:
        return false;
    }
}

enum chirr_err chirr_bridge_reply(struct chirr_node *node, const struct chirr_learner_reply *reply,
                                  chirr_time_us now)
{
    switch (reply->kind) {
    case CHIRR_LEARNER_REPLY_PRICE:
        chirr_node_price(node, &reply->price, now);
        return CHIRR_OK;
    case CHIRR_LEARNER_REPLY_DELTA:
        return chirr_node_delta(node, reply->delta.partition, reply->delta.payload,
                                reply->delta.bytes, now);
    case CHIRR_LEARNER_REPLY_NONE:
    case CHIRR_LEARNER_REPLY_EVALUATION:
        return CHIRR_OK;
    }
    return CHIRR_ERR_INVALID;
}

struct chirr_learner_news chirr_bridge_news(const struct chirr_learner_status *status)
{
    struct chirr_learner_news news = {.drift_permille = (uint32_t)status->drift_permille};
    /* The wire carries finite bits from 0 to 64 only; 0 says that nothing is known. */
    if (isfinite(status->bits_now)) {
        news.bits = (float)fmin(fmax(status->bits_now, 0.0), 64.0);
    }
    return news;
}
