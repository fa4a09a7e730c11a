/* What suites of one overlay begin with, each for itself: the bench, as `bench`. */
#ifndef CHIRR_TESTS_SWARM_OVERLAY_FIXTURE_H
#define CHIRR_TESTS_SWARM_OVERLAY_FIXTURE_H

#include "tests/swarm/overlay_bench.h"

#define FIVE 5 /* neighbours are looked for */
#define MOST 8 /* have room */

static struct bench bench;

static inline void setup(void)
{
    const struct chirr_overlay_config config = bench_config();
    bench_begin(&bench, &config);
}

static inline void setup_local(void)
{
    struct chirr_overlay_config config = bench_config();
    config.local = true;
    bench_begin(&bench, &config);
}

static inline void teardown(void)
{
    bench_end(&bench);
}

static inline const struct chirr_overlay_counters *counters(void)
{
    return chirr_overlay_count_events(bench.overlay);
}

#endif
