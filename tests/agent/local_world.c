/* The world of nodes with local views: a ring of milliseconds with messages in flight. */
#include "tests/agent/local_world.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "tests/support/sample.h"

#define SLOTS 32 /* of a millisecond; no latency is longer */
#define LATENCY_MS_MAX 20
#define BOOT_MS 2000

struct flight {
    struct flight *next;
    uint32_t from, to;
    struct chirr_message *message; /* owned */
};

struct job {
    bool running, stopped;
    chirr_task_id task;
    uint32_t epoch;
    chirr_time_us ends_at;
};

struct place {
    struct chirr_arena arena;
    struct chirr_node *node; /* NULL: down */
    chirr_agent_id id;
    chirr_time_us boot_at; /* NEVER: it is up, or killed */
    chirr_time_us deadline;
    struct job job;
    bool *lazy; /* [node_count]: whom it hears announce, not push */
};

struct local_world {
    struct local_world_config config;
    struct chirr_random random;
    chirr_time_us now;
    struct place *places;
    struct flight *slots[SLOTS];
    uint32_t starts, finished;
};

static void boot(struct local_world *world, uint32_t index)
{
    struct place *place = &world->places[index];
    struct chirr_node_config *config = malloc(sizeof *config);
    cr_assert_not_null(config);
    *config = chirr_node_config_default();
    config->incarnation = 1000;
    config->seed = world->config.seed * 1000 + index;
    config->agents_max = world->config.agents_max;
    config->tasks_max = 128;
    config->local_view = true;
    config->card = sample_card(index).card;
    config->card.slots = index % world->config.workers_one_in == 0;
    memset(&config->card.provides, 0, sizeof config->card.provides);
    for (uint32_t i = 0; i < 2; i++) {
        if (i != index) {
            config->seeds[config->seed_count++] = sample_card(i).card;
        }
    }
    struct chirr_error error = {0};
    cr_assert_eq(chirr_node_config_validate(config, &error), CHIRR_OK, "%s", error.text);
    cr_assert_eq(chirr_arena_init(&place->arena, chirr_node_bytes(config)), CHIRR_OK);
    place->node = chirr_node_create(&place->arena, config, world->now);
    cr_assert_not_null(place->node);
    place->deadline = world->now;
    place->boot_at = CHIRR_TIME_NEVER;
    free(config);
}

struct local_world *local_world_create(const struct local_world_config *config)
{
    struct local_world *world = calloc(1, sizeof *world);
    cr_assert_not_null(world);
    world->config = *config;
    world->now = CHIRR_US_PER_S;
    chirr_random_init(&world->random, config->seed, UINT64_C(0x6c6f63616c));
    world->places = calloc(config->node_count, sizeof *world->places);
    cr_assert_not_null(world->places);
    for (uint32_t i = 0; i < config->node_count; i++) {
        struct place *place = &world->places[i];
        place->id = sample_agent(i);
        place->lazy = calloc(config->node_count, sizeof *place->lazy);
        cr_assert_not_null(place->lazy);
        place->deadline = CHIRR_TIME_NEVER;
        uint64_t after_ms = i < 2 ? 0 : chirr_random_below(&world->random, BOOT_MS);
        place->boot_at = world->now + chirr_time_from_ms((int64_t)after_ms);
    }
    return world;
}

void local_world_destroy(struct local_world *world)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        for (struct flight *flight = world->slots[i], *next; flight != NULL; flight = next) {
            next = flight->next;
            free(flight->message);
            free(flight);
        }
    }
    for (uint32_t i = 0; i < world->config.node_count; i++) {
        if (world->places[i].node != NULL) {
            chirr_arena_finish(&world->places[i].arena);
        }
        free(world->places[i].lazy);
    }
    free(world->places);
    free(world);
}

void local_world_kill(struct local_world *world, uint32_t index)
{
    struct place *place = &world->places[index];
    chirr_arena_finish(&place->arena);
    place->node = NULL;
    place->job.running = false;
    place->deadline = CHIRR_TIME_NEVER;
}

/* ---- What nodes put out -------------------------------------------------------------------- */

