/* The transport's life, its peers, and the way out. */
#include "agent/transport.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/transport_state.h"

#define QUEUE_MESSAGES_MAX 100000U
#define MILLISECONDS_MAX 3600000U
#define SOCKETS_PER_PEER 4 /* DEALER, SUB, both ends of its monitor */
#define SOCKETS_BESIDES 128
#define LOG_INTERVAL_US (60 * CHIRR_US_PER_S)
/* Sockets close in the background, so not all are renewed at once. */
#define RENEW_CHECK_US (CHIRR_US_PER_S / 4)
#define RENEWALS_TURN 8U

struct chirr_transport_config chirr_transport_config_default(void)
{
    return (struct chirr_transport_config){
        .publish_bind = "tcp://127.0.0.1:*",
        .unicast_bind = "tcp://127.0.0.1:*",
        .curve = true,
        .peers_max = 64,
        .queue_messages_max = 1000,
        .heartbeat_ms = 2000,
        .reconnect_ms = 100,
        .reconnect_ms_max = 5000,
        .silence_ms = 15000,
    };
}

const char *chirr_transport_drop_name(enum chirr_transport_drop reason)
{
    static const char *const names[CHIRR_DROP_COUNT] = {
        [CHIRR_DROP_SEND_FULL] = "send_full",
        [CHIRR_DROP_PUBLISH_FULL] = "publish_full",
        [CHIRR_DROP_UNKNOWN_PEER] = "unknown_peer",
        [CHIRR_DROP_OVERSIZED] = "oversized",
        [CHIRR_DROP_UNAUTHENTICATED] = "unauthenticated",
        [CHIRR_DROP_IMPOSTOR] = "impostor",
        [CHIRR_DROP_MALFORMED] = "malformed",
        [CHIRR_DROP_SIGNATURE] = "signature",
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
    const int on = 1;
    if (zmq_setsockopt(transport->publisher, ZMQ_XPUB_NODROP, &on, sizeof on) != 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "no socket: %s", zmq_strerror(errno));
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
    transport->context = zmq_ctx_new();
    if (transport->peers == NULL || transport->context == NULL ||
        chirr_arena_init(&transport->scratch, CHIRR_CODEC_SCRATCH_BYTES) != CHIRR_OK) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "transport: out of memory");
    }
    if (zmq_ctx_set(transport->context, ZMQ_MAX_SOCKETS,
                    (int)config->peers_max * SOCKETS_PER_PEER + SOCKETS_BESIDES) != 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "transport: %s", zmq_strerror(errno));
    }
    err = open_sockets(transport, error);
    if (err == CHIRR_OK) {
        transport->watches[CHIRR_WATCH_PUBLISHER].monitor =
            chirr_transport_monitor_open(transport, transport->publisher, true);
        transport->watches[CHIRR_WATCH_ROUTER].monitor =
            chirr_transport_monitor_open(transport, transport->router, true);
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

static void close_peer(struct chirr_transport_peer *peer)
{
    chirr_transport_monitor_close(&peer->monitor, peer->subscriber);
    close_socket(&peer->subscriber);
    close_socket(&peer->dealer);
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
        close_peer(&transport->peers[i]);
    }
    chirr_zap_finish(&transport->zap); /* last, so that nobody slips in */
    while (transport->context != NULL && zmq_ctx_term(transport->context) != 0 && errno == EINTR) {
    }
    chirr_arena_finish(&transport->scratch);
    free(transport->peers);
    free(transport);
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

/* ---- Peers ------------------------------------------------------------------------------------
 */

/* `id` 0 finds a free place. */
static struct chirr_transport_peer *find_peer(struct chirr_transport *transport, chirr_agent_id id)
{
    for (uint32_t i = 0; i < transport->config.peers_max; i++) {
        if (transport->peers[i].id == id) {
            return &transport->peers[i];
        }
    }
    return NULL;
}

/* NULL: out of sockets. */
static void *open_subscriber(struct chirr_transport *transport)
{
    void *subscriber = chirr_transport_open_client(transport, ZMQ_SUB);
    for (size_t i = 0; subscriber != NULL && i < transport->topic_count; i++) {
        const char *topic = transport->topics[i];
        if (zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, topic, strlen(topic)) != 0) {
            close_socket(&subscriber);
        }
    }
    return subscriber;
}

