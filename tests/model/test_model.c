#include "model/model.h"
#include "tests/support/allocations.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/internal.h"
#include "tests/model/support.h"

static struct chirr_arena arenas[2];
static struct chirr_error error;
static struct chirr_model_config config;

static const char phrase[] = "the quick brown fox jumps over the lazy dog. ";

static void setup(void)
{
    config = small_config();
}

static void teardown(void)
{
    chirr_arena_finish(&arenas[0]);
    chirr_arena_finish(&arenas[1]);
}

TestSuite(model, .init = setup, .fini = teardown);

Test(model, allocates_nothing_after_creation)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    size_t used = arenas[0].used;
    long before = allocations_count();
    struct chirr_model_step step;
    struct chirr_model_outcome outcome = {.target = 1, .success = true};
    struct chirr_model_forecast forecast;
    struct chirr_random random;
    double bits;
    uint8_t text[20];
    chirr_random_init(&random, 1, 1);
    for (int i = 0; i < 100; i++) {
        float values[4] = {(float)i, 1, 2, 3};
        cr_assert_eq(chirr_model_step_byte(model, SMALL_TEXT, (uint8_t)i, &step), CHIRR_OK);
        cr_assert_eq(chirr_model_step_vector(model, SMALL_LOAD, values, &step), CHIRR_OK);
        cr_assert_eq(chirr_model_step_outcome(model, SMALL_COST, values, &outcome, &step),
                     CHIRR_OK);
        cr_assert_eq(chirr_model_peek(model, SMALL_COST, values, 1, &forecast), CHIRR_OK);
    }
    cr_assert_eq(chirr_model_evaluate(model, SMALL_TEXT, (const uint8_t *)phrase, 40, true, &bits),
                 CHIRR_OK);
    cr_assert_eq(chirr_model_generate(model, SMALL_TEXT, 1, &random, text, sizeof text), CHIRR_OK);
    cr_expect_eq(allocations_count(), before);
    cr_expect_eq(arenas[0].used, used);
}

Test(model, takes_exactly_the_bytes_it_states)
{
    struct chirr_model_config shapes[] = {config, config, chirr_model_config_default()};
    shapes[1].hosted = 0x4;
    shapes[1].origins_max = 0;
    shapes[1].senses[1].chunk = 3;
    shapes[1].sense_count = 2;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        make_model(&arenas[0], &shapes[i]);
        cr_expect_eq(arenas[0].used, chirr_model_bytes(&shapes[i]), "shape %zu", i);
        chirr_arena_finish(&arenas[0]);
        cr_assert_eq(chirr_arena_init(&arenas[0], chirr_model_bytes(&shapes[i]) - 1), CHIRR_OK);
        arenas[0].capacity = chirr_model_bytes(&shapes[i]) - 64;
        cr_expect_null(chirr_model_create(&arenas[0], &shapes[i]), "shape %zu", i);
        chirr_arena_finish(&arenas[0]);
    }
}

Test(model, counts_its_parameters)
{
    config.sense_count = 1;
    /* per layer: sections 6·E·D, MLP 3·F·D; trunk: gains, 257 symbols, 256 outputs with bias; and
     * the tag of the sense */
    size_t body = 2 * (6 * 16 * 16 + 3 * 8 * 16);
    size_t trunk = 5 * 16 + 257 * 16 + 256 * 16 + 256 + 16;
    cr_expect_eq(chirr_model_parameter_count(&config), body + trunk);
    config.hosted = 0x3;
    cr_expect_eq(chirr_model_parameter_count(&config), body / 2 + trunk);
}

/* ---- Configuration -------------------------------------------------------------------------- */

Test(model, the_default_configuration_is_valid)
{
    struct chirr_model_config standard = chirr_model_config_default();
    cr_expect_eq(chirr_model_config_validate(&standard, &error), CHIRR_OK, "%s", error.text);
}

