/* A swarm in the simulator, whose records are tasks that nobody has a slot for. */
#include "tests/bench/bench_swarm_sim.h"

#include <stdlib.h>
#include <string.h>

#define FAR_MS (24U * 3600 * 1000) /* no plan comes true within a benchmark */

enum chirr_err chirr_bench_sim_init(struct chirr_bench_sim *sim,
                                    const struct chirr_bench_sim_config *config,
                                    struct chirr_error *error)
{
    *sim = (struct chirr_bench_sim){.scenario = malloc(sizeof *sim->scenario)};
    if (sim->scenario == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for a scenario");
    }
    struct chirr_sim_scenario *scenario = sim->scenario;
    *scenario = chirr_sim_scenario_default();
    scenario->seed = config->seed;
    scenario->agent_count = config->agents;
    scenario->seed_count = 3;
    scenario->duration_ms = FAR_MS;
    scenario->devices[0].slots = 0;
    struct chirr_sim_work *work = &scenario->work;
    work->task_count = config->records_max;
    work->from_ms = work->until_ms = FAR_MS;
    work->kind_count = 1;
    work->kinds[0] = (struct chirr_sim_kind){
        .name = "record", .bytes_per_s = 1, .size_bytes_min = 1, .size_bytes_max = 1};
    scenario->node.tasks_max = config->records_max < 16 ? 16 : config->records_max;
    scenario->bounds.views_ms = FAR_MS; /* what a benchmark measures it does not demand */
    chirr_sim_scenario_derive(scenario);
    return CHIRR_OK;
}

void chirr_bench_sim_finish(struct chirr_bench_sim *sim)
{
    chirr_sim_world_destroy(sim->world);
    free(sim->scenario);
    *sim = (struct chirr_bench_sim){0};
}

enum chirr_err chirr_bench_sim_start(struct chirr_bench_sim *sim, struct chirr_error *error)
{
    enum chirr_err err = chirr_sim_scenario_validate(sim->scenario, error);
    if (err == CHIRR_OK) {
        sim->world = chirr_sim_world_create(sim->scenario, error);
        err = sim->world == NULL ? CHIRR_ERR_NOMEM : CHIRR_OK;
    }
    return err;
}

enum chirr_err chirr_bench_sim_run(struct chirr_bench_sim *sim, double until_s,
                                   struct chirr_error *error)
{
    chirr_sim_world_run(sim->world, (chirr_time_us)(until_s * 1e6));
    if (sim->world->invariants.violated) {
        return chirr_error_set(error, CHIRR_ERR_STATE, "seed %llu, at %.3f s: %s",
                               (unsigned long long)sim->scenario->seed,
                               (double)sim->world->invariants.violated_at / 1e6,
                               sim->world->invariants.violation);
    }
    return CHIRR_OK;
}

void chirr_bench_sim_state(struct chirr_bench_sim *sim, uint32_t agent, uint32_t record)
{
    chirr_sim_world_submit(sim->world, agent, record);
}

double chirr_bench_sim_now_s(const struct chirr_bench_sim *sim)
{
    return (double)chirr_sim_world_now(sim->world) / 1e6;
}

bool chirr_bench_sim_holds(const struct chirr_bench_sim *sim, uint32_t agent, uint32_t record)
{
    const struct chirr_sim_peer *peer = &sim->world->peers[agent];
    chirr_task_id id = chirr_sim_workload_at(sim->world->workload, record)->id;
    return peer->up && id != 0 && chirr_records_task(chirr_node_records(peer->node), id) != NULL;
}

uint32_t chirr_bench_sim_missing(const struct chirr_bench_sim *sim, uint32_t record)
{
    uint32_t without = 0;
    uint32_t with = 0;
    for (uint32_t i = 0; i < sim->world->peer_count; i++) {
        bool holds = chirr_bench_sim_holds(sim, i, record);
        with += holds;
        without += sim->world->peers[i].up && !holds;
    }
    return with == 0 ? 0 : without;
}

bool chirr_bench_sim_sees_all(const struct chirr_bench_sim *sim)
{
    const struct chirr_sim_world *world = sim->world;
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct chirr_sim_peer *peer = &world->peers[i];
        for (uint32_t j = 0; peer->up && j < world->peer_count; j++) {
            if (world->peers[j].up &&
                !chirr_membership_is_live(chirr_node_membership(peer->node), world->peers[j].id)) {
                return false;
            }
        }
    }
    return true;
}

struct chirr_bench_sim_load chirr_bench_sim_load(const struct chirr_bench_sim *sim)
{
    const struct chirr_sim_network_counters *count = chirr_sim_network_count(sim->world->network);
    struct chirr_bench_sim_load load = {0};
    for (size_t kind = 0; kind < CHIRR_MESSAGE_KINDS; kind++) {
        load.messages += (double)count->sent[kind];
        load.bytes += (double)count->sent_bytes[kind];
    }
    return load;
}
