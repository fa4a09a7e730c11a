/* swarm.broadcast: how long until the last of a swarm in its steady state has a new record.
 *
 * The record is a task's first statement of 256 bytes, which nobody can do, so that nobody bids.
 * The clock runs from just before its submitter calls chirr_agent_submit (so making it durable and
 * signing it count) until the last agent's turn in which it took the record in has ended. Each time
 * another agent submits. */
#include "tests/bench/bench_swarm.h"
#include "tests/bench/fleet.h"
#include "tests/bench/measure.h"

#define REST_MS 10000
#define PAUSE_MS 250 /* between two */
#define RECORD_BYTES 256
#define BROADCASTS 31
#define STRIDE 37 /* from one submitter to the next */
#define TIMEOUT_MS 20000

struct times {
    uint32_t count;
    double last_ms[BROADCASTS];
    double half_ms[BROADCASTS]; /* until half of the agents had it */
};

static enum chirr_err broadcast(struct chirr_bench_fleet *fleet, uint32_t submitter,
                                struct times *times, struct chirr_error *error)
{
    chirr_bench_fleet_submit(fleet, submitter, RECORD_BYTES);
    enum chirr_err err =
        chirr_bench_fleet_wait(fleet, chirr_bench_fleet_received, TIMEOUT_MS, error);
    if (err != CHIRR_OK) {
        return err;
    }
    struct chirr_bench_moment moment = chirr_bench_fleet_received(fleet);
    double submitted_us = (double)chirr_bench_fleet_submitted(fleet);
    times->last_ms[times->count] = ((double)moment.last_us - submitted_us) / 1e3;
    times->half_ms[times->count] = ((double)moment.half_us - submitted_us) / 1e3;
    times->count++;
    return chirr_bench_fleet_rest(fleet, PAUSE_MS, error);
}

static void report(struct chirr_bench_context *context, uint32_t agents, struct times *times)
{
    double median_ms = chirr_bench_median(times->last_ms, times->count); /* sorts */
    const struct chirr_bench_result result = {
        .metric = "last_ms",
        .value = median_ms,
        .unit = "ms",
        .bound = CHIRR_BENCH_AT_MOST,
        .target = 12,
        .fields = json_pack("{s:i, s:i, s:i, s:f, s:f, s:f}", "agents", (int)agents, "record_bytes",
                            RECORD_BYTES, "broadcasts", (int)times->count, "best_ms",
                            times->last_ms[0], "worst_ms", times->last_ms[times->count - 1],
                            "half_ms", chirr_bench_median(times->half_ms, times->count)),
    };
    chirr_bench_report(context, &result);
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    uint32_t agents = chirr_bench_swarm_agents(context);
    struct times times = {0};
    struct chirr_bench_fleet *fleet;
    enum chirr_err err = chirr_bench_fleet_gather(agents, REST_MS, &fleet, error);
    for (uint32_t i = 0; err == CHIRR_OK && i < BROADCASTS; i++) {
        err = broadcast(fleet, i * STRIDE % agents, &times, error);
        chirr_bench_progress(context, (double)(i + 1) / BROADCASTS);
    }
    chirr_bench_fleet_destroy(fleet);
    if (err == CHIRR_OK) {
        report(context, agents, &times);
    }
    return err;
}

const struct chirr_bench chirr_bench_swarm_broadcast = {
    "swarm.broadcast", "until the last agent has a new record of 256 bytes", run, false};
