/* What goes out: connections first, then messages, and what is closed last. */
#include "swarm/overlay_state.h"

#include <string.h>

#include "base/digest.h"

const struct chirr_card *overlay_card_of(const struct chirr_overlay *o, chirr_agent_id agent)
{
    const struct chirr_record *record = chirr_records_card(o->records, agent);
    if (record != NULL) {
        return &record->card;
    }
    for (uint32_t i = 0; i < OVERLAY_SEEDS_MAX; i++) {
        if (o->seeds[i].agent == agent) {
            return &o->seeds[i].card;
        }
    }
    return NULL;
}

uint64_t overlay_endpoints(const struct chirr_card *card)
{
    char both[2 * CHIRR_ENDPOINT_BYTES_MAX] = {0};
    strcpy(both, card->publish_endpoint);
    strcpy(both + CHIRR_ENDPOINT_BYTES_MAX, card->unicast_endpoint);
    return chirr_digest(both, sizeof both);
}

bool overlay_want_link(struct chirr_overlay *o, chirr_agent_id agent, enum chirr_link kind,
                       chirr_time_us now)
{
    const struct chirr_link_slot *slot = chirr_links_find(&o->links, agent);
    uint64_t endpoints = slot == NULL ? 0 : slot->endpoints;
    if (slot == NULL) {
        const struct chirr_card *card = overlay_card_of(o, agent);
        if (card == NULL) {
            return false;
        }
        endpoints = overlay_endpoints(card);
    }
    overlay_wake(o, now + chirr_time_from_ms(o->config.link_idle_ms));
    enum chirr_err err = chirr_links_want(&o->links, agent, kind, endpoints, now);
    o->counters.links_evicted = o->links.evictions;
    return err == CHIRR_OK;
}

static void count_sent(struct chirr_overlay_counters *counters, enum chirr_view_verb verb)
{
    switch (verb) {
    case CHIRR_VIEW_JOIN:
        counters->joins++;
        break;
    case CHIRR_VIEW_FORWARD_JOIN:
        counters->forwards++;
        break;
    case CHIRR_VIEW_NEIGHBOUR:
        counters->requests++;
        break;
    case CHIRR_VIEW_REFUSE:
        counters->refusals++;
        break;
    case CHIRR_VIEW_DISCONNECT:
        counters->disconnects++;
        break;
    case CHIRR_VIEW_SHUFFLE:
        counters->shuffles++;
        break;
    case CHIRR_VIEW_ACCEPT:
    case CHIRR_VIEW_SHUFFLE_REPLY:
        break;
    }
}

void overlay_send(struct chirr_overlay *o, const struct outgoing *outgoing, chirr_time_us now)
{
    if (o->output_count == OVERLAY_OUTPUTS_MAX ||
        !overlay_want_link(o, outgoing->to, CHIRR_LINK_UNICAST, now)) {
        o->counters.dropped++;
        return;
    }
    o->outputs[(o->output_at + o->output_count++) % OVERLAY_OUTPUTS_MAX] = *outgoing;
    count_sent(&o->counters, outgoing->verb);
}

void overlay_say(struct chirr_overlay *o, chirr_agent_id to, enum chirr_view_verb verb,
                 chirr_time_us now)
{
    const struct outgoing outgoing = {.to = to, .origin = o->config.self, .verb = verb};
    overlay_send(o, &outgoing, now);
}

/* Verbs whose first card is the origin's. */
static bool is_led_by_origin(enum chirr_view_verb verb)
{
    return verb == CHIRR_VIEW_JOIN || verb == CHIRR_VIEW_FORWARD_JOIN || verb == CHIRR_VIEW_SHUFFLE;
}

/* False: the card that it cannot do without is not held. */
static bool write_message(struct chirr_overlay *o, const struct outgoing *outgoing)
{
    struct chirr_view_message view = {.verb = outgoing->verb,
                                      .origin = outgoing->origin,
                                      .hops = outgoing->hops,
                                      .urgent = outgoing->urgent,
                                      .cards = o->cards};
    for (uint32_t i = 0; i < outgoing->count; i++) {
        const struct chirr_record *card = chirr_records_card(o->records, outgoing->cards[i]);
        if (card != NULL) {
            chirr_record_copy(&o->cards[view.count++], card);
        }
    }
    memset(&o->message, 0, sizeof o->message);
    o->message.kind = CHIRR_MESSAGE_VIEW;
    o->message.view = view;
    return !is_led_by_origin(view.verb) || (view.count > 0 && o->cards[0].author == view.origin);
}

bool chirr_overlay_poll_links(struct chirr_overlay *o, struct chirr_output *output)
{
    chirr_agent_id agent;
    enum chirr_link kind;
    if (chirr_links_close_moved(&o->links, &agent)) {
        *output = (struct chirr_output){.kind = CHIRR_OUTPUT_DISCONNECT, .to = agent};
        return true;
    }
    while (chirr_links_open(&o->links, &agent, &kind)) {
        const struct chirr_card *card = overlay_card_of(o, agent);
        if (card != NULL) {
            *output = (struct chirr_output){
                .kind = CHIRR_OUTPUT_CONNECT, .to = agent, .link = kind, .card = card};
            return true;
        }
        o->counters.dropped++;
    }
    return false;
}

static bool poll_messages(struct chirr_overlay *o, struct chirr_output *output)
{
    while (o->output_count > 0) {
        const struct outgoing *outgoing = &o->outputs[o->output_at];
        o->output_at = (o->output_at + 1) % OVERLAY_OUTPUTS_MAX;
        o->output_count--;
        if (write_message(o, outgoing)) {
            *output = (struct chirr_output){
                .kind = CHIRR_OUTPUT_SEND, .to = outgoing->to, .message = &o->message};
            return true;
        }
        o->counters.dropped++;
    }
    return false;
}

bool chirr_overlay_poll(struct chirr_overlay *o, struct chirr_output *output)
{
    if (chirr_overlay_poll_links(o, output) || poll_messages(o, output)) {
        return true;
    }
    chirr_agent_id agent;
    if (chirr_links_close(&o->links, &agent)) {
        *output = (struct chirr_output){.kind = CHIRR_OUTPUT_DISCONNECT, .to = agent};
        return true;
    }
    return false;
}
