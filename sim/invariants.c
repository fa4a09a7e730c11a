/* The observer sees everything at once, which no agent can. */
#include "sim/invariants.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/views.h"
#include "sim/world.h"

void chirr_sim_violate(struct chirr_sim_world *world, const char *format, ...)
{
    struct chirr_sim_invariants *invariants = &world->invariants;
    if (invariants->violated) {
        return;
    }
    invariants->violated = true;
    invariants->violated_at = chirr_sim_world_now(world);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(invariants->violation, sizeof invariants->violation, format, arguments);
    va_end(arguments);
}

static void add_span(struct chirr_sim_spans *spans, chirr_time_us span)
{
    spans->count++;
    spans->sum_us += span;
    spans->max_us = span > spans->max_us ? span : spans->max_us;
}

/* ---- Views ----------------------------------------------------------------------------------- */

void chirr_sim_invariants_changed(struct chirr_sim_world *world)
{
    world->invariants.changed_at = chirr_sim_world_now(world);
    world->invariants.agreed = false;
}

/* A partition that began or ended since the last check is a change too. */
static void note_partitions(struct chirr_sim_world *world)
{
    const struct chirr_sim_network_config *network = &world->scenario->network;
    struct chirr_sim_invariants *invariants = &world->invariants;
    for (uint32_t i = 0; i < network->partition_count; i++) {
        const chirr_time_us edges[] = {chirr_time_from_ms(network->partitions[i].from_ms),
                                       chirr_time_from_ms(network->partitions[i].until_ms)};
        for (int e = 0; e < 2; e++) {
            bool is_new =
                edges[e] > invariants->checked_at && edges[e] <= chirr_sim_world_now(world);
            if (is_new && edges[e] >= invariants->changed_at) {
                invariants->changed_at = edges[e];
                invariants->agreed = false;
            }
        }
    }
}

static void check_views(struct chirr_sim_world *world)
{
    struct chirr_sim_invariants *invariants = &world->invariants;
    note_partitions(world);
    invariants->checked_at = chirr_sim_world_now(world);
    if (invariants->agreed) {
        return;
    }
    char wrong[128];
    chirr_time_us span = invariants->checked_at - invariants->changed_at;
    if (chirr_sim_views_are_right(world, wrong, sizeof wrong)) {
        invariants->agreed = true;
        add_span(&invariants->agreement, span);
    } else if (span > chirr_time_from_ms(world->scenario->bounds.views_ms)) {
        chirr_sim_violate(world, "%.1f s after the last fault %s", (double)span / 1e6, wrong);
    }
}

/* A crash is detected when nobody who is up takes the agent for alive. */
static void watch_crash(struct chirr_sim_world *world, struct chirr_sim_peer *gone)
{
    if (gone->up || gone->boots == 0 || gone->detected) {
        return;
    }
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct chirr_sim_peer *peer = &world->peers[i];
        if (peer->up && chirr_membership_is_live(chirr_node_membership(peer->node), gone->id)) {
            return;
        }
    }
    gone->detected = true;
    add_span(&world->invariants.detection, chirr_sim_world_now(world) - gone->down_since);
}

/* ---- Neighbours and links ---------------------------------------------------------------------
 */

static chirr_time_us one_sided_since(const struct chirr_sim_peer *peer, uint32_t of,
                                     chirr_time_us now)
{
    for (uint32_t i = 0; i < peer->one_sided_count; i++) {
        if (peer->one_sided[i].of == of) {
            return peer->one_sided[i].since;
        }
    }
    return now;
}

/* Is `of`, a neighbour of `peer`, one that should know it and does not? */
static bool is_one_sided(const struct chirr_sim_world *world, const struct chirr_sim_peer *peer,
                         uint32_t of)
{
    if (of == CHIRR_SIM_WORLD || !world->peers[of].up || world->peers[of].paused_until != 0 ||
        chirr_sim_network_is_cut(world->network, peer->index, of, chirr_sim_world_now(world))) {
        return false;
    }
    return !chirr_overlay_is_neighbour(chirr_node_overlay(world->peers[of].node), peer->id);
}

