#include "model/codec.h"

#include <string.h>

#include "model/elementary.h"

#define LOG_VARIANCE_MAX CHIRR_REAL(6)

void chirr_codec_encode_symbol(const struct chirr_body *body, const chirr_real *weights,
                               uint32_t symbol, chirr_real *x)
{
    size_t d = body->layout.width;
    memcpy(x, weights + body->layout.embedding + symbol * d, d * sizeof *x);
}

/* y [columns] += x [inner] · w [inner][columns] */
static void add_product(const struct chirr_body *body, const chirr_real *x, const chirr_real *w,
                        size_t inner, size_t columns, chirr_real *y)
{
    const struct chirr_product shape = {.groups = 1,
                                        .rows = 1,
                                        .inner = inner,
                                        .columns = columns,
                                        .x_inner = 1,
                                        .w_inner = columns};
    body->kernels->product(&shape, x, w, y);
}

void chirr_codec_encode_vector(const struct chirr_body *body, const chirr_real *weights,
                               const struct chirr_layout_sense *sense, const chirr_real *values,
                               chirr_real *x)
{
    size_t d = body->layout.width;
    memcpy(x, weights + sense->encoder_bias, d * sizeof *x);
    add_product(body, values, weights + sense->encoder, sense->inputs, d, x);
}

void chirr_codec_predict_byte(const struct chirr_body *body, const chirr_real *weights,
                              const chirr_real *features, chirr_real *probabilities)
{
    const struct chirr_layout *l = &body->layout;
    memcpy(probabilities, weights + l->head_bias, CHIRR_BYTE_VALUES * sizeof *probabilities);
    add_product(body, features, weights + l->head, l->width, CHIRR_BYTE_VALUES, probabilities);
    body->kernels->softmax(CHIRR_BYTE_VALUES, probabilities);
}

double chirr_codec_score_byte(uint8_t byte, chirr_real *probabilities)
{
    /* The smallest probability that softmax gives keeps the logarithm finite. */
    const chirr_real least = CHIRR_REAL(1e-37);
    chirr_real p = probabilities[byte] > least ? probabilities[byte] : least;
    probabilities[byte] -= 1;
    return -(double)chirr_log(p);
}

void chirr_codec_predict_vector(const struct chirr_body *body, const chirr_real *weights,
                                const struct chirr_layout_sense *sense, const chirr_real *features,
                                const chirr_real *last, chirr_real *outputs)
{
    size_t w = sense->inputs;
    memcpy(outputs, weights + sense->head_bias, 2 * w * sizeof *outputs);
    add_product(body, features, weights + sense->head, body->layout.width, 2 * w, outputs);
    for (size_t i = 0; i < w; i++) {
        outputs[i] += weights[sense->persistence + i] * last[i];
    }
}

double chirr_codec_score_vector(size_t width, const chirr_real *values, const bool *present,
                                chirr_real *outputs)
{
    size_t count = 0;
    for (size_t i = 0; i < width; i++) {
        count += present[i];
    }
    chirr_real share = count > 0 ? 1 / (chirr_real)count : 0;
    double nats = 0;
    for (size_t i = 0; i < width; i++) {
        if (!present[i]) {
            outputs[i] = 0;
            outputs[width + i] = 0;
            continue;
        }
        chirr_real bounded = 2 * chirr_sigmoid(2 * outputs[width + i] / LOG_VARIANCE_MAX) - 1;
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

/* Features that the heads read, [filled][D] at this stride. */
static const chirr_real *features_of(const struct chirr_body *body,
                                     const struct chirr_stream *stream, size_t *stride)
{
    *stride = 2 * body->layout.width + 1;
    return stream->finals + body->layout.width;
}

void chirr_codec_backward_byte_head(const struct chirr_body *body,
                                    const struct chirr_parameters *parameters,
                                    const struct chirr_stream *stream, chirr_real *d_features)
{
    const struct chirr_layout *l = &body->layout;
    struct chirr_matrix head = {.offset = l->head, .inner = l->width, .columns = CHIRR_BYTE_VALUES};
    head.inputs = features_of(body, stream, &head.input_stride);
    memset(d_features, 0, stream->filled * l->width * sizeof *d_features);
    chirr_matrix_backward(body, parameters, &head, stream->filled, stream->d_output, d_features);
    body->kernels->sum_rows(stream->filled, CHIRR_BYTE_VALUES, stream->d_output,
                            parameters->gradient + l->head_bias);
}

void chirr_codec_backward_vector_head(const struct chirr_body *body,
                                      const struct chirr_parameters *parameters,
                                      const struct chirr_layout_sense *sense,
                                      const struct chirr_stream *stream, chirr_real *d_features)
{
    const struct chirr_layout *l = &body->layout;
    size_t w = sense->inputs;
    struct chirr_matrix head = {.offset = sense->head, .inner = l->width, .columns = 2 * w};
    head.inputs = features_of(body, stream, &head.input_stride);
    memset(d_features, 0, stream->filled * l->width * sizeof *d_features);
    chirr_matrix_backward(body, parameters, &head, stream->filled, stream->d_output, d_features);
    body->kernels->sum_rows(stream->filled, 2 * w, stream->d_output,
                            parameters->gradient + sense->head_bias);
    for (size_t t = 0; t < stream->filled; t++) {
        for (size_t i = 0; i < w; i++) {
            parameters->gradient[sense->persistence + i] +=
                stream->d_output[t * 2 * w + i] * stream->input[t * w + i];
        }
    }
}

void chirr_codec_backward_embedding(const struct chirr_body *body, chirr_real *gradient,
                                    const struct chirr_stream *stream, const chirr_real *d_x)
{
    size_t d = body->layout.width;
    for (size_t t = 0; t < stream->filled; t++) {
        size_t symbol = (size_t)stream->input[t];
        chirr_real *row = gradient + body->layout.embedding + symbol * d;
        body->kernels->sum_rows(1, d, d_x + t * d, row);
    }
}

void chirr_codec_backward_encoder(const struct chirr_body *body, chirr_real *gradient,
                                  const struct chirr_layout_sense *sense,
                                  const struct chirr_stream *stream, const chirr_real *d_x)
{
    size_t d = body->layout.width;
    const struct chirr_product weights = {
        .groups = 1,
        .rows = sense->inputs,
        .inner = stream->filled,
        .columns = d,
        .x_row = 1,
        .x_inner = sense->inputs,
        .w_inner = d,
        .y_row = d,
    };
    body->kernels->product(&weights, stream->input, d_x, gradient + sense->encoder);
    body->kernels->sum_rows(stream->filled, d, d_x, gradient + sense->encoder_bias);
}
