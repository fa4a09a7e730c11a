#include "base/log.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct capture {
    int count;
    char last[2048];
};

static void write_capture(void *context, enum chirr_log_level level, const char *line)
{
    struct capture *capture = context;
    capture->count++;
    snprintf(capture->last, sizeof capture->last, "%s: %s", chirr_log_level_name(level), line);
}

Test(log, writes_what_reaches_its_level_and_nothing_below)
{
    struct capture capture = {0};
    struct chirr_log log = {CHIRR_LOG_WARNING, write_capture, &capture};
    chirr_log_info(&log, "quiet");
    cr_assert_eq(capture.count, 0);
    chirr_log_error(&log, "peer %d", 7);
    cr_assert_str_eq(capture.last, "error: peer 7");
}

Test(log, no_sink_is_silence)
{
    chirr_log_error(NULL, "unheard");
    chirr_log_error(&(struct chirr_log){0}, "unheard");
}

Test(log, a_recurring_line_is_limited_and_tells_how_many_were_held_back)
{
    struct chirr_log_limit limit = {.interval_us = 60 * CHIRR_US_PER_S};
    uint64_t held_back;
    cr_assert(chirr_log_limit_pass(&limit, 0, &held_back));
    cr_assert_eq(held_back, 0);
    cr_assert_not(chirr_log_limit_pass(&limit, 1, &held_back));
    cr_assert_not(chirr_log_limit_pass(&limit, 59 * CHIRR_US_PER_S, &held_back));
    cr_assert(chirr_log_limit_pass(&limit, 60 * CHIRR_US_PER_S, &held_back));
    cr_assert_eq(held_back, 2);
}
