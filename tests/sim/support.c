/* Worlds to test. */
#include "tests/sim/support.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

uint64_t test_seed(uint64_t usual)
{
    const char *text = getenv("CHIRR_TEST_SEED");
    return text == NULL ? usual : strtoull(text, NULL, 10);
}

struct chirr_sim_kind test_kind(void)
{
    return (struct chirr_sim_kind){.name = "hash",
                                   .bytes_per_s = 1000,
                                   .size_bytes_min = 200,
                                   .size_bytes_max = 4000,
                                   .noise = 0.2};
}

struct chirr_sim_world *test_world(const struct chirr_sim_scenario *scenario)
{
    struct chirr_error error = {.text = ""};
    cr_assert_eq(chirr_sim_scenario_validate(scenario, &error), CHIRR_OK, "%s", error.text);
    struct chirr_sim_world *world = chirr_sim_world_create(scenario, &error);
    cr_assert_not_null(world, "%s", error.text);
    return world;
}

struct chirr_sim_world *test_played(const struct chirr_sim_scenario *scenario)
{
    struct chirr_sim_world *world = test_world(scenario);
    bool held = chirr_sim_world_play(world);
    cr_assert(held, "at %.3f s: %s; replay with CHIRR_TEST_SEED=%" PRIu64,
              (double)world->invariants.violated_at / 1e6, world->invariants.violation,
              scenario->seed);
    return world;
}
