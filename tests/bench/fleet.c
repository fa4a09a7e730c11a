/* The side of a fleet that measures: files and keys, forking, waiting, cleaning up. */
#include "tests/bench/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/provision.h"
#include "tests/bench/fleet_page.h"

#define LOOK_US 2000
#define CHECK_US (50 * CHIRR_US_PER_MS) /* whether all is well; costs more than a look */
#define PORT_PUBLISH 7701
#define PORT_UNICAST 7702
#define END_MS_MAX 5000
#define GATHER_MS_MAX 60000
#define FREE_BYTES_MIN ((uint64_t)512 * 1024 * 1024) /* in memory, or the disk is taken */

struct chirr_bench_fleet {
    char directory[64];
    uint32_t count;
    pid_t *pids;                       /* [count]; 0: killed, or not started */
    chirr_agent_id *ids;               /* [count] */
    struct chirr_identity *identities; /* [count]; wiped when all are forked */
    struct chirr_agent_config *config; /* of the agent that is forked next */
    struct chirr_bench_head *head;     /* shared */
    struct chirr_bench_page *pages;    /* [count], shared, behind the head */
    int start_fds[2];                  /* closing the second lets everybody go */
    uint32_t submitter;
    uint32_t task_count; /* submitted */
    struct sigaction interrupt_before, terminate_before;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    interrupted = 1;
}

/* ---- Files and keys -------------------------------------------------------------------------- */

static bool has_room(const char *path)
{
    struct statvfs status;
    return access(path, W_OK) == 0 && statvfs(path, &status) == 0 &&
           (uint64_t)status.f_bavail * status.f_frsize >= FREE_BYTES_MIN;
}

static enum chirr_err make_directory(struct chirr_bench_fleet *fleet, struct chirr_error *error)
{
    const char *parent = has_room("/dev/shm") ? "/dev/shm" : "/tmp";
    snprintf(fleet->directory, sizeof fleet->directory, "%s/chirr-bench-XXXXXX", parent);
    if (mkdtemp(fleet->directory) == NULL) {
        enum chirr_err err = chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be made: %s",
                                             fleet->directory, strerror(errno));
        fleet->directory[0] = '\0';
        return err;
    }
    return CHIRR_OK;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    return remove(path);
}

static enum chirr_err make_identity(struct chirr_bench_fleet *fleet, uint32_t index,
                                    struct chirr_keyring *keyring, struct chirr_error *error)
{
    char path[128];
    struct chirr_identity *identity = &fleet->identities[index];
    snprintf(path, sizeof path, "%s/%u", fleet->directory, index);
    enum chirr_err err = chirr_provision_directory(path, error);
    if (err == CHIRR_OK) {
        snprintf(path, sizeof path, "%s/%u/identity", fleet->directory, index);
        err = chirr_identity_create_file(path, identity, error);
    }
    fleet->ids[index] = identity->id;
    return err == CHIRR_OK ? chirr_keyring_add(keyring, identity->public_key, NULL) : err;
}

static enum chirr_err make_identities(struct chirr_bench_fleet *fleet, struct chirr_error *error)
{
    char path[128];
    snprintf(path, sizeof path, "%s/keyring", fleet->directory);
    struct chirr_keyring *keyring = chirr_keyring_create();
    if (keyring == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "%s: out of memory", path);
    }
    enum chirr_err err = CHIRR_OK;
    for (uint32_t i = 0; err == CHIRR_OK && i < fleet->count; i++) {
        err = make_identity(fleet, i, keyring, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_keyring_save(keyring, path, error);
    }
    chirr_keyring_destroy(keyring);
    return err;
}

/* An address of its own for each, which another fleet on this machine does not have. */
static void format_endpoint(char text[CHIRR_ENDPOINT_BYTES_MAX], uint32_t index, unsigned port)
{
    unsigned pid = (unsigned)getpid();
    snprintf(text, CHIRR_ENDPOINT_BYTES_MAX, "tcp://127.%u.%u.%u:%u", 1 + (pid >> 8) % 254,
             pid & 255, index + 1, port);
}

