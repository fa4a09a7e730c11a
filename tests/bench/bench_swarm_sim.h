/* What the benchmarks in the simulator share: a swarm that states records and runs nothing, on a
 * network with a latency of 1 ms and an exponential rest of 10 ms on average, from one seed.
 *
 * Everything in here is in virtual time and independent of the machine. A simulation belongs to one
 * thread; several may run at once. */
#ifndef CHIRR_TESTS_BENCH_BENCH_SWARM_SIM_H
#define CHIRR_TESTS_BENCH_BENCH_SWARM_SIM_H

#include "sim/world.h"
#include "tests/bench/bench_swarm.h"

struct chirr_bench_sim {
    struct chirr_sim_scenario *scenario; /* owned; to be changed before `_start` */
    struct chirr_sim_world *world;       /* owned; NULL until then */
};

struct chirr_bench_sim_config {
    uint32_t agents;
    uint32_t records_max; /* that are stated in all */
    uint64_t seed;
};

/* CHIRR_ERR_NOMEM. To be finished in any case. */
CHIRR_NODISCARD enum chirr_err chirr_bench_sim_init(struct chirr_bench_sim *sim,
                                                    const struct chirr_bench_sim_config *config,
                                                    struct chirr_error *error);
void chirr_bench_sim_finish(struct chirr_bench_sim *sim);

/* Creates the world. CHIRR_ERR_CONFIG, CHIRR_ERR_NOMEM. */
CHIRR_NODISCARD enum chirr_err chirr_bench_sim_start(struct chirr_bench_sim *sim,
                                                     struct chirr_error *error);
/* Runs on to this moment. CHIRR_ERR_STATE: an invariant was violated. */
CHIRR_NODISCARD enum chirr_err chirr_bench_sim_run(struct chirr_bench_sim *sim, double until_s,
                                                   struct chirr_error *error);
/* States record number `record`, each number once, by `agent`, which is up. */
void chirr_bench_sim_state(struct chirr_bench_sim *sim, uint32_t agent, uint32_t record);

double chirr_bench_sim_now_s(const struct chirr_bench_sim *sim);
bool chirr_bench_sim_holds(const struct chirr_bench_sim *sim, uint32_t agent, uint32_t record);
/* Of all who are up, how many do not hold what somebody who is up holds. */
uint32_t chirr_bench_sim_missing(const struct chirr_bench_sim *sim, uint32_t record);
/* Does everybody who is up take everybody else who is up for alive? */
bool chirr_bench_sim_sees_all(const struct chirr_bench_sim *sim);

/* Messages of every kind and their encoded bytes that were sent so far. */
struct chirr_bench_sim_load {
    double messages, bytes;
};
struct chirr_bench_sim_load chirr_bench_sim_load(const struct chirr_bench_sim *sim);

#endif
