/* `chirr explain` against agents that the test plays, and against a real one. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/agent/cli_home.h"

TestSuite(cli_explain, .init = cli_home_enter, .fini = cli_home_leave, .timeout = 60);

static json_t *choosy_answer(struct fake_agent *fake, const char *verb, const json_t *request)
{
    static const char reply[] =
        "{\"ok\": true, \"activation\": {\"partitions\": 4, \"active\": 1, \"layers\": 2,"
        " \"hosted\": [0, 2], \"senses\": ["
        "{\"name\": \"text\", \"shares\": [{\"partition\": 0, \"share\": [1.0, 0.5]},"
        " {\"partition\": 2, \"share\": [0.0, 0.5]}]},"
        "{\"name\": \"ears\", \"shares\": null}]}}";
    cr_assert_str_eq(verb, "explain");
    return json_loads(reply, 0, NULL);
}

static json_t *plain_answer(struct fake_agent *fake, const char *verb, const json_t *request)
{
    return json_pack("{s:b, s:{s:i, s:i, s:i, s:[i, i, i], s:[]}}", "ok", 1, "activation",
                     "partitions", 3, "active", 0, "layers", 1, "hosted", 0, 1, 2, "senses");
}

static json_t *mindless_answer(struct fake_agent *fake, const char *verb, const json_t *request)
{
    return chirr_control_failure(CHIRR_ERR_STATE, "this agent has no model");
}

Test(cli_explain, shows_a_map_of_partition_by_sense_for_every_agent)
{
    struct fake_agent ant = {.name = "ant", .answer = choosy_answer};
    struct fake_agent bee = {.name = "bee", .answer = plain_answer};
    fake_agent_begin(&ant, runtime);
    fake_agent_begin(&bee, runtime);
    run_chirr(&run, "explain", NULL);
    cr_expect_eq(run.code, 0, "%s", run.err);
    cr_expect_str_eq(run.out,
                     "ant of hill: 1 of the 2 partitions hosted answer at a time; shares of about "
                     "the last\n2048 steps of each sense, means over the layers\n\n"
                     "PARTITION  text      ears\n"
                     "        0  ▓▓   75%  -\n"
                     "        2  ░░   25%  -\n"
                     "\nbee of hill: no selector, each of the 3 partitions hosted answers at "
                     "every step\n",
                     "%s", run.out);
    run_chirr(&run, "explain", "--json", "--agent", "ant", NULL);
    json_t *list = json_loads(run.out, 0, NULL);
    cr_assert_eq(json_array_size(list), 1);
    const json_t *one = json_array_get(list, 0);
    cr_expect_str_eq(json_string_value(json_object_get(one, "agent")), "ant");
    cr_expect_str_eq(json_string_value(json_object_get(one, "swarm")), "hill");
    cr_expect_eq(json_array_size(json_object_get(one, "senses")), 2);
    json_decref(list);
    fake_agent_end(&ant);
    fake_agent_end(&bee);
}

Test(cli_explain, an_agent_without_a_model_is_told_and_the_others_are_shown)
{
    struct fake_agent ant = {.name = "ant", .answer = mindless_answer};
    struct fake_agent bee = {.name = "bee", .answer = plain_answer};
    run_chirr(&run, "explain", NULL);
    cr_expect_eq(run.code, 3, "nobody runs");
    fake_agent_begin(&ant, runtime);
    run_chirr(&run, "explain", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_str_eq(run.err, "chirr: ant: this agent has no model\n");
    fake_agent_begin(&bee, runtime);
    run_chirr(&run, "explain", NULL);
    cr_expect_eq(run.code, 0);
    cr_expect_not_null(strstr(run.out, "bee of hill: no selector"), "%s", run.out);
    fake_agent_end(&ant);
    fake_agent_end(&bee);
}

static const char reader[] = "name: reader\nswarm: hill\n"
                             "model: {width: 16, layers: 1, section_width: 64, rates: 4,\n"
                             "        partitions: 4, active: 1, gram_rows: 0}\n"
                             "senses: [{name: text, from: 'file:*.txt'}]\n";

Test(cli_explain, a_real_agent_tells_who_answers_while_it_learns)
{
    int status;
    directory_write(home, "reader.yaml", reader, strlen(reader));
    directory_write(home, "a.txt", "the ant carries a leaf home\n", 28);
    pid_t pid = start_chirr("agent", "reader.yaml", NULL);
    for (int i = 0; i < 200 && strstr(run.out, "%\n") == NULL; i++) {
        usleep(50000);
        run_chirr(&run, "explain", NULL);
    }
    cr_expect_eq(strncmp(run.out, "reader of hill: 1 of the 4 ", 27), 0, "%s", run.out);
    cr_expect_not_null(strstr(run.out, "%\n"), "it learned nothing: %s%s", run.out, run.err);
    run_chirr(&run, "explain", "--json", NULL);
    json_t *list = json_loads(run.out, 0, NULL);
    const json_t *senses = json_object_get(json_array_get(list, 0), "senses");
    const json_t *shares = json_object_get(json_array_get(senses, 0), "shares");
    double sum = 0;
    cr_assert_eq(json_array_size(shares), 4);
    for (size_t i = 0; i < 4; i++) {
        const json_t *share = json_object_get(json_array_get(shares, i), "share");
        sum += json_number_value(json_array_get(share, 0));
    }
    cr_expect_float_eq(sum, 1, 0.003, "one answers at each byte: %g", sum);
    json_decref(list);
    kill(pid, SIGTERM);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
}
