/* What Lifeguard adds, on one machine by hand. */
#include <criterion/criterion.h>

#include "tests/support/sample.h"
#include "tests/swarm/membership_bench.h"

#define MEMBERS 8

static struct chirr_arena arena;
static struct chirr_membership *one;

static void create(bool lifeguard)
{
    struct chirr_membership_config config = bench_config(MEMBERS);
    config.lifeguard = lifeguard;
    one = bench_create(&arena, &config, MEMBERS);
}

static void setup(void)
{
    create(true);
}

static void setup_plain(void)
{
    create(false);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

static void accuse(uint32_t from, uint32_t accuser, uint32_t suspect, chirr_time_us now)
{
    const struct chirr_member_update update = {.agent = sample_agent(suspect),
                                               .incarnation = BENCH_INCARNATION,
                                               .status = CHIRR_MEMBER_SUSPECT,
                                               .accuser = sample_agent(accuser)};
    cr_assert_eq(bench_hear(one, from, &update, now), CHIRR_OK);
}

/* Lets a probe begin; its target. */
static chirr_agent_id begin_probe(chirr_time_us *now)
{
    return bench_next_ping(one, now)->probe.target;
}

static void answer(enum chirr_message_kind kind, chirr_agent_id from, uint32_t sequence,
                   chirr_agent_id target, chirr_time_us now)
{
    const struct chirr_probe probe = {.sequence = sequence, .target = target};
    bench_probe(one, from, kind, &probe, now);
}

Test(lifeguard, a_helper_without_an_answer_says_so_at_80_percent_of_the_timeout, .init = setup,
     .fini = teardown)
{
    bench_drain(one);
    answer(CHIRR_MESSAGE_PING_REQUEST, sample_agent(1), 9, sample_agent(3), 0);
    cr_assert_not_null(bench_next(one, CHIRR_MESSAGE_PING, sample_agent(3), NULL));
    for (chirr_time_us now = 0; now < chirr_time_from_ms(240); now += 1000) {
        chirr_membership_tick(one, now);
        cr_assert_null(bench_next(one, CHIRR_MESSAGE_NACK, 0, NULL));
    }
    cr_assert_leq(chirr_membership_deadline(one), chirr_time_from_ms(240));
    chirr_membership_tick(one, chirr_time_from_ms(240));
    const struct chirr_message *nack = bench_next(one, CHIRR_MESSAGE_NACK, sample_agent(1), NULL);
    cr_assert_not_null(nack);
    cr_assert_eq(nack->probe.sequence, 9);
    cr_assert_eq(nack->probe.target, sample_agent(3));
    chirr_membership_tick(one, chirr_time_from_ms(250));
    cr_assert_null(bench_next(one, CHIRR_MESSAGE_NACK, 0, NULL));
    cr_assert_eq(chirr_membership_count_events(one)->nacks, 1);
}

Test(lifeguard, a_helper_with_an_answer_says_no_nack, .init = setup, .fini = teardown)
{
    bench_drain(one);
    answer(CHIRR_MESSAGE_PING_REQUEST, sample_agent(1), 9, sample_agent(3), 0);
    uint32_t sequence = bench_next(one, CHIRR_MESSAGE_PING, sample_agent(3), NULL)->probe.sequence;
    answer(CHIRR_MESSAGE_ACK, sample_agent(3), sequence, sample_agent(3), 1000);
    bench_run_until(one, chirr_time_from_ms(2000));
    cr_assert_eq(chirr_membership_count_events(one)->nacks, 0);
}

Test(lifeguard, silent_helpers_slow_the_probes_down_and_answers_speed_them_up, .init = setup,
     .fini = teardown)
{
    bench_drain(one);
    chirr_time_us now;
    begin_probe(&now);
    chirr_membership_tick(one, now + chirr_time_from_ms(300));
    bench_drain(one);
    chirr_membership_tick(one, now + chirr_time_from_ms(1000));
    cr_assert_eq(chirr_membership_awareness(one), 3); /* none of three helpers spoke */
    now += chirr_time_from_ms(1000);
    const struct chirr_message *ping = bench_next(one, CHIRR_MESSAGE_PING, 0, NULL);
    chirr_agent_id target = ping->probe.target;
    bench_run_until(one, now + chirr_time_from_ms(4 * 300) - 1);
    cr_assert_eq(chirr_membership_deadline(one), now + chirr_time_from_ms(4 * 300));
    answer(CHIRR_MESSAGE_ACK, target, ping->probe.sequence, target, now);
    cr_assert_eq(chirr_membership_awareness(one), 2);
    cr_assert_eq(chirr_membership_deadline(one), now + chirr_time_from_ms(3 * 1000));
}

Test(lifeguard, nacks_of_all_helpers_leave_the_blame_with_the_target, .init = setup,
     .fini = teardown)
{
    bench_drain(one);
    chirr_time_us now;
    chirr_agent_id target = begin_probe(&now);
    now += chirr_time_from_ms(300);
    chirr_membership_tick(one, now);
    chirr_agent_id helpers[3];
    uint32_t sequence = 0;
    for (int i = 0; i < 3; i++) {
        sequence = bench_next(one, CHIRR_MESSAGE_PING_REQUEST, 0, &helpers[i])->probe.sequence;
    }
    for (int i = 0; i < 3; i++) {
        answer(CHIRR_MESSAGE_NACK, helpers[i], sequence, target, now);
        answer(CHIRR_MESSAGE_NACK, helpers[0], sequence, target, now); /* twice is once */
    }
    chirr_membership_tick(one, now + chirr_time_from_ms(700));
    cr_assert_eq(chirr_membership_find(one, target)->status, CHIRR_MEMBER_SUSPECT);
    cr_assert_eq(chirr_membership_awareness(one), 0);
}

Test(lifeguard, a_refutation_makes_it_doubt_itself, .init = setup, .fini = teardown)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_GOSSIP,
                                    .gossip = {.count = 1,
                                               .updates = {{.agent = sample_agent(0),
                                                            .incarnation = 1,
                                                            .status = CHIRR_MEMBER_SUSPECT,
                                                            .accuser = sample_agent(1)}}}};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &message, 0), CHIRR_OK);
    cr_assert_eq(chirr_membership_awareness(one), 1);
    message.gossip.updates[0].incarnation = 700; /* of an earlier life */
    cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &message, 0), CHIRR_OK);
    cr_assert_eq(chirr_membership_awareness(one), 1);
    cr_assert_eq(chirr_membership_incarnation(one), 701);
}

