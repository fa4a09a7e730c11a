/* The way in: nothing gets past this file that did not pass every check.
 *
 *      connection  CURVE and ZAP (zap.c), while it is made
 *      parts       two of them, not oversized
 *      frame       magic, version, length, digest, envelope (proto/frame.c)
 *      sender      unicast: the connection's user; published: whose key the connection pins;
 *                  without CURVE a signature; in each case on the keyring
 *      message     the codec
 *      content     what it says in others' names (transport_check.c)
 */
#include "agent/transport_state.h"

#include <inttypes.h>
#include <string.h>

/* After so many dropped in a row the loop gets its turn. */
#define DROPS_TURN 64
/* So many handshakes are answered between two messages: one that never ends starves nobody. */
#define HANDSHAKES_TURN 32

/* True: there may be more. */
static bool serve_handshakes(struct chirr_transport *transport)
{
    struct chirr_zap_asker asker;
    for (int i = 0; transport->zap.socket != NULL && i < HANDSHAKES_TURN; i++) {
        enum chirr_zap_verdict verdict = chirr_zap_serve(&transport->zap, &asker);
        if (verdict == CHIRR_ZAP_IDLE) {
            return false;
        }
        if (verdict == CHIRR_ZAP_ADMITTED) {
            chirr_transport_admitted(transport, asker.curve_public);
        } else {
            char key[CHIRR_KEY_TEXT_BYTES];
            chirr_key_format(asker.curve_public, key);
            chirr_transport_drop(transport, CHIRR_DROP_UNTRUSTED,
                                 "refuses a connection from %s: its CURVE key %s is not on the "
                                 "keyring",
                                 asker.address, key);
        }
    }
    return true;
}

struct parts {
    size_t count;
    size_t first_bytes;                             /* of a topic, or of a routing id */
    uint8_t first_head[CHIRR_ROUTING_ID_BYTES_MAX]; /* as much of it as fits */
};

/* Reads a message; `body` is its part number `body_at`, empty when there is none. False when there
 * is no message. The caller closes `body` when true. */
static bool receive_parts(void *socket, size_t body_at, zmq_msg_t *body, struct parts *parts)
{
    zmq_msg_t part;
    int more = 1;
    *parts = (struct parts){0};
    zmq_msg_init(body);
    while (more) {
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&part);
            zmq_msg_close(body);
            return false;
        }
        more = zmq_msg_more(&part);
        if (parts->count == 0) {
            parts->first_bytes = zmq_msg_size(&part);
            memcpy(parts->first_head, zmq_msg_data(&part),
                   parts->first_bytes < sizeof parts->first_head ? parts->first_bytes
                                                                 : sizeof parts->first_head);
        }
        if (parts->count == body_at) {
            zmq_msg_move(body, &part);
        }
        zmq_msg_close(&part);
        parts->count++;
    }
    return true;
}

/* Whether ZAP admitted the sender, with a key that it still has, on the connection that a unicast
 * message came over. */
static bool sender_is_user(struct chirr_transport *transport, zmq_msg_t *body, chirr_agent_id from)
{
    char expected[CHIRR_ZAP_USER_BYTES];
    const uint8_t none[CHIRR_KEY_BYTES] = {0};
    const char *user = zmq_msg_gets(body, "User-Id");
    if (user == NULL || user[0] == '\0') {
        chirr_transport_drop(transport, CHIRR_DROP_UNAUTHENTICATED,
                             "a message came over a connection that nobody authenticated");
        return false;
    }
    const struct chirr_keyring_entry *entry = chirr_keyring_find(transport->keyring, from);
    for (uint32_t i = 0; entry != NULL && i < entry->key_count; i++) {
        chirr_zap_user_format(from, chirr_keyring_curve_of(&entry->keys[i]), expected);
        if (strcmp(user, expected) == 0) {
            return true;
        }
    }
    chirr_zap_user_format(from, none, expected);
    if (strncmp(user, expected, strcspn(expected, "/") + 1) == 0) {
        chirr_transport_drop(transport, CHIRR_DROP_UNTRUSTED,
                             "%016" PRIx64 " is no longer on the keyring with the key it uses",
                             from);
    } else {
        chirr_transport_drop(transport, CHIRR_DROP_IMPOSTOR, "%s sends in the name of %016" PRIx64,
                             user, from);
    }
    return false;
}

