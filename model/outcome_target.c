/* Bayesian regression of the targets of what succeeded, on features z, what is recent e and
 * readouts r [D]:
 *
 *   (y − mean) / s = w · [z 1 e] / s + v · r + noise      s² = exp(slopes · z), outcome_noise.c
 *   w ~ N(0, Λ), v ~ N(0, ρ I / D)                        in units of the noise
 *   A = I + ρ R Rᵀ / D = L Lᵀ                             what the readouts explain
 *   X = L⁻¹ S⁻¹ [Z 1 E],  t = L⁻¹ S⁻¹ (y − mean)          whitened, S = diag(s)
 *   B = Λ⁻¹ + XᵀX                                         w | y ~ N(B⁻¹ Xᵀt, B⁻¹)
 *
 * e = exp(−age / τ), 1 now, is how a machine that became slower, or becomes so, is followed before
 * the ring has forgotten what it was.
 * Equal to a Gaussian process with kernel Z Λ Zᵀ + ρ R Rᵀ / D (Woodbury), but A knows nothing of
 * the features' units and weights, so that one factor serves all weights that are tried, and holds
 * up to the first place of the ring that changed; where ρ = 0 it is not needed at all. */
#include "model/outcome_parts.h"

#include <math.h>
#include <string.h>

#include "model/cholesky.h"

#define BIAS_WEIGHT 1e4     /* prior variance of the regression's mean, over the noise's */
#define NOISE_SHAPE 0.5     /* normal-inverse-gamma prior: worth one observation … */
#define NOISE_SHARE 0.04    /* … of this share of the targets' variance */
#define DRIFT_DOUBT 2.0     /* drift must be worth this much evidence: an outlier looks like it */
#define EVIDENCE_LEAST 1e-4 /* less is rounding: the smaller weight is kept */

static const double feature_weights[] = {3, 30, 300};
static const double recent_weights[] = {1e-6, 30};
static const double readout_weights[] = {0, 10}; /* one factor is kept: of the one above 0 */
#define READOUT_WEIGHT readout_weights[1]

static double readout_product(const struct chirr_outcomes *o, const chirr_real *x,
                              const chirr_real *y)
{
    double sums[4] = {0};
    for (uint32_t i = 0; i < o->body_width; i += 4) { /* D is a multiple of 8 */
        for (uint32_t k = 0; k < 4; k++) {
            sums[k] += (double)(x[i + k] * y[i + k]);
        }
    }
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) / o->body_width;
}

static const chirr_real *readout_of(const struct chirr_outcomes *o, uint32_t place)
{
    return o->readouts + (size_t)place * o->body_width;
}

void chirr_outcome_target_replace(struct chirr_outcomes *o, uint32_t place)
{
    for (uint32_t other = 0; other < o->count; other++) {
        size_t a = place > other ? place : other;
        size_t b = place > other ? other : place;
        o->readout_products[a * CHIRR_OUTCOMES_MAX + b] =
            readout_product(o, readout_of(o, place), readout_of(o, other));
    }
    while (o->factored > 0 && o->succeeded[o->factored - 1] >= place) {
        o->factored--;
    }
}

/* Factors A from the first row that does not hold. False where readouts are so large that rounding
 * leaves it no factor: then they are not read. */
static bool factor_readouts(struct chirr_outcomes *o)
{
    for (uint32_t a = o->factored; a < o->fitted; a++) {
        size_t row = (size_t)o->succeeded[a] * CHIRR_OUTCOMES_MAX;
        for (uint32_t b = 0; b <= a; b++) {
            o->factor[(size_t)a * CHIRR_OUTCOMES_MAX + b] =
                READOUT_WEIGHT * o->readout_products[row + o->succeeded[b]] + (a == b);
        }
    }
    bool definite = chirr_cholesky_extend(o->factor, o->factored, o->fitted, CHIRR_OUTCOMES_MAX);
    o->factored = definite ? o->fitted : 0;
    return definite;
}

/* Row `a` of design and targets, over its noise. Returns the logarithm of its variance. */
static double scale_row(struct chirr_outcomes *o, uint32_t a)
{
    const size_t terms = chirr_outcome_terms(o);
    const uint32_t place = o->succeeded[a];
    const double *standard = o->standard + place * terms;
    double factor = chirr_outcome_noise_factor(o, standard);
    double share = 1 / sqrt(factor);
    for (size_t i = 0; i < terms; i++) {
        o->design[a * terms + i] = standard[i] * share;
    }
    o->white[a] = ((double)o->targets[place] - o->target_mean) * share;
    return chirr_outcome_log(factor);
}

