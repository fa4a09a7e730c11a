/* The tables of keys. docs/configuration.md says the same in words; a test compares the two. */
#include "agent/config_fields.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sense.h"

#define AGENT(member) CHIRR_YAML_AT(struct chirr_agent_config, member)
#define DAY_MS 86400000

/* ---- Texts that are taken apart ------------------------------------------------------------ */

static const char *const schemes[] = {
    [CHIRR_SOURCE_FILE] = "file:",   [CHIRR_SOURCE_STDIN] = "stdin:",
    [CHIRR_SOURCE_EXEC] = "exec:",   [CHIRR_SOURCE_PROC] = "proc:",
    [CHIRR_SOURCE_FEED] = "feed:",   [CHIRR_SOURCE_AUDIO] = "audio:",
    [CHIRR_SOURCE_IMAGE] = "image:",
};
#define SCHEME_COUNT (sizeof schemes / sizeof schemes[0])

static bool takes_argument(enum chirr_source_kind kind)
{
    return chirr_source_reads_files(kind) || kind == CHIRR_SOURCE_EXEC;
}

static const char *parse_source(const char *text, void *at)
{
    struct chirr_sense_config *sense = at;
    for (size_t i = 0; i < SCHEME_COUNT; i++) {
        size_t bytes = strlen(schemes[i]);
        if (strncmp(text, schemes[i], bytes) != 0) {
            continue;
        }
        const char *rest = text + bytes + strspn(text + bytes, " ");
        if (takes_argument((enum chirr_source_kind)i) != (rest[0] != '\0')) {
            break;
        }
        if (strlen(rest) >= sizeof sense->from) {
            return "a source of at most 1023 bytes";
        }
        sense->source = (enum chirr_source_kind)i;
        memset(sense->from, 0, sizeof sense->from);
        strcpy(sense->from, rest);
        return NULL;
    }
    return "file:GLOB, audio:GLOB, image:GLOB, exec:COMMAND, stdin:, proc: or feed:";
}

static void format_source(const void *at, char *text, size_t text_bytes)
{
    const struct chirr_sense_config *sense = at;
    snprintf(text, text_bytes, "%s%s", schemes[sense->source], sense->from);
}

/* "tcp://HOST:PORT"; `any`: "*" may stand for either. */
static bool is_endpoint(const char *text, bool any)
{
    static const char scheme[] = "tcp://";
    const char *host = text + sizeof scheme - 1;
    const char *colon = strrchr(text, ':');
    if (strncmp(text, scheme, sizeof scheme - 1) != 0 || colon == NULL || colon <= host ||
        strlen(text) >= CHIRR_ENDPOINT_BYTES_MAX) {
        return false;
    }
    size_t host_bytes = (size_t)(colon - host);
    if (!any && (*host == '*' || strcmp(colon, ":*") == 0)) {
        return false;
    }
    if (*host != '*' && strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789.-_:[]") < host_bytes) {
        return false;
    }
    if (strcmp(colon, ":*") == 0) {
        return true;
    }
    char *end;
    unsigned long port = isdigit((unsigned char)colon[1]) ? strtoul(colon + 1, &end, 10) : 0;
    return port > 0 && port <= UINT16_MAX && *end == '\0';
}

static const char *parse_bind(const char *text, void *at)
{
    if (!is_endpoint(text, true)) {
        return "tcp://HOST:PORT of at most 63 bytes, where * is any";
    }
    snprintf(at, CHIRR_ENDPOINT_BYTES_MAX, "%s", text);
    return NULL;
}

static const char *parse_address(const char *text, void *at)
{
    if (!is_endpoint(text, false)) {
        return "tcp://HOST:PORT of at most 63 bytes";
    }
    snprintf(at, CHIRR_ENDPOINT_BYTES_MAX, "%s", text);
    return NULL;
}

static void format_endpoint(const void *at, char *text, size_t text_bytes)
{
    snprintf(text, text_bytes, "%s", (const char *)at);
}

#define ADDRESS_TEXT_BYTES sizeof("255.255.255.255")

