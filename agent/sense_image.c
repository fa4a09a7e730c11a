/* image: PNG pictures of one width as rows of bytes, grey or red, green, blue.
 *
 * libpng makes 8 bits a channel of whatever it finds, on white where a picture is transparent. */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/sense_parts.h"

#define BYTES_MAX ((size_t)64 * 1024 * 1024) /* of one picture */

struct chirr_sense_image {
    size_t bytes, next;
    uint8_t pixels[]; /* [bytes] */
};

static uint32_t channels_of(const struct chirr_source *source)
{
    return source->config.channels == 0 ? 1 : source->config.channels;
}

/* Whether a picture of this size can be taken: before a byte of it is decoded. */
static bool fits(struct chirr_source *source, const png_image *image, const char *path)
{
    uint32_t width = source->config.width;
    size_t row = (size_t)width * channels_of(source);
    if (image->width != width) {
        chirr_sense_complain(source, "%.300s: expected pictures %u pixels wide, got %u", path,
                             width, image->width);
        return false;
    }
    if (image->height > BYTES_MAX / row) {
        chirr_sense_complain(source, "%.300s: expected a picture of at most %zu rows, got %u", path,
                             BYTES_MAX / row, image->height);
        return false;
    }
    return true;
}

static bool decode(struct chirr_source *source, png_image *image, const char *path)
{
    const png_color white = {255, 255, 255};
    size_t bytes = (size_t)image->height * image->width * channels_of(source);
    struct chirr_sense_image *picture = malloc(sizeof *picture + bytes);
    image->format = channels_of(source) == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    source->files.image = picture;
    if (picture == NULL) {
        source->counters.errors++;
        return false;
    }
    *picture = (struct chirr_sense_image){.bytes = bytes};
    if (png_image_finish_read(image, &white, picture->pixels, 0, NULL) != 0) {
        return true;
    }
    chirr_sense_complain(source, "%.300s: %.100s", path, image->message);
    source->counters.files_unreadable++;
    free(picture);
    return false;
}

static bool open_image(struct chirr_source *source, int fd, const char *path)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    FILE *file = fdopen(fd, "rb");
    if (file == NULL) {
        close(fd);
        source->counters.errors++;
        return false;
    }
    bool good = png_image_begin_read_from_stdio(&image, file) != 0;
    if (!good) {
        chirr_sense_complain(source, "%.300s: %.100s", path, image.message);
        source->counters.files_unreadable++;
    } else if (!fits(source, &image, path)) {
        source->counters.files_misfit++;
        good = false;
    } else {
        good = decode(source, &image, path);
    }
    png_image_free(&image);
    fclose(file);
    return good;
}

static size_t read_image(struct chirr_source *source, uint8_t *buffer, size_t capacity, bool *ended)
{
    struct chirr_sense_image *picture = source->files.image;
    size_t left = picture->bytes - picture->next;
    size_t count = left < capacity ? left : capacity;
    memcpy(buffer, picture->pixels + picture->next, count);
    picture->next += count;
    *ended = picture->next == picture->bytes;
    return count;
}

static void close_image(struct chirr_source *source)
{
    free(source->files.image);
    source->files.image = NULL;
}

const struct chirr_decoder chirr_decoder_image = {
    .scheme = "image:",
    .wanted = "a readable picture of this width",
    .items = true,
    .open = open_image,
    .read = read_image,
    .close = close_image,
};
