/* What others say to an overlay, good and bad. */
#include <criterion/criterion.h>

#include "tests/support/sample.h"
#include "tests/swarm/overlay_fixture.h"

#define ANYBODY UINT32_MAX

TestSuite(overlay_receive, .init = setup, .fini = teardown);
TestSuite(overlay_local, .init = setup_local, .fini = teardown);

/* ---- Who speaks ---------------------------------------------------------------------------- */

Test(overlay_receive, a_stranger_is_not_heard)
{
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_JOIN, 1), CHIRR_ERR_NOTFOUND);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_NEIGHBOUR, 1), CHIRR_ERR_NOTFOUND);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_DISCONNECT, 1), CHIRR_ERR_NOTFOUND);
    cr_assert_eq(counters()->strangers, 3);
    bench_expect_nothing(&bench);
}

Test(overlay_receive, the_dead_are_not_heard_until_they_live)
{
    cr_assert_eq(bench_card(&bench, 1), CHIRR_OK);
    chirr_overlay_status(bench.overlay, sample_agent(1), CHIRR_MEMBER_DEAD, bench.now);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_NEIGHBOUR, 1), CHIRR_ERR_STATE);
    cr_assert_eq(bench_neighbour_count(&bench), 0);
    chirr_overlay_status(bench.overlay, sample_agent(1), CHIRR_MEMBER_ALIVE, bench.now);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_NEIGHBOUR, 1), CHIRR_OK);
    cr_assert_eq(bench_neighbour_count(&bench), 1);
}

Test(overlay_receive, a_dead_contact_that_answers_a_join_lives)
{
    cr_assert_eq(bench_card(&bench, 1), CHIRR_OK);
    chirr_overlay_status(bench.overlay, sample_agent(1), CHIRR_MEMBER_DEAD, bench.now);
    chirr_overlay_join(bench.overlay, sample_agent(1), bench.now);
    bench_tick(&bench);
    bench_drop_outputs(&bench);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_ACCEPT, 1), CHIRR_OK);
    cr_assert(bench_is_neighbour(&bench, 1));
}

Test(overlay_receive, what_contradicts_itself_is_invalid)
{
    cr_assert_eq(bench_card(&bench, 1), CHIRR_OK);
    cr_assert_eq(bench_card(&bench, 2), CHIRR_OK);
    const struct said cardless = {.verb = CHIRR_VIEW_JOIN, .from = 1};
    cr_assert_eq(bench_say(&bench, &cardless), CHIRR_ERR_INVALID);
    const struct said another = {
        .verb = CHIRR_VIEW_FORWARD_JOIN, .from = 1, .origin = 2, .count = 1, .cards = {1}};
    cr_assert_eq(bench_say(&bench, &another), CHIRR_ERR_INVALID);
    const struct said nothing = {.verb = 99, .from = 1};
    cr_assert_eq(bench_say(&bench, &nothing), CHIRR_ERR_INVALID);
    const struct said own = {.verb = CHIRR_VIEW_NEIGHBOUR, .from = 0};
    cr_assert_eq(bench_say(&bench, &own), CHIRR_ERR_INVALID);
    const struct chirr_message forged = {
        .kind = CHIRR_MESSAGE_VIEW,
        .view = {.verb = CHIRR_VIEW_NEIGHBOUR, .origin = sample_agent(2)}};
    cr_assert_eq(chirr_overlay_receive(bench.overlay, sample_agent(1), &forged, bench.now),
                 CHIRR_ERR_INVALID);
    const struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING};
    cr_assert_eq(chirr_overlay_receive(bench.overlay, sample_agent(1), &ping, bench.now),
                 CHIRR_ERR_INVALID);
    bench_expect_nothing(&bench);
    cr_assert_eq(counters()->inconsistent, 6);
}

/* ---- Walks --------------------------------------------------------------------------------- */

Test(overlay_receive, forged_hops_are_cut_to_the_length_of_a_walk)
{
    bench_befriend(&bench, 1);
    bench_befriend(&bench, 2);
    cr_assert_eq(bench_card(&bench, 3), CHIRR_OK);
    const enum chirr_view_verb walks[] = {CHIRR_VIEW_FORWARD_JOIN, CHIRR_VIEW_SHUFFLE};
    for (uint32_t i = 0; i < 2; i++) {
        const struct said walk = {
            .verb = walks[i], .from = 1, .origin = 3, .hops = 16, .count = 1, .cards = {3}};
        cr_assert_eq(bench_say(&bench, &walk), CHIRR_OK);
        struct chirr_view_message view;
        cr_assert_eq(bench_count_sent(&bench, walks[i], 2, &view), 1);
        cr_assert_eq(view.hops, 5);
    }
}

