/* What libzmq honours only when it was set before connect or bind, proven by what it does.
 *
 * The sockets tell of an option even when it was set too late; so these look at connections. */
#include "agent/transport.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/transport_state.h"
#include "tests/agent/transport_nodes.h"

TestSuite(transport_connecting, .init = nodes_setup, .fini = nodes_teardown, .timeout = 60);

#define DEADLINE_MS ((int)(NODES_DEADLINE_US / CHIRR_US_PER_MS))
#define NOWHERE "tcp://127.0.0.1:1"

/* A alone, with a link to an agent that is said to be at `endpoint`; its DEALER. */
static void *start_with_link_to(const char *endpoint)
{
    struct chirr_peer_address address = {.id = b->identity.id};
    memcpy(address.public_key, b->identity.public_key, CHIRR_KEY_BYTES);
    snprintf(address.publish_endpoint, sizeof address.publish_endpoint, "%s", endpoint);
    snprintf(address.unicast_endpoint, sizeof address.unicast_endpoint, "%s", endpoint);
    trust(a, b);
    start(a);
    cr_assert_eq(chirr_transport_connect(a->transport, &address, CHIRR_LINK_UNICAST), CHIRR_OK);
    return chirr_transport_find_peer(a->transport, b->identity.id)->dealer;
}

/* What libzmq tells of one kind of event. */
static void *watch(void *socket, int event)
{
    const int deadline_ms = DEADLINE_MS;
    const int no_linger = 0;
    cr_assert_eq(zmq_socket_monitor(socket, "inproc://test.monitor", event), 0);
    void *monitor = zmq_socket(chirr_transport_context(a->transport), ZMQ_PAIR);
    zmq_setsockopt(monitor, ZMQ_RCVTIMEO, &deadline_ms, sizeof deadline_ms);
    zmq_setsockopt(monitor, ZMQ_LINGER, &no_linger, sizeof no_linger);
    cr_assert_eq(zmq_connect(monitor, "inproc://test.monitor"), 0);
    return monitor;
}

/* The next event's value. */
static uint32_t next_value(void *monitor)
{
    uint8_t head[6];
    char endpoint[CHIRR_ENDPOINT_BYTES_MAX];
    uint32_t value;
    cr_assert_eq(zmq_recv(monitor, head, sizeof head, 0), (int)sizeof head, "nothing happened");
    cr_assert_geq(zmq_recv(monitor, endpoint, sizeof endpoint, 0), 0);
    memcpy(&value, head + 2, sizeof value);
    return value;
}

Test(transport_connecting, attempts_come_ever_more_seldom_up_to_a_bound)
{
    uint32_t longest_ms = 0;
    a->config.reconnect_ms = 10;
    a->config.reconnect_ms_max = 80;
    void *monitor = watch(start_with_link_to(NOWHERE), ZMQ_EVENT_CONNECT_RETRIED);
    for (int i = 0; i < 8; i++) {
        uint32_t pause_ms = next_value(monitor);
        longest_ms = pause_ms > longest_ms ? pause_ms : longest_ms;
    }
    cr_expect_geq(longest_ms, 80);
    cr_expect_lt(longest_ms, 80 + 10); /* libzmq adds up to the first pause, at random */
    zmq_close(monitor);
}

static int listen_plainly(int backlog, char endpoint[CHIRR_ENDPOINT_BYTES_MAX])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t bytes = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int file = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(file, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(file, backlog), 0);
    cr_assert_eq(getsockname(file, (struct sockaddr *)&address, &bytes), 0);
    snprintf(endpoint, CHIRR_ENDPOINT_BYTES_MAX, "tcp://127.0.0.1:%d", ntohs(address.sin_port));
    return file;
}

static bool can_read(int file, int wait_ms)
{
    struct pollfd item = {.fd = file, .events = POLLIN};
    return poll(&item, 1, wait_ms) > 0;
}

/* Linux answers no further attempt at a listener whose queue is full, like a network that swallows
 * packets. Without ZMQ_CONNECT_TIMEOUT the attempt would last minutes. */
Test(transport_connecting, an_attempt_that_nobody_answers_is_given_up)
{
    enum { FILLERS = 4 };
    char endpoint[CHIRR_ENDPOINT_BYTES_MAX];
    int fillers[FILLERS];
    struct sockaddr_in address;
    socklen_t bytes = sizeof address;
    int listener = listen_plainly(0, endpoint);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &bytes), 0);
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    void *monitor = watch(start_with_link_to(endpoint), ZMQ_EVENT_CONNECT_RETRIED);
    next_value(monitor);
    zmq_close(monitor);
    for (int i = 0; i < FILLERS; i++) {
        close(fillers[i]);
    }
    close(listener);
}

/* Until the other side closes; false: it has not. */
static bool is_ended(int file)
{
    uint8_t words[256];
    chirr_time_us deadline = now_us() + NODES_DEADLINE_US;
    while (now_us() < deadline && can_read(file, DEADLINE_MS)) {
        if (recv(file, words, sizeof words, 0) <= 0) {
            return true;
        }
    }
    return false;
}

/* libzmq's own half a minute is long for who holds a file descriptor and says nothing. */
Test(transport_connecting, who_begins_no_handshake_is_hung_up_on)
{
    char endpoint[CHIRR_ENDPOINT_BYTES_MAX];
    int listener = listen_plainly(8, endpoint);
    start_with_link_to(endpoint);
    struct chirr_peer_address own = address_of(a);
    int clients[] = {connect_plainly(own.unicast_endpoint), connect_plainly(own.publish_endpoint)};
    cr_assert(can_read(listener, DEADLINE_MS));
    int server = accept(listener, NULL, NULL);
    cr_expect(is_ended(server));
    cr_expect(is_ended(clients[0]));
    cr_expect(is_ended(clients[1]));
    close(clients[0]);
    close(clients[1]);
    close(server);
    close(listener);
}

Test(transport_connecting, what_waits_for_a_peer_that_is_not_there_is_bounded_and_does_not_linger)
{
    enum { ROOM = 4 };
    a->config.queue_messages_max = ROOM;
    start_with_link_to(NOWHERE);
    for (uint32_t i = 0; i < ROOM + 3; i++) {
        ping(a, b, i);
    }
    cr_expect_eq(chirr_transport_count(a->transport)->sent_messages, ROOM);
    cr_expect_eq(dropped(a, CHIRR_DROP_SEND_FULL), 3);
    chirr_time_us before = now_us();
    chirr_transport_destroy(a->transport);
    a->transport = NULL;
    cr_expect_lt(now_us() - before, NODES_DEADLINE_US);
}
