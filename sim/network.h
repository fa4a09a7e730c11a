/* The network between simulated agents: who is connected to whom, and what becomes of a message.
 *
 * Connections are directed, as in the transport: A connects to B's two sockets, then what B
 * publishes reaches A, and A can send to B. A connection takes a handshake to stand; when B
 * restarts, whoever wants to be connected is so again after a while. Messages are lost, doubled and
 * overtake each other (jitter) independently; a partition cuts whatever crosses it at the time of
 * sending or of arrival. Every draw comes from a stream of the sender, so that no agent's luck
 * depends on another's. Not thread-safe. */
#ifndef CHIRR_SIM_NETWORK_H
#define CHIRR_SIM_NETWORK_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/time.h"
#include "proto/message.h"

#define CHIRR_SIM_AGENTS_MAX 1024
#define CHIRR_SIM_PARTITIONS_MAX 16
#define CHIRR_SIM_COPIES_MAX 2

enum chirr_sim_latency_shape {
    CHIRR_SIM_LATENCY_EXPONENTIAL, /* min + Exp(mean spread) */
    CHIRR_SIM_LATENCY_UNIFORM,     /* min + U[0, 2 · spread) */
};

struct chirr_sim_latency {
    enum chirr_sim_latency_shape shape;
    uint32_t min_ms;    /* >= 1 */
    uint32_t spread_ms; /* mean of what is added */
};

/* While it lasts, agents of different groups do not hear each other. */
struct chirr_sim_partition {
    uint32_t from_ms;
    uint32_t until_ms;
    uint8_t group[CHIRR_SIM_AGENTS_MAX]; /* by index of the agent */
};

struct chirr_sim_network_config {
    struct chirr_sim_latency latency;
    double loss;      /* probability, 0…1 */
    double duplicate; /* likewise */
    uint32_t reconnect_ms_max;
    uint32_t partition_count;
    struct chirr_sim_partition partitions[CHIRR_SIM_PARTITIONS_MAX];
};

enum chirr_sim_drop {
    CHIRR_SIM_DROP_LOSS,
    CHIRR_SIM_DROP_PARTITION,
    CHIRR_SIM_DROP_DOWN,        /* the destination was not running when it arrived */
    CHIRR_SIM_DROP_UNCONNECTED, /* SEND without a connection */
    CHIRR_SIM_DROP_FULL,        /* the simulator's own queues */
    CHIRR_SIM_DROP_COUNT,
};
const char *chirr_sim_drop_name(enum chirr_sim_drop reason); /* "loss", "partition", … */

struct chirr_sim_network_counters {
    uint64_t sent[CHIRR_MESSAGE_KINDS]; /* by kind; one for each receiver */
    uint64_t sent_bytes[CHIRR_MESSAGE_KINDS];
    uint64_t delivered[CHIRR_MESSAGE_KINDS];
    uint64_t duplicated;
    uint64_t dropped[CHIRR_SIM_DROP_COUNT];
};

struct chirr_sim_network;

size_t chirr_sim_network_bytes(uint32_t agent_count);
/* Borrows `config`. NULL when the arena is too small. */
struct chirr_sim_network *chirr_sim_network_create(struct chirr_arena *arena,
                                                   const struct chirr_sim_network_config *config,
                                                   uint32_t agent_count, uint64_t seed);

/* A directed pair of agents, by index. */
struct chirr_sim_link {
    uint32_t from;
    uint32_t to;
};

void chirr_sim_network_connect(struct chirr_sim_network *network, struct chirr_sim_link link,
                               chirr_time_us now);
void chirr_sim_network_disconnect(struct chirr_sim_network *network, struct chirr_sim_link link);
bool chirr_sim_network_is_connected(const struct chirr_sim_network *network,
                                    struct chirr_sim_link link, chirr_time_us now);
/* The agent's process is there, or gone. Gone at first. */
void chirr_sim_network_up(struct chirr_sim_network *network, uint32_t agent, chirr_time_us now);
void chirr_sim_network_down(struct chirr_sim_network *network, uint32_t agent);

bool chirr_sim_network_is_cut(const struct chirr_sim_network *network, uint32_t a, uint32_t b,
                              chirr_time_us now);

/* When the copies of a message arrive that is sent now: 0 (dropped and counted), 1 or 2. */
uint32_t chirr_sim_network_route(struct chirr_sim_network *network, struct chirr_sim_link link,
                                 chirr_time_us now, chirr_time_us arrivals[CHIRR_SIM_COPIES_MAX]);

/* Open to whoever drives the network and sees what arrives. */
struct chirr_sim_network_counters *chirr_sim_network_count(struct chirr_sim_network *network);

#endif
