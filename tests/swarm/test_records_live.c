#include "swarm/records.h"

#include <criterion/criterion.h>

#include "tests/support/sample.h"
#include "tests/support/stores.h"

/* Forgetting authors, and what two stores that did so differently have to tell each other. */

#define AGENTS_MAX 4

static struct stores stores;
static struct chirr_record_store *store;

static void setup(void)
{
    const struct chirr_records_config config = {.agents_max = AGENTS_MAX, .tasks_max = 8};
    stores_create(&stores, &config);
    store = stores.held[0];
}

static void teardown(void)
{
    stores_finish(&stores);
}

TestSuite(records_live, .init = setup, .fini = teardown);

static struct chirr_record card_of(uint32_t author)
{
    struct chirr_record card = sample_card(author);
    return sample_stamped(&card, author, 1, 1);
}

static struct chirr_record open_by(uint32_t author, uint64_t version)
{
    struct chirr_record task = sample_task(author, version);
    return sample_stamped(&task, author, 1, version);
}

static struct chirr_record done_by(const struct chirr_record *task, uint32_t owner,
                                   uint64_t version)
{
    struct chirr_record done = sample_phase(task, CHIRR_TASK_DONE, 0, owner);
    return sample_stamped(&done, owner, 1, version);
}

static struct chirr_record claims_by(uint32_t author, chirr_task_id task, uint64_t version)
{
    struct chirr_record claims = sample_claims(task, 5);
    return sample_stamped(&claims, author, 1, version);
}

Test(records_live, an_author_of_whom_nothing_lives_makes_room_and_returns_as_new)
{
    for (uint32_t i = 0; i < AGENTS_MAX; i++) {
        struct chirr_record card = card_of(i);
        stores_join(store, &card);
    }
    struct chirr_record fifth = card_of(AGENTS_MAX);
    enum chirr_join join;
    cr_expect_eq(chirr_records_join(store, &fifth, &join), CHIRR_ERR_FULL);
    cr_expect_eq(chirr_records_stake(store, sample_agent(1), 0), CHIRR_STAKE_NONE);
    cr_assert_eq(chirr_records_evict(store, sample_agent(1)), CHIRR_OK);
    cr_expect_eq(chirr_records_evict(store, sample_agent(1)), CHIRR_ERR_NOTFOUND);
    cr_expect_eq(stores_join(store, &fifth), CHIRR_JOIN_CHANGED);
    cr_expect_null(chirr_records_card(store, sample_agent(1)));
    cr_assert_eq(chirr_records_evict(store, sample_agent(AGENTS_MAX)), CHIRR_OK);
    struct chirr_record second = card_of(1);
    cr_expect_eq(stores_join(store, &second), CHIRR_JOIN_CHANGED);
    cr_expect_eq(chirr_records_span(store, sample_agent(1)).covered.incarnation, 0);
    cr_expect_eq(chirr_records_author_count(store), AGENTS_MAX);
    cr_expect_eq(chirr_records_count(store)->evicted, 2);
}

Test(records_live, an_author_with_a_task_that_has_not_ended_stays)
{
    struct chirr_record task = open_by(1, 2);
    stores_join(store, &task);
    cr_expect_eq(chirr_records_stake(store, sample_agent(1), 0), CHIRR_STAKE_TASKS);
    cr_expect_eq(chirr_records_evict(store, sample_agent(1)), CHIRR_ERR_STATE);
    cr_expect_not_null(chirr_records_task(store, task.task.id));
}

Test(records_live, claims_live_as_long_as_one_of_their_tasks_is_open)
{
    struct chirr_record task = open_by(1, 2);
    struct chirr_record claims = claims_by(2, task.task.id, 2);
    stores_join(store, &claims);
    cr_expect_eq(chirr_records_stake(store, sample_agent(2), 0), CHIRR_STAKE_NONE);
    stores_join(store, &task);
    cr_expect_eq(chirr_records_stake(store, sample_agent(2), 0), CHIRR_STAKE_CLAIMS);
    struct chirr_record done = done_by(&task, 3, 4);
    stores_join(store, &done);
    cr_expect_eq(chirr_records_stake(store, sample_agent(2), 0), CHIRR_STAKE_NONE);
    cr_expect_eq(chirr_records_stake(store, sample_agent(3), sample_agent(1)), CHIRR_STAKE_RESULTS);
}

