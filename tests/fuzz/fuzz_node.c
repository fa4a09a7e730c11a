/* Fuzz target: a node that is fed whatever valid-looking messages, local calls and lapses of time
 * its bytes choose.
 *
 * After every step, what goes out must be valid and meant for others, a SEND must go where a
 * connection was opened, nothing may be put out without end, and time must get past every deadline.
 * The node's memory ends with its arena, so that a sanitizer sees one byte too far. */
#include <string.h>

#include "agent/node_drops.h"
#include "proto/codec.h"
#include "tests/fuzz/node_input.h"
#include "tests/fuzz/target.h"
#include "tests/support/sample.h"

#define STEPS_MAX 400
/* Of one poll: the whole record store may be shown anew, every message answered, every link opened
 * and closed. */
#define OUTPUTS_MAX 2000
#define TICKS_MAX 100 /* at one moment, until its deadline is past */
#define INCARNATION 1000
#define SLOTS_MAX 3

struct run {
    chirr_task_id task;
    uint32_t epoch;
};

struct world {
    struct chirr_arena arena;
    size_t arena_used;
    struct chirr_node *node;
    chirr_agent_id self;
    chirr_time_us now;
    bool connected[NODE_INPUT_AGENTS];
    struct run runs[SLOTS_MAX]; /* started, and not ended yet */
    uint32_t run_count;
    uint32_t slots;
    chirr_task_id priced;    /* the last one asked about */
    chirr_task_id submitted; /* the last one */
};

/* ---- The node under test ------------------------------------------------------------------- */

static struct chirr_node_config config_of(struct node_input *input)
{
    struct chirr_node_config config = chirr_node_config_default();
    uint32_t variant = node_input_below(input, 8);
    config.incarnation = INCARNATION;
    config.seed = 1;
    config.card = sample_card(0).card;
    config.card.lineage = variant % 2 == 0 ? 77 : 0;
    config.card.hosted = variant % 2 == 0 ? 3 : 0;
    config.card.slots = 1 + variant % SLOTS_MAX;
    config.agents_max = variant < 4 ? NODE_INPUT_AGENTS + 2 : 6;
    config.tasks_max = variant < 4 ? 64 : 8;
    config.overlay.mesh_below = variant % 4 < 2 ? 16 : 3;
    config.overlay.local = variant == 3;
    config.local_view = variant == 7;
    config.overlay.active_max = 3;
    config.overlay.passive_max = 4;
    if (config.local_view) { /* the views hold 7 of them: the others are forgotten, and come back */
        config.agents_max = chirr_node_agents_min(&config);
    }
    config.seed_count = 2;
    config.seeds[0] = sample_card(1).card;
    config.seeds[1] = sample_card(2).card;
    return config;
}

static void begin(struct world *world, struct node_input *input)
{
    memset(world, 0, sizeof *world);
    struct chirr_node_config config = config_of(input);
    must(chirr_node_config_validate(&config, NULL) == CHIRR_OK);
    must(chirr_arena_init(&world->arena, chirr_node_bytes(&config)) == CHIRR_OK);
    world->self = sample_agent(0);
    world->slots = config.card.slots;
    world->now = CHIRR_US_PER_S;
    world->node = chirr_node_create(&world->arena, &config, world->now);
    must(world->node != NULL);
    world->arena_used = world->arena.used;
    for (uint32_t i = node_input_below(input, 4); i > 0; i--) {
        struct chirr_record record;
        node_input_record(input, &record);
        if (chirr_record_validate(&record) == CHIRR_OK) {
            enum chirr_err err = chirr_node_restore(world->node, &record);
            must(err != CHIRR_ERR_INVALID);
        }
    }
}

/* ---- What goes out ------------------------------------------------------------------------- */

static uint32_t index_of(chirr_agent_id agent)
{
    for (uint32_t i = 1; i < NODE_INPUT_AGENTS; i++) {
        if (node_input_id(i) == agent) {
            return i;
        }
    }
    return 0;
}

/* Of another, whose card is known: agents outside the pool have none. */
static uint32_t peer_of(const struct chirr_output *output)
{
    uint32_t index = index_of(output->to);
    must(index != 0);
    return index;
}

static void start(struct world *world, const struct chirr_task *task)
{
    must(task->owner == world->self);
    must(world->run_count < world->slots);
    world->runs[world->run_count++] = (struct run){task->id, task->epoch};
}

