#include "agent/node.h"

#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <string.h>

#include "base/random.h"
#include "tests/fuzz/node_input.h"
#include "tests/support/sample.h"

/* One node among peers who replay, reorder, flood and lie. What they say is valid: what is not,
 * codec and transport have kept out. */

#define PEERS 5 /* agents 1…PEERS are known to node 0 */
#define INCARNATION 1000
#define FLOOD 100000

struct tally {
    uint64_t outputs, sends, publishes, grafts, connects;
    uint64_t applies, deltas; /* deltas: published */
    uint64_t to_peer2;        /* sent to agent 2 */
    bool restated;            /* own claims were published */
};

static struct chirr_arena arena;
static struct chirr_node *node;
static struct tally tally;
static chirr_time_us now;

static void count(const struct chirr_output *output)
{
    tally.outputs++;
    tally.sends += output->kind == CHIRR_OUTPUT_SEND;
    tally.publishes += output->kind == CHIRR_OUTPUT_PUBLISH;
    tally.connects += output->kind == CHIRR_OUTPUT_CONNECT;
    tally.applies += output->kind == CHIRR_OUTPUT_APPLY;
    tally.deltas +=
        output->kind == CHIRR_OUTPUT_PUBLISH && output->message->kind == CHIRR_MESSAGE_DELTA;
    if (output->kind == CHIRR_OUTPUT_SEND) {
        tally.grafts += output->message->kind == CHIRR_MESSAGE_GRAFT;
        tally.to_peer2 += output->to == sample_agent(2);
    }
    if (output->kind == CHIRR_OUTPUT_SEND || output->kind == CHIRR_OUTPUT_PUBLISH) {
        cr_assert_eq(chirr_message_validate(output->message), CHIRR_OK);
    }
    if (output->kind == CHIRR_OUTPUT_PUBLISH && output->message->kind == CHIRR_MESSAGE_RECORDS) {
        const struct chirr_record *record = &output->message->records.records[0];
        tally.restated = tally.restated ||
                         (record->kind == CHIRR_RECORD_CLAIMS && record->author == sample_agent(0));
    }
}

static void drain(void)
{
    struct chirr_output output;
    while (chirr_node_poll(node, &output)) {
        count(&output);
    }
}

static void run(chirr_time_us for_us)
{
    chirr_time_us until = now + for_us;
    drain();
    while (chirr_node_deadline(node) <= until) {
        now = chirr_node_deadline(node) > now ? chirr_node_deadline(node) : now;
        chirr_node_tick(node, now);
        drain();
    }
    now = until;
}

static enum chirr_err say(uint32_t from, const struct chirr_message *message)
{
    return chirr_node_receive(node, sample_agent(from), message, now);
}

static enum chirr_err say_record(uint32_t from, const struct chirr_record *record)
{
    const struct chirr_message message = {.kind = CHIRR_MESSAGE_RECORDS,
                                          .records = {.count = 1, .records = record}};
    return say(from, &message);
}

static struct chirr_record claims_of(uint32_t author, uint64_t version, int64_t bid)
{
    struct chirr_record record = sample_claims(sample_task(1, 1).task.id, bid);
    return sample_stamped(&record, author, INCARNATION, version);
}

static struct chirr_record card_of(uint32_t author)
{
    struct chirr_record card = sample_card(author);
    return sample_stamped(&card, author, INCARNATION, 1);
}

static enum chirr_err tell_of(uint32_t from, uint32_t about, uint64_t incarnation,
                              enum chirr_member_status status)
{
    const struct chirr_message message = {.kind = CHIRR_MESSAGE_GOSSIP,
                                          .gossip = {.count = 1,
                                                     .updates = {{.agent = sample_agent(about),
                                                                  .incarnation = incarnation,
                                                                  .status = status}}}};
    return say(from, &message);
}

/* Everybody but the silent says that it works. */
static void all_beat(uint64_t sequence)
{
    const struct chirr_message beat = {
        .kind = CHIRR_MESSAGE_HEARTBEAT,
        .heartbeat = {.incarnation = INCARNATION, .sequence = sequence}};
    for (uint32_t i = 1; i <= PEERS; i++) {
        cr_assert_eq(say(i, &beat), CHIRR_OK);
    }
}

