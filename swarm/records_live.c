/* What still matters of an author, and forgetting those of whom nothing does. */
#include "swarm/records_state.h"
#include "swarm/statement.h"

/* Claims mean something as long as one of their tasks is open here, in that epoch. */
static bool claims_live(const struct chirr_record_store *store, const struct chirr_claims *claims)
{
    for (uint32_t i = 0; i < claims->count; i++) {
        const struct chirr_record *task = chirr_records_task(store, claims->claims[i].task);
        if (task != NULL && task->task.phase == CHIRR_TASK_OPEN &&
            task->task.epoch == claims->claims[i].epoch) {
            return true;
        }
    }
    return false;
}

static bool is_live(const struct chirr_record_store *store, const struct chirr_record *record)
{
    switch (record->kind) {
    case CHIRR_RECORD_CARD:
        return false;
    case CHIRR_RECORD_CLAIMS:
        return claims_live(store, &record->claims);
    case CHIRR_RECORD_TASK:
        return !chirr_statement_ends_task(record);
    case CHIRR_RECORD_TRUST:
        return true;
    }
    return false;
}

/* The next live slot of the author from `at` on; CHIRR_SLOT_NONE. */
static uint32_t next_live(const struct chirr_record_store *store, uint32_t at)
{
    while (at != CHIRR_SLOT_NONE && !is_live(store, store->slots[at].record)) {
        at = store->slots[at].by_stamp.after;
    }
    return at;
}

static uint32_t first_slot(const struct chirr_record_store *store, chirr_agent_id author)
{
    const struct chirr_author *found = chirr_records_author(store, author);
    return found == NULL ? CHIRR_SLOT_NONE : found->held.first;
}

uint64_t chirr_records_live_print(const struct chirr_record_store *store, chirr_agent_id author)
{
    uint64_t sum = 0;
    uint32_t at = next_live(store, first_slot(store, author));
    while (at != CHIRR_SLOT_NONE) {
        const struct chirr_digest_entry held = {author, store->slots[at].stamp};
        sum += chirr_digest_print(&held);
        at = next_live(store, store->slots[at].by_stamp.after);
    }
    return sum;
}

struct chirr_stamp chirr_records_live_newest(const struct chirr_record_store *store,
                                             chirr_agent_id author)
{
    struct chirr_stamp newest = {0, 0};
    uint32_t at = next_live(store, first_slot(store, author));
    while (at != CHIRR_SLOT_NONE) {
        newest = store->slots[at].stamp;
        at = next_live(store, store->slots[at].by_stamp.after);
    }
    return newest;
}

uint32_t chirr_records_live_since(const struct chirr_record_store *store, chirr_agent_id author,
                                  struct chirr_stamp after, struct chirr_record *records,
                                  uint32_t capacity)
{
    const struct chirr_author *found = chirr_records_author(store, author);
    uint32_t count = 0;
    uint32_t at = found == NULL ? CHIRR_SLOT_NONE
                                : next_live(store, chirr_records_slot_after(store, found, after));
    while (at != CHIRR_SLOT_NONE && count < capacity) {
        chirr_record_copy(&records[count++], store->slots[at].record);
        at = next_live(store, store->slots[at].by_stamp.after);
    }
    return count;
}

/* ---- Forgetting ---------------------------------------------------------------------------- */

static enum chirr_stake stake_in(const struct chirr_record_store *store,
                                 const struct chirr_record *record, chirr_agent_id asker)
{
    if (is_live(store, record)) {
        return record->kind == CHIRR_RECORD_CLAIMS ? CHIRR_STAKE_CLAIMS : CHIRR_STAKE_TASKS;
    }
    bool result = record->kind == CHIRR_RECORD_TASK && record->task.submitter == asker;
    return result ? CHIRR_STAKE_RESULTS : CHIRR_STAKE_NONE;
}

enum chirr_stake chirr_records_stake(const struct chirr_record_store *store, chirr_agent_id author,
                                     chirr_agent_id asker)
{
    const struct chirr_author *found = chirr_records_author(store, author);
    bool quarantined = found != NULL && found->quarantined;
    enum chirr_stake greatest = quarantined ? CHIRR_STAKE_CLAIMS : CHIRR_STAKE_NONE;
    uint32_t at = first_slot(store, author);
    for (; at != CHIRR_SLOT_NONE; at = store->slots[at].by_stamp.after) {
        enum chirr_stake stake = stake_in(store, store->slots[at].record, asker);
        greatest = stake > greatest ? stake : greatest;
    }
    return greatest;
}

/* Neither a task that has not ended nor trust. */
static void forget(struct chirr_record_store *store, uint32_t at)
{
    const struct chirr_record *record = store->slots[at].record;
    if (record->kind == CHIRR_RECORD_TASK) {
        chirr_records_forget_task(store, at);
        return;
    }
    if (record->kind == CHIRR_RECORD_CLAIMS) {
        const struct chirr_parted parted = {record->author, record->stamp};
        chirr_ring_push_evict(&store->parted, &parted);
    }
    chirr_records_forget_register(store, at);
}

enum chirr_err chirr_records_evict(struct chirr_record_store *store, chirr_agent_id author)
{
    struct chirr_author *found = chirr_records_author(store, author);
    if (found == NULL) {
        return CHIRR_ERR_NOTFOUND;
    }
    if (chirr_records_stake(store, author, 0) == CHIRR_STAKE_TASKS) {
        return CHIRR_ERR_STATE;
    }
    uint32_t after;
    for (uint32_t at = found->held.first; at != CHIRR_SLOT_NONE; at = after) {
        after = store->slots[at].by_stamp.after;
        forget(store, at);
    }
    chirr_records_release(store, found);
    store->counters.evicted++;
    return CHIRR_OK;
}

void chirr_records_trim(struct chirr_record_store *store, chirr_agent_id author)
{
    uint32_t after;
    for (uint32_t at = first_slot(store, author); at != CHIRR_SLOT_NONE; at = after) {
        const struct chirr_record *record = store->slots[at].record;
        after = store->slots[at].by_stamp.after;
        if (record->kind != CHIRR_RECORD_CARD && !is_live(store, record)) {
            forget(store, at);
        }
    }
}
