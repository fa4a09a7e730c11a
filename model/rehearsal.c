#include "model/rehearsal.h"

#include <string.h>

static size_t trace_bytes(const struct chirr_layout *layout)
{
    return chirr_arena_round(chirr_stream_trace_count(layout) * sizeof(chirr_real));
}

static size_t power_bytes(const struct chirr_layout *layout)
{
    return chirr_arena_round((size_t)2 * layout->rates * sizeof(chirr_real));
}

size_t chirr_rehearsal_bytes(const struct chirr_layout *layout,
                             const struct chirr_replay_config *replay)
{
    return chirr_replay_bytes(replay) + chirr_arena_round(CHIRR_REPLAY_STRETCH_BYTES) +
           2 * trace_bytes(layout) + 2 * power_bytes(layout);
}

bool chirr_rehearsal_init(struct chirr_rehearsal *rehearsal, struct chirr_arena *arena,
                          const struct chirr_layout *layout,
                          const struct chirr_replay_config *replay)
{
    *rehearsal = (struct chirr_rehearsal){
        .stretch = chirr_arena_take(arena, CHIRR_REPLAY_STRETCH_BYTES, 1),
        .traces = chirr_arena_take(arena, trace_bytes(layout), 1),
        .traces_start = chirr_arena_take(arena, trace_bytes(layout), 1),
        .powers = chirr_arena_take(arena, power_bytes(layout), 1),
        .powers_start = chirr_arena_take(arena, power_bytes(layout), 1),
        .read = CHIRR_REPLAY_STRETCH_BYTES,
    };
    return rehearsal->stretch != NULL && rehearsal->traces != NULL &&
           rehearsal->traces_start != NULL && rehearsal->powers != NULL &&
           rehearsal->powers_start != NULL && chirr_replay_init(&rehearsal->replay, arena, replay);
}

void chirr_rehearsal_reset(struct chirr_rehearsal *rehearsal)
{
    rehearsal->replay.open_bytes = 0;
    rehearsal->replay.stretches = 0;
    rehearsal->read = CHIRR_REPLAY_STRETCH_BYTES;
    rehearsal->drawn = 0;
    rehearsal->bytes = 0;
    rehearsal->due = 0;
}

void chirr_rehearsal_borrow(const struct chirr_rehearsal *rehearsal,
                            const struct chirr_stream *stream, struct chirr_stream *lent)
{
    CHIRR_ASSERT(stream->filled == 0);
    *lent = *stream;
    lent->position = rehearsal->bytes;
    lent->traces = rehearsal->traces;
    lent->traces_start = rehearsal->traces_start;
    lent->powers = rehearsal->powers;
    lent->powers_start = rehearsal->powers_start;
}

/* False while there is no past. */
static bool draw(struct chirr_rehearsal *r, const struct chirr_layout *layout)
{
    struct chirr_random random;
    chirr_random_init(&random, ~r->replay.config.seed, r->drawn);
    const uint8_t *bytes = chirr_replay_draw(&r->replay, &random, CHIRR_REPLAY_STRETCH_BYTES);
    if (bytes == NULL) {
        return false;
    }
    memcpy(r->stretch, bytes, CHIRR_REPLAY_STRETCH_BYTES);
    r->drawn++;
    r->read = 0;
    chirr_symbols_begin(&r->symbols);
    memset(r->traces, 0, trace_bytes(layout));
    memset(r->traces_start, 0, trace_bytes(layout));
    for (uint32_t k = 0; k < 2 * layout->rates; k++) {
        r->powers[k] = 1;
        r->powers_start[k] = 1;
    }
    return true;
}

uint32_t chirr_rehearsal_take(struct chirr_rehearsal *rehearsal, const struct chirr_layout *layout,
                              uint32_t count, const uint8_t **bytes)
{
    if (rehearsal->read == CHIRR_REPLAY_STRETCH_BYTES && !draw(rehearsal, layout)) {
        return 0;
    }
    uint64_t left = CHIRR_REPLAY_STRETCH_BYTES - rehearsal->read;
    uint32_t taken = count < left ? count : (uint32_t)left;
    *bytes = rehearsal->stretch + rehearsal->read;
    rehearsal->read += taken;
    rehearsal->bytes += taken;
    return taken;
}
