/* The report, told to programs. */
#include "sim/cli_json.h"

#include <inttypes.h>
#include <math.h>

#include <jansson.h>

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *whole(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *tasks_json(const struct chirr_sim_task_figures *tasks)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}}",
                     "submitted", whole(tasks->submitted), "done", whole(tasks->done), "failed",
                     whole(tasks->failed), "cancelled", whole(tasks->cancelled), "unfinished",
                     whole(tasks->unfinished), "excused", whole(tasks->excused),
                     "duplicate_completions", whole(tasks->duplicate_completions), "runs_started",
                     whole(tasks->runs_started), "runs_stopped", whole(tasks->runs_stopped),
                     "wait_s_mean", number(tasks->wait_s_mean), "span_s_mean",
                     number(tasks->span_s_mean), "span_s_max", number(tasks->span_s_max),
                     "prediction_factor", "first_half", number(tasks->prediction_factor_first_half),
                     "second_half", number(tasks->prediction_factor_second_half));
}

static json_t *learning_json(const struct chirr_sim_learning_figures *learning)
{
    return json_pack("{s:{s:o, s:o, s:o}, s:{s:o, s:o, s:o}, s:o, s:o}", "own", "start",
                     number(learning->own_start), "swarm", number(learning->own_now), "alone",
                     number(learning->own_alone), "heldout", "genesis",
                     number(learning->heldout_genesis), "swarm", number(learning->heldout_swarm),
                     "alone", number(learning->heldout_alone), "bytes_sensed",
                     whole(learning->bytes_sensed), "deltas_applied",
                     whole(learning->deltas_applied));
}

static json_t *network_json(const struct chirr_sim_network_counters *network)
{
    json_t *messages = json_object();
    json_t *bytes = json_object();
    json_t *dropped = json_object();
    for (int i = 0; i < CHIRR_SIM_TRAFFIC_COUNT; i++) {
        enum chirr_sim_traffic traffic = (enum chirr_sim_traffic)i;
        const char *name = chirr_sim_traffic_name(traffic);
        json_object_set_new(messages, name, whole(chirr_sim_traffic_sum(network->sent, traffic)));
        json_object_set_new(bytes, name,
                            whole(chirr_sim_traffic_sum(network->sent_bytes, traffic)));
    }
    for (int reason = 0; reason < CHIRR_SIM_DROP_COUNT; reason++) {
        json_object_set_new(dropped, chirr_sim_drop_name((enum chirr_sim_drop)reason),
                            whole(network->dropped[reason]));
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "messages", messages, "bytes", bytes, "dropped",
                     dropped, "duplicated", whole(network->duplicated));
}

static json_t *spans_json(const struct chirr_sim_spans *spans)
{
    double mean = spans->count == 0 ? NAN : (double)spans->sum_us / spans->count / 1e6;
    double max = spans->count == 0 ? NAN : (double)spans->max_us / 1e6;
    return json_pack("{s:o, s:o, s:o}", "count", whole(spans->count), "mean_s", number(mean),
                     "max_s", number(max));
}

enum chirr_err chirr_cli_json_report(const struct chirr_sim_report *report, double wall_s,
                                     FILE *out)
{
    char hash[17];
    snprintf(hash, sizeof hash, "%016" PRIx64, report->state_hash);
    json_t *violation = report->violated
                            ? json_pack("{s:o, s:s}", "at_s", number(report->violated_at_s), "what",
                                        report->violation)
                            : json_null();
    json_t *root = json_pack(
        "{s:s, s:o, s:s, s:o, s:{s:o, s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, "
        "s:o, s:o, s:o}, "
        "s:o}",
        "scenario", report->scenario, "seed", whole(report->seed), "state_hash", hash, "wall_s",
        number(wall_s), "agents", "count", whole(report->agents), "up", whole(report->agents_up),
        "members_max", whole(report->members_max), "authors_max", whole(report->authors_max),
        "node_bytes_max", whole(report->node_bytes_max), "duration_s", number(report->duration_s),
        "settled_after_s", number(report->settled_after_s), "events", whole(report->events),
        "tasks", tasks_json(&report->tasks), "bits_per_byte", learning_json(&report->learning),
        "network", network_json(&report->network), "faults", "crashes",
        whole(report->counters.crashes), "boots", whole(report->counters.boots), "detection",
        spans_json(&report->detection), "agreement", spans_json(&report->agreement), "violation",
        violation);
    if (root == NULL) {
        return CHIRR_ERR_NOMEM;
    }
    bool written = json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0 &&
                   fputc('\n', out) != EOF;
    json_decref(root);
    return written ? CHIRR_OK : CHIRR_ERR_IO;
}
