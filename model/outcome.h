/* Forecasts of a task's outcome: a Gaussian of its target and a Bernoulli of its success.
 *
 * Outcomes are few (tens in an agent's first minute), so this head does not descend on gradients:
 * the recent ones are kept in a bounded ring and fitted exactly at each new one.
 * - Target (outcome_target.c): Bayesian linear regression on the features and on the body's readout
 *   of them. The noise is integrated out (normal-inverse-gamma); how much the features and the
 *   readout count is chosen by the evidence. Rasmussen & Williams, "Gaussian Processes for Machine
 *   Learning" (2006), chapter 2.
 * - Noise (outcome_noise.c): its variance may depend on the features. What is left of a wrong shape
 *   or scale is taken out by calibration (calibration.h).
 * - Success (outcome_success.c): Bayesian logistic regression on the features, Laplace
 *   approximation (ibid., 3.4).
 * The deviation holds what is not known yet as well as the noise, and is large for unseen kinds.
 * The body reads outcomes through its traces but is not trained by them. Not thread-safe. */
#ifndef CHIRR_MODEL_OUTCOME_H
#define CHIRR_MODEL_OUTCOME_H

#include "base/arena.h"
#include "model/calibration.h"
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
    float *squares;       /* [CHIRR_OUTCOMES_MAX], squared scores of forecasts made before, as if
                             all noise were alike; negative: none */
    struct chirr_calibration calibration;
    struct chirr_calibration_odds odds;

    /* the fit: a function of the ring, bit by bit, however it was reached */
    double *mean;      /* [width] of the features */
    double *deviation; /* [width] */
    double *standard;  /* [CHIRR_OUTCOMES_MAX][terms], features in these units, 1, recency */

    /* of the targets; terms: features, bias, recency; rows of what succeeded, in ring order */
    uint32_t *succeeded;        /* [fitted] places in the ring */
    uint32_t fitted;            /* how many succeeded */
    uint32_t factored;          /* rows of `factor` that hold */
    double *readout_products;   /* [CHIRR_OUTCOMES_MAX][CHIRR_OUTCOMES_MAX] of places, b <= a */
    double *factor;             /* [CHIRR_OUTCOMES_MAX][CHIRR_OUTCOMES_MAX], of A */
    double *design;             /* [CHIRR_OUTCOMES_MAX][terms], whitened by the factor */
    double *white;              /* [CHIRR_OUTCOMES_MAX], whitened targets; scratch */
    double *dual;               /* [CHIRR_OUTCOMES_MAX] */
    double *gram;               /* [terms][terms], of the whitened design */
    double *moments;            /* [terms], of the whitened design and targets */
    double *coefficients;       /* [terms] */
    double *coefficient_factor; /* [terms][terms], of their inverse covariance over the noise's */
    double target_mean;
    double noise;          /* variance */
    double feature_weight; /* prior variances over the noise's */
    double recent_weight;
    double readout_weight; /* 0: the readout is not read */

    double *slopes; /* [width], of the logarithm of the noise's variance */

    double *logistic;        /* [width + 1], the bias last */
    double *logistic_factor; /* [width + 1][width + 1], of the inverse covariance */
    double *column;          /* [CHIRR_OUTCOMES_MAX or terms] scratch */
    double *term;            /* [terms] scratch */
};

size_t chirr_outcomes_bytes(uint32_t width, uint32_t body_width);
bool chirr_outcomes_init(struct chirr_outcomes *outcomes, struct chirr_arena *arena, uint32_t width,
                         uint32_t body_width);

/* Features in the units that the body and the fit read, within ±8. */
void chirr_outcomes_standardise(const struct chirr_outcomes *outcomes, const float *features,
                                double *standard /* [width] */);

/* `readout` is not read, and may be NULL, where `readout_weight` is 0. */
void chirr_outcomes_forecast(const struct chirr_outcomes *outcomes, const double *standard,
                             const chirr_real *readout /* [D] */,
                             struct chirr_model_forecast *forecast);

/* Where a share `level` of targets lies below, of a forecast since which nothing was learned. */
float chirr_outcomes_quantile(const struct chirr_outcomes *outcomes,
                              const struct chirr_model_forecast *forecast, double level);

/* Puts an outcome into the ring, in place of the oldest where it is full, and fits what changed. */
void chirr_outcomes_learn(struct chirr_outcomes *outcomes, const float *features,
                          const chirr_real *readout, const struct chirr_model_outcome *outcome);

/* Fits the whole ring anew: after a load. */
void chirr_outcomes_fit(struct chirr_outcomes *outcomes);

#endif
