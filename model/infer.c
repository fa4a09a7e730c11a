/* What reads the model and changes nothing: evaluation, samples, forecasts. All of it runs on the
 * scratch stream; averaged weights take the place of the live ones for as long as it lasts. */
#include <math.h>
#include <string.h>

#include "model/codec.h"
#include "model/elementary.h"
#include "model/internal.h"

/* Surprise is bounded: no outcome is worth more than this many deviations. */
#define STANDARD_ERRORS_MAX 1000.0
/* Standardised features of the candidates that are looked at together. */
#define PEEK_NUMBERS 512

struct chirr_stream *chirr_scratch_begin(struct chirr_model *model, uint32_t sense, bool empty)
{
    const struct chirr_layout *l = &model->body.layout;
    const struct chirr_sense_state *state = &model->senses[sense];
    struct chirr_stream *scratch = &model->scratch;
    scratch->inputs = state->stream.inputs;
    scratch->outputs = state->stream.outputs;
    chirr_stream_copy_state(scratch, &state->stream, l);
    if (state->symbols.image.width > 0) {
        chirr_image_copy(&model->scratch_symbols.image, &state->symbols.image);
    } else {
        model->scratch_symbols.image.width = 0;
    }
    model->scratch_symbols.last = state->symbols.last;
    model->scratch_symbols.recent = state->symbols.recent;
    model->scratch_symbols.word = state->symbols.word;
    if (empty) {
        chirr_stream_reset(scratch, l);
        chirr_symbols_begin(&model->scratch_symbols);
    }
    return scratch;
}

/* A reader of the scratch stream with these weights. */
static struct chirr_symbol_reader scratch_reader(struct chirr_model *model, uint32_t sense,
                                                 struct chirr_weights weights, bool empty)
{
    return (struct chirr_symbol_reader){
        .body = &model->body,
        .layout = &model->body.layout.senses[sense],
        .weights = weights,
        .stream = chirr_scratch_begin(model, sense, empty),
        .symbols = &model->scratch_symbols,
    };
}

static double evaluate(const struct chirr_symbol_reader *reader, const uint8_t *text, size_t bytes)
{
    double nats[CHIRR_MODEL_CHUNK_MAX];
    double sum = 0;
    for (size_t at = 0; at < bytes; at += reader->stream->chunk) {
        size_t rest = bytes - at;
        uint32_t steps = rest < reader->stream->chunk ? (uint32_t)rest : reader->stream->chunk;
        reader->stream->filled = 0;
        chirr_symbols_read(reader, text + at, steps, nats);
        for (uint32_t t = 0; t < steps; t++) {
            sum += nats[t];
        }
    }
    return sum;
}

enum chirr_err chirr_model_evaluate(struct chirr_model *model, uint32_t sense, const uint8_t *text,
                                    size_t bytes, bool averaged, double *bits_per_byte)
{
    if (!chirr_model_has_symbols(model, sense)) {
        return CHIRR_ERR_INVALID;
    }
    if (bytes < 2) {
        return CHIRR_ERR_RANGE;
    }
    chirr_model_settle(model);
    size_t total = model->body.layout.total;
    if (averaged) { /* in place of the live own change, which is put back below */
        chirr_model_weigh(model, model->average, 0, total);
    }
    const struct chirr_symbol_reader reader =
        scratch_reader(model, sense, chirr_model_weights(model), true);
    *bits_per_byte = evaluate(&reader, text, bytes) / CHIRR_LN2 / (double)bytes;
    if (averaged) {
        chirr_model_weigh(model, model->own, 0, total);
    }
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
    if (!chirr_model_has_symbols(model, sense)) {
        return CHIRR_ERR_INVALID;
    }
    if (!isfinite(temperature)) {
        return CHIRR_ERR_NOTFINITE;
    }
    chirr_model_settle(model);
    const struct chirr_symbol_reader reader =
        scratch_reader(model, sense, chirr_model_weights(model), false);
    for (size_t i = 0; i < bytes; i++) {
        reader.stream->filled = 0;
        chirr_real *probabilities = chirr_symbols_predict(&reader);
        sharpen(probabilities, temperature, model->body.kernels);
        text[i] = draw(probabilities, random);
        chirr_symbols_take(reader.symbols, text[i]);
    }
    return CHIRR_OK;
}

