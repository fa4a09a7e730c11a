#include "model/outcome.h"

#include <math.h>
#include <string.h>

#include "model/cholesky.h"
#include "model/elementary.h"

#define STANDARD_MAX 8.0
#define BIAS_WEIGHT 1e4       /* prior variance of the regression's mean, over the noise's */
#define NOISE_SHAPE 0.5       /* normal-inverse-gamma prior: worth one observation … */
#define NOISE_SHARE 0.04      /* … of this share of the targets' variance */
#define DEVIATION_UNKNOWN 3.0 /* before the first success */
#define LOGIT_PRIOR 1.0       /* tasks tend to succeed */
#define LOGISTIC_WEIGHT 1.0
#define NEWTON_STEPS 8
#define NUMBER_MAX 1e38 /* what a forecast can say in a float */

/* Through the model's own functions, since libm's last bits differ between systems. */
static double logistic_of(double x)
{
    return (double)chirr_sigmoid((chirr_real)x);
}

static double log_of(double x)
{
    int exponent;
    double mantissa = frexp(x, &exponent);
    return exponent * CHIRR_LN2 + (double)chirr_log((chirr_real)mantissa);
}

struct demand {
    void **array;
    size_t count;
    size_t size;
};

#define DEMANDS 15

static void list_demands(struct chirr_outcomes *o, size_t width, size_t body_width,
                         struct demand demands[DEMANDS])
{
    const size_t n = CHIRR_OUTCOMES_MAX;
    const size_t terms = width + 1;
    const struct demand list[DEMANDS] = {
        {(void **)&o->features, n * width, sizeof(float)},
        {(void **)&o->readouts, n * body_width, sizeof(chirr_real)},
        {(void **)&o->targets, n, sizeof(float)},
        {(void **)&o->successes, n, sizeof(uint8_t)},
        {(void **)&o->mean, width, sizeof(double)},
        {(void **)&o->deviation, width, sizeof(double)},
        {(void **)&o->standard, n * width, sizeof(double)},
        {(void **)&o->feature_products, n * n, sizeof(double)},
        {(void **)&o->readout_products, n * n, sizeof(double)},
        {(void **)&o->factor, n * n, sizeof(double)},
        {(void **)&o->dual, n, sizeof(double)},
        {(void **)&o->succeeded, n, sizeof(uint32_t)},
        {(void **)&o->logistic, terms, sizeof(double)},
        {(void **)&o->logistic_factor, terms * terms, sizeof(double)},
        {(void **)&o->column, n > terms ? n : terms, sizeof(double)},
    };
    memcpy(demands, list, sizeof list);
}

size_t chirr_outcomes_bytes(uint32_t width, uint32_t body_width)
{
    struct chirr_outcomes outcomes;
    struct demand demands[DEMANDS];
    list_demands(&outcomes, width, body_width, demands);
    size_t bytes = 0;
    for (size_t i = 0; i < DEMANDS; i++) {
        bytes += chirr_arena_round(demands[i].count * demands[i].size);
    }
    return bytes;
}

bool chirr_outcomes_init(struct chirr_outcomes *outcomes, struct chirr_arena *arena, uint32_t width,
                         uint32_t body_width)
{
    *outcomes = (struct chirr_outcomes){.width = width, .body_width = body_width};
    struct demand demands[DEMANDS];
    list_demands(outcomes, width, body_width, demands);
    for (size_t i = 0; i < DEMANDS; i++) {
        *demands[i].array = chirr_arena_take(arena, demands[i].count, demands[i].size);
        if (*demands[i].array == NULL) {
            return false;
        }
    }
    chirr_outcomes_fit(outcomes);
    return true;
}

/* Means and deviations over the ring, of what is not missing. One imagined value of deviation 1
 * keeps a feature that was never seen to vary (a kind not met yet) from weighing nothing. */
static void measure_feature(struct chirr_outcomes *o, uint32_t feature)
{
    double count = 0;
    double sum = 0;
    for (uint32_t n = 0; n < o->count; n++) {
        float value = o->features[n * o->width + feature];
        if (!isnan(value)) {
            sum += (double)value;
            count++;
        }
    }
    double mean = count > 0 ? sum / count : 0;
    double squares = 1;
    for (uint32_t n = 0; n < o->count; n++) {
        float value = o->features[n * o->width + feature];
        double ahead = isnan(value) ? 0 : (double)value - mean;
        squares += ahead * ahead;
    }
    o->mean[feature] = mean;
    o->deviation[feature] = sqrt(squares / (count + 1));
}

static void measure_features(struct chirr_outcomes *o)
{
    for (uint32_t i = 0; i < o->width; i++) {
        measure_feature(o, i);
    }
    for (uint32_t n = 0; n < o->count; n++) {
        chirr_outcomes_standardise(o, o->features + n * o->width, o->standard + n * o->width);
    }
}

