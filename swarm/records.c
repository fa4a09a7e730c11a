/* The store of records: who may say what, and what it does to what is held. */
#include "swarm/records_state.h"

#include <string.h>

#include "swarm/statement.h"

struct chirr_records_config chirr_records_config_default(void)
{
    return (struct chirr_records_config){.agents_max = 256, .tasks_max = 1024};
}

static size_t slot_count(const struct chirr_records_config *config)
{
    return (size_t)CHIRR_REGISTERS_PER_AUTHOR * config->agents_max + config->tasks_max +
           CHIRR_OPERATORS_MAX;
}

/* Where the slots of a kind begin. */
static uint32_t first_task_slot(const struct chirr_records_config *config)
{
    return CHIRR_REGISTERS_PER_AUTHOR * config->agents_max;
}

static uint32_t first_trust_slot(const struct chirr_records_config *config)
{
    return first_task_slot(config) + config->tasks_max;
}

/* Records of one kind, one after the other, each aligned. */
static size_t slab_stride(enum chirr_record_kind kind)
{
    const size_t align = _Alignof(struct chirr_record);
    return (chirr_record_bytes(kind) + align - 1) / align * align;
}

static size_t slab_bytes(enum chirr_record_kind kind, uint32_t count)
{
    return chirr_arena_round(count * slab_stride(kind));
}

size_t chirr_records_bytes(const struct chirr_records_config *config)
{
    return chirr_arena_round(sizeof(struct chirr_record_store)) +
           chirr_arena_round(slot_count(config) * sizeof(struct chirr_slot)) +
           chirr_arena_round(config->agents_max * sizeof(struct chirr_author)) +
           chirr_arena_round(config->agents_max * sizeof(struct chirr_author_entry)) +
           chirr_arena_round(config->tasks_max * sizeof(struct chirr_task_entry)) +
           chirr_ring_bytes(config->tasks_max, sizeof(chirr_task_id)) +
           chirr_ring_bytes(config->agents_max, sizeof(struct chirr_parted)) +
           slab_bytes(CHIRR_RECORD_CARD, config->agents_max) +
           slab_bytes(CHIRR_RECORD_CLAIMS, config->agents_max) +
           slab_bytes(CHIRR_RECORD_TASK, config->tasks_max) +
           slab_bytes(CHIRR_RECORD_TRUST, CHIRR_OPERATORS_MAX);
}

/* Gives `count` slots from `first` on, `step` apart, their records. */
static bool place_slab(struct chirr_arena *arena, enum chirr_record_kind kind,
                       struct chirr_slot *first, uint32_t count)
{
    size_t step =
        kind == CHIRR_RECORD_CARD || kind == CHIRR_RECORD_CLAIMS ? CHIRR_REGISTERS_PER_AUTHOR : 1;
    size_t stride = slab_stride(kind);
    uint8_t *slab = chirr_arena_take(arena, count, stride);
    for (uint32_t i = 0; slab != NULL && i < count; i++) {
        first[i * step].record = (struct chirr_record *)(slab + i * stride);
    }
    return slab != NULL;
}

