/* Checkpoints on disk: written beside, synced and renamed; loaded group by group. */
#include "model/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "model/checkpoint_file.h"

#define PATH_BYTES_MAX 4096

/* ---- Saving -------------------------------------------------------------------------------- */

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

/* PATH is there at every instant: the one before gets a second name, then loses its first. Where
 * the file system knows no second names it is renamed, and PATH is missing for a moment. */
static int replace_checkpoint(const char *temporary, const char *path, const char *previous)
{
    if (unlink(previous) != 0 && errno != ENOENT) {
        return errno;
    }
    bool kept = link(path, previous) == 0 || errno == ENOENT;
    if (!kept && rename(path, previous) != 0 && errno != ENOENT) {
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
    /* writing only reads the model */
    int failure = chirr_checkpoint_write((struct chirr_model *)model, file);
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

#define GROUPS_MAX (3 + 4 * CHIRR_MODEL_SENSES_MAX)

struct group {
    char name[CHIRR_STATE_GROUP_BYTES_MAX];
    bool fits; /* every part of it is there, of the right size */
};

struct loader {
    const struct chirr_checkpoint_reader *reader;
    uint32_t count;
    bool failed;
    struct group groups[GROUPS_MAX];
};

/* Groups come one after the other. */
static struct group *group_of(struct loader *loader, const struct chirr_state_part *part)
{
    for (uint32_t i = 0; i < loader->count; i++) {
        if (strcmp(loader->groups[i].name, part->group) == 0) {
            return &loader->groups[i];
        }
    }
    CHIRR_ASSERT(loader->count < GROUPS_MAX);
    struct group *group = &loader->groups[loader->count++];
    snprintf(group->name, sizeof group->name, "%s", part->group);
    group->fits = true;
    return group;
}

static void check_part(void *context, const struct chirr_state_part *part)
{
    struct loader *loader = context;
    struct group *group = group_of(loader, part);
    const struct chirr_checkpoint_entry *entry =
        chirr_checkpoint_find(loader->reader, part->group, part->name);
    group->fits = group->fits && entry != NULL && entry->size == part->size;
}

static void read_part(void *context, const struct chirr_state_part *part)
{
    struct loader *loader = context;
    if (!group_of(loader, part)->fits || loader->failed) {
        return;
    }
    const struct chirr_checkpoint_entry *entry =
        chirr_checkpoint_find(loader->reader, part->group, part->name);
    loader->failed = !chirr_checkpoint_read(loader->reader, entry->offset, part->bytes, part->size);
}

/* A sense whose chunk has another size begins a new one where its stream stands. */
static void open_chunks(struct chirr_model *model)
{
    for (uint32_t i = 0; i < model->config.sense_count; i++) {
        struct chirr_stream *stream = &model->senses[i].stream;
        if (stream->filled == 0) {
            chirr_stream_begin_chunk(stream, &model->body.layout);
        }
    }
}

static enum chirr_err load_groups(struct chirr_model *model,
                                  const struct chirr_checkpoint_reader *reader,
                                  struct chirr_error *error)
{
    struct loader loader = {.reader = reader};
    chirr_state_visit(model, check_part, &loader);
    if (!loader.groups[0].fits) {
        return chirr_error_set(error, CHIRR_ERR_LINEAGE,
                               "%s: written by a model that hosts other partitions", reader->path);
    }
    chirr_state_visit(model, read_part, &loader);
    return loader.failed ? chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be read", reader->path)
                         : CHIRR_OK;
}

static enum chirr_err check_state(const struct chirr_model *model,
                                  const struct chirr_checkpoint_reader *reader,
                                  struct chirr_error *error)
{
    struct chirr_error why;
    enum chirr_err err = chirr_state_check(model, &why);
    return err == CHIRR_OK ? err : chirr_error_set(error, err, "%s: %s", reader->path, why.text);
}

static bool hosts_the_same(const struct chirr_model *model,
                           const struct chirr_checkpoint_reader *reader)
{
    struct chirr_model_config config;
    struct chirr_error ignored;
    return reader->format == 1 ||
           (chirr_checkpoint_read_config(reader, &config, &ignored) == CHIRR_OK &&
            config.hosted == model->config.hosted);
}

static enum chirr_err load_from(struct chirr_model *model,
                                const struct chirr_checkpoint_reader *reader,
                                struct chirr_error *error)
{
    if (reader->lineage != chirr_model_lineage(&model->config) || !hosts_the_same(model, reader)) {
        return chirr_error_set(error, CHIRR_ERR_LINEAGE,
                               "%s: written by a model of another shape, genesis or part of it",
                               reader->path);
    }
    chirr_state_clear(model);
    enum chirr_err err = reader->format == 1 ? chirr_checkpoint_load_first(model, reader, error)
                                             : load_groups(model, reader, error);
    err = err == CHIRR_OK ? check_state(model, reader, error) : err;
    if (err != CHIRR_OK) {
        chirr_state_clear(model);
        return err;
    }
    open_chunks(model);
    chirr_state_complete(model);
    return CHIRR_OK;
}

/* Opens PATH, or says why not; -1 then. */
static int open_file(const char *path, struct chirr_checkpoint_reader *reader, enum chirr_err *err,
                     struct chirr_error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        *err = chirr_error_set(error, errno == ENOENT ? CHIRR_ERR_NOTFOUND : CHIRR_ERR_IO, "%s: %s",
                               path, strerror(errno));
        return -1;
    }
    *err = chirr_checkpoint_open(reader, file, path, error);
    if (*err != CHIRR_OK) {
        close(file);
        return -1;
    }
    return file;
}

static enum chirr_err load_file(struct chirr_model *model, const char *path,
                                struct chirr_error *error)
{
    struct chirr_checkpoint_reader reader;
    enum chirr_err err;
    int file = open_file(path, &reader, &err, error);
    if (file >= 0) {
        err = load_from(model, &reader, error);
        close(file);
    }
    return err;
}

enum chirr_err chirr_checkpoint_describe(const char *path,
                                         struct chirr_checkpoint_description *description,
                                         struct chirr_error *error)
{
    struct chirr_checkpoint_reader reader;
    enum chirr_err err;
    int file = open_file(path, &reader, &err, error);
    if (file >= 0) {
        description->format = reader.format;
        description->lineage = reader.lineage;
        description->digest = reader.digest;
        description->bytes = reader.bytes;
        err = chirr_checkpoint_read_config(&reader, &description->config, error);
        close(file);
    }
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
