/* swarm.detect: how long until all know of a crash.
 *
 * One agent after the other is ended with SIGKILL; the clock runs from there until the last of the
 * others holds it for dead. The figure is the median over the crashes. */
#include "tests/bench/bench_swarm.h"
#include "tests/bench/fleet.h"
#include "tests/bench/measure.h"

#define REST_MS 10000
#define PAUSE_MS 1000
#define CRASHES 5
#define TIMEOUT_MS 60000

static enum chirr_err crash(struct chirr_bench_fleet *fleet, uint32_t victim, double *last_s,
                            double *half_s, struct chirr_error *error)
{
    double killed_us = (double)chirr_bench_fleet_kill(fleet, victim);
    enum chirr_err err = chirr_bench_fleet_wait(fleet, chirr_bench_fleet_told, TIMEOUT_MS, error);
    if (err != CHIRR_OK) {
        return err;
    }
    struct chirr_bench_moment moment = chirr_bench_fleet_told(fleet);
    *last_s = ((double)moment.last_us - killed_us) / 1e6;
    *half_s = ((double)moment.half_us - killed_us) / 1e6;
    return chirr_bench_fleet_rest(fleet, PAUSE_MS, error);
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    uint32_t agents = chirr_bench_swarm_agents(context);
    uint32_t crashes = agents > 2 * CRASHES ? CRASHES : 1; /* the others go on being a swarm */
    double last_s[CRASHES];
    double half_s[CRASHES];
    struct chirr_bench_fleet *fleet;
    enum chirr_err err = chirr_bench_fleet_gather(agents, REST_MS, &fleet, error);
    for (uint32_t i = 0; err == CHIRR_OK && i < crashes; i++) {
        err = crash(fleet, (2 * i + 1) * agents / (2 * crashes), &last_s[i], &half_s[i], error);
        chirr_bench_progress(context, (double)(i + 1) / crashes);
    }
    chirr_bench_fleet_destroy(fleet);
    if (err != CHIRR_OK) {
        return err;
    }
    double median_s = chirr_bench_median(last_s, crashes); /* sorts */
    const struct chirr_bench_result result = {
        .metric = "crash_s",
        .value = median_s,
        .unit = "s",
        .bound = CHIRR_BENCH_AT_MOST,
        .target = 5,
        .fields = json_pack("{s:i, s:i, s:f, s:f, s:f}", "agents", (int)agents, "crashes",
                            (int)crashes, "best_s", last_s[0], "worst_s", last_s[crashes - 1],
                            "half_s", chirr_bench_median(half_s, crashes)),
    };
    chirr_bench_report(context, &result);
    return CHIRR_OK;
}

const struct chirr_bench chirr_bench_swarm_detect = {"swarm.detect", "until all know of a crash",
                                                     run, false};
