/* A layer forward. */
#include "model/block.h"

#include <string.h>

#include "model/elementary.h"
#include "model/selector.h"

void chirr_block_answers(const struct chirr_layout *layout, const struct chirr_span *span,
                         uint32_t layer, uint32_t unit, struct chirr_answers *answers)
{
    answers->count = 0;
    for (uint32_t t = 0; t < span->steps; t++) {
        const uint8_t *chosen = chirr_stream_chosen(span->stream, layout, layer, span->first + t);
        for (uint32_t slot = 0; slot < layout->slots; slot++) {
            if (chosen[slot] == unit) {
                answers->steps[answers->count] = t;
                answers->slots[answers->count++] = (uint8_t)slot;
            }
        }
    }
}

struct chirr_rows chirr_rows_gather(const struct chirr_answers *answers, chirr_real *base,
                                    size_t stride, size_t width, chirr_real *buffer)
{
    uint32_t first = answers->steps[0];
    if (answers->steps[answers->count - 1] - first + 1 == answers->count) {
        return (struct chirr_rows){.at = base + first * stride, .stride = stride};
    }
    for (uint32_t i = 0; i < answers->count; i++) {
        memcpy(buffer + i * width, base + answers->steps[i] * stride, width * sizeof *buffer);
    }
    return (struct chirr_rows){.at = buffer, .stride = width, .gathered = true};
}

void chirr_rows_scatter(const struct chirr_answers *answers, const struct chirr_rows *rows,
                        size_t width, chirr_real *base, size_t stride)
{
    for (uint32_t i = 0; i < answers->count && rows->gathered; i++) {
        memcpy(base + answers->steps[i] * stride, rows->at + i * width, width * sizeof *base);
    }
}

/* What a unit's part of a layer works on. */
struct unit_place {
    const struct chirr_body *body;
    const struct chirr_weights *weights;
    const struct chirr_answers *answers;
    size_t at;       /* its parameters in this layer */
    chirr_real *row; /* of the span's first step */
};

/* rows [answers][inner] · w [inner][columns] added to y, rows `y_stride` apart. */
static void multiply_rows(const struct unit_place *p, size_t offset, const struct chirr_rows *rows,
                          size_t inner, size_t columns, const struct chirr_rows *y)
{
    const struct chirr_product shape = {
        .groups = 1,
        .rows = p->answers->count,
        .inner = inner,
        .columns = columns,
        .x_row = rows->stride,
        .x_inner = 1,
        .w_inner = columns,
        .y_row = y->stride,
    };
    chirr_body_multiply(p->body, p->weights, p->at + offset, &shape, rows->at, y->at);
}

/* Keeps compact rows [answers][width] in their steps' slots. */
static void keep_rows(const struct unit_place *p, size_t offset, size_t width,
                      const chirr_real *compact)
{
    for (uint32_t i = 0; i < p->answers->count; i++) {
        chirr_real *row = p->row + p->answers->steps[i] * p->body->rows.stride;
        memcpy(row + offset + p->answers->slots[i] * width, compact + i * width,
               width * sizeof *row);
    }
}

/* What a unit gives, scaled as far as the selector opened it. */
static void scale_rows(const struct unit_place *p, size_t width, chirr_real *compact)
{
    for (uint32_t i = 0; i < p->answers->count && p->body->layout.selects; i++) {
        const chirr_real *row = p->row + p->answers->steps[i] * p->body->rows.stride;
        chirr_real scale = 2 * row[p->body->rows.opened + p->answers->slots[i]];
        for (size_t j = 0; j < width; j++) {
            compact[i * width + j] *= scale;
        }
    }
}

/* Narrow groups are multiplied faster from traces that lie [2K][D][steps]. They are turned once for
 * all partitions, where there are several, all of which answer. */
static bool reads_turned(const struct chirr_body *body, size_t steps)
{
    const struct chirr_layout *l = &body->layout;
    return !l->selects && l->hosted_count > 1 && steps >= body->kernels->tall_rows &&
           l->group <= body->kernels->tall_columns;
}

/* Into d_read, which no backward pass needs now. */
static void turn_read(const struct chirr_body *body, size_t steps)
{
    const struct chirr_body_scratch *s = &body->scratch;
    size_t of_rate = steps * body->layout.width;
    for (uint32_t k = 0; k < body->rates.count && reads_turned(body, steps); k++) {
        body->kernels->transpose(steps, body->layout.width, s->read + k * of_rate,
                                 s->d_read + k * of_rate);
    }
}

