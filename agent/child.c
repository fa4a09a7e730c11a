#include "agent/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/clock.h"

#define LOG_TAIL_BYTES 2048
#define LOG_TAIL_LINES 4

_Noreturn static void become_agent(const struct chirr_child_spec *spec, pid_t parent, int log)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) {
        _exit(1);
    }
    setpgid(0, 0);
    int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (input >= 0) {
        dup2(input, STDIN_FILENO);
    }
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execl("/proc/self/exe", "chirr", "agent", spec->config_path, (char *)NULL);
    _exit(127);
}

enum chirr_err chirr_child_start(const struct chirr_child_spec *spec, pid_t *pid,
                                 struct chirr_error *error)
{
    int log = open(spec->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be written: %s", spec->log_path,
                               strerror(errno));
    }
    pid_t parent = getpid();
    *pid = fork();
    if (*pid == 0) {
        become_agent(spec, parent, log);
    }
    int reason = errno;
    close(log);
    if (*pid < 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "no process can be started: %s",
                               strerror(reason));
    }
    return CHIRR_OK;
}

/* Where the last LOG_TAIL_LINES lines of `text` begin. */
static const char *last_lines(const char *text, size_t bytes)
{
    const char *start = text + bytes;
    for (int lines = 0; start > text; start--) {
        if (start[-1] == '\n' && start < text + bytes && ++lines == LOG_TAIL_LINES) {
            break;
        }
    }
    return start;
}

void chirr_child_log_end(const char *path, char *text, size_t capacity)
{
    text[0] = '\0';
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    char tail[LOG_TAIL_BYTES + 1];
    if (fseek(file, -LOG_TAIL_BYTES, SEEK_END) != 0) {
        rewind(file);
    }
    size_t bytes = fread(tail, 1, LOG_TAIL_BYTES, file);
    fclose(file);
    while (bytes > 0 && tail[bytes - 1] == '\n') {
        bytes--;
    }
    tail[bytes] = '\0';

    size_t used = 0;
    for (const char *from = last_lines(tail, bytes); *from != '\0' && used + 4 < capacity; from++) {
        if (*from == '\n') {
            memcpy(text + used, " | ", 3);
            used += 3;
        } else {
            text[used++] = *from;
        }
    }
    text[used] = '\0';
}

void chirr_child_adopt_orphans(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* Sends SIGKILL to every child; returns how many there were. Without /proc/…/children, none. */
static unsigned kill_children(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    unsigned killed = 0;
    int pid;
    while (fscanf(file, "%d", &pid) == 1) {
        killed += kill(pid, SIGKILL) == 0;
    }
    fclose(file);
    return killed;
}

/* False while there are children. */
static bool reap(void)
{
    pid_t pid = 1;
    while (pid > 0) {
        pid = waitpid(-1, NULL, WNOHANG);
    }
    return pid < 0 && errno == ECHILD;
}

unsigned chirr_child_end_orphans(int wait_ms)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    chirr_time_us patient_until = chirr_clock_now() + chirr_time_from_ms(wait_ms);
    chirr_time_us give_up_at = patient_until + 2 * CHIRR_US_PER_S;
    unsigned killed = 0;
    while (!reap() && chirr_clock_now() < give_up_at) {
        if (chirr_clock_now() >= patient_until) {
            killed += kill_children();
        }
        nanosleep(&pause, NULL);
    }
    return killed;
}
