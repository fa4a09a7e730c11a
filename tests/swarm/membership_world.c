/* The virtual network of the membership tests: one heap of deliveries and wakings. */
#include "tests/swarm/membership_world.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "tests/support/sample.h"

#define DEGREE_MAX 16
#define INBOX_MAX 256

struct event {
    chirr_time_us at;
    uint64_t sequence;
    uint32_t to, from;
    struct chirr_message *message; /* owned; NULL: `to` wakes */
};

struct agent {
    struct chirr_arena arena;
    struct chirr_membership *membership;
    chirr_agent_id id;
    bool up, paused;
    bool unwell; /* stood still at some time */
    uint32_t side;
    chirr_time_us wake_us; /* of its waking in the heap */
    uint32_t neighbour_count;
    uint32_t neighbours[DEGREE_MAX];
    uint32_t inbox_count;
    struct event inbox[INBOX_MAX];
};

struct world {
    struct world_config config;
    struct chirr_random random;
    chirr_time_us now;
    uint64_t sequence;
    struct agent *agents; /* [count] */
    uint32_t *by_id;      /* [count], ascending by id */
    size_t event_count, event_capacity;
    struct event *events;
    struct world_counters counters;
};

struct world_config world_config_default(uint64_t seed, uint32_t count)
{
    struct world_config config = {.seed = seed,
                                  .count = count,
                                  .degree = 5,
                                  .latency_min_us = 1000,
                                  .latency_max_us = 20000,
                                  .membership = chirr_membership_config_default()};
    config.membership.members_max = count;
    return config;
}

/* ---- Events -------------------------------------------------------------------------------- */

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->sequence < b->sequence;
}

static void push_event(struct world *world, struct event event)
{
    if (world->event_count == world->event_capacity) {
        world->event_capacity = world->event_capacity == 0 ? 4096 : 2 * world->event_capacity;
        world->events = realloc(world->events, world->event_capacity * sizeof *world->events);
        cr_assert_not_null(world->events);
    }
    event.sequence = world->sequence++;
    size_t at = world->event_count++;
    while (at > 0 && is_before(&event, &world->events[(at - 1) / 2])) {
        world->events[at] = world->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->events[at] = event;
}

static struct event pop_event(struct world *world)
{
    struct event top = world->events[0];
    struct event last = world->events[--world->event_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < world->event_count &&
            is_before(&world->events[child + 1], &world->events[child])) {
            child++;
        }
        if (child >= world->event_count || !is_before(&world->events[child], &last)) {
            break;
        }
        world->events[at] = world->events[child];
        at = child;
    }
    world->events[at] = last;
    return top;
}

static void send_to(struct world *world, uint32_t from, uint32_t to,
                    const struct chirr_message *message)
{
    cr_assert_eq(chirr_message_validate(message), CHIRR_OK);
    world->counters.sent++;
    if (chirr_random_below(&world->random, 1000) < world->config.loss_permille ||
        world->agents[from].side != world->agents[to].side) {
        return;
    }
    struct chirr_message *copy = malloc(sizeof *copy);
    cr_assert_not_null(copy);
    *copy = *message;
    uint64_t spread = (uint64_t)(world->config.latency_max_us - world->config.latency_min_us) + 1;
    chirr_time_us latency =
        world->config.latency_min_us + (chirr_time_us)chirr_random_below(&world->random, spread);
    push_event(world,
               (struct event){.at = world->now + latency, .to = to, .from = from, .message = copy});
}

/* ---- Agents -------------------------------------------------------------------------------- */

static uint32_t index_of(const struct world *world, chirr_agent_id id)
{
    uint32_t low = 0;
    uint32_t high = world->config.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (world->agents[world->by_id[middle]].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    cr_assert_lt(low, world->config.count);
    return world->by_id[low];
}

static void publish(struct world *world, uint32_t from, const struct chirr_output *output)
{
    const struct agent *agent = &world->agents[from];
    uint32_t count = world->config.degree == 0 ? world->config.count : agent->neighbour_count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t to = world->config.degree == 0 ? i : agent->neighbours[i];
        if (to != from && world->agents[to].id != output->except) {
            send_to(world, from, to, output->message);
        }
    }
}

static void note_status(struct world *world, uint32_t from, const struct chirr_output *output,
                        bool ticked)
{
    const struct agent *of = &world->agents[index_of(world, output->member.agent)];
    bool well = of->up && !of->unwell && of->side == world->agents[from].side;
    if (ticked && well && output->member.status == CHIRR_MEMBER_DEAD) {
        world->counters.false_deaths++;
    }
}

