/* Many members on a virtual network. A test that fails replays from the seed that it names. */
#include "swarm/membership.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/random.h"
#include "tests/swarm/membership_world.h"

static const chirr_time_us step_us = 50 * CHIRR_US_PER_MS;

static struct world *world_of(uint64_t seed, uint32_t count, uint32_t loss_permille)
{
    struct world_config config = world_config_default(seed, count);
    config.loss_permille = loss_permille;
    struct world *world = world_create(&config);
    world_run(world, 5 * CHIRR_US_PER_S);
    return world;
}

static void run_for(struct world *world, chirr_time_us duration_us)
{
    world_run(world, world_now(world) + duration_us);
}

/* How long until all agree; `limit_us` when they do not by then. */
static chirr_time_us agree_us(struct world *world, chirr_time_us limit_us)
{
    chirr_time_us from = world_now(world);
    while (!world_is_agreed(world) && world_now(world) - from < limit_us) {
        run_for(world, step_us);
    }
    return world_now(world) - from;
}

static void cut_off(struct world *world, uint32_t count, bool cut)
{
    for (uint32_t i = 0; i < count; i++) {
        world_set_side(world, i, cut);
    }
}

static uint64_t total_deaths(struct world *world, uint32_t count)
{
    uint64_t deaths = 0;
    for (uint32_t i = 0; i < count; i++) {
        deaths += chirr_membership_count_events(world_member(world, i))->deaths;
    }
    return deaths;
}

static int compare_times(const void *a, const void *b)
{
    chirr_time_us x = *(const chirr_time_us *)a;
    chirr_time_us y = *(const chirr_time_us *)b;
    return (x > y) - (x < y);
}

Test(membership_swarm, a_crash_is_known_to_all_of_200_within_5_seconds_by_the_median)
{
    chirr_time_us known_us[15];
    for (uint64_t seed = 0; seed < 15; seed++) {
        struct world *world = world_of(seed, 200, 0);
        run_for(world, (chirr_time_us)seed * 137 * CHIRR_US_PER_MS);
        world_crash(world, 3);
        known_us[seed] = agree_us(world, 20 * CHIRR_US_PER_S);
        cr_assert_lt(known_us[seed], 8 * CHIRR_US_PER_S, "seed %llu", (unsigned long long)seed);
        world_destroy(world);
    }
    qsort(known_us, 15, sizeof known_us[0], compare_times);
    cr_assert_leq(known_us[7], 5 * CHIRR_US_PER_S);
}

Test(membership_swarm, who_answers_is_never_suspected_where_nothing_is_lost)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct world *world = world_of(seed, 200, 0);
        world_crash(world, 17); /* a true death is no reason to suspect others */
        run_for(world, 120 * CHIRR_US_PER_S);
        uint64_t suspicions = 0;
        for (uint32_t i = 0; i < 200; i++) {
            cr_assert_eq(world_count_status(world, i, CHIRR_MEMBER_ALIVE), i == 17 ? 0 : 198);
            suspicions += chirr_membership_count_events(world_member(world, i))->refutations;
        }
        cr_assert_eq(suspicions, 0, "seed %llu", (unsigned long long)seed);
        world_destroy(world);
    }
}

Test(membership_swarm, nobody_dies_falsely_under_ten_percent_loss)
{
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct world *world = world_of(seed, 100, 100);
        run_for(world, 120 * CHIRR_US_PER_S);
        cr_assert_eq(total_deaths(world, 100), 0, "seed %llu", (unsigned long long)seed);
        world_destroy(world);
    }
}

/* `sick` agents stand still for 4 s on average, then run for 20 ms, at times of their own. */
static uint64_t false_deaths(uint64_t seed, bool lifeguard)
{
    enum { sick = 30 };
    struct world_config config = world_config_default(seed, 100);
    config.membership.lifeguard = lifeguard;
    struct world *world = world_create(&config);
    struct chirr_random random;
    chirr_random_init(&random, seed, 77);
    chirr_time_us turn_us[sick];
    bool paused[sick] = {false};
    for (uint32_t i = 0; i < sick; i++) {
        turn_us[i] =
            5 * CHIRR_US_PER_S + (chirr_time_us)chirr_random_below(&random, 4 * CHIRR_US_PER_S);
    }
    for (;;) {
        uint32_t next = 0;
        for (uint32_t i = 1; i < sick; i++) {
            next = turn_us[i] < turn_us[next] ? i : next;
        }
        if (turn_us[next] > 125 * CHIRR_US_PER_S) {
            break;
        }
        world_run(world, turn_us[next]);
        paused[next] = !paused[next];
        world_pause(world, next, paused[next]);
        chirr_time_us mean_us = paused[next] ? 4 * CHIRR_US_PER_S : 20 * CHIRR_US_PER_MS;
        turn_us[next] +=
            mean_us / 2 + (chirr_time_us)chirr_random_below(&random, (uint64_t)mean_us + 1);
    }
    uint64_t deaths = world_count(world).false_deaths;
    world_destroy(world);
    return deaths;
}

