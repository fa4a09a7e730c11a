/* How the transport's sockets are opened: every limit that libzmq honours only before connect or
 * bind, and words for what a person can mend. */
#include "agent/transport_state.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#define HANDSHAKE_MS 5000
#define BACKLOG 256
/* Larger messages end the connection inside libzmq; between this and CHIRR_FRAME_BYTES_MAX they
 * arrive, to be counted as oversized. */
#define MESSAGE_BYTES_MAX ((int64_t)2 * (int64_t)CHIRR_FRAME_BYTES_MAX)
/* Nothing but handshakes and subscriptions comes in where this agent publishes. */
#define SUBSCRIPTION_BYTES_MAX ((int64_t)1024)
/* A peer costs a DEALER and a SUB with an event descriptor and a connection each, the two
 * connections of its own, and as many again while they are made anew. */
#define FILES_PER_PEER 12
#define FILES_BESIDES 256
/* What has to stay free for the store, jobs, handshakes of others, and the link itself. */
#define FILES_KEPT 48
#define FILES_PER_LINK 4 /* two sockets with a connection each */
#define FILES_TRUSTED 64
/* A network that was away loses the first packets of an attempt, and the system would wait longer
 * and longer before it repeats them: a new attempt is faster. */
#define CONNECT_MS 2000

enum chirr_err chirr_transport_reserve_files(uint32_t peers_max, struct chirr_error *error)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)peers_max * FILES_PER_PEER + FILES_BESIDES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "the open-file limit cannot be read: %s",
                               strerror(errno));
    }
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed) {
        return CHIRR_OK;
    }
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < needed) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "%u peers need %lu open files, but the limit is %lu: raise it "
                               "(ulimit -Hn), or lower peers_max",
                               peers_max, (unsigned long)needed, (unsigned long)limit.rlim_max);
    }
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return chirr_error_set(error, CHIRR_ERR_IO,
                               "the open-file limit cannot be raised to %lu: %s",
                               (unsigned long)needed, strerror(errno));
    }
    return CHIRR_OK;
}

/* 0: nobody can tell. */
static rlim_t count_open_files(void)
{
    DIR *open = opendir("/proc/self/fd");
    rlim_t count = 0;
    while (open != NULL && readdir(open) != NULL) {
        count++;
    }
    if (open != NULL) {
        closedir(open);
    }
    return count;
}

/* A count takes tens of microseconds: the next one is made when a part of the room that was found
 * could be gone. */
bool chirr_transport_files_left(struct chirr_transport *transport)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return false;
    }
    if (limit.rlim_cur == RLIM_INFINITY) {
        return true;
    }
    if (transport->files_certain >= FILES_PER_LINK && transport->files_limit == limit.rlim_cur) {
        transport->files_certain -= FILES_PER_LINK;
        return true;
    }
    errno = 0;
    rlim_t count = count_open_files();
    if (count == 0) {
        return errno == ENOENT; /* without /proc, and nothing else proves that */
    }
    if (count + FILES_KEPT > limit.rlim_cur) {
        return false;
    }
    rlim_t certain = (limit.rlim_cur - count - FILES_KEPT) / 4; /* others connect meanwhile */
    transport->files_certain = certain < FILES_TRUSTED ? (uint32_t)certain : FILES_TRUSTED;
    transport->files_limit = limit.rlim_cur;
    return true;
}

struct option {
    int name;
    int value;
};

static bool set_options(void *socket, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (zmq_setsockopt(socket, options[i].name, &options[i].value, sizeof(int)) != 0) {
            return false;
        }
    }
    return true;
}

/* What all of them have in common. */
static bool set_limits(const struct chirr_transport *transport, void *socket)
{
    const struct chirr_transport_config *config = &transport->config;
    const int64_t message_bytes_max = MESSAGE_BYTES_MAX;
    const struct option options[] = {
        {ZMQ_LINGER, 0},
        {ZMQ_SNDHWM, (int)config->queue_messages_max},
        {ZMQ_RCVHWM, (int)config->queue_messages_max},
        {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
        {ZMQ_CONNECT_TIMEOUT, CONNECT_MS},
        {ZMQ_RECONNECT_IVL, (int)config->reconnect_ms},
        {ZMQ_RECONNECT_IVL_MAX, (int)config->reconnect_ms_max},
        {ZMQ_BACKLOG, BACKLOG},
    };
    return set_options(socket, options, sizeof options / sizeof options[0]) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &message_bytes_max, sizeof message_bytes_max) ==
               0;
}

