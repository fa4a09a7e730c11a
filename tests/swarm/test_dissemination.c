#include "swarm/dissemination.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/sample.h"
#include "tests/swarm/dissemination_agent.h"

/* One machine by hand; test_dissemination_swarm.c has several on a network. */

static struct chirr_dissemination_config alone_config;
static struct agent alone;

static struct agent *agent_configured(void)
{
    agent_create(&alone, &alone_config, 0, 1, 0);
    return &alone;
}

static struct agent *agent_alone(void)
{
    alone_config = chirr_dissemination_config_default();
    return agent_configured();
}

static bool poll_kind(struct agent *agent, enum chirr_output_kind kind,
                      enum chirr_message_kind message, struct chirr_output *output)
{
    while (chirr_dissemination_poll(agent->dissemination, output)) {
        if (output->kind == kind && output->message->kind == message) {
            return true;
        }
    }
    return false;
}

static enum chirr_err give(struct agent *agent, const struct chirr_record *records, uint32_t count,
                           const struct chirr_digest_entry *covered, uint32_t covered_count)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_RECORDS,
                                    .records = {count, records, covered_count, covered}};
    return chirr_dissemination_receive(agent->dissemination, sample_agent(1), &message, 0);
}

static uint64_t mark_of(const struct agent *agent, uint32_t author)
{
    return chirr_records_span(agent->store, sample_agent(author)).covered.version;
}

static struct chirr_dissemination_counters counted(const struct agent *agent)
{
    return chirr_dissemination_count(agent->dissemination);
}

static struct chirr_record task_of(uint32_t author, uint64_t version)
{
    struct chirr_record task = sample_task(author, version);
    return sample_stamped(&task, author, 1, version);
}

Test(dissemination, versions_count_from_one_in_each_incarnation)
{
    struct agent *agent = agent_alone();
    struct chirr_record record = sample_claims(5, 1);
    const uint64_t incarnations[] = {1, 1, 3, 3, 2};
    const struct chirr_stamp stamps[] = {{1, 2}, {1, 3}, {3, 1}, {3, 2}, {3, 3}};
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(chirr_dissemination_state(agent->dissemination, &record, incarnations[i], 0),
                     CHIRR_OK);
        cr_assert_eq(chirr_stamp_compare(record.stamp, stamps[i]), 0);
        cr_assert_eq(record.author, sample_agent(0));
    }
}

Test(dissemination, what_is_dominated_is_not_said_and_takes_no_version)
{
    struct agent *agent = agent_alone();
    struct chirr_record task = sample_task(1, 1);
    struct chirr_record done = sample_phase(&task, CHIRR_TASK_DONE, 0, 1);
    done = sample_stamped(&done, 1, 1, 1);
    cr_assert_eq(give(agent, &done, 1, NULL, 0), CHIRR_OK);
    struct chirr_record reopened = sample_phase(&task, CHIRR_TASK_OPEN, 1, 0);
    cr_assert_eq(chirr_dissemination_state(agent->dissemination, &reopened, 1, 0), CHIRR_ERR_STALE);
    struct chirr_record claims = sample_claims(5, 1);
    cr_assert_eq(chirr_dissemination_state(agent->dissemination, &claims, 1, 0), CHIRR_OK);
    cr_assert_eq(claims.stamp.version, 2);
}

Test(dissemination, what_one_instant_changes_is_pushed_in_one_message)
{
    struct agent *agent = agent_alone();
    for (uint64_t nonce = 1; nonce <= 5; nonce++) {
        struct chirr_record task = sample_task(0, nonce);
        cr_assert_eq(chirr_dissemination_state(agent->dissemination, &task, 1, 0), CHIRR_OK);
    }
    struct chirr_output output;
    cr_assert(poll_kind(agent, CHIRR_OUTPUT_PUBLISH, CHIRR_MESSAGE_RECORDS, &output));
    cr_assert_eq(output.topic, CHIRR_TOPIC_EAGER);
    cr_assert_eq(output.message->records.count, 6);
    cr_assert_eq(output.message->records.covered_count, 0);
    for (uint32_t i = 0; i < 6; i++) {
        cr_assert_eq(output.message->records.records[i].stamp.version, i + 1);
    }
    cr_assert_not(chirr_dissemination_poll(agent->dissemination, &output));
}

