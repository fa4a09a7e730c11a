/* Every place that drops, refuses or forgets, by reason: whoever adds one lists it here, or in
 * node_drops.c, and in docs/control.md. Each is counted once: what one part hands to another and
 * that one refuses is the other's. Repeats are none of it: what gossip brings over several ways is
 * handled once, and the copies are counted apart. */
#include "agent/process.h"

#define ADD(reasons, list) chirr_reasons_add(reasons, list, sizeof(list) / sizeof((list)[0]))

/* ---- What counts --------------------------------------------------------------------------- */

void chirr_process_count(const struct chirr_agent *agent, struct chirr_process_counts *counts)
{
    *counts = (struct chirr_process_counts){
        .transport = *chirr_transport_count(agent->transport),
        .process = agent->counters,
        .executor = *chirr_executor_count(agent->executor),
        .store = *chirr_store_count(agent->store),
        .senses = agent->status.senses,
        .learner_refused = agent->status.learner.refused,
        .control_malformed = chirr_control_malformed(agent->control),
    };
    chirr_node_counts(agent->node, &counts->node);
    if (agent->beacon != NULL) {
        counts->beacon = *chirr_beacon_count(agent->beacon);
    }
    if (agent->learner != NULL) {
        chirr_learner_thread_count(agent->learner, &counts->learner);
    }
}

/* ---- Reasons ------------------------------------------------------------------------------- */

static void add_transport(const struct chirr_transport_counters *wire,
                          struct chirr_reasons *reasons)
{
    for (int reason = 0; reason < CHIRR_DROP_COUNT; reason++) {
        const struct chirr_reason drop = {chirr_transport_drop_name(reason), wire->dropped[reason]};
        chirr_reasons_add(reasons, &drop, 1);
    }
}

static void add_beacon(const struct chirr_beacon_counters *counters, struct chirr_reasons *reasons)
{
    const struct chirr_reason list[] = {
        {"beacon_unsent", counters->unsent},           {"beacon_malformed", counters->malformed},
        {"beacon_other_swarm", counters->other_swarm}, {"beacon_untrusted", counters->untrusted},
        {"beacon_signature", counters->signature},     {"beacon_stale", counters->stale},
        {"beacon_too_many", counters->too_many},
    };
    ADD(reasons, list);
}

static void add_process(const struct chirr_process_counts *counts, struct chirr_reasons *reasons)
{
    const struct chirr_process_counters *process = &counts->process;
    const struct chirr_reason list[] = {
        {"connects_refused", process->connects_refused},
        {"listens_refused", process->listens_refused},
        {"unsigned", process->unsigned_dropped},
        {"starts_refused", process->starts_refused},
        {"store_failures", process->store_failures},
        {"store_undecodable", counts->store.undecodable},
        {"store_forgotten", counts->store.forgotten_tasks + counts->store.forgotten_outcomes},
        {"trust_refused", process->trust_refused},
        {"keyring_failures", process->keyring_failures},
        {"control_waiters_full", process->waiters_refused},
        {"control_malformed", counts->control_malformed},
        {"control_requests_failed", process->requests_failed},
        {"executor_output_bytes", counts->executor.discarded_bytes},
    };
    ADD(reasons, list);
}

static void add_learner(const struct chirr_process_counts *counts, struct chirr_reasons *reasons)
{
    const struct chirr_process_counters *process = &counts->process;
    const struct chirr_source_counters *senses = &counts->senses;
    const struct chirr_reason list[] = {
        {"learner_prices", process->prices_unanswered},
        {"learner_knowledge", process->knowledge_unposted},
        {"learner_texts", process->texts_unposted},
        {"learner_refused", counts->learner_refused},
        {"learner_reports_full", counts->learner.reports_refused},
        {"learner_replies", process->replies_dropped},
        {"sense_files_unreadable", senses->files_unreadable},
        {"sense_files_binary", senses->files_binary},
        {"sense_files_misfit", senses->files_misfit},
        {"sense_files_over_limit", senses->files_dropped},
        {"sense_errors", senses->errors},
        {"sense_restarts", senses->restarts},
    };
    ADD(reasons, list);
}

void chirr_process_drops(const struct chirr_process_counts *counts, struct chirr_reasons *reasons)
{
    add_transport(&counts->transport, reasons);
    chirr_node_drops(&counts->node, reasons);
    add_beacon(&counts->beacon, reasons);
    add_process(counts, reasons);
    add_learner(counts, reasons);
}

void chirr_process_repeats(const struct chirr_process_counts *counts, struct chirr_reasons *reasons)
{
    const struct chirr_reason beacons = {"beacons", counts->beacon.known + counts->beacon.own};
    chirr_node_repeats(&counts->node, reasons);
    chirr_reasons_add(reasons, &beacons, 1);
}
