#include <criterion/criterion.h>

#include "tests/support/sample.h"
#include "tests/swarm/membership_bench.h"

/* What a member that lies about others can do. Agent 0 is the machine, 1 the liar, 2 its victim. */

#define PROVEN BENCH_INCARNATION
#define BEYOND (PROVEN + CHIRR_INCARNATION_LEAD_MAX + 1)

static struct chirr_arena arena;
static struct chirr_membership *one;
static const uint32_t liar = 1, victim = 2;

static void setup(void)
{
    struct chirr_membership_config config = bench_config(8);
    config.probe_interval_ms = 60000; /* nobody is probed */
    one = bench_create(&arena, &config, 7);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

static void say(uint32_t from, uint32_t about, uint64_t incarnation,
                enum chirr_member_status status, chirr_time_us now)
{
    const struct chirr_member_update update = {
        .agent = sample_agent(about),
        .incarnation = incarnation,
        .status = status,
        .accuser = status == CHIRR_MEMBER_SUSPECT ? sample_agent(from) : 0};
    cr_assert_eq(bench_hear(one, from, &update, now), CHIRR_OK);
}

static const struct chirr_membership_counters *counted(void)
{
    return chirr_membership_count_events(one);
}

/* What is published about `about`. */
static bool publishes(uint32_t about, uint64_t incarnation, enum chirr_member_status status)
{
    struct chirr_output output;
    bool found = false;
    chirr_membership_tick(one, chirr_membership_deadline(one));
    while (chirr_membership_poll(one, &output)) {
        if (output.kind != CHIRR_OUTPUT_PUBLISH) {
            continue;
        }
        found = found || bench_tells(&output.message->gossip, about, incarnation, status);
    }
    return found;
}

Test(membership_lies, a_death_that_others_tell_waits_for_the_shortest_suspicion, .init = setup,
     .fini = teardown)
{
    say(liar, victim, PROVEN, CHIRR_MEMBER_DEAD, 0);
    cr_assert_eq(bench_status(one, victim), CHIRR_MEMBER_SUSPECT);
    cr_assert_eq(counted()->verdicts, 1);
    bench_run_until(one, 1999999);
    cr_assert(chirr_membership_is_live(one, sample_agent(victim)));
    bench_run_until(one, 2000000);
    cr_assert_eq(bench_status(one, victim), CHIRR_MEMBER_DEAD);
    cr_assert_eq(counted()->deaths, 0);
}

Test(membership_lies, a_farewell_that_others_tell_waits_likewise, .init = setup, .fini = teardown)
{
    say(liar, victim, PROVEN, CHIRR_MEMBER_LEFT, 0);
    bench_run_until(one, 1999999);
    cr_assert_eq(bench_status(one, victim), CHIRR_MEMBER_SUSPECT);
    bench_run_until(one, 2000000);
    cr_assert_eq(bench_status(one, victim), CHIRR_MEMBER_LEFT);
    say(3, 3, PROVEN, CHIRR_MEMBER_LEFT, 2000000);
    cr_assert_eq(bench_status(one, 3), CHIRR_MEMBER_LEFT, "its own farewell is believed at once");
}

Test(membership_lies, who_lives_refutes_a_death_before_it_is_believed, .init = setup,
     .fini = teardown)
{
    say(liar, victim, PROVEN, CHIRR_MEMBER_DEAD, 0);
    cr_assert(publishes(victim, PROVEN, CHIRR_MEMBER_DEAD), "so that it hears of it");
    say(3, victim, PROVEN + 1, CHIRR_MEMBER_ALIVE, 1000000);
    cr_assert_eq(bench_status(one, victim), CHIRR_MEMBER_ALIVE);
    bench_run_until(one, 20 * CHIRR_US_PER_S);
    cr_assert_eq(bench_status(one, victim), CHIRR_MEMBER_ALIVE);
}

Test(membership_lies, however_many_accusers_are_made_up_the_shortest_suspicion_is_granted,
     .init = setup, .fini = teardown)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_GOSSIP, .gossip = {.count = 7}};
    for (uint32_t i = 0; i < 6; i++) {
        message.gossip.updates[i] =
            (struct chirr_member_update){.agent = sample_agent(victim),
                                         .incarnation = PROVEN,
                                         .status = CHIRR_MEMBER_SUSPECT,
                                         .accuser = sample_agent(i == 1 ? 7 : i + 1)};
    }
    message.gossip.updates[6] = (struct chirr_member_update){
        .agent = sample_agent(victim), .incarnation = PROVEN, .status = CHIRR_MEMBER_LEFT};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(liar), &message, 0), CHIRR_OK);
    bench_run_until(one, 1999999);
    cr_assert_eq(bench_status(one, victim), CHIRR_MEMBER_SUSPECT);
}

