/* What the files of dissemination share: dissemination.c (the machine, and time),
 * dissemination_in.c (taking in), dissemination_answer.c (who asks), dissemination_own.c (speaking
 * as self), dissemination_out.c (the way out). Internal to them. */
#ifndef CHIRR_SWARM_DISSEMINATION_STATE_H
#define CHIRR_SWARM_DISSEMINATION_STATE_H

#include "base/random.h"
#include "base/ring.h"
#include "swarm/budget.h"
#include "swarm/changes.h"
#include "swarm/dissemination.h"
#include "swarm/repair.h"
#include "swarm/shares.h"

#define CHIRR_PUSH_RECORDS_MAX 16 /* in one message; the rest follows */

/* A statement held here that is to go out: on to all but whom it came from, or to who asked. */
struct chirr_handout {
    struct chirr_digest_entry statement;
    chirr_agent_id agent;
};

/* A digest that is to go out. */
struct chirr_errand {
    chirr_agent_id to;
    chirr_agent_id payer; /* who caused it: self, or `to` */
    bool answer_wanted;
    uint64_t buckets; /* 0: a summary */
};

struct chirr_dissemination {
    struct chirr_dissemination_config config;
    struct chirr_record_store *store; /* borrowed */
    struct chirr_random random;
    struct chirr_tree *tree;
    chirr_agent_id neighbours[CHIRR_NEIGHBOURS_MAX]; /* ascending */
    uint32_t neighbour_count;
    bool mesh; /* everybody is everybody's neighbour: nothing is passed on */

    uint64_t life;             /* incarnation of this life's first statement; 0 before it */
    struct chirr_stamp own;    /* of the newest statement made or heard as self */
    struct chirr_stamp pushed; /* everything own up to here went out */
    bool push_due;
    chirr_time_us now; /* of the newest input */
    chirr_time_us repair_at;
    uint32_t pushed_news; /* records that pushes brought since the last round */
    bool repair_hurries;  /* the next round comes sooner than its interval */
    struct chirr_changes changes;
    struct chirr_ring relays; /* of struct chirr_handout: pushed on to all but `agent` */
    bool relays_due;          /* with the tick, so that what came in together goes on together */
    struct chirr_ring wanted; /* of struct chirr_handout: sent to `agent`, who grafted */
    struct chirr_budget push_budget;
    struct chirr_shares repair_shares;

    struct chirr_ring errands;         /* of struct chirr_errand */
    struct chirr_repair_answer answer; /* borrowed by a SEND */
    chirr_agent_id answer_to;
    bool answer_due;
    struct chirr_record *push;          /* [CHIRR_PUSH_RECORDS_MAX], borrowed by an output */
    struct chirr_digest_entry *entries; /* [CHIRR_DIGEST_ENTRIES_MAX], borrowed by a SEND */
    struct chirr_message message;       /* borrowed by an output */
    struct chirr_dissemination_counters counters;
};

/* Joins and notes the change. */
CHIRR_NODISCARD enum chirr_err chirr_dissemination_join(struct chirr_dissemination *dissemination,
                                                        const struct chirr_record *record,
                                                        enum chirr_join *how);
/* A record of this agent's own came, from disk or from others. */
CHIRR_NODISCARD enum chirr_err
chirr_dissemination_hear_own(struct chirr_dissemination *dissemination,
                             const struct chirr_record *record);

CHIRR_NODISCARD enum chirr_err
chirr_dissemination_hear_records(struct chirr_dissemination *dissemination, chirr_agent_id from,
                                 const struct chirr_records *records);
void chirr_dissemination_hear_graft(struct chirr_dissemination *dissemination, chirr_agent_id from,
                                    const struct chirr_have *have);
void chirr_dissemination_hear_digest(struct chirr_dissemination *dissemination, chirr_agent_id from,
                                     const struct chirr_digest_message *digest);

/* `to` is to be sent these, or what their authors said after them. */
void chirr_dissemination_want(struct chirr_dissemination *dissemination,
                              const struct chirr_digest_entry *statements, uint32_t count,
                              chirr_agent_id to);
/* May a repair go out that `payer` caused? Counted when it may not. */
bool chirr_dissemination_affords(struct chirr_dissemination *dissemination, chirr_agent_id payer);
/* There is more where that answer came from: asked again, as far as `from` has budget for it. */
void chirr_dissemination_follow_up(struct chirr_dissemination *dissemination, chirr_agent_id from);
/* Where repair finds something there is more to find: the next round comes sooner. */
void chirr_dissemination_hurry(struct chirr_dissemination *dissemination);

#endif
