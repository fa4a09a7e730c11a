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
/* While updates are few the slow average spans about their last fifth. */
#define AVERAGE_SPAN 5.0
/* No coordinate's own change exceeds this: weights stay finite however long an agent lives. */
#define OWN_CHANGE_MAX 4

void chirr_learn_gradient(struct chirr_model *model, uint32_t sense,
                          const struct chirr_gradient_sink *sink)
{
    struct chirr_stream *stream = &model->senses[sense].stream;
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
};

static double average_rate(uint64_t updates)
{
    double rate = AVERAGE_SPAN / ((double)updates + AVERAGE_SPAN);
    return rate > AVERAGE_RATE_MIN ? rate : AVERAGE_RATE_MIN;
}

static struct chirr_descent descent_of(const struct chirr_model *model)
{
    double warm = model->updates < model->config.warmup_updates
                      ? (double)(model->updates + 1) / model->config.warmup_updates
                      : 1;
    return (struct chirr_descent){
        .rate = (chirr_real)(warm * (double)model->config.learning_rate),
        .decay = CHIRR_REAL(MOMENT_DECAY),
        .correction = 1,
        .bound = OWN_CHANGE_MAX,
        .average = (chirr_real)average_rate(model->updates),
    };
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

void chirr_learn_chunk(struct chirr_model *model, uint32_t sense)
{
    struct update update = {model, descent_of(model)};
    const struct chirr_gradient_sink sink = {descend, &update};
    struct chirr_sense_state *state = &model->senses[sense];
    chirr_learn_gradient(model, sense, &sink);
    model->updates++;
    state->updates++;
    chirr_selector_follow(&model->selector, &model->body.layout, sense, &state->stream,
                          model->updates);
}
