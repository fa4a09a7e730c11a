/* Jobs: child processes with a time limit, a CPU share and bounded output.
 *
 * A run is a process group and session of its own, in its own directory STATE_DIR/runs/TASK-EPOCH
 * (both in the name: 16 hexadecimal digits, then decimal), with standard input from /dev/null,
 * output and errors through one pipe into the file `output` there, no other descriptor, default
 * signals, no core dumps, and an environment of PATH, HOME and TMPDIR (the run's directory), LANG,
 * CHIRR_TASK and CHIRR_EPOCH alone. The pipe is always drained, so a flood neither blocks the job
 * nor fills the disk: what exceeds output_bytes_max is counted and discarded.
 *
 * When a job ends, for whatever reason, what is left of its process group is killed. A job that
 * hangs gets SIGTERM at its limit and SIGKILL after the grace; limits count wall time. Every group
 * is also registered with a guard, a small process that outlives the agent just long enough to kill
 * what is registered; so jobs and their children end with an agent that was killed with -9. A
 * descendant that leaves the group (setsid) escapes both; containing it needs a cgroup.
 *
 * CPU share: below 1,000 ‰ the group is stopped and continued (SIGSTOP, SIGCONT) over a period of
 * 50 ms. The time that it was really let run is measured and each stop is made as long as that asks
 * for, so late polls do not change the share. A job with several busy threads gets the share of
 * each.
 *
 * Never blocks but in destroy. Owned and used by one thread; that thread must outlive the jobs
 * (PR_SET_PDEATHSIG counts threads). `create` forks the guard. Needs Linux 5.3 (pidfd). Ignores no
 * signal and reaps only its own children. */
#ifndef CHIRR_AGENT_EXECUTOR_H
#define CHIRR_AGENT_EXECUTOR_H

#include "agent/config.h"
#include "base/time.h"
#include "proto/message.h"

#define CHIRR_EXECUTOR_SLOTS_MAX 256
#define CHIRR_EXECUTOR_FDS_MAX (2 * CHIRR_EXECUTOR_SLOTS_MAX)

struct chirr_executor_config {
    char state_dir[CHIRR_PATH_BYTES_MAX]; /* must exist; runs/ is made in it (0700) */
    uint32_t slots_max;                   /* runs at once, 1…CHIRR_EXECUTOR_SLOTS_MAX */
    uint32_t cpu_permille;                /* of each job, 10…1,000; 1,000: not limited */
    uint32_t output_bytes_max;            /* of each job, in its file */
    uint32_t kept_runs_max;               /* directories of ended runs kept; older ones go */
    uint32_t grace_ms;                    /* from SIGTERM to SIGKILL */
    int32_t nice;                         /* added to the agent's own niceness, 0…19 */
};
struct chirr_executor_config chirr_executor_config_default(void); /* 1, 1,000, 1 MiB, 64, 1 s, 5 */

struct chirr_executor;

/* NULL and words in `error` on failure. */
struct chirr_executor *chirr_executor_create(const struct chirr_executor_config *config,
                                             struct chirr_error *error);
/* Kills every run, with its group, and waits until they are gone. */
void chirr_executor_destroy(struct chirr_executor *executor);

/* Starts a run. Whatever hinders the command itself (no such file, no process to be had, a full
 * disk) is reported by poll as CHIRR_TASK_END_NOT_STARTED with its errno. CHIRR_ERR_FULL: no slot,
 * counted. CHIRR_ERR_EXISTS: this task and epoch is running. `spec` must be valid; copied. */
CHIRR_NODISCARD enum chirr_err chirr_executor_start(struct chirr_executor *executor,
                                                    chirr_task_id task, uint32_t epoch,
                                                    const struct chirr_task_spec *spec,
                                                    chirr_time_us now);

/* SIGTERM now, SIGKILL after the grace; poll reports the end. CHIRR_ERR_NOTFOUND. */
CHIRR_NODISCARD enum chirr_err chirr_executor_stop(struct chirr_executor *executor,
                                                   chirr_task_id task, uint32_t epoch,
                                                   chirr_time_us now);

struct chirr_executor_ended {
    chirr_task_id task;
    uint32_t epoch;
    bool stopped;                    /* by chirr_executor_stop */
    struct chirr_task_result result; /* predicted_us is 0: the executor does not know it */
};

/* Does what is due (drain, limits, CPU shares, old directories) and hands out one ended run; false
 * when there is none. Call when a descriptor is readable or the deadline has come, until false. */
bool chirr_executor_poll(struct chirr_executor *executor, chirr_time_us now,
                         struct chirr_executor_ended *ended);
chirr_time_us chirr_executor_deadline(const struct chirr_executor *executor);

/* Descriptors to wait on for reading; at most CHIRR_EXECUTOR_FDS_MAX. They change with every poll
 * and start. */
size_t chirr_executor_fds(const struct chirr_executor *executor, int *fds, size_t capacity);

struct chirr_executor_counters {
    uint32_t running; /* now; the rest since create */
    uint64_t started;
    uint64_t ended;           /* reported, however they ended */
    uint64_t refused_full;    /* no slot */
    uint64_t not_started;     /* commands that could not be executed */
    uint64_t timeouts;        /* ended by their limit */
    uint64_t stopped;         /* by chirr_executor_stop */
    uint64_t killed;          /* that SIGTERM did not end within the grace */
    uint64_t output_bytes;    /* written to files */
    uint64_t discarded_bytes; /* beyond output_bytes_max, or the disk was full */
    uint64_t guard_failures;  /* a group that the guard could not be told of */
    uint64_t directories_removed;
};
const struct chirr_executor_counters *chirr_executor_count(const struct chirr_executor *executor);

#endif
