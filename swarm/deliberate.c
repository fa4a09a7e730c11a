/* What the auction decides: whom to outbid, what to start, what to ask, what to give up for lost.
 *
 * The bundle is built anew each time from prices, runs and the claims of others, so it depends on
 * nothing but them. CBBA keeps a bundle and releases from the first task at which it was outbid;
 * building anew gives the same, and lets a task that arrives later take its place in the order.
 *
 * Time. A bid counts from the moment of its statement, so those of an agent that is running
 * something grow truer than what it stated as its run goes on. Restating them all the time would
 * tell nothing; so a claims statement is made only when
 *   - the tasks in the bundle changed (to be outbid at one and give it up is no reason, unless it
 *     makes room for another, whose bid is better without it),
 *   - somebody outbids what is stated but not what could be stated now (it is defended), or
 *   - a bid has become worse by more than the hysteresis, which others should know;
 * and then every bid of it is as of now. An agent that is running something takes a task from
 * another only if its bid is better by more than the hysteresis: so two agents whose bids grow
 * alike contest a task a number of times logarithmic in the cost, not for ever. An idle agent's
 * bids do not grow with time: it needs no such margin, and with all idle the claims end where the
 * sequential greedy assignment does. */
#include <stdlib.h>

#include "swarm/auction_state.h"

/* Agents other than the smallest live one wait this long, and up to four times as much again,
 * before they state that a lost task is open. */
#define REOPEN_DELAY_US (200 * CHIRR_US_PER_MS)
/* A first bid is held back for half the settle window at most, and never longer than this: whoever
 * was beaten to it by a worse bid still has the time to say so. */
#define HOLD_US_MAX (200 * CHIRR_US_PER_MS)
#define RECHECK_US_MIN (100 * CHIRR_US_PER_MS)

/* ---- Claims as they stand ------------------------------------------------------------------- */

static void read_claim(struct chirr_auction *auction, chirr_agent_id author,
                       const struct chirr_claim *claim)
{
    struct auction_entry *entry = chirr_auction_entry_find(auction, claim->task);
    if (entry == NULL || entry->phase != CHIRR_TASK_OPEN || entry->epoch != claim->epoch) {
        return;
    }
    if (author == auction->config.self) {
        entry->claimed = true;
        entry->lapsed = entry->lapsed && claim->bid == entry->own_bid;
        entry->own_bid = claim->bid;
        return;
    }
    bool greatest =
        entry->rival == 0 || chirr_bundle_beats(claim->bid, author, entry->rival_bid, entry->rival);
    chirr_time_us until;
    if (greatest && chirr_auction_counts(auction, author, &until)) {
        entry->rival = author;
        entry->rival_us = until;
        entry->rival_bid = claim->bid;
    }
}

static void read_claims(struct chirr_auction *auction)
{
    for (uint32_t i = 0; i < auction->count; i++) {
        auction->entries[i].claimed = false;
        auction->entries[i].rival = 0;
        auction->entries[i].rival_us = CHIRR_TIME_NEVER;
    }
    uint32_t authors = auction->count == 0 ? 0 : chirr_records_author_count(auction->records);
    for (uint32_t i = 0; i < authors; i++) {
        const struct chirr_record *record = chirr_records_claims_at(auction->records, i);
        for (uint32_t j = 0; record != NULL && j < record->claims.count; j++) {
            read_claim(auction, record->author, &record->claims.claims[j]);
        }
    }
}

/* ---- The bundle ---------------------------------------------------------------------------- */

/* A random bid, the same whenever this agent is asked about this task and epoch. */
static int64_t random_cost_us(const struct chirr_auction *auction,
                              const struct auction_entry *entry)
{
    struct chirr_random random;
    chirr_random_init(&random, auction->config.seed ^ auction->config.self,
                      entry->id + entry->epoch);
    return (int64_t)chirr_random_below(&random, (uint64_t)CHIRR_BUNDLE_HANDICAP_US);
}

static bool is_random(const struct chirr_auction *auction)
{
    return auction->config.policy == CHIRR_AUCTION_RANDOM;
}

static int64_t cost_of(const struct chirr_auction *auction, const struct auction_entry *entry)
{
    int64_t cost_us = is_random(auction) ? random_cost_us(auction, entry) : entry->cost_us;
    return cost_us + (entry->shunned ? CHIRR_BUNDLE_HANDICAP_US : 0);
}

