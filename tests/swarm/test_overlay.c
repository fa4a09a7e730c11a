#include "swarm/overlay.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/sample.h"
#include "tests/swarm/overlay_fixture.h"

#define ANYBODY UINT32_MAX

TestSuite(overlay, .init = setup, .fini = teardown);

static void begin_anew(const struct chirr_overlay_config *config)
{
    teardown();
    bench_begin(&bench, config);
}

static void begin_mesh(void)
{
    struct chirr_overlay_config config = bench_config();
    config.mesh_below = 8;
    begin_anew(&config);
}

static void begin_local(void)
{
    teardown();
    setup_local();
}

/* ---- Joining ------------------------------------------------------------------------------- */

Test(overlay, joins_by_a_contact_with_its_own_card)
{
    cr_assert_eq(bench_card(&bench, 1), CHIRR_OK);
    chirr_overlay_join(bench.overlay, sample_agent(1), bench.now);
    bench_tick(&bench);
    bench_expect_connect(&bench, 1, CHIRR_LINK_UNICAST);
    struct chirr_view_message view;
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_JOIN, 1, &view), 1);
    cr_assert_eq(view.origin, sample_agent(0));
    cr_assert_eq(view.count, 1);
    cr_assert_eq(view.cards[0].author, sample_agent(0));
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_ACCEPT, 1), CHIRR_OK);
    cr_assert(bench_is_neighbour(&bench, 1));
    bench_expect_connect(&bench, 1, CHIRR_LINK_NEIGHBOUR);
}

Test(overlay, a_join_is_repeated_and_the_lonely_ask_for_ever)
{
    cr_assert_eq(bench_card(&bench, 1), CHIRR_OK);
    chirr_overlay_join(bench.overlay, sample_agent(1), bench.now);
    bench_pass(&bench, 600 * CHIRR_US_PER_S);
    uint64_t joins = chirr_overlay_count_events(bench.overlay)->joins;
    cr_assert_gt(joins, 30);
    bench_pass(&bench, 600 * CHIRR_US_PER_S);
    cr_assert_gt(chirr_overlay_count_events(bench.overlay)->joins, joins + 30);
}

Test(overlay, with_a_local_view_a_newcomer_is_taken_in_and_sent_on_six_hops_from_every_neighbour)
{
    begin_local();
    bench_befriend(&bench, 1);
    bench_befriend(&bench, 2);
    cr_assert_eq(bench_card(&bench, 3), CHIRR_OK);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_JOIN, 3), CHIRR_OK);
    cr_assert(bench_is_neighbour(&bench, 3));
    struct chirr_view_message view;
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_FORWARD_JOIN, ANYBODY, &view), 2);
    cr_assert_eq(view.hops, 6);
    cr_assert_eq(view.origin, sample_agent(3));
    cr_assert_eq(view.cards[0].author, sample_agent(3));
}

Test(overlay, a_walk_that_ends_asks_the_newcomer)
{
    bench_befriend(&bench, 1);
    bench_befriend(&bench, 2);
    cr_assert_eq(bench_card(&bench, 3), CHIRR_OK);
    const struct said walk = {.verb = CHIRR_VIEW_FORWARD_JOIN,
                              .from = 1,
                              .origin = 3,
                              .hops = 0,
                              .count = 1,
                              .cards = {3}};
    cr_assert_eq(bench_say(&bench, &walk), CHIRR_OK);
    bench_tick(&bench);
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_NEIGHBOUR, 3, NULL), 1);
    cr_assert_not(bench_is_neighbour(&bench, 3)); /* before it has answered */
}

Test(overlay, a_walk_goes_on_to_another_than_it_came_from)
{
    bench_befriend(&bench, 1);
    bench_befriend(&bench, 2);
    cr_assert_eq(bench_card(&bench, 3), CHIRR_OK);
    const struct said walk = {.verb = CHIRR_VIEW_FORWARD_JOIN,
                              .from = 1,
                              .origin = 3,
                              .hops = 5,
                              .count = 1,
                              .cards = {3}};
    struct chirr_view_message view;
    cr_assert_eq(bench_say(&bench, &walk), CHIRR_OK);
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_FORWARD_JOIN, 2, &view), 1);
    cr_assert_eq(view.hops, 4);
}

