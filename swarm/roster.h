/* The table of members behind membership: who is known, in which status, since when it is suspected
 * and by whom, what of it is still to be told, and the order in which members are probed. No clock
 * of its own and no messages.
 *
 * A member stays in one slot as long as it is known; what is sorted and shuffled are indices:
 *
 *     slots  | c | - | a | b |     where a member stays
 *     ranks  | 2 | 3 | 0 |         slots ascending by id, with the ids, [count]
 *     round  | 0 | 2 | 3 |         slots in the order of probing, [count]
 *
 * The dead and those who left are remembered, so that old news do not bring them back and the dead
 * can be probed; both are tombstones. Internal to membership. Not thread-safe. */
#ifndef CHIRR_SWARM_ROSTER_H
#define CHIRR_SWARM_ROSTER_H

#include "base/random.h"
#include "swarm/membership.h"
#include "swarm/news.h"
#include "swarm/schedule.h"
#include "swarm/suspicion.h"

#define CHIRR_MEMBER_STATUS_COUNT (CHIRR_MEMBER_LEFT + 1)

struct chirr_roster_slot {
    struct chirr_member member;       /* agent 0: the slot is free */
    struct chirr_suspicion suspicion; /* while SUSPECT */
    chirr_time_us tried_us;           /* of the dead: the last probe; no less than death */
    uint64_t proven;                  /* the greatest incarnation known from the member itself */
    enum chirr_member_status verdict; /* of a SUSPECT: what others say it is by now; 0: nothing */
};

struct chirr_roster_rank {
    chirr_agent_id agent;
    uint32_t slot;
};

struct chirr_roster {
    uint32_t capacity;
    uint32_t count;
    struct chirr_roster_slot *slots; /* [capacity] */
    struct chirr_roster_rank *ranks; /* [count] */
    uint32_t *round;                 /* [count] */
    uint32_t round_at;               /* already probed in this round */
    uint32_t dead_at;                /* where in `round` the search for the dead goes on */
    uint32_t *free_slots;            /* [capacity - count] */
    uint32_t status_count[CHIRR_MEMBER_STATUS_COUNT];
    struct chirr_news news;         /* statuses still to be told */
    struct chirr_news reminders;    /* who is not ALIVE, each in its turn */
    struct chirr_news reports;      /* MEMBER outputs that are due, once each */
    struct chirr_schedule verdicts; /* when suspects are buried */
};

size_t chirr_roster_bytes(uint32_t capacity);
CHIRR_NODISCARD enum chirr_err chirr_roster_init(struct chirr_roster *roster,
                                                 struct chirr_arena *arena, uint32_t capacity);

/* Valid until the member is forgotten; NULL when unknown. */
struct chirr_roster_slot *chirr_roster_find(const struct chirr_roster *roster,
                                            chirr_agent_id agent);
/* Ascending by id; `rank` < count. */
struct chirr_roster_slot *chirr_roster_at(const struct chirr_roster *roster, uint32_t rank);
bool chirr_roster_is_live(const struct chirr_roster_slot *slot);
uint32_t chirr_roster_live_count(const struct chirr_roster *roster);

/* A new member, unreported. NULL: full; chirr_roster_evict() may make room. */
struct chirr_roster_slot *chirr_roster_add(struct chirr_roster *roster, struct chirr_random *random,
                                           const struct chirr_member *member);
void chirr_roster_forget(struct chirr_roster *roster, struct chirr_roster_slot *slot);

uint32_t chirr_roster_tombstone_count(const struct chirr_roster *roster);
/* Forgets one tombstone: of those who left the one that did so first, else who is dead longest. Who
 * is live, or was not reported yet, stays. False: no such. */
bool chirr_roster_evict(struct chirr_roster *roster);

/* Greater by (incarnation, status) than what is known? */
bool chirr_roster_is_news(const struct chirr_roster_slot *slot,
                          const struct chirr_member_update *update);

/* The one place that changes a status; `update` must be news. Its verdict is the caller's. */
void chirr_roster_set(struct chirr_roster *roster, struct chirr_roster_slot *slot,
                      const struct chirr_member_update *update, chirr_time_us now);
/* When the suspect is buried. */
void chirr_roster_set_verdict(struct chirr_roster *roster, const struct chirr_roster_slot *slot,
                              chirr_time_us at);
/* The suspect whose verdict is due; NULL. */
struct chirr_roster_slot *chirr_roster_due(const struct chirr_roster *roster, chirr_time_us now);

/* From now on this member's status is passed on, about 3·log2(n) times. */
void chirr_roster_tell(struct chirr_roster *roster, const struct chirr_roster_slot *slot);
bool chirr_roster_is_told(const struct chirr_roster *roster, const struct chirr_roster_slot *slot);

/* Adds what was told least so far, `except` (NULL: nobody) left out, and counts it as told. */
void chirr_roster_add_news(struct chirr_roster *roster, const struct chirr_roster_slot *except,
                           struct chirr_member_updates *news);
/* Adds a few of those who are not ALIVE, each in its turn, `except` left out. A death is told as a
 * suspicion by `teller`: it may be outdated, and whoever is alive after all shall have the time to
 * refute. */
void chirr_roster_remind(struct chirr_roster *roster, const struct chirr_roster_slot *except,
                         chirr_agent_id teller, struct chirr_member_updates *news);
/* Adds the suspects, each in its turn, `except` left out. */
void chirr_roster_add_suspects(struct chirr_roster *roster, const struct chirr_roster_slot *except,
                               struct chirr_member_updates *news);
/* What is known of this member, as it is told: a suspect's accusers take turns, and a verdict on it
 * is passed on before it is believed here. */
struct chirr_member_update chirr_roster_update(const struct chirr_roster *roster,
                                               const struct chirr_roster_slot *slot);

/* Whom to probe next; NULL when nobody is live. */
struct chirr_roster_slot *chirr_roster_next(struct chirr_roster *roster,
                                            struct chirr_random *random);
/* One of the dead that was not tried since `before_us`, each in its turn; NULL. */
struct chirr_roster_slot *chirr_roster_next_dead(struct chirr_roster *roster,
                                                 chirr_time_us before_us);

/* A member whose change of status was not reported yet; false when there is none. */
bool chirr_roster_report(struct chirr_roster *roster, struct chirr_member_update *update);

#endif
