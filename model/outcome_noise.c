/* How the noise depends on the features: ridge regression of the logarithm of squared errors, those
 * of forecasts made before the outcome was known. The logarithm is what keeps one outlier from
 * deciding; how much the features count is chosen by the evidence, and is nothing where that is
 * small. Deviation: the errors' logarithms are taken as Gaussian. */
#include "model/outcome_parts.h"

#include <math.h>
#include <string.h>

#include "model/calibration.h"
#include "model/cholesky.h"
#include "model/elementary.h"

#define ERRORS_MIN 10      /* fewer say nothing */
#define SQUARE_FLOOR 0.005 /* added to squared errors: a hit is not infinitely precise */
#define LOG_VARIANCE 3.5   /* of ln(x² + SQUARE_FLOOR), x a standard normal */
#define DOUBT 1.0          /* evidence against noise that depends on features */
#define LOG_FACTOR_MAX 6.0

static const double slope_variances[] = {0.3, 3}; /* of the logarithm, per standardised feature */

/* ln of the squared error less its mean, of what has one; the rest weighs nothing. */
static uint32_t take_errors(struct chirr_outcomes *o, double *logs, double *weights)
{
    uint32_t count = 0;
    double sum = 0;
    for (uint32_t n = 0; n < o->count; n++) {
        weights[n] = o->squares[n] >= 0;
        if (o->squares[n] >= 0) {
            logs[n] = chirr_outcome_log((double)o->squares[n] + SQUARE_FLOOR);
            sum += logs[n];
            count++;
        }
    }
    for (uint32_t n = 0; n < o->count; n++) {
        logs[n] = weights[n] > 0 ? logs[n] - sum / count : 0;
    }
    return count;
}

/* Slopes under a prior of this variance, in o->term; returns twice the logarithm of the evidence,
 * against that of no slopes. */
static double fit_slopes(struct chirr_outcomes *o, double slope_variance)
{
    size_t width = o->width;
    double precision = LOG_VARIANCE / slope_variance;
    memcpy(o->coefficient_factor, o->gram, width * width * sizeof *o->gram);
    memcpy(o->term, o->moments, width * sizeof *o->moments);
    for (size_t i = 0; i < width; i++) {
        o->coefficient_factor[i * width + i] += precision;
    }
    bool definite = chirr_cholesky_factor(o->coefficient_factor, width, width);
    CHIRR_ASSERT(definite);
    chirr_cholesky_forward(o->coefficient_factor, width, width, o->term);
    double evidence = 0;
    for (size_t i = 0; i < width; i++) {
        double pivot = o->coefficient_factor[i * width + i];
        evidence += o->term[i] * o->term[i] / LOG_VARIANCE;
        evidence -= chirr_outcome_log(pivot * pivot / precision);
    }
    chirr_cholesky_backward(o->coefficient_factor, width, width, o->term);
    return evidence;
}

void chirr_outcome_noise_fit(struct chirr_outcomes *o)
{
    double *logs = o->column;
    memset(o->slopes, 0, o->width * sizeof *o->slopes);
    if (take_errors(o, logs, o->white) < ERRORS_MIN) {
        return;
    }
    const size_t terms = chirr_outcome_terms(o);
    const struct chirr_gram_rows rows = {o->standard, o->white, o->count, terms};
    chirr_gram(&rows, o->width, o->gram);
    memset(o->moments, 0, o->width * sizeof *o->moments);
    for (uint32_t n = 0; n < o->count; n++) {
        for (uint32_t i = 0; i < o->width; i++) {
            o->moments[i] += logs[n] * o->standard[n * terms + i];
        }
    }
    double best = 2 * DOUBT;
    for (size_t i = 0; i < sizeof slope_variances / sizeof *slope_variances; i++) {
        double evidence = fit_slopes(o, slope_variances[i]);
        if (evidence > best) {
            best = evidence;
            memcpy(o->slopes, o->term, o->width * sizeof *o->slopes);
        }
    }
}

double chirr_outcome_noise_factor(const struct chirr_outcomes *o, const double *standard)
{
    double log_factor = 0;
    for (uint32_t i = 0; i < o->width; i++) {
        log_factor += o->slopes[i] * standard[i];
    }
    log_factor = fmax(-LOG_FACTOR_MAX, fmin(LOG_FACTOR_MAX, log_factor));
    return (double)chirr_exp((chirr_real)log_factor);
}
