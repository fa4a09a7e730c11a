#include "swarm/view.h"

#include <criterion/criterion.h>

#define COUNT 6

static struct chirr_arena arena;
static struct chirr_view view;
static struct chirr_random random_stream;

static void setup(void)
{
    cr_assert_eq(chirr_arena_init(&arena, chirr_view_bytes(COUNT)), CHIRR_OK);
    cr_assert_eq(chirr_view_init(&view, &arena, COUNT), CHIRR_OK);
    chirr_random_init(&random_stream, 3, 0);
    const chirr_agent_id agents[COUNT] = {40, 10, 60, 30, 20, 50};
    for (uint32_t i = 0; i < COUNT; i++) {
        cr_assert(chirr_view_add(&view, agents[i]));
    }
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(view, .init = setup, .fini = teardown);

Test(view, is_ascending_and_holds_everybody_once)
{
    cr_assert_not(chirr_view_add(&view, 30));
    cr_assert_eq(view.count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        cr_assert_eq(view.agents[i], (i + 1) * 10);
    }
    cr_assert(chirr_view_remove(&view, 30));
    cr_assert_not(chirr_view_remove(&view, 30));
    cr_assert_not(chirr_view_has(&view, 30));
    cr_assert_eq(view.count, COUNT - 1);
}

Test(view, picks_everybody_equally_often_but_the_exception)
{
    uint32_t picks[COUNT + 1] = {0};
    for (uint32_t i = 0; i < 10000; i++) {
        picks[chirr_view_pick(&view, &random_stream, 20) / 10]++;
    }
    cr_assert_eq(picks[2], 0);
    for (uint32_t i = 1; i <= COUNT; i++) {
        cr_assert(i == 2 || (picks[i] > 1800 && picks[i] < 2200), "%u: %u", i, picks[i]);
    }
}

Test(view, there_is_nobody_to_pick_but_the_exception)
{
    while (view.count > 1) {
        chirr_view_remove(&view, view.agents[0]);
    }
    cr_assert_eq(chirr_view_pick(&view, &random_stream, 60), 0);
    cr_assert_eq(chirr_view_pick(&view, &random_stream, 0), 60);
    chirr_view_remove(&view, 60);
    cr_assert_eq(chirr_view_pick(&view, &random_stream, 0), 0);
}

Test(view, samples_different_ones_each_place_equally_often)
{
    uint32_t first[COUNT + 1] = {0};
    for (uint32_t i = 0; i < 10000; i++) {
        chirr_agent_id sample[3];
        cr_assert_eq(chirr_view_sample(&view, &random_stream, 20, sample, 3), 3);
        cr_assert(sample[0] != sample[1] && sample[1] != sample[2] && sample[0] != sample[2]);
        cr_assert(sample[0] != 20 && sample[1] != 20 && sample[2] != 20);
        first[sample[0] / 10]++;
    }
    for (uint32_t i = 1; i <= COUNT; i++) {
        cr_assert(i == 2 || (first[i] > 1800 && first[i] < 2200), "%u: %u", i, first[i]);
    }
    chirr_agent_id all[10];
    cr_assert_eq(chirr_view_sample(&view, &random_stream, 0, all, 10), COUNT);
}
