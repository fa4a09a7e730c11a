/* Predefined filters over the past: decaying traces, pure delays, and decaying waves.
 *
 * State of a node: rate^t of each filter, then of each filter in turn its memory:
 *   decay  the trace [columns]
 *   delay  the last `delay` inputs [delay][columns], oldest first
 *   wave   real and imaginary part [2][columns] */
#include <math.h>
#include <string.h>

#include "tests/bench/ablation.h"

static size_t memory_of(const struct ablation_filter *filter, size_t width)
{
    switch (filter->kind) {
    case ABLATION_DECAY:
        return width;
    case ABLATION_DELAY:
        return filter->delay * width;
    case ABLATION_WAVE:
        return 2 * width;
    }
    return 0;
}

size_t ablation_trace_state(const struct ablation_filters *filters, size_t width)
{
    size_t count = filters->count;
    for (uint32_t k = 0; k < filters->count; k++) {
        count += memory_of(&filters->list[k], width);
    }
    return count;
}

/* One filter of one node: where it reads and writes. */
struct scan {
    const struct ablation_filter *filter;
    size_t steps, width; /* of the filter */
    size_t in_row, out_row;
    bool now;
    chirr_real *x, *y; /* or their gradients */
    chirr_real *memory;
    chirr_real *power;
};

static struct scan scan_of(struct ablation_net *net, const struct ablation_node *n, uint32_t k,
                           bool backward)
{
    struct ablation_node *a = &net->nodes[n->a];
    chirr_real *state = (backward ? net->state_before : net->state) + n->state;
    size_t at = n->filters.count;
    for (uint32_t i = 0; i < k; i++) {
        at += memory_of(&n->filters.list[i], n->columns);
    }
    return (struct scan){.filter = &n->filters.list[k],
                         .steps = net->steps,
                         .width = n->columns,
                         .in_row = a->width,
                         .out_row = n->width,
                         .now = n->filters.now,
                         .x = (backward ? a->d_y : a->y) + k * n->a_group,
                         .y = (backward ? n->d_y : n->y) + k * n->columns,
                         .memory = state + at,
                         .power = state + k};
}

static chirr_real correction(const struct scan *s, chirr_real power)
{
    return s->filter->corrected && power < 1 ? 1 / (1 - power) : 1;
}

static void decay_forward(const struct scan *s)
{
    const struct ablation_filter *f = s->filter;
    chirr_real *restrict trace = s->memory;
    for (size_t t = 0; t < s->steps; t++) {
        const chirr_real *restrict x = s->x + t * s->in_row;
        chirr_real *restrict y = s->y + t * s->out_row;
        chirr_real scale = correction(s, s->now ? *s->power * f->rate : *s->power);
        for (size_t i = 0; i < s->width; i++) {
            chirr_real next = f->rate * trace[i] + f->gain * x[i];
            y[i] = scale * (s->now ? next : trace[i]);
            trace[i] = next;
        }
        *s->power *= f->rate;
    }
}

static void decay_backward(const struct scan *s, chirr_real *restrict carry)
{
    const struct ablation_filter *f = s->filter;
    chirr_real scales[ABLATION_STEPS_MAX];
    chirr_real power = *s->power;
    for (size_t t = 0; t < s->steps; t++) {
        scales[t] = correction(s, s->now ? power * f->rate : power);
        power *= f->rate;
    }
    memset(carry, 0, s->width * sizeof *carry);
    for (size_t t = s->steps; t-- > 0;) {
        chirr_real *restrict d_x = s->x + t * s->in_row;
        const chirr_real *restrict d_y = s->y + t * s->out_row;
        for (size_t i = 0; i < s->width; i++) {
            chirr_real d = scales[t] * d_y[i];
            chirr_real d_next = s->now ? carry[i] + d : carry[i]; /* of the trace after step t */
            d_x[i] += f->gain * d_next;
            carry[i] = f->rate * d_next + (s->now ? 0 : d);
        }
    }
}

