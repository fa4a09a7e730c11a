/* Jobs as child processes: the runs, their slots and what they leave on disk. */
#include "agent/executor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/run.h"

#define SWEEP_US (10 * CHIRR_US_PER_MS)
#define SWEEP_ENTRIES 64u /* removed in one poll at most */

struct chirr_executor {
    struct chirr_run_host host;
    struct chirr_run *runs; /* [slots_max] */
    bool sweep_wanted;
    chirr_time_us sweep_at;
};

struct chirr_executor_config chirr_executor_config_default(void)
{
    return (struct chirr_executor_config){.slots_max = 1,
                                          .cpu_permille = 1000,
                                          .output_bytes_max = 1024 * 1024,
                                          .kept_runs_max = 64,
                                          .grace_ms = 1000,
                                          .nice = 5};
}

/* ---- Creation -------------------------------------------------------------------------------- */

static enum chirr_err validate(const struct chirr_executor_config *config,
                               struct chirr_error *error)
{
    bool in_range = config->slots_max >= 1 && config->slots_max <= CHIRR_EXECUTOR_SLOTS_MAX &&
                    config->cpu_permille >= 10 && config->cpu_permille <= 1000 &&
                    config->nice >= 0 && config->nice <= 19;
    if (!in_range) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "executor: %u slots (1…%d), %u ‰ of a CPU (10…1000), nice %d (0…19)",
                               config->slots_max, CHIRR_EXECUTOR_SLOTS_MAX, config->cpu_permille,
                               config->nice);
    }
    struct sigaction child;
    if (sigaction(SIGCHLD, NULL, &child) == 0 &&
        (child.sa_handler == SIG_IGN || (child.sa_flags & SA_NOCLDWAIT))) {
        return chirr_error_set(error, CHIRR_ERR_STATE,
                               "executor: SIGCHLD is ignored here, so how jobs end would be lost; "
                               "restore its default");
    }
    return CHIRR_OK;
}

