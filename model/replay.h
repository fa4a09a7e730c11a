/* A bounded memory of what a stream of bytes said: stretches that can be read again.
 *
 * The past is cut into stretches of equal length, and every stretch of the whole past has the same
 * chance of being in memory: reservoir sampling (Vitter, "Random sampling with a reservoir", ACM
 * TOMS 11, 1985, Algorithm R). A ring of the newest bytes forgets a text as soon as another one as
 * long as the ring has come, which is when its memory is wanted (docs/model.md, "Forgetting").
 *
 *   bytes  [ stretch 0 | stretch 1 | … | stretch n−1 | the open stretch ]
 *
 * Memory: from one arena at creation. Deterministic: what is kept is a function of the configured
 * seed and of the bytes' order, not of how they were handed over. Not thread-safe: one owner. */
#ifndef CHIRR_MODEL_REPLAY_H
#define CHIRR_MODEL_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/random.h"

#define CHIRR_REPLAY_STRETCH_BYTES 512

struct chirr_replay_config {
    uint32_t bytes; /* kept at most, at least 2 stretches: one of them is the open one */
    uint64_t seed;
};

struct chirr_replay {
    struct chirr_replay_config config;
    uint8_t *bytes;      /* [config.bytes] */
    uint32_t capacity;   /* whole stretches, without the open one */
    uint64_t open_bytes; /* in the open stretch */
    uint64_t stretches;  /* that were ever complete */
};

/* 64 KiB: 127 stretches and the open one. */
struct chirr_replay_config chirr_replay_config_default(void);

size_t chirr_replay_bytes(const struct chirr_replay_config *config);

/* False when the arena is too small. */
bool chirr_replay_init(struct chirr_replay *replay, struct chirr_arena *arena,
                       const struct chirr_replay_config *config);

void chirr_replay_add(struct chirr_replay *replay, const uint8_t *bytes, size_t count);

/* The stream was cut here: what is in the open stretch does not go on. It is dropped. */
void chirr_replay_cut(struct chirr_replay *replay);

/* `length` bytes that came one after the other, from a stretch and a place in it that `random`
 * chooses; borrowed until the next add. `length` is 1…CHIRR_REPLAY_STRETCH_BYTES. NULL, and nothing
 * drawn, while no stretch is complete. */
const uint8_t *chirr_replay_draw(const struct chirr_replay *replay, struct chirr_random *random,
                                 size_t length);

#endif
