#include "swarm/watch.h"

#include <criterion/criterion.h>

static struct chirr_random stream;

static void setup(void)
{
    chirr_random_init(&stream, 13, 0);
}

Test(watch, everybody_has_a_turn_in_each_round, .init = setup)
{
    struct chirr_watch watch = {.count = 0};
    cr_assert_eq(chirr_watch_next(&watch), 0);
    const chirr_agent_id agents[] = {1, 2, 3, 4, 5};
    chirr_watch_replace(&watch, &stream, agents, 5);
    for (uint32_t round = 0; round < 20; round++) {
        uint32_t seen = 0;
        for (uint32_t i = 0; i < 5; i++) {
            seen |= 1U << chirr_watch_next(&watch);
        }
        cr_assert_eq(seen, 0x3e);
    }
}

Test(watch, who_stays_keeps_its_turn_however_often_the_list_changes, .init = setup)
{
    /* 1 stays, and nine others come and go faster than a round lasts. */
    struct chirr_watch watch = {.count = 0};
    uint32_t turns = 0;
    for (chirr_agent_id step = 0; step < 1000; step++) {
        chirr_agent_id agents[10] = {1};
        for (uint32_t i = 1; i < 10; i++) {
            agents[i] = 2 + step / 3 * 10 + i;
        }
        chirr_watch_replace(&watch, &stream, agents, 10);
        turns += chirr_watch_next(&watch) == 1;
    }
    cr_assert_geq(turns, 50);
}

Test(watch, who_is_forgotten_has_no_turn, .init = setup)
{
    struct chirr_watch watch = {.count = 0};
    const chirr_agent_id agents[] = {1, 2, 3};
    chirr_watch_replace(&watch, &stream, agents, 3);
    chirr_watch_next(&watch);
    chirr_watch_forget(&watch, 2);
    chirr_watch_forget(&watch, 9);
    for (uint32_t i = 0; i < 20; i++) {
        cr_assert_neq(chirr_watch_next(&watch), 2);
    }
    chirr_watch_replace(&watch, &stream, NULL, 0);
    cr_assert_eq(chirr_watch_next(&watch), 0);
}
