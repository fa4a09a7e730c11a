/* Who is let in, and what becomes of those who are not: strangers, impostors, noise. */
#include "agent/transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/transport_state.h"
#include "tests/agent/transport_nodes.h"
#include "tests/agent/transport_raw.h"

TestSuite(transport_security, .init = nodes_setup, .fini = nodes_teardown, .timeout = 120);

/* ---- Who is let in -----------------------------------------------------------------------------
 */

Test(transport_security, a_key_that_is_not_on_the_keyring_is_refused_counted_and_logged_once)
{
    trust(a, b); /* but b does not trust a */
    a->config.silence_ms = 500;
    start(a);
    start(b);
    link_to(a, b);
    struct chirr_peer_address address = address_of(a);
    cr_assert_eq(chirr_transport_connect(b->transport, &address, CHIRR_LINK_NEIGHBOUR),
                 CHIRR_ERR_UNTRUSTED);
    WAIT_DOING((ping(a, b, 1), publish(a, CHIRR_TOPIC_HEARTBEAT)),
               dropped(b, CHIRR_DROP_UNTRUSTED) >= 4 && dropped(a, CHIRR_DROP_REFUSED) == 1);
    cr_assert_eq(b->lines, 1);
    cr_assert_eq(b->received[CHIRR_MESSAGE_PING], 0);
    cr_assert_eq(dropped(b, CHIRR_DROP_HANDSHAKE), 0);
}

Test(transport_security, who_becomes_trusted_later_gets_in)
{
    trust(a, b);
    a->config.silence_ms = 1000;
    start(a);
    start(b);
    link_to(a, b);
    WAIT(dropped(b, CHIRR_DROP_UNTRUSTED) >= 2); /* SUB and DEALER: libzmq tries neither again */
    trust(b, a);
    WAIT_DOING(ping(a, b, 2), b->received[CHIRR_MESSAGE_PING] > 0);
}

Test(transport_security, nothing_is_said_to_a_server_with_another_key)
{
    start_all();
    struct chirr_peer_address address = address_of(c);
    address.id = b->identity.id;
    memcpy(address.public_key, b->identity.public_key, CHIRR_KEY_BYTES);
    cr_assert_eq(chirr_transport_connect(a->transport, &address, CHIRR_LINK_NEIGHBOUR), CHIRR_OK);
    WAIT_DOING((ping(a, b, 1), publish(c, CHIRR_TOPIC_HEARTBEAT)),
               dropped(c, CHIRR_DROP_HANDSHAKE) >= 2);
    cr_assert_eq(c->received[CHIRR_MESSAGE_PING], 0);
    cr_assert_eq(a->received[CHIRR_MESSAGE_HEARTBEAT], 0);
}

Test(transport_security, does_not_connect_to_itself)
{
    start_all();
    struct chirr_peer_address address = address_of(a);
    cr_assert_eq(chirr_transport_connect(a->transport, &address, CHIRR_LINK_NEIGHBOUR),
                 CHIRR_ERR_INVALID);
}

/* Fails without unbinding: ZAP is asked once a connection, so one that stands would stay. */
Test(transport_security, who_is_no_longer_trusted_is_cut_off_and_the_others_come_back)
{
    b->config.silence_ms = 0; /* it must not end its connections by itself */
    start_all();
    befriend(a, b);
    befriend(a, c);
    WAIT(subscribers(a, "h/", NULL) == 2);
    ping(b, a, 1);
    ping(c, a, 2);
    WAIT(a->received[CHIRR_MESSAGE_PING] == 2);
    cr_assert_eq(chirr_keyring_remove(a->keyring, b->identity.id), CHIRR_OK);
    chirr_transport_cut(a->transport, b->identity.id);
    WAIT(dropped(a, CHIRR_DROP_UNTRUSTED) >= 2); /* b knocks again, with SUB and DEALER */
    WAIT_DOING(ping(c, a, 3), a->last_sequence == 3);
    WAIT(subscribers(a, "h/", NULL) == 1);
    cr_assert_eq(dropped(a, CHIRR_DROP_CUT), 2); /* the links to it, and what came from all */
    ping(a, b, 1);
    cr_assert_eq(dropped(a, CHIRR_DROP_UNKNOWN_PEER), 1);
    publish(a, CHIRR_TOPIC_HEARTBEAT);
    WAIT(c->received[CHIRR_MESSAGE_HEARTBEAT] == 1);
    cr_assert_eq(b->received[CHIRR_MESSAGE_HEARTBEAT], 0);
    cr_assert_neq(a->last_from, b->identity.id);
}

