/* From options to a net. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/ablation.h"

/* ---- Filters -------------------------------------------------------------------------------- */

static void add_filter(struct ablation_filters *filters, struct ablation_filter filter, double gain)
{
    double rate = (double)filter.rate;
    if (filter.kind != ABLATION_DELAY) {
        filter.corrected = filter.kind == ABLATION_DECAY && gain == 0;
        filter.gain = (chirr_real)(gain == 0 ? 1 - rate : gain * sqrt(1 - rate * rate));
    }
    if (filters->count < ABLATION_FILTERS_MAX) {
        filters->list[filters->count++] = filter;
    }
}

static double rate_of(double steps)
{
    return exp(-1 / steps);
}

/* `6-512/4`: four decays, their time constants log-spaced. */
static bool add_range(struct ablation_filters *filters, const char *item, double gain)
{
    double least, most;
    int count;
    if (sscanf(item, "%lf-%lf/%d", &least, &most, &count) != 3 || count < 1) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        double share = count > 1 ? (double)i / (count - 1) : 0.5;
        double steps = exp(log(least) + share * (log(most) - log(least)));
        struct ablation_filter filter = {.kind = ABLATION_DECAY};
        filter.rate = (chirr_real)rate_of(steps);
        add_filter(filters, filter, gain);
    }
    return true;
}

/* The rates of the MCSD paper: ALiBi's slopes, and 1 - 2^(-5-i). */
static bool add_paper(struct ablation_filters *filters, const char *item, double gain)
{
    int count;
    bool slopes = sscanf(item, "alibi/%d", &count) == 1;
    if (!slopes && sscanf(item, "retention/%d", &count) != 1) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        struct ablation_filter filter = {.kind = ABLATION_DECAY};
        filter.rate = (chirr_real)(slopes ? pow(2, -8.0 * (i + 1) / count) : 1 - pow(2, -5.0 - i));
        add_filter(filters, filter, gain);
    }
    return true;
}

static bool add_item(struct ablation_filters *filters, const char *item, double gain)
{
    double a, b;
    struct ablation_filter filter = {.kind = ABLATION_DECAY};
    if (sscanf(item, "w%lf@%lf", &a, &b) == 2) {
        filter.kind = ABLATION_WAVE;
        filter.rate = (chirr_real)rate_of(a);
        filter.phase = (chirr_real)b;
    } else if (sscanf(item, "d%lf", &a) == 1 && a >= 1) {
        filter.kind = ABLATION_DELAY;
        filter.delay = (uint32_t)a;
    } else if (sscanf(item, "t%lf", &a) == 1) {
        filter.rate = (chirr_real)rate_of(a);
    } else {
        return add_range(filters, item, gain) || add_paper(filters, item, gain);
    }
    add_filter(filters, filter, gain);
    return true;
}

static bool parse_filters(struct ablation_filters *filters, const char *text, double gain)
{
    char copy[ABLATION_TEXT_MAX];
    snprintf(copy, sizeof copy, "%s", text);
    char *rest = copy;
    for (char *item = strsep(&rest, ","); item != NULL; item = strsep(&rest, ",")) {
        if (!add_item(filters, item, gain)) {
            fprintf(stderr, "ablation: %s is no filter\n", item);
            return false;
        }
    }
    return filters->count > 0;
}

/* ---- Gates ---------------------------------------------------------------------------------- */

struct fusion {
    enum ablation_gate gate;
    bool by_history; /* gate(history) ⊙ present instead of gate(present) ⊙ history */
};

static bool parse_fusion(struct fusion *fusion, const char *text)
{
    static const char *const names[] = {"silu", "sigmoid", "sigmoid2", "product", "tanh", "relu2"};
    fusion->by_history = *text == '-';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text + fusion->by_history, names[i]) == 0) {
            fusion->gate = (enum ablation_gate)i;
            return true;
        }
    }
    fprintf(stderr, "ablation: %s is no gate\n", text);
    return false;
}

/* ---- Sections ------------------------------------------------------------------------------- */

struct section {
    struct ablation_filters filters;
    struct fusion fusion;
    size_t width;
    bool normed;
};

struct plan {
    const struct ablation_options *o;
    struct section sections[2];
    size_t section_count;
};

