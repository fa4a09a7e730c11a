#include "agent/executor.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/directory.h"

#define TASK UINT64_C(0xfeed0123)

static char directory[DIRECTORY_PATH_BYTES_MAX];
static struct chirr_error error;
static struct chirr_executor_config config;
static struct chirr_executor *executor;

static void setup(void)
{
    directory_create(directory);
    config = chirr_executor_config_default();
    snprintf(config.state_dir, sizeof config.state_dir, "%s", directory);
    config.slots_max = 4;
    config.grace_ms = 300;
    executor = NULL;
}

static void teardown(void)
{
    chirr_executor_destroy(executor);
    directory_remove(directory);
}

TestSuite(executor, .init = setup, .fini = teardown, .timeout = 60);

static chirr_time_us clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (chirr_time_us)now.tv_sec * CHIRR_US_PER_S + now.tv_nsec / 1000;
}

static void create(void)
{
    executor = chirr_executor_create(&config, &error);
    cr_assert_not_null(executor, "%s", error.text);
}

static void add_argument(struct chirr_task_spec *spec, const char *argument)
{
    size_t bytes = strlen(argument) + 1;
    cr_assert(spec->command_bytes + bytes <= sizeof spec->command);
    memcpy(spec->command + spec->command_bytes, argument, bytes);
    spec->command_bytes += (uint32_t)bytes;
    spec->argument_count++;
}

static struct chirr_task_spec command(const char *program, uint32_t time_limit_ms)
{
    struct chirr_task_spec spec = {.kind = "test", .time_limit_ms = time_limit_ms};
    add_argument(&spec, program);
    return spec;
}

static struct chirr_task_spec shell(const char *script, uint32_t time_limit_ms)
{
    struct chirr_task_spec spec = command("sh", time_limit_ms);
    add_argument(&spec, "-c");
    add_argument(&spec, script);
    return spec;
}

static void start(chirr_task_id task, const struct chirr_task_spec *spec)
{
    cr_assert_eq(chirr_executor_start(executor, task, 1, spec, clock_now()), CHIRR_OK);
}

/* One turn as the event loop makes them: sleeps on the descriptors until the deadline. */
static bool turn(struct chirr_executor_ended *ended)
{
    if (chirr_executor_poll(executor, clock_now(), ended)) {
        return true;
    }
    int fds[CHIRR_EXECUTOR_FDS_MAX];
    struct pollfd items[CHIRR_EXECUTOR_FDS_MAX];
    size_t count = chirr_executor_fds(executor, fds, CHIRR_EXECUTOR_FDS_MAX);
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    }
    chirr_time_us wait = chirr_executor_deadline(executor) - clock_now();
    wait = wait < 0 ? 0 : wait > 100000 ? 100000 : wait;
    struct timespec timeout = {.tv_nsec = wait * 1000};
    ppoll(items, count, &timeout, NULL);
    return false;
}

static struct chirr_executor_ended wait_end(int timeout_ms)
{
    struct chirr_executor_ended ended;
    chirr_time_us end = clock_now() + chirr_time_from_ms(timeout_ms);
    while (!turn(&ended)) {
        cr_assert(clock_now() < end, "nothing ended within %d ms", timeout_ms);
    }
    return ended;
}

static struct chirr_executor_ended run(const struct chirr_task_spec *spec)
{
    start(TASK, spec);
    return wait_end(20000);
}

static void assert_output(const struct chirr_executor_ended *ended, const char *text)
{
    cr_assert_eq(ended->result.output_bytes, strlen(text), "%.*s", (int)ended->result.output_bytes,
                 (const char *)ended->result.output);
    cr_assert_eq(memcmp(ended->result.output, text, strlen(text)), 0);
}

/* A zombie counts as gone: whoever inherited it has not looked yet. */
static bool is_gone(pid_t pid)
{
    char path[64], state = 'X';
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return true;
    }
    bool read = fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
    fclose(file);
    return !read || state == 'Z' || state == 'X';
}

static void assert_gone(pid_t pid)
{
    for (int i = 0; i < 500 && !is_gone(pid); i++) {
        usleep(10000);
    }
    cr_assert(is_gone(pid), "%d still runs", pid);
}

