/* The table of members. */
#include "swarm/roster.h"

#include <string.h>

#define REMINDERS_MAX 4 /* in a message */

size_t chirr_roster_bytes(uint32_t capacity)
{
    return chirr_arena_round(capacity * sizeof(struct chirr_roster_slot)) +
           chirr_arena_round(capacity * sizeof(struct chirr_roster_rank)) +
           2 * chirr_arena_round(capacity * sizeof(uint32_t)) + 3 * chirr_news_bytes(capacity) +
           chirr_schedule_bytes(capacity);
}

enum chirr_err chirr_roster_init(struct chirr_roster *roster, struct chirr_arena *arena,
                                 uint32_t capacity)
{
    CHIRR_ASSERT(capacity > 0);
    CHIRR_ASSERT(capacity <= CHIRR_DIGEST_ENTRIES_MAX);
    *roster = (struct chirr_roster){.capacity = capacity};
    roster->slots = chirr_arena_take(arena, capacity, sizeof *roster->slots);
    roster->ranks = chirr_arena_take(arena, capacity, sizeof *roster->ranks);
    roster->round = chirr_arena_take(arena, capacity, sizeof *roster->round);
    roster->free_slots = chirr_arena_take(arena, capacity, sizeof *roster->free_slots);
    if (roster->slots == NULL || roster->ranks == NULL || roster->round == NULL ||
        roster->free_slots == NULL) {
        return CHIRR_ERR_NOMEM;
    }
    for (uint32_t i = 0; i < capacity; i++) {
        roster->free_slots[i] = capacity - 1 - i; /* taken from the end */
    }
    enum chirr_err err = chirr_news_init(&roster->news, arena, capacity);
    if (err == CHIRR_OK) {
        err = chirr_news_init(&roster->reminders, arena, capacity);
    }
    if (err == CHIRR_OK) {
        err = chirr_news_init(&roster->reports, arena, capacity);
    }
    return err == CHIRR_OK ? chirr_schedule_init(&roster->verdicts, arena, capacity) : err;
}

static uint32_t index_of(const struct chirr_roster *roster, const struct chirr_roster_slot *slot)
{
    return (uint32_t)(slot - roster->slots);
}