static enum chirr_member_status status_of(uint32_t index)
{
    return chirr_membership_find(chirr_node_membership(node), sample_agent(index))->status;
}

static void setup(void)
{
    struct chirr_node_config config = chirr_node_config_default();
    config.incarnation = INCARNATION;
    config.seed = 1;
    config.card = sample_card(0).card;
    config.card.lineage = 77;
    config.card.hosted = 1;
    config.agents_max = 16;
    config.tasks_max = 32;
    cr_assert_eq(chirr_arena_init(&arena, chirr_node_bytes(&config)), CHIRR_OK);
    now = 0;
    node = chirr_node_create(&arena, &config, now);
    cr_assert_not_null(node);
    for (uint32_t i = 1; i <= PEERS; i++) {
        struct chirr_record card = card_of(i);
        cr_assert_eq(say_record(i, &card), CHIRR_OK);
    }
    run(CHIRR_US_PER_S);
    all_beat(1);
    memset(&tally, 0, sizeof tally);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

/* A valid message of this kind out of random bytes; a flattened copy at `memory`. */
static const struct chirr_message *random_message(struct chirr_random *random,
                                                  enum chirr_message_kind kind, void *memory,
                                                  size_t capacity)
{
    for (;;) {
        uint8_t bytes[4096];
        for (size_t i = 0; i < sizeof bytes; i += 4) {
            uint32_t word = chirr_random_u32(random);
            memcpy(&bytes[i], &word, 4);
        }
        bytes[0] = (uint8_t)(kind - CHIRR_MESSAGE_PING);
        struct node_input input = {bytes, bytes + sizeof bytes, INCARNATION};
        struct chirr_message message;
        node_input_message(&input, &message);
        if (chirr_message_validate(&message) == CHIRR_OK &&
            chirr_message_copy_bytes(&message) <= capacity) {
            return chirr_message_copy(memory, &message);
        }
    }
}

/* ---- Floods -------------------------------------------------------------------------------- */

#define VARIANTS 16
#define VARIANT_BYTES ((size_t)64 * 1024)

static void still_serves_others(void)
{
    const struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                       .probe = {.sequence = 1, .target = sample_agent(0)}};
    uint64_t before = tally.to_peer2;
    enum chirr_err err = say(2, &ping);
    cr_assert(err == CHIRR_OK || err == CHIRR_ERR_NOTFOUND);
    drain();
    cr_assert_gt(tally.to_peer2, before);
}

/* What a flood may cause: next to nothing where nothing is asked, what queues and budgets allow
 * where something is, and an answer each where that costs as little as the question. */
enum {
    UNASKED = FLOOD / 100,
    BOUNDED = FLOOD / 20,
    ANSWERED = FLOOD / 2, /* not every variant asks */
};

/* Over ten seconds, drained every hundred messages as a busy process does, a thousand times as much
 * as a peer of good will says. Another is answered all along. */
static void flood(enum chirr_message_kind kind, uint64_t outputs_max)
{
    _Alignas(16) static uint8_t memory[VARIANTS][VARIANT_BYTES];
    struct chirr_random random;
    chirr_random_init(&random, 1, kind);
    const struct chirr_message *messages[VARIANTS];
    for (uint32_t i = 0; i < VARIANTS; i++) {
        messages[i] = random_message(&random, kind, memory[i], VARIANT_BYTES);
    }
    size_t used = arena.used;
    for (uint32_t i = 0; i < FLOOD; i++) {
        enum chirr_err err = say(1, messages[i % VARIANTS]);
        cr_assert_neq(err, CHIRR_ERR_NOMEM);
        if (i % 100 == 99) {
            run(10 * CHIRR_US_PER_MS);
            still_serves_others();
        }
    }
    cr_assert_eq(arena.used, used);
    cr_log_info("%s: %llu outputs, %llu sent, %llu published", chirr_message_kind_name(kind),
                (unsigned long long)tally.outputs, (unsigned long long)tally.sends,
                (unsigned long long)tally.publishes);
    cr_assert_leq(tally.outputs - tally.to_peer2, outputs_max, "%s: %llu outputs",
                  chirr_message_kind_name(kind), (unsigned long long)tally.outputs);
}