/* Carries its outputs out and keeps its waking in the heap. */
static void drain(struct world *world, uint32_t index, bool ticked)
{
    struct agent *agent = &world->agents[index];
    struct chirr_output output;
    while (chirr_membership_poll(agent->membership, &output)) {
        if (output.kind == CHIRR_OUTPUT_SEND) {
            send_to(world, index, index_of(world, output.to), output.message);
        } else if (output.kind == CHIRR_OUTPUT_PUBLISH) {
            publish(world, index, &output);
        } else {
            cr_assert_eq(output.kind, CHIRR_OUTPUT_MEMBER);
            note_status(world, index, &output, ticked);
        }
    }
    chirr_time_us deadline = chirr_membership_deadline(agent->membership);
    if (deadline < agent->wake_us) {
        agent->wake_us = deadline;
        push_event(world, (struct event){.at = deadline, .to = index});
    }
}

static void hear(struct world *world, const struct event *event)
{
    struct agent *agent = &world->agents[event->to];
    cr_assert_eq(chirr_membership_receive(agent->membership, world->agents[event->from].id,
                                          event->message, world->now),
                 CHIRR_OK);
    drain(world, event->to, false);
}

static void wake(struct world *world, uint32_t index)
{
    chirr_membership_tick(world->agents[index].membership, world->now);
    drain(world, index, true);
}

static void deliver(struct world *world, struct event *event)
{
    struct agent *agent = &world->agents[event->to];
    if (agent->up && agent->paused && agent->inbox_count < INBOX_MAX) {
        agent->inbox[agent->inbox_count++] = *event;
        return;
    }
    if (agent->up && !agent->paused && agent->side == world->agents[event->from].side) {
        hear(world, event);
    }
    free(event->message);
}

void world_run(struct world *world, chirr_time_us until_us)
{
    while (world->event_count > 0 && world->events[0].at <= until_us) {
        struct event event = pop_event(world);
        struct agent *agent = &world->agents[event.to];
        world->now = event.at;
        if (event.message != NULL) {
            deliver(world, &event);
        } else if (event.at == agent->wake_us) {
            agent->wake_us = CHIRR_TIME_NEVER;
            if (agent->up && !agent->paused) {
                wake(world, event.to);
            }
        }
    }
    world->now = until_us;
}

/* ---- What happens to them ------------------------------------------------------------------ */

static void create_agent(struct world *world, uint32_t index, uint64_t incarnation)
{
    struct agent *agent = &world->agents[index];
    struct chirr_membership_config config = world->config.membership;
    config.self = agent->id;
    config.seed = world->config.seed;
    config.incarnation = incarnation;
    chirr_arena_finish(&agent->arena);
    cr_assert_eq(chirr_arena_init(&agent->arena, chirr_membership_bytes(&config)), CHIRR_OK);
    agent->membership = chirr_membership_create(&agent->arena, &config, world->now);
    cr_assert_not_null(agent->membership);
    chirr_agent_id watched[DEGREE_MAX];
    for (uint32_t i = 0; i < agent->neighbour_count; i++) {
        watched[i] = world->agents[agent->neighbours[i]].id;
    }
    chirr_membership_watch(agent->membership, watched, agent->neighbour_count);
    for (uint32_t i = 0; i < world->config.count; i++) {
        cr_assert_eq(chirr_membership_add(agent->membership, world->agents[i].id, 1, world->now),
                     CHIRR_OK);
    }
    agent->up = true;
    agent->paused = false;
    agent->wake_us = CHIRR_TIME_NEVER;
    drain(world, index, false);
}

static bool are_neighbours(const struct agent *a, uint32_t b)
{
    for (uint32_t i = 0; i < a->neighbour_count; i++) {
        if (a->neighbours[i] == b) {
            return true;
        }
    }
    return false;
}

static void connect_agents(struct world *world)
{
    for (uint32_t i = 0; i < world->config.count; i++) {
        struct agent *a = &world->agents[i];
        uint32_t tries = 0;
        while (a->neighbour_count < world->config.degree && tries++ < 1000) {
            uint32_t j = (uint32_t)chirr_random_below(&world->random, world->config.count);
            struct agent *b = &world->agents[j];
            if (j != i && !are_neighbours(a, j) && b->neighbour_count < world->config.degree + 2) {
                a->neighbours[a->neighbour_count++] = j;
                b->neighbours[b->neighbour_count++] = i;
            }
        }
    }
}

