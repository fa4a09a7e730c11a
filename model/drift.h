/* Drift detection on a stream of surprise: does what comes now cost more bits than what came
 * before?
 *
 * Source: the Page-Hinkley test (Page, "Continuous inspection schemes", Biometrika 41, 1954; as a
 * drift detector: Gama et al., "A survey on concept drift adaptation", ACM CSUR 46, 2014, section
 * 3.2.2). Steps are averaged by blocks, which takes out most of the autocorrelation of a text; a
 * block is measured in deviations from a running mean, both over recent blocks:
 *
 *   z = clamp((x − mean) / deviation, ±excess_max)      sum = max(0, sum + z − slack)
 *
 * and a sum beyond the threshold is a drift; reference and sum then begin anew. Deviation from the
 * source: z is clamped, so that one outlier alone is no drift. ADWIN (Bifet & Gavaldà 2007) was
 * measured beside it: slower at equal false alarms, and much larger (docs/model.md, "Drift").
 *
 * O(1) a step, constant memory. Additions, divisions and square roots alone, so that two machines
 * agree to the last bit. Plain data without pointers: `state` is a checkpoint's span.
 * Not thread-safe: one owner. */
#ifndef CHIRR_MODEL_DRIFT_H
#define CHIRR_MODEL_DRIFT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct chirr_drift_config {
    uint32_t block_steps;   /* 1…65536 */
    uint32_t memory_blocks; /* the reference spans about this many, 2…1048576 */
    double slack;           /* deviations that a block may lie above the mean, 0…100 */
    double threshold;       /* of the sum, deviations, above 0…1e6 */
    double excess_max;      /* bound on what one block adds, deviations, above `slack`…100 */
};

/* Blocks of 32 steps over 1,024 of them, slack 1, threshold 10, excess 3: a drift is known after
 * five blocks at the soonest. */
struct chirr_drift_config chirr_drift_config_default(void);
CHIRR_NODISCARD enum chirr_err chirr_drift_config_validate(const struct chirr_drift_config *config,
                                                           struct chirr_error *error);

/* No padding anywhere: equal states are equal bytes. */
struct chirr_drift_state {
    double block_bits; /* of the open block */
    double mean;       /* of the reference, bits a step */
    double variance;   /* of its blocks */
    double sum;        /* the test's, 0…threshold */
    uint64_t blocks;   /* in the reference since it began anew, at most memory_blocks */
    uint64_t steps;
    uint64_t drifts;
    uint64_t refused;    /* values that were not finite: ignored */
    uint64_t last_drift; /* step at which the last one was detected, 0: none */
    uint64_t block_filled;
};

struct chirr_drift {
    struct chirr_drift_config config;
    struct chirr_drift_state state;
};

/* `config` must be valid. */
void chirr_drift_init(struct chirr_drift *drift, const struct chirr_drift_config *config);

/* True at the step at which a rise is detected. */
bool chirr_drift_add(struct chirr_drift *drift, double bits);

#endif
