#include "tests/bench/lstm.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "model/elementary.h"
#include "model/kernel.h"
#include "tests/bench/demand.h"
#include "tests/bench/lstm_wide.h"

#define BYTE_VALUES 256
#define BYTE_SYMBOLS 257 /* the byte values, and the start of the text */
#define MOMENT_DECAY 0.99
#define STEP_RMS_MAX 4.0
#define SETTLED_RATE_MIN 0.1
#define GRAM_TABLES 3
#define GRAM_COLUMNS (CHIRR_LSTM_GRAM_WIDTH / GRAM_TABLES)
#define GRAM_STEP 0.3 /* a new row's first; the best of 0.15, 0.3, 0.6, 1.2 and 2.4 */
#define STEPS_MAX 1024

struct places {       /* offsets into the parameters */
    size_t embedding; /* [BYTE_SYMBOLS][E] */
    size_t input;     /* [E][4H] */
    size_t recurrent; /* [H][4H] */
    size_t bias;      /* [4H] */
    size_t head;      /* [H][BYTE_VALUES] */
    size_t head_bias; /* [BYTE_VALUES] */
    size_t grams;     /* [4 R][GRAM_COLUMNS]: R rows of two bytes, 2R of three, R of the word */
    size_t end;
};

struct chirr_lstm {
    struct chirr_lstm_config config;
    struct places places;
    const struct chirr_kernels *kernels;
    uint64_t updates;
    uint32_t symbol;             /* what came last */
    uint32_t symbols[STEPS_MAX]; /* [T] what each step of the update read */
    struct context {
        uint32_t recent; /* the last bytes, the newest lowest */
        uint64_t word;   /* hash of the letters since the last other byte, and of that byte */
    } context, context_next;
    uint32_t rows[STEPS_MAX][GRAM_TABLES]; /* [T] likewise, from the first table's first row on */

    chirr_real *weights, *gradient, *moment; /* [places.end] */
    chirr_real *inputs, *d_inputs;           /* [T][E] */
    chirr_real *gates, *d_gates;             /* [T][4H]: i, f, o, g */
    chirr_real *cell;                        /* [T + 1][H], row 0 from the update before */
    chirr_real *squashed;                    /* [T][H], tanh of the cell */
    chirr_real *hidden;                      /* [T + 1][H], row 0 from the update before */
    chirr_real *d_hidden;                    /* [T][H] */
    chirr_real *d_cell;                      /* [H] */
    chirr_real *output;                      /* [T][BYTE_VALUES]: logits, then their gradient */
    chirr_real *transposed;                  /* the largest matrix */
};

static struct places places_of(const struct chirr_lstm_config *c)
{
    struct places p = {.embedding = 0};
    p.input = p.embedding + (size_t)BYTE_SYMBOLS * c->embedding;
    p.recurrent = p.input + (size_t)c->embedding * 4 * c->hidden;
    p.bias = p.recurrent + (size_t)c->hidden * 4 * c->hidden;
    p.head = p.bias + 4 * (size_t)c->hidden;
    p.head_bias = p.head + (size_t)c->hidden * BYTE_VALUES;
    p.grams = p.head_bias + BYTE_VALUES;
    p.end = p.grams + 4 * (size_t)c->gram_rows * GRAM_COLUMNS;
    return p;
}

size_t chirr_lstm_parameter_count(const struct chirr_lstm_config *config)
{
    return places_of(config).end;
}

struct chirr_lstm_config chirr_lstm_config_of_size(size_t parameters, uint32_t gram_rows)
{
    struct chirr_lstm_config config = {.embedding = gram_rows > 0 ? CHIRR_LSTM_GRAM_WIDTH : 32,
                                       .gram_rows = gram_rows,
                                       .hidden = 4,
                                       .steps = 64,
                                       .learning_rate = 8e-3f,
                                       .warmup_updates = 20,
                                       .settling_updates = 500,
                                       .seed = 1};
    struct chirr_lstm_config wider = config;
    while (chirr_lstm_parameter_count(&wider) <= parameters) {
        config = wider;
        wider.hidden += 4;
    }
    size_t below = parameters - chirr_lstm_parameter_count(&config);
    size_t above = chirr_lstm_parameter_count(&wider) - parameters;
    return above < below ? wider : config;
}

