/* Where node and learner meet: what the node wants becomes a request to the learner, what the
 * learner answers becomes an input of the node.
 *
 * Both sides are pure and know nothing of each other; the process puts two mailboxes between the
 * two halves of this, the simulator nothing. Pure functions. */
#ifndef CHIRR_AGENT_BRIDGE_H
#define CHIRR_AGENT_BRIDGE_H

#include "agent/learner.h"
#include "agent/node.h"

/* True when `output` is for the learner (PRICE, OUTCOME, APPLY, WEIGH, EXTRACT); then `request` is
 * filled in and borrows what `output` borrows. */
bool chirr_bridge_request(const struct chirr_node *node, const struct chirr_output *output,
                          struct chirr_learner_request *request);

/* Hands a PRICE or DELTA reply to the node; other kinds are not for it and are ignored.
 * An error is the node's: the reply was dropped. */
CHIRR_NODISCARD enum chirr_err chirr_bridge_reply(struct chirr_node *node,
                                                  const struct chirr_learner_reply *reply,
                                                  chirr_time_us now);

/* What the node is told of the learner's state. */
struct chirr_learner_news chirr_bridge_news(const struct chirr_learner_status *status);

#endif
