/* swarm.recover: how long until a swarm is whole again after every link was cut for half a minute.
 *
 * The swarm lives in a network namespace of its own, whose loopback goes down and up again: no
 * packet passes meanwhile, not even one that says that a connection has ended. The clock runs from
 * the moment when it is up until every agent holds every other for alive and suspects nobody. All
 * of it happens in a process that is forked for this, since there is no way back out of a
 * namespace. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/clock.h"
#include "tests/bench/bench_swarm.h"
#include "tests/bench/fleet.h"
#include "tests/bench/isolation.h"

#define REST_MS 10000
#define CUT_MS 30000
#define TIMEOUT_MS 90000

/* Shared with the process that lives in the namespace. */
struct outcome {
    enum chirr_err err;
    struct chirr_error error;
    bool entered;
    uint32_t alive_max; /* at the end of the cut */
    double reconnect_s;
    double half_s;
};

static enum chirr_err cut(struct chirr_bench_fleet *fleet, struct outcome *outcome)
{
    struct chirr_error *error = &outcome->error;
    enum chirr_err err = chirr_bench_isolation_set(false, error);
    if (err == CHIRR_OK) {
        err = chirr_bench_fleet_rest(fleet, CUT_MS, error);
    }
    outcome->alive_max = chirr_bench_fleet_alive_max(fleet);
    double up_us = (double)chirr_clock_now();
    if (err == CHIRR_OK) {
        err = chirr_bench_isolation_set(true, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_bench_fleet_wait(fleet, chirr_bench_fleet_certain, TIMEOUT_MS, error);
    }
    if (err == CHIRR_OK) {
        struct chirr_bench_moment moment = chirr_bench_fleet_certain(fleet);
        outcome->reconnect_s = ((double)moment.last_us - up_us) / 1e6;
        outcome->half_s = ((double)moment.half_us - up_us) / 1e6;
    }
    return err;
}

static enum chirr_err live_apart(uint32_t agents, struct outcome *outcome)
{
    struct chirr_bench_fleet *fleet = NULL;
    enum chirr_err err = chirr_bench_isolation_enter(&outcome->error);
    outcome->entered = err == CHIRR_OK;
    if (err == CHIRR_OK) {
        err = chirr_bench_fleet_gather(agents, REST_MS, &fleet, &outcome->error);
    }
    if (err == CHIRR_OK) {
        err = cut(fleet, outcome);
    }
    chirr_bench_fleet_destroy(fleet);
    return err;
}

/* An interrupt reaches the child as well, which cleans up and ends. */
static enum chirr_err fork_apart(uint32_t agents, struct outcome *outcome,
                                 struct chirr_error *error)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        outcome->err = live_apart(agents, outcome);
        _exit(0);
    }
    if (pid < 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "cannot fork: %s", strerror(errno));
    }
    sigaction(SIGINT, &ignore, &before);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    sigaction(SIGINT, &before, NULL);
    return status == 0 ? CHIRR_OK
                       : chirr_error_set(error, CHIRR_ERR_STATE, "the measuring process crashed");
}

static enum chirr_err report(struct chirr_bench_context *context, uint32_t agents,
                             const struct outcome *outcome, struct chirr_error *error)
{
    struct chirr_bench_result result = {
        .metric = "reconnect_s",
        .value = outcome->reconnect_s,
        .unit = "s",
        .bound = CHIRR_BENCH_AT_MOST,
        .target = 10,
        .fields = json_pack("{s:i, s:i}", "agents", (int)agents, "cut_s", CUT_MS / 1000),
    };
    bool skipped = outcome->err == CHIRR_ERR_STATE && !outcome->entered;
    if (outcome->err == CHIRR_OK) {
        json_object_set_new(result.fields, "half_s", json_real(outcome->half_s));
        json_object_set_new(result.fields, "alive_when_cut",
                            json_integer((json_int_t)outcome->alive_max));
        chirr_bench_report(context, &result);
        return CHIRR_OK;
    }
    if (skipped || outcome->err == CHIRR_ERR_TIMEOUT) {
        chirr_bench_swarm_unmeasured(context, &result, outcome->error.text);
        return CHIRR_OK;
    }
    json_decref(result.fields);
    return chirr_error_set(error, outcome->err, "%.480s", outcome->error.text);
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    uint32_t agents = chirr_bench_swarm_agents(context);
    struct outcome *outcome =
        mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (outcome == MAP_FAILED) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory to share: %s", strerror(errno));
    }
    enum chirr_err err = fork_apart(agents, outcome, error);
    if (err == CHIRR_OK) {
        err = report(context, agents, outcome, error);
    }
    munmap(outcome, sizeof *outcome);
    return err;
}

const struct chirr_bench chirr_bench_swarm_recover = {
    "swarm.recover", "until a swarm is whole again after every link was cut", run, false};
