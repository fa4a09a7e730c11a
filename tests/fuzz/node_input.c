/* Messages out of a fuzzer's bytes. */
#include "tests/fuzz/node_input.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/sample.h"

#define STRANGER UINT64_C(0x5712a96e2)

/* ---- Values -------------------------------------------------------------------------------- */

static uint8_t next_byte(struct node_input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

uint32_t node_input_below(struct node_input *input, uint32_t bound)
{
    return next_byte(input) % bound;
}

uint64_t node_input_u64(struct node_input *input)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | next_byte(input);
    }
    return value;
}

/* 0, 1, 2, … or what lies just below the greatest of all; seldom anything. */
static uint64_t some_number(struct node_input *input)
{
    uint32_t choice = node_input_below(input, 16);
    if (choice == 15) {
        return node_input_u64(input);
    }
    return choice < 12 ? choice : UINT64_MAX - (choice - 12);
}

uint64_t node_input_incarnation(struct node_input *input)
{
    uint32_t choice = node_input_below(input, 8);
    return choice < 6 ? input->incarnation - 2 + choice : some_number(input);
}

static struct chirr_stamp some_stamp(struct node_input *input)
{
    return (struct chirr_stamp){node_input_incarnation(input), some_number(input)};
}

chirr_agent_id node_input_id(uint32_t index)
{
    static chirr_agent_id ids[NODE_INPUT_AGENTS];
    if (ids[index] == 0) {
        ids[index] = sample_agent(index);
    }
    return ids[index];
}

chirr_agent_id node_input_agent(struct node_input *input)
{
    uint32_t choice = node_input_below(input, NODE_INPUT_AGENTS + 1);
    return choice < NODE_INPUT_AGENTS ? node_input_id(choice) : STRANGER;
}

/* Two of three are other agents', one is the node's own. */
static struct chirr_record some_task(struct node_input *input)
{
    uint32_t nonce = node_input_below(input, NODE_INPUT_TASKS);
    return sample_task(nonce % 3, nonce);
}

chirr_task_id node_input_task(struct node_input *input)
{
    return some_task(input).task.id;
}

/* ---- Records ------------------------------------------------------------------------------- */

static struct chirr_record some_card(struct node_input *input, uint32_t author)
{
    struct chirr_record record = sample_card(author);
    record.card.lineage = 77;
    record.card.hosted = node_input_below(input, 4);
    record.card.slots = node_input_below(input, 3);
    record.card.publish_endpoint[6] = (char)('0' + node_input_below(input, 2));
    return record;
}

static struct chirr_record some_claims(struct node_input *input)
{
    struct chirr_record record = sample_claims(0, 0);
    record.claims.count = node_input_below(input, CHIRR_CLAIMS_MAX + 1);
    for (uint32_t i = 0; i < record.claims.count; i++) {
        record.claims.claims[i] = (struct chirr_claim){
            node_input_task(input), node_input_below(input, 4), (int64_t)some_number(input)};
    }
    return record;
}

static struct chirr_record some_phase(struct node_input *input, uint32_t author)
{
    struct chirr_record task = some_task(input);
    enum chirr_task_phase phase = CHIRR_TASK_OPEN + node_input_below(input, 5);
    uint32_t choice = node_input_below(input, 8);
    uint32_t epoch = choice < 7 ? choice : UINT32_MAX;
    struct chirr_record record = sample_phase(&task, phase, epoch, author);
    if (record.task.owner != 0) {
        record.task.owner_incarnation = node_input_incarnation(input);
    }
    return record;
}

void node_input_record(struct node_input *input, struct chirr_record *record)
{
    uint32_t author = node_input_below(input, NODE_INPUT_AGENTS);
    switch (node_input_below(input, 4)) {
    case 0:
        *record = some_card(input, author);
        break;
    case 1:
        *record = some_claims(input);
        break;
    case 2:
        *record = some_phase(input, author);
        break;
    default:
        *record = sample_trust(node_input_below(input, NODE_INPUT_AGENTS),
                               node_input_below(input, 2) == 1);
        break;
    }
    *record = sample_stamped(record, author, 1, 1);
    record->stamp = some_stamp(input);
}

/* ---- Lists --------------------------------------------------------------------------------- */

#define ENTRIES_MAX CHIRR_HAVE_ENTRIES_MAX

static struct chirr_record records[CHIRR_RECORDS_MAX];
static struct chirr_digest_entry entries[ENTRIES_MAX];
static uint8_t payload[CHIRR_DELTA_PAYLOAD_BYTES_MAX];

static int compare_entries(const void *a, const void *b)
{
    const struct chirr_digest_entry *left = a;
    const struct chirr_digest_entry *right = b;
    int authors = (left->author > right->author) - (left->author < right->author);
    return authors != 0 ? authors : chirr_stamp_compare(left->stamp, right->stamp);
}

static uint32_t some_entries(struct node_input *input, uint32_t count_max)
{
    uint32_t count = node_input_below(input, count_max + 1);
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (struct chirr_digest_entry){node_input_agent(input), some_stamp(input)};
    }
    return count;
}