static bool sender_signed(struct chirr_transport *transport, const struct chirr_envelope *envelope)
{
    if (chirr_keyring_verify_envelope(transport->keyring, envelope) != CHIRR_OK) {
        chirr_transport_drop(transport, CHIRR_DROP_SIGNATURE,
                             "a message in the name of %016" PRIx64 " is not signed by it",
                             envelope->from);
        return false;
    }
    return true;
}

/* How a message came in. */
struct arrival {
    const struct chirr_transport_peer *pinned; /* whose SUB or DEALER heard it; NULL: the ROUTER */
    size_t topic_bytes;
    zmq_msg_t *body;
};

static bool sender_is_pinned(struct chirr_transport *transport, const struct arrival *arrival,
                             chirr_agent_id from)
{
    if (from != arrival->pinned->id) {
        chirr_transport_drop(transport, CHIRR_DROP_IMPOSTOR,
                             "%016" PRIx64 " speaks in the name of %016" PRIx64,
                             arrival->pinned->id, from);
        return false;
    }
    return true;
}

static bool check_sender(struct chirr_transport *transport, const struct arrival *arrival,
                         const struct chirr_envelope *envelope)
{
    bool curve = transport->config.curve;
    if (arrival->pinned != NULL && !sender_is_pinned(transport, arrival, envelope->from)) {
        return false;
    }
    if (curve && arrival->pinned == NULL &&
        !sender_is_user(transport, arrival->body, envelope->from)) {
        return false;
    }
    if (envelope->from == transport->identity->id) {
        chirr_transport_drop(transport, CHIRR_DROP_IMPOSTOR,
                             "somebody sends in the name of this very agent");
        return false;
    }
    if (chirr_keyring_find(transport->keyring, envelope->from) == NULL) {
        chirr_transport_drop(transport, CHIRR_DROP_UNTRUSTED,
                             "%016" PRIx64 " is not on the keyring", envelope->from);
        return false;
    }
    return curve || sender_signed(transport, envelope);
}

static void count_received(struct chirr_transport *transport, enum chirr_message_kind kind,
                           size_t bytes)
{
    transport->counters.received_messages++;
    transport->counters.received_bytes += bytes;
    transport->counters.received_bytes_by_kind[kind] += bytes;
}

/* Of a frame or of a message in it. */
static enum chirr_transport_drop reason_of(enum chirr_err err)
{
    return err == CHIRR_ERR_VERSION ? CHIRR_DROP_VERSION : CHIRR_DROP_MALFORMED;
}

static bool accept(struct chirr_transport *transport, const struct arrival *arrival,
                   chirr_agent_id *from, struct chirr_message *message)
{
    struct chirr_envelope envelope;
    size_t bytes = zmq_msg_size(arrival->body);
    if (bytes > CHIRR_FRAME_BYTES_MAX) {
        chirr_transport_drop(transport, CHIRR_DROP_OVERSIZED, "a frame of %zu bytes", bytes);
        return false;
    }
    enum chirr_err err = chirr_frame_open(zmq_msg_data(arrival->body), bytes, &envelope);
    if (err != CHIRR_OK) {
        chirr_transport_drop(transport, reason_of(err), "a frame of %zu bytes: %s", bytes,
                             chirr_err_text(err));
        return false;
    }
    if (!check_sender(transport, arrival, &envelope)) {
        return false;
    }
    err = chirr_codec_decode_message(envelope.payload, envelope.payload_bytes, &transport->scratch,
                                     message);
    if (err != CHIRR_OK) {
        chirr_transport_drop(transport, reason_of(err), "a message by %016" PRIx64 ": %s",
                             envelope.from, chirr_err_text(err));
        return false;
    }
    if (!chirr_transport_check(transport, message)) {
        return false;
    }
    *from = envelope.from;
    count_received(transport, message->kind, arrival->topic_bytes + bytes);
    return true;
}

enum outcome { OUTCOME_NONE, OUTCOME_DROPPED, OUTCOME_ACCEPTED };

/* A socket and what its messages look like. */
struct inlet {
    void *socket;
    uint32_t way;
    const struct chirr_transport_peer *pinned; /* whose it is; NULL: the ROUTER */
    bool has_topic;
};

