/* Bayesian logistic regression of success on the features: Newton's method to the mode, a Gaussian
 * round it. */
#include "model/outcome_parts.h"

#include <math.h>
#include <string.h>

#include "model/cholesky.h"
#include "model/elementary.h"

#define LOGIT_PRIOR 1.0 /* tasks tend to succeed */
#define LOGISTIC_WEIGHT 0.3
#define NEWTON_STEPS_MAX 8
#define NEWTON_STEP_MIN 1e-7 /* squared: Newton leaves an error of about this size */

/* Through the model's own function, since libm's last bits differ between systems. */
static double logistic_of(double x)
{
    return (double)chirr_sigmoid((chirr_real)x);
}

static double logit_of(const struct chirr_outcomes *o, const double *standard)
{
    double logit = LOGIT_PRIOR + o->logistic[o->width];
    for (uint32_t i = 0; i < o->width; i++) {
        logit += o->logistic[i] * standard[i];
    }
    return logit;
}

/* The log-odds' inverse covariance at the present weights, and the gradient of the posterior. */
static void linearise(struct chirr_outcomes *o, double *gradient)
{
    size_t terms = o->width + 1;
    for (size_t i = 0; i < terms; i++) {
        gradient[i] = -o->logistic[i] / LOGISTIC_WEIGHT;
    }
    for (uint32_t n = 0; n < o->count; n++) {
        const double *z = o->standard + n * chirr_outcome_terms(o);
        double p = logistic_of(logit_of(o, z));
        double error = (double)(o->successes[n] != 0) - p;
        o->white[n] = p * (1 - p);
        for (size_t i = 0; i < terms; i++) {
            gradient[i] += error * z[i];
        }
    }
    const struct chirr_gram_rows rows = {o->standard, o->white, o->count, chirr_outcome_terms(o)};
    chirr_gram(&rows, terms, o->logistic_factor);
    for (size_t i = 0; i < terms; i++) {
        o->logistic_factor[i * terms + i] += 1 / LOGISTIC_WEIGHT;
    }
}

void chirr_outcome_success_fit(struct chirr_outcomes *o)
{
    size_t terms = o->width + 1;
    double squares = 1;
    memset(o->logistic, 0, terms * sizeof(double));
    for (int step = 0; step < NEWTON_STEPS_MAX && squares > NEWTON_STEP_MIN; step++) {
        linearise(o, o->term);
        /* the prior's share keeps it positive definite */
        bool definite = chirr_cholesky_factor(o->logistic_factor, terms, terms);
        CHIRR_ASSERT(definite);
        chirr_cholesky_forward(o->logistic_factor, terms, terms, o->term);
        chirr_cholesky_backward(o->logistic_factor, terms, terms, o->term);
        squares = 0;
        for (size_t i = 0; i < terms; i++) {
            o->logistic[i] += o->term[i];
            squares += o->term[i] * o->term[i];
        }
    }
}

double chirr_outcome_success_log_odds(const struct chirr_outcomes *o, const double *standard)
{
    size_t terms = o->width + 1;
    memcpy(o->term, standard, o->width * sizeof *o->term);
    o->term[o->width] = 1;
    chirr_cholesky_forward(o->logistic_factor, terms, terms, o->term);
    double variance = 0;
    for (size_t i = 0; i < terms; i++) {
        variance += o->term[i] * o->term[i];
    }
    /* whose logistic is that of the logit averaged over its Gaussian (MacKay 1992) */
    return logit_of(o, standard) / sqrt(1 + 0.392699 * variance);
}
