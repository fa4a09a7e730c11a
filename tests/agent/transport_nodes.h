/* Up to three agents' transports over real loopback sockets on free ports, turned by one loop.
 *
 * Everything waits for what must happen, up to a deadline; nothing sleeps and hopes. */
#ifndef CHIRR_TESTS_AGENT_TRANSPORT_NODES_H
#define CHIRR_TESTS_AGENT_TRANSPORT_NODES_H

#include <criterion/criterion.h>

#include "agent/transport.h"
#include "tests/support/generate.h"

#define NODES_MAX 3
#define NODES_DEADLINE_US (20 * CHIRR_US_PER_S)

struct node {
    struct chirr_identity identity;
    struct chirr_keyring *keyring;
    struct chirr_transport *transport; /* NULL: does not run, or its loop is not turned */
    struct chirr_transport_config config;
    struct chirr_log log;
    unsigned lines; /* written to the log */
    unsigned received[CHIRR_MESSAGE_KINDS];
    chirr_agent_id last_from;
    uint32_t last_sequence; /* of a ping */
    uint32_t last_records;  /* how many came in one message, and by whom the first */
    chirr_agent_id last_author;
    uint32_t last_marks; /* of records or of a digest: how many, and whose the first */
    chirr_agent_id last_marked;
};

extern struct node nodes[NODES_MAX];
#define a (&nodes[0])
#define b (&nodes[1])
#define c (&nodes[2])
extern struct chirr_random random_stream;

void nodes_setup(void);
void nodes_teardown(void);

void trust(struct node *node, const struct node *other);
void start(struct node *node);
void start_all(void); /* who all trust each other */

struct chirr_peer_address address_of(const struct node *node);
void link_as(struct node *node, const struct node *other, enum chirr_link link);
void link_to(struct node *node, const struct node *other); /* as a neighbour */
void befriend(struct node *node, struct node *other);      /* both ways */
/* Who subscribed at `node`: to `topic` as it is, or to "e/" of `to` alone. */
uint32_t subscribers(const struct node *node, const char *topic, const struct node *to);
uint64_t dropped(const struct node *node, enum chirr_transport_drop reason);

void ping(struct node *node, const struct node *to, uint32_t sequence);
void publish(struct node *node, enum chirr_topic topic); /* a heartbeat */

/* Connects to where somebody bound, as whoever knows nothing of ZeroMQ does; a file descriptor. */
int connect_plainly(const char *endpoint);

chirr_time_us now_us(void);

/* One turn of every running loop, after at most a few milliseconds. */
void turn(void);

/* Turns the loops, doing `again` before each turn, until `condition` or the deadline. */
#define WAIT_DOING(again, condition)                                                               \
    do {                                                                                           \
        chirr_time_us deadline = now_us() + NODES_DEADLINE_US;                                     \
        while (!(condition)) {                                                                     \
            cr_assert_lt(now_us(), deadline, "waited in vain for " #condition);                    \
            again;                                                                                 \
            turn();                                                                                \
        }                                                                                          \
    } while (0)
#define WAIT(condition) WAIT_DOING((void)0, condition)

#endif
