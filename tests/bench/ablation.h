/* Byte models of many shapes, learned by hand-written gradients: what the ablation is made of.
 *
 * A model is a list of operations over a chunk of bytes, each a matrix [steps][width], in the order
 * of their computation. Since rates are predefined, a layer's traces need only its inputs, so that
 * every operation runs over the whole chunk before the next one begins. What a chunk leaves to the
 * next one is the state: traces, and the last inputs of delays and convolutions.
 * Not thread-safe; owned by the caller; `ablation_net_finish` frees what `init` made. */
#ifndef CHIRR_TESTS_BENCH_ABLATION_H
#define CHIRR_TESTS_BENCH_ABLATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/kernel.h"

#define ABLATION_NODES_MAX 128
#define ABLATION_BLOCKS_MAX (2 * ABLATION_NODES_MAX)
#define ABLATION_FILTERS_MAX 16
#define ABLATION_TABLES_MAX 8
#define ABLATION_ORDER_MAX 16
/* Orders beyond the last: the word so far (letters since the last other byte), with digits and _,
 * and with the word before it. */
#define ABLATION_WORD (ABLATION_ORDER_MAX + 1)
#define ABLATION_NAME (ABLATION_ORDER_MAX + 2)
#define ABLATION_WORDS (ABLATION_ORDER_MAX + 3)
#define ABLATION_TEXT_MAX 128
#define ABLATION_STEPS_MAX 512
#define ABLATION_BYTE_VALUES 256

/* ---- Operations ----------------------------------------------------------------------------- */

enum ablation_op {
    ABLATION_EMBED,  /* row of a table by the present byte */
    ABLATION_HASHED, /* a + row of a hashed table by the last `order` bytes, from column a_at on */
    ABLATION_NORM,   /* RMSNorm with gain */
    ABLATION_LINEAR, /* b + a W (+ bias), in groups */
    ABLATION_TIED,   /* bias + scale · a Eᵀ with the embedding E */
    ABLATION_TRACE,  /* predefined filters over the past of a */
    ABLATION_GATE,   /* gate(a) ⊙ b */
    ABLATION_ADD,    /* a + b */
    ABLATION_CONV,   /* Σ_j tap_j ⊙ a_{t-j} */
};

enum ablation_gate {
    ABLATION_SILU,     /* SiLU(a) ⊙ b */
    ABLATION_SIGMOID,  /* σ(a) ⊙ b */
    ABLATION_SIGMOID2, /* 2σ(a) ⊙ b, 1 at the beginning */
    ABLATION_PRODUCT,  /* a ⊙ b */
    ABLATION_TANH,     /* tanh(a) ⊙ b */
    ABLATION_RELU2,    /* relu(a)² ⊙ b */
};

/* How a filter looks at the past. */
enum ablation_filter_kind {
    ABLATION_DECAY, /* Σ_j rate^j x_{t-1-j} */
    ABLATION_DELAY, /* x_{t-delay} */
    ABLATION_WAVE,  /* Σ_j rate^j cos(phase j) x_{t-1-j} */
};

struct ablation_filter {
    enum ablation_filter_kind kind;
    chirr_real rate;
    chirr_real phase;
    chirr_real gain; /* on what is written */
    uint32_t delay;
    bool corrected; /* divide by 1 − rate^t while t is small */
};

struct ablation_filters {
    uint32_t count;
    struct ablation_filter list[ABLATION_FILTERS_MAX];
    bool now;    /* the present belongs to the past */
    bool sliced; /* filter k reads its own columns of the input, not all of them */
};

struct ablation_node {
    enum ablation_op op;
    int32_t a, b; /* nodes read, -1 for none */
    size_t a_at, b_at;
    size_t width;
    size_t weights, bias; /* offsets; of a table: its number */
    size_t state;
    size_t groups, inner, columns; /* of a LINEAR: per group */
    size_t a_group;                /* from one group's inputs to the next one's */
    bool biased;
    enum ablation_gate gate;
    uint32_t order; /* of a hash or a convolution */
    chirr_real scale;
    struct ablation_filters filters;
    chirr_real *y, *d_y; /* [steps_max][width] */
    chirr_real *aux;     /* NORM: hat [steps_max][width] and scale [steps_max] */
};

/* Rows are touched by few bytes, so that only those are updated. */
struct ablation_table {
    size_t rows, width;
    chirr_real *own, *gradient, *moment; /* [rows][width] */
    uint32_t *updates;                   /* [rows] */
    uint32_t *touched;                   /* rows of this chunk, [steps_max], repeats allowed */
    size_t touched_count;
    bool *is_touched; /* [rows] */
};

/* One matrix of weights: how it begins, and how fast it learns. */
struct ablation_block {
    size_t offset, count;
    double mean, deviation;
    double rate; /* relative to the rule's */
    bool ramp;   /* 0…1 along the block, or the mirror of it where the mean is 0 */
};

struct ablation_net {
    const struct chirr_kernels *kernels;
    size_t steps_max, steps; /* of the chunk */
    bool credit_ends;        /* at every step: what traces read counts as given */
    bool traces_held;        /* they read what they read last, whatever is written to them now */
    size_t unscored; /* of them, the first: they lend credit to the others and cost nothing */
    uint64_t seed;
    struct ablation_block blocks[ABLATION_BLOCKS_MAX];
    size_t block_count;
    struct ablation_node nodes[ABLATION_NODES_MAX];
    int32_t count;
    struct ablation_table tables[ABLATION_TABLES_MAX];
    size_t table_count;
    size_t parameters; /* of the arrays below */
    chirr_real *weights, *gradient, *moment;
    size_t state_count;
    chirr_real *state, *state_before;
    uint8_t recent[ABLATION_ORDER_MAX]; /* bytes before the chunk, the newest last */
    uint8_t recent_before[ABLATION_ORDER_MAX];
    const uint8_t *bytes; /* the chunk's inputs */
    chirr_real *scratch;
};

