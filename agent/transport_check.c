/* What a message says in others' names: records, cards, deltas and marks pass through many hands,
 * so each is checked by itself. */
#include "agent/transport_state.h"

#include <inttypes.h>
#include <string.h>

/* Cuts out the marks of authors that are not trusted; returns how many stay. */
static uint32_t check_marks(struct chirr_transport *transport,
                            const struct chirr_digest_entry *entries, uint32_t entry_count)
{
    struct chirr_digest_entry *kept = (struct chirr_digest_entry *)entries; /* in our own scratch */
    uint32_t count = 0;
    for (uint32_t i = 0; i < entry_count; i++) {
        chirr_agent_id author = entries[i].author;
        if (author != transport->identity->id &&
            chirr_keyring_find(transport->keyring, author) == NULL) {
            chirr_transport_drop(transport, CHIRR_DROP_UNTRUSTED,
                                 "a mark of %016" PRIx64 ", which is not on the keyring", author);
            continue;
        }
        kept[count++] = entries[i];
    }
    return count;
}

static void drop_doubted(struct chirr_transport *transport, const char *what, chirr_agent_id author)
{
    chirr_transport_drop(transport, CHIRR_DROP_DOUBTED,
                         "a %s of %016" PRIx64 ", of whom another record is badly signed", what,
                         author);
}

static void count_verified(struct chirr_transport *transport, bool known)
{
    if (known) {
        transport->counters.signatures_known++;
    } else {
        transport->counters.signatures_verified++;
    }
}

/* CHIRR_ERR_UNTRUSTED and CHIRR_ERR_SIGNATURE are counted. */
static enum chirr_err judge(struct chirr_transport *transport, const struct chirr_record *record)
{
    bool known;
    enum chirr_err err = chirr_verified_record(&transport->verified, record, &known);
    if (err == CHIRR_ERR_UNTRUSTED) {
        chirr_transport_drop(transport, CHIRR_DROP_UNTRUSTED,
                             "a record by %016" PRIx64 ", which may not say that", record->author);
        return err;
    }
    count_verified(transport, known);
    if (err != CHIRR_OK) {
        chirr_transport_drop(transport, CHIRR_DROP_SIGNATURE,
                             "a record in the name of %016" PRIx64 " is not signed by it",
                             record->author);
    }
    return err;
}

/* Whose records in a message cannot be had whole. */
struct doubted {
    uint32_t count;
    chirr_agent_id authors[CHIRR_RECORDS_MAX];
};

static bool is_doubted(const struct doubted *doubted, chirr_agent_id author)
{
    for (uint32_t i = 0; i < doubted->count; i++) {
        if (doubted->authors[i] == author) {
            return true;
        }
    }
    return false;
}

/* Cuts out the records of authors that are not trusted, and all records of an author of whom one is
 * badly signed, be it forged or signed with a key that no longer counts. */
static void check_records(struct chirr_transport *transport, const struct chirr_record *records,
                          uint32_t *record_count, struct doubted *doubted)
{
    struct chirr_record *kept = (struct chirr_record *)records; /* in our own scratch */
    bool good[CHIRR_RECORDS_MAX];
    uint32_t count = 0;
    doubted->count = 0;
    for (uint32_t i = 0; i < *record_count; i++) {
        enum chirr_err err = judge(transport, &records[i]);
        good[i] = err == CHIRR_OK;
        if (err == CHIRR_ERR_SIGNATURE) {
            doubted->authors[doubted->count++] = records[i].author;
        }
    }
    for (uint32_t i = 0; i < *record_count; i++) {
        if (!good[i]) {
            continue;
        }
        if (is_doubted(doubted, records[i].author)) {
            drop_doubted(transport, "record", records[i].author);
            continue;
        }
        if (count != i) {
            memcpy(&kept[count], &records[i], chirr_record_bytes(records[i].kind));
        }
        count++;
    }
    *record_count = count;
}

/* Without all its records it is not true that an author is known up to the mark. */
static void cut_marks(struct chirr_transport *transport, struct chirr_records *records,
                      const struct doubted *doubted)
{
    struct chirr_digest_entry *kept = (struct chirr_digest_entry *)records->covered;
    uint32_t count = 0;
    for (uint32_t i = 0; i < records->covered_count; i++) {
        if (is_doubted(doubted, records->covered[i].author)) {
            drop_doubted(transport, "mark", records->covered[i].author);
        } else {
            kept[count++] = records->covered[i];
        }
    }
    records->covered_count = count;
}

static bool check_pushed(struct chirr_transport *transport, struct chirr_records *records)
{
    struct doubted doubted;
    bool was_empty = records->count == 0;
    records->covered_count = check_marks(transport, records->covered, records->covered_count);
    check_records(transport, records->records, &records->count, &doubted);
    cut_marks(transport, records, &doubted);
    return records->count > 0 || records->covered_count > 0 || was_empty;
}

/* Of a newcomer or of a walk nothing is left without the card it is about, which comes first. */
static bool check_view(struct chirr_transport *transport, struct chirr_view_message *view)
{
    struct doubted doubted;
    chirr_agent_id first = view->count > 0 ? view->cards[0].author : 0;
    check_records(transport, view->cards, &view->count, &doubted);
    bool is_about_first = view->verb == CHIRR_VIEW_JOIN || view->verb == CHIRR_VIEW_FORWARD_JOIN ||
                          view->verb == CHIRR_VIEW_SHUFFLE;
    return !is_about_first || (view->count > 0 && view->cards[0].author == first);
}

static bool check_have(struct chirr_transport *transport, struct chirr_have *have)
{
    have->count = check_marks(transport, have->entries, have->count);
    return have->count > 0;
}

/* Whoever passes it on: the origin's own signature says whose it is. */
static bool check_delta(struct chirr_transport *transport, const struct chirr_delta_message *delta)
{
    bool known;
    enum chirr_err err = chirr_verified_delta(&transport->verified, delta, &known);
    if (err == CHIRR_ERR_UNTRUSTED) {
        chirr_transport_drop(transport, CHIRR_DROP_UNTRUSTED,
                             "a delta by %016" PRIx64 ", which is not on the keyring",
                             delta->origin);
        return false;
    }
    count_verified(transport, known);
    if (err != CHIRR_OK) {
        chirr_transport_drop(transport, CHIRR_DROP_SIGNATURE,
                             "a delta in the name of %016" PRIx64 " is not signed by it",
                             delta->origin);
        return false;
    }
    return true;
}

bool chirr_transport_check(struct chirr_transport *transport, struct chirr_message *message)
{
    switch (message->kind) {
    case CHIRR_MESSAGE_RECORDS:
        return check_pushed(transport, &message->records);
    case CHIRR_MESSAGE_DIGEST:
        message->digest.count =
            check_marks(transport, message->digest.entries, message->digest.count);
        return true;
    case CHIRR_MESSAGE_VIEW:
        return check_view(transport, &message->view);
    case CHIRR_MESSAGE_HAVE:
    case CHIRR_MESSAGE_GRAFT:
        return check_have(transport, &message->have);
    case CHIRR_MESSAGE_DELTA:
        return check_delta(transport, &message->delta);
    case CHIRR_MESSAGE_PING:
    case CHIRR_MESSAGE_PING_REQUEST:
    case CHIRR_MESSAGE_ACK:
    case CHIRR_MESSAGE_NACK:
    case CHIRR_MESSAGE_GOSSIP:
    case CHIRR_MESSAGE_HEARTBEAT:
        return true;
    }
    return false;
}
