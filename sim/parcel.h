/* Messages under way: flattened copies, shared by all who will receive them.
 *
 * A publish makes one copy, however many subscribers it has; each event that carries it holds a
 * reference and the last one gives the memory back. Copies come from size classes (powers of two)
 * cut from one fixed block. Not thread-safe. */
#ifndef CHIRR_SIM_PARCEL_H
#define CHIRR_SIM_PARCEL_H

#include "base/arena.h"
#include "proto/message.h"

struct chirr_sim_parcel {
    const struct chirr_message *message; /* lives as long as the parcel */
    uint32_t references;
    uint32_t size_class;
    uint32_t wire_bytes; /* as the codec would encode it */
    struct chirr_sim_parcel *next_free;
};

struct chirr_sim_post;

struct chirr_sim_post_counters {
    uint64_t made;
    uint64_t refused;   /* no memory left for a copy */
    uint32_t alive;     /* parcels under way */
    uint32_t alive_max; /* high-water mark */
};

size_t chirr_sim_post_bytes(size_t copies_bytes_max);
/* `copies_bytes_max` bounds all copies together. NULL when the arena is too small. */
struct chirr_sim_post *chirr_sim_post_create(struct chirr_arena *arena, size_t copies_bytes_max);

/* Copies `message`, with one reference. NULL, counted, when no memory is left. */
struct chirr_sim_parcel *chirr_sim_post_wrap(struct chirr_sim_post *post,
                                             const struct chirr_message *message);
void chirr_sim_post_hold(struct chirr_sim_parcel *parcel);
/* Drops one reference. */
void chirr_sim_post_release(struct chirr_sim_post *post, struct chirr_sim_parcel *parcel);

const struct chirr_sim_post_counters *chirr_sim_post_count(const struct chirr_sim_post *post);

#endif
