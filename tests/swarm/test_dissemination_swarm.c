/* Eight agents on a bad network, and what holds of all of them in the end. */
#include "swarm/dissemination.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "tests/support/mesh.h"
#include "tests/support/sample.h"
#include "tests/swarm/dissemination_agent.h"

#define TASKS 6 /* submitted by each life of each node */

struct world {
    struct chirr_dissemination_config config;
    struct chirr_random random;
    struct agent agents[NODES];
    struct mesh *mesh;
};

static const struct mesh_machine machine = {.receive = agents_receive,
                                            .tick = agents_tick,
                                            .deadline = agents_deadline,
                                            .poll = agents_poll};

static struct world *world_create(uint64_t seed, struct mesh_config network)
{
    static struct world world;
    memset(&world, 0, sizeof world);
    world.config = chirr_dissemination_config_default();
    world.config.seed = seed;
    chirr_random_init(&world.random, seed, 99);
    network.seed = seed;
    network.node_count = NODES;
    network.latency_min_us = 1000;
    network.latency_max_us = 200000;
    world.mesh = mesh_create(&network, &machine, world.agents);
    for (uint32_t i = 0; i < NODES; i++) {
        agent_create(&world.agents[i], &world.config, i, 1, 0);
        mesh_drain(world.mesh, i);
    }
    return &world;
}

static void world_destroy(struct world *world)
{
    mesh_destroy(world->mesh);
    for (uint32_t i = 0; i < NODES; i++) {
        chirr_arena_finish(&world->agents[i].arena);
    }
}

/* Something that an agent might say now: about itself, a new task, or one that it knows. */
static void say_something(struct world *world, uint32_t node)
{
    struct agent *agent = &world->agents[node];
    uint32_t known = chirr_records_task_count(agent->store);
    struct chirr_record record = sample_claims(0, 0);
    uint64_t choice = chirr_random_below(&world->random, 4);
    if (choice == 0) {
        record = sample_claims(1 + chirr_random_below(&world->random, 99), 5);
    } else if (choice == 1 && agent->nonce < TASKS) {
        record = sample_task(node, agent->incarnation << 20 | ++agent->nonce);
    } else if (known > 0) {
        uint32_t index = (uint32_t)chirr_random_below(&world->random, known);
        const struct chirr_record *task = chirr_records_task_at(agent->store, index);
        uint32_t epoch = task->task.epoch + (uint32_t)chirr_random_below(&world->random, 2);
        const enum chirr_task_phase phases[] = {CHIRR_TASK_OPEN, CHIRR_TASK_RUNNING,
                                                CHIRR_TASK_RELEASED, CHIRR_TASK_DONE};
        enum chirr_task_phase phase = phases[chirr_random_below(&world->random, 4)];
        epoch += phase == CHIRR_TASK_OPEN;
        record = sample_phase(task, phase, epoch, node);
    }
    enum chirr_err err = chirr_dissemination_state(agent->dissemination, &record,
                                                   agent->incarnation, mesh_now(world->mesh));
    cr_assert(err == CHIRR_OK || err == CHIRR_ERR_STALE, "%s", chirr_err_text(err));
    mesh_drain(world->mesh, node);
}

static void talk(struct world *world, chirr_time_us until_us)
{
    while (mesh_now(world->mesh) < until_us) {
        say_something(world, (uint32_t)chirr_random_below(&world->random, NODES));
        mesh_run(world->mesh, mesh_now(world->mesh) + 20000);
    }
}

static void assert_converged(struct world *world, uint32_t first)
{
    uint64_t expected = chirr_records_state_hash(world->agents[first].store);
    for (uint32_t i = first; i < NODES; i++) {
        cr_assert_eq(chirr_records_state_hash(world->agents[i].store), expected,
                     "seed %llu: agent %u differs from agent %u",
                     (unsigned long long)world->config.seed, i, first);
    }
    cr_assert_gt(chirr_records_task_count(world->agents[first].store), 3);
}

static const struct mesh_config lossy = {.loss_permille = 300, .duplicate_permille = 100};

Test(dissemination_swarm, all_states_are_equal_in_the_end_over_a_bad_network)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct world *world = world_create(seed, lossy);
        talk(world, 4 * CHIRR_US_PER_S);
        mesh_run(world->mesh, 40 * CHIRR_US_PER_S);
        assert_converged(world, 0);
        world_destroy(world);
    }
}

Test(dissemination_swarm, anti_entropy_alone_converges)
{
    struct mesh_config network = lossy;
    network.publish_loss_permille = 1000;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct world *world = world_create(seed, network);
        talk(world, 4 * CHIRR_US_PER_S);
        mesh_run(world->mesh, 60 * CHIRR_US_PER_S);
        assert_converged(world, 0);
        world_destroy(world);
    }
}

