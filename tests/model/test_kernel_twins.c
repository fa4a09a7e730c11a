/* What is done element by element against naive twins in double precision, at every length up to
 * 130 of random numbers, in every variant that this machine has. CHIRR_SEED in the environment
 * replays a run; every failure names it. */
#include "model/kernel.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum { LENGTH_MAX = 130, ROWS_MAX = 9, GUARD = 8 };
#define ROOM (LENGTH_MAX * ROWS_MAX + GUARD)
#define GUARD_VALUE 12345.0f
#define TOLERANCE 2e-5 /* of the size of what was summed */

static struct chirr_random dice;
static uint64_t seed;
static const struct chirr_kernels *kernels;
static size_t n; /* the length */

static void setup(void)
{
    const char *value = getenv("CHIRR_SEED");
    seed = value == NULL ? 20261122 : strtoull(value, NULL, 0);
    chirr_random_init(&dice, seed, 0);
}

TestSuite(kernel_twins, .init = setup);

static void fill(float *array, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        array[i] = (float)chirr_random_normal(&dice);
    }
    for (size_t i = 0; i < GUARD; i++) {
        array[count + i] = GUARD_VALUE;
    }
}

static void expect_near(const char *what, double got, double twin, double size)
{
    cr_assert(fabs(got - twin) <= TOLERANCE * (1 + size),
              "%s of %s at n = %zu: %.9g, twin %.9g, CHIRR_SEED=%" PRIu64, what, kernels->name, n,
              got, twin, seed);
}

static void expect_all_near(const char *what, const float *got, const double *twin)
{
    for (size_t i = 0; i < n; i++) {
        expect_near(what, (double)got[i], twin[i], fabs(twin[i]));
    }
    for (size_t i = 0; i < GUARD; i++) {
        cr_assert_eq(got[n + i], GUARD_VALUE, "%s of %s writes beyond n = %zu", what, kernels->name,
                     n);
    }
}

/* Calls a check for every variant and length, the edges of all vectors among them. */
static void for_each_length(void (*check)(void))
{
    static const char *const variants[] = {"portable", "avx2", "avx512", "neon"};
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        kernels = chirr_kernels_named(variants[v]);
        for (n = 0; kernels != NULL && n <= LENGTH_MAX; n++) {
            check();
        }
    }
}

static double sigmoid(double z)
{
    return 1 / (1 + exp(-z));
}

static void check_gate(void)
{
    float gate[ROOM], value[ROOM], out[ROOM];
    double twin[LENGTH_MAX];
    fill(gate, n);
    fill(value, n);
    fill(out, n);
    kernels->gate(n, gate, value, out);
    for (size_t i = 0; i < n; i++) {
        twin[i] = (double)gate[i] * sigmoid((double)gate[i]) * (double)value[i];
    }
    expect_all_near("gate", out, twin);
}

Test(kernel_twins, gate_is_silu_times_value)
{
    for_each_length(check_gate);
}

static void check_gate_backward(void)
{
    float gate[ROOM], value[ROOM], d_out[ROOM], d_gate[ROOM], d_value[ROOM];
    double gate_twin[LENGTH_MAX], value_twin[LENGTH_MAX];
    fill(gate, n);
    fill(value, n);
    fill(d_out, n);
    fill(d_gate, n);
    fill(d_value, n);
    const float *gate_value[2] = {gate, value};
    kernels->gate_backward(n, gate_value, d_out, d_gate, d_value);
    for (size_t i = 0; i < n; i++) {
        double z = (double)gate[i];
        double s = sigmoid(z);
        gate_twin[i] = (double)d_out[i] * (double)value[i] * (s + z * s * (1 - s));
        value_twin[i] = (double)d_out[i] * z * s;
    }
    expect_all_near("d_gate", d_gate, gate_twin);
    expect_all_near("d_value", d_value, value_twin);
}

Test(kernel_twins, gate_backward_is_its_derivative)
{
    for_each_length(check_gate_backward);
}

