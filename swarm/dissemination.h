/* How records travel: pushed at once, and repaired for ever.
 *
 * Push: a record that changed the state is published on "e/" by its author, and passed on there by
 * whoever it was news to, along the broadcast tree over the neighbours (tree.h); who is off the
 * tree hears of it on "i/", and while much is being lost who is on it hears of it as well. In a
 * mesh one hop is all.
 * Repair: scuttlebutt anti-entropy (van Renesse, Dumitriu, Gough, Thomas, "Efficient Reconciliation
 * and Flow Control for Anti-Entropy Protocols", LADIS 2008, section 3): every interval a DIGEST to
 * one random neighbour or member. The first is a summary of constant size: 64 hashes. Where
 * they differ the receiver lists stamps by author and is answered with what is missing there, both
 * ways. Who got much asks again at once. Anti-entropy alone makes every loss harmless; the push
 * makes it fast.
 * Budgets: what is pushed and what repairs it have a byte budget each. Over it a push waits, in a
 * bounded queue, and a repair is left to a later round. That of repair is shared between those who
 * ask, self included (shares.h): nobody delays the others by asking for ever, nor the own rounds.
 *
 * Deviations, most for agents that restart:
 *   - In its own digest an agent's entry about itself is (incarnation that this life began with,
 *     its present incarnation). Who answers sends, of that agent's own records, those of other
 *     lives. What is new to it (its disk was lost) it states again, as it does with what it
 *     restored from disk; so nothing of an earlier life lasts that only some replicas hold.
 *     Registers of an earlier life are void.
 *   - An answer echoes that entry among its marks. Marks count only under the echo of the present
 *     life: an answer to a digest that was sent before a restart promises too much.
 *   - Marks are not signed. They count only up to the newest statement that was heard of their
 *     author, and decide only what is asked for, never what is taken in.
 *   - Records beyond a gap that nobody can fill any more (their author died) are offered with
 *     every eighth answer, not with each.
 *
 * With a local view of the swarm nobody's card is passed on: it comes from its holder, or with a
 * message of the overlay. Repair is about live statements (repair.h), and who answers with
 * something that has been overtaken here is told by what.
 *
 * A machine of the usual five verbs round a borrowed record store. Handles RECORDS, DIGEST,
 * HAVE and GRAFT; outputs SEND, PUBLISH and LISTEN. Not thread-safe; no allocation after create. */
#ifndef CHIRR_SWARM_DISSEMINATION_H
#define CHIRR_SWARM_DISSEMINATION_H

#include "swarm/membership.h"
#include "swarm/records.h"
#include "swarm/tree.h"

#define CHIRR_NEIGHBOURS_MAX 64 /* in a mesh; an active view is smaller */

struct chirr_dissemination_config {
    chirr_agent_id self;
    uint64_t seed;
    bool local;                  /* most of the swarm is unknown, and authors are forgotten */
    uint32_t repair_interval_ms; /* >= 1; the mean, jittered by a quarter */
    uint32_t repair_records_max; /* in one answer, 1…CHIRR_RECORDS_MAX */
    uint32_t changes_max;        /* >= 1; changed records that wait to be collected; beyond that
                                    everything held is shown once more */
    uint32_t relays_max; /* >= 1; statements that wait to be passed on, and that one agent asked
                            for; more are dropped and left to announcement and repair */
    uint32_t push_bytes_per_s;   /* >= 1; bursts of two seconds' worth */
    uint32_t repair_bytes_per_s; /* >= 1; bursts of eight, and four more in shares */
    struct chirr_tree_config tree;
};
struct chirr_dissemination_config chirr_dissemination_config_default(void);
CHIRR_NODISCARD enum chirr_err
chirr_dissemination_config_validate(const struct chirr_dissemination_config *config,
                                    struct chirr_error *error);

struct chirr_dissemination;

size_t chirr_dissemination_bytes(const struct chirr_dissemination_config *config);
/* `config` must be valid. NULL when the arena is too small. */
struct chirr_dissemination *
chirr_dissemination_create(struct chirr_arena *arena,
                           const struct chirr_dissemination_config *config,
                           struct chirr_record_store *store, chirr_time_us now);

