#include "model/trace.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define WIDTH 5
#define RATES 8

static struct chirr_rates rates;
static float traces[RATES * WIDTH], powers[RATES], read_out[RATES * WIDTH];

static void setup(void)
{
    struct chirr_model_config config = chirr_model_config_default();
    config.rates = RATES / 2;
    config.decay_min = 6;
    config.decay_max = 512;
    chirr_rates_init(&rates, &config);
    for (int k = 0; k < RATES; k++) {
        powers[k] = 1;
    }
}

TestSuite(trace, .init = setup);

static void write_constant(float value, int steps)
{
    float input[WIDTH];
    for (int i = 0; i < WIDTH; i++) {
        input[i] = value * (float)(i + 1);
    }
    const struct chirr_trace_inputs inputs = {input, WIDTH, 1};
    for (int t = 0; t < steps; t++) {
        float read[RATES * WIDTH];
        chirr_trace_scan(&rates, chirr_kernels_best(), WIDTH, traces, powers, &inputs, read);
        chirr_trace_advance(&rates, powers);
    }
}

static void read_present(void)
{
    chirr_trace_repeat(&rates, WIDTH, traces, powers, 1, read_out);
}

Test(trace, rates_run_from_a_quarter_step_to_512_steps)
{
    cr_expect_eq(rates.count, RATES);
    cr_expect_float_eq(rates.values[0], exp(-1 / 0.25), 1e-6);
    cr_expect_float_eq(rates.values[3], exp(-1 / 4.0), 1e-6);
    cr_expect_float_eq(rates.values[4], exp(-1 / 6.0), 1e-6);
    cr_expect_float_eq(rates.values[7], exp(-1 / 512.0), 1e-6);
    for (int k = 1; k < RATES; k++) {
        cr_expect_gt(rates.values[k], rates.values[k - 1]);
    }
}

Test(trace, reads_zero_before_anything_was_written)
{
    read_present();
    for (int i = 0; i < RATES * WIDTH; i++) {
        cr_expect_eq(read_out[i], 0);
    }
}

Test(trace, of_a_constant_reads_that_constant_from_the_first_step_on)
{
    for (int step = 1; step < 2000; step = step * 3) {
        setup();
        for (int i = 0; i < RATES * WIDTH; i++) {
            traces[i] = 0;
        }
        write_constant(0.5f, step);
        read_present();
        for (int i = 0; i < RATES * WIDTH; i++) {
            cr_expect_float_eq(read_out[i], 0.5 * (i % WIDTH + 1), 2e-4, "step %d [%d]: %g", step,
                               i, (double)read_out[i]);
        }
    }
}

Test(trace, forgets_at_its_rate)
{
    write_constant(1, 3000);
    write_constant(0, 6);
    read_present();
    for (int k = 0; k < RATES; k++) {
        double left = pow((double)rates.values[k], 6);
        cr_expect_float_eq(read_out[k * WIDTH], left, 3e-3, "rate %d", k);
    }
}

Test(trace, many_steps_at_once_read_and_write_the_same_bits_as_one_by_one)
{
    enum { STEPS = 9, STRIDE = WIDTH + 2 };
    float rows[STEPS * STRIDE];
    for (int i = 0; i < STEPS * STRIDE; i++) {
        rows[i] = (float)sin(i);
    }
    write_constant(0.3f, 2);
    float together[RATES * WIDTH], at_once[RATES * STEPS * WIDTH];
    memcpy(together, traces, sizeof traces);
    const struct chirr_trace_inputs all = {rows, STRIDE, STEPS};
    chirr_trace_scan(&rates, chirr_kernels_best(), WIDTH, together, powers, &all, at_once);
    for (int t = 0; t < STEPS; t++) {
        float one[RATES * WIDTH];
        const struct chirr_trace_inputs step = {rows + t * STRIDE, STRIDE, 1};
        chirr_trace_scan(&rates, chirr_kernels_best(), WIDTH, traces, powers, &step, one);
        chirr_trace_advance(&rates, powers);
        for (int k = 0; k < RATES; k++) {
            cr_expect_eq(
                memcmp(one + k * WIDTH, at_once + (k * STEPS + t) * WIDTH, WIDTH * sizeof(float)),
                0, "rate %d, step %d", k, t);
        }
    }
    cr_expect_eq(memcmp(together, traces, sizeof traces), 0);
}

Test(trace, a_power_becomes_zero_where_the_correction_is_one_and_never_a_denormal)
{
    for (int t = 0; t < 20000; t++) {
        float before[RATES];
        memcpy(before, powers, sizeof before);
        chirr_trace_advance(&rates, powers);
        for (int k = 0; k < RATES; k++) {
            float plain = before[k] * rates.values[k];
            cr_assert(powers[k] == plain || powers[k] == 0);
            cr_assert_eq(chirr_trace_correction(powers[k]), chirr_trace_correction(plain));
            cr_assert(powers[k] == 0 || powers[k] > 1e-9f);
        }
    }
    cr_expect_eq(powers[RATES - 1], 0);
}
