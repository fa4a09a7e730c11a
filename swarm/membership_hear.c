/* What others say: news, probes and signs of life. */
#include "swarm/membership_state.h"

/* ---- News ---------------------------------------------------------------------------------- */

/* Further beyond than its agent can have got by refutations. */
static bool is_beyond(uint64_t incarnation, uint64_t proven)
{
    return incarnation > proven && incarnation - proven > CHIRR_INCARNATION_LEAD_MAX;
}

/* Rumours about oneself are answered with an incarnation above them (SWIM, section 4.2). One above
 * the own comes from an earlier life that had a greater one, of which far beyond only a signed
 * statement tells; one of this life says that others did not hear from this agent in time
 * (Lifeguard, section IV-A). */
static void hear_of_self(struct chirr_membership *m, const struct chirr_member_update *update,
                         chirr_time_us now)
{
    bool accused = update->incarnation == m->incarnation && update->status != CHIRR_MEMBER_ALIVE;
    if (m->leaving || (update->incarnation <= m->incarnation && !accused)) {
        return;
    }
    if (update->incarnation == UINT64_MAX || is_beyond(update->incarnation, m->incarnation)) {
        m->counters.unproven++;
        return;
    }
    if (accused) {
        chirr_awareness_lag(&m->awareness);
    }
    m->incarnation = update->incarnation + 1;
    m->counters.refutations++;
    struct chirr_member_update own = chirr_membership_own(m);
    chirr_membership_push(m, &own, 0, now);
}

/* Strangers do not count as accusers: whoever makes accusers up can at least be named. */
static bool may_accuse(const struct chirr_membership *m, const struct chirr_member_update *update)
{
    if (update->accuser == update->agent) {
        return false;
    }
    const struct chirr_roster_slot *accuser = chirr_roster_find(&m->roster, update->accuser);
    return update->accuser == m->config.self || (accuser != NULL && chirr_roster_is_live(accuser));
}

/* Whoever says it believes something worse than what is known to have come after it. */
static bool is_late(const struct chirr_roster_slot *slot, const struct chirr_member_update *update)
{
    bool left = slot->member.status == CHIRR_MEMBER_LEFT && update->status == CHIRR_MEMBER_SUSPECT;
    return left ||
           (update->incarnation < slot->member.incarnation && update->status != CHIRR_MEMBER_ALIVE);
}

/* Somebody else says that a live member is DEAD or has LEFT: passed on at once, so that it hears of
 * it too, but believed only when it had the time to refute. */
static bool is_verdict(const struct chirr_membership *m, const struct chirr_roster_slot *slot,
                       const struct chirr_member_update *update, chirr_agent_id from)
{
    bool final = update->status == CHIRR_MEMBER_DEAD || update->status == CHIRR_MEMBER_LEFT;
    return m->config.lifeguard && final && from != update->agent && chirr_roster_is_live(slot);
}

static void hear_verdict(struct chirr_membership *m, struct chirr_roster_slot *slot,
                         const struct chirr_member_update *update, chirr_agent_id from,
                         chirr_time_us now)
{
    const struct chirr_member_update suspect = {.agent = update->agent,
                                                .incarnation = update->incarnation,
                                                .status = CHIRR_MEMBER_SUSPECT,
                                                .accuser = from};
    m->counters.verdicts++;
    if (chirr_roster_is_news(slot, &suspect)) {
        chirr_membership_learn(m, slot, &suspect, now);
    }
    if (update->status > slot->verdict) {
        slot->verdict = update->status;
        chirr_roster_tell(&m->roster, slot);
        chirr_membership_push(m, update, from, now);
    }
    chirr_membership_judge(m, slot);
}

/* What an agent says of itself is as good as signed: the transport knows who it is. */
static bool is_believable(struct chirr_roster_slot *slot, const struct chirr_member_update *update,
                          chirr_agent_id from)
{
    if (from == update->agent && update->incarnation > slot->proven) {
        slot->proven = update->incarnation;
    }
    return !is_beyond(update->incarnation, slot->proven);
}

