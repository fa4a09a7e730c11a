/* Configuration, creation, statistics; steps are in step.c, readings that change nothing in
 * infer.c, the learning rule in learn.c. */
#include "model/model.h"

#include <math.h>
#include <string.h>

#include "base/digest.h"
#include "model/internal.h"
#include "model/workspace_parts.h"

#define DECAY_MAX 65536
#define GRAM_ROWS_MAX 65536

struct chirr_model_config chirr_model_config_default(void)
{
    struct chirr_model_config config = {
        .width = 64,
        .layers = 2,
        .section_width = 128,
        .rates = 4,
        .decay_min = 6,
        .decay_max = 512,
        .input_gate = true,
        .gram_rows = 1024,
        .partitions = 8,
        .genesis_seed = 1,
        .hosted = 0xFF,
        .chunk = 32,
        .learning_rate = 2.4e-3f,
        .warmup_updates = 10,
        .settling_updates = 4000,
        .drift = true,
        .replay_bytes = 64 * 1024,
        .replay_share = 0.1f,
        .trunk_rate = 1,
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

/* Least and greatest width of a sense, by kind. */
static const uint32_t sense_widths[][2] = {
    [CHIRR_SENSE_BYTES] = {0, 0},
    [CHIRR_SENSE_VECTOR] = {1, CHIRR_MODEL_VECTOR_WIDTH_MAX},
    [CHIRR_SENSE_OUTCOME] = {1, CHIRR_MODEL_VECTOR_WIDTH_MAX},
    [CHIRR_SENSE_AUDIO] = {0, 0},
    [CHIRR_SENSE_IMAGE] = {1, CHIRR_MODEL_ROW_BYTES_MAX},
};

/* Names are parts of others: of a checkpoint's groups ("sense NAME/chunk") and of tensors. */
static bool is_name(const char name[CHIRR_MODEL_NAME_BYTES_MAX])
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789_.-";
    bool ends = memchr(name, 0, CHIRR_MODEL_NAME_BYTES_MAX) != NULL;
    return ends && name[0] != 0 && name[strspn(name, allowed)] == 0;
}

static enum chirr_err check_sense(const struct chirr_model_config *config, uint32_t index,
                                  struct chirr_error *error)
{
    const struct chirr_model_sense *sense = &config->senses[index];
    if (!is_name(sense->name)) {
        return chirr_error_set(error, CHIRR_ERR_INVALID,
                               "model: sense %u needs a name of 1 to %d letters, digits, '_', '.' "
                               "or '-'",
                               index, CHIRR_MODEL_NAME_BYTES_MAX - 1);
    }
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(config->senses[i].name, sense->name) == 0) {
            return chirr_error_set(error, CHIRR_ERR_EXISTS, "model: two senses are named %s",
                                   sense->name);
        }
    }
    if ((unsigned)sense->kind >= sizeof sense_widths / sizeof *sense_widths) {
        return chirr_error_set(error, CHIRR_ERR_INVALID, "model: sense %s has no known kind",
                               sense->name);
    }
    const uint32_t *widths = sense_widths[sense->kind];
    bool image = sense->kind == CHIRR_SENSE_IMAGE;
    const struct bounds bounds[] = {
        {"the width of a sense", sense->width, widths[0], widths[1]},
        {"the channels of a sense", sense->channels, image, image ? CHIRR_IMAGE_CHANNELS_MAX : 0},
        {"the chunk of a sense", sense->chunk, 0, CHIRR_MODEL_CHUNK_MAX},
    };
    enum chirr_err err = check_bounds(bounds, sizeof bounds / sizeof *bounds, error);
    if (err == CHIRR_OK && image && sense->width % sense->channels != 0) {
        err = chirr_error_set(error, CHIRR_ERR_RANGE,
                              "model: sense %s has rows of %u bytes, expected a multiple of its %u "
                              "channels",
                              sense->name, sense->width, sense->channels);
    }
    return err;
}