/* One row of L⁻¹, by those above. Returns the logarithm of its squared pivot. */
static double whiten_row(struct chirr_outcomes *o, uint32_t a)
{
    const size_t terms = chirr_outcome_terms(o);
    const double *l = o->factor + (size_t)a * CHIRR_OUTCOMES_MAX;
    double *x = o->design + a * terms;
    for (uint32_t b = 0; b < a; b++) {
        const double *above = o->design + b * terms;
        for (size_t i = 0; i < terms; i++) {
            x[i] -= l[b] * above[i];
        }
        o->white[a] -= l[b] * o->white[b];
    }
    for (size_t i = 0; i < terms; i++) {
        x[i] /= l[a];
    }
    o->white[a] /= l[a];
    return 2 * chirr_outcome_log(l[a]);
}

/* Design and targets, whitened by the factor where readouts count. Returns log |S A S|. */
static double whiten(struct chirr_outcomes *o)
{
    double log_determinant = 0;
    for (uint32_t a = 0; a < o->fitted; a++) {
        log_determinant += scale_row(o, a);
        log_determinant += o->readout_weight > 0 ? whiten_row(o, a) : 0;
    }
    return log_determinant;
}

/* What all feature weights share, of the whitened design. */
static void multiply_out(struct chirr_outcomes *o)
{
    const size_t terms = chirr_outcome_terms(o);
    const struct chirr_gram_rows rows = {.x = o->design, .count = o->fitted, .stride = terms};
    chirr_gram(&rows, terms, o->gram);
    memset(o->moments, 0, terms * sizeof *o->moments);
    for (uint32_t a = 0; a < o->fitted; a++) {
        const double *x = o->design + a * terms;
        for (size_t i = 0; i < terms; i++) {
            o->moments[i] += x[i] * o->white[a];
        }
    }
}

/* The coefficients under the present weights; returns the logarithm of the evidence. */
static double fit_coefficients(struct chirr_outcomes *o, double log_determinant)
{
    const size_t terms = chirr_outcome_terms(o);
    double squares = 0;
    double spread = 1; /* one imagined target of deviation 1 */
    for (uint32_t a = 0; a < o->fitted; a++) {
        double target = (double)o->targets[o->succeeded[a]] - o->target_mean;
        spread += target * target;
        squares += o->white[a] * o->white[a];
    }
    memcpy(o->coefficient_factor, o->gram, terms * terms * sizeof *o->gram);
    memcpy(o->coefficients, o->moments, terms * sizeof *o->moments);
    for (size_t i = 0; i < terms; i++) {
        double weight = i < o->width    ? o->feature_weight
                        : i == o->width ? BIAS_WEIGHT
                                        : o->recent_weight;
        o->coefficient_factor[i * terms + i] += 1 / weight;
        log_determinant += chirr_outcome_log(weight);
    }
    bool definite = chirr_cholesky_factor(o->coefficient_factor, terms, terms);
    CHIRR_ASSERT(definite);
    chirr_cholesky_forward(o->coefficient_factor, terms, terms, o->coefficients);
    for (size_t i = 0; i < terms; i++) {
        squares -= o->coefficients[i] * o->coefficients[i];
        log_determinant += 2 * chirr_outcome_log(o->coefficient_factor[i * terms + i]);
    }
    chirr_cholesky_backward(o->coefficient_factor, terms, terms, o->coefficients);
    double shape = NOISE_SHAPE + 0.5 * o->fitted;
    double excess = squares > 0 ? squares : 0; /* a perfect fit, rounded */
    double rate = NOISE_SHAPE * NOISE_SHARE * spread / (o->fitted + 1) + 0.5 * excess;
    o->noise = rate / shape;
    return -0.5 * log_determinant - shape * chirr_outcome_log(rate);
}

/* What of the targets is explained best by, at the present weight of the readouts. */
struct choice {
    double evidence; /* its logarithm */
    double feature_weight;
    double recent_weight;
};