static void delay_forward(const struct scan *s, const chirr_real *before)
{
    size_t delay = s->filter->delay;
    for (size_t t = 0; t < s->steps; t++) {
        const chirr_real *x = t >= delay ? s->x + (t - delay) * s->in_row : before + t * s->width;
        memcpy(s->y + t * s->out_row, x, s->width * sizeof *x);
    }
    for (size_t j = 0; j < delay; j++) { /* the input of step steps − delay + j */
        const chirr_real *x = s->steps + j >= delay ? s->x + (s->steps + j - delay) * s->in_row
                                                    : before + (s->steps + j) * s->width;
        memcpy(s->memory + j * s->width, x, s->width * sizeof *x);
    }
}

static void delay_backward(const struct scan *s)
{
    size_t delay = s->filter->delay;
    for (size_t t = delay; t < s->steps; t++) {
        chirr_real *restrict d_x = s->x + (t - delay) * s->in_row;
        const chirr_real *restrict d_y = s->y + t * s->out_row;
        for (size_t i = 0; i < s->width; i++) {
            d_x[i] += d_y[i];
        }
    }
}

static void wave_forward(const struct scan *s)
{
    const struct ablation_filter *f = s->filter;
    chirr_real c = f->rate * (chirr_real)cos((double)f->phase);
    chirr_real d = f->rate * (chirr_real)sin((double)f->phase);
    chirr_real *restrict re = s->memory;
    chirr_real *restrict im = s->memory + s->width;
    for (size_t t = 0; t < s->steps; t++) {
        const chirr_real *restrict x = s->x + t * s->in_row;
        chirr_real *restrict y = s->y + t * s->out_row;
        for (size_t i = 0; i < s->width; i++) {
            y[i] = re[i];
            chirr_real next = c * re[i] - d * im[i] + f->gain * x[i];
            im[i] = d * re[i] + c * im[i];
            re[i] = next;
        }
    }
}

static void wave_backward(const struct scan *s, chirr_real *restrict carry)
{
    const struct ablation_filter *f = s->filter;
    chirr_real c = f->rate * (chirr_real)cos((double)f->phase);
    chirr_real d = f->rate * (chirr_real)sin((double)f->phase);
    chirr_real *restrict re = carry;
    chirr_real *restrict im = carry + s->width;
    memset(carry, 0, 2 * s->width * sizeof *carry);
    for (size_t t = s->steps; t-- > 0;) {
        chirr_real *restrict d_x = s->x + t * s->in_row;
        const chirr_real *restrict d_y = s->y + t * s->out_row;
        for (size_t i = 0; i < s->width; i++) {
            d_x[i] += f->gain * re[i];
            chirr_real next = c * re[i] + d * im[i] + d_y[i];
            im[i] = c * im[i] - d * re[i];
            re[i] = next;
        }
    }
}

void ablation_trace_forward(struct ablation_net *net, struct ablation_node *node)
{
    if (net->traces_held) {
        return;
    }
    for (uint32_t k = 0; k < node->filters.count; k++) {
        const struct scan scan = scan_of(net, node, k, false);
        switch (scan.filter->kind) {
        case ABLATION_DECAY:
            decay_forward(&scan);
            break;
        case ABLATION_DELAY:
            delay_forward(&scan, net->state_before + (scan.memory - net->state));
            break;
        case ABLATION_WAVE:
            wave_forward(&scan);
            break;
        }
    }
}

void ablation_trace_backward(struct ablation_net *net, struct ablation_node *node)
{
    if (net->credit_ends) {
        return;
    }
    for (uint32_t k = 0; k < node->filters.count; k++) {
        const struct scan scan = scan_of(net, node, k, true);
        switch (scan.filter->kind) {
        case ABLATION_DECAY:
            decay_backward(&scan, net->scratch);
            break;
        case ABLATION_DELAY:
            delay_backward(&scan);
            break;
        case ABLATION_WAVE:
            wave_backward(&scan, net->scratch);
            break;
        }
    }
}
