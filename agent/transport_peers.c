/* Links to peers: opened, moved, raised and lowered, evicted, renewed, closed. */
#include "agent/transport_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Sockets close in the background, so not all are renewed at once. */
#define RENEW_CHECK_US (CHIRR_US_PER_S / 4)
#define RENEWALS_TURN 8U
/* Only who was silent is watched for its refusal, and only so many at once: a monitor costs two
 * sockets. */
#define MONITORS_MAX 4U
#define REOPEN_US (2 * CHIRR_US_PER_S)

struct chirr_transport_peer *chirr_transport_find_peer(struct chirr_transport *transport,
                                                       chirr_agent_id id)
{
    for (uint32_t i = 0; i < transport->config.peers_max; i++) {
        if (transport->peers[i].id == id) {
            return &transport->peers[i];
        }
    }
    return NULL;
}

/* ---- Opening and closing ----------------------------------------------------------------------
 */

static void close_socket(void **socket)
{
    if (*socket != NULL) {
        zmq_close(*socket);
        *socket = NULL;
    }
}

static void close_way(struct chirr_transport *transport, struct chirr_transport_peer *peer,
                      bool published)
{
    void **socket = published ? &peer->subscriber : &peer->dealer;
    chirr_transport_ready_remove(transport, chirr_transport_way_of(transport, peer, published),
                                 *socket);
    close_socket(socket);
}

void chirr_transport_close_peer(struct chirr_transport *transport,
                                struct chirr_transport_peer *peer)
{
    chirr_transport_monitor_close(&peer->monitor, peer->dealer);
    close_way(transport, peer, true);
    close_way(transport, peer, false);
    memset(peer->full_us, 0, sizeof peer->full_us);
    peer->closed = true;
}

void chirr_transport_topic_format(const struct chirr_transport_topic *topic,
                                  char text[CHIRR_TOPIC_BYTES_MAX])
{
    switch (topic->topic) {
    case CHIRR_TOPIC_EAGER:
        snprintf(text, CHIRR_TOPIC_BYTES_MAX, "e/%016" PRIx64 "/", topic->subscriber);
        break;
    case CHIRR_TOPIC_LAZY:
        snprintf(text, CHIRR_TOPIC_BYTES_MAX, "i/");
        break;
    case CHIRR_TOPIC_HEARTBEAT:
        snprintf(text, CHIRR_TOPIC_BYTES_MAX, "h/");
        break;
    case CHIRR_TOPIC_KNOWLEDGE:
        snprintf(text, CHIRR_TOPIC_BYTES_MAX, "k/%016" PRIx64 "/%016" PRIx64 "/%" PRIu32 "/",
                 topic->subscriber, topic->lineage, topic->partition);
        break;
    }
}

/* `option`: ZMQ_SUBSCRIBE or ZMQ_UNSUBSCRIBE. */
static bool set_topic(const struct chirr_transport *transport, void *subscriber, int option,
                      struct chirr_transport_topic topic)
{
    char text[CHIRR_TOPIC_BYTES_MAX];
    topic.subscriber = transport->identity->id;
    chirr_transport_topic_format(&topic, text);
    return zmq_setsockopt(subscriber, option, text, strlen(text)) == 0;
}

static bool subscribe_knowledge(const struct chirr_transport *transport, void *subscriber,
                                const struct chirr_transport_hosted *hosted)
{
    return set_topic(transport, subscriber, ZMQ_SUBSCRIBE,
                     (struct chirr_transport_topic){.topic = CHIRR_TOPIC_KNOWLEDGE,
                                                    .lineage = hosted->lineage,
                                                    .partition = hosted->partition});
}

/* NULL: out of sockets. */
static void *open_subscriber(struct chirr_transport *transport, enum chirr_topic records)
{
    void *subscriber = chirr_transport_open_client(transport, ZMQ_SUB);
    bool good = subscriber != NULL &&
                set_topic(transport, subscriber, ZMQ_SUBSCRIBE,
                          (struct chirr_transport_topic){.topic = records}) &&
                set_topic(transport, subscriber, ZMQ_SUBSCRIBE,
                          (struct chirr_transport_topic){.topic = CHIRR_TOPIC_HEARTBEAT});
    for (uint32_t i = 0; good && i < transport->hosted_count; i++) {
        good = subscribe_knowledge(transport, subscriber, &transport->hosted[i]);
    }
    if (!good) {
        close_socket(&subscriber);
    }
    return subscriber;
}

/* The card may be older than the change of its key, so who stays silent gets a trial of the other
 * one. NULL: none of the holder's keys. */
