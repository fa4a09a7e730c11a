#include "swarm/dissemination.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "tests/support/mesh.h"
#include "tests/support/sample.h"

#define NODES 8
#define TASKS 6 /* submitted by each life of each node */

/* One agent: store and dissemination over a fixed view of who is alive. */
struct agent {
    struct chirr_arena arena;
    struct chirr_record_store *store;
    struct chirr_membership *membership;
    struct chirr_dissemination *dissemination;
    uint64_t incarnation;
    uint64_t nonce;
};

struct world {
    struct chirr_dissemination_config config;
    struct chirr_random random;
    struct agent agents[NODES];
    struct mesh *mesh;
};

static const struct chirr_records_config store_config = {.agents_max = NODES, .tasks_max = 1024};

static void agent_create(struct world *world, uint32_t node, uint64_t incarnation,
                         chirr_time_us now)
{
    struct agent *agent = &world->agents[node];
    struct chirr_membership_config membership = chirr_membership_config_default();
    membership.self = sample_agent(node);
    membership.members_max = NODES;
    struct chirr_dissemination_config config = world->config;
    config.self = sample_agent(node);
    chirr_arena_finish(&agent->arena);
    cr_assert_eq(chirr_arena_init(&agent->arena, chirr_records_bytes(&store_config) +
                                                     chirr_membership_bytes(&membership) +
                                                     chirr_dissemination_bytes(&config)),
                 CHIRR_OK);
    agent->store = chirr_records_create(&agent->arena, &store_config);
    agent->membership = chirr_membership_create(&agent->arena, &membership, now);
    agent->dissemination = chirr_dissemination_create(&agent->arena, &config, agent->store, now);
    cr_assert_not_null(agent->dissemination);
    agent->incarnation = incarnation;
    for (uint32_t i = 0; i < NODES; i++) {
        cr_assert_eq(chirr_membership_add(agent->membership, sample_agent(i), 1, now), CHIRR_OK);
    }
    struct chirr_record card = sample_card(node);
    cr_assert_eq(chirr_dissemination_state(agent->dissemination, &card, incarnation, now),
                 CHIRR_OK);
}

static void take_changes(struct agent *agent)
{
    struct chirr_record record;
    while (chirr_dissemination_changed(agent->dissemination, &record)) {
    }
}

static void on_receive(void *context, uint32_t node, chirr_agent_id from,
                       const struct chirr_message *message, chirr_time_us now)
{
    struct agent *agent = &((struct world *)context)->agents[node];
    cr_assert_eq(chirr_dissemination_receive(agent->dissemination, from, message, now), CHIRR_OK);
}

static void on_tick(void *context, uint32_t node, chirr_time_us now)
{
    struct agent *agent = &((struct world *)context)->agents[node];
    chirr_dissemination_tick(agent->dissemination, agent->membership, now);
}

static chirr_time_us on_deadline(void *context, uint32_t node)
{
    return chirr_dissemination_deadline(((struct world *)context)->agents[node].dissemination);
}

static bool on_poll(void *context, uint32_t node, struct chirr_output *output)
{
    struct agent *agent = &((struct world *)context)->agents[node];
    take_changes(agent);
    return chirr_dissemination_poll(agent->dissemination, output);
}

static const struct mesh_machine machine = {
    .receive = on_receive, .tick = on_tick, .deadline = on_deadline, .poll = on_poll};

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
    world.mesh = mesh_create(&network, &machine, &world);
    for (uint32_t i = 0; i < NODES; i++) {
        agent_create(&world, i, 1, 0);
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

Test(dissemination, all_states_are_equal_in_the_end_over_a_bad_network)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct world *world = world_create(seed, lossy);
        talk(world, 4 * CHIRR_US_PER_S);
        mesh_run(world->mesh, 40 * CHIRR_US_PER_S);
        assert_converged(world, 0);
        world_destroy(world);
    }
}

Test(dissemination, anti_entropy_alone_converges)
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

Test(dissemination, answers_of_one_record_converge_too)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct world *world = world_create(seed, lossy);
        world->config.repair_records_max = 1;
        for (uint32_t i = 0; i < NODES; i++) {
            agent_create(world, i, 2, 0);
        }
        talk(world, 3 * CHIRR_US_PER_S);
        mesh_run(world->mesh, 200 * CHIRR_US_PER_S);
        assert_converged(world, 0);
        world_destroy(world);
    }
}