/* Absolute, since jobs run elsewhere. */
static enum chirr_err open_directory(struct chirr_run_host *host, struct chirr_error *error)
{
    char *config_dir = host->config.state_dir;
    char *absolute = realpath(config_dir, NULL);
    if (absolute == NULL || strlen(absolute) >= sizeof host->config.state_dir) {
        int why = absolute == NULL ? errno : ENAMETOOLONG;
        free(absolute);
        return chirr_error_set(error, CHIRR_ERR_IO, "%.300s: %s; the state directory must exist",
                               config_dir, strerror(why));
    }
    strcpy(config_dir, absolute);
    free(absolute);
    int state_fd = open(config_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (state_fd >= 0 && (mkdirat(state_fd, "runs", 0700) == 0 || errno == EEXIST)) {
        host->runs_fd = openat(state_fd, "runs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    int why = errno;
    if (state_fd >= 0) {
        close(state_fd);
    }
    return host->runs_fd >= 0 ? CHIRR_OK
                              : chirr_error_set(error, CHIRR_ERR_IO,
                                                "%.300s/runs: %s; it must be a directory that can "
                                                "be written to",
                                                config_dir, strerror(why));
}

static enum chirr_err open_executor(struct chirr_executor *executor, struct chirr_error *error)
{
    struct chirr_run_host *host = &executor->host;
    executor->runs = calloc(host->config.slots_max, sizeof *executor->runs);
    host->chunk = malloc(CHIRR_RUN_CHUNK_BYTES);
    if (executor->runs == NULL || host->chunk == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "executor: out of memory");
    }
    enum chirr_err err = open_directory(host, error);
    if (err != CHIRR_OK) {
        return err;
    }
    int why = chirr_guard_start(&host->guard);
    return why == 0 ? CHIRR_OK
                    : chirr_error_set(error, CHIRR_ERR_IO, "executor: no process for the guard: %s",
                                      strerror(why));
}

struct chirr_executor *chirr_executor_create(const struct chirr_executor_config *config,
                                             struct chirr_error *error)
{
    if (validate(config, error) != CHIRR_OK) {
        return NULL;
    }
    struct chirr_executor *executor = calloc(1, sizeof *executor);
    if (executor == NULL) {
        chirr_error_set(error, CHIRR_ERR_NOMEM, "executor: out of memory");
        return NULL;
    }
    executor->host.config = *config;
    executor->host.runs_fd = -1;
    executor->sweep_wanted = true;
    if (open_executor(executor, error) != CHIRR_OK) {
        chirr_executor_destroy(executor);
        return NULL;
    }
    return executor;
}

void chirr_executor_destroy(struct chirr_executor *executor)
{
    if (executor == NULL) {
        return;
    }
    struct chirr_run_host *host = &executor->host;
    uint32_t slots = executor->runs == NULL ? 0 : host->config.slots_max;
    for (uint32_t i = 0; i < slots; i++) { /* all at once, then each is waited for */
        if (executor->runs[i].child.pid > 0) {
            chirr_child_signal(&executor->runs[i].child, SIGKILL);
        }
    }
    for (uint32_t i = 0; i < slots; i++) {
        chirr_run_finish(host, &executor->runs[i]);
    }
    chirr_guard_finish(&host->guard);
    if (host->runs_fd >= 0) {
        close(host->runs_fd);
    }
    free(host->chunk);
    free(executor->runs);
    free(executor);
}

/* ---- Slots ----------------------------------------------------------------------------------- */

static struct chirr_run *find(const struct chirr_executor *executor, chirr_task_id task,
                              uint32_t epoch)
{
    for (uint32_t i = 0; i < executor->host.config.slots_max; i++) {
        struct chirr_run *run = &executor->runs[i];
        if (run->state != CHIRR_RUN_FREE && run->task == task && run->epoch == epoch) {
            return run;
        }
    }
    return NULL;
}

enum chirr_err chirr_executor_start(struct chirr_executor *executor, chirr_task_id task,
                                    uint32_t epoch, const struct chirr_task_spec *spec,
                                    chirr_time_us now)
{
    struct chirr_run_host *host = &executor->host;
    if (find(executor, task, epoch) != NULL) {
        return CHIRR_ERR_EXISTS;
    }
    for (uint32_t i = 0; i < host->config.slots_max; i++) {
        struct chirr_run *run = &executor->runs[i];
        if (run->state == CHIRR_RUN_FREE) {
            *run = (struct chirr_run){.task = task, .epoch = epoch, .pipe_fd = -1, .file_fd = -1};
            host->counters.running++;
            chirr_run_start(host, run, spec, now);
            return CHIRR_OK;
        }
    }
    host->counters.refused_full++;
    return CHIRR_ERR_FULL;
}

enum chirr_err chirr_executor_stop(struct chirr_executor *executor, chirr_task_id task,
                                   uint32_t epoch, chirr_time_us now)
{
    struct chirr_run *run = find(executor, task, epoch);
    if (run == NULL) {
        return CHIRR_ERR_NOTFOUND;
    }
    if (run->state == CHIRR_RUN_RUNNING) {
        run->stopped = true;
        chirr_run_terminate(&executor->host, run, now);
    }
    return CHIRR_OK;
}

/* ---- Old directories ------------------------------------------------------------------------- */

struct survey {
    uint32_t count;
    char oldest[CHIRR_RUN_NAME_BYTES_MAX];
    struct timespec oldest_at;
};

static bool is_in_use(const struct chirr_executor *executor, const char *name)
{
    for (uint32_t i = 0; i < executor->host.config.slots_max; i++) {
        const struct chirr_run *run = &executor->runs[i];
        char used[CHIRR_RUN_NAME_BYTES_MAX];
        chirr_run_name(run->task, run->epoch, used);
        if (run->state != CHIRR_RUN_FREE && strcmp(used, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_older(const struct stat *status, const struct survey *survey)
{
    struct timespec a = status->st_mtim, b = survey->oldest_at;
    return survey->count == 0 || a.tv_sec < b.tv_sec ||
           (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/* Directories of ended runs; whatever else somebody put there is left alone. */
static void survey_runs(const struct chirr_executor *executor, struct survey *survey)
{
    int fd = openat(executor->host.runs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *runs = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *entry; runs != NULL && (entry = readdir(runs)) != NULL;) {
        struct stat status;
        bool named_so = strlen(entry->d_name) < CHIRR_RUN_NAME_BYTES_MAX &&
                        strspn(entry->d_name, "0123456789abcdef") == 16 && entry->d_name[16] == '-';
        if (!named_so || is_in_use(executor, entry->d_name) ||
            fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        if (is_older(&status, survey)) {
            strcpy(survey->oldest, entry->d_name);
            survey->oldest_at = status.st_mtim;
        }
        survey->count++;
    }
    if (runs != NULL) {
        closedir(runs);
    }
}

/* One small step. What cannot be removed is made the youngest, so that others get their turn, and
 * is tried again after the next run. */
static void sweep(struct chirr_executor *executor, chirr_time_us now)
{
    struct survey survey = {0};
    unsigned budget = SWEEP_ENTRIES;
    survey_runs(executor, &survey);
    executor->sweep_at = now + SWEEP_US;
    if (survey.count <= executor->host.config.kept_runs_max) {
        executor->sweep_wanted = false;
        return;
    }
    if (chirr_run_remove_directory(executor->host.runs_fd, survey.oldest, &budget)) {
        executor->host.counters.directories_removed++;
    } else if (budget > 0) {
        utimensat(executor->host.runs_fd, survey.oldest, NULL, AT_SYMLINK_NOFOLLOW);
        executor->sweep_wanted = false;
    } else {
        /* More of it next time; deleting has made it the youngest: put it back. */
        struct timespec times[2] = {survey.oldest_at, survey.oldest_at};
        utimensat(executor->host.runs_fd, survey.oldest, times, AT_SYMLINK_NOFOLLOW);
    }
}

/* ---- Polling --------------------------------------------------------------------------------- */

bool chirr_executor_poll(struct chirr_executor *executor, chirr_time_us now,
                         struct chirr_executor_ended *ended)
{
    struct chirr_run_host *host = &executor->host;
    if (executor->sweep_wanted && now >= executor->sweep_at) {
        sweep(executor, now);
    }
    struct chirr_run *first = NULL;
    for (uint32_t i = 0; i < host->config.slots_max; i++) {
        struct chirr_run *run = &executor->runs[i];
        chirr_run_step(host, run, now);
        if (first == NULL && run->state == CHIRR_RUN_ENDED) {
            first = run;
        }
    }
    if (first == NULL) {
        return false;
    }
    *ended = (struct chirr_executor_ended){.task = first->task,
                                           .epoch = first->epoch,
                                           .stopped = first->stopped,
                                           .result = first->result};
    first->state = CHIRR_RUN_FREE;
    host->counters.running--;
    host->counters.ended++;
    executor->sweep_wanted = true;
    return true;
}

chirr_time_us chirr_executor_deadline(const struct chirr_executor *executor)
{
    chirr_time_us at = executor->sweep_wanted ? executor->sweep_at : CHIRR_TIME_NEVER;
    for (uint32_t i = 0; i < executor->host.config.slots_max; i++) {
        at = chirr_time_min(at, chirr_run_deadline(&executor->runs[i]));
    }
    return at;
}

size_t chirr_executor_fds(const struct chirr_executor *executor, int *fds, size_t capacity)
{
    size_t count = 0;
    for (uint32_t i = 0; i < executor->host.config.slots_max; i++) {
        const struct chirr_run *run = &executor->runs[i];
        if (run->child.pid > 0 && count < capacity) {
            fds[count++] = run->child.pid_fd;
        }
        if (run->child.pid > 0 && run->pipe_fd >= 0 && count < capacity) {
            fds[count++] = run->pipe_fd;
        }
    }
    return count;
}

const struct chirr_executor_counters *chirr_executor_count(const struct chirr_executor *executor)
{
    return &executor->host.counters;
}