Test(overlay_receive, a_walk_of_its_own_that_comes_back_ends)
{
    bench_befriend(&bench, 1);
    bench_befriend(&bench, 2);
    const enum chirr_view_verb walks[] = {CHIRR_VIEW_FORWARD_JOIN, CHIRR_VIEW_SHUFFLE};
    for (uint32_t i = 0; i < 2; i++) {
        const struct said walk = {
            .verb = walks[i], .from = 1, .origin = 0, .hops = 4, .count = 1, .cards = {0}};
        cr_assert_eq(bench_say(&bench, &walk), CHIRR_OK);
        bench_expect_nothing(&bench);
        cr_assert_eq(counters()->walks_ended, i + 1);
    }
}

/* Ends of walks, all of which are to be asked. */
Test(overlay_receive, more_questions_than_it_can_wait_for_are_counted)
{
    cr_assert_eq(bench_card(&bench, 1), CHIRR_OK);
    for (uint32_t i = 2; i < 2 + 30; i++) {
        const struct said walk = {
            .verb = CHIRR_VIEW_FORWARD_JOIN, .from = 1, .origin = i, .count = 1, .cards = {i}};
        cr_assert_eq(bench_card(&bench, i), CHIRR_OK);
        cr_assert_eq(bench_say(&bench, &walk), CHIRR_OK);
        cr_assert_eq(bench_say(&bench, &walk), CHIRR_OK); /* is asked already, or not again */
    }
    cr_assert_eq(counters()->dropped, 2 * (30 - 24));
}

/* ---- Floods -------------------------------------------------------------------------------- */

static void flood_of_joins(void)
{
    for (uint32_t i = 1; i < BENCH_AGENTS; i++) {
        cr_assert_eq(bench_card(&bench, i), CHIRR_OK);
    }
    uint32_t refused = 0;
    for (uint32_t i = 1; i < BENCH_AGENTS; i++) {
        cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_JOIN, i), CHIRR_OK);
        struct chirr_view_message view;
        if (bench_count_sent(&bench, CHIRR_VIEW_REFUSE, i, &view) == 1) {
            refused++;
            cr_assert_gt(view.count, 0);
        }
    }
    cr_assert_eq(bench_neighbour_count(&bench), MOST);
    cr_assert_leq(counters()->evictions, 8 + 2); /* the bucket's, and two of the ring's */
    cr_assert_gt(refused, 70);
    cr_assert_geq(counters()->held_off, refused);
    cr_assert_eq(counters()->dropped, 0);
}

Test(overlay_receive, a_flood_of_joins_evicts_few_and_sends_the_rest_elsewhere)
{
    flood_of_joins();
    cr_assert_eq(counters()->forwards, 0);
}

Test(overlay_local, a_flood_of_joins_likewise_and_begins_few_walks)
{
    flood_of_joins();
    cr_assert_gt(counters()->forwards, 0);
    cr_assert_leq(counters()->forwards, 8 * MOST);
}

Test(overlay_receive, one_that_joins_again_and_again_is_only_answered)
{
    bench_befriend(&bench, 1);
    bench_befriend(&bench, 2);
    for (uint32_t i = 0; i < 1000; i++) {
        cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_JOIN, 1), CHIRR_OK);
        cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_ACCEPT, 1, NULL), 1);
    }
    cr_assert_eq(counters()->forwards, 0);
    cr_assert_eq(bench_neighbour_count(&bench), 2);
}

Test(overlay_receive, what_nobody_polls_is_dropped_and_counted)
{
    bench_befriend(&bench, 1);
    for (uint32_t i = 0; i < 1000; i++) {
        cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_NEIGHBOUR, 1), CHIRR_OK);
    }
    uint32_t sent = bench_count_sent(&bench, CHIRR_VIEW_ACCEPT, 1, NULL);
    cr_assert_lt(sent, 1000);
    cr_assert_eq(sent + counters()->dropped, 1000);
}

/* ---- Answers ------------------------------------------------------------------------------- */

static void be_asked_to_ask(uint32_t index)
{
    cr_assert_eq(bench_card(&bench, index), CHIRR_OK);
    bench.now += CHIRR_US_PER_S / 2;
    bench_tick(&bench);
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_NEIGHBOUR, index, NULL), 1);
}

