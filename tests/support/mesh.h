/* A small network in virtual time: drives several sans-IO machines from one seed.
 *
 * Node i is `sample_agent(i)`. What the machines send and publish arrives after a random latency
 * (so it is reordered), or is lost, or comes twice; a published message goes to everybody else. All
 * that goes out is checked to be a valid message. A test that fails replays from its seed. */
#ifndef CHIRR_TESTS_SUPPORT_MESH_H
#define CHIRR_TESTS_SUPPORT_MESH_H

#include "base/time.h"
#include "swarm/output.h"

struct mesh_config {
    uint64_t seed;
    uint32_t node_count;
    chirr_time_us latency_min_us, latency_max_us;
    uint32_t loss_permille;
    uint32_t publish_loss_permille; /* of published messages, instead of the above when greater */
    uint32_t duplicate_permille;
};

/* The machines of one node, behind its number. `observe` sees every other output (may be NULL).
 * `hears` tells whether what `from` publishes reaches `to` (NULL: it reaches everybody). */
struct mesh_machine {
    void (*receive)(void *context, uint32_t node, chirr_agent_id from,
                    const struct chirr_message *message, chirr_time_us now);
    void (*tick)(void *context, uint32_t node, chirr_time_us now);
    chirr_time_us (*deadline)(void *context, uint32_t node);
    bool (*poll)(void *context, uint32_t node, struct chirr_output *output);
    void (*observe)(void *context, uint32_t node, const struct chirr_output *output,
                    chirr_time_us now);
    bool (*hears)(void *context, uint32_t to, uint32_t from, const struct chirr_output *publish);
};

struct mesh;

struct mesh *mesh_create(const struct mesh_config *config, const struct mesh_machine *machine,
                         void *context);
void mesh_destroy(struct mesh *mesh);

chirr_time_us mesh_now(const struct mesh *mesh);
/* Lets time pass until `until_us`, deliveries and deadlines in order. */
void mesh_run(struct mesh *mesh, chirr_time_us until_us);
/* Carries out what a node put out after an input that the test itself gave it. */
void mesh_drain(struct mesh *mesh, uint32_t node);

/* A node that is down neither ticks nor hears; what it sent stays on its way. All start up. */
void mesh_set_up(struct mesh *mesh, uint32_t node, bool up);
/* Nodes hear each other only on one side. All start on side 0. */
void mesh_set_side(struct mesh *mesh, uint32_t node, uint32_t side);
void mesh_set_loss(struct mesh *mesh, uint32_t permille);

struct mesh_counters {
    uint64_t sent, lost, delivered;
};
const struct mesh_counters *mesh_count(const struct mesh *mesh);

#endif
