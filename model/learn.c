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
#define GRAM_RATE 500.0
#define AVERAGE_RATE_MIN 0.001
/* Of the configured rate; the least that a sense which never drifts comes down to. */
#define SETTLED_RATE_MIN 0.1
/* Factors on the rate of a softmax, whose matrix begins near zero, and of the rows of an embedding,
 * which are touched seldom. */
#define HEAD_RATE 2
#define EMBEDDING_RATE 5
/* A matrix that reads a row of D numbers sums over them: steps of one length in each weight move
 * its outputs the further the wider it is. Beyond this width its rate falls as 1/D (Yang et al.,
 * "Tensor Programs V", arXiv 2203.03466). */
#define FULL_RATE_WIDTH 64
/* Before so many updates the trunk is as fast as the partitions. */
#define TRUNK_UPDATES_MIN 2000
/* While updates are few the slow average spans about their last fifth. */
#define AVERAGE_SPAN 5.0

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
    double fresh_rate; /* the learning rate before any settling */
    chirr_real trunk_rate;
    chirr_real wide_rate;                   /* of matrices that read rows of D */
    const struct chirr_layout_codec *codec; /* of symbols, or NULL */
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

/* The learning rate, warmed up. */
static double fresh_rate(const struct chirr_model *model)
{
    double warm = model->updates < model->config.warmup_updates
                      ? (double)(model->updates + 1) / model->config.warmup_updates
                      : 1;
    return warm * (double)model->config.learning_rate;
}

static struct chirr_descent descent_of(const struct chirr_model *model, uint32_t sense)
{
    return (struct chirr_descent){
        .rate = (chirr_real)(fresh_rate(model) * settled_rate(model, sense)),
        .decay = CHIRR_REAL(MOMENT_DECAY),
        .bound = CHIRR_OWN_CHANGE_MAX,
        .average = (chirr_real)average_rate(model->updates),
    };
}

static chirr_real wide_rate(const struct chirr_layout *l)
{
    return l->width > FULL_RATE_WIDTH ? FULL_RATE_WIDTH / (chirr_real)l->width : 1;
}

/* A matrix's factor on the rate. */
static chirr_real rate_at(const struct update *update, size_t offset)
{
    const struct chirr_layout *l = &update->model->body.layout;
    if (offset < l->trunk) {
        return update->wide_rate * chirr_selector_partition_rate(l);
    }
    bool in_trunk = offset < l->shared_end;
    if (in_trunk && offset >= l->selector) {
        bool selects = offset < l->input_gate;
        return update->wide_rate * update->trunk_rate * (selects ? CHIRR_SELECTOR_RATE : 1);
    }
    const struct chirr_layout_codec *codec = update->codec;
    bool in_head = codec != NULL && (offset == codec->head || offset == codec->head_bias);
    bool in_embedding = codec != NULL && offset >= codec->embedding && offset < codec->head;
    return (in_trunk ? update->trunk_rate : 1) * (in_head ? HEAD_RATE * update->wide_rate : 1) *
           (in_embedding ? CHIRR_REAL(EMBEDDING_RATE) : 1);
}

/* A row of an n-gram table is touched seldom, but then what it should learn is clear: row-wise
 * Adagrad, with a first step of GRAM_RATE learning rates. The average is the row itself, whose
 * steps shrink by themselves. */
static void descend_gram(const struct update *update, size_t offset, size_t count,
                         const chirr_real *gradient)
{
    struct chirr_model *model = update->model;
    const struct chirr_layout *l = &model->body.layout;
    chirr_real *sum = &model->gram_squares[(offset - l->grams[0].offset) / l->gram_columns];
    double squares = model->body.kernels->sum_squares(count, gradient);
    *sum += (chirr_real)(squares / (double)count) + CHIRR_REAL(1e-16);
    chirr_real rate = (chirr_real)(GRAM_RATE * update->fresh_rate / sqrt((double)*sum));
    for (size_t i = 0; i < count; i++) {
        chirr_real own = model->own[offset + i] - rate * gradient[i];
        own = own < CHIRR_OWN_CHANGE_MAX ? own : CHIRR_OWN_CHANGE_MAX;
        own = own > -CHIRR_OWN_CHANGE_MAX ? own : -CHIRR_OWN_CHANGE_MAX;
        model->own[offset + i] = own;
        model->average[offset + i] = own;
    }
    chirr_model_weigh(model, model->own, offset, offset + count);
}

static bool is_gram(const struct chirr_layout *l, size_t offset)
{
    return offset >= l->shared_end && offset < chirr_layout_grams_end(l);
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
    if (is_gram(&model->body.layout, offset)) {
        descend_gram(update, offset, count, gradient);
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
    if (model->narrow != NULL) {
        k->narrow(count, model->weights + offset, model->narrow + offset);
    }
}

static void learn(struct chirr_model *model, uint32_t sense, struct chirr_stream *stream)
{
    bool trunk_is_young = model->updates < TRUNK_UPDATES_MIN;
    struct update update = {
        .model = model,
        .descent = descent_of(model, sense),
        .fresh_rate = fresh_rate(model),
        .trunk_rate = trunk_is_young ? 1 : (chirr_real)model->config.trunk_rate,
        .wide_rate = wide_rate(&model->body.layout),
        .codec =
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
                          state->updates);
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
    chirr_rehearsal_borrow(rehearsal, &state->stream, &lent);
    const struct chirr_symbol_reader reader = {
        .body = &model->body,
        .layout = &layout->senses[sense],
        .weights = chirr_model_weights(model),
        .stream = &lent,
        .symbols = &rehearsal->symbols,
    };
    double nats[CHIRR_MODEL_CHUNK_MAX];
    chirr_symbols_read(&reader, bytes, count, nats);
    learn(model, sense, &lent);
    chirr_stream_begin_chunk(&lent, layout);
}
