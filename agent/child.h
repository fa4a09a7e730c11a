/* Starting an agent as a child process, and what it leaves behind.
 *
 * Between fork and exec only async-signal-safe calls are made. */
#ifndef CHIRR_AGENT_CHILD_H
#define CHIRR_AGENT_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

struct chirr_child_spec {
    const char *config_path; /* of `chirr agent` */
    const char *log_path;    /* gets its standard output and errors, appended */
};

/* Runs `chirr agent CONFIG` with this very executable, in a process group of its own, signals at
 * their defaults, standard input empty. It is sent SIGTERM when the calling thread ends. */
CHIRR_NODISCARD enum chirr_err chirr_child_start(const struct chirr_child_spec *spec, pid_t *pid,
                                                 struct chirr_error *error);

/* The last few lines of a file, on one line with " | " between; "" when there are none. */
void chirr_child_log_end(const char *path, char *text, size_t capacity);

/* Makes descendants that lost their parent children of this process. */
void chirr_child_adopt_orphans(void);

/* Kills and reaps every child that this process still has, waiting at most `wait_ms` before that
 * for them to end on their own; the number that had to be killed. Only a process that has no
 * children but those it started here may call it. */
unsigned chirr_child_end_orphans(int wait_ms);

#endif
