/* Agents that run, by their control sockets: RUNTIME_HOME/chirr/SWARM/NAME.sock. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cli.h"
#include "agent/control.h"
#include "agent/paths.h"

bool chirr_cli_target_option(struct chirr_cli_target *target, int option)
{
    switch (option) {
    case 's':
        target->swarm = optarg;
        return true;
    case 'a':
        target->agent = optarg;
        return true;
    case 'r':
        target->runtime = optarg;
        return true;
    default:
        return false;
    }
}

bool chirr_cli_target_alone(int argc, char **argv, const char *help,
                            struct chirr_cli_target *target, bool *json, int *code)
{
    static const struct option options[] = {CHIRR_CLI_TARGET_OPTIONS,
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const struct chirr_cli_arguments arguments = {argv[0], help, options, argc, argv};
    int option;
    chirr_cli_begin();
    while ((option = chirr_cli_option(&arguments)) >= 0) {
        *json = *json || option == 'j';
        chirr_cli_target_option(target, option);
    }
    *code = option == CHIRR_CLI_HELP ? CHIRR_EXIT_OK : CHIRR_EXIT_USAGE;
    if (option == CHIRR_CLI_END && optind < argc) {
        chirr_cli_usage(argv[0], "expected options alone, got \"%s\"", argv[optind]);
        return false;
    }
    return option == CHIRR_CLI_END;
}

/* What another user put in /tmp is not asked. */
static bool is_own_directory(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

struct search {
    const struct chirr_cli_target *target;
    struct chirr_cli_agents *agents;
    bool out_of_memory;
};

static void add_agent(struct search *search, const struct chirr_cli_agent *agent)
{
    struct chirr_cli_agents *agents = search->agents;
    if (agents->count == CHIRR_CLI_AGENTS_MAX) {
        return;
    }
    if ((agents->count & (agents->count - 1)) == 0) { /* doubles at every power of two */
        size_t capacity = agents->count == 0 ? 1 : 2 * agents->count;
        void *grown = realloc(agents->agents, capacity * sizeof *agents->agents);
        if (grown == NULL) {
            search->out_of_memory = true;
            return;
        }
        agents->agents = grown;
    }
    agents->agents[agents->count++] = *agent;
}

static void search_swarm(struct search *search, const char *directory, const char *swarm)
{
    static const char suffix[] = ".sock";
    struct chirr_cli_agent agent = {.started = INT64_MIN};
    DIR *entries = is_own_directory(directory) ? opendir(directory) : NULL;
    if (entries == NULL || strlen(directory) >= sizeof agent.runtime_dir) {
        if (entries != NULL) {
            closedir(entries);
        }
        return;
    }
    strcpy(agent.runtime_dir, directory);
    snprintf(agent.swarm, sizeof agent.swarm, "%.*s", (int)sizeof agent.swarm - 1, swarm);
    size_t first = search->agents->count;
    struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        size_t bytes = strlen(entry->d_name);
        struct stat status;
        if (bytes < sizeof suffix || bytes >= sizeof agent.name + sizeof suffix - 1 ||
            strcmp(entry->d_name + bytes - (sizeof suffix - 1), suffix) != 0 ||
            fstatat(dirfd(entries), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISSOCK(status.st_mode)) {
            continue;
        }
        memset(agent.name, 0, sizeof agent.name);
        memcpy(agent.name, entry->d_name, bytes - (sizeof suffix - 1));
        agent.started = status.st_mtime > agent.started ? status.st_mtime : agent.started;
        if (search->target->agent == NULL || strcmp(search->target->agent, agent.name) == 0) {
            add_agent(search, &agent);
        }
    }
    closedir(entries);
    for (size_t i = first; i < search->agents->count; i++) {
        search->agents->agents[i].started = agent.started;
    }
}

static void search_home(struct search *search, const char *home)
{
    DIR *entries = is_own_directory(home) ? opendir(home) : NULL;
    struct dirent *entry;
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        char path[CHIRR_PATH_BYTES_MAX + 8 + 256 + 1]; /* as readdir names at most */
        if (entry->d_name[0] == '.' ||
            (search->target->swarm != NULL && strcmp(search->target->swarm, entry->d_name) != 0)) {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", home, entry->d_name);
        search_swarm(search, path, entry->d_name);
    }
    if (entries != NULL) {
        closedir(entries);
    }
}

static int compare_agents(const void *left, const void *right)
{
    const struct chirr_cli_agent *a = left, *b = right;
    if (a->started != b->started) {
        return a->started > b->started ? -1 : 1;
    }
    int order = strcmp(a->swarm, b->swarm);
    return order != 0 ? order : strcmp(a->name, b->name);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

enum chirr_err chirr_cli_find(const struct chirr_cli_target *target,
                              struct chirr_cli_agents *agents, struct chirr_error *error)
{
    char home[CHIRR_PATH_BYTES_MAX + 8];
    struct search search = {.target = target, .agents = agents};
    *agents = (struct chirr_cli_agents){0};
    if (target->runtime != NULL) {
        snprintf(home, sizeof home, "%s", target->runtime);
        search_swarm(&search, home,
                     target->swarm != NULL ? target->swarm : base_name(target->runtime));
    } else {
        struct chirr_paths paths;
        enum chirr_err err = chirr_paths_read(&paths, error);
        if (err != CHIRR_OK) {
            return err;
        }
        snprintf(home, sizeof home, "%s/chirr", paths.runtime_home);
        search_home(&search, home);
    }
    if (search.out_of_memory) {
        free(agents->agents);
        *agents = (struct chirr_cli_agents){0};
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "out of memory");
    }
    if (agents->count == 0) {
        return chirr_error_set(error, CHIRR_ERR_NOTFOUND, "no agent%s%s%s%s is running (in %s)",
                               target->agent != NULL ? " " : "",
                               target->agent != NULL ? target->agent : "",
                               target->swarm != NULL ? " of swarm " : "",
                               target->swarm != NULL ? target->swarm : "", home);
    }
    qsort(agents->agents, agents->count, sizeof *agents->agents, compare_agents);
    return CHIRR_OK;
}

/* Who answered goes first, and of the others those of its swarm stay. */
static void settle_on(struct chirr_cli_agents *agents, size_t index)
{
    struct chirr_cli_agent answered = agents->agents[index];
    memmove(&agents->agents[1], &agents->agents[0], index * sizeof answered);
    agents->agents[0] = answered;
    size_t kept = 1;
    for (size_t i = 1; i < agents->count; i++) {
        if (strcmp(agents->agents[i].runtime_dir, answered.runtime_dir) == 0) {
            agents->agents[kept++] = agents->agents[i];
        }
    }
    agents->count = kept;
}

enum chirr_err chirr_cli_ask(struct chirr_cli_agents *agents, const json_t *request,
                             bool (*may_pass)(enum chirr_err), json_t **reply,
                             struct chirr_error *error)
{
    struct chirr_error why = {0};
    enum chirr_err err = CHIRR_ERR_NOTFOUND;
    for (size_t i = 0; i < agents->count; i++) {
        const struct chirr_cli_agent *agent = &agents->agents[i];
        struct chirr_error gone = {0};
        err = chirr_control_ask(agent->runtime_dir, agent->name, request, CHIRR_CLI_ANSWER_MS,
                                reply, &gone);
        if (err == CHIRR_OK) {
            settle_on(agents, i);
            return CHIRR_OK;
        }
        why = gone;
        bool absent = err == CHIRR_ERR_IO || err == CHIRR_ERR_NOTFOUND;
        if (!absent && (may_pass == NULL || !may_pass(err))) {
            break;
        }
    }
    return chirr_error_set(error, err, "%s", why.text);
}

enum chirr_err chirr_cli_ask_each(const struct chirr_cli_agents *agents, const json_t *request,
                                  void (*take)(void *context, const struct chirr_cli_agent *,
                                               const json_t *reply),
                                  void *context, struct chirr_error *error)
{
    size_t count = 0;
    for (size_t i = 0; i < agents->count; i++) {
        const struct chirr_cli_agent *agent = &agents->agents[i];
        struct chirr_error why = {0};
        json_t *reply = NULL;
        enum chirr_err err = chirr_control_ask(agent->runtime_dir, agent->name, request,
                                               CHIRR_CLI_ANSWER_MS, &reply, &why);
        if (err == CHIRR_ERR_NOTFOUND) {
            continue; /* a socket that an agent left when it was killed */
        }
        if (err != CHIRR_OK) {
            fprintf(stderr, "chirr: %s: %s\n", agent->name, why.text);
        }
        take(context, agent, reply);
        json_decref(reply);
        count++;
    }
    return count > 0 ? CHIRR_OK
                     : chirr_error_set(error, CHIRR_ERR_NOTFOUND,
                                       "no agent is running (what is left are sockets of agents "
                                       "that ended)");
}
