#include "agent/control.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/directory.h"

static char directory[DIRECTORY_PATH_BYTES_MAX];
static char runtime[DIRECTORY_PATH_BYTES_MAX + 16];
static void *context; /* ZeroMQ's, of the agent's side */

static void setup(void)
{
    directory_create(directory);
    snprintf(runtime, sizeof runtime, "%s/a/b", directory);
    context = zmq_ctx_new();
}

static void teardown(void)
{
    zmq_ctx_term(context); /* hangs while any socket is open */
    directory_remove(directory);
}

TestSuite(control, .init = setup, .fini = teardown, .timeout = 30);

static struct chirr_control *serve(void)
{
    struct chirr_error error;
    struct chirr_control *control = chirr_control_create(context, runtime, "cricket", &error);
    cr_assert_not_null(control, "%s", error.text);
    return control;
}

/* A client on a thread of its own: one question, its answer. */
struct question {
    const char *text;
    int timeout_ms;
    enum chirr_err err;
    struct chirr_error error;
    json_t *reply;
};

static void *ask(void *argument)
{
    struct question *question = argument;
    json_t *request = json_loads(question->text, JSON_DECODE_ANY, NULL);
    question->err = chirr_control_ask(runtime, "cricket", request, question->timeout_ms,
                                      &question->reply, &question->error);
    json_decref(request);
    return NULL;
}

static json_t *next_request(struct chirr_control *control, struct chirr_control_client *client)
{
    json_t *request = NULL;
    for (int i = 0; i < 100; i++) {
        zmq_pollitem_t item;
        cr_assert_eq(chirr_control_poll_items(control, &item), 1);
        zmq_poll(&item, 1, 100);
        if (chirr_control_receive(control, client, &request)) {
            return request;
        }
    }
    cr_assert_fail("no request came");
    return NULL;
}

Test(control, a_request_is_answered)
{
    struct chirr_control *control = serve();
    struct question question = {.text = "{\"verb\": \"greet\", \"name\": \"locust\"}",
                                .timeout_ms = 10000};
    pthread_t thread;
    pthread_create(&thread, NULL, ask, &question);
    struct chirr_control_client client;
    json_t *request = next_request(control, &client);
    cr_assert_str_eq(json_string_value(json_object_get(request, "verb")), "greet");
    json_decref(request);
    chirr_control_reply(control, &client, json_pack("{s:b, s:i}", "ok", 1, "legs", 6));
    pthread_join(thread, NULL);
    cr_assert_eq(question.err, CHIRR_OK, "%s", question.error.text);
    cr_assert_eq(json_integer_value(json_object_get(question.reply, "legs")), 6);
    json_decref(question.reply);
    chirr_control_destroy(control);
}

Test(control, answers_may_come_late_and_in_another_order)
{
    struct chirr_control *control = serve();
    struct question questions[2] = {
        {.text = "{\"verb\": \"wait\", \"n\": 0}", .timeout_ms = 10000},
        {.text = "{\"verb\": \"wait\", \"n\": 1}", .timeout_ms = 10000}};
    pthread_t threads[2];
    struct chirr_control_client clients[2];
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, ask, &questions[i]);
        json_t *request = next_request(control, &clients[i]);
        cr_assert_eq(json_integer_value(json_object_get(request, "n")), i);
        json_decref(request);
    }
    for (int i = 1; i >= 0; i--) {
        chirr_control_reply(control, &clients[i], json_pack("{s:b, s:i}", "ok", 1, "n", i));
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(questions[i].err, CHIRR_OK);
        cr_assert_eq(json_integer_value(json_object_get(questions[i].reply, "n")), i);
        json_decref(questions[i].reply);
    }
    chirr_control_destroy(control);
}

