#include <criterion/criterion.h>

#include "tests/support/sample.h"
#include "tests/swarm/membership_fixture.h"

/* Whom one machine probes, and what becomes of who does not answer. */

/* Lets the next probe begin, answers it and counts whom it asked. */
static void count_probe(uint32_t probes[4])
{
    chirr_time_us now;
    const struct chirr_probe probe = bench_next_ping(one, &now)->probe;
    bench_probe(one, probe.target, CHIRR_MESSAGE_ACK, &probe, now);
    bench_drain(one);
    for (uint32_t i = 1; i < 4; i++) {
        probes[i] += probe.target == sample_agent(i);
    }
}

Test(membership_probe, every_member_is_probed_once_in_a_round, .init = setup, .fini = teardown)
{
    bench_drain(one);
    uint32_t probes[4] = {0};
    for (int i = 0; i < 3 * 20; i++) {
        count_probe(probes);
        if (i % 3 == 2) {
            cr_assert(probes[1] == probes[2] && probes[2] == probes[3]);
        }
    }
}

Test(membership_probe, an_unanswered_probe_goes_indirect_then_suspects_then_buries, .init = setup,
     .fini = teardown)
{
    bench_drain(one);
    chirr_time_us now;
    chirr_agent_id target = bench_next_ping(one, &now)->probe.target;
    cr_assert_eq(chirr_membership_deadline(one), now + chirr_time_from_ms(300));
    chirr_membership_tick(one, now + chirr_time_from_ms(300));
    for (int i = 0; i < 2; i++) { /* as many as there are */
        const struct chirr_message *request = bench_next(one, CHIRR_MESSAGE_PING_REQUEST, 0, NULL);
        cr_assert_not_null(request);
        cr_assert_eq(request->probe.target, target);
    }
    cr_assert_null(bench_next(one, CHIRR_MESSAGE_PING_REQUEST, 0, NULL));
    now += chirr_time_from_ms(1000);
    chirr_membership_tick(one, now);
    cr_assert_eq(chirr_membership_find(one, target)->status, CHIRR_MEMBER_SUSPECT);
    cr_assert(chirr_membership_is_live(one, target));
    cr_assert_not_null(bench_next(one, CHIRR_MESSAGE_GOSSIP, 0, NULL));
    bench_run_until(one, now + chirr_time_from_ms(11999)); /* nobody confirms */
    cr_assert_eq(chirr_membership_find(one, target)->status, CHIRR_MEMBER_SUSPECT);
    bench_run_until(one, now + chirr_time_from_ms(12000));
    cr_assert_eq(chirr_membership_find(one, target)->status, CHIRR_MEMBER_DEAD);
    cr_assert_not(chirr_membership_is_live(one, target));
}

Test(membership_probe, neighbours_are_probed_in_turn_and_every_fifth_time_anybody, .init = setup,
     .fini = teardown)
{
    bench_drain(one);
    const chirr_agent_id watched[] = {sample_agent(1), sample_agent(31)}; /* 31 is a stranger */
    chirr_membership_watch(one, watched, 2);
    uint32_t probes[4] = {0};
    for (int i = 0; i < 60; i++) {
        count_probe(probes);
    }
    cr_assert_eq(probes[1], 48 + 4);
    cr_assert_eq(probes[2], 4);
    cr_assert_eq(probes[3], 4);
}

Test(membership_probe, indirect_probes_go_through_neighbours, .init = setup, .fini = teardown)
{
    bench_drain(one);
    const chirr_agent_id watched[] = {sample_agent(1), sample_agent(2)};
    chirr_membership_watch(one, watched, 2);
    chirr_time_us now;
    chirr_agent_id target = bench_next_ping(one, &now)->probe.target;
    chirr_agent_id other = target == watched[0] ? watched[1] : watched[0];
    chirr_membership_tick(one, now + chirr_time_from_ms(300));
    struct chirr_output output;
    cr_assert(chirr_membership_poll(one, &output));
    cr_assert_eq(output.message->kind, CHIRR_MESSAGE_PING_REQUEST);
    cr_assert_eq(output.to, other);
    cr_assert_not(chirr_membership_poll(one, &output));
}

static uint64_t count_unasked(void)
{
    return chirr_membership_count_events(one)->unasked;
}