Test(dissemination, a_long_push_goes_on_with_the_next_tick)
{
    struct agent *agent = agent_alone();
    for (uint64_t nonce = 1; nonce <= 40; nonce++) {
        struct chirr_record task = sample_task(0, nonce);
        cr_assert_eq(chirr_dissemination_state(agent->dissemination, &task, 1, 0), CHIRR_OK);
    }
    uint32_t pushed = 0;
    uint32_t messages = 0;
    struct chirr_output output;
    while (chirr_dissemination_deadline(agent->dissemination) <= 0 || messages == 0) {
        chirr_dissemination_tick(agent->dissemination, agent->membership, 0);
        while (poll_kind(agent, CHIRR_OUTPUT_PUBLISH, CHIRR_MESSAGE_RECORDS, &output)) {
            pushed += output.message->records.count;
            messages++;
        }
    }
    cr_assert_eq(pushed, 41);
    cr_assert_eq(messages, 3);
}

Test(dissemination, a_push_with_a_gap_is_joined_but_not_covered)
{
    struct agent *agent = agent_alone();
    const struct chirr_digest_entry covered[] = {{sample_agent(1), {1, 1}},
                                                 {sample_agent(0), {1, 0}}};
    bool ordered = covered[0].author < covered[1].author;
    const struct chirr_digest_entry ascending[] = {covered[!ordered], covered[ordered]};
    struct chirr_record first = task_of(1, 1);
    cr_assert_eq(give(agent, &first, 1, ascending, 2), CHIRR_OK);
    cr_assert_eq(mark_of(agent, 1), 1);
    struct chirr_record third = task_of(1, 3);
    cr_assert_eq(give(agent, &third, 1, NULL, 0), CHIRR_OK);
    cr_assert_not_null(chirr_records_task(agent->store, third.task.id));
    cr_assert_eq(mark_of(agent, 1), 1);
    struct chirr_record second = task_of(1, 2);
    cr_assert_eq(give(agent, &second, 1, NULL, 0), CHIRR_OK);
    cr_assert_eq(mark_of(agent, 1), 3);
}

Test(dissemination, marks_of_an_answer_to_an_earlier_life_do_not_count)
{
    struct agent *agent = agent_alone();
    chirr_agent_id self = sample_agent(0);
    chirr_agent_id author = sample_agent(1);
    bool self_first = self < author;
    struct chirr_digest_entry covered[2];
    covered[self_first ? 0 : 1] = (struct chirr_digest_entry){self, {9, 0}};
    covered[self_first ? 1 : 0] = (struct chirr_digest_entry){author, {1, 5}};
    struct chirr_record task = task_of(1, 5);
    cr_assert_eq(give(agent, &task, 1, covered, 2), CHIRR_OK);
    cr_assert_eq(mark_of(agent, 1), 0);
    cr_assert_eq(counted(agent).unechoed, 2);
    covered[self_first ? 0 : 1].stamp = (struct chirr_stamp){1, 0};
    cr_assert_eq(give(agent, &task, 1, covered, 2), CHIRR_OK);
    cr_assert_eq(mark_of(agent, 1), 5);
    cr_assert_eq(counted(agent).unechoed, 2);
}

static void ask(struct agent *agent, struct chirr_stamp known)
{
    struct chirr_digest_entry entry = {sample_agent(0), known};
    struct chirr_message digest = {.kind = CHIRR_MESSAGE_DIGEST,
                                   .digest = {.answer_wanted = true,
                                              .buckets = UINT64_MAX,
                                              .count = known.incarnation != 0,
                                              .entries = &entry}};
    cr_assert_eq(chirr_dissemination_receive(agent->dissemination, sample_agent(1), &digest, 0),
                 CHIRR_OK);
}

