/* Which random stream is for what: one for each (agent, purpose), so that none disturbs another. */
#ifndef CHIRR_SIM_STREAMS_H
#define CHIRR_SIM_STREAMS_H

#include "base/random.h"

enum chirr_sim_stream {
    CHIRR_SIM_STREAM_IDENTITY,
    CHIRR_SIM_STREAM_DEVICE,
    CHIRR_SIM_STREAM_CLOCK,
    CHIRR_SIM_STREAM_NODE,
    CHIRR_SIM_STREAM_NETWORK,
    CHIRR_SIM_STREAM_TEXT,
    CHIRR_SIM_STREAM_SENSE,
    CHIRR_SIM_STREAM_JOB,
    CHIRR_SIM_STREAM_FAULT,
    CHIRR_SIM_STREAM_WORKLOAD,
    CHIRR_SIM_STREAM_PAUSE,
    CHIRR_SIM_STREAM_PAUSE_PLAN,
};

static inline void chirr_sim_stream_init(struct chirr_random *random, uint64_t seed, uint32_t owner,
                                         enum chirr_sim_stream purpose)
{
    chirr_random_init(random, seed, (uint64_t)owner << 8 | (uint64_t)purpose);
}

#endif
