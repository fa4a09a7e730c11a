/* The parameters by name and shape, for export and for looking at them.
 *
 * Names are "layers.0.partition.3.history", "layers.0.gain_mlp", "embedding",
 * "senses.load.encoder"; partitions keep the number that they have in the whole model, whatever is
 * hosted. Order and shapes are those of model/layout.h; every parameter belongs to exactly one
 * tensor. Not thread-safe. */
#ifndef CHIRR_MODEL_TENSORS_H
#define CHIRR_MODEL_TENSORS_H

#include "model/model.h"

#define CHIRR_TENSOR_NAME_BYTES_MAX 64
#define CHIRR_TENSOR_RANK_MAX 2

struct chirr_tensor {
    char name[CHIRR_TENSOR_NAME_BYTES_MAX];
    uint32_t rank;
    size_t shape[CHIRR_TENSOR_RANK_MAX]; /* row by row: the last index runs fastest */
    size_t count;                        /* of its numbers: the product */
    size_t offset;                       /* in the parameter array */
};

size_t chirr_tensor_count(const struct chirr_model *model);

/* False from chirr_tensor_count on. */
bool chirr_tensor_describe(const struct chirr_model *model, size_t index,
                           struct chirr_tensor *tensor);

/* The live weights, or their slow average, as the model reads them: what others changed included.
 */
void chirr_tensor_read(struct chirr_model *model, const struct chirr_tensor *tensor, bool averaged,
                       float *values /* [tensor->count] */);

#endif
