/* Encoders and heads: between what a sense delivers and the body's residual stream.
 *
 * Symbols (bytes, audio, pixels): an embedding per symbol, and a softmax over the next byte; those
 * of bytes belong to the trunk, others to their sense. To bytes the rows of the last two, of three
 * and of the word so far in hashed tables are added, each to columns of its own ("hash n-gram
 * embeddings": Pagnoni et al., "Byte Latent Transformer", arXiv 2412.09871, section 3.2.1;
 * deviation: narrow rows, and the word). Pixels add a linear encoder of where they are. Vectors: a
 * linear encoder, and per component a Gaussian of the next value: mean = persistence · last + W_m
 * features, log-variance = 6 tanh(W_v features / 6). Values are normalised as they run. Every input
 * gets its sense's tag added. What a stream's steps read lies in its `input`; what heads say, and
 * then the gradient of the loss, in its `d_output`. Not thread-safe: gradients use the body's
 * scratch. */
#ifndef CHIRR_MODEL_CODEC_H
#define CHIRR_MODEL_CODEC_H

#include "model/body.h"

/* x [steps][D] of a span, from its stream's inputs. */
void chirr_codec_encode(const struct chirr_body *body, const struct chirr_weights *weights,
                        const struct chirr_layout_sense *sense, const struct chirr_span *span,
                        chirr_real *x);

/* The span's outputs: probabilities of the next symbol, [steps][256]. */
void chirr_codec_predict_symbols(const struct chirr_body *body, const struct chirr_weights *weights,
                                 const struct chirr_layout_sense *sense,
                                 const struct chirr_span *span);

/* Turns the prediction into the gradient of its loss; returns the loss in nats. */
double chirr_codec_score_byte(uint8_t byte, chirr_real *probabilities /* [256] */);

/* The span's outputs, [steps][2w]: means, then log-variances before their bound. */
void chirr_codec_predict_vectors(const struct chirr_body *body, const struct chirr_weights *weights,
                                 const struct chirr_layout_sense *sense,
                                 const struct chirr_span *span);

/* What a log-variance is before its bound, and after. */
chirr_real chirr_codec_log_variance(chirr_real output);

/* As chirr_codec_score_byte, mean over the components that are `judged`; 0 where none is. */
double chirr_codec_score_vector(size_t width, const chirr_real *values, const bool *judged,
                                chirr_real *outputs /* [2w] */);

/* Gradients of a sense's head over the open chunk; writes d_features [filled][D]. */
void chirr_codec_backward_head(const struct chirr_backward *pass,
                               const struct chirr_layout_sense *sense, chirr_real *d_features);

/* Gradients of a sense's encoder from those of the encoded inputs, d_x [filled][D]. */
void chirr_codec_backward_encoder(const struct chirr_backward *pass,
                                  const struct chirr_layout_sense *sense, const chirr_real *d_x);

#endif
