#include "swarm/suspicion.h"

#include <criterion/criterion.h>
#include <math.h>

static const struct chirr_suspicion_limits limits = {2000000, 12000000};

Test(suspicion, a_lone_accuser_waits_longest_and_k_confirmations_least)
{
    struct chirr_suspicion suspicion;
    chirr_suspicion_begin(&suspicion, 7, 100, 5);
    cr_assert_eq(suspicion.since_us, 5);
    cr_assert_eq(chirr_suspicion_timeout_us(&suspicion, limits), limits.max_us);
    for (chirr_agent_id accuser = 8; accuser < 11; accuser++) {
        cr_assert(chirr_suspicion_confirm(&suspicion, accuser));
    }
    cr_assert_eq(chirr_suspicion_timeout_us(&suspicion, limits), limits.min_us);
}

Test(suspicion, the_timeout_falls_with_the_logarithm_of_the_confirmations)
{
    for (uint32_t wanted = 1; wanted <= 3; wanted++) {
        struct chirr_suspicion suspicion;
        chirr_suspicion_begin(&suspicion, 100, wanted, 0);
        for (uint32_t c = 0; c <= wanted; c++) {
            double fall = log(c + 1.0) / log(wanted + 1.0);
            double expected = 12e6 - 10e6 * fall;
            double timeout = (double)chirr_suspicion_timeout_us(&suspicion, limits);
            cr_assert(fabs(timeout - expected) <= 10e6 / 1000, "K %u, C %u", wanted, c);
            chirr_suspicion_confirm(&suspicion, c + 1);
        }
    }
}

Test(suspicion, an_accuser_counts_once)
{
    struct chirr_suspicion suspicion;
    chirr_suspicion_begin(&suspicion, 7, 100, 0);
    cr_assert_not(chirr_suspicion_confirm(&suspicion, 7));
    cr_assert(chirr_suspicion_confirm(&suspicion, 8));
    cr_assert_not(chirr_suspicion_confirm(&suspicion, 8));
    cr_assert_eq(suspicion.accuser_count, 2);
}

Test(suspicion, past_k_nobody_counts)
{
    struct chirr_suspicion suspicion;
    chirr_suspicion_begin(&suspicion, 1, 100, 0);
    for (chirr_agent_id accuser = 2; accuser < 20; accuser++) {
        cr_assert_eq(chirr_suspicion_confirm(&suspicion, accuser), accuser < 5);
    }
}

Test(suspicion, where_nobody_could_confirm_the_shortest_time_holds)
{
    struct chirr_suspicion suspicion;
    chirr_suspicion_begin(&suspicion, 1, 0, 0);
    cr_assert_eq(chirr_suspicion_timeout_us(&suspicion, limits), limits.min_us);
    cr_assert_not(chirr_suspicion_confirm(&suspicion, 2));
    chirr_suspicion_begin(&suspicion, 1, 1, 0);
    cr_assert_eq(chirr_suspicion_timeout_us(&suspicion, limits), limits.max_us);
    cr_assert(chirr_suspicion_confirm(&suspicion, 2));
    cr_assert_eq(chirr_suspicion_timeout_us(&suspicion, limits), limits.min_us);
}
