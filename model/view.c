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

/* Blocks that are built together: their sums stay in the first cache while registers are read in
 * the order in which they lie in memory, origin by origin. */
#define STRETCH_BLOCKS 32

/* Foreign change of the stale blocks among [begin, end), into `base`. */
static void sum_foreign(struct chirr_model *model, size_t begin, size_t end)
{
    const struct chirr_registers *r = &model->registers;
    for (size_t block = begin; block < end; block++) {
        if (model->stale[block]) {
            memset(model->base + block * CHIRR_LAYOUT_BLOCK, 0,
                   CHIRR_LAYOUT_BLOCK * sizeof *model->base);
        }
    }
    for (uint32_t i = 0; i < r->origin_count; i++) {
        uint32_t place = r->order[i];
        for (size_t block = begin; block < end; block++) {
            if (model->stale[block]) {
                chirr_quantised_add(model->body.kernels, chirr_registers_value(r, place, block),
                                    r->origins[place].g, model->base + block * CHIRR_LAYOUT_BLOCK);
            }
        }
    }
}

/* Adds genesis to what others changed of a block. */
static void add_genesis(struct chirr_model *model, size_t at)
{
    chirr_real drawn[CHIRR_LAYOUT_BLOCK];
    const chirr_real *genesis = drawn;
    if (model->genesis != NULL) {
        genesis = model->genesis + at;
    } else {
        chirr_genesis_fill(&model->config, &model->body.layout, at, CHIRR_LAYOUT_BLOCK, drawn);
    }
    for (size_t i = 0; i < CHIRR_LAYOUT_BLOCK; i++) {
        model->base[at + i] = genesis[i] + model->base[at + i];
    }
}

static void build_stretch(struct chirr_model *model, size_t begin, size_t end)
{
    bool own_base = model->base != model->genesis;
    if (own_base) {
        sum_foreign(model, begin, end);
    }
    for (size_t block = begin; block < end; block++) {
        size_t at = block * CHIRR_LAYOUT_BLOCK;
        if (model->stale[block]) {
            if (own_base) {
                model->foreign_squares[block] =
                    model->body.kernels->sum_squares(CHIRR_LAYOUT_BLOCK, model->base + at);
                add_genesis(model, at);
            }
            chirr_model_weigh(model, model->own, at, at + CHIRR_LAYOUT_BLOCK);
        }
    }
    memset(model->stale + begin, false, (end - begin) * sizeof *model->stale);
}

void chirr_model_settle(struct chirr_model *model)
{
    size_t blocks = model->registers.blocks;
    for (size_t begin = 0; model->any_stale && begin < blocks; begin += STRETCH_BLOCKS) {
        size_t end = begin + STRETCH_BLOCKS < blocks ? begin + STRETCH_BLOCKS : blocks;
        if (memchr(model->stale + begin, true, end - begin) != NULL) {
            build_stretch(model, begin, end);
        }
    }
    model->any_stale = false;
}

double chirr_model_foreign_squares(const struct chirr_model *model)
{
    const struct chirr_registers *r = &model->registers;
    double squares = 0;
    for (size_t block = 0; block < r->blocks && r->origin_count > 0; block++) {
        squares += model->stale[block] ? chirr_registers_squares(r, model->body.kernels, block)
                                       : model->foreign_squares[block];
    }
    return squares;
}

void chirr_model_rebuild(struct chirr_model *model)
{
    const struct chirr_layout *l = &model->body.layout;
    memset(model->stale, true, model->registers.blocks);
    model->any_stale = true;
    chirr_model_settle(model);
    size_t private_count = l->total - l->shared_end;
    if (model->genesis == NULL) {
        chirr_genesis_fill(&model->config, l, l->shared_end, private_count,
                           model->base + l->shared_end);
    } else if (model->base != model->genesis) {
        memcpy(model->base + l->shared_end, model->genesis + l->shared_end,
               private_count * sizeof *model->base);
    }
    chirr_model_weigh(model, model->own, l->shared_end, l->total);
}
