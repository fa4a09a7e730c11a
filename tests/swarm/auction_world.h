/* A little world for auctions: agents of {record store, membership, leases, auction}, a network
 * that delays, reorders and loses, executors that take as long as the world says, crashes,
 * partitions; all in virtual time from one seed.
 *
 * Records are pushed when stated and repaired once a second by sending one random peer whatever it
 * has otherwise. Who lives is told to all by the world, two seconds after the fact. The world
 * itself asserts what must hold at every START and STOP. */
#ifndef CHIRR_TESTS_SWARM_AUCTION_WORLD_H
#define CHIRR_TESTS_SWARM_AUCTION_WORLD_H

#include "base/random.h"
#include "swarm/auction.h"

#define WORLD_AGENTS_MAX 10
#define WORLD_TASKS_MAX 64
#define WORLD_STARTS_MAX 1024

struct world_config {
    uint64_t seed;
    uint32_t agent_count;
    uint32_t loss_permille;
    chirr_time_us latency_us_max;
    uint32_t error_permille; /* predictions are off by up to this */
    uint32_t lease_ms;
    struct chirr_auction_config auction; /* self, seed and membership are filled in */
};
struct world_config world_config_default(uint64_t seed);

struct world_task {
    chirr_task_id id;
    uint32_t submitter;
    bool cancelled;
    uint32_t missing_at; /* bit a: cannot be started at agent a */
    uint64_t duration_us[WORLD_AGENTS_MAX];
};

struct world_start {
    uint32_t agent;
    uint32_t disk; /* how many disks it had lost */
    chirr_task_id task;
    uint32_t epoch;
};

struct world_run {
    chirr_task_id task; /* 0: free */
    uint32_t epoch;
    chirr_time_us since_us;
    chirr_time_us ends_us;
    bool stopped; /* and yet in its slot until it has ended */
};

struct world_agent {
    chirr_agent_id id;
    bool alive;
    uint64_t incarnation;        /* of the process */
    uint64_t member_incarnation; /* as membership knows it */
    uint64_t version;
    uint32_t disk;
    uint64_t heartbeat;
    struct chirr_arena arena;
    struct chirr_record_store *records;
    struct chirr_membership *membership;
    struct chirr_leases *leases;
    struct chirr_auction *auction;
    struct world_run runs[8];
    chirr_time_us beat_us, sync_us;
    uint32_t side; /* of a partition */
    uint32_t claims_stated, tasks_stated;
    uint32_t outcomes[WORLD_TASKS_MAX]; /* told in this life */
};

struct world;

struct world *world_create(const struct world_config *config);
void world_destroy(struct world *world);

/* Durations are uniform in [size / 2, size] at each agent. NULL `requires`: none. */
uint32_t world_submit(struct world *world, uint32_t submitter, uint64_t size_us, uint32_t priority,
                      const char *requires);
void world_cancel(struct world *world, uint32_t task);
void world_run(struct world *world, chirr_time_us until_us);
chirr_time_us world_now(const struct world *world);

/* Everybody hears of it two seconds later. */
void world_crash(struct world *world, uint32_t agent);
/* With what its store held, as from a disk, or with nothing. */
void world_restart(struct world *world, uint32_t agent, bool with_disk);
/* Agents below `first` from the others; each side takes the other for dead. */
void world_partition(struct world *world, uint32_t first);
void world_heal(struct world *world);

struct world_agent *world_agent(struct world *world, uint32_t agent);
struct world_task *world_task(struct world *world, uint32_t task);
uint32_t world_task_count(const struct world *world);
/* As the first live agent has it. */
const struct chirr_task *world_record(struct world *world, uint32_t task);
bool world_all_ended(struct world *world);
bool world_converged(struct world *world); /* all live stores are equal */
uint32_t world_starts(const struct world *world, const struct world_start **starts);
uint32_t world_stops(const struct world *world);
uint64_t world_output_digest(struct world *world); /* of every output and statement so far */

#endif
