/* Hundreds of nodes with a local view on virtual time, from one seed.
 *
 * Messages take 1 to 20 ms and are lost now and then; a job takes a few hundred ms, and every agent
 * prices it a little differently. Whoever may be sent to is reached: what a node may know of others
 * is its own business here. */
#ifndef CHIRR_TESTS_AGENT_LOCAL_WORLD_H
#define CHIRR_TESTS_AGENT_LOCAL_WORLD_H

#include "agent/node.h"

struct local_world_config {
    uint64_t seed;
    uint32_t node_count;
    uint32_t agents_max; /* of each */
    uint32_t loss_permille;
    uint32_t workers_one_in; /* so many run tasks, one at a time; all may submit them */
};

struct local_world;

/* All nodes come up within two seconds; the first two are seeds of the others. */
struct local_world *local_world_create(const struct local_world_config *config);
void local_world_destroy(struct local_world *world);
void local_world_run(struct local_world *world, chirr_time_us duration);
/* For good. */
void local_world_kill(struct local_world *world, uint32_t index);

const struct chirr_node *local_world_node(const struct local_world *world, uint32_t index);
chirr_agent_id local_world_id(const struct local_world *world, uint32_t index);
chirr_task_id local_world_submit(struct local_world *world, uint32_t index);
/* The phase a task has at a node; 0: it is not known there. */
enum chirr_task_phase local_world_phase(const struct local_world *world, uint32_t index,
                                        chirr_task_id task);
/* Who runs it; node_count: nobody. */
uint32_t local_world_runner(const struct local_world *world, chirr_task_id task);
/* Jobs that were started, and how many of those were not stopped again. */
uint32_t local_world_starts(const struct local_world *world);
uint32_t local_world_finished(const struct local_world *world);
/* The live ones that the first live one reaches over active views. */
uint32_t local_world_reached(const struct local_world *world);
uint32_t local_world_live_count(const struct local_world *world);

#endif
