/* The store of records: fixed slots, three orders over them.
 *
 *      slots     | card, claims of author 0 | … of author 1 | … | task | task | … |
 *      authors   sorted by id -> marks, and a list of this author's slots in order of stamps
 *      tasks     sorted by id -> slot
 *      ended     a list of the slots of ended tasks, in the order in which they ended here
 *
 * A statement held is in the list of the author who made it: when the task goes over to a statement
 * of another author, its slot moves to that one's list. Links are slot numbers. */
#include "swarm/records.h"

#include <string.h>

#include "base/digest.h"
#include "base/ring.h"
#include "swarm/statement.h"

#define REGISTERS_PER_AUTHOR 2U /* card and claims */
#define NONE UINT32_MAX

struct link {
    uint32_t before, after;
};

struct list {
    uint32_t first, last;
};

struct slot {
    struct chirr_record record; /* kind 0: empty */
    uint64_t digest;            /* of the record */
    uint32_t author;            /* index into authors */
    struct link by_stamp;       /* `after` also chains the free slots */
    struct link by_end;
};

struct author {
    chirr_agent_id id;
    struct chirr_stamp covered, heard, witnessed;
    struct list held; /* ascending by stamp */
    bool quarantined;
};

struct task_entry {
    chirr_task_id id;
    uint32_t slot;
};

struct chirr_record_store {
    struct chirr_records_config config;
    struct slot *slots;          /* [REGISTERS_PER_AUTHOR * agents_max + tasks_max] */
    struct author *authors;      /* [agents_max], in order of arrival */
    uint32_t *author_order;      /* [agents_max], indices ascending by id */
    struct task_entry *tasks;    /* [tasks_max], ascending by id */
    struct chirr_ring forgotten; /* task ids */
    struct list ended;
    uint32_t author_count;
    uint32_t task_count;
    uint32_t free_slot;
    struct chirr_records_counters counters;
};

struct chirr_records_config chirr_records_config_default(void)
{
    return (struct chirr_records_config){.agents_max = 256, .tasks_max = 1024};
}

static size_t slot_count(const struct chirr_records_config *config)
{
    return (size_t)REGISTERS_PER_AUTHOR * config->agents_max + config->tasks_max;
}

size_t chirr_records_bytes(const struct chirr_records_config *config)
{
    return chirr_arena_round(sizeof(struct chirr_record_store)) +
           chirr_arena_round(slot_count(config) * sizeof(struct slot)) +
           chirr_arena_round(config->agents_max * sizeof(struct author)) +
           chirr_arena_round(config->agents_max * sizeof(uint32_t)) +
           chirr_arena_round(config->tasks_max * sizeof(struct task_entry)) +
           chirr_ring_bytes(config->tasks_max, sizeof(chirr_task_id));
}

