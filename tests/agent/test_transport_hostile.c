/* What a peer with a trusted key can do to an agent: bad frames and floods, over real sockets.
 *
 * Each is refused or bounded, and counted, and an honest peer is served all along. What a node does
 * with a flood of valid messages is test_node_hostile.c's; noise from whoever has no key,
 * test_transport_security.c's. */
#include "agent/transport.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/transport_state.h"
#include "base/wire.h"
#include "tests/agent/transport_nodes.h"
#include "tests/agent/transport_raw.h"

TestSuite(transport_hostile, .init = nodes_setup, .fini = nodes_teardown, .timeout = 120);

#define POUR_PATIENCE_US (CHIRR_US_PER_S / 2)
#define ARRIVAL_US 200000 /* for what was sent; if some of it is late, a test proves less */

/* ---- Bad frames --------------------------------------------------------------------------------
 */

#define VERSION_AT 4 /* in a frame's header */
#define LENGTH_AT 8

/* The attacker's way to b: a DEALER, or a publisher that b listens to. */
struct way {
    void *raw;
    const char *topic; /* NULL: the DEALER */
};

static bool try_to_say(const struct way *way, const uint8_t *frame, size_t bytes)
{
    return (way->topic == NULL ||
            zmq_send(way->raw, way->topic, strlen(way->topic), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0) &&
           zmq_send(way->raw, frame, bytes, ZMQ_DONTWAIT) >= 0;
}

static void say(const struct way *way, const uint8_t *frame, size_t bytes)
{
    chirr_time_us deadline = now_us() + NODES_DEADLINE_US;
    while (!try_to_say(way, frame, bytes)) {
        cr_assert_lt(now_us(), deadline);
        usleep(1000);
    }
}

/* An honest peer is heard, and so is the attacker once it says something good. */
static void still_serves(const struct way *way)
{
    static uint32_t sequence;
    uint8_t frame[512];
    ping(c, b, ++sequence);
    WAIT(b->last_sequence == sequence && b->last_from == c->identity.id);
    unsigned before = b->received[CHIRR_MESSAGE_PING];
    say(way, frame, seal_ping(&a->identity, false, frame, sizeof frame));
    WAIT(b->received[CHIRR_MESSAGE_PING] == before + 1);
}

static void refuses(const struct way *way, const uint8_t *frame, size_t bytes,
                    enum chirr_transport_drop reason)
{
    uint64_t before[CHIRR_DROP_COUNT];
    memcpy(before, chirr_transport_count(b->transport)->dropped, sizeof before);
    before[reason]++;
    say(way, frame, bytes);
    WAIT(dropped(b, reason) == before[reason]);
    still_serves(way);
    cr_assert_arr_eq(chirr_transport_count(b->transport)->dropped, before, sizeof before,
                     "%zu bytes were to be counted as %s alone", bytes,
                     chirr_transport_drop_name(reason));
}

/* A message with a record of a layout that is not known yet. */
static size_t seal_future_record(uint8_t *frame, size_t capacity)
{
    static const uint8_t format[] = {0x08, 0x01}; /* field 1, the first of a record */
    struct chirr_record record;
    size_t bytes;
    generate_record(&random_stream, &a->identity, CHIRR_RECORD_CARD, &record);
    struct chirr_message message = {.kind = CHIRR_MESSAGE_RECORDS,
                                    .records = {.count = 1, .records = &record}};
    cr_assert_eq(chirr_frame_seal(&message, &a->identity, false, frame, capacity, &bytes),
                 CHIRR_OK);
    uint8_t *found =
        memmem(frame + CHIRR_FRAME_HEADER_BYTES, bytes - CHIRR_FRAME_HEADER_BYTES, format, 2);
    cr_assert_not_null(found);
    found[1] = 0x02;
    raw_digest(frame, bytes);
    return bytes;
}

static void refuses_each(const struct way *way)
{
    static uint8_t frame[CHIRR_FRAME_BYTES_MAX + 1];
    size_t bytes = seal_ping(&a->identity, false, frame, sizeof frame);
    refuses(way, frame, CHIRR_FRAME_BYTES_MAX + 1, CHIRR_DROP_OVERSIZED);
    for (size_t cut = 0; cut < bytes; cut++) {
        refuses(way, frame, cut, CHIRR_DROP_MALFORMED);
    }
    refuses(way, frame, bytes + 1, CHIRR_DROP_MALFORMED);
    chirr_wire_put_u16(frame + VERSION_AT, CHIRR_WIRE_VERSION + 1);
    refuses(way, frame, bytes, CHIRR_DROP_VERSION);
    chirr_wire_put_u16(frame + VERSION_AT, CHIRR_WIRE_VERSION - 1);
    refuses(way, frame, bytes, CHIRR_DROP_VERSION);
    bytes = seal_future_record(frame, sizeof frame);
    refuses(way, frame, bytes, CHIRR_DROP_VERSION);
}

static void start_patiently(void)
{
    for (int i = 0; i < NODES_MAX; i++) {
        nodes[i].config.silence_ms = 0;
    }
    start_all();
    link_as(c, b, CHIRR_LINK_UNICAST);
}

Test(transport_hostile, bad_frames_that_are_sent_are_each_counted_under_their_reason)
{
    start_patiently();
    struct chirr_peer_address address = address_of(b);
    const struct way way = {.raw =
                                raw_client(ZMQ_DEALER, &a->identity, b, address.unicast_endpoint)};
    refuses_each(&way);
    raw_close(way.raw);
}

/* What is published before the subscription stands reaches nobody. */
static void wait_until_heard(const struct way *way)
{
    uint8_t frame[512];
    size_t bytes = seal_ping(&a->identity, false, frame, sizeof frame);
    WAIT_DOING(try_to_say(way, frame, bytes), b->received[CHIRR_MESSAGE_PING] > 0);
    unsigned before;
    do { /* the last of those */
        before = b->received[CHIRR_MESSAGE_PING];
        usleep(ARRIVAL_US);
        turn();
    } while (b->received[CHIRR_MESSAGE_PING] > before);
}

Test(transport_hostile, bad_frames_that_are_published_are_each_counted_under_their_reason)
{
    start_patiently();
    const struct way way = {.raw = raw_publisher(ZMQ_PUB, a, b), .topic = "h/"};
    wait_until_heard(&way);
    refuses_each(&way);
    raw_close(way.raw);
}

Test(transport_hostile, frames_of_noise_and_of_too_many_parts_are_counted_and_dropped)
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
    uint8_t frame[512];
    size_t bytes = seal_ping(&a->identity, false, frame, sizeof frame);
    zmq_send(raw, frame, bytes, ZMQ_SNDMORE); /* good, but for what follows */
    zmq_send(raw, noise, sizeof noise, ZMQ_SNDMORE);
    zmq_send(raw, noise, sizeof noise, 0);
    WAIT(dropped(b, CHIRR_DROP_MALFORMED) == 201);
    cr_assert_eq(b->received[CHIRR_MESSAGE_PING], 0);
    cr_assert_eq(b->lines, 1);
    raw_close(raw);
}

