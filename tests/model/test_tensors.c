#include "model/tensors.h"

#include <string.h>

#include "model/internal.h"
#include "tests/model/support.h"

static struct chirr_arena arena;
static struct chirr_model *model;

static void setup(void)
{
    struct chirr_model_config config = small_config();
    config.hosted = 0xA; /* partitions 1 and 3 */
    model = make_model(&arena, &config);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(tensors, .init = setup, .fini = teardown);

static void expect_every_parameter_once(const struct chirr_model *of)
{
    static bool taken[100000];
    const struct chirr_layout *layout = &of->body.layout;
    size_t sum = 0;
    cr_assert_lt(layout->total, sizeof taken);
    memset(taken, 0, sizeof taken);
    for (size_t i = 0; i < chirr_tensor_count(of); i++) {
        struct chirr_tensor tensor;
        cr_assert(chirr_tensor_describe(of, i, &tensor));
        for (size_t k = 0; k < tensor.count; k++) {
            cr_assert_not(taken[tensor.offset + k], "%s [%zu]", tensor.name, k);
            taken[tensor.offset + k] = true;
        }
        sum += tensor.count;
    }
    cr_expect_eq(sum, chirr_model_parameter_count(chirr_model_configuration(of)));
}

Test(tensors, hold_every_parameter_exactly_once)
{
    expect_every_parameter_once(model);
}

Test(tensors, hold_those_that_a_choice_adds_and_none_that_it_takes_away)
{
    struct chirr_arena other = {0};
    struct chirr_model_config config = small_config();
    config.active = 2;
    config.input_gate = true;
    config.mlp_width = 0;
    config.senses[config.sense_count++] =
        (struct chirr_model_sense){.name = "sound", .kind = CHIRR_SENSE_AUDIO};
    expect_every_parameter_once(make_model(&other, &config));
    chirr_arena_finish(&other);
}

Test(tensors, have_names_of_their_own_with_the_partitions_number)
{
    char names[64][CHIRR_TENSOR_NAME_BYTES_MAX];
    size_t count = chirr_tensor_count(model);
    bool third = false;
    cr_assert_leq(count, 64);
    for (size_t i = 0; i < count; i++) {
        struct chirr_tensor tensor;
        cr_assert(chirr_tensor_describe(model, i, &tensor));
        strcpy(names[i], tensor.name);
        for (size_t k = 0; k < i; k++) {
            cr_expect_str_neq(names[k], names[i]);
        }
        if (strcmp(tensor.name, "layers.1.partition.3.history") == 0) {
            third = true;
            cr_expect_eq(tensor.rank, 2);
            cr_expect_eq(tensor.shape[0], 16);
            cr_expect_eq(tensor.shape[1], 8);
        }
    }
    cr_expect(third);
    struct chirr_tensor none;
    cr_expect_not(chirr_tensor_describe(model, count, &none));
}

Test(tensors, are_the_weights_that_are_computed_with)
{
    static float values[100000];
    bool differs = false;
    learn_text(model, SMALL_TEXT, "abcabcabcabcabcabcabcabc", 24);
    for (size_t i = 0; i < chirr_tensor_count(model); i++) {
        struct chirr_tensor tensor;
        cr_assert(chirr_tensor_describe(model, i, &tensor));
        chirr_tensor_read(model, &tensor, false, values);
        cr_expect_arr_eq(values, model->weights + tensor.offset, tensor.count * sizeof(float));
        chirr_tensor_read(model, &tensor, true, values);
        differs = differs ||
                  memcmp(values, model->weights + tensor.offset, tensor.count * sizeof(float)) != 0;
    }
    cr_expect(differs, "the average lags behind");
}