static void fill_seed(const struct chirr_bench_fleet *fleet, uint32_t index,
                      struct chirr_card *seed)
{
    memset(seed, 0, sizeof *seed);
    memcpy(seed->public_key, fleet->identities[index].public_key, sizeof seed->public_key);
    snprintf(seed->name, sizeof seed->name, "a%u", index);
    format_endpoint(seed->publish_endpoint, index, PORT_PUBLISH);
    format_endpoint(seed->unicast_endpoint, index, PORT_UNICAST);
}

static void fill_config(struct chirr_bench_fleet *fleet, uint32_t index)
{
    struct chirr_agent_config *config = fleet->config;
    *config = chirr_agent_config_default();
    snprintf(config->name, sizeof config->name, "a%u", index);
    strcpy(config->swarm, "bench");
    snprintf(config->state_dir, sizeof config->state_dir, "%s/%u", fleet->directory, index);
    snprintf(config->runtime_dir, sizeof config->runtime_dir, "%s/%u", fleet->directory, index);
    snprintf(config->keyring, sizeof config->keyring, "%s/keyring", fleet->directory);
    config->model = false;
    format_endpoint(config->transport.publish_bind, index, PORT_PUBLISH);
    format_endpoint(config->transport.unicast_bind, index, PORT_UNICAST);
    uint32_t distance;
    for (uint32_t k = 0; (distance = chirr_provision_seed_distance(k, fleet->count)) > 0; k++) {
        fill_seed(fleet, (index + distance) % fleet->count,
                  &config->node.seeds[config->node.seed_count++]);
    }
}

/* ---- Life ------------------------------------------------------------------------------------ */

static enum chirr_err map_pages(struct chirr_bench_fleet *fleet, struct chirr_error *error)
{
    size_t bytes = sizeof *fleet->head + fleet->count * sizeof *fleet->pages;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory to share: %s", strerror(errno));
    }
    fleet->head = memory;
    fleet->pages = (struct chirr_bench_page *)(fleet->head + 1);
    atomic_store(&fleet->head->live_count, fleet->count);
    return CHIRR_OK;
}

static enum chirr_err fork_agent(struct chirr_bench_fleet *fleet, uint32_t index,
                                 struct chirr_error *error)
{
    pid_t parent = getpid();
    fill_config(fleet, index);
    pid_t pid = fork();
    if (pid < 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "agent %u cannot be forked: %s", index,
                               strerror(errno));
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
        close(fleet->start_fds[1]);
        const struct chirr_bench_post post = {fleet->config, fleet->start_fds[0], fleet->head,
                                              &fleet->pages[index]};
        chirr_bench_fleet_agent(&post);
    }
    fleet->pids[index] = pid;
    return CHIRR_OK;
}

/* What agents leave behind (the guards of jobs) becomes this process's to wait for. */
static void take_charge(struct chirr_bench_fleet *fleet)
{
    const struct sigaction action = {.sa_handler = interrupt};
    interrupted = 0;
    sigaction(SIGINT, &action, &fleet->interrupt_before);
    sigaction(SIGTERM, &action, &fleet->terminate_before);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    fflush(NULL); /* or children would inherit what is not written yet */
}

static enum chirr_err open_fleet(struct chirr_bench_fleet *fleet, struct chirr_error *error)
{
    enum chirr_err err = make_directory(fleet, error);
    if (err == CHIRR_OK) {
        err = make_identities(fleet, error);
    }
    if (err == CHIRR_OK) {
        err = map_pages(fleet, error);
    }
    if (err == CHIRR_OK && pipe2(fleet->start_fds, O_CLOEXEC) != 0) {
        fleet->start_fds[0] = fleet->start_fds[1] = -1;
        err = chirr_error_set(error, CHIRR_ERR_IO, "no pipe: %s", strerror(errno));
    }
    for (uint32_t i = 0; err == CHIRR_OK && i < fleet->count; i++) {
        err = fork_agent(fleet, i, error);
    }
    for (uint32_t i = 0; i < fleet->count; i++) {
        chirr_identity_wipe(&fleet->identities[i]);
    }
    return err;
}