static uint32_t index_of(const struct local_world *world, chirr_agent_id id)
{
    uint32_t index = 0;
    while (index < world->config.node_count && world->places[index].id != id) {
        index++;
    }
    return index;
}

static void fly(struct local_world *world, uint32_t from, uint32_t to,
                const struct chirr_message *message)
{
    if (to == world->config.node_count ||
        chirr_random_below(&world->random, 1000) < world->config.loss_permille) {
        return;
    }
    struct flight *flight = malloc(sizeof *flight);
    cr_assert_not_null(flight);
    size_t bytes = (chirr_message_copy_bytes(message) + 15) / 16 * 16;
    void *memory = aligned_alloc(16, bytes);
    cr_assert_not_null(memory);
    uint64_t latency_ms = 1 + chirr_random_below(&world->random, LATENCY_MS_MAX);
    struct flight **slot =
        &world->slots[((uint64_t)(world->now / CHIRR_US_PER_MS) + latency_ms) % SLOTS];
    *flight = (struct flight){*slot, from, to, chirr_message_copy(memory, message)};
    *slot = flight;
}

static bool hears(const struct local_world *world, uint32_t to, uint32_t from,
                  enum chirr_topic topic)
{
    const struct place *place = &world->places[to];
    if (to == from || place->node == NULL ||
        !chirr_overlay_is_neighbour(chirr_node_overlay(place->node), world->places[from].id)) {
        return false;
    }
    bool tree = topic == CHIRR_TOPIC_EAGER || topic == CHIRR_TOPIC_LAZY;
    return !tree || place->lazy[from] == (topic == CHIRR_TOPIC_LAZY);
}

static void start(struct local_world *world, uint32_t index, const struct chirr_task *task)
{
    struct place *place = &world->places[index];
    cr_assert_not(place->job.running, "node %u has one slot", index);
    int64_t job_ms = 200 + (int64_t)chirr_random_below(&world->random, 400);
    place->job = (struct job){.running = true,
                              .task = task->id,
                              .epoch = task->epoch,
                              .ends_at = world->now + chirr_time_from_ms(job_ms)};
    world->starts++;
}

static void price(struct local_world *world, uint32_t index, const struct chirr_task *task)
{
    const struct chirr_price price = {.task = task->id,
                                      .duration_us =
                                          500000 + chirr_random_below(&world->random, 500000),
                                      .deviation_us = 1000,
                                      .success_permille = 1000};
    chirr_node_price(world->places[index].node, &price, world->now);
}

static void carry_out(struct local_world *world, uint32_t index, const struct chirr_output *output)
{
    struct place *place = &world->places[index];
    switch (output->kind) {
    case CHIRR_OUTPUT_SEND:
        cr_assert_eq(chirr_message_validate(output->message), CHIRR_OK);
        fly(world, index, index_of(world, output->to), output->message);
        break;
    case CHIRR_OUTPUT_PUBLISH:
        cr_assert_eq(chirr_message_validate(output->message), CHIRR_OK);
        for (uint32_t i = 0; i < world->config.node_count; i++) {
            if (world->places[i].id != output->except && hears(world, i, index, output->topic)) {
                fly(world, index, i, output->message);
            }
        }
        break;
    case CHIRR_OUTPUT_LISTEN:
        place->lazy[index_of(world, output->to)] = output->topic == CHIRR_TOPIC_LAZY;
        break;
    case CHIRR_OUTPUT_PRICE:
        price(world, index, output->task);
        break;
    case CHIRR_OUTPUT_START:
        start(world, index, output->task);
        break;
    case CHIRR_OUTPUT_STOP:
        place->job.stopped = true;
        break;
    default:
        break;
    }
}

static void drain(struct local_world *world, uint32_t index)
{
    struct place *place = &world->places[index];
    struct chirr_output output;
    while (chirr_node_poll(place->node, &output)) {
        carry_out(world, index, &output);
    }
    place->deadline = chirr_node_deadline(place->node);
}

/* ---- Time ---------------------------------------------------------------------------------- */

