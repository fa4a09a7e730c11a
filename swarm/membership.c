/* Who is known, what is held of them, and what goes out. */
#include "swarm/membership.h"

#include <string.h>

#include "swarm/membership_state.h"

#define INTRODUCTION_INTERVALS 3      /* before the first probe */
#define INTRODUCTION_INTERVALS_MAX 10 /* while newcomers go on coming */
#define STREAM UINT64_C(0x6d656d62)   /* the machine's own, should seeds be shared */

struct chirr_membership_config chirr_membership_config_default(void)
{
    return (struct chirr_membership_config){
        .incarnation = 1,
        .members_max = 256,
        .tombstones_max = CHIRR_DIGEST_ENTRIES_MAX,
        .probe_interval_ms = 1000,
        .probe_timeout_ms = 300,
        .sweep_every = 5,
        .indirect_count = 3,
        .suspect_timeout_ms = 2000,
        .suspect_factor = 6,
        .awareness_max = 8,
        .dead_probe_ms = 5000,
        .dead_probes_max = 4,
        .gossip_delay_ms = 5,
        .lifeguard = true,
    };
}

struct range {
    const char *name;
    uint32_t value, min, max;
};

enum chirr_err chirr_membership_config_validate(const struct chirr_membership_config *config,
                                                struct chirr_error *error)
{
    const uint32_t hour_ms = 3600000;
    const struct range ranges[] = {
        {"members_max", config->members_max, 1, CHIRR_DIGEST_ENTRIES_MAX},
        {"tombstones_max", config->tombstones_max, 1, UINT32_MAX},
        {"probe_interval_ms", config->probe_interval_ms, 2, hour_ms},
        {"probe_timeout_ms", config->probe_timeout_ms, 1, config->probe_interval_ms - 1},
        {"sweep_every", config->sweep_every, 1, UINT32_MAX},
        {"indirect_count", config->indirect_count, 0, CHIRR_MEMBERSHIP_INDIRECT_MAX},
        {"suspect_timeout_ms", config->suspect_timeout_ms, 1, hour_ms},
        {"suspect_factor", config->suspect_factor, 1, 100},
        {"awareness_max", config->awareness_max, 0, 100},
        {"dead_probe_ms", config->dead_probe_ms, 1, 24 * hour_ms},
        {"dead_probes_max", config->dead_probes_max, 1, 1000},
        {"gossip_delay_ms", config->gossip_delay_ms, 0, hour_ms},
    };
    if (config->incarnation == 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "incarnation must be at least 1");
    }
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        const struct range *range = &ranges[i];
        if (range->value < range->min || range->value > range->max) {
            return chirr_error_set(error, CHIRR_ERR_RANGE, "%s is %u, must be %u…%u", range->name,
                                   range->value, range->min, range->max);
        }
    }
    return CHIRR_OK;
}

size_t chirr_membership_bytes(const struct chirr_membership_config *config)
{
    return chirr_arena_round(sizeof(struct chirr_membership)) +
           chirr_roster_bytes(config->members_max);
}

struct chirr_membership *chirr_membership_create(struct chirr_arena *arena,
                                                 const struct chirr_membership_config *config,
                                                 chirr_time_us now)
{
    CHIRR_ASSERT(chirr_membership_config_validate(config, NULL) == CHIRR_OK);
    CHIRR_ASSERT(config->self != 0);
    struct chirr_membership *m = chirr_arena_take(arena, 1, sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    if (chirr_roster_init(&m->roster, arena, config->members_max) != CHIRR_OK) {
        return NULL;
    }
    m->config = *config;
    m->created_us = now;
    m->incarnation = config->incarnation;
    m->awareness.score_max = config->lifeguard ? config->awareness_max : 0;
    m->push_us = CHIRR_TIME_NEVER;
    m->hurry_until_us = now;
    chirr_random_init(&m->random, config->seed, config->self ^ STREAM);
    /* Agents that start together do not probe in step, and who is not known yet to those it would
     * probe has to wait until it is: they could not answer. */
    m->period_us = now + INTRODUCTION_INTERVALS * chirr_time_from_ms(config->probe_interval_ms) +
                   (chirr_time_us)chirr_random_below(
                       &m->random, (uint64_t)chirr_time_from_ms(config->probe_interval_ms));
    m->inquiry_us = m->period_us;
    return m;
}

/* ---- Who is known -------------------------------------------------------------------------- */

/* While a swarm gathers, its agents have more to do than to answer in time; an interval without a
 * newcomer says that it has. */
static void put_off_first_probe(struct chirr_membership *m, chirr_time_us now)
{
    chirr_time_us interval_us = chirr_time_from_ms(m->config.probe_interval_ms);
    if (m->period_count == 0 && now + interval_us > m->period_us &&
        now < m->created_us + INTRODUCTION_INTERVALS_MAX * interval_us) {
        m->period_us = now + interval_us +
                       (chirr_time_us)chirr_random_below(&m->random, (uint64_t)interval_us);
        m->inquiry_us = m->period_us;
    }
}

enum chirr_err chirr_membership_add(struct chirr_membership *m, chirr_agent_id agent,
                                    uint64_t incarnation, chirr_time_us now)
{
    if (agent == m->config.self) {
        return CHIRR_OK;
    }
    struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, agent);
    if (slot != NULL) {
        slot->proven = incarnation > slot->proven ? incarnation : slot->proven;
        if (incarnation > slot->member.incarnation) {
            slot->member.heard_us = now;
            const struct chirr_member_update update = {
                .agent = agent, .incarnation = incarnation, .status = CHIRR_MEMBER_ALIVE};
            chirr_membership_learn(m, slot, &update, now);
        }
        return CHIRR_OK;
    }
    if (m->roster.count == m->roster.capacity) {
        if (!chirr_roster_evict(&m->roster)) {
            return CHIRR_ERR_FULL;
        }
        m->counters.evictions++;
    }
    const struct chirr_member member = {.agent = agent,
                                        .incarnation = incarnation,
                                        .status = CHIRR_MEMBER_ALIVE,
                                        .since_us = now,
                                        .heard_us = now};
    slot = chirr_roster_add(&m->roster, &m->random, &member);
    CHIRR_ASSERT(slot != NULL);
    slot->proven = incarnation;
    put_off_first_probe(m, now);
    return CHIRR_OK;
}

