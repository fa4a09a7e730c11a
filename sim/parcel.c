/* Size classes with free lists over one block that is cut from the front. */
#include "sim/parcel.h"

#include "proto/codec.h"

/* 512 B holds a probe; 2^9 … 2^19 holds CHIRR_RECORDS_MAX records and a full digest. */
#define CLASS_SHIFT_MIN 9
#define CLASS_COUNT 11
#define HEADER_BYTES ((size_t)64)

_Static_assert(sizeof(struct chirr_sim_parcel) <= HEADER_BYTES, "the header has its own line");

struct chirr_sim_post {
    uint8_t *block; /* [capacity] */
    size_t capacity;
    size_t used;
    struct chirr_sim_parcel *free[CLASS_COUNT];
    struct chirr_sim_post_counters counters;
};

size_t chirr_sim_post_bytes(size_t copies_bytes_max)
{
    return chirr_arena_round(sizeof(struct chirr_sim_post)) + chirr_arena_round(copies_bytes_max);
}

struct chirr_sim_post *chirr_sim_post_create(struct chirr_arena *arena, size_t copies_bytes_max)
{
    struct chirr_sim_post *post = chirr_arena_take(arena, 1, sizeof *post);
    if (post == NULL) {
        return NULL;
    }
    post->block = chirr_arena_take(arena, copies_bytes_max, 1);
    post->capacity = copies_bytes_max;
    return post->block == NULL ? NULL : post;
}

static struct chirr_sim_parcel *take(struct chirr_sim_post *post, uint32_t size_class)
{
    struct chirr_sim_parcel *parcel = post->free[size_class];
    if (parcel != NULL) {
        post->free[size_class] = parcel->next_free;
        return parcel;
    }
    size_t bytes = (size_t)1 << (CLASS_SHIFT_MIN + size_class);
    if (bytes > post->capacity - post->used) {
        return NULL;
    }
    parcel = (struct chirr_sim_parcel *)(void *)(post->block + post->used);
    post->used += bytes;
    return parcel;
}

struct chirr_sim_parcel *chirr_sim_post_wrap(struct chirr_sim_post *post,
                                             const struct chirr_message *message)
{
    size_t bytes = HEADER_BYTES + chirr_message_copy_bytes(message);
    uint32_t size_class = 0;
    while (size_class < CLASS_COUNT && (size_t)1 << (CLASS_SHIFT_MIN + size_class) < bytes) {
        size_class++;
    }
    struct chirr_sim_parcel *parcel = size_class < CLASS_COUNT ? take(post, size_class) : NULL;
    if (parcel == NULL) {
        post->counters.refused++;
        return NULL;
    }
    parcel->message = chirr_message_copy((uint8_t *)parcel + HEADER_BYTES, message);
    parcel->references = 1;
    parcel->size_class = size_class;
    parcel->wire_bytes = (uint32_t)chirr_codec_message_bytes(message);
    parcel->next_free = NULL;
    post->counters.made++;
    if (++post->counters.alive > post->counters.alive_max) {
        post->counters.alive_max = post->counters.alive;
    }
    return parcel;
}

void chirr_sim_post_hold(struct chirr_sim_parcel *parcel)
{
    parcel->references++;
}

void chirr_sim_post_release(struct chirr_sim_post *post, struct chirr_sim_parcel *parcel)
{
    CHIRR_ASSERT(parcel->references > 0);
    if (--parcel->references > 0) {
        return;
    }
    parcel->next_free = post->free[parcel->size_class];
    post->free[parcel->size_class] = parcel;
    post->counters.alive--;
}

const struct chirr_sim_post_counters *chirr_sim_post_count(const struct chirr_sim_post *post)
{
    return &post->counters;
}
