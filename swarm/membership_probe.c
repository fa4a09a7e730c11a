/* What time brings: periods of probes, verdicts on suspects, probes of the dead. */
#include "swarm/membership_state.h"

/* While some of the dead return, the rest are probed that many times as fast. */
#define HURRY 8
/* Who was heard of within that many periods is likely to hear a PING_REQUEST. */
#define RECENT_PERIODS 5

static bool probe_is_open(const struct chirr_membership *m)
{
    return m->probe.target != 0 && !m->probe.answered;
}

/* By local health (Lifeguard, section IV-A). */
static chirr_time_us scaled_us(const struct chirr_membership *m, uint32_t base_ms)
{
    return chirr_awareness_scale(&m->awareness, chirr_time_from_ms(base_ms));
}

void chirr_membership_answer(struct chirr_membership *m)
{
    if (!probe_is_open(m)) {
        return;
    }
    m->probe.answered = true;
    chirr_awareness_succeed(&m->awareness);
    m->period_us =
        chirr_time_min(m->period_us, m->probe.sent_us + scaled_us(m, m->config.probe_interval_ms));
}

/* ---- Periods ------------------------------------------------------------------------------- */

/* Neighbours help; where there is no overlay, anybody. */
static const struct chirr_roster_slot *candidate(const struct chirr_membership *m, uint32_t index)
{
    return m->watch.count > 0 ? chirr_roster_find(&m->roster, m->watch.agents[index])
                              : chirr_roster_at(&m->roster, index);
}

static bool may_help(const struct chirr_membership *m, const struct chirr_roster_slot *slot)
{
    return slot != NULL && slot->member.status == CHIRR_MEMBER_ALIVE &&
           slot->member.agent != m->probe.target;
}

/* Adds random ones of those that could help and were heard of since, or only before, `recent_us`,
 * up to k in all. */
static void add_helpers(struct chirr_membership *m, chirr_time_us recent_us, bool recent)
{
    uint32_t first = m->probe.helper_count;
    uint32_t wanted = m->config.indirect_count - first;
    uint32_t candidates = m->watch.count > 0 ? m->watch.count : m->roster.count;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < candidates; i++) {
        const struct chirr_roster_slot *slot = candidate(m, i);
        if (!may_help(m, slot) || (slot->member.heard_us >= recent_us) != recent) {
            continue;
        }
        seen++;
        uint32_t at = seen <= wanted ? seen - 1 : (uint32_t)chirr_random_below(&m->random, seen);
        if (at < wanted) {
            m->probe.helpers[first + at] = slot->member.agent;
        }
    }
    m->probe.helper_count += seen < wanted ? seen : wanted;
}

/* Of helpers beyond the same cut as the target no NACK would come, and this agent would doubt
 * itself: those that were heard of lately are asked first, all there are if there are no more. */
static void choose_helpers(struct chirr_membership *m, chirr_time_us now)
{
    chirr_time_us recent_us = now - RECENT_PERIODS * scaled_us(m, m->config.probe_interval_ms);
    add_helpers(m, recent_us, true);
    add_helpers(m, recent_us, false);
}

static void probe_indirectly(struct chirr_membership *m, chirr_time_us now)
{
    m->probe.indirect = true;
    choose_helpers(m, now);
    for (uint32_t i = 0; i < m->probe.helper_count; i++) {
        const struct membership_send request = {.to = m->probe.helpers[i],
                                                .kind = CHIRR_MESSAGE_PING_REQUEST,
                                                .sequence = m->probe.sequence,
                                                .target = m->probe.target};
        chirr_membership_send(m, &request);
    }
    m->counters.indirect_probes += m->probe.helper_count;
}

static void accuse(struct chirr_membership *m, struct chirr_roster_slot *slot, chirr_time_us now)
{
    if (slot->member.status == CHIRR_MEMBER_SUSPECT) {
        chirr_membership_confirm(m, slot, m->config.self, 0, now);
    }
    if (slot->member.status != CHIRR_MEMBER_ALIVE) {
        return;
    }
    const struct chirr_member_update suspect = {.agent = slot->member.agent,
                                                .incarnation = slot->member.incarnation,
                                                .status = CHIRR_MEMBER_SUSPECT,
                                                .accuser = m->config.self};
    m->counters.suspicions++;
    chirr_membership_spread(m, slot, &suspect, 0, now);
}

static void close_probe(struct chirr_membership *m, chirr_time_us now)
{
    if (probe_is_open(m)) {
        uint32_t nacks = 0;
        for (uint32_t i = 0; i < m->probe.helper_count; i++) {
            nacks += m->probe.nacked[i];
        }
        chirr_awareness_fail(&m->awareness, m->probe.helper_count, nacks);
        struct chirr_roster_slot *target = chirr_roster_find(&m->roster, m->probe.target);
        if (target != NULL) {
            accuse(m, target, now);
        }
    }
    m->probe = (struct membership_probe){.target = 0};
}

