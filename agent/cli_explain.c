/* `chirr explain`: which partitions of agents that run answer which of their senses. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/cli_activation.h"

static const char help[] =
    "usage: chirr explain [--json] [--swarm NAME] [--agent NAME] [--runtime DIR]\n"
    "\n"
    "Asks every agent of this user that runs on this machine which partitions of its model answer\n"
    "which of its senses, as it learns.\n"
    "\n"
    "  --json             one array, an object for each agent (docs/control.md, explain)\n"
    "  --swarm NAME       of this swarm alone\n"
    "  --agent NAME       this agent alone\n"
    "  --runtime DIR      where its control sockets are\n"
    "\n"
    "A share is that of the steps of a sense at which a partition answered, of about the last\n"
    "2048; without a selector (model.active) that is all. A sense that has learned nothing yet\n"
    "shows -. What a partition is worth to a text: chirr model explain, on a checkpoint.\n"
    "\n"
    "Exit code: 0; 1 no agent has a model, or none answered; 2 usage; 3 no agent runs.\n";

struct answers {
    bool json;
    size_t count;
    json_t *list;
};

static void take_answer(void *context, const struct chirr_cli_agent *agent, const json_t *reply)
{
    struct answers *answers = context;
    json_t *activation = json_object_get(reply, "activation");
    if (activation == NULL) {
        return;
    }
    if (answers->json) {
        json_t *entry = json_pack("{s:s, s:s}", "swarm", agent->swarm, "agent", agent->name);
        json_object_update(entry, activation);
        json_array_append_new(answers->list, entry);
    } else {
        char title[2 * CHIRR_NAME_BYTES_MAX + 8];
        snprintf(title, sizeof title, "%s of %s", agent->name, agent->swarm);
        printf("%s", answers->count > 0 ? "\n" : "");
        chirr_cli_print_activation(title, activation);
    }
    answers->count++;
}

static int run(const struct chirr_cli_target *target, bool json)
{
    struct chirr_error error = {0};
    struct chirr_cli_agents agents;
    if (chirr_cli_find(target, &agents, &error) != CHIRR_OK) {
        return chirr_cli_fail(&error);
    }
    struct answers answers = {.json = json, .list = json_array()};
    json_t *request = json_pack("{s:s}", "verb", "explain");
    enum chirr_err err = chirr_cli_ask_each(&agents, request, take_answer, &answers, &error);
    json_decref(request);
    free(agents.agents);
    if (json && answers.count > 0) {
        chirr_cli_print_json(json_incref(answers.list));
    }
    json_decref(answers.list);
    if (err != CHIRR_OK) {
        return chirr_cli_fail(&error);
    }
    return answers.count > 0 ? CHIRR_EXIT_OK : CHIRR_EXIT_FAILED;
}

int chirr_cli_explain(int argc, char **argv)
{
    struct chirr_cli_target target = {0};
    bool json = false;
    int code;
    return chirr_cli_target_alone(argc, argv, help, &target, &json, &code) ? run(&target, json)
                                                                           : code;
}
