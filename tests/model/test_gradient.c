/* Gradients against finite differences, in double precision: this suite is linked with the model's
 * sources compiled with CHIRR_REAL_DOUBLE. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/codec.h"
#include "model/internal.h"
#include "tests/model/support.h"

#define STEPS 7
#define STEP_SIZE 1e-5
#define TOLERANCE 1e-4
#define SAMPLES 48

static struct chirr_arena arena;
static struct chirr_model *model;
static uint32_t sense;
static chirr_real *gradient; /* of every parameter; what no sink was given is 0 */

static void keep_gradient(void *context, size_t offset, size_t count, const chirr_real *values)
{
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(gradient[offset + i], 0, "given twice: %zu", offset + i);
        gradient[offset + i] = values[i];
    }
}

static const char text[] = "the quick brown fox jumps over the lazy dog; the dog sleeps on.";

static void values_at(size_t t, float values[3])
{
    values[0] = (float)sin(0.7 * (double)t);
    values[1] = t % 3 == 1 ? NAN : (float)(t % 5);
    values[2] = (float)cos(0.3 * (double)t) * 10;
}

static void setup(void)
{
    struct chirr_model_config config = small_config();
    config.senses[SMALL_LOAD].chunk = STEPS + 1;
    model = make_model(&arena, &config);
    /* Away from genesis, with a past and traces that are still corrected for their bias. */
    learn_text(model, SMALL_TEXT, text, 24);
    for (size_t t = 0; t < 2 * (STEPS + 1); t++) {
        float values[3];
        struct chirr_model_step step;
        values_at(t, values);
        cr_assert_eq(chirr_model_step_vector(model, SMALL_LOAD, values, &step), CHIRR_OK);
    }
}

static void teardown(void)
{
    free(gradient);
    chirr_arena_finish(&arena);
}

TestSuite(gradient, .init = setup, .fini = teardown);

static double read_byte(uint8_t byte)
{
    struct chirr_sense_state *state = &model->senses[sense];
    const struct chirr_symbol_reader reader = {
        .body = &model->body,
        .layout = &model->body.layout.senses[sense],
        .weights = chirr_model_weights(model),
        .stream = &state->stream,
        .symbols = &state->symbols,
    };
    double nats;
    chirr_symbols_read(&reader, &byte, 1, &nats);
    return nats;
}

/* The open chunk's mean loss from where it began, and its activations. */
static double chunk_loss(void)
{
    static const bool present[3] = {true, false, true};
    struct chirr_sense_state *state = &model->senses[sense];
    size_t traces = chirr_stream_trace_count(&model->body.layout);
    memcpy(state->stream.traces, state->stream.traces_start, traces * sizeof(chirr_real));
    memcpy(state->stream.powers, state->stream.powers_start,
           2 * model->config.rates * sizeof(chirr_real));
    state->stream.filled = 0;
    state->symbols.last = 'e';
    state->symbols.recent = 0x20746865;
    state->symbols.word = 7;
    double nats = 0;
    for (size_t t = 0; t < STEPS; t++) {
        if (sense == SMALL_TEXT) {
            nats += read_byte((uint8_t)text[24 + t]);
            continue;
        }
        if (t == 0) {
            memcpy(state->last, (chirr_real[3]){CHIRR_REAL(0.1), CHIRR_REAL(-1), 1},
                   3 * sizeof(chirr_real));
        }
        chirr_real values[3] = {(chirr_real)sin((double)t), 0, (chirr_real)t / STEPS};
        memcpy(state->present, present, sizeof present);
        chirr_real *outputs = chirr_vector_predict(model, sense);
        memcpy(state->last, values, sizeof values);
        nats += chirr_codec_score_vector(3, values, state->present, outputs);
    }
    return nats / STEPS;
}

static void check_group(const char *name, size_t begin, size_t count)
{
    size_t stride = count / SAMPLES + 1;
    double greatest = 0;
    for (size_t i = begin; i < begin + count; i += stride) {
        double weight = model->weights[i];
        model->weights[i] = weight + STEP_SIZE;
        double above = chunk_loss();
        model->weights[i] = weight - STEP_SIZE;
        double below = chunk_loss();
        model->weights[i] = weight;
        double measured = (above - below) / (2 * STEP_SIZE);
        double derived = gradient[i];
        greatest = fmax(greatest, fabs(derived));
        cr_expect(fabs(measured - derived) <= TOLERANCE * fabs(measured) + 1e-9,
                  "%s[%zu]: %.12g measured, %.12g derived", name, i - begin, measured, derived);
    }
    cr_expect_gt(greatest, 0, "%s: no gradient at all", name);
}

