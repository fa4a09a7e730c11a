/* Identities, names and copies of messages. What makes one valid is in validate.c. */
#include "proto/message.h"

#include <string.h>

#include "base/digest.h"

#define COPY_ALIGN ((size_t)16)

static size_t round_up(size_t bytes)
{
    return (bytes + COPY_ALIGN - 1) / COPY_ALIGN * COPY_ALIGN;
}

int chirr_stamp_compare(struct chirr_stamp a, struct chirr_stamp b)
{
    if (a.incarnation != b.incarnation) {
        return a.incarnation < b.incarnation ? -1 : 1;
    }
    if (a.version != b.version) {
        return a.version < b.version ? -1 : 1;
    }
    return 0;
}

/* 0 means nobody and nothing, so the one digest in 2^64 that is 0 gives way. */
static uint64_t never_zero(uint64_t digest)
{
    return digest == 0 ? 1 : digest;
}

/* With its length, so that no two sequences of texts digest alike. */
static void digest_text(struct chirr_digest_state *state, const char *text)
{
    size_t bytes = strlen(text);
    chirr_digest_add_u64(state, bytes);
    chirr_digest_add(state, text, bytes);
}

chirr_task_id chirr_task_id_of(chirr_agent_id submitter, uint64_t nonce,
                               const struct chirr_task_spec *spec)
{
    struct chirr_digest_state state;
    chirr_digest_begin(&state);
    digest_text(&state, "chirr task 1");
    chirr_digest_add_u64(&state, submitter);
    chirr_digest_add_u64(&state, nonce);
    digest_text(&state, spec->kind);
    chirr_digest_add_u64(&state, spec->size_bytes);
    chirr_digest_add_u64(&state, spec->time_limit_ms);
    chirr_digest_add_u64(&state, spec->priority);
    chirr_digest_add_u64(&state, spec->requires.count);
    for (uint32_t i = 0; i < spec->requires.count; i++) {
        digest_text(&state, spec->requires.names[i]);
    }
    chirr_digest_add_u64(&state, spec->argument_count);
    chirr_digest_add_u64(&state, spec->command_bytes);
    chirr_digest_add(&state, spec->command, spec->command_bytes);
    return never_zero(chirr_digest_end(&state));
}

size_t chirr_record_bytes(enum chirr_record_kind kind)
{
    size_t head = offsetof(struct chirr_record, card);
    switch (kind) {
    case CHIRR_RECORD_CARD:
        return head + sizeof(struct chirr_card);
    case CHIRR_RECORD_CLAIMS:
        return head + sizeof(struct chirr_claims);
    case CHIRR_RECORD_TASK:
        return head + sizeof(struct chirr_task);
    case CHIRR_RECORD_TRUST:
        return head + sizeof(struct chirr_trust);
    }
    return head;
}

void chirr_record_copy(struct chirr_record *copy, const struct chirr_record *record)
{
    size_t bytes = chirr_record_bytes(record->kind);
    memcpy(copy, record, bytes);
    memset((uint8_t *)copy + bytes, 0, sizeof *copy - bytes);
}

chirr_agent_id chirr_agent_id_of(const uint8_t public_key[CHIRR_KEY_BYTES])
{
    return never_zero(chirr_digest(public_key, CHIRR_KEY_BYTES));
}

const uint8_t *chirr_card_key(const struct chirr_card *card)
{
    static const uint8_t none[CHIRR_KEY_BYTES];
    bool changed = memcmp(card->current_key, none, sizeof none) != 0;
    return changed ? card->current_key : card->public_key;
}

const char *chirr_task_argument(const struct chirr_task_spec *spec, uint32_t index)
{
    if (index >= spec->argument_count) {
        return NULL;
    }
    const char *argument = spec->command;
    for (uint32_t i = 0; i < index; i++) {
        argument += strlen(argument) + 1;
    }
    return argument;
}

/* A bijection of 64 bits in which every bit of the input reaches every bit of the output: the
 * finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014, figure 17; Stafford's variant 13). */
static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

uint32_t chirr_digest_bucket(chirr_agent_id author)
{
    _Static_assert(CHIRR_DIGEST_BUCKETS == 1U << 6, "the upper six bits number a bucket");
    return (uint32_t)(mix(author) >> 58);
}

/* Each part enters by a step of its own, so that equal parts do not cancel out. The odd constant
 * keeps 0 from being a fixed point. */
static uint64_t print_of(const struct chirr_digest_entry *entry, uint64_t domain)
{
    uint64_t print = mix(domain + UINT64_C(0x9e3779b97f4a7c15));
    print = mix(print ^ entry->author);
    print = mix(print ^ entry->stamp.incarnation);
    return mix(print ^ entry->stamp.version);
}

uint64_t chirr_digest_print(const struct chirr_digest_entry *statement)
{
    return print_of(statement, 0);
}

uint64_t chirr_digest_mark_print(const struct chirr_digest_entry *mark)
{
    return mark->stamp.incarnation == 0 ? 0 : print_of(mark, 1);
}

uint32_t chirr_digest_sum(uint64_t prints, uint32_t salt)
{
    return (uint32_t)(mix(prints ^ mix(salt + UINT64_C(0x9e3779b97f4a7c15))) >> 32);
}

