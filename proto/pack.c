/* From plain structs to protobuf-c's.
 *
 * protobuf-c has no const for what it only reads, hence the casts of borrowed texts and bytes. */
#include "proto/pack.h"

#include <string.h>

#define SAME_NUMBER(kind, number)                                                                  \
    _Static_assert((int)(kind) == (int)(number), "the schema and the plain enum number alike")

SAME_NUMBER(CHIRR_MESSAGE_PING, CHIRR__WIRE__MESSAGE__KIND_PING);
SAME_NUMBER(CHIRR_MESSAGE_DELTA, CHIRR__WIRE__MESSAGE__KIND_DELTA);
SAME_NUMBER(CHIRR_MESSAGE_GRAFT, CHIRR__WIRE__MESSAGE__KIND_GRAFT);
SAME_NUMBER(CHIRR_RECORD_CARD + 4, CHIRR__WIRE__RECORD__STATEMENT_CARD);
SAME_NUMBER(CHIRR_RECORD_TRUST + 4, CHIRR__WIRE__RECORD__STATEMENT_TRUST);
SAME_NUMBER(CHIRR_TASK_OPEN, CHIRR__WIRE__TASK_PHASE__TASK_OPEN);
SAME_NUMBER(CHIRR_TASK_DONE, CHIRR__WIRE__TASK_PHASE__TASK_DONE);
SAME_NUMBER(CHIRR_TASK_END_NOT_STARTED, CHIRR__WIRE__TASK_END__END_NOT_STARTED);
SAME_NUMBER(CHIRR_MEMBER_ALIVE, CHIRR__WIRE__MEMBER_STATUS__MEMBER_ALIVE);
SAME_NUMBER(CHIRR_MEMBER_LEFT, CHIRR__WIRE__MEMBER_STATUS__MEMBER_LEFT);
SAME_NUMBER(CHIRR_VIEW_JOIN, CHIRR__WIRE__VIEW_VERB__VIEW_JOIN);
SAME_NUMBER(CHIRR_VIEW_SHUFFLE_REPLY, CHIRR__WIRE__VIEW_VERB__VIEW_SHUFFLE_REPLY);
_Static_assert(CHIRR_TRUST_CHANGES_MAX <= 64, "a bit for each change");

static ProtobufCBinaryData borrow(const void *data, size_t bytes)
{
    return (ProtobufCBinaryData){.len = bytes, .data = (uint8_t *)data};
}

static void pack_tags(char *pointers[CHIRR_TAGS_MAX], const struct chirr_tags *tags)
{
    for (uint32_t i = 0; i < tags->count; i++) {
        pointers[i] = (char *)tags->names[i];
    }
}

static void pack_card(struct chirr_record_pack *pack, const struct chirr_card *card)
{
    chirr__wire__card__init(&pack->card);
    pack->card.public_key = borrow(card->public_key, sizeof card->public_key);
    if (chirr_card_key(card) == card->current_key) {
        pack->card.current_key = borrow(card->current_key, sizeof card->current_key);
    }
    pack->card.name = (char *)card->name;
    pack->card.device = (char *)card->device;
    pack->card.publish_endpoint = (char *)card->publish_endpoint;
    pack->card.unicast_endpoint = (char *)card->unicast_endpoint;
    pack->card.lineage = card->lineage;
    pack->card.hosted = card->hosted;
    pack->card.cpu_permille = card->cpu_permille;
    pack->card.slots = card->slots;
    pack_tags(pack->tags, &card->provides);
    pack->card.n_provides = card->provides.count;
    pack->card.provides = pack->tags;
}

static void pack_claims(struct chirr_claims_pack *pack, const struct chirr_claims *claims)
{
    chirr__wire__claims__init(&pack->claims);
    for (uint32_t i = 0; i < claims->count; i++) {
        Chirr__Wire__Claim *item = &pack->items[i];
        chirr__wire__claim__init(item);
        item->task = claims->claims[i].task;
        item->epoch = claims->claims[i].epoch;
        item->bid = claims->claims[i].bid;
        pack->pointers[i] = item;
    }
    pack->claims.n_claims = claims->count;
    pack->claims.claims = pack->pointers;
}

static void pack_spec(struct chirr_record_pack *pack, const struct chirr_task_spec *spec)
{
    Chirr__Wire__TaskSpec *wire = &pack->task.spec;
    chirr__wire__task_spec__init(wire);
    wire->kind = (char *)spec->kind;
    wire->size_bytes = spec->size_bytes;
    wire->time_limit_ms = spec->time_limit_ms;
    wire->priority = spec->priority;
    pack_tags(pack->tags, &spec->requires);
    wire->n_requires = spec->requires.count;
    wire->requires = pack->tags;
    wire->argument_count = spec->argument_count;
    wire->command = borrow(spec->command, spec->command_bytes);
}

