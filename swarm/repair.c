/* Digests, and the answer to one. */
#include "swarm/repair.h"

#include <string.h>

#include "base/error.h"

/* How often records beyond a gap are offered that no mark covers. Who lacks them gets them in the
 * end; who had them and holds what dominates them, or has no room for them, has no way to say so,
 * and should not be sent them every time. */
#define GAP_OFFER_ONE_IN 8
/* So many statements of an author beyond its mark are listed: what there is of almost all. Of
 * others no more are heeded either: naming is cheap, and each is one more record copied in vain. */
#define BEYOND_MAX 32

static const struct chirr_stamp nothing = {0, 0};
/* The mark of an author of whom nothing is covered, but something held. */
static const struct chirr_stamp nothing_yet = {1, 0};

/* What the asker knows of one author. */
struct knowledge {
    struct chirr_stamp mark;
    const struct chirr_digest_entry *beyond; /* [beyond_count], ascending by stamp: held as well */
    uint32_t beyond_count;
};

const struct chirr_digest_entry *chirr_repair_find(const struct chirr_digest_entry *entries,
                                                   uint32_t count, chirr_agent_id author)
{
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (entries[middle].author < author) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && entries[low].author == author ? &entries[low] : NULL;
}

/* ---- Digests ------------------------------------------------------------------------------- */

static bool is_in(uint64_t buckets, chirr_agent_id author)
{
    return (buckets >> chirr_digest_bucket(author) & 1) != 0;
}

static void add_live_prints(const struct chirr_record_store *store,
                            uint64_t prints[CHIRR_DIGEST_BUCKETS])
{
    for (uint32_t i = 0; i < chirr_records_author_count(store); i++) {
        chirr_agent_id author = chirr_records_author_at(store, i);
        prints[chirr_digest_bucket(author)] += chirr_records_live_print(store, author);
    }
}

/* Marks alone would not do: two may have heard the same and yet hold different things, beyond a gap
 * or of an earlier life. */
void chirr_repair_summarise(const struct chirr_record_store *store, bool live,
                            struct chirr_digest_message *digest)
{
    uint64_t prints[CHIRR_DIGEST_BUCKETS] = {0};
    if (live) {
        add_live_prints(store, prints);
    }
    digest->summary_count = CHIRR_DIGEST_BUCKETS;
    for (uint32_t i = 0; i < CHIRR_DIGEST_BUCKETS; i++) {
        uint64_t print = live ? prints[i] : chirr_records_print(store, i);
        digest->summary[i] = chirr_digest_sum(print, digest->salt);
    }
}

uint64_t chirr_repair_compare(const struct chirr_record_store *store, bool live,
                              const struct chirr_digest_message *summary)
{
    struct chirr_digest_message own = {.salt = summary->salt};
    chirr_repair_summarise(store, live, &own);
    uint64_t different = 0;
    for (uint32_t i = 0; i < CHIRR_DIGEST_BUCKETS; i++) {
        different |= (uint64_t)(own.summary[i] != summary->summary[i]) << i;
    }
    return different;
}

/* Statements held beyond `mark`, into at most `room` entries. */
static uint32_t list_beyond(const struct chirr_record_store *store, struct chirr_digest_entry mark,
                            struct chirr_digest_entry *entries, uint32_t room)
{
    struct chirr_stamp stamps[BEYOND_MAX];
    uint32_t count = chirr_records_stamps_since(store, mark.author, mark.stamp, stamps,
                                                room < BEYOND_MAX ? room : BEYOND_MAX);
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (struct chirr_digest_entry){mark.author, stamps[i]};
    }
    return count;
}

