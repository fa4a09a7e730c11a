/* Inside the agent's process: what agent.c, outputs.c, requests.c and status.c share.
 *
 *   agent.c     opens and closes everything; the event loop
 *   outputs.c   carries out what the node wants
 *   requests.c  answers the control socket
 *   operators.c obeys what operators say of trust
 *   drops.c     whatever was dropped, by reason; repeats (of the node: node_drops.c)
 *   status.c    the figures of `chirr ps --json`
 *
 * All of it runs on the event loop's thread. */
#ifndef CHIRR_AGENT_PROCESS_H
#define CHIRR_AGENT_PROCESS_H

#include <stdatomic.h>

#include "agent/agent.h"
#include "agent/beacon.h"
#include "agent/bridge.h"
#include "agent/control.h"
#include "agent/executor.h"
#include "agent/learner_thread.h"
#include "agent/node_drops.h"
#include "agent/store.h"

#define CHIRR_WAITERS_MAX CHIRR_CONTROL_WAITING_MAX

/* A client whose answer comes later: when a task has ended, or the learner has answered. */
struct chirr_waiter {
    enum {
        CHIRR_WAITER_FREE,
        CHIRR_WAITER_TASK,
        CHIRR_WAITER_LEARNER,
    } kind;
    struct chirr_control_client client;
    uint64_t key; /* task id, or the tag of what the learner was asked */
    chirr_time_us until;
    uint32_t bytes; /* of the text evaluated */
};

struct chirr_process_counters {
    uint64_t deltas_out;
    uint64_t prices_unanswered;  /* the learner's mailbox was full */
    uint64_t knowledge_unposted; /* deltas, weights, outcomes: likewise */
    uint64_t texts_unposted;     /* fed by the program that embeds the agent: likewise */
    uint64_t replies_dropped;    /* the node refused the learner's answer */
    uint64_t connects_refused;   /* untrusted, or no room for more; not for want of files */
    uint64_t listens_refused;    /* to somebody who is not connected */
    uint64_t unsigned_dropped;   /* own messages that could not be signed */
    uint64_t starts_refused;     /* the executor had no slot */
    uint64_t requests;
    uint64_t requests_failed; /* but for what was refused further in, and is counted there */
    uint64_t waiters_refused;
    uint64_t store_failures;
    uint64_t trust_refused;    /* operators' changes that the keyring had no room for */
    uint64_t keyring_failures; /* its file could not be written */
    uint64_t turns;
    chirr_time_us lag_us_max;  /* longest that the loop was late for its deadline */
    chirr_time_us turn_us_max; /* longest time spent in one turn, waiting excluded */
};

struct chirr_agent {
    struct chirr_agent_config config;
    const struct chirr_log *log;
    struct chirr_identity identity;
    struct chirr_keyring *keyring;
    struct chirr_store *store;
    struct chirr_transport *transport;
    struct chirr_control *control;
    struct chirr_beacon *beacon; /* NULL: none */
    struct chirr_executor *executor;
    struct chirr_learner_thread *learner; /* NULL: no model */
    struct chirr_arena arena;
    struct chirr_node *node;

    int stop_fd; /* eventfd, written by chirr_agent_stop */
    bool leaving;
    chirr_time_us leave_at; /* when the farewell has had time to go out */
    bool stopped;
    bool removed; /* an operator removed this agent's own key */

    chirr_time_us started_at;
    chirr_time_us turned_at; /* when the last turn of the loop began its work */
    bool batch_open;         /* records wait for the store's commit */
    chirr_time_us batch_us;  /* since when */
    bool batch_promises;     /* own ones among them: nothing is told before it */
    enum chirr_err failure;  /* of the store: the agent cannot keep its promises any longer */
    struct chirr_error failure_why;

    struct chirr_learner_thread_status status; /* the last */
    uint64_t lineage;
    double predicted_s_last, real_s_last; /* of the last task done here; NaN: none */
    uint64_t learner_tag;                 /* of the last evaluation or explanation */
    struct chirr_waiter waiters[CHIRR_WAITERS_MAX];
    struct chirr_log_limit connect_limit;
    struct chirr_process_counters counters;
};

/* outputs.c: drains the node. Durable first: whatever follows the PERSIST of an own statement waits
 * for the commit; others' wait a little for company, until `commit_at`. */
void chirr_process_drain(struct chirr_agent *agent, chirr_time_us now);
chirr_time_us chirr_process_commit_at(const struct chirr_agent *agent);
void chirr_process_commit(struct chirr_agent *agent);
/* A run has ended: the node is told, and people's figures kept. */
void chirr_process_ended(struct chirr_agent *agent, const struct chirr_executor_ended *ended,
                         chirr_time_us now);

/* requests.c */
void chirr_process_request(struct chirr_agent *agent, const struct chirr_control_client *client,
                           const json_t *request, chirr_time_us now);
/* Answers whoever waits for what has happened or not come in time. */
void chirr_process_answer_waiters(struct chirr_agent *agent, chirr_time_us now);
/* Whoever asked for this evaluation or explanation. */
void chirr_process_answer_learned(struct chirr_agent *agent,
                                  const struct chirr_learner_report *report);
chirr_time_us chirr_process_waiters_deadline(const struct chirr_agent *agent);
/* Starts to say goodbye; the loop ends when it has. */
void chirr_process_leave(struct chirr_agent *agent, chirr_time_us now);

/* operators.c: makes the keyring, its file, the connections and the node say what the operators'
 * registers say. */
void chirr_process_trust(struct chirr_agent *agent, chirr_time_us now);
/* The verb `trust`: a new reference. */
json_t *chirr_process_ask_trust(struct chirr_agent *agent, const json_t *request,
                                chirr_time_us now);

/* drops.c: everything that counts what is dropped. */
struct chirr_process_counts {
    struct chirr_node_counts node;
    struct chirr_transport_counters transport;
    struct chirr_beacon_counters beacon;
    struct chirr_process_counters process;
    struct chirr_executor_counters executor;
    struct chirr_store_counters store;
    struct chirr_learner_thread_counters learner;
    struct chirr_source_counters senses;
    uint64_t learner_refused; /* as of its last status */
    uint64_t control_malformed;
};
void chirr_process_count(const struct chirr_agent *agent, struct chirr_process_counts *counts);
/* What was dropped, each once; what came again. Both add to `reasons`. */
void chirr_process_drops(const struct chirr_process_counts *counts, struct chirr_reasons *reasons);
void chirr_process_repeats(const struct chirr_process_counts *counts,
                           struct chirr_reasons *reasons);

/* status.c: new references. */
json_t *chirr_process_status(struct chirr_agent *agent, chirr_time_us now);
json_t *chirr_process_task(const struct chirr_agent *agent, const struct chirr_task *task);
/* 16 hexadecimal digits. */
json_t *chirr_process_id(uint64_t id);

#endif
