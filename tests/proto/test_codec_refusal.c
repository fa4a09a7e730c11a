/* Every malformed field, as a wire can carry it: tables of valid records and messages, dressed for
 * the wire and then spoilt in one place. */
#include "proto/codec.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "proto/frame.h"
#include "proto/pack.h"
#include "tests/support/generate.h"

static struct chirr_arena scratch;
static uint8_t wire[CHIRR_FRAME_BYTES_MAX];
static struct chirr_identity author;

static void setup(void)
{
    struct chirr_random random;
    chirr_random_init(&random, 1, 0);
    author = generate_identity(&random);
    cr_assert_eq(chirr_arena_init(&scratch, CHIRR_CODEC_SCRATCH_BYTES), CHIRR_OK);
}

static void teardown(void)
{
    chirr_arena_finish(&scratch);
}

TestSuite(codec_refusal, .init = setup, .fini = teardown);

/* ---- Every malformed field of a record, as the wire can carry it ---------------------------- */

static char long_text[CHIRR_ENDPOINT_BYTES_MAX + 1];
static char *five_tags[] = {"a", "b", "c", "d", "e"};
static char *same_tags[] = {"a", "a"};
static char *long_tag[] = {long_text};
static uint8_t long_bytes[CHIRR_DELTA_PAYLOAD_BYTES_MAX + 1]; /* the longest limit of all */
static Chirr__Wire__Claim *nine_claims[CHIRR_CLAIMS_MAX + 1];
static uint64_t many_numbers[CHIRR_DIGEST_ENTRIES_MAX + 1];

