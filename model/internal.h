/* The model's own memory, for the files of this folder and their tests.
 *
 * Parallel arrays over the layout's coordinates, all [layout.total]:
 *   weights = (genesis + own) + foreign      what forward and backward read
 * `own` is local learning alone, `average` its slow average, `foreign` the weighted sum of what
 * other origins changed (registers.h); `weights` is always recomputed from the three in this one
 * order, so that equal registers give equal bits however they were reached. */
#ifndef CHIRR_MODEL_INTERNAL_H
#define CHIRR_MODEL_INTERNAL_H

#include "model/body.h"
#include "model/model.h"
#include "model/normaliser.h"
#include "model/outcome.h"
#include "model/registers.h"

struct chirr_sense_state {
    struct chirr_stream stream; /* outcomes: a chunk of one */
    uint64_t steps;
    uint64_t updates;
    double bits_mean;                   /* slow running mean */
    uint32_t symbol;                    /* bytes: what came last */
    chirr_real *last;                   /* vectors: the last one, normalised, [width] */
    bool *present;                      /* vectors: which components came, [width] */
    struct chirr_normaliser normaliser; /* vectors */
    struct chirr_outcomes outcomes;
};

struct chirr_model {
    struct chirr_model_config config;
    struct chirr_body body;
    chirr_real *genesis;
    chirr_real *own;
    chirr_real *average;
    chirr_real *foreign;
    chirr_real *weights;
    chirr_real *moment;   /* RMSprop's running mean of squared gradients */
    chirr_real *gradient; /* free between updates: what-if views of the weights are built here */
    struct chirr_registers registers;
    struct chirr_sense_state senses[CHIRR_MODEL_SENSES_MAX];
    struct chirr_stream scratch; /* a chunk of one, for what changes nothing */
    uint64_t steps;
    uint64_t updates;
    uint64_t codec_updates; /* of the byte embedding and head */
    uint64_t steps_refused;
    uint64_t updates_refused;
    bool frozen;
};

/* The gradient of the open chunk's mean loss, into `gradient`; consumes stream.d_output. */
void chirr_learn_gradient(struct chirr_model *model, uint32_t sense);

/* One update from the open chunk of a sense. False, with nothing changed, when the gradient is not
 * finite. */
bool chirr_learn_chunk(struct chirr_model *model, uint32_t sense);

/* Scores what came at the open chunk's next step, without learning; nats. The caller has stored
 * nothing: the stream's input, state and `filled` are moved on. */
double chirr_sense_read_byte(struct chirr_model *model, uint32_t sense, uint8_t byte);
double chirr_sense_read_vector(struct chirr_model *model, uint32_t sense, const chirr_real *values);
/* Learns at once, unless frozen. */
double chirr_sense_read_outcome(struct chirr_model *model, uint32_t sense, const float *features,
                                const struct chirr_model_outcome *outcome);

/* Every span of memory that makes up the model's state, in one order, for hash and checkpoint. */
typedef void chirr_span_visitor(void *context, void *bytes, size_t count);
void chirr_model_visit_state(struct chirr_model *model, chirr_span_visitor *visit, void *context);

/* weights from genesis, own and foreign; foreign from the registers. After a load. */
void chirr_model_rebuild(struct chirr_model *model);

#endif
