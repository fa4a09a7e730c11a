/* One step of a sense: predict, be scored by what came, learn when the chunk is full. */
#include <math.h>
#include <string.h>

#include "model/codec.h"
#include "model/elementary.h"
#include "model/internal.h"

/* The running mean of bits that surprise is measured against spans about this many steps. */
#define BITS_MEAN_STEPS 1000.0

/* What one more step of a sense cost, into figures and the test for drift. */
static void count_step(struct chirr_model *model, uint32_t sense, double nats,
                       struct chirr_model_step *step)
{
    struct chirr_sense_state *state = &model->senses[sense];
    double bits = nats / CHIRR_LN2;
    state->steps++;
    model->steps++;
    step->bits = (float)bits;
    step->updated = false;
    step->surprise = state->steps > 1 ? (float)(bits - state->bits_mean) : 0;
    double rate = 1 / fmin((double)state->steps, BITS_MEAN_STEPS);
    state->bits_mean += rate * (bits - state->bits_mean);
    step->drifted = model->config.drift && !model->frozen && chirr_drift_add(&state->drift, bits);
    state->settled = step->drifted ? 0 : state->settled;
}

/* True when something was learned. */
static bool close_chunk(struct chirr_model *model, uint32_t sense)
{
    struct chirr_stream *stream = &model->senses[sense].stream;
    bool learns = !model->frozen && stream->filled > 0;
    if (learns) {
        chirr_learn_chunk(model, sense);
    }
    chirr_stream_begin_chunk(stream, &model->body.layout);
    if (learns) {
        chirr_learn_rehearse(model, sense);
    }
    return learns;
}

static void remember(struct chirr_model *model, uint32_t sense, const uint8_t *bytes, size_t count)
{
    struct chirr_sense_state *state = &model->senses[sense];
    if (state->rehearses && !model->frozen) {
        chirr_replay_add(&state->rehearsal.replay, bytes, count);
    }
}

static bool chunk_is_full(const struct chirr_model *model, uint32_t sense)
{
    const struct chirr_stream *stream = &model->senses[sense].stream;
    return stream->filled == stream->chunk;
}

static struct chirr_symbol_reader reader_of(struct chirr_model *model, uint32_t sense)
{
    struct chirr_sense_state *state = &model->senses[sense];
    return (struct chirr_symbol_reader){
        .body = &model->body,
        .layout = &model->body.layout.senses[sense],
        .weights = chirr_model_weights(model),
        .stream = &state->stream,
        .symbols = &state->symbols,
    };
}

enum chirr_err chirr_model_step_byte(struct chirr_model *model, uint32_t sense, uint8_t byte,
                                     struct chirr_model_step *step)
{
    if (!chirr_model_has_symbols(model, sense)) {
        return CHIRR_ERR_INVALID;
    }
    chirr_model_settle(model);
    const struct chirr_symbol_reader reader = reader_of(model, sense);
    double nats;
    chirr_symbols_read(&reader, &byte, 1, &nats);
    remember(model, sense, &byte, 1);
    count_step(model, sense, nats, step);
    step->updated = chunk_is_full(model, sense) && close_chunk(model, sense);
    return CHIRR_OK;
}

enum chirr_err chirr_model_step_bytes(struct chirr_model *model, uint32_t sense,
                                      const uint8_t *bytes, size_t count,
                                      struct chirr_model_reading *reading)
{
    *reading = (struct chirr_model_reading){0};
    if (!chirr_model_has_symbols(model, sense)) {
        return CHIRR_ERR_INVALID;
    }
    chirr_model_settle(model);
    const struct chirr_symbol_reader reader = reader_of(model, sense);
    while (count > 0) {
        double nats[CHIRR_MODEL_CHUNK_MAX];
        uint32_t room = reader.stream->chunk - reader.stream->filled;
        uint32_t steps = count < room ? (uint32_t)count : room;
        chirr_symbols_read(&reader, bytes, steps, nats);
        remember(model, sense, bytes, steps);
        for (uint32_t t = 0; t < steps; t++) {
            struct chirr_model_step step;
            count_step(model, sense, nats[t], &step);
            reading->bits += (double)step.bits;
            reading->drifts += step.drifted;
        }
        reading->updates += chunk_is_full(model, sense) && close_chunk(model, sense);
        bytes += steps;
        count -= steps;
    }
    return CHIRR_OK;
}

enum chirr_err chirr_model_begin(struct chirr_model *model, uint32_t sense)
{
    if (!chirr_model_has_symbols(model, sense)) {
        return CHIRR_ERR_INVALID;
    }
    chirr_model_settle(model);
    close_chunk(model, sense);
    chirr_stream_reset(&model->senses[sense].stream, &model->body.layout);
    chirr_symbols_begin(&model->senses[sense].symbols);
    if (model->senses[sense].rehearses) {
        chirr_replay_cut(&model->senses[sense].rehearsal.replay);
    }
    return CHIRR_OK;
}

enum chirr_err chirr_model_step_vector(struct chirr_model *model, uint32_t sense,
                                       const float *values, struct chirr_model_step *step)
{
    if (!chirr_model_has_sense(model, sense, CHIRR_SENSE_VECTOR)) {
        return CHIRR_ERR_INVALID;
    }
    uint32_t width = model->config.senses[sense].width;
    for (uint32_t i = 0; i < width; i++) {
        if (isinf(values[i])) {
            model->steps_refused++;
            return CHIRR_ERR_NOTFINITE;
        }
    }
    chirr_model_settle(model);
    count_step(model, sense, chirr_vector_read(model, sense, values), step);
    step->updated = chunk_is_full(model, sense) && close_chunk(model, sense);
    return CHIRR_OK;
}

enum chirr_err chirr_model_step_outcome(struct chirr_model *model, uint32_t sense,
                                        const float *features,
                                        const struct chirr_model_outcome *outcome,
                                        struct chirr_model_step *step)
{
    if (!chirr_model_has_sense(model, sense, CHIRR_SENSE_OUTCOME)) {
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
    chirr_model_settle(model);
    count_step(model, sense, chirr_outcome_read(model, sense, features, outcome), step);
    step->updated = !model->frozen;
    return CHIRR_OK;
}