/* Fails if a message only proves whose it is, and not with which key. */
Test(transport_security, a_removed_key_is_out_at_once_though_its_holder_stays)
{
    start_all();
    struct chirr_identity second = generate_identity(&random_stream);
    struct chirr_keyring_addition addition = {.holder = b->identity.id};
    memcpy(addition.public_key, second.public_key, CHIRR_KEY_BYTES);
    cr_assert_eq(chirr_keyring_add_key(a->keyring, &addition), CHIRR_OK);
    link_to(b, a);
    ping(b, a, 1);
    WAIT(a->received[CHIRR_MESSAGE_PING] == 1);
    /* What was sent before the connection is closed, and read after, is refused, too. */
    cr_assert_eq(chirr_keyring_remove_key(a->keyring, b->identity.public_key), CHIRR_OK);
    ping(b, a, 2);
    WAIT(dropped(a, CHIRR_DROP_UNTRUSTED) > 0);
    cr_assert_eq(a->received[CHIRR_MESSAGE_PING], 1);
}

/* ---- Who is who --------------------------------------------------------------------------------
 */

Test(transport_security, who_sends_in_anothers_name_is_dropped)
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

Test(transport_security, a_clone_with_the_agents_own_key_is_refused)
{
    start_all();
    struct chirr_peer_address address = address_of(b);
    void *raw = raw_client(ZMQ_DEALER, &b->identity, b, address.unicast_endpoint);
    WAIT(dropped(b, CHIRR_DROP_UNTRUSTED) == 1);
    raw_close(raw);
}

#define RAW_PUBLISH (zmq_send(raw, "h/", 2, ZMQ_SNDMORE), zmq_send(raw, frame, bytes, 0))

Test(transport_security, under_curve_a_publisher_speaks_for_itself_alone_and_needs_no_signature)
{
    uint8_t frame[512];
    start_all();
    void *raw = raw_publisher(ZMQ_PUB, a, b);
    size_t bytes = seal_ping(&c->identity, true, frame, sizeof frame); /* even if c signed it */
    WAIT_DOING(RAW_PUBLISH, dropped(b, CHIRR_DROP_IMPOSTOR) > 0);
    uint64_t impostors = dropped(b, CHIRR_DROP_IMPOSTOR);
    bytes = seal_ping(&b->identity, true, frame, sizeof frame); /* its own, played back to it */
    WAIT_DOING(RAW_PUBLISH, dropped(b, CHIRR_DROP_IMPOSTOR) > impostors);
    cr_assert_eq(b->received[CHIRR_MESSAGE_PING], 0);
    bytes = seal_ping(&a->identity, false, frame, sizeof frame);
    WAIT_DOING(RAW_PUBLISH, b->received[CHIRR_MESSAGE_PING] > 0);
    cr_assert_eq(b->last_from, a->identity.id);
    raw_close(raw);
}

Test(transport_security, without_curve_a_published_frame_must_be_signed_by_its_publisher)
{
    uint8_t frame[512];
    for (int i = 0; i < NODES_MAX; i++) {
        nodes[i].config.curve = false;
    }
    start_all();
    void *raw = raw_publisher(ZMQ_PUB, a, b);
    struct chirr_identity fake = c->identity;
    fake.id = a->identity.id; /* signed by c in the name of a */
    size_t bytes = seal_ping(&fake, true, frame, sizeof frame);
    WAIT_DOING(RAW_PUBLISH, dropped(b, CHIRR_DROP_SIGNATURE) > 0);
    uint64_t signatures = dropped(b, CHIRR_DROP_SIGNATURE);
    bytes = seal_ping(&a->identity, false, frame, sizeof frame); /* not signed at all */
    WAIT_DOING(RAW_PUBLISH, dropped(b, CHIRR_DROP_SIGNATURE) > signatures);
    cr_assert_eq(b->received[CHIRR_MESSAGE_PING], 0);
    bytes = seal_ping(&a->identity, true, frame, sizeof frame);
    WAIT_DOING(RAW_PUBLISH, b->received[CHIRR_MESSAGE_PING] > 0);
    raw_close(raw);
}

/* Connects, writes, and leaves it to the other side. */
static int raw_tcp(const char *endpoint, const void *data, size_t bytes)
{
    int file = connect_plainly(endpoint);
    cr_assert_eq(send(file, data, bytes, MSG_NOSIGNAL), (ssize_t)bytes);
    return file;
}

Test(transport_security, noise_over_plain_tcp_is_counted_and_hurts_nobody)
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

Test(transport_security, a_client_without_curve_does_not_get_in)
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
Test(transport_security, fails_closed_when_nobody_authenticated_the_connection)
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

Test(transport_security, without_curve_unsigned_and_strange_messages_are_dropped)
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

Test(transport_security, records_by_strangers_are_cut_out)
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
    cr_assert_eq(b->last_author, c->identity.id);
    cr_assert_eq(dropped(b, CHIRR_DROP_UNTRUSTED), 1);
    send_records(a, b, records, 1); /* nothing would be left */
    WAIT(dropped(b, CHIRR_DROP_UNTRUSTED) == 2);
    cr_assert_eq(b->received[CHIRR_MESSAGE_RECORDS], 1);
}

