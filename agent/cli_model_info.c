/* `chirr model info`: what a checkpoint holds. */
#include <stdio.h>
#include <string.h>

#include "agent/activation.h"
#include "agent/cli_activation.h"
#include "agent/cli_model.h"
#include "agent/json_path.h"
#include "agent/model_json.h"

static const char help[] = "usage: chirr model info CHECKPOINT [--json]\n"
                           "\n"
                           "What a checkpoint holds: the shape and lineage of its model, its "
                           "senses, what it has learned, and\n"
                           "which partitions answered which sense while it learned.\n"
                           "The file is read whole and checked.\n"
                           "\n"
                           "  --json             one object\n"
                           "\n"
                           "Exit code: 0; 1 the file is damaged, or of a format not known here; 2 "
                           "usage; 3 no such file.\n";

static json_t *info_json(const struct chirr_cli_model *model, const char *path)
{
    const struct chirr_model_config *config = &model->config;
    struct chirr_model_statistics s;
    char lineage[CHIRR_CLI_HEX_BYTES], hash[CHIRR_CLI_HEX_BYTES], digest[CHIRR_CLI_HEX_BYTES];
    chirr_model_statistics(model->model, &s);
    chirr_cli_model_hex(chirr_model_lineage(config), lineage);
    chirr_cli_model_hex(chirr_model_state_hash(model->model), hash);
    chirr_cli_model_hex(model->description.digest, digest);
    json_t *info = json_pack(
        "{s:o, s:I, s:i, s:s, s:s, s:s, s:o, s:I, s:o, s:o}", "checkpoint", chirr_json_path(path),
        "file_bytes", (json_int_t)model->description.bytes, "format",
        (int)model->description.format, "digest", digest, "lineage", lineage, "state_hash", hash,
        "shape", chirr_model_json_shape(config), "genesis_seed", (json_int_t)config->genesis_seed,
        "hosted", chirr_model_json_hosted(config), "senses", chirr_model_json_senses(config));
    json_t *more = json_pack(
        "{s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "parameters",
        (json_int_t)chirr_model_parameter_count(config), "memory_bytes",
        (json_int_t)chirr_model_bytes(config), "learning", chirr_model_json_learning(config),
        "steps", (json_int_t)s.steps, "sensed", (json_int_t)s.sensed, "updates",
        (json_int_t)s.updates, "drifts", (json_int_t)s.drifts, "bytes_rehearsed",
        (json_int_t)s.bytes_rehearsed, "steps_refused", (json_int_t)s.steps_refused,
        "updates_refused", (json_int_t)s.updates_refused, "own_norm", s.own_norm, "foreign_norm",
        s.foreign_norm);
    json_object_update(info, more);
    json_decref(more);
    struct chirr_activation activation;
    chirr_activation_read(model->model, &activation);
    json_object_set_new(info, "averages", chirr_activation_json(&activation));
    return info;
}

static long long whole(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static double real(const json_t *object, const char *key)
{
    return json_real_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void print_senses(const json_t *senses)
{
    for (size_t i = 0; i < json_array_size(senses); i++) {
        const json_t *sense = json_array_get(senses, i);
        printf("%-13s%s, %s", i == 0 ? "senses" : "", text(sense, "name"), text(sense, "kind"));
        if (whole(sense, "width") > 0) {
            printf(" of %lld", whole(sense, "width"));
        }
        putchar('\n');
    }
}

static void print_info(const json_t *info)
{
    const json_t *shape = json_object_get(info, "shape");
    size_t hosted = json_array_size(json_object_get(info, "hosted"));
    printf("checkpoint   %s, %lld bytes, format %lld, digest %s\n", text(info, "checkpoint"),
           whole(info, "file_bytes"), whole(info, "format"), text(info, "digest"));
    printf("lineage      %s, seed %lld\n", text(info, "lineage"), whole(info, "genesis_seed"));
    printf("shape        width %lld, %lld layers, section %lld, MLP %lld, %lld rates\n",
           whole(shape, "width"), whole(shape, "layers"), whole(shape, "section_width"),
           whole(shape, "mlp_width"), whole(shape, "rates"));
    printf("             decays of %lld to %lld steps, %s input gate, n-gram tables of %lld rows\n",
           whole(shape, "decay_min"), whole(shape, "decay_max"),
           json_is_true(json_object_get(shape, "input_gate")) ? "an" : "no",
           whole(shape, "gram_rows"));
    printf("partitions   %lld, %zu hosted", whole(shape, "partitions"), hosted);
    if (whole(shape, "active") > 0) {
        printf(", %lld answer at a time", whole(shape, "active"));
    }
    putchar('\n');
    printf("parameters   %lld\n", whole(info, "parameters"));
    printf("memory       %lld bytes while learning\n", whole(info, "memory_bytes"));
    print_senses(json_object_get(info, "senses"));
    const json_t *learning = json_object_get(info, "learning");
    printf("learns       in chunks of %lld, rate %g, settling over %lld updates%s; trunk × %g%s\n",
           whole(learning, "chunk"), real(learning, "learning_rate"),
           whole(learning, "settling_updates"),
           json_is_true(json_object_get(learning, "drift")) ? ", anew at a drift" : "",
           real(learning, "trunk_rate"),
           json_is_true(json_object_get(learning, "narrow_reads")) ? ", reads bf16" : "");
    printf("rehearses    %g of its updates, of the last %lld bytes of a sense\n",
           real(learning, "replay_share"), whole(learning, "replay"));
    printf("learned      %lld steps, %lld updates\n", whole(info, "steps"), whole(info, "updates"));
    printf("again        %lld bytes rehearsed, %lld drifts\n", whole(info, "bytes_rehearsed"),
           whole(info, "drifts"));
    printf("refused      %lld steps, %lld updates\n", whole(info, "steps_refused"),
           whole(info, "updates_refused"));
    printf("change       %.4g its own, %.4g of others (norms)\n", real(info, "own_norm"),
           real(info, "foreign_norm"));
    printf("state        %s\n\n", text(info, "state_hash"));
    chirr_cli_print_activation("partitions", json_object_get(info, "averages"));
}

int chirr_cli_model_info(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    const struct chirr_cli_arguments arguments = {"model info", help, options, argc, argv};
    bool json = false;
    int option;
    chirr_cli_begin();
    while ((option = chirr_cli_option_anywhere(&arguments)) >= 0) {
        json = json || option == 'j';
    }
    if (option != CHIRR_CLI_END) {
        return option == CHIRR_CLI_HELP ? CHIRR_EXIT_OK : CHIRR_EXIT_USAGE;
    }
    if (optind + 1 != argc) {
        return chirr_cli_usage("model info", "expected one checkpoint");
    }
    struct chirr_error error = {0};
    struct chirr_cli_model model;
    if (chirr_cli_model_open(&model, argv[optind], &error) != CHIRR_OK) {
        return chirr_cli_fail(&error);
    }
    json_t *info = info_json(&model, argv[optind]);
    if (json) {
        chirr_cli_print_json(json_incref(info));
    } else {
        print_info(info);
    }
    json_decref(info);
    chirr_cli_model_close(&model);
    return CHIRR_EXIT_OK;
}
