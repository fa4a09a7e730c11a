/* The figures of `chirr ps --json`: everything that was sent, learned, done and dropped. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/process.h"

/* A figure that is not known yet is null. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count(uint64_t value)
{
    return json_integer((json_int_t)value);
}

json_t *chirr_process_id(uint64_t id)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, id);
    return json_string(text);
}

static json_t *about_agent(const struct chirr_agent *agent, chirr_time_us now)
{
    return json_pack("{s:s, s:o, s:s, s:s, s:i, s:f, s:o, s:i, s:i}", "name", agent->config.name,
                     "id", chirr_process_id(agent->identity.id), "device", agent->config.device,
                     "swarm", agent->config.swarm, "pid", (int)getpid(), "uptime_s",
                     (double)(now - agent->started_at) / 1e6, "incarnation",
                     count(chirr_membership_incarnation(chirr_node_membership(agent->node))),
                     "cpu_permille", (int)agent->config.cpu_permille, "slots",
                     (int)agent->config.slots);
}

static json_t *about_checkpoint(const struct chirr_agent *agent, chirr_time_us now)
{
    static const char *const origins[] = {
        [CHIRR_CHECKPOINT_NONE] = "genesis",
        [CHIRR_CHECKPOINT_CURRENT] = "current",
        [CHIRR_CHECKPOINT_PREVIOUS] = "previous",
    };
    chirr_time_us at = agent->status.checkpoint_at;
    return json_pack(
        "{s:o, s:s, s:o, s:o}", "age_s", at == 0 ? json_null() : number((double)(now - at) / 1e6),
        "origin", origins[agent->status.checkpoint_origin], "saved",
        count(agent->status.checkpoints_saved), "failed", count(agent->status.checkpoints_failed));
}

static json_t *about_senses(const struct chirr_agent *agent)
{
    const struct chirr_learner_status *status = &agent->status.learner;
    json_t *senses = json_array();
    for (uint32_t i = 0; i < status->sense_count; i++) {
        json_array_append_new(senses,
                              json_pack("{s:s, s:o, s:o}", "name", agent->config.senses[i].name,
                                        "steps", count(status->senses[i].steps), "bits_now",
                                        number(status->senses[i].bits_now)));
    }
    return senses;
}

static json_t *about_model(const struct chirr_agent *agent, chirr_time_us now)
{
    if (agent->learner == NULL) {
        return json_null();
    }
    const struct chirr_learner_status *status = &agent->status.learner;
    struct chirr_model_config model = chirr_learner_model_config(&agent->config.learner);
    json_t *out = json_pack("{s:o, s:o, s:o, s:i, s:i}", "parameters",
                            count(chirr_model_parameter_count(&model)), "bytes",
                            count(chirr_learner_thread_bytes(agent->learner)), "lineage",
                            chirr_process_id(agent->lineage), "hosted_partitions",
                            __builtin_popcountll(agent->config.learner.model.hosted), "partitions",
                            (int)model.partitions);
    json_object_set_new(out, "bytes_learned", count(status->bytes_learned));
    json_object_set_new(out, "vectors_learned", count(status->vectors_learned));
    json_object_set_new(out, "outcomes_learned", count(status->outcomes_learned));
    json_object_set_new(out, "bits_start", number(status->bits_start));
    json_object_set_new(out, "bits_now", number(status->bits_now));
    json_object_set_new(out, "bits_alone", number(status->bits_alone));
    json_object_set_new(out, "vector_bits_now", number(status->vector_bits_now));
    json_object_set_new(out, "senses", about_senses(agent));
    json_object_set_new(out, "surprise", number(status->surprise));
    json_object_set_new(out, "updates", count(status->model.updates));
    json_object_set_new(out, "drifts", count(status->model.drifts));
    json_object_set_new(out, "bytes_rehearsed", count(status->model.bytes_rehearsed));
    json_object_set_new(out, "steps_refused", count(status->model.steps_refused));
    json_object_set_new(out, "updates_refused", count(status->model.updates_refused));
    json_object_set_new(out, "own_norm", number(status->model.own_norm));
    json_object_set_new(out, "foreign_norm", number(status->model.foreign_norm));
    json_object_set_new(out, "checkpoint", about_checkpoint(agent, now));
    return out;
}

static uint64_t membership_bytes(const uint64_t by_kind[CHIRR_MESSAGE_KINDS])
{
    return by_kind[CHIRR_MESSAGE_PING] + by_kind[CHIRR_MESSAGE_PING_REQUEST] +
           by_kind[CHIRR_MESSAGE_ACK] + by_kind[CHIRR_MESSAGE_NACK] +
           by_kind[CHIRR_MESSAGE_GOSSIP] + by_kind[CHIRR_MESSAGE_VIEW] +
           by_kind[CHIRR_MESSAGE_HEARTBEAT];
}

static uint64_t records_bytes(const uint64_t by_kind[CHIRR_MESSAGE_KINDS])
{
    return by_kind[CHIRR_MESSAGE_RECORDS] + by_kind[CHIRR_MESSAGE_DIGEST] +
           by_kind[CHIRR_MESSAGE_HAVE] + by_kind[CHIRR_MESSAGE_GRAFT];
}

static json_t *about_signatures(const struct chirr_transport_counters *wire)
{
    return json_pack("{s:o, s:o}", "verified", count(wire->signatures_verified), "known",
                     count(wire->signatures_known));
}

static json_t *wire_of(const uint64_t by_kind[CHIRR_MESSAGE_KINDS])
{
    return json_pack("{s:o, s:o, s:o}", "records", count(records_bytes(by_kind)), "knowledge",
                     count(by_kind[CHIRR_MESSAGE_DELTA]), "membership",
                     count(membership_bytes(by_kind)));
}

static json_t *about_knowledge(const struct chirr_agent *agent)
{
    const struct chirr_transport_counters *wire = chirr_transport_count(agent->transport);
    const struct chirr_learner_status *status = &agent->status.learner;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:i}", "bytes_out",
                     count(wire->sent_bytes_by_kind[CHIRR_MESSAGE_DELTA]), "bytes_in",
                     count(wire->received_bytes_by_kind[CHIRR_MESSAGE_DELTA]), "deltas_out",
                     count(agent->counters.deltas_out), "deltas_applied",
                     count(status->deltas_applied), "deltas_refused", count(status->deltas_refused),
                     "origins", (int)chirr_ledger_origin_count(chirr_node_ledger(agent->node)));
}

static json_t *about_tasks(const struct chirr_agent *agent)
{
    const struct chirr_record_store *records = chirr_node_records(agent->node);
    const struct chirr_node_counters *node = chirr_node_count(agent->node);
    uint32_t known = chirr_records_task_count(records);
    int open = 0;
    for (uint32_t i = 0; i < known; i++) {
        open += chirr_records_task_at(records, i)->task.phase < CHIRR_TASK_CANCELLED;
    }
    return json_pack("{s:i, s:o, s:o, s:i, s:i, s:o, s:o}", "running",
                     (int)chirr_auction_running_count(chirr_node_auction(agent->node)), "done_here",
                     count(node->tasks_done_here), "failed_here", count(node->tasks_failed_here),
                     "known", (int)known, "open", open, "predicted_s_last",
                     number(agent->predicted_s_last), "real_s_last", number(agent->real_s_last));
}

static const char *status_name(enum chirr_member_status status)
{
    static const char *const names[] = {
        [CHIRR_MEMBER_ALIVE] = "alive",
        [CHIRR_MEMBER_SUSPECT] = "suspect",
        [CHIRR_MEMBER_DEAD] = "dead",
        [CHIRR_MEMBER_LEFT] = "left",
    };
    return names[status];
}

static json_t *about_members(const struct chirr_agent *agent)
{
    const struct chirr_membership *membership = chirr_node_membership(agent->node);
    json_t *members = json_array();
    for (uint32_t i = 0; i < chirr_membership_count(membership); i++) {
        const struct chirr_member *member = chirr_membership_at(membership, i);
        const struct chirr_record *card =
            chirr_records_card(chirr_node_records(agent->node), member->agent);
        const struct chirr_heartbeat *heartbeat = chirr_node_heartbeat(agent->node, member->agent);
        json_array_append_new(
            members,
            json_pack(
                "{s:o, s:s, s:s, s:s, s:o, s:i}", "id", chirr_process_id(member->agent), "name",
                card == NULL ? "" : card->card.name, "status", status_name(member->status),
                "device", card == NULL ? "" : card->card.device, "bits",
                heartbeat == NULL || heartbeat->bits == 0 ? json_null() : number(heartbeat->bits),
                "running", heartbeat == NULL ? 0 : (int)heartbeat->running_count));
    }
    return members;
}

/* {NAME: count} */
static json_t *json_of_reasons(const struct chirr_reasons *reasons)
{
    json_t *out = json_object();
    for (uint32_t i = 0; i < reasons->count; i++) {
        json_object_set_new(out, reasons->list[i].name, count(reasons->list[i].count));
    }
    return out;
}

