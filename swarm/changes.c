/* A queue of keys, and the walk that stands in for it. */
#include "swarm/changes.h"

struct change {
    enum chirr_record_kind kind;
    chirr_agent_id author;
    chirr_task_id task;
};

size_t chirr_changes_bytes(uint32_t changes_max)
{
    return chirr_ring_bytes(changes_max, sizeof(struct change));
}

enum chirr_err chirr_changes_init(struct chirr_changes *changes, struct chirr_arena *arena,
                                  uint32_t changes_max)
{
    *changes = (struct chirr_changes){.overflows = 0};
    return chirr_ring_init(&changes->queue, arena, changes_max, sizeof(struct change));
}

void chirr_changes_note(struct chirr_changes *changes, const struct chirr_record *record)
{
    bool is_task = record->kind == CHIRR_RECORD_TASK;
    struct change change = {record->kind, record->author, is_task ? record->task.id : 0};
    if (!chirr_ring_push(&changes->queue, &change)) {
        changes->overflows++;
        changes->queue.count = 0;
        changes->walk = (struct chirr_changes_walk){CHIRR_RECORD_CARD, 0};
    }
}

static const struct chirr_record *find_record(const struct chirr_record_store *store,
                                              const struct change *key)
{
    switch (key->kind) {
    case CHIRR_RECORD_CARD:
        return chirr_records_card(store, key->author);
    case CHIRR_RECORD_CLAIMS:
        return chirr_records_claims(store, key->author);
    case CHIRR_RECORD_TASK:
        return chirr_records_task(store, key->task);
    case CHIRR_RECORD_TRUST:
        return chirr_records_trust(store, key->author);
    }
    return NULL;
}

static uint64_t id_at(const struct chirr_record_store *store, bool tasks, uint32_t index)
{
    return tasks ? chirr_records_task_at(store, index)->task.id
                 : chirr_records_author_at(store, index);
}

/* The next key of the walk; false when it is over. */
static bool walk_on(struct chirr_changes *changes, const struct chirr_record_store *store,
                    struct change *key)
{
    while (changes->walk.kind != 0) {
        bool tasks = changes->walk.kind == CHIRR_RECORD_TASK;
        uint32_t low = 0;
        uint32_t count =
            tasks ? chirr_records_task_count(store) : chirr_records_author_count(store);
        for (uint32_t high = count; low < high;) {
            uint32_t middle = low + (high - low) / 2;
            if (id_at(store, tasks, middle) <= changes->walk.after) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if (low < count) {
            changes->walk.after = id_at(store, tasks, low);
            *key = (struct change){changes->walk.kind, changes->walk.after, changes->walk.after};
            return true;
        }
        changes->walk.kind = changes->walk.kind == CHIRR_RECORD_TRUST ? 0 : changes->walk.kind + 1;
        changes->walk.after = 0;
    }
    return false;
}

bool chirr_changes_next(struct chirr_changes *changes, const struct chirr_record_store *store,
                        struct chirr_record *record)
{
    struct change change;
    while (walk_on(changes, store, &change) || chirr_ring_pop(&changes->queue, &change)) {
        const struct chirr_record *found = find_record(store, &change);
        if (found != NULL) { /* else forgotten meanwhile, or never said */
            chirr_record_copy(record, found);
            return true;
        }
    }
    return false;
}
