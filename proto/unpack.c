/* From protobuf-c's structs to plain ones: sizes are checked here, values by validate.c. */
#include "proto/pack.h"

#include <string.h>

/* `out` is zero before. */
static enum chirr_err unpack_text(char *out, size_t capacity, const char *text)
{
    size_t bytes = strlen(text);
    if (bytes >= capacity) {
        return CHIRR_ERR_FULL;
    }
    memcpy(out, text, bytes);
    return CHIRR_OK;
}

/* `*bytes` is how many of `capacity` are used; `out` is zero before. */
static enum chirr_err unpack_bytes(void *out, size_t capacity, uint32_t *bytes,
                                   const ProtobufCBinaryData *data)
{
    if (data->len > capacity) {
        return CHIRR_ERR_FULL;
    }
    *bytes = (uint32_t)data->len;
    if (data->len > 0) {
        memcpy(out, data->data, data->len);
    }
    return CHIRR_OK;
}

/* Keys and signatures: exactly that many. */
static enum chirr_err unpack_exactly(uint8_t *out, size_t bytes, const ProtobufCBinaryData *data)
{
    if (data->len != bytes) {
        return CHIRR_ERR_MALFORMED;
    }
    memcpy(out, data->data, bytes);
    return CHIRR_OK;
}

static enum chirr_err unpack_tags(struct chirr_tags *tags, size_t count, char *const *names)
{
    if (count > CHIRR_TAGS_MAX) {
        return CHIRR_ERR_FULL;
    }
    tags->count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        enum chirr_err err = unpack_text(tags->names[i], sizeof tags->names[i], names[i]);
        if (err != CHIRR_OK) {
            return err;
        }
    }
    return CHIRR_OK;
}

static enum chirr_err unpack_card(struct chirr_card *card, const Chirr__Wire__Card *wire)
{
    const struct {
        char *out;
        size_t capacity;
        const char *text;
    } texts[] = {
        {card->name, sizeof card->name, wire->name},
        {card->device, sizeof card->device, wire->device},
        {card->publish_endpoint, sizeof card->publish_endpoint, wire->publish_endpoint},
        {card->unicast_endpoint, sizeof card->unicast_endpoint, wire->unicast_endpoint},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        enum chirr_err err = unpack_text(texts[i].out, texts[i].capacity, texts[i].text);
        if (err != CHIRR_OK) {
            return err;
        }
    }
    if (wire->current_key.len != 0) {
        enum chirr_err err =
            unpack_exactly(card->current_key, sizeof card->current_key, &wire->current_key);
        if (err != CHIRR_OK) {
            return err;
        }
    }
    card->lineage = wire->lineage;
    card->hosted = wire->hosted;
    card->cpu_permille = wire->cpu_permille;
    card->slots = wire->slots;
    enum chirr_err err = unpack_tags(&card->provides, wire->n_provides, wire->provides);
    if (err != CHIRR_OK) {
        return err;
    }
    return unpack_exactly(card->public_key, sizeof card->public_key, &wire->public_key);
}

static enum chirr_err unpack_claims(struct chirr_claims *claims, const Chirr__Wire__Claims *wire)
{
    if (wire->n_claims > CHIRR_CLAIMS_MAX) {
        return CHIRR_ERR_FULL;
    }
    claims->count = (uint32_t)wire->n_claims;
    for (size_t i = 0; i < wire->n_claims; i++) {
        claims->claims[i].task = wire->claims[i]->task;
        claims->claims[i].epoch = wire->claims[i]->epoch;
        claims->claims[i].bid = wire->claims[i]->bid;
    }
    return CHIRR_OK;
}

