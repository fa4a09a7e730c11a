#include "swarm/schedule.h"

#include <criterion/criterion.h>

#include "base/random.h"

#define CAPACITY 40

Test(schedule, the_first_deadline_is_that_of_a_naive_table)
{
    struct chirr_arena arena;
    struct chirr_schedule schedule;
    cr_assert_eq(chirr_arena_init(&arena, chirr_schedule_bytes(CAPACITY)), CHIRR_OK);
    cr_assert_eq(chirr_schedule_init(&schedule, &arena, CAPACITY), CHIRR_OK);
    cr_assert_eq(chirr_schedule_deadline(&schedule), CHIRR_TIME_NEVER);
    chirr_time_us at[CAPACITY];
    for (uint32_t i = 0; i < CAPACITY; i++) {
        at[i] = CHIRR_TIME_NEVER;
    }
    struct chirr_random random;
    chirr_random_init(&random, 12, 0);
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t item = (uint32_t)chirr_random_below(&random, CAPACITY);
        uint64_t draw = chirr_random_below(&random, 60);
        at[item] = draw < 20 ? CHIRR_TIME_NEVER : (chirr_time_us)draw;
        chirr_schedule_set(&schedule, item, at[item]);
        uint32_t first = 0;
        for (uint32_t i = 1; i < CAPACITY; i++) {
            first = at[i] < at[first] ? i : first;
        }
        cr_assert_eq(chirr_schedule_deadline(&schedule), at[first], "step %u", step);
        cr_assert(at[first] == CHIRR_TIME_NEVER || chirr_schedule_first(&schedule) == first,
                  "step %u", step);
    }
    chirr_arena_finish(&arena);
}
