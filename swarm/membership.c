/* SWIM: rounds of probes, suspicion, news. */
#include "swarm/membership.h"

#include <string.h>

#include "swarm/roster.h"

#define OUTPUTS_MAX 64
#define RELAYS_MAX 32 /* indirect probes under way for others */
#define INDIRECT_MAX 16
#define STREAM UINT64_C(0x6d656d62) /* the machine's own, should seeds be shared */

/* The one probe under way (section 3.1); target 0: none. */
struct probe {
    chirr_agent_id target;
    uint32_t sequence;
    chirr_time_us sent_us;
    bool indirect; /* the PING_REQUESTs went out */
    bool answered;
};

struct relay {
    uint32_t sequence; /* of the PING sent on behalf of `origin`; 0: none, or answered */
    uint32_t origin_sequence;
    chirr_agent_id origin;
    chirr_agent_id target;
    chirr_time_us asked_us;
};

struct outgoing {
    chirr_agent_id to;
    struct chirr_message message;
};

struct chirr_membership {
    struct chirr_membership_config config;
    struct chirr_random random;
    struct chirr_roster roster;
    uint64_t incarnation; /* own */
    bool leaving;
    uint32_t sequence;
    struct probe probe;
    chirr_time_us period_us; /* when the next period begins */
    struct relay relays[RELAYS_MAX];
    uint32_t relay_at; /* the oldest */
    struct outgoing outputs[OUTPUTS_MAX];
    uint32_t output_count;
    uint32_t output_at;          /* the next to hand out */
    bool gossip_due;             /* something was found out here */
    struct chirr_message gossip; /* borrowed by a PUBLISH */
    struct chirr_membership_counters counters;
};

struct chirr_membership_config chirr_membership_config_default(void)
{
    return (struct chirr_membership_config){
        .incarnation = 1,
        .members_max = 256,
        .probe_interval_ms = 1000,
        .probe_timeout_ms = 300,
        .indirect_count = 3,
        .suspect_timeout_ms = 3000,
        .dead_probe_ms = 10000,
    };
}

enum chirr_err chirr_membership_config_validate(const struct chirr_membership_config *config,
                                                struct chirr_error *error)
{
    if (config->incarnation == 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "incarnation must be at least 1");
    }
    if (config->members_max == 0 || config->members_max > CHIRR_DIGEST_ENTRIES_MAX) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "members_max is %u, must be 1…%d",
                               config->members_max, CHIRR_DIGEST_ENTRIES_MAX);
    }
    if (config->probe_timeout_ms == 0 || config->probe_timeout_ms >= config->probe_interval_ms) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "probe_timeout_ms is %u, must be at least 1 and less than "
                               "probe_interval_ms (%u)",
                               config->probe_timeout_ms, config->probe_interval_ms);
    }
    if (config->indirect_count > INDIRECT_MAX) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "indirect_count is %u, must be 0…%d",
                               config->indirect_count, INDIRECT_MAX);
    }
    if (config->suspect_timeout_ms == 0 || config->dead_probe_ms == 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "suspect_timeout_ms and dead_probe_ms must be at least 1");
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
    m->incarnation = config->incarnation;
    chirr_random_init(&m->random, config->seed, config->self ^ STREAM);
    /* Agents that start together do not probe in step. */
    m->period_us = now + (chirr_time_us)chirr_random_below(
                             &m->random, (uint64_t)chirr_time_from_ms(config->probe_interval_ms));
    return m;
}

/* ---- Status -------------------------------------------------------------------------------- */

static chirr_time_us jittered(struct chirr_membership *m, uint32_t mean_ms)
{
    chirr_time_us mean = chirr_time_from_ms(mean_ms);
    return mean / 2 + (chirr_time_us)chirr_random_below(&m->random, (uint64_t)mean + 1);
}

static void set_status(struct chirr_membership *m, struct chirr_roster_slot *slot,
                       struct chirr_member_update update, chirr_time_us now)
{
    chirr_roster_set(&m->roster, slot, &update, now);
    if (update.status == CHIRR_MEMBER_DEAD) {
        slot->probe_us = now + jittered(m, m->config.dead_probe_ms);
    }
}

