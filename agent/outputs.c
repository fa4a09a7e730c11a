/* Carrying out what the node wants, in order, durable things first. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/process.h"

/* An agent without a model still bids: it takes every task for one second of a whole CPU, give or
 * take as much. */
#define GUESS_DURATION_US (UINT64_C(1000) * CHIRR_US_PER_S)

static void fail(struct chirr_agent *agent, enum chirr_err err, const struct chirr_error *why)
{
    agent->counters.store_failures++;
    if (agent->failure == CHIRR_OK) {
        agent->failure = err;
        agent->failure_why = *why;
    }
}

/* What was collected becomes durable; after a failure nothing is told to anybody any more. */
void chirr_process_commit(struct chirr_agent *agent)
{
    struct chirr_error why;
    if (!agent->batch_open) {
        return;
    }
    agent->batch_open = false;
    agent->batch_promises = false;
    enum chirr_err err = chirr_store_commit(agent->store, &why);
    if (err != CHIRR_OK) {
        fail(agent, err, &why);
    }
}

/* What others stated waits that long for company: it is durable with them, and a commit for each
 * would keep what they are told of by this agent waiting, and wear out a flash card. */
#define BATCH_US (50 * CHIRR_US_PER_MS)

chirr_time_us chirr_process_commit_at(const struct chirr_agent *agent)
{
    return agent->batch_open ? agent->batch_us + BATCH_US : CHIRR_TIME_NEVER;
}

static void persist(struct chirr_agent *agent, const struct chirr_record *record, chirr_time_us now)
{
    struct chirr_error why;
    struct chirr_record stored;
    enum chirr_err err = CHIRR_OK;
    chirr_record_copy(&stored, record);
    agent->batch_promises = agent->batch_promises || record->author == agent->identity.id ||
                            record->kind == CHIRR_RECORD_TRUST;
    if (!agent->batch_open) {
        err = chirr_store_begin(agent->store, &why);
        agent->batch_open = err == CHIRR_OK;
        agent->batch_us = now;
    }
    /* Own statements are signed when they leave; what comes back from the disk must be signed too.
     */
    if (err == CHIRR_OK && stored.author == agent->identity.id) {
        err = chirr_record_sign(&stored, &agent->identity);
    }
    if (err == CHIRR_OK) {
        err = chirr_store_save_record(agent->store, &stored, &why);
    }
    if (err == CHIRR_OK && record->kind == CHIRR_RECORD_TASK &&
        record->task.phase == CHIRR_TASK_DONE) {
        err = chirr_store_save_outcome(agent->store, &record->task, &why);
    }
    if (err == CHIRR_ERR_FULL) {
        agent->counters.store_failures++; /* bounded on purpose: the swarm still has it */
    } else if (err != CHIRR_OK) {
        fail(agent, err, &why);
    }
}

/* Records and deltas travel through many hands, so each carries its author's signature. What this
 * agent authored gets it here, when it leaves: into copies that live as long as this. */
struct departure {
    struct chirr_message message;
    struct chirr_record records[CHIRR_RECORDS_MAX];
};
_Static_assert(CHIRR_VIEW_CARDS_MAX <= CHIRR_RECORDS_MAX, "cards are records");

static bool is_any_own(const struct chirr_agent *agent, const struct chirr_record *records,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (records[i].author == agent->identity.id) {
            return true;
        }
    }
    return false;
}

/* The signed copies; as they were when none is this agent's; NULL when one cannot be signed. */
static const struct chirr_record *sign_records(const struct chirr_agent *agent,
                                               struct departure *departure,
                                               const struct chirr_record *records, uint32_t count)
{
    CHIRR_ASSERT(count <= CHIRR_RECORDS_MAX);
    if (!is_any_own(agent, records, count)) {
        return records;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct chirr_record *copy = &departure->records[i];
        chirr_record_copy(copy, &records[i]);
        if (copy->author == agent->identity.id &&
            chirr_record_sign(copy, &agent->identity) != CHIRR_OK) {
            return NULL;
        }
    }
    return departure->records;
}