Test(membership_swarm, under_pauses_lifeguard_has_fifty_times_fewer_false_deaths)
{
    uint64_t with = 0;
    uint64_t without = 0;
    for (uint64_t seed = 0; seed < 2; seed++) {
        with += false_deaths(seed, true);
        without += false_deaths(seed, false);
    }
    cr_assert_gt(without, 100);
    cr_assert_geq(without, 50 * with, "%llu with, %llu without", (unsigned long long)with,
                  (unsigned long long)without);
}

Test(membership_swarm, two_halves_agree_within_10_seconds_of_the_heal)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct world *world = world_of(seed, 200, 0);
        cut_off(world, 100, true);
        run_for(world, 120 * CHIRR_US_PER_S);
        cr_assert_geq(world_count_status(world, 0, CHIRR_MEMBER_DEAD), 98);
        cr_assert_geq(world_count_status(world, 199, CHIRR_MEMBER_DEAD), 98);
        cut_off(world, 100, false);
        cr_assert_leq(agree_us(world, 60 * CHIRR_US_PER_S), 10 * CHIRR_US_PER_S, "seed %llu",
                      (unsigned long long)seed);
        world_destroy(world);
    }
}

Test(membership_swarm, a_small_minority_is_taken_in_again_within_10_seconds)
{
    const uint32_t cut[] = {1, 5, 20};
    for (uint32_t i = 0; i < 3; i++) {
        struct world *world = world_of(i, 200, 0);
        cut_off(world, cut[i], true);
        run_for(world, 300 * CHIRR_US_PER_S);
        cr_assert_eq(world_count_status(world, 0, CHIRR_MEMBER_DEAD), 200 - cut[i]);
        cut_off(world, cut[i], false);
        cr_assert_leq(agree_us(world, 60 * CHIRR_US_PER_S), 10 * CHIRR_US_PER_S, "%u", cut[i]);
        world_destroy(world);
    }
}

Test(membership_swarm, a_swarm_of_five_is_whole_again_after_an_hour_apart)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct world_config config = world_config_default(seed, 5);
        config.degree = 0;
        struct world *world = world_create(&config);
        run_for(world, 5 * CHIRR_US_PER_S);
        cut_off(world, 2, true);
        run_for(world, 3600 * CHIRR_US_PER_S);
        cr_assert_eq(world_count_status(world, 0, CHIRR_MEMBER_DEAD), 3);
        cr_assert_eq(world_count_status(world, 4, CHIRR_MEMBER_DEAD), 2);
        cut_off(world, 2, false);
        cr_assert_leq(agree_us(world, 60 * CHIRR_US_PER_S), 10 * CHIRR_US_PER_S, "seed %llu",
                      (unsigned long long)seed);
        world_destroy(world);
    }
}

Test(membership_swarm, a_restart_is_alive_again_whatever_its_clock_says)
{
    const uint64_t incarnations[] = {900, 1};
    for (uint32_t i = 0; i < 2; i++) {
        struct world *world = world_of(i, 50, 0);
        world_restart(world, 2, 400);
        run_for(world, 10 * CHIRR_US_PER_S);
        world_crash(world, 2);
        run_for(world, 30 * CHIRR_US_PER_S);
        cr_assert_eq(world_count_status(world, 2, CHIRR_MEMBER_DEAD), 49);
        world_restart(world, 2, incarnations[i]);
        cr_assert_leq(agree_us(world, 60 * CHIRR_US_PER_S), 10 * CHIRR_US_PER_S);
        cr_assert_gt(chirr_membership_incarnation(world_member(world, 2)), 400);
        world_destroy(world);
    }
}

