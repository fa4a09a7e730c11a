#include "swarm/membership.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/sample.h"

/* One machine by hand; test_membership_swarm.c has many on a network. */

static struct chirr_arena arena;
static struct chirr_membership *one;

static void setup(void)
{
    struct chirr_membership_config config = chirr_membership_config_default();
    config.self = sample_agent(0);
    config.members_max = 4;
    cr_assert_eq(chirr_arena_init(&arena, chirr_membership_bytes(&config)), CHIRR_OK);
    one = chirr_membership_create(&arena, &config, 0);
    cr_assert_not_null(one);
    for (uint32_t i = 1; i < 4; i++) {
        cr_assert_eq(chirr_membership_add(one, sample_agent(i), 5, 0), CHIRR_OK);
    }
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

static enum chirr_err gossip(uint32_t from, uint32_t about, uint64_t incarnation,
                             enum chirr_member_status status)
{
    struct chirr_message message = {
        .kind = CHIRR_MESSAGE_GOSSIP,
        .gossip = {.count = 1, .updates = {{sample_agent(about), incarnation, status}}}};
    return chirr_membership_receive(one, sample_agent(from), &message, 0);
}

static const struct chirr_member *member(uint32_t index)
{
    return chirr_membership_find(one, sample_agent(index));
}

static void drain(void)
{
    struct chirr_output output;
    while (chirr_membership_poll(one, &output)) {
    }
}

/* The next message of this kind that goes out; NULL. */
static const struct chirr_message *next_message(enum chirr_message_kind kind, chirr_agent_id to)
{
    struct chirr_output output;
    while (chirr_membership_poll(one, &output)) {
        bool carries = output.kind == CHIRR_OUTPUT_SEND || output.kind == CHIRR_OUTPUT_PUBLISH;
        if (carries && output.message->kind == kind && (to == 0 || output.to == to)) {
            return output.message;
        }
    }
    return NULL;
}

static bool tells(const struct chirr_member_updates *news, uint32_t about, uint64_t incarnation,
                  enum chirr_member_status status)
{
    for (uint32_t i = 0; i < news->count; i++) {
        const struct chirr_member_update *update = &news->updates[i];
        if (update->agent == sample_agent(about) && update->incarnation == incarnation &&
            update->status == status) {
            return true;
        }
    }
    return false;
}

Test(membership, refutes_a_suspicion_about_itself, .init = setup, .fini = teardown)
{
    drain();
    cr_assert_eq(gossip(1, 0, 1, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    cr_assert_eq(chirr_membership_incarnation(one), 2);
    const struct chirr_message *message = next_message(CHIRR_MESSAGE_GOSSIP, 0);
    cr_assert_not_null(message);
    cr_assert(tells(&message->gossip, 0, 2, CHIRR_MEMBER_ALIVE));
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
    const struct chirr_message *message = next_message(CHIRR_MESSAGE_GOSSIP, 0);
    cr_assert(tells(&message->gossip, 0, 1, CHIRR_MEMBER_LEFT));
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
    drain();
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                 .probe = {.sequence = 42, .target = sample_agent(0)}};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(2), &ping, 0), CHIRR_OK);
    const struct chirr_message *ack = next_message(CHIRR_MESSAGE_ACK, sample_agent(2));
    cr_assert_not_null(ack);
    cr_assert_eq(ack->probe.sequence, 42);
    cr_assert_eq(ack->probe.target, sample_agent(0));
    cr_assert(tells(&ack->probe.news, 2, 5, CHIRR_MEMBER_SUSPECT));
    cr_assert(tells(&ack->probe.news, 0, 1, CHIRR_MEMBER_ALIVE));
    ping.probe.target = sample_agent(3);
    cr_assert_eq(chirr_membership_receive(one, sample_agent(2), &ping, 0), CHIRR_ERR_INVALID);
}

