/* The rules that a wire cannot break, because encoding normalises: what is past the ends of texts
 * and lists. And those of a specification, with the id made to fit. */
#include "proto/message.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/generate.h"
#include "tests/support/sample.h"

#define BAD_SPECS(X)                                                                               \
    X(MALFORMED, s->kind[0] = '\0')                                                                \
    X(MALFORMED, s->kind[5] = 'x')                                                                 \
    X(MALFORMED, s->kind[0] = '\x1b')                                                              \
    X(FULL, memset(s->kind, 'x', sizeof s->kind))                                                  \
    X(RANGE, s->time_limit_ms = 0)                                                                 \
    X(RANGE, s->time_limit_ms = 86400001)                                                          \
    X(RANGE, s->priority = 10)                                                                     \
    X(FULL, s->requires.count = CHIRR_TAGS_MAX + 1)                                                \
    X(MALFORMED, s->requires.count = 1)                                                            \
    X(MALFORMED, s->requires.names[0][0] = 'x')                                                    \
    X(MALFORMED, s->requires = ((struct chirr_tags){2, {"gpu", "gpu"}}))                           \
    X(FULL, (s->requires.count = 1, memset(s->requires.names[0], 'x', CHIRR_TAG_BYTES_MAX)))       \
    X(RANGE, s->argument_count = 0)                                                                \
    X(MALFORMED, s->argument_count = 1)                                                            \
    X(MALFORMED, s->argument_count = 3)                                                            \
    X(MALFORMED, s->command_bytes = 0)                                                             \
    X(MALFORMED, s->command_bytes = 4)                                                             \
    X(FULL, s->command_bytes = CHIRR_COMMAND_BYTES_MAX + 1)                                        \
    X(MALFORMED, s->command[0] = '\0')                                                             \
    X(MALFORMED, s->command[CHIRR_COMMAND_BYTES_MAX - 1] = 'x')

static const struct {
    const char *what;
    enum chirr_err expected;
} bad_specs[] = {
#define BAD_SPEC_ENTRY(expected, change) {#change, CHIRR_ERR_##expected},
    BAD_SPECS(BAD_SPEC_ENTRY)};

static struct chirr_task_spec plain_spec(void)
{
    struct chirr_task_spec spec = {
        .kind = "hash", .time_limit_ms = 1, .argument_count = 2, .command_bytes = 5};
    memcpy(spec.command, "ls\0/", 5);
    return spec;
}

static void make_spec_bad(size_t index, struct chirr_task_spec *s)
{
    size_t at = 0;
#define BAD_SPEC_APPLY(expected, change)                                                           \
    if (at++ == index) {                                                                           \
        (void)(change);                                                                            \
    }
    BAD_SPECS(BAD_SPEC_APPLY)
}

Test(validate, refuses_every_bad_specification)
{
    struct chirr_task_spec spec = plain_spec();
    cr_assert_eq(chirr_task_spec_validate(&spec), CHIRR_OK);
    for (size_t i = 0; i < sizeof bad_specs / sizeof bad_specs[0]; i++) {
        spec = plain_spec();
        make_spec_bad(i, &spec);
        cr_expect_eq(chirr_task_spec_validate(&spec), bad_specs[i].expected, "%s",
                     bad_specs[i].what);
    }
}

Test(validate, refuses_anything_behind_the_end_of_a_list)
{
    struct chirr_record record = {.kind = CHIRR_RECORD_CLAIMS, .author = 1, .stamp = {1, 1}};
    cr_assert_eq(chirr_record_validate(&record), CHIRR_OK);
    record.claims.claims[0].bid = 1;
    cr_assert_eq(chirr_record_validate(&record), CHIRR_ERR_MALFORMED);
    record.claims.count = CHIRR_CLAIMS_MAX + 1;
    cr_assert_eq(chirr_record_validate(&record), CHIRR_ERR_FULL);
}

Test(validate, refuses_any_change_of_trust_behind_the_last)
{
    struct chirr_record record = sample_stamped(&(struct chirr_record){0}, 0, 1, 1);
    record.kind = CHIRR_RECORD_TRUST;
    cr_assert_eq(chirr_record_validate(&record), CHIRR_OK);
    record.trust.changes[CHIRR_TRUST_CHANGES_MAX - 1].removed = true;
    cr_assert_eq(chirr_record_validate(&record), CHIRR_ERR_MALFORMED);
    record.trust.changes[CHIRR_TRUST_CHANGES_MAX - 1].removed = false;
    record.trust.changes[0].public_key[31] = 1;
    cr_assert_eq(chirr_record_validate(&record), CHIRR_ERR_MALFORMED);
    record.trust.count = CHIRR_TRUST_CHANGES_MAX + 1;
    cr_assert_eq(chirr_record_validate(&record), CHIRR_ERR_FULL);
}

Test(validate, a_key_may_be_trusted_and_removed_again_but_never_change_hands)
{
    struct chirr_record trusted = sample_trust(3, false);
    struct chirr_record record = sample_stamped(&trusted, 0, 1, 1);
    record.trust.count = 3;
    record.trust.changes[1] = record.trust.changes[0];
    record.trust.changes[1].removed = true;
    record.trust.changes[2] = record.trust.changes[0];
    cr_assert_eq(chirr_record_validate(&record), CHIRR_OK);
    record.trust.changes[2].holder = sample_agent(4);
    cr_assert_eq(chirr_record_validate(&record), CHIRR_ERR_MALFORMED);
}

