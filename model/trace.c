#include "model/trace.h"

#include "model/elementary.h"

#define SLOPE_STEPS_MIN 0.25
#define SLOPE_STEPS_MAX 4.0
#define DECAY_STEPS_MIN 6.0
#define DECAY_STEPS_MAX 512.0

/* The index-th of `count` time constants, log-spaced; the geometric mean where there is one. */
static chirr_real spaced_rate(double steps_min, double steps_max, uint32_t index, uint32_t count)
{
    chirr_real position = count > 1 ? (chirr_real)index / (chirr_real)(count - 1) : CHIRR_REAL(0.5);
    chirr_real log_min = chirr_log((chirr_real)steps_min);
    chirr_real log_max = chirr_log((chirr_real)steps_max);
    return chirr_exp(-1 / chirr_exp(log_min + position * (log_max - log_min)));
}

void chirr_rates_init(struct chirr_rates *rates, uint32_t rates_per_section)
{
    rates->count = 2 * rates_per_section;
    for (uint32_t k = 0; k < rates_per_section; k++) {
        rates->values[k] = spaced_rate(SLOPE_STEPS_MIN, SLOPE_STEPS_MAX, k, rates_per_section);
        rates->values[rates_per_section + k] =
            spaced_rate(DECAY_STEPS_MIN, DECAY_STEPS_MAX, k, rates_per_section);
    }
}

void chirr_trace_read(const struct chirr_rates *rates, size_t width, const chirr_real *traces,
                      const chirr_real *powers, chirr_real *read)
{
    for (uint32_t k = 0; k < rates->count; k++) {
        chirr_real correction = chirr_trace_correction(powers[k]);
        for (size_t i = 0; i < width; i++) {
            read[k * width + i] = correction * traces[k * width + i];
        }
    }
}

void chirr_trace_write(const struct chirr_rates *rates, const struct chirr_kernels *kernels,
                       size_t width, chirr_real *traces, const chirr_real *input)
{
    for (uint32_t k = 0; k < rates->count; k++) {
        chirr_real rate = rates->values[k];
        kernels->blend(width, rate, traces + k * width, 1 - rate, input);
    }
}

void chirr_trace_advance(const struct chirr_rates *rates, chirr_real *powers)
{
    for (uint32_t k = 0; k < rates->count; k++) {
        powers[k] *= rates->values[k];
    }
}