/* Groups of columns of `from`, each with a matrix of its own; `gain` on the usual deviation. */
static int32_t project_by(struct ablation_net *net, int32_t from, const size_t columns_groups[2],
                          double gain)
{
    size_t columns = columns_groups[0], groups = columns_groups[1];
    size_t inner = net->nodes[from].width / groups;
    const struct ablation_linear linear = {.from = from,
                                           .plus = -1,
                                           .groups = groups,
                                           .inner = inner,
                                           .columns = columns / groups,
                                           .from_group = inner,
                                           .deviation = gain / sqrt((double)inner)};
    return ablation_linear(net, &linear);
}

static int32_t project(struct ablation_net *net, int32_t from, size_t columns, size_t groups)
{
    const size_t columns_groups[2] = {columns, groups};
    return project_by(net, from, columns_groups, 1);
}

/* What is written to the traces. */
static int32_t gate_input(struct ablation_net *net, const struct plan *plan, int32_t n)
{
    const char *kind = plan->o->input_gate;
    size_t width = net->nodes[n].width;
    int rank;
    int32_t by;
    if (strcmp(kind, "diagonal") == 0) {
        by = ablation_conv(net, n, 1, false, 0);
    } else if (strcmp(kind, "full") == 0) {
        by = project(net, n, width, 1);
    } else if (sscanf(kind, "low%d", &rank) == 1) {
        by = project(net, project(net, n, (size_t)rank, 1), width, 1);
    } else {
        return n;
    }
    return ablation_gate(net, ABLATION_SIGMOID2, by, n);
}

static int32_t history_of(struct ablation_net *net, const struct plan *plan,
                          const struct section *section, int32_t input)
{
    struct ablation_filters filters = section->filters;
    filters.now = plan->o->now > 0;
    if (strcmp(plan->o->input_gate, "value") == 0) {
        int32_t by = project(net, input, section->width, 1);
        int32_t what = project(net, input, section->width, 1);
        filters.sliced = true;
        return ablation_trace(net, ablation_gate(net, ABLATION_SIGMOID2, by, what), &filters);
    }
    filters.sliced = plan->o->block > 0;
    int32_t read = ablation_trace(net, input, &filters);
    const size_t columns_groups[2] = {section->width, filters.count};
    return project_by(net, read, columns_groups, plan->o->history_deviation);
}

static int32_t section_of(struct ablation_net *net, const struct plan *plan,
                          const struct section *section, const int32_t input_present[2])
{
    int32_t history = history_of(net, plan, section, input_present[0]);
    if (section->normed) {
        history = ablation_norm(net, history);
    }
    size_t groups = plan->o->block > 0 ? section->filters.count : 1;
    int32_t present = project(net, input_present[1], section->width, groups);
    bool by_history = section->fusion.by_history;
    return ablation_gate(net, section->fusion.gate, by_history ? history : present,
                         by_history ? present : history);
}

static int32_t output(struct ablation_net *net, int32_t from, int32_t x, double deviation)
{
    const struct ablation_linear linear = {.from = from,
                                           .plus = x,
                                           .groups = 1,
                                           .inner = net->nodes[from].width,
                                           .columns = net->nodes[x].width,
                                           .deviation = deviation};
    return ablation_linear(net, &linear);
}

static int32_t layer(struct ablation_net *net, const struct plan *plan, int32_t x)
{
    const struct ablation_options *o = plan->o;
    double residual = o->output_deviation / sqrt(2 * o->layers);
    int32_t n = ablation_norm(net, x);
    if (o->conv > 0) {
        n = ablation_conv(net, n, (uint32_t)o->conv, false, 1);
    }
    int32_t input_present[2] = {gate_input(net, plan, n), n};
    if (o->shift > 0) {
        input_present[1] = ablation_conv(net, n, 2, true, 1);
        input_present[0] = o->shift > 1 ? input_present[1] : input_present[0];
    }
    size_t widths = 0;
    for (size_t i = 0; i < plan->section_count; i++) {
        widths += plan->sections[i].width;
    }
    for (size_t i = 0; i < plan->section_count; i++) {
        int32_t mixed = section_of(net, plan, &plan->sections[i], input_present);
        x = o->added > 0 ? ablation_add(net, x, mixed)
                         : output(net, mixed, x, residual / sqrt((double)widths));
    }
    if (o->mlp > 0) {
        int32_t up = project(net, ablation_norm(net, x), 2 * (size_t)o->mlp, 1);
        x = output(net, ablation_gate_halves(net, ABLATION_SILU, up), x, residual / sqrt(o->mlp));
    }
    return x;
}

