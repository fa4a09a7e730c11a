/* Whole fleets over real sockets: `chirr up` as people run it, and what it leaves behind. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS 12
#define PATH_BYTES 256

/* Every test runs in a process of its own, so this is one fleet's. */
static char directory[] = "/tmp/chirr-fleet-XXXXXX";

static void path_in(char path[PATH_BYTES], const char *name)
{
    snprintf(path, PATH_BYTES, "%s/%s", directory, name);
}

static void write_text(const char *name, const char *text)
{
    char path[PATH_BYTES];
    path_in(path, name);
    FILE *file = fopen(path, "we");
    cr_assert_not_null(file);
    fputs(text, file);
    cr_assert_eq(fclose(file), 0);
}

/* Static storage; "" where there is no such file. */
static const char *read_text(const char *name)
{
    static char text[1 << 16];
    char path[PATH_BYTES];
    path_in(path, name);
    FILE *file = fopen(path, "re");
    size_t bytes = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
    text[bytes] = '\0';
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

static void make_directory(void)
{
    cr_assert_not_null(mkdtemp(directory));
    /* Control sockets and state of this test alone. */
    setenv("XDG_RUNTIME_DIR", directory, 1);
    setenv("HOME", directory, 1);
    setenv("NO_COLOR", "1", 1);
    FILE *corpus;
    char path[PATH_BYTES];
    path_in(path, "corpus.txt");
    corpus = fopen(path, "we");
    cr_assert_not_null(corpus);
    for (int i = 0; i < 4000; i++) {
        fprintf(corpus, "line %d of a text to learn from\n", i);
    }
    fclose(corpus);
}

static void remove_directory(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", directory, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

/* A fleet of three; `port` 0: any; `glob`: what the agents read. */
static void write_fleet(int port, const char *glob)
{
    char text[4096];
    char ports[64] = "";
    if (port != 0) {
        snprintf(ports, sizeof ports, ", port: %d", port);
    }
    snprintf(
        text, sizeof text,
        "swarm: test\n"
        "model: {width: 16, layers: 1, section_width: 32, mlp_width: 16, rates: 2,\n"
        "        partitions: 2, control: true}\n"
        "devices:\n"
        "  small: {cpu: 0.5, slots: 1}\n"
        "agents:\n"
        "  - {name: ant, device: small, count: 3%s,\n"
        "     senses: [{name: text, from: \"file:%s\", rate: 500, held_out: 0.1}]}\n"
        "workload:\n"
        "  jobs: %d\n"
        "  over: 7s\n"
        "  time_limit: 20s\n"
        "  kinds:\n"
        "    - {kind: count, command: \"sleep 0.7; wc -c < {input}\", input: lines, size: [1K, "
        "4K]}\n"
        "    - {kind: nap, command: \"sleep 0.4\"}\n",
        ports, glob, JOBS);
    write_text("fleet.yaml", text);
}

/* `chirr up fleet.yaml …` with its output in `out` and `err`. */
static pid_t start_up(const char *const extra[], const char *out, const char *err)
{
    const char *arguments[16] = {"chirr", "up", "fleet.yaml"};
    for (int i = 0; extra[i] != NULL; i++) {
        arguments[3 + i] = extra[i];
    }
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        /* Criterion's own handlers and masks are none of its business. */
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        if (chdir(directory) != 0 || freopen(out, "w", stdout) == NULL ||
            freopen(err, "w", stderr) == NULL) {
            _exit(126);
        }
        execv(CHIRR_EXECUTABLE, (char *const *)arguments);
        _exit(127);
    }
    return pid;
}

/* The exit code; fails the test when it takes longer than `seconds`. */
static int wait_for(pid_t pid, int seconds)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    int status = 0;
    for (int i = 0; i < 20 * seconds; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            cr_assert(WIFEXITED(status), "chirr up ended by signal %d", WTERMSIG(status));
            return WEXITSTATUS(status);
        }
        nanosleep(&pause, NULL);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    cr_assert_fail("chirr up did not end in %d s: %s", seconds, read_text("err"));
    return -1;
}

