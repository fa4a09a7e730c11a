/* The log sink: where a module's few words for operators go.
 *
 * The library never prints; the process passes a sink, tests pass a counter, the simulator passes
 * none. A message that can recur is limited with `struct chirr_log_limit`. */
#ifndef CHIRR_BASE_LOG_H
#define CHIRR_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/time.h"

enum chirr_log_level {
    CHIRR_LOG_DEBUG,
    CHIRR_LOG_INFO,
    CHIRR_LOG_WARNING,
    CHIRR_LOG_ERROR,
};

struct chirr_log {
    enum chirr_log_level level; /* anything below is not formatted */
    void (*write)(void *context, enum chirr_log_level level, const char *line);
    void *context;
};

/* Formats at most 1,023 bytes and hands them to the sink. A NULL `log` or `write` is silence. */
void chirr_log_write(const struct chirr_log *log, enum chirr_log_level level, const char *format,
                     ...) CHIRR_PRINTF(3, 4);

#define chirr_log_debug(log, ...) chirr_log_write(log, CHIRR_LOG_DEBUG, __VA_ARGS__)
#define chirr_log_info(log, ...) chirr_log_write(log, CHIRR_LOG_INFO, __VA_ARGS__)
#define chirr_log_warning(log, ...) chirr_log_write(log, CHIRR_LOG_WARNING, __VA_ARGS__)
#define chirr_log_error(log, ...) chirr_log_write(log, CHIRR_LOG_ERROR, __VA_ARGS__)

/* "debug", "info", "warning", "error". */
const char *chirr_log_level_name(enum chirr_log_level level);

/* At most one line every `interval_us`; what was held back is counted and told with the next. */
struct chirr_log_limit {
    chirr_time_us interval_us;
    chirr_time_us next_us;
    uint64_t held_back;
};

/* True when a line may be written now; then `*held_back` says how many were swallowed before it. */
bool chirr_log_limit_pass(struct chirr_log_limit *limit, chirr_time_us now, uint64_t *held_back);

#endif
