/* What a process keeps in memory that it does not need: for the process's edge, not for libraries.
 *
 * Not thread-safe with itself; what other threads do meanwhile is not disturbed. */
#ifndef CHIRR_AGENT_FOOTPRINT_H
#define CHIRR_AGENT_FOOTPRINT_H

/* First thing in a process: one heap for all threads, and large blocks of zeros that are not
 * touched before they are used, however much was freed before. */
void chirr_footprint_begin(void);

/* Once all is open: gives back what only starting needed, free heap and the clean pages of programs
 * and libraries, a third of which are touched by the dynamic linker alone. What is needed again is
 * read again. Without /proc it does less. */
void chirr_footprint_trim(void);

#endif
