/* Collecting the figures. */
#include "sim/report.h"

#include <math.h>
#include <string.h>

#include "sim/streams.h"

/* Held-out evaluation is the dear part: so many agents and groups stand for all. */
#define HELDOUT_AGENTS 8
#define HELDOUT_GROUPS 4

struct mean {
    uint32_t count;
    double sum;
};

static void mean_add(struct mean *mean, double value)
{
    if (isfinite(value)) {
        mean->count++;
        mean->sum += value;
    }
}

static double mean_of(const struct mean *mean)
{
    return mean->count == 0 ? NAN : mean->sum / mean->count;
}

static double seconds(chirr_time_us span)
{
    return (double)span / (double)CHIRR_US_PER_S;
}

/* ---- Traffic --------------------------------------------------------------------------------- */

static enum chirr_sim_traffic traffic_of(enum chirr_message_kind kind)
{
    switch (kind) {
    case CHIRR_MESSAGE_HEARTBEAT:
        return CHIRR_SIM_TRAFFIC_HEARTBEATS;
    case CHIRR_MESSAGE_RECORDS:
    case CHIRR_MESSAGE_DIGEST:
    case CHIRR_MESSAGE_HAVE:
    case CHIRR_MESSAGE_GRAFT:
        return CHIRR_SIM_TRAFFIC_RECORDS;
    case CHIRR_MESSAGE_DELTA:
        return CHIRR_SIM_TRAFFIC_KNOWLEDGE;
    case CHIRR_MESSAGE_PING:
    case CHIRR_MESSAGE_PING_REQUEST:
    case CHIRR_MESSAGE_ACK:
    case CHIRR_MESSAGE_GOSSIP:
    case CHIRR_MESSAGE_NACK:
    case CHIRR_MESSAGE_VIEW:
        break;
    }
    return CHIRR_SIM_TRAFFIC_MEMBERSHIP;
}

const char *chirr_sim_traffic_name(enum chirr_sim_traffic traffic)
{
    static const char *const names[CHIRR_SIM_TRAFFIC_COUNT] = {
        [CHIRR_SIM_TRAFFIC_MEMBERSHIP] = "membership",
        [CHIRR_SIM_TRAFFIC_HEARTBEATS] = "heartbeats",
        [CHIRR_SIM_TRAFFIC_RECORDS] = "records",
        [CHIRR_SIM_TRAFFIC_KNOWLEDGE] = "knowledge",
    };
    return traffic < CHIRR_SIM_TRAFFIC_COUNT ? names[traffic] : "unknown";
}

uint64_t chirr_sim_traffic_sum(const uint64_t by_kind[CHIRR_MESSAGE_KINDS],
                               enum chirr_sim_traffic traffic)
{
    uint64_t sum = 0;
    for (int kind = CHIRR_MESSAGE_PING; kind < CHIRR_MESSAGE_KINDS; kind++) {
        sum += traffic_of((enum chirr_message_kind)kind) == traffic ? by_kind[kind] : 0;
    }
    return sum;
}

/* ---- Tasks ----------------------------------------------------------------------------------- */

static const struct chirr_task *final_task(const struct chirr_sim_world *world, chirr_task_id id)
{
    const struct chirr_record *record = chirr_sim_invariants_known(world, id);
    return record == NULL ? NULL : &record->task;
}

static void count_task(const struct chirr_task *task, struct chirr_sim_task_figures *figures)
{
    if (task == NULL) {
        return; /* excused, or a violation said so already */
    }
    bool success = task->result.end == CHIRR_TASK_END_EXITED && task->result.code == 0;
    switch (task->phase) {
    case CHIRR_TASK_DONE:
        figures->done += success;
        figures->failed += !success;
        break;
    case CHIRR_TASK_CANCELLED:
        figures->cancelled++;
        break;
    default:
        figures->unfinished++;
        break;
    }
}

