/* `chirr model generate`: bytes that a model thinks likely. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli_model.h"
#include "agent/clock.h"
#include "agent/progress.h"
#include "base/yaml.h"

#define BYTES_MAX (UINT64_C(16) * 1024 * 1024)
#define PIECE_BYTES 64

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
    "  --json             {\"bytes\", \"temperature\", \"seed\", \"text\": null where it is not "
    "UTF-8,\n"
    "                     \"hex\": the same bytes}, at the end; else they come as they are made\n"
    "\n"
    "Exit code: 0; 1 the checkpoint is damaged; 2 usage; 3 no such checkpoint.\n";

struct options {
    const char *prompt;
    const char *sense;
    uint64_t bytes;
    double temperature;
    uint64_t seed;
    bool json;
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
    case 'j':
        o->json = true;
        return true;
    case 't':
        return chirr_cli_number(arguments, "--temperature", 0, 100, &o->temperature);
    default:
        return chirr_cli_integer(arguments, "--seed", &any, &o->seed);
    }
}

static void read_prompt(struct chirr_model *model, uint32_t sense, const char *prompt)
{
    struct chirr_model_reading reading;
    enum chirr_err err =
        chirr_model_step_bytes(model, sense, (const uint8_t *)prompt, strlen(prompt), &reading);
    CHIRR_ASSERT(err == CHIRR_OK); /* a sense of bytes */
}

/* A piece, and the model has read it: the next one goes on from there. */
static void generate_piece(struct chirr_model *model, uint32_t sense, const struct options *o,
                           struct chirr_random *random, uint8_t *text, size_t bytes)
{
    struct chirr_model_reading reading;
    enum chirr_err err =
        chirr_model_generate(model, sense, (float)o->temperature, random, text, bytes);
    CHIRR_ASSERT(err == CHIRR_OK); /* and a finite temperature */
    err = chirr_model_step_bytes(model, sense, text, bytes, &reading);
    CHIRR_ASSERT(err == CHIRR_OK);
}

/* Piece by piece, printed at once unless all is kept in `text`. Where the text itself shows on a
 * terminal how it goes, no bar does. */
static enum chirr_err generate(struct chirr_model *model, uint32_t sense, const struct options *o,
                               uint8_t *text, struct chirr_error *error)
{
    uint8_t piece[PIECE_BYTES];
    struct chirr_progress progress;
    struct chirr_random random;
    bool shown = text == NULL && isatty(STDOUT_FILENO) != 0;
    chirr_random_init(&random, o->seed, 0);
    chirr_progress_init(&progress, 0, o->bytes, false, chirr_clock_now());
    for (uint64_t at = 0; at < o->bytes;) {
        size_t count = o->bytes - at < sizeof piece ? (size_t)(o->bytes - at) : sizeof piece;
        generate_piece(model, sense, o, &random, text == NULL ? piece : text + at, count);
        if (text == NULL && (fwrite(piece, 1, count, stdout) != count || fflush(stdout) != 0)) {
            return chirr_error_set(error, CHIRR_ERR_IO, "standard output cannot be written");
        }
        at += count;
        const struct chirr_progress_moment moment = {.bytes = at, .bits = NAN, .bits_now = NAN};
        if (!shown) {
            chirr_progress_show(&progress, &moment, chirr_clock_now());
        }
    }
    chirr_progress_clear(&progress);
    return CHIRR_OK;
}

/* `text` where it is UTF-8, null elsewhere; the hexadecimal digits in either case. */
static enum chirr_err generate_json(struct chirr_model *model, uint32_t sense,
                                    const struct options *o, struct chirr_error *error)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *text = malloc(o->bytes);
    char *hex = malloc(2 * o->bytes);
    enum chirr_err err = text == NULL || hex == NULL
                             ? chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for %llu bytes",
                                               (unsigned long long)o->bytes)
                             : generate(model, sense, o, text, error);
    if (err == CHIRR_OK) {
        for (uint64_t i = 0; i < o->bytes; i++) {
            hex[2 * i] = digits[text[i] >> 4];
            hex[2 * i + 1] = digits[text[i] & 0xF];
        }
        json_t *shown = json_stringn((const char *)text, o->bytes);
        chirr_cli_print_json(json_pack("{s:I, s:f, s:I, s:o, s:o}", "bytes", (json_int_t)o->bytes,
                                       "temperature", o->temperature, "seed", (json_int_t)o->seed,
                                       "text", shown != NULL ? shown : json_null(), "hex",
                                       json_stringn(hex, 2 * o->bytes)));
    }
    free(text);
    free(hex);
    return err;
}

int chirr_cli_model_generate(int argc, char **argv)
{
    static const struct option options[] = {{"prompt", required_argument, NULL, 'p'},
                                            {"bytes", required_argument, NULL, 'b'},
                                            {"temperature", required_argument, NULL, 't'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"sense", required_argument, NULL, 'n'},
                                            {"json", no_argument, NULL, 'j'},
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
    struct chirr_media text = {.kind = CHIRR_SENSE_BYTES};
    enum chirr_err err = chirr_cli_model_open(&model, argv[optind], &error);
    if (err == CHIRR_OK) {
        err = chirr_cli_model_sense(&model.config, o.sense, &text, &sense, &error);
    }
    if (err == CHIRR_OK) {
        chirr_model_freeze(model.model, true);
        read_prompt(model.model, sense, o.prompt);
        err = o.json ? generate_json(model.model, sense, &o, &error)
                     : generate(model.model, sense, &o, NULL, &error);
    }
    chirr_cli_model_close(&model);
    return err == CHIRR_OK ? CHIRR_EXIT_OK : chirr_cli_fail(&error);
}
