/* The learner on disk: its model in STATE_DIR/model.checkpoint and, where it has one, its control
 * in STATE_DIR/control.checkpoint beside it; of both the one before, as `.previous`.
 *
 * What learns alone is worth comparing only when it has sensed exactly what the model has. The
 * model's file leads: the control is taken from whichever of its two files tells of as many steps,
 * which is one of them wherever a crash fell between the two saves. Where neither does, the control
 * is given up, and how the model would stand alone is unknown from then on. Not thread-safe. */
#ifndef CHIRR_AGENT_LEARNER_CHECKPOINT_H
#define CHIRR_AGENT_LEARNER_CHECKPOINT_H

#include "agent/learner.h"
#include "base/log.h"
#include "model/checkpoint.h"

CHIRR_NODISCARD enum chirr_err chirr_learner_checkpoint_save(struct chirr_learner *learner,
                                                             const char *state_dir,
                                                             struct chirr_error *error);

/* Into a learner as it was created; what cannot be read is told to the log. Files of a model of
 * another shape, genesis or senses are set aside as `FILE.other-lineage` (then `-2` and on), so
 * that no save replaces them. Any error: they could not be, and the next save would. */
CHIRR_NODISCARD enum chirr_err chirr_learner_checkpoint_load(struct chirr_learner *learner,
                                                             const char *state_dir,
                                                             const struct chirr_log *log,
                                                             enum chirr_checkpoint_origin *origin,
                                                             struct chirr_error *error);

#endif
