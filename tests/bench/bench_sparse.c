/* model.sparse: what a selector of k = P/4 partitions gains and costs.
 *
 *   speedup     a step of the dense model over a step of the sparse one, the selector's own work
 *               included; predicting and learning
 *   bits_lost   bits per byte over one pass, less those of a dense model that has no more than k
 *               partitions of the same size: what it computes at a step is the same, so that the
 *               larger memory must pay for the selector; the full dense model is told, too */

#include "tests/bench/bench.h"
#include "tests/bench/measure.h"
#include "tests/bench/passes.h"
#include "tests/bench/shapes.h"

#define SPEEDUP_TARGET 1.6
#define BITS_TARGET 0.02
/* Half the default, which is that of a width of 64: better for both sides at this one. */
#define LEARNING_RATE 1.2e-3f
#define TURNS 15
#define TURN_BYTES 256
/* Of the text: enough for the selector to settle. */
#define PASS_BYTES_MAX 150000

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
    config.learning_rate = LEARNING_RATE; /* of all sides */
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

static json_t *fields_of(const struct chirr_bench_pass *passes, uint32_t seeds, size_t bytes)
{
    const struct chirr_bench_pass *sparse = passes + SPARSE * seeds;
    const struct chirr_bench_pass *small = passes + SMALL * seeds;
    return json_pack(
        "{s:s, s:I, s:i, s:f, s:f, s:f, s:f, s:f, s:f}", "text", passes[0].text->name, "bytes",
        (json_int_t)bytes, "seeds", (int)seeds, "sparse_bits", chirr_bench_mean_bits(sparse, seeds),
        "equal_cost_bits", chirr_bench_mean_bits(small, seeds), "dense_bits",
        chirr_bench_mean_bits(passes, seeds), "sparse_cpu_s", chirr_bench_mean_cpu_s(sparse, seeds),
        "equal_cost_cpu_s", chirr_bench_mean_cpu_s(small, seeds), "dense_cpu_s",
        chirr_bench_mean_cpu_s(passes, seeds));
}

static enum chirr_err measure_bits(struct chirr_bench_context *context, struct chirr_error *error)
{
    struct chirr_bench_text text = context->corpus.texts[0];
    text.count = text.count < PASS_BYTES_MAX ? text.count : PASS_BYTES_MAX;
    uint32_t seeds = context->seeds;
    size_t count = (size_t)SIDES * seeds;
    struct chirr_bench_pass_progress progress = {.context = context, .total = count * text.count};
    struct chirr_bench_pass passes[SIDES * CHIRR_BENCH_SEEDS_MAX];
    for (size_t i = 0; i < count; i++) {
        passes[i] = (struct chirr_bench_pass){
            .config = config_of((enum side)(i / seeds)), .text = &text, .progress = &progress};
        passes[i].config.genesis_seed = 1 + i % seeds;
    }
    chirr_bench_run_passes(passes, count);
    enum chirr_err err = chirr_bench_passes_error(passes, count, error);
    if (err != CHIRR_OK) {
        return err;
    }
    const struct chirr_bench_result result = {
        .metric = "bits_lost",
        .value = chirr_bench_mean_bits(passes + SPARSE * seeds, seeds) -
                 chirr_bench_mean_bits(passes + SMALL * seeds, seeds),
        .unit = "bit",
        .bound = CHIRR_BENCH_AT_MOST,
        .target = BITS_TARGET,
        .fields = fields_of(passes, seeds, text.count),
    };
    chirr_bench_report(context, &result);
    return CHIRR_OK;
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    enum chirr_err err = measure_speed(context, error);
    return err == CHIRR_OK ? measure_bits(context, error) : err;
}

const struct chirr_bench chirr_bench_sparse = {
    "model.sparse", "a quarter of the partitions at a step: gain and cost", run, true};
