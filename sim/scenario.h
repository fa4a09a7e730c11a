/* What a simulation is about: one YAML file, as plain data.
 *
 * docs/simulation.md lists every key. Whatever a file does wrong is one line with file, line, key
 * and what was expected; an unknown key is a mistake. */
#ifndef CHIRR_SIM_SCENARIO_H
#define CHIRR_SIM_SCENARIO_H

#include "agent/learner.h"
#include "agent/node.h"
#include "sim/network.h"

#define CHIRR_SIM_DEVICES_MAX 8
#define CHIRR_SIM_CRASHES_MAX 64
#define CHIRR_SIM_PAUSES_MAX 16
#define CHIRR_SIM_KINDS_MAX 8
#define CHIRR_SIM_TASKS_MAX 16384
#define CHIRR_SIM_SENSE_BYTES_MAX 4096

/* Devices are dealt out in turn: as many agents of each as `share` says, then from the start. */
struct chirr_sim_device {
    char name[CHIRR_NAME_BYTES_MAX];
    uint32_t share;
    uint32_t cpu_permille;
    uint32_t slots;
};

enum chirr_sim_disk_fate {
    CHIRR_SIM_DISK_KEPT,
    CHIRR_SIM_DISK_LOST, /* the agent comes back with its key alone */
};

/* `count` agents drawn at random, or the very ones of `set` when count is 0. */
struct chirr_sim_crash {
    uint32_t at_ms;
    uint32_t down_for_ms; /* 0: for good */
    enum chirr_sim_disk_fate disk;
    uint32_t count;
    bool set[CHIRR_SIM_AGENTS_MAX];
};

/* The process of each agent hit stands still for `for_ms` (no CPU, a suspended machine): what it is
 * sent waits, its deadlines pass. With `awake_ms` it stands still again and again until `until_ms`,
 * awake for so long in between; then both times vary by half, and each agent begins at its own time
 * within the first `for_ms`. Agents are meant as those of a crash. */
struct chirr_sim_pause {
    uint32_t at_ms;
    uint32_t for_ms;
    uint32_t awake_ms; /* 0: once */
    uint32_t until_ms;
    uint32_t count;
    bool set[CHIRR_SIM_AGENTS_MAX];
};

/* What the tasks of a kind really cost; agents have to find out. */
struct chirr_sim_kind {
    char name[CHIRR_NAME_BYTES_MAX];
    uint64_t bytes_per_s; /* of one whole CPU */
    uint64_t size_bytes_min;
    uint64_t size_bytes_max;
    double noise;           /* standard deviation of ln(duration) */
    uint32_t fail_permille; /* runs that end with exit code 1 */
};

struct chirr_sim_work {
    uint32_t task_count;
    uint32_t from_ms, until_ms; /* arrivals are uniform in between */
    uint32_t time_limit_ms;
    uint32_t cancel_permille; /* tasks that their submitter takes back */
    uint32_t cancel_after_ms; /* mean time until then */
    uint32_t kind_count;
    struct chirr_sim_kind kinds[CHIRR_SIM_KINDS_MAX];
};

struct chirr_sim_learning {
    bool enabled;
    bool control;         /* a second model beside each, that learns alone */
    uint32_t group_count; /* kinds of text */
    uint32_t shared_permille;
    uint32_t words;
    uint32_t bytes_per_s;
    uint32_t burst_ms;      /* what was sensed is handed over so often */
    uint32_t heldout_bytes; /* of each group, for the evaluation at the end; 0: none */
    struct chirr_model_config model;
};

/* How long the swarm may take until all agree again; what takes longer is a violation. */
struct chirr_sim_bounds {
    /* At the end, after the last run: until all is done and records are equal. */
    uint32_t settle_ms;
    uint32_t views_ms;    /* after a change of who is there or who can be reached */
    uint32_t symmetry_ms; /* that only one of two neighbours holds the other for one */
};

struct chirr_sim_scenario {
    char name[CHIRR_NAME_BYTES_MAX];
    uint64_t seed;
    uint32_t duration_ms;
    uint32_t agent_count;
    uint32_t seed_count;      /* agents [0…) that all others know at the start */
    uint32_t start_ms;        /* agents start within this time */
    uint32_t clock_offset_ms; /* local clocks start anywhere from 0 to this */
    uint32_t device_count;
    struct chirr_sim_device devices[CHIRR_SIM_DEVICES_MAX];
    struct chirr_sim_network_config network;
    uint32_t crash_count;
    struct chirr_sim_crash crashes[CHIRR_SIM_CRASHES_MAX];
    uint32_t pause_count;
    struct chirr_sim_pause pauses[CHIRR_SIM_PAUSES_MAX];
    struct chirr_sim_work work;
    struct chirr_sim_learning learning;
    struct chirr_sim_bounds bounds;
    uint32_t agents_max;           /* that one agent holds anything of; 0: what fits the view */
    struct chirr_node_config node; /* card, incarnation, seed and seeds are each agent's own */
};

struct chirr_sim_scenario chirr_sim_scenario_default(void);

/* Fills in what follows from the rest: limits by the number of agents, the hosted partitions. To be
 * called after changing a scenario by hand. */
void chirr_sim_scenario_derive(struct chirr_sim_scenario *scenario);

/* Rules between fields. CHIRR_ERR_CONFIG and words in `error` (which may be NULL). */
CHIRR_NODISCARD enum chirr_err
chirr_sim_scenario_validate(const struct chirr_sim_scenario *scenario, struct chirr_error *error);

CHIRR_NODISCARD enum chirr_err chirr_sim_scenario_load(const char *path,
                                                       struct chirr_sim_scenario *scenario,
                                                       struct chirr_error *error);
CHIRR_NODISCARD enum chirr_err chirr_sim_scenario_parse(const char *name, const char *text,
                                                        struct chirr_sim_scenario *scenario,
                                                        struct chirr_error *error);

/* When the last partition has healed, the last crashed agent is back and the last pause over. */
chirr_time_us chirr_sim_scenario_last_fault(const struct chirr_sim_scenario *scenario);

#endif
