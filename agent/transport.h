/* ZeroMQ between agents: frames out, frames in, nothing of policy.
 *
 * One XPUB and one ROUTER bound; a peer one SUB connected to its XPUB and one DEALER to its ROUTER.
 * A SUB for all would be cheaper, but zmq_disconnect on one that has begun to read a message (and
 * zmq_poll begins) makes libzmq abort: only closing a socket whole is safe. A DEALER only sends and
 * the ROUTER only receives, so whoever answers uses a DEALER of its own and every unicast message
 * arrives with the CURVE key of its sender. CURVE with a ZAP handler that knows the keyring and
 * refuses everybody else; a message whose connection carries no authenticated user is dropped even
 * if no handler ran. Plaintext only when `curve` is false. Every bounded queue drops with a
 * counter. Owned and used by the event loop's thread alone; the ZeroMQ context belongs to it and
 * must be created after fork. */
#ifndef CHIRR_AGENT_TRANSPORT_H
#define CHIRR_AGENT_TRANSPORT_H

#include <zmq.h>

#include "agent/keyring.h"
#include "base/log.h"
#include "base/time.h"
#include "proto/frame.h"

#define CHIRR_TRANSPORT_PEERS_MAX 400

struct chirr_transport_config {
    char publish_bind[CHIRR_ENDPOINT_BYTES_MAX]; /* "tcp://127.0.0.1:7701"; port "*" takes a free
                                                    one */
    char unicast_bind[CHIRR_ENDPOINT_BYTES_MAX];
    bool curve;
    uint32_t peers_max;          /* 1…CHIRR_TRANSPORT_PEERS_MAX: each costs a SUB and a DEALER */
    uint32_t queue_messages_max; /* high-water mark of every socket */
    uint32_t heartbeat_ms;       /* ZMTP heartbeats; 0: none */
    uint32_t reconnect_ms;
    uint32_t reconnect_ms_max;
    /* A peer silent for that long gets fresh connections, because libzmq gives up for ever on one
     * that was refused; 0: never. */
    uint32_t silence_ms;
};
struct chirr_transport_config chirr_transport_config_default(void);

enum chirr_transport_drop {
    CHIRR_DROP_SEND_FULL,    /* a queue towards a peer was full */
    CHIRR_DROP_PUBLISH_FULL, /* a subscriber's queue was found full: it misses messages until it has
                                caught up, the others miss none */
    CHIRR_DROP_UNKNOWN_PEER, /* nobody connected under that id */
    CHIRR_DROP_OVERSIZED,
    CHIRR_DROP_UNAUTHENTICATED, /* no user on the connection */
    CHIRR_DROP_IMPOSTOR,  /* the envelope's sender is not the connection's key, or is this very
                             agent, or publishes a delta in another's name */
    CHIRR_DROP_MALFORMED, /* noise, wrong version, wrong digest, codec refusal */
    CHIRR_DROP_SIGNATURE, /* of a message or of a record in it */
    CHIRR_DROP_UNTRUSTED, /* not on the keyring: a connection that ZAP refused, the sender of a
                             message, the author of a record */
    CHIRR_DROP_HANDSHAKE, /* a connection that never became one: noise, no CURVE, wrong server */
    CHIRR_DROP_REFUSED,   /* a peer refused this agent's key */
    CHIRR_DROP_COUNT,
};
const char *chirr_transport_drop_name(enum chirr_transport_drop reason); /* "send_full" */

struct chirr_transport_counters {
    uint64_t sent_messages, sent_bytes; /* a published message counts once for all subscribers */
    uint64_t received_messages, received_bytes;
    uint64_t dropped[CHIRR_DROP_COUNT];
    /* Bytes on the wire by kind of message, framed, as sent and as received. */
    uint64_t sent_bytes_by_kind[CHIRR_MESSAGE_KINDS];
    uint64_t received_bytes_by_kind[CHIRR_MESSAGE_KINDS];
};

struct chirr_transport;

/* Binds; NULL and words in `error` when it cannot ("port 7701 is in use: …"). Borrows `identity`,
 * `keyring` and `log` until destroyed. */
struct chirr_transport *chirr_transport_create(const struct chirr_transport_config *config,
                                               const struct chirr_identity *identity,
                                               const struct chirr_keyring *keyring,
                                               const struct chirr_log *log,
                                               struct chirr_error *error);
void chirr_transport_destroy(struct chirr_transport *transport);

/* Where the sockets really are bound (a free port is known only then). */
void chirr_transport_endpoints(const struct chirr_transport *transport,
                               char publish[CHIRR_ENDPOINT_BYTES_MAX],
                               char unicast[CHIRR_ENDPOINT_BYTES_MAX]);

struct chirr_peer_address {
    chirr_agent_id id;
    uint8_t public_key[CHIRR_KEY_BYTES]; /* that it uses now: one of its live keys */
    char publish_endpoint[CHIRR_ENDPOINT_BYTES_MAX];
    char unicast_endpoint[CHIRR_ENDPOINT_BYTES_MAX];
};

/* Opens (or moves, when the address changed) the connections to a peer. CHIRR_ERR_FULL: peers_max.
 * CHIRR_ERR_UNTRUSTED: its key is not on the keyring. CHIRR_ERR_INVALID: the key is this agent's
 * own, or an endpoint is none that libzmq knows. */
CHIRR_NODISCARD enum chirr_err chirr_transport_connect(struct chirr_transport *transport,
                                                       const struct chirr_peer_address *address);
void chirr_transport_disconnect(struct chirr_transport *transport, chirr_agent_id peer);

/* A topic prefix: "e/", "h/", "k/<16 hex digits of lineage>/<partition>/". Idempotent.
 * CHIRR_ERR_RANGE: longer than 31 bytes. CHIRR_ERR_FULL: more than 80 topics. */
CHIRR_NODISCARD enum chirr_err chirr_transport_subscribe(struct chirr_transport *transport,
                                                         const char *topic);

/* Seals and queues; never blocks. What cannot be queued is dropped and counted. */
void chirr_transport_publish(struct chirr_transport *transport, const char *topic,
                             const struct chirr_message *message);
void chirr_transport_send(struct chirr_transport *transport, chirr_agent_id to,
                          const struct chirr_message *message);

/* Fills `items` (at most CHIRR_TRANSPORT_POLL_ITEMS) for zmq_poll; returns how many. They hold
 * until the next connect, disconnect or receive. */
#define CHIRR_TRANSPORT_POLL_ITEMS (3 + CHIRR_TRANSPORT_PEERS_MAX)
int chirr_transport_poll_items(struct chirr_transport *transport, zmq_pollitem_t *items);

/* The next message that passed every check: frame, authentication or signature, codec, and for
 * records the author's signature (records whose author is not on the keyring are cut out and
 * counted). False when there is none. `*message` borrows from the transport until the next call.
 * Also answers ZAP requests and subscriptions that wait, and renews silent connections: call it
 * whenever the loop turns, not only when a socket is readable. `now` also limits the log. Returns
 * false early, with more waiting, after many dropped messages in a row. */
bool chirr_transport_receive(struct chirr_transport *transport, chirr_time_us now,
                             chirr_agent_id *from, struct chirr_message *message);

const struct chirr_transport_counters *
chirr_transport_count(const struct chirr_transport *transport);

#endif
