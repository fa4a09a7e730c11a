/* Probes for others. */
#include "swarm/relay.h"

bool chirr_relays_open(struct chirr_relays *relays, const struct chirr_relay *relay,
                       chirr_time_us now)
{
    struct chirr_relay *slot = &relays->slots[relays->oldest];
    relays->oldest = (relays->oldest + 1) % CHIRR_RELAYS_MAX;
    bool free = slot->sequence == 0 || now >= slot->expiry_us;
    *slot = *relay;
    return free;
}

bool chirr_relays_close(struct chirr_relays *relays, chirr_agent_id target, uint32_t sequence,
                        struct chirr_relay *closed)
{
    for (uint32_t i = 0; i < CHIRR_RELAYS_MAX; i++) {
        struct chirr_relay *relay = &relays->slots[i];
        if (relay->sequence != 0 && relay->sequence == sequence && relay->target == target) {
            *closed = *relay;
            *relay = (struct chirr_relay){.sequence = 0};
            return true;
        }
    }
    return false;
}

void chirr_relays_forget(struct chirr_relays *relays, chirr_agent_id agent)
{
    for (uint32_t i = 0; i < CHIRR_RELAYS_MAX; i++) {
        struct chirr_relay *relay = &relays->slots[i];
        if (relay->origin == agent || relay->target == agent) {
            *relay = (struct chirr_relay){.sequence = 0};
        }
    }
}

chirr_time_us chirr_relays_deadline(const struct chirr_relays *relays)
{
    chirr_time_us at = CHIRR_TIME_NEVER;
    for (uint32_t i = 0; i < CHIRR_RELAYS_MAX; i++) {
        if (relays->slots[i].sequence != 0) {
            at = chirr_time_min(at, relays->slots[i].nack_us);
        }
    }
    return at;
}

bool chirr_relays_due(struct chirr_relays *relays, chirr_time_us now, struct chirr_relay *due)
{
    for (uint32_t i = 0; i < CHIRR_RELAYS_MAX; i++) {
        struct chirr_relay *relay = &relays->slots[i];
        if (relay->sequence != 0 && relay->nack_us <= now) {
            relay->nack_us = CHIRR_TIME_NEVER;
            *due = *relay;
            return true;
        }
    }
    return false;
}
