#include "swarm/repair.h"

#include <criterion/criterion.h>

#include "proto/codec.h"
#include "proto/frame.h"
#include "tests/support/sample.h"
#include "tests/support/stores.h"

/* Digests: the prints that the store keeps up, and the lists that follow where they differ. */

#define AGENTS_MAX 6
#define TASKS_MAX 3
#define STEPS 300

static struct stores stores;
static struct chirr_record_store *store;

static void setup(void)
{
    const struct chirr_records_config config = {.agents_max = AGENTS_MAX, .tasks_max = TASKS_MAX};
    stores_create(&stores, &config);
    store = stores.held[0];
}

static void teardown(void)
{
    stores_finish(&stores);
}

TestSuite(repair, .init = setup, .fini = teardown);

static void join_card(struct chirr_record_store *into, uint32_t author, uint64_t version)
{
    struct chirr_record card = sample_card(author);
    card = sample_stamped(&card, author, 1, version);
    stores_join(into, &card);
}

static void cover(struct chirr_record_store *into, uint32_t author, uint64_t version)
{
    chirr_records_cover(into, (struct chirr_digest_entry){sample_agent(author), {1, version}});
}

/* The sum over everything that is held, from nothing. */
static uint64_t print_anew(uint32_t bucket)
{
    uint64_t print = 0;
    for (uint32_t i = 0; i < chirr_records_author_count(store); i++) {
        chirr_agent_id author = chirr_records_author_at(store, i);
        if (chirr_digest_bucket(author) != bucket) {
            continue;
        }
        struct chirr_record held[2 + TASKS_MAX];
        uint32_t count = chirr_records_since(store, author, (struct chirr_stamp){0, 0}, held,
                                             sizeof held / sizeof held[0]);
        for (uint32_t j = 0; j < count; j++) {
            print += chirr_digest_print(&(struct chirr_digest_entry){author, held[j].stamp});
        }
        struct chirr_stamp covered = chirr_records_span(store, author).covered;
        print += chirr_digest_mark_print(&(struct chirr_digest_entry){author, covered});
    }
    return print;
}

/* Any of what changes a store, also in vain. */
static void step(struct chirr_random *random, uint64_t version)
{
    uint32_t author = (uint32_t)chirr_random_below(random, AGENTS_MAX + 2);
    uint32_t submitter = (uint32_t)chirr_random_below(random, AGENTS_MAX);
    struct chirr_record record;
    switch (chirr_random_below(random, 6)) {
    case 0:
        record = sample_card(author);
        break;
    case 1:
        record = sample_claims(1 + chirr_random_below(random, 9), 1);
        break;
    case 2:
        cover(store, author, 1 + chirr_random_below(random, STEPS));
        return;
    case 3:
        (void)!chirr_records_evict(store, sample_agent(author));
        return;
    default:
        record = sample_task(submitter, 1 + chirr_random_below(random, 2 * TASKS_MAX));
        record = sample_random_phase(random, &record, submitter, AGENTS_MAX, &author);
    }
    record = sample_stamped(&record, author, 1 + chirr_random_below(random, 2), version);
    enum chirr_join join;
    if (chirr_records_join(store, &record, &join) == CHIRR_OK) {
        chirr_records_cover_next(store, (struct chirr_digest_entry){record.author, record.stamp});
    }
}

Test(repair, prints_are_those_of_what_is_held_whatever_came_and_went)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct chirr_random random;
        chirr_random_init(&random, seed, 0);
        for (uint64_t version = 1; version <= STEPS; version++) {
            step(&random, version);
            for (uint32_t bucket = 0; bucket < CHIRR_DIGEST_BUCKETS; bucket++) {
                cr_assert_eq(chirr_records_print(store, bucket), print_anew(bucket),
                             "bucket %u after step %u of seed %u", (unsigned)bucket,
                             (unsigned)version, (unsigned)seed);
            }
        }
    }
}

