/* Whose knowledge is held, how much it counts, and when to publish one's own.
 *
 * Per (origin, partition) the newest stamp is kept, so that a delta is applied once and never after
 * a newer one. Each origin's weight g = step × trust × staleness discount; the swarm layer knows
 * nothing of the model and carries deltas as bytes. Publishing is paced by a randomised token
 * account (Danner, Jelasity, "Token Account Algorithms: The Best of the Proactive and Reactive
 * Worlds", ICDCS 2018, section III): a token every interval, capacity `tokens_max`; spent
 * proactively with a probability that rises with the balance and with the learner's drift. */
#ifndef CHIRR_SWARM_LEDGER_H
#define CHIRR_SWARM_LEDGER_H

#include "base/arena.h"
#include "swarm/output.h"

struct chirr_ledger_config {
    chirr_agent_id self;
    uint64_t seed;
    uint64_t lineage; /* 0: no model, every delta is refused */
    uint64_t hosted;  /* bit p: partition p */
    uint32_t origins_max;
    uint32_t token_interval_ms;
    uint32_t tokens_max;
    uint32_t step_permille;  /* the whole swarm's g, shared among the origins held; see .c */
    uint32_t stale_after_ms; /* an origin silent for this long begins to fade */
};
struct chirr_ledger_config chirr_ledger_config_default(void);

struct chirr_ledger;

size_t chirr_ledger_bytes(const struct chirr_ledger_config *config);
struct chirr_ledger *chirr_ledger_create(struct chirr_arena *arena,
                                         const struct chirr_ledger_config *config,
                                         chirr_time_us now);

/* DELTA only. Outputs APPLY and, when weights shift, WEIGH. CHIRR_ERR_LINEAGE, CHIRR_ERR_STALE,
 * CHIRR_ERR_INVALID (a partition not hosted), CHIRR_ERR_FULL. */
CHIRR_NODISCARD enum chirr_err chirr_ledger_receive(struct chirr_ledger *ledger,
                                                    chirr_agent_id from,
                                                    const struct chirr_message *message,
                                                    chirr_time_us now);
void chirr_ledger_tick(struct chirr_ledger *ledger, chirr_time_us now);
chirr_time_us chirr_ledger_deadline(const struct chirr_ledger *ledger);
bool chirr_ledger_poll(struct chirr_ledger *ledger, struct chirr_output *output);

/* May a delta be published now? Spends a token when true. `drift_permille`: how much of the own
 * change is unpublished, relative to its norm. */
bool chirr_ledger_spend(struct chirr_ledger *ledger, uint32_t drift_permille, chirr_time_us now);

/* Takes an origin out: its g goes to 0 and nothing more of it is applied. */
void chirr_ledger_quarantine(struct chirr_ledger *ledger, chirr_agent_id origin);

struct chirr_ledger_counters {
    uint64_t applied, stale, other_lineage, not_hosted, refused_full, quarantined;
};
const struct chirr_ledger_counters *chirr_ledger_count(const struct chirr_ledger *ledger);
uint32_t chirr_ledger_origin_count(const struct chirr_ledger *ledger);

#endif
