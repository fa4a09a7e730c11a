/* Who does what: a bundle auction whose winners everybody derives.
 *
 * Source: Choi, Brunet, How, "Consensus-Based Decentralized Auctions for Robust Task Allocation",
 * IEEE T-RO 2009: bundle construction (section IV-A), conflict resolution (IV-B). Deviation: no
 * winner tables travel. An agent's claims (its bundle: task, epoch, bid) are a register; the winner
 * of (task, epoch) is the greatest bid among the claims of live members, ties to the smaller id, so
 * equal records give equal winners. Bids are non-increasing along a bundle; who is outbid at one
 * task releases it and all after it. A task starts only after its claims have stood unchanged for
 * the settle window and a slot is free.
 *
 * A bid is minus the expected time until the task would be done here (what is running and what
 * stands before it in the bundle included), in microseconds, plus a premium for priority: predicted
 * by the agent's own model, with half its deviation added against the winner's curse (bundle.h). A
 * task without a price is not bid for. Who bids best speaks first: a first bid is held back the
 * longer the more it is likely to be beaten, and not stated at all when a better one came meanwhile
 * (bundle.h; timers that let the best speak first are those of Bletsas, Khisti, Reed, Lippman, "A
 * Simple Cooperative Diversity Method Based on Network Path Selection", IEEE JSAC 2006). Each agent
 * learns what to expect from who wins. Bids are relative to the moment of their statement; when
 * they are stated anew, and why that comes to rest, stands in deliberate.c.
 *
 * A task's life: OPEN, PRICE asked, claimed, settled, RUNNING stated; when that stands in the
 * record store, START; the executor's answer, DONE stated. What was lost (RELEASED, a lease
 * expired, an owner restarted) is stated OPEN in the next epoch, by the smallest live agent at
 * once, by the others if that does not come. A run whose record was overtaken or cancelled gets
 * STOP, and keeps its slot until the executor says that it has ended. A task that could not be
 * started (END_NOT_STARTED) is RELEASED, and bid for here only behind everybody else; in the third
 * epoch that is its result. NOT_STARTED with EBUSY, no slot, is RELEASED and nothing more.
 *
 * With a local view of the swarm (`local`) most of those who claim and run tasks are unknown here:
 *   - claims of an agent that membership does not know count for a few leases from when they came
 *     (lease.h), then as if it were dead. So agents may differ in who wins; a task is started by
 *     whoever holds itself for the winner, and of two RUNNING of one epoch the records keep one;
 *   - a run is watched by those who know its owner: its neighbours, and whoever has it in a passive
 *     view. For anybody else it is lost a lease after its time limit: by then its owner has ended
 *     it, or is no more. So no task stays lost, at the cost of that wait should an owner die
 *     together with everybody who knew it.
 *
 * A machine of the usual verbs over borrowed records, members and leases. Outputs PRICE, START,
 * STOP and OUTCOME (once per DONE task, whoever ran it); statements it wants made (claims, RUNNING,
 * DONE, RELEASED, re-auction) come out of `chirr_auction_statement`, for the node to state. What
 * does not come to stand is offered again after a second. Not thread-safe; no allocation after
 * create. */
#ifndef CHIRR_SWARM_AUCTION_H
#define CHIRR_SWARM_AUCTION_H

#include "swarm/lease.h"
#include "swarm/membership.h"
#include "swarm/records.h"

enum chirr_auction_policy {
    CHIRR_AUCTION_BUNDLE,
    CHIRR_AUCTION_RANDOM, /* to compare with: bids are random numbers */
};

struct chirr_auction_config {
    chirr_agent_id self;
    uint64_t seed;
    enum chirr_auction_policy policy;
    uint32_t bundle_max; /* L, 1…CHIRR_CLAIMS_MAX */
    uint32_t slots;      /* runs at once; 0: never bids */
    uint32_t settle_ms;
    uint32_t hysteresis_permille; /* of the cost in a bid or price */
    uint32_t price_refresh_ms;    /* a price older than this is asked for again */
    uint32_t tasks_max;           /* as the record store's */
    bool local;                   /* membership knows a part of the swarm only */
    struct chirr_tags provides;
};
struct chirr_auction_config chirr_auction_config_default(void);
CHIRR_NODISCARD enum chirr_err chirr_auction_config_validate(const struct chirr_auction_config *,
                                                             struct chirr_error *error);

struct chirr_auction;

size_t chirr_auction_bytes(const struct chirr_auction_config *config);
/* `config` must be valid; `membership` just created: its incarnation is taken for that of this
 * process, which owns its runs. NULL when the arena is too small. */
struct chirr_auction *chirr_auction_create(struct chirr_arena *arena,
                                           const struct chirr_auction_config *config,
                                           const struct chirr_record_store *records,
                                           const struct chirr_membership *membership,
                                           struct chirr_leases *leases, chirr_time_us now);

/* A task from before this process; one that has ended had its outcome told then: the learner's
 * checkpoint holds it. What the store holds at creation is taken for such. */
void chirr_auction_restore(struct chirr_auction *auction, const struct chirr_task *task);

/* A task or claims record changed (every change must be shown), or a member did. */
void chirr_auction_notice(struct chirr_auction *auction, const struct chirr_record *record,
                          chirr_time_us now);
void chirr_auction_member(struct chirr_auction *auction, chirr_agent_id agent, chirr_time_us now);

/* The learner's answer to PRICE: expected duration here and its standard deviation.
 * An answer to what is no longer asked is ignored. */
struct chirr_price {
    chirr_task_id task;
    uint64_t duration_us;
    uint64_t deviation_us;
    uint32_t success_permille; /* 0…1,000 */
};
void chirr_auction_price(struct chirr_auction *auction, const struct chirr_price *price,
                         chirr_time_us now);

/* The executor's answer to START: what became of the run of (task, epoch); due after STOP too.
 * CHIRR_ERR_NOTFOUND: not running here, or stopped: its slot is free, its result no longer wanted.
 */
CHIRR_NODISCARD enum chirr_err chirr_auction_ended(struct chirr_auction *auction,
                                                   chirr_task_id task, uint32_t epoch,
                                                   const struct chirr_task_result *result,
                                                   chirr_time_us now);

/* Starts nothing any more, and withdraws its claims; what runs goes on. For good. */
void chirr_auction_leave(struct chirr_auction *auction, chirr_time_us now);

void chirr_auction_tick(struct chirr_auction *auction, chirr_time_us now);
chirr_time_us chirr_auction_deadline(const struct chirr_auction *auction);
bool chirr_auction_poll(struct chirr_auction *auction, struct chirr_output *output);
/* A statement to make as self; false when there is none. The node states it before it polls. */
bool chirr_auction_statement(struct chirr_auction *auction, struct chirr_record *record);

/* The derived winner of a task in its present epoch; 0 when nobody claims it. */
chirr_agent_id chirr_auction_winner(const struct chirr_auction *auction, chirr_task_id task);
/* Slots in use: started, about to be, or not yet ended after a STOP. */
uint32_t chirr_auction_running_count(const struct chirr_auction *auction);

#endif
