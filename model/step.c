/* One step of a sense: predict, be scored by what came, learn when the chunk is full. */
#include <math.h>
#include <string.h>

#include "model/codec.h"
#include "model/internal.h"
#include "model/elementary.h"

/* The running mean of bits that surprise is measured against spans about this many steps. */
#define BITS_MEAN_STEPS 1000.0

double chirr_sense_read_byte(struct chirr_model *model, uint32_t sense, uint8_t byte)
{
    struct chirr_sense_state *state = &model->senses[sense];
    struct chirr_stream *stream = &state->stream;
    uint32_t t = stream->filled;
    chirr_real *x = model->body.scratch.d_x;
    chirr_real *output = stream->d_output + (size_t)t * CHIRR_BYTE_VALUES;

    stream->input[t] = (chirr_real)state->symbol;
    chirr_codec_encode_symbol(&model->body, model->weights, state->symbol, x);
    const chirr_real *features = chirr_body_forward(&model->body, model->weights, stream, t, x);
    chirr_codec_predict_byte(&model->body, model->weights, features, output);
    double nats = chirr_codec_score_byte(byte, output);
    chirr_body_advance(&model->body, stream, t);
    state->symbol = byte;
    stream->filled++;
    return nats;
}

double chirr_sense_read_vector(struct chirr_model *model, uint32_t sense, const chirr_real *values)
{
    struct chirr_sense_state *state = &model->senses[sense];
    struct chirr_stream *stream = &state->stream;
    const struct chirr_layout_sense *layout = &model->body.layout.senses[sense];
    uint32_t t = stream->filled;
    size_t width = layout->inputs;
    chirr_real *x = model->body.scratch.d_x;
    chirr_real *output = stream->d_output + t * 2 * width;

    memcpy(stream->input + t * width, state->last, width * sizeof *values);
    chirr_codec_encode_vector(&model->body, model->weights, layout, state->last, x);
    const chirr_real *features = chirr_body_forward(&model->body, model->weights, stream, t, x);
    chirr_codec_predict_vector(&model->body, model->weights, layout, features, state->last, output);
    double nats = chirr_codec_score_vector(width, values, state->present, output);
    chirr_body_advance(&model->body, stream, t);
    memcpy(state->last, values, width * sizeof *values);
    stream->filled++;
    return nats;
}

static void report(struct chirr_model *model, uint32_t sense, double nats,
                   struct chirr_model_step *step)
{
    struct chirr_sense_state *state = &model->senses[sense];
    double bits = nats / CHIRR_LN2;
    state->steps++;
    model->steps++;
    step->bits = (float)bits;
    step->surprise = state->steps > 1 ? (float)(bits - state->bits_mean) : 0;
    double rate = 1 / fmin((double)state->steps, BITS_MEAN_STEPS);
    state->bits_mean += rate * (bits - state->bits_mean);
    step->updated = false;
}

static void close_chunk_if_full(struct chirr_model *model, uint32_t sense,
                                struct chirr_model_step *step)
{
    struct chirr_stream *stream = &model->senses[sense].stream;
    if (stream->filled == stream->chunk) {
        step->updated = !model->frozen && chirr_learn_chunk(model, sense);
        chirr_stream_begin_chunk(stream, &model->body.layout);
    }
}

static bool is_sense_of_kind(const struct chirr_model *model, uint32_t sense,
                             enum chirr_sense_kind kind)
{
    return sense < model->config.sense_count && model->config.senses[sense].kind == kind;
}

enum chirr_err chirr_model_step_byte(struct chirr_model *model, uint32_t sense, uint8_t byte,
                                     struct chirr_model_step *step)
{
    if (!is_sense_of_kind(model, sense, CHIRR_SENSE_BYTES)) {
        return CHIRR_ERR_INVALID;
    }
    report(model, sense, chirr_sense_read_byte(model, sense, byte), step);
    close_chunk_if_full(model, sense, step);
    return CHIRR_OK;
}

enum chirr_err chirr_model_step_vector(struct chirr_model *model, uint32_t sense,
                                       const float *values, struct chirr_model_step *step)
{
    if (!is_sense_of_kind(model, sense, CHIRR_SENSE_VECTOR)) {
        return CHIRR_ERR_INVALID;
    }
    uint32_t width = model->config.senses[sense].width;
    for (uint32_t i = 0; i < width; i++) {
        if (isinf(values[i])) {
            model->steps_refused++;
            return CHIRR_ERR_NOTFINITE;
        }
    }
    chirr_real normalised[CHIRR_MODEL_VECTOR_WIDTH_MAX];
    struct chirr_sense_state *state = &model->senses[sense];
    chirr_normaliser_apply(&state->normaliser, values, normalised, state->present);
    report(model, sense, chirr_sense_read_vector(model, sense, normalised), step);
    close_chunk_if_full(model, sense, step);
    return CHIRR_OK;
}

enum chirr_err chirr_model_step_outcome(struct chirr_model *model, uint32_t sense,
                                        const float *features,
                                        const struct chirr_model_outcome *outcome,
                                        struct chirr_model_step *step)
{
    if (!is_sense_of_kind(model, sense, CHIRR_SENSE_OUTCOME)) {
        return CHIRR_ERR_INVALID;
    }
    uint32_t width = model->config.senses[sense].width;
    bool finite = !outcome->success || isfinite(outcome->target);
    for (uint32_t i = 0; i < width; i++) {
        finite = finite && !isinf(features[i]);
    }
    if (!finite) {
        model->steps_refused++;
        return CHIRR_ERR_NOTFINITE;
    }
    report(model, sense, chirr_sense_read_outcome(model, sense, features, outcome), step);
    step->updated = !model->frozen;
    return CHIRR_OK;
}
