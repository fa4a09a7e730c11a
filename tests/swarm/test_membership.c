#include "swarm/membership.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "tests/support/sample.h"
#include "tests/swarm/membership_fixture.h"

/* One machine by hand; test_membership_swarm.c has many on a network. */

static bool member_is_known(uint32_t index)
{
    return chirr_membership_find(one, sample_agent(index)) != NULL;
}

/* What is final is believed at once only of oneself: so it comes from whom it is about. */
static enum chirr_err gossip(uint32_t from, uint32_t about, uint64_t incarnation,
                             enum chirr_member_status status)
{
    bool final = status == CHIRR_MEMBER_DEAD || status == CHIRR_MEMBER_LEFT;
    from = final && member_is_known(about) ? about : from;
    return bench_hear_of(one, from, about, incarnation, status);
}

static const struct chirr_member *member(uint32_t index)
{
    return chirr_membership_find(one, sample_agent(index));
}

Test(membership, refutes_a_suspicion_about_itself, .init = setup, .fini = teardown)
{
    bench_drain(one);
    cr_assert_eq(gossip(1, 0, 1, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    cr_assert_eq(chirr_membership_incarnation(one), 2);
    chirr_membership_tick(one, 0);
    const struct chirr_message *message = bench_next(one, CHIRR_MESSAGE_GOSSIP, 0, NULL);
    cr_assert_not_null(message);
    cr_assert(bench_tells(&message->gossip, 0, 2, CHIRR_MEMBER_ALIVE));
    cr_assert_eq(gossip(1, 0, 1, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(chirr_membership_incarnation(one), 2);
    cr_assert_eq(gossip(1, 0, 7, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(chirr_membership_incarnation(one), 8);
}

Test(membership, believes_its_death_no_more_after_leaving, .init = setup, .fini = teardown)
{
    chirr_membership_leave(one, 0);
    cr_assert_eq(gossip(1, 0, 1, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(chirr_membership_incarnation(one), 1);
    const struct chirr_message *message = bench_next(one, CHIRR_MESSAGE_GOSSIP, 0, NULL);
    cr_assert(bench_tells(&message->gossip, 0, 1, CHIRR_MEMBER_LEFT));
}

Test(membership, ignores_news_of_a_lower_incarnation, .init = setup, .fini = teardown)
{
    cr_assert_eq(gossip(1, 2, 4, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_ALIVE);
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_SUSPECT);
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_ALIVE), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_SUSPECT);
    cr_assert_eq(gossip(1, 2, 6, CHIRR_MEMBER_ALIVE), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_ALIVE);
    cr_assert_eq(member(2)->incarnation, 6);
}

Test(membership, of_two_statuses_in_one_incarnation_the_worse_stands, .init = setup,
     .fini = teardown)
{
    const enum chirr_member_status worse[] = {CHIRR_MEMBER_SUSPECT, CHIRR_MEMBER_DEAD,
                                              CHIRR_MEMBER_LEFT};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(gossip(1, 2, 5, worse[i]), CHIRR_OK);
        cr_assert_eq(member(2)->status, worse[i]);
        for (int j = 0; j < i; j++) {
            cr_assert_eq(gossip(1, 2, 5, worse[j]), CHIRR_OK);
            cr_assert_eq(member(2)->status, worse[i]);
        }
    }
    cr_assert_eq(gossip(1, 2, 6, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_SUSPECT);
}

static void expect_counts(uint32_t alive, uint32_t suspect, uint32_t dead, uint32_t left)
{
    const uint32_t expected[] = {[CHIRR_MEMBER_ALIVE] = alive,
                                 [CHIRR_MEMBER_SUSPECT] = suspect,
                                 [CHIRR_MEMBER_DEAD] = dead,
                                 [CHIRR_MEMBER_LEFT] = left};
    for (enum chirr_member_status status = CHIRR_MEMBER_ALIVE; status <= CHIRR_MEMBER_LEFT;
         status++) {
        cr_expect_eq(chirr_membership_status_count(one, status), expected[status],
                     "%" PRIu32 " of status %d", chirr_membership_status_count(one, status),
                     (int)status);
    }
}

Test(membership, counts_the_members_of_every_status, .init = setup, .fini = teardown)
{
    expect_counts(3, 0, 0, 0);
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    expect_counts(2, 1, 0, 0);
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(gossip(1, 3, 5, CHIRR_MEMBER_LEFT), CHIRR_OK);
    expect_counts(1, 0, 1, 1);
    cr_assert_eq(chirr_membership_add(one, sample_agent(2), 6, 0), CHIRR_OK);
    expect_counts(2, 0, 0, 1);
    chirr_membership_forget(one, sample_agent(3));
    expect_counts(2, 0, 0, 0);
}

Test(membership, a_card_revives_the_dead_only_with_a_greater_incarnation, .init = setup,
     .fini = teardown)
{
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(chirr_membership_add(one, sample_agent(2), 5, 0), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_DEAD);
    cr_assert_eq(chirr_membership_add(one, sample_agent(2), 6, 0), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_ALIVE);
}

Test(membership, a_ping_is_acknowledged_with_what_its_sender_is_held_to_be, .init = setup,
     .fini = teardown)
{
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    bench_drain(one);
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                 .probe = {.sequence = 42, .target = sample_agent(0)}};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(2), &ping, 0), CHIRR_OK);
    const struct chirr_message *ack = bench_next(one, CHIRR_MESSAGE_ACK, sample_agent(2), NULL);
    cr_assert_not_null(ack);
    cr_assert_eq(ack->probe.sequence, 42);
    cr_assert_eq(ack->probe.target, sample_agent(0));
    cr_assert(bench_tells(&ack->probe.news, 2, 5, CHIRR_MEMBER_SUSPECT));
    cr_assert(bench_tells(&ack->probe.news, 0, 1, CHIRR_MEMBER_ALIVE));
    ping.probe.target = sample_agent(3);
    cr_assert_eq(chirr_membership_receive(one, sample_agent(2), &ping, 0), CHIRR_ERR_INVALID);
}

Test(membership, pings_for_another_and_passes_the_answer_on, .init = setup, .fini = teardown)
{
    bench_drain(one);
    struct chirr_message request = {.kind = CHIRR_MESSAGE_PING_REQUEST,
                                    .probe = {.sequence = 9, .target = sample_agent(3)}};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &request, 0), CHIRR_OK);
    const struct chirr_message *ping = bench_next(one, CHIRR_MESSAGE_PING, sample_agent(3), NULL);
    cr_assert_not_null(ping);
    struct chirr_message ack = {
        .kind = CHIRR_MESSAGE_ACK,
        .probe = {.sequence = ping->probe.sequence, .target = sample_agent(3)}};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(3), &ack, 0), CHIRR_OK);
    const struct chirr_message *passed = bench_next(one, CHIRR_MESSAGE_ACK, sample_agent(1), NULL);
    cr_assert_not_null(passed);
    cr_assert_eq(passed->probe.sequence, 9);
    cr_assert_eq(passed->probe.target, sample_agent(3));
    cr_assert_eq(chirr_membership_receive(one, sample_agent(3), &ack, 0), CHIRR_OK);
    cr_assert_null(bench_next(one, CHIRR_MESSAGE_ACK, 0, NULL));
    request.probe.target = 12345;
    cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &request, 0), CHIRR_ERR_NOTFOUND);
}