/* history [answers][2e] = each rate's trace through its columns of W_V and W_E. */
static void read_history(const struct unit_place *p, size_t steps)
{
    const struct chirr_layout *l = &p->body->layout;
    const struct chirr_body_scratch *s = &p->body->scratch;
    size_t both = 2 * l->channels;
    struct chirr_product shape = {
        .groups = p->body->rates.count,
        .rows = p->answers->count,
        .inner = l->width,
        .columns = l->group,
        .x_group = steps * l->width,
        .x_row = l->width,
        .x_inner = 1,
        .w_group = l->group,
        .w_inner = both,
        .y_group = l->group,
        .y_row = both,
    };
    memset(s->history, 0, p->answers->count * both * sizeof *s->history);
    if (reads_turned(p->body, steps)) {
        shape.x_row = 1;
        shape.x_inner = steps;
        chirr_body_multiply(p->body, p->weights, p->at + l->history, &shape, s->d_read, s->history);
        return;
    }
    struct chirr_rows rows = chirr_rows_gather(p->answers, s->read, l->width, l->width, s->rows_in);
    if (!rows.gathered) {
        chirr_body_multiply(p->body, p->weights, p->at + l->history, &shape, rows.at, s->history);
        return;
    }
    shape.groups = 1;
    for (uint32_t k = 0; k < p->body->rates.count; k++) {
        chirr_rows_gather(p->answers, s->read + k * steps * l->width, l->width, l->width,
                          s->rows_in);
        chirr_body_multiply(p->body, p->weights, p->at + l->history + k * l->group, &shape,
                            s->rows_in, s->history + k * l->group);
    }
}

/* Adds rows [answers][inner] · w [inner][D] to the residual stream. */
static void add_to_residual(const struct unit_place *p, size_t offset, size_t inner, chirr_real *x)
{
    const struct chirr_body_scratch *s = &p->body->scratch;
    size_t d = p->body->layout.width;
    const struct chirr_rows mixed = {.at = s->mixed, .stride = inner};
    struct chirr_rows out = chirr_rows_gather(p->answers, x, d, d, s->rows_out);
    multiply_rows(p, offset, &mixed, inner, d, &out);
    chirr_rows_scatter(p->answers, &out, d, x, d);
}

static void unit_sections(const struct unit_place *p, size_t steps, chirr_real *x)
{
    const struct chirr_body *body = p->body;
    const struct chirr_layout *l = &body->layout;
    const struct chirr_body_scratch *s = &body->scratch;
    size_t both = 2 * l->channels; /* columns of the two sections */
    size_t count = p->answers->count * both;
    read_history(p, steps);
    memset(s->present, 0, count * sizeof *s->present);
    const struct chirr_rows present = {.at = s->present, .stride = both};
    struct chirr_rows n = chirr_rows_gather(p->answers, p->row + body->rows.n1, body->rows.stride,
                                            l->width, s->rows_in);
    multiply_rows(p, l->present, &n, l->width, both, &present);
    body->kernels->gate(count, s->present, s->history, s->mixed);
    scale_rows(p, both, s->mixed);
    add_to_residual(p, l->output, both, x);
    keep_rows(p, body->rows.history, both, s->history);
    keep_rows(p, body->rows.present, both, s->present);
}

static void unit_mlp(const struct unit_place *p, chirr_real *x)
{
    const struct chirr_body *body = p->body;
    const struct chirr_layout *l = &body->layout;
    const struct chirr_body_scratch *s = &body->scratch;
    size_t f = l->hidden;
    memset(s->history, 0, p->answers->count * 2 * f * sizeof *s->history);
    const struct chirr_rows hidden = {.at = s->history, .stride = 2 * f}; /* gate, then value */
    struct chirr_rows n = chirr_rows_gather(p->answers, p->row + body->rows.n2, body->rows.stride,
                                            l->width, s->rows_in);
    multiply_rows(p, l->gate, &n, l->width, 2 * f, &hidden);
    for (uint32_t i = 0; i < p->answers->count; i++) {
        const chirr_real *h = s->history + i * 2 * f;
        body->kernels->gate(f, h, h + f, s->mixed + i * f);
    }
    scale_rows(p, f, s->mixed);
    add_to_residual(p, l->down, f, x);
    keep_rows(p, body->rows.hidden, 2 * f, s->history);
}

/* RMSNorm of every step, before the sections (`which` 0) or the MLP (1). */
static void norm_rows(const struct chirr_body *body, const chirr_real *gain, chirr_real *row,
                      size_t which, const struct chirr_span *span, const chirr_real *x)
{
    const struct chirr_row_layout *r = &body->rows;
    size_t d = body->layout.width;
    for (uint32_t t = 0; t < span->steps; t++, row += r->stride) {
        chirr_real *hat = row + (which == 0 ? r->hat1 : r->hat2);
        chirr_real *n = row + (which == 0 ? r->n1 : r->n2);
        row[r->scales + which] = body->kernels->norm(d, x + t * d, gain, hat, n);
    }
}

