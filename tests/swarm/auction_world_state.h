/* The inside of the auction world: auction_world.c is its loop, auction_world_faults.c what a test
 * does to it and sees of it. */
#ifndef CHIRR_TESTS_SWARM_AUCTION_WORLD_STATE_H
#define CHIRR_TESTS_SWARM_AUCTION_WORLD_STATE_H

#include "base/digest.h"
#include "tests/swarm/auction_world.h"

#define WORLD_EVENTS_MAX 20000

enum event_kind { EVENT_RECORD, EVENT_HEARTBEAT, EVENT_PRICE, EVENT_STATUS };

struct event {
    chirr_time_us at;
    uint64_t sequence;
    enum event_kind kind;
    uint32_t to;
    uint64_t life; /* incarnation of the receiver's process it is meant for; 0: any */
    union {
        struct chirr_record *record; /* owned */
        struct {
            uint32_t from;
            uint64_t incarnation, sequence;
        } heartbeat;
        struct chirr_price price;
        struct chirr_member_update status;
    };
};

struct world {
    struct world_config config;
    struct chirr_random random;
    chirr_time_us now;
    struct world_agent agents[WORLD_AGENTS_MAX];
    uint32_t task_count;
    struct world_task tasks[WORLD_TASKS_MAX];
    uint32_t start_count;
    struct world_start starts[WORLD_STARTS_MAX];
    uint32_t stop_count;
    uint64_t sequence;
    uint32_t event_count;
    struct event events[WORLD_EVENTS_MAX]; /* a binary heap by (at, sequence) */
    struct chirr_digest_state digest;
};

void world_push(struct world *world, struct event event);
chirr_time_us world_latency(struct world *world);
void world_create_agent(struct world *world, uint32_t index);
enum chirr_join world_join(struct world_agent *agent, const struct chirr_record *record);
/* Stamps, joins, shows and pushes a record of the agent's own. */
void world_state(struct world *world, uint32_t index, struct chirr_record *record);
/* Carries out all that the agent's auction wants. */
void world_pump(struct world *world, uint32_t index);

#endif
