/* What is still to be passed on, and how often.
 *
 * Source: SWIM, section 4.1: an update rides on about λ·log n messages, those told least first. An
 * item is the index of a slot; items with the same number of tellings left form a list, so that
 * choosing what comes next and counting it as told cost O(1) an item, however many members there
 * are. Among equals, first in is first out.
 *
 *     filled  ...0101     a bit for each list that is not empty
 *     lists   [2] 7 -> 3  slot 7, then slot 3, have two tellings left
 *
 * Internal to membership. Not thread-safe; no allocation after init. */
#ifndef CHIRR_SWARM_NEWS_H
#define CHIRR_SWARM_NEWS_H

#include "base/arena.h"

#define CHIRR_NEWS_TELLINGS_MAX 63
#define CHIRR_NEWS_NONE UINT32_MAX

struct chirr_news_item;

struct chirr_news_list {
    uint32_t first, last;
};

struct chirr_news {
    uint32_t capacity;
    uint32_t count; /* items with tellings left */
    uint64_t filled;
    struct chirr_news_list lists[CHIRR_NEWS_TELLINGS_MAX + 1]; /* by tellings left; [0] unused */
    struct chirr_news_item *items;                             /* [capacity] */
};

size_t chirr_news_bytes(uint32_t capacity);
CHIRR_NODISCARD enum chirr_err chirr_news_init(struct chirr_news *news, struct chirr_arena *arena,
                                               uint32_t capacity);

/* From now on `item` is to be told `times` times, 0…CHIRR_NEWS_TELLINGS_MAX, whatever was left. */
void chirr_news_set(struct chirr_news *news, uint32_t item, uint32_t times);
uint32_t chirr_news_left(const struct chirr_news *news, uint32_t item);

/* Told least so far, and what follows; CHIRR_NEWS_NONE at the end. */
uint32_t chirr_news_first(const struct chirr_news *news);
uint32_t chirr_news_next(const struct chirr_news *news, uint32_t item);

#endif
