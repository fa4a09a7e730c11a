/* Answers go back over the connection that the question came by. */
#include "agent/transport.h"

#include "agent/transport_state.h"
#include "tests/agent/transport_nodes.h"

TestSuite(transport_routes, .init = nodes_setup, .fini = nodes_teardown, .timeout = 120);

/* Silence gives nobody fresh connections here: what opens one is the message alone. */
static void start_patient(bool curve)
{
    for (int i = 0; i < NODES_MAX; i++) {
        nodes[i].config.silence_ms = 0;
        nodes[i].config.curve = curve;
    }
    start_all();
}

/* Over a connection of its own; the other links to it afterwards. */
static void ask(struct node *node, struct node *other)
{
    unsigned before = other->received[CHIRR_MESSAGE_PING];
    link_as(node, other, CHIRR_LINK_UNICAST);
    ping(node, other, 1);
    WAIT(other->received[CHIRR_MESSAGE_PING] > before);
    link_as(other, node, CHIRR_LINK_UNICAST);
}

static bool has_dealer(const struct node *node, const struct node *other)
{
    return chirr_transport_find_peer(node->transport, other->identity.id)->dealer != NULL;
}

static bool has_route(const struct node *node, const struct node *other)
{
    return chirr_transport_route_known(node->transport, other->identity.id);
}

Test(transport_routes, an_answer_travels_over_the_askers_connection)
{
    start_patient(true);
    ask(a, b);
    ping(b, a, 2);
    WAIT(a->last_sequence == 2);
    cr_assert_eq(a->last_from, b->identity.id);
    cr_assert_not(has_dealer(b, a));
    cr_assert_eq(a->transport->admitted_count, 0, "nobody has shaken hands with the asker");
    cr_assert_eq(chirr_transport_count(b->transport)->sent_messages, 1);
}

/* Fails without ZMQ_ROUTER_MANDATORY: libzmq drops what it cannot route and says that it was sent.
 */
Test(transport_routes, an_answer_to_an_asker_whose_connection_is_gone_opens_one_and_arrives)
{
    uint32_t sequence = 1;
    start_patient(true);
    ask(a, b);
    chirr_transport_disconnect(a->transport, b->identity.id); /* closes in the background */
    WAIT_DOING(ping(b, a, ++sequence), has_dealer(b, a));
    cr_assert_not(has_route(b, a));
    WAIT(a->last_sequence == sequence); /* the very message that found the way back gone */
}

/* Fails when only who is removed loses its way back: all connections that came in are closed then,
 * and what is said over them meanwhile would be lost. */
Test(transport_routes, the_ways_back_are_forgotten_when_a_holder_leaves_the_keyring)
{
    start_patient(true);
    ask(a, b);
    ask(c, b);
    cr_assert(has_route(b, a) && has_route(b, c));
    cr_assert_eq(chirr_keyring_remove(b->keyring, a->identity.id), CHIRR_OK);
    chirr_transport_cut(b->transport, a->identity.id);
    cr_assert_not(has_route(b, a));
    cr_assert_not(has_route(b, c));
    ping(b, a, 2);
    cr_assert_eq(dropped(b, CHIRR_DROP_UNKNOWN_PEER), 1);
    ping(b, c, 3);
    cr_assert(has_dealer(b, c));
    WAIT(c->last_sequence == 3);
    trust(b, a);
    link_as(b, a, CHIRR_LINK_UNICAST);
    cr_assert(has_dealer(b, a), "an old way back must not come back with the key");
}

/* Without CURVE whoever plays a signed message back would get what its author is told. */
Test(transport_routes,
     without_curve_nobody_is_answered_over_a_connection_that_anybody_may_have_made)
{
    start_patient(false);
    ask(a, b);
    cr_assert_not(has_route(b, a));
    cr_assert(has_dealer(b, a));
    ping(b, a, 2);
    WAIT(a->last_sequence == 2);
}
