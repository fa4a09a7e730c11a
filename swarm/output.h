/* What a machine wants done: the one way out of every sans-IO machine.
 *
 * A machine never calls outward; whoever drives it (event loop or simulator) drains `…_poll` until
 * it returns false and carries the outputs out in order. What an output borrows lives until the
 * machine's next `receive`, `tick` or other input. */
#ifndef CHIRR_SWARM_OUTPUT_H
#define CHIRR_SWARM_OUTPUT_H

#include "base/time.h"
#include "proto/message.h"

enum chirr_output_kind {
    CHIRR_OUTPUT_SEND = 1,   /* `message` to `to` */
    CHIRR_OUTPUT_PUBLISH,    /* `message` on `topic` */
    CHIRR_OUTPUT_CONNECT,    /* open connections to the agent of `card` */
    CHIRR_OUTPUT_DISCONNECT, /* close them to `to` */
    CHIRR_OUTPUT_PERSIST,    /* make `record` durable before any later output is carried out */
    CHIRR_OUTPUT_PRICE,      /* ask the learner what `task` would cost; answered by _price() */
    CHIRR_OUTPUT_START,      /* run `task` */
    CHIRR_OUTPUT_STOP,    /* kill the run of `task` (id and epoch), lost or cancelled; _ended() */
    CHIRR_OUTPUT_OUTCOME, /* let the learner learn from `task`, which is DONE */
    CHIRR_OUTPUT_APPLY,   /* hand `delta` to the learner */
    CHIRR_OUTPUT_WEIGH,   /* set the learner's g of `weight.origin` */
    CHIRR_OUTPUT_EXTRACT, /* let the learner extract a delta; answered by _delta() */
    CHIRR_OUTPUT_MEMBER,  /* news for people: `member` changed its status */
    CHIRR_OUTPUT_COUNT,
};

enum chirr_topic {
    CHIRR_TOPIC_EAGER,     /* "e/" */
    CHIRR_TOPIC_HEARTBEAT, /* "h/" */
    CHIRR_TOPIC_KNOWLEDGE, /* "k/<lineage>/<partition>/" of the delta */
};

struct chirr_weight {
    chirr_agent_id origin;
    uint32_t g_permille; /* 0…1,000 */
};

struct chirr_output {
    enum chirr_output_kind kind;
    chirr_agent_id to;
    enum chirr_topic topic;
    union {
        const struct chirr_message *message;     /* borrowed */
        const struct chirr_record *record;       /* borrowed; PERSIST */
        const struct chirr_card *card;           /* borrowed; CONNECT */
        const struct chirr_task *task;           /* borrowed; PRICE, START, STOP, OUTCOME */
        const struct chirr_delta_message *delta; /* borrowed; APPLY */
        struct chirr_weight weight;
        struct chirr_member_update member;
    };
};

#endif
