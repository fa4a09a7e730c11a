/* Every rule that a record or a message must keep, wherever it comes from.
 *
 * CHIRR_ERR_FULL: a text or list is longer than its limit. CHIRR_ERR_RANGE: a number is outside its
 * range, an enum included. CHIRR_ERR_MALFORMED: the parts contradict each other, or a text holds
 * what it must not. Sizes are checked first, so that nothing below reads past an array. */
#include "proto/message.h"

#include <string.h>

#define TIME_LIMIT_MS_MAX 86400000U /* a day */
#define PRIORITY_MAX 9U
#define CPU_PERMILLE_MAX 64000U
#define SLOTS_MAX 256U
#define PARTITIONS_MAX 64U
#define BITS_MAX 64.0F
#define EXIT_CODE_MAX 255
#define HOPS_MAX 16U

static bool is_zero(const void *memory, size_t bytes)
{
    const uint8_t *byte = memory;
    for (size_t i = 0; i < bytes; i++) {
        if (byte[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Printable ASCII, NUL-terminated, zero after that: what people read on terminals, in logs and in
 * JSON, and what devices compare bytewise. */
static enum chirr_err validate_text(const char *text, size_t capacity, size_t bytes_min)
{
    size_t bytes = strnlen(text, capacity);
    if (bytes == capacity) {
        return CHIRR_ERR_FULL;
    }
    if (bytes < bytes_min || !is_zero(text + bytes, capacity - bytes)) {
        return CHIRR_ERR_MALFORMED;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            return CHIRR_ERR_MALFORMED;
        }
    }
    return CHIRR_OK;
}

static enum chirr_err validate_tags(const struct chirr_tags *tags)
{
    if (tags->count > CHIRR_TAGS_MAX) {
        return CHIRR_ERR_FULL;
    }
    for (uint32_t i = 0; i < tags->count; i++) {
        enum chirr_err err = validate_text(tags->names[i], CHIRR_TAG_BYTES_MAX, 1);
        if (err != CHIRR_OK) {
            return err;
        }
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(tags->names[i], tags->names[j]) == 0) {
                return CHIRR_ERR_MALFORMED;
            }
        }
    }
    size_t used = (size_t)tags->count * CHIRR_TAG_BYTES_MAX;
    bool rest_is_zero = is_zero((const char *)tags->names + used, sizeof tags->names - used);
    return rest_is_zero ? CHIRR_OK : CHIRR_ERR_MALFORMED;
}

/* Of a statement that somebody made: neither part is ever 0. */
static enum chirr_err validate_stamp(struct chirr_stamp stamp)
{
    return stamp.incarnation == 0 || stamp.version == 0 ? CHIRR_ERR_RANGE : CHIRR_OK;
}

static enum chirr_err validate_card(const struct chirr_card *card, chirr_agent_id author)
{
    const struct {
        const char *text;
        size_t capacity;
        size_t bytes_min;
    } texts[] = {
        {card->name, sizeof card->name, 1},
        {card->device, sizeof card->device, 0},
        {card->publish_endpoint, sizeof card->publish_endpoint, 0},
        {card->unicast_endpoint, sizeof card->unicast_endpoint, 0},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        enum chirr_err err = validate_text(texts[i].text, texts[i].capacity, texts[i].bytes_min);
        if (err != CHIRR_OK) {
            return err;
        }
    }
    if (card->cpu_permille == 0 || card->cpu_permille > CPU_PERMILLE_MAX ||
        card->slots > SLOTS_MAX) {
        return CHIRR_ERR_RANGE;
    }
    if (card->lineage == 0 && card->hosted != 0) {
        return CHIRR_ERR_MALFORMED;
    }
    if (chirr_agent_id_of(card->public_key) != author ||
        memcmp(card->current_key, card->public_key, CHIRR_KEY_BYTES) == 0) {
        return CHIRR_ERR_MALFORMED;
    }
    return validate_tags(&card->provides);
}

static enum chirr_err validate_claims(const struct chirr_claims *claims)
{
    if (claims->count > CHIRR_CLAIMS_MAX) {
        return CHIRR_ERR_FULL;
    }
    for (uint32_t i = 0; i < claims->count; i++) {
        if (claims->claims[i].task == 0) {
            return CHIRR_ERR_RANGE;
        }
        for (uint32_t j = 0; j < i; j++) {
            if (claims->claims[i].task == claims->claims[j].task) {
                return CHIRR_ERR_MALFORMED;
            }
        }
    }
    for (uint32_t i = claims->count; i < CHIRR_CLAIMS_MAX; i++) {
        const struct chirr_claim *unused = &claims->claims[i];
        if (unused->task != 0 || unused->epoch != 0 || unused->bid != 0) {
            return CHIRR_ERR_MALFORMED;
        }
    }
    return CHIRR_OK;
}

/* `argument_count` arguments, each ended by a NUL, the first not empty; zero after the last. */
static enum chirr_err validate_command(const struct chirr_task_spec *spec)
{
    if (spec->command_bytes > CHIRR_COMMAND_BYTES_MAX) {
        return CHIRR_ERR_FULL;
    }
    if (spec->argument_count == 0) {
        return CHIRR_ERR_RANGE;
    }
    uint32_t ends = 0;
    for (uint32_t i = 0; i < spec->command_bytes; i++) {
        ends += spec->command[i] == '\0';
    }
    if (spec->command_bytes == 0 || spec->command[spec->command_bytes - 1] != '\0' ||
        ends != spec->argument_count || spec->command[0] == '\0') {
        return CHIRR_ERR_MALFORMED;
    }
    size_t unused = CHIRR_COMMAND_BYTES_MAX - spec->command_bytes;
    return is_zero(spec->command + spec->command_bytes, unused) ? CHIRR_OK : CHIRR_ERR_MALFORMED;
}

enum chirr_err chirr_task_spec_validate(const struct chirr_task_spec *spec)
{
    enum chirr_err err = validate_text(spec->kind, sizeof spec->kind, 1);
    if (err != CHIRR_OK) {
        return err;
    }
    if (spec->time_limit_ms == 0 || spec->time_limit_ms > TIME_LIMIT_MS_MAX ||
        spec->priority > PRIORITY_MAX) {
        return CHIRR_ERR_RANGE;
    }
    err = validate_tags(&spec->requires);
    return err != CHIRR_OK ? err : validate_command(spec);
}

static enum chirr_err validate_no_result(const struct chirr_task_result *result)
{
    if (result->output_bytes > CHIRR_RESULT_OUTPUT_BYTES_MAX) {
        return CHIRR_ERR_FULL;
    }
    bool empty = result->end == CHIRR_TASK_END_NONE && result->code == 0 &&
                 result->duration_us == 0 && result->predicted_us == 0 &&
                 result->output_total_bytes == 0 && result->output_bytes == 0 &&
                 is_zero(result->output, sizeof result->output);
    return empty ? CHIRR_OK : CHIRR_ERR_MALFORMED;
}

static enum chirr_err validate_result(const struct chirr_task_result *result)
{
    if (result->output_bytes > CHIRR_RESULT_OUTPUT_BYTES_MAX) {
        return CHIRR_ERR_FULL;
    }
    if (result->end > CHIRR_TASK_END_NOT_STARTED || result->code < 0 ||
        (result->end == CHIRR_TASK_END_EXITED && result->code > EXIT_CODE_MAX)) {
        return CHIRR_ERR_RANGE;
    }
    if (result->end == CHIRR_TASK_END_NONE || result->output_total_bytes < result->output_bytes) {
        return CHIRR_ERR_MALFORMED;
    }
    size_t unused = CHIRR_RESULT_OUTPUT_BYTES_MAX - result->output_bytes;
    return is_zero(result->output + result->output_bytes, unused) ? CHIRR_OK : CHIRR_ERR_MALFORMED;
}

static enum chirr_err validate_task(const struct chirr_task *task)
{
    if (task->id == 0 || task->submitter == 0 || task->phase < CHIRR_TASK_OPEN ||
        task->phase > CHIRR_TASK_DONE) {
        return CHIRR_ERR_RANGE;
    }
    enum chirr_err err = chirr_task_spec_validate(&task->spec);
    if (err != CHIRR_OK) {
        return err;
    }
    bool owned = task->phase == CHIRR_TASK_RUNNING || task->phase == CHIRR_TASK_RELEASED ||
                 task->phase == CHIRR_TASK_DONE;
    if ((task->owner != 0) != owned || (task->owner_incarnation != 0) != owned) {
        return CHIRR_ERR_MALFORMED;
    }
    if (task->id != chirr_task_id_of(task->submitter, task->nonce, &task->spec)) {
        return CHIRR_ERR_MALFORMED;
    }
    return task->phase == CHIRR_TASK_DONE ? validate_result(&task->result)
                                          : validate_no_result(&task->result);
}

static enum chirr_err validate_no_trust(const struct chirr_trust_change *unused, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (unused[i].holder != 0 || unused[i].removed ||
            !is_zero(unused[i].public_key, CHIRR_KEY_BYTES)) {
            return CHIRR_ERR_MALFORMED;
        }
    }
    return CHIRR_OK;
}

