/* What reads the model and changes nothing: evaluation, samples, forecasts. All of it runs on the
 * scratch stream; averaged weights are built in the gradient's memory. */
#include <math.h>
#include <string.h>

#include "model/codec.h"
#include "model/internal.h"
#include "model/elementary.h"

/* Surprise is bounded: no outcome is worth more than this many deviations. */
#define STANDARD_ERRORS_MAX 1000.0

/* The view with the slow average in place of the live own change. */
static const chirr_real *averaged_weights(struct chirr_model *model)
{
    model->body.kernels->sum_three(model->body.layout.total, model->genesis, model->average,
                                   model->foreign, model->gradient);
    return model->gradient;
}

/* Probabilities of the byte after `symbol`; the scratch stream moves on. */
static chirr_real *scratch_predict(struct chirr_model *model, const chirr_real *weights,
                                   uint32_t symbol)
{
    struct chirr_stream *stream = &model->scratch;
    chirr_real *x = model->body.scratch.d_x;
    chirr_codec_encode_symbol(&model->body, weights, symbol, x);
    const chirr_real *features = chirr_body_forward(&model->body, weights, stream, 0, x);
    chirr_codec_predict_byte(&model->body, weights, features, stream->d_output);
    chirr_body_advance(&model->body, stream, 0);
    return stream->d_output;
}

static bool is_sense_of_kind(const struct chirr_model *model, uint32_t sense,
                             enum chirr_sense_kind kind)
{
    return sense < model->config.sense_count && model->config.senses[sense].kind == kind;
}

enum chirr_err chirr_model_evaluate(struct chirr_model *model, uint32_t sense, const uint8_t *text,
                                    size_t bytes, bool averaged, double *bits_per_byte)
{
    if (!is_sense_of_kind(model, sense, CHIRR_SENSE_BYTES)) {
        return CHIRR_ERR_INVALID;
    }
    if (bytes < 2) {
        return CHIRR_ERR_RANGE;
    }
    const chirr_real *weights = averaged ? averaged_weights(model) : model->weights;
    chirr_stream_reset(&model->scratch, &model->body.layout);
    uint32_t symbol = CHIRR_BYTE_SYMBOLS - 1;
    double nats = 0;
    for (size_t i = 0; i < bytes; i++) {
        chirr_real *probabilities = scratch_predict(model, weights, symbol);
        nats += chirr_codec_score_byte(text[i], probabilities);
        symbol = text[i];
    }
    *bits_per_byte = nats / CHIRR_LN2 / (double)bytes;
    return CHIRR_OK;
}

/* p^(1/temperature), normalised; the likeliest alone at temperature 0. */
static void sharpen(chirr_real *p, float temperature, const struct chirr_kernels *kernels)
{
    size_t likeliest = 0;
    for (size_t i = 1; i < CHIRR_BYTE_VALUES; i++) {
        likeliest = p[i] > p[likeliest] ? i : likeliest;
    }
    if (temperature <= 0) {
        memset(p, 0, CHIRR_BYTE_VALUES * sizeof *p);
        p[likeliest] = 1;
        return;
    }
    for (size_t i = 0; i < CHIRR_BYTE_VALUES; i++) {
        chirr_real least = CHIRR_REAL(1e-37);
        chirr_real logit = chirr_log(p[i] > least ? p[i] : least) / (chirr_real)temperature;
        /* very low temperatures must not reach −inf − −inf in the softmax */
        p[i] = logit > CHIRR_REAL(-1e30) ? logit : CHIRR_REAL(-1e30);
    }
    kernels->softmax(CHIRR_BYTE_VALUES, p);
}

static uint8_t draw(const chirr_real *p, struct chirr_random *random)
{
    double point = chirr_random_uniform(random);
    size_t likeliest = 0;
    for (size_t i = 0; i < CHIRR_BYTE_VALUES; i++) {
        point -= (double)p[i];
        if (point < 0) {
            return (uint8_t)i;
        }
        likeliest = p[i] > p[likeliest] ? i : likeliest;
    }
    return (uint8_t)likeliest; /* the probabilities summed to a rounding less than 1 */
}