Test(transport_hostile, oversized_frames_are_counted_and_greater_ones_end_the_connection)
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

/* ---- Floods ------------------------------------------------------------------------------------
 */

/* What one call of receive does at most, each. */
enum { DROPS_TURN = 64, HANDSHAKES_TURN = 32, SUBSCRIPTIONS_TURN = 256 };

/* One call, as a loop makes it that has other things to do in between. */
static bool receive_once(struct node *node)
{
    chirr_agent_id from;
    struct chirr_message message;
    return chirr_transport_receive(node->transport, now_us(), &from, &message);
}

Test(transport_hostile, a_flood_of_noise_leaves_the_loop_its_turns)
{
    enum { NOISE = 3 * DROPS_TURN };
    uint8_t frame[512];
    start_patiently();
    struct chirr_peer_address address = address_of(b);
    const struct way way = {.raw =
                                raw_client(ZMQ_DEALER, &a->identity, b, address.unicast_endpoint)};
    wait_until_heard(&way);
    for (int i = 0; i < NOISE; i++) {
        say(&way, (const uint8_t *)"noise", 5);
    }
    say(&way, frame, seal_ping(&a->identity, false, frame, sizeof frame));
    bool heard = false;
    chirr_time_us deadline = now_us() + NODES_DEADLINE_US;
    usleep(ARRIVAL_US);
    while (!heard) {
        uint64_t before = dropped(b, CHIRR_DROP_MALFORMED);
        heard = receive_once(b);
        cr_assert_leq(dropped(b, CHIRR_DROP_MALFORMED) - before, DROPS_TURN);
        cr_assert_lt(now_us(), deadline);
    }
    cr_assert_eq(dropped(b, CHIRR_DROP_MALFORMED), NOISE);
    raw_close(way.raw);
}