Test(control, a_failure_reaches_the_client_with_its_code_and_text)
{
    struct chirr_control *control = serve();
    struct question question = {.text = "{\"verb\": \"show\"}", .timeout_ms = 10000};
    pthread_t thread;
    pthread_create(&thread, NULL, ask, &question);
    struct chirr_control_client client;
    json_decref(next_request(control, &client));
    chirr_control_reply(control, &client,
                        chirr_control_failure(CHIRR_ERR_NOTFOUND, "no such task"));
    pthread_join(thread, NULL);
    cr_assert_eq(question.err, CHIRR_ERR_NOTFOUND);
    cr_assert_str_eq(question.error.text, "no such task");
    cr_assert_null(question.reply);
    chirr_control_destroy(control);
}

Test(control, what_is_no_request_is_answered_with_an_error_and_never_handed_out)
{
    struct chirr_control *control = serve();
    void *clients = zmq_ctx_new();
    void *socket = zmq_socket(clients, ZMQ_DEALER);
    char endpoint[600];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/cricket.sock", runtime);
    cr_assert_eq(zmq_connect(socket, endpoint), 0);
    const char *noise[] = {"", "noise", "[]", "{}", "{\"verb\": 5}", "{\"verb\": \"a\"} {}"};
    for (size_t i = 0; i < sizeof noise / sizeof noise[0]; i++) {
        char answer[256] = "";
        zmq_send(socket, noise[i], strlen(noise[i]), 0);
        zmq_pollitem_t item;
        chirr_control_poll_items(control, &item);
        cr_assert_eq(zmq_poll(&item, 1, 5000), 1);
        struct chirr_control_client client;
        json_t *request;
        cr_assert_not(chirr_control_receive(control, &client, &request), "%s", noise[i]);
        zmq_pollitem_t reply = {.socket = socket, .events = ZMQ_POLLIN};
        cr_assert_eq(zmq_poll(&reply, 1, 5000), 1);
        zmq_recv(socket, answer, sizeof answer - 1, 0);
        cr_assert_not_null(strstr(answer, "\"code\":\"malformed\""), "%s", answer);
    }
    cr_assert_eq(chirr_control_malformed(control), sizeof noise / sizeof noise[0]);
    zmq_close(socket);
    zmq_ctx_term(clients);
    chirr_control_destroy(control);
}

Test(control, no_agent_and_no_answer_are_told_apart)
{
    struct question question = {.text = "{\"verb\": \"status\"}", .timeout_ms = 50};
    ask(&question);
    cr_assert_eq(question.err, CHIRR_ERR_NOTFOUND);
    struct chirr_control *control = serve();
    ask(&question);
    cr_assert_eq(question.err, CHIRR_ERR_BUSY);
    chirr_control_destroy(control);
}

