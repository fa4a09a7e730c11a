/* What the files of the transport share. Internal to them.
 *
 *   transport.c            its life
 *   transport_peers.c      links: opened, moved, evicted, renewed
 *   transport_send.c       the way out
 *   transport_routes.c     answers go back over the connection that the question came by
 *   transport_receive.c    the way in
 *   transport_check.c      what a message says in others' names
 *   transport_ready.c      which sockets have something to read
 *   transport_cut.c        who is no longer trusted is cut off
 *   transport_subscribers.c  who subscribed to what
 *   transport_socket.c     how sockets are opened, and whether there are any left
 *   transport_watch.c      what becomes of connections */
#ifndef CHIRR_AGENT_TRANSPORT_STATE_H
#define CHIRR_AGENT_TRANSPORT_STATE_H

#include "agent/transport.h"
#include "agent/verified.h"
#include "agent/zap.h"

#define CHIRR_TOPIC_BYTES_MAX 48 /* "k/", two ids, a partition */
#define CHIRR_HOSTED_MAX 64
#define CHIRR_SUBSCRIPTIONS_MAX 2048
#define CHIRR_ADMITTED_MAX (CHIRR_KEYRING_HOLDERS_MAX * CHIRR_HOLDER_KEYS_MAX)
#define CHIRR_UNBOUND_PUBLISHER 1U
#define CHIRR_UNBOUND_ROUTER 2U
#define CHIRR_WATCHED_FDS_MAX 4096
#define CHIRR_ROUTING_ID_BYTES_MAX                                                                 \
    16 /* libzmq's own have 5; who chose a longer one is not used                                  \
        */

/* The two queues towards a peer. */
enum chirr_transport_queue { CHIRR_QUEUE_SEND, CHIRR_QUEUE_PUBLISH, CHIRR_QUEUE_COUNT };

/* The sockets that are read: those of the transport itself, then a SUB and a DEALER for each peer.
 */
enum chirr_transport_way {
    CHIRR_WAY_PUBLISHER,
    CHIRR_WAY_ROUTER,
    CHIRR_WAY_ZAP,
    CHIRR_WAY_MONITOR_PUBLISHER,
    CHIRR_WAY_MONITOR_ROUTER,
    CHIRR_WAY_PEERS,
};
#define CHIRR_WAYS_PER_PEER 2U

struct chirr_transport_peer {
    chirr_agent_id id; /* 0: a free place */
    struct chirr_peer_address address;
    enum chirr_link link;
    enum chirr_topic topic;                /* that its records are heard on: EAGER or LAZY */
    uint8_t curve_public[CHIRR_KEY_BYTES]; /* that its connections pin */
    bool try_other_key;                    /* than the one that its address names */
    bool closed;                           /* until reopen_us; none of the following is open */
    void *dealer;                          /* NULL: not needed so far, there is a way back */
    void *subscriber;                      /* SUB; NULL: no neighbour */
    void *monitor;              /* PAIR, of the DEALER, after it was silent; mostly NULL */
    chirr_time_us fresh_us;     /* last heard of, or when its connections were opened */
    chirr_time_us published_us; /* the same of its SUB */
    bool asked;                 /* something was sent to it since */
    chirr_time_us full_us[CHIRR_QUEUE_COUNT]; /* since when it is full; 0: it is not */
    chirr_time_us reopen_us;
};

/* An incoming connection by which an agent was heard. */
struct chirr_transport_route {
    chirr_agent_id id; /* 0: a free place */
    chirr_time_us heard_us;
    uint32_t bytes;
    uint8_t routing_id[CHIRR_ROUTING_ID_BYTES_MAX];
};

struct chirr_transport_hosted {
    uint64_t lineage;
    uint32_t partition;
};

/* How many connections subscribed to a topic: for what is counted alone, libzmq filters. */
struct chirr_subscription {
    uint64_t topic; /* its digest */
    uint32_t connections;
};

/* The handshakes of one bound socket, as libzmq tells of them. */
struct chirr_transport_watch {
    void *monitor; /* PAIR; may be NULL */
    bool told;     /* the next disconnection was explained already */
    uint64_t succeeded;
    uint64_t succeeded_at_accept[CHIRR_WATCHED_FDS_MAX]; /* by file descriptor */
};

enum { CHIRR_WATCH_PUBLISHER, CHIRR_WATCH_ROUTER, CHIRR_WATCH_COUNT };

