/* Configuration, creation, statistics; steps are in step.c, readings that change nothing in
 * infer.c, the learning rule in learn.c. */
#include "model/model.h"

#include <math.h>
#include <string.h>

#include "base/digest.h"
#include "model/genesis.h"
#include "model/internal.h"

#define LINEAGE_FORMAT 1 /* of genesis and layout: another one is another lineage */

struct chirr_model_config chirr_model_config_default(void)
{
    struct chirr_model_config config = {
        .width = 64,
        .layers = 2,
        .section_width = 128,
        .mlp_width = 32,
        .rates = 4,
        .partitions = 8,
        .genesis_seed = 1,
        .hosted = 0xFF,
        .chunk = 32,
        .learning_rate = 2e-3f,
        .warmup_updates = 200,
        .origins_max = 16,
        .sense_count = 1,
    };
    strcpy(config.senses[0].name, "text");
    config.senses[0].kind = CHIRR_SENSE_BYTES;
    return config;
}

struct bounds {
    const char *name;
    uint32_t value, min, max;
};

static enum chirr_err check_bounds(const struct bounds *bounds, size_t count,
                                   struct chirr_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const struct bounds *b = &bounds[i];
        if (b->value < b->min || b->value > b->max) {
            return chirr_error_set(error, CHIRR_ERR_RANGE, "model: %s is %u, expected %u to %u",
                                   b->name, b->value, b->min, b->max);
        }
    }
    return CHIRR_OK;
}

static enum chirr_err check_sense(const struct chirr_model_config *config, uint32_t index,
                                  struct chirr_error *error)
{
    const struct chirr_model_sense *sense = &config->senses[index];
    if (memchr(sense->name, 0, sizeof sense->name) == NULL || sense->name[0] == 0) {
        return chirr_error_set(error, CHIRR_ERR_INVALID,
                               "model: sense %u needs a name of 1 to %d bytes", index,
                               CHIRR_MODEL_NAME_BYTES_MAX - 1);
    }
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(config->senses[i].name, sense->name) == 0) {
            return chirr_error_set(error, CHIRR_ERR_EXISTS, "model: two senses are named %s",
                                   sense->name);
        }
    }
    bool bytes = sense->kind == CHIRR_SENSE_BYTES;
    if (!bytes && sense->kind != CHIRR_SENSE_VECTOR && sense->kind != CHIRR_SENSE_OUTCOME) {
        return chirr_error_set(error, CHIRR_ERR_INVALID, "model: sense %s has no known kind",
                               sense->name);
    }
    const struct bounds bounds[] = {
        {"the width of a sense", sense->width, bytes ? 0 : 1,
         bytes ? 0 : CHIRR_MODEL_VECTOR_WIDTH_MAX},
        {"the chunk of a sense", sense->chunk, 0, CHIRR_MODEL_CHUNK_MAX},
    };
    return check_bounds(bounds, sizeof bounds / sizeof *bounds, error);
}

static enum chirr_err check_shape(const struct chirr_model_config *c, struct chirr_error *error)
{
    const struct bounds bounds[] = {
        {"width", c->width, 16, 1024},
        {"layers", c->layers, 1, 16},
        {"section_width", c->section_width, 1, 16384},
        {"mlp_width", c->mlp_width, 1, 16384},
        {"rates", c->rates, 1, CHIRR_MODEL_RATES_MAX},
        {"partitions", c->partitions, 1, CHIRR_MODEL_PARTITIONS_MAX},
        {"chunk", c->chunk, 1, CHIRR_MODEL_CHUNK_MAX},
        {"origins_max", c->origins_max, 0, 1024},
        {"sense_count", c->sense_count, 1, CHIRR_MODEL_SENSES_MAX},
    };
    enum chirr_err err = check_bounds(bounds, sizeof bounds / sizeof *bounds, error);
    if (err != CHIRR_OK) {
        return err;
    }
    if (c->width % 8 != 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "model: width is %u, expected a multiple of 8", c->width);
    }
    if (c->section_width % (c->rates * c->partitions) != 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "model: section_width is %u, expected a multiple of rates · "
                               "partitions = %u",
                               c->section_width, c->rates * c->partitions);
    }
    if (c->mlp_width % c->partitions != 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "model: mlp_width is %u, expected a multiple of partitions = %u",
                               c->mlp_width, c->partitions);
    }
    return CHIRR_OK;
}