Test(lifeguard, confirmations_of_different_accusers_hasten_the_verdict, .init = setup,
     .fini = teardown)
{
    accuse(1, 1, 2, 0);
    accuse(1, 1, 2, 0);
    accuse(3, 1, 2, 0);  /* the same accuser by way of another */
    accuse(3, 2, 2, 0);  /* nobody accuses itself */
    accuse(3, 31, 2, 0); /* a stranger */
    cr_assert_eq(chirr_membership_count_events(one)->confirmations, 0);
    accuse(3, 3, 2, 0);
    accuse(3, 4, 2, 0);
    accuse(5, 5, 2, 0);
    accuse(6, 6, 2, 0);
    cr_assert_eq(chirr_membership_count_events(one)->confirmations, 3);
    bench_run_until(one, chirr_time_from_ms(1999));
    cr_assert_eq(bench_status(one, 2), CHIRR_MEMBER_SUSPECT);
    bench_run_until(one, chirr_time_from_ms(2000));
    cr_assert_eq(bench_status(one, 2), CHIRR_MEMBER_DEAD);
}

Test(lifeguard, the_first_confirmations_are_passed_on_and_later_ones_are_not, .init = setup,
     .fini = teardown)
{
    uint32_t published = 0;
    for (uint32_t accuser = 1; accuser <= 7; accuser++) {
        bench_drain(one);
        accuse(accuser, accuser, 8, 0);
        chirr_membership_tick(one, 0);
        const struct chirr_message *gossip = bench_next(one, CHIRR_MESSAGE_GOSSIP, 0, NULL);
        if (gossip != NULL) {
            published++;
            cr_assert_eq(gossip->gossip.updates[1].accuser, sample_agent(accuser));
        }
    }
    cr_assert_eq(published, 4);
}

Test(lifeguard, the_accusers_of_a_suspect_take_turns_on_probes, .init = setup, .fini = teardown)
{
    accuse(1, 1, 2, 0);
    accuse(1, 3, 2, 0);
    bench_drain(one);
    uint32_t named[4] = {0};
    for (uint32_t i = 0; i < 4; i++) {
        answer(CHIRR_MESSAGE_PING, sample_agent(5), i, sample_agent(0), 0);
        const struct chirr_message *ack = bench_next(one, CHIRR_MESSAGE_ACK, sample_agent(5), NULL);
        for (uint32_t j = 0; j < ack->probe.news.count; j++) {
            for (uint32_t k = 1; k < 4; k++) {
                named[k] += ack->probe.news.updates[j].accuser == sample_agent(k);
            }
        }
    }
    cr_assert_eq(named[1], 2);
    cr_assert_eq(named[3], 2);
}