/* A key may be trusted and removed again and again, but never change hands: who obeys would not
 * know whom to forget. */
static enum chirr_err validate_trust(const struct chirr_trust *trust)
{
    if (trust->count > CHIRR_TRUST_CHANGES_MAX) {
        return CHIRR_ERR_FULL;
    }
    for (uint32_t i = 0; i < trust->count; i++) {
        const struct chirr_trust_change *change = &trust->changes[i];
        if (change->holder == 0 || is_zero(change->public_key, CHIRR_KEY_BYTES)) {
            return CHIRR_ERR_RANGE;
        }
        for (uint32_t j = 0; j < i; j++) {
            bool same_key =
                memcmp(change->public_key, trust->changes[j].public_key, CHIRR_KEY_BYTES) == 0;
            if (same_key && change->holder != trust->changes[j].holder) {
                return CHIRR_ERR_MALFORMED;
            }
        }
    }
    return validate_no_trust(&trust->changes[trust->count], CHIRR_TRUST_CHANGES_MAX - trust->count);
}

enum chirr_err chirr_record_validate(const struct chirr_record *record)
{
    if (record->author == 0) {
        return CHIRR_ERR_RANGE;
    }
    enum chirr_err err = validate_stamp(record->stamp);
    if (err != CHIRR_OK) {
        return err;
    }
    switch (record->kind) {
    case CHIRR_RECORD_CARD:
        return validate_card(&record->card, record->author);
    case CHIRR_RECORD_CLAIMS:
        return validate_claims(&record->claims);
    case CHIRR_RECORD_TASK:
        return validate_task(&record->task);
    case CHIRR_RECORD_TRUST:
        return validate_trust(&record->trust);
    }
    return CHIRR_ERR_RANGE;
}

