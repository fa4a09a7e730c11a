#include "base/ring.h"

#include <criterion/criterion.h>

#include "base/random.h"

static struct chirr_arena arena;

static void setup(void)
{
    cr_assert_eq(chirr_arena_init(&arena, 4096), CHIRR_OK);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(ring, .init = setup, .fini = teardown);

Test(ring, a_full_ring_refuses_and_counts)
{
    struct chirr_ring ring;
    cr_assert_eq(chirr_ring_init(&ring, &arena, 2, sizeof(int)), CHIRR_OK);
    cr_assert(chirr_ring_push(&ring, &(int){1}));
    cr_assert(chirr_ring_push(&ring, &(int){2}));
    cr_assert_not(chirr_ring_push(&ring, &(int){3}));
    cr_assert_eq(ring.dropped, 1);
    cr_assert_eq(*(int *)chirr_ring_at(&ring, 0), 1);
}

Test(ring, evicting_drops_the_oldest_and_counts)
{
    struct chirr_ring ring;
    cr_assert_eq(chirr_ring_init(&ring, &arena, 2, sizeof(int)), CHIRR_OK);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(chirr_ring_push_evict(&ring, &i), i < 2);
    }
    cr_assert_eq(ring.dropped, 3);
    int value;
    cr_assert(chirr_ring_pop(&ring, &value));
    cr_assert_eq(value, 3);
}

/* Random pushes and pops against a plain array that always tells the truth. */
Test(ring, agrees_with_a_plain_queue_over_random_operations)
{
    struct chirr_ring ring;
    cr_assert_eq(chirr_ring_init(&ring, &arena, 7, sizeof(int)), CHIRR_OK);
    int truth[20000];
    int head = 0;
    int tail = 0;
    struct chirr_random random;
    chirr_random_init(&random, 11, 0);
    for (int i = 0; i < 20000; i++) {
        int value;
        if (chirr_random_below(&random, 2) == 0) {
            bool pushed = chirr_ring_push(&ring, &i);
            cr_assert_eq(pushed, tail - head < 7);
            if (pushed) {
                truth[tail++] = i;
            }
        } else if (chirr_ring_pop(&ring, &value)) {
            cr_assert_lt(head, tail);
            cr_assert_eq(value, truth[head++]);
        } else {
            cr_assert_eq(head, tail);
        }
        cr_assert_eq(ring.count, (size_t)(tail - head));
    }
}
