/* Connections as a matrix of the times from which they stand. */
#include "sim/network.h"

#include "base/random.h"
#include "sim/streams.h"

/* Not wanted; and wanted, but the other side is not there. */
#define LINK_NONE CHIRR_TIME_NEVER
#define LINK_PENDING (CHIRR_TIME_NEVER - 1)

struct chirr_sim_network {
    const struct chirr_sim_network_config *config;
    uint32_t agent_count;
    chirr_time_us *stands_from; /* [to][from]: a publisher's subscribers are neighbours in memory */
    bool *up;                   /* [agent_count] */
    struct chirr_random *random; /* [agent_count] */
    struct chirr_sim_network_counters counters;
};

const char *chirr_sim_drop_name(enum chirr_sim_drop reason)
{
    static const char *const names[CHIRR_SIM_DROP_COUNT] = {
        [CHIRR_SIM_DROP_LOSS] = "loss", [CHIRR_SIM_DROP_PARTITION] = "partition",
        [CHIRR_SIM_DROP_DOWN] = "down", [CHIRR_SIM_DROP_UNCONNECTED] = "unconnected",
        [CHIRR_SIM_DROP_FULL] = "full",
    };
    return reason < CHIRR_SIM_DROP_COUNT ? names[reason] : "unknown";
}

size_t chirr_sim_network_bytes(uint32_t agent_count)
{
    size_t agents = agent_count;
    return chirr_arena_round(sizeof(struct chirr_sim_network)) +
           chirr_arena_round(agents * agents * sizeof(chirr_time_us)) +
           chirr_arena_round(agents * sizeof(bool)) +
           chirr_arena_round(agents * sizeof(struct chirr_random));
}

struct chirr_sim_network *chirr_sim_network_create(struct chirr_arena *arena,
                                                   const struct chirr_sim_network_config *config,
                                                   uint32_t agent_count, uint64_t seed)
{
    struct chirr_sim_network *network = chirr_arena_take(arena, 1, sizeof *network);
    if (network == NULL) {
        return NULL;
    }
    size_t link_count = (size_t)agent_count * agent_count;
    network->stands_from = chirr_arena_take(arena, link_count, sizeof *network->stands_from);
    network->up = chirr_arena_take(arena, agent_count, sizeof *network->up);
    network->random = chirr_arena_take(arena, agent_count, sizeof *network->random);
    if (network->stands_from == NULL || network->up == NULL || network->random == NULL) {
        return NULL;
    }
    network->config = config;
    network->agent_count = agent_count;
    for (size_t i = 0; i < link_count; i++) {
        network->stands_from[i] = LINK_NONE;
    }
    for (uint32_t agent = 0; agent < agent_count; agent++) {
        chirr_sim_stream_init(&network->random[agent], seed, agent, CHIRR_SIM_STREAM_NETWORK);
    }
    return network;
}

static chirr_time_us *link_at(const struct chirr_sim_network *network, struct chirr_sim_link link)
{
    CHIRR_ASSERT(link.from < network->agent_count && link.to < network->agent_count);
    return &network->stands_from[(size_t)link.to * network->agent_count + link.from];
}

static chirr_time_us draw_latency(struct chirr_sim_network *network, uint32_t sender)
{
    const struct chirr_sim_latency *latency = &network->config->latency;
    chirr_time_us least = chirr_time_from_ms(latency->min_ms);
    if (latency->spread_ms == 0) {
        return least;
    }
    struct chirr_random *random = &network->random[sender];
    double factor = latency->shape == CHIRR_SIM_LATENCY_UNIFORM ? 2 * chirr_random_uniform(random)
                                                                : chirr_random_exponential(random);
    return least + (chirr_time_us)(factor * (double)chirr_time_from_ms(latency->spread_ms));
}

void chirr_sim_network_connect(struct chirr_sim_network *network, struct chirr_sim_link link,
                               chirr_time_us now)
{
    chirr_time_us *stands_from = link_at(network, link);
    if (*stands_from != LINK_NONE) {
        return;
    }
    /* There and back: the handshake. */
    chirr_time_us handshake = draw_latency(network, link.from) + draw_latency(network, link.from);
    *stands_from = network->up[link.to] ? now + handshake : LINK_PENDING;
}

void chirr_sim_network_disconnect(struct chirr_sim_network *network, struct chirr_sim_link link)
{
    *link_at(network, link) = LINK_NONE;
}

bool chirr_sim_network_is_connected(const struct chirr_sim_network *network,
                                    struct chirr_sim_link link, chirr_time_us now)
{
    return *link_at(network, link) <= now;
}

void chirr_sim_network_up(struct chirr_sim_network *network, uint32_t agent, chirr_time_us now)
{
    network->up[agent] = true;
    for (uint32_t other = 0; other < network->agent_count; other++) {
        chirr_time_us *stands_from =
            link_at(network, (struct chirr_sim_link){.from = other, .to = agent});
        if (*stands_from == LINK_PENDING) {
            chirr_time_us wait_max = chirr_time_from_ms(network->config->reconnect_ms_max);
            double part = chirr_random_uniform(&network->random[agent]);
            *stands_from = now + 1 + (chirr_time_us)(part * (double)wait_max);
        }
    }
}

void chirr_sim_network_down(struct chirr_sim_network *network, uint32_t agent)
{
    network->up[agent] = false;
    for (uint32_t other = 0; other < network->agent_count; other++) {
        chirr_time_us *inward =
            link_at(network, (struct chirr_sim_link){.from = other, .to = agent});
        *inward = *inward == LINK_NONE ? LINK_NONE : LINK_PENDING;
        *link_at(network, (struct chirr_sim_link){.from = agent, .to = other}) = LINK_NONE;
    }
}

bool chirr_sim_network_is_cut(const struct chirr_sim_network *network, uint32_t a, uint32_t b,
                              chirr_time_us now)
{
    for (uint32_t i = 0; i < network->config->partition_count; i++) {
        const struct chirr_sim_partition *partition = &network->config->partitions[i];
        if (partition->group[a] != partition->group[b] &&
            now >= chirr_time_from_ms(partition->from_ms) &&
            now < chirr_time_from_ms(partition->until_ms)) {
            return true;
        }
    }
    return false;
}

uint32_t chirr_sim_network_route(struct chirr_sim_network *network, struct chirr_sim_link link,
                                 chirr_time_us now, chirr_time_us arrivals[CHIRR_SIM_COPIES_MAX])
{
    const struct chirr_sim_network_config *config = network->config;
    struct chirr_random *random = &network->random[link.from];
    if (chirr_sim_network_is_cut(network, link.from, link.to, now)) {
        network->counters.dropped[CHIRR_SIM_DROP_PARTITION]++;
        return 0;
    }
    if (config->loss > 0 && chirr_random_uniform(random) < config->loss) {
        network->counters.dropped[CHIRR_SIM_DROP_LOSS]++;
        return 0;
    }
    arrivals[0] = now + draw_latency(network, link.from);
    if (config->duplicate > 0 && chirr_random_uniform(random) < config->duplicate) {
        network->counters.duplicated++;
        arrivals[1] = now + draw_latency(network, link.from);
        return 2;
    }
    return 1;
}

struct chirr_sim_network_counters *chirr_sim_network_count(struct chirr_sim_network *network)
{
    return &network->counters;
}
