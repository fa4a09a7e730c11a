/* What the suites of this folder share: one seed, a kind of task, and worlds. */
#ifndef CHIRR_TESTS_SIM_SUPPORT_H
#define CHIRR_TESTS_SIM_SUPPORT_H

#include "sim/world.h"

/* The number in the environment variable CHIRR_TEST_SEED, to replay a failure; else `usual`. */
uint64_t test_seed(uint64_t usual);

/* Takes a fifth of a second to four seconds on one CPU. */
struct chirr_sim_kind test_kind(void);

/* Of a scenario that must be valid. */
struct chirr_sim_world *test_world(const struct chirr_sim_scenario *scenario);
/* Plays it; a violation fails the test with its words and the seed. */
struct chirr_sim_world *test_played(const struct chirr_sim_scenario *scenario);

#endif
