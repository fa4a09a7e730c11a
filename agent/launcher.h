/* A local fleet as child processes: started, watched, started again, and ended without a trace.
 *
 * Every agent is `chirr agent STATE/NAME.yaml` in a process group of its own, its output in
 * STATE/NAME.log. It gets SIGTERM when the launcher dies, however that dies. Whatever an agent
 * leaves behind when it is killed becomes the launcher's child (subreaper) and is ended with it.
 *
 * An agent is *ready* once it has answered `status`. One that ends before it ever was ready is a
 * failure of the whole launch; one that ends later is started again, where the fleet says so, after
 * a pause that doubles with each early death.
 *
 * One that runs but does not answer in time is *silent*: it is asked for its status alone, ever
 * more rarely and briefly, until it answers, so that it does not hold up what the others are asked.
 *
 * Time is that of agent/clock.h. One thread drives it (`chirr_launcher_ask` alone may be called
 * from others, one an agent, while nothing else is); that thread must live as long as the agents.
 * No ZeroMQ context is open while it forks. */
#ifndef CHIRR_AGENT_LAUNCHER_H
#define CHIRR_AGENT_LAUNCHER_H

#include <jansson.h>
#include <sys/types.h>

#include "agent/snapshot.h"
#include "agent/config.h"
#include "base/time.h"

enum chirr_launched_state {
    CHIRR_LAUNCHED_WAITING,  /* to be started at restart_us */
    CHIRR_LAUNCHED_STARTING, /* runs, has not answered yet */
    CHIRR_LAUNCHED_READY,
    CHIRR_LAUNCHED_ENDED, /* and will not be started again */
};

struct chirr_launched {
    enum chirr_launched_state state;
    pid_t pid; /* 0: none */
    bool was_ready;
    uint32_t unanswered;     /* requests in a row; silent when more than none */
    chirr_time_us silent_us; /* not asked before */
    uint32_t starts, kills, early_deaths;
    chirr_time_us started_us, restart_us;
    struct chirr_snapshot now;           /* as last asked in this life */
    struct chirr_snapshot_totals before; /* what former lives had counted when last asked */
};

/* What happened to the fleet, for people. */
#define CHIRR_LAUNCHER_EVENTS_MAX 64
struct chirr_launcher_event {
    chirr_time_us at_us;
    char text[160];
};

struct chirr_launcher;

/* Provisions the fleet (agent/provision.h) and takes the locks of its swarm and state directory.
 * Nothing is started. `fleet` is borrowed and filled in. CHIRR_ERR_BUSY: that swarm runs already,
 * or a port is in use. */
struct chirr_launcher *chirr_launcher_create(struct chirr_fleet_config *fleet,
                                             struct chirr_error *error);
/* Ends what still runs, without grace, and waits for it. */
void chirr_launcher_destroy(struct chirr_launcher *launcher);

/* Starts every agent; they become ready in later turns. */
CHIRR_NODISCARD enum chirr_err chirr_launcher_start(struct chirr_launcher *launcher,
                                                    struct chirr_error *error);

/* Sees who has ended and starts again who is due. CHIRR_ERR_STATE: an agent ended before it was
 * ever ready, or all have ended for good; `error` shows the end of its log. */
CHIRR_NODISCARD enum chirr_err chirr_launcher_turn(struct chirr_launcher *launcher,
                                                   struct chirr_error *error);
/* Asks agents for their status: those that are starting or silent, or, with `all`, every one that
 * runs; silent ones when it is time to. */
void chirr_launcher_refresh(struct chirr_launcher *launcher, bool all);

/* kill -9. CHIRR_ERR_NOTFOUND: it does not run. */
CHIRR_NODISCARD enum chirr_err chirr_launcher_kill(struct chirr_launcher *launcher, uint32_t agent);

/* `stop` by the control socket, then SIGTERM, then SIGKILL; returns when every process is gone, or
 * after about 15 s. One that is suspended (SIGSTOP) is continued. Returns how many had to be
 * killed.
 */
uint32_t chirr_launcher_stop(struct chirr_launcher *launcher);

/* One request to an agent; see chirr_control_ask. CHIRR_ERR_NOTFOUND: it is not ready.
 * CHIRR_ERR_BUSY: also, and at once, when it is silent. */
CHIRR_NODISCARD enum chirr_err chirr_launcher_ask(struct chirr_launcher *launcher, uint32_t agent,
                                                  const json_t *request, int timeout_ms,
                                                  json_t **reply, struct chirr_error *error);

uint32_t chirr_launcher_agent_count(const struct chirr_launcher *launcher);
/* Ready and not silent. */
bool chirr_launcher_answers(const struct chirr_launched *agent);
uint32_t chirr_launcher_ready_count(const struct chirr_launcher *launcher);
const struct chirr_launched *chirr_launcher_agent(const struct chirr_launcher *launcher,
                                                  uint32_t agent);
const struct chirr_fleet_config *chirr_launcher_fleet(const struct chirr_launcher *launcher);
/* Former lives and this one. */
struct chirr_snapshot_totals chirr_launcher_totals(const struct chirr_launcher *launcher,
                                                   uint32_t agent);

/* Notes an event; the last CHIRR_LAUNCHER_EVENTS_MAX are kept. */
void chirr_launcher_note(struct chirr_launcher *launcher, const char *format, ...)
    CHIRR_PRINTF(2, 3);
/* The index-th event since the start; NULL when not there (yet, or any more). */
const struct chirr_launcher_event *chirr_launcher_event(const struct chirr_launcher *launcher,
                                                        uint64_t index);
uint64_t chirr_launcher_event_count(const struct chirr_launcher *launcher);

#endif
