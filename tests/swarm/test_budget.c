/* The token bucket. */
#include "swarm/budget.h"

#include <criterion/criterion.h>

#include "base/random.h"

Test(budget, a_burst_passes_and_then_no_more_than_the_rate)
{
    struct chirr_budget budget;
    chirr_budget_init(&budget, 1000, 5000, 0);
    uint64_t passed = 0;
    for (chirr_time_us now = 0; now <= 10 * CHIRR_US_PER_S; now += 777) {
        if (chirr_budget_allows(&budget, now)) {
            chirr_budget_spend(&budget, 100);
            passed += 100;
        }
    }
    cr_assert_leq(passed, 5000 + 10 * 1000 + 100);
    cr_assert_geq(passed, 5000 + 10 * 1000 - 100);
}

Test(budget, a_debt_is_paid_before_the_next_message)
{
    struct chirr_budget budget;
    chirr_budget_init(&budget, 1000, 100, 0);
    cr_assert(chirr_budget_allows(&budget, 0));
    chirr_budget_spend(&budget, 2100);
    chirr_time_us ready_at = chirr_budget_ready_at(&budget);
    cr_assert_eq(ready_at, 2 * CHIRR_US_PER_S + CHIRR_US_PER_MS);
    cr_assert_not(chirr_budget_allows(&budget, ready_at - 1));
    cr_assert(chirr_budget_allows(&budget, ready_at));
}

Test(budget, it_is_ready_exactly_when_it_says_so)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct chirr_random random;
        chirr_random_init(&random, seed, 0);
        struct chirr_budget budget;
        chirr_budget_init(&budget, 1 + (uint32_t)chirr_random_below(&random, 5000),
                          1 + (uint32_t)chirr_random_below(&random, 5000), 0);
        chirr_time_us now = 0;
        for (int i = 0; i < 50; i++) {
            chirr_budget_spend(&budget, chirr_random_below(&random, 3000));
            now += (chirr_time_us)chirr_random_below(&random, 50000);
            if (!chirr_budget_allows(&budget, now)) {
                chirr_time_us ready_at = chirr_budget_ready_at(&budget);
                cr_assert_not(chirr_budget_allows(&budget, ready_at - 1), "seed %llu",
                              (unsigned long long)seed);
                cr_assert(chirr_budget_allows(&budget, ready_at), "seed %llu",
                          (unsigned long long)seed);
                now = ready_at;
            }
        }
    }
}

Test(budget, a_clock_that_jumps_fills_it_and_no_more)
{
    struct chirr_budget budget;
    chirr_budget_init(&budget, UINT32_MAX, UINT32_MAX, 0);
    chirr_budget_spend(&budget, UINT64_MAX);
    cr_assert_not(chirr_budget_allows(&budget, CHIRR_US_PER_S));
    cr_assert(chirr_budget_allows(&budget, CHIRR_TIME_NEVER / 2));
    chirr_budget_spend(&budget, UINT32_MAX);
    cr_assert_not(chirr_budget_allows(&budget, CHIRR_TIME_NEVER / 2));
}