Test(dissemination, a_truncated_answer_covers_what_it_contains)
{
    alone_config = chirr_dissemination_config_default();
    alone_config.repair_records_max = 2;
    struct agent *agent = agent_configured();
    for (uint64_t nonce = 1; nonce <= 4; nonce++) {
        struct chirr_record task = sample_task(0, nonce);
        cr_assert_eq(chirr_dissemination_state(agent->dissemination, &task, 1, 0), CHIRR_OK);
    }
    struct chirr_output output;
    const uint64_t known[] = {0, 2, 4};
    const uint64_t marks[] = {2, 4, 5};
    for (int i = 0; i < 3; i++) {
        ask(agent, (struct chirr_stamp){known[i] > 0, known[i]});
        cr_assert(poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_RECORDS, &output));
        cr_assert_eq(output.to, sample_agent(1));
        cr_assert_eq(output.message->records.covered_count, 1);
        cr_assert_eq(output.message->records.covered[0].stamp.version, marks[i]);
    }
    while (chirr_dissemination_poll(agent->dissemination, &output)) {
    }
    ask(agent, (struct chirr_stamp){1, 5});
    cr_assert_not(poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_RECORDS, &output));
}

Test(dissemination, a_digest_is_answered_with_ones_own_when_wanted)
{
    struct agent *agent = agent_alone();
    struct chirr_output output;
    ask(agent, (struct chirr_stamp){1, 1});
    cr_assert(poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_DIGEST, &output));
    cr_assert_eq(output.to, sample_agent(1));
    cr_assert_not(output.message->digest.answer_wanted);
    cr_assert_eq(output.message->digest.count, 1);
    cr_assert_eq(output.message->digest.entries[0].author, sample_agent(0));
    cr_assert_eq(output.message->digest.entries[0].stamp.incarnation, 1);
    cr_assert_eq(output.message->digest.entries[0].stamp.version, 1);
    chirr_dissemination_ask(agent->dissemination, sample_agent(2));
    cr_assert(poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_DIGEST, &output));
    cr_assert(output.message->digest.answer_wanted);
}

Test(dissemination, more_changes_than_fit_show_everything_again)
{
    alone_config = chirr_dissemination_config_default();
    alone_config.changes_max = 4;
    struct agent *agent = agent_configured();
    for (uint64_t version = 1; version <= 100; version++) {
        struct chirr_record task = task_of(1, version);
        cr_assert_eq(chirr_dissemination_restore(agent->dissemination, &task), CHIRR_OK);
    }
    cr_assert_gt(chirr_dissemination_count(agent->dissemination).overflows, 0);
    bool shown[101] = {false};
    struct chirr_record changed;
    cr_assert(chirr_dissemination_changed(agent->dissemination, &changed));
    cr_assert_eq(changed.kind, CHIRR_RECORD_CARD);
    for (uint32_t i = 0; chirr_dissemination_changed(agent->dissemination, &changed); i++) {
        cr_assert_lt(i, 110);
        shown[changed.stamp.version] = true;
        if (i < 3) { /* what comes between is shown too, wherever the walk is */
            struct chirr_record task = sample_task(0, i);
            cr_assert_eq(chirr_dissemination_state(agent->dissemination, &task, 1, 0), CHIRR_OK);
        }
    }
    for (uint64_t version = 1; version <= 100; version++) {
        cr_assert(shown[version], "version %llu", (unsigned long long)version);
    }
}

Test(dissemination, a_record_left_out_for_lack_of_room_holds_up_its_authors_mark)
{
    struct agent *agent = agent_alone();
    chirr_agent_id self = sample_agent(0);
    bool self_first = self < sample_agent(1);
    struct chirr_digest_entry covered[2];
    covered[self_first ? 0 : 1] = (struct chirr_digest_entry){self, {1, 0}};
    covered[self_first ? 1 : 0] = (struct chirr_digest_entry){sample_agent(1), {1, 9}};
    for (uint32_t i = 0; i < AGENT_TASKS_MAX; i++) {
        struct chirr_record task = sample_task(0, i);
        cr_assert_eq(chirr_dissemination_state(agent->dissemination, &task, 1, 0), CHIRR_OK);
    }
    struct chirr_record task = task_of(1, 3);
    cr_assert_eq(give(agent, &task, 1, covered, 2), CHIRR_ERR_FULL);
    cr_assert_eq(mark_of(agent, 1), 0);
    struct chirr_record cancelled = sample_task(0, 0);
    cancelled = sample_phase(&cancelled, CHIRR_TASK_CANCELLED, 0, 0);
    cr_assert_eq(chirr_dissemination_state(agent->dissemination, &cancelled, 1, 0), CHIRR_OK);
    cr_assert_eq(give(agent, &task, 1, covered, 2), CHIRR_OK);
    cr_assert_eq(mark_of(agent, 1), 3);
}