#define REFUSES(change, code, word)                                                                \
    do {                                                                                           \
        config = small_config();                                                                   \
        change;                                                                                    \
        cr_expect_eq(chirr_model_config_validate(&config, &error), code, "%s", #change);           \
        cr_expect_not_null(strstr(error.text, word), "%s: %s", #change, error.text);               \
    } while (0)

Test(model, refuses_what_is_out_of_bounds_and_names_it)
{
    REFUSES(config.width = 8, CHIRR_ERR_RANGE, "width");
    REFUSES(config.width = 20, CHIRR_ERR_RANGE, "multiple of 8");
    REFUSES(config.layers = 0, CHIRR_ERR_RANGE, "layers");
    REFUSES(config.section_width = 20, CHIRR_ERR_RANGE, "section_width");
    REFUSES(config.mlp_width = 9, CHIRR_ERR_RANGE, "mlp_width");
    REFUSES(config.rates = 17, CHIRR_ERR_RANGE, "rates");
    REFUSES(config.partitions = 65, CHIRR_ERR_RANGE, "partitions");
    REFUSES(config.hosted = 0, CHIRR_ERR_RANGE, "hosted");
    REFUSES(config.hosted = 0x10, CHIRR_ERR_RANGE, "hosted");
    REFUSES(config.chunk = 257, CHIRR_ERR_RANGE, "chunk");
    REFUSES(config.learning_rate = NAN, CHIRR_ERR_RANGE, "learning_rate");
    REFUSES(config.learning_rate = -1, CHIRR_ERR_RANGE, "learning_rate");
    REFUSES(config.replay_bytes = 1023, CHIRR_ERR_RANGE, "replay_bytes");
    REFUSES(config.replay_share = 0.6f, CHIRR_ERR_RANGE, "replay_share");
    REFUSES(config.replay_share = NAN, CHIRR_ERR_RANGE, "replay_share");
    REFUSES(config.trunk_rate = 1.5f, CHIRR_ERR_RANGE, "trunk_rate");
    REFUSES(config.origins_max = 1025, CHIRR_ERR_RANGE, "origins_max");
    REFUSES(config.sense_count = 0, CHIRR_ERR_RANGE, "sense_count");
    REFUSES(config.senses[1].width = 0, CHIRR_ERR_RANGE, "width of a sense");
    REFUSES(config.senses[1].width = 65, CHIRR_ERR_RANGE, "width of a sense");
    REFUSES(config.senses[0].width = 1, CHIRR_ERR_RANGE, "width of a sense");
    REFUSES(config.senses[1].chunk = 300, CHIRR_ERR_RANGE, "chunk of a sense");
    REFUSES(config.senses[1].name[0] = 0, CHIRR_ERR_INVALID, "name");
    REFUSES(memset(config.senses[1].name, 'x', 32), CHIRR_ERR_INVALID, "name");
    REFUSES(strcpy(config.senses[1].name, "text"), CHIRR_ERR_EXISTS, "text");
    REFUSES(strcpy(config.senses[1].name, "text/chunk"), CHIRR_ERR_INVALID,
            "sense 1 needs a name of 1 to 31 letters, digits, '_', '.' or '-'");
    REFUSES(strcpy(config.senses[1].name, "a load"), CHIRR_ERR_INVALID, "sense 1 needs a name");
    REFUSES(strcpy(config.senses[1].name, "caf\xc3\xa9"), CHIRR_ERR_INVALID,
            "sense 1 needs a name");
    REFUSES(config.senses[1].kind = (enum chirr_sense_kind)9, CHIRR_ERR_INVALID, "kind");
}

/* ---- Learning ------------------------------------------------------------------------------- */

Test(model, learns_a_phrase_by_heart)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    double first = learn_text(model, SMALL_TEXT, phrase, sizeof phrase - 1);
    double last = 0;
    for (int i = 0; i < 400; i++) {
        last = learn_text(model, SMALL_TEXT, phrase, sizeof phrase - 1);
    }
    cr_expect_gt(first, 6);
    cr_expect_lt(last, 0.2, "%g bits per byte", last);
}

Test(model, at_the_default_size_learns_english_prose)
{
    static uint8_t prose[32768];
    FILE *file = fopen("/usr/share/common-licenses/GPL-3", "rb");
    if (file == NULL) {
        cr_skip("no licence text on this machine");
    }
    size_t bytes = fread(prose, 1, sizeof prose, file);
    fclose(file);
    struct chirr_model_config standard = chirr_model_config_default();
    struct chirr_model *model = make_model(&arenas[0], &standard);
    size_t quarter = bytes / 4;
    double first = learn_text(model, 0, prose, quarter);
    learn_text(model, 0, prose + quarter, 2 * quarter);
    double last = learn_text(model, 0, prose + 3 * quarter, quarter);
    cr_expect_gt(first, last + 0.5, "%g, then %g bits per byte", first, last);
    cr_expect_lt(last, 2.6, "%g bits per byte", last);
}

Test(model, the_slow_average_predicts_better_when_frozen)
{
    static char text[30000];
    struct chirr_random random;
    chirr_random_init(&random, 7, 1);
    for (size_t i = 0; i < sizeof text; i++) { /* words in random order */
        static const char *const words[] = {"red ", "green ", "blue ", "yellow ", "black "};
        const char *word = words[chirr_random_below(&random, 5)];
        size_t length = strlen(word);
        length = length < sizeof text - i ? length : sizeof text - i;
        memcpy(text + i, word, length);
        i += length - 1;
    }
    struct chirr_model *model = make_model(&arenas[0], &config);
    learn_text(model, SMALL_TEXT, text, 24000);
    double live, averaged;
    const uint8_t *held = (const uint8_t *)text + 24000;
    cr_assert_eq(chirr_model_evaluate(model, SMALL_TEXT, held, 6000, false, &live), CHIRR_OK);
    cr_assert_eq(chirr_model_evaluate(model, SMALL_TEXT, held, 6000, true, &averaged), CHIRR_OK);
    cr_expect_lt(averaged, live);
}

Test(model, learns_to_predict_a_wave)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    double first = 0;
    double last = 0;
    for (int t = 0; t < 4000; t++) {
        float values[3] = {(float)(1e6 + 1e5 * sin(0.3 * t)), (float)cos(0.3 * t), 5};
        struct chirr_model_step step;
        cr_assert_eq(chirr_model_step_vector(model, SMALL_LOAD, values, &step), CHIRR_OK);
        first += t >= 50 && t < 250 ? (double)step.bits / 200 : 0;
        last += t >= 3800 ? (double)step.bits / 200 : 0;
    }
    cr_expect_lt(last, first - 1, "from %g to %g bits", first, last);
}

