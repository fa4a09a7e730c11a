/* `chirr ps`: who runs, and how it goes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli.h"

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

static void add_row(struct chirr_cli_table *table, const struct chirr_cli_agent *agent,
                    const json_t *status)
{
    char(*row)[CHIRR_CLI_CELL_BYTES_MAX] = chirr_cli_table_row(table);
    if (row == NULL) {
        return;
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
}

struct answers {
    struct chirr_cli_table table;
    json_t *list;
};

static void take_answer(void *context, const struct chirr_cli_agent *agent, const json_t *status)
{
    struct answers *answers = context;
    add_row(&answers->table, agent, status);
    if (status != NULL) {
        json_array_append(answers->list, (json_t *)status);
    }
}

static int run(const struct chirr_cli_target *target, bool json)
{
    struct chirr_error error = {0};
    struct chirr_cli_agents agents;
    if (chirr_cli_find(target, &agents, &error) != CHIRR_OK) {
        return chirr_cli_fail(&error);
    }
    struct answers answers = {.table = {.columns = columns}, .list = json_array()};
    json_t *request = json_pack("{s:s}", "verb", "status");
    enum chirr_err err = chirr_cli_ask_each(&agents, request, take_answer, &answers, &error);
    json_decref(request);
    free(agents.agents);
    if (err == CHIRR_OK && json) {
        chirr_cli_print_json(json_incref(answers.list));
    } else if (err == CHIRR_OK) {
        chirr_cli_table_print(&answers.table);
    }
    json_decref(answers.list);
    chirr_cli_table_finish(&answers.table);
    return err == CHIRR_OK ? CHIRR_EXIT_OK : chirr_cli_fail(&error);
}

int chirr_cli_ps(int argc, char **argv)
{
    struct chirr_cli_target target = {0};
    bool json = false;
    int code;
    return chirr_cli_target_alone(argc, argv, help, &target, &json, &code) ? run(&target, json)
                                                                           : code;
}
