/* What agents say to each other, as plain structs.
 *
 * Nothing past the codec sees a protobuf type; no machine sees a field out of its range. A message
 * borrows its variable parts (records, digest entries, delta bytes): whoever hands it out says how
 * long they live. `chirr_message_copy` flattens one into a single block of memory, which is how the
 * simulator carries it. All texts are NUL-terminated; all arrays past `count` are zero. */
#ifndef CHIRR_PROTO_MESSAGE_H
#define CHIRR_PROTO_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Digest of an agent's Ed25519 public key; never 0, which means nobody. */
typedef uint64_t chirr_agent_id;

/* Digest of (submitter, nonce, specification); never 0. */
typedef uint64_t chirr_task_id;

#define CHIRR_KEY_BYTES 32
#define CHIRR_SIGNATURE_BYTES 64
#define CHIRR_NAME_BYTES_MAX 32     /* with the NUL, as all …_BYTES_MAX of texts */
#define CHIRR_ENDPOINT_BYTES_MAX 64 /* "tcp://192.168.100.100:65535" */
#define CHIRR_TAG_BYTES_MAX 16
#define CHIRR_TAGS_MAX 4
#define CHIRR_COMMAND_BYTES_MAX 768
#define CHIRR_RESULT_OUTPUT_BYTES_MAX 1024
#define CHIRR_CLAIMS_MAX 8
#define CHIRR_MEMBER_UPDATES_MAX 16
#define CHIRR_RECORDS_MAX 64 /* in one message */
#define CHIRR_DIGEST_ENTRIES_MAX 2048
#define CHIRR_DELTA_PAYLOAD_BYTES_MAX 1100
#define CHIRR_DIGEST_BUCKETS 64
#define CHIRR_HAVE_ENTRIES_MAX 64
#define CHIRR_VIEW_CARDS_MAX 8
#define CHIRR_TRUST_CHANGES_MAX 40

/* Orders the statements of one author: by incarnation, then by version. A process starts with a
 * greater incarnation than any it had before, and counts versions from 1. */
struct chirr_stamp {
    uint64_t incarnation;
    uint64_t version;
};

/* < 0, 0 or > 0. */
int chirr_stamp_compare(struct chirr_stamp a, struct chirr_stamp b);

/* ---- Records: the replicated state ------------------------------------------------------- */

enum chirr_record_kind {
    CHIRR_RECORD_CARD = 1, /* register: who an agent is */
    CHIRR_RECORD_CLAIMS,   /* register: its bundle */
    CHIRR_RECORD_TASK,     /* a statement about a task, joined over authors */
    CHIRR_RECORD_TRUST,    /* register of an operator: which keys count, and which no longer */
};

struct chirr_tags {
    uint32_t count;
    char names[CHIRR_TAGS_MAX][CHIRR_TAG_BYTES_MAX];
};

struct chirr_card {
    uint8_t public_key[CHIRR_KEY_BYTES];  /* Ed25519, its first; its digest is the author's id */
    uint8_t current_key[CHIRR_KEY_BYTES]; /* the one in use, once that is another; else zero */
    char name[CHIRR_NAME_BYTES_MAX];
    char device[CHIRR_NAME_BYTES_MAX];               /* device profile */
    char publish_endpoint[CHIRR_ENDPOINT_BYTES_MAX]; /* where its XPUB can be reached */
    char unicast_endpoint[CHIRR_ENDPOINT_BYTES_MAX]; /* where its ROUTER can be reached */
    uint64_t lineage;                                /* 0: no model */
    uint64_t hosted;                                 /* bit p: hosts partition p; 0: no model */
    uint32_t cpu_permille;      /* share of one CPU that jobs get, 1…64,000 */
    uint32_t slots;             /* jobs at once, 0…256 */
    struct chirr_tags provides; /* capabilities */
};

struct chirr_claim {
    chirr_task_id task;
    uint32_t epoch;
    int64_t bid; /* fixed point, microseconds of value: greater wins, ties go to the smaller id */
};

struct chirr_claims {
    uint32_t count;
    struct chirr_claim claims[CHIRR_CLAIMS_MAX]; /* in the order of the bundle */
};

