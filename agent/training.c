#include "agent/training.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/json_path.h"
#include "base/digest.h"

#define FORMAT 1
#define PATH_BYTES_MAX 4096
#define BUFFER_BYTES 65536

/* ---- Files --------------------------------------------------------------------------------- */

static enum chirr_err digest_text(int fd, struct chirr_training_text *text,
                                  struct chirr_error *error)
{
    uint8_t buffer[BUFFER_BYTES];
    struct chirr_digest_state state;
    chirr_digest_begin(&state);
    for (uint64_t at = 0; at < text->bytes;) {
        uint64_t left = text->bytes - at;
        size_t count = left < sizeof buffer ? (size_t)left : sizeof buffer;
        enum chirr_err err = chirr_media_pread(fd, text->path, at, buffer, count, error);
        if (err != CHIRR_OK) {
            return err;
        }
        chirr_digest_add(&state, buffer, count);
        at += count;
    }
    text->digest = chirr_digest_end(&state);
    return CHIRR_OK;
}

/* In this order, so that the size of no file overflows it. */
static uint64_t learned_part(uint64_t bytes, uint32_t held_out_permille)
{
    return bytes - (bytes / 1000 * held_out_permille + bytes % 1000 * held_out_permille / 1000);
}

/* Pictures are cut between rows. */
static uint64_t learned_bytes(const struct chirr_training_text *text, uint32_t held_out_permille)
{
    uint64_t row = (uint64_t)text->media.width * text->media.channels;
    row = row > 0 ? row : 1;
    return learned_part(text->bytes / row, held_out_permille) * row;
}

static enum chirr_err examine_text(struct chirr_training_text *text, struct chirr_error *error)
{
    int fd = chirr_media_open(text->path, &text->bytes, error);
    if (fd < 0) {
        return CHIRR_ERR_IO;
    }
    enum chirr_err err = text->bytes == 0
                             ? chirr_error_set(error, CHIRR_ERR_IO, "%.400s: is empty", text->path)
                             : digest_text(fd, text, error);
    close(fd);
    return err;
}

static enum chirr_err examine_decoded(struct chirr_training_text *text, struct chirr_error *error)
{
    struct chirr_digest_state state;
    uint8_t *bytes;
    size_t count;
    enum chirr_err err = chirr_media_read(text->path, &text->media, NULL, &bytes, &count, error);
    if (err == CHIRR_OK) {
        chirr_digest_begin(&state);
        chirr_digest_add(&state, bytes, count);
        text->digest = chirr_digest_end(&state);
        text->bytes = count;
        free(bytes);
    }
    return err;
}

enum chirr_err chirr_training_examine(struct chirr_training *training, uint32_t held_out_permille,
                                      struct chirr_error *error)
{
    enum chirr_err err = CHIRR_OK;
    training->held_out_permille = held_out_permille;
    for (size_t i = 0; i < training->text_count && err == CHIRR_OK; i++) {
        struct chirr_training_text *text = &training->texts[i];
        err = text->media.kind == CHIRR_SENSE_BYTES ? examine_text(text, error)
                                                    : examine_decoded(text, error);
        text->learned_bytes = learned_bytes(text, held_out_permille);
    }
    return err;
}

/* ---- The sequence -------------------------------------------------------------------------- */

enum chirr_err chirr_training_init(struct chirr_training *training, char *const *paths,
                                   size_t count, struct chirr_error *error)
{
    *training = (struct chirr_training){0};
    if (count == 0 || count > CHIRR_TRAINING_TEXTS_MAX) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "expected 1 to %d texts, got %zu",
                               CHIRR_TRAINING_TEXTS_MAX, count);
    }
    training->texts = calloc(count, sizeof *training->texts);
    if (training->texts == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "out of memory");
    }
    training->text_count = count;
    enum chirr_err err = CHIRR_OK;
    for (size_t i = 0; i < count && err == CHIRR_OK; i++) {
        struct chirr_training_text *text = &training->texts[i];
        text->path = strdup(paths[i]);
        err = text->path == NULL ? chirr_error_set(error, CHIRR_ERR_NOMEM, "out of memory")
                                 : chirr_media_recognise(paths[i], &text->media, error);
    }
    return err;
}

void chirr_training_finish(struct chirr_training *training)
{
    for (size_t i = 0; i < training->text_count; i++) {
        free(training->texts[i].path);
    }
    free(training->texts);
    free(training->decoded.bytes);
    training->decoded.bytes = NULL;
    training->texts = NULL;
    training->text_count = 0;
}

