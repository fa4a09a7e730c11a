#include "model/image.h"

#include <string.h>

#define ROWS_FAR 1024

size_t chirr_image_bytes(uint32_t width)
{
    return chirr_arena_round(width);
}

bool chirr_image_init(struct chirr_image *image, struct chirr_arena *arena, uint32_t width,
                      uint32_t channels)
{
    *image = (struct chirr_image){.width = width, .channels = channels};
    image->above = chirr_arena_take(arena, width, 1);
    return image->above != NULL;
}

void chirr_image_begin(struct chirr_image *image)
{
    image->column = 0;
    image->row = 0;
    memset(image->above, 0, image->width);
    memset(image->above_left, 0, sizeof image->above_left);
}

static chirr_real centred(uint32_t value, uint32_t greatest)
{
    return greatest > 0 ? 2 * (chirr_real)value / (chirr_real)greatest - 1 : 0;
}

void chirr_image_inputs(const struct chirr_image *image, chirr_real *inputs)
{
    uint32_t channel = image->column % image->channels;
    uint32_t right = image->column + image->channels;
    uint32_t row = image->row < ROWS_FAR ? image->row : ROWS_FAR;
    inputs[0] = centred(image->column, image->width - 1);
    inputs[1] = centred(row, ROWS_FAR);
    inputs[2] = centred(channel, image->channels - 1);
    inputs[3] = centred(image->above_left[channel], UINT8_MAX);
    inputs[4] = centred(image->above[image->column], UINT8_MAX);
    inputs[5] = centred(right < image->width ? image->above[right] : 0, UINT8_MAX);
}

void chirr_image_take(struct chirr_image *image, uint8_t byte)
{
    image->above_left[image->column % image->channels] = image->above[image->column];
    image->above[image->column] = byte;
    if (++image->column == image->width) {
        image->column = 0;
        image->row++;
        memset(image->above_left, 0, sizeof image->above_left);
    }
}

void chirr_image_copy(struct chirr_image *to, const struct chirr_image *from)
{
    uint8_t *above = to->above;
    *to = *from;
    to->above = above;
    memcpy(above, from->above, from->width);
}