/* ---- Who runs -------------------------------------------------------------------------------- */

/* Its bytes, the arguments' NULs among them; -1: no such process. */
static ssize_t command_line(const char *pid, char *line, size_t capacity)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t bytes = read(fd, line, capacity);
    close(fd);
    return bytes;
}

static bool names_directory(const char *pid)
{
    char line[4096];
    ssize_t bytes = command_line(pid, line, sizeof line);
    return bytes > 0 && memmem(line, (size_t)bytes, directory, strlen(directory)) != NULL;
}

/* Agents and jobs have this test's directory in their command line. */
static int process_count(void)
{
    int count = 0;
    DIR *proc = opendir("/proc");
    cr_assert_not_null(proc);
    for (struct dirent *entry = readdir(proc); entry != NULL; entry = readdir(proc)) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            count += names_directory(entry->d_name);
        }
    }
    closedir(proc);
    return count;
}

/* The agent whose file ends so; 0: none runs. It is older than the guard that it forks. */
static pid_t agent_process(const char *ending)
{
    pid_t found = 0;
    DIR *proc = opendir("/proc");
    cr_assert_not_null(proc);
    for (struct dirent *entry = readdir(proc); entry != NULL; entry = readdir(proc)) {
        char line[4096];
        ssize_t bytes = command_line(entry->d_name, line, sizeof line);
        if (bytes > 0 && memmem(line, (size_t)bytes, directory, strlen(directory)) != NULL &&
            memmem(line, (size_t)bytes, ending, strlen(ending)) != NULL &&
            (found == 0 || atoi(entry->d_name) < found)) {
            found = (pid_t)atoi(entry->d_name);
        }
    }
    closedir(proc);
    return found;
}

