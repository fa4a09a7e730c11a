/* Who is no longer trusted is cut off: out of every link, and out of what it opened to this agent.
 *
 * libzmq asks ZAP once a connection, and closes none on request. But what a bound socket accepted
 * belongs to its listener and goes with it: unbinding closes all of it, and binding again lets the
 * others come back after a new handshake. What had come in over them can be read to its end, also
 * of a message that is half read, unlike with zmq_disconnect; so a flood delays nothing here. */
#include "agent/transport_state.h"

#include <inttypes.h>
#include <string.h>

void chirr_transport_admitted(struct chirr_transport *transport,
                              const uint8_t curve_public[CHIRR_KEY_BYTES])
{
    for (uint32_t i = 0; i < transport->admitted_count; i++) {
        if (memcmp(transport->admitted[i], curve_public, CHIRR_KEY_BYTES) == 0) {
            return;
        }
    }
    if (transport->admitted_count < CHIRR_ADMITTED_MAX) {
        memcpy(transport->admitted[transport->admitted_count++], curve_public, CHIRR_KEY_BYTES);
    }
}

/* What tells the others of it goes out first, over the very connections that are to be closed:
 * nothing of a removed key is taken in meanwhile, and its agent hears that much longer. */
#define KICK_AFTER_US (250 * CHIRR_US_PER_MS)

static bool is_any_admitted_gone(const struct chirr_transport *transport)
{
    for (uint32_t i = 0; i < transport->admitted_count; i++) {
        if (chirr_keyring_find_curve(transport->keyring, transport->admitted[i]) == NULL) {
            return true;
        }
    }
    return false;
}

static void count_cut(struct chirr_transport *transport, chirr_agent_id peer)
{
    chirr_transport_drop(transport, CHIRR_DROP_CUT,
                         "the links to %016" PRIx64 " are closed: its key is no longer trusted",
                         peer);
}

static void review_peers(struct chirr_transport *transport)
{
    for (uint32_t i = 0; i < transport->config.peers_max; i++) {
        struct chirr_transport_peer *peer = &transport->peers[i];
        if (peer->id == 0) {
            continue;
        }
        if (chirr_keyring_find(transport->keyring, peer->id) == NULL) {
            count_cut(transport, peer->id);
            chirr_transport_disconnect(transport, peer->id);
        } else if ((peer->dealer != NULL || peer->subscriber != NULL) &&
                   chirr_keyring_find_curve(transport->keyring, peer->curve_public) == NULL) {
            count_cut(transport, peer->id);
            chirr_transport_close_peer(transport, peer); /* until its card names another key */
        }
    }
}

/* A listener closes in the background, so its port may be taken for another moment. */
static void bind_again(struct chirr_transport *transport)
{
    if ((transport->unbound & CHIRR_UNBOUND_PUBLISHER) != 0 &&
        zmq_bind(transport->publisher, transport->publish_endpoint) == 0) {
        transport->unbound &= ~CHIRR_UNBOUND_PUBLISHER;
    }
    if ((transport->unbound & CHIRR_UNBOUND_ROUTER) != 0 &&
        zmq_bind(transport->router, transport->unicast_endpoint) == 0) {
        transport->unbound &= ~CHIRR_UNBOUND_ROUTER;
    }
}

/* Closes all that one of the bound sockets accepted. */
static bool unbind(struct chirr_transport *transport, uint32_t which)
{
    bool is_publisher = which == CHIRR_UNBOUND_PUBLISHER;
    transport->ready[is_publisher ? CHIRR_WAY_PUBLISHER : CHIRR_WAY_ROUTER] = true;
    if (zmq_unbind(is_publisher ? transport->publisher : transport->router,
                   is_publisher ? transport->publish_endpoint : transport->unicast_endpoint) != 0) {
        return false;
    }
    transport->unbound |= which;
    return true;
}

void chirr_transport_review(struct chirr_transport *transport)
{
    if (transport->unbound != 0) {
        bind_again(transport);
    }
    if (transport->oversubscribed && (transport->unbound & CHIRR_UNBOUND_PUBLISHER) == 0) {
        transport->oversubscribed = !unbind(transport, CHIRR_UNBOUND_PUBLISHER);
        bind_again(transport);
    }
    uint64_t revision = chirr_keyring_revision(transport->keyring);
    if (revision == transport->keyring_revision) {
        return;
    }
    transport->keyring_revision = revision;
    review_peers(transport);
    bool is_any_gone = is_any_admitted_gone(transport);
    chirr_transport_routes_review(transport, is_any_gone);
    if (!transport->kick && is_any_gone) {
        transport->kick = true;
        transport->kick_us = transport->now_us + KICK_AFTER_US;
    }
}

void chirr_transport_kick(struct chirr_transport *transport)
{
    if (!transport->kick || transport->unbound != 0 || transport->now_us < transport->kick_us) {
        return;
    }
    bool publisher_closed = unbind(transport, CHIRR_UNBOUND_PUBLISHER);
    bool router_closed = unbind(transport, CHIRR_UNBOUND_ROUTER);
    bind_again(transport);
    if (publisher_closed && router_closed) { /* or again with the next look */
        transport->kick = false;
        transport->admitted_count = 0;
        chirr_transport_drop(transport, CHIRR_DROP_CUT,
                             "every incoming connection is closed, since one of them came by a key "
                             "that is no longer trusted: the others may come back");
    }
}

void chirr_transport_cut(struct chirr_transport *transport, chirr_agent_id peer)
{
    bool is_linked = peer != 0 && chirr_transport_find_peer(transport, peer) != NULL;
    if (is_linked && chirr_keyring_find(transport->keyring, peer) == NULL) {
        count_cut(transport, peer);
        chirr_transport_disconnect(transport, peer);
    }
    chirr_transport_review(transport);
}