/* "none", or "ADDRESS:PORT". */
static const char *parse_group(const char *text, void *at)
{
    static const char expected[] =
        "none, or ADDRESS:PORT with an IPv4 multicast address (as in 239.255.77.77:7700)";
    struct chirr_beacon_group group = {0};
    char host[ADDRESS_TEXT_BYTES];
    struct in_addr address;
    const char *colon = strchr(text, ':');
    if (strcmp(text, "none") != 0) {
        size_t host_bytes = colon == NULL ? sizeof host : (size_t)(colon - text);
        if (host_bytes >= sizeof host) {
            return expected;
        }
        snprintf(host, sizeof host, "%.*s", (int)host_bytes, text);
        uint64_t port;
        if (inet_pton(AF_INET, host, &address) != 1 || !IN_MULTICAST(ntohl(address.s_addr)) ||
            !chirr_yaml_parse_integer(CHIRR_YAML_WHOLE, colon + 1, &port) || port == 0 ||
            port > 65535) {
            return expected;
        }
        group = (struct chirr_beacon_group){ntohl(address.s_addr), (uint32_t)port};
    }
    memcpy(at, &group, sizeof group);
    return NULL;
}

static void format_group(const void *at, char *text, size_t text_bytes)
{
    struct chirr_beacon_group group;
    char host[ADDRESS_TEXT_BYTES];
    memcpy(&group, at, sizeof group);
    const struct in_addr address = {.s_addr = htonl(group.address)};
    if (group.address == 0) {
        snprintf(text, text_bytes, "none");
    } else {
        snprintf(text, text_bytes, "%s:%u", inet_ntop(AF_INET, &address, host, sizeof host),
                 group.port);
    }
}

static const char *parse_interface(const char *text, void *at)
{
    struct in_addr address;
    if (inet_pton(AF_INET, text, &address) != 1 || IN_MULTICAST(ntohl(address.s_addr))) {
        return "the IPv4 address of one of this machine's interfaces, or 0.0.0.0";
    }
    const uint32_t interface = ntohl(address.s_addr);
    memcpy(at, &interface, sizeof interface);
    return NULL;
}

static void format_interface(const void *at, char *text, size_t text_bytes)
{
    uint32_t interface;
    memcpy(&interface, at, sizeof interface);
    const struct in_addr address = {.s_addr = htonl(interface)};
    (void)inet_ntop(AF_INET, &address, text, (socklen_t)text_bytes);
}

/* "0-3,7" as bits. */
static const char *parse_hosted(const char *text, void *at)
{
    static const char expected[] = "partitions from 0 to 63 (as in 0-3,7)";
    uint64_t hosted = 0;
    for (bool more = true; more;) {
        char *end;
        unsigned long first = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 64;
        unsigned long last = first;
        if (first < 64 && *end == '-') {
            text = end + 1;
            last = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 64;
        }
        if (last > 63 || last < first || (*end != ',' && *end != '\0')) {
            return expected;
        }
        for (unsigned long p = first; p <= last; p++) {
            hosted |= UINT64_C(1) << p;
        }
        more = *end == ',';
        text = end + more;
    }
    memcpy(at, &hosted, sizeof hosted);
    return NULL;
}

static void format_hosted(const void *at, char *text, size_t text_bytes)
{
    uint64_t hosted;
    memcpy(&hosted, at, sizeof hosted);
    size_t bytes = 0;
    text[0] = '\0';
    for (unsigned p = 0; p < 64; p++) {
        if ((hosted >> p & 1) == 0) {
            continue;
        }
        unsigned last = p;
        while (last < 63 && (hosted >> (last + 1) & 1) != 0) {
            last++;
        }
        bytes += (size_t)snprintf(text + bytes, text_bytes - bytes, last > p ? "%s%u-%u" : "%s%u",
                                  bytes > 0 ? "," : "", p, last);
        p = last;
    }
}

/* ---- What fleets and agents share ---------------------------------------------------------- */

static const char *const securities[] = {"none", "curve", NULL}; /* as a bool */
static const char *const views[] = {"full", "local", NULL};      /* likewise */
static const char *const levels[] = {"debug", "info", "warning", "error", NULL};
static const char *const policies[] = {"bundle", "random", NULL};