Test(membership_probe, answers_of_helpers_to_no_running_probe_are_counted, .init = setup,
     .fini = teardown)
{
    bench_drain(one);
    chirr_time_us now;
    struct chirr_probe probe = bench_next_ping(one, &now)->probe;
    chirr_membership_tick(one, now + chirr_time_from_ms(300));
    chirr_agent_id helper;
    cr_assert_not_null(bench_next(one, CHIRR_MESSAGE_PING_REQUEST, 0, &helper));
    bench_drain(one);
    bench_probe(one, helper, CHIRR_MESSAGE_NACK, &probe, now);
    bench_probe(one, helper, CHIRR_MESSAGE_ACK, &probe, now);
    bench_probe(one, probe.target, CHIRR_MESSAGE_ACK, &probe, now); /* late, but a sign of life */
    cr_assert_eq(count_unasked(), 0);
    bench_probe(one, probe.target, CHIRR_MESSAGE_NACK, &probe, now); /* it was not asked to help */
    cr_assert_eq(count_unasked(), 1);
    probe.sequence += 99;
    bench_probe(one, helper, CHIRR_MESSAGE_NACK, &probe, now);
    bench_probe(one, helper, CHIRR_MESSAGE_ACK, &probe, now);
    cr_assert_eq(count_unasked(), 3);
}

Test(membership_probe, a_probe_of_somebody_else_is_invalid_and_counted, .init = setup,
     .fini = teardown)
{
    const struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                       .probe = {.sequence = 1, .target = sample_agent(2)}};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &ping, 0), CHIRR_ERR_INVALID);
    cr_assert_eq(chirr_membership_count_events(one)->misdirected, 1);
}

Test(membership_probe, a_clock_that_jumps_by_hours_accuses_nobody, .init = setup, .fini = teardown)
{
    bench_drain(one);
    chirr_time_us now = chirr_membership_deadline(one);
    chirr_membership_tick(one, now); /* its probe stays unanswered */
    cr_assert_eq(bench_hear_of(one, 1, 2, 5, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    now += 5 * 3600 * CHIRR_US_PER_S;
    chirr_membership_tick(one, now);
    for (uint32_t i = 1; i < 4; i++) {
        cr_assert_eq(bench_status(one, i), i == 2 ? CHIRR_MEMBER_SUSPECT : CHIRR_MEMBER_ALIVE);
    }
    cr_assert_eq(chirr_membership_count_events(one)->pauses, 1);
    bench_run_until(one, now + chirr_time_from_ms(12000));
    cr_assert_eq(bench_status(one, 2), CHIRR_MEMBER_DEAD);
}

Test(membership_probe, however_many_are_dead_their_probes_share_one_budget)
{
    struct chirr_membership_config config = bench_config(300);
    one = bench_create(&arena, &config, 300);
    for (uint32_t i = 1; i <= 300; i++) {
        cr_assert_eq(bench_hear_of(one, i, i, 5, CHIRR_MEMBER_DEAD), CHIRR_OK);
        bench_drain(one);
    }
    bench_run_until(one, 500 * CHIRR_US_PER_S);
    uint64_t probes = chirr_membership_count_events(one)->dead_probes;
    cr_assert_geq(probes, 500 * 4 * 8 / 10);
    cr_assert_leq(probes, 500 * 4 * 12 / 10);
    chirr_arena_finish(&arena);
}

Test(membership_probe, a_tick_before_the_deadline_has_no_effect, .init = setup, .fini = teardown)
{
    bench_drain(one);
    for (int i = 0; i < 30; i++) {
        chirr_time_us deadline = chirr_membership_deadline(one);
        chirr_membership_tick(one, deadline - 1);
        struct chirr_output output;
        cr_assert_not(chirr_membership_poll(one, &output));
        cr_assert_eq(chirr_membership_deadline(one), deadline);
        chirr_membership_tick(one, deadline);
        cr_assert_gt(chirr_membership_deadline(one), deadline);
        bench_drain(one);
    }
}

/* When the first probe goes out of one who hears of a newcomer every half second until `until`. */
static chirr_time_us first_probe_at(chirr_time_us until)
{
    struct chirr_membership_config config = bench_config(64);
    struct chirr_arena arena_of_one;
    struct chirr_membership *newcomer = bench_create(&arena_of_one, &config, 1);
    uint32_t known = 2;
    for (chirr_time_us now = 0;; now += 10000) {
        if (now % 500000 == 0 && now <= until) {
            cr_assert_eq(chirr_membership_add(newcomer, sample_agent(known++), 1, now), CHIRR_OK);
        }
        chirr_membership_tick(newcomer, now);
        bench_drain(newcomer);
        if (chirr_membership_count_events(newcomer)->probes > 0) {
            chirr_arena_finish(&arena_of_one);
            return now;
        }
    }
}

Test(membership_probe, nobody_is_probed_while_a_swarm_gathers_but_not_for_ever)
{
    chirr_time_us alone = first_probe_at(0);
    cr_assert(alone >= chirr_time_from_ms(3000) && alone <= chirr_time_from_ms(4010));
    chirr_time_us gathering = first_probe_at(chirr_time_from_ms(6000));
    cr_assert(gathering >= chirr_time_from_ms(7000) && gathering <= chirr_time_from_ms(8010));
    chirr_time_us endless = first_probe_at(chirr_time_from_ms(25000));
    cr_assert(endless >= chirr_time_from_ms(10000) && endless <= chirr_time_from_ms(12010));
}
