/* The fleet while it runs: a table redrawn in place on a terminal, a short line now and then
 * elsewhere.
 *
 * Colour only on a terminal, and not when the caller says so (NO_COLOR). At most 100 columns; rows
 * that the terminal has no room for are counted instead. Keeps no memory; one thread. */
#ifndef CHIRR_AGENT_TABLE_H
#define CHIRR_AGENT_TABLE_H

#include <stdio.h>

#include "agent/launcher.h"
#include "agent/workload.h"

struct chirr_table {
    FILE *out;   /* borrowed */
    bool live;   /* a terminal */
    bool colour; /* implies live */
    bool quiet;  /* says nothing */
    uint32_t rows_max;
    uint32_t lines_drawn;
    uint64_t events_told;
    chirr_time_us next_line_us;
};

struct chirr_table_moment {
    chirr_time_us start_us, now_us;
    chirr_time_us end_us; /* CHIRR_TIME_NEVER: until interrupted */
    struct chirr_workload_counts jobs;
};

/* Looks whether `out` is a terminal, and how high. */
void chirr_table_init(struct chirr_table *table, FILE *out, bool colour_wanted);

/* Draws (live), or tells what is new since the last call and, every 10 s, how things stand. */
void chirr_table_show(struct chirr_table *table, const struct chirr_launcher *launcher,
                      const struct chirr_table_moment *moment);

/* "1.4 kB"; at most 8 characters and the NUL. */
#define CHIRR_TABLE_BYTES_TEXT 12
void chirr_table_format_bytes(uint64_t bytes, char text[CHIRR_TABLE_BYTES_TEXT]);

#endif