const struct chirr_yaml_field chirr_config_model_fields[] = {
    {"width", CHIRR_YAML_WHOLE, AGENT(learner.model.width), .min = 16, .max = 1024},
    {"layers", CHIRR_YAML_WHOLE, AGENT(learner.model.layers), .min = 1,
     .max = CHIRR_MODEL_LAYERS_MAX},
    {"section_width", CHIRR_YAML_WHOLE, AGENT(learner.model.section_width), .min = 1, .max = 16384},
    {"mlp_width", CHIRR_YAML_WHOLE, AGENT(learner.model.mlp_width), .max = 16384},
    {"rates", CHIRR_YAML_WHOLE, AGENT(learner.model.rates), .min = 1, .max = CHIRR_MODEL_RATES_MAX},
    {"partitions", CHIRR_YAML_WHOLE, AGENT(learner.model.partitions), .min = 1,
     .max = CHIRR_LEARNER_PARTITIONS_MAX},
    {"active", CHIRR_YAML_WHOLE, AGENT(learner.model.active), .max = CHIRR_LEARNER_PARTITIONS_MAX},
    {"decay_min", CHIRR_YAML_WHOLE, AGENT(learner.model.decay_min), .max = 65536},
    {"decay_max", CHIRR_YAML_WHOLE, AGENT(learner.model.decay_max), .max = 65536},
    {"input_gate", CHIRR_YAML_BOOL, AGENT(learner.model.input_gate)},
    {"gram_rows", CHIRR_YAML_WHOLE, AGENT(learner.model.gram_rows), .max = 65536},
    {"narrow_reads", CHIRR_YAML_BOOL, AGENT(learner.model.narrow_reads)},
    {"seed", CHIRR_YAML_WHOLE, AGENT(learner.model.genesis_seed)},
    {"chunk", CHIRR_YAML_WHOLE, AGENT(learner.model.chunk), .min = 1, .max = CHIRR_MODEL_CHUNK_MAX},
    {"learning_rate", CHIRR_YAML_NUMBER, AGENT(learner.model.learning_rate), .low = 0, .high = 0.1},
    {"warmup_updates", CHIRR_YAML_WHOLE, AGENT(learner.model.warmup_updates), .max = 1000000},
    {"settling_updates", CHIRR_YAML_WHOLE, AGENT(learner.model.settling_updates), .max = 1000000},
    {"drift", CHIRR_YAML_BOOL, AGENT(learner.model.drift)},
    {"replay", CHIRR_YAML_SIZE, AGENT(learner.model.replay_bytes), .max = 1 << 30},
    {"replay_share", CHIRR_YAML_NUMBER, AGENT(learner.model.replay_share), .low = 0, .high = 0.5},
    {"trunk_rate", CHIRR_YAML_NUMBER, AGENT(learner.model.trunk_rate), .low = 0, .high = 1},
    {"origins", CHIRR_YAML_WHOLE, AGENT(learner.model.origins_max), .max = 1023},
    {"control", CHIRR_YAML_BOOL, AGENT(learner.control)},
    {0}};

static const struct chirr_yaml_field membership_fields[] = {
    {"agents_max", CHIRR_YAML_WHOLE, AGENT(node.agents_max), .min = 2,
     .max = CHIRR_DIGEST_ENTRIES_MAX},
    {"heartbeat_every", CHIRR_YAML_DURATION, AGENT(node.heartbeat_interval_ms), .min = 10,
     .max = 3600000},
    {"seed_every", CHIRR_YAML_DURATION, AGENT(node.seed_interval_ms), .min = 10, .max = 3600000},
    {"probe_every", CHIRR_YAML_DURATION, AGENT(node.membership.probe_interval_ms), .min = 10,
     .max = 3600000},
    {"probe_timeout", CHIRR_YAML_DURATION, AGENT(node.membership.probe_timeout_ms), .min = 1,
     .max = 3600000},
    {"indirect_probes", CHIRR_YAML_WHOLE, AGENT(node.membership.indirect_count), .max = 16},
    {"suspect_timeout", CHIRR_YAML_DURATION, AGENT(node.membership.suspect_timeout_ms), .min = 10,
     .max = 3600000},
    {"suspect_factor", CHIRR_YAML_WHOLE, AGENT(node.membership.suspect_factor), .min = 1,
     .max = 100},
    {"awareness", CHIRR_YAML_WHOLE, AGENT(node.membership.awareness_max), .max = 100},
    {"lifeguard", CHIRR_YAML_BOOL, AGENT(node.membership.lifeguard)},
    {"sweep_every", CHIRR_YAML_WHOLE, AGENT(node.membership.sweep_every), .min = 1, .max = 1000},
    {"dead_probe_every", CHIRR_YAML_DURATION, AGENT(node.membership.dead_probe_ms), .min = 10,
     .max = DAY_MS},
    {"dead_probes", CHIRR_YAML_WHOLE, AGENT(node.membership.dead_probes_max), .min = 1, .max = 64},
    {"tombstones", CHIRR_YAML_WHOLE, AGENT(node.membership.tombstones_max), .min = 1,
     .max = CHIRR_DIGEST_ENTRIES_MAX},
    {0}};

