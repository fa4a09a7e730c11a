#include "tests/agent/fake_agent.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 32

static void serve(struct fake_agent *fake)
{
    struct chirr_control_client client;
    json_t *request;
    while (chirr_control_receive(fake->control, &client, &request)) {
        const char *verb = json_string_value(json_object_get(request, "verb"));
        if (strcmp(verb, "submit") == 0) {
            size_t bytes = json_dumpb(request, fake->submitted, sizeof fake->submitted - 1, 0);
            fake->submitted[bytes < sizeof fake->submitted ? bytes : 0] = '\0';
        }
        json_t *reply = fake->answer(fake, verb, request);
        atomic_fetch_add(&fake->asked, 1);
        if (reply != NULL) {
            chirr_control_reply(fake->control, &client, reply);
        }
        json_decref(request);
    }
}

static void *run_agent(void *context)
{
    struct fake_agent *fake = context;
    while (!atomic_load(&fake->ended)) {
        zmq_pollitem_t item;
        chirr_control_poll_items(fake->control, &item);
        zmq_poll(&item, 1, 20);
        serve(fake);
    }
    return NULL;
}

void fake_agent_begin(struct fake_agent *fake, const char *runtime_dir)
{
    struct chirr_error error = {0};
    fake->context = zmq_ctx_new();
    fake->control = chirr_control_create(fake->context, runtime_dir, fake->name, &error);
    cr_assert_not_null(fake->control, "%s", error.text);
    cr_assert_eq(pthread_create(&fake->thread, NULL, run_agent, fake), 0);
}

void fake_agent_end(struct fake_agent *fake)
{
    atomic_store(&fake->ended, true);
    pthread_join(fake->thread, NULL);
    chirr_control_destroy(fake->control);
    zmq_ctx_term(fake->context);
}

/* ---- The executable ------------------------------------------------------------------------ */

static void collect(va_list args, char *first, char *words[WORDS_MAX])
{
    size_t count = 0;
    static char program[] = "chirr";
    words[count++] = program;
    if (first != NULL) {
        words[count++] = first;
    }
    while (count < WORDS_MAX && (words[count] = va_arg(args, char *)) != NULL) {
        count++;
    }
    cr_assert_lt(count, WORDS_MAX);
}

static pid_t start(char *words[WORDS_MAX], const char *out, const char *err)
{
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
        dup2(open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
        dup2(open(err, O_WRONLY | O_CREAT | (strcmp(out, err) == 0 ? O_APPEND : O_TRUNC), 0600),
             STDERR_FILENO);
        execv(CHIRR_EXECUTABLE, words);
        _exit(99);
    }
    return pid;
}

static void read_text(const char *path, char *text, size_t bytes)
{
    FILE *file = fopen(path, "r");
    size_t count = file != NULL ? fread(text, 1, bytes - 1, file) : 0;
    text[count] = '\0';
    if (file != NULL) {
        fclose(file);
    }
}

void run_chirr(struct run *run, ...)
{
    char *words[WORDS_MAX];
    va_list args;
    va_start(args, run);
    collect(args, NULL, words);
    va_end(args);
    int status;
    pid_t pid = start(words, "out", "err");
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    run->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    read_text("out", run->out, sizeof run->out);
    read_text("err", run->err, sizeof run->err);
}

pid_t start_chirr(const char *first, ...)
{
    char *words[WORDS_MAX];
    va_list args;
    va_start(args, first);
    collect(args, (char *)first, words);
    va_end(args);
    return start(words, "log", "log");
}

json_t *task_json(const char *id, const char *phase, const char *end, int code)
{
    bool done = end != NULL;
    return json_pack(
        "{s:s, s:s, s:[s, s], s:i, s:s, s:i, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:i}",
        "id", id, "kind", "hash", "command", "sha256sum", "/etc/os-release", "size_bytes", 267,
        "phase", phase, "epoch", 1, "submitter", "00000000000000aa", "owner",
        done ? json_string("00000000000000bb") : json_null(), "owner_name", done ? "bee" : "",
        "end", done ? json_string(end) : json_null(), "code",
        done ? json_integer(code) : json_null(), "duration_s", done ? json_real(0.25) : json_null(),
        "predicted_s", done ? json_real(0.5) : json_null(), "output",
        done ? json_string("hello\n") : json_null(), "output_total_bytes", done ? 6 : 0, "priority",
        0);
}
