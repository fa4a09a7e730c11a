#include "swarm/records.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/random.h"
#include "swarm/statement.h"
#include "tests/support/sample.h"

#define AGENTS 4
#define TASKS 3
#define STATEMENTS 60

static struct chirr_arena arena;

static void setup(void)
{
    cr_assert_eq(chirr_arena_init(&arena, 4 << 20), CHIRR_OK);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(records, .init = setup, .fini = teardown);

static struct chirr_record_store *store_of(uint32_t agents_max, uint32_t tasks_max)
{
    struct chirr_records_config config = {.agents_max = agents_max, .tasks_max = tasks_max};
    struct chirr_record_store *store = chirr_records_create(&arena, &config);
    cr_assert_not_null(store);
    return store;
}

static enum chirr_join join(struct chirr_record_store *store, struct chirr_record record)
{
    enum chirr_join how = CHIRR_JOIN_KNOWN;
    enum chirr_err err = chirr_records_join(store, &record, &how);
    cr_assert_eq(err, CHIRR_OK, "%s", chirr_err_text(err));
    return how;
}

static enum chirr_err refusal(struct chirr_record_store *store, struct chirr_record record)
{
    uint64_t before = chirr_records_state_hash(store);
    enum chirr_join how;
    enum chirr_err err = chirr_records_join(store, &record, &how);
    cr_assert_eq(chirr_records_state_hash(store), before);
    return err;
}

/* Every author numbers what it says, as agents do, through two incarnations. */
static void make_statements(struct chirr_random *random, struct chirr_record *statements)
{
    uint64_t versions[AGENTS] = {0};
    for (uint32_t i = 0; i < STATEMENTS; i++) {
        uint32_t author = (uint32_t)chirr_random_below(random, AGENTS);
        uint32_t submitter = (uint32_t)chirr_random_below(random, TASKS);
        struct chirr_record record;
        switch (chirr_random_below(random, 6)) {
        case 0:
            record = sample_card(author);
            record.card.slots = i;
            break;
        case 1:
            record = sample_claims(1 + chirr_random_below(random, 9), -(int64_t)i);
            break;
        default:
            record = sample_task(submitter, 1);
            record = sample_random_phase(random, &record, submitter, AGENTS, &author);
        }
        uint64_t incarnation = 1 + i / (STATEMENTS / 2);
        statements[i] = sample_stamped(&record, author, incarnation, ++versions[author]);
    }
}

static void join_permuted(struct chirr_random *random, struct chirr_record_store *store,
                          const struct chirr_record *statements)
{
    uint32_t order[2 * STATEMENTS];
    for (uint32_t i = 0; i < 2 * STATEMENTS; i++) {
        uint32_t j = (uint32_t)chirr_random_below(random, i + 1);
        order[i] = order[j];
        order[j] = i % STATEMENTS;
    }
    for (uint32_t i = 0; i < 2 * STATEMENTS; i++) {
        join(store, statements[order[i]]);
    }
}

/* Joins everything that `from` holds into `into`: the join of two states. */
static void join_state(struct chirr_record_store *into, const struct chirr_record_store *from)
{
    for (uint32_t i = 0; i < chirr_records_author_count(from); i++) {
        struct chirr_record records[STATEMENTS];
        uint32_t count = chirr_records_since(from, chirr_records_author_at(from, i),
                                             (struct chirr_stamp){0, 0}, records, STATEMENTS);
        for (uint32_t j = 0; j < count; j++) {
            join(into, records[j]);
        }
    }
}

Test(records, joining_in_any_order_with_repeats_gives_one_state)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct chirr_random random;
        chirr_random_init(&random, seed, 0);
        struct chirr_record statements[STATEMENTS];
        make_statements(&random, statements);
        uint64_t expected = 0;
        for (int order = 0; order < 4; order++) {
            arena.used = 0;
            memset(arena.base, 0, arena.capacity);
            struct chirr_record_store *store = store_of(AGENTS, TASKS);
            join_permuted(&random, store, statements);
            uint64_t hash = chirr_records_state_hash(store);
            expected = order == 0 ? hash : expected;
            cr_assert_eq(hash, expected, "seed %llu", (unsigned long long)seed);
        }
    }
}

