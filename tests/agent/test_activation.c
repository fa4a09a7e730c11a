#include "agent/activation.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/model/support.h"

#define HOSTED 3

static struct chirr_arena arena;
static struct chirr_activation activation;

static void setup(void)
{
    memset(&activation, 0xA5, sizeof activation); /* what is not set would show */
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(activation, .init = setup, .fini = teardown);

/* Partitions 0, 1 and 3 of four. */
static struct chirr_model *make(uint32_t active)
{
    struct chirr_model_config config = small_config();
    config.active = active;
    config.hosted = 0xB;
    return make_model(&arena, &config);
}

/* Of partition 3 of a sense, in a layer. */
static double share_of_last(const json_t *map, size_t sense, size_t layer)
{
    const json_t *shares =
        json_object_get(json_array_get(json_object_get(map, "senses"), sense), "shares");
    cr_assert_eq(json_array_size(shares), HOSTED);
    const json_t *last = json_array_get(shares, HOSTED - 1);
    cr_assert_eq(json_integer_value(json_object_get(last, "partition")), 3);
    return json_number_value(json_array_get(json_object_get(last, "share"), layer));
}

Test(activation, without_a_selector_all_that_is_hosted_answers_every_sense)
{
    chirr_activation_read(make(0), &activation);
    json_t *map = chirr_activation_json(&activation);
    cr_expect_eq(json_integer_value(json_object_get(map, "active")), 0);
    cr_expect_eq(json_array_size(json_object_get(map, "hosted")), HOSTED);
    for (size_t sense = 0; sense < 2; sense++) {
        for (size_t layer = 0; layer < 2; layer++) {
            cr_expect_eq(share_of_last(map, sense, layer), 1);
        }
    }
    json_decref(map);
}

Test(activation, the_shares_of_a_young_sense_add_up_to_those_that_answer_at_a_time)
{
    struct chirr_model *model = make(2);
    learn_text(model, SMALL_TEXT, "three chunks of eight...", 24);
    chirr_activation_read(model, &activation);
    cr_assert(activation.senses[0].known);
    for (size_t layer = 0; layer < 2; layer++) {
        unsigned sum = 0;
        for (size_t p = 0; p < 4; p++) {
            sum += activation.permille[4 * layer + p];
        }
        cr_expect(sum >= 1997 && sum <= 2003, "layer %zu: %u", layer, sum);
        cr_expect_eq(activation.permille[4 * layer + 2], 0, "it is not hosted");
    }
}

Test(activation, a_sense_that_has_learned_nothing_is_not_known)
{
    struct chirr_model *model = make(1);
    learn_text(model, SMALL_TEXT, "a chunk.", 8);
    chirr_activation_read(model, &activation);
    json_t *map = chirr_activation_json(&activation);
    const json_t *senses = json_object_get(map, "senses");
    cr_expect(json_is_array(json_object_get(json_array_get(senses, SMALL_TEXT), "shares")));
    cr_expect(json_is_null(json_object_get(json_array_get(senses, SMALL_LOAD), "shares")));
    json_decref(map);
}

Test(activation, outcomes_are_left_out_and_what_is_not_set_is_not_sent)
{
    chirr_activation_read(make(0), &activation);
    cr_expect_eq(activation.sense_count, 2);
    cr_expect_str_eq(activation.senses[1].name, "load");
    cr_expect_eq(chirr_activation_bytes(&activation),
                 (size_t)((uint8_t *)&activation.permille[2 * 2 * 4] - (uint8_t *)&activation));
    cr_expect_eq(activation.permille[2 * 2 * 4], 0xA5A5);
}
