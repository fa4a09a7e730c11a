/* What a node wants done, done: as the process does it, but in a simulated world. */
#include "agent/bridge.h"
#include "sim/peer.h"

/* A stopped job takes this long to end, unless it ends by itself: the executor's grace. */
#define STOP_GRACE_US CHIRR_US_PER_S

/* ---- Messages -------------------------------------------------------------------------------- */

/* Puts a message on its way that leaves at `leaves_at`. */
static void post_to(struct chirr_sim_world *world, struct chirr_sim_link link,
                    chirr_time_us leaves_at, struct chirr_sim_parcel *parcel)
{
    struct chirr_sim_network_counters *counters = chirr_sim_network_count(world->network);
    enum chirr_message_kind kind = parcel->message->kind;
    chirr_time_us arrivals[CHIRR_SIM_COPIES_MAX];
    counters->sent[kind]++;
    counters->sent_bytes[kind] += parcel->wire_bytes;
    uint32_t copies = chirr_sim_network_route(world->network, link, leaves_at, arrivals);
    for (uint32_t i = 0; i < copies; i++) {
        struct chirr_sim_event event = {.at = arrivals[i],
                                        .to = link.to,
                                        .from = link.from,
                                        .kind = CHIRR_SIM_DELIVER,
                                        .body = parcel};
        if (chirr_sim_engine_push(world->engine, &event) == CHIRR_OK) {
            chirr_sim_post_hold(parcel);
        } else {
            counters->dropped[CHIRR_SIM_DROP_FULL]++;
        }
    }
}

/* NULL: dropped and counted. What a codec would refuse must not leave a node. */
static struct chirr_sim_parcel *wrap(struct chirr_sim_world *world,
                                     const struct chirr_sim_peer *peer,
                                     const struct chirr_message *message)
{
    enum chirr_err err = chirr_message_validate(message);
    if (err != CHIRR_OK) {
        chirr_sim_violate(world, "agent %u says an invalid %s: %s", (unsigned)peer->index,
                          chirr_message_kind_name(message->kind), chirr_err_text(err));
        return NULL;
    }
    struct chirr_sim_parcel *parcel = chirr_sim_post_wrap(world->post, message);
    if (parcel == NULL) {
        chirr_sim_network_count(world->network)->dropped[CHIRR_SIM_DROP_FULL]++;
    }
    return parcel;
}

static void send(struct chirr_sim_world *world, const struct chirr_sim_peer *peer,
                 const struct chirr_output *output)
{
    struct chirr_sim_link link = {peer->index, chirr_sim_world_find(world, output->to)};
    if (link.to == CHIRR_SIM_WORLD || link.to == peer->index) {
        chirr_sim_network_count(world->network)->dropped[CHIRR_SIM_DROP_UNCONNECTED]++;
        return;
    }
    chirr_time_us leaves_at;
    if (!chirr_sim_network_depart(world->network, link, chirr_sim_world_now(world), &leaves_at)) {
        return;
    }
    struct chirr_sim_parcel *parcel = wrap(world, peer, output->message);
    if (parcel != NULL) {
        post_to(world, link, leaves_at, parcel);
        chirr_sim_post_release(world->post, parcel);
    }
}

/* Filtering happens at the publisher: what a device does not host never reaches its wire. */
static bool wants(const struct chirr_sim_peer *subscriber, const struct chirr_output *output)
{
    if (subscriber->id == output->except) {
        return false;
    }
    if (output->topic != CHIRR_TOPIC_KNOWLEDGE) {
        return true;
    }
    const struct chirr_delta_message *delta = &output->message->delta;
    return subscriber->card.lineage == delta->lineage &&
           (subscriber->card.hosted >> delta->partition & 1) != 0;
}