json_t *chirr_process_status(struct chirr_agent *agent, chirr_time_us now)
{
    struct chirr_process_counts counts;
    struct chirr_reasons drops = {0};
    struct chirr_reasons repeats = {0};
    chirr_process_count(agent, &counts);
    chirr_process_drops(&counts, &drops);
    chirr_process_repeats(&counts, &repeats);
    const struct chirr_transport_counters *wire = chirr_transport_count(agent->transport);
    return json_pack(
        "{s:b, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o}, s:o, s:o, s:o, s:{s:f, s:f, s:o}}", "ok", 1,
        "agent", about_agent(agent, now), "model", about_model(agent, now), "knowledge",
        about_knowledge(agent), "tasks", about_tasks(agent), "wire", "sent",
        wire_of(wire->sent_bytes_by_kind), "received", wire_of(wire->received_bytes_by_kind),
        "signatures", about_signatures(wire), "members", about_members(agent), "drops",
        json_of_reasons(&drops), "repeats", json_of_reasons(&repeats), "loop", "lag_ms_max",
        (double)agent->counters.lag_us_max / 1e3, "turn_ms_max",
        (double)agent->counters.turn_us_max / 1e3, "turns", count(agent->counters.turns));
}

/* ---- Tasks --------------------------------------------------------------------------------- */

