#include "tests/bench/transformer.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "model/elementary.h"
#include "model/kernel.h"
#include "tests/bench/demand.h"

#define BLOCK CHIRR_TRANSFORMER_BLOCK
#define BYTE_VALUES 256
#define BYTE_SYMBOLS 257
#define ROTATION_BASE 10000.0

struct chirr_transformer {
    struct chirr_transformer_config config;
    struct chirr_transformer_places places;
    const struct chirr_kernels *kernels;
    size_t depth; /* d = D / heads */
    uint32_t position;

    chirr_real *weights; /* [places.end] */
    chirr_real *keys;    /* [layers][heads][positions / BLOCK][d][BLOCK] */
    chirr_real *values;  /* [layers][heads][positions][d] */
    chirr_real *x, *hat, *n;
    chirr_real *qkv;      /* [3D] */
    chirr_real *scores;   /* [positions] */
    chirr_real *attended; /* [D] */
    chirr_real *hidden;   /* [2F] */
    chirr_real *mixed;    /* [F] */
    chirr_real *turns;    /* [d / 2][2]: cosine and sine at the present position */
    chirr_real *output;   /* [256] */
};

struct chirr_transformer_places
chirr_transformer_places(const struct chirr_transformer_config *config)
{
    size_t d = config->width;
    size_t f = config->mlp_width;
    struct chirr_transformer_places p = {.embedding = 0, .gain_attention = 0};
    p.qkv = p.gain_attention + d;
    p.output = p.qkv + d * 3 * d;
    p.gain_mlp = p.output + d * d;
    p.up = p.gain_mlp + d;
    p.down = p.up + d * 2 * f;
    p.layer_size = p.down + f * d;
    p.layer = BYTE_SYMBOLS * d;
    p.gain_final = p.layer + config->layers * p.layer_size;
    p.head = p.gain_final + d;
    p.head_bias = p.head + d * BYTE_VALUES;
    p.end = p.head_bias + BYTE_VALUES;
    return p;
}

size_t chirr_transformer_parameter_count(const struct chirr_transformer_config *config)
{
    return chirr_transformer_places(config).end;
}

/* ---- Creation ------------------------------------------------------------------------------- */

#define DEMANDS 13

static void list_demands(struct chirr_transformer *t, struct demand demands[DEMANDS])
{
    const struct chirr_transformer_config *c = &t->config;
    size_t d = c->width;
    size_t cache = (size_t)c->layers * c->positions_max * d;
    const struct demand list[DEMANDS] = {
        {&t->weights, chirr_transformer_parameter_count(c)},
        {&t->keys, cache},
        {&t->values, cache},
        {&t->x, d},
        {&t->hat, d},
        {&t->n, d},
        {&t->qkv, 3 * d},
        {&t->scores, c->positions_max},
        {&t->attended, d},
        {&t->hidden, 2 * (size_t)c->mlp_width},
        {&t->mixed, c->mlp_width},
        {&t->turns, d / c->heads},
        {&t->output, BYTE_VALUES},
    };
    memcpy(demands, list, sizeof list);
}

size_t chirr_transformer_bytes(const struct chirr_transformer_config *config)
{
    struct chirr_transformer transformer = {.config = *config};
    struct demand demands[DEMANDS];
    list_demands(&transformer, demands);
    return chirr_arena_round(sizeof transformer) + demand_bytes(demands, DEMANDS);
}

static void fill_normal(chirr_real *array, size_t count, double deviation,
                        struct chirr_random *random)
{
    for (size_t i = 0; i < count; i++) {
        array[i] = (chirr_real)(deviation * chirr_random_normal(random));
    }
}

static void fill_ones(chirr_real *array, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        array[i] = 1;
    }
}

static void init_weights(struct chirr_transformer *t)
{
    const struct chirr_transformer_places *p = &t->places;
    size_t d = t->config.width;
    struct chirr_random random;
    chirr_random_init(&random, t->config.seed, 0);
    fill_normal(t->weights, p->layer, 1, &random);
    for (uint32_t i = 0; i < t->config.layers; i++) {
        chirr_real *layer = t->weights + p->layer + i * p->layer_size;
        fill_normal(layer, p->down, sqrt(1.0 / (double)d), &random);
        fill_normal(layer + p->down, p->layer_size - p->down, sqrt(1.0 / t->config.mlp_width),
                    &random);
        fill_ones(layer + p->gain_attention, d);
        fill_ones(layer + p->gain_mlp, d);
    }
    fill_ones(t->weights + p->gain_final, d);
    fill_normal(t->weights + p->head, p->head_bias - p->head, 0.02, &random);
}

