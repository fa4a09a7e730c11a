/* The guard of job groups. */
#include "agent/guard.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/spawn.h"

struct notice {
    int32_t group;
    int32_t listed; /* 1: register, 0: forget */
};

static bool tell(int fd, struct notice notice, int flags)
{
    return send(fd, &notice, sizeof notice, MSG_NOSIGNAL | flags) == (ssize_t)sizeof notice;
}

bool chirr_guard_register(int fd, pid_t group)
{
    return tell(fd, (struct notice){.group = group, .listed = 1}, 0);
}

bool chirr_guard_forget(int fd, pid_t group)
{
    return tell(fd, (struct notice){.group = group, .listed = 0}, MSG_DONTWAIT);
}

static void take_notice(int32_t *groups, size_t *count, struct notice notice)
{
    if (notice.listed && *count < CHIRR_GUARD_GROUPS_MAX) {
        groups[(*count)++] = notice.group;
        return;
    }
    for (size_t i = 0; !notice.listed && i < *count; i++) {
        if (groups[i] == notice.group) {
            groups[i] = groups[--*count];
            return;
        }
    }
}

static void close_all_but_input(void)
{
    if (syscall(SYS_close_range, 1U, ~0U, 0U) == 0) {
        return;
    }
    for (int fd = 1; fd < 65536; fd++) {
        close(fd);
    }
}

_Noreturn static void guard(int fd)
{
    static int32_t groups[CHIRR_GUARD_GROUPS_MAX];
    size_t count = 0;
    struct notice notice;
    setsid();
    prctl(PR_SET_NAME, "chirr-guard");
    dup2(fd, STDIN_FILENO);
    close_all_but_input();
    for (;;) {
        ssize_t bytes = recv(STDIN_FILENO, &notice, sizeof notice, 0);
        if (bytes == (ssize_t)sizeof notice) {
            take_notice(groups, &count, notice);
        } else if (bytes >= 0 || errno != EINTR) {
            break;
        }
    }
    for (size_t i = 0; i < count; i++) {
        kill(-groups[i], SIGKILL);
    }
    _exit(0);
}

int chirr_guard_start(struct chirr_guard *self)
{
    int ends[2];
    *self = (struct chirr_guard){.fd = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return errno;
    }
    ends[0] = chirr_spawn_above_standard(ends[0]);
    ends[1] = chirr_spawn_above_standard(ends[1]);
    /* Every signal stays blocked in the guard: only SIGKILL and the end of the agent end it. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        guard(ends[1]);
    }
    int why = pid < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (why != 0) {
        close(ends[0]);
        return why;
    }
    *self = (struct chirr_guard){.pid = pid, .fd = ends[0]};
    return 0;
}

void chirr_guard_finish(struct chirr_guard *self)
{
    if (self->pid == 0) {
        return;
    }
    shutdown(self->fd, SHUT_RDWR); /* ends it even if a foreign fork still holds a copy */
    close(self->fd);
    while (waitpid(self->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    *self = (struct chirr_guard){.fd = -1};
}
