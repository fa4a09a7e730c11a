/* A layer forward, and its sections' and MLP's gradients as matrix products over the chunk. */
#include "model/block.h"

#include <string.h>

static void sections_forward(const struct chirr_body *body, const chirr_real *weights,
                             const struct chirr_block_place *place, chirr_real *x)
{
    const struct chirr_layout *l = &body->layout;
    const struct chirr_body_scratch *s = &body->scratch;
    const struct chirr_kernels *k = body->kernels;
    chirr_real *row = chirr_block_row(body, place->stream, place->layer, place->t);
    const chirr_real *gain = weights + l->gains + 2 * place->layer * l->width;
    size_t both = 2 * l->channels; /* columns of the two sections */
    size_t of_all = l->hosted_count * both;

    row[body->rows.scales] = k->norm(l->width, x, gain, row + body->rows.hat1, row + body->rows.n1);
    chirr_trace_read(&body->rates, l->width,
                     chirr_layer_traces(place->stream->traces, l, place->layer),
                     place->stream->powers, s->read);
    memset(row + body->rows.history, 0, 2 * of_all * sizeof *row); /* and present, behind it */

    const struct chirr_product history = {
        .groups = body->rates.count,
        .rows = 1,
        .inner = l->width,
        .columns = l->group,
        .x_group = l->width,
        .x_inner = 1,
        .w_group = l->group,
        .w_inner = both,
        .y_group = l->group,
    };
    const struct chirr_product present = {
        .groups = 1, .rows = 1, .inner = l->width, .columns = both, .x_inner = 1, .w_inner = both};
    const struct chirr_product output = {.groups = 1,
                                         .rows = 1,
                                         .inner = both,
                                         .columns = l->width,
                                         .x_inner = 1,
                                         .w_inner = l->width};
    for (uint32_t unit = 0; unit < l->hosted_count; unit++) {
        const chirr_real *w = weights + chirr_layout_layer(l, unit, place->layer);
        chirr_real *history_row = row + body->rows.history + unit * both;
        chirr_real *present_row = row + body->rows.present + unit * both;
        k->product(&history, s->read, w + l->history, history_row);
        k->product(&present, row + body->rows.n1, w + l->present, present_row);
        k->gate(both, present_row, history_row, s->mixed);
        k->product(&output, s->mixed, w + l->output, x);
    }
}

static void mlp_forward(const struct chirr_body *body, const chirr_real *weights,
                        const struct chirr_block_place *place, chirr_real *x)
{
    const struct chirr_layout *l = &body->layout;
    const struct chirr_body_scratch *s = &body->scratch;
    const struct chirr_kernels *k = body->kernels;
    chirr_real *row = chirr_block_row(body, place->stream, place->layer, place->t);
    const chirr_real *gain = weights + l->gains + (2 * place->layer + 1) * l->width;
    size_t both = 2 * l->hidden; /* gate and value */

    row[body->rows.scales + 1] =
        k->norm(l->width, x, gain, row + body->rows.hat2, row + body->rows.n2);
    memset(row + body->rows.hidden, 0, l->hosted_count * both * sizeof *row);
    const struct chirr_product up = {
        .groups = 1, .rows = 1, .inner = l->width, .columns = both, .x_inner = 1, .w_inner = both};
    const struct chirr_product down = {.groups = 1,
                                       .rows = 1,
                                       .inner = l->hidden,
                                       .columns = l->width,
                                       .x_inner = 1,
                                       .w_inner = l->width};
    for (uint32_t unit = 0; unit < l->hosted_count; unit++) {
        const chirr_real *w = weights + chirr_layout_layer(l, unit, place->layer);
        chirr_real *hidden = row + body->rows.hidden + unit * both;
        k->product(&up, row + body->rows.n2, w + l->gate, hidden);
        k->gate(l->hidden, hidden, hidden + l->hidden, s->mixed);
        k->product(&down, s->mixed, w + l->down, x);
    }
}

void chirr_block_forward(const struct chirr_body *body, const chirr_real *weights,
                         const struct chirr_block_place *place, chirr_real *x)
{
    sections_forward(body, weights, place, x);
    mlp_forward(body, weights, place, x);
}

