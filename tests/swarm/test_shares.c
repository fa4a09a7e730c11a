#include "swarm/shares.h"

#include <criterion/criterion.h>

#include "base/random.h"

/* One budget among several askers, by their numbers; 1 is self. */

#define SELF 1
#define RATE 8000
#define BURST 64000
#define STEP_US 1000
#define MESSAGE 100

static struct chirr_shares shares;

static void setup(void)
{
    const struct chirr_shares_config config = {RATE, BURST / 2, BURST / 2};
    chirr_shares_init(&shares, &config, SELF, 0);
}

TestSuite(shares, .init = setup);

static uint64_t take(chirr_agent_id asker, uint64_t bytes, chirr_time_us now)
{
    if (!chirr_shares_allow(&shares, asker, now)) {
        return 0;
    }
    chirr_shares_spend(&shares, asker, bytes);
    return bytes;
}

/* So many askers, from `first` on, take what they can for so long. */
static uint64_t flood(chirr_agent_id first, uint32_t count, chirr_time_us from, chirr_time_us until)
{
    uint64_t taken = 0;
    for (chirr_time_us now = from; now < until; now += STEP_US) {
        for (uint32_t i = 0; i < count; i++) {
            taken += take(first + i, MESSAGE, now);
        }
    }
    return taken;
}

Test(shares, a_lone_asker_has_all_of_the_rate)
{
    uint64_t taken = flood(9, 1, 0, 60 * CHIRR_US_PER_S);
    cr_assert_geq(taken, BURST / 2 + 60 * RATE);
    cr_assert_leq(taken, BURST + 60 * RATE + MESSAGE);
}

Test(shares, all_together_never_have_more_than_the_rate)
{
    uint64_t taken = flood(SELF + 1, 40, 0, 60 * CHIRR_US_PER_S);
    cr_assert_geq(taken, BURST + 60 * RATE - MESSAGE);
    cr_assert_leq(taken, BURST + 60 * RATE + MESSAGE);
    uint64_t with_self = flood(SELF, 40, 60 * CHIRR_US_PER_S, 120 * CHIRR_US_PER_S);
    cr_assert_leq(with_self, 60 * RATE + BURST / 2 / CHIRR_SHARES + 2 * MESSAGE);
}

/* Seven flood; the eighth takes its eighth of the rate, and is never told to wait. */
Test(shares, who_stays_within_its_share_is_always_let_through)
{
    const chirr_time_us pause = CHIRR_US_PER_S / (RATE / CHIRR_SHARES / MESSAGE);
    for (chirr_time_us now = 0; now < 120 * CHIRR_US_PER_S; now += STEP_US) {
        for (chirr_agent_id asker = 10; asker < 17; asker++) {
            take(asker, MESSAGE, now);
        }
        if (now % pause == 0) {
            cr_assert_eq(take(17, MESSAGE, now), MESSAGE, "after %lld us", (long long)now);
        }
    }
    cr_assert_leq(shares.all.level, shares.config.held_back_bytes,
                  "the others took what they could");
}

Test(shares, who_was_away_finds_its_whole_share_at_once)
{
    flood(10, 1, 0, 60 * CHIRR_US_PER_S);
    uint64_t taken = 0;
    for (int i = 0; i < 1000; i++) {
        taken += take(20, MESSAGE, 60 * CHIRR_US_PER_S);
    }
    cr_assert_geq(taken, BURST / 2 / CHIRR_SHARES);
    cr_assert_leq(taken, BURST / 2 / CHIRR_SHARES + 2 * MESSAGE);
}

Test(shares, self_has_its_share_however_many_others_take_theirs)
{
    for (chirr_time_us now = 0; now < 60 * CHIRR_US_PER_S; now += STEP_US) {
        for (chirr_agent_id asker = 10; asker < 60; asker++) {
            take(asker, MESSAGE, now);
        }
        if (now % CHIRR_US_PER_S == 0) {
            cr_assert_eq(take(SELF, MESSAGE, now), MESSAGE, "after %lld us", (long long)now);
        }
    }
    cr_assert(chirr_shares_are_spent(&shares));
}

Test(shares, they_are_ready_exactly_when_they_say_so)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct chirr_random random;
        chirr_random_init(&random, seed, 0);
        const struct chirr_shares_config config = {
            .bytes_per_s = 1 + (uint32_t)chirr_random_below(&random, 5000),
            .common_bytes = 1 + (uint32_t)chirr_random_below(&random, 5000),
            .held_back_bytes = 1 + (uint32_t)chirr_random_below(&random, 5000),
        };
        chirr_shares_init(&shares, &config, SELF, 0);
        chirr_time_us now = 0;
        for (int i = 0; i < 100; i++) {
            chirr_agent_id asker = SELF + chirr_random_below(&random, 10);
            now += (chirr_time_us)chirr_random_below(&random, 50000);
            if (!chirr_shares_allow(&shares, asker, now)) {
                chirr_time_us ready_at = chirr_shares_ready_at(&shares, asker);
                cr_assert_not(chirr_shares_allow(&shares, asker, ready_at - 1), "seed %llu",
                              (unsigned long long)seed);
                cr_assert(chirr_shares_allow(&shares, asker, ready_at), "seed %llu",
                          (unsigned long long)seed);
                now = ready_at;
            }
            chirr_shares_spend(&shares, asker, chirr_random_below(&random, 3000));
        }
    }
}

/* What is common is spent first: while there is any nobody is entered. */
Test(shares, the_next_asker_takes_the_place_of_who_asked_longest_ago)
{
    take(5, BURST / 2, 0);
    take(SELF, MESSAGE, 0);
    for (uint32_t i = 0; i < CHIRR_ASKERS_MAX - 1; i++) {
        take(100 + i, MESSAGE, i);
    }
    cr_assert_eq(shares.asker_count, CHIRR_ASKERS_MAX);
    take(100, MESSAGE, CHIRR_ASKERS_MAX);
    cr_assert_eq(shares.forgotten, 0);
    take(200, MESSAGE, CHIRR_ASKERS_MAX); /* for 101 */
    cr_assert_eq(shares.forgotten, 1);
    cr_assert_eq(shares.asker_count, CHIRR_ASKERS_MAX);
    cr_assert_eq(shares.askers[0].agent, SELF);
    cr_assert_eq(shares.askers[1].agent, 100);
    cr_assert_eq(shares.askers[2].agent, 200);
    /* Who has its whole share again has nothing to be remembered for. */
    shares.all.level = 0;
    take(201, MESSAGE, CHIRR_ASKERS_MAX + CHIRR_US_PER_S);
    cr_assert_eq(shares.askers[3].agent, 201);
    cr_assert_eq(shares.forgotten, 1);
}