struct chirr_transformer *chirr_transformer_create(struct chirr_arena *arena,
                                                   const struct chirr_transformer_config *config)
{
    CHIRR_ASSERT(config->width % (2 * config->heads) == 0);
    CHIRR_ASSERT(config->positions_max % BLOCK == 0);
    struct chirr_transformer *t = chirr_arena_take(arena, 1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    t->config = *config;
    t->places = chirr_transformer_places(config);
    t->kernels = chirr_kernels_best();
    t->depth = config->width / config->heads;
    struct demand demands[DEMANDS];
    list_demands(t, demands);
    if (!demand_take(demands, DEMANDS, arena)) {
        return NULL;
    }
    init_weights(t);
    return t;
}

/* ---- A step --------------------------------------------------------------------------------- */

/* y [columns] += x [inner] · w [inner][columns] */
static void multiply(const struct chirr_transformer *t, size_t inner, size_t columns,
                     const chirr_real *x, const chirr_real *w, chirr_real *y)
{
    const struct chirr_product product = {.groups = 1,
                                          .rows = 1,
                                          .inner = inner,
                                          .columns = columns,
                                          .x_inner = 1,
                                          .w_inner = columns};
    t->kernels->product(&product, x, w, y);
}

static void turn_to_position(struct chirr_transformer *t)
{
    for (size_t i = 0; i < t->depth / 2; i++) {
        double rate = pow(ROTATION_BASE, -2.0 * (double)i / (double)t->depth);
        t->turns[2 * i] = (chirr_real)cos(rate * t->position);
        t->turns[2 * i + 1] = (chirr_real)sin(rate * t->position);
    }
}

/* Each pair (v_2i, v_2i+1) of a head turned by its angle, and scaled. */
static void rotate(const struct chirr_transformer *t, chirr_real scale, chirr_real *v)
{
    for (size_t i = 0; i < t->depth; i += 2) {
        chirr_real a = scale * v[i];
        chirr_real b = scale * v[i + 1];
        v[i] = a * t->turns[i] - b * t->turns[i + 1];
        v[i + 1] = a * t->turns[i + 1] + b * t->turns[i];
    }
}

/* One head: stores its key and value, and reads all of them. */
static void attend(struct chirr_transformer *t, size_t layer, size_t head)
{
    size_t d = t->depth;
    size_t seen = (size_t)t->position + 1;
    size_t cache = (layer * t->config.heads + head) * t->config.positions_max * d;
    chirr_real *q = t->qkv + head * d;
    chirr_real *k = q + t->config.width;
    chirr_real *keys = t->keys + cache;
    chirr_real *values = t->values + cache;
    rotate(t, (chirr_real)(1 / sqrt((double)d)), q);
    rotate(t, 1, k);
    chirr_real *block = keys + t->position / BLOCK * BLOCK * d + t->position % BLOCK;
    for (size_t i = 0; i < d; i++) {
        block[i * BLOCK] = k[i];
    }
    memcpy(values + t->position * d, k + t->config.width, d * sizeof *values);

    size_t blocks = (seen + BLOCK - 1) / BLOCK;
    memset(t->scores, 0, blocks * BLOCK * sizeof *t->scores);
    const struct chirr_product match = {.groups = blocks,
                                        .rows = 1,
                                        .inner = d,
                                        .columns = BLOCK,
                                        .x_inner = 1,
                                        .w_group = d * BLOCK,
                                        .w_inner = BLOCK,
                                        .y_group = BLOCK};
    t->kernels->product(&match, q, keys, t->scores);
    t->kernels->softmax(seen, t->scores);
    multiply(t, seen, d, t->scores, values, t->attended + head * d);
}

static void attention(struct chirr_transformer *t, size_t layer, const chirr_real *w)
{
    const struct chirr_transformer_places *p = &t->places;
    size_t d = t->config.width;
    t->kernels->norm(d, t->x, w + p->gain_attention, t->hat, t->n);
    memset(t->qkv, 0, 3 * d * sizeof *t->qkv);
    multiply(t, d, 3 * d, t->n, w + p->qkv, t->qkv);
    memset(t->attended, 0, d * sizeof *t->attended);
    for (size_t head = 0; head < t->config.heads; head++) {
        attend(t, layer, head);
    }
    multiply(t, d, d, t->attended, w + p->output, t->x);
}

static void mlp(struct chirr_transformer *t, const chirr_real *w)
{
    const struct chirr_transformer_places *p = &t->places;
    size_t d = t->config.width;
    size_t f = t->config.mlp_width;
    t->kernels->norm(d, t->x, w + p->gain_mlp, t->hat, t->n);
    memset(t->hidden, 0, 2 * f * sizeof *t->hidden);
    multiply(t, d, 2 * f, t->n, w + p->up, t->hidden);
    t->kernels->gate(f, t->hidden, t->hidden + f, t->mixed);
    multiply(t, f, d, t->mixed, w + p->down, t->x);
}

const chirr_real *chirr_transformer_step(struct chirr_transformer *t, uint32_t symbol)
{
    CHIRR_ASSERT(t->position < t->config.positions_max);
    CHIRR_ASSERT(symbol < BYTE_SYMBOLS);
    const struct chirr_transformer_places *p = &t->places;
    size_t d = t->config.width;
    turn_to_position(t);
    memcpy(t->x, t->weights + p->embedding + symbol * d, d * sizeof *t->x);
    for (size_t layer = 0; layer < t->config.layers; layer++) {
        const chirr_real *w = t->weights + p->layer + layer * p->layer_size;
        attention(t, layer, w);
        mlp(t, w);
    }
    t->kernels->norm(d, t->x, t->weights + p->gain_final, t->hat, t->n);
    memcpy(t->output, t->weights + p->head_bias, BYTE_VALUES * sizeof *t->output);
    multiply(t, d, BYTE_VALUES, t->n, t->weights + p->head, t->output);
    t->kernels->softmax(BYTE_VALUES, t->output);
    t->position++;
    return t->output;
}

void chirr_transformer_fill_cache(struct chirr_transformer *t)
{
    size_t count = (size_t)t->config.layers * t->config.positions_max * t->config.width;
    struct chirr_random random;
    chirr_random_init(&random, t->config.seed, 1);
    for (size_t i = 0; i < count; i++) {
        t->keys[i] = (chirr_real)(chirr_random_uniform(&random) - 0.5);
        t->values[i] = (chirr_real)(chirr_random_uniform(&random) - 0.5);
    }
}

void chirr_transformer_seek(struct chirr_transformer *t, uint32_t position)
{
    t->position = position;
}

chirr_real *chirr_transformer_weights(struct chirr_transformer *t)
{
    return t->weights;
}
