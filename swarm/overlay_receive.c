/* What each message does. Quotations are from HyParView (DSN 2007). */
#include "swarm/overlay_state.h"

#define REFUSED_MS 2000 /* who was full is not asked again sooner */
#define PARTED_MS 1000  /* who parted likewise */
#define NEXT_CARDS 2    /* of those next to somebody on the circle of ids */
#define OTHER_CARDS 6   /* for a refused one to try, in all */

/* ---- Answers ------------------------------------------------------------------------------- */

static void put_card(struct outgoing *outgoing, chirr_agent_id agent, const struct chirr_overlay *o)
{
    bool is_put = agent == 0 || agent == o->config.self || agent == outgoing->to ||
                  outgoing->count == CHIRR_VIEW_CARDS_MAX;
    for (uint32_t i = 0; i < outgoing->count; i++) {
        is_put = is_put || outgoing->cards[i] == agent;
    }
    if (!is_put) {
        outgoing->cards[outgoing->count++] = agent;
    }
}

/* Those next to the receiver, as Chord's "stabilize" tells them, then any. */
static void put_others(struct chirr_overlay *o, struct outgoing *outgoing, uint32_t count)
{
    chirr_agent_id sample[OTHER_CARDS];
    struct ring ring = overlay_ring(o, outgoing->to, 0);
    put_card(outgoing, ring.before, o);
    put_card(outgoing, ring.after, o);
    uint32_t taken = chirr_view_sample(&o->passive, &o->random, outgoing->to, sample, OTHER_CARDS);
    for (uint32_t i = 0; i < taken && outgoing->count < count; i++) {
        put_card(outgoing, sample[i], o);
    }
    taken = chirr_view_sample(&o->active, &o->random, outgoing->to, sample, OTHER_CARDS);
    for (uint32_t i = 0; i < taken && outgoing->count < count; i++) {
        put_card(outgoing, sample[i], o);
    }
}

static void accept(struct chirr_overlay *o, chirr_agent_id to, chirr_time_us now)
{
    struct outgoing outgoing = {.to = to, .origin = o->config.self, .verb = CHIRR_VIEW_ACCEPT};
    if (o->config.local) {
        put_others(o, &outgoing, NEXT_CARDS);
    }
    overlay_send(o, &outgoing, now);
}

static void refuse(struct chirr_overlay *o, chirr_agent_id to, bool is_new, chirr_time_us now)
{
    struct outgoing outgoing = {.to = to, .origin = o->config.self, .verb = CHIRR_VIEW_REFUSE};
    if (o->config.local || is_new) {
        put_others(o, &outgoing, OTHER_CARDS);
    }
    overlay_send(o, &outgoing, now);
}

/* The cards of a message, as far as the records hold them, go into the passive view. */
static void learn_cards(struct chirr_overlay *o, const struct chirr_view_message *view)
{
    for (uint32_t i = 0; i < view->count; i++) {
        chirr_agent_id agent = view->cards[i].author;
        if (agent != o->config.self && overlay_learn(o, agent) != NULL) {
            overlay_add_passive(o, agent);
        }
    }
}

static void is_held_by(struct chirr_overlay *o, struct neighbour *neighbour, chirr_time_us now)
{
    uint32_t longest_ms = o->config.shuffle_interval_ms;
    neighbour->unanswered = 0;
    neighbour->pause_ms =
        neighbour->pause_ms < longest_ms / 2 ? neighbour->pause_ms * 2 : longest_ms;
    neighbour->ask_us = now + overlay_jittered(o, neighbour->pause_ms);
}

/* A walk of one's own ends, as does one of the dead, and of those forgotten. */
static bool may_walk(struct chirr_overlay *o, chirr_agent_id origin)
{
    const struct chirr_peer *peer = overlay_learn(o, origin);
    bool may = origin != o->config.self && peer != NULL && chirr_peer_is_live(peer);
    o->counters.walks_ended += !may;
    return may;
}

/* ---- Joining (section 4.2) ----------------------------------------------------------------- */

/* "c will then send to all other nodes in its active view a ForwardJoin request"; in a mesh each
 * of them takes the newcomer itself. */
static void forward_to_all(struct chirr_overlay *o, chirr_agent_id newcomer, chirr_time_us now)
{
    if (!overlay_take_token(&o->force, now)) {
        o->counters.held_off++;
        return;
    }
    for (uint32_t i = 0; i < o->active.count; i++) {
        const struct outgoing outgoing = {.to = o->active.agents[i],
                                          .origin = newcomer,
                                          .verb = CHIRR_VIEW_FORWARD_JOIN,
                                          .hops = o->is_mesh ? 0 : OVERLAY_WALK_HOPS,
                                          .count = 1,
                                          .cards = {newcomer}};
        if (outgoing.to != newcomer) {
            overlay_send(o, &outgoing, now);
        }
    }
}