static void mlp_backward(const struct chirr_body *body, const struct chirr_parameters *parameters,
                         const struct chirr_stream *stream, uint32_t layer, const chirr_real *d_x)
{
    const struct chirr_layout *l = &body->layout;
    const struct chirr_body_scratch *s = &body->scratch;
    size_t steps = stream->filled;
    size_t stride = body->rows.stride;
    size_t f = l->hidden;
    const chirr_real *row = chirr_block_row(body, stream, layer, 0);
    for (uint32_t unit = 0; unit < l->hosted_count; unit++) {
        size_t at = chirr_layout_layer(l, unit, layer);
        const chirr_real *hidden = row + body->rows.hidden + unit * 2 * f;
        for (size_t t = 0; t < steps; t++) {
            const chirr_real *h = hidden + t * stride;
            body->kernels->gate(f, h, h + f, s->mixed + t * f);
        }
        memset(s->d_mixed, 0, steps * f * sizeof *s->d_mixed);
        const struct chirr_matrix down = {at + l->down, f, l->width, s->mixed, f};
        chirr_matrix_backward(body, parameters, &down, steps, d_x, s->d_mixed);
        for (size_t t = 0; t < steps; t++) {
            const chirr_real *pair[2] = {hidden + t * stride, hidden + t * stride + f};
            chirr_real *d = s->d_history + t * 2 * f;
            body->kernels->gate_backward(f, pair, s->d_mixed + t * f, d, d + f);
        }
        const struct chirr_matrix up = {at + l->gate, l->width, 2 * f, row + body->rows.n2, stride};
        chirr_matrix_backward(body, parameters, &up, steps, s->d_history, s->d_n);
    }
}

/* The traces that every step of the chunk read, from where they stood when it began. */
static void replay_traces(const struct chirr_body *body, const struct chirr_stream *stream,
                          uint32_t layer)
{
    size_t d = body->layout.width;
    size_t steps = stream->filled;
    const chirr_real *start = chirr_layer_traces(stream->traces_start, &body->layout, layer);
    for (uint32_t k = 0; k < body->rates.count; k++) {
        chirr_real rate = body->rates.values[k];
        chirr_real power = stream->powers_start[k];
        chirr_real *trace = body->scratch.carry;
        memcpy(trace, start + k * d, d * sizeof *trace);
        for (size_t t = 0; t < steps; t++) {
            chirr_real *read = body->scratch.read + (k * steps + t) * d;
            chirr_real correction = chirr_trace_correction(power);
            for (size_t i = 0; i < d; i++) {
                read[i] = correction * trace[i];
            }
            const chirr_real *row = chirr_block_row(body, stream, layer, (uint32_t)t);
            body->kernels->blend(d, rate, trace, 1 - rate, row + body->rows.n1);
            power *= rate;
        }
    }
}

/* Time's own gradient: δa_t = correction_t · δr_t + ρ δa_{t+1}, δn_t += (1 − ρ) δa_{t+1}. */
static void traces_backward(const struct chirr_body *body, const struct chirr_stream *stream)
{
    const struct chirr_kernels *kernels = body->kernels;
    size_t d = body->layout.width;
    size_t steps = stream->filled;
    chirr_real *carry = body->scratch.carry;
    for (uint32_t k = 0; k < body->rates.count; k++) {
        chirr_real rate = body->rates.values[k];
        chirr_real powers[CHIRR_MODEL_CHUNK_MAX];
        powers[0] = stream->powers_start[k];
        for (size_t t = 1; t < steps; t++) {
            powers[t] = powers[t - 1] * rate;
        }
        memset(carry, 0, d * sizeof *carry);
        for (size_t t = steps; t-- > 0;) {
            kernels->blend(d, 1, body->scratch.d_n + t * d, 1 - rate, carry);
            kernels->blend(d, rate, carry, chirr_trace_correction(powers[t]),
                           body->scratch.d_read + (k * steps + t) * d);
        }
    }
}

