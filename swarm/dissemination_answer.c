/* What others ask for, and what is asked of them: grafts, and digests both ways. */
#include "swarm/dissemination_state.h"

void chirr_dissemination_want(struct chirr_dissemination *d,
                              const struct chirr_digest_entry *statement, chirr_agent_id to)
{
    const struct chirr_handout wanted = {*statement, to};
    d->counters.dropped += !chirr_ring_push(&d->wanted, &wanted);
}

void chirr_dissemination_hear_graft(struct chirr_dissemination *d, chirr_agent_id from,
                                    const struct chirr_have *have)
{
    chirr_tree_lost(d->tree, d->now);
    for (uint32_t i = 0; i < have->count; i++) {
        chirr_dissemination_want(d, &have->entries[i], from);
    }
}

static void send_digest(struct chirr_dissemination *d, struct chirr_errand errand)
{
    for (size_t i = 0; i < d->errands.count; i++) {
        struct chirr_errand *waiting = chirr_ring_at(&d->errands, i);
        if (waiting->to == errand.to && (waiting->buckets == 0) == (errand.buckets == 0)) {
            waiting->buckets |= errand.buckets;
            waiting->answer_wanted = waiting->answer_wanted || errand.answer_wanted;
            return;
        }
    }
    if (!chirr_ring_push(&d->errands, &errand)) {
        d->counters.dropped++;
    }
}

void chirr_dissemination_ask(struct chirr_dissemination *d, chirr_agent_id to)
{
    if (to != 0 && to != d->config.self) {
        send_digest(d, (struct chirr_errand){to, true, 0});
    }
}

/* One answer waits at a time: who drives this polls after every input. */
static void receive_entries(struct chirr_dissemination *d, chirr_agent_id from,
                            const struct chirr_digest_message *digest)
{
    if (d->answer_due) {
        d->counters.dropped++;
    } else if (d->config.local && chirr_repair_find(digest->entries, digest->count, from) == NULL) {
        d->counters.refused++; /* it could not tell the answer from a push */
    } else {
        d->answer_to = from;
        d->answer_due =
            d->config.local
                ? chirr_repair_answer_live(&d->answer, d->store, &d->random, from, digest)
                : chirr_repair_answer(&d->answer, d->store, &d->random, from, digest);
    }
    if (digest->answer_wanted) {
        send_digest(d, (struct chirr_errand){from, false, digest->buckets});
    }
}

void chirr_dissemination_hear_digest(struct chirr_dissemination *d, chirr_agent_id from,
                                     const struct chirr_digest_message *digest)
{
    if (!chirr_budget_allows(&d->repair_budget, d->now)) {
        d->counters.postponed++; /* it will ask again */
        return;
    }
    if (digest->summary_count == 0) {
        receive_entries(d, from, digest);
        return;
    }
    uint64_t different = chirr_repair_compare(d->store, d->config.local, digest);
    if (different != 0) {
        send_digest(d, (struct chirr_errand){from, true, different});
    }
}
