/* model.forward: how close a step comes to the time that reading its weights once must take.
 *
 * One byte at a time on one core, 5M parameters: every step reads every matrix once and nothing is
 * reused, so that memory bounds it. The bound is measured in the same run, by summing an array of
 * the same size. With narrow reads (bf16) there are half the bytes, and the bound is that of half
 * the array. */
#include <stdlib.h>

#include "tests/bench/bench.h"
#include "tests/bench/measure.h"
#include "tests/bench/shapes.h"

#define TARGET 0.85
#define TURNS 31
#define TURN_STEPS 32

struct reader {
    struct chirr_bench_subject subject;
    uint8_t bytes[TURN_STEPS];
    float *array;
    size_t count; /* floats in as many bytes as a step reads */
    float sum;
};

static void step_turn(void *context)
{
    struct reader *reader = context;
    chirr_bench_read_bytes(reader->subject.model, reader->bytes, TURN_STEPS);
}

static void read_turn(void *context)
{
    struct reader *reader = context;
    for (size_t i = 0; i < TURN_STEPS; i++) {
        reader->sum += chirr_bench_read_array(reader->array, reader->count);
    }
}

/* Matrices alone: of the embedding and the hashed tables a step reads no more than a row each. */
static size_t weights_read(const struct chirr_model_config *config)
{
    struct chirr_model_config without_tables = *config;
    without_tables.gram_rows = 0;
    return chirr_model_parameter_count(&without_tables) - (size_t)256 * config->width;
}

static void measure(struct chirr_bench_context *context, struct reader *reader)
{
    const struct chirr_bench_side sides[2] = {{read_turn, reader}, {step_turn, reader}};
    const struct chirr_bench_times times = chirr_bench_compare(sides, 2, TURNS);
    const struct chirr_model_config *config = chirr_model_configuration(reader->subject.model);
    double bytes = (double)reader->count * sizeof(float) * TURN_STEPS;
    const struct chirr_bench_result result = {
        .metric = "fraction_of_read_bound",
        .value = 1 / times.ratio[1],
        .unit = "",
        .bound = config->narrow_reads ? CHIRR_BENCH_NO_TARGET : CHIRR_BENCH_AT_LEAST,
        .target = TARGET,
        .fields = json_pack(
            "{s:I, s:s, s:f, s:f, s:f}", "params", (json_int_t)chirr_model_parameter_count(config),
            "weights", config->narrow_reads ? "bf16" : "f32", "steps_per_s",
            TURN_STEPS / times.seconds[1], "gb_per_s", 1e-9 * bytes / times.seconds[1],
            "read_gb_per_s", 1e-9 * bytes / times.seconds[0]),
    };
    chirr_bench_report(context, &result);
}

static enum chirr_err measure_reads(struct chirr_bench_context *context, struct reader *reader,
                                    bool narrow, struct chirr_error *error)
{
    struct chirr_model_config config = chirr_bench_config(&chirr_bench_5m);
    config.narrow_reads = narrow;
    reader->count = weights_read(&config) / (narrow ? 2 : 1);
    enum chirr_err err = chirr_bench_subject_init(&reader->subject, &config, error);
    if (err == CHIRR_OK) {
        chirr_model_freeze(reader->subject.model, true);
        measure(context, reader);
    }
    chirr_bench_subject_finish(&reader->subject);
    return err;
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    const struct chirr_model_config config = chirr_bench_config(&chirr_bench_5m);
    size_t count = weights_read(&config);
    struct reader reader = {.array = malloc(count * sizeof *reader.array)};
    if (reader.array == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "model.forward: out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        reader.array[i] = 1; /* pages that were never written would all be one page of zeros */
    }
    chirr_bench_noise(reader.bytes, TURN_STEPS, 1);
    enum chirr_err err = measure_reads(context, &reader, false, error);
    if (err == CHIRR_OK) {
        err = measure_reads(context, &reader, true, error);
    }
    free(reader.array);
    return err;
}

const struct chirr_bench chirr_bench_forward = {
    "model.forward", "a step's speed against the time to read its weights once", run, false};
