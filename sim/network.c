/* Links as a matrix, of which few are ever touched, and for every publisher the list of its
 * subscribers. */
#include "sim/network.h"

#include <string.h>

#include "base/random.h"
#include "sim/streams.h"

struct link {
    enum chirr_link kind; /* 0: not wanted */
    uint32_t waiting;     /* messages that leave when it stands */
    bool eager;           /* up to `listens_at`, then */
    bool eager_next;
    chirr_time_us stands_at; /* NEVER: the other side is not there */
    chirr_time_us hears_at;  /* likewise; of a neighbour's link */
    chirr_time_us listens_at;
};

struct chirr_sim_network {
    const struct chirr_sim_network_config *config;
    uint32_t agent_count;
    struct link *links;    /* [to][from], row by row touched on demand */
    uint16_t *subscribers; /* [agent_count][agent_count], of each the first so many: */
    uint32_t *subscriber_count;
    uint32_t (*link_count)[CHIRR_LINK_NEIGHBOUR + 1]; /* [agent_count], owned, by kind */
    bool *up;
    struct chirr_random *random; /* [agent_count] */
    struct chirr_sim_network_counters counters;
};

const char *chirr_sim_drop_name(enum chirr_sim_drop reason)
{
    static const char *const names[CHIRR_SIM_DROP_COUNT] = {
        [CHIRR_SIM_DROP_LOSS] = "loss",       [CHIRR_SIM_DROP_PARTITION] = "partition",
        [CHIRR_SIM_DROP_DOWN] = "down",       [CHIRR_SIM_DROP_UNCONNECTED] = "unconnected",
        [CHIRR_SIM_DROP_BACKLOG] = "backlog", [CHIRR_SIM_DROP_FULL] = "full",
    };
    return reason < CHIRR_SIM_DROP_COUNT ? names[reason] : "unknown";
}

size_t chirr_sim_network_bytes(uint32_t agent_count)
{
    size_t agents = agent_count;
    return chirr_arena_round(sizeof(struct chirr_sim_network)) +
           chirr_arena_round(agents * agents * sizeof(struct link)) +
           chirr_arena_round(agents * agents * sizeof(uint16_t)) +
           chirr_arena_round(agents * sizeof(uint32_t)) +
           chirr_arena_round(agents * sizeof(uint32_t[CHIRR_LINK_NEIGHBOUR + 1])) +
           chirr_arena_round(agents * sizeof(bool)) +
           chirr_arena_round(agents * sizeof(struct chirr_random));
}

struct chirr_sim_network *chirr_sim_network_create(struct chirr_arena *arena,
                                                   const struct chirr_sim_network_config *config,
                                                   uint32_t agent_count, uint64_t seed)
{
    CHIRR_ASSERT(agent_count <= CHIRR_SIM_AGENTS_MAX);
    struct chirr_sim_network *network = chirr_arena_take(arena, 1, sizeof *network);
    if (network == NULL) {
        return NULL;
    }
    size_t pairs = (size_t)agent_count * agent_count;
    network->links = chirr_arena_take(arena, pairs, sizeof *network->links);
    network->subscribers = chirr_arena_take(arena, pairs, sizeof *network->subscribers);
    network->subscriber_count =
        chirr_arena_take(arena, agent_count, sizeof *network->subscriber_count);
    network->link_count = chirr_arena_take(arena, agent_count, sizeof *network->link_count);
    network->up = chirr_arena_take(arena, agent_count, sizeof *network->up);
    network->random = chirr_arena_take(arena, agent_count, sizeof *network->random);
    if (network->links == NULL || network->subscribers == NULL ||
        network->subscriber_count == NULL || network->link_count == NULL || network->up == NULL ||
        network->random == NULL) {
        return NULL;
    }
    network->config = config;
    network->agent_count = agent_count;
    for (uint32_t agent = 0; agent < agent_count; agent++) {
        chirr_sim_stream_init(&network->random[agent], seed, agent, CHIRR_SIM_STREAM_NETWORK);
    }
    return network;
}

