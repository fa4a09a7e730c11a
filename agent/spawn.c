/* Starting, signalling and ending child processes. */
#include "agent/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/guard.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define OPEN_FILES_OF_CHILD 1024
#define CLOSE_ON_EXEC_RANGE 4U /* CLOSE_RANGE_CLOEXEC, Linux 5.11 */

int chirr_spawn_above_standard(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO) {
        return fd;
    }
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(fd);
    return moved;
}

/* "DIRECTORY/NAME", or NAME where there is no directory; false when it does not fit. */
static bool join_path(const char *directory, size_t bytes, const char *name, char *path,
                      size_t capacity)
{
    size_t name_bytes = strlen(name) + 1;
    if (bytes + 1 + name_bytes > capacity) {
        return false;
    }
    memcpy(path, directory, bytes);
    if (bytes > 0) {
        path[bytes++] = '/';
    }
    memcpy(path + bytes, name, name_bytes);
    return true;
}

bool chirr_spawn_find(const char *name, char *path, size_t capacity)
{
    if (strchr(name, '/') != NULL) {
        return join_path("", 0, name, path, capacity);
    }
    for (const char *from = CHIRR_SPAWN_PATH; *from != '\0';) {
        size_t bytes = strcspn(from, ":");
        if (join_path(from, bytes, name, path, capacity) && access(path, X_OK) == 0) {
            return true;
        }
        from += bytes + (from[bytes] == ':');
    }
    return false;
}

/* ---- In the child ---------------------------------------------------------------------------- */

static void reset_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) {
        sigaction(number, &standard, NULL); /* refused for KILL and STOP */
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_limits(int more_nice)
{
    struct rlimit limit = {0, 0};
    setrlimit(RLIMIT_CORE, &limit);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > OPEN_FILES_OF_CHILD) {
        limit.rlim_cur = OPEN_FILES_OF_CHILD;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (more_nice > 0) {
        int before = nice(more_nice);
        (void)before;
    }
}

/* Before Linux 5.11 one by one; the agent does not keep more open than that. */
static void close_others_on_exec(void)
{
    if (syscall(SYS_close_range, STDERR_FILENO + 1U, ~0U, CLOSE_ON_EXEC_RANGE) == 0) {
        return;
    }
    for (int fd = STDERR_FILENO + 1; fd < 65536; fd++) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
}

static bool connect_standard(const struct chirr_spawn *spawn)
{
    int nothing = chirr_spawn_above_standard(open("/dev/null", O_RDWR | O_CLOEXEC));
    int error_fd = spawn->error_fd < 0 ? nothing : spawn->error_fd;
    return nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 &&
           dup2(spawn->output_fd, STDOUT_FILENO) >= 0 && dup2(error_fd, STDERR_FILENO) >= 0;
}

/* `parent` tells whether it died before PDEATHSIG was set. */
_Noreturn static void become(const struct chirr_spawn *spawn, pid_t parent, int failure_fd)
{
    bool ready = setsid() >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
    if (getppid() != parent) {
        _exit(127);
    }
    if (spawn->guard_fd >= 0) {
        chirr_guard_register(spawn->guard_fd, getpid());
    }
    reset_signals();
    set_limits(spawn->nice);
    ready = ready && connect_standard(spawn);
    ready = ready && (spawn->directory == NULL || chdir(spawn->directory) == 0);
    close_others_on_exec();
    if (ready) {
        execve(spawn->program, spawn->arguments, spawn->environment);
    }
    int32_t why = errno;
    ssize_t written = write(failure_fd, &why, sizeof why);
    (void)written;
    _exit(127);
}

/* ---- In the parent --------------------------------------------------------------------------- */

/* With all signals held back, so that none of the caller's handlers runs in the child. */
static pid_t fork_quietly(const struct chirr_spawn *spawn, int failure_fd)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        become(spawn, parent, failure_fd);
    }
    int why = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = why;
    return pid;
}

int chirr_spawn_start(const struct chirr_spawn *spawn, struct chirr_child *child)
{
    *child = (struct chirr_child){.pid_fd = -1, .failure_fd = -1};
    int failure[2];
    if (pipe2(failure, O_CLOEXEC | O_NONBLOCK) != 0) {
        return errno;
    }
    failure[0] = chirr_spawn_above_standard(failure[0]);
    failure[1] = chirr_spawn_above_standard(failure[1]);
    child->pid = fork_quietly(spawn, failure[1]);
    int why = child->pid < 0 ? errno : 0;
    close(failure[1]);
    child->failure_fd = failure[0];
    if (why == 0) {
        child->pid_fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
        why = child->pid_fd < 0 ? errno : 0;
    }
    if (why == 0) {
        return 0;
    }
    close(child->failure_fd);
    if (child->pid > 0) { /* no descriptor left for a pidfd */
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
    }
    *child = (struct chirr_child){.pid_fd = -1, .failure_fd = -1};
    return why;
}

void chirr_child_signal(const struct chirr_child *child, int signal)
{
    if (kill(-child->pid, signal) != 0) {
        syscall(SYS_pidfd_send_signal, child->pid_fd, signal, NULL, 0);
    }
}

bool chirr_child_ended(const struct chirr_child *child, siginfo_t *how)
{
    memset(how, 0, sizeof *how);
    return waitid((idtype_t)P_PIDFD, (id_t)child->pid_fd, how, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           how->si_pid != 0;
}

int chirr_child_reap(struct chirr_child *child)
{
    int32_t why = 0;
    if (read(child->failure_fd, &why, sizeof why) != (ssize_t)sizeof why) {
        why = 0;
    }
    kill(-child->pid, SIGKILL);
    siginfo_t how;
    waitid((idtype_t)P_PIDFD, (id_t)child->pid_fd, &how, WEXITED | WNOHANG);
    close(child->pid_fd);
    close(child->failure_fd);
    *child = (struct chirr_child){.pid_fd = -1, .failure_fd = -1};
    return why;
}

void chirr_child_kill(struct chirr_child *child, int timeout_ms)
{
    if (child->pid <= 0) {
        return;
    }
    chirr_child_signal(child, SIGKILL);
    struct pollfd ended = {.fd = child->pid_fd, .events = POLLIN};
    poll(&ended, 1, timeout_ms);
    chirr_child_reap(child);
}