/* The pid that a job wrote into a file of its directory, once it is there. */
static pid_t pid_in(const char *name)
{
    char file[64];
    struct chirr_executor_ended ended;
    int pid = 0;
    snprintf(file, sizeof file, "runs/%016llx-1/%s", (unsigned long long)TASK, name);
    for (int i = 0; i < 500 && pid == 0; i++) {
        if (executor != NULL) {
            cr_assert_not(turn(&ended));
        }
        FILE *in = fopen(directory_file(directory, file), "r");
        if (in != NULL && fscanf(in, "%d\n", &pid) != 1) {
            pid = 0;
        }
        if (in != NULL) {
            fclose(in);
        }
        usleep(10000);
    }
    cr_assert(pid > 1);
    return pid;
}

Test(executor, reports_exit_code_output_and_duration)
{
    create();
    struct chirr_task_spec spec = shell("echo out; echo err >&2; sleep 0.1; exit 7", 10000);
    struct chirr_executor_ended ended = run(&spec);
    cr_assert_eq(ended.task, TASK);
    cr_assert_eq(ended.epoch, 1);
    cr_assert_not(ended.stopped);
    cr_assert_eq(ended.result.end, CHIRR_TASK_END_EXITED);
    cr_assert_eq(ended.result.code, 7);
    assert_output(&ended, "out\nerr\n");
    cr_assert_eq(ended.result.output_total_bytes, 8);
    cr_assert(ended.result.duration_us >= 100000 && ended.result.duration_us < 10000000);
    cr_assert_eq(chirr_executor_count(executor)->running, 0);
    cr_assert_eq(chirr_executor_count(executor)->guard_failures, 0);
}

Test(executor, gives_a_job_a_clean_world)
{
    setenv("SECRET", "leaks", 1);
    create();
    int leak = dup(STDOUT_FILENO);
    signal(SIGPIPE, SIG_IGN);
    struct chirr_task_spec spec =
        shell("env | cut -d= -f1 | sort | tr '\\n' ' '; pwd; ls /proc/self/fd | wc -l; "
              "cat; grep SigIgn /proc/self/status",
              10000);
    struct chirr_executor_ended ended = run(&spec);
    close(leak);
    char text[2048], expected[1024];
    snprintf(text, sizeof text, "%.*s", (int)ended.result.output_bytes,
             (const char *)ended.result.output);
    /* ls itself has one open; PWD is the shell's own. */
    snprintf(expected, sizeof expected,
             "CHIRR_EPOCH CHIRR_TASK HOME LANG PATH PWD TMPDIR %s/runs/%016llx-1\n4\n"
             "SigIgn:\t0000000000000000\n",
             directory, (unsigned long long)TASK);
    cr_assert_str_eq(text, expected);
}

Test(executor, reports_what_cannot_be_executed_with_its_errno)
{
    create();
    struct chirr_task_spec spec = command("no-such-program", 1000);
    struct chirr_executor_ended ended = run(&spec);
    cr_assert_eq(ended.result.end, CHIRR_TASK_END_NOT_STARTED);
    cr_assert_eq(ended.result.code, ENOENT);
    spec = command("/no/such/program", 1000);
    ended = run(&spec);
    cr_assert_eq(ended.result.end, CHIRR_TASK_END_NOT_STARTED);
    cr_assert_eq(ended.result.code, ENOENT);
    spec = command("/etc", 1000);
    ended = run(&spec);
    cr_assert_eq(ended.result.end, CHIRR_TASK_END_NOT_STARTED);
    cr_assert_eq(ended.result.code, EACCES);
    cr_assert_eq(chirr_executor_count(executor)->not_started, 3);
}

Test(executor, kills_a_hanging_job_and_its_children_at_the_limit)
{
    create();
    struct chirr_task_spec spec =
        shell("trap '' TERM; (trap '' TERM; echo $$ > /dev/null; exec sleep 60) & echo $! > child; "
              "while :; do sleep 60; done",
              1500);
    start(TASK, &spec);
    pid_t grandchild = pid_in("child");
    struct chirr_executor_ended ended = wait_end(10000);
    cr_assert_eq(ended.result.end, CHIRR_TASK_END_TIMEOUT);
    cr_assert_eq(ended.result.code, SIGKILL);
    cr_assert(ended.result.duration_us >= 1800000, "limit and grace");
    cr_assert_eq(chirr_executor_count(executor)->timeouts, 1);
    cr_assert_eq(chirr_executor_count(executor)->killed, 1);
    assert_gone(grandchild);
}

