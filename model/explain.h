/* What a model makes of a text, byte by byte: what each cost, which partitions answered, and what
 * it would have cost had some of them said nothing.
 *
 * Reads from an empty past (but what `continues`) with frozen weights, on the scratch stream:
 * nothing that a step sees changes. Not thread-safe: the owner's. */
#ifndef CHIRR_MODEL_EXPLAIN_H
#define CHIRR_MODEL_EXPLAIN_H

#include "model/model.h"

struct chirr_explanation {
    bool averaged;     /* in: by the slow average of the weights, not the live ones */
    bool continues;    /* in: the text goes on where the last one ended; nothing else was asked of
                          the model in between, nor of one that shares its workspace */
    uint64_t silenced; /* in: bit p: what partition p adds to the body counts as nothing. With a
                          selector nobody is called in its place */
    double bits;       /* out: sum over the text */
    float *each;       /* out: [bytes] bits of each byte; or NULL */
    uint64_t *answers; /* out: [layers][partitions] steps at which each answered; or NULL */
};

/* CHIRR_ERR_INVALID: not a sense of symbols. */
CHIRR_NODISCARD enum chirr_err chirr_model_explain(struct chirr_model *model, uint32_t sense,
                                                   const uint8_t *text, size_t bytes,
                                                   struct chirr_explanation *explanation);

#endif
