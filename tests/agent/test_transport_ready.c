/* Which sockets have something to read: nothing is left lying, and nobody is starved. */
#include "agent/transport.h"

#include <poll.h>
#include <unistd.h>

#include "agent/transport_state.h"
#include "tests/agent/transport_nodes.h"

TestSuite(transport_ready, .init = nodes_setup, .fini = nodes_teardown, .timeout = 120);

/* A send looks for news of its socket only when a million cycles or three have passed since the
 * last look. */
#define LOOKS_AGAIN_US 5000

static struct chirr_transport_peer *peer_of(struct node *node, const struct node *other)
{
    return chirr_transport_find_peer(node->transport, other->identity.id);
}

static bool has_sign(const struct node *node, int wait_ms)
{
    struct pollfd item = {.fd = chirr_transport_fd(node->transport), .events = POLLIN};
    return poll(&item, 1, wait_ms) > 0;
}

/* Until nothing has come in that was not read. */
static void settle(const struct node *node)
{
    WAIT(!chirr_transport_is_waiting(node->transport) && !has_sign(node, 0));
}

/* Something has come in, and nobody has looked. */
static void wait_for_sign(const struct node *node)
{
    cr_assert(has_sign(node, (int)(NODES_DEADLINE_US / CHIRR_US_PER_MS)));
    usleep(LOOKS_AGAIN_US);
}

static bool would_wake(const struct node *node)
{
    return chirr_transport_is_waiting(node->transport) || has_sign(node, 0);
}

/* a's question has come; b's answers go over the same connection. */
static void ask(void)
{
    for (int i = 0; i < NODES_MAX; i++) {
        nodes[i].config.silence_ms = 0;
    }
    start_all();
    link_as(a, b, CHIRR_LINK_UNICAST);
    ping(a, b, 1);
    WAIT(b->last_sequence == 1);
    link_as(b, a, CHIRR_LINK_UNICAST);
}

/* What `other` says has come in, and nobody has looked when `node` sends something. */
static void is_read_though_it_sends(struct node *node, struct node *other)
{
    ask();
    settle(node);
    ping(other, node, 2);
    wait_for_sign(node);
    ping(node, other, 3);
    cr_assert(would_wake(node));
    WAIT(node->last_sequence == 2);
}

/* These three fail without the flag that whatever uses a socket sets: libzmq tells of news once,
 * and a send takes the sign in. */
Test(transport_ready, what_came_in_over_a_connection_that_is_sent_on_is_read)
{
    is_read_though_it_sends(a, b);
}

Test(transport_ready, what_came_in_before_an_answer_went_out_is_read)
{
    is_read_though_it_sends(b, a);
}

Test(transport_ready, a_subscription_that_came_in_before_something_was_published_is_read)
{
    start_all();
    link_to(b, a);
    WAIT(subscribers(a, "e/", b) == 1);
    settle(a);
    cr_assert_eq(chirr_transport_listen(b->transport, a->identity.id, CHIRR_TOPIC_LAZY), CHIRR_OK);
    wait_for_sign(a);
    publish(a, CHIRR_TOPIC_HEARTBEAT);
    cr_assert(would_wake(a));
    WAIT(subscribers(a, "i/", NULL) == 1);
}

Test(transport_ready, a_place_taken_by_another_peer_begins_without_a_sign)
{
    a->config.peers_max = 1;
    start_all();
    link_to(a, b);
    WAIT(subscribers(b, "e/", a) == 1);
    settle(a);
    publish(b, CHIRR_TOPIC_HEARTBEAT);
    wait_for_sign(a);
    chirr_transport_ready_look(a->transport);
    uint32_t way = chirr_transport_way_of(a->transport, peer_of(a, b), true);
    cr_assert(a->transport->ready[way]);
    chirr_transport_disconnect(a->transport, b->identity.id);
    link_as(a, c, CHIRR_LINK_UNICAST);
    cr_assert_eq(chirr_transport_way_of(a->transport, peer_of(a, c), true), way);
    cr_assert_not(a->transport->ready[way]);
    WAIT_DOING(ping(a, c, 1), c->last_sequence == 1);
    cr_assert_eq(a->received[CHIRR_MESSAGE_HEARTBEAT], 0);
}

/* ---- By turns ----------------------------------------------------------------------------------
 */

enum { FLOOD = 200 };

static bool can_be_read(void *socket)
{
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    return zmq_poll(&item, 1, 0) > 0;
}

/* Messages that a reads until b's comes. */
static unsigned read_until_from_b(void)
{
    chirr_agent_id from;
    struct chirr_message message;
    chirr_time_us now = now_us();
    for (unsigned count = 1; chirr_transport_receive(a->transport, now, &from, &message); count++) {
        if (from == b->identity.id) {
            return count;
        }
    }
    cr_assert_fail("b's message was not read");
    return 0;
}

/* b's answer and what floods have come in. */
static void wait_for_both(void *flooded)
{
    chirr_time_us deadline = now_us() + NODES_DEADLINE_US;
    while (!can_be_read(peer_of(a, b)->dealer) || !can_be_read(flooded)) {
        cr_assert_lt(now_us(), deadline);
    }
    usleep(50000); /* for the rest of the flood; if it is late, this proves less */
    for (uint32_t i = 0; i < CHIRR_WAYS_PER_PEER * 2; i++) {
        a->transport->ready[CHIRR_WAY_PEERS + i] = true; /* a look took the signs in */
    }
    a->transport->ready[CHIRR_WAY_ROUTER] = true;
}

Test(transport_ready, who_publishes_a_flood_starves_no_other)
{
    start_all();
    link_to(a, c); /* in the first place */
    WAIT(subscribers(c, "h/", NULL) == 1);
    link_as(a, b, CHIRR_LINK_UNICAST);
    ping(a, b, 1);
    WAIT(b->last_sequence == 1);
    link_as(b, a, CHIRR_LINK_UNICAST);
    settle(a);
    for (int i = 0; i < FLOOD; i++) {
        publish(c, CHIRR_TOPIC_HEARTBEAT);
    }
    ping(b, a, 2);
    wait_for_both(peer_of(a, c)->subscriber);
    cr_assert_leq(read_until_from_b(), 4);
}

Test(transport_ready, who_sends_a_flood_starves_nobody_that_answers)
{
    ask();
    link_as(c, a, CHIRR_LINK_UNICAST);
    ping(c, a, 1);
    WAIT(a->last_sequence == 1);
    settle(a);
    for (int i = 0; i < FLOOD; i++) {
        ping(c, a, 2);
    }
    ping(b, a, 3);
    wait_for_both(a->transport->router);
    cr_assert_leq(read_until_from_b(), 4);
}
