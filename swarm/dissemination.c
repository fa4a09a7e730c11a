/* Push, and scuttlebutt.
 *
 * Why it converges, in one invariant. Say that an agent's mark of an author covers its statements
 * up to there. For every statement that is covered here, the state here is at least as great, or
 * some greater statement on the same thing exists that is not covered here yet. An answer keeps
 * this: what its sender's marks cover and its records do not contain is dominated there. So a
 * covered statement never has to be sent again, and what is not covered is what is still missing.
 *
 * The push needs no queue: it is what the store holds of this agent beyond the `pushed` stamp, so
 * statements overtaken by others before they went out are not sent at all. */
#include "swarm/dissemination.h"

#include <string.h>

#include "base/random.h"
#include "base/ring.h"
#include "swarm/repair.h"

#define PUSH_RECORDS_MAX 16 /* what one instant changes; the rest follows with the next tick */
#define DIGESTS_MAX 32      /* waiting to be polled */
#define STREAM UINT64_C(0x6469737365) /* the machine's own, should seeds be shared */

/* A key, not a copy: the record is looked up when it is collected. */
struct change {
    enum chirr_record_kind kind;
    chirr_agent_id author;
    chirr_task_id task;
};

/* A walk over everything held, one kind after the other. By id, since what is collected may change
 * the store meanwhile. */
struct walk {
    enum chirr_record_kind kind; /* 0: over */
    uint64_t after;              /* the last author or task shown of this kind */
};

struct errand {
    chirr_agent_id to;
    bool answer_wanted;
};

struct chirr_dissemination {
    struct chirr_dissemination_config config;
    struct chirr_record_store *store; /* borrowed */
    struct chirr_random random;
    uint64_t life;             /* incarnation of this life's first statement; 0 before it */
    struct chirr_stamp own;    /* of the newest statement made or heard as self */
    struct chirr_stamp pushed; /* everything own up to here went out */
    bool push_due;
    chirr_time_us now; /* of the newest input */
    chirr_time_us repair_at;
    struct chirr_ring changes;         /* of struct change */
    struct walk walk;                  /* goes before `changes` */
    struct chirr_ring errands;         /* of struct errand */
    struct chirr_repair_answer answer; /* borrowed by a SEND */
    chirr_agent_id answer_to;
    bool answer_due;
    struct chirr_record *push;          /* [PUSH_RECORDS_MAX], borrowed by a PUBLISH */
    struct chirr_digest_entry *entries; /* [CHIRR_DIGEST_ENTRIES_MAX], borrowed by a SEND */
    struct chirr_message push_message, answer_message, digest_message[2];
    struct chirr_dissemination_counters counters;
};

struct chirr_dissemination_config chirr_dissemination_config_default(void)
{
    return (struct chirr_dissemination_config){
        .repair_interval_ms = 1000,
        .repair_records_max = 32,
        .changes_max = 256,
    };
}

enum chirr_err chirr_dissemination_config_validate(const struct chirr_dissemination_config *config,
                                                   struct chirr_error *error)
{
    if (config->repair_interval_ms == 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "repair_interval_ms must be at least 1");
    }
    if (config->repair_records_max == 0 || config->repair_records_max > CHIRR_RECORDS_MAX) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "repair_records_max is %u, must be 1…%d",
                               config->repair_records_max, CHIRR_RECORDS_MAX);
    }
    if (config->changes_max == 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "changes_max must be at least 1");
    }
    return CHIRR_OK;
}

size_t chirr_dissemination_bytes(const struct chirr_dissemination_config *config)
{
    return chirr_arena_round(sizeof(struct chirr_dissemination)) +
           chirr_ring_bytes(config->changes_max, sizeof(struct change)) +
           chirr_ring_bytes(DIGESTS_MAX, sizeof(struct errand)) +
           chirr_arena_round(config->repair_records_max * sizeof(struct chirr_record)) +
           chirr_arena_round(PUSH_RECORDS_MAX * sizeof(struct chirr_record)) +
           2 * chirr_arena_round(CHIRR_DIGEST_ENTRIES_MAX * sizeof(struct chirr_digest_entry));
}

static chirr_time_us jittered_interval(struct chirr_dissemination *d)
{
    chirr_time_us interval = chirr_time_from_ms(d->config.repair_interval_ms);
    return interval * 3 / 4 +
           (chirr_time_us)chirr_random_below(&d->random, (uint64_t)interval / 2 + 1);
}

