/* `chirr model export`: the weights, in a file that others read. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/cli_model.h"
#include "agent/export.h"
#include "agent/json_path.h"

#define PATH_BYTES_MAX 4096

static const char help[] =
    "usage: chirr model export CHECKPOINT OUT [--format safetensors|csv] [--averaged] [--json]\n"
    "\n"
    "Writes every parameter, by name and shape, and replaces OUT, but never a checkpoint. Names "
    "are\n"
    "like layers.0.partition.3.history; docs/model.md has the equations that they stand in.\n"
    "\n"
    "  --format F         safetensors: 32-bit floats, for programs; csv: tensor,row,column,value,\n"
    "                     a line for each number, for spreadsheets. Else by OUT's ending;\n"
    "                     safetensors where it has none\n"
    "  --averaged         the slow average of the weights, not the live ones\n"
    "  --json             {\"file\", \"format\", \"bytes\", \"tensors\", \"averaged\"}\n"
    "\n"
    "Exit code: 0; 1 OUT cannot be written, or the checkpoint is damaged; 2 usage; 3 no such\n"
    "checkpoint.\n";

static const char *const formats[] = {
    [CHIRR_EXPORT_SAFETENSORS] = "safetensors", [CHIRR_EXPORT_CSV] = "csv"};
#define FORMAT_COUNT (sizeof formats / sizeof formats[0])

struct options {
    const char *format; /* NULL: by the ending */
    bool averaged;
    bool json;
};

static bool find_format(const char *name, enum chirr_export_format *format)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        if (strcmp(name, formats[i]) == 0) {
            *format = (enum chirr_export_format)i;
            return true;
        }
    }
    return false;
}

static bool choose_format(const struct options *o, const char *out,
                          enum chirr_export_format *format)
{
    const char *dot = strrchr(out, '.');
    *format = CHIRR_EXPORT_SAFETENSORS;
    if (o->format != NULL) {
        return find_format(o->format, format);
    }
    const char *slash = strrchr(out, '/');
    return dot == NULL || (slash != NULL && dot < slash) || find_format(dot + 1, format);
}

/* Whole, of whatever model: what was learned is never replaced by a copy of a part of it. */
static bool is_checkpoint(const char *path)
{
    struct stat status;
    struct chirr_checkpoint_description description;
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
        return false;
    }
    enum chirr_err err = chirr_checkpoint_describe(path, &description, NULL);
    return err == CHIRR_OK || err == CHIRR_ERR_VERSION;
}

static enum chirr_err check_out(const char *out, struct chirr_error *error)
{
    char temporary[PATH_BYTES_MAX];
    snprintf(temporary, sizeof temporary, "%s.tmp", out);
    const char *paths[] = {out, temporary};
    for (size_t i = 0; i < 2; i++) {
        if (is_checkpoint(paths[i])) {
            return chirr_error_set(error, CHIRR_ERR_RANGE,
                                   "%.400s: is a checkpoint, expected another file to write to",
                                   paths[i]);
        }
    }
    return CHIRR_OK;
}

static int export(const char *checkpoint, const char *out, enum chirr_export_format format,
                  const struct options *o)
{
    struct chirr_error error = {0};
    struct chirr_cli_model model;
    uint64_t bytes = 0;
    enum chirr_err err = chirr_cli_model_open(&model, checkpoint, &error);
    if (err == CHIRR_OK) {
        err = check_out(out, &error);
    }
    if (err == CHIRR_OK) {
        err = chirr_export_write(model.model, out, format, o->averaged, &bytes, &error);
    }
    size_t tensors = err == CHIRR_OK ? chirr_tensor_count(model.model) : 0;
    chirr_cli_model_close(&model);
    if (err != CHIRR_OK) {
        return chirr_cli_fail(&error);
    }
    if (o->json) {
        chirr_cli_print_json(json_pack("{s:o, s:s, s:I, s:I, s:b}", "file", chirr_json_path(out),
                                       "format", formats[format], "bytes", (json_int_t)bytes,
                                       "tensors", (json_int_t)tensors, "averaged", o->averaged));
    } else {
        fprintf(stderr, "%s: %zu tensors, %llu bytes, %s weights\n", out, tensors,
                (unsigned long long)bytes, o->averaged ? "averaged" : "live");
    }
    return CHIRR_EXIT_OK;
}

int chirr_cli_model_export(int argc, char **argv)
{
    static const struct option options[] = {{"format", required_argument, NULL, 'f'},
                                            {"averaged", no_argument, NULL, 'a'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const struct chirr_cli_arguments arguments = {"model export", help, options, argc, argv};
    struct options o = {0};
    int option;
    chirr_cli_begin();
    while ((option = chirr_cli_option_anywhere(&arguments)) >= 0) {
        o.averaged = o.averaged || option == 'a';
        o.json = o.json || option == 'j';
        o.format = option == 'f' ? optarg : o.format;
    }
    if (option != CHIRR_CLI_END) {
        return option == CHIRR_CLI_HELP ? CHIRR_EXIT_OK : CHIRR_EXIT_USAGE;
    }
    if (optind + 2 != argc) {
        return chirr_cli_usage("model export", "expected a checkpoint and a file to write");
    }
    enum chirr_export_format format;
    if (!choose_format(&o, argv[optind + 1], &format)) {
        return o.format != NULL
                   ? chirr_cli_usage("model export",
                                     "--format: expected safetensors or csv, got \"%s\"", o.format)
                   : chirr_cli_usage(
                         "model export",
                         "expected a file .safetensors or .csv, or --format, got \"%s\"",
                         argv[optind + 1]);
    }
    return export(argv[optind], argv[optind + 1], format, &o);
}
