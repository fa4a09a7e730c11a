/* Defaults, and the rules that a scenario must keep. */
#include "sim/scenario.h"

#include <stdio.h>
#include <string.h>

#include "sim/scenario_rules.h"

/* As small as a model can be and still learn to spell: hundreds of agents fit on one core. */
static struct chirr_model_config tiny_model(void)
{
    struct chirr_model_config model = chirr_model_config_default();
    model.width = 16;
    model.layers = 1;
    model.section_width = 48;
    model.mlp_width = 16;
    model.rates = 4;
    model.input_gate = false;
    model.gram_rows = 0;
    model.partitions = 4;
    model.chunk = 32;
    model.warmup_updates = 20;
    model.learning_rate = 5e-3F;
    model.replay_bytes = 8 * 1024; /* there are many of them */
    return model;
}

struct chirr_sim_scenario chirr_sim_scenario_default(void)
{
    struct chirr_sim_scenario scenario;
    memset(&scenario, 0, sizeof scenario);
    memcpy(scenario.name, "unnamed", sizeof "unnamed");
    scenario.seed = 1;
    scenario.duration_ms = 60 * 1000;
    scenario.agent_count = 10;
    scenario.seed_count = 2;
    scenario.start_ms = 2000;
    scenario.clock_offset_ms = 24 * 3600 * 1000;
    scenario.device_count = 1;
    scenario.devices[0] =
        (struct chirr_sim_device){.name = "device", .share = 1, .cpu_permille = 1000, .slots = 1};
    scenario.network.latency = (struct chirr_sim_latency){
        .shape = CHIRR_SIM_LATENCY_EXPONENTIAL, .min_ms = 1, .spread_ms = 10};
    scenario.network.reconnect_ms_max = 1000;
    scenario.work.time_limit_ms = 10 * 60 * 1000;
    scenario.work.cancel_after_ms = 5000;
    scenario.learning.group_count = 1;
    scenario.learning.shared_permille = 500;
    scenario.learning.words = 48;
    scenario.learning.bytes_per_s = 8;
    scenario.learning.burst_ms = 1000;
    scenario.learning.heldout_bytes = 512;
    scenario.learning.model = tiny_model();
    scenario.bounds.settle_ms = 30 * 1000;
    /* One who is left alone buries all others by itself, which Lifeguard takes its time for. */
    scenario.bounds.views_ms = 180 * 1000;
    scenario.bounds.symmetry_ms = 60 * 1000;
    scenario.node = chirr_node_config_default();
    chirr_sim_scenario_derive(&scenario);
    return scenario;
}

/* With a full view all agents; with a local one what an agent is configured for, as in a process:
 * it must not depend on how many there are. */
static uint32_t agents_max(const struct chirr_sim_scenario *scenario)
{
    if (scenario->agents_max != 0) {
        return scenario->agents_max;
    }
    if (scenario->node.local_view) {
        return chirr_node_config_default().agents_max;
    }
    return scenario->agent_count < 2 ? 2 : scenario->agent_count;
}

void chirr_sim_scenario_derive(struct chirr_sim_scenario *scenario)
{
    struct chirr_model_config *model = &scenario->learning.model;
    struct chirr_node_config *node = &scenario->node;
    node->agents_max = agents_max(scenario);
    model->origins_max =
        node->agents_max < scenario->agent_count ? node->agents_max : scenario->agent_count;
    node->ledger.origins_max = model->origins_max;
    model->hosted = model->partitions >= 64 ? UINT64_MAX : (UINT64_C(1) << model->partitions) - 1;
}

static bool broken(struct chirr_sim_broken_rule *rule, const char *path, const char *expected)
{
    snprintf(rule->path, sizeof rule->path, "%s", path);
    snprintf(rule->expected, sizeof rule->expected, "%s", expected);
    return true;
}

static bool broken_at(struct chirr_sim_broken_rule *rule, const char *list, uint32_t index,
                      const char *key, const char *expected)
{
    snprintf(rule->path, sizeof rule->path, "%s[%u].%s", list, (unsigned)index, key);
    snprintf(rule->expected, sizeof rule->expected, "%s", expected);
    return true;
}

static bool names_beyond(const bool *set, uint32_t agent_count)
{
    for (uint32_t i = agent_count; i < CHIRR_SIM_AGENTS_MAX; i++) {
        if (set[i]) {
            return true;
        }
    }
    return false;
}

