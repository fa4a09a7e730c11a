/* A checkpoint is {magic, format, byte order, lineage, layout digest, state bytes}, the spans of
 * state.c in their order, and a digest of all before it. */
#include "model/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/wire.h"
#include "model/internal.h"

static const uint8_t magic[8] = {'c', 'h', 'i', 'r', 'r', 'm', 'd', 'l'};
#define FORMAT 1
#define BYTE_ORDER_MARK UINT32_C(0x01020304) /* spans are in the machine's own order */
#define HEADER_BYTES 40
#define DIGEST_BYTES 8
#define PATH_BYTES_MAX 4096

/* Sizes of all spans in order: files of another configuration do not fit this model's memory. */
struct measure {
    struct chirr_digest_state digest;
    uint64_t bytes;
};

static void measure_span(void *context, void *bytes, size_t count)
{
    struct measure *measure = context;
    (void)bytes;
    chirr_digest_add_u64(&measure->digest, count);
    measure->bytes += count;
}

static uint64_t measure_state(struct chirr_model *model, uint64_t *shape)
{
    struct measure measure = {.bytes = 0};
    chirr_digest_begin(&measure.digest);
    for (uint32_t i = 0; i < model->config.sense_count; i++) {
        const char *name = model->config.senses[i].name;
        chirr_digest_add(&measure.digest, name, strlen(name) + 1);
    }
    chirr_digest_add_u64(&measure.digest, model->config.hosted);
    chirr_model_visit_state(model, measure_span, &measure);
    *shape = chirr_digest_end(&measure.digest);
    return measure.bytes;
}

static void fill_header(struct chirr_model *model, uint8_t header[HEADER_BYTES])
{
    uint64_t shape;
    uint64_t bytes = measure_state(model, &shape);
    const uint32_t mark = BYTE_ORDER_MARK;
    memcpy(header, magic, sizeof magic);
    chirr_wire_put_u32(header + 8, FORMAT);
    memcpy(header + 12, &mark, sizeof mark);
    chirr_wire_put_u64(header + 16, chirr_model_lineage(&model->config));
    chirr_wire_put_u64(header + 24, shape);
    chirr_wire_put_u64(header + 32, bytes);
}

/* ---- Saving -------------------------------------------------------------------------------- */

struct writer {
    int file;
    int failure; /* errno of the first failure, 0 while none */
    struct chirr_digest_state digest;
};

static void write_all(struct writer *writer, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    while (count > 0 && writer->failure == 0) {
        ssize_t done = write(writer->file, at, count);
        if (done < 0 && errno != EINTR) {
            writer->failure = errno;
        }
        if (done > 0) {
            at += done;
            count -= (size_t)done;
        }
    }
}

static void write_span(void *context, void *bytes, size_t count)
{
    struct writer *writer = context;
    chirr_digest_add(&writer->digest, bytes, count);
    write_all(writer, bytes, count);
}

/* Everything into an open file, synced; errno of the first failure or 0. */
static int write_checkpoint(struct chirr_model *model, int file)
{
    struct writer writer = {.file = file};
    chirr_digest_begin(&writer.digest);
    uint8_t header[HEADER_BYTES];
    fill_header(model, header);
    write_span(&writer, header, sizeof header);
    chirr_model_visit_state(model, write_span, &writer);
    uint8_t digest[DIGEST_BYTES];
    chirr_wire_put_u64(digest, chirr_digest_end(&writer.digest));
    write_all(&writer, digest, sizeof digest);
    if (writer.failure == 0 && fsync(file) != 0) {
        writer.failure = errno;
    }
    return writer.failure;
}

/* Renames survive a power cut once their directory is synced. */
static int sync_directory_of(const char *path)
{
    char directory[PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    memcpy(directory, path, length);
    directory[length] = 0;
    const char *name = slash == NULL ? "." : slash == path ? "/" : directory;
    int file = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) {
        return errno;
    }
    int failure = fsync(file) == 0 ? 0 : errno;
    close(file);
    return failure;
}

