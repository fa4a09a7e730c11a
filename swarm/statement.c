/* One statement: who may make it, how it orders, and its fingerprint. */
#include "swarm/statement.h"

#include <string.h>

#include "base/digest.h"
#include "swarm/records.h"

bool chirr_statement_allowed(const struct chirr_record *record)
{
    if (record->kind != CHIRR_RECORD_TASK) {
        return true;
    }
    const struct chirr_task *task = &record->task;
    switch (task->phase) {
    case CHIRR_TASK_OPEN:
        return task->epoch > 0 || record->author == task->submitter;
    case CHIRR_TASK_CANCELLED:
        return record->author == task->submitter;
    case CHIRR_TASK_RUNNING:
    case CHIRR_TASK_RELEASED:
    case CHIRR_TASK_DONE:
        return record->author == task->owner;
    }
    return false;
}

bool chirr_statement_epoch_allowed(const struct chirr_record *record,
                                   const struct chirr_record *held)
{
    uint32_t known = held == NULL ? 0 : held->task.epoch;
    return chirr_statement_ends_task(record) || record->task.epoch <= known ||
           record->task.epoch - known <= CHIRR_EPOCH_STEP_MAX;
}

bool chirr_statement_ends_task(const struct chirr_record *record)
{
    return record->kind == CHIRR_RECORD_TASK &&
           (record->task.phase == CHIRR_TASK_DONE || record->task.phase == CHIRR_TASK_CANCELLED);
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* DONE absorbs everything, CANCELLED everything but DONE. */
static uint64_t rank_of(enum chirr_task_phase phase)
{
    if (phase == CHIRR_TASK_DONE) {
        return 2;
    }
    return phase == CHIRR_TASK_CANCELLED ? 1 : 0;
}

int chirr_task_compare(const struct chirr_record *a, const struct chirr_record *b)
{
    const struct chirr_task *left = &a->task;
    const struct chirr_task *right = &b->task;
    int order = compare_u64(rank_of(left->phase), rank_of(right->phase));
    if (order == 0) {
        /* The first result counts: what a later epoch did over again is not needed. Before a
         * result the later epoch counts: it is the fencing token. */
        order = left->phase == CHIRR_TASK_DONE ? compare_u64(right->epoch, left->epoch)
                                               : compare_u64(left->epoch, right->epoch);
    }
    if (order == 0) {
        order = compare_u64(left->phase, right->phase);
    }
    if (order == 0) {
        order = compare_u64(right->owner, left->owner);
    }
    if (order == 0) {
        order = compare_u64(b->author, a->author);
    }
    return order != 0 ? order : chirr_stamp_compare(a->stamp, b->stamp);
}

/* With its length, so that no two sequences of texts digest alike. */
static void digest_text(struct chirr_digest_state *state, const char *text, size_t capacity)
{
    size_t bytes = strnlen(text, capacity);
    chirr_digest_add_u64(state, bytes);
    chirr_digest_add(state, text, bytes);
}

static void digest_tags(struct chirr_digest_state *state, const struct chirr_tags *tags)
{
    chirr_digest_add_u64(state, tags->count);
    for (uint32_t i = 0; i < tags->count; i++) {
        digest_text(state, tags->names[i], CHIRR_TAG_BYTES_MAX);
    }
}

static void digest_card(struct chirr_digest_state *state, const struct chirr_card *card)
{
    chirr_digest_add(state, card->public_key, sizeof card->public_key);
    chirr_digest_add(state, card->current_key, sizeof card->current_key);
    digest_text(state, card->name, sizeof card->name);
    digest_text(state, card->device, sizeof card->device);
    digest_text(state, card->publish_endpoint, sizeof card->publish_endpoint);
    digest_text(state, card->unicast_endpoint, sizeof card->unicast_endpoint);
    chirr_digest_add_u64(state, card->lineage);
    chirr_digest_add_u64(state, card->hosted);
    chirr_digest_add_u64(state, card->cpu_permille);
    chirr_digest_add_u64(state, card->slots);
    digest_tags(state, &card->provides);
}

static void digest_claims(struct chirr_digest_state *state, const struct chirr_claims *claims)
{
    chirr_digest_add_u64(state, claims->count);
    for (uint32_t i = 0; i < claims->count; i++) {
        chirr_digest_add_u64(state, claims->claims[i].task);
        chirr_digest_add_u64(state, claims->claims[i].epoch);
        chirr_digest_add_u64(state, (uint64_t)claims->claims[i].bid);
    }
}

/* The id stands for submitter, nonce and specification: it is their digest. */
static void digest_task(struct chirr_digest_state *state, const struct chirr_task *task)
{
    chirr_digest_add_u64(state, task->id);
    chirr_digest_add_u64(state, task->epoch);
    chirr_digest_add_u64(state, task->phase);
    chirr_digest_add_u64(state, task->owner);
    chirr_digest_add_u64(state, task->owner_incarnation);
    const struct chirr_task_result *result = &task->result;
    chirr_digest_add_u64(state, result->end);
    chirr_digest_add_u64(state, (uint64_t)result->code);
    chirr_digest_add_u64(state, result->duration_us);
    chirr_digest_add_u64(state, result->predicted_us);
    chirr_digest_add_u64(state, result->output_total_bytes);
    chirr_digest_add_u64(state, result->output_bytes);
    chirr_digest_add(state, result->output, result->output_bytes);
}

static void digest_trust(struct chirr_digest_state *state, const struct chirr_trust *trust)
{
    chirr_digest_add_u64(state, trust->count);
    for (uint32_t i = 0; i < trust->count; i++) {
        const struct chirr_trust_change *change = &trust->changes[i];
        chirr_digest_add(state, change->public_key, sizeof change->public_key);
        chirr_digest_add_u64(state, change->holder);
        chirr_digest_add_u64(state, change->removed);
    }
}

uint64_t chirr_statement_digest(const struct chirr_record *record)
{
    struct chirr_digest_state state;
    chirr_digest_begin(&state);
    chirr_digest_add_u64(&state, record->kind);
    chirr_digest_add_u64(&state, record->author);
    chirr_digest_add_u64(&state, record->stamp.incarnation);
    chirr_digest_add_u64(&state, record->stamp.version);
    switch (record->kind) {
    case CHIRR_RECORD_CARD:
        digest_card(&state, &record->card);
        break;
    case CHIRR_RECORD_CLAIMS:
        digest_claims(&state, &record->claims);
        break;
    case CHIRR_RECORD_TASK:
        digest_task(&state, &record->task);
        break;
    case CHIRR_RECORD_TRUST:
        digest_trust(&state, &record->trust);
        break;
    }
    return chirr_digest_end(&state);
}
