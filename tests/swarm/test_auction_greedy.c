/* The CBBA property: where everything stands still, the claims end as the sequential greedy
 * assignment (Choi, Brunet, How 2009, theorem 1), here made by a plain twin that knows all. */
#include <criterion/criterion.h>
#include <string.h>

#include "swarm/bundle.h"
#include "tests/swarm/auction_world.h"

#define S CHIRR_US_PER_S
#define MS CHIRR_US_PER_MS

struct twin {
    uint32_t owner[WORLD_TASKS_MAX]; /* agent, or UINT32_MAX */
    int64_t bid[WORLD_TASKS_MAX];
};

/* Sequential greedy assignment with everything known in one place: the greatest bid of all, again
 * and again; of equal ones the smaller agent id's, then the smaller task's. */
static void assign_greedily(struct world *world, const struct world_config *config,
                            const uint32_t *priority, struct twin *twin)
{
    int64_t free_us[WORLD_AGENTS_MAX][4] = {{0}};
    uint32_t held[WORLD_AGENTS_MAX] = {0};
    uint32_t count = world_task_count(world);
    memset(twin->owner, 0xff, sizeof twin->owner);
    for (;;) {
        uint32_t best_agent = UINT32_MAX, best_task = 0, best_slot = 0;
        int64_t best_bid = 0;
        for (uint32_t agent = 0; agent < config->agent_count; agent++) {
            uint32_t slot = 0;
            for (uint32_t i = 1; i < config->auction.slots; i++) {
                slot = free_us[agent][i] < free_us[agent][slot] ? i : slot;
            }
            for (uint32_t task = 0; task < count; task++) {
                if (twin->owner[task] != UINT32_MAX || held[agent] == config->auction.bundle_max) {
                    continue;
                }
                int64_t duration = (int64_t)world_task(world, task)->duration_us[agent];
                int64_t bid =
                    priority[task] * CHIRR_BUNDLE_PREMIUM_US - free_us[agent][slot] - duration;
                bool better = best_agent == UINT32_MAX || bid > best_bid;
                if (!better && bid == best_bid) {
                    chirr_agent_id id = world_agent(world, agent)->id;
                    chirr_agent_id best_id = world_agent(world, best_agent)->id;
                    better = id < best_id ||
                             (id == best_id &&
                              world_task(world, task)->id < world_task(world, best_task)->id);
                }
                if (better) {
                    best_agent = agent;
                    best_task = task;
                    best_slot = slot;
                    best_bid = bid;
                }
            }
        }
        if (best_agent == UINT32_MAX) {
            return;
        }
        twin->owner[best_task] = best_agent;
        twin->bid[best_task] = best_bid;
        held[best_agent]++;
        free_us[best_agent][best_slot] +=
            (int64_t)world_task(world, best_task)->duration_us[best_agent];
    }
}

static int64_t claimed_bid(struct world *world, uint32_t agent, chirr_task_id task)
{
    const struct chirr_record *record =
        chirr_records_claims(world_agent(world, 0)->records, world_agent(world, agent)->id);
    for (uint32_t i = 0; record != NULL && i < record->claims.count; i++) {
        if (record->claims.claims[i].task == task) {
            return record->claims.claims[i].bid;
        }
    }
    return INT64_MIN;
}

/* `grain_us`: durations are its multiples, so that a coarse one makes many ties. */
static void compare_with_twin(uint64_t seed, uint64_t grain_us)
{
    struct chirr_random random;
    chirr_random_init(&random, seed, 3);
    struct world_config config = world_config_default(seed);
    config.agent_count = 1 + (uint32_t)chirr_random_below(&random, 8);
    config.auction.slots = 1 + (uint32_t)chirr_random_below(&random, 3);
    config.auction.bundle_max = 1 + (uint32_t)chirr_random_below(&random, CHIRR_CLAIMS_MAX);
    config.auction.settle_ms = 3600000;
    config.loss_permille = (uint32_t)chirr_random_below(&random, 2) * 200;
    struct world *world = world_create(&config);
    uint32_t priority[WORLD_TASKS_MAX];
    uint32_t count = 1 + (uint32_t)chirr_random_below(&random, 40);
    for (uint32_t task = 0; task < count; task++) {
        priority[task] = (uint32_t)chirr_random_below(&random, 2);
        uint32_t submitter = (uint32_t)chirr_random_below(&random, config.agent_count);
        world_submit(world, submitter, (uint64_t)(9 * S), priority[task], NULL);
        for (uint32_t agent = 0; agent < config.agent_count; agent++) {
            uint64_t *duration_us = &world_task(world, task)->duration_us[agent];
            *duration_us = (*duration_us / grain_us + 1) * grain_us;
        }
        world_run(world, world_now(world) +
                             (chirr_time_us)chirr_random_below(&random, (uint64_t)(200 * MS)));
    }
    world_run(world, world_now(world) + 60 * S);
    cr_assert(world_converged(world), "seed %lu", seed);
    struct twin twin;
    assign_greedily(world, &config, priority, &twin);
    for (uint32_t task = 0; task < count; task++) {
        chirr_task_id id = world_task(world, task)->id;
        uint32_t owner = twin.owner[task];
        chirr_agent_id expected = owner == UINT32_MAX ? 0 : world_agent(world, owner)->id;
        for (uint32_t agent = 0; agent < config.agent_count; agent++) {
            cr_assert_eq(chirr_auction_winner(world_agent(world, agent)->auction, id), expected,
                         "seed %lu, task %u of %u", seed, task, count);
        }
        if (owner != UINT32_MAX) {
            cr_assert_eq(claimed_bid(world, owner, id), twin.bid[task], "seed %lu", seed);
        }
    }
    world_destroy(world);
}

Test(auction_greedy, a_static_instance_ends_as_the_sequential_greedy_assignment)
{
    for (uint64_t seed = 1; seed <= 150; seed++) {
        compare_with_twin(seed, 1);
    }
}

Test(auction_greedy, and_so_it_does_when_many_bids_are_equal)
{
    for (uint64_t seed = 1001; seed <= 1150; seed++) {
        compare_with_twin(seed, (uint64_t)(2 * S));
    }
}
