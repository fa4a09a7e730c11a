#include "agent/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/child.h"
#include "agent/clock.h"
#include "agent/control.h"
#include "agent/provision.h"

/* A dead agent pauses this long, twice as long after each early death. */
#define PAUSE_US (3 * CHIRR_US_PER_S)
#define EARLY_DEATH_US (10 * CHIRR_US_PER_S)
#define EARLY_DEATHS_MAX 5

/* One loop asks all agents, so that each wait holds up everything else. */
#define STATUS_TIMEOUT_MS 500
#define PROBE_TIMEOUT_MS 200 /* of one that starts or is silent */
/* A silent agent is left alone this long, twice as long after each probe in vain. */
#define SILENCE_US (250 * CHIRR_US_PER_MS)
#define SILENCE_DOUBLINGS_MAX 4
#define SILENCE_TOLD 2 /* requests without an answer; one alone may be chance */
#define STOP_TIMEOUT_MS 1000
#define STOP_GRACE_MS 8000
#define TERM_GRACE_MS 4000
#define ORPHAN_GRACE_MS 1500

struct chirr_launcher {
    struct chirr_fleet_config *fleet;
    int swarm_lock, state_lock;
    bool stopping;
    uint64_t event_count;
    struct chirr_launcher_event events[CHIRR_LAUNCHER_EVENTS_MAX];
    struct chirr_launched agents[CHIRR_FLEET_AGENTS_MAX];
};

/* ---- Events ---------------------------------------------------------------------------------- */

void chirr_launcher_note(struct chirr_launcher *launcher, const char *format, ...)
{
    struct chirr_launcher_event *event =
        &launcher->events[launcher->event_count++ % CHIRR_LAUNCHER_EVENTS_MAX];
    event->at_us = chirr_clock_now();
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(event->text, sizeof event->text, format, arguments);
    va_end(arguments);
}

const struct chirr_launcher_event *chirr_launcher_event(const struct chirr_launcher *launcher,
                                                        uint64_t index)
{
    if (index >= launcher->event_count ||
        index + CHIRR_LAUNCHER_EVENTS_MAX < launcher->event_count) {
        return NULL;
    }
    return &launcher->events[index % CHIRR_LAUNCHER_EVENTS_MAX];
}

uint64_t chirr_launcher_event_count(const struct chirr_launcher *launcher)
{
    return launcher->event_count;
}

/* ---- Locks ----------------------------------------------------------------------------------- */

/* The lock goes with the process, however that ends. */
static enum chirr_err take_lock(const char *directory, const char *name, int *lock,
                                struct chirr_error *error)
{
    char path[CHIRR_PATH_BYTES_MAX + 64];
    snprintf(path, sizeof path, "%s/%s.lock", directory, name);
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*lock < 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be opened: %s", path,
                               strerror(errno));
    }
    if (flock(*lock, LOCK_EX | LOCK_NB) == 0) {
        return CHIRR_OK;
    }
    return errno == EWOULDBLOCK ? CHIRR_ERR_BUSY
                                : chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be locked: %s",
                                                  path, strerror(errno));
}

static enum chirr_err take_locks(struct chirr_launcher *launcher, struct chirr_error *error)
{
    const struct chirr_fleet_config *fleet = launcher->fleet;
    const char *runtime_dir = fleet->agents[0].runtime_dir;
    enum chirr_err err = chirr_provision_directory(runtime_dir, error);
    if (err == CHIRR_OK) {
        err = chirr_provision_directory(fleet->state_dir, error);
    }
    if (err != CHIRR_OK) {
        return err;
    }
    err = take_lock(runtime_dir, fleet->swarm, &launcher->swarm_lock, error);
    if (err == CHIRR_ERR_BUSY) {
        return chirr_error_set(error, err,
                               "swarm %s is up already on this machine; stop that `chirr up` first "
                               "(Ctrl-C), or give this fleet another `swarm:` name",
                               fleet->swarm);
    }
    if (err != CHIRR_OK) {
        return err;
    }
    err = take_lock(fleet->state_dir, "up", &launcher->state_lock, error);
    if (err == CHIRR_ERR_BUSY) {
        return chirr_error_set(
            error, err,
            "%s: another `chirr up` keeps its state here; stop it first, or give "
            "another directory with --state",
            fleet->state_dir);
    }
    return err;
}

/* ---- Processes ------------------------------------------------------------------------------- */

static void path_of(const struct chirr_launcher *launcher, uint32_t agent, const char *ending,
                    char path[CHIRR_PATH_BYTES_MAX + 64])
{
    snprintf(path, CHIRR_PATH_BYTES_MAX + 64, "%s/%s%s", launcher->fleet->state_dir,
             launcher->fleet->agents[agent].name, ending);
}

