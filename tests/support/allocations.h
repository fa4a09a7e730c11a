/* Counts calls to the allocator, for tests that prove that there are none.
 *
 * The executable must be linked with `allocations_link_args` (tests/support/meson.build), which
 * send the calls of everything that is linked statically through here. */
#ifndef CHIRR_TESTS_SUPPORT_ALLOCATIONS_H
#define CHIRR_TESTS_SUPPORT_ALLOCATIONS_H

/* malloc, calloc and realloc since the process began. */
long allocations_count(void);

#endif