void chirr_membership_prove(struct chirr_membership *m, chirr_agent_id agent, uint64_t incarnation,
                            chirr_time_us now)
{
    if (agent == m->config.self && incarnation > m->incarnation && !m->leaving) {
        m->incarnation = incarnation;
        const struct chirr_member_update own = chirr_membership_own(m);
        chirr_membership_push(m, &own, 0, now);
    }
    struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, agent);
    if (slot != NULL && incarnation > slot->proven) {
        slot->proven = incarnation;
    }
}

void chirr_membership_forget(struct chirr_membership *m, chirr_agent_id agent)
{
    struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, agent);
    if (slot == NULL) {
        return;
    }
    chirr_roster_forget(&m->roster, slot);
    chirr_watch_forget(&m->watch, agent);
    chirr_relays_forget(&m->relays, agent);
    if (m->probe.target == agent) {
        m->probe = (struct membership_probe){.target = 0};
    }
}

void chirr_membership_watch(struct chirr_membership *m, const chirr_agent_id *agents,
                            uint32_t count)
{
    chirr_watch_replace(&m->watch, &m->random, agents, count);
}

void chirr_membership_leave(struct chirr_membership *m, chirr_time_us now)
{
    m->leaving = true;
    struct chirr_member_update own = chirr_membership_own(m);
    chirr_membership_push(m, &own, 0, now);
    chirr_membership_publish(m); /* the process may not live to see another tick */
}

/* ---- Status -------------------------------------------------------------------------------- */

static chirr_time_us dead_gap_us(const struct chirr_membership *m)
{
    return chirr_time_from_ms(m->config.probe_interval_ms) / m->config.dead_probes_max;
}

void chirr_membership_judge(struct chirr_membership *m, struct chirr_roster_slot *slot)
{
    chirr_time_us min_us = chirr_time_from_ms(m->config.suspect_timeout_ms);
    chirr_time_us from_us = slot->suspicion.since_us;
    chirr_time_us timeout_us = min_us;
    if (m->config.lifeguard) {
        from_us = slot->member.heard_us > from_us ? slot->member.heard_us : from_us;
        timeout_us = chirr_suspicion_timeout_us(
            &slot->suspicion,
            (struct chirr_suspicion_limits){min_us, min_us * m->config.suspect_factor});
        timeout_us = slot->verdict != 0 ? min_us : timeout_us;
    }
    chirr_roster_set_verdict(&m->roster, slot, from_us + timeout_us);
}

void chirr_membership_learn(struct chirr_membership *m, struct chirr_roster_slot *slot,
                            const struct chirr_member_update *update, chirr_time_us now)
{
    bool was_dead = slot->member.status == CHIRR_MEMBER_DEAD;
    chirr_roster_set(&m->roster, slot, update, now);
    slot->verdict = (enum chirr_member_status)0;
    if (update->status == CHIRR_MEMBER_SUSPECT) {
        /* The accuser is among the live ones, unless it is this agent. */
        chirr_suspicion_begin(&slot->suspicion, update->accuser,
                              m->roster.status_count[CHIRR_MEMBER_ALIVE], now);
        chirr_membership_judge(m, slot);
        /* Who had nobody to ask about did not oversleep it. */
        m->inquiry_us = m->inquiry_us > now ? m->inquiry_us : now;
    }
    if (update->status == CHIRR_MEMBER_DEAD && !was_dead) {
        chirr_time_us mean = chirr_time_from_ms(m->config.dead_probe_ms);
        chirr_time_us at =
            now + dead_gap_us(m) + (chirr_time_us)chirr_random_below(&m->random, (uint64_t)mean);
        bool first = m->roster.status_count[CHIRR_MEMBER_DEAD] == 1;
        m->dead_probe_us = first ? at : chirr_time_min(m->dead_probe_us, at);
    }
    if (was_dead && chirr_roster_is_live(slot)) {
        m->hurry_until_us = now + 2 * chirr_time_from_ms(m->config.probe_interval_ms);
        m->dead_probe_us = chirr_time_min(m->dead_probe_us, now + dead_gap_us(m));
    }
}

