/* One run of a job: its process group, its output, its limits. Inside the executor; not installed.
 *
 *   start -> RUNNING -> (limit or stop) TERMINATING -> (grace over) KILLED
 * and from any of them to ENDED when the child is gone, or from nowhere when it never came to be.
 * Its share of the CPU is a duty cycle: running for a slice, then stopped for as long as the time
 * that it was really let run asks for. */
#ifndef CHIRR_AGENT_RUN_H
#define CHIRR_AGENT_RUN_H

#include "agent/executor.h"
#include "agent/guard.h"
#include "agent/spawn.h"

enum chirr_run_state {
    CHIRR_RUN_FREE,
    CHIRR_RUN_RUNNING,
    CHIRR_RUN_TERMINATING, /* got SIGTERM */
    CHIRR_RUN_KILLED,      /* got SIGKILL; ends any moment */
    CHIRR_RUN_ENDED,       /* `result` waits to be handed out */
};

struct chirr_run {
    enum chirr_run_state state;
    chirr_task_id task;
    uint32_t epoch;
    struct chirr_child child;
    int pipe_fd; /* what it prints; -1 once that has ended */
    int file_fd;
    chirr_time_us started_at;
    chirr_time_us due_at; /* of the next signal: the limit, or the end of the grace */
    bool timed_out, stopped;
    bool paused;
    chirr_time_us phase_at;  /* since when it runs or is paused */
    chirr_time_us switch_at; /* when that changes */
    uint32_t file_bytes;
    uint8_t tail[CHIRR_RESULT_OUTPUT_BYTES_MAX]; /* a ring: byte n of the output at n % size */
    struct chirr_task_result result;
};

/* What runs share. */
struct chirr_run_host {
    struct chirr_executor_config config; /* state_dir is absolute */
    int runs_fd;                         /* the directory of run directories */
    struct chirr_guard guard;
    struct chirr_executor_counters counters;
    uint8_t *chunk; /* [CHIRR_RUN_CHUNK_BYTES] between pipe and file */
};
#define CHIRR_RUN_CHUNK_BYTES ((size_t)64 * 1024)

#define CHIRR_RUN_NAME_BYTES_MAX 32
void chirr_run_name(chirr_task_id task, uint32_t epoch, char name[CHIRR_RUN_NAME_BYTES_MAX]);

/* Goes to RUNNING, or to ENDED where the command cannot be started. */
void chirr_run_start(struct chirr_run_host *host, struct chirr_run *run,
                     const struct chirr_task_spec *spec, chirr_time_us now);
/* SIGTERM, and the grace begins; without effect when that was before. */
void chirr_run_terminate(struct chirr_run_host *host, struct chirr_run *run, chirr_time_us now);
/* Drains, signals and reaps what is due. */
void chirr_run_step(struct chirr_run_host *host, struct chirr_run *run, chirr_time_us now);
chirr_time_us chirr_run_deadline(const struct chirr_run *run);
/* Kills and reaps whatever state it is in; waits. */
void chirr_run_finish(struct chirr_run_host *host, struct chirr_run *run);

/* Removes what is below `name`, at most `*budget` entries of it; true when `name` is gone. */
bool chirr_run_remove_directory(int parent_fd, const char *name, unsigned *budget);

#endif