static const struct chirr_keyring_key *pinned_key(const struct chirr_transport *transport,
                                                  const struct chirr_transport_peer *peer)
{
    const struct chirr_keyring_entry *entry = chirr_keyring_find(transport->keyring, peer->id);
    if (entry == NULL) {
        return NULL;
    }
    const struct chirr_keyring_key *key = chirr_keyring_key_of(entry, peer->address.public_key);
    if (key == NULL) {
        key = &entry->keys[entry->key_count - 1]; /* of a seed that changed its key long ago */
    }
    if (!peer->try_other_key || entry->key_count < 2) {
        return key;
    }
    return key == &entry->keys[0] ? &entry->keys[1] : &entry->keys[0];
}

/* A socket of a kind, open and connected. CHIRR_ERR_FULL, CHIRR_ERR_INVALID: then NULL. */
static enum chirr_err open_way(struct chirr_transport *transport, struct chirr_transport_peer *peer,
                               int type, void **socket)
{
    const struct chirr_keyring_key *key = pinned_key(transport, peer);
    if (key == NULL) {
        return CHIRR_ERR_UNTRUSTED; /* no longer */
    }
    static const uint8_t none[CHIRR_KEY_BYTES];
    memcpy(peer->curve_public, chirr_keyring_curve_of(key), sizeof peer->curve_public);
    if (transport->config.curve && memcmp(peer->curve_public, none, sizeof none) == 0) {
        return CHIRR_ERR_UNTRUSTED; /* a keyring line whose key is none */
    }
    if (!chirr_transport_files_left(transport)) {
        chirr_transport_drop(transport, CHIRR_DROP_FILES,
                             "too few file descriptors are left for a link to %016" PRIx64,
                             peer->id);
        return CHIRR_ERR_FULL;
    }
    *socket = type == ZMQ_SUB ? open_subscriber(transport, peer->topic)
                              : chirr_transport_open_client(transport, type);
    if (*socket == NULL) {
        chirr_transport_drop(transport, CHIRR_DROP_FILES,
                             "no socket is left for a link to %016" PRIx64, peer->id);
        return CHIRR_ERR_FULL;
    }
    enum chirr_err err = chirr_transport_connect_client(
        transport, *socket,
        type == ZMQ_SUB ? peer->address.publish_endpoint : peer->address.unicast_endpoint,
        peer->curve_public);
    if (err == CHIRR_OK) {
        peer->published_us = type == ZMQ_SUB ? transport->now_us : peer->published_us;
        err = chirr_transport_ready_add(
            transport, chirr_transport_way_of(transport, peer, type == ZMQ_SUB), *socket);
    }
    if (err != CHIRR_OK) {
        close_socket(socket);
    }
    return err;
}

enum chirr_err chirr_transport_open_dealer(struct chirr_transport *transport,
                                           struct chirr_transport_peer *peer)
{
    enum chirr_err err = open_way(transport, peer, ZMQ_DEALER, &peer->dealer);
    if (err != CHIRR_OK) {
        peer->reopen_us = transport->now_us + REOPEN_US;
        chirr_transport_close_peer(transport, peer);
    }
    return err;
}

/* With a DEALER if it is `wanted`, or else when something is to be sent and there is no way back.
 * Closed again after an error, to be tried once more a little later. */
static enum chirr_err open_peer(struct chirr_transport *transport,
                                struct chirr_transport_peer *peer, bool wanted)
{
    enum chirr_err err = CHIRR_OK;
    peer->closed = false;
    peer->fresh_us = transport->now_us;
    peer->reopen_us = transport->now_us + REOPEN_US;
    if (peer->link == CHIRR_LINK_NEIGHBOUR) {
        err = open_way(transport, peer, ZMQ_SUB, &peer->subscriber);
    }
    if (err == CHIRR_OK && wanted) {
        err = chirr_transport_open_dealer(transport, peer);
    }
    if (err != CHIRR_OK) {
        chirr_transport_close_peer(transport, peer);
    }
    return err;
}

/* ---- What the machines ask for -----------------------------------------------------------------
 */

static enum chirr_err check_address(const struct chirr_transport *transport,
                                    const struct chirr_peer_address *address)
{
    if (address->id == transport->identity->id) {
        return CHIRR_ERR_INVALID;
    }
    return chirr_keyring_find(transport->keyring, address->id) != NULL ? CHIRR_OK
                                                                       : CHIRR_ERR_UNTRUSTED;
}