Test(lifeguard, a_watched_suspect_is_probed_next_and_the_failure_confirms, .init = setup,
     .fini = teardown)
{
    const chirr_agent_id watched[] = {sample_agent(1), sample_agent(2), sample_agent(3),
                                      sample_agent(4)};
    chirr_membership_watch(one, watched, 4);
    bench_drain(one);
    accuse(1, 1, 3, 0);
    chirr_time_us now;
    do {
        now = chirr_membership_deadline(one);
        chirr_membership_tick(one, now);
    } while (chirr_membership_count_events(one)->probes == 0);
    cr_assert_not_null(bench_next(one, CHIRR_MESSAGE_PING, sample_agent(3), NULL));
    bench_run_until(one, now + chirr_time_from_ms(1000));
    cr_assert_eq(chirr_membership_count_events(one)->confirmations, 1);
    cr_assert_eq(chirr_membership_count_events(one)->suspicions, 0);
}

Test(lifeguard, a_probe_tells_a_suspect_of_the_suspicion_only_with_lifeguard)
{
    for (uint32_t lifeguard = 0; lifeguard < 2; lifeguard++) {
        create(lifeguard != 0);
        accuse(1, 1, 2, 0);
        for (int i = 0; i < 40; i++) { /* it is told enough to everybody else */
            bench_drain(one);
            answer(CHIRR_MESSAGE_PING, sample_agent(1), 1, sample_agent(0), 0);
        }
        bench_drain(one);
        answer(CHIRR_MESSAGE_PING, sample_agent(2), 1, sample_agent(0), 0);
        const struct chirr_message *ack = bench_next(one, CHIRR_MESSAGE_ACK, sample_agent(2), NULL);
        cr_assert_eq(ack->probe.news.count, lifeguard != 0 ? 2 : 1);
        cr_assert(lifeguard == 0 || ack->probe.news.updates[1].agent == sample_agent(2));
        teardown();
    }
}

Test(lifeguard, a_sign_of_life_holds_the_verdict_off_but_lifts_no_suspicion, .init = setup,
     .fini = teardown)
{
    for (uint32_t accuser = 1; accuser <= 4; accuser++) {
        accuse(accuser, accuser, 8, 0);
    }
    const struct chirr_message beat = {.kind = CHIRR_MESSAGE_HEARTBEAT,
                                       .heartbeat = {.incarnation = 5, .sequence = 1}};
    bench_run_until(one, chirr_time_from_ms(1500));
    cr_assert_eq(chirr_membership_receive(one, sample_agent(8), &beat, chirr_time_from_ms(1500)),
                 CHIRR_OK);
    bench_run_until(one, chirr_time_from_ms(3499));
    cr_assert_eq(bench_status(one, 8), CHIRR_MEMBER_SUSPECT);
    bench_run_until(one, chirr_time_from_ms(3500));
    cr_assert_eq(bench_status(one, 8), CHIRR_MEMBER_DEAD);
}

Test(lifeguard, a_late_tick_asks_the_helpers_before_it_accuses, .init = setup, .fini = teardown)
{
    bench_drain(one);
    chirr_time_us now;
    chirr_agent_id target = begin_probe(&now);
    now += chirr_time_from_ms(1200);
    chirr_membership_tick(one, now);
    cr_assert_not_null(bench_next(one, CHIRR_MESSAGE_PING_REQUEST, 0, NULL));
    cr_assert_eq(chirr_membership_find(one, target)->status, CHIRR_MEMBER_ALIVE);
    bench_run_until(one, now + chirr_time_from_ms(700));
    cr_assert_eq(chirr_membership_find(one, target)->status, CHIRR_MEMBER_SUSPECT);
}

Test(lifeguard, without_it_a_suspicion_has_one_length_and_probes_one_pace, .init = setup_plain,
     .fini = teardown)
{
    accuse(1, 1, 2, 0);
    accuse(3, 3, 2, 0);
    answer(CHIRR_MESSAGE_PING_REQUEST, sample_agent(1), 9, sample_agent(3), 0);
    bench_run_until(one, chirr_time_from_ms(1999));
    cr_assert_eq(bench_status(one, 2), CHIRR_MEMBER_SUSPECT);
    bench_run_until(one, chirr_time_from_ms(2000));
    cr_assert_eq(bench_status(one, 2), CHIRR_MEMBER_DEAD);
    bench_run_until(one, chirr_time_from_ms(10000));
    cr_assert_eq(chirr_membership_awareness(one), 0);
    cr_assert_eq(chirr_membership_count_events(one)->nacks, 0);
    cr_assert_eq(chirr_membership_count_events(one)->confirmations, 0);
}
