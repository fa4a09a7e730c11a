#include "agent/export.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/model_json.h"
#include "base/wire.h"

#define PATH_BYTES_MAX 4096
#define HEADER_ALIGN 8

struct export
{
    struct chirr_model *model;
    bool averaged;
    FILE *file;
    uint64_t written;
    float *values;  /* of the largest tensor */
    uint8_t *bytes; /* likewise, as written */
};

static bool put(struct export *export, const void *data, size_t bytes)
{
    export->written += bytes;
    return fwrite(data, 1, bytes, export->file) == bytes;
}

/* ---- safetensors --------------------------------------------------------------------------- */

/* Consumes `value`; NULL: out of memory. */
static json_t *text_of(json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_t *packed = text == NULL ? NULL : json_string(text);
    json_decref(value);
    free(text);
    return packed;
}

/* Its values are texts, by definition: JSON in a text where one is not enough. */
static json_t *metadata_json(const struct export *export)
{
    const struct chirr_model_config *c = chirr_model_configuration(export->model);
    char lineage[17], seed[24];
    snprintf(lineage, sizeof lineage, "%016llx", (unsigned long long)chirr_model_lineage(c));
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)c->genesis_seed);
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s}", "format", "chirr", "weights",
                     export->averaged ? "averaged" : "live", "shape",
                     text_of(chirr_model_json_shape(c)), "learning",
                     text_of(chirr_model_json_learning(c)), "hosted",
                     text_of(chirr_model_json_hosted(c)), "senses",
                     text_of(chirr_model_json_senses(c)), "genesis_seed", seed, "lineage", lineage);
}

static json_t *header_json(const struct export *export)
{
    json_t *header = json_pack("{s:o}", "__metadata__", metadata_json(export));
    struct chirr_tensor tensor;
    json_int_t at = 0;
    for (size_t i = 0; chirr_tensor_describe(export->model, i, &tensor); i++) {
        json_int_t end = at + (json_int_t)(tensor.count * sizeof(float));
        json_t *shape = json_array();
        for (uint32_t k = 0; k < tensor.rank; k++) {
            json_array_append_new(shape, json_integer((json_int_t)tensor.shape[k]));
        }
        json_object_set_new(header, tensor.name,
                            json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape,
                                      "data_offsets", at, end));
        at = end;
    }
    return header;
}

/* Spaces fill up the header, so that the numbers begin at a multiple of 8. */
static bool write_header(struct export *export)
{
    json_t *json = header_json(export);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (text == NULL) {
        errno = ENOMEM;
        return false;
    }
    size_t bytes = strlen(text);
    size_t padding = (HEADER_ALIGN - bytes % HEADER_ALIGN) % HEADER_ALIGN;
    uint8_t length[8];
    chirr_wire_put_u64(length, bytes + padding);
    bool good = put(export, length, sizeof length) && put(export, text, bytes) &&
                put(export, "        ", padding);
    free(text);
    return good;
}

static bool write_safetensors(struct export *export)
{
    struct chirr_tensor tensor;
    bool good = write_header(export);
    for (size_t i = 0; good && chirr_tensor_describe(export->model, i, &tensor); i++) {
        chirr_tensor_read(export->model, &tensor, export->averaged, export->values);
        for (size_t k = 0; k < tensor.count; k++) {
            chirr_wire_put_f32(export->bytes + 4 * k, export->values[k]);
        }
        good = put(export, export->bytes, 4 * tensor.count);
    }
    return good;
}

/* ---- CSV ----------------------------------------------------------------------------------- */

static bool write_csv(struct export *export)
{
    struct chirr_tensor tensor;
    static const char columns[] = "tensor,row,column,value\n";
    bool good = put(export, columns, sizeof columns - 1);
    for (size_t i = 0; good && chirr_tensor_describe(export->model, i, &tensor); i++) {
        chirr_tensor_read(export->model, &tensor, export->averaged, export->values);
        for (size_t k = 0; good && k < tensor.count; k++) {
            int bytes = fprintf(export->file, "%s,%zu,%zu,%.9g\n", tensor.name, k / tensor.shape[1],
                                k % tensor.shape[1], (double)export->values[k]);
            good = bytes > 0;
            export->written += good ? (uint64_t)bytes : 0;
        }
    }
    return good;
}

/* ---- Either -------------------------------------------------------------------------------- */

static bool take_buffers(struct export *export)
{
    struct chirr_tensor tensor;
    size_t most = 1;
    for (size_t i = 0; chirr_tensor_describe(export->model, i, &tensor); i++) {
        most = tensor.count > most ? tensor.count : most;
    }
    export->values = malloc(most * sizeof *export->values);
    export->bytes = malloc(most * 4);
    return export->values != NULL && export->bytes != NULL;
}

/* A device, a pipe, a link as /dev/stdout is one: written to where it stands. Only a file of its
 * own can be replaced by another one. */
static bool stays(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

/* errno of the first failure, or 0. What cannot be synced, as a pipe, says EINVAL. */
static int write_file(struct export *export, const char *path, enum chirr_export_format format)
{
    export->file = fopen(path, "wb");
    if (export->file == NULL) {
        return errno;
    }
    errno = EIO; /* where stdio says less */
    bool good = format == CHIRR_EXPORT_CSV ? write_csv(export) : write_safetensors(export);
    good = good && fflush(export->file) == 0 &&
           (fsync(fileno(export->file)) == 0 || errno == EINVAL || errno == EROFS);
    int failure = good ? 0 : errno;
    fclose(export->file);
    return failure;
}

enum chirr_err chirr_export_write(struct chirr_model *model, const char *path,
                                  enum chirr_export_format format, bool averaged, uint64_t *bytes,
                                  struct chirr_error *error)
{
    char temporary[PATH_BYTES_MAX];
    int length = snprintf(temporary, sizeof temporary, "%s.tmp", path);
    if (length < 0 || (size_t)length >= sizeof temporary) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "%.64s…: the path is too long", path);
    }
    struct export export = {.model = model, .averaged = averaged};
    bool in_place = stays(path);
    const char *target = in_place ? path : temporary;
    int failure = take_buffers(&export) ? write_file(&export, target, format) : ENOMEM;
    if (failure == 0 && !in_place && rename(temporary, path) != 0) {
        failure = errno;
    }
    free(export.values);
    free(export.bytes);
    *bytes = export.written;
    if (failure != 0) {
        if (!in_place) {
            unlink(temporary);
        }
        return chirr_error_set(error, failure == ENOMEM ? CHIRR_ERR_NOMEM : CHIRR_ERR_IO,
                               "%.400s: %s", path, strerror(failure));
    }
    return CHIRR_OK;
}