struct chirr_dissemination *
chirr_dissemination_create(struct chirr_arena *arena,
                           const struct chirr_dissemination_config *config,
                           struct chirr_record_store *store, chirr_time_us now)
{
    CHIRR_ASSERT(chirr_dissemination_config_validate(config, NULL) == CHIRR_OK);
    CHIRR_ASSERT(config->self != 0);
    struct chirr_dissemination *d = chirr_arena_take(arena, 1, sizeof *d);
    if (d == NULL ||
        chirr_ring_init(&d->changes, arena, config->changes_max, sizeof(struct change)) !=
            CHIRR_OK ||
        chirr_ring_init(&d->errands, arena, DIGESTS_MAX, sizeof(struct errand)) != CHIRR_OK) {
        return NULL;
    }
    d->config = *config;
    d->store = store;
    d->now = now;
    d->answer.capacity = config->repair_records_max;
    d->answer.records =
        chirr_arena_take(arena, config->repair_records_max, sizeof *d->answer.records);
    d->push = chirr_arena_take(arena, PUSH_RECORDS_MAX, sizeof *d->push);
    d->entries = chirr_arena_take(arena, CHIRR_DIGEST_ENTRIES_MAX, sizeof *d->entries);
    d->answer.covered =
        chirr_arena_take(arena, CHIRR_DIGEST_ENTRIES_MAX, sizeof *d->answer.covered);
    if (d->answer.records == NULL || d->push == NULL || d->entries == NULL ||
        d->answer.covered == NULL) {
        return NULL;
    }
    chirr_random_init(&d->random, config->seed, config->self ^ STREAM);
    /* Agents that start together do not repair in step. */
    d->repair_at = now + (chirr_time_us)chirr_random_below(
                             &d->random, (uint64_t)chirr_time_from_ms(config->repair_interval_ms));
    return d;
}

/* ---- Taking in ----------------------------------------------------------------------------- */

/* A change that nobody hears of is lost for ever: it is known here and will not come again. So when
 * the queue is full, everything is shown once more instead. */
static void note_change(struct chirr_dissemination *d, const struct chirr_record *record)
{
    bool is_task = record->kind == CHIRR_RECORD_TASK;
    struct change change = {record->kind, record->author, is_task ? record->task.id : 0};
    if (!chirr_ring_push(&d->changes, &change)) {
        d->counters.overflows++;
        d->changes.count = 0;
        d->walk = (struct walk){CHIRR_RECORD_CARD, 0};
    }
}

static enum chirr_err join(struct chirr_dissemination *d, const struct chirr_record *record,
                           enum chirr_join *how)
{
    enum chirr_err err = chirr_records_join(d->store, record, how);
    if (err == CHIRR_OK && *how == CHIRR_JOIN_CHANGED) {
        note_change(d, record);
    }
    return err;
}

/* ---- Speaking as self ---------------------------------------------------------------------- */

/* A statement that is dominated already consumes no version: nobody will ever miss it. */
static enum chirr_err speak(struct chirr_dissemination *d, struct chirr_record *record)
{
    record->author = d->config.self;
    record->stamp = (struct chirr_stamp){d->own.incarnation, d->own.version + 1};
    memset(record->signature, 0, sizeof record->signature);
    enum chirr_join how;
    enum chirr_err err = join(d, record, &how);
    if (err != CHIRR_OK) {
        return err;
    }
    if (how != CHIRR_JOIN_CHANGED) {
        return CHIRR_ERR_STALE;
    }
    d->own = record->stamp;
    chirr_records_cover(d->store, (struct chirr_digest_entry){d->config.self, d->own});
    d->push_due = true;
    return CHIRR_OK;
}

/* Makes every own statement of an earlier life once more, in this one. Each gets the newest stamp,
 * so the oldest held is the next to do, until it is of this life. */
static void restate(struct chirr_dissemination *d)
{
    for (;;) {
        struct chirr_stamp oldest = chirr_records_span(d->store, d->config.self).oldest;
        struct chirr_record record;
        if (oldest.incarnation == 0 || oldest.incarnation >= d->life ||
            chirr_records_since(d->store, d->config.self, (struct chirr_stamp){0, 0}, &record, 1) !=
                1 ||
            speak(d, &record) != CHIRR_OK) {
            return;
        }
        d->counters.restated++;
    }
}

static void begin_life(struct chirr_dissemination *d, uint64_t incarnation)
{
    d->life = incarnation;
    d->own = (struct chirr_stamp){incarnation, 0};
}

