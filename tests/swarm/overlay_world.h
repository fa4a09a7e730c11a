/* Many overlays on a virtual network: latency, loss, crashes, partitions, from one seed.
 *
 * Stands in for what the other machines tell an overlay: cards spread within a second or two of a
 * start, deaths and revivals become known within some seconds (with a `local` view only to
 * neighbours). All share one record store that holds every card. Node i is sample_agent(i). */
#ifndef CHIRR_TESTS_SWARM_OVERLAY_WORLD_H
#define CHIRR_TESTS_SWARM_OVERLAY_WORLD_H

#include "swarm/overlay.h"

struct overlay_world_config {
    uint64_t seed;
    uint32_t count;
    bool local;
    uint32_t loss_permille;
};

struct overlay_world;

struct overlay_world *overlay_world_create(const struct overlay_world_config *config);
void overlay_world_destroy(struct overlay_world *world);

/* A node begins, or begins again with nothing: it joins by node 0 and, but for node 1, by node 1.
 */
void overlay_world_start(struct overlay_world *world, uint32_t node);
void overlay_world_crash(struct overlay_world *world, uint32_t node);
/* Says goodbye and goes down. */
void overlay_world_leave(struct overlay_world *world, uint32_t node);
/* Nodes below `first` hear only each other from now on, as do the others; 0: all hear all. */
void overlay_world_part(struct overlay_world *world, uint32_t first);
void overlay_world_run(struct overlay_world *world, chirr_time_us for_us);

struct chirr_overlay *overlay_world_at(struct overlay_world *world, uint32_t node);
bool overlay_world_is_up(const struct overlay_world *world, uint32_t node);

/* What is wrong with the graph of active views of those that are up; NULL: nothing. Every degree is
 * 1…chirr_overlay_active_most (in a mesh: all), every edge is held on both sides and has its link,
 * and whoever hears each other is connected. Static storage. */
const char *overlay_world_fault(struct overlay_world *world);
/* Runs until nothing is wrong; how long that took, or CHIRR_TIME_NEVER after `at_most_us`. */
chirr_time_us overlay_world_settle(struct overlay_world *world, chirr_time_us at_most_us);

/* Digest of all active views. */
uint64_t overlay_world_hash(const struct overlay_world *world);
uint64_t overlay_world_sent(const struct overlay_world *world); /* messages */

#endif