/* ---- Neighbours ---------------------------------------------------------------------------- */

static void befriend(uint32_t count)
{
    for (uint32_t i = 1; i <= count; i++) {
        bench_befriend(&bench, i);
    }
}

static void fill_up(void)
{
    befriend(MOST);
}

/* Somebody who is not next to this agent on the circle of ids, in the company of `fill_up`. */
static uint32_t an_outsider(void)
{
    uint64_t low = UINT64_MAX;
    uint64_t high = UINT64_MAX;
    for (uint32_t i = 1; i <= MOST; i++) {
        uint64_t after = sample_agent(i) - sample_agent(0);
        low = after < low ? after : low;
        high = 0 - after < high ? 0 - after : high;
    }
    uint32_t index = MOST + 1;
    while (sample_agent(index) - sample_agent(0) < low ||
           sample_agent(0) - sample_agent(index) < high) {
        index++;
    }
    return index;
}

/* Somebody closer than all of them. */
static uint32_t a_next(void)
{
    uint64_t low = UINT64_MAX;
    for (uint32_t i = 1; i <= MOST; i++) {
        uint64_t after = sample_agent(i) - sample_agent(0);
        low = after < low ? after : low;
    }
    uint32_t index = MOST + 1;
    while (sample_agent(index) - sample_agent(0) >= low) {
        index++;
    }
    return index;
}

Test(overlay, who_is_full_refuses_a_request_that_is_not_urgent)
{
    fill_up();
    uint32_t other = an_outsider();
    cr_assert_eq(bench_card(&bench, other), CHIRR_OK);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_NEIGHBOUR, other), CHIRR_OK);
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_REFUSE, other, NULL), 1);
    cr_assert_eq(bench_neighbour_count(&bench), MOST);
}

Test(overlay, accepting_while_full_another_makes_room_and_is_told_until_it_answers)
{
    fill_up();
    uint32_t other = an_outsider();
    cr_assert_eq(bench_card(&bench, other), CHIRR_OK);
    const struct said urgent = {.verb = CHIRR_VIEW_NEIGHBOUR, .from = other, .urgent = true};
    cr_assert_eq(bench_say(&bench, &urgent), CHIRR_OK);
    cr_assert(bench_is_neighbour(&bench, other));
    cr_assert_eq(bench_neighbour_count(&bench), MOST);
    cr_assert_eq(chirr_overlay_count_events(bench.overlay)->evictions, 1);
    uint32_t evicted = 1;
    while (bench_is_neighbour(&bench, evicted)) {
        evicted++;
    }
    bench_drop_outputs(&bench);
    bench_tick(&bench);
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_DISCONNECT, evicted, NULL), 1);
    bench_pass(&bench, CHIRR_US_PER_S);
    bench.now += CHIRR_US_PER_S / 2;
    bench_tick(&bench);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_REFUSE, evicted), CHIRR_OK);
    bench_drop_outputs(&bench);
    bench_pass(&bench, CHIRR_US_PER_S);
    cr_assert_leq(chirr_overlay_count_events(bench.overlay)->disconnects, 3);
}

Test(overlay, who_is_next_on_the_circle_of_ids_is_never_refused)
{
    fill_up();
    uint32_t next = a_next();
    cr_assert_eq(bench_card(&bench, next), CHIRR_OK);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_NEIGHBOUR, next), CHIRR_OK);
    cr_assert(bench_is_neighbour(&bench, next));
    cr_assert_eq(bench_neighbour_count(&bench), MOST);
}

