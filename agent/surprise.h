/* Where a text surprised a model most: its dearest stretches.
 *
 * Pure functions. */
#ifndef CHIRR_AGENT_SURPRISE_H
#define CHIRR_AGENT_SURPRISE_H

#include <stddef.h>
#include <stdint.h>

#define CHIRR_SURPRISE_BYTES 16 /* of a stretch */

struct chirr_surprise {
    size_t at;    /* offset in the text */
    size_t bytes; /* CHIRR_SURPRISE_BYTES, or the whole of a shorter text */
    size_t line;  /* from 1 */
    double bits;  /* per byte */
};

/* The stretches that cost most, dearest first; they do not overlap. Returns how many, at most
 * `count_max`. `each` are the bits of every byte. */
size_t chirr_surprise_find(const uint8_t *text, const float *each, size_t bytes,
                           struct chirr_surprise *found, size_t count_max);

/* The stretch between marks, with some of what stands around it, on one line of printable UTF-8. */
#define CHIRR_SURPRISE_TEXT_BYTES 512
void chirr_surprise_show(const uint8_t *text, size_t bytes, const struct chirr_surprise *surprise,
                         char shown[CHIRR_SURPRISE_TEXT_BYTES]);

#endif
