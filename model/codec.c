#include "model/codec.h"

#include <string.h>

#include "model/elementary.h"

#define LOG_VARIANCE_MAX CHIRR_REAL(6)

/* Which senses have a softmax over symbols. */
static bool is_symbols(const struct chirr_layout_sense *sense)
{
    return sense->outputs == 0;
}

static const chirr_real *inputs_of(const struct chirr_stream *stream, uint32_t t)
{
    return stream->input + (size_t)t * stream->inputs;
}

/* The table that the i-th row number of a step's input is of. */
struct table {
    size_t offset;
    size_t columns;
    size_t column; /* of the encoded input */
};

static struct table table_of(const struct chirr_layout *l, const struct chirr_layout_sense *sense,
                             uint32_t i)
{
    if (i == 0) {
        return (struct table){sense->codec.embedding, l->width, 0};
    }
    return (struct table){l->grams[i - 1].offset, l->gram_columns, l->grams[i - 1].column};
}

void chirr_codec_encode(const struct chirr_body *body, const struct chirr_weights *weights,
                        const struct chirr_layout_sense *sense, const struct chirr_span *span,
                        chirr_real *x)
{
    size_t d = body->layout.width;
    for (uint32_t t = 0; t < span->steps; t++) {
        const chirr_real *rows = inputs_of(span->stream, span->first + t);
        memcpy(x + t * d, weights->full + sense->tag, d * sizeof *x);
        for (uint32_t i = 0; i < sense->symbols; i++) {
            const struct table table = table_of(&body->layout, sense, i);
            body->kernels->sum_rows(1, table.columns,
                                    weights->full + table.offset + (size_t)rows[i] * table.columns,
                                    x + t * d + table.column);
        }
    }
    const struct chirr_product shape = {
        .groups = 1,
        .rows = span->steps,
        .inner = sense->inputs,
        .columns = d,
        .x_row = span->stream->inputs,
        .x_inner = 1,
        .w_inner = d,
        .y_row = d,
    };
    chirr_body_multiply(body, weights, sense->encoder, &shape,
                        inputs_of(span->stream, span->first) + sense->symbols, x);
}

/* outputs [steps][columns] = bias + features · head */
static chirr_real *read_out(const struct chirr_body *body, const struct chirr_weights *weights,
                            const struct chirr_span *span, size_t head, size_t bias)
{
    struct chirr_stream *stream = span->stream;
    size_t columns = stream->outputs;
    chirr_real *outputs = stream->d_output + span->first * columns;
    for (uint32_t t = 0; t < span->steps; t++) {
        memcpy(outputs + t * columns, weights->full + bias, columns * sizeof *outputs);
    }
    const struct chirr_product shape = {
        .groups = 1,
        .rows = span->steps,
        .inner = body->layout.width,
        .columns = columns,
        .x_row = 2 * (size_t)body->layout.width + 1,
        .x_inner = 1,
        .w_inner = columns,
        .y_row = columns,
    };
    chirr_body_multiply(body, weights, head, &shape,
                        chirr_stream_features(stream, &body->layout, span->first), outputs);
    return outputs;
}

void chirr_codec_predict_symbols(const struct chirr_body *body, const struct chirr_weights *weights,
                                 const struct chirr_layout_sense *sense,
                                 const struct chirr_span *span)
{
    chirr_real *outputs = read_out(body, weights, span, sense->codec.head, sense->codec.head_bias);
    for (uint32_t t = 0; t < span->steps; t++) {
        body->kernels->softmax(CHIRR_BYTE_VALUES, outputs + t * CHIRR_BYTE_VALUES);
    }
}

double chirr_codec_score_byte(uint8_t byte, chirr_real *probabilities)
{
    /* The smallest probability that softmax gives keeps the logarithm finite. */
    const chirr_real least = CHIRR_REAL(1e-37);
    chirr_real p = probabilities[byte] > least ? probabilities[byte] : least;
    probabilities[byte] -= 1;
    return -(double)chirr_log(p);
}

void chirr_codec_predict_vectors(const struct chirr_body *body, const struct chirr_weights *weights,
                                 const struct chirr_layout_sense *sense,
                                 const struct chirr_span *span)
{
    size_t w = sense->inputs;
    chirr_real *outputs = read_out(body, weights, span, sense->head, sense->head_bias);
    const chirr_real *persistence = weights->full + sense->persistence;
    for (uint32_t t = 0; t < span->steps; t++) {
        const chirr_real *last = inputs_of(span->stream, span->first + t);
        for (size_t i = 0; i < w; i++) {
            outputs[t * 2 * w + i] += persistence[i] * last[i];
        }
    }
}

/* tanh, through the sigmoid. */
static chirr_real squash(chirr_real x)
{
    return 2 * chirr_sigmoid(2 * x) - 1;
}

chirr_real chirr_codec_log_variance(chirr_real output)
{
    return LOG_VARIANCE_MAX * squash(output / LOG_VARIANCE_MAX);
}

