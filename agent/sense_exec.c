/* stdin: and exec: what comes through a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "agent/sense_parts.h"

#define BACKOFF_US_MIN (CHIRR_US_PER_S)
#define BACKOFF_US_MAX (60 * CHIRR_US_PER_S)
#define STEADY_US                                                                                  \
    (10 * CHIRR_US_PER_S) /* a command that ran so long is started again at once-ish */
#define REAP_US (10 * CHIRR_US_PER_MS)
#define KILL_MS 2000

enum chirr_err chirr_sense_command_open(struct chirr_source *source, uint64_t seed,
                                        struct chirr_error *error)
{
    struct chirr_sense_command *command = &source->command;
    bool standard = source->config.source == CHIRR_SOURCE_STDIN;
    command->fd = standard ? STDIN_FILENO : -1;
    command->backoff_us = BACKOFF_US_MIN;
    chirr_random_init(&command->jitter, seed, 0);
    if (!standard && source->config.from[strspn(source->config.from, " \t")] == '\0') {
        return chirr_error_set(error, CHIRR_ERR_CONFIG, "sense %s: exec: needs a command",
                               source->config.name);
    }
    return CHIRR_OK;
}

static void close_pipe(struct chirr_sense_command *command)
{
    if (command->fd > STDERR_FILENO) {
        close(command->fd);
    }
    command->fd = -1;
}

void chirr_sense_command_close(struct chirr_source *source)
{
    close_pipe(&source->command);
    chirr_child_kill(&source->command.child, KILL_MS);
}

/* Between half and all of the present back-off, which doubles unless the command ran for long. */
static void plan_restart(struct chirr_sense_command *command, chirr_time_us now)
{
    if (now - command->started_at >= STEADY_US) {
        command->backoff_us = BACKOFF_US_MIN;
    }
    chirr_time_us half = command->backoff_us / 2;
    command->restart_at =
        now + half + (chirr_time_us)chirr_random_below(&command->jitter, (uint64_t)half);
    command->backoff_us = chirr_time_min(2 * command->backoff_us, BACKOFF_US_MAX);
}

static enum chirr_err start(struct chirr_source *source, chirr_time_us now)
{
    struct chirr_sense_command *command = &source->command;
    int ends[2];
    command->started_at = now;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        plan_restart(command, now);
        return CHIRR_ERR_IO;
    }
    ends[0] = chirr_spawn_above_standard(ends[0]);
    ends[1] = chirr_spawn_above_standard(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK); /* our end alone: the command's own may block */
    char *arguments[] = {"/bin/sh", "-c", source->config.from, NULL};
    struct chirr_spawn spawn = {.program = "/bin/sh",
                                .arguments = arguments,
                                .environment = environ,
                                .output_fd = ends[1],
                                .error_fd = -1,
                                .guard_fd = -1};
    int why = chirr_spawn_start(&spawn, &command->child);
    close(ends[1]);
    if (why != 0) {
        close(ends[0]);
        plan_restart(command, now);
        return CHIRR_ERR_IO;
    }
    command->fd = ends[0];
    source->counters.restarts += command->started;
    command->started = true;
    return CHIRR_OK;
}

/* Closing its output ends a command: what still runs of it is killed, and reaped when that is done.
 */
static void end(struct chirr_sense_command *command, chirr_time_us now)
{
    siginfo_t how;
    close_pipe(command);
    if (!chirr_child_ended(&command->child, &how)) {
        chirr_child_signal(&command->child, SIGKILL);
        command->restart_at = now + REAP_US;
        return;
    }
    chirr_child_reap(&command->child);
    plan_restart(command, now);
}

/* Standard input belongs to others too, so it is not made non-blocking but asked first. */
static bool is_readable(int fd)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    return poll(&item, 1, 0) == 1;
}

enum chirr_err chirr_sense_command_read(struct chirr_source *source, chirr_time_us now,
                                        uint8_t *buffer, size_t capacity, size_t *count)
{
    struct chirr_sense_command *command = &source->command;
    bool standard = source->config.source == CHIRR_SOURCE_STDIN;
    if (command->fd < 0) {
        if (now < command->restart_at) {
            return CHIRR_OK;
        }
        if (command->child.pid > 0) {
            end(command, now);
            return CHIRR_OK;
        }
        enum chirr_err err = start(source, now);
        if (err != CHIRR_OK) {
            return err;
        }
    }
    if (capacity == 0 || !is_readable(command->fd)) {
        return CHIRR_OK;
    }
    ssize_t bytes = read(command->fd, buffer, capacity);
    if (bytes > 0) {
        *count = (size_t)bytes;
        return CHIRR_OK;
    }
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) {
        return CHIRR_OK;
    }
    if (standard) {
        source->ended = true;
        return CHIRR_ERR_NOTFOUND;
    }
    end(command, now);
    return CHIRR_OK;
}
