/* Inside the node: the configurations of its parts, derived from the node's own.
 *
 * Each part is given what they all share (self, limits, hosted partitions) and a seed of its own,
 * so that a draw in one part never shifts another's. */
#ifndef CHIRR_AGENT_NODE_PARTS_H
#define CHIRR_AGENT_NODE_PARTS_H

#include "agent/node.h"

enum chirr_node_stream {
    CHIRR_NODE_STREAM_SELF = 1,
    CHIRR_NODE_STREAM_MEMBERSHIP,
    CHIRR_NODE_STREAM_DISSEMINATION,
    CHIRR_NODE_STREAM_AUCTION,
    CHIRR_NODE_STREAM_LEDGER,
    CHIRR_NODE_STREAM_OVERLAY,
};

struct chirr_node_parts {
    struct chirr_records_config records;
    struct chirr_membership_config membership;
    struct chirr_overlay_config overlay;
    struct chirr_dissemination_config dissemination;
    struct chirr_lease_config lease;
    struct chirr_auction_config auction;
    struct chirr_ledger_config ledger;
    uint64_t self_seed; /* what the node itself draws from */
};

struct chirr_node_parts chirr_node_parts_of(const struct chirr_node_config *config);

#endif
