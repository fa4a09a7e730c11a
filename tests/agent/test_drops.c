/* Whatever a part counts as dropped is among the reasons, once. */
#include <criterion/criterion.h>
#include <string.h>

#include "agent/process.h"
#include "agent/snapshot.h"

#define FIELD_BYTES(field) sizeof(((struct chirr_process_counts *)0)->field)
#define NONE(field)                                                                                \
    {                                                                                              \
        offsetof(struct chirr_process_counts, field), FIELD_BYTES(field)                           \
    }

struct extent {
    size_t at;
    size_t bytes;
};

/* Counters of what is no loss, or that another one tells, too. */
static const struct extent none[] = {
    NONE(node.node.received),
    NONE(node.node.refused),  /* all together: who refused it counts it */
    NONE(node.node.unstated), /* the records count why */
    NONE(node.node.clock_steps_back),
    NONE(node.node.leases_begun),
    NONE(node.node.incarnations_proven),
    NONE(node.node.strangers), /* authors: the records count them; members: of no message */
    NONE(node.node.tasks_submitted),
    NONE(node.node.tasks_done_here),
    NONE(node.node.tasks_failed_here),

    NONE(node.membership.probes),
    NONE(node.membership.indirect_probes),
    NONE(node.membership.dead_probes),
    NONE(node.membership.inquiries),
    NONE(node.membership.nacks),
    NONE(node.membership.suspicions),
    NONE(node.membership.confirmations),
    NONE(node.membership.deaths),
    NONE(node.membership.refutations),
    NONE(node.membership.verdicts),
    NONE(node.membership.pauses),

    NONE(node.overlay.joins),
    NONE(node.overlay.forwards),
    NONE(node.overlay.shuffles),
    NONE(node.overlay.requests),
    NONE(node.overlay.refusals),
    NONE(node.overlay.disconnects),
    NONE(node.overlay.refused), /* the node counts whom it does not admit */
    NONE(node.overlay.evictions),

    NONE(node.gossip.pushed_records),
    NONE(node.gossip.relayed_records),
    NONE(node.gossip.grafted_records),
    NONE(node.gossip.answered_records),
    NONE(node.gossip.first_deliveries),
    NONE(node.gossip.duplicates), /* of the same records the store counts the repeats */
    NONE(node.gossip.restated),
    NONE(node.gossip.tree.prunes),
    NONE(node.gossip.tree.grafts),
    NONE(node.gossip.tree.announced),
    NONE(node.gossip.tree.asked),

    NONE(node.records.joined),
    NONE(node.ledger.applied),
    NONE(node.ledger.late),

    NONE(transport.sent_messages),
    NONE(transport.sent_bytes),
    NONE(transport.received_messages),
    NONE(transport.received_bytes),
    NONE(transport.signatures_verified),
    NONE(transport.signatures_known),
    NONE(transport.sent_bytes_by_kind),
    NONE(transport.received_bytes_by_kind),

    NONE(beacon.sent),
    NONE(beacon.met),

    NONE(process.deltas_out),
    NONE(process.requests),
    NONE(process.turns),
    NONE(process.lag_us_max),
    NONE(process.turn_us_max),

    NONE(executor.running),
    NONE(executor.started),
    NONE(executor.ended),
    NONE(executor.refused_full), /* starts_refused */
    NONE(executor.not_started),  /* a result that the swarm is told, as are the next three */
    NONE(executor.timeouts),
    NONE(executor.stopped),
    NONE(executor.killed),
    NONE(executor.output_bytes),
    NONE(executor.guard_failures),
    NONE(executor.directories_removed),

    NONE(store.records),
    NONE(store.ended_tasks),
    NONE(store.outcomes),
    NONE(store.saved),
    NONE(store.refused_full), /* store_failures */

    NONE(learner.requests_refused), /* whoever posted it counts it */

    NONE(senses.bytes),
    NONE(senses.vectors),
    NONE(senses.files),
    NONE(senses.rounds),
    NONE(senses.files_empty),
    NONE(senses.missing), /* components of a vector, which is learned without them */
};

static const struct {
    const char *name;
    struct extent extent;
} parts[] = {{"node", NONE(node.node)},
             {"membership", NONE(node.membership)},
             {"overlay", NONE(node.overlay)},
             {"dissemination", NONE(node.gossip)},
             {"records", NONE(node.records)},
             {"ledger", NONE(node.ledger)},
             {"transport", NONE(transport)},
             {"beacon", NONE(beacon)},
             {"process", NONE(process)},
             {"executor", NONE(executor)},
             {"store", NONE(store)},
             {"learner_thread", NONE(learner)},
             {"source (sense.h)", NONE(senses)}};

static bool holds(const struct extent *extent, size_t at)
{
    return at >= extent->at && at < extent->at + extent->bytes;
}

static uint64_t expected_at(size_t at)
{
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        if (holds(&none[i], at)) {
            return 0;
        }
    }
    return 1;
}

static const char *part_at(size_t at, size_t *word)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (holds(&parts[i].extent, at)) {
            *word = (at - parts[i].extent.at) / sizeof(uint64_t);
            return parts[i].name;
        }
    }
    *word = at / sizeof(uint64_t);
    return "process";
}

/* A new counter is found by its place, whatever it is called: it has to be a reason in
 * node_drops.c or drops.c, or to be named above. */
Test(drops, every_counter_is_told_once_or_is_named_here_as_no_drop)
{
    static struct chirr_process_counts counts;
    _Static_assert(sizeof counts % sizeof(uint64_t) == 0, "counters of 64 bits alone");
    for (size_t at = 0; at < sizeof counts; at += sizeof(uint64_t)) {
        const uint64_t one = 1;
        struct chirr_reasons drops = {0};
        struct chirr_reasons repeats = {0};
        size_t word;
        memset(&counts, 0, sizeof counts);
        memcpy((uint8_t *)&counts + at, &one, sizeof one);
        chirr_process_drops(&counts, &drops);
        chirr_process_repeats(&counts, &repeats);
        const char *part = part_at(at, &word);
        cr_expect_eq(
            chirr_reasons_sum(&drops) + chirr_reasons_sum(&repeats), expected_at(at),
            "number %zu of struct chirr_%s_counters is told %d times: a drop goes into the "
            "lists of agent/, anything else is named in this file",
            word, part, (int)(chirr_reasons_sum(&drops) + chirr_reasons_sum(&repeats)));
    }
}

Test(drops, what_comes_again_is_a_repeat_and_no_drop)
{
    static struct chirr_process_counts counts = {
        .node = {.records = {.known = 1, .dominated = 1},
                 .gossip = {.own = 1, .ended = 1, .unechoed = 1},
                 .ledger = {.repeats = 1}},
        .beacon = {.known = 1, .own = 1},
    };
    struct chirr_reasons drops = {0};
    struct chirr_reasons repeats = {0};
    chirr_process_drops(&counts, &drops);
    chirr_process_repeats(&counts, &repeats);
    cr_assert_eq(chirr_reasons_sum(&drops), 0);
    cr_assert_eq(chirr_reasons_sum(&repeats), 8);
}

Test(drops, every_reason_has_a_name_of_its_own_that_fits_the_summary)
{
    static const struct chirr_process_counts counts;
    struct chirr_reasons drops = {0};
    chirr_process_drops(&counts, &drops);
    for (uint32_t i = 0; i < drops.count; i++) {
        cr_expect_lt(strlen(drops.list[i].name), CHIRR_SNAPSHOT_REASON_BYTES_MAX);
        for (uint32_t j = 0; j < i; j++) {
            cr_expect_str_neq(drops.list[i].name, drops.list[j].name);
        }
    }
}