/* The one who said so is corrected by the answer, if it gets one; and it may have said so to others
 * as well. */
static void hear_late(struct chirr_membership *m, const struct chirr_roster_slot *slot)
{
    uint32_t count = m->corrections.count;
    bool again = count > 0 && m->corrections.agents[count - 1] == slot->member.agent;
    if (!again && count < CHIRR_MEMBER_UPDATES_MAX) {
        m->corrections.agents[m->corrections.count++] = slot->member.agent;
    }
    if (!chirr_roster_is_told(&m->roster, slot)) {
        chirr_roster_tell(&m->roster, slot);
    }
}

static void hear_one(struct chirr_membership *m, const struct chirr_member_update *update,
                     chirr_agent_id from, chirr_time_us now)
{
    struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, update->agent);
    if (slot == NULL) {
        m->counters.strangers++;
    } else if (!is_believable(slot, update, from)) {
        m->counters.unproven++;
    } else if (chirr_roster_is_news(slot, update) && is_verdict(m, slot, update, from)) {
        hear_verdict(m, slot, update, from, now);
    } else if (chirr_roster_is_news(slot, update)) {
        chirr_membership_spread(m, slot, update, from, now);
    } else if (update->status == CHIRR_MEMBER_SUSPECT &&
               slot->member.status == CHIRR_MEMBER_SUSPECT &&
               slot->member.incarnation == update->incarnation) {
        if (may_accuse(m, update)) {
            chirr_membership_confirm(m, slot, update->accuser, from, now);
        } else {
            m->counters.accusers++;
        }
    } else if (is_late(slot, update)) {
        hear_late(m, slot);
    }
}

static void hear_news(struct chirr_membership *m, chirr_agent_id from,
                      const struct chirr_member_updates *news, chirr_time_us now)
{
    for (uint32_t i = 0; i < news->count; i++) {
        if (news->updates[i].agent == m->config.self) {
            hear_of_self(m, &news->updates[i], now);
        } else {
            hear_one(m, &news->updates[i], from, now);
        }
    }
}

/* From the agent itself. One that is held dead is told so by a probe, at most once an interval. */
static void note_life(struct chirr_membership *m, struct chirr_roster_slot *slot, chirr_time_us now)
{
    slot->member.heard_us = now;
    if (m->probe.target == slot->member.agent) {
        chirr_membership_answer(m);
    }
    if (slot->member.status == CHIRR_MEMBER_SUSPECT) {
        chirr_membership_judge(m, slot);
    }
    if (slot->member.status == CHIRR_MEMBER_DEAD && !m->leaving &&
        now - slot->tried_us >= chirr_time_from_ms(m->config.probe_interval_ms)) {
        slot->tried_us = now;
        m->counters.dead_probes++;
        chirr_membership_ping(m, slot->member.agent);
    }
}

/* ---- Probes -------------------------------------------------------------------------------- */

static void acknowledge(struct chirr_membership *m, chirr_agent_id to, uint32_t sequence,
                        chirr_agent_id target)
{
    const struct membership_send ack = {
        .to = to, .kind = CHIRR_MESSAGE_ACK, .sequence = sequence, .target = target};
    chirr_membership_send(m, &ack);
}

static enum chirr_err receive_ping(struct chirr_membership *m, chirr_agent_id from,
                                   const struct chirr_probe *ping)
{
    if (ping->target != m->config.self) {
        m->counters.misdirected++;
        return CHIRR_ERR_INVALID;
    }
    acknowledge(m, from, ping->sequence, m->config.self);
    return CHIRR_OK;
}

/* How long the helper waits before it says NACK: 80% of the timeout (Lifeguard, section IV-A). */
static chirr_time_us nack_delay_us(const struct chirr_membership *m)
{
    return chirr_time_from_ms(m->config.probe_timeout_ms) * 8 / 10;
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
    chirr_membership_ping(m, request->target);
    const struct chirr_relay relay = {
        .sequence = m->sequence,
        .origin_sequence = request->sequence,
        .origin = from,
        .target = request->target,
        .nack_us = m->config.lifeguard ? now + nack_delay_us(m) : CHIRR_TIME_NEVER,
        .expiry_us = now + chirr_time_from_ms(m->config.probe_interval_ms),
    };
    m->counters.dropped += !chirr_relays_open(&m->relays, &relay, now);
    return CHIRR_OK;
}

