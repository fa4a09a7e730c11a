#include "sim/scenario.h"

#include <criterion/criterion.h>
#include <string.h>

static struct chirr_sim_scenario scenario;
static struct chirr_error error;

static enum chirr_err parse(const char *text)
{
    return chirr_sim_scenario_parse("test.yaml", text, &scenario, &error);
}

Test(scenario, takes_defaults_for_all_but_the_duration)
{
    struct chirr_sim_scenario usual = chirr_sim_scenario_default();
    cr_assert_eq(parse("duration: 2m\n"), CHIRR_OK, "%s", error.text);
    cr_assert_eq(scenario.duration_ms, 120000);
    cr_assert_eq(scenario.agent_count, usual.agent_count);
    cr_assert_eq(scenario.node.agents_max, usual.agent_count);
}

Test(scenario, takes_a_local_view_as_an_agent_does)
{
    const uint32_t usual = chirr_node_config_default().agents_max;
    cr_assert_eq(parse("duration: 1m\nview: local\nagents: {count: 1000}\n"), CHIRR_OK, "%s",
                 error.text);
    cr_assert(scenario.node.local_view);
    cr_assert_eq(scenario.node.agents_max, usual);
    cr_assert_eq(parse("duration: 1m\nview: local\nagents: {count: 1000}\n"
                       "membership: {agents_max: 80}\n"),
                 CHIRR_OK, "%s", error.text);
    cr_assert_eq(scenario.node.agents_max, 80);
    cr_assert_eq(scenario.learning.model.origins_max, 80);
    cr_assert_eq(parse("duration: 1m\nview: full\nmembership: {agents_max: 80}\n"), CHIRR_OK, "%s",
                 error.text);
    cr_assert_not(scenario.node.local_view);
    cr_assert_eq(scenario.node.agents_max, 80);
}

Test(scenario, reads_groups_and_sets_of_agents)
{
    cr_assert_eq(parse("duration: 1m\n"
                       "agents: {count: 6}\n"
                       "network:\n"
                       "  partitions: [{from: 1s, until: 2s, groups: \"0-1,3 | 5\"}]\n"
                       "crashes:\n"
                       "  - {at: 3s, agents: \"0,2-3\", disk: lost}\n"),
                 CHIRR_OK, "%s", error.text);
    const uint8_t groups[6] = {1, 1, 0, 1, 0, 2};
    const bool hit[6] = {true, false, true, true, false, false};
    cr_assert_arr_eq(scenario.network.partitions[0].group, groups, sizeof groups);
    cr_assert_arr_eq(scenario.crashes[0].set, hit, sizeof hit);
    cr_assert_eq(scenario.crashes[0].disk, CHIRR_SIM_DISK_LOST);
}

Test(scenario, reads_pauses_and_losses_in_one_direction)
{
    cr_assert_eq(parse("duration: 1m\n"
                       "agents: {count: 6}\n"
                       "network: {losses: [{until: 5s, loss: 0.5, senders: \"0-2\", receivers: "
                       "\"5\"}]}\n"
                       "pauses:\n"
                       "  - {at: 3s, agents: \"1\", for: 2s}\n"
                       "  - {at: 3s, count: 2, for: 4s, awake: 20ms, until: 30s}\n"),
                 CHIRR_OK, "%s", error.text);
    const struct chirr_sim_directed_loss *loss = &scenario.network.losses[0];
    cr_assert(loss->senders[2] && !loss->senders[3] && loss->receivers[5] && !loss->receivers[0]);
    cr_assert_eq(loss->until_ms, 5000);
    cr_assert_eq(scenario.pause_count, 2);
    cr_assert(scenario.pauses[0].set[1]);
    cr_assert_eq(scenario.pauses[1].awake_ms, 20);
    cr_assert_eq(scenario.pauses[1].until_ms, 30000);
    cr_assert_eq(chirr_sim_scenario_last_fault(&scenario), 36 * CHIRR_US_PER_S);
}

Test(scenario, reaches_into_membership_overlay_and_dissemination)
{
    cr_assert_eq(parse("duration: 1m\n"
                       "membership: {lifeguard: false, suspect_factor: 3}\n"
                       "overlay: {active: 4, mesh_below: 0}\n"
                       "dissemination: {prune_after: 5, repair_bytes_per_s: 8K}\n"),
                 CHIRR_OK, "%s", error.text);
    cr_assert_not(scenario.node.membership.lifeguard);
    cr_assert_eq(scenario.node.membership.suspect_factor, 3);
    cr_assert_eq(scenario.node.overlay.active_max, 4);
    cr_assert_eq(scenario.node.overlay.mesh_below, 0);
    cr_assert_eq(scenario.node.dissemination.tree.prune_after, 5);
    cr_assert_eq(scenario.node.dissemination.repair_bytes_per_s, 8192);
}

