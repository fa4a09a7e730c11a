/* Inside the node: whom this agent has heard of, and who still has to be told that it exists.
 *
 * A seed, or an agent that lost its disk, may not know this one; then it has no connection to it
 * and cannot answer. So the own card goes to every seed that is not met yet, and, one at a time, to
 * those who are heard but never sent anything here directly. Also keeps the last heartbeat of
 * everybody. Of the node's random streams it draws from its own. */
#ifndef CHIRR_AGENT_ACQUAINTANCE_H
#define CHIRR_AGENT_ACQUAINTANCE_H

#include "agent/node.h"

struct chirr_acquaintance;

size_t chirr_acquaintance_bytes(const struct chirr_node_config *config);
/* NULL when the arena is too small. The own card goes to the seeds of `config`. */
struct chirr_acquaintance *chirr_acquaintance_create(struct chirr_arena *arena,
                                                     const struct chirr_node_config *config,
                                                     uint64_t seed, chirr_time_us now);

/* `from` published a heartbeat that is newer than the last. With a full table a newcomer's is not
 * kept. */
void chirr_acquaintance_heard(struct chirr_acquaintance *acquaintance, chirr_agent_id from,
                              const struct chirr_heartbeat *heartbeat);
/* `from` sent something; who sends here directly has a connection, so it has this agent's card. */
void chirr_acquaintance_received(struct chirr_acquaintance *acquaintance, chirr_agent_id from,
                                 enum chirr_message_kind kind);

void chirr_acquaintance_tick(struct chirr_acquaintance *acquaintance,
                             const struct chirr_membership *membership, chirr_time_us now);
chirr_time_us chirr_acquaintance_deadline(const struct chirr_acquaintance *acquaintance);

/* The next one who is due to get the own card; 0 when there is none. */
chirr_agent_id chirr_acquaintance_introduce(struct chirr_acquaintance *acquaintance);

/* It was met by chance, and may not know this agent: it is due next, unless another is. */
void chirr_acquaintance_meet(struct chirr_acquaintance *acquaintance, chirr_agent_id agent);

/* No heartbeat of it is kept, and it is introduced to no more, seed or not. */
void chirr_acquaintance_forget(struct chirr_acquaintance *acquaintance, chirr_agent_id agent);

/* The last heartbeat heard of an agent; NULL when none. */
const struct chirr_heartbeat *
chirr_acquaintance_heartbeat(const struct chirr_acquaintance *acquaintance, chirr_agent_id agent);

#endif
