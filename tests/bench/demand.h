/* The arrays of a baseline, listed once: how much memory they take, and where they go. */
#ifndef CHIRR_TESTS_BENCH_DEMAND_H
#define CHIRR_TESTS_BENCH_DEMAND_H

#include <stdbool.h>

#include "base/arena.h"
#include "model/real.h"

struct demand {
    chirr_real **array;
    size_t count;
};

static inline size_t demand_bytes(const struct demand *demands, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += chirr_arena_round(demands[i].count * sizeof(chirr_real));
    }
    return bytes;
}

/* False when the arena is too small. */
static inline bool demand_take(const struct demand *demands, size_t count,
                               struct chirr_arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        *demands[i].array = chirr_arena_take(arena, demands[i].count, sizeof(chirr_real));
        if (*demands[i].array == NULL) {
            return false;
        }
    }
    return true;
}

#endif