enum chirr_err chirr_dissemination_state(struct chirr_dissemination *d, struct chirr_record *record,
                                         uint64_t incarnation, chirr_time_us now)
{
    d->now = now;
    if (d->life == 0 && incarnation <= d->own.incarnation) {
        return CHIRR_ERR_STALE;
    }
    if (d->life == 0) {
        begin_life(d, incarnation);
    } else if (incarnation > d->own.incarnation) {
        d->own = (struct chirr_stamp){incarnation, 0};
    }
    enum chirr_err err = speak(d, record);
    restate(d);
    return err;
}

/* Others know claims that this life never made: they are void. */
static enum chirr_err withdraw_claims(struct chirr_dissemination *d)
{
    if (chirr_records_claims(d->store, d->config.self) != NULL) {
        return CHIRR_OK;
    }
    struct chirr_record none;
    memset(&none, 0, sizeof none);
    none.kind = CHIRR_RECORD_CLAIMS;
    return speak(d, &none);
}

/* A record of this agent's own, from disk or from others. One beyond all that it said means that it
 * had a greater incarnation before (its clock was set back): a new life begins above that, and
 * everything is said again. */
static enum chirr_err hear_own(struct chirr_dissemination *d, const struct chirr_record *record)
{
    if (record->stamp.incarnation == UINT64_MAX) {
        return CHIRR_ERR_RANGE;
    }
    bool beyond = chirr_stamp_compare(record->stamp, d->own) > 0;
    enum chirr_err err = CHIRR_OK;
    enum chirr_join how;
    if (record->kind == CHIRR_RECORD_TASK) {
        err = join(d, record, &how);
    }
    if (err != CHIRR_OK) {
        return err;
    }
    if (beyond && d->life == 0) {
        d->own = record->stamp;
    } else if (beyond) {
        begin_life(d, record->stamp.incarnation + 1);
    }
    if (d->life == 0) {
        return CHIRR_OK;
    }
    restate(d);
    bool void_claims = record->kind == CHIRR_RECORD_CLAIMS && record->stamp.incarnation < d->life;
    return void_claims ? withdraw_claims(d) : CHIRR_OK;
}

enum chirr_err chirr_dissemination_restore(struct chirr_dissemination *d,
                                           const struct chirr_record *record)
{
    enum chirr_join how;
    return record->author == d->config.self ? hear_own(d, record) : join(d, record, &how);
}

/* ---- Showing what changed ------------------------------------------------------------------ */

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
    }
    return NULL;
}

static uint64_t id_at(const struct chirr_record_store *store, bool tasks, uint32_t index)
{
    return tasks ? chirr_records_task_at(store, index)->task.id
                 : chirr_records_author_at(store, index);
}