static enum chirr_err unpack_spec(struct chirr_task_spec *spec, const Chirr__Wire__TaskSpec *wire)
{
    if (wire == NULL) {
        return CHIRR_ERR_MALFORMED;
    }
    enum chirr_err err = unpack_text(spec->kind, sizeof spec->kind, wire->kind);
    if (err != CHIRR_OK) {
        return err;
    }
    spec->size_bytes = wire->size_bytes;
    spec->time_limit_ms = wire->time_limit_ms;
    spec->priority = wire->priority;
    err = unpack_tags(&spec->requires, wire->n_requires, wire->requires);
    if (err != CHIRR_OK) {
        return err;
    }
    spec->argument_count = wire->argument_count;
    return unpack_bytes(spec->command, sizeof spec->command, &spec->command_bytes, &wire->command);
}

static enum chirr_err unpack_result(struct chirr_task_result *result,
                                    const Chirr__Wire__TaskResult *wire)
{
    if (wire == NULL) {
        return CHIRR_OK;
    }
    result->end = (enum chirr_task_end)wire->end;
    result->code = (int32_t)wire->code;
    result->duration_us = wire->duration_us;
    result->predicted_us = wire->predicted_us;
    result->output_total_bytes = wire->output_total_bytes;
    return unpack_bytes(result->output, sizeof result->output, &result->output_bytes,
                        &wire->output);
}

static enum chirr_err unpack_task(struct chirr_task *task, const Chirr__Wire__Task *wire)
{
    task->id = wire->id;
    task->submitter = wire->submitter;
    task->nonce = wire->nonce;
    task->epoch = wire->epoch;
    task->phase = (enum chirr_task_phase)wire->phase;
    task->owner = wire->owner;
    task->owner_incarnation = wire->owner_incarnation;
    enum chirr_err err = unpack_spec(&task->spec, wire->spec);
    return err != CHIRR_OK ? err : unpack_result(&task->result, wire->result);
}

static enum chirr_err unpack_trust(struct chirr_trust *trust, const Chirr__Wire__Trust *wire)
{
    if (wire->n_holders > CHIRR_TRUST_CHANGES_MAX) {
        return CHIRR_ERR_FULL;
    }
    if (wire->public_keys.len != wire->n_holders * CHIRR_KEY_BYTES) {
        return CHIRR_ERR_MALFORMED;
    }
    trust->count = (uint32_t)wire->n_holders;
    for (size_t i = 0; i < wire->n_holders; i++) {
        struct chirr_trust_change *change = &trust->changes[i];
        memcpy(change->public_key, wire->public_keys.data + i * CHIRR_KEY_BYTES, CHIRR_KEY_BYTES);
        change->holder = wire->holders[i];
        change->removed = (wire->removed >> i & 1) != 0;
    }
    return CHIRR_OK;
}

static enum chirr_err unpack_statement(struct chirr_record *record, const Chirr__Wire__Record *wire)
{
    switch (wire->statement_case) {
    case CHIRR__WIRE__RECORD__STATEMENT_CARD:
        record->kind = CHIRR_RECORD_CARD;
        return unpack_card(&record->card, wire->card);
    case CHIRR__WIRE__RECORD__STATEMENT_CLAIMS:
        record->kind = CHIRR_RECORD_CLAIMS;
        return unpack_claims(&record->claims, wire->claims);
    case CHIRR__WIRE__RECORD__STATEMENT_TASK:
        record->kind = CHIRR_RECORD_TASK;
        return unpack_task(&record->task, wire->task);
    case CHIRR__WIRE__RECORD__STATEMENT_TRUST:
        record->kind = CHIRR_RECORD_TRUST;
        return unpack_trust(&record->trust, wire->trust);
    default:
        return CHIRR_ERR_MALFORMED;
    }
}

enum chirr_err chirr_unpack_record(struct chirr_record *record, const Chirr__Wire__Record *wire)
{
    if (wire->format != CHIRR_RECORD_FORMAT) {
        return CHIRR_ERR_VERSION;
    }
    memset(record, 0, sizeof *record);
    record->author = wire->author;
    record->stamp = (struct chirr_stamp){wire->incarnation, wire->version};
    enum chirr_err err =
        unpack_exactly(record->signature, sizeof record->signature, &wire->signature);
    return err != CHIRR_OK ? err : unpack_statement(record, wire);
}

