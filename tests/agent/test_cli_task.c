/* `chirr task` against agents that the test plays. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/agent/cli_home.h"

#define ID "00c0ffee00000001"

TestSuite(cli_task, .init = cli_home_enter, .fini = cli_home_leave, .timeout = 60);

static json_t *ok_task(json_t *task)
{
    return json_pack("{s:b, s:o}", "ok", 1, "task", task);
}

static json_t *not_found(void)
{
    return chirr_control_failure(CHIRR_ERR_NOTFOUND, "no such task is known here");
}

/* Knows one task that ended well, and takes every job as that one. */
static json_t *good_answer(struct fake_agent *fake, const char *verb, const json_t *request)
{
    const char *id = json_string_value(json_object_get(request, "task"));
    if (strcmp(verb, "submit") == 0) {
        return json_pack("{s:b, s:s}", "ok", 1, "task", ID);
    }
    if (strcmp(verb, "list") == 0) {
        return json_pack("{s:b, s:[o, o]}", "ok", 1, "tasks", task_json(ID, "done", "exited", 0),
                         task_json("00c0ffee00000002", "running", NULL, 0));
    }
    if (id == NULL || strcmp(id, ID) != 0) {
        return not_found();
    }
    return strcmp(verb, "cancel") == 0 ? chirr_control_failure(CHIRR_ERR_STATE, "it has ended")
                                       : ok_task(task_json(ID, "done", "exited", 0));
}

static json_t *bad_answer(struct fake_agent *fake, const char *verb, const json_t *request)
{
    return strcmp(verb, "submit") == 0 ? good_answer(fake, verb, request)
                                       : ok_task(task_json(ID, "done", "exited", 3));
}

static json_t *never_answer(struct fake_agent *fake, const char *verb, const json_t *request)
{
    if (strcmp(verb, "wait") == 0) {
        return chirr_control_failure(CHIRR_ERR_TIMEOUT, "not done in time");
    }
    return strcmp(verb, "show") == 0 ? ok_task(task_json(ID, "running", NULL, 0))
                                     : good_answer(fake, verb, request);
}

static json_t *leaving_answer(struct fake_agent *fake, const char *verb, const json_t *request)
{
    return chirr_control_failure(CHIRR_ERR_STATE, "this agent is leaving");
}

/* Has a job's promise, and no time for it: the client must go elsewhere when it dies. */
static json_t *silent_answer(struct fake_agent *fake, const char *verb, const json_t *request)
{
    return strcmp(verb, "submit") == 0 ? good_answer(fake, verb, request) : NULL;
}

static json_t *untrusted_answer(struct fake_agent *fake, const char *verb, const json_t *request)
{
    if (strcmp(verb, "cancel") == 0) {
        return chirr_control_failure(CHIRR_ERR_UNTRUSTED, "only the agent that submitted it can");
    }
    return good_answer(fake, verb, request);
}

static json_t *cancelling_answer(struct fake_agent *fake, const char *verb, const json_t *request)
{
    return strcmp(verb, "cancel") == 0 ? json_pack("{s:b}", "ok", 1)
                                       : good_answer(fake, verb, request);
}

Test(cli_task, submit_waits_prints_what_the_job_printed_and_ends_as_it_did)
{
    struct fake_agent ant = {.name = "ant", .answer = good_answer};
    fake_agent_begin(&ant, runtime);
    run_chirr(&run, "task", "submit", "--kind", "hash", "--", "sha256sum", "/etc/os-release", NULL);
    cr_expect_eq(run.code, 0, "%s", run.err);
    cr_expect_str_eq(run.out, "hello\n");
    cr_expect_str_eq(run.err, "");
    fake_agent_end(&ant);
}