static void check_symmetry(struct chirr_sim_world *world, struct chirr_sim_peer *peer)
{
    chirr_time_us now = chirr_sim_world_now(world);
    const struct chirr_neighbours neighbours =
        chirr_overlay_neighbours(chirr_node_overlay(peer->node));
    struct chirr_sim_one_sided found[CHIRR_WATCHED_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < neighbours.count && count < CHIRR_WATCHED_MAX; i++) {
        uint32_t of = chirr_sim_world_find(world, neighbours.agents[i]);
        if (!is_one_sided(world, peer, of)) {
            continue;
        }
        chirr_time_us since = one_sided_since(peer, of, now);
        found[count++] = (struct chirr_sim_one_sided){.of = of, .since = since};
        if (now - since > chirr_time_from_ms(world->scenario->bounds.symmetry_ms)) {
            chirr_sim_violate(world,
                              "agent %u has held agent %u for a neighbour for %.0f s, and "
                              "not the other way round",
                              (unsigned)peer->index, (unsigned)of, (double)(now - since) / 1e6);
        }
    }
    memcpy(peer->one_sided, found, count * sizeof found[0]);
    peer->one_sided_count = count;
}

static void check_links(struct chirr_sim_world *world, const struct chirr_sim_peer *peer)
{
    const struct chirr_overlay_config *overlay = &world->scenario->node.overlay;
    uint32_t unicast =
        chirr_sim_network_link_count(world->network, peer->index, CHIRR_LINK_UNICAST);
    uint32_t neighbours =
        chirr_sim_network_link_count(world->network, peer->index, CHIRR_LINK_NEIGHBOUR);
    struct chirr_sim_invariants *invariants = &world->invariants;
    if (unicast + neighbours > invariants->links_max) {
        invariants->links_max = unicast + neighbours;
    }
    if (unicast > overlay->links_max || neighbours > CHIRR_WATCHED_MAX) {
        chirr_sim_violate(world, "agent %u owns %u unicast links (of %u) and %u neighbours",
                          (unsigned)peer->index, (unsigned)unicast, (unsigned)overlay->links_max,
                          (unsigned)neighbours);
    }
}

/* A local view stays within what it is configured for, however many agents there are. */
static void check_holdings(struct chirr_sim_world *world, const struct chirr_sim_peer *peer)
{
    const struct chirr_node_config *node = &world->scenario->node;
    struct chirr_sim_invariants *invariants = &world->invariants;
    uint32_t members = chirr_membership_count(chirr_node_membership(peer->node));
    uint32_t authors = chirr_records_author_count(chirr_node_records(peer->node));
    invariants->members_max = members > invariants->members_max ? members : invariants->members_max;
    invariants->authors_max = authors > invariants->authors_max ? authors : invariants->authors_max;
    if (authors > node->agents_max || (node->local_view && members > node->agents_max / 2)) {
        chirr_sim_violate(world, "agent %u knows %u members and holds words of %u authors (of %u)",
                          (unsigned)peer->index, (unsigned)members, (unsigned)authors,
                          (unsigned)node->agents_max);
    }
}

static void check_queues(struct chirr_sim_world *world)
{
    if (chirr_sim_network_count(world->network)->dropped[CHIRR_SIM_DROP_FULL] > 0) {
        chirr_sim_violate(world, "the simulator's own queues are full: a flood");
    }
}

/* ---- Every second ---------------------------------------------------------------------------- */

static void check_peer(struct chirr_sim_world *world, const struct chirr_sim_peer *peer)
{
    uint32_t running = chirr_auction_running_count(chirr_node_auction(peer->node));
    /* What is about to run counts for the node, but not yet for the executor. */
    if (running < peer->run_count || running > peer->card.slots) {
        chirr_sim_violate(world, "agent %u believes that %u tasks run; %u do, in %u slots",
                          (unsigned)peer->index, (unsigned)running, (unsigned)peer->run_count,
                          (unsigned)peer->card.slots);
    }
    if (chirr_records_count(chirr_node_records(peer->node))->equivocations > 0) {
        chirr_sim_violate(world, "agent %u takes an honest agent for an equivocator",
                          (unsigned)peer->index);
    }
    /* Weights are many: each agent's turn comes every ten seconds. */
    uint64_t second = (uint64_t)(chirr_sim_world_now(world) / CHIRR_US_PER_S);
    if (peer->learner == NULL || (second + peer->index) % 10 != 0) {
        return;
    }
    struct chirr_model_statistics model;
    chirr_model_statistics(chirr_learner_model(peer->learner), &model);
    bool finite = isfinite(model.own_norm) && isfinite(model.foreign_norm);
    if (!finite) {
        chirr_sim_violate(world, "agent %u: a weight is not finite", (unsigned)peer->index);
    }
}