/* States something new as self: stamps, joins and pushes it. `record->kind` and its body are given;
 * author and stamp are filled in. The first statement of a life begins it with `incarnation`.
 * CHIRR_ERR_STALE: something greater is known already, or an earlier life had this incarnation.
 * CHIRR_ERR_FULL: the store is. Any other error of the join. Nothing was said then. */
CHIRR_NODISCARD enum chirr_err chirr_dissemination_state(struct chirr_dissemination *dissemination,
                                                         struct chirr_record *record,
                                                         uint64_t incarnation, chirr_time_us now);

/* Whom the overlay is connected to, ascending by id; `mesh`: so is everybody to everybody. */
void chirr_dissemination_set_neighbours(struct chirr_dissemination *dissemination,
                                        const chirr_agent_id *agents, uint32_t count, bool mesh);

/* Takes in what the durable store kept, any number of records, before the first receive. */
CHIRR_NODISCARD enum chirr_err
chirr_dissemination_restore(struct chirr_dissemination *dissemination,
                            const struct chirr_record *record);

/* The first error of any record in it; the others are taken in all the same. */
CHIRR_NODISCARD enum chirr_err
chirr_dissemination_receive(struct chirr_dissemination *dissemination, chirr_agent_id from,
                            const struct chirr_message *message, chirr_time_us now);
/* Takes in records that came in another message of `from`, as cards do in those of the overlay; 0:
 * not from a peer. The first error of any. */
CHIRR_NODISCARD enum chirr_err chirr_dissemination_learn(struct chirr_dissemination *dissemination,
                                                         chirr_agent_id from,
                                                         const struct chirr_record *records,
                                                         uint32_t count, chirr_time_us now);
/* `membership` tells whom to ask. */
void chirr_dissemination_tick(struct chirr_dissemination *dissemination,
                              const struct chirr_membership *membership, chirr_time_us now);
chirr_time_us chirr_dissemination_deadline(const struct chirr_dissemination *dissemination);
bool chirr_dissemination_poll(struct chirr_dissemination *dissemination,
                              struct chirr_output *output);

/* The records that joins changed since the last call, in order, own ones included: the node lets
 * membership, overlay and auction see them. Of a record that changed again meanwhile the newest
 * content comes, twice. False when there is none. Copied. */
bool chirr_dissemination_changed(struct chirr_dissemination *dissemination,
                                 struct chirr_record *record);

/* Sends a digest to this agent now (first contact, healed link). */
void chirr_dissemination_ask(struct chirr_dissemination *dissemination, chirr_agent_id to);

/* Is this neighbour's branch of the tree pushed, or announced only? */
bool chirr_dissemination_is_eager(const struct chirr_dissemination *dissemination,
                                  chirr_agent_id neighbour);

struct chirr_dissemination_counters {
    uint64_t pushed_records;  /* own */
    uint64_t relayed_records; /* others', passed on */
    uint64_t grafted_records; /* sent to who missed them */
    uint64_t answered_records;
    uint64_t first_deliveries, duplicates; /* statements that came by push */
    uint64_t overflows;                    /* too many changes waited */
    uint64_t dropped;    /* relays, digests and answers that found their queue full */
    uint64_t postponed;  /* repairs for which there was no budget left */
    uint64_t over_share; /* repairs, and statements asked for, beyond what one asker is due while
                            little is left for the others */
    uint64_t askers_forgotten; /* who had not their whole share again; more than are remembered */
    uint64_t restated;         /* own statements of an earlier life, made again */
    /* Repeats: */
    uint64_t own;      /* own registers that came back */
    uint64_t ended;    /* statements on tasks that had ended and were forgotten */
    uint64_t unechoed; /* marks of an answer that does not name this life: they come again */
    /* Dropped, besides what the store refuses: */
    uint64_t passed_over; /* cards of others, with a local view: see passes_over */
    uint64_t refused;     /* messages too long, questions without an echo with a local view, own
                             statements that none can follow */
    uint64_t gone;        /* statements asked for, or to be passed on, that are not held any more */
    struct chirr_tree_counters tree;
};
struct chirr_dissemination_counters
chirr_dissemination_count(const struct chirr_dissemination *dissemination);

#endif
