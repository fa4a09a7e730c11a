/* What others ask for, and what is asked of them: grafts, and digests both ways. */
#include "swarm/dissemination_state.h"

bool chirr_dissemination_affords(struct chirr_dissemination *d, chirr_agent_id payer)
{
    if (chirr_shares_allow(&d->repair_shares, payer, d->now)) {
        return true;
    }
    if (chirr_shares_are_spent(&d->repair_shares)) {
        d->counters.postponed++;
    } else {
        d->counters.over_share++;
    }
    return false;
}

static size_t count_places(const struct chirr_ring *wanted, chirr_agent_id to)
{
    size_t places = 0;
    for (size_t i = 0; i < wanted->count; i++) {
        places += ((const struct chirr_handout *)chirr_ring_at(wanted, i))->agent == to;
    }
    return places;
}

/* Nobody takes more places than are left, so there is one left for who comes next, and the more
 * there are the less each has. */
void chirr_dissemination_want(struct chirr_dissemination *d,
                              const struct chirr_digest_entry *statements, uint32_t count,
                              chirr_agent_id to)
{
    size_t places = count_places(&d->wanted, to);
    for (uint32_t i = 0; i < count; i++) {
        const struct chirr_handout wanted = {statements[i], to};
        size_t left = d->wanted.capacity - d->wanted.count;
        if (left > 0 && places >= left) {
            d->counters.over_share++;
        } else if (chirr_ring_push(&d->wanted, &wanted)) {
            places++;
        } else {
            d->counters.dropped++;
        }
    }
}

void chirr_dissemination_hear_graft(struct chirr_dissemination *d, chirr_agent_id from,
                                    const struct chirr_have *have)
{
    chirr_tree_grafted(d->tree, from, have);
    chirr_dissemination_want(d, have->entries, have->count, from);
}

/* One digest serves both who waits and who comes. `to` pays for it if it caused either: its share
 * has to bear that one anyway, and self's must never be spent on what another caused. */
static void send_digest(struct chirr_dissemination *d, struct chirr_errand errand)
{
    for (size_t i = 0; i < d->errands.count; i++) {
        struct chirr_errand *waiting = chirr_ring_at(&d->errands, i);
        if (waiting->to == errand.to && (waiting->buckets == 0) == (errand.buckets == 0)) {
            waiting->buckets |= errand.buckets;
            waiting->answer_wanted = waiting->answer_wanted || errand.answer_wanted;
            waiting->payer = errand.payer == errand.to ? errand.to : waiting->payer;
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
        send_digest(d, (struct chirr_errand){to, d->config.self, true, 0});
    }
}

void chirr_dissemination_follow_up(struct chirr_dissemination *d, chirr_agent_id from)
{
    if (chirr_dissemination_affords(d, from)) {
        send_digest(d, (struct chirr_errand){from, from, true, 0});
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
        send_digest(d, (struct chirr_errand){from, from, false, digest->buckets});
    }
}

void chirr_dissemination_hear_digest(struct chirr_dissemination *d, chirr_agent_id from,
                                     const struct chirr_digest_message *digest)
{
    if (!chirr_dissemination_affords(d, from)) {
        return; /* it will ask again */
    }
    if (digest->summary_count == 0) {
        receive_entries(d, from, digest);
        return;
    }
    uint64_t different = chirr_repair_compare(d->store, d->config.local, digest);
    if (different != 0) {
        send_digest(d, (struct chirr_errand){from, from, true, different});
    }
}