Test(executor, lets_a_job_clean_up_at_its_limit)
{
    config.grace_ms = 5000;
    create();
    struct chirr_task_spec spec = shell("trap 'echo bye; exit 3' TERM; sleep 60 & wait", 1000);
    struct chirr_executor_ended ended = run(&spec);
    cr_assert_eq(ended.result.end, CHIRR_TASK_END_TIMEOUT);
    cr_assert_eq(ended.result.code, 3);
    assert_output(&ended, "bye\n");
    cr_assert_eq(chirr_executor_count(executor)->killed, 0);
}

Test(executor, kills_what_a_job_left_behind)
{
    create();
    struct chirr_task_spec spec = shell("sleep 60 & echo $! > child; exit 0", 10000);
    start(TASK, &spec);
    struct chirr_executor_ended ended = wait_end(5000);
    cr_assert_eq(ended.result.end, CHIRR_TASK_END_EXITED);
    assert_gone(pid_in("child"));
}

Test(executor, reports_a_crash_as_its_signal)
{
    create();
    struct chirr_task_spec spec = shell("kill -SEGV $$", 10000);
    struct chirr_executor_ended ended = run(&spec);
    cr_assert_eq(ended.result.end, CHIRR_TASK_END_SIGNALLED);
    cr_assert_eq(ended.result.code, SIGSEGV);
}

Test(executor, bounds_and_counts_a_flood_without_blocking_the_job)
{
    config.output_bytes_max = 100000;
    create();
    struct chirr_task_spec spec =
        shell("head -c 50000000 /dev/zero | tr '\\0' x; echo; echo the end", 50000);
    struct chirr_executor_ended ended = run(&spec);
    cr_assert_eq(ended.result.end, CHIRR_TASK_END_EXITED);
    cr_assert_eq(ended.result.output_total_bytes, 50000009);
    cr_assert_eq(ended.result.output_bytes, CHIRR_RESULT_OUTPUT_BYTES_MAX);
    cr_assert_eq(
        memcmp(ended.result.output + CHIRR_RESULT_OUTPUT_BYTES_MAX - 10, "x\nthe end\n", 10), 0);
    cr_assert_eq(chirr_executor_count(executor)->output_bytes, 100000);
    cr_assert_eq(chirr_executor_count(executor)->discarded_bytes, 49900009);
    char name[64];
    struct stat status;
    snprintf(name, sizeof name, "runs/%016llx-1/output", (unsigned long long)TASK);
    cr_assert_eq(stat(directory_file(directory, name), &status), 0);
    cr_assert_eq(status.st_size, 100000);
}

Test(executor, stops_a_run_and_says_so)
{
    create();
    struct chirr_task_spec spec = command("sleep", 60000);
    add_argument(&spec, "60");
    start(TASK, &spec);
    cr_assert_eq(chirr_executor_stop(executor, TASK, 2, clock_now()), CHIRR_ERR_NOTFOUND);
    cr_assert_eq(chirr_executor_stop(executor, TASK, 1, clock_now()), CHIRR_OK);
    struct chirr_executor_ended ended = wait_end(5000);
    cr_assert(ended.stopped);
    cr_assert_eq(ended.result.end, CHIRR_TASK_END_SIGNALLED);
    cr_assert_eq(ended.result.code, SIGTERM);
    cr_assert_eq(chirr_executor_count(executor)->stopped, 1);
    cr_assert_eq(chirr_executor_stop(executor, TASK, 1, clock_now()), CHIRR_ERR_NOTFOUND);
}

Test(executor, refuses_more_runs_than_slots_and_one_twice)
{
    config.slots_max = 2;
    create();
    struct chirr_task_spec spec = command("sleep", 60000);
    add_argument(&spec, "60");
    start(1, &spec);
    cr_assert_eq(chirr_executor_start(executor, 1, 1, &spec, 0), CHIRR_ERR_EXISTS);
    start(2, &spec);
    cr_assert_eq(chirr_executor_start(executor, 3, 1, &spec, 0), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_executor_count(executor)->refused_full, 1);
    cr_assert_eq(chirr_executor_count(executor)->running, 2);
}

