/* The tasks of a run: what will be asked, and what an all-seeing observer saw become of it.
 *
 * The plan is drawn from the seed alone, before the run. What agents believe about tasks is in
 * their record stores; what really happened (who started what, when, how often) is noted here, for
 * invariants and report. Not thread-safe. */
#ifndef CHIRR_SIM_WORKLOAD_H
#define CHIRR_SIM_WORKLOAD_H

#include "sim/scenario.h"

#define CHIRR_SIM_STARTS_MAX 16
#define CHIRR_SIM_NO_TASK UINT32_MAX

struct chirr_sim_start {
    uint32_t agent;
    uint32_t epoch;
};

struct chirr_sim_task {
    /* The plan. */
    chirr_time_us at;
    uint32_t agent; /* who is asked first */
    uint32_t kind;  /* index into scenario.work.kinds */
    uint64_t size_bytes;
    chirr_time_us cancel_after; /* CHIRR_TIME_NEVER: it is not cancelled */

    /* What was seen. */
    chirr_task_id id; /* 0: not submitted (yet) */
    uint32_t submitter;
    chirr_time_us submitted_at;
    chirr_time_us started_at;   /* first start; valid when start_count > 0 */
    chirr_time_us completed_at; /* first completion; valid when completions > 0 */
    bool cancelled;             /* the submitter's node took it back */
    uint32_t completions;       /* runs that ended by themselves and were accepted */
    uint32_t start_count;
    struct chirr_sim_start starts[CHIRR_SIM_STARTS_MAX]; /* the first so many */
};

struct chirr_sim_workload;

size_t chirr_sim_workload_bytes(const struct chirr_sim_scenario *scenario);
/* Draws the plan. Borrows `scenario`. NULL when the arena is too small. */
struct chirr_sim_workload *chirr_sim_workload_create(struct chirr_arena *arena,
                                                     const struct chirr_sim_scenario *scenario);

uint32_t chirr_sim_workload_count(const struct chirr_sim_workload *workload);
struct chirr_sim_task *chirr_sim_workload_at(const struct chirr_sim_workload *workload,
                                             uint32_t index);
/* CHIRR_SIM_NO_TASK when nothing was submitted under this id. */
uint32_t chirr_sim_workload_find(const struct chirr_sim_workload *workload, chirr_task_id id);

struct chirr_task_spec chirr_sim_workload_spec(const struct chirr_sim_workload *workload,
                                               uint32_t index);

void chirr_sim_workload_submitted(struct chirr_sim_workload *workload, uint32_t index,
                                  chirr_task_id id, uint32_t submitter, chirr_time_us now);
/* False when this very (agent, epoch) was started before. */
bool chirr_sim_workload_started(struct chirr_sim_workload *workload, uint32_t index,
                                struct chirr_sim_start start, chirr_time_us now);
void chirr_sim_workload_completed(struct chirr_sim_workload *workload, uint32_t index,
                                  chirr_time_us now);

/* How a run of a task goes on a device: the truth that agents learn to predict. */
struct chirr_sim_truth {
    chirr_time_us duration_us;
    bool fails;
};
struct chirr_sim_truth chirr_sim_workload_truth(const struct chirr_sim_workload *workload,
                                                uint32_t index, uint32_t cpu_permille,
                                                struct chirr_random *random);

#endif