static enum chirr_err check_shape(const struct chirr_model_config *c, struct chirr_error *error)
{
    const struct bounds bounds[] = {
        {"width", c->width, 16, 1024},
        {"layers", c->layers, 1, CHIRR_MODEL_LAYERS_MAX},
        {"section_width", c->section_width, 1, 16384},
        {"mlp_width", c->mlp_width, 0, 16384},
        {"rates", c->rates, 1, CHIRR_MODEL_RATES_MAX},
        {"partitions", c->partitions, 1, CHIRR_MODEL_PARTITIONS_MAX},
        {"active", c->active, 0, c->partitions},
        {"chunk", c->chunk, 1, CHIRR_MODEL_CHUNK_MAX},
        {"origins_max", c->origins_max, 0, 1024},
        {"sense_count", c->sense_count, 1, CHIRR_MODEL_SENSES_MAX},
    };
    enum chirr_err err = check_bounds(bounds, sizeof bounds / sizeof *bounds, error);
    if (err != CHIRR_OK) {
        return err;
    }
    if (c->gram_rows > GRAM_ROWS_MAX || (c->gram_rows & (c->gram_rows - 1)) != 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "model: gram_rows is %u, expected 0 or a power of two up to %d",
                               c->gram_rows, GRAM_ROWS_MAX);
    }
    bool paper = c->decay_min == 0 && c->decay_max == 0;
    if (!paper && (c->decay_min < 1 || c->decay_max < c->decay_min || c->decay_max > DECAY_MAX)) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "model: decays of %u to %u steps, expected 1 to %d, or 0 and 0 for "
                               "the rates of the paper",
                               c->decay_min, c->decay_max, DECAY_MAX);
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

static enum chirr_err check_remembering(const struct chirr_model_config *config,
                                        struct chirr_error *error)
{
    if (config->replay_bytes > 0 && config->replay_bytes < 2 * CHIRR_REPLAY_STRETCH_BYTES) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "model: replay_bytes is %u, expected 0 or at least %d",
                               config->replay_bytes, 2 * CHIRR_REPLAY_STRETCH_BYTES);
    }
    if (!(config->replay_share >= 0 && config->replay_share <= 0.5f)) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "model: replay_share is %g, expected 0 to 0.5",
                               (double)config->replay_share);
    }
    if (!(config->trunk_rate >= 0 && config->trunk_rate <= 1)) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "model: trunk_rate is %g, expected 0 to 1",
                               (double)config->trunk_rate);
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
    return check_remembering(config, error);
}

uint64_t chirr_model_lineage(const struct chirr_model_config *config)
{
    struct chirr_digest_state digest;
    chirr_digest_begin(&digest);
    const uint64_t numbers[] = {chirr_lineage_format(config), config->width,       config->layers,
                                config->section_width,        config->mlp_width,   config->rates,
                                config->partitions,           config->genesis_seed};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        chirr_digest_add_u64(&digest, numbers[i]);
    }
    if (chirr_lineage_format(config) > 1) {
        const uint64_t more[] = {config->active, config->decay_min, config->decay_max,
                                 config->input_gate, config->gram_rows};
        for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
            chirr_digest_add_u64(&digest, more[i]);
        }
    }
    return chirr_digest_end(&digest);
}

/* Pixels are not rehearsed: a stretch of them has lost its place in the image. */
static bool rehearses(const struct chirr_model_config *config, uint32_t sense)
{
    enum chirr_sense_kind kind = config->senses[sense].kind;
    return config->replay_bytes > 0 && config->replay_share > 0 &&
           (kind == CHIRR_SENSE_BYTES || kind == CHIRR_SENSE_AUDIO);
}

static struct chirr_replay_config replay_of(const struct chirr_model_config *config, uint32_t sense)
{
    return (struct chirr_replay_config){.bytes = config->replay_bytes,
                                        .seed = config->genesis_seed ^ sense};
}

/* Vectors come slowly: a block of surprise is as short as their chunk. */
static void begin_drift(struct chirr_drift *drift, enum chirr_sense_kind kind)
{
    struct chirr_drift_config config = chirr_drift_config_default();
    config.block_steps = kind == CHIRR_SENSE_VECTOR ? CHIRR_MODEL_VECTOR_CHUNK : config.block_steps;
    chirr_drift_init(drift, &config);
}

static size_t sense_bytes(const struct chirr_model_config *config,
                          const struct chirr_layout *layout, uint32_t sense)
{
    const struct chirr_stream_shape shape = chirr_stream_shape_of(config, sense);
    const struct chirr_model_sense *s = &config->senses[sense];
    const struct chirr_replay_config replay = replay_of(config, sense);
    size_t bytes = chirr_stream_bytes(layout, &shape) +
                   (rehearses(config, sense) ? chirr_rehearsal_bytes(layout, &replay) : 0);
    if (s->kind == CHIRR_SENSE_IMAGE) {
        bytes += chirr_image_bytes(s->width);
    }
    if (s->kind == CHIRR_SENSE_VECTOR) {
        bytes += chirr_arena_round(s->width * sizeof(chirr_real)) +
                 chirr_normaliser_bytes(s->width) +
                 chirr_arena_round(s->width * sizeof(struct chirr_calibration));
    }
    if (s->kind == CHIRR_SENSE_OUTCOME) {
        bytes += chirr_outcomes_bytes(s->width, config->width);
    }
    return bytes;
}