void chirr_sim_invariants_check(struct chirr_sim_world *world)
{
    uint32_t one_sided = 0;
    check_views(world);
    check_queues(world);
    for (uint32_t i = 0; i < world->peer_count; i++) {
        struct chirr_sim_peer *peer = &world->peers[i];
        watch_crash(world, peer);
        if (peer->up) {
            check_peer(world, peer);
            check_symmetry(world, peer);
            check_links(world, peer);
            check_holdings(world, peer);
            one_sided += peer->one_sided_count;
        }
    }
    if (one_sided > world->invariants.one_sided_max) {
        world->invariants.one_sided_max = one_sided;
    }
}

/* ---- The end --------------------------------------------------------------------------------- */

static bool has_ended(const struct chirr_task *task)
{
    return task->phase == CHIRR_TASK_DONE || task->phase == CHIRR_TASK_CANCELLED;
}

static bool all_tasks_ended_at(const struct chirr_sim_peer *peer)
{
    const struct chirr_record_store *records = chirr_node_records(peer->node);
    for (uint32_t i = 0; i < chirr_records_task_count(records); i++) {
        if (!has_ended(&chirr_records_task_at(records, i)->task)) {
            return false;
        }
    }
    return true;
}

/* Of all who are up, the first two that reach each other and disagree; equal indices: none. With a
 * local view they may: each forgets what has ended, and whom it does not know. */
static struct chirr_sim_link disagreement(const struct chirr_sim_world *world)
{
    if (world->scenario->node.local_view) {
        return (struct chirr_sim_link){0};
    }
    uint64_t hashes[CHIRR_SIM_AGENTS_MAX];
    chirr_time_us now = chirr_sim_world_now(world);
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct chirr_sim_peer *peer = &world->peers[i];
        if (!peer->up) {
            continue;
        }
        hashes[i] = chirr_records_state_hash(chirr_node_records(peer->node));
        for (uint32_t j = 0; j < i; j++) {
            if (world->peers[j].up && hashes[i] != hashes[j] &&
                !chirr_sim_network_is_cut(world->network, i, j, now)) {
                return (struct chirr_sim_link){.from = j, .to = i};
            }
        }
    }
    return (struct chirr_sim_link){0};
}

static bool same_statement(const struct chirr_record *a, const struct chirr_record *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return a->author == b->author && chirr_stamp_compare(a->stamp, b->stamp) == 0;
}

/* In words, the first record that two stores do not share. */
static void describe_difference(const struct chirr_sim_world *world, struct chirr_sim_link pair,
                                char *words, size_t bytes)
{
    const struct chirr_record_store *a = chirr_node_records(world->peers[pair.from].node);
    const struct chirr_record_store *b = chirr_node_records(world->peers[pair.to].node);
    snprintf(words, bytes, "no single record");
    for (uint32_t i = 0; i < world->peer_count; i++) {
        chirr_agent_id author = world->peers[i].id;
        bool card = same_statement(chirr_records_card(a, author), chirr_records_card(b, author));
        bool claims =
            same_statement(chirr_records_claims(a, author), chirr_records_claims(b, author));
        if (!card || !claims) {
            snprintf(words, bytes, "the %s of agent %u", card ? "claims" : "card", (unsigned)i);
            return;
        }
    }
    for (uint32_t i = 0; i < chirr_sim_workload_count(world->workload); i++) {
        chirr_task_id id = chirr_sim_workload_at(world->workload, i)->id;
        if (id != 0 && !same_statement(chirr_records_task(a, id), chirr_records_task(b, id))) {
            snprintf(words, bytes, "task %u", (unsigned)i);
            return;
        }
    }
}

bool chirr_sim_invariants_at_rest(const struct chirr_sim_world *world)
{
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct chirr_sim_peer *peer = &world->peers[i];
        if (peer->paused_until != 0) {
            return false;
        }
        if (peer->up && (peer->run_count > 0 || !all_tasks_ended_at(peer))) {
            return false;
        }
    }
    struct chirr_sim_link pair = disagreement(world);
    return pair.from == pair.to;
}

/* With a local view an end is forgotten where the durable store keeps it. */
static const struct chirr_record *held(const struct chirr_sim_world *world,
                                       const struct chirr_sim_peer *peer, chirr_task_id id)
{
    const struct chirr_record *record = chirr_records_task(chirr_node_records(peer->node), id);
    return record == NULL && world->scenario->node.local_view
               ? chirr_sim_disk_find(&peer->disk, CHIRR_RECORD_TASK, id)
               : record;
}

