/* Every variant's products against plain loops, to the bit. */
#include "model/kernel.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/random.h"

#define ROOM (1 << 18)
#define TRIALS 400

static struct chirr_random random_stream;
static float x[ROOM], w[ROOM], y[ROOM], expected[ROOM];
static uint16_t w_narrow[ROOM];

static const char *const variants[] = {"portable", "avx2", "avx512", "neon"};
#define VARIANTS (sizeof variants / sizeof *variants)
#define IS_FUSED(v) ((v) > 0)

static void setup(void)
{
    chirr_random_init(&random_stream, 1, 2);
    for (size_t i = 0; i < ROOM; i++) {
        x[i] = (float)chirr_random_normal(&random_stream);
        w[i] = (float)chirr_random_normal(&random_stream);
    }
}

TestSuite(kernel_product, .init = setup);

/* The stride of w from one inner index, and from one column, to the next. */
struct weight_strides {
    size_t inner, column;
};

static void product_reference(const struct chirr_product *s, struct weight_strides stride,
                              bool fused)
{
    for (size_t g = 0; g < s->groups; g++) {
        for (size_t r = 0; r < s->rows; r++) {
            for (size_t j = 0; j < s->columns; j++) {
                float *sum = &expected[g * s->y_group + r * s->y_row + j];
                for (size_t i = 0; i < s->inner; i++) {
                    float a = x[g * s->x_group + r * s->x_row + i * s->x_inner];
                    float b = w[g * s->w_group + i * stride.inner + j * stride.column];
                    *sum = fused ? fmaf(a, b, *sum) : *sum + a * b;
                }
            }
        }
    }
}

/* 0 in one of sixteen cases, so that every loop is also run no times. */
static size_t random_size(uint32_t most)
{
    uint32_t size = 1 + chirr_random_below(&random_stream, most);
    return chirr_random_below(&random_stream, 16) == 0 ? 0 : size;
}

/* One row as often as many; groups side by side, as in a layer, or one behind the other. */
static struct chirr_product random_shape(bool w_across)
{
    bool one_row = chirr_random_below(&random_stream, 2) == 0;
    struct chirr_product s = {
        .groups = random_size(6),
        .rows = one_row ? 1 : random_size(35),
        .inner = random_size(70),
        .columns = random_size(one_row ? 130 : 60),
    };
    bool turned = chirr_random_below(&random_stream, 2) == 0; /* x read across its rows */
    bool beside = chirr_random_below(&random_stream, 2) == 0;
    size_t gap = chirr_random_below(&random_stream, 5);
    size_t lines = w_across ? s.columns : s.inner; /* of w */
    size_t line = w_across ? s.inner : s.columns;
    s.x_row = turned ? 1 : s.inner + gap;
    s.x_inner = turned ? s.rows : 1;
    s.x_group = s.rows * (s.inner + gap);
    s.w_inner = (beside ? s.groups : 1) * line + gap;
    s.w_group = beside ? line : lines * s.w_inner;
    s.y_row = s.columns + gap;
    s.y_group = s.rows * s.y_row;
    return s;
}

static void check(const struct chirr_product *s, const char *variant, int trial)
{
    for (size_t i = 0; i < s->groups * s->y_group + 64; i++) {
        cr_assert_eq(memcmp(&y[i], &expected[i], sizeof *y), 0,
                     "%s, trial %d: %zu groups of [%zu][%zu]·[%zu]: y[%zu] is %a, expected %a",
                     variant, trial, s->groups, s->rows, s->inner, s->columns, i, (double)y[i],
                     (double)expected[i]);
    }
}

/* What lies between and behind the outputs must stay, too. */
static void prepare(const struct chirr_product *s)
{
    size_t count = s->groups * s->y_group + 64;
    memcpy(y, x + 100, count * sizeof *y);
    memcpy(expected, y, count * sizeof *y);
}

Test(kernel_product, equals_plain_loops_bit_by_bit)
{
    for (size_t v = 0; v < VARIANTS; v++) {
        const struct chirr_kernels *kernels = chirr_kernels_named(variants[v]);
        for (int trial = 0; kernels != NULL && trial < TRIALS; trial++) {
            struct chirr_product s = random_shape(false);
            prepare(&s);
            kernels->product(&s, x, w, y);
            product_reference(&s, (struct weight_strides){s.w_inner, 1}, IS_FUSED(v));
            check(&s, variants[v], trial);
        }
    }
}