/* Whether, within `seconds`, the number of processes reaches at least `least` (or 0, for 0). */
static bool processes_become(int least, int seconds)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    for (int i = 0; i < 20 * seconds; i++) {
        int count = process_count();
        if (least == 0 ? count == 0 : count >= least) {
            return true;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

static bool text_appears(const char *name, const char *text, int seconds)
{
    const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    for (int i = 0; i < 10 * seconds; i++) {
        if (strstr(read_text(name), text) != NULL) {
            return true;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

/* ---- Sockets of our own ---------------------------------------------------------------------- */

static int tcp_socket(int port, bool listening)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    int failed = listening ? bind(fd, (struct sockaddr *)&address, sizeof address)
                           : connect(fd, (struct sockaddr *)&address, sizeof address);
    cr_assert_eq(failed, 0);
    if (listening) {
        cr_assert_eq(listen(fd, 1), 0);
    }
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t bytes = sizeof address;
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
    return ntohs(address.sin_port);
}

/* Sends rubbish to every endpoint that an agent's file names; returns to how many. */
static int send_noise(const char *agent_file)
{
    static const char noise[] = "\xff\x00GET / HTTP/1.1 \x7f\x01\x02 not what anybody expects";
    int sent = 0;
    char text[1 << 14];
    snprintf(text, sizeof text, "%s", read_text(agent_file));
    for (const char *at = strstr(text, "tcp://127.0.0.1:"); at != NULL;
         at = strstr(at + 1, "tcp://127.0.0.1:")) {
        int fd = tcp_socket(atoi(at + sizeof "tcp://127.0.0.1:" - 1), false);
        for (int i = 0; i < 50; i++) {
            (void)!send(fd, noise, sizeof noise, MSG_NOSIGNAL);
        }
        close(fd);
        sent++;
    }
    return sent;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static double figure(const json_t *summary, const char *group, const char *name)
{
    const json_t *value = json_object_get(json_object_get(summary, group), name);
    cr_assert(json_is_number(value), "%s.%s", group, name);
    return json_number_value(value);
}

static void check_summary(void)
{
    char path[PATH_BYTES];
    path_in(path, "summary.json");
    json_t *summary = json_load_file(path, 0, NULL);
    cr_assert_not_null(summary);
    cr_assert_eq(json_integer_value(json_object_get(summary, "kills")), 1);
    cr_assert_eq(json_integer_value(json_object_get(summary, "restarts")), 1);
    cr_assert_eq(figure(summary, "tasks", "submitted"), JOBS);
    cr_assert_eq(figure(summary, "tasks", "done"), JOBS);
    cr_assert_eq(figure(summary, "tasks", "failed"), 0);
    cr_assert_eq(figure(summary, "tasks", "lost"), 0);
    /* Whether a job was given out again is not asserted: the launcher kills an agent that ran one
     * when it last looked, and on a busy machine that job may have ended since. That a lost owner's
     * job is, test_auction_swarm proves, in virtual time. */
    cr_assert_gt(figure(summary, "bytes_on_wire", "records"), 0);
    const json_t *bits = json_object_get(summary, "bits_per_byte");
    cr_assert_lt(figure(bits, "own_heldout", "swarm"), figure(bits, "own_heldout", "start"));
    json_decref(summary);
}

Test(fleet, loses_no_job_to_kill_nine_or_noise_and_leaves_nothing_running, .init = make_directory,
     .fini = remove_directory, .timeout = 60)
{
    char corpus[PATH_BYTES];
    path_in(corpus, "corpus.txt");
    write_fleet(0, corpus);
    const char *const extra[] = {"--for",        "14s",     "--chaos", "--summary",
                                 "summary.json", "--state", "state",   NULL};
    pid_t pid = start_up(extra, "out", "err");
    cr_assert(text_appears("out", "3 of 3 agents up", 20), "%s", read_text("err"));
    cr_assert_geq(process_count(), 3);
    cr_assert_geq(send_noise("state/ant-1.yaml"), 2);
    cr_assert_eq(wait_for(pid, 40), 0, "%s", read_text("err"));
    cr_assert_eq(process_count(), 0);
    cr_assert_not_null(strstr(read_text("out"), "chaos: kill -9 of ant-"));
    check_summary();
}

Test(fleet, a_port_in_use_names_agent_and_port_and_starts_nothing, .init = make_directory,
     .fini = remove_directory, .timeout = 30)
{
    int taken = tcp_socket(0, true);
    char corpus[PATH_BYTES], expected[64];
    path_in(corpus, "corpus.txt");
    write_fleet(port_of(taken), corpus);
    const char *const extra[] = {"--for", "5s", "--state", "state", NULL};
    cr_assert_eq(wait_for(start_up(extra, "out", "err"), 15), 1);
    snprintf(expected, sizeof expected, "port %d is in use", port_of(taken));
    cr_assert_not_null(strstr(read_text("err"), expected), "%s", read_text("err"));
    cr_assert_not_null(strstr(read_text("err"), "agent ant-1"));
    cr_assert_eq(process_count(), 0);
    close(taken);
}

Test(fleet, an_agent_that_cannot_start_shows_the_end_of_its_log, .init = make_directory,
     .fini = remove_directory, .timeout = 30)
{
    write_fleet(0, "/nonexistent/*.txt");
    const char *const extra[] = {"--for", "5s", "--state", "state", NULL};
    cr_assert_eq(wait_for(start_up(extra, "out", "err"), 25), 1);
    cr_assert_not_null(strstr(read_text("err"), "ended as it started"), "%s", read_text("err"));
    cr_assert_not_null(strstr(read_text("err"), "/nonexistent/"), "%s", read_text("err"));
    cr_assert_eq(process_count(), 0);
}

Test(fleet, a_mistake_in_its_file_starts_nothing_and_exits_with_two, .init = make_directory,
     .fini = remove_directory, .timeout = 30)
{
    write_text("fleet.yaml", "swarm: test\nagents:\n  - {name: ant, sences: []}\n");
    const char *const extra[] = {"--state", "state", NULL};
    cr_assert_eq(wait_for(start_up(extra, "out", "err"), 15), 2);
    cr_assert_not_null(strstr(read_text("err"), "fleet.yaml:3"), "%s", read_text("err"));
    cr_assert_not_null(strstr(read_text("err"), "sences"), "%s", read_text("err"));
    cr_assert_eq(process_count(), 0);
}

Test(fleet, a_command_too_long_with_its_input_starts_nothing_and_exits_with_two,
     .init = make_directory, .fini = remove_directory, .timeout = 30)
{
    char text[2048];
    char command[512] = "";
    for (size_t at = 0; at + 8 < 380; at += 8) {
        memcpy(command + at, "{input} ", 9);
    }
    snprintf(text, sizeof text,
             "swarm: test\nagents:\n  - {name: ant}\nworkload:\n  jobs: 2\n"
             "  kinds:\n    - {kind: long, command: \"cat %s\", input: lines, size: [1K, 1K]}\n",
             command);
    write_text("fleet.yaml", text);
    const char *const extra[] = {"--for", "5s", "--state", "state", NULL};
    cr_assert_eq(wait_for(start_up(extra, "out", "err"), 5), 2, "%s", read_text("err"));
    cr_assert_not_null(strstr(read_text("err"), "kind long"), "%s", read_text("err"));
    cr_assert_eq(process_count(), 0);
}

Test(fleet, a_summary_that_cannot_be_written_starts_nothing_and_exits_with_two,
     .init = make_directory, .fini = remove_directory, .timeout = 30)
{
    static const char *const paths[] = {"missing/summary.json", "."};
    static const char *const reasons[] = {"missing/summary.json: the summary cannot be written: No "
                                          "such file or directory",
                                          ".: the summary cannot be written: Is a directory"};
    char corpus[PATH_BYTES];
    path_in(corpus, "corpus.txt");
    write_fleet(0, corpus);
    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {"--for", "5s", "--summary", paths[i], NULL};
        cr_assert_eq(wait_for(start_up(extra, "out", "err"), 3), 2, "%s", read_text("err"));
        cr_assert_not_null(strstr(read_text("err"), reasons[i]), "%s", read_text("err"));
        cr_assert_eq(process_count(), 0);
    }
}

Test(fleet, a_swarm_is_up_once_and_goes_down_with_its_launcher, .init = make_directory,
     .fini = remove_directory, .timeout = 60)
{
    char corpus[PATH_BYTES];
    path_in(corpus, "corpus.txt");
    write_fleet(0, corpus);
    const char *const first[] = {"--for", "60s", "--state", "state", NULL};
    const char *const second[] = {"--for", "60s", "--state", "another", NULL};
    pid_t pid = start_up(first, "out", "err");
    cr_assert(text_appears("out", "3 of 3 agents up", 20), "%s", read_text("err"));
    cr_assert_eq(wait_for(start_up(second, "out2", "err2"), 15), 1);
    cr_assert_not_null(strstr(read_text("err2"), "is up already"), "%s", read_text("err2"));
    cr_assert_geq(process_count(), 3);

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    cr_assert(processes_become(0, 15), "agents outlived their launcher");
}

Test(fleet, an_interrupted_fleet_stops_its_agents_and_says_what_was_done, .init = make_directory,
     .fini = remove_directory, .timeout = 60)
{
    char corpus[PATH_BYTES];
    path_in(corpus, "corpus.txt");
    write_fleet(0, corpus);
    const char *const extra[] = {"--for", "60s", "--state", "state", NULL};
    pid_t pid = start_up(extra, "out", "err");
    cr_assert(text_appears("out", "3 of 3 agents up", 20), "%s", read_text("err"));
    kill(pid, SIGINT);
    cr_assert_eq(wait_for(pid, 20), 130);
    cr_assert_eq(process_count(), 0);
    cr_assert_not_null(strstr(read_text("out"), "(interrupted)"));
}

Test(fleet, a_suspended_agent_holds_up_nobody_else, .init = make_directory,
     .fini = remove_directory, .timeout = 90)
{
    char corpus[PATH_BYTES], all_done[64];
    path_in(corpus, "corpus.txt");
    write_fleet(0, corpus);
    const char *const extra[] = {"--state", "state", NULL};
    pid_t pid = start_up(extra, "out", "err");
    cr_assert(text_appears("out", "3 of 3 agents up", 20), "%s", read_text("err"));
    pid_t suspended = agent_process("/ant-2.yaml");
    cr_assert_gt(suspended, 0);
    cr_assert_eq(kill(suspended, SIGSTOP), 0);
    cr_assert(text_appears("out", "ant-2 does not answer", 5), "%s", read_text("out"));
    cr_assert(text_appears("out", "2 of 3 agents up", 12), "%s", read_text("out"));
    snprintf(all_done, sizeof all_done, "jobs %d of %d done", JOBS, JOBS);
    cr_assert(text_appears("out", all_done, 42), "%s", read_text("out"));
    kill(pid, SIGINT);
    cr_assert_eq(wait_for(pid, 8), 0, "%s", read_text("err"));
    cr_assert_eq(process_count(), 0);
}

Test(fleet, an_agent_that_is_continued_answers_again, .init = make_directory,
     .fini = remove_directory, .timeout = 60)
{
    char corpus[PATH_BYTES];
    path_in(corpus, "corpus.txt");
    write_fleet(0, corpus);
    const char *const extra[] = {"--for", "60s", "--state", "state", NULL};
    pid_t pid = start_up(extra, "out", "err");
    cr_assert(text_appears("out", "3 of 3 agents up", 20), "%s", read_text("err"));
    pid_t suspended = agent_process("/ant-2.yaml");
    cr_assert_gt(suspended, 0);
    cr_assert_eq(kill(suspended, SIGSTOP), 0);
    cr_assert(text_appears("out", "ant-2 does not answer", 5), "%s", read_text("out"));
    cr_assert_eq(kill(suspended, SIGCONT), 0);
    cr_assert(text_appears("out", "ant-2 answers again", 8), "%s", read_text("out"));
    kill(pid, SIGINT);
    cr_assert_eq(wait_for(pid, 20), 130, "%s", read_text("err"));
}

Test(fleet, an_interrupted_examination_asks_nothing_more, .init = make_directory,
     .fini = remove_directory, .timeout = 60)
{
    char text[1024], path[PATH_BYTES];
    path_in(path, "corpus.txt");
    /* Wide enough that the first question still lasts when the signal comes. */
    snprintf(text, sizeof text,
             "swarm: test\n"
             "model: {width: 256, layers: 4, control: true}\n"
             "agents:\n"
             "  - {name: ant, count: 2,\n"
             "     senses: [{name: text, from: \"file:%s\", rate: 100, held_out: 0.1}]}\n",
             path);
    write_text("fleet.yaml", text);
    const char *const extra[] = {"--for",   "2s",    "--summary", "summary.json",
                                 "--state", "state", NULL};
    pid_t pid = start_up(extra, "out", "err");
    cr_assert(text_appears("err", "The agents are examined", 30), "%s", read_text("err"));
    kill(pid, SIGINT);
    cr_assert_eq(wait_for(pid, 25), 130, "%s", read_text("err"));
    path_in(path, "summary.json");
    json_t *summary = json_load_file(path, 0, NULL);
    const json_t *heldout = json_object_get(
        json_object_get(json_object_get(summary, "bits_per_byte"), "heldout"), "swarm");
    cr_assert(json_is_null(heldout));
    json_decref(summary);
}