Test(overlay, who_is_full_asks_the_next_on_the_circle_of_ids_and_makes_room_for_it)
{
    fill_up();
    uint32_t next = a_next();
    cr_assert_eq(bench_card(&bench, next), CHIRR_OK);
    bench.now += CHIRR_US_PER_S / 2;
    bench_tick(&bench);
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_NEIGHBOUR, next, NULL), 1);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_ACCEPT, next), CHIRR_OK);
    cr_assert(bench_is_neighbour(&bench, next));
    cr_assert_eq(bench_neighbour_count(&bench), MOST);
}

Test(overlay, who_has_nobody_asks_urgently_and_who_has_somebody_does_not)
{
    cr_assert_eq(bench_card(&bench, 1), CHIRR_OK);
    bench.now += CHIRR_US_PER_S;
    bench_tick(&bench);
    struct chirr_view_message view;
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_NEIGHBOUR, 1, &view), 1);
    cr_assert(view.urgent);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_ACCEPT, 1), CHIRR_OK);
    bench_drop_outputs(&bench);
    cr_assert_eq(bench_card(&bench, 2), CHIRR_OK);
    bench.now += CHIRR_US_PER_S / 2;
    bench_tick(&bench);
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_NEIGHBOUR, 2, &view), 1);
    cr_assert_not(view.urgent);
}

Test(overlay, who_does_not_hold_a_neighbour_is_asked_again_and_its_refusal_parts_them)
{
    bench_befriend(&bench, 1);
    bench.now += 2 * CHIRR_US_PER_S;
    bench_tick(&bench);
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_NEIGHBOUR, 1, NULL), 1);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_REFUSE, 1), CHIRR_OK);
    cr_assert_not(bench_is_neighbour(&bench, 1));
}

Test(overlay, the_dead_are_replaced_and_stay_reachable)
{
    befriend(FIVE);
    for (uint32_t i = 10; i < 20; i++) {
        cr_assert_eq(bench_card(&bench, i), CHIRR_OK);
    }
    uint64_t change = chirr_overlay_neighbours(bench.overlay).change;
    chirr_overlay_status(bench.overlay, sample_agent(3), CHIRR_MEMBER_SUSPECT, bench.now);
    cr_assert(bench_is_neighbour(&bench, 3));
    chirr_overlay_status(bench.overlay, sample_agent(3), CHIRR_MEMBER_DEAD, bench.now);
    cr_assert_not(bench_is_neighbour(&bench, 3));
    cr_assert_neq(chirr_overlay_neighbours(bench.overlay).change, change);
    bench.now += CHIRR_US_PER_S / 2;
    bench_tick(&bench);
    cr_assert_geq(bench_count_sent(&bench, CHIRR_VIEW_NEIGHBOUR, ANYBODY, NULL), 1);
    cr_assert_eq(chirr_overlay_reach(bench.overlay, sample_agent(3), bench.now), CHIRR_OK);
}

Test(overlay, who_returns_from_the_dead_is_asked_urgently_a_few_at_a_time)
{
    fill_up();
    for (uint32_t i = 10; i < 20; i++) {
        cr_assert_eq(bench_card(&bench, i), CHIRR_OK);
        chirr_overlay_status(bench.overlay, sample_agent(i), CHIRR_MEMBER_DEAD, bench.now);
    }
    bench_pass(&bench, CHIRR_US_PER_S);
    for (uint32_t i = 10; i < 20; i++) {
        chirr_overlay_status(bench.overlay, sample_agent(i), CHIRR_MEMBER_ALIVE, bench.now);
    }
    bench.now += CHIRR_US_PER_S / 10;
    bench_tick(&bench);
    uint32_t urgent = 0;
    struct chirr_output output;
    while (chirr_overlay_poll(bench.overlay, &output)) {
        urgent += output.kind == CHIRR_OUTPUT_SEND && output.message->view.urgent;
    }
    cr_assert_eq(urgent, 2);
}

