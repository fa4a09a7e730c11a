/* A removed agent is cut off everywhere within one dissemination: nodes on a virtual network that
 * loses messages, each with five neighbours and a keyring of its own.
 *
 * What the transport does with a keyring is done here in few lines: no connection to or from a key
 * that is not on it, and nothing taken in that such a one stated. The removed agent is no help: it
 * never passes on the record that removes it, and knocks on. */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/node.h"
#include "agent/trust.h"
#include "tests/support/mesh.h"
#include "tests/support/sample.h"

#define AGENTS 48
#define SEED_AGENT 1
#define OPERATOR 1000 /* no agent */
#define LATENCY_US_MAX (20 * CHIRR_US_PER_MS)
#define LOSS_PERMILLE 200
#define VIEWS_US (20 * CHIRR_US_PER_S) /* then the views have formed */
#define SPREAD_US (2 * CHIRR_US_PER_S) /* a tree's worth, and a graft where it lost the record */
#define AFTER_US (60 * CHIRR_US_PER_S) /* probes, shuffles, repair and knocks at seeds */

struct agent {
    struct chirr_arena arena;
    struct chirr_node *node;
    struct chirr_keyring *keyring;
    enum chirr_link links[AGENTS]; /* that it opened; 0: none */
    bool lazy[AGENTS];             /* whom it hears announce, not push */
    chirr_time_us obeyed_at;       /* NEVER: not yet */
};

struct world {
    struct agent agents[AGENTS];
    struct mesh *mesh;
    uint32_t removed;   /* AGENTS: nobody so far */
    uint64_t refused;   /* messages of the removed one, by those who obeyed */
    uint64_t towards;   /* what they wanted sent to it */
    uint64_t connects;  /* and connected */
    uint64_t delivered; /* to the removed one */
    chirr_time_us last_delivered_at;
};

static uint32_t index_of(chirr_agent_id id)
{
    static chirr_agent_id ids[AGENTS];
    uint32_t index = 0;
    for (uint32_t i = 0; ids[0] == 0 && i < AGENTS; i++) {
        ids[AGENTS - 1 - i] = sample_agent(AGENTS - 1 - i);
    }
    while (index < AGENTS && ids[index] != id) {
        index++;
    }
    return index;
}

static bool trusts(const struct agent *agent, chirr_agent_id id)
{
    return chirr_keyring_find(agent->keyring, id) != NULL;
}

/* ---- What the transport does ------------------------------------------------------------------
 */

static uint32_t keep_records(const struct agent *agent, const struct chirr_record *records,
                             uint32_t count)
{
    struct chirr_record *kept = (struct chirr_record *)records; /* a copy of this delivery's own */
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (trusts(agent, records[i].author)) {
            chirr_record_copy(&kept[at++], &records[i]);
        }
    }
    return at;
}

static uint32_t keep_marks(const struct agent *agent, const struct chirr_digest_entry *marks,
                           uint32_t count)
{
    struct chirr_digest_entry *kept = (struct chirr_digest_entry *)marks;
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (trusts(agent, marks[i].author)) {
            kept[at++] = marks[i];
        }
    }
    return at;
}

/* False: nothing is left of it. */
static bool filter(const struct agent *agent, struct chirr_message *message)
{
    switch (message->kind) {
    case CHIRR_MESSAGE_RECORDS: {
        struct chirr_records *records = &message->records;
        records->count = keep_records(agent, records->records, records->count);
        records->covered_count = keep_marks(agent, records->covered, records->covered_count);
        return records->count + records->covered_count > 0;
    }
    case CHIRR_MESSAGE_VIEW: {
        bool is_about = message->view.count > 0 && trusts(agent, message->view.cards[0].author);
        message->view.count = keep_records(agent, message->view.cards, message->view.count);
        return is_about || message->view.count > 0;
    }
    case CHIRR_MESSAGE_DIGEST:
        message->digest.count = keep_marks(agent, message->digest.entries, message->digest.count);
        return true;
    case CHIRR_MESSAGE_HAVE:
    case CHIRR_MESSAGE_GRAFT:
        message->have.count = keep_marks(agent, message->have.entries, message->have.count);
        return message->have.count > 0;
    default:
        return true;
    }
}

static bool tells_of_removal(const struct chirr_message *message)
{
    for (uint32_t i = 0; message->kind == CHIRR_MESSAGE_RECORDS && i < message->records.count;
         i++) {
        if (message->records.records[i].kind == CHIRR_RECORD_TRUST) {
            return true;
        }
    }
    return false;
}

static void on_receive(void *context, uint32_t node, chirr_agent_id from,
                       const struct chirr_message *message, chirr_time_us now)
{
    struct world *world = context;
    struct agent *agent = &world->agents[node];
    if (node == world->removed) {
        world->delivered++;
        world->last_delivered_at = now;
        if (tells_of_removal(message)) {
            return; /* it will not be the one that spreads it */
        }
    }
    if (!trusts(agent, from)) {
        world->refused++;
        return;
    }
    struct chirr_message copy = *message;
    if (filter(agent, &copy)) {
        (void)!chirr_node_receive(agent->node, from, &copy, now);
    }
}