struct chirr_task_spec {
    char kind[CHIRR_NAME_BYTES_MAX]; /* what durations are learned by: "hash", "compile" */
    uint64_t size_bytes;             /* size of the work, as far as known; 0: unknown */
    uint32_t time_limit_ms;          /* killed after this, 1…86,400,000 */
    uint32_t priority;               /* 0…9, greater first */
    struct chirr_tags requires;      /* capabilities */
    uint32_t argument_count;         /* >= 1 */
    uint32_t command_bytes;
    char command[CHIRR_COMMAND_BYTES_MAX]; /* arguments, each followed by a NUL */
};

/* Order matters: of two statements with one epoch the greater phase wins. */
enum chirr_task_phase {
    CHIRR_TASK_OPEN = 1,
    CHIRR_TASK_RUNNING,
    CHIRR_TASK_RELEASED, /* the owner gave it back: to be auctioned again in the next epoch */
    CHIRR_TASK_CANCELLED,
    CHIRR_TASK_DONE,
};

enum chirr_task_end {
    CHIRR_TASK_END_NONE,
    CHIRR_TASK_END_EXITED,
    CHIRR_TASK_END_SIGNALLED,
    CHIRR_TASK_END_TIMEOUT,
    CHIRR_TASK_END_NOT_STARTED, /* the command could not be executed */
};

struct chirr_task_result {
    enum chirr_task_end end;
    int32_t code; /* exit code 0…255, signal or errno; never negative */
    uint64_t duration_us;
    uint64_t predicted_us; /* what the owner's model had predicted when it bid; 0: nothing */
    uint64_t output_total_bytes;
    uint32_t output_bytes; /* the last bytes of the output are kept */
    uint8_t output[CHIRR_RESULT_OUTPUT_BYTES_MAX];
};

struct chirr_task {
    chirr_task_id id;
    chirr_agent_id submitter;
    uint64_t nonce;
    struct chirr_task_spec spec;
    uint32_t epoch; /* counts auctions; the fencing token */
    enum chirr_task_phase phase;
    chirr_agent_id owner;            /* 0 while OPEN or CANCELLED */
    uint64_t owner_incarnation;      /* 0 likewise */
    struct chirr_task_result result; /* all zero but in DONE, where `end` is not NONE */
};

struct chirr_trust_change {
    uint8_t public_key[CHIRR_KEY_BYTES]; /* Ed25519; never all zero */
    chirr_agent_id holder;               /* whose key it is: the digest of that agent's first key */
    bool removed;                        /* false: trusted from now on */
};

/* All that an operator ever changed, in order: of two changes of one key the later one holds. A key
 * has one holder in all of them. */
struct chirr_trust {
    uint32_t count;
    struct chirr_trust_change changes[CHIRR_TRUST_CHANGES_MAX];
};

struct chirr_record {
    enum chirr_record_kind kind;
    chirr_agent_id author;
    struct chirr_stamp stamp;
    uint8_t signature[CHIRR_SIGNATURE_BYTES]; /* by the author; zero inside the simulator */
    union {
        struct chirr_card card;
        struct chirr_claims claims;
        struct chirr_task task;
        struct chirr_trust trust;
    };
};

/* Of a record only the member of its kind means anything, so a borrowed one may lie in memory that
 * ends with that: never assign a whole one through a borrowed pointer, copy it. `_bytes` is what a
 * record of this kind takes; `_copy` fills the rest of `*copy` with zeros. */
size_t chirr_record_bytes(enum chirr_record_kind kind);
void chirr_record_copy(struct chirr_record *copy, const struct chirr_record *record);

/* The id of a task is a digest of what was asked, by whom, and a nonce: nobody can change the
 * specification of a known id. */
chirr_task_id chirr_task_id_of(chirr_agent_id submitter, uint64_t nonce,
                               const struct chirr_task_spec *spec);

/* The key that an agent uses now: what its connections are to be made with. Borrowed. */
const uint8_t *chirr_card_key(const struct chirr_card *card);

/* The id that belongs to a (first) public key. */
chirr_agent_id chirr_agent_id_of(const uint8_t public_key[CHIRR_KEY_BYTES]);

/* The argument at `index`, borrowed from the specification; NULL past the last. */
const char *chirr_task_argument(const struct chirr_task_spec *spec, uint32_t index);

const char *chirr_task_phase_name(enum chirr_task_phase phase); /* "open", "running", … */
const char *chirr_task_end_name(enum chirr_task_end end);       /* "exited", "timeout", … */

/* Every range and consistency rule above; used by the codec and before a local submit.
 * CHIRR_ERR_FULL: a text or list is longer than its limit. CHIRR_ERR_RANGE: a number, a zero id or
 * an enum is outside its range. CHIRR_ERR_MALFORMED: the parts contradict each other, or a text
 * holds anything but printable ASCII. */
