/* model.sparse: what a selector of k = P/4 partitions gains and costs.
 *
 *   speedup         a step of the dense model over a step of the sparse one, the selector's own
 * work included; predicting and learning bits_lost       bits per byte over one pass, less those of
 * a dense model of equal active cost: k partitions of the same size, all active, so that a step
 * multiplies as many weights; the larger memory must pay for the selector bits_lost_all   the same,
 * less those of the dense model of all P partitions, which multiplies P/k times as many weights at
 * a step
 */

#include "tests/bench/bench.h"
#include "tests/bench/measure.h"
#include "tests/bench/passes.h"
#include "tests/bench/shapes.h"

#define SPEEDUP_TARGET 1.6
#define BITS_TARGET 0.02
#define TURNS 15
#define TURN_BYTES 256
/* Of the text, and of the seeds: what can be learned in little more than a minute. */
#define PASS_BYTES_MAX 100000
#define PASS_SEEDS_MAX 2

static const struct chirr_bench_shape shape = {
    .width = 256, .layers = 2, .section_width = 512, .partitions = 16, .gram_rows = 1024};

enum side { DENSE, SPARSE, SMALL, SIDES };

static struct chirr_model_config config_of(enum side side)
{
    struct chirr_bench_shape own = shape;
    if (side == SMALL) {
        own.section_width /= 4;
        own.partitions /= 4;
    }
    struct chirr_model_config config = chirr_bench_config(&own);
    config.active = side == SPARSE ? own.partitions / 4 : 0;
    return config;
}

/* ---- Speed ---------------------------------------------------------------------------------- */

struct reader {
    struct chirr_bench_subject subject;
    const uint8_t *bytes;
    size_t count;
};

static void read_turn(void *context)
{
    struct reader *reader = context;
    chirr_bench_read_bytes(reader->subject.model, reader->bytes, reader->count);
}

static void report_speed(struct chirr_bench_context *context, struct reader readers[2], bool learns)
{
    /* The sparse one first: ratios are over the first. */
    const struct chirr_bench_side sides[2] = {{read_turn, &readers[SPARSE]},
                                              {read_turn, &readers[DENSE]}};
    const struct chirr_bench_times times = chirr_bench_compare(sides, 2, TURNS);
    const struct chirr_model_config *config =
        chirr_model_configuration(readers[SPARSE].subject.model);
    double steps = (double)readers[0].count;
    const struct chirr_bench_result result = {
        .metric = "speedup",
        .value = times.ratio[1],
        .unit = "x",
        .bound = CHIRR_BENCH_AT_LEAST,
        .target = SPEEDUP_TARGET,
        .fields = json_pack(
            "{s:s, s:i, s:i, s:i, s:I, s:f, s:f}", "step", learns ? "learns" : "predicts", "width",
            (int)config->width, "partitions", (int)config->partitions, "active",
            (int)config->active, "params", (json_int_t)chirr_model_parameter_count(config),
            "sparse_per_s", steps / times.seconds[0], "dense_per_s", steps / times.seconds[1]),
    };
    chirr_bench_report(context, &result);
}

static enum chirr_err measure_speed(struct chirr_bench_context *context, struct chirr_error *error)
{
    const struct chirr_bench_text *text = &context->corpus.texts[0];
    struct reader readers[2];
    enum chirr_err err = CHIRR_OK;
    for (int side = DENSE; side <= SPARSE; side++) {
        const struct chirr_model_config config = config_of((enum side)side);
        readers[side] = (struct reader){.bytes = text->bytes, .count = TURN_BYTES};
        if (err == CHIRR_OK) {
            err = chirr_bench_subject_init(&readers[side].subject, &config, error);
        }
    }
    for (int learns = 1; err == CHIRR_OK && learns >= 0; learns--) {
        chirr_model_freeze(readers[DENSE].subject.model, !learns);
        chirr_model_freeze(readers[SPARSE].subject.model, !learns);
        report_speed(context, readers, learns);
    }
    chirr_bench_subject_finish(&readers[DENSE].subject);
    chirr_bench_subject_finish(&readers[SPARSE].subject);
    return err;
}

/* ---- Bits ----------------------------------------------------------------------------------- */

/* The passes of all sides and seeds, side by side. */
struct contest {
    struct chirr_bench_pass passes[SIDES * PASS_SEEDS_MAX];
    uint32_t seeds;
    size_t bytes;
};

static double bits_of(const struct contest *contest, enum side side)
{
    return chirr_bench_mean_bits(contest->passes + side * contest->seeds, contest->seeds);
}

static double cpu_of(const struct contest *contest, enum side side)
{
    return chirr_bench_mean_cpu_s(contest->passes + side * contest->seeds, contest->seeds);
}

/* What the sparse side loses against a dense one. */
static void report_loss(struct chirr_bench_context *context, const struct contest *contest,
                        enum side against)
{
    bool all = against == DENSE;
    const struct chirr_bench_pass *passes = contest->passes;
    const struct chirr_bench_result result = {
        .metric = all ? "bits_lost_all" : "bits_lost",
        .value = bits_of(contest, SPARSE) - bits_of(contest, against),
        .unit = "bit",
        .bound = all ? CHIRR_BENCH_NO_TARGET : CHIRR_BENCH_AT_MOST,
        .target = BITS_TARGET,
        .fields = json_pack("{s:s, s:s, s:I, s:i, s:f, s:f, s:o, s:o, s:f, s:f}", "against",
                            all ? "all partitions active" : "equal active cost", "text",
                            passes[0].text->name, "bytes", (json_int_t)contest->bytes, "seeds",
                            (int)contest->seeds, "sparse_bits", bits_of(contest, SPARSE),
                            "dense_bits", bits_of(contest, against), "sparse_bits_of_seeds",
                            chirr_bench_bits_of(passes + SPARSE * contest->seeds, contest->seeds),
                            "dense_bits_of_seeds",
                            chirr_bench_bits_of(passes + against * contest->seeds, contest->seeds),
                            "sparse_cpu_s", cpu_of(contest, SPARSE), "dense_cpu_s",
                            cpu_of(contest, against)),
    };
    chirr_bench_report(context, &result);
}

static enum chirr_err measure_bits(struct chirr_bench_context *context, struct chirr_error *error)
{
    struct chirr_bench_text text = context->corpus.texts[0];
    text.count = text.count < PASS_BYTES_MAX ? text.count : PASS_BYTES_MAX;
    uint32_t seeds = context->seeds < PASS_SEEDS_MAX ? context->seeds : PASS_SEEDS_MAX;
    size_t count = (size_t)SIDES * seeds;
    struct contest contest = {.seeds = seeds, .bytes = text.count};
    struct chirr_bench_pass_progress progress = {.context = context, .total = count * text.count};
    for (size_t i = 0; i < count; i++) {
        contest.passes[i] = (struct chirr_bench_pass){
            .config = config_of((enum side)(i / seeds)), .text = &text, .progress = &progress};
        contest.passes[i].config.genesis_seed = 1 + i % seeds;
    }
    chirr_bench_run_passes(contest.passes, count);
    enum chirr_err err = chirr_bench_passes_error(contest.passes, count, error);
    if (err == CHIRR_OK) {
        report_loss(context, &contest, SMALL);
        report_loss(context, &contest, DENSE);
    }
    return err;
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    enum chirr_err err = measure_speed(context, error);
    return err == CHIRR_OK ? measure_bits(context, error) : err;
}

const struct chirr_bench chirr_bench_sparse = {
    "model.sparse", "a quarter of the partitions at a step: gain and cost", run, true};
