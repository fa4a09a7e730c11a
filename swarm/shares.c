/* One token bucket for all, and a small one for each who asks when little is left. */
#include "swarm/shares.h"

#include "base/error.h"

static uint32_t share_of(uint32_t bytes)
{
    return bytes < CHIRR_SHARES ? 1 : bytes / CHIRR_SHARES;
}

static void enter(struct chirr_shares *shares, struct chirr_asker *asker, chirr_agent_id agent,
                  chirr_time_us now)
{
    asker->agent = agent;
    chirr_budget_init(&asker->share, share_of(shares->config.bytes_per_s),
                      share_of(shares->config.held_back_bytes), now);
}

void chirr_shares_init(struct chirr_shares *shares, const struct chirr_shares_config *config,
                       chirr_agent_id self, chirr_time_us now)
{
    CHIRR_ASSERT(config->common_bytes > 0);
    CHIRR_ASSERT(config->common_bytes <= UINT32_MAX - config->held_back_bytes);
    *shares = (struct chirr_shares){.config = *config, .asker_count = 1};
    chirr_budget_init(&shares->all, config->bytes_per_s,
                      config->common_bytes + config->held_back_bytes, now);
    enter(shares, &shares->askers[0], self, now);
}

/* asker_count: it is none of them. */
static uint32_t find(const struct chirr_shares *shares, chirr_agent_id agent)
{
    uint32_t place = 0;
    while (place < shares->asker_count && shares->askers[place].agent != agent) {
        place++;
    }
    return place;
}

static struct chirr_asker *make_room(struct chirr_shares *shares, chirr_time_us now)
{
    if (shares->asker_count < CHIRR_ASKERS_MAX) {
        return &shares->askers[shares->asker_count++];
    }
    struct chirr_asker *idle = &shares->askers[1];
    for (uint32_t i = 2; i < shares->asker_count; i++) {
        idle = shares->askers[i].share.at < idle->share.at ? &shares->askers[i] : idle;
    }
    shares->forgotten += !chirr_budget_is_full(&idle->share, now);
    return idle;
}

static struct chirr_budget *share_for(struct chirr_shares *shares, chirr_agent_id agent,
                                      chirr_time_us now)
{
    uint32_t place = find(shares, agent);
    if (place < shares->asker_count) {
        return &shares->askers[place].share;
    }
    struct chirr_asker *asker = make_room(shares, now);
    enter(shares, asker, agent, now);
    return &asker->share;
}

static bool is_self(const struct chirr_shares *shares, chirr_agent_id asker)
{
    return asker == shares->askers[0].agent;
}

bool chirr_shares_allow(struct chirr_shares *shares, chirr_agent_id asker, chirr_time_us now)
{
    if (chirr_budget_allows_above(&shares->all, shares->config.held_back_bytes, now)) {
        return true;
    }
    bool has_share = chirr_budget_allows(share_for(shares, asker, now), now);
    return has_share && (is_self(shares, asker) || !chirr_shares_are_spent(shares));
}

void chirr_shares_spend(struct chirr_shares *shares, chirr_agent_id asker, uint64_t bytes)
{
    if (shares->all.level <= shares->config.held_back_bytes) {
        chirr_budget_spend(share_for(shares, asker, shares->all.at), bytes);
    }
    chirr_budget_spend(&shares->all, bytes);
}

chirr_time_us chirr_shares_ready_at(const struct chirr_shares *shares, chirr_agent_id asker)
{
    uint32_t place = find(shares, asker);
    chirr_time_us has_share = place < shares->asker_count
                                  ? chirr_budget_ready_at(&shares->askers[place].share)
                                  : shares->all.at;
    chirr_time_us some_left =
        is_self(shares, asker) ? has_share : chirr_budget_ready_at(&shares->all);
    return chirr_time_min(
        has_share > some_left ? has_share : some_left,
        chirr_budget_ready_above_at(&shares->all, shares->config.held_back_bytes));
}

bool chirr_shares_are_spent(const struct chirr_shares *shares)
{
    return shares->all.level <= 0;
}
