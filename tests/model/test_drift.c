#include "model/drift.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/random.h"

static struct chirr_drift drift;
static struct chirr_random noise;
static double level; /* slow wandering of the noise: texts have scenes */

static void setup(void)
{
    const struct chirr_drift_config config = chirr_drift_config_default();
    chirr_drift_init(&drift, &config);
    chirr_random_init(&noise, 7, 0);
    level = 0;
}

TestSuite(drift, .init = setup);

/* Bits of a byte of text: skewed, and correlated over some 300 steps. */
static double text_bits(double mean)
{
    level += (0.02 * chirr_random_normal(&noise) - level / 300);
    double u = chirr_random_uniform(&noise);
    return fmax(0, mean * (3 * u * u + 0.2 * level));
}

/* Drifts detected in `steps` of text at this mean. */
static uint64_t read_text(double mean, uint64_t steps)
{
    uint64_t before = drift.state.drifts;
    for (uint64_t i = 0; i < steps; i++) {
        chirr_drift_add(&drift, text_bits(mean));
    }
    return drift.state.drifts - before;
}

Test(drift, is_silent_on_stationary_text_whose_scenes_differ)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        setup();
        chirr_random_init(&noise, seed, 0);
        cr_assert_leq(read_text(2.5, 200000), 2, "seed %lu", (unsigned long)seed);
    }
}

Test(drift, finds_a_rise_within_twenty_blocks)
{
    read_text(2.0, 20000);
    uint64_t before = drift.state.drifts;
    uint64_t steps = 0;
    while (!chirr_drift_add(&drift, text_bits(4.0))) {
        cr_assert_lt(++steps, 20 * drift.config.block_steps);
    }
    cr_assert_eq(drift.state.drifts, before + 1);
    cr_assert_eq(drift.state.last_drift, drift.state.steps);
}

Test(drift, reports_a_rise_once)
{
    read_text(2.0, 20000);
    cr_assert_eq(read_text(4.0, 50000), 1);
}

Test(drift, takes_a_fall_for_none)
{
    read_text(4.0, 20000);
    cr_assert_eq(read_text(2.0, 20000), 0);
    cr_assert_eq(read_text(2.0, 20000), 0);
}

Test(drift, takes_one_outlier_for_none)
{
    read_text(2.0, 20000);
    uint64_t before = drift.state.drifts;
    for (uint32_t i = 0; i < drift.config.block_steps; i++) {
        cr_assert_not(chirr_drift_add(&drift, 1e9));
    }
    cr_assert_eq(drift.state.drifts, before);
}

Test(drift, is_silent_while_learning_makes_bits_fall)
{
    for (uint32_t i = 0; i < 100000; i++) {
        cr_assert_not(chirr_drift_add(&drift, text_bits(2.0 + 6.0 / (1.0 + i / 2000.0))), "%u", i);
    }
}

Test(drift, finds_a_rise_on_a_stream_that_never_varied)
{
    for (uint32_t i = 0; i < 20000; i++) {
        cr_assert_not(chirr_drift_add(&drift, 1.0));
    }
    uint64_t found = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        found += chirr_drift_add(&drift, 1.5);
    }
    cr_assert_eq(found, 1);
}

Test(drift, ignores_and_counts_what_is_not_finite)
{
    struct chirr_drift before = drift;
    cr_assert_not(chirr_drift_add(&drift, (double)NAN));
    cr_assert_not(chirr_drift_add(&drift, (double)INFINITY));
    cr_assert_eq(drift.state.refused, 2);
    before.state.refused = 2;
    before.state.steps = 2;
    cr_assert_arr_eq(&drift.state, &before.state, sizeof drift.state);
}

Test(drift, goes_on_from_its_state_alone)
{
    read_text(2.0, 20013);
    struct chirr_drift other;
    const struct chirr_drift_config config = chirr_drift_config_default();
    chirr_drift_init(&other, &config);
    memcpy(&other.state, &drift.state, sizeof other.state);
    for (uint32_t i = 0; i < 5000; i++) {
        double bits = text_bits(3.5);
        cr_assert_eq(chirr_drift_add(&drift, bits), chirr_drift_add(&other, bits));
    }
    cr_assert_gt(drift.state.drifts, 0);
    cr_assert_arr_eq(&other.state, &drift.state, sizeof other.state);
}

Test(drift, refuses_a_configuration_out_of_range)
{
    const struct chirr_drift_config good = chirr_drift_config_default();
    struct chirr_error error = {.text = ""};
    cr_assert_eq(chirr_drift_config_validate(&good, &error), CHIRR_OK);
    struct chirr_drift_config bad[6] = {good, good, good, good, good, good};
    bad[0].block_steps = 0;
    bad[1].memory_blocks = 1;
    bad[2].slack = -1;
    bad[3].threshold = 0;
    bad[4].threshold = (double)NAN;
    bad[5].excess_max = bad[5].slack;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(chirr_drift_config_validate(&bad[i], &error), CHIRR_ERR_RANGE, "%zu", i);
        cr_assert_neq(error.text[0], 0);
    }
}
