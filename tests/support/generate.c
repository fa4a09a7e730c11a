/* Random valid records and messages. */
#include "tests/support/generate.h"

#include <string.h>

uint64_t generate_between(struct chirr_random *random, uint64_t low, uint64_t high)
{
    switch (chirr_random_below(random, 8)) {
    case 0:
        return low;
    case 1:
        return high;
    default:
        break;
    }
    uint64_t span = high - low;
    return span == UINT64_MAX ? chirr_random_u64(random)
                              : low + chirr_random_below(random, span + 1);
}

static uint64_t any_id(struct chirr_random *random)
{
    return generate_between(random, 1, UINT64_MAX);
}

static struct chirr_stamp any_stamp(struct chirr_random *random)
{
    return (struct chirr_stamp){generate_between(random, 1, UINT64_MAX),
                                generate_between(random, 1, UINT64_MAX)};
}

void generate_bytes(struct chirr_random *random, void *out, size_t bytes)
{
    uint8_t *byte = out;
    for (size_t i = 0; i < bytes; i++) {
        byte[i] = (uint8_t)chirr_random_u32(random);
    }
}

void generate_text(struct chirr_random *random, char *out, size_t capacity, size_t bytes_min)
{
    memset(out, 0, capacity);
    size_t bytes = generate_between(random, bytes_min, capacity - 1);
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (char)generate_between(random, ' ', '~');
    }
}

struct chirr_identity generate_identity(struct chirr_random *random)
{
    uint8_t seed[CHIRR_KEY_BYTES];
    struct chirr_identity identity;
    generate_bytes(random, seed, sizeof seed);
    enum chirr_err err = chirr_identity_from_seed(&identity, seed);
    CHIRR_ASSERT(err == CHIRR_OK);
    return identity;
}

/* The first character tells the tags apart. */
static void generate_tags(struct chirr_random *random, struct chirr_tags *tags)
{
    memset(tags, 0, sizeof *tags);
    size_t count = generate_between(random, 0, CHIRR_TAGS_MAX);
    for (size_t i = 0; i < CHIRR_TAGS_MAX && i < count; i++) {
        generate_text(random, tags->names[i], sizeof tags->names[i], 1);
        tags->names[i][0] = (char)('a' + i);
    }
    tags->count = (uint32_t)count;
}

/* Cuts random bytes into arguments. */
static void generate_command(struct chirr_random *random, struct chirr_task_spec *spec)
{
    spec->command_bytes = (uint32_t)generate_between(random, 2, CHIRR_COMMAND_BYTES_MAX);
    generate_bytes(random, spec->command, spec->command_bytes);
    if (spec->command[0] == '\0') {
        spec->command[0] = '/';
    }
    spec->command[spec->command_bytes - 1] = '\0';
    spec->argument_count = 0;
    for (uint32_t i = 0; i < spec->command_bytes; i++) {
        spec->argument_count += spec->command[i] == '\0';
    }
}

void generate_spec(struct chirr_random *random, struct chirr_task_spec *spec)
{
    memset(spec, 0, sizeof *spec);
    generate_text(random, spec->kind, sizeof spec->kind, 1);
    spec->size_bytes = generate_between(random, 0, UINT64_MAX);
    spec->time_limit_ms = (uint32_t)generate_between(random, 1, 86400000);
    spec->priority = (uint32_t)generate_between(random, 0, 9);
    generate_tags(random, &spec->requires);
    generate_command(random, spec);
}

static void generate_result(struct chirr_random *random, struct chirr_task_result *result)
{
    result->end = (enum chirr_task_end)generate_between(random, CHIRR_TASK_END_EXITED,
                                                        CHIRR_TASK_END_NOT_STARTED);
    uint64_t code_max = result->end == CHIRR_TASK_END_EXITED ? 255 : INT32_MAX;
    result->code = (int32_t)generate_between(random, 0, code_max);
    result->duration_us = generate_between(random, 0, UINT64_MAX);
    result->predicted_us = generate_between(random, 0, UINT64_MAX);
    result->output_bytes = (uint32_t)generate_between(random, 0, CHIRR_RESULT_OUTPUT_BYTES_MAX);
    result->output_total_bytes = generate_between(random, result->output_bytes, UINT64_MAX);
    generate_bytes(random, result->output, result->output_bytes);
}