Test(dissemination, agents_that_lose_their_disk_and_come_back_converge)
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct world *world = world_create(seed, lossy);
        for (uint64_t life = 2; life < 5; life++) {
            talk(world, mesh_now(world->mesh) + CHIRR_US_PER_S);
            uint32_t node = (uint32_t)chirr_random_below(&world->random, NODES);
            agent_create(world, node, life * 10, mesh_now(world->mesh));
            mesh_drain(world->mesh, node);
        }
        talk(world, mesh_now(world->mesh) + CHIRR_US_PER_S);
        mesh_run(world->mesh, 60 * CHIRR_US_PER_S);
        assert_converged(world, 0);
        world_destroy(world);
    }
}

Test(dissemination, what_an_agent_said_in_an_earlier_life_ends_in_its_present_one)
{
    struct world *world = world_create(1, lossy);
    talk(world, 3 * CHIRR_US_PER_S);
    mesh_run(world->mesh, 20 * CHIRR_US_PER_S);
    agent_create(world, 0, 50, mesh_now(world->mesh));
    mesh_drain(world->mesh, 0);
    mesh_run(world->mesh, 60 * CHIRR_US_PER_S);
    assert_converged(world, 0);
    for (uint32_t i = 0; i < NODES; i++) {
        struct chirr_records_span span =
            chirr_records_span(world->agents[i].store, sample_agent(0));
        cr_assert_geq(span.oldest.incarnation, 50);
    }
    cr_assert_gt(chirr_dissemination_count(world->agents[0].dissemination)->restated, 0);
    const struct chirr_record *claims =
        chirr_records_claims(world->agents[3].store, sample_agent(0));
    cr_assert(claims == NULL || claims->claims.count == 0);
    world_destroy(world);
}

Test(dissemination, an_agent_whose_clock_was_set_back_is_heard_again)
{
    struct world *world = world_create(2, lossy);
    agent_create(world, 0, 1000, 0);
    talk(world, 3 * CHIRR_US_PER_S);
    mesh_run(world->mesh, 20 * CHIRR_US_PER_S);
    agent_create(world, 0, 7, mesh_now(world->mesh));
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
Test(dissemination, records_beyond_a_gap_reach_everybody_after_their_author_died)
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

/* ---- One machine by hand ------------------------------------------------------------------- */

static struct world alone;

static struct agent *agent_alone(void)
{
    alone.config = chirr_dissemination_config_default();
    agent_create(&alone, 0, 1, 0);
    return &alone.agents[0];
}

static bool poll_kind(struct agent *agent, enum chirr_output_kind kind,
                      enum chirr_message_kind message, struct chirr_output *output)
{
    while (chirr_dissemination_poll(agent->dissemination, output)) {
        if (output->kind == kind && output->message->kind == message) {
            return true;
        }
    }
    return false;
}

static enum chirr_err give(struct agent *agent, const struct chirr_record *records, uint32_t count,
                           const struct chirr_digest_entry *covered, uint32_t covered_count)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_RECORDS,
                                    .records = {count, records, covered_count, covered}};
    return chirr_dissemination_receive(agent->dissemination, sample_agent(1), &message, 0);
}

static uint64_t mark_of(const struct agent *agent, uint32_t author)
{
    return chirr_records_span(agent->store, sample_agent(author)).covered.version;
}

static struct chirr_record task_of(uint32_t author, uint64_t version)
{
    struct chirr_record task = sample_task(author, version);
    return sample_stamped(&task, author, 1, version);
}

Test(dissemination, versions_count_from_one_in_each_incarnation)
{
    struct agent *agent = agent_alone();
    struct chirr_record record = sample_claims(5, 1);
    const uint64_t incarnations[] = {1, 1, 3, 3, 2};
    const struct chirr_stamp stamps[] = {{1, 2}, {1, 3}, {3, 1}, {3, 2}, {3, 3}};
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(chirr_dissemination_state(agent->dissemination, &record, incarnations[i], 0),
                     CHIRR_OK);
        cr_assert_eq(chirr_stamp_compare(record.stamp, stamps[i]), 0);
        cr_assert_eq(record.author, sample_agent(0));
    }
}

