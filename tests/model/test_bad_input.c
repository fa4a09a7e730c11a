/* What senses may not be: too short, empty, of another width, of numbers that are none. The fuzz
 * test is in test_hostile.c. */
#include <math.h>
#include <string.h>

#include "model/checkpoint.h"
#include "model/explain.h"
#include "model/internal.h"
#include "tests/model/support.h"
#include "tests/support/directory.h"

static struct chirr_model_config config;
static struct chirr_arena arenas[2];
static struct chirr_model *model;

static void setup(void)
{
    config = small_config();
    model = make_model(&arenas[0], &config);
}

static void teardown(void)
{
    chirr_arena_finish(&arenas[0]);
    chirr_arena_finish(&arenas[1]);
}

TestSuite(bad_input, .init = setup, .fini = teardown);

Test(bad_input, a_text_of_one_byte_cannot_be_evaluated_but_learned)
{
    static const uint8_t text[] = "x";
    double bits = 7;
    uint64_t hash = chirr_model_state_hash(model);
    for (size_t bytes = 0; bytes < 2; bytes++) {
        cr_expect_eq(chirr_model_evaluate(model, SMALL_TEXT, text, bytes, false, &bits),
                     CHIRR_ERR_RANGE);
    }
    cr_expect_eq(chirr_model_state_hash(model), hash);
    struct chirr_model_reading reading;
    cr_assert_eq(chirr_model_step_bytes(model, SMALL_TEXT, text, 1, &reading), CHIRR_OK);
    cr_expect(reading.bits > 0 && isfinite(reading.bits));
    cr_assert_eq(chirr_model_begin(model, SMALL_TEXT), CHIRR_OK);
    struct chirr_model_statistics after;
    chirr_model_statistics(model, &after);
    cr_expect_eq(after.updates, 1, "a chunk of one");
    cr_expect(isfinite(after.own_norm) && after.own_norm > 0);
}

Test(bad_input, a_text_of_no_bytes_changes_nothing)
{
    uint64_t hash = chirr_model_state_hash(model);
    struct chirr_model_reading reading = {.bits = 7};
    struct chirr_explanation explanation = {.bits = 7};
    cr_assert_eq(chirr_model_step_bytes(model, SMALL_TEXT, NULL, 0, &reading), CHIRR_OK);
    cr_expect_eq(reading.bits, 0);
    cr_assert_eq(chirr_model_explain(model, SMALL_TEXT, NULL, 0, &explanation), CHIRR_OK);
    cr_expect_eq(explanation.bits, 0);
    cr_assert_eq(chirr_model_begin(model, SMALL_TEXT), CHIRR_OK);
    cr_assert_eq(chirr_model_begin(model, SMALL_TEXT), CHIRR_OK);
    cr_expect_eq(chirr_model_state_hash(model), hash);
}

Test(bad_input, a_sense_of_which_nothing_comes_teaches_nothing)
{
    const float nothing[3] = {NAN, NAN, NAN};
    for (int i = 0; i < 1000; i++) {
        struct chirr_model_step step;
        cr_assert_eq(chirr_model_step_vector(model, SMALL_LOAD, nothing, &step), CHIRR_OK);
        cr_assert_eq(step.bits, 0);
        cr_assert_not(step.drifted);
    }
    struct chirr_model_statistics after;
    chirr_model_statistics(model, &after);
    cr_expect_eq(after.own_norm, 0);
    cr_expect_eq(after.steps_refused, 0);
    struct chirr_model_component components[3];
    cr_assert_eq(chirr_model_forecast_vector(model, SMALL_LOAD, 0.8, components), CHIRR_OK);
    cr_expect(isnan(components[0].mean), "it never came");
}

Test(bad_input, a_target_or_an_input_that_is_no_number_is_refused_and_counted)
{
    const float features[4] = {1, 2, 3, 4}, values[3] = {1, INFINITY, 2};
    static const float wrong[] = {NAN, INFINITY, -INFINITY};
    struct chirr_model_step step;
    uint64_t updates = model->updates;
    for (size_t i = 0; i < 3; i++) {
        const struct chirr_model_outcome came = {.target = wrong[i], .success = true};
        const struct chirr_model_outcome failed = {.target = wrong[i], .success = false};
        cr_expect_eq(chirr_model_step_outcome(model, SMALL_COST, features, &came, &step),
                     CHIRR_ERR_NOTFINITE);
        cr_expect_eq(chirr_model_step_outcome(model, SMALL_COST, features, &failed, &step),
                     CHIRR_OK, "a task that failed has no target");
    }
    cr_expect_eq(chirr_model_step_vector(model, SMALL_LOAD, values, &step), CHIRR_ERR_NOTFINITE);
    struct chirr_model_statistics after;
    chirr_model_statistics(model, &after);
    cr_expect_eq(after.steps_refused, 4);
    cr_expect_eq(after.updates, updates);
}

Test(bad_input, a_width_that_does_not_fit_is_refused_before_there_is_a_model)
{
    static const uint32_t widths[] = {0, CHIRR_MODEL_VECTOR_WIDTH_MAX + 1, UINT32_MAX};
    struct chirr_error error = {.text = ""};
    for (size_t i = 0; i < 3; i++) {
        struct chirr_model_config other = config;
        other.senses[SMALL_LOAD].width = widths[i];
        cr_expect_neq(chirr_model_config_validate(&other, &error), CHIRR_OK, "%u", widths[i]);
        cr_expect_not_null(strstr(error.text, "width of a sense"), "%s", error.text);
    }
}

Test(bad_input, a_sense_that_changes_its_width_begins_anew_and_the_others_go_on)
{
    char directory[DIRECTORY_PATH_BYTES_MAX];
    struct chirr_error error = {.text = ""};
    enum chirr_checkpoint_origin origin;
    const float four[4] = {1, 2, 3, 4};
    learn_text(model, SMALL_TEXT, "to be, or not to be, that is", 28);
    for (int i = 0; i < 100; i++) {
        struct chirr_model_step step;
        cr_assert_eq(chirr_model_step_vector(model, SMALL_LOAD, four, &step), CHIRR_OK);
    }
    directory_create(directory);
    const char *path = directory_file(directory, "model");
    cr_assert_eq(chirr_checkpoint_save(model, path, &error), CHIRR_OK, "%s", error.text);
    struct chirr_model_config wider = config;
    wider.senses[SMALL_LOAD].width = 4;
    struct chirr_model *other = make_model(&arenas[1], &wider);
    cr_assert_eq(chirr_checkpoint_load(other, path, &origin, &error), CHIRR_OK, "%s", error.text);
    cr_expect_eq(other->senses[SMALL_LOAD].steps, 0);
    cr_expect_eq(other->senses[SMALL_TEXT].steps, 28);
    for (int i = 0; i < 100; i++) {
        struct chirr_model_step step;
        cr_assert_eq(chirr_model_step_vector(other, SMALL_LOAD, four, &step), CHIRR_OK);
        cr_assert(isfinite(step.bits));
    }
    directory_remove(directory);
}
