#include "model/drift.h"

#include <math.h>

/* A mean and a deviation of fewer blocks are no reference. */
#define REFERENCE_BLOCKS_MIN 16
/* Bits. Keeps the deviation of a stream that never varies above 0. */
#define DEVIATION_MIN 1e-3

struct chirr_drift_config chirr_drift_config_default(void)
{
    return (struct chirr_drift_config){
        .block_steps = 32,
        .memory_blocks = 1024,
        .slack = 1,
        .threshold = 10,
        .excess_max = 3,
    };
}

enum chirr_err chirr_drift_config_validate(const struct chirr_drift_config *config,
                                           struct chirr_error *error)
{
    if (config->block_steps < 1 || config->block_steps > 65536) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "drift: block_steps is %u, expected 1 to "
                               "65536",
                               config->block_steps);
    }
    if (config->memory_blocks < 2 || config->memory_blocks > 1048576) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "drift: memory_blocks is %u, expected 2 to "
                               "1048576",
                               config->memory_blocks);
    }
    if (!(config->slack >= 0 && config->slack <= 100)) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "drift: slack is %g, expected 0 to 100",
                               config->slack);
    }
    if (!(config->threshold > 0 && config->threshold <= 1e6)) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "drift: threshold is %g, expected more than 0, at most 1e6",
                               config->threshold);
    }
    if (!(config->excess_max > config->slack && config->excess_max <= 100)) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "drift: excess_max is %g, expected more than slack, at most 100",
                               config->excess_max);
    }
    return CHIRR_OK;
}

void chirr_drift_init(struct chirr_drift *drift, const struct chirr_drift_config *config)
{
    CHIRR_ASSERT(chirr_drift_config_validate(config, NULL) == CHIRR_OK);
    *drift = (struct chirr_drift){.config = *config};
}

static double clamp(double value, double bound)
{
    return value > bound ? bound : value < -bound ? -bound : value;
}

/* The test's sum with one more block in it. */
static double sum_with(const struct chirr_drift *drift, double mean)
{
    const struct chirr_drift_state *s = &drift->state;
    double z = (mean - s->mean) / (sqrt(s->variance) + DEVIATION_MIN);
    double sum = s->sum + clamp(z, drift->config.excess_max) - drift->config.slack;
    return sum > 0 ? sum : 0;
}

/* The plain mean and variance while the reference fills, then exponential ones. */
static void refer_to(struct chirr_drift *drift, double mean)
{
    struct chirr_drift_state *s = &drift->state;
    s->blocks += s->blocks < drift->config.memory_blocks;
    double rate = 1 / (double)s->blocks;
    double gap = mean - s->mean;
    s->mean += rate * gap;
    s->variance = (1 - rate) * (s->variance + rate * gap * gap);
}

static void begin_reference(struct chirr_drift_state *s)
{
    s->blocks = 0;
    s->mean = 0;
    s->variance = 0;
    s->sum = 0;
}

bool chirr_drift_add(struct chirr_drift *drift, double bits)
{
    struct chirr_drift_state *s = &drift->state;
    s->steps++;
    if (!isfinite(bits)) {
        s->refused++;
        return false;
    }
    s->block_bits += bits;
    s->block_filled++;
    if (s->block_filled < drift->config.block_steps) {
        return false;
    }
    double mean = s->block_bits / (double)s->block_filled;
    s->block_bits = 0;
    s->block_filled = 0;
    s->sum = s->blocks < REFERENCE_BLOCKS_MIN ? 0 : sum_with(drift, mean);
    bool drifted = s->sum > drift->config.threshold;
    if (drifted) {
        begin_reference(s);
        s->drifts++;
        s->last_drift = s->steps;
    }
    refer_to(drift, mean);
    return drifted;
}
