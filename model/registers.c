#include "model/registers.h"

#include <string.h>

size_t chirr_registers_bytes(const struct chirr_layout *layout, uint32_t origins_max)
{
    size_t blocks = layout->shared_end / CHIRR_LAYOUT_BLOCK;
    size_t all = blocks * origins_max;
    return chirr_arena_round(origins_max * sizeof(struct chirr_origin)) +
           chirr_arena_round(origins_max * sizeof(uint32_t)) +
           chirr_arena_round(all * sizeof(struct chirr_quantised)) +
           chirr_arena_round(all * sizeof(struct chirr_stamp)) +
           chirr_arena_round(blocks * sizeof(struct chirr_quantised)) +
           chirr_arena_round((layout->hosted_count + 1) * sizeof(uint32_t));
}

bool chirr_registers_init(struct chirr_registers *r, struct chirr_arena *arena,
                          const struct chirr_layout *layout, uint32_t origins_max)
{
    size_t blocks = layout->shared_end / CHIRR_LAYOUT_BLOCK;
    size_t all = blocks * origins_max;
    *r = (struct chirr_registers){.origins_max = origins_max, .blocks = blocks};
    r->origins = chirr_arena_take(arena, origins_max, sizeof *r->origins);
    r->order = chirr_arena_take(arena, origins_max, sizeof *r->order);
    r->values = chirr_arena_take(arena, all, sizeof *r->values);
    r->stamps = chirr_arena_take(arena, all, sizeof *r->stamps);
    r->published = chirr_arena_take(arena, blocks, sizeof *r->published);
    r->refresh = chirr_arena_take(arena, layout->hosted_count + 1, sizeof *r->refresh);
    return r->origins != NULL && r->order != NULL && r->values != NULL && r->stamps != NULL &&
           r->published != NULL && r->refresh != NULL;
}

int32_t chirr_registers_find(const struct chirr_registers *r, uint64_t id)
{
    for (uint32_t i = 0; i < r->origin_count; i++) {
        if (r->origins[r->order[i]].id == id) {
            return (int32_t)r->order[i];
        }
    }
    return -1;
}

int32_t chirr_registers_add(struct chirr_registers *r, uint64_t id)
{
    if (r->origin_count == r->origins_max) {
        return -1;
    }
    uint32_t place = 0;
    while (r->origins[place].id != 0) {
        place++;
    }
    r->origins[place] = (struct chirr_origin){.id = id};
    memset(chirr_registers_value(r, place, 0), 0, r->blocks * sizeof *r->values);
    memset(r->stamps + place * r->blocks, 0, r->blocks * sizeof *r->stamps);
    uint32_t at = r->origin_count++;
    for (; at > 0 && r->origins[r->order[at - 1]].id > id; at--) {
        r->order[at] = r->order[at - 1];
    }
    r->order[at] = place;
    return (int32_t)place;
}

void chirr_registers_remove(struct chirr_registers *r, uint32_t place)
{
    r->origins[place] = (struct chirr_origin){0};
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->origin_count; i++) {
        if (r->order[i] != place) {
            r->order[kept++] = r->order[i];
        }
    }
    r->origin_count = kept;
}

double chirr_registers_squares(const struct chirr_registers *r, const struct chirr_kernels *kernels,
                               size_t block)
{
    chirr_real sum[CHIRR_LAYOUT_BLOCK] = {0};
    for (uint32_t i = 0; i < r->origin_count; i++) {
        uint32_t place = r->order[i];
        chirr_quantised_add(kernels, chirr_registers_value(r, place, block), r->origins[place].g,
                            sum);
    }
    return kernels->sum_squares(CHIRR_LAYOUT_BLOCK, sum);
}
