#include "model/workspace.h"

#include "model/genesis.h"
#include "model/workspace_parts.h"

/* Steps that evaluation takes at once. */
#define SCRATCH_CHUNK 16

static uint32_t chunk_max(const struct chirr_model_config *config)
{
    uint32_t most = 1;
    for (uint32_t i = 0; i < config->sense_count; i++) {
        uint32_t chunk = chirr_stream_shape_of(config, i).chunk;
        most = chunk > most ? chunk : most;
    }
    return most;
}

/* Enough for any sense; so many steps at once that products are worth it. */
static struct chirr_stream_shape scratch_shape(const struct chirr_model_config *config)
{
    uint32_t chunk = chunk_max(config);
    return (struct chirr_stream_shape){.chunk = chunk < SCRATCH_CHUNK ? chunk : SCRATCH_CHUNK,
                                       .inputs = CHIRR_MODEL_VECTOR_WIDTH_MAX,
                                       .outputs = CHIRR_BYTE_VALUES};
}

/* The widest row of any image sense. */
static uint32_t row_bytes_max(const struct chirr_model_config *config)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < config->sense_count; i++) {
        const struct chirr_model_sense *s = &config->senses[i];
        most = s->kind == CHIRR_SENSE_IMAGE && s->width > most ? s->width : most;
    }
    return most;
}

size_t chirr_workspace_parts_bytes(const struct chirr_model_config *config,
                                   const struct chirr_layout *layout)
{
    const struct chirr_stream_shape scratch = scratch_shape(config);
    return chirr_body_scratch_bytes(layout, chunk_max(config)) +
           chirr_stream_bytes(layout, &scratch) + chirr_image_bytes(row_bytes_max(config));
}

bool chirr_workspace_init(struct chirr_workspace *workspace, struct chirr_arena *arena,
                          const struct chirr_model_config *config,
                          const struct chirr_layout *layout)
{
    const struct chirr_stream_shape scratch = scratch_shape(config);
    *workspace = (struct chirr_workspace){
        .lineage = chirr_model_lineage(config),
        .hosted = config->hosted,
        .total = layout->total,
        .chunk = chunk_max(config),
    };
    return chirr_body_scratch_init(&workspace->body, arena, layout, workspace->chunk) &&
           chirr_stream_init(&workspace->stream, arena, layout, &scratch) &&
           chirr_image_init(&workspace->image, arena, row_bytes_max(config), 1);
}

bool chirr_workspace_fits(const struct chirr_workspace *workspace,
                          const struct chirr_model_config *config,
                          const struct chirr_layout *layout)
{
    return workspace->lineage == chirr_model_lineage(config) &&
           workspace->hosted == config->hosted && workspace->total == layout->total &&
           workspace->chunk == chunk_max(config);
}

size_t chirr_workspace_bytes(const struct chirr_model_config *config)
{
    struct chirr_layout layout;
    chirr_layout_init(&layout, config);
    return chirr_arena_round(sizeof(struct chirr_workspace)) +
           chirr_workspace_parts_bytes(config, &layout) +
           chirr_arena_round(layout.total * sizeof(chirr_real));
}

struct chirr_workspace *chirr_workspace_create(struct chirr_arena *arena,
                                               const struct chirr_model_config *config)
{
    CHIRR_ASSERT(chirr_model_config_validate(config, NULL) == CHIRR_OK);
    struct chirr_workspace *workspace = chirr_arena_take(arena, 1, sizeof *workspace);
    struct chirr_layout layout;
    chirr_layout_init(&layout, config);
    if (workspace == NULL || !chirr_workspace_init(workspace, arena, config, &layout)) {
        return NULL;
    }
    workspace->genesis = chirr_arena_take(arena, layout.total, sizeof *workspace->genesis);
    if (workspace->genesis == NULL) {
        return NULL;
    }
    chirr_genesis_fill(config, &layout, 0, layout.total, workspace->genesis);
    return workspace;
}