Test(overlay, who_leaves_tells_every_neighbour_and_is_deaf_then)
{
    bench_befriend(&bench, 1);
    bench_befriend(&bench, 2);
    chirr_overlay_leave(bench.overlay, bench.now);
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_DISCONNECT, ANYBODY, NULL), 2);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_NEIGHBOUR, 1), CHIRR_OK);
    cr_assert_eq(bench_neighbour_count(&bench), 0);
    bench_expect_nothing(&bench);
    cr_assert_eq(chirr_overlay_count_events(bench.overlay)->deaf, 1);
}

Test(overlay, who_left_is_disconnected)
{
    bench_befriend(&bench, 1);
    chirr_overlay_status(bench.overlay, sample_agent(1), CHIRR_MEMBER_LEFT, bench.now);
    bench_expect_disconnect(&bench, 1);
    bench_expect_nothing(&bench);
}

Test(overlay, never_connects_to_itself)
{
    cr_assert_eq(bench_card(&bench, 0), CHIRR_OK);
    chirr_overlay_join(bench.overlay, sample_agent(0), bench.now);
    bench_tick(&bench);
    bench_expect_nothing(&bench);
    cr_assert_eq(chirr_overlay_reach(bench.overlay, sample_agent(0), bench.now),
                 CHIRR_ERR_NOTFOUND);
}

/* ---- A mesh -------------------------------------------------------------------------------- */

Test(overlay, few_agents_are_all_connected_as_soon_as_it_is_quiet)
{
    begin_mesh();
    for (uint32_t i = 1; i <= 6; i++) {
        cr_assert_eq(bench_card(&bench, i), CHIRR_OK);
    }
    cr_assert_not(chirr_overlay_is_mesh(bench.overlay));
    bench_pass(&bench, CHIRR_US_PER_S);
    cr_assert(chirr_overlay_is_mesh(bench.overlay));
    cr_assert_eq(bench_neighbour_count(&bench), 6);
}

static void accept_forever(uint32_t count, uint32_t for_s)
{
    for (uint32_t step = 0; step < for_s * 4; step++) {
        bench_pass(&bench, CHIRR_US_PER_S / 4);
        for (uint32_t i = 1; i <= count; i++) {
            if (bench_is_neighbour(&bench, i)) {
                cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_ACCEPT, i), CHIRR_OK);
            }
        }
    }
}

Test(overlay, a_mesh_outlasts_one_too_many_for_half_a_minute)
{
    begin_mesh();
    for (uint32_t i = 1; i <= 6; i++) {
        cr_assert_eq(bench_card(&bench, i), CHIRR_OK);
    }
    accept_forever(8, 2);
    cr_assert(chirr_overlay_is_mesh(bench.overlay));
    cr_assert_eq(bench_card(&bench, 7), CHIRR_OK);
    cr_assert_eq(bench_card(&bench, 8), CHIRR_OK); /* nine live agents */
    accept_forever(8, 20);
    cr_assert(chirr_overlay_is_mesh(bench.overlay));
    cr_assert_eq(bench_neighbour_count(&bench), 8);
    accept_forever(8, 20);
    cr_assert_not(chirr_overlay_is_mesh(bench.overlay));
    cr_assert_leq(bench_neighbour_count(&bench), MOST);
}

Test(overlay, a_mesh_ends_at_once_when_many_come)
{
    begin_mesh();
    for (uint32_t i = 1; i <= 6; i++) {
        cr_assert_eq(bench_card(&bench, i), CHIRR_OK);
    }
    accept_forever(6, 2);
    for (uint32_t i = 7; i <= 12; i++) {
        cr_assert_eq(bench_card(&bench, i), CHIRR_OK);
    }
    accept_forever(6, 2);
    cr_assert_not(chirr_overlay_is_mesh(bench.overlay));
    cr_assert_leq(bench_neighbour_count(&bench), MOST);
}

/* ---- Links --------------------------------------------------------------------------------- */

