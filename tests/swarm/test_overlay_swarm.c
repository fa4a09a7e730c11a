/* Many overlays on a virtual network that loses a fifth of all messages. */
#include <criterion/criterion.h>
#include <inttypes.h>

#include "tests/support/sanitizer.h"
#include "tests/swarm/overlay_world.h"

#define LOSS_PERMILLE 200

static struct overlay_world *begin(uint64_t seed, uint32_t count, bool local)
{
    const struct overlay_world_config config = {
        .seed = seed, .count = count, .local = local, .loss_permille = LOSS_PERMILLE};
    struct overlay_world *world = overlay_world_create(&config);
    for (uint32_t i = 0; i < count; i++) {
        overlay_world_start(world, i);
    }
    return world;
}

static void settles(struct overlay_world *world, uint64_t seed, uint32_t within_s)
{
    chirr_time_us took_us = overlay_world_settle(world, within_s * CHIRR_US_PER_S);
    cr_assert_neq(took_us, CHIRR_TIME_NEVER, "seed %" PRIu64 ": %s", seed,
                  overlay_world_fault(world));
}

static void crash_three_of_ten(struct overlay_world *world, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i % 10 < 3) {
            overlay_world_crash(world, i);
        }
    }
}

/* From a start at the same time, through a crash of 30% that others learn of within six seconds,
 * and a partition in halves that lasts half a minute. */
static void survive(uint64_t seed, uint32_t count, bool local)
{
    struct overlay_world *world = begin(seed, count, local);
    settles(world, seed, 40);
    crash_three_of_ten(world, count);
    settles(world, seed, 40);
    overlay_world_part(world, count / 2);
    settles(world, seed, 40);
    overlay_world_run(world, 30 * CHIRR_US_PER_S);
    overlay_world_part(world, 0);
    settles(world, seed, 40);
    overlay_world_destroy(world);
}

Test(overlay_swarm, two_hundred_are_connected_symmetric_and_within_bounds_after_every_fault)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        survive(seed, 200, false);
    }
}

Test(overlay_swarm, two_hundred_with_local_views_likewise)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        survive(seed, 200, true);
    }
}

/* Work grows with the pairs of agents, all of whom hear of each other three times: some five
 * seconds for a thousand, and under a sanitizer, on a machine that is busy, minutes. What that is
 * there to find it finds among fewer. */
#if ADDRESS_SANITIZER
Test(overlay_swarm, four_hundred_likewise)
{
    survive(1, 400, false);
}

Test(overlay_swarm, four_hundred_with_local_views_likewise)
{
    survive(0, 400, true);
}
#else
Test(overlay_swarm, a_thousand_likewise, .timeout = 120)
{
    survive(1, 1000, false);
}

Test(overlay_swarm, a_thousand_with_local_views_likewise, .timeout = 120)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        survive(seed, 1000, true);
    }
}
#endif

Test(overlay_swarm, it_stays_connected_under_churn)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct overlay_world *world = begin(seed, 200, seed % 2 == 1);
        settles(world, seed, 40);
        for (uint32_t round = 0; round < 60; round++) {
            uint32_t node = 2 + (round * 37) % 198;
            if (round % 3 == 0) {
                overlay_world_leave(world, node);
            } else {
                overlay_world_crash(world, node);
            }
            overlay_world_run(world, CHIRR_US_PER_S);
            overlay_world_start(world, node);
        }
        settles(world, seed, 40);
        overlay_world_destroy(world);
    }
}

Test(overlay_swarm, below_sixteen_everybody_is_connected_to_everybody)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        uint32_t count = 2 + (uint32_t)seed % 14;
        struct overlay_world *world = begin(seed, count, false);
        settles(world, seed, 20);
        overlay_world_run(world, 20 * CHIRR_US_PER_S);
        for (uint32_t i = 0; i < count; i++) {
            cr_assert(chirr_overlay_is_mesh(overlay_world_at(world, i)), "seed %" PRIu64, seed);
            cr_assert_eq(chirr_overlay_neighbours(overlay_world_at(world, i)).count, count - 1);
        }
        overlay_world_destroy(world);
    }
}

Test(overlay_swarm, a_swarm_that_grows_past_a_mesh_goes_over_to_views)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        const struct overlay_world_config config = {
            .seed = seed, .count = 40, .loss_permille = LOSS_PERMILLE};
        struct overlay_world *world = overlay_world_create(&config);
        for (uint32_t i = 0; i < 40; i++) {
            overlay_world_start(world, i);
            overlay_world_run(world, CHIRR_US_PER_S);
        }
        settles(world, seed, 40);
        cr_assert_not(chirr_overlay_is_mesh(overlay_world_at(world, 0)));
        overlay_world_destroy(world);
    }
}

static uint64_t count_changes(struct overlay_world *world, uint32_t count)
{
    uint64_t changes = 0;
    for (uint32_t i = 0; i < count; i++) {
        changes += chirr_overlay_neighbours(overlay_world_at(world, i)).change;
    }
    return changes;
}

/* At rest neighbours change only to fill a last gap, unicast links are closed, and the upkeep is
 * less than a message a second. */
Test(overlay_swarm, at_rest_it_is_quiet)
{
    const struct overlay_world_config config = {.seed = 3, .count = 200};
    struct overlay_world *world = overlay_world_create(&config);
    for (uint32_t i = 0; i < 200; i++) {
        overlay_world_start(world, i);
    }
    settles(world, 3, 40);
    overlay_world_run(world, 120 * CHIRR_US_PER_S);
    uint64_t changes = count_changes(world, 200);
    uint64_t sent = overlay_world_sent(world);
    overlay_world_run(world, 60 * CHIRR_US_PER_S);
    cr_assert_leq(count_changes(world, 200) - changes, 10);
    cr_assert_lt(overlay_world_sent(world) - sent, 60 * 200);
    uint32_t links = 0;
    for (uint32_t i = 0; i < 200; i++) {
        links += chirr_overlay_link_count(overlay_world_at(world, i));
    }
    cr_assert_lt(links, 100);
    overlay_world_destroy(world);
}

static uint64_t hash_of_run(uint64_t seed)
{
    struct overlay_world *world = begin(seed, 100, false);
    crash_three_of_ten(world, 100);
    overlay_world_run(world, 10 * CHIRR_US_PER_S);
    uint64_t hash = overlay_world_hash(world);
    overlay_world_destroy(world);
    return hash;
}

Test(overlay_swarm, one_seed_reproduces)
{
    cr_assert_eq(hash_of_run(5), hash_of_run(5));
    cr_assert_neq(hash_of_run(5), hash_of_run(6));
}
