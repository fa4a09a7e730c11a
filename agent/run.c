/* One run of a job. */
#include "agent/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PERIOD_US (50 * CHIRR_US_PER_MS)
#define DRAIN_BYTES_MAX ((size_t)256 * 1024)           /* of one run in one step: others wait */
#define LAST_DRAIN_BYTES_MAX ((size_t)2 * 1024 * 1024) /* more than any pipe holds */
#define ARGUMENTS_MAX (CHIRR_COMMAND_BYTES_MAX + 1)
#define PATH_OF_RUN_BYTES_MAX (CHIRR_PATH_BYTES_MAX + 64)
#define KILL_MS 2000

void chirr_run_name(chirr_task_id task, uint32_t epoch, char name[CHIRR_RUN_NAME_BYTES_MAX])
{
    snprintf(name, CHIRR_RUN_NAME_BYTES_MAX, "%016" PRIx64 "-%" PRIu32, task, epoch);
}

/* ---- Output ---------------------------------------------------------------------------------- */

/* Bytes of `chunk` that went into the file; the rest is beyond the limit, or the disk is full. */
static size_t write_file(struct chirr_run_host *host, struct chirr_run *run, size_t bytes)
{
    size_t room = host->config.output_bytes_max - run->file_bytes;
    size_t wanted = bytes < room ? bytes : room;
    ssize_t written = wanted == 0 ? 0 : write(run->file_fd, host->chunk, wanted);
    return written > 0 ? (size_t)written : 0;
}

static void keep_tail(struct chirr_run *run, const uint8_t *chunk, size_t bytes)
{
    size_t skipped = bytes > sizeof run->tail ? bytes - sizeof run->tail : 0;
    for (size_t i = skipped; i < bytes; i++) {
        run->tail[(run->result.output_total_bytes + i) % sizeof run->tail] = chunk[i];
    }
}

static void take_output(struct chirr_run_host *host, struct chirr_run *run, size_t bytes)
{
    size_t written = write_file(host, run, bytes);
    run->file_bytes += (uint32_t)written;
    host->counters.output_bytes += written;
    host->counters.discarded_bytes += bytes - written;
    keep_tail(run, host->chunk, bytes);
    run->result.output_total_bytes += bytes;
}

static void drain(struct chirr_run_host *host, struct chirr_run *run, size_t bytes_max)
{
    for (size_t drained = 0; run->pipe_fd >= 0 && drained < bytes_max;) {
        ssize_t bytes = read(run->pipe_fd, host->chunk, CHIRR_RUN_CHUNK_BYTES);
        if (bytes > 0) {
            take_output(host, run, (size_t)bytes);
            drained += (size_t)bytes;
        } else if (bytes == 0 || (errno != EAGAIN && errno != EINTR)) {
            close(run->pipe_fd);
            run->pipe_fd = -1;
        } else {
            return;
        }
    }
}

/* Turns the ring round, so that the result begins with its oldest byte. */
static void result_output(struct chirr_run *run)
{
    struct chirr_task_result *result = &run->result;
    uint64_t total = result->output_total_bytes;
    result->output_bytes = (uint32_t)(total < sizeof run->tail ? total : sizeof run->tail);
    for (uint32_t i = 0; i < result->output_bytes; i++) {
        result->output[i] = run->tail[(total - result->output_bytes + i) % sizeof run->tail];
    }
}

/* ---- Starting -------------------------------------------------------------------------------- */

static void fail(struct chirr_run_host *host, struct chirr_run *run, int why)
{
    host->counters.not_started++;
    run->result.end = CHIRR_TASK_END_NOT_STARTED;
    run->result.code = why;
}

static void close_output(struct chirr_run *run)
{
    if (run->pipe_fd >= 0) {
        close(run->pipe_fd);
    }
    if (run->file_fd >= 0) {
        close(run->file_fd);
    }
    run->pipe_fd = run->file_fd = -1;
}