Test(records_live, claims_older_than_what_their_author_said_before_it_was_forgotten_stay_out)
{
    struct chirr_record task = open_by(1, 2);
    struct chirr_record old = claims_by(2, task.task.id, 2);
    struct chirr_record withdrawn = claims_by(2, task.task.id, 5);
    withdrawn.claims = (struct chirr_claims){0};
    struct chirr_record next = claims_by(2, task.task.id, 6);
    stores_join(store, &task);
    stores_join(store, &withdrawn);
    cr_assert_eq(chirr_records_evict(store, sample_agent(2)), CHIRR_OK);
    cr_expect_eq(stores_join(store, &old), CHIRR_JOIN_DOMINATED);
    cr_expect_null(chirr_records_claims(store, sample_agent(2)));
    cr_expect_eq(stores_join(store, &next), CHIRR_JOIN_CHANGED);
}

Test(records_live, a_task_whose_end_was_forgotten_with_its_author_is_not_opened_again)
{
    struct chirr_record task = open_by(1, 2);
    struct chirr_record done = done_by(&task, 3, 4);
    stores_join(store, &task);
    stores_join(store, &done);
    cr_assert_eq(chirr_records_evict(store, sample_agent(3)), CHIRR_OK);
    cr_expect_null(chirr_records_task(store, task.task.id));
    cr_expect_eq(stores_join(store, &task), CHIRR_JOIN_DOMINATED);
    cr_expect_eq(stores_join(store, &done), CHIRR_JOIN_DOMINATED);
}

Test(records_live, trimming_leaves_the_card_and_what_lives)
{
    struct chirr_record card = card_of(1);
    struct chirr_record ended = open_by(1, 2);
    struct chirr_record open = open_by(1, 3);
    struct chirr_record done = done_by(&ended, 1, 4);
    struct chirr_record claims = claims_by(1, ended.task.id, 5);
    stores_join(store, &card);
    stores_join(store, &ended);
    stores_join(store, &open);
    stores_join(store, &done);
    stores_join(store, &claims);
    chirr_records_trim(store, sample_agent(1));
    cr_expect_not_null(chirr_records_card(store, sample_agent(1)));
    cr_expect_not_null(chirr_records_task(store, open.task.id));
    cr_expect_null(chirr_records_task(store, ended.task.id));
    cr_expect_null(chirr_records_claims(store, sample_agent(1)));
}

Test(records_live, stores_that_forgot_different_authors_have_nothing_to_repair)
{
    struct chirr_record task = open_by(1, 2);
    struct chirr_record other = open_by(1, 3);
    for (int i = 0; i < 2; i++) {
        stores_join(stores.held[i], &task);
        stores_join(stores.held[i], &other);
        for (uint32_t agent = 2; agent < 4; agent++) {
            struct chirr_record card = card_of(agent);
            struct chirr_record done = done_by(&other, agent, 4);
            stores_join(stores.held[i], &card);
            stores_join(stores.held[i], &done);
        }
        cr_assert_eq(chirr_records_evict(stores.held[i], sample_agent(i == 0 ? 2 : 3)), CHIRR_OK);
    }
    cr_expect_eq(stores_compare(&stores, true, 9), 0);
    cr_expect_neq(stores_compare(&stores, false, 9), 0);
    struct chirr_record third = open_by(1, 7);
    stores_join(stores.held[1], &third);
    cr_expect_eq(stores_compare(&stores, true, 9), UINT64_C(1)
                                                       << chirr_digest_bucket(sample_agent(1)));
}
