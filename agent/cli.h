/* The command line: what its commands share. docs/cli.md describes them.
 *
 * A command is a function of (argc, argv), argv[0] being its name, that returns the exit code. It
 * prints data on standard output and words on standard error; with --json one JSON value. Reads
 * the environment through agent/paths.h alone. Process edge: not for programs that embed. */
#ifndef CHIRR_AGENT_CLI_H
#define CHIRR_AGENT_CLI_H

#include <getopt.h>
#include <jansson.h>

#include "agent/config.h"

/* Scripts rely on these. */
enum chirr_exit {
    CHIRR_EXIT_OK = 0,
    CHIRR_EXIT_FAILED = 1,   /* it was tried and did not work; a job that failed */
    CHIRR_EXIT_USAGE = 2,    /* the command line or a file is wrong: nothing was tried */
    CHIRR_EXIT_NOTFOUND = 3, /* no such agent, swarm or task */
    CHIRR_EXIT_TIMEOUT = 124,
};

int chirr_cli_agent(int argc, char **argv);
int chirr_cli_keygen(int argc, char **argv);
int chirr_cli_model(int argc, char **argv);
int chirr_cli_explain(int argc, char **argv);
int chirr_cli_ps(int argc, char **argv);
int chirr_cli_task(int argc, char **argv);
int chirr_cli_trust(int argc, char **argv);
/* Defined by tests/bench/, as the simulator's is by sim/. */
int chirr_cli_bench(int argc, char **argv);
/* Defined by sim/, which stands above this folder: only the executable knows both. Exit code 1 also
 * says that an invariant was violated. */
int chirr_cli_sim(int argc, char **argv);

/* ---- Options ------------------------------------------------------------------------------- */

struct chirr_cli_arguments {
    const char *command; /* "task submit" */
    const char *help;    /* printed for --help */
    const struct option *options;
    int argc;
    char **argv;
};

#define CHIRR_CLI_END (-1)  /* `optind` stands at the first operand */
#define CHIRR_CLI_BAD (-2)  /* told; return CHIRR_EXIT_USAGE */
#define CHIRR_CLI_HELP (-3) /* told; return CHIRR_EXIT_OK */

/* Before the first chirr_cli_option. */
void chirr_cli_begin(void);
/* The `val` of the next option (its value is `optarg`), or one of the above. Options end at the
 * first operand. */
int chirr_cli_option(const struct chirr_cli_arguments *arguments);
/* The same where options may follow operands, which are put last in argv. */
int chirr_cli_option_anywhere(const struct chirr_cli_arguments *arguments);
/* "chirr task submit: …" and where to find help, on standard error; returns CHIRR_EXIT_USAGE. */
int chirr_cli_usage(const char *command, const char *format, ...) CHIRR_PRINTF(2, 3);
/* "chirr: …" on standard error; returns the exit code for it. */
int chirr_cli_fail(const struct chirr_error *error);

/* A value of WHOLE, DURATION or SIZE (base/yaml.h) from `min` to `max` in its stored unit; tells
 * and returns false otherwise. */
struct chirr_cli_range {
    int type; /* enum chirr_yaml_type */
    uint64_t min, max;
};
bool chirr_cli_integer(const struct chirr_cli_arguments *arguments, const char *option,
                       const struct chirr_cli_range *range, uint64_t *value);

/* The same of a decimal number. */
bool chirr_cli_number(const struct chirr_cli_arguments *arguments, const char *option, double min,
                      double max, double *value);

/* Prints and gives back the reference. */
void chirr_cli_print_json(json_t *value);

/* ---- Agents that run ----------------------------------------------------------------------- */

#define CHIRR_CLI_AGENTS_MAX 1024

/* What the options --swarm, --agent and --runtime chose; NULL: not given. */
struct chirr_cli_target {
    const char *swarm;
    const char *agent;
    const char *runtime;
};
#define CHIRR_CLI_TARGET_OPTIONS                                                                   \
    {"swarm", required_argument, NULL, 's'}, {"agent", required_argument, NULL, 'a'},              \
    {                                                                                              \
        "runtime", required_argument, NULL, 'r'                                                    \
    }