/* Agents that a fault hits: named ones or a number of them. */
static bool choice_breaks(const struct chirr_sim_scenario *scenario, const bool *set,
                          uint32_t count, const char *list, uint32_t index,
                          struct chirr_sim_broken_rule *rule)
{
    bool named = memchr(set, true, CHIRR_SIM_AGENTS_MAX * sizeof *set) != NULL;
    if (named == (count > 0)) {
        return broken_at(rule, list, index, "agents", "either agents or count");
    }
    if (names_beyond(set, scenario->agent_count)) {
        return broken_at(rule, list, index, "agents", "indices less than agents.count");
    }
    return count > scenario->agent_count &&
           broken_at(rule, list, index, "count", "at most agents.count");
}

static bool partition_breaks(const struct chirr_sim_scenario *scenario,
                             struct chirr_sim_broken_rule *rule)
{
    for (uint32_t i = 0; i < scenario->network.partition_count; i++) {
        const struct chirr_sim_partition *partition = &scenario->network.partitions[i];
        if (partition->until_ms <= partition->from_ms) {
            return broken_at(rule, "network.partitions", i, "until", "a time after from");
        }
        for (uint32_t a = scenario->agent_count; a < CHIRR_SIM_AGENTS_MAX; a++) {
            if (partition->group[a] != 0) {
                return broken_at(rule, "network.partitions", i, "groups",
                                 "indices less than agents.count");
            }
        }
    }
    return false;
}

static bool loss_breaks(const struct chirr_sim_scenario *scenario,
                        struct chirr_sim_broken_rule *rule)
{
    for (uint32_t i = 0; i < scenario->network.loss_count; i++) {
        const struct chirr_sim_directed_loss *loss = &scenario->network.losses[i];
        if (loss->until_ms <= loss->from_ms) {
            return broken_at(rule, "network.losses", i, "until", "a time after from");
        }
        if (names_beyond(loss->senders, scenario->agent_count)) {
            return broken_at(rule, "network.losses", i, "senders",
                             "indices less than agents.count");
        }
        if (names_beyond(loss->receivers, scenario->agent_count)) {
            return broken_at(rule, "network.losses", i, "receivers",
                             "indices less than agents.count");
        }
    }
    return false;
}

static bool crash_breaks(const struct chirr_sim_scenario *scenario,
                         struct chirr_sim_broken_rule *rule)
{
    for (uint32_t i = 0; i < scenario->crash_count; i++) {
        const struct chirr_sim_crash *crash = &scenario->crashes[i];
        if (choice_breaks(scenario, crash->set, crash->count, "crashes", i, rule)) {
            return true;
        }
    }
    return false;
}

static bool pause_breaks(const struct chirr_sim_scenario *scenario,
                         struct chirr_sim_broken_rule *rule)
{
    for (uint32_t i = 0; i < scenario->pause_count; i++) {
        const struct chirr_sim_pause *pause = &scenario->pauses[i];
        if (choice_breaks(scenario, pause->set, pause->count, "pauses", i, rule)) {
            return true;
        }
        if ((pause->awake_ms > 0) != (pause->until_ms > pause->at_ms)) {
            return broken_at(rule, "pauses", i, "until",
                             "a time after at with awake, and none without");
        }
    }
    return false;
}

static bool work_breaks(const struct chirr_sim_scenario *scenario,
                        struct chirr_sim_broken_rule *rule)
{
    const struct chirr_sim_work *work = &scenario->work;
    if (work->task_count > 0 && work->kind_count == 0) {
        return broken(rule, "tasks.kinds", "at least one kind");
    }
    if (work->task_count > 0 && work->until_ms < work->from_ms) {
        return broken(rule, "tasks.until", "a time not before from");
    }
    for (uint32_t i = 0; i < work->kind_count; i++) {
        const struct chirr_sim_kind *kind = &work->kinds[i];
        if (kind->size_bytes_max < kind->size_bytes_min) {
            snprintf(rule->path, sizeof rule->path, "tasks.kinds.%s.size_max", kind->name);
            snprintf(rule->expected, sizeof rule->expected, "at least size_min");
            return true;
        }
    }
    return false;
}

