/* A simulated world: agents on a virtual network, driven by one clock from one seed.
 *
 * Each agent is the very node and learner of a process; the world carries out what they ask for as
 * the process would: messages go into the network, what must be durable onto a simulated disk, the
 * learner is called inline, a job ends after its true simulated duration. Identities are derived
 * from the seed and records carry no signatures.
 *
 * The struct is open: invariants and report look at everything, and change nothing.
 * Not thread-safe. No clock, socket or thread in here. */
#ifndef CHIRR_SIM_WORLD_H
#define CHIRR_SIM_WORLD_H

#include "base/ring.h"
#include "sim/disk.h"
#include "sim/engine.h"
#include "sim/invariants.h"
#include "sim/network.h"
#include "sim/parcel.h"
#include "sim/scenario.h"
#include "sim/text.h"
#include "sim/workload.h"

#define CHIRR_SIM_SLOTS_MAX 16
/* As the high-water mark of a socket. */
#define CHIRR_SIM_HELD_MAX 1000

enum chirr_sim_happening {
    CHIRR_SIM_DELIVER = 1, /* body: the parcel */
    CHIRR_SIM_WAKE,        /* the node's deadline */
    CHIRR_SIM_SENSE,       /* number: of the boot that it belongs to */
    CHIRR_SIM_RUN_END,     /* number: of the run */
    CHIRR_SIM_SUBMIT,      /* number: of the task in the workload */
    CHIRR_SIM_CANCEL,      /* likewise */
    CHIRR_SIM_CRASH,       /* number: of the crash in the scenario */
    CHIRR_SIM_BOOT,        /* number: of the boots before it */
    CHIRR_SIM_PAUSE,       /* number: of the pause in the scenario */
    CHIRR_SIM_RESUME,      /* likewise */
    CHIRR_SIM_CHECK,       /* to the world, every second */
};

struct chirr_sim_run {
    uint32_t number; /* never used again by this agent */
    uint32_t task;   /* of the workload */
    uint32_t epoch;
    chirr_time_us started_at;
    chirr_time_us duration_us;
    bool fails;
    bool stopped; /* and yet in its slot until it has ended */
};

/* What came in while the process stood still. */
struct chirr_sim_held {
    struct chirr_sim_parcel *parcel;
    uint32_t from;
};

/* A neighbour that does not hold this agent for one. */
struct chirr_sim_one_sided {
    uint32_t of;
    chirr_time_us since;
};

struct chirr_sim_peer {
    uint32_t index;
    chirr_agent_id id;
    struct chirr_card card;
    chirr_time_us clock_offset; /* its clock shows that much more than the world's */

    bool up;
    uint32_t boots;
    chirr_time_us up_since;
    chirr_time_us down_since;
    bool detected;              /* since it is down, everybody has noticed */
    chirr_time_us wake_at;      /* of the one WAKE that counts */
    chirr_time_us paused_until; /* the process stands still; 0: it does not */
    uint32_t pauses;            /* of this life */
    struct chirr_ring held;     /* chirr_sim_held; of no capacity where nobody ever pauses */
    struct chirr_random pause_random;
    uint32_t one_sided_count;
    struct chirr_sim_one_sided one_sided[CHIRR_WATCHED_MAX];
    struct chirr_arena node_memory;
    struct chirr_arena learner_memory;
    struct chirr_node *node;       /* NULL while down */
    struct chirr_learner *learner; /* NULL: does not learn; kept with the disk while down */

    struct chirr_sim_disk disk;
    uint32_t disks_lost;
    struct chirr_sim_text text;
    struct chirr_random sense_random;
    struct chirr_random job_random;
    uint32_t run_count;
    uint32_t run_numbers;
    struct chirr_sim_run runs[CHIRR_SIM_SLOTS_MAX];
    uint64_t trail; /* digest of all that happened to this agent, in order */
};

struct chirr_sim_index_entry {
    chirr_agent_id id;
    uint32_t index;
};

struct chirr_sim_counters {
    uint64_t refused_messages; /* a node's receive returned an error */
    uint64_t learner_refused;
    uint64_t bytes_sensed;
    uint64_t runs_started, runs_stopped, runs_failed;
    uint64_t crashes, boots, pauses;
    uint64_t false_deaths; /* somebody well was taken for dead by one who could reach it */
    uint64_t unsubmitted;  /* nobody was up to take the task */
    uint64_t submit_refused;
};

struct chirr_sim_world {
    const struct chirr_sim_scenario *scenario; /* borrowed */
    struct chirr_arena arena;
    struct chirr_sim_engine *engine;
    struct chirr_sim_post *post;
    struct chirr_sim_network *network;
    struct chirr_sim_workload *workload;
    uint32_t peer_count;
    struct chirr_sim_peer *peers;        /* [peer_count] */
    struct chirr_sim_index_entry *by_id; /* [peer_count], ascending by id */
    struct chirr_learner_config learner_config;
    struct chirr_learner_shared *learner_shared; /* by all learners; NULL: none learns */
    uint64_t lineage;
    chirr_time_us last_boot_at; /* of all that are planned so far, ends of pauses included */
    bool closing;               /* the run is over: nothing new is sensed, asked or broken */
    struct chirr_sim_invariants invariants;
    struct chirr_sim_counters counters;
};

/* Takes one block from the heap. Borrows `scenario`, which must be valid, until destroyed. NULL and
 * words in `error` when there is no memory. */
struct chirr_sim_world *chirr_sim_world_create(const struct chirr_sim_scenario *scenario,
                                               struct chirr_error *error);
void chirr_sim_world_destroy(struct chirr_sim_world *world);

/* Processes what happens up to `until`; stops early at a violation. */
void chirr_sim_world_run(struct chirr_sim_world *world, chirr_time_us until);

/* The whole scenario, then until the swarm is at rest (at most `bounds.settle_ms` after its last
 * run), then the checks of the end. True when no invariant was violated. */
bool chirr_sim_world_play(struct chirr_sim_world *world);

/* Asks agent `agent`, which must be up, to take task `task` of the workload now, whatever the plan
 * says. */
void chirr_sim_world_submit(struct chirr_sim_world *world, uint32_t agent, uint32_t task);

chirr_time_us chirr_sim_world_now(const struct chirr_sim_world *world);
/* CHIRR_SIM_WORLD when no agent has this id. */
uint32_t chirr_sim_world_find(const struct chirr_sim_world *world, chirr_agent_id id);

/* Digest of everything: what a replay must reproduce. */
uint64_t chirr_sim_world_state_hash(const struct chirr_sim_world *world);

#endif
