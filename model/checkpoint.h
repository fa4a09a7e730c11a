/* Checkpoints: a model's parameters, optimizer, own and foreign change, and senses' state on disk.
 *
 * The file is {magic, format version, lineage, named parts, digest} (checkpoint_file.h); it is
 * written to a temporary name, synced and renamed, and the one before is kept as `PATH.previous`.
 * `kill -9` at any instant leaves at least one whole checkpoint. A truncated file or a flipped byte
 * anywhere is detected. Files of older formats can be read. */
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

/* Loads PATH, or PATH.previous where PATH is missing or unreadable. What was learned has to fit:
 * CHIRR_ERR_LINEAGE where the file is of another shape, genesis or set of hosted partitions. What
 * has another size since, a sense's chunk, its replay, the number of origins, begins anew, and so
 * does a sense that the file does not know. CHIRR_ERR_MALFORMED: the file's digest is right, but not
 * what it says (state.h). On failure the model is as created. */
CHIRR_NODISCARD enum chirr_err chirr_checkpoint_load(struct chirr_model *model, const char *path,
                                                     enum chirr_checkpoint_origin *origin,
                                                     struct chirr_error *error);

struct chirr_checkpoint_description {
    uint32_t format;
    uint64_t lineage;
    uint64_t digest;
    uint64_t bytes;
    struct chirr_model_config config;
};

/* What PATH alone holds, once its digest is verified: enough to create a model for it. Errors as
 * load; CHIRR_ERR_VERSION: of format 1, which does not tell the configuration. */
CHIRR_NODISCARD enum chirr_err
chirr_checkpoint_describe(const char *path, struct chirr_checkpoint_description *description,
                          struct chirr_error *error);

#endif
