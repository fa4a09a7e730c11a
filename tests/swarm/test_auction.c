/* One machine by hand. */
#include "swarm/auction.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/support/sample.h"

#define S CHIRR_US_PER_S
#define MS CHIRR_US_PER_MS

static struct chirr_auction_config alone_config(void)
{
    struct chirr_auction_config config = chirr_auction_config_default();
    config.self = sample_agent(0);
    config.tasks_max = 8;
    return config;
}

struct alone {
    struct chirr_arena arena;
    struct chirr_record_store *records;
    struct chirr_membership *membership;
    struct chirr_leases *leases;
    struct chirr_auction *auction;
    uint64_t version;
};

static void alone_init(struct alone *alone, const struct chirr_auction_config *config)
{
    struct chirr_records_config records = {.agents_max = 4, .tasks_max = 8};
    struct chirr_lease_config leases = {.owners_max = 4, .lease_ms = 4000};
    struct chirr_membership_config membership = chirr_membership_config_default();
    membership.self = config->self;
    membership.members_max = 4;
    size_t bytes = chirr_records_bytes(&records) + chirr_lease_bytes(&leases) +
                   chirr_membership_bytes(&membership) + chirr_auction_bytes(config);
    memset(alone, 0, sizeof *alone);
    cr_assert_eq(chirr_arena_init(&alone->arena, bytes), CHIRR_OK);
    alone->records = chirr_records_create(&alone->arena, &records);
    alone->leases = chirr_lease_create(&alone->arena, &leases);
    alone->membership = chirr_membership_create(&alone->arena, &membership, 0);
}

static void alone_state(struct alone *alone, struct chirr_record *record, chirr_time_us now)
{
    *record = sample_stamped(record, 0, 1, ++alone->version);
    enum chirr_join join;
    cr_assert_eq(chirr_records_join(alone->records, record, &join), CHIRR_OK);
    chirr_auction_notice(alone->auction, record, now);
}

static bool expect_price(struct alone *alone, chirr_task_id task)
{
    struct chirr_output output;
    return chirr_auction_poll(alone->auction, &output) && output.kind == CHIRR_OUTPUT_PRICE &&
           output.task->id == task;
}

static chirr_time_us tick(struct alone *alone)
{
    chirr_time_us now = chirr_auction_deadline(alone->auction);
    chirr_auction_tick(alone->auction, now);
    return now;
}

static struct alone alone;

/* Submits a task, has it priced and claimed; returns when. */
static chirr_time_us claim_one(struct chirr_record *task, uint64_t duration_us)
{
    *task = sample_task(0, 1);
    alone_state(&alone, task, 10 * S);
    chirr_time_us now = tick(&alone);
    cr_assert(expect_price(&alone, task->task.id));
    struct chirr_price price = {
        .task = task->task.id, .duration_us = duration_us, .success_permille = 1000};
    chirr_auction_price(alone.auction, &price, now);
    now = tick(&alone);
    struct chirr_record claims;
    cr_assert(chirr_auction_statement(alone.auction, &claims));
    cr_assert_eq(claims.kind, CHIRR_RECORD_CLAIMS);
    cr_assert_eq(claims.claims.count, 1);
    cr_assert_eq(claims.claims.claims[0].task, task->task.id);
    cr_assert_eq(claims.claims.claims[0].bid, -(int64_t)duration_us);
    alone_state(&alone, &claims, now);
    return now;
}

static void create_alone_with(const struct chirr_auction_config *config)
{
    alone_init(&alone, config);
    alone.auction = chirr_auction_create(&alone.arena, config, alone.records, alone.membership,
                                         alone.leases, 0);
    cr_assert_not_null(alone.auction);
}

static void create_alone(void)
{
    struct chirr_auction_config config = alone_config();
    create_alone_with(&config);
}

static void finish_alone(void)
{
    chirr_arena_finish(&alone.arena);
}

TestSuite(auction, .init = create_alone, .fini = finish_alone);

