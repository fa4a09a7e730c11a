/* What the suites of this folder share: small models, plain texts. */
#ifndef CHIRR_TESTS_MODEL_SUPPORT_H
#define CHIRR_TESTS_MODEL_SUPPORT_H

#include <criterion/criterion.h>

#include "model/delta.h"
#include "model/model.h"

/* D=16, 2 layers, 2 rates, 4 partitions, chunk 8; senses text, load (vector of 3), cost (outcome of
 * 4). */
static inline struct chirr_model_config small_config(void)
{
    struct chirr_model_config config = chirr_model_config_default();
    config.width = 16;
    config.layers = 2;
    config.section_width = 16;
    config.mlp_width = 8;
    config.input_gate = false;
    config.gram_rows = 0;
    config.rates = 2;
    config.partitions = 4;
    config.hosted = 0xF;
    config.chunk = 8;
    config.warmup_updates = 10;
    config.origins_max = 4;
    config.sense_count = 3;
    config.senses[1] =
        (struct chirr_model_sense){.name = "load", .kind = CHIRR_SENSE_VECTOR, .width = 3};
    config.senses[2] =
        (struct chirr_model_sense){.name = "cost", .kind = CHIRR_SENSE_OUTCOME, .width = 4};
    return config;
}

enum { SMALL_TEXT, SMALL_LOAD, SMALL_COST };

/* Fails the test where the model cannot be made; the arena owns it. */
static inline struct chirr_model *make_model(struct chirr_arena *arena,
                                             const struct chirr_model_config *config)
{
    struct chirr_error error = {.text = ""};
    cr_assert_eq(chirr_model_config_validate(config, &error), CHIRR_OK, "%s", error.text);
    cr_assert_eq(chirr_arena_init(arena, chirr_model_bytes(config)), CHIRR_OK);
    struct chirr_model *model = chirr_model_create(arena, config);
    cr_assert_not_null(model);
    return model;
}

/* Mean bits of learning `bytes` of `text`. */
static inline double learn_text(struct chirr_model *model, uint32_t sense, const void *text,
                                size_t bytes)
{
    const uint8_t *at = text;
    double bits = 0;
    for (size_t i = 0; i < bytes; i++) {
        struct chirr_model_step step;
        cr_assert_eq(chirr_model_step_byte(model, sense, at[i], &step), CHIRR_OK);
        bits += (double)step.bits;
    }
    return bits / (double)bytes;
}

/* Partition 1 of `other`, as origin 9, at a quarter. */
static inline void teach(struct chirr_model *model, struct chirr_model *other)
{
    const struct chirr_delta_source source = {9, 1, 1, 1};
    uint8_t delta[CHIRR_DELTA_BYTES_MAX];
    size_t bytes;
    cr_assert_eq(chirr_delta_extract(other, 1, delta, sizeof delta, &bytes), CHIRR_OK);
    cr_assert_eq(chirr_delta_apply(model, &source, delta, bytes), CHIRR_OK);
    cr_assert_eq(chirr_delta_weigh(model, 9, 0.25f), CHIRR_OK);
}

#endif
