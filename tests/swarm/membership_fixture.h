/* What suites of one membership begin with, each for itself: it knows three others, as `one`. */
#ifndef CHIRR_TESTS_SWARM_MEMBERSHIP_FIXTURE_H
#define CHIRR_TESTS_SWARM_MEMBERSHIP_FIXTURE_H

#include "tests/swarm/membership_bench.h"

static struct chirr_arena arena;
static struct chirr_membership *one;

static inline void setup(void)
{
    struct chirr_membership_config config = bench_config(4);
    one = bench_create(&arena, &config, 3);
}

static inline void teardown(void)
{
    chirr_arena_finish(&arena);
}

#endif