/* Weights in bf16, and what products may read behind the last one. */
static size_t narrow_count(const struct chirr_model_config *config,
                           const struct chirr_layout *layout)
{
    return config->narrow_reads ? layout->total + CHIRR_KERNEL_OVERREAD : 0;
}

/* The arrays over all parameters; `base` comes last, since models that meet no peers need none
 * of their own where they share genesis. */
#define PARAMETER_ARRAYS 5

static size_t own_arrays(const struct chirr_model_config *config, bool shares)
{
    return PARAMETER_ARRAYS - (shares && config->origins_max == 0);
}

/* Of all but a workspace. */
static size_t model_bytes(const struct chirr_model_config *config,
                          const struct chirr_layout *layout, bool shares)
{
    size_t narrow = narrow_count(config, layout) * sizeof(uint16_t);
    size_t blocks = layout->shared_end / CHIRR_LAYOUT_BLOCK;
    size_t bytes =
        chirr_arena_round(sizeof(struct chirr_model)) +
        own_arrays(config, shares) * chirr_arena_round(layout->total * sizeof(chirr_real)) +
        chirr_arena_round(narrow) + chirr_registers_bytes(layout, config->origins_max) +
        chirr_arena_round(blocks * sizeof(bool)) + chirr_arena_round(blocks * sizeof(double)) +
        chirr_selector_bytes(layout, config->sense_count) +
        chirr_arena_round(layout->gram_rows * sizeof(chirr_real));
    for (uint32_t i = 0; i < config->sense_count; i++) {
        bytes += sense_bytes(config, layout, i);
    }
    return bytes;
}

size_t chirr_model_bytes(const struct chirr_model_config *config)
{
    struct chirr_layout layout;
    chirr_layout_init(&layout, config);
    return model_bytes(config, &layout, false) + chirr_workspace_parts_bytes(config, &layout);
}

size_t chirr_model_bytes_within(const struct chirr_model_config *config)
{
    struct chirr_layout layout;
    chirr_layout_init(&layout, config);
    return model_bytes(config, &layout, true);
}

size_t chirr_model_parameter_count(const struct chirr_model_config *config)
{
    struct chirr_layout layout;
    chirr_layout_init(&layout, config);
    return layout.parameters;
}

static bool take_parameters(struct chirr_model *model, struct chirr_arena *arena,
                            const struct chirr_workspace *workspace)
{
    chirr_real **arrays[PARAMETER_ARRAYS] = {&model->own, &model->average, &model->weights,
                                             &model->moment, &model->base};
    model->genesis = workspace->genesis;
    model->base = workspace->genesis;
    size_t count = own_arrays(&model->config, model->genesis != NULL);
    for (size_t i = 0; i < count; i++) {
        *arrays[i] = chirr_arena_take(arena, model->body.layout.total, sizeof(chirr_real));
        if (*arrays[i] == NULL) {
            return false;
        }
    }
    if (model->config.narrow_reads) {
        model->narrow = chirr_arena_take(arena, narrow_count(&model->config, &model->body.layout),
                                         sizeof *model->narrow);
    }
    return !model->config.narrow_reads || model->narrow != NULL;
}

static bool create_sense(struct chirr_model *model, struct chirr_arena *arena, uint32_t index)
{
    struct chirr_sense_state *state = &model->senses[index];
    const struct chirr_model_sense *sense = &model->config.senses[index];
    const struct chirr_stream_shape shape = chirr_stream_shape_of(&model->config, index);
    if (!chirr_stream_init(&state->stream, arena, &model->body.layout, &shape)) {
        return false;
    }
    if (sense->kind == CHIRR_SENSE_IMAGE &&
        !chirr_image_init(&state->symbols.image, arena, sense->width, sense->channels)) {
        return false;
    }
    state->stream.noise = chirr_selector_noise(&model->body.layout, 0);
    chirr_symbols_begin(&state->symbols);
    begin_drift(&state->drift, sense->kind);
    const struct chirr_replay_config replay = replay_of(&model->config, index);
    state->rehearses = rehearses(&model->config, index);
    if (state->rehearses &&
        !chirr_rehearsal_init(&state->rehearsal, arena, &model->body.layout, &replay)) {
        return false;
    }
    if (sense->kind == CHIRR_SENSE_VECTOR) {
        state->last = chirr_arena_take(arena, sense->width, sizeof *state->last);
        state->calibrations = chirr_arena_take(arena, sense->width, sizeof *state->calibrations);
        return state->last != NULL && state->calibrations != NULL &&
               chirr_normaliser_init(&state->normaliser, arena, sense->width);
    }
    return sense->kind != CHIRR_SENSE_OUTCOME ||
           chirr_outcomes_init(&state->outcomes, arena, sense->width, model->config.width);
}

