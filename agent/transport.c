/* The transport's life, and the names of what it drops. */
#include "agent/transport.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/transport_state.h"

#define QUEUE_MESSAGES_MAX 100000U
#define MILLISECONDS_MAX 3600000U
#define SOCKETS_PER_PEER 4 /* DEALER and SUB, and as many that are still closing */
#define SOCKETS_BESIDES 128
#define LOG_INTERVAL_US (60 * CHIRR_US_PER_S)

struct chirr_transport_config chirr_transport_config_default(void)
{
    return (struct chirr_transport_config){
        .publish_bind = "tcp://127.0.0.1:*",
        .unicast_bind = "tcp://127.0.0.1:*",
        .curve = true,
        .peers_max = 64,
        .queue_messages_max = 256,
        .heartbeat_ms = 2000,
        .reconnect_ms = 100,
        .reconnect_ms_max = 2000,
        .silence_ms = 15000,
        .stuck_ms = 5000,
    };
}

const char *chirr_transport_drop_name(enum chirr_transport_drop reason)
{
    static const char *const names[CHIRR_DROP_COUNT] = {
        [CHIRR_DROP_SEND_FULL] = "send_full",
        [CHIRR_DROP_PUBLISH_FULL] = "publish_full",
        [CHIRR_DROP_EVICTED] = "evicted",
        [CHIRR_DROP_SILENT] = "silent",
        [CHIRR_DROP_CUT] = "cut",
        [CHIRR_DROP_UNKNOWN_PEER] = "unknown_peer",
        [CHIRR_DROP_CLOSED] = "closed",
        [CHIRR_DROP_FILES] = "files",
        [CHIRR_DROP_SUBSCRIPTION] = "subscription",
        [CHIRR_DROP_OVERSIZED] = "oversized",
        [CHIRR_DROP_UNAUTHENTICATED] = "unauthenticated",
        [CHIRR_DROP_IMPOSTOR] = "impostor",
        [CHIRR_DROP_VERSION] = "version",
        [CHIRR_DROP_MALFORMED] = "malformed",
        [CHIRR_DROP_SIGNATURE] = "signature",
        [CHIRR_DROP_DOUBTED] = "doubted",
        [CHIRR_DROP_UNTRUSTED] = "untrusted",
        [CHIRR_DROP_HANDSHAKE] = "handshake",
        [CHIRR_DROP_REFUSED] = "refused",
    };
    CHIRR_ASSERT((unsigned)reason < CHIRR_DROP_COUNT);
    return names[reason];
}

void chirr_transport_drop(struct chirr_transport *transport, enum chirr_transport_drop reason,
                          const char *format, ...)
{
    uint64_t held_back;
    transport->counters.dropped[reason]++;
    if (!chirr_log_limit_pass(&transport->limits[reason], transport->now_us, &held_back)) {
        return;
    }
    char text[CHIRR_ERROR_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    chirr_log_warning(transport->log, "transport: %s (%s; %" PRIu64 " more before)", text,
                      chirr_transport_drop_name(reason), held_back);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static enum chirr_err check_config(const struct chirr_transport_config *config,
                                   struct chirr_error *error)
{
    const struct {
        const char *name;
        uint32_t value;
        uint32_t min;
        uint32_t max;
    } numbers[] = {
        {"peers_max", config->peers_max, 1, CHIRR_TRANSPORT_PEERS_MAX},
        {"queue_messages_max", config->queue_messages_max, 1, QUEUE_MESSAGES_MAX},
        {"heartbeat_ms", config->heartbeat_ms, 0, MILLISECONDS_MAX},
        {"reconnect_ms", config->reconnect_ms, 1, MILLISECONDS_MAX},
        {"reconnect_ms_max", config->reconnect_ms_max, config->reconnect_ms, MILLISECONDS_MAX},
        {"silence_ms", config->silence_ms, 0, MILLISECONDS_MAX},
        {"stuck_ms", config->stuck_ms, 0, MILLISECONDS_MAX},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].value < numbers[i].min || numbers[i].value > numbers[i].max) {
            return chirr_error_set(error, CHIRR_ERR_CONFIG,
                                   "transport: %s is %u, expected %u to %u", numbers[i].name,
                                   numbers[i].value, numbers[i].min, numbers[i].max);
        }
    }
    if (config->curve && !zmq_has("curve")) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "this libzmq was built without CURVE: install one that has it, or "
                               "set security to none");
    }
    return CHIRR_OK;
}

/* The ZAP handler before every other bind: libzmq admits everybody while there is none. */
static enum chirr_err open_sockets(struct chirr_transport *transport, struct chirr_error *error)
{
    const struct chirr_transport_config *config = &transport->config;
    if (config->curve && chirr_zap_init(&transport->zap, transport->context, transport->keyring,
                                        transport->identity->id) != CHIRR_OK) {
        return chirr_error_set(error, CHIRR_ERR_IO, "the ZAP handler cannot be bound: %s",
                               zmq_strerror(errno));
    }
    transport->publisher = chirr_transport_open_bound(transport, ZMQ_XPUB, config->publish_bind,
                                                      transport->publish_endpoint, error);
    if (transport->publisher == NULL) {
        return CHIRR_ERR_IO;
    }
    transport->router = chirr_transport_open_bound(transport, ZMQ_ROUTER, config->unicast_bind,
                                                   transport->unicast_endpoint, error);
    if (transport->router == NULL) {
        return CHIRR_ERR_IO;
    }
    /* VERBOSER tells of every connection's subscriptions, not only of the first to a topic. */
    const int on = 1;
    if (zmq_setsockopt(transport->router, ZMQ_ROUTER_MANDATORY, &on, sizeof on) != 0 ||
        zmq_setsockopt(transport->publisher, ZMQ_XPUB_NODROP, &on, sizeof on) != 0 ||
        zmq_setsockopt(transport->publisher, ZMQ_XPUB_VERBOSER, &on, sizeof on) != 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "no socket: %s", zmq_strerror(errno));
    }
    return CHIRR_OK;
}