/* Decides when first bids may be stated. */
static void hold_back(struct chirr_auction *auction, chirr_time_us now)
{
    struct chirr_bundle_hold hold = {
        .window_us = chirr_time_min(chirr_time_from_ms(auction->config.settle_ms) / 2, HOLD_US_MAX),
        .wait_us = auction->free_us[0],
        .lead_permille = auction->lead_permille,
    };
    for (uint32_t i = 1; i < auction->config.slots; i++) {
        hold.wait_us = chirr_time_min(hold.wait_us, auction->free_us[i]);
    }
    for (uint32_t i = 0; i < auction->count; i++) {
        struct auction_entry *entry = &auction->entries[i];
        if (entry->speak_us == CHIRR_TIME_NEVER && entry->phase == CHIRR_TASK_OPEN &&
            entry->priced) {
            hold.cost_us = cost_of(auction, entry);
            entry->speak_us = now + chirr_bundle_hold_us(&hold);
        }
    }
}

/* What is better than a bid that was made already is said at once. Random bids are not held back:
 * they are no better or worse. */
static bool may_speak(const struct chirr_auction *auction, const struct auction_entry *entry,
                      chirr_time_us now)
{
    return is_random(auction) || (entry->priced && (entry->rival != 0 || entry->speak_us <= now));
}

static size_t gather_candidates(struct chirr_auction *auction, chirr_time_us now)
{
    size_t count = 0;
    for (uint32_t i = 0; i < auction->count; i++) {
        const struct auction_entry *entry = &auction->entries[i];
        bool biddable =
            entry->phase == CHIRR_TASK_OPEN && entry->able && may_speak(auction, entry, now);
        if (!biddable || chirr_auction_run_find(auction, entry->id) != NULL) {
            continue;
        }
        struct chirr_bundle_candidate *candidate = &auction->candidates[count++];
        *candidate = (struct chirr_bundle_candidate){
            .task = entry->id,
            .epoch = entry->epoch,
            .held = entry->claimed && !entry->lapsed,
            .premium_us = entry->priority * CHIRR_BUNDLE_PREMIUM_US,
            .cost_us = cost_of(auction, entry),
            .rival = entry->rival,
            .rival_bid = entry->rival_bid,
        };
    }
    return count;
}

/* How long each slot stays busy; returns how many are. */
static uint32_t read_slots(struct chirr_auction *auction, chirr_time_us now)
{
    uint32_t busy = 0;
    for (uint32_t i = 0; i < auction->run_count; i++) {
        const struct auction_run *run = &auction->runs[i];
        if (run->state != AUCTION_RUN_WANTED && run->state != AUCTION_RUN_STARTED) {
            continue;
        }
        int64_t elapsed_us = run->state == AUCTION_RUN_STARTED ? now - run->started_us : 0;
        auction->free_us[busy++] =
            chirr_bundle_remaining_us(run->expected_us, elapsed_us, run->limit_us);
    }
    for (uint32_t i = busy; i < auction->config.slots; i++) {
        auction->free_us[i] = 0;
    }
    return busy;
}

static void build_bundle(struct chirr_auction *auction, chirr_time_us now)
{
    auction->bundle = (struct chirr_claims){0};
    if (auction->config.slots > 0) {
        uint32_t busy = read_slots(auction, now);
        struct chirr_bundle_rules rules = {
            .self = auction->config.self,
            .bundle_max = auction->config.bundle_max,
            .margin_permille =
                busy > 0 && !is_random(auction) ? auction->config.hysteresis_permille : 0,
            .flat = is_random(auction),
        };
        hold_back(auction, now);
        size_t count = gather_candidates(auction, now);
        chirr_bundle_build(&rules, auction->candidates, count, auction->free_us,
                           auction->config.slots, &auction->bundle);
    }
    for (uint32_t i = 0; i < auction->count; i++) {
        auction->entries[i].wanted = false;
    }
    for (uint32_t i = 0; i < auction->bundle.count; i++) {
        chirr_auction_entry_find(auction, auction->bundle.claims[i].task)->wanted = true;
    }
    for (uint32_t i = 0; i < auction->count; i++) {
        struct auction_entry *entry = &auction->entries[i];
        entry->lapsed = entry->claimed && (entry->lapsed || !entry->wanted);
    }
}

static bool outbid(const struct chirr_auction *auction, const struct auction_entry *entry)
{
    return entry->rival != 0 && !chirr_bundle_beats(entry->own_bid, auction->config.self,
                                                    entry->rival_bid, entry->rival);
}

