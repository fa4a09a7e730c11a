/* The process's clocks; nothing but the edges (event loop, learner thread, command line) reads
 * them. */
#ifndef CHIRR_AGENT_CLOCK_H
#define CHIRR_AGENT_CLOCK_H

#include "base/time.h"

/* Monotonic, from an arbitrary start; not affected by changes of the wall clock. */
chirr_time_us chirr_clock_now(void);

/* CPU time that the calling thread has used. */
chirr_time_us chirr_clock_thread_cpu(void);

/* Milliseconds from `now` until `at`, rounded up, for poll(): 0…`max_ms`. */
int chirr_clock_wait_ms(chirr_time_us now, chirr_time_us at, int max_ms);

#endif
