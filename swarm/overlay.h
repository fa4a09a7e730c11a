/* Whom to be connected to: HyParView.
 *
 * Source: Leitão, Pereira, Rodrigues, "HyParView: a membership protocol for reliable gossip-based
 * broadcast", DSN 2007: a small symmetric active view that is connected, a larger passive view to
 * replace it from (section 4.1), JOIN and FORWARD_JOIN (4.2), NEIGHBOUR requests (4.3), shuffles
 * (4.4).
 * Deviations:
 *   - below `mesh_below` live agents everybody is everybody's neighbour: with so few, views save
 *     nothing, and one hop is fastest. It begins when nobody came or went for half a second (a
 *     newcomer to a thousand knows few at first) and ends a quarter above, or when more than that
 *     many stay for half a minute; surplus neighbours go one by one, the same ones on both sides;
 *   - two of the active view are the live agents next to oneself on the circle of ids, as in Chord
 *     (Stoica et al., SIGCOMM 2001): where everybody knows of everybody the active views are then
 *     connected by construction, not by chance, and grow together as soon as a partition has
 *     healed; the others are random, which keeps ways short;
 *   - five neighbours are looked for, but there is room for eight: of two hundred that start
 *     together, those that have found five would refuse the others or drive one another out, and
 *     every such attempt costs a handshake. For the same reason few are asked at once, fewer while
 *     many come, and those next to oneself on the circle only when it is quiet;
 *   - walks (FORWARD_JOIN) begin with a `local` view only: who soon knows everybody asks by itself;
 *   - a connection does not tell of its peer's death here, membership does; but who does not answer
 *     although it lives is replaced;
 *   - cards travel signed, so a lie about where somebody can be reached is impossible;
 *   - symmetry is forced: everybody repeats NEIGHBOUR to its neighbours, who ACCEPT if they hold it
 *     and else treat it as a new request, so a lost message heals;
 *   - an agent that returns from the dead is asked to be a neighbour at once, urgently;
 *   - requests that may not be refused make room a bounded number of times a second; the rest of a
 *     flood is refused with others to try;
 *   - with a full view of the swarm the passive view is drawn from everybody known, at no cost;
 *     shuffles are sent with a `local` view only, which works from these messages alone.
 *
 * Besides the neighbours there are unicast links, opened when something has to be sent to somebody
 * else and closed when idle. A machine of the usual five verbs. Handles VIEW; outputs SEND,
 * CONNECT, DISCONNECT. A second CONNECT changes the kind of a link that stands: to a neighbour's,
 * or back to a unicast one (what was sent before still goes out). Not thread-safe; no allocation
 * after create. */
#ifndef CHIRR_SWARM_OVERLAY_H
#define CHIRR_SWARM_OVERLAY_H

#include "base/arena.h"
#include "swarm/output.h"
#include "swarm/records.h"

struct chirr_overlay_config {
    chirr_agent_id self;
    uint64_t seed;         /* of the random stream */
    bool local;            /* most of the swarm is unknown: views come from walks */
    uint32_t agents_max;   /* known at all, without self */
    uint32_t active_max;   /* neighbours looked for, 2…16; see chirr_overlay_active_most */
    uint32_t passive_max;  /* 1…64 */
    uint32_t mesh_below;   /* live agents, self included; 0, or `local`: never a mesh; at most 64 */
    uint32_t links_max;    /* unicast links at once; the one idle longest makes room */
    uint32_t link_idle_ms; /* then it is closed */
    uint32_t shuffle_interval_ms; /* the mean, jittered by a quarter */
    uint32_t request_timeout_ms;  /* a NEIGHBOUR or JOIN that stays unanswered is given up */
};
struct chirr_overlay_config chirr_overlay_config_default(void); /* 5, 30, 16 */
CHIRR_NODISCARD enum chirr_err
chirr_overlay_config_validate(const struct chirr_overlay_config *config, struct chirr_error *error);

/* Neighbours that there is room for: half as many again, so that who asks need not be refused, and
 * who is taken in need not drive another out. */
uint32_t chirr_overlay_active_most(const struct chirr_overlay_config *config);

struct chirr_overlay;

size_t chirr_overlay_bytes(const struct chirr_overlay_config *config);
/* `config` must be valid. Borrows `records` for its cards. NULL when the arena is too small. */
struct chirr_overlay *chirr_overlay_create(struct chirr_arena *arena,
                                           const struct chirr_overlay_config *config,
                                           const struct chirr_record_store *records,
                                           chirr_time_us now);