/* Found out here: set, passed on, and published at once. */
static void find_out(struct chirr_membership *m, struct chirr_roster_slot *slot,
                     enum chirr_member_status status, chirr_time_us now)
{
    struct chirr_member_update update = {slot->member.agent, slot->member.incarnation, status};
    set_status(m, slot, update, now);
    chirr_roster_tell(&m->roster, slot);
    m->gossip_due = true;
}

enum chirr_err chirr_membership_add(struct chirr_membership *m, chirr_agent_id agent,
                                    uint64_t incarnation, chirr_time_us now)
{
    if (agent == m->config.self) {
        return CHIRR_OK;
    }
    struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, agent);
    if (slot == NULL) {
        const struct chirr_member member = {.agent = agent,
                                            .incarnation = incarnation,
                                            .status = CHIRR_MEMBER_ALIVE,
                                            .since_us = now,
                                            .heard_us = now};
        slot = chirr_roster_add(&m->roster, &m->random, &member);
        return slot == NULL ? CHIRR_ERR_FULL : CHIRR_OK;
    }
    if (incarnation > slot->member.incarnation) {
        slot->member.heard_us = now;
        set_status(m, slot, (struct chirr_member_update){agent, incarnation, CHIRR_MEMBER_ALIVE},
                   now);
    }
    return CHIRR_OK;
}

/* ---- News ---------------------------------------------------------------------------------- */

static void fill_news(struct chirr_membership *m, struct chirr_member_updates *news,
                      chirr_agent_id to)
{
    memset(news, 0, sizeof *news);
    news->updates[news->count++] = (struct chirr_member_update){
        m->config.self, m->incarnation, m->leaving ? CHIRR_MEMBER_LEFT : CHIRR_MEMBER_ALIVE};
    chirr_roster_add_news(&m->roster, to, news);
}

/* Rumours about oneself are answered with an incarnation above them (section 4.2). One above the
 * own comes from an earlier life that had a greater one. */
static void hear_of_self(struct chirr_membership *m, const struct chirr_member_update *update)
{
    bool accused = update->incarnation == m->incarnation && update->status != CHIRR_MEMBER_ALIVE;
    if (m->leaving || update->incarnation == UINT64_MAX ||
        (update->incarnation <= m->incarnation && !accused)) {
        return;
    }
    m->incarnation = update->incarnation + 1;
    m->counters.refutations++;
    m->gossip_due = true;
}

static void hear_news(struct chirr_membership *m, const struct chirr_member_updates *news,
                      chirr_time_us now)
{
    for (uint32_t i = 0; i < news->count; i++) {
        const struct chirr_member_update *update = &news->updates[i];
        if (update->agent == m->config.self) {
            hear_of_self(m, update);
            continue;
        }
        struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, update->agent);
        if (slot == NULL) {
            m->counters.strangers++;
        } else if (chirr_roster_is_news(slot, update)) {
            set_status(m, slot, *update, now);
            chirr_roster_tell(&m->roster, slot);
        } else if (slot->member.status == CHIRR_MEMBER_LEFT &&
                   update->status == CHIRR_MEMBER_SUSPECT) {
            chirr_roster_tell(&m->roster, slot); /* somebody came too late to hear that it left */
        }
    }
}

/* ---- Probes -------------------------------------------------------------------------------- */

/* The queue is reused only once all of it was handed out: outputs are borrowed until the next
 * input. */
static void send_probe(struct chirr_membership *m, chirr_agent_id to, enum chirr_message_kind kind,
                       uint32_t sequence, chirr_agent_id target)
{
    if (m->output_at == m->output_count) {
        m->output_at = 0;
        m->output_count = 0;
    }
    if (m->output_count == OUTPUTS_MAX) {
        m->counters.dropped++;
        return;
    }
    struct outgoing *outgoing = &m->outputs[m->output_count++];
    memset(outgoing, 0, sizeof *outgoing);
    outgoing->to = to;
    outgoing->message.kind = kind;
    outgoing->message.probe.sequence = sequence;
    outgoing->message.probe.target = target;
    fill_news(m, &outgoing->message.probe.news, to);
}

