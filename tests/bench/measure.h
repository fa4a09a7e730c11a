/* Time on a machine that others use, too: CPU time of the calling thread, and ratios of two sides
 * that take turns, so that what disturbs one disturbs the other. Process edge: reads clocks. */
#ifndef CHIRR_TESTS_BENCH_MEASURE_H
#define CHIRR_TESTS_BENCH_MEASURE_H

#include <stddef.h>

/* Seconds of CPU that this thread has used. */
double chirr_bench_cpu_s(void);
/* Seconds since some moment in the past. */
double chirr_bench_wall_s(void);

/* One side of a comparison: does its work once, whatever that is. */
struct chirr_bench_side {
    void (*run)(void *context);
    void *context;
};

#define CHIRR_BENCH_SIDES_MAX 4

struct chirr_bench_times {
    double seconds[CHIRR_BENCH_SIDES_MAX]; /* median CPU time of one run of each side */
    double ratio[CHIRR_BENCH_SIDES_MAX];   /* median, over the turns, of time / time of side 0 */
};

/* Lets the sides take turns, A B C A B C …, after one turn that does not count. */
struct chirr_bench_times chirr_bench_compare(const struct chirr_bench_side *sides,
                                             size_t side_count, size_t turns);

/* Reorders `values`. */
double chirr_bench_median(double *values, size_t count);

/* The sum of an array: the least that reading it can cost. As wide as the machine allows and with
 * enough partial sums that memory is what it waits for. */
float chirr_bench_read_array(const float *array, size_t count);

#endif
