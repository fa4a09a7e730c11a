/* `chirr task list | show | wait | cancel`. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli_task.h"
#include "base/yaml.h"

#define ID_DIGITS 16

struct query {
    struct chirr_cli_target target;
    bool json;
    uint64_t timeout_ms;
    char id[ID_DIGITS + 1]; /* as given, then whole */
    struct chirr_cli_agents agents;
};

/* Another agent may know what this one does not, or have the right that it has not. */
static bool may_pass(enum chirr_err err)
{
    return err == CHIRR_ERR_BUSY || err == CHIRR_ERR_CANCELLED || err == CHIRR_ERR_UNTRUSTED;
}

/* ---- Ids ----------------------------------------------------------------------------------- */

static enum chirr_err match_prefix(const json_t *tasks, struct query *query,
                                   struct chirr_error *error)
{
    char whole[ID_DIGITS + 1] = "";
    for (size_t i = 0; i < json_array_size(tasks); i++) {
        const char *id = chirr_cli_text(json_array_get(tasks, i), "id");
        if (strncmp(id, query->id, strlen(query->id)) != 0 || strlen(id) != ID_DIGITS) {
            continue;
        }
        if (whole[0] != '\0') {
            return chirr_error_set(error, CHIRR_ERR_INVALID,
                                   "more than one task begins with %s (%s, %s, …)", query->id,
                                   whole, id);
        }
        strcpy(whole, id);
    }
    if (whole[0] == '\0') {
        return chirr_error_set(error, CHIRR_ERR_NOTFOUND, "no task begins with %s", query->id);
    }
    strcpy(query->id, whole);
    return CHIRR_OK;
}

static enum chirr_err complete_id(struct query *query, struct chirr_error *error)
{
    if (strlen(query->id) == ID_DIGITS) {
        return CHIRR_OK;
    }
    json_t *request = json_pack("{s:s}", "verb", "list");
    json_t *reply = NULL;
    enum chirr_err err = chirr_cli_ask(&query->agents, request, may_pass, &reply, error);
    if (err == CHIRR_OK) {
        err = match_prefix(json_object_get(reply, "tasks"), query, error);
    }
    json_decref(reply);
    json_decref(request);
    return err;
}

/* ---- Printing ------------------------------------------------------------------------------ */

static const struct chirr_cli_column columns[] = {
    {"TASK", false}, {"KIND", false},     {"PHASE", false}, {"AGENT", false},   {"END", false},
    {"REAL", true},  {"PREDICTED", true}, {"SIZE", true},   {"COMMAND", false}, {NULL, false}};

/* The arguments with a blank between, as far as they fit. */
static void cell_command(char cell[CHIRR_CLI_CELL_BYTES_MAX], const json_t *command)
{
    char line[CHIRR_COMMAND_BYTES_MAX * 2] = "";
    size_t used = 0;
    for (size_t i = 0; i < json_array_size(command) && used < sizeof line; i++) {
        const char *word = json_string_value(json_array_get(command, i));
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%s", i > 0 ? " " : "",
                                 word != NULL ? word : "");
    }
    chirr_cli_cell_text(cell, line);
}

static int print_list(const json_t *tasks)
{
    struct chirr_cli_table table = {.columns = columns};
    for (size_t i = 0; i < json_array_size(tasks); i++) {
        const json_t *task = json_array_get(tasks, i);
        char(*row)[CHIRR_CLI_CELL_BYTES_MAX] = chirr_cli_table_row(&table);
        if (row == NULL) {
            break;
        }
        chirr_cli_cell_text(row[0], chirr_cli_text(task, "id"));
        chirr_cli_cell_text(row[1], chirr_cli_text(task, "kind"));
        chirr_cli_cell_text(row[2], chirr_cli_text(task, "phase"));
        chirr_cli_cell_text(row[3], chirr_cli_text(task, "owner_name"));
        chirr_cli_task_end(task, row[4]);
        chirr_cli_cell_number(row[5], json_object_get(task, "duration_s"), 2);
        chirr_cli_cell_number(row[6], json_object_get(task, "predicted_s"), 2);
        chirr_cli_cell_bytes(row[7], json_object_get(task, "size_bytes"));
        cell_command(row[8], json_object_get(task, "command"));
    }
    chirr_cli_table_print(&table);
    chirr_cli_table_finish(&table);
    return CHIRR_EXIT_OK;
}

