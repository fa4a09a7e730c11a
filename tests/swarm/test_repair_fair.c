#include "swarm/dissemination.h"

#include <criterion/criterion.h>

#include "proto/codec.h"
#include "swarm/dissemination_state.h"
#include "tests/support/sample.h"
#include "tests/swarm/dissemination_agent.h"

/* One machine between neighbours who ask for repair without end and one who does not. */

#define HONEST 1
#define FLOODER 2 /* and those after it */
#define AGENTS_MAX 64
#define SECONDS 60
#define STEP_US (5 * CHIRR_US_PER_MS)
#define TASKS 12

static struct chirr_dissemination_config config;
static struct agent agent;

/* What the machine sent. */
static struct {
    uint32_t answers[AGENTS_MAX]; /* to digests */
    uint32_t grafted[AGENTS_MAX]; /* statements, in answer to grafts */
    uint32_t rounds;              /* digests that ask, to anybody */
    uint64_t honest_bytes;
} sent;

static void start(void)
{
    agent_create(&agent, &config, 0, 1, 0);
    for (uint64_t nonce = 1; nonce <= TASKS; nonce++) {
        struct chirr_record task = sample_task(0, nonce);
        cr_assert_eq(chirr_dissemination_state(agent.dissemination, &task, 1, 0), CHIRR_OK);
    }
}

static void setup(void)
{
    config = chirr_dissemination_config_default();
    start();
}

static void teardown(void)
{
    chirr_arena_finish(&agent.arena);
}

TestSuite(repair_fair, .init = setup, .fini = teardown);

static uint32_t number_of(chirr_agent_id id)
{
    uint32_t number = 0;
    while (number < AGENTS_MAX - 1 && sample_agent(number) != id) {
        number++;
    }
    return number;
}

static void drain(void)
{
    struct chirr_output output;
    while (chirr_dissemination_poll(agent.dissemination, &output)) {
        if (output.kind != CHIRR_OUTPUT_SEND) {
            continue;
        }
        const struct chirr_message *message = output.message;
        uint32_t to = number_of(output.to);
        if (message->kind == CHIRR_MESSAGE_DIGEST) {
            sent.rounds += message->digest.summary_count > 0;
        } else if (message->kind == CHIRR_MESSAGE_RECORDS && message->records.covered_count > 0) {
            sent.answers[to]++;
        } else if (message->kind == CHIRR_MESSAGE_RECORDS) {
            sent.grafted[to] += message->records.count;
        }
        sent.honest_bytes += to == HONEST ? chirr_codec_message_bytes(message) : 0;
    }
}

static void give_quietly(uint32_t from, const struct chirr_message *message, chirr_time_us now)
{
    cr_assert_eq(chirr_dissemination_receive(agent.dissemination, sample_agent(from), message, now),
                 CHIRR_OK);
    agent_take_changes(&agent);
}

static void give(uint32_t from, const struct chirr_message *message, chirr_time_us now)
{
    give_quietly(from, message, now);
    drain();
}

/* Asks for everything; answered with that, whenever it is let through. */
static void ask(uint32_t from, chirr_time_us now)
{
    const struct chirr_message message = {.kind = CHIRR_MESSAGE_DIGEST,
                                          .digest = {.buckets = UINT64_MAX}};
    give(from, &message, now);
}

static void graft(uint32_t from, uint32_t count, chirr_time_us now)
{
    struct chirr_digest_entry entries[CHIRR_HAVE_ENTRIES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (struct chirr_digest_entry){sample_agent(0), {1, 1 + i % TASKS}};
    }
    const struct chirr_message message = {.kind = CHIRR_MESSAGE_GRAFT,
                                          .have = {.count = count, .entries = entries}};
    give(from, &message, now);
}

static void pass_time(chirr_time_us now)
{
    if (chirr_dissemination_deadline(agent.dissemination) <= now) {
        chirr_dissemination_tick(agent.dissemination, agent.membership, now);
        drain();
    }
}

static struct chirr_dissemination_counters counters(void)
{
    return chirr_dissemination_count(agent.dissemination);
}