Test(repair, equal_stores_sum_alike_whatever_way_they_came_about_and_others_do_not)
{
    for (uint32_t i = 0; i < AGENTS_MAX; i++) {
        join_card(stores.held[0], i, 1);
        join_card(stores.held[1], AGENTS_MAX - 1 - i, 1);
    }
    join_card(stores.held[0], 2, 5);
    join_card(stores.held[1], 2, 3);
    uint64_t bucket = UINT64_C(1) << chirr_digest_bucket(sample_agent(2));
    cr_assert_eq(stores_compare(&stores, false, 7), bucket);
    join_card(stores.held[1], 2, 5);
    cr_assert_eq(stores_compare(&stores, false, 7), 0);
    /* The same is held, but one does not know that nothing is missing before it. */
    cover(stores.held[0], 2, 5);
    cr_assert_eq(stores_compare(&stores, false, 7), bucket);
    cover(stores.held[1], 2, 5);
    cr_assert_eq(stores_compare(&stores, false, 7), 0);
}

Test(repair, lists_the_marks_of_the_buckets_asked_for_and_what_is_held_beyond_ascending)
{
    for (uint32_t i = 0; i < AGENTS_MAX; i++) {
        join_card(store, i, 1);
        if (i != 2) {
            cover(store, i, 1);
        }
    }
    struct chirr_record claims = sample_claims(1, 1);
    claims = sample_stamped(&claims, 2, 1, 4);
    stores_join(store, &claims);
    const struct chirr_digest_entry self = {sample_agent(0), {9, 9}};
    struct chirr_digest_entry entries[CHIRR_DIGEST_ENTRIES_MAX];
    uint32_t count = chirr_repair_list(store, UINT64_MAX, &self, entries);
    cr_assert_eq(count, AGENTS_MAX + 2);
    const struct chirr_message message = {
        .kind = CHIRR_MESSAGE_DIGEST,
        .digest = {.buckets = UINT64_MAX, .count = count, .entries = entries}};
    cr_assert_eq(chirr_message_validate(&message), CHIRR_OK);
    const struct chirr_digest_entry *second = chirr_repair_find(entries, count, sample_agent(2));
    cr_assert_eq(second[0].stamp.version, 0); /* nothing is covered */
    cr_assert_eq(second[1].author, sample_agent(2));
    cr_assert_eq(second[1].stamp.version, 1);
    cr_assert_eq(second[2].author, sample_agent(2));
    cr_assert_eq(second[2].stamp.version, 4);
    uint64_t bucket = UINT64_C(1) << chirr_digest_bucket(sample_agent(1));
    cr_assert_neq(chirr_digest_bucket(sample_agent(0)), chirr_digest_bucket(sample_agent(1)));
    cr_assert_eq(chirr_repair_list(store, bucket, &self, entries), 2);
    cr_assert_eq(chirr_repair_find(entries, 2, sample_agent(0))->stamp.version, 9);
    cr_assert_eq(chirr_repair_find(entries, 2, sample_agent(1))->stamp.version, 1);
}

/* As taking in an answer does. The asker is agent 0. */
static void take_in(struct chirr_record_store *into, const struct chirr_repair_answer *answer)
{
    for (uint32_t i = 0; i < answer->count; i++) {
        const struct chirr_record *record = &answer->records[i];
        cr_assert_null(
            chirr_records_find(into, &(struct chirr_digest_entry){record->author, record->stamp}),
            "what the asker said it holds is sent again");
        stores_join(into, record);
        chirr_records_cover_next(into, (struct chirr_digest_entry){record->author, record->stamp});
    }
    for (uint32_t i = 0; i < answer->covered_count; i++) {
        if (answer->covered[i].author != sample_agent(0)) {
            chirr_records_cover(into, answer->covered[i]);
        }
    }
}

/* Both hear some of what is said, pushed, in any order; one hears all of it. */
static void push_at_random(struct chirr_random *random)
{
    for (uint64_t version = 1; version <= 40; version++) {
        uint32_t author = 1 + (uint32_t)chirr_random_below(random, AGENTS_MAX - 1);
        struct chirr_record record =
            chirr_random_below(random, 2) == 0 ? sample_card(author) : sample_claims(version, 1);
        record = sample_stamped(&record, author, 1, version);
        stores_join(stores.held[1], &record);
        cover(stores.held[1], author, version);
        if (chirr_random_below(random, 2) == 0) {
            stores_join(stores.held[0], &record);
        }
    }
}

