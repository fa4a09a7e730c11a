/* The jobs of a fleet's `workload:`: generated, submitted over time, and followed to their end.
 *
 * When each job arrives, its kind and its size are a pure function of the workload's seed. Input
 * files are made one ahead of need and stay until `destroy`, since a job may run again elsewhere.
 * Each job goes to a random agent that is ready, and to another when that one does not answer. What
 * an agent has accepted must end: a job that never does is *lost*, and counted as that.
 *
 * When a job ended is known to within the time between two calls of `_observe`.
 * Blocks for as long as the agents take to answer. One thread. */
#ifndef CHIRR_AGENT_WORKLOAD_H
#define CHIRR_AGENT_WORKLOAD_H

#include "agent/launcher.h"

#define CHIRR_WORKLOAD_JOBS_MAX 10000
#define CHIRR_WORKLOAD_INPUT_BYTES_MAX ((uint64_t)2 << 30) /* of all files together */
#define CHIRR_WORKLOAD_NO_OWNER UINT32_MAX

enum chirr_job_state {
    CHIRR_JOB_PLANNED,
    CHIRR_JOB_ACCEPTED, /* its fate is the swarm's from here on */
    CHIRR_JOB_DONE,     /* exited with 0 */
    CHIRR_JOB_FAILED,   /* ended in any other way */
    CHIRR_JOB_CANCELLED,
    CHIRR_JOB_REFUSED, /* no agent would take it */
};

struct chirr_workload_job {
    uint64_t id; /* 0 until accepted */
    uint32_t kind;
    uint32_t attempts; /* rounds of asking every agent, in vain */
    enum chirr_job_state state;
    bool running;       /* when last observed */
    bool ended_twice;   /* DONE was seen of two runs of it */
    uint32_t epoch;     /* greatest seen: how often it was auctioned again */
    uint32_t end_epoch; /* of the run that ended, once ended_us is not 0 */
    bool input_ready;
    uint64_t size_bytes;
    chirr_time_us due_us; /* after the start */
    chirr_time_us accepted_us, ended_us;
    uint32_t owner; /* index of the agent that runs or ran it, or NO_OWNER */
    double duration_s;
    double predicted_s; /* 0: no prediction */
};

struct chirr_workload_run;

/* Makes `input_dir`. `workload` is borrowed. CHIRR_ERR_RANGE: more jobs or bytes than the limits.
 */
struct chirr_workload_run *chirr_workload_create(const struct chirr_workload *workload,
                                                 const char *input_dir, struct chirr_error *error);
/* Removes the input files unless `keep`. */
void chirr_workload_destroy(struct chirr_workload_run *run, bool keep);

/* Submits what is due, at most one job a call; arrivals count from the first call. CHIRR_ERR_IO: an
 * input file could not be written. */
CHIRR_NODISCARD enum chirr_err chirr_workload_turn(struct chirr_workload_run *run,
                                                   struct chirr_launcher *launcher,
                                                   struct chirr_error *error);

/* Asks an agent (each time another), or with `all` every one, how the jobs stand. */
void chirr_workload_observe(struct chirr_workload_run *run, struct chirr_launcher *launcher,
                            bool all);

struct chirr_workload_counts {
    uint32_t planned; /* of the whole workload */
    uint32_t accepted, done, failed, cancelled, refused;
    uint32_t open;        /* accepted and not ended; *lost* if that is so at the very end */
    uint32_t reauctioned; /* given out again: their owner was lost or returned them */
    uint32_t ended_twice; /* of which the DONE of two runs was seen */
};
struct chirr_workload_counts chirr_workload_count(const struct chirr_workload_run *run);

/* True once nothing more will be submitted and nothing is open. */
bool chirr_workload_is_over(const struct chirr_workload_run *run);

/* An agent that runs one of the jobs, as last observed; NO_OWNER when none does. */
uint32_t chirr_workload_busy_agent(const struct chirr_workload_run *run);

/* [planned], in order of arrival; borrowed. */
const struct chirr_workload_job *chirr_workload_jobs(const struct chirr_workload_run *run);

/* `command` with every {input} replaced by `path`, quoted for /bin/sh. CHIRR_ERR_FULL: longer than
 * `capacity`. */
CHIRR_NODISCARD enum chirr_err chirr_workload_command(const char *command, const char *path,
                                                      char *out, size_t capacity);

#endif
