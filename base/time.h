/* Time as the machines see it: microseconds, signed, from an arbitrary start.
 *
 * Nothing in the library reads a clock. The process passes its monotonic clock in, the simulator
 * its virtual one. */
#ifndef CHIRR_BASE_TIME_H
#define CHIRR_BASE_TIME_H

#include <stdint.h>

typedef int64_t chirr_time_us;

#define CHIRR_TIME_NEVER INT64_MAX
#define CHIRR_US_PER_MS INT64_C(1000)
#define CHIRR_US_PER_S INT64_C(1000000)

static inline chirr_time_us chirr_time_from_ms(int64_t ms)
{
    return ms * CHIRR_US_PER_MS;
}

static inline chirr_time_us chirr_time_min(chirr_time_us a, chirr_time_us b)
{
    return a < b ? a : b;
}

#endif
