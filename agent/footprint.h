/* What a process keeps in memory that it does not need: for the process's edge, not for libraries.
 *
 * Not thread-safe with itself; what other threads do meanwhile is not disturbed. */
#ifndef CHIRR_AGENT_FOOTPRINT_H
#define CHIRR_AGENT_FOOTPRINT_H

#include "base/time.h"

/* First thing in a process: one heap for all threads, and large blocks of zeros that are not
 * touched before they are used, however much was freed before. */
void chirr_footprint_begin(void);

/* Once all is open: gives back what only starting needed, free heap and the clean pages of programs
 * and libraries, a third of which are touched by the dynamic linker alone. What is needed again is
 * read again. Without /proc it does less. */
void chirr_footprint_trim(void);

/* Trims a few times as a process grows old: the dynamic linker looks names up when they are first
 * used, so what it reads for that goes some time later. Not while it starts, which has better to
 * do. */
struct chirr_footprint {
    chirr_time_us began_us;
    unsigned trims;
};
void chirr_footprint_tend(struct chirr_footprint *footprint, chirr_time_us now);

#endif
