/* What must hold in every run, whatever the network and the machines do to it.
 *
 *   at every event   no agent starts one (task, epoch) twice, nor more than its slots; every
 *                    message is valid; honest peers are not refused; a node comes to rest after an
 *                    input and its deadline moves on
 *   at every second  executor and node agree on how much runs; all weights are finite; nobody is
 *                    taken for an equivocator; after a fault all views are right again within
 *                    `bounds.views_ms` (views.h), and a local one stays within its limits; of two
 *                    neighbours that reach each other both hold the other for one, but for
 *                    `bounds.symmetry_ms`; nobody owns more links than the overlay is configured
 *                    for, and the simulator's own queues hold
 *   at the end       every accepted task is DONE or CANCELLED, unless it died with the only disk
 *                    that held it; agents that reach each other hold equal records, with a local
 *                    view none of a task that has not ended; where nothing was lost, cut or broken,
 *                    nothing was done twice, with a full view
 *
 * The first violation ends the run. Detection and agreement are measured on the way. */
#ifndef CHIRR_SIM_INVARIANTS_H
#define CHIRR_SIM_INVARIANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/time.h"
#include "proto/message.h"

struct chirr_sim_world;

struct chirr_sim_spans {
    uint32_t count;
    chirr_time_us sum_us;
    chirr_time_us max_us;
};

struct chirr_sim_invariants {
    bool violated;
    chirr_time_us violated_at;
    char violation[256];

    bool agreed;                      /* all views were right at a check since the last change */
    chirr_time_us changed_at;         /* who is up, or who reaches whom */
    chirr_time_us checked_at;         /* the last check */
    struct chirr_sim_spans detection; /* from a crash until nobody takes the agent for alive */
    struct chirr_sim_spans agreement; /* from a change until all views are right */

    chirr_time_us settled_after_us; /* of the closing phase */
    uint32_t excused_tasks;         /* died with the only disk that held them */
    uint32_t duplicate_completions;
    uint32_t one_sided_max; /* neighbours of which only one held the other, at one check */
    uint32_t links_max;     /* that one agent owned at a check */
    uint32_t members_max;   /* that one agent knew at a check */
    uint32_t authors_max;   /* of whom one agent held records at a check */
};

/* Notes the first violation; later ones are ignored. */
void chirr_sim_violate(struct chirr_sim_world *world, const char *format, ...) CHIRR_PRINTF(2, 3);

/* Somebody came up or went down now. */
void chirr_sim_invariants_changed(struct chirr_sim_world *world);
void chirr_sim_invariants_check(struct chirr_sim_world *world);

/* All tasks have ended everywhere, nothing runs, and who can talk holds the same records. */
bool chirr_sim_invariants_at_rest(const struct chirr_sim_world *world);
/* What the swarm says of a task: the greatest statement among all who are up. NULL: unknown. */
const struct chirr_record *chirr_sim_invariants_known(const struct chirr_sim_world *world,
                                                      chirr_task_id id);
void chirr_sim_invariants_check_end(struct chirr_sim_world *world);

#endif