Test(model, frozen_moves_its_state_but_learns_nothing)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    learn_text(model, SMALL_TEXT, phrase, 40);
    chirr_model_freeze(model, true);
    struct chirr_model_statistics before, after;
    chirr_model_statistics(model, &before);
    uint64_t hash = chirr_model_state_hash(model);
    float values[4] = {1, 2, 3, 4};
    struct chirr_model_step step;
    const struct chirr_model_outcome outcome = {.target = 1, .success = true};
    for (int i = 0; i < 20; i++) {
        learn_text(model, SMALL_TEXT, phrase, 10);
        cr_assert_eq(chirr_model_step_outcome(model, SMALL_COST, values, &outcome, &step),
                     CHIRR_OK);
        cr_expect_not(step.updated);
    }
    chirr_model_statistics(model, &after);
    cr_expect_eq(after.updates, before.updates);
    cr_expect_eq(after.own_norm, before.own_norm);
    cr_expect_eq(model->senses[SMALL_COST].outcomes.count, 0);
    cr_expect_neq(chirr_model_state_hash(model), hash);
    chirr_model_freeze(model, false);
    learn_text(model, SMALL_TEXT, phrase, 16);
    chirr_model_statistics(model, &after);
    cr_expect_gt(after.updates, before.updates);
}

Test(model, an_update_closes_every_chunk)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    for (uint32_t i = 1; i <= 5 * config.chunk; i++) {
        struct chirr_model_step step;
        cr_assert_eq(chirr_model_step_byte(model, SMALL_TEXT, 'a', &step), CHIRR_OK);
        cr_expect_eq(step.updated, i % config.chunk == 0);
    }
}

/* ---- Determinism, hosting, what changes nothing ---------------------------------------------- */

static void feed_everything(struct chirr_model *model, uint64_t seed, int steps)
{
    struct chirr_random random;
    chirr_random_init(&random, seed, 0);
    for (int i = 0; i < steps; i++) {
        struct chirr_model_step step;
        float values[4];
        for (int k = 0; k < 4; k++) {
            values[k] = (float)chirr_random_normal(&random);
        }
        struct chirr_model_outcome outcome = {values[0], chirr_random_below(&random, 4) > 0};
        uint8_t byte = (uint8_t)chirr_random_below(&random, 7);
        cr_assert_eq(chirr_model_step_byte(model, SMALL_TEXT, byte, &step), CHIRR_OK);
        cr_assert_eq(chirr_model_step_vector(model, SMALL_LOAD, values, &step), CHIRR_OK);
        if (i % 16 == 0) {
            cr_assert_eq(chirr_model_step_outcome(model, SMALL_COST, values, &outcome, &step),
                         CHIRR_OK);
        }
    }
}

