/* Saving and loading a learner's two models as one. */
#include "agent/learner_checkpoint.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES_MAX 4096

static void path_of(char path[PATH_BYTES_MAX], const char *state_dir, const char *name)
{
    int length = snprintf(path, PATH_BYTES_MAX, "%s/%s", state_dir, name);
    CHIRR_ASSERT(length > 0 && length < PATH_BYTES_MAX);
}

/* The control first: a crash in between leaves the one that fits the model as `.previous`. */
enum chirr_err chirr_learner_checkpoint_save(struct chirr_learner *learner, const char *state_dir,
                                             struct chirr_error *error)
{
    char path[PATH_BYTES_MAX];
    if (chirr_learner_control(learner) != NULL) {
        path_of(path, state_dir, "control.checkpoint");
        enum chirr_err err = chirr_checkpoint_save(chirr_learner_control(learner), path, error);
        if (err != CHIRR_OK) {
            return err;
        }
    }
    path_of(path, state_dir, "model.checkpoint");
    return chirr_checkpoint_save(chirr_learner_model(learner), path, error);
}

static uint64_t sensed_by(const struct chirr_model *model)
{
    struct chirr_model_statistics statistics;
    chirr_model_statistics(model, &statistics);
    return statistics.sensed;
}

/* False when no file of the control is from the model's instant. */
static bool load_control(struct chirr_learner *learner, const char *state_dir)
{
    struct chirr_model *control = chirr_learner_control(learner);
    uint64_t sensed = sensed_by(chirr_learner_model(learner));
    char current[PATH_BYTES_MAX];
    char previous[PATH_BYTES_MAX];
    enum chirr_checkpoint_origin origin;
    path_of(current, state_dir, "control.checkpoint");
    path_of(previous, state_dir, "control.checkpoint.previous");
    if (chirr_checkpoint_load(control, current, &origin, NULL) == CHIRR_OK &&
        sensed_by(control) == sensed) {
        return true;
    }
    if (chirr_checkpoint_load(control, previous, &origin, NULL) != CHIRR_OK ||
        sensed_by(control) != sensed) {
        return false;
    }
    /* Else the next save would push it out, and a crash in that save would leave none that fits.
     * Should this fail, no more than that is lost. */
    (void)rename(previous, current);
    return true;
}

enum chirr_checkpoint_origin chirr_learner_checkpoint_load(struct chirr_learner *learner,
                                                           const char *state_dir,
                                                           const struct chirr_log *log)
{
    char path[PATH_BYTES_MAX];
    enum chirr_checkpoint_origin origin;
    struct chirr_error why = {0};
    path_of(path, state_dir, "model.checkpoint");
    enum chirr_err err = chirr_checkpoint_load(chirr_learner_model(learner), path, &origin, &why);
    if (err != CHIRR_OK) {
        chirr_log_warning(log, "starts from genesis: %s", why.text);
    } else if (origin == CHIRR_CHECKPOINT_PREVIOUS) {
        chirr_log_warning(log, "took the checkpoint before the last: %s", why.text);
    } else if (origin == CHIRR_CHECKPOINT_CURRENT) {
        chirr_log_info(log, "continues from %s", path);
    }
    if (origin == CHIRR_CHECKPOINT_NONE) {
        return origin; /* and so does the control: both are untrained */
    }
    bool alone = chirr_learner_control(learner) != NULL && load_control(learner, state_dir);
    if (chirr_learner_control(learner) != NULL && !alone) {
        chirr_log_warning(log, "no checkpoint of the model that learns alone is from the same "
                               "instant: what sharing brings here is unknown from now on");
    }
    chirr_learner_resume(learner, alone);
    return origin;
}
