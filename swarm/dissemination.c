/* Push, and scuttlebutt.
 *
 * Why it converges, in one invariant. Say that an agent's mark of an author covers its statements
 * up to there. For every statement that is covered here, the state here is at least as great, or
 * some greater statement on the same thing exists that is not covered here yet. An answer keeps
 * this: what its sender's marks cover and its records do not contain is dominated there. So a
 * covered statement never has to be sent again, and what is not covered is what is still missing.
 *
 * The push of what this agent says needs no queue: it is what the store holds of it beyond the
 * `pushed` stamp, so statements overtaken by others before they went out are not sent at all. What
 * others said and is passed on waits in a bounded one. */
#include "swarm/dissemination.h"

#include <string.h>

#include "swarm/dissemination_state.h"

#define ERRANDS_MAX 32                /* digests that wait to be polled */
#define STREAM UINT64_C(0x6469737365) /* the machine's own, should seeds be shared */
/* Of what repair brought, so much is pushed on; more is a newcomer catching up, not news. */
#define REPAIRED_NEWS_MAX CHIRR_PUSH_RECORDS_MAX
/* An answer that brought so much has more to follow: asked again at once, not an interval later. */
#define FOLLOW_UP_RECORDS 8
/* Repair goes to a neighbour, but once in so many rounds to anybody, across whatever gap the
 * overlay may have; that may cost a connection, so not in a hurry. */
#define REPAIR_FAR_ONE_IN 8
/* So many times as often as usual while it finds something. */
#define REPAIR_HURRY 10

struct chirr_dissemination_config chirr_dissemination_config_default(void)
{
    return (struct chirr_dissemination_config){
        .repair_interval_ms = 1000,
        .repair_records_max = 32,
        .changes_max = 256,
        .relays_max = 256,
        .push_bytes_per_s = 256 * 1024,
        .repair_bytes_per_s = 64 * 1024,
        .tree = chirr_tree_config_default(),
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
    if (config->relays_max == 0 || config->push_bytes_per_s == 0 ||
        config->repair_bytes_per_s == 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "relays_max, push_bytes_per_s and repair_bytes_per_s must be at "
                               "least 1");
    }
    return chirr_tree_config_validate(&config->tree, error);
}

size_t chirr_dissemination_bytes(const struct chirr_dissemination_config *config)
{
    return chirr_arena_round(sizeof(struct chirr_dissemination)) +
           chirr_changes_bytes(config->changes_max) + chirr_tree_bytes(&config->tree) +
           2 * chirr_ring_bytes(config->relays_max, sizeof(struct chirr_handout)) +
           chirr_ring_bytes(ERRANDS_MAX, sizeof(struct chirr_errand)) +
           chirr_arena_round(config->repair_records_max * sizeof(struct chirr_record)) +
           chirr_arena_round(CHIRR_PUSH_RECORDS_MAX * sizeof(struct chirr_record)) +
           2 * chirr_arena_round(CHIRR_DIGEST_ENTRIES_MAX * sizeof(struct chirr_digest_entry));
}

static chirr_time_us jittered_interval(struct chirr_dissemination *d)
{
    chirr_time_us interval = chirr_time_from_ms(d->config.repair_interval_ms);
    return interval * 3 / 4 +
           (chirr_time_us)chirr_random_below(&d->random, (uint64_t)interval / 2 + 1);
}

static enum chirr_err create_queues(struct chirr_dissemination *d, struct chirr_arena *arena,
                                    const struct chirr_dissemination_config *config)
{
    enum chirr_err err =
        chirr_ring_init(&d->relays, arena, config->relays_max, sizeof(struct chirr_handout));
    if (err == CHIRR_OK) {
        err = chirr_ring_init(&d->wanted, arena, config->relays_max, sizeof(struct chirr_handout));
    }
    if (err == CHIRR_OK) {
        err = chirr_ring_init(&d->errands, arena, ERRANDS_MAX, sizeof(struct chirr_errand));
    }
    return err;
}