/* A card was joined, or given as a seed's, which is copied until a record holds one; the own is
 * passed over. One with new endpoints moves the connections; one of somebody forgotten brings it
 * back. CHIRR_ERR_FULL: agents_max, or too many seeds; counted. */
CHIRR_NODISCARD enum chirr_err chirr_overlay_card(struct chirr_overlay *overlay,
                                                  chirr_agent_id agent,
                                                  const struct chirr_card *card, chirr_time_us now);
/* Membership found out. Who is DEAD or LEFT is no neighbour any more, but the dead stay reachable
 * by unicast, to be probed. */
void chirr_overlay_status(struct chirr_overlay *overlay, chirr_agent_id agent,
                          enum chirr_member_status status, chirr_time_us now);
/* Whose key was removed: forgotten, connections and all. */
void chirr_overlay_forget(struct chirr_overlay *overlay, chirr_agent_id agent, chirr_time_us now);
/* Asks `contact`, whose card is known, to be taken in (a seed), unless it has neighbours or another
 * was asked just now. Whoever has nobody, or has lost everybody, asks its last 16 contacts in turn,
 * for ever. */
void chirr_overlay_join(struct chirr_overlay *overlay, chirr_agent_id contact, chirr_time_us now);
/* DISCONNECT to every neighbour with the next outputs; deaf from then on. */
void chirr_overlay_leave(struct chirr_overlay *overlay, chirr_time_us now);

/* The cards in it are the caller's to join in the record store first (and, if that changed it, to
 * hand to chirr_overlay_card). CHIRR_ERR_INVALID: another kind of message, or one that contradicts
 * itself. CHIRR_ERR_NOTFOUND: from a stranger. CHIRR_ERR_UNTRUSTED: from somebody forgotten.
 * CHIRR_ERR_STATE: from somebody held dead, who has to come alive in membership first; an answer to
 * a question of one's own is heard all the same. CHIRR_ERR_STALE: an answer to nothing asked. All
 * of these are counted and change nothing. */
CHIRR_NODISCARD enum chirr_err chirr_overlay_receive(struct chirr_overlay *overlay,
                                                     chirr_agent_id from,
                                                     const struct chirr_message *message,
                                                     chirr_time_us now);
void chirr_overlay_tick(struct chirr_overlay *overlay, chirr_time_us now);
chirr_time_us chirr_overlay_deadline(const struct chirr_overlay *overlay);
/* What it hands out is borrowed until the next input. */
bool chirr_overlay_poll(struct chirr_overlay *overlay, struct chirr_output *output);
/* As `poll`, but only connections to be opened, and those to be closed before. */
bool chirr_overlay_poll_links(struct chirr_overlay *overlay, struct chirr_output *output);

/* Something is about to be sent to `to`: opens a unicast link if there is no connection, so that
 * `poll` hands out its CONNECT first; what was handed out before stays borrowed.
 * CHIRR_ERR_NOTFOUND: no card of it. CHIRR_ERR_FULL: too many links are still to be closed. */
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
/* In a view, asked to be, or a contact: whose card must not be forgotten. */
bool chirr_overlay_keeps(const struct chirr_overlay *overlay, chirr_agent_id agent);
/* Everybody live is a neighbour, and meant to be. */
bool chirr_overlay_is_mesh(const struct chirr_overlay *overlay);
uint32_t chirr_overlay_passive_count(const struct chirr_overlay *overlay);
uint32_t chirr_overlay_link_count(const struct chirr_overlay *overlay); /* unicast ones */

struct chirr_overlay_counters {
    uint64_t joins, forwards, shuffles, requests, refusals, disconnects; /* sent */
    uint64_t refused;                                                    /* cards without room */
    uint64_t evictions;     /* neighbours that made room for others */
    uint64_t held_off;      /* requests that may not be refused, but came too fast */
    uint64_t unanswered;    /* requests given up, and neighbours that fell silent */
    uint64_t strangers;     /* messages refused: see receive */
    uint64_t links_evicted; /* unicast links closed for want of room */
    uint64_t dropped;       /* messages that found the output queue full, or nobody's card */
    uint64_t inconsistent;  /* messages that contradict themselves */
    uint64_t walks_ended;   /* of somebody dead, forgotten or unknown, or begun here */
    uint64_t deaf;          /* messages to an agent that takes leave */
};
const struct chirr_overlay_counters *
chirr_overlay_count_events(const struct chirr_overlay *overlay);

#endif