static bool runs(const struct chirr_launched *agent)
{
    return agent->state == CHIRR_LAUNCHED_STARTING || agent->state == CHIRR_LAUNCHED_READY;
}

static enum chirr_err start_agent(struct chirr_launcher *launcher, uint32_t index,
                                  struct chirr_error *error)
{
    struct chirr_launched *agent = &launcher->agents[index];
    char config_path[CHIRR_PATH_BYTES_MAX + 64];
    char log_path[CHIRR_PATH_BYTES_MAX + 64];
    path_of(launcher, index, ".yaml", config_path);
    path_of(launcher, index, ".log", log_path);
    if (agent->starts == 0) {
        unlink(log_path);
    }
    const struct chirr_child_spec spec = {config_path, log_path};
    enum chirr_err err = chirr_child_start(&spec, &agent->pid, error);
    if (err != CHIRR_OK) {
        agent->pid = 0;
        return err;
    }
    chirr_snapshot_add_life(&agent->before, &agent->now.totals);
    agent->now = (struct chirr_snapshot){0};
    agent->unanswered = 0;
    agent->silent_us = 0;
    agent->state = CHIRR_LAUNCHED_STARTING;
    agent->started_us = chirr_clock_now();
    if (agent->starts++ > 0) {
        chirr_launcher_note(launcher, "%s is started again", launcher->fleet->agents[index].name);
    }
    return CHIRR_OK;
}

static void describe_end(int status, char *text, size_t capacity)
{
    if (WIFSIGNALED(status)) {
        snprintf(text, capacity, "signal %d, %s", WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        snprintf(text, capacity, "exit code %d", WEXITSTATUS(status));
    }
}

static enum chirr_err never_ready(const struct chirr_launcher *launcher, uint32_t index,
                                  const char *how, struct chirr_error *error)
{
    char log_path[CHIRR_PATH_BYTES_MAX + 64];
    char tail[300];
    path_of(launcher, index, ".log", log_path);
    chirr_child_log_end(log_path, tail, sizeof tail);
    return chirr_error_set(error, CHIRR_ERR_STATE, "agent %s ended as it started (%s): %s",
                           launcher->fleet->agents[index].name, how,
                           tail[0] != '\0' ? tail : "it said nothing");
}

static enum chirr_err agent_ended(struct chirr_launcher *launcher, uint32_t index, int status,
                                  struct chirr_error *error)
{
    struct chirr_launched *agent = &launcher->agents[index];
    chirr_time_us now = chirr_clock_now();
    const char *name = launcher->fleet->agents[index].name;
    char how[64];
    describe_end(status, how, sizeof how);
    agent->pid = 0;
    agent->state = CHIRR_LAUNCHED_ENDED;
    if (launcher->stopping) {
        return CHIRR_OK;
    }
    if (!agent->was_ready) {
        return never_ready(launcher, index, how, error);
    }

    bool early = now - agent->started_us < EARLY_DEATH_US;
    agent->early_deaths = early ? agent->early_deaths + 1 : 0;
    if (!launcher->fleet->restart || agent->early_deaths >= EARLY_DEATHS_MAX) {
        chirr_launcher_note(launcher, "%s ended (%s) and stays down", name, how);
        return CHIRR_OK;
    }
    chirr_time_us pause = PAUSE_US << agent->early_deaths;
    agent->state = CHIRR_LAUNCHED_WAITING;
    agent->restart_us = now + pause;
    chirr_launcher_note(launcher, "%s ended (%s); started again in %d s", name, how,
                        (int)(pause / CHIRR_US_PER_S));
    return CHIRR_OK;
}

/* Children that are no agents were adopted from one that was killed. */
static enum chirr_err reap(struct chirr_launcher *launcher, struct chirr_error *error)
{
    enum chirr_err err = CHIRR_OK;
    int status;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
        for (uint32_t i = 0; i < launcher->fleet->agent_count; i++) {
            if (launcher->agents[i].pid != pid) {
                continue;
            }
            enum chirr_err ended = agent_ended(launcher, i, status, error);
            err = err == CHIRR_OK ? ended : err;
        }
    }
    return err;
}