/* The run's directory and the file in it. Returns 0 or errno. */
static int open_file(struct chirr_run_host *host, struct chirr_run *run)
{
    char name[CHIRR_RUN_NAME_BYTES_MAX];
    chirr_run_name(run->task, run->epoch, name);
    if (mkdirat(host->runs_fd, name, 0700) != 0 && errno != EEXIST) {
        return errno;
    }
    int directory = openat(host->runs_fd, name, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0) {
        return errno;
    }
    run->file_fd = openat(directory, "output",
                          O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    int why = run->file_fd < 0 ? errno : 0;
    close(directory);
    return why;
}

/* Returns the child's end, or -1 and errno. */
static int open_pipe(struct chirr_run *run)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    run->pipe_fd = chirr_spawn_above_standard(ends[0]);
    fcntl(run->pipe_fd, F_SETFL, O_NONBLOCK); /* this end alone: the job's own may block */
    return chirr_spawn_above_standard(ends[1]);
}

struct environment {
    char home[PATH_OF_RUN_BYTES_MAX], tmpdir[PATH_OF_RUN_BYTES_MAX];
    char task[32], epoch[32];
    char *variables[7];
    const char *directory;
};

static void fill_environment(const struct chirr_run_host *host, const struct chirr_run *run,
                             struct environment *environment)
{
    static char path[] = "PATH=" CHIRR_SPAWN_PATH, language[] = "LANG=C.UTF-8";
    char name[CHIRR_RUN_NAME_BYTES_MAX];
    chirr_run_name(run->task, run->epoch, name);
    snprintf(environment->home, sizeof environment->home, "HOME=%s/runs/%s", host->config.state_dir,
             name);
    environment->directory = environment->home + strlen("HOME=");
    snprintf(environment->tmpdir, sizeof environment->tmpdir, "TMPDIR=%s/runs/%s",
             host->config.state_dir, name);
    snprintf(environment->task, sizeof environment->task, "CHIRR_TASK=%016" PRIx64, run->task);
    snprintf(environment->epoch, sizeof environment->epoch, "CHIRR_EPOCH=%" PRIu32, run->epoch);
    char *variables[] = {path,
                         environment->home,
                         language,
                         environment->tmpdir,
                         environment->task,
                         environment->epoch,
                         NULL};
    memcpy(environment->variables, variables, sizeof variables);
}

static int spawn(struct chirr_run_host *host, struct chirr_run *run,
                 const struct chirr_task_spec *spec, int output_fd)
{
    char *arguments[ARGUMENTS_MAX];
    char program[CHIRR_COMMAND_BYTES_MAX + sizeof CHIRR_SPAWN_PATH];
    struct environment environment;
    uint32_t count = 0;
    for (; count < spec->argument_count; count++) {
        arguments[count] = (char *)(uintptr_t)chirr_task_argument(spec, count);
    }
    arguments[count] = NULL;
    if (!chirr_spawn_find(arguments[0], program, sizeof program)) {
        return ENOENT;
    }
    fill_environment(host, run, &environment);
    struct chirr_spawn child = {.program = program,
                                .arguments = arguments,
                                .environment = environment.variables,
                                .directory = environment.directory,
                                .output_fd = output_fd,
                                .error_fd = output_fd,
                                .guard_fd = host->guard.fd,
                                .nice = host->config.nice};
    return chirr_spawn_start(&child, &run->child);
}

static chirr_time_us slice_of(const struct chirr_run_host *host)
{
    return PERIOD_US * host->config.cpu_permille / 1000;
}

void chirr_run_start(struct chirr_run_host *host, struct chirr_run *run,
                     const struct chirr_task_spec *spec, chirr_time_us now)
{
    int why = open_file(host, run);
    if (why == 0) {
        int output_fd = open_pipe(run);
        why = output_fd < 0 ? errno : spawn(host, run, spec, output_fd);
        if (output_fd >= 0) {
            close(output_fd);
        }
    }
    run->started_at = run->phase_at = now;
    if (why != 0) {
        close_output(run);
        fail(host, run, why);
        run->state = CHIRR_RUN_ENDED;
        return;
    }
    host->counters.started++;
    run->state = CHIRR_RUN_RUNNING;
    run->due_at = now + chirr_time_from_ms(spec->time_limit_ms);
    run->switch_at = host->config.cpu_permille < 1000 ? now + slice_of(host) : CHIRR_TIME_NEVER;
}

/* ---- CPU share ------------------------------------------------------------------------------- */

/* Running r of every r + s is a share of p when s = r (1 - p) / p. A pause that became longer than
 * asked for is given back in the next slice, at most doubling it. */