static int replace_checkpoint(const char *temporary, const char *path, const char *previous)
{
    if (rename(path, previous) != 0 && errno != ENOENT) {
        return errno;
    }
    return rename(temporary, path) == 0 ? sync_directory_of(path) : errno;
}

/* PATH.previous and PATH.tmp; false where they are too long. */
static bool name_files(const char *path, char previous[PATH_BYTES_MAX],
                       char temporary[PATH_BYTES_MAX])
{
    int a = snprintf(previous, PATH_BYTES_MAX, "%s.previous", path);
    int b = snprintf(temporary, PATH_BYTES_MAX, "%s.tmp", path);
    return a > 0 && a < PATH_BYTES_MAX && b > 0 && b < PATH_BYTES_MAX;
}

enum chirr_err chirr_checkpoint_save(const struct chirr_model *model, const char *path,
                                     struct chirr_error *error)
{
    char previous[PATH_BYTES_MAX];
    char temporary[PATH_BYTES_MAX];
    if (!name_files(path, previous, temporary)) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "%.64s…: the path is too long", path);
    }
    int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: %s", temporary, strerror(errno));
    }
    /* the writers only read the spans */
    int failure = write_checkpoint((struct chirr_model *)model, file);
    if (close(file) != 0 && failure == 0) {
        failure = errno;
    }
    if (failure == 0) {
        failure = replace_checkpoint(temporary, path, previous);
    }
    if (failure != 0) {
        unlink(temporary);
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: %s", path, strerror(failure));
    }
    return CHIRR_OK;
}

/* ---- Loading ------------------------------------------------------------------------------- */

