/* The virtual network of overlays: one heap of events. */
#include "tests/swarm/overlay_world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/random.h"
#include "tests/support/sample.h"

#define LINKS_MAX 192

enum event_kind {
    EVENT_TICK,
    EVENT_MESSAGE,
    EVENT_CARD,  /* node learns about another */
    EVENT_DEAD,  /* that it cannot be reached */
    EVENT_ALIVE, /* that it can again */
};

/* A message without cards but with their authors. */
struct packet {
    uint32_t from;
    struct chirr_view_message view;
    chirr_agent_id authors[CHIRR_VIEW_CARDS_MAX];
};

struct event {
    chirr_time_us at;
    uint64_t sequence;
    enum event_kind kind;
    uint32_t node, about;
    struct packet *packet; /* owned */
};

struct standing {
    chirr_agent_id to;
    enum chirr_link kind;
};

struct node {
    struct chirr_arena arena;
    struct chirr_overlay *overlay;
    bool up;
    uint32_t side;
    uint32_t life;         /* how often it was started */
    chirr_time_us tick_us; /* of the tick in the heap */
    uint32_t link_count;
    struct standing links[LINKS_MAX];
};

struct index {
    chirr_agent_id agent;
    uint32_t node;
};

struct overlay_world {
    struct overlay_world_config config;
    struct chirr_arena arena;
    struct chirr_record_store *records;
    struct chirr_random random;
    struct node *nodes;
    struct index *index; /* [count], ascending by agent */
    chirr_time_us now;
    uint64_t sequence;
    uint64_t sent;
    size_t event_count, event_capacity;
    struct event *heap;
};

/* ---- Events -------------------------------------------------------------------------------- */

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->sequence < b->sequence;
}

static void push(struct overlay_world *world, struct event event)
{
    if (world->event_count == world->event_capacity) {
        world->event_capacity = world->event_capacity * 2 + 1024;
        world->heap = realloc(world->heap, world->event_capacity * sizeof *world->heap);
        cr_assert_not_null(world->heap);
    }
    event.sequence = world->sequence++;
    size_t at = world->event_count++;
    while (at > 0 && is_before(&event, &world->heap[(at - 1) / 2])) {
        world->heap[at] = world->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->heap[at] = event;
}

static struct event pop(struct overlay_world *world)
{
    struct event top = world->heap[0];
    struct event last = world->heap[--world->event_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < world->event_count &&
            is_before(&world->heap[child + 1], &world->heap[child])) {
            child++;
        }
        if (child >= world->event_count || !is_before(&world->heap[child], &last)) {
            break;
        }
        world->heap[at] = world->heap[child];
        at = child;
    }
    world->heap[at] = last;
    return top;
}

static chirr_time_us between_ms(struct overlay_world *world, uint32_t low_ms, uint32_t high_ms)
{
    uint64_t spread = (uint64_t)(high_ms - low_ms) * CHIRR_US_PER_MS + 1;
    return chirr_time_from_ms(low_ms) + (chirr_time_us)chirr_random_below(&world->random, spread);
}

/* ---- Nodes --------------------------------------------------------------------------------- */

static int compare_index(const void *a, const void *b)
{
    chirr_agent_id left = ((const struct index *)a)->agent;
    chirr_agent_id right = ((const struct index *)b)->agent;
    return left < right ? -1 : left > right;
}

static uint32_t node_of(const struct overlay_world *world, chirr_agent_id agent)
{
    const struct index key = {.agent = agent};
    const struct index *found =
        bsearch(&key, world->index, world->config.count, sizeof key, compare_index);
    cr_assert_not_null(found);
    return found->node;
}

struct overlay_world *overlay_world_create(const struct overlay_world_config *config)
{
    struct overlay_world *world = calloc(1, sizeof *world);
    cr_assert_not_null(world);
    world->config = *config;
    chirr_random_init(&world->random, config->seed, 1);
    world->nodes = calloc(config->count, sizeof *world->nodes);
    world->index = calloc(config->count, sizeof *world->index);
    const struct chirr_records_config records = {.agents_max = config->count, .tasks_max = 1};
    cr_assert_eq(chirr_arena_init(&world->arena, chirr_records_bytes(&records)), CHIRR_OK);
    world->records = chirr_records_create(&world->arena, &records);
    for (uint32_t i = 0; i < config->count; i++) {
        struct chirr_record card = sample_card(i);
        card = sample_stamped(&card, i, 1, 1);
        enum chirr_join join;
        cr_assert_eq(chirr_records_join(world->records, &card, &join), CHIRR_OK);
        world->index[i] = (struct index){sample_agent(i), i};
    }
    qsort(world->index, config->count, sizeof *world->index, compare_index);
    return world;
}

