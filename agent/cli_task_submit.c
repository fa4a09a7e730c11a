/* `chirr task submit`. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cli_task.h"
#include "base/yaml.h"

static const char help[] =
    "usage: chirr task submit [OPTION…] -- COMMAND [ARGUMENT…]\n"
    "\n"
    "Gives the job to an agent that runs; whichever agent of the swarm bids best does it. Waits,\n"
    "prints what the job printed, and ends with 0 when the job did. The job is safe once this\n"
    "says so: no agent that is killed loses it.\n"
    "\n"
    "The command is started without a shell, in a directory of its own. Arguments that name files\n"
    "or directories here are made absolute.\n"
    "\n"
    "  --kind K           what durations are learned by; else the command's own name, cut to 31\n"
    "  --size N           of the work in bytes (64K, 16M); else of the files that are arguments\n"
    "  --time-limit T     kill it after so long (250ms, 60s, 5m); 60s\n"
    "  --priority N       0 to 9, greater first; 0\n"
    "  --requires TAG     only on agents that provide it; up to four times\n"
    "  --no-wait          print the task's id and end\n"
    "  --timeout T        wait at most so long, then end with 124; the job goes on\n"
    "  --json             print the task as an object\n" CHIRR_CLI_TARGET_HELP "\n"
    "Exit code: 0 when the job exited with 0; 1 when it failed or was refused; 2 usage; 3 no "
    "agent\n"
    "runs; 124 timeout.\n";

struct submission {
    struct chirr_cli_target target;
    const char *kind;
    bool sized;
    uint64_t size_bytes;
    uint64_t time_limit_ms;
    uint64_t priority;
    uint64_t timeout_ms;
    json_t *requires;
    bool no_wait, json;
};

static bool take_option(const struct chirr_cli_arguments *arguments, int option,
                        struct submission *s)
{
    static const struct chirr_cli_range size = {CHIRR_YAML_SIZE, 0, INT64_MAX};
    static const struct chirr_cli_range limit = {CHIRR_YAML_DURATION, 1, 86400000};
    static const struct chirr_cli_range timeout = {CHIRR_YAML_DURATION, 0, INT64_MAX};
    static const struct chirr_cli_range priority = {CHIRR_YAML_WHOLE, 0, 9};
    switch (option) {
    case 'k':
        s->kind = optarg;
        return true;
    case 'z':
        s->sized = true;
        return chirr_cli_integer(arguments, "--size", &size, &s->size_bytes);
    case 'l':
        return chirr_cli_integer(arguments, "--time-limit", &limit, &s->time_limit_ms);
    case 'p':
        return chirr_cli_integer(arguments, "--priority", &priority, &s->priority);
    case 't':
        return chirr_cli_integer(arguments, "--timeout", &timeout, &s->timeout_ms);
    case 'q':
        json_array_append_new(s->requires, json_string(optarg));
        return true;
    case 'n':
        s->no_wait = true;
        return true;
    case 'j':
        s->json = true;
        return true;
    default:
        return chirr_cli_target_option(&s->target, option);
    }
}

/* An argument as the job will see it from its own directory. */
static json_t *settle_argument(const char *argument, const char *here, bool program, bool sized,
                               uint64_t *size_bytes)
{
    struct stat status;
    bool named = program ? strchr(argument, '/') != NULL : argument[0] != '-';
    if (!named || argument[0] == '\0' || stat(argument, &status) != 0) {
        return json_string(argument);
    }
    if (!sized && !program && S_ISREG(status.st_mode)) {
        *size_bytes += (uint64_t)status.st_size;
    }
    return argument[0] == '/' ? json_string(argument) : json_sprintf("%s/%s", here, argument);
}

/* NULL where an argument is not UTF-8. */
static json_t *settle_command(char **words, bool sized, uint64_t *size_bytes)
{
    char here[PATH_MAX];
    json_t *command = json_array();
    if (getcwd(here, sizeof here) == NULL) {
        strcpy(here, "");
    }
    for (size_t i = 0; words[i] != NULL; i++) {
        json_t *argument = settle_argument(words[i], here, i == 0, sized, size_bytes);
        if (argument == NULL) {
            json_decref(command);
            return NULL;
        }
        json_array_append_new(command, argument);
    }
    return command;
}