Test(dissemination, what_is_dominated_is_not_said_and_takes_no_version)
{
    struct agent *agent = agent_alone();
    struct chirr_record task = sample_task(1, 1);
    struct chirr_record done = sample_phase(&task, CHIRR_TASK_DONE, 0, 1);
    done = sample_stamped(&done, 1, 1, 1);
    cr_assert_eq(give(agent, &done, 1, NULL, 0), CHIRR_OK);
    struct chirr_record reopened = sample_phase(&task, CHIRR_TASK_OPEN, 1, 0);
    cr_assert_eq(chirr_dissemination_state(agent->dissemination, &reopened, 1, 0), CHIRR_ERR_STALE);
    struct chirr_record claims = sample_claims(5, 1);
    cr_assert_eq(chirr_dissemination_state(agent->dissemination, &claims, 1, 0), CHIRR_OK);
    cr_assert_eq(claims.stamp.version, 2);
}

Test(dissemination, what_one_instant_changes_is_pushed_in_one_message)
{
    struct agent *agent = agent_alone();
    for (uint64_t nonce = 1; nonce <= 5; nonce++) {
        struct chirr_record task = sample_task(0, nonce);
        cr_assert_eq(chirr_dissemination_state(agent->dissemination, &task, 1, 0), CHIRR_OK);
    }
    struct chirr_output output;
    cr_assert(poll_kind(agent, CHIRR_OUTPUT_PUBLISH, CHIRR_MESSAGE_RECORDS, &output));
    cr_assert_eq(output.topic, CHIRR_TOPIC_EAGER);
    cr_assert_eq(output.message->records.count, 6);
    cr_assert_eq(output.message->records.covered_count, 0);
    for (uint32_t i = 0; i < 6; i++) {
        cr_assert_eq(output.message->records.records[i].stamp.version, i + 1);
    }
    cr_assert_not(chirr_dissemination_poll(agent->dissemination, &output));
}

Test(dissemination, a_long_push_goes_on_with_the_next_tick)
{
    struct agent *agent = agent_alone();
    for (uint64_t nonce = 1; nonce <= 40; nonce++) {
        struct chirr_record task = sample_task(0, nonce);
        cr_assert_eq(chirr_dissemination_state(agent->dissemination, &task, 1, 0), CHIRR_OK);
    }
    uint32_t pushed = 0;
    uint32_t messages = 0;
    struct chirr_output output;
    while (chirr_dissemination_deadline(agent->dissemination) <= 0 || messages == 0) {
        chirr_dissemination_tick(agent->dissemination, agent->membership, 0);
        while (poll_kind(agent, CHIRR_OUTPUT_PUBLISH, CHIRR_MESSAGE_RECORDS, &output)) {
            pushed += output.message->records.count;
            messages++;
        }
    }
    cr_assert_eq(pushed, 41);
    cr_assert_eq(messages, 3);
}

Test(dissemination, a_push_with_a_gap_is_joined_but_not_covered)
{
    struct agent *agent = agent_alone();
    const struct chirr_digest_entry covered[] = {{sample_agent(1), {1, 1}},
                                                 {sample_agent(0), {1, 0}}};
    bool ordered = covered[0].author < covered[1].author;
    const struct chirr_digest_entry ascending[] = {covered[!ordered], covered[ordered]};
    struct chirr_record first = task_of(1, 1);
    cr_assert_eq(give(agent, &first, 1, ascending, 2), CHIRR_OK);
    cr_assert_eq(mark_of(agent, 1), 1);
    struct chirr_record third = task_of(1, 3);
    cr_assert_eq(give(agent, &third, 1, NULL, 0), CHIRR_OK);
    cr_assert_not_null(chirr_records_task(agent->store, third.task.id));
    cr_assert_eq(mark_of(agent, 1), 1);
    struct chirr_record second = task_of(1, 2);
    cr_assert_eq(give(agent, &second, 1, NULL, 0), CHIRR_OK);
    cr_assert_eq(mark_of(agent, 1), 3);
}