Test(membership, a_sign_of_life_of_the_dead_is_answered_with_the_news_of_its_death, .init = setup,
     .fini = teardown)
{
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_DEAD), CHIRR_OK);
    bench_drain(one);
    chirr_time_us now = 1500000;
    struct chirr_message beat = {.kind = CHIRR_MESSAGE_HEARTBEAT,
                                 .heartbeat = {.incarnation = 5, .sequence = 1}};
    for (uint32_t i = 0; i < 10; i++) { /* only one of them is answered in this interval */
        cr_assert_eq(chirr_membership_receive(one, sample_agent(2), &beat, now), CHIRR_OK);
        const struct chirr_message *ping =
            bench_next(one, CHIRR_MESSAGE_PING, sample_agent(2), NULL);
        cr_assert_eq(ping != NULL, i == 0);
        cr_assert(ping == NULL || bench_tells(&ping->probe.news, 2, 5, CHIRR_MEMBER_DEAD));
    }
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_DEAD);
    beat.heartbeat.incarnation = 6;
    cr_assert_eq(chirr_membership_receive(one, sample_agent(2), &beat, now), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_ALIVE);
}

Test(membership, a_stranger_is_tolerated_and_its_ping_answered, .init = setup, .fini = teardown)
{
    bench_drain(one);
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                 .probe = {.sequence = 3, .target = sample_agent(0)}};
    cr_assert_eq(chirr_membership_receive(one, 999, &ping, 0), CHIRR_ERR_NOTFOUND);
    cr_assert_not_null(bench_next(one, CHIRR_MESSAGE_ACK, 999, NULL));
    struct chirr_message beat = {.kind = CHIRR_MESSAGE_HEARTBEAT,
                                 .heartbeat = {.incarnation = 1, .sequence = 1}};
    cr_assert_eq(chirr_membership_receive(one, 999, &beat, 0), CHIRR_ERR_NOTFOUND);
    cr_assert_eq(gossip(1, 31, 1, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(chirr_membership_count(one), 3);
    cr_assert_eq(chirr_membership_count_events(one)->strangers, 3);
}

Test(membership, reports_every_change_of_a_status_once, .init = setup, .fini = teardown)
{
    struct chirr_output output;
    for (int i = 0; i < 3; i++) {
        cr_assert(chirr_membership_poll(one, &output));
        cr_assert_eq(output.kind, CHIRR_OUTPUT_MEMBER);
        cr_assert_eq(output.member.status, CHIRR_MEMBER_ALIVE);
    }
    cr_assert_not(chirr_membership_poll(one, &output));
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert(chirr_membership_poll(one, &output));
    cr_assert_eq(output.member.agent, sample_agent(2));
    cr_assert_eq(output.member.status, CHIRR_MEMBER_DEAD);
    cr_assert_not(chirr_membership_poll(one, &output));
}

Test(membership, news_are_told_a_bounded_number_of_times_to_others, .init = setup, .fini = teardown)
{
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_DEAD), CHIRR_OK);
    bench_drain(one);
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                 .probe = {.sequence = 1, .target = sample_agent(0)}};
    uint32_t told = 0;
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &ping, 0), CHIRR_OK);
        const struct chirr_message *ack = bench_next(one, CHIRR_MESSAGE_ACK, sample_agent(1), NULL);
        told += bench_tells(&ack->probe.news, 2, 5, CHIRR_MEMBER_DEAD);
    }
    cr_assert_eq(told, 6); /* 3·log2 of three members, rounded up */
}