struct chirr_bench_fleet *chirr_bench_fleet_create(uint32_t agent_count, struct chirr_error *error)
{
    CHIRR_ASSERT(agent_count >= 2);
    CHIRR_ASSERT(agent_count <= CHIRR_BENCH_FLEET_AGENTS_MAX);
    struct chirr_bench_fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL) {
        chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for a fleet");
        return NULL;
    }
    fleet->count = agent_count;
    fleet->start_fds[0] = fleet->start_fds[1] = -1;
    fleet->pids = calloc(agent_count, sizeof *fleet->pids);
    fleet->ids = calloc(agent_count, sizeof *fleet->ids);
    fleet->identities = calloc(agent_count, sizeof *fleet->identities);
    fleet->config = calloc(1, sizeof *fleet->config);
    take_charge(fleet);
    bool complete = fleet->pids != NULL && fleet->ids != NULL && fleet->identities != NULL &&
                    fleet->config != NULL;
    enum chirr_err err = complete
                             ? open_fleet(fleet, error)
                             : chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for a fleet");
    if (err != CHIRR_OK) {
        chirr_bench_fleet_destroy(fleet);
        return NULL;
    }
    return fleet;
}

/* Agents are waited for by their ids, then whoever they left to this process. */
static void reap_all(struct chirr_bench_fleet *fleet)
{
    for (uint32_t i = 0; fleet->pids != NULL && i < fleet->count; i++) {
        if (fleet->pids[i] != 0) {
            kill(fleet->pids[i], SIGKILL);
        }
    }
    for (uint32_t i = 0; fleet->pids != NULL && i < fleet->count; i++) {
        while (fleet->pids[i] != 0 && waitpid(fleet->pids[i], NULL, 0) < 0 && errno == EINTR) {
        }
    }
    chirr_time_us until = chirr_clock_now() + chirr_time_from_ms(END_MS_MAX);
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0 && chirr_clock_now() < until) {
        if (pid == 0) {
            usleep(LOOK_US);
        }
    }
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