const char *chirr_task_phase_name(enum chirr_task_phase phase)
{
    switch (phase) {
    case CHIRR_TASK_OPEN:
        return "open";
    case CHIRR_TASK_RUNNING:
        return "running";
    case CHIRR_TASK_RELEASED:
        return "released";
    case CHIRR_TASK_CANCELLED:
        return "cancelled";
    case CHIRR_TASK_DONE:
        return "done";
    }
    return "unknown";
}

const char *chirr_task_end_name(enum chirr_task_end end)
{
    switch (end) {
    case CHIRR_TASK_END_NONE:
        return "none";
    case CHIRR_TASK_END_EXITED:
        return "exited";
    case CHIRR_TASK_END_SIGNALLED:
        return "signalled";
    case CHIRR_TASK_END_TIMEOUT:
        return "timeout";
    case CHIRR_TASK_END_NOT_STARTED:
        return "not started";
    }
    return "unknown";
}

const char *chirr_message_kind_name(enum chirr_message_kind kind)
{
    switch (kind) {
    case CHIRR_MESSAGE_PING:
        return "ping";
    case CHIRR_MESSAGE_PING_REQUEST:
        return "ping request";
    case CHIRR_MESSAGE_ACK:
        return "ack";
    case CHIRR_MESSAGE_GOSSIP:
        return "gossip";
    case CHIRR_MESSAGE_HEARTBEAT:
        return "heartbeat";
    case CHIRR_MESSAGE_RECORDS:
        return "records";
    case CHIRR_MESSAGE_DIGEST:
        return "digest";
    case CHIRR_MESSAGE_DELTA:
        return "delta";
    case CHIRR_MESSAGE_NACK:
        return "nack";
    case CHIRR_MESSAGE_VIEW:
        return "view";
    case CHIRR_MESSAGE_HAVE:
        return "have";
    case CHIRR_MESSAGE_GRAFT:
        return "graft";
    }
    return "unknown";
}

/* A copy is the message, then what it borrows, each part rounded up to COPY_ALIGN:
 *
 *      RECORDS  | message | records … | covered … |
 *      DIGEST   | message | entries … |
 *      DELTA    | message | payload … |
 *      VIEW     | message | cards … |
 *      HAVE     | message | entries … |     and so GRAFT
 *      others   | message |                                                                   */
size_t chirr_message_copy_bytes(const struct chirr_message *message)
{
    size_t bytes = round_up(sizeof *message);
    switch (message->kind) {
    case CHIRR_MESSAGE_RECORDS:
        bytes += round_up(message->records.count * sizeof(struct chirr_record));
        bytes += round_up(message->records.covered_count * sizeof(struct chirr_digest_entry));
        break;
    case CHIRR_MESSAGE_DIGEST:
        bytes += round_up(message->digest.count * sizeof(struct chirr_digest_entry));
        break;
    case CHIRR_MESSAGE_DELTA:
        bytes += round_up(message->delta.payload_bytes);
        break;
    case CHIRR_MESSAGE_VIEW:
        bytes += round_up(message->view.count * sizeof(struct chirr_record));
        break;
    case CHIRR_MESSAGE_HAVE:
    case CHIRR_MESSAGE_GRAFT:
        bytes += round_up(message->have.count * sizeof(struct chirr_digest_entry));
        break;
    default:
        break;
    }
    return bytes;
}

/* Copies a part to `*at`, which advances; NULL for an empty part. */
static const void *copy_part(uint8_t **at, const void *part, size_t bytes)
{
    if (bytes == 0) {
        return NULL;
    }
    uint8_t *copy = *at;
    memcpy(copy, part, bytes);
    *at += round_up(bytes);
    return copy;
}

struct chirr_message *chirr_message_copy(void *memory, const struct chirr_message *message)
{
    CHIRR_ASSERT((uintptr_t)memory % COPY_ALIGN == 0);
    struct chirr_message *copy = memory;
    memcpy(copy, message, sizeof *copy);
    uint8_t *at = (uint8_t *)memory + round_up(sizeof *copy);
    switch (message->kind) {
    case CHIRR_MESSAGE_RECORDS:
        copy->records.records = copy_part(&at, message->records.records,
                                          message->records.count * sizeof(struct chirr_record));
        copy->records.covered =
            copy_part(&at, message->records.covered,
                      message->records.covered_count * sizeof(struct chirr_digest_entry));
        break;
    case CHIRR_MESSAGE_DIGEST:
        copy->digest.entries = copy_part(&at, message->digest.entries,
                                         message->digest.count * sizeof(struct chirr_digest_entry));
        break;
    case CHIRR_MESSAGE_DELTA:
        copy->delta.payload = copy_part(&at, message->delta.payload, message->delta.payload_bytes);
        break;
    case CHIRR_MESSAGE_VIEW:
        copy->view.cards =
            copy_part(&at, message->view.cards, message->view.count * sizeof(struct chirr_record));
        break;
    case CHIRR_MESSAGE_HAVE:
    case CHIRR_MESSAGE_GRAFT:
        copy->have.entries = copy_part(&at, message->have.entries,
                                       message->have.count * sizeof(struct chirr_digest_entry));
        break;
    default:
        break;
    }
    return copy;
}