Test(overlay_receive, both_asking_each_other_at_once_are_neighbours_once)
{
    be_asked_to_ask(1);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_NEIGHBOUR, 1), CHIRR_OK);
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_ACCEPT, 1, NULL), 1);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_ACCEPT, 1), CHIRR_OK);
    cr_assert_eq(bench_neighbour_count(&bench), 1);
    bench_expect_nothing(&bench);
}

Test(overlay_receive, an_acceptance_that_finds_no_room_is_taken_back)
{
    for (uint32_t i = 1; i < 30; i++) {
        cr_assert_eq(bench_card(&bench, i), CHIRR_OK);
    }
    for (uint32_t i = 1; bench_neighbour_count(&bench) < MOST; i++) {
        cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_NEIGHBOUR, i), CHIRR_OK);
    }
    bench_drop_outputs(&bench);
    uint32_t taken_back = 0;
    for (uint32_t i = 1; i < 30; i++) {
        if (!bench_is_neighbour(&bench, i)) {
            cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_ACCEPT, i), CHIRR_OK);
            bench_tick(&bench);
            taken_back += bench_count_sent(&bench, CHIRR_VIEW_DISCONNECT, i, NULL);
        }
    }
    cr_assert_geq(taken_back, 15);
    cr_assert_eq(bench_neighbour_count(&bench), MOST);
}

Test(overlay_receive, who_never_answers_is_given_up_and_another_asked)
{
    be_asked_to_ask(1);
    cr_assert_eq(bench_card(&bench, 2), CHIRR_OK);
    bench_pass(&bench, 5 * CHIRR_US_PER_S);
    cr_assert_geq(counters()->unanswered, 2);
    uint64_t asked = counters()->requests;
    bench_pass(&bench, 5 * CHIRR_US_PER_S);
    cr_assert_leq(counters()->requests, asked + 3); /* for a while */
    bench_pass(&bench, 60 * CHIRR_US_PER_S);
    cr_assert_gt(counters()->requests, asked + 6); /* not for ever */
}

Test(overlay_local, who_never_answers_is_in_no_view_then)
{
    be_asked_to_ask(1);
    cr_assert_eq(bench_card(&bench, 2), CHIRR_OK);
    cr_assert_eq(chirr_overlay_passive_count(bench.overlay), 2);
    bench_pass(&bench, 5 * CHIRR_US_PER_S);
    cr_assert_geq(counters()->unanswered, 2);
    cr_assert_eq(chirr_overlay_passive_count(bench.overlay), 0);
}

Test(overlay_receive, a_neighbour_that_falls_silent_is_replaced)
{
    bench_befriend(&bench, 1);
    bench_pass(&bench, 5 * CHIRR_US_PER_S);
    cr_assert(bench_is_neighbour(&bench, 1)); /* some messages may get lost */
    bench_pass(&bench, 10 * CHIRR_US_PER_S);
    cr_assert_not(bench_is_neighbour(&bench, 1));
    cr_assert_geq(counters()->unanswered, 1);
}

Test(overlay_receive, a_farewell_is_answered_even_by_a_non_neighbour)
{
    bench_befriend(&bench, 1);
    for (uint32_t i = 0; i < 2; i++) {
        cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_DISCONNECT, 1), CHIRR_OK);
        cr_assert_not(bench_is_neighbour(&bench, 1));
        cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_REFUSE, 1, NULL), 1);
    }
}

/* ---- Shuffles and a local view ------------------------------------------------------------- */

Test(overlay_receive, an_answer_to_a_shuffle_never_sent_is_stale)
{
    bench_befriend(&bench, 1);
    const struct said reply = {
        .verb = CHIRR_VIEW_SHUFFLE_REPLY, .from = 1, .count = 1, .cards = {2}};
    cr_assert_eq(bench_say(&bench, &reply), CHIRR_ERR_STALE);
    cr_assert_eq(counters()->strangers, 1);
}

Test(overlay_receive, who_knows_everybody_does_not_shuffle)
{
    bench_befriend(&bench, 1);
    for (uint32_t i = 2; i < 60; i++) {
        cr_assert_eq(bench_card(&bench, i), CHIRR_OK);
    }
    bench_pass(&bench, 120 * CHIRR_US_PER_S);
    cr_assert_eq(counters()->shuffles, 0);
    cr_assert_geq(chirr_overlay_passive_count(bench.overlay), 20);
}

