/* Gradients against finite differences, in double precision: this suite is linked with the model's
 * sources compiled with CHIRR_REAL_DOUBLE. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/codec.h"
#include "model/internal.h"
#include "model/tensors.h"
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

/* The open chunk's mean loss from where it began, and its activations. Which components of a vector
 * come differs from step to step; an image begins anew. */
static double chunk_loss(void)
{
    struct chirr_sense_state *state = &model->senses[sense];
    size_t traces = chirr_stream_trace_count(&model->body.layout);
    memcpy(state->stream.traces, state->stream.traces_start, traces * sizeof(chirr_real));
    memcpy(state->stream.powers, state->stream.powers_start,
           2 * model->config.rates * sizeof(chirr_real));
    state->stream.filled = 0;
    state->symbols.last = 'e';
    state->symbols.recent = 0x20746865;
    state->symbols.word = 7;
    if (state->symbols.image.width > 0) {
        chirr_image_begin(&state->symbols.image);
    }
    double nats = 0;
    for (size_t t = 0; t < STEPS; t++) {
        if (chirr_model_has_symbols(model, sense)) {
            nats += read_byte((uint8_t)text[24 + t]);
            continue;
        }
        if (t == 0) {
            memcpy(state->last, (chirr_real[3]){CHIRR_REAL(0.1), CHIRR_REAL(-1), 1},
                   3 * sizeof(chirr_real));
        }
        chirr_real values[3] = {(chirr_real)sin((double)t), 0, (chirr_real)t / STEPS};
        const bool judged[3] = {t % 3 != 1, t % 4 == 2, true};
        chirr_real *outputs = chirr_vector_predict(model, sense);
        memcpy(state->last, values, sizeof values);
        nats += chirr_codec_score_vector(3, values, judged, outputs);
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

/* Rows of tables that were not read have no gradient, and are left out: what is checked of a table
 * is every row that has one. */
static void check_rows(const struct chirr_tensor *tensor)
{
    size_t columns = tensor->shape[1];
    size_t read = 0;
    for (size_t row = 0; row < tensor->shape[0]; row++) {
        const chirr_real *of_row = gradient + tensor->offset + row * columns;
        bool any = false;
        for (size_t i = 0; i < columns; i++) {
            any = any || of_row[i] != 0;
        }
        if (any) {
            check_group(tensor->name, tensor->offset + row * columns, columns);
        }
        read += any;
    }
    cr_expect_gt(read, 1, "%s: rows that were read", tensor->name);
}

/* Whether a step of the sense reads this tensor: the body, and what is the sense's own. */
static bool is_read(const char *name)
{
    const struct chirr_model_sense *s = &model->config.senses[sense];
    char own[64];
    snprintf(own, sizeof own, "senses.%s.", s->name);
    if (strstr(name, "gain_mlp") != NULL && model->config.mlp_width == 0) {
        return false;
    }
    bool shared_codec = strcmp(name, "embedding") == 0 || strncmp(name, "head", 4) == 0;
    bool bytes = shared_codec || strncmp(name, "grams.", 6) == 0;
    return strncmp(name, "senses.", 7) == 0 ? strncmp(name, own, strlen(own)) == 0
                                            : !bytes || s->kind == CHIRR_SENSE_BYTES;
}

/* Every tensor that there is: none can be forgotten. */
static void check_all(void)
{
    struct chirr_tensor tensor;
    size_t checked = 0;
    for (size_t i = 0; chirr_tensor_describe(model, i, &tensor); i++) {
        if (!is_read(tensor.name)) {
            for (size_t k = 0; k < tensor.count; k++) {
                cr_assert_eq(gradient[tensor.offset + k], 0, "%s is not read", tensor.name);
            }
            continue;
        }
        checked++;
        if (strstr(tensor.name, "embedding") != NULL || strstr(tensor.name, "grams") != NULL) {
            check_rows(&tensor);
        } else {
            check_group(tensor.name, tensor.offset, tensor.count);
        }
    }
    cr_expect_gt(checked, 5);
}

/* What a model is made of, besides its senses. */
enum { SELECTOR = 1, GATE = 2, GRAMS = 4, NO_MLP = 8, PART = 16, COMBINATIONS = 32 };

static void remake(unsigned parts, enum chirr_sense_kind kind)
{
    chirr_arena_finish(&arena);
    free(gradient);
    struct chirr_model_config config = small_config();
    config.active = parts & SELECTOR ? 2 : 0;
    config.input_gate = (parts & GATE) != 0;
    config.gram_rows = parts & GRAMS ? 16 : 0;
    config.mlp_width = parts & NO_MLP ? 0 : 8;
    config.hosted = parts & PART ? 0xD : 0xF;
    if (kind == CHIRR_SENSE_AUDIO || kind == CHIRR_SENSE_IMAGE) {
        bool image = kind == CHIRR_SENSE_IMAGE;
        config.senses[SMALL_TEXT].kind = kind;
        config.senses[SMALL_TEXT].width = image ? 6 : 0;
        config.senses[SMALL_TEXT].channels = image ? 3 : 0;
    }
    config.senses[SMALL_LOAD].chunk = STEPS + 1;
    model = make_model(&arena, &config);
    learn_text(model, SMALL_TEXT, text, 24);
    for (size_t t = 0; t < 2 * (STEPS + 1); t++) {
        float values[3];
        struct chirr_model_step step;
        values_at(t, values);
        cr_assert_eq(chirr_model_step_vector(model, SMALL_LOAD, values, &step), CHIRR_OK);
    }
    /* top k of the scores has steps, but without noise none within the differences taken here */
    model->senses[SMALL_TEXT].stream.noise = 0;
    model->senses[SMALL_LOAD].stream.noise = 0;
    derive(kind == CHIRR_SENSE_VECTOR ? SMALL_LOAD : SMALL_TEXT);
}

static void check_combination(unsigned parts, enum chirr_sense_kind kind)
{
    remake(parts, kind);
    check_all();
}

Test(gradient, of_every_tensor_from_bytes_equals_finite_differences, .timeout = 200)
{
    for (unsigned parts = 0; parts < COMBINATIONS; parts++) {
        check_combination(parts, CHIRR_SENSE_BYTES);
    }
}

Test(gradient, of_every_tensor_from_vectors_equals_finite_differences, .timeout = 200)
{
    for (unsigned parts = 0; parts < COMBINATIONS; parts += 3) {
        check_combination(parts & ~(unsigned)GRAMS, CHIRR_SENSE_VECTOR);
    }
}

Test(gradient, of_every_tensor_from_audio_equals_finite_differences)
{
    check_combination(0, CHIRR_SENSE_AUDIO);
    check_combination(SELECTOR | GATE | NO_MLP, CHIRR_SENSE_AUDIO);
}

Test(gradient, of_every_tensor_from_images_equals_finite_differences)
{
    check_combination(0, CHIRR_SENSE_IMAGE);
    check_combination(SELECTOR | GATE | NO_MLP, CHIRR_SENSE_IMAGE);
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
