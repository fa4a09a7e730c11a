/* A vector sense's step and its forecasts: between values in their own units, as they come and are
 * asked for, and normalised ones, as the body and the head know them. */
#include <math.h>
#include <string.h>

#include "model/codec.h"
#include "model/elementary.h"
#include "model/internal.h"

#define NUMBER_MAX 1e38 /* what a forecast can say in a float */

/* Means and deviations of the next vector, in the vector's own units, by the head alone. */
struct forecasts {
    double mean[CHIRR_MODEL_VECTOR_WIDTH_MAX];
    double deviation[CHIRR_MODEL_VECTOR_WIDTH_MAX];
};

/* The head's outputs for the vector after `last` at a span's first step, [2 width]. */
static chirr_real *predict(struct chirr_model *model, uint32_t sense, const struct chirr_span *span)
{
    const struct chirr_layout_sense *layout = &model->body.layout.senses[sense];
    const struct chirr_weights weights = chirr_model_weights(model);
    struct chirr_stream *stream = span->stream;
    chirr_real *x = model->body.scratch.d_x;
    memcpy(stream->input + span->first * layout->inputs, model->senses[sense].last,
           layout->inputs * sizeof *x);
    chirr_codec_encode(&model->body, &weights, layout, span, x);
    chirr_body_forward(&model->body, &weights, span, x);
    chirr_codec_predict_vectors(&model->body, &weights, layout, span);
    return stream->d_output + span->first * stream->outputs;
}

chirr_real *chirr_vector_predict(struct chirr_model *model, uint32_t sense)
{
    struct chirr_stream *stream = &model->senses[sense].stream;
    const struct chirr_span span = {.stream = stream, .first = stream->filled, .steps = 1};
    stream->filled++;
    stream->position++;
    return predict(model, sense, &span);
}

/* From the head's outputs, through what the normaliser knows now. */
static void scale_forecasts(const struct chirr_sense_state *state, uint32_t width,
                            const chirr_real *outputs, struct forecasts *forecasts)
{
    for (uint32_t i = 0; i < width; i++) {
        double unit = chirr_normaliser_deviation(&state->normaliser, i);
        double variance = (double)chirr_exp(chirr_codec_log_variance(outputs[width + i]));
        forecasts->mean[i] = state->normaliser.mean[i] + unit * (double)outputs[i];
        forecasts->deviation[i] = unit * sqrt(variance);
    }
}

/* Components that came for the first time had no forecast. */
static bool is_known(const struct chirr_normaliser *normaliser, uint32_t component)
{
    return normaliser->count[component] > 0 || normaliser->run[component] > 0;
}

static void judge(struct chirr_sense_state *state, uint32_t width, const float *values,
                  const struct forecasts *forecasts)
{
    for (uint32_t i = 0; i < width; i++) {
        if (!isnan(values[i]) && is_known(&state->normaliser, i)) {
            double error = (double)values[i] - forecasts->mean[i];
            double score = chirr_calibration_score(error / forecasts->deviation[i], INFINITY);
            chirr_calibration_learn(&state->calibrations[i], score);
        }
    }
}

double chirr_vector_read(struct chirr_model *model, uint32_t sense, const float *values)
{
    struct chirr_sense_state *state = &model->senses[sense];
    uint32_t width = model->config.senses[sense].width;
    chirr_real *outputs = chirr_vector_predict(model, sense);
    if (!model->frozen) {
        struct forecasts forecasts;
        scale_forecasts(state, width, outputs, &forecasts);
        judge(state, width, values, &forecasts);
    }
    chirr_real came[CHIRR_MODEL_VECTOR_WIDTH_MAX];
    bool judged[CHIRR_MODEL_VECTOR_WIDTH_MAX];
    chirr_normaliser_measure(&state->normaliser, values, came, judged);
    chirr_normaliser_apply(&state->normaliser, values, state->last);
    return chirr_codec_score_vector(width, came, judged, outputs);
}

static float bounded(double number)
{
    return (float)fmax(-NUMBER_MAX, fmin(NUMBER_MAX, number));
}

enum chirr_err chirr_model_forecast_vector(struct chirr_model *model, uint32_t sense,
                                           double coverage,
                                           struct chirr_model_component *components)
{
    if (!chirr_model_has_sense(model, sense, CHIRR_SENSE_VECTOR)) {
        return CHIRR_ERR_INVALID;
    }
    if (!(coverage > 0 && coverage < 1)) {
        return CHIRR_ERR_RANGE;
    }
    chirr_model_settle(model);
    const struct chirr_sense_state *state = &model->senses[sense];
    const struct chirr_span span = {
        .stream = chirr_scratch_begin(model, sense, false), .steps = 1, .what_if = true};
    uint32_t width = model->config.senses[sense].width;
    struct forecasts forecasts;
    scale_forecasts(state, width, predict(model, sense, &span), &forecasts);
    for (uint32_t i = 0; i < width; i++) {
        const struct chirr_calibration *c = &state->calibrations[i];
        double mean = forecasts.mean[i];
        double deviation = forecasts.deviation[i];
        components[i] = (struct chirr_model_component){NAN, NAN, NAN, NAN};
        if (is_known(&state->normaliser, i)) {
            double below = chirr_calibration_quantile(c, (1 - coverage) / 2);
            double above = chirr_calibration_quantile(c, (1 + coverage) / 2);
            components[i] = (struct chirr_model_component){
                .mean = bounded(mean),
                .deviation = bounded(deviation * chirr_calibration_scale(c)),
                .low = bounded(mean + deviation * below),
                .high = bounded(mean + deviation * above),
            };
        }
    }
    return CHIRR_OK;
}
