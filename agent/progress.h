/* How long work goes on: a bar redrawn in place on a terminal, a plain line now and then elsewhere,
 * or JSON, an object a line.
 *
 * Words go to standard error, JSON to standard output. The caller passes the time in. Keeps no
 * memory; one thread. */
#ifndef CHIRR_AGENT_PROGRESS_H
#define CHIRR_AGENT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

struct chirr_progress {
    uint64_t total; /* bytes at the end */
    bool json;
    bool live; /* a terminal */
    bool drawn;
    uint64_t begin;           /* bytes at the start: a resumed run */
    chirr_time_us started_at; /* of this process */
    chirr_time_us next_at;
    uint64_t rate_bytes; /* as of `rate_at` */
    chirr_time_us rate_at;
    double bytes_per_s; /* NaN until known; smoothed over some seconds */
};

struct chirr_progress_moment {
    uint64_t bytes;  /* done */
    double bits;     /* per byte, over all of them; NaN: unknown */
    double bits_now; /* over the last few thousand; NaN: not told */
};

void chirr_progress_init(struct chirr_progress *progress, uint64_t begin, uint64_t total, bool json,
                         chirr_time_us now);
/* Draws or tells when it is time to; call it often. */
void chirr_progress_show(struct chirr_progress *progress,
                         const struct chirr_progress_moment *moment, chirr_time_us now);
/* Leaves the terminal to other words. */
void chirr_progress_clear(struct chirr_progress *progress);

#define CHIRR_PROGRESS_TEXT_BYTES 24
/* "2 h 05 min", "3 min 20 s", "7 s"; "-" for what is not finite. */
void chirr_progress_format_duration(double seconds, char text[CHIRR_PROGRESS_TEXT_BYTES]);

#endif
