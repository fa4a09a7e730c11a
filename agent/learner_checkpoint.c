/* Saving and loading a learner's two models as one. */
#include "agent/learner_checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096
#define ASIDE_MAX 99 /* of one file */

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

static void resume(struct chirr_learner *learner, const char *state_dir,
                   const struct chirr_log *log)
{
    bool wanted = chirr_learner_control(learner) != NULL;
    bool alone = wanted && load_control(learner, state_dir);
    if (wanted && !alone) {
        chirr_log_warning(log, "no checkpoint of the model that learns alone is from the same "
                               "instant: what sharing brings here is unknown from now on");
    }
    chirr_learner_resume(learner, alone);
}

static enum chirr_err set_aside(const char *path, const struct chirr_log *log,
                                struct chirr_error *error)
{
    char aside[PATH_BYTES_MAX + 32];
    snprintf(aside, sizeof aside, "%s.other-lineage", path);
    for (int n = 2; access(aside, F_OK) == 0 && n <= ASIDE_MAX + 1; n++) {
        if (n > ASIDE_MAX) {
            return chirr_error_set(error, CHIRR_ERR_FULL,
                                   "%s: %d models of other lineages lie here; move some away", path,
                                   ASIDE_MAX);
        }
        snprintf(aside, sizeof aside, "%s.other-lineage-%d", path, n);
    }
    if (rename(path, aside) == 0) {
        chirr_log_warning(log, "%s is of another lineage and kept as %s", path, aside);
    } else if (errno != ENOENT) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be set aside: %s", path,
                               strerror(errno));
    }
    return CHIRR_OK;
}

static enum chirr_err set_all_aside(const char *state_dir, const struct chirr_log *log,
                                    struct chirr_error *error)
{
    static const char *const names[] = {"model.checkpoint", "model.checkpoint.previous",
                                        "control.checkpoint", "control.checkpoint.previous"};
    enum chirr_err err = CHIRR_OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && err == CHIRR_OK; i++) {
        char path[PATH_BYTES_MAX];
        path_of(path, state_dir, names[i]);
        err = set_aside(path, log, error);
    }
    return err;
}

enum chirr_err chirr_learner_checkpoint_load(struct chirr_learner *learner, const char *state_dir,
                                             const struct chirr_log *log,
                                             enum chirr_checkpoint_origin *origin,
                                             struct chirr_error *error)
{
    char path[PATH_BYTES_MAX];
    struct chirr_error why = {0};
    path_of(path, state_dir, "model.checkpoint");
    enum chirr_err err = chirr_checkpoint_load(chirr_learner_model(learner), path, origin, &why);
    if (err != CHIRR_OK) {
        chirr_log_warning(log, "starts from genesis: %s", why.text);
    } else if (*origin == CHIRR_CHECKPOINT_PREVIOUS) {
        chirr_log_warning(log, "took the checkpoint before the last: %s", why.text);
    } else if (*origin == CHIRR_CHECKPOINT_CURRENT) {
        chirr_log_info(log, "continues from %s", path);
    }
    if (*origin != CHIRR_CHECKPOINT_NONE) { /* else the control begins at genesis, too */
        resume(learner, state_dir, log);
    }
    return err == CHIRR_ERR_LINEAGE ? set_all_aside(state_dir, log, error) : CHIRR_OK;
}