struct chirr_record_store *chirr_records_create(struct chirr_arena *arena,
                                                const struct chirr_records_config *config)
{
    CHIRR_ASSERT(config->agents_max >= 1);
    CHIRR_ASSERT(config->agents_max <= CHIRR_DIGEST_ENTRIES_MAX);
    CHIRR_ASSERT(config->tasks_max >= 1);
    struct chirr_record_store *store = chirr_arena_take(arena, 1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    store->config = *config;
    store->slots = chirr_arena_take(arena, slot_count(config), sizeof *store->slots);
    store->authors = chirr_arena_take(arena, config->agents_max, sizeof *store->authors);
    store->author_order = chirr_arena_take(arena, config->agents_max, sizeof *store->author_order);
    store->tasks = chirr_arena_take(arena, config->tasks_max, sizeof *store->tasks);
    enum chirr_err err =
        chirr_ring_init(&store->forgotten, arena, config->tasks_max, sizeof(chirr_task_id));
    if (store->slots == NULL || store->authors == NULL || store->author_order == NULL ||
        store->tasks == NULL || err != CHIRR_OK) {
        return NULL;
    }
    store->ended = (struct list){NONE, NONE};
    store->free_slot = NONE;
    for (size_t i = slot_count(config); i > REGISTERS_PER_AUTHOR * (size_t)config->agents_max;) {
        i--;
        store->slots[i].by_stamp.after = store->free_slot;
        store->free_slot = (uint32_t)i;
    }
    return store;
}

/* ---- Authors ------------------------------------------------------------------------------- */

/* Where `id` stands, or would stand, in the order of authors. */
static uint32_t author_rank(const struct chirr_record_store *store, chirr_agent_id id)
{
    uint32_t low = 0;
    uint32_t high = store->author_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (store->authors[store->author_order[middle]].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct author *author_find(const struct chirr_record_store *store, chirr_agent_id id)
{
    uint32_t rank = author_rank(store, id);
    if (rank == store->author_count) {
        return NULL;
    }
    struct author *author = &store->authors[store->author_order[rank]];
    return author->id == id ? author : NULL;
}

/* NULL when there is no room for one more. */
static struct author *author_obtain(struct chirr_record_store *store, chirr_agent_id id)
{
    struct author *author = author_find(store, id);
    if (author != NULL || store->author_count == store->config.agents_max) {
        return author;
    }
    uint32_t rank = author_rank(store, id);
    memmove(&store->author_order[rank + 1], &store->author_order[rank],
            (store->author_count - rank) * sizeof *store->author_order);
    store->author_order[rank] = store->author_count;
    author = &store->authors[store->author_count++];
    *author = (struct author){.id = id, .held = {NONE, NONE}};
    return author;
}

/* An author's records come nearly always in order, so the search starts at the newest. */
static void author_link(struct chirr_record_store *store, struct author *author, uint32_t at)
{
    struct slot *slot = &store->slots[at];
    uint32_t before = author->held.last;
    while (before != NONE &&
           chirr_stamp_compare(store->slots[before].record.stamp, slot->record.stamp) > 0) {
        before = store->slots[before].by_stamp.before;
    }
    uint32_t after = before == NONE ? author->held.first : store->slots[before].by_stamp.after;
    slot->author = (uint32_t)(author - store->authors);
    slot->by_stamp = (struct link){before, after};
    *(before == NONE ? &author->held.first : &store->slots[before].by_stamp.after) = at;
    *(after == NONE ? &author->held.last : &store->slots[after].by_stamp.before) = at;
}

static void author_unlink(struct chirr_record_store *store, uint32_t at)
{
    struct slot *slot = &store->slots[at];
    struct author *author = &store->authors[slot->author];
    struct link link = slot->by_stamp;
    *(link.before == NONE ? &author->held.first : &store->slots[link.before].by_stamp.after) =
        link.after;
    *(link.after == NONE ? &author->held.last : &store->slots[link.after].by_stamp.before) =
        link.before;
}

/* The oldest slot of the author newer than `after`; NONE. */
static uint32_t author_after(const struct chirr_record_store *store, const struct author *author,
                             struct chirr_stamp after)
{
    uint32_t found = NONE;
    uint32_t at = author->held.last;
    while (at != NONE && chirr_stamp_compare(store->slots[at].record.stamp, after) > 0) {
        found = at;
        at = store->slots[at].by_stamp.before;
    }
    return found;
}

/* The slot under exactly this stamp; NULL. */
static const struct slot *author_slot_at(const struct chirr_record_store *store,
                                         const struct author *author, struct chirr_stamp stamp)
{
    uint32_t at = author->held.last;
    while (at != NONE && chirr_stamp_compare(store->slots[at].record.stamp, stamp) > 0) {
        at = store->slots[at].by_stamp.before;
    }
    if (at == NONE || chirr_stamp_compare(store->slots[at].record.stamp, stamp) != 0) {
        return NULL;
    }
    return &store->slots[at];
}

/* ---- Tasks --------------------------------------------------------------------------------- */

static uint32_t task_rank(const struct chirr_record_store *store, chirr_task_id id)
{
    uint32_t low = 0;
    uint32_t high = store->task_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (store->tasks[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint32_t task_slot(const struct chirr_record_store *store, chirr_task_id id)
{
    uint32_t rank = task_rank(store, id);
    bool found = rank < store->task_count && store->tasks[rank].id == id;
    return found ? store->tasks[rank].slot : NONE;
}

static bool task_was_forgotten(const struct chirr_record_store *store, chirr_task_id id)
{
    for (size_t i = 0; i < store->forgotten.count; i++) {
        if (*(const chirr_task_id *)chirr_ring_at(&store->forgotten, i) == id) {
            return true;
        }
    }
    return false;
}

static void ended_append(struct chirr_record_store *store, uint32_t at)
{
    uint32_t last = store->ended.last;
    store->slots[at].by_end = (struct link){last, NONE};
    *(last == NONE ? &store->ended.first : &store->slots[last].by_end.after) = at;
    store->ended.last = at;
}

static bool task_forget_oldest(struct chirr_record_store *store)
{
    uint32_t at = store->ended.first;
    if (at == NONE) {
        return false;
    }
    struct slot *slot = &store->slots[at];
    store->ended.first = slot->by_end.after;
    *(store->ended.first == NONE ? &store->ended.last
                                 : &store->slots[store->ended.first].by_end.before) = NONE;
    author_unlink(store, at);
    chirr_ring_push_evict(&store->forgotten, &slot->record.task.id);
    uint32_t rank = task_rank(store, slot->record.task.id);
    store->task_count--;
    memmove(&store->tasks[rank], &store->tasks[rank + 1],
            (store->task_count - rank) * sizeof *store->tasks);
    memset(slot, 0, sizeof *slot);
    slot->by_stamp.after = store->free_slot;
    store->free_slot = at;
    store->counters.forgotten++;
    return true;
}

/* An empty slot entered under `id`; NONE when the table is full of tasks that have not ended. */
static uint32_t task_take_slot(struct chirr_record_store *store, chirr_task_id id)
{
    if (store->free_slot == NONE && !task_forget_oldest(store)) {
        return NONE;
    }
    uint32_t at = store->free_slot;
    store->free_slot = store->slots[at].by_stamp.after;
    uint32_t rank = task_rank(store, id);
    memmove(&store->tasks[rank + 1], &store->tasks[rank],
            (store->task_count - rank) * sizeof *store->tasks);
    store->tasks[rank] = (struct task_entry){id, at};
    store->task_count++;
    return at;
}

/* ---- Join ---------------------------------------------------------------------------------- */

static uint32_t register_slot(const struct chirr_record_store *store, const struct author *author,
                              enum chirr_record_kind kind)
{
    uint32_t index = (uint32_t)(author - store->authors);
    return index * REGISTERS_PER_AUTHOR + (kind == CHIRR_RECORD_CARD ? 0 : 1);
}

/* Replaces what the slot holds, if anything, by a greater statement. */
static void put(struct chirr_record_store *store, struct author *author, uint32_t at,
                const struct chirr_record *record)
{
    struct slot *slot = &store->slots[at];
    bool had_ended = slot->record.kind != 0 && chirr_statement_ends_task(&slot->record);
    if (slot->record.kind != 0) {
        author_unlink(store, at);
    }
    slot->record = *record;
    slot->digest = chirr_statement_digest(record);
    author_link(store, author, at);
    if (!had_ended && chirr_statement_ends_task(record)) {
        ended_append(store, at);
    }
}

static enum chirr_err join_register(struct chirr_record_store *store,
                                    const struct chirr_record *record, enum chirr_join *join)
{
    struct author *author = author_obtain(store, record->author);
    if (author == NULL) {
        return CHIRR_ERR_FULL;
    }
    uint32_t at = register_slot(store, author, record->kind);
    const struct chirr_record *held = &store->slots[at].record;
    if (held->kind != 0 && chirr_stamp_compare(record->stamp, held->stamp) < 0) {
        *join = CHIRR_JOIN_DOMINATED;
        return CHIRR_OK;
    }
    put(store, author, at, record);
    *join = CHIRR_JOIN_CHANGED;
    return CHIRR_OK;
}

static enum chirr_err join_task(struct chirr_record_store *store, const struct chirr_record *record,
                                enum chirr_join *join)
{
    uint32_t at = task_slot(store, record->task.id);
    const struct chirr_record *held = at == NONE ? NULL : &store->slots[at].record;
    bool dominated = held == NULL ? task_was_forgotten(store, record->task.id)
                                  : chirr_task_compare(record, held) < 0;
    if (dominated) {
        *join = CHIRR_JOIN_DOMINATED;
        return CHIRR_OK;
    }
    if (!chirr_statement_epoch_allowed(record, held)) {
        return CHIRR_ERR_UNTRUSTED;
    }
    struct author *author = author_obtain(store, record->author);
    if (author != NULL && at == NONE) {
        at = task_take_slot(store, record->task.id);
    }
    if (author == NULL || at == NONE) {
        return CHIRR_ERR_FULL;
    }
    put(store, author, at, record);
    *join = CHIRR_JOIN_CHANGED;
    return CHIRR_OK;
}

/* Of a statement under a stamp that is held already. */
static enum chirr_err meet_again(struct chirr_record_store *store, struct author *author,
                                 const struct slot *held, const struct chirr_record *record)
{
    if (held->digest == chirr_statement_digest(record)) {
        return CHIRR_OK;
    }
    author->quarantined = true;
    store->counters.equivocations++;
    return CHIRR_ERR_EQUIVOCATION;
}

static enum chirr_err join_checked(struct chirr_record_store *store,
                                   const struct chirr_record *record, enum chirr_join *join)
{
    struct author *author = author_find(store, record->author);
    if (author != NULL && author->quarantined) {
        return CHIRR_ERR_EQUIVOCATION;
    }
    enum chirr_err err = chirr_record_validate(record);
    if (err != CHIRR_OK) {
        return err;
    }
    if (!chirr_statement_allowed(record)) {
        return CHIRR_ERR_UNTRUSTED;
    }
    const struct slot *held = author == NULL ? NULL : author_slot_at(store, author, record->stamp);
    if (held != NULL) {
        *join = CHIRR_JOIN_KNOWN;
        return meet_again(store, author, held, record);
    }
    return record->kind == CHIRR_RECORD_TASK ? join_task(store, record, join)
                                             : join_register(store, record, join);
}

enum chirr_err chirr_records_join(struct chirr_record_store *store,
                                  const struct chirr_record *record, enum chirr_join *join)
{
    enum chirr_err err = join_checked(store, record, join);
    if (err != CHIRR_OK) {
        store->counters.refused++;
        return err;
    }
    switch (*join) {
    case CHIRR_JOIN_CHANGED:
        store->counters.joined++;
        break;
    case CHIRR_JOIN_KNOWN:
        store->counters.known++;
        break;
    case CHIRR_JOIN_DOMINATED:
        store->counters.dominated++;
        break;
    }
    return CHIRR_OK;
}

/* ---- Looking in ---------------------------------------------------------------------------- */

static const struct chirr_record *find_register(const struct chirr_record_store *store,
                                                chirr_agent_id id, enum chirr_record_kind kind)
{
    const struct author *author = author_find(store, id);
    if (author == NULL) {
        return NULL;
    }
    const struct chirr_record *record = &store->slots[register_slot(store, author, kind)].record;
    return record->kind != 0 ? record : NULL;
}

const struct chirr_record *chirr_records_card(const struct chirr_record_store *store,
                                              chirr_agent_id author)
{
    return find_register(store, author, CHIRR_RECORD_CARD);
}

const struct chirr_record *chirr_records_claims(const struct chirr_record_store *store,
                                                chirr_agent_id author)
{
    return find_register(store, author, CHIRR_RECORD_CLAIMS);
}

const struct chirr_record *chirr_records_task(const struct chirr_record_store *store,
                                              chirr_task_id id)
{
    uint32_t at = task_slot(store, id);
    return at == NONE ? NULL : &store->slots[at].record;
}

uint32_t chirr_records_author_count(const struct chirr_record_store *store)
{
    return store->author_count;
}

chirr_agent_id chirr_records_author_at(const struct chirr_record_store *store, uint32_t index)
{
    CHIRR_ASSERT(index < store->author_count);
    return store->authors[store->author_order[index]].id;
}

uint32_t chirr_records_task_count(const struct chirr_record_store *store)
{
    return store->task_count;
}

const struct chirr_record *chirr_records_task_at(const struct chirr_record_store *store,
                                                 uint32_t index)
{
    CHIRR_ASSERT(index < store->task_count);
    return &store->slots[store->tasks[index].slot].record;
}

bool chirr_records_is_quarantined(const struct chirr_record_store *store, chirr_agent_id author)
{
    const struct author *found = author_find(store, author);
    return found != NULL && found->quarantined;
}

const struct chirr_records_counters *chirr_records_count(const struct chirr_record_store *store)
{
    return &store->counters;
}

uint64_t chirr_records_state_hash(const struct chirr_record_store *store)
{
    struct chirr_digest_state state;
    chirr_digest_begin(&state);
    for (uint32_t i = 0; i < store->author_count; i++) {
        uint32_t first = store->author_order[i] * REGISTERS_PER_AUTHOR;
        for (uint32_t at = first; at < first + REGISTERS_PER_AUTHOR; at++) {
            if (store->slots[at].record.kind != 0) {
                chirr_digest_add_u64(&state, store->slots[at].digest);
            }
        }
    }
    for (uint32_t i = 0; i < store->task_count; i++) {
        chirr_digest_add_u64(&state, store->slots[store->tasks[i].slot].digest);
    }
    return chirr_digest_end(&state);
}

/* ---- Scuttlebutt's view -------------------------------------------------------------------- */

uint32_t chirr_records_covered(const struct chirr_record_store *store,
                               struct chirr_digest_entry *entries, uint32_t capacity)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < store->author_count && count < capacity; i++) {
        const struct author *author = &store->authors[store->author_order[i]];
        if (author->covered.incarnation != 0) {
            entries[count++] = (struct chirr_digest_entry){author->id, author->covered};
        }
    }
    return count;
}

/* A mark is not signed: it makes no author, or anybody could fill the table with names. */
void chirr_records_cover(struct chirr_record_store *store, struct chirr_digest_entry entry)
{
    struct author *author = author_find(store, entry.author);
    if (author != NULL && chirr_stamp_compare(entry.stamp, author->covered) > 0) {
        author->covered = entry.stamp;
    }
}

static bool is_next(struct chirr_stamp covered, struct chirr_stamp stamp)
{
    return stamp.incarnation == covered.incarnation && stamp.version == covered.version + 1;
}

/* A mark raised to `stamp`, if that is the very next one, and on through what is held. */
static struct chirr_stamp raise_next(const struct chirr_record_store *store,
                                     const struct author *author, struct chirr_stamp mark,
                                     struct chirr_stamp stamp)
{
    if (!is_next(mark, stamp)) {
        return mark;
    }
    mark = stamp;
    uint32_t at = author_after(store, author, mark);
    while (at != NONE && is_next(mark, store->slots[at].record.stamp)) {
        mark = store->slots[at].record.stamp;
        at = store->slots[at].by_stamp.after;
    }
    return mark;
}

void chirr_records_cover_next(struct chirr_record_store *store, struct chirr_digest_entry entry)
{
    struct author *author = author_find(store, entry.author);
    if (author == NULL) {
        return;
    }
    if (chirr_stamp_compare(entry.stamp, author->heard) > 0) {
        author->heard = entry.stamp;
    }
    if (entry.stamp.version == 1 && entry.stamp.incarnation > author->witnessed.incarnation) {
        author->witnessed = (struct chirr_stamp){entry.stamp.incarnation, 0};
    }
    author->witnessed = raise_next(store, author, author->witnessed, entry.stamp);
    author->covered = raise_next(store, author, author->covered, entry.stamp);
}

struct chirr_records_span chirr_records_span(const struct chirr_record_store *store,
                                             chirr_agent_id author)
{
    struct chirr_records_span span = {0};
    const struct author *found = author_find(store, author);
    if (found == NULL) {
        return span;
    }
    span.covered = found->covered;
    span.heard = found->heard;
    span.witnessed = found->witnessed;
    if (found->held.first != NONE) {
        span.oldest = store->slots[found->held.first].record.stamp;
        span.newest = store->slots[found->held.last].record.stamp;
    }
    return span;
}

uint32_t chirr_records_since(const struct chirr_record_store *store, chirr_agent_id author,
                             struct chirr_stamp after, struct chirr_record *records,
                             uint32_t capacity)
{
    const struct author *found = author_find(store, author);
    if (found == NULL) {
        return 0;
    }
    uint32_t count = 0;
    uint32_t at = author_after(store, found, after);
    while (at != NONE && count < capacity) {
        records[count++] = store->slots[at].record;
        at = store->slots[at].by_stamp.after;
    }
    return count;
}
