/* The auction's verbs: what comes in, what goes out. Deciding is deliberate.c's.
 *
 * Records are the memory: what is claimed, running and done is read from the record store, and a
 * statement is repeated until it stands there. */
#include "swarm/auction.h"

#include <string.h>

#include "swarm/auction_state.h"

#define THINK_SPREAD_US_MAX (100 * CHIRR_US_PER_MS)
#define PRICES_TOGETHER_US (10 * CHIRR_US_PER_MS)
#define LEAD_MEMORY_TASKS 8

struct chirr_auction_config chirr_auction_config_default(void)
{
    return (struct chirr_auction_config){
        .policy = CHIRR_AUCTION_BUNDLE,
        .bundle_max = 4,
        .slots = 1,
        .settle_ms = 300,
        .hysteresis_permille = 100,
        .price_refresh_ms = 10000,
        .tasks_max = 1024,
    };
}

enum chirr_err chirr_auction_config_validate(const struct chirr_auction_config *config,
                                             struct chirr_error *error)
{
    if (config->policy != CHIRR_AUCTION_BUNDLE && config->policy != CHIRR_AUCTION_RANDOM) {
        return chirr_error_set(error, CHIRR_ERR_INVALID, "auction: unknown policy %d",
                               (int)config->policy);
    }
    const struct {
        const char *name;
        uint32_t value, min, max;
    } ranges[] = {
        {"bundle_max", config->bundle_max, 1, CHIRR_CLAIMS_MAX},
        {"slots", config->slots, 0, 256},
        {"settle_ms", config->settle_ms, 0, 3600000},
        {"hysteresis_permille", config->hysteresis_permille, 0, 1000},
        {"price_refresh_ms", config->price_refresh_ms, 1, 86400000},
        {"tasks_max", config->tasks_max, 1, 65536},
        {"provides", config->provides.count, 0, CHIRR_TAGS_MAX},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (ranges[i].value < ranges[i].min || ranges[i].value > ranges[i].max) {
            return chirr_error_set(error, CHIRR_ERR_RANGE, "auction: %s is %u, must be %u…%u",
                                   ranges[i].name, ranges[i].value, ranges[i].min, ranges[i].max);
        }
    }
    return CHIRR_OK;
}

size_t chirr_auction_bytes(const struct chirr_auction_config *config)
{
    return chirr_arena_round(sizeof(struct chirr_auction)) +
           chirr_arena_round(config->tasks_max * sizeof(struct auction_entry)) +
           chirr_arena_round((size_t)2 * config->slots * sizeof(struct auction_run)) +
           chirr_arena_round(config->tasks_max * sizeof(struct chirr_bundle_candidate)) +
           chirr_arena_round(config->slots * sizeof(int64_t));
}

struct chirr_auction *chirr_auction_create(struct chirr_arena *arena,
                                           const struct chirr_auction_config *config,
                                           const struct chirr_record_store *records,
                                           const struct chirr_membership *membership,
                                           struct chirr_leases *leases, chirr_time_us now)
{
    CHIRR_ASSERT(chirr_auction_config_validate(config, NULL) == CHIRR_OK);
    struct chirr_auction *auction = chirr_arena_take(arena, 1, sizeof *auction);
    if (auction == NULL) {
        return NULL;
    }
    *auction = (struct chirr_auction){
        .config = *config,
        .records = records,
        .membership = membership,
        .leases = leases,
        .incarnation = chirr_membership_incarnation(membership),
        .now = now,
        .entries = chirr_arena_take(arena, config->tasks_max, sizeof *auction->entries),
        .run_count = 2 * config->slots,
        .runs = chirr_arena_take(arena, (size_t)2 * config->slots, sizeof *auction->runs),
        .candidates = chirr_arena_take(arena, config->tasks_max, sizeof *auction->candidates),
        .free_us = chirr_arena_take(arena, config->slots, sizeof *auction->free_us),
        .lead_permille = 1000,
        .think_us = now,
        .wake_us = CHIRR_TIME_NEVER,
    };
    if (auction->entries == NULL || auction->runs == NULL || auction->candidates == NULL ||
        auction->free_us == NULL) {
        return NULL;
    }
    chirr_random_init(&auction->random, config->seed, config->self);
    for (uint32_t i = 0; i < chirr_records_task_count(records); i++) {
        chirr_auction_restore(auction, &chirr_records_task_at(records, i)->task);
    }
    return auction;
}

