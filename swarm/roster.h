/* The table of members behind membership: who is known, in which status, what of it is still to be
 * told, and the order in which they are probed. No time of its own and no messages.
 *
 * Internal to membership. Not thread-safe. */
#ifndef CHIRR_SWARM_ROSTER_H
#define CHIRR_SWARM_ROSTER_H

#include "base/random.h"
#include "swarm/membership.h"

#define CHIRR_MEMBER_STATUS_COUNT (CHIRR_MEMBER_LEFT + 1)

struct chirr_roster_slot {
    struct chirr_member member;
    bool unreported;         /* a MEMBER output is due */
    uint32_t tellings;       /* how often its status is still to be passed on */
    chirr_time_us judged_us; /* a suspicion runs since */
    chirr_time_us probe_us;  /* of the dead: when to try again */
    chirr_time_us tried_us;  /* of the dead: last time */
};

struct chirr_roster {
    uint32_t capacity;
    uint32_t count;
    struct chirr_roster_slot *slots; /* [capacity], ascending by id */
    chirr_agent_id *round;           /* [capacity], the order of this round of probes */
    uint32_t round_at;               /* already probed in it */
    uint32_t status_count[CHIRR_MEMBER_STATUS_COUNT];
    uint32_t unreported_count;
    uint32_t news_count; /* slots with tellings left */
};

size_t chirr_roster_bytes(uint32_t capacity);
CHIRR_NODISCARD enum chirr_err chirr_roster_init(struct chirr_roster *roster,
                                                 struct chirr_arena *arena, uint32_t capacity);

/* Borrowed until the next add; NULL when unknown. */
struct chirr_roster_slot *chirr_roster_find(const struct chirr_roster *roster,
                                            chirr_agent_id agent);
bool chirr_roster_is_live(const struct chirr_roster_slot *slot);

/* A new member, alive and unreported. Who left is remembered, so that old news do not bring it
 * back, until its place is needed. NULL: full, and nobody has left. */
struct chirr_roster_slot *chirr_roster_add(struct chirr_roster *roster, struct chirr_random *random,
                                           const struct chirr_member *member);

/* Greater by (incarnation, status) than what is known? */
bool chirr_roster_is_news(const struct chirr_roster_slot *slot,
                          const struct chirr_member_update *update);

/* The one place that changes a status; `update` must be news. */
void chirr_roster_set(struct chirr_roster *roster, struct chirr_roster_slot *slot,
                      const struct chirr_member_update *update, chirr_time_us now);

/* From now on this member's status is passed on, about 3·log2(n) times. */
void chirr_roster_tell(struct chirr_roster *roster, struct chirr_roster_slot *slot);

/* Adds to `news` what `to` (0: everybody) is held to be, then what was told least so far, and
 * counts that as told. */
void chirr_roster_add_news(struct chirr_roster *roster, chirr_agent_id to,
                           struct chirr_member_updates *news);

/* Whom to probe next; NULL when nobody is live. */
struct chirr_roster_slot *chirr_roster_next(struct chirr_roster *roster,
                                            struct chirr_random *random);

/* A member whose change of status was not reported yet; false when there is none. */
bool chirr_roster_report(struct chirr_roster *roster, struct chirr_member_update *update);

#endif