/* ---- The net -------------------------------------------------------------------------------- */

/* Adds hashed tables, `order:rows:column:width,…`, to *x. */
static bool add_tables(struct ablation_net *net, const char *ngrams, int32_t *x)
{
    char copy[ABLATION_TEXT_MAX];
    snprintf(copy, sizeof copy, "%s", ngrams);
    char *rest = *copy != 0 ? copy : NULL;
    for (char *item = strsep(&rest, ","); item != NULL; item = strsep(&rest, ",")) {
        unsigned order, rows;
        size_t at_width[2];
        if (sscanf(item, "%u:%u:%zu:%zu", &order, &rows, &at_width[0], &at_width[1]) != 4 ||
            order < 1 || order > ABLATION_WORDS || (rows & (rows - 1)) != 0 ||
            at_width[0] + at_width[1] > net->nodes[*x].width ||
            net->table_count == ABLATION_TABLES_MAX) {
            fprintf(stderr, "ablation: %s is not order:rows:column:width\n", item);
            return false;
        }
        *x = ablation_hashed(net, *x, order, rows, at_width);
    }
    return true;
}

static bool make_plan(struct plan *plan, const struct ablation_options *o)
{
    *plan = (struct plan){.o = o};
    const struct {
        const char *filters, *gate;
        double width;
    } of[2] = {{o->slope, o->slope_gate, o->section}, {o->decay, o->decay_gate, o->decay_section}};
    for (int i = 0; i < 2; i++) {
        struct section *section = &plan->sections[plan->section_count];
        if (of[i].width <= 0) {
            continue;
        }
        section->width = (size_t)of[i].width;
        section->normed = o->normed > 1 || (o->normed > 0 && i == 1);
        if (!parse_filters(&section->filters, of[i].filters, o->gain) ||
            !parse_fusion(&section->fusion, of[i].gate)) {
            return false;
        }
        plan->section_count++;
        bool divides = section->width % section->filters.count == 0 &&
                       (o->block == 0 || (size_t)o->width % section->filters.count == 0);
        if (!divides || (o->added > 0 && section->width != (size_t)o->width)) {
            fprintf(stderr, "ablation: a section of %zu does not fit\n", section->width);
            return false;
        }
    }
    return true;
}

bool ablation_build(struct ablation_net *net, const struct ablation_options *o)
{
    struct plan plan;
    int32_t x;
    bool offline = strcmp(o->mode, "offline") == 0;
    size_t steps_max = (size_t)(offline && o->window > o->chunk ? o->window : o->chunk + o->before);
    if (steps_max < 1 || steps_max > ABLATION_STEPS_MAX || !make_plan(&plan, o)) {
        return false;
    }
    ablation_net_init(net, steps_max, (uint64_t)o->seed);
    net->credit_ends = o->credit == 0;
    int32_t embedded = x = ablation_embed(net, (size_t)o->width, o->embed_deviation);
    net->blocks[0].rate = o->embed_rate;
    if (!add_tables(net, o->ngrams, &x)) {
        return false;
    }
    for (int i = 0; i < (int)o->layers; i++) {
        x = layer(net, &plan, x);
    }
    x = ablation_norm(net, x);
    if (!add_tables(net, o->head_ngrams, &x)) {
        return false;
    }
    if (o->tied > 0) {
        ablation_tied(net, x, embedded, o->tied_scale);
    } else {
        const struct ablation_linear head = {.from = x,
                                             .plus = -1,
                                             .groups = 1,
                                             .inner = (size_t)o->width,
                                             .columns = ABLATION_BYTE_VALUES,
                                             .biased = true,
                                             .deviation = o->head_deviation};
        ablation_linear(net, &head);
        net->blocks[net->block_count - 2].rate = o->head_rate;
        net->blocks[net->block_count - 1].rate = o->head_rate;
    }
    ablation_net_ready(net);
    return true;
}