/* Every author has room for its mark; what is left is for what is held beyond. */
uint32_t chirr_repair_list(const struct chirr_record_store *store, uint64_t buckets,
                           const struct chirr_digest_entry *self,
                           struct chirr_digest_entry *entries)
{
    uint32_t author_count = chirr_records_author_count(store);
    CHIRR_ASSERT(author_count <= CHIRR_DIGEST_ENTRIES_MAX);
    uint32_t count = 0;
    uint32_t room = CHIRR_DIGEST_ENTRIES_MAX - author_count;
    for (uint32_t i = 0; i < author_count; i++) {
        struct chirr_digest_entry mark = {chirr_records_author_at(store, i), nothing};
        if (mark.author == self->author) {
            if (self->stamp.incarnation != 0) {
                entries[count++] = *self;
            }
        } else if (is_in(buckets, mark.author)) {
            mark.stamp = chirr_records_span(store, mark.author).covered;
            mark.stamp = mark.stamp.incarnation != 0 ? mark.stamp : nothing_yet;
            uint32_t beyond = list_beyond(store, mark, &entries[count + 1], room);
            bool known = beyond > 0 || chirr_stamp_compare(mark.stamp, nothing_yet) != 0;
            entries[count] = mark;
            count += known ? 1 + beyond : 0;
            room -= beyond;
        }
    }
    return count;
}

uint32_t chirr_repair_list_live(const struct chirr_record_store *store, uint64_t buckets,
                                const struct chirr_digest_entry *self,
                                struct chirr_digest_entry *entries)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < chirr_records_author_count(store); i++) {
        chirr_agent_id author = chirr_records_author_at(store, i);
        struct chirr_digest_entry entry = *self;
        if (author != self->author) {
            entry.author = author;
            entry.stamp =
                is_in(buckets, author) ? chirr_records_live_newest(store, author) : nothing;
        }
        if (entry.stamp.incarnation != 0) {
            entries[count++] = entry;
        }
    }
    return count;
}

/* ---- The answer ---------------------------------------------------------------------------- */

/* Adds what is held of `author` after `known`; returns how many records that were. */
static uint32_t add_since(struct chirr_repair_answer *answer,
                          const struct chirr_record_store *store, chirr_agent_id author,
                          struct chirr_stamp known)
{
    uint32_t count = chirr_records_since(store, author, known, &answer->records[answer->count],
                                         answer->capacity - answer->count);
    answer->count += count;
    return count;
}

/* Of `count` records that were just added those stay that the asker does not hold. Both they and
 * what it holds ascend, so what lies before `held` matters no more; returns how far that is now. */
static uint32_t leave_out_held(struct chirr_repair_answer *answer, uint32_t count,
                               const struct knowledge *asker, uint32_t held)
{
    uint32_t end = answer->count;
    answer->count -= count;
    for (uint32_t i = answer->count; i < end; i++) {
        int order = 1;
        while (held < asker->beyond_count && order > 0) {
            order = chirr_stamp_compare(answer->records[i].stamp, asker->beyond[held].stamp);
            held += order > 0;
        }
        if (order == 0) {
            continue;
        }
        if (i != answer->count) {
            chirr_record_copy(&answer->records[answer->count], &answer->records[i]);
        }
        answer->count++;
    }
    return held;
}

/* Adds what the asker misses of `author`, as far as there is room. Returns up to which statement it
 * misses nothing then. Another turn is taken only for places that became free again, so no more
 * than BEYOND_MAX records are copied in vain. */
static struct chirr_stamp add_missing(struct chirr_repair_answer *answer,
                                      const struct chirr_record_store *store, chirr_agent_id author,
                                      const struct knowledge *asker)
{
    struct chirr_stamp last = asker->mark;
    uint32_t held = 0;
    while (answer->count < answer->capacity) {
        uint32_t count = add_since(answer, store, author, last);
        if (count == 0) {
            break;
        }
        last = answer->records[answer->count - 1].stamp;
        held = leave_out_held(answer, count, asker, held);
    }
    return last;
}

/* Beyond a gap that is in both stores. Two contents under one stamp look alike in a digest, and no
 * mark says how they differ: only who is sent what it seems to hold can find out. So every other
 * offer leaves nothing out; not each, for such a one might never reach what is really missing. */
