/* Many models of one shape, stepped together: a simulation's agents, a sweep's seeds.
 *
 * A batch makes its models from one arena, in one workspace (workspace.h), and each remains a whole
 * model: deltas, forecasts, vectors, outcomes and checkpoints work on it as ever, through
 * chirr_batch_model. chirr_batch_step_bytes steps all of them in one call, each with bytes of its
 * own, to the same bits as one by one. Models are taken one after the other, a chunk's steps of one
 * at a time: its weights are read once, while the scratch that all use stays in the first caches.
 *
 * Deviation from interleaving models over the lanes of a vector: measured on the simulator's tiny
 * shape, arithmetic is a small part of an agent's time (docs/model.md, "Many models of one shape"),
 * and parameters that lie apart would have to be brought together for every delta and checkpoint.
 *
 * Ownership: the arena's. Not thread-safe: one owner of the batch and all its models. */
#ifndef CHIRR_MODEL_BATCH_H
#define CHIRR_MODEL_BATCH_H

#include "model/workspace.h"

struct chirr_batch;

/* Bytes of arena that `chirr_batch_create` takes. */
size_t chirr_batch_bytes(const struct chirr_model_config *config, uint32_t count);

/* NULL when the arena is too small. `config` must be valid, `count` at least 1. */
struct chirr_batch *chirr_batch_create(struct chirr_arena *arena,
                                       const struct chirr_model_config *config, uint32_t count);

uint32_t chirr_batch_count(const struct chirr_batch *batch);

/* One of the models, `index` < count; borrowed. */
struct chirr_model *chirr_batch_model(struct chirr_batch *batch, uint32_t index);

/* What one of the models reads. */
struct chirr_batch_bytes {
    const uint8_t *bytes; /* [count] */
    size_t count;         /* 0: it does nothing */
};

/* chirr_model_step_bytes of every model. CHIRR_ERR_INVALID: not a sense of symbols; nothing was
 * read. */
CHIRR_NODISCARD enum chirr_err
chirr_batch_step_bytes(struct chirr_batch *batch, uint32_t sense,
                       const struct chirr_batch_bytes *inputs /* [count] */,
                       struct chirr_model_reading *readings /* [count] */);

#endif