/* False: it cannot be signed, and does not leave. */
static bool sign_own(const struct chirr_agent *agent, struct departure *departure,
                     const struct chirr_message *message)
{
    struct chirr_message *copy = &departure->message;
    *copy = *message;
    if (message->kind == CHIRR_MESSAGE_RECORDS) {
        copy->records.records =
            sign_records(agent, departure, message->records.records, message->records.count);
        return copy->records.records != NULL || message->records.count == 0;
    }
    if (message->kind == CHIRR_MESSAGE_VIEW) {
        copy->view.cards = sign_records(agent, departure, message->view.cards, message->view.count);
        return copy->view.cards != NULL || message->view.count == 0;
    }
    if (message->kind == CHIRR_MESSAGE_DELTA && message->delta.origin == agent->identity.id) {
        return chirr_delta_sign(&copy->delta, &agent->identity) == CHIRR_OK;
    }
    return true;
}

static void publish_or_send(struct chirr_agent *agent, const struct chirr_output *output)
{
    struct departure departure;
    const struct chirr_message *message = output->message;
    if (!sign_own(agent, &departure, message)) {
        agent->counters.unsigned_dropped++;
        return;
    }
    if (output->kind == CHIRR_OUTPUT_SEND) {
        chirr_transport_send(agent->transport, output->to, &departure.message);
        return;
    }
    agent->counters.deltas_out += message->kind == CHIRR_MESSAGE_DELTA;
    chirr_transport_publish(agent->transport, output->topic, output->except, &departure.message);
}

static void connect_to(struct chirr_agent *agent, const struct chirr_output *output,
                       chirr_time_us now)
{
    struct chirr_peer_address address;
    address.id = output->to;
    memcpy(address.public_key, chirr_card_key(output->card), sizeof address.public_key);
    memcpy(address.publish_endpoint, output->card->publish_endpoint,
           sizeof address.publish_endpoint);
    memcpy(address.unicast_endpoint, output->card->unicast_endpoint,
           sizeof address.unicast_endpoint);
    const uint64_t *files = &chirr_transport_count(agent->transport)->dropped[CHIRR_DROP_FILES];
    uint64_t files_before = *files;
    enum chirr_err err = chirr_transport_connect(agent->transport, &address, output->link);
    uint64_t held_back;
    if (err != CHIRR_OK) {
        agent->counters.connects_refused += *files == files_before; /* else counted there */
        if (chirr_log_limit_pass(&agent->connect_limit, now, &held_back)) {
            chirr_log_warning(
                agent->log, "does not connect to %016" PRIx64 ": %s (and %" PRIu64 " more before)",
                output->to, chirr_err_text(err), held_back);
        }
    }
}

static void ask_learner(struct chirr_agent *agent, const struct chirr_output *output,
                        chirr_time_us now)
{
    struct chirr_learner_request request;
    if (!chirr_bridge_request(agent->node, output, &request)) {
        return;
    }
    if (agent->learner == NULL) {
        if (output->kind == CHIRR_OUTPUT_PRICE) {
            struct chirr_price guess = {
                .task = request.task.id,
                .duration_us = GUESS_DURATION_US / agent->config.cpu_permille,
                .deviation_us = GUESS_DURATION_US / agent->config.cpu_permille,
                .success_permille = 500,
            };
            chirr_node_price(agent->node, &guess, now);
        }
        return;
    }
    if (!chirr_learner_thread_post(agent->learner, &request)) {
        if (output->kind == CHIRR_OUTPUT_PRICE) {
            agent->counters.prices_unanswered++; /* asked again when the auction wants it */
        } else {
            agent->counters.knowledge_unposted++;
        }
    }
}

static void start(struct chirr_agent *agent, const struct chirr_task *task, chirr_time_us now)
{
    enum chirr_err err =
        chirr_executor_start(agent->executor, task->id, task->epoch, &task->spec, now);
    if (err == CHIRR_OK) {
        chirr_log_info(agent->log, "starts %s task %016" PRIx64, task->spec.kind, task->id);
        return;
    }
    agent->counters.starts_refused++;
    /* FULL, or EXISTS: a store that was lost let the same epoch come twice. */
    struct chirr_executor_ended ended = {
        .task = task->id,
        .epoch = task->epoch,
        .result = {.end = CHIRR_TASK_END_NOT_STARTED,
                   .code = err == CHIRR_ERR_FULL ? EBUSY : EEXIST},
    };
    chirr_process_ended(agent, &ended, now);
}

