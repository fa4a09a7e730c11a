/* The hybrid learning rule: exact gradients inside the chunk, traces alone across its edge, and
 * RMSprop on what the chunk's sense touches. docs/model.md, "Learning while inferring". */
#include <math.h>
#include <string.h>

#include "model/codec.h"
#include "model/internal.h"
#include "model/elementary.h"

#define MOMENT_DECAY 0.99
#define GRADIENT_NORM_MAX 1.0
#define AVERAGE_RATE_MIN 0.001
/* While updates are few the slow average spans about their last fifth. */
#define AVERAGE_SPAN 5.0
/* No coordinate's own change exceeds this: weights stay finite however long an agent lives. */
#define OWN_CHANGE_MAX 4

/* What an update of a sense touches: the body, then the byte codec or the sense's own part. */
struct ranges {
    size_t begin[2];
    size_t end[2];
    uint64_t *updates[2]; /* how often the range was updated */
};

static struct ranges ranges_of(struct chirr_model *model, uint32_t sense)
{
    const struct chirr_layout *l = &model->body.layout;
    const struct chirr_layout_sense *own = &l->senses[sense];
    bool bytes = model->config.senses[sense].kind == CHIRR_SENSE_BYTES;
    return (struct ranges){
        .begin = {0, bytes ? l->embedding : own->begin},
        .end = {l->embedding, bytes ? l->shared_end : own->end},
        .updates = {&model->updates, bytes ? &model->codec_updates : &model->senses[sense].updates},
    };
}

void chirr_learn_gradient(struct chirr_model *model, uint32_t sense)
{
    struct chirr_stream *stream = &model->senses[sense].stream;
    const struct chirr_layout_sense *own = &model->body.layout.senses[sense];
    const struct chirr_parameters parameters = {model->weights, model->gradient};
    const struct ranges ranges = ranges_of(model, sense);
    bool bytes = model->config.senses[sense].kind == CHIRR_SENSE_BYTES;
    chirr_real *d_x = model->body.scratch.d_x;

    for (int i = 0; i < 2; i++) {
        memset(model->gradient + ranges.begin[i], 0,
               (ranges.end[i] - ranges.begin[i]) * sizeof *model->gradient);
    }
    chirr_real share = 1 / (chirr_real)stream->filled; /* of a step in the chunk's mean loss */
    for (size_t i = 0; i < (size_t)stream->filled * stream->outputs; i++) {
        stream->d_output[i] *= share;
    }
    if (bytes) {
        chirr_codec_backward_byte_head(&model->body, &parameters, stream, d_x);
        chirr_body_backward(&model->body, &parameters, stream, d_x);
        chirr_codec_backward_embedding(&model->body, model->gradient, stream, d_x);
    } else {
        chirr_codec_backward_vector_head(&model->body, &parameters, own, stream, d_x);
        chirr_body_backward(&model->body, &parameters, stream, d_x);
        chirr_codec_backward_encoder(&model->body, model->gradient, own, stream, d_x);
    }
}

static double power_of(double base, uint64_t exponent)
{
    double result = 1;
    for (; exponent > 0; exponent /= 2, base *= base) {
        result *= exponent % 2 == 1 ? base : 1;
    }
    return result;
}

static double average_rate(uint64_t updates)
{
    double rate = AVERAGE_SPAN / ((double)updates + AVERAGE_SPAN);
    return rate > AVERAGE_RATE_MIN ? rate : AVERAGE_RATE_MIN;
}

static struct chirr_descent descent_of(const struct chirr_model *model, double norm,
                                       uint64_t updates)
{
    double warm = model->updates < model->config.warmup_updates
                      ? (double)(model->updates + 1) / model->config.warmup_updates
                      : 1;
    return (struct chirr_descent){
        .clip = (chirr_real)(norm > GRADIENT_NORM_MAX ? GRADIENT_NORM_MAX / norm : 1),
        .rate = (chirr_real)(warm * (double)model->config.learning_rate),
        .decay = CHIRR_REAL(MOMENT_DECAY),
        .correction = (chirr_real)(1 / (1 - power_of(MOMENT_DECAY, updates + 1))),
        .bound = OWN_CHANGE_MAX,
    };
}

/* Own change by one step, its average towards it, and the weights anew. */
static void move(struct chirr_model *model, const struct chirr_descent *descent, double average,
                 size_t begin, size_t end)
{
    enum { SLICE = 1024 }; /* all of a slice's arrays stay in the first cache */
    const struct chirr_kernels *k = model->body.kernels;
    chirr_real rate = (chirr_real)average;
    for (size_t at = begin; at < end; at += SLICE) {
        size_t count = end - at < SLICE ? end - at : SLICE;
        k->descend(descent, count, model->gradient + at, model->moment + at, model->own + at);
        k->blend(count, 1 - rate, model->average + at, rate, model->own + at);
        k->sum_three(count, model->genesis + at, model->own + at, model->foreign + at,
                     model->weights + at);
    }
}

bool chirr_learn_chunk(struct chirr_model *model, uint32_t sense)
{
    chirr_learn_gradient(model, sense);
    const struct ranges ranges = ranges_of(model, sense);
    double squares = 0;
    for (int i = 0; i < 2; i++) {
        squares += model->body.kernels->sum_squares(ranges.end[i] - ranges.begin[i],
                                                    model->gradient + ranges.begin[i]);
    }
    if (!chirr_is_finite(squares)) {
        model->updates_refused++;
        return false;
    }
    double norm = sqrt(squares);
    struct chirr_descent descents[2] = {descent_of(model, norm, *ranges.updates[0]),
                                        descent_of(model, norm, *ranges.updates[1])};
    for (int i = 0; i < 2; i++) {
        move(model, &descents[i], average_rate(*ranges.updates[i]), ranges.begin[i], ranges.end[i]);
        ++*ranges.updates[i];
    }
    return true;
}
