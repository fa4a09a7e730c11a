/* `chirr model export`: the weights, in a file that others read. */
#include <stdio.h>
#include <string.h>

#include "agent/cli_model.h"
#include "agent/export.h"

static const char help[] =
    "usage: chirr model export CHECKPOINT OUT [--format safetensors|csv] [--averaged] [--json]\n"
    "\n"
    "Writes every parameter, by name and shape, and replaces OUT. Names are like\n"
    "layers.0.partition.3.history; docs/model.md says what they are.\n"
    "\n"
    "  --format F         safetensors: 32-bit floats, for programs; csv: tensor,row,column,value,\n"
    "                     a line for each number, for spreadsheets. Else by OUT's ending\n"
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
    if (dot != NULL) {
        (void)find_format(dot + 1, format);
    }
    return true;
}

static int export(const char *checkpoint, const char *out, enum chirr_export_format format,
                  const struct options *o)
{
    struct chirr_error error = {0};
    struct chirr_cli_model model;
    uint64_t bytes = 0;
    enum chirr_err err = chirr_cli_model_open(&model, checkpoint, &error);
    if (err == CHIRR_OK) {
        err = chirr_export_write(model.model, out, format, o->averaged, &bytes, &error);
    }
    size_t tensors = err == CHIRR_OK ? chirr_tensor_count(model.model) : 0;
    chirr_cli_model_close(&model);
    if (err != CHIRR_OK) {
        return chirr_cli_fail(&error);
    }
    if (o->json) {
        chirr_cli_print_json(json_pack("{s:s, s:s, s:I, s:I, s:b}", "file", out, "format",
                                       formats[format], "bytes", (json_int_t)bytes, "tensors",
                                       (json_int_t)tensors, "averaged", o->averaged));
    } else {
        printf("%s: %zu tensors, %llu bytes, %s weights\n", out, tensors, (unsigned long long)bytes,
               o->averaged ? "averaged" : "live");
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
        return chirr_cli_usage("model export", "--format: expected safetensors or csv, got \"%s\"",
                               o.format);
    }
    return export(argv[optind], argv[optind + 1], format, &o);
}