/* Has the bid on `entry` become so much worse than stated that others should know? */
static bool worsened(const struct chirr_auction *auction, const struct auction_entry *entry,
                     int64_t bid)
{
    int64_t stated_cost_us = entry->priority * CHIRR_BUNDLE_PREMIUM_US - entry->own_bid;
    int64_t tolerated_us = llabs(stated_cost_us) / 1000 * auction->config.hysteresis_permille;
    return entry->own_bid - bid > tolerated_us;
}

/* What was stated and still means something: claims on open tasks that are not about to run here.
 * One that is given up and outbid takes the task from nobody: it is left standing until there is
 * more to say, or until it would win after all. With a local view it is withdrawn at once: who has
 * not heard of the better one would take it for the best. */
struct standing {
    struct chirr_claims claims;
    bool left; /* some were left standing */
};

static void read_standing(const struct chirr_auction *auction, struct standing *standing)
{
    const struct chirr_record *record =
        chirr_records_claims(auction->records, auction->config.self);
    *standing = (struct standing){0};
    for (uint32_t i = 0; record != NULL && i < record->claims.count; i++) {
        const struct chirr_claim *claim = &record->claims.claims[i];
        const struct auction_entry *entry = chirr_auction_entry_find(auction, claim->task);
        if (entry == NULL || entry->phase != CHIRR_TASK_OPEN || entry->epoch != claim->epoch ||
            chirr_auction_run_find(auction, claim->task) != NULL) {
            continue;
        }
        if (!auction->config.local && !entry->wanted && outbid(auction, entry)) {
            standing->left = true;
        } else {
            standing->claims.claims[standing->claims.count++] = *claim;
        }
    }
}

static bool must_state_claims(const struct chirr_auction *auction)
{
    struct standing standing;
    read_standing(auction, &standing);
    if (standing.claims.count != auction->bundle.count) {
        return true;
    }
    for (uint32_t i = 0; i < auction->bundle.count; i++) {
        const struct chirr_claim *claim = &auction->bundle.claims[i];
        const struct auction_entry *entry = chirr_auction_entry_find(auction, claim->task);
        bool renewed = entry->lapsed && claim->bid != entry->own_bid;
        bool improved = standing.left && claim->bid > entry->own_bid;
        if (standing.claims.claims[i].task != claim->task || renewed || improved ||
            outbid(auction, entry) || worsened(auction, entry, claim->bid)) {
            return true;
        }
    }
    return false;
}

/* ---- Starting ------------------------------------------------------------------------------- */

/* The settle window of a claim starts again when the claim is new or gets weaker, not when it gets
 * stronger or when others state weaker ones: those cannot take the task away. */
static void settle(struct chirr_auction *auction, chirr_time_us now)
{
    chirr_time_us settled_us = now + chirr_time_from_ms(auction->config.settle_ms);
    for (uint32_t i = 0; i < auction->bundle.count; i++) {
        struct auction_entry *entry =
            chirr_auction_entry_find(auction, auction->bundle.claims[i].task);
        bool weaker = auction->claims_due && auction->bundle.claims[i].bid < entry->own_bid;
        if (!entry->claimed || weaker || outbid(auction, entry) ||
            entry->settled_us == CHIRR_TIME_NEVER) {
            entry->settled_us = settled_us;
        }
    }
    for (uint32_t i = 0; i < auction->count; i++) {
        if (!auction->entries[i].wanted) {
            auction->entries[i].settled_us = CHIRR_TIME_NEVER;
        }
    }
}

static bool may_start(const struct chirr_auction *auction, const struct auction_entry *entry,
                      chirr_time_us now)
{
    return entry->claimed && !outbid(auction, entry) && now >= entry->settled_us;
}

/* The bundle's order is the order of execution: of `n` free slots the first `n` tasks have one
 * each, and start as they settle. */
static void start_settled(struct chirr_auction *auction, chirr_time_us now)
{
    uint32_t busy = chirr_auction_run_busy(auction);
    uint32_t free_count = auction->config.slots > busy ? auction->config.slots - busy : 0;
    struct chirr_claims *bundle = &auction->bundle;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < bundle->count; i++) {
        struct chirr_claim claim = bundle->claims[i];
        struct auction_entry *entry = chirr_auction_entry_find(auction, claim.task);
        if (i < free_count && may_start(auction, entry, now) &&
            chirr_auction_run_want(auction, entry)) {
            continue;
        }
        bundle->claims[kept++] = claim;
    }
    for (uint32_t i = kept; i < bundle->count; i++) {
        bundle->claims[i] = (struct chirr_claim){0};
    }
    bundle->count = kept;
}

