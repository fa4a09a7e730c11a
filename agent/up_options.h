/* What people can say to `chirr up`. */
#ifndef CHIRR_AGENT_UP_OPTIONS_H
#define CHIRR_AGENT_UP_OPTIONS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/time.h"

struct chirr_up_options {
    const char *fleet_path;
    const char *summary_path; /* NULL: none */
    const char *state_dir;    /* NULL: as the fleet says */
    chirr_time_us for_us;     /* CHIRR_TIME_NEVER: until interrupted */
    bool chaos, json, keep, help;
};

extern const char chirr_up_usage[];

/* Borrows `arguments`; [0] is "up". CHIRR_ERR_INVALID with words. */
CHIRR_NODISCARD enum chirr_err chirr_up_options_parse(int count, char **arguments,
                                                      struct chirr_up_options *options,
                                                      struct chirr_error *error);

/* "500ms", "60s", "2m", "1h", or seconds without a unit. CHIRR_ERR_INVALID unless more than zero
 * and at most a year. */
CHIRR_NODISCARD enum chirr_err chirr_up_duration_parse(const char *text, chirr_time_us *duration);

#endif