Test(records, joining_states_is_associative_and_idempotent)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct chirr_random random;
        chirr_random_init(&random, seed, 1);
        struct chirr_record statements[STATEMENTS];
        make_statements(&random, statements);
        arena.used = 0;
        memset(arena.base, 0, arena.capacity);
        struct chirr_record_store *part[3];
        struct chirr_record_store *left = store_of(AGENTS, TASKS);
        struct chirr_record_store *right = store_of(AGENTS, TASKS);
        for (int i = 0; i < 3; i++) {
            part[i] = store_of(AGENTS, TASKS);
        }
        for (uint32_t i = 0; i < STATEMENTS; i++) {
            join(part[chirr_random_below(&random, 3)], statements[i]);
        }
        /* left = (a ∨ b) ∨ c, right = (c ∨ b) ∨ a; then once more, which changes nothing. */
        for (int i = 0; i < 3; i++) {
            join_state(left, part[i]);
            join_state(right, part[2 - i]);
        }
        uint64_t hash = chirr_records_state_hash(left);
        cr_assert_eq(hash, chirr_records_state_hash(right), "seed %llu", (unsigned long long)seed);
        join_state(left, right);
        cr_assert_eq(hash, chirr_records_state_hash(left));
    }
}

static int sign_of(int value)
{
    return (value > 0) - (value < 0);
}

Test(records, statements_on_a_task_are_totally_ordered)
{
    struct chirr_random random;
    chirr_random_init(&random, 7, 0);
    struct chirr_record task = sample_task(0, 1);
    for (int round = 0; round < 20000; round++) {
        struct chirr_record s[3];
        for (int i = 0; i < 3; i++) {
            uint32_t author;
            s[i] = sample_random_phase(&random, &task, 0, 3, &author);
            s[i] = sample_stamped(&s[i], author, 1, 1 + chirr_random_below(&random, 3));
        }
        int ab = sign_of(chirr_task_compare(&s[0], &s[1]));
        int bc = sign_of(chirr_task_compare(&s[1], &s[2]));
        int ac = sign_of(chirr_task_compare(&s[0], &s[2]));
        cr_assert_eq(chirr_task_compare(&s[0], &s[0]), 0);
        cr_assert_eq(ab, -sign_of(chirr_task_compare(&s[1], &s[0])));
        cr_assert(ab != bc || ac == ab, "round %d: not transitive", round);
    }
}

static void assert_wins(const struct chirr_record *winner, const struct chirr_record *loser)
{
    cr_assert_gt(chirr_task_compare(winner, loser), 0);
    cr_assert_lt(chirr_task_compare(loser, winner), 0);
}

Test(records, done_beats_cancelled_beats_a_later_epoch)
{
    struct chirr_record open = sample_task(0, 1);
    struct chirr_record cancelled = sample_phase(&open, CHIRR_TASK_CANCELLED, 0, 0);
    struct chirr_record done = sample_phase(&open, CHIRR_TASK_DONE, 0, 1);
    struct chirr_record done_later = sample_phase(&open, CHIRR_TASK_DONE, 1, 2);
    struct chirr_record reopened = sample_phase(&open, CHIRR_TASK_OPEN, 2, 0);
    struct chirr_record running = sample_phase(&open, CHIRR_TASK_RUNNING, 0, 1);
    struct chirr_record released = sample_phase(&open, CHIRR_TASK_RELEASED, 0, 1);
    assert_wins(&done, &cancelled);
    assert_wins(&done, &done_later);
    assert_wins(&done_later, &cancelled);
    assert_wins(&cancelled, &reopened);
    assert_wins(&reopened, &released);
    assert_wins(&released, &running);
    assert_wins(&running, &open);
}

