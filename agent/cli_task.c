/* `chirr task`: jobs for a swarm that runs. */
#include "agent/cli_task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/control.h"

static const char help[] =
    "usage: chirr task submit [OPTION…] -- COMMAND [ARGUMENT…]\n"
    "       chirr task list | show ID | wait ID | cancel ID [OPTION…]\n"
    "\n"
    "  submit   give the swarm a job and print what it prints\n"
    "  list     every job that the swarm knows\n"
    "  show     one job\n"
    "  wait     until a job has ended\n"
    "  cancel   a job that has not ended\n"
    "\n"
    "An ID may be cut to as many digits as make it the only one. Each has --help.\n";

/* One question waits so long, so that the end of the agent asked is noticed soon. */
#define QUESTION_MS 2000
/* Between two looks for an agent that knows the task, and how long to go on looking. */
#define RETRY_MS 200
#define LOST_MS 15000

const char *chirr_cli_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

void chirr_cli_task_end(const json_t *task, char cell[CHIRR_CLI_CELL_BYTES_MAX])
{
    const char *end = chirr_cli_text(task, "end");
    long long code = json_integer_value(json_object_get(task, "code"));
    if (strcmp(end, "exited") == 0 && code == 0) {
        strcpy(cell, "ok");
    } else if (strcmp(end, "exited") == 0) {
        snprintf(cell, CHIRR_CLI_CELL_BYTES_MAX, "exit %lld", code);
    } else if (strcmp(end, "signalled") == 0) {
        snprintf(cell, CHIRR_CLI_CELL_BYTES_MAX, "signal %lld", code);
    } else {
        chirr_cli_cell_text(cell, end);
    }
}

static void explain_failure(const json_t *task)
{
    char end[CHIRR_CLI_CELL_BYTES_MAX];
    const char *id = chirr_cli_text(task, "id");
    const char *owner = chirr_cli_text(task, "owner_name");
    if (strcmp(chirr_cli_text(task, "phase"), "cancelled") == 0) {
        fprintf(stderr, "chirr: task %s was cancelled\n", id);
        return;
    }
    if (strcmp(chirr_cli_text(task, "end"), "not started") == 0) {
        long long code = json_integer_value(json_object_get(task, "code"));
        fprintf(stderr, "chirr: task %s could not be started on %s: %s\n", id, owner,
                strerror((int)code));
        return;
    }
    chirr_cli_task_end(task, end);
    fprintf(stderr, "chirr: task %s failed on %s: %s after %.2f s\n", id, owner, end,
            json_number_value(json_object_get(task, "duration_s")));
}

int chirr_cli_task_report(json_t *task, bool json)
{
    char end[CHIRR_CLI_CELL_BYTES_MAX];
    chirr_cli_task_end(task, end);
    bool good = strcmp(end, "ok") == 0;
    const json_t *output = json_object_get(task, "output");
    json_int_t total = json_integer_value(json_object_get(task, "output_total_bytes"));
    if (json) {
        chirr_cli_print_json(json_incref(task));
    } else {
        size_t bytes = json_string_length(output);
        if (bytes > 0) {
            fwrite(json_string_value(output), 1, bytes, stdout);
        }
        if (total > (json_int_t)bytes) {
            fflush(stdout);
            fprintf(stderr,
                    "chirr: the last %zu of %" JSON_INTEGER_FORMAT
                    " bytes of output; the rest is on %s, in runs/%s-%" JSON_INTEGER_FORMAT
                    "/output of its state directory\n",
                    bytes, total, chirr_cli_text(task, "owner_name"), chirr_cli_text(task, "id"),
                    json_integer_value(json_object_get(task, "epoch")));
        }
        if (!good) {
            fflush(stdout);
            explain_failure(task);
        }
    }
    return good ? CHIRR_EXIT_OK : CHIRR_EXIT_FAILED;
}

/* ---- Waiting ------------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
    return (uint64_t)(chirr_clock_now() / CHIRR_US_PER_MS);
}

/* The one asked goes to the end, the next one's turn comes. */
static void rotate(struct chirr_cli_agents *agents)
{
    struct chirr_cli_agent first = agents->agents[0];
    memmove(&agents->agents[0], &agents->agents[1], (agents->count - 1) * sizeof first);
    agents->agents[agents->count - 1] = first;
}

static enum chirr_err ask_wait(const struct chirr_cli_agent *agent, const char *id, uint64_t ms,
                               json_t **task, struct chirr_error *error)
{
    json_t *reply = NULL;
    json_t *request =
        json_pack("{s:s, s:s, s:I}", "verb", "wait", "task", id, "timeout_ms", (json_int_t)ms);
    enum chirr_err err = chirr_control_ask(agent->runtime_dir, agent->name, request,
                                           (int)ms + CHIRR_CLI_ANSWER_MS, &reply, error);
    json_decref(request);
    if (err == CHIRR_OK) {
        *task = json_incref(json_object_get(reply, "task"));
        json_decref(reply);
    }
    return err;
}

enum chirr_err chirr_cli_task_await(struct chirr_cli_agents *agents, const char *id,
                                    uint64_t timeout_ms, json_t **task, struct chirr_error *error)
{
    uint64_t began = now_ms(), known = began;
    size_t misses = 0; /* since somebody knew it */
    for (;;) {
        uint64_t now = now_ms();
        uint64_t left = now - began >= timeout_ms ? 0 : timeout_ms - (now - began);
        struct chirr_error why = {0};
        enum chirr_err err =
            ask_wait(&agents->agents[0], id, left < QUESTION_MS ? left : QUESTION_MS, task, &why);
        if (err == CHIRR_OK) {
            return CHIRR_OK;
        }
        /* Not done yet is said by an agent (TIMEOUT); one that hangs says nothing (BUSY). */
        bool elsewhere = err == CHIRR_ERR_NOTFOUND || err == CHIRR_ERR_IO ||
                         err == CHIRR_ERR_BUSY || err == CHIRR_ERR_CANCELLED ||
                         err == CHIRR_ERR_FULL;
        if (err != CHIRR_ERR_TIMEOUT && !elsewhere) {
            return chirr_error_set(error, err, "%s", why.text);
        }
        misses = elsewhere ? misses + 1 : 0;
        if (!elsewhere) {
            known = now_ms();
        }
        if (left == 0) {
            return chirr_error_set(error, CHIRR_ERR_TIMEOUT, "task %s has not ended in time", id);
        }
        if (misses >= agents->count && now_ms() - known >= LOST_MS) {
            return chirr_error_set(error, CHIRR_ERR_NOTFOUND,
                                   "no agent that knows task %s answers any more", id);
        }
        if (elsewhere) {
            rotate(agents);
            usleep(RETRY_MS * 1000);
        }
    }
}

/* ---- Dispatch ------------------------------------------------------------------------------ */

int chirr_cli_task(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } verbs[] = {
        {"submit", chirr_cli_task_submit}, {"list", chirr_cli_task_list},
        {"show", chirr_cli_task_show},     {"wait", chirr_cli_task_wait},
        {"cancel", chirr_cli_task_cancel},
    };
    if (argc < 2) {
        return chirr_cli_usage("task", "expected submit, list, show, wait or cancel");
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(help, stdout);
        return CHIRR_EXIT_OK;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            return verbs[i].run(argc - 1, argv + 1);
        }
    }
    return chirr_cli_usage("task", "expected submit, list, show, wait or cancel, got \"%s\"",
                           argv[1]);
}
