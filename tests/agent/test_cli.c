/* The executable as people and scripts use it: words, exit codes, output. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/agent/cli_home.h"

TestSuite(cli, .init = cli_home_enter, .fini = cli_home_leave, .timeout = 60);

Test(cli, version_and_help_are_data_and_go_to_standard_output)
{
    run_chirr(&run, "--version", NULL);
    cr_expect_eq(run.code, 0);
    cr_expect_eq(strncmp(run.out, "chirr ", 6), 0);
    run_chirr(&run, "help", NULL);
    cr_expect_eq(run.code, 0);
    cr_expect_not_null(strstr(run.out, "usage: chirr COMMAND"));
    cr_expect_str_eq(run.err, "");
}

Test(cli, every_command_has_help_both_ways)
{
    static const char *const commands[] = {"up",    "agent",  "ps",  "explain", "task",
                                           "model", "keygen", "sim", "bench"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char usage[64];
        snprintf(usage, sizeof usage, "usage: chirr %s", commands[i]);
        run_chirr(&run, commands[i], "--help", NULL);
        cr_expect_eq(run.code, 0, "%s", commands[i]);
        cr_expect_eq(strncmp(run.out, usage, strlen(usage)), 0, "%s", run.out);
        run_chirr(&run, "help", commands[i], NULL);
        cr_expect_eq(run.code, 0, "%s", commands[i]);
        cr_expect_eq(strncmp(run.out, usage, strlen(usage)), 0, "%s", run.out);
    }
    static const char *const verbs[] = {"submit", "list", "show", "wait", "cancel"};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        run_chirr(&run, "task", verbs[i], "--help", NULL);
        cr_expect_eq(run.code, 0, "%s", verbs[i]);
        cr_expect_not_null(strstr(run.out, "Exit code: 0"), "%s", run.out);
    }
}

static const struct misuse {
    const char *words[6];
    const char *message;
} misuses[] = {
    {{"dance"}, "chirr: expected a command, got \"dance\" (see chirr help)\n"},
    {{"help", "dance"}, "chirr: expected a command, got \"dance\" (see chirr help)\n"},
    {{"ps", "--jsn"}, "chirr ps: unknown option --jsn (see chirr ps --help)\n"},
    {{"ps", "-x"}, "chirr ps: unknown option -x (see chirr ps --help)\n"},
    {{"ps", "all"}, "chirr ps: expected options alone, got \"all\" (see chirr ps --help)\n"},
    {{"ps", "--swarm"}, "chirr ps: option --swarm needs a value (see chirr ps --help)\n"},
    {{"explain", "ant"},
     "chirr explain: expected options alone, got \"ant\" (see chirr explain --help)\n"},
    {{"task"}, "chirr task: expected submit, list, show, wait or cancel (see chirr task --help)\n"},
    {{"task", "shout"},
     "chirr task: expected submit, list, show, wait or cancel, got \"shout\" "
     "(see chirr task --help)\n"},
    {{"task", "submit"},
     "chirr task submit: expected a command after -- (see chirr task submit --help)\n"},
    {{"task", "submit", "--size", "5q", "--", "a"},
     "chirr task submit: --size: expected a size in bytes (as in 1500, 64K, 16M) from 0 to "
     "9223372036854775807, got \"5q\" (see chirr task submit --help)\n"},
    {{"task", "submit", "--priority", "10", "--", "a"},
     "chirr task submit: --priority: expected a whole number from 0 to 9, got \"10\" (see chirr "
     "task submit --help)\n"},
    {{"task", "submit", "--time-limit", "60", "--", "a"},
     "chirr task submit: --time-limit: expected a duration (as in 250ms, 60s, 5m) from 1 to "
     "86400000 ms, got \"60\" (see chirr task submit --help)\n"},
    {{"task", "show"},
     "chirr task show: expected a task's id, 4 to 16 hexadecimal digits (see "
     "chirr task show --help)\n"},
    {{"task", "show", "xyzw"},
     "chirr task show: expected a task's id, 4 to 16 hexadecimal digits, "
     "got \"xyzw\" (see chirr task show --help)\n"},
    {{"keygen", "a"},
     "chirr keygen: expected options alone, got \"a\" (see chirr keygen --help)\n"},
    {{"bench"}, "chirr bench: expected what to measure: model or swarm (see chirr bench --help)\n"},
    {{"bench", "swarms"},
     "chirr bench: expected what to measure: model or swarm, got \"swarms\" (see chirr bench "
     "--help)\n"},
    {{"bench", "model", "fast"},
     "chirr bench: expected options alone, got \"fast\" (see chirr bench --help)\n"},
    {{"bench", "model", "--only", "speed"},
     "chirr bench: --only: no benchmark \"speed\"; chirr bench model --list shows all (see chirr "
     "bench --help)\n"},
    {{"bench", "model", "--seeds", "0"},
     "chirr bench: --seeds: expected a whole number from 1 to 16, got \"0\" (see chirr bench "
     "--help)\n"},
    {{"bench", "model", "--bytes", "1M"},
     "chirr bench: --bytes: expected a whole number from 256 to 100000000, got \"1M\" (see chirr "
     "bench --help)\n"},
    {{"agent"}, "chirr agent: expected one file, AGENT.yaml (see chirr agent --help)\n"},
};

Test(cli, a_wrong_command_line_ends_with_2_and_says_what_was_expected)
{
    for (size_t i = 0; i < sizeof misuses / sizeof misuses[0]; i++) {
        const char *const *w = misuses[i].words;
        run_chirr(&run, w[0], w[1], w[2], w[3], w[4], w[5], NULL);
        cr_expect_eq(run.code, 2, "%s %s", w[0], w[1]);
        cr_expect_str_eq(run.err, misuses[i].message, "got: %s", run.err);
        cr_expect_str_eq(run.out, "");
    }
}

/* ---- bench --------------------------------------------------------------------------------- */

