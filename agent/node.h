/* The swarm half of an agent: one pure machine out of membership, overlay, dissemination, leases,
 * auction and ledger.
 *
 * Records are the way through: whatever `receive` or a local call changes is stated or joined in
 * the record store; every changed record is shown to the machines that live on it (a card to
 * membership and overlay, claims and tasks to the auction), and what the auction wants said is
 * stated in turn. `poll` hands out a task's PERSIST before anything that tells others of it, so
 * that nothing is promised that a `kill -9` could break.
 *
 * The event loop and the simulator drive it alike, with the five verbs. Learner and node exchange
 * plain values: PRICE, OUTCOME, APPLY, WEIGH and EXTRACT go out, prices, deltas and the learner's
 * state come in. `now` is monotonic: should it step back all the same, time stands still until it
 * has caught up. Not thread-safe; no allocation after create. */
#ifndef CHIRR_AGENT_NODE_H
#define CHIRR_AGENT_NODE_H

#include "swarm/auction.h"
#include "swarm/dissemination.h"
#include "swarm/ledger.h"
#include "swarm/overlay.h"

#define CHIRR_NODE_SEEDS_MAX 16

struct chirr_node_config {
    uint64_t incarnation;   /* greater than any that this agent had before */
    uint64_t seed;          /* of every random stream in here */
    struct chirr_card card; /* who this agent is; the id is the digest of its key */
    uint32_t agents_max;    /* 2…2,048, itself included */
    bool local_view;        /* for a swarm of more than that: a part of it is known (node_local.c);
                               all of its agents or none */
    uint32_t tasks_max;     /* 1…65,536 */
    uint32_t heartbeat_interval_ms;
    uint32_t seed_interval_ms; /* between two knocks at a seed that is not alive here */
    uint32_t seed_count;
    struct chirr_card seeds[CHIRR_NODE_SEEDS_MAX]; /* key and endpoints suffice */
    uint32_t
        knowledge_bytes_per_s; /* of others' deltas that are passed on; bursts of four seconds */
    struct chirr_membership_config membership;
    struct chirr_overlay_config overlay;
    struct chirr_dissemination_config dissemination;
    struct chirr_lease_config lease;
    struct chirr_auction_config auction;
    struct chirr_ledger_config ledger; /* origins_max: as many as the learner's model holds */
};

/* Defaults of every part; `card`, `incarnation` and `seed` are the caller's to fill. What the parts
 * share (self, seeds, limits, hosted partitions) is derived from here by `create`. */
struct chirr_node_config chirr_node_config_default(void);
/* What agents_max has to be at least: with a local view its views take no more than a half of it.
 */
uint32_t chirr_node_agents_min(const struct chirr_node_config *config);
CHIRR_NODISCARD enum chirr_err chirr_node_config_validate(const struct chirr_node_config *config,
                                                          struct chirr_error *error);

struct chirr_node;

size_t chirr_node_bytes(const struct chirr_node_config *config);
/* NULL when the arena is too small. `config` must be valid. */
struct chirr_node *chirr_node_create(struct chirr_arena *arena,
                                     const struct chirr_node_config *config, chirr_time_us now);

/* Takes back a record that the durable store kept; before the first other input. The outcome of a
 * task that had ended is not told again. */
CHIRR_NODISCARD enum chirr_err chirr_node_restore(struct chirr_node *node,
                                                  const struct chirr_record *record);

/* A message from a peer whose identity the transport has established. */
CHIRR_NODISCARD enum chirr_err chirr_node_receive(struct chirr_node *node, chirr_agent_id from,
                                                  const struct chirr_message *message,
                                                  chirr_time_us now);
void chirr_node_tick(struct chirr_node *node, chirr_time_us now);
chirr_time_us chirr_node_deadline(const struct chirr_node *node);
bool chirr_node_poll(struct chirr_node *node, struct chirr_output *output);

/* Local calls. A submitted task is accepted once its PERSIST has been carried out.
 * CHIRR_ERR_RANGE, CHIRR_ERR_MALFORMED (the specification), CHIRR_ERR_FULL (too many tasks). */
CHIRR_NODISCARD enum chirr_err chirr_node_submit(struct chirr_node *node,
                                                 const struct chirr_task_spec *spec,
                                                 chirr_time_us now, chirr_task_id *id);
/* CHIRR_ERR_NOTFOUND; CHIRR_ERR_UNTRUSTED: submitted by another; CHIRR_ERR_STATE: it has ended. */
CHIRR_NODISCARD enum chirr_err chirr_node_cancel(struct chirr_node *node, chirr_task_id id,
                                                 chirr_time_us now);