/* The command's own name, as far as a kind can hold it: 31 printable ASCII characters. */
static void derive_kind(char kind[CHIRR_NAME_BYTES_MAX], const char *program)
{
    const char *slash = strrchr(program, '/');
    const char *name = slash != NULL && slash[1] != '\0' ? slash + 1 : program;
    snprintf(kind, CHIRR_NAME_BYTES_MAX, "%.*s", CHIRR_NAME_BYTES_MAX - 1, name);
    for (char *at = kind; *at != '\0'; at++) {
        *at = *at < ' ' || *at > '~' ? '?' : *at;
    }
}

static json_t *make_request(struct submission *s, char **words)
{
    char derived[CHIRR_NAME_BYTES_MAX];
    json_t *command = settle_command(words, s->sized, &s->size_bytes);
    derive_kind(derived, words[0]);
    const char *kind = s->kind != NULL ? s->kind : derived;
    if (command == NULL) {
        return NULL;
    }
    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:O}", "verb", "submit", "kind", kind,
                     "command", command, "size_bytes", (json_int_t)s->size_bytes, "time_limit_ms",
                     (json_int_t)s->time_limit_ms, "priority", (json_int_t)s->priority, "requires",
                     s->requires);
}

static int await(const struct submission *s, struct chirr_cli_agents *agents, const char *id)
{
    struct chirr_error error = {0};
    json_t *task = NULL;
    if (chirr_cli_task_await(agents, id, s->timeout_ms, &task, &error) != CHIRR_OK) {
        return chirr_cli_fail(&error);
    }
    int code = chirr_cli_task_report(task, s->json);
    json_decref(task);
    return code;
}

static int submit(struct submission *s, const json_t *request)
{
    struct chirr_error error = {0};
    struct chirr_cli_agents agents;
    json_t *reply = NULL;
    if (chirr_cli_find(&s->target, &agents, &error) != CHIRR_OK) {
        return chirr_cli_fail(&error);
    }
    int code = CHIRR_EXIT_OK;
    if (chirr_cli_ask(&agents, request, NULL, &reply, &error) != CHIRR_OK) {
        code = chirr_cli_fail(&error);
    } else if (!s->no_wait) {
        code = await(s, &agents, chirr_cli_text(reply, "task"));
    } else if (s->json) {
        chirr_cli_print_json(json_pack("{s:s}", "task", chirr_cli_text(reply, "task")));
    } else {
        puts(chirr_cli_text(reply, "task"));
    }
    json_decref(reply);
    free(agents.agents);
    return code;
}

static int parse_and_submit(const struct chirr_cli_arguments *arguments, struct submission *s)
{
    int option;
    chirr_cli_begin();
    while ((option = chirr_cli_option(arguments)) >= 0) {
        if (!take_option(arguments, option, s)) {
            return CHIRR_EXIT_USAGE;
        }
    }
    if (option != CHIRR_CLI_END) {
        return option == CHIRR_CLI_HELP ? CHIRR_EXIT_OK : CHIRR_EXIT_USAGE;
    }
    if (optind >= arguments->argc || arguments->argv[optind][0] == '\0') {
        return chirr_cli_usage(arguments->command, "expected a command after --");
    }
    json_t *request = make_request(s, arguments->argv + optind);
    if (request == NULL) {
        return chirr_cli_usage(arguments->command, "expected a command in UTF-8");
    }
    int code = submit(s, request);
    json_decref(request);
    return code;
}

int chirr_cli_task_submit(int argc, char **argv)
{
    static const struct option options[] = {CHIRR_CLI_TARGET_OPTIONS,
                                            {"kind", required_argument, NULL, 'k'},
                                            {"size", required_argument, NULL, 'z'},
                                            {"time-limit", required_argument, NULL, 'l'},
                                            {"priority", required_argument, NULL, 'p'},
                                            {"requires", required_argument, NULL, 'q'},
                                            {"timeout", required_argument, NULL, 't'},
                                            {"no-wait", no_argument, NULL, 'n'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const struct chirr_cli_arguments arguments = {"task submit", help, options, argc, argv};
    struct submission submission = {
        .time_limit_ms = 60000, .timeout_ms = CHIRR_CLI_NO_TIMEOUT, .requires = json_array()};
    int code = parse_and_submit(&arguments, &submission);
    json_decref(submission.requires);
    return code;
}