static void send_ping(struct chirr_membership *m, chirr_agent_id to)
{
    m->sequence++;
    send_probe(m, to, CHIRR_MESSAGE_PING, m->sequence, to);
}

static void probe_indirectly(struct chirr_membership *m)
{
    chirr_agent_id helpers[INDIRECT_MAX];
    uint32_t seen = 0;
    for (uint32_t i = 0; i < m->roster.count; i++) {
        const struct chirr_roster_slot *slot = &m->roster.slots[i];
        if (!chirr_roster_is_live(slot) || slot->member.agent == m->probe.target) {
            continue;
        }
        seen++;
        uint32_t at = seen <= m->config.indirect_count
                          ? seen - 1
                          : (uint32_t)chirr_random_below(&m->random, seen);
        if (at < m->config.indirect_count) {
            helpers[at] = slot->member.agent;
        }
    }
    uint32_t count = seen < m->config.indirect_count ? seen : m->config.indirect_count;
    for (uint32_t i = 0; i < count; i++) {
        send_probe(m, helpers[i], CHIRR_MESSAGE_PING_REQUEST, m->probe.sequence, m->probe.target);
    }
    m->probe.indirect = true;
    m->counters.indirect_probes += count;
}

static bool probe_is_open(const struct chirr_membership *m)
{
    return m->probe.target != 0 && !m->probe.answered;
}

static chirr_time_us probe_timeout_us(const struct chirr_membership *m)
{
    return m->probe.sent_us + chirr_time_from_ms(m->config.probe_timeout_ms);
}

static void end_period(struct chirr_membership *m, chirr_time_us now)
{
    struct chirr_roster_slot *accused =
        probe_is_open(m) ? chirr_roster_find(&m->roster, m->probe.target) : NULL;
    if (accused != NULL && accused->member.status == CHIRR_MEMBER_ALIVE) {
        m->counters.suspicions++;
        find_out(m, accused, CHIRR_MEMBER_SUSPECT, now);
    }
    m->probe = (struct probe){.target = 0};
    m->period_us = now + chirr_time_from_ms(m->config.probe_interval_ms);
    struct chirr_roster_slot *target = chirr_roster_next(&m->roster, &m->random);
    if (target != NULL) {
        m->counters.probes++;
        send_ping(m, target->member.agent);
        m->probe =
            (struct probe){.target = target->member.agent, .sequence = m->sequence, .sent_us = now};
    }
}

/* ---- Receiving ----------------------------------------------------------------------------- */

/* From the agent itself. A dead one is told so by a probe, not more often than live ones are. */
static void note_life(struct chirr_membership *m, struct chirr_roster_slot *slot, chirr_time_us now)
{
    slot->member.heard_us = now;
    if (m->probe.target == slot->member.agent) {
        m->probe.answered = true;
    }
    if (slot->member.status == CHIRR_MEMBER_DEAD &&
        now - slot->tried_us >= chirr_time_from_ms(m->config.probe_interval_ms)) {
        slot->probe_us = chirr_time_min(slot->probe_us, now);
    }
}

static enum chirr_err receive_ping(struct chirr_membership *m, chirr_agent_id from,
                                   const struct chirr_probe *ping)
{
    if (ping->target != m->config.self) {
        return CHIRR_ERR_INVALID;
    }
    send_probe(m, from, CHIRR_MESSAGE_ACK, ping->sequence, m->config.self);
    return CHIRR_OK;
}

static enum chirr_err receive_ping_request(struct chirr_membership *m, chirr_agent_id from,
                                           const struct chirr_probe *request, chirr_time_us now)
{
    if (request->target == m->config.self) {
        return receive_ping(m, from, request);
    }
    if (chirr_roster_find(&m->roster, request->target) == NULL) {
        m->counters.strangers++;
        return CHIRR_ERR_NOTFOUND;
    }
    send_ping(m, request->target);
    struct relay *relay = &m->relays[m->relay_at];
    m->relay_at = (m->relay_at + 1) % RELAYS_MAX;
    bool waiting = relay->sequence != 0 &&
                   now - relay->asked_us < chirr_time_from_ms(m->config.probe_interval_ms);
    m->counters.dropped += waiting;
    *relay = (struct relay){.sequence = m->sequence,
                            .origin_sequence = request->sequence,
                            .origin = from,
                            .target = request->target,
                            .asked_us = now};
    return CHIRR_OK;
}

