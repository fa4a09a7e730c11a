#include "model/replay.h"

#include <string.h>

#define STRETCH CHIRR_REPLAY_STRETCH_BYTES

struct chirr_replay_config chirr_replay_config_default(void)
{
    return (struct chirr_replay_config){.bytes = 64 * 1024};
}

size_t chirr_replay_bytes(const struct chirr_replay_config *config)
{
    return chirr_arena_round(config->bytes);
}

bool chirr_replay_init(struct chirr_replay *replay, struct chirr_arena *arena,
                       const struct chirr_replay_config *config)
{
    CHIRR_ASSERT(config->bytes >= 2 * STRETCH);
    *replay = (struct chirr_replay){
        .config = *config,
        .bytes = chirr_arena_take(arena, config->bytes, 1),
        .capacity = config->bytes / STRETCH - 1,
    };
    return replay->bytes != NULL;
}

/* Algorithm R: the n-th stretch takes the place of a random one with probability capacity / n. Its
 * random number is a function of n alone, so that there is no stream to be saved. */
static void keep_open_stretch(struct chirr_replay *replay)
{
    uint64_t place = replay->stretches;
    if (place >= replay->capacity) {
        struct chirr_random random;
        chirr_random_init(&random, replay->config.seed, replay->stretches);
        place = chirr_random_below(&random, replay->stretches + 1);
    }
    if (place < replay->capacity) {
        memcpy(replay->bytes + place * STRETCH, replay->bytes + replay->capacity * (size_t)STRETCH,
               STRETCH);
    }
    replay->stretches++;
    replay->open_bytes = 0;
}

void chirr_replay_add(struct chirr_replay *replay, const uint8_t *bytes, size_t count)
{
    uint8_t *open = replay->bytes + replay->capacity * (size_t)STRETCH;
    while (count > 0) {
        size_t room = STRETCH - (size_t)replay->open_bytes;
        size_t taken = count < room ? count : room;
        memcpy(open + replay->open_bytes, bytes, taken);
        replay->open_bytes += taken;
        bytes += taken;
        count -= taken;
        if (replay->open_bytes == STRETCH) {
            keep_open_stretch(replay);
        }
    }
}

void chirr_replay_cut(struct chirr_replay *replay)
{
    replay->open_bytes = 0;
}

const uint8_t *chirr_replay_draw(const struct chirr_replay *replay, struct chirr_random *random,
                                 size_t length)
{
    CHIRR_ASSERT(length >= 1);
    CHIRR_ASSERT(length <= STRETCH);
    uint64_t kept = replay->stretches < replay->capacity ? replay->stretches : replay->capacity;
    if (kept == 0) {
        return NULL;
    }
    size_t stretch = (size_t)chirr_random_below(random, kept);
    size_t offset = (size_t)chirr_random_below(random, STRETCH - length + 1);
    return replay->bytes + stretch * STRETCH + offset;
}
