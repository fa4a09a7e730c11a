/* `chirr ps`: who runs, and how it goes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli.h"
#include "agent/control.h"

static const char help[] =
    "usage: chirr ps [--json] [--swarm NAME] [--agent NAME] [--runtime DIR]\n"
    "\n"
    "Asks every agent of this user that runs on this machine how it goes.\n"
    "\n"
    "  --json             one array, an object for each agent (docs/control.md, status)\n"
    "  --swarm NAME       of this swarm alone\n"
    "  --agent NAME       this agent alone\n"
    "  --runtime DIR      where its control sockets are\n"
    "\n"
    "BITS are bits per byte now; SURPRISE is how much more than usual. KNOW OUT and IN are bytes\n"
    "of knowledge told and heard. PREDICTED and REAL are the seconds of the last job done there.\n"
    "MEMBERS are those alive out of those known. DROPS counts all that was dropped or refused;\n"
    "--json tells why.\n"
    "\n"
    "Exit code: 0; 2 usage; 3 no agent runs.\n";

static const struct chirr_cli_column columns[] = {
    {"SWARM", false},    {"AGENT", false},  {"DEVICE", false}, {"BITS", true},   {"SURPRISE", true},
    {"KNOW OUT", true},  {"KNOW IN", true}, {"DONE", true},    {"FAILED", true}, {"RUNNING", true},
    {"PREDICTED", true}, {"REAL", true},    {"MEMBERS", true}, {"DROPS", true},  {NULL, false}};

static void cell_members(char cell[CHIRR_CLI_CELL_BYTES_MAX], const json_t *members)
{
    size_t live = 1; /* itself */
    for (size_t i = 0; i < json_array_size(members); i++) {
        const char *status =
            json_string_value(json_object_get(json_array_get(members, i), "status"));
        live += status != NULL && (strcmp(status, "alive") == 0 || strcmp(status, "suspect") == 0);
    }
    snprintf(cell, CHIRR_CLI_CELL_BYTES_MAX, "%zu/%zu", live, json_array_size(members) + 1);
}

/* Counts alone: bytes that were cut from outputs are no drops of the same kind. */
static void cell_drops(char cell[CHIRR_CLI_CELL_BYTES_MAX], json_t *drops)
{
    static const char suffix[] = "_bytes";
    const char *reason;
    json_t *count;
    json_int_t sum = 0;
    json_object_foreach(drops, reason, count)
    {
        size_t bytes = strlen(reason);
        bool is_bytes =
            bytes >= sizeof suffix && strcmp(reason + bytes - (sizeof suffix - 1), suffix) == 0;
        sum += is_bytes ? 0 : json_integer_value(count);
    }
    snprintf(cell, CHIRR_CLI_CELL_BYTES_MAX, "%" JSON_INTEGER_FORMAT, sum);
}

static bool add_row(struct chirr_cli_table *table, const struct chirr_cli_agent *agent,
                    const json_t *status)
{
    char(*row)[CHIRR_CLI_CELL_BYTES_MAX] = chirr_cli_table_row(table);
    if (row == NULL) {
        return false;
    }
    const json_t *model = json_object_get(status, "model");
    const json_t *knowledge = json_object_get(status, "knowledge");
    const json_t *tasks = json_object_get(status, "tasks");
    const char *device =
        json_string_value(json_object_get(json_object_get(status, "agent"), "device"));
    chirr_cli_cell_text(row[0], agent->swarm);
    chirr_cli_cell_text(row[1], agent->name);
    chirr_cli_cell_text(row[2], status == NULL ? "no answer" : device != NULL ? device : "-");
    chirr_cli_cell_number(row[3], json_object_get(model, "bits_now"), 3);
    chirr_cli_cell_number(row[4], json_object_get(model, "surprise"), 2);
    chirr_cli_cell_bytes(row[5], json_object_get(knowledge, "bytes_out"));
    chirr_cli_cell_bytes(row[6], json_object_get(knowledge, "bytes_in"));
    chirr_cli_cell_number(row[7], json_object_get(tasks, "done_here"), 0);
    chirr_cli_cell_number(row[8], json_object_get(tasks, "failed_here"), 0);
    chirr_cli_cell_number(row[9], json_object_get(tasks, "running"), 0);
    chirr_cli_cell_number(row[10], json_object_get(tasks, "predicted_s_last"), 2);
    chirr_cli_cell_number(row[11], json_object_get(tasks, "real_s_last"), 2);
    if (status != NULL) {
        cell_members(row[12], json_object_get(status, "members"));
        cell_drops(row[13], json_object_get(status, "drops"));
    }
    return true;
}

/* A socket that nobody answers on, left by an agent that was killed, is no agent. */
static size_t ask_all(const struct chirr_cli_agents *agents, struct chirr_cli_table *table,
                      json_t *list)
{
    size_t count = 0;
    json_t *request = json_pack("{s:s}", "verb", "status");
    for (size_t i = 0; i < agents->count; i++) {
        const struct chirr_cli_agent *agent = &agents->agents[i];
        struct chirr_error error = {0};
        json_t *status = NULL;
        enum chirr_err err = chirr_control_ask(agent->runtime_dir, agent->name, request,
                                               CHIRR_CLI_ANSWER_MS, &status, &error);
        if (err == CHIRR_ERR_NOTFOUND) {
            continue;
        }
        if (err != CHIRR_OK) {
            fprintf(stderr, "chirr: %s: %s\n", agent->name, error.text);
        }
        add_row(table, agent, status);
        if (status != NULL) {
            json_array_append_new(list, status);
        }
        count++;
    }
    json_decref(request);
    return count;
}

static int run(const struct chirr_cli_target *target, bool json)
{
    struct chirr_error error = {0};
    struct chirr_cli_agents agents;
    struct chirr_cli_table table = {.columns = columns};
    if (chirr_cli_find(target, &agents, &error) != CHIRR_OK) {
        return chirr_cli_fail(&error);
    }
    json_t *list = json_array();
    size_t count = ask_all(&agents, &table, list);
    free(agents.agents);
    if (count == 0) {
        chirr_error_set(&error, CHIRR_ERR_NOTFOUND,
                        "no agent is running (what is left are sockets of agents that ended)");
    } else if (json) {
        chirr_cli_print_json(json_incref(list));
    } else {
        chirr_cli_table_print(&table);
    }
    json_decref(list);
    chirr_cli_table_finish(&table);
    return count == 0 ? chirr_cli_fail(&error) : CHIRR_EXIT_OK;
}

int chirr_cli_ps(int argc, char **argv)
{
    static const struct option options[] = {CHIRR_CLI_TARGET_OPTIONS,
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const struct chirr_cli_arguments arguments = {"ps", help, options, argc, argv};
    struct chirr_cli_target target = {0};
    bool json = false;
    int option;
    chirr_cli_begin();
    while ((option = chirr_cli_option(&arguments)) >= 0) {
        json = json || option == 'j';
        chirr_cli_target_option(&target, option);
    }
    if (option != CHIRR_CLI_END) {
        return option == CHIRR_CLI_HELP ? CHIRR_EXIT_OK : CHIRR_EXIT_USAGE;
    }
    if (optind < argc) {
        return chirr_cli_usage("ps", "expected options alone, got \"%s\"", argv[optind]);
    }
    return run(&target, json);
}
