#include <math.h>

#include <criterion/criterion.h>

#include "base/random.h"
#include "model/normaliser.h"

static struct chirr_arena arena;
static struct chirr_normaliser normaliser;
static struct chirr_random random_stream;

static void setup(void)
{
    cr_assert_eq(chirr_arena_init(&arena, chirr_normaliser_bytes(1)), CHIRR_OK);
    cr_assert(chirr_normaliser_init(&normaliser, &arena, 1));
    chirr_random_init(&random_stream, 11, 0);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(normaliser, .init = setup, .fini = teardown);

static double apply(double value)
{
    const float values[1] = {(float)value};
    chirr_real normalised[1];
    chirr_normaliser_apply(&normaliser, values, normalised);
    cr_assert(fabs((double)normalised[0]) <= CHIRR_NORMALISED_MAX);
    cr_assert(chirr_normaliser_deviation(&normaliser, 0) > 0);
    return (double)normalised[0];
}

/* Deviation of what `count` values of N(level, spread²) become. */
static double spread_of(double level, double spread, int count)
{
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < count; i++) {
        double z = apply(level + spread * chirr_random_normal(&random_stream));
        sum += z;
        squares += z * z;
    }
    return sqrt(squares / count - sum / count * sum / count);
}

Test(normaliser, any_unit_becomes_one)
{
    static const double units[][2] = {{0, 1}, {1e6, 20}, {-1e-6, 1e-9}, {1e30, 1e28}, {300, 1e-2}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        teardown();
        setup();
        spread_of(units[i][0], units[i][1], 100);
        double spread = spread_of(units[i][0], units[i][1], 1000);
        cr_expect_float_eq(spread, 1, 0.1, "N(%g, %g): %g", units[i][0], units[i][1], spread);
    }
}

Test(normaliser, a_missing_value_is_skipped)
{
    spread_of(5, 1, 100);
    double mean = normaliser.mean[0];
    for (int i = 0; i < 1000; i++) {
        cr_expect_eq(apply(NAN), 0);
    }
    cr_expect_eq(normaliser.mean[0], mean);
    cr_expect_float_eq(spread_of(5, 1, 200), 1, 0.2);
}

Test(normaliser, a_wild_first_value_does_not_set_the_scale)
{
    static const double wild[] = {1e30, -3e38, 1e6, 1e-30};
    for (size_t i = 0; i < sizeof wild / sizeof *wild; i++) {
        teardown();
        setup();
        apply(wild[i]);
        spread_of(20, 2, 10);
        double spread = spread_of(20, 2, 100);
        cr_expect(spread > 0.4 && spread < 2.5, "after %g: %g", wild[i], spread);
    }
}

Test(normaliser, wild_values_later_do_not_either)
{
    spread_of(20, 2, 100);
    for (int i = 0; i < 10; i++) {
        cr_expect_eq(apply(i % 2 == 0 ? 3e38 : -1e20), i % 2 == 0 ? 8 : -8);
        double spread = spread_of(20, 2, 100);
        cr_expect(spread > 0.5 && spread < 2, "%g", spread);
    }
}

Test(normaliser, a_constant_is_zero_and_its_first_change_sets_a_scale)
{
    for (int i = 0; i < 3000; i++) {
        cr_assert_eq(apply(0.1), 0);
    }
    double change = apply(0.2);
    cr_expect(change > 1 && change < 8, "%g", change);
    cr_expect(fabs(apply(0.1)) < 1);
    cr_expect_float_eq(spread_of(0.1, 0.05, 2000), 1, 0.3);
}

Test(normaliser, a_new_level_or_unit_is_taken_on_within_a_dozen_values)
{
    static const double levels[][2] = {{1013, 5}, {101300, 500}, {101.3, 0.5}, {-1e7, 1e2}, {0, 1}};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        spread_of(levels[i][0], levels[i][1], 12);
        double spread = spread_of(levels[i][0], levels[i][1], 200);
        cr_expect(spread > 0.5 && spread < 1.6, "at %g: %g", levels[i][0], spread);
        spread_of(levels[i][0], levels[i][1], 1000);
    }
}

Test(normaliser, a_slow_drift_stays_in_range)
{
    double beyond = 0;
    for (int i = 0; i < 20000; i++) {
        beyond += fabs(apply(0.003 * i + chirr_random_normal(&random_stream))) > 5;
    }
    cr_expect_lt(beyond / 20000, 0.01);
}

Test(normaliser, a_spike_in_a_constant_is_forgotten)
{
    for (int i = 0; i < 100; i++) {
        apply(1);
    }
    apply(1e30);
    for (int i = 0; i < 300; i++) {
        apply(1);
    }
    cr_expect_gt(apply(1.5), 1);
    cr_expect_float_eq(spread_of(1, 0.5, 1000), 1, 0.3);
}

Test(normaliser, what_is_rare_keeps_its_size)
{
    double small = 0;
    double large = 0;
    for (int i = 0; i < 5000; i++) {
        bool rains = chirr_random_below(&random_stream, 20) == 0;
        double z = apply(!rains ? 0 : i % 2 == 0 ? 1 : 3);
        if (rains && i > 1000) {
            small = i % 2 == 0 ? z : small;
            large = i % 2 == 0 ? large : z;
        }
    }
    cr_expect_gt(small, 0.5);
    cr_expect_gt(large, 2 * small, "%g, %g", small, large);
}

Test(normaliser, measures_a_value_in_the_units_of_those_before_it)
{
    chirr_real came;
    bool judged;
    chirr_normaliser_measure(&normaliser, (const float[]){7}, &came, &judged);
    cr_expect_not(judged, "nothing came before it");
    apply(7);
    chirr_normaliser_measure(&normaliser, (const float[]){9}, &came, &judged);
    cr_expect_not(judged, "one value has no unit");
    spread_of(10, 2, 200);
    double mean = normaliser.mean[0], unit = chirr_normaliser_deviation(&normaliser, 0);
    const float value = (float)(mean - 3 * unit);
    for (int i = 0; i < 2; i++) {
        chirr_normaliser_measure(&normaliser, &value, &came, &judged);
        cr_expect(judged);
        cr_expect_float_eq((double)came, -3, 1e-4, "%g", (double)came);
    }
    cr_expect_float_eq(normaliser.mean[0], mean, 0, "nothing was taken in");
    chirr_normaliser_measure(&normaliser, (const float[]){NAN}, &came, &judged);
    cr_expect_not(judged);
    cr_expect_eq(came, 0);
}

Test(normaliser, a_constant_that_changes_is_judged_as_far_off)
{
    chirr_real came;
    bool judged;
    for (int i = 0; i < 20; i++) {
        apply(5);
    }
    chirr_normaliser_measure(&normaliser, (const float[]){5}, &came, &judged);
    cr_expect(judged && came == 0);
    chirr_normaliser_measure(&normaliser, (const float[]){6}, &came, &judged);
    cr_expect(judged && came == CHIRR_NORMALISED_MAX);
}
