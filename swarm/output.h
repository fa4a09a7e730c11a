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
    CHIRR_OUTPUT_CONNECT,    /* open a connection of kind `link` to the agent of `card` */
    CHIRR_OUTPUT_DISCONNECT, /* close whatever there is to `to` */
    CHIRR_OUTPUT_LISTEN,     /* from now on hear the records of neighbour `to` on `topic`: pushed
                                (EAGER, as at first) or announced (LAZY) */
    CHIRR_OUTPUT_PERSIST,    /* make `record` durable before any later output is carried out */
    CHIRR_OUTPUT_PRICE,      /* ask the learner what `task` would cost; answered by _price() */
    CHIRR_OUTPUT_START,      /* run `task` */
    CHIRR_OUTPUT_STOP,    /* kill the run of `task` (id and epoch), lost or cancelled; _ended() */
    CHIRR_OUTPUT_OUTCOME, /* let the learner learn from `task`, which is DONE */
    CHIRR_OUTPUT_APPLY,   /* hand `delta` to the learner */
    CHIRR_OUTPUT_WEIGH,   /* set the learner's g of `weight.origin` */
    CHIRR_OUTPUT_EXTRACT, /* let the learner extract a delta; answered by _delta() */
    CHIRR_OUTPUT_MEMBER,  /* news for people: `member` changed its status */
    CHIRR_OUTPUT_TRUST,   /* an operator's `record` changed which keys count */
    CHIRR_OUTPUT_COUNT,
};

/* What is published on EAGER and KNOWLEDGE goes to each subscriber under a topic of its own, so
 * that what came from one of them is not sent back: the neighbour `except` is passed over (0:
 * nobody). */
enum chirr_topic {
    CHIRR_TOPIC_EAGER,     /* "e/<subscriber>/" */
    CHIRR_TOPIC_LAZY,      /* "i/" */
    CHIRR_TOPIC_HEARTBEAT, /* "h/" */
    CHIRR_TOPIC_KNOWLEDGE, /* "k/<subscriber>/<lineage>/<partition>/" of the delta */
};

enum chirr_link {
    CHIRR_LINK_UNICAST = 1, /* to send to `to`; opened on demand, closed when idle */
    CHIRR_LINK_NEIGHBOUR,   /* to hear what `to` publishes as well */
};

struct chirr_weight {
    chirr_agent_id origin;
    uint32_t g_permille; /* 0…1,000 */
};

struct chirr_output {
    enum chirr_output_kind kind;
    chirr_agent_id to;
    enum chirr_topic topic; /* PUBLISH, LISTEN */
    chirr_agent_id except;  /* PUBLISH */
    enum chirr_link link;   /* CONNECT */
    union {
        const struct chirr_message *message;     /* borrowed */
        const struct chirr_record *record;       /* borrowed; PERSIST, TRUST */
        const struct chirr_card *card;           /* borrowed; CONNECT */
        const struct chirr_task *task;           /* borrowed; PRICE, START, STOP, OUTCOME */
        const struct chirr_delta_message *delta; /* borrowed; APPLY */
        struct chirr_weight weight;
        struct chirr_member_update member;
    };
};

#endif
