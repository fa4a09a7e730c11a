/* Deadlines of slots: a binary heap that knows where each slot stands in it, so that a deadline is
 * set, moved and cancelled in O(log n) and the earliest is known in O(1). Ties go to the smaller
 * index.
 *
 * Internal to membership. Not thread-safe; no allocation after init. */
#ifndef CHIRR_SWARM_SCHEDULE_H
#define CHIRR_SWARM_SCHEDULE_H

#include "base/arena.h"
#include "base/time.h"

struct chirr_schedule_entry {
    chirr_time_us at;
    uint32_t item;
};

struct chirr_schedule {
    uint32_t capacity;
    uint32_t count;
    struct chirr_schedule_entry *heap; /* [capacity], [count] of it in use */
    uint32_t *places;                  /* [capacity], by item: place in the heap + 1; 0: in none */
};

size_t chirr_schedule_bytes(uint32_t capacity);
CHIRR_NODISCARD enum chirr_err chirr_schedule_init(struct chirr_schedule *schedule,
                                                   struct chirr_arena *arena, uint32_t capacity);

/* CHIRR_TIME_NEVER: cancelled. `item` < capacity. */
void chirr_schedule_set(struct chirr_schedule *schedule, uint32_t item, chirr_time_us at);

/* CHIRR_TIME_NEVER when nothing is due at all. */
chirr_time_us chirr_schedule_deadline(const struct chirr_schedule *schedule);
/* Whose deadline that is; only while there is one. */
uint32_t chirr_schedule_first(const struct chirr_schedule *schedule);

#endif
