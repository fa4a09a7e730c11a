#include "proto/message.h"

#include <criterion/criterion.h>
#include <string.h>

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

Test(message, names_every_kind_phase_and_end)
{
    cr_assert_str_eq(chirr_message_kind_name(CHIRR_MESSAGE_PING), "ping");
    cr_assert_str_eq(chirr_message_kind_name(CHIRR_MESSAGE_DELTA), "delta");
    cr_assert_str_eq(chirr_task_phase_name(CHIRR_TASK_OPEN), "open");
    cr_assert_str_eq(chirr_task_phase_name(CHIRR_TASK_DONE), "done");
    cr_assert_str_eq(chirr_task_end_name(CHIRR_TASK_END_TIMEOUT), "timeout");
    cr_assert_str_eq(chirr_message_kind_name((enum chirr_message_kind)99), "unknown");
}