struct chirr_transport {
    struct chirr_transport_config config;
    const struct chirr_identity *identity;
    const struct chirr_keyring *keyring;
    const struct chirr_log *log;
    void *context;
    struct chirr_zap zap;
    void *publisher; /* XPUB */
    void *router;    /* ROUTER */
    struct chirr_transport_watch watches[CHIRR_WATCH_COUNT];
    char publish_endpoint[CHIRR_ENDPOINT_BYTES_MAX];
    char unicast_endpoint[CHIRR_ENDPOINT_BYTES_MAX];
    struct chirr_transport_peer *peers;   /* [config.peers_max] */
    struct chirr_transport_route *routes; /* [config.peers_max] */
    int epoll_fd;
    bool
        *ready; /* [CHIRR_WAY_PEERS + CHIRR_WAYS_PER_PEER * config.peers_max]: may hold a message */
    struct chirr_transport_hosted hosted[CHIRR_HOSTED_MAX];
    uint32_t hosted_count;
    struct chirr_subscription subscriptions[CHIRR_SUBSCRIPTIONS_MAX];
    uint32_t subscription_count;
    bool oversubscribed; /* too many: the publisher is to be unbound */
    struct chirr_verified verified;
    uint64_t keyring_revision; /* that everybody's keys were last reviewed under */
    /* Keys that ZAP admitted since the sockets were bound. */
    uint32_t admitted_count;
    uint8_t admitted[CHIRR_ADMITTED_MAX][CHIRR_KEY_BYTES];
    bool kick;                  /* somebody admitted is no longer trusted: unbind */
    chirr_time_us kick_us;      /* not before */
    uint32_t unbound;           /* CHIRR_UNBOUND_…: to be bound again */
    struct chirr_arena scratch; /* of the message handed out last */
    struct chirr_transport_counters counters;
    struct chirr_log_limit limits[CHIRR_DROP_COUNT];
    chirr_time_us now_us;   /* of the last receive */
    chirr_time_us renew_us; /* when to look for silent and refused peers again */
    bool router_first;      /* whose turn it is, so that neither starves the other */
    uint32_t next_way;      /* of the peers' sockets: which is read next */
    uint32_t files_certain; /* file descriptors that are free, as far as they were counted last */
    uint64_t files_limit;   /* as of then */
    uint64_t monitor_count; /* of all that were ever opened: names them */
    uint8_t frame[CHIRR_FRAME_BYTES_MAX];
};

/* Counts, and says so at most once a minute a reason. */
void chirr_transport_drop(struct chirr_transport *transport, enum chirr_transport_drop reason,
                          const char *format, ...) CHIRR_PRINTF(3, 4);

/* ---- transport_socket.c ---- */

/* Raises the open-file limit to what `peers_max` may need; words when it cannot. */
CHIRR_NODISCARD enum chirr_err chirr_transport_reserve_files(uint32_t peers_max,
                                                             struct chirr_error *error);
/* Whether a link's file descriptors can be spent and enough stay for what must not fail. */
bool chirr_transport_files_left(struct chirr_transport *transport);

/* A socket with every limit set and, where wanted, as CURVE server; NULL and words. */
void *chirr_transport_open_bound(struct chirr_transport *transport, int type, const char *endpoint,
                                 char bound_endpoint[CHIRR_ENDPOINT_BYTES_MAX],
                                 struct chirr_error *error);
/* A socket that connects: as CURVE client with this agent's key. NULL: out of sockets. */
void *chirr_transport_open_client(struct chirr_transport *transport, int type);
/* Connects to the holder of `curve_public`. CHIRR_ERR_INVALID: no such endpoint. */
CHIRR_NODISCARD enum chirr_err
chirr_transport_connect_client(struct chirr_transport *transport, void *socket,
                               const char *endpoint, const uint8_t curve_public[CHIRR_KEY_BYTES]);

/* ---- transport_watch.c ---- */

/* A monitor of handshakes on a bound socket, or of refusals on one that connects. NULL when libzmq
 * has no more sockets. */
void *chirr_transport_monitor_open(struct chirr_transport *transport, void *watched, bool bound);
void chirr_transport_monitor_close(void **monitor, void *watched);
void chirr_transport_watch_drain(struct chirr_transport *transport,
                                 struct chirr_transport_watch *watch);
