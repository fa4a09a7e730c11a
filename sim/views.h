/* Whether the agents see the swarm as it is.
 *
 * With a full view: every agent takes every other for alive exactly when it is up and can be
 * reached. With a local view: every neighbour is up and can be reached, and while the network is
 * whole everybody is reached over neighbours of neighbours; the passive view is no claim to know
 * who lives. Of who stands still neither is asked, nor what others think of it.
 *
 * Inside the simulator; looks in and changes nothing. */
#ifndef CHIRR_SIM_VIEWS_H
#define CHIRR_SIM_VIEWS_H

#include "sim/world.h"

/* False: what the first agent that does not see rightly gets wrong, in `words`. */
bool chirr_sim_views_are_right(const struct chirr_sim_world *world, char *words, size_t bytes);

#endif
