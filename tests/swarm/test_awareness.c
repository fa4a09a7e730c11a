#include "swarm/awareness.h"

#include <criterion/criterion.h>

Test(awareness, a_missed_ack_slows_down_and_a_success_speeds_up)
{
    struct chirr_awareness awareness = {.score_max = 8};
    cr_assert_eq(chirr_awareness_scale(&awareness, 1000), 1000);
    chirr_awareness_fail(&awareness, 0, 0);
    cr_assert_eq(chirr_awareness_scale(&awareness, 1000), 2000);
    chirr_awareness_succeed(&awareness);
    cr_assert_eq(chirr_awareness_scale(&awareness, 1000), 1000);
}

Test(awareness, every_missed_nack_counts_and_all_nacks_blame_the_target_alone)
{
    struct chirr_awareness awareness = {.score_max = 8};
    chirr_awareness_fail(&awareness, 3, 3);
    cr_assert_eq(awareness.score, 0);
    chirr_awareness_fail(&awareness, 3, 1);
    cr_assert_eq(awareness.score, 2);
}

Test(awareness, the_score_saturates_at_both_ends)
{
    struct chirr_awareness awareness = {.score_max = 8};
    chirr_awareness_succeed(&awareness);
    cr_assert_eq(awareness.score, 0);
    for (int i = 0; i < 5; i++) {
        chirr_awareness_fail(&awareness, 3, 0);
    }
    chirr_awareness_lag(&awareness);
    cr_assert_eq(awareness.score, 8);
    cr_assert_eq(chirr_awareness_scale(&awareness, 1000), 9000);
}

Test(awareness, a_maximum_of_zero_turns_it_off)
{
    struct chirr_awareness awareness = {.score_max = 0};
    chirr_awareness_lag(&awareness);
    chirr_awareness_fail(&awareness, 3, 0);
    cr_assert_eq(chirr_awareness_scale(&awareness, 1000), 1000);
}
