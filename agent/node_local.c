/* What an agent that knows only a part of the swarm forgets, and when.
 *
 * Known are those in the active and passive view, those being asked, contacts and seeds, and the
 * dead among them for as long as membership has room: they are members, and their cards are held.
 * Whoever leaves the views is forgotten without a rumour. Of all others only what they say is held,
 * tasks and claims, which spread everywhere: an author of whom nothing lives goes
 *   - when somebody else needs its place, those first who have been silent longest;
 *   - or when it was silent for one to two minutes. Of one that is known its card stays.
 * What was at stake least goes first: before a task is turned away, results of tasks submitted here
 * are forgotten (the durable store keeps them), then claims. */
#include "agent/node_state.h"

#define SILENT_US (60 * CHIRR_US_PER_S)

/* A seed is knocked at for ever: better it stays known. */
static bool is_seed(const struct chirr_node *node, chirr_agent_id agent)
{
    for (uint32_t i = 0; i < node->config.seed_count; i++) {
        if (chirr_agent_id_of(node->config.seeds[i].public_key) == agent) {
            return true;
        }
    }
    return false;
}

static bool is_known(const struct chirr_node *node, chirr_agent_id agent)
{
    return agent == node->self || chirr_membership_find(node->membership, agent) != NULL ||
           chirr_overlay_keeps(node->overlay, agent) || is_seed(node, agent);
}

void chirr_node_forget_strangers(struct chirr_node *node)
{
    for (uint32_t i = chirr_membership_count(node->membership); i > 0; i--) {
        const struct chirr_member *member = chirr_membership_at(node->membership, i - 1);
        chirr_agent_id agent = member->agent;
        bool gone = member->status == CHIRR_MEMBER_DEAD || member->status == CHIRR_MEMBER_LEFT;
        if (gone || chirr_overlay_keeps(node->overlay, agent) || is_seed(node, agent)) {
            continue; /* old news must not bring back who is gone */
        }
        chirr_membership_forget(node->membership, agent);
        chirr_acquaintance_forget(node->acquaintance, agent);
        chirr_auction_member(node->auction, agent, node->now);
        node->counters.strangers++;
    }
}

/* 0: nobody. */
static bool evict(struct chirr_node *node, chirr_agent_id agent)
{
    bool evicted = agent != 0 && chirr_records_evict(node->records, agent) == CHIRR_OK;
    node->counters.strangers += evicted;
    return evicted;
}

/* Of the authors nobody needs to know, with the least at stake: who was silent longest. */
static bool evict_one(struct chirr_node *node, enum chirr_stake stake_max)
{
    chirr_agent_id victim = 0;
    uint64_t victim_changed = 0;
    enum chirr_stake victim_stake = CHIRR_STAKE_TASKS;
    for (uint32_t i = 0; i < chirr_records_author_count(node->records); i++) {
        chirr_agent_id agent = chirr_records_author_at(node->records, i);
        uint64_t changed = chirr_records_span(node->records, agent).changed;
        enum chirr_stake stake = chirr_records_stake(node->records, agent, node->self);
        bool better = stake < victim_stake || (stake == victim_stake && changed < victim_changed);
        if (stake <= stake_max && (victim == 0 || better) && !is_known(node, agent)) {
            victim = agent;
            victim_changed = changed;
            victim_stake = stake;
        }
    }
    return evict(node, victim);
}

/* What somebody unknown says is worth forgetting this for. */
static enum chirr_stake worth(const struct chirr_record *record)
{
    bool state = record->kind == CHIRR_RECORD_TASK || record->kind == CHIRR_RECORD_TRUST;
    return state ? CHIRR_STAKE_RESULTS : CHIRR_STAKE_NONE;
}

void chirr_node_make_room(struct chirr_node *node, chirr_agent_id from,
                          const struct chirr_record *records, uint32_t count)
{
    uint32_t needed = 0;
    for (uint32_t i = 0; i < count && node->config.local_view; i++) {
        const struct chirr_record *record = &records[i];
        bool passed_over = record->kind == CHIRR_RECORD_CARD && from != 0 && record->author != from;
        struct chirr_records_span span = chirr_records_span(node->records, record->author);
        if (passed_over || span.newest.incarnation != 0) {
            continue;
        }
        needed++;
        if (chirr_records_author_count(node->records) + needed > node->config.agents_max &&
            !evict_one(node, worth(record))) {
            return; /* the store counts what it turns away */
        }
    }
}

static void forget_silent(struct chirr_node *node, chirr_agent_id agent)
{
    if (is_known(node, agent)) {
        chirr_records_trim(node->records, agent);
    } else {
        evict(node, agent);
    }
}

void chirr_node_forget_silent(struct chirr_node *node)
{
    if (node->now < node->forget_at) {
        return;
    }
    for (uint32_t i = chirr_records_author_count(node->records); i > 0; i--) {
        chirr_agent_id agent = chirr_records_author_at(node->records, i - 1);
        if (chirr_records_span(node->records, agent).changed <= node->silent_since &&
            agent != node->self &&
            chirr_records_stake(node->records, agent, node->self) == CHIRR_STAKE_NONE) {
            forget_silent(node, agent);
        }
    }
    node->silent_since = chirr_records_count(node->records)->joined;
    node->forget_at = node->now + SILENT_US;
}