static void offer_beyond_gap(struct chirr_repair_answer *answer,
                             const struct chirr_record_store *store, struct chirr_random *random,
                             chirr_agent_id author, const struct knowledge *asker)
{
    uint64_t chance = chirr_random_below(random, 2 * GAP_OFFER_ONE_IN);
    if (chance < 2) {
        struct knowledge heeded = *asker;
        heeded.beyond_count = chance == 0 ? 0 : asker->beyond_count;
        add_missing(answer, store, author, &heeded);
    }
}

/* Returns the mark that holds once what was added is taken in; zero: none that is news. */
static struct chirr_stamp add_author(struct chirr_repair_answer *answer,
                                     const struct chirr_record_store *store,
                                     struct chirr_random *random, chirr_agent_id author,
                                     const struct knowledge *asker)
{
    struct chirr_records_span span = chirr_records_span(store, author);
    bool mark_is_news = chirr_stamp_compare(span.covered, asker->mark) > 0;
    if (chirr_stamp_compare(span.newest, asker->mark) <= 0) {
        return mark_is_news ? span.covered : nothing;
    }
    if (!mark_is_news) {
        offer_beyond_gap(answer, store, random, author, asker);
        return nothing;
    }
    struct chirr_stamp last = add_missing(answer, store, author, asker);
    if (chirr_stamp_compare(last, asker->mark) == 0) {
        return nothing;
    }
    bool cut = chirr_stamp_compare(last, span.newest) < 0;
    return cut && chirr_stamp_compare(last, span.covered) < 0 ? last : span.covered;
}

/* What the asker itself said outside its present life: before it, or, should its clock have been
 * set back, beyond it. */
static void add_other_lives(struct chirr_repair_answer *answer,
                            const struct chirr_record_store *store, chirr_agent_id asker,
                            struct chirr_stamp life)
{
    struct chirr_records_span span = chirr_records_span(store, asker);
    const struct chirr_stamp present = {life.version, UINT64_MAX};
    if (chirr_stamp_compare(span.newest, present) > 0) {
        add_since(answer, store, asker, present);
    }
    if (span.oldest.incarnation == 0 || span.oldest.incarnation >= life.incarnation) {
        return;
    }
    uint32_t first = answer->count;
    uint32_t end = first + add_since(answer, store, asker, nothing);
    answer->count = first;
    while (answer->count < end &&
           answer->records[answer->count].stamp.incarnation < life.incarnation) {
        answer->count++;
    }
}

/* The authors in `buckets`, and `from`, become marks of nothing yet, ascending. Returns at which of
 * them to begin: the first from the author at `start` on. */
static uint32_t list_authors(struct chirr_repair_answer *answer,
                             const struct chirr_record_store *store, uint64_t buckets,
                             chirr_agent_id from, uint32_t start)
{
    uint32_t first = 0;
    answer->covered_count = 0;
    for (uint32_t i = 0; i < chirr_records_author_count(store); i++) {
        first = i == start ? answer->covered_count : first;
        chirr_agent_id author = chirr_records_author_at(store, i);
        if (author == from || is_in(buckets, author)) {
            answer->covered[answer->covered_count++] = (struct chirr_digest_entry){author, nothing};
        }
    }
    return first;
}

/* Of all marks those stay that are news. */
static void settle_marks(struct chirr_repair_answer *answer)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < answer->covered_count; i++) {
        if (answer->covered[i].stamp.incarnation != 0) {
            answer->covered[count++] = answer->covered[i];
        }
    }
    answer->covered_count = count;
}

