/* What an attacker sends with. */
#include "tests/agent/transport_raw.h"

#include <string.h>

#include "base/digest.h"
#include "base/wire.h"

#define DIGEST_AT 12

int raw_send_queue_max = 1000;

static void *raw_context;
static int raw_count;

/* With next to no queue of its own for what it does not read. */
static void *raw_open(int type)
{
    const int no_linger = 0;
    const int one = 1;
    raw_context = raw_context == NULL ? zmq_ctx_new() : raw_context;
    void *socket = zmq_socket(raw_context, type);
    cr_assert_not_null(socket);
    zmq_setsockopt(socket, ZMQ_LINGER, &no_linger, sizeof no_linger);
    zmq_setsockopt(socket, ZMQ_SNDHWM, &raw_send_queue_max, sizeof raw_send_queue_max);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &one, sizeof one);
    raw_count++;
    return socket;
}

void *raw_client(int type, const struct chirr_identity *identity, const struct node *server,
                 const char *endpoint)
{
    void *socket = raw_open(type);
    if (identity != NULL) {
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server->identity.curve_public, 32);
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, identity->curve_public, 32);
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, identity->curve_secret, 32);
    }
    cr_assert_eq(zmq_connect(socket, endpoint), 0);
    return socket;
}

void *raw_publisher(int type, const struct node *node, struct node *victim)
{
    struct chirr_peer_address address = address_of(node);
    size_t bytes = sizeof address.publish_endpoint;
    const int one = 1;
    void *socket = raw_open(type);
    if (victim->config.curve) {
        zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &one, sizeof one);
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, node->identity.curve_secret, 32);
    }
    cr_assert_eq(zmq_bind(socket, "tcp://127.0.0.1:*"), 0);
    memset(address.publish_endpoint, 0, bytes);
    cr_assert_eq(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, address.publish_endpoint, &bytes), 0);
    cr_assert_eq(chirr_transport_connect(victim->transport, &address, CHIRR_LINK_NEIGHBOUR),
                 CHIRR_OK);
    return socket;
}

void raw_close(void *socket)
{
    zmq_close(socket);
    if (--raw_count == 0) {
        zmq_ctx_term(raw_context);
        raw_context = NULL;
    }
}

size_t seal_ping(const struct chirr_identity *from, bool sign, uint8_t *frame, size_t capacity)
{
    size_t bytes;
    struct chirr_message message = {.kind = CHIRR_MESSAGE_PING, .probe = {.target = 1}};
    cr_assert_eq(chirr_frame_seal(&message, from, sign, frame, capacity, &bytes), CHIRR_OK);
    return bytes;
}

void raw_digest(uint8_t *frame, size_t bytes)
{
    chirr_wire_put_u64(frame + DIGEST_AT, chirr_digest(frame + CHIRR_FRAME_HEADER_BYTES,
                                                       bytes - CHIRR_FRAME_HEADER_BYTES));
}