Test(scenario, names_file_line_key_and_expectation_of_a_mistake)
{
    static const struct {
        const char *text;
        const char *words[3];
    } cases[] = {
        {"duration: 1m\nagents: {cuont: 3}\n", {"test.yaml:2", "cuont", "count"}},
        {"duration: soon\n", {"test.yaml:1", "duration", "soon"}},
        {"name: x\n", {"test.yaml", "duration", ""}},
        {"duration: 1m\nnetwork:\n  loss: 2\n", {"test.yaml:3", "network.loss", "1"}},
        {"duration: 1m\nnetwork:\n  partitions:\n    - {from: 2s, until: 1s, groups: \"0\"}\n",
         {"test.yaml:4", "network.partitions[0].until", "after from"}},
        {"duration: 1m\nnetwork:\n  partitions: [{from: 1s, until: 2s, groups: \"9-3\"}]\n",
         {"test.yaml:3", "groups", "9-3"}},
        {"duration: 1m\nagents: {count: 4}\ncrashes: [{at: 1s, agents: \"4\"}]\n",
         {"test.yaml:3", "crashes[0].agents", "less than agents.count"}},
        {"duration: 1m\ncrashes: [{at: 1s}]\n",
         {"test.yaml:2", "crashes[0]", "either agents or count"}},
        {"duration: 1m\npauses: [{at: 1s, for: 1s}]\n",
         {"test.yaml:2", "pauses[0]", "either agents or count"}},
        {"duration: 1m\npauses: [{at: 9s, for: 1s, count: 1, awake: 1s}]\n",
         {"test.yaml:2", "pauses[0].until", "a time after at"}},
        {"duration: 1m\npauses: [{at: 9s, for: 1s, count: 1, until: 20s}]\n",
         {"test.yaml:2", "pauses[0].until", "none without"}},
        {"duration: 1m\nagents: {count: 4}\nnetwork:\n"
         "  losses: [{until: 1s, loss: 1, senders: \"0\", receivers: \"4\"}]\n",
         {"test.yaml:4", "network.losses[0].receivers", "less than agents.count"}},
        {"duration: 1m\nview: part\n", {"test.yaml:2", "view", "full or local"}},
        {"duration: 1m\nview: local\nmembership: {agents_max: 63}\n",
         {"test.yaml:3", "membership.agents_max", "at least 64 with view: local"}},
        {"duration: 1m\nview: local\noverlay: {active: 9}\nmembership: {agents_max: 70}\n",
         {"test.yaml:4", "membership.agents_max", "at least 72 with view: local"}},
        {"duration: 1m\nagents: {count: 50}\nmembership: {agents_max: 40}\n",
         {"test.yaml:3", "membership.agents_max", "at least agents.count with view: full"}},
        {"duration: 1m\nmembership: {agents_max: 2000}\n",
         {"test.yaml:2", "membership.agents_max", "1024"}},
        {"duration: 1m\noverlay: {active: 99}\n", {"test.yaml:2", "active", "must be 2"}},
        {"duration: 1m\ntasks: {count: 3}\n", {"test.yaml:2", "tasks.kinds", "at least one"}},
        {"duration: 1m\nswarm: {lease: 1s}\n", {"test.yaml:2", "swarm", "lease"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(parse(cases[i].text), CHIRR_ERR_CONFIG, "case %zu", i);
        for (size_t w = 0; w < 3; w++) {
            cr_expect_not_null(strstr(error.text, cases[i].words[w]), "case %zu: no \"%s\" in: %s",
                               i, cases[i].words[w], error.text);
        }
    }
}

Test(scenario, knows_when_the_last_fault_is_over)
{
    cr_assert_eq(parse("duration: 1m\n"
                       "network: {partitions: [{from: 1s, until: 9s, groups: \"0\"}]}\n"
                       "crashes: [{at: 5s, count: 1, down_for: 7s}]\n"),
                 CHIRR_OK, "%s", error.text);
    cr_assert_eq(chirr_sim_scenario_last_fault(&scenario), 12 * CHIRR_US_PER_S);
}
