/* The way in: nothing gets past this file that did not pass every check.
 *
 *      connection  CURVE and ZAP (zap.c), while it is made
 *      parts       two of them, not oversized
 *      frame       magic, version, length, digest, envelope (proto/frame.c)
 *      sender      the connection's user, or a signature by a key on the keyring
 *      message     the codec
 *      records     each one's author on the keyring, each one's signature
 *      marks       each one's author on the keyring
 */
#include "agent/transport_state.h"

#include <inttypes.h>
#include <string.h>

/* After so many dropped in a row the loop gets its turn. */
#define DROPS_TURN 64
/* So many handshakes are answered between two messages: one that never ends starves nobody. */
#define HANDSHAKES_TURN 32

static void serve_handshakes(struct chirr_transport *transport)
{
    struct chirr_zap_refusal refusal;
    for (int i = 0; transport->zap.socket != NULL && i < HANDSHAKES_TURN; i++) {
        enum chirr_zap_verdict verdict = chirr_zap_serve(&transport->zap, &refusal);
        if (verdict == CHIRR_ZAP_IDLE) {
            return;
        }
        if (verdict == CHIRR_ZAP_REFUSED) {
            char key[CHIRR_KEY_TEXT_BYTES];
            chirr_key_format(refusal.curve_public, key);
            chirr_transport_drop(transport, CHIRR_DROP_UNTRUSTED,
                                 "refuses a connection from %s: its CURVE key %s is not on the "
                                 "keyring",
                                 refusal.address, key);
        }
    }
}

/* Subscriptions are libzmq's business, but they wait in the queue until they are read. */
static void drain_subscriptions(struct chirr_transport *transport)
{
    uint8_t subscription[CHIRR_TOPIC_BYTES_MAX];
    while (zmq_recv(transport->publisher, subscription, sizeof subscription, ZMQ_DONTWAIT) >= 0) {
    }
}

/* Reads a message of parts; `body` is the second, empty unless there are exactly two. False when
 * there is none. The caller closes `body` when true. */
static bool receive_parts(void *socket, zmq_msg_t *body, size_t *part_count)
{
    zmq_msg_t part;
    int more = 1;
    *part_count = 0;
    zmq_msg_init(body);
    while (more) {
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&part);
            zmq_msg_close(body);
            return false;
        }
        more = zmq_msg_more(&part);
        if (*part_count == 1) {
            zmq_msg_move(body, &part);
        }
        zmq_msg_close(&part);
        ++*part_count;
    }
    return true;
}

