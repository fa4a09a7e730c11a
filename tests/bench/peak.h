/* The most multiplications and additions that a machine makes with vectors of some width: what a
 * kernel's speed is a fraction of. Process edge: nothing but registers. */
#ifndef CHIRR_TESTS_BENCH_PEAK_H
#define CHIRR_TESTS_BENCH_PEAK_H

#include <stddef.h>

/* `count` rounds of as many independent sums as hide the latency of one; returns how many floating
 * point operations that were. `kernels` names the variant (model/kernel.h) whose vectors are used.
 */
double chirr_bench_peak_run(const char *kernels, size_t count);

#endif
