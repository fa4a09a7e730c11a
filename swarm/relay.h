/* Probes under way on behalf of others: what became of each PING_REQUEST.
 *
 * Sources: SWIM, section 3.1 (indirect probes); Lifeguard, section IV-A: a helper that has no
 * answer at 80% of the timeout says so with a NACK, so that silence tells its asker something about
 * the asker itself. Bounded; the oldest makes room.
 *
 * Plain data of its owner; internal to membership. */
#ifndef CHIRR_SWARM_RELAY_H
#define CHIRR_SWARM_RELAY_H

#include <stdbool.h>

#include "base/time.h"
#include "proto/message.h"

#define CHIRR_RELAYS_MAX 32

struct chirr_relay {
    uint32_t sequence; /* of the PING sent on behalf of `origin`; 0: none, or answered */
    uint32_t origin_sequence;
    chirr_agent_id origin;
    chirr_agent_id target;
    chirr_time_us nack_us;   /* when to say NACK; CHIRR_TIME_NEVER: never, or said */
    chirr_time_us expiry_us; /* then an answer is of no use to the origin */
};

struct chirr_relays {
    struct chirr_relay slots[CHIRR_RELAYS_MAX];
    uint32_t oldest;
};

/* False when one that still waited made room. */
bool chirr_relays_open(struct chirr_relays *relays, const struct chirr_relay *relay,
                       chirr_time_us now);

/* `target` answered the PING of that sequence: false when nobody asked for it (any more). */
bool chirr_relays_close(struct chirr_relays *relays, chirr_agent_id target, uint32_t sequence,
                        struct chirr_relay *closed);

/* Forgets what was asked by or about `agent`. */
void chirr_relays_forget(struct chirr_relays *relays, chirr_agent_id agent);

/* When the next NACK is due. */
chirr_time_us chirr_relays_deadline(const struct chirr_relays *relays);
/* One whose NACK is due now, handed out once; false when there is none. */
bool chirr_relays_due(struct chirr_relays *relays, chirr_time_us now, struct chirr_relay *due);

#endif
