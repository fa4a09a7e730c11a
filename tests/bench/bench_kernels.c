/* model.kernels: how close the products of a step come to what the machine can compute.
 *
 * Each product that a step makes, in the shapes of three models, by every variant that this machine
 * runs: a chunk of rows at a time, forward and backward, and a row alone, whose weights are read
 * for no more than one multiplication each. The peak is that of multiplications and additions on as
 * wide vectors in registers, taken in turns with the product. Operands stay where they are from one
 * call to the next: in the caches that they fit in. */
#include <string.h>

#include "model/kernel.h"
#include "tests/bench/bench.h"
#include "tests/bench/measure.h"
#include "tests/bench/peak.h"

#define TURNS 9
#define CHUNK 32
#define RATES 4
/* Operations of a turn: long enough that the clock's grain does not matter. */
#define TURN_OPERATIONS 20e6
#define OPERAND_COUNT ((size_t)512 * 1024)

struct dimensions {
    const char *model;
    size_t width;    /* D */
    size_t channels; /* 2e of one partition */
};

static const struct dimensions models[] = {{"default", 64, 32}, {"1m", 128, 48}, {"5m", 256, 96}};

/* One of a step's products. */
struct task {
    const char *name;
    struct chirr_product shape;
    bool transposed;
};

#define TASKS 10

static void list_tasks(const struct dimensions *m, struct task tasks[TASKS])
{
    const size_t d = m->width, c = m->channels, rates = 2 * RATES, group = c / rates;
    const struct chirr_product history = {rates, CHUNK, d, group, CHUNK * d, d,
                                          1,     group, c, group, c};
    const struct chirr_product dense = {1, CHUNK, d, c, 0, d, 1, 0, c, 0, c};
    struct chirr_product history_row = history, dense_row = dense;
    history_row.rows = dense_row.rows = 1;
    const struct task list[TASKS] = {
        {"history", history, false},
        {"present", dense, false},
        {"output", {1, CHUNK, c, d, 0, c, 1, 0, d, 0, d}, false},
        {"head", {1, CHUNK, d, 256, 0, d, 1, 0, 256, 0, 256}, false},
        {"history inputs", {rates, CHUNK, group, d, group, c, 1, group, c, CHUNK * d, d}, true},
        {"present inputs", {1, CHUNK, c, d, 0, c, 1, 0, c, 0, d}, true},
        {"present gradient", {1, d, CHUNK, c, 0, 1, d, 0, c, 0, c}, false},
        {"history gradient", {1, d, CHUNK, group, 0, 1, d, 0, c, 0, c}, false},
        {"history, one row", history_row, false},
        {"present, one row", dense_row, false},
    };
    memcpy(tasks, list, sizeof list);
}

struct work {
    const struct chirr_kernels *kernels;
    const struct task *task;
    size_t calls;
    size_t peak_count;
};

static float operands[3][OPERAND_COUNT];

static double operations(const struct chirr_product *s)
{
    return 2.0 * (double)(s->groups * s->rows * s->inner * s->columns);
}

static void multiply(void *context)
{
    const struct work *work = context;
    const struct chirr_kernels *k = work->kernels;
    for (size_t i = 0; i < work->calls; i++) {
        (work->task->transposed ? k->product_transposed : k->product)(
            &work->task->shape, operands[0], operands[1], operands[2]);
    }
}

static void reach_peak(void *context)
{
    const struct work *work = context;
    chirr_bench_peak_run(work->kernels->name, work->peak_count);
}

static void measure(struct chirr_bench_context *context, const struct dimensions *model,
                    const struct chirr_kernels *kernels, const struct task *task)
{
    struct work work = {.kernels = kernels, .task = task};
    work.calls = 1 + (size_t)(TURN_OPERATIONS / operations(&task->shape));
    work.peak_count = 1 + (size_t)(TURN_OPERATIONS / chirr_bench_peak_run(kernels->name, 1));
    const struct chirr_bench_side sides[2] = {{multiply, &work}, {reach_peak, &work}};
    const struct chirr_bench_times times = chirr_bench_compare(sides, 2, TURNS);
    double done = (double)work.calls * operations(&task->shape);
    double peak_done = chirr_bench_peak_run(kernels->name, 1) * (double)work.peak_count;
    const struct chirr_bench_result result = {
        .metric = "fraction_of_peak",
        .value = times.ratio[1] * done / peak_done,
        .unit = "",
        .fields =
            json_pack("{s:s, s:s, s:s, s:f, s:f}", "kernels", kernels->name, "model", model->model,
                      "product", task->name, "gflops", 1e-9 * done / times.seconds[0],
                      "peak_gflops", 1e-9 * peak_done / times.seconds[1]),
    };
    chirr_bench_report(context, &result);
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    static const char *const variants[] = {"avx512", "avx2", "neon", "portable"};
    const size_t model_count = sizeof models / sizeof *models;
    (void)error;
    for (size_t i = 0; i < OPERAND_COUNT; i++) {
        operands[0][i] = operands[1][i] = 1e-3f * (float)(i % 7);
    }
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        const struct chirr_kernels *kernels = chirr_kernels_named(variants[v]);
        for (size_t m = 0; kernels != NULL && m < model_count; m++) {
            struct task tasks[TASKS];
            list_tasks(&models[m], tasks);
            for (size_t t = 0; t < TASKS; t++) {
                memset(operands[2], 0, sizeof operands[2]); /* sums stay in range */
                measure(context, &models[m], kernels, &tasks[t]);
            }
        }
    }
    return CHIRR_OK;
}

const struct chirr_bench chirr_bench_kernels = {
    "model.kernels", "products of a step against multiplications in registers", run, false};