/* ---- Making (ablation_net.c) ---------------------------------------------------------------- */

void ablation_net_init(struct ablation_net *net, size_t steps_max, uint64_t seed);
/* After the last node: allocates and draws the weights. */
void ablation_net_ready(struct ablation_net *net);
void ablation_net_finish(struct ablation_net *net);
size_t ablation_net_parameters(const struct ablation_net *net);

/* In groups: group g maps columns from_at + g · from_group … of `from` to its own columns. */
struct ablation_linear {
    int32_t from;
    size_t from_at;
    int32_t plus; /* node that is added, or -1 */
    size_t groups, inner, columns;
    size_t from_group;
    bool biased;
    double deviation;
};

/* Each adds one operation and returns its number; what it reads must have been added before. */
int32_t ablation_embed(struct ablation_net *net, size_t width, double deviation);
/* `at_width`: first column, and columns of a row. `rows` is a power of two. */
int32_t ablation_hashed(struct ablation_net *net, int32_t from, uint32_t order, size_t rows,
                        const size_t at_width[2]);
int32_t ablation_norm(struct ablation_net *net, int32_t from);
int32_t ablation_linear(struct ablation_net *net, const struct ablation_linear *linear);
int32_t ablation_tied(struct ablation_net *net, int32_t from, int32_t embed, double scale);
int32_t ablation_trace(struct ablation_net *net, int32_t from,
                       const struct ablation_filters *filters);
int32_t ablation_gate(struct ablation_net *net, enum ablation_gate gate, int32_t by, int32_t what);
/* Both halves of one node. */
int32_t ablation_gate_halves(struct ablation_net *net, enum ablation_gate gate, int32_t from);
int32_t ablation_add(struct ablation_net *net, int32_t a, int32_t b);
/* `ramp`: two taps that share 1, the present's share growing from channel to channel. */
int32_t ablation_conv(struct ablation_net *net, int32_t from, uint32_t taps, bool ramp,
                      double first);

/* ---- Running (ablation_net.c, ablation_ops.c) ----------------------------------------------- */

/* The state of a beginning; weights stay. */
void ablation_net_reset(struct ablation_net *net);
/* The last node's rows become probabilities. Returns the bits of `bytes[1…steps]`, less those that
 * are unscored. */
double ablation_net_forward(struct ablation_net *net, const uint8_t *bytes, size_t steps);
/* As if the last forward pass had ended after `steps`. */
void ablation_net_rewind(struct ablation_net *net, size_t steps);
/* Adds the gradient of the mean nats of the last forward pass. */
void ablation_net_backward(struct ablation_net *net);

void ablation_op_forward(struct ablation_net *net, struct ablation_node *node);
void ablation_op_backward(struct ablation_net *net, struct ablation_node *node);
void ablation_trace_forward(struct ablation_net *net, struct ablation_node *node);
void ablation_trace_backward(struct ablation_net *net, struct ablation_node *node);
size_t ablation_trace_state(const struct ablation_filters *filters, size_t width);

/* ---- Learning (ablation_learn.c) ------------------------------------------------------------ */

struct ablation_rule {
    double rate, decay;
    double clip;       /* an update's root mean square in a matrix, in rates; 0 for none */
    double table_rate; /* of hashed tables */
    double halving;    /* rate / √(1 + updates / halving); 0 for a constant rate */
    uint32_t summed;   /* tables learn by Adagrad: 1 a sum a weight, 2 a row */
    uint32_t warmup;
    uint64_t updates;
};

/* One step along the gradient, which it clears. */
void ablation_update(struct ablation_net *net, struct ablation_rule *rule);

/* ---- Variants (ablation_variant.c) ---------------------------------------------------------- */

struct ablation_options {
    char name[ABLATION_TEXT_MAX], text[ABLATION_TEXT_MAX], mode[ABLATION_TEXT_MAX];
    char slope[ABLATION_TEXT_MAX], decay[ABLATION_TEXT_MAX];           /* filters */
    char slope_gate[ABLATION_TEXT_MAX], decay_gate[ABLATION_TEXT_MAX]; /* [-]kind */
    char input_gate[ABLATION_TEXT_MAX]; /* none, diagonal, full, low, value */
    char ngrams[ABLATION_TEXT_MAX], head_ngrams[ABLATION_TEXT_MAX]; /* order:rows:at:width,… */
    double bytes, seed, width, layers, section, decay_section, mlp, chunk, rate, warmup, clip;
    double block, added, normed, conv, shift, now, tied, tied_scale, gain, table_rate;
    double window, passes, held, beta, before, credit;
    double embed_deviation, head_deviation, history_deviation, output_deviation; /* factors */
    double embed_rate, head_rate, table_summed, halving;
};

bool ablation_options_parse(struct ablation_options *options, int argc, char **argv);
/* False with a word on standard error where an option makes no sense. */
bool ablation_build(struct ablation_net *net, const struct ablation_options *options);

#endif
