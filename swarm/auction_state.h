/* The inside of the auction, shared by its parts: auction.c takes inputs in and gives outputs
 * and statements out, auction_run.c follows what runs here, deliberate.c decides what to claim,
 * start, ask and re-auction. */
#ifndef CHIRR_SWARM_AUCTION_STATE_H
#define CHIRR_SWARM_AUCTION_STATE_H

#include "base/random.h"
#include "swarm/auction.h"
#include "swarm/bundle.h"

/* PRICE questions that wait for an answer at once. */
#define CHIRR_AUCTION_ASKED_MAX 32
/* When a statement did not come to stand in the record store, it is offered again. */
#define CHIRR_AUCTION_RETRY_US CHIRR_US_PER_S

/* What is known here of one task: the part of its record that deciding needs, and the rest that no
 * record says. */
struct auction_entry {
    chirr_task_id id;
    uint32_t epoch;
    enum chirr_task_phase phase;
    chirr_agent_id owner;
    uint64_t owner_incarnation;
    uint32_t priority;
    uint32_t time_limit_ms;
    bool able;    /* provides what it requires, and has slots */
    bool shunned; /* it could not be started here */

    bool priced;
    uint64_t duration_us;    /* the newest prediction */
    int64_t cost_us;         /* what bids are made from: moves only beyond the hysteresis */
    chirr_time_us priced_us; /* when the newest answer came */
    chirr_time_us asked_us;  /* when PRICE went out; NEVER: no answer is awaited */
    bool ask;                /* PRICE has to go out */

    bool outcome;      /* OUTCOME has to go out */
    bool outcome_told; /* or has gone out */

    chirr_time_us speak_us; /* while nobody bids this agent does not, before; NEVER: undecided */

    bool claimed; /* by self, as the record store has it, in this epoch */
    int64_t own_bid;
    bool lapsed;          /* and given up since it was stated; others were not told */
    chirr_agent_id rival; /* the live agent with the greatest bid of all others; 0: none */
    int64_t rival_bid;
    chirr_time_us rival_us;     /* the word of an unknown rival counts until then; NEVER: known */
    bool wanted;                /* in the bundle */
    chirr_time_us settled_us;   /* when the claim has stood long enough; NEVER: not in the bundle */
    chirr_time_us lease_us;     /* RUNNING elsewhere: when its lease ends unless renewed */
    chirr_time_us unwatched_us; /* RUNNING, by nobody known here: lost then; NEVER */
    chirr_time_us reopen_us;    /* lost: when to state OPEN of the next epoch; NEVER */
    bool reopen;                /* that statement has to go out */
};

/* RUNNING is stated -> START goes out -> the executor answers -> DONE or RELEASED is stated. */
enum auction_run_state {
    AUCTION_RUN_FREE,
    AUCTION_RUN_WANTED,   /* RUNNING has to come to stand in the record store */
    AUCTION_RUN_STARTED,  /* START is out */
    AUCTION_RUN_ENDED,    /* DONE or RELEASED has to come to stand */
    AUCTION_RUN_LOST,     /* or cancelled: STOP has to go out */
    AUCTION_RUN_STOPPING, /* STOP is out; the slot is free when the executor says so */
    AUCTION_RUN_STATES,
};

struct auction_run {
    enum auction_run_state state;
    bool offered; /* the statement was handed out and is not seen in the store yet */
    chirr_task_id task;
    uint32_t epoch;
    uint64_t predicted_us;
    int64_t expected_us; /* as bids counted it */
    int64_t limit_us;
    chirr_time_us started_us;
    struct chirr_task_result result; /* ENDED */
};

struct chirr_auction {
    struct chirr_auction_config config;
    const struct chirr_record_store *records;
    const struct chirr_membership *membership;
    struct chirr_leases *leases;
    uint64_t incarnation; /* of this process */
    bool leaving;         /* able to do nothing any more */
    struct chirr_random random;
    chirr_time_us now; /* of the last input */

    uint32_t count;
    struct auction_entry *entries; /* [tasks_max], ascending by id */
    uint32_t run_count;            /* 2 × slots: ended runs may wait while others run */
    struct auction_run *runs;
    struct chirr_bundle_candidate *candidates; /* [tasks_max], scratch */
    int64_t *free_us;                          /* [slots], scratch */

    uint32_t lead_permille; /* a mean: what tasks are won at, of what they would cost here */

    struct chirr_claims bundle;  /* as last decided */
    struct chirr_claims offered; /* as last handed out to be stated */
    bool claims_due;             /* `bundle` has to be stated */
    chirr_time_us think_us;      /* something changed: decide anew then; NEVER */
    chirr_time_us wake_us;       /* time alone will change something then */
    uint32_t asks;               /* entries with `ask` */
    uint32_t outcomes;           /* entries with `outcome` */
    uint32_t reopens;            /* entries with `reopen` */
    struct chirr_task handed;    /* what the last STOP borrows */
};

/* ---- auction.c: the table of tasks -------------------------------------------------------- */

/* NULL when the task is unknown. */
struct auction_entry *chirr_auction_entry_find(const struct chirr_auction *auction,
                                               chirr_task_id id);

/* ---- auction_run.c ------------------------------------------------------------------------- */

/* NOT_STARTED for want of a slot, which says nothing of the command. */
bool chirr_auction_result_is_no_slot(const struct chirr_task_result *result);
/* NULL when nothing of the task runs, ends or stops here. */
struct auction_run *chirr_auction_run_find(const struct chirr_auction *auction, chirr_task_id id);
/* Slots in use. */
uint32_t chirr_auction_run_busy(const struct chirr_auction *auction);
/* Decides to run a task in its present epoch; false when the table is full. */
bool chirr_auction_run_want(struct chirr_auction *auction, const struct auction_entry *entry);
/* A run follows the record of its task: a greater statement than its own ends it. `task` may be
 * NULL: forgotten. */
void chirr_auction_run_reconcile(struct chirr_auction *auction, struct auction_run *run,
                                 const struct chirr_task *task);
/* What was to be started is not: given up, or RELEASED where it was stated already. */
void chirr_auction_run_leave(struct chirr_auction *auction);
enum chirr_err chirr_auction_run_end(struct chirr_auction *auction, chirr_task_id task,
                                     uint32_t epoch, const struct chirr_task_result *result);
bool chirr_auction_run_poll(struct chirr_auction *auction, struct chirr_output *output);
bool chirr_auction_run_statement(struct chirr_auction *auction, struct chirr_record *record);

/* Do the claims of another agent count? `*until`: how long; NEVER: until there are news of it. */
bool chirr_auction_counts(const struct chirr_auction *auction, chirr_agent_id agent,
                          chirr_time_us *until);

/* ---- deliberate.c -------------------------------------------------------------------------- */

/* Decides everything anew from records, members, leases, prices and runs as they are. */
void chirr_auction_deliberate(struct chirr_auction *auction, chirr_time_us now);

#endif
