/* The stack of layers between encoders and heads, and the scratch that they share. */
#include "model/body.h"

#include <string.h>

#include "model/block.h"

struct demand {
    chirr_real **array;
    size_t count;
};

#define DEMANDS 10

static size_t greater(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void list_demands(struct chirr_body_scratch *s, const struct chirr_layout *l,
                         uint32_t chunk_max, struct demand demands[DEMANDS])
{
    size_t d = l->width;
    size_t steps = chunk_max;
    size_t traces = 2 * l->rates * steps * d;
    size_t widest = 2 * (size_t)greater(l->channels, l->hidden);
    /* the widest head: bytes, or mean and log-variance of the widest vector */
    size_t matrix = d * greater(widest, CHIRR_BYTE_VALUES);
    const struct demand list[DEMANDS] = {
        {&s->read, traces},
        {&s->d_read, traces},
        {&s->mixed, steps * widest},
        {&s->d_mixed, steps * widest},
        {&s->d_history, steps * widest},
        {&s->d_present, steps * widest},
        {&s->d_x, steps * d},
        {&s->d_n, steps * d},
        {&s->transposed, matrix},
        {&s->carry, d},
    };
    memcpy(demands, list, sizeof list);
}

size_t chirr_body_bytes(const struct chirr_layout *layout, uint32_t chunk_max)
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

bool chirr_body_init(struct chirr_body *body, struct chirr_arena *arena,
                     const struct chirr_layout *layout, uint32_t chunk_max)
{
    body->layout = *layout;
    chirr_row_layout_init(&body->rows, layout);
    chirr_rates_init(&body->rates, layout->rates);
    body->kernels = chirr_kernels_best();
    struct demand demands[DEMANDS];
    list_demands(&body->scratch, layout, chunk_max, demands);
    for (size_t i = 0; i < DEMANDS; i++) {
        *demands[i].array = chirr_arena_take(arena, demands[i].count, sizeof(chirr_real));
        if (*demands[i].array == NULL) {
            return false;
        }
    }
    return true;
}

static chirr_real *final_row(const struct chirr_body *body, const struct chirr_stream *stream,
                             size_t t)
{
    return stream->finals + t * (2 * body->layout.width + 1);
}

const chirr_real *chirr_body_forward(const struct chirr_body *body, const chirr_real *weights,
                                     struct chirr_stream *stream, uint32_t t, chirr_real *x)
{
    const struct chirr_layout *l = &body->layout;
    for (uint32_t layer = 0; layer < l->layers; layer++) {
        const struct chirr_block_place place = {stream, layer, t};
        chirr_block_forward(body, weights, &place, x);
    }
    chirr_real *hat = final_row(body, stream, t);
    chirr_real *features = hat + l->width;
    hat[2 * l->width] = body->kernels->norm(l->width, x, weights + l->gain_final, hat, features);
    return features;
}

void chirr_body_advance(const struct chirr_body *body, struct chirr_stream *stream, uint32_t t)
{
    for (uint32_t layer = 0; layer < body->layout.layers; layer++) {
        const chirr_real *row = chirr_block_row(body, stream, layer, t);
        chirr_trace_write(&body->rates, body->kernels, body->layout.width,
                          chirr_layer_traces(stream->traces, &body->layout, layer),
                          row + body->rows.n1);
    }
    chirr_trace_advance(&body->rates, stream->powers);
}

void chirr_body_backward(const struct chirr_body *body, const struct chirr_parameters *parameters,
                         const struct chirr_stream *stream, chirr_real *d_x)
{
    const struct chirr_layout *l = &body->layout;
    size_t d = l->width;
    memcpy(body->scratch.d_n, d_x, stream->filled * d * sizeof *d_x);
    memset(d_x, 0, stream->filled * d * sizeof *d_x);
    for (size_t t = 0; t < stream->filled; t++) {
        const chirr_real *hat = final_row(body, stream, t);
        chirr_real *d_x_d_gain[2] = {d_x + t * d, parameters->gradient + l->gain_final};
        body->kernels->norm_backward(d, hat[2 * d], parameters->weights + l->gain_final, hat,
                                     body->scratch.d_n + t * d, d_x_d_gain);
    }
    for (uint32_t layer = l->layers; layer-- > 0;) {
        chirr_block_backward(body, parameters, stream, layer, d_x);
    }
}

void chirr_matrix_backward(const struct chirr_body *body, const struct chirr_parameters *parameters,
                           const struct chirr_matrix *m, size_t steps, const chirr_real *d_y,
                           chirr_real *d_inputs)
{
    const struct chirr_kernels *k = body->kernels;
    const struct chirr_product weights = {
        .groups = 1,
        .rows = m->inner,
        .inner = steps,
        .columns = m->columns,
        .x_row = 1,
        .x_inner = m->input_stride,
        .w_inner = m->columns,
        .y_row = m->columns,
    };
    k->product(&weights, m->inputs, d_y, parameters->gradient + m->offset);
    const struct chirr_product inputs = {
        .groups = 1,
        .rows = steps,
        .inner = m->columns,
        .columns = m->inner,
        .x_row = m->columns,
        .x_inner = 1,
        .w_inner = m->inner,
        .y_row = m->inner,
    };
    k->transpose(m->inner, m->columns, parameters->weights + m->offset, body->scratch.transposed);
    k->product(&inputs, d_y, body->scratch.transposed, d_inputs);
}