#define CHIRR_CLI_TARGET_HELP                                                                      \
    "  --swarm NAME       of this swarm; else of the one started last\n"                           \
    "  --agent NAME       ask this agent; else any that answers\n"                                 \
    "  --runtime DIR      where its control sockets are\n"
/* True when `option` was one of them, and taken. */
bool chirr_cli_target_option(struct chirr_cli_target *target, int option);
/* The whole command line of a command that takes these and --json alone. False, and told, where
 * there is nothing left to do but to return `code`. */
bool chirr_cli_target_alone(int argc, char **argv, const char *help,
                            struct chirr_cli_target *target, bool *json, int *code);

struct chirr_cli_agent {
    char runtime_dir[CHIRR_PATH_BYTES_MAX];
    char swarm[CHIRR_NAME_BYTES_MAX];
    char name[CHIRR_NAME_BYTES_MAX];
    int64_t started; /* of its swarm: the newest of its sockets */
};

/* Agents that may run: control sockets of directories that are this user's own, swarm by swarm,
 * the one started last first, names ascending. */
struct chirr_cli_agents {
    size_t count;
    struct chirr_cli_agent *agents; /* free() */
};

/* CHIRR_ERR_NOTFOUND, and words, when there are none. */
CHIRR_NODISCARD enum chirr_err chirr_cli_find(const struct chirr_cli_target *target,
                                              struct chirr_cli_agents *agents,
                                              struct chirr_error *error);

/* Asks the agents found one after another until one answers, and keeps those of its swarm alone.
 * Who does not run, or does not know what is asked for, is passed over; other errors where
 * `may_pass` says so (NULL: never). The last error when nobody answered; the caller owns `*reply`.
 * Who answered stands first afterwards. */
CHIRR_NODISCARD enum chirr_err chirr_cli_ask(struct chirr_cli_agents *agents, const json_t *request,
                                             bool (*may_pass)(enum chirr_err), json_t **reply,
                                             struct chirr_error *error);

/* Asks each of them, one after another, and hands over what it answered, borrowed; NULL, and told,
 * where it gave no answer. Who does not run is passed over: CHIRR_ERR_NOTFOUND when that is all. */
CHIRR_NODISCARD enum chirr_err
chirr_cli_ask_each(const struct chirr_cli_agents *agents, const json_t *request,
                   void (*take)(void *context, const struct chirr_cli_agent *, const json_t *reply),
                   void *context, struct chirr_error *error);

/* Time for an agent that is alive but busy. */
#define CHIRR_CLI_ANSWER_MS 5000

/* ---- Tables -------------------------------------------------------------------------------- */

#define CHIRR_CLI_COLUMNS_MAX 16
#define CHIRR_CLI_CELL_BYTES_MAX 72

struct chirr_cli_column {
    const char *title;
    bool right; /* numbers */
};

/* Rows are collected, so that columns fit what is in them. */
struct chirr_cli_table {
    const struct chirr_cli_column *columns; /* ends with a NULL title */
    size_t row_count, capacity;
    char (*cells)[CHIRR_CLI_CELL_BYTES_MAX]; /* [row_count, columns] */
};

/* Appends a row of empty cells; NULL: out of memory. The cells stay where they are until the next
 * row. */
char (*chirr_cli_table_row(struct chirr_cli_table *table))[CHIRR_CLI_CELL_BYTES_MAX];
void chirr_cli_table_print(const struct chirr_cli_table *table);
void chirr_cli_table_finish(struct chirr_cli_table *table);

/* "12.3" or "-" when the member is missing or null. */
void chirr_cli_cell_number(char cell[CHIRR_CLI_CELL_BYTES_MAX], const json_t *value, int decimals);
/* "512", "1.5K", "20M". */
void chirr_cli_cell_bytes(char cell[CHIRR_CLI_CELL_BYTES_MAX], const json_t *value);
/* Cut with "…" where too long. */
void chirr_cli_cell_text(char cell[CHIRR_CLI_CELL_BYTES_MAX], const char *text);

#endif