Test(records, of_two_results_in_one_epoch_the_smaller_owner_is_canonical)
{
    struct chirr_record open = sample_task(0, 1);
    struct chirr_record a = sample_phase(&open, CHIRR_TASK_DONE, 0, 1);
    struct chirr_record b = sample_phase(&open, CHIRR_TASK_DONE, 0, 2);
    bool a_smaller = a.task.owner < b.task.owner;
    assert_wins(a_smaller ? &a : &b, a_smaller ? &b : &a);
}

Test(records, a_statement_by_whom_it_does_not_concern_is_refused)
{
    struct chirr_record_store *store = store_of(4, 4);
    struct chirr_record open = sample_task(0, 1);
    cr_assert_eq(refusal(store, sample_stamped(&open, 1, 1, 1)), CHIRR_ERR_UNTRUSTED);
    struct chirr_record cancelled = sample_phase(&open, CHIRR_TASK_CANCELLED, 0, 0);
    cr_assert_eq(refusal(store, sample_stamped(&cancelled, 1, 1, 1)), CHIRR_ERR_UNTRUSTED);
    const enum chirr_task_phase owned[] = {CHIRR_TASK_RUNNING, CHIRR_TASK_RELEASED,
                                           CHIRR_TASK_DONE};
    for (int i = 0; i < 3; i++) {
        struct chirr_record said = sample_phase(&open, owned[i], 0, 1);
        cr_assert_eq(refusal(store, sample_stamped(&said, 2, 1, 1)), CHIRR_ERR_UNTRUSTED);
        cr_assert_eq(refusal(store, sample_stamped(&said, 0, 1, 1)), CHIRR_ERR_UNTRUSTED);
    }
    struct chirr_record reopened = sample_phase(&open, CHIRR_TASK_OPEN, 1, 0);
    cr_assert_eq(join(store, sample_stamped(&reopened, 3, 1, 1)), CHIRR_JOIN_CHANGED);
    cr_assert_eq(chirr_records_count(store)->refused, 8);
}

Test(records, an_invalid_record_is_refused)
{
    struct chirr_record_store *store = store_of(4, 4);
    struct chirr_record card = sample_card(0);
    cr_assert_eq(refusal(store, sample_stamped(&card, 1, 1, 1)), CHIRR_ERR_MALFORMED);
    struct chirr_record task = sample_task(0, 1);
    task.task.spec.priority = 5; /* no longer what the id is a digest of */
    cr_assert_eq(refusal(store, sample_stamped(&task, 0, 1, 1)), CHIRR_ERR_MALFORMED);
    card = sample_stamped(&card, 0, 1, 1);
    card.kind = 99;
    cr_assert_eq(refusal(store, card), CHIRR_ERR_RANGE);
}

Test(records, two_contents_under_one_stamp_quarantine_their_author)
{
    struct chirr_record_store *store = store_of(4, 4);
    struct chirr_record card = sample_card(0);
    card = sample_stamped(&card, 0, 1, 1);
    cr_assert_eq(join(store, card), CHIRR_JOIN_CHANGED);
    struct chirr_record other = card;
    memset(other.signature, 7, sizeof other.signature);
    cr_assert_eq(join(store, other), CHIRR_JOIN_KNOWN);
    cr_assert_not(chirr_records_is_quarantined(store, sample_agent(0)));
    other.card.slots = 9;
    cr_assert_eq(refusal(store, other), CHIRR_ERR_EQUIVOCATION);
    cr_assert(chirr_records_is_quarantined(store, sample_agent(0)));
    cr_assert_eq(chirr_records_card(store, sample_agent(0))->card.slots, 1);

    struct chirr_record later = sample_claims(5, 1);
    cr_assert_eq(refusal(store, sample_stamped(&later, 0, 1, 2)), CHIRR_ERR_EQUIVOCATION);
    cr_assert_eq(refusal(store, card), CHIRR_ERR_EQUIVOCATION);
    struct chirr_record bystander = sample_card(1);
    cr_assert_eq(join(store, sample_stamped(&bystander, 1, 1, 1)), CHIRR_JOIN_CHANGED);
    cr_assert_eq(chirr_records_count(store)->equivocations, 1);
    cr_assert_eq(chirr_records_count(store)->refused, 2); /* what it said after that alone */
}