/* ---- Tables ------------------------------------------------------------------------------- */

static uint32_t lower_bound(const struct chirr_auction *auction, chirr_task_id id)
{
    uint32_t low = 0;
    uint32_t high = auction->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (auction->entries[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct auction_entry *chirr_auction_entry_find(const struct chirr_auction *auction,
                                               chirr_task_id id)
{
    uint32_t index = lower_bound(auction, id);
    bool found = index < auction->count && auction->entries[index].id == id;
    return found ? &auction->entries[index] : NULL;
}

/* Drops entries whose record the store has forgotten: there are never more than it may hold. */
static void sweep(struct chirr_auction *auction)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < auction->count; i++) {
        struct auction_entry *entry = &auction->entries[i];
        if (chirr_records_task(auction->records, entry->id) != NULL) {
            auction->entries[kept++] = *entry;
            continue;
        }
        auction->asks -= entry->ask;
        auction->outcomes -= entry->outcome;
        auction->reopens -= entry->reopen;
    }
    auction->count = kept;
}

/* NULL when there is no room, which a store with the same `tasks_max` rules out. */
static struct auction_entry *insert(struct chirr_auction *auction, chirr_task_id id)
{
    if (auction->count == auction->config.tasks_max) {
        sweep(auction);
    }
    if (auction->count == auction->config.tasks_max) {
        return NULL;
    }
    uint32_t index = lower_bound(auction, id);
    struct auction_entry *entry = &auction->entries[index];
    memmove(entry + 1, entry, (auction->count - index) * sizeof *entry);
    auction->count++;
    *entry = (struct auction_entry){.id = id,
                                    .asked_us = CHIRR_TIME_NEVER,
                                    .speak_us = CHIRR_TIME_NEVER,
                                    .settled_us = CHIRR_TIME_NEVER,
                                    .lease_us = CHIRR_TIME_NEVER,
                                    .unwatched_us = CHIRR_TIME_NEVER,
                                    .reopen_us = CHIRR_TIME_NEVER};
    return entry;
}

/* ---- Input --------------------------------------------------------------------------------- */

/* Decides anew soon: after a random part of a quarter of the settle window, so that what arrives
 * together is thought about once, and of many agents that could claim a task most find a better
 * claim made already and keep silent: n agents that speak in random order state about log n
 * claims. */
static void think_soon(struct chirr_auction *auction)
{
    if (auction->think_us == CHIRR_TIME_NEVER) {
        chirr_time_us spread_us =
            chirr_time_min(chirr_time_from_ms(auction->config.settle_ms) / 4, THINK_SPREAD_US_MAX);
        auction->think_us = auction->now + (chirr_time_us)chirr_random_below(
                                               &auction->random, (uint64_t)spread_us + 1);
    }
}

static bool provides_all(const struct chirr_tags *provides, const struct chirr_tags *requires)
{
    for (uint32_t i = 0; i < requires->count; i++) {
        bool found = false;
        for (uint32_t j = 0; j < provides->count && !found; j++) {
            found = strcmp(requires->names[i], provides->names[j]) == 0;
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static void forget_lease(struct chirr_auction *auction, struct auction_entry *entry)
{
    entry->lease_us = CHIRR_TIME_NEVER;
    entry->unwatched_us = CHIRR_TIME_NEVER;
    entry->reopen_us = CHIRR_TIME_NEVER;
    auction->reopens -= entry->reopen;
    entry->reopen = false;
}

/* A task has been won. What it would have cost here and what it went for tell what to expect of the
 * next one; nothing does when the winner's claim did not come here. */
static void learn_lead(struct chirr_auction *auction, const struct auction_entry *entry,
                       chirr_agent_id winner)
{
    int64_t lead_permille = 1000;
    if (winner != auction->config.self) {
        if (!entry->priced || entry->rival != winner) {
            return;
        }
        int64_t won_us = entry->priority * CHIRR_BUNDLE_PREMIUM_US - entry->rival_bid;
        lead_permille = chirr_time_min(won_us, entry->cost_us) * 1000 / entry->cost_us;
    }
    int64_t mean_permille = auction->lead_permille;
    mean_permille += (lead_permille - mean_permille) / LEAD_MEMORY_TASKS;
    auction->lead_permille = mean_permille > 0 ? (uint32_t)mean_permille : 0;
}

/* Takes over what a task's record says now. */
static void see_task(struct chirr_auction *auction, const struct chirr_task *task)
{
    struct auction_entry *entry = chirr_auction_entry_find(auction, task->id);
    if (entry == NULL) {
        entry = insert(auction, task->id);
    }
    if (entry == NULL) {
        return;
    }
    bool first = entry->phase == 0;
    if (first) {
        entry->priority = task->spec.priority;
        entry->time_limit_ms = task->spec.time_limit_ms;
        entry->able = !auction->leaving && auction->config.slots > 0 &&
                      provides_all(&auction->config.provides, &task->spec.requires);
    }
    if (first || task->phase != entry->phase || task->epoch != entry->epoch ||
        task->owner != entry->owner || task->owner_incarnation != entry->owner_incarnation) {
        if (entry->phase == CHIRR_TASK_OPEN && task->phase == CHIRR_TASK_RUNNING) {
            learn_lead(auction, entry, task->owner);
        }
        forget_lease(auction, entry);
        entry->settled_us = CHIRR_TIME_NEVER;
        entry->speak_us = CHIRR_TIME_NEVER;
    }
    entry->epoch = task->epoch;
    entry->phase = task->phase;
    entry->owner = task->owner;
    entry->owner_incarnation = task->owner_incarnation;
    if (task->phase != CHIRR_TASK_OPEN) {
        entry->asked_us = CHIRR_TIME_NEVER;
        auction->asks -= entry->ask;
        entry->ask = false;
    }
    if (task->phase == CHIRR_TASK_DONE && !entry->outcome_told && !entry->outcome) {
        entry->outcome = true;
        auction->outcomes++;
    }
    struct auction_run *run = chirr_auction_run_find(auction, task->id);
    if (run != NULL) {
        chirr_auction_run_reconcile(auction, run, task);
    }
}

void chirr_auction_restore(struct chirr_auction *auction, const struct chirr_task *task)
{
    see_task(auction, task);
    struct auction_entry *entry = chirr_auction_entry_find(auction, task->id);
    if (entry != NULL && entry->outcome) {
        entry->outcome = false;
        entry->outcome_told = true;
        auction->outcomes--;
    }
}

static bool same_claims(const struct chirr_claims *a, const struct chirr_claims *b)
{
    bool same = a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++) {
        same = a->claims[i].task == b->claims[i].task && a->claims[i].epoch == b->claims[i].epoch &&
               a->claims[i].bid == b->claims[i].bid;
    }
    return same;
}

void chirr_auction_notice(struct chirr_auction *auction, const struct chirr_record *record,
                          chirr_time_us now)
{
    auction->now = now;
    if (record->kind == CHIRR_RECORD_TASK) {
        /* The store's, not the argument: several changes may have been joined meanwhile. */
        const struct chirr_record *joined = chirr_records_task(auction->records, record->task.id);
        if (joined != NULL) {
            see_task(auction, &joined->task);
            think_soon(auction);
        }
    } else if (record->kind == CHIRR_RECORD_CLAIMS) {
        if (auction->config.local &&
            chirr_membership_find(auction->membership, record->author) == NULL) {
            chirr_lease_note_word(auction->leases, record->author, now);
        }
        /* Own claims, just stated, are no news, unless nothing has to settle. */
        bool expected = record->author == auction->config.self &&
                        same_claims(&record->claims, &auction->offered);
        if (!expected || auction->config.settle_ms == 0) {
            think_soon(auction);
        }
    }
}

void chirr_auction_member(struct chirr_auction *auction, chirr_agent_id agent, chirr_time_us now)
{
    auction->now = now;
    think_soon(auction);
}

void chirr_auction_price(struct chirr_auction *auction, const struct chirr_price *price,
                         chirr_time_us now)
{
    auction->now = now;
    struct auction_entry *entry = chirr_auction_entry_find(auction, price->task);
    if (entry == NULL || entry->asked_us == CHIRR_TIME_NEVER) {
        return;
    }
    struct chirr_bundle_price asked = {.duration_us = price->duration_us,
                                       .deviation_us = price->deviation_us,
                                       .success_permille = price->success_permille,
                                       .time_limit_ms = entry->time_limit_ms};
    int64_t cost_us = chirr_bundle_cost_us(&asked);
    int64_t change_us =
        cost_us > entry->cost_us ? cost_us - entry->cost_us : entry->cost_us - cost_us;
    if (!entry->priced || change_us > entry->cost_us / 1000 * auction->config.hysteresis_permille) {
        entry->cost_us = cost_us;
    }
    entry->priced = true;
    entry->duration_us = price->duration_us;
    entry->priced_us = now;
    entry->asked_us = CHIRR_TIME_NEVER;
    /* Answers come together, too. Who speaks first is settled by how long each holds back. */
    auction->think_us = chirr_time_min(auction->think_us, now + PRICES_TOGETHER_US);
}

enum chirr_err chirr_auction_ended(struct chirr_auction *auction, chirr_task_id task,
                                   uint32_t epoch, const struct chirr_task_result *result,
                                   chirr_time_us now)
{
    CHIRR_ASSERT(result->end != CHIRR_TASK_END_NONE);
    auction->now = now;
    enum chirr_err err = chirr_auction_run_end(auction, task, epoch, result);
    if (err != CHIRR_OK) {
        return err;
    }
    struct auction_entry *entry = chirr_auction_entry_find(auction, task);
    if (entry != NULL && result->end == CHIRR_TASK_END_NOT_STARTED &&
        !chirr_auction_result_is_no_slot(result)) {
        entry->shunned = true;
    }
    return CHIRR_OK;
}

void chirr_auction_leave(struct chirr_auction *auction, chirr_time_us now)
{
    auction->now = now;
    auction->leaving = true;
    auction->think_us = now;
    for (uint32_t i = 0; i < auction->count; i++) {
        auction->entries[i].able = false;
    }
    chirr_auction_run_leave(auction);
}

/* ---- Time ---------------------------------------------------------------------------------- */

chirr_time_us chirr_auction_deadline(const struct chirr_auction *auction)
{
    return chirr_time_min(auction->think_us, auction->wake_us);
}

void chirr_auction_tick(struct chirr_auction *auction, chirr_time_us now)
{
    if (now >= chirr_auction_deadline(auction)) {
        auction->now = now;
        chirr_auction_deliberate(auction, now);
    }
}

/* ---- Output -------------------------------------------------------------------------------- */

static bool poll_entries(struct chirr_auction *auction, struct chirr_output *output)
{
    for (uint32_t i = 0; i < auction->count && auction->asks + auction->outcomes > 0; i++) {
        struct auction_entry *entry = &auction->entries[i];
        if (!entry->ask && !entry->outcome) {
            continue;
        }
        enum chirr_output_kind kind = entry->ask ? CHIRR_OUTPUT_PRICE : CHIRR_OUTPUT_OUTCOME;
        auction->asks -= entry->ask;
        auction->outcomes -= entry->outcome;
        entry->outcome_told = entry->outcome_told || entry->outcome;
        entry->ask = false;
        entry->outcome = false;
        const struct chirr_record *record = chirr_records_task(auction->records, entry->id);
        if (record != NULL) {
            *output = (struct chirr_output){.kind = kind, .task = &record->task};
            return true;
        }
    }
    return false;
}

bool chirr_auction_poll(struct chirr_auction *auction, struct chirr_output *output)
{
    return chirr_auction_run_poll(auction, output) || poll_entries(auction, output);
}

/* ---- Statements ------------------------------------------------------------------------------ */

/* OPEN of the next epoch. */
static void state_open(struct chirr_record *record, const struct chirr_task *task)
{
    *record = (struct chirr_record){.kind = CHIRR_RECORD_TASK, .task = *task};
    record->task.phase = CHIRR_TASK_OPEN;
    record->task.epoch = task->epoch + 1;
    record->task.owner = 0;
    record->task.owner_incarnation = 0;
}

static bool reopen_statement(struct chirr_auction *auction, struct chirr_record *record)
{
    for (uint32_t i = 0; i < auction->count && auction->reopens > 0; i++) {
        struct auction_entry *entry = &auction->entries[i];
        if (!entry->reopen) {
            continue;
        }
        entry->reopen = false;
        auction->reopens--;
        const struct chirr_record *known = chirr_records_task(auction->records, entry->id);
        if (known != NULL && known->task.epoch == entry->epoch &&
            known->task.phase == entry->phase) {
            state_open(record, &known->task);
            return true;
        }
    }
    return false;
}

bool chirr_auction_statement(struct chirr_auction *auction, struct chirr_record *record)
{
    if (chirr_auction_run_statement(auction, record) || reopen_statement(auction, record)) {
        return true;
    }
    if (!auction->claims_due) {
        return false;
    }
    auction->claims_due = false;
    auction->offered = auction->bundle;
    *record = (struct chirr_record){.kind = CHIRR_RECORD_CLAIMS, .claims = auction->bundle};
    return true;
}

/* ---- Looking in ----------------------------------------------------------------------------- */

bool chirr_auction_counts(const struct chirr_auction *auction, chirr_agent_id agent,
                          chirr_time_us *until)
{
    *until = CHIRR_TIME_NEVER;
    if (!auction->config.local || chirr_membership_find(auction->membership, agent) != NULL) {
        return chirr_membership_is_live(auction->membership, agent);
    }
    *until = chirr_lease_word_until(auction->leases, agent);
    return *until > auction->now;
}

chirr_agent_id chirr_auction_winner(const struct chirr_auction *auction, chirr_task_id task)
{
    const struct chirr_record *record = chirr_records_task(auction->records, task);
    chirr_agent_id winner = 0;
    int64_t winning_bid = 0;
    uint32_t authors = record == NULL ? 0 : chirr_records_author_count(auction->records);
    for (uint32_t i = 0; i < authors; i++) {
        const struct chirr_record *claims = chirr_records_claims_at(auction->records, i);
        chirr_agent_id author = chirr_records_author_at(auction->records, i);
        chirr_time_us until;
        bool own = author == auction->config.self;
        if (claims == NULL || !(own || chirr_auction_counts(auction, author, &until))) {
            continue;
        }
        for (uint32_t j = 0; j < claims->claims.count; j++) {
            const struct chirr_claim *claim = &claims->claims.claims[j];
            bool counts = claim->task == task && claim->epoch == record->task.epoch;
            if (counts &&
                (winner == 0 || chirr_bundle_beats(claim->bid, author, winning_bid, winner))) {
                winner = author;
                winning_bid = claim->bid;
            }
        }
    }
    return winner;
}

uint32_t chirr_auction_running_count(const struct chirr_auction *auction)
{
    return chirr_auction_run_busy(auction);
}