void chirr_transport_refusals_drain(struct chirr_transport *transport, void *monitor);

/* ---- transport_peers.c ---- */

/* NULL when not linked; `id` 0 finds a free place. */
struct chirr_transport_peer *chirr_transport_find_peer(struct chirr_transport *transport,
                                                       chirr_agent_id id);
void chirr_transport_close_peer(struct chirr_transport *transport,
                                struct chirr_transport_peer *peer);
/* The DEALER of a peer that is not closed; after an error it is, to be opened again later. */
CHIRR_NODISCARD enum chirr_err chirr_transport_open_dealer(struct chirr_transport *transport,
                                                           struct chirr_transport_peer *peer);
/* Notes a sign of life; fresh connections for whoever gave none, a count of who refused. */
void chirr_transport_heard(struct chirr_transport *transport, chirr_agent_id peer, bool published);
void chirr_transport_renew(struct chirr_transport *transport);
/* A message found room in the queue of a peer, or none: then, after long enough, it is evicted. */
void chirr_transport_note(struct chirr_transport *transport, struct chirr_transport_peer *peer,
                          enum chirr_transport_queue queue, bool room);

/* "e/<subscriber>/", "i/", "h/", "k/<subscriber>/<lineage>/<partition>/". */
struct chirr_transport_topic {
    enum chirr_topic topic;
    chirr_agent_id subscriber;
    uint64_t lineage;
    uint32_t partition;
};
void chirr_transport_topic_format(const struct chirr_transport_topic *topic,
                                  char text[CHIRR_TOPIC_BYTES_MAX]);

/* ---- transport_ready.c ---- */

size_t chirr_transport_ready_bytes(const struct chirr_transport_config *config);
CHIRR_NODISCARD enum chirr_err chirr_transport_ready_add(struct chirr_transport *transport,
                                                         uint32_t way, void *socket);
/* NULL: not open. */
void *chirr_transport_socket_of(const struct chirr_transport *transport, uint32_t way);
/* Before the socket is closed. */
void chirr_transport_ready_remove(struct chirr_transport *transport, uint32_t way, void *socket);
/* Of its SUB (`published`) or its DEALER. */
uint32_t chirr_transport_way_of(const struct chirr_transport *transport,
                                const struct chirr_transport_peer *peer, bool published);
/* Sets the flags of the sockets that something happened to. */
void chirr_transport_ready_look(struct chirr_transport *transport);

/* ---- transport_routes.c ---- */

/* `routing_id` is that of the connection over which a message of `id` came that passed every check.
 */
void chirr_transport_route_learn(struct chirr_transport *transport, chirr_agent_id id,
                                 const uint8_t *routing_id, size_t bytes);
bool chirr_transport_route_known(const struct chirr_transport *transport, chirr_agent_id id);
void chirr_transport_route_forget(struct chirr_transport *transport, chirr_agent_id id);
/* Forgets the ways back to whom the keyring no longer has, or `all`. */
void chirr_transport_routes_review(struct chirr_transport *transport, bool all);

enum chirr_route_end { CHIRR_ROUTE_SENT, CHIRR_ROUTE_FULL, CHIRR_ROUTE_GONE };
/* Sends transport->frame. GONE: there is no such connection, or no longer. */
enum chirr_route_end chirr_transport_route_send(struct chirr_transport *transport,
                                                chirr_agent_id id, size_t frame_bytes);

/* ---- transport_subscribers.c ---- */

/* Reads what peers subscribed to and no longer do; true: there may be more. */
bool chirr_transport_subscribers_drain(struct chirr_transport *transport);
uint32_t chirr_transport_subscribers(const struct chirr_transport *transport, const char *topic);

/* ---- transport_check.c ---- */

/* Cuts out what authors said who are not trusted; false: the message is not to be handed on. */
bool chirr_transport_check(struct chirr_transport *transport, struct chirr_message *message);

/* ---- transport_cut.c ---- */

void chirr_transport_admitted(struct chirr_transport *transport,
                              const uint8_t curve_public[CHIRR_KEY_BYTES]);
/* After a change of the keyring closes what is no longer trusted; binds again what was unbound. */
void chirr_transport_review(struct chirr_transport *transport);
/* Closes every incoming connection, when review found that one must be and its time has come. */
void chirr_transport_kick(struct chirr_transport *transport);

#endif
