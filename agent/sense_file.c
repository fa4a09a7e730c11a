/* Files one after another, for ever; texts among them; and what of those is held out. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sense_parts.h"

#define PROBE_BYTES 4096         /* a NUL in the first so many makes a file binary */
#define FILES_A_POLL 16          /* finished in one poll at most, so that it stays short */
#define HELD_OUT_SHARE_BYTES 512 /* of one file, at least, where room is short */

/* ---- Which files ----------------------------------------------------------------------------- */

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_regular(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* Sorted over all patterns; what is no regular file is left out here already: opening a FIFO or a
 * device may have effects. */
static void sort_files(struct chirr_sense_files *files, struct chirr_source_counters *counters)
{
    char **paths = files->globs.gl_pathv;
    size_t kept = 0;
    qsort(paths, files->globs.gl_pathc, sizeof *paths, compare_paths);
    for (size_t i = 0; i < files->globs.gl_pathc; i++) {
        if (kept > 0 && strcmp(paths[i], paths[kept - 1]) == 0) {
            continue;
        }
        if (!is_regular(paths[i])) {
            continue;
        }
        if (kept == CHIRR_SENSE_FILES_MAX) {
            counters->files_dropped++;
            continue;
        }
        /* Exchanged, not overwritten: globfree() frees every path. */
        char *path = paths[i];
        paths[i] = paths[kept];
        paths[kept++] = path;
    }
    files->paths = paths;
    files->count = kept;
}

/* GLOB_TILDE: "~/notes" is what people write. Globs after a "|" are for when none before matches.
 */
static enum chirr_err match_files(const struct chirr_sense_config *config,
                                  struct chirr_sense_files *files,
                                  struct chirr_source_counters *counters, struct chirr_error *error)
{
    const char *scheme = files->decoder->scheme;
    char patterns[CHIRR_SOURCE_BYTES_MAX];
    char *rest = NULL;
    int flags = GLOB_TILDE;
    memcpy(patterns, config->from, sizeof patterns);
    patterns[sizeof patterns - 1] = '\0';
    for (char *pattern = strtok_r(patterns, " ", &rest); pattern != NULL;
         pattern = strtok_r(NULL, " ", &rest)) {
        if (strcmp(pattern, "|") == 0) {
            if (flags & GLOB_APPEND && files->globs.gl_pathc > 0) {
                break;
            }
            continue;
        }
        if (glob(pattern, flags, NULL, &files->globs) == GLOB_NOSPACE) {
            return chirr_error_set(error, CHIRR_ERR_NOMEM, "%s%.300s: too many files", scheme,
                                   pattern);
        }
        flags |= GLOB_APPEND;
    }
    if (flags & GLOB_APPEND && files->globs.gl_pathc > 0) {
        sort_files(files, counters);
    }
    if (files->count == 0) {
        return chirr_error_set(error, CHIRR_ERR_NOTFOUND,
                               "%s%.300s: no file matches; check the path", scheme, config->from);
    }
    return CHIRR_OK;
}

/* ---- Texts ----------------------------------------------------------------------------------- */

/* It may have become something else since it was matched. */
static int open_regular(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

enum text_fault { TEXT_GOOD, TEXT_UNREADABLE, TEXT_EMPTY, TEXT_BINARY };

static enum text_fault examine_text(int fd, uint64_t *bytes)
{
    char probe[PROBE_BYTES];
    struct stat status;
    ssize_t probed = fstat(fd, &status) == 0 ? pread(fd, probe, sizeof probe, 0) : -1;
    if (probed <= 0) {
        return probed < 0 ? TEXT_UNREADABLE : TEXT_EMPTY;
    }
    *bytes = (uint64_t)status.st_size;
    return memchr(probe, '\0', (size_t)probed) == NULL ? TEXT_GOOD : TEXT_BINARY;
}

static bool open_text(struct chirr_source *source, int fd, const char *path)
{
    struct chirr_source_counters *counters = &source->counters;
    uint64_t bytes = 0;
    enum text_fault fault = examine_text(fd, &bytes);
    source->files.text.fd = fd;
    source->files.text.remaining = chirr_sense_learned_part(&source->config, bytes);
    if (fault == TEXT_GOOD && source->files.text.remaining > 0) {
        return true;
    }
    counters->files_unreadable += fault == TEXT_UNREADABLE;
    counters->files_binary += fault == TEXT_BINARY;
    counters->files_empty += fault == TEXT_EMPTY || fault == TEXT_GOOD;
    if (fault == TEXT_UNREADABLE) {
        chirr_sense_complain(source, "%.300s: cannot be read", path);
    }
    close(fd);
    return false;
}

static size_t read_text(struct chirr_source *source, uint8_t *buffer, size_t capacity, bool *ended)
{
    struct chirr_sense_files *files = &source->files;
    size_t wanted = files->text.remaining < capacity ? (size_t)files->text.remaining : capacity;
    ssize_t bytes = read(files->text.fd, buffer, wanted);
    source->counters.files_unreadable += bytes < 0;
    if (bytes > 0) {
        files->text.remaining -= (uint64_t)bytes;
    }
    *ended = bytes <= 0 || files->text.remaining == 0;
    return bytes > 0 ? (size_t)bytes : 0;
}

static void close_text(struct chirr_source *source)
{
    close(source->files.text.fd);
}

const struct chirr_decoder chirr_decoder_text = {
    .scheme = "file:",
    .wanted = "a readable text",
    .open = open_text,
    .read = read_text,
    .close = close_text,
};

/* ---- One file after another ------------------------------------------------------------------ */

uint64_t chirr_sense_learned_part(const struct chirr_sense_config *config, uint64_t units)
{
    /* In this order, so that the size of no file overflows it. */
    return units - (units / 1000 * config->skip_bytes_per_mille +
                    units % 1000 * config->skip_bytes_per_mille / 1000);
}

static void open_one(struct chirr_source *source, size_t index)
{
    struct chirr_sense_files *files = &source->files;
    const char *path = files->paths[index];
    int fd = open_regular(path);
    if (fd < 0) {
        source->counters.files_unreadable++;
        chirr_sense_complain(source, "%.300s: %s", path, strerror(errno));
        return;
    }
    files->open = files->decoder->open(source, fd, path);
    files->fresh = true;
    files->hopeless[index] = files->decoder->items && !files->open;
}

/* Tries each file once at most. */
static bool open_next(struct chirr_source *source)
{
    struct chirr_sense_files *files = &source->files;
    for (size_t tried = 0; tried < files->count && !files->open; tried++) {
        size_t index = files->next;
        source->counters.rounds += index == 0 && source->counters.files > 0;
        files->next = (index + 1) % files->count;
        if (!files->hopeless[index]) {
            open_one(source, index);
        }
    }
    return files->open;
}

static const struct chirr_decoder *decoder_of(enum chirr_source_kind kind)
{
    switch (kind) {
    case CHIRR_SOURCE_AUDIO:
        return &chirr_decoder_audio;
    case CHIRR_SOURCE_IMAGE:
        return &chirr_decoder_image;
    default:
        return &chirr_decoder_text;
    }
}

static void forget_files(struct chirr_sense_files *files)
{
    free(files->hopeless);
    globfree(&files->globs);
}

enum chirr_err chirr_sense_files_open(struct chirr_source *source, struct chirr_error *error)
{
    struct chirr_sense_files *files = &source->files;
    files->decoder = decoder_of(source->config.source);
    if (source->config.skip_bytes_per_mille > 1000) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG, "sense %s: holds out %llu of 1,000 bytes",
                               source->config.name,
                               (unsigned long long)source->config.skip_bytes_per_mille);
    }
    enum chirr_err err = match_files(&source->config, files, &source->counters, error);
    files->hopeless = calloc(files->count + 1, sizeof *files->hopeless);
    if (err == CHIRR_OK && files->hopeless == NULL) {
        err = chirr_error_set(error, CHIRR_ERR_NOMEM, "out of memory");
    }
    if (err == CHIRR_OK && !open_next(source)) {
        err = chirr_error_set(
            error, CHIRR_ERR_NOTFOUND, "%s%.200s: %zu files match, none is %s%s%.200s",
            files->decoder->scheme, source->config.from, files->count, files->decoder->wanted,
            source->complained ? "; " : "", source->complaint);
    }
    if (err != CHIRR_OK) {
        forget_files(files);
    }
    return err;
}

