/* A net's making and its passes over a chunk. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "model/elementary.h"
#include "tests/bench/ablation.h"

static void *make(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL) {
        fprintf(stderr, "ablation: out of memory\n");
        exit(1);
    }
    return memory;
}

static size_t add_block(struct ablation_net *net, size_t count, double mean, double deviation)
{
    struct ablation_block *block = &net->blocks[net->block_count++];
    *block = (struct ablation_block){net->parameters, count, mean, deviation, 1, false};
    net->parameters += count;
    return block->offset;
}

static int32_t add_node(struct ablation_net *net, struct ablation_node node)
{
    if (net->count == ABLATION_NODES_MAX) {
        fprintf(stderr, "ablation: more than %d operations\n", ABLATION_NODES_MAX);
        exit(1);
    }
    node.y = make(net->steps_max * node.width, sizeof *node.y);
    node.d_y = make(net->steps_max * node.width, sizeof *node.d_y);
    if (node.op == ABLATION_NORM) {
        node.aux = make(net->steps_max * (node.width + 1), sizeof *node.aux);
    }
    net->nodes[net->count] = node;
    return net->count++;
}

void ablation_net_init(struct ablation_net *net, size_t steps_max, uint64_t seed)
{
    *net = (struct ablation_net){
        .kernels = chirr_kernels_best(), .steps_max = steps_max, .seed = seed};
}

int32_t ablation_embed(struct ablation_net *net, size_t width, double deviation)
{
    size_t at = add_block(net, ABLATION_BYTE_VALUES * width, 0, deviation);
    return add_node(net,
                    (struct ablation_node){
                        .op = ABLATION_EMBED, .a = -1, .b = -1, .width = width, .weights = at});
}

int32_t ablation_hashed(struct ablation_net *net, int32_t from, uint32_t order, size_t rows,
                        const size_t at_width[2])
{
    struct ablation_table *table = &net->tables[net->table_count];
    size_t count = rows * at_width[1];
    *table = (struct ablation_table){
        .rows = rows,
        .width = at_width[1],
        .own = make(count, sizeof *table->own),
        .gradient = make(count, sizeof *table->gradient),
        .moment = make(count, sizeof *table->moment),
        .updates = make(rows, sizeof *table->updates),
        .touched = make(net->steps_max, sizeof *table->touched),
        .is_touched = make(rows, sizeof *table->is_touched),
    };
    return add_node(net, (struct ablation_node){.op = ABLATION_HASHED,
                                                .a = from,
                                                .b = -1,
                                                .a_at = at_width[0],
                                                .width = net->nodes[from].width,
                                                .weights = net->table_count++,
                                                .order = order});
}

int32_t ablation_norm(struct ablation_net *net, int32_t from)
{
    size_t width = net->nodes[from].width;
    size_t at = add_block(net, width, 1, 0);
    return add_node(net,
                    (struct ablation_node){
                        .op = ABLATION_NORM, .a = from, .b = -1, .width = width, .weights = at});
}

int32_t ablation_linear(struct ablation_net *net, const struct ablation_linear *linear)
{
    size_t width = linear->groups * linear->columns;
    size_t at = add_block(net, linear->inner * width, 0, linear->deviation);
    size_t bias = linear->biased ? add_block(net, width, 0, 0) : 0;
    return add_node(net, (struct ablation_node){.op = ABLATION_LINEAR,
                                                .a = linear->from,
                                                .b = linear->plus,
                                                .a_at = linear->from_at,
                                                .width = width,
                                                .weights = at,
                                                .bias = bias,
                                                .groups = linear->groups,
                                                .inner = linear->inner,
                                                .columns = linear->columns,
                                                .a_group = linear->from_group,
                                                .biased = linear->biased});
}

int32_t ablation_tied(struct ablation_net *net, int32_t from, int32_t embed, double scale)
{
    size_t bias = add_block(net, ABLATION_BYTE_VALUES, 0, 0);
    return add_node(net, (struct ablation_node){.op = ABLATION_TIED,
                                                .a = from,
                                                .b = -1,
                                                .width = ABLATION_BYTE_VALUES,
                                                .weights = net->nodes[embed].weights,
                                                .bias = bias,
                                                .scale = (chirr_real)scale});
}

int32_t ablation_trace(struct ablation_net *net, int32_t from,
                       const struct ablation_filters *filters)
{
    size_t input = net->nodes[from].width;
    size_t each = filters->sliced ? input / filters->count : input;
    int32_t node = add_node(net, (struct ablation_node){.op = ABLATION_TRACE,
                                                        .a = from,
                                                        .b = -1,
                                                        .width = filters->count * each,
                                                        .columns = each,
                                                        .a_group = filters->sliced ? each : 0,
                                                        .state = net->state_count,
                                                        .filters = *filters});
    net->state_count += ablation_trace_state(filters, each);
    return node;
}

int32_t ablation_gate(struct ablation_net *net, enum ablation_gate gate, int32_t by, int32_t what)
{
    return add_node(net, (struct ablation_node){.op = ABLATION_GATE,
                                                .a = by,
                                                .b = what,
                                                .width = net->nodes[what].width,
                                                .gate = gate});
}

int32_t ablation_gate_halves(struct ablation_net *net, enum ablation_gate gate, int32_t from)
{
    size_t half = net->nodes[from].width / 2;
    return add_node(
        net,
        (struct ablation_node){
            .op = ABLATION_GATE, .a = from, .b = from, .b_at = half, .width = half, .gate = gate});
}

int32_t ablation_add(struct ablation_net *net, int32_t a, int32_t b)
{
    return add_node(net, (struct ablation_node){
                             .op = ABLATION_ADD, .a = a, .b = b, .width = net->nodes[a].width});
}

int32_t ablation_conv(struct ablation_net *net, int32_t from, uint32_t taps, bool ramp,
                      double first)
{
    size_t width = net->nodes[from].width;
    size_t at = add_block(net, width, first, 0);
    net->blocks[net->block_count - 1].ramp = ramp;
    for (uint32_t i = 1; i < taps; i++) {
        add_block(net, width, 0, 0);
        net->blocks[net->block_count - 1].ramp = ramp;
    }
    int32_t node = add_node(net, (struct ablation_node){.op = ABLATION_CONV,
                                                        .a = from,
                                                        .b = -1,
                                                        .width = width,
                                                        .weights = at,
                                                        .state = net->state_count,
                                                        .order = taps});
    net->state_count += (taps - 1) * width;
    return node;
}

static void draw(struct ablation_net *net)
{
    for (size_t i = 0; i < net->block_count; i++) {
        const struct ablation_block *b = &net->blocks[i];
        struct chirr_random random;
        chirr_random_init(&random, net->seed, i);
        for (size_t j = 0; j < b->count; j++) {
            double ramp = (double)(b->mean > 0 ? j : b->count - j) / (double)b->count;
            double mean = b->ramp ? ramp : b->mean;
            double noise = b->deviation > 0 ? b->deviation * chirr_random_normal(&random) : 0;
            net->weights[b->offset + j] = (chirr_real)(mean + noise);
        }
    }
}

/* Room for what is kept for a moment: the carry of a filter's backward pass, complex at most. */
static size_t scratch_count(const struct ablation_net *net)
{
    size_t most = 0;
    for (int32_t i = 0; i < net->count; i++) {
        size_t carry = 2 * net->nodes[i].columns;
        most = net->nodes[i].op == ABLATION_TRACE && carry > most ? carry : most;
    }
    return most;
}

