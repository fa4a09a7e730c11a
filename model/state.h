/* What makes two models of one configuration behave alike, as parts: arrays with names, listed once
 * for the state hash, for saving and for loading. What is a function of them is left out: base,
 * weights, and the fit of outcomes.
 *
 * Parts belong to groups, and those of a group are of use only together:
 *   model                 what was learned; counters
 *   selector              loads and bias
 *   origins               what others changed
 *   sense NAME            private parameters, where its stream stands
 *   sense NAME/chunk      its open chunk
 *   sense NAME/replay     its past
 *   sense NAME/outcomes   its ring of outcomes
 *
 * Not thread-safe. */
#ifndef CHIRR_MODEL_STATE_H
#define CHIRR_MODEL_STATE_H

#include "model/internal.h"

#define CHIRR_STATE_GROUP_BYTES_MAX (CHIRR_MODEL_NAME_BYTES_MAX + 24)

struct chirr_state_part {
    const char *group; /* borrowed until the visitor returns */
    const char *name;
    void *bytes;
    size_t size; /* bytes */
};

typedef void chirr_state_visitor(void *context, const struct chirr_state_part *part);

/* Every part, group by group, in one order. */
void chirr_state_visit(struct chirr_model *model, chirr_state_visitor *visit, void *context);

/* Makes the model as it was created. */
void chirr_state_clear(struct chirr_model *model);

/* What is a function of the state, anew: after the parts have changed. */
void chirr_state_complete(struct chirr_model *model);

/* CHIRR_ERR_MALFORMED where an index, a count or a number is none that a model of this configuration
 * can hold; `error` names the part. For a state that was read from a file, before it is used or
 * completed: whoever writes a file can write its digest, too. */
CHIRR_NODISCARD enum chirr_err chirr_state_check(const struct chirr_model *model,
                                                 struct chirr_error *error);

#endif
