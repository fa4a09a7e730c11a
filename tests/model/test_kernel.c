/* What is done element by element: every variant against the portable one, to the bit, and against
 * its equations; elementary functions against libm. test_kernel_product.c has the products. */
#include "model/kernel.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "model/elementary.h"

#define ROOM 25000

static struct chirr_random random_stream;
static float x[ROOM], w[ROOM], y[ROOM], expected[ROOM];

static const char *const variants[] = {"portable", "avx2", "avx512", "neon"};
#define VARIANTS (sizeof variants / sizeof *variants)

static void fill(float *array, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        array[i] = (float)chirr_random_normal(&random_stream);
    }
}

static void setup(void)
{
    chirr_random_init(&random_stream, 1, 1);
    fill(x, ROOM);
    fill(w, ROOM);
}

TestSuite(kernel, .init = setup);

#define DESCENT 4099 /* more than a slice, and not whole vectors */

/* [moment][own][average][weights] and the step's squared length; returns how many. */
static size_t run_descent(const struct chirr_kernels *k, float *out)
{
    const struct chirr_descent descent = {
        .clip = 0.5f, .rate = 0.1f, .decay = 0.99f, .bound = 1.0f, .average = 0.125f};
    for (size_t i = 0; i < DESCENT; i++) {
        out[i] = fabsf(w[i]);
    }
    memcpy(out + DESCENT, w + DESCENT, 2 * DESCENT * sizeof *out);
    const struct chirr_descent_arrays arrays = {.gradient = x,
                                                .moment = out,
                                                .base = x + DESCENT,
                                                .own = out + DESCENT,
                                                .average = out + 2 * DESCENT,
                                                .weights = out + 3 * DESCENT};
    double length = k->descend_moment(&descent, DESCENT, x, out);
    memcpy(out + 4 * DESCENT, &length, sizeof length);
    k->descend_move(&descent, DESCENT, &arrays);
    return 4 * DESCENT + sizeof length / sizeof *out;
}

Test(kernel, descent_in_two_passes_equals_its_equations)
{
    run_descent(chirr_kernels_best(), y);
    double length, expected_length = 0;
    memcpy(&length, y + 4 * DESCENT, sizeof length);
    for (size_t i = 0; i < DESCENT; i++) {
        double square = (double)x[i] * (double)x[i];
        double moment = 0.99 * fabs((double)w[i]) + 0.01 * square;
        double own = (double)w[DESCENT + i] - 0.05 * (double)x[i] / sqrt(moment);
        double average = (double)w[2 * DESCENT + i];
        own = fmin(fmax(own, -1), 1);
        cr_assert_float_eq(y[i], moment, 1e-6 * moment);
        cr_assert_float_eq(y[DESCENT + i], own, 1e-5);
        cr_assert_float_eq(y[2 * DESCENT + i], average + 0.125 * (own - average), 1e-5);
        cr_assert_eq(y[3 * DESCENT + i], x[DESCENT + i] + y[DESCENT + i]);
        expected_length += square / moment;
    }
    cr_assert_float_eq(length, expected_length, 1e-5 * expected_length);
}

/* Runs everything but the product on odd sizes; what it wrote is in `out`. */
static size_t run_elementwise(const struct chirr_kernels *k, float *out)
{
    const size_t n = 77;
    float *at = out;
    memcpy(at, x, n * sizeof *at);
    k->softmax(n, at);
    k->gate(n, x, w, at += n);
    const float *pair[2] = {x, w};
    k->gate_backward(n, pair, x + n, at + n, at + 2 * n);
    at += 3 * n;
    *at = k->norm(n, x, w, at + 1, at + 1 + n);
    at += 1 + 2 * n;
    memcpy(at, w, 2 * n * sizeof *at);
    float *d_x_d_gain[2] = {at, at + n};
    k->norm_backward(n, 0.7f, w, x, x + n, d_x_d_gain);
    at += 2 * n;
    memcpy(at, w, n * sizeof *at);
    k->blend(n, 0.3f, at, 0.7f, x);
    memcpy(at += n, w, 7 * sizeof *at);
    k->sum_rows(11, 7, x, at);
    k->transpose(11, 7, x, at += 7);
    at += n;
    *at++ = (float)k->sum_squares(9001, x);
    size_t written = run_descent(k, at);
    at += written;
    return (size_t)(at - out);
}

Test(kernel, every_variant_gives_the_same_bits)
{
    memset(expected, 0, sizeof expected);
    memset(y, 0, sizeof y);
    size_t count = run_elementwise(chirr_kernels_named("portable"), expected);
    for (size_t v = 1; v < VARIANTS; v++) {
        const struct chirr_kernels *kernels = chirr_kernels_named(variants[v]);
        if (kernels != NULL) {
            cr_assert_eq(run_elementwise(kernels, y), count);
            for (size_t i = 0; i < count; i++) {
                cr_assert_eq(memcmp(&y[i], &expected[i], sizeof *y), 0, "%s[%zu]: %a, expected %a",
                             variants[v], i, (double)y[i], (double)expected[i]);
            }
        }
    }
}