Test(model, equal_inputs_give_equal_bits)
{
    struct chirr_model *a = make_model(&arenas[0], &config);
    struct chirr_model *b = make_model(&arenas[1], &config);
    feed_everything(a, 3, 500);
    feed_everything(b, 3, 500);
    cr_expect_eq(chirr_model_state_hash(a), chirr_model_state_hash(b));
    feed_everything(b, 4, 1);
    cr_expect_neq(chirr_model_state_hash(a), chirr_model_state_hash(b));
}

/* Fused products round once, portable ones twice: two digests, each the same on every machine. */
Test(model, learns_the_same_bits_on_every_machine)
{
    static const char *const variants[] = {"portable", "avx2", "avx512", "neon"};
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        const struct chirr_kernels *kernels = chirr_kernels_named(variants[v]);
        if (kernels != NULL) {
            struct chirr_model *model = make_model(&arenas[0], &config);
            model->body.kernels = kernels;
            feed_everything(model, 3, 500);
            uint64_t hash = chirr_model_state_hash(model);
            cr_expect_eq(hash, v == 0 ? UINT64_C(0xe1e7cdc55d0618d6) : UINT64_C(0x93b424d94f0ac3e9),
                         "%s: 0x%016lx", variants[v], (unsigned long)hash);
            chirr_arena_finish(&arenas[0]);
        }
    }
}

Test(model, hosting_a_part_predicts_as_the_whole_with_the_rest_zeroed)
{
    config.senses[SMALL_LOAD].chunk = 64;
    config.chunk = 64;
    struct chirr_model *whole = make_model(&arenas[0], &config);
    config.hosted = 0x5;
    struct chirr_model *part = make_model(&arenas[1], &config);
    const struct chirr_layout *l = &whole->body.layout;
    for (uint32_t unit = 1; unit < 4; unit += 2) {
        memset(whole->weights + chirr_layout_unit(l, unit), 0,
               l->partition_size * sizeof(chirr_real));
    }
    for (int i = 0; i < 60; i++) {
        struct chirr_model_step a, b;
        uint8_t byte = (uint8_t)phrase[i % 40];
        float values[3] = {(float)sin(i), (float)i, 1};
        cr_assert_eq(chirr_model_step_byte(whole, SMALL_TEXT, byte, &a), CHIRR_OK);
        cr_assert_eq(chirr_model_step_byte(part, SMALL_TEXT, byte, &b), CHIRR_OK);
        cr_expect_eq(a.bits, b.bits, "byte %d", i);
        cr_assert_eq(chirr_model_step_vector(whole, SMALL_LOAD, values, &a), CHIRR_OK);
        cr_assert_eq(chirr_model_step_vector(part, SMALL_LOAD, values, &b), CHIRR_OK);
        cr_expect_eq(a.bits, b.bits, "vector %d", i);
    }
}

Test(model, evaluating_generating_and_peeking_change_nothing)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    struct chirr_model *undisturbed = make_model(&arenas[1], &config);
    feed_everything(model, 3, 101);
    feed_everything(undisturbed, 3, 101);
    double bits;
    uint8_t text[50];
    struct chirr_random random;
    struct chirr_model_forecast forecasts[2];
    const float features[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    chirr_random_init(&random, 5, 5);
    cr_assert_eq(chirr_model_evaluate(model, SMALL_TEXT, (const uint8_t *)phrase, 45, true, &bits),
                 CHIRR_OK);
    cr_assert_eq(chirr_model_evaluate(model, SMALL_TEXT, (const uint8_t *)phrase, 45, false, &bits),
                 CHIRR_OK);
    cr_assert_eq(chirr_model_generate(model, SMALL_TEXT, 0.7f, &random, text, 50), CHIRR_OK);
    cr_assert_eq(chirr_model_peek(model, SMALL_COST, features, 2, forecasts), CHIRR_OK);
    cr_expect_eq(chirr_model_state_hash(model), chirr_model_state_hash(undisturbed));
    feed_everything(model, 4, 50);
    feed_everything(undisturbed, 4, 50);
    cr_expect_eq(chirr_model_state_hash(model), chirr_model_state_hash(undisturbed));
}

