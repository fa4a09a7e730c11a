#include "agent/agent.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "agent/clock.h"
#include "agent/control.h"
#include "agent/process.h"
#include "tests/agent/loopback_agents.h"
#include "tests/support/directory.h"
#include "tests/support/generate.h"

#define AGENTS_MAX 3

TestSuite(agent, .init = loopback_setup, .fini = loopback_teardown, .timeout = 120);

static void expect_refusal(const struct chirr_agent_config *config, enum chirr_err code,
                           const char *words)
{
    struct chirr_error error = {0};
    cr_assert_null(chirr_agent_create(config, NULL, &error));
    cr_assert_eq(error.code, code, "%s: %s", chirr_err_text(error.code), error.text);
    cr_assert_not_null(strstr(error.text, words), "expected “%s” in: %s", words, error.text);
}

Test(agent, does_a_job_and_keeps_its_output)
{
    struct chirr_agent_config config = config_of("solo");
    struct chirr_agent *agent = open_agent(&config);
    struct chirr_task_spec spec = SPEC(2, "echo\0out of the job");
    chirr_task_id id;
    cr_assert_eq(chirr_agent_submit(agent, &spec, &id), CHIRR_OK);
    const struct chirr_task *task = turn_until_done(&agent, 1, id);
    cr_assert_eq(task->result.end, CHIRR_TASK_END_EXITED);
    cr_assert_eq(task->result.code, 0);
    cr_assert_eq(task->result.output_bytes, 15);
    cr_assert_arr_eq(task->result.output, "out of the job\n", 15);
    chirr_agent_destroy(agent);
}

Test(agent, what_it_was_submitted_is_done_after_a_restart)
{
    struct chirr_agent_config config = config_of("phoenix");
    struct chirr_agent *agent = open_agent(&config);
    struct chirr_task_spec spec = SPEC(1, "true");
    chirr_task_id id;
    cr_assert_eq(chirr_agent_submit(agent, &spec, &id), CHIRR_OK);
    chirr_agent_destroy(agent); /* before it had a turn */
    agent = open_agent(&config);
    cr_assert_not_null(task_of(agent, id));
    turn_until_done(&agent, 1, id);
    chirr_agent_destroy(agent);
}

/* The later ones know the first one's address. */
static void open_swarm(struct chirr_agent *agents[AGENTS_MAX])
{
    static const char *const names[AGENTS_MAX] = {"ant", "bee", "cicada"};
    make_keyring(names, AGENTS_MAX);
    for (int i = 0; i < AGENTS_MAX; i++) {
        struct chirr_agent_config config = config_of_member(names[i]);
        if (i > 0) {
            config.node.seed_count = 1;
            config.node.seeds[0] = *card_of(agents[0], agents[0]);
        }
        agents[i] = open_agent(&config);
    }
}

Test(agent, three_find_each_other_over_real_sockets_and_share_the_work)
{
    struct chirr_agent *agents[AGENTS_MAX];
    open_swarm(agents);
    chirr_time_us until = chirr_clock_now() + PATIENCE_US;
    while (!everybody_sees(agents, AGENTS_MAX)) {
        turn_all(agents, AGENTS_MAX);
        cr_assert_lt(chirr_clock_now(), until, "they did not meet in time");
    }
    chirr_task_id ids[6];
    for (int i = 0; i < 6; i++) {
        struct chirr_task_spec spec = SPEC(2, "sleep\0000.3");
        cr_assert_eq(chirr_agent_submit(agents[i % AGENTS_MAX], &spec, &ids[i]), CHIRR_OK);
    }
    chirr_agent_id first_owner = 0;
    bool shared = false;
    for (int i = 0; i < 6; i++) {
        const struct chirr_task *task = turn_until_done(agents, AGENTS_MAX, ids[i]);
        cr_assert_eq(task->result.code, 0);
        first_owner = first_owner == 0 ? task->owner : first_owner;
        shared |= task->owner != first_owner;
    }
    cr_assert(shared, "one agent did everything");
    for (int i = 0; i < AGENTS_MAX; i++) {
        chirr_agent_destroy(agents[i]);
    }
}

