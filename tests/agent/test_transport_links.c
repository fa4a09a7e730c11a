/* Links of both kinds, what is heard over them, and what is counted as sent. */
#include "agent/transport.h"

#include <stdio.h>
#include <string.h>

#include "agent/transport_state.h"
#include "tests/agent/transport_nodes.h"

TestSuite(transport_links, .init = nodes_setup, .fini = nodes_teardown, .timeout = 120);

static void listen_on(struct node *node, const struct node *other, enum chirr_topic topic)
{
    cr_assert_eq(chirr_transport_listen(node->transport, other->identity.id, topic), CHIRR_OK);
}

Test(transport_links, a_unicast_link_sends_and_hears_nothing_published)
{
    start_all();
    link_as(a, b, CHIRR_LINK_UNICAST);
    link_to(c, b);
    ping(a, b, 1);
    WAIT(b->received[CHIRR_MESSAGE_PING] == 1);
    WAIT_DOING(publish(b, CHIRR_TOPIC_HEARTBEAT), c->received[CHIRR_MESSAGE_HEARTBEAT] > 0);
    cr_assert_eq(subscribers(b, "h/", NULL), 1);
    cr_assert_eq(a->received[CHIRR_MESSAGE_HEARTBEAT], 0);
    cr_assert_eq(chirr_transport_listen(a->transport, b->identity.id, CHIRR_TOPIC_LAZY),
                 CHIRR_ERR_NOTFOUND);
}

Test(transport_links, a_link_is_raised_to_a_neighbours_and_lowered_again)
{
    start_all();
    link_as(a, b, CHIRR_LINK_UNICAST);
    void *dealer = chirr_transport_find_peer(a->transport, b->identity.id)->dealer;
    link_as(a, b, CHIRR_LINK_NEIGHBOUR);
    WAIT(subscribers(b, "e/", a) == 1);
    publish(b, CHIRR_TOPIC_HEARTBEAT);
    WAIT(a->received[CHIRR_MESSAGE_HEARTBEAT] == 1);
    ping(a, b, 1);
    link_as(a, b, CHIRR_LINK_UNICAST);
    WAIT(subscribers(b, "h/", NULL) == 0 && subscribers(b, "e/", a) == 0);
    cr_assert_eq(chirr_transport_find_peer(a->transport, b->identity.id)->dealer, dealer,
                 "what was sent before must still go out");
    WAIT(b->received[CHIRR_MESSAGE_PING] == 1);
}

Test(transport_links, records_pushed_go_to_every_neighbour_but_whom_they_came_from)
{
    start_all();
    befriend(a, b);
    befriend(a, c);
    WAIT(subscribers(a, "e/", b) == 1 && subscribers(a, "e/", c) == 1);
    struct chirr_message gossip = {.kind = CHIRR_MESSAGE_GOSSIP};
    chirr_transport_publish(a->transport, CHIRR_TOPIC_EAGER, b->identity.id, &gossip);
    publish(a, CHIRR_TOPIC_EAGER);
    WAIT(b->received[CHIRR_MESSAGE_HEARTBEAT] == 1 && c->received[CHIRR_MESSAGE_HEARTBEAT] == 1);
    cr_assert_eq(b->received[CHIRR_MESSAGE_GOSSIP], 0);
    cr_assert_eq(c->received[CHIRR_MESSAGE_GOSSIP], 1);
    cr_assert_eq(chirr_transport_count(a->transport)->sent_messages, 3);
}

Test(transport_links, who_listens_lazily_hears_what_is_announced_and_not_what_is_pushed)
{
    start_all();
    befriend(a, b);
    WAIT(subscribers(a, "e/", b) == 1);
    listen_on(b, a, CHIRR_TOPIC_LAZY);
    listen_on(b, a, CHIRR_TOPIC_LAZY); /* again: no second subscription */
    WAIT(subscribers(a, "e/", b) == 0 && subscribers(a, "i/", NULL) == 1);
    struct chirr_message gossip = {.kind = CHIRR_MESSAGE_GOSSIP};
    chirr_transport_publish(a->transport, CHIRR_TOPIC_EAGER, 0, &gossip);
    publish(a, CHIRR_TOPIC_LAZY);
    WAIT(b->received[CHIRR_MESSAGE_HEARTBEAT] == 1);
    cr_assert_eq(b->received[CHIRR_MESSAGE_GOSSIP], 0);
    cr_assert_eq(chirr_transport_count(a->transport)->sent_messages, 1, "nobody heard the push");
    listen_on(b, a, CHIRR_TOPIC_EAGER);
    WAIT(subscribers(a, "e/", b) == 1 && subscribers(a, "i/", NULL) == 0);
    publish(a, CHIRR_TOPIC_LAZY);
    chirr_transport_publish(a->transport, CHIRR_TOPIC_EAGER, 0, &gossip);
    WAIT(b->received[CHIRR_MESSAGE_GOSSIP] == 1);
    cr_assert_eq(b->received[CHIRR_MESSAGE_HEARTBEAT], 1);
}

