/* Heartbeats heard, seeds to knock at, strangers to introduce this agent to. */
#include "agent/acquaintance.h"

#include <string.h>

#include "base/random.h"

/* From one seed to the next at first: who has found one soon knows them all, and each costs
 * connections. */
#define SEED_STAGGER_MS 500

struct heard {
    chirr_agent_id agent; /* 0: free, and everything behind it */
    struct chirr_heartbeat heartbeat;
    uint64_t met; /* the incarnation that last sent here directly: it knows this agent */
};

struct seed {
    chirr_agent_id id;
    chirr_time_us knock_at;
    bool due; /* to get the own card */
};

struct chirr_acquaintance {
    chirr_agent_id self;
    uint32_t interval_ms;
    struct chirr_random random;
    uint32_t seed_count;
    struct seed seeds[CHIRR_NODE_SEEDS_MAX];
    uint32_t heard_max;
    struct heard *heard; /* [heard_max] */
    chirr_time_us introduce_at;
    uint32_t introduced;         /* index into `heard` of the last one introduced to */
    chirr_agent_id introduce_to; /* 0: nobody is due */
};

size_t chirr_acquaintance_bytes(const struct chirr_node_config *config)
{
    return chirr_arena_round(sizeof(struct chirr_acquaintance)) +
           chirr_arena_round(config->agents_max * sizeof(struct heard));
}

struct chirr_acquaintance *chirr_acquaintance_create(struct chirr_arena *arena,
                                                     const struct chirr_node_config *config,
                                                     uint64_t seed, chirr_time_us now)
{
    struct chirr_acquaintance *a = chirr_arena_take(arena, 1, sizeof *a);
    if (a == NULL) {
        return NULL;
    }
    a->heard = chirr_arena_take(arena, config->agents_max, sizeof *a->heard);
    if (a->heard == NULL) {
        return NULL;
    }
    a->self = chirr_agent_id_of(config->card.public_key);
    a->interval_ms = config->seed_interval_ms;
    a->heard_max = config->agents_max;
    a->introduce_at = now + chirr_time_from_ms(config->seed_interval_ms);
    chirr_random_init(&a->random, seed, a->self);
    for (uint32_t i = 0; i < config->seed_count; i++) {
        chirr_agent_id id = chirr_agent_id_of(config->seeds[i].public_key);
        if (id != a->self) {
            a->seeds[a->seed_count++] =
                (struct seed){.id = id, .knock_at = now + i * chirr_time_from_ms(SEED_STAGGER_MS)};
        }
    }
    return a;
}

/* The place of an agent, or the free one where it belongs; NULL when the table is full. */
static struct heard *place_of(const struct chirr_acquaintance *a, chirr_agent_id agent)
{
    for (uint32_t i = 0; i < a->heard_max; i++) {
        if (a->heard[i].agent == agent || a->heard[i].agent == 0) {
            return &a->heard[i];
        }
    }
    return NULL;
}

void chirr_acquaintance_heard(struct chirr_acquaintance *a, chirr_agent_id from,
                              const struct chirr_heartbeat *heartbeat)
{
    struct heard *place = place_of(a, from);
    if (place != NULL) {
        place->agent = from;
        place->heartbeat = *heartbeat;
    }
}

void chirr_acquaintance_received(struct chirr_acquaintance *a, chirr_agent_id from,
                                 enum chirr_message_kind kind)
{
    bool direct = kind == CHIRR_MESSAGE_PING || kind == CHIRR_MESSAGE_PING_REQUEST ||
                  kind == CHIRR_MESSAGE_ACK || kind == CHIRR_MESSAGE_NACK ||
                  kind == CHIRR_MESSAGE_VIEW || kind == CHIRR_MESSAGE_DIGEST;
    struct heard *place = direct ? place_of(a, from) : NULL;
    if (place != NULL && place->agent == from) {
        place->met = place->heartbeat.incarnation;
    }
}

static chirr_time_us jittered(struct chirr_acquaintance *a)
{
    chirr_time_us interval = chirr_time_from_ms(a->interval_ms);
    return interval * 3 / 4 +
           (chirr_time_us)chirr_random_below(&a->random, (uint64_t)interval / 2 + 1);
}

static void tick_seeds(struct chirr_acquaintance *a, const struct chirr_membership *membership,
                       chirr_time_us now)
{
    for (uint32_t i = 0; i < a->seed_count; i++) {
        struct seed *seed = &a->seeds[i];
        if (now < seed->knock_at) {
            continue;
        }
        const struct chirr_member *member = chirr_membership_find(membership, seed->id);
        seed->knock_at = now + jittered(a);
        seed->due = member == NULL || member->status != CHIRR_MEMBER_ALIVE;
    }
}

/* Of those who are alive, heard, and never sent anything here in this life of theirs, the next. */
static void tick_strangers(struct chirr_acquaintance *a, const struct chirr_membership *membership,
                           chirr_time_us now)
{
    if (now < a->introduce_at) {
        return;
    }
    a->introduce_at = now + jittered(a);
    for (uint32_t step = 1; step <= a->heard_max; step++) {
        uint32_t at = (a->introduced + step) % a->heard_max;
        const struct heard *heard = &a->heard[at];
        if (heard->agent != 0 && heard->met != heard->heartbeat.incarnation &&
            chirr_membership_is_live(membership, heard->agent)) {
            a->introduced = at;
            a->introduce_to = heard->agent;
            return;
        }
    }
}

void chirr_acquaintance_tick(struct chirr_acquaintance *a,
                             const struct chirr_membership *membership, chirr_time_us now)
{
    tick_seeds(a, membership, now);
    tick_strangers(a, membership, now);
}

chirr_time_us chirr_acquaintance_deadline(const struct chirr_acquaintance *a)
{
    chirr_time_us at = a->introduce_at;
    for (uint32_t i = 0; i < a->seed_count; i++) {
        at = chirr_time_min(at, a->seeds[i].knock_at);
    }
    return at;
}

chirr_agent_id chirr_acquaintance_introduce(struct chirr_acquaintance *a)
{
    for (uint32_t i = 0; i < a->seed_count; i++) {
        if (a->seeds[i].due) {
            a->seeds[i].due = false;
            return a->seeds[i].id;
        }
    }
    chirr_agent_id to = a->introduce_to;
    a->introduce_to = 0;
    return to;
}

void chirr_acquaintance_meet(struct chirr_acquaintance *a, chirr_agent_id agent)
{
    a->introduce_to = a->introduce_to == 0 ? agent : a->introduce_to;
}

void chirr_acquaintance_forget(struct chirr_acquaintance *a, chirr_agent_id agent)
{
    for (uint32_t i = 0; i < a->seed_count; i++) {
        if (a->seeds[i].id == agent) {
            a->seeds[i] = a->seeds[--a->seed_count];
            break;
        }
    }
    struct heard *last = NULL;
    struct heard *place = place_of(a, agent);
    for (uint32_t i = 0; i < a->heard_max && a->heard[i].agent != 0; i++) {
        last = &a->heard[i];
    }
    if (place != NULL && place->agent == agent) {
        *place = *last;
        memset(last, 0, sizeof *last);
    }
    a->introduce_to = a->introduce_to == agent ? 0 : a->introduce_to;
}

const struct chirr_heartbeat *chirr_acquaintance_heartbeat(const struct chirr_acquaintance *a,
                                                           chirr_agent_id agent)
{
    const struct heard *place = place_of(a, agent);
    return place != NULL && place->agent == agent ? &place->heartbeat : NULL;
}
