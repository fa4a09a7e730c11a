/* The keys of a scenario file. */
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "sim/scenario.h"
#include "sim/scenario_rules.h"

#define AT(member) CHIRR_YAML_AT(struct chirr_sim_scenario, member)

/* ---- Sets of agents: "3,7-9" ----------------------------------------------------------------- */

static const char *const set_words = "indices and ranges of agents such as 0-4,7";

static bool parse_index(const char **text, uint32_t *index)
{
    char *end = NULL;
    unsigned long value = **text >= '0' && **text <= '9' ? strtoul(*text, &end, 10) : 0;
    if (end == NULL || value >= CHIRR_SIM_AGENTS_MAX) {
        return false;
    }
    *text = end;
    *index = (uint32_t)value;
    return true;
}

static void skip_blanks(const char **text)
{
    *text += strspn(*text, " ");
}

/* Marks a list of ranges, up to the end or a '|', which is left to read. */
static bool parse_set(const char **text, uint8_t *marks, uint8_t mark)
{
    for (;;) {
        uint32_t first = 0;
        skip_blanks(text);
        if (!parse_index(text, &first)) {
            return false;
        }
        uint32_t last = first;
        if (**text == '-' && ((*text)++, !parse_index(text, &last))) {
            return false;
        }
        for (uint32_t i = first; i <= last; i++) {
            marks[i] = mark;
        }
        skip_blanks(text);
        if (**text != ',') {
            return last >= first;
        }
        (*text)++;
    }
}

/* "0-24 | 25-40": who is not named stays in a further group, number 0. */
static const char *parse_groups(const char *text, void *at)
{
    uint8_t *group = at;
    uint8_t mark = 1;
    memset(group, 0, CHIRR_SIM_AGENTS_MAX);
    while (parse_set(&text, group, mark)) {
        if (*text == '\0') {
            return NULL;
        }
        if (*text != '|' || mark == UINT8_MAX) {
            break;
        }
        text++;
        mark++;
    }
    return "groups of agents such as \"0-24 | 25-40,44\"";
}