void overlay_world_destroy(struct overlay_world *world)
{
    for (uint32_t i = 0; i < world->config.count; i++) {
        chirr_arena_finish(&world->nodes[i].arena);
    }
    for (size_t i = 0; i < world->event_count; i++) {
        free(world->heap[i].packet);
    }
    chirr_arena_finish(&world->arena);
    free(world->heap);
    free(world->index);
    free(world->nodes);
    free(world);
}

static void set_link(struct node *node, chirr_agent_id to, enum chirr_link kind)
{
    uint32_t at = 0;
    while (at < node->link_count && node->links[at].to != to) {
        at++;
    }
    if (kind == 0) {
        cr_assert_lt(at, node->link_count);
        node->links[at] = node->links[--node->link_count];
        return;
    }
    cr_assert_lt(at, LINKS_MAX);
    cr_assert(at == node->link_count || node->links[at].kind != kind);
    node->link_count += at == node->link_count;
    node->links[at] = (struct standing){to, kind};
}

static void carry(struct overlay_world *world, uint32_t from, const struct chirr_output *output)
{
    const struct chirr_view_message *view = &output->message->view;
    uint32_t to = node_of(world, output->to);
    world->sent++;
    cr_assert_eq(chirr_message_validate(output->message), CHIRR_OK);
    if (chirr_random_below(&world->random, 1000) < world->config.loss_permille) {
        return;
    }
    struct packet *packet = calloc(1, sizeof *packet);
    cr_assert_not_null(packet);
    packet->from = from;
    packet->view = *view;
    for (uint32_t i = 0; i < view->count; i++) {
        packet->authors[i] = view->cards[i].author;
    }
    push(world, (struct event){.at = world->now + between_ms(world, 5, 50),
                               .kind = EVENT_MESSAGE,
                               .node = to,
                               .packet = packet});
}

static void drain(struct overlay_world *world, uint32_t at)
{
    struct node *node = &world->nodes[at];
    struct chirr_output output;
    while (chirr_overlay_poll(node->overlay, &output)) {
        if (output.kind == CHIRR_OUTPUT_SEND) {
            carry(world, at, &output);
        } else {
            set_link(node, output.to, output.kind == CHIRR_OUTPUT_CONNECT ? output.link : 0);
        }
    }
    chirr_time_us deadline = chirr_overlay_deadline(node->overlay);
    if (deadline < node->tick_us) {
        node->tick_us = deadline > world->now ? deadline : world->now;
        push(world, (struct event){.at = node->tick_us, .kind = EVENT_TICK, .node = at});
    }
}

static bool hear_each_other(const struct overlay_world *world, uint32_t a, uint32_t b)
{
    return world->nodes[a].up && world->nodes[b].up && world->nodes[a].side == world->nodes[b].side;
}

static void learn(struct overlay_world *world, uint32_t at, uint32_t about)
{
    const struct chirr_record *card = chirr_records_card(world->records, sample_agent(about));
    cr_assert_eq(
        chirr_overlay_card(world->nodes[at].overlay, card->author, &card->card, world->now),
        CHIRR_OK);
}

/* Everybody hears `kind` of everybody concerned some time soon. */
static void spread(struct overlay_world *world, uint32_t about, enum event_kind kind)
{
    uint32_t low_ms = kind == EVENT_DEAD ? 2000 : 100;
    uint32_t high_ms = kind == EVENT_DEAD ? 6000 : 2000;
    for (uint32_t i = 0; i < world->config.count; i++) {
        if (i != about && world->nodes[i].up) {
            push(world, (struct event){.at = world->now + between_ms(world, low_ms, high_ms),
                                       .kind = kind,
                                       .node = i,
                                       .about = about});
        }
    }
}