static bool predicted(const struct chirr_task *task)
{
    return task != NULL && task->phase == CHIRR_TASK_DONE && task->result.predicted_us > 0 &&
           task->result.end == CHIRR_TASK_END_EXITED && task->result.duration_us > 0;
}

/* How many predicted tasks were completed before `task`: its place in the order of completion. */
static uint32_t rank_of(const struct chirr_sim_world *world, const struct chirr_sim_task *task)
{
    uint32_t rank = 0;
    for (uint32_t i = 0; i < chirr_sim_workload_count(world->workload); i++) {
        const struct chirr_sim_task *other = chirr_sim_workload_at(world->workload, i);
        bool before = other->completions > 0 &&
                      (other->completed_at < task->completed_at ||
                       (other->completed_at == task->completed_at && other->id < task->id));
        rank += before;
    }
    return rank;
}

static void collect_predictions(const struct chirr_sim_world *world,
                                struct chirr_sim_task_figures *figures)
{
    uint32_t completed = 0;
    for (uint32_t i = 0; i < chirr_sim_workload_count(world->workload); i++) {
        completed += chirr_sim_workload_at(world->workload, i)->completions > 0;
    }
    struct mean halves[2] = {{0}};
    for (uint32_t i = 0; i < chirr_sim_workload_count(world->workload); i++) {
        const struct chirr_sim_task *seen = chirr_sim_workload_at(world->workload, i);
        const struct chirr_task *task = seen->completions > 0 ? final_task(world, seen->id) : NULL;
        if (predicted(task)) {
            double ratio = (double)task->result.predicted_us / (double)task->result.duration_us;
            mean_add(&halves[rank_of(world, seen) >= completed / 2], fabs(log(ratio)));
        }
    }
    figures->prediction_factor_first_half = exp(mean_of(&halves[0]));
    figures->prediction_factor_second_half = exp(mean_of(&halves[1]));
}

static void collect_tasks(const struct chirr_sim_world *world,
                          struct chirr_sim_task_figures *figures)
{
    struct mean wait = {0};
    struct mean span = {0};
    figures->span_s_max = NAN;
    for (uint32_t i = 0; i < chirr_sim_workload_count(world->workload); i++) {
        const struct chirr_sim_task *task = chirr_sim_workload_at(world->workload, i);
        if (task->id == 0) {
            continue;
        }
        figures->submitted++;
        count_task(final_task(world, task->id), figures);
        if (task->start_count > 0) {
            mean_add(&wait, seconds(task->started_at - task->submitted_at));
        }
        if (task->completions > 0) {
            double took = seconds(task->completed_at - task->submitted_at);
            mean_add(&span, took);
            figures->span_s_max = fmax(figures->span_s_max, took);
        }
    }
    figures->wait_s_mean = mean_of(&wait);
    figures->span_s_mean = mean_of(&span);
    figures->excused = world->invariants.excused_tasks;
    figures->duplicate_completions = world->invariants.duplicate_completions;
    figures->runs_started = world->counters.runs_started;
    figures->runs_stopped = world->counters.runs_stopped;
    collect_predictions(world, figures);
}

/* ---- Learning -------------------------------------------------------------------------------- */

/* Text of a group that no agent has read: the group's rules, another stream of choices. */
static void heldout_text(const struct chirr_sim_world *world, uint32_t group, uint8_t *text)
{
    const struct chirr_sim_scenario *scenario = world->scenario;
    struct chirr_sim_text_config config = world->peers[0].text.config;
    struct chirr_sim_text source;
    struct chirr_random random;
    config.group = group;
    chirr_sim_text_init(&source, &config);
    chirr_sim_stream_init(&random, scenario->seed, group + 1, CHIRR_SIM_STREAM_TEXT);
    chirr_sim_text_read(&source, &random, text, scenario->learning.heldout_bytes);
}

