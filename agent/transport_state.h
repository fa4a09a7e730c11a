/* What the files of the transport share: transport.c (peers, out), transport_receive.c (in),
 * transport_socket.c (how sockets are opened), transport_watch.c (what becomes of connections).
 * Internal to them. */
#ifndef CHIRR_AGENT_TRANSPORT_STATE_H
#define CHIRR_AGENT_TRANSPORT_STATE_H

#include "agent/transport.h"
#include "agent/zap.h"

#define CHIRR_TOPIC_BYTES_MAX 32
#define CHIRR_TOPICS_MAX 80 /* "e/", "h/", 64 partitions of one lineage, and some */
#define CHIRR_WATCHED_FDS_MAX 4096

struct chirr_transport_peer {
    chirr_agent_id id; /* 0: a free place */
    struct chirr_peer_address address;
    void *dealer;           /* NULL: closed, and the other two as well */
    void *subscriber;       /* SUB */
    void *monitor;          /* PAIR, of the SUB; may be NULL */
    chirr_time_us fresh_us; /* last heard of, or when its connections were opened */
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
    struct chirr_transport_peer *peers; /* [config.peers_max] */
    char topics[CHIRR_TOPICS_MAX][CHIRR_TOPIC_BYTES_MAX];
    size_t topic_count;
    struct chirr_arena scratch; /* of the message handed out last */
    struct chirr_transport_counters counters;
    struct chirr_log_limit limits[CHIRR_DROP_COUNT];
    chirr_time_us now_us;   /* of the last receive */
    chirr_time_us renew_us; /* when to look for silent and refused peers again */
    bool router_first;      /* whose turn it is, so that neither starves the other */
    uint32_t next_peer;     /* whose SUB is read next */
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

/* ---- transport.c ---- */

/* Notes a sign of life; fresh connections for whoever gave none, a count of who refused. */
void chirr_transport_heard(struct chirr_transport *transport, chirr_agent_id peer);
void chirr_transport_renew(struct chirr_transport *transport);

#endif
