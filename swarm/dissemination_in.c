/* Taking in what others say, pushed or in answer.
 *
 * Why it converges, in one invariant. Say that an agent's mark of an author covers its statements
 * up to there. For every statement that is covered here, the state here is at least as great, or
 * some greater statement on the same thing exists that is not covered here yet. An answer keeps
 * this: what its sender's marks cover and its records do not contain is dominated there. So a
 * covered statement never has to be sent again, and what is not covered is what is still missing.
 */
#include "swarm/dissemination_state.h"

/* Of what repair brought, so much is pushed on; more is a newcomer catching up, not news. */
#define REPAIRED_NEWS_MAX CHIRR_PUSH_RECORDS_MAX
/* An answer that brought so much has more to follow: asked again at once, not an interval later. */
#define FOLLOW_UP_RECORDS 8

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

/* Of a join that was not one, DOMINATED. */
static enum chirr_err take_in(struct chirr_dissemination *d, const struct chirr_record *record,
                              enum chirr_join *how)
{
    *how = CHIRR_JOIN_DOMINATED;
    if (record->author == d->config.self) {
        d->counters.own += record->kind != CHIRR_RECORD_TASK; /* tasks the store counts */
        return chirr_dissemination_hear_own(d, record);
    }
    if (was_forgotten(d, record)) {
        d->counters.ended++;
        return CHIRR_OK;
    }
    enum chirr_err err = chirr_dissemination_join(d, record, how);
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
        d->counters.unechoed += records->covered_count;
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

/* Changed here by a message of `from`: pushed on, or at least announced. In a mesh whoever said it
 * has reached everybody, unless it was said by nobody in it (0). */
static void pass_on(struct chirr_dissemination *d, const struct chirr_digest_entry *statement,
                    chirr_agent_id from, bool push)
{
    if (d->mesh && from != 0) {
        return;
    }
    const struct chirr_handout relay = {*statement, from};
    if (push && !chirr_ring_push(&d->relays, &relay)) {
        d->counters.dropped++; /* announced all the same */
    }
    chirr_tree_announce(d->tree, statement, d->now);
}

/* What one message of records brought. */
struct haul {
    bool pushed;     /* else sent: an answer */
    bool introduces; /* it came from the overlay, for its cards */
    uint32_t first;
    uint32_t changed;
    bool left_out[CHIRR_RECORDS_MAX];
};

/* What a statement was dominated by here; NULL: by nothing that is held. */
static const struct chirr_record *find_greater(const struct chirr_dissemination *d,
                                               const struct chirr_record *record)
{
    switch (record->kind) {
    case CHIRR_RECORD_CARD:
        return NULL; /* the overlay sees to those */
    case CHIRR_RECORD_CLAIMS:
        return chirr_records_claims(d->store, record->author);
    case CHIRR_RECORD_TASK:
        return chirr_records_task(d->store, record->task.id);
    case CHIRR_RECORD_TRUST:
        return chirr_records_trust(d->store, record->author);
    }
    return NULL;
}

/* Whoever answers with what has been overtaken here does not know by what. */
static void tell_greater(struct chirr_dissemination *d, const struct chirr_record *record,
                         chirr_agent_id to)
{
    const struct chirr_record *held = find_greater(d, record);
    if (held == NULL || to == 0) {
        return;
    }
    const struct chirr_digest_entry greater = {held->author, held->stamp};
    chirr_dissemination_want(d, &greater, 1, to);
}

/* With a local view cards come from their holders, and from the overlay. */
static bool passes_over(const struct chirr_dissemination *d, chirr_agent_id from,
                        const struct chirr_record *record, const struct haul *haul)
{
    return d->config.local && record->kind == CHIRR_RECORD_CARD && !haul->introduces &&
           record->author != from;
}

static enum chirr_err take_in_all(struct chirr_dissemination *d, chirr_agent_id from,
                                  const struct chirr_records *records, struct haul *haul)
{
    enum chirr_err first = CHIRR_OK;
    bool push = haul->pushed || records->count <= REPAIRED_NEWS_MAX;
    for (uint32_t i = 0; i < records->count; i++) {
        const struct chirr_record *record = &records->records[i];
        const struct chirr_digest_entry statement = {record->author, record->stamp};
        if (passes_over(d, from, record, haul)) {
            d->counters.passed_over++;
            continue;
        }
        enum chirr_join how;
        enum chirr_err err = take_in(d, record, &how);
        bool changed = err == CHIRR_OK && how == CHIRR_JOIN_CHANGED;
        haul->left_out[i] = err == CHIRR_ERR_FULL;
        /* What there was no room for is not seen: it may come again. */
        haul->first += !haul->left_out[i] && chirr_tree_see(d->tree, &statement);
        haul->changed += changed;
        if (changed && !(d->config.local && record->kind == CHIRR_RECORD_CARD)) {
            pass_on(d, &statement, from, push);
        } else if (d->config.local && !haul->pushed && err == CHIRR_OK &&
                   how == CHIRR_JOIN_DOMINATED && record->author != d->config.self) {
            tell_greater(d, record, from);
        }
        first = first == CHIRR_OK ? err : first;
    }
    return first;
}

static bool is_neighbour(const struct chirr_dissemination *d, chirr_agent_id agent)
{
    for (uint32_t i = 0; i < d->neighbour_count; i++) {
        if (d->neighbours[i] == agent) {
            return true;
        }
    }
    return false;
}

enum chirr_err chirr_dissemination_hear_records(struct chirr_dissemination *d, chirr_agent_id from,
                                                const struct chirr_records *records)
{
    if (records->count > CHIRR_RECORDS_MAX) {
        d->counters.refused++;
        return CHIRR_ERR_FULL;
    }
    struct haul haul = {.pushed = records->covered_count == 0 && is_neighbour(d, from)};
    enum chirr_err err = take_in_all(d, from, records, &haul);
    accept_marks(d, records, haul.left_out);
    if (haul.pushed && records->count > 0) {
        d->counters.first_deliveries += haul.first;
        d->counters.duplicates += records->count - haul.first;
        chirr_tree_pushed(d->tree, from, haul.first > 0);
        d->pushed_news += haul.changed;
    } else if (!haul.pushed && haul.changed >= FOLLOW_UP_RECORDS && haul.changed > d->pushed_news) {
        chirr_dissemination_follow_up(d, from);
    }
    if (!haul.pushed && haul.changed > 0) {
        chirr_tree_lost(d->tree);
        chirr_dissemination_hurry(d);
    }
    return err;
}

enum chirr_err chirr_dissemination_learn(struct chirr_dissemination *d, chirr_agent_id from,
                                         const struct chirr_record *records, uint32_t count,
                                         chirr_time_us now)
{
    d->now = now;
    CHIRR_ASSERT(count <= CHIRR_RECORDS_MAX);
    const struct chirr_records carried = {.count = count, .records = records};
    struct haul haul = {.introduces = true};
    return take_in_all(d, from, &carried, &haul);
}
