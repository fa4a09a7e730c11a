/* What a workspace is made of, for the model that has one or borrows it. */
#ifndef CHIRR_MODEL_WORKSPACE_PARTS_H
#define CHIRR_MODEL_WORKSPACE_PARTS_H

#include "model/body.h"
#include "model/image.h"
#include "model/workspace.h"

struct chirr_workspace {
    uint64_t lineage; /* this and the next three: which models fit */
    uint64_t hosted;
    size_t total;
    uint32_t chunk; /* the longest of any sense */
    struct chirr_body_scratch body;
    struct chirr_stream stream; /* for what changes nothing; see chirr_scratch_begin */
    struct chirr_image image;   /* beside it */
    chirr_real *genesis;        /* [total]; NULL in a workspace that is not shared */
};

/* Without the struct itself and without genesis: what a model alone takes. */
size_t chirr_workspace_parts_bytes(const struct chirr_model_config *config,
                                   const struct chirr_layout *layout);
bool chirr_workspace_init(struct chirr_workspace *workspace, struct chirr_arena *arena,
                          const struct chirr_model_config *config,
                          const struct chirr_layout *layout);

bool chirr_workspace_fits(const struct chirr_workspace *workspace,
                          const struct chirr_model_config *config,
                          const struct chirr_layout *layout);

#endif
