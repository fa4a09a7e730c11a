#include "agent/config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sense.h"

/* Every test works in a directory of its own, so that files have the same short names. */
static char directory[] = "/tmp/chirr-config-XXXXXX";

static void enter(void)
{
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(chdir(directory), 0);
}

static void leave(void)
{
    unlink("f.yaml");
    unlink("written.yaml");
    cr_assert_eq(chdir("/"), 0);
    rmdir(directory);
}

TestSuite(config, .init = enter, .fini = leave);

static void put(const char *text)
{
    FILE *file = fopen("f.yaml", "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

static struct chirr_agent_config load_agent(const char *text)
{
    struct chirr_error error = {0};
    struct chirr_agent_config config;
    put(text);
    cr_assert_eq(chirr_agent_config_load("f.yaml", &config, &error), CHIRR_OK, "%s", error.text);
    return config;
}

static struct chirr_fleet_config *load_fleet(const char *text)
{
    struct chirr_error error = {0};
    struct chirr_fleet_config *config = malloc(sizeof *config);
    put(text);
    cr_assert_eq(chirr_fleet_config_load("f.yaml", config, &error), CHIRR_OK, "%s", error.text);
    return config;
}

static const char small[] = "name: a\nswarm: s\n";

static const char whole[] =
    "name: ant-1\n"
    "swarm: hill\n"
    "device: pi\n"
    "state: state/ant-1\n"
    "runtime: /run/user/1/x\n"
    "keyring: keys\n"
    "cpu: 0.25\n"
    "slots: 3\n"
    "provides: [gcc, gpu]\n"
    "listen: {publish: \"tcp://127.0.0.1:7701\", unicast: \"tcp://*:*\"}\n"
    "advertise: {publish: \"tcp://pi.local:7701\"}\n"
    "security: none\n"
    "log: warning\n"
    "view: local\n"
    "checkpoint_every: 5s\n"
    "output_max: 64K\n"
    "membership: {agents_max: 99, heartbeat_every: 500ms, seed_every: 3s, probe_every: 2s,\n"
    "  probe_timeout: 600ms, indirect_probes: 2, suspect_timeout: 9s, dead_probe_every: 1m}\n"
    "gossip: {repair_every: 700ms, repair_records: 16, changes_max: 100}\n"
    "auction: {policy: random, tasks_max: 50, bundle: 3, settle: 100ms, hysteresis: 0.05,\n"
    "  price_refresh: 20s, lease: 4s}\n"
    "knowledge: {token_every: 2s, tokens_max: 4, step: 0.75, stale_after: 2m}\n"
    "transport: {peers_max: 50, queue: 77, heartbeat: 3s, reconnect: 50ms, reconnect_max: 4s,\n"
    "  silence: 9s, stuck: 7s}\n"
    "beacon: {group: 239.255.77.78:7799, interface: 10.1.2.3, every: 30s}\n"
    "model: {enabled: true, width: 128, layers: 3, section_width: 512, mlp_width: 64, rates: 2,\n"
    "  partitions: 16, hosted: \"0-3,7,15\", seed: 12, chunk: 16, learning_rate: 1.4e-3,\n"
    "  warmup_updates: 10, origins: 5, control: true}\n"
    "senses:\n"
    "  - {name: text, from: \"file:*.txt  /usr/share/*/x | z\", rate: 1500, held_out: 0.1}\n"
    "  - {name: load, from: \"proc:\", every: 2s}\n"
    "  - {name: out, from: \"exec:tail -f x | cat\"}\n"
    "seeds:\n"
    "  - {key: 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f,\n"
    "     publish: \"tcp://10.0.0.1:1\", unicast: \"tcp://[::1]:65535\", name: bee}\n";

static void expect_whole(const struct chirr_agent_config *c)
{
    char path[128];
    cr_expect_str_eq(c->name, "ant-1");
    cr_expect_str_eq(c->swarm, "hill");
    cr_expect_str_eq(c->device, "pi");
    snprintf(path, sizeof path, "%s/state/ant-1", directory);
    cr_expect_str_eq(c->state_dir, path);
    cr_expect_str_eq(c->runtime_dir, "/run/user/1/x");
    snprintf(path, sizeof path, "%s/keys", directory);
    cr_expect_str_eq(c->keyring, path);
    cr_expect_eq(c->cpu_permille, 250);
    cr_expect_eq(c->slots, 3);
    cr_expect_eq(c->provides.count, 2);
    cr_expect_str_eq(c->provides.names[1], "gpu");
    cr_expect_str_eq(c->transport.publish_bind, "tcp://127.0.0.1:7701");
    cr_expect_str_eq(c->transport.unicast_bind, "tcp://*:*");
    cr_expect_str_eq(c->publish_advertise, "tcp://pi.local:7701");
    cr_expect_str_eq(c->unicast_advertise, "");
    cr_expect_not(c->transport.curve);
    cr_expect_eq(c->log_level, CHIRR_LOG_WARNING);
    cr_expect_eq(c->checkpoint_interval_ms, 5000);
    cr_expect_eq(c->output_bytes_max, 65536);
    cr_expect_eq(c->beacon.group.address, 0xEFFF4D4E);
    cr_expect_eq(c->beacon.group.port, 7799);
    cr_expect_eq(c->beacon.interface, 0x0A010203);
    cr_expect_eq(c->beacon.interval_ms, 30000);
}

static void expect_whole_node(const struct chirr_node_config *n)
{
    cr_expect_eq(n->agents_max, 99);
    cr_expect(n->local_view);
    cr_expect_eq(n->heartbeat_interval_ms, 500);
    cr_expect_eq(n->seed_interval_ms, 3000);
    cr_expect_eq(n->membership.probe_interval_ms, 2000);
    cr_expect_eq(n->membership.probe_timeout_ms, 600);
    cr_expect_eq(n->membership.indirect_count, 2);
    cr_expect_eq(n->membership.suspect_timeout_ms, 9000);
    cr_expect_eq(n->membership.dead_probe_ms, 60000);
    cr_expect_eq(n->dissemination.repair_interval_ms, 700);
    cr_expect_eq(n->dissemination.repair_records_max, 16);
    cr_expect_eq(n->dissemination.changes_max, 100);
    cr_expect_eq(n->auction.policy, CHIRR_AUCTION_RANDOM);
    cr_expect_eq(n->tasks_max, 50);
    cr_expect_eq(n->auction.bundle_max, 3);
    cr_expect_eq(n->auction.settle_ms, 100);
    cr_expect_eq(n->auction.hysteresis_permille, 50);
    cr_expect_eq(n->auction.price_refresh_ms, 20000);
    cr_expect_eq(n->lease.lease_ms, 4000);
    cr_expect_eq(n->ledger.token_interval_ms, 2000);
    cr_expect_eq(n->ledger.tokens_max, 4);
    cr_expect_eq(n->ledger.step_permille, 750);
    cr_expect_eq(n->ledger.stale_after_ms, 120000);
    cr_expect_eq(n->seed_count, 1);
    cr_expect_eq(n->seeds[0].public_key[31], 0x1f);
    cr_expect_str_eq(n->seeds[0].publish_endpoint, "tcp://10.0.0.1:1");
    cr_expect_str_eq(n->seeds[0].unicast_endpoint, "tcp://[::1]:65535");
    cr_expect_str_eq(n->seeds[0].name, "bee");
}

static void expect_whole_learner(const struct chirr_agent_config *c)
{
    const struct chirr_model_config *m = &c->learner.model;
    char globs[256];
    cr_expect_eq(c->transport.peers_max, 50);
    cr_expect_eq(c->transport.queue_messages_max, 77);
    cr_expect_eq(c->transport.heartbeat_ms, 3000);
    cr_expect_eq(c->transport.reconnect_ms, 50);
    cr_expect_eq(c->transport.reconnect_ms_max, 4000);
    cr_expect_eq(c->transport.silence_ms, 9000);
    cr_expect_eq(c->transport.stuck_ms, 7000);
    cr_expect(c->model);
    cr_expect(c->learner.control);
    cr_expect_eq(m->width, 128);
    cr_expect_eq(m->layers, 3);
    cr_expect_eq(m->section_width, 512);
    cr_expect_eq(m->mlp_width, 64);
    cr_expect_eq(m->rates, 2);
    cr_expect_eq(m->partitions, 16);
    cr_expect_eq(m->hosted, 0x808F);
    cr_expect_eq(m->genesis_seed, 12);
    cr_expect_eq(m->chunk, 16);
    cr_expect_eq(m->learning_rate, 1.4e-3f);
    cr_expect_eq(m->warmup_updates, 10);
    cr_expect_eq(m->origins_max, 5);
    cr_expect_eq(c->sense_count, 3);
    cr_expect_eq(m->sense_count, 3);
    snprintf(globs, sizeof globs, "%s/*.txt /usr/share/*/x | %s/z", directory, directory);
    cr_expect_eq(c->senses[0].source, CHIRR_SOURCE_FILE);
    cr_expect_str_eq(c->senses[0].from, globs);
    cr_expect_eq(c->senses[0].rate_bytes_per_s, 1500);
    cr_expect_eq(c->senses[0].skip_bytes_per_mille, 100);
    cr_expect_eq(c->senses[1].source, CHIRR_SOURCE_PROC);
    cr_expect_eq(c->senses[1].interval_ms, 2000);
    cr_expect_eq(c->senses[2].source, CHIRR_SOURCE_EXEC);
    cr_expect_str_eq(c->senses[2].from, "tail -f x | cat");
    cr_expect_str_eq(m->senses[1].name, "load");
    cr_expect_eq(m->senses[1].kind, CHIRR_SENSE_VECTOR);
    cr_expect_eq(m->senses[1].width, CHIRR_PROC_WIDTH);
    cr_expect_eq(m->senses[0].kind, CHIRR_SENSE_BYTES);
    cr_expect_eq(c->learner.load_sense, 1);
}

Test(config, every_key_of_an_agent_arrives_where_it_belongs)
{
    struct chirr_agent_config config = load_agent(whole);
    expect_whole(&config);
    expect_whole_node(&config.node);
    expect_whole_learner(&config);
}

Test(config, an_agent_that_is_written_loads_as_it_was)
{
    struct chirr_error error = {0};
    struct chirr_agent_config config = load_agent(whole), again;
    cr_assert_eq(chirr_agent_config_write("written.yaml", &config, &error), CHIRR_OK, "%s",
                 error.text);
    cr_assert_eq(chirr_agent_config_load("written.yaml", &again, &error), CHIRR_OK, "%s",
                 error.text);
    expect_whole(&again);
    expect_whole_node(&again.node);
    expect_whole_learner(&again);
    cr_expect_eq(memcmp(&config, &again, sizeof config), 0);
    struct stat status;
    cr_assert_eq(stat("written.yaml", &status), 0);
    cr_expect_eq(status.st_mode & 0777, 0600);
}

Test(config, the_defaults_survive_being_written)
{
    struct chirr_error error = {0};
    struct chirr_agent_config config = load_agent(small), again;
    cr_assert_eq(chirr_agent_config_write("written.yaml", &config, &error), CHIRR_OK);
    cr_assert_eq(chirr_agent_config_load("written.yaml", &again, &error), CHIRR_OK, "%s",
                 error.text);
    cr_expect_eq(memcmp(&config, &again, sizeof config), 0);
    cr_expect_eq(chirr_agent_config_write("no/such/f.yaml", &config, &error), CHIRR_ERR_IO);
    cr_expect_str_eq(error.text, "no/such/f.yaml: cannot be written: No such file or directory");
}

Test(config, what_a_file_does_not_say_has_a_sensible_default)
{
    struct chirr_agent_config config = load_agent(small);
    cr_expect_eq(config.cpu_permille, 1000);
    cr_expect_eq(config.slots, 1);
    cr_expect(config.model);
    cr_expect(config.transport.curve, "secure unless said otherwise");
    cr_expect_eq(config.learner.model.hosted, 0xFF, "every partition");
    cr_expect_eq(config.learner.load_sense, CHIRR_LEARNER_NO_SENSE);
    cr_expect_str_eq(config.transport.publish_bind, "tcp://127.0.0.1:*", "loopback alone");
    cr_expect_str_eq(config.state_dir, "");
    struct chirr_paths paths = {"/home/x/.local/state", "/run/user/7"};
    cr_assert_eq(chirr_agent_config_place(&config, &paths, NULL), CHIRR_OK);
    cr_expect_str_eq(config.state_dir, "/home/x/.local/state/chirr/s/a");
    cr_expect_str_eq(config.runtime_dir, "/run/user/7/chirr/s");
}

Test(config, a_default_path_that_is_too_long_is_refused)
{
    struct chirr_error error = {0};
    struct chirr_agent_config config = load_agent(small);
    struct chirr_paths paths = {"/", "/"};
    memset(paths.state_home, '/', sizeof paths.state_home - 1);
    cr_expect_eq(chirr_agent_config_place(&config, &paths, &error), CHIRR_ERR_CONFIG);
}

/* ---- Fleets -------------------------------------------------------------------------------- */

static const char fleet[] =
    "swarm: hill\n"
    "seed: 42\n"
    "state: st\n"
    "restart: false\n"
    "security: none\n"
    "log: debug\n"
    "model: {partitions: 8, control: true}\n"
    "auction: {lease: 6s}\n"
    "devices:\n"
    "  big: {cpu: 1, slots: 2, provides: [gcc]}\n"
    "  pi: {cpu: 0.1, partitions: 3}\n"
    "  relay: {slots: 0, model: false}\n"
    "agents:\n"
    "  - {name: queen, device: big, port: 7700, senses: [{name: text, from: \"file:a b\"}]}\n"
    "  - {name: ant, device: pi, count: 3, port: 7710, senses: [{name: p, from: \"proc:\"}]}\n"
    "  - {name: post, device: relay}\n"
    "  - {name: stray}\n"
    "workload:\n"
    "  jobs: 40\n"
    "  over: 30s\n"
    "  time_limit: 10s\n"
    "  kinds:\n"
    "    - {kind: hash, command: \"sha256sum {input}\", input: binary, size: [64K, 4M]}\n"
    "    - {kind: nap, command: sleep 1}\n";

Test(config, a_fleet_unrolls_into_one_configuration_for_each_agent)
{
    struct chirr_fleet_config *f = load_fleet(fleet);
    char path[128];
    snprintf(path, sizeof path, "%s/st", directory);
    cr_expect_str_eq(f->swarm, "hill");
    cr_expect_str_eq(f->state_dir, path);
    cr_expect_eq(f->seed, 42);
    cr_expect_not(f->restart);
    cr_assert_eq(f->agent_count, 6);
    const char *names[] = {"queen", "ant-1", "ant-2", "ant-3", "post", "stray"};
    for (int i = 0; i < 6; i++) {
        cr_expect_str_eq(f->agents[i].name, names[i]);
        cr_expect_str_eq(f->agents[i].swarm, "hill");
        cr_expect_not(f->agents[i].transport.curve);
        cr_expect_eq(f->agents[i].log_level, CHIRR_LOG_DEBUG);
        cr_expect(f->agents[i].learner.control);
        cr_expect_eq(f->agents[i].node.lease.lease_ms, 6000);
        cr_expect_eq(f->agents[i].learner.model.genesis_seed, 42, "one lineage from one seed");
    }
    cr_expect_str_eq(f->agents[0].device, "big");
    cr_expect_eq(f->agents[0].slots, 2);
    cr_expect_str_eq(f->agents[0].provides.names[0], "gcc");
    cr_expect_eq(f->agents[1].cpu_permille, 100);
    cr_expect_not(f->agents[4].model);
    cr_expect_eq(f->agents[4].slots, 0);
    cr_expect_str_eq(f->agents[5].device, "default");
    cr_expect_eq(f->agents[5].cpu_permille, 1000);
    cr_expect_eq(f->agents[2].sense_count, 1);
    cr_expect_eq(f->agents[2].learner.load_sense, 0);
    snprintf(path, sizeof path, "%s/a %s/b", directory, directory);
    cr_expect_str_eq(f->agents[0].senses[0].from, path);
    free(f);
}

Test(config, agents_of_a_fleet_get_neighbouring_ports_and_their_turn_of_partitions)
{
    struct chirr_fleet_config *f = load_fleet(fleet);
    cr_expect_str_eq(f->agents[0].transport.publish_bind, "tcp://127.0.0.1:7700");
    cr_expect_str_eq(f->agents[0].transport.unicast_bind, "tcp://127.0.0.1:7701");
    cr_expect_str_eq(f->agents[3].transport.publish_bind, "tcp://127.0.0.1:7714");
    cr_expect_str_eq(f->agents[3].transport.unicast_bind, "tcp://127.0.0.1:7715");
    cr_expect_str_eq(f->agents[5].transport.publish_bind, "tcp://127.0.0.1:*");
    cr_expect_eq(f->agents[0].learner.model.hosted, 0xFF);
    cr_expect_eq(f->agents[1].learner.model.hosted, 0x07);
    cr_expect_eq(f->agents[2].learner.model.hosted, 0x38);
    cr_expect_eq(f->agents[3].learner.model.hosted, 0xC1, "and round again");
    free(f);
}

Test(config, a_workload_says_what_is_done_to_what)
{
    struct chirr_fleet_config *f = load_fleet(fleet);
    cr_expect_eq(f->workload.job_count, 40);
    cr_expect_eq(f->workload.over_ms, 30000);
    cr_expect_eq(f->workload.time_limit_ms, 10000);
    cr_expect_eq(f->workload.seed, 42, "the fleet's");
    cr_expect_eq(f->workload.kind_count, 2);
    cr_expect_str_eq(f->workload.kinds[0].kind, "hash");
    cr_expect_str_eq(f->workload.kinds[0].command, "sha256sum {input}");
    cr_expect_eq(f->workload.kinds[0].input, CHIRR_INPUT_BINARY);
    cr_expect_eq(f->workload.kinds[0].size_bytes_min, 65536);
    cr_expect_eq(f->workload.kinds[0].size_bytes_max, 4 << 20);
    cr_expect_eq(f->workload.kinds[1].input, CHIRR_INPUT_NONE);
    free(f);
}

Test(config, a_fleet_is_placed_where_the_environment_says)
{
    struct chirr_paths paths = {"/state", "/run"};
    struct chirr_fleet_config *f = load_fleet("swarm: s\nagents: [{name: a, count: 2}]\n");
    cr_assert_eq(chirr_fleet_config_place(f, &paths, NULL), CHIRR_OK);
    cr_expect_str_eq(f->state_dir, "/state/chirr/s");
    cr_expect_str_eq(f->agents[1].state_dir, "/state/chirr/s/a-2");
    cr_expect_str_eq(f->agents[1].runtime_dir, "/run/chirr/s");
    free(f);
}

/* ---- Mistakes ------------------------------------------------------------------------------ */

struct mistake {
    const char *text, *message;
};

#define A "name: a\nswarm: s\n"
#define NO_GROUP                                                                                   \
    "f.yaml:3: beacon.group: expected none, or ADDRESS:PORT with an IPv4 multicast address (as "   \
    "in 239.255.77.77:7700), got "

static const struct mistake agent_mistakes[] = {
    {"swarm: s\n", "f.yaml:1: name: expected a name of at most 31 letters, digits, '.', '_' and "
                   "'-', got nothing"},
    {A "cpus: 1\n", "f.yaml:3: cpus: expected a known key (did you mean \"cpu\"?), got \"cpus\""},
    {A "cpu: 1.5\n", "f.yaml:3: cpu: expected a number from 0.01 to 1 with at most three decimals, "
                     "got \"1.5\""},
    {A "cpu: 0\n", "f.yaml:3: cpu: expected a number from 0.01 to 1 with at most three decimals, "
                   "got \"0\""},
    {A "slots: 257\n", "f.yaml:3: slots: expected a whole number from 0 to 256, got \"257\""},
    {A "provides: [a, b, c, d, e]\n", "f.yaml:3: provides: expected at most 4 entries, got 5"},
    {A "provides: [abcdefghijklmnop]\n",
     "f.yaml:3: provides[0]: expected a name of at most 15 letters, digits, '.', '_' and '-', got "
     "\"abcdefghijklmnop\""},
    {A "security: off\n", "f.yaml:3: security: expected none or curve, got \"off\""},
    {A "log: loud\n", "f.yaml:3: log: expected one of debug, info, warning, error, got \"loud\""},
    {A "state: ~/x\n",
     "f.yaml:3: state: expected a path without ~, which only shells expand, got \"~/x\""},
    {A "view: some\n", "f.yaml:3: view: expected full or local, got \"some\""},
    {A "view: local\nmembership:\n  agents_max: 63\n",
     "f.yaml:5: membership.agents_max: expected at least 64 with view: local, got 63"},
    {A "checkpoint_every: 10\n", "f.yaml:3: checkpoint_every: expected a duration from 1s to 24h "
                                 "(as in 250ms, 60s, 5m), got \"10\""},
    {A "output_max: 2G\n", "f.yaml:3: output_max: expected a size in bytes from 1K to 1G (as in "
                           "1500, 64K, 16M), got \"2G\""},
    {A "listen:\n  publish: localhost:7\n",
     "f.yaml:4: listen.publish: expected tcp://HOST:PORT of at most 63 bytes, where * is any, got "
     "\"localhost:7\""},
    {A "listen:\n  publish: tcp://h:65536\n",
     "f.yaml:4: listen.publish: expected tcp://HOST:PORT of at most 63 bytes, where * is any, got "
     "\"tcp://h:65536\""},
    {A "listen:\n  publish: tcp://h/x:1\n",
     "f.yaml:4: listen.publish: expected tcp://HOST:PORT of at most 63 bytes, where * is any, got "
     "\"tcp://h/x:1\""},
    {A "advertise:\n  unicast: tcp://*:7\n",
     "f.yaml:4: advertise.unicast: expected tcp://HOST:PORT of at most 63 bytes, got "
     "\"tcp://*:7\""},
    {A "seeds:\n  - {key: abc, publish: \"tcp://h:1\", unicast: \"tcp://h:2\"}\n",
     "f.yaml:4: seeds[0].key: expected 64 hexadecimal digits, got \"abc\""},
    {A "seeds:\n  - {publish: \"tcp://h:1\", unicast: \"tcp://h:2\"}\n",
     "f.yaml:4: seeds[0].key: expected 64 hexadecimal digits, got nothing"},
    {A "model:\n  width: 20\n", "f.yaml:4: model.width: expected a multiple of 8, got \"20\""},
    {A "model:\n  partitions: 8\n  section_width: 100\n",
     "f.yaml:5: model.section_width: expected a multiple of rates × partitions = 32, got 100"},
    {A "model:\n  partitions: 7\n",
     "f.yaml:4: model.section_width: expected a multiple of rates × partitions = 28, got 128"},
    {A "model:\n  mlp_width: 30\n",
     "f.yaml:4: model.mlp_width: expected a multiple of partitions = 8, got 30"},
    {A "model:\n  hosted: 0-8\n",
     "f.yaml:4: model.hosted: expected partitions below model.partitions = 8, got \"0-8\""},
    {A "model:\n  hosted: 5-2\n",
     "f.yaml:4: model.hosted: expected partitions from 0 to 63 (as in 0-3,7), got \"5-2\""},
    {A "model:\n  learning_rate: 1\n",
     "f.yaml:4: model.learning_rate: expected a number from 0 to 0.1, got \"1\""},
    {A "beacon: {group: \"192.168.1.7:7700\"}\n", NO_GROUP "\"192.168.1.7:7700\""},
    {A "beacon: {group: 239.255.77.77}\n", NO_GROUP "\"239.255.77.77\""},
    {A "beacon: {group: \"239.255.77.77:0\"}\n", NO_GROUP "\"239.255.77.77:0\""},
    {A "beacon: {group: \"239.255.77.77:65536\"}\n", NO_GROUP "\"239.255.77.77:65536\""},
    {A "beacon: {interface: eth0}\n",
     "f.yaml:3: beacon.interface: expected the IPv4 address of one of this machine's interfaces, or "
     "0.0.0.0, got \"eth0\""},
    {A "auction:\n  lease: 1s\n", "f.yaml:4: auction.lease: expected at least 2000ms (two of "
                                  "membership.heartbeat_every), got 1000ms"},
    {A "membership:\n  probe_timeout: 1s\n",
     "f.yaml:4: membership.probe_every: expected at least 1001ms (more than "
     "membership.probe_timeout), got 1000ms"},
    {A "senses:\n  - {name: t, from: \"ftp:x\"}\n",
     "f.yaml:4: senses[0].from: expected file:GLOB, audio:GLOB, image:GLOB, exec:COMMAND, "
     "stdin:, proc: or feed:, got "
     "\"ftp:x\""},
    {A "senses:\n  - {name: t, from: \"file: \"}\n",
     "f.yaml:4: senses[0].from: expected file:GLOB, audio:GLOB, image:GLOB, exec:COMMAND, "
     "stdin:, proc: or feed:, got "
     "\"file: \""},
    {A "senses:\n  - {name: t, from: \"proc:x\"}\n",
     "f.yaml:4: senses[0].from: expected file:GLOB, audio:GLOB, image:GLOB, exec:COMMAND, "
     "stdin:, proc: or feed:, got "
     "\"proc:x\""},
    {A "senses:\n  - from: \"proc:\"\n",
     "f.yaml:4: senses[0].name: expected a name of at most 31 letters, digits, '.', '_' and '-', "
     "got nothing"},
    {A "senses:\n  - {name: t, from: \"stdin:\"}\n  - {name: u, from: \"stdin:\"}\n",
     "f.yaml:5: senses[1].from: expected one sense at most that reads stdin:, got \"stdin:\""},
    {A "senses:\n  - {name: t, from: \"proc:\"}\n  - {name: t, from: \"stdin:\"}\n",
     "f.yaml:5: senses[1].name: expected a name that no other sense has, got \"t\""},
    {A "senses:\n  - {name: outcome, from: \"proc:\"}\n",
     "f.yaml:4: senses[0].name: expected a name other than that of the learner's own, got "
     "\"outcome\""},
    {A "senses:\n  - {name: t, from: \"proc:\", rate: 5}\n",
     "f.yaml:4: senses[0].rate: expected a rate for senses of bytes alone (vectors have: every), "
     "got \"5\""},
    {A "senses:\n  - {name: t, from: \"stdin:\", every: 5s}\n",
     "f.yaml:4: senses[0].every: expected an interval for senses of vectors alone (bytes have: "
     "rate), got \"5s\""},
    {A "senses:\n  - {name: t, from: \"stdin:\", held_out: 0.1}\n",
     "f.yaml:4: senses[0].held_out: expected a part held out of texts and recordings in files "
     "alone, got \"0.1\""},
    {A "senses:\n  - {name: t, from: \"image:x.png\"}\n",
     "f.yaml:4: senses[0].width: expected the width in pixels of the pictures to learn from, got "
     "nothing"},
    {A "senses:\n  - {name: t, from: \"image:x.png\", width: 8, channels: 2}\n",
     "f.yaml:4: senses[0].channels: expected 1 (grey) or 3 (colour), got \"2\""},
    {A "senses:\n  - {name: t, from: \"audio:x.wav\", width: 8}\n",
     "f.yaml:4: senses[0].width: expected a width for pictures alone, got \"8\""},
    {A "senses: [{name: a, from: \"proc:\"}, {name: b, from: \"proc:\"}, {name: c, from: "
       "\"proc:\"}, {name: d, from: \"proc:\"}, {name: e, from: \"proc:\"}, {name: f, from: "
       "\"proc:\"}, {name: g, from: \"proc:\"}, {name: h, from: \"proc:\"}]\n",
     "f.yaml:3: senses: expected at most 7 entries, got 8"},
};

#define F "swarm: s\nagents:\n  - name: a\n"
#define W "workload:\n  jobs: 1\n  kinds:\n"

static const struct mistake fleet_mistakes[] = {
    {"swarm: s\n", "f.yaml:1: agents: expected a sequence, got nothing"},
    {"swarm: s\nagents: []\n", "f.yaml:2: agents: expected 1 to 64 entries, got 0"},
    {F "    device: pi\n", "f.yaml:4: agents[0].device: expected a name from devices, got \"pi\""},
    {F "    device: pi\ndevices: {p: {}}\n",
     "f.yaml:4: agents[0].device: expected a name from devices, got \"pi\""},
    {F "  - name: a\n", "f.yaml:4: agents[1].name: expected a name that no other agent has, got "
                        "\"a\" again"},
    {F "    count: 2\n  - name: a-2\n", "f.yaml:5: agents[1].name: expected a name that no other "
                                        "agent has, got \"a-2\" again"},
    {"swarm: s\nagents:\n  - {name: a123456789012345678901234567890, count: 1}\n",
     "f.yaml:3: agents[0].name: expected a name that has room for -NUMBER in 31 bytes, got "
     "\"a123456789012345678901234567890\""},
    {F "    count: 40\n  - {name: b, count: 40}\n",
     "f.yaml:3: agents: expected at most 64 agents in all, got more"},
    {F "    port: 7000\n    count: 2\n  - {name: b, port: 7003}\n",
     "f.yaml:6: agents[1].port: expected two ports for each agent that no other has, got "
     "\"7003\""},
    {F "    port: 65534\n    count: 2\n",
     "f.yaml:4: agents[0].port: expected two ports for each agent below 65536, got \"65534\""},
    {F "    senses: [{name: t, from: \"stdin:\"}]\n",
     "f.yaml:4: agents[0].senses[0].from: expected another source, since the agents of a fleet "
     "have no stdin, got \"stdin:\""},
    {F "    senses:\n      - {name: t, from: \"proc:\"}\n      - {name: t, from: \"proc:\"}\n",
     "f.yaml:6: agents[0].senses[1].name: expected a name that no other sense has, got \"t\""},
    {F "devices:\n  pi: {partitions: 9}\n",
     "f.yaml:5: devices.pi.partitions: expected at most model.partitions = 8, got \"9\""},
    {F "devices:\n  pi: {cores: 9}\n", "f.yaml:5: devices.pi.cores: expected one of cpu, slots, "
                                       "partitions, model, provides, got \"cores\""},
    {F "    prot: 5\n",
     "f.yaml:4: agents[0].prot: expected a known key (did you mean \"port\"?), got \"prot\""},
    {F "restart: maybe\n", "f.yaml:4: restart: expected true or false, got \"maybe\""},
    {F "model:\n  section_width: 33\n",
     "f.yaml:5: model.section_width: expected a multiple of rates × partitions = 32, got 33"},
    {F W "    - {kind: k, command: \"cat {input}\"}\n",
     "f.yaml:7: workload.kinds[0].command: expected no {input}, since input is none, got \"cat "
     "{input}\""},
    {F W "    - {kind: k, command: cat, input: lines, size: [1, 2]}\n",
     "f.yaml:7: workload.kinds[0].command: expected {input} somewhere, since there is an input, "
     "got \"cat\""},
    {F W "    - {kind: k, command: \"cat {input}\", input: lines}\n",
     "f.yaml:7: workload.kinds[0].size: expected [MIN, MAX] of the input, got nothing"},
    {F W "    - {kind: k, command: cat, size: [1, 2]}\n",
     "f.yaml:7: workload.kinds[0].size: expected no size, since input is none, got a sequence"},
    {F W "    - {kind: k, command: \"cat {input}\", input: lines, size: [2, 1]}\n",
     "f.yaml:7: workload.kinds[0].size: expected MIN at most MAX, got more"},
    {F W "    - {kind: k, command: \"cat {input}\", input: words, size: [1, 2]}\n",
     "f.yaml:7: workload.kinds[0].input: expected one of none, binary, lines, source, got "
     "\"words\""},
    {F W "    - {kind: k, command: \"écho\"}\n",
     "f.yaml:7: workload.kinds[0].command: expected printable ASCII, got \"écho\""},
    {F W "    - {kind: k, command: a}\n    - {kind: k, command: b}\n",
     "f.yaml:8: workload.kinds[1].kind: expected a kind that no other entry has, got \"k\""},
    {F "workload:\n  jobs: 2000\n  kinds: [{kind: k, command: a}]\n",
     "f.yaml:5: workload.jobs: expected at most auction.tasks_max = 1024, got \"2000\""},
    {F "workload:\n  jobs: 2\n", "f.yaml:5: workload.kinds: expected a sequence, got nothing"},
};

Test(config, every_mistake_in_an_agent_is_told_with_its_place)
{
    for (size_t i = 0; i < sizeof agent_mistakes / sizeof agent_mistakes[0]; i++) {
        struct chirr_error error = {0};
        struct chirr_agent_config config;
        put(agent_mistakes[i].text);
        cr_expect_eq(chirr_agent_config_load("f.yaml", &config, &error), CHIRR_ERR_CONFIG,
                     "accepted: %s", agent_mistakes[i].text);
        cr_expect_str_eq(error.text, agent_mistakes[i].message,
                         "of: %s\ngot:      %s\nexpected: %s", agent_mistakes[i].text, error.text,
                         agent_mistakes[i].message);
    }
}

Test(config, every_mistake_in_a_fleet_is_told_with_its_place)
{
    struct chirr_fleet_config *config = malloc(sizeof *config);
    for (size_t i = 0; i < sizeof fleet_mistakes / sizeof fleet_mistakes[0]; i++) {
        struct chirr_error error = {0};
        put(fleet_mistakes[i].text);
        cr_expect_eq(chirr_fleet_config_load("f.yaml", config, &error), CHIRR_ERR_CONFIG,
                     "accepted: %s", fleet_mistakes[i].text);
        cr_expect_str_eq(error.text, fleet_mistakes[i].message,
                         "of: %s\ngot:      %s\nexpected: %s", fleet_mistakes[i].text, error.text,
                         fleet_mistakes[i].message);
    }
    free(config);
}

Test(config, a_file_that_is_not_there_is_an_error_of_input)
{
    struct chirr_error error = {0};
    struct chirr_agent_config config;
    cr_expect_eq(chirr_agent_config_load("nothing.yaml", &config, &error), CHIRR_ERR_IO);
    cr_expect_str_eq(error.text, "nothing.yaml: cannot be read: No such file or directory");
}
