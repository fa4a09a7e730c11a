/* Formatting for the log sink and the limit on recurring lines. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_BYTES_MAX 1024

void chirr_log_write(const struct chirr_log *log, enum chirr_log_level level, const char *format,
                     ...)
{
    if (log == NULL || log->write == NULL || level < log->level) {
        return;
    }
    char line[LINE_BYTES_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    log->write(log->context, level, line);
}

const char *chirr_log_level_name(enum chirr_log_level level)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    CHIRR_ASSERT((unsigned)level < sizeof names / sizeof names[0]);
    return names[level];
}

bool chirr_log_limit_pass(struct chirr_log_limit *limit, chirr_time_us now, uint64_t *held_back)
{
    if (now < limit->next_us) {
        limit->held_back++;
        return false;
    }
    *held_back = limit->held_back;
    limit->held_back = 0;
    limit->next_us = now + limit->interval_us;
    return true;
}