static struct choice choose_weights(struct chirr_outcomes *o)
{
    struct choice best = {-INFINITY, feature_weights[0], recent_weights[0]};
    double log_determinant = whiten(o);
    multiply_out(o);
    for (size_t f = 0; f < sizeof feature_weights / sizeof *feature_weights; f++) {
        for (size_t r = 0; r < sizeof recent_weights / sizeof *recent_weights; r++) {
            o->feature_weight = feature_weights[f];
            o->recent_weight = recent_weights[r];
            double evidence = fit_coefficients(o, log_determinant) - r * DRIFT_DOUBT;
            if (evidence > best.evidence + EVIDENCE_LEAST) {
                best = (struct choice){evidence, o->feature_weight, o->recent_weight};
            }
        }
    }
    return best;
}

/* The part of the targets that coefficients do not explain, for the readouts: A⁻¹ (y − [Z 1] w). */
static void fit_dual(struct chirr_outcomes *o)
{
    const size_t terms = chirr_outcome_terms(o);
    for (uint32_t a = 0; a < o->fitted; a++) {
        o->dual[a] = o->white[a];
        for (size_t i = 0; i < terms; i++) {
            o->dual[a] -= o->design[a * terms + i] * o->coefficients[i];
        }
    }
    chirr_cholesky_backward(o->factor, o->fitted, CHIRR_OUTCOMES_MAX, o->dual);
}

void chirr_outcome_target_fit(struct chirr_outcomes *o)
{
    double sum = 0;
    o->fitted = 0;
    for (uint32_t n = 0; n < o->count; n++) {
        if (o->successes[n] != 0) {
            o->succeeded[o->fitted++] = n;
            sum += (double)o->targets[n];
        }
    }
    o->target_mean = o->fitted > 0 ? sum / o->fitted : 0;
    bool factored = factor_readouts(o);
    o->readout_weight = 0;
    const struct choice plain = choose_weights(o);
    o->readout_weight = READOUT_WEIGHT;
    struct choice best = factored ? choose_weights(o) : plain;
    if (!(best.evidence > plain.evidence + EVIDENCE_LEAST)) {
        best = plain;
        o->readout_weight = 0;
        (void)whiten(o);
        multiply_out(o);
    }
    o->feature_weight = best.feature_weight;
    o->recent_weight = best.recent_weight;
    (void)fit_coefficients(o, 0);
    if (o->readout_weight > 0) {
        fit_dual(o);
    }
}

/* Takes out of the terms what the readouts explain of them; returns the variance that is left of
 * the readouts' own part, over the noise's. */
static double read_out(const struct chirr_outcomes *o, const chirr_real *readout, double *mean)
{
    const size_t terms = chirr_outcome_terms(o);
    double left = o->readout_weight * readout_product(o, readout, readout);
    for (uint32_t a = 0; a < o->fitted; a++) {
        const chirr_real *then = readout_of(o, o->succeeded[a]);
        o->column[a] = o->readout_weight * readout_product(o, readout, then);
        *mean += o->column[a] * o->dual[a];
    }
    chirr_cholesky_forward(o->factor, o->fitted, CHIRR_OUTCOMES_MAX, o->column);
    for (uint32_t a = 0; a < o->fitted; a++) {
        left -= o->column[a] * o->column[a];
        for (size_t i = 0; i < terms; i++) {
            o->term[i] -= o->column[a] * o->design[a * terms + i];
        }
    }
    return left > 0 ? left : 0;
}

struct chirr_target_forecast chirr_outcome_target_forecast(const struct chirr_outcomes *o,
                                                           const double *standard,
                                                           const chirr_real *readout)
{
    const size_t terms = chirr_outcome_terms(o);
    double factor = chirr_outcome_noise_factor(o, standard);
    double share = 1 / sqrt(factor);
    double mean = 0;
    for (size_t i = 0; i < terms; i++) {
        o->term[i] = (i < o->width ? standard[i] : 1) * share; /* the bias, and now is recent */
        mean += o->term[i] * o->coefficients[i];
    }
    double unknown = o->readout_weight > 0 ? read_out(o, readout, &mean) : 0;
    chirr_cholesky_forward(o->coefficient_factor, terms, terms, o->term);
    for (size_t i = 0; i < terms; i++) {
        unknown += o->term[i] * o->term[i];
    }
    return (struct chirr_target_forecast){.mean = o->target_mean + mean / share,
                                          .variance = factor * o->noise * (1 + unknown)};
}
