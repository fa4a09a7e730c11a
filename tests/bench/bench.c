/* The command `chirr bench`: its options, and one benchmark after the other. */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli.h"
#include "base/yaml.h"
#include "tests/bench/bench_swarm.h"
#include "tests/bench/report.h"

static const struct chirr_bench *const model_benches[] = {
    &chirr_bench_forward, &chirr_bench_learn,      &chirr_bench_sparse,
    &chirr_bench_memory,  &chirr_bench_batch,      &chirr_bench_transformer,
    &chirr_bench_quality, &chirr_bench_forgetting, &chirr_bench_kernels,
};
static const size_t model_bench_count = sizeof model_benches / sizeof *model_benches;

static const char model_help[] =
    "usage: chirr bench model [OPTION…]\n"
    "\n"
    "Measures what the model promises and says where it falls short. Figures of speed are\n"
    "ratios of two sides that take turns; even so, they are best taken on an idle machine.\n"
    "\n"
    "  --only NAME   this benchmark alone, as in --only memory\n"
    "  --list        what benchmarks there are\n"
    "  --text FILE   learn this text; else one that this machine has, with --only all of them\n"
    "  --bytes N     of each text (default 1000000)\n"
    "  --seeds N     runs where chance matters, 1 to 16 (default 3)\n"
    "  --json        one object a line, as soon as it is known\n"
    "\n"
    "Exit code: 0 when all was measured, whether targets were met or not; 1 when a benchmark\n"
    "failed; 2 when something is wrong with the command line or the text.\n";

