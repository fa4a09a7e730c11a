/* The local health multiplier. */
#include "swarm/awareness.h"

#include "base/error.h"

static void raise_score(struct chirr_awareness *awareness, uint32_t by)
{
    uint32_t room = awareness->score_max - awareness->score;
    awareness->score += by < room ? by : room;
}

void chirr_awareness_succeed(struct chirr_awareness *awareness)
{
    awareness->score -= awareness->score > 0;
}

void chirr_awareness_fail(struct chirr_awareness *awareness, uint32_t helpers_asked,
                          uint32_t helpers_answered)
{
    CHIRR_ASSERT(helpers_answered <= helpers_asked);
    raise_score(awareness, helpers_asked == 0 ? 1 : helpers_asked - helpers_answered);
}

void chirr_awareness_lag(struct chirr_awareness *awareness)
{
    raise_score(awareness, 1);
}

chirr_time_us chirr_awareness_scale(const struct chirr_awareness *awareness, chirr_time_us base_us)
{
    return base_us * ((chirr_time_us)awareness->score + 1);
}