Test(dissemination, marks_of_an_answer_to_an_earlier_life_do_not_count)
{
    struct agent *agent = agent_alone();
    chirr_agent_id self = sample_agent(0);
    chirr_agent_id author = sample_agent(1);
    bool self_first = self < author;
    struct chirr_digest_entry covered[2];
    covered[self_first ? 0 : 1] = (struct chirr_digest_entry){self, {9, 0}};
    covered[self_first ? 1 : 0] = (struct chirr_digest_entry){author, {1, 5}};
    struct chirr_record task = task_of(1, 5);
    cr_assert_eq(give(agent, &task, 1, covered, 2), CHIRR_OK);
    cr_assert_eq(mark_of(agent, 1), 0);
    covered[self_first ? 0 : 1].stamp = (struct chirr_stamp){1, 0};
    cr_assert_eq(give(agent, &task, 1, covered, 2), CHIRR_OK);
    cr_assert_eq(mark_of(agent, 1), 5);
}

static void ask(struct agent *agent, struct chirr_stamp known)
{
    struct chirr_digest_entry entry = {sample_agent(0), known};
    struct chirr_message digest = {
        .kind = CHIRR_MESSAGE_DIGEST,
        .digest = {.answer_wanted = true, .count = known.incarnation != 0, .entries = &entry}};
    cr_assert_eq(chirr_dissemination_receive(agent->dissemination, sample_agent(1), &digest, 0),
                 CHIRR_OK);
}

Test(dissemination, a_truncated_answer_covers_what_it_contains)
{
    alone.config = chirr_dissemination_config_default();
    alone.config.repair_records_max = 2;
    agent_create(&alone, 0, 1, 0);
    struct agent *agent = &alone.agents[0];
    for (uint64_t nonce = 1; nonce <= 4; nonce++) {
        struct chirr_record task = sample_task(0, nonce);
        cr_assert_eq(chirr_dissemination_state(agent->dissemination, &task, 1, 0), CHIRR_OK);
    }
    struct chirr_output output;
    const uint64_t known[] = {0, 2, 4};
    const uint64_t marks[] = {2, 4, 5};
    for (int i = 0; i < 3; i++) {
        ask(agent, (struct chirr_stamp){known[i] > 0, known[i]});
        cr_assert(poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_RECORDS, &output));
        cr_assert_eq(output.to, sample_agent(1));
        cr_assert_eq(output.message->records.covered_count, 1);
        cr_assert_eq(output.message->records.covered[0].stamp.version, marks[i]);
    }
    while (chirr_dissemination_poll(agent->dissemination, &output)) {
    }
    ask(agent, (struct chirr_stamp){1, 5});
    cr_assert_not(poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_RECORDS, &output));
}

Test(dissemination, a_digest_is_answered_with_ones_own_when_wanted)
{
    struct agent *agent = agent_alone();
    struct chirr_output output;
    ask(agent, (struct chirr_stamp){1, 1});
    cr_assert(poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_DIGEST, &output));
    cr_assert_eq(output.to, sample_agent(1));
    cr_assert_not(output.message->digest.answer_wanted);
    cr_assert_eq(output.message->digest.count, 1);
    cr_assert_eq(output.message->digest.entries[0].author, sample_agent(0));
    cr_assert_eq(output.message->digest.entries[0].stamp.incarnation, 1);
    cr_assert_eq(output.message->digest.entries[0].stamp.version, 1);
    chirr_dissemination_ask(agent->dissemination, sample_agent(2));
    cr_assert(poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_DIGEST, &output));
    cr_assert(output.message->digest.answer_wanted);
}

Test(dissemination, more_changes_than_fit_show_everything_again)
{
    alone.config = chirr_dissemination_config_default();
    alone.config.changes_max = 4;
    agent_create(&alone, 0, 1, 0);
    struct agent *agent = &alone.agents[0];
    for (uint64_t version = 1; version <= 100; version++) {
        struct chirr_record task = task_of(1, version);
        cr_assert_eq(chirr_dissemination_restore(agent->dissemination, &task), CHIRR_OK);
    }
    cr_assert_gt(chirr_dissemination_count(agent->dissemination)->overflows, 0);
    bool shown[101] = {false};
    struct chirr_record changed;
    cr_assert(chirr_dissemination_changed(agent->dissemination, &changed));
    cr_assert_eq(changed.kind, CHIRR_RECORD_CARD);
    for (uint32_t i = 0; chirr_dissemination_changed(agent->dissemination, &changed); i++) {
        cr_assert_lt(i, 110);
        shown[changed.stamp.version] = true;
        if (i < 3) { /* what comes between is shown too, wherever the walk is */
            struct chirr_record task = sample_task(0, i);
            cr_assert_eq(chirr_dissemination_state(agent->dissemination, &task, 1, 0), CHIRR_OK);
        }
    }
    for (uint64_t version = 1; version <= 100; version++) {
        cr_assert(shown[version], "version %llu", (unsigned long long)version);
    }
}