static json_t *command_of(const struct chirr_task_spec *spec)
{
    json_t *command = json_array();
    for (uint32_t i = 0; i < spec->argument_count; i++) {
        const char *argument = chirr_task_argument(spec, i);
        json_t *text = json_string(argument);
        json_array_append_new(command, text != NULL ? text : json_string("(not UTF-8)"));
    }
    return command;
}

/* Output is bytes; JSON is UTF-8. What is not ASCII, or cut in the middle, shows as '?'. */
static json_t *output_of(const struct chirr_task_result *result)
{
    char text[CHIRR_RESULT_OUTPUT_BYTES_MAX + 1];
    memcpy(text, result->output, result->output_bytes);
    text[result->output_bytes] = '\0';
    for (uint32_t i = 0; i < result->output_bytes; i++) {
        if (text[i] == '\0') {
            text[i] = '?';
        }
    }
    json_t *out = json_stringn(text, result->output_bytes);
    if (out != NULL) {
        return out;
    }
    for (uint32_t i = 0; i < result->output_bytes; i++) {
        if ((unsigned char)text[i] >= 0x80) {
            text[i] = '?';
        }
    }
    return json_stringn(text, result->output_bytes);
}

static const char *name_of(const struct chirr_agent *agent, chirr_agent_id id)
{
    const struct chirr_record *card = chirr_records_card(chirr_node_records(agent->node), id);
    return card == NULL ? "" : card->card.name;
}

static double seconds_or_nan(uint64_t us)
{
    return us == 0 ? NAN : (double)us / 1e6;
}

json_t *chirr_process_task(const struct chirr_agent *agent, const struct chirr_task *task)
{
    const struct chirr_task_result *result = &task->result;
    json_t *out =
        json_pack("{s:o, s:s, s:o, s:o, s:s, s:i, s:o, s:o, s:s}", "id", chirr_process_id(task->id),
                  "kind", task->spec.kind, "command", command_of(&task->spec), "size_bytes",
                  count(task->spec.size_bytes), "phase", chirr_task_phase_name(task->phase),
                  "epoch", (int)task->epoch, "submitter", chirr_process_id(task->submitter),
                  "owner", task->owner == 0 ? json_null() : chirr_process_id(task->owner),
                  "owner_name", name_of(agent, task->owner));
    bool done = task->phase == CHIRR_TASK_DONE;
    json_object_set_new(out, "priority", count(task->spec.priority));
    json_object_set_new(out, "end",
                        done ? json_string(chirr_task_end_name(result->end)) : json_null());
    json_object_set_new(out, "code", done ? json_integer(result->code) : json_null());
    json_object_set_new(out, "duration_s", number(done ? (double)result->duration_us / 1e6 : NAN));
    json_object_set_new(out, "predicted_s",
                        number(done ? seconds_or_nan(result->predicted_us) : NAN));
    json_object_set_new(out, "output", done ? output_of(result) : json_null());
    json_object_set_new(out, "output_total_bytes", count(result->output_total_bytes));
    return out;
}
