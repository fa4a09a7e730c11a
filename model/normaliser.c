#include "model/normaliser.h"

#include <math.h>
#include <string.h>

#define HELD CHIRR_NORMALISER_HELD
#define RATE_MIN 0.0005 /* the least weight of a new value: a memory of about 2,000 values */
#define OUTLIER 5.0     /* deviations: beyond, a value counts as if it lay here */
#define STILL 1e-4      /* deviations: within, a value says that the spread is too large */
#define STILL_RUN 256   /* so many in a row are believed */
#define MAD_TO_DEVIATION 1.4826 /* of a Gaussian */

size_t chirr_normaliser_bytes(uint32_t width)
{
    return 3 * chirr_arena_round(width * sizeof(double)) +
           chirr_arena_round(width * sizeof(uint32_t)) +
           chirr_arena_round(width * HELD * sizeof(float));
}

bool chirr_normaliser_init(struct chirr_normaliser *normaliser, struct chirr_arena *arena,
                           uint32_t width)
{
    normaliser->width = width;
    normaliser->mean = chirr_arena_take(arena, width, sizeof(double));
    normaliser->variance = chirr_arena_take(arena, width, sizeof(double));
    normaliser->count = chirr_arena_take(arena, width, sizeof(double));
    normaliser->run = chirr_arena_take(arena, width, sizeof(uint32_t));
    normaliser->held = chirr_arena_take(arena, width, HELD * sizeof(float));
    return normaliser->mean != NULL && normaliser->variance != NULL && normaliser->count != NULL &&
           normaliser->run != NULL && normaliser->held != NULL;
}

/* A constant is 0, not the quotient of two roundings. */
static double least_deviation(double mean)
{
    return 1e-6 * fabs(mean) + 1e-12;
}

double chirr_normaliser_deviation(const struct chirr_normaliser *n, uint32_t i)
{
    return sqrt(n->variance[i]) + least_deviation(n->mean[i]);
}

static void sort(double *values, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        double value = values[i];
        uint32_t at = i;
        for (; at > 0 && values[at - 1] > value; at--) {
            values[at] = values[at - 1];
        }
        values[at] = value;
    }
}

static double median(const double *sorted, uint32_t count)
{
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

/* Mean and variance from the values that are held. Where most are equal the median distance is 0:
 * then the mean square of all but the farthest. */
static void estimate(struct chirr_normaliser *n, uint32_t i, uint32_t count)
{
    double sorted[HELD];
    for (uint32_t k = 0; k < count; k++) {
        sorted[k] = (double)n->held[i * HELD + k];
    }
    sort(sorted, count);
    n->mean[i] = median(sorted, count);
    for (uint32_t k = 0; k < count; k++) {
        sorted[k] = fabs(sorted[k] - n->mean[i]);
    }
    sort(sorted, count);
    double deviation = MAD_TO_DEVIATION * median(sorted, count);
    n->variance[i] = deviation * deviation;
    for (uint32_t k = 0; deviation == 0 && k + 1 < count; k++) {
        n->variance[i] += sorted[k] * sorted[k] / count;
    }
}

/* Holds a value that is out of scale, or among the first; after `limit` in a row the estimates are
 * of those held. */
static void hold(struct chirr_normaliser *n, uint32_t i, float value, uint32_t limit)
{
    n->held[i * HELD + n->run[i] % HELD] = value;
    n->run[i]++;
    if (n->run[i] >= limit) {
        estimate(n, i, HELD);
        n->count[i] = HELD;
        n->run[i] = 0;
    }
}

static void follow(struct chirr_normaliser *n, uint32_t i, double value)
{
    double rate = 1 / ++n->count[i];
    rate = rate > RATE_MIN ? rate : RATE_MIN;
    double ahead = value - n->mean[i];
    double unit = chirr_normaliser_deviation(n, i);
    if (n->variance[i] == 0 && fabs(ahead) > unit) {
        n->variance[i] = ahead * ahead / HELD; /* a constant's first change; its mean stays */
        n->count[i] = HELD;
        return;
    }
    ahead = fmax(-OUTLIER * unit, fmin(OUTLIER * unit, ahead));
    n->mean[i] += rate * ahead;
    n->variance[i] = (1 - rate) * (n->variance[i] + rate * ahead * ahead);
}

static void take(struct chirr_normaliser *n, uint32_t i, float value)
{
    if (n->count[i] == 0) {
        hold(n, i, value, HELD);
        estimate(n, i, n->run[i] > 0 ? n->run[i] : HELD);
        return;
    }
    double distance = fabs((double)value - n->mean[i]) / chirr_normaliser_deviation(n, i);
    bool far = n->variance[i] > 0 && distance > CHIRR_NORMALISED_MAX;
    bool still = n->variance[i] > 0 && distance < STILL;
    if (far || still) {
        hold(n, i, value, far ? HELD : STILL_RUN);
    } else {
        n->run[i] = 0;
    }
    follow(n, i, (double)value);
}

static chirr_real normalise(const struct chirr_normaliser *n, uint32_t i, float value)
{
    double z = ((double)value - n->mean[i]) / chirr_normaliser_deviation(n, i);
    z = z < CHIRR_NORMALISED_MAX ? z : CHIRR_NORMALISED_MAX;
    return (chirr_real)(z > -CHIRR_NORMALISED_MAX ? z : -CHIRR_NORMALISED_MAX);
}

void chirr_normaliser_measure(const struct chirr_normaliser *n, const float *values,
                              chirr_real *normalised, bool *judged)
{
    for (uint32_t i = 0; i < n->width; i++) {
        judged[i] = !isnan(values[i]) && (n->count[i] > 0 || n->variance[i] > 0);
        normalised[i] = judged[i] ? normalise(n, i, values[i]) : 0;
    }
}

void chirr_normaliser_apply(struct chirr_normaliser *n, const float *values, chirr_real *normalised)
{
    for (uint32_t i = 0; i < n->width; i++) {
        normalised[i] = 0;
        if (!isnan(values[i])) {
            take(n, i, values[i]);
            normalised[i] = normalise(n, i, values[i]);
        }
    }
}