static void publish(struct chirr_sim_world *world, const struct chirr_sim_peer *peer,
                    const struct chirr_output *output)
{
    chirr_time_us now = chirr_sim_world_now(world);
    struct chirr_sim_parcel *parcel = wrap(world, peer, output->message);
    if (parcel == NULL) {
        return;
    }
    for (uint32_t i = 0;; i++) {
        uint32_t to = chirr_sim_network_subscriber(world->network, peer->index, i);
        if (to == CHIRR_SIM_AGENTS_MAX) {
            break;
        }
        const struct chirr_sim_link subscription = {.from = to, .to = peer->index};
        if (chirr_sim_network_hears(world->network, subscription, output->topic, now) &&
            wants(&world->peers[to], output)) {
            post_to(world, (struct chirr_sim_link){peer->index, to}, now, parcel);
        }
    }
    chirr_sim_post_release(world->post, parcel);
}

static void change_link(struct chirr_sim_world *world, const struct chirr_sim_peer *peer,
                        const struct chirr_output *output)
{
    chirr_time_us now = chirr_sim_world_now(world);
    bool connect = output->kind == CHIRR_OUTPUT_CONNECT;
    chirr_agent_id id = connect ? chirr_agent_id_of(output->card->public_key) : output->to;
    struct chirr_sim_link link = {.from = peer->index, .to = chirr_sim_world_find(world, id)};
    if (link.to == CHIRR_SIM_WORLD || link.to == peer->index) {
        return;
    }
    if (connect) {
        chirr_sim_network_connect(world->network, link, output->link, now);
    } else if (output->kind == CHIRR_OUTPUT_LISTEN) {
        chirr_sim_network_listen(world->network, link, output->topic, now);
    } else {
        chirr_sim_network_disconnect(world->network, link);
    }
}

/* Somebody who lives, stands where it can be reached and was never held up is taken for dead. */
static void note_member(struct chirr_sim_world *world, const struct chirr_sim_peer *peer,
                        const struct chirr_member_update *update)
{
    uint32_t index = chirr_sim_world_find(world, update->agent);
    if (update->status != CHIRR_MEMBER_DEAD || index == CHIRR_SIM_WORLD) {
        return;
    }
    const struct chirr_sim_peer *of = &world->peers[index];
    bool well =
        of->up && of->pauses == 0 &&
        !chirr_sim_network_is_cut(world->network, peer->index, index, chirr_sim_world_now(world));
    world->counters.false_deaths += well;
}

/* ---- Disk and learner ------------------------------------------------------------------------ */

static void persist(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                    const struct chirr_record *record)
{
    enum chirr_err err = chirr_sim_disk_write(&peer->disk, record);
    if (err != CHIRR_OK) {
        chirr_sim_violate(world, "agent %u: its simulated disk: %s", (unsigned)peer->index,
                          chirr_err_text(err));
    }
}

/* Without a learner every task costs one guessed second: allocation goes on without foresight. */
static void price_blindly(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                          const struct chirr_task *task)
{
    struct chirr_price price = {.task = task->id,
                                .duration_us = (uint64_t)CHIRR_US_PER_S,
                                .deviation_us = (uint64_t)CHIRR_US_PER_S,
                                .success_permille = 1000};
    chirr_node_price(peer->node, &price, chirr_sim_peer_clock(world, peer));
}

static void ask_learner(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                        const struct chirr_output *output)
{
    struct chirr_learner_request request;
    if (peer->learner == NULL) {
        if (output->kind == CHIRR_OUTPUT_PRICE) {
            price_blindly(world, peer, output->task);
        }
        return;
    }
    if (!chirr_bridge_request(peer->node, output, &request)) {
        return;
    }
    struct chirr_learner_reply reply;
    if (chirr_learner_handle(peer->learner, &request, &reply) != CHIRR_OK ||
        chirr_bridge_reply(peer->node, &reply, chirr_sim_peer_clock(world, peer)) != CHIRR_OK) {
        world->counters.learner_refused++;
    }
}

/* ---- Runs ------------------------------------------------------------------------------------ */

