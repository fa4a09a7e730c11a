/* Each operation forward and backward over a chunk. Backward passes add to the gradients of what
 * the operation read, and to those of its weights. */
#include <string.h>

#include "model/elementary.h"
#include "tests/bench/ablation.h"

static struct ablation_node *node_at(struct ablation_net *net, int32_t index)
{
    return index >= 0 ? &net->nodes[index] : NULL;
}

static void add(size_t count, const chirr_real *restrict x, chirr_real *restrict y)
{
    for (size_t i = 0; i < count; i++) {
        y[i] += x[i];
    }
}

/* ---- Embeddings ----------------------------------------------------------------------------- */

static void embed_forward(struct ablation_net *net, struct ablation_node *n)
{
    for (size_t t = 0; t < net->steps; t++) {
        memcpy(n->y + t * n->width, net->weights + n->weights + net->bytes[t] * n->width,
               n->width * sizeof *n->y);
    }
}

static void embed_backward(struct ablation_net *net, struct ablation_node *n)
{
    for (size_t t = 0; t < net->steps; t++) {
        add(n->width, n->d_y + t * n->width, net->gradient + n->weights + net->bytes[t] * n->width);
    }
}

static bool is_letter(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte >= 128;
}

static bool is_of_name(uint8_t byte)
{
    return is_letter(byte) || (byte >= '0' && byte <= '9') || byte == '_';
}

/* Row of the bytes t-order+1 … t, or of the words that end at t. */
static uint32_t hash_at(const struct ablation_net *net, const struct ablation_node *n, size_t t)
{
    uint64_t hash = n->order;
    uint32_t length = n->order < ABLATION_ORDER_MAX ? n->order : ABLATION_ORDER_MAX;
    uint32_t words = n->order == ABLATION_WORDS      ? 2
                     : n->order > ABLATION_ORDER_MAX ? 1
                                                     : UINT32_MAX;
    for (uint32_t j = 0; j < length && words > 0; j++) {
        uint8_t byte = t >= j ? net->bytes[t - j] : net->recent[ABLATION_ORDER_MAX + t - j];
        hash = (hash ^ byte) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
        words -= !(n->order == ABLATION_NAME ? is_of_name(byte) : is_letter(byte));
    }
    return (uint32_t)(hash >> 8) & (uint32_t)(net->tables[n->weights].rows - 1);
}

static void hashed_forward(struct ablation_net *net, struct ablation_node *n)
{
    struct ablation_table *table = &net->tables[n->weights];
    memcpy(n->y, node_at(net, n->a)->y, net->steps * n->width * sizeof *n->y);
    for (size_t t = 0; t < net->steps; t++) {
        uint32_t row = hash_at(net, n, t);
        table->touched[t] = row;
        add(table->width, table->own + row * table->width, n->y + t * n->width + n->a_at);
    }
    table->touched_count = net->steps;
}

static void hashed_backward(struct ablation_net *net, struct ablation_node *n)
{
    struct ablation_table *table = &net->tables[n->weights];
    add(net->steps * n->width, n->d_y, node_at(net, n->a)->d_y);
    for (size_t t = 0; t < net->steps; t++) {
        add(table->width, n->d_y + t * n->width + n->a_at,
            table->gradient + table->touched[t] * table->width);
    }
}

/* ---- Norm ----------------------------------------------------------------------------------- */

static void norm_forward(struct ablation_net *net, struct ablation_node *n)
{
    const chirr_real *x = node_at(net, n->a)->y;
    chirr_real *scales = n->aux + net->steps_max * n->width;
    for (size_t t = 0; t < net->steps; t++) {
        size_t at = t * n->width;
        scales[t] =
            net->kernels->norm(n->width, x + at, net->weights + n->weights, n->aux + at, n->y + at);
    }
}

static void norm_backward(struct ablation_net *net, struct ablation_node *n)
{
    chirr_real *d_x = node_at(net, n->a)->d_y;
    const chirr_real *scales = n->aux + net->steps_max * n->width;
    for (size_t t = 0; t < net->steps; t++) {
        size_t at = t * n->width;
        chirr_real *d_x_d_gain[2] = {d_x + at, net->gradient + n->weights};
        net->kernels->norm_backward(n->width, scales[t], net->weights + n->weights, n->aux + at,
                                    n->d_y + at, d_x_d_gain);
    }
}

