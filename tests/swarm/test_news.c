#include "swarm/news.h"

#include <criterion/criterion.h>

#include "base/random.h"

#define CAPACITY 20

static struct chirr_arena arena;
static struct chirr_news news;

static void setup(void)
{
    cr_assert_eq(chirr_arena_init(&arena, chirr_news_bytes(CAPACITY)), CHIRR_OK);
    cr_assert_eq(chirr_news_init(&news, &arena, CAPACITY), CHIRR_OK);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

Test(news, what_was_told_least_comes_first_and_equals_as_they_came, .init = setup, .fini = teardown)
{
    chirr_news_set(&news, 3, 2);
    chirr_news_set(&news, 7, 5);
    chirr_news_set(&news, 1, 5);
    chirr_news_set(&news, 9, CHIRR_NEWS_TELLINGS_MAX);
    const uint32_t order[] = {9, 7, 1, 3, CHIRR_NEWS_NONE};
    uint32_t item = chirr_news_first(&news);
    for (uint32_t i = 0; i < 5; i++) {
        cr_assert_eq(item, order[i]);
        item = item == CHIRR_NEWS_NONE ? item : chirr_news_next(&news, item);
    }
}

Test(news, what_is_set_again_goes_to_the_end_of_its_list, .init = setup, .fini = teardown)
{
    chirr_news_set(&news, 3, 1);
    chirr_news_set(&news, 4, 1);
    chirr_news_set(&news, 3, 1);
    cr_assert_eq(chirr_news_first(&news), 4);
    chirr_news_set(&news, 4, 0);
    cr_assert_eq(chirr_news_first(&news), 3);
    chirr_news_set(&news, 3, 0);
    cr_assert_eq(chirr_news_first(&news), CHIRR_NEWS_NONE);
    cr_assert_eq(news.count, 0);
}

Test(news, the_order_is_that_of_a_naive_table, .init = setup, .fini = teardown)
{
    uint32_t left[CAPACITY] = {0};
    uint32_t age[CAPACITY] = {0}; /* when it was set */
    struct chirr_random random;
    chirr_random_init(&random, 11, 0);
    for (uint32_t step = 1; step <= 5000; step++) {
        uint32_t item = (uint32_t)chirr_random_below(&random, CAPACITY);
        left[item] = (uint32_t)chirr_random_below(&random, 6);
        age[item] = step;
        chirr_news_set(&news, item, left[item]);
        uint32_t count = 0;
        uint32_t before = CHIRR_NEWS_NONE;
        for (uint32_t i = chirr_news_first(&news); i != CHIRR_NEWS_NONE;
             i = chirr_news_next(&news, i)) {
            cr_assert(before == CHIRR_NEWS_NONE || left[before] > left[i] ||
                          (left[before] == left[i] && age[before] < age[i]),
                      "step %u", step);
            cr_assert_eq(chirr_news_left(&news, i), left[i]);
            before = i;
            count++;
        }
        uint32_t expected = 0;
        for (uint32_t i = 0; i < CAPACITY; i++) {
            expected += left[i] > 0;
        }
        cr_assert_eq(count, expected, "step %u", step);
        cr_assert_eq(news.count, expected);
    }
}
