/* The hybrid learning rule: exact gradients inside the chunk, traces alone across its edge, and
 * RMSprop on each matrix as its gradient becomes known. docs/model.md, "Learning while inferring".
 *
 * A step of RMSprop is clipped by its own length ("update clipping": Shazeer & Stern, "Adafactor",
 * arXiv 1804.04235, section 6), matrix by matrix: where the root mean square of g/√v exceeds
 * STEP_RMS_MAX the step is scaled down to it. So no gradient of the whole model is ever held, and
 * a moment that began at zero needs no correction: its first steps are clipped. A matrix without a
 * gradient, a partition that did not answer, a symbol that did not come, stays as it is, its moment
 * too. */
#include <math.h>
#include <string.h>

#include "model/codec.h"
#include "model/elementary.h"
#include "model/internal.h"

#define MOMENT_DECAY 0.99
#define STEP_RMS_MAX 2.0
#define AVERAGE_RATE_MIN 0.001
/* Of the configured rate; the least that a sense which never drifts comes down to. */
#define SETTLED_RATE_MIN 0.1
/* Factor on the rate of a softmax: its matrix begins near zero. */
#define HEAD_RATE 2
/* Before so many updates the trunk is as fast as the partitions. */
#define TRUNK_UPDATES_MIN 2000
/* While updates are few the slow average spans about their last fifth. */
#define AVERAGE_SPAN 5.0
/* No coordinate's own change exceeds this: weights stay finite however long an agent lives. */
#define OWN_CHANGE_MAX 4

void chirr_learn_gradient(struct chirr_model *model, uint32_t sense, struct chirr_stream *stream,
                          const struct chirr_gradient_sink *sink)
{
    const struct chirr_layout_sense *layout = &model->body.layout.senses[sense];
    const struct chirr_backward pass = {&model->body, model->weights, sink, stream};
    chirr_real *d_x = model->body.scratch.d_x;

    chirr_real share = 1 / (chirr_real)stream->filled; /* of a step in the chunk's mean loss */
    for (size_t i = 0; i < (size_t)stream->filled * stream->outputs; i++) {
        stream->d_output[i] *= share;
    }
    chirr_codec_backward_head(&pass, layout, d_x);
    chirr_body_backward(&pass, d_x);
    chirr_codec_backward_encoder(&pass, layout, d_x);
}

struct update {
    struct chirr_model *model;
    struct chirr_descent descent;
    chirr_real trunk_rate;
    const struct chirr_layout_codec *head; /* of symbols, or NULL */
};

static double average_rate(uint64_t updates)
{
    double rate = AVERAGE_SPAN / ((double)updates + AVERAGE_SPAN);
    return rate > AVERAGE_RATE_MIN ? rate : AVERAGE_RATE_MIN;
}

/* Falls as a sense settles; a drift unsettles it. */
static double settled_rate(const struct chirr_model *model, uint32_t sense)
{
    if (model->config.settling_updates == 0) {
        return 1;
    }
    double age = (double)model->senses[sense].settled / (double)model->config.settling_updates;
    double rate = 1 / sqrt(1 + age);
    return rate > SETTLED_RATE_MIN ? rate : SETTLED_RATE_MIN;
}

static struct chirr_descent descent_of(const struct chirr_model *model, uint32_t sense)
{
    double warm = model->updates < model->config.warmup_updates
                      ? (double)(model->updates + 1) / model->config.warmup_updates
                      : 1;
    return (struct chirr_descent){
        .rate =
            (chirr_real)(warm * settled_rate(model, sense) * (double)model->config.learning_rate),
        .decay = CHIRR_REAL(MOMENT_DECAY),
        .correction = 1,
        .bound = OWN_CHANGE_MAX,
        .average = (chirr_real)average_rate(model->updates),
    };
}

/* A matrix's factor on the rate. */
static chirr_real rate_at(const struct update *update, size_t offset)
{
    const struct chirr_layout *l = &update->model->body.layout;
    bool in_trunk = offset >= l->trunk && offset < l->shared_end;
    bool in_head =
        update->head != NULL && (offset == update->head->head || offset == update->head->head_bias);
    return (in_trunk ? update->trunk_rate : 1) * (in_head ? CHIRR_REAL(HEAD_RATE) : 1);
}

/* A sink that moves a matrix by its gradient. */
static void descend(void *context, size_t offset, size_t count, const chirr_real *gradient)
{
    const struct update *update = context;
    struct chirr_model *model = update->model;
    const struct chirr_kernels *k = model->body.kernels;
    if (!chirr_is_finite(k->sum_squares(count, gradient))) {
        model->updates_refused++;
        return;
    }
    struct chirr_descent descent = update->descent;
    descent.rate *= rate_at(update, offset);
    double squares = k->descend_moment(&descent, count, gradient, model->moment + offset);
    double rms = sqrt(squares / (double)count);
    descent.clip = (chirr_real)(rms > STEP_RMS_MAX ? STEP_RMS_MAX / rms : 1);
    const struct chirr_descent_arrays arrays = {
        .gradient = gradient,
        .moment = model->moment + offset,
        .base = model->base + offset,
        .own = model->own + offset,
        .average = model->average + offset,
        .weights = model->weights + offset,
    };
    k->descend_move(&descent, count, &arrays);
}

static void learn(struct chirr_model *model, uint32_t sense, struct chirr_stream *stream)
{
    bool trunk_is_young = model->updates < TRUNK_UPDATES_MIN;
    struct update update = {
        .model = model,
        .descent = descent_of(model, sense),
        .trunk_rate = trunk_is_young ? 1 : (chirr_real)model->config.trunk_rate,
        .head =
            chirr_model_has_symbols(model, sense) ? &model->body.layout.senses[sense].codec : NULL,
    };
    const struct chirr_gradient_sink sink = {descend, &update};
    chirr_learn_gradient(model, sense, stream, &sink);
}

void chirr_learn_chunk(struct chirr_model *model, uint32_t sense)
{
    struct chirr_sense_state *state = &model->senses[sense];
    learn(model, sense, &state->stream);
    model->updates++;
    state->updates++;
    state->settled++;
    chirr_selector_follow(&model->selector, &model->body.layout, sense, &state->stream,
                          model->updates);
}

void chirr_learn_rehearse(struct chirr_model *model, uint32_t sense)
{
    struct chirr_sense_state *state = &model->senses[sense];
    struct chirr_rehearsal *rehearsal = &state->rehearsal;
    if (!state->rehearses) {
        return;
    }
    rehearsal->due += (double)model->config.replay_share;
    if (rehearsal->due < 1) {
        return;
    }
    rehearsal->due -= 1;
    const uint8_t *bytes;
    const struct chirr_layout *layout = &model->body.layout;
    uint32_t count = chirr_rehearsal_take(rehearsal, layout, state->stream.chunk, &bytes);
    if (count == 0) {
        return;
    }
    struct chirr_stream lent;
    struct chirr_symbols symbols = {.last = rehearsal->last};
    chirr_rehearsal_borrow(rehearsal, &state->stream, &lent);
    const struct chirr_symbol_reader reader = {
        .body = &model->body,
        .layout = &layout->senses[sense],
        .weights = chirr_model_weights(model),
        .stream = &lent,
        .symbols = &symbols,
    };
    double nats[CHIRR_MODEL_CHUNK_MAX];
    chirr_symbols_read(&reader, bytes, count, nats);
    rehearsal->last = symbols.last;
    learn(model, sense, &lent);
    chirr_stream_begin_chunk(&lent, layout);
}
