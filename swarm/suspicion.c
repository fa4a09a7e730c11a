/* The dynamic suspicion timeout. */
#include "swarm/suspicion.h"

/* 1,000 · log(C + 1) / log(K + 1), by K and C. */
static const uint32_t fall_permille[CHIRR_SUSPICION_CONFIRMATIONS_MAX + 1]
                                   [CHIRR_SUSPICION_CONFIRMATIONS_MAX + 1] = {
                                       [0] = {1000},
                                       [1] = {0, 1000},
                                       [2] = {0, 631, 1000},
                                       [3] = {0, 500, 792, 1000},
};

void chirr_suspicion_begin(struct chirr_suspicion *suspicion, chirr_agent_id accuser,
                           uint32_t confirmer_count, chirr_time_us now)
{
    *suspicion = (struct chirr_suspicion){
        .since_us = now,
        .wanted = confirmer_count < CHIRR_SUSPICION_CONFIRMATIONS_MAX
                      ? confirmer_count
                      : CHIRR_SUSPICION_CONFIRMATIONS_MAX,
        .accuser_count = 1,
        .accusers = {accuser},
    };
}

bool chirr_suspicion_confirm(struct chirr_suspicion *suspicion, chirr_agent_id accuser)
{
    if (suspicion->accuser_count > suspicion->wanted) {
        return false;
    }
    for (uint32_t i = 0; i < suspicion->accuser_count; i++) {
        if (suspicion->accusers[i] == accuser) {
            return false;
        }
    }
    suspicion->accusers[suspicion->accuser_count++] = accuser;
    return true;
}

chirr_time_us chirr_suspicion_timeout_us(const struct chirr_suspicion *suspicion,
                                         struct chirr_suspicion_limits limits)
{
    CHIRR_ASSERT(suspicion->accuser_count >= 1);
    CHIRR_ASSERT(limits.max_us >= limits.min_us);
    uint32_t fall = fall_permille[suspicion->wanted][suspicion->accuser_count - 1];
    return limits.max_us - (limits.max_us - limits.min_us) * (chirr_time_us)fall / 1000;
}