static bool may_start(struct chirr_sim_world *world, const struct chirr_sim_peer *peer,
                      const struct chirr_task *task, uint32_t index)
{
    if (index == CHIRR_SIM_NO_TASK) {
        chirr_sim_violate(world, "agent %u starts a task that nobody submitted",
                          (unsigned)peer->index);
        return false;
    }
    if (peer->run_count >= peer->card.slots) {
        chirr_sim_violate(world, "agent %u starts task %u beyond its %u slots",
                          (unsigned)peer->index, (unsigned)index, (unsigned)peer->card.slots);
        return false;
    }
    struct chirr_sim_start start = {.agent = peer->index, .epoch = task->epoch};
    bool first =
        chirr_sim_workload_started(world->workload, index, start, chirr_sim_world_now(world));
    /* A lost disk takes with it the memory of what was started. */
    if (!first && peer->disks_lost == 0) {
        chirr_sim_violate(world, "agent %u starts task %u, epoch %u, a second time",
                          (unsigned)peer->index, (unsigned)index, (unsigned)task->epoch);
        return false;
    }
    return true;
}

static void start(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                  const struct chirr_task *task)
{
    uint32_t index = chirr_sim_workload_find(world->workload, task->id);
    if (!may_start(world, peer, task, index)) {
        return;
    }
    chirr_time_us now = chirr_sim_world_now(world);
    chirr_time_us limit = chirr_time_from_ms(task->spec.time_limit_ms);
    struct chirr_sim_truth truth = chirr_sim_workload_truth(
        world->workload, index, peer->card.cpu_permille, &peer->job_random);
    struct chirr_sim_run *run = &peer->runs[peer->run_count++];
    *run = (struct chirr_sim_run){.number = ++peer->run_numbers,
                                  .task = index,
                                  .epoch = task->epoch,
                                  .started_at = now,
                                  .duration_us = chirr_time_min(truth.duration_us, limit),
                                  .fails = truth.fails};
    world->counters.runs_started++;
    chirr_sim_peer_expect(world, peer,
                          &(struct chirr_sim_event){.at = now + run->duration_us,
                                                    .to = peer->index,
                                                    .from = peer->index,
                                                    .kind = CHIRR_SIM_RUN_END,
                                                    .number = run->number});
}

static void stop(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                 const struct chirr_task *task)
{
    uint32_t index = chirr_sim_workload_find(world->workload, task->id);
    for (uint32_t i = 0; i < peer->run_count; i++) {
        struct chirr_sim_run *run = &peer->runs[i];
        if (run->task == index && run->epoch == task->epoch && !run->stopped) {
            run->stopped = true;
            world->counters.runs_stopped++;
            chirr_sim_peer_expect(
                world, peer,
                &(struct chirr_sim_event){.at = chirr_sim_world_now(world) + STOP_GRACE_US,
                                          .to = peer->index,
                                          .from = peer->index,
                                          .kind = CHIRR_SIM_RUN_END,
                                          .number = run->number});
            return;
        }
    }
    chirr_sim_violate(world, "agent %u stops task %u, epoch %u, which does not run",
                      (unsigned)peer->index, (unsigned)index, (unsigned)task->epoch);
}

/* ---- All of them ----------------------------------------------------------------------------- */

void chirr_sim_peer_carry_out(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                              const struct chirr_output *output)
{
    switch (output->kind) {
    case CHIRR_OUTPUT_SEND:
        send(world, peer, output);
        break;
    case CHIRR_OUTPUT_PUBLISH:
        publish(world, peer, output);
        break;
    case CHIRR_OUTPUT_CONNECT:
    case CHIRR_OUTPUT_DISCONNECT:
    case CHIRR_OUTPUT_LISTEN:
        change_link(world, peer, output);
        break;
    case CHIRR_OUTPUT_PERSIST:
        persist(world, peer, output->record);
        break;
    case CHIRR_OUTPUT_START:
        start(world, peer, output->task);
        break;
    case CHIRR_OUTPUT_STOP:
        stop(world, peer, output->task);
        break;
    case CHIRR_OUTPUT_PRICE:
    case CHIRR_OUTPUT_OUTCOME:
    case CHIRR_OUTPUT_APPLY:
    case CHIRR_OUTPUT_WEIGH:
    case CHIRR_OUTPUT_EXTRACT:
        ask_learner(world, peer, output);
        break;
    case CHIRR_OUTPUT_MEMBER:
        note_member(world, peer, &output->member);
        break;
    /* Nothing is signed in here and nobody is kept out by a key; the node itself forgets whom an
     * operator removed. */
    case CHIRR_OUTPUT_TRUST:
    case CHIRR_OUTPUT_COUNT:
        break;
    }
}