/* A neighbour that others accuse, and whose suspicion still wants for confirmations. */
static struct chirr_roster_slot *watched_suspect(const struct chirr_membership *m)
{
    for (uint32_t i = 0; i < m->watch.count; i++) {
        struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, m->watch.agents[i]);
        if (slot == NULL || slot->member.status != CHIRR_MEMBER_SUSPECT ||
            slot->suspicion.accuser_count > slot->suspicion.wanted) {
            continue;
        }
        struct chirr_suspicion would_be = slot->suspicion;
        if (chirr_suspicion_confirm(&would_be, m->config.self)) {
            return slot;
        }
    }
    return NULL;
}

static struct chirr_roster_slot *next_watched(struct chirr_membership *m)
{
    for (uint32_t i = 0; i < m->watch.count; i++) {
        chirr_agent_id agent = chirr_watch_next(&m->watch);
        struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, agent);
        if (slot != NULL && chirr_roster_is_live(slot)) {
            return slot;
        }
    }
    return NULL;
}

static struct chirr_roster_slot *next_target(struct chirr_membership *m)
{
    m->period_count++;
    struct chirr_roster_slot *target = m->config.lifeguard ? watched_suspect(m) : NULL;
    if (target == NULL && m->period_count % m->config.sweep_every != 0) {
        target = next_watched(m);
    }
    return target != NULL ? target : chirr_roster_next(&m->roster, &m->random);
}

static void put_off_inquiry(struct chirr_membership *m, chirr_time_us now)
{
    m->inquiry_us = now + chirr_time_from_ms(m->config.probe_interval_ms);
}

static void begin_period(struct chirr_membership *m, chirr_time_us now)
{
    m->period_us = now + scaled_us(m, m->config.probe_interval_ms);
    const struct chirr_roster_slot *target = next_target(m);
    if (target != NULL) {
        m->counters.probes++;
        chirr_membership_ping(m, target->member.agent);
        put_off_inquiry(m, now);
        m->probe =
            (struct membership_probe){.target = target->member.agent,
                                      .sequence = m->sequence,
                                      .sent_us = now,
                                      .timeout_us = now + scaled_us(m, m->config.probe_timeout_ms)};
    }
}

/* Nobody is accused before its helpers had their time, however late this tick is. */
static bool grants_helpers(struct chirr_membership *m, chirr_time_us now)
{
    if (!m->config.lifeguard || !probe_is_open(m) || m->probe.indirect) {
        return false;
    }
    probe_indirectly(m, now);
    m->period_us = now + scaled_us(m, m->config.probe_interval_ms - m->config.probe_timeout_ms);
    return m->probe.helper_count > 0;
}

static void tick_probe(struct chirr_membership *m, chirr_time_us now)
{
    if (now >= m->period_us) {
        if (!grants_helpers(m, now)) {
            close_probe(m, now);
            begin_period(m, now);
        }
    } else if (probe_is_open(m) && !m->probe.indirect && now >= m->probe.timeout_us) {
        probe_indirectly(m, now);
    }
}

/* ---- The dead ------------------------------------------------------------------------------ */

/* Each is tried every dead_probe_ms or so, but all together not more often than the budget says.
 * While some return, a partition heals, and the others are likely to be there as well. */
static chirr_time_us dead_gap_us(struct chirr_membership *m, chirr_time_us now)
{
    chirr_time_us least =
        chirr_time_from_ms(m->config.probe_interval_ms) / m->config.dead_probes_max;
    chirr_time_us gap =
        chirr_time_from_ms(m->config.dead_probe_ms) / m->roster.status_count[CHIRR_MEMBER_DEAD];
    gap = gap > least ? gap : least;
    if (now < m->hurry_until_us) {
        gap = least / HURRY;
    }
    gap = gap > 1 ? gap : 1;
    return gap - gap / 2 + (chirr_time_us)chirr_random_below(&m->random, (uint64_t)gap);
}

static void tick_dead(struct chirr_membership *m, chirr_time_us now)
{
    if (m->roster.status_count[CHIRR_MEMBER_DEAD] == 0 || now < m->dead_probe_us) {
        return;
    }
    m->dead_probe_us = now + dead_gap_us(m, now);
    struct chirr_roster_slot *slot =
        chirr_roster_next_dead(&m->roster, now - chirr_time_from_ms(m->config.probe_interval_ms));
    if (slot == NULL) {
        m->hurry_until_us = now; /* all were tried just now */
        return;
    }
    slot->tried_us = now;
    m->counters.dead_probes++;
    chirr_membership_ping(m, slot->member.agent);
}

