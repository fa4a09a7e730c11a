/* One agent of the dissemination tests: a record store and the machine round it, over a fixed view
 * of who is alive. */
#ifndef CHIRR_TESTS_SWARM_DISSEMINATION_AGENT_H
#define CHIRR_TESTS_SWARM_DISSEMINATION_AGENT_H

#include "swarm/dissemination.h"

#define NODES 8
#define AGENT_TASKS_MAX 1024

struct agent_swarm {
    uint32_t agent_count;
    uint32_t tasks_max;
};

struct agent {
    struct chirr_arena arena;
    struct chirr_record_store *store;
    struct chirr_membership *membership;
    struct chirr_dissemination *dissemination;
    uint64_t incarnation;
    uint64_t nonce;
};

/* A life of `node` among NODES, on the agent's arena; what a life before had there is gone. */
void agent_create(struct agent *agent, const struct chirr_dissemination_config *config,
                  uint32_t node, uint64_t incarnation, chirr_time_us now);
void agent_create_among(struct agent *agent, const struct chirr_dissemination_config *config,
                        const struct agent_swarm *swarm, uint32_t node, uint64_t incarnation,
                        chirr_time_us now);

/* Lets everything that changed be seen by nobody. */
void agent_take_changes(struct agent *agent);

/* What a mesh (tests/support/mesh.h) does with agents, by their numbers; `agents`, its context, is
 * or begins with an array of them. */
void agents_receive(void *agents, uint32_t node, chirr_agent_id from,
                    const struct chirr_message *message, chirr_time_us now);
void agents_tick(void *agents, uint32_t node, chirr_time_us now);
chirr_time_us agents_deadline(void *agents, uint32_t node);
bool agents_poll(void *agents, uint32_t node, struct chirr_output *output);

#endif