static const struct option model_options[] = {
    {"only", required_argument, NULL, 'o'},  {"list", no_argument, NULL, 'l'},
    {"text", required_argument, NULL, 't'},  {"bytes", required_argument, NULL, 'b'},
    {"seeds", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
};

static const char swarm_help[] =
    "usage: chirr bench swarm [OPTION…]\n"
    "\n"
    "Measures what the swarm promises and says where it falls short: first with agents as\n"
    "processes on this machine's loopback, CURVE on, then in the simulator. Processes are as\n"
    "fast as the machine lets them: these figures are best taken on an idle one.\n"
    "\n"
    "  --only NAME   this benchmark alone, as in --only join\n"
    "  --list        what benchmarks there are\n"
    "  --agents N    processes of a swarm, 3 to 250, in place of the targets' numbers\n"
    "  --seeds N     simulations where chance matters, 1 to 16 (default 3)\n"
    "  --json        one object a line, as soon as it is known\n"
    "\n"
    "Exit code: 0 when all was measured, whether targets were met or not; 1 when a benchmark\n"
    "failed; 2 when something is wrong with the command line.\n";

static const struct option swarm_options[] = {
    {"only", required_argument, NULL, 'o'},   {"list", no_argument, NULL, 'l'},
    {"agents", required_argument, NULL, 'a'}, {"seeds", required_argument, NULL, 's'},
    {"json", no_argument, NULL, 'j'},         {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* What `chirr bench` measures at a time. */
static const struct group {
    const char *name;
    const struct chirr_bench *const *benches;
    const size_t *bench_count;
    const char *help;
    const struct option *options;
} groups[] = {
    {"model", model_benches, &model_bench_count, model_help, model_options},
    {"swarm", chirr_bench_swarm, &chirr_bench_swarm_count, swarm_help, swarm_options},
};

static const char help[] =
    "usage: chirr bench model|swarm [OPTION…]\n"
    "\n"
    "Measures what this program promises, on this machine, and says where it falls short.\n"
    "\n"
    "  model         learning and predicting: speed, memory, bits per byte\n"
    "  swarm         joining, spreading, finding out who died: processes, and the simulator\n"
    "\n"
    "chirr bench model --help and chirr bench swarm --help list the options of each.\n";

#define BYTES_MIN 256
#define BYTES_MAX 100000000

struct choice {
    const struct group *group;
    const char *only;
    const char *text_path;
    bool list;
    struct chirr_bench_context context;
};

/* Exit code, or −1 to go on. */
static int parse_options(const struct chirr_cli_arguments *arguments, struct choice *choice)
{
    static const struct chirr_cli_range bytes_range = {CHIRR_YAML_WHOLE, BYTES_MIN, BYTES_MAX};
    static const struct chirr_cli_range seeds_range = {CHIRR_YAML_WHOLE, 1, CHIRR_BENCH_SEEDS_MAX};
    static const struct chirr_cli_range agents_range = {CHIRR_YAML_WHOLE, CHIRR_BENCH_AGENTS_MIN,
                                                        CHIRR_BENCH_AGENTS_MAX};
    uint64_t bytes = 1000000;
    uint64_t seeds = 3;
    uint64_t agents = 0;
    bool fine = true;
    int option;
    while (fine && (option = chirr_cli_option(arguments)) != CHIRR_CLI_END) {
        switch (option) {
        case CHIRR_CLI_HELP:
            return CHIRR_EXIT_OK;
        case CHIRR_CLI_BAD:
            return CHIRR_EXIT_USAGE;
        case 'o':
            choice->only = optarg;
            break;
        case 'l':
            choice->list = true;
            break;
        case 't':
            choice->text_path = optarg;
            break;
        case 'b':
            fine = chirr_cli_integer(arguments, "--bytes", &bytes_range, &bytes);
            break;
        case 's':
            fine = chirr_cli_integer(arguments, "--seeds", &seeds_range, &seeds);
            break;
        case 'a':
            fine = chirr_cli_integer(arguments, "--agents", &agents_range, &agents);
            break;
        default:
            choice->context.json = true;
        }
    }
    choice->context.bytes = (size_t)bytes;
    choice->context.seeds = (uint32_t)seeds;
    choice->context.agents = (uint32_t)agents;
    return fine ? -1 : CHIRR_EXIT_USAGE;
}

/* "model.forward" is called "forward" in its group. */
static bool is_chosen(const struct chirr_bench *bench, const struct choice *choice)
{
    const char *name = bench->name + strlen(choice->group->name) + 1;
    return choice->only == NULL || strcmp(choice->only, name) == 0 ||
           strcmp(choice->only, bench->name) == 0;
}

static size_t count_chosen(const struct choice *choice)
{
    size_t count = 0;
    for (size_t i = 0; i < *choice->group->bench_count; i++) {
        count += is_chosen(choice->group->benches[i], choice);
    }
    return count;
}

static int list_chosen(const struct choice *choice)
{
    for (size_t i = 0; i < *choice->group->bench_count; i++) {
        if (is_chosen(choice->group->benches[i], choice)) {
            printf("%-18s %s\n", choice->group->benches[i]->name,
                   choice->group->benches[i]->summary);
        }
    }
    return CHIRR_EXIT_OK;
}

static enum chirr_err run_benches(struct choice *choice, struct chirr_error *error)
{
    enum chirr_err err = CHIRR_OK;
    for (size_t i = 0; err == CHIRR_OK && i < *choice->group->bench_count; i++) {
        if (is_chosen(choice->group->benches[i], choice)) {
            choice->context.bench = choice->group->benches[i];
            chirr_bench_progress(&choice->context, 0);
            err = choice->group->benches[i]->run(&choice->context, error);
        }
    }
    return err;
}

static bool reads_text(const struct choice *choice)
{
    for (size_t i = 0; i < *choice->group->bench_count; i++) {
        if (choice->group->benches[i]->reads_text && is_chosen(choice->group->benches[i], choice)) {
            return true;
        }
    }
    return false;
}

/* A text that cannot be read stops all before anything was measured. */
static int run_chosen(struct choice *choice)
{
    struct chirr_bench_context *context = &choice->context;
    struct chirr_error error;
    enum chirr_err err = CHIRR_OK;
    if (reads_text(choice)) {
        /* All benchmarks together take one text, or they would not end within ten minutes. */
        const struct chirr_bench_corpus_wish wish = {
            choice->text_path, context->bytes, choice->only != NULL ? CHIRR_BENCH_TEXTS_MAX : 1};
        err = chirr_bench_corpus_init(&context->corpus, &wish, &error);
    }
    if (err == CHIRR_OK) {
        chirr_bench_report_header(context);
        err = run_benches(choice, &error);
    }
    chirr_bench_corpus_finish(&context->corpus);
    return err == CHIRR_OK ? CHIRR_EXIT_OK : chirr_cli_fail(&error);
}

static int bench_group(const struct group *group, int argc, char **argv)
{
    const struct chirr_cli_arguments arguments = {"bench", group->help, group->options, argc, argv};
    struct choice choice = {.group = group};
    chirr_cli_begin();
    int code = parse_options(&arguments, &choice);
    if (code >= 0) {
        return code;
    }
    if (optind < argc) {
        return chirr_cli_usage("bench", "expected options alone, got \"%s\"", argv[optind]);
    }
    if (count_chosen(&choice) == 0) {
        return chirr_cli_usage("bench",
                               "--only: no benchmark \"%s\"; chirr bench %s --list shows all",
                               choice.only, group->name);
    }
    choice.context.progress = isatty(STDERR_FILENO) && isatty(STDOUT_FILENO);
    return choice.list ? list_chosen(&choice) : run_chosen(&choice);
}

int chirr_cli_bench(int argc, char **argv)
{
    bool asks = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    if (asks) {
        fputs(help, stdout);
        return CHIRR_EXIT_OK;
    }
    if (argc < 2) {
        return chirr_cli_usage("bench", "expected what to measure: model or swarm");
    }
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        if (strcmp(argv[1], groups[i].name) == 0) {
            return bench_group(&groups[i], argc - 1, argv + 1);
        }
    }
    return chirr_cli_usage("bench", "expected what to measure: model or swarm, got \"%s\"",
                           argv[1]);
}
