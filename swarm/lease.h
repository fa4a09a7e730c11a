/* Leases: who runs a task keeps it as long as its heartbeat advances.
 *
 * Measured on the local monotonic clock since the owner's (incarnation, sequence) last advanced
 * here, so no two clocks are compared. Heartbeats reach the overlay's neighbours alone; for all
 * others membership vouches, whose watchers hear them. Pure table; the auction asks it. Not
 * thread-safe.
 *
 * With a local view of the swarm most owners are known to nobody here. Who runs a task is watched
 * by those who know it (auction.h); the word of an agent that claims one counts for a while, which
 * is kept here too.
 *
 * `incarnation` is the one that the owner's process started with, in heartbeats as in tasks: a
 * refutation raises membership's and must not raise this one, or a mere rumour would end leases. */
#ifndef CHIRR_SWARM_LEASE_H
#define CHIRR_SWARM_LEASE_H

#include "base/arena.h"
#include "base/time.h"
#include "proto/message.h"

struct chirr_lease_config {
    uint32_t owners_max;
    uint32_t lease_ms;
};

struct chirr_leases;

size_t chirr_lease_bytes(const struct chirr_lease_config *config);

/* NULL when the arena is too small. */
struct chirr_leases *chirr_lease_create(struct chirr_arena *arena,
                                        const struct chirr_lease_config *config);

/* An owner's heartbeat came; counts only when (incarnation, sequence) advanced.
 * CHIRR_ERR_STALE: it did not. CHIRR_ERR_FULL: owners_max, and none of them has expired (else the
 * one that expired longest ago makes room). */
CHIRR_NODISCARD enum chirr_err chirr_lease_renew(struct chirr_leases *leases, chirr_agent_id owner,
                                                 uint64_t incarnation, uint64_t sequence,
                                                 chirr_time_us now);

/* Membership holds `owner` for alive though its heartbeats do not come here: what is heard of its
 * present incarnation goes on for another lease. No effect on who was never heard. */
void chirr_lease_vouch(struct chirr_leases *leases, chirr_agent_id owner, chirr_time_us now);

/* Something was said by `agent`, of whom membership knows nothing: its word counts for
 * CHIRR_LEASES_OF_A_WORD leases from now. Forgotten at once when there is no room. */
#define CHIRR_LEASES_OF_A_WORD 6
void chirr_lease_note_word(struct chirr_leases *leases, chirr_agent_id agent, chirr_time_us now);
chirr_time_us chirr_lease_length(const struct chirr_leases *leases);
/* Until when it counts; 0: nothing is known. */
chirr_time_us chirr_lease_word_until(const struct chirr_leases *leases, chirr_agent_id agent);

/* When what `owner` holds as `incarnation` expires; expired when not later than `now`. An owner
 * never heard (as this incarnation) gets one lease from the first question on; a greater
 * incarnation heard since means that the old one's runs are gone: at once. With no room to remember
 * the question, the answer is one lease from `now`: ask again. */
chirr_time_us chirr_lease_expiry(struct chirr_leases *leases, chirr_agent_id owner,
                                 uint64_t incarnation, chirr_time_us now);

#endif
