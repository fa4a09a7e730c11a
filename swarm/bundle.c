/* Greedy list scheduling of candidates onto slots. */
#include "swarm/bundle.h"

#include <stdlib.h>

#define SUCCESS_PERMILLE_MIN 100U

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

int64_t chirr_bundle_cost_us(const struct chirr_bundle_price *price)
{
    uint64_t limit_us = (uint64_t)chirr_time_from_ms(price->time_limit_ms);
    uint64_t careful_us =
        at_most(price->duration_us, limit_us) + at_most(price->deviation_us, limit_us) / 2;
    uint64_t success = at_most(price->success_permille, 1000);
    if (success < SUCCESS_PERMILLE_MIN) {
        success = SUCCESS_PERMILLE_MIN;
    }
    uint64_t cost_us = careful_us * 1000 / success;
    return cost_us == 0 ? 1 : (int64_t)cost_us;
}

int64_t chirr_bundle_remaining_us(int64_t expected_us, int64_t elapsed_us, int64_t limit_us)
{
    int64_t left_us = llabs(expected_us - elapsed_us);
    int64_t until_killed_us = elapsed_us < limit_us ? limit_us - elapsed_us : 0;
    return left_us < until_killed_us ? left_us : until_killed_us;
}

int64_t chirr_bundle_hold_us(const struct chirr_bundle_hold *hold)
{
    CHIRR_ASSERT(hold->cost_us > 0 && hold->lead_permille <= 1000);
    int64_t here_us = hold->cost_us + hold->wait_us;
    int64_t expected_permille = hold->cost_us * hold->lead_permille / here_us;
    return hold->window_us * (1000 - expected_permille) / 1000;
}

bool chirr_bundle_beats(int64_t bid, chirr_agent_id agent, int64_t rival_bid, chirr_agent_id rival)
{
    return bid > rival_bid || (bid == rival_bid && agent < rival);
}

static bool would_win(const struct chirr_bundle_rules *rules,
                      const struct chirr_bundle_candidate *candidate, int64_t bid)
{
    if (candidate->rival == 0) {
        return true;
    }
    int64_t margin = 0;
    if (!candidate->held) {
        margin = (candidate->premium_us - bid) / 1000 * rules->margin_permille;
    }
    return chirr_bundle_beats(bid - margin, rules->self, candidate->rival_bid, candidate->rival);
}

static size_t first_free(const int64_t *free_us, size_t slot_count)
{
    size_t first = 0;
    for (size_t i = 1; i < slot_count; i++) {
        first = free_us[i] < free_us[first] ? i : first;
    }
    return first;
}

/* Of the candidates that would be won when `wait_us` passes before they run, the one wanted most;
 * NULL when there is none. All bids shift alike as slots fill up, and what is not won now is not
 * won later either, so bids never increase from pick to pick. */
static struct chirr_bundle_candidate *pick(const struct chirr_bundle_rules *rules,
                                           struct chirr_bundle_candidate *candidates, size_t count,
                                           int64_t wait_us)
{
    struct chirr_bundle_candidate *best = NULL;
    int64_t best_bid = 0;
    for (size_t i = 0; i < count; i++) {
        struct chirr_bundle_candidate *candidate = &candidates[i];
        int64_t bid = candidate->premium_us - candidate->cost_us - wait_us;
        if (candidate->picked || !would_win(rules, candidate, bid)) {
            continue;
        }
        if (best == NULL || bid > best_bid || (bid == best_bid && candidate->task < best->task)) {
            best = candidate;
            best_bid = bid;
        }
    }
    return best;
}

void chirr_bundle_build(const struct chirr_bundle_rules *rules,
                        struct chirr_bundle_candidate *candidates, size_t count, int64_t *free_us,
                        size_t slot_count, struct chirr_claims *bundle)
{
    CHIRR_ASSERT(slot_count > 0);
    *bundle = (struct chirr_claims){0};
    while (bundle->count < rules->bundle_max) {
        size_t slot = first_free(free_us, slot_count);
        int64_t wait_us = rules->flat ? 0 : free_us[slot];
        struct chirr_bundle_candidate *best = pick(rules, candidates, count, wait_us);
        if (best == NULL) {
            break;
        }
        best->picked = true;
        free_us[slot] += best->cost_us;
        bundle->claims[bundle->count++] =
            (struct chirr_claim){.task = best->task,
                                 .epoch = best->epoch,
                                 .bid = best->premium_us - best->cost_us - wait_us};
    }
}