struct chirr_dissemination *
chirr_dissemination_create(struct chirr_arena *arena,
                           const struct chirr_dissemination_config *config,
                           struct chirr_record_store *store, chirr_time_us now)
{
    CHIRR_ASSERT(chirr_dissemination_config_validate(config, NULL) == CHIRR_OK);
    CHIRR_ASSERT(config->self != 0);
    struct chirr_dissemination *d = chirr_arena_take(arena, 1, sizeof *d);
    if (d == NULL || chirr_changes_init(&d->changes, arena, config->changes_max) != CHIRR_OK ||
        create_queues(d, arena, config) != CHIRR_OK) {
        return NULL;
    }
    d->tree = chirr_tree_create(arena, &config->tree);
    d->mesh = true; /* until told of neighbours */
    d->config = *config;
    d->store = store;
    d->now = now;
    d->answer.capacity = config->repair_records_max;
    d->answer.records =
        chirr_arena_take(arena, config->repair_records_max, sizeof *d->answer.records);
    d->push = chirr_arena_take(arena, CHIRR_PUSH_RECORDS_MAX, sizeof *d->push);
    d->entries = chirr_arena_take(arena, CHIRR_DIGEST_ENTRIES_MAX, sizeof *d->entries);
    d->answer.covered =
        chirr_arena_take(arena, CHIRR_DIGEST_ENTRIES_MAX, sizeof *d->answer.covered);
    if (d->tree == NULL || d->answer.records == NULL || d->push == NULL || d->entries == NULL ||
        d->answer.covered == NULL) {
        return NULL;
    }
    chirr_tree_set_neighbours(d->tree, NULL, 0, true);
    chirr_budget_init(&d->push_budget, config->push_bytes_per_s, 2 * config->push_bytes_per_s, now);
    chirr_budget_init(&d->repair_budget, config->repair_bytes_per_s, 8 * config->repair_bytes_per_s,
                      now);
    chirr_random_init(&d->random, config->seed, config->self ^ STREAM);
    /* Agents that start together do not repair in step. */
    d->repair_at = now + (chirr_time_us)chirr_random_below(
                             &d->random, (uint64_t)chirr_time_from_ms(config->repair_interval_ms));
    return d;
}

