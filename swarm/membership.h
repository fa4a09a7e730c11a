/* Who is alive: SWIM with Lifeguard.
 *
 * Sources: Das, Gupta, Motivala, "SWIM: Scalable Weakly-consistent Infection-style Process Group
 * Membership Protocol", DSN 2002: random probing in rounds (section 3.1, 4.3), indirect probes
 * (3.1), suspicion with incarnation (4.2), news on the back of probes (4.1). Dadgar, Phillips,
 * Currey, "Lifeguard: Local Health Awareness for More Accurate Failure Detection", DSN-W 2018:
 * awareness.h (section IV-A, with the NACKs of relay.h), suspicion.h (IV-B), and the buddy system
 * (IV-C): a probe tells its receiver what it is held to be, so that the suspected refute at once.
 * Deviations:
 *   - who exists is learned from cards (records), not from JOIN messages;
 *   - probes go to the neighbours of the overlay, and every few periods to one of the whole list,
 *     so that nobody escapes watching; a watched suspect goes first, which brings the independent
 *     confirmations within a period or two;
 *   - who has just started probes nobody for three intervals, nor, for at most ten, before one has
 *     passed without a newcomer: while a swarm gathers, who is silent has much to do;
 *   - what is heard for the first time is passed on at once to the neighbours, besides riding on
 *     probes;
 *   - the dead go on being probed for ever, with jitter, on one budget for all of them, so that a
 *     healed partition rejoins; while they return, faster;
 *   - who is told something that is known to be outdated corrects it in its answer, and tells the
 *     newer again; who holds somebody for a suspect while its own health keeps it from probing asks
 *     a neighbour each interval, so that a refutation that was missed is missed no longer than
 * that;
 *   - probes remind of who is not alive, in turn, for agents that were not there when it was news;
 *     an old death is told as a suspicion, so that whoever lives after all can refute it;
 *   - every message begins with the sender's own incarnation, so that it is known first-hand;
 *   - whatever comes from an agent itself (heartbeats too) is a sign of life: it stands for the ACK
 *     that is awaited, and with Lifeguard it holds off the end of a suspicion, which only a
 *     refutation lifts;
 *   - with Lifeguard, DEAD and LEFT are believed at once only of oneself. Of somebody live that
 *     others say it of they begin a suspicion, and end one as soon as the shortest is over: whoever
 *     lives has that time to refute, however many accusers a liar makes up (they are not signed);
 *   - an incarnation far beyond what its agent has proven, by a signed statement or by saying so
 *     itself, is not believed: a liar could else take the last one, above which nobody can refute;
 *   - with Lifeguard, who overslept its deadline by more than an interval accuses nobody for what
 *     it missed, and nobody is accused before its helpers were asked.
 *
 * News order by (incarnation, status), ALIVE < SUSPECT < DEAD < LEFT: what is not greater than
 * known is ignored. `now` is monotonic; a jump forwards is a pause of this process.
 *
 * A machine of the usual five verbs. Handles PING, PING_REQUEST, ACK, NACK, GOSSIP, HEARTBEAT.
 * Outputs SEND, PUBLISH (gossip on EAGER) and MEMBER (never lost: if a member changed twice before
 * the poll, the last is told). Not thread-safe; no allocation after create. */
#ifndef CHIRR_SWARM_MEMBERSHIP_H
#define CHIRR_SWARM_MEMBERSHIP_H

#include "base/arena.h"
#include "swarm/output.h"

#define CHIRR_WATCHED_MAX 64 /* neighbours */
/* Others believe an incarnation that is at most so far beyond the proven one: as many as a process
 * reserves at its start. Refutations, which add 1 each, do not get there; whoever is driven past
 * half of it states something anew. */
#define CHIRR_INCARNATION_LEAD_MAX UINT64_C(65536)

struct chirr_membership_config {
    chirr_agent_id self;
    uint64_t incarnation;    /* the first of this life, >= 1; a refutation adds 1 */
    uint64_t seed;           /* of the random stream */
    uint32_t members_max;    /* 1…CHIRR_DIGEST_ENTRIES_MAX, without self */
    uint32_t tombstones_max; /* DEAD and LEFT entries kept, >= 1; past it, and when a newcomer finds
                                the table full, who left first goes, then who is dead longest */
    uint32_t probe_interval_ms;
    uint32_t probe_timeout_ms;   /* then indirect probes; less than the interval */
    uint32_t sweep_every;        /* each such period probes one of all, not a neighbour; >= 1 */
    uint32_t indirect_count;     /* k, 0…16 */
    uint32_t suspect_timeout_ms; /* from suspect to dead, when confirmed by many */
    uint32_t suspect_factor;     /* that much longer for a lone accuser, 1…100 */
    uint32_t awareness_max;      /* S: intervals grow up to S + 1 times, 0…100 */
    uint32_t dead_probe_ms;      /* mean time between two probes of one of the dead */
    uint32_t dead_probes_max;    /* of all the dead in an interval, >= 1 */
    uint32_t gossip_delay_ms;    /* how long news wait for others to go along */
    bool lifeguard; /* false, to compare with: plain SWIM, without awareness, NACKs, dynamic
                       suspicion, buddies and the precautions above */
};
struct chirr_membership_config chirr_membership_config_default(void);
CHIRR_NODISCARD enum chirr_err
chirr_membership_config_validate(const struct chirr_membership_config *config,
                                 struct chirr_error *error);

