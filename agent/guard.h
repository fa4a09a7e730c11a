/* A small process that kills job groups when the agent is gone, however it went.
 *
 * Each job registers its group before it executes its command; the agent takes it off the list
 * before it reaps the job, while the id cannot belong to anybody else. When the last descriptor of
 * the agent's end closes, the guard kills what is still listed, and exits. It runs in a session of
 * its own, ignores the signals of a terminal, and holds no other descriptor. It is a fork without
 * exec and keeps the pages that the agent had then: start it early. Not installed. */
#ifndef CHIRR_AGENT_GUARD_H
#define CHIRR_AGENT_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

#define CHIRR_GUARD_GROUPS_MAX 1024

struct chirr_guard {
    pid_t pid; /* 0: none */
    int fd;    /* closed on exec */
};

/* Returns 0 or errno. */
int chirr_guard_start(struct chirr_guard *guard);
/* Lets it kill what is listed and waits for its end. */
void chirr_guard_finish(struct chirr_guard *guard);

/* Async-signal-safe. False: the guard cannot be reached. */
bool chirr_guard_register(int fd, pid_t group);
bool chirr_guard_forget(int fd, pid_t group);

#endif