Test(validate, a_digest_without_a_summary_has_no_trace_of_one)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_DIGEST, .digest.buckets = UINT64_MAX};
    cr_assert_eq(chirr_message_validate(&message), CHIRR_OK);
    message.digest.salt = 1;
    cr_assert_eq(chirr_message_validate(&message), CHIRR_ERR_MALFORMED);
    message.digest.salt = 0;
    message.digest.summary[CHIRR_DIGEST_BUCKETS - 1] = 1;
    cr_assert_eq(chirr_message_validate(&message), CHIRR_ERR_MALFORMED);
    message.digest.summary_count = CHIRR_DIGEST_BUCKETS;
    cr_assert_eq(chirr_message_validate(&message), CHIRR_ERR_MALFORMED, "buckets beside a summary");
    message.digest.buckets = 0;
    cr_assert_eq(chirr_message_validate(&message), CHIRR_OK);
    message.digest.summary_count = CHIRR_DIGEST_BUCKETS + 1;
    cr_assert_eq(chirr_message_validate(&message), CHIRR_ERR_FULL);
}

Test(validate, only_a_suspect_has_an_accuser)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_GOSSIP, .gossip.count = 1};
    struct chirr_member_update *update = &message.gossip.updates[0];
    for (int status = CHIRR_MEMBER_ALIVE; status <= CHIRR_MEMBER_LEFT; status++) {
        *update = (struct chirr_member_update){1, 2, (enum chirr_member_status)status, 0};
        cr_assert_eq(chirr_message_validate(&message), CHIRR_OK);
        update->accuser = 3;
        cr_assert_eq(chirr_message_validate(&message),
                     status == CHIRR_MEMBER_SUSPECT ? CHIRR_OK : CHIRR_ERR_MALFORMED);
    }
}

/* Hops of a walk, urgency of a request, and whose card comes first, by verb. */
Test(validate, a_view_says_only_what_its_verb_means)
{
    static const struct {
        enum chirr_view_verb verb;
        bool walks, urges, leads;
    } verbs[] = {
        {CHIRR_VIEW_JOIN, false, false, true},      {CHIRR_VIEW_FORWARD_JOIN, true, false, true},
        {CHIRR_VIEW_NEIGHBOUR, false, true, false}, {CHIRR_VIEW_ACCEPT, false, false, false},
        {CHIRR_VIEW_REFUSE, false, false, false},   {CHIRR_VIEW_DISCONNECT, false, false, false},
        {CHIRR_VIEW_SHUFFLE, true, false, true},    {CHIRR_VIEW_SHUFFLE_REPLY, false, false, false},
    };
    struct chirr_record cards[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct chirr_record card = sample_card(i);
        cards[i] = sample_stamped(&card, i, 1, 1);
    }
    struct chirr_message message = {.kind = CHIRR_MESSAGE_VIEW};
    struct chirr_view_message *view = &message.view;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        *view = (struct chirr_view_message){verbs[i].verb, cards[0].author, 0, false, 2, cards};
        cr_expect_eq(chirr_message_validate(&message), CHIRR_OK, "verb %d", verbs[i].verb);
        view->hops = 16;
        cr_expect_eq(chirr_message_validate(&message) == CHIRR_OK, verbs[i].walks);
        view->hops = 0;
        view->urgent = true;
        cr_expect_eq(chirr_message_validate(&message) == CHIRR_OK, verbs[i].urges);
        view->urgent = false;
        view->origin = cards[1].author;
        cr_expect_eq(chirr_message_validate(&message) != CHIRR_OK, verbs[i].leads);
        view->count = 0;
        cr_expect_eq(chirr_message_validate(&message) != CHIRR_OK, verbs[i].leads);
    }
}

Test(validate, refuses_a_result_before_the_end_and_leftovers_behind_an_output)
{
    struct chirr_random random;
    chirr_random_init(&random, 5, 0);
    struct chirr_record record = {.kind = CHIRR_RECORD_TASK, .author = 1, .stamp = {1, 1}};
    generate_task(&random, 1, CHIRR_TASK_RUNNING, &record.task);
    cr_assert_eq(chirr_record_validate(&record), CHIRR_OK);
    record.task.result.duration_us = 1;
    cr_assert_eq(chirr_record_validate(&record), CHIRR_ERR_MALFORMED);
    generate_task(&random, 1, CHIRR_TASK_DONE, &record.task);
    record.task.result.output_bytes = 3;
    memset(record.task.result.output, 0, sizeof record.task.result.output);
    record.task.result.output_total_bytes = 3;
    cr_assert_eq(chirr_record_validate(&record), CHIRR_OK);
    record.task.result.output[3] = 1;
    cr_assert_eq(chirr_record_validate(&record), CHIRR_ERR_MALFORMED);
}

Test(validate, refuses_unknown_kinds)
{
    struct chirr_record record = {.kind = 0, .author = 1, .stamp = {1, 1}};
    cr_assert_eq(chirr_record_validate(&record), CHIRR_ERR_RANGE);
    record.kind = CHIRR_RECORD_TRUST + 1;
    cr_assert_eq(chirr_record_validate(&record), CHIRR_ERR_RANGE);
    struct chirr_message message = {.kind = 0};
    cr_assert_eq(chirr_message_validate(&message), CHIRR_ERR_RANGE);
    message.kind = CHIRR_MESSAGE_KINDS;
    cr_assert_eq(chirr_message_validate(&message), CHIRR_ERR_RANGE);
}