void chirr_bench_fleet_destroy(struct chirr_bench_fleet *fleet)
{
    if (fleet == NULL) {
        return;
    }
    reap_all(fleet);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    close_fd(&fleet->start_fds[0]);
    close_fd(&fleet->start_fds[1]);
    if (fleet->head != NULL) {
        munmap(fleet->head, sizeof *fleet->head + fleet->count * sizeof *fleet->pages);
    }
    if (fleet->directory[0] != '\0') {
        nftw(fleet->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    sigaction(SIGINT, &fleet->interrupt_before, NULL);
    sigaction(SIGTERM, &fleet->terminate_before, NULL);
    free(fleet->config);
    free(fleet->identities);
    free(fleet->ids);
    free(fleet->pids);
    free(fleet);
}

/* ---- What is done to it ---------------------------------------------------------------------- */

chirr_time_us chirr_bench_fleet_start(struct chirr_bench_fleet *fleet)
{
    chirr_time_us now = chirr_clock_now();
    close_fd(&fleet->start_fds[1]);
    return now;
}

uint32_t chirr_bench_fleet_count(const struct chirr_bench_fleet *fleet)
{
    return fleet->count;
}

pid_t chirr_bench_fleet_pid(const struct chirr_bench_fleet *fleet, uint32_t index)
{
    CHIRR_ASSERT(index < fleet->count);
    return fleet->pids[index];
}

chirr_time_us chirr_bench_fleet_kill(struct chirr_bench_fleet *fleet, uint32_t index)
{
    CHIRR_ASSERT(index < fleet->count);
    CHIRR_ASSERT(fleet->pids[index] != 0);
    atomic_store(&fleet->head->victim, fleet->ids[index]);
    atomic_fetch_sub(&fleet->head->live_count, 1);
    chirr_time_us now = chirr_clock_now();
    kill(fleet->pids[index], SIGKILL);
    while (waitpid(fleet->pids[index], NULL, 0) < 0 && errno == EINTR) {
    }
    fleet->pids[index] = 0;
    return now;
}

void chirr_bench_fleet_submit(struct chirr_bench_fleet *fleet, uint32_t index,
                              uint32_t record_bytes)
{
    CHIRR_ASSERT(index < fleet->count);
    CHIRR_ASSERT(fleet->pids[index] != 0);
    CHIRR_ASSERT(fleet->task_count < CHIRR_BENCH_FLEET_TASKS_MAX);
    struct chirr_bench_page *page = &fleet->pages[index];
    fleet->submitter = index;
    fleet->task_count++;
    atomic_store(&page->record_bytes, record_bytes);
    atomic_store(&page->submit_us, 0);
    atomic_fetch_add(&page->submits_wanted, 1);
    kill(fleet->pids[index], SIGUSR1);
}

/* ---- What has happened ----------------------------------------------------------------------- */

static int compare_times(const void *a, const void *b)
{
    chirr_time_us left = *(const chirr_time_us *)a;
    chirr_time_us right = *(const chirr_time_us *)b;
    return (left > right) - (left < right);
}

/* `when` reads a page: 0 while it has not happened there. */
static struct chirr_bench_moment moment_of(const struct chirr_bench_fleet *fleet,
                                           chirr_time_us (*when)(const struct chirr_bench_fleet *,
                                                                 uint32_t index))
{
    chirr_time_us times[CHIRR_BENCH_FLEET_AGENTS_MAX];
    struct chirr_bench_moment moment = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < fleet->count; i++) {
        if (fleet->pids[i] != 0) {
            times[count] = when(fleet, i);
            moment.missing += times[count] == 0;
            count++;
        }
    }
    qsort(times, count, sizeof *times, compare_times);
    if (count > 0) {
        moment.last_us = times[count - 1];
        moment.half_us = moment.missing == 0 ? times[count / 2] : 0;
    }
    return moment;
}

static chirr_time_us bound_at(const struct chirr_bench_fleet *fleet, uint32_t index)
{
    return atomic_load(&fleet->pages[index].bound_us);
}

static chirr_time_us complete_at(const struct chirr_bench_fleet *fleet, uint32_t index)
{
    return atomic_load(&fleet->pages[index].complete_us);
}

static chirr_time_us certain_at(const struct chirr_bench_fleet *fleet, uint32_t index)
{
    return atomic_load(&fleet->pages[index].certain_us);
}

static chirr_time_us told_at(const struct chirr_bench_fleet *fleet, uint32_t index)
{
    const struct chirr_bench_page *page = &fleet->pages[index];
    bool is_told = atomic_load(&page->dead) == atomic_load(&fleet->head->victim);
    return is_told ? atomic_load(&page->dead_us) : 0;
}

static chirr_time_us received_at(const struct chirr_bench_fleet *fleet, uint32_t index)
{
    if (index == fleet->submitter) {
        return chirr_bench_fleet_submitted(fleet);
    }
    return atomic_load(&fleet->pages[index].task_us[fleet->task_count - 1]);
}

struct chirr_bench_moment chirr_bench_fleet_bound(const struct chirr_bench_fleet *fleet)
{
    return moment_of(fleet, bound_at);
}

struct chirr_bench_moment chirr_bench_fleet_complete(const struct chirr_bench_fleet *fleet)
{
    return moment_of(fleet, complete_at);
}

struct chirr_bench_moment chirr_bench_fleet_certain(const struct chirr_bench_fleet *fleet)
{
    return moment_of(fleet, certain_at);
}

struct chirr_bench_moment chirr_bench_fleet_told(const struct chirr_bench_fleet *fleet)
{
    return moment_of(fleet, told_at);
}

struct chirr_bench_moment chirr_bench_fleet_received(const struct chirr_bench_fleet *fleet)
{
    CHIRR_ASSERT(fleet->task_count > 0);
    return moment_of(fleet, received_at);
}

chirr_time_us chirr_bench_fleet_submitted(const struct chirr_bench_fleet *fleet)
{
    return atomic_load(&fleet->pages[fleet->submitter].submit_us);
}

uint32_t chirr_bench_fleet_alive_max(const struct chirr_bench_fleet *fleet)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < fleet->count; i++) {
        uint32_t alive = fleet->pids[i] == 0 ? 0 : atomic_load(&fleet->pages[i].alive);
        most = alive > most ? alive : most;
    }
    return most;
}

uint32_t chirr_bench_fleet_suspicions(const struct chirr_bench_fleet *fleet)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < fleet->count; i++) {
        sum += fleet->pids[i] == 0 ? 0 : atomic_load(&fleet->pages[i].suspected);
    }
    return sum;
}

