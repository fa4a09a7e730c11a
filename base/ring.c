/* The bounded ring. */
#include "base/ring.h"

#include <string.h>

size_t chirr_ring_bytes(size_t capacity, size_t element_bytes)
{
    return chirr_arena_round(capacity * element_bytes);
}

enum chirr_err chirr_ring_init(struct chirr_ring *ring, struct chirr_arena *arena, size_t capacity,
                               size_t element_bytes)
{
    CHIRR_ASSERT(capacity > 0);
    CHIRR_ASSERT(element_bytes > 0);
    memset(ring, 0, sizeof *ring);
    ring->elements = chirr_arena_take(arena, capacity, element_bytes);
    if (ring->elements == NULL) {
        return CHIRR_ERR_NOMEM;
    }
    ring->capacity = capacity;
    ring->element_bytes = element_bytes;
    return CHIRR_OK;
}

void *chirr_ring_at(const struct chirr_ring *ring, size_t index)
{
    CHIRR_ASSERT(index < ring->count);
    return ring->elements + (ring->head + index) % ring->capacity * ring->element_bytes;
}

bool chirr_ring_push(struct chirr_ring *ring, const void *element)
{
    if (ring->count == ring->capacity) {
        ring->dropped++;
        return false;
    }
    ring->count++;
    memcpy(chirr_ring_at(ring, ring->count - 1), element, ring->element_bytes);
    return true;
}

bool chirr_ring_push_evict(struct chirr_ring *ring, const void *element)
{
    bool room = ring->count < ring->capacity;
    if (!room) {
        ring->head = (ring->head + 1) % ring->capacity;
        ring->count--;
        ring->dropped++;
    }
    chirr_ring_push(ring, element);
    return room;
}

bool chirr_ring_pop(struct chirr_ring *ring, void *element)
{
    if (ring->count == 0) {
        return false;
    }
    memcpy(element, chirr_ring_at(ring, 0), ring->element_bytes);
    ring->head = (ring->head + 1) % ring->capacity;
    ring->count--;
    return true;
}