CHIRR_NODISCARD enum chirr_err chirr_task_spec_validate(const struct chirr_task_spec *spec);
/* A card's first key must be its author's; a task's id must be the digest of what it asks. */
CHIRR_NODISCARD enum chirr_err chirr_record_validate(const struct chirr_record *record);

/* ---- Messages ------------------------------------------------------------------------------ */

enum chirr_message_kind {
    CHIRR_MESSAGE_PING = 1,     /* unicast: are you alive? */
    CHIRR_MESSAGE_PING_REQUEST, /* unicast: please ping `target` for me */
    CHIRR_MESSAGE_ACK,          /* unicast: `target` is alive */
    CHIRR_MESSAGE_GOSSIP,       /* published on "e/": news of members */
    CHIRR_MESSAGE_HEARTBEAT,    /* published on "h/": I am working */
    CHIRR_MESSAGE_RECORDS,      /* published on "e/", or unicast in repair and after a graft */
    CHIRR_MESSAGE_DIGEST,       /* unicast: what I know, by author */
    CHIRR_MESSAGE_DELTA,        /* published on "k/" */
    CHIRR_MESSAGE_NACK,         /* unicast: `target` has not answered me either, but I am here */
    CHIRR_MESSAGE_VIEW,         /* unicast: who is whose neighbour */
    CHIRR_MESSAGE_HAVE,         /* published on "i/", again on "e/": these can be had from me */
    CHIRR_MESSAGE_GRAFT,        /* unicast: send me these */
};
#define CHIRR_MESSAGE_KINDS (CHIRR_MESSAGE_GRAFT + 1) /* as the size of a table by kind */

enum chirr_member_status {
    CHIRR_MEMBER_ALIVE = 1,
    CHIRR_MEMBER_SUSPECT,
    CHIRR_MEMBER_DEAD,
    CHIRR_MEMBER_LEFT,
};

struct chirr_member_update {
    chirr_agent_id agent;
    uint64_t incarnation;
    enum chirr_member_status status;
    chirr_agent_id accuser; /* of a SUSPECT who found it so; else 0 */
};

struct chirr_member_updates {
    uint32_t count;
    struct chirr_member_update updates[CHIRR_MEMBER_UPDATES_MAX];
};

/* PING, PING_REQUEST, ACK and NACK; news ride along (SWIM, section 4.1). */
struct chirr_probe {
    uint32_t sequence;
    chirr_agent_id target; /* in a PING the receiver itself; never 0 */
    struct chirr_member_updates news;
};

struct chirr_heartbeat {
    uint64_t incarnation;
    uint64_t sequence;      /* advances with every heartbeat of an incarnation */
    uint32_t running_count; /* jobs now, 0…256 */
    float bits;             /* bits per byte now, for people; 0: no model; finite, 0…64 */
};

/* One author's news known to the sender up to and with `stamp`; version 0: nothing yet of that
 * incarnation. An author of whom nothing is known has no entry. */
struct chirr_digest_entry {
    chirr_agent_id author;
    struct chirr_stamp stamp;
};

struct chirr_records {
    uint32_t count;
    const struct chirr_record *records; /* borrowed */
    /* In repair: "after these records you know each author up to here"; 0 entries in a push. */
    uint32_t covered_count;
    const struct chirr_digest_entry *covered; /* borrowed; ascending by author */
};

/* Of which authors something is to be told, without naming those of whom both know the same: an
 * author belongs to bucket chirr_digest_bucket(author). A first digest carries a summary, for each
 * bucket a salted hash of all that is held of its authors, and lists nobody but the sender; who
 * answers it lists the authors of the buckets that differ. Entries of authors outside `buckets` are
 * allowed (the sender's own always comes along). An author's first entry is its mark; further ones
 * name statements that the sender holds beyond it, which need not be sent. */
struct chirr_digest_message {
    bool answer_wanted;     /* the receiver sends its own digest of these buckets back */
    uint32_t salt;          /* of the summary, so that no collision stays; 0 without one */
    uint32_t summary_count; /* CHIRR_DIGEST_BUCKETS, or 0: none */
    uint32_t summary[CHIRR_DIGEST_BUCKETS];
    uint64_t buckets; /* bit b: every author of bucket b who is known is listed; 0 in a summary */
    uint32_t count;
    const struct chirr_digest_entry *entries; /* borrowed; ascending by author, then by stamp */
};

