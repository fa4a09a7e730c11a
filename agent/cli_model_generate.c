/* `chirr model generate`: bytes that a model thinks likely. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli_model.h"
#include "base/yaml.h"

#define BYTES_MAX (UINT64_C(16) * 1024 * 1024)

static const char help[] =
    "usage: chirr model generate CHECKPOINT [OPTION…]\n"
    "\n"
    "Prints what the model thinks may come next, sampled by its live weights. It goes on from "
    "what\n"
    "it read last; the checkpoint stays as it is.\n"
    "\n"
    "  --prompt TEXT      is read first, and not printed\n"
    "  --bytes N          how many: 512\n"
    "  --temperature T    1: as likely as it thinks; less: the likelier more often; 0: the\n"
    "                     likeliest alone\n"
    "  --seed N           of the samples: 1\n"
    "  --sense NAME       the sense that goes on; else the first one of bytes\n"
    "\n"
    "Exit code: 0; 1 the checkpoint is damaged; 2 usage; 3 no such checkpoint.\n";

struct options {
    const char *prompt;
    const char *sense;
    uint64_t bytes;
    double temperature;
    uint64_t seed;
};

static bool take_option(const struct chirr_cli_arguments *arguments, int option, struct options *o)
{
    const struct chirr_cli_range size = {CHIRR_YAML_SIZE, 1, BYTES_MAX};
    const struct chirr_cli_range any = {CHIRR_YAML_WHOLE, 0, UINT64_MAX};
    switch (option) {
    case 'p':
        o->prompt = optarg;
        return true;
    case 'n':
        o->sense = optarg;
        return true;
    case 'b':
        return chirr_cli_integer(arguments, "--bytes", &size, &o->bytes);
    case 't':
        return chirr_cli_number(arguments, "--temperature", 0, 100, &o->temperature);
    default:
        return chirr_cli_integer(arguments, "--seed", &any, &o->seed);
    }
}

static enum chirr_err generate(struct chirr_model *model, uint32_t sense, const struct options *o,
                               struct chirr_error *error)
{
    struct chirr_model_step step;
    chirr_model_freeze(model, true);
    for (const char *at = o->prompt; *at != '\0'; at++) {
        enum chirr_err err = chirr_model_step_byte(model, sense, (uint8_t)*at, &step);
        CHIRR_ASSERT(err == CHIRR_OK); /* a sense of bytes */
    }
    uint8_t *text = malloc(o->bytes);
    if (text == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for %llu bytes",
                               (unsigned long long)o->bytes);
    }
    struct chirr_random random;
    chirr_random_init(&random, o->seed, 0);
    enum chirr_err err =
        chirr_model_generate(model, sense, (float)o->temperature, &random, text, o->bytes);
    CHIRR_ASSERT(err == CHIRR_OK); /* and a finite temperature */
    bool written = fwrite(text, 1, o->bytes, stdout) == o->bytes && fflush(stdout) == 0;
    free(text);
    return written ? CHIRR_OK
                   : chirr_error_set(error, CHIRR_ERR_IO, "standard output cannot be written");
}

int chirr_cli_model_generate(int argc, char **argv)
{
    static const struct option options[] = {{"prompt", required_argument, NULL, 'p'},
                                            {"bytes", required_argument, NULL, 'b'},
                                            {"temperature", required_argument, NULL, 't'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"sense", required_argument, NULL, 'n'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const struct chirr_cli_arguments arguments = {"model generate", help, options, argc, argv};
    struct options o = {.prompt = "", .bytes = 512, .temperature = 1, .seed = 1};
    int option;
    bool good = true;
    chirr_cli_begin();
    while (good && (option = chirr_cli_option_anywhere(&arguments)) >= 0) {
        good = take_option(&arguments, option, &o);
    }
    if (!good || option != CHIRR_CLI_END) {
        return good && option == CHIRR_CLI_HELP ? CHIRR_EXIT_OK : CHIRR_EXIT_USAGE;
    }
    if (optind + 1 != argc) {
        return chirr_cli_usage("model generate", "expected one checkpoint");
    }
    struct chirr_error error = {0};
    struct chirr_cli_model model;
    uint32_t sense = 0;
    enum chirr_err err = chirr_cli_model_open(&model, argv[optind], &error);
    if (err == CHIRR_OK) {
        err = chirr_cli_model_sense(&model.config, o.sense, &sense, &error);
    }
    if (err == CHIRR_OK) {
        err = generate(model.model, sense, &o, &error);
    }
    chirr_cli_model_close(&model);
    return err == CHIRR_OK ? CHIRR_EXIT_OK : chirr_cli_fail(&error);
}