static void pack_result(Chirr__Wire__TaskResult *wire, const struct chirr_task_result *result)
{
    chirr__wire__task_result__init(wire);
    wire->end = (Chirr__Wire__TaskEnd)result->end;
    wire->code = (uint32_t)result->code;
    wire->duration_us = result->duration_us;
    wire->predicted_us = result->predicted_us;
    wire->output_total_bytes = result->output_total_bytes;
    wire->output = borrow(result->output, result->output_bytes);
}

static void pack_task(struct chirr_record_pack *pack, const struct chirr_task *task)
{
    Chirr__Wire__Task *wire = &pack->task.task;
    chirr__wire__task__init(wire);
    pack_spec(pack, &task->spec);
    wire->id = task->id;
    wire->submitter = task->submitter;
    wire->nonce = task->nonce;
    wire->spec = &pack->task.spec;
    wire->epoch = task->epoch;
    wire->phase = (Chirr__Wire__TaskPhase)task->phase;
    wire->owner = task->owner;
    wire->owner_incarnation = task->owner_incarnation;
    if (task->phase == CHIRR_TASK_DONE) {
        pack_result(&pack->task.result, &task->result);
        wire->result = &pack->task.result;
    }
}

static void pack_trust(struct chirr_trust_pack *pack, const struct chirr_trust *trust)
{
    chirr__wire__trust__init(&pack->trust);
    uint64_t bit = 1;
    for (uint32_t i = 0; i < trust->count; i++) {
        const struct chirr_trust_change *change = &trust->changes[i];
        memcpy(pack->public_keys + (size_t)i * CHIRR_KEY_BYTES, change->public_key,
               CHIRR_KEY_BYTES);
        pack->holders[i] = change->holder;
        pack->trust.removed |= change->removed ? bit : 0;
        bit <<= 1;
    }
    pack->trust.public_keys = borrow(pack->public_keys, (size_t)trust->count * CHIRR_KEY_BYTES);
    pack->trust.n_holders = trust->count;
    pack->trust.holders = pack->holders;
}

const ProtobufCMessage *chirr_pack_record(struct chirr_record_pack *pack,
                                          const struct chirr_record *record, bool with_signature)
{
    Chirr__Wire__Record *wire = &pack->record;
    chirr__wire__record__init(wire);
    wire->format = CHIRR_RECORD_FORMAT;
    wire->author = record->author;
    wire->incarnation = record->stamp.incarnation;
    wire->version = record->stamp.version;
    if (with_signature) {
        wire->signature = borrow(record->signature, sizeof record->signature);
    }
    switch (record->kind) {
    case CHIRR_RECORD_CARD:
        pack_card(pack, &record->card);
        wire->statement_case = CHIRR__WIRE__RECORD__STATEMENT_CARD;
        wire->card = &pack->card;
        break;
    case CHIRR_RECORD_CLAIMS:
        pack_claims(&pack->claims, &record->claims);
        wire->statement_case = CHIRR__WIRE__RECORD__STATEMENT_CLAIMS;
        wire->claims = &pack->claims.claims;
        break;
    case CHIRR_RECORD_TASK:
        pack_task(pack, &record->task);
        wire->statement_case = CHIRR__WIRE__RECORD__STATEMENT_TASK;
        wire->task = &pack->task.task;
        break;
    case CHIRR_RECORD_TRUST:
        pack_trust(&pack->trust, &record->trust);
        wire->statement_case = CHIRR__WIRE__RECORD__STATEMENT_TRUST;
        wire->trust = &pack->trust.trust;
        break;
    }
    return &wire->base;
}

static Chirr__Wire__MemberUpdates *pack_updates(struct chirr_updates_pack *pack,
                                                const struct chirr_member_updates *news)
{
    chirr__wire__member_updates__init(&pack->updates);
    for (uint32_t i = 0; i < news->count; i++) {
        Chirr__Wire__MemberUpdate *item = &pack->items[i];
        chirr__wire__member_update__init(item);
        item->agent = news->updates[i].agent;
        item->incarnation = news->updates[i].incarnation;
        item->status = (Chirr__Wire__MemberStatus)news->updates[i].status;
        item->accuser = news->updates[i].accuser;
        pack->pointers[i] = item;
    }
    pack->updates.n_updates = news->count;
    pack->updates.updates = pack->pointers;
    return &pack->updates;
}

static Chirr__Wire__DigestEntries *pack_entries(struct chirr_entries_pack *pack,
                                                const struct chirr_digest_entry *entries,
                                                uint32_t count)
{
    chirr__wire__digest_entries__init(&pack->entries);
    for (uint32_t i = 0; i < count; i++) {
        pack->authors[i] = entries[i].author;
        pack->incarnations[i] = entries[i].stamp.incarnation;
        pack->versions[i] = entries[i].stamp.version;
    }
    pack->entries.n_authors = count;
    pack->entries.authors = pack->authors;
    pack->entries.n_incarnations = count;
    pack->entries.incarnations = pack->incarnations;
    pack->entries.n_versions = count;
    pack->entries.versions = pack->versions;
    return &pack->entries;
}