#define FLOOD_TEST(name, kind, outputs_max)                                                        \
    Test(node_hostile, name, .init = setup, .fini = teardown)                                      \
    {                                                                                              \
        flood(kind, outputs_max);                                                                  \
    }

FLOOD_TEST(a_flood_of_pings_is_bounded_work, CHIRR_MESSAGE_PING, ANSWERED)
FLOOD_TEST(a_flood_of_ping_requests_is_bounded_work, CHIRR_MESSAGE_PING_REQUEST, ANSWERED)
FLOOD_TEST(a_flood_of_acks_is_bounded_work, CHIRR_MESSAGE_ACK, UNASKED)
FLOOD_TEST(a_flood_of_nacks_is_bounded_work, CHIRR_MESSAGE_NACK, UNASKED)
FLOOD_TEST(a_flood_of_gossip_is_bounded_work, CHIRR_MESSAGE_GOSSIP, UNASKED)
FLOOD_TEST(a_flood_of_heartbeats_is_bounded_work, CHIRR_MESSAGE_HEARTBEAT, UNASKED)
FLOOD_TEST(a_flood_of_records_is_bounded_work, CHIRR_MESSAGE_RECORDS, UNASKED)
FLOOD_TEST(a_flood_of_deltas_is_bounded_work, CHIRR_MESSAGE_DELTA, UNASKED)
FLOOD_TEST(a_flood_of_views_is_bounded_work, CHIRR_MESSAGE_VIEW, ANSWERED)
FLOOD_TEST(a_flood_of_announcements_is_bounded_work, CHIRR_MESSAGE_HAVE, UNASKED)
FLOOD_TEST(a_flood_of_grafts_is_bounded_work, CHIRR_MESSAGE_GRAFT, BOUNDED)

Test(node_hostile, a_flood_of_digests_is_bounded_work_and_what_is_not_answered_is_counted,
     .init = setup, .fini = teardown)
{
    flood(CHIRR_MESSAGE_DIGEST, BOUNDED);
    cr_assert_gt(chirr_dissemination_count(chirr_node_dissemination(node)).dropped, 0);
}

/* ---- Replay and disorder ------------------------------------------------------------------- */

Test(node_hostile, what_is_said_again_and_again_changes_nothing_more, .init = setup,
     .fini = teardown)
{
    struct chirr_record claims = claims_of(3, 9, 5);
    cr_assert_eq(say_record(3, &claims), CHIRR_OK);
    drain();
    uint64_t joined = chirr_records_count(chirr_node_records(node))->joined;
    uint64_t hash = chirr_node_state_hash(node);
    memset(&tally, 0, sizeof tally);
    for (int i = 0; i < 10000; i++) {
        cr_assert_eq(say_record(1 + (uint32_t)i % PEERS, &claims), CHIRR_OK);
        drain();
    }
    cr_assert_eq(chirr_node_state_hash(node), hash);
    cr_assert_eq(chirr_records_count(chirr_node_records(node))->joined, joined);
    cr_assert_leq(tally.outputs, 10);
}

Test(node_hostile, an_old_statement_after_a_new_one_does_not_bring_the_old_back, .init = setup,
     .fini = teardown)
{
    for (uint64_t version = 20; version >= 2; version--) {
        struct chirr_record claims = claims_of(3, version, (int64_t)version);
        cr_assert_eq(say_record(1, &claims), CHIRR_OK);
        drain();
        const struct chirr_record *held =
            chirr_records_claims(chirr_node_records(node), sample_agent(3));
        cr_assert_eq(held->claims.claims[0].bid, 20);
    }
    cr_assert_eq(tell_of(1, 3, INCARNATION - 1, CHIRR_MEMBER_DEAD), CHIRR_OK);
    cr_assert_eq(status_of(3), CHIRR_MEMBER_ALIVE);
}

