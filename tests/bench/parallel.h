/* Independent passes on two threads, each with its own clock of CPU time. Process edge. */
#ifndef CHIRR_TESTS_BENCH_PARALLEL_H
#define CHIRR_TESTS_BENCH_PARALLEL_H

#include <stddef.h>

struct chirr_bench_work {
    void (*run)(void *job); /* on any thread; touches its own job alone */
    void *jobs;             /* [job_count], job_bytes each */
    size_t job_bytes;
    size_t job_count;
};

/* Returns when all jobs have run. Where no further thread can be had, the caller runs them all. */
void chirr_bench_run_all(const struct chirr_bench_work *work);

#endif
