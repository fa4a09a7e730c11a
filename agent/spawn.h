/* Child processes, as executor and senses start them: in a session of their own, with nothing
 * inherited that was not meant to be.
 *
 * Between fork and exec only async-signal-safe functions run, so other threads do not matter. The
 * calling thread must outlive the child: PR_SET_PDEATHSIG ends it otherwise. Whoever starts
 * children must not ignore SIGCHLD. Not installed. */
#ifndef CHIRR_AGENT_SPAWN_H
#define CHIRR_AGENT_SPAWN_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#define CHIRR_SPAWN_PATH "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

struct chirr_spawn {
    const char *program; /* a path */
    char *const *arguments;
    char *const *environment;
    const char *directory; /* NULL: stays in the caller's */
    int output_fd;         /* becomes 1; input is /dev/null */
    int error_fd;          /* becomes 2; -1: /dev/null */
    int guard_fd;          /* the child registers there; -1: nowhere */
    int nice;
};

struct chirr_child {
    pid_t pid;      /* also its group's id; 0: none */
    int pid_fd;     /* readable once it has ended */
    int failure_fd; /* non-blocking: gives the errno of a failed exec */
};

/* Returns 0 or errno; then nothing was started. Does not wait for the exec. */
int chirr_spawn_start(const struct chirr_spawn *spawn, struct chirr_child *child);

/* To the whole group; as long as that does not exist yet, to the child. */
void chirr_child_signal(const struct chirr_child *child, int signal);

/* True once it has ended; it stays a zombie, so that its ids are not given to others. */
bool chirr_child_ended(const struct chirr_child *child, siginfo_t *how);

/* Kills what is left of the group, takes the ended child's ids back and closes its descriptors.
 * Returns the errno of a failed exec, or 0. */
int chirr_child_reap(struct chirr_child *child);

/* Kills child and group and waits for it, at most `timeout_ms`. */
void chirr_child_kill(struct chirr_child *child, int timeout_ms);

/* Where CHIRR_SPAWN_PATH has `name`; a name with a slash stays as it is. False: nowhere. */
bool chirr_spawn_find(const char *name, char *path, size_t capacity);

/* The descriptor moved above standard error where it was not, closed on exec either way; -1 stays.
 */
int chirr_spawn_above_standard(int fd);

#endif
