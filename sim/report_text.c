/* The report, told to people. */
#include "sim/report.h"

#include <inttypes.h>
#include <math.h>

static void print_tasks(const struct chirr_sim_report *report, FILE *out)
{
    const struct chirr_sim_task_figures *tasks = &report->tasks;
    if (tasks->submitted == 0) {
        return;
    }
    fprintf(out,
            "tasks       %u submitted: %u done, %u failed, %u cancelled, %u unfinished\n"
            "            %u done more than once, %u lost with the only disk that held them\n"
            "            waited %.1f s, took %.1f s on average, %.1f s at most\n",
            tasks->submitted, tasks->done, tasks->failed, tasks->cancelled, tasks->unfinished,
            tasks->duplicate_completions, tasks->excused, tasks->wait_s_mean, tasks->span_s_mean,
            tasks->span_s_max);
    if (isfinite(tasks->prediction_factor_first_half) &&
        isfinite(tasks->prediction_factor_second_half)) {
        fprintf(out,
                "            predictions off by ×%.2f in the first half, ×%.2f in the second\n",
                tasks->prediction_factor_first_half, tasks->prediction_factor_second_half);
    }
}

static void print_learning(const struct chirr_sim_learning_figures *learning, FILE *out)
{
    if (learning->bytes_sensed == 0) {
        return;
    }
    fprintf(out, "learning    %" PRIu64 " bytes sensed, %" PRIu64 " deltas applied\n",
            learning->bytes_sensed, learning->deltas_applied);
    if (isfinite(learning->own_start)) {
        fprintf(out, "            own text: %.2f bits per byte at the start, %.2f now",
                learning->own_start, learning->own_now);
    } else {
        fprintf(out, "            own text: %.2f bits per byte so far", learning->own_now);
    }
    if (isfinite(learning->own_alone)) {
        fprintf(out, ", %.2f alone", learning->own_alone);
    }
    fprintf(out, "\n");
    if (isfinite(learning->heldout_swarm)) {
        fprintf(out, "            held-out text of all groups: %.2f now", learning->heldout_swarm);
        if (isfinite(learning->heldout_alone)) {
            fprintf(out, ", %.2f alone, %.2f untrained", learning->heldout_alone,
                    learning->heldout_genesis);
        }
        fprintf(out, "\n");
    }
}

static void print_network(const struct chirr_sim_report *report, FILE *out)
{
    const struct chirr_sim_network_counters *network = &report->network;
    double agent_seconds = report->duration_s * report->agents;
    for (int i = 0; i < CHIRR_SIM_TRAFFIC_COUNT; i++) {
        enum chirr_sim_traffic traffic = (enum chirr_sim_traffic)i;
        uint64_t bytes = chirr_sim_traffic_sum(network->sent_bytes, traffic);
        fprintf(out, "%-12s%-12s%10" PRIu64 " messages %10.1f KiB %8.0f B/s per agent\n",
                i == 0 ? "sent" : "", chirr_sim_traffic_name(traffic),
                chirr_sim_traffic_sum(network->sent, traffic), (double)bytes / 1024,
                (double)bytes / agent_seconds);
    }
    fprintf(out, "%-12s", "dropped");
    for (int reason = 0; reason < CHIRR_SIM_DROP_COUNT; reason++) {
        fprintf(out, "%s%s %" PRIu64, reason == 0 ? "" : ", ",
                chirr_sim_drop_name((enum chirr_sim_drop)reason), network->dropped[reason]);
    }
    fprintf(out, "\n");
}

static void print_spans(const char *what, const struct chirr_sim_spans *spans, FILE *out)
{
    if (spans->count > 0) {
        fprintf(out, "%-12s%u times, after %.1f s on average, %.1f s at most\n", what, spans->count,
                (double)spans->sum_us / spans->count / 1e6, (double)spans->max_us / 1e6);
    }
}

void chirr_sim_report_print(const struct chirr_sim_report *report, double wall_s, FILE *out)
{
    fprintf(out, "scenario    %s, seed %" PRIu64 ": %u agents, %u up at the end\n",
            report->scenario, report->seed, report->agents, report->agents_up);
    fprintf(out, "time        %.0f s simulated in %.2f s (×%.0f), %" PRIu64 " events; ",
            report->duration_s, wall_s, report->duration_s / wall_s, report->events);
    fprintf(out, "at rest %.0f s after the end\n", report->settled_after_s);
    if (report->local_view) {
        fprintf(
            out,
            "local view  %u members known and records of %u authors held at most, in %.1f MiB\n",
            report->members_max, report->authors_max,
            (double)report->node_bytes_max / (1024 * 1024));
    }
    print_tasks(report, out);
    print_learning(&report->learning, out);
    print_network(report, out);
    fprintf(out, "faults      %" PRIu64 " crashes, %" PRIu64 " boots\n", report->counters.crashes,
            report->counters.boots);
    print_spans("detected", &report->detection, out);
    print_spans("agreed", &report->agreement, out);
    if (report->violated) {
        fprintf(out, "VIOLATED    at %.3f s: %s\n", report->violated_at_s, report->violation);
    } else {
        fprintf(out, "invariants  all held\n");
    }
    fprintf(out, "state hash  %016" PRIx64 "\n", report->state_hash);
}