enum chirr_err chirr_model_generate(struct chirr_model *model, uint32_t sense, float temperature,
                                    struct chirr_random *random, uint8_t *text, size_t bytes)
{
    if (!is_sense_of_kind(model, sense, CHIRR_SENSE_BYTES)) {
        return CHIRR_ERR_INVALID;
    }
    if (!isfinite(temperature)) {
        return CHIRR_ERR_NOTFINITE;
    }
    chirr_stream_copy_state(&model->scratch, &model->senses[sense].stream, &model->body.layout);
    uint32_t symbol = model->senses[sense].symbol;
    for (size_t i = 0; i < bytes; i++) {
        chirr_real *probabilities = scratch_predict(model, model->weights, symbol);
        sharpen(probabilities, temperature, model->body.kernels);
        text[i] = draw(probabilities, random);
        symbol = text[i];
    }
    return CHIRR_OK;
}

/* What the body makes of a task's features at the stream's present state, [D], borrowed. */
static const chirr_real *read_task(struct chirr_model *model, uint32_t sense,
                                   struct chirr_stream *stream, const double *standard)
{
    const struct chirr_layout_sense *layout = &model->body.layout.senses[sense];
    chirr_real inputs[CHIRR_MODEL_VECTOR_WIDTH_MAX];
    for (uint32_t i = 0; i < layout->inputs; i++) {
        inputs[i] = (chirr_real)standard[i];
    }
    chirr_real *x = model->body.scratch.d_x;
    chirr_codec_encode_vector(&model->body, model->weights, layout, inputs, x);
    return chirr_body_forward(&model->body, model->weights, stream, 0, x);
}

enum chirr_err chirr_model_peek(struct chirr_model *model, uint32_t sense, const float *features,
                                size_t count, struct chirr_model_forecast *forecasts)
{
    if (!is_sense_of_kind(model, sense, CHIRR_SENSE_OUTCOME)) {
        return CHIRR_ERR_INVALID;
    }
    uint32_t width = model->config.senses[sense].width;
    for (size_t i = 0; i < count * width; i++) {
        if (isinf(features[i])) {
            return CHIRR_ERR_NOTFINITE;
        }
    }
    struct chirr_sense_state *state = &model->senses[sense];
    chirr_stream_copy_state(&model->scratch, &state->stream, &model->body.layout);
    for (size_t i = 0; i < count; i++) {
        double standard[CHIRR_MODEL_VECTOR_WIDTH_MAX];
        chirr_outcomes_standardise(&state->outcomes, features + i * width, standard);
        const chirr_real *readout = read_task(model, sense, &model->scratch, standard);
        chirr_outcomes_forecast(&state->outcomes, standard, readout, &forecasts[i]);
    }
    return CHIRR_OK;
}

/* -log of the Gaussian's density, and of the Bernoulli's probability. */
static double surprise_of(const struct chirr_model_forecast *forecast,
                          const struct chirr_model_outcome *outcome)
{
    double p = (double)(outcome->success ? forecast->success : 1 - forecast->success);
    double nats = -(double)chirr_log((chirr_real)(p > 1e-6 ? p : 1e-6));
    if (outcome->success) {
        double z = ((double)outcome->target - (double)forecast->mean) / (double)forecast->deviation;
        double log_deviation = (double)chirr_log((chirr_real)forecast->deviation);
        z = fmax(-STANDARD_ERRORS_MAX, fmin(STANDARD_ERRORS_MAX, z));
        nats += 0.5 * z * z + log_deviation + 0.91893853320467274;
    }
    return nats;
}

double chirr_sense_read_outcome(struct chirr_model *model, uint32_t sense, const float *features,
                                const struct chirr_model_outcome *outcome)
{
    struct chirr_sense_state *state = &model->senses[sense];
    double standard[CHIRR_MODEL_VECTOR_WIDTH_MAX];
    chirr_outcomes_standardise(&state->outcomes, features, standard);
    const chirr_real *readout = read_task(model, sense, &state->stream, standard);
    struct chirr_model_forecast forecast;
    chirr_outcomes_forecast(&state->outcomes, standard, readout, &forecast);
    if (!model->frozen) {
        chirr_outcomes_add(&state->outcomes, features, readout, outcome);
        chirr_outcomes_fit(&state->outcomes);
    }
    chirr_body_advance(&model->body, &state->stream, 0);
    return surprise_of(&forecast, outcome);
}