Test(model, generates_what_it_learned)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    for (int i = 0; i < 400; i++) {
        learn_text(model, SMALL_TEXT, phrase, sizeof phrase - 1);
    }
    uint8_t text[90];
    struct chirr_random random;
    chirr_random_init(&random, 1, 1);
    cr_assert_eq(chirr_model_generate(model, SMALL_TEXT, 0, &random, text, sizeof text), CHIRR_OK);
    cr_expect_eq(memcmp(text, phrase, 40), 0, "%.*s", 90, (const char *)text);
}

/* ---- Hostile input --------------------------------------------------------------------------- */

Test(model, refuses_the_wrong_sense)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    struct chirr_model_step step;
    struct chirr_model_outcome outcome = {0, true};
    struct chirr_model_forecast forecast;
    struct chirr_random random;
    double bits;
    const float values[4] = {0};
    uint8_t byte = 0;
    uint64_t hash = chirr_model_state_hash(model);
    chirr_random_init(&random, 1, 1);
    for (uint32_t sense = 0; sense < 9; sense++) {
        if (sense != SMALL_TEXT) {
            cr_expect_eq(chirr_model_step_byte(model, sense, 0, &step), CHIRR_ERR_INVALID);
            cr_expect_eq(chirr_model_evaluate(model, sense, (const uint8_t *)"ab", 2, true, &bits),
                         CHIRR_ERR_INVALID);
            cr_expect_eq(chirr_model_generate(model, sense, 1, &random, &byte, 1),
                         CHIRR_ERR_INVALID);
        }
        if (sense != SMALL_LOAD) {
            cr_expect_eq(chirr_model_step_vector(model, sense, values, &step), CHIRR_ERR_INVALID);
        }
        if (sense != SMALL_COST) {
            cr_expect_eq(chirr_model_step_outcome(model, sense, values, &outcome, &step),
                         CHIRR_ERR_INVALID);
            cr_expect_eq(chirr_model_peek(model, sense, values, 1, &forecast), CHIRR_ERR_INVALID);
        }
    }
    cr_expect_eq(chirr_model_state_hash(model), hash);
}

Test(model, refuses_infinities_and_counts_them)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    struct chirr_model_step step;
    struct chirr_model_forecast forecast;
    struct chirr_model_statistics statistics;
    const float infinite[4] = {0, -INFINITY, 0, 0};
    const float plain[4] = {0};
    struct chirr_model_outcome outcome = {0, true};
    struct chirr_model_outcome endless = {INFINITY, true};
    struct chirr_model_outcome failed = {NAN, false};
    cr_expect_eq(chirr_model_step_vector(model, SMALL_LOAD, infinite, &step), CHIRR_ERR_NOTFINITE);
    cr_expect_eq(chirr_model_step_outcome(model, SMALL_COST, infinite, &outcome, &step),
                 CHIRR_ERR_NOTFINITE);
    cr_expect_eq(chirr_model_step_outcome(model, SMALL_COST, plain, &endless, &step),
                 CHIRR_ERR_NOTFINITE);
    cr_expect_eq(chirr_model_peek(model, SMALL_COST, infinite, 1, &forecast), CHIRR_ERR_NOTFINITE);
    chirr_model_statistics(model, &statistics);
    cr_expect_eq(statistics.steps_refused, 3);
    cr_expect_eq(statistics.steps, 0);
    cr_expect_eq(chirr_model_step_outcome(model, SMALL_COST, plain, &failed, &step), CHIRR_OK,
                 "a failure has no target");
}

Test(model, an_evaluation_needs_two_bytes)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    double bits;
    cr_expect_eq(chirr_model_evaluate(model, SMALL_TEXT, (const uint8_t *)"a", 1, true, &bits),
                 CHIRR_ERR_RANGE);
    cr_expect_eq(chirr_model_evaluate(model, SMALL_TEXT, (const uint8_t *)"ab", 2, true, &bits),
                 CHIRR_OK);
}

Test(model, missing_components_are_neither_learned_nor_scored)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    const float missing[3] = {NAN, NAN, NAN};
    struct chirr_model_step step;
    for (uint32_t i = 0; i < 8; i++) {
        cr_assert_eq(chirr_model_step_vector(model, SMALL_LOAD, missing, &step), CHIRR_OK);
        cr_expect_eq(step.bits, 0);
    }
    cr_expect(step.updated);
    struct chirr_model_statistics statistics;
    chirr_model_statistics(model, &statistics);
    cr_expect_eq(statistics.own_norm, 0);
}

