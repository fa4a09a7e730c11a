/* Intervals that cover what they say, whatever the noise is like.
 *
 * A head's forecast is judged by its *score*: how many deviations beside the mean the value came,
 * through the forecast's own distribution function and the inverse of the normal's, so that a right
 * head scores like a standard normal. Two things are learned of the scores, online:
 * - their scale, quickly (about 50 of them), bounded against outliers: noise that grows or calms;
 * - quantiles of what is left, slowly (about 200): shape, skew, tails. Each moves up by its level
 *   where a score came above it and down by the rest where not, so that in the long run it is
 *   exceeded as often as it says, whatever the scores do: adaptive conformal inference by quantile
 *   tracking (Gibbs & Candès 2021; Angelopoulos, Candès & Tibshirani 2023, section 2.1).
 * It begins as the head's own distribution, and outweighs it after some 30 values.
 *
 * A probability is calibrated in its log-odds: slope · odds + shift, fitted by recursive logistic
 * regression (Platt 1999, online), which is what a head too sure of itself needs.
 *
 * Plain data without pointers or padding: a checkpoint may hold its bytes. Zeroed memory is one
 * that has seen nothing. Thread-safe: no other state. */
#ifndef CHIRR_MODEL_CALIBRATION_H
#define CHIRR_MODEL_CALIBRATION_H

#include <stdbool.h>
#include <stdint.h>

#define CHIRR_CALIBRATION_LEVELS 9 /* of central 50, 80, 95 and 99 % intervals, and the median */

struct chirr_calibration {
    float shifts[CHIRR_CALIBRATION_LEVELS]; /* of quantiles, over the scale, from the normal's */
    float excess;                           /* of the squared scale over 1 */
    uint32_t count;                         /* scores seen, up to where it stops to matter */
};

/* A value came with this score; not NaN. */
void chirr_calibration_learn(struct chirr_calibration *calibration, double score);

/* Standard deviation of scores, 1 where the head is right. */
double chirr_calibration_scale(const struct chirr_calibration *calibration);

/* The score below which a share `level` of values comes, 0 < level < 1. Not falling in `level`. */
double chirr_calibration_quantile(const struct chirr_calibration *calibration, double level);

/* Scores of Student's t with so many degrees of freedom (Wallace 1959), and back; finite where the
 * argument is, within ±1000 for scores. Infinite degrees: the normal itself. */
double chirr_calibration_score(double deviations, double degrees);
double chirr_calibration_deviations(double score, double degrees);

struct chirr_calibration_odds {
    float excess; /* of the slope over 1 */
    float shift;
    float information[3]; /* gathered: slope², slope · shift, shift² */
};

/* What a head gave these log-odds came, or did not. Beyond ±30 log-odds count as that. */
void chirr_calibration_odds_learn(struct chirr_calibration_odds *odds, double log_odds, bool came);
double chirr_calibration_odds_apply(const struct chirr_calibration_odds *odds, double log_odds);

#endif