Test(overlay, reaching_somebody_opens_a_link_that_closes_when_idle)
{
    fill_up();
    uint32_t other = an_outsider();
    cr_assert_eq(bench_card(&bench, other), CHIRR_OK);
    accept_forever(MOST, 45);
    cr_assert_eq(chirr_overlay_reach(bench.overlay, sample_agent(other), bench.now), CHIRR_OK);
    bench_expect_connect(&bench, other, CHIRR_LINK_UNICAST);
    cr_assert_eq(chirr_overlay_reach(bench.overlay, sample_agent(other), bench.now), CHIRR_OK);
    bench_expect_nothing(&bench);
    cr_assert_eq(chirr_overlay_link_count(bench.overlay), 1);
    accept_forever(MOST, 45);
    cr_assert_eq(chirr_overlay_link_count(bench.overlay), 0);
}

Test(overlay, reaching_a_neighbour_opens_nothing)
{
    bench_befriend(&bench, 1);
    cr_assert_eq(chirr_overlay_reach(bench.overlay, sample_agent(1), bench.now), CHIRR_OK);
    bench_expect_nothing(&bench);
    cr_assert_eq(chirr_overlay_link_count(bench.overlay), 0);
}

Test(overlay, reaching_a_stranger_without_a_card_fails)
{
    cr_assert_eq(chirr_overlay_reach(bench.overlay, sample_agent(200), bench.now),
                 CHIRR_ERR_NOTFOUND);
}

Test(overlay, the_link_that_is_idle_longest_makes_room)
{
    uint32_t links_max = bench_config().links_max;
    for (uint32_t i = 1; i <= links_max + 1; i++) {
        bench.now += 1000;
        cr_assert_eq(chirr_overlay_reach(bench.overlay, sample_agent(i), bench.now), CHIRR_OK);
        if (i <= links_max) {
            bench_expect_connect(&bench, i, CHIRR_LINK_UNICAST);
        }
    }
    cr_assert_eq(chirr_overlay_link_count(bench.overlay), links_max);
    bench_expect_connect(&bench, links_max + 1, CHIRR_LINK_UNICAST);
    bench_expect_disconnect(&bench, 1);
    bench_expect_nothing(&bench);
    cr_assert_eq(chirr_overlay_count_events(bench.overlay)->links_evicted, 1);
}