Test(cli, a_benchmark_prints_one_object_a_line)
{
    run_chirr(&run, "bench", "model", "--only", "memory", "--json", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    size_t lines = 0;
    size_t targets = 0;
    for (char *line = strtok(run.out, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        json_t *object = json_loads(line, 0, NULL);
        const char *bench, *metric, *unit;
        double value, params;
        cr_assert_eq(json_unpack(object, "{s:s, s:s, s:s, s:F, s:F}", "bench", &bench, "metric",
                                 &metric, "unit", &unit, "value", &value, "params", &params),
                     0, "%s", line);
        cr_expect_str_eq(bench, "model.memory");
        cr_expect_gt(value, sizeof(float) * params);
        const char *target;
        double bound;
        int pass;
        if (json_unpack(object, "{s:s, s:b}", "target", &target, "pass", &pass) == 0) {
            cr_assert_eq(sscanf(target, "<= %lf", &bound), 1, "%s", target);
            cr_expect_eq(pass, value <= bound);
            targets++;
        }
        json_decref(object);
        lines++;
    }
    cr_expect_geq(lines, 2);
    cr_expect_eq(targets, 4);
}

static void write_text(const char *path, size_t bytes)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    for (size_t i = 0; i < bytes; i++) {
        fputc("the quick brown fox "[i % 20], file);
    }
    cr_assert_eq(fclose(file), 0);
}

Test(cli, a_text_that_cannot_be_learned_ends_with_2_before_anything_is_measured)
{
    write_text("short", 255);
    static const struct {
        const char *path, *message;
    } texts[] = {
        {"nowhere", "chirr: nowhere: No such file or directory\n"},
        {".", "chirr: .: not a file\n"},
        {"short", "chirr: short: has 255 bytes, a pass needs 256: give a longer text or fewer "
                  "--bytes\n"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        run_chirr(&run, "bench", "model", "--bytes", "256", "--text", texts[i].path, NULL);
        cr_expect_eq(run.code, 2, "%s", texts[i].path);
        cr_expect_str_eq(run.err, texts[i].message, "got: %s", run.err);
        cr_expect_str_eq(run.out, "");
    }
}

Test(cli, quality_is_measured_on_the_text_that_is_given)
{
    write_text("fox", 256);
    run_chirr(&run, "bench", "model", "--only", "quality", "--bytes", "256", "--seeds", "2",
              "--text", "fox", "--json", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    double over_lstm = NAN;
    double of_learner[2] = {NAN, NAN};
    for (char *line = strtok(run.out, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        json_t *object = json_loads(line, 0, NULL);
        const char *text, *metric, *learner = "", *baseline = "";
        double value;
        cr_assert_eq(json_unpack(object, "{s:s, s:s, s:F, s?s, s?s}", "text", &text, "metric",
                                 &metric, "value", &value, "learner", &learner, "baseline",
                                 &baseline),
                     0, "%s", line);
        cr_expect_str_eq(text, "fox");
        if (strcmp(metric, "bits_over_lstm") == 0 && strcmp(baseline, "bytes") == 0) {
            over_lstm = value;
        } else if (strcmp(learner, "chirr") == 0 || strcmp(learner, "lstm") == 0) {
            of_learner[learner[0] == 'l'] = value;
        }
        json_decref(object);
    }
    cr_expect(of_learner[0] > 0 && of_learner[0] < 9, "%f bits", of_learner[0]);
    cr_expect_float_eq(over_lstm, of_learner[0] - of_learner[1], 1e-4);
}

Test(cli, benchmarks_are_listed_without_running_them)
{
    run_chirr(&run, "bench", "model", "--list", NULL);
    cr_expect_eq(run.code, 0);
    cr_expect_not_null(strstr(run.out, "model.forward"));
    cr_expect_not_null(strstr(run.out, "model.memory"));
    run_chirr(&run, "bench", "model", "--only", "model.memory", "--list", NULL);
    cr_expect_null(strstr(run.out, "model.forward"));
}

/* ---- agent, keygen ------------------------------------------------------------------------- */

Test(cli, an_agents_file_is_checked_without_starting_anything)
{
    static const char wrong[] = "name: a\nswarm: hill\ncpus: 1\n";
    directory_write(home, "a.yaml", wrong, sizeof wrong - 1);
    run_chirr(&run, "agent", "a.yaml", NULL);
    cr_expect_eq(run.code, 2);
    cr_expect_str_eq(run.err, "chirr: a.yaml:3: cpus: expected a known key (did you mean "
                              "\"cpu\"?), got \"cpus\"\n");
    directory_write(home, "a.yaml", wrong, strlen("name: a\nswarm: hill\n"));
    run_chirr(&run, "agent", "--check", "a.yaml", NULL);
    cr_expect_eq(run.code, 0);
    cr_expect_str_eq(run.err, "");
    cr_expect_neq(access(".local", F_OK), 0, "nothing was made");
    run_chirr(&run, "agent", "none.yaml", NULL);
    cr_expect_eq(run.code, 2);
    cr_expect_str_eq(run.err, "chirr: none.yaml: cannot be read: No such file or directory\n");
}

Test(cli, keygen_makes_a_private_file_and_never_overwrites_one)
{
    struct stat status;
    run_chirr(&run, "keygen", "--out", "me", NULL);
    cr_expect_eq(run.code, 0, "%s", run.err);
    cr_expect_eq(strlen(run.out), 65);
    cr_expect_eq(strspn(run.out, "0123456789abcdef"), 64);
    cr_assert_eq(stat("me", &status), 0);
    cr_expect_eq(status.st_mode & 0777, 0600);
    run_chirr(&run, "keygen", "--out", "me", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_str_eq(run.out, "");
    run_chirr(&run, "keygen", "--json", NULL);
    cr_expect_eq(run.code, 0);
    json_t *key = json_loads(run.out, 0, NULL);
    cr_expect_str_eq(json_string_value(json_object_get(key, "file")), "identity");
    cr_expect_eq(json_string_length(json_object_get(key, "id")), 16);
    cr_expect_eq(json_string_length(json_object_get(key, "key")), 64);
    json_decref(key);
}

static const char lone[] = "name: lone\nswarm: hill\nmodel: {enabled: false}\n"
                           "auction: {settle: 50ms}\n";

static void await_agent(void)
{
    for (int i = 0; i < 200; i++) {
        run_chirr(&run, "ps", NULL);
        if (run.code == 0) {
            return;
        }
        usleep(50000);
    }
    cr_assert_fail("the agent does not come up");
}

Test(cli, a_real_agent_does_a_job_and_leaves_on_a_signal)
{
    int status;
    directory_write(home, "lone.yaml", lone, strlen(lone));
    pid_t pid = start_chirr("agent", "lone.yaml", NULL);
    await_agent();
    run_chirr(&run, "task", "submit", "--", "sh", "-c", "echo done; exit 0", NULL);
    cr_expect_eq(run.code, 0, "%s", run.err);
    cr_expect_str_eq(run.out, "done\n");
    run_chirr(&run, "task", "submit", "--", "sh", "-c", "exit 7", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_not_null(strstr(run.err, "failed on lone: exit 7"), "%s", run.err);
    run_chirr(&run, "task", "submit", "--", "/no/such/program", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_not_null(strstr(run.err, "could not be started on lone: No such file or directory"),
                       "%s", run.err);
    run_chirr(&run, "agent", "lone.yaml", NULL);
    cr_expect_eq(run.code, 1, "a second one of that name");
    cr_expect_not_null(strstr(run.err, "running already"), "%s", run.err);
    kill(pid, SIGTERM);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFEXITED(status));
    cr_expect_eq(WEXITSTATUS(status), 0);
    run_chirr(&run, "ps", NULL);
    cr_expect_eq(run.code, 3, "its socket is gone");
}

/* ---- ps ------------------------------------------------------------------------------------ */

static json_t *status_answer(struct fake_agent *fake, const char *verb, const json_t *request)
{
    cr_assert_str_eq(verb, "status");
    return json_pack("{s:b, s:{s:s, s:s}, s:{s:f, s:f}, s:{s:i, s:i}, s:{s:i, s:i, s:i, s:f, s:n},"
                     " s:[{s:s}, {s:s}, {s:s}], s:{s:i, s:i, s:i}}",
                     "ok", 1, "agent", "name", fake->name, "device", "pi", "model", "bits_now",
                     2.34567, "surprise", -0.5, "knowledge", "bytes_out", 512, "bytes_in", 20480,
                     "tasks", "done_here", 3, "failed_here", 1, "running", 2, "predicted_s_last",
                     1.5, "real_s_last", "members", "status", "alive", "status", "suspect",
                     "status", "dead", "drops", "send_full", 2, "malformed", 3,
                     "executor_output_bytes", 9999);
}

Test(cli, ps_without_agents_ends_with_3)
{
    char expected[DIRECTORY_PATH_BYTES_MAX + 64];
    run_chirr(&run, "ps", NULL);
    cr_expect_eq(run.code, 3);
    snprintf(expected, sizeof expected, "chirr: no agent is running (in %s/chirr)\n", home);
    cr_expect_str_eq(run.err, expected);
    run_chirr(&run, "ps", "--swarm", "hill", "--agent", "ant", NULL);
    cr_expect_eq(run.code, 3);
    snprintf(expected, sizeof expected,
             "chirr: no agent ant of swarm hill is running (in %s/chirr)\n", home);
    cr_expect_str_eq(run.err, expected);
}

Test(cli, ps_shows_an_aligned_row_for_every_agent_that_answers)
{
    struct fake_agent ant = {.name = "ant", .answer = status_answer};
    struct fake_agent longer = {.name = "grasshopper", .answer = status_answer};
    fake_agent_begin(&ant, runtime);
    fake_agent_begin(&longer, runtime);
    run_chirr(&run, "ps", NULL);
    cr_expect_eq(run.code, 0);
    cr_expect_str_eq(run.out,
                     "SWARM  AGENT        DEVICE   BITS  SURPRISE  KNOW OUT  KNOW IN  DONE  FAILED"
                     "  RUNNING  PREDICTED  REAL  MEMBERS  DROPS\n"
                     "hill   ant          pi      2.346     -0.50       512      20K     3       1"
                     "        2       1.50     -      3/4      5\n"
                     "hill   grasshopper  pi      2.346     -0.50       512      20K     3       1"
                     "        2       1.50     -      3/4      5\n",
                     "%s", run.out);
    run_chirr(&run, "ps", "--json", "--agent", "ant", NULL);
    json_t *list = json_loads(run.out, 0, NULL);
    cr_expect_eq(json_array_size(list), 1);
    json_t *agent = json_object_get(json_array_get(list, 0), "agent");
    cr_expect_str_eq(json_string_value(json_object_get(agent, "name")), "ant");
    json_decref(list);
    fake_agent_end(&ant);
    fake_agent_end(&longer);
}

Test(cli, ps_passes_over_the_socket_of_an_agent_that_was_killed)
{
    struct fake_agent ant = {.name = "ant", .answer = status_answer};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    fake_agent_begin(&ant, runtime);
    snprintf(address.sun_path, sizeof address.sun_path, "%.90s/dead.sock", runtime);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    run_chirr(&run, "ps", NULL);
    cr_expect_eq(run.code, 0);
    cr_expect_not_null(strstr(run.out, "ant"));
    cr_expect_null(strstr(run.out, "dead"));
    fake_agent_end(&ant);
    run_chirr(&run, "ps", NULL);
    cr_expect_eq(run.code, 3);
    cr_expect_str_eq(run.err, "chirr: no agent is running (what is left are sockets of agents that "
                              "ended)\n");
}

Test(cli, ps_shows_every_swarm_and_looks_where_it_is_told)
{
    char other[DIRECTORY_PATH_BYTES_MAX + 32];
    struct fake_agent ant = {.name = "ant", .answer = status_answer};
    struct fake_agent bee = {.name = "bee", .answer = status_answer};
    snprintf(other, sizeof other, "%s/chirr/hive", home);
    fake_agent_begin(&ant, runtime);
    fake_agent_begin(&bee, other);
    run_chirr(&run, "ps", NULL);
    cr_expect_not_null(strstr(run.out, "hill   ant"));
    cr_expect_not_null(strstr(run.out, "hive   bee"));
    run_chirr(&run, "ps", "--swarm", "hive", NULL);
    cr_expect_null(strstr(run.out, "ant"));
    run_chirr(&run, "ps", "--runtime", "chirr/hill", NULL);
    cr_expect_not_null(strstr(run.out, "ant"));
    cr_expect_null(strstr(run.out, "bee"));
    fake_agent_end(&ant);
    fake_agent_end(&bee);
}
