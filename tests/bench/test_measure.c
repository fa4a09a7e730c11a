#include <criterion/criterion.h>

#include "tests/bench/measure.h"

Test(measure, median_is_the_middle_or_the_mean_of_both)
{
    double odd[] = {3, 1, 2};
    double even[] = {4, 1, 3, 2};
    cr_expect_eq(chirr_bench_median(odd, 3), 2);
    cr_expect_eq(chirr_bench_median(even, 4), 2.5);
}

Test(measure, reading_an_array_reads_all_of_it)
{
    float array[1000];
    for (size_t i = 0; i < 1000; i++) {
        array[i] = (float)(i + 1);
    }
    for (size_t count = 0; count <= 1000; count += 37) {
        float sum = (float)(count * (count + 1)) / 2;
        cr_expect_eq(chirr_bench_read_array(array, count), sum, "%zu elements", count);
    }
}

struct burner {
    size_t rounds;
    volatile double sum;
};

static void burn(void *context)
{
    struct burner *burner = context;
    for (size_t i = 0; i < burner->rounds; i++) {
        burner->sum += (double)i;
    }
}

Test(measure, twice_the_work_takes_about_twice_the_time)
{
    struct burner once = {.rounds = 200000};
    struct burner twice = {.rounds = 400000};
    const struct chirr_bench_side sides[] = {{burn, &once}, {burn, &twice}};
    const struct chirr_bench_times times = chirr_bench_compare(sides, 2, 31);
    cr_expect_eq(times.ratio[0], 1);
    cr_expect(times.ratio[1] > 1.5 && times.ratio[1] < 2.6, "%f", times.ratio[1]);
    cr_expect_gt(times.seconds[0], 0);
}
