/* Who is alive: SWIM.
 *
 * Source: Das, Gupta, Motivala, "SWIM: Scalable Weakly-consistent Infection-style Process Group
 * Membership Protocol", DSN 2002: random probing in rounds (section 3.1, 4.3), indirect probes
 * (3.1), suspicion with incarnation (4.2), news on the back of probes (4.1).
 * Deviations:
 *   - who exists is learned from cards (records), not from JOIN messages;
 *   - the dead go on being probed, rarely and with jitter, so that a healed partition rejoins;
 *   - whatever comes from an agent itself (heartbeats too) is a sign of life: it stands for the ACK
 *     that is awaited and holds off the end of a suspicion, which only a refutation lifts;
 *   - every message begins with the sender's own incarnation, and a probe or ACK goes on with what
 *     its receiver is held to be, so that the suspected and the dead learn it first-hand and refute
 *     (Dadgar, Phillips, Currey, "Lifeguard", DSN-W 2018, section IV-C);
 *   - who overslept its deadline by more than an interval accuses nobody for what it missed.
 *
 * News order by (incarnation, status), ALIVE < SUSPECT < DEAD < LEFT: what is not greater than
 * known is ignored. A machine of the usual five verbs. Handles PING, PING_REQUEST, ACK, GOSSIP,
 * HEARTBEAT. Outputs SEND, PUBLISH (gossip on "e/": what this agent itself found out is told at
 * once) and MEMBER (never lost: if a member changed twice before the poll, the last is told). Not
 * thread-safe; no allocation after create. */
#ifndef CHIRR_SWARM_MEMBERSHIP_H
#define CHIRR_SWARM_MEMBERSHIP_H

#include "base/arena.h"
#include "swarm/output.h"

struct chirr_membership_config {
    chirr_agent_id self;
    uint64_t incarnation; /* the first one; a refutation adds 1 */
    uint64_t seed;        /* of the random stream */
    uint32_t members_max; /* >= 1, without self */
    uint32_t probe_interval_ms;
    uint32_t probe_timeout_ms;   /* then indirect probes; less than the interval */
    uint32_t indirect_count;     /* k, 0…16 */
    uint32_t suspect_timeout_ms; /* from suspect to dead */
    uint32_t dead_probe_ms;      /* mean time between two probes of the dead */
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
 * incarnation than known revives the dead. Self is passed over. CHIRR_ERR_FULL: members_max, and
 * none of them has left. */
CHIRR_NODISCARD enum chirr_err chirr_membership_add(struct chirr_membership *membership,
                                                    chirr_agent_id agent, uint64_t incarnation,
                                                    chirr_time_us now);

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
uint32_t chirr_membership_count(const struct chirr_membership *membership);       /* without self */
/* Ascending by id; borrowed until the next input. */
const struct chirr_member *chirr_membership_at(const struct chirr_membership *membership,
                                               uint32_t index);
const struct chirr_member *chirr_membership_find(const struct chirr_membership *membership,
                                                 chirr_agent_id agent);
/* Self and everyone alive or suspect. */
bool chirr_membership_is_live(const struct chirr_membership *membership, chirr_agent_id agent);

struct chirr_membership_counters {
    uint64_t probes, indirect_probes, dead_probes;
    uint64_t suspicions;  /* raised here, not heard of */
    uint64_t deaths;      /* likewise */
    uint64_t refutations; /* of what was said about self */
    uint64_t strangers;   /* messages from, and news about, agents that are not known */
    uint64_t dropped;     /* messages that found the output queue full, and relays forgotten */
};
const struct chirr_membership_counters *
chirr_membership_count_events(const struct chirr_membership *membership);

#endif
