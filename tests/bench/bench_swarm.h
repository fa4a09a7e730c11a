/* The benchmarks of the swarm: `chirr bench swarm`.
 *
 * The first ones run agents as processes on loopback (fleet.h), the others in the simulator
 * (bench_swarm_sim.h). A new one is declared here and listed in bench_swarm.c. */
#ifndef CHIRR_TESTS_BENCH_BENCH_SWARM_H
#define CHIRR_TESTS_BENCH_BENCH_SWARM_H

#include "tests/bench/bench.h"

/* In the order in which they run. */
extern const struct chirr_bench *const chirr_bench_swarm[];
extern const size_t chirr_bench_swarm_count;

/* ---- Processes on loopback, one benchmark a file ---- */

extern const struct chirr_bench chirr_bench_swarm_join;
extern const struct chirr_bench chirr_bench_swarm_agent;
extern const struct chirr_bench chirr_bench_swarm_broadcast;
extern const struct chirr_bench chirr_bench_swarm_detect;
extern const struct chirr_bench chirr_bench_swarm_recover;

/* How many processes, unless the command line says otherwise. */
#define CHIRR_BENCH_SWARM_AGENTS 200
uint32_t chirr_bench_swarm_agents(const struct chirr_bench_context *context);

/* Reports a figure that could not be measured, and why: `result` says what it would have been, and
 * its fields are consumed. */
void chirr_bench_swarm_unmeasured(struct chirr_bench_context *context,
                                  const struct chirr_bench_result *result, const char *why);

/* ---- The simulator, one benchmark a file (bench_swarm_sim.h) ---- */

extern const struct chirr_bench chirr_bench_swarm_redundancy;
extern const struct chirr_bench chirr_bench_swarm_missed;
extern const struct chirr_bench chirr_bench_swarm_spread;
extern const struct chirr_bench chirr_bench_swarm_false_dead;
extern const struct chirr_bench chirr_bench_swarm_heal;
extern const struct chirr_bench chirr_bench_swarm_load;

#endif