static const char *parse_agents(const char *text, void *at)
{
    uint8_t marks[CHIRR_SIM_AGENTS_MAX] = {0};
    if (!parse_set(&text, marks, 1) || *text != '\0') {
        return set_words;
    }
    bool *set = at;
    for (uint32_t i = 0; i < CHIRR_SIM_AGENTS_MAX; i++) {
        set[i] = marks[i] != 0;
    }
    return NULL;
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static const struct chirr_yaml_field agents_fields[] = {
    {"count", CHIRR_YAML_WHOLE, AT(agent_count), .min = 2, .max = CHIRR_SIM_AGENTS_MAX},
    {"seeds", CHIRR_YAML_WHOLE, AT(seed_count), .min = 1, .max = CHIRR_NODE_SEEDS_MAX},
    {"start_within", CHIRR_YAML_DURATION, AT(start_ms)},
    {"clock_offset_max", CHIRR_YAML_DURATION, AT(clock_offset_ms)},
    {0}};

static const struct chirr_yaml_field device_fields[] = {
    {"share", CHIRR_YAML_WHOLE, CHIRR_YAML_AT(struct chirr_sim_device, share), .min = 1,
     .max = 1000},
    {"cpu", CHIRR_YAML_PERMILLE, CHIRR_YAML_AT(struct chirr_sim_device, cpu_permille), .min = 1,
     .max = 64000},
    {"slots", CHIRR_YAML_WHOLE, CHIRR_YAML_AT(struct chirr_sim_device, slots), .max = 16},
    {0}};

static const struct chirr_sim_device device_initial = {
    .share = 1, .cpu_permille = 1000, .slots = 1};

static const struct chirr_yaml_field device_element = {
    .type = CHIRR_YAML_MAPPING,
    .bytes = sizeof(struct chirr_sim_device),
    .fields = device_fields,
};

static const char *const latency_shapes[] = {"exponential", "uniform", NULL};

static const struct chirr_yaml_field latency_fields[] = {
    {"shape", CHIRR_YAML_CHOICE, CHIRR_YAML_AT(struct chirr_sim_latency, shape),
     .choices = latency_shapes},
    {"min", CHIRR_YAML_DURATION, CHIRR_YAML_AT(struct chirr_sim_latency, min_ms), .min = 1,
     .max = 60000},
    {"spread", CHIRR_YAML_DURATION, CHIRR_YAML_AT(struct chirr_sim_latency, spread_ms),
     .max = 60000},
    {0}};

static const struct chirr_yaml_field partition_fields[] = {
    {"from", CHIRR_YAML_DURATION, CHIRR_YAML_AT(struct chirr_sim_partition, from_ms),
     .required = true},
    {"until", CHIRR_YAML_DURATION, CHIRR_YAML_AT(struct chirr_sim_partition, until_ms),
     .required = true},
    {"groups", CHIRR_YAML_PARSED, CHIRR_YAML_AT(struct chirr_sim_partition, group), .min = 1,
     .required = true, .parse = parse_groups},
    {0}};

static const struct chirr_yaml_field partition_element = {
    .type = CHIRR_YAML_MAPPING,
    .bytes = sizeof(struct chirr_sim_partition),
    .fields = partition_fields,
};

#define LOSS(member) CHIRR_YAML_AT(struct chirr_sim_directed_loss, member)
static const struct chirr_yaml_field loss_fields[] = {
    {"from", CHIRR_YAML_DURATION, LOSS(from_ms)},
    {"until", CHIRR_YAML_DURATION, LOSS(until_ms), .required = true},
    {"loss", CHIRR_YAML_NUMBER, LOSS(loss), .low = 0, .high = 1, .required = true},
    {"senders", CHIRR_YAML_PARSED, LOSS(senders), .min = 1, .required = true,
     .parse = parse_agents},
    {"receivers", CHIRR_YAML_PARSED, LOSS(receivers), .min = 1, .required = true,
     .parse = parse_agents},
    {0}};

static const struct chirr_yaml_field loss_element = {
    .type = CHIRR_YAML_MAPPING,
    .bytes = sizeof(struct chirr_sim_directed_loss),
    .fields = loss_fields,
};

#define NETWORK(member) CHIRR_YAML_AT(struct chirr_sim_network_config, member)
static const struct chirr_yaml_field network_fields[] = {
    {"latency", CHIRR_YAML_MAPPING, NETWORK(latency), .fields = latency_fields},
    {"loss", CHIRR_YAML_NUMBER, NETWORK(loss), .low = 0, .high = 1},
    {"duplicate", CHIRR_YAML_NUMBER, NETWORK(duplicate), .low = 0, .high = 1},
    {"reconnect_within", CHIRR_YAML_DURATION, NETWORK(reconnect_ms_max)},
    {"partitions", CHIRR_YAML_SEQUENCE, NETWORK(partitions),
     CHIRR_YAML_COUNT(struct chirr_sim_network_config, partition_count),
     .element = &partition_element},
    {"losses", CHIRR_YAML_SEQUENCE, NETWORK(losses),
     CHIRR_YAML_COUNT(struct chirr_sim_network_config, loss_count), .element = &loss_element},
    {0}};

static const char *const disk_fates[] = {"kept", "lost", NULL};

#define CRASH(member) CHIRR_YAML_AT(struct chirr_sim_crash, member)
static const struct chirr_yaml_field crash_fields[] = {
    {"at", CHIRR_YAML_DURATION, CRASH(at_ms), .required = true},
    {"down_for", CHIRR_YAML_DURATION, CRASH(down_for_ms)},
    {"disk", CHIRR_YAML_CHOICE, CRASH(disk), .choices = disk_fates},
    {"count", CHIRR_YAML_WHOLE, CRASH(count)},
    {"agents", CHIRR_YAML_PARSED, CRASH(set), .min = 1, .parse = parse_agents},
    {0}};

static const struct chirr_yaml_field crash_element = {
    .type = CHIRR_YAML_MAPPING,
    .bytes = sizeof(struct chirr_sim_crash),
    .fields = crash_fields,
};

#define PAUSE(member) CHIRR_YAML_AT(struct chirr_sim_pause, member)
static const struct chirr_yaml_field pause_fields[] = {
    {"at", CHIRR_YAML_DURATION, PAUSE(at_ms), .required = true},
    {"for", CHIRR_YAML_DURATION, PAUSE(for_ms), .min = 1, .required = true},
    {"awake", CHIRR_YAML_DURATION, PAUSE(awake_ms)},
    {"until", CHIRR_YAML_DURATION, PAUSE(until_ms)},
    {"count", CHIRR_YAML_WHOLE, PAUSE(count)},
    {"agents", CHIRR_YAML_PARSED, PAUSE(set), .min = 1, .parse = parse_agents},
    {0}};

static const struct chirr_yaml_field pause_element = {
    .type = CHIRR_YAML_MAPPING,
    .bytes = sizeof(struct chirr_sim_pause),
    .fields = pause_fields,
};

#define KIND(member) CHIRR_YAML_AT(struct chirr_sim_kind, member)
static const struct chirr_yaml_field kind_fields[] = {
    {"bytes_per_s", CHIRR_YAML_SIZE, KIND(bytes_per_s), .min = 1, .required = true},
    {"size_min", CHIRR_YAML_SIZE, KIND(size_bytes_min), .min = 1, .required = true},
    {"size_max", CHIRR_YAML_SIZE, KIND(size_bytes_max), .min = 1, .required = true},
    {"noise", CHIRR_YAML_NUMBER, KIND(noise), .low = 0, .high = 2},
    {"fail", CHIRR_YAML_PERMILLE, KIND(fail_permille), .max = 1000},
    {0}};

static const struct chirr_yaml_field kind_element = {
    .type = CHIRR_YAML_MAPPING,
    .bytes = sizeof(struct chirr_sim_kind),
    .fields = kind_fields,
};

#define WORK(member) CHIRR_YAML_AT(struct chirr_sim_work, member)
static const struct chirr_yaml_field work_fields[] = {
    {"count", CHIRR_YAML_WHOLE, WORK(task_count), .max = CHIRR_SIM_TASKS_MAX},
    {"from", CHIRR_YAML_DURATION, WORK(from_ms)},
    {"until", CHIRR_YAML_DURATION, WORK(until_ms)},
    {"time_limit", CHIRR_YAML_DURATION, WORK(time_limit_ms), .min = 1, .max = 86400000},
    {"cancel", CHIRR_YAML_PERMILLE, WORK(cancel_permille), .max = 1000},
    {"cancel_after", CHIRR_YAML_DURATION, WORK(cancel_after_ms)},
    {"kinds", CHIRR_YAML_NAMED, WORK(kinds), CHIRR_YAML_COUNT(struct chirr_sim_work, kind_count),
     CHIRR_YAML_KEY(struct chirr_sim_kind, name), .element = &kind_element},
    {0}};

#define MODEL(member) CHIRR_YAML_AT(struct chirr_model_config, member)
static const struct chirr_yaml_field model_fields[] = {
    {"width", CHIRR_YAML_WHOLE, MODEL(width)},
    {"layers", CHIRR_YAML_WHOLE, MODEL(layers)},
    {"section_width", CHIRR_YAML_WHOLE, MODEL(section_width)},
    {"mlp_width", CHIRR_YAML_WHOLE, MODEL(mlp_width)},
    {"rates", CHIRR_YAML_WHOLE, MODEL(rates)},
    {"partitions", CHIRR_YAML_WHOLE, MODEL(partitions), .min = 1,
     .max = CHIRR_MODEL_PARTITIONS_MAX},
    {"active", CHIRR_YAML_WHOLE, MODEL(active)},
    {"input_gate", CHIRR_YAML_BOOL, MODEL(input_gate)},
    {"gram_rows", CHIRR_YAML_WHOLE, MODEL(gram_rows)},
    {"chunk", CHIRR_YAML_WHOLE, MODEL(chunk)},
    {"learning_rate", CHIRR_YAML_NUMBER, MODEL(learning_rate), .low = 0, .high = 1},
    {"warmup_updates", CHIRR_YAML_WHOLE, MODEL(warmup_updates)},
    {"settling_updates", CHIRR_YAML_WHOLE, MODEL(settling_updates)},
    {"drift", CHIRR_YAML_BOOL, MODEL(drift)},
    {"replay", CHIRR_YAML_SIZE, MODEL(replay_bytes)},
    {"replay_share", CHIRR_YAML_NUMBER, MODEL(replay_share), .low = 0, .high = 0.5},
    {"trunk_rate", CHIRR_YAML_NUMBER, MODEL(trunk_rate), .low = 0, .high = 1},
    {0}};

#define LEARNING(member) CHIRR_YAML_AT(struct chirr_sim_learning, member)
static const struct chirr_yaml_field learning_fields[] = {
    {"enabled", CHIRR_YAML_BOOL, LEARNING(enabled)},
    {"control", CHIRR_YAML_BOOL, LEARNING(control)},
    {"groups", CHIRR_YAML_WHOLE, LEARNING(group_count), .min = 1, .max = CHIRR_SIM_AGENTS_MAX},
    {"shared", CHIRR_YAML_PERMILLE, LEARNING(shared_permille), .max = 1000},
    {"words", CHIRR_YAML_WHOLE, LEARNING(words), .min = 2, .max = 65536},
    {"bytes_per_s", CHIRR_YAML_WHOLE, LEARNING(bytes_per_s), .min = 1,
     .max = CHIRR_SIM_SENSE_BYTES_MAX},
    {"burst", CHIRR_YAML_DURATION, LEARNING(burst_ms), .min = 10, .max = 60000},
    {"heldout", CHIRR_YAML_SIZE, LEARNING(heldout_bytes), .max = CHIRR_SIM_SENSE_BYTES_MAX},
    {"model", CHIRR_YAML_MAPPING, LEARNING(model), .fields = model_fields},
    {0}};

static const struct chirr_yaml_field membership_fields[] = {
    {"agents_max", CHIRR_YAML_WHOLE, AT(agents_max), .min = 2, .max = CHIRR_SIM_AGENTS_MAX},
    {"lifeguard", CHIRR_YAML_BOOL, AT(node.membership.lifeguard)},
    {"probe_interval", CHIRR_YAML_DURATION, AT(node.membership.probe_interval_ms), .min = 1},
    {"probe_timeout", CHIRR_YAML_DURATION, AT(node.membership.probe_timeout_ms), .min = 1},
    {"sweep_every", CHIRR_YAML_WHOLE, AT(node.membership.sweep_every), .min = 1},
    {"indirect_probes", CHIRR_YAML_WHOLE, AT(node.membership.indirect_count)},
    {"suspect_timeout", CHIRR_YAML_DURATION, AT(node.membership.suspect_timeout_ms), .min = 1},
    {"suspect_factor", CHIRR_YAML_WHOLE, AT(node.membership.suspect_factor), .min = 1},
    {"awareness_max", CHIRR_YAML_WHOLE, AT(node.membership.awareness_max)},
    {"dead_probe", CHIRR_YAML_DURATION, AT(node.membership.dead_probe_ms), .min = 1},
    {"dead_probes", CHIRR_YAML_WHOLE, AT(node.membership.dead_probes_max), .min = 1},
    {"gossip_delay", CHIRR_YAML_DURATION, AT(node.membership.gossip_delay_ms)},
    {0}};

#define NODE(member) CHIRR_YAML_AT(struct chirr_node_config, member)
static const struct chirr_yaml_field overlay_fields[] = {
    {"active", CHIRR_YAML_WHOLE, NODE(overlay.active_max), .min = 1},
    {"passive", CHIRR_YAML_WHOLE, NODE(overlay.passive_max), .min = 1},
    {"mesh_below", CHIRR_YAML_WHOLE, NODE(overlay.mesh_below)},
    {"local", CHIRR_YAML_BOOL, NODE(overlay.local)},
    {"links", CHIRR_YAML_WHOLE, NODE(overlay.links_max), .min = 1},
    {"link_idle", CHIRR_YAML_DURATION, NODE(overlay.link_idle_ms), .min = 1},
    {"shuffle_interval", CHIRR_YAML_DURATION, NODE(overlay.shuffle_interval_ms), .min = 1},
    {"request_timeout", CHIRR_YAML_DURATION, NODE(overlay.request_timeout_ms), .min = 1},
    {0}};

static const struct chirr_yaml_field dissemination_fields[] = {
    {"repair_interval", CHIRR_YAML_DURATION, NODE(dissemination.repair_interval_ms), .min = 1},
    {"repair_records", CHIRR_YAML_WHOLE, NODE(dissemination.repair_records_max), .min = 1},
    {"push_bytes_per_s", CHIRR_YAML_SIZE, NODE(dissemination.push_bytes_per_s), .min = 1},
    {"repair_bytes_per_s", CHIRR_YAML_SIZE, NODE(dissemination.repair_bytes_per_s), .min = 1},
    {"prune_after", CHIRR_YAML_WHOLE, NODE(dissemination.tree.prune_after), .min = 1},
    {"have_delay", CHIRR_YAML_DURATION, NODE(dissemination.tree.have_delay_ms)},
    {"graft_delay", CHIRR_YAML_DURATION, NODE(dissemination.tree.graft_delay_ms)},
    {"graft_retry", CHIRR_YAML_DURATION, NODE(dissemination.tree.graft_retry_ms), .min = 1},
    {0}};

static const char *const policies[] = {"bundle", "random", NULL};
static const struct chirr_yaml_field swarm_fields[] = {
    {"tasks_max", CHIRR_YAML_WHOLE, NODE(tasks_max)},
    {"heartbeat", CHIRR_YAML_DURATION, NODE(heartbeat_interval_ms)},
    {"seed_interval", CHIRR_YAML_DURATION, NODE(seed_interval_ms)},
    {"lease", CHIRR_YAML_DURATION, NODE(lease.lease_ms)},
    {"auction", CHIRR_YAML_CHOICE, NODE(auction.policy), .choices = policies},
    {"bundle_max", CHIRR_YAML_WHOLE, NODE(auction.bundle_max), .min = 1, .max = CHIRR_CLAIMS_MAX},
    {"settle", CHIRR_YAML_DURATION, NODE(auction.settle_ms)},
    {"price_refresh", CHIRR_YAML_DURATION, NODE(auction.price_refresh_ms), .min = 1},
    {"delta_interval", CHIRR_YAML_DURATION, NODE(ledger.token_interval_ms), .min = 1},
    {"delta_burst", CHIRR_YAML_WHOLE, NODE(ledger.tokens_max), .min = 1},
    {"knowledge_step", CHIRR_YAML_PERMILLE, NODE(ledger.step_permille), .max = 10000},
    {"knowledge_bytes_per_s", CHIRR_YAML_SIZE, NODE(knowledge_bytes_per_s), .min = 1},
    {0}};

static const struct chirr_yaml_field bounds_fields[] = {
    {"settle", CHIRR_YAML_DURATION, CHIRR_YAML_AT(struct chirr_sim_bounds, settle_ms)},
    {"views", CHIRR_YAML_DURATION, CHIRR_YAML_AT(struct chirr_sim_bounds, views_ms)},
    {"symmetry", CHIRR_YAML_DURATION, CHIRR_YAML_AT(struct chirr_sim_bounds, symmetry_ms)},
    {0}};

static const char *const views[] = {"full", "local", NULL}; /* as a bool */
static const struct chirr_yaml_field scenario_fields[] = {
    {"name", CHIRR_YAML_NAME, AT(name)},
    {"seed", CHIRR_YAML_WHOLE, AT(seed)},
    {"duration", CHIRR_YAML_DURATION, AT(duration_ms), .min = 1000, .required = true},
    {"agents", CHIRR_YAML_MAPPING, .fields = agents_fields},
    {"view", CHIRR_YAML_CHOICE, AT(node.local_view), .choices = views},
    {"devices", CHIRR_YAML_NAMED, AT(devices),
     CHIRR_YAML_COUNT(struct chirr_sim_scenario, device_count),
     CHIRR_YAML_KEY(struct chirr_sim_device, name), .min = 1, .element = &device_element,
     .initial = &device_initial},
    {"network", CHIRR_YAML_MAPPING, AT(network), .fields = network_fields},
    {"crashes", CHIRR_YAML_SEQUENCE, AT(crashes),
     CHIRR_YAML_COUNT(struct chirr_sim_scenario, crash_count), .element = &crash_element},
    {"pauses", CHIRR_YAML_SEQUENCE, AT(pauses),
     CHIRR_YAML_COUNT(struct chirr_sim_scenario, pause_count), .element = &pause_element},
    {"tasks", CHIRR_YAML_MAPPING, AT(work), .fields = work_fields},
    {"learning", CHIRR_YAML_MAPPING, AT(learning), .fields = learning_fields},
    {"membership", CHIRR_YAML_MAPPING, .fields = membership_fields},
    {"overlay", CHIRR_YAML_MAPPING, AT(node), .fields = overlay_fields},
    {"dissemination", CHIRR_YAML_MAPPING, AT(node), .fields = dissemination_fields},
    {"swarm", CHIRR_YAML_MAPPING, AT(node), .fields = swarm_fields},
    {"bounds", CHIRR_YAML_MAPPING, AT(bounds), .fields = bounds_fields},
    {0}};

/* ---- Reading --------------------------------------------------------------------------------- */

static enum chirr_err read_scenario(struct chirr_yaml *yaml, struct chirr_sim_scenario *scenario,
                                    struct chirr_error *error)
{
    if (yaml == NULL) {
        return error->code;
    }
    *scenario = chirr_sim_scenario_default();
    enum chirr_err err = chirr_yaml_read(yaml, "", scenario_fields, scenario, error);
    if (err == CHIRR_OK) {
        chirr_sim_scenario_derive(scenario);
        struct chirr_sim_broken_rule rule;
        if (chirr_sim_scenario_breaks(scenario, &rule)) {
            err = chirr_yaml_reject(yaml, rule.path, error, rule.expected, NULL);
        }
    }
    chirr_yaml_destroy(yaml);
    return err;
}

enum chirr_err chirr_sim_scenario_load(const char *path, struct chirr_sim_scenario *scenario,
                                       struct chirr_error *error)
{
    return read_scenario(chirr_yaml_load(path, error), scenario, error);
}

enum chirr_err chirr_sim_scenario_parse(const char *name, const char *text,
                                        struct chirr_sim_scenario *scenario,
                                        struct chirr_error *error)
{
    return read_scenario(chirr_yaml_parse(name, text, strlen(text), error), scenario, error);
}