Test(auction, create_fails_cleanly_in_every_smaller_arena)
{
    struct chirr_auction_config config = alone_config();
    size_t bytes = chirr_auction_bytes(&config);
    void *memory = alone.arena.base + alone.arena.used - bytes;
    for (size_t cut = 0; cut < bytes; cut += CHIRR_ARENA_ALIGN) {
        struct chirr_arena small = {.base = memory, .capacity = cut};
        cr_assert_null(
            chirr_auction_create(&small, &config, alone.records, alone.membership, alone.leases, 0),
            "%zu of %zu bytes", cut, bytes);
    }
}

Test(auction, validates_its_configuration)
{
    struct chirr_auction_config config = alone_config();
    struct chirr_error error;
    cr_assert_eq(chirr_auction_config_validate(&config, &error), CHIRR_OK);
    config.bundle_max = CHIRR_CLAIMS_MAX + 1;
    cr_assert_eq(chirr_auction_config_validate(&config, &error), CHIRR_ERR_RANGE);
    cr_assert_not_null(strstr(error.text, "bundle_max"));
    config = alone_config();
    config.slots = 257;
    cr_assert_eq(chirr_auction_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = alone_config();
    config.price_refresh_ms = 0;
    cr_assert_eq(chirr_auction_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = alone_config();
    config.policy = 7;
    cr_assert_eq(chirr_auction_config_validate(&config, &error), CHIRR_ERR_INVALID);
}

Test(auction, without_a_price_there_is_no_bid)
{
    struct chirr_record task = sample_task(0, 1);
    alone_state(&alone, &task, 0);
    tick(&alone);
    cr_assert(expect_price(&alone, task.task.id));
    struct chirr_record record;
    for (int i = 0; i < 5; i++) {
        tick(&alone);
        cr_assert_not(chirr_auction_statement(alone.auction, &record));
        cr_assert(expect_price(&alone, task.task.id), "asked again when no answer comes");
    }
    cr_assert_eq(chirr_auction_winner(alone.auction, task.task.id), 0);
}

Test(auction, an_answer_that_nobody_asked_for_is_ignored)
{
    struct chirr_record task = sample_task(0, 1);
    alone_state(&alone, &task, 0);
    struct chirr_price price = {
        .task = task.task.id, .duration_us = 1000, .success_permille = 1000};
    chirr_auction_price(alone.auction, &price, 0);
    price.task++;
    chirr_auction_price(alone.auction, &price, 0);
    tick(&alone);
    struct chirr_record record;
    cr_assert_not(chirr_auction_statement(alone.auction, &record));
}

Test(auction, a_price_moves_a_bid_only_beyond_the_hysteresis)
{
    finish_alone();
    struct chirr_auction_config config = alone_config();
    config.settle_ms = 3600000;
    config.hysteresis_permille = 100;
    create_alone_with(&config);
    struct chirr_record task;
    struct chirr_record record;
    chirr_time_us now = claim_one(&task, 100000);
    const struct {
        uint64_t duration_us;
        bool stated; /* better bids are not stated while nobody contests them */
    } prices[] = {{109000, false}, {91000, false}, {111000, true}, {105000, false}, {50000, false}};
    for (size_t i = 0; i < sizeof prices / sizeof prices[0]; i++) {
        do {
            now = tick(&alone);
        } while (!expect_price(&alone, task.task.id));
        struct chirr_price price = {
            .task = task.task.id, .duration_us = prices[i].duration_us, .success_permille = 1000};
        chirr_auction_price(alone.auction, &price, now);
        now = tick(&alone);
        bool stated = chirr_auction_statement(alone.auction, &record);
        cr_assert_eq(stated, prices[i].stated, "price %zu", i);
        if (stated) {
            cr_assert_eq(record.claims.claims[0].bid, -(int64_t)prices[i].duration_us);
            alone_state(&alone, &record, now);
        }
    }
}

/* A rival's claim between what is stated and what could be stated. */
Test(auction, a_better_bid_is_stated_when_somebody_contests_it)
{
    finish_alone();
    struct chirr_auction_config config = alone_config();
    config.settle_ms = 3600000;
    create_alone_with(&config);
    cr_assert_eq(chirr_membership_add(alone.membership, sample_agent(1), 1, 0), CHIRR_OK);
    struct chirr_record task;
    chirr_time_us now = claim_one(&task, 100000);
    do {
        now = tick(&alone);
    } while (!expect_price(&alone, task.task.id));
    struct chirr_price price = {
        .task = task.task.id, .duration_us = 50000, .success_permille = 1000};
    chirr_auction_price(alone.auction, &price, now);
    now = tick(&alone);
    const struct {
        int64_t bid;
        bool stated;
        uint32_t claims;
    } rivals[] = {{-120000, false, 1}, {-70000, true, 1}, {-40000, false, 0}};
    for (uint64_t i = 0; i < 3; i++) {
        struct chirr_record rival = sample_claims(task.task.id, rivals[i].bid);
        rival = sample_stamped(&rival, 1, 1, i + 1);
        enum chirr_join join;
        cr_assert_eq(chirr_records_join(alone.records, &rival, &join), CHIRR_OK);
        chirr_auction_notice(alone.auction, &rival, now);
        now = tick(&alone);
        struct chirr_record record;
        bool stated = chirr_auction_statement(alone.auction, &record);
        cr_assert_eq(stated, rivals[i].stated, "rival %lu", i);
        if (stated) {
            cr_assert_eq(record.claims.count, rivals[i].claims);
            alone_state(&alone, &record, now);
        }
    }
    cr_assert_eq(chirr_auction_winner(alone.auction, task.task.id), sample_agent(1));

    /* What was given up without a word counts without a word when the rival gives up, too. */
    struct chirr_record none = {.kind = CHIRR_RECORD_CLAIMS};
    none = sample_stamped(&none, 1, 1, 4);
    enum chirr_join join;
    cr_assert_eq(chirr_records_join(alone.records, &none, &join), CHIRR_OK);
    chirr_auction_notice(alone.auction, &none, now);
    tick(&alone);
    struct chirr_record record;
    cr_assert(!chirr_auction_statement(alone.auction, &record));
    cr_assert_eq(chirr_auction_winner(alone.auction, task.task.id), sample_agent(0));
}

/* And is withdrawn when it would win, but is wanted no more. */
Test(auction, what_was_given_up_is_withdrawn_when_it_would_win_after_all)
{
    cr_assert_eq(chirr_membership_add(alone.membership, sample_agent(1), 1, 0), CHIRR_OK);
    struct chirr_record task, record;
    chirr_time_us now = claim_one(&task, 50000);
    const struct chirr_record bids[] = {sample_claims(task.task.id, -40000),
                                        {.kind = CHIRR_RECORD_CLAIMS}};
    for (uint64_t i = 0; i < 2; i++) {
        struct chirr_record rival = sample_stamped(&bids[i], 1, 1, i + 1);
        enum chirr_join join;
        cr_assert_eq(chirr_records_join(alone.records, &rival, &join), CHIRR_OK);
        chirr_auction_notice(alone.auction, &rival, now);
        if (i == 0) {
            now = tick(&alone);
            cr_assert(!chirr_auction_statement(alone.auction, &record));
            chirr_auction_leave(alone.auction, now);
        }
        now = tick(&alone);
        cr_assert_eq(chirr_auction_statement(alone.auction, &record), i == 1, "rival %lu", i);
    }
    cr_assert_eq(record.kind, CHIRR_RECORD_CLAIMS);
    cr_assert_eq(record.claims.count, 0);
}

Test(auction, start_comes_only_when_running_stands_in_the_store)
{
    struct chirr_record task;
    chirr_time_us claimed = claim_one(&task, 1000);
    chirr_time_us now = tick(&alone);
    cr_assert_geq(now, claimed + 300 * MS);
    struct chirr_record record;
    struct chirr_output output;
    cr_assert(chirr_auction_statement(alone.auction, &record));
    cr_assert_eq(record.task.phase, CHIRR_TASK_RUNNING);
    cr_assert_eq(record.task.owner, sample_agent(0));
    cr_assert_not(chirr_auction_statement(alone.auction, &record), "handed out once");
    cr_assert_not(chirr_auction_poll(alone.auction, &output), "not stated yet");
    now = tick(&alone);
    cr_assert(chirr_auction_statement(alone.auction, &record), "offered again");
    alone_state(&alone, &record, now);
    cr_assert(chirr_auction_poll(alone.auction, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_START);
    cr_assert_eq(output.task->id, task.task.id);
    cr_assert_not(chirr_auction_poll(alone.auction, &output));
    cr_assert_eq(chirr_auction_running_count(alone.auction), 1);

    struct chirr_task_result result = {.end = CHIRR_TASK_END_EXITED, .duration_us = 900};
    cr_assert_eq(chirr_auction_ended(alone.auction, task.task.id, 1, &result, now),
                 CHIRR_ERR_NOTFOUND, "another epoch");
    cr_assert_eq(chirr_auction_ended(alone.auction, task.task.id, 0, &result, now), CHIRR_OK);
    cr_assert_eq(chirr_auction_ended(alone.auction, task.task.id, 0, &result, now),
                 CHIRR_ERR_NOTFOUND, "only once");
    cr_assert_eq(chirr_auction_running_count(alone.auction), 0);
    cr_assert(chirr_auction_statement(alone.auction, &record));
    cr_assert_eq(record.task.phase, CHIRR_TASK_DONE);
    cr_assert_eq(record.task.result.duration_us, 900);
    cr_assert_eq(record.task.result.predicted_us, 1000);
    alone_state(&alone, &record, now);
    cr_assert(chirr_auction_poll(alone.auction, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_OUTCOME);
    cr_assert_not(chirr_auction_poll(alone.auction, &output));
}

Test(auction, before_the_deadline_a_tick_has_no_effect)
{
    struct chirr_record task;
    claim_one(&task, 1000);
    struct chirr_record record;
    struct chirr_output output;
    chirr_time_us deadline = chirr_auction_deadline(alone.auction);
    chirr_auction_tick(alone.auction, deadline - 1);
    cr_assert_eq(chirr_auction_deadline(alone.auction), deadline);
    cr_assert_not(chirr_auction_statement(alone.auction, &record));
    cr_assert_not(chirr_auction_poll(alone.auction, &output));
}

/* Runs what was claimed up to START; returns when. */
static chirr_time_us start_one(struct chirr_record *task)
{
    claim_one(task, 1000);
    chirr_time_us now = tick(&alone);
    struct chirr_record record;
    struct chirr_output output;
    cr_assert(chirr_auction_statement(alone.auction, &record));
    alone_state(&alone, &record, now);
    cr_assert(chirr_auction_poll(alone.auction, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_START);
    return now;
}

/* What agent 1 says. */
static void join_other(const struct chirr_record *record, uint64_t version, chirr_time_us now)
{
    struct chirr_record stamped = sample_stamped(record, 1, 1, version);
    enum chirr_join join;
    cr_assert_eq(chirr_records_join(alone.records, &stamped, &join), CHIRR_OK);
    chirr_auction_notice(alone.auction, &stamped, now);
}

static const struct chirr_task_result exited = {.end = CHIRR_TASK_END_EXITED, .duration_us = 900};

Test(auction, a_run_overtaken_by_a_later_epoch_is_stopped_and_forgotten)
{
    struct chirr_record task;
    chirr_time_us now = start_one(&task);
    struct chirr_record open = sample_phase(&task, CHIRR_TASK_OPEN, 1, 0);
    join_other(&open, 1, now);
    struct chirr_output output;
    cr_assert(chirr_auction_poll(alone.auction, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_STOP);
    cr_assert_eq(output.task->id, task.task.id);
    cr_assert_eq(output.task->epoch, 0, "the run's epoch, not the record's");
    cr_assert_not(chirr_auction_poll(alone.auction, &output));
    cr_assert_eq(chirr_auction_ended(alone.auction, task.task.id, 0, &exited, now),
                 CHIRR_ERR_NOTFOUND);
    cr_assert_eq(chirr_auction_running_count(alone.auction), 0);
}

/* Prices what is asked, states what is wanted; the kind of the first other output, 0: none. */
static enum chirr_output_kind pump_alone(chirr_time_us now, struct chirr_task *task)
{
    struct chirr_record record;
    struct chirr_output output;
    for (;;) {
        if (chirr_auction_statement(alone.auction, &record)) {
            alone_state(&alone, &record, now);
        } else if (!chirr_auction_poll(alone.auction, &output)) {
            return 0;
        } else if (output.kind != CHIRR_OUTPUT_PRICE) {
            *task = *output.task;
            return output.kind;
        } else {
            struct chirr_price price = {
                .task = output.task->id, .duration_us = 1000, .success_permille = 1000};
            chirr_auction_price(alone.auction, &price, now);
        }
    }
}

Test(auction, a_stopped_run_keeps_its_slot_until_it_has_ended)
{
    struct chirr_record first;
    struct chirr_task told;
    chirr_time_us now = start_one(&first);
    struct chirr_record second = sample_task(0, 2);
    alone_state(&alone, &second, now);
    struct chirr_record cancelled = sample_phase(&first, CHIRR_TASK_CANCELLED, 0, 0);
    alone_state(&alone, &cancelled, now);
    cr_assert_eq(pump_alone(now, &told), CHIRR_OUTPUT_STOP);
    for (int i = 0; i < 20; i++) {
        now = tick(&alone);
        cr_assert_eq(pump_alone(now, &told), 0, "the only slot is not free yet");
    }
    cr_assert_eq(chirr_auction_running_count(alone.auction), 1);
    cr_assert_eq(chirr_auction_ended(alone.auction, first.task.id, 0, &exited, now),
                 CHIRR_ERR_NOTFOUND);
    cr_assert_eq(tick(&alone), now, "what waits for the slot has settled long ago");
    cr_assert_eq(pump_alone(now, &told), CHIRR_OUTPUT_START);
    cr_assert_eq(told.id, second.task.id);
}

Test(auction, who_leaves_withdraws_its_claims)
{
    struct chirr_record task;
    struct chirr_task told;
    chirr_time_us now = claim_one(&task, 1000);
    chirr_auction_leave(alone.auction, now);
    cr_assert_eq(tick(&alone), now);
    cr_assert_eq(pump_alone(now, &told), 0);
    cr_assert_eq(chirr_records_claims(alone.records, sample_agent(0))->claims.count, 0);
    struct chirr_record later = sample_task(0, 2);
    alone_state(&alone, &later, now);
    for (int i = 0; i < 5 && chirr_auction_deadline(alone.auction) != CHIRR_TIME_NEVER; i++) {
        cr_assert_eq(pump_alone(tick(&alone), &told), 0);
    }
    cr_assert_eq(chirr_records_claims(alone.records, sample_agent(0))->claims.count, 0);
}

Test(auction, who_leaves_releases_what_was_about_to_run)
{
    struct chirr_record task;
    struct chirr_record record;
    struct chirr_output output;
    claim_one(&task, 1000);
    chirr_time_us now = tick(&alone);
    cr_assert(chirr_auction_statement(alone.auction, &record));
    cr_assert_eq(record.task.phase, CHIRR_TASK_RUNNING);
    alone_state(&alone, &record, now);
    chirr_auction_leave(alone.auction, now);
    cr_assert(chirr_auction_statement(alone.auction, &record));
    cr_assert_eq(record.task.phase, CHIRR_TASK_RELEASED);
    alone_state(&alone, &record, now);
    cr_assert_not(chirr_auction_poll(alone.auction, &output));
}

Test(auction, want_of_a_slot_is_not_held_against_a_task)
{
    struct chirr_record task;
    struct chirr_task told;
    chirr_time_us now = start_one(&task);
    const struct chirr_task_result no_slot = {.end = CHIRR_TASK_END_NOT_STARTED, .code = EBUSY};
    for (uint32_t epoch = 0; epoch < 5; epoch++) {
        cr_assert_eq(chirr_auction_ended(alone.auction, task.task.id, epoch, &no_slot, now),
                     CHIRR_OK);
        enum chirr_output_kind kind = 0;
        for (int i = 0; i < 20 && kind == 0; i++) {
            kind = pump_alone(now, &told);
            now = kind == 0 ? tick(&alone) : now;
        }
        cr_assert_eq(kind, CHIRR_OUTPUT_START, "epoch %u", epoch);
        cr_assert_eq(told.epoch, epoch + 1);
    }
}

Test(auction, a_run_that_ends_before_it_could_be_stopped_is_not_stopped)
{
    struct chirr_record task;
    chirr_time_us now = start_one(&task);
    struct chirr_record open = sample_phase(&task, CHIRR_TASK_OPEN, 1, 0);
    join_other(&open, 1, now);
    cr_assert_eq(chirr_auction_ended(alone.auction, task.task.id, 0, &exited, now),
                 CHIRR_ERR_NOTFOUND);
    struct chirr_output output;
    cr_assert_not(chirr_auction_poll(alone.auction, &output));
}

Test(auction, a_result_outlives_the_loss_of_its_run)
{
    struct chirr_record task;
    chirr_time_us now = start_one(&task);
    cr_assert_eq(chirr_auction_ended(alone.auction, task.task.id, 0, &exited, now), CHIRR_OK);
    struct chirr_record open = sample_phase(&task, CHIRR_TASK_OPEN, 1, 0);
    join_other(&open, 1, now);
    struct chirr_record record;
    cr_assert(chirr_auction_statement(alone.auction, &record));
    cr_assert_eq(record.task.phase, CHIRR_TASK_DONE);
    cr_assert_eq(record.task.epoch, 0);
    alone_state(&alone, &record, now);
    cr_assert_eq(chirr_records_task(alone.records, task.task.id)->task.phase, CHIRR_TASK_DONE);
}

Test(auction, an_outcome_is_told_once_even_when_another_result_becomes_canonical)
{
    struct chirr_record task = sample_task(0, 1);
    alone_state(&alone, &task, 0);
    struct chirr_record done = sample_phase(&task, CHIRR_TASK_DONE, 1, 1);
    join_other(&done, 1, 0);
    struct chirr_output output;
    cr_assert(chirr_auction_poll(alone.auction, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_OUTCOME);
    done = sample_phase(&task, CHIRR_TASK_DONE, 0, 1);
    join_other(&done, 2, 0);
    cr_assert_eq(chirr_records_task(alone.records, task.task.id)->task.epoch, 0);
    cr_assert_not(chirr_auction_poll(alone.auction, &output));
}

Test(auction, the_outcome_of_a_restored_task_was_told_before)
{
    struct chirr_record task = sample_task(0, 1);
    struct chirr_record done = sample_phase(&task, CHIRR_TASK_DONE, 1, 1);
    done = sample_stamped(&done, 1, 1, 1);
    enum chirr_join join;
    cr_assert_eq(chirr_records_join(alone.records, &done, &join), CHIRR_OK);
    chirr_auction_restore(alone.auction, &done.task);
    chirr_auction_notice(alone.auction, &done, 0);
    struct chirr_output output;
    cr_assert_not(chirr_auction_poll(alone.auction, &output));
}

Test(auction, a_claim_that_gets_weaker_has_to_settle_again)
{
    finish_alone();
    struct chirr_auction_config config = alone_config();
    config.settle_ms = 1000;
    config.price_refresh_ms = 400;
    create_alone_with(&config);
    struct chirr_record task;
    chirr_time_us claimed = claim_one(&task, 100000);
    chirr_time_us now;
    do {
        now = tick(&alone);
    } while (!expect_price(&alone, task.task.id));
    cr_assert_lt(now, claimed + S);
    struct chirr_price price = {
        .task = task.task.id, .duration_us = 200000, .success_permille = 1000};
    chirr_auction_price(alone.auction, &price, now);
    chirr_time_us weakened = tick(&alone);
    struct chirr_record record;
    cr_assert(chirr_auction_statement(alone.auction, &record));
    alone_state(&alone, &record, weakened);
    do {
        now = tick(&alone);
    } while (!chirr_auction_statement(alone.auction, &record));
    cr_assert_eq(record.task.phase, CHIRR_TASK_RUNNING);
    cr_assert_geq(now, weakened + S);
}