/* ---- Creation ------------------------------------------------------------------------------- */

#define DEMANDS 14

static void list_demands(struct chirr_lstm *l, struct demand demands[DEMANDS])
{
    const struct chirr_lstm_config *c = &l->config;
    size_t parameters = places_of(c).end;
    size_t t = c->steps;
    size_t h = c->hidden;
    size_t widest = c->embedding > h ? c->embedding : h;
    size_t matrix = widest * (4 * h > BYTE_VALUES ? 4 * h : BYTE_VALUES);
    const struct demand list[DEMANDS] = {
        {&l->weights, parameters},
        {&l->gradient, parameters},
        {&l->moment, parameters},
        {&l->inputs, t * c->embedding},
        {&l->d_inputs, t * c->embedding},
        {&l->gates, t * 4 * h},
        {&l->d_gates, t * 4 * h},
        {&l->cell, (t + 1) * h},
        {&l->squashed, t * h},
        {&l->hidden, (t + 1) * h},
        {&l->d_hidden, t * h},
        {&l->d_cell, h},
        {&l->output, t * BYTE_VALUES},
        {&l->transposed, matrix},
    };
    memcpy(demands, list, sizeof list);
}

size_t chirr_lstm_bytes(const struct chirr_lstm_config *config)
{
    struct chirr_lstm lstm = {.config = *config};
    struct demand demands[DEMANDS];
    list_demands(&lstm, demands);
    return chirr_arena_round(sizeof lstm) + demand_bytes(demands, DEMANDS);
}

static void fill_normal(struct chirr_lstm *l, uint64_t stream, size_t begin, size_t end,
                        double deviation)
{
    struct chirr_random random;
    chirr_random_init(&random, l->config.seed, stream);
    for (size_t i = begin; i < end; i++) {
        l->weights[i] = (chirr_real)(deviation * chirr_random_normal(&random));
    }
}

/* Wider than is usual, and no bias to remember: of what was tried in one pass, this learned
 * fastest. */
static void init_weights(struct chirr_lstm *l)
{
    const struct places *p = &l->places;
    size_t h = l->config.hidden;
    fill_normal(l, 0, p->embedding, p->input, 1);
    fill_normal(l, 1, p->input, p->recurrent, 2 / sqrt(l->config.embedding));
    fill_normal(l, 2, p->recurrent, p->bias, 1 / sqrt((double)h));
    fill_normal(l, 3, p->head, p->head_bias, 2 / sqrt((double)h));
}

struct chirr_lstm *chirr_lstm_create(struct chirr_arena *arena,
                                     const struct chirr_lstm_config *config)
{
    struct chirr_lstm *l = chirr_arena_take(arena, 1, sizeof *l);
    CHIRR_ASSERT(config->steps <= STEPS_MAX);
    CHIRR_ASSERT(config->gram_rows == 0 || config->embedding >= CHIRR_LSTM_GRAM_WIDTH);
    if (l == NULL) {
        return NULL;
    }
    l->config = *config;
    l->places = places_of(config);
    l->kernels = chirr_kernels_best();
    l->symbol = BYTE_SYMBOLS - 1;
    struct demand demands[DEMANDS];
    list_demands(l, demands);
    if (!demand_take(demands, DEMANDS, arena)) {
        return NULL;
    }
    init_weights(l);
    return l;
}

/* ---- Forward -------------------------------------------------------------------------------- */

/* y [rows][columns] += x [rows][inner] · w [inner][columns], all dense. */
static void multiply(const struct chirr_lstm *l, const size_t shape[3], const chirr_real *x,
                     const chirr_real *w, chirr_real *y)
{
    const struct chirr_product product = {.groups = 1,
                                          .rows = shape[0],
                                          .inner = shape[1],
                                          .columns = shape[2],
                                          .x_row = shape[1],
                                          .x_inner = 1,
                                          .w_inner = shape[2],
                                          .y_row = shape[2]};
    l->kernels->product(&product, x, w, y);
}

