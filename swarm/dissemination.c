/* Push, and scuttlebutt: the machine, its time, and who may look in.
 *
 * The push of what this agent says needs no queue: it is what the store holds of it beyond the
 * `pushed` stamp, so statements overtaken by others before they went out are not sent at all. What
 * others said and is passed on waits in a bounded one. */
#include "swarm/dissemination.h"

#include <string.h>

#include "swarm/dissemination_state.h"

#define ERRANDS_MAX 32                /* digests that wait to be polled */
#define STREAM UINT64_C(0x6469737365) /* the machine's own, should seeds be shared */
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

/* A lone asker, who gets no more places than are left, can fill relays_max of them. */
static size_t wanted_max(const struct chirr_dissemination_config *config)
{
    return 2 * (size_t)config->relays_max;
}

size_t chirr_dissemination_bytes(const struct chirr_dissemination_config *config)
{
    return chirr_arena_round(sizeof(struct chirr_dissemination)) +
           chirr_changes_bytes(config->changes_max) + chirr_tree_bytes(&config->tree) +
           chirr_ring_bytes(config->relays_max, sizeof(struct chirr_handout)) +
           chirr_ring_bytes(wanted_max(config), sizeof(struct chirr_handout)) +
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

static uint32_t burst_of(uint32_t bytes_per_s, uint32_t seconds)
{
    uint64_t bytes = (uint64_t)bytes_per_s * seconds;
    return bytes < UINT32_MAX / 2 ? (uint32_t)bytes : UINT32_MAX / 2;
}

static enum chirr_err create_queues(struct chirr_dissemination *d, struct chirr_arena *arena,
                                    const struct chirr_dissemination_config *config)
{
    enum chirr_err err =
        chirr_ring_init(&d->relays, arena, config->relays_max, sizeof(struct chirr_handout));
    if (err == CHIRR_OK) {
        err = chirr_ring_init(&d->wanted, arena, wanted_max(config), sizeof(struct chirr_handout));
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
    chirr_budget_init(&d->push_budget, config->push_bytes_per_s,
                      burst_of(config->push_bytes_per_s, 2), now);
    const struct chirr_shares_config repair = {
        .bytes_per_s = config->repair_bytes_per_s,
        .common_bytes = burst_of(config->repair_bytes_per_s, 8),
        .held_back_bytes = burst_of(config->repair_bytes_per_s, 4),
    };
    chirr_shares_init(&d->repair_shares, &repair, config->self, now);
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

/* ---- What comes ----------------------------------------------------------------------------- */

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

enum chirr_err chirr_dissemination_receive(struct chirr_dissemination *d, chirr_agent_id from,
                                           const struct chirr_message *message, chirr_time_us now)
{
    d->now = now;
    switch (message->kind) {
    case CHIRR_MESSAGE_RECORDS:
        return chirr_dissemination_hear_records(d, from, &message->records);
    case CHIRR_MESSAGE_DIGEST:
        chirr_dissemination_hear_digest(d, from, &message->digest);
        return CHIRR_OK;
    case CHIRR_MESSAGE_HAVE:
        chirr_tree_announced(d->tree, from, &message->have, now);
        return CHIRR_OK;
    case CHIRR_MESSAGE_GRAFT:
        chirr_dissemination_hear_graft(d, from, &message->have);
        return CHIRR_OK;
    default:
        d->counters.refused++;
        return CHIRR_ERR_INVALID;
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

void chirr_dissemination_hurry(struct chirr_dissemination *d)
{
    chirr_time_us soon = d->now + jittered_interval(d) / REPAIR_HURRY;
    if (soon < d->repair_at) {
        d->repair_at = soon;
        d->repair_hurries = true;
    }
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
    if (chirr_dissemination_affords(d, d->config.self)) {
        chirr_dissemination_ask(d, choose_partner(d, membership));
    }
}

/* When the first of those who wait for what they asked for may have it. */
static chirr_time_us wanted_at(const struct chirr_dissemination *d)
{
    chirr_time_us at = CHIRR_TIME_NEVER;
    chirr_agent_id last = 0;
    for (size_t i = 0; i < d->wanted.count; i++) {
        chirr_agent_id asker = ((const struct chirr_handout *)chirr_ring_at(&d->wanted, i))->agent;
        if (asker != last) {
            at = chirr_time_min(at, chirr_shares_ready_at(&d->repair_shares, asker));
        }
        last = asker;
    }
    return at;
}

chirr_time_us chirr_dissemination_deadline(const struct chirr_dissemination *d)
{
    chirr_time_us at = chirr_time_min(d->repair_at, chirr_tree_deadline(d->tree));
    if (something_to_push(d) && !d->push_due && !d->relays_due) {
        at = chirr_time_min(at, d->now);
    } else if (something_to_push(d)) {
        at = chirr_time_min(at, chirr_budget_ready_at(&d->push_budget));
    }
    return chirr_time_min(at, wanted_at(d));
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
    counters.askers_forgotten = d->repair_shares.forgotten;
    counters.tree = *chirr_tree_count(d->tree);
    return counters;
}
