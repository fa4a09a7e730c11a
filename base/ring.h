/* A bounded first-in-first-out ring of equal-sized elements that counts what it refuses.
 *
 * Overflow policy is the caller's, per push: `_push` refuses the new element, `_push_evict` drops
 * the oldest. Both count in `dropped`. Not thread-safe. */
#ifndef CHIRR_BASE_RING_H
#define CHIRR_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct chirr_ring {
    uint8_t *elements; /* [capacity][element_bytes], from the arena */
    size_t element_bytes;
    size_t capacity;
    size_t head; /* index of the oldest */
    size_t count;
    uint64_t dropped;
};

size_t chirr_ring_bytes(size_t capacity, size_t element_bytes);

CHIRR_NODISCARD enum chirr_err chirr_ring_init(struct chirr_ring *ring, struct chirr_arena *arena,
                                               size_t capacity, size_t element_bytes);

/* Copies `element` in; false, and one more `dropped`, when full. */
bool chirr_ring_push(struct chirr_ring *ring, const void *element);

/* Copies `element` in, dropping the oldest when full; false when it had to. */
bool chirr_ring_push_evict(struct chirr_ring *ring, const void *element);

/* Copies the oldest out and removes it; false when empty. */
bool chirr_ring_pop(struct chirr_ring *ring, void *element);

/* The index-th oldest, borrowed until the next push or pop; `index` < count. */
void *chirr_ring_at(const struct chirr_ring *ring, size_t index);

#endif
