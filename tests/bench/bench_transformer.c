/* model.transformer: a step of the model against a step of a transformer of equal parameters, width
 * and depth, at a position of the stream. The model's step costs the same at all of them; attention
 * reads everything that came. Partitions at k = P/4. */
#include "tests/bench/bench.h"
#include "tests/bench/measure.h"
#include "tests/bench/shapes.h"
#include "tests/bench/transformer.h"

#define TURNS 15
#define OURS_STEPS 64
#define HEAD_DEPTH 64
#define POSITIONS_MAX 16448 /* the last position measured, and the steps of its turns */

static const struct point {
    uint32_t position;
    uint32_t steps; /* of a transformer's turn: about as long at every position */
    double speedup_min;
} points[] = {{256, 64, 1.5}, {4096, 24, 5}, {16384, 8, 18}};
#define POINT_COUNT (sizeof points / sizeof points[0])

struct rivals {
    struct chirr_bench_subject ours;
    struct chirr_arena arena;
    struct chirr_transformer *theirs;
    struct chirr_transformer_config theirs_config;
    size_t parameters; /* of ours, active or not */
    uint8_t bytes[OURS_STEPS];
    const struct point *point;
};

static void our_turn(void *context)
{
    struct rivals *rivals = context;
    chirr_bench_read_bytes(rivals->ours.model, rivals->bytes, OURS_STEPS);
}

static void their_turn(void *context)
{
    struct rivals *rivals = context;
    chirr_transformer_seek(rivals->theirs, rivals->point->position);
    for (uint32_t i = 0; i < rivals->point->steps; i++) {
        chirr_transformer_step(rivals->theirs, rivals->bytes[i]);
    }
}

/* Width and depth of ours; what attention does not need goes to the MLP. */
static struct chirr_transformer_config rival_of(const struct chirr_model_config *ours)
{
    struct chirr_transformer_config config = {.width = ours->width,
                                              .layers = ours->layers,
                                              .heads = ours->width / HEAD_DEPTH,
                                              .positions_max = POSITIONS_MAX,
                                              .seed = 1};
    size_t wanted = chirr_model_parameter_count(ours);
    do {
        config.mlp_width += 16;
    } while (chirr_transformer_parameter_count(&config) < wanted);
    return config;
}

static void compare(struct chirr_bench_context *context, struct rivals *rivals)
{
    const struct point *point = rivals->point;
    const struct chirr_bench_side sides[2] = {{our_turn, rivals}, {their_turn, rivals}};
    const struct chirr_bench_times times = chirr_bench_compare(sides, 2, TURNS);
    const struct chirr_bench_result result = {
        .metric = "speedup",
        .value = times.ratio[1] * OURS_STEPS / point->steps,
        .unit = "x",
        .bound = CHIRR_BENCH_AT_LEAST,
        .target = point->speedup_min,
        .fields = json_pack("{s:i, s:I, s:I, s:f, s:f}", "position", (int)point->position, "params",
                            (json_int_t)rivals->parameters, "transformer_params",
                            (json_int_t)chirr_transformer_parameter_count(&rivals->theirs_config),
                            "steps_per_s", OURS_STEPS / times.seconds[0], "transformer_steps_per_s",
                            point->steps / times.seconds[1]),
    };
    chirr_bench_report(context, &result);
}

static enum chirr_err rivals_init(struct rivals *rivals, const struct chirr_model_config *config,
                                  struct chirr_error *error)
{
    *rivals = (struct rivals){.theirs_config = rival_of(config),
                              .parameters = chirr_model_parameter_count(config)};
    enum chirr_err err = chirr_bench_subject_init(&rivals->ours, config, error);
    if (err != CHIRR_OK) {
        return err;
    }
    size_t bytes = chirr_transformer_bytes(&rivals->theirs_config);
    if (chirr_arena_init(&rivals->arena, bytes) != CHIRR_OK) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM,
                               "a transformer's cache needs %zu bytes: out of memory", bytes);
    }
    rivals->theirs = chirr_transformer_create(&rivals->arena, &rivals->theirs_config);
    chirr_transformer_fill_cache(rivals->theirs);
    chirr_bench_noise(rivals->bytes, sizeof rivals->bytes, 1);
    chirr_model_freeze(rivals->ours.model, true);
    return CHIRR_OK;
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    static const struct chirr_bench_shape *const shapes[] = {&chirr_bench_1m, &chirr_bench_5m};
    enum chirr_err err = CHIRR_OK;
    for (size_t s = 0; err == CHIRR_OK && s < 2; s++) {
        struct chirr_model_config config = chirr_bench_config(shapes[s]);
        config.active = config.partitions / 4;
        struct rivals rivals;
        err = rivals_init(&rivals, &config, error);
        for (size_t i = 0; err == CHIRR_OK && i < POINT_COUNT; i++) {
            rivals.point = &points[i];
            compare(context, &rivals);
            chirr_bench_progress(context, (double)(s * POINT_COUNT + i + 1) / (2 * POINT_COUNT));
        }
        chirr_bench_subject_finish(&rivals.ours);
        chirr_arena_finish(&rivals.arena);
    }
    return err;
}

const struct chirr_bench chirr_bench_transformer = {
    "model.transformer", "a step against a transformer's with a cache, by position", run, false};