/* CPU seconds that a busy loop got, per second of wall time, at a share. */
static double measured_share(uint32_t cpu_permille)
{
    config.cpu_permille = cpu_permille;
    create();
    struct chirr_task_spec spec = shell("trap 'times; exit' TERM; while :; do :; done", 1500);
    struct chirr_executor_ended ended = run(&spec);
    char text[CHIRR_RESULT_OUTPUT_BYTES_MAX + 1] = {0};
    memcpy(text, ended.result.output, ended.result.output_bytes);
    double minutes[2], seconds[2];
    cr_assert_eq(
        sscanf(text, "%lfm%lfs %lfm%lfs", &minutes[0], &seconds[0], &minutes[1], &seconds[1]), 4,
        "%s", text);
    chirr_executor_destroy(executor);
    executor = NULL;
    return (minutes[0] * 60 + seconds[0] + minutes[1] * 60 + seconds[1]) * 1e6 /
           (double)ended.result.duration_us;
}

Test(executor, holds_a_busy_job_to_its_share_of_a_cpu)
{
    double tenth = measured_share(100), half = measured_share(500), whole = measured_share(1000);
    /* On a loaded machine a whole CPU may not be had: the lower bound is relative. */
    cr_assert(tenth < 0.2, "share %.2f of 0.1", tenth);
    cr_assert(half > 0.2 * whole && half < 0.7, "share %.2f of 0.5, whole %.2f", half, whole);
}

Test(executor, ends_everything_when_destroyed)
{
    create();
    struct chirr_task_spec spec = shell("trap '' TERM; sleep 60 & echo $! > child; wait", 60000);
    start(TASK, &spec);
    pid_t grandchild = pid_in("child");
    chirr_executor_destroy(executor);
    executor = NULL;
    assert_gone(grandchild);
}

Test(executor, takes_its_jobs_along_when_it_is_killed)
{
    pid_t agent = fork();
    if (agent == 0) {
        config.cpu_permille = 300; /* a paused group must die too */
        create();
        struct chirr_task_spec spec =
            shell("echo $$ > self; sleep 60 & echo $! > child; wait", 60000);
        start(TASK, &spec);
        struct chirr_executor_ended ended;
        for (;;) {
            turn(&ended);
        }
    }
    pid_t job = pid_in("self"), grandchild = pid_in("child");
    cr_assert_not(is_gone(job));
    kill(agent, SIGKILL);
    waitpid(agent, NULL, 0);
    assert_gone(job);
    assert_gone(grandchild);
}

static size_t count_directories(void)
{
    DIR *runs = opendir(directory_file(directory, "runs"));
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(runs)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    closedir(runs);
    return count;
}

Test(executor, keeps_the_newest_run_directories_and_removes_large_old_ones)
{
    config.kept_runs_max = 3;
    create();
    struct chirr_task_spec big =
        shell("mkdir -p a/b; i=0; while [ $i -lt 300 ]; do : > a/b/$i; i=$((i+1)); done; "
              "ln -s / link; chmod 000 a/b",
              20000);
    struct chirr_task_spec small = command("true", 10000);
    for (chirr_task_id task = 1; task <= 6; task++) {
        start(task, task == 1 ? &big : &small);
        wait_end(20000);
    }
    struct chirr_executor_ended ended;
    for (int i = 0; i < 1000 && chirr_executor_deadline(executor) != CHIRR_TIME_NEVER; i++) {
        cr_assert_not(turn(&ended));
    }
    cr_assert_eq(count_directories(), 3);
    cr_assert_eq(chirr_executor_count(executor)->directories_removed, 3);
    struct stat status;
    cr_assert_eq(stat(directory_file(directory, "runs/0000000000000006-1/output"), &status), 0);
}

Test(executor, needs_a_state_directory_and_children_it_can_wait_for)
{
    snprintf(config.state_dir, sizeof config.state_dir, "%s/none", directory);
    cr_assert_null(chirr_executor_create(&config, &error));
    cr_assert_eq(error.code, CHIRR_ERR_IO);
    cr_assert_not_null(strstr(error.text, "/none"), "%s", error.text);
    snprintf(config.state_dir, sizeof config.state_dir, "%s", directory);
    config.slots_max = 0;
    cr_assert_null(chirr_executor_create(&config, &error));
    cr_assert_eq(error.code, CHIRR_ERR_RANGE);
    config.slots_max = 1;
    signal(SIGCHLD, SIG_IGN);
    cr_assert_null(chirr_executor_create(&config, &error));
    cr_assert_eq(error.code, CHIRR_ERR_STATE);
}
