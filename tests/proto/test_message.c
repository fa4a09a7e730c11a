#include "proto/message.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/random.h"

static struct chirr_task_spec spec_of(const char *argument)
{
    struct chirr_task_spec spec = {.kind = "hash", .time_limit_ms = 1000, .argument_count = 2};
    strcpy(spec.command, "sha256sum");
    strcpy(spec.command + 10, argument);
    spec.command_bytes = (uint32_t)(10 + strlen(argument) + 1);
    return spec;
}

Test(message, orders_stamps_by_incarnation_then_version)
{
    struct chirr_stamp low = {1, 9};
    struct chirr_stamp middle = {2, 1};
    struct chirr_stamp high = {2, 2};
    cr_assert_lt(chirr_stamp_compare(low, middle), 0);
    cr_assert_lt(chirr_stamp_compare(middle, high), 0);
    cr_assert_gt(chirr_stamp_compare(high, low), 0);
    cr_assert_eq(chirr_stamp_compare(high, high), 0);
}

Test(message, a_task_id_depends_on_all_that_was_asked_and_by_whom)
{
    struct chirr_task_spec spec = spec_of("a");
    struct chirr_task_spec other = spec_of("b");
    chirr_task_id id = chirr_task_id_of(1, 2, &spec);
    cr_assert_eq(id, chirr_task_id_of(1, 2, &spec));
    cr_assert_neq(id, chirr_task_id_of(2, 2, &spec));
    cr_assert_neq(id, chirr_task_id_of(1, 3, &spec));
    cr_assert_neq(id, chirr_task_id_of(1, 2, &other));
    other = spec;
    other.priority = 1;
    cr_assert_neq(id, chirr_task_id_of(1, 2, &other));
    other = spec;
    other.requires = (struct chirr_tags){.count = 1, .names = {"gpu"}};
    cr_assert_neq(id, chirr_task_id_of(1, 2, &other));
}

Test(message, finds_each_argument_of_a_command)
{
    struct chirr_task_spec spec = spec_of("/etc/os-release");
    cr_assert_eq(chirr_task_spec_validate(&spec), CHIRR_OK);
    cr_assert_str_eq(chirr_task_argument(&spec, 0), "sha256sum");
    cr_assert_str_eq(chirr_task_argument(&spec, 1), "/etc/os-release");
    cr_assert_null(chirr_task_argument(&spec, 2));
}

/* Random ids and consecutive ones alike: 64,000 balls in 64 bins, within six deviations. */
Test(message, spreads_authors_evenly_over_the_buckets)
{
    struct chirr_random random;
    chirr_random_init(&random, 3, 0);
    for (int consecutive = 0; consecutive < 2; consecutive++) {
        uint32_t filled[CHIRR_DIGEST_BUCKETS] = {0};
        for (uint64_t i = 1; i <= 64000; i++) {
            uint32_t bucket = chirr_digest_bucket(consecutive == 1 ? i : chirr_random_u64(&random));
            cr_assert_lt(bucket, CHIRR_DIGEST_BUCKETS);
            filled[bucket]++;
        }
        for (uint32_t bucket = 0; bucket < CHIRR_DIGEST_BUCKETS; bucket++) {
            cr_assert(filled[bucket] > 810 && filled[bucket] < 1190, "%u in %u", filled[bucket],
                      bucket);
        }
    }
}

/* Sums must part what single hashes part: one more here and one less there is another sum. */
Test(message, no_two_small_differences_of_a_digest_cancel_out)
{
    uint64_t sums[400];
    size_t count = 0;
    for (uint64_t a = 1; a <= 20; a++) {
        for (uint64_t b = 1; b <= 20; b++) {
            struct chirr_digest_entry one = {1, {5, a}};
            struct chirr_digest_entry other = {2, {5, b}};
            sums[count++] = chirr_digest_print(&one) + chirr_digest_print(&other);
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            cr_assert_neq(sums[i], sums[j]);
        }
    }
}

Test(message, another_salt_makes_another_sum_of_equal_prints)
{
    struct chirr_digest_entry entry = {1, {2, 3}};
    struct chirr_digest_entry swapped = {1, {3, 2}};
    uint64_t print = chirr_digest_print(&entry);
    cr_assert_neq(print, chirr_digest_print(&swapped));
    cr_assert_neq(chirr_digest_sum(print, 0), chirr_digest_sum(print, 1));
    cr_assert_neq(chirr_digest_sum(print, 0), chirr_digest_sum(chirr_digest_print(&swapped), 0));
    cr_assert_neq(chirr_digest_sum(0, 0), chirr_digest_sum(0, 1));
}

/* "This is held" and "everything up to here is known" are two things. */
Test(message, a_mark_has_another_print_than_the_statement_under_its_stamp)
{
    struct chirr_digest_entry entry = {1, {2, 3}};
    struct chirr_digest_entry never_raised = {1, {0, 0}};
    cr_assert_neq(chirr_digest_print(&entry), chirr_digest_mark_print(&entry));
    cr_assert_eq(chirr_digest_mark_print(&never_raised), 0);
}

/* Peers on other machines compute the same, or every summary would differ. */
Test(message, buckets_and_prints_are_part_of_the_protocol)
{
    struct chirr_digest_entry entry = {UINT64_C(0x0123456789abcdef), {1700000000, 42}};
    cr_assert_eq(chirr_digest_bucket(entry.author), 44);
    cr_assert_eq(chirr_digest_print(&entry), UINT64_C(0x0778fa4518b3ca80));
    cr_assert_eq(chirr_digest_mark_print(&entry), UINT64_C(0x7273cc7f481dc24a));
    cr_assert_eq(chirr_digest_sum(chirr_digest_print(&entry), 7), 0x1b1bb119U);
}

Test(message, names_every_kind_phase_and_end)
{
    for (int kind = CHIRR_MESSAGE_PING; kind < CHIRR_MESSAGE_KINDS; kind++) {
        const char *name = chirr_message_kind_name((enum chirr_message_kind)kind);
        cr_assert_str_neq(name, "unknown", "kind %d", kind);
        for (int other = CHIRR_MESSAGE_PING; other < kind; other++) {
            cr_assert_str_neq(name, chirr_message_kind_name((enum chirr_message_kind)other));
        }
    }
    cr_assert_str_eq(chirr_message_kind_name(CHIRR_MESSAGE_DELTA), "delta");
    cr_assert_str_eq(chirr_task_phase_name(CHIRR_TASK_OPEN), "open");
    cr_assert_str_eq(chirr_task_phase_name(CHIRR_TASK_DONE), "done");
    cr_assert_str_eq(chirr_task_end_name(CHIRR_TASK_END_TIMEOUT), "timeout");
    cr_assert_str_eq(chirr_message_kind_name((enum chirr_message_kind)99), "unknown");
}