Test(repair, an_answer_brings_what_is_missing_once_and_nothing_that_was_pushed)
{
    struct chirr_digest_entry entries[CHIRR_DIGEST_ENTRIES_MAX];
    struct chirr_digest_entry covered[CHIRR_DIGEST_ENTRIES_MAX];
    struct chirr_record records[3]; /* less than is missing */
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct chirr_random random;
        chirr_random_init(&random, seed, 0);
        push_at_random(&random);
        const struct chirr_digest_entry self = {sample_agent(0), {1, 1}};
        uint32_t rounds = 0;
        while (stores_compare(&stores, false, 1) != 0) {
            cr_assert_lt(rounds++, 6, "seed %llu", (unsigned long long)seed);
            struct chirr_digest_message digest = {.buckets = UINT64_MAX, .entries = entries};
            digest.count = chirr_repair_list(stores.held[0], UINT64_MAX, &self, entries);
            struct chirr_repair_answer answer = {
                .records = records, .capacity = 3, .covered = covered};
            cr_assert(chirr_repair_answer(&answer, stores.held[1], &random, self.author, &digest));
            take_in(stores.held[0], &answer);
        }
        teardown();
        setup();
    }
}

/* Whoever is answered finds its echo among the marks, in order, and what it lacks. */
Test(repair, answers_with_what_is_missing_in_the_buckets_asked_for_and_the_echo)
{
    for (uint32_t i = 0; i < AGENTS_MAX; i++) {
        join_card(store, i, 1);
        cover(store, i, 1);
    }
    const struct chirr_digest_entry asker = {sample_agent(0), {1, 1}};
    struct chirr_digest_message digest = {.count = 1, .entries = &asker};
    digest.buckets = UINT64_C(1) << chirr_digest_bucket(sample_agent(1)) |
                     UINT64_C(1) << chirr_digest_bucket(sample_agent(4));
    struct chirr_record records[AGENTS_MAX];
    struct chirr_digest_entry covered[CHIRR_DIGEST_ENTRIES_MAX];
    struct chirr_repair_answer answer = {
        .records = records, .capacity = AGENTS_MAX, .covered = covered};
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct chirr_random random;
        chirr_random_init(&random, seed, 0);
        cr_assert(chirr_repair_answer(&answer, store, &random, asker.author, &digest));
        cr_assert_eq(answer.count, 2);
        cr_assert_eq(answer.covered_count, 3);
        cr_assert_lt(covered[0].author, covered[1].author);
        cr_assert_lt(covered[1].author, covered[2].author);
        cr_assert_not_null(chirr_repair_find(covered, 3, asker.author));
    }
}

/* ---- An author of many statements ----------------------------------------------------------- */

#define SPEAKER 1
#define STATEMENTS 60
#define HEARD_TO 50
#define NAMED_MAX 32 /* beyond a mark, in one digest */
#define PIECE 5

static struct stores speech;
static struct chirr_digest_entry named[CHIRR_DIGEST_ENTRIES_MAX];
static struct chirr_digest_entry marks[CHIRR_DIGEST_ENTRIES_MAX];
static struct chirr_record piece[CHIRR_RECORDS_MAX];

static void setup_speech(void)
{
    const struct chirr_records_config config = {.agents_max = AGENTS_MAX, .tasks_max = STATEMENTS};
    stores_create(&speech, &config);
}

static void teardown_speech(void)
{
    stores_finish(&speech);
}

TestSuite(repair_many, .init = setup_speech, .fini = teardown_speech);

static struct chirr_record say(uint64_t nonce, uint64_t version)
{
    struct chirr_record task = sample_task(SPEAKER, nonce);
    return sample_stamped(&task, SPEAKER, 1, version);
}

/* What overtakes the statement of that version. */
static struct chirr_record take_back(uint64_t version)
{
    struct chirr_record task = say(version, version);
    task = sample_phase(&task, CHIRR_TASK_CANCELLED, 0, SPEAKER);
    return sample_stamped(&task, SPEAKER, 1, STATEMENTS + version);
}

