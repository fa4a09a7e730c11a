/* What each kind of message costs on a wire: docs/protocol.md says it, here it is measured.
 *
 * Stamps are as large as in a fleet: incarnations count microseconds of the wall clock, versions
 * take two bytes. A row that fails prints what the table must hold. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"
#include "tests/support/sample.h"

#define INCARNATION UINT64_C(1800000000000000)
#define VERSION 300

static struct chirr_record records[CHIRR_RECORDS_MAX];
static struct chirr_digest_entry entries[CHIRR_DIGEST_ENTRIES_MAX];
static uint8_t payload[CHIRR_DELTA_PAYLOAD_BYTES_MAX];

static void probe_of(struct chirr_message *message, uint32_t news)
{
    message->probe.sequence = 1000;
    message->probe.target = sample_agent(0);
    message->probe.news.count = news;
    for (uint32_t i = 0; i < news; i++) {
        message->probe.news.updates[i] =
            (struct chirr_member_update){sample_agent(i), INCARNATION, CHIRR_MEMBER_ALIVE, 0};
    }
}

static void gossip_of(struct chirr_message *message, uint32_t news)
{
    message->gossip.count = news;
    for (uint32_t i = 0; i < news; i++) {
        message->gossip.updates[i] = (struct chirr_member_update){
            sample_agent(i), INCARNATION, CHIRR_MEMBER_SUSPECT, sample_agent(i + 1)};
    }
}

static void heartbeat_of(struct chirr_message *message, uint32_t running)
{
    message->heartbeat = (struct chirr_heartbeat){INCARNATION, 1000, running, 1.5F};
}

static void use_records(struct chirr_message *message, uint32_t count)
{
    message->records = (struct chirr_records){.count = count, .records = records};
}

static void cards_of(struct chirr_message *message, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct chirr_record card = sample_card(i);
        records[i] = sample_stamped(&card, i, INCARNATION, VERSION);
    }
    use_records(message, count);
}

static void claims_of(struct chirr_message *message, uint32_t count)
{
    struct chirr_record claims = sample_claims(0, 0);
    for (uint32_t i = 0; i < count; i++) {
        claims.claims.claims[i] = (struct chirr_claim){sample_agent(i), 0, -2500000};
    }
    claims.claims.count = count;
    records[0] = sample_stamped(&claims, 0, INCARNATION, VERSION);
    use_records(message, 1);
}

static void tasks_of(struct chirr_message *message, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct chirr_record task = sample_task(0, UINT64_C(1) << 63 | i);
        records[i] = sample_stamped(&task, 0, INCARNATION, VERSION);
    }
    use_records(message, count);
}

static void trust_of(struct chirr_message *message, uint32_t count)
{
    struct chirr_record trust = sample_trust(0, false);
    for (uint32_t i = 0; i < count; i++) {
        trust.trust.changes[i] = sample_trust(i, true).trust.changes[0];
    }
    trust.trust.count = count;
    records[0] = sample_stamped(&trust, 0, INCARNATION, VERSION);
    use_records(message, 1);
}

static void fill_entries(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (struct chirr_digest_entry){i + 1, {INCARNATION, VERSION}};
    }
}

/* With the sender's own entry. */
static void summary_of(struct chirr_message *message, uint32_t buckets)
{
    fill_entries(1);
    message->digest = (struct chirr_digest_message){
        .answer_wanted = true, .salt = 1, .summary_count = buckets, .count = 1, .entries = entries};
}

static void digest_of(struct chirr_message *message, uint32_t authors)
{
    fill_entries(authors);
    message->digest =
        (struct chirr_digest_message){.buckets = 1, .count = authors, .entries = entries};
}

static void have_of(struct chirr_message *message, uint32_t statements)
{
    fill_entries(statements);
    message->have = (struct chirr_have){statements, entries};
}

static void view_of(struct chirr_message *message, uint32_t cards)
{
    static const enum chirr_view_verb by_cards[] = {CHIRR_VIEW_NEIGHBOUR, CHIRR_VIEW_JOIN};
    cards_of(message, cards);
    message->view = (struct chirr_view_message){
        .verb = cards < 2 ? by_cards[cards] : CHIRR_VIEW_SHUFFLE,
        .origin = sample_agent(0),
        .hops = cards < 2 ? 0 : 6,
        .count = cards,
        .cards = records,
    };
}

static void delta_of(struct chirr_message *message, uint32_t bytes)
{
    message->delta = (struct chirr_delta_message){.origin = sample_agent(0),
                                                  .stamp = {INCARNATION, VERSION},
                                                  .lineage = sample_agent(1),
                                                  .partition = 5,
                                                  .payload_bytes = bytes,
                                                  .payload = payload};
}

