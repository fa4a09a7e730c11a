#include "tests/swarm/dissemination_agent.h"

#include <criterion/criterion.h>

#include "tests/support/sample.h"

void agent_create(struct agent *agent, const struct chirr_dissemination_config *config,
                  uint32_t node, uint64_t incarnation, chirr_time_us now)
{
    static const struct agent_swarm swarm = {.agent_count = NODES, .tasks_max = AGENT_TASKS_MAX};
    agent_create_among(agent, config, &swarm, node, incarnation, now);
}

void agent_create_among(struct agent *agent, const struct chirr_dissemination_config *base,
                        const struct agent_swarm *swarm, uint32_t node, uint64_t incarnation,
                        chirr_time_us now)
{
    const struct chirr_records_config store_config = {.agents_max = swarm->agent_count,
                                                      .tasks_max = swarm->tasks_max};
    struct chirr_membership_config membership = chirr_membership_config_default();
    membership.self = sample_agent(node);
    membership.members_max = swarm->agent_count;
    struct chirr_dissemination_config config = *base;
    config.self = sample_agent(node);
    chirr_arena_finish(&agent->arena);
    cr_assert_eq(chirr_arena_init(&agent->arena, chirr_records_bytes(&store_config) +
                                                     chirr_membership_bytes(&membership) +
                                                     chirr_dissemination_bytes(&config)),
                 CHIRR_OK);
    agent->store = chirr_records_create(&agent->arena, &store_config);
    agent->membership = chirr_membership_create(&agent->arena, &membership, now);
    agent->dissemination = chirr_dissemination_create(&agent->arena, &config, agent->store, now);
    cr_assert_not_null(agent->dissemination);
    agent->incarnation = incarnation;
    for (uint32_t i = 0; i < swarm->agent_count; i++) {
        cr_assert_eq(chirr_membership_add(agent->membership, sample_agent(i), 1, now), CHIRR_OK);
    }
    struct chirr_record card = sample_card(node);
    cr_assert_eq(chirr_dissemination_state(agent->dissemination, &card, incarnation, now),
                 CHIRR_OK);
}

void agent_take_changes(struct agent *agent)
{
    struct chirr_record record;
    while (chirr_dissemination_changed(agent->dissemination, &record)) {
    }
}

/* ---- On a mesh ------------------------------------------------------------------------------- */

void agents_receive(void *agents, uint32_t node, chirr_agent_id from,
                    const struct chirr_message *message, chirr_time_us now)
{
    struct agent *agent = &((struct agent *)agents)[node];
    cr_assert_eq(chirr_dissemination_receive(agent->dissemination, from, message, now), CHIRR_OK);
}

void agents_tick(void *agents, uint32_t node, chirr_time_us now)
{
    struct agent *agent = &((struct agent *)agents)[node];
    chirr_dissemination_tick(agent->dissemination, agent->membership, now);
}

chirr_time_us agents_deadline(void *agents, uint32_t node)
{
    return chirr_dissemination_deadline(((struct agent *)agents)[node].dissemination);
}

bool agents_poll(void *agents, uint32_t node, struct chirr_output *output)
{
    struct agent *agent = &((struct agent *)agents)[node];
    agent_take_changes(agent);
    return chirr_dissemination_poll(agent->dissemination, output);
}