Test(membership_lies, strangers_the_gone_and_the_suspect_itself_do_not_accuse_and_are_counted,
     .init = setup, .fini = teardown)
{
    say(3, 3, PROVEN, CHIRR_MEMBER_LEFT, 0);
    say(4, victim, PROVEN, CHIRR_MEMBER_SUSPECT, 0);
    const uint32_t accusers[] = {77, 3, victim, 5};
    for (uint32_t i = 0; i < 4; i++) {
        const struct chirr_member_update update = {.agent = sample_agent(victim),
                                                   .incarnation = PROVEN,
                                                   .status = CHIRR_MEMBER_SUSPECT,
                                                   .accuser = sample_agent(accusers[i])};
        cr_assert_eq(bench_hear(one, liar, &update, 0), CHIRR_OK);
    }
    cr_assert_eq(counted()->accusers, 3);
    cr_assert_eq(counted()->confirmations, 1);
}

Test(membership_lies, a_lie_about_who_is_heard_of_all_the_time_is_never_believed, .init = setup,
     .fini = teardown)
{
    struct chirr_message beat = {.kind = CHIRR_MESSAGE_HEARTBEAT,
                                 .heartbeat = {.incarnation = PROVEN}};
    for (chirr_time_us now = 0; now < 30 * CHIRR_US_PER_S; now += CHIRR_US_PER_S) {
        say(liar, victim, PROVEN, CHIRR_MEMBER_DEAD, now);
        beat.heartbeat.sequence++;
        cr_assert_eq(chirr_membership_receive(one, sample_agent(victim), &beat, now), CHIRR_OK);
        bench_run_until(one, now + CHIRR_US_PER_S - 1);
        cr_assert(chirr_membership_is_live(one, sample_agent(victim)));
    }
}

Test(membership_lies, an_incarnation_far_beyond_the_proven_one_is_not_believed, .init = setup,
     .fini = teardown)
{
    const uint64_t claimed[] = {BEYOND, UINT64_MAX - 1, UINT64_MAX};
    for (uint32_t i = 0; i < 3; i++) {
        for (int status = CHIRR_MEMBER_ALIVE; status <= CHIRR_MEMBER_LEFT; status++) {
            say(liar, victim, claimed[i], (enum chirr_member_status)status, 0);
        }
    }
    bench_run_until(one, 20 * CHIRR_US_PER_S);
    cr_assert_eq(bench_status(one, victim), CHIRR_MEMBER_ALIVE);
    cr_assert_eq(chirr_membership_find(one, sample_agent(victim))->incarnation, PROVEN);
    cr_assert_eq(counted()->unproven, 12);
}

Test(membership_lies, a_statement_or_its_own_word_proves_an_incarnation, .init = setup,
     .fini = teardown)
{
    say(liar, victim, BEYOND, CHIRR_MEMBER_ALIVE, 0);
    cr_assert_eq(chirr_membership_find(one, sample_agent(victim))->incarnation, PROVEN);
    chirr_membership_prove(one, sample_agent(victim), PROVEN + 1, 0);
    say(liar, victim, BEYOND, CHIRR_MEMBER_ALIVE, 0);
    cr_assert_eq(chirr_membership_find(one, sample_agent(victim))->incarnation, BEYOND);
    say(3, 3, BEYOND + 7, CHIRR_MEMBER_ALIVE, 0);
    cr_assert_eq(chirr_membership_find(one, sample_agent(3))->incarnation, BEYOND + 7);
    chirr_membership_prove(one, sample_agent(77), 1, 0); /* a stranger */
    cr_assert_eq(chirr_membership_count(one), 7);
}

Test(membership_lies, nobody_is_driven_to_the_last_incarnation, .init = setup, .fini = teardown)
{
    say(liar, 0, UINT64_MAX - 1, CHIRR_MEMBER_DEAD, 0);
    say(liar, 0, CHIRR_INCARNATION_LEAD_MAX + 2, CHIRR_MEMBER_DEAD, 0);
    cr_assert_eq(chirr_membership_incarnation(one), 1);
    cr_assert_eq(counted()->unproven, 2);
    say(liar, 0, UINT64_MAX, CHIRR_MEMBER_DEAD, 0);
    cr_assert_eq(counted()->unproven, 3);
    say(liar, 0, 400, CHIRR_MEMBER_DEAD, 0);
    cr_assert_eq(chirr_membership_incarnation(one), 401, "an earlier life may have had it");
}

/* Near the end of all incarnations the last is no further beyond than others may be. */
Test(membership_lies, the_last_incarnation_is_never_believed_of_oneself, .init = setup,
     .fini = teardown)
{
    chirr_membership_prove(one, sample_agent(0), UINT64_MAX - 5, 0);
    say(liar, 0, UINT64_MAX, CHIRR_MEMBER_DEAD, 0);
    cr_assert_eq(chirr_membership_incarnation(one), UINT64_MAX - 5);
    cr_assert_eq(counted()->unproven, 1);
}

Test(membership_lies, an_own_statement_of_a_greater_life_is_continued, .init = setup,
     .fini = teardown)
{
    bench_run_until(one, 0);
    chirr_membership_prove(one, sample_agent(0), BEYOND, 1);
    cr_assert_eq(chirr_membership_incarnation(one), BEYOND);
    cr_assert(publishes(0, BEYOND, CHIRR_MEMBER_ALIVE));
    chirr_membership_prove(one, sample_agent(0), 3, 2);
    cr_assert_eq(chirr_membership_incarnation(one), BEYOND);
}
