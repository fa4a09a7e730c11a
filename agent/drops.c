/* Every place that drops, refuses or forgets, by reason: whoever adds one lists it here and in
 * docs/control.md. Repeats are none of it: what gossip brings over several ways is handled once,
 * and the copies are counted apart. */
#include "agent/process.h"

struct drop {
    const char *name;
    uint64_t count;
};

static void put(json_t *drops, const struct drop *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_object_set_new(drops, list[i].name, json_integer((json_int_t)list[i].count));
    }
}
#define PUT(drops, list) put(drops, list, sizeof(list) / sizeof((list)[0]))

static void put_transport(json_t *drops, const struct chirr_agent *agent)
{
    const struct chirr_transport_counters *wire = chirr_transport_count(agent->transport);
    for (int reason = 0; reason < CHIRR_DROP_COUNT; reason++) {
        struct drop drop = {chirr_transport_drop_name(reason), wire->dropped[reason]};
        put(drops, &drop, 1);
    }
}

static void put_swarm(json_t *drops, const struct chirr_node *node)
{
    const struct chirr_node_counters *counters = chirr_node_count(node);
    const struct chirr_membership_counters *membership =
        chirr_membership_count_events(chirr_node_membership(node));
    const struct chirr_overlay_counters *overlay =
        chirr_overlay_count_events(chirr_node_overlay(node));
    const struct chirr_dissemination_counters gossip =
        chirr_dissemination_count(chirr_node_dissemination(node));
    const struct chirr_records_counters *records = chirr_records_count(chirr_node_records(node));
    const struct chirr_ledger_counters *ledger = chirr_ledger_count(chirr_node_ledger(node));
    const struct drop list[] = {
        {"node_refused", counters->refused},
        {"node_unreachable", counters->unreachable},
        {"node_relays", counters->relays_dropped},
        {"node_interrupted", counters->interrupted},
        {"membership_strangers", membership->strangers},
        {"membership_unproven", membership->unproven},
        {"membership_queue", membership->dropped},
        {"membership_unpushed", membership->unpushed},
        {"membership_evictions", membership->evictions},
        {"overlay_cards", overlay->refused},
        {"overlay_held_off", overlay->held_off},
        {"overlay_unanswered", overlay->unanswered},
        {"overlay_strangers", overlay->strangers},
        {"overlay_links_evicted", overlay->links_evicted},
        {"overlay_queue", overlay->dropped},
        {"gossip_overflows", gossip.overflows},
        {"gossip_queue", gossip.dropped},
        {"gossip_postponed", gossip.postponed},
        {"gossip_announcements", gossip.tree.dropped},
        {"gossip_given_up", gossip.tree.given_up},
        {"records_refused", records->refused},
        {"records_equivocations", records->equivocations},
        {"records_forgotten", records->forgotten},
        {"records_authors_forgotten", records->evicted},
        {"deltas_stale", ledger->stale},
        {"deltas_other_lineage", ledger->other_lineage},
        {"deltas_not_hosted", ledger->not_hosted},
        {"deltas_refused_full", ledger->refused_full},
        {"deltas_quarantined", ledger->quarantined},
        {"deltas_origins_forgotten", ledger->evicted},
        {"deltas_quarantine_full", ledger->quarantine_full},
    };
    PUT(drops, list);
}

static const struct chirr_beacon_counters *count_beacons(const struct chirr_agent *agent)
{
    static const struct chirr_beacon_counters none;
    return agent->beacon == NULL ? &none : chirr_beacon_count(agent->beacon);
}

static void put_beacon(json_t *drops, const struct chirr_agent *agent)
{
    const struct chirr_beacon_counters *counters = count_beacons(agent);
    const struct drop list[] = {
        {"beacon_unsent", counters->unsent},
        {"beacon_malformed", counters->malformed},
        {"beacon_other_swarm", counters->other_swarm},
        {"beacon_untrusted", counters->untrusted},
        {"beacon_signature", counters->signature},
        {"beacon_stale", counters->stale},
        {"beacon_too_many", counters->too_many},
        {"beacon_refused", agent->counters.meetings_refused},
    };
    PUT(drops, list);
}

static void put_process(json_t *drops, const struct chirr_agent *agent)
{
    const struct chirr_process_counters *counters = &agent->counters;
    const struct drop list[] = {
        {"connects_refused", counters->connects_refused},
        {"listens_refused", counters->listens_refused},
        {"unsigned", counters->unsigned_dropped},
        {"starts_refused", counters->starts_refused},
        {"store_failures", counters->store_failures},
        {"trust_refused", counters->trust_refused},
        {"keyring_failures", counters->keyring_failures},
        {"control_waiters_full", counters->waiters_refused},
        {"control_malformed", chirr_control_malformed(agent->control)},
        {"control_requests_failed", counters->requests_failed},
        {"executor_output_bytes", chirr_executor_count(agent->executor)->discarded_bytes},
    };
    PUT(drops, list);
}

static void put_learner(json_t *drops, const struct chirr_agent *agent)
{
    const struct chirr_source_counters *senses = &agent->status.senses;
    struct chirr_learner_thread_counters thread = {0};
    if (agent->learner != NULL) {
        chirr_learner_thread_count(agent->learner, &thread);
    }
    const struct drop list[] = {
        {"learner_requests_full", thread.requests_refused},
        {"learner_reports_full", thread.reports_refused},
        {"learner_replies", agent->counters.replies_dropped},
        {"learner_prices", agent->counters.prices_unanswered},
        {"learner_knowledge", agent->counters.knowledge_unposted},
        {"sense_files_unreadable", senses->files_unreadable},
        {"sense_files_binary", senses->files_binary},
        {"sense_files_misfit", senses->files_misfit},
        {"sense_files_over_limit", senses->files_dropped},
        {"sense_restarts", senses->restarts},
    };
    PUT(drops, list);
}

json_t *chirr_process_drops(const struct chirr_agent *agent)
{
    json_t *drops = json_object();
    put_transport(drops, agent);
    put_swarm(drops, agent->node);
    put_beacon(drops, agent);
    put_process(drops, agent);
    put_learner(drops, agent);
    return drops;
}

json_t *chirr_process_repeats(const struct chirr_agent *agent)
{
    const struct chirr_records_counters *records =
        chirr_records_count(chirr_node_records(agent->node));
    const struct chirr_beacon_counters *beacons = count_beacons(agent);
    const struct drop list[] = {
        {"records", records->known + records->dominated},
        {"deltas", chirr_ledger_count(chirr_node_ledger(agent->node))->repeats},
        {"beacons", beacons->known + beacons->own},
    };
    json_t *repeats = json_object();
    PUT(repeats, list);
    return repeats;
}