/* The next key of the walk; false when it is over. */
static bool walk_on(struct chirr_dissemination *d, struct change *key)
{
    while (d->walk.kind != 0) {
        bool tasks = d->walk.kind == CHIRR_RECORD_TASK;
        uint32_t low = 0;
        uint32_t count =
            tasks ? chirr_records_task_count(d->store) : chirr_records_author_count(d->store);
        for (uint32_t high = count; low < high;) {
            uint32_t middle = low + (high - low) / 2;
            if (id_at(d->store, tasks, middle) <= d->walk.after) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if (low < count) {
            d->walk.after = id_at(d->store, tasks, low);
            *key = (struct change){d->walk.kind, d->walk.after, d->walk.after};
            return true;
        }
        d->walk.kind = tasks ? 0 : d->walk.kind + 1;
        d->walk.after = 0;
    }
    return false;
}

bool chirr_dissemination_changed(struct chirr_dissemination *d, struct chirr_record *record)
{
    struct change change;
    while (walk_on(d, &change) || chirr_ring_pop(&d->changes, &change)) {
        const struct chirr_record *found = find_record(d->store, &change);
        if (found != NULL) { /* else forgotten meanwhile, or never said */
            *record = *found;
            return true;
        }
    }
    return false;
}

/* ---- Receiving records --------------------------------------------------------------------- */

/* Everything up to there was taken in, so what is not here was dominated or has been forgotten: the
 * second guard, after the store's own, against running a task that ended long ago again. Not by
 * `covered`: marks are not signed, and a false one must not keep out what is not here. */
static bool was_forgotten(const struct chirr_dissemination *d, const struct chirr_record *record)
{
    if (record->kind != CHIRR_RECORD_TASK ||
        chirr_records_task(d->store, record->task.id) != NULL) {
        return false;
    }
    struct chirr_stamp witnessed = chirr_records_span(d->store, record->author).witnessed;
    return record->stamp.incarnation == witnessed.incarnation &&
           record->stamp.version <= witnessed.version;
}

static enum chirr_err take_in(struct chirr_dissemination *d, const struct chirr_record *record)
{
    if (record->author == d->config.self) {
        return hear_own(d, record);
    }
    if (was_forgotten(d, record)) {
        return CHIRR_OK;
    }
    enum chirr_join how;
    enum chirr_err err = join(d, record, &how);
    if (err == CHIRR_OK) {
        chirr_records_cover_next(d->store,
                                 (struct chirr_digest_entry){record->author, record->stamp});
    }
    return err;
}

/* No mark beyond what its author was heard to say: a false one could stop this agent from asking
 * for what comes. */
static void accept_mark(struct chirr_dissemination *d, struct chirr_digest_entry mark)
{
    struct chirr_records_span span = chirr_records_span(d->store, mark.author);
    bool restored = chirr_stamp_compare(span.newest, span.heard) > 0;
    struct chirr_stamp heard = restored ? span.newest : span.heard;
    if (chirr_stamp_compare(mark.stamp, heard) > 0) {
        mark.stamp = heard;
    }
    chirr_records_cover(d->store, mark);
}

/* The sender's marks hold once its records are in. Where one was left out for lack of room here,
 * its author's mark stays, so that it will be sent again. A record that was refused for what it is
 * would be refused everywhere: it holds nothing up. */
static void accept_marks(struct chirr_dissemination *d, const struct chirr_records *records,
                         const bool *left_out)
{
    const struct chirr_digest_entry *echo =
        chirr_repair_find(records->covered, records->covered_count, d->config.self);
    if (d->life == 0 || echo == NULL || echo->stamp.incarnation != d->life) {
        return;
    }
    for (uint32_t i = 0; i < records->covered_count; i++) {
        const struct chirr_digest_entry *entry = &records->covered[i];
        bool complete = entry->author != d->config.self;
        for (uint32_t j = 0; j < records->count && complete; j++) {
            complete = !left_out[j] || records->records[j].author != entry->author;
        }
        if (complete) {
            accept_mark(d, *entry);
        }
    }
}

static enum chirr_err receive_records(struct chirr_dissemination *d,
                                      const struct chirr_records *records)
{
    enum chirr_err first = CHIRR_OK;
    bool left_out[CHIRR_RECORDS_MAX];
    if (records->count > CHIRR_RECORDS_MAX) {
        return CHIRR_ERR_FULL;
    }
    for (uint32_t i = 0; i < records->count; i++) {
        enum chirr_err err = take_in(d, &records->records[i]);
        left_out[i] = err == CHIRR_ERR_FULL;
        first = first == CHIRR_OK ? err : first;
    }
    accept_marks(d, records, left_out);
    return first;
}

/* ---- Digests ------------------------------------------------------------------------------- */

static void send_digest(struct chirr_dissemination *d, chirr_agent_id to, bool answer_wanted)
{
    struct errand errand = {to, answer_wanted};
    if (!chirr_ring_push(&d->errands, &errand)) {
        d->counters.dropped++;
    }
}

/* One answer waits at a time: who drives this polls after every input. */
static void receive_digest(struct chirr_dissemination *d, chirr_agent_id from,
                           const struct chirr_digest_message *digest)
{
    if (d->answer_due) {
        d->counters.dropped++;
    } else {
        d->answer_to = from;
        d->answer_due = chirr_repair_answer(&d->answer, d->store, &d->random, from, digest);
    }
    if (digest->answer_wanted) {
        send_digest(d, from, false);
    }
}

enum chirr_err chirr_dissemination_receive(struct chirr_dissemination *d, chirr_agent_id from,
                                           const struct chirr_message *message, chirr_time_us now)
{
    d->now = now;
    switch (message->kind) {
    case CHIRR_MESSAGE_RECORDS:
        return receive_records(d, &message->records);
    case CHIRR_MESSAGE_DIGEST:
        receive_digest(d, from, &message->digest);
        return CHIRR_OK;
    default:
        return CHIRR_ERR_INVALID;
    }
}

/* ---- Time and output ----------------------------------------------------------------------- */

/* One of the others that are live, each as likely; 0 when there is none. */
static chirr_agent_id choose_live(struct chirr_dissemination *d,
                                  const struct chirr_membership *membership)
{
    chirr_agent_id chosen = 0;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < chirr_membership_count(membership); i++) {
        const struct chirr_member *member = chirr_membership_at(membership, i);
        bool live = member->status == CHIRR_MEMBER_ALIVE || member->status == CHIRR_MEMBER_SUSPECT;
        if (live && chirr_random_below(&d->random, ++seen) == 0) {
            chosen = member->agent;
        }
    }
    return chosen;
}