void overlay_world_start(struct overlay_world *world, uint32_t at)
{
    struct node *node = &world->nodes[at];
    struct chirr_overlay_config config = chirr_overlay_config_default();
    config.self = sample_agent(at);
    config.seed = world->config.seed + ((uint64_t)node->life++ << 32);
    config.local = world->config.local;
    config.agents_max = config.local ? 128 : world->config.count;
    chirr_arena_finish(&node->arena);
    cr_assert_eq(chirr_arena_init(&node->arena, chirr_overlay_bytes(&config)), CHIRR_OK);
    node->overlay = chirr_overlay_create(&node->arena, &config, world->records, world->now);
    cr_assert_not_null(node->overlay);
    node->link_count = 0;
    node->tick_us = CHIRR_TIME_NEVER;
    node->up = true;
    for (uint32_t contact = 0; contact < 2; contact++) {
        if (at != contact) {
            learn(world, at, contact);
            chirr_overlay_join(node->overlay, sample_agent(contact), world->now);
        }
    }
    if (!world->config.local) {
        spread(world, at, EVENT_CARD);
        for (uint32_t i = 0; i < world->config.count; i++) {
            if (i != at && world->nodes[i].up) {
                push(world, (struct event){.at = world->now + between_ms(world, 100, 2000),
                                           .kind = EVENT_CARD,
                                           .node = at,
                                           .about = i});
            }
        }
    }
    drain(world, at);
}

void overlay_world_crash(struct overlay_world *world, uint32_t at)
{
    world->nodes[at].up = false;
    spread(world, at, EVENT_DEAD);
}

void overlay_world_leave(struct overlay_world *world, uint32_t at)
{
    chirr_overlay_leave(world->nodes[at].overlay, world->now);
    drain(world, at);
    overlay_world_crash(world, at);
}

void overlay_world_part(struct overlay_world *world, uint32_t first)
{
    for (uint32_t i = 0; i < world->config.count; i++) {
        world->nodes[i].side = i < first;
    }
    for (uint32_t i = 0; i < world->config.count; i++) {
        if (world->nodes[i].up) {
            spread(world, i, first > 0 ? EVENT_DEAD : EVENT_ALIVE);
        }
    }
}

/* ---- Time ---------------------------------------------------------------------------------- */

static void deliver(struct overlay_world *world, uint32_t at, struct packet *packet)
{
    static struct chirr_record cards[CHIRR_VIEW_CARDS_MAX];
    if (!hear_each_other(world, packet->from, at)) {
        return;
    }
    for (uint32_t i = 0; i < packet->view.count; i++) {
        cards[i].kind = CHIRR_RECORD_CARD;
        cards[i].author = packet->authors[i];
        if (!world->config.local && packet->authors[i] != sample_agent(at)) {
            learn(world, at, node_of(world, packet->authors[i]));
        }
    }
    packet->view.cards = cards;
    const struct chirr_message message = {.kind = CHIRR_MESSAGE_VIEW, .view = packet->view};
    enum chirr_err err = chirr_overlay_receive(world->nodes[at].overlay, sample_agent(packet->from),
                                               &message, world->now);
    cr_assert(err == CHIRR_OK || err == CHIRR_ERR_NOTFOUND || err == CHIRR_ERR_STATE ||
              err == CHIRR_ERR_STALE);
}

static void hear_of(struct overlay_world *world, const struct event *event)
{
    struct chirr_overlay *overlay = world->nodes[event->node].overlay;
    chirr_agent_id about = sample_agent(event->about);
    bool reachable = hear_each_other(world, event->node, event->about);
    if (event->kind == EVENT_CARD) {
        if (reachable) {
            learn(world, event->node, event->about);
            chirr_overlay_status(overlay, about, CHIRR_MEMBER_ALIVE, world->now);
        }
    } else if (reachable == (event->kind == EVENT_ALIVE) &&
               (!world->config.local || reachable || chirr_overlay_is_neighbour(overlay, about))) {
        chirr_overlay_status(overlay, about, reachable ? CHIRR_MEMBER_ALIVE : CHIRR_MEMBER_DEAD,
                             world->now);
    }
}

static void step(struct overlay_world *world, struct event *event)
{
    struct node *node = &world->nodes[event->node];
    world->now = event->at;
    if (!node->up || (event->kind == EVENT_TICK && node->tick_us != event->at)) {
        return;
    }
    if (event->kind == EVENT_TICK) {
        node->tick_us = CHIRR_TIME_NEVER;
        chirr_overlay_tick(node->overlay, world->now);
    } else if (event->kind == EVENT_MESSAGE) {
        deliver(world, event->node, event->packet);
    } else {
        hear_of(world, event);
    }
    drain(world, event->node);
}

void overlay_world_run(struct overlay_world *world, chirr_time_us for_us)
{
    chirr_time_us until_us = world->now + for_us;
    while (world->event_count > 0 && world->heap[0].at <= until_us) {
        struct event event = pop(world);
        step(world, &event);
        free(event.packet);
    }
    world->now = until_us;
}

