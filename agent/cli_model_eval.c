/* `chirr model eval`: what a model makes of texts, with frozen weights. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli_model.h"
#include "agent/json_path.h"

static const char help[] =
    "usage: chirr model eval CHECKPOINT TEXT… [--live] [--sense NAME] [--json]\n"
    "\n"
    "Bits per byte of each text, read from an empty state, and of all together. Nothing is "
    "learned\n"
    "and the checkpoint stays as it is.\n"
    "\n"
    "  --live             by the weights as they are; else by their slow average, which is better\n"
    "                     for what was not learned yet\n"
    "  --sense NAME       the sense that reads; else for each text the first one of its kind\n"
    "  --json             {\"averaged\", \"bytes\", \"bits\", \"texts\": [{\"text\", \"sense\", "
    "\"bytes\", \"bits\"}]}\n"
    "\n"
    "Exit code: 0; 1 a file cannot be read, is damaged, or has less than two bytes; 2 usage; 3 no\n"
    "such checkpoint.\n";

struct options {
    const char *sense;
    bool live;
    bool json;
};

static const struct chirr_cli_column columns[] = {
    {"BYTES", true}, {"BITS/BYTE", true}, {"SENSE", false}, {"TEXT", false}, {NULL, false}};

struct sum {
    const char *sense; /* that read it */
    uint64_t bytes;
    double bits; /* not per byte */
};

static void add_row(struct chirr_cli_table *table, const char *name, const struct sum *of)
{
    char(*row)[CHIRR_CLI_CELL_BYTES_MAX] = chirr_cli_table_row(table);
    if (row != NULL) {
        snprintf(row[0], sizeof row[0], "%llu", (unsigned long long)of->bytes);
        snprintf(row[1], sizeof row[1], "%.4f", of->bits / (double)of->bytes);
        chirr_cli_cell_text(row[2], of->sense != NULL ? of->sense : "");
        chirr_cli_cell_text(row[3], name);
    }
}

static enum chirr_err evaluate(struct chirr_cli_model *model, const char *path,
                               const struct options *o, struct sum *of, struct chirr_error *error)
{
    struct chirr_cli_model_text found;
    uint8_t *text;
    size_t bytes;
    enum chirr_err err = chirr_cli_model_find(&model->config, o->sense, path, &found, error);
    if (err == CHIRR_OK) {
        err = chirr_media_read(path, &found.media, NULL, &text, &bytes, error);
    }
    if (err != CHIRR_OK) {
        return err;
    }
    if (bytes < 2) { /* not told as the command line's fault */
        err = chirr_error_set(error, CHIRR_ERR_IO, "%.400s: expected two bytes or more", path);
    } else {
        of->sense = model->config.senses[found.sense].name;
        of->bytes = bytes;
        of->bits = chirr_cli_model_read(model, found.sense, text, bytes, !o->live, o->json);
    }
    free(text);
    return err;
}

static json_t *sum_json(const struct sum *of)
{
    return json_pack("{s:I, s:f}", "bytes", (json_int_t)of->bytes, "bits",
                     of->bits / (double)of->bytes);
}

/* What cannot be read is told, and the others are read all the same. */
static int evaluate_all(struct chirr_cli_model *model, const struct options *o, char **texts)
{
    struct chirr_cli_table table = {.columns = columns};
    struct sum all = {0};
    json_t *list = json_array();
    int code = CHIRR_EXIT_OK;
    size_t count = 0;
    for (; texts[count] != NULL; count++) {
        struct chirr_error error = {0};
        struct sum one = {0};
        if (evaluate(model, texts[count], o, &one, &error) != CHIRR_OK) {
            code = chirr_cli_fail(&error);
            continue;
        }
        json_t *entry = sum_json(&one);
        json_object_set_new(entry, "text", chirr_json_path(texts[count]));
        json_object_set_new(entry, "sense", json_string(one.sense));
        json_array_append_new(list, entry);
        add_row(&table, texts[count], &one);
        all.bytes += one.bytes;
        all.bits += one.bits;
    }
    if (o->json && all.bytes > 0) {
        json_t *whole = sum_json(&all);
        json_object_set_new(whole, "averaged", json_boolean(!o->live));
        json_object_set(whole, "texts", list);
        chirr_cli_print_json(whole);
    } else if (all.bytes > 0) {
        if (count > 1) {
            add_row(&table, "all", &all);
        }
        chirr_cli_table_print(&table);
    }
    json_decref(list);
    chirr_cli_table_finish(&table);
    return code;
}

int chirr_cli_model_eval(int argc, char **argv)
{
    static const struct option options[] = {{"live", no_argument, NULL, 'l'},
                                            {"sense", required_argument, NULL, 'n'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const struct chirr_cli_arguments arguments = {"model eval", help, options, argc, argv};
    struct options o = {0};
    int option;
    chirr_cli_begin();
    while ((option = chirr_cli_option_anywhere(&arguments)) >= 0) {
        o.live = o.live || option == 'l';
        o.json = o.json || option == 'j';
        o.sense = option == 'n' ? optarg : o.sense;
    }
    if (option != CHIRR_CLI_END) {
        return option == CHIRR_CLI_HELP ? CHIRR_EXIT_OK : CHIRR_EXIT_USAGE;
    }
    if (argc - optind < 2) {
        return chirr_cli_usage("model eval", "expected a checkpoint and one text or more");
    }
    struct chirr_error error = {0};
    struct chirr_cli_model model;
    enum chirr_err err = chirr_cli_model_open(&model, argv[optind], &error);
    int code =
        err == CHIRR_OK ? evaluate_all(&model, &o, argv + optind + 1) : chirr_cli_fail(&error);
    chirr_cli_model_close(&model);
    return code;
}