Test(cli_task, a_job_that_failed_is_explained_and_ends_with_1)
{
    struct fake_agent ant = {.name = "ant", .answer = bad_answer};
    fake_agent_begin(&ant, runtime);
    run_chirr(&run, "task", "submit", "--", "false", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_str_eq(run.out, "hello\n");
    cr_expect_str_eq(run.err, "chirr: task " ID " failed on bee: exit 3 after 0.25 s\n");
    run_chirr(&run, "task", "wait", "--json", ID, NULL);
    cr_expect_eq(run.code, 1);
    json_t *task = json_loads(run.out, 0, NULL);
    cr_expect_eq(json_integer_value(json_object_get(task, "code")), 3);
    json_decref(task);
    fake_agent_end(&ant);
}

Test(cli_task, a_submitted_job_carries_absolute_files_their_size_and_every_option)
{
    char file[DIRECTORY_PATH_BYTES_MAX + 16];
    struct fake_agent ant = {.name = "ant", .answer = good_answer};
    fake_agent_begin(&ant, runtime);
    directory_write(home, "five", "12345", 5);
    run_chirr(&run, "task", "submit", "--no-wait", "--priority", "7", "--time-limit", "5m",
              "--requires", "gcc", "--requires", "gpu", "--", "wc", "-c", "five", "none", "/etc",
              NULL);
    cr_expect_eq(run.code, 0, "%s", run.err);
    cr_expect_str_eq(run.out, ID "\n");
    fake_agent_end(&ant);
    json_t *job = json_loads(ant.submitted, 0, NULL);
    const json_t *command = json_object_get(job, "command");
    snprintf(file, sizeof file, "%s/five", home);
    cr_expect_eq(json_array_size(command), 5);
    cr_expect_str_eq(json_string_value(json_array_get(command, 0)), "wc");
    cr_expect_str_eq(json_string_value(json_array_get(command, 2)), file);
    cr_expect_str_eq(json_string_value(json_array_get(command, 3)), "none");
    cr_expect_str_eq(json_string_value(json_object_get(job, "kind")), "wc");
    cr_expect_eq(json_integer_value(json_object_get(job, "size_bytes")), 5);
    cr_expect_eq(json_integer_value(json_object_get(job, "time_limit_ms")), 300000);
    cr_expect_eq(json_integer_value(json_object_get(job, "priority")), 7);
    cr_expect_eq(json_array_size(json_object_get(job, "requires")), 2);
    json_decref(job);
}

Test(cli_task, a_kind_is_as_much_of_the_commands_name_as_a_kind_can_hold)
{
    static const char *const names[][2] = {
        {"/opt/a-name-that-is-much-longer-than-a-kind-may-be", "a-name-that-is-much-longer-than"},
        {"gr\xc3\xbc\xc3\x9f", "gr????"},
        {"/opt/", "/opt/"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct fake_agent ant = {.name = "ant", .answer = good_answer};
        fake_agent_begin(&ant, runtime);
        run_chirr(&run, "task", "submit", "--no-wait", "--", names[i][0], NULL);
        cr_expect_eq(run.code, 0, "%s", run.err);
        fake_agent_end(&ant);
        json_t *job = json_loads(ant.submitted, 0, NULL);
        cr_expect_str_eq(json_string_value(json_object_get(job, "kind")), names[i][1]);
        json_decref(job);
    }
    run_chirr(&run, "task", "submit", "--", "", NULL);
    cr_expect_eq(run.code, 2);
    cr_expect_not_null(strstr(run.err, "expected a command after --"), "%s", run.err);
}

Test(cli_task, a_size_that_is_given_wins_over_that_of_files)
{
    struct fake_agent ant = {.name = "ant", .answer = good_answer};
    fake_agent_begin(&ant, runtime);
    directory_write(home, "five", "12345", 5);
    run_chirr(&run, "task", "submit", "--no-wait", "--json", "--size", "64K", "--", "wc", "five",
              NULL);
    json_t *reply = json_loads(run.out, 0, NULL);
    cr_expect_str_eq(json_string_value(json_object_get(reply, "task")), ID);
    json_decref(reply);
    fake_agent_end(&ant);
    json_t *job = json_loads(ant.submitted, 0, NULL);
    cr_expect_eq(json_integer_value(json_object_get(job, "size_bytes")), 65536);
    json_decref(job);
}

Test(cli_task, waiting_ends_with_124_when_time_is_up)
{
    struct fake_agent ant = {.name = "ant", .answer = never_answer};
    fake_agent_begin(&ant, runtime);
    run_chirr(&run, "task", "submit", "--timeout", "200ms", "--", "sleep", "9", NULL);
    cr_expect_eq(run.code, 124);
    cr_expect_str_eq(run.err, "chirr: task " ID " has not ended in time\n");
    run_chirr(&run, "task", "wait", "--timeout", "0", ID, NULL);
    cr_expect_eq(run.code, 124);
    fake_agent_end(&ant);
}

Test(cli_task, a_job_that_is_refused_ends_with_1_and_without_agents_with_3)
{
    struct fake_agent ant = {.name = "ant", .answer = leaving_answer};
    fake_agent_begin(&ant, runtime);
    run_chirr(&run, "task", "submit", "--", "true", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_str_eq(run.err, "chirr: this agent is leaving\n");
    fake_agent_end(&ant);
    run_chirr(&run, "task", "submit", "--", "true", NULL);
    cr_expect_eq(run.code, 3);
}

Test(cli_task, waiting_moves_on_to_another_agent_when_the_one_asked_is_killed)
{
    struct fake_agent ant = {.name = "ant", .answer = silent_answer};
    struct fake_agent bee = {.name = "bee", .answer = good_answer};
    fake_agent_begin(&ant, runtime);
    fake_agent_begin(&bee, runtime);
    pid_t pid = start_chirr("task", "submit", "--", "true", NULL);
    while (atomic_load(&ant.asked) < 2) { /* submit and wait */
        usleep(10000);
    }
    fake_agent_end(&ant);
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFEXITED(status));
    cr_expect_eq(WEXITSTATUS(status), 0);
    cr_expect_eq(atomic_load(&bee.asked), 1);
    fake_agent_end(&bee);
}

Test(cli_task, waiting_moves_on_to_another_agent_when_the_one_asked_hangs)
{
    struct fake_agent ant = {.name = "ant", .answer = silent_answer};
    struct fake_agent bee = {.name = "bee", .answer = good_answer};
    fake_agent_begin(&ant, runtime);
    fake_agent_begin(&bee, runtime);
    run_chirr(&run, "task", "submit", "--", "true", NULL);
    cr_expect_eq(run.code, 0, "%s", run.err);
    cr_expect_str_eq(run.out, "hello\n");
    cr_expect_eq(atomic_load(&ant.asked), 2); /* submit and wait */
    cr_expect_eq(atomic_load(&bee.asked), 1);
    fake_agent_end(&ant);
    fake_agent_end(&bee);
}

Test(cli_task, list_and_show_print_what_the_swarm_knows)
{
    struct fake_agent ant = {.name = "ant", .answer = good_answer};
    fake_agent_begin(&ant, runtime);
    run_chirr(&run, "task", "list", NULL);
    cr_expect_eq(run.code, 0);
    cr_expect_str_eq(
        run.out,
        "TASK              KIND  PHASE    AGENT  END  REAL  PREDICTED  SIZE  COMMAND\n"
        "00c0ffee00000001  hash  done     bee    ok   0.25       0.50   267  sha256sum "
        "/etc/os-release\n"
        "00c0ffee00000002  hash  running                 -          -   267  sha256sum "
        "/etc/os-release\n",
        "%s", run.out);
    run_chirr(&run, "task", "list", "--json", NULL);
    json_t *list = json_loads(run.out, 0, NULL);
    cr_expect_eq(json_array_size(list), 2);
    json_decref(list);
    run_chirr(&run, "task", "show", ID, NULL);
    cr_expect_eq(run.code, 0);
    cr_expect_str_eq(run.out, "task       " ID "\n"
                              "kind       hash\n"
                              "command    sha256sum /etc/os-release\n"
                              "size       267 bytes\n"
                              "phase      done, epoch 1, priority 0\n"
                              "submitter  00000000000000aa\n"
                              "agent      bee\n"
                              "end        ok\n"
                              "real       0.250 s\n"
                              "predicted  0.500 s\n"
                              "output     6 bytes\n"
                              "hello\n");
    fake_agent_end(&ant);
}

Test(cli_task, the_beginning_of_an_id_will_do_when_it_is_the_only_one)
{
    struct fake_agent ant = {.name = "ant", .answer = good_answer};
    fake_agent_begin(&ant, runtime);
    run_chirr(&run, "task", "show", "00C0FFEE00000001", NULL);
    cr_expect_eq(run.code, 0, "upper case too: %s", run.err);
    run_chirr(&run, "task", "show", "00c0ffee", NULL);
    cr_expect_eq(run.code, 2);
    cr_expect_str_eq(run.err, "chirr: more than one task begins with 00c0ffee (" ID
                              ", 00c0ffee00000002, …)\n");
    run_chirr(&run, "task", "wait", "abcd", NULL);
    cr_expect_eq(run.code, 3);
    cr_expect_str_eq(run.err, "chirr: no task begins with abcd\n");
    run_chirr(&run, "task", "show", "0123456789abcdef", NULL);
    cr_expect_eq(run.code, 3);
    cr_expect_str_eq(run.err, "chirr: no such task is known here\n");
    fake_agent_end(&ant);
}

Test(cli_task, cancel_finds_the_agent_that_has_the_right_to)
{
    struct fake_agent ant = {.name = "ant", .answer = untrusted_answer};
    struct fake_agent bee = {.name = "bee", .answer = cancelling_answer};
    fake_agent_begin(&ant, runtime);
    fake_agent_begin(&bee, runtime);
    run_chirr(&run, "task", "cancel", ID, NULL);
    cr_expect_eq(run.code, 0, "%s", run.err);
    cr_expect_eq(atomic_load(&ant.asked), 1);
    cr_expect_eq(atomic_load(&bee.asked), 1);
    run_chirr(&run, "task", "cancel", "--agent", "ant", ID, NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_str_eq(run.err, "chirr: only the agent that submitted it can\n");
    fake_agent_end(&ant);
    fake_agent_end(&bee);
}