static struct world *sorted; /* qsort takes no context */

static int compare_ids(const void *a, const void *b)
{
    chirr_agent_id x = sorted->agents[*(const uint32_t *)a].id;
    chirr_agent_id y = sorted->agents[*(const uint32_t *)b].id;
    return (x > y) - (x < y);
}

struct world *world_create(const struct world_config *config)
{
    cr_assert_leq(config->degree + 2, DEGREE_MAX);
    struct world *world = calloc(1, sizeof *world);
    cr_assert_not_null(world);
    world->config = *config;
    world->agents = calloc(config->count, sizeof *world->agents);
    world->by_id = calloc(config->count, sizeof *world->by_id);
    cr_assert(world->agents != NULL && world->by_id != NULL);
    chirr_random_init(&world->random, config->seed, UINT64_C(0x776f726c64));
    for (uint32_t i = 0; i < config->count; i++) {
        world->agents[i].id = sample_agent(i);
        world->by_id[i] = i;
    }
    sorted = world;
    qsort(world->by_id, config->count, sizeof *world->by_id, compare_ids);
    connect_agents(world);
    for (uint32_t i = 0; i < config->count; i++) {
        create_agent(world, i, 1);
    }
    return world;
}

static void empty_inbox(struct agent *agent)
{
    for (uint32_t i = 0; i < agent->inbox_count; i++) {
        free(agent->inbox[i].message);
    }
    agent->inbox_count = 0;
}

void world_destroy(struct world *world)
{
    for (size_t i = 0; i < world->event_count; i++) {
        free(world->events[i].message);
    }
    for (uint32_t i = 0; i < world->config.count; i++) {
        empty_inbox(&world->agents[i]);
        chirr_arena_finish(&world->agents[i].arena);
    }
    free(world->events);
    free(world->by_id);
    free(world->agents);
    free(world);
}

void world_crash(struct world *world, uint32_t agent)
{
    world->agents[agent].up = false;
    empty_inbox(&world->agents[agent]);
}

void world_restart(struct world *world, uint32_t agent, uint64_t incarnation)
{
    world_crash(world, agent);
    create_agent(world, agent, incarnation);
}

void world_pause(struct world *world, uint32_t index, bool paused)
{
    struct agent *agent = &world->agents[index];
    bool resumes = agent->paused && !paused;
    agent->paused = paused;
    agent->unwell = agent->unwell || paused;
    if (!resumes || !agent->up) {
        return;
    }
    agent->wake_us = CHIRR_TIME_NEVER;
    wake(world, index);
    for (uint32_t i = 0; i < agent->inbox_count; i++) {
        hear(world, &agent->inbox[i]);
    }
    empty_inbox(agent);
}

void world_leave(struct world *world, uint32_t agent)
{
    chirr_membership_leave(world->agents[agent].membership, world->now);
    drain(world, agent, false);
    world_crash(world, agent);
}

void world_set_side(struct world *world, uint32_t agent, uint32_t side)
{
    world->agents[agent].side = side;
}

void world_set_loss(struct world *world, uint32_t permille)
{
    world->config.loss_permille = permille;
}

/* ---- Looking in ---------------------------------------------------------------------------- */

chirr_time_us world_now(const struct world *world)
{
    return world->now;
}

struct chirr_membership *world_member(struct world *world, uint32_t agent)
{
    return world->agents[agent].membership;
}

static enum chirr_member_status status_of(const struct world *world, uint32_t at, uint32_t of)
{
    return chirr_membership_find(world->agents[at].membership, world->agents[of].id)->status;
}

uint32_t world_count_status(struct world *world, uint32_t of, enum chirr_member_status status)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->config.count; i++) {
        count += i != of && world->agents[i].up && status_of(world, i, of) == status;
    }
    return count;
}

bool world_is_agreed(struct world *world)
{
    uint32_t up = 0;
    for (uint32_t i = 0; i < world->config.count; i++) {
        up += world->agents[i].up;
    }
    for (uint32_t of = 0; of < world->config.count; of++) {
        uint32_t alive = world_count_status(world, of, CHIRR_MEMBER_ALIVE);
        if (alive != (world->agents[of].up ? up - 1 : 0)) {
            return false;
        }
    }
    return true;
}

struct world_counters world_count(const struct world *world)
{
    struct world_counters counters = world->counters;
    for (uint32_t i = 0; i < world->config.count; i++) {
        counters.suspicions +=
            chirr_membership_count_events(world->agents[i].membership)->suspicions;
    }
    return counters;
}
