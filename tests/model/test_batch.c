#include "model/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/checkpoint.h"
#include "model/delta.h"
#include "tests/model/support.h"
#include "tests/support/agent_model.h"
#include "tests/support/allocations.h"

#define MODELS 3
#define BURST_MAX 40

/* Models of a batch, and the same ones alone; what is asked of one is asked of the other. */
static struct chirr_arena batch_arena;
static struct chirr_arena alone_arenas[MODELS];
static struct chirr_batch *batch;
static struct chirr_model *alone[MODELS];
static struct chirr_random random_stream;

static void make_both(const struct chirr_model_config *config)
{
    size_t bytes = chirr_batch_bytes(config, MODELS);
    cr_assert_eq(chirr_arena_init(&batch_arena, bytes), CHIRR_OK);
    batch = chirr_batch_create(&batch_arena, config, MODELS);
    cr_assert_not_null(batch);
    cr_assert_eq(batch_arena.used, bytes);
    for (uint32_t i = 0; i < MODELS; i++) {
        alone[i] = make_model(&alone_arenas[i], config);
    }
}

static void teardown(void)
{
    chirr_arena_finish(&batch_arena);
    for (uint32_t i = 0; i < MODELS; i++) {
        chirr_arena_finish(&alone_arenas[i]);
    }
}

static void setup(void)
{
    chirr_random_init(&random_stream, 5, 1);
}

TestSuite(batch, .init = setup, .fini = teardown);

static void expect_same(const char *after)
{
    for (uint32_t i = 0; i < MODELS; i++) {
        cr_assert_eq(chirr_model_state_hash(chirr_batch_model(batch, i)),
                     chirr_model_state_hash(alone[i]), "model %u, after %s", i, after);
    }
}

/* Bursts of different lengths, some of them empty: chunks close at different moments. */
static void step_bytes(uint32_t sense)
{
    uint8_t bytes[MODELS][BURST_MAX];
    struct chirr_batch_bytes inputs[MODELS];
    struct chirr_model_reading together[MODELS];
    for (uint32_t i = 0; i < MODELS; i++) {
        inputs[i] = (struct chirr_batch_bytes){
            bytes[i], (size_t)chirr_random_below(&random_stream, BURST_MAX + 1)};
        for (size_t b = 0; b < inputs[i].count; b++) {
            bytes[i][b] = (uint8_t)('a' + i + chirr_random_below(&random_stream, 5));
        }
    }
    cr_assert_eq(chirr_batch_step_bytes(batch, sense, inputs, together), CHIRR_OK);
    for (uint32_t i = 0; i < MODELS; i++) {
        struct chirr_model_reading reading;
        cr_assert_eq(
            chirr_model_step_bytes(alone[i], sense, inputs[i].bytes, inputs[i].count, &reading),
            CHIRR_OK);
        cr_expect_eq(memcmp(&reading, &together[i], sizeof reading), 0, "model %u", i);
    }
}

static void step_vectors(uint32_t sense, uint32_t width)
{
    float values[CHIRR_MODEL_VECTOR_WIDTH_MAX];
    for (uint32_t i = 0; i < MODELS; i++) {
        for (uint32_t v = 0; v < width; v++) {
            values[v] = (float)chirr_random_normal(&random_stream);
        }
        struct chirr_model_step steps[2];
        cr_assert_eq(chirr_model_step_vector(chirr_batch_model(batch, i), sense, values, &steps[0]),
                     CHIRR_OK);
        cr_assert_eq(chirr_model_step_vector(alone[i], sense, values, &steps[1]), CHIRR_OK);
        cr_expect_eq(steps[0].bits, steps[1].bits);
    }
}

static void step_outcomes(uint32_t sense, uint32_t width)
{
    float features[CHIRR_MODEL_VECTOR_WIDTH_MAX];
    for (uint32_t i = 0; i < MODELS; i++) {
        for (uint32_t v = 0; v < width; v++) {
            features[v] = (float)chirr_random_normal(&random_stream);
        }
        const struct chirr_model_outcome outcome = {.target = features[0] + (float)i,
                                                    .success = features[1] > 0};
        struct chirr_model_step step;
        struct chirr_model_forecast forecasts[2];
        cr_assert_eq(
            chirr_model_step_outcome(chirr_batch_model(batch, i), sense, features, &outcome, &step),
            CHIRR_OK);
        cr_assert_eq(chirr_model_step_outcome(alone[i], sense, features, &outcome, &step),
                     CHIRR_OK);
        cr_assert_eq(
            chirr_model_peek(chirr_batch_model(batch, i), sense, features, 1, &forecasts[0]),
            CHIRR_OK);
        cr_assert_eq(chirr_model_peek(alone[i], sense, features, 1, &forecasts[1]), CHIRR_OK);
        cr_expect_eq(memcmp(&forecasts[0], &forecasts[1], sizeof forecasts[0]), 0);
    }
}