static bool inquires(const struct chirr_membership *m)
{
    return m->config.lifeguard && m->watch.count > 0 &&
           m->roster.status_count[CHIRR_MEMBER_SUSPECT] > 0;
}

/* A refutation that did not get here is not told again, unless somebody is told what is outdated.
 * Probes do so, but whoever doubts its own health probes seldom, and would hold on to what it heard
 * while it was cut off until all of that is buried. This PING asks nothing of the neighbour's
 * health, only what it knows; there is none as long as probes go out at their full pace. */
static void tick_inquiry(struct chirr_membership *m, chirr_time_us now)
{
    if (!inquires(m) || now < m->inquiry_us) {
        return;
    }
    put_off_inquiry(m, now);
    uint32_t first = (uint32_t)chirr_random_below(&m->random, m->watch.count);
    for (uint32_t i = 0; i < m->watch.count; i++) {
        chirr_agent_id agent = m->watch.agents[(first + i) % m->watch.count];
        const struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, agent);
        if (slot != NULL && slot->member.status == CHIRR_MEMBER_ALIVE) {
            m->counters.inquiries++;
            chirr_membership_inquire(m, agent);
            return;
        }
    }
}

static void tick_suspects(struct chirr_membership *m, chirr_time_us now)
{
    for (struct chirr_roster_slot *slot = chirr_roster_due(&m->roster, now); slot != NULL;
         slot = chirr_roster_due(&m->roster, now)) {
        struct chirr_member_update gone = {.agent = slot->member.agent,
                                           .incarnation = slot->member.incarnation,
                                           .status = slot->verdict};
        if (gone.status != 0) {
            chirr_membership_learn(m, slot, &gone, now); /* passed on when it was heard */
            continue;
        }
        gone.status = CHIRR_MEMBER_DEAD;
        m->counters.deaths++;
        chirr_membership_spread(m, slot, &gone, 0, now);
    }
}

static void tick_relays(struct chirr_membership *m, chirr_time_us now)
{
    struct chirr_relay relay;
    while (chirr_relays_due(&m->relays, now, &relay)) {
        const struct membership_send nack = {.to = relay.origin,
                                             .kind = CHIRR_MESSAGE_NACK,
                                             .sequence = relay.origin_sequence,
                                             .target = relay.target};
        m->counters.nacks++;
        chirr_membership_send(m, &nack);
    }
}

/* ---- The clock ----------------------------------------------------------------------------- */

chirr_time_us chirr_membership_deadline(const struct chirr_membership *m)
{
    if (m->leaving) {
        return CHIRR_TIME_NEVER;
    }
    chirr_time_us at = chirr_time_min(m->period_us, m->push_us);
    if (probe_is_open(m) && !m->probe.indirect) {
        at = chirr_time_min(at, m->probe.timeout_us);
    }
    if (m->roster.status_count[CHIRR_MEMBER_DEAD] > 0) {
        at = chirr_time_min(at, m->dead_probe_us);
    }
    if (inquires(m)) {
        at = chirr_time_min(at, m->inquiry_us);
    }
    at = chirr_time_min(at, chirr_relays_deadline(&m->relays));
    return chirr_time_min(at, chirr_schedule_deadline(&m->roster.verdicts));
}

/* This process stood still, so the silence may be its own: every clock begins anew. */
static void forgive(struct chirr_membership *m, chirr_time_us now)
{
    m->counters.pauses++;
    chirr_awareness_lag(&m->awareness);
    m->probe = (struct membership_probe){.target = 0};
    for (uint32_t rank = 0; rank < m->roster.count; rank++) {
        struct chirr_roster_slot *slot = chirr_roster_at(&m->roster, rank);
        if (slot->member.status == CHIRR_MEMBER_SUSPECT) {
            slot->suspicion.since_us = now;
            chirr_membership_judge(m, slot);
        }
    }
}

/* Who has not been reported yet may stay until the next tick. */
static void bury_tombstones(struct chirr_membership *m)
{
    while (chirr_roster_tombstone_count(&m->roster) > m->config.tombstones_max &&
           chirr_roster_evict(&m->roster)) {
        m->counters.evictions++;
    }
}

void chirr_membership_tick(struct chirr_membership *m, chirr_time_us now)
{
    chirr_time_us deadline = chirr_membership_deadline(m);
    if (now < deadline) {
        return;
    }
    if (m->config.lifeguard && now - deadline > chirr_time_from_ms(m->config.probe_interval_ms)) {
        forgive(m, now);
    }
    bury_tombstones(m);
    tick_probe(m, now);
    tick_suspects(m, now);
    tick_inquiry(m, now);
    tick_dead(m, now);
    tick_relays(m, now);
    if (now >= m->push_us) {
        chirr_membership_publish(m);
    }
}
