/* What models of one shape can share, because none of them keeps anything there.
 *
 * A model's workspace holds what lasts no longer than one call: the scratch of forward and backward
 * passes, and the stream that evaluations, samples and explanations run on. A model made by
 * chirr_model_create has one of its own. Models of one shape that never run at the same moment,
 * such as the agents of a simulated world, borrow one instead: it stays in the cache from one to
 * the next, and is there once. They also share genesis, which a model alone draws anew wherever it
 * needs it (internal.h); where no peer's change can come (origins_max 0) it is their base itself.
 * Every model gives the same bits as it would alone.
 *
 * Ownership: the arena's; it outlives the models that borrow it. Not thread-safe: one owner of it
 * and of all of them. */
#ifndef CHIRR_MODEL_WORKSPACE_H
#define CHIRR_MODEL_WORKSPACE_H

#include "model/model.h"

struct chirr_workspace;

/* Of `config`, all that is about shape counts: the lineage, what is hosted, senses and chunks. */
size_t chirr_workspace_bytes(const struct chirr_model_config *config);

/* NULL when the arena is too small. `config` must be valid. */
struct chirr_workspace *chirr_workspace_create(struct chirr_arena *arena,
                                               const struct chirr_model_config *config);

/* As chirr_model_bytes and chirr_model_create, of a model that borrows the workspace: of the same
 * shape, but with its own rates, rehearsal and room for origins. What chirr_explanation
 * `continues` must follow at once: it is forgotten when any model of the workspace was asked. */
size_t chirr_model_bytes_within(const struct chirr_model_config *config);
struct chirr_model *chirr_model_create_within(struct chirr_arena *arena,
                                              const struct chirr_model_config *config,
                                              const struct chirr_workspace *workspace);

#endif
