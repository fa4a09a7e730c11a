/* What the files of the node share: node.c (life, in, and time), node_output.c (the way out),
 * node_calls.c (local calls, and looking in). Internal to them. */
#ifndef CHIRR_AGENT_NODE_STATE_H
#define CHIRR_AGENT_NODE_STATE_H

#include "agent/acquaintance.h"
#include "agent/node.h"
#include "agent/node_parts.h"
#include "base/ring.h"
#include "swarm/budget.h"

/* Somebody's delta that was news here; goes on to all neighbours but the one it came from. */
struct chirr_node_relay {
    chirr_agent_id from;
    struct chirr_delta_message delta;
    uint8_t payload[CHIRR_DELTA_PAYLOAD_BYTES_MAX];
};

struct chirr_node {
    struct chirr_node_config config;
    chirr_agent_id self;

    struct chirr_record_store *records;
    struct chirr_membership *membership;
    struct chirr_overlay *overlay;
    struct chirr_dissemination *dissemination;
    struct chirr_leases *leases;
    struct chirr_auction *auction;
    struct chirr_ledger *ledger;
    struct chirr_acquaintance *acquaintance;

    chirr_time_us now; /* of the newest input */
    chirr_time_us heartbeat_at;
    uint64_t heartbeat_sequence;
    uint64_t task_nonce;
    uint64_t delta_version;
    struct chirr_learner_news news;
    bool leaving;
    chirr_time_us forget_at; /* local view: when to look for authors that fell silent */
    uint64_t silent_since;   /* joins that had changed the store at the last look */

    /* What is to be said next, each slot handed out at most once. */
    struct chirr_record current; /* borrowed by a PERSIST output */
    bool trust_due;              /* `current` was made durable, and is to be obeyed */
    bool heartbeat_due;
    bool extract_due;
    bool delta_due;
    struct chirr_message outgoing; /* borrowed by an output of the node itself */
    struct chirr_delta_message delta;
    uint8_t delta_payload[CHIRR_DELTA_PAYLOAD_BYTES_MAX];
    struct chirr_record own_card; /* borrowed by the message that introduces this agent */
    struct chirr_node_counters counters;

    /* The overlay's neighbours as the others were told of them. */
    chirr_agent_id neighbours[CHIRR_NEIGHBOURS_MAX];
    uint32_t neighbour_count;
    uint64_t neighbours_change;
    bool mesh;
    chirr_agent_id ask_next; /* the newest neighbour that was not asked what it knows; 0: none */
    chirr_time_us ask_at;

    struct chirr_output held; /* a SEND whose CONNECT goes first */
    bool holding;
    struct chirr_ring relays;      /* of struct chirr_node_relay: deltas to be passed on */
    struct chirr_node_relay relay; /* borrowed by a PUBLISH */
    struct chirr_budget relay_budget;
};

/* Begins an input and returns its time. A clock that is set back is held still; a message that
 * waited for its connection to be handed out is lost, since what it borrows ends here: who drives a
 * node drains it first. */
chirr_time_us chirr_node_begin(struct chirr_node *node, chirr_time_us now);
/* States `record` as self. */
CHIRR_NODISCARD enum chirr_err chirr_node_state_record(struct chirr_node *node,
                                                       struct chirr_record *record);
/* The holder of a card is known to membership and overlay from now on; false: no room. */
bool chirr_node_show_card(struct chirr_node *node, const struct chirr_record *record);
/* ---- node_local.c: with a local view ------------------------------------------------------- */

/* Room in the record store for what a message of `from` brings; 0: cards of anybody count. */
void chirr_node_make_room(struct chirr_node *node, chirr_agent_id from,
                          const struct chirr_record *records, uint32_t count);
/* Members that are in no view any more. */
void chirr_node_forget_strangers(struct chirr_node *node);
/* Authors of whom nothing was heard for long, and nothing lives. */
void chirr_node_forget_silent(struct chirr_node *node);

/* The neighbours changed: whoever works over them is told. */
void chirr_node_follow_neighbours(struct chirr_node *node);

#endif