static void on_tick(void *context, uint32_t node, chirr_time_us now)
{
    chirr_node_tick(((struct world *)context)->agents[node].node, now);
}

static chirr_time_us on_deadline(void *context, uint32_t node)
{
    return chirr_node_deadline(((struct world *)context)->agents[node].node);
}

/* Nobody sends without a connection of its own, or to a key that it does not know any more. */
static bool goes_nowhere(struct world *world, uint32_t node, const struct chirr_output *output)
{
    struct agent *agent = &world->agents[node];
    if (output->kind != CHIRR_OUTPUT_SEND) {
        return false;
    }
    if (!trusts(agent, output->to)) {
        world->towards++;
        return true;
    }
    return agent->links[index_of(output->to)] == 0;
}

static bool on_poll(void *context, uint32_t node, struct chirr_output *output)
{
    struct world *world = context;
    while (chirr_node_poll(world->agents[node].node, output)) {
        if (!goes_nowhere(world, node, output)) {
            return true;
        }
    }
    return false;
}

/* As agent/operators.c does. */
static void obey(struct world *world, uint32_t node, chirr_time_us now)
{
    struct chirr_trust_effect effect;
    struct agent *agent = &world->agents[node];
    chirr_trust_apply(agent->keyring, chirr_node_records(agent->node), NULL, &effect);
    cr_assert_eq(effect.gone_count, 1);
    chirr_node_forget(agent->node, effect.gone[0], now);
    agent->obeyed_at = now;
}

static void on_observe(void *context, uint32_t node, const struct chirr_output *output,
                       chirr_time_us now)
{
    struct world *world = context;
    struct agent *agent = &world->agents[node];
    switch (output->kind) {
    case CHIRR_OUTPUT_CONNECT:
        world->connects += !trusts(agent, output->to);
        if (trusts(agent, output->to)) {
            agent->links[index_of(output->to)] = output->link;
            agent->lazy[index_of(output->to)] = false;
        }
        break;
    case CHIRR_OUTPUT_DISCONNECT:
        agent->links[index_of(output->to)] = 0;
        break;
    case CHIRR_OUTPUT_LISTEN:
        agent->lazy[index_of(output->to)] = output->topic == CHIRR_TOPIC_LAZY;
        break;
    case CHIRR_OUTPUT_TRUST:
        obey(world, node, now);
        break;
    default:
        break;
    }
}

static bool on_hears(void *context, uint32_t to, uint32_t from, const struct chirr_output *publish)
{
    const struct world *world = context;
    const struct agent *subscriber = &world->agents[to];
    bool is_tree = publish->topic == CHIRR_TOPIC_EAGER || publish->topic == CHIRR_TOPIC_LAZY;
    return subscriber->links[from] == CHIRR_LINK_NEIGHBOUR &&
           trusts(&world->agents[from], sample_agent(to)) &&
           (!is_tree || subscriber->lazy[from] == (publish->topic == CHIRR_TOPIC_LAZY));
}

static const struct mesh_machine machine = {.receive = on_receive,
                                            .tick = on_tick,
                                            .deadline = on_deadline,
                                            .poll = on_poll,
                                            .observe = on_observe,
                                            .hears = on_hears};

/* ---- The swarm --------------------------------------------------------------------------------
 */

static void trust(struct chirr_keyring *keyring, uint32_t index)
{
    static const uint8_t curve[CHIRR_KEY_BYTES] = {1}; /* nobody connects */
    const struct chirr_record card = sample_card(index);
    struct chirr_keyring_addition addition = {.is_operator = index == OPERATOR,
                                              .curve_hint = curve};
    memcpy(addition.public_key, card.card.public_key, CHIRR_KEY_BYTES);
    cr_assert_eq(chirr_keyring_add_key(keyring, &addition), CHIRR_OK);
}

static void begin(struct agent *agent, uint32_t index, uint64_t seed)
{
    struct chirr_node_config *config = malloc(sizeof *config);
    cr_assert_not_null(config);
    *config = chirr_node_config_default();
    config->incarnation = 1000;
    config->seed = seed * 1000 + index;
    config->agents_max = 64;
    config->tasks_max = 16;
    config->card = sample_card(index).card;
    for (uint32_t i = 0; i < 2; i++) {
        if (i != index) {
            config->seeds[config->seed_count++] = sample_card(i).card;
        }
    }
    cr_assert_eq(chirr_arena_init(&agent->arena, chirr_node_bytes(config)), CHIRR_OK);
    agent->node = chirr_node_create(&agent->arena, config, 0);
    cr_assert_not_null(agent->node);
    free(config);
    agent->obeyed_at = CHIRR_TIME_NEVER;
    agent->keyring = chirr_keyring_create();
    trust(agent->keyring, OPERATOR);
    for (uint32_t i = 0; i < AGENTS; i++) {
        trust(agent->keyring, i);
    }
}

