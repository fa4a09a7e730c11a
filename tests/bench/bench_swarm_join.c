/* swarm.join: how long until a swarm that starts all at once is whole.
 *
 *     spawn_s       keys for all, one keyring, and every process forked; none has begun
 *     all_to_all_s  from there, when all are let go, until every agent holds every other for alive:
 *                   opening its files, binding, every handshake, all that joining takes
 *     bound_s       part of it: until the last one has bound its sockets
 *     total_s       both
 *     suspicions    among all of them at that moment: a member is alive until one ends
 *     cpu_s         of all agents together: what a busy machine does not change */
#include "agent/clock.h"
#include "tests/bench/bench_swarm.h"
#include "tests/bench/fleet.h"

#define TIMEOUT_MS 60000

static const struct scale {
    uint32_t agents;
    double target_s;
} scales[] = {{100, 1.5}, {200, 4}};

static double seconds_between(chirr_time_us from, chirr_time_us to)
{
    return ((double)to - (double)from) / 1e6;
}

static enum chirr_err measure(struct chirr_bench_context *context, const struct scale *scale,
                              struct chirr_error *error)
{
    struct chirr_bench_result result = {
        .metric = "all_to_all_s",
        .unit = "s",
        .bound = scale->target_s > 0 ? CHIRR_BENCH_AT_MOST : CHIRR_BENCH_NO_TARGET,
        .target = scale->target_s,
        .fields = json_pack("{s:i, s:b}", "agents", (int)scale->agents, "curve", 1),
    };
    chirr_time_us begin = chirr_clock_now();
    struct chirr_bench_fleet *fleet = chirr_bench_fleet_create(scale->agents, error);
    if (fleet == NULL) {
        json_decref(result.fields);
        return error->code;
    }
    chirr_time_us start = chirr_bench_fleet_start(fleet);
    enum chirr_err err =
        chirr_bench_fleet_wait(fleet, chirr_bench_fleet_complete, TIMEOUT_MS, error);
    if (err == CHIRR_OK) {
        double cpu_s = chirr_bench_fleet_cpu_s(fleet);
        uint32_t suspicions = chirr_bench_fleet_suspicions(fleet);
        chirr_time_us end = chirr_bench_fleet_complete(fleet).last_us;
        chirr_time_us bound = chirr_bench_fleet_bound(fleet).last_us;
        result.value = seconds_between(start, end);
        json_object_set_new(result.fields, "spawn_s", json_real(seconds_between(begin, start)));
        json_object_set_new(result.fields, "bound_s", json_real(seconds_between(start, bound)));
        json_object_set_new(result.fields, "total_s", json_real(seconds_between(begin, end)));
        json_object_set_new(result.fields, "suspicions", json_integer(suspicions));
        json_object_set_new(result.fields, "cpu_s", json_real(cpu_s));
        chirr_bench_report(context, &result);
    } else if (err == CHIRR_ERR_TIMEOUT) {
        chirr_bench_swarm_unmeasured(context, &result, error->text);
        err = CHIRR_OK;
    } else {
        json_decref(result.fields);
    }
    chirr_bench_fleet_destroy(fleet);
    return err;
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    if (context->agents != 0) {
        const struct scale chosen = {context->agents, 0};
        return measure(context, &chosen, error);
    }
    enum chirr_err err = CHIRR_OK;
    for (size_t i = 0; err == CHIRR_OK && i < sizeof scales / sizeof *scales; i++) {
        err = measure(context, &scales[i], error);
    }
    return err;
}

const struct chirr_bench chirr_bench_swarm_join = {
    "swarm.join", "until every agent holds every other for alive", run, false};