static void on_join(struct chirr_overlay *o, chirr_agent_id from, chirr_time_us now)
{
    bool is_known = overlay_neighbour(o, from) != NULL;
    if (!is_known && !overlay_take_in(o, from, true, now)) {
        refuse(o, from, true, now);
        return;
    }
    accept(o, from, now);
    if (!is_known && o->config.local) {
        forward_to_all(o, from, now); /* else the newcomer soon knows everybody to ask */
    }
}

/* The end of a walk: the newcomer is asked, who has room while it is new. */
static void adopt(struct chirr_overlay *o, chirr_agent_id newcomer, chirr_time_us now)
{
    if (o->is_mesh) {
        return; /* which takes everybody in as soon as it is quiet */
    }
    bool has_room = o->active.count < o->config.active_max;
    if (!has_room && !overlay_take_token(&o->force, now)) {
        o->counters.held_off++;
        return;
    }
    overlay_request(
        o, (struct request){.agent = newcomer, .verb = CHIRR_VIEW_NEIGHBOUR, .forced = !has_room},
        now);
    overlay_wake(o, now);
}

static void on_forward_join(struct chirr_overlay *o, chirr_agent_id from,
                            const struct chirr_view_message *view, chirr_time_us now)
{
    chirr_agent_id newcomer = view->origin;
    if (!may_walk(o, newcomer)) {
        return;
    }
    uint32_t hops = view->hops < OVERLAY_WALK_HOPS ? view->hops : OVERLAY_WALK_HOPS;
    if (hops == OVERLAY_WALK_PASSIVE_HOPS) {
        overlay_add_passive(o, newcomer);
    }
    chirr_agent_id next = chirr_view_pick(&o->active, &o->random, from);
    if (hops == 0 || next == 0 || next == newcomer) {
        adopt(o, newcomer, now);
        return;
    }
    const struct outgoing outgoing = {.to = next,
                                      .origin = newcomer,
                                      .verb = CHIRR_VIEW_FORWARD_JOIN,
                                      .hops = hops - 1,
                                      .count = 1,
                                      .cards = {newcomer}};
    overlay_send(o, &outgoing, now);
}

/* ---- Neighbours (section 4.3) -------------------------------------------------------------- */

static void on_neighbour(struct chirr_overlay *o, chirr_agent_id from, bool urgent,
                         chirr_time_us now)
{
    struct neighbour *neighbour = overlay_neighbour(o, from);
    if (neighbour != NULL) {
        is_held_by(o, neighbour, now);
        accept(o, from, now);
    } else if (overlay_take_in(o, from, urgent, now)) {
        accept(o, from, now);
    } else {
        refuse(o, from, urgent, now);
    }
}

/* One that nobody waits for any more is as good as a request of its sender. */
static void on_accept(struct chirr_overlay *o, chirr_agent_id from,
                      const struct chirr_view_message *view, chirr_time_us now)
{
    struct request *request = overlay_find_request(o, from);
    bool forced = request != NULL && request->forced;
    if (request != NULL) {
        overlay_drop_request(o, request);
        o->fill_failures = 0;
        o->contact_failures = 0;
    }
    struct neighbour *neighbour = overlay_neighbour(o, from);
    if (neighbour == NULL && overlay_take_in(o, from, forced, now)) {
        neighbour = overlay_neighbour(o, from);
    }
    if (neighbour == NULL) {
        overlay_part(o, from, now);
    } else {
        is_held_by(o, neighbour, now);
    }
    learn_cards(o, view);
    overlay_wake(o, now); /* perhaps another is to be asked */
}

static void on_refuse(struct chirr_overlay *o, chirr_agent_id from,
                      const struct chirr_view_message *view, chirr_time_us now)
{
    struct request *request = overlay_find_request(o, from);
    if (request != NULL) {
        o->fill_failures += request->verb != CHIRR_VIEW_DISCONNECT;
        overlay_drop_request(o, request);
    }
    overlay_hold_off(o, from, REFUSED_MS, now);
    overlay_remove_neighbour(o, from, now);
    learn_cards(o, view);
    overlay_wake(o, now);
}

/* Answered with REFUSE, whether it was a neighbour or not: it is none. */
static void on_disconnect(struct chirr_overlay *o, chirr_agent_id from, chirr_time_us now)
{
    overlay_say(o, from, CHIRR_VIEW_REFUSE, now);
    if (overlay_neighbour(o, from) != NULL) {
        overlay_hold_off(o, from, PARTED_MS, now);
        overlay_remove_neighbour(o, from, now);
        overlay_add_passive(o, from);
    }
}

/* ---- Shuffles (section 4.4) ---------------------------------------------------------------- */

static void answer_shuffle(struct chirr_overlay *o, chirr_agent_id origin, uint32_t count,
                           chirr_time_us now)
{
    struct outgoing outgoing = {
        .to = origin, .origin = o->config.self, .verb = CHIRR_VIEW_SHUFFLE_REPLY};
    outgoing.count = chirr_view_sample(&o->passive, &o->random, origin, outgoing.cards, count);
    overlay_send(o, &outgoing, now);
}

