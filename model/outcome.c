#include "model/outcome.h"

#include <math.h>
#include <string.h>

#include "model/outcome_parts.h"

#define STANDARD_MAX 8.0
#define DEVIATION_UNKNOWN 3.0 /* before the first success */
#define NUMBER_MAX 1e38       /* what a forecast can say in a float */

#define RECENT_RATE 0.98449643700540845 /* exp(-1/64): τ is 64 outcomes */

struct demand {
    void **array;
    size_t count;
    size_t size;
};

#define DEMANDS 23

static void list_demands(struct chirr_outcomes *o, size_t width, size_t body_width,
                         struct demand demands[DEMANDS])
{
    const size_t n = CHIRR_OUTCOMES_MAX;
    const size_t terms = width + 2;
    const struct demand list[DEMANDS] = {
        {(void **)&o->features, n * width, sizeof(float)},
        {(void **)&o->readouts, n * body_width, sizeof(chirr_real)},
        {(void **)&o->targets, n, sizeof(float)},
        {(void **)&o->successes, n, sizeof(uint8_t)},
        {(void **)&o->squares, n, sizeof(float)},
        {(void **)&o->mean, width, sizeof(double)},
        {(void **)&o->deviation, width, sizeof(double)},
        {(void **)&o->standard, n * terms, sizeof(double)},
        {(void **)&o->succeeded, n, sizeof(uint32_t)},
        {(void **)&o->readout_products, n * n, sizeof(double)},
        {(void **)&o->factor, n * n, sizeof(double)},
        {(void **)&o->design, n * terms, sizeof(double)},
        {(void **)&o->white, n, sizeof(double)},
        {(void **)&o->dual, n, sizeof(double)},
        {(void **)&o->gram, terms * terms, sizeof(double)},
        {(void **)&o->moments, terms, sizeof(double)},
        {(void **)&o->coefficients, terms, sizeof(double)},
        {(void **)&o->coefficient_factor, terms * terms, sizeof(double)},
        {(void **)&o->slopes, width, sizeof(double)},
        {(void **)&o->logistic, terms, sizeof(double)},
        {(void **)&o->logistic_factor, terms * terms, sizeof(double)},
        {(void **)&o->column, n > terms ? n : terms, sizeof(double)},
        {(void **)&o->term, terms, sizeof(double)},
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
    double recent = 1;
    for (uint32_t age = 1; age <= o->count; age++) {
        uint32_t place = (o->next + CHIRR_OUTCOMES_MAX - age) % CHIRR_OUTCOMES_MAX;
        double *standard = o->standard + place * chirr_outcome_terms(o);
        chirr_outcomes_standardise(o, o->features + place * o->width, standard);
        standard[o->width] = 1;
        recent *= RECENT_RATE;
        standard[o->width + 1] = recent;
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

/* All but what chirr_outcome_target_replace keeps. */
static void fit(struct chirr_outcomes *o)
{
    measure_features(o);
    chirr_outcome_noise_fit(o);
    chirr_outcome_target_fit(o);
    chirr_outcome_success_fit(o);
}

void chirr_outcomes_fit(struct chirr_outcomes *o)
{
    o->factored = 0;
    for (uint32_t place = 0; place < o->count; place++) {
        chirr_outcome_target_replace(o, place);
    }
    fit(o);
}

/* The noise is integrated out: the forecast is Student's t, of one degree and one an outcome. */
static double degrees_of(const struct chirr_outcomes *o)
{
    return 1 + (double)o->fitted;
}

/* Learns how far off the forecast would have been. Returns its squared error in deviations, as if
 * all noise were alike; negative without one. */
static double judge(struct chirr_outcomes *o, const float *features, const chirr_real *readout,
                    const struct chirr_model_outcome *outcome)
{
    double standard[CHIRR_MODEL_VECTOR_WIDTH_MAX];
    chirr_outcomes_standardise(o, features, standard);
    double log_odds = chirr_outcome_success_log_odds(o, standard);
    chirr_calibration_odds_learn(&o->odds, log_odds, outcome->success);
    if (!outcome->success || o->fitted == 0) {
        return -1;
    }
    struct chirr_target_forecast forecast = chirr_outcome_target_forecast(o, standard, readout);
    double error = (double)outcome->target - forecast.mean;
    double deviations = error / sqrt(forecast.variance);
    chirr_calibration_learn(&o->calibration, chirr_calibration_score(deviations, degrees_of(o)));
    return deviations * deviations * chirr_outcome_noise_factor(o, standard);
}

void chirr_outcomes_learn(struct chirr_outcomes *o, const float *features,
                          const chirr_real *readout, const struct chirr_model_outcome *outcome)
{
    uint32_t place = o->next;
    o->squares[place] = (float)fmin(NUMBER_MAX, judge(o, features, readout, outcome));
    memcpy(o->features + place * o->width, features, o->width * sizeof *features);
    memcpy(o->readouts + (size_t)place * o->body_width, readout, o->body_width * sizeof *readout);
    o->targets[place] = outcome->success ? outcome->target : 0;
    o->successes[place] = outcome->success;
    o->next = (place + 1) % CHIRR_OUTCOMES_MAX;
    o->count += o->count < CHIRR_OUTCOMES_MAX;
    chirr_outcome_target_replace(o, place);
    fit(o);
}

static float bounded(double number)
{
    return (float)fmax(-NUMBER_MAX, fmin(NUMBER_MAX, number));
}

void chirr_outcomes_forecast(const struct chirr_outcomes *o, const double *standard,
                             const chirr_real *readout, struct chirr_model_forecast *forecast)
{
    double log_odds = chirr_outcome_success_log_odds(o, standard);
    forecast->success = (float)chirr_calibration_odds_apply(&o->odds, log_odds);
    if (o->fitted == 0) {
        forecast->mean = 0;
        forecast->deviation = (float)DEVIATION_UNKNOWN;
        return;
    }
    struct chirr_target_forecast target = chirr_outcome_target_forecast(o, standard, readout);
    double scale = chirr_calibration_scale(&o->calibration);
    forecast->mean = bounded(target.mean);
    forecast->deviation = bounded(sqrt(target.variance) * scale);
}

float chirr_outcomes_quantile(const struct chirr_outcomes *o,
                              const struct chirr_model_forecast *forecast, double level)
{
    double deviation = (double)forecast->deviation / chirr_calibration_scale(&o->calibration);
    double score = chirr_calibration_quantile(&o->calibration, level);
    double deviations = chirr_calibration_deviations(score, degrees_of(o));
    return bounded((double)forecast->mean + deviation * deviations);
}