static void close_file(struct chirr_source *source)
{
    source->files.decoder->close(source);
    source->files.open = false;
}

void chirr_sense_files_close(struct chirr_source *source)
{
    if (source->files.open) {
        close_file(source);
    }
    forget_files(&source->files);
}

/* What one read gives; the file is finished at its end or when it cannot be read on. */
static size_t read_some(struct chirr_source *source, uint8_t *buffer, size_t capacity, bool *ended)
{
    *ended = false;
    struct chirr_sense_files *files = &source->files;
    size_t bytes = files->decoder->read(source, buffer, capacity, ended);
    source->begun = source->begun || (files->decoder->items && files->fresh && bytes > 0);
    files->fresh = files->fresh && bytes == 0;
    if (*ended) {
        close_file(source);
        source->counters.files++;
    }
    return bytes;
}

enum chirr_err chirr_sense_files_read(struct chirr_source *source, chirr_time_us now,
                                      uint8_t *buffer, size_t capacity, size_t *count)
{
    struct chirr_sense_files *files = &source->files;
    bool ended = false;
    source->begun = false;
    if (now < files->retry_at) {
        return CHIRR_OK;
    }
    for (int opened = 0; *count < capacity && opened < FILES_A_POLL;) {
        if (!files->open) {
            opened++;
            if (!open_next(source)) {
                files->retry_at = now + CHIRR_SENSE_RETRY_US;
                return *count > 0 ? CHIRR_OK : CHIRR_ERR_IO;
            }
        }
        *count += read_some(source, buffer + *count, capacity - *count, &ended);
        if (ended && files->decoder->items && *count > 0) {
            break;
        }
    }
    return CHIRR_OK;
}

