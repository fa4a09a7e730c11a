/* The learning half of an agent: one pure machine round the model.
 *
 * Requests go in (what was sensed, what the node wants), at most one reply comes out of each; the
 * process passes both through bounded mailboxes between two threads, the simulator calls inline.
 * A second model of the same shape can learn alone from the very same input (`control`): it never
 * sees a peer's knowledge, so the difference between the two is what the swarm is worth.
 * Not thread-safe: one owner; no allocation after create. */
#ifndef CHIRR_AGENT_LEARNER_H
#define CHIRR_AGENT_LEARNER_H

#include "base/time.h"
#include "model/delta.h"
#include "proto/message.h"
#include "swarm/auction.h"
#include "swarm/output.h"

/* What the price of a task is predicted from: hashed kind [8], log size, log CPU share of the
 * device, jobs running beside it, load of the machine (missing where unknown). */
#define CHIRR_LEARNER_FEATURES 12

struct chirr_learner_config {
    struct chirr_model_config model; /* senses of people's choice; "outcome" is added by create */
    bool control;
    uint32_t load_sense; /* index of a vector sense whose component 0 is the load; or NONE */
};
#define CHIRR_LEARNER_NO_SENSE UINT32_MAX

/* One bit of 64 is the trunk's. */
#define CHIRR_LEARNER_PARTITIONS_MAX 63

struct chirr_learner_config chirr_learner_config_default(void);
CHIRR_NODISCARD enum chirr_err
chirr_learner_config_validate(const struct chirr_learner_config *config, struct chirr_error *error);

/* The model's configuration with the outcome sense appended: what the lineage is computed from. */
struct chirr_model_config chirr_learner_model_config(const struct chirr_learner_config *config);

/* What is exchanged with peers, a bit each: the hosted partitions, and the trunk at bit P. This is
 * what an agent's card calls hosted, and what it subscribes to. */
uint64_t chirr_learner_units(const struct chirr_learner_config *config);

enum chirr_learner_request_kind {
    CHIRR_LEARNER_BYTES = 1, /* sensed: `bytes` of a sense of symbols */
    CHIRR_LEARNER_VECTOR,    /* sensed: one vector */
    CHIRR_LEARNER_PRICE,     /* what would this task cost here? -> PRICE */
    CHIRR_LEARNER_OUTCOME,   /* this is what a task cost */
    CHIRR_LEARNER_APPLY,     /* a peer's delta */
    CHIRR_LEARNER_WEIGH,     /* a peer's weight; 0 frees its place */
    CHIRR_LEARNER_EXTRACT,   /* -> DELTA, when anything changed */
    CHIRR_LEARNER_EVALUATE,  /* bits per byte on a text, frozen -> EVALUATION */
};

/* A task as the learner sees it: where it ran or would run. */
struct chirr_learner_task {
    chirr_task_id id;
    char kind[CHIRR_NAME_BYTES_MAX];
    uint64_t size_bytes;
    uint32_t cpu_permille;
    uint32_t running_count;  /* beside it */
    bool here;               /* on this machine: the load sensed here applies */
    enum chirr_task_end end; /* OUTCOME only, as the next two */
    int32_t code;
    uint64_t duration_us;
};

struct chirr_learner_request {
    enum chirr_learner_request_kind kind;
    uint32_t sense;       /* BYTES, VECTOR, EVALUATE */
    uint32_t count;       /* bytes or components at `bytes` / `values` */
    bool begins;          /* BYTES: they are the first of an item, such as a picture */
    const uint8_t *bytes; /* borrowed for the call; BYTES, EVALUATE */
    const float *values;  /* likewise; VECTOR */
    union {
        struct chirr_learner_task task;
        struct chirr_delta_message delta; /* payload borrowed for the call */
        struct chirr_weight weight;
        uint64_t tag; /* EVALUATE: returned in the reply */
    };
};

enum chirr_learner_reply_kind {
    CHIRR_LEARNER_REPLY_NONE,
    CHIRR_LEARNER_REPLY_PRICE,
    CHIRR_LEARNER_REPLY_DELTA,
    CHIRR_LEARNER_REPLY_EVALUATION,
};