enum chirr_err chirr_model_config_validate(const struct chirr_model_config *config,
                                           struct chirr_error *error)
{
    enum chirr_err err = check_shape(config, error);
    for (uint32_t i = 0; err == CHIRR_OK && i < config->sense_count; i++) {
        err = check_sense(config, i, error);
    }
    if (err != CHIRR_OK) {
        return err;
    }
    bool beyond = config->partitions < 64 && config->hosted >> config->partitions != 0;
    if (config->hosted == 0 || beyond) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "model: hosted must name at least one of the %u partitions and no "
                               "other",
                               config->partitions);
    }
    if (!(config->learning_rate >= 0 && config->learning_rate <= 0.1f)) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "model: learning_rate is %g, expected 0 to 0.1",
                               (double)config->learning_rate);
    }
    return CHIRR_OK;
}

uint64_t chirr_model_lineage(const struct chirr_model_config *config)
{
    struct chirr_digest_state digest;
    chirr_digest_begin(&digest);
    const uint64_t numbers[] = {LINEAGE_FORMAT,        config->width,       config->layers,
                                config->section_width, config->mlp_width,   config->rates,
                                config->partitions,    config->genesis_seed};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        chirr_digest_add_u64(&digest, numbers[i]);
    }
    return chirr_digest_end(&digest);
}

static struct chirr_stream_shape stream_shape(const struct chirr_model_config *config,
                                              uint32_t sense)
{
    const struct chirr_model_sense *s = &config->senses[sense];
    if (s->kind == CHIRR_SENSE_OUTCOME) {
        return (struct chirr_stream_shape){.chunk = 1};
    }
    if (s->kind == CHIRR_SENSE_BYTES) {
        return (struct chirr_stream_shape){.chunk = s->chunk > 0 ? s->chunk : config->chunk,
                                           .inputs = 1,
                                           .outputs = CHIRR_BYTE_VALUES};
    }
    uint32_t brief =
        config->chunk < CHIRR_MODEL_VECTOR_CHUNK ? config->chunk : CHIRR_MODEL_VECTOR_CHUNK;
    return (struct chirr_stream_shape){
        .chunk = s->chunk > 0 ? s->chunk : brief, .inputs = s->width, .outputs = 2 * s->width};
}

static const struct chirr_stream_shape scratch_shape = {.chunk = 1, .outputs = CHIRR_BYTE_VALUES};

static uint32_t chunk_max(const struct chirr_model_config *config)
{
    uint32_t most = 1;
    for (uint32_t i = 0; i < config->sense_count; i++) {
        uint32_t chunk = stream_shape(config, i).chunk;
        most = chunk > most ? chunk : most;
    }
    return most;
}

#define PARAMETER_ARRAYS 7

static size_t sense_bytes(const struct chirr_model_config *config,
                          const struct chirr_layout *layout, uint32_t sense)
{
    const struct chirr_stream_shape shape = stream_shape(config, sense);
    const struct chirr_model_sense *s = &config->senses[sense];
    size_t bytes = chirr_stream_bytes(layout, &shape);
    if (s->kind == CHIRR_SENSE_VECTOR) {
        bytes += chirr_arena_round(s->width * sizeof(chirr_real)) +
                 chirr_arena_round(s->width * sizeof(bool)) + chirr_normaliser_bytes(s->width);
    }
    if (s->kind == CHIRR_SENSE_OUTCOME) {
        bytes += chirr_outcomes_bytes(s->width, config->width);
    }
    return bytes;
}

size_t chirr_model_bytes(const struct chirr_model_config *config)
{
    struct chirr_layout layout;
    chirr_layout_init(&layout, config);
    size_t bytes = chirr_arena_round(sizeof(struct chirr_model)) +
                   PARAMETER_ARRAYS * chirr_arena_round(layout.total * sizeof(chirr_real)) +
                   chirr_body_bytes(&layout, chunk_max(config)) +
                   chirr_registers_bytes(&layout, config->origins_max) +
                   chirr_stream_bytes(&layout, &scratch_shape);
    for (uint32_t i = 0; i < config->sense_count; i++) {
        bytes += sense_bytes(config, &layout, i);
    }
    return bytes;
}

