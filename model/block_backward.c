/* A layer's gradients, as matrix products over the chunk. */
#include "model/block.h"

#include <string.h>

/* What a unit's part of a layer works on. */
struct unit_place {
    const struct chirr_backward *pass;
    const struct chirr_answers *answers;
    uint32_t layer;
    size_t at;               /* its parameters in this layer */
    const chirr_real *row;   /* of the chunk's first step */
    struct chirr_rows d_out; /* [answers][D] gradient of what the layer gave */
};

/* A unit's slots of every step it answered at, as rows [answers][width]. */
static void fetch_rows(const struct unit_place *p, size_t offset, size_t width, chirr_real *compact)
{
    for (uint32_t i = 0; i < p->answers->count; i++) {
        const chirr_real *row = p->row + p->answers->steps[i] * p->pass->body->rows.stride;
        memcpy(compact + i * width, row + offset + p->answers->slots[i] * width,
               width * sizeof *compact);
    }
}

/* Where `opened` and the gradient of the selector's logit of an answer lie. */
static chirr_real opened_at(const struct unit_place *p, uint32_t answer)
{
    const struct chirr_body *body = p->pass->body;
    const chirr_real *row = p->row + p->answers->steps[answer] * body->rows.stride;
    return row[body->rows.opened + p->answers->slots[answer]];
}

/* mixed was scaled by 2 sigmoid(s): d_mixed becomes the gradient before the scale, the gradient of
 * s is added to the logits', and mixed becomes what was scaled. */
static void scale_backward(const struct unit_place *p, size_t width)
{
    const struct chirr_body *body = p->pass->body;
    const struct chirr_layout *l = &body->layout;
    const struct chirr_body_scratch *s = &body->scratch;
    size_t unit = l->hosted[p->at / l->partition_stride];
    for (uint32_t i = 0; i < p->answers->count && l->selects; i++) {
        chirr_real opened = opened_at(p, i);
        chirr_real sum = 0;
        for (size_t j = 0; j < width; j++) {
            sum += s->mixed[i * width + j] * s->d_mixed[i * width + j];
            s->d_mixed[i * width + j] *= 2 * opened;
        }
        /* d(2 sigmoid) = 2 sigmoid (1 − sigmoid) ds */
        s->logits[p->answers->steps[i] * l->partitions + unit] += 2 * opened * (1 - opened) * sum;
    }
}

/* The output matrix: its gradient, and d_mixed [answers][inner]. */
static void output_backward(const struct unit_place *p, size_t offset, size_t inner)
{
    const struct chirr_body_scratch *s = &p->pass->body->scratch;
    const struct chirr_layout *l = &p->pass->body->layout;
    size_t count = p->answers->count;
    memset(s->d_mixed, 0, count * inner * sizeof *s->d_mixed);
    const struct chirr_matrix matrix = {.offset = p->at + offset,
                                        .inner = inner,
                                        .columns = l->width,
                                        .rows = count,
                                        .inputs = s->mixed,
                                        .input_stride = inner};
    if (!l->selects) {
        chirr_matrix_backward(p->pass, &matrix, p->d_out.at, s->d_mixed);
        return;
    }
    chirr_real *scaled = s->d_present; /* free until the gates go backward */
    for (size_t i = 0; i < count; i++) {
        chirr_real scale = 2 * opened_at(p, (uint32_t)i);
        for (size_t j = 0; j < inner; j++) {
            scaled[i * inner + j] = scale * s->mixed[i * inner + j];
        }
    }
    struct chirr_matrix through = matrix;
    through.inputs = scaled;
    chirr_matrix_backward(p->pass, &through, p->d_out.at, s->d_mixed);
    scale_backward(p, inner);
}

/* An input matrix that read rows `base` of every step: its gradient, and d_n. */
static void input_backward(const struct unit_place *p, size_t offset, size_t columns,
                           const chirr_real *base, const chirr_real *d_y)
{
    const struct chirr_body *body = p->pass->body;
    const struct chirr_body_scratch *s = &body->scratch;
    size_t d = body->layout.width;
    /* the rows are only read */
    const struct chirr_rows inputs =
        chirr_rows_gather(p->answers, (chirr_real *)base, body->rows.stride, d, s->rows_in);
    const struct chirr_matrix matrix = {.offset = p->at + offset,
                                        .inner = d,
                                        .columns = columns,
                                        .rows = p->answers->count,
                                        .inputs = inputs.at,
                                        .input_stride = inputs.stride};
    /* gathered rows of d_n are apart from those of d_out, which rows_out may hold */
    struct chirr_rows d_n = chirr_rows_gather(p->answers, s->d_n, d, d, s->rows_sum);
    chirr_matrix_backward(p->pass, &matrix, d_y, d_n.at);
    chirr_rows_scatter(p->answers, &d_n, d, s->d_n, d);
}

