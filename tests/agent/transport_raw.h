/* Sockets of libzmq alone, as an attacker has them, in a context of their own.
 *
 * The attacker holds a key that its victim trusts: what others can do ends at the handshake. */
#ifndef CHIRR_TESTS_AGENT_TRANSPORT_RAW_H
#define CHIRR_TESTS_AGENT_TRANSPORT_RAW_H

#include "tests/agent/transport_nodes.h"

/* Of those that are opened from now on; libzmq's own, a thousand, unless a test changes it. */
extern int raw_send_queue_max;

/* A client of `server` with any identity's CURVE keys, or with none. */
void *raw_client(int type, const struct chirr_identity *identity, const struct node *server,
                 const char *endpoint);
/* A publisher that `victim` takes for `node`; with its CURVE key, unless the victim has none. */
void *raw_publisher(int type, const struct node *node, struct node *victim);
/* The context goes with the last one. */
void raw_close(void *socket);

size_t seal_ping(const struct chirr_identity *from, bool sign, uint8_t *frame, size_t capacity);
/* After a change of what follows the header. */
void raw_digest(uint8_t *frame, size_t bytes);

#endif
