/* Over real loopback sockets on free ports. Everything waits for what must happen, up to a
 * deadline; nothing sleeps and hopes. */
#include "agent/transport.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/transport_state.h"
#include "tests/support/generate.h"

#define DEADLINE_US (20 * CHIRR_US_PER_S)
#define NODES_MAX 3

struct node {
    struct chirr_identity identity;
    struct chirr_keyring *keyring;
    struct chirr_transport *transport;
    struct chirr_transport_config config;
    struct chirr_log log;
    unsigned lines; /* written to the log */
    unsigned received[CHIRR_MESSAGE_DELTA + 1];
    chirr_agent_id last_from;
    uint32_t last_sequence; /* of a probe */
    uint32_t last_records;
};

static struct node nodes[NODES_MAX];
static struct chirr_random random_stream;

static chirr_time_us now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (chirr_time_us)now.tv_sec * CHIRR_US_PER_S + now.tv_nsec / 1000;
}

static void count_line(void *context, enum chirr_log_level level, const char *line)
{
    unsigned *lines = context;
    ++*lines;
}

static struct node *a = &nodes[0];
static struct node *b = &nodes[1];
static struct node *c = &nodes[2];

static void setup(void)
{
    chirr_random_init(&random_stream, 77, 0);
    for (int i = 0; i < NODES_MAX; i++) {
        nodes[i].identity = generate_identity(&random_stream);
        nodes[i].keyring = chirr_keyring_create();
        nodes[i].config = chirr_transport_config_default();
        nodes[i].config.reconnect_ms = 20;
        nodes[i].config.reconnect_ms_max = 100;
        nodes[i].log = (struct chirr_log){CHIRR_LOG_WARNING, count_line, &nodes[i].lines};
    }
}

static void teardown(void)
{
    for (int i = 0; i < NODES_MAX; i++) {
        chirr_transport_destroy(nodes[i].transport);
        chirr_keyring_destroy(nodes[i].keyring);
    }
}

TestSuite(transport, .init = setup, .fini = teardown, .timeout = 120);

static void trust(struct node *node, const struct node *other)
{
    cr_assert_eq(chirr_keyring_add(node->keyring, other->identity.public_key, NULL), CHIRR_OK);
}

static void start(struct node *node)
{
    struct chirr_error error;
    node->transport =
        chirr_transport_create(&node->config, &node->identity, node->keyring, &node->log, &error);
    cr_assert_not_null(node->transport, "%s", error.text);
    cr_assert_eq(chirr_transport_subscribe(node->transport, "e/"), CHIRR_OK);
}

static void start_all(void)
{
    for (int i = 0; i < NODES_MAX; i++) {
        for (int j = 0; j < NODES_MAX; j++) {
            trust(&nodes[i], &nodes[j]);
        }
        start(&nodes[i]);
    }
}

static struct chirr_peer_address address_of(const struct node *node)
{
    struct chirr_peer_address address;
    memcpy(address.public_key, node->identity.public_key, CHIRR_KEY_BYTES);
    chirr_transport_endpoints(node->transport, address.publish_endpoint, address.unicast_endpoint);
    return address;
}

static void link_to(struct node *node, const struct node *other)
{
    struct chirr_peer_address address = address_of(other);
    cr_assert_eq(chirr_transport_connect(node->transport, &address), CHIRR_OK);
}

static uint64_t dropped(const struct node *node, enum chirr_transport_drop reason)
{
    return chirr_transport_count(node->transport)->dropped[reason];
}

static void take(struct node *node)
{
    chirr_agent_id from;
    struct chirr_message message;
    while (chirr_transport_receive(node->transport, now_us(), &from, &message)) {
        node->received[message.kind]++;
        node->last_from = from;
        if (message.kind == CHIRR_MESSAGE_PING) {
            node->last_sequence = message.probe.sequence;
        } else if (message.kind == CHIRR_MESSAGE_RECORDS) {
            node->last_records = message.records.count;
        }
    }
}

/* One turn of every running loop, after at most a few milliseconds. */
static void turn(void)
{
    zmq_pollitem_t items[NODES_MAX * CHIRR_TRANSPORT_POLL_ITEMS];
    int count = 0;
    for (int i = 0; i < NODES_MAX; i++) {
        if (nodes[i].transport != NULL) {
            count += chirr_transport_poll_items(nodes[i].transport, items + count);
        }
    }
    zmq_poll(items, count, 5);
    for (int i = 0; i < NODES_MAX; i++) {
        if (nodes[i].transport != NULL) {
            take(&nodes[i]);
        }
    }
}

