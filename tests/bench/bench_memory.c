/* model.memory: all the memory of a model that learns. It does not grow with the stream: whatever a
 * model uses it takes from one arena when it is created. */
#include "agent/learner.h"
#include "tests/bench/bench.h"
#include "tests/bench/shapes.h"

#define MIB (1024.0 * 1024.0)
#define WARM_BYTES 128

static const struct scale {
    const struct chirr_bench_shape *shape;
    double mib_max;
} scales[] = {{&chirr_bench_1m, 24}, {&chirr_bench_100k, 3}};

/* Peers whose changes there is room for; the target is that of a model that learns alone. */
static const uint32_t origins[] = {0, 4, 16};

static enum chirr_err measure(struct chirr_bench_context *context, const struct scale *scale,
                              uint32_t origins_max, struct chirr_error *error)
{
    struct chirr_model_config config = chirr_bench_config(scale->shape);
    config.origins_max = origins_max;
    struct chirr_bench_subject subject;
    enum chirr_err err = chirr_bench_subject_init(&subject, &config, error);
    if (err != CHIRR_OK) {
        return err;
    }
    uint8_t noise[WARM_BYTES];
    chirr_bench_noise(noise, sizeof noise, 1);
    chirr_bench_read_bytes(subject.model, noise, sizeof noise); /* it does learn in this memory */
    struct chirr_model_statistics statistics;
    chirr_model_statistics(subject.model, &statistics);
    CHIRR_ASSERT(statistics.updates > 0);

    const struct chirr_bench_result result = {
        .metric = "bytes",
        .value = (double)subject.arena.capacity,
        .unit = "B",
        .bound = origins_max == 0 ? CHIRR_BENCH_AT_MOST : CHIRR_BENCH_NO_TARGET,
        .target = scale->mib_max * MIB,
        .fields =
            json_pack("{s:I, s:i, s:f}", "params", (json_int_t)chirr_model_parameter_count(&config),
                      "origins", (int)origins_max, "mib", (double)subject.arena.capacity / MIB),
    };
    chirr_bench_report(context, &result);
    chirr_bench_subject_finish(&subject);
    return CHIRR_OK;
}

/* What an agent's learner takes: the same model with a sense of outcomes, and with room for as many
 * origins as an agent has by default. */
static void report_agent(struct chirr_bench_context *context, const struct scale *scale)
{
    struct chirr_learner_config config = chirr_learner_config_default();
    uint32_t origins_max = config.model.origins_max;
    config.model = chirr_bench_config(scale->shape);
    config.model.origins_max = origins_max;
    double bytes = (double)chirr_learner_bytes(&config);
    const struct chirr_model_config model = chirr_learner_model_config(&config);
    const struct chirr_bench_result result = {
        .metric = "agent_bytes",
        .value = bytes,
        .unit = "B",
        .bound = CHIRR_BENCH_AT_MOST,
        .target = scale->mib_max * MIB,
        .fields =
            json_pack("{s:I, s:i, s:f}", "params", (json_int_t)chirr_model_parameter_count(&model),
                      "origins", (int)origins_max, "mib", bytes / MIB),
    };
    chirr_bench_report(context, &result);
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    enum chirr_err err = CHIRR_OK;
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
        for (size_t o = 0; err == CHIRR_OK && o < sizeof origins / sizeof *origins; o++) {
            err = measure(context, &scales[s], origins[o], error);
        }
        report_agent(context, &scales[s]);
    }
    return err;
}

const struct chirr_bench chirr_bench_memory = {"model.memory",
                                               "memory of a model that learns, in all", run, false};
