#include "model/replay.h"

#include <criterion/criterion.h>
#include <string.h>

enum { STRETCH = CHIRR_REPLAY_STRETCH_BYTES, CAPACITY = 16 };

static struct chirr_arena arena;
static struct chirr_replay replay;
static struct chirr_random draws;

static void make(struct chirr_replay *made, uint64_t seed)
{
    const struct chirr_replay_config config = {.bytes = (CAPACITY + 1) * STRETCH, .seed = seed};
    cr_assert(chirr_replay_init(made, &arena, &config));
}

static void setup(void)
{
    cr_assert_eq(chirr_arena_init(&arena, 1 << 20), CHIRR_OK);
    make(&replay, 1);
    chirr_random_init(&draws, 3, 0);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(replay, .init = setup, .fini = teardown);

/* Stretch after stretch, each full of its own number. */
static void add_numbered(struct chirr_replay *to, uint32_t count)
{
    uint8_t stretch[STRETCH];
    for (uint32_t i = 0; i < count; i++) {
        memset(stretch, (int)i, sizeof stretch);
        chirr_replay_add(to, stretch, sizeof stretch);
    }
}

Test(replay, has_nothing_to_draw_before_a_stretch_is_complete)
{
    uint8_t bytes[STRETCH - 1] = {0};
    chirr_replay_add(&replay, bytes, sizeof bytes);
    struct chirr_random before = draws;
    cr_assert_null(chirr_replay_draw(&replay, &draws, 1));
    cr_assert_arr_eq(&draws, &before, sizeof draws);
    chirr_replay_add(&replay, bytes, 1);
    cr_assert_not_null(chirr_replay_draw(&replay, &draws, STRETCH));
}

Test(replay, draws_bytes_that_followed_each_other)
{
    uint8_t text[1 << 16];
    for (size_t i = 0; i < sizeof text; i++) { /* each pair of bytes occurs in one place */
        text[i] = i % 2 == 0 ? (uint8_t)(i >> 8) : (uint8_t)(i >> 1);
    }
    chirr_replay_add(&replay, text, sizeof text);
    for (int i = 0; i < 1000; i++) {
        size_t length = 4 + (size_t)chirr_random_below(&draws, STRETCH - 3);
        const uint8_t *drawn = chirr_replay_draw(&replay, &draws, length);
        cr_assert_not_null(memmem(text, sizeof text, drawn, length), "draw %d of %zu", i, length);
    }
}

Test(replay, keeps_every_stretch_of_the_past_alike)
{
    enum { SEEDS = 200, PAST = 200, PARTS = 4 };
    uint32_t kept[PARTS] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        make(&replay, seed);
        add_numbered(&replay, PAST);
        for (size_t i = 0; i < CAPACITY; i++) {
            kept[replay.bytes[i * STRETCH] / (PAST / PARTS)]++;
        }
        arena.used = 0;
    }
    /* 800 expected in each quarter of the past, deviation 24 */
    for (int part = 0; part < PARTS; part++) {
        cr_assert_geq(kept[part], 700, "quarter %d: %u", part, kept[part]);
        cr_assert_leq(kept[part], 900, "quarter %d: %u", part, kept[part]);
    }
}

Test(replay, is_the_same_however_the_bytes_were_handed_over)
{
    struct chirr_replay other;
    make(&other, 1);
    uint8_t text[100 * STRETCH + 77];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)chirr_random_u32(&draws);
    }
    chirr_replay_add(&replay, text, sizeof text);
    for (size_t at = 0; at < sizeof text;) {
        size_t count = 1 + (size_t)chirr_random_below(&draws, 1500);
        count = count < sizeof text - at ? count : sizeof text - at;
        chirr_replay_add(&other, text + at, count);
        at += count;
    }
    cr_assert_arr_eq(replay.bytes, other.bytes, replay.config.bytes);
    cr_assert_eq(replay.stretches, other.stretches);
    cr_assert_eq(replay.open_bytes, other.open_bytes);
}

Test(replay, never_joins_what_a_cut_parted)
{
    uint8_t before[STRETCH / 2], after[STRETCH];
    memset(before, 1, sizeof before);
    memset(after, 2, sizeof after);
    chirr_replay_add(&replay, before, sizeof before);
    chirr_replay_cut(&replay);
    chirr_replay_add(&replay, after, sizeof after);
    const uint8_t *drawn = chirr_replay_draw(&replay, &draws, STRETCH);
    cr_assert_arr_eq(drawn, after, sizeof after);
    cr_assert_eq(replay.stretches, 1);
}

Test(replay, takes_no_more_of_the_arena_than_it_says)
{
    struct chirr_arena exact;
    const struct chirr_replay_config config = chirr_replay_config_default();
    cr_assert_eq(chirr_arena_init(&exact, chirr_replay_bytes(&config)), CHIRR_OK);
    cr_assert(chirr_replay_init(&replay, &exact, &config));
    cr_assert_eq(exact.used, exact.capacity);
    chirr_arena_finish(&exact);
    cr_assert_eq(chirr_arena_init(&exact, config.bytes / 2), CHIRR_OK);
    cr_assert_not(chirr_replay_init(&replay, &exact, &config));
    chirr_arena_finish(&exact);
}