/* Ascending: in digests each statement once, among marks each author. */
static uint32_t some_marks(struct node_input *input, bool by_stamp)
{
    uint32_t count = some_entries(input, NODE_INPUT_AGENTS);
    qsort(entries, count, sizeof entries[0], compare_entries);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || entries[kept - 1].author != entries[i].author ||
            (by_stamp && compare_entries(&entries[kept - 1], &entries[i]) != 0)) {
            entries[kept++] = entries[i];
        }
    }
    return kept;
}

static void some_news(struct node_input *input, struct chirr_member_updates *news)
{
    news->count = node_input_below(input, CHIRR_MEMBER_UPDATES_MAX + 1);
    for (uint32_t i = 0; i < news->count; i++) {
        struct chirr_member_update *update = &news->updates[i];
        update->agent = node_input_agent(input);
        update->incarnation = node_input_incarnation(input);
        update->status = CHIRR_MEMBER_ALIVE + node_input_below(input, 4);
        bool accused = update->status == CHIRR_MEMBER_SUSPECT && node_input_below(input, 8) != 0;
        update->accuser = accused ? node_input_agent(input) : 0;
    }
}

/* ---- Messages ------------------------------------------------------------------------------ */

static void some_probe(struct node_input *input, struct chirr_probe *probe)
{
    probe->sequence = (uint32_t)some_number(input);
    probe->target = node_input_agent(input);
    some_news(input, &probe->news);
}

static void some_records(struct node_input *input, struct chirr_records *list)
{
    list->count = node_input_below(input, 8) != 0 ? node_input_below(input, 4)
                                                  : node_input_below(input, CHIRR_RECORDS_MAX + 1);
    list->records = records;
    for (uint32_t i = 0; i < list->count; i++) {
        node_input_record(input, &records[i]);
    }
    list->covered_count = some_marks(input, false);
    list->covered = entries;
}

static void some_digest(struct node_input *input, struct chirr_digest_message *digest)
{
    digest->answer_wanted = node_input_below(input, 2) == 1;
    if (node_input_below(input, 2) == 1) {
        digest->salt = node_input_below(input, 2);
        digest->summary_count = CHIRR_DIGEST_BUCKETS;
        for (uint32_t i = 0; i < CHIRR_DIGEST_BUCKETS; i++) {
            digest->summary[i] = node_input_below(input, 2);
        }
    } else {
        digest->buckets = some_number(input);
    }
    digest->count = some_marks(input, true);
    digest->entries = entries;
}

static void some_delta(struct node_input *input, struct chirr_delta_message *delta)
{
    delta->origin = node_input_agent(input);
    delta->stamp = some_stamp(input);
    delta->lineage = 76 + node_input_below(input, 3);
    delta->partition = node_input_below(input, 4);
    delta->payload_bytes = 1 + node_input_below(input, 255);
    delta->payload = payload;
}

static void some_view(struct node_input *input, struct chirr_view_message *view)
{
    view->verb = CHIRR_VIEW_JOIN + node_input_below(input, 8);
    view->count = node_input_below(input, CHIRR_VIEW_CARDS_MAX + 1);
    view->cards = records;
    for (uint32_t i = 0; i < view->count; i++) {
        uint32_t author = node_input_below(input, NODE_INPUT_AGENTS);
        struct chirr_record card = some_card(input, author);
        records[i] = sample_stamped(&card, author, 1, 1);
        records[i].stamp = some_stamp(input);
    }
    bool walks = view->verb == CHIRR_VIEW_FORWARD_JOIN || view->verb == CHIRR_VIEW_SHUFFLE;
    view->origin = view->count > 0 ? records[0].author : node_input_agent(input);
    view->hops = walks ? node_input_below(input, 17) : 0;
    view->urgent = view->verb == CHIRR_VIEW_NEIGHBOUR && node_input_below(input, 2) == 1;
}

void node_input_message(struct node_input *input, struct chirr_message *message)
{
    memset(message, 0, sizeof *message);
    message->kind = CHIRR_MESSAGE_PING + node_input_below(input, CHIRR_MESSAGE_KINDS - 1);
    switch (message->kind) {
    case CHIRR_MESSAGE_PING:
    case CHIRR_MESSAGE_PING_REQUEST:
    case CHIRR_MESSAGE_ACK:
    case CHIRR_MESSAGE_NACK:
        some_probe(input, &message->probe);
        break;
    case CHIRR_MESSAGE_GOSSIP:
        some_news(input, &message->gossip);
        break;
    case CHIRR_MESSAGE_HEARTBEAT:
        message->heartbeat.incarnation = node_input_incarnation(input);
        message->heartbeat.sequence = some_number(input);
        break;
    case CHIRR_MESSAGE_RECORDS:
        some_records(input, &message->records);
        break;
    case CHIRR_MESSAGE_DIGEST:
        some_digest(input, &message->digest);
        break;
    case CHIRR_MESSAGE_DELTA:
        some_delta(input, &message->delta);
        break;
    case CHIRR_MESSAGE_VIEW:
        some_view(input, &message->view);
        break;
    case CHIRR_MESSAGE_HAVE:
    case CHIRR_MESSAGE_GRAFT:
        message->have.count = some_entries(input, CHIRR_HAVE_ENTRIES_MAX);
        message->have.entries = entries;
        break;
    }
}
