/* Looking into the record store: by kind, in order, and as scuttlebutt sees it. */
#include <string.h>

#include "base/digest.h"
#include "swarm/records_state.h"

/* ---- Looking in ---------------------------------------------------------------------------- */

static const struct chirr_record *find_register(const struct chirr_record_store *store,
                                                chirr_agent_id id, enum chirr_record_kind kind)
{
    const struct chirr_author *author = chirr_records_author(store, id);
    if (author == NULL) {
        return NULL;
    }
    uint32_t at = chirr_records_register_slot(store, author, kind);
    const struct chirr_record *record = at == CHIRR_SLOT_NONE ? NULL : store->slots[at].record;
    return record != NULL && record->kind != 0 ? record : NULL;
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

const struct chirr_record *chirr_records_claims_at(const struct chirr_record_store *store,
                                                   uint32_t index)
{
    CHIRR_ASSERT(index < store->author_count);
    const struct chirr_author *author = &store->authors[store->order[index].at];
    const struct chirr_slot *slot =
        &store->slots[chirr_records_register_slot(store, author, CHIRR_RECORD_CLAIMS)];
    return slot->stamp.incarnation != 0 ? slot->record : NULL;
}

const struct chirr_record *chirr_records_trust(const struct chirr_record_store *store,
                                               chirr_agent_id author)
{
    return find_register(store, author, CHIRR_RECORD_TRUST);
}

const struct chirr_record *chirr_records_find(const struct chirr_record_store *store,
                                              const struct chirr_digest_entry *statement)
{
    const struct chirr_author *author = chirr_records_author(store, statement->author);
    const struct chirr_slot *slot =
        author == NULL ? NULL : chirr_records_slot_at(store, author, statement->stamp);
    return slot == NULL ? NULL : slot->record;
}

const struct chirr_record *chirr_records_task(const struct chirr_record_store *store,
                                              chirr_task_id id)
{
    uint32_t at = chirr_records_task_slot(store, id);
    return at == CHIRR_SLOT_NONE ? NULL : store->slots[at].record;
}

uint32_t chirr_records_author_count(const struct chirr_record_store *store)
{
    return store->author_count;
}

chirr_agent_id chirr_records_author_at(const struct chirr_record_store *store, uint32_t index)
{
    CHIRR_ASSERT(index < store->author_count);
    return store->order[index].id;
}

uint32_t chirr_records_task_count(const struct chirr_record_store *store)
{
    return store->task_count;
}

const struct chirr_record *chirr_records_task_at(const struct chirr_record_store *store,
                                                 uint32_t index)
{
    CHIRR_ASSERT(index < store->task_count);
    return store->slots[store->tasks[index].slot].record;
}

bool chirr_records_is_quarantined(const struct chirr_record_store *store, chirr_agent_id author)
{
    const struct chirr_author *found = chirr_records_author(store, author);
    return found != NULL && found->quarantined;
}

const struct chirr_records_counters *chirr_records_count(const struct chirr_record_store *store)
{
    return &store->counters;
}

uint64_t chirr_records_state_hash(const struct chirr_record_store *store)
{
    static const enum chirr_record_kind registers[] = {CHIRR_RECORD_CARD, CHIRR_RECORD_CLAIMS,
                                                       CHIRR_RECORD_TRUST};
    struct chirr_digest_state state;
    chirr_digest_begin(&state);
    for (uint32_t i = 0; i < store->author_count; i++) {
        const struct chirr_author *author = &store->authors[store->order[i].at];
        for (size_t k = 0; k < sizeof registers / sizeof registers[0]; k++) {
            uint32_t at = chirr_records_register_slot(store, author, registers[k]);
            if (at != CHIRR_SLOT_NONE && store->slots[at].record->kind != 0) {
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

/* A mark is not signed: it makes no author, or anybody could fill the table with names. */
void chirr_records_cover(struct chirr_record_store *store, struct chirr_digest_entry entry)
{
    struct chirr_author *author = chirr_records_author(store, entry.author);
    if (author != NULL && chirr_stamp_compare(entry.stamp, author->covered) > 0) {
        chirr_records_set_covered(store, author, entry.stamp);
    }
}

static bool is_next(struct chirr_stamp covered, struct chirr_stamp stamp)
{
    return stamp.incarnation == covered.incarnation && stamp.version == covered.version + 1;
}

/* A mark raised to `stamp`, if that is the very next one, and on through what is held. */
static struct chirr_stamp raise_next(const struct chirr_record_store *store,
                                     const struct chirr_author *author, struct chirr_stamp mark,
                                     struct chirr_stamp stamp)
{
    if (!is_next(mark, stamp)) {
        return mark;
    }
    mark = stamp;
    uint32_t at = chirr_records_slot_after(store, author, mark);
    while (at != CHIRR_SLOT_NONE && is_next(mark, store->slots[at].stamp)) {
        mark = store->slots[at].stamp;
        at = store->slots[at].by_stamp.after;
    }
    return mark;
}

void chirr_records_cover_next(struct chirr_record_store *store, struct chirr_digest_entry entry)
{
    struct chirr_author *author = chirr_records_author(store, entry.author);
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
    struct chirr_stamp covered = raise_next(store, author, author->covered, entry.stamp);
    if (chirr_stamp_compare(covered, author->covered) > 0) {
        chirr_records_set_covered(store, author, covered);
    }
}

struct chirr_records_span chirr_records_span(const struct chirr_record_store *store,
                                             chirr_agent_id author)
{
    struct chirr_records_span span = {0};
    const struct chirr_author *found = chirr_records_author(store, author);
    if (found == NULL) {
        return span;
    }
    span.covered = found->covered;
    span.heard = found->heard;
    span.witnessed = found->witnessed;
    span.changed = found->changed;
    if (found->held.first != CHIRR_SLOT_NONE) {
        span.oldest = store->slots[found->held.first].stamp;
        span.newest = store->slots[found->held.last].stamp;
    }
    return span;
}

uint64_t chirr_records_print(const struct chirr_record_store *store, uint32_t bucket)
{
    CHIRR_ASSERT(bucket < CHIRR_DIGEST_BUCKETS);
    return store->prints[bucket];
}

static uint32_t first_since(const struct chirr_record_store *store, chirr_agent_id author,
                            struct chirr_stamp after)
{
    const struct chirr_author *found = chirr_records_author(store, author);
    return found == NULL ? CHIRR_SLOT_NONE : chirr_records_slot_after(store, found, after);
}

uint32_t chirr_records_since(const struct chirr_record_store *store, chirr_agent_id author,
                             struct chirr_stamp after, struct chirr_record *records,
                             uint32_t capacity)
{
    uint32_t count = 0;
    uint32_t at = first_since(store, author, after);
    while (at != CHIRR_SLOT_NONE && count < capacity) {
        chirr_record_copy(&records[count++], store->slots[at].record);
        at = store->slots[at].by_stamp.after;
    }
    return count;
}

uint32_t chirr_records_stamps_since(const struct chirr_record_store *store, chirr_agent_id author,
                                    struct chirr_stamp after, struct chirr_stamp *stamps,
                                    uint32_t capacity)
{
    uint32_t count = 0;
    uint32_t at = first_since(store, author, after);
    while (at != CHIRR_SLOT_NONE && count < capacity) {
        stamps[count++] = store->slots[at].stamp;
        at = store->slots[at].by_stamp.after;
    }
    return count;
}
