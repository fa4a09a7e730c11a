#include "model/trace.h"

#include <criterion/criterion.h>
#include <math.h>

#define WIDTH 5
#define RATES 8

static struct chirr_rates rates;
static float traces[RATES * WIDTH], powers[RATES], read_out[RATES * WIDTH];

static void setup(void)
{
    chirr_rates_init(&rates, RATES / 2);
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
    for (int t = 0; t < steps; t++) {
        chirr_trace_write(&rates, chirr_kernels_best(), WIDTH, traces, input);
        chirr_trace_advance(&rates, powers);
    }
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
    chirr_trace_read(&rates, WIDTH, traces, powers, read_out);
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
        chirr_trace_read(&rates, WIDTH, traces, powers, read_out);
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
    chirr_trace_read(&rates, WIDTH, traces, powers, read_out);
    for (int k = 0; k < RATES; k++) {
        double left = pow((double)rates.values[k], 6);
        cr_expect_float_eq(read_out[k * WIDTH], left, 3e-3, "rate %d", k);
    }
}
