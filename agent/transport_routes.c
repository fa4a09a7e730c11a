/* The ways back: over which incoming connection an agent spoke last, so that an answer needs no
 * connection of its own.
 *
 * Only under CURVE, where ZAP told whose connection it is: without it, whoever replays a signed
 * message would get what its author is told. A connection that went is noticed with the next
 * message to it, since the ROUTER refuses what it cannot route (ZMQ_ROUTER_MANDATORY); without that
 * option libzmq would drop it in silence. */
#include "agent/transport_state.h"

#include <errno.h>
#include <string.h>

static struct chirr_transport_route *find(const struct chirr_transport *transport,
                                          chirr_agent_id id)
{
    for (uint32_t i = 0; i < transport->config.peers_max; i++) {
        if (transport->routes[i].id == id) {
            return &transport->routes[i];
        }
    }
    return NULL;
}

/* The one heard longest ago makes room: a connection of one's own does as well. */
static struct chirr_transport_route *make_room(struct chirr_transport *transport)
{
    struct chirr_transport_route *oldest = &transport->routes[0];
    for (uint32_t i = 1; i < transport->config.peers_max; i++) {
        if (transport->routes[i].heard_us < oldest->heard_us) {
            oldest = &transport->routes[i];
        }
    }
    return oldest;
}

void chirr_transport_route_learn(struct chirr_transport *transport, chirr_agent_id id,
                                 const uint8_t *routing_id, size_t bytes)
{
    if (!transport->config.curve || bytes > CHIRR_ROUTING_ID_BYTES_MAX) {
        return;
    }
    struct chirr_transport_route *route = find(transport, id);
    route = route == NULL ? find(transport, 0) : route;
    route = route == NULL ? make_room(transport) : route;
    route->id = id;
    route->heard_us = transport->now_us;
    route->bytes = (uint32_t)bytes;
    memcpy(route->routing_id, routing_id, bytes);
}

bool chirr_transport_route_known(const struct chirr_transport *transport, chirr_agent_id id)
{
    return find(transport, id) != NULL;
}

void chirr_transport_route_forget(struct chirr_transport *transport, chirr_agent_id id)
{
    struct chirr_transport_route *route = find(transport, id);
    if (route != NULL) {
        memset(route, 0, sizeof *route);
    }
}

void chirr_transport_routes_review(struct chirr_transport *transport, bool all)
{
    for (uint32_t i = 0; i < transport->config.peers_max; i++) {
        chirr_agent_id id = transport->routes[i].id;
        if (id != 0 && (all || chirr_keyring_find(transport->keyring, id) == NULL)) {
            memset(&transport->routes[i], 0, sizeof transport->routes[i]);
        }
    }
}

enum chirr_route_end chirr_transport_route_send(struct chirr_transport *transport,
                                                chirr_agent_id id, size_t frame_bytes)
{
    const struct chirr_transport_route *route = find(transport, id);
    if (route == NULL) {
        return CHIRR_ROUTE_GONE;
    }
    zmq_msg_t frame; /* before the routing id is sent: what follows that cannot be left out */
    if (zmq_msg_init_size(&frame, frame_bytes) != 0) {
        return CHIRR_ROUTE_FULL;
    }
    memcpy(zmq_msg_data(&frame), transport->frame, frame_bytes);
    transport->ready[CHIRR_WAY_ROUTER] = true;
    if (zmq_send(transport->router, route->routing_id, route->bytes, ZMQ_DONTWAIT | ZMQ_SNDMORE) >=
        0) {
        /* The ROUTER has room for it, or drops it if the connection went this very moment. */
        if (zmq_msg_send(&frame, transport->router, 0) < 0) {
            zmq_msg_close(&frame);
        }
        return CHIRR_ROUTE_SENT;
    }
    bool is_full = errno == EAGAIN;
    zmq_msg_close(&frame);
    if (!is_full) {
        chirr_transport_route_forget(transport, id);
    }
    return is_full ? CHIRR_ROUTE_FULL : CHIRR_ROUTE_GONE;
}