Test(overlay, a_card_with_new_endpoints_moves_the_connection)
{
    bench_befriend(&bench, 1);
    struct chirr_record card = sample_card(1);
    memset(card.card.publish_endpoint, 0, sizeof card.card.publish_endpoint);
    strcpy(card.card.publish_endpoint, "tcp://10.0.0.1:1");
    card = sample_stamped(&card, 1, 1, 2);
    enum chirr_join join;
    cr_assert_eq(chirr_records_join(bench.records, &card, &join), CHIRR_OK);
    cr_assert_eq(chirr_overlay_card(bench.overlay, card.author, &card.card, bench.now), CHIRR_OK);
    bench_expect_disconnect(&bench, 1);
    struct chirr_output output;
    cr_assert(chirr_overlay_poll(bench.overlay, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_CONNECT);
    cr_assert_eq(output.link, CHIRR_LINK_NEIGHBOUR);
    cr_assert_str_eq(output.card->publish_endpoint, "tcp://10.0.0.1:1");
    bench_expect_nothing(&bench);
}

/* ---- Who is known -------------------------------------------------------------------------- */

Test(overlay, a_seed_is_reached_by_its_card_before_a_record_holds_it)
{
    struct chirr_record seed = sample_card(200);
    cr_assert_eq(chirr_overlay_card(bench.overlay, sample_agent(200), &seed.card, bench.now),
                 CHIRR_OK);
    chirr_overlay_join(bench.overlay, sample_agent(200), bench.now);
    bench_tick(&bench);
    bench_expect_connect(&bench, 200, CHIRR_LINK_UNICAST);
    cr_assert_eq(bench_count_sent(&bench, CHIRR_VIEW_JOIN, 200, NULL), 1);
}

Test(overlay, there_is_room_for_sixteen_seeds)
{
    for (uint32_t i = 0; i < 17; i++) {
        struct chirr_record seed = sample_card(200 + i);
        cr_assert_eq(
            chirr_overlay_card(bench.overlay, sample_agent(200 + i), &seed.card, bench.now),
            i < 16 ? CHIRR_OK : CHIRR_ERR_FULL);
    }
    cr_assert_eq(chirr_overlay_count_events(bench.overlay)->refused, 1);
}

Test(overlay, a_full_table_refuses_until_somebody_left)
{
    struct chirr_overlay_config config = bench_config();
    config.agents_max = 3;
    begin_anew(&config);
    for (uint32_t i = 1; i <= 3; i++) {
        cr_assert_eq(bench_card(&bench, i), CHIRR_OK);
    }
    cr_assert_eq(bench_card(&bench, 4), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_overlay_count_events(bench.overlay)->refused, 1);
    chirr_overlay_status(bench.overlay, sample_agent(2), CHIRR_MEMBER_LEFT, bench.now);
    cr_assert_eq(bench_card(&bench, 4), CHIRR_OK);
}

Test(overlay, who_is_forgotten_is_cut_off_until_another_card_comes)
{
    bench_befriend(&bench, 1);
    chirr_overlay_forget(bench.overlay, sample_agent(1), bench.now);
    cr_assert_not(bench_is_neighbour(&bench, 1));
    bench_expect_disconnect(&bench, 1);
    cr_assert_eq(chirr_overlay_reach(bench.overlay, sample_agent(1), bench.now),
                 CHIRR_ERR_NOTFOUND);
    chirr_overlay_status(bench.overlay, sample_agent(1), CHIRR_MEMBER_ALIVE, bench.now);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_NEIGHBOUR, 1), CHIRR_ERR_UNTRUSTED);
    bench_pass(&bench, 10 * CHIRR_US_PER_S);
    cr_assert_eq(chirr_overlay_link_count(bench.overlay), 0);
    cr_assert_eq(bench_card(&bench, 1), CHIRR_OK);
    cr_assert_eq(bench_hear(&bench, CHIRR_VIEW_NEIGHBOUR, 1), CHIRR_OK);
    cr_assert(bench_is_neighbour(&bench, 1));
}

/* ---- Limits -------------------------------------------------------------------------------- */

Test(overlay, a_config_out_of_range_is_refused)
{
    struct chirr_error error;
    const struct chirr_overlay_config good = bench_config();
    cr_assert_eq(chirr_overlay_config_validate(&good, &error), CHIRR_OK);
    struct chirr_overlay_config bad[10];
    for (uint32_t i = 0; i < 10; i++) {
        bad[i] = good;
    }
    bad[0].agents_max = 0;
    bad[1].active_max = 1;
    bad[2].active_max = 17;
    bad[3].passive_max = 65;
    bad[4].mesh_below = 65;
    bad[5].links_max = 0;
    bad[6].link_idle_ms = 0;
    bad[7].shuffle_interval_ms = 0;
    bad[8].request_timeout_ms = 0;
    bad[9].local = true;
    bad[9].agents_max = 69;
    for (uint32_t i = 0; i < 10; i++) {
        cr_assert_eq(chirr_overlay_config_validate(&bad[i], &error), CHIRR_ERR_RANGE, "%u", i);
    }
}

Test(overlay, creation_fails_at_every_cut_and_takes_exactly_its_bytes)
{
    const struct chirr_overlay_config config = bench_config();
    size_t bytes = chirr_overlay_bytes(&config);
    struct chirr_arena cut = bench.arena;
    for (cut.capacity = 0; cut.capacity < bytes; cut.capacity += CHIRR_ARENA_ALIGN) {
        cut.used = 0;
        cr_assert_null(chirr_overlay_create(&cut, &config, bench.records, 0));
    }
    cr_assert_eq(bench.arena.used, bytes);
}