static bool push_is_incomplete(const struct chirr_dissemination *d)
{
    return chirr_stamp_compare(d->pushed, d->own) < 0;
}

void chirr_dissemination_tick(struct chirr_dissemination *d,
                              const struct chirr_membership *membership, chirr_time_us now)
{
    d->now = now;
    d->push_due = d->push_due || (d->life != 0 && push_is_incomplete(d));
    if (now < d->repair_at) {
        return;
    }
    d->repair_at = now + jittered_interval(d);
    chirr_agent_id to = choose_live(d, membership);
    if (to != 0) {
        send_digest(d, to, true);
    }
}

chirr_time_us chirr_dissemination_deadline(const struct chirr_dissemination *d)
{
    bool more_to_push = d->life != 0 && !d->push_due && push_is_incomplete(d);
    return more_to_push ? chirr_time_min(d->now, d->repair_at) : d->repair_at;
}

static bool poll_push(struct chirr_dissemination *d, struct chirr_output *output)
{
    if (!d->push_due) {
        return false;
    }
    d->push_due = false;
    uint32_t count =
        chirr_records_since(d->store, d->config.self, d->pushed, d->push, PUSH_RECORDS_MAX);
    d->pushed = count == PUSH_RECORDS_MAX ? d->push[count - 1].stamp : d->own;
    if (count == 0) {
        return false;
    }
    d->counters.pushed_records += count;
    d->push_message = (struct chirr_message){.kind = CHIRR_MESSAGE_RECORDS,
                                             .records = {.count = count, .records = d->push}};
    *output = (struct chirr_output){
        .kind = CHIRR_OUTPUT_PUBLISH, .topic = CHIRR_TOPIC_EAGER, .message = &d->push_message};
    return true;
}

static bool poll_answer(struct chirr_dissemination *d, struct chirr_output *output)
{
    const struct chirr_repair_answer *answer = &d->answer;
    if (!d->answer_due) {
        return false;
    }
    d->answer_due = false;
    d->counters.answered_records += answer->count;
    d->answer_message = (struct chirr_message){
        .kind = CHIRR_MESSAGE_RECORDS,
        .records = {.count = answer->count,
                    .records = answer->records,
                    .covered_count = answer->covered_count,
                    .covered = answer->covered},
    };
    *output = (struct chirr_output){
        .kind = CHIRR_OUTPUT_SEND, .to = d->answer_to, .message = &d->answer_message};
    return true;
}

/* The digest is made when it goes out; several polled in a row are equal, so they may share. */
static bool poll_digest(struct chirr_dissemination *d, struct chirr_output *output)
{
    struct errand errand;
    if (!chirr_ring_pop(&d->errands, &errand)) {
        return false;
    }
    uint32_t covered = chirr_records_covered(d->store, d->entries, CHIRR_DIGEST_ENTRIES_MAX);
    uint32_t count = 0;
    for (uint32_t i = 0; i < covered; i++) {
        struct chirr_digest_entry entry = d->entries[i];
        if (entry.author == d->config.self) {
            entry.stamp = (struct chirr_stamp){d->life, d->own.incarnation};
        }
        if (entry.stamp.incarnation != 0) {
            d->entries[count++] = entry;
        }
    }
    struct chirr_message *message = &d->digest_message[errand.answer_wanted];
    *message = (struct chirr_message){
        .kind = CHIRR_MESSAGE_DIGEST,
        .digest = {.answer_wanted = errand.answer_wanted, .count = count, .entries = d->entries},
    };
    *output = (struct chirr_output){.kind = CHIRR_OUTPUT_SEND, .to = errand.to, .message = message};
    return true;
}

bool chirr_dissemination_poll(struct chirr_dissemination *d, struct chirr_output *output)
{
    return poll_push(d, output) || poll_answer(d, output) || poll_digest(d, output);
}

void chirr_dissemination_ask(struct chirr_dissemination *d, chirr_agent_id to)
{
    if (to != 0 && to != d->config.self) {
        send_digest(d, to, true);
    }
}

const struct chirr_dissemination_counters *
chirr_dissemination_count(const struct chirr_dissemination *d)
{
    return &d->counters;
}