static void switch_phase(const struct chirr_run_host *host, struct chirr_run *run,
                         chirr_time_us now)
{
    int64_t share = host->config.cpu_permille, rest = 1000 - share;
    chirr_time_us lasted = now - run->phase_at;
    chirr_time_us late = now - run->switch_at;
    run->paused = !run->paused;
    run->phase_at = now;
    if (run->paused) {
        chirr_child_signal(&run->child, SIGSTOP);
        run->switch_at = now + lasted * rest / share;
    } else {
        chirr_child_signal(&run->child, SIGCONT);
        chirr_time_us slice = slice_of(host);
        run->switch_at = now + slice + chirr_time_min(slice, late * share / rest);
    }
}

/* ---- Ending ---------------------------------------------------------------------------------- */

void chirr_run_terminate(struct chirr_run_host *host, struct chirr_run *run, chirr_time_us now)
{
    if (run->state != CHIRR_RUN_RUNNING) {
        return;
    }
    chirr_child_signal(&run->child, SIGTERM);
    chirr_child_signal(&run->child, SIGCONT); /* a stopped one would not hear of it */
    run->paused = false;
    run->switch_at = CHIRR_TIME_NEVER;
    run->due_at = now + chirr_time_from_ms(host->config.grace_ms);
    run->state = CHIRR_RUN_TERMINATING;
}

static void signal_what_is_due(struct chirr_run_host *host, struct chirr_run *run,
                               chirr_time_us now)
{
    if (now < run->due_at) {
        return;
    }
    if (run->state == CHIRR_RUN_RUNNING) {
        run->timed_out = true;
        chirr_run_terminate(host, run, now);
    } else if (run->state == CHIRR_RUN_TERMINATING) {
        host->counters.killed++;
        chirr_child_signal(&run->child, SIGKILL);
        run->due_at = CHIRR_TIME_NEVER;
        run->state = CHIRR_RUN_KILLED;
    }
}

/* The group first, then the guard, then the child: as long as it is a zombie its id is its own. */
static int release(struct chirr_run_host *host, struct chirr_run *run)
{
    chirr_child_signal(&run->child, SIGKILL);
    if (!chirr_guard_forget(host->guard.fd, run->child.pid)) {
        host->counters.guard_failures++;
    }
    drain(host, run, LAST_DRAIN_BYTES_MAX);
    close_output(run);
    return chirr_child_reap(&run->child);
}

static void end(struct chirr_run_host *host, struct chirr_run *run, const siginfo_t *how,
                chirr_time_us now)
{
    int why = release(host, run);
    run->state = CHIRR_RUN_ENDED;
    result_output(run);
    if (why != 0) {
        fail(host, run, why);
        return;
    }
    bool exited = how->si_code == CLD_EXITED;
    host->counters.timeouts += run->timed_out;
    host->counters.stopped += run->stopped;
    run->result.end = run->timed_out ? CHIRR_TASK_END_TIMEOUT
                      : exited       ? CHIRR_TASK_END_EXITED
                                     : CHIRR_TASK_END_SIGNALLED;
    run->result.code = how->si_status;
    run->result.duration_us = (uint64_t)(now - run->started_at);
}

void chirr_run_step(struct chirr_run_host *host, struct chirr_run *run, chirr_time_us now)
{
    siginfo_t how;
    if (run->state == CHIRR_RUN_FREE || run->state == CHIRR_RUN_ENDED) {
        return;
    }
    drain(host, run, DRAIN_BYTES_MAX);
    if (chirr_child_ended(&run->child, &how)) {
        end(host, run, &how, now);
        return;
    }
    signal_what_is_due(host, run, now);
    if (now >= run->switch_at) {
        switch_phase(host, run, now);
    }
}

chirr_time_us chirr_run_deadline(const struct chirr_run *run)
{
    switch (run->state) {
    case CHIRR_RUN_FREE:
        return CHIRR_TIME_NEVER;
    case CHIRR_RUN_ENDED:
        return 0;
    default:
        return chirr_time_min(run->due_at, run->switch_at);
    }
}

void chirr_run_finish(struct chirr_run_host *host, struct chirr_run *run)
{
    if (run->child.pid > 0) {
        chirr_child_signal(&run->child, SIGKILL);
        chirr_guard_forget(host->guard.fd, run->child.pid);
        chirr_child_kill(&run->child, KILL_MS);
    }
    if (run->state != CHIRR_RUN_FREE) {
        close_output(run);
    }
    run->state = CHIRR_RUN_FREE;
}
