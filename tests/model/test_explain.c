#include "model/explain.h"

#include <math.h>
#include <string.h>

#include "tests/model/support.h"

static const char text[] = "the ant carries the leaf and the ant carries the leaf home again";
#define BYTES (sizeof text - 1)
#define LAYERS 2
#define PARTITIONS 4

static struct chirr_arena arena;
static struct chirr_model *model;

static void make(uint32_t active)
{
    struct chirr_model_config config = small_config();
    config.active = active;
    model = make_model(&arena, &config);
    for (int i = 0; i < 60; i++) {
        learn_text(model, SMALL_TEXT, text, BYTES);
    }
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(explain, .fini = teardown);

static double bits_without(uint64_t silenced)
{
    struct chirr_explanation explanation = {.silenced = silenced};
    cr_assert_eq(chirr_model_explain(model, SMALL_TEXT, (const uint8_t *)text, BYTES, &explanation),
                 CHIRR_OK);
    return explanation.bits;
}

Test(explain, adds_up_to_what_an_evaluation_says_and_changes_nothing)
{
    make(0);
    float each[BYTES];
    double bits, sum = 0;
    struct chirr_explanation explanation = {.each = each};
    uint64_t before = chirr_model_state_hash(model);
    cr_assert_eq(chirr_model_explain(model, SMALL_TEXT, (const uint8_t *)text, BYTES, &explanation),
                 CHIRR_OK);
    bits_without(5);
    cr_assert_eq(
        chirr_model_evaluate(model, SMALL_TEXT, (const uint8_t *)text, BYTES, false, &bits),
        CHIRR_OK);
    cr_expect_float_eq(explanation.bits, bits * BYTES, 1e-9);
    for (size_t i = 0; i < BYTES; i++) {
        sum += (double)each[i];
    }
    cr_expect_float_eq(sum, explanation.bits, 1e-3);
    cr_expect_eq(chirr_model_state_hash(model), before);
    cr_expect_float_eq(bits_without(0), explanation.bits, 0, "what was silenced speaks again");
}

Test(explain, a_text_that_was_learned_costs_more_without_those_who_learned_it)
{
    make(0);
    double whole = bits_without(0);
    cr_expect_gt(bits_without(0xF), whole + 10);
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        cr_expect_neq(bits_without(UINT64_C(1) << p), whole, "partition %u", p);
    }
    cr_expect_eq(bits_without(UINT64_C(1) << 40), whole, "there is no such partition");
}

Test(explain, reads_a_text_in_pieces_as_in_one)
{
    make(2);
    double bits, sum = 0;
    for (size_t at = 0; at < BYTES; at += 7) {
        struct chirr_explanation piece = {.averaged = true, .continues = at > 0};
        size_t count = BYTES - at < 7 ? BYTES - at : 7;
        cr_assert_eq(
            chirr_model_explain(model, SMALL_TEXT, (const uint8_t *)text + at, count, &piece),
            CHIRR_OK);
        sum += piece.bits;
    }
    cr_assert_eq(chirr_model_evaluate(model, SMALL_TEXT, (const uint8_t *)text, BYTES, true, &bits),
                 CHIRR_OK);
    cr_expect_float_eq(sum, bits * BYTES, 1e-9);
}

/* docs/model.md: what a device does not host is as if its output were zero. */
Test(explain, silencing_a_partition_is_as_not_hosting_it)
{
    struct chirr_arena other = {0};
    struct chirr_model_config config = small_config();
    model = make_model(&arena, &config);
    config.hosted = 0xB;
    struct chirr_model *without = make_model(&other, &config);
    double bits;
    cr_assert_eq(
        chirr_model_evaluate(without, SMALL_TEXT, (const uint8_t *)text, BYTES, false, &bits),
        CHIRR_OK);
    cr_expect_float_eq(bits_without(4), bits * BYTES, 1e-3);
    chirr_arena_finish(&other);
}

Test(explain, counts_who_answered_in_each_layer)
{
    uint64_t answers[LAYERS * PARTITIONS];
    make(2);
    struct chirr_explanation explanation = {.answers = answers};
    cr_assert_eq(chirr_model_explain(model, SMALL_TEXT, (const uint8_t *)text, BYTES, &explanation),
                 CHIRR_OK);
    for (uint32_t layer = 0; layer < LAYERS; layer++) {
        uint64_t sum = 0;
        for (uint32_t p = 0; p < PARTITIONS; p++) {
            cr_expect_leq(answers[layer * PARTITIONS + p], BYTES);
            sum += answers[layer * PARTITIONS + p];
        }
        cr_expect_eq(sum, 2 * BYTES, "two at each step");
    }
}

Test(explain, a_sense_without_symbols_is_refused)
{
    make(0);
    struct chirr_explanation explanation = {0};
    cr_expect_eq(chirr_model_explain(model, SMALL_LOAD, (const uint8_t *)"x", 1, &explanation),
                 CHIRR_ERR_INVALID);
    cr_expect_eq(chirr_model_explain(model, 9, (const uint8_t *)"x", 1, &explanation),
                 CHIRR_ERR_INVALID);
}