struct chirr_learner_evaluation {
    uint64_t tag;
    double bits_genesis; /* bits per byte of the untrained model */
    double bits_swarm;   /* of the model as it is */
    double bits_alone;   /* of the control; NaN without one */
};

struct chirr_learner_reply {
    enum chirr_learner_reply_kind kind;
    union {
        struct chirr_price price;
        struct chirr_learner_evaluation evaluation;
        struct {
            uint32_t partition;
            uint32_t bytes;
            uint8_t payload[CHIRR_DELTA_PAYLOAD_BYTES_MAX];
        } delta;
    };
};

struct chirr_learner;

size_t chirr_learner_bytes(const struct chirr_learner_config *config);
struct chirr_learner *chirr_learner_create(struct chirr_arena *arena,
                                           const struct chirr_learner_config *config);

/* What learners of one configuration that run on one thread, as those of a simulated world do,
 * need but once: the workspace of their models (model/workspace.h) and, for a control, the model
 * that learns nothing. It outlives them. NULL when the arena is too small. */
struct chirr_learner_shared;
size_t chirr_learner_shared_bytes(const struct chirr_learner_config *config);
struct chirr_learner_shared *chirr_learner_shared_create(struct chirr_arena *arena,
                                                         const struct chirr_learner_config *config);

/* As chirr_learner_bytes and chirr_learner_create, of a learner that borrows it; the same bits. */
size_t chirr_learner_bytes_within(const struct chirr_learner_config *config);
struct chirr_learner *chirr_learner_create_within(struct chirr_arena *arena,
                                                  const struct chirr_learner_config *config,
                                                  const struct chirr_learner_shared *shared);

/* Carries out one request. What the model refuses (hostile input, a foreign lineage, a stale or
 * malformed delta) is returned, counted, and changes nothing. */
CHIRR_NODISCARD enum chirr_err chirr_learner_handle(struct chirr_learner *learner,
                                                    const struct chirr_learner_request *request,
                                                    struct chirr_learner_reply *reply);

/* Running figures, for the node, the table and the summary. A byte sense's bits are averaged over
 * the first CHIRR_LEARNER_WINDOW bytes and, exponentially, over about as many most recent ones. */
#define CHIRR_LEARNER_WINDOW 4096
struct chirr_learner_sense_status {
    uint64_t steps;  /* in this process: bytes or vectors */
    double bits_now; /* as below, of this sense; NaN until anything was sensed */
};
struct chirr_learner_status {
    uint64_t bytes_learned; /* of texts; likewise the bits that follow */
    uint64_t vectors_learned;
    uint64_t outcomes_learned;
    uint64_t refused;
    double bits_start;      /* NaN until the first window is full, or not begun at genesis */
    double bits_now;        /* NaN until a byte was seen */
    double bits_alone;      /* the control's over the same bytes; NaN without one */
    double vector_bits_now; /* per component; NaN until a vector was seen */
    double surprise;
    double drift_permille; /* unpublished own change, relative to own change; 1000 while the first
                              deltas after a drift of surprise are not yet out */
    uint64_t deltas_applied, deltas_refused;
    uint32_t sense_count;
    struct chirr_learner_sense_status senses[CHIRR_MODEL_SENSES_MAX];
    struct chirr_model_statistics model;
};
void chirr_learner_status(const struct chirr_learner *learner, struct chirr_learner_status *out);

/* Checkpoints were loaded into the model and, where `control`, into the control from the same
 * instant; else the control is given up. Before the first request. The first window is no untrained
 * model's now, and means begin anew for both. What is held of others counts again once the ledger,
 * which begins anew as well, has weighed it. */
void chirr_learner_resume(struct chirr_learner *learner, bool control);

/* Borrowed: for checkpoints, taken between two requests. */
struct chirr_model *chirr_learner_model(struct chirr_learner *learner);
struct chirr_model *chirr_learner_control(struct chirr_learner *learner); /* NULL: none */
uint64_t chirr_learner_state_hash(const struct chirr_learner *learner);

#endif