Test(kernel_product, with_weights_read_across_equals_plain_loops_bit_by_bit)
{
    for (size_t v = 0; v < VARIANTS; v++) {
        const struct chirr_kernels *kernels = chirr_kernels_named(variants[v]);
        for (int trial = 0; kernels != NULL && trial < TRIALS; trial++) {
            struct chirr_product s = random_shape(true);
            prepare(&s);
            kernels->product_transposed(&s, x, w, y);
            product_reference(&s, (struct weight_strides){1, s.w_inner}, IS_FUSED(v));
            check(&s, variants[v], trial);
        }
    }
}

Test(kernel_product, with_narrow_weights_equals_plain_loops_on_what_they_stand_for)
{
    chirr_kernels_best()->narrow(ROOM, w, w_narrow);
    for (size_t i = 0; i < ROOM; i++) {
        uint32_t bits = (uint32_t)w_narrow[i] << 16;
        memcpy(&w[i], &bits, sizeof bits);
    }
    for (size_t v = 0; v < VARIANTS; v++) {
        const struct chirr_kernels *kernels = chirr_kernels_named(variants[v]);
        for (int trial = 0; kernels != NULL && trial < TRIALS; trial++) {
            struct chirr_product s = random_shape(false);
            prepare(&s);
            kernels->product_narrow(&s, x, w_narrow, y);
            product_reference(&s, (struct weight_strides){s.w_inner, 1}, IS_FUSED(v));
            check(&s, variants[v], trial);
        }
    }
}

Test(kernel_product, of_one_row_at_a_time_and_of_all_rows_have_the_same_bits)
{
    for (size_t v = 0; v < VARIANTS; v++) {
        const struct chirr_kernels *kernels = chirr_kernels_named(variants[v]);
        for (int trial = 0; kernels != NULL && trial < TRIALS; trial++) {
            struct chirr_product s = random_shape(false);
            prepare(&s);
            kernels->product(&s, x, w, y);
            struct chirr_product one = s;
            one.rows = 1;
            for (size_t r = 0; r < s.rows; r++) {
                kernels->product(&one, x + r * s.x_row, w, expected + r * s.y_row);
            }
            check(&s, variants[v], trial);
        }
    }
}

/* Each of the at most 2 · inner roundings of a sum is off by half an epsilon of a partial sum. */
Test(kernel_product, of_the_portable_variant_is_within_the_rounding_of_a_sum)
{
    const struct chirr_kernels *kernels = chirr_kernels_best();
    for (int trial = 0; trial < TRIALS; trial++) {
        struct chirr_product s = random_shape(false);
        prepare(&s);
        kernels->product(&s, x, w, y);
        chirr_kernels_named("portable")->product(&s, x, w, expected);
        for (size_t i = 0; i < s.groups * s.y_group; i++) {
            const double terms_max = 25; /* |x · w| and |y| of this test's normal numbers */
            double bound = (double)(2 * s.inner + 1) * (double)s.inner * terms_max * FLT_EPSILON;
            cr_assert_leq(fabs((double)y[i] - (double)expected[i]), bound, "trial %d", trial);
        }
    }
}

/* `count` bytes right before memory that must not be touched. */
static void *before_a_wall(size_t count)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (count + page - 1) / page * page;
    uint8_t *base =
        mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq((void *)base, MAP_FAILED);
    cr_assert_eq(mprotect(base + room, page, PROT_NONE), 0);
    return base + room - count;
}

Test(kernel_product, touches_nothing_behind_its_arrays)
{
    for (size_t v = 0; v < VARIANTS; v++) {
        const struct chirr_kernels *kernels = chirr_kernels_named(variants[v]);
        for (size_t columns = 1; kernels != NULL && columns < 70; columns++) {
            struct chirr_product s = {.groups = 1, .inner = 9, .columns = columns};
            s.x_row = s.w_group = s.inner;
            s.x_inner = 1;
            s.w_inner = s.y_row = columns;
            for (s.rows = 1; s.rows <= 9; s.rows += 8) {
                float *xs = before_a_wall(s.rows * s.inner * sizeof *xs);
                float *ws = before_a_wall(s.inner * columns * sizeof *ws);
                float *ys = before_a_wall(s.rows * columns * sizeof *ys);
                uint16_t *narrow =
                    before_a_wall((s.inner * columns + CHIRR_KERNEL_OVERREAD) * sizeof *narrow);
                kernels->product(&s, xs, ws, ys);
                kernels->product_narrow(&s, xs, narrow, ys);
                struct chirr_product across = s;
                across.w_inner = s.inner;
                kernels->product_transposed(&across, xs, ws, ys);
            }
        }
    }
}
