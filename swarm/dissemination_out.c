/* What goes out: own statements, what others said, what was asked for, announcements, answers and
 * digests, in this order. */
#include <string.h>

#include "proto/codec.h"
#include "swarm/dissemination_state.h"

static void make_records(struct chirr_dissemination *d, uint32_t count)
{
    d->message = (struct chirr_message){.kind = CHIRR_MESSAGE_RECORDS,
                                        .records = {.count = count, .records = d->push}};
}

static void publish_records(struct chirr_dissemination *d, uint32_t count, chirr_agent_id except,
                            struct chirr_output *output)
{
    make_records(d, count);
    chirr_budget_spend(&d->push_budget, chirr_codec_message_bytes(&d->message));
    *output = (struct chirr_output){.kind = CHIRR_OUTPUT_PUBLISH,
                                    .topic = CHIRR_TOPIC_EAGER,
                                    .except = except,
                                    .message = &d->message};
}

static void send_repair(struct chirr_dissemination *d, chirr_agent_id to, chirr_agent_id payer,
                        struct chirr_output *output)
{
    chirr_shares_spend(&d->repair_shares, payer, chirr_codec_message_bytes(&d->message));
    *output = (struct chirr_output){.kind = CHIRR_OUTPUT_SEND, .to = to, .message = &d->message};
}

static void announce_pushed(struct chirr_dissemination *d, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct chirr_digest_entry statement = {d->push[i].author, d->push[i].stamp};
        chirr_tree_announce(d->tree, &statement, d->now);
    }
}

static bool poll_own(struct chirr_dissemination *d, struct chirr_output *output)
{
    if (!d->push_due || !chirr_budget_allows(&d->push_budget, d->now)) {
        return false;
    }
    d->push_due = false;
    uint32_t count =
        chirr_records_since(d->store, d->config.self, d->pushed, d->push, CHIRR_PUSH_RECORDS_MAX);
    d->pushed = count == CHIRR_PUSH_RECORDS_MAX ? d->push[count - 1].stamp : d->own;
    if (count == 0) {
        return false;
    }
    d->counters.pushed_records += count;
    announce_pushed(d, count);
    publish_records(d, count, 0, output);
    return true;
}

/* What its author said instead; who asks for an overtaken statement would ask for ever. */
static const struct chirr_record *find_or_newer(struct chirr_dissemination *d,
                                                const struct chirr_digest_entry *statement,
                                                struct chirr_record *newer)
{
    const struct chirr_record *record = chirr_records_find(d->store, statement);
    if (record != NULL) {
        return record;
    }
    bool found = chirr_records_since(d->store, statement->author, statement->stamp, newer, 1) == 1;
    return found ? newer : NULL;
}

static chirr_agent_id agent_at(const struct chirr_ring *handouts, size_t index)
{
    return ((const struct chirr_handout *)chirr_ring_at(handouts, index))->agent;
}

/* The handouts of one agent, into d->push; the others keep their order. */
static uint32_t take_handouts(struct chirr_dissemination *d, struct chirr_ring *handouts,
                              chirr_agent_id agent)
{
    uint32_t count = 0;
    struct chirr_handout handout;
    for (size_t i = handouts->count; i > 0 && chirr_ring_pop(handouts, &handout); i--) {
        struct chirr_record newer;
        if (handout.agent != agent || count == CHIRR_PUSH_RECORDS_MAX) {
            bool is_back = chirr_ring_push(handouts, &handout);
            CHIRR_ASSERT(is_back); /* its place was free a moment ago */
            continue;
        }
        const struct chirr_record *record = find_or_newer(d, &handout.statement, &newer);
        d->counters.gone += record == NULL;
        if (record != NULL) {
            chirr_record_copy(&d->push[count++], record);
        }
    }
    return count;
}

static bool poll_relays(struct chirr_dissemination *d, struct chirr_output *output)
{
    while (d->relays_due && d->relays.count > 0 && chirr_budget_allows(&d->push_budget, d->now)) {
        chirr_agent_id from = agent_at(&d->relays, 0);
        uint32_t count = take_handouts(d, &d->relays, from);
        if (count > 0) {
            d->counters.relayed_records += count;
            publish_records(d, count, from, output);
            return true;
        }
    }
    d->relays_due = d->relays_due && d->relays.count > 0;
    return false;
}

/* Who has waited longest of those who may have what they asked for; 0: nobody. */
static chirr_agent_id choose_asker(struct chirr_dissemination *d)
{
    chirr_agent_id refused = 0;
    for (size_t i = 0; i < d->wanted.count; i++) {
        chirr_agent_id asker = agent_at(&d->wanted, i);
        if (asker != refused && chirr_shares_allow(&d->repair_shares, asker, d->now)) {
            return asker;
        }
        refused = asker;
    }
    return 0;
}

static bool poll_wanted(struct chirr_dissemination *d, struct chirr_output *output)
{
    for (chirr_agent_id to = choose_asker(d); to != 0; to = choose_asker(d)) {
        uint32_t count = take_handouts(d, &d->wanted, to);
        if (count > 0) {
            d->counters.grafted_records += count;
            make_records(d, count);
            send_repair(d, to, to, output);
            return true;
        }
    }
    return false;
}

static bool poll_answer(struct chirr_dissemination *d, struct chirr_output *output)
{
    const struct chirr_repair_answer *answer = &d->answer;
    if (!d->answer_due) {
        return false;
    }
    d->answer_due = false;
    d->counters.answered_records += answer->count;
    d->message = (struct chirr_message){
        .kind = CHIRR_MESSAGE_RECORDS,
        .records = {.count = answer->count,
                    .records = answer->records,
                    .covered_count = answer->covered_count,
                    .covered = answer->covered},
    };
    send_repair(d, d->answer_to, d->answer_to, output);
    return true;
}

static bool poll_digest(struct chirr_dissemination *d, struct chirr_output *output)
{
    struct chirr_errand errand;
    if (!chirr_ring_pop(&d->errands, &errand)) {
        return false;
    }
    d->message = (struct chirr_message){.kind = CHIRR_MESSAGE_DIGEST};
    struct chirr_digest_message *digest = &d->message.digest;
    digest->answer_wanted = errand.answer_wanted;
    if (errand.buckets == 0) {
        digest->salt = chirr_random_u32(&d->random);
        chirr_repair_summarise(d->store, d->config.local, digest);
    } else {
        digest->buckets = errand.buckets;
        digest->entries = d->entries;
        const struct chirr_digest_entry self = {d->config.self, {d->life, d->own.incarnation}};
        digest->count = d->config.local
                            ? chirr_repair_list_live(d->store, errand.buckets, &self, d->entries)
                            : chirr_repair_list(d->store, errand.buckets, &self, d->entries);
    }
    send_repair(d, errand.to, errand.payer, output);
    return true;
}

bool chirr_dissemination_poll(struct chirr_dissemination *d, struct chirr_output *output)
{
    return poll_own(d, output) || poll_relays(d, output) || poll_wanted(d, output) ||
           chirr_tree_poll(d->tree, output) || poll_answer(d, output) || poll_digest(d, output);
}
