/* How a refutation that somebody missed still reaches it: inquiries and corrections. */
#include <criterion/criterion.h>

#include "tests/support/sample.h"
#include "tests/swarm/membership_bench.h"
#include "tests/swarm/membership_world.h"

#define MEMBERS 40
#define NEIGHBOUR 1

static struct chirr_arena arena;
static struct chirr_membership *one;

static void setup(void)
{
    struct chirr_membership_config config = bench_config(MEMBERS);
    one = bench_create(&arena, &config, MEMBERS);
    const chirr_agent_id neighbour = sample_agent(NEIGHBOUR);
    chirr_membership_watch(one, &neighbour, 1);
    bench_drain(one);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

/* Probes that nobody answers, until they go out as seldom as they ever do. */
static chirr_time_us doubt_itself(void)
{
    chirr_time_us now = 0;
    uint32_t most = chirr_membership_config_default().awareness_max;
    while (chirr_membership_awareness(one) < most) {
        now = chirr_membership_deadline(one);
        chirr_membership_tick(one, now);
        bench_drain(one);
    }
    return now;
}

static void refute(uint32_t agent, chirr_time_us now)
{
    const struct chirr_member_update update = {.agent = sample_agent(agent),
                                               .incarnation = BENCH_INCARNATION + 1,
                                               .status = CHIRR_MEMBER_ALIVE};
    cr_assert_eq(bench_hear(one, agent, &update, now), CHIRR_OK);
}

/* The news of the answer to a PING of the neighbour, which says `agent` was suspect. */
static const struct chirr_member_updates *answer_to_who_suspects(uint32_t agent)
{
    const struct chirr_message ping = {
        .kind = CHIRR_MESSAGE_PING,
        .probe = {.sequence = 1,
                  .target = sample_agent(0),
                  .news = {.count = 1,
                           .updates = {{.agent = sample_agent(agent),
                                        .incarnation = BENCH_INCARNATION,
                                        .status = CHIRR_MEMBER_SUSPECT,
                                        .accuser = sample_agent(NEIGHBOUR)}}}}};
    cr_assert_eq(chirr_membership_receive(one, sample_agent(NEIGHBOUR), &ping, 0), CHIRR_OK);
    return &bench_next(one, CHIRR_MESSAGE_ACK, sample_agent(NEIGHBOUR), NULL)->probe.news;
}

Test(membership_inquiry, who_doubts_itself_asks_a_neighbour_about_the_suspects_within_an_interval,
     .init = setup, .fini = teardown)
{
    chirr_time_us now = doubt_itself();
    refute(NEIGHBOUR, now); /* well again */
    bench_drain(one);
    uint64_t before = chirr_membership_count_events(one)->inquiries;
    const struct chirr_member_update suspect = {.agent = sample_agent(30),
                                                .incarnation = BENCH_INCARNATION,
                                                .status = CHIRR_MEMBER_SUSPECT,
                                                .accuser = sample_agent(NEIGHBOUR)};
    cr_assert_eq(bench_hear(one, NEIGHBOUR, &suspect, now), CHIRR_OK);
    const struct chirr_message *ping = NULL;
    for (chirr_time_us end = now + CHIRR_US_PER_S; ping == NULL; now += 1000) {
        cr_assert_leq(now, end);
        chirr_membership_tick(one, now);
        ping = bench_next(one, CHIRR_MESSAGE_PING, sample_agent(NEIGHBOUR), NULL);
    }
    cr_assert_eq(chirr_membership_count_events(one)->inquiries, before + 1);
    cr_assert(bench_tells(&ping->probe.news, 30, BENCH_INCARNATION, CHIRR_MEMBER_SUSPECT));
}

Test(membership_inquiry, who_probes_at_full_pace_asks_nobody_else, .init = setup, .fini = teardown)
{
    cr_assert_eq(bench_hear_of(one, 2, 30, BENCH_INCARNATION, CHIRR_MEMBER_SUSPECT), CHIRR_OK);
    chirr_time_us now = 0;
    while (now < 10 * CHIRR_US_PER_S) {
        now = chirr_membership_deadline(one);
        chirr_membership_tick(one, now);
        const struct chirr_message *ping = bench_next(one, CHIRR_MESSAGE_PING, 0, NULL);
        if (ping != NULL) {
            const struct chirr_probe ack = {.sequence = ping->probe.sequence,
                                            .target = ping->probe.target};
            bench_probe(one, ack.target, CHIRR_MESSAGE_ACK, &ack, now);
        }
    }
    cr_assert_eq(bench_status(one, 30), CHIRR_MEMBER_SUSPECT);
    cr_assert_gt(chirr_membership_count_events(one)->probes, 5);
    cr_assert_eq(chirr_membership_count_events(one)->inquiries, 0);
}

Test(membership_inquiry, who_says_what_is_outdated_is_corrected_by_the_answer_whatever_else_is_news,
     .init = setup, .fini = teardown)
{
    refute(30, 0);
    for (uint32_t agent = 2; agent < 30; agent++) {
        refute(agent, 0); /* more than fit in a message */
    }
    bench_drain(one);
    for (uint32_t agent = 2; agent <= 30; agent++) {
        cr_assert(bench_tells(answer_to_who_suspects(agent), agent, BENCH_INCARNATION + 1,
                              CHIRR_MEMBER_ALIVE));
    }
}

Test(membership_inquiry, an_answer_corrects_nobody_else, .init = setup, .fini = teardown)
{
    refute(30, 0);
    for (uint32_t told = 0; told < 64; told++) { /* until it is no news any more */
        answer_to_who_suspects(NEIGHBOUR + 1);
    }
    cr_assert(
        bench_tells(answer_to_who_suspects(30), 30, BENCH_INCARNATION + 1, CHIRR_MEMBER_ALIVE));
    const struct chirr_probe ping = {.sequence = 2, .target = sample_agent(0)};
    uint32_t answers = 0;
    const struct chirr_message *ack;
    do { /* told to everybody for a while, being news again; then to nobody */
        bench_probe(one, sample_agent(2), CHIRR_MESSAGE_PING, &ping, 0);
        ack = bench_next(one, CHIRR_MESSAGE_ACK, sample_agent(2), NULL);
    } while (bench_tells(&ack->probe.news, 30, BENCH_INCARNATION + 1, CHIRR_MEMBER_ALIVE) &&
             answers++ < 100);
    cr_assert_lt(answers, 100);
}

/* Each on a side of its own for half a minute, or all on one. */
static void scatter(struct world *world, uint32_t count, bool apart)
{
    for (uint32_t i = 0; i < count; i++) {
        world_set_side(world, i, apart ? i : 0);
    }
}

Test(membership_inquiry, a_swarm_without_a_single_link_is_whole_within_10_seconds_of_their_return)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        const struct world_config config = world_config_default(seed, 150);
        struct world *world = world_create(&config);
        world_run(world, 20 * CHIRR_US_PER_S);
        scatter(world, config.count, true);
        world_run(world, 50 * CHIRR_US_PER_S);
        scatter(world, config.count, false);
        chirr_time_us now = world_now(world);
        while (!world_is_agreed(world)) {
            cr_assert_lt(now, 60 * CHIRR_US_PER_S, "seed %llu", (unsigned long long)seed);
            now += 100000;
            world_run(world, now);
        }
        cr_log_info("seed %llu: %.1f s", (unsigned long long)seed, (double)now / 1e6 - 50);
        world_destroy(world);
    }
}