static bool place_records(struct chirr_record_store *store, struct chirr_arena *arena)
{
    const struct chirr_records_config *config = &store->config;
    return place_slab(arena, CHIRR_RECORD_CARD, &store->slots[0], config->agents_max) &&
           place_slab(arena, CHIRR_RECORD_CLAIMS, &store->slots[1], config->agents_max) &&
           place_slab(arena, CHIRR_RECORD_TASK, &store->slots[first_task_slot(config)],
                      config->tasks_max) &&
           place_slab(arena, CHIRR_RECORD_TRUST, &store->slots[first_trust_slot(config)],
                      CHIRR_OPERATORS_MAX);
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
    store->order = chirr_arena_take(arena, config->agents_max, sizeof *store->order);
    store->tasks = chirr_arena_take(arena, config->tasks_max, sizeof *store->tasks);
    enum chirr_err err =
        chirr_ring_init(&store->forgotten, arena, config->tasks_max, sizeof(chirr_task_id));
    if (err == CHIRR_OK) {
        err =
            chirr_ring_init(&store->parted, arena, config->agents_max, sizeof(struct chirr_parted));
    }
    if (store->slots == NULL || store->authors == NULL || store->order == NULL ||
        store->tasks == NULL || err != CHIRR_OK || !place_records(store, arena)) {
        return NULL;
    }
    store->ended = (struct chirr_slot_list){CHIRR_SLOT_NONE, CHIRR_SLOT_NONE};
    store->free_slot = CHIRR_SLOT_NONE;
    store->free_author = CHIRR_SLOT_NONE;
    for (uint32_t i = config->agents_max; i > 0;) {
        i--;
        store->authors[i].held.first = store->free_author;
        store->free_author = i;
    }
    for (uint32_t i = first_trust_slot(config); i > first_task_slot(config);) {
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
        if (store->order[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct chirr_author *chirr_records_author(const struct chirr_record_store *store, chirr_agent_id id)
{
    uint32_t rank = author_rank(store, id);
    bool found = rank < store->author_count && store->order[rank].id == id;
    return found ? &store->authors[store->order[rank].at] : NULL;
}

/* NULL when there is no room for one more. */
static struct chirr_author *author_obtain(struct chirr_record_store *store, chirr_agent_id id)
{
    struct chirr_author *author = chirr_records_author(store, id);
    if (author != NULL || store->free_author == CHIRR_SLOT_NONE) {
        return author;
    }
    uint32_t rank = author_rank(store, id);
    memmove(&store->order[rank + 1], &store->order[rank],
            (store->author_count - rank) * sizeof *store->order);
    store->order[rank] = (struct chirr_author_entry){id, store->free_author};
    store->author_count++;
    author = &store->authors[store->free_author];
    store->free_author = author->held.first;
    *author = (struct chirr_author){.id = id, .held = {CHIRR_SLOT_NONE, CHIRR_SLOT_NONE}};
    return author;
}

void chirr_records_release(struct chirr_record_store *store, struct chirr_author *author)
{
    CHIRR_ASSERT(author->held.first == CHIRR_SLOT_NONE);
    uint32_t rank = author_rank(store, author->id);
    chirr_records_set_covered(store, author, (struct chirr_stamp){0, 0});
    store->author_count--;
    memmove(&store->order[rank], &store->order[rank + 1],
            (store->author_count - rank) * sizeof *store->order);
    author->held.first = store->free_author;
    store->free_author = (uint32_t)(author - store->authors);
}

void chirr_records_set_covered(struct chirr_record_store *store, struct chirr_author *author,
                               struct chirr_stamp covered)
{
    uint64_t *print = &store->prints[chirr_digest_bucket(author->id)];
    *print -= chirr_digest_mark_print(&(struct chirr_digest_entry){author->id, author->covered});
    *print += chirr_digest_mark_print(&(struct chirr_digest_entry){author->id, covered});
    author->covered = covered;
}

/* An author's records come nearly always in order, so the search starts at the newest. */
static void author_link(struct chirr_record_store *store, struct chirr_author *author, uint32_t at)
{
    struct chirr_slot *slot = &store->slots[at];
    uint32_t before = author->held.last;
    slot->stamp = slot->record->stamp;
    while (before != CHIRR_SLOT_NONE &&
           chirr_stamp_compare(store->slots[before].stamp, slot->stamp) > 0) {
        before = store->slots[before].by_stamp.before;
    }
    uint32_t after =
        before == CHIRR_SLOT_NONE ? author->held.first : store->slots[before].by_stamp.after;
    slot->author = (uint32_t)(author - store->authors);
    slot->by_stamp = (struct chirr_slot_link){before, after};
    *(before == CHIRR_SLOT_NONE ? &author->held.first : &store->slots[before].by_stamp.after) = at;
    *(after == CHIRR_SLOT_NONE ? &author->held.last : &store->slots[after].by_stamp.before) = at;
    store->prints[chirr_digest_bucket(author->id)] +=
        chirr_digest_print(&(struct chirr_digest_entry){author->id, slot->stamp});
}

static void author_unlink(struct chirr_record_store *store, uint32_t at)
{
    struct chirr_slot *slot = &store->slots[at];
    struct chirr_author *author = &store->authors[slot->author];
    struct chirr_slot_link link = slot->by_stamp;
    *(link.before == CHIRR_SLOT_NONE ? &author->held.first
                                     : &store->slots[link.before].by_stamp.after) = link.after;
    *(link.after == CHIRR_SLOT_NONE ? &author->held.last
                                    : &store->slots[link.after].by_stamp.before) = link.before;
    store->prints[chirr_digest_bucket(author->id)] -=
        chirr_digest_print(&(struct chirr_digest_entry){author->id, slot->stamp});
    slot->stamp = (struct chirr_stamp){0, 0};
}

/* The oldest slot of the author newer than `after`; CHIRR_SLOT_NONE. */
uint32_t chirr_records_slot_after(const struct chirr_record_store *store,
                                  const struct chirr_author *author, struct chirr_stamp after)
{
    uint32_t found = CHIRR_SLOT_NONE;
    uint32_t at = author->held.last;
    while (at != CHIRR_SLOT_NONE && chirr_stamp_compare(store->slots[at].stamp, after) > 0) {
        found = at;
        at = store->slots[at].by_stamp.before;
    }
    return found;
}

/* The slot under exactly this stamp; NULL. */
const struct chirr_slot *chirr_records_slot_at(const struct chirr_record_store *store,
                                               const struct chirr_author *author,
                                               struct chirr_stamp stamp)
{
    uint32_t at = author->held.last;
    while (at != CHIRR_SLOT_NONE && chirr_stamp_compare(store->slots[at].stamp, stamp) > 0) {
        at = store->slots[at].by_stamp.before;
    }
    if (at == CHIRR_SLOT_NONE || chirr_stamp_compare(store->slots[at].stamp, stamp) != 0) {
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

uint32_t chirr_records_task_slot(const struct chirr_record_store *store, chirr_task_id id)
{
    uint32_t rank = task_rank(store, id);
    bool found = rank < store->task_count && store->tasks[rank].id == id;
    return found ? store->tasks[rank].slot : CHIRR_SLOT_NONE;
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
    store->slots[at].by_end = (struct chirr_slot_link){last, CHIRR_SLOT_NONE};
    *(last == CHIRR_SLOT_NONE ? &store->ended.first : &store->slots[last].by_end.after) = at;
    store->ended.last = at;
}

static void ended_unlink(struct chirr_record_store *store, uint32_t at)
{
    struct chirr_slot_link link = store->slots[at].by_end;
    *(link.before == CHIRR_SLOT_NONE ? &store->ended.first
                                     : &store->slots[link.before].by_end.after) = link.after;
    *(link.after == CHIRR_SLOT_NONE ? &store->ended.last
                                    : &store->slots[link.after].by_end.before) = link.before;
}

void chirr_records_forget_task(struct chirr_record_store *store, uint32_t at)
{
    struct chirr_slot *slot = &store->slots[at];
    CHIRR_ASSERT(chirr_statement_ends_task(slot->record));
    ended_unlink(store, at);
    author_unlink(store, at);
    chirr_ring_push_evict(&store->forgotten, &slot->record->task.id);
    uint32_t rank = task_rank(store, slot->record->task.id);
    store->task_count--;
    memmove(&store->tasks[rank], &store->tasks[rank + 1],
            (store->task_count - rank) * sizeof *store->tasks);
    slot->record->kind = 0;
    slot->by_stamp.after = store->free_slot;
    store->free_slot = at;
    store->counters.forgotten++;
}

static bool task_forget_oldest(struct chirr_record_store *store)
{
    uint32_t at = store->ended.first;
    if (at != CHIRR_SLOT_NONE) {
        chirr_records_forget_task(store, at);
    }
    return at != CHIRR_SLOT_NONE;
}

/* An empty slot entered under `id`; CHIRR_SLOT_NONE when the table is full of tasks that have not
 * ended. */
static uint32_t task_take_slot(struct chirr_record_store *store, chirr_task_id id)
{
    if (store->free_slot == CHIRR_SLOT_NONE && !task_forget_oldest(store)) {
        return CHIRR_SLOT_NONE;
    }
    uint32_t at = store->free_slot;
    store->free_slot = store->slots[at].by_stamp.after;
    uint32_t rank = task_rank(store, id);
    memmove(&store->tasks[rank + 1], &store->tasks[rank],
            (store->task_count - rank) * sizeof *store->tasks);
    store->tasks[rank] = (struct chirr_task_entry){id, at};
    store->task_count++;
    return at;
}

/* ---- Join ---------------------------------------------------------------------------------- */

uint32_t chirr_records_register_slot(const struct chirr_record_store *store,
                                     const struct chirr_author *author, enum chirr_record_kind kind)
{
    CHIRR_ASSERT(kind != CHIRR_RECORD_TASK);
    uint32_t index = (uint32_t)(author - store->authors);
    if (kind != CHIRR_RECORD_TRUST) {
        return index * CHIRR_REGISTERS_PER_AUTHOR + (kind == CHIRR_RECORD_CARD ? 0 : 1);
    }
    for (uint32_t i = 0; i < store->operator_count; i++) {
        if (store->operators[i] == author->id) {
            return first_trust_slot(&store->config) + i;
        }
    }
    return CHIRR_SLOT_NONE;
}

/* As above, and makes one; CHIRR_SLOT_NONE: there are CHIRR_OPERATORS_MAX. */
static uint32_t obtain_register_slot(struct chirr_record_store *store,
                                     const struct chirr_author *author, enum chirr_record_kind kind)
{
    uint32_t at = chirr_records_register_slot(store, author, kind);
    if (at == CHIRR_SLOT_NONE && store->operator_count < CHIRR_OPERATORS_MAX) {
        at = first_trust_slot(&store->config) + store->operator_count;
        store->operators[store->operator_count++] = author->id;
    }
    return at;
}

void chirr_records_forget_register(struct chirr_record_store *store, uint32_t at)
{
    author_unlink(store, at);
    store->slots[at].record->kind = 0;
}

/* Of claims: their author said something greater before it was forgotten. */
static bool was_withdrawn(const struct chirr_record_store *store, const struct chirr_record *record)
{
    bool withdrawn = false;
    for (size_t i = 0; i < store->parted.count && record->kind == CHIRR_RECORD_CLAIMS; i++) {
        const struct chirr_parted *parted = chirr_ring_at(&store->parted, i);
        withdrawn = withdrawn || (parted->author == record->author &&
                                  chirr_stamp_compare(record->stamp, parted->claims) <= 0);
    }
    return withdrawn;
}

/* Replaces what the slot holds, if anything, by a greater statement. */
static void put(struct chirr_record_store *store, struct chirr_author *author, uint32_t at,
                const struct chirr_record *record)
{
    struct chirr_slot *slot = &store->slots[at];
    bool had_ended = slot->record->kind != 0 && chirr_statement_ends_task(slot->record);
    if (slot->record->kind != 0) {
        author_unlink(store, at);
    }
    memcpy(slot->record, record, chirr_record_bytes(record->kind)); /* what its place holds */
    slot->digest = chirr_statement_digest(record);
    author_link(store, author, at);
    author->changed = store->counters.joined + 1;
    if (!had_ended && chirr_statement_ends_task(record)) {
        ended_append(store, at);
    }
}

static enum chirr_err join_register(struct chirr_record_store *store,
                                    const struct chirr_record *record, enum chirr_join *join)
{
    if (was_withdrawn(store, record)) {
        *join = CHIRR_JOIN_DOMINATED;
        return CHIRR_OK;
    }
    struct chirr_author *author = author_obtain(store, record->author);
    if (author == NULL) {
        return CHIRR_ERR_FULL;
    }
    uint32_t at = obtain_register_slot(store, author, record->kind);
    if (at == CHIRR_SLOT_NONE) {
        return CHIRR_ERR_FULL;
    }
    const struct chirr_record *held = store->slots[at].record;
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
    uint32_t at = chirr_records_task_slot(store, record->task.id);
    const struct chirr_record *held = at == CHIRR_SLOT_NONE ? NULL : store->slots[at].record;
    bool dominated = held == NULL ? task_was_forgotten(store, record->task.id)
                                  : chirr_task_compare(record, held) < 0;
    if (dominated) {
        *join = CHIRR_JOIN_DOMINATED;
        return CHIRR_OK;
    }
    if (!chirr_statement_epoch_allowed(record, held)) {
        return CHIRR_ERR_UNTRUSTED;
    }
    struct chirr_author *author = author_obtain(store, record->author);
    if (author != NULL && at == CHIRR_SLOT_NONE) {
        at = task_take_slot(store, record->task.id);
    }
    if (author == NULL || at == CHIRR_SLOT_NONE) {
        return CHIRR_ERR_FULL;
    }
    put(store, author, at, record);
    *join = CHIRR_JOIN_CHANGED;
    return CHIRR_OK;
}

/* Of a statement under a stamp that is held already. */
static enum chirr_err meet_again(struct chirr_record_store *store, struct chirr_author *author,
                                 const struct chirr_slot *held, const struct chirr_record *record)
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
    struct chirr_author *author = chirr_records_author(store, record->author);
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
    const struct chirr_slot *held =
        author == NULL ? NULL : chirr_records_slot_at(store, author, record->stamp);
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
    uint64_t equivocations = store->counters.equivocations;
    enum chirr_err err = join_checked(store, record, join);
    if (err != CHIRR_OK) {
        store->counters.refused += store->counters.equivocations == equivocations;
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
