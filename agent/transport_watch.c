/* What becomes of connections: libzmq's socket monitors, read for failed handshakes.
 *
 * libzmq tells of noise that is not even its own greeting only by ACCEPTED and DISCONNECTED of one
 * file descriptor; SUCCEEDED names none. A disconnection is certain to be such noise when no
 * handshake at all succeeded since that descriptor was accepted; otherwise it is not counted. The
 * failures that libzmq explains are followed at once by their own DISCONNECTED. */
#include "agent/transport_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EVENT_BYTES 6
#define BOUND_EVENTS                                                                               \
    (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |                 \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                  \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

struct event {
    uint16_t kind;
    uint32_t value;
    char endpoint[CHIRR_ENDPOINT_BYTES_MAX];
};

/* No high-water mark: a full monitor would block libzmq's own thread. What comes in is bounded by
 * the handshakes that fit between two turns of the loop. Each has a name of its own, since libzmq
 * frees one late. */
void *chirr_transport_monitor_open(struct chirr_transport *transport, void *watched, bool bound)
{
    char endpoint[CHIRR_ENDPOINT_BYTES_MAX];
    const int none = 0;
    const int events = bound ? BOUND_EVENTS : ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    snprintf(endpoint, sizeof endpoint, "inproc://chirr.monitor.%" PRIu64,
             transport->monitor_count++);
    void *monitor = zmq_socket(transport->context, ZMQ_PAIR);
    if (monitor == NULL) {
        return NULL;
    }
    if (zmq_socket_monitor(watched, endpoint, events) != 0 ||
        zmq_setsockopt(monitor, ZMQ_RCVHWM, &none, sizeof none) != 0 ||
        zmq_setsockopt(monitor, ZMQ_LINGER, &none, sizeof none) != 0 ||
        zmq_connect(monitor, endpoint) != 0) {
        zmq_close(monitor);
        return NULL;
    }
    return monitor;
}

void chirr_transport_monitor_close(void **monitor, void *watched)
{
    if (*monitor != NULL) {
        zmq_socket_monitor(watched, NULL, 0);
        zmq_close(*monitor);
        *monitor = NULL;
    }
}

static bool next_event(void *socket, struct event *event)
{
    uint8_t head[EVENT_BYTES];
    if (zmq_recv(socket, head, sizeof head, ZMQ_DONTWAIT) != EVENT_BYTES) {
        return false;
    }
    /* In the machine's own byte order. */
    memcpy(&event->kind, head, sizeof event->kind);
    memcpy(&event->value, head + sizeof event->kind, sizeof event->value);
    memset(event->endpoint, 0, sizeof event->endpoint);
    zmq_recv(socket, event->endpoint, sizeof event->endpoint - 1, ZMQ_DONTWAIT);
    return true;
}

static void count_noise(struct chirr_transport *transport, const struct event *event)
{
    chirr_transport_drop(transport, CHIRR_DROP_HANDSHAKE,
                         "a connection to %s failed: not a peer that speaks CURVE and knows this "
                         "agent's key",
                         event->endpoint);
}

static void bound_event(struct chirr_transport *transport, struct chirr_transport_watch *watch,
                        const struct event *event)
{
    uint32_t file = event->value;
    switch (event->kind) {
    case ZMQ_EVENT_ACCEPTED:
        if (file < CHIRR_WATCHED_FDS_MAX) {
            watch->succeeded_at_accept[file] = watch->succeeded;
        }
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        watch->succeeded++;
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: /* counted by the ZAP handler */
        watch->told = true;
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        watch->told = true;
        count_noise(transport, event);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        if (!watch->told && file < CHIRR_WATCHED_FDS_MAX &&
            watch->succeeded_at_accept[file] == watch->succeeded) {
            count_noise(transport, event);
        }
        watch->told = false;
        break;
    default:
        break;
    }
}

void chirr_transport_watch_drain(struct chirr_transport *transport,
                                 struct chirr_transport_watch *watch)
{
    struct event event;
    while (watch->monitor != NULL && next_event(watch->monitor, &event)) {
        bound_event(transport, watch, &event);
    }
}

void chirr_transport_refusals_drain(struct chirr_transport *transport, void *monitor)
{
    struct event event;
    while (monitor != NULL && next_event(monitor, &event)) {
        if (event.kind == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
            chirr_transport_drop(transport, CHIRR_DROP_REFUSED,
                                 "%s refuses this agent: its key is not on the keyring there",
                                 event.endpoint);
        }
    }
}