Test(membership_inquiry, a_suspicion_long_after_the_last_probe_makes_nobody_doubt_itself_more,
     .init = setup, .fini = teardown)
{
    chirr_time_us now = doubt_itself();
    for (uint32_t agent = 1; agent <= MEMBERS; agent++) {
        refute(agent, now); /* nobody is left to ask about */
    }
    bench_drain(one);
    const struct chirr_membership_counters *count = chirr_membership_count_events(one);
    uint32_t score = chirr_membership_awareness(one);
    uint64_t pauses = count->pauses;
    for (chirr_time_us end = now + 4 * CHIRR_US_PER_S; now < end; now += 1000) {
        chirr_membership_tick(one, now);
        bench_drain(one);
    }
    const struct chirr_member_update suspect = {.agent = sample_agent(30),
                                                .incarnation = BENCH_INCARNATION + 1,
                                                .status = CHIRR_MEMBER_SUSPECT,
                                                .accuser = sample_agent(NEIGHBOUR)};
    cr_assert_eq(bench_hear(one, NEIGHBOUR, &suspect, now), CHIRR_OK);
    cr_assert_eq(bench_status(one, 30), CHIRR_MEMBER_SUSPECT);
    chirr_membership_tick(one, now);
    cr_assert_eq(count->pauses, pauses);
    cr_assert_leq(chirr_membership_awareness(one), score);
}

Test(membership_inquiry, a_message_names_nobody_twice, .init = setup, .fini = teardown)
{
    for (uint32_t agent = 10; agent < 17; agent++) {
        refute(agent, 0);
    }
    bench_drain(one);
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING,
                                 .probe = {.sequence = 1, .target = sample_agent(0)}};
    struct chirr_member_updates *said = &ping.probe.news;
    for (uint32_t agent = 10; agent < 17; agent++) {
        said->updates[said->count++] =
            (struct chirr_member_update){.agent = sample_agent(agent),
                                         .incarnation = BENCH_INCARNATION,
                                         .status = CHIRR_MEMBER_SUSPECT,
                                         .accuser = sample_agent(NEIGHBOUR)};
    }
    cr_assert_eq(chirr_membership_receive(one, sample_agent(NEIGHBOUR), &ping, 0), CHIRR_OK);
    const struct chirr_member_updates *news =
        &bench_next(one, CHIRR_MESSAGE_ACK, sample_agent(NEIGHBOUR), NULL)->probe.news;
    for (uint32_t i = 0; i < news->count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            cr_assert_neq(news->updates[i].agent, news->updates[j].agent);
        }
    }
}
