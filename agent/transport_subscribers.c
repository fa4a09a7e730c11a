/* Who subscribed to what, as the XPUB tells: for counters that count what really leaves, and for a
 * bound that libzmq does not have. It keeps every subscription of every connection, does not tell
 * whose one is, and drops none on request; but all that its listener accepted goes when the socket
 * is unbound. So when there are more than peers of good will can need, everybody's go, and who
 * is one of those subscribes again. */
#include "agent/transport_state.h"

#include <string.h>

#include "base/digest.h"

/* A peer that subscribes without end starves nobody. */
#define SUBSCRIPTIONS_TURN 256

static struct chirr_subscription *find(struct chirr_transport *transport, uint64_t topic)
{
    for (uint32_t i = 0; i < transport->subscription_count; i++) {
        if (transport->subscriptions[i].topic == topic) {
            return &transport->subscriptions[i];
        }
    }
    return NULL;
}

static void add(struct chirr_transport *transport, uint64_t topic)
{
    struct chirr_subscription *known = find(transport, topic);
    if (known != NULL) {
        known->connections++;
    } else if (transport->subscription_count < CHIRR_SUBSCRIPTIONS_MAX) {
        transport->subscriptions[transport->subscription_count++] =
            (struct chirr_subscription){topic, 1};
    } else {
        transport->oversubscribed = true;
        chirr_transport_drop(transport, CHIRR_DROP_SUBSCRIPTION,
                             "more than %d topics are subscribed to: every subscriber is cut off, "
                             "and may come back",
                             CHIRR_SUBSCRIPTIONS_MAX);
    }
}

static void take_away(struct chirr_transport *transport, uint64_t topic)
{
    struct chirr_subscription *known = find(transport, topic);
    if (known != NULL && --known->connections == 0) {
        *known = transport->subscriptions[--transport->subscription_count];
    }
}

bool chirr_transport_subscribers_drain(struct chirr_transport *transport)
{
    uint8_t text[1 + CHIRR_TOPIC_BYTES_MAX];
    for (int i = 0; i < SUBSCRIPTIONS_TURN; i++) {
        int bytes = zmq_recv(transport->publisher, text, sizeof text, ZMQ_DONTWAIT);
        if (bytes < 0) {
            return false;
        }
        if (bytes < 1 || (size_t)bytes > sizeof text || text[0] > 1) {
            chirr_transport_drop(transport, CHIRR_DROP_SUBSCRIPTION,
                                 "%d bytes that are no subscription came where peers subscribe",
                                 bytes);
            continue;
        }
        uint64_t topic = chirr_digest(text + 1, (size_t)bytes - 1);
        if (text[0] == 1) {
            add(transport, topic);
        } else {
            take_away(transport, topic);
        }
    }
    return true;
}

uint32_t chirr_transport_subscribers(const struct chirr_transport *transport, const char *topic)
{
    uint64_t digest = chirr_digest(topic, strlen(topic));
    for (uint32_t i = 0; i < transport->subscription_count; i++) {
        if (transport->subscriptions[i].topic == digest) {
            return transport->subscriptions[i].connections;
        }
    }
    return 0;
}