/* Turns the loops, doing `again` before each turn, until `condition` or the deadline. */
#define WAIT_DOING(again, condition)                                                               \
    do {                                                                                           \
        chirr_time_us deadline = now_us() + DEADLINE_US;                                           \
        while (!(condition)) {                                                                     \
            cr_assert_lt(now_us(), deadline, "waited in vain for " #condition);                    \
            again;                                                                                 \
            turn();                                                                                \
        }                                                                                          \
    } while (0)
#define WAIT(condition) WAIT_DOING((void)0, condition)

static void ping(struct node *node, const struct node *to, uint32_t sequence)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_PING,
                                    .probe = {.sequence = sequence, .target = to->identity.id}};
    chirr_transport_send(node->transport, to->identity.id, &message);
}

static void publish(struct node *node, const char *topic)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_HEARTBEAT,
                                    .heartbeat = {.incarnation = 1, .sequence = 1}};
    chirr_transport_publish(node->transport, topic, &message);
}

/* ---- Delivery ---------------------------------------------------------------------------------
 */

Test(transport, delivers_what_is_published_and_who_said_it)
{
    start_all();
    link_to(b, a);
    WAIT_DOING(publish(a, "e/"), b->received[CHIRR_MESSAGE_HEARTBEAT] > 0);
    cr_assert_eq(b->last_from, a->identity.id);
    const struct chirr_transport_counters *sent = chirr_transport_count(a->transport);
    const struct chirr_transport_counters *got = chirr_transport_count(b->transport);
    cr_assert_geq(sent->sent_messages, got->received_messages);
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
    WAIT_DOING(publish(a, "e/"),
               b->received[CHIRR_MESSAGE_PING] == 1 && b->received[CHIRR_MESSAGE_HEARTBEAT] > 0);
    cr_assert_eq(b->last_from, a->identity.id);
}

Test(transport, delivers_only_subscribed_topics)
{
    struct chirr_message goodbye = {.kind = CHIRR_MESSAGE_GOSSIP};
    start_all();
    struct chirr_message delta = {.kind = CHIRR_MESSAGE_DELTA,
                                  .delta = {a->identity.id, {1, 1}, 1, 0, 1, (const uint8_t *)"x"}};
    cr_assert_eq(chirr_transport_subscribe(c->transport, "k/1/2/"), CHIRR_OK);
    link_to(b, a);
    link_to(c, a);
    WAIT_DOING(publish(a, "e/"), b->received[CHIRR_MESSAGE_HEARTBEAT] > 0 &&
                                     c->received[CHIRR_MESSAGE_HEARTBEAT] > 0);
    chirr_transport_publish(a->transport, "k/1/2/", &delta);
    chirr_transport_publish(a->transport, "k/1/21/", &delta);
    chirr_transport_publish(a->transport, "h/", &delta);
    chirr_transport_publish(a->transport, "e/", &goodbye); /* in order, so that ends it */
    WAIT(b->received[CHIRR_MESSAGE_GOSSIP] == 1 && c->received[CHIRR_MESSAGE_GOSSIP] == 1);
    cr_assert_eq(b->received[CHIRR_MESSAGE_DELTA], 0);
    cr_assert_eq(c->received[CHIRR_MESSAGE_DELTA], 1);
}

Test(transport, traffic_resumes_when_a_peer_restarts_on_its_port)
{
    start_all();
    link_to(a, b);
    link_to(b, a);
    WAIT_DOING(publish(b, "e/"), a->received[CHIRR_MESSAGE_HEARTBEAT] > 0);
    struct chirr_peer_address address = address_of(b);
    chirr_transport_destroy(b->transport);
    memcpy(b->config.publish_bind, address.publish_endpoint, sizeof b->config.publish_bind);
    memcpy(b->config.unicast_bind, address.unicast_endpoint, sizeof b->config.unicast_bind);
    start(b);
    unsigned before = a->received[CHIRR_MESSAGE_HEARTBEAT];
    WAIT_DOING(publish(b, "e/"), a->received[CHIRR_MESSAGE_HEARTBEAT] > before);
    WAIT_DOING(ping(a, b, 9), b->received[CHIRR_MESSAGE_PING] > 0);
    cr_assert_eq(dropped(a, CHIRR_DROP_REFUSED), 0);
}