static void unit_mlp(const struct unit_place *p)
{
    const struct chirr_body *body = p->pass->body;
    const struct chirr_layout *l = &body->layout;
    const struct chirr_body_scratch *s = &body->scratch;
    size_t f = l->hidden;
    fetch_rows(p, body->rows.hidden, 2 * f, s->history);
    for (uint32_t i = 0; i < p->answers->count; i++) {
        const chirr_real *h = s->history + i * 2 * f;
        body->kernels->gate(f, h, h + f, s->mixed + i * f);
    }
    output_backward(p, l->down, f);
    for (uint32_t i = 0; i < p->answers->count; i++) {
        const chirr_real *h = s->history + i * 2 * f;
        const chirr_real *pair[2] = {h, h + f};
        chirr_real *d_h = s->d_history + i * 2 * f;
        body->kernels->gate_backward(f, pair, s->d_mixed + i * f, d_h, d_h + f);
    }
    input_backward(p, l->gate, 2 * f, p->row + body->rows.n2, s->d_history);
}

/* d_read += d_history · wᵀ for every rate. */
static void history_inputs(const struct unit_place *p)
{
    const struct chirr_body *body = p->pass->body;
    const struct chirr_layout *l = &body->layout;
    const struct chirr_body_scratch *s = &body->scratch;
    size_t d = l->width;
    size_t both = 2 * l->channels;
    size_t of_rate = p->pass->stream->filled * d;
    const struct chirr_product shape = {
        .groups = 1,
        .rows = p->answers->count,
        .inner = l->group,
        .columns = d,
        .x_row = both,
        .x_inner = 1,
        .w_inner = both,
        .y_row = d,
    };
    const chirr_real *weights = p->pass->weights + p->at + l->history;
    for (uint32_t k = 0; k < body->rates.count; k++) {
        chirr_real *d_read = s->d_read + k * of_rate;
        struct chirr_rows rows = chirr_rows_gather(p->answers, d_read, d, d, s->rows_sum);
        body->kernels->product_transposed(&shape, s->d_history + k * l->group,
                                          weights + k * l->group, rows.at);
        chirr_rows_scatter(p->answers, &rows, d, d_read, d);
    }
}

/* W_V and W_E: every group of columns has an input of its own, its trace. */
static void history_backward(const struct unit_place *p)
{
    const struct chirr_body *body = p->pass->body;
    const struct chirr_layout *l = &body->layout;
    const struct chirr_body_scratch *s = &body->scratch;
    size_t d = l->width;
    size_t both = 2 * l->channels;
    size_t of_rate = p->pass->stream->filled * d;
    history_inputs(p);
    const struct chirr_product shape = {
        .groups = 1,
        .rows = d,
        .inner = p->answers->count,
        .columns = l->group,
        .x_row = 1,
        .x_inner = d,
        .w_inner = both,
        .y_row = both,
    };
    memset(s->gradient, 0, d * both * sizeof *s->gradient);
    for (uint32_t k = 0; k < body->rates.count; k++) {
        const struct chirr_rows rows =
            chirr_rows_gather(p->answers, s->read + k * of_rate, d, d, s->rows_in);
        body->kernels->product(&shape, rows.at, s->d_history + k * l->group,
                               s->gradient + k * l->group);
    }
    p->pass->sink->take(p->pass->sink->context, p->at + l->history, d * both, s->gradient);
}

static void unit_sections(const struct unit_place *p)
{
    const struct chirr_body *body = p->pass->body;
    const struct chirr_layout *l = &body->layout;
    const struct chirr_body_scratch *s = &body->scratch;
    size_t both = 2 * l->channels;
    size_t count = p->answers->count * both;
    fetch_rows(p, body->rows.history, both, s->history);
    fetch_rows(p, body->rows.present, both, s->present);
    body->kernels->gate(count, s->present, s->history, s->mixed);
    output_backward(p, l->output, both);
    const chirr_real *pair[2] = {s->present, s->history};
    body->kernels->gate_backward(count, pair, s->d_mixed, s->d_present, s->d_history);
    input_backward(p, l->present, both, p->row + body->rows.n1, s->d_present);
    history_backward(p);
}

/* Every hosted unit that answered in this chunk. */
static void for_each_unit(struct unit_place *p, const chirr_real *d_x,
                          void (*visit)(const struct unit_place *))
{
    const struct chirr_backward *pass = p->pass;
    const struct chirr_body *body = pass->body;
    const struct chirr_layout *l = &body->layout;
    /* a span's stream is only read here */
    const struct chirr_span all = {.stream = (struct chirr_stream *)pass->stream,
                                   .steps = pass->stream->filled};
    struct chirr_answers answers;
    p->answers = &answers;
    p->row = chirr_block_row(body, pass->stream, p->layer, 0);
    for (uint32_t unit = 0; unit < l->hosted_count; unit++) {
        chirr_block_answers(l, &all, p->layer, unit, &answers);
        if (answers.count == 0) {
            continue;
        }
        p->at = chirr_layout_layer(l, unit, p->layer);
        p->d_out = chirr_rows_gather(&answers, (chirr_real *)d_x, l->width, l->width,
                                     body->scratch.rows_out);
        visit(p);
    }
}