/* What the body makes of tasks' features at a stream's present state: in its features. */
static void read_tasks(const struct chirr_model *model, uint32_t sense,
                       const struct chirr_span *span, const double *standard /* [steps][width] */)
{
    const struct chirr_layout_sense *layout = &model->body.layout.senses[sense];
    const struct chirr_weights weights = chirr_model_weights(model);
    for (size_t i = 0; i < (size_t)span->steps * layout->inputs; i++) {
        span->stream->input[i] = (chirr_real)standard[i];
    }
    chirr_real *x = model->body.scratch.d_x;
    chirr_codec_encode(&model->body, &weights, layout, span, x);
    chirr_body_forward(&model->body, &weights, span, x);
}

/* Forecasts of as many candidates as a span has steps. The body is asked only where its readout
 * counts. */
static void forecast_tasks(const struct chirr_model *model, uint32_t sense,
                           const struct chirr_span *span, const float *features,
                           struct chirr_model_forecast *forecasts)
{
    const struct chirr_outcomes *outcomes = &model->senses[sense].outcomes;
    const uint32_t width = outcomes->width;
    double standard[PEEK_NUMBERS];
    for (uint32_t t = 0; t < span->steps; t++) {
        chirr_outcomes_standardise(outcomes, features + t * width, standard + t * width);
    }
    if (outcomes->readout_weight > 0) {
        read_tasks(model, sense, span, standard);
    }
    for (uint32_t t = 0; t < span->steps; t++) {
        const chirr_real *readout = chirr_stream_features(span->stream, &model->body.layout, t);
        chirr_outcomes_forecast(outcomes, standard + t * width, readout, &forecasts[t]);
    }
}

enum chirr_err chirr_model_peek(struct chirr_model *model, uint32_t sense, const float *features,
                                size_t count, struct chirr_model_forecast *forecasts)
{
    if (!chirr_model_has_sense(model, sense, CHIRR_SENSE_OUTCOME)) {
        return CHIRR_ERR_INVALID;
    }
    uint32_t width = model->config.senses[sense].width;
    for (size_t i = 0; i < count * width; i++) {
        if (isinf(features[i])) {
            return CHIRR_ERR_NOTFINITE;
        }
    }
    chirr_model_settle(model);
    struct chirr_span span = {.stream = chirr_scratch_begin(model, sense, false), .what_if = true};
    uint32_t room = PEEK_NUMBERS / width;
    room = room < span.stream->chunk ? room : span.stream->chunk;
    for (size_t at = 0; at < count; at += span.steps) {
        span.steps = count - at < room ? (uint32_t)(count - at) : room;
        forecast_tasks(model, sense, &span, features + at * width, forecasts + at);
    }
    return CHIRR_OK;
}

enum chirr_err chirr_model_interval(const struct chirr_model *model, uint32_t sense,
                                    const struct chirr_model_forecast *forecast, double coverage,
                                    struct chirr_model_interval *interval)
{
    if (!chirr_model_has_sense(model, sense, CHIRR_SENSE_OUTCOME)) {
        return CHIRR_ERR_INVALID;
    }
    if (!(coverage > 0 && coverage < 1)) {
        return CHIRR_ERR_RANGE;
    }
    const struct chirr_outcomes *outcomes = &model->senses[sense].outcomes;
    interval->low = chirr_outcomes_quantile(outcomes, forecast, (1 - coverage) / 2);
    interval->high = chirr_outcomes_quantile(outcomes, forecast, (1 + coverage) / 2);
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

double chirr_outcome_read(struct chirr_model *model, uint32_t sense, const float *features,
                          const struct chirr_model_outcome *outcome)
{
    struct chirr_sense_state *state = &model->senses[sense];
    const struct chirr_span span = {.stream = &state->stream, .steps = 1};
    double standard[CHIRR_MODEL_VECTOR_WIDTH_MAX];
    chirr_outcomes_standardise(&state->outcomes, features, standard);
    read_tasks(model, sense, &span, standard);
    const chirr_real *readout = chirr_stream_features(span.stream, &model->body.layout, 0);
    struct chirr_model_forecast forecast;
    chirr_outcomes_forecast(&state->outcomes, standard, readout, &forecast);
    if (!model->frozen) {
        chirr_outcomes_learn(&state->outcomes, features, readout, outcome);
    }
    state->stream.position++;
    return surprise_of(&forecast, outcome);
}