Test(transport, a_peer_that_moves_is_followed)
{
    start_all();
    link_to(a, b);
    WAIT_DOING(publish(b, "e/"), a->received[CHIRR_MESSAGE_HEARTBEAT] > 0);
    chirr_transport_destroy(b->transport);
    start(b); /* on other ports */
    link_to(a, b);
    unsigned before = a->received[CHIRR_MESSAGE_HEARTBEAT];
    WAIT_DOING((publish(b, "e/"), ping(a, b, 9)), a->received[CHIRR_MESSAGE_HEARTBEAT] > before &&
                                                      b->received[CHIRR_MESSAGE_PING] > 0);
}

Test(transport, another_agent_on_a_dead_ones_port_is_heard)
{
    start_all();
    link_to(a, b);
    WAIT_DOING(publish(b, "e/"), a->received[CHIRR_MESSAGE_HEARTBEAT] > 0);
    struct chirr_peer_address address = address_of(b);
    chirr_transport_destroy(b->transport);
    b->transport = NULL;
    chirr_transport_destroy(c->transport);
    memcpy(c->config.publish_bind, address.publish_endpoint, sizeof c->config.publish_bind);
    start(c);
    link_to(a, c);
    chirr_transport_disconnect(a->transport, b->identity.id); /* must not cut off c */
    unsigned before = a->received[CHIRR_MESSAGE_HEARTBEAT];
    WAIT_DOING(publish(c, "e/"), a->received[CHIRR_MESSAGE_HEARTBEAT] > before);
    cr_assert_eq(a->last_from, c->identity.id);
}

/* ---- Who is let in -----------------------------------------------------------------------------
 */

Test(transport, a_key_that_is_not_on_the_keyring_is_refused_counted_and_logged_once)
{
    trust(a, b); /* but b does not trust a */
    start(a);
    start(b);
    link_to(a, b);
    struct chirr_peer_address address = address_of(a);
    cr_assert_eq(chirr_transport_connect(b->transport, &address), CHIRR_ERR_UNTRUSTED);
    WAIT_DOING((ping(a, b, 1), publish(a, "e/")),
               dropped(b, CHIRR_DROP_UNTRUSTED) == 2 && dropped(a, CHIRR_DROP_REFUSED) == 1);
    cr_assert_eq(b->lines, 1);
    cr_assert_eq(b->received[CHIRR_MESSAGE_PING], 0);
    cr_assert_eq(dropped(b, CHIRR_DROP_HANDSHAKE), 0);
}

Test(transport, who_becomes_trusted_later_gets_in)
{
    trust(a, b);
    a->config.silence_ms = 100;
    start(a);
    start(b);
    link_to(a, b);
    WAIT_DOING(ping(a, b, 1), dropped(b, CHIRR_DROP_UNTRUSTED) > 0);
    trust(b, a);
    WAIT_DOING(ping(a, b, 2), b->received[CHIRR_MESSAGE_PING] > 0);
}

Test(transport, nothing_is_said_to_a_server_with_another_key)
{
    start_all();
    struct chirr_peer_address address = address_of(c);
    memcpy(address.public_key, b->identity.public_key, CHIRR_KEY_BYTES);
    cr_assert_eq(chirr_transport_connect(a->transport, &address), CHIRR_OK);
    WAIT_DOING((ping(a, b, 1), publish(c, "e/")), dropped(c, CHIRR_DROP_HANDSHAKE) >= 2);
    cr_assert_eq(c->received[CHIRR_MESSAGE_PING], 0);
    cr_assert_eq(a->received[CHIRR_MESSAGE_HEARTBEAT], 0);
}

Test(transport, does_not_connect_to_itself)
{
    start_all();
    struct chirr_peer_address address = address_of(a);
    cr_assert_eq(chirr_transport_connect(a->transport, &address), CHIRR_ERR_INVALID);
}

/* ---- Raw sockets, as an attacker has them ------------------------------------------------------
 */

static void *raw_context;