static const struct chirr_yaml_field overlay_fields[] = {
    {"active", CHIRR_YAML_WHOLE, AGENT(node.overlay.active_max), .min = 2, .max = 16},
    {"passive", CHIRR_YAML_WHOLE, AGENT(node.overlay.passive_max), .min = 1, .max = 64},
    {"mesh_below", CHIRR_YAML_WHOLE, AGENT(node.overlay.mesh_below), .max = 64},
    {"links", CHIRR_YAML_WHOLE, AGENT(node.overlay.links_max), .min = 1, .max = 256},
    {"link_idle", CHIRR_YAML_DURATION, AGENT(node.overlay.link_idle_ms), .min = 100,
     .max = 3600000},
    {"shuffle_every", CHIRR_YAML_DURATION, AGENT(node.overlay.shuffle_interval_ms), .min = 100,
     .max = 3600000},
    {0}};

static const struct chirr_yaml_field gossip_fields[] = {
    {"repair_every", CHIRR_YAML_DURATION, AGENT(node.dissemination.repair_interval_ms), .min = 10,
     .max = 3600000},
    {"repair_records", CHIRR_YAML_WHOLE, AGENT(node.dissemination.repair_records_max), .min = 1,
     .max = CHIRR_RECORDS_MAX},
    {"changes_max", CHIRR_YAML_WHOLE, AGENT(node.dissemination.changes_max), .min = 1,
     .max = 65536},
    {"relays_max", CHIRR_YAML_WHOLE, AGENT(node.dissemination.relays_max), .min = 1, .max = 65536},
    {"push_rate", CHIRR_YAML_SIZE, AGENT(node.dissemination.push_bytes_per_s), .min = 1024,
     .max = 1 << 30},
    {"repair_rate", CHIRR_YAML_SIZE, AGENT(node.dissemination.repair_bytes_per_s), .min = 1024,
     .max = 1 << 30},
    {"prune_after", CHIRR_YAML_WHOLE, AGENT(node.dissemination.tree.prune_after), .min = 1,
     .max = 1000},
    {"announce_after", CHIRR_YAML_DURATION, AGENT(node.dissemination.tree.have_delay_ms),
     .max = 10000},
    {"graft_after", CHIRR_YAML_DURATION, AGENT(node.dissemination.tree.graft_delay_ms),
     .max = 10000},
    {0}};

static const struct chirr_yaml_field auction_fields[] = {
    {"policy", CHIRR_YAML_CHOICE, AGENT(node.auction.policy), .choices = policies},
    {"tasks_max", CHIRR_YAML_WHOLE, AGENT(node.tasks_max), .min = 1, .max = 65536},
    {"bundle", CHIRR_YAML_WHOLE, AGENT(node.auction.bundle_max), .min = 1, .max = CHIRR_CLAIMS_MAX},
    {"settle", CHIRR_YAML_DURATION, AGENT(node.auction.settle_ms), .max = 3600000},
    {"hysteresis", CHIRR_YAML_PERMILLE, AGENT(node.auction.hysteresis_permille), .max = 1000},
    {"price_refresh", CHIRR_YAML_DURATION, AGENT(node.auction.price_refresh_ms), .min = 1,
     .max = DAY_MS},
    {"lease", CHIRR_YAML_DURATION, AGENT(node.lease.lease_ms), .min = 20, .max = DAY_MS},
    {0}};

static const struct chirr_yaml_field knowledge_fields[] = {
    {"token_every", CHIRR_YAML_DURATION, AGENT(node.ledger.token_interval_ms), .min = 1,
     .max = DAY_MS},
    {"tokens_max", CHIRR_YAML_WHOLE, AGENT(node.ledger.tokens_max), .min = 1, .max = 1000000},
    {"step", CHIRR_YAML_PERMILLE, AGENT(node.ledger.step_permille), .max = 10000},
    {"weight_max", CHIRR_YAML_PERMILLE, AGENT(node.ledger.g_permille_max), .max = 1000},
    {"stale_after", CHIRR_YAML_DURATION, AGENT(node.ledger.stale_after_ms), .min = 1},
    {"relay_rate", CHIRR_YAML_SIZE, AGENT(node.knowledge_bytes_per_s), .min = 1024, .max = 1 << 30},
    {0}};

