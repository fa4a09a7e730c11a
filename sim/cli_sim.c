/* The one file of the simulator that reads a clock and prints. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/cli.h"
#include "base/yaml.h"
#include "sim/cli_json.h"

#define EXIT_VIOLATED 1
#define EXIT_USAGE 2

static const char usage[] =
    "usage: chirr sim run SCENARIO.yaml [--seed N] [--for DURATION] [--loss P] [--json]\n"
    "\n"
    "Runs a swarm of simulated agents in virtual time. Equal seeds give equal runs, to the last\n"
    "bit of the state hash. Invariants are checked throughout.\n"
    "\n"
    "  --seed N        instead of the scenario's\n"
    "  --for DURATION  likewise: 90s, 10m, 1h\n"
    "  --loss P        likewise: the probability from 0 to 1 that a message is lost\n"
    "  --json          print the report as JSON\n"
    "\n"
    "Exit code: 0, 1 when an invariant was violated, 2 when something is wrong with the input.\n";

struct options {
    const char *path;
    bool json;
    bool help;
    const char *seed;
    const char *duration;
    const char *loss;
};

static bool parse_seed(const char *text, uint64_t *seed)
{
    char *end;
    errno = 0;
    *seed = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static bool parse_duration_ms(const char *text, uint32_t *duration_ms)
{
    uint64_t ms;
    if (!chirr_yaml_parse_integer(CHIRR_YAML_DURATION, text, &ms) || ms < 1000 || ms > UINT32_MAX) {
        return false;
    }
    *duration_ms = (uint32_t)ms;
    return true;
}

static bool parse_probability(const char *text, double *probability)
{
    char *end;
    *probability = strtod(text, &end);
    return end != text && *end == '\0' && *probability >= 0 && *probability <= 1;
}

/* The value of an option that takes one; NULL when it is none of them. */
static const char **option_value(struct options *options, const char *name)
{
    if (strcmp(name, "--seed") == 0) {
        return &options->seed;
    }
    if (strcmp(name, "--for") == 0) {
        return &options->duration;
    }
    return strcmp(name, "--loss") == 0 ? &options->loss : NULL;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
    for (int i = 0; i < argc; i++) {
        const char **value = option_value(options, argv[i]);
        if (strcmp(argv[i], "--json") == 0) {
            options->json = true;
        } else if (strcmp(argv[i], "--help") == 0) {
            options->help = true;
        } else if (value != NULL && i + 1 < argc) {
            *value = argv[++i];
        } else if (argv[i][0] != '-' && options->path == NULL) {
            options->path = argv[i];
        } else {
            fprintf(stderr, "chirr sim: %s: %s\n", argv[i],
                    value != NULL ? "a value is missing" : "unknown argument");
            return false;
        }
    }
    return true;
}

static bool complain(const char *option, const char *value, const char *expected)
{
    fprintf(stderr, "chirr sim: %s: expected %s, got \"%s\"\n", option, expected, value);
    return false;
}

static bool apply_options(const struct options *options, struct chirr_sim_scenario *scenario)
{
    if (options->seed != NULL && !parse_seed(options->seed, &scenario->seed)) {
        return complain("--seed", options->seed, "a whole number");
    }
    if (options->duration != NULL &&
        !parse_duration_ms(options->duration, &scenario->duration_ms)) {
        return complain("--for", options->duration, "a duration of at least 1s such as 90s or 10m");
    }
    if (options->loss != NULL && !parse_probability(options->loss, &scenario->network.loss)) {
        return complain("--loss", options->loss, "a number from 0 to 1");
    }
    struct chirr_error error;
    if (chirr_sim_scenario_validate(scenario, &error) != CHIRR_OK) {
        fprintf(stderr, "chirr sim: %s\n", error.text);
        return false;
    }
    return true;
}

static void print_replay(const struct options *options, const struct chirr_sim_scenario *scenario)
{
    fprintf(stderr, "chirr sim: an invariant was violated; replay it with\n    chirr sim run %s",
            options->path);
    fprintf(stderr, " --seed %" PRIu64, scenario->seed);
    if (options->duration != NULL) {
        fprintf(stderr, " --for %s", options->duration);
    }
    if (options->loss != NULL) {
        fprintf(stderr, " --loss %s", options->loss);
    }
    fprintf(stderr, "\n");
}

static double wall_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int play(const struct options *options, const struct chirr_sim_scenario *scenario)
{
    struct chirr_error error;
    struct chirr_sim_report report;
    double began_s = wall_s();
    struct chirr_sim_world *world = chirr_sim_world_create(scenario, &error);
    if (world == NULL) {
        fprintf(stderr, "chirr sim: %s\n", error.text);
        return EXIT_USAGE;
    }
    bool held = chirr_sim_world_play(world);
    chirr_sim_report_collect(world, &report);
    chirr_sim_world_destroy(world);
    double took_s = wall_s() - began_s;
    if (!options->json) {
        chirr_sim_report_print(&report, took_s, stdout);
    } else if (chirr_cli_json_report(&report, took_s, stdout) != CHIRR_OK) {
        fprintf(stderr, "chirr sim: the report could not be written\n");
        return EXIT_VIOLATED;
    }
    if (!held) {
        fflush(stdout);
        print_replay(options, scenario);
    }
    return held ? EXIT_SUCCESS : EXIT_VIOLATED;
}

static int run(const struct options *options)
{
    struct chirr_error error;
    struct chirr_sim_scenario *scenario = calloc(1, sizeof *scenario);
    if (scenario == NULL) {
        fprintf(stderr, "chirr sim: out of memory\n");
        return EXIT_USAGE;
    }
    int code = EXIT_USAGE;
    if (chirr_sim_scenario_load(options->path, scenario, &error) != CHIRR_OK) {
        fprintf(stderr, "chirr sim: %s\n", error.text);
    } else if (apply_options(options, scenario)) {
        code = play(options, scenario);
    }
    free(scenario);
    return code;
}

int chirr_cli_sim(int argc, char **argv)
{
    struct options options = {0};
    bool help = argc > 1 && strcmp(argv[1], "--help") == 0;
    if (!help && (argc < 2 || strcmp(argv[1], "run") != 0)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (!parse_options(argc - 2, argv + 2, &options)) {
        return EXIT_USAGE;
    }
    if (help || options.help) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (options.path == NULL) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return run(&options);
}