/* A client with any identity's CURVE keys, or with none. */
static void *raw_client(int type, const struct chirr_identity *identity, const struct node *server,
                        const char *endpoint)
{
    const int no_linger = 0;
    raw_context = raw_context == NULL ? zmq_ctx_new() : raw_context;
    void *socket = zmq_socket(raw_context, type);
    cr_assert_not_null(socket);
    zmq_setsockopt(socket, ZMQ_LINGER, &no_linger, sizeof no_linger);
    if (identity != NULL) {
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server->identity.curve_public, 32);
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, identity->curve_public, 32);
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, identity->curve_secret, 32);
    }
    cr_assert_eq(zmq_connect(socket, endpoint), 0);
    return socket;
}

static void raw_close(void *socket)
{
    zmq_close(socket);
    zmq_ctx_term(raw_context);
    raw_context = NULL;
}

static size_t seal_ping(const struct chirr_identity *from, bool sign, uint8_t *frame,
                        size_t capacity)
{
    size_t bytes;
    struct chirr_message message = {.kind = CHIRR_MESSAGE_PING, .probe = {.target = 1}};
    cr_assert_eq(chirr_frame_seal(&message, from, sign, frame, capacity, &bytes), CHIRR_OK);
    return bytes;
}

Test(transport, who_sends_in_anothers_name_is_dropped)
{
    uint8_t frame[512];
    start_all();
    struct chirr_peer_address address = address_of(b);
    void *raw = raw_client(ZMQ_DEALER, &a->identity, b, address.unicast_endpoint);
    size_t bytes = seal_ping(&c->identity, true, frame, sizeof frame); /* even if c signed it */
    zmq_send(raw, frame, bytes, 0);
    WAIT(dropped(b, CHIRR_DROP_IMPOSTOR) == 1);
    bytes = seal_ping(&b->identity, true, frame, sizeof frame); /* the receiver's own name */
    zmq_send(raw, frame, bytes, 0);
    WAIT(dropped(b, CHIRR_DROP_IMPOSTOR) == 2);
    bytes = seal_ping(&a->identity, false, frame, sizeof frame);
    zmq_send(raw, frame, bytes, 0);
    WAIT(b->received[CHIRR_MESSAGE_PING] == 1);
    raw_close(raw);
}

Test(transport, a_published_frame_must_be_signed_by_its_sender)
{
    uint8_t frame[512];
    char endpoint[CHIRR_ENDPOINT_BYTES_MAX];
    size_t endpoint_bytes = sizeof endpoint;
    const int one = 1;
    start_all();
    /* a's place is taken by one who has a's key and speaks for c. */
    raw_context = zmq_ctx_new();
    void *raw = zmq_socket(raw_context, ZMQ_PUB);
    zmq_setsockopt(raw, ZMQ_LINGER, &(int){0}, sizeof(int));
    zmq_setsockopt(raw, ZMQ_CURVE_SERVER, &one, sizeof one);
    zmq_setsockopt(raw, ZMQ_CURVE_SECRETKEY, a->identity.curve_secret, 32);
    cr_assert_eq(zmq_bind(raw, "tcp://127.0.0.1:*"), 0);
    cr_assert_eq(zmq_getsockopt(raw, ZMQ_LAST_ENDPOINT, endpoint, &endpoint_bytes), 0);
    struct chirr_peer_address address = address_of(a);
    memcpy(address.publish_endpoint, endpoint, sizeof endpoint);
    cr_assert_eq(chirr_transport_connect(b->transport, &address), CHIRR_OK);

    struct chirr_identity fake = a->identity;
    fake.id = c->identity.id; /* signed by a in the name of c */
    size_t bytes = seal_ping(&fake, true, frame, sizeof frame);
#define RAW_PUBLISH (zmq_send(raw, "e/", 2, ZMQ_SNDMORE), zmq_send(raw, frame, bytes, 0))
    WAIT_DOING(RAW_PUBLISH, dropped(b, CHIRR_DROP_SIGNATURE) > 0);
    uint64_t signatures = dropped(b, CHIRR_DROP_SIGNATURE);
    bytes = seal_ping(&a->identity, false, frame, sizeof frame); /* not signed at all */
    WAIT_DOING(RAW_PUBLISH, dropped(b, CHIRR_DROP_SIGNATURE) > signatures);
    struct chirr_identity stranger = generate_identity(&random_stream);
    bytes = seal_ping(&stranger, true, frame, sizeof frame);
    WAIT_DOING(RAW_PUBLISH, dropped(b, CHIRR_DROP_UNTRUSTED) > 0);
    cr_assert_eq(b->received[CHIRR_MESSAGE_PING], 0);
    bytes = seal_ping(&a->identity, true, frame, sizeof frame);
    WAIT_DOING(RAW_PUBLISH, b->received[CHIRR_MESSAGE_PING] > 0);
    raw_close(raw);
}