/* X(kind, expected error, what makes the valid record `w` bad) */
#define BAD_RECORDS(X)                                                                             \
    X(CARD, VERSION, w->format = 0)                                                                \
    X(CARD, VERSION, w->format = 2)                                                                \
    X(CARD, RANGE, w->author = 0)                                                                  \
    X(CARD, MALFORMED, w->author ^= 1)                                                             \
    X(CARD, RANGE, w->incarnation = 0)                                                             \
    X(CARD, RANGE, w->version = 0)                                                                 \
    X(CARD, MALFORMED, w->signature.len = 0)                                                       \
    X(CARD, MALFORMED, w->signature.len = 63)                                                      \
    X(CARD, MALFORMED, w->statement_case = 0)                                                      \
    X(CARD, MALFORMED, w->card->public_key.len = 0)                                                \
    X(CARD, MALFORMED, w->card->public_key.len = 31)                                               \
    X(CARD, MALFORMED, w->card->public_key.data[0] ^= 1)                                           \
    X(CARD, MALFORMED, w->card->name = "")                                                         \
    X(CARD, MALFORMED, w->card->name = "bell\a")                                                   \
    X(CARD, MALFORMED, w->card->name = "k\xc3\xbc")                                                \
    X(CARD, FULL, w->card->name = long_text)                                                       \
    X(CARD, FULL, w->card->device = long_text)                                                     \
    X(CARD, MALFORMED, w->card->device = "\n")                                                     \
    X(CARD, FULL, w->card->publish_endpoint = long_text)                                           \
    X(CARD, MALFORMED, w->card->publish_endpoint = "\x7f")                                         \
    X(CARD, FULL, w->card->unicast_endpoint = long_text)                                           \
    X(CARD, MALFORMED, w->card->unicast_endpoint = "\t")                                           \
    X(CARD, MALFORMED, (w->card->lineage = 0, w->card->hosted = 1))                                \
    X(CARD, RANGE, w->card->cpu_permille = 0)                                                      \
    X(CARD, RANGE, w->card->cpu_permille = 64001)                                                  \
    X(CARD, RANGE, w->card->slots = 257)                                                           \
    X(CARD, FULL, (w->card->n_provides = 5, w->card->provides = five_tags))                        \
    X(CARD, FULL, (w->card->n_provides = 1, w->card->provides = long_tag))                         \
    X(CARD, MALFORMED, (w->card->n_provides = 2, w->card->provides = same_tags))                   \
    X(CARD, MALFORMED, (w->card->n_provides = 1, w->card->provides = (char *[]){""}))              \
    X(CLAIMS, FULL, (w->claims->n_claims = 9, w->claims->claims = nine_claims))                    \
    X(CLAIMS, RANGE, w->claims->claims[1]->task = 0)                                               \
    X(CLAIMS, MALFORMED, w->claims->claims[1]->task = w->claims->claims[0]->task)                  \
    X(TASK, RANGE, w->task->id = 0)                                                                \
    X(TASK, MALFORMED, w->task->id ^= 1)                                                           \
    X(TASK, RANGE, w->task->submitter = 0)                                                         \
    X(TASK, MALFORMED, w->task->submitter ^= 2)                                                    \
    X(TASK, MALFORMED, w->task->nonce ^= 1)                                                        \
    X(TASK, MALFORMED, w->task->spec = NULL)                                                       \
    X(TASK, MALFORMED, w->task->spec->kind = "")                                                   \
    X(TASK, FULL, w->task->spec->kind = long_text)                                                 \
    X(TASK, MALFORMED, w->task->spec->size_bytes ^= 1)                                             \
    X(TASK, RANGE, w->task->spec->time_limit_ms = 0)                                               \
    X(TASK, RANGE, w->task->spec->time_limit_ms = 86400001)                                        \
    X(TASK, RANGE, w->task->spec->priority = 10)                                                   \
    X(TASK, FULL, (w->task->spec->n_requires = 5, w->task->spec->requires = five_tags))            \
    X(TASK, FULL, (w->task->spec->n_requires = 1, w->task->spec->requires = long_tag))             \
    X(TASK, RANGE, w->task->spec->argument_count = 0)                                              \
    X(TASK, MALFORMED, w->task->spec->argument_count++)                                            \
    X(TASK, MALFORMED, w->task->spec->command.len = 0)                                             \
    X(TASK, MALFORMED, w->task->spec->command.len--)                                               \
    X(TASK, FULL, (w->task->spec->command.data = long_bytes, w->task->spec->command.len = 769))    \
    X(TASK, RANGE, w->task->phase = 0)                                                             \
    X(TASK, RANGE, w->task->phase = 6)                                                             \
    X(TASK, RANGE, w->task->phase = -1)                                                            \
    X(TASK, MALFORMED, w->task->phase = 1)                                                         \
    X(TASK, MALFORMED, w->task->phase = 2)                                                         \
    X(TASK, MALFORMED, w->task->phase = 4)                                                         \
    X(TASK, MALFORMED, w->task->owner = 0)                                                         \
    X(TASK, MALFORMED, w->task->owner_incarnation = 0)                                             \
    X(TASK, MALFORMED, w->task->result = NULL)                                                     \
    X(TASK, MALFORMED, w->task->result->end = 0)                                                   \
    X(TASK, RANGE, w->task->result->end = 5)                                                       \
    X(TASK, RANGE, w->task->result->code = 256)                                                    \
    X(TASK, RANGE, w->task->result->code = UINT32_MAX)                                             \
    X(TASK, MALFORMED, w->task->result->output_total_bytes = 1)                                    \
    X(TASK, FULL, (w->task->result->output.data = long_bytes, w->task->result->output.len = 1025)) \
    X(TRUST, FULL, (w->trust->n_holders = 41, w->trust->holders = many_numbers))                   \
    X(TRUST, MALFORMED, w->trust->n_holders = 1)                                                   \
    X(TRUST, MALFORMED, w->trust->n_holders = 0)                                                   \
    X(TRUST, MALFORMED, w->trust->public_keys.len--)                                               \
    X(TRUST, MALFORMED, w->trust->public_keys.len -= CHIRR_KEY_BYTES)                              \
    X(TRUST, RANGE, w->trust->holders[1] = 0)                                                      \
    X(TRUST, RANGE, memset(w->trust->public_keys.data, 0, CHIRR_KEY_BYTES))                        \
    X(TRUST, MALFORMED, w->trust->holders[2]++)                                                    \
    X(TRUST, MALFORMED, w->trust->removed |= 1U << 3)