/* ---- Held out -------------------------------------------------------------------------------- */

static size_t read_held_out(const struct chirr_sense_config *config, const char *path,
                            uint8_t *buffer, size_t capacity)
{
    uint64_t bytes = 0;
    int fd = open_regular(path);
    if (fd < 0 || examine_text(fd, &bytes) != TEXT_GOOD) {
        if (fd >= 0) {
            close(fd);
        }
        return 0;
    }
    uint64_t held_out = bytes - chirr_sense_learned_part(config, bytes);
    size_t wanted = held_out < capacity ? (size_t)held_out : capacity;
    ssize_t got = pread(fd, buffer, wanted, (off_t)(bytes - held_out));
    close(fd);
    return got > 0 ? (size_t)got : 0;
}

/* Equal shares: of every file where that gives each a useful one, else of every n-th. What short
 * files leave over goes to those that follow. */
static size_t share_out(const struct chirr_sense_config *config,
                        const struct chirr_sense_files *files, uint8_t *buffer, size_t capacity)
{
    size_t shares = capacity / HELD_OUT_SHARE_BYTES;
    shares = shares == 0 ? 1 : shares;
    shares = shares > files->count ? files->count : shares;
    size_t bytes = 0;
    for (size_t i = 0; i < shares; i++) {
        const char *path = files->paths[i * files->count / shares];
        bytes += read_held_out(config, path, buffer + bytes, (capacity - bytes) / (shares - i));
    }
    return bytes;
}

enum chirr_err chirr_source_held_out(const struct chirr_sense_config *config, uint8_t *buffer,
                                     size_t capacity, size_t *bytes, struct chirr_error *error)
{
    *bytes = 0;
    if (config->source != CHIRR_SOURCE_FILE) {
        return chirr_error_set(error, CHIRR_ERR_STATE, "sense %s: only files hold something out",
                               config->name);
    }
    struct chirr_sense_files files = {.decoder = &chirr_decoder_text};
    struct chirr_source_counters ignored = {0};
    enum chirr_err err = match_files(config, &files, &ignored, error);
    if (err == CHIRR_OK) {
        *bytes = share_out(config, &files, buffer, capacity);
        if (*bytes == 0) {
            err = chirr_error_set(error, CHIRR_ERR_NOTFOUND, "file:%.300s: nothing is held out",
                                  config->from);
        }
    }
    globfree(&files.globs);
    return err;
}