Test(control, the_directory_is_for_its_owner_alone)
{
    struct chirr_control *control = serve();
    struct stat status;
    cr_assert_eq(stat(runtime, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0700);
    chirr_control_destroy(control);
}

Test(control, a_directory_that_others_may_use_is_refused_and_left_as_it_is)
{
    struct chirr_error error;
    struct stat status;
    cr_assert_eq(chmod(directory, 0755), 0);
    cr_assert_null(chirr_control_create(context, directory, "cricket", &error));
    cr_assert_eq(error.code, CHIRR_ERR_UNTRUSTED);
    cr_assert_not_null(strstr(error.text, "chmod 700"), "%s", error.text);
    cr_assert_eq(stat(directory, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0755);
}

/* DIRECTORY/shared is as /tmp is; a part of the path has been put there before us. */
static void expect_refused_in_shared(const char *part)
{
    struct chirr_error error = {0};
    snprintf(runtime, sizeof runtime, "%s/shared/%s/b", directory, part);
    cr_expect_null(chirr_control_create(context, runtime, "cricket", &error), "%s", part);
    cr_expect_eq(error.code, CHIRR_ERR_UNTRUSTED, "%s: %s", part, error.text);
    cr_expect_not_null(strstr(error.text, "XDG_RUNTIME_DIR"), "%s", error.text);
}

Test(control, what_somebody_else_put_where_everybody_may_is_not_entered)
{
    char shared[DIRECTORY_PATH_BYTES_MAX + 8];
    snprintf(shared, sizeof shared, "%s/shared", directory);
    cr_assert_eq(mkdir(shared, 0700), 0);
    cr_assert_eq(chmod(shared, 01777), 0);
    cr_assert_eq(mkdir(directory_file(shared, "open"), 0700), 0);
    cr_assert_eq(chmod(directory_file(shared, "open"), 0777), 0);
    expect_refused_in_shared("open");
    cr_assert_eq(symlink(directory, directory_file(shared, "link")), 0);
    expect_refused_in_shared("link");
    cr_assert_eq(mkdir(directory_file(shared, "foreign"), 0700), 0);
    if (chown(directory_file(shared, "foreign"), 12345, 12345) == 0) { /* few may give away */
        expect_refused_in_shared("foreign");
    }
    snprintf(runtime, sizeof runtime, "%s/shared/a/b", directory);
    chirr_control_destroy(serve());
    chirr_control_destroy(serve()); /* what we made ourselves is fine */
}

Test(control, a_second_agent_of_the_same_name_is_refused)
{
    struct chirr_control *control = serve();
    struct chirr_error error;
    cr_assert_null(chirr_control_create(context, runtime, "cricket", &error));
    cr_assert_eq(error.code, CHIRR_ERR_BUSY);
    cr_assert_not_null(strstr(error.text, "an agent named cricket is running already"));
    chirr_control_destroy(control);
    control = serve(); /* the refused one has not removed the socket of the first */
    chirr_control_destroy(control);
}

Test(control, the_socket_of_an_agent_that_was_killed_is_replaced)
{
    struct chirr_control *control = serve();
    chirr_control_destroy(control);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.90s/cricket.sock", runtime);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd); /* the file stays, nobody listens */
    control = serve();
    chirr_control_destroy(control);
}

/* Listens as an agent that is stopped does: it accepts nobody, and no more can wait. */
static int listen_without_accepting(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    chirr_control_destroy(serve()); /* makes the directory */
    snprintf(address.sun_path, sizeof address.sun_path, "%.90s/cricket.sock", runtime);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(fd, 1), 0);
    int client, rc;
    do {
        client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        rc = connect(client, (struct sockaddr *)&address, sizeof address);
    } while (rc == 0); /* the test's end closes them */
    cr_assert_eq(errno, EAGAIN);
    close(client);
    return fd;
}

Test(control, an_agent_that_is_stopped_holds_nobody_longer_than_the_timeout)
{
    int fd = listen_without_accepting();
    struct question question = {.text = "{\"verb\": \"status\"}", .timeout_ms = 1200};
    struct chirr_error error;
    ask(&question); /* or the suite's timeout of 30 s */
    cr_assert_eq(question.err, CHIRR_ERR_BUSY, "%s", question.error.text);
    cr_assert_null(chirr_control_create(context, runtime, "cricket", &error));
    cr_assert_eq(error.code, CHIRR_ERR_BUSY);
    close(fd);
}

Test(control, a_path_that_no_socket_can_have_is_an_error_that_says_so)
{
    char deep[200];
    memset(deep, 'd', sizeof deep - 1);
    deep[0] = '/';
    deep[sizeof deep - 1] = '\0';
    struct chirr_error error;
    cr_assert_null(chirr_control_create(context, deep, "cricket", &error));
    cr_assert_eq(error.code, CHIRR_ERR_RANGE);
    cr_assert_not_null(strstr(error.text, "at most 107 bytes"), "%s", error.text);
}

Test(control, a_client_is_told_soon_when_the_agent_ends_before_it_answers)
{
    struct chirr_control *control = serve();
    struct question question = {.text = "{\"verb\": \"wait\"}", .timeout_ms = 60000};
    pthread_t thread;
    pthread_create(&thread, NULL, ask, &question);
    struct chirr_control_client client;
    json_decref(next_request(control, &client));
    chirr_control_destroy(control);
    pthread_join(thread, NULL); /* or the suite's timeout of 30 s */
    cr_assert_eq(question.err, CHIRR_ERR_CANCELLED);
}