static void repeat_row(size_t rows, size_t columns, const chirr_real *row, chirr_real *y)
{
    for (size_t t = 0; t < rows; t++) {
        memcpy(y + t * columns, row, columns * sizeof *y);
    }
}

static uint64_t hash_byte(uint64_t hash, uint8_t byte)
{
    hash = (hash ^ byte) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

static bool is_letter(uint8_t byte)
{
    return byte >= 0x80 || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static void take_byte(struct context *context, uint8_t byte)
{
    context->recent = context->recent << 8 | byte;
    context->word = hash_byte(is_letter(byte) ? context->word : 0, byte);
}

/* The rows of what came last, in tables that begin at rows 0, R and 3R. */
static void find_rows(const struct context *context, uint32_t r, uint32_t rows[GRAM_TABLES])
{
    uint64_t hash = 2;
    hash = hash_byte(hash_byte(hash, (uint8_t)context->recent), (uint8_t)(context->recent >> 8));
    rows[0] = (uint32_t)(hash >> 8) & (r - 1);
    rows[1] =
        r + ((uint32_t)(hash_byte(hash, (uint8_t)(context->recent >> 16)) >> 8) & (2 * r - 1));
    rows[2] = 3 * r + ((uint32_t)(context->word >> 8) & (r - 1));
}

static void read_symbols(struct chirr_lstm *l, const uint8_t *bytes, size_t count)
{
    size_t e = l->config.embedding;
    l->context_next = l->context;
    for (size_t t = 0; t < count; t++) {
        chirr_real *input = l->inputs + t * e;
        l->symbols[t] = t == 0 ? l->symbol : bytes[t - 1];
        memcpy(input, l->weights + l->places.embedding + l->symbols[t] * e, e * sizeof *input);
        if (l->config.gram_rows > 0) {
            find_rows(&l->context_next, l->config.gram_rows, l->rows[t]);
        }
        for (size_t i = 0; i < GRAM_TABLES && l->config.gram_rows > 0; i++) {
            l->kernels->blend(GRAM_COLUMNS, 1, input + i * GRAM_COLUMNS, 1,
                              l->weights + l->places.grams + l->rows[t][i] * GRAM_COLUMNS);
        }
        take_byte(&l->context_next, bytes[t]);
    }
}

/* Nats of all bytes; `output` becomes the gradient of their mean at the logits. */
static double score(struct chirr_lstm *l, const uint8_t *bytes, size_t count)
{
    double nats = 0;
    for (size_t t = 0; t < count; t++) {
        chirr_real *p = l->output + t * BYTE_VALUES;
        l->kernels->softmax(BYTE_VALUES, p);
        chirr_real least = CHIRR_REAL(1e-37);
        nats -= (double)chirr_log(p[bytes[t]] > least ? p[bytes[t]] : least);
        p[bytes[t]] -= 1;
    }
    chirr_real share = 1 / (chirr_real)count;
    for (size_t i = 0; i < count * BYTE_VALUES; i++) {
        l->output[i] *= share;
    }
    return nats;
}

static double forward(struct chirr_lstm *l, const uint8_t *bytes, size_t count)
{
    const struct places *p = &l->places;
    size_t h = l->config.hidden;
    read_symbols(l, bytes, count);
    repeat_row(count, 4 * h, l->weights + p->bias, l->gates);
    multiply(l, (size_t[]){count, l->config.embedding, 4 * h}, l->inputs, l->weights + p->input,
             l->gates);
    for (size_t t = 0; t < count; t++) {
        multiply(l, (size_t[]){1, h, 4 * h}, l->hidden + t * h, l->weights + p->recurrent,
                 l->gates + t * 4 * h);
        chirr_lstm_cell_forward(h, l->gates + t * 4 * h, l->cell + t * h, l->squashed + t * h,
                                l->hidden + (t + 1) * h);
    }
    repeat_row(count, BYTE_VALUES, l->weights + p->head_bias, l->output);
    multiply(l, (size_t[]){count, h, BYTE_VALUES}, l->hidden + h, l->weights + p->head, l->output);
    return score(l, bytes, count);
}

/* ---- Backward ------------------------------------------------------------------------------- */

/* For y = x · w: d_w += xᵀ · d_y. */
static void weights_backward(struct chirr_lstm *l, const size_t shape[3], const chirr_real *x,
                             const chirr_real *d_y, size_t offset)
{
    const struct chirr_product product = {.groups = 1,
                                          .rows = shape[1],
                                          .inner = shape[0],
                                          .columns = shape[2],
                                          .x_row = 1,
                                          .x_inner = shape[1],
                                          .w_inner = shape[2],
                                          .y_row = shape[2]};
    l->kernels->product(&product, x, d_y, l->gradient + offset);
}

/* `transposed` = wᵀ of the matrix [inner][columns] at `offset`. */
static const chirr_real *transpose(struct chirr_lstm *l, size_t offset, size_t inner,
                                   size_t columns)
{
    l->kernels->transpose(inner, columns, l->weights + offset, l->transposed);
    return l->transposed;
}

static void head_backward(struct chirr_lstm *l, size_t count)
{
    const struct places *p = &l->places;
    size_t h = l->config.hidden;
    weights_backward(l, (size_t[]){count, h, BYTE_VALUES}, l->hidden + h, l->output, p->head);
    l->kernels->sum_rows(count, BYTE_VALUES, l->output, l->gradient + p->head_bias);
    memset(l->d_hidden, 0, count * h * sizeof *l->d_hidden);
    multiply(l, (size_t[]){count, BYTE_VALUES, h}, l->output, transpose(l, p->head, h, BYTE_VALUES),
             l->d_hidden);
}

static void cells_backward(struct chirr_lstm *l, size_t count)
{
    size_t h = l->config.hidden;
    const chirr_real *recurrent = transpose(l, l->places.recurrent, h, 4 * h);
    memset(l->d_cell, 0, h * sizeof *l->d_cell);
    for (size_t t = count; t-- > 0;) {
        if (t + 1 < count) {
            multiply(l, (size_t[]){1, 4 * h, h}, l->d_gates + (t + 1) * 4 * h, recurrent,
                     l->d_hidden + t * h);
        }
        const struct chirr_lstm_cell cell = {l->gates + t * 4 * h, l->cell + t * h,
                                             l->squashed + t * h};
        chirr_lstm_cell_backward(h, &cell, l->d_hidden + t * h, l->d_cell, l->d_gates + t * 4 * h);
    }
}

static void inputs_backward(struct chirr_lstm *l, size_t count)
{
    const struct places *p = &l->places;
    size_t h = l->config.hidden;
    size_t e = l->config.embedding;
    weights_backward(l, (size_t[]){count, e, 4 * h}, l->inputs, l->d_gates, p->input);
    memset(l->d_inputs, 0, count * e * sizeof *l->d_inputs);
    multiply(l, (size_t[]){count, 4 * h, e}, l->d_gates, transpose(l, p->input, e, 4 * h),
             l->d_inputs);
    for (size_t t = 0; t < count; t++) {
        const chirr_real *d_input = l->d_inputs + t * e;
        l->kernels->blend(e, 1, l->gradient + p->embedding + l->symbols[t] * e, 1, d_input);
        for (size_t i = 0; i < GRAM_TABLES && l->config.gram_rows > 0; i++) {
            l->kernels->blend(GRAM_COLUMNS, 1,
                              l->gradient + p->grams + l->rows[t][i] * GRAM_COLUMNS, 1,
                              d_input + i * GRAM_COLUMNS);
        }
    }
}

static void backward(struct chirr_lstm *l, size_t count)
{
    const struct places *p = &l->places;
    size_t h = l->config.hidden;
    memset(l->gradient, 0, p->end * sizeof *l->gradient);
    head_backward(l, count);
    cells_backward(l, count);
    weights_backward(l, (size_t[]){count, h, 4 * h}, l->hidden, l->d_gates, p->recurrent);
    l->kernels->sum_rows(count, 4 * h, l->d_gates, l->gradient + p->bias);
    inputs_backward(l, count);
}

/* ---- Learning ------------------------------------------------------------------------------- */

/* The model's own schedule (model/learn.c). */
static double rate_of(const struct chirr_lstm *l)
{
    const struct chirr_lstm_config *c = &l->config;
    double warm = fmin(1, (double)(l->updates + 1) / c->warmup_updates);
    double age = c->settling_updates > 0 ? (double)l->updates / c->settling_updates : 0;
    return warm * (double)c->learning_rate * fmax(SETTLED_RATE_MIN, 1 / sqrt(1 + age));
}

/* Row-wise Adagrad, its sum where the row's moment begins. A row that was read twice has moved
 * already, and its gradient is gone. */
static void descend_rows(struct chirr_lstm *l, size_t count)
{
    double warm = fmin(1, (double)(l->updates + 1) / l->config.warmup_updates);
    for (size_t k = 0; k < count * GRAM_TABLES && l->config.gram_rows > 0; k++) {
        size_t at = l->places.grams + l->rows[k / GRAM_TABLES][k % GRAM_TABLES] * GRAM_COLUMNS;
        double squares = l->kernels->sum_squares(GRAM_COLUMNS, l->gradient + at) / GRAM_COLUMNS;
        l->moment[at] += (chirr_real)squares + CHIRR_REAL(1e-16);
        l->kernels->blend(GRAM_COLUMNS, 1, l->weights + at,
                          (chirr_real)(-warm * GRAM_STEP / sqrt((double)l->moment[at])),
                          l->gradient + at);
        memset(l->gradient + at, 0, GRAM_COLUMNS * sizeof *l->gradient);
    }
}

/* As the model does (model/learn.c): RMSprop, each matrix's step clipped by its own length. */
static void descend(struct chirr_lstm *l, size_t steps)
{
    const struct places *p = &l->places;
    const size_t ends[] = {p->input, p->recurrent, p->bias, p->head, p->head_bias, p->grams};
    double rate = rate_of(l);
    const struct chirr_descent descent = {.decay = CHIRR_REAL(MOMENT_DECAY)};
    size_t begin = 0;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t count = ends[i] - begin;
        double squares =
            l->kernels->descend_moment(&descent, count, l->gradient + begin, l->moment + begin);
        double rms = sqrt(squares / (double)count);
        double step = rate * fmin(1, STEP_RMS_MAX / rms);
        chirr_lstm_move(count, (chirr_real)step, l->gradient + begin, l->moment + begin,
                        l->weights + begin);
        begin = ends[i];
    }
    descend_rows(l, steps);
    l->updates++;
}

static void carry_state(struct chirr_lstm *l, const uint8_t *bytes, size_t count)
{
    size_t h = l->config.hidden;
    memcpy(l->hidden, l->hidden + count * h, h * sizeof *l->hidden);
    memcpy(l->cell, l->cell + count * h, h * sizeof *l->cell);
    l->symbol = bytes[count - 1];
    l->context = l->context_next;
}

double chirr_lstm_learn(struct chirr_lstm *lstm, const uint8_t *bytes, size_t count)
{
    double nats = 0;
    for (size_t at = 0; at < count;) {
        size_t steps = count - at < lstm->config.steps ? count - at : lstm->config.steps;
        nats += forward(lstm, bytes + at, steps);
        backward(lstm, steps);
        descend(lstm, steps);
        carry_state(lstm, bytes + at, steps);
        at += steps;
    }
    return nats / CHIRR_LN2;
}

struct chirr_lstm_parameters chirr_lstm_parameters(struct chirr_lstm *lstm)
{
    return (struct chirr_lstm_parameters){lstm->weights, lstm->gradient, lstm->places.end};
}

double chirr_lstm_gradient(struct chirr_lstm *lstm, const uint8_t *bytes, size_t count)
{
    double nats = forward(lstm, bytes, count);
    backward(lstm, count);
    return nats / (double)count;
}