/* A statement signed with a key that no longer counts must not keep everybody's repair away. */
Test(transport_security, an_author_with_a_bad_signature_is_cut_out_with_all_it_would_cover)
{
    struct chirr_record records[3];
    struct chirr_digest_entry marks[2] = {{a->identity.id, {1, 1}}, {c->identity.id, {1, 1}}};
    start_all();
    link_to(a, b);
    generate_record(&random_stream, &c->identity, CHIRR_RECORD_TASK, &records[0]);
    generate_record(&random_stream, &a->identity, CHIRR_RECORD_CARD, &records[1]);
    generate_record(&random_stream, &c->identity, CHIRR_RECORD_CARD, &records[2]);
    records[2].signature[0] ^= 1;
    if (marks[0].author > marks[1].author) {
        struct chirr_digest_entry mark = marks[0];
        marks[0] = marks[1];
        marks[1] = mark;
    }
    struct chirr_message message = {
        .kind = CHIRR_MESSAGE_RECORDS,
        .records = {.count = 3, .records = records, .covered_count = 2, .covered = marks}};
    chirr_transport_send(a->transport, b->identity.id, &message);
    WAIT(b->received[CHIRR_MESSAGE_RECORDS] == 1);
    cr_assert_eq(b->last_records, 1);
    cr_assert_eq(b->last_author, a->identity.id);
    cr_assert_eq(b->last_marks, 1);
    cr_assert_eq(b->last_marked, a->identity.id);
    cr_assert_eq(dropped(b, CHIRR_DROP_SIGNATURE), 1);
    cr_assert_eq(dropped(b, CHIRR_DROP_DOUBTED), 2); /* its task and its mark */
    send_records(a, b, records + 2, 1);              /* nothing would be left */
    WAIT(dropped(b, CHIRR_DROP_SIGNATURE) == 2);
    cr_assert_eq(b->received[CHIRR_MESSAGE_RECORDS], 1);
}

static int by_author(const void *left, const void *right)
{
    const struct chirr_digest_entry *x = left;
    const struct chirr_digest_entry *y = right;
    return (x->author > y->author) - (x->author < y->author);
}

Test(transport_security, marks_of_strangers_are_cut_out)
{
    enum { STRANGERS = 20 };
    struct chirr_digest_entry marks[STRANGERS + 1];
    start_all();
    link_to(a, b);
    for (uint64_t i = 0; i < STRANGERS; i++) {
        marks[i] = (struct chirr_digest_entry){0x1000 + i, {1, 1}};
    }
    marks[STRANGERS] = (struct chirr_digest_entry){c->identity.id, {1, 1}};
    qsort(marks, STRANGERS + 1, sizeof marks[0], by_author);
    struct chirr_message message = {.kind = CHIRR_MESSAGE_RECORDS,
                                    .records = {.covered_count = STRANGERS + 1, .covered = marks}};
    chirr_transport_send(a->transport, b->identity.id, &message);
    WAIT(b->received[CHIRR_MESSAGE_RECORDS] == 1);
    cr_assert_eq(b->last_marks, 1);
    cr_assert_eq(b->last_marked, c->identity.id);
    cr_assert_eq(dropped(b, CHIRR_DROP_UNTRUSTED), STRANGERS);
    message = (struct chirr_message){.kind = CHIRR_MESSAGE_DIGEST,
                                     .digest = {.count = STRANGERS + 1, .entries = marks}};
    chirr_transport_send(a->transport, b->identity.id, &message);
    WAIT(b->received[CHIRR_MESSAGE_DIGEST] == 1);
    cr_assert_eq(b->last_marks, 1);
    cr_assert_eq(b->last_marked, c->identity.id);
    cr_assert_eq(dropped(b, CHIRR_DROP_UNTRUSTED), 2 * STRANGERS);
}

static void send_delta(struct node *node, const struct node *to, struct chirr_delta_message delta)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_DELTA, .delta = delta};
    chirr_transport_send(node->transport, to->identity.id, &message);
}

Test(transport_security, anybody_may_pass_on_a_delta_that_its_origin_signed)
{
    struct chirr_delta_message delta = {c->identity.id, {1, 1}, 1, 0, 1, (const uint8_t *)"x", {0}};
    start_all();
    link_to(a, b);
    send_delta(a, b, delta);
    WAIT(dropped(b, CHIRR_DROP_SIGNATURE) == 1);
    cr_assert_eq(chirr_delta_sign(&delta, &c->identity), CHIRR_OK);
    send_delta(a, b, delta);
    send_delta(a, b, delta);
    WAIT(b->received[CHIRR_MESSAGE_DELTA] == 2);
    delta.payload = (const uint8_t *)"y"; /* changed on the way */
    send_delta(a, b, delta);
    WAIT(dropped(b, CHIRR_DROP_SIGNATURE) == 2);
    struct chirr_identity stranger = generate_identity(&random_stream);
    delta.origin = stranger.id;
    cr_assert_eq(chirr_delta_sign(&delta, &stranger), CHIRR_OK);
    send_delta(a, b, delta);
    WAIT(dropped(b, CHIRR_DROP_UNTRUSTED) == 1);
    cr_assert_eq(b->received[CHIRR_MESSAGE_DELTA], 2);
}

