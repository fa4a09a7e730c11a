/* Lists of items by how often they are still to be told. */
#include "swarm/news.h"

struct chirr_news_item {
    uint32_t left; /* 0: in no list */
    uint32_t next, previous;
};

size_t chirr_news_bytes(uint32_t capacity)
{
    return chirr_arena_round(capacity * sizeof(struct chirr_news_item));
}

enum chirr_err chirr_news_init(struct chirr_news *news, struct chirr_arena *arena,
                               uint32_t capacity)
{
    *news = (struct chirr_news){.capacity = capacity};
    for (uint32_t left = 0; left <= CHIRR_NEWS_TELLINGS_MAX; left++) {
        news->lists[left] = (struct chirr_news_list){CHIRR_NEWS_NONE, CHIRR_NEWS_NONE};
    }
    news->items = chirr_arena_take(arena, capacity, sizeof *news->items);
    return news->items == NULL ? CHIRR_ERR_NOMEM : CHIRR_OK;
}

static void take_out(struct chirr_news *news, const struct chirr_news_item *item)
{
    struct chirr_news_list *list = &news->lists[item->left];
    if (item->previous == CHIRR_NEWS_NONE) {
        list->first = item->next;
    } else {
        news->items[item->previous].next = item->next;
    }
    if (item->next == CHIRR_NEWS_NONE) {
        list->last = item->previous;
    } else {
        news->items[item->next].previous = item->previous;
    }
    if (list->first == CHIRR_NEWS_NONE) {
        news->filled &= ~(UINT64_C(1) << item->left);
    }
    news->count--;
}

static void append(struct chirr_news *news, uint32_t index)
{
    struct chirr_news_item *item = &news->items[index];
    struct chirr_news_list *list = &news->lists[item->left];
    item->next = CHIRR_NEWS_NONE;
    item->previous = list->last;
    if (list->last == CHIRR_NEWS_NONE) {
        list->first = index;
    } else {
        news->items[list->last].next = index;
    }
    list->last = index;
    news->filled |= UINT64_C(1) << item->left;
    news->count++;
}

void chirr_news_set(struct chirr_news *news, uint32_t index, uint32_t times)
{
    CHIRR_ASSERT(index < news->capacity);
    CHIRR_ASSERT(times <= CHIRR_NEWS_TELLINGS_MAX);
    struct chirr_news_item *item = &news->items[index];
    if (item->left > 0) {
        take_out(news, item);
    }
    item->left = times;
    if (times > 0) {
        append(news, index);
    }
}

uint32_t chirr_news_left(const struct chirr_news *news, uint32_t index)
{
    CHIRR_ASSERT(index < news->capacity);
    return news->items[index].left;
}

/* The first item of the list with most tellings left, `most` at the most. */
static uint32_t first_within(const struct chirr_news *news, uint32_t most)
{
    while (most > 0 && (news->filled >> most & 1) == 0) {
        most--;
    }
    return most == 0 ? CHIRR_NEWS_NONE : news->lists[most].first;
}

uint32_t chirr_news_first(const struct chirr_news *news)
{
    return first_within(news, CHIRR_NEWS_TELLINGS_MAX);
}

uint32_t chirr_news_next(const struct chirr_news *news, uint32_t index)
{
    const struct chirr_news_item *item = &news->items[index];
    return item->next != CHIRR_NEWS_NONE ? item->next : first_within(news, item->left - 1);
}