Test(transport, frames_of_noise_and_of_too_many_parts_are_counted_and_dropped)
{
    uint8_t noise[300];
    start_all();
    struct chirr_peer_address address = address_of(b);
    void *raw = raw_client(ZMQ_DEALER, &a->identity, b, address.unicast_endpoint);
    for (uint64_t i = 0; i < 200; i++) {
        size_t bytes = chirr_random_below(&random_stream, sizeof noise);
        generate_bytes(&random_stream, noise, bytes);
        zmq_send(raw, noise, bytes, 0);
    }
    WAIT(dropped(b, CHIRR_DROP_MALFORMED) == 200);
    for (int i = 0; i < 9; i++) {
        zmq_send(raw, noise, sizeof noise, i < 8 ? ZMQ_SNDMORE : 0);
    }
    WAIT(dropped(b, CHIRR_DROP_MALFORMED) == 201);
    cr_assert_eq(b->lines, 1);
    raw_close(raw);
}

Test(transport, oversized_frames_are_counted_and_greater_ones_end_the_connection)
{
    static uint8_t large[4 * CHIRR_FRAME_BYTES_MAX];
    uint8_t frame[512];
    start_all();
    struct chirr_peer_address address = address_of(b);
    void *raw = raw_client(ZMQ_DEALER, &a->identity, b, address.unicast_endpoint);
    zmq_send(raw, large, CHIRR_FRAME_BYTES_MAX + 1, 0);
    WAIT(dropped(b, CHIRR_DROP_OVERSIZED) == 1);
    zmq_send(raw, large, sizeof large, 0);
    size_t bytes = seal_ping(&a->identity, false, frame, sizeof frame);
    WAIT_DOING(zmq_send(raw, frame, bytes, ZMQ_DONTWAIT), b->received[CHIRR_MESSAGE_PING] > 0);
    cr_assert_eq(dropped(b, CHIRR_DROP_OVERSIZED), 1);
    raw_close(raw);
}

/* Connects, writes, and leaves it to the other side. */
static int raw_tcp(const char *endpoint, const void *data, size_t bytes)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(strrchr(endpoint, ':') + 1));
    int file = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(file, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(send(file, data, bytes, MSG_NOSIGNAL), (ssize_t)bytes);
    return file;
}

Test(transport, noise_over_plain_tcp_is_counted_and_hurts_nobody)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n                          "
                               "                                     ";
    uint8_t noise[256];
    start_all();
    link_to(a, b);
    struct chirr_peer_address address = address_of(b);
    generate_bytes(&random_stream, noise, sizeof noise);
    noise[0] = 0xff; /* begins like ZMTP */
    int files[] = {raw_tcp(address.unicast_endpoint, http, sizeof http),
                   raw_tcp(address.publish_endpoint, http, sizeof http),
                   raw_tcp(address.unicast_endpoint, noise, sizeof noise)};
    WAIT(dropped(b, CHIRR_DROP_HANDSHAKE) >= 2);
    WAIT_DOING(ping(a, b, 1), b->received[CHIRR_MESSAGE_PING] > 0);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        close(files[i]);
    }
}

Test(transport, a_client_without_curve_does_not_get_in)
{
    uint8_t frame[512];
    start_all();
    struct chirr_peer_address address = address_of(b);
    void *raw = raw_client(ZMQ_DEALER, NULL, b, address.unicast_endpoint);
    size_t bytes = seal_ping(&a->identity, true, frame, sizeof frame);
    WAIT_DOING(zmq_send(raw, frame, bytes, ZMQ_DONTWAIT), dropped(b, CHIRR_DROP_HANDSHAKE) > 0);
    cr_assert_eq(b->received[CHIRR_MESSAGE_PING], 0);
    raw_close(raw);
}