double chirr_codec_score_vector(size_t width, const chirr_real *values, const bool *judged,
                                chirr_real *outputs)
{
    size_t count = 0;
    for (size_t i = 0; i < width; i++) {
        count += judged[i];
    }
    chirr_real share = count > 0 ? 1 / (chirr_real)count : 0;
    double nats = 0;
    for (size_t i = 0; i < width; i++) {
        if (!judged[i]) {
            outputs[i] = 0;
            outputs[width + i] = 0;
            continue;
        }
        chirr_real bounded = squash(outputs[width + i] / LOG_VARIANCE_MAX);
        chirr_real log_variance = LOG_VARIANCE_MAX * bounded;
        chirr_real precision = chirr_exp(-log_variance);
        chirr_real error = outputs[i] - values[i];
        chirr_real excess = error * error * precision;
        nats += 0.5 * (double)(log_variance + excess + CHIRR_REAL(1.8378770664)) * (double)share;
        outputs[i] = error * precision * share;
        outputs[width + i] = CHIRR_REAL(0.5) * (1 - excess) * (1 - bounded * bounded) * share;
    }
    return nats;
}

static void give(const struct chirr_backward *pass, size_t offset, size_t count)
{
    pass->sink->take(pass->sink->context, offset, count, pass->body->scratch.gradient);
}

/* The sum over the chunk of rows [filled][columns], as the gradient at `offset`. */
static void give_sum(const struct chirr_backward *pass, size_t offset, size_t columns,
                     const chirr_real *rows)
{
    chirr_real *sum = pass->body->scratch.gradient;
    memset(sum, 0, columns * sizeof *sum);
    pass->body->kernels->sum_rows(pass->stream->filled, columns, rows, sum);
    give(pass, offset, columns);
}

static void give_persistence(const struct chirr_backward *pass,
                             const struct chirr_layout_sense *sense)
{
    const struct chirr_stream *stream = pass->stream;
    chirr_real *sum = pass->body->scratch.gradient;
    size_t w = sense->inputs;
    memset(sum, 0, w * sizeof *sum);
    for (size_t t = 0; t < stream->filled; t++) {
        for (size_t i = 0; i < w; i++) {
            sum[i] += stream->d_output[t * 2 * w + i] * stream->input[t * w + i];
        }
    }
    give(pass, sense->persistence, w);
}

void chirr_codec_backward_head(const struct chirr_backward *pass,
                               const struct chirr_layout_sense *sense, chirr_real *d_features)
{
    const struct chirr_layout *l = &pass->body->layout;
    const struct chirr_stream *stream = pass->stream;
    const struct chirr_matrix head = {
        .offset = is_symbols(sense) ? sense->codec.head : sense->head,
        .inner = l->width,
        .columns = stream->outputs,
        .rows = stream->filled,
        .inputs = chirr_stream_features(stream, l, 0),
        .input_stride = 2 * (size_t)l->width + 1,
    };
    memset(d_features, 0, stream->filled * l->width * sizeof *d_features);
    chirr_matrix_backward(pass, &head, stream->d_output, d_features);
    size_t bias = is_symbols(sense) ? sense->codec.head_bias : sense->head_bias;
    give_sum(pass, bias, stream->outputs, stream->d_output);
    if (!is_symbols(sense)) {
        give_persistence(pass, sense);
    }
}

static bool came_before(const struct chirr_stream *stream, uint32_t t, uint32_t which)
{
    for (uint32_t earlier = 0; earlier < t; earlier++) {
        if (inputs_of(stream, earlier)[which] == inputs_of(stream, t)[which]) {
            return true;
        }
    }
    return false;
}

/* One gradient for each row of a table that was read, however often it was in the chunk. */
static void give_rows(const struct chirr_backward *pass, const struct table *table, uint32_t which,
                      const chirr_real *d_x)
{
    const struct chirr_body *body = pass->body;
    const struct chirr_stream *stream = pass->stream;
    chirr_real *sum = body->scratch.gradient;
    for (uint32_t first = 0; first < stream->filled; first++) {
        if (came_before(stream, first, which)) {
            continue;
        }
        chirr_real row = inputs_of(stream, first)[which];
        memset(sum, 0, table->columns * sizeof *sum);
        for (uint32_t t = first; t < stream->filled; t++) {
            if (inputs_of(stream, t)[which] == row) {
                const chirr_real *d_row = d_x + t * (size_t)body->layout.width + table->column;
                body->kernels->sum_rows(1, table->columns, d_row, sum);
            }
        }
        give(pass, table->offset + (size_t)row * table->columns, table->columns);
    }
}

void chirr_codec_backward_encoder(const struct chirr_backward *pass,
                                  const struct chirr_layout_sense *sense, const chirr_real *d_x)
{
    const struct chirr_body *body = pass->body;
    const struct chirr_stream *stream = pass->stream;
    size_t d = body->layout.width;
    give_sum(pass, sense->tag, d, d_x);
    for (uint32_t i = 0; i < sense->symbols; i++) {
        const struct table table = table_of(&body->layout, sense, i);
        give_rows(pass, &table, i, d_x);
    }
    if (sense->inputs == 0) {
        return;
    }
    const struct chirr_product shape = {
        .groups = 1,
        .rows = sense->inputs,
        .inner = stream->filled,
        .columns = d,
        .x_row = 1,
        .x_inner = stream->inputs,
        .w_inner = d,
        .y_row = d,
    };
    memset(body->scratch.gradient, 0, sense->inputs * d * sizeof *d_x);
    body->kernels->product(&shape, stream->input + sense->symbols, d_x, body->scratch.gradient);
    give(pass, sense->encoder, sense->inputs * d);
}
