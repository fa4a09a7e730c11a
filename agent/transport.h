/* ZeroMQ between agents: frames out, frames in, nothing of policy.
 *
 * One XPUB and one ROUTER bound; a unicast link is a DEALER connected to the peer's ROUTER, a
 * neighbour's a SUB connected to its XPUB. A SUB for all would be cheaper, but zmq_disconnect on
 * one that has begun to read a message (and zmq_poll begins) makes libzmq abort: only closing a
 * socket whole is safe. Under CURVE, whoever was spoken to answers over the same connection, from
 * its ROUTER to the DEALER, and opens a DEALER of its own only when there is none to answer over:
 * handshakes are what a swarm that starts all at once spends most on. What the ROUTER hears has
 * the CURVE key of its sender; a SUB or a DEALER is connected to one peer whose key is pinned, so
 * what it hears is that peer's, without a signature. CURVE with a ZAP handler that knows the
 * keyring and refuses everybody else; a message whose connection carries no authenticated user is
 * dropped even if no handler ran. Plaintext, with every message signed, only when `curve` is false.
 *
 * Slow joiners: what is published between CONNECT and the neighbour's subscription reaches nobody
 * (the publisher filters), is not counted as sent, and is not told again: anti-entropy brings it.
 *
 * Every bounded queue drops with a counter. A peer whose queue stays full is evicted: its links are
 * closed, which frees what waits in them, and opened again a little later; anti-entropy repairs
 * what it missed. Owned and used by the event loop's thread alone; the ZeroMQ context belongs to
 * it and must be created after fork. */
#ifndef CHIRR_AGENT_TRANSPORT_H
#define CHIRR_AGENT_TRANSPORT_H

#include <zmq.h>

#include "agent/keyring.h"
#include "base/log.h"
#include "base/time.h"
#include "proto/frame.h"
#include "swarm/output.h"

#define CHIRR_TRANSPORT_PEERS_MAX 400

struct chirr_transport_config {
    char publish_bind[CHIRR_ENDPOINT_BYTES_MAX]; /* "tcp://127.0.0.1:7701"; port "*" takes a free
                                                    one */
    char unicast_bind[CHIRR_ENDPOINT_BYTES_MAX];
    bool curve;
    uint32_t peers_max;          /* 1…CHIRR_TRANSPORT_PEERS_MAX, linked at once */
    uint32_t queue_messages_max; /* high-water mark of every connection */
    uint32_t heartbeat_ms;       /* ZMTP heartbeats; 0: none */
    uint32_t reconnect_ms;
    uint32_t reconnect_ms_max;
    /* A peer silent for that long gets fresh connections, because libzmq gives up for ever on one
     * that was refused; 0: never. */
    uint32_t silence_ms;
    uint32_t stuck_ms; /* a peer whose queue was full for so long is evicted; 0: never */
};
struct chirr_transport_config chirr_transport_config_default(void);

enum chirr_transport_drop {
    CHIRR_DROP_SEND_FULL,    /* a queue towards a peer was full */
    CHIRR_DROP_PUBLISH_FULL, /* a subscriber's queue was found full: it misses messages until it has
                                caught up, the others miss none */
    CHIRR_DROP_EVICTED,      /* a peer whose queue stayed full: its links were closed for a while */
    CHIRR_DROP_SILENT, /* a silent peer got fresh connections: what waited in the old is lost */
    CHIRR_DROP_CUT,    /* connections closed because a key is no longer trusted: likewise */
    CHIRR_DROP_UNKNOWN_PEER, /* nobody connected under that id */
    CHIRR_DROP_CLOSED,       /* a message to a peer whose links are closed for now */
    CHIRR_DROP_FILES,        /* a link was not opened: too few file descriptors or sockets left */
    CHIRR_DROP_SUBSCRIPTION, /* one of a peer that says nothing, or one too many to be counted */
    CHIRR_DROP_OVERSIZED,
    CHIRR_DROP_UNAUTHENTICATED, /* no user on the connection */
    CHIRR_DROP_IMPOSTOR,  /* the envelope's sender is not the connection's key, or is this very
                             agent */
    CHIRR_DROP_VERSION,   /* another one, of the wire or of a record */
    CHIRR_DROP_MALFORMED, /* noise, wrong digest, codec refusal */
    CHIRR_DROP_SIGNATURE, /* of a message, or of a record or delta in it */
    CHIRR_DROP_DOUBTED,   /* a record or mark of an author of whom the same message holds a badly
                             signed record */
    CHIRR_DROP_UNTRUSTED, /* not on the keyring: a connection that ZAP refused, the sender of a
                             message, the author of a record, delta or mark */
    CHIRR_DROP_HANDSHAKE, /* a connection that never became one: noise, no CURVE, wrong server */
    CHIRR_DROP_REFUSED,   /* a peer refused this agent's key */
    CHIRR_DROP_COUNT,
};
const char *chirr_transport_drop_name(enum chirr_transport_drop reason); /* "send_full" */

