/* How an overlay looks for neighbours: how many, whom, and when. Everybody of the bench at 1…5
 * befriends it before anything else, where a test says so. */
#include <criterion/criterion.h>

#include "tests/support/sample.h"
#include "tests/swarm/overlay_fixture.h"

#define HALF 3 /* are looked for while agents come and go */
#define SILENCE 0
#define ALL (BENCH_AGENTS - 1)
#define TENTH_US (CHIRR_US_PER_S / 10)

TestSuite(overlay_fill, .init = setup, .fini = teardown);

/* The two next to the bench's agent on the circle of ids of all stay out of `befriend` and `meet`,
 * which else would be about them: the ring has tests of its own. */
static bool is_of_ring(uint32_t index)
{
    return index == bench_after(ALL) || index == bench_before(ALL);
}

/* Makes `count` neighbours; the number of the next one. */
static uint32_t befriend(uint32_t count)
{
    bench_befriend(&bench, bench_after(ALL));
    bench_befriend(&bench, bench_before(ALL));
    uint32_t next = 1;
    while (bench_neighbour_count(&bench) < count) {
        if (!is_of_ring(next)) {
            bench_befriend(&bench, next);
        }
        next++;
    }
    cr_assert_eq(bench_neighbour_count(&bench), count);
    return next;
}

/* Cards of `count` others from `from` on; the number of the next one. */
static uint32_t meet(uint32_t from, uint32_t count)
{
    while (count > 0) {
        if (!is_of_ring(from)) {
            cr_assert_eq(bench_card(&bench, from), CHIRR_OK);
            count--;
        }
        from++;
    }
    return from;
}

/* ---- How many ------------------------------------------------------------------------------ */

Test(overlay_fill, there_is_room_for_half_as_many_again_as_are_looked_for)
{
    struct chirr_overlay_config config = chirr_overlay_config_default();
    cr_assert_eq(config.active_max, FIVE);
    cr_assert_eq(chirr_overlay_active_most(&config), MOST);
    config.active_max = 2;
    cr_assert_eq(chirr_overlay_active_most(&config), 3);
    config.active_max = 16;
    cr_assert_eq(chirr_overlay_active_most(&config), 24);
}

Test(overlay_fill, five_are_looked_for_and_no_more)
{
    uint32_t asked[BENCH_AGENTS] = {0};
    meet(befriend(2), 60);
    bench_live(&bench, 60 * CHIRR_US_PER_S, CHIRR_VIEW_ACCEPT, asked);
    cr_assert_eq(bench_neighbour_count(&bench), FIVE);
    for (uint32_t i = 0; i < BENCH_AGENTS; i++) {
        cr_assert_leq(asked[i], 1);
    }
    cr_assert_eq(counters()->evictions, 0);
}

Test(overlay_fill, who_has_five_takes_in_three_more_before_anybody_is_refused_or_evicted)
{
    uint32_t next = befriend(FIVE);
    while (bench_neighbour_count(&bench) < MOST) {
        next = meet(next, 1);
        cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_NEIGHBOUR, next - 1), CHIRR_OK);
        cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_ACCEPT, next - 1, NULL), 1);
    }
    cr_assert_eq(counters()->evictions, 0);
    cr_assert_eq(counters()->refusals, 0);
    next = meet(next, 1);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_NEIGHBOUR, next - 1), CHIRR_OK);
    cr_assert_eq(counters()->refusals, 1);
    cr_assert_eq(bench_neighbour_count(&bench), MOST);
}

Test(overlay_fill, who_has_more_than_five_keeps_them)
{
    befriend(MOST);
    meet(20, 40);
    cr_assert_eq(bench_live(&bench, 60 * CHIRR_US_PER_S, CHIRR_VIEW_ACCEPT, NULL), 0);
    cr_assert_eq(bench_neighbour_count(&bench), MOST);
    cr_assert_eq(counters()->disconnects, 0);
}

Test(overlay_fill, two_are_asked_at_once_and_each_answer_lets_another_be_asked)
{
    uint32_t next = befriend(2);
    meet(next, 40);
    uint32_t asked[BENCH_AGENTS] = {0};
    bench_live(&bench, CHIRR_US_PER_S, SILENCE, asked);
    uint32_t first = 0;
    uint32_t count = 0;
    for (uint32_t i = 1; i < BENCH_AGENTS; i++) {
        first = first == 0 && asked[i] > 0 ? i : first;
        count += asked[i] > 0;
    }
    cr_assert_eq(count, 2);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_ACCEPT, first), CHIRR_OK);
    bench_drop_outputs(&bench);
    bench_live(&bench, TENTH_US, SILENCE, asked);
    count = 0;
    for (uint32_t i = 1; i < BENCH_AGENTS; i++) {
        count += asked[i] > 0;
    }
    cr_assert_eq(count, 3);
}

/* ---- While agents come and go -------------------------------------------------------------- */

/* A card every tenth of a second; how often somebody was asked. */
static uint32_t live_among_newcomers(uint32_t *next, uint32_t count, enum chirr_view_verb answer)
{
    uint32_t asked = 0;
    for (uint32_t i = 0; i < count; i++) {
        *next = meet(*next, 1);
        asked += bench_live(&bench, TENTH_US, answer, NULL);
    }
    return asked;
}

Test(overlay_fill, while_agents_come_only_half_are_looked_for)
{
    uint32_t next = befriend(2);
    cr_assert_eq(live_among_newcomers(&next, 15, CHIRR_VIEW_ACCEPT), 1);
    cr_assert_eq(bench_neighbour_count(&bench), HALF);
    cr_assert_eq(bench_live(&bench, CHIRR_US_PER_S, CHIRR_VIEW_ACCEPT, NULL), FIVE - HALF);
    cr_assert_eq(bench_neighbour_count(&bench), FIVE);
}