/* A valid record of each kind, with everything in it that the table touches. */
static void plain_record(enum chirr_record_kind kind, struct chirr_record *record)
{
    memset(record, 0, sizeof *record);
    record->kind = kind;
    record->author = author.id;
    record->stamp = (struct chirr_stamp){3, 4};
    if (kind == CHIRR_RECORD_CARD) {
        memcpy(record->card.public_key, author.public_key, CHIRR_KEY_BYTES);
        strcpy(record->card.name, "ada");
        record->card.lineage = 5;
        record->card.hosted = 3;
        record->card.cpu_permille = 1000;
    } else if (kind == CHIRR_RECORD_CLAIMS) {
        record->claims = (struct chirr_claims){2, {{7, 0, -5}, {8, 1, 5}}};
    } else if (kind == CHIRR_RECORD_TRUST) {
        record->trust = (struct chirr_trust){3, {{{7}, 9, false}, {{8}, 9, false}, {{7}, 9, true}}};
    } else {
        struct chirr_task *task = &record->task;
        strcpy(task->spec.kind, "hash");
        task->spec.time_limit_ms = 1000;
        task->spec.argument_count = 2;
        task->spec.command_bytes = 5;
        memcpy(task->spec.command, "ls\0/", 5);
        task->submitter = 9;
        task->id = chirr_task_id_of(9, 0, &task->spec);
        task->phase = CHIRR_TASK_DONE;
        task->owner = author.id;
        task->owner_incarnation = 3;
        task->result.end = CHIRR_TASK_END_EXITED;
        task->result.output_total_bytes = 2;
        task->result.output_bytes = 2;
        memcpy(task->result.output, "ok", 2);
    }
}

struct bad_record {
    const char *what;
    enum chirr_record_kind kind;
    enum chirr_err expected;
};

/* Applies entry `index` of the table to the dressed record. */
static void make_record_bad(size_t index, Chirr__Wire__Record *w)
{
    size_t at = 0;
#define BAD_RECORD_APPLY(kind, expected, change)                                                   \
    if (at++ == index) {                                                                           \
        (void)(change);                                                                            \
    }
    BAD_RECORDS(BAD_RECORD_APPLY)
}

