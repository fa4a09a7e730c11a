/* Agents' transports for tests. */
#include "tests/agent/transport_nodes.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "agent/transport_state.h"

struct node nodes[NODES_MAX];
struct chirr_random random_stream;

chirr_time_us now_us(void)
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

void nodes_setup(void)
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

void nodes_teardown(void)
{
    for (int i = 0; i < NODES_MAX; i++) {
        chirr_transport_destroy(nodes[i].transport);
        chirr_keyring_destroy(nodes[i].keyring);
    }
}

void trust(struct node *node, const struct node *other)
{
    cr_assert_eq(chirr_keyring_add(node->keyring, other->identity.public_key, NULL), CHIRR_OK);
}

void start(struct node *node)
{
    struct chirr_error error;
    node->transport =
        chirr_transport_create(&node->config, &node->identity, node->keyring, &node->log, &error);
    cr_assert_not_null(node->transport, "%s", error.text);
}

void start_all(void)
{
    for (int i = 0; i < NODES_MAX; i++) {
        for (int j = 0; j < NODES_MAX; j++) {
            trust(&nodes[i], &nodes[j]);
        }
        start(&nodes[i]);
    }
}

struct chirr_peer_address address_of(const struct node *node)
{
    struct chirr_peer_address address;
    address.id = node->identity.id;
    memcpy(address.public_key, node->identity.public_key, CHIRR_KEY_BYTES);
    chirr_transport_endpoints(node->transport, address.publish_endpoint, address.unicast_endpoint);
    return address;
}

void link_as(struct node *node, const struct node *other, enum chirr_link link)
{
    struct chirr_peer_address address = address_of(other);
    cr_assert_eq(chirr_transport_connect(node->transport, &address, link), CHIRR_OK);
}

void link_to(struct node *node, const struct node *other)
{
    link_as(node, other, CHIRR_LINK_NEIGHBOUR);
}

void befriend(struct node *node, struct node *other)
{
    link_to(node, other);
    link_to(other, node);
}

uint32_t subscribers(const struct node *node, const char *topic, const struct node *to)
{
    char text[CHIRR_TOPIC_BYTES_MAX];
    if (to == NULL) {
        return chirr_transport_subscribers(node->transport, topic);
    }
    snprintf(text, sizeof text, "%s%016" PRIx64 "/", topic, to->identity.id);
    return chirr_transport_subscribers(node->transport, text);
}

uint64_t dropped(const struct node *node, enum chirr_transport_drop reason)
{
    return chirr_transport_count(node->transport)->dropped[reason];
}

int connect_plainly(const char *endpoint)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(strrchr(endpoint, ':') + 1));
    int file = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(file, (struct sockaddr *)&address, sizeof address), 0);
    return file;
}

static void take_marks(struct node *node, const struct chirr_digest_entry *marks, uint32_t count)
{
    node->last_marks = count;
    node->last_marked = count > 0 ? marks[0].author : 0;
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
            node->last_author = message.records.count > 0 ? message.records.records[0].author : 0;
            take_marks(node, message.records.covered, message.records.covered_count);
        } else if (message.kind == CHIRR_MESSAGE_DIGEST) {
            take_marks(node, message.digest.entries, message.digest.count);
        } else if (message.kind == CHIRR_MESSAGE_VIEW) {
            node->last_records = message.view.count;
        } else if (message.kind == CHIRR_MESSAGE_HAVE || message.kind == CHIRR_MESSAGE_GRAFT) {
            take_marks(node, message.have.entries, message.have.count);
        }
    }
}

/* One turn of every running loop, after at most a few milliseconds. */
void turn(void)
{
    struct pollfd items[NODES_MAX];
    nfds_t count = 0;
    bool is_waiting = false;
    for (int i = 0; i < NODES_MAX; i++) {
        if (nodes[i].transport != NULL) {
            items[count++] =
                (struct pollfd){.fd = chirr_transport_fd(nodes[i].transport), .events = POLLIN};
            is_waiting = chirr_transport_is_waiting(nodes[i].transport) || is_waiting;
        }
    }
    poll(items, count, is_waiting ? 0 : 5);
    for (int i = 0; i < NODES_MAX; i++) {
        if (nodes[i].transport != NULL) {
            take(&nodes[i]);
        }
    }
}

void ping(struct node *node, const struct node *to, uint32_t sequence)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_PING,
                                    .probe = {.sequence = sequence, .target = to->identity.id}};
    chirr_transport_send(node->transport, to->identity.id, &message);
}

void publish(struct node *node, enum chirr_topic topic)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_HEARTBEAT,
                                    .heartbeat = {.incarnation = 1, .sequence = 1}};
    chirr_transport_publish(node->transport, topic, 0, &message);
}