static bool answers_probe(const struct chirr_membership *m, const struct chirr_probe *answer)
{
    return m->probe.target == answer->target && m->probe.sequence == answer->sequence;
}

/* Its own answer is known as a sign of life already; what is left is who else waits for it. */
static void receive_ack(struct chirr_membership *m, chirr_agent_id from,
                        const struct chirr_probe *ack, chirr_time_us now)
{
    struct chirr_relay relay;
    if (ack->target == from) {
        if (chirr_relays_close(&m->relays, from, ack->sequence, &relay)) {
            acknowledge(m, relay.origin, relay.origin_sequence, from);
        }
        return;
    }
    struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, ack->target);
    if (slot != NULL && answers_probe(m, ack)) {
        slot->member.heard_us = now;
        chirr_membership_answer(m);
    } else {
        m->counters.unasked++;
    }
}

static void receive_nack(struct chirr_membership *m, chirr_agent_id from,
                         const struct chirr_probe *nack)
{
    bool asked = false;
    for (uint32_t i = 0; i < m->probe.helper_count && answers_probe(m, nack); i++) {
        m->probe.nacked[i] = m->probe.nacked[i] || m->probe.helpers[i] == from;
        asked = asked || m->probe.helpers[i] == from;
    }
    m->counters.unasked += !asked;
}

/* ---- Messages ------------------------------------------------------------------------------ */

/* A stranger's card has not come yet; unanswered, it would take this agent for dead. */
static enum chirr_err receive_from_stranger(struct chirr_membership *m, chirr_agent_id from,
                                            const struct chirr_message *message)
{
    m->counters.strangers++;
    if (message->kind == CHIRR_MESSAGE_PING && message->probe.target == m->config.self) {
        acknowledge(m, from, message->probe.sequence, m->config.self);
    }
    return CHIRR_ERR_NOTFOUND;
}

static enum chirr_err receive_probe(struct chirr_membership *m, chirr_agent_id from,
                                    const struct chirr_message *message, chirr_time_us now)
{
    switch (message->kind) {
    case CHIRR_MESSAGE_PING:
        return receive_ping(m, from, &message->probe);
    case CHIRR_MESSAGE_PING_REQUEST:
        return receive_ping_request(m, from, &message->probe, now);
    case CHIRR_MESSAGE_ACK:
        receive_ack(m, from, &message->probe, now);
        return CHIRR_OK;
    default:
        receive_nack(m, from, &message->probe);
        return CHIRR_OK;
    }
}

enum chirr_err chirr_membership_receive(struct chirr_membership *m, chirr_agent_id from,
                                        const struct chirr_message *message, chirr_time_us now)
{
    struct chirr_roster_slot *slot = chirr_roster_find(&m->roster, from);
    m->corrections.count = 0;
    if (slot == NULL) {
        return receive_from_stranger(m, from, message);
    }
    struct chirr_member_update alive = {.agent = from, .status = CHIRR_MEMBER_ALIVE};
    switch (message->kind) {
    case CHIRR_MESSAGE_PING:
    case CHIRR_MESSAGE_PING_REQUEST:
    case CHIRR_MESSAGE_ACK:
    case CHIRR_MESSAGE_NACK:
        hear_news(m, from, &message->probe.news, now);
        note_life(m, slot, now);
        return receive_probe(m, from, message, now);
    case CHIRR_MESSAGE_GOSSIP:
        hear_news(m, from, &message->gossip, now);
        note_life(m, slot, now);
        return CHIRR_OK;
    case CHIRR_MESSAGE_HEARTBEAT:
        alive.incarnation = message->heartbeat.incarnation;
        hear_one(m, &alive, from, now);
        note_life(m, slot, now);
        return CHIRR_OK;
    default:
        return CHIRR_ERR_INVALID;
    }
}