/* Twice as many as the store remembers to have forgotten. */
Test(dissemination, a_task_forgotten_by_the_store_is_not_taken_in_again)
{
    struct agent *agent = agent_alone();
    struct chirr_record first = task_of(1, 1);
    uint64_t version = 0;
    for (uint32_t i = 0; i < 2 * AGENT_TASKS_MAX + 1; i++) {
        struct chirr_record task = task_of(1, ++version);
        struct chirr_record end = sample_phase(&task, CHIRR_TASK_CANCELLED, 0, 0);
        end = sample_stamped(&end, 1, 1, ++version);
        cr_assert_eq(give(agent, &task, 1, NULL, 0), CHIRR_OK);
        cr_assert_eq(give(agent, &end, 1, NULL, 0), CHIRR_OK);
    }
    cr_assert_eq(counted(agent).ended, 0);
    cr_assert_eq(give(agent, &first, 1, NULL, 0), CHIRR_OK);
    cr_assert_null(chirr_records_task(agent->store, first.task.id));
    cr_assert_eq(counted(agent).ended, 1);
}

Test(dissemination, a_false_mark_keeps_nothing_of_its_author_out)
{
    struct agent *agent = agent_alone();
    chirr_agent_id self = sample_agent(0);
    chirr_agent_id victim = sample_agent(2);
    bool self_first = self < victim;
    struct chirr_digest_entry marks[2];
    marks[self_first ? 0 : 1] = (struct chirr_digest_entry){self, {1, 0}};
    marks[self_first ? 1 : 0] = (struct chirr_digest_entry){victim, {UINT64_MAX, UINT64_MAX}};
    cr_assert_eq(give(agent, NULL, 0, marks, 2), CHIRR_OK);
    cr_assert_eq(mark_of(agent, 2), 0);
    const uint64_t versions[] = {1, 4, 2, 3, 5}; /* some late, so that the mark is beyond them */
    for (int i = 0; i < 5; i++) {
        struct chirr_record task = task_of(2, versions[i]);
        cr_assert_eq(give(agent, &task, 1, NULL, 0), CHIRR_OK);
        cr_assert_not_null(chirr_records_task(agent->store, task.task.id));
        cr_assert_eq(give(agent, NULL, 0, marks, 2), CHIRR_OK);
        cr_assert_leq(mark_of(agent, 2), 5, "what comes next is asked for");
    }
    struct chirr_stamp mark = chirr_records_span(agent->store, victim).covered;
    cr_assert_eq(mark.incarnation, 1);
    cr_assert_eq(mark.version, 5);
}

Test(dissemination, a_mark_holds_up_to_what_was_restored_from_disk)
{
    struct agent *agent = agent_alone();
    bool self_first = sample_agent(0) < sample_agent(1);
    struct chirr_digest_entry marks[2];
    marks[self_first ? 0 : 1] = (struct chirr_digest_entry){sample_agent(0), {1, 0}};
    marks[self_first ? 1 : 0] = (struct chirr_digest_entry){sample_agent(1), {1, 7}};
    struct chirr_record task = task_of(1, 7);
    cr_assert_eq(chirr_dissemination_restore(agent->dissemination, &task), CHIRR_OK);
    cr_assert_eq(give(agent, NULL, 0, marks, 2), CHIRR_OK);
    cr_assert_eq(mark_of(agent, 1), 7);
}

