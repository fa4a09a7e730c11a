#include "tests/swarm/dissemination_agent.h"

#include <criterion/criterion.h>

#include "tests/support/sample.h"

static const struct chirr_records_config store_config = {.agents_max = NODES,
                                                         .tasks_max = AGENT_TASKS_MAX};

void agent_create(struct agent *agent, const struct chirr_dissemination_config *base, uint32_t node,
                  uint64_t incarnation, chirr_time_us now)
{
    struct chirr_membership_config membership = chirr_membership_config_default();
    membership.self = sample_agent(node);
    membership.members_max = NODES;
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
    for (uint32_t i = 0; i < NODES; i++) {
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
