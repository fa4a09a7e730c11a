/* What a node's machines dropped, refused or forgot, by reason, and what came again.
 *
 * A reason is one counter of one machine: whatever is lost is counted where that happens and
 * nowhere else, so that the sum of all reasons is how much was lost. A counter that is neither here
 * nor in drops.c, and not named as none in tests/agent/test_drops.c, fails that test.
 *
 * Pure functions of plain data. Not thread-safe. */
#ifndef CHIRR_AGENT_NODE_DROPS_H
#define CHIRR_AGENT_NODE_DROPS_H

#include "agent/node.h"

#define CHIRR_REASONS_MAX 128

struct chirr_reason {
    const char *name; /* static */
    uint64_t count;
};

struct chirr_reasons {
    uint32_t count;
    struct chirr_reason list[CHIRR_REASONS_MAX];
};
void chirr_reasons_add(struct chirr_reasons *reasons, const struct chirr_reason *list,
                       size_t count);
uint64_t chirr_reasons_sum(const struct chirr_reasons *reasons);

struct chirr_node_counts {
    struct chirr_node_counters node;
    struct chirr_membership_counters membership;
    struct chirr_overlay_counters overlay;
    struct chirr_dissemination_counters gossip;
    struct chirr_records_counters records;
    struct chirr_ledger_counters ledger;
};
void chirr_node_counts(const struct chirr_node *node, struct chirr_node_counts *counts);

/* Both add to `reasons`. */
void chirr_node_drops(const struct chirr_node_counts *counts, struct chirr_reasons *reasons);
void chirr_node_repeats(const struct chirr_node_counts *counts, struct chirr_reasons *reasons);

#endif
