/* The beacon: agents on one local network find each other without seeds.
 *
 * Every so often an agent sends its signed card to an IPv4 multicast group, one hop far; who hears
 * the card of an agent that its keyring trusts, and that does not live here, makes its holder a
 * contact. There is no reply: nothing can be amplified, and who is not trusted learns nothing by
 * asking. It only saves writing down seeds; connections prove who is who as ever (zap.h).
 *
 *      0        4         6      8                 16
 *      +--------+---------+------+-----------------+---- … ----+
 *      | "CHRB" | version | zero | digest of swarm |   card    |
 *      +--------+---------+------+-----------------+---- … ----+
 *
 * Little-endian; the card is a record as the codec encodes it, with its signature. Nothing is
 * believed of a datagram but what that signature covers, and an old card is worth a connection that
 * comes to nothing. Not thread-safe: it belongs to the event loop. */
#ifndef CHIRR_AGENT_BEACON_H
#define CHIRR_AGENT_BEACON_H

#include "agent/keyring.h"
#include "agent/node.h"

#define CHIRR_BEACON_VERSION 1
#define CHIRR_BEACON_HEADER_BYTES 16
/* The longest card fits; so does the datagram into one packet of any network. */
#define CHIRR_BEACON_BYTES_MAX 640

struct chirr_beacon_group {
    uint32_t address; /* IPv4 multicast, in host order; 0: no beacon */
    uint32_t port;    /* 1…65,535 */
};

struct chirr_beacon_config {
    struct chirr_beacon_group group;
    uint32_t interface;   /* the IPv4 address of the one to use, in host order; 0: by the routes */
    uint32_t interval_ms; /* the mean between two, jittered by a quarter */
};
struct chirr_beacon_config chirr_beacon_config_default(void); /* none; every 5 s */

/* ---- The datagram --------------------------------------------------------------------------- */

/* Keeps swarms that share a network apart; no secret. */
uint64_t chirr_beacon_swarm(const char *name);
/* `card` is a signed record of that kind. CHIRR_ERR_INVALID: of another kind. Otherwise what the
 * codec refuses. */
CHIRR_NODISCARD enum chirr_err chirr_beacon_encode(uint64_t swarm, const struct chirr_record *card,
                                                   uint8_t out[CHIRR_BEACON_BYTES_MAX],
                                                   size_t *bytes);
/* Whoever sent it: the signature is still to be verified. CHIRR_ERR_MALFORMED and the codec's
 * errors: not a beacon; CHIRR_ERR_VERSION; CHIRR_ERR_NOTFOUND: of another swarm. After an error
 * `card` means nothing. */
CHIRR_NODISCARD enum chirr_err chirr_beacon_decode(uint64_t swarm, const uint8_t *in, size_t bytes,
                                                   struct chirr_record *card);

/* ---- The socket ----------------------------------------------------------------------------- */

struct chirr_beacon;

/* Borrows identity and keyring. NULL on failure, CHIRR_ERR_IO or CHIRR_ERR_NOMEM: no socket, or not
 * on that port. A network that is not there (yet) is no failure: the group is joined again before
 * each datagram. */
struct chirr_beacon *chirr_beacon_create(const struct chirr_beacon_config *config,
                                         const char *swarm, const struct chirr_identity *identity,
                                         const struct chirr_keyring *keyring,
                                         struct chirr_error *error);
void chirr_beacon_destroy(struct chirr_beacon *beacon);

int chirr_beacon_fd(const struct chirr_beacon *beacon); /* to be polled for input */
/* The next card worth meeting (chirr_node_meet), verified; false: no more for now. Takes in a
 * bounded number of datagrams and verifies a bounded number of signatures a second. */
bool chirr_beacon_receive(struct chirr_beacon *beacon, const struct chirr_node *node,
                          chirr_time_us now, struct chirr_record *card);
/* Sends the own card of `node` when it is time; before the deadline: no effect. */
void chirr_beacon_tick(struct chirr_beacon *beacon, const struct chirr_node *node,
                       chirr_time_us now);
chirr_time_us chirr_beacon_deadline(const struct chirr_beacon *beacon);

struct chirr_beacon_counters {
    uint64_t sent, met;
    /* Repeats: */
    uint64_t known; /* of somebody who lives here */
    uint64_t own;   /* of this agent: the network's echo */
    /* Dropped: */
    uint64_t unsent;      /* own ones: no network, or it is full */
    uint64_t malformed;   /* noise, another version, what the codec refuses */
    uint64_t other_swarm; /* of a swarm of another name */
    uint64_t untrusted;   /* of nobody on the keyring */
    uint64_t signature;   /* not signed by whom it names */
    uint64_t stale;       /* replayed: a newer card is known, or its life ended with a farewell */
    uint64_t too_many;    /* beyond the signatures that are verified in a second */
};
const struct chirr_beacon_counters *chirr_beacon_count(const struct chirr_beacon *beacon);

#endif