Test(membership, pings_for_another_and_passes_the_answer_on, .init = setup, .fini = teardown)
{
    drain();
    struct chirr_message request = {.kind = CHIRR_MESSAGE_PING_REQUEST,
                                    .probe = {.sequence = 9, .target = sample_agent(3)}};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &request, 0), CHIRR_OK);
    const struct chirr_message *ping = next_message(CHIRR_MESSAGE_PING, sample_agent(3));
    cr_assert_not_null(ping);
    struct chirr_message ack = {
        .kind = CHIRR_MESSAGE_ACK,
        .probe = {.sequence = ping->probe.sequence, .target = sample_agent(3)}};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(3), &ack, 0), CHIRR_OK);
    const struct chirr_message *passed = next_message(CHIRR_MESSAGE_ACK, sample_agent(1));
    cr_assert_not_null(passed);
    cr_assert_eq(passed->probe.sequence, 9);
    cr_assert_eq(passed->probe.target, sample_agent(3));
    cr_assert_eq(chirr_membership_receive(one, sample_agent(3), &ack, 0), CHIRR_OK);
    cr_assert_null(next_message(CHIRR_MESSAGE_ACK, 0));
    request.probe.target = 12345;
    cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &request, 0), CHIRR_ERR_NOTFOUND);
}

Test(membership, a_sign_of_life_of_the_dead_is_answered_with_the_news_of_its_death, .init = setup,
     .fini = teardown)
{
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_DEAD), CHIRR_OK);
    drain();
    chirr_time_us now = 1500000;
    struct chirr_message beat = {.kind = CHIRR_MESSAGE_HEARTBEAT,
                                 .heartbeat = {.incarnation = 5, .sequence = 1}};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(2), &beat, now), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_DEAD);
    cr_assert_leq(chirr_membership_deadline(one), now);
    chirr_membership_tick(one, now);
    const struct chirr_message *ping = next_message(CHIRR_MESSAGE_PING, sample_agent(2));
    cr_assert_not_null(ping);
    cr_assert(tells(&ping->probe.news, 2, 5, CHIRR_MEMBER_DEAD));
    beat.heartbeat.incarnation = 6;
    cr_assert_eq(chirr_membership_receive(one, sample_agent(2), &beat, now), CHIRR_OK);
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_ALIVE);
}

Test(membership, a_stranger_is_tolerated_and_its_ping_answered, .init = setup, .fini = teardown)
{
    drain();
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                 .probe = {.sequence = 3, .target = sample_agent(0)}};
    cr_assert_eq(chirr_membership_receive(one, 999, &ping, 0), CHIRR_ERR_NOTFOUND);
    cr_assert_not_null(next_message(CHIRR_MESSAGE_ACK, 999));
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
    drain();
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                 .probe = {.sequence = 1, .target = sample_agent(0)}};
    uint32_t told = 0;
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &ping, 0), CHIRR_OK);
        const struct chirr_message *ack = next_message(CHIRR_MESSAGE_ACK, sample_agent(1));
        told += tells(&ack->probe.news, 2, 5, CHIRR_MEMBER_DEAD);
    }
    cr_assert_eq(told, 6); /* 3·log2 of three members, rounded up */
}

Test(membership, outputs_that_nobody_polls_are_dropped_and_counted, .init = setup, .fini = teardown)
{
    drain();
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                 .probe = {.sequence = 1, .target = sample_agent(0)}};
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &ping, 0), CHIRR_OK);
    }
    uint32_t polled = 0;
    while (next_message(CHIRR_MESSAGE_ACK, 0) != NULL) {
        polled++;
    }
    cr_assert_lt(polled, 100);
    cr_assert_eq(chirr_membership_count_events(one)->dropped, 1000 - polled);
}

Test(membership, relays_that_are_never_answered_are_bounded, .init = setup, .fini = teardown)
{
    struct chirr_message request = {.kind = CHIRR_MESSAGE_PING_REQUEST,
                                    .probe = {.sequence = 9, .target = sample_agent(3)}};
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(chirr_membership_receive(one, sample_agent(1), &request, 0), CHIRR_OK);
        drain();
    }
    cr_assert_eq(chirr_membership_count_events(one)->dropped, 50 - 32);
}

Test(membership, a_full_table_has_room_again_once_somebody_left, .init = setup, .fini = teardown)
{
    cr_assert_eq(chirr_membership_add(one, sample_agent(4), 1, 0), CHIRR_OK);
    cr_assert_eq(chirr_membership_add(one, sample_agent(5), 1, 0), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_membership_add(one, sample_agent(0), 1, 0), CHIRR_OK);
    cr_assert_eq(gossip(1, 3, 5, CHIRR_MEMBER_LEFT), CHIRR_OK);
    cr_assert_eq(chirr_membership_add(one, sample_agent(5), 1, 0), CHIRR_OK);
    cr_assert_null(member(3));
    cr_assert_eq(chirr_membership_count(one), 4);
    for (uint32_t i = 1; i < 4; i++) {
        cr_assert_lt(chirr_membership_at(one, i - 1)->agent, chirr_membership_at(one, i)->agent);
    }
    for (int i = 0; i < 20; i++) { /* the rounds go on without it */
        chirr_membership_tick(one, chirr_membership_deadline(one));
        drain();
    }
}