static enum chirr_err validate_updates(const struct chirr_member_updates *news)
{
    if (news->count > CHIRR_MEMBER_UPDATES_MAX) {
        return CHIRR_ERR_FULL;
    }
    for (uint32_t i = 0; i < news->count; i++) {
        const struct chirr_member_update *update = &news->updates[i];
        if (update->agent == 0 || update->status < CHIRR_MEMBER_ALIVE ||
            update->status > CHIRR_MEMBER_LEFT) {
            return CHIRR_ERR_RANGE;
        }
        if (update->accuser != 0 && update->status != CHIRR_MEMBER_SUSPECT) {
            return CHIRR_ERR_MALFORMED;
        }
    }
    return CHIRR_OK;
}

static enum chirr_err validate_probe(const struct chirr_probe *probe)
{
    return probe->target == 0 ? CHIRR_ERR_RANGE : validate_updates(&probe->news);
}

/* What is not a number compares false, so that the range keeps it out. */
static enum chirr_err validate_heartbeat(const struct chirr_heartbeat *heartbeat)
{
    bool in_range = heartbeat->incarnation != 0 && heartbeat->running_count <= SLOTS_MAX &&
                    heartbeat->bits >= 0.0F && heartbeat->bits <= BITS_MAX;
    return in_range ? CHIRR_OK : CHIRR_ERR_RANGE;
}

static bool is_ascending(const struct chirr_digest_entry *a, const struct chirr_digest_entry *b,
                         bool by_stamp)
{
    bool further = by_stamp && a->author == b->author;
    return further ? chirr_stamp_compare(a->stamp, b->stamp) < 0 : a->author < b->author;
}

/* Strictly ascending, so that no author is named twice, or, `by_stamp`, no statement of it. */
static enum chirr_err validate_entries(const struct chirr_digest_entry *entries, uint32_t count,
                                       bool by_stamp)
{
    if (count > CHIRR_DIGEST_ENTRIES_MAX) {
        return CHIRR_ERR_FULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (entries[i].author == 0 || entries[i].stamp.incarnation == 0) {
            return CHIRR_ERR_RANGE;
        }
        if (i > 0 && !is_ascending(&entries[i - 1], &entries[i], by_stamp)) {
            return CHIRR_ERR_MALFORMED;
        }
    }
    return CHIRR_OK;
}

static enum chirr_err validate_list(const struct chirr_record *records, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        enum chirr_err err = chirr_record_validate(&records[i]);
        if (err != CHIRR_OK) {
            return err;
        }
    }
    return CHIRR_OK;
}

static enum chirr_err validate_records(const struct chirr_records *records)
{
    if (records->count > CHIRR_RECORDS_MAX) {
        return CHIRR_ERR_FULL;
    }
    enum chirr_err err = validate_list(records->records, records->count);
    return err != CHIRR_OK ? err
                           : validate_entries(records->covered, records->covered_count, false);
}

