/* Delivery, bounds, and what people read. Who is kept out is test_transport_security.c's. */
#include "agent/transport.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "agent/transport_state.h"
#include "tests/agent/transport_nodes.h"

TestSuite(transport, .init = nodes_setup, .fini = nodes_teardown, .timeout = 120);

/* ---- Delivery ---------------------------------------------------------------------------------
 */

Test(transport, delivers_what_is_published_and_who_said_it)
{
    start_all();
    link_to(b, a);
    WAIT_DOING(publish(a, CHIRR_TOPIC_HEARTBEAT), b->received[CHIRR_MESSAGE_HEARTBEAT] > 0);
    cr_assert_eq(b->last_from, a->identity.id);
    const struct chirr_transport_counters *sent = chirr_transport_count(a->transport);
    const struct chirr_transport_counters *got = chirr_transport_count(b->transport);
    cr_assert_eq(sent->sent_bytes, sent->sent_bytes_by_kind[CHIRR_MESSAGE_HEARTBEAT]);
    cr_assert_eq(got->received_bytes, got->received_bytes_by_kind[CHIRR_MESSAGE_HEARTBEAT]);
}

Test(transport, delivers_unicast_both_ways)
{
    start_all();
    link_to(a, b);
    link_to(b, a);
    ping(a, b, 1); /* queued until the connection stands */
    WAIT(b->received[CHIRR_MESSAGE_PING] == 1);
    cr_assert_eq(b->last_from, a->identity.id);
    cr_assert_eq(b->last_sequence, 1);
    ping(b, a, 2);
    WAIT(a->received[CHIRR_MESSAGE_PING] == 1);
    cr_assert_eq(a->last_sequence, 2);
}

Test(transport, works_without_curve_on_signatures_alone)
{
    for (int i = 0; i < NODES_MAX; i++) {
        nodes[i].config.curve = false;
    }
    start_all();
    link_to(a, b);
    link_to(b, a);
    ping(a, b, 1);
    WAIT_DOING(publish(a, CHIRR_TOPIC_HEARTBEAT),
               b->received[CHIRR_MESSAGE_PING] == 1 && b->received[CHIRR_MESSAGE_HEARTBEAT] > 0);
    cr_assert_eq(b->last_from, a->identity.id);
}

Test(transport, traffic_resumes_when_a_peer_restarts_on_its_port)
{
    start_all();
    link_to(a, b);
    link_to(b, a);
    WAIT_DOING(publish(b, CHIRR_TOPIC_HEARTBEAT), a->received[CHIRR_MESSAGE_HEARTBEAT] > 0);
    struct chirr_peer_address address = address_of(b);
    chirr_transport_destroy(b->transport);
    memcpy(b->config.publish_bind, address.publish_endpoint, sizeof b->config.publish_bind);
    memcpy(b->config.unicast_bind, address.unicast_endpoint, sizeof b->config.unicast_bind);
    start(b);
    unsigned before = a->received[CHIRR_MESSAGE_HEARTBEAT];
    WAIT_DOING(publish(b, CHIRR_TOPIC_HEARTBEAT), a->received[CHIRR_MESSAGE_HEARTBEAT] > before);
    WAIT_DOING(ping(a, b, 9), b->received[CHIRR_MESSAGE_PING] > 0);
    cr_assert_eq(dropped(a, CHIRR_DROP_REFUSED), 0);
}

Test(transport, a_peer_that_moves_is_followed)
{
    start_all();
    link_to(a, b);
    WAIT_DOING(publish(b, CHIRR_TOPIC_HEARTBEAT), a->received[CHIRR_MESSAGE_HEARTBEAT] > 0);
    chirr_transport_destroy(b->transport);
    start(b); /* on other ports */
    link_to(a, b);
    unsigned before = a->received[CHIRR_MESSAGE_HEARTBEAT];
    WAIT_DOING((publish(b, CHIRR_TOPIC_HEARTBEAT), ping(a, b, 9)),
               a->received[CHIRR_MESSAGE_HEARTBEAT] > before &&
                   b->received[CHIRR_MESSAGE_PING] > 0);
}

Test(transport, another_agent_on_a_dead_ones_port_is_heard)
{
    start_all();
    link_to(a, b);
    WAIT_DOING(publish(b, CHIRR_TOPIC_HEARTBEAT), a->received[CHIRR_MESSAGE_HEARTBEAT] > 0);
    struct chirr_peer_address address = address_of(b);
    chirr_transport_destroy(b->transport);
    b->transport = NULL;
    chirr_transport_destroy(c->transport);
    memcpy(c->config.publish_bind, address.publish_endpoint, sizeof c->config.publish_bind);
    start(c);
    link_to(a, c);
    chirr_transport_disconnect(a->transport, b->identity.id); /* must not cut off c */
    unsigned before = a->received[CHIRR_MESSAGE_HEARTBEAT];
    WAIT_DOING(publish(c, CHIRR_TOPIC_HEARTBEAT), a->received[CHIRR_MESSAGE_HEARTBEAT] > before);
    cr_assert_eq(a->last_from, c->identity.id);
}

