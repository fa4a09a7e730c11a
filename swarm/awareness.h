/* How well this agent itself does: Lifeguard's local health multiplier.
 *
 * Source: Dadgar, Phillips, Currey, "Lifeguard: Local Health Awareness for More Accurate Failure
 * Detection", DSN-W 2018, section IV-A: a counter that saturates at 0 and S multiplies the probe
 * interval and the probe timeout by (counter + 1). A successful probe lowers it by one; a failed
 * probe, a NACK that did not come and a suspicion about oneself that had to be refuted raise it.
 * Who is slow gives others more time before it takes them for dead.
 * Deviation, as in memberlist: where helpers were asked, each that stayed silent counts in place of
 * the missed ACK, so that a probe which all helpers answered with NACK blames the target alone.
 *
 * Plain data of its owner; internal to membership. */
#ifndef CHIRR_SWARM_AWARENESS_H
#define CHIRR_SWARM_AWARENESS_H

#include "base/time.h"

struct chirr_awareness {
    uint32_t score; /* 0 (well) … score_max */
    uint32_t score_max;
};

void chirr_awareness_succeed(struct chirr_awareness *awareness);
/* `helpers_asked` >= `helpers_answered`, with an ACK or a NACK. */
void chirr_awareness_fail(struct chirr_awareness *awareness, uint32_t helpers_asked,
                          uint32_t helpers_answered);
/* Was suspected falsely, or noticed that it had stood still. */
void chirr_awareness_lag(struct chirr_awareness *awareness);

/* `base_us` · (score + 1). */
chirr_time_us chirr_awareness_scale(const struct chirr_awareness *awareness, chirr_time_us base_us);

#endif