Test(membership, outputs_that_nobody_polls_are_dropped_and_counted, .init = setup, .fini = teardown)
{
    bench_drain(one);
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                 .probe = {.sequence = 1, .target = sample_agent(0)}};
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &ping, 0), CHIRR_OK);
    }
    uint32_t polled = 0;
    while (bench_next(one, CHIRR_MESSAGE_ACK, 0, NULL) != NULL) {
        polled++;
    }
    cr_assert_lt(polled, 100);
    cr_assert_eq(chirr_membership_count_events(one)->dropped, 1000 - polled);
}

/* 64 of them fill the queue; 40 news would be three messages more. */
Test(membership, news_that_find_the_queue_full_are_counted_by_message, .init = setup,
     .fini = teardown)
{
    bench_drain(one);
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                 .probe = {.sequence = 1, .target = sample_agent(0)}};
    for (int i = 0; i < 64; i++) {
        cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &ping, 0), CHIRR_OK);
    }
    for (uint64_t i = 0; i < 40; i++) {
        cr_assert_eq(gossip(1, 2, 6 + i, CHIRR_MEMBER_ALIVE), CHIRR_OK);
    }
    cr_assert_eq(chirr_membership_count_events(one)->dropped, 0);
    chirr_membership_tick(one, 0);
    cr_assert_eq(chirr_membership_count_events(one)->dropped, 3);
}

Test(membership, relays_that_are_never_answered_are_bounded, .init = setup, .fini = teardown)
{
    struct chirr_message request = {.kind = CHIRR_MESSAGE_PING_REQUEST,
                                    .probe = {.sequence = 9, .target = sample_agent(3)}};
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &request, 0), CHIRR_OK);
        bench_drain(one);
    }
    cr_assert_eq(chirr_membership_count_events(one)->dropped, 50 - 32);
}

Test(membership, a_full_table_forgets_who_left_first_then_who_is_dead_longest_but_nobody_live,
     .init = setup, .fini = teardown)
{
    cr_assert_eq(chirr_membership_add(one, sample_agent(4), 5, 0), CHIRR_OK);
    bench_drain(one);
    cr_assert_eq(chirr_membership_add(one, sample_agent(5), 1, 0), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_membership_add(one, sample_agent(0), 1, 0), CHIRR_OK); /* itself */
    const enum chirr_member_status ends[] = {0, CHIRR_MEMBER_DEAD, CHIRR_MEMBER_LEFT,
                                             CHIRR_MEMBER_DEAD, CHIRR_MEMBER_LEFT};
    for (uint32_t i = 1; i <= 4; i++) {
        struct chirr_message message = {
            .kind = CHIRR_MESSAGE_GOSSIP,
            .gossip = {
                .count = 1,
                .updates = {{.agent = sample_agent(i), .incarnation = 5, .status = ends[i]}}}};
        cr_assert_eq(chirr_membership_receive(one, sample_agent(i), &message, i), CHIRR_OK);
        bench_drain(one);
    }
    const uint32_t order[] = {2, 4, 1, 3};
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert_not_null(member(order[i]));
        cr_assert_eq(chirr_membership_add(one, sample_agent(5 + i), 1, 9), CHIRR_OK);
        cr_assert_null(member(order[i]));
        cr_assert_eq(chirr_membership_count(one), 4);
    }
    cr_assert_eq(chirr_membership_add(one, sample_agent(9), 1, 9), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_membership_count_events(one)->evictions, 4);
    for (uint32_t i = 1; i < 4; i++) {
        cr_assert_lt(chirr_membership_at(one, i - 1)->agent, chirr_membership_at(one, i)->agent);
    }
    for (int i = 0; i < 20; i++) { /* the rounds go on without them */
        chirr_membership_tick(one, chirr_membership_deadline(one));
        bench_drain(one);
    }
}