static void print_task(const json_t *task)
{
    char end[CHIRR_CLI_CELL_BYTES_MAX], real[CHIRR_CLI_CELL_BYTES_MAX];
    char predicted[CHIRR_CLI_CELL_BYTES_MAX], command[CHIRR_CLI_CELL_BYTES_MAX];
    chirr_cli_task_end(task, end);
    chirr_cli_cell_number(real, json_object_get(task, "duration_s"), 3);
    chirr_cli_cell_number(predicted, json_object_get(task, "predicted_s"), 3);
    cell_command(command, json_object_get(task, "command"));
    printf("task       %s\nkind       %s\ncommand    %s\n", chirr_cli_text(task, "id"),
           chirr_cli_text(task, "kind"), command);
    printf("size       %" JSON_INTEGER_FORMAT " bytes\n",
           json_integer_value(json_object_get(task, "size_bytes")));
    printf("phase      %s, epoch %" JSON_INTEGER_FORMAT ", priority %" JSON_INTEGER_FORMAT "\n",
           chirr_cli_text(task, "phase"), json_integer_value(json_object_get(task, "epoch")),
           json_integer_value(json_object_get(task, "priority")));
    printf("submitter  %s\nagent      %s\n", chirr_cli_text(task, "submitter"),
           chirr_cli_text(task, "owner_name"));
    if (end[0] != '\0') {
        printf("end        %s\nreal       %s s\npredicted  %s s\noutput     %" JSON_INTEGER_FORMAT
               " bytes\n",
               end, real, predicted,
               json_integer_value(json_object_get(task, "output_total_bytes")));
        fputs(chirr_cli_text(task, "output"), stdout);
    }
}

/* ---- Questions ----------------------------------------------------------------------------- */

/* {"verb": VERB[, "task": ID]} to whoever knows; 0 and `*reply`, or the exit code of a failure. */
static int ask(struct query *query, const char *verb, json_t **reply)
{
    struct chirr_error error = {0};
    json_t *request = json_pack("{s:s}", "verb", verb);
    if (query->id[0] != '\0') {
        json_object_set_new(request, "task", json_string(query->id));
    }
    enum chirr_err err = chirr_cli_ask(&query->agents, request, may_pass, reply, &error);
    json_decref(request);
    return err == CHIRR_OK ? CHIRR_EXIT_OK : chirr_cli_fail(&error);
}

static int run_list(struct query *query)
{
    json_t *reply = NULL;
    int code = ask(query, "list", &reply);
    json_t *tasks = json_object_get(reply, "tasks");
    if (code == CHIRR_EXIT_OK && query->json) {
        chirr_cli_print_json(json_incref(tasks));
    } else if (code == CHIRR_EXIT_OK) {
        code = print_list(tasks);
    }
    json_decref(reply);
    return code;
}

static int run_show(struct query *query)
{
    json_t *reply = NULL;
    int code = ask(query, "show", &reply);
    json_t *task = json_object_get(reply, "task");
    if (code == CHIRR_EXIT_OK && query->json) {
        chirr_cli_print_json(json_incref(task));
    } else if (code == CHIRR_EXIT_OK) {
        print_task(task);
    }
    json_decref(reply);
    return code;
}

static int run_wait(struct query *query)
{
    struct chirr_error error = {0};
    json_t *reply = NULL;
    int code = ask(query, "show", &reply); /* whether anybody knows it at all */
    json_decref(reply);
    if (code != CHIRR_EXIT_OK) {
        return code;
    }
    json_t *task = NULL;
    if (chirr_cli_task_await(&query->agents, query->id, query->timeout_ms, &task, &error) !=
        CHIRR_OK) {
        return chirr_cli_fail(&error);
    }
    code = chirr_cli_task_report(task, query->json);
    json_decref(task);
    return code;
}

static int run_cancel(struct query *query)
{
    json_t *reply = NULL;
    int code = ask(query, "cancel", &reply);
    json_decref(reply);
    if (code == CHIRR_EXIT_OK && query->json) {
        chirr_cli_print_json(json_pack("{s:s}", "task", query->id));
    }
    return code;
}

/* ---- Arguments ----------------------------------------------------------------------------- */

/* At least four digits, so that a slip of the finger does not name a task. */
static bool take_id(const struct chirr_cli_arguments *arguments, struct query *query)
{
    const char *text = optind < arguments->argc ? arguments->argv[optind] : "";
    size_t digits = strspn(text, "0123456789abcdefABCDEF");
    if (optind + 1 != arguments->argc || digits < 4 || digits > ID_DIGITS || text[digits] != '\0') {
        chirr_cli_usage(arguments->command,
                        "expected a task's id, 4 to 16 hexadecimal digits%s%s%s",
                        text[0] != '\0' ? ", got \"" : "", text, text[0] != '\0' ? "\"" : "");
        return false;
    }
    for (size_t i = 0; i <= digits; i++) {
        query->id[i] = (char)tolower((unsigned char)text[i]);
    }
    return true;
}