/* What was sent before still goes out. */
static enum chirr_err change_link(struct chirr_transport *transport,
                                  struct chirr_transport_peer *peer, enum chirr_link link)
{
    if (peer->link == link) {
        return CHIRR_OK;
    }
    peer->link = link;
    peer->topic = CHIRR_TOPIC_EAGER;
    if (link == CHIRR_LINK_UNICAST) {
        close_way(transport, peer, true);
        return CHIRR_OK;
    }
    return peer->closed ? CHIRR_OK /* with the rest, when it is opened again */
                        : open_way(transport, peer, ZMQ_SUB, &peer->subscriber);
}

static bool is_there(const struct chirr_transport_peer *peer,
                     const struct chirr_peer_address *address)
{
    return peer != NULL &&
           memcmp(peer->address.public_key, address->public_key, CHIRR_KEY_BYTES) == 0 &&
           strcmp(peer->address.publish_endpoint, address->publish_endpoint) == 0 &&
           strcmp(peer->address.unicast_endpoint, address->unicast_endpoint) == 0;
}

enum chirr_err chirr_transport_connect(struct chirr_transport *transport,
                                       const struct chirr_peer_address *address,
                                       enum chirr_link link)
{
    chirr_agent_id id = address->id;
    struct chirr_transport_peer *peer = chirr_transport_find_peer(transport, id);
    enum chirr_err err = check_address(transport, address);
    if (err == CHIRR_OK && is_there(peer, address)) {
        err = change_link(transport, peer, link);
    } else if (err == CHIRR_OK) {
        enum chirr_topic topic = peer != NULL ? peer->topic : CHIRR_TOPIC_EAGER;
        if (peer != NULL) {
            chirr_transport_close_peer(transport, peer);
        } else {
            peer = chirr_transport_find_peer(transport, 0);
        }
        if (peer == NULL) {
            return CHIRR_ERR_FULL;
        }
        *peer = (struct chirr_transport_peer){
            .id = id, .address = *address, .link = link, .topic = topic};
        /* A unicast link is opened because something is to be sent. */
        err = open_peer(transport, peer,
                        link == CHIRR_LINK_UNICAST && !chirr_transport_route_known(transport, id));
    }
    if (err != CHIRR_OK) {
        chirr_transport_disconnect(transport, id);
    }
    return err;
}

void chirr_transport_disconnect(struct chirr_transport *transport, chirr_agent_id id)
{
    struct chirr_transport_peer *peer = id == 0 ? NULL : chirr_transport_find_peer(transport, id);
    if (peer != NULL) {
        chirr_transport_close_peer(transport, peer);
        memset(peer, 0, sizeof *peer);
    }
}

enum chirr_err chirr_transport_listen(struct chirr_transport *transport, chirr_agent_id id,
                                      enum chirr_topic topic)
{
    CHIRR_ASSERT(topic == CHIRR_TOPIC_EAGER || topic == CHIRR_TOPIC_LAZY);
    struct chirr_transport_peer *peer = id == 0 ? NULL : chirr_transport_find_peer(transport, id);
    if (peer == NULL || peer->link != CHIRR_LINK_NEIGHBOUR) {
        return CHIRR_ERR_NOTFOUND;
    }
    struct chirr_transport_topic before = {.topic = peer->topic};
    struct chirr_transport_topic after = {.topic = topic};
    if (before.topic == after.topic) {
        return CHIRR_OK;
    }
    peer->topic = topic;
    /* The new one first: between the two nothing is missed. */
    if (peer->subscriber != NULL &&
        (!set_topic(transport, peer->subscriber, ZMQ_SUBSCRIBE, after) ||
         !set_topic(transport, peer->subscriber, ZMQ_UNSUBSCRIBE, before))) {
        return CHIRR_ERR_IO;
    }
    return CHIRR_OK;
}

enum chirr_err chirr_transport_host(struct chirr_transport *transport, uint64_t lineage,
                                    uint32_t partition)
{
    struct chirr_transport_hosted hosted = {lineage, partition};
    for (uint32_t i = 0; i < transport->hosted_count; i++) {
        if (transport->hosted[i].lineage == lineage &&
            transport->hosted[i].partition == partition) {
            return CHIRR_OK;
        }
    }
    if (transport->hosted_count == CHIRR_HOSTED_MAX) {
        return CHIRR_ERR_FULL;
    }
    for (uint32_t i = 0; i < transport->config.peers_max; i++) {
        void *subscriber = transport->peers[i].subscriber;
        if (subscriber != NULL && !subscribe_knowledge(transport, subscriber, &hosted)) {
            return CHIRR_ERR_IO;
        }
    }
    transport->hosted[transport->hosted_count++] = hosted;
    return CHIRR_OK;
}

/* ---- Who is stuck, silent, or closed -----------------------------------------------------------
 */