struct chirr_membership;

size_t chirr_membership_bytes(const struct chirr_membership_config *config);
/* `config` must be valid. NULL when the arena is too small. */
struct chirr_membership *chirr_membership_create(struct chirr_arena *arena,
                                                 const struct chirr_membership_config *config,
                                                 chirr_time_us now);

/* An agent became known (its card was joined): alive unless news say otherwise. A greater
 * incarnation than known revives the dead and who left. Self is passed over. CHIRR_ERR_FULL:
 * members_max, and all of them are live. */
CHIRR_NODISCARD enum chirr_err chirr_membership_add(struct chirr_membership *membership,
                                                    chirr_agent_id agent, uint64_t incarnation,
                                                    chirr_time_us now);

/* Something signed by `agent` was taken in that it stated under this incarnation: rumours about it
 * are believed up to a bound beyond that. One of self's is a life before this one, whose
 * incarnation was greater: it continues above. Strangers are passed over. */
void chirr_membership_prove(struct chirr_membership *membership, chirr_agent_id agent,
                            uint64_t incarnation, chirr_time_us now);
/* Its key was removed: nothing is known of it any more, and no MEMBER says so. */
void chirr_membership_forget(struct chirr_membership *membership, chirr_agent_id agent);
/* The neighbours from now on, ascending; strangers among them are passed over until they are
 * known. `count` <= CHIRR_WATCHED_MAX. Without any, all members are probed in turn. */
void chirr_membership_watch(struct chirr_membership *membership, const chirr_agent_id *agents,
                            uint32_t count);

/* CHIRR_ERR_NOTFOUND: from a stranger; its PING is answered all the same. CHIRR_ERR_INVALID:
 * another kind of message, or a PING meant for another agent. */
CHIRR_NODISCARD enum chirr_err chirr_membership_receive(struct chirr_membership *membership,
                                                        chirr_agent_id from,
                                                        const struct chirr_message *message,
                                                        chirr_time_us now);
void chirr_membership_tick(struct chirr_membership *membership, chirr_time_us now);
chirr_time_us chirr_membership_deadline(const struct chirr_membership *membership);
bool chirr_membership_poll(struct chirr_membership *membership, struct chirr_output *output);

/* Says goodbye: tells LEFT with the next outputs. */
void chirr_membership_leave(struct chirr_membership *membership, chirr_time_us now);

struct chirr_member {
    chirr_agent_id agent;
    uint64_t incarnation;
    enum chirr_member_status status;
    chirr_time_us since_us; /* of this status */
    chirr_time_us heard_us; /* last sign of life */
};

uint64_t chirr_membership_incarnation(const struct chirr_membership *membership); /* own */
/* Lifeguard's local health: 0 (well) … awareness_max. */
uint32_t chirr_membership_awareness(const struct chirr_membership *membership);
uint32_t chirr_membership_count(const struct chirr_membership *membership); /* without self */
/* How many of them are of this status; kept, not counted. */
uint32_t chirr_membership_status_count(const struct chirr_membership *membership,
                                       enum chirr_member_status status);
/* Ascending by id; borrowed until the next input. */
const struct chirr_member *chirr_membership_at(const struct chirr_membership *membership,
                                               uint32_t index);
const struct chirr_member *chirr_membership_find(const struct chirr_membership *membership,
                                                 chirr_agent_id agent);
/* Self and everyone alive or suspect. */
bool chirr_membership_is_live(const struct chirr_membership *membership, chirr_agent_id agent);

struct chirr_membership_counters {
    uint64_t probes, indirect_probes, dead_probes;
    uint64_t inquiries;     /* of neighbours about suspects, between probes */
    uint64_t nacks;         /* sent for others */
    uint64_t suspicions;    /* raised here, not heard of */
    uint64_t confirmations; /* of suspicions, from here and elsewhere */
    uint64_t deaths;        /* found here, not heard of */
    uint64_t refutations;   /* of what was said about self */
    uint64_t verdicts;      /* of others on somebody live, that have to wait */
    uint64_t unproven;      /* news of an incarnation too far beyond the proven one: refused */
    uint64_t pauses;        /* overslept deadlines */
    uint64_t evictions;     /* of tombstones */
    uint64_t strangers;     /* messages from, and news about, agents that are not known */
    uint64_t dropped;       /* messages that found the output queue full, and relays forgotten */
    uint64_t unpushed;      /* news that found too many others waiting; they ride on probes alone */
    uint64_t unasked;       /* answers of helpers to no probe that runs */
    uint64_t misdirected;   /* probes of somebody else */
    uint64_t accusers;      /* of suspects, that are not live members, or the suspect itself */
};
const struct chirr_membership_counters *
chirr_membership_count_events(const struct chirr_membership *membership);

#endif
