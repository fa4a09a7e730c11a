/* Whom to be connected to. In this version the full mesh: everybody who is not gone.
 *
 * Connects to a live member or one that is dead but still probed for its return, disconnects from
 * those that left. Pure bookkeeping between membership, cards and CONNECT / DISCONNECT outputs; a
 * card with new endpoints moves the connection. Who left keeps its place, should it come back,
 * until somebody else needs it. Not thread-safe; no allocation after create. */
#ifndef CHIRR_SWARM_OVERLAY_H
#define CHIRR_SWARM_OVERLAY_H

#include "base/arena.h"
#include "swarm/output.h"

struct chirr_overlay_config {
    chirr_agent_id self;
    uint32_t neighbours_max; /* >= 1, without self */
};

struct chirr_overlay;

size_t chirr_overlay_bytes(const struct chirr_overlay_config *config);
/* NULL when the arena is too small. */
struct chirr_overlay *chirr_overlay_create(struct chirr_arena *arena,
                                           const struct chirr_overlay_config *config);

/* A card was joined; the own is passed over. CHIRR_ERR_FULL: neighbours_max; counted. */
CHIRR_NODISCARD enum chirr_err chirr_overlay_card(struct chirr_overlay *overlay,
                                                  chirr_agent_id agent,
                                                  const struct chirr_card *card);
void chirr_overlay_status(struct chirr_overlay *overlay, chirr_agent_id agent,
                          enum chirr_member_status status);
/* CONNECT borrows its card until the next input. */
bool chirr_overlay_poll(struct chirr_overlay *overlay, struct chirr_output *output);

/* Connected, or about to be. */
uint32_t chirr_overlay_neighbour_count(const struct chirr_overlay *overlay);
bool chirr_overlay_is_neighbour(const struct chirr_overlay *overlay, chirr_agent_id agent);
uint64_t chirr_overlay_refused_count(const struct chirr_overlay *overlay);

#endif
