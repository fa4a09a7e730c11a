/* Rehearsal, drift and the slow trunk, wired into the model. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "model/checkpoint.h"
#include "model/internal.h"
#include "tests/model/support.h"

enum { TEXT_BYTES = 48 * 1024, HELD_BYTES = 2048 };

static struct chirr_model_config config;
static struct chirr_arena arena;
static struct chirr_arena other_arena;
static uint8_t verse[TEXT_BYTES];
static uint8_t code[TEXT_BYTES];

/* Words of one vocabulary in random order. */
static void write_words(uint8_t *text, const char *const *words, uint32_t count)
{
    struct chirr_random random;
    chirr_random_init(&random, 5, count);
    size_t at = 0;
    while (at < TEXT_BYTES) {
        const char *word = words[chirr_random_below(&random, count)];
        size_t length = strlen(word);
        length = length < TEXT_BYTES - at ? length : TEXT_BYTES - at;
        memcpy(text + at, word, length);
        at += length;
    }
}

static void setup(void)
{
    static const char *const verses[] = {"what ", "light ", "through ", "yonder ", "window, "};
    static const char *const codes[] = {"int(", "++i;", "[0]=", "#if ", "0x7F", "%s\n"};
    write_words(verse, verses, 5);
    write_words(code, codes, 6);
    config = small_config();
    config.sense_count = 1;
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
    chirr_arena_finish(&other_arena);
}

TestSuite(remembering, .init = setup, .fini = teardown);

static double bits_of_verse(struct chirr_model *model)
{
    double bits;
    cr_assert_eq(chirr_model_evaluate(model, 0, verse, HELD_BYTES, true, &bits), CHIRR_OK);
    return bits;
}

/* By how much the verse costs more after the code than before. */
static double forgotten(void)
{
    struct chirr_model *model = make_model(&arena, &config);
    learn_text(model, 0, verse, TEXT_BYTES);
    double before = bits_of_verse(model);
    learn_text(model, 0, code, TEXT_BYTES);
    double rise = bits_of_verse(model) - before;
    chirr_arena_finish(&arena);
    return rise;
}

Test(remembering, rehearsal_halves_what_is_forgotten_at_least)
{
    double with = forgotten();
    config.replay_bytes = 0;
    double without = forgotten();
    cr_assert_gt(without, 1.0);
    cr_assert_lt(with, without / 2, "%f of %f", with, without);
}

Test(remembering, a_slow_trunk_forgets_less_where_nothing_is_kept)
{
    config.replay_bytes = 0;
    double fast = forgotten();
    config.trunk_rate = 0.1f;
    double slow = forgotten();
    cr_assert_lt(slow, fast);
}

Test(remembering, a_trunk_of_rate_zero_stands_still_once_it_has_settled)
{
    config.trunk_rate = 0;
    struct chirr_model *model = make_model(&arena, &config);
    const struct chirr_layout *l = &model->body.layout;
    learn_text(model, 0, verse, 2000 * config.chunk);
    static chirr_real trunk[16384];
    cr_assert_leq(l->trunk_size, sizeof trunk / sizeof *trunk);
    memcpy(trunk, model->own + l->trunk, l->trunk_size * sizeof *trunk);
    double partitions = model->body.kernels->sum_squares(l->trunk, model->own);
    learn_text(model, 0, code, 100 * config.chunk);
    cr_assert_arr_eq(model->own + l->trunk, trunk, l->trunk_size * sizeof *trunk);
    cr_assert_neq(model->body.kernels->sum_squares(l->trunk, model->own), partitions);
}

Test(remembering, a_drift_is_told_once_and_learning_is_fast_again)
{
    struct chirr_model *model = make_model(&arena, &config);
    struct chirr_model_statistics statistics;
    learn_text(model, 0, verse, TEXT_BYTES);
    chirr_model_statistics(model, &statistics);
    cr_assert_eq(statistics.drifts, 0);
    cr_assert_eq(model->senses[0].settled, TEXT_BYTES / config.chunk);
    struct chirr_model_reading reading;
    cr_assert_eq(chirr_model_step_bytes(model, 0, code, TEXT_BYTES / 4, &reading), CHIRR_OK);
    cr_assert_eq(reading.drifts, 1);
    chirr_model_statistics(model, &statistics);
    cr_assert_eq(statistics.drifts, 1);
    cr_assert_lt(model->senses[0].settled, TEXT_BYTES / 4 / config.chunk);
}

Test(remembering, a_sense_that_drifted_takes_up_the_new_sooner)
{
    double bits[2];
    for (int drift = 0; drift < 2; drift++) {
        config.drift = drift == 1;
        struct chirr_model *model = make_model(&arena, &config);
        for (int i = 0; i < 4; i++) {
            learn_text(model, 0, verse, TEXT_BYTES);
        }
        bits[drift] = learn_text(model, 0, code, TEXT_BYTES / 4);
        chirr_arena_finish(&arena);
    }
    cr_assert_lt(bits[1], bits[0]);
}

Test(remembering, goes_on_from_a_checkpoint_as_if_nothing_had_happened)
{
    char path[] = "/tmp/chirr-remembering-XXXXXX";
    int file = mkstemp(path);
    cr_assert_geq(file, 0);
    close(file);
    enum chirr_checkpoint_origin origin;
    struct chirr_error error = {.text = ""};
    struct chirr_model *model = make_model(&arena, &config);
    struct chirr_model *other = make_model(&other_arena, &config);
    learn_text(model, 0, verse, 10 * CHIRR_REPLAY_STRETCH_BYTES + 77);
    cr_assert_gt(model->senses[0].rehearsal.bytes, 0);
    cr_assert_eq(chirr_checkpoint_save(model, path, &error), CHIRR_OK, "%s", error.text);
    cr_assert_eq(chirr_checkpoint_load(other, path, &origin, &error), CHIRR_OK, "%s", error.text);
    unlink(path);
    learn_text(model, 0, code, 8000);
    learn_text(other, 0, code, 8000);
    cr_assert_eq(chirr_model_state_hash(model), chirr_model_state_hash(other));
}

Test(remembering, rehearses_the_share_that_it_is_told)
{
    struct chirr_model *model = make_model(&arena, &config);
    learn_text(model, 0, verse, TEXT_BYTES);
    struct chirr_model_statistics statistics;
    chirr_model_statistics(model, &statistics);
    double share = (double)statistics.bytes_rehearsed / TEXT_BYTES;
    cr_assert_geq(share, 0.95 * 0.1);
    cr_assert_leq(share, 0.1);
}

Test(remembering, keeps_and_rehearses_nothing_while_frozen)
{
    struct chirr_model *model = make_model(&arena, &config);
    chirr_model_freeze(model, true);
    learn_text(model, 0, verse, TEXT_BYTES);
    cr_assert_eq(model->senses[0].rehearsal.replay.stretches, 0);
    cr_assert_eq(model->senses[0].rehearsal.bytes, 0);
    cr_assert_eq(model->senses[0].drift.state.steps, 0);
}