/* ---- Lies about others --------------------------------------------------------------------- */

Test(node_hostile, a_liar_buries_nobody_who_works, .init = setup, .fini = teardown)
{
    for (uint64_t i = 2; i < 32; i++) {
        cr_assert_eq(tell_of(1, 2, INCARNATION, CHIRR_MEMBER_DEAD), CHIRR_OK);
        cr_assert_eq(tell_of(1, 3, INCARNATION, CHIRR_MEMBER_LEFT), CHIRR_OK);
        all_beat(i);
        run(CHIRR_US_PER_S);
        cr_assert(chirr_membership_is_live(chirr_node_membership(node), sample_agent(2)));
        cr_assert(chirr_membership_is_live(chirr_node_membership(node), sample_agent(3)));
    }
}

Test(node_hostile, who_is_driven_up_proves_its_incarnation_with_a_statement, .init = setup,
     .fini = teardown)
{
    uint64_t far = INCARNATION + CHIRR_INCARNATION_LEAD_MAX;
    cr_assert_eq(tell_of(1, 0, UINT64_MAX - 1, CHIRR_MEMBER_DEAD), CHIRR_OK);
    run(2 * CHIRR_US_PER_S);
    cr_assert_eq(chirr_membership_incarnation(chirr_node_membership(node)), INCARNATION);
    cr_assert_eq(tell_of(1, 0, far, CHIRR_MEMBER_DEAD), CHIRR_OK);
    memset(&tally, 0, sizeof tally);
    run(2 * CHIRR_US_PER_S);
    cr_assert(tally.restated);
    cr_assert_eq(chirr_node_count(node)->incarnations_proven, 1);
    const struct chirr_record *claims =
        chirr_records_claims(chirr_node_records(node), sample_agent(0));
    cr_assert_eq(claims->stamp.incarnation, far + 1);
    const struct chirr_record *card = chirr_records_card(chirr_node_records(node), sample_agent(0));
    cr_assert_eq(card->stamp.incarnation, INCARNATION, "no new life");
}

Test(node_hostile, a_statement_lets_others_believe_a_driven_up_incarnation, .init = setup,
     .fini = teardown)
{
    uint64_t far = INCARNATION + CHIRR_INCARNATION_LEAD_MAX + 1;
    cr_assert_eq(tell_of(1, 3, far, CHIRR_MEMBER_ALIVE), CHIRR_OK);
    const struct chirr_member *member =
        chirr_membership_find(chirr_node_membership(node), sample_agent(3));
    cr_assert_eq(member->incarnation, INCARNATION);
    struct chirr_record claims = claims_of(3, 1, 5);
    claims.stamp.incarnation = far;
    cr_assert_eq(say_record(1, &claims), CHIRR_OK);
    drain();
    cr_assert_eq(tell_of(1, 3, far, CHIRR_MEMBER_ALIVE), CHIRR_OK);
    cr_assert_eq(member->incarnation, far);
}

Test(node_hostile, a_false_mark_keeps_no_statement_out, .init = setup, .fini = teardown)
{
    const struct chirr_digest_entry marks[] = {{sample_agent(3), {UINT64_MAX, UINT64_MAX}}};
    const struct chirr_message records = {.kind = CHIRR_MESSAGE_RECORDS,
                                          .records = {.covered_count = 1, .covered = marks}};
    const struct chirr_message digest = {
        .kind = CHIRR_MESSAGE_DIGEST,
        .digest = {.answer_wanted = true, .buckets = UINT64_MAX, .count = 1, .entries = marks}};
    cr_assert_eq(say(1, &records), CHIRR_OK);
    cr_assert_eq(say(1, &digest), CHIRR_OK);
    run(CHIRR_US_PER_S);
    struct chirr_record claims = claims_of(3, 2, 5);
    cr_assert_eq(say_record(2, &claims), CHIRR_OK);
    cr_assert_not_null(chirr_records_claims(chirr_node_records(node), sample_agent(3)));
}