static void expect_finite(const struct chirr_model *model)
{
    for (size_t i = 0; i < model->body.layout.total; i++) {
        cr_assert(isfinite(model->weights[i]), "weight %zu", i);
        cr_assert(isfinite(model->average[i]), "average %zu", i);
        cr_assert(fabsf(model->own[i]) <= 4, "own change %zu", i);
    }
}

Test(model, a_sense_that_begins_late_is_led_from_random_to_targeted_too)
{
    config.active = 2;
    struct chirr_model *model = make_model(&arenas[0], &config);
    const struct chirr_stream *text = &model->senses[SMALL_TEXT].stream;
    const struct chirr_stream *load = &model->senses[SMALL_LOAD].stream;
    cr_expect_gt(text->noise, 0, "before the first update");
    float first = load->noise;
    learn_text(model, SMALL_TEXT, "abcdefgh", 8);
    cr_expect_gt(text->noise, 0);
    cr_expect_lt(text->noise, first);
    for (int i = 0; i < 2 * CHIRR_SELECTOR_NOISE_UPDATES; i++) {
        learn_text(model, SMALL_TEXT, "abcdefgh", 8);
    }
    cr_expect_eq(text->noise, 0);
    cr_expect_eq(load->noise, first);
}

Test(model, stays_finite_and_bounded_under_a_reckless_rate_and_noise)
{
    const uint64_t seed = 20;
    config.learning_rate = 0.1f;
    config.warmup_updates = 0;
    struct chirr_model *model = make_model(&arenas[0], &config);
    struct chirr_random random;
    chirr_random_init(&random, seed, 0);
    for (int i = 0; i < 30000; i++) {
        struct chirr_model_step step;
        uint8_t byte = (uint8_t)(i < 10000 ? chirr_random_u32(&random) : 'x');
        cr_assert_eq(chirr_model_step_byte(model, SMALL_TEXT, byte, &step), CHIRR_OK);
        cr_assert(isfinite(step.bits) && isfinite(step.surprise), "seed %lu", (unsigned long)seed);
        /* any finite float at all, and NaN */
        uint32_t bits[3] = {chirr_random_u32(&random), chirr_random_u32(&random),
                            chirr_random_u32(&random)};
        float values[3];
        memcpy(values, bits, sizeof values);
        enum chirr_err err = chirr_model_step_vector(model, SMALL_LOAD, values, &step);
        cr_assert(err == CHIRR_OK || err == CHIRR_ERR_NOTFINITE);
        cr_assert(err != CHIRR_OK || isfinite(step.bits), "seed %lu", (unsigned long)seed);
    }
    expect_finite(model);
}

Test(model, a_gradient_that_is_not_finite_never_enters_the_weights)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    learn_text(model, SMALL_TEXT, phrase, config.chunk + config.chunk / 2);
    const struct chirr_layout *l = &model->body.layout;
    float body = model->weights[l->history];
    model->senses[SMALL_TEXT].stream.d_output[3] = NAN; /* as if the arithmetic had failed */
    learn_text(model, SMALL_TEXT, phrase, config.chunk / 2);
    struct chirr_model_statistics statistics;
    chirr_model_statistics(model, &statistics);
    cr_expect_gt(statistics.updates_refused, 0);
    cr_expect_eq(model->weights[l->history], body, "NaN reaches every matrix, and none moves");
    expect_finite(model);
    uint64_t refused = statistics.updates_refused;
    learn_text(model, SMALL_TEXT, phrase, config.chunk);
    chirr_model_statistics(model, &statistics);
    cr_expect_eq(statistics.updates_refused, refused, "it recovers with the next chunk");
    cr_expect_neq(model->weights[l->history], body);
}

Test(model, surprise_rises_when_the_stream_changes)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    for (int i = 0; i < 200; i++) {
        learn_text(model, SMALL_TEXT, "abcdefgh", 8);
    }
    struct chirr_model_step step;
    cr_assert_eq(chirr_model_step_byte(model, SMALL_TEXT, 'a', &step), CHIRR_OK);
    cr_expect_lt(step.surprise, 1);
    cr_assert_eq(chirr_model_step_byte(model, SMALL_TEXT, '#', &step), CHIRR_OK);
    cr_expect_gt(step.surprise, 3);
}