/* A look begins to read a message of two parts; libzmq aborts when its connection goes then. */
Test(transport, a_connection_may_go_while_a_message_is_half_read)
{
    enum { ROUNDS = 100, FLOOD = 5 };
    start_all();
    link_to(b, c);
    for (int round = 0; round < ROUNDS; round++) {
        link_to(b, a);
        unsigned before = b->received[CHIRR_MESSAGE_HEARTBEAT];
        WAIT_DOING(publish(a, CHIRR_TOPIC_HEARTBEAT),
                   b->received[CHIRR_MESSAGE_HEARTBEAT] > before);
        for (int i = 0; i < FLOOD; i++) {
            publish(a, CHIRR_TOPIC_HEARTBEAT);
            publish(c, CHIRR_TOPIC_HEARTBEAT);
        }
        struct pollfd item = {.fd = chirr_transport_fd(b->transport), .events = POLLIN};
        cr_assert_gt(poll(&item, 1, 1000), 0);
        chirr_transport_ready_look(b->transport);
        cr_assert(chirr_transport_is_waiting(b->transport));
        if (round % 2 == 0) {
            chirr_transport_disconnect(b->transport, a->identity.id);
        } else {
            b->transport->config.silence_ms = 1; /* renews them */
            turn();
            b->transport->config.silence_ms = 0;
        }
        turn();
    }
    unsigned before = c->received[CHIRR_MESSAGE_HEARTBEAT];
    link_to(c, b);
    WAIT_DOING(publish(b, CHIRR_TOPIC_HEARTBEAT), c->received[CHIRR_MESSAGE_HEARTBEAT] > before);
}

/* ---- Bounds ------------------------------------------------------------------------------------
 */

#define LARGE_ENTRIES 1024

/* Some 26 KiB, so that buffers in the kernel fill soon. */
static struct chirr_message large_message(void)
{
    static struct chirr_digest_entry entries[LARGE_ENTRIES];
    for (uint32_t i = 0; i < LARGE_ENTRIES; i++) {
        entries[i] = (struct chirr_digest_entry){i + 1, {UINT64_MAX, UINT64_MAX}};
    }
    return (struct chirr_message){.kind = CHIRR_MESSAGE_DIGEST,
                                  .digest = {.count = LARGE_ENTRIES, .entries = entries}};
}

/* `stuck_ms` 0: here it is not evicted, only passed over. */
static void start_with_small_queues(void)
{
    for (int i = 0; i < NODES_MAX; i++) {
        nodes[i].config.queue_messages_max = 4;
        nodes[i].config.heartbeat_ms = 0; /* or the stuck one would be disconnected */
        nodes[i].config.stuck_ms = 0;
    }
    start_all();
}

/* Fails without ZMQ_XPUB_NODROP: libzmq then drops what finds a full queue and says it was sent. */
Test(transport, a_neighbour_that_stopped_reading_is_counted_and_delays_nobody)
{
    struct chirr_message large = large_message();
    start_with_small_queues();
    befriend(a, b);
    befriend(a, c);
    WAIT(subscribers(a, "e/", b) == 1 && subscribers(a, "e/", c) == 1);
    struct chirr_transport *stuck = b->transport;
    b->transport = NULL; /* its loop turns no more */
    /* One at a time, so that c keeps up and only b falls behind. */
    unsigned round = 0;
    while (dropped(a, CHIRR_DROP_PUBLISH_FULL) == 0) {
        cr_assert_lt(round, 20000);
        round++;
        chirr_transport_publish(a->transport, CHIRR_TOPIC_EAGER, 0, &large);
        WAIT(c->received[CHIRR_MESSAGE_DIGEST] == round);
    }
    /* Nor what goes to all. */
    publish(a, CHIRR_TOPIC_HEARTBEAT);
    WAIT(c->received[CHIRR_MESSAGE_HEARTBEAT] == 1);
    cr_assert_eq(dropped(a, CHIRR_DROP_PUBLISH_FULL), 2);
    b->transport = stuck; /* it wakes up, and hears again */
    WAIT_DOING(publish(a, CHIRR_TOPIC_HEARTBEAT), b->received[CHIRR_MESSAGE_HEARTBEAT] > 0);
}

Test(transport, a_full_queue_to_a_peer_is_counted_and_does_not_block)
{
    struct chirr_message large = large_message();
    start_with_small_queues();
    link_to(a, b);
    ping(a, b, 1);
    WAIT(b->received[CHIRR_MESSAGE_PING] == 1);
    for (unsigned i = 0; dropped(a, CHIRR_DROP_SEND_FULL) == 0; i++) {
        cr_assert_lt(i, 20000);
        chirr_transport_send(a->transport, b->identity.id, &large); /* b does not read */
    }
    WAIT_DOING(ping(a, b, 2), b->last_sequence == 2);
}

Test(transport, a_message_for_nobody_is_counted)
{
    start_all();
    ping(a, b, 1);
    cr_assert_eq(dropped(a, CHIRR_DROP_UNKNOWN_PEER), 1);
    link_to(a, b);
    chirr_transport_disconnect(a->transport, b->identity.id);
    chirr_transport_disconnect(a->transport, b->identity.id);
    ping(a, b, 1);
    cr_assert_eq(dropped(a, CHIRR_DROP_UNKNOWN_PEER), 2);
    cr_assert_eq(chirr_transport_count(a->transport)->sent_messages, 0);
}

