/* The network between simulated agents: who is connected to whom, and what becomes of a message.
 *
 * Connections are directed, as in the transport: over a UNICAST link from A to B, A can send to B;
 * over a NEIGHBOUR link A also hears what B publishes. A link takes a handshake to stand; a message
 * sent meanwhile goes out when it does, up to a bound. A link to who is down stays wanted and
 * stands again a while after the restart; what is sent meanwhile is lost. Which of a neighbour's
 * records are pushed and which announced is for the link's owner to say, and takes the way to the
 * publisher to count. Messages are lost, doubled and overtake each other (jitter) independently; a
 * partition cuts whatever crosses it at the time of sending or of arrival. Every draw comes from a
 * stream of the sender, so that no agent's luck depends on another's.
 *
 * A publish costs as much as there are subscribers, however large the swarm. Not thread-safe. */
#ifndef CHIRR_SIM_NETWORK_H
#define CHIRR_SIM_NETWORK_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/time.h"
#include "swarm/output.h"

#define CHIRR_SIM_AGENTS_MAX 1024
#define CHIRR_SIM_PARTITIONS_MAX 16
#define CHIRR_SIM_LOSSES_MAX 16
#define CHIRR_SIM_COPIES_MAX 2
#define CHIRR_SIM_WAITING_MAX 64 /* messages for one link that does not stand yet */

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

/* While it lasts, what goes from any of `senders` to any of `receivers` is lost that often, besides
 * what is lost anyway. One direction: 1 is a link that works one way only. */
struct chirr_sim_directed_loss {
    uint32_t from_ms;
    uint32_t until_ms;
    double loss; /* probability, 0…1 */
    bool senders[CHIRR_SIM_AGENTS_MAX];
    bool receivers[CHIRR_SIM_AGENTS_MAX];
};

struct chirr_sim_network_config {
    struct chirr_sim_latency latency;
    double loss;      /* probability, 0…1 */
    double duplicate; /* likewise */
    uint32_t reconnect_ms_max;
    uint32_t partition_count;
    struct chirr_sim_partition partitions[CHIRR_SIM_PARTITIONS_MAX];
    uint32_t loss_count;
    struct chirr_sim_directed_loss losses[CHIRR_SIM_LOSSES_MAX];
};

enum chirr_sim_drop {
    CHIRR_SIM_DROP_LOSS,
    CHIRR_SIM_DROP_PARTITION,
    CHIRR_SIM_DROP_DOWN,        /* the destination was not running */
    CHIRR_SIM_DROP_UNCONNECTED, /* SEND without a link */
    CHIRR_SIM_DROP_BACKLOG,     /* too many waited for a link to stand, or at a paused agent */
    CHIRR_SIM_DROP_FULL,        /* the simulator's own queues */
    CHIRR_SIM_DROP_COUNT,
};
const char *chirr_sim_drop_name(enum chirr_sim_drop reason); /* "loss", "partition", … */

struct chirr_sim_network_counters {
    uint64_t sent[CHIRR_MESSAGE_KINDS]; /* by kind; one for each receiver */
    uint64_t sent_bytes[CHIRR_MESSAGE_KINDS];
    uint64_t delivered[CHIRR_MESSAGE_KINDS];
    uint64_t duplicated;
    uint64_t connects; /* links opened or changed in kind */
    uint64_t dropped[CHIRR_SIM_DROP_COUNT];
};

struct chirr_sim_network;

size_t chirr_sim_network_bytes(uint32_t agent_count);
/* Borrows `config`. NULL when the arena is too small. Most of the memory is never touched. */
struct chirr_sim_network *chirr_sim_network_create(struct chirr_arena *arena,
                                                   const struct chirr_sim_network_config *config,
                                                   uint32_t agent_count, uint64_t seed);

/* A directed pair of agents, by index. */
struct chirr_sim_link {
    uint32_t from;
    uint32_t to;
};

/* A second call changes the kind of a link: as a neighbour's it is heard after another handshake,
 * all of it pushed; as a unicast one it is heard no more. */
void chirr_sim_network_connect(struct chirr_sim_network *network, struct chirr_sim_link link,
                               enum chirr_link kind, chirr_time_us now);
void chirr_sim_network_disconnect(struct chirr_sim_network *network, struct chirr_sim_link link);
/* `topic` is EAGER or LAZY. Without a neighbour link it says nothing. */
void chirr_sim_network_listen(struct chirr_sim_network *network, struct chirr_sim_link link,
                              enum chirr_topic topic, chirr_time_us now);

/* 0: there is none. */
enum chirr_link chirr_sim_network_kind(const struct chirr_sim_network *network,
                                       struct chirr_sim_link link);
bool chirr_sim_network_stands(const struct chirr_sim_network *network, struct chirr_sim_link link,
                              chirr_time_us now);
/* How many links of this kind an agent owns. */
uint32_t chirr_sim_network_link_count(const struct chirr_sim_network *network, uint32_t agent,
                                      enum chirr_link kind);

/* The index-th of those who have a neighbour link to `agent`, ascending; CHIRR_SIM_AGENTS_MAX past
 * the last. */
uint32_t chirr_sim_network_subscriber(const struct chirr_sim_network *network, uint32_t agent,
                                      uint32_t index);
/* Does the link's owner hear what the other side publishes on `topic` now? */
bool chirr_sim_network_hears(const struct chirr_sim_network *network, struct chirr_sim_link link,
                             enum chirr_topic topic, chirr_time_us now);

/* The agent's process is there, or gone. Gone at first. */
void chirr_sim_network_up(struct chirr_sim_network *network, uint32_t agent, chirr_time_us now);
void chirr_sim_network_down(struct chirr_sim_network *network, uint32_t agent);

/* No partition is on. */
bool chirr_sim_network_is_whole(const struct chirr_sim_network *network, chirr_time_us now);
bool chirr_sim_network_is_cut(const struct chirr_sim_network *network, uint32_t a, uint32_t b,
                              chirr_time_us now);

/* When the copies of a message arrive that leaves now: 0 (dropped and counted), 1 or 2. */
uint32_t chirr_sim_network_route(struct chirr_sim_network *network, struct chirr_sim_link link,
                                 chirr_time_us now, chirr_time_us arrivals[CHIRR_SIM_COPIES_MAX]);
/* When a message leaves that is sent over this link now; false: dropped and counted. */
bool chirr_sim_network_depart(struct chirr_sim_network *network, struct chirr_sim_link link,
                              chirr_time_us now, chirr_time_us *leaves_at);

/* Open to whoever drives the network and sees what arrives. */
struct chirr_sim_network_counters *chirr_sim_network_count(struct chirr_sim_network *network);

#endif
