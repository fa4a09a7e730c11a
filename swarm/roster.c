/* The table of members. */
#include "swarm/roster.h"

#include <string.h>

/* 3·log2 of the largest roster. */
#define TELLINGS_MAX 33

size_t chirr_roster_bytes(uint32_t capacity)
{
    return chirr_arena_round(capacity * sizeof(struct chirr_roster_slot)) +
           chirr_arena_round(capacity * sizeof(chirr_agent_id));
}

enum chirr_err chirr_roster_init(struct chirr_roster *roster, struct chirr_arena *arena,
                                 uint32_t capacity)
{
    CHIRR_ASSERT(capacity > 0);
    CHIRR_ASSERT(capacity <= CHIRR_DIGEST_ENTRIES_MAX);
    *roster = (struct chirr_roster){.capacity = capacity};
    roster->slots = chirr_arena_take(arena, capacity, sizeof *roster->slots);
    roster->round = chirr_arena_take(arena, capacity, sizeof *roster->round);
    return roster->slots == NULL || roster->round == NULL ? CHIRR_ERR_NOMEM : CHIRR_OK;
}

/* Where `agent` stands, or would stand. */
static uint32_t rank_of(const struct chirr_roster *roster, chirr_agent_id agent)
{
    uint32_t low = 0;
    uint32_t high = roster->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (roster->slots[middle].member.agent < agent) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct chirr_roster_slot *chirr_roster_find(const struct chirr_roster *roster, chirr_agent_id agent)
{
    uint32_t rank = rank_of(roster, agent);
    bool found = rank < roster->count && roster->slots[rank].member.agent == agent;
    return found ? &roster->slots[rank] : NULL;
}

bool chirr_roster_is_live(const struct chirr_roster_slot *slot)
{
    return slot->member.status == CHIRR_MEMBER_ALIVE || slot->member.status == CHIRR_MEMBER_SUSPECT;
}

/* ---- Who is in it -------------------------------------------------------------------------- */

static void forget(struct chirr_roster *roster, uint32_t rank)
{
    struct chirr_roster_slot *slot = &roster->slots[rank];
    roster->status_count[slot->member.status]--;
    roster->unreported_count -= slot->unreported;
    roster->news_count -= slot->tellings != 0;
    uint32_t at = 0;
    while (roster->round[at] != slot->member.agent) {
        at++;
    }
    roster->round_at -= at < roster->round_at;
    roster->count--;
    memmove(&roster->round[at], &roster->round[at + 1],
            (roster->count - at) * sizeof *roster->round);
    memmove(slot, slot + 1, (roster->count - rank) * sizeof *slot);
}

/* Of those who left the one that left first; false when nobody has. */
static bool forget_a_leaver(struct chirr_roster *roster)
{
    uint32_t first = roster->count;
    for (uint32_t i = 0; i < roster->count; i++) {
        const struct chirr_member *member = &roster->slots[i].member;
        if (member->status == CHIRR_MEMBER_LEFT &&
            (first == roster->count || member->since_us < roster->slots[first].member.since_us)) {
            first = i;
        }
    }
    if (first == roster->count) {
        return false;
    }
    forget(roster, first);
    return true;
}

/* A newcomer takes a random place in what is left of the round (SWIM, section 4.3). */
static void enter_round(struct chirr_roster *roster, struct chirr_random *random,
                        chirr_agent_id agent)
{
    uint32_t last = roster->count - 1;
    uint32_t at =
        roster->round_at + (uint32_t)chirr_random_below(random, last - roster->round_at + 1);
    roster->round[last] = roster->round[at];
    roster->round[at] = agent;
}

static void make_unreported(struct chirr_roster *roster, struct chirr_roster_slot *slot)
{
    roster->unreported_count += !slot->unreported;
    slot->unreported = true;
}

struct chirr_roster_slot *chirr_roster_add(struct chirr_roster *roster, struct chirr_random *random,
                                           const struct chirr_member *member)
{
    if (roster->count == roster->capacity && !forget_a_leaver(roster)) {
        return NULL;
    }
    uint32_t rank = rank_of(roster, member->agent);
    struct chirr_roster_slot *slot = &roster->slots[rank];
    memmove(slot + 1, slot, (roster->count - rank) * sizeof *slot);
    memset(slot, 0, sizeof *slot);
    slot->member = *member;
    roster->count++;
    roster->status_count[member->status]++;
    make_unreported(roster, slot);
    enter_round(roster, random, member->agent);
    return slot;
}

static void shuffle_round(struct chirr_roster *roster, struct chirr_random *random)
{
    for (uint32_t i = roster->count; i > 1; i--) {
        uint32_t j = (uint32_t)chirr_random_below(random, i);
        chirr_agent_id swapped = roster->round[i - 1];
        roster->round[i - 1] = roster->round[j];
        roster->round[j] = swapped;
    }
    roster->round_at = 0;
}

/* Round-robin over a shuffled list, so that the time to a first probe is bounded (section 4.3). */
struct chirr_roster_slot *chirr_roster_next(struct chirr_roster *roster,
                                            struct chirr_random *random)
{
    if (roster->status_count[CHIRR_MEMBER_ALIVE] + roster->status_count[CHIRR_MEMBER_SUSPECT] ==
        0) {
        return NULL;
    }
    for (;;) {
        if (roster->round_at == roster->count) {
            shuffle_round(roster, random);
        }
        struct chirr_roster_slot *slot =
            chirr_roster_find(roster, roster->round[roster->round_at++]);
        if (chirr_roster_is_live(slot)) {
            return slot;
        }
    }
}

/* ---- Status -------------------------------------------------------------------------------- */

bool chirr_roster_is_news(const struct chirr_roster_slot *slot,
                          const struct chirr_member_update *update)
{
    if (update->incarnation != slot->member.incarnation) {
        return update->incarnation > slot->member.incarnation;
    }
    return update->status > slot->member.status;
}

/* What may follow within one incarnation; a greater one opens every way. */
static const bool may_follow[CHIRR_MEMBER_STATUS_COUNT][CHIRR_MEMBER_STATUS_COUNT] = {
    [CHIRR_MEMBER_ALIVE] =
        {[CHIRR_MEMBER_SUSPECT] = true, [CHIRR_MEMBER_DEAD] = true, [CHIRR_MEMBER_LEFT] = true},
    [CHIRR_MEMBER_SUSPECT] = {[CHIRR_MEMBER_DEAD] = true, [CHIRR_MEMBER_LEFT] = true},
    [CHIRR_MEMBER_DEAD] = {[CHIRR_MEMBER_LEFT] = true},
};

void chirr_roster_set(struct chirr_roster *roster, struct chirr_roster_slot *slot,
                      const struct chirr_member_update *update, chirr_time_us now)
{
    struct chirr_member *member = &slot->member;
    CHIRR_ASSERT(
        update->incarnation > member->incarnation ||
        (update->incarnation == member->incarnation && may_follow[member->status][update->status]));
    member->incarnation = update->incarnation;
    slot->judged_us = now;
    if (update->status == member->status) {
        return;
    }
    roster->status_count[member->status]--;
    roster->status_count[update->status]++;
    member->status = update->status;
    member->since_us = now;
    make_unreported(roster, slot);
}

bool chirr_roster_report(struct chirr_roster *roster, struct chirr_member_update *update)
{
    for (uint32_t i = 0; i < roster->count && roster->unreported_count > 0; i++) {
        struct chirr_roster_slot *slot = &roster->slots[i];
        if (slot->unreported) {
            slot->unreported = false;
            roster->unreported_count--;
            *update = (struct chirr_member_update){slot->member.agent, slot->member.incarnation,
                                                   slot->member.status};
            return true;
        }
    }
    return false;
}

/* ---- News ---------------------------------------------------------------------------------- */

/* SWIM, section 4.1: λ·log n times reach everybody with high probability. */
void chirr_roster_tell(struct chirr_roster *roster, struct chirr_roster_slot *slot)
{
    uint32_t bits = 0;
    while (roster->count >> bits != 0) {
        bits++;
    }
    roster->news_count += slot->tellings == 0;
    slot->tellings = 3 * bits;
}

static void put(struct chirr_member_updates *news, const struct chirr_member *member)
{
    news->updates[news->count++] =
        (struct chirr_member_update){member->agent, member->incarnation, member->status};
}

void chirr_roster_add_news(struct chirr_roster *roster, chirr_agent_id to,
                           struct chirr_member_updates *news)
{
    const struct chirr_roster_slot *receiver = chirr_roster_find(roster, to);
    if (receiver != NULL) {
        put(news, &receiver->member);
    }
    struct chirr_roster_slot *told[CHIRR_MEMBER_UPDATES_MAX];
    uint32_t told_count = 0;
    uint32_t seen = 0;
    for (uint32_t left = TELLINGS_MAX; left > 0 && seen < roster->news_count; left--) {
        for (uint32_t i = 0; i < roster->count; i++) {
            struct chirr_roster_slot *slot = &roster->slots[i];
            if (slot->tellings != left) {
                continue;
            }
            seen++;
            if (slot != receiver && news->count < CHIRR_MEMBER_UPDATES_MAX) {
                put(news, &slot->member);
                told[told_count++] = slot;
            }
        }
    }
    for (uint32_t i = 0; i < told_count; i++) {
        told[i]->tellings--;
        roster->news_count -= told[i]->tellings == 0;
    }
}