void chirr_dissemination_set_neighbours(struct chirr_dissemination *d, const chirr_agent_id *agents,
                                        uint32_t count, bool mesh)
{
    count = count < CHIRR_NEIGHBOURS_MAX ? count : CHIRR_NEIGHBOURS_MAX;
    d->neighbour_count = count;
    if (count > 0) {
        memcpy(d->neighbours, agents, count * sizeof *agents);
    }
    d->mesh = mesh;
    chirr_tree_set_neighbours(d->tree, agents, count, mesh);
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

/* ---- Taking in ----------------------------------------------------------------------------- */

enum chirr_err chirr_dissemination_join(struct chirr_dissemination *d,
                                        const struct chirr_record *record, enum chirr_join *how)
{
    enum chirr_err err = chirr_records_join(d->store, record, how);
    if (err == CHIRR_OK && *how == CHIRR_JOIN_CHANGED) {
        chirr_changes_note(&d->changes, record);
    }
    return err;
}

bool chirr_dissemination_changed(struct chirr_dissemination *d, struct chirr_record *record)
{
    return chirr_changes_next(&d->changes, d->store, record);
}

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
        return chirr_dissemination_hear_own(d, record);
    }
    if (was_forgotten(d, record)) {
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
    const struct chirr_handout greater = {{held->author, held->stamp}, to};
    d->counters.dropped += !chirr_ring_push(&d->wanted, &greater);
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

/* Where repair finds something there is more to find: the next round comes sooner. */
static void hurry_repair(struct chirr_dissemination *d)
{
    chirr_time_us soon = d->now + jittered_interval(d) / REPAIR_HURRY;
    if (soon < d->repair_at) {
        d->repair_at = soon;
        d->repair_hurries = true;
    }
}

static enum chirr_err receive_records(struct chirr_dissemination *d, chirr_agent_id from,
                                      const struct chirr_records *records)
{
    if (records->count > CHIRR_RECORDS_MAX) {
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
        chirr_dissemination_ask(d, from);
    }
    if (!haul.pushed && haul.changed > 0) {
        chirr_tree_lost(d->tree, d->now);
        hurry_repair(d);
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

static void receive_graft(struct chirr_dissemination *d, chirr_agent_id from,
                          const struct chirr_have *have)
{
    chirr_tree_lost(d->tree, d->now);
    for (uint32_t i = 0; i < have->count; i++) {
        const struct chirr_handout wanted = {have->entries[i], from};
        if (!chirr_ring_push(&d->wanted, &wanted)) {
            d->counters.dropped++;
        }
    }
}

/* ---- Digests ------------------------------------------------------------------------------- */

static void send_digest(struct chirr_dissemination *d, struct chirr_errand errand)
{
    for (size_t i = 0; i < d->errands.count; i++) {
        struct chirr_errand *waiting = chirr_ring_at(&d->errands, i);
        if (waiting->to == errand.to && (waiting->buckets == 0) == (errand.buckets == 0)) {
            waiting->buckets |= errand.buckets;
            waiting->answer_wanted = waiting->answer_wanted || errand.answer_wanted;
            return;
        }
    }
    if (!chirr_ring_push(&d->errands, &errand)) {
        d->counters.dropped++;
    }
}

/* One answer waits at a time: who drives this polls after every input. */
static void receive_entries(struct chirr_dissemination *d, chirr_agent_id from,
                            const struct chirr_digest_message *digest)
{
    if (d->answer_due) {
        d->counters.dropped++;
    } else {
        d->answer_to = from;
        d->answer_due =
            d->config.local
                ? chirr_repair_answer_live(&d->answer, d->store, &d->random, from, digest)
                : chirr_repair_answer(&d->answer, d->store, &d->random, from, digest);
    }
    if (digest->answer_wanted) {
        send_digest(d, (struct chirr_errand){from, false, digest->buckets});
    }
}

static void receive_digest(struct chirr_dissemination *d, chirr_agent_id from,
                           const struct chirr_digest_message *digest)
{
    if (!chirr_budget_allows(&d->repair_budget, d->now)) {
        d->counters.postponed++; /* it will ask again */
        return;
    }
    if (digest->summary_count == 0) {
        receive_entries(d, from, digest);
        return;
    }
    uint64_t different = chirr_repair_compare(d->store, d->config.local, digest);
    if (different != 0) {
        send_digest(d, (struct chirr_errand){from, true, different});
    }
}

enum chirr_err chirr_dissemination_receive(struct chirr_dissemination *d, chirr_agent_id from,
                                           const struct chirr_message *message, chirr_time_us now)
{
    d->now = now;
    switch (message->kind) {
    case CHIRR_MESSAGE_RECORDS:
        return receive_records(d, from, &message->records);
    case CHIRR_MESSAGE_DIGEST:
        receive_digest(d, from, &message->digest);
        return CHIRR_OK;
    case CHIRR_MESSAGE_HAVE:
        chirr_tree_announced(d->tree, from, &message->have, now);
        return CHIRR_OK;
    case CHIRR_MESSAGE_GRAFT:
        receive_graft(d, from, &message->have);
        return CHIRR_OK;
    default:
        return CHIRR_ERR_INVALID;
    }
}

void chirr_dissemination_ask(struct chirr_dissemination *d, chirr_agent_id to)
{
    if (to != 0 && to != d->config.self) {
        send_digest(d, (struct chirr_errand){to, true, 0});
    }
}

/* ---- Time ---------------------------------------------------------------------------------- */

static bool is_live(const struct chirr_member *member)
{
    return member->status == CHIRR_MEMBER_ALIVE || member->status == CHIRR_MEMBER_SUSPECT;
}

/* One of the others that are live, each as likely; 0 when there is none. */
static chirr_agent_id choose_member(struct chirr_dissemination *d,
                                    const struct chirr_membership *membership)
{
    chirr_agent_id chosen = 0;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < chirr_membership_count(membership); i++) {
        const struct chirr_member *member = chirr_membership_at(membership, i);
        if (is_live(member) && chirr_random_below(&d->random, ++seen) == 0) {
            chosen = member->agent;
        }
    }
    return chosen;
}

static chirr_agent_id choose_partner(struct chirr_dissemination *d,
                                     const struct chirr_membership *membership)
{
    bool far = d->mesh || d->neighbour_count == 0 ||
               (!d->repair_hurries && chirr_random_below(&d->random, REPAIR_FAR_ONE_IN) == 0);
    d->repair_hurries = false;
    return far ? choose_member(d, membership)
               : d->neighbours[chirr_random_below(&d->random, d->neighbour_count)];
}

static bool push_is_incomplete(const struct chirr_dissemination *d)
{
    return chirr_stamp_compare(d->pushed, d->own) < 0;
}

static bool something_to_push(const struct chirr_dissemination *d)
{
    return d->relays.count > 0 || (d->life != 0 && push_is_incomplete(d));
}

void chirr_dissemination_tick(struct chirr_dissemination *d,
                              const struct chirr_membership *membership, chirr_time_us now)
{
    d->now = now;
    d->push_due = d->push_due || (d->life != 0 && push_is_incomplete(d));
    d->relays_due = d->relays.count > 0;
    chirr_tree_tick(d->tree, now);
    if (now < d->repair_at) {
        return;
    }
    d->repair_at = now + jittered_interval(d);
    d->pushed_news = 0;
    if (!chirr_budget_allows(&d->repair_budget, now)) {
        d->counters.postponed++;
        return;
    }
    chirr_dissemination_ask(d, choose_partner(d, membership));
}

chirr_time_us chirr_dissemination_deadline(const struct chirr_dissemination *d)
{
    chirr_time_us at = chirr_time_min(d->repair_at, chirr_tree_deadline(d->tree));
    if (something_to_push(d) && !d->push_due && !d->relays_due) {
        at = chirr_time_min(at, d->now);
    } else if (something_to_push(d)) {
        at = chirr_time_min(at, chirr_budget_ready_at(&d->push_budget));
    }
    return d->wanted.count > 0 ? chirr_time_min(at, chirr_budget_ready_at(&d->repair_budget)) : at;
}

/* ---- Looking in ---------------------------------------------------------------------------- */

bool chirr_dissemination_is_eager(const struct chirr_dissemination *d, chirr_agent_id neighbour)
{
    return chirr_tree_is_eager(d->tree, neighbour);
}

struct chirr_dissemination_counters chirr_dissemination_count(const struct chirr_dissemination *d)
{
    struct chirr_dissemination_counters counters = d->counters;
    counters.overflows = d->changes.overflows;
    counters.tree = *chirr_tree_count(d->tree);
    return counters;
}
