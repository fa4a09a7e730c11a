/* model.learn: what learning costs over predicting alone, step by step. Two models of one shape
 * read the same bytes; one is frozen. What the default does beside (a replay of the past) is
 * counted. */
#include "tests/bench/bench.h"
#include "tests/bench/measure.h"
#include "tests/bench/shapes.h"

#define TARGET 2.5
#define TURNS 21
/* Work of a turn: long enough that the clock's grain does not matter. */
#define TURN_PARAMETER_STEPS 300e6
#define TURN_BYTES_MAX 4096

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

static void compare(struct chirr_bench_context *context, struct reader readers[2])
{
    const struct chirr_bench_side sides[2] = {{read_turn, &readers[0]}, {read_turn, &readers[1]}};
    const struct chirr_bench_times times = chirr_bench_compare(sides, 2, TURNS);
    const struct chirr_model_config *config = chirr_model_configuration(readers[0].subject.model);
    double steps = (double)readers[0].count;
    const struct chirr_bench_result result = {
        .metric = "cost_over_inference",
        .value = times.ratio[1],
        .unit = "x",
        .bound = CHIRR_BENCH_AT_MOST,
        .target = TARGET,
        .fields =
            json_pack("{s:I, s:i, s:f, s:f, s:f}", "params",
                      (json_int_t)chirr_model_parameter_count(config), "chunk", (int)config->chunk,
                      "replay_share", (double)config->replay_share, "learning_per_s",
                      steps / times.seconds[1], "predicting_per_s", steps / times.seconds[0]),
    };
    chirr_bench_report(context, &result);
}

static enum chirr_err measure(struct chirr_bench_context *context,
                              const struct chirr_model_config *config, struct chirr_error *error)
{
    static uint8_t noise[TURN_BYTES_MAX];
    chirr_bench_noise(noise, sizeof noise, 1);
    size_t chunks =
        1 + (size_t)(TURN_PARAMETER_STEPS / (double)chirr_model_parameter_count(config)) /
                config->chunk;
    size_t count = chunks * config->chunk; /* every turn closes whole chunks */
    struct reader readers[2] = {
        {.bytes = noise, .count = count < sizeof noise ? count : sizeof noise}};
    readers[1] = readers[0];
    enum chirr_err err = chirr_bench_subject_init(&readers[0].subject, config, error);
    if (err == CHIRR_OK) {
        err = chirr_bench_subject_init(&readers[1].subject, config, error);
    }
    if (err == CHIRR_OK) {
        chirr_model_freeze(readers[0].subject.model, true);
        compare(context, readers);
    }
    chirr_bench_subject_finish(&readers[0].subject);
    chirr_bench_subject_finish(&readers[1].subject);
    return err;
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    struct chirr_model_config configs[] = {
        chirr_bench_default_config(), chirr_bench_default_config(),
        chirr_bench_config(&chirr_bench_1m), chirr_bench_config(&chirr_bench_5m)};
    const size_t count = sizeof configs / sizeof *configs;
    configs[0].replay_share = 0; /* the rule alone */
    for (size_t i = 0; i < count; i++) {
        enum chirr_err err = measure(context, &configs[i], error);
        if (err != CHIRR_OK) {
            return err;
        }
        chirr_bench_progress(context, (double)(i + 1) / (double)count);
    }
    return CHIRR_OK;
}

const struct chirr_bench chirr_bench_learn = {
    "model.learn", "a step that learns over a step that only predicts", run, false};