Test(agent, learns_what_the_embedding_program_feeds_it)
{
    struct chirr_agent_config config = config_of("pupil");
    config.model = true;
    config.sense_count = 1;
    snprintf(config.senses[0].name, sizeof config.senses[0].name, "text");
    config.senses[0].source = CHIRR_SOURCE_FEED;
    struct chirr_agent *agent = open_agent(&config);
    const uint8_t text[] = "fed";
    cr_assert_eq(chirr_agent_feed(agent, "text", text, 3), CHIRR_OK);
    cr_assert_eq(chirr_agent_feed(agent, "smell", text, 3), CHIRR_ERR_NOTFOUND);
    cr_assert_eq(chirr_agent_feed(agent, "text", text, 0), CHIRR_ERR_RANGE);
    chirr_time_us until = chirr_clock_now() + PATIENCE_US;
    while (agent->status.learner.bytes_learned < 3) {
        turn_all(&agent, 1);
        cr_assert_lt(chirr_clock_now(), until, "it learned nothing");
    }
    chirr_agent_destroy(agent);
}

/* Order, not time: a job comes to its end, over many turns of the loop, while the learner is at one
 * single request. */
Test(agent, a_learner_that_is_busy_holds_nothing_up)
{
    struct chirr_agent_config config = config_of("scholar");
    config.model = true;
    config.sense_count = 1;
    snprintf(config.senses[0].name, sizeof config.senses[0].name, "text");
    config.senses[0].source = CHIRR_SOURCE_FEED;
    struct chirr_agent *agent = open_agent(&config);
    static uint8_t text[CHIRR_EVALUATE_BYTES_MAX];
    directory_write(loopback_directory, "text", text, sizeof text);
    for (uint64_t tag = 1; tag <= 4; tag++) {
        cr_assert_eq(chirr_learner_thread_evaluate(agent->learner,
                                                   directory_file(loopback_directory, "text"),
                                                   sizeof text, tag),
                     CHIRR_OK);
    }
    struct chirr_waiter *waiter = &agent->waiters[0]; /* for the last of the answers */
    *waiter =
        (struct chirr_waiter){.kind = CHIRR_WAITER_LEARNER, .key = 4, .until = CHIRR_TIME_NEVER};
    struct chirr_task_spec spec = SPEC(2, "sleep\0000.1");
    chirr_task_id id;
    cr_assert_eq(chirr_agent_submit(agent, &spec, &id), CHIRR_OK);
    /* The busy learner names no price, and without one there is no bid: it is told here instead. */
    struct chirr_price price = {.task = id, .duration_us = 100000, .success_permille = 1000};
    chirr_time_us until = chirr_clock_now() + PATIENCE_US;
    while (task_of(agent, id)->phase != CHIRR_TASK_DONE) {
        turn_all(&agent, 1);
        chirr_node_price(agent->node, &price, chirr_clock_now());
        cr_assert_lt(chirr_clock_now(), until, "the task was not done in time");
    }
    cr_assert_gt(agent->counters.turns, 3);
    cr_assert_eq(waiter->kind, CHIRR_WAITER_LEARNER, "the learner was not busy for that long");
    chirr_agent_destroy(agent);
}

Test(agent, the_lag_of_the_loop_is_a_lag_and_not_a_time_of_day)
{
    struct chirr_agent_config config = config_of("punctual");
    struct chirr_agent *agent = open_agent(&config);
    chirr_time_us before = chirr_clock_now();
    for (int i = 0; i < 20; i++) {
        turn_all(&agent, 1);
    }
    cr_assert_leq(agent->counters.lag_us_max, chirr_clock_now() - before);
    chirr_agent_destroy(agent);
}

Test(agent, a_port_in_use_is_an_error_that_names_it)
{
    struct chirr_agent_config config = config_of("first");
    struct chirr_agent *agent = open_agent(&config);
    const struct chirr_record *card = chirr_records_card(
        chirr_node_records(chirr_agent_node(agent)), chirr_agent_identity(agent));
    struct chirr_agent_config second = config_of("second");
    memcpy(second.transport.publish_bind, card->card.publish_endpoint,
           sizeof second.transport.publish_bind);
    expect_refusal(&second, CHIRR_ERR_BUSY, card->card.publish_endpoint);
    chirr_agent_destroy(agent);
}

Test(agent, a_name_that_is_taken_is_an_error)
{
    struct chirr_agent_config config = config_of("twin");
    struct chirr_agent *agent = open_agent(&config);
    struct chirr_agent_config second = config;
    snprintf(second.state_dir, sizeof second.state_dir, "%s/elsewhere", loopback_directory);
    expect_refusal(&second, CHIRR_ERR_BUSY, "an agent named twin is running already");
    chirr_agent_destroy(agent);
}

Test(agent, a_state_directory_that_is_in_use_is_an_error)
{
    struct chirr_agent_config config = config_of("owner");
    struct chirr_agent *agent = open_agent(&config);
    struct chirr_agent_config second = config;
    snprintf(second.name, sizeof second.name, "thief");
    expect_refusal(&second, CHIRR_ERR_BUSY, "store.sqlite");
    chirr_agent_destroy(agent);
}