/* ---- Matrices ------------------------------------------------------------------------------- */

static void linear_forward(struct ablation_net *net, struct ablation_node *n)
{
    const struct ablation_node *a = node_at(net, n->a);
    const struct ablation_node *b = node_at(net, n->b);
    size_t bytes = net->steps * n->width * sizeof *n->y;
    if (b != NULL) {
        memcpy(n->y, b->y, bytes);
    } else {
        memset(n->y, 0, bytes);
    }
    for (size_t t = 0; n->biased && t < net->steps; t++) {
        add(n->width, net->weights + n->bias, n->y + t * n->width);
    }
    const struct chirr_product product = {.groups = n->groups,
                                          .rows = net->steps,
                                          .inner = n->inner,
                                          .columns = n->columns,
                                          .x_group = n->a_group,
                                          .x_row = a->width,
                                          .x_inner = 1,
                                          .w_group = n->inner * n->columns,
                                          .w_inner = n->columns,
                                          .y_group = n->columns,
                                          .y_row = n->width};
    net->kernels->product(&product, a->y + n->a_at, net->weights + n->weights, n->y);
}

static void linear_backward(struct ablation_net *net, struct ablation_node *n)
{
    struct ablation_node *a = node_at(net, n->a);
    struct ablation_node *b = node_at(net, n->b);
    size_t matrix = n->inner * n->columns;
    if (b != NULL) {
        add(net->steps * n->width, n->d_y, b->d_y);
    }
    if (n->biased) {
        net->kernels->sum_rows(net->steps, n->width, n->d_y, net->gradient + n->bias);
    }
    const struct chirr_product of_weights = {.groups = n->groups,
                                             .rows = n->inner,
                                             .inner = net->steps,
                                             .columns = n->columns,
                                             .x_group = n->a_group,
                                             .x_row = 1,
                                             .x_inner = a->width,
                                             .w_group = n->columns,
                                             .w_inner = n->width,
                                             .y_group = matrix,
                                             .y_row = n->columns};
    net->kernels->product(&of_weights, a->y + n->a_at, n->d_y, net->gradient + n->weights);
    const struct chirr_product of_inputs = {.groups = n->groups,
                                            .rows = net->steps,
                                            .inner = n->columns,
                                            .columns = n->inner,
                                            .x_group = n->columns,
                                            .x_row = n->width,
                                            .x_inner = 1,
                                            .w_group = matrix,
                                            .w_inner = n->columns,
                                            .y_group = n->a_group,
                                            .y_row = a->width};
    net->kernels->product_transposed(&of_inputs, n->d_y, net->weights + n->weights,
                                     a->d_y + n->a_at);
}

static void tied_forward(struct ablation_net *net, struct ablation_node *n)
{
    const struct ablation_node *a = node_at(net, n->a);
    const struct chirr_product product = {.groups = 1,
                                          .rows = net->steps,
                                          .inner = a->width,
                                          .columns = n->width,
                                          .x_row = a->width,
                                          .x_inner = 1,
                                          .w_inner = a->width,
                                          .y_row = n->width};
    memset(n->y, 0, net->steps * n->width * sizeof *n->y);
    net->kernels->product_transposed(&product, a->y, net->weights + n->weights, n->y);
    for (size_t t = 0; t < net->steps; t++) {
        for (size_t i = 0; i < n->width; i++) {
            chirr_real *y = &n->y[t * n->width + i];
            *y = n->scale * *y + net->weights[n->bias + i];
        }
    }
}

static void tied_backward(struct ablation_net *net, struct ablation_node *n)
{
    struct ablation_node *a = node_at(net, n->a);
    net->kernels->sum_rows(net->steps, n->width, n->d_y, net->gradient + n->bias);
    for (size_t i = 0; i < net->steps * n->width; i++) {
        n->d_y[i] *= n->scale;
    }
    const struct chirr_product of_weights = {.groups = 1,
                                             .rows = n->width,
                                             .inner = net->steps,
                                             .columns = a->width,
                                             .x_row = 1,
                                             .x_inner = n->width,
                                             .w_inner = a->width,
                                             .y_row = a->width};
    net->kernels->product(&of_weights, n->d_y, a->y, net->gradient + n->weights);
    const struct chirr_product of_inputs = {.groups = 1,
                                            .rows = net->steps,
                                            .inner = n->width,
                                            .columns = a->width,
                                            .x_row = n->width,
                                            .x_inner = 1,
                                            .w_inner = a->width,
                                            .y_row = a->width};
    net->kernels->product(&of_inputs, n->d_y, net->weights + n->weights, a->d_y);
}

