/* Clocks of the process. */
#include "agent/clock.h"

#include <time.h>

static chirr_time_us read_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (chirr_time_us)time.tv_sec * CHIRR_US_PER_S + time.tv_nsec / 1000;
}

chirr_time_us chirr_clock_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

chirr_time_us chirr_clock_thread_cpu(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

int chirr_clock_wait_ms(chirr_time_us now, chirr_time_us at, int max_ms)
{
    if (at <= now) {
        return 0;
    }
    /* Divided before anything is added: `at` may be CHIRR_TIME_NEVER. */
    chirr_time_us ms = (at - now - 1) / CHIRR_US_PER_MS;
    return ms < max_ms ? (int)ms + 1 : max_ms;
}