Test(records, one_stamp_for_two_kinds_is_equivocation_too)
{
    struct chirr_record_store *store = store_of(4, 4);
    struct chirr_record card = sample_card(0);
    struct chirr_record task = sample_task(0, 1);
    join(store, sample_stamped(&card, 0, 1, 1));
    cr_assert_eq(refusal(store, sample_stamped(&task, 0, 1, 1)), CHIRR_ERR_EQUIVOCATION);
}

Test(records, a_register_keeps_its_greatest_stamp)
{
    struct chirr_record_store *store = store_of(4, 4);
    struct chirr_record card = sample_card(0);
    cr_assert_eq(join(store, sample_stamped(&card, 0, 2, 1)), CHIRR_JOIN_CHANGED);
    cr_assert_eq(join(store, sample_stamped(&card, 0, 1, 9)), CHIRR_JOIN_DOMINATED);
    cr_assert_eq(join(store, sample_stamped(&card, 0, 2, 1)), CHIRR_JOIN_KNOWN);
    cr_assert_eq(join(store, sample_stamped(&card, 0, 2, 2)), CHIRR_JOIN_CHANGED);
    cr_assert_eq(chirr_records_card(store, sample_agent(0))->stamp.version, 2);
    cr_assert_null(chirr_records_claims(store, sample_agent(0)));
    cr_assert_null(chirr_records_card(store, sample_agent(1)));
}

Test(records, a_full_table_forgets_what_ended_first)
{
    struct chirr_record_store *store = store_of(4, 2);
    struct chirr_record tasks[4];
    for (uint32_t i = 0; i < 4; i++) {
        tasks[i] = sample_task(0, i);
    }
    join(store, sample_stamped(&tasks[0], 0, 1, 1));
    join(store, sample_stamped(&tasks[1], 0, 1, 2));
    cr_assert_eq(refusal(store, sample_stamped(&tasks[2], 0, 1, 3)), CHIRR_ERR_FULL);
    struct chirr_record done = sample_phase(&tasks[1], CHIRR_TASK_DONE, 0, 1);
    join(store, sample_stamped(&done, 1, 1, 1));
    struct chirr_record cancelled = sample_phase(&tasks[0], CHIRR_TASK_CANCELLED, 0, 0);
    join(store, sample_stamped(&cancelled, 0, 1, 4));

    cr_assert_eq(join(store, sample_stamped(&tasks[2], 0, 1, 3)), CHIRR_JOIN_CHANGED);
    cr_assert_null(chirr_records_task(store, tasks[1].task.id));
    cr_assert_not_null(chirr_records_task(store, tasks[0].task.id));
    cr_assert_eq(chirr_records_task_count(store), 2);
    cr_assert_eq(chirr_records_count(store)->forgotten, 1);
}

Test(records, a_forgotten_task_is_not_brought_back_to_be_run_again)
{
    struct chirr_record_store *store = store_of(4, 1);
    struct chirr_record task = sample_task(0, 1);
    struct chirr_record done = sample_phase(&task, CHIRR_TASK_DONE, 0, 1);
    struct chirr_record next = sample_task(0, 2);
    join(store, sample_stamped(&done, 1, 1, 1));
    join(store, sample_stamped(&next, 0, 1, 2));
    struct chirr_record reopened = sample_phase(&task, CHIRR_TASK_OPEN, 3, 0);
    cr_assert_eq(join(store, sample_stamped(&task, 0, 1, 1)), CHIRR_JOIN_DOMINATED);
    cr_assert_eq(join(store, sample_stamped(&reopened, 2, 1, 1)), CHIRR_JOIN_DOMINATED);
    cr_assert_eq(join(store, sample_stamped(&done, 1, 1, 1)), CHIRR_JOIN_DOMINATED);
    cr_assert_null(chirr_records_task(store, task.task.id));
}