static void pack_probe(struct chirr_message_pack *pack, const struct chirr_probe *probe)
{
    Chirr__Wire__Probe *wire = &pack->probe.head;
    chirr__wire__probe__init(wire);
    wire->sequence = probe->sequence;
    wire->target = probe->target;
    wire->news = pack_updates(&pack->probe.news, &probe->news);
    pack->message.ping = wire; /* one place for all four: the members of a union */
}

static void pack_heartbeat(struct chirr_message_pack *pack, const struct chirr_heartbeat *heartbeat)
{
    Chirr__Wire__Heartbeat *wire = &pack->heartbeat;
    chirr__wire__heartbeat__init(wire);
    wire->incarnation = heartbeat->incarnation;
    wire->sequence = heartbeat->sequence;
    wire->running_count = heartbeat->running_count;
    wire->bits = heartbeat->bits;
    pack->message.heartbeat = wire;
}

static void pack_list(struct chirr_record_pack *items, Chirr__Wire__Record **pointers,
                      const struct chirr_record *records, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        chirr_pack_record(&items[i], &records[i], true);
        pointers[i] = &items[i].record;
    }
}

static void pack_records(struct chirr_message_pack *pack, const struct chirr_records *records)
{
    Chirr__Wire__Records *wire = &pack->records.records;
    chirr__wire__records__init(wire);
    pack_list(pack->records.items, pack->records.pointers, records->records, records->count);
    wire->n_records = records->count;
    wire->records = pack->records.pointers;
    wire->covered = pack_entries(&pack->records.covered, records->covered, records->covered_count);
    pack->message.records = wire;
}

static void pack_digest(struct chirr_message_pack *pack, const struct chirr_digest_message *digest)
{
    Chirr__Wire__Digest *wire = &pack->digest.head;
    chirr__wire__digest__init(wire);
    wire->answer_wanted = digest->answer_wanted;
    wire->entries = pack_entries(&pack->digest.entries, digest->entries, digest->count);
    wire->salt = digest->salt;
    wire->n_summary = digest->summary_count;
    wire->summary = (uint32_t *)digest->summary;
    wire->buckets = digest->buckets;
    pack->message.digest = wire;
}

const ProtobufCMessage *chirr_pack_delta(Chirr__Wire__Delta *wire,
                                         const struct chirr_delta_message *delta,
                                         bool with_signature)
{
    chirr__wire__delta__init(wire);
    wire->origin = delta->origin;
    wire->incarnation = delta->stamp.incarnation;
    wire->version = delta->stamp.version;
    wire->lineage = delta->lineage;
    wire->partition = delta->partition;
    wire->payload = borrow(delta->payload, delta->payload_bytes);
    if (with_signature) {
        wire->signature = borrow(delta->signature, sizeof delta->signature);
    }
    return &wire->base;
}

static void pack_view(struct chirr_message_pack *pack, const struct chirr_view_message *view)
{
    Chirr__Wire__View *wire = &pack->view.head;
    chirr__wire__view__init(wire);
    wire->verb = (Chirr__Wire__ViewVerb)view->verb;
    wire->origin = view->origin;
    wire->hops = view->hops;
    wire->urgent = view->urgent;
    pack_list(pack->view.items, pack->view.pointers, view->cards, view->count);
    wire->n_cards = view->count;
    wire->cards = pack->view.pointers;
    pack->message.view = wire;
}

static void pack_have(struct chirr_message_pack *pack, const struct chirr_have *have)
{
    Chirr__Wire__Have *wire = &pack->have.head;
    chirr__wire__have__init(wire);
    wire->entries = pack_entries(&pack->have.entries, have->entries, have->count);
    pack->message.have = wire; /* of HAVE and GRAFT: the members of a union */
}

const ProtobufCMessage *chirr_pack_message(struct chirr_message_pack *pack,
                                           const struct chirr_message *message)
{
    chirr__wire__message__init(&pack->message);
    pack->message.kind_case = (Chirr__Wire__Message__KindCase)message->kind;
    switch (message->kind) {
    case CHIRR_MESSAGE_PING:
    case CHIRR_MESSAGE_PING_REQUEST:
    case CHIRR_MESSAGE_ACK:
    case CHIRR_MESSAGE_NACK:
        pack_probe(pack, &message->probe);
        break;
    case CHIRR_MESSAGE_GOSSIP:
        pack->message.gossip = pack_updates(&pack->gossip, &message->gossip);
        break;
    case CHIRR_MESSAGE_HEARTBEAT:
        pack_heartbeat(pack, &message->heartbeat);
        break;
    case CHIRR_MESSAGE_RECORDS:
        pack_records(pack, &message->records);
        break;
    case CHIRR_MESSAGE_DIGEST:
        pack_digest(pack, &message->digest);
        break;
    case CHIRR_MESSAGE_DELTA:
        chirr_pack_delta(&pack->delta, &message->delta, true);
        pack->message.delta = &pack->delta;
        break;
    case CHIRR_MESSAGE_VIEW:
        pack_view(pack, &message->view);
        break;
    case CHIRR_MESSAGE_HAVE:
    case CHIRR_MESSAGE_GRAFT:
        pack_have(pack, &message->have);
        break;
    }
    return &pack->message.base;
}