static const struct {
    const char *what;
    enum chirr_message_kind kind;
    bool is_published;
    void (*make)(struct chirr_message *message, uint32_t count);
    uint32_t count;
} rows[] = {
    {"ping, ack, nack: no news", CHIRR_MESSAGE_PING, false, probe_of, 0},
    {"ping, ack, nack: 16 news", CHIRR_MESSAGE_NACK, false, probe_of, 16},
    {"gossip: 1 suspicion", CHIRR_MESSAGE_GOSSIP, true, gossip_of, 1},
    {"gossip: 16 suspicions", CHIRR_MESSAGE_GOSSIP, true, gossip_of, 16},
    {"heartbeat", CHIRR_MESSAGE_HEARTBEAT, true, heartbeat_of, 1},
    {"records: 1 card", CHIRR_MESSAGE_RECORDS, true, cards_of, 1},
    {"records: claims to 4 tasks", CHIRR_MESSAGE_RECORDS, true, claims_of, 4},
    {"records: 1 open task", CHIRR_MESSAGE_RECORDS, true, tasks_of, 1},
    {"records: trust, 1 change", CHIRR_MESSAGE_RECORDS, true, trust_of, 1},
    {"records: trust, 40 changes", CHIRR_MESSAGE_RECORDS, true, trust_of, CHIRR_TRUST_CHANGES_MAX},
    {"records: 32 open tasks", CHIRR_MESSAGE_RECORDS, false, tasks_of, 32},
    {"digest: a summary", CHIRR_MESSAGE_DIGEST, false, summary_of, CHIRR_DIGEST_BUCKETS},
    {"digest: 16 authors", CHIRR_MESSAGE_DIGEST, false, digest_of, 16},
    {"digest: 2,048 authors", CHIRR_MESSAGE_DIGEST, false, digest_of, CHIRR_DIGEST_ENTRIES_MAX},
    {"have: 1 statement", CHIRR_MESSAGE_HAVE, true, have_of, 1},
    {"have: 64 statements", CHIRR_MESSAGE_HAVE, true, have_of, CHIRR_HAVE_ENTRIES_MAX},
    {"graft: 1 statement", CHIRR_MESSAGE_GRAFT, false, have_of, 1},
    {"view: neighbour, no card", CHIRR_MESSAGE_VIEW, false, view_of, 0},
    {"view: join, 1 card", CHIRR_MESSAGE_VIEW, false, view_of, 1},
    {"view: shuffle, 8 cards", CHIRR_MESSAGE_VIEW, false, view_of, CHIRR_VIEW_CARDS_MAX},
    {"delta: 400 bytes", CHIRR_MESSAGE_DELTA, true, delta_of, 400},
    {"delta: 1,100 bytes", CHIRR_MESSAGE_DELTA, true, delta_of, CHIRR_DELTA_PAYLOAD_BYTES_MAX},
};

/* With a comma before the last three digits, as the documentation writes thousands. */
static void format_row(char row[128], size_t index, size_t bytes)
{
    char figure[32];
    snprintf(figure, sizeof figure, bytes < 1000 ? "%zu" : "%zu,%03zu",
             bytes < 1000 ? bytes : bytes / 1000, bytes % 1000);
    snprintf(row, 128, "| %s | %s | %s |", rows[index].what,
             rows[index].is_published ? "published" : "unicast", figure);
}

static char *read_documentation(void)
{
    FILE *file = fopen(CHIRR_PROTOCOL_DOCUMENTATION, "r");
    cr_assert_not_null(file);
    char *text = calloc(1, 1 << 20);
    cr_assert_gt(fread(text, 1, (1 << 20) - 1, file), 0);
    fclose(file);
    return text;
}

Test(frame_bytes, the_documentation_says_what_each_kind_costs)
{
    static uint8_t frame[CHIRR_FRAME_BYTES_MAX];
    static const uint8_t seed[CHIRR_KEY_BYTES] = {1};
    struct chirr_identity identity;
    cr_assert_eq(chirr_identity_from_seed(&identity, seed), CHIRR_OK);
    char *documentation = read_documentation();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct chirr_message message;
        memset(&message, 0, sizeof message);
        rows[i].make(&message, rows[i].count);
        message.kind = rows[i].kind;
        size_t bytes;
        enum chirr_err err = chirr_frame_seal(&message, &identity, rows[i].is_published, frame,
                                              sizeof frame, &bytes);
        cr_expect_eq(err, CHIRR_OK, "%s: %s", rows[i].what, chirr_err_text(err));
        char row[128];
        format_row(row, i, bytes);
        cr_expect(strstr(documentation, row) != NULL, "the documentation lacks\n%s", row);
    }
    free(documentation);
}