void chirr_outcomes_standardise(const struct chirr_outcomes *o, const float *features,
                                double *standard)
{
    for (uint32_t i = 0; i < o->width; i++) {
        double z = isnan(features[i]) ? 0 : ((double)features[i] - o->mean[i]) / o->deviation[i];
        z = z < STANDARD_MAX ? z : STANDARD_MAX;
        standard[i] = z > -STANDARD_MAX ? z : -STANDARD_MAX;
    }
}

static double feature_product(const struct chirr_outcomes *o, const double *standard,
                              uint32_t place)
{
    const double *other = o->standard + place * o->width;
    double product = 0;
    for (uint32_t i = 0; i < o->width; i++) {
        product += standard[i] * other[i];
    }
    return product;
}

static double readout_product(const struct chirr_outcomes *o, const chirr_real *readout,
                              uint32_t place)
{
    const chirr_real *then = o->readouts + (size_t)place * o->body_width;
    double product = 0;
    for (uint32_t i = 0; i < o->body_width; i++) {
        product += (double)(readout[i] * then[i]);
    }
    return product / o->body_width;
}

/* Prior covariance of two outcomes' targets, in units of the noise's variance. */
static double covariance(const struct chirr_outcomes *o, double features, double readouts)
{
    return BIAS_WEIGHT + o->feature_weight * features + o->readout_weight * readouts;
}

/* What does not depend on the weights is computed once for all that are tried. */
static void multiply_out(struct chirr_outcomes *o)
{
    for (uint32_t a = 0; a < o->fitted; a++) {
        uint32_t place = o->succeeded[a];
        const double *standard = o->standard + place * o->width;
        const chirr_real *readout = o->readouts + (size_t)place * o->body_width;
        for (uint32_t b = 0; b <= a; b++) {
            size_t at = (size_t)a * CHIRR_OUTCOMES_MAX + b;
            o->feature_products[at] = feature_product(o, standard, o->succeeded[b]);
            o->readout_products[at] = readout_product(o, readout, o->succeeded[b]);
        }
    }
}

/* Fits the targets under the present prior weights; returns the logarithm of the evidence. */
static double fit_targets(struct chirr_outcomes *o)
{
    const size_t stride = CHIRR_OUTCOMES_MAX;
    double spread = 1; /* one imagined target of deviation 1 */
    for (uint32_t a = 0; a < o->fitted; a++) {
        uint32_t place = o->succeeded[a];
        double *row = o->factor + a * stride;
        for (uint32_t b = 0; b <= a; b++) {
            size_t at = a * stride + b;
            row[b] = covariance(o, o->feature_products[at], o->readout_products[at]);
        }
        row[a] += 1;
        o->dual[a] = (double)o->targets[place] - o->target_mean;
        spread += o->dual[a] * o->dual[a];
    }
    if (!chirr_cholesky_factor(o->factor, o->fitted, stride)) {
        return -INFINITY;
    }
    chirr_cholesky_forward(o->factor, o->fitted, stride, o->dual);
    double excess = 0;
    double log_determinant = 0;
    for (uint32_t a = 0; a < o->fitted; a++) {
        excess += o->dual[a] * o->dual[a];
        log_determinant += 2 * log_of(o->factor[a * stride + a]);
    }
    chirr_cholesky_backward(o->factor, o->fitted, stride, o->dual);
    double shape = NOISE_SHAPE + 0.5 * o->fitted;
    double rate = NOISE_SHAPE * NOISE_SHARE * spread / (o->fitted + 1) + 0.5 * excess;
    o->noise = rate / shape;
    return -0.5 * log_determinant - shape * log_of(rate);
}

/* Tries how much features and readout may count, and keeps what explains the targets best. */
static void choose_weights(struct chirr_outcomes *o)
{
    static const double feature_weights[] = {3, 30, 300};
    static const double readout_weights[] = {0, 10};
    double best = -INFINITY;
    double best_feature = feature_weights[1];
    double best_readout = 0;
    for (size_t f = 0; f < sizeof feature_weights / sizeof *feature_weights; f++) {
        for (size_t r = 0; r < sizeof readout_weights / sizeof *readout_weights; r++) {
            o->feature_weight = feature_weights[f];
            o->readout_weight = readout_weights[r];
            double evidence = fit_targets(o);
            if (evidence > best) {
                best = evidence;
                best_feature = o->feature_weight;
                best_readout = o->readout_weight;
            }
        }
    }
    o->feature_weight = best_feature;
    o->readout_weight = best_readout;
    (void)fit_targets(o);
}

