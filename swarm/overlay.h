/* Whom to be connected to: HyParView.
 *
 * Source: Leitão, Pereira, Rodrigues, "HyParView: a membership protocol for reliable gossip-based
 * broadcast", DSN 2007: a small symmetric active view that is connected, a larger passive view to
 * replace it from (section 4.1), JOIN and FORWARD_JOIN (4.2), NEIGHBOUR requests (4.3), shuffles
 * (4.4).
 * Deviations:
 *   - below `mesh_below` live agents everybody is everybody's neighbour: with so few, views save
 *     nothing, and one hop is fastest;
 *   - a connection does not tell of its peer's death here, membership does;
 *   - cards travel signed, so a lie about where somebody can be reached is impossible;
 *   - symmetry is forced: whoever holds a neighbour that does not hold it back hears DISCONNECT
 *     when it says so, and asks again;
 *   - an agent that returns from the dead is asked to be a neighbour at once, so that the two
 *     halves of a healed partition grow together.
 *
 * Besides the neighbours there are unicast links, opened when something has to be sent to somebody
 * else and closed when idle. A machine of the usual five verbs. Handles VIEW; outputs SEND,
 * CONNECT, DISCONNECT. Not thread-safe; no allocation after create. */
#ifndef CHIRR_SWARM_OVERLAY_H
#define CHIRR_SWARM_OVERLAY_H

#include "base/arena.h"
#include "swarm/output.h"
#include "swarm/records.h"

struct chirr_overlay_config {
    chirr_agent_id self;
    uint64_t seed;                /* of the random stream */
    uint32_t agents_max;          /* known at all, without self */
    uint32_t active_max;          /* neighbours, 2…16 */
    uint32_t passive_max;         /* 1…64 */
    uint32_t mesh_below;          /* live agents, self included; 0: never a mesh; at most 64 */
    uint32_t links_max;           /* unicast links at once; the one idle longest makes room */
    uint32_t link_idle_ms;        /* then it is closed */
    uint32_t shuffle_interval_ms; /* the mean, jittered by a quarter */
    uint32_t request_timeout_ms;  /* a NEIGHBOUR or JOIN that stays unanswered is given up */
};
struct chirr_overlay_config chirr_overlay_config_default(void); /* 5, 30, 16 */
CHIRR_NODISCARD enum chirr_err
chirr_overlay_config_validate(const struct chirr_overlay_config *config, struct chirr_error *error);

struct chirr_overlay;

size_t chirr_overlay_bytes(const struct chirr_overlay_config *config);
/* `config` must be valid. Borrows `records` for its cards. NULL when the arena is too small. */
struct chirr_overlay *chirr_overlay_create(struct chirr_arena *arena,
                                           const struct chirr_overlay_config *config,
                                           const struct chirr_record_store *records,
                                           chirr_time_us now);

/* A card was joined, or given as a seed's; the own is passed over. One with new endpoints moves the
 * connections. CHIRR_ERR_FULL: agents_max; counted. */
CHIRR_NODISCARD enum chirr_err chirr_overlay_card(struct chirr_overlay *overlay,
                                                  chirr_agent_id agent,
                                                  const struct chirr_card *card, chirr_time_us now);
/* Membership found out. Who is DEAD or LEFT is no neighbour any more, but the dead stay reachable
 * by unicast, to be probed. */
void chirr_overlay_status(struct chirr_overlay *overlay, chirr_agent_id agent,
                          enum chirr_member_status status, chirr_time_us now);
/* Whose key was removed: forgotten, connections and all. */
void chirr_overlay_forget(struct chirr_overlay *overlay, chirr_agent_id agent);
/* Asks `contact`, whose card is known, to be taken in (a seed). */
void chirr_overlay_join(struct chirr_overlay *overlay, chirr_agent_id contact, chirr_time_us now);
/* DISCONNECT to every neighbour with the next outputs. */
void chirr_overlay_leave(struct chirr_overlay *overlay, chirr_time_us now);

/* CHIRR_ERR_INVALID: another kind of message, or one that contradicts itself. The cards in it are
 * the caller's to join in the record store first. */
CHIRR_NODISCARD enum chirr_err chirr_overlay_receive(struct chirr_overlay *overlay,
                                                     chirr_agent_id from,
                                                     const struct chirr_message *message,
                                                     chirr_time_us now);
void chirr_overlay_tick(struct chirr_overlay *overlay, chirr_time_us now);
chirr_time_us chirr_overlay_deadline(const struct chirr_overlay *overlay);
/* What it hands out is borrowed until the next input. */
bool chirr_overlay_poll(struct chirr_overlay *overlay, struct chirr_output *output);

/* Something is about to be sent to `to`: opens a unicast link if there is no connection, so that
 * `poll` hands out its CONNECT first. CHIRR_ERR_NOTFOUND: no card of it. */
CHIRR_NODISCARD enum chirr_err chirr_overlay_reach(struct chirr_overlay *overlay, chirr_agent_id to,
                                                   chirr_time_us now);

/* The active view, ascending by id; `change` is another number after every change of it. */
struct chirr_neighbours {
    uint32_t count;
    const chirr_agent_id *agents; /* borrowed until the next input */
    uint64_t change;
};
struct chirr_neighbours chirr_overlay_neighbours(const struct chirr_overlay *overlay);
bool chirr_overlay_is_neighbour(const struct chirr_overlay *overlay, chirr_agent_id agent);
bool chirr_overlay_is_mesh(const struct chirr_overlay *overlay);
uint32_t chirr_overlay_passive_count(const struct chirr_overlay *overlay);
uint32_t chirr_overlay_link_count(const struct chirr_overlay *overlay); /* unicast ones */

struct chirr_overlay_counters {
    uint64_t joins, forwards, shuffles, requests, refusals, disconnects; /* sent */
    uint64_t refused;                                                    /* cards without room */
    uint64_t dropped; /* messages that found the output queue full */
};
const struct chirr_overlay_counters *
chirr_overlay_count_events(const struct chirr_overlay *overlay);

#endif