void generate_task(struct chirr_random *random, chirr_agent_id author, enum chirr_task_phase phase,
                   struct chirr_task *task)
{
    memset(task, 0, sizeof *task);
    generate_spec(random, &task->spec);
    task->submitter = any_id(random);
    task->nonce = generate_between(random, 0, UINT64_MAX);
    task->id = chirr_task_id_of(task->submitter, task->nonce, &task->spec);
    task->epoch = (uint32_t)generate_between(random, 0, UINT32_MAX);
    task->phase = phase != 0 ? phase
                             : (enum chirr_task_phase)(CHIRR_TASK_OPEN +
                                                       chirr_random_below(random, CHIRR_TASK_DONE));
    if (task->phase != CHIRR_TASK_OPEN && task->phase != CHIRR_TASK_CANCELLED) {
        task->owner = author;
        task->owner_incarnation = generate_between(random, 1, UINT64_MAX);
    }
    if (task->phase == CHIRR_TASK_DONE) {
        generate_result(random, &task->result);
    }
}

static void generate_card(struct chirr_random *random, const struct chirr_identity *author,
                          struct chirr_card *card)
{
    memcpy(card->public_key, author->public_key, sizeof card->public_key);
    if (chirr_random_below(random, 4) == 0) {
        generate_bytes(random, card->current_key, sizeof card->current_key);
    }
    generate_text(random, card->name, sizeof card->name, 1);
    generate_text(random, card->device, sizeof card->device, 0);
    generate_text(random, card->publish_endpoint, sizeof card->publish_endpoint, 0);
    generate_text(random, card->unicast_endpoint, sizeof card->unicast_endpoint, 0);
    card->lineage = generate_between(random, 0, UINT64_MAX);
    card->hosted = card->lineage == 0 ? 0 : generate_between(random, 0, UINT64_MAX);
    card->cpu_permille = (uint32_t)generate_between(random, 1, 64000);
    card->slots = (uint32_t)generate_between(random, 0, 256);
    generate_tags(random, &card->provides);
}

static void generate_claims(struct chirr_random *random, struct chirr_claims *claims)
{
    claims->count = (uint32_t)generate_between(random, 0, CHIRR_CLAIMS_MAX);
    for (uint32_t i = 0; i < claims->count; i++) {
        claims->claims[i].task = (chirr_random_u64(random) << 3 | i) + 1;
        claims->claims[i].epoch = (uint32_t)generate_between(random, 0, UINT32_MAX);
        claims->claims[i].bid = (int64_t)generate_between(random, 0, UINT64_MAX);
    }
}

/* Some keys come twice, and keep their holder. */
static void generate_trust(struct chirr_random *random, struct chirr_trust *trust)
{
    trust->count = (uint32_t)generate_between(random, 0, CHIRR_TRUST_CHANGES_MAX);
    for (uint32_t i = 0; i < trust->count; i++) {
        struct chirr_trust_change *change = &trust->changes[i];
        if (i > 0 && chirr_random_below(random, 4) == 0) {
            *change = trust->changes[chirr_random_below(random, i)];
        } else {
            generate_bytes(random, change->public_key, sizeof change->public_key);
            change->holder = any_id(random);
        }
        change->removed = chirr_random_below(random, 2) == 1;
    }
}

void generate_record(struct chirr_random *random, const struct chirr_identity *author,
                     enum chirr_record_kind kind, struct chirr_record *record)
{
    memset(record, 0, sizeof *record);
    record->kind = kind != 0
                       ? kind
                       : (enum chirr_record_kind)(CHIRR_RECORD_CARD +
                                                  chirr_random_below(random, CHIRR_RECORD_TRUST));
    record->author = author->id;
    record->stamp = any_stamp(random);
    switch (record->kind) {
    case CHIRR_RECORD_CARD:
        generate_card(random, author, &record->card);
        break;
    case CHIRR_RECORD_CLAIMS:
        generate_claims(random, &record->claims);
        break;
    case CHIRR_RECORD_TASK:
        generate_task(random, author->id, 0, &record->task);
        break;
    case CHIRR_RECORD_TRUST:
        generate_trust(random, &record->trust);
        break;
    }
    enum chirr_err err = chirr_record_sign(record, author);
    CHIRR_ASSERT(err == CHIRR_OK);
}

