#include "swarm/bundle.h"

#include <criterion/criterion.h>

#include "base/random.h"

static int64_t cost(uint64_t duration_us, uint64_t deviation_us, uint32_t success_permille)
{
    struct chirr_bundle_price price = {duration_us, deviation_us, success_permille, 1000};
    return chirr_bundle_cost_us(&price);
}

Test(bundle, a_cost_is_the_duration_when_it_is_certain)
{
    cr_assert_eq(cost(5000, 0, 1000), 5000);
    cr_assert_eq(cost(0, 0, 1000), 1, "never nothing");
}

Test(bundle, half_the_deviation_is_added_against_the_winners_curse)
{
    cr_assert_eq(cost(5000, 2000, 1000), 6000);
}

Test(bundle, what_may_fail_costs_its_expected_tries_and_at_most_ten)
{
    cr_assert_eq(cost(5000, 0, 500), 10000);
    cr_assert_eq(cost(5000, 0, 100), 50000);
    cr_assert_eq(cost(5000, 0, 0), 50000);
    cr_assert_eq(cost(5000, 0, UINT32_MAX), 5000);
}

Test(bundle, a_prediction_counts_up_to_the_time_limit)
{
    cr_assert_eq(cost(UINT64_MAX, UINT64_MAX, 1000), 1500000);
    cr_assert_lt(8 * 10 * INT64_C(1500) * 86400 * CHIRR_US_PER_MS, CHIRR_BUNDLE_PREMIUM_US * 10,
                 "the longest bundle");
}

Test(bundle, an_overdue_run_is_expected_to_take_as_long_again_as_it_is_overdue)
{
    cr_assert_eq(chirr_bundle_remaining_us(1000, 300, 9000), 700);
    cr_assert_eq(chirr_bundle_remaining_us(1000, 1000, 9000), 0);
    cr_assert_eq(chirr_bundle_remaining_us(1000, 1600, 9000), 600);
    cr_assert_eq(chirr_bundle_remaining_us(1000, 8000, 9000), 1000, "killed at its limit");
    cr_assert_eq(chirr_bundle_remaining_us(1000, 9500, 9000), 0);
}

Test(bundle, a_greater_bid_beats_and_of_equal_ones_the_smaller_id)
{
    cr_assert(chirr_bundle_beats(-5, 9, -6, 1));
    cr_assert_not(chirr_bundle_beats(-6, 1, -5, 9));
    cr_assert(chirr_bundle_beats(-5, 1, -5, 9));
    cr_assert_not(chirr_bundle_beats(-5, 9, -5, 1));
}

static const struct chirr_bundle_rules rules = {.self = 5, .bundle_max = 4};

static struct chirr_bundle_candidate candidate(chirr_task_id task, int64_t cost_us)
{
    return (struct chirr_bundle_candidate){.task = task, .cost_us = cost_us};
}

Test(bundle, bids_are_minus_the_expected_finish)
{
    struct chirr_bundle_candidate candidates[] = {candidate(1, 30), candidate(2, 10),
                                                  candidate(3, 20)};
    int64_t free_us[] = {100};
    struct chirr_claims bundle;
    chirr_bundle_build(&rules, candidates, 3, free_us, 1, &bundle);
    cr_assert_eq(bundle.count, 3);
    cr_assert_eq(bundle.claims[0].task, 2);
    cr_assert_eq(bundle.claims[0].bid, -110);
    cr_assert_eq(bundle.claims[1].task, 3);
    cr_assert_eq(bundle.claims[1].bid, -130);
    cr_assert_eq(bundle.claims[2].task, 1);
    cr_assert_eq(bundle.claims[2].bid, -160);
    cr_assert_eq(free_us[0], 160);
}

Test(bundle, the_slot_that_is_free_first_comes_next)
{
    struct chirr_bundle_candidate candidates[] = {candidate(1, 10), candidate(2, 10),
                                                  candidate(3, 10)};
    int64_t free_us[] = {15, 0};
    struct chirr_claims bundle;
    chirr_bundle_build(&rules, candidates, 3, free_us, 2, &bundle);
    cr_assert_eq(bundle.claims[0].bid, -10);
    cr_assert_eq(bundle.claims[1].bid, -20);
    cr_assert_eq(bundle.claims[2].bid, -25);
}

Test(bundle, a_greater_priority_goes_first_however_long_it_takes)
{
    struct chirr_bundle_candidate candidates[] = {candidate(1, 10), candidate(2, 864000000000)};
    candidates[1].premium_us = CHIRR_BUNDLE_PREMIUM_US;
    int64_t free_us[] = {0};
    struct chirr_claims bundle;
    chirr_bundle_build(&rules, candidates, 2, free_us, 1, &bundle);
    cr_assert_eq(bundle.claims[0].task, 2);
}