/* Reads `count` bytes, fewer only at the end of the file; -1 with errno on failure. */
static ssize_t read_all(int file, void *bytes, size_t count)
{
    size_t done = 0;
    while (done < count) {
        ssize_t got = read(file, (uint8_t *)bytes + done, count - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? -1 : (ssize_t)done;
        }
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static enum chirr_err check_header(struct chirr_model *model, const uint8_t *header,
                                   const char *path, struct chirr_error *error)
{
    uint8_t expected[HEADER_BYTES];
    fill_header(model, expected);
    if (memcmp(header, magic, sizeof magic) != 0) {
        return chirr_error_set(error, CHIRR_ERR_MALFORMED, "%s: not a chirr checkpoint", path);
    }
    if (memcmp(header + 8, expected + 8, 8) != 0) {
        return chirr_error_set(error, CHIRR_ERR_VERSION,
                               "%s: written in format %u, expected %d in this byte order", path,
                               chirr_wire_get_u32(header + 8), FORMAT);
    }
    if (memcmp(header + 16, expected + 16, HEADER_BYTES - 16) != 0) {
        return chirr_error_set(error, CHIRR_ERR_LINEAGE,
                               "%s: written by a model of another shape, genesis or senses", path);
    }
    return CHIRR_OK;
}

/* Header and digest of an open file, before anything of it reaches the model. */
static enum chirr_err check_file(struct chirr_model *model, int file, const char *path,
                                 struct chirr_error *error)
{
    struct stat status;
    uint8_t header[HEADER_BYTES];
    if (fstat(file, &status) != 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: %s", path, strerror(errno));
    }
    if (read_all(file, header, sizeof header) != HEADER_BYTES) {
        return chirr_error_set(error, CHIRR_ERR_MALFORMED, "%s: cut off in its header", path);
    }
    struct chirr_digest_state state;
    chirr_digest_begin(&state);
    chirr_digest_add(&state, header, sizeof header);
    uint64_t rest = (uint64_t)status.st_size - HEADER_BYTES;
    if (rest < DIGEST_BYTES) {
        return chirr_error_set(error, CHIRR_ERR_MALFORMED, "%s: cut off", path);
    }
    rest -= DIGEST_BYTES;
    while (rest > 0) {
        uint8_t buffer[8192];
        size_t count = rest < sizeof buffer ? (size_t)rest : sizeof buffer;
        if (read_all(file, buffer, count) != (ssize_t)count) {
            return chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be read", path);
        }
        chirr_digest_add(&state, buffer, count);
        rest -= count;
    }
    uint8_t digest[DIGEST_BYTES];
    if (read_all(file, digest, sizeof digest) != DIGEST_BYTES ||
        chirr_wire_get_u64(digest) != chirr_digest_end(&state)) {
        return chirr_error_set(error, CHIRR_ERR_CHECKSUM, "%s: damaged or cut off", path);
    }
    enum chirr_err err = check_header(model, header, path, error);
    uint64_t bytes = (uint64_t)status.st_size - HEADER_BYTES - DIGEST_BYTES;
    if (err == CHIRR_OK && bytes != chirr_wire_get_u64(header + 32)) {
        err = chirr_error_set(error, CHIRR_ERR_MALFORMED, "%s: of a wrong length", path);
    }
    return err;
}

struct loader {
    int file;
    bool failed;
};

static void read_span(void *context, void *bytes, size_t count)
{
    struct loader *loader = context;
    loader->failed = loader->failed || read_all(loader->file, bytes, count) != (ssize_t)count;
}

/* Makes the model as it was created. */
static void clear_span(void *context, void *bytes, size_t count)
{
    (void)context;
    memset(bytes, 0, count);
}

static void rebuild_all(struct chirr_model *model)
{
    chirr_model_rebuild(model);
    for (uint32_t i = 0; i < model->config.sense_count; i++) {
        if (model->config.senses[i].kind == CHIRR_SENSE_OUTCOME) {
            chirr_outcomes_fit(&model->senses[i].outcomes);
        }
    }
}

static void reset_model(struct chirr_model *model)
{
    chirr_model_visit_state(model, clear_span, NULL);
    for (uint32_t i = 0; i < model->config.sense_count; i++) {
        chirr_stream_reset(&model->senses[i].stream, &model->body.layout);
        chirr_symbols_begin(&model->senses[i].symbols);
    }
    rebuild_all(model);
}

static enum chirr_err load_file(struct chirr_model *model, const char *path,
                                struct chirr_error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        enum chirr_err err = errno == ENOENT ? CHIRR_ERR_NOTFOUND : CHIRR_ERR_IO;
        return chirr_error_set(error, err, "%s: %s", path, strerror(errno));
    }
    enum chirr_err err = check_file(model, file, path, error);
    if (err == CHIRR_OK) {
        struct loader loader = {.file = file};
        loader.failed = lseek(file, HEADER_BYTES, SEEK_SET) != HEADER_BYTES;
        chirr_model_visit_state(model, read_span, &loader);
        if (loader.failed) { /* changed between check and load */
            reset_model(model);
            err = chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be read", path);
        } else {
            rebuild_all(model);
        }
    }
    close(file);
    return err;
}

enum chirr_err chirr_checkpoint_load(struct chirr_model *model, const char *path,
                                     enum chirr_checkpoint_origin *origin,
                                     struct chirr_error *error)
{
    char previous[PATH_BYTES_MAX];
    char temporary[PATH_BYTES_MAX];
    *origin = CHIRR_CHECKPOINT_NONE;
    if (!name_files(path, previous, temporary)) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "%.64s…: the path is too long", path);
    }
    enum chirr_err err = load_file(model, path, error);
    if (err == CHIRR_OK) {
        *origin = CHIRR_CHECKPOINT_CURRENT;
        return CHIRR_OK;
    }
    if (err == CHIRR_ERR_LINEAGE) {
        return err; /* the one before would not fit either */
    }
    struct chirr_error why;
    enum chirr_err older = load_file(model, previous, &why);
    if (older == CHIRR_OK) {
        *origin = CHIRR_CHECKPOINT_PREVIOUS;
        return CHIRR_OK;
    }
    if (older == CHIRR_ERR_LINEAGE) {
        return chirr_error_set(error, older, "%s", why.text);
    }
    return err == CHIRR_ERR_NOTFOUND && older == CHIRR_ERR_NOTFOUND ? CHIRR_OK : err;
}
