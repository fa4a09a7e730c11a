/* The regressions of an outcome sense, for outcome.c alone. They read the ring and `standard`,
 * write their own part of the fit, and share the scratch. */
#ifndef CHIRR_MODEL_OUTCOME_PARTS_H
#define CHIRR_MODEL_OUTCOME_PARTS_H

#include <math.h>

#include "model/elementary.h"
#include "model/outcome.h"

/* Of a row of `standard`: features, the bias, what is recent. */
static inline size_t chirr_outcome_terms(const struct chirr_outcomes *outcomes)
{
    return outcomes->width + 2;
}

/* Of a positive number, through the model's own function: libm's last bits differ between
 * systems. */
static inline double chirr_outcome_log(double x)
{
    int exponent;
    double mantissa = frexp(x, &exponent);
    return exponent * CHIRR_LN2 + (double)chirr_log((chirr_real)mantissa);
}

/* The ring's place has new content: what was computed from it no longer holds. */
void chirr_outcome_target_replace(struct chirr_outcomes *outcomes, uint32_t place);
void chirr_outcome_target_fit(struct chirr_outcomes *outcomes);

struct chirr_target_forecast {
    double mean;
    double variance; /* of the noise and of what is not known */
};
struct chirr_target_forecast chirr_outcome_target_forecast(const struct chirr_outcomes *outcomes,
                                                           const double *standard,
                                                           const chirr_real *readout);

void chirr_outcome_noise_fit(struct chirr_outcomes *outcomes);
/* How much more than on average the variance is where the features are so. */
double chirr_outcome_noise_factor(const struct chirr_outcomes *outcomes, const double *standard);

void chirr_outcome_success_fit(struct chirr_outcomes *outcomes);
double chirr_outcome_success_log_odds(const struct chirr_outcomes *outcomes,
                                      const double *standard);

#endif