static const struct chirr_yaml_field transport_fields[] = {
    {"peers_max", CHIRR_YAML_WHOLE, AGENT(transport.peers_max), .min = 1, .max = 400},
    {"queue", CHIRR_YAML_WHOLE, AGENT(transport.queue_messages_max), .min = 1, .max = 100000},
    {"heartbeat", CHIRR_YAML_DURATION, AGENT(transport.heartbeat_ms), .max = 65535},
    {"reconnect", CHIRR_YAML_DURATION, AGENT(transport.reconnect_ms), .min = 1, .max = 3600000},
    {"reconnect_max", CHIRR_YAML_DURATION, AGENT(transport.reconnect_ms_max), .min = 1,
     .max = 3600000},
    {"silence", CHIRR_YAML_DURATION, AGENT(transport.silence_ms), .max = 3600000},
    {"stuck", CHIRR_YAML_DURATION, AGENT(transport.stuck_ms), .max = 3600000},
    {0}};

static const struct chirr_yaml_field beacon_fields[] = {
    {"group", CHIRR_YAML_PARSED, AGENT(beacon.group), .parse = parse_group, .format = format_group},
    {"interface", CHIRR_YAML_PARSED, AGENT(beacon.interface), .parse = parse_interface,
     .format = format_interface},
    {"every", CHIRR_YAML_DURATION, AGENT(beacon.interval_ms), .min = 1000, .max = 3600000},
    {0}};

#define WHOLE_AGENT .offset = 0, .bytes = sizeof(struct chirr_agent_config)

const struct chirr_yaml_field chirr_config_common_fields[] = {
    {"security", CHIRR_YAML_CHOICE, AGENT(transport.curve), .choices = securities},
    {"view", CHIRR_YAML_CHOICE, AGENT(node.local_view), .choices = views},
    {"log", CHIRR_YAML_CHOICE, AGENT(log_level), .choices = levels},
    {"runtime", CHIRR_YAML_TEXT, AGENT(runtime_dir), .min = 1},
    {"checkpoint_every", CHIRR_YAML_DURATION, AGENT(checkpoint_interval_ms), .min = 1000,
     .max = DAY_MS},
    {"output_max", CHIRR_YAML_SIZE, AGENT(output_bytes_max), .min = 1024, .max = 1 << 30},
    {"membership", CHIRR_YAML_MAPPING, WHOLE_AGENT, .fields = membership_fields},
    {"overlay", CHIRR_YAML_MAPPING, WHOLE_AGENT, .fields = overlay_fields},
    {"gossip", CHIRR_YAML_MAPPING, WHOLE_AGENT, .fields = gossip_fields},
    {"auction", CHIRR_YAML_MAPPING, WHOLE_AGENT, .fields = auction_fields},
    {"knowledge", CHIRR_YAML_MAPPING, WHOLE_AGENT, .fields = knowledge_fields},
    {"transport", CHIRR_YAML_MAPPING, WHOLE_AGENT, .fields = transport_fields},
    {"beacon", CHIRR_YAML_MAPPING, WHOLE_AGENT, .fields = beacon_fields},
    {0}};

/* ---- Senses, tags, seeds ------------------------------------------------------------------- */

#define SENSE(member) CHIRR_YAML_AT(struct chirr_sense_config, member)

static const struct chirr_yaml_field sense_fields[] = {
    {"name", CHIRR_YAML_NAME, SENSE(name), .required = true},
    {"from", CHIRR_YAML_PARSED, .offset = 0, .required = true, .parse = parse_source,
     .format = format_source},
    {"rate", CHIRR_YAML_SIZE, SENSE(rate_bytes_per_s), .max = 1 << 30},
    {"every", CHIRR_YAML_DURATION, SENSE(interval_ms), .max = 3600000},
    {"held_out", CHIRR_YAML_PERMILLE, SENSE(skip_bytes_per_mille), .max = 900},
    {"width", CHIRR_YAML_WHOLE, SENSE(width), .max = CHIRR_SENSE_WIDTH_MAX},
    {"channels", CHIRR_YAML_WHOLE, SENSE(channels), .max = 3},
    {0}};