Test(membership_swarm, who_leaves_has_left_everywhere_and_is_not_probed)
{
    struct world *world = world_of(7, 100, 0);
    world_leave(world, 4);
    run_for(world, 3 * CHIRR_US_PER_S);
    cr_assert_eq(world_count_status(world, 4, CHIRR_MEMBER_LEFT), 99);
    cr_assert_eq(chirr_membership_deadline(world_member(world, 4)), CHIRR_TIME_NEVER);
    run_for(world, 60 * CHIRR_US_PER_S);
    cr_assert_eq(world_count_status(world, 4, CHIRR_MEMBER_LEFT), 99);
    cr_assert_eq(total_deaths(world, 100), 0);
    world_restart(world, 4, 2);
    cr_assert_lt(agree_us(world, 10 * CHIRR_US_PER_S), 10 * CHIRR_US_PER_S);
    world_destroy(world);
}

Test(membership_swarm, who_was_paused_is_alive_again_and_buried_nobody)
{
    struct world *world = world_of(8, 50, 0);
    world_pause(world, 1, true);
    run_for(world, 30 * CHIRR_US_PER_S);
    cr_assert_eq(world_count_status(world, 1, CHIRR_MEMBER_DEAD), 49);
    world_pause(world, 1, false);
    cr_assert_lt(agree_us(world, 10 * CHIRR_US_PER_S), 10 * CHIRR_US_PER_S);
    cr_assert_eq(chirr_membership_count_events(world_member(world, 1))->deaths, 0);
    world_destroy(world);
}

Test(membership_swarm, lost_probes_are_bridged_by_helpers)
{
    uint64_t suspicions[2] = {0, 0};
    for (uint32_t helped = 0; helped < 2; helped++) {
        struct world_config config = world_config_default(3, 50);
        config.loss_permille = 100;
        config.membership.indirect_count = helped != 0 ? 3 : 0;
        struct world *world = world_create(&config);
        world_run(world, 60 * CHIRR_US_PER_S);
        suspicions[helped] = world_count(world).suspicions;
        world_destroy(world);
    }
    cr_assert_gt(suspicions[0], 30);
    cr_assert_lt(suspicions[1] * 3, suspicions[0]);
}

Test(membership_swarm, a_member_sends_as_much_among_400_as_among_50)
{
    double per_member[2];
    const uint32_t counts[] = {50, 400};
    for (uint32_t i = 0; i < 2; i++) {
        struct world *world = world_of(1, counts[i], 0);
        run_for(world, 60 * CHIRR_US_PER_S);
        per_member[i] = (double)world_count(world).sent / counts[i];
        world_destroy(world);
    }
    cr_assert_geq(per_member[1], 0.9 * per_member[0]);
    cr_assert_leq(per_member[1], 1.1 * per_member[0]);
}

/* One random misfortune. */
static void harm(struct world *world, struct chirr_random *random, uint32_t count)
{
    uint32_t agent = (uint32_t)chirr_random_below(random, count);
    switch (chirr_random_below(random, 5)) {
    case 0:
        world_crash(world, agent);
        break;
    case 1:
        world_restart(world, agent, 1 + chirr_random_below(random, 10));
        break;
    case 2:
        world_pause(world, agent, true);
        break;
    case 3:
        world_pause(world, agent, false);
        break;
    default:
        cut_off(world, (uint32_t)chirr_random_below(random, count), true);
        break;
    }
    run_for(world, (chirr_time_us)chirr_random_below(random, 10 * CHIRR_US_PER_S));
    if (chirr_random_below(random, 3) == 0) {
        cut_off(world, count, false);
    }
}

Test(membership_swarm, views_converge_after_whatever_happened)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        const uint32_t count = 40;
        struct world *world = world_of(seed, count, 100);
        struct chirr_random random;
        chirr_random_init(&random, seed, 99);
        for (uint32_t i = 0; i < 30; i++) {
            harm(world, &random, count);
        }
        cut_off(world, count, false);
        for (uint32_t i = 0; i < count; i++) {
            world_pause(world, i, false);
        }
        world_set_loss(world, 0);
        cr_assert_lt(agree_us(world, 120 * CHIRR_US_PER_S), 120 * CHIRR_US_PER_S, "seed %llu",
                     (unsigned long long)seed);
        world_destroy(world);
    }
}

Test(membership_swarm, one_seed_gives_one_run)
{
    struct world_counters counters[3];
    for (uint32_t i = 0; i < 3; i++) {
        struct world *world = world_of(i < 2 ? 5 : 6, 60, 200);
        world_crash(world, 9);
        run_for(world, 60 * CHIRR_US_PER_S);
        counters[i] = world_count(world);
        world_destroy(world);
    }
    cr_assert_eq(counters[0].sent, counters[1].sent);
    cr_assert_eq(counters[0].suspicions, counters[1].suspicions);
    cr_assert_neq(counters[0].sent, counters[2].sent);
}
