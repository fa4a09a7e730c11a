/* model.batch: many models of one shape in one workspace against as many alone.
 *
 * Both sides read the same bytes in bursts, model after model, as a simulation does, and learn.
 * With peers, what one of four told weighs more or less before every burst, so that every weight is
 * built again: most of what a simulated agent's model does. Memory is that of one model of so many;
 * genesis and workspace, which are there once, are counted in. */
#include <string.h>

#include "model/batch.h"
#include "model/delta.h"
#include "tests/bench/bench.h"
#include "tests/bench/measure.h"
#include "tests/bench/shapes.h"
#include "tests/support/agent_model.h"

#define TURNS 21
#define PEERS 4
#define BURST_MAX 64
/* Work of a turn: long enough that the clock's grain does not matter. */
#define TURN_PARAMETER_STEPS 100e6

struct crowd {
    struct chirr_model_config config;
    uint32_t models;
    uint32_t burst; /* bytes that a model reads before it is the next one's turn */
    bool peers;
    uint32_t rounds; /* of a turn */
};

struct side {
    const struct crowd *crowd;
    struct chirr_arena arena;
    struct chirr_batch *batch; /* NULL: alone */
    struct chirr_model **models;
    struct chirr_batch_bytes *inputs;
    struct chirr_model_reading *readings;
    uint64_t round;
    uint8_t noise[4096];
};

static void hear_peers(struct side *side, struct chirr_model *model)
{
    float g = 0.1f + 0.1f * (float)(side->round / PEERS % 2);
    uint64_t peer = 1 + side->round % PEERS;
    enum chirr_err err = chirr_delta_weigh(model, peer, g);
    CHIRR_ASSERT(err == CHIRR_OK); /* all of them are known */
}

static void round_of(struct side *side)
{
    const struct crowd *crowd = side->crowd;
    enum chirr_err err = CHIRR_OK;
    side->round++;
    for (uint32_t i = 0; i < crowd->models; i++) {
        size_t at = (side->round * 31 + i * 7) % (sizeof side->noise - BURST_MAX);
        side->inputs[i] = (struct chirr_batch_bytes){side->noise + at, crowd->burst};
        if (crowd->peers) {
            hear_peers(side, side->models[i]);
        }
        if (side->batch == NULL && err == CHIRR_OK) {
            err = chirr_model_step_bytes(side->models[i], 0, side->inputs[i].bytes, crowd->burst,
                                         &side->readings[i]);
        }
    }
    if (side->batch != NULL) {
        err = chirr_batch_step_bytes(side->batch, 0, side->inputs, side->readings);
    }
    CHIRR_ASSERT(err == CHIRR_OK); /* sense 0 reads bytes */
}

static void take_turn(void *context)
{
    struct side *side = context;
    for (uint32_t i = 0; i < side->crowd->rounds; i++) {
        round_of(side);
    }
}

/* Every model hears all that each of the first ones learned from a text. */
static void introduce_peers(struct side *side)
{
    struct chirr_model_reading reading;
    for (uint32_t peer = 0; peer < PEERS; peer++) {
        enum chirr_err err =
            chirr_model_step_bytes(side->models[peer], 0, side->noise, 512, &reading);
        CHIRR_ASSERT(err == CHIRR_OK);
    }
    for (uint32_t peer = 0; peer < PEERS; peer++) {
        for (uint32_t message = 0; message < 64; message++) {
            uint8_t bytes[CHIRR_DELTA_BYTES_MAX];
            size_t count = 0;
            uint32_t partition = message % (side->crowd->config.partitions + 1);
            enum chirr_err err =
                chirr_delta_extract(side->models[peer], partition, bytes, sizeof bytes, &count);
            const struct chirr_delta_source source = {
                .origin = 1 + peer, .incarnation = 1, .version = message, .partition = partition};
            for (uint32_t i = 0; i < side->crowd->models && count > 0; i++) {
                err = err == CHIRR_OK ? chirr_delta_apply(side->models[i], &source, bytes, count)
                                      : err;
            }
            CHIRR_ASSERT(err == CHIRR_OK);
        }
    }
}

static size_t side_bytes(const struct crowd *crowd, bool together)
{
    size_t models = together ? chirr_batch_bytes(&crowd->config, crowd->models)
                             : crowd->models * chirr_model_bytes(&crowd->config);
    return models + chirr_arena_round(crowd->models * sizeof(struct chirr_model *)) +
           chirr_arena_round(crowd->models * sizeof(struct chirr_batch_bytes)) +
           chirr_arena_round(crowd->models * sizeof(struct chirr_model_reading));
}