/* With each the other side is told how long silence may last (its TTL), but libzmq forgets that
 * with the next message, so the side that was connected to needs its own, less often. */
static bool set_heartbeat(const struct chirr_transport *transport, void *socket, bool bound)
{
    const int heartbeat_ms = (int)transport->config.heartbeat_ms;
    const struct option options[] = {
        {ZMQ_HEARTBEAT_IVL, bound ? 2 * heartbeat_ms : heartbeat_ms},
        {ZMQ_HEARTBEAT_TIMEOUT, 3 * heartbeat_ms},
        {ZMQ_HEARTBEAT_TTL, 3 * heartbeat_ms},
    };
    return set_options(socket, options, sizeof options / sizeof options[0]);
}

static bool set_curve_server(const struct chirr_transport *transport, void *socket)
{
    const struct option server = {ZMQ_CURVE_SERVER, 1};
    return set_options(socket, &server, 1) &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, transport->identity->curve_secret,
                          CHIRR_KEY_BYTES) == 0 &&
           zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, CHIRR_ZAP_DOMAIN, strlen(CHIRR_ZAP_DOMAIN)) == 0;
}

static bool set_curve_client(const struct chirr_transport *transport, void *socket)
{
    return zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, transport->identity->curve_secret,
                          CHIRR_KEY_BYTES) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, transport->identity->curve_public,
                          CHIRR_KEY_BYTES) == 0;
}

static enum chirr_err bind_error(const char *endpoint, int reason, struct chirr_error *error)
{
    switch (reason) {
    case EADDRINUSE:
        return chirr_error_set(error, CHIRR_ERR_BUSY,
                               "%s: the port is in use by another program: stop that, or choose "
                               "another port (\"*\" takes a free one)",
                               endpoint);
    case EACCES:
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "%s: not allowed to bind there: choose a port above 1023", endpoint);
    case ENODEV:
    case EADDRNOTAVAIL:
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "%s: this machine has no such address: choose one of its own, or "
                               "\"*\" for all",
                               endpoint);
    case EINVAL:
    case EPROTONOSUPPORT:
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "%s: not an endpoint: expected tcp://ADDRESS:PORT", endpoint);
    default:
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be bound: %s", endpoint,
                               zmq_strerror(reason));
    }
}

void *chirr_transport_open_bound(struct chirr_transport *transport, int type, const char *endpoint,
                                 char bound_endpoint[CHIRR_ENDPOINT_BYTES_MAX],
                                 struct chirr_error *error)
{
    const int64_t subscription_bytes_max = SUBSCRIPTION_BYTES_MAX;
    void *socket = zmq_socket(transport->context, type);
    if (socket == NULL || !set_limits(transport, socket) ||
        !set_heartbeat(transport, socket, true) ||
        (type == ZMQ_XPUB && zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &subscription_bytes_max,
                                            sizeof subscription_bytes_max) != 0) ||
        (transport->config.curve && !set_curve_server(transport, socket))) {
        chirr_error_set(error, CHIRR_ERR_IO, "%s: no socket: %s", endpoint, zmq_strerror(errno));
    } else if (zmq_bind(socket, endpoint) != 0) {
        bind_error(endpoint, errno, error);
    } else {
        size_t bytes = CHIRR_ENDPOINT_BYTES_MAX;
        if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound_endpoint, &bytes) == 0) {
            return socket;
        }
        chirr_error_set(error, CHIRR_ERR_IO, "%s: %s", endpoint, zmq_strerror(errno));
    }
    if (socket != NULL) {
        zmq_close(socket);
    }
    return NULL;
}

void *chirr_transport_open_client(struct chirr_transport *transport, int type)
{
    void *socket = zmq_socket(transport->context, type);
    if (socket == NULL) {
        return NULL;
    }
    if (!set_limits(transport, socket) || !set_heartbeat(transport, socket, false) ||
        (transport->config.curve && !set_curve_client(transport, socket))) {
        zmq_close(socket);
        return NULL;
    }
    return socket;
}

/* The server's key is an option of the socket, but each connection keeps the one it was made
 * with. */
enum chirr_err chirr_transport_connect_client(struct chirr_transport *transport, void *socket,
                                              const char *endpoint,
                                              const uint8_t curve_public[CHIRR_KEY_BYTES])
{
    if (transport->config.curve &&
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, curve_public, CHIRR_KEY_BYTES) != 0) {
        return CHIRR_ERR_INVALID;
    }
    return zmq_connect(socket, endpoint) == 0 ? CHIRR_OK : CHIRR_ERR_INVALID;
}