Test(node_hostile, what_is_announced_but_never_comes_is_asked_for_a_bounded_number_of_times,
     .init = setup, .fini = teardown)
{
    const struct chirr_digest_entry lies[] = {{sample_agent(3), {INCARNATION, 50}},
                                              {sample_agent(4), {UINT64_MAX, UINT64_MAX}}};
    const struct chirr_message have = {.kind = CHIRR_MESSAGE_HAVE,
                                       .have = {.count = 2, .entries = lies}};
    cr_assert_eq(say(1, &have), CHIRR_OK);
    for (uint64_t i = 2; i < 62; i++) {
        all_beat(i);
        run(CHIRR_US_PER_S);
    }
    cr_assert_leq(tally.grafts, 16);
}

/* ---- Views --------------------------------------------------------------------------------- */

static enum chirr_err walk(uint32_t from, uint32_t origin, enum chirr_view_verb verb)
{
    const struct chirr_record card = card_of(origin);
    const struct chirr_message message = {
        .kind = CHIRR_MESSAGE_VIEW,
        .view = {
            .verb = verb, .origin = sample_agent(origin), .hops = 16, .count = 1, .cards = &card}};
    return say(from, &message);
}

Test(node_hostile, a_walk_never_multiplies, .init = setup, .fini = teardown)
{
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(walk(1, 3, CHIRR_VIEW_FORWARD_JOIN), CHIRR_OK);
        cr_assert_eq(walk(1, 3, CHIRR_VIEW_SHUFFLE), CHIRR_OK);
        drain();
    }
    cr_assert_leq(tally.sends, 2000);
}

Test(node_hostile, the_card_of_the_dead_in_a_view_does_not_bring_them_back, .init = setup,
     .fini = teardown)
{
    cr_assert_eq(tell_of(3, 3, INCARNATION, CHIRR_MEMBER_LEFT), CHIRR_OK);
    drain();
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(walk(1, 3, CHIRR_VIEW_FORWARD_JOIN), CHIRR_OK);
        run(CHIRR_US_PER_MS);
    }
    cr_assert_eq(status_of(3), CHIRR_MEMBER_LEFT);
    cr_assert(!chirr_overlay_is_neighbour(chirr_node_overlay(node), sample_agent(3)));
}

Test(node_hostile, a_walk_of_its_own_ends_and_its_own_card_changes_nothing, .init = setup,
     .fini = teardown)
{
    uint64_t hash = chirr_node_state_hash(node);
    const struct chirr_record own = *chirr_records_card(chirr_node_records(node), sample_agent(0));
    const struct chirr_message message = {.kind = CHIRR_MESSAGE_VIEW,
                                          .view = {.verb = CHIRR_VIEW_FORWARD_JOIN,
                                                   .origin = sample_agent(0),
                                                   .hops = 16,
                                                   .count = 1,
                                                   .cards = &own}};
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(say(1, &message), CHIRR_OK);
        drain();
    }
    cr_assert_eq(tally.sends, 0);
    cr_assert_eq(chirr_node_state_hash(node), hash);
}

/* ---- Clocks, equivocation, drivers --------------------------------------------------------- */

Test(node_hostile, a_clock_that_jumps_ahead_buries_nobody, .init = setup, .fini = teardown)
{
    run(CHIRR_US_PER_S);
    now += 3 * INT64_C(3600) * CHIRR_US_PER_S;
    chirr_node_tick(node, now);
    drain();
    for (uint64_t i = 2; i < 12; i++) {
        all_beat(i);
        run(CHIRR_US_PER_S);
    }
    for (uint32_t i = 1; i <= PEERS; i++) {
        cr_assert_eq(status_of(i), CHIRR_MEMBER_ALIVE);
    }
}

Test(node_hostile, a_clock_that_jumps_back_is_held_still, .init = setup, .fini = teardown)
{
    chirr_time_us before = now;
    chirr_time_us deadline = chirr_node_deadline(node);
    now -= 3 * INT64_C(3600) * CHIRR_US_PER_S;
    chirr_node_tick(node, now);
    all_beat(2);
    still_serves_others();
    cr_assert_eq(chirr_node_deadline(node), deadline);
    cr_assert_geq(chirr_node_count(node)->clock_steps_back, 1 + PEERS);
    now = before;
    run(10 * CHIRR_US_PER_S);
    cr_assert_gt(chirr_node_deadline(node), now);
}

