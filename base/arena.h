/* One block of memory, handed out in order and given back all at once.
 *
 * A machine takes everything it needs from an arena when it is created; after that nothing
 * allocates. The size of an arena is computed first (`…_bytes(&config)`) and never grows.
 * Not thread-safe: one owner. */
#ifndef CHIRR_BASE_ARENA_H
#define CHIRR_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Every allocation is aligned to a cache line, so that kernels may assume it. */
#define CHIRR_ARENA_ALIGN ((size_t)64)

struct chirr_arena {
    uint8_t *base;
    size_t capacity; /* bytes */
    size_t used;     /* bytes, a multiple of CHIRR_ARENA_ALIGN */
    void *block;     /* owned; `base` is its first aligned byte. NULL: the memory is another's */
};

/* Bytes that an allocation of `bytes` takes from an arena. */
size_t chirr_arena_round(size_t bytes);

/* Takes `capacity` zeroed bytes from the heap, untouched: what is never used of a large arena costs
 * no memory. CHIRR_ERR_NOMEM leaves an empty arena. */
CHIRR_NODISCARD enum chirr_err chirr_arena_init(struct chirr_arena *arena, size_t capacity);

/* Gives the block back. Takes NULL and finished arenas. */
void chirr_arena_finish(struct chirr_arena *arena);

/* `count` zeroed elements of `size` bytes; NULL when the arena is exhausted or the product
 * overflows. */
void *chirr_arena_take(struct chirr_arena *arena, size_t count, size_t size);

#endif
