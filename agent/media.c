#include "agent/media.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sense_parts.h"

#define BEGINNING_BYTES 26 /* of a PNG, as far as its type of colour */
#define PNG_WIDTH_AT 16
#define PNG_COLOUR_AT 25
#define PNG_COLOURED 2 /* a bit of the type */
#define ROOM_BYTES ((size_t)65536)

int chirr_media_open(const char *path, uint64_t *bytes, struct chirr_error *error)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); /* a FIFO keeps us waiting */
    if (fd < 0 || fstat(fd, &status) != 0) {
        chirr_error_set(error, CHIRR_ERR_IO, "%.400s: %s", path, strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        chirr_error_set(error, CHIRR_ERR_IO, "%.400s: not a regular file", path);
    } else {
        *bytes = (uint64_t)status.st_size;
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

enum chirr_err chirr_media_pread(int fd, const char *path, uint64_t offset, uint8_t *buffer,
                                 size_t count, struct chirr_error *error)
{
    while (count > 0) {
        ssize_t got = pread(fd, buffer, count, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return chirr_error_set(error, CHIRR_ERR_IO, "%.400s: %s", path,
                                   got < 0 ? strerror(errno) : "has become shorter");
        }
        buffer += got;
        offset += (uint64_t)got;
        count -= (size_t)got;
    }
    return CHIRR_OK;
}

const char *chirr_media_name(const struct chirr_media *media)
{
    switch (media->kind) {
    case CHIRR_SENSE_AUDIO:
        return "recording";
    case CHIRR_SENSE_IMAGE:
        return "picture";
    default:
        return "text";
    }
}

static struct chirr_media media_of(const uint8_t *beginning, size_t bytes)
{
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    static const char *const recordings[] = {"RIFF", "fLaC", "OggS"};
    if (bytes == BEGINNING_BYTES && memcmp(beginning, png, sizeof png) == 0) {
        const uint8_t *w = beginning + PNG_WIDTH_AT;
        bool coloured = (beginning[PNG_COLOUR_AT] & PNG_COLOURED) != 0;
        return (struct chirr_media){.kind = CHIRR_SENSE_IMAGE,
                                    .width = (uint32_t)w[0] << 24 | (uint32_t)w[1] << 16 |
                                             (uint32_t)w[2] << 8 | w[3],
                                    .channels = coloured ? 3 : 1};
    }
    for (size_t i = 0; i < sizeof recordings / sizeof recordings[0] && bytes >= 4; i++) {
        if (memcmp(beginning, recordings[i], 4) == 0) {
            return (struct chirr_media){.kind = CHIRR_SENSE_AUDIO};
        }
    }
    return (struct chirr_media){.kind = CHIRR_SENSE_BYTES};
}

enum chirr_err chirr_media_recognise(const char *path, struct chirr_media *media,
                                     struct chirr_error *error)
{
    uint8_t beginning[BEGINNING_BYTES];
    uint64_t bytes = 0;
    int fd = chirr_media_open(path, &bytes, error);
    if (fd < 0) {
        return CHIRR_ERR_IO;
    }
    size_t count = bytes < sizeof beginning ? (size_t)bytes : sizeof beginning;
    enum chirr_err err = chirr_media_pread(fd, path, 0, beginning, count, error);
    close(fd);
    if (err == CHIRR_OK) {
        *media = media_of(beginning, count);
    }
    return err;
}

static enum chirr_err read_text(const char *path, const struct chirr_media_part *part,
                                uint8_t **bytes, size_t *count, struct chirr_error *error)
{
    uint64_t size;
    int fd = chirr_media_open(path, &size, error);
    if (fd < 0) {
        return CHIRR_ERR_IO;
    }
    uint64_t rest = size > part->offset ? size - part->offset : 0;
    *count = (size_t)(rest < part->bytes_max ? rest : part->bytes_max);
    *bytes = malloc(*count + 1);
    enum chirr_err err = *bytes == NULL
                             ? chirr_error_set(error, CHIRR_ERR_NOMEM,
                                               "%.400s: no memory for %zu bytes", path, *count)
                             : chirr_media_pread(fd, path, part->offset, *bytes, *count, error);
    close(fd);
    return err;
}

/* ---- Decoding ------------------------------------------------------------------------------ */

/* What the decoder gives, as far as `wanted`; false without memory. */
static bool drain(struct chirr_source *source, uint64_t wanted, uint8_t **bytes, size_t *count)
{
    const struct chirr_decoder *decoder = source->files.decoder;
    size_t room = 0;
    for (bool ended = false; !ended && *count < wanted;) {
        if (room - *count < ROOM_BYTES) {
            room = 2 * room + ROOM_BYTES;
            uint8_t *larger = realloc(*bytes, room);
            if (larger == NULL) {
                return false;
            }
            *bytes = larger;
        }
        *count += decoder->read(source, *bytes + *count, room - *count, &ended);
    }
    return true;
}

static enum chirr_err decode(struct chirr_source *source, int fd, const char *path, uint64_t wanted,
                             uint8_t **bytes, size_t *count)
{
    const struct chirr_decoder *decoder = source->files.decoder;
    if (!decoder->open(source, fd, path)) {
        return CHIRR_ERR_IO;
    }
    bool drained = drain(source, wanted, bytes, count);
    decoder->close(source);
    if (!drained) {
        return CHIRR_ERR_NOMEM;
    }
    return source->counters.files_unreadable > 0 || *count == 0 ? CHIRR_ERR_IO : CHIRR_OK;
}

/* `count` bytes from `part->offset` on move to the beginning. */
static void cut(const struct chirr_media_part *part, uint8_t *bytes, size_t *count)
{
    uint64_t rest = *count > part->offset ? *count - part->offset : 0;
    rest = rest < part->bytes_max ? rest : part->bytes_max;
    memmove(bytes, bytes + (*count > part->offset ? part->offset : 0), (size_t)rest);
    *count = (size_t)rest;
}

static enum chirr_err tell(const char *path, const struct chirr_media *media, enum chirr_err err,
                           struct chirr_source *source, struct chirr_error *error)
{
    if (err == CHIRR_ERR_NOMEM) {
        return chirr_error_set(error, err, "%.400s: out of memory", path);
    }
    return source->complained ? chirr_error_set(error, err, "%s", source->complaint)
                              : chirr_error_set(error, err, "%.400s: expected a whole %s", path,
                                                chirr_media_name(media));
}

static enum chirr_err read_decoded(const char *path, const struct chirr_media *media,
                                   const struct chirr_media_part *part, uint8_t **bytes,
                                   size_t *count, struct chirr_error *error)
{
    uint64_t size, wanted = part->offset + part->bytes_max;
    int fd = chirr_media_open(path, &size, error);
    if (fd < 0) {
        return CHIRR_ERR_IO;
    }
    struct chirr_source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        close(fd);
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "out of memory");
    }
    bool is_audio = media->kind == CHIRR_SENSE_AUDIO;
    source->config.width = media->width;
    source->config.channels = media->channels;
    source->files.decoder = is_audio ? &chirr_decoder_audio : &chirr_decoder_image;
    enum chirr_err err =
        decode(source, fd, path, wanted < part->offset ? UINT64_MAX : wanted, bytes, count);
    if (err == CHIRR_OK) {
        cut(part, *bytes, count);
    } else {
        err = tell(path, media, err, source, error);
    }
    free(source);
    return err;
}

enum chirr_err chirr_media_read(const char *path, const struct chirr_media *media,
                                const struct chirr_media_part *part, uint8_t **bytes, size_t *count,
                                struct chirr_error *error)
{
    static const struct chirr_media_part whole = {.bytes_max = UINT64_MAX};
    part = part == NULL ? &whole : part;
    *bytes = NULL;
    *count = 0;
    enum chirr_err err = media->kind == CHIRR_SENSE_BYTES
                             ? read_text(path, part, bytes, count, error)
                             : read_decoded(path, media, part, bytes, count, error);
    if (err != CHIRR_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    return err;
}
