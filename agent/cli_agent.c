/* `chirr agent AGENT.yaml`: one agent in the foreground. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/agent.h"
#include "agent/cli.h"
#include "agent/clock.h"
#include "agent/footprint.h"
#include "agent/paths.h"
#include "agent/provision.h"

static const char help[] =
    "usage: chirr agent [--check] AGENT.yaml\n"
    "\n"
    "Runs one agent until SIGINT or SIGTERM; then it takes leave of the others, ends its jobs, "
    "saves\n"
    "what it has learned, and goes. Its log is on standard error. docs/configuration.md lists the\n"
    "keys of the file.\n"
    "\n"
    "  --check            read the file, say what is wrong with it, start nothing\n"
    "\n"
    "Exit code: 0; 1 it could not start (a port is in use, an agent of that name runs), or "
    "failed;\n"
    "2 usage, or a mistake in the file: nothing was started.\n";

/* The longest time between two looks at the clock. */
#define TURN_MS_MAX 1000

/* What the signal handler stops; there is one agent in this process. */
static struct chirr_agent *volatile running;

static void stop(int signal)
{
    if (running != NULL) {
        chirr_agent_stop(running);
    }
}

/* A second signal is not caught: it ends an agent that does not come to an end. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void write_line(void *context, enum chirr_log_level level, const char *line)
{
    struct timespec now;
    struct tm parts;
    char stamp[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
    fprintf(stderr, "%s.%03ldZ %s: %s\n", stamp, now.tv_nsec / 1000000, chirr_log_level_name(level),
            line);
}

static enum chirr_err run_agent(struct chirr_agent *agent, struct chirr_error *error)
{
    struct chirr_footprint footprint = {.began_us = chirr_clock_now()};
    enum chirr_err err;
    do {
        err = chirr_agent_turn(agent, TURN_MS_MAX, error);
        chirr_footprint_tend(&footprint, chirr_clock_now());
    } while (err == CHIRR_OK);
    return err == CHIRR_ERR_CANCELLED ? CHIRR_OK : err;
}

static int run(const struct chirr_agent_config *config)
{
    struct chirr_error error = {0};
    const struct chirr_log log = {.level = config->log_level, .write = write_line};
    struct chirr_agent *agent = NULL;
    if (chirr_provision_directory(config->state_dir, &error) == CHIRR_OK) {
        agent = chirr_agent_create(config, &log, &error);
    }
    if (agent == NULL) {
        chirr_log_error(&log, "%s", error.text);
        return error.code == CHIRR_ERR_CONFIG ? CHIRR_EXIT_USAGE : CHIRR_EXIT_FAILED;
    }
    running = agent;
    catch_signals();
    chirr_log_info(&log, "agent %s of swarm %s is running, id %016llx", config->name, config->swarm,
                   (unsigned long long)chirr_agent_identity(agent));
    enum chirr_err err = run_agent(agent, &error);
    if (err != CHIRR_OK) {
        chirr_log_error(&log, "%s", error.text);
    }
    running = NULL;
    chirr_agent_destroy(agent);
    chirr_log_info(&log, "agent %s has ended", config->name);
    return err == CHIRR_OK ? CHIRR_EXIT_OK : CHIRR_EXIT_FAILED;
}

static enum chirr_err load(const char *path, struct chirr_agent_config *config,
                           struct chirr_error *error)
{
    struct chirr_paths paths;
    enum chirr_err err = chirr_agent_config_load(path, config, error);
    if (err == CHIRR_OK) {
        err = chirr_paths_read(&paths, error);
    }
    return err == CHIRR_OK ? chirr_agent_config_place(config, &paths, error) : err;
}

int chirr_cli_agent(int argc, char **argv)
{
    static const struct option options[] = {
        {"check", no_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
    const struct chirr_cli_arguments arguments = {"agent", help, options, argc, argv};
    bool check = false;
    int option;
    chirr_footprint_begin();
    chirr_cli_begin();
    while ((option = chirr_cli_option(&arguments)) >= 0) {
        check = check || option == 'c';
    }
    if (option != CHIRR_CLI_END) {
        return option == CHIRR_CLI_HELP ? CHIRR_EXIT_OK : CHIRR_EXIT_USAGE;
    }
    if (optind + 1 != argc) {
        return chirr_cli_usage("agent", "expected one file, AGENT.yaml");
    }
    struct chirr_error error = {0};
    static struct chirr_agent_config config; /* large for a stack */
    if (load(argv[optind], &config, &error) != CHIRR_OK) {
        fprintf(stderr, "chirr: %s\n", error.text);
        return CHIRR_EXIT_USAGE;
    }
    return check ? CHIRR_EXIT_OK : run(&config);
}
