/* The model's own memory, for the files of this folder and their tests.
 *
 * Parallel arrays over the layout's coordinates, all [layout.total]:
 *   weights = base + own,  base = genesis + foreign      what forward and backward read
 * `own` is local learning alone, `average` its slow average, `foreign` the weighted sum of what
 * other origins changed (registers.h). Genesis is drawn anew where a base is built, unless models
 * share it (workspace.h), and foreign summed, rather than kept; both always in one order, so that
 * equal registers give equal bits however they were reached. A block whose registers changed is
 * stale until the model is read next (chirr_model_settle). */
#ifndef CHIRR_MODEL_INTERNAL_H
#define CHIRR_MODEL_INTERNAL_H

#include "model/body.h"
#include "model/calibration.h"
#include "model/drift.h"
#include "model/model.h"
#include "model/normaliser.h"
#include "model/outcome.h"
#include "model/registers.h"
#include "model/rehearsal.h"
#include "model/selector.h"
#include "model/symbols.h"

/* No coordinate's own change exceeds this: weights stay finite however long an agent lives. */
#define CHIRR_OWN_CHANGE_MAX 4

struct chirr_sense_state {
    struct chirr_stream stream; /* outcomes: a chunk of one */
    uint64_t steps;
    uint64_t updates;
    uint64_t settled; /* updates since the beginning or the last drift */
    double bits_mean; /* slow running mean */
    struct chirr_symbols symbols;
    chirr_real *last;                       /* vectors: the last one, normalised, [width] */
    struct chirr_normaliser normaliser;     /* vectors */
    struct chirr_calibration *calibrations; /* vectors: of each component, [width] */
    struct chirr_outcomes outcomes;
    struct chirr_drift drift;
    bool rehearses;
    struct chirr_rehearsal rehearsal; /* where it does */
};

struct chirr_model {
    struct chirr_model_config config;
    struct chirr_body body;
    const chirr_real *genesis; /* of the workspace, where it is shared; or NULL */
    chirr_real *base;          /* the same array where it is shared and no peer is met */
    chirr_real *own;
    chirr_real *average;
    chirr_real *weights;
    chirr_real *moment; /* RMSprop's running mean of squared gradients */
    chirr_real
        *gram_squares; /* [gram_rows] Adagrad's sums, one for each row of the n-gram tables */
    uint16_t *narrow;  /* the weights in bf16, or NULL */
    struct chirr_registers registers;
    bool *stale; /* [registers.blocks] base and weights are not those of the registers */
    bool any_stale;
    double *foreign_squares; /* [registers.blocks] of what others changed, where it is not stale */
    struct chirr_selector selector;
    struct chirr_sense_state senses[CHIRR_MODEL_SENSES_MAX];
    struct chirr_stream scratch; /* for what changes nothing; the workspace's arrays */
    struct chirr_symbols scratch_symbols;
    uint64_t steps;
    uint64_t updates;
    uint64_t steps_refused;
    uint64_t updates_refused;
    bool frozen;
};

/* Weights as steps read them. */
static inline struct chirr_weights chirr_model_weights(const struct chirr_model *model)
{
    return (struct chirr_weights){model->weights, model->narrow};
}

/* The gradients of the stream's open chunk to the sink, of its mean loss; consumes its d_output.
 * The stream is the sense's own, or one lent by it. */
void chirr_learn_gradient(struct chirr_model *model, uint32_t sense, struct chirr_stream *stream,
                          const struct chirr_gradient_sink *sink);

/* One update from the open chunk of a sense. A matrix whose gradient is not finite stays as it was,
 * and is counted. */
void chirr_learn_chunk(struct chirr_model *model, uint32_t sense);

/* Between two chunks of a sense: learns some of its past again, when that is due. */
void chirr_learn_rehearse(struct chirr_model *model, uint32_t sense);

/* The head's outputs for a vector sense's next step, which is then taken; [2 width], borrowed. */
chirr_real *chirr_vector_predict(struct chirr_model *model, uint32_t sense);

/* Predicts and takes one vector in its own units; nats. Of what is learned, only what the units are
 * and, unless frozen, how far off the forecast was. */
double chirr_vector_read(struct chirr_model *model, uint32_t sense, const float *values);

/* Scores an outcome and, unless frozen, learns it. */
double chirr_outcome_read(struct chirr_model *model, uint32_t sense, const float *features,
                          const struct chirr_model_outcome *outcome);

/* The scratch stream, as if it were that of a sense: at its present state, or (`empty`) at the
 * beginning of time. */
struct chirr_stream *chirr_scratch_begin(struct chirr_model *model, uint32_t sense, bool empty);

/* The squared norm of what others changed, by their registers as they are. */
double chirr_model_foreign_squares(const struct chirr_model *model);

/* Builds the stale blocks of base and weights. Whatever reads weights calls it first. */
void chirr_model_settle(struct chirr_model *model);

/* weights = base + own at [begin, end), and their narrow copy. */
void chirr_model_weigh(struct chirr_model *model, const chirr_real *own, size_t begin, size_t end);

/* Everything is stale, private parts too: after creation and after a load. */
void chirr_model_rebuild(struct chirr_model *model);

static inline bool chirr_model_has_sense(const struct chirr_model *model, uint32_t sense,
                                         enum chirr_sense_kind kind)
{
    return sense < model->config.sense_count && model->config.senses[sense].kind == kind;
}

static inline bool chirr_model_has_symbols(const struct chirr_model *model, uint32_t sense)
{
    return sense < model->config.sense_count &&
           chirr_sense_is_symbols(model->config.senses[sense].kind);
}

#endif