/* Without a handler libzmq admits every key; then no message carries a user. */
Test(transport, fails_closed_when_nobody_authenticated_the_connection)
{
    uint8_t frame[512];
    start_all();
    chirr_zap_finish(&b->transport->zap);
    struct chirr_peer_address address = address_of(b);
    void *raw = raw_client(ZMQ_DEALER, &a->identity, b, address.unicast_endpoint);
    size_t bytes = seal_ping(&a->identity, true, frame, sizeof frame);
    WAIT_DOING(zmq_send(raw, frame, bytes, ZMQ_DONTWAIT),
               dropped(b, CHIRR_DROP_UNAUTHENTICATED) > 0);
    cr_assert_eq(b->received[CHIRR_MESSAGE_PING], 0);
    raw_close(raw);
}

Test(transport, without_curve_unsigned_and_strange_messages_are_dropped)
{
    uint8_t frame[512];
    for (int i = 0; i < NODES_MAX; i++) {
        nodes[i].config.curve = false;
    }
    start_all();
    struct chirr_peer_address address = address_of(b);
    void *raw = raw_client(ZMQ_DEALER, NULL, b, address.unicast_endpoint);
    size_t bytes = seal_ping(&a->identity, false, frame, sizeof frame);
    zmq_send(raw, frame, bytes, 0);
    WAIT(dropped(b, CHIRR_DROP_SIGNATURE) == 1);
    struct chirr_identity stranger = generate_identity(&random_stream);
    bytes = seal_ping(&stranger, true, frame, sizeof frame);
    zmq_send(raw, frame, bytes, 0);
    WAIT(dropped(b, CHIRR_DROP_UNTRUSTED) == 1);
    cr_assert_eq(b->received[CHIRR_MESSAGE_PING], 0);
    raw_close(raw);
}

/* ---- Records and deltas ------------------------------------------------------------------------
 */

static void send_records(struct node *node, const struct node *to,
                         const struct chirr_record *records, uint32_t count)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_RECORDS,
                                    .records = {.count = count, .records = records}};
    chirr_transport_send(node->transport, to->identity.id, &message);
}

Test(transport, records_by_strangers_are_cut_out_and_badly_signed_ones_spoil_the_message)
{
    struct chirr_record records[3];
    struct chirr_identity stranger = generate_identity(&random_stream);
    start_all();
    link_to(a, b);
    generate_record(&random_stream, &stranger, CHIRR_RECORD_CLAIMS, &records[0]);
    generate_record(&random_stream, &c->identity, CHIRR_RECORD_TASK, &records[1]);
    generate_record(&random_stream, &a->identity, CHIRR_RECORD_CARD, &records[2]);
    send_records(a, b, records, 3);
    WAIT(b->received[CHIRR_MESSAGE_RECORDS] == 1);
    cr_assert_eq(b->last_records, 2);
    cr_assert_eq(dropped(b, CHIRR_DROP_UNTRUSTED), 1);
    send_records(a, b, records, 1); /* nothing would be left */
    WAIT(dropped(b, CHIRR_DROP_UNTRUSTED) == 2);
    records[1].signature[0] ^= 1;
    send_records(a, b, records + 1, 2);
    WAIT(dropped(b, CHIRR_DROP_SIGNATURE) == 1);
    cr_assert_eq(b->received[CHIRR_MESSAGE_RECORDS], 1);
}

Test(transport, a_delta_in_anothers_name_is_dropped)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_DELTA,
                                    .delta = {0, {1, 1}, 1, 0, 1, (const uint8_t *)"x"}};
    start_all();
    link_to(a, b);
    message.delta.origin = c->identity.id;
    chirr_transport_send(a->transport, b->identity.id, &message);
    WAIT(dropped(b, CHIRR_DROP_IMPOSTOR) == 1);
    message.delta.origin = a->identity.id;
    chirr_transport_send(a->transport, b->identity.id, &message);
    WAIT(b->received[CHIRR_MESSAGE_DELTA] == 1);
}

/* ---- Bounds ------------------------------------------------------------------------------------
 */

#define LARGE_ENTRIES CHIRR_DIGEST_ENTRIES_MAX

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