static const struct bad_record bad_records[] = {
#define BAD_RECORD_ENTRY(kind, expected, change)                                                   \
    {#change, CHIRR_RECORD_##kind, CHIRR_ERR_##expected},
    BAD_RECORDS(BAD_RECORD_ENTRY)};

static void fill_bad_values(void)
{
    static Chirr__Wire__Claim claims[CHIRR_CLAIMS_MAX + 1];
    memset(long_text, 'x', sizeof long_text - 1);
    for (uint64_t i = 0; i < CHIRR_CLAIMS_MAX + 1; i++) {
        chirr__wire__claim__init(&claims[i]);
        claims[i].task = i + 1;
        nine_claims[i] = &claims[i];
    }
}

Test(codec_refusal, refuses_every_malformed_field_of_a_record)
{
    fill_bad_values();
    for (size_t i = 0; i < sizeof bad_records / sizeof bad_records[0]; i++) {
        struct chirr_record record;
        struct chirr_record decoded;
        struct chirr_record_pack pack;
        plain_record(bad_records[i].kind, &record);
        const ProtobufCMessage *dressed = chirr_pack_record(&pack, &record, true);
        size_t bytes = protobuf_c_message_pack(dressed, wire);
        cr_assert_eq(chirr_codec_decode_record(wire, bytes, &decoded), CHIRR_OK);
        make_record_bad(i, &pack.record);
        bytes = protobuf_c_message_pack(dressed, wire);
        enum chirr_err err = chirr_codec_decode_record(wire, bytes, &decoded);
        cr_expect_eq(err, bad_records[i].expected, "%s: %s instead of %s", bad_records[i].what,
                     chirr_err_text(err), chirr_err_text(bad_records[i].expected));
    }
}

/* ---- The same for messages ------------------------------------------------------------------ */

#define SMASHING 4000 /* so many that storing them unchecked would be noticed */
static Chirr__Wire__MemberUpdate *many_updates[SMASHING];
static Chirr__Wire__Record *many_records[CHIRR_RECORDS_MAX + 1];
static uint32_t many_sums[CHIRR_DIGEST_BUCKETS + 1];

#define MANY_ENTRIES(entries)                                                                      \
    ((entries)->authors = (entries)->incarnations = (entries)->versions = many_numbers,            \
     LESS_ENTRIES(entries, CHIRR_DIGEST_ENTRIES_MAX + 1))
#define LESS_ENTRIES(entries, count)                                                               \
    ((entries)->n_authors = (entries)->n_incarnations = (entries)->n_versions = (count))
#define NO_ENTRIES(entries) LESS_ENTRIES(entries, 0)

#define VERB(verb) CHIRR__WIRE__VIEW_VERB__VIEW_##verb

#define BAD_MESSAGES(X)                                                                            \
    X(PING, MALFORMED, w->kind_case = 0)                                                           \
    X(PING, RANGE, w->ping->target = 0)                                                            \
    X(PING, MALFORMED, w->ping->news = NULL)                                                       \
    X(PING, RANGE, w->ping->news->updates[0]->agent = 0)                                           \
    X(PING, RANGE, w->ping->news->updates[0]->status = 0)                                          \
    X(PING_REQUEST, RANGE, w->ping_request->target = 0)                                            \
    X(ACK, RANGE, w->ack->news->updates[0]->status = 5)                                            \
    X(ACK, MALFORMED, w->ack->news->updates[0]->status = 1)                                        \
    X(NACK, RANGE, w->nack->target = 0)                                                            \
    X(NACK, MALFORMED, w->nack->news = NULL)                                                       \
    X(NACK, MALFORMED, w->nack->news->updates[0]->status = 3)                                      \
    X(GOSSIP, MALFORMED, w->gossip->updates[0]->accuser = 1)                                       \
    X(GOSSIP, RANGE, w->gossip->updates[0]->status = -1)                                           \
    X(GOSSIP, FULL, (w->gossip->n_updates = 17, w->gossip->updates = many_updates))                \
    X(GOSSIP, FULL, (w->gossip->n_updates = SMASHING, w->gossip->updates = many_updates))          \
    X(HEARTBEAT, RANGE, w->heartbeat->incarnation = 0)                                             \
    X(HEARTBEAT, RANGE, w->heartbeat->running_count = 257)                                         \
    X(HEARTBEAT, RANGE, w->heartbeat->bits = NAN)                                                  \
    X(HEARTBEAT, RANGE, w->heartbeat->bits = INFINITY)                                             \
    X(HEARTBEAT, RANGE, w->heartbeat->bits = -1.0F)                                                \
    X(HEARTBEAT, RANGE, w->heartbeat->bits = 64.001F)                                              \
    X(RECORDS, FULL, (w->records->n_records = 65, w->records->records = many_records))             \
    X(RECORDS, RANGE, w->records->records[0]->author = 0)                                          \
    X(RECORDS, VERSION, w->records->records[0]->format = 7)                                        \
    X(RECORDS, MALFORMED, w->records->records[0]->task->id ^= 1)                                   \
    X(RECORDS, MALFORMED, w->records->covered = NULL)                                              \
    X(RECORDS, RANGE, w->records->covered->authors[0] = 0)                                         \
    X(RECORDS, MALFORMED, w->records->covered->authors[0] = 3)                                     \
    X(RECORDS, MALFORMED,                                                                          \
      (w->records->covered->authors[1] = 1, w->records->covered->versions[1] = 2))                 \
    X(RECORDS, FULL, MANY_ENTRIES(w->records->covered))                                            \
    X(DIGEST, MALFORMED, w->digest->entries = NULL)                                                \
    X(DIGEST, MALFORMED, w->digest->entries->n_authors = 1)                                        \
    X(DIGEST, MALFORMED, w->digest->entries->n_incarnations = 1)                                   \
    X(DIGEST, MALFORMED, w->digest->entries->n_versions = 1)                                       \
    X(DIGEST, RANGE, w->digest->entries->authors[0] = 0)                                           \
    X(DIGEST, MALFORMED, w->digest->entries->authors[1] = 1)                                       \
    X(DIGEST, MALFORMED,                                                                           \
      (w->digest->entries->authors[1] = 1, w->digest->entries->versions[1] = 1))                   \
    X(DIGEST, MALFORMED, w->digest->entries->authors[0] = 3)                                       \
    X(DIGEST, RANGE, w->digest->entries->incarnations[1] = 0)                                      \
    X(DIGEST, FULL, MANY_ENTRIES(w->digest->entries))                                              \
    X(DIGEST, FULL, (w->digest->n_summary = 65, w->digest->summary = many_sums))                   \
    X(DIGEST, MALFORMED, w->digest->n_summary--)                                                   \
    X(DIGEST, MALFORMED, w->digest->n_summary = 1)                                                 \
    X(DIGEST, MALFORMED, w->digest->n_summary = 0)                                                 \
    X(DIGEST, MALFORMED, w->digest->buckets = 1)                                                   \
    X(HAVE, MALFORMED, w->have->entries = NULL)                                                    \
    X(HAVE, MALFORMED, w->have->entries->n_versions = 1)                                           \
    X(HAVE, MALFORMED, NO_ENTRIES(w->have->entries))                                               \
    X(HAVE, FULL, MANY_ENTRIES(w->have->entries))                                                  \
    X(HAVE, FULL, (MANY_ENTRIES(w->have->entries), LESS_ENTRIES(w->have->entries, 65)))            \
    X(HAVE, RANGE, w->have->entries->authors[1] = 0)                                               \
    X(HAVE, RANGE, w->have->entries->incarnations[1] = 0)                                          \
    X(HAVE, RANGE, w->have->entries->versions[1] = 0)                                              \
    X(GRAFT, MALFORMED, NO_ENTRIES(w->graft->entries))                                             \
    X(GRAFT, FULL, (MANY_ENTRIES(w->graft->entries), LESS_ENTRIES(w->graft->entries, 65)))         \
    X(GRAFT, RANGE, w->graft->entries->versions[0] = 0)                                            \
    X(VIEW, RANGE, w->view->verb = 0)                                                              \
    X(VIEW, RANGE, w->view->verb = 9)                                                              \
    X(VIEW, RANGE, w->view->verb = -1)                                                             \
    X(VIEW, RANGE, w->view->origin = 0)                                                            \
    X(VIEW, RANGE, w->view->hops = 17)                                                             \
    X(VIEW, MALFORMED, w->view->urgent = true)                                                     \
    X(VIEW, MALFORMED, w->view->verb = VERB(JOIN))                                                 \
    X(VIEW, MALFORMED, w->view->verb = VERB(NEIGHBOUR))                                            \
    X(VIEW, MALFORMED, w->view->verb = VERB(DISCONNECT))                                           \
    X(VIEW, MALFORMED, w->view->n_cards = 0)                                                       \
    X(VIEW, MALFORMED, (w->view->n_cards = 0, w->view->verb = VERB(FORWARD_JOIN)))                 \
    X(VIEW, MALFORMED, (w->view->n_cards = 0, w->view->hops = 0, w->view->verb = VERB(JOIN)))      \
    X(VIEW, MALFORMED, w->view->origin ^= 1)                                                       \
    X(VIEW, MALFORMED, (w->view->origin ^= 1, w->view->verb = VERB(FORWARD_JOIN)))                 \
    X(VIEW, MALFORMED, (w->view->origin ^= 1, w->view->hops = 0, w->view->verb = VERB(JOIN)))      \
    X(VIEW, FULL, (w->view->n_cards = 9, w->view->cards = many_records))                           \
    X(VIEW, MALFORMED, (w->view->n_cards = 1, w->view->cards = many_records))                      \
    X(VIEW, MALFORMED, w->view->cards[0]->signature.len = 0)                                       \
    X(VIEW, VERSION, w->view->cards[0]->format = 2)                                                \
    X(VIEW, RANGE, w->view->cards[0]->card->cpu_permille = 0)                                      \
    X(DELTA, RANGE, w->delta->origin = 0)                                                          \
    X(DELTA, RANGE, w->delta->incarnation = 0)                                                     \
    X(DELTA, RANGE, w->delta->version = 0)                                                         \
    X(DELTA, RANGE, w->delta->lineage = 0)                                                         \
    X(DELTA, RANGE, w->delta->partition = 64)                                                      \
    X(DELTA, MALFORMED, w->delta->payload.len = 0)                                                 \
    X(DELTA, FULL, (w->delta->payload.data = long_bytes, w->delta->payload.len = 1101))            \
    X(DELTA, MALFORMED, w->delta->signature.len = 0)                                               \
    X(DELTA, MALFORMED, w->delta->signature.len = 63)

static void plain_message(enum chirr_message_kind kind, struct chirr_message *message)
{
    static struct chirr_record record;
    static const struct chirr_digest_entry entries[] = {{1, {1, 1}}, {2, {1, 0}}};
    static const struct chirr_digest_entry statements[] = {{2, {1, 1}}, {1, {3, 7}}};
    memset(message, 0, sizeof *message);
    message->kind = kind;
    switch (kind) {
    case CHIRR_MESSAGE_PING:
    case CHIRR_MESSAGE_PING_REQUEST:
    case CHIRR_MESSAGE_ACK:
    case CHIRR_MESSAGE_NACK:
        message->probe = (struct chirr_probe){1, 2, {1, {{3, 4, CHIRR_MEMBER_SUSPECT, 5}}}};
        break;
    case CHIRR_MESSAGE_GOSSIP:
        message->gossip = (struct chirr_member_updates){1, {{3, 4, CHIRR_MEMBER_LEFT, 0}}};
        break;
    case CHIRR_MESSAGE_HEARTBEAT:
        message->heartbeat = (struct chirr_heartbeat){1, 2, 3, 4.5F};
        break;
    case CHIRR_MESSAGE_RECORDS:
        plain_record(CHIRR_RECORD_TASK, &record);
        message->records = (struct chirr_records){1, &record, 2, entries};
        break;
    case CHIRR_MESSAGE_DIGEST:
        message->digest = (struct chirr_digest_message){.answer_wanted = true,
                                                        .salt = 7,
                                                        .summary_count = CHIRR_DIGEST_BUCKETS,
                                                        .summary = {8, 9},
                                                        .count = 2,
                                                        .entries = entries};
        break;
    case CHIRR_MESSAGE_DELTA:
        message->delta =
            (struct chirr_delta_message){1, {1, 1}, 1, 63, 3, (const uint8_t *)"abc", {1}};
        break;
    case CHIRR_MESSAGE_VIEW:
        plain_record(CHIRR_RECORD_CARD, &record);
        message->view =
            (struct chirr_view_message){CHIRR_VIEW_SHUFFLE, author.id, 16, false, 1, &record};
        break;
    case CHIRR_MESSAGE_HAVE:
    case CHIRR_MESSAGE_GRAFT:
        message->have = (struct chirr_have){2, statements};
        break;
    }
}

static void make_message_bad(size_t index, Chirr__Wire__Message *w)
{
    size_t at = 0;
#define BAD_MESSAGE_APPLY(kind, expected, change)                                                  \
    if (at++ == index) {                                                                           \
        (void)(change);                                                                            \
    }
    BAD_MESSAGES(BAD_MESSAGE_APPLY)
}

static const struct {
    const char *what;
    enum chirr_message_kind kind;
    enum chirr_err expected;
} bad_messages[] = {
#define BAD_MESSAGE_ENTRY(kind, expected, change)                                                  \
    {#change, CHIRR_MESSAGE_##kind, CHIRR_ERR_##expected},
    BAD_MESSAGES(BAD_MESSAGE_ENTRY)};

static void fill_many(void)
{
    static Chirr__Wire__MemberUpdate update;
    static struct chirr_record record;
    static struct chirr_record_pack pack;
    chirr__wire__member_update__init(&update);
    update.agent = 1;
    update.status = 1;
    for (size_t i = 0; i < SMASHING; i++) {
        many_updates[i] = &update;
    }
    plain_record(CHIRR_RECORD_CLAIMS, &record);
    chirr_pack_record(&pack, &record, true);
    for (size_t i = 0; i < CHIRR_RECORDS_MAX + 1; i++) {
        many_records[i] = &pack.record;
    }
    for (size_t i = 0; i < CHIRR_DIGEST_ENTRIES_MAX + 1; i++) {
        many_numbers[i] = i + 1;
    }
}

Test(codec_refusal, refuses_every_malformed_field_of_a_message)
{
    fill_many();
    for (size_t i = 0; i < sizeof bad_messages / sizeof bad_messages[0]; i++) {
        static struct chirr_message_pack pack;
        struct chirr_message message;
        struct chirr_message decoded;
        plain_message(bad_messages[i].kind, &message);
        const ProtobufCMessage *dressed = chirr_pack_message(&pack, &message);
        size_t bytes = protobuf_c_message_pack(dressed, wire);
        cr_assert_eq(chirr_codec_decode_message(wire, bytes, &scratch, &decoded), CHIRR_OK);
        make_message_bad(i, &pack.message);
        bytes = protobuf_c_message_pack(dressed, wire);
        enum chirr_err err = chirr_codec_decode_message(wire, bytes, &scratch, &decoded);
        cr_expect_eq(err, bad_messages[i].expected, "%s: %s instead of %s", bad_messages[i].what,
                     chirr_err_text(err), chirr_err_text(bad_messages[i].expected));
    }
}

/* ---- One encoding only ----------------------------------------------------------------------- */

static enum chirr_err decode(const void *bytes, size_t count)
{
    struct chirr_message decoded;
    return chirr_codec_decode_message(bytes, count, &scratch, &decoded);
}

/* A heartbeat: field 5, then incarnation 1, sequence 2, running 3. */
static const uint8_t heartbeat[] = {0x2a, 6, 0x08, 1, 0x10, 2, 0x18, 3};

Test(codec_refusal, refuses_all_but_the_one_encoding_of_a_message)
{
    static const struct {
        const char *what;
        size_t bytes;
        uint8_t wire[24];
    } others[] = {
        {"unknown message kind", 4, {0x6a, 2, 0x08, 1}},
        {"unknown field inside", 10, {0x2a, 8, 0x08, 1, 0x10, 2, 0x18, 3, 0x28, 1}},
        {"unknown field behind", 10, {0x2a, 6, 0x08, 1, 0x10, 2, 0x18, 3, 0x68, 1}},
        {"field twice", 10, {0x2a, 8, 0x08, 1, 0x08, 1, 0x10, 2, 0x18, 3}},
        {"fields out of order", 8, {0x2a, 6, 0x10, 2, 0x08, 1, 0x18, 3}},
        {"explicit default", 10, {0x2a, 8, 0x08, 1, 0x10, 2, 0x18, 3, 0x20, 0}},
        {"over-long integer", 9, {0x2a, 7, 0x08, 0x81, 0, 0x10, 2, 0x18, 3}},
        {"33 bits in a 32-bit field",
         12,
         {0x2a, 10, 0x08, 1, 0x10, 2, 0x18, 0x83, 0x80, 0x80, 0x80, 0x10}},
        {"message twice",
         16,
         {0x2a, 6, 0x08, 1, 0x10, 2, 0x18, 3, 0x2a, 6, 0x08, 1, 0x10, 2, 0x18, 3}},
        {"two kinds", 10, {0x22, 0, 0x2a, 6, 0x08, 1, 0x10, 2, 0x18, 3}},
        {"truncated inside", 7, {0x2a, 6, 0x08, 1, 0x10, 2, 0x18}},
        {"length past the end", 8, {0x2a, 7, 0x08, 1, 0x10, 2, 0x18, 3}},
        {"wrong wire type", 8, {0x2a, 6, 0x0a, 1, 0x10, 2, 0x18, 3}},
        {"minus zero", 11, {0x2a, 9, 0x08, 1, 0x10, 2, 0x25, 0, 0, 0, 0x80}},
    };
    cr_assert_eq(decode(heartbeat, sizeof heartbeat), CHIRR_OK);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        cr_expect_eq(decode(others[i].wire, others[i].bytes), CHIRR_ERR_MALFORMED, "%s",
                     others[i].what);
    }
}

Test(codec_refusal, refuses_a_nul_inside_a_text)
{
    struct chirr_record record;
    size_t bytes;
    plain_record(CHIRR_RECORD_CARD, &record);
    cr_assert_eq(chirr_codec_encode_record(&record, wire, sizeof wire, &bytes), CHIRR_OK);
    uint8_t *name = memmem(wire, bytes, "ada", 3);
    cr_assert_not_null(name);
    name[1] = '\0';
    cr_assert_eq(chirr_codec_decode_record(wire, bytes, &record), CHIRR_ERR_MALFORMED);
}

Test(codec_refusal, refuses_columns_that_are_not_packed)
{
    /* Digest {entries {authors 1, 2 unpacked; incarnations, versions packed}} */
    static const uint8_t unpacked[] = {0x3a, 28, 0x12, 26,   0x09, 1, 0,    0, 0, 0,
                                       0,    0,  0,    0x09, 2,    0, 0,    0, 0, 0,
                                       0,    0,  0x12, 2,    1,    1, 0x1a, 2, 1, 1};
    static const uint8_t packed[] = {0x3a, 28, 0x12, 26, 0x0a, 16, 1, 0,    0, 0, 0, 0,    0, 0, 2,
                                     0,    0,  0,    0,  0,    0,  0, 0x12, 2, 1, 1, 0x1a, 2, 1, 1};
    cr_assert_eq(decode(packed, sizeof packed), CHIRR_OK);
    cr_assert_eq(decode(unpacked, sizeof unpacked), CHIRR_ERR_MALFORMED);
}