static void generate_updates(struct chirr_random *random, struct chirr_member_updates *news)
{
    news->count = (uint32_t)generate_between(random, 0, CHIRR_MEMBER_UPDATES_MAX);
    for (uint32_t i = 0; i < news->count; i++) {
        news->updates[i].agent = any_id(random);
        news->updates[i].incarnation = generate_between(random, 0, UINT64_MAX);
        news->updates[i].status = (enum chirr_member_status)generate_between(
            random, CHIRR_MEMBER_ALIVE, CHIRR_MEMBER_LEFT);
        if (news->updates[i].status == CHIRR_MEMBER_SUSPECT) {
            news->updates[i].accuser = generate_between(random, 0, UINT64_MAX);
        }
    }
}

/* `by_stamp`: an author may be named more than once. Steps small enough that the last author of the
 * longest list still fits into 64 bits. */
static const struct chirr_digest_entry *generate_entries(struct chirr_random *random,
                                                         struct chirr_arena *arena, bool by_stamp,
                                                         uint32_t *count)
{
    *count = (uint32_t)generate_between(random, 0, CHIRR_DIGEST_ENTRIES_MAX);
    struct chirr_digest_entry *entries = chirr_arena_take(arena, *count, sizeof *entries);
    CHIRR_ASSERT(entries != NULL);
    chirr_agent_id author = 0;
    for (uint32_t i = 0; i < *count; i++) {
        bool further = by_stamp && i > 0 && entries[i - 1].stamp.version < UINT64_MAX &&
                       generate_between(random, 0, 2) == 0;
        if (further) {
            entries[i] = entries[i - 1];
            entries[i].stamp.version++;
            continue;
        }
        author += generate_between(random, 1, UINT64_MAX / CHIRR_DIGEST_ENTRIES_MAX);
        entries[i].author = author;
        entries[i].stamp = any_stamp(random);
    }
    return *count == 0 ? NULL : entries;
}

static void generate_records(struct chirr_random *random, struct chirr_arena *arena,
                             const struct chirr_identity *author, struct chirr_records *records)
{
    bool many = chirr_random_below(random, 16) == 0;
    records->count = many ? CHIRR_RECORDS_MAX : (uint32_t)chirr_random_below(random, 5);
    struct chirr_record *each = chirr_arena_take(arena, records->count, sizeof *each);
    CHIRR_ASSERT(each != NULL);
    for (uint32_t i = 0; i < records->count; i++) {
        generate_record(random, author, 0, &each[i]);
    }
    records->records = records->count == 0 ? NULL : each;
    records->covered = generate_entries(random, arena, false, &records->covered_count);
}

static void generate_digest(struct chirr_random *random, struct chirr_arena *arena,
                            struct chirr_digest_message *digest)
{
    digest->answer_wanted = chirr_random_below(random, 2) == 1;
    digest->entries = generate_entries(random, arena, true, &digest->count);
    if (chirr_random_below(random, 2) == 0) {
        digest->buckets = generate_between(random, 0, UINT64_MAX);
        return;
    }
    digest->salt = (uint32_t)generate_between(random, 0, UINT32_MAX);
    digest->summary_count = CHIRR_DIGEST_BUCKETS;
    for (uint32_t i = 0; i < CHIRR_DIGEST_BUCKETS; i++) {
        digest->summary[i] = (uint32_t)generate_between(random, 0, UINT32_MAX);
    }
}

static void generate_have(struct chirr_random *random, struct chirr_arena *arena,
                          struct chirr_have *have)
{
    have->count = (uint32_t)generate_between(random, 1, CHIRR_HAVE_ENTRIES_MAX);
    struct chirr_digest_entry *entries = chirr_arena_take(arena, have->count, sizeof *entries);
    CHIRR_ASSERT(entries != NULL);
    for (uint32_t i = 0; i < have->count; i++) {
        entries[i] = (struct chirr_digest_entry){any_id(random), any_stamp(random)};
    }
    have->entries = entries;
}