Test(agent, listening_everywhere_needs_an_address_to_advertise)
{
    struct chirr_agent_config config = config_of("vague");
    snprintf(config.transport.publish_bind, sizeof config.transport.publish_bind,
             "tcp://0.0.0.0:*");
    expect_refusal(&config, CHIRR_ERR_CONFIG, "set advertise");
}

Test(agent, a_missing_keyring_is_an_error_that_names_it)
{
    struct chirr_agent_config config = config_of("lonely");
    snprintf(config.keyring, sizeof config.keyring, "%s/no-such-keyring", loopback_directory);
    expect_refusal(&config, CHIRR_ERR_IO, "no-such-keyring");
}

Test(agent, stop_ends_the_loop_after_a_farewell)
{
    struct chirr_agent_config config = config_of("brief");
    struct chirr_agent *agent = open_agent(&config);
    struct chirr_error error;
    chirr_agent_stop(agent);
    cr_assert_eq(chirr_agent_run(agent, &error), CHIRR_OK);
    cr_assert_eq(chirr_agent_turn(agent, 0, &error), CHIRR_ERR_CANCELLED);
    chirr_agent_destroy(agent);
}

/* ---- Control verbs, without a socket between --------------------------------------------------
 */

static json_t *answer_of(struct chirr_agent *agent, const char *request_text)
{
    /* The reply goes to a client that does not exist; the status shows what was counted. */
    json_t *request = json_loads(request_text, 0, NULL);
    cr_assert_not_null(request, "%s", request_text);
    struct chirr_control_client nobody = {.routing_id = "x", .routing_bytes = 1};
    chirr_process_request(agent, &nobody, request, chirr_clock_now());
    json_decref(request);
    return chirr_process_status(agent, chirr_clock_now());
}

Test(agent, bad_requests_are_refused_and_counted)
{
    static const char *const bad[] = {
        "{\"verb\": \"fly\"}",
        "{\"verb\": \"submit\"}",
        "{\"verb\": \"submit\", \"kind\": \"k\", \"command\": []}",
        "{\"verb\": \"submit\", \"kind\": \"k\", \"command\": [5]}",
        "{\"verb\": \"submit\", \"kind\": \"k\", \"command\": [\"a\"], \"priority\": 10}",
        "{\"verb\": \"submit\", \"kind\": \"k\", \"command\": [\"a\"], \"time_limit_ms\": -1}",
        "{\"verb\": \"submit\", \"kind\": \"k\", \"command\": [\"a\"], \"requires\": "
        "[\"1234567890123456\"]}",
        "{\"verb\": \"submit\", \"kind\": \"a kind that is longer than thirty-one bytes\", "
        "\"command\": [\"a\"]}",
        "{\"verb\": \"show\", \"task\": \"xyz\"}",
        "{\"verb\": \"show\", \"task\": \"0123456789abcdef\"}",
        "{\"verb\": \"wait\", \"task\": \"0123456789abcdef\"}",
        "{\"verb\": \"cancel\", \"task\": 5}",
        "{\"verb\": \"evaluate\", \"path\": \"/dev/null\"}",
    };
    struct chirr_agent_config config = config_of("strict");
    struct chirr_agent *agent = open_agent(&config);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *status = answer_of(agent, bad[i]);
        json_t *failed =
            json_object_get(json_object_get(status, "drops"), "control_requests_failed");
        cr_assert_eq((size_t)json_integer_value(failed), i + 1, "%s", bad[i]);
        json_decref(status);
    }
    cr_assert_eq(chirr_records_task_count(chirr_node_records(chirr_agent_node(agent))), 0);
    chirr_agent_destroy(agent);
}

static json_int_t drop_in(const json_t *status, const char *reason)
{
    return json_integer_value(json_object_get(json_object_get(status, "drops"), reason));
}

/* What was refused further in is not a failed request as well. */
Test(agent, a_request_without_room_is_counted_once)
{
    struct chirr_agent_config config = config_of("crowded");
    config.slots = 0; /* nothing ends */
    config.node.tasks_max = 2;
    struct chirr_agent *agent = open_agent(&config);
    struct chirr_task_spec spec = SPEC(1, "true");
    chirr_task_id id;
    char wait[64];
    cr_assert_eq(chirr_agent_submit(agent, &spec, &id), CHIRR_OK);
    cr_assert_eq(chirr_agent_submit(agent, &spec, &id), CHIRR_OK);
    snprintf(wait, sizeof wait, "{\"verb\": \"wait\", \"task\": \"%016" PRIx64 "\"}", id);
    for (int i = 0; i < CHIRR_WAITERS_MAX + 1; i++) {
        json_decref(answer_of(agent, wait));
    }
    json_t *status =
        answer_of(agent, "{\"verb\": \"submit\", \"kind\": \"k\", \"command\": [\"a\"]}");
    cr_assert_eq(drop_in(status, "control_waiters_full"), 1);
    cr_assert_eq(drop_in(status, "records_refused"), 1);
    cr_assert_eq(drop_in(status, "control_requests_failed"), 0);
    json_decref(status);
    chirr_agent_destroy(agent);
}

