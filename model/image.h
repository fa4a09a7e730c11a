/* Where a pixel's byte lies in its image, and what lies round it: the numbers that an image sense
 * reads beside the byte before. Rows from the top, pixels from the left, channels interleaved.
 * Not thread-safe. */
#ifndef CHIRR_MODEL_IMAGE_H
#define CHIRR_MODEL_IMAGE_H

#include "base/arena.h"
#include "model/layout.h"
#include "model/real.h"

#define CHIRR_IMAGE_CHANNELS_MAX 4

struct chirr_image {
    uint32_t width;    /* bytes of a row; 0: not an image */
    uint32_t channels; /* bytes of a pixel */
    uint32_t column;   /* of the byte that comes next */
    uint32_t row;
    uint8_t *above; /* [width] from `column` on the row before, up to it the present one */
    uint8_t above_left[CHIRR_IMAGE_CHANNELS_MAX]; /* of each channel */
};

size_t chirr_image_bytes(uint32_t width);
bool chirr_image_init(struct chirr_image *image, struct chirr_arena *arena, uint32_t width,
                      uint32_t channels);

/* The next byte is the first of an image. */
void chirr_image_begin(struct chirr_image *image);

/* Of the byte that comes next, each within ±1: column, row (of the first 1,024), channel, and the
 * same channel of the pixels above to the left, above, above to the right. */
void chirr_image_inputs(const struct chirr_image *image,
                        chirr_real *inputs /* [CHIRR_PIXEL_INPUTS] */);

/* It came. */
void chirr_image_take(struct chirr_image *image, uint8_t byte);

/* `to` has room for as wide a row. */
void chirr_image_copy(struct chirr_image *to, const struct chirr_image *from);

#endif
