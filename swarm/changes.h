/* Which records changed and were not shown round yet.
 *
 * Inside dissemination. Keys, not contents: of a record that changed twice the newest content is
 * shown, twice. A change that nobody hears of would be lost for ever, so when the queue is full
 * everything held is shown once more instead. Not thread-safe. */
#ifndef CHIRR_SWARM_CHANGES_H
#define CHIRR_SWARM_CHANGES_H

#include "base/ring.h"
#include "swarm/records.h"

/* A walk over everything held, one kind after the other. By id, since what is shown may change the
 * store meanwhile. */
struct chirr_changes_walk {
    enum chirr_record_kind kind; /* 0: over */
    uint64_t after;              /* the last author or task shown of this kind */
};

struct chirr_changes {
    struct chirr_ring queue;        /* of struct change */
    struct chirr_changes_walk walk; /* goes before the queue */
    uint64_t overflows;
};

size_t chirr_changes_bytes(uint32_t changes_max);
CHIRR_NODISCARD enum chirr_err chirr_changes_init(struct chirr_changes *changes,
                                                  struct chirr_arena *arena, uint32_t changes_max);

void chirr_changes_note(struct chirr_changes *changes, const struct chirr_record *record);
/* The next changed record, copied; false when there is none. */
bool chirr_changes_next(struct chirr_changes *changes, const struct chirr_record_store *store,
                        struct chirr_record *record);

#endif