Test(transport_hostile, a_flood_of_handshakes_leaves_the_loop_its_turns)
{
    enum { STRANGERS = 3 * HANDSHAKES_TURN };
    void *raw[STRANGERS];
    struct chirr_identity stranger = generate_identity(&random_stream);
    start_patiently();
    struct chirr_peer_address address = address_of(b);
    for (int i = 0; i < STRANGERS; i++) {
        raw[i] = raw_client(ZMQ_DEALER, &stranger, b, address.unicast_endpoint);
    }
    chirr_time_us deadline = now_us() + NODES_DEADLINE_US;
    usleep(ARRIVAL_US);
    while (dropped(b, CHIRR_DROP_UNTRUSTED) < STRANGERS) {
        uint64_t before = dropped(b, CHIRR_DROP_UNTRUSTED);
        cr_assert_not(receive_once(b));
        cr_assert_leq(dropped(b, CHIRR_DROP_UNTRUSTED) - before, HANDSHAKES_TURN);
        cr_assert_lt(now_us(), deadline);
    }
    cr_assert_eq(dropped(b, CHIRR_DROP_UNTRUSTED), STRANGERS);
    for (int i = 0; i < STRANGERS; i++) {
        raw_close(raw[i]);
    }
}

Test(transport_hostile, a_flood_of_subscriptions_leaves_the_loop_its_turns)
{
    enum { TOPICS = 3 * SUBSCRIPTIONS_TURN };
    b->config.queue_messages_max = 2 * TOPICS;
    start_patiently();
    struct chirr_peer_address address = address_of(b);
    void *raw = raw_client(ZMQ_XSUB, &a->identity, b, address.publish_endpoint);
    WAIT_DOING(zmq_send(raw, "\001h/", 3, ZMQ_DONTWAIT), subscribers(b, "h/", NULL) > 0);
    for (int i = 0; i < TOPICS; i++) {
        char topic[16];
        int bytes = snprintf(topic, sizeof topic, "%c%d", 1, i);
        cr_assert_gt(zmq_send(raw, topic, (size_t)bytes, 0), 0);
    }
    chirr_time_us deadline = now_us() + NODES_DEADLINE_US;
    usleep(ARRIVAL_US);
    while (b->transport->subscription_count < TOPICS + 1) {
        uint32_t before = b->transport->subscription_count;
        cr_assert_not(receive_once(b));
        cr_assert_leq(b->transport->subscription_count - before, SUBSCRIPTIONS_TURN);
        cr_assert_lt(now_us(), deadline);
    }
    raw_close(raw);
}

/* How many of these fit in between the attacker and what b has read of it. */
static uint32_t pour(const struct way *way, const uint8_t *frame, size_t bytes, uint32_t count_max)
{
    uint32_t count = 0;
    chirr_time_us moved_us = now_us();
    while (count < count_max && now_us() - moved_us < POUR_PATIENCE_US) {
        if (try_to_say(way, frame, bytes)) {
            count++;
            moved_us = now_us();
        } else {
            usleep(100);
        }
    }
    return count;
}

