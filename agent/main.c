/* The executable: a table of commands. */
#include <stdio.h>
#include <string.h>

#include "agent/cli.h"
#include "agent/up.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the name */
    const char *summary;
} commands[] = {
    {"up", chirr_up_main, "start a fleet on this machine, watch it, sum it up"},
    {"agent", chirr_cli_agent, "run one agent"},
    {"ps", chirr_cli_ps, "who runs, and how it goes"},
    {"explain", chirr_cli_explain, "which partitions answer which sense"},
    {"task", chirr_cli_task, "submit, list, show, wait for or cancel jobs"},
    {"model", chirr_cli_model, "train, examine, question and export a model on files"},
    {"keygen", chirr_cli_keygen, "make an identity"},
    {"trust", chirr_cli_trust, "list, add and remove the keys that count"},
    {"sim", chirr_cli_sim, "run a swarm in virtual time"},
    {"bench", chirr_cli_bench, "measure what the model promises"},
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static void print_help(FILE *out)
{
    fputs("usage: chirr COMMAND [OPTION…] [ARGUMENT…]\n\n", out);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    }
    fputs("  help     what a command does\n"
          "\n"
          "Every command has --help. `chirr --version` prints the version.\n"
          "\n"
          "Exit codes: 0 ok; 1 failed; 2 usage or configuration; 3 nothing found; 124 timeout.\n",
          out);
}

static int unknown_command(const char *name)
{
    fprintf(stderr, "chirr: expected a command, got \"%s\" (see chirr help)\n", name);
    return CHIRR_EXIT_USAGE;
}

static int run_help(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stdout);
        return CHIRR_EXIT_OK;
    }
    const struct command *command = find_command(argv[1]);
    char option[] = "--help";
    char *arguments[] = {argv[1], option, NULL};
    return command != NULL ? command->run(2, arguments) : unknown_command(argv[1]);
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CHIRR_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("chirr " CHIRR_VERSION);
        return CHIRR_EXIT_OK;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        return run_help(argc - 1, argv + 1);
    }
    const struct command *command = find_command(argv[1]);
    return command != NULL ? command->run(argc - 1, argv + 1) : unknown_command(argv[1]);
}

/* What was asked for and could not be printed was not done. */
int main(int argc, char **argv)
{
    int code = run(argc, argv);
    bool printed = ferror(stdout) == 0;
    if (fflush(stdout) == 0 && printed) {
        return code;
    }
    fputs("chirr: standard output cannot be written\n", stderr);
    return code == CHIRR_EXIT_OK ? CHIRR_EXIT_FAILED : code;
}
