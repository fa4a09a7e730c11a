/* Leases: who runs a task keeps it as long as its heartbeat advances.
 *
 * Measured on the local monotonic clock since the owner's (incarnation, sequence) last advanced
 * here, so no two clocks are compared. Pure table; the auction asks it. */
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
struct chirr_leases *chirr_lease_create(struct chirr_arena *arena,
                                        const struct chirr_lease_config *config);

/* An owner's heartbeat came; counts only when (incarnation, sequence) advanced.
 * CHIRR_ERR_STALE: it did not. CHIRR_ERR_FULL: owners_max. */
CHIRR_NODISCARD enum chirr_err chirr_lease_renew(struct chirr_leases *leases, chirr_agent_id owner,
                                                 uint64_t incarnation, uint64_t sequence,
                                                 chirr_time_us now);

/* When what `owner` holds as `incarnation` expires. An owner never heard gets one lease from the
 * first question on; a greater incarnation heard since means that the old one's runs are gone: at
 * once. */
chirr_time_us chirr_lease_expiry(struct chirr_leases *leases, chirr_agent_id owner,
                                 uint64_t incarnation, chirr_time_us now);

#endif