static void receive_ack(struct chirr_membership *m, chirr_agent_id from,
                        const struct chirr_probe *ack, chirr_time_us now)
{
    if (ack->target != from) {
        struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, ack->target);
        if (slot != NULL && m->probe.target == ack->target && m->probe.sequence == ack->sequence) {
            m->probe.answered = true;
            slot->member.heard_us = now;
        }
        return;
    }
    for (uint32_t i = 0; i < RELAYS_MAX; i++) {
        struct relay *relay = &m->relays[i];
        if (relay->sequence != 0 && relay->sequence == ack->sequence && relay->target == from) {
            relay->sequence = 0;
            send_probe(m, relay->origin, CHIRR_MESSAGE_ACK, relay->origin_sequence, from);
        }
    }
}

static void receive_heartbeat(struct chirr_membership *m, struct chirr_roster_slot *slot,
                              const struct chirr_heartbeat *heartbeat, chirr_time_us now)
{
    if (heartbeat->incarnation > slot->member.incarnation) {
        set_status(m, slot,
                   (struct chirr_member_update){slot->member.agent, heartbeat->incarnation,
                                                CHIRR_MEMBER_ALIVE},
                   now);
        chirr_roster_tell(&m->roster, slot);
    }
}

/* A stranger's card has not come yet; unanswered, it would take this agent for dead. */
static enum chirr_err receive_from_stranger(struct chirr_membership *m, chirr_agent_id from,
                                            const struct chirr_message *message)
{
    m->counters.strangers++;
    if (message->kind == CHIRR_MESSAGE_PING && message->probe.target == m->config.self) {
        send_probe(m, from, CHIRR_MESSAGE_ACK, message->probe.sequence, m->config.self);
    }
    return CHIRR_ERR_NOTFOUND;
}

enum chirr_err chirr_membership_receive(struct chirr_membership *m, chirr_agent_id from,
                                        const struct chirr_message *message, chirr_time_us now)
{
    struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, from);
    if (slot == NULL) {
        return receive_from_stranger(m, from, message);
    }
    switch (message->kind) {
    case CHIRR_MESSAGE_PING:
        hear_news(m, &message->probe.news, now);
        note_life(m, slot, now);
        return receive_ping(m, from, &message->probe);
    case CHIRR_MESSAGE_PING_REQUEST:
        hear_news(m, &message->probe.news, now);
        note_life(m, slot, now);
        return receive_ping_request(m, from, &message->probe, now);
    case CHIRR_MESSAGE_ACK:
        hear_news(m, &message->probe.news, now);
        note_life(m, slot, now);
        receive_ack(m, from, &message->probe, now);
        return CHIRR_OK;
    case CHIRR_MESSAGE_GOSSIP:
        hear_news(m, &message->gossip, now);
        note_life(m, slot, now);
        return CHIRR_OK;
    case CHIRR_MESSAGE_HEARTBEAT:
        receive_heartbeat(m, slot, &message->heartbeat, now);
        note_life(m, slot, now);
        return CHIRR_OK;
    default:
        return CHIRR_ERR_INVALID;
    }
}

/* ---- Time ---------------------------------------------------------------------------------- */

/* When a suspicion becomes a death unless it is refuted. */
static chirr_time_us verdict_us(const struct chirr_membership *m,
                                const struct chirr_roster_slot *slot)
{
    chirr_time_us since =
        slot->judged_us > slot->member.heard_us ? slot->judged_us : slot->member.heard_us;
    return since + chirr_time_from_ms(m->config.suspect_timeout_ms);
}

/* When the slot itself needs a tick. */
static chirr_time_us slot_deadline(const struct chirr_membership *m,
                                   const struct chirr_roster_slot *slot)
{
    switch (slot->member.status) {
    case CHIRR_MEMBER_SUSPECT:
        return verdict_us(m, slot);
    case CHIRR_MEMBER_DEAD:
        return slot->probe_us;
    default:
        return CHIRR_TIME_NEVER;
    }
}