Test(membership, a_tombstone_goes_only_once_its_death_was_reported, .init = setup, .fini = teardown)
{
    cr_assert_eq(chirr_membership_add(one, sample_agent(4), 5, 0), CHIRR_OK);
    cr_assert_eq(gossip(1, 3, 5, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(chirr_membership_add(one, sample_agent(5), 1, 0), CHIRR_ERR_FULL);
    bench_drain(one);
    cr_assert_eq(chirr_membership_add(one, sample_agent(5), 1, 0), CHIRR_OK);
}

Test(membership, tombstones_are_bounded)
{
    struct chirr_membership_config config = bench_config(50);
    config.tombstones_max = 10;
    one = bench_create(&arena, &config, 50);
    for (uint32_t i = 1; i <= 30; i++) {
        cr_assert_eq(gossip(50, i, 5, i % 2 == 0 ? CHIRR_MEMBER_DEAD : CHIRR_MEMBER_LEFT),
                     CHIRR_OK);
    }
    bench_drain(one);
    bench_run_until(one, CHIRR_US_PER_S);
    cr_assert_eq(chirr_membership_count(one), 30);
    cr_assert_eq(chirr_membership_count_events(one)->evictions, 20);
    for (uint32_t i = 31; i <= 50; i++) {
        cr_assert(chirr_membership_is_live(one, sample_agent(i)));
    }
    chirr_arena_finish(&arena);
}

Test(membership, who_is_forgotten_is_a_stranger_from_then_on, .init = setup, .fini = teardown)
{
    bench_drain(one);
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    const chirr_agent_id watched = sample_agent(2);
    chirr_membership_watch(one, &watched, 1);
    chirr_membership_tick(one, CHIRR_US_PER_S); /* probes it */
    bench_drain(one);
    chirr_membership_forget(one, sample_agent(2));
    chirr_membership_forget(one, sample_agent(2));
    cr_assert_null(member(2));
    cr_assert_eq(gossip(2, 1, 5, CHIRR_MEMBER_SUSPECT), CHIRR_ERR_NOTFOUND);
    cr_assert_eq(gossip(1, 2, 9, CHIRR_MEMBER_ALIVE), CHIRR_OK);
    cr_assert_null(member(2));
    for (int i = 0; i < 20; i++) {
        chirr_membership_tick(one, chirr_membership_deadline(one));
        cr_assert_null(bench_next(one, CHIRR_MESSAGE_PING, sample_agent(2), NULL));
    }
    cr_assert_eq(chirr_membership_add(one, sample_agent(2), 5, 0), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_ALIVE);
}

Test(membership, who_left_comes_back_with_a_greater_incarnation, .init = setup, .fini = teardown)
{
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_LEFT), CHIRR_OK);
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_ALIVE), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_LEFT);
    cr_assert_eq(gossip(1, 2, 6, CHIRR_MEMBER_ALIVE), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_ALIVE);
}

Test(membership, what_is_new_is_published_at_once_but_not_to_whom_it_came_from, .init = setup,
     .fini = teardown)
{
    bench_drain(one);
    struct chirr_output output;
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    chirr_membership_tick(one, 0);
    do {
        cr_assert(chirr_membership_poll(one, &output));
    } while (output.kind != CHIRR_OUTPUT_PUBLISH);
    cr_assert_eq(output.topic, CHIRR_TOPIC_EAGER);
    cr_assert_eq(output.except, sample_agent(1));
    cr_assert(bench_tells(&output.message->gossip, 2, 5, CHIRR_MEMBER_SUSPECT));
    cr_assert_eq(gossip(3, 2, 5, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(gossip(1, 3, 6, CHIRR_MEMBER_ALIVE), CHIRR_OK);
    chirr_membership_tick(one, 0);
    do {
        cr_assert(chirr_membership_poll(one, &output));
    } while (output.kind != CHIRR_OUTPUT_PUBLISH);
    cr_assert_eq(output.except, 0); /* it came from two */
    cr_assert_eq(output.message->gossip.count, 3);
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_DEAD), CHIRR_OK); /* known */
    chirr_membership_tick(one, 0);
    cr_assert_not(chirr_membership_poll(one, &output));
}