/* ---- What got lost -------------------------------------------------------------------------- */

static bool is_smallest_live(const struct chirr_auction *auction)
{
    uint32_t count = chirr_membership_count(auction->membership);
    for (uint32_t i = 0; i < count; i++) {
        chirr_agent_id agent = chirr_membership_at(auction->membership, i)->agent;
        if (agent >= auction->config.self) {
            break;
        }
        if (chirr_membership_is_live(auction->membership, agent)) {
            return false;
        }
    }
    return true;
}

/* Its owner may be watched by others, not from here. */
static bool is_unwatched(const struct chirr_auction *auction, const struct auction_entry *entry)
{
    return auction->config.local &&
           chirr_membership_find(auction->membership, entry->owner) == NULL;
}

/* Is nobody running the task any more? Sets when to ask again. */
static bool is_lost(struct chirr_auction *auction, struct auction_entry *entry, chirr_time_us now)
{
    if (entry->phase == CHIRR_TASK_RELEASED) {
        return true;
    }
    if (entry->owner == auction->config.self) {
        /* An older process's run died with it. */
        return chirr_auction_run_find(auction, entry->id) == NULL;
    }
    if (!is_unwatched(auction, entry)) {
        entry->unwatched_us = CHIRR_TIME_NEVER;
        entry->lease_us =
            chirr_lease_expiry(auction->leases, entry->owner, entry->owner_incarnation, now);
        return entry->lease_us <= now;
    }
    if (entry->unwatched_us == CHIRR_TIME_NEVER) {
        entry->unwatched_us =
            now + chirr_time_from_ms(entry->time_limit_ms) + chirr_lease_length(auction->leases);
    }
    entry->lease_us = entry->unwatched_us;
    return entry->lease_us <= now;
}

/* The smallest live agent states a re-auction at once; the others only if that does not come. All
 * may: equal statements join to one. */
static void watch_leases(struct chirr_auction *auction, chirr_time_us now)
{
    for (uint32_t i = 0; i < auction->count; i++) {
        struct auction_entry *entry = &auction->entries[i];
        if ((entry->phase != CHIRR_TASK_RUNNING && entry->phase != CHIRR_TASK_RELEASED) ||
            entry->epoch == UINT32_MAX) {
            continue;
        }
        if (!is_lost(auction, entry, now)) {
            entry->reopen_us = CHIRR_TIME_NEVER;
            continue;
        }
        entry->lease_us = CHIRR_TIME_NEVER;
        if (entry->reopen_us == CHIRR_TIME_NEVER) {
            entry->reopen_us = now;
            if (!is_smallest_live(auction)) {
                entry->reopen_us += REOPEN_DELAY_US + (chirr_time_us)chirr_random_below(
                                                          &auction->random, 4 * REOPEN_DELAY_US);
            }
        }
        if (now >= entry->reopen_us && !entry->reopen) {
            entry->reopen = true;
            auction->reopens++;
            entry->reopen_us = now + CHIRR_AUCTION_RETRY_US;
        }
    }
}

/* ---- Prices --------------------------------------------------------------------------------- */

static chirr_time_us refresh_us(const struct chirr_auction *auction)
{
    return chirr_time_from_ms(auction->config.price_refresh_ms);
}

static bool is_priceable(const struct chirr_auction *auction, const struct auction_entry *entry)
{
    return entry->able && entry->phase == CHIRR_TASK_OPEN &&
           chirr_auction_run_find(auction, entry->id) == NULL;
}

/* When the price of a task has to be asked for; `now` or earlier: at once. */
static chirr_time_us ask_at(const struct chirr_auction *auction, const struct auction_entry *entry,
                            chirr_time_us now)
{
    if (entry->asked_us != CHIRR_TIME_NEVER) {
        return entry->asked_us + refresh_us(auction);
    }
    return entry->priced ? entry->priced_us + refresh_us(auction) : now;
}