Test(membership, every_member_is_probed_once_in_a_round, .init = setup, .fini = teardown)
{
    drain();
    uint32_t probes[4] = {0};
    for (int i = 0; i < 3 * 20; i++) {
        chirr_time_us now = chirr_membership_deadline(one);
        chirr_membership_tick(one, now);
        const struct chirr_message *ping = next_message(CHIRR_MESSAGE_PING, 0);
        cr_assert_not_null(ping);
        struct chirr_message ack = {
            .kind = CHIRR_MESSAGE_ACK,
            .probe = {.sequence = ping->probe.sequence, .target = ping->probe.target}};
        cr_assert_eq(chirr_membership_receive(one, ping->probe.target, &ack, now), CHIRR_OK);
        drain();
        for (uint32_t j = 1; j < 4; j++) {
            probes[j] += ping->probe.target == sample_agent(j);
        }
        if (i % 3 == 2) {
            cr_assert(probes[1] == probes[2] && probes[2] == probes[3]);
        }
    }
}

Test(membership, an_unanswered_probe_goes_indirect_then_suspects_then_buries, .init = setup,
     .fini = teardown)
{
    drain();
    chirr_time_us now = chirr_membership_deadline(one);
    chirr_membership_tick(one, now);
    chirr_agent_id target = next_message(CHIRR_MESSAGE_PING, 0)->probe.target;
    cr_assert_eq(chirr_membership_deadline(one), now + chirr_time_from_ms(300));
    chirr_membership_tick(one, now + chirr_time_from_ms(300));
    for (int i = 0; i < 2; i++) {
        const struct chirr_message *request = next_message(CHIRR_MESSAGE_PING_REQUEST, 0);
        cr_assert_not_null(request);
        cr_assert_eq(request->probe.target, target);
    }
    cr_assert_null(next_message(CHIRR_MESSAGE_PING_REQUEST, 0));
    chirr_membership_tick(one, now + chirr_time_from_ms(1000));
    cr_assert_eq(chirr_membership_find(one, target)->status, CHIRR_MEMBER_SUSPECT);
    cr_assert(chirr_membership_is_live(one, target));
    cr_assert_not_null(next_message(CHIRR_MESSAGE_GOSSIP, 0));
    for (chirr_time_us until = now + chirr_time_from_ms(4000);
         chirr_membership_deadline(one) <= until;) {
        chirr_membership_tick(one, chirr_membership_deadline(one));
        drain();
    }
    cr_assert_eq(chirr_membership_find(one, target)->status, CHIRR_MEMBER_DEAD);
    cr_assert_not(chirr_membership_is_live(one, target));
}

Test(membership, a_tick_far_too_late_accuses_nobody, .init = setup, .fini = teardown)
{
    drain();
    chirr_time_us now = chirr_membership_deadline(one);
    chirr_membership_tick(one, now); /* its probe stays unanswered */
    cr_assert_eq(gossip(1, 2, 5, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    now += 60 * CHIRR_US_PER_S;
    chirr_membership_tick(one, now);
    for (uint32_t i = 1; i < 4; i++) {
        cr_assert_eq(member(i)->status, i == 2 ? CHIRR_MEMBER_SUSPECT : CHIRR_MEMBER_ALIVE);
    }
    while (chirr_membership_deadline(one) <= now + chirr_time_from_ms(3000)) {
        chirr_membership_tick(one, chirr_membership_deadline(one));
        drain();
    }
    cr_assert_eq(member(2)->status, CHIRR_MEMBER_DEAD);
}

Test(membership, a_tick_before_the_deadline_has_no_effect, .init = setup, .fini = teardown)
{
    drain();
    for (int i = 0; i < 30; i++) {
        chirr_time_us deadline = chirr_membership_deadline(one);
        chirr_membership_tick(one, deadline - 1);
        struct chirr_output output;
        cr_assert_not(chirr_membership_poll(one, &output));
        cr_assert_eq(chirr_membership_deadline(one), deadline);
        chirr_membership_tick(one, deadline);
        cr_assert_gt(chirr_membership_deadline(one), deadline);
        drain();
    }
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
}