Test(dissemination, what_changed_is_shown_in_order)
{
    struct agent *agent = agent_alone();
    struct chirr_record tasks[] = {task_of(1, 2), task_of(1, 1)};
    cr_assert_eq(give(agent, tasks, 2, NULL, 0), CHIRR_OK);
    cr_assert_eq(give(agent, tasks, 2, NULL, 0), CHIRR_OK); /* known: no change */
    struct chirr_record changed;
    cr_assert(chirr_dissemination_changed(agent->dissemination, &changed));
    cr_assert_eq(changed.kind, CHIRR_RECORD_CARD);
    for (int i = 0; i < 2; i++) {
        cr_assert(chirr_dissemination_changed(agent->dissemination, &changed));
        cr_assert_eq(changed.task.id, tasks[i].task.id);
    }
    cr_assert_not(chirr_dissemination_changed(agent->dissemination, &changed));
}

Test(dissemination, restored_tasks_are_stated_again_in_the_new_life)
{
    alone_config = chirr_dissemination_config_default();
    agent_create(&alone, &alone_config, 0, 5, 0);
    struct agent *agent = &alone;
    struct chirr_record task = sample_task(0, 1);
    struct chirr_record old = sample_stamped(&task, 0, 2, 17);
    cr_assert_eq(chirr_dissemination_restore(agent->dissemination, &old), CHIRR_OK);
    const struct chirr_record *held = chirr_records_task(agent->store, task.task.id);
    cr_assert_eq(held->stamp.incarnation, 5);
    cr_assert_eq(held->stamp.version, 2);
    struct chirr_record others = task_of(1, 3);
    cr_assert_eq(chirr_dissemination_restore(agent->dissemination, &others), CHIRR_OK);
    cr_assert_not_null(chirr_records_task(agent->store, others.task.id));
    cr_assert_eq(mark_of(agent, 1), 0);
}

Test(dissemination, the_first_statement_of_a_life_needs_a_new_incarnation)
{
    struct agent *agent = agent_alone();
    struct chirr_dissemination_config config = chirr_dissemination_config_default();
    config.self = sample_agent(0);
    struct chirr_arena arena;
    cr_assert_eq(chirr_arena_init(&arena, chirr_dissemination_bytes(&config)), CHIRR_OK);
    struct chirr_dissemination *later =
        chirr_dissemination_create(&arena, &config, agent->store, 0);
    struct chirr_record task = sample_task(0, 1);
    struct chirr_record old = sample_stamped(&task, 0, 2, 17);
    cr_assert_eq(chirr_dissemination_restore(later, &old), CHIRR_OK);
    struct chirr_record claims = sample_claims(0, 0);
    cr_assert_eq(chirr_dissemination_state(later, &claims, 2, 0), CHIRR_ERR_STALE);
    cr_assert_eq(chirr_dissemination_state(later, &claims, 3, 0), CHIRR_OK);
    chirr_arena_finish(&arena);
}

Test(dissemination, a_tick_before_the_deadline_has_no_effect)
{
    struct agent *agent = agent_alone();
    struct chirr_output output;
    while (chirr_dissemination_poll(agent->dissemination, &output)) {
    }
    chirr_time_us deadline = chirr_dissemination_deadline(agent->dissemination);
    cr_assert_gt(deadline, 0);
    chirr_dissemination_tick(agent->dissemination, agent->membership, deadline - 1);
    cr_assert_not(chirr_dissemination_poll(agent->dissemination, &output));
    cr_assert_eq(chirr_dissemination_deadline(agent->dissemination), deadline);
    chirr_dissemination_tick(agent->dissemination, agent->membership, deadline);
    cr_assert(poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_DIGEST, &output));
    cr_assert_gt(chirr_dissemination_deadline(agent->dissemination), deadline);
}

Test(dissemination, digests_that_nobody_polls_are_dropped_and_counted)
{
    struct agent *agent = agent_alone();
    for (uint32_t i = 0; i < 1000; i++) {
        chirr_dissemination_ask(agent->dissemination, sample_agent(1 + i));
    }
    struct chirr_output output;
    uint32_t polled = 0;
    while (poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_DIGEST, &output)) {
        polled++;
    }
    cr_assert_lt(polled, 100);
    cr_assert_eq(chirr_dissemination_count(agent->dissemination).dropped, 1000 - polled);
}

