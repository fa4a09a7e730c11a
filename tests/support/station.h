/* An hourly table like that of an air quality station: particles that build up for days and are
 * blown away in hours, gases that follow them or the sun, weather, rounding to what instruments
 * show, values that stick at the least of these, and gaps of hours. All from a seed, so that a test
 * needs no measured table. */
#ifndef CHIRR_TESTS_SUPPORT_STATION_H
#define CHIRR_TESTS_SUPPORT_STATION_H

#include <math.h>
#include <stdint.h>

#include "base/random.h"

enum station_column {
    STATION_PM25,
    STATION_PM10,
    STATION_SO2,
    STATION_NO2,
    STATION_CO,
    STATION_O3,
    STATION_TEMPERATURE,
    STATION_PRESSURE,
    STATION_DEW_POINT,
    STATION_RAIN,
    STATION_WIND,
    STATION_COLUMNS,
};

struct station {
    struct chirr_random random;
    uint32_t hour;           /* since the beginning */
    double haze;             /* ln of particles, without what the wind takes */
    double warmth, pressure; /* slow parts of the weather */
    double moisture, breeze;
    uint32_t gap[STATION_COLUMNS]; /* hours that a column stays missing */
};

static inline void station_init(struct station *station, uint64_t seed)
{
    *station = (struct station){.haze = 4};
    chirr_random_init(&station->random, seed, 0);
}

static inline double station_noise(struct station *station)
{
    return chirr_random_normal(&station->random);
}

/* As an instrument shows it. */
static inline float station_round(double value, double step, double least)
{
    return (float)fmax(least, step * round(value / step));
}

static inline void station_move(struct station *s)
{
    s->warmth = 0.98 * s->warmth + station_noise(s);
    s->pressure = 0.98 * s->pressure + station_noise(s);
    s->moisture = 0.97 * s->moisture + 0.9 * station_noise(s);
    s->breeze = 0.9 * s->breeze + 0.25 * station_noise(s);
    double wind = exp(0.4 + s->breeze);
    s->haze +=
        0.03 * (4.6 - s->haze) - (wind > 3 ? 0.12 * (wind - 3) : 0) + 0.12 * station_noise(s);
    s->haze = fmax(s->haze, 1);
}

static inline void station_gaps(struct station *s, float values[STATION_COLUMNS])
{
    for (int i = 0; i < STATION_COLUMNS; i++) {
        if (s->gap[i] == 0 && chirr_random_below(&s->random, 300) == 0) {
            s->gap[i] = 1 + chirr_random_below(&s->random, 12);
        }
        if (s->gap[i] > 0) {
            s->gap[i]--;
            values[i] = NAN;
        }
    }
}

/* The next hour's values; returns the hour of the day. */
static inline double station_next(struct station *s, float values[STATION_COLUMNS])
{
    double hour = s->hour++ % 24, sun = sin((hour - 8) * 6.283185307 / 24);
    station_move(s);
    double particles = exp(s->haze), wind = exp(0.4 + s->breeze + 0.3 * sun);
    bool rains = s->moisture > 6 && chirr_random_below(&s->random, 4) == 0;
    double coarse = particles * (1.3 + 0.2 * station_noise(s)) + 10 * fmax(0, wind - 4);
    double nitrogen = 25 + 12 * (s->haze - 4) - 10 * sun + 4 * station_noise(s);
    double ozone = 50 + 45 * sun + 2 * s->warmth - 0.8 * nitrogen + 8 * station_noise(s);
    values[STATION_PM25] = station_round(particles * exp(0.08 * station_noise(s)), 1, 3);
    values[STATION_PM10] = station_round(coarse, 1, 2);
    values[STATION_SO2] = station_round(particles * 0.12 * exp(0.2 * station_noise(s)), 1, 2);
    values[STATION_NO2] = station_round(nitrogen, 1, 2);
    values[STATION_CO] = station_round(300 + 9 * particles + 80 * station_noise(s), 100, 100);
    values[STATION_O3] = station_round(ozone, 1, 2);
    values[STATION_TEMPERATURE] =
        station_round(13 + s->warmth + 4 * sun + 0.4 * station_noise(s), 0.1, -30);
    values[STATION_PRESSURE] =
        station_round(1012 + s->pressure - 0.4 * s->warmth + 0.2 * station_noise(s), 0.1, 900);
    values[STATION_DEW_POINT] =
        station_round(2 + 2 * s->moisture + 0.5 * s->warmth + 0.4 * station_noise(s), 0.1, -40);
    values[STATION_RAIN] = rains ? station_round(exp(station_noise(s)), 0.1, 0) : 0;
    values[STATION_WIND] = station_round(wind * exp(0.35 * station_noise(s)), 0.1, 0);
    station_gaps(s, values);
    return hour;
}

#endif