Test(transport, peers_and_hosted_partitions_are_bounded)
{
    a->config.peers_max = 1;
    start_all();
    link_to(a, b);
    link_to(a, b); /* the same again is no second one */
    struct chirr_peer_address address = address_of(c);
    cr_assert_eq(chirr_transport_connect(a->transport, &address, CHIRR_LINK_NEIGHBOUR),
                 CHIRR_ERR_FULL);
    chirr_transport_disconnect(a->transport, b->identity.id);
    link_to(a, c);
    for (uint32_t i = 0; i < CHIRR_HOSTED_MAX; i++) {
        cr_assert_eq(chirr_transport_host(a->transport, 1, i), CHIRR_OK);
    }
    cr_assert_eq(chirr_transport_host(a->transport, 2, 0), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_transport_host(a->transport, 1, 5), CHIRR_OK); /* was there */
}

Test(transport, many_peers_that_never_answer_are_survived)
{
    enum { PEERS = 60 };
    a->config.silence_ms = 1; /* renewed over and over */
    start(a);
    for (int i = 0; i < PEERS; i++) {
        struct chirr_identity identity = generate_identity(&random_stream);
        struct chirr_peer_address address = {.publish_endpoint = "tcp://127.0.0.1:1"};
        address.id = identity.id;
        memcpy(address.public_key, identity.public_key, CHIRR_KEY_BYTES);
        snprintf(address.publish_endpoint, sizeof address.publish_endpoint, "tcp://127.0.0.1:%d",
                 i + 1);
        memcpy(address.unicast_endpoint, address.publish_endpoint, sizeof address.unicast_endpoint);
        cr_assert_eq(chirr_keyring_add(a->keyring, identity.public_key, NULL), CHIRR_OK);
        cr_assert_eq(chirr_transport_connect(a->transport, &address, CHIRR_LINK_NEIGHBOUR),
                     CHIRR_OK);
    }
    chirr_time_us until = now_us() + 2 * CHIRR_US_PER_S;
    WAIT(now_us() > until);
    trust(a, b);
    trust(b, a);
    start(b);
    link_to(a, b);
    WAIT_DOING(ping(a, b, 1), b->received[CHIRR_MESSAGE_PING] > 0);
}

/* ---- What people read ---------------------------------------------------------------------------
 */

static void assert_refuses(struct node *node, enum chirr_err code, const char *words)
{
    struct chirr_error error;
    cr_assert_null(
        chirr_transport_create(&node->config, &node->identity, node->keyring, &node->log, &error));
    cr_assert_eq(error.code, code, "%s", error.text);
    cr_assert_not_null(strstr(error.text, words), "%s", error.text);
}

Test(transport, a_port_in_use_is_named_with_what_to_do)
{
    start(a);
    struct chirr_peer_address address = address_of(a);
    memcpy(b->config.publish_bind, address.publish_endpoint, sizeof b->config.publish_bind);
    assert_refuses(b, CHIRR_ERR_BUSY, address.publish_endpoint);
    assert_refuses(b, CHIRR_ERR_BUSY, "choose another port");
    b->config = c->config;
    memcpy(b->config.unicast_bind, address.unicast_endpoint, sizeof b->config.unicast_bind);
    assert_refuses(b, CHIRR_ERR_BUSY, address.unicast_endpoint);
}

Test(transport, endpoints_and_numbers_that_cannot_be_are_named)
{
    strcpy(a->config.publish_bind, "127.0.0.1:7701");
    assert_refuses(a, CHIRR_ERR_CONFIG, "tcp://ADDRESS:PORT");
    strcpy(a->config.publish_bind, "tcp://192.0.2.1:7701");
    assert_refuses(a, CHIRR_ERR_CONFIG, "no such address");
    a->config = chirr_transport_config_default();
    a->config.peers_max = 401;
    assert_refuses(a, CHIRR_ERR_CONFIG, "peers_max");
    a->config = chirr_transport_config_default();
    a->config.queue_messages_max = 0;
    assert_refuses(a, CHIRR_ERR_CONFIG, "queue_messages_max");
    a->config = chirr_transport_config_default();
    trust(a, b);
    start(a);
    struct chirr_peer_address address = {.publish_endpoint = "nonsense",
                                         .unicast_endpoint = "tcp://127.0.0.1:1"};
    address.id = b->identity.id;
    memcpy(address.public_key, b->identity.public_key, CHIRR_KEY_BYTES);
    cr_assert_eq(chirr_transport_connect(a->transport, &address, CHIRR_LINK_NEIGHBOUR),
                 CHIRR_ERR_INVALID);
    ping(a, b, 1);
    cr_assert_eq(dropped(a, CHIRR_DROP_UNKNOWN_PEER), 1);
}

Test(transport, every_drop_has_a_name)
{
    for (int i = 0; i < CHIRR_DROP_COUNT; i++) {
        cr_assert_not_null(chirr_transport_drop_name(i));
    }
}
