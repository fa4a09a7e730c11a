/* What the suites of this folder share: one seed, and a small scenario. */
#ifndef CHIRR_TESTS_SIM_SUPPORT_H
#define CHIRR_TESTS_SIM_SUPPORT_H

#include <stdint.h>

/* The number in the environment variable CHIRR_TEST_SEED, to replay a failure; else `usual`. */
uint64_t test_seed(uint64_t usual);

#endif