static enum chirr_err unpack_updates(struct chirr_member_updates *news,
                                     const Chirr__Wire__MemberUpdates *wire)
{
    if (wire == NULL) {
        return CHIRR_ERR_MALFORMED;
    }
    if (wire->n_updates > CHIRR_MEMBER_UPDATES_MAX) {
        return CHIRR_ERR_FULL;
    }
    news->count = (uint32_t)wire->n_updates;
    for (size_t i = 0; i < wire->n_updates; i++) {
        news->updates[i].agent = wire->updates[i]->agent;
        news->updates[i].incarnation = wire->updates[i]->incarnation;
        news->updates[i].status = (enum chirr_member_status)wire->updates[i]->status;
        news->updates[i].accuser = wire->updates[i]->accuser;
    }
    return CHIRR_OK;
}

/* `*out` points into the arena; NULL when there are none. */
static enum chirr_err unpack_entries(const struct chirr_digest_entry **out, uint32_t *count,
                                     const Chirr__Wire__DigestEntries *wire,
                                     struct chirr_arena *arena)
{
    if (wire == NULL || wire->n_incarnations != wire->n_authors ||
        wire->n_versions != wire->n_authors) {
        return CHIRR_ERR_MALFORMED;
    }
    if (wire->n_authors > CHIRR_DIGEST_ENTRIES_MAX) {
        return CHIRR_ERR_FULL;
    }
    if (wire->n_authors == 0) {
        return CHIRR_OK;
    }
    struct chirr_digest_entry *entries = chirr_arena_take(arena, wire->n_authors, sizeof *entries);
    if (entries == NULL) {
        return CHIRR_ERR_FULL;
    }
    for (size_t i = 0; i < wire->n_authors; i++) {
        entries[i].author = wire->authors[i];
        entries[i].stamp = (struct chirr_stamp){wire->incarnations[i], wire->versions[i]};
    }
    *out = entries;
    *count = (uint32_t)wire->n_authors;
    return CHIRR_OK;
}

static enum chirr_err unpack_probe(struct chirr_probe *probe, const Chirr__Wire__Probe *wire)
{
    probe->sequence = wire->sequence;
    probe->target = wire->target;
    return unpack_updates(&probe->news, wire->news);
}

static enum chirr_err unpack_heartbeat(struct chirr_heartbeat *heartbeat,
                                       const Chirr__Wire__Heartbeat *wire)
{
    heartbeat->incarnation = wire->incarnation;
    heartbeat->sequence = wire->sequence;
    heartbeat->running_count = wire->running_count;
    heartbeat->bits = wire->bits;
    return CHIRR_OK;
}

/* `*out` points into the arena; NULL when there are none. */
static enum chirr_err unpack_list(const struct chirr_record **out, Chirr__Wire__Record *const *wire,
                                  size_t count, struct chirr_arena *arena)
{
    if (count == 0) {
        return CHIRR_OK;
    }
    struct chirr_record *records = chirr_arena_take(arena, count, sizeof *records);
    if (records == NULL) {
        return CHIRR_ERR_FULL;
    }
    for (size_t i = 0; i < count; i++) {
        enum chirr_err err = chirr_unpack_record(&records[i], wire[i]);
        if (err != CHIRR_OK) {
            return err;
        }
    }
    *out = records;
    return CHIRR_OK;
}

static enum chirr_err unpack_records(struct chirr_records *out, const Chirr__Wire__Records *wire,
                                     struct chirr_arena *arena)
{
    if (wire->n_records > CHIRR_RECORDS_MAX) {
        return CHIRR_ERR_FULL;
    }
    enum chirr_err err = unpack_list(&out->records, wire->records, wire->n_records, arena);
    if (err != CHIRR_OK) {
        return err;
    }
    out->count = (uint32_t)wire->n_records;
    return unpack_entries(&out->covered, &out->covered_count, wire->covered, arena);
}

