/* An indexed binary heap of deadlines. */
#include "swarm/schedule.h"

#include <stdbool.h>

size_t chirr_schedule_bytes(uint32_t capacity)
{
    return chirr_arena_round(capacity * sizeof(struct chirr_schedule_entry)) +
           chirr_arena_round(capacity * sizeof(uint32_t));
}

enum chirr_err chirr_schedule_init(struct chirr_schedule *schedule, struct chirr_arena *arena,
                                   uint32_t capacity)
{
    *schedule = (struct chirr_schedule){.capacity = capacity};
    schedule->heap = chirr_arena_take(arena, capacity, sizeof *schedule->heap);
    schedule->places = chirr_arena_take(arena, capacity, sizeof *schedule->places);
    return schedule->heap == NULL || schedule->places == NULL ? CHIRR_ERR_NOMEM : CHIRR_OK;
}

static bool is_before(struct chirr_schedule_entry a, struct chirr_schedule_entry b)
{
    return a.at != b.at ? a.at < b.at : a.item < b.item;
}

static void put(struct chirr_schedule *schedule, uint32_t place, struct chirr_schedule_entry entry)
{
    schedule->heap[place] = entry;
    schedule->places[entry.item] = place + 1;
}

/* Finds `entry` its place from the hole at `place`, upwards or downwards. */
static void settle(struct chirr_schedule *schedule, uint32_t place,
                   struct chirr_schedule_entry entry)
{
    while (place > 0 && is_before(entry, schedule->heap[(place - 1) / 2])) {
        put(schedule, place, schedule->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child + 1 < schedule->count &&
            is_before(schedule->heap[child + 1], schedule->heap[child])) {
            child++;
        }
        if (child >= schedule->count || !is_before(schedule->heap[child], entry)) {
            break;
        }
        put(schedule, place, schedule->heap[child]);
        place = child;
    }
    put(schedule, place, entry);
}

static void cancel(struct chirr_schedule *schedule, uint32_t item)
{
    uint32_t place = schedule->places[item] - 1;
    schedule->places[item] = 0;
    schedule->count--;
    if (place < schedule->count) {
        settle(schedule, place, schedule->heap[schedule->count]);
    }
}

void chirr_schedule_set(struct chirr_schedule *schedule, uint32_t item, chirr_time_us at)
{
    CHIRR_ASSERT(item < schedule->capacity);
    bool scheduled = schedule->places[item] != 0;
    if (at == CHIRR_TIME_NEVER) {
        if (scheduled) {
            cancel(schedule, item);
        }
        return;
    }
    uint32_t place = scheduled ? schedule->places[item] - 1 : schedule->count++;
    settle(schedule, place, (struct chirr_schedule_entry){at, item});
}

chirr_time_us chirr_schedule_deadline(const struct chirr_schedule *schedule)
{
    return schedule->count == 0 ? CHIRR_TIME_NEVER : schedule->heap[0].at;
}

uint32_t chirr_schedule_first(const struct chirr_schedule *schedule)
{
    CHIRR_ASSERT(schedule->count > 0);
    return schedule->heap[0].item;
}