/* The executor's answer to START. */
CHIRR_NODISCARD enum chirr_err chirr_node_ended(struct chirr_node *node, chirr_task_id id,
                                                uint32_t epoch,
                                                const struct chirr_task_result *result,
                                                chirr_time_us now);
/* Says farewell, starts nothing any more and withdraws its claims. */
void chirr_node_leave(struct chirr_node *node, chirr_time_us now);

/* A signed record that came another way than from a peer: an operator's, over the control socket.
 * CHIRR_OK too when it was known or is dominated; any error of a join. */
CHIRR_NODISCARD enum chirr_err
chirr_node_learn(struct chirr_node *node, const struct chirr_record *record, chirr_time_us now);
/* Somebody's card, signed and verified, that came another way than from a peer (a beacon): what it
 * names becomes a contact as a seed is, and is told of this agent. Any error of a join;
 * CHIRR_ERR_INVALID: not another's card; CHIRR_ERR_FULL: there is no room for it. */
CHIRR_NODISCARD enum chirr_err chirr_node_meet(struct chirr_node *node,
                                               const struct chirr_record *card, chirr_time_us now);
/* Its key was removed: it is no member, neighbour or teacher any more. Its tasks stay. */
void chirr_node_forget(struct chirr_node *node, chirr_agent_id agent, chirr_time_us now);

/* The learner's answers. */
void chirr_node_price(struct chirr_node *node, const struct chirr_price *price, chirr_time_us now);
/* Stamps and publishes what the learner extracted. `payload` is copied. CHIRR_ERR_BUSY: the one
 * before has not been polled yet; CHIRR_ERR_INVALID: empty, too large, or of a partition that is
 * not hosted. */
CHIRR_NODISCARD enum chirr_err chirr_node_delta(struct chirr_node *node, uint32_t partition,
                                                const uint8_t *payload, size_t payload_bytes,
                                                chirr_time_us now);
/* How the learner stands; drift paces the publishing, bits ride on the heartbeat. */
struct chirr_learner_news {
    float bits;
    uint32_t drift_permille;
};
void chirr_node_news(struct chirr_node *node, const struct chirr_learner_news *news);

/* Looking in. */
chirr_agent_id chirr_node_id(const struct chirr_node *node);
const struct chirr_record_store *chirr_node_records(const struct chirr_node *node);
const struct chirr_membership *chirr_node_membership(const struct chirr_node *node);
const struct chirr_overlay *chirr_node_overlay(const struct chirr_node *node);
const struct chirr_dissemination *chirr_node_dissemination(const struct chirr_node *node);
const struct chirr_auction *chirr_node_auction(const struct chirr_node *node);
const struct chirr_ledger *chirr_node_ledger(const struct chirr_node *node);
/* The last heartbeat heard of an agent; NULL when none. */
const struct chirr_heartbeat *chirr_node_heartbeat(const struct chirr_node *node,
                                                   chirr_agent_id agent);

struct chirr_node_counters {
    uint64_t received[CHIRR_MESSAGE_KINDS]; /* by kind */
    uint64_t refused;  /* receive returned an error: all together, each counted by who refused it */
    uint64_t unstated; /* own statements that were not made: the records count why */
    uint64_t clock_steps_back;    /* inputs before the one that came last: its time is held */
    uint64_t leases_begun;        /* lives of others that were heard of */
    uint64_t incarnations_proven; /* claims stated again, since rumours drove the own one up */
    uint64_t strangers;           /* members and authors forgotten, see local_view */
    uint64_t tasks_submitted, tasks_done_here, tasks_failed_here;
    /* Dropped, besides what the parts count: */
    uint64_t strays;         /* messages of nobody, of this very agent, or of no kind */
    uint64_t replayed;       /* heartbeats that do not go on from the last */
    uint64_t leases_full;    /* heartbeats of somebody for whose lease there is no room */
    uint64_t unadmitted;     /* cards of agents for whom overlay or membership has no room */
    uint64_t unreachable;    /* messages to whom no card is known, or no link left */
    uint64_t relays_dropped; /* deltas that were not passed on */
    uint64_t interrupted;    /* messages lost since an input came before all was polled */
};
const struct chirr_node_counters *chirr_node_count(const struct chirr_node *node);

/* Digest of records, membership and running tasks: what a replay must reproduce. */
uint64_t chirr_node_state_hash(const struct chirr_node *node);

#endif
