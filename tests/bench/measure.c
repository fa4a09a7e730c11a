#include "tests/bench/measure.h"

#include <stdlib.h>
#include <time.h>

#include "base/error.h"

#define TURNS_MAX 64

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double chirr_bench_cpu_s(void)
{
    return seconds_of(CLOCK_THREAD_CPUTIME_ID);
}

double chirr_bench_wall_s(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double chirr_bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, ascending);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static double time_once(const struct chirr_bench_side *side)
{
    double begin = chirr_bench_cpu_s();
    side->run(side->context);
    return chirr_bench_cpu_s() - begin;
}

struct chirr_bench_times chirr_bench_compare(const struct chirr_bench_side *sides,
                                             size_t side_count, size_t turns)
{
    CHIRR_ASSERT(side_count > 0 && side_count <= CHIRR_BENCH_SIDES_MAX);
    CHIRR_ASSERT(turns > 0 && turns <= TURNS_MAX);
    double seconds[CHIRR_BENCH_SIDES_MAX][TURNS_MAX];
    double ratios[CHIRR_BENCH_SIDES_MAX][TURNS_MAX];
    for (size_t s = 0; s < side_count; s++) {
        time_once(&sides[s]);
    }
    for (size_t turn = 0; turn < turns; turn++) {
        for (size_t s = 0; s < side_count; s++) {
            seconds[s][turn] = time_once(&sides[s]);
            ratios[s][turn] = seconds[s][turn] / seconds[0][turn];
        }
    }
    struct chirr_bench_times times = {0};
    for (size_t s = 0; s < side_count; s++) {
        times.seconds[s] = chirr_bench_median(seconds[s], turns);
        times.ratio[s] = chirr_bench_median(ratios[s], turns);
    }
    return times;
}

/* ---- Reading -------------------------------------------------------------------------------- */

#define LANES 16
#define SUMS 4

/* Vectors of 64 bytes, which a narrower machine takes in parts. */
typedef float vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

static inline __attribute__((always_inline)) float sum_array(const float *array, size_t count)
{
    vector sums[SUMS] = {0};
    size_t i = 0;
    for (; i + SUMS * LANES <= count; i += SUMS * LANES) {
        for (size_t k = 0; k < SUMS; k++) {
            sums[k] += *(const vector *)(array + i + k * LANES);
        }
    }
    float total = 0;
    for (size_t k = 0; k < SUMS; k++) {
        for (size_t lane = 0; lane < LANES; lane++) {
            total += sums[k][lane];
        }
    }
    for (; i < count; i++) {
        total += array[i];
    }
    return total;
}

#ifdef __x86_64__
__attribute__((target("avx512f"))) static float sum_array_512(const float *array, size_t count)
{
    return sum_array(array, count);
}

__attribute__((target("avx2"))) static float sum_array_256(const float *array, size_t count)
{
    return sum_array(array, count);
}
#endif

float chirr_bench_read_array(const float *array, size_t count)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f")) {
        return sum_array_512(array, count);
    }
    if (__builtin_cpu_supports("avx2")) {
        return sum_array_256(array, count);
    }
#endif
    return sum_array(array, count);
}
