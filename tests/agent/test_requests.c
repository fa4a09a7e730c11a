/* What an agent answers to requests that are wrong: the field and the rule. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/control.h"
#include "tests/support/directory.h"

static char directory[DIRECTORY_PATH_BYTES_MAX];
static struct chirr_agent_config config;
static struct chirr_agent *agent;
static pthread_t thread;

static void *run(void *context)
{
    struct chirr_error error;
    cr_expect_eq(chirr_agent_run(agent, &error), CHIRR_OK); /* until it is stopped */
    return NULL;
}

static void enter(void)
{
    struct chirr_error error = {0};
    directory_create(directory);
    config = chirr_agent_config_default();
    strcpy(config.name, "strict");
    strcpy(config.swarm, "test");
    snprintf(config.state_dir, sizeof config.state_dir, "%s/state", directory);
    snprintf(config.runtime_dir, sizeof config.runtime_dir, "%s/run", directory);
    config.model = false;
    agent = chirr_agent_create(&config, NULL, &error);
    cr_assert_not_null(agent, "%s", error.text);
    cr_assert_eq(pthread_create(&thread, NULL, run, NULL), 0);
}

static void leave(void)
{
    chirr_agent_stop(agent);
    pthread_join(thread, NULL);
    chirr_agent_destroy(agent);
    directory_remove(directory);
}

TestSuite(requests, .init = enter, .fini = leave, .timeout = 60);

static void expect_failure(json_t *request, enum chirr_err code, const char *words)
{
    struct chirr_error error = {0};
    json_t *reply = NULL;
    cr_assert_not_null(request);
    enum chirr_err err =
        chirr_control_ask(config.runtime_dir, config.name, request, 10000, &reply, &error);
    cr_expect_eq(err, code, "%s: %s", words, error.text);
    cr_expect_not_null(strstr(error.text, words), "expected “%s” in: %s", words, error.text);
    json_decref(request);
    json_decref(reply);
}

static void expect_refused(json_t *request, const char *words)
{
    expect_failure(request, CHIRR_ERR_RANGE, words);
}

static json_t *job(const char *kind, const char *program, int time_limit_ms, const char *tag)
{
    return json_pack("{s:s, s:s, s:[s], s:i, s:[s, s]}", "verb", "submit", "kind", kind, "command",
                     program, "time_limit_ms", time_limit_ms, "requires", "a", tag);
}

Test(requests, a_job_that_cannot_be_is_refused_with_the_field_and_the_rule)
{
    static char name[900];
    memset(name, 'x', sizeof name - 1);
    expect_refused(job("a\nb", "true", 1, "b"), "kind: expected 1 to 31 printable ASCII");
    expect_refused(job("", "true", 1, "b"), "kind: expected 1 to 31 printable ASCII");
    expect_refused(job("", "", 1, "b"), "command: expected a list of texts, the first not empty");
    expect_refused(job(name, name, 1, "b"), "command: expected a list of texts");
    expect_refused(job("k", "true", 0, "b"), "time_limit_ms: expected 1 to 86400000");
    expect_refused(job("k", "true", 1, "a"), "requires: expected at most 4 different tags");
}

Test(requests, an_id_is_sixteen_digits_and_nothing_else)
{
    static const char *const bad[] = {" +0000000000012a", "0x0000000000012a", "-000000000000001",
                                      "12a", "0000000000000012a"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        expect_refused(json_pack("{s:s, s:s}", "verb", "show", "task", bad[i]),
                       "task: expected 16 hexadecimal digits");
    }
}

Test(requests, without_a_model_there_is_nothing_to_evaluate_or_to_explain)
{
    expect_failure(json_pack("{s:s, s:s}", "verb", "evaluate", "path", "/etc/os-release"),
                   CHIRR_ERR_STATE, "this agent has no model");
    expect_failure(json_pack("{s:s}", "verb", "explain"), CHIRR_ERR_STATE,
                   "this agent has no model");
}