bool chirr_training_equal(const struct chirr_training *a, const struct chirr_training *b)
{
    bool equal = a->text_count == b->text_count && a->held_out_permille == b->held_out_permille;
    for (size_t i = 0; equal && i < a->text_count; i++) {
        equal = a->texts[i].bytes == b->texts[i].bytes && a->texts[i].digest == b->texts[i].digest;
    }
    return equal;
}

uint64_t chirr_training_pass_bytes(const struct chirr_training *training)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < training->text_count; i++) {
        bytes += training->texts[i].learned_bytes;
    }
    return bytes;
}

struct chirr_training_place chirr_training_find_place(const struct chirr_training *training,
                                                      uint64_t position)
{
    uint64_t at = position % chirr_training_pass_bytes(training);
    size_t i = 0;
    while (at >= training->texts[i].learned_bytes) {
        at -= training->texts[i].learned_bytes;
        i++;
    }
    return (struct chirr_training_place){i, at, training->texts[i].learned_bytes - at};
}

/* Decodes a text where it is not the one that was read last. */
static enum chirr_err keep_decoded(struct chirr_training *training, size_t index,
                                   struct chirr_error *error)
{
    const struct chirr_training_text *text = &training->texts[index];
    size_t count;
    if (training->decoded.bytes != NULL && training->decoded.text == index) {
        return CHIRR_OK;
    }
    free(training->decoded.bytes);
    training->decoded.text = index;
    enum chirr_err err =
        chirr_media_read(text->path, &text->media, NULL, &training->decoded.bytes, &count, error);
    if (err == CHIRR_OK && count != text->bytes) {
        free(training->decoded.bytes);
        training->decoded.bytes = NULL;
        err = chirr_error_set(error, CHIRR_ERR_IO, "%.400s: has changed", text->path);
    }
    return err;
}

enum chirr_err chirr_training_read(struct chirr_training *training,
                                   const struct chirr_training_place *place, uint8_t *buffer,
                                   size_t count, struct chirr_error *error)
{
    const struct chirr_training_text *text = &training->texts[place->text];
    if (text->media.kind != CHIRR_SENSE_BYTES) {
        enum chirr_err err = keep_decoded(training, place->text, error);
        if (err == CHIRR_OK) {
            memcpy(buffer, training->decoded.bytes + place->offset, count);
        }
        return err;
    }
    uint64_t bytes;
    int fd = chirr_media_open(text->path, &bytes, error);
    if (fd < 0) {
        return CHIRR_ERR_IO;
    }
    enum chirr_err err = chirr_media_pread(fd, text->path, place->offset, buffer, count, error);
    close(fd);
    return err;
}

void chirr_training_mark(struct chirr_training *training, const struct chirr_training_point *point)
{
    struct chirr_training_point *points = training->points;
    memmove(&points[0], &points[1], (CHIRR_TRAINING_POINTS - 1) * sizeof points[0]);
    points[CHIRR_TRAINING_POINTS - 1] = *point;
}

struct chirr_training_point chirr_training_find(const struct chirr_training *training,
                                                uint64_t sensed)
{
    struct chirr_training_point point = {.sensed = sensed};
    for (size_t i = 0; i < CHIRR_TRAINING_POINTS; i++) {
        if (training->points[i].sensed == sensed) {
            point = training->points[i];
        }
    }
    return point;
}

/* ---- MODEL.train --------------------------------------------------------------------------- */

/* JSON's own integers end at 2^63; digests are text. */
static json_t *text_to_json(const struct chirr_training_text *text)
{
    char digest[17];
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)text->digest);
    return json_pack("{s:o, s:I, s:s}", "path", chirr_json_path(text->path), "bytes",
                     (json_int_t)text->bytes, "digest", digest);
}

static json_t *to_json(const struct chirr_training *training)
{
    json_t *texts = json_array(), *points = json_array();
    for (size_t i = 0; i < training->text_count; i++) {
        json_array_append_new(texts, text_to_json(&training->texts[i]));
    }
    for (size_t i = 0; i < CHIRR_TRAINING_POINTS; i++) {
        const struct chirr_training_point *point = &training->points[i];
        json_array_append_new(points,
                              json_pack("{s:I, s:I, s:f}", "sensed", (json_int_t)point->sensed,
                                        "bytes", (json_int_t)point->bytes, "bits", point->bits));
    }
    return json_pack("{s:i, s:I, s:I, s:i, s:o, s:o}", "format", FORMAT, "begin",
                     (json_int_t)training->begin, "end", (json_int_t)training->end,
                     "held_out_permille", (int)training->held_out_permille, "texts", texts,
                     "points", points);
}