/* The traces that every step of the chunk read, from where they stood when it began. */
static void replay_traces(const struct chirr_backward *pass, uint32_t layer)
{
    const struct chirr_body *body = pass->body;
    const struct chirr_layout *l = &body->layout;
    const struct chirr_body_scratch *s = &body->scratch;
    const struct chirr_trace_inputs inputs = chirr_block_written(
        body, chirr_block_row(body, pass->stream, layer, 0), pass->stream->filled);
    size_t count = body->rates.count * (size_t)l->width;
    memcpy(s->carry, chirr_layer_traces(pass->stream->traces_start, l, layer),
           count * sizeof *s->carry);
    chirr_trace_scan(&body->rates, body->kernels, l->width, s->carry, pass->stream->powers_start,
                     &inputs, s->read);
}

/* Time backward: from what was read to what was written, and through the input gate. */
static void time_backward(const struct chirr_backward *pass, uint32_t layer)
{
    const struct chirr_body *body = pass->body;
    const struct chirr_layout *l = &body->layout;
    const struct chirr_body_scratch *s = &body->scratch;
    size_t d = l->width;
    size_t steps = pass->stream->filled;
    const struct chirr_trace_gradient gradient = {s->d_read, l->gates_input ? s->written : s->d_n,
                                                  s->carry, steps};
    if (l->gates_input) {
        memset(s->written, 0, steps * d * sizeof *s->written);
    }
    chirr_trace_backward(&body->rates, body->kernels, d, pass->stream->powers_start, &gradient);
    if (!l->gates_input) {
        return;
    }
    const chirr_real *rows = chirr_block_row(body, pass->stream, layer, 0);
    for (size_t t = 0; t < steps; t++) {
        const chirr_real *row = rows + t * body->rows.stride;
        for (size_t i = 0; i < d; i++) {
            chirr_real opened = row[body->rows.gate + i];
            chirr_real d_written = 2 * opened * s->written[t * d + i];
            s->d_n[t * d + i] += d_written;
            s->d_opened[t * d + i] = d_written * (1 - opened) * row[body->rows.n1 + i];
        }
    }
    const struct chirr_matrix matrix = {.offset = l->input_gate + layer * d * d,
                                        .inner = d,
                                        .columns = d,
                                        .rows = steps,
                                        .inputs = rows + body->rows.n1,
                                        .input_stride = body->rows.stride};
    chirr_matrix_backward(pass, &matrix, s->d_opened, s->d_n);
}

/* W_r: from the gradients of the logits that the units left, [filled][P]. */
static void selector_backward(const struct chirr_backward *pass, uint32_t layer)
{
    const struct chirr_body *body = pass->body;
    const struct chirr_layout *l = &body->layout;
    size_t size = (size_t)l->width * l->partitions;
    const struct chirr_matrix matrix = {
        .offset = l->selector + layer * size,
        .inner = l->width,
        .columns = l->partitions,
        .rows = pass->stream->filled,
        .inputs = chirr_block_row(body, pass->stream, layer, 0) + body->rows.n1,
        .input_stride = body->rows.stride,
    };
    chirr_matrix_backward(pass, &matrix, body->scratch.logits, body->scratch.d_n);
}

/* Through the norm before the sections (`which` 0) or the MLP (1); adds to d_x. */
static void norm_backward(const struct chirr_backward *pass, uint32_t layer, size_t which,
                          chirr_real *d_x)
{
    const struct chirr_body *body = pass->body;
    size_t d = body->layout.width;
    size_t gain = body->layout.gains + (2 * layer + which) * d;
    chirr_real *d_gain = body->scratch.gradient;
    memset(d_gain, 0, d * sizeof *d_gain);
    for (uint32_t t = 0; t < pass->stream->filled; t++) {
        const chirr_real *row = chirr_block_row(body, pass->stream, layer, t);
        const chirr_real *hat = row + (which == 0 ? body->rows.hat1 : body->rows.hat2);
        chirr_real *d_x_d_gain[2] = {d_x + t * d, d_gain};
        body->kernels->norm_backward(d, row[body->rows.scales + which], pass->weights + gain, hat,
                                     body->scratch.d_n + t * d, d_x_d_gain);
    }
    pass->sink->take(pass->sink->context, gain, d, d_gain);
}

void chirr_block_backward(const struct chirr_backward *pass, uint32_t layer, chirr_real *d_x)
{
    const struct chirr_body *body = pass->body;
    const struct chirr_layout *l = &body->layout;
    const struct chirr_body_scratch *s = &body->scratch;
    size_t steps = pass->stream->filled;
    size_t bytes = steps * l->width * sizeof *d_x;
    struct unit_place place = {.pass = pass, .layer = layer};
    if (l->selects) {
        memset(s->logits, 0, steps * l->partitions * sizeof *s->logits);
    }
    if (l->hidden > 0) {
        memset(s->d_n, 0, bytes);
        for_each_unit(&place, d_x, unit_mlp);
        norm_backward(pass, layer, 1, d_x);
    }

    memset(s->d_n, 0, bytes);
    memset(s->d_read, 0, body->rates.count * bytes);
    replay_traces(pass, layer);
    for_each_unit(&place, d_x, unit_sections);
    if (l->selects) {
        selector_backward(pass, layer);
    }
    time_backward(pass, layer);
    norm_backward(pass, layer, 0, d_x);
}
