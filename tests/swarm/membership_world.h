/* Hundreds of membership machines on a virtual network, from one seed.
 *
 * Agent i is `sample_agent(i)`. Each has `degree` or a few more neighbours in a random symmetric
 * graph that stays as it is; what is published goes to them, what is sent goes to anybody. An agent
 * may crash, come back, stand still (its messages wait, up to a bound, and it ticks before it reads
 * them) or be on another side of a partition. */
#ifndef CHIRR_TESTS_SWARM_MEMBERSHIP_WORLD_H
#define CHIRR_TESTS_SWARM_MEMBERSHIP_WORLD_H

#include "swarm/membership.h"

struct world_config {
    uint64_t seed;
    uint32_t count;
    uint32_t degree; /* 0: everybody hears what is published, nobody is watched */
    uint32_t loss_permille;
    chirr_time_us latency_min_us, latency_max_us;
    struct chirr_membership_config membership;
};
/* 1…20 ms, no loss, five neighbours, default membership. */
struct world_config world_config_default(uint64_t seed, uint32_t count);

struct world;

struct world *world_create(const struct world_config *config);
void world_destroy(struct world *world);

chirr_time_us world_now(const struct world *world);
void world_run(struct world *world, chirr_time_us until_us);

struct chirr_membership *world_member(struct world *world, uint32_t agent);
void world_crash(struct world *world, uint32_t agent);
/* A new life, under that incarnation, which knows every card. */
void world_restart(struct world *world, uint32_t agent, uint64_t incarnation);
void world_pause(struct world *world, uint32_t agent, bool paused);
void world_leave(struct world *world, uint32_t agent);
void world_set_side(struct world *world, uint32_t agent, uint32_t side);
void world_set_loss(struct world *world, uint32_t permille);

/* How many of those that are up, other than itself, hold `of` in this status. */
uint32_t world_count_status(struct world *world, uint32_t of, enum chirr_member_status status);
/* Does everybody who is up hold everybody who is up for ALIVE, and everybody else not? */
bool world_is_agreed(struct world *world);

struct world_counters {
    uint64_t sent; /* messages, one for each receiver */
    uint64_t suspicions;
    uint64_t false_deaths; /* of those who were up, never stood still, and on the same side */
};
struct world_counters world_count(const struct world *world);

#endif