static void carry_out(struct world *world, const struct chirr_output *output)
{
    switch (output->kind) {
    case CHIRR_OUTPUT_SEND:
        must(world->connected[peer_of(output)]);
        must(chirr_message_validate(output->message) == CHIRR_OK);
        break;
    case CHIRR_OUTPUT_PUBLISH:
        must(output->except != world->self);
        must(chirr_message_validate(output->message) == CHIRR_OK);
        break;
    case CHIRR_OUTPUT_CONNECT:
        must(chirr_agent_id_of(output->card->public_key) == output->to);
        must(output->link == CHIRR_LINK_UNICAST || output->link == CHIRR_LINK_NEIGHBOUR);
        world->connected[peer_of(output)] = true;
        break;
    case CHIRR_OUTPUT_DISCONNECT:
        world->connected[peer_of(output)] = false;
        break;
    case CHIRR_OUTPUT_PERSIST:
    case CHIRR_OUTPUT_TRUST:
        must(chirr_record_validate(output->record) == CHIRR_OK);
        break;
    case CHIRR_OUTPUT_PRICE:
        world->priced = output->task->id;
        break;
    case CHIRR_OUTPUT_START:
        start(world, output->task);
        break;
    case CHIRR_OUTPUT_OUTCOME:
        must(output->task->phase == CHIRR_TASK_DONE);
        break;
    case CHIRR_OUTPUT_APPLY:
        must(chirr_delta_validate(output->delta) == CHIRR_OK);
        must(output->delta->origin != world->self);
        break;
    case CHIRR_OUTPUT_WEIGH:
        must(output->weight.g_permille <= 1000 && output->weight.origin != world->self);
        break;
    case CHIRR_OUTPUT_MEMBER:
        must(output->member.agent != world->self);
        break;
    case CHIRR_OUTPUT_LISTEN:
    case CHIRR_OUTPUT_STOP:
    case CHIRR_OUTPUT_EXTRACT:
        break;
    case CHIRR_OUTPUT_COUNT:
        must(false);
    }
}

static void poll_some(struct world *world, uint32_t count)
{
    struct chirr_output output;
    while (count > 0 && chirr_node_poll(world->node, &output)) {
        carry_out(world, &output);
        count--;
    }
}

static void poll_all(struct world *world)
{
    struct chirr_output output;
    uint32_t count = 0;
    while (chirr_node_poll(world->node, &output)) {
        carry_out(world, &output);
        must(++count <= OUTPUTS_MAX);
    }
}

/* ---- Steps --------------------------------------------------------------------------------- */

/* An hour at once is a process that slept. */
static chirr_time_us some_time(struct node_input *input)
{
    static const chirr_time_us lapses_us[] = {0,
                                              1,
                                              1000,
                                              5000,
                                              20000,
                                              100000,
                                              300000,
                                              1000000,
                                              2000000,
                                              5000000,
                                              20000000,
                                              60000000,
                                              INT64_C(3600000000)};
    return lapses_us[node_input_below(input, sizeof lapses_us / sizeof lapses_us[0])];
}

/* Whoever drains a node and ticks it when it asks for that must not do so for ever. */
static void pass_deadline(struct world *world)
{
    poll_all(world);
    for (uint32_t ticks = 0; chirr_node_deadline(world->node) <= world->now; ticks++) {
        must(ticks < TICKS_MAX);
        chirr_node_tick(world->node, world->now);
        poll_all(world);
    }
}

static void let_time_pass(struct world *world, struct node_input *input)
{
    world->now += some_time(input);
    chirr_node_tick(world->node, world->now);
}

static void run_to_deadlines(struct world *world, struct node_input *input)
{
    for (uint32_t i = 1 + node_input_below(input, 8); i > 0; i--) {
        pass_deadline(world);
        chirr_time_us at = chirr_node_deadline(world->node);
        world->now = at == CHIRR_TIME_NEVER ? world->now : at;
        chirr_node_tick(world->node, world->now);
    }
}

static uint64_t count_drops(const struct chirr_node *node)
{
    struct chirr_node_counts counts;
    struct chirr_reasons drops = {.count = 0};
    chirr_node_counts(node, &counts);
    chirr_node_drops(&counts, &drops);
    return chirr_reasons_sum(&drops);
}

static void receive(struct world *world, chirr_agent_id from, const struct chirr_message *message)
{
    const struct chirr_node_counters *count = chirr_node_count(world->node);
    uint64_t refused = count->refused;
    uint64_t drops = count_drops(world->node);
    enum chirr_err err = chirr_node_receive(world->node, from, message, world->now);
    must(err == CHIRR_OK || count->refused > refused);
    must(err == CHIRR_OK || count_drops(world->node) > drops); /* by whoever refused it */
}

static void say_something(struct world *world, struct node_input *input)
{
    struct chirr_message message;
    chirr_agent_id from = node_input_agent(input);
    node_input_message(input, &message);
    if (chirr_message_validate(&message) == CHIRR_OK) {
        receive(world, from, &message);
    }
}