enum chirr_err chirr_launcher_turn(struct chirr_launcher *launcher, struct chirr_error *error)
{
    enum chirr_err err = reap(launcher, error);
    chirr_time_us now = chirr_clock_now();
    uint32_t ended = 0;
    for (uint32_t i = 0; i < launcher->fleet->agent_count && err == CHIRR_OK; i++) {
        struct chirr_launched *agent = &launcher->agents[i];
        if (agent->state == CHIRR_LAUNCHED_WAITING && now >= agent->restart_us) {
            err = start_agent(launcher, i, error);
        }
        ended += agent->state == CHIRR_LAUNCHED_ENDED;
    }
    if (err == CHIRR_OK && ended == launcher->fleet->agent_count && !launcher->stopping) {
        return chirr_error_set(error, CHIRR_ERR_STATE,
                               "every agent has ended; their logs are in %s",
                               launcher->fleet->state_dir);
    }
    return err;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static enum chirr_err ask(struct chirr_launcher *launcher, uint32_t index, const json_t *request,
                          int timeout_ms, json_t **reply, struct chirr_error *error)
{
    const struct chirr_agent_config *config = &launcher->fleet->agents[index];
    struct chirr_launched *agent = &launcher->agents[index];
    enum chirr_err err =
        chirr_control_ask(config->runtime_dir, config->name, request, timeout_ms, reply, error);
    if (err != CHIRR_ERR_BUSY) {
        agent->unanswered = 0;
        return err;
    }
    uint32_t doublings =
        agent->unanswered < SILENCE_DOUBLINGS_MAX ? agent->unanswered : SILENCE_DOUBLINGS_MAX;
    agent->silent_us = chirr_clock_now() + (SILENCE_US << doublings);
    agent->unanswered++;
    return err;
}

enum chirr_err chirr_launcher_ask(struct chirr_launcher *launcher, uint32_t index,
                                  const json_t *request, int timeout_ms, json_t **reply,
                                  struct chirr_error *error)
{
    const struct chirr_launched *agent = &launcher->agents[index];
    const char *name = launcher->fleet->agents[index].name;
    *reply = NULL;
    if (agent->state != CHIRR_LAUNCHED_READY) {
        return chirr_error_set(error, CHIRR_ERR_NOTFOUND, "agent %s does not run", name);
    }
    if (agent->unanswered > 0) {
        return chirr_error_set(error, CHIRR_ERR_BUSY, "agent %s does not answer", name);
    }
    return ask(launcher, index, request, timeout_ms, reply, error);
}

static void refresh_agent(struct chirr_launcher *launcher, uint32_t index, const json_t *request)
{
    struct chirr_launched *agent = &launcher->agents[index];
    const char *name = launcher->fleet->agents[index].name;
    int timeout_ms = chirr_launcher_answers(agent) ? STATUS_TIMEOUT_MS : PROBE_TIMEOUT_MS;
    bool was_told = agent->unanswered >= SILENCE_TOLD;
    json_t *reply = NULL;
    enum chirr_err err = ask(launcher, index, request, timeout_ms, &reply, NULL);
    if (agent->state == CHIRR_LAUNCHED_READY && !was_told && agent->unanswered == SILENCE_TOLD) {
        chirr_launcher_note(launcher, "%s does not answer", name);
    }
    if (err != CHIRR_OK) {
        return;
    }
    if (agent->state == CHIRR_LAUNCHED_READY && was_told) {
        chirr_launcher_note(launcher, "%s answers again", name);
    }
    chirr_snapshot_parse(reply, &agent->now);
    json_decref(reply);
    agent->state = CHIRR_LAUNCHED_READY;
    agent->was_ready = true;
}

void chirr_launcher_refresh(struct chirr_launcher *launcher, bool all)
{
    json_t *request = json_pack("{s:s}", "verb", "status");
    for (uint32_t i = 0; i < launcher->fleet->agent_count; i++) {
        const struct chirr_launched *agent = &launcher->agents[i];
        bool wanted = all || !chirr_launcher_answers(agent);
        bool due = agent->unanswered == 0 || chirr_clock_now() >= agent->silent_us;
        if (runs(agent) && wanted && due) {
            refresh_agent(launcher, i, request);
        }
    }
    json_decref(request);
}

enum chirr_err chirr_launcher_kill(struct chirr_launcher *launcher, uint32_t agent)
{
    struct chirr_launched *launched = &launcher->agents[agent];
    if (!runs(launched) || kill(launched->pid, SIGKILL) != 0) {
        return CHIRR_ERR_NOTFOUND;
    }
    launched->kills++;
    return CHIRR_OK;
}

/* ---- Ending ---------------------------------------------------------------------------------- */

static uint32_t running_count(const struct chirr_launcher *launcher)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < launcher->fleet->agent_count; i++) {
        count += launcher->agents[i].pid != 0;
    }
    return count;
}

/* A suspended process takes no signal but SIGKILL before it is continued. */
static void signal_agent(const struct chirr_launched *agent, int number)
{
    if (agent->pid != 0) {
        kill(agent->pid, number);
        kill(agent->pid, SIGCONT);
    }
}