Test(membership, news_that_nobody_publishes_are_bounded_and_counted, .init = setup,
     .fini = teardown)
{
    bench_drain(one);
    for (uint64_t i = 0; i < 300; i++) {
        cr_assert_eq(gossip(1, 2, 6 + i, CHIRR_MEMBER_ALIVE), CHIRR_OK);
    }
    cr_assert_eq(chirr_membership_count_events(one)->unpushed, 300 - 256);
    chirr_membership_tick(one, 0);
    const struct chirr_message *message = bench_next(one, CHIRR_MESSAGE_GOSSIP, 0, NULL);
    cr_assert_eq(message->gossip.count, 1); /* what was outdated meanwhile is not told */
}

Test(membership, who_says_something_outdated_hears_the_newer, .init = setup, .fini = teardown)
{
    cr_assert_eq(gossip(1, 2, 9, CHIRR_MEMBER_ALIVE), CHIRR_OK);
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                 .probe = {.sequence = 1, .target = sample_agent(0)}};
    for (int i = 0; i < 20; i++) { /* it is told enough */
        cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &ping, 0), CHIRR_OK);
        bench_drain(one);
    }
    ping.probe.news.count = 1;
    ping.probe.news.updates[0] = (struct chirr_member_update){
        .agent = sample_agent(2), .incarnation = 7, .status = CHIRR_MEMBER_DEAD};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(3), &ping, 0), CHIRR_OK);
    const struct chirr_message *ack = bench_next(one, CHIRR_MESSAGE_ACK, sample_agent(3), NULL);
    cr_assert(bench_tells(&ack->probe.news, 2, 9, CHIRR_MEMBER_ALIVE));
}

Test(membership, creation_fails_at_every_cut_and_takes_exactly_its_bytes)
{
    struct chirr_membership_config config = chirr_membership_config_default();
    config.self = 1;
    size_t bytes = chirr_membership_bytes(&config);
    struct chirr_arena cut;
    cr_assert_eq(chirr_arena_init(&cut, bytes), CHIRR_OK);
    for (cut.capacity = 0; cut.capacity < bytes; cut.capacity += CHIRR_ARENA_ALIGN) {
        cut.used = 0;
        cr_assert_null(chirr_membership_create(&cut, &config, 0));
    }
    cut.used = 0;
    memset(cut.base, 0, bytes);
    cr_assert_not_null(chirr_membership_create(&cut, &config, 0));
    cr_assert_eq(cut.used, bytes);
    chirr_arena_finish(&cut);
}

Test(membership, a_bad_configuration_is_named)
{
    struct chirr_error error;
    struct chirr_membership_config config = chirr_membership_config_default();
    cr_assert_eq(chirr_membership_config_validate(&config, &error), CHIRR_OK);
    config.probe_timeout_ms = config.probe_interval_ms;
    cr_assert_eq(chirr_membership_config_validate(&config, &error), CHIRR_ERR_RANGE);
    cr_assert_not_null(strstr(error.text, "probe_timeout_ms"));
    config = chirr_membership_config_default();
    config.incarnation = 0;
    cr_assert_eq(chirr_membership_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = chirr_membership_config_default();
    config.members_max = 0;
    cr_assert_eq(chirr_membership_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = chirr_membership_config_default();
    config.indirect_count = 17;
    cr_assert_eq(chirr_membership_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = chirr_membership_config_default();
    config.suspect_timeout_ms = 0;
    cr_assert_eq(chirr_membership_config_validate(&config, &error), CHIRR_ERR_RANGE);
    cr_assert_not_null(strstr(error.text, "suspect_timeout_ms"));
    config = chirr_membership_config_default();
    config.tombstones_max = 0;
    cr_assert_eq(chirr_membership_config_validate(&config, &error), CHIRR_ERR_RANGE);
    cr_assert_not_null(strstr(error.text, "tombstones_max"));
    config = chirr_membership_config_default();
    config.dead_probes_max = 0;
    cr_assert_eq(chirr_membership_config_validate(&config, &error), CHIRR_ERR_RANGE);
    cr_assert_not_null(strstr(error.text, "dead_probes_max"));
}
