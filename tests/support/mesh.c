/* The test network: a heap of deliveries, and whoever has the earliest deadline. */
#include "tests/support/mesh.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "tests/support/sample.h"

#define DELIVERIES_MAX 65536
#define TICKS_AT_ONCE_MAX 10000 /* more at one instant is a deadline that never moves */

struct delivery {
    chirr_time_us at;
    uint64_t sequence;
    uint32_t from, to;
    struct chirr_message *message; /* owned */
};

struct node {
    bool up;
    uint32_t side;
};

struct mesh {
    struct mesh_config config;
    struct mesh_machine machine;
    void *context;
    struct chirr_random random;
    struct node *nodes;
    chirr_time_us now;
    uint64_t sequence;
    size_t count;
    struct delivery heap[DELIVERIES_MAX];
    struct mesh_counters counters;
};

struct mesh *mesh_create(const struct mesh_config *config, const struct mesh_machine *machine,
                         void *context)
{
    struct mesh *mesh = calloc(1, sizeof *mesh);
    CHIRR_ASSERT(mesh != NULL);
    mesh->config = *config;
    mesh->machine = *machine;
    mesh->context = context;
    mesh->nodes = calloc(config->node_count, sizeof *mesh->nodes);
    CHIRR_ASSERT(mesh->nodes != NULL);
    for (uint32_t i = 0; i < config->node_count; i++) {
        mesh->nodes[i].up = true;
    }
    chirr_random_init(&mesh->random, config->seed, UINT64_C(0x6d657368));
    return mesh;
}

void mesh_destroy(struct mesh *mesh)
{
    if (mesh == NULL) {
        return;
    }
    for (size_t i = 0; i < mesh->count; i++) {
        free(mesh->heap[i].message);
    }
    free(mesh->nodes);
    free(mesh);
}

static bool is_before(const struct delivery *a, const struct delivery *b)
{
    return a->at != b->at ? a->at < b->at : a->sequence < b->sequence;
}

static void heap_push(struct mesh *mesh, struct delivery delivery)
{
    CHIRR_ASSERT(mesh->count < DELIVERIES_MAX);
    size_t at = mesh->count++;
    while (at > 0 && is_before(&delivery, &mesh->heap[(at - 1) / 2])) {
        mesh->heap[at] = mesh->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    mesh->heap[at] = delivery;
}

static struct delivery heap_pop(struct mesh *mesh)
{
    struct delivery top = mesh->heap[0];
    struct delivery last = mesh->heap[--mesh->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < mesh->count && is_before(&mesh->heap[child + 1], &mesh->heap[child])) {
            child++;
        }
        if (child >= mesh->count || !is_before(&mesh->heap[child], &last)) {
            break;
        }
        mesh->heap[at] = mesh->heap[child];
        at = child;
    }
    mesh->heap[at] = last;
    return top;
}

static bool chance(struct mesh *mesh, uint32_t permille)
{
    return chirr_random_below(&mesh->random, 1000) < permille;
}

static void send_one(struct mesh *mesh, uint32_t from, uint32_t to,
                     const struct chirr_message *message, uint32_t loss_permille)
{
    mesh->counters.sent++;
    if (mesh->nodes[from].side != mesh->nodes[to].side || chance(mesh, loss_permille)) {
        mesh->counters.lost++;
        return;
    }
    uint32_t copies = chance(mesh, mesh->config.duplicate_permille) ? 2 : 1;
    for (uint32_t i = 0; i < copies; i++) {
        size_t bytes = chirr_message_copy_bytes(message);
        void *memory = aligned_alloc(16, (bytes + 15) / 16 * 16);
        CHIRR_ASSERT(memory != NULL);
        uint64_t spread = (uint64_t)(mesh->config.latency_max_us - mesh->config.latency_min_us) + 1;
        chirr_time_us latency =
            mesh->config.latency_min_us + (chirr_time_us)chirr_random_below(&mesh->random, spread);
        heap_push(mesh, (struct delivery){.at = mesh->now + latency,
                                          .sequence = mesh->sequence++,
                                          .from = from,
                                          .to = to,
                                          .message = chirr_message_copy(memory, message)});
    }
}

