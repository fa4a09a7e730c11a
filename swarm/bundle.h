/* The arithmetic of bundles: prices to costs, costs to bids, candidates to a bundle.
 *
 * Source: Choi, Brunet, How 2009, section IV-A (Algorithm 3). A bid is premium − (expected time
 * until the task would be done here). What is appended can only start later, so a task is worth
 * less the longer the bundle before it (diminishing marginal gain), and the claims that result from
 * everybody building so are those of the sequential greedy assignment.
 *
 * Pure functions, no state, integers only. */
#ifndef CHIRR_SWARM_BUNDLE_H
#define CHIRR_SWARM_BUNDLE_H

#include "base/time.h"
#include "proto/message.h"

/* Between two neighbouring priorities, µs: more than any bundle can last (8 tasks of a day each,
 * ten times over for their risk), so that a greater priority always goes first. */
#define CHIRR_BUNDLE_PREMIUM_US INT64_C(10000000000000)

/* What a task that could not be started here is put back by, µs: behind everybody else's bid for
 * the same task, before anything of a smaller priority. */
#define CHIRR_BUNDLE_HANDICAP_US INT64_C(1000000000000)

struct chirr_bundle_price {
    uint64_t duration_us;
    uint64_t deviation_us;
    uint32_t success_permille;
    uint32_t time_limit_ms;
};

/* What a run is expected to take, for bidding, >= 1 µs: (duration + deviation / 2) / success.
 * Half the deviation, because whoever wins an auction tends to be who underestimated most (the
 * winner's curse); over the chance of success, because what fails has to be tried again. Duration
 * and deviation count up to the time limit, at which a run is killed; a chance below a tenth counts
 * as a tenth. */
int64_t chirr_bundle_cost_us(const struct chirr_bundle_price *price);

/* What a run is expected to take from now on: what is left of `expected_us`; of a run that is
 * overdue by x another x; never past its time limit. */
int64_t chirr_bundle_remaining_us(int64_t expected_us, int64_t elapsed_us, int64_t limit_us);

struct chirr_bundle_candidate {
    chirr_task_id task;
    uint32_t epoch;
    bool held;   /* claimed by self already */
    bool picked; /* false; set when it is in the bundle */
    int64_t premium_us;
    int64_t cost_us;
    chirr_agent_id rival; /* who else claims it with the greatest bid; 0: nobody */
    int64_t rival_bid;
};

struct chirr_bundle_rules {
    chirr_agent_id self;
    uint32_t bundle_max; /* 1…CHIRR_CLAIMS_MAX */
    /* By how much of its cost a bid must exceed the rival's to take what is not held. */
    uint32_t margin_permille;
    /* A bid is premium − cost, whatever stands before it in the bundle. */
    bool flat;
};

/* How long to hold a first bid on a task back, µs: window × (1 − expected / here), where `here` is
 * the time of the own bid, cost and wait, and `expected` that of whoever will win it: what tasks
 * were won at so far, as a part of what they would have cost here, of this one's cost. So whoever
 * expects to win speaks at once, who expects to be beaten by a factor of two waits half the window
 * (and finds it claimed), and nobody waits longer than the window. */
struct chirr_bundle_hold {
    int64_t window_us;
    int64_t cost_us;        /* >= 1, as wait_us far from overflow when a thousand times as great */
    int64_t wait_us;        /* before it could start here */
    uint32_t lead_permille; /* 0…1,000 */
};
int64_t chirr_bundle_hold_us(const struct chirr_bundle_hold *hold);

/* Does a bid of one agent win over that of another? A greater bid does, of equal ones the smaller
 * id's. */
bool chirr_bundle_beats(int64_t bid, chirr_agent_id agent, int64_t rival_bid, chirr_agent_id rival);

/* Greedily builds a bundle: of the candidates that it would win, the one with the greatest bid
 * next, to run in the slot that is free first; of equal ones the smaller task id. Bids never
 * increase along it. `free_us` [slot_count >= 1] says how long each slot stays busy and is changed
 * to when the bundle would be done. */
void chirr_bundle_build(const struct chirr_bundle_rules *rules,
                        struct chirr_bundle_candidate *candidates, size_t count, int64_t *free_us,
                        size_t slot_count, struct chirr_claims *bundle);

#endif