/* CHIRR_ERR_INVALID: an endpoint is none. CHIRR_ERR_FULL: out of sockets. Closed again then. */
static enum chirr_err open_peer(struct chirr_transport *transport,
                                struct chirr_transport_peer *peer)
{
    const struct chirr_keyring_entry *entry = chirr_keyring_find(transport->keyring, peer->id);
    const struct chirr_keyring_key *key =
        entry == NULL ? NULL : chirr_keyring_key_of(entry, peer->address.public_key);
    if (key == NULL) {
        return CHIRR_ERR_UNTRUSTED;
    }
    peer->fresh_us = transport->now_us;
    peer->dealer = chirr_transport_open_client(transport, ZMQ_DEALER);
    peer->subscriber = open_subscriber(transport);
    enum chirr_err err = CHIRR_OK;
    if (peer->dealer == NULL || peer->subscriber == NULL) {
        err = CHIRR_ERR_FULL;
    } else {
        peer->monitor = chirr_transport_monitor_open(transport, peer->subscriber, false);
        err = chirr_transport_connect_client(transport, peer->subscriber,
                                             peer->address.publish_endpoint, key->curve_public);
    }
    if (err == CHIRR_OK) {
        err = chirr_transport_connect_client(transport, peer->dealer,
                                             peer->address.unicast_endpoint, key->curve_public);
    }
    if (err != CHIRR_OK) {
        close_peer(peer);
    }
    return err;
}

enum chirr_err chirr_transport_connect(struct chirr_transport *transport,
                                       const struct chirr_peer_address *address)
{
    chirr_agent_id id = address->id;
    if (id == transport->identity->id) {
        return CHIRR_ERR_INVALID;
    }
    const struct chirr_keyring_entry *entry = chirr_keyring_find(transport->keyring, id);
    if (entry == NULL || chirr_keyring_key_of(entry, address->public_key) == NULL) {
        return CHIRR_ERR_UNTRUSTED;
    }
    struct chirr_transport_peer *peer = find_peer(transport, id);
    if (peer != NULL && peer->dealer != NULL &&
        memcmp(peer->address.public_key, address->public_key, CHIRR_KEY_BYTES) == 0 &&
        strcmp(peer->address.publish_endpoint, address->publish_endpoint) == 0 &&
        strcmp(peer->address.unicast_endpoint, address->unicast_endpoint) == 0) {
        return CHIRR_OK;
    }
    if (peer != NULL) {
        close_peer(peer);
    } else {
        peer = find_peer(transport, 0);
    }
    if (peer == NULL) {
        return CHIRR_ERR_FULL;
    }
    peer->id = id;
    peer->address = *address;
    enum chirr_err err = open_peer(transport, peer);
    if (err != CHIRR_OK) {
        memset(peer, 0, sizeof *peer);
    }
    return err;
}

void chirr_transport_disconnect(struct chirr_transport *transport, chirr_agent_id id)
{
    struct chirr_transport_peer *peer = id == 0 ? NULL : find_peer(transport, id);
    if (peer != NULL) {
        close_peer(peer);
        memset(peer, 0, sizeof *peer);
    }
}

void chirr_transport_heard(struct chirr_transport *transport, chirr_agent_id id)
{
    struct chirr_transport_peer *peer = find_peer(transport, id);
    if (peer != NULL) {
        peer->fresh_us = transport->now_us;
    }
}

static void renew_silent(struct chirr_transport *transport)
{
    chirr_time_us oldest = transport->now_us - chirr_time_from_ms(transport->config.silence_ms);
    uint32_t renewed = 0;
    for (uint32_t i = 0; i < transport->config.peers_max && renewed < RENEWALS_TURN; i++) {
        struct chirr_transport_peer *peer = &transport->peers[i];
        if (peer->id != 0 && peer->fresh_us == 0) {
            peer->fresh_us = transport->now_us; /* opened before the clock was known */
        }
        if (peer->id == 0 || peer->fresh_us > oldest) {
            continue;
        }
        renewed++;
        close_peer(peer);
        /* A failure leaves it closed until its next turn; sends are counted as dropped. */
        if (open_peer(transport, peer) != CHIRR_OK) {
            chirr_log_debug(transport->log, "transport: no socket for %016" PRIx64 " now",
                            peer->id);
        }
    }
}

void chirr_transport_renew(struct chirr_transport *transport)
{
    if (transport->now_us < transport->renew_us) {
        return;
    }
    transport->renew_us = transport->now_us + RENEW_CHECK_US;
    for (uint32_t i = 0; i < transport->config.peers_max; i++) {
        chirr_transport_refusals_drain(transport, transport->peers[i].monitor);
    }
    if (transport->config.silence_ms != 0) {
        renew_silent(transport);
    }
}