static struct knowledge knowledge_of(const struct chirr_digest_message *digest,
                                     chirr_agent_id author)
{
    const struct chirr_digest_entry *mark =
        chirr_repair_find(digest->entries, digest->count, author);
    if (mark == NULL) {
        return (struct knowledge){.mark = nothing};
    }
    const struct chirr_digest_entry *end = digest->entries + digest->count;
    struct knowledge asker = {.mark = mark->stamp, .beyond = mark + 1};
    while (asker.beyond_count < BEYOND_MAX && asker.beyond + asker.beyond_count < end &&
           asker.beyond[asker.beyond_count].author == author) {
        asker.beyond_count++;
    }
    return asker;
}

/* The authors are gone through from a random one on, so that none whose records never get through
 * (its asker has no room for them) keeps the others from being sent. The echo, whose place is the
 * asker's own mark, is left out of an asker who is not known here: it will not trust the marks. */
bool chirr_repair_answer(struct chirr_repair_answer *answer, const struct chirr_record_store *store,
                         struct chirr_random *random, chirr_agent_id from,
                         const struct chirr_digest_message *digest)
{
    uint32_t author_count = chirr_records_author_count(store);
    answer->count = 0;
    answer->covered_count = 0;
    if (author_count == 0) {
        return false;
    }
    const struct chirr_digest_entry *echo = chirr_repair_find(digest->entries, digest->count, from);
    bool marks_are_news = false;
    uint32_t start = (uint32_t)chirr_random_below(random, author_count);
    uint32_t first = list_authors(answer, store, digest->buckets, from, start);
    for (uint32_t i = 0; i < answer->covered_count; i++) {
        struct chirr_digest_entry *mark = &answer->covered[(first + i) % answer->covered_count];
        if (mark->author != from) {
            const struct knowledge asker = knowledge_of(digest, mark->author);
            mark->stamp = add_author(answer, store, random, mark->author, &asker);
            marks_are_news = marks_are_news || mark->stamp.incarnation != 0;
        } else if (echo != NULL) {
            add_other_lives(answer, store, from, echo->stamp);
            *mark = *echo;
        }
    }
    settle_marks(answer);
    return marks_are_news || answer->count > 0;
}

/* Everything live of an author whose newest is known already is offered now and then: something
 * older may be missing there, or have been overtaken there and be told so. */
static void add_live(struct chirr_repair_answer *answer, const struct chirr_record_store *store,
                     struct chirr_random *random, struct chirr_digest_entry known)
{
    struct chirr_stamp newest = chirr_records_live_newest(store, known.author);
    if (newest.incarnation == 0) {
        return;
    }
    if (chirr_stamp_compare(newest, known.stamp) <= 0) {
        if (chirr_random_below(random, GAP_OFFER_ONE_IN) != 0) {
            return;
        }
        known.stamp = nothing;
    }
    answer->count +=
        chirr_records_live_since(store, known.author, known.stamp, &answer->records[answer->count],
                                 answer->capacity - answer->count);
}

bool chirr_repair_answer_live(struct chirr_repair_answer *answer,
                              const struct chirr_record_store *store, struct chirr_random *random,
                              chirr_agent_id from, const struct chirr_digest_message *digest)
{
    const struct chirr_digest_entry *echo = chirr_repair_find(digest->entries, digest->count, from);
    uint32_t author_count = chirr_records_author_count(store);
    answer->count = 0;
    answer->covered_count = 0;
    if (author_count == 0 || echo == NULL) {
        return false;
    }
    answer->covered[answer->covered_count++] = *echo; /* tells an answer from a push */
    uint32_t start = (uint32_t)chirr_random_below(random, author_count);
    for (uint32_t i = 0; i < author_count; i++) {
        chirr_agent_id author = chirr_records_author_at(store, (start + i) % author_count);
        if (author == from) {
            add_other_lives(answer, store, from, echo->stamp);
        } else if (is_in(digest->buckets, author)) {
            const struct chirr_digest_entry *known =
                chirr_repair_find(digest->entries, digest->count, author);
            const struct chirr_digest_entry stranger = {author, nothing};
            add_live(answer, store, random, known != NULL ? *known : stranger);
        }
    }
    return answer->count > 0;
}