/* ---- Gates ---------------------------------------------------------------------------------- */

/* value and slope of the gate's function at x */
static inline void gate_function(enum ablation_gate gate, chirr_real x, chirr_real *value,
                                 chirr_real *slope)
{
    chirr_real s;
    switch (gate) {
    case ABLATION_SILU:
        s = chirr_sigmoid(x);
        *value = x * s;
        *slope = s * (1 + x * (1 - s));
        return;
    case ABLATION_SIGMOID:
        s = chirr_sigmoid(x);
        *value = s;
        *slope = s * (1 - s);
        return;
    case ABLATION_SIGMOID2:
        s = chirr_sigmoid(x);
        *value = 2 * s;
        *slope = 2 * s * (1 - s);
        return;
    case ABLATION_TANH:
        s = chirr_sigmoid(2 * x);
        *value = 2 * s - 1;
        *slope = 4 * s * (1 - s);
        return;
    case ABLATION_RELU2:
        s = x > 0 ? x : 0;
        *value = s * s;
        *slope = 2 * s;
        return;
    case ABLATION_PRODUCT:
        *value = x;
        *slope = 1;
        return;
    }
}

static inline void gate_row(enum ablation_gate gate, size_t count, const chirr_real *restrict a,
                            const chirr_real *restrict b, chirr_real *restrict y)
{
    for (size_t i = 0; i < count; i++) {
        chirr_real value, slope;
        gate_function(gate, a[i], &value, &slope);
        y[i] = value * b[i];
    }
}

static inline void gate_row_backward(enum ablation_gate gate, size_t count,
                                     const chirr_real *const restrict a_b_d[3],
                                     chirr_real *restrict d_a, chirr_real *restrict d_b)
{
    const chirr_real *restrict a = a_b_d[0];
    const chirr_real *restrict b = a_b_d[1];
    const chirr_real *restrict d = a_b_d[2];
    for (size_t i = 0; i < count; i++) {
        chirr_real value, slope;
        gate_function(gate, a[i], &value, &slope);
        d_a[i] += d[i] * b[i] * slope;
        d_b[i] += d[i] * value;
    }
}

/* A constant gate in each call lets the compiler make one vectorised loop of each. */
#define FOR_GATE(gate, call)                                                                       \
    switch (gate) {                                                                                \
    case ABLATION_SILU:                                                                            \
        call(ABLATION_SILU);                                                                       \
        break;                                                                                     \
    case ABLATION_SIGMOID:                                                                         \
        call(ABLATION_SIGMOID);                                                                    \
        break;                                                                                     \
    case ABLATION_SIGMOID2:                                                                        \
        call(ABLATION_SIGMOID2);                                                                   \
        break;                                                                                     \
    case ABLATION_PRODUCT:                                                                         \
        call(ABLATION_PRODUCT);                                                                    \
        break;                                                                                     \
    case ABLATION_TANH:                                                                            \
        call(ABLATION_TANH);                                                                       \
        break;                                                                                     \
    case ABLATION_RELU2:                                                                           \
        call(ABLATION_RELU2);                                                                      \
        break;                                                                                     \
    }

static void gate_forward(struct ablation_net *net, struct ablation_node *n)
{
    const struct ablation_node *a = node_at(net, n->a);
    const struct ablation_node *b = node_at(net, n->b);
    for (size_t t = 0; t < net->steps; t++) {
        const chirr_real *at_a = a->y + t * a->width + n->a_at;
        const chirr_real *at_b = b->y + t * b->width + n->b_at;
#define CALL(gate) gate_row(gate, n->width, at_a, at_b, n->y + t * n->width)
        FOR_GATE(n->gate, CALL)
#undef CALL
    }
}

