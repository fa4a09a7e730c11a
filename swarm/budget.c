/* A token bucket, in whole bytes. */
#include "swarm/budget.h"

#include "base/error.h"

void chirr_budget_init(struct chirr_budget *budget, uint32_t bytes_per_s, uint32_t burst_bytes,
                       chirr_time_us now)
{
    CHIRR_ASSERT(bytes_per_s > 0);
    CHIRR_ASSERT(burst_bytes > 0);
    *budget = (struct chirr_budget){
        .bytes_per_s = bytes_per_s, .burst_bytes = burst_bytes, .level = burst_bytes, .at = now};
}

/* At least what earning `bytes` takes. In two steps: debts times microseconds would overflow. */
static chirr_time_us time_for(const struct chirr_budget *budget, int64_t bytes)
{
    int64_t rate = budget->bytes_per_s;
    return bytes / rate * CHIRR_US_PER_S + (bytes % rate * CHIRR_US_PER_S + rate - 1) / rate;
}

static void earn(struct chirr_budget *budget, chirr_time_us now)
{
    if (now <= budget->at) {
        return;
    }
    chirr_time_us waited = now - budget->at;
    budget->at = now;
    chirr_time_us full_after = time_for(budget, budget->burst_bytes - budget->level);
    if (waited >= full_after) {
        budget->level = budget->burst_bytes;
        budget->remainder_us = 0;
        return;
    }
    int64_t earned_us = waited * budget->bytes_per_s + budget->remainder_us;
    budget->level += earned_us / CHIRR_US_PER_S;
    budget->remainder_us = earned_us % CHIRR_US_PER_S;
    if (budget->level > budget->burst_bytes) {
        budget->level = budget->burst_bytes;
    }
}

bool chirr_budget_allows_above(struct chirr_budget *budget, uint32_t kept_bytes, chirr_time_us now)
{
    earn(budget, now);
    return budget->level > kept_bytes;
}

bool chirr_budget_allows(struct chirr_budget *budget, chirr_time_us now)
{
    return chirr_budget_allows_above(budget, 0, now);
}

bool chirr_budget_is_full(struct chirr_budget *budget, chirr_time_us now)
{
    earn(budget, now);
    return budget->level == budget->burst_bytes;
}

void chirr_budget_spend(struct chirr_budget *budget, uint64_t bytes)
{
    /* More than an hour's debt is none that anybody would wait for. */
    int64_t floor = -(int64_t)budget->bytes_per_s * 3600;
    budget->level = bytes > INT32_MAX ? floor : budget->level - (int64_t)bytes;
    budget->level = budget->level < floor ? floor : budget->level;
}

chirr_time_us chirr_budget_ready_above_at(const struct chirr_budget *budget, uint32_t kept_bytes)
{
    if (budget->level > kept_bytes) {
        return budget->at;
    }
    int64_t rate = budget->bytes_per_s;
    int64_t missing = kept_bytes + 1 - budget->level;
    int64_t rest = missing % rate * CHIRR_US_PER_S - budget->remainder_us;
    int64_t rounded = rest > 0 ? (rest + rate - 1) / rate : -(-rest / rate);
    return budget->at + missing / rate * CHIRR_US_PER_S + rounded;
}

chirr_time_us chirr_budget_ready_at(const struct chirr_budget *budget)
{
    return chirr_budget_ready_above_at(budget, 0);
}