/* W_V and W_E: as chirr_matrix_backward, with one input, its trace, per group of columns. */
static void history_backward(const struct chirr_body *body,
                             const struct chirr_parameters *parameters, size_t offset, size_t steps)
{
    const struct chirr_layout *l = &body->layout;
    const struct chirr_body_scratch *s = &body->scratch;
    size_t d = l->width;
    size_t both = 2 * l->channels;
    const struct chirr_product weights = {
        .groups = body->rates.count,
        .rows = d,
        .inner = steps,
        .columns = l->group,
        .x_group = steps * d,
        .x_row = 1,
        .x_inner = d,
        .w_group = l->group,
        .w_inner = both,
        .y_group = l->group,
        .y_row = both,
    };
    body->kernels->product(&weights, s->read, s->d_history, parameters->gradient + offset);
    const struct chirr_product inputs = {
        .groups = body->rates.count,
        .rows = steps,
        .inner = l->group,
        .columns = d,
        .x_group = l->group,
        .x_row = both,
        .x_inner = 1,
        .w_group = l->group * d,
        .w_inner = d,
        .y_group = steps * d,
        .y_row = d,
    };
    body->kernels->transpose(d, both, parameters->weights + offset, s->transposed);
    body->kernels->product(&inputs, s->d_history, s->transposed, s->d_read);
}

static void sections_backward(const struct chirr_body *body,
                              const struct chirr_parameters *parameters,
                              const struct chirr_stream *stream, uint32_t layer,
                              const chirr_real *d_x)
{
    const struct chirr_layout *l = &body->layout;
    const struct chirr_body_scratch *s = &body->scratch;
    size_t steps = stream->filled;
    size_t stride = body->rows.stride;
    size_t both = 2 * l->channels;
    const chirr_real *row = chirr_block_row(body, stream, layer, 0);
    replay_traces(body, stream, layer);
    memset(s->d_read, 0, body->rates.count * steps * l->width * sizeof *s->d_read);
    for (uint32_t unit = 0; unit < l->hosted_count; unit++) {
        size_t at = chirr_layout_layer(l, unit, layer);
        const chirr_real *history = row + body->rows.history + unit * both;
        const chirr_real *present = row + body->rows.present + unit * both;
        for (size_t t = 0; t < steps; t++) {
            body->kernels->gate(both, present + t * stride, history + t * stride,
                                s->mixed + t * both);
        }
        memset(s->d_mixed, 0, steps * both * sizeof *s->d_mixed);
        const struct chirr_matrix output = {at + l->output, both, l->width, s->mixed, both};
        chirr_matrix_backward(body, parameters, &output, steps, d_x, s->d_mixed);
        for (size_t t = 0; t < steps; t++) {
            const chirr_real *pair[2] = {present + t * stride, history + t * stride};
            body->kernels->gate_backward(both, pair, s->d_mixed + t * both, s->d_present + t * both,
                                         s->d_history + t * both);
        }
        const struct chirr_matrix now = {at + l->present, l->width, both, row + body->rows.n1,
                                         stride};
        chirr_matrix_backward(body, parameters, &now, steps, s->d_present, s->d_n);
        history_backward(body, parameters, at + l->history, steps);
    }
    traces_backward(body, stream);
}

/* Through the norm before the sections (`which` 0) or the MLP (1); adds to d_x. */
static void norm_backward(const struct chirr_body *body, const struct chirr_parameters *parameters,
                          const struct chirr_stream *stream, uint32_t layer, size_t which,
                          chirr_real *d_x)
{
    size_t d = body->layout.width;
    size_t gain = body->layout.gains + (2 * layer + which) * d;
    for (uint32_t t = 0; t < stream->filled; t++) {
        const chirr_real *row = chirr_block_row(body, stream, layer, t);
        const chirr_real *hat = row + (which == 0 ? body->rows.hat1 : body->rows.hat2);
        chirr_real *d_x_d_gain[2] = {d_x + t * d, parameters->gradient + gain};
        body->kernels->norm_backward(d, row[body->rows.scales + which], parameters->weights + gain,
                                     hat, body->scratch.d_n + t * d, d_x_d_gain);
    }
}

void chirr_block_backward(const struct chirr_body *body, const struct chirr_parameters *parameters,
                          const struct chirr_stream *stream, uint32_t layer, chirr_real *d_x)
{
    size_t bytes = stream->filled * body->layout.width * sizeof *d_x;
    memset(body->scratch.d_n, 0, bytes);
    mlp_backward(body, parameters, stream, layer, d_x);
    norm_backward(body, parameters, stream, layer, 1, d_x);
    memset(body->scratch.d_n, 0, bytes);
    sections_backward(body, parameters, stream, layer, d_x);
    norm_backward(body, parameters, stream, layer, 0, d_x);
}
