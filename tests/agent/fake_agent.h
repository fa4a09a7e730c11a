/* Agents that are played by a test, for the command line: a control socket with answers prepared.
 */
#ifndef CHIRR_TESTS_AGENT_FAKE_AGENT_H
#define CHIRR_TESTS_AGENT_FAKE_AGENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "agent/control.h"

struct fake_agent;
/* The reply to a request; NULL: none at all. */
typedef json_t *(*fake_answer)(struct fake_agent *fake, const char *verb, const json_t *request);

struct fake_agent {
    const char *name;
    fake_answer answer;
    atomic_int asked;     /* requests so far */
    char submitted[4096]; /* the last submit, as JSON; read after fake_agent_end */

    void *context; /* ZeroMQ's */
    struct chirr_control *control;
    pthread_t thread;
    atomic_bool ended;
};

/* Serves RUNTIME_DIR/NAME.sock on a thread of its own until ended. */
void fake_agent_begin(struct fake_agent *fake, const char *runtime_dir);
void fake_agent_end(struct fake_agent *fake);

/* What a run of the executable left. */
struct run {
    int code; /* exit code; 128 + signal */
    char out[16384];
    char err[4096];
};

/* Runs `chirr` with the words up to NULL, in the current directory. */
void run_chirr(struct run *run, ...) __attribute__((sentinel));
/* Starts it and returns its process; output and errors go to the file "log". */
pid_t start_chirr(const char *first, ...) __attribute__((sentinel));

/* A task as an agent tells of it. `end` NULL: it has not ended. */
json_t *task_json(const char *id, const char *phase, const char *end, int code);

#endif