void chirr_membership_spread(struct chirr_membership *m, struct chirr_roster_slot *slot,
                             const struct chirr_member_update *update, chirr_agent_id from,
                             chirr_time_us now)
{
    chirr_membership_learn(m, slot, update, now);
    chirr_roster_tell(&m->roster, slot);
    chirr_membership_push(m, update, from, now);
}

/* Lifeguard, section IV-B: accusers count once each, and the first K are passed on. */
void chirr_membership_confirm(struct chirr_membership *m, struct chirr_roster_slot *slot,
                              chirr_agent_id accuser, chirr_agent_id from, chirr_time_us now)
{
    if (!m->config.lifeguard || !chirr_suspicion_confirm(&slot->suspicion, accuser)) {
        return;
    }
    m->counters.confirmations++;
    const struct chirr_member_update update = {.agent = slot->member.agent,
                                               .incarnation = slot->member.incarnation,
                                               .status = CHIRR_MEMBER_SUSPECT,
                                               .accuser = accuser};
    chirr_membership_judge(m, slot);
    chirr_roster_tell(&m->roster, slot);
    chirr_membership_push(m, &update, from, now);
}

/* ---- Output -------------------------------------------------------------------------------- */

struct chirr_member_update chirr_membership_own(const struct chirr_membership *m)
{
    return (struct chirr_member_update){
        .agent = m->config.self,
        .incarnation = m->incarnation,
        .status = m->leaving ? CHIRR_MEMBER_LEFT : CHIRR_MEMBER_ALIVE,
    };
}

/* The queue is reused only once all of it was handed out: outputs are borrowed until the next
 * input. NULL: full; counted. */
static struct membership_output *add_output(struct chirr_membership *m,
                                            enum chirr_message_kind kind)
{
    if (m->output_at == m->output_count) {
        m->output_at = 0;
        m->output_count = 0;
    }
    if (m->output_count == CHIRR_MEMBERSHIP_OUTPUTS_MAX) {
        m->counters.dropped++;
        return NULL;
    }
    struct membership_output *output = &m->outputs[m->output_count++];
    memset(output, 0, sizeof *output);
    output->message.kind = kind;
    return output;
}

/* What somebody just said that is outdated, told to it again. */
static void add_corrections(const struct chirr_membership *m, struct chirr_member_updates *news)
{
    for (uint32_t i = 0; i < m->corrections.count && news->count < CHIRR_MEMBER_UPDATES_MAX; i++) {
        const struct chirr_roster_slot *slot =
            chirr_roster_find(&m->roster, m->corrections.agents[i]);
        if (slot != NULL) {
            news->updates[news->count++] = chirr_roster_update(&m->roster, slot);
        }
    }
}

/* Lifeguard, section IV-C: what the receiver is held to be comes first. What room the news leave
 * goes to what is old, for whoever was not there when it was news. */
static void fill_news(struct chirr_membership *m, struct chirr_member_updates *news,
                      const struct membership_send *send)
{
    news->updates[news->count++] = chirr_membership_own(m);
    const struct chirr_roster_slot *receiver = chirr_roster_find(&m->roster, send->to);
    if (receiver != NULL &&
        (m->config.lifeguard || receiver->member.status != CHIRR_MEMBER_SUSPECT)) {
        news->updates[news->count++] = chirr_roster_update(&m->roster, receiver);
    }
    if (send->kind == CHIRR_MESSAGE_ACK && send->target == m->config.self) {
        add_corrections(m, news);
    }
    if (send->inquires) {
        chirr_roster_add_suspects(&m->roster, receiver, news);
    }
    chirr_roster_add_news(&m->roster, receiver, news);
    chirr_roster_remind(&m->roster, receiver, m->config.self, news);
}

void chirr_membership_send(struct chirr_membership *m, const struct membership_send *send)
{
    struct membership_output *output = add_output(m, send->kind);
    if (output != NULL) {
        output->to = send->to;
        output->message.probe.sequence = send->sequence;
        output->message.probe.target = send->target;
        fill_news(m, &output->message.probe.news, send);
    }
}

