/* The way out: sealed once, queued for each. */
#include "agent/transport_state.h"

#include <inttypes.h>
#include <string.h>

/* Into transport->frame; 0 when the message must not leave. Under CURVE the connection says who
 * sends: a DEALER's user at the ROUTER, the pinned key of the XPUB at the SUB. */
static size_t seal(struct chirr_transport *transport, const struct chirr_message *message)
{
    size_t bytes;
    enum chirr_err err = chirr_frame_seal(message, transport->identity, !transport->config.curve,
                                          transport->frame, sizeof transport->frame, &bytes);
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
                       uint64_t messages, size_t bytes)
{
    transport->counters.sent_messages += messages;
    transport->counters.sent_bytes += messages * bytes;
    transport->counters.sent_bytes_by_kind[kind] += messages * bytes;
}

/* ---- Published ---------------------------------------------------------------------------------
 */

struct publication {
    enum chirr_message_kind kind;
    size_t bytes;
    zmq_msg_t frame; /* shared by all copies */
};

/* False: the queue of somebody who subscribed is full. */
static bool publish_parts(struct chirr_transport *transport, const char *topic,
                          struct publication *publication)
{
    zmq_msg_t frame;
    transport->ready[CHIRR_WAY_PUBLISHER] = true;
    if (zmq_send(transport->publisher, topic, strlen(topic), ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) {
        return false;
    }
    zmq_msg_init(&frame);
    zmq_msg_copy(&frame, &publication->frame);
    if (zmq_msg_send(&frame, transport->publisher, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&frame);
        return false;
    }
    return true;
}

static void count_published(struct chirr_transport *transport, const char *topic,
                            const struct publication *publication)
{
    count_sent(transport, publication->kind, chirr_transport_subscribers(transport, topic),
               strlen(topic) + publication->bytes);
}

/* Under a topic of its own, so a full queue is this neighbour's and delays nobody else. */
static void publish_to(struct chirr_transport *transport, struct chirr_transport_peer *peer,
                       const struct chirr_transport_topic *topic, struct publication *publication)
{
    char text[CHIRR_TOPIC_BYTES_MAX];
    chirr_transport_topic_format(topic, text);
    bool room = publish_parts(transport, text, publication);
    if (room) {
        count_published(transport, text, publication);
    } else {
        chirr_transport_drop(transport, CHIRR_DROP_PUBLISH_FULL,
                             "%016" PRIx64 " does not keep up and misses messages", peer->id);
    }
    chirr_transport_note(transport, peer, CHIRR_QUEUE_PUBLISH, room);
}

/* With NODROP one full queue would keep a message from every subscriber, and without it the loss
 * would be silent. So: ask with NODROP, count a refusal, and then send it to all who have room. */
static void publish_to_all(struct chirr_transport *transport, enum chirr_topic topic,
                           struct publication *publication)
{
    char text[CHIRR_TOPIC_BYTES_MAX];
    chirr_transport_topic_format(&(struct chirr_transport_topic){.topic = topic}, text);
    bool sent = publish_parts(transport, text, publication);
    if (!sent) {
        const int on = 1;
        const int off = 0;
        chirr_transport_drop(transport, CHIRR_DROP_PUBLISH_FULL,
                             "a subscriber does not keep up and misses messages");
        zmq_setsockopt(transport->publisher, ZMQ_XPUB_NODROP, &off, sizeof off);
        sent = publish_parts(transport, text, publication);
        zmq_setsockopt(transport->publisher, ZMQ_XPUB_NODROP, &on, sizeof on);
    }
    if (sent) {
        count_published(transport, text, publication);
    }
}

static void publish_to_neighbours(struct chirr_transport *transport,
                                  struct chirr_transport_topic topic, chirr_agent_id except,
                                  struct publication *publication)
{
    for (uint32_t i = 0; i < transport->config.peers_max; i++) {
        struct chirr_transport_peer *peer = &transport->peers[i];
        if (peer->id == 0 || peer->id == except || peer->link != CHIRR_LINK_NEIGHBOUR) {
            continue;
        }
        if (peer->closed) {
            chirr_transport_drop(transport, CHIRR_DROP_CLOSED,
                                 "the links to %016" PRIx64 " are closed for now", peer->id);
            continue;
        }
        topic.subscriber = peer->id;
        publish_to(transport, peer, &topic, publication);
    }
}

void chirr_transport_publish(struct chirr_transport *transport, enum chirr_topic topic,
                             chirr_agent_id except, const struct chirr_message *message)
{
    struct publication publication = {.kind = message->kind, .bytes = seal(transport, message)};
    if (publication.bytes == 0) {
        return;
    }
    if (zmq_msg_init_size(&publication.frame, publication.bytes) != 0) {
        chirr_transport_drop(transport, CHIRR_DROP_PUBLISH_FULL, "no memory for %zu bytes",
                             publication.bytes);
        return;
    }
    memcpy(zmq_msg_data(&publication.frame), transport->frame, publication.bytes);
    if (topic == CHIRR_TOPIC_LAZY || topic == CHIRR_TOPIC_HEARTBEAT) {
        publish_to_all(transport, topic, &publication);
    } else {
        struct chirr_transport_topic to = {.topic = topic};
        if (topic == CHIRR_TOPIC_KNOWLEDGE) {
            CHIRR_ASSERT(message->kind == CHIRR_MESSAGE_DELTA);
            to.lineage = message->delta.lineage;
            to.partition = message->delta.partition;
        }
        publish_to_neighbours(transport, to, except, &publication);
    }
    zmq_msg_close(&publication.frame);
}

/* ---- Unicast -----------------------------------------------------------------------------------
 */

/* Over the own connection, or back over the peer's, or over an own that is opened for it. False: no
 * connection was to be had, which is counted. */
static bool queue_frame(struct chirr_transport *transport, struct chirr_transport_peer *peer,
                        size_t bytes, bool *room)
{
    if (peer->dealer == NULL) {
        enum chirr_route_end end = chirr_transport_route_send(transport, peer->id, bytes);
        *room = end == CHIRR_ROUTE_SENT;
        if (end != CHIRR_ROUTE_GONE) {
            return true;
        }
        if (chirr_transport_open_dealer(transport, peer) != CHIRR_OK) {
            return false;
        }
    }
    transport->ready[chirr_transport_way_of(transport, peer, false)] = true;
    *room = zmq_send(peer->dealer, transport->frame, bytes, ZMQ_DONTWAIT) >= 0;
    return true;
}

static void drop_closed(struct chirr_transport *transport, enum chirr_transport_drop reason,
                        chirr_agent_id to, const struct chirr_message *message)
{
    chirr_transport_drop(transport, reason, "no connection to %016" PRIx64 " for a %s message", to,
                         chirr_message_kind_name(message->kind));
}

void chirr_transport_send(struct chirr_transport *transport, chirr_agent_id to,
                          const struct chirr_message *message)
{
    struct chirr_transport_peer *peer = to == 0 ? NULL : chirr_transport_find_peer(transport, to);
    if (peer == NULL || peer->closed) {
        drop_closed(transport, peer == NULL ? CHIRR_DROP_UNKNOWN_PEER : CHIRR_DROP_CLOSED, to,
                    message);
        return;
    }
    size_t bytes = seal(transport, message);
    if (bytes == 0) {
        return;
    }
    if (!peer->asked && peer->link == CHIRR_LINK_UNICAST) {
        peer->fresh_us = transport->now_us; /* silent from now on, if at all */
    }
    peer->asked = true;
    bool room;
    if (!queue_frame(transport, peer, bytes, &room)) {
        drop_closed(transport, CHIRR_DROP_CLOSED, to, message);
        return;
    }
    if (room) {
        count_sent(transport, message->kind, 1, bytes);
    } else {
        chirr_transport_drop(transport, CHIRR_DROP_SEND_FULL, "the queue to %016" PRIx64 " is full",
                             to);
    }
    chirr_transport_note(transport, peer, CHIRR_QUEUE_SEND, room);
}
