#include "base/random.h"

#include <criterion/criterion.h>
#include <math.h>

/* Known answers for philox4x32-10 from the Random123 distribution (kat_vectors). */
Test(random, philox_gives_the_published_answers)
{
    const struct {
        uint32_t counter[4], key[2], expect[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t out[4];
        chirr_philox(cases[i].counter, cases[i].key, out);
        cr_assert_arr_eq(out, cases[i].expect, sizeof out);
    }
}

Test(random, a_stream_replays_and_streams_differ)
{
    struct chirr_random a, b, c;
    chirr_random_init(&a, 7, 1);
    chirr_random_init(&b, 7, 1);
    chirr_random_init(&c, 7, 2);
    int equal = 0;
    for (int i = 0; i < 1000; i++) {
        uint32_t value = chirr_random_u32(&a);
        cr_assert_eq(value, chirr_random_u32(&b));
        equal += value == chirr_random_u32(&c);
    }
    cr_assert_lt(equal, 3);
}

Test(random, below_stays_below_and_reaches_every_value)
{
    struct chirr_random random;
    chirr_random_init(&random, 1, 0);
    int seen[7] = {0};
    for (int i = 0; i < 7000; i++) {
        uint64_t value = chirr_random_below(&random, 7);
        cr_assert_lt(value, 7);
        seen[value]++;
    }
    for (int i = 0; i < 7; i++) {
        cr_assert(seen[i] > 850 && seen[i] < 1150, "value %d came %d times of 7000", i, seen[i]);
    }
    cr_assert_eq(chirr_random_below(&random, 1), 0);
}

Test(random, normal_has_mean_zero_and_variance_one)
{
    struct chirr_random random;
    chirr_random_init(&random, 3, 9);
    double sum = 0;
    double squares = 0;
    const int n = 200000;
    for (int i = 0; i < n; i++) {
        double x = chirr_random_normal(&random);
        cr_assert_leq(fabs(x), 4.9);
        sum += x;
        squares += x * x;
    }
    cr_assert_leq(fabs(sum / n), 0.01);
    cr_assert_leq(fabs(squares / n - 1), 0.01);
}

Test(random, uniform_is_in_the_half_open_unit_interval)
{
    struct chirr_random random;
    chirr_random_init(&random, 5, 0);
    double sum = 0;
    for (int i = 0; i < 100000; i++) {
        double x = chirr_random_uniform(&random);
        cr_assert(x >= 0 && x < 1);
        sum += x;
    }
    cr_assert_leq(fabs(sum / 100000 - 0.5), 0.005);
}

Test(random, exponential_has_mean_one_and_is_not_negative)
{
    struct chirr_random random;
    chirr_random_init(&random, 5, 1);
    double sum = 0;
    for (int i = 0; i < 100000; i++) {
        double x = chirr_random_exponential(&random);
        cr_assert_geq(x, 0);
        sum += x;
    }
    cr_assert_leq(fabs(sum / 100000 - 1), 0.02);
}