static void derive(uint32_t of_sense)
{
    sense = of_sense;
    chunk_loss();
    gradient = calloc(model->body.layout.total, sizeof *gradient);
    const struct chirr_gradient_sink sink = {keep_gradient, NULL};
    chirr_learn_gradient(model, sense, &model->senses[sense].stream, &sink);
}

static void check_body(void)
{
    const struct chirr_layout *l = &model->body.layout;
    for (uint32_t unit = 0; unit < l->hosted_count; unit++) {
        for (uint32_t layer = 0; layer < l->layers; layer++) {
            size_t at = chirr_layout_layer(l, unit, layer);
            check_group("history", at + l->history, l->present - l->history);
            check_group("present", at + l->present, l->output - l->present);
            check_group("output", at + l->output, l->gate - l->output);
            check_group("gate", at + l->gate, l->down - l->gate);
            check_group("down", at + l->down, l->layer_size - l->down);
        }
    }
    for (uint32_t norm = 0; norm < 2 * l->layers; norm++) {
        check_group("gain", l->gains + norm * l->width, l->width);
    }
    check_group("final gain", l->gain_final, l->width);
}

Test(gradient, of_the_body_from_bytes_equals_finite_differences)
{
    derive(SMALL_TEXT);
    check_body();
}

/* Top k of the scores has steps, but none within the differences taken here. */
Test(gradient, of_the_body_behind_a_selector_equals_finite_differences)
{
    chirr_arena_finish(&arena);
    struct chirr_model_config config = small_config();
    config.active = 2;
    model = make_model(&arena, &config);
    learn_text(model, SMALL_TEXT, text, 24);
    model->senses[SMALL_TEXT].stream.noise = 0;
    derive(SMALL_TEXT);
    check_body();
    const struct chirr_layout *l = &model->body.layout;
    check_group("selector", l->selector, (size_t)l->layers * l->width * l->partitions);
}

Test(gradient, of_the_body_behind_input_gates_and_without_an_mlp_equals_finite_differences)
{
    chirr_arena_finish(&arena);
    struct chirr_model_config config = small_config();
    config.input_gate = true;
    config.mlp_width = 0;
    config.gram_rows = 8;
    model = make_model(&arena, &config);
    learn_text(model, SMALL_TEXT, text, 24);
    derive(SMALL_TEXT);
    const struct chirr_layout *l = &model->body.layout;
    for (uint32_t layer = 0; layer < l->layers; layer++) {
        size_t at = chirr_layout_layer(l, 1, layer);
        check_group("history", at + l->history, l->present - l->history);
        check_group("output", at + l->output, l->gate - l->output);
        check_group("input gate", l->input_gate + layer * l->width * l->width,
                    (size_t)l->width * l->width);
    }
    check_group("gain", l->gains, l->width);
    check_group("n-grams", l->grams[0].offset, l->gram_rows * l->gram_columns);
}

Test(gradient, of_the_body_from_vectors_equals_finite_differences)
{
    derive(SMALL_LOAD);
    check_body();
}

Test(gradient, of_the_byte_codec_equals_finite_differences)
{
    derive(SMALL_TEXT);
    const struct chirr_layout *l = &model->body.layout;
    for (size_t i = 0; i < STEPS; i++) {
        size_t symbol = i == 0 ? 'e' : (uint8_t)text[24 + i - 1];
        check_group("embedding", l->bytes.embedding + symbol * l->width, l->width);
    }
    check_group("head", l->bytes.head, l->bytes.head_bias - l->bytes.head);
    check_group("head bias", l->bytes.head_bias, CHIRR_BYTE_VALUES);
}

Test(gradient, of_the_vector_codec_equals_finite_differences)
{
    derive(SMALL_LOAD);
    const struct chirr_layout_sense *s = &model->body.layout.senses[SMALL_LOAD];
    check_group("encoder", s->encoder, s->tag - s->encoder);
    check_group("tag", s->tag, s->head - s->tag);
    check_group("head", s->head, s->head_bias - s->head);
    check_group("head bias", s->head_bias, s->persistence - s->head_bias);
    check_group("persistence", s->persistence, s->end - s->persistence);
}

Test(gradient, of_a_symbol_that_did_not_come_is_zero)
{
    derive(SMALL_TEXT);
    const chirr_real *row =
        gradient + model->body.layout.bytes.embedding + 'Z' * model->body.layout.width;
    for (size_t i = 0; i < model->body.layout.width; i++) {
        cr_expect_eq(row[i], 0);
    }
}