Test(node_hostile, who_says_two_things_under_one_stamp_is_believed_no_more, .init = setup,
     .fini = teardown)
{
    struct chirr_record first = claims_of(3, 5, 1);
    struct chirr_record second = claims_of(3, 5, 2);
    struct chirr_record later = claims_of(3, 6, 3);
    cr_assert_eq(say_record(1, &first), CHIRR_OK);
    cr_assert_eq(say_record(2, &second), CHIRR_ERR_EQUIVOCATION);
    cr_assert(chirr_records_is_quarantined(chirr_node_records(node), sample_agent(3)));
    cr_assert_neq(say_record(2, &later), CHIRR_OK);
    static const uint8_t payload[8];
    const struct chirr_message delta = {.kind = CHIRR_MESSAGE_DELTA,
                                        .delta = {.origin = sample_agent(3),
                                                  .stamp = {INCARNATION, 9},
                                                  .lineage = 77,
                                                  .payload_bytes = sizeof payload,
                                                  .payload = payload}};
    cr_assert_eq(say(2, &delta), CHIRR_ERR_UNTRUSTED);
    cr_assert_eq(chirr_node_count(node)->refused, 3);
}

static enum chirr_err say_delta(uint32_t from, uint64_t version)
{
    static const uint8_t payload[8];
    const struct chirr_message delta = {.kind = CHIRR_MESSAGE_DELTA,
                                        .delta = {.origin = sample_agent(3),
                                                  .stamp = {INCARNATION, version},
                                                  .lineage = 77,
                                                  .payload_bytes = sizeof payload,
                                                  .payload = payload}};
    return say(from, &delta);
}

Test(node_hostile, a_delta_that_comes_again_is_no_drop_and_is_not_passed_on_again, .init = setup,
     .fini = teardown)
{
    const struct chirr_ledger_counters *ledger = chirr_ledger_count(chirr_node_ledger(node));
    uint64_t refused = chirr_node_count(node)->refused;
    /* Somebody who is no neighbour yet: it is no mesh, where nobody would pass anything on. */
    cr_assert_eq(walk(1, 9, CHIRR_VIEW_FORWARD_JOIN), CHIRR_OK);
    drain();
    for (uint32_t from = 1; from <= PEERS; from++) {
        cr_assert_eq(say_delta(from, 1000), CHIRR_OK);
        run(CHIRR_US_PER_S);
    }
    cr_assert_eq(tally.applies, 1);
    cr_assert_eq(tally.deltas, 1);
    cr_assert_eq(ledger->repeats, PEERS - 1);
    cr_assert_eq(chirr_node_count(node)->received[CHIRR_MESSAGE_DELTA], PEERS);
    cr_assert_eq(chirr_node_count(node)->refused, refused);

    cr_assert_eq(say_delta(1, 1000 - CHIRR_LEDGER_WINDOW - 1), CHIRR_ERR_STALE);
    cr_assert_eq(ledger->stale, 1);
    cr_assert_eq(chirr_node_count(node)->refused, refused + 1);
}

Test(node_hostile, an_input_before_all_is_polled_loses_a_message_and_sends_nothing_wrong,
     .init = setup, .fini = teardown)
{
    struct chirr_output output;
    cr_assert_eq(walk(1, 9, CHIRR_VIEW_FORWARD_JOIN), CHIRR_OK); /* a newcomer's card */
    drain();
    const struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                       .probe = {.sequence = 1, .target = sample_agent(0)}};
    cr_assert_eq(say(9, &ping), CHIRR_OK);
    do {
        cr_assert(chirr_node_poll(node, &output));
    } while (output.kind != CHIRR_OUTPUT_CONNECT);
    cr_assert_eq(say(9, &ping), CHIRR_OK);
    cr_assert_eq(chirr_node_count(node)->interrupted, 1);
    drain();
    still_serves_others();
}