static int find_and_run(struct query *query, int (*run)(struct query *))
{
    struct chirr_error error = {0};
    if (chirr_cli_find(&query->target, &query->agents, &error) != CHIRR_OK) {
        return chirr_cli_fail(&error);
    }
    int code = query->id[0] != '\0' && complete_id(query, &error) != CHIRR_OK
                   ? chirr_cli_fail(&error)
                   : run(query);
    free(query->agents.agents);
    return code;
}

static int question(const struct chirr_cli_arguments *arguments, bool with_id,
                    int (*run)(struct query *))
{
    static const struct chirr_cli_range timeout = {CHIRR_YAML_DURATION, 0, INT64_MAX};
    struct query query = {.timeout_ms = CHIRR_CLI_NO_TIMEOUT};
    int option;
    chirr_cli_begin();
    while ((option = chirr_cli_option(arguments)) >= 0) {
        query.json = query.json || option == 'j';
        chirr_cli_target_option(&query.target, option);
        if (option == 't' &&
            !chirr_cli_integer(arguments, "--timeout", &timeout, &query.timeout_ms)) {
            return CHIRR_EXIT_USAGE;
        }
    }
    if (option != CHIRR_CLI_END) {
        return option == CHIRR_CLI_HELP ? CHIRR_EXIT_OK : CHIRR_EXIT_USAGE;
    }
    if (with_id && !take_id(arguments, &query)) {
        return CHIRR_EXIT_USAGE;
    }
    if (!with_id && optind < arguments->argc) {
        return chirr_cli_usage(arguments->command, "expected options alone, got \"%s\"",
                               arguments->argv[optind]);
    }
    return find_and_run(&query, run);
}

static const struct option plain_options[] = {CHIRR_CLI_TARGET_OPTIONS,
                                              {"json", no_argument, NULL, 'j'},
                                              {"help", no_argument, NULL, 'h'},
                                              {0}};
static const struct option wait_options[] = {CHIRR_CLI_TARGET_OPTIONS,
                                             {"json", no_argument, NULL, 'j'},
                                             {"timeout", required_argument, NULL, 't'},
                                             {"help", no_argument, NULL, 'h'},
                                             {0}};

#define QUERY_HELP "  --json             as JSON\n" CHIRR_CLI_TARGET_HELP "\n"

int chirr_cli_task_list(int argc, char **argv)
{
    static const char help[] = "usage: chirr task list [OPTION…]\n"
                               "\n"
                               "Every job that the swarm knows.\n"
                               "\n" QUERY_HELP "Exit code: 0; 2 usage; 3 no agent runs.\n";
    const struct chirr_cli_arguments arguments = {"task list", help, plain_options, argc, argv};
    return question(&arguments, false, run_list);
}

int chirr_cli_task_show(int argc, char **argv)
{
    static const char help[] =
        "usage: chirr task show [OPTION…] ID\n"
        "\n"
        "What was asked, who does it, and what became of it.\n"
        "\n" QUERY_HELP "Exit code: 0; 2 usage, or more than one task of that ID; 3 no such task, "
        "or no\nagent runs.\n";
    const struct chirr_cli_arguments arguments = {"task show", help, plain_options, argc, argv};
    return question(&arguments, true, run_show);
}

int chirr_cli_task_wait(int argc, char **argv)
{
    static const char help[] = "usage: chirr task wait [OPTION…] ID\n"
                               "\n"
                               "Waits until a job has ended and prints what it printed.\n"
                               "\n"
                               "  --timeout T        at most so long (250ms, 60s, 5m)\n" QUERY_HELP
                               "Exit code: 0 when the job exited with 0; 1 when it failed or was "
                               "cancelled; 2 usage; 3 no\n"
                               "such task, or no agent runs; 124 timeout.\n";
    const struct chirr_cli_arguments arguments = {"task wait", help, wait_options, argc, argv};
    return question(&arguments, true, run_wait);
}

int chirr_cli_task_cancel(int argc, char **argv)
{
    static const char help[] =
        "usage: chirr task cancel [OPTION…] ID\n"
        "\n"
        "Calls a job off, at the agent that it was submitted to. Its processes are killed.\n"
        "\n" QUERY_HELP "Exit code: 0; 1 refused, or it has ended; 2 usage; 3 no such task, or no "
        "agent runs.\n";
    const struct chirr_cli_arguments arguments = {"task cancel", help, plain_options, argc, argv};
    return question(&arguments, true, run_cancel);
}
