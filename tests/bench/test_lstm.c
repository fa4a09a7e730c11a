/* The LSTM, compiled in double, against finite differences. */
#include <criterion/criterion.h>
#include <math.h>

#include "tests/bench/lstm.h"

static const struct chirr_lstm_config small = {.embedding = 6,
                                               .hidden = 8,
                                               .steps = 12,
                                               .learning_rate = 2e-2f,
                                               .warmup_updates = 1,
                                               .seed = 7};

static const uint8_t text[] = "To be, or not to be, that is the question: whether 'tis nobler";

static struct chirr_arena arena;
static struct chirr_lstm *lstm;

static void enter(void)
{
    cr_assert_eq(chirr_arena_init(&arena, chirr_lstm_bytes(&small)), CHIRR_OK);
    lstm = chirr_lstm_create(&arena, &small);
    cr_assert_not_null(lstm);
}

static void leave(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(lstm, .init = enter, .fini = leave);

Test(lstm, takes_exactly_the_memory_it_asked_for)
{
    cr_expect_eq(arena.used, arena.capacity);
}

enum { COUNT = 12 };

/* After two updates, so that state is not zero and weights are not symmetric. Returns how many
 * parameters have a gradient. */
static size_t compare_gradients(struct chirr_lstm *of)
{
    chirr_lstm_learn(of, text, 24);
    struct chirr_lstm_parameters p = chirr_lstm_parameters(of);
    size_t used = 0;
    for (size_t i = 0; i < p.count; i++) {
        const double step = 1e-4;
        double before = p.weights[i];
        chirr_lstm_gradient(of, text + 24, COUNT);
        double gradient = p.gradient[i];
        p.weights[i] = before + step;
        double above = chirr_lstm_gradient(of, text + 24, COUNT);
        p.weights[i] = before - step;
        double below = chirr_lstm_gradient(of, text + 24, COUNT);
        p.weights[i] = before;
        double difference = (above - below) / (2 * step);
        cr_assert_lt(fabs(gradient - difference), 1e-6 * (1 + fabs(gradient)),
                     "parameter %zu: %.9f, differences say %.9f", i, gradient, difference);
        used += fabs(gradient) > 1e-6;
    }
    return used;
}

Test(lstm, gradient_of_every_parameter_is_that_of_finite_differences)
{
    size_t used = compare_gradients(lstm);
    size_t count = chirr_lstm_parameter_count(&small);
    cr_expect_gt(used, count / 3); /* all but the embeddings of bytes that do not occur */
}

Test(lstm, gradient_of_every_row_of_tables_is_that_of_finite_differences)
{
    struct chirr_lstm_config config = small;
    struct chirr_arena other;
    config.embedding = CHIRR_LSTM_GRAM_WIDTH;
    config.gram_rows = 8;
    config.hidden = 4;
    cr_assert_eq(chirr_arena_init(&other, chirr_lstm_bytes(&config)), CHIRR_OK);
    struct chirr_lstm *with = chirr_lstm_create(&other, &config);
    size_t used = compare_gradients(with);
    struct chirr_lstm_parameters p = chirr_lstm_parameters(with);
    size_t rows = 0;
    chirr_lstm_gradient(with, text + 24, COUNT);
    for (size_t i = p.count - 4 * config.gram_rows * 16; i < p.count; i++) {
        rows += p.gradient[i] != 0;
    }
    cr_expect(rows > 16 * 16 && rows <= 16 * 3 * COUNT, "%zu of tables, %zu in all", rows, used);
    chirr_arena_finish(&other);
}

Test(lstm, learns_what_repeats)
{
    uint8_t repeated[2400];
    for (size_t i = 0; i < sizeof repeated; i++) {
        repeated[i] = text[i % 12];
    }
    double first = chirr_lstm_learn(lstm, repeated, 1200);
    double second = chirr_lstm_learn(lstm, repeated + 1200, 1200);
    cr_expect_lt(second, first / 2, "%f bits, then %f", first, second);
}

Test(lstm, carries_its_state_from_update_to_update)
{
    double whole = chirr_lstm_gradient(lstm, text, 1);
    chirr_lstm_learn(lstm, text, 12);
    double later = chirr_lstm_gradient(lstm, text, 1);
    struct chirr_arena other_arena;
    cr_assert_eq(chirr_arena_init(&other_arena, chirr_lstm_bytes(&small)), CHIRR_OK);
    struct chirr_lstm *other = chirr_lstm_create(&other_arena, &small);
    struct chirr_lstm_parameters learned = chirr_lstm_parameters(lstm);
    struct chirr_lstm_parameters fresh = chirr_lstm_parameters(other);
    for (size_t i = 0; i < learned.count; i++) {
        fresh.weights[i] = learned.weights[i];
    }
    double without = chirr_lstm_gradient(other, text, 1);
    cr_expect_neq(later, whole);
    cr_expect_gt(fabs(later - without), 1e-6, "the past makes no difference");
    chirr_arena_finish(&other_arena);
}

Test(lstm, size_comes_near_what_was_asked_for)
{
    for (size_t parameters = 50000; parameters < 6000000; parameters *= 3) {
        struct chirr_lstm_config config = chirr_lstm_config_of_size(parameters, 0);
        double ratio = (double)chirr_lstm_parameter_count(&config) / (double)parameters;
        cr_expect(ratio > 0.96 && ratio < 1.04, "%zu: %f", parameters, ratio);
    }
}
