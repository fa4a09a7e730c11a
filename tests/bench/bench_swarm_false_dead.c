/* swarm.false_dead: whom does somebody slow take with him?
 *
 * As in the Lifeguard paper (Dadgar, Phillips, Currey, DSN-W 2018, section V): 30 of 100 processes
 * stand still for 4 s on average, run for 20 ms, stand still again, for two minutes. Counted is how
 * often an agent takes one for dead that never stood still, is up and can be reached; with
 * Lifeguard, and with the SWIM that it extends, from the same seeds. */
#include "tests/bench/bench_swarm_sim.h"
#include "tests/bench/parallel.h"

#define AGENTS 100
#define PAUSED 30
#define FROM_S 30
#define FOR_S 120

struct job {
    uint64_t seed;
    bool lifeguard;
    enum chirr_err err;
    struct chirr_error error;
    uint64_t deaths;
};

static void run_job(void *context)
{
    struct job *job = context;
    const struct chirr_bench_sim_config config = {AGENTS, 1, job->seed};
    struct chirr_bench_sim sim;
    job->err = chirr_bench_sim_init(&sim, &config, &job->error);
    if (job->err == CHIRR_OK) {
        struct chirr_sim_scenario *scenario = sim.scenario;
        scenario->node.membership.lifeguard = job->lifeguard;
        scenario->pause_count = 1;
        scenario->pauses[0] = (struct chirr_sim_pause){.at_ms = FROM_S * 1000,
                                                       .for_ms = 4000,
                                                       .awake_ms = 20,
                                                       .until_ms = (FROM_S + FOR_S) * 1000,
                                                       .count = PAUSED};
        job->err = chirr_bench_sim_start(&sim, &job->error);
    }
    if (job->err == CHIRR_OK) {
        job->err = chirr_bench_sim_run(&sim, FROM_S + FOR_S, &job->error);
        job->deaths = sim.world->counters.false_deaths;
    }
    chirr_bench_sim_finish(&sim);
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    struct job jobs[CHIRR_BENCH_SEEDS_MAX][2];
    uint64_t with = 0;
    uint64_t without = 0;
    for (uint32_t seed = 0; seed < context->seeds; seed++) {
        struct job *pair = jobs[seed];
        pair[0] = (struct job){.seed = seed + 1, .lifeguard = true};
        pair[1] = (struct job){.seed = seed + 1};
        chirr_bench_run_all(&(struct chirr_bench_work){run_job, pair, sizeof pair[0], 2});
        for (int i = 0; i < 2; i++) {
            if (pair[i].err != CHIRR_OK) {
                *error = pair[i].error;
                return pair[i].err;
            }
        }
        with += pair[0].deaths;
        without += pair[1].deaths;
        chirr_bench_progress(context, (seed + 1.0) / context->seeds);
    }
    const struct chirr_bench_result result = {
        .metric = "times_fewer",
        .value = (double)without / (double)(with > 0 ? with : 1),
        .unit = "times",
        .bound = CHIRR_BENCH_AT_LEAST,
        .target = 50,
        .fields = json_pack("{s:i, s:i, s:i, s:I, s:I}", "agents", AGENTS, "paused", PAUSED,
                            "seeds", (int)context->seeds, "lifeguard", (json_int_t)with, "swim",
                            (json_int_t)without),
    };
    chirr_bench_report(context, &result);
    return CHIRR_OK;
}

const struct chirr_bench chirr_bench_swarm_false_dead = {
    "swarm.false_dead", "wrong deaths among pauses, Lifeguard against SWIM (simulated)", run,
    false};