static void gate_backward(struct ablation_net *net, struct ablation_node *n)
{
    struct ablation_node *a = node_at(net, n->a);
    struct ablation_node *b = node_at(net, n->b);
    for (size_t t = 0; t < net->steps; t++) {
        size_t in_a = t * a->width + n->a_at;
        size_t in_b = t * b->width + n->b_at;
        const chirr_real *const a_b_d[3] = {a->y + in_a, b->y + in_b, n->d_y + t * n->width};
#define CALL(gate) gate_row_backward(gate, n->width, a_b_d, a->d_y + in_a, b->d_y + in_b)
        FOR_GATE(n->gate, CALL)
#undef CALL
    }
}

/* ---- Sums ----------------------------------------------------------------------------------- */

static void add_forward(struct ablation_net *net, struct ablation_node *n)
{
    memcpy(n->y, node_at(net, n->a)->y, net->steps * n->width * sizeof *n->y);
    add(net->steps * n->width, node_at(net, n->b)->y, n->y);
}

static void add_backward(struct ablation_net *net, struct ablation_node *n)
{
    add(net->steps * n->width, n->d_y, node_at(net, n->a)->d_y);
    add(net->steps * n->width, n->d_y, node_at(net, n->b)->d_y);
}

/* Inputs at t, before the chunk from the state, whose rows are the last ones, oldest first. */
static const chirr_real *conv_input(const struct ablation_net *net, const struct ablation_node *n,
                                    ptrdiff_t t)
{
    if (t >= 0) {
        return net->nodes[n->a].y + (size_t)t * n->width;
    }
    return net->state_before + n->state + (size_t)((ptrdiff_t)n->order - 1 + t) * n->width;
}

static void conv_forward(struct ablation_net *net, struct ablation_node *n)
{
    memset(n->y, 0, net->steps * n->width * sizeof *n->y);
    for (size_t t = 0; t < net->steps; t++) {
        chirr_real *y = n->y + t * n->width;
        for (uint32_t j = 0; j < n->order; j++) {
            const chirr_real *x = conv_input(net, n, (ptrdiff_t)t - j);
            const chirr_real *tap = net->weights + n->weights + j * n->width;
            for (size_t i = 0; i < n->width; i++) {
                y[i] += tap[i] * x[i];
            }
        }
    }
    for (uint32_t j = 0; j + 1 < n->order; j++) {
        ptrdiff_t t = (ptrdiff_t)net->steps - (ptrdiff_t)n->order + 1 + j;
        memcpy(net->state + n->state + j * n->width, conv_input(net, n, t),
               n->width * sizeof *n->y);
    }
}

static void conv_backward(struct ablation_net *net, struct ablation_node *n)
{
    chirr_real *d_x = node_at(net, n->a)->d_y;
    for (size_t t = 0; t < net->steps; t++) {
        const chirr_real *d = n->d_y + t * n->width;
        for (uint32_t j = 0; j < n->order; j++) {
            const chirr_real *x = conv_input(net, n, (ptrdiff_t)t - j);
            const chirr_real *tap = net->weights + n->weights + j * n->width;
            chirr_real *d_tap = net->gradient + n->weights + j * n->width;
            for (size_t i = 0; i < n->width; i++) {
                d_tap[i] += d[i] * x[i];
            }
            for (size_t i = 0; t >= j && i < n->width; i++) {
                d_x[(t - j) * n->width + i] += d[i] * tap[i];
            }
        }
    }
}

/* ---- All ------------------------------------------------------------------------------------ */

typedef void operation(struct ablation_net *net, struct ablation_node *node);

static operation *const operations[][2] = {
    [ABLATION_EMBED] = {embed_forward, embed_backward},
    [ABLATION_HASHED] = {hashed_forward, hashed_backward},
    [ABLATION_NORM] = {norm_forward, norm_backward},
    [ABLATION_LINEAR] = {linear_forward, linear_backward},
    [ABLATION_TIED] = {tied_forward, tied_backward},
    [ABLATION_TRACE] = {ablation_trace_forward, ablation_trace_backward},
    [ABLATION_GATE] = {gate_forward, gate_backward},
    [ABLATION_ADD] = {add_forward, add_backward},
    [ABLATION_CONV] = {conv_forward, conv_backward},
};

void ablation_op_forward(struct ablation_net *net, struct ablation_node *node)
{
    operations[node->op][0](net, node);
}

void ablation_op_backward(struct ablation_net *net, struct ablation_node *node)
{
    operations[node->op][1](net, node);
}