/* 0…CHIRR_DIGEST_BUCKETS-1. */
uint32_t chirr_digest_bucket(chirr_agent_id author);
/* What one statement held, and one mark (nothing of incarnation 0), adds to the prints of its
 * author's bucket, modulo 2^64; `_sum` is what becomes of those in a summary. The same on every
 * machine. The salt enters last, so that prints can be kept up as statements come and go. Mixing,
 * not cryptography: it is no defence against an author who chooses its stamps. */
uint64_t chirr_digest_print(const struct chirr_digest_entry *statement);
uint64_t chirr_digest_mark_print(const struct chirr_digest_entry *mark);
uint32_t chirr_digest_sum(uint64_t prints, uint32_t salt);

/* HAVE and GRAFT: single statements, by author and stamp, in any order. */
struct chirr_have {
    uint32_t count;                           /* 1…CHIRR_HAVE_ENTRIES_MAX */
    const struct chirr_digest_entry *entries; /* borrowed; versions >= 1 */
};

/* HyParView's messages (Leitão, Pereira, Rodrigues, DSN 2007, section 4). */
enum chirr_view_verb {
    CHIRR_VIEW_JOIN = 1,      /* of a newcomer: take me in (section 4.2) */
    CHIRR_VIEW_FORWARD_JOIN,  /* random walk with the newcomer's card, `hops` left */
    CHIRR_VIEW_NEIGHBOUR,     /* be my neighbour; `urgent` may not be refused (4.3) */
    CHIRR_VIEW_ACCEPT,        /* answer: I am */
    CHIRR_VIEW_REFUSE,        /* answer: I am full; `cards` are others to try */
    CHIRR_VIEW_DISCONNECT,    /* I am your neighbour no longer (4.2) */
    CHIRR_VIEW_SHUFFLE,       /* random walk with some of a view, `origin` gets the answer (4.4) */
    CHIRR_VIEW_SHUFFLE_REPLY, /* some of another view */
};

struct chirr_view_message {
    enum chirr_view_verb verb;
    /* Whom this is about: the newcomer of a JOIN and FORWARD_JOIN, who began a SHUFFLE and gets its
     * answer; of other verbs the sender. */
    chirr_agent_id origin;
    uint32_t hops; /* left to a walk (FORWARD_JOIN, SHUFFLE), 0…16; of other verbs 0 */
    bool urgent;   /* of a NEIGHBOUR alone */
    uint32_t count;
    /* Of the agents meant, each signed by its own: nobody can send others astray. Borrowed; the
     * first is the origin's in JOIN, FORWARD_JOIN and SHUFFLE, which therefore have one. */
    const struct chirr_record *cards; /* [count], 0…CHIRR_VIEW_CARDS_MAX */
};

struct chirr_delta_message {
    chirr_agent_id origin;
    struct chirr_stamp stamp; /* orders the deltas of one origin and partition */
    uint64_t lineage;
    uint32_t partition; /* 0…63 */
    uint32_t payload_bytes;
    const uint8_t *payload; /* borrowed; the model's format, opaque here */
    /* By the origin, since others pass it on; zero inside the simulator. */
    uint8_t signature[CHIRR_SIGNATURE_BYTES];
};

struct chirr_message {
    enum chirr_message_kind kind;
    union {
        struct chirr_probe probe;
        struct chirr_member_updates gossip;
        struct chirr_heartbeat heartbeat;
        struct chirr_records records;
        struct chirr_digest_message digest;
        struct chirr_delta_message delta;
        struct chirr_view_message view;
        struct chirr_have have; /* HAVE, GRAFT */
    };
};

CHIRR_NODISCARD enum chirr_err chirr_delta_validate(const struct chirr_delta_message *delta);
/* As chirr_record_validate, for a whole message, the records in it included. What crosses a wire
 * was checked by the codec; the simulator, which copies messages, may check with this. */
CHIRR_NODISCARD enum chirr_err chirr_message_validate(const struct chirr_message *message);

const char *chirr_message_kind_name(enum chirr_message_kind kind); /* "ping", "delta", … */

/* Bytes that a flattened copy takes; `memory` is aligned to 16 and that large. The copy borrows
 * nothing and may be moved only by copying it again. Returns the message at `memory`. */
size_t chirr_message_copy_bytes(const struct chirr_message *message);
struct chirr_message *chirr_message_copy(void *memory, const struct chirr_message *message);

#endif