Test(transport, a_subscriber_that_stopped_reading_is_counted_and_delays_nobody)
{
    struct chirr_message large = large_message();
    for (int i = 0; i < NODES_MAX; i++) {
        nodes[i].config.queue_messages_max = 4;
        nodes[i].config.heartbeat_ms = 0; /* or the stuck one would be disconnected */
    }
    start_all();
    link_to(b, a);
    link_to(c, a);
    WAIT_DOING(publish(a, "e/"), b->received[CHIRR_MESSAGE_HEARTBEAT] > 0 &&
                                     c->received[CHIRR_MESSAGE_HEARTBEAT] > 0);
    struct chirr_transport *stuck = b->transport;
    b->transport = NULL; /* its loop turns no more */
    /* What b did not subscribe to never enters its queue: filtered here, at the publisher. */
    for (int i = 0; i < 2000; i++) {
        chirr_transport_publish(a->transport, "k/1/1/", &large);
    }
    cr_assert_eq(dropped(a, CHIRR_DROP_PUBLISH_FULL), 0);
    /* One at a time, so that c keeps up and only b falls behind. */
    unsigned round = 0;
    while (dropped(a, CHIRR_DROP_PUBLISH_FULL) == 0) {
        cr_assert_lt(round, 20000);
        round++;
        chirr_transport_publish(a->transport, "e/", &large);
        WAIT(c->received[CHIRR_MESSAGE_DIGEST] == round);
    }
    chirr_transport_publish(a->transport, "e/", &large);
    WAIT(c->received[CHIRR_MESSAGE_DIGEST] == round + 1);
    b->transport = stuck; /* it wakes up, and hears again */
    unsigned before = b->received[CHIRR_MESSAGE_HEARTBEAT];
    WAIT_DOING(publish(a, "e/"), b->received[CHIRR_MESSAGE_HEARTBEAT] > before);
}

Test(transport, a_full_queue_to_a_peer_is_counted_and_does_not_block)
{
    struct chirr_message large = large_message();
    for (int i = 0; i < NODES_MAX; i++) {
        nodes[i].config.queue_messages_max = 4;
        nodes[i].config.heartbeat_ms = 0;
    }
    start_all();
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

Test(transport, peers_and_topics_are_bounded)
{
    a->config.peers_max = 1;
    start_all();
    link_to(a, b);
    link_to(a, b); /* the same again is no second one */
    struct chirr_peer_address address = address_of(c);
    cr_assert_eq(chirr_transport_connect(a->transport, &address), CHIRR_ERR_FULL);
    chirr_transport_disconnect(a->transport, b->identity.id);
    link_to(a, c);
    char topic[CHIRR_TOPIC_BYTES_MAX];
    enum chirr_err err = CHIRR_OK;
    for (int i = 0; err == CHIRR_OK && i < 200; i++) {
        snprintf(topic, sizeof topic, "k/%d/", i);
        err = chirr_transport_subscribe(a->transport, topic);
    }
    cr_assert_eq(err, CHIRR_ERR_FULL);
    cr_assert_eq(chirr_transport_subscribe(a->transport, "e/"), CHIRR_OK);
    cr_assert_eq(chirr_transport_subscribe(a->transport, "a topic of more than thirty-one bytes"),
                 CHIRR_ERR_RANGE);
}

Test(transport, many_peers_that_never_answer_are_survived)
{
    enum { PEERS = 60 };
    a->config.silence_ms = 1; /* renewed over and over */
    start(a);
    for (int i = 0; i < PEERS; i++) {
        struct chirr_identity identity = generate_identity(&random_stream);
        struct chirr_peer_address address = {.publish_endpoint = "tcp://127.0.0.1:1"};
        memcpy(address.public_key, identity.public_key, CHIRR_KEY_BYTES);
        snprintf(address.publish_endpoint, sizeof address.publish_endpoint, "tcp://127.0.0.1:%d",
                 i + 1);
        memcpy(address.unicast_endpoint, address.publish_endpoint, sizeof address.unicast_endpoint);
        cr_assert_eq(chirr_keyring_add(a->keyring, identity.public_key, NULL), CHIRR_OK);
        cr_assert_eq(chirr_transport_connect(a->transport, &address), CHIRR_OK);
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
    memcpy(address.public_key, b->identity.public_key, CHIRR_KEY_BYTES);
    cr_assert_eq(chirr_transport_connect(a->transport, &address), CHIRR_ERR_INVALID);
    ping(a, b, 1);
    cr_assert_eq(dropped(a, CHIRR_DROP_UNKNOWN_PEER), 1);
}

Test(transport, every_drop_has_a_name)
{
    for (int i = 0; i < CHIRR_DROP_COUNT; i++) {
        cr_assert_not_null(chirr_transport_drop_name(i));
    }
}