static void evaluate(const struct chirr_sim_world *world, const struct chirr_sim_peer *peer,
                     struct mean means[3])
{
    const struct chirr_sim_learning *learning = &world->scenario->learning;
    uint32_t groups =
        learning->group_count < HELDOUT_GROUPS ? learning->group_count : HELDOUT_GROUPS;
    for (uint32_t group = 0; group < groups; group++) {
        uint8_t text[CHIRR_SIM_SENSE_BYTES_MAX];
        heldout_text(world, group, text);
        struct chirr_learner_request request = {
            .kind = CHIRR_LEARNER_EVALUATE, .count = learning->heldout_bytes, .bytes = text};
        struct chirr_learner_reply reply;
        if (chirr_learner_handle(peer->learner, &request, &reply) == CHIRR_OK) {
            mean_add(&means[0], reply.evaluation.bits_genesis);
            mean_add(&means[1], reply.evaluation.bits_swarm);
            mean_add(&means[2], reply.evaluation.bits_alone);
        }
    }
}

static void collect_heldout(const struct chirr_sim_world *world,
                            struct chirr_sim_learning_figures *figures)
{
    struct mean means[3] = {{0}};
    uint32_t stride = (world->peer_count + HELDOUT_AGENTS - 1) / HELDOUT_AGENTS;
    bool wanted = world->scenario->learning.heldout_bytes >= 2;
    for (uint32_t i = 0; wanted && i < world->peer_count; i += stride) {
        if (world->peers[i].up && world->peers[i].learner != NULL) {
            evaluate(world, &world->peers[i], means);
        }
    }
    figures->heldout_genesis = mean_of(&means[0]);
    figures->heldout_swarm = mean_of(&means[1]);
    figures->heldout_alone = mean_of(&means[2]);
}

static void collect_learning(const struct chirr_sim_world *world,
                             struct chirr_sim_learning_figures *figures)
{
    struct mean start = {0};
    struct mean now = {0};
    struct mean alone = {0};
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct chirr_sim_peer *peer = &world->peers[i];
        if (!peer->up || peer->learner == NULL) {
            continue;
        }
        struct chirr_learner_status status;
        chirr_learner_status(peer->learner, &status);
        mean_add(&start, status.bits_start);
        mean_add(&now, status.bits_now);
        mean_add(&alone, status.bits_alone);
        figures->deltas_applied += status.deltas_applied;
    }
    figures->own_start = mean_of(&start);
    figures->own_now = mean_of(&now);
    figures->own_alone = mean_of(&alone);
    figures->bytes_sensed = world->counters.bytes_sensed;
    collect_heldout(world, figures);
}

/* ---- All ------------------------------------------------------------------------------------- */

void chirr_sim_report_collect(const struct chirr_sim_world *world, struct chirr_sim_report *report)
{
    const struct chirr_sim_invariants *invariants = &world->invariants;
    memset(report, 0, sizeof *report);
    /* First: what follows asks the learners, who count what they are asked. */
    report->state_hash = chirr_sim_world_state_hash(world);
    memcpy(report->scenario, world->scenario->name, sizeof report->scenario);
    report->seed = world->scenario->seed;
    report->agents = world->peer_count;
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct chirr_sim_peer *peer = &world->peers[i];
        report->agents_up += peer->up;
        if (peer->node_memory.used > report->node_bytes_max) {
            report->node_bytes_max = peer->node_memory.used;
        }
    }
    report->local_view = world->scenario->node.local_view;
    report->members_max = invariants->members_max;
    report->authors_max = invariants->authors_max;
    report->duration_s = seconds(chirr_sim_world_now(world));
    report->settled_after_s = seconds(invariants->settled_after_us);
    report->events = chirr_sim_engine_count(world->engine)->popped;
    report->events_waiting_max = chirr_sim_engine_count(world->engine)->waiting_max;
    report->counters = world->counters;
    report->network = *chirr_sim_network_count(world->network);
    collect_tasks(world, &report->tasks);
    collect_learning(world, &report->learning);
    report->detection = invariants->detection;
    report->agreement = invariants->agreement;
    report->violated = invariants->violated;
    report->violated_at_s = seconds(invariants->violated_at);
    memcpy(report->violation, invariants->violation, sizeof report->violation);
}
