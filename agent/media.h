/* What a file holds, and its bytes as a sense takes them: a text as it is, a recording as mu-law
 * bytes, a picture as rows of pixels, by the decoders of an agent's senses (agent/sense.h).
 *
 * What a file is says its beginning, not its name. Not thread-safe. Not installed. */
#ifndef CHIRR_AGENT_MEDIA_H
#define CHIRR_AGENT_MEDIA_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/model.h"

struct chirr_media {
    enum chirr_sense_kind kind; /* _BYTES, _AUDIO or _IMAGE */
    uint32_t width;             /* pictures: pixels of a row; else 0 */
    uint32_t channels;          /* pictures: bytes of a pixel, 1 or 3; else 0 */
};

/* "text", "recording" or "picture". */
const char *chirr_media_name(const struct chirr_media *media);

/* RIFF, FLAC and OGG are recordings, PNG is a picture, and everything else a text. CHIRR_ERR_IO:
 * not a regular file, or it cannot be read. */
CHIRR_NODISCARD enum chirr_err chirr_media_recognise(const char *path, struct chirr_media *media,
                                                     struct chirr_error *error);

/* Of what a file holds. */
struct chirr_media_part {
    uint64_t offset;
    uint64_t bytes_max;
};

/* A part of a file, or all of it where `part` is NULL, for the caller to free; a picture in as many
 * channels as `media` says. CHIRR_ERR_IO: cannot be read or decoded, or is a picture of another
 * width; CHIRR_ERR_NOMEM. */
CHIRR_NODISCARD enum chirr_err chirr_media_read(const char *path, const struct chirr_media *media,
                                                const struct chirr_media_part *part,
                                                uint8_t **bytes, size_t *count,
                                                struct chirr_error *error);

/* A regular file, and no other: opening one may have effects, or never come back. -1 and words. */
int chirr_media_open(const char *path, uint64_t *bytes, struct chirr_error *error);
/* Exactly `count` bytes. CHIRR_ERR_IO: it cannot be read, or has become shorter. */
CHIRR_NODISCARD enum chirr_err chirr_media_pread(int fd, const char *path, uint64_t offset,
                                                 uint8_t *buffer, size_t count,
                                                 struct chirr_error *error);

#endif