/* errno of the first failure, or 0. */
static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    int failure = 0;
    size_t left = strlen(text);
    while (left > 0 && failure == 0) {
        ssize_t done = write(fd, text, left);
        if (done < 0 && errno != EINTR) {
            failure = errno;
        }
        text += done > 0 ? done : 0;
        left -= done > 0 ? (size_t)done : 0;
    }
    if (failure == 0 && fsync(fd) != 0) {
        failure = errno;
    }
    close(fd);
    return failure;
}

enum chirr_err chirr_training_save(const struct chirr_training *training, const char *path,
                                   struct chirr_error *error)
{
    char temporary[PATH_BYTES_MAX];
    int length = snprintf(temporary, sizeof temporary, "%s.tmp", path);
    if (length < 0 || (size_t)length >= sizeof temporary) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "%.64s…: the path is too long", path);
    }
    json_t *json = to_json(training);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(json);
    if (text == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "%.400s: cannot be written as JSON", path);
    }
    int failure = write_file(temporary, text);
    free(text);
    if (failure == 0 && rename(temporary, path) != 0) {
        failure = errno;
    }
    return failure == 0
               ? CHIRR_OK
               : chirr_error_set(error, CHIRR_ERR_IO, "%.400s: %s", path, strerror(failure));
}

static bool get_u64(const json_t *object, const char *key, uint64_t *value)
{
    json_t *member = json_object_get(object, key);
    *value = (uint64_t)json_integer_value(member);
    return json_is_integer(member) && json_integer_value(member) >= 0;
}

static bool text_from_json(struct chirr_training_text *text, const json_t *json,
                           uint32_t held_out_permille)
{
    const char *path = json_string_value(json_object_get(json, "path"));
    const char *digest = json_string_value(json_object_get(json, "digest"));
    if (path == NULL || digest == NULL || !get_u64(json, "bytes", &text->bytes)) {
        return false;
    }
    text->path = strdup(path);
    text->digest = strtoull(digest, NULL, 16);
    text->learned_bytes = learned_part(text->bytes, held_out_permille);
    return text->path != NULL;
}

static bool point_from_json(struct chirr_training_point *point, const json_t *json)
{
    json_t *bits = json_object_get(json, "bits");
    point->bits = json_number_value(bits);
    return json_is_number(bits) && isfinite(point->bits) &&
           get_u64(json, "sensed", &point->sensed) && get_u64(json, "bytes", &point->bytes);
}

static bool from_json(struct chirr_training *training, const json_t *json)
{
    uint64_t format, held_out;
    const json_t *texts = json_object_get(json, "texts");
    const json_t *points = json_object_get(json, "points");
    size_t count = json_array_size(texts);
    if (!get_u64(json, "format", &format) || format != FORMAT ||
        !get_u64(json, "begin", &training->begin) || !get_u64(json, "end", &training->end) ||
        !get_u64(json, "held_out_permille", &held_out) || held_out > 999 || count == 0 ||
        count > CHIRR_TRAINING_TEXTS_MAX || json_array_size(points) != CHIRR_TRAINING_POINTS) {
        return false;
    }
    training->held_out_permille = (uint32_t)held_out;
    training->texts = calloc(count, sizeof *training->texts);
    training->text_count = training->texts == NULL ? 0 : count;
    bool good = training->texts != NULL;
    for (size_t i = 0; good && i < count; i++) {
        good = text_from_json(&training->texts[i], json_array_get(texts, i),
                              training->held_out_permille);
    }
    for (size_t i = 0; good && i < CHIRR_TRAINING_POINTS; i++) {
        good = point_from_json(&training->points[i], json_array_get(points, i));
    }
    return good;
}

enum chirr_err chirr_training_load(struct chirr_training *training, const char *path,
                                   struct chirr_error *error)
{
    *training = (struct chirr_training){0};
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return chirr_error_set(error, CHIRR_ERR_NOTFOUND, "%.400s: %s", path, strerror(ENOENT));
    }
    json_error_t why;
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    bool good = json != NULL && from_json(training, json);
    json_decref(json);
    if (!good) {
        chirr_training_finish(training);
        return chirr_error_set(error, CHIRR_ERR_MALFORMED,
                               "%.400s: not the record of a training; move it away", path);
    }
    return CHIRR_OK;
}
