/* A TCP forwarder, as a router that maps a port or a tunnel is one: what it accepts on a port of
 * its own goes on to another one of this machine. A thread of its own does the work. */
#ifndef CHIRR_TESTS_AGENT_FORWARDER_H
#define CHIRR_TESTS_AGENT_FORWARDER_H

#include "base/wire.h"
#include "proto/message.h"

struct forwarder;

/* Listens; whoever connects before it is aimed is hung up on. */
struct forwarder *forwarder_create(char endpoint[CHIRR_ENDPOINT_BYTES_MAX]);
void forwarder_destroy(struct forwarder *forwarder);
void forwarder_aim(struct forwarder *forwarder, const char *endpoint);
/* Connections that it passed on so far. */
unsigned forwarder_count(const struct forwarder *forwarder);

#endif
