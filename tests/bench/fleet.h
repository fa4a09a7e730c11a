/* A swarm of agents as processes on this machine, to be measured.
 *
 * Every agent is a child of this process that does what `chirr agent` does without model and
 * senses: chirr_agent_create with keys, CURVE, a store and the control socket, then one
 * chirr_agent_turn after the other. Each knows the addresses of the next few in a ring, as `chirr
 * up` arranges it, and the rest by gossip; each has an address of its own in 127.0.0.0/8. Its files
 * lie in a temporary directory, in memory where the machine has /dev/shm. After every turn it
 * writes what it sees into a page that it shares with this process (fleet_page.h): measuring costs
 * the agents no message, and what happened bears the time of the turn that saw it, on the clock
 * that all processes share.
 *
 * Threading: children are forked, so no other thread and no ZeroMQ context may exist here.
 * Ownership: whatever is started is ended by `destroy`, by its process id, and the directory
 * removed; children end with this process, however that ends. From `create` to `destroy` SIGINT
 * and SIGTERM are caught: what waits then returns CHIRR_ERR_CANCELLED. One fleet at a time. */
#ifndef CHIRR_TESTS_BENCH_FLEET_H
#define CHIRR_TESTS_BENCH_FLEET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/time.h"

#define CHIRR_BENCH_FLEET_AGENTS_MAX 250
#define CHIRR_BENCH_FLEET_TASKS_MAX 64 /* submitted in the life of a fleet */

struct chirr_bench_fleet;

/* Makes keys and forks all of `agent_count` processes, 2…CHIRR_BENCH_FLEET_AGENTS_MAX; none does
 * anything before `start`. NULL and words in `error`. */
struct chirr_bench_fleet *chirr_bench_fleet_create(uint32_t agent_count, struct chirr_error *error);
void chirr_bench_fleet_destroy(struct chirr_bench_fleet *fleet); /* NULL: nothing */

/* Lets all of them go at once; the time when. */
chirr_time_us chirr_bench_fleet_start(struct chirr_bench_fleet *fleet);

uint32_t chirr_bench_fleet_count(const struct chirr_bench_fleet *fleet);
pid_t chirr_bench_fleet_pid(const struct chirr_bench_fleet *fleet, uint32_t index); /* 0: killed */
/* kill -9; the time when. `index` lives. */
chirr_time_us chirr_bench_fleet_kill(struct chirr_bench_fleet *fleet, uint32_t index);
/* Has agent `index` submit a task that nobody can do, so that nobody bids: one record of
 * `record_bytes`, encoded as it travels. */
void chirr_bench_fleet_submit(struct chirr_bench_fleet *fleet, uint32_t index,
                              uint32_t record_bytes);

/* Whether something has happened to every agent that lives, and when to the last of them. */
struct chirr_bench_moment {
    uint32_t missing;      /* agents that it has not happened to */
    chirr_time_us last_us; /* 0: to none */
    chirr_time_us half_us; /* when it had happened to half of them; 0 while any is missing */
};
typedef struct chirr_bench_moment (*chirr_bench_fleet_look)(const struct chirr_bench_fleet *fleet);

/* It has bound its sockets. */
struct chirr_bench_moment chirr_bench_fleet_bound(const struct chirr_bench_fleet *fleet);
/* It holds every other that lives for alive, without a break since. Who is suspected is alive until
 * the suspicion ends: busy machines raise some that are soon refuted. */
struct chirr_bench_moment chirr_bench_fleet_complete(const struct chirr_bench_fleet *fleet);
/* The same, and it suspects nobody. */
struct chirr_bench_moment chirr_bench_fleet_certain(const struct chirr_bench_fleet *fleet);
/* It holds the one killed last for dead. */
struct chirr_bench_moment chirr_bench_fleet_told(const struct chirr_bench_fleet *fleet);
/* It has the task submitted last; the submitter is passed over. */
struct chirr_bench_moment chirr_bench_fleet_received(const struct chirr_bench_fleet *fleet);
/* When that was submitted; 0: not yet. */
chirr_time_us chirr_bench_fleet_submitted(const struct chirr_bench_fleet *fleet);

/* Most others that any agent holds for alive now. */
uint32_t chirr_bench_fleet_alive_max(const struct chirr_bench_fleet *fleet);
/* Suspicions, summed over all agents, now. */
uint32_t chirr_bench_fleet_suspicions(const struct chirr_bench_fleet *fleet);

/* CPU time that all who live have used so far, in seconds: what a busy machine does not change. */
double chirr_bench_fleet_cpu_s(const struct chirr_bench_fleet *fleet);

/* Until nobody is missing. CHIRR_ERR_TIMEOUT; CHIRR_ERR_CANCELLED: interrupted; CHIRR_ERR_STATE: an
 * agent ended by itself, with its words. */
CHIRR_NODISCARD enum chirr_err chirr_bench_fleet_wait(struct chirr_bench_fleet *fleet,
                                                      chirr_bench_fleet_look look,
                                                      uint32_t timeout_ms,
                                                      struct chirr_error *error);
/* So long, with the same errors but TIMEOUT. */
CHIRR_NODISCARD enum chirr_err chirr_bench_fleet_rest(struct chirr_bench_fleet *fleet,
                                                      uint32_t milliseconds,
                                                      struct chirr_error *error);

/* A fleet in which everybody has found everybody, and which then rested for `rest_ms`. With an
 * error, of those above, `*fleet` is NULL. */
CHIRR_NODISCARD enum chirr_err chirr_bench_fleet_gather(uint32_t agent_count, uint32_t rest_ms,
                                                        struct chirr_bench_fleet **fleet,
                                                        struct chirr_error *error);

#endif
