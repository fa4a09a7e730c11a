/* The transformer with its cache, compiled in double, against one that computes every position anew
 * by plain loops. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "tests/bench/transformer.h"

enum { D = 16, HEADS = 2, DEPTH = D / HEADS, F = 24, LAYERS = 2, STEPS = 150 };

static const struct chirr_transformer_config small = {
    .width = D, .layers = LAYERS, .heads = HEADS, .mlp_width = F, .positions_max = 192, .seed = 3};

static struct chirr_arena arena;
static struct chirr_transformer *transformer;
static struct chirr_transformer_places places;
static double cached[STEPS][256];
static uint8_t text[STEPS];

static void read_text(double probabilities[STEPS][256])
{
    chirr_transformer_seek(transformer, 0);
    for (size_t t = 0; t < STEPS; t++) {
        const chirr_real *p = chirr_transformer_step(transformer, text[t]);
        for (size_t i = 0; i < 256; i++) {
            probabilities[t][i] = (double)p[i];
        }
    }
}

static void enter(void)
{
    cr_assert_eq(chirr_arena_init(&arena, chirr_transformer_bytes(&small)), CHIRR_OK);
    transformer = chirr_transformer_create(&arena, &small);
    cr_assert_not_null(transformer);
    places = chirr_transformer_places(&small);
    struct chirr_random random;
    chirr_random_init(&random, 5, 0);
    chirr_real *head = chirr_transformer_weights(transformer) + places.head;
    for (size_t i = 0; i < D * 256; i++) {
        head[i] = chirr_random_normal(&random); /* a fresh one predicts hardly anything */
    }
    for (size_t i = 0; i < STEPS; i++) {
        text[i] = (uint8_t)chirr_random_below(&random, 256);
    }
}

static void leave(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(transformer, .init = enter, .fini = leave);

/* ---- The reference -------------------------------------------------------------------------- */

static void norm_reference(const double *x, const double *gain, double *n)
{
    double squares = 0;
    for (size_t i = 0; i < D; i++) {
        squares += x[i] * x[i];
    }
    for (size_t i = 0; i < D; i++) {
        n[i] = gain[i] * x[i] / sqrt(squares / D + 1e-6);
    }
}

/* y += x w */
static void multiply_reference(size_t inner, size_t columns, const double *x, const double *w,
                               double *y)
{
    for (size_t i = 0; i < inner; i++) {
        for (size_t j = 0; j < columns; j++) {
            y[j] += x[i] * w[i * columns + j];
        }
    }
}

/* q · k after both were turned by their positions: only the distance matters. */
static double match_reference(const double *q, const double *k, size_t distance)
{
    double sum = 0;
    for (size_t i = 0; i < DEPTH; i += 2) {
        double angle = (double)distance * pow(10000, -(double)i / DEPTH);
        double along = q[i] * k[i] + q[i + 1] * k[i + 1];
        double across = q[i] * k[i + 1] - q[i + 1] * k[i];
        sum += along * cos(angle) + across * sin(angle);
    }
    return sum / sqrt(DEPTH);
}

static void attend_reference(double qkv[STEPS][3 * D], size_t t, size_t head, double *out)
{
    double weights[STEPS];
    double total = 0;
    for (size_t s = 0; s <= t; s++) {
        weights[s] = exp(match_reference(qkv[t] + head * DEPTH, qkv[s] + D + head * DEPTH, t - s));
        total += weights[s];
    }
    for (size_t s = 0; s <= t; s++) {
        for (size_t i = 0; i < DEPTH; i++) {
            out[i] += weights[s] / total * qkv[s][2 * D + head * DEPTH + i];
        }
    }
}

static void layer_reference(const double *w, double x[STEPS][D])
{
    static double qkv[STEPS][3 * D];
    memset(qkv, 0, sizeof qkv);
    for (size_t t = 0; t < STEPS; t++) {
        double n[D];
        norm_reference(x[t], w + places.gain_attention, n);
        multiply_reference(D, 3 * D, n, w + places.qkv, qkv[t]);
    }
    for (size_t t = 0; t < STEPS; t++) {
        double n[D], attended[D] = {0}, hidden[2 * F] = {0}, mixed[F];
        for (size_t head = 0; head < HEADS; head++) {
            attend_reference(qkv, t, head, attended + head * DEPTH);
        }
        multiply_reference(D, D, attended, w + places.output, x[t]);
        norm_reference(x[t], w + places.gain_mlp, n);
        multiply_reference(D, 2 * F, n, w + places.up, hidden);
        for (size_t i = 0; i < F; i++) {
            mixed[i] = hidden[i] / (1 + exp(-hidden[i])) * hidden[F + i];
        }
        multiply_reference(F, D, mixed, w + places.down, x[t]);
    }
}

static void predict_reference(const double *weights, double logits[STEPS][256])
{
    static double x[STEPS][D];
    for (size_t t = 0; t < STEPS; t++) {
        memcpy(x[t], weights + places.embedding + text[t] * D, sizeof x[t]);
    }
    for (size_t layer = 0; layer < LAYERS; layer++) {
        layer_reference(weights + places.layer + layer * places.layer_size, x);
    }
    for (size_t t = 0; t < STEPS; t++) {
        double n[D];
        norm_reference(x[t], weights + places.gain_final, n);
        memcpy(logits[t], weights + places.head_bias, sizeof logits[t]);
        multiply_reference(D, 256, n, weights + places.head, logits[t]);
    }
}

/* ---- The tests ------------------------------------------------------------------------------ */

Test(transformer, takes_exactly_the_memory_it_asked_for)
{
    cr_expect_eq(arena.used, arena.capacity);
}

Test(transformer, with_a_cache_predicts_what_a_full_recomputation_does)
{
    static double expected[STEPS][256];
    read_text(cached);
    predict_reference(chirr_transformer_weights(transformer), expected);
    for (size_t t = 0; t < STEPS; t++) {
        double total = 0;
        for (size_t i = 0; i < 256; i++) {
            total += exp(expected[t][i]);
        }
        for (size_t i = 0; i < 256; i++) {
            double p = exp(expected[t][i]) / total;
            cr_assert_lt(fabs(cached[t][i] - p), 1e-5 * p + 1e-12, "step %zu, byte %zu: %g, not %g",
                         t, i, cached[t][i], p);
        }
    }
}

Test(transformer, past_matters_and_the_future_does_not)
{
    static double changed[STEPS][256];
    enum { CHANGED = 70 };
    read_text(cached);
    text[CHANGED] ^= 1;
    read_text(changed);
    cr_expect_eq(memcmp(cached, changed, sizeof cached[0] * CHANGED), 0);
    for (size_t t = CHANGED; t < STEPS; t++) {
        cr_expect_neq(memcmp(cached[t], changed[t], sizeof cached[t]), 0, "step %zu", t);
    }
}

Test(transformer, noise_in_the_cache_is_read_at_every_position)
{
    chirr_transformer_seek(transformer, 191);
    double empty = (double)chirr_transformer_step(transformer, 1)[0];
    chirr_transformer_fill_cache(transformer);
    chirr_transformer_seek(transformer, 191);
    cr_expect_neq((double)chirr_transformer_step(transformer, 1)[0], empty);
}