Test(dissemination, a_record_left_out_for_lack_of_room_holds_up_its_authors_mark)
{
    struct agent *agent = agent_alone();
    chirr_agent_id self = sample_agent(0);
    bool self_first = self < sample_agent(1);
    struct chirr_digest_entry covered[2];
    covered[self_first ? 0 : 1] = (struct chirr_digest_entry){self, {1, 0}};
    covered[self_first ? 1 : 0] = (struct chirr_digest_entry){sample_agent(1), {1, 9}};
    for (uint32_t i = 0; i < store_config.tasks_max; i++) {
        struct chirr_record task = sample_task(0, i);
        cr_assert_eq(chirr_dissemination_state(agent->dissemination, &task, 1, 0), CHIRR_OK);
    }
    struct chirr_record task = task_of(1, 3);
    cr_assert_eq(give(agent, &task, 1, covered, 2), CHIRR_ERR_FULL);
    cr_assert_eq(mark_of(agent, 1), 0);
    struct chirr_record cancelled = sample_task(0, 0);
    cancelled = sample_phase(&cancelled, CHIRR_TASK_CANCELLED, 0, 0);
    cr_assert_eq(chirr_dissemination_state(agent->dissemination, &cancelled, 1, 0), CHIRR_OK);
    cr_assert_eq(give(agent, &task, 1, covered, 2), CHIRR_OK);
    cr_assert_eq(mark_of(agent, 1), 9);
}

Test(dissemination, a_task_forgotten_by_the_store_is_not_taken_in_again)
{
    struct agent *agent = agent_alone();
    chirr_records_cover(agent->store, (struct chirr_digest_entry){sample_agent(1), {1, 5}});
    struct chirr_record late = task_of(1, 4);
    cr_assert_eq(give(agent, &late, 1, NULL, 0), CHIRR_OK);
    cr_assert_null(chirr_records_task(agent->store, late.task.id));
}

Test(dissemination, what_changed_is_shown_in_order)
{
    struct agent *agent = agent_alone();
    struct chirr_record tasks[] = {task_of(1, 2), task_of(1, 1)};
    cr_assert_eq(give(agent, tasks, 2, NULL, 0), CHIRR_OK);
    cr_assert_eq(give(agent, tasks, 2, NULL, 0), CHIRR_OK); /* known: no change */
    struct chirr_record changed;
    cr_assert(chirr_dissemination_changed(agent->dissemination, &changed));
    cr_assert_eq(changed.kind, CHIRR_RECORD_CARD);
    for (int i = 0; i < 2; i++) {
        cr_assert(chirr_dissemination_changed(agent->dissemination, &changed));
        cr_assert_eq(changed.task.id, tasks[i].task.id);
    }
    cr_assert_not(chirr_dissemination_changed(agent->dissemination, &changed));
}

Test(dissemination, restored_tasks_are_stated_again_in_the_new_life)
{
    alone.config = chirr_dissemination_config_default();
    agent_create(&alone, 0, 5, 0);
    struct agent *agent = &alone.agents[0];
    struct chirr_record task = sample_task(0, 1);
    struct chirr_record old = sample_stamped(&task, 0, 2, 17);
    cr_assert_eq(chirr_dissemination_restore(agent->dissemination, &old), CHIRR_OK);
    const struct chirr_record *held = chirr_records_task(agent->store, task.task.id);
    cr_assert_eq(held->stamp.incarnation, 5);
    cr_assert_eq(held->stamp.version, 2);
    struct chirr_record others = task_of(1, 3);
    cr_assert_eq(chirr_dissemination_restore(agent->dissemination, &others), CHIRR_OK);
    cr_assert_not_null(chirr_records_task(agent->store, others.task.id));
    cr_assert_eq(mark_of(agent, 1), 0);
}

