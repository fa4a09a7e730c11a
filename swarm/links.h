/* Connections: which there should be, which there are, and what is still to be done about it.
 *
 * A neighbour's link lasts until it is demoted; a unicast link is opened for whom something has to
 * be sent to and closed when idle. A link whose endpoints changed is closed and opened anew. No
 * messages and no views. Internal to the overlay. Not thread-safe. */
#ifndef CHIRR_SWARM_LINKS_H
#define CHIRR_SWARM_LINKS_H

#include "base/arena.h"
#include "swarm/output.h"

#define CHIRR_LINK_NONE ((enum chirr_link)0)

struct chirr_link_slot {
    chirr_agent_id agent;
    enum chirr_link wanted;
    enum chirr_link standing; /* what was handed out last */
    bool moved;               /* to be closed first: its endpoints changed */
    uint64_t endpoints;       /* their digest, as of the wish */
    chirr_time_us used_us;
};

struct chirr_links_config {
    uint32_t neighbours_max;
    uint32_t unicast_max;
};

struct chirr_links {
    struct chirr_links_config config;
    uint32_t capacity;
    uint32_t count;
    uint32_t unicast_count;        /* wanted */
    uint32_t open_count;           /* to be opened, or changed in kind */
    uint32_t close_count;          /* to be closed */
    uint64_t evictions;            /* unicast links closed for want of room */
    struct chirr_link_slot *slots; /* [capacity], ascending by agent */
};

size_t chirr_links_bytes(const struct chirr_links_config *config);
CHIRR_NODISCARD enum chirr_err chirr_links_init(struct chirr_links *links,
                                                struct chirr_arena *arena,
                                                const struct chirr_links_config *config);

/* NULL: none, not even one to be closed. Borrowed until the next change. */
const struct chirr_link_slot *chirr_links_find(const struct chirr_links *links,
                                               chirr_agent_id agent);

/* There should be a link of at least this kind; notes its use. The unicast link that was idle
 * longest makes room for another. CHIRR_ERR_FULL: too many that are not closed yet. */
CHIRR_NODISCARD enum chirr_err chirr_links_want(struct chirr_links *links, chirr_agent_id agent,
                                                enum chirr_link kind, uint64_t endpoints,
                                                chirr_time_us now);
void chirr_links_use(struct chirr_links *links, chirr_agent_id agent, chirr_time_us now);
/* A neighbour no longer: a unicast link is left, which idles away. */
void chirr_links_demote(struct chirr_links *links, chirr_agent_id agent, chirr_time_us now);
void chirr_links_drop(struct chirr_links *links, chirr_agent_id agent);
/* Its endpoints are these now. */
void chirr_links_move(struct chirr_links *links, chirr_agent_id agent, uint64_t endpoints);

/* Gives up the unicast links that were used last before `before_us`; returns the earliest use among
 * those left, CHIRR_TIME_NEVER when there are none. */
chirr_time_us chirr_links_expire(struct chirr_links *links, chirr_time_us before_us);

/* The next link to open, or to change in kind, which stands from now on; false: none. */
bool chirr_links_open(struct chirr_links *links, chirr_agent_id *agent, enum chirr_link *kind);
/* The next link to close; one that moved is to be opened again then. */
bool chirr_links_close(struct chirr_links *links, chirr_agent_id *agent);
/* Only those that moved: they are closed before anything is opened. */
bool chirr_links_close_moved(struct chirr_links *links, chirr_agent_id *agent);

#endif