chirr_time_us chirr_membership_deadline(const struct chirr_membership *m)
{
    if (m->leaving) {
        return CHIRR_TIME_NEVER;
    }
    chirr_time_us at = m->period_us;
    if (probe_is_open(m) && !m->probe.indirect) {
        at = chirr_time_min(at, probe_timeout_us(m));
    }
    if (m->roster.status_count[CHIRR_MEMBER_SUSPECT] + m->roster.status_count[CHIRR_MEMBER_DEAD] ==
        0) {
        return at;
    }
    for (uint32_t i = 0; i < m->roster.count; i++) {
        at = chirr_time_min(at, slot_deadline(m, &m->roster.slots[i]));
    }
    return at;
}

/* This process stood still, so the silence may be its own: every clock begins anew. */
static void forgive(struct chirr_membership *m, chirr_time_us now)
{
    m->probe = (struct probe){.target = 0};
    for (uint32_t i = 0; i < m->roster.count; i++) {
        m->roster.slots[i].judged_us = now;
    }
}

static void tick_slot(struct chirr_membership *m, struct chirr_roster_slot *slot, chirr_time_us now)
{
    if (slot->member.status == CHIRR_MEMBER_SUSPECT) {
        m->counters.deaths++;
        find_out(m, slot, CHIRR_MEMBER_DEAD, now);
    } else {
        m->counters.dead_probes++;
        slot->tried_us = now;
        slot->probe_us = now + jittered(m, m->config.dead_probe_ms);
        send_ping(m, slot->member.agent);
    }
}

void chirr_membership_tick(struct chirr_membership *m, chirr_time_us now)
{
    chirr_time_us deadline = chirr_membership_deadline(m);
    if (now < deadline) {
        return;
    }
    if (now - deadline > chirr_time_from_ms(m->config.probe_interval_ms)) {
        forgive(m, now);
    }
    if (now >= m->period_us) {
        end_period(m, now);
    } else if (probe_is_open(m) && !m->probe.indirect && now >= probe_timeout_us(m)) {
        probe_indirectly(m);
    }
    for (uint32_t i = 0; i < m->roster.count; i++) {
        if (now >= slot_deadline(m, &m->roster.slots[i])) {
            tick_slot(m, &m->roster.slots[i], now);
        }
    }
}

void chirr_membership_leave(struct chirr_membership *m, chirr_time_us now)
{
    m->leaving = true;
    m->gossip_due = true;
}

/* ---- Output -------------------------------------------------------------------------------- */

bool chirr_membership_poll(struct chirr_membership *m, struct chirr_output *output)
{
    struct chirr_member_update update;
    if (chirr_roster_report(&m->roster, &update)) {
        *output = (struct chirr_output){.kind = CHIRR_OUTPUT_MEMBER, .member = update};
        return true;
    }
    if (m->gossip_due) {
        m->gossip_due = false;
        memset(&m->gossip, 0, sizeof m->gossip);
        m->gossip.kind = CHIRR_MESSAGE_GOSSIP;
        fill_news(m, &m->gossip.gossip, 0);
        *output = (struct chirr_output){
            .kind = CHIRR_OUTPUT_PUBLISH, .topic = CHIRR_TOPIC_EAGER, .message = &m->gossip};
        return true;
    }
    if (m->output_at == m->output_count) {
        return false;
    }
    const struct outgoing *outgoing = &m->outputs[m->output_at++];
    *output = (struct chirr_output){
        .kind = CHIRR_OUTPUT_SEND, .to = outgoing->to, .message = &outgoing->message};
    return true;
}

/* ---- Looking in ---------------------------------------------------------------------------- */

uint64_t chirr_membership_incarnation(const struct chirr_membership *m)
{
    return m->incarnation;
}

uint32_t chirr_membership_count(const struct chirr_membership *m)
{
    return m->roster.count;
}

const struct chirr_member *chirr_membership_at(const struct chirr_membership *m, uint32_t index)
{
    CHIRR_ASSERT(index < m->roster.count);
    return &m->roster.slots[index].member;
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