chirr_time_us overlay_world_settle(struct overlay_world *world, chirr_time_us at_most_us)
{
    chirr_time_us start_us = world->now;
    while (overlay_world_fault(world) != NULL) {
        if (world->now - start_us >= at_most_us) {
            return CHIRR_TIME_NEVER;
        }
        overlay_world_run(world, CHIRR_US_PER_S / 4);
    }
    return world->now - start_us;
}

/* ---- Questions ----------------------------------------------------------------------------- */

struct chirr_overlay *overlay_world_at(struct overlay_world *world, uint32_t node)
{
    return world->nodes[node].overlay;
}

bool overlay_world_is_up(const struct overlay_world *world, uint32_t node)
{
    return world->nodes[node].up;
}

static const char *fault_of(struct overlay_world *world, uint32_t at)
{
    static char text[128];
    struct node *node = &world->nodes[at];
    struct chirr_neighbours neighbours = chirr_overlay_neighbours(node->overlay);
    bool mesh = chirr_overlay_is_mesh(node->overlay);
    const struct chirr_overlay_config config = chirr_overlay_config_default();
    uint32_t active_most = mesh ? UINT32_MAX : chirr_overlay_active_most(&config);
    if (neighbours.count == 0 || neighbours.count > active_most) {
        snprintf(text, sizeof text, "node %u has %u neighbours", at, neighbours.count);
        return text;
    }
    uint32_t linked = 0;
    for (uint32_t i = 0; i < node->link_count; i++) {
        linked += node->links[i].kind == CHIRR_LINK_NEIGHBOUR;
    }
    if (linked != neighbours.count) {
        snprintf(text, sizeof text, "node %u has %u neighbours and %u links to such", at,
                 neighbours.count, linked);
        return text;
    }
    for (uint32_t i = 0; i < neighbours.count; i++) {
        uint32_t other = node_of(world, neighbours.agents[i]);
        if (!hear_each_other(world, at, other) ||
            !chirr_overlay_is_neighbour(world->nodes[other].overlay, sample_agent(at))) {
            snprintf(text, sizeof text, "node %u is not held by its neighbour %u", at, other);
            return text;
        }
    }
    return NULL;
}

/* Marks whom `start` reaches. */
static void mark(struct overlay_world *world, uint32_t start, bool *reached)
{
    uint32_t *stack = calloc(world->config.count, sizeof *stack);
    uint32_t depth = 0;
    reached[start] = true;
    stack[depth++] = start;
    while (depth > 0) {
        struct chirr_neighbours neighbours =
            chirr_overlay_neighbours(world->nodes[stack[--depth]].overlay);
        for (uint32_t i = 0; i < neighbours.count; i++) {
            uint32_t other = node_of(world, neighbours.agents[i]);
            if (!reached[other]) {
                reached[other] = true;
                stack[depth++] = other;
            }
        }
    }
    free(stack);
}

static const char *find_disconnected(struct overlay_world *world)
{
    static char text[128];
    bool *reached = calloc(world->config.count, sizeof *reached);
    bool begun[2] = {false, false};
    const char *fault = NULL;
    for (uint32_t i = 0; i < world->config.count && fault == NULL; i++) {
        const struct node *node = &world->nodes[i];
        if (!node->up || reached[i]) {
            continue;
        }
        if (begun[node->side]) {
            snprintf(text, sizeof text, "node %u is cut off from its side", i);
            fault = text;
        }
        begun[node->side] = true;
        mark(world, i, reached);
    }
    free(reached);
    return fault;
}

const char *overlay_world_fault(struct overlay_world *world)
{
    for (uint32_t i = 0; i < world->config.count; i++) {
        const char *fault = world->nodes[i].up ? fault_of(world, i) : NULL;
        if (fault != NULL) {
            return fault;
        }
    }
    return find_disconnected(world);
}

uint64_t overlay_world_hash(const struct overlay_world *world)
{
    struct chirr_digest_state state;
    chirr_digest_begin(&state);
    for (uint32_t i = 0; i < world->config.count; i++) {
        if (world->nodes[i].up) {
            struct chirr_neighbours neighbours = chirr_overlay_neighbours(world->nodes[i].overlay);
            chirr_digest_add(&state, neighbours.agents,
                             neighbours.count * sizeof *neighbours.agents);
        }
    }
    return chirr_digest_end(&state);
}

uint64_t overlay_world_sent(const struct overlay_world *world)
{
    return world->sent;
}