Test(dissemination_swarm, answers_of_one_record_converge_too)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct world *world = world_create(seed, lossy);
        world->config.repair_records_max = 1;
        for (uint32_t i = 0; i < NODES; i++) {
            agent_create(&world->agents[i], &world->config, i, 2, 0);
        }
        talk(world, 3 * CHIRR_US_PER_S);
        mesh_run(world->mesh, 200 * CHIRR_US_PER_S);
        assert_converged(world, 0);
        world_destroy(world);
    }
}

Test(dissemination_swarm, agents_that_lose_their_disk_and_come_back_converge)
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct world *world = world_create(seed, lossy);
        for (uint64_t life = 2; life < 5; life++) {
            talk(world, mesh_now(world->mesh) + CHIRR_US_PER_S);
            uint32_t node = (uint32_t)chirr_random_below(&world->random, NODES);
            agent_create(&world->agents[node], &world->config, node, life * 10,
                         mesh_now(world->mesh));
            mesh_drain(world->mesh, node);
        }
        talk(world, mesh_now(world->mesh) + CHIRR_US_PER_S);
        mesh_run(world->mesh, 60 * CHIRR_US_PER_S);
        assert_converged(world, 0);
        world_destroy(world);
    }
}

Test(dissemination_swarm, what_an_agent_said_in_an_earlier_life_ends_in_its_present_one)
{
    struct world *world = world_create(1, lossy);
    talk(world, 3 * CHIRR_US_PER_S);
    mesh_run(world->mesh, 20 * CHIRR_US_PER_S);
    agent_create(&world->agents[0], &world->config, 0, 50, mesh_now(world->mesh));
    mesh_drain(world->mesh, 0);
    mesh_run(world->mesh, 60 * CHIRR_US_PER_S);
    assert_converged(world, 0);
    for (uint32_t i = 0; i < NODES; i++) {
        struct chirr_records_span span =
            chirr_records_span(world->agents[i].store, sample_agent(0));
        cr_assert_geq(span.oldest.incarnation, 50);
    }
    cr_assert_gt(chirr_dissemination_count(world->agents[0].dissemination).restated, 0);
    const struct chirr_record *claims =
        chirr_records_claims(world->agents[3].store, sample_agent(0));
    cr_assert(claims == NULL || claims->claims.count == 0);
    world_destroy(world);
}

Test(dissemination_swarm, an_agent_whose_clock_was_set_back_is_heard_again)
{
    struct world *world = world_create(2, lossy);
    agent_create(&world->agents[0], &world->config, 0, 1000, 0);
    talk(world, 3 * CHIRR_US_PER_S);
    mesh_run(world->mesh, 20 * CHIRR_US_PER_S);
    agent_create(&world->agents[0], &world->config, 0, 7, mesh_now(world->mesh));
    struct chirr_record card = sample_card(0);
    card.card.slots = 77;
    cr_assert_eq(
        chirr_dissemination_state(world->agents[0].dissemination, &card, 7, mesh_now(world->mesh)),
        CHIRR_OK);
    mesh_drain(world->mesh, 0);
    mesh_run(world->mesh, 60 * CHIRR_US_PER_S);
    assert_converged(world, 0);
    cr_assert_eq(chirr_records_card(world->agents[5].store, sample_agent(0))->card.slots, 77);
    world_destroy(world);
}

/* Agent 0 dies and leaves records beyond a gap: only a push brought them, to some. */
Test(dissemination_swarm, records_beyond_a_gap_reach_everybody_after_their_author_died)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct world *world = world_create(seed, (struct mesh_config){.loss_permille = 0});
        mesh_run(world->mesh, 10 * CHIRR_US_PER_S);
        mesh_set_loss(world->mesh, 1000);
        struct agent *author = &world->agents[0];
        for (uint64_t nonce = 1; nonce <= 6; nonce++) {
            mesh_set_loss(world->mesh, nonce == 1 ? 1000 : 600);
            struct chirr_record task = sample_task(0, nonce);
            cr_assert_eq(
                chirr_dissemination_state(author->dissemination, &task, 1, mesh_now(world->mesh)),
                CHIRR_OK);
            mesh_drain(world->mesh, 0);
        }
        mesh_set_up(world->mesh, 0, false);
        mesh_set_loss(world->mesh, 0);
        mesh_run(world->mesh, 120 * CHIRR_US_PER_S);
        uint32_t held = chirr_records_task_count(world->agents[1].store);
        cr_assert_gt(held, 0);
        for (uint32_t i = 2; i < NODES; i++) {
            cr_assert_eq(chirr_records_state_hash(world->agents[i].store),
                         chirr_records_state_hash(world->agents[1].store), "seed %llu",
                         (unsigned long long)seed);
        }
        world_destroy(world);
    }
}
