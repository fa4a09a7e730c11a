/* How long a suspect has to refute: Lifeguard's dynamic suspicion timeout.
 *
 * Source: Dadgar, Phillips, Currey, "Lifeguard", DSN-W 2018, section IV-B:
 *
 *     timeout = max(min, max − (max − min) · log(C + 1) / log(K + 1))
 *
 * with C the accusers other than the first, each counted once, and K = 3. A lone accuser may be the
 * sick one, and waits; the first K confirmations are passed on, so that everybody's clock agrees.
 * Deviations:
 *   - K falls to the number of agents that could confirm at all, so that small swarms do not wait
 *     for accusers that do not exist;
 *   - min does not grow with log n: the paper's news ride on probes alone and need about log n
 *     periods, ours are pushed on at once;
 *   - the logarithms are a table in permille, since libm's differ between systems.
 *
 * Plain data of its owner; internal to membership. */
#ifndef CHIRR_SWARM_SUSPICION_H
#define CHIRR_SWARM_SUSPICION_H

#include "base/time.h"
#include "proto/message.h"

#define CHIRR_SUSPICION_CONFIRMATIONS_MAX 3 /* K */

struct chirr_suspicion_limits {
    chirr_time_us min_us;
    chirr_time_us max_us; /* >= min_us */
};

struct chirr_suspicion {
    chirr_time_us since_us;
    uint32_t wanted;        /* K of this suspicion, 0…CHIRR_SUSPICION_CONFIRMATIONS_MAX */
    uint32_t accuser_count; /* C + 1 */
    chirr_agent_id accusers[CHIRR_SUSPICION_CONFIRMATIONS_MAX + 1]; /* [accuser_count] */
};

/* `confirmer_count`: agents besides accuser and suspect that might agree. */
void chirr_suspicion_begin(struct chirr_suspicion *suspicion, chirr_agent_id accuser,
                           uint32_t confirmer_count, chirr_time_us now);

/* One more accuser; true when it counts: new, and among the first K. */
bool chirr_suspicion_confirm(struct chirr_suspicion *suspicion, chirr_agent_id accuser);

/* From `since_us` to the verdict. */
chirr_time_us chirr_suspicion_timeout_us(const struct chirr_suspicion *suspicion,
                                         struct chirr_suspicion_limits limits);

#endif