static void send_ping(struct chirr_membership *m, chirr_agent_id to, bool inquires)
{
    m->sequence++;
    const struct membership_send ping = {.to = to,
                                         .kind = CHIRR_MESSAGE_PING,
                                         .sequence = m->sequence,
                                         .target = to,
                                         .inquires = inquires};
    chirr_membership_send(m, &ping);
}

void chirr_membership_ping(struct chirr_membership *m, chirr_agent_id to)
{
    send_ping(m, to, false);
}

void chirr_membership_inquire(struct chirr_membership *m, chirr_agent_id of)
{
    send_ping(m, of, true);
}

void chirr_membership_push(struct chirr_membership *m, const struct chirr_member_update *update,
                           chirr_agent_id from, chirr_time_us now)
{
    if (m->push_count == CHIRR_MEMBERSHIP_PUSHES_MAX) {
        m->counters.unpushed++;
        return;
    }
    m->pushes[m->push_count++] = (struct membership_push){*update, from};
    m->push_us = chirr_time_min(m->push_us, now + chirr_time_from_ms(m->config.gossip_delay_ms));
}

/* Something newer is known by now. */
static bool is_outdated(const struct chirr_membership *m, const struct chirr_member_update *update)
{
    if (update->agent == m->config.self) {
        return true; /* every message begins with that */
    }
    const struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, update->agent);
    return slot == NULL || slot->member.incarnation != update->incarnation ||
           chirr_roster_update(&m->roster, slot).status != update->status;
}

/* Fills one message with what waits from `*at` on. */
static void fill_gossip(struct chirr_membership *m, struct membership_output *output, uint32_t *at)
{
    struct chirr_member_updates *news = &output->message.gossip;
    news->updates[news->count++] = chirr_membership_own(m);
    output->except = m->pushes[*at].from;
    while (*at < m->push_count && news->count < CHIRR_MEMBER_UPDATES_MAX) {
        const struct membership_push *push = &m->pushes[(*at)++];
        if (push->from != output->except) {
            output->except = 0;
        }
        if (!is_outdated(m, &push->update)) {
            news->updates[news->count++] = push->update;
        }
    }
}

void chirr_membership_publish(struct chirr_membership *m)
{
    uint32_t at = 0;
    while (at < m->push_count) {
        struct membership_output *output = add_output(m, CHIRR_MESSAGE_GOSSIP);
        if (output != NULL) {
            fill_gossip(m, output, &at);
        } else {
            at += CHIRR_MEMBER_UPDATES_MAX - 1; /* lost with it: each message is counted */
        }
    }
    m->push_count = 0;
    m->push_us = CHIRR_TIME_NEVER;
}

bool chirr_membership_poll(struct chirr_membership *m, struct chirr_output *output)
{
    struct chirr_member_update update;
    if (chirr_roster_report(&m->roster, &update)) {
        *output = (struct chirr_output){.kind = CHIRR_OUTPUT_MEMBER, .member = update};
        return true;
    }
    if (m->output_at == m->output_count) {
        return false;
    }
    const struct membership_output *next = &m->outputs[m->output_at++];
    if (next->to == 0) {
        *output = (struct chirr_output){.kind = CHIRR_OUTPUT_PUBLISH,
                                        .topic = CHIRR_TOPIC_EAGER,
                                        .except = next->except,
                                        .message = &next->message};
    } else {
        *output = (struct chirr_output){
            .kind = CHIRR_OUTPUT_SEND, .to = next->to, .message = &next->message};
    }
    return true;
}

/* ---- Looking in ---------------------------------------------------------------------------- */

uint64_t chirr_membership_incarnation(const struct chirr_membership *m)
{
    return m->incarnation;
}

uint32_t chirr_membership_awareness(const struct chirr_membership *m)
{
    return m->awareness.score;
}

uint32_t chirr_membership_count(const struct chirr_membership *m)
{
    return m->roster.count;
}

uint32_t chirr_membership_status_count(const struct chirr_membership *m,
                                       enum chirr_member_status status)
{
    return m->roster.status_count[status];
}

const struct chirr_member *chirr_membership_at(const struct chirr_membership *m, uint32_t index)
{
    return &chirr_roster_at(&m->roster, index)->member;
}

const struct chirr_member *chirr_membership_find(const struct chirr_membership *m,
                                                 chirr_agent_id agent)
{
    const struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, agent);
    return slot == NULL ? NULL : &slot->member;
}

bool chirr_membership_is_live(const struct chirr_membership *m, chirr_agent_id agent)
{
    const struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, agent);
    return agent == m->config.self || (slot != NULL && chirr_roster_is_live(slot));
}

const struct chirr_membership_counters *
chirr_membership_count_events(const struct chirr_membership *m)
{
    return &m->counters;
}