struct chirr_transport_counters {
    uint64_t sent_messages, sent_bytes; /* a published message once for each who subscribed */
    uint64_t received_messages, received_bytes;
    uint64_t dropped[CHIRR_DROP_COUNT];
    uint64_t signatures_verified; /* of records and deltas */
    uint64_t signatures_known;    /* verified not long ago, so not again */
    /* Bytes on the wire by kind of message, framed, with its topic, as sent and as received. */
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
/* Every socket opened in its context by others must be closed before. */
void chirr_transport_destroy(struct chirr_transport *transport);

/* The ZeroMQ context, for a few sockets more: one of their own would cost five file descriptors and
 * two threads. ZAP asks about sockets with a domain alone. */
void *chirr_transport_context(const struct chirr_transport *transport);

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

/* Opens, moves (when the address changed), raises or lowers the link to a peer. A neighbour is
 * heard on EAGER at first. CHIRR_ERR_FULL: peers_max, or too few file descriptors left.
 * CHIRR_ERR_UNTRUSTED: its key is not on the keyring. CHIRR_ERR_INVALID: the key is this agent's
 * own, or an endpoint is none that libzmq knows. After an error the peer is not linked at all. */
CHIRR_NODISCARD enum chirr_err chirr_transport_connect(struct chirr_transport *transport,
                                                       const struct chirr_peer_address *address,
                                                       enum chirr_link link);
void chirr_transport_disconnect(struct chirr_transport *transport, chirr_agent_id peer);

/* After the keyring dropped `peer`, or a key of it: nothing goes to it or is heard from it any more
 * with a key that no longer counts. What it has open here is closed by closing every incoming
 * connection; the others come back at once, and ZAP asks the keyring again. Happens with the next
 * receive also when nobody calls this: every change of the keyring is noticed. */
void chirr_transport_cut(struct chirr_transport *transport, chirr_agent_id peer);

/* Moves what is heard of a neighbour's records: EAGER or LAZY. CHIRR_ERR_NOTFOUND: no neighbour. */
CHIRR_NODISCARD enum chirr_err chirr_transport_listen(struct chirr_transport *transport,
                                                      chirr_agent_id peer, enum chirr_topic topic);

/* Every neighbour is heard on this partition's KNOWLEDGE, too. Idempotent. CHIRR_ERR_FULL: more
 * than 64. */
CHIRR_NODISCARD enum chirr_err chirr_transport_host(struct chirr_transport *transport,
                                                    uint64_t lineage, uint32_t partition);

/* Seals once and queues; never blocks. What cannot be queued is dropped and counted. Published to
 * every neighbour but `except` (EAGER, KNOWLEDGE) or to whoever subscribed (LAZY, HEARTBEAT). */
void chirr_transport_publish(struct chirr_transport *transport, enum chirr_topic topic,
                             chirr_agent_id except, const struct chirr_message *message);
void chirr_transport_send(struct chirr_transport *transport, chirr_agent_id to,
                          const struct chirr_message *message);

/* Readable when something came in. What is read or sent takes the sign in, so before waiting for it
 * ask whether something is waiting already. */
int chirr_transport_fd(const struct chirr_transport *transport);
bool chirr_transport_is_waiting(struct chirr_transport *transport);

/* The next message that passed every check: frame, authentication or signature, codec, and for
 * records and deltas the author's signature (records and cards whose author is not on the keyring
 * are cut out and counted). False when there is none. `*message` borrows from the transport until
 * the next call. Whenever `now` has moved it also answers ZAP requests, reads subscriptions and
 * renews silent links: call it whenever the loop turns, not only when a socket is readable. Returns
 * false early, with more waiting, after many dropped messages in a row. */
bool chirr_transport_receive(struct chirr_transport *transport, chirr_time_us now,
                             chirr_agent_id *from, struct chirr_message *message);

const struct chirr_transport_counters *
chirr_transport_count(const struct chirr_transport *transport);

#endif