static void stop(struct chirr_agent *agent, const struct chirr_task *task, chirr_time_us now)
{
    /* CHIRR_ERR_NOTFOUND: it has just ended by itself. */
    if (chirr_executor_stop(agent->executor, task->id, task->epoch, now) == CHIRR_OK) {
        chirr_log_info(agent->log, "stops %s task %016" PRIx64, task->spec.kind, task->id);
    }
}

static void tell_member(struct chirr_agent *agent, const struct chirr_member_update *member)
{
    static const char *const said[] = {
        [CHIRR_MEMBER_ALIVE] = "is alive",
        [CHIRR_MEMBER_SUSPECT] = "is suspected",
        [CHIRR_MEMBER_DEAD] = "is dead",
        [CHIRR_MEMBER_LEFT] = "has left",
    };
    const struct chirr_record *card =
        chirr_records_card(chirr_node_records(agent->node), member->agent);
    chirr_log_info(agent->log, "%s (%016" PRIx64 ") %s", card == NULL ? "?" : card->card.name,
                   member->agent, said[member->status]);
}

static void carry_out(struct chirr_agent *agent, const struct chirr_output *output,
                      chirr_time_us now)
{
    switch (output->kind) {
    case CHIRR_OUTPUT_SEND:
    case CHIRR_OUTPUT_PUBLISH:
        publish_or_send(agent, output);
        break;
    case CHIRR_OUTPUT_CONNECT:
        connect_to(agent, output, now);
        break;
    case CHIRR_OUTPUT_DISCONNECT:
        chirr_transport_disconnect(agent->transport, output->to);
        break;
    case CHIRR_OUTPUT_LISTEN:
        /* CHIRR_ERR_NOTFOUND: its connection was refused. */
        if (chirr_transport_listen(agent->transport, output->to, output->topic) != CHIRR_OK) {
            agent->counters.listens_refused++;
        }
        break;
    case CHIRR_OUTPUT_PERSIST:
        persist(agent, output->record, now);
        break;
    case CHIRR_OUTPUT_PRICE:
    case CHIRR_OUTPUT_OUTCOME:
    case CHIRR_OUTPUT_APPLY:
    case CHIRR_OUTPUT_WEIGH:
    case CHIRR_OUTPUT_EXTRACT:
        ask_learner(agent, output, now);
        break;
    case CHIRR_OUTPUT_START:
        start(agent, output->task, now);
        break;
    case CHIRR_OUTPUT_STOP:
        stop(agent, output->task, now);
        break;
    case CHIRR_OUTPUT_TRUST:
        chirr_process_trust(agent, now);
        break;
    case CHIRR_OUTPUT_MEMBER:
        tell_member(agent, &output->member);
        break;
    case CHIRR_OUTPUT_COUNT:
        break;
    }
}

void chirr_process_drain(struct chirr_agent *agent, chirr_time_us now)
{
    struct chirr_output output;
    while (agent->failure == CHIRR_OK && chirr_node_poll(agent->node, &output)) {
        if (output.kind != CHIRR_OUTPUT_PERSIST && agent->batch_promises) {
            chirr_process_commit(agent);
        }
        if (agent->failure == CHIRR_OK) {
            carry_out(agent, &output, now);
        }
    }
    if (agent->batch_promises || now >= chirr_process_commit_at(agent)) {
        chirr_process_commit(agent);
    }
}

void chirr_process_ended(struct chirr_agent *agent, const struct chirr_executor_ended *ended,
                         chirr_time_us now)
{
    /* CHIRR_ERR_NOTFOUND: the run was lost to another agent or cancelled meanwhile. */
    if (chirr_node_ended(agent->node, ended->task, ended->epoch, &ended->result, now) != CHIRR_OK) {
        return;
    }
    chirr_log_info(agent->log, "task %016" PRIx64 " %s %d after %.3f s", ended->task,
                   chirr_task_end_name(ended->result.end), ended->result.code,
                   (double)ended->result.duration_us / 1e6);
    chirr_process_drain(agent, now);
    const struct chirr_record *record =
        chirr_records_task(chirr_node_records(agent->node), ended->task);
    if (record != NULL && record->task.phase == CHIRR_TASK_DONE) {
        agent->real_s_last = (double)record->task.result.duration_us / 1e6;
        agent->predicted_s_last = record->task.result.predicted_us == 0
                                      ? NAN
                                      : (double)record->task.result.predicted_us / 1e6;
    }
}