Test(records, more_authors_than_fit_are_refused)
{
    struct chirr_record_store *store = store_of(2, 4);
    for (uint32_t i = 0; i < 2; i++) {
        struct chirr_record card = sample_card(i);
        join(store, sample_stamped(&card, i, 1, 1));
    }
    struct chirr_record card = sample_card(2);
    cr_assert_eq(refusal(store, sample_stamped(&card, 2, 1, 1)), CHIRR_ERR_FULL);
    chirr_records_cover(store, (struct chirr_digest_entry){sample_agent(2), {1, 1}});
    cr_assert_eq(chirr_records_author_count(store), 2);
}

Test(records, authors_and_tasks_are_iterated_in_ascending_order)
{
    struct chirr_record_store *store = store_of(16, 64);
    for (uint32_t i = 0; i < 16; i++) {
        struct chirr_record card = sample_card(i);
        join(store, sample_stamped(&card, i, 1, 1));
        for (uint32_t j = 0; j < 4; j++) {
            struct chirr_record task = sample_task(i, j);
            join(store, sample_stamped(&task, i, 1, 2 + j));
        }
    }
    cr_assert_eq(chirr_records_author_count(store), 16);
    cr_assert_eq(chirr_records_task_count(store), 64);
    for (uint32_t i = 1; i < 16; i++) {
        cr_assert_lt(chirr_records_author_at(store, i - 1), chirr_records_author_at(store, i));
    }
    for (uint32_t i = 1; i < 64; i++) {
        cr_assert_lt(chirr_records_task_at(store, i - 1)->task.id,
                     chirr_records_task_at(store, i)->task.id);
    }
}

Test(records, a_task_taken_over_is_held_under_its_new_author)
{
    struct chirr_record_store *store = store_of(4, 4);
    struct chirr_record first = sample_task(0, 1);
    struct chirr_record second = sample_task(0, 2);
    struct chirr_record running = sample_phase(&first, CHIRR_TASK_RUNNING, 0, 1);
    join(store, sample_stamped(&second, 0, 1, 2));
    join(store, sample_stamped(&first, 0, 1, 1));
    struct chirr_record out[4];
    const struct chirr_stamp zero = {0, 0};
    cr_assert_eq(chirr_records_since(store, sample_agent(0), zero, out, 4), 2);
    cr_assert_eq(out[0].stamp.version, 1);
    cr_assert_eq(out[1].stamp.version, 2);
    join(store, sample_stamped(&running, 1, 1, 7));
    cr_assert_eq(chirr_records_since(store, sample_agent(0), zero, out, 4), 1);
    cr_assert_eq(out[0].stamp.version, 2);
    cr_assert_eq(chirr_records_since(store, sample_agent(1), zero, out, 4), 1);
    cr_assert_eq(chirr_records_since(store, sample_agent(1), out[0].stamp, out, 4), 0);
    cr_assert_eq(chirr_records_since(store, sample_agent(2), zero, out, 4), 0);
    struct chirr_records_span span = chirr_records_span(store, sample_agent(1));
    cr_assert_eq(span.oldest.version, 7);
    cr_assert_eq(span.newest.version, 7);
    cr_assert_eq(span.covered.version, 0);
}

static struct chirr_stamp covered_of(const struct chirr_record_store *store, uint32_t agent)
{
    return chirr_records_span(store, sample_agent(agent)).covered;
}