/* States tasks until the push budget is used up; returns how many were pushed. */
static uint32_t push_until_exhausted(struct agent *agent, chirr_time_us now)
{
    struct chirr_output output;
    uint32_t pushed = 0;
    for (uint64_t nonce = 1; nonce <= 200; nonce++) {
        struct chirr_record task = sample_task(0, nonce);
        cr_assert_eq(chirr_dissemination_state(agent->dissemination, &task, 1, now), CHIRR_OK);
        chirr_dissemination_tick(agent->dissemination, agent->membership, now);
        while (poll_kind(agent, CHIRR_OUTPUT_PUBLISH, CHIRR_MESSAGE_RECORDS, &output)) {
            pushed += output.message->records.count;
        }
    }
    return pushed;
}

Test(dissemination, pushes_over_their_budget_wait_and_none_is_lost)
{
    alone_config = chirr_dissemination_config_default();
    alone_config.push_bytes_per_s = 2000;
    struct agent *agent = agent_configured();
    struct chirr_output output;
    uint32_t pushed = push_until_exhausted(agent, 0);
    cr_assert_lt(pushed, 100);
    for (chirr_time_us now = 0; pushed < 201 && now < 60 * CHIRR_US_PER_S; now += 100000) {
        chirr_dissemination_tick(agent->dissemination, agent->membership, now);
        while (poll_kind(agent, CHIRR_OUTPUT_PUBLISH, CHIRR_MESSAGE_RECORDS, &output)) {
            pushed += output.message->records.count;
        }
    }
    cr_assert_eq(pushed, 201); /* the card, too */
}

Test(dissemination, a_flood_of_pushes_does_not_starve_the_repair)
{
    alone_config = chirr_dissemination_config_default();
    alone_config.push_bytes_per_s = 2000;
    struct agent *agent = agent_configured();
    struct chirr_output output;
    push_until_exhausted(agent, 0);
    ask(agent, (struct chirr_stamp){1, 1});
    cr_assert(poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_RECORDS, &output));
}

Test(dissemination, a_flood_of_questions_does_not_starve_the_pushes)
{
    alone_config = chirr_dissemination_config_default();
    alone_config.repair_bytes_per_s = 200;
    struct agent *agent = agent_configured();
    struct chirr_output output;
    uint32_t answered = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        ask(agent, (struct chirr_stamp){1, 0});
        while (poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_RECORDS, &output)) {
            answered++;
        }
    }
    cr_assert_lt(answered, 20);
    cr_assert_geq(chirr_dissemination_count(agent->dissemination).over_share, 980);
    struct chirr_record task = sample_task(0, 1);
    cr_assert_eq(chirr_dissemination_state(agent->dissemination, &task, 1, 0), CHIRR_OK);
    cr_assert(poll_kind(agent, CHIRR_OUTPUT_PUBLISH, CHIRR_MESSAGE_RECORDS, &output));
}

Test(dissemination, other_messages_are_refused)
{
    struct agent *agent = agent_alone();
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING};
    cr_assert_eq(chirr_dissemination_receive(agent->dissemination, sample_agent(1), &ping, 0),
                 CHIRR_ERR_INVALID);
    cr_assert_eq(counted(agent).refused, 1);
    static struct chirr_record many[CHIRR_RECORDS_MAX + 1];
    cr_assert_eq(give(agent, many, CHIRR_RECORDS_MAX + 1, NULL, 0), CHIRR_ERR_FULL);
    cr_assert_eq(counted(agent).refused, 2);
}

Test(dissemination, with_a_local_view_others_cards_are_passed_over_and_counted)
{
    alone_config = chirr_dissemination_config_default();
    alone_config.local = true;
    struct agent *agent = agent_configured();
    struct chirr_record card = sample_card(6);
    card = sample_stamped(&card, 6, 1, 1);
    const struct chirr_record *held = chirr_records_card(agent->store, sample_agent(6));
    cr_assert_null(held);
    cr_assert_eq(give(agent, &card, 1, NULL, 0), CHIRR_OK); /* it is agent 1 who sends it */
    cr_assert_null(chirr_records_card(agent->store, sample_agent(6)));
    cr_assert_eq(counted(agent).passed_over, 1);
    cr_assert_eq(chirr_dissemination_learn(agent->dissemination, sample_agent(1), &card, 1, 0),
                 CHIRR_OK);
    cr_assert_not_null(chirr_records_card(agent->store, sample_agent(6)));
    cr_assert_eq(counted(agent).passed_over, 1);
}