void ablation_net_ready(struct ablation_net *net)
{
    net->weights = make(net->parameters, sizeof *net->weights);
    net->gradient = make(net->parameters, sizeof *net->gradient);
    net->moment = make(net->parameters, sizeof *net->moment);
    net->state = make(net->state_count, sizeof *net->state);
    net->state_before = make(net->state_count, sizeof *net->state_before);
    net->scratch = make(scratch_count(net), sizeof *net->scratch);
    draw(net);
    ablation_net_reset(net);
}

void ablation_net_finish(struct ablation_net *net)
{
    for (int32_t i = 0; i < net->count; i++) {
        free(net->nodes[i].y);
        free(net->nodes[i].d_y);
        free(net->nodes[i].aux);
    }
    for (size_t i = 0; i < net->table_count; i++) {
        struct ablation_table *t = &net->tables[i];
        void *arrays[] = {t->own, t->gradient, t->moment, t->updates, t->touched, t->is_touched};
        for (size_t j = 0; j < sizeof arrays / sizeof *arrays; j++) {
            free(arrays[j]);
        }
    }
    void *arrays[] = {net->weights, net->gradient,     net->moment,
                      net->state,   net->state_before, net->scratch};
    for (size_t j = 0; j < sizeof arrays / sizeof *arrays; j++) {
        free(arrays[j]);
    }
}