Test(kernel, add_nibbles_adds_every_four_bit_value_in_its_place_in_every_variant)
{
    enum { COUNT = 64 };
    for (size_t v = 0; v < VARIANTS; v++) {
        const struct chirr_kernels *kernels = chirr_kernels_named(variants[v]);
        for (int trial = 0; kernels != NULL && trial < 50; trial++) {
            uint8_t packed[COUNT / 2];
            for (size_t i = 0; i < sizeof packed; i++) {
                packed[i] = (uint8_t)chirr_random_u32(&random_stream);
            }
            memcpy(y, x, COUNT * sizeof *y);
            for (size_t i = 0; i < COUNT; i++) {
                int nibble = i % 2 == 0 ? packed[i / 2] % 16 : packed[i / 2] / 16;
                expected[i] = x[i] + 0.37f * (float)(nibble - 8);
            }
            kernels->add_nibbles(COUNT, 0.37f, packed, y);
            cr_assert_eq(memcmp(y, expected, COUNT * sizeof *y), 0, "%s", variants[v]);
        }
    }
}

Test(kernel, softmax_is_a_distribution_in_the_order_of_its_logits)
{
    float p[3] = {-80, 1, 2};
    chirr_kernels_best()->softmax(3, p);
    cr_expect_float_eq(p[0] + p[1] + p[2], 1, 1e-6);
    cr_expect_float_eq(p[2] / p[1], 2.7182818f, 1e-5);
    cr_expect_geq(p[0], 0);
    cr_expect_lt(p[0], 1e-30f);
}

Test(kernel, norm_makes_the_mean_square_one)
{
    float hat[50], out[50], gain[50];
    for (size_t i = 0; i < 50; i++) {
        gain[i] = 2;
    }
    float scale = chirr_kernels_best()->norm(50, x, gain, hat, out);
    double squares = 0;
    for (size_t i = 0; i < 50; i++) {
        squares += (double)(hat[i] * hat[i]);
        cr_expect_eq(out[i], 2 * hat[i]);
        cr_expect_eq(hat[i], scale * x[i]);
    }
    cr_expect_float_eq(squares / 50, 1, 1e-4);
}

Test(kernel, narrow_rounds_to_the_nearest_even_upper_half)
{
    uint16_t narrow[ROOM];
    for (size_t i = 0; i < ROOM; i += 2) { /* every other one exactly between two neighbours */
        uint32_t bits = chirr_random_u32(&random_stream) % 0x7f000000;
        bits = i % 4 == 0 ? (bits & 0xffff0000) | 0x8000 : bits;
        memcpy(&x[i], &bits, sizeof bits);
    }
    for (size_t v = 0; v < VARIANTS; v++) {
        const struct chirr_kernels *kernels = chirr_kernels_named(variants[v]);
        if (kernels == NULL) {
            continue;
        }
        kernels->narrow(ROOM, x, narrow);
        for (size_t i = 0; i < ROOM; i++) {
            uint32_t bits;
            memcpy(&bits, &x[i], sizeof bits);
            uint32_t below = bits >> 16;
            uint32_t rest = bits & 0xffff;
            bool up = rest > 0x8000 || (rest == 0x8000 && below % 2 == 1);
            cr_assert_eq(narrow[i], below + up, "%s: %a", variants[v], (double)x[i]);
        }
    }
}

Test(kernel, narrow_keeps_what_is_not_finite)
{
    const uint32_t wide[] = {0x7f800000, 0xff800000, 0x7f800001, 0xffffffff, 0x7f7fffff};
    float values[5];
    uint16_t narrow[5];
    memcpy(values, wide, sizeof wide);
    chirr_kernels_best()->narrow(5, values, narrow);
    cr_expect_eq(narrow[0], 0x7f80);
    cr_expect_eq(narrow[1], 0xff80);
    cr_expect_eq(narrow[2], 0x7fc0);
    cr_expect_eq(narrow[3], 0xffff);
    cr_expect_eq(narrow[4], 0x7f80, "the greatest float is nearer to 2^128");
}

Test(kernel, an_unknown_variant_is_not_found)
{
    cr_expect_null(chirr_kernels_named("avx1024"));
}

Test(elementary, exp_is_within_a_millionth_of_libm)
{
    for (double v = -86; v < 87; v += 0.0137) {
        double expected_value = exp((double)(float)v);
        cr_assert_lt(fabs((double)chirr_exp((float)v) / expected_value - 1), 1e-6, "e^%g", v);
    }
    cr_expect_eq(chirr_exp(0), 1);
}

Test(elementary, exp_saturates_and_survives_what_is_not_a_number)
{
    cr_expect(isfinite(chirr_exp(INFINITY)));
    cr_expect(isfinite(chirr_exp(1e30f)));
    cr_expect_gt(chirr_exp(-INFINITY), 0);
    cr_expect_lt(chirr_exp(-1e30f), 1e-37f);
    cr_expect(isfinite(chirr_exp(NAN)));
}

Test(elementary, log_is_within_a_millionth_of_libm)
{
    for (double v = 1e-37; v < 1e37; v *= 1.0173) {
        double expected_value = log((double)(float)v);
        double error = fabs((double)chirr_log((float)v) - expected_value);
        cr_assert_leq(error, 1e-6 * fabs(expected_value) + 1e-7, "ln %g", v);
    }
    cr_expect_eq(chirr_log(1), 0);
}

Test(elementary, sigmoid_is_within_a_millionth_of_libm)
{
    for (double v = -60; v < 60; v += 0.0131) {
        double expected_value = 1 / (1 + exp(-(double)(float)v));
        cr_assert_lt(fabs((double)chirr_sigmoid((float)v) / expected_value - 1), 2e-6, "%g", v);
    }
}

Test(elementary, finiteness_is_read_from_the_bits)
{
    cr_expect(chirr_is_finite(1e308));
    cr_expect(chirr_is_finite(0));
    cr_expect_not(chirr_is_finite((double)INFINITY));
    cr_expect_not(chirr_is_finite(-(double)INFINITY));
    cr_expect_not(chirr_is_finite((double)NAN));
}