/* First what has no price at all, then what has an old one. */
static void ask_prices(struct chirr_auction *auction, chirr_time_us now)
{
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < auction->count; i++) {
        const struct auction_entry *entry = &auction->entries[i];
        waiting += entry->asked_us != CHIRR_TIME_NEVER && ask_at(auction, entry, now) > now;
    }
    for (int priced = 0; priced <= 1; priced++) {
        for (uint32_t i = 0; i < auction->count && waiting < CHIRR_AUCTION_ASKED_MAX; i++) {
            struct auction_entry *entry = &auction->entries[i];
            if (entry->priced != priced || !is_priceable(auction, entry) ||
                ask_at(auction, entry, now) > now) {
                continue;
            }
            auction->asks += !entry->ask;
            entry->ask = true;
            entry->asked_us = now;
            waiting++;
        }
    }
}

/* ---- When to think again -------------------------------------------------------------------- */

/* While something runs, bids on what others hold get better with time: looked at again when they
 * have by about the hysteresis. */
static chirr_time_us recheck_at(struct chirr_auction *auction, chirr_time_us now)
{
    uint32_t busy = read_slots(auction, now);
    if (busy == 0) {
        return CHIRR_TIME_NEVER;
    }
    int64_t soonest_us = auction->free_us[0];
    for (uint32_t i = 1; i < busy; i++) {
        soonest_us = chirr_time_min(soonest_us, auction->free_us[i]);
    }
    int64_t recheck_us = soonest_us / 1000 * auction->config.hysteresis_permille;
    return now + (recheck_us > RECHECK_US_MIN ? recheck_us : RECHECK_US_MIN);
}

static chirr_time_us next_settled(const struct chirr_auction *auction, chirr_time_us now)
{
    chirr_time_us at = CHIRR_TIME_NEVER;
    uint32_t busy = chirr_auction_run_busy(auction);
    for (uint32_t i = 0; i < auction->bundle.count && busy + i < auction->config.slots; i++) {
        const struct auction_entry *entry =
            chirr_auction_entry_find(auction, auction->bundle.claims[i].task);
        /* Settled and yet not started: its claim does not stand. It is stated again below. */
        at = chirr_time_min(at, entry->settled_us > now ? entry->settled_us
                                                        : now + CHIRR_AUCTION_RETRY_US);
    }
    return at;
}

static chirr_time_us next_of_entries(struct chirr_auction *auction, chirr_time_us now)
{
    chirr_time_us at = CHIRR_TIME_NEVER;
    bool contestable = false;
    for (uint32_t i = 0; i < auction->count; i++) {
        const struct auction_entry *entry = &auction->entries[i];
        if (is_priceable(auction, entry)) {
            chirr_time_us ask_us = ask_at(auction, entry, now);
            /* What is due and was not asked now waits for an answer to another question. */
            at = chirr_time_min(at, ask_us > now ? ask_us : CHIRR_TIME_NEVER);
            at = chirr_time_min(at, entry->speak_us > now ? entry->speak_us : CHIRR_TIME_NEVER);
            contestable = true;
        }
        if (entry->phase == CHIRR_TASK_OPEN && entry->rival != 0 && entry->rival_us > now) {
            at = chirr_time_min(at, entry->rival_us);
        }
        at = chirr_time_min(at, chirr_time_min(entry->lease_us, entry->reopen_us));
    }
    return contestable ? chirr_time_min(at, recheck_at(auction, now)) : at;
}

static chirr_time_us next_retry(const struct chirr_auction *auction, chirr_time_us now)
{
    bool unstated = auction->claims_due;
    for (uint32_t i = 0; i < auction->run_count; i++) {
        enum auction_run_state state = auction->runs[i].state;
        unstated = unstated || state == AUCTION_RUN_WANTED || state == AUCTION_RUN_ENDED;
    }
    return unstated ? now + CHIRR_AUCTION_RETRY_US : CHIRR_TIME_NEVER;
}

void chirr_auction_deliberate(struct chirr_auction *auction, chirr_time_us now)
{
    for (uint32_t i = 0; i < auction->run_count; i++) {
        auction->runs[i].offered = false;
    }
    read_claims(auction);
    build_bundle(auction, now);
    auction->claims_due = must_state_claims(auction);
    settle(auction, now);
    start_settled(auction, now);
    watch_leases(auction, now);
    ask_prices(auction, now);
    auction->think_us = CHIRR_TIME_NEVER;
    auction->wake_us =
        chirr_time_min(chirr_time_min(next_settled(auction, now), next_of_entries(auction, now)),
                       next_retry(auction, now));
}