/* Six that flood, the honest one and self are all that there are shares for. */
Test(repair_fair, who_asks_within_its_share_is_answered_at_once_while_six_flood)
{
    uint32_t asked = 0;
    for (chirr_time_us now = 0; now < SECONDS * CHIRR_US_PER_S; now += STEP_US) {
        for (uint32_t i = 0; i < 6; i++) {
            ask(FLOODER + i, now);
        }
        if (now % (2 * CHIRR_US_PER_S) == 0) {
            ask(HONEST, now);
            cr_assert_eq(sent.answers[HONEST], ++asked, "after %lld us", (long long)now);
        }
        pass_time(now);
    }
    cr_assert_leq(sent.honest_bytes, config.repair_bytes_per_s / CHIRR_SHARES * SECONDS);
    cr_assert_gt(counters().over_share, 0);
    cr_assert_eq(counters().postponed, 0);
}

Test(repair_fair, what_is_grafted_within_its_share_is_sent_at_once_while_six_flood)
{
    uint32_t asked = 0;
    for (chirr_time_us now = 0; now < SECONDS * CHIRR_US_PER_S; now += STEP_US) {
        for (uint32_t i = 0; i < 6; i++) {
            graft(FLOODER + i, CHIRR_HAVE_ENTRIES_MAX, now);
        }
        if (now % CHIRR_US_PER_S == 0) {
            graft(HONEST, 2, now);
            asked += 2;
            cr_assert_eq(sent.grafted[HONEST], asked, "after %lld us", (long long)now);
        }
        pass_time(now);
    }
    cr_assert_gt(counters().over_share, 0);
    cr_assert_eq(counters().dropped, 0, "there was always a place left");
}

/* Far more than there are shares for: others wait, self does not. */
Test(repair_fair, own_rounds_go_on_however_many_flood)
{
    for (chirr_time_us now = 0; now < SECONDS * CHIRR_US_PER_S; now += STEP_US) {
        for (uint32_t i = 0; i < 40; i++) {
            ask(FLOODER + i, now);
        }
        pass_time(now);
    }
    cr_assert_gt(counters().postponed, 0);
    /* An interval takes a quarter more than a second at most. */
    cr_assert_geq(sent.rounds, SECONDS * 4 / 5 - 1);
}

/* Each brings as much as makes an agent ask on, once what waits goes out. */
static void answer_with_news(uint32_t from, uint64_t version, chirr_time_us now)
{
    struct chirr_record records[2 * (NODES - 1)];
    uint32_t count = 0;
    for (uint32_t author = 1; author < NODES; author++) {
        struct chirr_record card = sample_card(author);
        struct chirr_record claims = sample_claims(version, 1);
        records[count++] = sample_stamped(&card, author, 1, 2 * version);
        records[count++] = sample_stamped(&claims, author, 1, 2 * version + 1);
    }
    const struct chirr_digest_entry echo = {sample_agent(0), {1, 1}};
    const struct chirr_message message = {.kind = CHIRR_MESSAGE_RECORDS,
                                          .records = {count, records, 1, &echo}};
    give_quietly(from, &message, now);
}

Test(repair_fair, who_makes_an_agent_ask_on_for_ever_pays_for_it_from_its_own_share)
{
    config.repair_bytes_per_s = 8 * 1024;
    start();
    uint64_t version = 0;
    for (chirr_time_us now = 0; now < SECONDS * CHIRR_US_PER_S; now += STEP_US) {
        answer_with_news(FLOODER, ++version, now);
        drain();
        if (now % (2 * CHIRR_US_PER_S) == 0) {
            uint32_t before = sent.rounds;
            chirr_dissemination_ask(agent.dissemination, sample_agent(HONEST));
            drain();
            cr_assert_eq(sent.rounds, before + 1);
            ask(HONEST, now);
            cr_assert_eq(sent.answers[HONEST], now / (2 * CHIRR_US_PER_S) + 1);
        }
        pass_time(now);
    }
    cr_assert_lt(sent.rounds, version / 4);
    cr_assert_gt(counters().over_share, version / 2);
}