/* The first store lists, the second answers. */
static bool answer_in_pieces(struct chirr_repair_answer *answer, uint32_t capacity,
                             struct chirr_random *random)
{
    const struct chirr_digest_entry self = {sample_agent(0), {1, 1}};
    struct chirr_message message = {.kind = CHIRR_MESSAGE_DIGEST,
                                    .digest = {.buckets = UINT64_MAX, .entries = named}};
    message.digest.count = chirr_repair_list(speech.held[0], UINT64_MAX, &self, named);
    cr_assert_eq(chirr_message_validate(&message), CHIRR_OK);
    *answer =
        (struct chirr_repair_answer){.records = piece, .capacity = capacity, .covered = marks};
    bool any = chirr_repair_answer(answer, speech.held[1], random, self.author, &message.digest);
    for (uint32_t i = 0; i < answer->count; i++) {
        for (uint32_t j = 0; j < message.digest.count; j++) {
            cr_assert(named[j].author != piece[i].author ||
                          chirr_stamp_compare(named[j].stamp, piece[i].stamp) != 0,
                      "what was named is sent again");
        }
    }
    return any;
}

/* As push_at_random, but of one author: the first store lacks the first statement, all after
 * HEARD_TO and some between; the second has all, and of some what overtook them. */
static void speak_at_random(struct chirr_random *random)
{
    for (uint64_t version = 1; version <= STATEMENTS; version++) {
        struct chirr_record record = say(version, version);
        stores_join(speech.held[1], &record);
        bool heard = version > 1 && version <= HEARD_TO && chirr_random_below(random, 6) != 0;
        if (heard) {
            stores_join(speech.held[0], &record);
        }
        if (heard && chirr_random_below(random, 6) == 0) {
            record = take_back(version);
            stores_join(speech.held[1], &record);
        }
    }
    cover(speech.held[1], SPEAKER, 2 * STATEMENTS);
}

Test(repair_many, what_was_said_comes_in_pieces_and_without_what_was_named)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct chirr_random random;
        chirr_random_init(&random, seed, 0);
        speak_at_random(&random);
        uint32_t rounds = 0;
        while (stores_compare(&speech, false, 1) != 0) {
            cr_assert_lt(rounds++, 1 + 2 * STATEMENTS / PIECE, "seed %u", (unsigned)seed);
            struct chirr_repair_answer answer;
            cr_assert(answer_in_pieces(&answer, PIECE, &random), "seed %u", (unsigned)seed);
            for (uint32_t i = 0; i < answer.count; i++) {
                stores_join(speech.held[0], &piece[i]);
            }
            cr_assert_eq(answer.covered_count, 1);
            chirr_records_cover(speech.held[0], marks[0]);
        }
        cr_assert_eq(chirr_records_state_hash(speech.held[0]),
                     chirr_records_state_hash(speech.held[1]), "seed %u", (unsigned)seed);
        teardown_speech();
        setup_speech();
    }
}

/* More than fits is missing behind more than is left out: none of the room stays empty. */
Test(repair_many, places_of_what_was_named_go_to_what_is_missing)
{
    for (uint64_t version = 1; version <= STATEMENTS; version++) {
        struct chirr_record record = say(version, version);
        stores_join(speech.held[1], &record);
        if (version > 1 && version <= 1 + NAMED_MAX) {
            stores_join(speech.held[0], &record);
        }
    }
    cover(speech.held[1], SPEAKER, STATEMENTS);
    struct chirr_random random;
    chirr_random_init(&random, 1, 0);
    struct chirr_repair_answer answer;
    cr_assert(answer_in_pieces(&answer, PIECE, &random));
    cr_assert_eq(answer.count, PIECE);
    cr_assert_eq(piece[0].stamp.version, 1);
    cr_assert_eq(piece[1].stamp.version, 2 + NAMED_MAX);
    cr_assert_eq(answer.covered_count, 1);
    cr_assert_eq(marks[0].stamp.version, NAMED_MAX + PIECE);
}