/* Everything but the senses; false when the arena is too small. */
static bool create_parts(struct chirr_model *model, struct chirr_arena *arena,
                         const struct chirr_workspace *workspace)
{
    const struct chirr_model_config *config = &model->config;
    const struct chirr_layout *layout = &model->body.layout;
    size_t blocks = layout->shared_end / CHIRR_LAYOUT_BLOCK;
    model->scratch = workspace->stream;
    model->scratch_symbols.image = workspace->image;
    bool taken = take_parameters(model, arena, workspace) &&
                 chirr_registers_init(&model->registers, arena, layout, config->origins_max) &&
                 chirr_selector_init(&model->selector, arena, layout, config->sense_count);
    if (!taken) {
        return false;
    }
    model->stale = chirr_arena_take(arena, blocks, sizeof *model->stale);
    model->foreign_squares = chirr_arena_take(arena, blocks, sizeof *model->foreign_squares);
    model->gram_squares = chirr_arena_take(arena, layout->gram_rows, sizeof(chirr_real));
    return model->stale != NULL && model->foreign_squares != NULL && model->gram_squares != NULL;
}

/* A workspace of its own where none is lent. */
static struct chirr_model *create(struct chirr_arena *arena,
                                  const struct chirr_model_config *config,
                                  const struct chirr_workspace *lent)
{
    CHIRR_ASSERT(chirr_model_config_validate(config, NULL) == CHIRR_OK);
    struct chirr_model *model = chirr_arena_take(arena, 1, sizeof *model);
    struct chirr_workspace own;
    struct chirr_layout layout;
    chirr_layout_init(&layout, config);
    if (model == NULL || (lent == NULL && !chirr_workspace_init(&own, arena, config, &layout))) {
        return NULL;
    }
    const struct chirr_workspace *workspace = lent == NULL ? &own : lent;
    CHIRR_ASSERT(chirr_workspace_fits(workspace, config, &layout));
    model->config = *config;
    chirr_body_init(&model->body, &layout, config, &workspace->body);
    bool taken = create_parts(model, arena, workspace);
    for (uint32_t i = 0; taken && i < config->sense_count; i++) {
        taken = create_sense(model, arena, i);
    }
    if (!taken) {
        return NULL;
    }
    chirr_model_rebuild(model);
    return model;
}

struct chirr_model *chirr_model_create(struct chirr_arena *arena,
                                       const struct chirr_model_config *config)
{
    return create(arena, config, NULL);
}

struct chirr_model *chirr_model_create_within(struct chirr_arena *arena,
                                              const struct chirr_model_config *config,
                                              const struct chirr_workspace *workspace)
{
    return create(arena, config, workspace);
}

void chirr_model_freeze(struct chirr_model *model, bool frozen)
{
    model->frozen = frozen;
}

void chirr_model_statistics(const struct chirr_model *model, struct chirr_model_statistics *out)
{
    const struct chirr_layout *l = &model->body.layout;
    *out = (struct chirr_model_statistics){
        .steps = model->steps,
        .updates = model->updates,
        .steps_refused = model->steps_refused,
        .updates_refused = model->updates_refused,
        .own_norm = sqrt(model->body.kernels->sum_squares(l->shared_end, model->own)),
        .foreign_norm = sqrt(chirr_model_foreign_squares(model)),
    };
    for (uint32_t i = 0; i < model->config.sense_count; i++) {
        bool outcome = model->config.senses[i].kind == CHIRR_SENSE_OUTCOME;
        out->sensed += outcome ? 0 : model->senses[i].steps;
        out->bytes_rehearsed += model->senses[i].rehearsal.bytes;
        out->drifts += model->senses[i].drift.state.drifts;
    }
}

float chirr_model_activation(const struct chirr_model *model, uint32_t sense, uint32_t layer,
                             uint32_t partition)
{
    const struct chirr_layout *l = &model->body.layout;
    bool known = sense < model->config.sense_count && layer < l->layers &&
                 partition < model->config.partitions && l->unit_of[partition] >= 0;
    if (!known || !l->selects) {
        return known ? 1 : 0;
    }
    size_t at = (size_t)layer * l->hosted_count + (size_t)l->unit_of[partition];
    return (float)model->selector.loads[sense][at];
}

const struct chirr_model_config *chirr_model_configuration(const struct chirr_model *model)
{
    return &model->config;
}
