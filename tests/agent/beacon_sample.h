/* Cards to say with a beacon, and what is then on the wire. */
#ifndef CHIRR_TESTS_AGENT_BEACON_SAMPLE_H
#define CHIRR_TESTS_AGENT_BEACON_SAMPLE_H

#include "agent/beacon.h"

#define BEACON_SWARM "meadow"

struct datagram {
    uint8_t data[CHIRR_BEACON_BYTES_MAX + 1]; /* room for one that is too long */
    size_t bytes;
};

/* To the swarm of that name. */
struct datagram beacon_of(const struct chirr_record *card);
/* A signed card of the author, of that life of it; the longest there can be. */
struct chirr_record beacon_card(const struct chirr_identity *author, uint64_t incarnation);

#endif