/* Fails without ZMQ_RCVHWM, or with libzmq's own, a thousand: the rest waits in the kernel's
 * buffers, some megabytes, and at who sends it. Nothing of it vanishes uncounted. */
static void waits_at_its_sender(const struct way *way)
{
    enum { POURED_MAX = 2000, FIT_MIN = 5, FIT_MAX = 400 };
    static uint8_t frame[CHIRR_FRAME_BYTES_MAX];
    seal_ping(&a->identity, false, frame, sizeof frame); /* good, but for its digest */
    chirr_wire_put_u32(frame + LENGTH_AT, sizeof frame - CHIRR_FRAME_HEADER_BYTES);
    wait_until_heard(way);
    uint64_t before = dropped(b, CHIRR_DROP_MALFORMED);
    uint32_t fit = pour(way, frame, sizeof frame, POURED_MAX);
    cr_assert_geq(fit, FIT_MIN, "%u frames: there was no flood", fit);
    cr_assert_leq(fit, FIT_MAX, "%u frames of %zu bytes", fit, sizeof frame);
    WAIT(dropped(b, CHIRR_DROP_MALFORMED) == before + fit);
    still_serves(way);
}

Test(transport_hostile, a_flood_that_is_sent_waits_at_its_sender)
{
    b->config.queue_messages_max = 4;
    raw_send_queue_max = 1;
    start_patiently();
    struct chirr_peer_address address = address_of(b);
    const struct way way = {.raw =
                                raw_client(ZMQ_DEALER, &a->identity, b, address.unicast_endpoint)};
    waits_at_its_sender(&way);
    raw_close(way.raw);
}

/* A publisher that waits for its subscribers instead of passing over those that are full. */
Test(transport_hostile, a_flood_that_is_published_waits_at_its_publisher)
{
    const int on = 1;
    b->config.queue_messages_max = 4;
    raw_send_queue_max = 1;
    start_patiently();
    const struct way way = {.raw = raw_publisher(ZMQ_XPUB, a, b), .topic = "h/"};
    zmq_setsockopt(way.raw, ZMQ_XPUB_NODROP, &on, sizeof on);
    waits_at_its_sender(&way);
    raw_close(way.raw);
}

/* Both ways are kept full, a hundred messages for each of the honest peer's. Fails where one
 * socket is read before all others: that is never empty. */
Test(transport_hostile, a_peer_that_says_a_hundred_times_as_much_delays_an_honest_one_by_few_turns)
{
    enum { ROUNDS = 200, FLOOD = 100, READ = 8, LATE_MAX = 20 };
    uint8_t frame[512];
    start_patiently();
    struct chirr_peer_address address = address_of(b);
    const struct way sent = {.raw =
                                 raw_client(ZMQ_DEALER, &a->identity, b, address.unicast_endpoint)};
    const struct way published = {.raw = raw_publisher(ZMQ_PUB, a, b), .topic = "h/"};
    wait_until_heard(&published);
    size_t bytes = seal_ping(&a->identity, false, frame, sizeof frame);
    uint32_t honest = 0;
    uint32_t flooded = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < FLOOD; i++) {
            try_to_say(&sent, frame, bytes);
            try_to_say(&published, frame, bytes);
        }
        ping(c, b, round);
        usleep(1000);
        for (int i = 0; i < READ; i++) {
            chirr_agent_id from = 0;
            struct chirr_message message;
            chirr_transport_receive(b->transport, now_us(), &from, &message);
            honest += from == c->identity.id;
            flooded += from == a->identity.id;
        }
    }
    cr_assert_geq(honest, ROUNDS - LATE_MAX, "%u of %u, and %u of the flood", honest, ROUNDS,
                  flooded);
    cr_assert_gt(flooded, ROUNDS, "there was no flood");
    raw_close(sent.raw);
    raw_close(published.raw);
}

