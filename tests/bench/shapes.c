#include "tests/bench/shapes.h"

#include "base/random.h"

const struct chirr_bench_shape chirr_bench_100k = {
    .width = 48, .layers = 2, .section_width = 96, .partitions = 8, .gram_rows = 512};
const struct chirr_bench_shape chirr_bench_1m = {
    .width = 128, .layers = 3, .section_width = 384, .partitions = 16, .gram_rows = 1024};
const struct chirr_bench_shape chirr_bench_5m = {
    .width = 256, .layers = 4, .section_width = 768, .partitions = 16, .gram_rows = 1024};

struct chirr_model_config chirr_bench_default_config(void)
{
    struct chirr_model_config config = chirr_model_config_default();
    config.origins_max = 0;
    return config;
}

struct chirr_model_config chirr_bench_config(const struct chirr_bench_shape *shape)
{
    struct chirr_model_config config = chirr_bench_default_config();
    config.width = shape->width;
    config.layers = shape->layers;
    config.section_width = shape->section_width;
    config.gram_rows = shape->gram_rows;
    config.partitions = shape->partitions;
    config.hosted = UINT64_MAX >> (64 - shape->partitions);
    return config;
}

enum chirr_err chirr_bench_subject_init(struct chirr_bench_subject *subject,
                                        const struct chirr_model_config *config,
                                        struct chirr_error *error)
{
    *subject = (struct chirr_bench_subject){0};
    enum chirr_err err = chirr_model_config_validate(config, error);
    if (err != CHIRR_OK) {
        return err;
    }
    size_t bytes = chirr_model_bytes(config);
    if (chirr_arena_init(&subject->arena, bytes) != CHIRR_OK) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "a model needs %zu bytes: out of memory",
                               bytes);
    }
    subject->model = chirr_model_create(&subject->arena, config);
    CHIRR_ASSERT(subject->model != NULL); /* the arena has what the model asked for */
    return CHIRR_OK;
}

void chirr_bench_subject_finish(struct chirr_bench_subject *subject)
{
    chirr_arena_finish(&subject->arena);
    subject->model = NULL;
}

double chirr_bench_read_bytes(struct chirr_model *model, const uint8_t *bytes, size_t count)
{
    double bits = 0;
    for (size_t i = 0; i < count; i++) {
        struct chirr_model_step step;
        enum chirr_err err = chirr_model_step_byte(model, 0, bytes[i], &step);
        CHIRR_ASSERT(err == CHIRR_OK); /* sense 0 reads bytes */
        bits += (double)step.bits;
    }
    return bits;
}

double chirr_bench_read_text(struct chirr_model *model, const uint8_t *bytes, size_t count)
{
    struct chirr_model_reading reading;
    enum chirr_err err = chirr_model_step_bytes(model, 0, bytes, count, &reading);
    CHIRR_ASSERT(err == CHIRR_OK);
    return reading.bits;
}

void chirr_bench_noise(uint8_t *bytes, size_t count, uint64_t seed)
{
    struct chirr_random random;
    chirr_random_init(&random, seed, 0);
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)chirr_random_below(&random, 1 + chirr_random_below(&random, 128));
    }
}
