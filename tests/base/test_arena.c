#include "base/arena.h"

#include <criterion/criterion.h>

Test(arena, hands_out_zeroed_aligned_memory_that_does_not_overlap)
{
    struct chirr_arena arena;
    cr_assert_eq(chirr_arena_init(&arena, 1024), CHIRR_OK);
    unsigned char *a = chirr_arena_take(&arena, 3, 7);
    unsigned char *b = chirr_arena_take(&arena, 1, 64);
    cr_assert_not_null(a);
    cr_assert_not_null(b);
    cr_assert_eq((uintptr_t)a % CHIRR_ARENA_ALIGN, 0);
    cr_assert_eq((uintptr_t)b % CHIRR_ARENA_ALIGN, 0);
    cr_assert_geq(b, a + 21);
    for (int i = 0; i < 21; i++) {
        cr_assert_eq(a[i], 0);
    }
    chirr_arena_finish(&arena);
}

Test(arena, refuses_what_does_not_fit_and_keeps_what_it_has)
{
    struct chirr_arena arena;
    cr_assert_eq(chirr_arena_init(&arena, 128), CHIRR_OK);
    cr_assert_not_null(chirr_arena_take(&arena, 1, 64));
    cr_assert_null(chirr_arena_take(&arena, 1, 65));
    cr_assert_not_null(chirr_arena_take(&arena, 1, 64));
    cr_assert_null(chirr_arena_take(&arena, 1, 1));
    chirr_arena_finish(&arena);
}

Test(arena, refuses_a_product_that_overflows)
{
    struct chirr_arena arena;
    cr_assert_eq(chirr_arena_init(&arena, 128), CHIRR_OK);
    cr_assert_null(chirr_arena_take(&arena, SIZE_MAX / 2, 3));
    cr_assert_null(chirr_arena_take(&arena, SIZE_MAX, 1));
    chirr_arena_finish(&arena);
}

Test(arena, finish_takes_null_and_a_finished_arena)
{
    struct chirr_arena arena;
    cr_assert_eq(chirr_arena_init(&arena, 1), CHIRR_OK);
    chirr_arena_finish(&arena);
    chirr_arena_finish(&arena);
    chirr_arena_finish(NULL);
}