static struct link *link_at(const struct chirr_sim_network *network, struct chirr_sim_link pair)
{
    CHIRR_ASSERT(pair.from < network->agent_count && pair.to < network->agent_count);
    return &network->links[(size_t)pair.to * network->agent_count + pair.from];
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

/* ---- Links ----------------------------------------------------------------------------------- */

static void subscribe(struct chirr_sim_network *network, struct chirr_sim_link pair)
{
    uint16_t *row = network->subscribers + (size_t)pair.to * network->agent_count;
    uint32_t at = network->subscriber_count[pair.to]++;
    for (; at > 0 && row[at - 1] > pair.from; at--) {
        row[at] = row[at - 1];
    }
    row[at] = (uint16_t)pair.from;
}

static void unsubscribe(struct chirr_sim_network *network, struct chirr_sim_link pair)
{
    uint16_t *row = network->subscribers + (size_t)pair.to * network->agent_count;
    uint32_t at = 0;
    while (row[at] != pair.from) {
        at++;
        CHIRR_ASSERT(at < network->subscriber_count[pair.to]);
    }
    uint32_t left = --network->subscriber_count[pair.to] - at;
    memmove(&row[at], &row[at + 1], left * sizeof row[0]);
}

static void set_kind(struct chirr_sim_network *network, struct chirr_sim_link pair,
                     enum chirr_link kind)
{
    struct link *link = link_at(network, pair);
    if (link->kind == CHIRR_LINK_NEIGHBOUR && kind != CHIRR_LINK_NEIGHBOUR) {
        unsubscribe(network, pair);
    }
    if (link->kind != CHIRR_LINK_NEIGHBOUR && kind == CHIRR_LINK_NEIGHBOUR) {
        subscribe(network, pair);
    }
    network->link_count[pair.from][link->kind]--; /* [0] counts nothing anybody asks for */
    network->link_count[pair.from][kind]++;
    link->kind = kind;
}

/* There and back. */
static chirr_time_us handshake(struct chirr_sim_network *network, struct chirr_sim_link pair,
                               chirr_time_us now)
{
    if (!network->up[pair.to]) {
        return CHIRR_TIME_NEVER;
    }
    chirr_time_us there = draw_latency(network, pair.from);
    return now + there + draw_latency(network, pair.from);
}

void chirr_sim_network_connect(struct chirr_sim_network *network, struct chirr_sim_link pair,
                               enum chirr_link kind, chirr_time_us now)
{
    CHIRR_ASSERT(kind == CHIRR_LINK_UNICAST || kind == CHIRR_LINK_NEIGHBOUR);
    struct link *link = link_at(network, pair);
    if (link->kind == kind) {
        return;
    }
    network->counters.connects++;
    if (link->kind == 0) {
        *link = (struct link){.stands_at = handshake(network, pair, now)};
    }
    if (kind == CHIRR_LINK_NEIGHBOUR) {
        link->hears_at = handshake(network, pair, now);
        link->eager = link->eager_next = true;
    }
    set_kind(network, pair, kind);
}

void chirr_sim_network_disconnect(struct chirr_sim_network *network, struct chirr_sim_link pair)
{
    if (link_at(network, pair)->kind != 0) {
        set_kind(network, pair, (enum chirr_link)0);
    }
}

void chirr_sim_network_listen(struct chirr_sim_network *network, struct chirr_sim_link pair,
                              enum chirr_topic topic, chirr_time_us now)
{
    CHIRR_ASSERT(topic == CHIRR_TOPIC_EAGER || topic == CHIRR_TOPIC_LAZY);
    struct link *link = link_at(network, pair);
    if (link->kind != CHIRR_LINK_NEIGHBOUR) {
        return;
    }
    if (now >= link->listens_at) {
        link->eager = link->eager_next;
    }
    link->eager_next = topic == CHIRR_TOPIC_EAGER;
    link->listens_at = now + draw_latency(network, pair.from);
}

enum chirr_link chirr_sim_network_kind(const struct chirr_sim_network *network,
                                       struct chirr_sim_link pair)
{
    return link_at(network, pair)->kind;
}

bool chirr_sim_network_stands(const struct chirr_sim_network *network, struct chirr_sim_link pair,
                              chirr_time_us now)
{
    const struct link *link = link_at(network, pair);
    return link->kind != 0 && link->stands_at <= now;
}

uint32_t chirr_sim_network_link_count(const struct chirr_sim_network *network, uint32_t agent,
                                      enum chirr_link kind)
{
    return network->link_count[agent][kind];
}

uint32_t chirr_sim_network_subscriber(const struct chirr_sim_network *network, uint32_t agent,
                                      uint32_t index)
{
    return index < network->subscriber_count[agent]
               ? network->subscribers[(size_t)agent * network->agent_count + index]
               : CHIRR_SIM_AGENTS_MAX;
}

bool chirr_sim_network_hears(const struct chirr_sim_network *network, struct chirr_sim_link pair,
                             enum chirr_topic topic, chirr_time_us now)
{
    const struct link *link = link_at(network, pair);
    if (link->kind != CHIRR_LINK_NEIGHBOUR || link->hears_at > now) {
        return false;
    }
    bool eager = now < link->listens_at ? link->eager : link->eager_next;
    switch (topic) {
    case CHIRR_TOPIC_EAGER:
        return eager;
    case CHIRR_TOPIC_LAZY:
        return !eager;
    case CHIRR_TOPIC_HEARTBEAT:
    case CHIRR_TOPIC_KNOWLEDGE:
        break;
    }
    return true;
}

/* ---- Coming and going ------------------------------------------------------------------------ */

void chirr_sim_network_up(struct chirr_sim_network *network, uint32_t agent, chirr_time_us now)
{
    network->up[agent] = true;
    chirr_time_us wait_max = chirr_time_from_ms(network->config->reconnect_ms_max);
    for (uint32_t other = 0; other < network->agent_count; other++) {
        struct link *inward = link_at(network, (struct chirr_sim_link){other, agent});
        if (inward->kind != 0) {
            double part = chirr_random_uniform(&network->random[agent]);
            inward->stands_at = now + 1 + (chirr_time_us)(part * (double)wait_max);
            inward->hears_at = inward->stands_at;
        }
    }
}

void chirr_sim_network_down(struct chirr_sim_network *network, uint32_t agent)
{
    network->up[agent] = false;
    for (uint32_t other = 0; other < network->agent_count; other++) {
        struct link *inward = link_at(network, (struct chirr_sim_link){other, agent});
        if (inward->kind != 0) {
            inward->stands_at = inward->hears_at = CHIRR_TIME_NEVER;
            inward->waiting = 0;
        }
        chirr_sim_network_disconnect(network, (struct chirr_sim_link){agent, other});
    }
}

static bool is_on(const struct chirr_sim_partition *partition, chirr_time_us now)
{
    return now >= chirr_time_from_ms(partition->from_ms) &&
           now < chirr_time_from_ms(partition->until_ms);
}

bool chirr_sim_network_is_whole(const struct chirr_sim_network *network, chirr_time_us now)
{
    for (uint32_t i = 0; i < network->config->partition_count; i++) {
        if (is_on(&network->config->partitions[i], now)) {
            return false;
        }
    }
    return true;
}

bool chirr_sim_network_is_cut(const struct chirr_sim_network *network, uint32_t a, uint32_t b,
                              chirr_time_us now)
{
    for (uint32_t i = 0; i < network->config->partition_count; i++) {
        const struct chirr_sim_partition *partition = &network->config->partitions[i];
        if (partition->group[a] != partition->group[b] && is_on(partition, now)) {
            return true;
        }
    }
    return false;
}

/* ---- Messages -------------------------------------------------------------------------------- */

static bool is_lost(struct chirr_sim_network *network, struct chirr_sim_link pair,
                    chirr_time_us now)
{
    const struct chirr_sim_network_config *config = network->config;
    double arrives = 1 - config->loss;
    for (uint32_t i = 0; i < config->loss_count; i++) {
        const struct chirr_sim_directed_loss *loss = &config->losses[i];
        bool applies = loss->senders[pair.from] && loss->receivers[pair.to] &&
                       now >= chirr_time_from_ms(loss->from_ms) &&
                       now < chirr_time_from_ms(loss->until_ms);
        arrives *= applies ? 1 - loss->loss : 1;
    }
    return arrives < 1 && chirr_random_uniform(&network->random[pair.from]) >= arrives;
}

uint32_t chirr_sim_network_route(struct chirr_sim_network *network, struct chirr_sim_link pair,
                                 chirr_time_us now, chirr_time_us arrivals[CHIRR_SIM_COPIES_MAX])
{
    const struct chirr_sim_network_config *config = network->config;
    if (chirr_sim_network_is_cut(network, pair.from, pair.to, now)) {
        network->counters.dropped[CHIRR_SIM_DROP_PARTITION]++;
        return 0;
    }
    if (is_lost(network, pair, now)) {
        network->counters.dropped[CHIRR_SIM_DROP_LOSS]++;
        return 0;
    }
    arrivals[0] = now + draw_latency(network, pair.from);
    if (config->duplicate > 0 &&
        chirr_random_uniform(&network->random[pair.from]) < config->duplicate) {
        network->counters.duplicated++;
        arrivals[1] = now + draw_latency(network, pair.from);
        return 2;
    }
    return 1;
}

static bool refuse(struct chirr_sim_network *network, enum chirr_sim_drop reason)
{
    network->counters.dropped[reason]++;
    return false;
}

bool chirr_sim_network_depart(struct chirr_sim_network *network, struct chirr_sim_link pair,
                              chirr_time_us now, chirr_time_us *leaves_at)
{
    struct link *link = link_at(network, pair);
    if (link->kind == 0) {
        return refuse(network, CHIRR_SIM_DROP_UNCONNECTED);
    }
    if (link->stands_at == CHIRR_TIME_NEVER) {
        return refuse(network, CHIRR_SIM_DROP_DOWN);
    }
    *leaves_at = now;
    if (link->stands_at <= now) {
        link->waiting = 0;
        return true;
    }
    if (link->waiting == CHIRR_SIM_WAITING_MAX) {
        return refuse(network, CHIRR_SIM_DROP_BACKLOG);
    }
    link->waiting++;
    *leaves_at = link->stands_at;
    return true;
}

struct chirr_sim_network_counters *chirr_sim_network_count(struct chirr_sim_network *network)
{
    return &network->counters;
}