Test(dissemination, with_a_local_view_a_question_without_an_echo_is_counted_and_not_answered)
{
    alone_config = chirr_dissemination_config_default();
    alone_config.local = true;
    struct agent *agent = agent_configured();
    struct chirr_output output;
    ask(agent, (struct chirr_stamp){0, 0});
    cr_assert_not(poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_RECORDS, &output));
    cr_assert_eq(counted(agent).refused, 1);
}

Test(dissemination, what_is_asked_for_and_not_held_any_more_is_counted)
{
    struct agent *agent = agent_alone();
    struct chirr_output output;
    const struct chirr_digest_entry wanted = {sample_agent(5), {1, 7}};
    struct chirr_message graft = {.kind = CHIRR_MESSAGE_GRAFT,
                                  .have = {.count = 1, .entries = &wanted}};
    cr_assert_eq(chirr_dissemination_receive(agent->dissemination, sample_agent(1), &graft, 0),
                 CHIRR_OK);
    cr_assert_not(poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_RECORDS, &output));
    cr_assert_eq(counted(agent).gone, 1);
}

Test(dissemination, own_statements_that_come_back_are_repeats_but_for_the_last_incarnation)
{
    struct agent *agent = agent_alone();
    struct chirr_record claims = sample_claims(5, 1);
    cr_assert_eq(chirr_dissemination_state(agent->dissemination, &claims, 1, 0), CHIRR_OK);
    cr_assert_eq(give(agent, &claims, 1, NULL, 0), CHIRR_OK);
    cr_assert_eq(counted(agent).own, 1);
    cr_assert_eq(counted(agent).refused, 0);
    claims.stamp.incarnation = UINT64_MAX;
    cr_assert_eq(give(agent, &claims, 1, NULL, 0), CHIRR_ERR_RANGE);
    cr_assert_eq(counted(agent).refused, 1);
}

Test(dissemination, creation_fails_at_every_cut_and_takes_exactly_its_bytes)
{
    struct agent *agent = agent_alone();
    struct chirr_dissemination_config config = chirr_dissemination_config_default();
    config.self = sample_agent(0);
    size_t bytes = chirr_dissemination_bytes(&config);
    struct chirr_arena arena;
    cr_assert_eq(chirr_arena_init(&arena, bytes), CHIRR_OK);
    for (arena.capacity = 0; arena.capacity < bytes; arena.capacity += CHIRR_ARENA_ALIGN) {
        arena.used = 0;
        cr_assert_null(chirr_dissemination_create(&arena, &config, agent->store, 0));
    }
    arena.used = 0;
    memset(arena.base, 0, bytes);
    cr_assert_not_null(chirr_dissemination_create(&arena, &config, agent->store, 0));
    cr_assert_eq(arena.used, bytes);
    chirr_arena_finish(&arena);
}

Test(dissemination, a_bad_configuration_is_named)
{
    struct chirr_error error;
    struct chirr_dissemination_config config = chirr_dissemination_config_default();
    cr_assert_eq(chirr_dissemination_config_validate(&config, &error), CHIRR_OK);
    config.repair_records_max = CHIRR_RECORDS_MAX + 1;
    cr_assert_eq(chirr_dissemination_config_validate(&config, &error), CHIRR_ERR_RANGE);
    cr_assert_not_null(strstr(error.text, "repair_records_max"));
    config = chirr_dissemination_config_default();
    config.repair_interval_ms = 0;
    cr_assert_eq(chirr_dissemination_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = chirr_dissemination_config_default();
    config.changes_max = 0;
    cr_assert_eq(chirr_dissemination_config_validate(&config, &error), CHIRR_ERR_RANGE);
}