/* The log-odds' inverse covariance at the present weights, and the gradient of the posterior. */
static void linearise_logistic(struct chirr_outcomes *o, double *gradient)
{
    size_t terms = o->width + 1;
    memset(o->logistic_factor, 0, terms * terms * sizeof(double));
    for (size_t i = 0; i < terms; i++) {
        gradient[i] = -o->logistic[i] / LOGISTIC_WEIGHT;
        o->logistic_factor[i * terms + i] = 1 / LOGISTIC_WEIGHT;
    }
    for (uint32_t n = 0; n < o->count; n++) {
        const double *z = o->standard + n * o->width;
        double logit = LOGIT_PRIOR + o->logistic[o->width];
        for (uint32_t i = 0; i < o->width; i++) {
            logit += o->logistic[i] * z[i];
        }
        double p = logistic_of(logit);
        double error = (double)(o->successes[n] != 0) - p;
        for (size_t i = 0; i < terms; i++) {
            double zi = i < o->width ? z[i] : 1;
            gradient[i] += error * zi;
            for (size_t j = 0; j <= i; j++) {
                double zj = j < o->width ? z[j] : 1;
                o->logistic_factor[i * terms + j] += p * (1 - p) * zi * zj;
            }
        }
    }
}

static void fit_successes(struct chirr_outcomes *o)
{
    size_t terms = o->width + 1;
    memset(o->logistic, 0, terms * sizeof(double));
    for (int step = 0; step < NEWTON_STEPS; step++) {
        linearise_logistic(o, o->column);
        /* the prior's share keeps it positive definite */
        bool definite = chirr_cholesky_factor(o->logistic_factor, terms, terms);
        CHIRR_ASSERT(definite);
        chirr_cholesky_forward(o->logistic_factor, terms, terms, o->column);
        chirr_cholesky_backward(o->logistic_factor, terms, terms, o->column);
        for (size_t i = 0; i < terms; i++) {
            o->logistic[i] += o->column[i];
        }
    }
}

void chirr_outcomes_fit(struct chirr_outcomes *o)
{
    measure_features(o);
    o->fitted = 0;
    double sum = 0;
    for (uint32_t n = 0; n < o->count; n++) {
        if (o->successes[n] != 0) {
            o->succeeded[o->fitted++] = n;
            sum += (double)o->targets[n];
        }
    }
    o->target_mean = o->fitted > 0 ? sum / o->fitted : 0;
    multiply_out(o);
    choose_weights(o);
    fit_successes(o);
}

void chirr_outcomes_add(struct chirr_outcomes *o, const float *features, const chirr_real *readout,
                        const struct chirr_model_outcome *outcome)
{
    memcpy(o->features + o->next * o->width, features, o->width * sizeof *features);
    memcpy(o->readouts + (size_t)o->next * o->body_width, readout, o->body_width * sizeof *readout);
    o->targets[o->next] = outcome->success ? outcome->target : 0;
    o->successes[o->next] = outcome->success;
    o->next = (o->next + 1) % CHIRR_OUTCOMES_MAX;
    o->count += o->count < CHIRR_OUTCOMES_MAX;
}

static double forecast_success(const struct chirr_outcomes *o, const double *standard)
{
    size_t terms = o->width + 1;
    double logit = LOGIT_PRIOR + o->logistic[o->width];
    for (uint32_t i = 0; i < o->width; i++) {
        logit += o->logistic[i] * standard[i];
        o->column[i] = standard[i];
    }
    o->column[o->width] = 1;
    chirr_cholesky_forward(o->logistic_factor, terms, terms, o->column);
    double variance = 0;
    for (size_t i = 0; i < terms; i++) {
        variance += o->column[i] * o->column[i];
    }
    /* the logistic averaged over a Gaussian of its argument (MacKay 1992) */
    return logistic_of(logit / sqrt(1 + 0.392699 * variance));
}

void chirr_outcomes_forecast(const struct chirr_outcomes *o, const double *standard,
                             const chirr_real *readout, struct chirr_model_forecast *forecast)
{
    forecast->success = (float)forecast_success(o, standard);
    if (o->fitted == 0) {
        forecast->mean = 0;
        forecast->deviation = (float)DEVIATION_UNKNOWN;
        return;
    }
    double mean = o->target_mean;
    for (uint32_t a = 0; a < o->fitted; a++) {
        uint32_t place = o->succeeded[a];
        double readouts = o->readout_weight > 0 ? readout_product(o, readout, place) : 0;
        o->column[a] = covariance(o, feature_product(o, standard, place), readouts);
        mean += o->column[a] * o->dual[a];
    }
    chirr_cholesky_forward(o->factor, o->fitted, CHIRR_OUTCOMES_MAX, o->column);
    double own = BIAS_WEIGHT;
    for (uint32_t i = 0; i < o->width; i++) {
        own += o->feature_weight * standard[i] * standard[i];
    }
    for (uint32_t i = 0; i < o->body_width && o->readout_weight > 0; i++) {
        own += o->readout_weight * (double)(readout[i] * readout[i]) / o->body_width;
    }
    double known = 0;
    for (uint32_t a = 0; a < o->fitted; a++) {
        known += o->column[a] * o->column[a];
    }
    double variance = o->noise * (1 + (own > known ? own - known : 0));
    forecast->mean = (float)fmax(-NUMBER_MAX, fmin(NUMBER_MAX, mean));
    forecast->deviation = (float)fmin(NUMBER_MAX, sqrt(variance));
}
