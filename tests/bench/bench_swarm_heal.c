/* swarm.heal: how long until a swarm that was cut in two is one again.
 *
 * Two halves do not hear each other for a minute, which is enough to bury one another. The clock
 * runs from the moment when they do again until everybody takes everybody for alive. */
#include "tests/bench/bench_swarm_sim.h"
#include "tests/bench/measure.h"

#define AGENTS 100
#define CUT_S 20
#define HEALED_S 80
#define STEP_S 0.1
#define TIMEOUT_S 120

struct healing {
    double full_view_s;
    double buried; /* share of the other half that the first agent took for dead */
};

static double share_buried(const struct chirr_bench_sim *sim)
{
    const struct chirr_sim_world *world = sim->world;
    const struct chirr_membership *view = chirr_node_membership(world->peers[0].node);
    uint32_t buried = 0;
    for (uint32_t i = AGENTS / 2; i < AGENTS; i++) {
        buried += !chirr_membership_is_live(view, world->peers[i].id);
    }
    return (double)buried / (AGENTS - AGENTS / 2);
}

static enum chirr_err heal(struct chirr_bench_sim *sim, struct healing *healing,
                           struct chirr_error *error)
{
    enum chirr_err err = chirr_bench_sim_run(sim, HEALED_S, error);
    if (err == CHIRR_OK) {
        healing->buried = share_buried(sim);
    }
    healing->full_view_s = 0;
    while (err == CHIRR_OK && !chirr_bench_sim_sees_all(sim) && healing->full_view_s < TIMEOUT_S) {
        err = chirr_bench_sim_run(sim, chirr_bench_sim_now_s(sim) + STEP_S, error);
        healing->full_view_s = chirr_bench_sim_now_s(sim) - HEALED_S;
    }
    return err;
}

static enum chirr_err measure(uint64_t seed, struct healing *healing, struct chirr_error *error)
{
    const struct chirr_bench_sim_config config = {AGENTS, 1, seed};
    struct chirr_bench_sim sim;
    enum chirr_err err = chirr_bench_sim_init(&sim, &config, error);
    if (err == CHIRR_OK) {
        struct chirr_sim_network_config *network = &sim.scenario->network;
        network->partition_count = 1;
        network->partitions[0] =
            (struct chirr_sim_partition){.from_ms = CUT_S * 1000, .until_ms = HEALED_S * 1000};
        for (uint32_t i = AGENTS / 2; i < AGENTS; i++) {
            network->partitions[0].group[i] = 1;
        }
        err = chirr_bench_sim_start(&sim, error);
    }
    if (err == CHIRR_OK) {
        err = heal(&sim, healing, error);
    }
    chirr_bench_sim_finish(&sim);
    return err;
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    double full_view_s[CHIRR_BENCH_SEEDS_MAX];
    double buried = 0;
    for (uint32_t seed = 0; seed < context->seeds; seed++) {
        struct healing healing = {0};
        enum chirr_err err = measure(seed + 1, &healing, error);
        if (err != CHIRR_OK) {
            return err;
        }
        full_view_s[seed] = healing.full_view_s;
        buried += healing.buried / context->seeds;
        chirr_bench_progress(context, (seed + 1.0) / context->seeds);
    }
    double median_s = chirr_bench_median(full_view_s, context->seeds); /* sorts */
    const struct chirr_bench_result result = {
        .metric = "full_view_s",
        .value = median_s,
        .unit = "s",
        .bound = CHIRR_BENCH_AT_MOST,
        .target = 10,
        .fields = json_pack("{s:i, s:i, s:i, s:f, s:f}", "agents", AGENTS, "cut_s",
                            HEALED_S - CUT_S, "seeds", (int)context->seeds, "worst_s",
                            full_view_s[context->seeds - 1], "buried", buried),
    };
    chirr_bench_report(context, &result);
    return CHIRR_OK;
}

const struct chirr_bench chirr_bench_swarm_heal = {
    "swarm.heal", "until two halves are one again (simulated)", run, false};
