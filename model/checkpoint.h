/* Checkpoints: a model's parameters, optimizer, own and foreign change, and senses' state on disk.
 *
 * The file is {magic, format version, lineage, sections, digest}; it is written to a temporary
 * name, synced and renamed, and the one before is kept as `PATH.previous`. `kill -9` at any instant
 * leaves at least one whole checkpoint. A truncated file or a flipped byte anywhere is detected. */
#ifndef CHIRR_MODEL_CHECKPOINT_H
#define CHIRR_MODEL_CHECKPOINT_H

#include "model/model.h"

CHIRR_NODISCARD enum chirr_err chirr_checkpoint_save(const struct chirr_model *model,
                                                     const char *path, struct chirr_error *error);

enum chirr_checkpoint_origin {
    CHIRR_CHECKPOINT_NONE,     /* no file: the model is at genesis */
    CHIRR_CHECKPOINT_CURRENT,  /* PATH */
    CHIRR_CHECKPOINT_PREVIOUS, /* PATH could not be read; `error` says why */
};

/* Loads PATH, or PATH.previous where PATH is missing or unreadable. On failure the model is as
 * created. CHIRR_ERR_LINEAGE: written by a model of another shape or genesis, whatever can be read
 * of both. */
CHIRR_NODISCARD enum chirr_err chirr_checkpoint_load(struct chirr_model *model, const char *path,
                                                     enum chirr_checkpoint_origin *origin,
                                                     struct chirr_error *error);

#endif