const struct chirr_record *chirr_sim_invariants_known(const struct chirr_sim_world *world,
                                                      chirr_task_id id)
{
    const struct chirr_record *greatest = NULL;
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct chirr_sim_peer *peer = &world->peers[i];
        const struct chirr_record *record = peer->up ? held(world, peer, id) : NULL;
        if (record != NULL && (greatest == NULL || chirr_task_compare(record, greatest) > 0)) {
            greatest = record;
        }
    }
    return greatest;
}

/* Some disk of an agent that is up holds it, so it was promised and can be kept. */
static bool is_on_a_disk(const struct chirr_sim_world *world, chirr_task_id id)
{
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct chirr_sim_peer *peer = &world->peers[i];
        if (peer->up && chirr_sim_disk_find(&peer->disk, CHIRR_RECORD_TASK, id) != NULL) {
            return true;
        }
    }
    return false;
}

static void check_task_end(struct chirr_sim_world *world, uint32_t index)
{
    const struct chirr_sim_task *task = chirr_sim_workload_at(world->workload, index);
    if (task->id == 0) {
        return;
    }
    struct chirr_sim_invariants *invariants = &world->invariants;
    const struct chirr_record *record = chirr_sim_invariants_known(world, task->id);
    const struct chirr_sim_peer *submitter = &world->peers[task->submitter];
    if (record != NULL && !has_ended(&record->task)) {
        chirr_sim_violate(world, "task %u, epoch %u, is still %s at the end, owner %u",
                          (unsigned)index, (unsigned)record->task.epoch,
                          chirr_task_phase_name(record->task.phase),
                          (unsigned)chirr_sim_world_find(world, record->task.owner));
    } else if (record == NULL &&
               ((submitter->up && submitter->disks_lost == 0) || is_on_a_disk(world, task->id))) {
        chirr_sim_violate(world, "task %u was accepted by agent %u and is lost", (unsigned)index,
                          (unsigned)task->submitter);
    } else if (record == NULL) {
        invariants->excused_tasks++;
    } else if (record->task.phase == CHIRR_TASK_DONE && task->completions == 0) {
        chirr_sim_violate(world, "task %u is done, but nobody did it", (unsigned)index);
    }
    invariants->duplicate_completions += task->completions > 1 ? task->completions - 1 : 0;
}

/* With a local view stores differ; that a task has ended all know who know of it, if they could
 * hear of it. */
static void check_tasks_held(struct chirr_sim_world *world)
{
    bool whole = chirr_sim_network_is_whole(world->network, chirr_sim_world_now(world));
    for (uint32_t i = 0; whole && i < world->peer_count; i++) {
        const struct chirr_sim_peer *peer = &world->peers[i];
        if (peer->up && !all_tasks_ended_at(peer)) {
            chirr_sim_violate(world, "agent %u holds a task at the end that has not ended",
                              (unsigned)i);
        }
    }
}

static bool is_faultless(const struct chirr_sim_scenario *scenario)
{
    return scenario->network.loss <= 0 && scenario->network.partition_count == 0 &&
           scenario->network.loss_count == 0 && scenario->crash_count == 0 &&
           scenario->pause_count == 0;
}

void chirr_sim_invariants_check_end(struct chirr_sim_world *world)
{
    chirr_sim_invariants_check(world);
    for (uint32_t i = 0; i < chirr_sim_workload_count(world->workload); i++) {
        check_task_end(world, i);
    }
    if (world->scenario->node.local_view) {
        check_tasks_held(world);
    }
    struct chirr_sim_link pair = disagreement(world);
    if (pair.from != pair.to) {
        char words[64];
        describe_difference(world, pair, words, sizeof words);
        chirr_sim_violate(world, "agents %u and %u reach each other and disagree on %s",
                          (unsigned)pair.from, (unsigned)pair.to, words);
    }
    /* Two who do not know each other may both take themselves for the winner. */
    if (is_faultless(world->scenario) && !world->scenario->node.local_view &&
        world->invariants.duplicate_completions > 0) {
        chirr_sim_violate(world, "%u tasks were done twice without any fault",
                          (unsigned)world->invariants.duplicate_completions);
    }
}