static struct world *world_create(uint64_t seed)
{
    struct world *world = calloc(1, sizeof *world);
    cr_assert_not_null(world);
    const struct mesh_config config = {.seed = seed,
                                       .node_count = AGENTS,
                                       .latency_min_us = CHIRR_US_PER_MS,
                                       .latency_max_us = LATENCY_US_MAX,
                                       .loss_permille = LOSS_PERMILLE};
    world->removed = AGENTS;
    world->mesh = mesh_create(&config, &machine, world);
    for (uint32_t i = 0; i < AGENTS; i++) {
        begin(&world->agents[i], i, seed);
        mesh_drain(world->mesh, i);
    }
    mesh_run(world->mesh, VIEWS_US);
    return world;
}

static void world_destroy(struct world *world)
{
    mesh_destroy(world->mesh);
    for (uint32_t i = 0; i < AGENTS; i++) {
        chirr_arena_finish(&world->agents[i].arena);
        chirr_keyring_destroy(world->agents[i].keyring);
    }
    free(world);
}

static struct chirr_neighbours neighbours_of(const struct world *world, uint32_t index)
{
    return chirr_overlay_neighbours(chirr_node_overlay(world->agents[index].node));
}

/* No mesh: the record takes several hops, some of them by way of the one that is removed. */
static void assert_overlay(const struct world *world, uint64_t seed)
{
    for (uint32_t i = 0; i < AGENTS; i++) {
        uint32_t count = neighbours_of(world, i).count;
        cr_assert(count > 0 && count < AGENTS / 4, "seed %" PRIu64 ": %u has %u neighbours", seed,
                  i, count);
    }
    cr_assert_gt(neighbours_of(world, world->removed).count, 1);
}

static void remove_agent(struct world *world, uint32_t index, uint32_t told)
{
    struct chirr_record record = sample_trust(index, true);
    record = sample_stamped(&record, OPERATOR, 1, 1);
    world->removed = index;
    cr_assert_eq(chirr_node_learn(world->agents[told].node, &record, mesh_now(world->mesh)),
                 CHIRR_OK);
    mesh_drain(world->mesh, told);
}

static void assert_cut(const struct world *world, uint32_t index, uint64_t seed)
{
    const struct agent *agent = &world->agents[index];
    chirr_agent_id gone = sample_agent(world->removed);
    cr_assert_not(trusts(agent, gone), "seed %" PRIu64 ": %u trusts it", seed, index);
    cr_assert_eq(agent->links[world->removed], 0, "seed %" PRIu64 ": %u is linked", seed, index);
    cr_assert_not(chirr_overlay_is_neighbour(chirr_node_overlay(agent->node), gone));
    cr_assert_null(chirr_membership_find(chirr_node_membership(agent->node), gone),
                   "seed %" PRIu64 ": it is a member to %u", seed, index);
}

/* Wherever the record is, the key and the link are not. */
static void spread(struct world *world, uint64_t seed)
{
    chirr_time_us until = mesh_now(world->mesh) + SPREAD_US;
    while (mesh_now(world->mesh) < until) {
        mesh_run(world->mesh, mesh_now(world->mesh) + CHIRR_US_PER_MS);
        for (uint32_t i = 0; i < AGENTS; i++) {
            const struct chirr_record_store *records = chirr_node_records(world->agents[i].node);
            if (chirr_records_trust(records, sample_agent(OPERATOR)) != NULL) {
                assert_cut(world, i, seed);
            }
        }
    }
}

static void is_cut_off_everywhere(uint64_t seed, uint32_t removed)
{
    struct world *world = world_create(seed);
    remove_agent(world, removed, (removed + AGENTS / 2) % AGENTS);
    assert_overlay(world, seed);
    chirr_time_us published_at = mesh_now(world->mesh);
    spread(world, seed);
    chirr_time_us last = 0;
    for (uint32_t i = 0; i < AGENTS; i++) {
        if (i != removed) {
            last = world->agents[i].obeyed_at > last ? world->agents[i].obeyed_at : last;
        }
    }
    cr_assert_lt(last, CHIRR_TIME_NEVER, "seed %" PRIu64 ": not everybody has heard", seed);
    cr_log_info("seed %" PRIu64 ": everywhere after %" PRId64 " ms", seed,
                (last - published_at) / CHIRR_US_PER_MS);
    mesh_run(world->mesh, mesh_now(world->mesh) + AFTER_US);
    for (uint32_t i = 0; i < AGENTS; i++) {
        if (i != removed) {
            assert_cut(world, i, seed);
        }
    }
    cr_assert_leq(world->last_delivered_at, last + LATENCY_US_MAX, "seed %" PRIu64, seed);
    cr_assert_gt(world->refused, 0, "it never knocked");
    cr_assert_eq(world->towards, 0);
    cr_assert_eq(world->connects, 0);
    world_destroy(world);
}

Test(trust_swarm, who_is_removed_is_cut_off_by_the_time_the_record_has_come, .timeout = 120)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        is_cut_off_everywhere(seed, 2 + (uint32_t)seed * 7);
    }
}

/* At which everybody knocks for ever, if it is trusted. */
Test(trust_swarm, a_removed_seed_likewise, .timeout = 120)
{
    is_cut_off_everywhere(1, SEED_AGENT);
}
