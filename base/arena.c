/* Bump allocation from one block. */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

size_t chirr_arena_round(size_t bytes)
{
    return (bytes + CHIRR_ARENA_ALIGN - 1) / CHIRR_ARENA_ALIGN * CHIRR_ARENA_ALIGN;
}

enum chirr_err chirr_arena_init(struct chirr_arena *arena, size_t capacity)
{
    memset(arena, 0, sizeof *arena);
    size_t rounded = chirr_arena_round(capacity == 0 ? 1 : capacity);
    size_t bytes = rounded + CHIRR_ARENA_ALIGN;
    if (rounded < capacity || bytes < rounded) {
        return CHIRR_ERR_NOMEM;
    }
    /* Not aligned_alloc: fresh pages are zero already, and calloc knows it. */
    arena->block = calloc(1, bytes);
    if (arena->block == NULL) {
        return CHIRR_ERR_NOMEM;
    }
    size_t past = (uintptr_t)arena->block % CHIRR_ARENA_ALIGN;
    arena->base = (uint8_t *)arena->block + (CHIRR_ARENA_ALIGN - past) % CHIRR_ARENA_ALIGN;
    arena->capacity = rounded;
    return CHIRR_OK;
}

void chirr_arena_finish(struct chirr_arena *arena)
{
    if (arena == NULL) {
        return;
    }
    free(arena->block);
    memset(arena, 0, sizeof *arena);
}

void *chirr_arena_take(struct chirr_arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    size_t bytes = chirr_arena_round(count * size);
    if (bytes < count * size || bytes > arena->capacity - arena->used) {
        return NULL;
    }
    void *memory = arena->base + arena->used;
    arena->used += bytes;
    return memory;
}