size_t ablation_net_parameters(const struct ablation_net *net)
{
    size_t count = net->parameters;
    for (size_t i = 0; i < net->table_count; i++) {
        count += net->tables[i].rows * net->tables[i].width;
    }
    return count;
}

void ablation_net_reset(struct ablation_net *net)
{
    memset(net->state, 0, net->state_count * sizeof *net->state);
    memset(net->recent, 0, sizeof net->recent);
    for (int32_t i = 0; i < net->count; i++) {
        const struct ablation_node *node = &net->nodes[i];
        for (uint32_t k = 0; node->op == ABLATION_TRACE && k < node->filters.count; k++) {
            net->state[node->state + k] = 1; /* rate^0 */
        }
    }
}

/* The last bytes before the next chunk. */
static void remember(struct ablation_net *net)
{
    for (size_t t = 0; t < net->steps; t++) {
        memmove(net->recent, net->recent + 1, ABLATION_ORDER_MAX - 1);
        net->recent[ABLATION_ORDER_MAX - 1] = net->bytes[t];
    }
}

double ablation_net_forward(struct ablation_net *net, const uint8_t *bytes, size_t steps)
{
    net->bytes = bytes;
    net->steps = steps;
    memcpy(net->state_before, net->state, net->state_count * sizeof *net->state);
    memcpy(net->recent_before, net->recent, sizeof net->recent);
    for (int32_t i = 0; i < net->count; i++) {
        ablation_op_forward(net, &net->nodes[i]);
    }
    chirr_real *logits = net->nodes[net->count - 1].y;
    double nats = 0;
    for (size_t t = 0; t < steps; t++) {
        chirr_real *row = logits + t * ABLATION_BYTE_VALUES;
        net->kernels->softmax(ABLATION_BYTE_VALUES, row);
        chirr_real p = row[bytes[t + 1]];
        nats -= t < net->unscored ? 0 : log(p > CHIRR_REAL(1e-37) ? (double)p : 1e-37);
    }
    remember(net);
    return nats / CHIRR_LN2;
}

void ablation_net_rewind(struct ablation_net *net, size_t steps)
{
    memcpy(net->state, net->state_before, net->state_count * sizeof *net->state);
    memcpy(net->recent, net->recent_before, sizeof net->recent);
    if (steps > 0) {
        ablation_net_forward(net, net->bytes, steps);
    }
}

void ablation_net_backward(struct ablation_net *net)
{
    struct ablation_node *last = &net->nodes[net->count - 1];
    size_t first = net->unscored * ABLATION_BYTE_VALUES;
    size_t count = net->steps * ABLATION_BYTE_VALUES;
    chirr_real share = 1 / (chirr_real)(net->steps - net->unscored);
    for (int32_t i = 0; i < net->count; i++) {
        struct ablation_node *node = &net->nodes[i];
        memset(node->d_y, 0, net->steps * node->width * sizeof *node->d_y);
    }
    for (size_t i = first; i < count; i++) {
        last->d_y[i] = last->y[i] * share;
    }
    for (size_t t = net->unscored; t < net->steps; t++) {
        last->d_y[t * ABLATION_BYTE_VALUES + net->bytes[t + 1]] -= share;
    }
    for (int32_t i = net->count; i-- > 0;) {
        ablation_op_backward(net, &net->nodes[i]);
    }
}