static void meet(struct chirr_agent *agent, const struct chirr_identity *somebody)
{
    struct chirr_random random;
    struct chirr_record card;
    chirr_random_init(&random, somebody->id, 1);
    generate_record(&random, somebody, CHIRR_RECORD_CARD, &card);
    cr_assert_eq(chirr_node_meet(agent->node, &card, chirr_clock_now()), CHIRR_OK);
}

static void turn_until_one_of(struct chirr_agent *agent, const uint64_t *count)
{
    chirr_time_us until = chirr_clock_now() + PATIENCE_US;
    while (*count == 0) {
        turn_all(&agent, 1);
        cr_assert_lt(chirr_clock_now(), until, "nothing was counted");
    }
}

Test(agent, a_link_that_is_refused_is_counted_once_whoever_refuses_it)
{
    struct chirr_random random;
    chirr_random_init(&random, 5, 1);
    struct chirr_identity known = generate_identity(&random);
    struct chirr_identity stranger = generate_identity(&random);
    struct chirr_agent_config config = config_of("poor");
    struct chirr_agent *agent = open_agent(&config);
    const uint64_t *files = &chirr_transport_count(agent->transport)->dropped[CHIRR_DROP_FILES];
    const uint64_t *refused = &agent->counters.connects_refused;
    struct chirr_keyring_addition addition = {.holder = known.id, .name = "known"};
    memcpy(addition.public_key, known.public_key, sizeof addition.public_key);
    cr_assert_eq(chirr_keyring_add_key(agent->keyring, &addition), CHIRR_OK);
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64; /* of which the transport leaves 48 to others */
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    meet(agent, &known);
    turn_until_one_of(agent, files);
    cr_assert_eq(*refused, 0);
    uint64_t files_before = *files;
    chirr_node_forget(agent->node, known.id, chirr_clock_now());
    meet(agent, &stranger);
    turn_until_one_of(agent, refused);
    cr_assert_eq(*files, files_before);
    chirr_agent_destroy(agent);
}

Test(agent, what_waits_for_the_slot_of_a_cancelled_job_runs_once_that_has_ended)
{
    struct chirr_agent_config config = config_of("patient");
    struct chirr_agent *agent = open_agent(&config);
    struct chirr_task_spec deaf = SPEC(3, "sh\0-c\0trap '' TERM; while :; do sleep 0.1; done");
    struct chirr_task_spec next = SPEC(1, "true");
    chirr_task_id deaf_id;
    chirr_task_id next_id;
    char cancel[64];
    cr_assert_eq(chirr_agent_submit(agent, &deaf, &deaf_id), CHIRR_OK);
    chirr_time_us until = chirr_clock_now() + PATIENCE_US;
    while (chirr_executor_count(agent->executor)->running == 0 && chirr_clock_now() < until) {
        turn_all(&agent, 1);
    }
    cr_assert_eq(chirr_agent_submit(agent, &next, &next_id), CHIRR_OK);
    until = chirr_clock_now() + CHIRR_US_PER_S; /* the trap is set, the next has settled */
    while (chirr_clock_now() < until) {
        turn_all(&agent, 1);
    }
    snprintf(cancel, sizeof cancel, "{\"verb\": \"cancel\", \"task\": \"%016lx\"}", deaf_id);
    json_decref(answer_of(agent, cancel));
    const struct chirr_task *task = turn_until_done(&agent, 1, next_id);
    cr_assert_eq(task->result.end, CHIRR_TASK_END_EXITED);
    cr_assert_eq(task->result.code, 0);
    cr_assert_eq(task->epoch, 0, "it was not tried before");
    const struct chirr_executor_counters *count = chirr_executor_count(agent->executor);
    cr_assert_eq(count->refused_full, 0);
    cr_assert_eq(count->killed, 1, "the job was deaf");
    cr_assert_eq(task_of(agent, deaf_id)->phase, CHIRR_TASK_CANCELLED);
    chirr_agent_destroy(agent);
}