/* Some 26 KiB. */
static void answer_at_length(struct node *node, chirr_agent_id to)
{
    enum { ENTRIES = 1024 };
    static struct chirr_digest_entry entries[ENTRIES];
    for (uint32_t i = 0; i < ENTRIES; i++) {
        entries[i] = (struct chirr_digest_entry){i + 1, {UINT64_MAX, UINT64_MAX}};
    }
    struct chirr_message answer = {.kind = CHIRR_MESSAGE_DIGEST,
                                   .digest = {.count = ENTRIES, .entries = entries}};
    chirr_transport_send(node->transport, to, &answer);
}

/* Answers what b hears: a at length, c with a few bytes. */
static void answer_once(void)
{
    chirr_agent_id from = 0;
    struct chirr_message question;
    if (!chirr_transport_receive(b->transport, now_us(), &from, &question)) {
        return;
    }
    if (from == a->identity.id) {
        answer_at_length(b, from);
    } else {
        ping(b, c, question.probe.sequence);
    }
}

/* Fails where only what goes out over an own connection is counted and bounded. */
Test(transport_hostile, who_asks_without_end_and_reads_no_answer_is_evicted_and_others_get_theirs)
{
    enum { TURNS_MAX = 100000, EVERY = 10, LATE_MAX = 20 };
    uint8_t frame[512];
    b->config.queue_messages_max = 4;
    b->config.stuck_ms = 500;
    start_patiently();
    link_as(b, c, CHIRR_LINK_UNICAST);
    struct chirr_peer_address address = address_of(b);
    const struct way way = {.raw =
                                raw_client(ZMQ_DEALER, &a->identity, b, address.unicast_endpoint)};
    size_t bytes = seal_ping(&a->identity, false, frame, sizeof frame);
    wait_until_heard(&way);
    link_as(b, a, CHIRR_LINK_UNICAST); /* over the connection that is there */
    cr_assert_null(chirr_transport_find_peer(b->transport, a->identity.id)->dealer);
    uint32_t asked = 0;
    uint32_t answered = 0;
    for (int i = 0; dropped(b, CHIRR_DROP_EVICTED) == 0; i++) {
        cr_assert_lt(i, TURNS_MAX);
        try_to_say(&way, frame, bytes);
        if (i % EVERY == 0) {
            ping(c, b, ++asked);
        }
        usleep(200);
        answer_once();
        answered += receive_once(c);
    }
    cr_assert_gt(dropped(b, CHIRR_DROP_SEND_FULL), 0);
    ping(b, a, 1);
    cr_assert_eq(dropped(b, CHIRR_DROP_CLOSED), 1);
    cr_assert_gt(asked, 2 * LATE_MAX);
    cr_assert_geq(answered + LATE_MAX, asked, "%u of %u questions were answered", answered, asked);
    raw_close(way.raw);
}