/* What the first model changed, to the others. */
static void exchange(const struct chirr_model_config *config, uint64_t version)
{
    for (uint32_t p = 0; p <= config->partitions; p++) {
        if (p < config->partitions && (config->hosted >> p & 1) == 0) {
            continue;
        }
        uint8_t bytes[CHIRR_DELTA_BYTES_MAX], again[CHIRR_DELTA_BYTES_MAX];
        size_t count = 0, count_alone = 0;
        cr_assert_eq(
            chirr_delta_extract(chirr_batch_model(batch, 0), p, bytes, sizeof bytes, &count),
            CHIRR_OK);
        cr_assert_eq(chirr_delta_extract(alone[0], p, again, sizeof again, &count_alone), CHIRR_OK);
        cr_assert(count == count_alone && memcmp(bytes, again, count) == 0);
        const struct chirr_delta_source source = {
            .origin = 9, .incarnation = 1, .version = version, .partition = p};
        for (uint32_t i = 1; i < MODELS && count > 0; i++) {
            struct chirr_model *both[2] = {chirr_batch_model(batch, i), alone[i]};
            for (size_t b = 0; b < 2; b++) {
                cr_assert_eq(chirr_delta_apply(both[b], &source, bytes, count), CHIRR_OK);
                cr_assert_eq(chirr_delta_weigh(both[b], 9, 0.5f), CHIRR_OK);
            }
        }
    }
}

/* What changes nothing, in the scratch that all share. */
static void expect_same_readings(uint32_t sense)
{
    const char text[] = "what was never learned";
    for (uint32_t i = 0; i < MODELS; i++) {
        struct chirr_model *both[2] = {chirr_batch_model(batch, i), alone[i]};
        double bits[2];
        uint8_t sample[2][24];
        for (size_t b = 0; b < 2; b++) {
            struct chirr_random random;
            chirr_random_init(&random, 3, i);
            cr_assert_eq(chirr_model_evaluate(both[b], sense, (const uint8_t *)text, sizeof text,
                                              true, &bits[b]),
                         CHIRR_OK);
            cr_assert_eq(chirr_model_generate(both[b], sense, 1, &random, sample[b], 24), CHIRR_OK);
        }
        cr_expect_eq(bits[0], bits[1], "model %u", i);
        cr_expect_eq(memcmp(sample[0], sample[1], 24), 0, "model %u", i);
    }
}

static void live_through(const struct chirr_model_config *config)
{
    make_both(config);
    for (uint64_t round = 1; round <= 6; round++) {
        for (uint32_t s = 0; s < config->sense_count; s++) {
            const struct chirr_model_sense *sense = &config->senses[s];
            if (sense->kind == CHIRR_SENSE_VECTOR) {
                step_vectors(s, sense->width);
            } else if (sense->kind == CHIRR_SENSE_OUTCOME) {
                step_outcomes(s, sense->width);
            } else {
                step_bytes(s);
                expect_same_readings(s);
            }
        }
        expect_same("a round");
        if (config->origins_max > 0) {
            exchange(config, round);
            expect_same("an exchange");
        }
    }
    struct chirr_model_statistics statistics;
    chirr_model_statistics(chirr_batch_model(batch, 0), &statistics);
    cr_assert_gt(statistics.updates, 0); /* it did learn */
    teardown();
}

Test(batch, gives_the_bits_of_models_alone_in_the_shape_of_a_simulated_agent)
{
    struct chirr_model_config config = agent_model_config();
    live_through(&config);
    config.origins_max = 0; /* no peers: genesis itself is the base */
    live_through(&config);
}

Test(batch, gives_the_bits_of_models_alone_with_every_kind_of_sense)
{
    struct chirr_model_config config = small_config();
    config.replay_bytes = 1024;
    config.replay_share = 0.5f;
    config.senses[config.sense_count++] =
        (struct chirr_model_sense){.name = "sound", .kind = CHIRR_SENSE_AUDIO};
    config.senses[config.sense_count++] = (struct chirr_model_sense){
        .name = "sight", .kind = CHIRR_SENSE_IMAGE, .width = 12, .channels = 3};
    live_through(&config);
}