static void deliver(struct local_world *world)
{
    struct flight **slot = &world->slots[(uint64_t)(world->now / CHIRR_US_PER_MS) % SLOTS];
    struct flight *flight = *slot;
    *slot = NULL;
    while (flight != NULL) {
        struct flight *next = flight->next;
        struct place *to = &world->places[flight->to];
        if (to->node != NULL) {
            (void)!chirr_node_receive(to->node, world->places[flight->from].id, flight->message,
                                      world->now);
            drain(world, flight->to);
        }
        free(flight->message);
        free(flight);
        flight = next;
    }
}

static void end_job(struct local_world *world, uint32_t index)
{
    struct job *job = &world->places[index].job;
    if (!job->running || job->ends_at > world->now) {
        return;
    }
    const struct chirr_task_result result = {.end = CHIRR_TASK_END_EXITED, .duration_us = 400000};
    job->running = false;
    enum chirr_err err =
        chirr_node_ended(world->places[index].node, job->task, job->epoch, &result, world->now);
    cr_assert_eq(err, job->stopped ? CHIRR_ERR_NOTFOUND : CHIRR_OK);
    world->finished += !job->stopped;
    drain(world, index);
}

void local_world_run(struct local_world *world, chirr_time_us duration)
{
    chirr_time_us until = world->now + duration;
    for (; world->now < until; world->now += CHIRR_US_PER_MS) {
        deliver(world);
        for (uint32_t i = 0; i < world->config.node_count; i++) {
            struct place *place = &world->places[i];
            if (place->boot_at <= world->now) {
                boot(world, i);
            }
            end_job(world, i);
            if (place->deadline <= world->now) {
                chirr_node_tick(place->node, world->now);
                drain(world, i);
            }
        }
    }
}

/* ---- Looking in ---------------------------------------------------------------------------- */

const struct chirr_node *local_world_node(const struct local_world *world, uint32_t index)
{
    return world->places[index].node;
}

chirr_agent_id local_world_id(const struct local_world *world, uint32_t index)
{
    return world->places[index].id;
}

chirr_task_id local_world_submit(struct local_world *world, uint32_t index)
{
    struct chirr_task_spec spec = sample_task(index, 1).task.spec;
    memset(&spec.requires, 0, sizeof spec.requires);
    spec.time_limit_ms = 20000;
    chirr_task_id id;
    cr_assert_eq(chirr_node_submit(world->places[index].node, &spec, world->now, &id), CHIRR_OK);
    drain(world, index);
    return id;
}

enum chirr_task_phase local_world_phase(const struct local_world *world, uint32_t index,
                                        chirr_task_id task)
{
    const struct chirr_record *record =
        chirr_records_task(chirr_node_records(world->places[index].node), task);
    return record == NULL ? 0 : record->task.phase;
}

uint32_t local_world_runner(const struct local_world *world, chirr_task_id task)
{
    uint32_t index = 0;
    while (index < world->config.node_count &&
           (!world->places[index].job.running || world->places[index].job.task != task)) {
        index++;
    }
    return index;
}

uint32_t local_world_starts(const struct local_world *world)
{
    return world->starts;
}

uint32_t local_world_finished(const struct local_world *world)
{
    return world->finished;
}

uint32_t local_world_live_count(const struct local_world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->config.node_count; i++) {
        count += world->places[i].node != NULL;
    }
    return count;
}

uint32_t local_world_reached(const struct local_world *world)
{
    uint32_t *queue = calloc(world->config.node_count, sizeof *queue);
    bool *seen = calloc(world->config.node_count, sizeof *seen);
    cr_assert(queue != NULL && seen != NULL);
    uint32_t count = 0;
    for (uint32_t i = 0; count == 0 && i < world->config.node_count; i++) {
        if (world->places[i].node != NULL) {
            queue[count++] = i;
            seen[i] = true;
        }
    }
    for (uint32_t at = 0; at < count; at++) {
        struct chirr_neighbours view =
            chirr_overlay_neighbours(chirr_node_overlay(world->places[queue[at]].node));
        for (uint32_t i = 0; i < view.count; i++) {
            uint32_t index = index_of(world, view.agents[i]);
            if (!seen[index] && world->places[index].node != NULL) {
                seen[index] = true;
                queue[count++] = index;
            }
        }
    }
    free(queue);
    free(seen);
    return count;
}