static enum chirr_err listen_to_own(struct chirr_transport *transport, struct chirr_error *error)
{
    for (uint32_t way = 0; way < CHIRR_WAY_PEERS; way++) {
        void *socket = chirr_transport_socket_of(transport, way);
        if (socket != NULL && chirr_transport_ready_add(transport, way, socket) != CHIRR_OK) {
            return chirr_error_set(error, CHIRR_ERR_IO, "transport: %s", strerror(errno));
        }
    }
    return CHIRR_OK;
}

static enum chirr_err start(struct chirr_transport *transport, struct chirr_error *error)
{
    const struct chirr_transport_config *config = &transport->config;
    enum chirr_err err = chirr_transport_reserve_files(config->peers_max, error);
    if (err != CHIRR_OK) {
        return err;
    }
    transport->peers = calloc(config->peers_max, sizeof *transport->peers);
    transport->routes = calloc(config->peers_max, sizeof *transport->routes);
    transport->ready = calloc(1, chirr_transport_ready_bytes(config));
    transport->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    transport->context = zmq_ctx_new();
    if (transport->peers == NULL || transport->routes == NULL || transport->ready == NULL ||
        transport->epoll_fd < 0 || transport->context == NULL ||
        chirr_arena_init(&transport->scratch, CHIRR_CODEC_SCRATCH_BYTES) != CHIRR_OK) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "transport: out of memory");
    }
    if (zmq_ctx_set(transport->context, ZMQ_IO_THREADS, 1) != 0 ||
        zmq_ctx_set(transport->context, ZMQ_MAX_SOCKETS,
                    (int)config->peers_max * SOCKETS_PER_PEER + SOCKETS_BESIDES) != 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "transport: %s", zmq_strerror(errno));
    }
    chirr_verified_init(&transport->verified, transport->keyring);
    err = open_sockets(transport, error);
    if (err == CHIRR_OK) {
        transport->watches[CHIRR_WATCH_PUBLISHER].monitor =
            chirr_transport_monitor_open(transport, transport->publisher, true);
        transport->watches[CHIRR_WATCH_ROUTER].monitor =
            chirr_transport_monitor_open(transport, transport->router, true);
        err = listen_to_own(transport, error);
    }
    return err;
}

struct chirr_transport *chirr_transport_create(const struct chirr_transport_config *config,
                                               const struct chirr_identity *identity,
                                               const struct chirr_keyring *keyring,
                                               const struct chirr_log *log,
                                               struct chirr_error *error)
{
    if (check_config(config, error) != CHIRR_OK) {
        return NULL;
    }
    struct chirr_transport *transport = calloc(1, sizeof *transport);
    if (transport == NULL) {
        chirr_error_set(error, CHIRR_ERR_NOMEM, "transport: out of memory");
        return NULL;
    }
    transport->config = *config;
    transport->epoll_fd = -1;
    transport->identity = identity;
    transport->keyring = keyring;
    transport->log = log;
    for (size_t i = 0; i < CHIRR_DROP_COUNT; i++) {
        transport->limits[i].interval_us = LOG_INTERVAL_US;
    }
    if (start(transport, error) != CHIRR_OK) {
        chirr_transport_destroy(transport);
        return NULL;
    }
    return transport;
}

static void close_socket(void **socket)
{
    if (*socket != NULL) {
        zmq_close(*socket);
        *socket = NULL;
    }
}

void chirr_transport_destroy(struct chirr_transport *transport)
{
    if (transport == NULL) {
        return;
    }
    chirr_transport_monitor_close(&transport->watches[CHIRR_WATCH_PUBLISHER].monitor,
                                  transport->publisher);
    chirr_transport_monitor_close(&transport->watches[CHIRR_WATCH_ROUTER].monitor,
                                  transport->router);
    close_socket(&transport->publisher);
    close_socket(&transport->router);
    for (uint32_t i = 0; transport->peers != NULL && i < transport->config.peers_max; i++) {
        chirr_transport_close_peer(transport, &transport->peers[i]);
    }
    chirr_zap_finish(&transport->zap); /* last, so that nobody slips in */
    while (transport->context != NULL && zmq_ctx_term(transport->context) != 0 && errno == EINTR) {
    }
    if (transport->epoll_fd >= 0) {
        close(transport->epoll_fd);
    }
    chirr_arena_finish(&transport->scratch);
    free(transport->peers);
    free(transport->routes);
    free(transport->ready);
    free(transport);
}

void *chirr_transport_context(const struct chirr_transport *transport)
{
    return transport->context;
}

void chirr_transport_endpoints(const struct chirr_transport *transport,
                               char publish[CHIRR_ENDPOINT_BYTES_MAX],
                               char unicast[CHIRR_ENDPOINT_BYTES_MAX])
{
    memcpy(publish, transport->publish_endpoint, CHIRR_ENDPOINT_BYTES_MAX);
    memcpy(unicast, transport->unicast_endpoint, CHIRR_ENDPOINT_BYTES_MAX);
}

const struct chirr_transport_counters *
chirr_transport_count(const struct chirr_transport *transport)
{
    return &transport->counters;
}