size_t chirr_model_parameter_count(const struct chirr_model_config *config)
{
    struct chirr_layout layout;
    chirr_layout_init(&layout, config);
    return layout.parameters;
}

static bool take_parameters(struct chirr_model *model, struct chirr_arena *arena)
{
    chirr_real **arrays[PARAMETER_ARRAYS] = {&model->genesis, &model->own,     &model->average,
                                             &model->foreign, &model->weights, &model->moment,
                                             &model->gradient};
    for (size_t i = 0; i < PARAMETER_ARRAYS; i++) {
        *arrays[i] = chirr_arena_take(arena, model->body.layout.total, sizeof(chirr_real));
        if (*arrays[i] == NULL) {
            return false;
        }
    }
    return true;
}

static bool create_sense(struct chirr_model *model, struct chirr_arena *arena, uint32_t index)
{
    struct chirr_sense_state *state = &model->senses[index];
    const struct chirr_model_sense *sense = &model->config.senses[index];
    const struct chirr_stream_shape shape = stream_shape(&model->config, index);
    state->symbol = CHIRR_BYTE_SYMBOLS - 1;
    if (!chirr_stream_init(&state->stream, arena, &model->body.layout, &shape)) {
        return false;
    }
    if (sense->kind == CHIRR_SENSE_VECTOR) {
        state->last = chirr_arena_take(arena, sense->width, sizeof *state->last);
        state->present = chirr_arena_take(arena, sense->width, sizeof *state->present);
        return state->last != NULL && state->present != NULL &&
               chirr_normaliser_init(&state->normaliser, arena, sense->width);
    }
    return sense->kind != CHIRR_SENSE_OUTCOME ||
           chirr_outcomes_init(&state->outcomes, arena, sense->width, model->config.width);
}

struct chirr_model *chirr_model_create(struct chirr_arena *arena,
                                       const struct chirr_model_config *config)
{
    CHIRR_ASSERT(chirr_model_config_validate(config, NULL) == CHIRR_OK);
    struct chirr_model *model = chirr_arena_take(arena, 1, sizeof *model);
    if (model == NULL) {
        return NULL;
    }
    struct chirr_layout layout;
    chirr_layout_init(&layout, config);
    model->config = *config;
    bool taken = chirr_body_init(&model->body, arena, &layout, chunk_max(config)) &&
                 take_parameters(model, arena) &&
                 chirr_registers_init(&model->registers, arena, &layout, config->origins_max) &&
                 chirr_stream_init(&model->scratch, arena, &layout, &scratch_shape);
    for (uint32_t i = 0; taken && i < config->sense_count; i++) {
        taken = create_sense(model, arena, i);
    }
    if (!taken) {
        return NULL;
    }
    chirr_genesis_fill(&model->config, &layout, model->genesis);
    memcpy(model->weights, model->genesis, layout.total * sizeof *model->weights);
    return model;
}

void chirr_model_freeze(struct chirr_model *model, bool frozen)
{
    model->frozen = frozen;
}

void chirr_model_statistics(const struct chirr_model *model, struct chirr_model_statistics *out)
{
    const struct chirr_layout *l = &model->body.layout;
    const struct chirr_kernels *k = model->body.kernels;
    *out = (struct chirr_model_statistics){
        .steps = model->steps,
        .updates = model->updates,
        .steps_refused = model->steps_refused,
        .updates_refused = model->updates_refused,
        .own_norm = sqrt(k->sum_squares(l->shared_end, model->own)),
        .foreign_norm = sqrt(k->sum_squares(l->shared_end, model->foreign)),
    };
    for (uint32_t i = 0; i < model->config.sense_count; i++) {
        bool outcome = model->config.senses[i].kind == CHIRR_SENSE_OUTCOME;
        out->sensed += outcome ? 0 : model->senses[i].steps;
    }
}

const struct chirr_model_config *chirr_model_configuration(const struct chirr_model *model)
{
    return &model->config;
}
