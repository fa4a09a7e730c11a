/* The node's configuration: defaults, checks, and what each part gets of it. */
#include "agent/node_parts.h"

#include <string.h>

#include "base/random.h"

/* Views of a few, and room for as many authors. */
#define LOCAL_AGENTS_MIN 64U

struct chirr_node_config chirr_node_config_default(void)
{
    struct chirr_node_config config;
    memset(&config, 0, sizeof config);
    config.agents_max = 256;
    config.tasks_max = 1024;
    config.heartbeat_interval_ms = 1000;
    config.seed_interval_ms = 2000;
    config.knowledge_bytes_per_s = 64 * 1024;
    config.membership = chirr_membership_config_default();
    config.overlay = chirr_overlay_config_default();
    config.dissemination = chirr_dissemination_config_default();
    config.lease.lease_ms = 5000;
    config.auction = chirr_auction_config_default();
    config.ledger = chirr_ledger_config_default();
    return config;
}

static uint64_t derive_seed(const struct chirr_node_config *config, enum chirr_node_stream stream)
{
    struct chirr_random random;
    chirr_random_init(&random, config->seed, stream);
    return chirr_random_u64(&random);
}

static uint32_t at_most(uint32_t value, uint32_t max)
{
    return value < max ? value : max;
}

static uint32_t at_least(uint32_t value, uint32_t min)
{
    return value > min ? value : min;
}

/* Half of those whom the record store holds are members, half authors of whom nothing else is
 * known. Of the members half fit in the passive view, a quarter are dead, the rest are neighbours
 * and who is asked to be. Leases are cheap, and remember whose word counts besides. */
static void share_out(struct chirr_node_parts *parts, uint32_t agents_max)
{
    uint32_t members_max = agents_max / 2;
    parts->membership.members_max = members_max;
    parts->membership.tombstones_max = at_most(parts->membership.tombstones_max, members_max / 4);
    parts->overlay.passive_max = at_most(parts->overlay.passive_max, members_max / 2);
    parts->lease.owners_max = 4 * agents_max;
}

struct chirr_node_parts chirr_node_parts_of(const struct chirr_node_config *config)
{
    chirr_agent_id self = chirr_agent_id_of(config->card.public_key);
    struct chirr_node_parts parts = {
        .records = {.agents_max = config->agents_max, .tasks_max = config->tasks_max},
        .membership = config->membership,
        .overlay = config->overlay,
        .dissemination = config->dissemination,
        .lease = config->lease,
        .auction = config->auction,
        .ledger = config->ledger,
        .self_seed = derive_seed(config, CHIRR_NODE_STREAM_SELF),
    };
    parts.membership.self = self;
    parts.membership.incarnation = config->incarnation;
    parts.membership.seed = derive_seed(config, CHIRR_NODE_STREAM_MEMBERSHIP);
    parts.membership.members_max = config->agents_max;
    parts.overlay.self = self;
    parts.overlay.seed = derive_seed(config, CHIRR_NODE_STREAM_OVERLAY);
    parts.overlay.agents_max = config->agents_max;
    parts.dissemination.self = self;
    parts.dissemination.seed = derive_seed(config, CHIRR_NODE_STREAM_DISSEMINATION);
    parts.lease.owners_max = config->agents_max;
    parts.dissemination.local = config->local_view;
    parts.auction.self = self;
    parts.auction.seed = derive_seed(config, CHIRR_NODE_STREAM_AUCTION);
    parts.auction.slots = config->card.slots;
    parts.auction.tasks_max = config->tasks_max;
    parts.auction.provides = config->card.provides;
    parts.ledger.self = self;
    parts.ledger.seed = derive_seed(config, CHIRR_NODE_STREAM_LEDGER);
    parts.ledger.lineage = config->card.lineage;
    parts.ledger.hosted = config->card.hosted;
    if (parts.ledger.origins_max > config->agents_max) {
        parts.ledger.origins_max = config->agents_max;
    }
    parts.overlay.local = config->overlay.local || config->local_view; /* walks alone, to compare */
    parts.auction.local = config->local_view;
    if (config->local_view) {
        share_out(&parts, config->agents_max);
    }
    return parts;
}

uint32_t chirr_node_agents_min(const struct chirr_node_config *config)
{
    return config->local_view ? at_least(8 * config->overlay.active_max, LOCAL_AGENTS_MIN) : 2;
}

enum chirr_err chirr_node_config_validate(const struct chirr_node_config *config,
                                          struct chirr_error *error)
{
    if (config->incarnation == 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "node: incarnation must be at least 1");
    }
    uint32_t agents_min = chirr_node_agents_min(config);
    if (config->agents_max < agents_min || config->agents_max > CHIRR_DIGEST_ENTRIES_MAX) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "node: agents_max must be %u…%d, got %u",
                               agents_min, CHIRR_DIGEST_ENTRIES_MAX, config->agents_max);
    }
    if (config->tasks_max < 1 || config->tasks_max > 65536) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "node: tasks_max must be 1…65536, got %u",
                               config->tasks_max);
    }
    if (config->knowledge_bytes_per_s == 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "node: knowledge_bytes_per_s must be at least 1");
    }
    if (config->heartbeat_interval_ms == 0 || config->seed_interval_ms == 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "node: intervals must be at least 1 ms");
    }
    if (config->lease.lease_ms < 2 * config->heartbeat_interval_ms) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "node: a lease (%u ms) must outlast two heartbeats (of %u ms)",
                               config->lease.lease_ms, config->heartbeat_interval_ms);
    }
    if (config->seed_count > CHIRR_NODE_SEEDS_MAX) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "node: at most %d seeds, got %u",
                               CHIRR_NODE_SEEDS_MAX, config->seed_count);
    }
    struct chirr_record card = {
        .kind = CHIRR_RECORD_CARD,
        .author = chirr_agent_id_of(config->card.public_key),
        .stamp = {.incarnation = config->incarnation, .version = 1},
        .card = config->card,
    };
    enum chirr_err err = chirr_record_validate(&card);
    if (err != CHIRR_OK) {
        return chirr_error_set(error, err,
                               "node: its card is not valid: a name, printable ASCII, zeros behind "
                               "every text, 1…64,000 ‰ of a CPU and at most 256 slots are needed");
    }
    struct chirr_node_parts parts = chirr_node_parts_of(config);
    err = chirr_membership_config_validate(&parts.membership, error);
    if (err == CHIRR_OK) {
        err = chirr_overlay_config_validate(&parts.overlay, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_dissemination_config_validate(&parts.dissemination, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_auction_config_validate(&parts.auction, error);
    }
    return err == CHIRR_OK ? chirr_ledger_config_validate(&parts.ledger, error) : err;
}
