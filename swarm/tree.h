/* The broadcast tree over the neighbours: Plumtree.
 *
 * Source: Leitão, Pereira, Rodrigues, "Epidemic Broadcast Trees", SRDS 2007: eager push over the
 * branches of a tree, lazy announcements over the other links (section 3.2), branches that only
 * bring duplicates are pruned (3.3), a missing message grafts a link (3.4).
 * Deviations:
 *   - the receiver owns the branch. It moves its own subscription from pushed to announced and
 *     back, so there is no PRUNE message and nothing that a peer could prune of others;
 *   - one tree carries what all agents say, so a neighbour is pruned only after `prune_after`
 *     pushes in a row without a single first delivery, and the last eager one never;
 *   - a message is a statement, named by (author, stamp);
 *   - it is the announcement that waits for the push to overtake it, rather than who hears it:
 *     among many processes that share a machine announcements that nobody needs would be most of
 *     what a broadcast costs;
 *   - while much is being lost, an announcement is made twice, the second time to the eager too:
 *     their push may have been lost, and who listens eagerly to all its neighbours would otherwise
 *     hear of it from nobody;
 *   - a missing statement is asked for until the first three who announced it were asked four times
 *     each: at a loss of one in five, once is not enough;
 *   - a GRAFT for something that was seen here moves both ends of the link: where each end prunes
 * on its own, some are left to whom nobody listens.
 *
 * Knows no records: whoever drives it says what was seen. Inside dissemination; outputs LISTEN,
 * SEND (GRAFT) and PUBLISH (HAVE). Not thread-safe; no allocation after create. */
#ifndef CHIRR_SWARM_TREE_H
#define CHIRR_SWARM_TREE_H

#include "base/arena.h"
#include "swarm/output.h"

struct chirr_tree_config {
    uint32_t neighbours_max; /* 1…64 */
    uint32_t seen_max;       /* statements remembered, a power of two, 64…65,536 */
    uint32_t missing_max;    /* announced ones waited for at once, 1…1,024 */
    uint32_t prune_after;    /* >= 1 */
    uint32_t have_delay_ms;  /* announcements wait that long for the push, and for company */
    uint32_t have_repeat_ms; /* and are made once more after that, to all, while there is loss */
    uint32_t graft_delay_ms; /* the push gets that long after an announcement */
    uint32_t graft_retry_ms; /* then the next who announced it is asked */
};
struct chirr_tree_config chirr_tree_config_default(void);
CHIRR_NODISCARD enum chirr_err chirr_tree_config_validate(const struct chirr_tree_config *config,
                                                          struct chirr_error *error);

struct chirr_tree;

size_t chirr_tree_bytes(const struct chirr_tree_config *config);
/* `config` must be valid. NULL when the arena is too small. */
struct chirr_tree *chirr_tree_create(struct chirr_arena *arena,
                                     const struct chirr_tree_config *config);

/* The neighbours from now on, ascending by id. New ones are eager; more than neighbours_max: the
 * rest is left out. `mesh` says that all are each other's neighbours: then nothing is
 * announced or pruned. */
void chirr_tree_set_neighbours(struct chirr_tree *tree, const chirr_agent_id *agents,
                               uint32_t count, bool mesh);

/* Remembers a statement as seen; true when it was not. */
bool chirr_tree_see(struct chirr_tree *tree, const struct chirr_digest_entry *statement);
/* To be announced to whoever listens lazily. In a mesh nobody does. */
void chirr_tree_announce(struct chirr_tree *tree, const struct chirr_digest_entry *statement,
                         chirr_time_us now);
/* A push of `from` came: did it bring anything first? Strangers count for nothing. */
void chirr_tree_pushed(struct chirr_tree *tree, chirr_agent_id from, bool first);
/* A HAVE of `from`. */
void chirr_tree_announced(struct chirr_tree *tree, chirr_agent_id from,
                          const struct chirr_have *have, chirr_time_us now);

void chirr_tree_tick(struct chirr_tree *tree, chirr_time_us now);
chirr_time_us chirr_tree_deadline(const struct chirr_tree *tree);
/* Borrowed until the next input. */
bool chirr_tree_poll(struct chirr_tree *tree, struct chirr_output *output);

bool chirr_tree_is_eager(const struct chirr_tree *tree, chirr_agent_id neighbour);

/* Repair brought something that was missed here. */
void chirr_tree_lost(struct chirr_tree *tree);
/* A GRAFT of `from` came for something that was seen here: it missed that, and listens eagerly from
 * now on; so does this agent to it. */
void chirr_tree_grafted(struct chirr_tree *tree, chirr_agent_id from,
                        const struct chirr_have *have);

struct chirr_tree_counters {
    uint64_t prunes, grafts;
    uint64_t announced; /* statements, to the lazy, and again to all while there is loss */
    uint64_t asked;     /* statements, in GRAFTs */
    uint64_t given_up;  /* nobody of those who announced it sent it: left to the repair */
    uint64_t dropped;   /* announcements without room, either way, and those that a mesh ends */
    uint64_t strangers; /* statements announced by somebody who is no neighbour */
};
const struct chirr_tree_counters *chirr_tree_count(const struct chirr_tree *tree);

#endif
