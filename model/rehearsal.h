/* Rehearsal: some updates of a byte sense learn again what it read before (replay.h).
 *
 * Source: experience replay as a remedy for forgetting; Rolnick et al., "Experience replay for
 * continual learning", NeurIPS 2019. A stretch is read from an empty past, chunk after chunk, so
 * that all but its first bytes have a context; it is copied out first, since its place may be taken
 * meanwhile. Activations are borrowed from the sense's own stream between two of its chunks: what
 * rehearsal keeps is the stretch and traces of its own. Not thread-safe: one owner. */
#ifndef CHIRR_MODEL_REHEARSAL_H
#define CHIRR_MODEL_REHEARSAL_H

#include "model/replay.h"
#include "model/stream.h"
#include "model/symbols.h"

struct chirr_rehearsal {
    struct chirr_replay replay;
    uint8_t *stretch;             /* [CHIRR_REPLAY_STRETCH_BYTES] that is read at present */
    chirr_real *traces;           /* [L][2K][D] */
    chirr_real *traces_start;     /* [L][2K][D] */
    chirr_real *powers;           /* [2K] */
    chirr_real *powers_start;     /* [2K] */
    uint64_t read;                /* bytes of the stretch */
    uint64_t drawn;               /* stretches ever; numbers their random streams */
    uint64_t bytes;               /* ever rehearsed */
    struct chirr_symbols symbols; /* where it stands */
    double due;                   /* updates, 0…1: one is made when it is whole */
};

size_t chirr_rehearsal_bytes(const struct chirr_layout *layout,
                             const struct chirr_replay_config *replay);

/* False when the arena is too small. */
bool chirr_rehearsal_init(struct chirr_rehearsal *rehearsal, struct chirr_arena *arena,
                          const struct chirr_layout *layout,
                          const struct chirr_replay_config *replay);

/* As after init: there is no past. */
void chirr_rehearsal_reset(struct chirr_rehearsal *rehearsal);

/* `lent` becomes the rehearsal's stream, at its place in the stretch, with the activations of the
 * sense's `stream`, whose chunk has just begun. */
void chirr_rehearsal_borrow(const struct chirr_rehearsal *rehearsal,
                            const struct chirr_stream *stream, struct chirr_stream *lent);

/* The next bytes to be read, at most `count`, 0 while there is no past; draws a stretch where the
 * present one is over. */
uint32_t chirr_rehearsal_take(struct chirr_rehearsal *rehearsal, const struct chirr_layout *layout,
                              uint32_t count, const uint8_t **bytes);

#endif