double chirr_bench_fleet_cpu_s(const struct chirr_bench_fleet *fleet)
{
    double seconds = 0;
    for (uint32_t i = 0; i < fleet->count; i++) {
        clockid_t clock;
        struct timespec used;
        if (fleet->pids[i] != 0 && clock_getcpuclockid(fleet->pids[i], &clock) == 0 &&
            clock_gettime(clock, &used) == 0) {
            seconds += (double)used.tv_sec + (double)used.tv_nsec / 1e9;
        }
    }
    return seconds;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static enum chirr_err check(const struct chirr_bench_fleet *fleet, struct chirr_error *error)
{
    if (interrupted) {
        return chirr_error_set(error, CHIRR_ERR_CANCELLED, "interrupted");
    }
    for (uint32_t i = 0; i < fleet->count; i++) {
        siginfo_t ended = {0};
        if (fleet->pids[i] != 0 &&
            waitid(P_PID, (id_t)fleet->pids[i], &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            ended.si_pid != 0) {
            return chirr_error_set(error, CHIRR_ERR_STATE, "agent %u ended: %.400s (%s %d)", i,
                                   fleet->pages[i].error.text,
                                   ended.si_code == CLD_EXITED ? "code" : "signal",
                                   ended.si_status);
        }
    }
    return CHIRR_OK;
}

/* A signal that comes just before the agent goes to sleep is lost: again. */
static void wake_submitter(const struct chirr_bench_fleet *fleet)
{
    const struct chirr_bench_page *page = &fleet->pages[fleet->submitter];
    if (atomic_load(&page->submits_done) < atomic_load(&page->submits_wanted) &&
        fleet->pids[fleet->submitter] != 0) {
        kill(fleet->pids[fleet->submitter], SIGUSR1);
    }
}

enum chirr_err chirr_bench_fleet_wait(struct chirr_bench_fleet *fleet, chirr_bench_fleet_look look,
                                      uint32_t timeout_ms, struct chirr_error *error)
{
    chirr_time_us now = chirr_clock_now();
    chirr_time_us until = now + chirr_time_from_ms(timeout_ms);
    chirr_time_us check_at = now;
    enum chirr_err err = CHIRR_OK;
    struct chirr_bench_moment moment;
    while ((moment = look(fleet)).missing > 0 && err == CHIRR_OK) {
        usleep(LOOK_US);
        now = chirr_clock_now();
        if (now >= check_at) {
            check_at = now + CHECK_US;
            err = check(fleet, error);
            wake_submitter(fleet);
        }
        if (now >= until && err == CHIRR_OK) {
            err = chirr_error_set(error, CHIRR_ERR_TIMEOUT, "not so for %u of %u agents after %u s",
                                  moment.missing, atomic_load(&fleet->head->live_count),
                                  timeout_ms / 1000);
        }
    }
    return err;
}

enum chirr_err chirr_bench_fleet_rest(struct chirr_bench_fleet *fleet, uint32_t milliseconds,
                                      struct chirr_error *error)
{
    chirr_time_us until = chirr_clock_now() + chirr_time_from_ms(milliseconds);
    enum chirr_err err;
    while ((err = check(fleet, error)) == CHIRR_OK && chirr_clock_now() < until) {
        usleep(20 * LOOK_US);
    }
    return err;
}

enum chirr_err chirr_bench_fleet_gather(uint32_t agent_count, uint32_t rest_ms,
                                        struct chirr_bench_fleet **fleet, struct chirr_error *error)
{
    *fleet = chirr_bench_fleet_create(agent_count, error);
    if (*fleet == NULL) {
        return error->code;
    }
    chirr_bench_fleet_start(*fleet);
    enum chirr_err err =
        chirr_bench_fleet_wait(*fleet, chirr_bench_fleet_complete, GATHER_MS_MAX, error);
    if (err == CHIRR_OK) {
        err = chirr_bench_fleet_rest(*fleet, rest_ms, error);
    }
    if (err != CHIRR_OK) {
        chirr_bench_fleet_destroy(*fleet);
        *fleet = NULL;
    }
    return err;
}
