#include "model/trace.h"

#include <string.h>

#include "model/elementary.h"

#define SLOPE_STEPS_MIN 0.25
#define SLOPE_STEPS_MAX 4.0

/* The index-th of `count` time constants, log-spaced; the geometric mean where there is one. */
static chirr_real spaced_rate(double steps_min, double steps_max, uint32_t index, uint32_t count)
{
    chirr_real position = count > 1 ? (chirr_real)index / (chirr_real)(count - 1) : CHIRR_REAL(0.5);
    chirr_real log_min = chirr_log((chirr_real)steps_min);
    chirr_real log_max = chirr_log((chirr_real)steps_max);
    return chirr_exp(-1 / chirr_exp(log_min + position * (log_max - log_min)));
}

/* ALiBi's slopes and RetNet's decays (arXiv 2406.12230, section 3.2). */
static void paper_rates(struct chirr_rates *rates, uint32_t per_section)
{
    chirr_real half_powers = 1;
    for (uint32_t k = 0; k < per_section; k++, half_powers /= 2) {
        chirr_real exponent = CHIRR_REAL(-8) * (chirr_real)(k + 1) / (chirr_real)per_section;
        rates->values[k] = chirr_exp(-chirr_exp(exponent * CHIRR_REAL(CHIRR_LN2)));
        rates->values[per_section + k] = 1 - half_powers / 32;
    }
}

void chirr_rates_init(struct chirr_rates *rates, const struct chirr_model_config *config)
{
    uint32_t per_section = config->rates;
    rates->count = 2 * per_section;
    if (config->decay_max == 0) {
        paper_rates(rates, per_section);
        return;
    }
    for (uint32_t k = 0; k < per_section; k++) {
        rates->values[k] = spaced_rate(SLOPE_STEPS_MIN, SLOPE_STEPS_MAX, k, per_section);
        rates->values[per_section + k] =
            spaced_rate(config->decay_min, config->decay_max, k, per_section);
    }
}

static void read_trace(chirr_real correction, size_t width, const chirr_real *trace,
                       chirr_real *read)
{
    for (size_t i = 0; i < width; i++) {
        read[i] = correction * trace[i];
    }
}

/* ρ^(t+1) from ρ^t; 0 once 1 − ρ^t rounds to 1. Nothing that is read changes a bit by it, and no
 * product ends up among the denormals, which many machines compute slowly. */
static chirr_real next_power(chirr_real power, chirr_real rate)
{
    chirr_real next = power * rate;
    return 1 - next < 1 ? next : 0;
}

void chirr_trace_scan(const struct chirr_rates *rates, const struct chirr_kernels *kernels,
                      size_t width, chirr_real *traces, const chirr_real *powers,
                      const struct chirr_trace_inputs *inputs, chirr_real *read)
{
    for (uint32_t k = 0; k < rates->count; k++) {
        chirr_real rate = rates->values[k];
        chirr_real power = powers[k];
        chirr_real *trace = traces + k * width;
        for (size_t t = 0; t < inputs->steps; t++, read += width) {
            read_trace(chirr_trace_correction(power), width, trace, read);
            kernels->blend(width, rate, trace, 1 - rate, inputs->rows + t * inputs->stride);
            power = next_power(power, rate);
        }
    }
}

void chirr_trace_repeat(const struct chirr_rates *rates, size_t width, const chirr_real *traces,
                        const chirr_real *powers, size_t steps, chirr_real *read)
{
    for (uint32_t k = 0; k < rates->count; k++) {
        for (size_t t = 0; t < steps; t++, read += width) {
            read_trace(chirr_trace_correction(powers[k]), width, traces + k * width, read);
        }
    }
}

void chirr_trace_backward(const struct chirr_rates *rates, const struct chirr_kernels *kernels,
                          size_t width, const chirr_real *start,
                          const struct chirr_trace_gradient *g)
{
    for (uint32_t k = 0; k < rates->count; k++) {
        chirr_real rate = rates->values[k];
        chirr_real powers[CHIRR_MODEL_CHUNK_MAX];
        powers[0] = start[k];
        for (size_t t = 1; t < g->steps; t++) {
            powers[t] = next_power(powers[t - 1], rate);
        }
        memset(g->carry, 0, width * sizeof *g->carry);
        for (size_t t = g->steps; t-- > 0;) {
            kernels->blend(width, 1, g->d_inputs + t * width, 1 - rate, g->carry);
            kernels->blend(width, rate, g->carry, chirr_trace_correction(powers[t]),
                           g->d_read + (k * g->steps + t) * width);
        }
    }
}

void chirr_trace_advance(const struct chirr_rates *rates, chirr_real *powers)
{
    for (uint32_t k = 0; k < rates->count; k++) {
        powers[k] = next_power(powers[k], rates->values[k]);
    }
}
