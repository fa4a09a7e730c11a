/* swarm.load: what a member sends when nothing happens, in a small swarm and in a large one.
 *
 * Bytes and messages of a member in a second, all kinds together, after the swarm has come to rest;
 * the figure is by how much they differ between 50 and 1,000 agents, the greater of the two. */
#include <math.h>

#include "tests/bench/bench_swarm_sim.h"

#define SMALL 50
#define LARGE 1000
#define REST_S 60
#define FOR_S 30

static enum chirr_err measure(struct chirr_bench_context *context, uint32_t agents,
                              struct chirr_bench_sim_load *load, struct chirr_error *error)
{
    const struct chirr_bench_sim_config config = {agents, 1, 1};
    struct chirr_bench_sim_load before = {0};
    struct chirr_bench_sim sim;
    enum chirr_err err = chirr_bench_sim_init(&sim, &config, error);
    if (err == CHIRR_OK) {
        err = chirr_bench_sim_start(&sim, error);
    }
    for (uint32_t s = 1; err == CHIRR_OK && s <= REST_S + FOR_S; s++) {
        err = chirr_bench_sim_run(&sim, s, error);
        if (s == REST_S) {
            before = chirr_bench_sim_load(&sim);
        }
        if (agents == LARGE) {
            chirr_bench_progress(context, (double)s / (REST_S + FOR_S));
        }
    }
    if (err == CHIRR_OK) {
        struct chirr_bench_sim_load after = chirr_bench_sim_load(&sim);
        load->messages = (after.messages - before.messages) / agents / FOR_S;
        load->bytes = (after.bytes - before.bytes) / agents / FOR_S;
    }
    chirr_bench_sim_finish(&sim);
    return err;
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    struct chirr_bench_sim_load small = {0};
    struct chirr_bench_sim_load large = {0};
    enum chirr_err err = measure(context, SMALL, &small, error);
    if (err == CHIRR_OK) {
        err = measure(context, LARGE, &large, error);
    }
    if (err != CHIRR_OK) {
        return err;
    }
    double bytes = large.bytes / small.bytes - 1;
    double messages = large.messages / small.messages - 1;
    const struct chirr_bench_result result = {
        .metric = "per_member_change",
        .value = fmax(fabs(bytes), fabs(messages)),
        .unit = "share",
        .bound = CHIRR_BENCH_AT_MOST,
        .target = 0.1,
        .fields = json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:f}", "agents", LARGE, "bytes_change",
                            bytes, "messages_change", messages, "bytes_per_s", large.bytes,
                            "bytes_per_s_of_50", small.bytes, "messages_per_s", large.messages,
                            "messages_per_s_of_50", small.messages),
    };
    chirr_bench_report(context, &result);
    return CHIRR_OK;
}

const struct chirr_bench chirr_bench_swarm_load = {
    "swarm.load", "what a member sends, among 50 and among 1,000 (simulated)", run, false};
