/* What an agent of a fleet and the process that measures it share: one page each, and a head that
 * all of them read. Written by one side, read by the other; internal to fleet.c, fleet_agent.c. */
#ifndef CHIRR_TESTS_BENCH_FLEET_PAGE_H
#define CHIRR_TESTS_BENCH_FLEET_PAGE_H

#include <stdatomic.h>

#include "agent/config.h"
#include "tests/bench/fleet.h"

#define CHIRR_BENCH_PAGE_BYTES 4096

/* Times are of the monotonic clock; 0: not yet. */
struct chirr_bench_page {
    _Alignas(CHIRR_BENCH_PAGE_BYTES) _Atomic chirr_time_us bound_us;
    _Atomic chirr_time_us complete_us; /* since then all who live are alive here */
    _Atomic chirr_time_us certain_us;  /* since then, and nobody is suspected */
    _Atomic chirr_agent_id dead;       /* the last victim that was held dead */
    _Atomic chirr_time_us dead_us;     /* when it first was */
    _Atomic uint32_t alive;            /* others, the suspected included */
    _Atomic uint32_t suspected;
    _Atomic uint32_t task_count;
    _Atomic chirr_time_us task_us[CHIRR_BENCH_FLEET_TASKS_MAX]; /* by task_count */

    _Atomic uint32_t submits_wanted; /* by the measuring side; SIGUSR1 tells of it */
    _Atomic uint32_t record_bytes;   /* of them */
    _Atomic uint32_t submits_done;
    _Atomic chirr_time_us submit_us; /* just before the last one */

    struct chirr_error error; /* why it ended by itself */
};

struct chirr_bench_head {
    _Alignas(CHIRR_BENCH_PAGE_BYTES) _Atomic uint32_t live_count; /* of the fleet */
    _Atomic chirr_agent_id victim;                                /* 0: nobody */
};

/* What an agent is told when it is forked. */
struct chirr_bench_post {
    const struct chirr_agent_config *config;
    int start_fd; /* reads as ended when it may begin */
    struct chirr_bench_head *head;
    struct chirr_bench_page *page;
};

/* The life of one agent; ends with the process. */
_Noreturn void chirr_bench_fleet_agent(const struct chirr_bench_post *post);

#endif