/* Which units answer at every step. */
static void select_units(const struct chirr_body *body, const struct chirr_weights *weights,
                         const struct chirr_span *span, uint32_t layer, chirr_real *row)
{
    const struct chirr_layout *l = &body->layout;
    chirr_real *logits = body->scratch.logits;
    const struct chirr_product shape = {
        .groups = 1,
        .rows = span->steps,
        .inner = l->width,
        .columns = l->partitions,
        .x_row = body->rows.stride,
        .x_inner = 1,
        .w_inner = l->partitions,
        .y_row = l->partitions,
    };
    memset(logits, 0, span->steps * l->partitions * sizeof *logits);
    chirr_body_multiply(body, weights, l->selector + (size_t)layer * l->width * l->partitions,
                        &shape, row + body->rows.n1, logits);
    for (uint32_t t = 0; t < span->steps; t++) {
        const struct chirr_choice choice = {
            .units = chirr_stream_chosen(span->stream, l, layer, span->first + t),
            .opened = row + t * body->rows.stride + body->rows.opened,
        };
        chirr_selector_choose(l, span->stream, layer, span->first + t, logits + t * l->partitions,
                              &choice);
    }
}

/* The input gate of every step: sigmoid(W_I n). */
static void open_input(const struct chirr_body *body, const struct chirr_weights *weights,
                       uint32_t layer, chirr_real *row, size_t steps)
{
    size_t d = body->layout.width;
    const struct chirr_product shape = {
        .groups = 1,
        .rows = steps,
        .inner = d,
        .columns = d,
        .x_row = body->rows.stride,
        .x_inner = 1,
        .w_inner = d,
        .y_row = body->rows.stride,
    };
    for (size_t t = 0; t < steps; t++) {
        memset(row + t * body->rows.stride + body->rows.gate, 0, d * sizeof *row);
    }
    chirr_body_multiply(body, weights, body->layout.input_gate + layer * d * d, &shape,
                        row + body->rows.n1, row + body->rows.gate);
    for (size_t t = 0; t < steps; t++) {
        chirr_real *gate = row + t * body->rows.stride + body->rows.gate;
        for (size_t i = 0; i < d; i++) {
            gate[i] = chirr_sigmoid(gate[i]);
        }
    }
}

struct chirr_trace_inputs chirr_block_written(const struct chirr_body *body, const chirr_real *row,
                                              size_t steps)
{
    const struct chirr_row_layout *r = &body->rows;
    size_t d = body->layout.width;
    if (!body->layout.gates_input) {
        return (struct chirr_trace_inputs){row + r->n1, r->stride, steps};
    }
    chirr_real *written = body->scratch.written;
    for (size_t t = 0; t < steps; t++, row += r->stride) {
        for (size_t i = 0; i < d; i++) {
            written[t * d + i] = 2 * row[r->gate + i] * row[r->n1 + i];
        }
    }
    return (struct chirr_trace_inputs){written, d, steps};
}

/* Reads the traces for every step and writes what each leaves to the next. */
static void pass_time(const struct chirr_body *body, const struct chirr_weights *weights,
                      const struct chirr_span *span, uint32_t layer, chirr_real *row)
{
    const struct chirr_layout *l = &body->layout;
    chirr_real *traces = chirr_layer_traces(span->stream->traces, l, layer);
    if (l->gates_input) {
        open_input(body, weights, layer, row, span->steps);
    }
    if (span->what_if) {
        chirr_trace_repeat(&body->rates, l->width, traces, span->stream->powers, span->steps,
                           body->scratch.read);
        return;
    }
    const struct chirr_trace_inputs inputs = chirr_block_written(body, row, span->steps);
    chirr_trace_scan(&body->rates, body->kernels, l->width, traces, span->stream->powers, &inputs,
                     body->scratch.read);
}

void chirr_block_forward(const struct chirr_body *body, const struct chirr_weights *weights,
                         const struct chirr_span *span, uint32_t layer, chirr_real *x)
{
    const struct chirr_layout *l = &body->layout;
    const chirr_real *gains = weights->full + l->gains + 2 * (size_t)layer * l->width;
    chirr_real *row = chirr_block_row(body, span->stream, layer, span->first);
    norm_rows(body, gains, row, 0, span, x);
    pass_time(body, weights, span, layer, row);
    turn_read(body, span->steps);
    if (l->selects) {
        select_units(body, weights, span, layer, row);
    }
    struct chirr_answers answers;
    struct unit_place place = {body, weights, &answers, 0, row};
    for (uint32_t unit = 0; unit < l->hosted_count; unit++) {
        chirr_block_answers(l, span, layer, unit, &answers);
        place.at = chirr_layout_layer(l, unit, layer);
        if (answers.count > 0) {
            unit_sections(&place, span->steps, x);
        }
    }
    if (l->hidden == 0) {
        return;
    }
    norm_rows(body, gains + l->width, row, 1, span, x);
    for (uint32_t unit = 0; unit < l->hosted_count; unit++) {
        chirr_block_answers(l, span, layer, unit, &answers);
        place.at = chirr_layout_layer(l, unit, layer);
        if (answers.count > 0) {
            unit_mlp(&place, x);
        }
    }
}