static bool reaches(const struct mesh *mesh, uint32_t from, uint32_t to,
                    const struct chirr_output *output)
{
    if (output->kind == CHIRR_OUTPUT_SEND) {
        return sample_agent(to) == output->to;
    }
    return sample_agent(to) != output->except &&
           (mesh->machine.hears == NULL || mesh->machine.hears(mesh->context, to, from, output));
}

static void carry_out(struct mesh *mesh, uint32_t node, const struct chirr_output *output)
{
    uint32_t loss = mesh->config.loss_permille;
    bool publish = output->kind == CHIRR_OUTPUT_PUBLISH;
    if (!publish && output->kind != CHIRR_OUTPUT_SEND) {
        if (mesh->machine.observe != NULL) {
            mesh->machine.observe(mesh->context, node, output, mesh->now);
        }
        return;
    }
    CHIRR_ASSERT(chirr_message_validate(output->message) == CHIRR_OK);
    if (publish && mesh->config.publish_loss_permille > loss) {
        loss = mesh->config.publish_loss_permille;
    }
    for (uint32_t i = 0; i < mesh->config.node_count; i++) {
        if (i != node && reaches(mesh, node, i, output)) {
            send_one(mesh, node, i, output->message, loss);
        }
    }
}

void mesh_drain(struct mesh *mesh, uint32_t node)
{
    struct chirr_output output;
    while (mesh->machine.poll(mesh->context, node, &output)) {
        carry_out(mesh, node, &output);
    }
}

static void deliver(struct mesh *mesh)
{
    struct delivery delivery = heap_pop(mesh);
    mesh->now = delivery.at > mesh->now ? delivery.at : mesh->now;
    bool heard = mesh->nodes[delivery.to].up &&
                 mesh->nodes[delivery.from].side == mesh->nodes[delivery.to].side;
    if (heard) {
        mesh->counters.delivered++;
        mesh->machine.receive(mesh->context, delivery.to, sample_agent(delivery.from),
                              delivery.message, mesh->now);
        mesh_drain(mesh, delivery.to);
    }
    free(delivery.message);
}

/* The node that has to tick first; its deadline in `*at`. */
static uint32_t next_to_tick(const struct mesh *mesh, chirr_time_us *at)
{
    uint32_t next = 0;
    *at = CHIRR_TIME_NEVER;
    for (uint32_t i = 0; i < mesh->config.node_count; i++) {
        if (!mesh->nodes[i].up) {
            continue;
        }
        chirr_time_us deadline = mesh->machine.deadline(mesh->context, i);
        if (deadline < *at) {
            *at = deadline;
            next = i;
        }
    }
    return next;
}

void mesh_run(struct mesh *mesh, chirr_time_us until_us)
{
    uint32_t ticks_at_once = 0;
    for (;;) {
        chirr_time_us tick_at;
        uint32_t node = next_to_tick(mesh, &tick_at);
        chirr_time_us delivery_at = mesh->count > 0 ? mesh->heap[0].at : CHIRR_TIME_NEVER;
        if (chirr_time_min(tick_at, delivery_at) > until_us) {
            break;
        }
        if (delivery_at <= tick_at) {
            deliver(mesh);
            continue;
        }
        ticks_at_once = tick_at > mesh->now ? 0 : ticks_at_once + 1;
        CHIRR_ASSERT(ticks_at_once < TICKS_AT_ONCE_MAX);
        mesh->now = tick_at > mesh->now ? tick_at : mesh->now;
        mesh->machine.tick(mesh->context, node, mesh->now);
        mesh_drain(mesh, node);
    }
    mesh->now = until_us;
}

chirr_time_us mesh_now(const struct mesh *mesh)
{
    return mesh->now;
}

void mesh_set_up(struct mesh *mesh, uint32_t node, bool up)
{
    mesh->nodes[node].up = up;
}

void mesh_set_side(struct mesh *mesh, uint32_t node, uint32_t side)
{
    mesh->nodes[node].side = side;
}

void mesh_set_loss(struct mesh *mesh, uint32_t permille)
{
    mesh->config.loss_permille = permille;
}

const struct mesh_counters *mesh_count(const struct mesh *mesh)
{
    return &mesh->counters;
}