Test(transport_security, a_record_is_verified_once_and_a_second_content_of_its_stamp_again)
{
    struct chirr_record record;
    start_all();
    link_to(a, b);
    link_to(c, b);
    const struct chirr_transport_counters *counters = chirr_transport_count(b->transport);
    generate_record(&random_stream, &c->identity, CHIRR_RECORD_CLAIMS, &record);
    send_records(a, b, &record, 1);
    WAIT(b->received[CHIRR_MESSAGE_RECORDS] == 1);
    cr_assert_eq(counters->signatures_verified, 1);
    send_records(c, b, &record, 1); /* over another link */
    WAIT(b->received[CHIRR_MESSAGE_RECORDS] == 2);
    cr_assert_eq(counters->signatures_verified, 1);
    cr_assert_eq(counters->signatures_known, 1);
    record.claims = (struct chirr_claims){.count = 1, .claims = {{77, 1, 5}}};
    send_records(a, b, &record, 1); /* the old signature does not cover it */
    WAIT(dropped(b, CHIRR_DROP_SIGNATURE) == 1);
    cr_assert_eq(chirr_record_sign(&record, &c->identity), CHIRR_OK);
    send_records(a, b, &record, 1); /* it reaches the node, which sees that they differ */
    WAIT(b->received[CHIRR_MESSAGE_RECORDS] == 3);
    cr_assert_eq(counters->signatures_verified, 3);
    record.signature[0] ^= 1;
    send_records(a, b, &record, 1);
    WAIT(dropped(b, CHIRR_DROP_SIGNATURE) == 2);
    cr_assert_eq(counters->signatures_known, 1);
}

static void send_view(struct node *node, const struct node *to, enum chirr_view_verb verb,
                      const struct chirr_record *cards, uint32_t count)
{
    struct chirr_message message = {
        .kind = CHIRR_MESSAGE_VIEW,
        .view = {.verb = verb, .origin = cards[0].author, .count = count, .cards = cards}};
    chirr_transport_send(node->transport, to->identity.id, &message);
}

Test(transport_security, cards_of_strangers_and_forged_ones_are_cut_out)
{
    struct chirr_record cards[2];
    struct chirr_identity stranger = generate_identity(&random_stream);
    start_all();
    link_to(a, b);
    generate_record(&random_stream, &a->identity, CHIRR_RECORD_CARD, &cards[0]);
    generate_record(&random_stream, &stranger, CHIRR_RECORD_CARD, &cards[1]);
    send_view(a, b, CHIRR_VIEW_SHUFFLE, cards, 2);
    WAIT(b->received[CHIRR_MESSAGE_VIEW] == 1);
    cr_assert_eq(b->last_records, 1);
    cr_assert_eq(dropped(b, CHIRR_DROP_UNTRUSTED), 1);
    send_view(a, b, CHIRR_VIEW_FORWARD_JOIN, cards + 1, 1); /* about nobody, then */
    WAIT(dropped(b, CHIRR_DROP_UNTRUSTED) == 2);
    cards[0].signature[0] ^= 1;
    send_view(a, b, CHIRR_VIEW_JOIN, cards, 1);
    WAIT(dropped(b, CHIRR_DROP_SIGNATURE) == 1);
    cr_assert_eq(b->received[CHIRR_MESSAGE_VIEW], 1);
}

Test(transport_security, what_is_had_or_asked_for_of_strangers_is_cut_out)
{
    struct chirr_digest_entry entries[2] = {{c->identity.id, {1, 1}}, {12345, {1, 1}}};
    struct chirr_message message = {.kind = CHIRR_MESSAGE_GRAFT,
                                    .have = {.count = 2, .entries = entries}};
    start_all();
    link_to(a, b);
    chirr_transport_send(a->transport, b->identity.id, &message);
    WAIT(b->received[CHIRR_MESSAGE_GRAFT] == 1);
    cr_assert_eq(b->last_marks, 1);
    message.have = (struct chirr_have){.count = 1, .entries = entries + 1};
    chirr_transport_send(a->transport, b->identity.id, &message); /* nothing is left of it */
    WAIT(dropped(b, CHIRR_DROP_UNTRUSTED) == 2);
    cr_assert_eq(b->received[CHIRR_MESSAGE_GRAFT], 1);
}