static void pass_on_shuffle(struct chirr_overlay *o, chirr_agent_id to,
                            const struct chirr_view_message *view, chirr_time_us now)
{
    uint32_t hops = view->hops < OVERLAY_WALK_HOPS ? view->hops : OVERLAY_WALK_HOPS;
    struct outgoing outgoing = {
        .to = to, .origin = view->origin, .verb = CHIRR_VIEW_SHUFFLE, .hops = hops - 1};
    for (uint32_t i = 0; i < view->count; i++) {
        outgoing.cards[outgoing.count++] = view->cards[i].author;
    }
    overlay_send(o, &outgoing, now);
}

static void on_shuffle(struct chirr_overlay *o, chirr_agent_id from,
                       const struct chirr_view_message *view, chirr_time_us now)
{
    if (!may_walk(o, view->origin)) {
        return;
    }
    chirr_agent_id next = chirr_view_pick(&o->active, &o->random, from);
    if (view->hops > 0 && next != 0 && next != view->origin) {
        pass_on_shuffle(o, next, view, now);
        return;
    }
    answer_shuffle(o, view->origin, view->count, now);
    learn_cards(o, view);
}

static enum chirr_err on_shuffle_reply(struct chirr_overlay *o,
                                       const struct chirr_view_message *view, chirr_time_us now)
{
    if (now >= o->shuffle_answer_us) {
        o->counters.strangers++;
        return CHIRR_ERR_STALE;
    }
    o->shuffle_answer_us = 0;
    learn_cards(o, view);
    return CHIRR_OK;
}

/* ---- Dispatch ------------------------------------------------------------------------------ */

/* Only walks come from others than who began them. */
static bool is_consistent(const struct chirr_view_message *view, chirr_agent_id from)
{
    bool walks = view->verb == CHIRR_VIEW_FORWARD_JOIN || view->verb == CHIRR_VIEW_SHUFFLE;
    bool led = walks || view->verb == CHIRR_VIEW_JOIN;
    return view->count <= CHIRR_VIEW_CARDS_MAX && (walks || view->origin == from) &&
           (!led || (view->count > 0 && view->cards[0].author == view->origin));
}

/* Who may speak at all. With a local view nobody else tells that an agent has come alive. */
static enum chirr_err admit(struct chirr_overlay *o, chirr_agent_id from, bool answers,
                            chirr_time_us now)
{
    struct chirr_peer *peer = overlay_learn(o, from);
    if (peer == NULL) {
        return CHIRR_ERR_NOTFOUND;
    }
    if (peer->removed) {
        return CHIRR_ERR_UNTRUSTED;
    }
    if (chirr_peer_is_live(peer)) {
        return CHIRR_OK;
    }
    if (!o->config.local && !answers) {
        return CHIRR_ERR_STATE;
    }
    chirr_peers_set(&o->peers, peer, CHIRR_MEMBER_ALIVE, false);
    overlay_peers_changed(o, now);
    return CHIRR_OK;
}

static enum chirr_err dispatch(struct chirr_overlay *o, chirr_agent_id from,
                               const struct chirr_view_message *view, chirr_time_us now)
{
    switch (view->verb) {
    case CHIRR_VIEW_JOIN:
        on_join(o, from, now);
        return CHIRR_OK;
    case CHIRR_VIEW_FORWARD_JOIN:
        on_forward_join(o, from, view, now);
        return CHIRR_OK;
    case CHIRR_VIEW_NEIGHBOUR:
        on_neighbour(o, from, view->urgent, now);
        return CHIRR_OK;
    case CHIRR_VIEW_ACCEPT:
        on_accept(o, from, view, now);
        return CHIRR_OK;
    case CHIRR_VIEW_REFUSE:
        on_refuse(o, from, view, now);
        return CHIRR_OK;
    case CHIRR_VIEW_DISCONNECT:
        on_disconnect(o, from, now);
        return CHIRR_OK;
    case CHIRR_VIEW_SHUFFLE:
        on_shuffle(o, from, view, now);
        return CHIRR_OK;
    case CHIRR_VIEW_SHUFFLE_REPLY:
        return on_shuffle_reply(o, view, now);
    }
    o->counters.inconsistent++;
    return CHIRR_ERR_INVALID;
}

enum chirr_err chirr_overlay_receive(struct chirr_overlay *o, chirr_agent_id from,
                                     const struct chirr_message *message, chirr_time_us now)
{
    if (message->kind != CHIRR_MESSAGE_VIEW || from == o->config.self ||
        !is_consistent(&message->view, from)) {
        o->counters.inconsistent++;
        return CHIRR_ERR_INVALID;
    }
    if (o->leaving) {
        o->counters.deaf++;
        return CHIRR_OK;
    }
    enum chirr_view_verb verb = message->view.verb;
    bool answers = (verb == CHIRR_VIEW_ACCEPT || verb == CHIRR_VIEW_REFUSE) &&
                   overlay_find_request(o, from) != NULL;
    enum chirr_err err = admit(o, from, answers, now);
    if (err != CHIRR_OK) {
        o->counters.strangers++;
        return err;
    }
    chirr_links_use(&o->links, from, now);
    return dispatch(o, from, &message->view, now);
}
