/* The lists: whoever adds a counter of drops enters it here and in docs/control.md. */
#include "agent/node_drops.h"

#define ADD(reasons, list) chirr_reasons_add(reasons, list, sizeof(list) / sizeof((list)[0]))

void chirr_reasons_add(struct chirr_reasons *reasons, const struct chirr_reason *list, size_t count)
{
    CHIRR_ASSERT(count <= CHIRR_REASONS_MAX - reasons->count);
    for (size_t i = 0; i < count; i++) {
        reasons->list[reasons->count++] = list[i];
    }
}

uint64_t chirr_reasons_sum(const struct chirr_reasons *reasons)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < reasons->count; i++) {
        sum += reasons->list[i].count;
    }
    return sum;
}

void chirr_node_counts(const struct chirr_node *node, struct chirr_node_counts *counts)
{
    *counts = (struct chirr_node_counts){
        .node = *chirr_node_count(node),
        .membership = *chirr_membership_count_events(chirr_node_membership(node)),
        .overlay = *chirr_overlay_count_events(chirr_node_overlay(node)),
        .gossip = chirr_dissemination_count(chirr_node_dissemination(node)),
        .records = *chirr_records_count(chirr_node_records(node)),
        .ledger = *chirr_ledger_count(chirr_node_ledger(node)),
    };
}

static void add_views(const struct chirr_node_counts *counts, struct chirr_reasons *reasons)
{
    const struct chirr_node_counters *node = &counts->node;
    const struct chirr_membership_counters *membership = &counts->membership;
    const struct chirr_overlay_counters *overlay = &counts->overlay;
    const struct chirr_reason list[] = {
        {"node_strays", node->strays},
        {"node_replayed", node->replayed},
        {"node_leases_full", node->leases_full},
        {"node_unadmitted", node->unadmitted},
        {"node_unreachable", node->unreachable},
        {"node_relays", node->relays_dropped},
        {"node_interrupted", node->interrupted},
        {"membership_strangers", membership->strangers},
        {"membership_unproven", membership->unproven},
        {"membership_accusers", membership->accusers},
        {"membership_unasked", membership->unasked},
        {"membership_misdirected", membership->misdirected},
        {"membership_queue", membership->dropped},
        {"membership_unpushed", membership->unpushed},
        {"membership_evictions", membership->evictions},
        {"overlay_inconsistent", overlay->inconsistent},
        {"overlay_strangers", overlay->strangers},
        {"overlay_walks_ended", overlay->walks_ended},
        {"overlay_held_off", overlay->held_off},
        {"overlay_unanswered", overlay->unanswered},
        {"overlay_deaf", overlay->deaf},
        {"overlay_links_evicted", overlay->links_evicted},
        {"overlay_queue", overlay->dropped},
    };
    ADD(reasons, list);
}

static void add_statements(const struct chirr_node_counts *counts, struct chirr_reasons *reasons)
{
    const struct chirr_dissemination_counters *gossip = &counts->gossip;
    const struct chirr_records_counters *records = &counts->records;
    const struct chirr_ledger_counters *ledger = &counts->ledger;
    const struct chirr_reason list[] = {
        {"gossip_refused", gossip->refused},
        {"gossip_passed_over", gossip->passed_over},
        {"gossip_gone", gossip->gone},
        {"gossip_overflows", gossip->overflows},
        {"gossip_queue", gossip->dropped},
        {"gossip_postponed", gossip->postponed},
        {"gossip_over_share", gossip->over_share},
        {"gossip_askers_forgotten", gossip->askers_forgotten},
        {"gossip_strangers", gossip->tree.strangers},
        {"gossip_announcements", gossip->tree.dropped},
        {"gossip_given_up", gossip->tree.given_up},
        {"records_refused", records->refused},
        {"records_equivocations", records->equivocations},
        {"records_forgotten", records->forgotten},
        {"records_authors_forgotten", records->evicted},
        {"deltas_oversized", ledger->oversized},
        {"deltas_stale", ledger->stale},
        {"deltas_other_lineage", ledger->other_lineage},
        {"deltas_not_hosted", ledger->not_hosted},
        {"deltas_refused_full", ledger->refused_full},
        {"deltas_quarantined", ledger->quarantined},
        {"deltas_withheld", ledger->withheld},
        {"deltas_origins_forgotten", ledger->evicted},
        {"deltas_quarantine_full", ledger->quarantine_full},
    };
    ADD(reasons, list);
}

void chirr_node_drops(const struct chirr_node_counts *counts, struct chirr_reasons *reasons)
{
    add_views(counts, reasons);
    add_statements(counts, reasons);
}

void chirr_node_repeats(const struct chirr_node_counts *counts, struct chirr_reasons *reasons)
{
    const struct chirr_records_counters *records = &counts->records;
    const struct chirr_dissemination_counters *gossip = &counts->gossip;
    const struct chirr_reason list[] = {
        {"records", records->known + records->dominated + gossip->own + gossip->ended},
        {"marks", gossip->unechoed},
        {"deltas", counts->ledger.repeats},
    };
    ADD(reasons, list);
}