/* What is left of the share of who asked before. */
static int64_t left_of(chirr_agent_id asker)
{
    const struct chirr_shares *shares = &agent.dissemination->repair_shares;
    for (uint32_t i = 0; i < shares->asker_count; i++) {
        if (shares->askers[i].agent == asker) {
            return shares->askers[i].share.level;
        }
    }
    cr_assert_fail("never counted");
    return 0;
}

/* The two are merged, whichever waits already. */
Test(repair_fair, an_own_question_to_who_caused_one_is_paid_by_who_caused_it)
{
    while (counters().over_share == 0) {
        ask(FLOODER, 0); /* until nothing common is left */
    }
    for (uint32_t own_first = 0; own_first < 2; own_first++) {
        uint32_t peer = FLOODER + 1 + own_first;
        uint32_t rounds = sent.rounds;
        ask(peer, 0); /* from now on it is counted */
        int64_t own = left_of(sample_agent(0));
        int64_t others = left_of(sample_agent(peer));
        if (own_first == 1) {
            chirr_dissemination_ask(agent.dissemination, sample_agent(peer));
        }
        answer_with_news(peer, 1 + own_first, 0);
        if (own_first == 0) {
            chirr_dissemination_ask(agent.dissemination, sample_agent(peer));
        }
        drain();
        cr_assert_eq(sent.rounds, rounds + 1);
        cr_assert_eq(left_of(sample_agent(0)), own, "own first: %u", (unsigned)own_first);
        cr_assert_lt(left_of(sample_agent(peer)), others);
    }
}

Test(repair_fair, whatever_is_refused_is_counted_with_its_reason)
{
    uint64_t asked = 0;
    for (chirr_time_us now = 0; now < 20 * CHIRR_US_PER_S; now += STEP_US) {
        for (uint32_t i = 0; i < 40; i++) {
            ask(FLOODER + i, now);
            asked++;
        }
    }
    uint64_t answered = 0;
    for (uint32_t i = 0; i < AGENTS_MAX; i++) {
        answered += sent.answers[i];
    }
    cr_assert_gt(counters().over_share, 0);
    cr_assert_gt(counters().postponed, 0);
    cr_assert_eq(answered + counters().over_share + counters().postponed, asked);
    cr_assert_eq(counters().dropped, 0);
}

/* The queue waits for budget; whoever drives the machine by its deadlines alone empties it. */
Test(repair_fair, what_found_no_place_is_counted_and_all_else_goes_out_in_time)
{
    config.relays_max = 32;
    config.repair_bytes_per_s = 4096;
    config.repair_interval_ms = 3600 * 1000; /* no round wakes it */
    start();
    uint64_t asked = 0;
    for (uint32_t round = 0; round < 50; round++) {
        for (uint32_t i = 0; i < 16; i++) {
            graft(FLOODER + i, CHIRR_HAVE_ENTRIES_MAX, 0);
            asked += CHIRR_HAVE_ENTRIES_MAX;
        }
    }
    cr_assert_gt(counters().dropped, 0);
    cr_assert_gt(counters().over_share, 0);
    uint64_t refused = counters().dropped + counters().over_share;
    cr_assert_lt(counters().grafted_records + refused, asked, "some wait");
    uint32_t turns = 0;
    chirr_time_us now = chirr_dissemination_deadline(agent.dissemination);
    while (now < 300 * CHIRR_US_PER_S) {
        pass_time(now);
        turns++;
        chirr_time_us deadline = chirr_dissemination_deadline(agent.dissemination);
        now = deadline > now ? deadline : now + 1;
    }
    cr_assert_eq(counters().grafted_records + refused, asked);
    cr_assert_lt(turns, 1000, "%u turns in five minutes", (unsigned)turns);
}

Test(repair_fair, a_rate_whose_burst_no_number_holds_is_cut_short)
{
    config.repair_bytes_per_s = 1U << 30;
    config.push_bytes_per_s = 1U << 31;
    start();
    ask(HONEST, 0);
    cr_assert_eq(sent.answers[HONEST], 1);
}
