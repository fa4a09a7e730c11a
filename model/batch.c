#include "model/batch.h"

struct chirr_batch {
    struct chirr_workspace *workspace;
    uint32_t count;
    struct chirr_model **models; /* [count] */
};

size_t chirr_batch_bytes(const struct chirr_model_config *config, uint32_t count)
{
    return chirr_arena_round(sizeof(struct chirr_batch)) + chirr_workspace_bytes(config) +
           chirr_arena_round(count * sizeof(struct chirr_model *)) +
           count * chirr_model_bytes_within(config);
}

struct chirr_batch *chirr_batch_create(struct chirr_arena *arena,
                                       const struct chirr_model_config *config, uint32_t count)
{
    CHIRR_ASSERT(count > 0);
    struct chirr_batch *batch = chirr_arena_take(arena, 1, sizeof *batch);
    if (batch == NULL) {
        return NULL;
    }
    batch->count = count;
    batch->workspace = chirr_workspace_create(arena, config);
    batch->models = chirr_arena_take(arena, count, sizeof *batch->models);
    bool taken = batch->workspace != NULL && batch->models != NULL;
    for (uint32_t i = 0; taken && i < count; i++) {
        batch->models[i] = chirr_model_create_within(arena, config, batch->workspace);
        taken = batch->models[i] != NULL;
    }
    return taken ? batch : NULL;
}

uint32_t chirr_batch_count(const struct chirr_batch *batch)
{
    return batch->count;
}

struct chirr_model *chirr_batch_model(struct chirr_batch *batch, uint32_t index)
{
    CHIRR_ASSERT(index < batch->count);
    return batch->models[index];
}

enum chirr_err chirr_batch_step_bytes(struct chirr_batch *batch, uint32_t sense,
                                      const struct chirr_batch_bytes *inputs,
                                      struct chirr_model_reading *readings)
{
    enum chirr_err err = CHIRR_OK;
    for (uint32_t i = 0; err == CHIRR_OK && i < batch->count; i++) {
        /* models of one shape have the same senses: what the first refuses, all would */
        err = chirr_model_step_bytes(batch->models[i], sense, inputs[i].bytes, inputs[i].count,
                                     &readings[i]);
    }
    return err;
}