static void signal_all(struct chirr_launcher *launcher, int number)
{
    for (uint32_t i = 0; i < launcher->fleet->agent_count; i++) {
        signal_agent(&launcher->agents[i], number);
    }
}

static void wait_for_all(struct chirr_launcher *launcher, int wait_ms)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    chirr_time_us until = chirr_clock_now() + chirr_time_from_ms(wait_ms);
    for (;;) {
        reap(launcher, NULL);
        if (running_count(launcher) == 0 || chirr_clock_now() >= until) {
            return;
        }
        nanosleep(&pause, NULL);
    }
}

static void ask_to_stop(struct chirr_launcher *launcher)
{
    json_t *request = json_pack("{s:s}", "verb", "stop");
    for (uint32_t i = 0; i < launcher->fleet->agent_count; i++) {
        struct chirr_launched *agent = &launcher->agents[i];
        json_t *reply = NULL;
        bool asked = chirr_launcher_answers(agent) &&
                     ask(launcher, i, request, STOP_TIMEOUT_MS, &reply, NULL) == CHIRR_OK;
        json_decref(reply);
        if (!asked) {
            signal_agent(agent, SIGTERM);
        }
    }
    json_decref(request);
}

uint32_t chirr_launcher_stop(struct chirr_launcher *launcher)
{
    launcher->stopping = true;
    ask_to_stop(launcher);
    wait_for_all(launcher, STOP_GRACE_MS);
    signal_all(launcher, SIGTERM);
    wait_for_all(launcher, TERM_GRACE_MS);
    uint32_t killed = running_count(launcher);
    signal_all(launcher, SIGKILL);
    wait_for_all(launcher, TERM_GRACE_MS);
    chirr_child_end_orphans(ORPHAN_GRACE_MS);
    return killed;
}

/* ---- Lifetime -------------------------------------------------------------------------------- */

struct chirr_launcher *chirr_launcher_create(struct chirr_fleet_config *fleet,
                                             struct chirr_error *error)
{
    struct chirr_launcher *launcher = calloc(1, sizeof *launcher);
    if (launcher == NULL) {
        chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for %u agents", fleet->agent_count);
        return NULL;
    }
    launcher->fleet = fleet;
    launcher->swarm_lock = launcher->state_lock = -1;
    enum chirr_err err = take_locks(launcher, error);
    if (err == CHIRR_OK) {
        err = chirr_provision_fleet(fleet, error);
    }
    if (err != CHIRR_OK) {
        chirr_launcher_destroy(launcher);
        return NULL;
    }
    chirr_child_adopt_orphans();
    return launcher;
}

void chirr_launcher_destroy(struct chirr_launcher *launcher)
{
    if (launcher == NULL) {
        return;
    }
    if (running_count(launcher) > 0) {
        launcher->stopping = true;
        signal_all(launcher, SIGKILL);
        wait_for_all(launcher, TERM_GRACE_MS);
        chirr_child_end_orphans(ORPHAN_GRACE_MS);
    }
    if (launcher->swarm_lock >= 0) {
        close(launcher->swarm_lock);
    }
    if (launcher->state_lock >= 0) {
        close(launcher->state_lock);
    }
    free(launcher);
}

enum chirr_err chirr_launcher_start(struct chirr_launcher *launcher, struct chirr_error *error)
{
    for (uint32_t i = 0; i < launcher->fleet->agent_count; i++) {
        enum chirr_err err = start_agent(launcher, i, error);
        if (err != CHIRR_OK) {
            return err;
        }
    }
    return CHIRR_OK;
}

uint32_t chirr_launcher_agent_count(const struct chirr_launcher *launcher)
{
    return launcher->fleet->agent_count;
}

uint32_t chirr_launcher_ready_count(const struct chirr_launcher *launcher)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < launcher->fleet->agent_count; i++) {
        count += chirr_launcher_answers(&launcher->agents[i]);
    }
    return count;
}

bool chirr_launcher_answers(const struct chirr_launched *agent)
{
    return agent->state == CHIRR_LAUNCHED_READY && agent->unanswered == 0;
}

const struct chirr_launched *chirr_launcher_agent(const struct chirr_launcher *launcher,
                                                  uint32_t agent)
{
    CHIRR_ASSERT(agent < launcher->fleet->agent_count);
    return &launcher->agents[agent];
}

const struct chirr_fleet_config *chirr_launcher_fleet(const struct chirr_launcher *launcher)
{
    return launcher->fleet;
}

struct chirr_snapshot_totals chirr_launcher_totals(const struct chirr_launcher *launcher,
                                                   uint32_t agent)
{
    struct chirr_snapshot_totals totals = launcher->agents[agent].before;
    chirr_snapshot_add_life(&totals, &launcher->agents[agent].now.totals);
    return totals;
}