/* Where `agent` stands among the ids, or would stand. */
static uint32_t rank_of(const struct chirr_roster *roster, chirr_agent_id agent)
{
    uint32_t low = 0;
    uint32_t high = roster->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (roster->ranks[middle].agent < agent) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct chirr_roster_slot *chirr_roster_at(const struct chirr_roster *roster, uint32_t rank)
{
    CHIRR_ASSERT(rank < roster->count);
    return &roster->slots[roster->ranks[rank].slot];
}

struct chirr_roster_slot *chirr_roster_find(const struct chirr_roster *roster, chirr_agent_id agent)
{
    uint32_t rank = rank_of(roster, agent);
    bool found = rank < roster->count && roster->ranks[rank].agent == agent;
    return found ? chirr_roster_at(roster, rank) : NULL;
}

bool chirr_roster_is_live(const struct chirr_roster_slot *slot)
{
    return slot->member.status == CHIRR_MEMBER_ALIVE || slot->member.status == CHIRR_MEMBER_SUSPECT;
}

uint32_t chirr_roster_live_count(const struct chirr_roster *roster)
{
    return roster->status_count[CHIRR_MEMBER_ALIVE] + roster->status_count[CHIRR_MEMBER_SUSPECT];
}

/* ---- Who is in it -------------------------------------------------------------------------- */

/* A newcomer takes a random place in what is left of the round (SWIM, section 4.3). */
static void enter_round(struct chirr_roster *roster, struct chirr_random *random, uint32_t index)
{
    uint32_t last = roster->count - 1;
    uint32_t at =
        roster->round_at + (uint32_t)chirr_random_below(random, last - roster->round_at + 1);
    roster->round[last] = roster->round[at];
    roster->round[at] = index;
}

static void leave_round(struct chirr_roster *roster, uint32_t index)
{
    uint32_t at = 0;
    while (roster->round[at] != index) {
        at++;
    }
    roster->round_at -= at < roster->round_at;
    roster->dead_at -= at < roster->dead_at;
    memmove(&roster->round[at], &roster->round[at + 1],
            (roster->count - 1 - at) * sizeof *roster->round);
}

struct chirr_roster_slot *chirr_roster_add(struct chirr_roster *roster, struct chirr_random *random,
                                           const struct chirr_member *member)
{
    if (roster->count == roster->capacity) {
        return NULL;
    }
    uint32_t index = roster->free_slots[roster->capacity - roster->count - 1];
    uint32_t rank = rank_of(roster, member->agent);
    memmove(&roster->ranks[rank + 1], &roster->ranks[rank],
            (roster->count - rank) * sizeof *roster->ranks);
    roster->ranks[rank] = (struct chirr_roster_rank){member->agent, index};
    roster->count++;
    roster->slots[index] = (struct chirr_roster_slot){.member = *member};
    roster->status_count[member->status]++;
    chirr_news_set(&roster->reports, index, 1);
    enter_round(roster, random, index);
    return &roster->slots[index];
}

void chirr_roster_forget(struct chirr_roster *roster, struct chirr_roster_slot *slot)
{
    uint32_t index = index_of(roster, slot);
    uint32_t rank = rank_of(roster, slot->member.agent);
    roster->status_count[slot->member.status]--;
    chirr_news_set(&roster->news, index, 0);
    chirr_news_set(&roster->reminders, index, 0);
    chirr_news_set(&roster->reports, index, 0);
    chirr_schedule_set(&roster->verdicts, index, CHIRR_TIME_NEVER);
    leave_round(roster, index);
    memmove(&roster->ranks[rank], &roster->ranks[rank + 1],
            (roster->count - 1 - rank) * sizeof *roster->ranks);
    roster->count--;
    roster->free_slots[roster->capacity - roster->count - 1] = index;
    *slot = (struct chirr_roster_slot){.tried_us = 0};
}

uint32_t chirr_roster_tombstone_count(const struct chirr_roster *roster)
{
    return roster->count - chirr_roster_live_count(roster);
}

/* Does `a` go before `b` (NULL: anybody does)? */
static bool is_evicted_before(const struct chirr_member *a, const struct chirr_member *b)
{
    if (b == NULL) {
        return true;
    }
    return a->status != b->status ? a->status == CHIRR_MEMBER_LEFT : a->since_us < b->since_us;
}

bool chirr_roster_evict(struct chirr_roster *roster)
{
    struct chirr_roster_slot *evicted = NULL;
    for (uint32_t rank = 0; rank < roster->count; rank++) {
        struct chirr_roster_slot *slot = chirr_roster_at(roster, rank);
        bool reported = chirr_news_left(&roster->reports, index_of(roster, slot)) == 0;
        if (!chirr_roster_is_live(slot) && reported &&
            is_evicted_before(&slot->member, evicted == NULL ? NULL : &evicted->member)) {
            evicted = slot;
        }
    }
    if (evicted == NULL) {
        return false;
    }
    chirr_roster_forget(roster, evicted);
    return true;
}

/* ---- Turns --------------------------------------------------------------------------------- */

static void shuffle_round(struct chirr_roster *roster, struct chirr_random *random)
{
    for (uint32_t i = roster->count; i > 1; i--) {
        uint32_t j = (uint32_t)chirr_random_below(random, i);
        uint32_t swapped = roster->round[i - 1];
        roster->round[i - 1] = roster->round[j];
        roster->round[j] = swapped;
    }
    roster->round_at = 0;
}

/* Round-robin over a shuffled list, so that the time to a first probe is bounded (section 4.3). */
struct chirr_roster_slot *chirr_roster_next(struct chirr_roster *roster,
                                            struct chirr_random *random)
{
    if (chirr_roster_live_count(roster) == 0) {
        return NULL;
    }
    for (;;) {
        if (roster->round_at == roster->count) {
            shuffle_round(roster, random);
        }
        struct chirr_roster_slot *slot = &roster->slots[roster->round[roster->round_at++]];
        if (chirr_roster_is_live(slot)) {
            return slot;
        }
    }
}

struct chirr_roster_slot *chirr_roster_next_dead(struct chirr_roster *roster,
                                                 chirr_time_us before_us)
{
    for (uint32_t i = 0; i < roster->count; i++) {
        roster->dead_at = roster->dead_at < roster->count ? roster->dead_at : 0;
        struct chirr_roster_slot *slot = &roster->slots[roster->round[roster->dead_at++]];
        if (slot->member.status == CHIRR_MEMBER_DEAD && slot->tried_us <= before_us) {
            return slot;
        }
    }
    return NULL;
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
    chirr_schedule_set(&roster->verdicts, index_of(roster, slot), CHIRR_TIME_NEVER);
    if (update->status == member->status) {
        return;
    }
    roster->status_count[member->status]--;
    roster->status_count[update->status]++;
    member->status = update->status;
    member->since_us = now;
    slot->tried_us = now;
    chirr_news_set(&roster->reports, index_of(roster, slot), 1);
    chirr_news_set(&roster->reminders, index_of(roster, slot),
                   update->status != CHIRR_MEMBER_ALIVE);
}

void chirr_roster_set_verdict(struct chirr_roster *roster, const struct chirr_roster_slot *slot,
                              chirr_time_us at)
{
    CHIRR_ASSERT(slot->member.status == CHIRR_MEMBER_SUSPECT);
    chirr_schedule_set(&roster->verdicts, index_of(roster, slot), at);
}

struct chirr_roster_slot *chirr_roster_due(const struct chirr_roster *roster, chirr_time_us now)
{
    if (chirr_schedule_deadline(&roster->verdicts) > now) {
        return NULL;
    }
    return roster->verdicts.count == 0 ? NULL
                                       : &roster->slots[chirr_schedule_first(&roster->verdicts)];
}

bool chirr_roster_report(struct chirr_roster *roster, struct chirr_member_update *update)
{
    uint32_t index = chirr_news_first(&roster->reports);
    if (index == CHIRR_NEWS_NONE) {
        return false;
    }
    chirr_news_set(&roster->reports, index, 0);
    const struct chirr_roster_slot *slot = &roster->slots[index];
    *update = chirr_roster_update(roster, slot);
    if (slot->verdict != 0) {
        update->status = slot->member.status;
        update->accuser = slot->suspicion.accusers[0];
    }
    return true;
}

/* ---- News ---------------------------------------------------------------------------------- */

/* SWIM, section 4.1: λ·log n times reach everybody with high probability. */
void chirr_roster_tell(struct chirr_roster *roster, const struct chirr_roster_slot *slot)
{
    uint32_t bits = 0;
    while (roster->count >> bits != 0) {
        bits++;
    }
    chirr_news_set(&roster->news, index_of(roster, slot), 3 * bits);
}

bool chirr_roster_is_told(const struct chirr_roster *roster, const struct chirr_roster_slot *slot)
{
    return chirr_news_left(&roster->news, index_of(roster, slot)) > 0;
}

struct chirr_member_update chirr_roster_update(const struct chirr_roster *roster,
                                               const struct chirr_roster_slot *slot)
{
    struct chirr_member_update update = {.agent = slot->member.agent,
                                         .incarnation = slot->member.incarnation,
                                         .status = slot->verdict != 0 ? slot->verdict
                                                                      : slot->member.status};
    if (update.status == CHIRR_MEMBER_SUSPECT) {
        uint32_t turn = chirr_news_left(&roster->news, index_of(roster, slot));
        update.accuser = slot->suspicion.accusers[turn % slot->suspicion.accuser_count];
    }
    return update;
}

static bool is_among(const struct chirr_member_updates *news, chirr_agent_id agent)
{
    for (uint32_t i = 0; i < news->count; i++) {
        if (news->updates[i].agent == agent) {
            return true;
        }
    }
    return false;
}

void chirr_roster_add_news(struct chirr_roster *roster, const struct chirr_roster_slot *except,
                           struct chirr_member_updates *news)
{
    uint32_t told[2 * CHIRR_MEMBER_UPDATES_MAX]; /* added, or there before */
    uint32_t told_count = 0;
    for (uint32_t index = chirr_news_first(&roster->news);
         index != CHIRR_NEWS_NONE && news->count < CHIRR_MEMBER_UPDATES_MAX;
         index = chirr_news_next(&roster->news, index)) {
        const struct chirr_roster_slot *slot = &roster->slots[index];
        if (slot == except) {
            continue;
        }
        if (!is_among(news, slot->member.agent)) {
            news->updates[news->count++] = chirr_roster_update(roster, slot);
        }
        told[told_count++] = index;
    }
    for (uint32_t i = 0; i < told_count; i++) {
        chirr_news_set(&roster->news, told[i], chirr_news_left(&roster->news, told[i]) - 1);
    }
}

void chirr_roster_remind(struct chirr_roster *roster, const struct chirr_roster_slot *except,
                         chirr_agent_id teller, struct chirr_member_updates *news)
{
    uint32_t count = roster->reminders.count;
    for (uint32_t i = 0; i < REMINDERS_MAX && i < count; i++) {
        uint32_t index = chirr_news_first(&roster->reminders);
        chirr_news_set(&roster->reminders, index, 1); /* now last */
        const struct chirr_roster_slot *slot = &roster->slots[index];
        if (slot == except || chirr_roster_is_told(roster, slot) ||
            news->count == CHIRR_MEMBER_UPDATES_MAX) {
            continue;
        }
        struct chirr_member_update update = chirr_roster_update(roster, slot);
        if (update.status == CHIRR_MEMBER_DEAD) {
            update.status = CHIRR_MEMBER_SUSPECT;
            update.accuser = teller;
        }
        news->updates[news->count++] = update;
    }
}

void chirr_roster_add_suspects(struct chirr_roster *roster, const struct chirr_roster_slot *except,
                               struct chirr_member_updates *news)
{
    uint32_t count = roster->reminders.count;
    for (uint32_t i = 0; i < count && news->count < CHIRR_MEMBER_UPDATES_MAX; i++) {
        uint32_t index = chirr_news_first(&roster->reminders);
        chirr_news_set(&roster->reminders, index, 1); /* now last */
        const struct chirr_roster_slot *slot = &roster->slots[index];
        if (slot != except && slot->member.status == CHIRR_MEMBER_SUSPECT) {
            news->updates[news->count++] = chirr_roster_update(roster, slot);
        }
    }
}
