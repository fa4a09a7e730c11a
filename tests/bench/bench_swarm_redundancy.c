/* swarm.redundancy: how often somebody is told what it knows already.
 *
 * Extra copies per delivery: statements that came by push and were known, over those that were
 * news, once the broadcast tree has settled. One agent that states everything, and everybody in
 * turn. */
#include "base/random.h"
#include "tests/bench/bench_swarm_sim.h"
#include "tests/bench/measure.h"

#define AGENTS 100
#define JOINED_S 20
#define INTERVAL_S 0.1
#define WARM_RECORDS 200
#define RECORDS 400

struct pushes {
    uint64_t first, again;
};

static struct pushes count_pushes(const struct chirr_bench_sim *sim)
{
    struct pushes pushes = {0};
    for (uint32_t i = 0; i < sim->world->peer_count; i++) {
        const struct chirr_dissemination_counters count =
            chirr_dissemination_count(chirr_node_dissemination(sim->world->peers[i].node));
        pushes.first += count.first_deliveries;
        pushes.again += count.duplicates;
    }
    return pushes;
}

static enum chirr_err broadcast(struct chirr_bench_sim *sim, bool many, double *redundancy,
                                struct chirr_error *error)
{
    struct chirr_random random;
    struct pushes before = {0};
    chirr_random_init(&random, sim->scenario->seed, 1);
    enum chirr_err err = chirr_bench_sim_run(sim, JOINED_S, error);
    for (uint32_t i = 0; err == CHIRR_OK && i < RECORDS; i++) {
        uint32_t agent = many ? (uint32_t)chirr_random_below(&random, AGENTS) : AGENTS / 2;
        if (i == WARM_RECORDS) {
            before = count_pushes(sim);
        }
        chirr_bench_sim_state(sim, agent, i);
        err = chirr_bench_sim_run(sim, chirr_bench_sim_now_s(sim) + INTERVAL_S, error);
    }
    struct pushes after = count_pushes(sim);
    *redundancy = (double)(after.again - before.again) / (double)(after.first - before.first);
    return err;
}

static enum chirr_err measure(struct chirr_bench_context *context, bool many,
                              struct chirr_error *error)
{
    double redundancy[CHIRR_BENCH_SEEDS_MAX];
    enum chirr_err err = CHIRR_OK;
    for (uint32_t seed = 0; err == CHIRR_OK && seed < context->seeds; seed++) {
        const struct chirr_bench_sim_config config = {AGENTS, RECORDS, seed + 1};
        struct chirr_bench_sim sim;
        err = chirr_bench_sim_init(&sim, &config, error);
        if (err == CHIRR_OK) {
            err = chirr_bench_sim_start(&sim, error);
        }
        if (err == CHIRR_OK) {
            err = broadcast(&sim, many, &redundancy[seed], error);
        }
        chirr_bench_sim_finish(&sim);
        chirr_bench_progress(context, (many + (seed + 1.0) / context->seeds) / 2);
    }
    if (err != CHIRR_OK) {
        return err;
    }
    double median = chirr_bench_median(redundancy, context->seeds); /* sorts */
    const struct chirr_bench_result result = {
        .metric = many ? "many_senders" : "one_sender",
        .value = median,
        .unit = "copies",
        .bound = CHIRR_BENCH_AT_MOST,
        .target = many ? 0.8 : 0.2,
        .fields =
            json_pack("{s:i, s:i, s:i, s:f}", "agents", AGENTS, "records", RECORDS - WARM_RECORDS,
                      "seeds", (int)context->seeds, "worst", redundancy[context->seeds - 1]),
    };
    chirr_bench_report(context, &result);
    return CHIRR_OK;
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    enum chirr_err err = measure(context, false, error);
    return err == CHIRR_OK ? measure(context, true, error) : err;
}

const struct chirr_bench chirr_bench_swarm_redundancy = {
    "swarm.redundancy", "extra copies per delivery (simulated)", run, false};