Test(overlay_local, a_shuffle_carries_itself_three_neighbours_and_four_others)
{
    for (uint32_t i = 1; i <= 5; i++) {
        bench_befriend(&bench, i);
    }
    for (uint32_t i = 10; i < 30; i++) {
        cr_assert_eq(bench_card(&bench, i), CHIRR_OK);
    }
    struct chirr_view_message view = {0};
    uint32_t shuffles = 0;
    for (uint32_t step = 0; step < 200 && shuffles == 0; step++) {
        bench.now += CHIRR_US_PER_S / 10;
        bench_tick(&bench);
        shuffles = bench_count_sent(&bench, CHIRR_VIEW_SHUFFLE, ANYBODY, &view);
        for (uint32_t i = 1; i < 30 && shuffles == 0; i++) {
            if (bench_is_neighbour(&bench, i)) {
                cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_ACCEPT, i), CHIRR_OK);
            }
        }
    }
    cr_assert_eq(shuffles, 1);
    cr_assert_eq(view.count, 8);
    cr_assert_eq(view.hops, 6);
    cr_assert_eq(view.cards[0].author, sample_agent(0));
    uint32_t neighbours = 0;
    for (uint32_t i = 1; i < 8; i++) {
        neighbours += chirr_overlay_is_neighbour(bench.overlay, view.cards[i].author);
    }
    cr_assert_eq(neighbours, 3);
}

Test(overlay_local, the_last_of_a_shuffles_walk_answers_its_origin_and_learns)
{
    bench_befriend(&bench, 1);
    cr_assert_eq(bench_card(&bench, 20), CHIRR_OK);
    cr_assert_eq(bench_card(&bench, 21), CHIRR_OK);
    const struct said shuffle = {.verb = CHIRR_VIEW_SHUFFLE,
                                 .from = 1,
                                 .origin = 2,
                                 .hops = 3,
                                 .count = 4,
                                 .cards = {2, 30, 31, 32}};
    cr_assert_eq(bench_say(&bench, &shuffle), CHIRR_OK); /* nobody else to pass it on to */
    struct chirr_view_message view;
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_SHUFFLE_REPLY, 2, &view), 1);
    cr_assert_eq(view.count, 2);
    cr_assert_eq(chirr_overlay_passive_count(bench.overlay), 2 + 4);
}

Test(overlay_local, the_own_card_and_one_named_twice_take_no_place)
{
    bench_befriend(&bench, 1);
    const struct said shuffle = {.verb = CHIRR_VIEW_SHUFFLE,
                                 .from = 1,
                                 .origin = 2,
                                 .count = 6,
                                 .cards = {2, 0, 3, 3, 3, 1}};
    cr_assert_eq(bench_say(&bench, &shuffle), CHIRR_OK);
    cr_assert_eq(chirr_overlay_passive_count(bench.overlay), 2);
}

Test(overlay_local, a_stranger_is_known_by_its_card)
{
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_NEIGHBOUR, 200), CHIRR_ERR_NOTFOUND);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_JOIN, 1), CHIRR_OK);
    cr_assert(bench_is_neighbour(&bench, 1));
}

Test(overlay_local, the_forgotten_do_not_come_back_by_the_views_of_others)
{
    bench_befriend(&bench, 1);
    bench_befriend(&bench, 2);
    chirr_overlay_forget(bench.overlay, sample_agent(2), bench.now);
    bench_drop_outputs(&bench);
    const struct said refusal = {.verb = CHIRR_VIEW_REFUSE, .from = 1, .count = 1, .cards = {2}};
    cr_assert_eq(bench_say(&bench, &refusal), CHIRR_OK);
    const struct said walk = {
        .verb = CHIRR_VIEW_FORWARD_JOIN, .from = 1, .origin = 2, .count = 1, .cards = {2}};
    cr_assert_eq(bench_say(&bench, &walk), CHIRR_OK);
    bench_tick(&bench);
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_NEIGHBOUR, 2, NULL), 0);
    cr_assert_not(bench_is_neighbour(&bench, 2));
}

Test(overlay_local, the_newly_named_replace_the_old_when_there_is_no_room)
{
    bench_befriend(&bench, 1);
    for (uint32_t i = 2; i + 8 < BENCH_AGENTS; i += 8) {
        const struct said shuffle = {.verb = CHIRR_VIEW_SHUFFLE,
                                     .from = 1,
                                     .origin = i,
                                     .count = 8,
                                     .cards = {i, i + 1, i + 2, i + 3, i + 4, i + 5, i + 6, i + 7}};
        cr_assert_eq(bench_say(&bench, &shuffle), CHIRR_OK);
        bench_drop_outputs(&bench);
    }
    cr_assert_eq(chirr_overlay_passive_count(bench.overlay), bench_config().passive_max);
}
