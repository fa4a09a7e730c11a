/* swarm.missed: is anything lost for good?
 *
 * A thousand small swarms, each from its own seed: a fifth of all messages is lost from the start,
 * records are stated all along, three of ten agents die in the middle of it. Counted are the pairs
 * of a live agent and a record that some other live agent holds and this one still lacks when the
 * time for repair is over. */
#include <math.h>

#include "base/random.h"
#include "tests/bench/bench_swarm_sim.h"
#include "tests/bench/parallel.h"

#define AGENTS 20
#define KILLED 6
#define SEEDS 1000
#define BATCH 20 /* that run before the progress is shown again */
#define RECORDS 10
#define FIRST_S 5.0
#define INTERVAL_S 0.4
#define KILL_S 7.0
#define REPAIR_S 60.0

struct job {
    uint64_t seed;
    enum chirr_err err;
    struct chirr_error error;
    uint32_t stated;
    uint32_t missed;   /* pairs at the end */
    double repaired_s; /* after the last record, until nobody missed any; at the end if ever so */
};

static uint32_t missing(const struct chirr_bench_sim *sim)
{
    uint32_t sum = 0;
    for (uint32_t record = 0; record < RECORDS; record++) {
        sum += chirr_bench_sim_missing(sim, record);
    }
    return sum;
}

static uint32_t somebody_up(const struct chirr_bench_sim *sim, struct chirr_random *random)
{
    uint32_t agent;
    do {
        agent = (uint32_t)chirr_random_below(random, AGENTS);
    } while (!sim->world->peers[agent].up);
    return agent;
}

static enum chirr_err broadcast(struct chirr_bench_sim *sim, struct job *job)
{
    struct chirr_random random;
    chirr_random_init(&random, job->seed, 2);
    enum chirr_err err = chirr_bench_sim_run(sim, FIRST_S, &job->error);
    for (uint32_t record = 0; err == CHIRR_OK && record < RECORDS; record++) {
        chirr_bench_sim_state(sim, somebody_up(sim, &random), record);
        job->stated++;
        err = chirr_bench_sim_run(sim, chirr_bench_sim_now_s(sim) + INTERVAL_S, &job->error);
    }
    double began_s = chirr_bench_sim_now_s(sim);
    while (err == CHIRR_OK && missing(sim) > 0 && job->repaired_s < REPAIR_S) {
        err = chirr_bench_sim_run(sim, chirr_bench_sim_now_s(sim) + 0.5, &job->error);
        job->repaired_s = chirr_bench_sim_now_s(sim) - began_s;
    }
    job->missed = missing(sim);
    return err;
}

static void run_job(void *context)
{
    struct job *job = context;
    const struct chirr_bench_sim_config config = {AGENTS, RECORDS, job->seed};
    struct chirr_bench_sim sim;
    job->err = chirr_bench_sim_init(&sim, &config, &job->error);
    if (job->err == CHIRR_OK) {
        struct chirr_sim_scenario *scenario = sim.scenario;
        scenario->network.loss = 0.2;
        scenario->crash_count = 1;
        scenario->crashes[0] =
            (struct chirr_sim_crash){.at_ms = (uint32_t)(KILL_S * 1000), .count = KILLED};
        job->err = chirr_bench_sim_start(&sim, &job->error);
    }
    if (job->err == CHIRR_OK) {
        job->err = broadcast(&sim, job);
    }
    chirr_bench_sim_finish(&sim);
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    static struct job jobs[SEEDS];
    uint64_t missed = 0;
    uint64_t stated = 0;
    double repaired_s = 0;
    for (uint32_t first = 0; first < SEEDS; first += BATCH) {
        for (uint32_t i = first; i < first + BATCH; i++) {
            jobs[i] = (struct job){.seed = i + 1};
        }
        chirr_bench_run_all(
            &(struct chirr_bench_work){run_job, &jobs[first], sizeof jobs[0], BATCH});
        for (uint32_t i = first; i < first + BATCH; i++) {
            if (jobs[i].err != CHIRR_OK) {
                *error = jobs[i].error;
                return jobs[i].err;
            }
            missed += jobs[i].missed;
            stated += jobs[i].stated;
            repaired_s = fmax(repaired_s, jobs[i].repaired_s);
        }
        chirr_bench_progress(context, (double)(first + BATCH) / SEEDS);
    }
    const struct chirr_bench_result result = {
        .metric = "after_repair",
        .value = (double)missed,
        .unit = "deliveries",
        .bound = CHIRR_BENCH_AT_MOST,
        .target = 0,
        .fields =
            json_pack("{s:i, s:i, s:i, s:i, s:f, s:f}", "agents", AGENTS, "killed", KILLED, "seeds",
                      SEEDS, "records", (int)stated, "loss", 0.2, "repaired_s_worst", repaired_s),
    };
    chirr_bench_report(context, &result);
    return CHIRR_OK;
}

const struct chirr_bench chirr_bench_swarm_missed = {
    "swarm.missed", "records lost for good, with loss and deaths (simulated)", run, false};
