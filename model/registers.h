/* What other origins changed: one register per origin and block, and their weighted sum.
 *
 * Blocks cut the shared coordinates, hosted partitions first and then the trunk. A register holds
 * a quantised block, and the (incarnation, version) that wrote it: the greatest wins, so that
 * repeats and reordering do no harm. The sum over origins runs in the order of their identities,
 * never of their arrival: equal registers give equal bits. Not thread-safe. */
#ifndef CHIRR_MODEL_REGISTERS_H
#define CHIRR_MODEL_REGISTERS_H

#include "base/arena.h"
#include "model/layout.h"
#include "model/quantised.h"
#include "model/real.h"

struct chirr_stamp {
    uint64_t incarnation;
    uint64_t version;
};

struct chirr_origin {
    uint64_t id; /* 0: the place is free */
    float g;
    uint32_t unused; /* 0: no padding in what is saved */
};

struct chirr_registers {
    uint32_t origins_max;
    uint32_t origin_count;
    size_t blocks;                  /* of the shared coordinates */
    struct chirr_origin *origins;   /* [origins_max] */
    uint32_t *order;                /* [origin_count] places, by ascending identity */
    struct chirr_quantised *values; /* [origins_max][blocks] */
    struct chirr_stamp *stamps;     /* [origins_max][blocks]; {0, 0} before anything came */

    /* what was last published of own change, in the same form */
    struct chirr_quantised *published; /* [blocks] */
    uint32_t *refresh; /* [partitions + 1] the block of a unit that is refreshed next */
};

size_t chirr_registers_bytes(const struct chirr_layout *layout, uint32_t origins_max);
bool chirr_registers_init(struct chirr_registers *registers, struct chirr_arena *arena,
                          const struct chirr_layout *layout, uint32_t origins_max);

/* The place of an origin, or −1. */
int32_t chirr_registers_find(const struct chirr_registers *registers, uint64_t id);

/* A place for a new origin, with g = 0 and empty registers; −1 when full. */
int32_t chirr_registers_add(struct chirr_registers *registers, uint64_t id);
void chirr_registers_remove(struct chirr_registers *registers, uint32_t place);

static inline struct chirr_quantised *chirr_registers_value(const struct chirr_registers *registers,
                                                            uint32_t place, size_t block)
{
    return &registers->values[place * registers->blocks + block];
}

/* The squared norm of a block's sum. */
double chirr_registers_squares(const struct chirr_registers *registers,
                               const struct chirr_kernels *kernels, size_t block);

#endif