struct question {
    const struct chirr_agent_config *config;
    json_t *request;
    enum chirr_err err;
    struct chirr_error why;
};

static void *ask(void *context)
{
    struct question *question = context;
    json_t *reply = NULL;
    question->err = chirr_control_ask(question->config->runtime_dir, question->config->name,
                                      question->request, 30000, &reply, &question->why);
    json_decref(reply);
    return NULL;
}

/* No file can be written from now on. */
static void fill_disk(void)
{
    struct rlimit none = {0, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
}

Test(agent, a_store_that_failed_is_the_answer_to_every_waiter_and_request)
{
    struct chirr_agent_config config = config_of("brittle");
    struct chirr_agent *agent = open_agent(&config);
    struct chirr_task_spec spec = SPEC(2, "sleep\0"
                                          "60");
    chirr_task_id id;
    cr_assert_eq(chirr_agent_submit(agent, &spec, &id), CHIRR_OK);
    while (chirr_executor_count(agent->executor)->running == 0) {
        turn_all(&agent, 1);
    }
    char text[17];
    snprintf(text, sizeof text, "%016lx", id);
    struct question questions[] = {
        {&config, json_pack("{s:s, s:s}", "verb", "wait", "task", text), .err = CHIRR_OK},
        {&config, json_pack("{s:s, s:s}", "verb", "cancel", "task", text), .err = CHIRR_OK},
        {&config, json_pack("{s:s, s:s, s:[s]}", "verb", "submit", "kind", "k", "command", "true"),
         .err = CHIRR_OK},
    };
    pthread_t threads[3];
    pthread_create(&threads[0], NULL, ask, &questions[0]);
    while (agent->waiters[0].kind == CHIRR_WAITER_FREE) {
        turn_all(&agent, 1);
    }
    fill_disk();
    for (int i = 1; i < 3; i++) {
        pthread_create(&threads[i], NULL, ask, &questions[i]);
    }
    struct chirr_error error;
    while (agent->counters.requests < 3) {
        (void)!chirr_agent_turn(agent, 5, &error);
    }
    cr_assert_eq(chirr_agent_turn(agent, 5, &error), CHIRR_ERR_IO);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(questions[i].err, CHIRR_ERR_IO, "question %d: %s", i,
                     chirr_err_text(questions[i].err));
        cr_assert_not_null(strstr(questions[i].why.text, "store.sqlite"), "%s",
                           questions[i].why.text);
        json_decref(questions[i].request);
    }
    chirr_agent_destroy(agent);
}

static void expect_documented(const json_t *counts, const char *text)
{
    const char *name;
    json_t *count;
    json_object_foreach((json_t *)counts, name, count)
    {
        char quoted[64];
        snprintf(quoted, sizeof quoted, "`%s`", name);
        cr_expect_not_null(strstr(text, quoted), "no word about %s", quoted);
        cr_expect(json_is_integer(count), "%s", name);
    }
}

Test(agent, the_documentation_names_every_drop_and_every_repeat)
{
    static char text[1 << 16];
    FILE *file = fopen(CHIRR_CONTROL_DOCUMENTATION, "r");
    cr_assert_not_null(file);
    cr_assert_gt(fread(text, 1, sizeof text - 1, file), 0);
    cr_assert(feof(file) != 0);
    fclose(file);
    struct chirr_agent_config config = config_of("open");
    struct chirr_agent *agent = open_agent(&config);
    json_t *status = answer_of(agent, "{\"verb\": \"list\"}");
    const json_t *drops = json_object_get(status, "drops");
    const json_t *repeats = json_object_get(status, "repeats");
    cr_assert_gt(json_object_size(drops), CHIRR_DROP_COUNT);
    cr_assert_gt(json_object_size(repeats), 0);
    expect_documented(drops, text);
    expect_documented(repeats, text);
    json_decref(status);
    chirr_agent_destroy(agent);
}

Test(agent, the_status_names_every_drop)
{
    struct chirr_agent_config config = config_of("open");
    struct chirr_agent *agent = open_agent(&config);
    json_t *status = answer_of(agent, "{\"verb\": \"list\"}");
    json_t *drops = json_object_get(status, "drops");
    for (int reason = 0; reason < CHIRR_DROP_COUNT; reason++) {
        cr_assert_not_null(json_object_get(drops, chirr_transport_drop_name(reason)));
    }
    cr_assert_str_eq(json_string_value(json_object_get(json_object_get(status, "agent"), "name")),
                     "open");
    cr_assert(json_is_null(json_object_get(status, "model")));
    json_decref(status);
    chirr_agent_destroy(agent);
}
