/* Plain structs dressed as protobuf-c's, in memory that the caller lends, and back. Internal to the
 * codec.
 *
 * Nothing is copied on the way out: a pack borrows the texts and bytes of what it was made from.
 * A message pack takes some 160 KiB, nearly all of it for records that most messages lack; it is
 * meant to live on the stack for one call. */
#ifndef CHIRR_PROTO_PACK_H
#define CHIRR_PROTO_PACK_H

#include "base/arena.h"
#include "proto/chirr.pb-c.h"
#include "proto/message.h"

/* Layout of a record, kept on disk and signed: raised when a field changes its meaning. */
#define CHIRR_RECORD_FORMAT 1

struct chirr_claims_pack {
    Chirr__Wire__Claims claims;
    Chirr__Wire__Claim items[CHIRR_CLAIMS_MAX];
    Chirr__Wire__Claim *pointers[CHIRR_CLAIMS_MAX];
};

struct chirr_task_pack {
    Chirr__Wire__Task task;
    Chirr__Wire__TaskSpec spec;
    Chirr__Wire__TaskResult result;
};

struct chirr_trust_pack {
    Chirr__Wire__Trust trust;
    uint64_t holders[CHIRR_TRUST_CHANGES_MAX];
    uint8_t public_keys[CHIRR_TRUST_CHANGES_MAX * CHIRR_KEY_BYTES];
};

struct chirr_record_pack {
    Chirr__Wire__Record record;
    char *tags[CHIRR_TAGS_MAX];
    union {
        Chirr__Wire__Card card;
        struct chirr_claims_pack claims;
        struct chirr_task_pack task;
        struct chirr_trust_pack trust;
    };
};

/* Dresses a record; without its signature it is a statement. */
const ProtobufCMessage *chirr_pack_record(struct chirr_record_pack *pack,
                                          const struct chirr_record *record, bool with_signature);

struct chirr_updates_pack {
    Chirr__Wire__MemberUpdates updates;
    Chirr__Wire__MemberUpdate items[CHIRR_MEMBER_UPDATES_MAX];
    Chirr__Wire__MemberUpdate *pointers[CHIRR_MEMBER_UPDATES_MAX];
};

struct chirr_entries_pack {
    Chirr__Wire__DigestEntries entries;
    uint64_t authors[CHIRR_DIGEST_ENTRIES_MAX];
    uint64_t incarnations[CHIRR_DIGEST_ENTRIES_MAX];
    uint64_t versions[CHIRR_DIGEST_ENTRIES_MAX];
};

struct chirr_records_pack {
    Chirr__Wire__Records records;
    struct chirr_entries_pack covered;
    struct chirr_record_pack items[CHIRR_RECORDS_MAX];
    Chirr__Wire__Record *pointers[CHIRR_RECORDS_MAX];
};

struct chirr_message_pack {
    Chirr__Wire__Message message;
    union {
        struct {
            Chirr__Wire__Probe head;
            struct chirr_updates_pack news;
        } probe;
        struct chirr_updates_pack gossip;
        Chirr__Wire__Heartbeat heartbeat;
        struct chirr_records_pack records;
        struct {
            Chirr__Wire__Digest head;
            struct chirr_entries_pack entries;
        } digest;
        Chirr__Wire__Delta delta;
        struct {
            Chirr__Wire__View head;
            struct chirr_record_pack items[CHIRR_VIEW_CARDS_MAX];
            Chirr__Wire__Record *pointers[CHIRR_VIEW_CARDS_MAX];
        } view;
        struct {
            Chirr__Wire__Have head;
            struct chirr_entries_pack entries;
        } have;
    };
};

/* Dresses a delta; without its signature it is what its origin signs. */
const ProtobufCMessage *chirr_pack_delta(Chirr__Wire__Delta *wire,
                                         const struct chirr_delta_message *delta,
                                         bool with_signature);

/* No count in `message` may be over its limit. */
const ProtobufCMessage *chirr_pack_message(struct chirr_message_pack *pack,
                                           const struct chirr_message *message);

/* Undress. Only what could not be stored is refused here, the rest is chirr_…_validate's:
 * CHIRR_ERR_FULL (longer than a limit or the arena), CHIRR_ERR_MALFORMED (a part is missing or has
 * the wrong length), CHIRR_ERR_VERSION (another record format). A message's variable parts go to
 * `arena`, but for the payload of a delta, which stays borrowed. */
enum chirr_err chirr_unpack_record(struct chirr_record *record, const Chirr__Wire__Record *wire);
enum chirr_err chirr_unpack_message(struct chirr_message *message, const Chirr__Wire__Message *wire,
                                    struct chirr_arena *arena);

#endif
