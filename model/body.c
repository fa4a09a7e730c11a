/* The stack of layers between encoders and heads, and the scratch that they share. */
#include "model/body.h"

#include <string.h>

#include "model/block.h"

struct demand {
    chirr_real **array;
    size_t count;
};

#define DEMANDS 18

static size_t greater(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Numbers of the largest matrix that a backward pass can meet. */
static size_t largest_matrix(const struct chirr_layout *l)
{
    size_t columns = greater(2 * (size_t)greater(l->channels, l->hidden), CHIRR_BYTE_VALUES);
    columns = greater(columns, l->gates_input ? l->width : 0);
    return (size_t)l->width * greater(columns, 2 * CHIRR_MODEL_VECTOR_WIDTH_MAX);
}

static void list_demands(struct chirr_body_scratch *s, const struct chirr_layout *l,
                         uint32_t chunk_max, struct demand demands[DEMANDS])
{
    size_t d = l->width;
    size_t steps = chunk_max;
    size_t traces = 2 * l->rates * steps * d;
    size_t widest = steps * 2 * greater(l->channels, l->hidden);
    const struct demand list[DEMANDS] = {
        {&s->read, traces},
        {&s->d_read, traces},
        {&s->history, widest},
        {&s->present, widest},
        {&s->mixed, widest},
        {&s->d_mixed, widest},
        {&s->d_history, widest},
        {&s->d_present, widest},
        {&s->rows_in, l->selects ? steps * d : 0},
        {&s->rows_out, l->selects ? steps * d : 0},
        {&s->rows_sum, l->selects ? steps * d : 0},
        {&s->logits, l->selects ? steps * l->partitions : 0},
        {&s->written, l->gates_input ? steps * d : 0},
        {&s->d_opened, l->gates_input ? steps * d : 0},
        {&s->d_x, steps * d},
        {&s->d_n, steps * d},
        {&s->gradient, largest_matrix(l)},
        {&s->carry, 2 * l->rates * d},
    };
    memcpy(demands, list, sizeof list);
}

size_t chirr_body_scratch_bytes(const struct chirr_layout *layout, uint32_t chunk_max)
{
    struct chirr_body_scratch scratch;
    struct demand demands[DEMANDS];
    list_demands(&scratch, layout, chunk_max, demands);
    size_t bytes = 0;
    for (size_t i = 0; i < DEMANDS; i++) {
        bytes += chirr_arena_round(demands[i].count * sizeof(chirr_real));
    }
    return bytes;
}

bool chirr_body_scratch_init(struct chirr_body_scratch *scratch, struct chirr_arena *arena,
                             const struct chirr_layout *layout, uint32_t chunk_max)
{
    struct demand demands[DEMANDS];
    list_demands(scratch, layout, chunk_max, demands);
    for (size_t i = 0; i < DEMANDS; i++) {
        *demands[i].array = chirr_arena_take(arena, demands[i].count, sizeof(chirr_real));
        if (*demands[i].array == NULL) {
            return false;
        }
    }
    return true;
}

void chirr_body_init(struct chirr_body *body, const struct chirr_layout *layout,
                     const struct chirr_model_config *config,
                     const struct chirr_body_scratch *scratch)
{
    body->layout = *layout;
    chirr_row_layout_init(&body->rows, layout);
    chirr_rates_init(&body->rates, config);
    body->kernels = chirr_kernels_best();
    body->scratch = *scratch;
}

void chirr_body_forward(const struct chirr_body *body, const struct chirr_weights *weights,
                        const struct chirr_span *span, chirr_real *x)
{
    const struct chirr_layout *l = &body->layout;
    size_t d = l->width;
    for (uint32_t layer = 0; layer < l->layers; layer++) {
        chirr_block_forward(body, weights, span, layer, x);
    }
    for (uint32_t t = 0; t < span->steps; t++) {
        chirr_real *features = chirr_stream_features(span->stream, l, span->first + t);
        chirr_real *hat = features - d;
        features[d] =
            body->kernels->norm(d, x + t * d, weights->full + l->gain_final, hat, features);
    }
    for (uint32_t t = 0; t < span->steps && !span->what_if; t++) {
        chirr_trace_advance(&body->rates, span->stream->powers);
    }
}

void chirr_body_backward(const struct chirr_backward *pass, chirr_real *d_x)
{
    const struct chirr_body *body = pass->body;
    const struct chirr_layout *l = &body->layout;
    size_t d = l->width;
    size_t steps = pass->stream->filled;
    chirr_real *d_gain = body->scratch.gradient;
    memcpy(body->scratch.d_n, d_x, steps * d * sizeof *d_x);
    memset(d_x, 0, steps * d * sizeof *d_x);
    memset(d_gain, 0, d * sizeof *d_gain);
    for (uint32_t t = 0; t < steps; t++) {
        const chirr_real *features = chirr_stream_features(pass->stream, l, t);
        chirr_real *d_x_d_gain[2] = {d_x + t * d, d_gain};
        body->kernels->norm_backward(d, features[d], pass->weights + l->gain_final, features - d,
                                     body->scratch.d_n + t * d, d_x_d_gain);
    }
    pass->sink->take(pass->sink->context, l->gain_final, d, d_gain);
    for (uint32_t layer = l->layers; layer-- > 0;) {
        chirr_block_backward(pass, layer, d_x);
    }
}

void chirr_body_multiply(const struct chirr_body *body, const struct chirr_weights *weights,
                         size_t offset, const struct chirr_product *shape, const chirr_real *x,
                         chirr_real *y)
{
    if (weights->narrow != NULL) {
        body->kernels->product_narrow(shape, x, weights->narrow + offset, y);
    } else {
        body->kernels->product(shape, x, weights->full + offset, y);
    }
}

void chirr_matrix_backward(const struct chirr_backward *pass, const struct chirr_matrix *m,
                           const chirr_real *d_y, chirr_real *d_inputs)
{
    const struct chirr_kernels *k = pass->body->kernels;
    const struct chirr_body_scratch *s = &pass->body->scratch;
    const struct chirr_product inputs = {
        .groups = 1,
        .rows = m->rows,
        .inner = m->columns,
        .columns = m->inner,
        .x_row = m->columns,
        .x_inner = 1,
        .w_inner = m->columns,
        .y_row = m->inner,
    };
    k->product_transposed(&inputs, d_y, pass->weights + m->offset, d_inputs);
    const struct chirr_product weights = {
        .groups = 1,
        .rows = m->inner,
        .inner = m->rows,
        .columns = m->columns,
        .x_row = 1,
        .x_inner = m->input_stride,
        .w_inner = m->columns,
        .y_row = m->columns,
    };
    memset(s->gradient, 0, m->inner * m->columns * sizeof *s->gradient);
    k->product(&weights, m->inputs, d_y, s->gradient);
    pass->sink->take(pass->sink->context, m->offset, m->inner * m->columns, s->gradient);
}