Test(dissemination, the_first_statement_of_a_life_needs_a_new_incarnation)
{
    struct agent *agent = agent_alone();
    struct chirr_dissemination_config config = chirr_dissemination_config_default();
    config.self = sample_agent(0);
    struct chirr_arena arena;
    cr_assert_eq(chirr_arena_init(&arena, chirr_dissemination_bytes(&config)), CHIRR_OK);
    struct chirr_dissemination *later =
        chirr_dissemination_create(&arena, &config, agent->store, 0);
    struct chirr_record task = sample_task(0, 1);
    struct chirr_record old = sample_stamped(&task, 0, 2, 17);
    cr_assert_eq(chirr_dissemination_restore(later, &old), CHIRR_OK);
    struct chirr_record claims = sample_claims(0, 0);
    cr_assert_eq(chirr_dissemination_state(later, &claims, 2, 0), CHIRR_ERR_STALE);
    cr_assert_eq(chirr_dissemination_state(later, &claims, 3, 0), CHIRR_OK);
    chirr_arena_finish(&arena);
}

Test(dissemination, a_tick_before_the_deadline_has_no_effect)
{
    struct agent *agent = agent_alone();
    struct chirr_output output;
    while (chirr_dissemination_poll(agent->dissemination, &output)) {
    }
    chirr_time_us deadline = chirr_dissemination_deadline(agent->dissemination);
    cr_assert_gt(deadline, 0);
    chirr_dissemination_tick(agent->dissemination, agent->membership, deadline - 1);
    cr_assert_not(chirr_dissemination_poll(agent->dissemination, &output));
    cr_assert_eq(chirr_dissemination_deadline(agent->dissemination), deadline);
    chirr_dissemination_tick(agent->dissemination, agent->membership, deadline);
    cr_assert(poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_DIGEST, &output));
    cr_assert_gt(chirr_dissemination_deadline(agent->dissemination), deadline);
}

Test(dissemination, digests_that_nobody_polls_are_dropped_and_counted)
{
    struct agent *agent = agent_alone();
    for (uint32_t i = 0; i < 1000; i++) {
        chirr_dissemination_ask(agent->dissemination, sample_agent(1));
    }
    struct chirr_output output;
    uint32_t polled = 0;
    while (poll_kind(agent, CHIRR_OUTPUT_SEND, CHIRR_MESSAGE_DIGEST, &output)) {
        polled++;
    }
    cr_assert_lt(polled, 100);
    cr_assert_eq(chirr_dissemination_count(agent->dissemination)->dropped, 1000 - polled);
}

Test(dissemination, other_messages_are_refused)
{
    struct agent *agent = agent_alone();
    struct chirr_message ping = {.kind = CHIRR_MESSAGE_PING};
    cr_assert_eq(chirr_dissemination_receive(agent->dissemination, sample_agent(1), &ping, 0),
                 CHIRR_ERR_INVALID);
}

Test(dissemination, creation_fails_at_every_cut_and_takes_exactly_its_bytes)
{
    struct agent *agent = agent_alone();
    struct chirr_dissemination_config config = chirr_dissemination_config_default();
    config.self = sample_agent(0);
    size_t bytes = chirr_dissemination_bytes(&config);
    struct chirr_arena arena;
    cr_assert_eq(chirr_arena_init(&arena, bytes), CHIRR_OK);
    for (arena.capacity = 0; arena.capacity < bytes; arena.capacity += CHIRR_ARENA_ALIGN) {
        arena.used = 0;
        cr_assert_null(chirr_dissemination_create(&arena, &config, agent->store, 0));
    }
    arena.used = 0;
    memset(arena.base, 0, bytes);
    cr_assert_not_null(chirr_dissemination_create(&arena, &config, agent->store, 0));
    cr_assert_eq(arena.used, bytes);
    chirr_arena_finish(&arena);
}

Test(dissemination, a_bad_configuration_is_named)
{
    struct chirr_error error;
    struct chirr_dissemination_config config = chirr_dissemination_config_default();
    cr_assert_eq(chirr_dissemination_config_validate(&config, &error), CHIRR_OK);
    config.repair_records_max = CHIRR_RECORDS_MAX + 1;
    cr_assert_eq(chirr_dissemination_config_validate(&config, &error), CHIRR_ERR_RANGE);
    cr_assert_not_null(strstr(error.text, "repair_records_max"));
    config = chirr_dissemination_config_default();
    config.repair_interval_ms = 0;
    cr_assert_eq(chirr_dissemination_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = chirr_dissemination_config_default();
    config.changes_max = 0;
    cr_assert_eq(chirr_dissemination_config_validate(&config, &error), CHIRR_ERR_RANGE);
}