Test(batch, gives_the_bits_of_models_alone_with_selector_gates_and_grams)
{
    struct chirr_model_config config = small_config();
    config.active = 2;
    config.input_gate = true;
    config.gram_rows = 64;
    config.narrow_reads = true;
    config.hosted = 0xD;
    live_through(&config);
}

Test(batch, models_of_one_workspace_may_differ_in_what_is_private)
{
    struct chirr_model_config config = agent_model_config();
    struct chirr_model_config hermit = config;
    hermit.origins_max = 0;
    hermit.learning_rate = 1e-3f;
    hermit.replay_bytes = 0;
    size_t bytes = chirr_workspace_bytes(&config) + chirr_model_bytes_within(&config) +
                   chirr_model_bytes_within(&hermit);
    cr_assert_eq(chirr_arena_init(&batch_arena, bytes), CHIRR_OK);
    const struct chirr_workspace *workspace = chirr_workspace_create(&batch_arena, &config);
    struct chirr_model *lent[2] = {
        chirr_model_create_within(&batch_arena, &config, workspace),
        chirr_model_create_within(&batch_arena, &hermit, workspace),
    };
    cr_assert_eq(batch_arena.used, bytes);
    alone[0] = make_model(&alone_arenas[0], &config);
    alone[1] = make_model(&alone_arenas[1], &hermit);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 2; i++) {
            learn_text(lent[i], 0, "taking turns", 12);
            learn_text(alone[i], 0, "taking turns", 12);
        }
    }
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(chirr_model_state_hash(lent[i]), chirr_model_state_hash(alone[i]));
    }
}

Test(batch, refuses_bytes_for_a_sense_of_another_kind_and_reads_nothing)
{
    const struct chirr_model_config config = small_config();
    make_both(&config);
    const struct chirr_batch_bytes inputs[MODELS] = {
        {(const uint8_t *)"abc", 3}, {(const uint8_t *)"abc", 3}, {(const uint8_t *)"abc", 3}};
    struct chirr_model_reading readings[MODELS];
    cr_expect_eq(chirr_batch_step_bytes(batch, SMALL_LOAD, inputs, readings), CHIRR_ERR_INVALID);
    cr_expect_eq(chirr_batch_step_bytes(batch, 77, inputs, readings), CHIRR_ERR_INVALID);
    expect_same("refusals");
}

Test(batch, steps_without_allocating)
{
    const struct chirr_model_config config = small_config();
    make_both(&config);
    long before = allocations_count();
    for (int i = 0; i < 20; i++) {
        step_bytes(SMALL_TEXT);
    }
    cr_expect_eq(allocations_count(), before);
}

Test(batch, takes_less_memory_than_models_alone)
{
    const struct chirr_model_config config = agent_model_config();
    cr_expect_lt(chirr_batch_bytes(&config, 50), 50 * chirr_model_bytes(&config));
    cr_expect_gt(chirr_batch_bytes(&config, 1), chirr_model_bytes(&config)); /* honest: genesis */
}

Test(batch, is_refused_by_an_arena_that_is_too_small)
{
    const struct chirr_model_config config = small_config();
    size_t bytes = chirr_batch_bytes(&config, MODELS);
    cr_assert_eq(chirr_arena_init(&batch_arena, bytes - CHIRR_ARENA_ALIGN), CHIRR_OK);
    cr_expect_null(chirr_batch_create(&batch_arena, &config, MODELS));
}

Test(batch, a_checkpoint_of_a_model_alone_goes_on_in_a_batch)
{
    const struct chirr_model_config config = small_config();
    char path[] = "/tmp/chirr-test-batch-XXXXXX";
    cr_assert_not_null(mkdtemp(path));
    char file[64];
    snprintf(file, sizeof file, "%s/model", path);
    make_both(&config);
    learn_text(alone[1], SMALL_TEXT, "kept for the others to read", 27);
    struct chirr_error error = {.text = ""};
    enum chirr_checkpoint_origin origin;
    cr_assert_eq(chirr_checkpoint_save(alone[1], file, &error), CHIRR_OK, "%s", error.text);
    cr_assert_eq(chirr_checkpoint_load(chirr_batch_model(batch, 1), file, &origin, &error),
                 CHIRR_OK, "%s", error.text);
    expect_same("a load");
    step_bytes(SMALL_TEXT);
    expect_same("going on");
    unlink(file);
    rmdir(path);
}