const struct chirr_yaml_field chirr_config_sense_element = {
    .type = CHIRR_YAML_MAPPING, .bytes = sizeof(struct chirr_sense_config), .fields = sense_fields};

const struct chirr_yaml_field chirr_config_tag_element = {.type = CHIRR_YAML_NAME,
                                                          .bytes = CHIRR_TAG_BYTES_MAX};

#define SEED(member) CHIRR_YAML_AT(struct chirr_card, member)

static const struct chirr_yaml_field seed_fields[] = {
    {"key", CHIRR_YAML_HEX, SEED(public_key), .required = true},
    {"name", CHIRR_YAML_NAME, SEED(name)},
    {"publish", CHIRR_YAML_PARSED, SEED(publish_endpoint), .required = true, .parse = parse_address,
     .format = format_endpoint},
    {"unicast", CHIRR_YAML_PARSED, SEED(unicast_endpoint), .required = true, .parse = parse_address,
     .format = format_endpoint},
    {0}};

static const struct chirr_yaml_field seed_element = {
    .type = CHIRR_YAML_MAPPING, .bytes = sizeof(struct chirr_card), .fields = seed_fields};

/* ---- AGENT.yaml ---------------------------------------------------------------------------- */

static const struct chirr_yaml_field agent_model_fields[] = {
    {"enabled", CHIRR_YAML_BOOL, AGENT(model)},
    {NULL, CHIRR_YAML_INCLUDE, WHOLE_AGENT, .fields = chirr_config_model_fields},
    {"hosted", CHIRR_YAML_PARSED, AGENT(learner.model.hosted), .parse = parse_hosted,
     .format = format_hosted},
    {0}};

static const struct chirr_yaml_field listen_fields[] = {
    {"publish", CHIRR_YAML_PARSED, AGENT(transport.publish_bind), .parse = parse_bind,
     .format = format_endpoint},
    {"unicast", CHIRR_YAML_PARSED, AGENT(transport.unicast_bind), .parse = parse_bind,
     .format = format_endpoint},
    {0}};

static const struct chirr_yaml_field advertise_fields[] = {
    {"publish", CHIRR_YAML_PARSED, AGENT(publish_advertise), .parse = parse_address,
     .format = format_endpoint},
    {"unicast", CHIRR_YAML_PARSED, AGENT(unicast_advertise), .parse = parse_address,
     .format = format_endpoint},
    {0}};

const struct chirr_yaml_field chirr_config_agent_fields[] = {
    {"name", CHIRR_YAML_NAME, AGENT(name), .required = true},
    {"swarm", CHIRR_YAML_NAME, AGENT(swarm), .required = true},
    {"device", CHIRR_YAML_NAME, AGENT(device)},
    {"state", CHIRR_YAML_TEXT, AGENT(state_dir), .min = 1},
    {"keyring", CHIRR_YAML_TEXT, AGENT(keyring), .min = 1},
    {"cpu", CHIRR_YAML_PERMILLE, AGENT(cpu_permille), .min = 10, .max = 1000},
    {"slots", CHIRR_YAML_WHOLE, AGENT(slots), .max = 256},
    {"provides", CHIRR_YAML_SEQUENCE, AGENT(provides.names),
     CHIRR_YAML_COUNT(struct chirr_agent_config, provides.count),
     .element = &chirr_config_tag_element},
    {"listen", CHIRR_YAML_MAPPING, WHOLE_AGENT, .fields = listen_fields},
    {"advertise", CHIRR_YAML_MAPPING, WHOLE_AGENT, .fields = advertise_fields},
    {NULL, CHIRR_YAML_INCLUDE, WHOLE_AGENT, .fields = chirr_config_common_fields},
    {"model", CHIRR_YAML_MAPPING, WHOLE_AGENT, .fields = agent_model_fields},
    {"senses", CHIRR_YAML_SEQUENCE, AGENT(senses),
     CHIRR_YAML_COUNT(struct chirr_agent_config, sense_count),
     .element = &chirr_config_sense_element},
    {"seeds", CHIRR_YAML_SEQUENCE, AGENT(node.seeds),
     CHIRR_YAML_COUNT(struct chirr_agent_config, node.seed_count), .element = &seed_element},
    {0}};