static enum outcome receive_from(struct chirr_transport *transport, const struct inlet *inlet,
                                 chirr_agent_id *from, struct chirr_message *message)
{
    zmq_msg_t body;
    struct parts parts;
    bool is_router = inlet->pinned == NULL;
    size_t body_at = is_router || inlet->has_topic ? 1 : 0;
    if (!transport->ready[inlet->way]) {
        return OUTCOME_NONE;
    }
    if (!receive_parts(inlet->socket, body_at, &body, &parts)) {
        transport->ready[inlet->way] = false;
        return OUTCOME_NONE;
    }
    bool accepted = false;
    if (parts.count == body_at + 1) {
        const struct arrival arrival = {.pinned = inlet->pinned,
                                        .topic_bytes = inlet->has_topic ? parts.first_bytes : 0,
                                        .body = &body};
        accepted = accept(transport, &arrival, from, message);
    } else {
        chirr_transport_drop(transport, CHIRR_DROP_MALFORMED, "a message of %zu parts",
                             parts.count);
    }
    zmq_msg_close(&body);
    if (accepted) {
        chirr_transport_heard(transport, *from, inlet->has_topic);
    }
    if (accepted && is_router) {
        chirr_transport_route_learn(transport, *from, parts.first_head, parts.first_bytes);
    }
    return accepted ? OUTCOME_ACCEPTED : OUTCOME_DROPPED;
}

static enum outcome receive_sent(struct chirr_transport *transport, chirr_agent_id *from,
                                 struct chirr_message *message)
{
    const struct inlet inlet = {.socket = transport->router, .way = CHIRR_WAY_ROUTER};
    return receive_from(transport, &inlet, from, message);
}

/* What peers publish and answer, from each one's sockets by turns. */
static enum outcome receive_from_peers(struct chirr_transport *transport, chirr_agent_id *from,
                                       struct chirr_message *message)
{
    uint32_t ways = CHIRR_WAYS_PER_PEER * transport->config.peers_max;
    for (uint32_t i = 0; i < ways; i++) {
        uint32_t way = transport->next_way;
        transport->next_way = (way + 1) % ways;
        if (!transport->ready[CHIRR_WAY_PEERS + way]) {
            continue;
        }
        const struct chirr_transport_peer *peer = &transport->peers[way / CHIRR_WAYS_PER_PEER];
        bool is_published = way % CHIRR_WAYS_PER_PEER == 0;
        const struct inlet inlet = {.socket = is_published ? peer->subscriber : peer->dealer,
                                    .way = CHIRR_WAY_PEERS + way,
                                    .pinned = peer,
                                    .has_topic = is_published};
        enum outcome outcome = receive_from(transport, &inlet, from, message);
        if (outcome != OUTCOME_NONE) {
            return outcome;
        }
    }
    return OUTCOME_NONE;
}

/* By turns, so that a flood to this agent's ROUTER drowns nobody it is connected to. */
static enum outcome receive_next(struct chirr_transport *transport, chirr_agent_id *from,
                                 struct chirr_message *message)
{
    transport->router_first = !transport->router_first;
    enum outcome outcome = OUTCOME_NONE;
    if (transport->router_first) {
        outcome = receive_sent(transport, from, message);
    }
    if (outcome == OUTCOME_NONE) {
        outcome = receive_from_peers(transport, from, message);
    }
    if (outcome == OUTCOME_NONE && !transport->router_first) {
        outcome = receive_sent(transport, from, message);
    }
    return outcome;
}

/* What is no message, once a turn of the loop. */
static void keep_house(struct chirr_transport *transport)
{
    bool *ready = transport->ready;
    chirr_transport_ready_look(transport);
    ready[CHIRR_WAY_ZAP] = ready[CHIRR_WAY_ZAP] && serve_handshakes(transport);
    ready[CHIRR_WAY_PUBLISHER] =
        ready[CHIRR_WAY_PUBLISHER] && chirr_transport_subscribers_drain(transport);
    for (uint32_t i = 0; i < CHIRR_WATCH_COUNT; i++) {
        if (ready[CHIRR_WAY_MONITOR_PUBLISHER + i]) {
            ready[CHIRR_WAY_MONITOR_PUBLISHER + i] = false;
            chirr_transport_watch_drain(transport, &transport->watches[i]);
        }
    }
    chirr_transport_review(transport);
    chirr_transport_kick(transport);
    chirr_transport_renew(transport);
}

bool chirr_transport_receive(struct chirr_transport *transport, chirr_time_us now,
                             chirr_agent_id *from, struct chirr_message *message)
{
    if (now != transport->now_us) {
        transport->now_us = now;
        keep_house(transport);
    }
    for (int i = 0; i < DROPS_TURN; i++) {
        switch (receive_next(transport, from, message)) {
        case OUTCOME_NONE:
            return false;
        case OUTCOME_ACCEPTED:
            return true;
        case OUTCOME_DROPPED:
            break;
        }
    }
    return false;
}
