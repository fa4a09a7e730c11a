/* The weights as a view: genesis, what others changed, what was learned here. */
#include <string.h>

#include "model/genesis.h"
#include "model/internal.h"

void chirr_model_weigh(struct chirr_model *model, const chirr_real *own, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        model->weights[i] = model->base[i] + own[i];
    }
    if (model->narrow != NULL) {
        model->body.kernels->narrow(end - begin, model->weights + begin, model->narrow + begin);
    }
}

static void build_block(struct chirr_model *model, size_t block)
{
    chirr_real foreign[CHIRR_LAYOUT_BLOCK];
    size_t at = block * CHIRR_LAYOUT_BLOCK;
    chirr_registers_sum(&model->registers, model->body.kernels, block, foreign);
    chirr_genesis_fill(&model->config, &model->body.layout, at, CHIRR_LAYOUT_BLOCK,
                       model->base + at);
    for (size_t i = 0; i < CHIRR_LAYOUT_BLOCK; i++) {
        model->base[at + i] += foreign[i];
    }
    chirr_model_weigh(model, model->own, at, at + CHIRR_LAYOUT_BLOCK);
    model->stale[block] = false;
}

void chirr_model_settle(struct chirr_model *model)
{
    for (size_t block = 0; model->any_stale && block < model->registers.blocks; block++) {
        if (model->stale[block]) {
            build_block(model, block);
        }
    }
    model->any_stale = false;
}

void chirr_model_rebuild(struct chirr_model *model)
{
    const struct chirr_layout *l = &model->body.layout;
    memset(model->stale, true, model->registers.blocks);
    model->any_stale = true;
    chirr_model_settle(model);
    chirr_genesis_fill(&model->config, l, l->shared_end, l->total - l->shared_end,
                       model->base + l->shared_end);
    chirr_model_weigh(model, model->own, l->shared_end, l->total);
}