/* Whom ZAP admitted on the connection that a unicast message came over. */
static bool sender_is_user(struct chirr_transport *transport, zmq_msg_t *body, chirr_agent_id from)
{
    char expected[CHIRR_ZAP_USER_BYTES];
    const char *user = zmq_msg_gets(body, "User-Id");
    if (user == NULL || user[0] == '\0') {
        chirr_transport_drop(transport, CHIRR_DROP_UNAUTHENTICATED,
                             "a message came over a connection that nobody authenticated");
        return false;
    }
    chirr_zap_user_format(from, expected);
    if (strcmp(user, expected) != 0) {
        chirr_transport_drop(transport, CHIRR_DROP_IMPOSTOR, "%s sends in the name of %s", user,
                             expected);
        return false;
    }
    return true;
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

/* `body` carries a connection's user; NULL: published, or without CURVE. */
static bool check_sender(struct chirr_transport *transport, const struct chirr_envelope *envelope,
                         zmq_msg_t *body)
{
    if (body != NULL && !sender_is_user(transport, body, envelope->from)) {
        return false;
    }
    if (envelope->from == transport->identity->id) {
        chirr_transport_drop(transport, CHIRR_DROP_IMPOSTOR,
                             "somebody sends in the name of this very agent");
        return false;
    }
    const struct chirr_keyring_entry *entry =
        chirr_keyring_find(transport->keyring, envelope->from);
    if (entry == NULL) {
        chirr_transport_drop(transport, CHIRR_DROP_UNTRUSTED,
                             "%016" PRIx64 " is not on the keyring", envelope->from);
        return false;
    }
    return body != NULL || sender_signed(transport, envelope);
}

/* Cuts out the marks of authors that are not trusted; returns how many stay. */
static uint32_t check_marks(struct chirr_transport *transport,
                            const struct chirr_digest_entry *entries, uint32_t entry_count)
{
    struct chirr_digest_entry *kept = (struct chirr_digest_entry *)entries; /* in our own scratch */
    uint32_t count = 0;
    for (uint32_t i = 0; i < entry_count; i++) {
        chirr_agent_id author = entries[i].author;
        if (author != transport->identity->id &&
            chirr_keyring_find(transport->keyring, author) == NULL) {
            chirr_transport_drop(transport, CHIRR_DROP_UNTRUSTED,
                                 "a mark of %016" PRIx64 ", which is not on the keyring", author);
            continue;
        }
        kept[count++] = entries[i];
    }
    return count;
}

/* Cuts out the records of authors that are not trusted. One bad signature of a trusted author
 * spoils the message: without that record, what it says to be covered would not be. */
static bool check_records(struct chirr_transport *transport, struct chirr_records *records)
{
    struct chirr_record *kept = (struct chirr_record *)records->records; /* in our own scratch */
    uint32_t count = 0;
    for (uint32_t i = 0; i < records->count; i++) {
        const struct chirr_record *record = &records->records[i];
        enum chirr_err err = chirr_keyring_verify_record(transport->keyring, record);
        if (err == CHIRR_ERR_UNTRUSTED) {
            chirr_transport_drop(transport, CHIRR_DROP_UNTRUSTED,
                                 "a record by %016" PRIx64 ", which may not say that",
                                 record->author);
            continue;
        }
        if (err != CHIRR_OK) {
            chirr_transport_drop(transport, CHIRR_DROP_SIGNATURE,
                                 "a record in the name of %016" PRIx64 " is not signed by it",
                                 record->author);
            return false;
        }
        if (count != i) {
            memcpy(&kept[count], record, sizeof *record);
        }
        count++;
    }
    bool emptied = count == 0 && records->count > 0 && records->covered_count == 0;
    records->count = count;
    return !emptied;
}

static bool check_message(struct chirr_transport *transport, chirr_agent_id from,
                          struct chirr_message *message)
{
    if (message->kind == CHIRR_MESSAGE_RECORDS) {
        message->records.covered_count =
            check_marks(transport, message->records.covered, message->records.covered_count);
        return check_records(transport, &message->records);
    }
    if (message->kind == CHIRR_MESSAGE_DIGEST) {
        message->digest.count =
            check_marks(transport, message->digest.entries, message->digest.count);
    }
    /* A delta has no signature but its envelope's. */
    if (message->kind == CHIRR_MESSAGE_DELTA && message->delta.origin != from) {
        chirr_transport_drop(transport, CHIRR_DROP_IMPOSTOR,
                             "%016" PRIx64 " sends a delta in the name of %016" PRIx64, from,
                             message->delta.origin);
        return false;
    }
    return true;
}

static bool accept(struct chirr_transport *transport, zmq_msg_t *body, bool has_user,
                   chirr_agent_id *from, struct chirr_message *message)
{
    struct chirr_envelope envelope;
    size_t bytes = zmq_msg_size(body);
    if (bytes > CHIRR_FRAME_BYTES_MAX) {
        chirr_transport_drop(transport, CHIRR_DROP_OVERSIZED, "a frame of %zu bytes", bytes);
        return false;
    }
    enum chirr_err err = chirr_frame_open(zmq_msg_data(body), bytes, &envelope);
    if (err != CHIRR_OK) {
        chirr_transport_drop(transport, CHIRR_DROP_MALFORMED, "a frame of %zu bytes: %s", bytes,
                             chirr_err_text(err));
        return false;
    }
    if (!check_sender(transport, &envelope, has_user ? body : NULL)) {
        return false;
    }
    err = chirr_codec_decode_message(envelope.payload, envelope.payload_bytes, &transport->scratch,
                                     message);
    if (err != CHIRR_OK) {
        chirr_transport_drop(transport, CHIRR_DROP_MALFORMED, "a message by %016" PRIx64 ": %s",
                             envelope.from, chirr_err_text(err));
        return false;
    }
    if (!check_message(transport, envelope.from, message)) {
        return false;
    }
    *from = envelope.from;
    transport->counters.received_messages++;
    transport->counters.received_bytes += bytes;
    transport->counters.received_bytes_by_kind[message->kind] += bytes;
    return true;
}

enum outcome { OUTCOME_NONE, OUTCOME_DROPPED, OUTCOME_ACCEPTED };

static enum outcome receive_from(struct chirr_transport *transport, void *socket,
                                 chirr_agent_id *from, struct chirr_message *message)
{
    zmq_msg_t body;
    size_t part_count;
    if (!receive_parts(socket, &body, &part_count)) {
        return OUTCOME_NONE;
    }
    bool accepted = false;
    if (part_count == 2) {
        bool has_user = transport->config.curve && socket == transport->router;
        accepted = accept(transport, &body, has_user, from, message);
    } else {
        chirr_transport_drop(transport, CHIRR_DROP_MALFORMED, "a message of %zu parts", part_count);
    }
    zmq_msg_close(&body);
    return accepted ? OUTCOME_ACCEPTED : OUTCOME_DROPPED;
}

/* From every peer's SUB by turns. */
static enum outcome receive_published(struct chirr_transport *transport, chirr_agent_id *from,
                                      struct chirr_message *message)
{
    uint32_t peers_max = transport->config.peers_max;
    for (uint32_t i = 0; i < peers_max; i++) {
        void *subscriber = transport->peers[transport->next_peer].subscriber;
        transport->next_peer = (transport->next_peer + 1) % peers_max;
        enum outcome outcome =
            subscriber == NULL ? OUTCOME_NONE : receive_from(transport, subscriber, from, message);
        if (outcome != OUTCOME_NONE) {
            return outcome;
        }
    }
    return OUTCOME_NONE;
}

/* What was sent to this agent and what was published, by turns. */
static enum outcome receive_next(struct chirr_transport *transport, chirr_agent_id *from,
                                 struct chirr_message *message)
{
    transport->router_first = !transport->router_first;
    enum outcome outcome = OUTCOME_NONE;
    if (transport->router_first) {
        outcome = receive_from(transport, transport->router, from, message);
    }
    if (outcome == OUTCOME_NONE) {
        outcome = receive_published(transport, from, message);
    }
    if (outcome == OUTCOME_NONE && !transport->router_first) {
        outcome = receive_from(transport, transport->router, from, message);
    }
    return outcome;
}

bool chirr_transport_receive(struct chirr_transport *transport, chirr_time_us now,
                             chirr_agent_id *from, struct chirr_message *message)
{
    transport->now_us = now;
    serve_handshakes(transport);
    drain_subscriptions(transport);
    for (size_t i = 0; i < CHIRR_WATCH_COUNT; i++) {
        chirr_transport_watch_drain(transport, &transport->watches[i]);
    }
    chirr_transport_renew(transport);
    for (int i = 0; i < DROPS_TURN; i++) {
        switch (receive_next(transport, from, message)) {
        case OUTCOME_NONE:
            return false;
        case OUTCOME_ACCEPTED:
            chirr_transport_heard(transport, *from);
            return true;
        case OUTCOME_DROPPED:
            break;
        }
    }
    return false;
}