Test(records, a_mark_rises_over_a_gap_only_once_it_is_filled)
{
    struct chirr_record_store *store = store_of(4, 8);
    const chirr_agent_id author = sample_agent(0);
    struct chirr_record card = sample_card(0);
    join(store, sample_stamped(&card, 0, 1, 1));
    chirr_records_cover(store, (struct chirr_digest_entry){author, {1, 1}});
    const uint64_t versions[] = {3, 4, 6, 2};
    const uint64_t marks[] = {1, 1, 1, 4};
    for (int i = 0; i < 4; i++) {
        struct chirr_record task = sample_task(0, versions[i]);
        task = sample_stamped(&task, 0, 1, versions[i]);
        join(store, task);
        chirr_records_cover_next(store, (struct chirr_digest_entry){author, task.stamp});
        cr_assert_eq(covered_of(store, 0).version, marks[i]);
    }
    chirr_records_cover_next(store, (struct chirr_digest_entry){author, {2, 1}});
    cr_assert_eq(covered_of(store, 0).incarnation, 1);
    chirr_records_cover(store, (struct chirr_digest_entry){author, {1, 2}});
    cr_assert_eq(covered_of(store, 0).version, 4);
    chirr_records_cover(store, (struct chirr_digest_entry){author, {2, 9}});
    cr_assert_eq(covered_of(store, 0).version, 9);
}

Test(records, an_epoch_out_of_reach_is_refused)
{
    struct chirr_record_store *store = store_of(4, 4);
    const enum chirr_task_phase phases[] = {CHIRR_TASK_OPEN, CHIRR_TASK_RUNNING,
                                            CHIRR_TASK_RELEASED};
    for (uint64_t i = 0; i < 3; i++) {
        struct chirr_record task = sample_task(0, i + 1);
        struct chirr_record last = sample_phase(&task, phases[i], UINT32_MAX, 1);
        struct chirr_record far = sample_phase(&task, phases[i], CHIRR_EPOCH_STEP_MAX + 1, 1);
        cr_assert_eq(refusal(store, sample_stamped(&last, 1, 1, 9)), CHIRR_ERR_UNTRUSTED);
        cr_assert_eq(refusal(store, sample_stamped(&far, 1, 1, 9)), CHIRR_ERR_UNTRUSTED);
        join(store, sample_stamped(&task, 0, 1, i + 1));
        cr_assert_eq(refusal(store, sample_stamped(&last, 1, 1, 9)), CHIRR_ERR_UNTRUSTED);
        struct chirr_record next = sample_phase(&task, phases[i], 1, 1);
        join(store, sample_stamped(&next, 1, 1, i + 1));
        cr_assert_eq(join(store, sample_stamped(&far, 1, 2, i + 1)), CHIRR_JOIN_CHANGED);
    }
}

Test(records, a_mark_alone_takes_no_place_of_an_author)
{
    struct chirr_record_store *store = store_of(2, 4);
    for (uint32_t i = 0; i < 4; i++) {
        chirr_records_cover(store, (struct chirr_digest_entry){sample_agent(i), {1, 9}});
    }
    cr_assert_eq(chirr_records_author_count(store), 0);
    struct chirr_record card = sample_card(3);
    cr_assert_eq(join(store, sample_stamped(&card, 3, 1, 1)), CHIRR_JOIN_CHANGED);
}

Test(records, creation_fails_at_every_cut_and_takes_exactly_its_bytes)
{
    struct chirr_records_config config = {.agents_max = 3, .tasks_max = 5};
    size_t bytes = chirr_records_bytes(&config);
    struct chirr_arena cut = arena;
    for (cut.capacity = 0; cut.capacity < bytes; cut.capacity += CHIRR_ARENA_ALIGN) {
        cut.used = 0;
        memset(cut.base, 0, bytes);
        cr_assert_null(chirr_records_create(&cut, &config));
    }
    cut.used = 0;
    memset(cut.base, 0, bytes);
    cr_assert_not_null(chirr_records_create(&cut, &config));
    cr_assert_eq(cut.used, bytes);
}