static enum chirr_err validate_digest(const struct chirr_digest_message *digest)
{
    if (digest->summary_count > CHIRR_DIGEST_BUCKETS) {
        return CHIRR_ERR_FULL;
    }
    bool whole = digest->summary_count == CHIRR_DIGEST_BUCKETS && digest->buckets == 0;
    bool none = digest->summary_count == 0 && digest->salt == 0 &&
                is_zero(digest->summary, sizeof digest->summary);
    return whole || none ? validate_entries(digest->entries, digest->count, true)
                         : CHIRR_ERR_MALFORMED;
}

static enum chirr_err validate_have(const struct chirr_have *have)
{
    if (have->count > CHIRR_HAVE_ENTRIES_MAX) {
        return CHIRR_ERR_FULL;
    }
    if (have->count == 0) {
        return CHIRR_ERR_MALFORMED;
    }
    for (uint32_t i = 0; i < have->count; i++) {
        if (have->entries[i].author == 0) {
            return CHIRR_ERR_RANGE;
        }
        enum chirr_err err = validate_stamp(have->entries[i].stamp);
        if (err != CHIRR_OK) {
            return err;
        }
    }
    return CHIRR_OK;
}

static enum chirr_err validate_cards(const struct chirr_view_message *view)
{
    for (uint32_t i = 0; i < view->count; i++) {
        if (view->cards[i].kind != CHIRR_RECORD_CARD) {
            return CHIRR_ERR_MALFORMED;
        }
    }
    bool led_by_origin = view->verb == CHIRR_VIEW_JOIN || view->verb == CHIRR_VIEW_FORWARD_JOIN ||
                         view->verb == CHIRR_VIEW_SHUFFLE;
    if (led_by_origin && (view->count == 0 || view->cards[0].author != view->origin)) {
        return CHIRR_ERR_MALFORMED;
    }
    return validate_list(view->cards, view->count);
}

static enum chirr_err validate_view(const struct chirr_view_message *view)
{
    if (view->count > CHIRR_VIEW_CARDS_MAX) {
        return CHIRR_ERR_FULL;
    }
    if (view->verb < CHIRR_VIEW_JOIN || view->verb > CHIRR_VIEW_SHUFFLE_REPLY ||
        view->origin == 0 || view->hops > HOPS_MAX) {
        return CHIRR_ERR_RANGE;
    }
    bool walks = view->verb == CHIRR_VIEW_FORWARD_JOIN || view->verb == CHIRR_VIEW_SHUFFLE;
    if ((view->hops != 0 && !walks) || (view->urgent && view->verb != CHIRR_VIEW_NEIGHBOUR)) {
        return CHIRR_ERR_MALFORMED;
    }
    return validate_cards(view);
}

enum chirr_err chirr_delta_validate(const struct chirr_delta_message *delta)
{
    if (delta->payload_bytes > CHIRR_DELTA_PAYLOAD_BYTES_MAX) {
        return CHIRR_ERR_FULL;
    }
    if (delta->origin == 0 || delta->lineage == 0 || delta->partition >= PARTITIONS_MAX) {
        return CHIRR_ERR_RANGE;
    }
    if (delta->payload_bytes == 0) {
        return CHIRR_ERR_MALFORMED;
    }
    return validate_stamp(delta->stamp);
}

enum chirr_err chirr_message_validate(const struct chirr_message *message)
{
    switch (message->kind) {
    case CHIRR_MESSAGE_PING:
    case CHIRR_MESSAGE_PING_REQUEST:
    case CHIRR_MESSAGE_ACK:
    case CHIRR_MESSAGE_NACK:
        return validate_probe(&message->probe);
    case CHIRR_MESSAGE_GOSSIP:
        return validate_updates(&message->gossip);
    case CHIRR_MESSAGE_HEARTBEAT:
        return validate_heartbeat(&message->heartbeat);
    case CHIRR_MESSAGE_RECORDS:
        return validate_records(&message->records);
    case CHIRR_MESSAGE_DIGEST:
        return validate_digest(&message->digest);
    case CHIRR_MESSAGE_DELTA:
        return chirr_delta_validate(&message->delta);
    case CHIRR_MESSAGE_VIEW:
        return validate_view(&message->view);
    case CHIRR_MESSAGE_HAVE:
    case CHIRR_MESSAGE_GRAFT:
        return validate_have(&message->have);
    }
    return CHIRR_ERR_RANGE;
}