Test(transport_links, how_a_neighbour_is_listened_to_outlives_its_connections)
{
    start_all();
    a->transport->config.silence_ms = 1;
    befriend(a, b);
    listen_on(a, b, CHIRR_TOPIC_LAZY);
    WAIT(dropped(a, CHIRR_DROP_SILENT) > 0);
    a->transport->config.silence_ms = 0;
    WAIT(subscribers(b, "i/", NULL) == 1);
    cr_assert_eq(subscribers(b, "e/", a), 0);
}

static void publish_delta(struct node *node, uint32_t partition)
{
    struct chirr_message message = {
        .kind = CHIRR_MESSAGE_DELTA,
        .delta = {node->identity.id, {1, 1}, 1, partition, 1, (const uint8_t *)"x", {0}}};
    cr_assert_eq(chirr_delta_sign(&message.delta, &node->identity), CHIRR_OK);
    chirr_transport_publish(node->transport, CHIRR_TOPIC_KNOWLEDGE, 0, &message);
}

Test(transport_links, knowledge_reaches_who_hosts_its_partition)
{
    start_all();
    cr_assert_eq(chirr_transport_host(c->transport, 1, 2), CHIRR_OK);
    befriend(a, b);
    befriend(a, c);
    cr_assert_eq(chirr_transport_host(c->transport, 1, 3), CHIRR_OK); /* on open links, too */
    WAIT(subscribers(a, "e/", b) == 1 && subscribers(a, "e/", c) == 1);
    char topic[CHIRR_TOPIC_BYTES_MAX];
    chirr_transport_topic_format(
        &(struct chirr_transport_topic){CHIRR_TOPIC_KNOWLEDGE, c->identity.id, 1, 3}, topic);
    WAIT(subscribers(a, topic, NULL) == 1);
    publish_delta(a, 3);
    publish_delta(a, 21); /* of nobody; "k/…/2/" is no prefix of it */
    publish_delta(a, 2);
    publish(a, CHIRR_TOPIC_HEARTBEAT); /* in order, so that ends it */
    WAIT(b->received[CHIRR_MESSAGE_HEARTBEAT] == 1 && c->received[CHIRR_MESSAGE_HEARTBEAT] == 1);
    cr_assert_eq(b->received[CHIRR_MESSAGE_DELTA], 0);
    cr_assert_eq(c->received[CHIRR_MESSAGE_DELTA], 2);
}

/* Fails without reading the XPUB's subscriptions: what is published before one stands reaches
 * nobody, and would be counted as sent. */
Test(transport_links, what_is_published_before_the_subscription_stands_is_not_counted_as_sent)
{
    start_all();
    befriend(a, b);
    publish(a, CHIRR_TOPIC_EAGER);
    publish(a, CHIRR_TOPIC_HEARTBEAT);
    cr_assert_eq(chirr_transport_count(a->transport)->sent_messages, 0);
    WAIT(subscribers(a, "e/", b) == 1);
    publish(a, CHIRR_TOPIC_EAGER);
    WAIT(b->received[CHIRR_MESSAGE_HEARTBEAT] == 1);
    const struct chirr_transport_counters *sent = chirr_transport_count(a->transport);
    const struct chirr_transport_counters *got = chirr_transport_count(b->transport);
    cr_assert_eq(sent->sent_messages, 1);
    cr_assert_eq(sent->sent_bytes, got->received_bytes);
}

/* Fails without VERBOSER: libzmq tells of the first connection to a topic alone, and a peer whose
 * new connection comes before the old one is given up would be missed. */
Test(transport_links, every_subscriber_counts_and_stops_counting_when_it_is_gone)
{
    start_all();
    link_to(b, a);
    link_to(c, a);
    WAIT(subscribers(a, "h/", NULL) == 2);
    publish(a, CHIRR_TOPIC_HEARTBEAT);
    cr_assert_eq(chirr_transport_count(a->transport)->sent_messages, 2);
    chirr_transport_disconnect(b->transport, a->identity.id);
    WAIT(subscribers(a, "h/", NULL) == 1);
    chirr_transport_destroy(c->transport);
    c->transport = NULL;
    WAIT(subscribers(a, "h/", NULL) == 0);
    cr_assert_eq(a->transport->subscription_count, 0);
}

Test(transport_links, a_stuck_neighbour_is_evicted_counted_and_connected_again)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_PING, .probe = {.target = 1}};
    for (int i = 0; i < NODES_MAX; i++) {
        nodes[i].config.queue_messages_max = 4;
        nodes[i].config.heartbeat_ms = 0;
        nodes[i].config.stuck_ms = 100;
    }
    start_all();
    befriend(a, b);
    WAIT(subscribers(a, "e/", b) == 1);
    struct chirr_transport *stuck = b->transport;
    b->transport = NULL; /* its loop turns no more */
    for (int i = 0; dropped(a, CHIRR_DROP_EVICTED) == 0; i++) {
        cr_assert_lt(i, 10000000);
        chirr_transport_send(a->transport, b->identity.id, &message);
        if (i % 1000 == 0) {
            turn();
        }
    }
    cr_assert_null(chirr_transport_find_peer(a->transport, b->identity.id)->dealer);
    ping(a, b, 1);
    publish(a, CHIRR_TOPIC_EAGER);
    cr_assert_eq(dropped(a, CHIRR_DROP_CLOSED), 2);
    b->transport = stuck;
    WAIT_DOING(ping(a, b, 77), b->last_sequence == 77);
}
