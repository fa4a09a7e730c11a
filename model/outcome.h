/* Forecasts of a task's outcome: a Gaussian of its target and a Bernoulli of its success.
 *
 * Outcomes are few (tens in an agent's first minute), so this head does not descend on gradients:
 * the recent ones are kept in a bounded ring and fitted exactly at each new one.
 * - Target: Bayesian linear regression on the features and on the body's readout of them, in its
 *   dual (kernel) form, so that the cost depends on the ring and not on the width. The noise is
 *   integrated out (normal-inverse-gamma); how much the features and the readout count is chosen by
 *   the evidence. Rasmussen & Williams, "Gaussian Processes for Machine Learning" (2006),
 * chapter 2.
 * - Success: Bayesian logistic regression on the features, Laplace approximation (ibid., 3.4).
 * The deviation holds what is not known yet as well as the noise, and is large for unseen kinds.
 * The body reads outcomes through its traces but is not trained by them. Not thread-safe. */
#ifndef CHIRR_MODEL_OUTCOME_H
#define CHIRR_MODEL_OUTCOME_H

#include "base/arena.h"
#include "model/model.h"
#include "model/real.h"

#define CHIRR_OUTCOMES_MAX 96

struct chirr_outcomes {
    uint32_t width;      /* features */
    uint32_t body_width; /* D */

    /* the ring: what happened */
    uint32_t count;
    uint32_t next;        /* where the next outcome goes */
    float *features;      /* [CHIRR_OUTCOMES_MAX][width] */
    chirr_real *readouts; /* [CHIRR_OUTCOMES_MAX][D], as the body read it then */
    float *targets;       /* [CHIRR_OUTCOMES_MAX] */
    uint8_t *successes;   /* [CHIRR_OUTCOMES_MAX] */

    /* the fit: a function of the ring */
    double *mean;             /* [width] of the features */
    double *deviation;        /* [width] */
    double *standard;         /* [CHIRR_OUTCOMES_MAX][width], features in these units */
    double *feature_products; /* [CHIRR_OUTCOMES_MAX][CHIRR_OUTCOMES_MAX], of successes */
    double *readout_products; /* likewise, over the width */
    double *factor;      /* [CHIRR_OUTCOMES_MAX][CHIRR_OUTCOMES_MAX], of the successes' kernel */
    double *dual;        /* [CHIRR_OUTCOMES_MAX] */
    uint32_t *succeeded; /* [fitted] places in the ring */
    uint32_t fitted;
    double target_mean;
    double noise;          /* variance */
    double feature_weight; /* prior variances over the noise's */
    double readout_weight;
    double *logistic;        /* [width + 1], bias last */
    double *logistic_factor; /* [width + 1][width + 1], of the inverse covariance */
    double *column;          /* [CHIRR_OUTCOMES_MAX or width + 1] scratch */
};

size_t chirr_outcomes_bytes(uint32_t width, uint32_t body_width);
bool chirr_outcomes_init(struct chirr_outcomes *outcomes, struct chirr_arena *arena, uint32_t width,
                         uint32_t body_width);

/* Features in the units that the body and the fit read, within ±8. */
void chirr_outcomes_standardise(const struct chirr_outcomes *outcomes, const float *features,
                                double *standard /* [width] */);

void chirr_outcomes_forecast(const struct chirr_outcomes *outcomes, const double *standard,
                             const chirr_real *readout /* [D] */,
                             struct chirr_model_forecast *forecast);

/* Puts an outcome into the ring, in place of the oldest where it is full. */
void chirr_outcomes_add(struct chirr_outcomes *outcomes, const float *features,
                        const chirr_real *readout, const struct chirr_model_outcome *outcome);

/* Fits the ring anew: after an addition or a load. */
void chirr_outcomes_fit(struct chirr_outcomes *outcomes);

#endif