Test(repair_many, whoever_names_more_than_a_digest_lists_is_sent_the_rest_all_the_same)
{
    named[0] = (struct chirr_digest_entry){sample_agent(SPEAKER), {1, 1}};
    for (uint64_t version = 2; version <= STATEMENTS; version++) {
        struct chirr_record record = say(version, version);
        stores_join(speech.held[1], &record);
        named[version - 1] = (struct chirr_digest_entry){record.author, record.stamp};
    }
    cover(speech.held[1], SPEAKER, STATEMENTS);
    const struct chirr_digest_message digest = {
        .buckets = UINT64_MAX, .count = STATEMENTS, .entries = named};
    struct chirr_repair_answer answer = {
        .records = piece, .capacity = CHIRR_RECORDS_MAX, .covered = marks};
    struct chirr_random random;
    chirr_random_init(&random, 1, 0);
    cr_assert(chirr_repair_answer(&answer, speech.held[1], &random, sample_agent(0), &digest));
    cr_assert_eq(answer.count, STATEMENTS - 1 - NAMED_MAX);
    cr_assert_eq(piece[0].stamp.version, 2 + NAMED_MAX);
}

/* Neither knows what was said first, so no mark covers what was said since. */
Test(repair_many, two_contents_under_one_stamp_are_found_beyond_a_gap)
{
    for (uint64_t version = 2; version < 2 + PIECE; version++) {
        struct chirr_record record = say(version, version);
        stores_join(speech.held[1], &record);
        record = say(STATEMENTS + version, version);
        stores_join(speech.held[0], &record);
    }
    const struct chirr_digest_entry self = {sample_agent(0), {1, 1}};
    struct chirr_digest_message digest = {.buckets = UINT64_MAX, .entries = named};
    digest.count = chirr_repair_list(speech.held[0], UINT64_MAX, &self, named);
    struct chirr_repair_answer answer = {
        .records = piece, .capacity = CHIRR_RECORDS_MAX, .covered = marks};
    struct chirr_random random;
    chirr_random_init(&random, 1, 0);
    uint32_t offers = 0;
    for (uint32_t i = 0; i < 400; i++) {
        chirr_repair_answer(&answer, speech.held[1], &random, self.author, &digest);
        offers += answer.count > 0;
        for (uint32_t j = 0; j < answer.count; j++) {
            enum chirr_join join;
            cr_assert_eq(chirr_records_join(speech.held[0], &piece[j], &join),
                         CHIRR_ERR_EQUIVOCATION);
        }
    }
    cr_assert(chirr_records_is_quarantined(speech.held[0], sample_agent(SPEAKER)));
    cr_assert_lt(offers, 100, "%u of 400: it cannot say that it holds them", (unsigned)offers);
}

Test(repair_many, what_is_missing_beyond_a_gap_is_reached_past_what_is_held)
{
    for (uint64_t version = 2; version <= 2 + 2 * PIECE; version++) {
        struct chirr_record record = say(version, version);
        stores_join(speech.held[1], &record);
        if (version < 2 + 2 * PIECE) {
            stores_join(speech.held[0], &record);
        }
    }
    const struct chirr_digest_entry self = {sample_agent(0), {1, 1}};
    struct chirr_digest_message digest = {.buckets = UINT64_MAX, .entries = named};
    digest.count = chirr_repair_list(speech.held[0], UINT64_MAX, &self, named);
    struct chirr_repair_answer answer = {.records = piece, .capacity = PIECE, .covered = marks};
    struct chirr_random random;
    chirr_random_init(&random, 1, 0);
    bool reached = false;
    for (uint32_t i = 0; i < 400; i++) {
        chirr_repair_answer(&answer, speech.held[1], &random, self.author, &digest);
        reached = reached || (answer.count == 1 && piece[0].stamp.version == 2 + 2 * PIECE);
    }
    cr_assert(reached);
}

/* ---- A full view of the largest swarm ------------------------------------------------------- */

#define CROWD CHIRR_DIGEST_ENTRIES_MAX
#define ABSENT 1234