void chirr_transport_note(struct chirr_transport *transport, struct chirr_transport_peer *peer,
                          enum chirr_transport_queue queue, bool room)
{
    chirr_time_us *full_us = &peer->full_us[queue];
    if (room || *full_us == 0) {
        *full_us = room ? 0 : transport->now_us;
        return;
    }
    if (transport->config.stuck_ms == 0 ||
        transport->now_us - *full_us < chirr_time_from_ms(transport->config.stuck_ms)) {
        return;
    }
    chirr_transport_close_peer(transport, peer);
    chirr_transport_route_forget(transport, peer->id);
    peer->reopen_us = transport->now_us + REOPEN_US;
    chirr_transport_drop(transport, CHIRR_DROP_EVICTED,
                         "%016" PRIx64 " takes nothing any more: its links are closed for a while",
                         peer->id);
}

void chirr_transport_heard(struct chirr_transport *transport, chirr_agent_id id, bool published)
{
    struct chirr_transport_peer *peer = chirr_transport_find_peer(transport, id);
    if (peer != NULL) {
        peer->fresh_us = transport->now_us;
        peer->published_us = published ? transport->now_us : peer->published_us;
        peer->asked = false;
        chirr_transport_monitor_close(&peer->monitor, peer->dealer);
    }
}

static uint32_t drain_monitors(struct chirr_transport *transport)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < transport->config.peers_max; i++) {
        void *monitor = transport->peers[i].monitor;
        if (monitor != NULL) {
            chirr_transport_refusals_drain(transport, monitor);
            count++;
        }
    }
    return count;
}

/* Closes what is still open of it, and opens it anew. A failure leaves it closed until its next
 * turn; what is sent to it is counted as dropped. */
static void open_again(struct chirr_transport *transport, struct chirr_transport_peer *peer,
                       bool watched)
{
    if (!peer->closed) {
        chirr_transport_drop(transport, CHIRR_DROP_SILENT,
                             "%016" PRIx64 " is silent and gets fresh connections", peer->id);
        chirr_transport_close_peer(transport, peer);
        chirr_transport_route_forget(transport, peer->id);
        peer->try_other_key = !peer->try_other_key;
    }
    if (open_peer(transport, peer, true) == CHIRR_OK && watched) {
        peer->monitor = chirr_transport_monitor_open(transport, peer->dealer, false);
    }
}

/* A neighbour publishes a heartbeat every second, so one that is heard but by its DEALER alone has
 * a SUB that libzmq gave up. */
static void renew_subscriber(struct chirr_transport *transport, struct chirr_transport_peer *peer)
{
    if (transport->config.silence_ms == 0 || peer->subscriber == NULL ||
        transport->now_us - peer->published_us < chirr_time_from_ms(transport->config.silence_ms)) {
        return;
    }
    chirr_transport_drop(transport, CHIRR_DROP_SILENT,
                         "%016" PRIx64 " publishes nothing and gets a fresh subscription",
                         peer->id);
    close_way(transport, peer, true);
    if (open_way(transport, peer, ZMQ_SUB, &peer->subscriber) != CHIRR_OK) {
        chirr_transport_close_peer(transport, peer);
        peer->reopen_us = transport->now_us + REOPEN_US;
    }
}

static bool is_due(const struct chirr_transport *transport, const struct chirr_transport_peer *peer)
{
    chirr_time_us silence_us = chirr_time_from_ms(transport->config.silence_ms);
    if (peer->closed) {
        return transport->now_us >= peer->reopen_us;
    }
    /* A neighbour is heard by itself, others when they are asked. */
    return silence_us != 0 && (peer->asked || peer->link == CHIRR_LINK_NEIGHBOUR) &&
           transport->now_us - peer->fresh_us >= silence_us;
}

void chirr_transport_renew(struct chirr_transport *transport)
{
    if (transport->now_us < transport->renew_us) {
        return;
    }
    transport->renew_us = transport->now_us + RENEW_CHECK_US;
    uint32_t monitored = drain_monitors(transport);
    uint32_t renewed = 0;
    for (uint32_t i = 0; i < transport->config.peers_max && renewed < RENEWALS_TURN; i++) {
        struct chirr_transport_peer *peer = &transport->peers[i];
        if (peer->id != 0 && peer->fresh_us == 0) {
            peer->fresh_us = transport->now_us; /* opened before the clock was known */
            peer->published_us = transport->now_us;
        }
        if (peer->id != 0 && is_due(transport, peer)) {
            bool was_watched = peer->monitor != NULL;
            open_again(transport, peer, was_watched || monitored < MONITORS_MAX);
            monitored += !was_watched && peer->monitor != NULL;
            renewed++;
        } else if (peer->id != 0) {
            renew_subscriber(transport, peer);
        }
    }
}