/* The first card is `origin`'s, the others are strangers'. */
static void generate_view(struct chirr_random *random, struct chirr_arena *arena,
                          const struct chirr_identity *origin, struct chirr_view_message *view)
{
    view->verb =
        (enum chirr_view_verb)generate_between(random, CHIRR_VIEW_JOIN, CHIRR_VIEW_SHUFFLE_REPLY);
    view->origin = origin->id;
    view->urgent = view->verb == CHIRR_VIEW_NEIGHBOUR && chirr_random_below(random, 2) == 1;
    bool walks = view->verb == CHIRR_VIEW_FORWARD_JOIN || view->verb == CHIRR_VIEW_SHUFFLE;
    view->hops = walks ? (uint32_t)generate_between(random, 0, 16) : 0;
    uint32_t count_min = walks || view->verb == CHIRR_VIEW_JOIN ? 1 : 0;
    view->count = (uint32_t)generate_between(random, count_min, CHIRR_VIEW_CARDS_MAX);
    struct chirr_record *cards = chirr_arena_take(arena, view->count, sizeof *cards);
    CHIRR_ASSERT(cards != NULL);
    for (uint32_t i = 0; i < view->count; i++) {
        struct chirr_identity stranger = generate_identity(random);
        generate_record(random, i == 0 ? origin : &stranger, CHIRR_RECORD_CARD, &cards[i]);
    }
    view->cards = view->count == 0 ? NULL : cards;
}

static void generate_delta(struct chirr_random *random, struct chirr_arena *arena,
                           const struct chirr_identity *author, struct chirr_delta_message *delta)
{
    delta->origin = author->id;
    delta->stamp = any_stamp(random);
    delta->lineage = any_id(random);
    delta->partition = (uint32_t)generate_between(random, 0, 63);
    delta->payload_bytes = (uint32_t)generate_between(random, 1, CHIRR_DELTA_PAYLOAD_BYTES_MAX);
    uint8_t *payload = chirr_arena_take(arena, 1, delta->payload_bytes);
    CHIRR_ASSERT(payload != NULL);
    generate_bytes(random, payload, delta->payload_bytes);
    delta->payload = payload;
    enum chirr_err err = chirr_delta_sign(delta, author);
    CHIRR_ASSERT(err == CHIRR_OK);
}

void generate_message(struct chirr_random *random, struct chirr_arena *arena,
                      const struct chirr_identity *author, enum chirr_message_kind kind,
                      struct chirr_message *message)
{
    arena->used = 0;
    memset(message, 0, sizeof *message);
    message->kind =
        kind != 0 ? kind
                  : (enum chirr_message_kind)(CHIRR_MESSAGE_PING +
                                              chirr_random_below(random, CHIRR_MESSAGE_KINDS - 1));
    switch (message->kind) {
    case CHIRR_MESSAGE_PING:
    case CHIRR_MESSAGE_PING_REQUEST:
    case CHIRR_MESSAGE_ACK:
    case CHIRR_MESSAGE_NACK:
        message->probe.sequence = (uint32_t)generate_between(random, 0, UINT32_MAX);
        message->probe.target = any_id(random);
        generate_updates(random, &message->probe.news);
        break;
    case CHIRR_MESSAGE_GOSSIP:
        generate_updates(random, &message->gossip);
        break;
    case CHIRR_MESSAGE_HEARTBEAT:
        message->heartbeat.incarnation = generate_between(random, 1, UINT64_MAX);
        message->heartbeat.sequence = generate_between(random, 0, UINT64_MAX);
        message->heartbeat.running_count = (uint32_t)generate_between(random, 0, 256);
        message->heartbeat.bits = (float)generate_between(random, 0, 64000) / 1000.0F;
        break;
    case CHIRR_MESSAGE_RECORDS:
        generate_records(random, arena, author, &message->records);
        break;
    case CHIRR_MESSAGE_DIGEST:
        generate_digest(random, arena, &message->digest);
        break;
    case CHIRR_MESSAGE_DELTA:
        generate_delta(random, arena, author, &message->delta);
        break;
    case CHIRR_MESSAGE_VIEW:
        generate_view(random, arena, author, &message->view);
        break;
    case CHIRR_MESSAGE_HAVE:
    case CHIRR_MESSAGE_GRAFT:
        generate_have(random, arena, &message->have);
        break;
    }
}
