/* One agent as a process (or inside yours): event loop, learner thread, transport, store, executor.
 *
 * `create` opens everything and binds; `run` is the event loop and returns after `stop`. Other
 * threads, and signal handlers, may call `stop` alone. What runs in children is ended, with its
 * process group, before `destroy` returns. */
#ifndef CHIRR_AGENT_AGENT_H
#define CHIRR_AGENT_AGENT_H

#include "agent/config.h"

struct chirr_agent;

/* NULL and words in `error` on failure: nothing is left running then. `log` is borrowed. */
struct chirr_agent *chirr_agent_create(const struct chirr_agent_config *config,
                                       const struct chirr_log *log, struct chirr_error *error);
void chirr_agent_destroy(struct chirr_agent *agent);

/* Until `stop`, or until something failed that an agent cannot live without. */
CHIRR_NODISCARD enum chirr_err chirr_agent_run(struct chirr_agent *agent,
                                               struct chirr_error *error);
/* Safe from other threads and from signal handlers. */
void chirr_agent_stop(struct chirr_agent *agent);

/* For programs that embed an agent and drive it themselves: one turn of the loop, at most
 * `timeout_ms` long. CHIRR_ERR_CANCELLED after stop. */
CHIRR_NODISCARD enum chirr_err chirr_agent_turn(struct chirr_agent *agent, int timeout_ms,
                                                struct chirr_error *error);

chirr_agent_id chirr_agent_identity(const struct chirr_agent *agent);
/* Looking in, from the thread that runs the loop. */
const struct chirr_node *chirr_agent_node(const struct chirr_agent *agent);
/* Hands `count` bytes to the `feed:` sense of that name. CHIRR_ERR_FULL: the learner is behind,
 * hand them over again later; CHIRR_ERR_NOTFOUND: no such sense; CHIRR_ERR_RANGE: more than 4,096.
 */
CHIRR_NODISCARD enum chirr_err chirr_agent_feed(struct chirr_agent *agent, const char *sense,
                                                const uint8_t *bytes, size_t count);
/* Submits as this agent; durable when it returns. */
CHIRR_NODISCARD enum chirr_err chirr_agent_submit(struct chirr_agent *agent,
                                                  const struct chirr_task_spec *spec,
                                                  chirr_task_id *id);

#endif
