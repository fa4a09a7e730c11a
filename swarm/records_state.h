/* What the files of the record store share: records.c (joining), records_view.c (looking in),
 * records_live.c (what still matters, and forgetting who says nothing that does). Internal to
 * them.
 *
 *      slots     | card, claims of author 0 | … of author 1 | … | task | task | … | trust | … |
 *      order     authors sorted by id -> marks, and a list of an author's slots in order of stamps
 *      tasks     sorted by id -> slot
 *      parted    a ring of authors that were forgotten, with what they last claimed
 *      ended     a list of the slots of ended tasks, in the order in which they ended here
 *
 * A slot's record lies in a slab of its kind, where it takes only the bytes that its kind needs: a
 * card is a sixth of a task. A statement held is in the list of the author who made it: when the
 * task goes over to a statement of another author, its slot moves to that one's list. Links are
 * slot numbers. What is asked for often about many authors lies close together: ids in the order,
 * stamps in the slots, and of each bucket of a digest the sum of all prints. */
#ifndef CHIRR_SWARM_RECORDS_STATE_H
#define CHIRR_SWARM_RECORDS_STATE_H

#include "base/ring.h"
#include "swarm/records.h"

#define CHIRR_REGISTERS_PER_AUTHOR                                                                 \
    2U /* card and claims; a trust register is an operator's alone                                 \
        */
#define CHIRR_OPERATORS_MAX 8
#define CHIRR_SLOT_NONE UINT32_MAX

struct chirr_slot_link {
    uint32_t before, after;
};

struct chirr_slot_list {
    uint32_t first, last;
};

struct chirr_slot {
    struct chirr_record *record;     /* only as long as its kind needs; kind 0: empty */
    struct chirr_stamp stamp;        /* of the record; zero: empty */
    uint64_t digest;                 /* of the record */
    uint32_t author;                 /* index into authors */
    struct chirr_slot_link by_stamp; /* `after` also chains the free slots */
    struct chirr_slot_link by_end;
};

struct chirr_author_entry {
    chirr_agent_id id;
    uint32_t at; /* index into authors */
};

struct chirr_author {
    chirr_agent_id id;
    struct chirr_stamp covered, heard, witnessed;
    struct chirr_slot_list held; /* ascending by stamp; `first` also chains the free authors */
    uint64_t changed;            /* how many joins had changed the store when one of this did */
    bool quarantined;
};

/* No claims up to there are taken in any more. */
struct chirr_parted {
    chirr_agent_id author;
    struct chirr_stamp claims;
};

struct chirr_task_entry {
    chirr_task_id id;
    uint32_t slot;
};

struct chirr_record_store {
    struct chirr_records_config config;
    struct chirr_slot *slots; /* [CHIRR_REGISTERS_PER_AUTHOR * agents_max + tasks_max +
                                CHIRR_OPERATORS_MAX] */
    chirr_agent_id operators[CHIRR_OPERATORS_MAX]; /* whose trust registers are held */
    uint32_t operator_count;
    struct chirr_author *authors;          /* [agents_max], where each stays */
    struct chirr_author_entry *order;      /* [agents_max], ascending by id */
    uint64_t prints[CHIRR_DIGEST_BUCKETS]; /* of all statements held, and of all marks */
    struct chirr_task_entry *tasks;        /* [tasks_max], ascending by id */
    struct chirr_ring forgotten;           /* task ids */
    struct chirr_ring parted;              /* of struct chirr_parted */
    struct chirr_slot_list ended;
    uint32_t author_count;
    uint32_t task_count;
    uint32_t free_author;
    uint32_t free_slot;
    struct chirr_records_counters counters;
};

/* The one place where a mark changes. */
void chirr_records_set_covered(struct chirr_record_store *store, struct chirr_author *author,
                               struct chirr_stamp covered);
/* NULL when nothing of it is held. */
struct chirr_author *chirr_records_author(const struct chirr_record_store *store,
                                          chirr_agent_id id);
/* The oldest slot of the author newer than `after`; CHIRR_SLOT_NONE. */
uint32_t chirr_records_slot_after(const struct chirr_record_store *store,
                                  const struct chirr_author *author, struct chirr_stamp after);
/* The slot under exactly this stamp; NULL. */
const struct chirr_slot *chirr_records_slot_at(const struct chirr_record_store *store,
                                               const struct chirr_author *author,
                                               struct chirr_stamp stamp);
/* Where the author's register of this kind is; CHIRR_SLOT_NONE: a trust register that was never
 * made. */
uint32_t chirr_records_register_slot(const struct chirr_record_store *store,
                                     const struct chirr_author *author,
                                     enum chirr_record_kind kind);
uint32_t chirr_records_task_slot(const struct chirr_record_store *store, chirr_task_id id);
/* Forgets an ended task; its id is remembered. */
void chirr_records_forget_task(struct chirr_record_store *store, uint32_t at);
/* Empties a slot that holds a register. */
void chirr_records_forget_register(struct chirr_record_store *store, uint32_t at);
/* Forgets an author of whom nothing is held. */
void chirr_records_release(struct chirr_record_store *store, struct chirr_author *author);

#endif
