#include "model/calibration.h"

#include <math.h>

#include "model/elementary.h"

#define LEVELS CHIRR_CALIBRATION_LEVELS
#define SCORE_MAX 1000.0

#define SCALE_PRIOR 10.0  /* scores that the first scale is worth */
#define SCALE_MEMORY 50.0 /* scores */
#define SCALE_OUTLIER 9.0 /* squared, in present scales: more does not count */
#define VARIANCE_MIN 1e-4
#define VARIANCE_MAX 1e6
#define SHAPE_PRIOR 30.0
#define SHAPE_MEMORY 200.0

#define ODDS_PRIOR 20.0   /* outcomes that an untouched head is worth … */
#define ODDS_MEMORY 200.0 /* … out of this many that count */
#define ODDS_MAX 30.0
#define ODDS_VARIANCE 0.2 /* p (1 - p) of a typical outcome */
#define SLOPE_MIN 0.05
#define SLOPE_MAX 5.0
#define SHIFT_MAX 5.0

static const double levels[LEVELS] = {0.005, 0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975, 0.995};

/* Of the standard normal: its quantiles at these levels, and the inverse of its density there,
 * which is the step of the fastest tracking, bounded where that would be erratic. */
static const double normal_quantiles[LEVELS] = {-2.5758293, -1.9599640, -1.2815516, -0.6744898, 0,
                                                0.6744898,  1.2815516,  1.9599640,  2.5758293};
static const double strides[LEVELS] = {30,     17.109, 5.6981, 3.1469, 2.5066,
                                       3.1469, 5.6981, 17.109, 30};

static double within(double x, double low, double high)
{
    return fmax(low, fmin(high, x));
}

/* The weight of the newest of `count` values in a running mean. */
static double rate_of(double count, double prior, double memory)
{
    return 1 / (count + prior < memory ? count + prior : memory);
}

static double variance_of(const struct chirr_calibration *c)
{
    return 1 + (double)c->excess;
}

static double quantile_of(const struct chirr_calibration *c, int i)
{
    return normal_quantiles[i] + (double)c->shifts[i];
}

void chirr_calibration_learn(struct chirr_calibration *c, double score)
{
    double variance = variance_of(c);
    double relative = score / sqrt(variance);
    c->count += c->count < (uint32_t)SHAPE_MEMORY;

    double rate = rate_of(c->count, SHAPE_PRIOR, SHAPE_MEMORY);
    for (int i = 0; i < LEVELS; i++) {
        double surplus = relative < quantile_of(c, i) ? levels[i] - 1 : levels[i];
        c->shifts[i] += (float)(rate * strides[i] * surplus);
    }
    double square = fmin(score * score, SCALE_OUTLIER * variance);
    variance += rate_of(c->count, SCALE_PRIOR, SCALE_MEMORY) * (square - variance);
    c->excess = (float)(within(variance, VARIANCE_MIN, VARIANCE_MAX) - 1);
}

double chirr_calibration_scale(const struct chirr_calibration *c)
{
    return sqrt(variance_of(c));
}

/* Every quantile moves on its own: where two have crossed, they change places (rearrangement,
 * Chernozhukov, Fernández-Val & Galichon 2010). */
static void sort(double values[LEVELS])
{
    for (int i = 1; i < LEVELS; i++) {
        double value = values[i];
        int at = i;
        for (; at > 0 && values[at - 1] > value; at--) {
            values[at] = values[at - 1];
        }
        values[at] = value;
    }
}

static double logit(double p)
{
    const double least = 1e-30; /* a coverage of almost 1 asks for a level of almost 0 */
    double odds = (p > least ? p : least) / (1 - p > least ? 1 - p : least);
    return (double)chirr_log((chirr_real)odds);
}

double chirr_calibration_quantile(const struct chirr_calibration *c, double level)
{
    double quantiles[LEVELS];
    for (int i = 0; i < LEVELS; i++) {
        quantiles[i] = quantile_of(c, i);
    }
    sort(quantiles);
    int i = 1;
    while (i < LEVELS - 1 && level > levels[i]) {
        i++;
    }
    /* Straight lines over the log-odds of the level, beyond the outermost too. */
    double before = logit(levels[i - 1]);
    double share = (logit(level) - before) / (logit(levels[i]) - before);
    double quantile = quantiles[i - 1] + share * (quantiles[i] - quantiles[i - 1]);
    return quantile * chirr_calibration_scale(c);
}

/* ln(1 + x) for x >= 0. */
static double log_above_one(double x)
{
    if (x > 0.25) {
        int exponent;
        double mantissa = frexp(1 + x, &exponent);
        return exponent * CHIRR_LN2 + (double)chirr_log((chirr_real)mantissa);
    }
    double s = x / (2 + x); /* 2 artanh(s) */
    double q = s * s;
    return 2 * s * (1 + q * (1.0 / 3 + q * (1.0 / 5 + q * (1.0 / 7 + q / 9))));
}

/* e^x - 1 for x >= 0. */
static double exp_less_one(double x)
{
    if (x > 0.25) {
        return (double)chirr_exp((chirr_real)x) - 1;
    }
    return x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5 * (1 + x / 6)))));
}

/* score² = ((8ν + 1) / (8ν + 3))² ν ln(1 + deviations² / ν) */
double chirr_calibration_score(double deviations, double degrees)
{
    if (isinf(degrees)) {
        return within(deviations, -SCORE_MAX, SCORE_MAX);
    }
    double shrink = (8 * degrees + 1) / (8 * degrees + 3);
    double size = shrink * sqrt(degrees * log_above_one(deviations * deviations / degrees));
    return within(copysign(size, deviations), -SCORE_MAX, SCORE_MAX);
}

double chirr_calibration_deviations(double score, double degrees)
{
    if (isinf(degrees)) {
        return score;
    }
    double size = score * (8 * degrees + 3) / (8 * degrees + 1);
    double exponent = fmin(size * size / degrees, CHIRR_EXP_MAX);
    return copysign(sqrt(degrees * exp_less_one(exponent)), score);
}

void chirr_calibration_odds_learn(struct chirr_calibration_odds *o, double log_odds, bool came)
{
    /* Regularised all the time: it keeps both determined when outcomes are all alike. */
    const double prior = ODDS_PRIOR * ODDS_VARIANCE;
    const double keep = 1 - 1 / ODDS_MEMORY;
    double x = within(log_odds, -ODDS_MAX, ODDS_MAX);
    double p = chirr_calibration_odds_apply(o, x);
    double weight = p * (1 - p);
    double a = keep * (double)o->information[0] + weight * x * x;
    double b = keep * (double)o->information[1] + weight * x;
    double c = keep * (double)o->information[2] + weight;
    double determinant = (a + prior) * (c + prior) - b * b;
    double error = came - p;
    double slope = (double)o->excess + error * ((c + prior) * x - b) / determinant;
    double shift = (double)o->shift + error * (a + prior - b * x) / determinant;
    o->excess = (float)within(slope, SLOPE_MIN - 1, SLOPE_MAX - 1);
    o->shift = (float)within(shift, -SHIFT_MAX, SHIFT_MAX);
    o->information[0] = (float)a;
    o->information[1] = (float)b;
    o->information[2] = (float)c;
}

double chirr_calibration_odds_apply(const struct chirr_calibration_odds *o, double log_odds)
{
    double x = within(log_odds, -ODDS_MAX, ODDS_MAX);
    double calibrated = (1 + (double)o->excess) * x + (double)o->shift;
    return (double)chirr_sigmoid((chirr_real)calibrated);
}