/* Everybody's card; the first store lacks one. */
static void crowd(struct stores *crowds)
{
    const struct chirr_records_config config = {.agents_max = CROWD, .tasks_max = 1};
    stores_create(crowds, &config);
    for (uint32_t i = 0; i < 2; i++) {
        for (uint32_t agent = 0; agent < CROWD; agent++) {
            if (i == 1 || agent != ABSENT) {
                join_card(crowds->held[i], agent, 1);
                cover(crowds->held[i], agent, 1);
            }
        }
    }
}

Test(repair, two_who_know_two_thousand_find_the_one_card_that_is_missing)
{
    static struct chirr_digest_entry entries[CROWD];
    static struct chirr_digest_entry covered[CROWD];
    struct chirr_record records[4];
    struct stores crowds;
    crowd(&crowds);
    cr_assert_geq(CROWD, 2000);
    uint64_t different = stores_compare(&crowds, false, 5);
    cr_assert_eq(different, UINT64_C(1) << chirr_digest_bucket(sample_agent(ABSENT)));
    const struct chirr_digest_entry self = {sample_agent(0), {1, 1}};
    struct chirr_message message = {.kind = CHIRR_MESSAGE_DIGEST};
    message.digest.buckets = different;
    message.digest.entries = entries;
    message.digest.count = chirr_repair_list(crowds.held[0], different, &self, entries);
    cr_assert_lt(message.digest.count, CROWD / 32);
    cr_assert_eq(chirr_message_validate(&message), CHIRR_OK);
    struct chirr_repair_answer answer = {.records = records, .capacity = 4, .covered = covered};
    struct chirr_random random;
    chirr_random_init(&random, 1, 0);
    cr_assert(chirr_repair_answer(&answer, crowds.held[1], &random, self.author, &message.digest));
    cr_assert_eq(answer.count, 1);
    cr_assert_eq(records[0].author, sample_agent(ABSENT));
    /* Whoever differs in every bucket lists them all, in one message. */
    message.digest.buckets = UINT64_MAX;
    message.digest.count = chirr_repair_list(crowds.held[1], UINT64_MAX, &self, entries);
    cr_assert_eq(message.digest.count, CROWD);
    cr_assert_eq(chirr_message_validate(&message), CHIRR_OK);
    cr_assert_lt(chirr_codec_message_bytes(&message), CHIRR_FRAME_BYTES_MAX);
    stores_finish(&crowds);
}

/* Two statements each beyond the marks, and room for fewer. */
Test(repair, every_mark_is_listed_however_little_room_is_left_for_what_is_beyond)
{
    enum { LISTED = CROWD - 9, SPEAKERS = 8 };
    static struct chirr_digest_entry entries[2 * CROWD];
    const struct chirr_records_config config = {.agents_max = CROWD, .tasks_max = 2 * SPEAKERS};
    struct stores crowds;
    stores_create(&crowds, &config);
    for (uint32_t agent = 0; agent < LISTED; agent++) {
        join_card(crowds.held[0], agent, 1);
        cover(crowds.held[0], agent, 1);
    }
    for (uint32_t i = 0; i < 2 * SPEAKERS; i++) {
        struct chirr_record task = sample_task(1 + i / 2, 1 + i);
        task = sample_stamped(&task, 1 + i / 2, 1, 3 + i);
        stores_join(crowds.held[0], &task);
    }
    const struct chirr_digest_entry self = {sample_agent(0), {1, 1}};
    struct chirr_message message = {.kind = CHIRR_MESSAGE_DIGEST,
                                    .digest = {.buckets = UINT64_MAX, .entries = entries}};
    message.digest.count = chirr_repair_list(crowds.held[0], UINT64_MAX, &self, entries);
    cr_assert_eq(message.digest.count, CROWD);
    cr_assert_eq(chirr_message_validate(&message), CHIRR_OK);
    for (uint32_t agent = 0; agent < LISTED; agent++) {
        const struct chirr_digest_entry *mark =
            chirr_repair_find(entries, message.digest.count, sample_agent(agent));
        cr_assert_not_null(mark);
        cr_assert_eq(mark->stamp.version, 1);
    }
    stores_finish(&crowds);
}