enum chirr_err chirr_transport_subscribe(struct chirr_transport *transport, const char *topic)
{
    size_t bytes = strlen(topic);
    if (bytes >= CHIRR_TOPIC_BYTES_MAX) {
        return CHIRR_ERR_RANGE;
    }
    for (size_t i = 0; i < transport->topic_count; i++) {
        if (strcmp(transport->topics[i], topic) == 0) {
            return CHIRR_OK;
        }
    }
    if (transport->topic_count == CHIRR_TOPICS_MAX) {
        return CHIRR_ERR_FULL;
    }
    for (uint32_t i = 0; i < transport->config.peers_max; i++) {
        void *subscriber = transport->peers[i].subscriber;
        if (subscriber != NULL && zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, topic, bytes) != 0) {
            return CHIRR_ERR_IO;
        }
    }
    memcpy(transport->topics[transport->topic_count++], topic, bytes + 1);
    return CHIRR_OK;
}

/* ---- Out --------------------------------------------------------------------------------------
 */

/* Into transport->frame; 0 when the message must not leave. */
static size_t seal(struct chirr_transport *transport, const struct chirr_message *message,
                   bool sign)
{
    size_t bytes;
    enum chirr_err err = chirr_frame_seal(message, transport->identity, sign, transport->frame,
                                          sizeof transport->frame, &bytes);
    if (err != CHIRR_OK) {
        chirr_transport_drop(transport,
                             err == CHIRR_ERR_FULL ? CHIRR_DROP_OVERSIZED : CHIRR_DROP_MALFORMED,
                             "an own %s message is not sent: %s",
                             chirr_message_kind_name(message->kind), chirr_err_text(err));
        return 0;
    }
    return bytes;
}

static void count_sent(struct chirr_transport *transport, enum chirr_message_kind kind,
                       size_t bytes)
{
    transport->counters.sent_messages++;
    transport->counters.sent_bytes += bytes;
    transport->counters.sent_bytes_by_kind[kind] += bytes;
}

static bool publish_parts(struct chirr_transport *transport, const char *topic, size_t frame_bytes)
{
    const int flags = ZMQ_DONTWAIT;
    return zmq_send(transport->publisher, topic, strlen(topic), flags | ZMQ_SNDMORE) >= 0 &&
           zmq_send(transport->publisher, transport->frame, frame_bytes, flags) >= 0;
}

/* With NODROP one full queue would keep a message from every subscriber, and without it the loss
 * would be silent. So: ask with NODROP, count a refusal, and then send it to all who have room. */
void chirr_transport_publish(struct chirr_transport *transport, const char *topic,
                             const struct chirr_message *message)
{
    size_t bytes = seal(transport, message, true);
    if (bytes == 0) {
        return;
    }
    if (!publish_parts(transport, topic, bytes)) {
        const int on = 1;
        const int off = 0;
        chirr_transport_drop(transport, CHIRR_DROP_PUBLISH_FULL,
                             "a subscriber does not keep up and misses messages");
        zmq_setsockopt(transport->publisher, ZMQ_XPUB_NODROP, &off, sizeof off);
        bool sent = publish_parts(transport, topic, bytes);
        zmq_setsockopt(transport->publisher, ZMQ_XPUB_NODROP, &on, sizeof on);
        if (!sent) {
            return;
        }
    }
    count_sent(transport, message->kind, bytes);
}

void chirr_transport_send(struct chirr_transport *transport, chirr_agent_id to,
                          const struct chirr_message *message)
{
    struct chirr_transport_peer *peer = to == 0 ? NULL : find_peer(transport, to);
    if (peer == NULL || peer->dealer == NULL) {
        chirr_transport_drop(transport, CHIRR_DROP_UNKNOWN_PEER,
                             "no connection to %016" PRIx64 " for a %s message", to,
                             chirr_message_kind_name(message->kind));
        return;
    }
    size_t bytes = seal(transport, message, !transport->config.curve);
    if (bytes == 0) {
        return;
    }
    if (zmq_send(peer->dealer, transport->frame, bytes, ZMQ_DONTWAIT) < 0) {
        chirr_transport_drop(transport, CHIRR_DROP_SEND_FULL, "the queue to %016" PRIx64 " is full",
                             to);
        return;
    }
    count_sent(transport, message->kind, bytes);
}

int chirr_transport_poll_items(struct chirr_transport *transport, zmq_pollitem_t *items)
{
    int count = 0;
    items[count++] = (zmq_pollitem_t){.socket = transport->publisher, .events = ZMQ_POLLIN};
    items[count++] = (zmq_pollitem_t){.socket = transport->router, .events = ZMQ_POLLIN};
    if (transport->zap.socket != NULL) {
        items[count++] = (zmq_pollitem_t){.socket = transport->zap.socket, .events = ZMQ_POLLIN};
    }
    for (uint32_t i = 0; i < transport->config.peers_max; i++) {
        void *subscriber = transport->peers[i].subscriber;
        if (subscriber != NULL) {
            items[count++] = (zmq_pollitem_t){.socket = subscriber, .events = ZMQ_POLLIN};
        }
    }
    return count;
}