static enum chirr_err init_side(struct side *side, const struct crowd *crowd, bool together,
                                struct chirr_error *error)
{
    side->crowd = crowd;
    chirr_bench_noise(side->noise, sizeof side->noise, 1);
    if (chirr_arena_init(&side->arena, side_bytes(crowd, together)) != CHIRR_OK) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for %u models", crowd->models);
    }
    side->models = chirr_arena_take(&side->arena, crowd->models, sizeof(struct chirr_model *));
    side->inputs = chirr_arena_take(&side->arena, crowd->models, sizeof *side->inputs);
    side->readings = chirr_arena_take(&side->arena, crowd->models, sizeof *side->readings);
    side->batch = together ? chirr_batch_create(&side->arena, &crowd->config, crowd->models) : NULL;
    for (uint32_t i = 0; i < crowd->models; i++) {
        side->models[i] = together ? chirr_batch_model(side->batch, i)
                                   : chirr_model_create(&side->arena, &crowd->config);
    }
    if (crowd->peers) {
        introduce_peers(side);
    }
    return CHIRR_OK;
}

static void report(struct chirr_bench_context *context, const struct crowd *crowd,
                   const struct side sides[2])
{
    const struct chirr_bench_side runs[2] = {{take_turn, (void *)&sides[1]},
                                             {take_turn, (void *)&sides[0]}};
    const struct chirr_bench_times times = chirr_bench_compare(runs, 2, TURNS);
    double steps = (double)crowd->rounds * crowd->models * crowd->burst;
    json_int_t params = (json_int_t)chirr_model_parameter_count(&crowd->config);
    for (uint32_t i = 0; i < crowd->models; i++) { /* the same bits, or it proves nothing */
        CHIRR_ASSERT(chirr_model_state_hash(sides[0].models[i]) ==
                     chirr_model_state_hash(sides[1].models[i]));
    }
    const struct chirr_bench_result speedup = {
        .metric = "speedup",
        .value = times.ratio[1],
        .unit = "x",
        .fields = json_pack("{s:I, s:i, s:i, s:b, s:f, s:f}", "params", params, "models",
                            (int)crowd->models, "burst", (int)crowd->burst, "peers", crowd->peers,
                            "batch_us_per_step", 1e6 * times.seconds[0] / steps,
                            "alone_us_per_step", 1e6 * times.seconds[1] / steps),
    };
    chirr_bench_report(context, &speedup);
    double together = (double)chirr_batch_bytes(&crowd->config, crowd->models) / crowd->models;
    double alone = (double)chirr_model_bytes(&crowd->config);
    const struct chirr_bench_result bytes = {
        .metric = "bytes",
        .value = together,
        .unit = "B",
        .fields = json_pack("{s:I, s:i, s:i, s:f, s:f}", "params", params, "models",
                            (int)crowd->models, "origins", (int)crowd->config.origins_max, "alone",
                            alone, "share", together / alone),
    };
    chirr_bench_report(context, &bytes);
}

static enum chirr_err measure(struct chirr_bench_context *context, struct crowd *crowd,
                              struct chirr_error *error)
{
    double work =
        (double)chirr_model_parameter_count(&crowd->config) * crowd->models * crowd->burst;
    static struct side sides[2]; /* alone, together */
    memset(sides, 0, sizeof sides);
    crowd->rounds = 1 + (uint32_t)(TURN_PARAMETER_STEPS / work);
    enum chirr_err err = init_side(&sides[0], crowd, false, error);
    if (err == CHIRR_OK) {
        err = init_side(&sides[1], crowd, true, error);
    }
    if (err == CHIRR_OK) {
        report(context, crowd, sides);
    }
    chirr_arena_finish(&sides[0].arena);
    chirr_arena_finish(&sides[1].arena);
    return err;
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    struct chirr_model_config hermit = agent_model_config();
    hermit.origins_max = 0;
    struct crowd crowds[] = {
        {.config = agent_model_config(), .models = 50, .burst = 12, .peers = true},
        {.config = agent_model_config(), .models = 50, .burst = 12},
        {.config = hermit, .models = 50, .burst = 32},
        {.config = chirr_bench_config(&chirr_bench_100k), .models = 8, .burst = 32},
        {.config = chirr_bench_default_config(), .models = 8, .burst = 32},
    };
    const size_t count = sizeof crowds / sizeof *crowds;
    enum chirr_err err = CHIRR_OK;
    for (size_t i = 0; err == CHIRR_OK && i < count; i++) {
        err = measure(context, &crowds[i], error);
        chirr_bench_progress(context, (double)(i + 1) / (double)count);
    }
    return err;
}

const struct chirr_bench chirr_bench_batch = {
    "model.batch", "many models in one workspace against as many alone", run, false};
