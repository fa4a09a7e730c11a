/* Encoders and heads: between what a sense delivers and the body's residual stream.
 *
 * Bytes: an embedding per symbol, and a softmax over the next byte; both belong to the trunk.
 * Vectors: a linear encoder, and per component a Gaussian of the next value: mean = persistence ·
 * last + W_m features, log-variance = 6 tanh(W_v features / 6). Values are normalised as they run.
 * Not thread-safe: gradients use the body's scratch. */
#ifndef CHIRR_MODEL_CODEC_H
#define CHIRR_MODEL_CODEC_H

#include "model/body.h"

void chirr_codec_encode_symbol(const struct chirr_body *body, const chirr_real *weights,
                               uint32_t symbol, chirr_real *x /* [D] */);
void chirr_codec_encode_vector(const struct chirr_body *body, const chirr_real *weights,
                               const struct chirr_layout_sense *sense,
                               const chirr_real *values /* [inputs] */, chirr_real *x /* [D] */);

void chirr_codec_predict_byte(const struct chirr_body *body, const chirr_real *weights,
                              const chirr_real *features /* [D] */,
                              chirr_real *probabilities /* [256] */);

/* Turns the prediction into the gradient of its loss; returns the loss in nats. */
double chirr_codec_score_byte(uint8_t byte, chirr_real *probabilities /* [256] */);

/* outputs [2w]: means, then log-variances before their bound. */
void chirr_codec_predict_vector(const struct chirr_body *body, const chirr_real *weights,
                                const struct chirr_layout_sense *sense,
                                const chirr_real *features /* [D] */,
                                const chirr_real *last /* [w] */, chirr_real *outputs);

/* As chirr_codec_score_byte, mean over the components that are `present`; 0 where none is. */
double chirr_codec_score_vector(size_t width, const chirr_real *values, const bool *present,
                                chirr_real *outputs /* [2w] */);

/* Adds the gradients of the head over the open chunk; d_features [filled][D] is overwritten. */
void chirr_codec_backward_byte_head(const struct chirr_body *body,
                                    const struct chirr_parameters *parameters,
                                    const struct chirr_stream *stream, chirr_real *d_features);
void chirr_codec_backward_vector_head(const struct chirr_body *body,
                                      const struct chirr_parameters *parameters,
                                      const struct chirr_layout_sense *sense,
                                      const struct chirr_stream *stream, chirr_real *d_features);

/* Adds the gradients of the encoder from that of the encoded inputs, [filled][D]. */
void chirr_codec_backward_embedding(const struct chirr_body *body, chirr_real *gradient,
                                    const struct chirr_stream *stream, const chirr_real *d_x);
void chirr_codec_backward_encoder(const struct chirr_body *body, chirr_real *gradient,
                                  const struct chirr_layout_sense *sense,
                                  const struct chirr_stream *stream, const chirr_real *d_x);

#endif