Test(overlay_fill, who_goes_makes_it_restless_as_well)
{
    uint32_t next = meet(befriend(HALF), 40);
    uint32_t asked = 0;
    for (uint32_t i = 1; i <= 15; i++) {
        bool stays = is_of_ring(next - i);
        enum chirr_member_status status = stays ? CHIRR_MEMBER_ALIVE : CHIRR_MEMBER_DEAD;
        chirr_overlay_status(bench.overlay, sample_agent(next - i), status, bench.now);
        asked += bench_live(&bench, TENTH_US, CHIRR_VIEW_ACCEPT, NULL);
    }
    cr_assert_eq(asked, 0);
    cr_assert_eq(bench_live(&bench, CHIRR_US_PER_S, CHIRR_VIEW_ACCEPT, NULL), FIVE - HALF);
}

Test(overlay_fill, after_two_seconds_it_waits_for_quiet_no_longer)
{
    uint32_t next = befriend(HALF);
    cr_assert_eq(live_among_newcomers(&next, 19, CHIRR_VIEW_ACCEPT), 0);
    cr_assert_eq(live_among_newcomers(&next, 10, CHIRR_VIEW_ACCEPT), FIVE - HALF);
    cr_assert_eq(bench_neighbour_count(&bench), FIVE);
}

/* ---- The circle of ids --------------------------------------------------------------------- */

/* Five that are not next to it, and then the two that are. */
static void come_between(void)
{
    for (uint32_t i = 1; bench_neighbour_count(&bench) < FIVE; i++) {
        if (!is_of_ring(i)) {
            bench_befriend(&bench, i);
        }
    }
    cr_assert_eq(bench_card(&bench, bench_after(ALL)), CHIRR_OK);
    cr_assert_eq(bench_card(&bench, bench_before(ALL)), CHIRR_OK);
}

Test(overlay_fill,
     the_next_on_the_circle_is_asked_when_it_is_quiet_and_the_one_before_a_second_later)
{
    uint32_t asked[BENCH_AGENTS] = {0};
    come_between();
    cr_assert_eq(bench_live(&bench, CHIRR_US_PER_S / 2 - 1, CHIRR_VIEW_ACCEPT, asked), 0);
    cr_assert_eq(bench_live(&bench, CHIRR_US_PER_S - 1, CHIRR_VIEW_ACCEPT, asked), 1);
    cr_assert_eq(asked[bench_after(ALL)], 1);
    cr_assert_eq(bench_live(&bench, TENTH_US, CHIRR_VIEW_ACCEPT, asked), 1);
    cr_assert_eq(asked[bench_before(ALL)], 1);
    cr_assert_eq(bench_neighbour_count(&bench), FIVE + 2);
}

Test(overlay_fill, the_one_before_is_not_asked_when_it_has_asked_by_itself)
{
    come_between();
    cr_assert_eq(bench_live(&bench, CHIRR_US_PER_S, CHIRR_VIEW_ACCEPT, NULL), 1);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_NEIGHBOUR, bench_before(ALL)), CHIRR_OK);
    cr_assert(bench_is_neighbour(&bench, bench_before(ALL)));
    bench_drop_outputs(&bench);
    cr_assert_eq(bench_live(&bench, 10 * CHIRR_US_PER_S, CHIRR_VIEW_ACCEPT, NULL), 0);
}

Test(overlay_fill, those_next_on_the_circle_are_asked_after_two_seconds_without_quiet)
{
    uint32_t next = 20;
    come_between();
    cr_assert_eq(live_among_newcomers(&next, 19, CHIRR_VIEW_ACCEPT), 0);
    cr_assert_eq(live_among_newcomers(&next, 5, CHIRR_VIEW_ACCEPT), 1);
    cr_assert(bench_is_neighbour(&bench, bench_after(ALL)));
    cr_assert_eq(live_among_newcomers(&next, 10, CHIRR_VIEW_ACCEPT), 1);
    cr_assert(bench_is_neighbour(&bench, bench_before(ALL)));
}

/* ---- Walks --------------------------------------------------------------------------------- */

Test(overlay_fill, who_knows_everybody_takes_a_newcomer_in_and_begins_no_walk)
{
    uint32_t next = meet(befriend(2), 1);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_JOIN, next - 1), CHIRR_OK);
    cr_assert(bench_is_neighbour(&bench, next - 1));
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_FORWARD_JOIN, UINT32_MAX, NULL), 0);
    cr_assert_eq(counters()->forwards, 0);
}

/* ---- Backing off --------------------------------------------------------------------------- */

/* Everybody refuses until it is asked seldom; then ten more come, one a second. How often somebody
 * was asked while they came. */
static uint32_t ask_again_as_others_come(uint32_t neighbours)
{
    uint32_t next = meet(befriend(neighbours), 20);
    bench_live(&bench, 60 * CHIRR_US_PER_S, CHIRR_VIEW_REFUSE, NULL);
    uint32_t asked = 0;
    for (uint32_t i = 0; i < 10; i++) {
        next = meet(next, 1);
        asked += bench_live(&bench, CHIRR_US_PER_S, CHIRR_VIEW_REFUSE, NULL);
    }
    return asked;
}

Test(overlay_fill, who_has_half_of_its_neighbours_keeps_backing_off_whoever_comes)
{
    cr_assert_leq(ask_again_as_others_come(HALF), 3);
}

Test(overlay_fill, who_has_less_than_half_asks_whoever_comes_at_once)
{
    cr_assert_geq(ask_again_as_others_come(HALF - 1), 10);
}
