/* swarm.spread: how long until the last of a thousand agents has a new record.
 *
 * The swarm gathers on a network that loses nothing; then a fifth of all messages is lost, for
 * good, and one agent after the other states a record. The figure is the median over the records.
 */
#include "base/random.h"
#include "tests/bench/bench_swarm_sim.h"
#include "tests/bench/measure.h"

#define AGENTS 1000
#define JOINED_S 25
#define RECORDS 15
#define WARM_RECORDS 4
#define STEP_S 0.005
#define TIMEOUT_S 20.0
#define PAUSE_S 0.5

static enum chirr_err spread(struct chirr_bench_sim *sim, uint32_t agent, uint32_t record,
                             double *last_s, struct chirr_error *error)
{
    double began_s = chirr_bench_sim_now_s(sim);
    chirr_bench_sim_state(sim, agent, record);
    enum chirr_err err = CHIRR_OK;
    uint32_t held = 0; /* everybody before has it */
    *last_s = 0;
    while (err == CHIRR_OK && held < AGENTS && *last_s < TIMEOUT_S) {
        err = chirr_bench_sim_run(sim, chirr_bench_sim_now_s(sim) + STEP_S, error);
        *last_s = chirr_bench_sim_now_s(sim) - began_s;
        while (held < AGENTS && chirr_bench_sim_holds(sim, held, record)) {
            held++;
        }
    }
    return err;
}

static enum chirr_err spread_all(struct chirr_bench_context *context, struct chirr_bench_sim *sim,
                                 double last_s[RECORDS], struct chirr_error *error)
{
    struct chirr_random random;
    chirr_random_init(&random, sim->scenario->seed, 3);
    enum chirr_err err = CHIRR_OK;
    for (double s = 1; err == CHIRR_OK && s <= JOINED_S; s++) {
        err = chirr_bench_sim_run(sim, s, error);
        chirr_bench_progress(context, 0.8 * s / JOINED_S);
    }
    for (uint32_t record = 0; err == CHIRR_OK && record < RECORDS; record++) {
        uint32_t agent = (uint32_t)chirr_random_below(&random, AGENTS);
        err = spread(sim, agent, record, &last_s[record], error);
        if (err == CHIRR_OK) {
            err = chirr_bench_sim_run(sim, chirr_bench_sim_now_s(sim) + PAUSE_S, error);
        }
        chirr_bench_progress(context, 0.8 + 0.2 * (record + 1) / RECORDS);
    }
    return err;
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    const struct chirr_bench_sim_config config = {AGENTS, RECORDS, 1};
    double last_s[RECORDS];
    struct chirr_bench_sim sim;
    enum chirr_err err = chirr_bench_sim_init(&sim, &config, error);
    if (err == CHIRR_OK) {
        struct chirr_sim_network_config *network = &sim.scenario->network;
        network->loss_count = 1;
        network->losses[0] = (struct chirr_sim_directed_loss){
            .from_ms = (JOINED_S - 1) * 1000, .until_ms = UINT32_MAX, .loss = 0.2};
        for (uint32_t i = 0; i < AGENTS; i++) {
            network->losses[0].senders[i] = network->losses[0].receivers[i] = true;
        }
        err = chirr_bench_sim_start(&sim, error);
    }
    if (err == CHIRR_OK) {
        err = spread_all(context, &sim, last_s, error);
    }
    chirr_bench_sim_finish(&sim);
    if (err != CHIRR_OK) {
        return err;
    }
    /* The tree has to form first: the earliest pushes go everywhere. */
    double median_s = chirr_bench_median(last_s + WARM_RECORDS, RECORDS - WARM_RECORDS);
    const struct chirr_bench_result result = {
        .metric = "last_s",
        .value = median_s,
        .unit = "s",
        .bound = CHIRR_BENCH_AT_MOST,
        .target = 0.6,
        .fields = json_pack("{s:i, s:i, s:f, s:f, s:f}", "agents", AGENTS, "records",
                            RECORDS - WARM_RECORDS, "loss", 0.2, "best_s", last_s[WARM_RECORDS],
                            "worst_s", last_s[RECORDS - 1]),
    };
    chirr_bench_report(context, &result);
    return CHIRR_OK;
}

const struct chirr_bench chirr_bench_swarm_spread = {
    "swarm.spread", "until the last of 1,000 has a record (simulated)", run, false};