static void check_norm(void)
{
    float x[ROOM], gain[ROOM], hat[ROOM], out[ROOM];
    double hat_twin[LENGTH_MAX], out_twin[LENGTH_MAX];
    fill(x, n);
    fill(gain, n);
    fill(hat, n);
    fill(out, n);
    if (n == 0) {
        return; /* the mean of nothing */
    }
    double scale = (double)kernels->norm(n, x, gain, hat, out);
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        squares += (double)x[i] * (double)x[i];
    }
    double twin = 1 / sqrt(squares / (double)n + 1e-6);
    expect_near("scale", scale, twin, twin);
    for (size_t i = 0; i < n; i++) {
        hat_twin[i] = (double)x[i] * twin;
        out_twin[i] = hat_twin[i] * (double)gain[i];
    }
    expect_all_near("hat", hat, hat_twin);
    expect_all_near("norm", out, out_twin);
}

Test(kernel_twins, norm_divides_by_the_root_mean_square)
{
    for_each_length(check_norm);
}

/* d(x) += scale · (g ⊙ d − hat · mean(g ⊙ d ⊙ hat)),  d(gain) += d ⊙ hat */
static void check_norm_backward(void)
{
    float gain[ROOM], hat[ROOM], d_out[ROOM], d_x[ROOM], d_gain[ROOM];
    double x_twin[LENGTH_MAX], gain_twin[LENGTH_MAX];
    fill(gain, n);
    fill(hat, n);
    fill(d_out, n);
    fill(d_x, n);
    fill(d_gain, n);
    if (n == 0) {
        return;
    }
    double mean = 0;
    for (size_t i = 0; i < n; i++) {
        mean += (double)gain[i] * (double)d_out[i] * (double)hat[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        double through = (double)gain[i] * (double)d_out[i] - (double)hat[i] * mean;
        x_twin[i] = (double)d_x[i] + (double)0.7f * through;
        gain_twin[i] = (double)d_gain[i] + (double)d_out[i] * (double)hat[i];
    }
    float *d_x_d_gain[2] = {d_x, d_gain};
    kernels->norm_backward(n, 0.7f, gain, hat, d_out, d_x_d_gain);
    expect_all_near("d_x", d_x, x_twin);
    expect_all_near("d_gain", d_gain, gain_twin);
}

Test(kernel_twins, norm_backward_is_its_derivative)
{
    for_each_length(check_norm_backward);
}

static void check_blend(void)
{
    float x[ROOM], y[ROOM];
    double twin[LENGTH_MAX];
    fill(x, n);
    fill(y, n);
    for (size_t i = 0; i < n; i++) {
        twin[i] = (double)0.3f * (double)y[i] + (double)0.7f * (double)x[i];
    }
    kernels->blend(n, 0.3f, y, 0.7f, x);
    expect_all_near("blend", y, twin);
}

Test(kernel_twins, blend_is_a_weighted_sum)
{
    for_each_length(check_blend);
}

static void check_sum_rows(void)
{
    float x[ROOM], y[ROOM];
    double twin[LENGTH_MAX];
    size_t rows = (size_t)chirr_random_below(&dice, ROWS_MAX + 1);
    fill(x, rows * n);
    fill(y, n);
    for (size_t j = 0; j < n; j++) {
        twin[j] = (double)y[j];
        for (size_t r = 0; r < rows; r++) {
            twin[j] += (double)x[r * n + j];
        }
    }
    kernels->sum_rows(rows, n, x, y);
    expect_all_near("sum_rows", y, twin);
}

Test(kernel_twins, sum_rows_adds_up_columns)
{
    for_each_length(check_sum_rows);
}

static void check_sum_squares(void)
{
    float x[ROOM];
    double twin = 0;
    fill(x, n);
    for (size_t i = 0; i < n; i++) {
        twin += (double)x[i] * (double)x[i];
    }
    expect_near("sum_squares", kernels->sum_squares(n, x), twin, twin);
}

Test(kernel_twins, sum_squares_is_the_squared_length)
{
    for_each_length(check_sum_squares);
}

static void check_softmax(void)
{
    float x[ROOM];
    double twin[LENGTH_MAX];
    double sum = 0;
    fill(x, n);
    if (n == 0) {
        return; /* no distribution over nothing */
    }
    for (size_t i = 0; i < n; i++) {
        twin[i] = exp((double)x[i]);
        sum += twin[i];
    }
    for (size_t i = 0; i < n; i++) {
        twin[i] /= sum;
    }
    kernels->softmax(n, x);
    expect_all_near("softmax", x, twin);
}

Test(kernel_twins, softmax_is_exponentials_over_their_sum)
{
    for_each_length(check_softmax);
}