/* Everything that it can send, in parts that are no message of ours. */
static void flood_with_parts(void *raw)
{
    static const uint8_t part[16];
    int sent = 0;
    while (sent < 1000 && zmq_send(raw, part, sizeof part, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0) {
        zmq_send(raw, part, sizeof part, ZMQ_SNDMORE);
        zmq_send(raw, part, sizeof part, 0);
        sent++;
    }
}

/* Fails where connections are closed only when nothing waits to be read, since something always
 * does; and if libzmq aborted when a connection goes of which a message is half read, as it does
 * when a SUB disconnects. */
Test(transport_hostile, who_is_removed_is_cut_off_though_it_floods)
{
    enum { STEP_MS = 10, TURNS_MAX = 600 }; /* 25 are enough, if something arrives in each */
    start_patiently();
    struct chirr_peer_address address = address_of(b);
    void *raw = raw_client(ZMQ_DEALER, &a->identity, b, address.unicast_endpoint);
    void *ear = raw_client(ZMQ_SUB, &a->identity, b, address.publish_endpoint);
    zmq_setsockopt(ear, ZMQ_SUBSCRIBE, "h/", 2);
    link_to(c, b);
    WAIT_DOING(flood_with_parts(raw),
               dropped(b, CHIRR_DROP_MALFORMED) > 0 && subscribers(b, "h/", NULL) == 2);
    cr_assert_eq(chirr_keyring_remove(b->keyring, a->identity.id), CHIRR_OK);
    chirr_transport_cut(b->transport, a->identity.id);
    chirr_time_us now = now_us();
    for (int turns = 0; b->transport->kick; turns++) {
        cr_assert_lt(turns, TURNS_MAX);
        flood_with_parts(raw);
        usleep(STEP_MS * 1000); /* what a loop does besides; some of it arrives */
        chirr_transport_ready_look(b->transport);
        if (!chirr_transport_is_waiting(b->transport)) {
            continue;
        }
        now += STEP_MS * CHIRR_US_PER_MS;
        chirr_agent_id from;
        struct chirr_message message;
        cr_assert_not(chirr_transport_receive(b->transport, now, &from, &message));
    }
    WAIT(dropped(b, CHIRR_DROP_UNTRUSTED) >= 2); /* both knock again */
    WAIT_DOING(publish(b, CHIRR_TOPIC_HEARTBEAT), c->received[CHIRR_MESSAGE_HEARTBEAT] > 0);
    usleep(ARRIVAL_US); /* of what was said to it before */
    char words[64];
    while (zmq_recv(ear, words, sizeof words, ZMQ_DONTWAIT) >= 0) {
    }
    unsigned heard = c->received[CHIRR_MESSAGE_HEARTBEAT];
    WAIT_DOING(publish(b, CHIRR_TOPIC_HEARTBEAT), c->received[CHIRR_MESSAGE_HEARTBEAT] > heard + 9);
    cr_assert_lt(zmq_recv(ear, words, sizeof words, ZMQ_DONTWAIT), 0);
    raw_close(raw);
    raw_close(ear);
}

/* libzmq would keep them all, two thousand or two million. */
Test(transport_hostile, who_subscribes_without_end_is_cut_off_and_the_others_come_back)
{
    enum { TOO_MANY = CHIRR_SUBSCRIPTIONS_MAX + 100 };
    start_all();
    befriend(a, c);
    WAIT(subscribers(a, "e/", c) == 1);
    struct chirr_peer_address address = address_of(a);
    void *raw = raw_client(ZMQ_XSUB, &b->identity, a, address.publish_endpoint);
    WAIT_DOING(zmq_send(raw, "\001h/", 3, 0), a->transport->subscription_count > 1);
    uint32_t sent = 0;
    uint32_t count_max = 0;
    WAIT_DOING(
        {
            char topic[16];
            int bytes = snprintf(topic, sizeof topic, "%c%u", 1, sent);
            sent += zmq_send(raw, topic, (size_t)bytes, ZMQ_DONTWAIT) > 0;
            count_max = a->transport->subscription_count > count_max
                            ? a->transport->subscription_count
                            : count_max;
        },
        dropped(a, CHIRR_DROP_SUBSCRIPTION) > 0 || sent > 2 * TOO_MANY);
    WAIT(a->transport->subscription_count < CHIRR_SUBSCRIPTIONS_MAX / 2); /* though it goes on */
    raw_close(raw);
    cr_assert_leq(count_max, CHIRR_SUBSCRIPTIONS_MAX);
    cr_assert_gt(dropped(a, CHIRR_DROP_SUBSCRIPTION), 0);
    unsigned before = c->received[CHIRR_MESSAGE_HEARTBEAT];
    WAIT_DOING(publish(a, CHIRR_TOPIC_HEARTBEAT), c->received[CHIRR_MESSAGE_HEARTBEAT] > before);
}