Test(bundle, what_a_rival_would_keep_is_left_alone)
{
    struct chirr_bundle_candidate candidates[] = {candidate(1, 10), candidate(2, 20),
                                                  candidate(3, 30)};
    candidates[0].rival = 9;
    candidates[0].rival_bid = -9;
    candidates[1].rival = 9;
    candidates[1].rival_bid = -20; /* a tie: 5 is the smaller id */
    candidates[2].rival = 4;
    candidates[2].rival_bid = -50; /* a tie: 4 is the smaller id */
    int64_t free_us[] = {0};
    struct chirr_claims bundle;
    chirr_bundle_build(&rules, candidates, 3, free_us, 1, &bundle);
    cr_assert_eq(bundle.count, 1);
    cr_assert_eq(bundle.claims[0].task, 2);
}

Test(bundle, the_margin_is_asked_of_what_is_not_held_alone)
{
    struct chirr_bundle_rules careful = rules;
    careful.margin_permille = 100;
    for (int held = 0; held <= 1; held++) {
        for (int64_t rival_bid = -12000; rival_bid <= -10000; rival_bid += 500) {
            struct chirr_bundle_candidate one = candidate(1, 10000);
            one.held = held;
            one.rival = 9;
            one.rival_bid = rival_bid;
            int64_t free_us[] = {0};
            struct chirr_claims bundle;
            chirr_bundle_build(&careful, &one, 1, free_us, 1, &bundle);
            cr_assert_eq(bundle.count, held || rival_bid <= -11000, "%ld", rival_bid);
        }
    }
}

Test(bundle, flat_bids_do_not_depend_on_the_bundle)
{
    struct chirr_bundle_rules flat = rules;
    flat.flat = true;
    struct chirr_bundle_candidate candidates[] = {candidate(1, 30), candidate(2, 10)};
    int64_t free_us[] = {100};
    struct chirr_claims bundle;
    chirr_bundle_build(&flat, candidates, 2, free_us, 1, &bundle);
    cr_assert_eq(bundle.claims[0].bid, -10);
    cr_assert_eq(bundle.claims[1].bid, -30);
}

Test(bundle, is_bounded_and_never_increases_over_random_candidates)
{
    const uint64_t seed = 8;
    struct chirr_random random;
    chirr_random_init(&random, seed, 0);
    for (int round = 0; round < 2000; round++) {
        struct chirr_bundle_candidate candidates[12] = {0};
        size_t count = (size_t)chirr_random_below(&random, 13);
        for (size_t i = 0; i < count; i++) {
            candidates[i] = candidate(i + 1, 1 + (int64_t)chirr_random_below(&random, 50));
            candidates[i].premium_us = (int64_t)chirr_random_below(&random, 3) * 40;
            candidates[i].rival = chirr_random_below(&random, 3);
            candidates[i].rival_bid = -(int64_t)chirr_random_below(&random, 80);
            candidates[i].held = chirr_random_below(&random, 2) == 0;
        }
        struct chirr_bundle_rules any = rules;
        any.bundle_max = 1 + (uint32_t)chirr_random_below(&random, CHIRR_CLAIMS_MAX);
        any.margin_permille = (uint32_t)chirr_random_below(&random, 300);
        int64_t free_us[3] = {0, 10, 20};
        struct chirr_claims bundle;
        chirr_bundle_build(&any, candidates, count, free_us, 3, &bundle);
        cr_assert_leq(bundle.count, any.bundle_max);
        for (uint32_t i = 1; i < bundle.count; i++) {
            cr_assert_leq(bundle.claims[i].bid, bundle.claims[i - 1].bid, "seed %lu round %d", seed,
                          round);
        }
    }
}

static int64_t hold_us(int64_t cost_us, int64_t wait_us, uint32_t lead_permille)
{
    const struct chirr_bundle_hold hold = {1000, cost_us, wait_us, lead_permille};
    return chirr_bundle_hold_us(&hold);
}

Test(bundle, who_expects_to_win_speaks_at_once_and_others_the_later_the_more_they_are_beaten)
{
    cr_assert_eq(hold_us(7, 0, 1000), 0);
    cr_assert_eq(hold_us(500, 500, 1000), 500);
    cr_assert_eq(hold_us(500, 0, 500), 500);
    cr_assert_eq(hold_us(500, 0, 250), 750);
    cr_assert_eq(hold_us(500, 0, 0), 1000);
    cr_assert_eq(hold_us(INT64_C(1000000000000), INT64_C(100000000000), 1000), 91);
}
