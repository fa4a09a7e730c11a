/* Whose knowledge is held, how much it counts, and when to publish one's own.
 *
 * Gossip brings a delta over several ways. Per (origin, partition) the newest stamp is kept and
 * which of the CHIRR_LEDGER_WINDOW versions before it came (as IPsec does against replays: RFC
 * 4303, section 3.4.3), so that each is applied once: all further copies are repeats, which is no
 * error. One that a newer one overtook is applied all the same, since each tells of other
 * coordinates, and the model orders them one by one; one from before the window is refused, since
 * nobody remembers whether it came. Each origin's weight g = step × trust × staleness discount; the
 * swarm layer knows nothing of the model and carries deltas as bytes. Publishing is paced by a
 * randomised token account (Danner, Jelasity, "Token Account Algorithms: The Best of the Proactive
 * and Reactive Worlds", ICDCS 2018, section III): a token every interval, capacity `tokens_max`;
 * spent proactively with a probability that rises with the balance and with the learner's drift.
 *
 * A full table makes room by forgetting the origin that has been silent longest, if that is longer
 * than `stale_after_ms`; else the newcomer is refused. Forgotten and quarantined origins get g = 0
 * first. A quarantined origin keeps its place, so that it stays out. Not thread-safe. */
#ifndef CHIRR_SWARM_LEDGER_H
#define CHIRR_SWARM_LEDGER_H

#include "base/arena.h"
#include "swarm/output.h"

struct chirr_ledger_config {
    chirr_agent_id self;
    uint64_t seed;
    uint64_t lineage;           /* 0: no model, every delta is refused */
    uint64_t hosted;            /* bit p: partition p */
    uint32_t origins_max;       /* no more than the learner holds; 0: every delta is refused */
    uint32_t token_interval_ms; /* >= 1 */
    uint32_t tokens_max;        /* >= 1 */
    uint32_t step_permille;     /* 0…10,000: the whole swarm's g, shared among the origins held */
    uint32_t g_permille_max;    /* 0…1,000: of one origin, however few there are */
    uint32_t stale_after_ms;    /* >= 1; an origin silent for this long begins to fade */
};
struct chirr_ledger_config chirr_ledger_config_default(void);
CHIRR_NODISCARD enum chirr_err
chirr_ledger_config_validate(const struct chirr_ledger_config *config, struct chirr_error *error);

/* The weight rule, pure: g = min(g_max, step / origins) × staleness discount, in permille, rounded
 * down. Step 2 and g_max 0.8 were measured to be best for three and six agents (docs/model.md,
 * "Does sharing help?"). The discount is 1 up to `stale_after_ms` of silence, then stale_after /
 * silence: it halves when the silence doubles. `origin_count` (>= 1) is the number of origins held
 * and not in quarantine, so that their weights never sum to more than the step. (Trust is 1, or 0
 * in quarantine.) */
uint32_t chirr_ledger_weight_permille(const struct chirr_ledger_config *config,
                                      uint32_t origin_count, chirr_time_us silence_us);

#define CHIRR_LEDGER_WINDOW 64

struct chirr_ledger;

size_t chirr_ledger_bytes(const struct chirr_ledger_config *config);
/* `config` must be valid. NULL when the arena is too small. */
struct chirr_ledger *chirr_ledger_create(struct chirr_arena *arena,
                                         const struct chirr_ledger_config *config,
                                         chirr_time_us now);

/* DELTA only, from whoever passed it on: whose it is its signature says, which was checked before.
 * Outputs APPLY and at once after it WEIGH: of the delta's origin (always, so that a
 * learner that had no place for it until now knows its g) and of those whose weight shifted.
 * CHIRR_OK for a repeat, too, without outputs. CHIRR_ERR_LINEAGE, CHIRR_ERR_STALE (from before the
 * window), CHIRR_ERR_INVALID (a partition not hosted, another kind of message), CHIRR_ERR_UNTRUSTED
 * (in quarantine), CHIRR_ERR_FULL (no room for another origin, or nobody polled): not applied, and
 * it may come again. */
CHIRR_NODISCARD enum chirr_err chirr_ledger_receive(struct chirr_ledger *ledger,
                                                    chirr_agent_id from,
                                                    const struct chirr_message *message,
                                                    chirr_time_us now);
/* It came before, or is this agent's own come back: to receive it is to count a repeat. */
bool chirr_ledger_is_repeat(const struct chirr_ledger *ledger,
                            const struct chirr_delta_message *delta);
void chirr_ledger_tick(struct chirr_ledger *ledger, chirr_time_us now);
chirr_time_us chirr_ledger_deadline(const struct chirr_ledger *ledger);
bool chirr_ledger_poll(struct chirr_ledger *ledger, struct chirr_output *output);

/* May a delta be published now? Spends a token when true. `drift_permille`: how much of the own
 * change is unpublished, relative to its norm; more than 1,000 counts as 1,000. True with the
 * probability balance / tokens_max × drift: no more than `tokens_max` in a burst, no more than one
 * an interval in the long run, never at drift 0. The probability is per question: ask at a steady
 * pace. */
bool chirr_ledger_spend(struct chirr_ledger *ledger, uint32_t drift_permille, chirr_time_us now);

/* Takes an origin out: its g goes to 0 and nothing more of it is applied. When the table is full
 * the origin silent longest makes room; when all of it is in quarantine this one is not remembered
 * (`quarantine_full`). */
void chirr_ledger_quarantine(struct chirr_ledger *ledger, chirr_agent_id origin);

struct chirr_ledger_counters {
    uint64_t applied, late; /* late: those of the applied that a newer one had overtaken */
    uint64_t repeats;       /* copies of what had been applied, and own ones come back */
    /* Refused: */
    uint64_t stale, other_lineage, not_hosted, refused_full, quarantined;
    uint64_t evicted;         /* origins forgotten for others */
    uint64_t quarantine_full; /* origins to be kept out that could not be remembered */
    uint64_t oversized;       /* refused: no delta, or a longer payload than one may have */
    uint64_t withheld;        /* of the applied: their origin was put into quarantine, or forgotten,
                                 before the learner had them */
};
const struct chirr_ledger_counters *chirr_ledger_count(const struct chirr_ledger *ledger);
/* Origins held, those in quarantine included. */
uint32_t chirr_ledger_origin_count(const struct chirr_ledger *ledger);

#endif