/* All bytes that are left, if they are a message. */
static void say_bytes(struct world *world, struct node_input *input)
{
    static struct chirr_arena scratch;
    if (scratch.base == NULL) {
        must(chirr_arena_init(&scratch, CHIRR_CODEC_SCRATCH_BYTES) == CHIRR_OK);
    }
    chirr_agent_id from = node_input_agent(input);
    struct chirr_message message;
    size_t bytes = (size_t)(input->end - input->at);
    if (chirr_codec_decode_message(input->at, bytes, &scratch, &message) == CHIRR_OK) {
        receive(world, from, &message);
        input->at = input->end;
    }
}

static void end_run(struct world *world, struct node_input *input)
{
    struct chirr_task_result result = {.end = CHIRR_TASK_END_EXITED + node_input_below(input, 4),
                                       .code = (int32_t)node_input_below(input, 2),
                                       .duration_us = node_input_u64(input)};
    struct run run = {node_input_task(input), node_input_below(input, 4)};
    if (world->run_count > 0) {
        run = world->runs[--world->run_count];
    }
    enum chirr_err err = chirr_node_ended(world->node, run.task, run.epoch, &result, world->now);
    must(err == CHIRR_OK || err == CHIRR_ERR_NOTFOUND);
}

static void answer_price(struct world *world, struct node_input *input)
{
    const struct chirr_price price = {.task = world->priced,
                                      .duration_us = node_input_u64(input),
                                      .deviation_us = node_input_u64(input),
                                      .success_permille = node_input_below(input, 6) * 200};
    chirr_node_price(world->node, &price, world->now);
}

static void submit(struct world *world, struct node_input *input)
{
    struct chirr_task_spec spec = sample_task(0, 0).task.spec;
    spec.priority = node_input_below(input, 11); /* one too great */
    chirr_task_id id;
    if (chirr_node_submit(world->node, &spec, world->now, &id) == CHIRR_OK) {
        world->submitted = id;
    }
}

static void cancel(struct world *world, struct node_input *input)
{
    bool own = node_input_below(input, 2) == 1;
    chirr_task_id id = own ? world->submitted : node_input_task(input);
    enum chirr_err err = chirr_node_cancel(world->node, id, world->now);
    must(err != CHIRR_ERR_MALFORMED);
}

static void offer_delta(struct world *world, struct node_input *input)
{
    uint8_t payload[256] = {0};
    size_t bytes = node_input_below(input, 256);
    const struct chirr_learner_news news = {.bits = 1.0F, .drift_permille = 1000};
    chirr_node_news(world->node, &news);
    enum chirr_err err =
        chirr_node_delta(world->node, node_input_below(input, 66), payload, bytes, world->now);
    must(err == CHIRR_OK || err == CHIRR_ERR_BUSY || err == CHIRR_ERR_INVALID);
}

/* Of an agent other than the node itself: nobody trusts a node of its own to anybody. */
static void forget(struct world *world, struct node_input *input)
{
    chirr_agent_id agent = node_input_agent(input);
    if (agent != world->self) {
        chirr_node_forget(world->node, agent, world->now);
    }
}

/* What an operator says through this very process. */
static void learn(struct world *world, struct node_input *input)
{
    struct chirr_record record;
    node_input_record(input, &record);
    if (chirr_record_validate(&record) == CHIRR_OK) {
        enum chirr_err err = chirr_node_learn(world->node, &record, world->now);
        must(err != CHIRR_ERR_INVALID);
    }
}

static void call_locally(struct world *world, struct node_input *input)
{
    switch (node_input_below(input, 24)) {
    case 0:
        chirr_node_leave(world->node, world->now);
        break;
    case 1:
    case 2:
        forget(world, input);
        break;
    case 3:
    case 4:
        cancel(world, input);
        break;
    case 5:
    case 6:
    case 7:
        offer_delta(world, input);
        break;
    case 8:
    case 9:
    case 10:
        submit(world, input);
        break;
    case 11:
        learn(world, input);
        break;
    case 12:
    case 13:
    case 14:
        end_run(world, input);
        break;
    default:
        answer_price(world, input);
        break;
    }
}

static void step(struct world *world, struct node_input *input)
{
    uint32_t choice = node_input_below(input, 16);
    if (choice < 2) {
        let_time_pass(world, input);
    } else if (choice < 4) {
        run_to_deadlines(world, input);
    } else if (choice < 6) {
        call_locally(world, input);
    } else if (choice == 6) {
        poll_some(world, node_input_below(input, 16));
    } else if (choice == 7) {
        poll_all(world);
    } else if (choice == 8) {
        say_bytes(world, input);
    } else {
        say_something(world, input);
    }
    must(world->arena.used == world->arena_used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct world world;
    struct node_input input = {.at = data, .end = data + bytes, .incarnation = INCARNATION};
    begin(&world, &input);
    for (uint32_t steps = 0; steps < STEPS_MAX && input.at < input.end; steps++) {
        step(&world, &input);
    }
    pass_deadline(&world);
    must(chirr_node_state_hash(world.node) != 0); /* everything that it reads is initialised */
    chirr_arena_finish(&world.arena);
    return 0;
}
