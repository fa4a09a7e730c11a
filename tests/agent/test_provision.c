#include "agent/provision.h"

#include <criterion/criterion.h>

#define AGENTS_MAX 1200

/* Who an agent is told of at `agent_count`; how many. */
static uint32_t distances_of(uint32_t agent_count, uint32_t distances[CHIRR_PROVISION_SEEDS])
{
    uint32_t count = 0;
    uint32_t distance;
    while ((distance = chirr_provision_seed_distance(count, agent_count)) > 0) {
        cr_assert_lt(count, CHIRR_PROVISION_SEEDS, "of %u agents", agent_count);
        distances[count++] = distance;
    }
    return count;
}

Test(provision, seeds_are_distinct_others)
{
    uint32_t distances[CHIRR_PROVISION_SEEDS];
    for (uint32_t agents = 0; agents <= AGENTS_MAX; agents++) {
        uint32_t count = distances_of(agents, distances);
        for (uint32_t i = 0; i < count; i++) {
            cr_assert_lt(distances[i], agents, "seed %u of %u agents", i, agents);
            cr_assert(i == 0 ? distances[i] == 1 : distances[i] > distances[i - 1],
                      "seed %u of %u agents", i, agents);
        }
    }
}

Test(provision, behind_the_last_seed_there_is_none)
{
    uint32_t distances[CHIRR_PROVISION_SEEDS];
    for (uint32_t agents = 0; agents <= AGENTS_MAX; agents++) {
        for (uint32_t i = distances_of(agents, distances); i < 2 * CHIRR_PROVISION_SEEDS; i++) {
            cr_assert_eq(chirr_provision_seed_distance(i, agents), 0, "seed %u of %u", i, agents);
        }
        cr_assert_eq(chirr_provision_seed_distance(UINT32_MAX, agents), 0);
    }
}

Test(provision, of_few_agents_each_is_told_of_all_others_and_of_many_of_several)
{
    uint32_t distances[CHIRR_PROVISION_SEEDS];
    cr_assert_eq(distances_of(0, distances), 0);
    for (uint32_t agents = 1; agents <= CHIRR_PROVISION_SEEDS + 1; agents++) {
        cr_assert_eq(distances_of(agents, distances), agents - 1, "of %u agents", agents);
    }
    for (uint32_t agents = CHIRR_PROVISION_SEEDS + 2; agents <= AGENTS_MAX; agents++) {
        cr_assert_geq(distances_of(agents, distances), 3, "of %u agents", agents);
    }
}

/* The greatest number of hops from one agent to another, when a seed hears of who knows it as well.
 * Every agent sees the same graph, so one may stand for all. */
static uint32_t diameter_of(uint32_t agents)
{
    static uint32_t hops[AGENTS_MAX];
    static uint32_t queue[AGENTS_MAX];
    uint32_t distances[CHIRR_PROVISION_SEEDS];
    uint32_t seeds = distances_of(agents, distances);
    for (uint32_t i = 0; i < agents; i++) {
        hops[i] = UINT32_MAX;
    }
    uint32_t reached = 0;
    hops[0] = 0;
    queue[reached++] = 0;
    for (uint32_t at = 0; at < reached; at++) {
        for (uint32_t i = 0; i < 2 * seeds; i++) {
            uint32_t step = i < seeds ? distances[i] : agents - distances[i - seeds];
            uint32_t next = (queue[at] + step) % agents;
            if (hops[next] == UINT32_MAX) {
                hops[next] = hops[queue[at]] + 1;
                queue[reached++] = next;
            }
        }
    }
    cr_assert_eq(reached, agents);
    return hops[queue[reached - 1]];
}

Test(provision, from_every_agent_a_few_hops_of_seeds_lead_to_every_other)
{
    for (uint32_t agents = 1; agents <= AGENTS_MAX; agents++) {
        uint32_t most = agents <= 32 ? 3 : agents <= 243 ? 5 : 9;
        cr_assert_leq(diameter_of(agents), most, "%u hops among %u agents", diameter_of(agents),
                      agents);
    }
}