static bool view_breaks(const struct chirr_sim_scenario *scenario,
                        struct chirr_sim_broken_rule *rule)
{
    const struct chirr_node_config *node = &scenario->node;
    char expected[64];
    if (!node->local_view && node->agents_max < scenario->agent_count) {
        return broken(rule, "membership.agents_max", "at least agents.count with view: full");
    }
    snprintf(expected, sizeof expected, "at least %u with view: local",
             (unsigned)chirr_node_agents_min(node));
    return node->agents_max < chirr_node_agents_min(node) &&
           broken(rule, "membership.agents_max", expected);
}

/* Each part by itself, since each has a section of its own in a file; then what they share. */
static bool swarm_breaks(const struct chirr_sim_scenario *scenario,
                         struct chirr_sim_broken_rule *rule)
{
    struct chirr_error reason;
    struct chirr_node_config node = scenario->node;
    if (chirr_membership_config_validate(&node.membership, &reason) != CHIRR_OK) {
        return broken(rule, "membership", reason.text);
    }
    if (chirr_overlay_config_validate(&node.overlay, &reason) != CHIRR_OK) {
        return broken(rule, "overlay", reason.text);
    }
    if (chirr_dissemination_config_validate(&node.dissemination, &reason) != CHIRR_OK) {
        return broken(rule, "dissemination", reason.text);
    }
    node.incarnation = 1; /* each agent gets its own, and a card */
    node.card = (struct chirr_card){.public_key = {1}, .name = "agent", .cpu_permille = 1000};
    return chirr_node_config_validate(&node, &reason) != CHIRR_OK &&
           broken(rule, "swarm", reason.text);
}

bool chirr_sim_scenario_breaks(const struct chirr_sim_scenario *scenario,
                               struct chirr_sim_broken_rule *rule)
{
    struct chirr_error reason;
    if (scenario->seed_count > scenario->agent_count) {
        return broken(rule, "agents.seeds", "at most agents.count");
    }
    if (scenario->node.tasks_max < scenario->work.task_count) {
        /* A store that forgets ended tasks could not be compared with another at the end. */
        return broken(rule, "swarm.tasks_max", "at least tasks.count");
    }
    struct chirr_learner_config learner = chirr_learner_config_default();
    learner.model = scenario->learning.model;
    if (scenario->learning.enabled &&
        chirr_learner_config_validate(&learner, &reason) != CHIRR_OK) {
        return broken(rule, "learning.model", reason.text);
    }
    if (view_breaks(scenario, rule) || swarm_breaks(scenario, rule)) {
        return true;
    }
    return partition_breaks(scenario, rule) || loss_breaks(scenario, rule) ||
           crash_breaks(scenario, rule) || pause_breaks(scenario, rule) ||
           work_breaks(scenario, rule);
}

enum chirr_err chirr_sim_scenario_validate(const struct chirr_sim_scenario *scenario,
                                           struct chirr_error *error)
{
    struct chirr_sim_broken_rule rule;
    if (chirr_sim_scenario_breaks(scenario, &rule)) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG, "%s: expected %s", rule.path,
                               rule.expected);
    }
    return CHIRR_OK;
}

chirr_time_us chirr_sim_scenario_last_fault(const struct chirr_sim_scenario *scenario)
{
    uint64_t last_ms = scenario->start_ms;
    for (uint32_t i = 0; i < scenario->network.partition_count; i++) {
        uint64_t until_ms = scenario->network.partitions[i].until_ms;
        last_ms = until_ms > last_ms ? until_ms : last_ms;
    }
    for (uint32_t i = 0; i < scenario->crash_count; i++) {
        const struct chirr_sim_crash *crash = &scenario->crashes[i];
        uint64_t back_ms = (uint64_t)crash->at_ms + crash->down_for_ms;
        last_ms = back_ms > last_ms ? back_ms : last_ms;
    }
    for (uint32_t i = 0; i < scenario->network.loss_count; i++) {
        uint64_t until_ms = scenario->network.losses[i].until_ms;
        last_ms = until_ms > last_ms ? until_ms : last_ms;
    }
    for (uint32_t i = 0; i < scenario->pause_count; i++) {
        const struct chirr_sim_pause *pause = &scenario->pauses[i];
        uint64_t begins_ms = pause->awake_ms > 0 ? pause->until_ms : pause->at_ms;
        uint64_t over_ms = begins_ms + pause->for_ms + pause->for_ms / 2;
        last_ms = over_ms > last_ms ? over_ms : last_ms;
    }
    return chirr_time_from_ms((int64_t)last_ms);
}
