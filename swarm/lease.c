/* A sorted table of owners: the newest sign of work of each, and when it came. */
#include "swarm/lease.h"

#include <string.h>

struct lease {
    chirr_agent_id owner;
    uint64_t incarnation;
    uint64_t sequence;      /* the greatest heard of this incarnation */
    bool heard;             /* false: only asked about so far */
    chirr_time_us since_us; /* when that came, or when the first question did */
};

struct chirr_leases {
    struct chirr_lease_config config;
    uint32_t count;
    uint32_t vouched;     /* index behind whoever was vouched for last */
    struct lease *leases; /* [owners_max], ascending by owner */
};

size_t chirr_lease_bytes(const struct chirr_lease_config *config)
{
    return chirr_arena_round(sizeof(struct chirr_leases)) +
           chirr_arena_round(config->owners_max * sizeof(struct lease));
}

struct chirr_leases *chirr_lease_create(struct chirr_arena *arena,
                                        const struct chirr_lease_config *config)
{
    struct chirr_leases *leases = chirr_arena_take(arena, 1, sizeof *leases);
    if (leases == NULL) {
        return NULL;
    }
    leases->config = *config;
    leases->leases = chirr_arena_take(arena, config->owners_max, sizeof *leases->leases);
    return leases->leases == NULL ? NULL : leases;
}

/* Index of the first lease whose owner is not smaller. */
static uint32_t lower_bound(const struct chirr_leases *leases, chirr_agent_id owner)
{
    uint32_t low = 0;
    uint32_t high = leases->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (leases->leases[middle].owner < owner) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct lease *find(const struct chirr_leases *leases, chirr_agent_id owner)
{
    uint32_t index = lower_bound(leases, owner);
    bool found = index < leases->count && leases->leases[index].owner == owner;
    return found ? &leases->leases[index] : NULL;
}

static chirr_time_us expiry_of(const struct chirr_leases *leases, const struct lease *lease)
{
    return lease->since_us + chirr_time_from_ms(leases->config.lease_ms);
}

/* Forgets the lease that expired longest ago; false when none has expired. */
static bool evict_expired(struct chirr_leases *leases, chirr_time_us now)
{
    struct lease *oldest = NULL;
    for (uint32_t i = 0; i < leases->count; i++) {
        struct lease *lease = &leases->leases[i];
        if (expiry_of(leases, lease) <= now &&
            (oldest == NULL || lease->since_us < oldest->since_us)) {
            oldest = lease;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    leases->count--;
    size_t after = (size_t)(&leases->leases[leases->count] - oldest);
    memmove(oldest, oldest + 1, after * sizeof *oldest);
    return true;
}

/* A new place for an owner that has none; NULL when there is no room. */
static struct lease *insert(struct chirr_leases *leases, chirr_agent_id owner, chirr_time_us now)
{
    if (leases->count == leases->config.owners_max && !evict_expired(leases, now)) {
        return NULL;
    }
    uint32_t index = lower_bound(leases, owner);
    struct lease *lease = &leases->leases[index];
    memmove(lease + 1, lease, (leases->count - index) * sizeof *lease);
    leases->count++;
    *lease = (struct lease){.owner = owner, .since_us = now};
    return lease;
}

static bool advances(const struct lease *lease, uint64_t incarnation, uint64_t sequence)
{
    if (incarnation != lease->incarnation) {
        return incarnation > lease->incarnation;
    }
    return !lease->heard || sequence > lease->sequence;
}

enum chirr_err chirr_lease_renew(struct chirr_leases *leases, chirr_agent_id owner,
                                 uint64_t incarnation, uint64_t sequence, chirr_time_us now)
{
    struct lease *lease = find(leases, owner);
    if (lease == NULL) {
        lease = insert(leases, owner, now);
    } else if (!advances(lease, incarnation, sequence)) {
        return CHIRR_ERR_STALE;
    }
    if (lease == NULL) {
        return CHIRR_ERR_FULL;
    }
    *lease = (struct lease){.owner = owner,
                            .incarnation = incarnation,
                            .sequence = sequence,
                            .heard = true,
                            .since_us = now};
    return CHIRR_OK;
}

/* All members are vouched for in turn, ascending: the next one is mostly where the last one was. */
void chirr_lease_vouch(struct chirr_leases *leases, chirr_agent_id owner, chirr_time_us now)
{
    uint32_t next = leases->vouched;
    bool in_turn = next < leases->count && leases->leases[next].owner == owner;
    struct lease *lease = in_turn ? &leases->leases[next] : find(leases, owner);
    if (lease != NULL) {
        lease->since_us = now;
        leases->vouched = (uint32_t)(lease - leases->leases) + 1;
    }
}

chirr_time_us chirr_lease_length(const struct chirr_leases *leases)
{
    return chirr_time_from_ms(leases->config.lease_ms);
}

void chirr_lease_note_word(struct chirr_leases *leases, chirr_agent_id agent, chirr_time_us now)
{
    struct lease *lease = find(leases, agent);
    lease = lease == NULL ? insert(leases, agent, now) : lease;
    if (lease != NULL) {
        lease->since_us = now;
    }
}

chirr_time_us chirr_lease_word_until(const struct chirr_leases *leases, chirr_agent_id agent)
{
    const struct lease *lease = find(leases, agent);
    return lease == NULL ? 0
                         : lease->since_us + CHIRR_LEASES_OF_A_WORD * chirr_lease_length(leases);
}

chirr_time_us chirr_lease_expiry(struct chirr_leases *leases, chirr_agent_id owner,
                                 uint64_t incarnation, chirr_time_us now)
{
    struct lease *lease = find(leases, owner);
    if (lease != NULL && lease->heard && lease->incarnation > incarnation) {
        return now;
    }
    if (lease == NULL) {
        lease = insert(leases, owner, now);
        if (lease == NULL) {
            return now + chirr_time_from_ms(leases->config.lease_ms);
        }
        lease->incarnation = incarnation;
    }
    if (lease->incarnation < incarnation) {
        *lease = (struct lease){.owner = owner, .incarnation = incarnation, .since_us = now};
    }
    return expiry_of(leases, lease);
}