static enum chirr_err unpack_digest(struct chirr_digest_message *digest,
                                    const Chirr__Wire__Digest *wire, struct chirr_arena *arena)
{
    if (wire->n_summary > CHIRR_DIGEST_BUCKETS) {
        return CHIRR_ERR_FULL;
    }
    digest->answer_wanted = wire->answer_wanted;
    digest->salt = wire->salt;
    digest->summary_count = (uint32_t)wire->n_summary;
    for (size_t i = 0; i < wire->n_summary; i++) {
        digest->summary[i] = wire->summary[i];
    }
    digest->buckets = wire->buckets;
    return unpack_entries(&digest->entries, &digest->count, wire->entries, arena);
}

static enum chirr_err unpack_delta(struct chirr_delta_message *delta,
                                   const Chirr__Wire__Delta *wire)
{
    if (wire->payload.len > CHIRR_DELTA_PAYLOAD_BYTES_MAX) {
        return CHIRR_ERR_FULL;
    }
    delta->origin = wire->origin;
    delta->stamp = (struct chirr_stamp){wire->incarnation, wire->version};
    delta->lineage = wire->lineage;
    delta->partition = wire->partition;
    delta->payload_bytes = (uint32_t)wire->payload.len;
    delta->payload = wire->payload.data;
    return unpack_exactly(delta->signature, sizeof delta->signature, &wire->signature);
}

static enum chirr_err unpack_view(struct chirr_view_message *view, const Chirr__Wire__View *wire,
                                  struct chirr_arena *arena)
{
    if (wire->n_cards > CHIRR_VIEW_CARDS_MAX) {
        return CHIRR_ERR_FULL;
    }
    view->verb = (enum chirr_view_verb)wire->verb;
    view->origin = wire->origin;
    view->hops = wire->hops;
    view->urgent = wire->urgent;
    view->count = (uint32_t)wire->n_cards;
    return unpack_list(&view->cards, wire->cards, wire->n_cards, arena);
}

static enum chirr_err unpack_have(struct chirr_have *have, const Chirr__Wire__Have *wire,
                                  struct chirr_arena *arena)
{
    return unpack_entries(&have->entries, &have->count, wire->entries, arena);
}

enum chirr_err chirr_unpack_message(struct chirr_message *message, const Chirr__Wire__Message *wire,
                                    struct chirr_arena *arena)
{
    memset(message, 0, sizeof *message);
    message->kind = (enum chirr_message_kind)wire->kind_case;
    switch (wire->kind_case) {
    case CHIRR__WIRE__MESSAGE__KIND_PING:
        return unpack_probe(&message->probe, wire->ping);
    case CHIRR__WIRE__MESSAGE__KIND_PING_REQUEST:
        return unpack_probe(&message->probe, wire->ping_request);
    case CHIRR__WIRE__MESSAGE__KIND_ACK:
        return unpack_probe(&message->probe, wire->ack);
    case CHIRR__WIRE__MESSAGE__KIND_GOSSIP:
        return unpack_updates(&message->gossip, wire->gossip);
    case CHIRR__WIRE__MESSAGE__KIND_HEARTBEAT:
        return unpack_heartbeat(&message->heartbeat, wire->heartbeat);
    case CHIRR__WIRE__MESSAGE__KIND_RECORDS:
        return unpack_records(&message->records, wire->records, arena);
    case CHIRR__WIRE__MESSAGE__KIND_DIGEST:
        return unpack_digest(&message->digest, wire->digest, arena);
    case CHIRR__WIRE__MESSAGE__KIND_DELTA:
        return unpack_delta(&message->delta, wire->delta);
    case CHIRR__WIRE__MESSAGE__KIND_NACK:
        return unpack_probe(&message->probe, wire->nack);
    case CHIRR__WIRE__MESSAGE__KIND_VIEW:
        return unpack_view(&message->view, wire->view, arena);
    case CHIRR__WIRE__MESSAGE__KIND_HAVE:
        return unpack_have(&message->have, wire->have, arena);
    case CHIRR__WIRE__MESSAGE__KIND_GRAFT:
        return unpack_have(&message->have, wire->graft, arena);
    default:
        return CHIRR_ERR_MALFORMED;
    }
}
