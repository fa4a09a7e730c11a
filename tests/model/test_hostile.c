/* A million random steps and hostile values, over several tiny models: nothing that the model holds
 * or says is ever other than finite, and afterwards it still learns.
 *
 * CHIRR_SEED and CHIRR_STEPS in the environment replay or lengthen a run; every failure names both
 * the seed and the step. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "model/delta.h"
#include "model/elementary.h"
#include "model/internal.h"
#include "tests/model/support.h"
#include "tests/support/sanitizer.h"

#if ADDRESS_SANITIZER
#define STEPS_DEFAULT 60000
#else
#define STEPS_DEFAULT 1000000
#endif

enum { SHAPES = 4, BATCH = 500, TEXT_MAX = 200, CANDIDATES_MAX = 40 };
enum { TEXT, LOAD, COST, SOUND, PICTURE, SENSES };
enum { LOAD_WIDTH = 3, COST_WIDTH = 4, NUMBERS = CANDIDATES_MAX * COST_WIDTH };

static struct chirr_arena arena;
static struct chirr_arena peer_arena;
static struct chirr_model *model;
static struct chirr_model *peer; /* of the same lineage: its deltas are good ones */
static struct chirr_random dice;
static uint64_t seed;
static uint64_t now; /* the step */

#define HOLD(condition)                                                                            \
    cr_assert(condition, "%s: CHIRR_SEED=%" PRIu64 ", step %" PRIu64, #condition, seed, now)

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);
    return value == NULL ? otherwise : strtoull(value, NULL, 0);
}

static struct chirr_model_config shape(int which)
{
    struct chirr_model_config c = small_config();
    c.replay_bytes = 2048;
    c.gram_rows = 16;
    c.sense_count = SENSES;
    c.senses[LOAD].width = LOAD_WIDTH;
    c.senses[COST].width = COST_WIDTH;
    c.senses[SOUND] = (struct chirr_model_sense){.name = "sound", .kind = CHIRR_SENSE_AUDIO};
    c.senses[PICTURE] = (struct chirr_model_sense){
        .name = "picture", .kind = CHIRR_SENSE_IMAGE, .width = 6, .channels = 3};
    if (which == 1) { /* few numbers, chosen partitions, the fastest learning that is allowed */
        c.layers = 1;
        c.rates = 1;
        c.section_width = 8;
        c.mlp_width = 0;
        c.active = 1;
        c.chunk = 3;
        c.learning_rate = 0.1f;
        c.warmup_updates = 0;
        c.settling_updates = 0;
        c.replay_bytes = 1024;
        c.replay_share = 0.5f;
        c.gram_rows = 0;
        c.narrow_reads = true;
    }
    if (which == 2) { /* hosted in part, gated, an update a step */
        c.width = 24;
        c.layers = 1;
        c.hosted = 0xB;
        c.active = 2;
        c.input_gate = true;
        c.chunk = 1;
        c.trunk_rate = 1;
    }
    if (which == 3) { /* the rates of the paper, and nobody to hear from */
        c.decay_min = 0;
        c.decay_max = 0;
        c.chunk = 32;
        c.drift = false;
        c.replay_bytes = 0;
        c.origins_max = 0;
    }
    return c;
}

/* ---- What is thrown at it -------------------------------------------------------------------- */

static uint32_t below(uint32_t bound)
{
    return (uint32_t)chirr_random_below(&dice, bound);
}

static float any_bits(void)
{
    uint32_t bits = chirr_random_u32(&dice);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float hostile_number(void)
{
    static const float numbers[] = {NAN,     INFINITY, -INFINITY, 1e38f, -3.4e38f, 1e-45f,
                                    -1e-40f, -0.0f,    0.0f,      1e19f, -1e19f,   1e-30f,
                                    1,       -1,       1.2e-38f,  65504, 16777216, 1e9f};
    switch (below(4)) {
    case 0:
        return numbers[below(sizeof numbers / sizeof *numbers)];
    case 1:
        return any_bits();
    default:
        return (float)chirr_random_normal(&dice);
    }
}

/* All of one temper: calm, missing, without infinities, or anything at all. */
static void fill_numbers(float *values, size_t count)
{
    uint32_t temper = below(8);
    for (size_t i = 0; i < count; i++) {
        float value = hostile_number();
        value = temper < 5 && isinf(value) ? 3.4e38f : value;
        value = temper < 3 ? (float)chirr_random_normal(&dice) : value;
        values[i] = temper == 3 ? NAN : value;
    }
}

static bool has_infinity(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (isinf(values[i])) {
            return true;
        }
    }
    return false;
}

/* A sense, seldom one that is none. */
static uint32_t any_sense(void)
{
    return below(50) == 0 ? UINT32_MAX - below(3) : below(SENSES + 1);
}

static void fill_text(uint8_t *text, size_t count)
{
    uint32_t temper = below(3);
    for (size_t i = 0; i < count; i++) {
        text[i] = temper == 0 ? 0xFF : temper == 1 ? (uint8_t)below(256) : (uint8_t)(i % 5);
    }
}

/* ---- What it is asked to do ------------------------------------------------------------------ */

static void check_step(const struct chirr_model_step *step)
{
    HOLD(isfinite(step->bits));
    HOLD(isfinite(step->surprise));
}

static bool is_symbols(uint32_t sense)
{
    return sense == TEXT || sense == SOUND || sense == PICTURE;
}

static void try_byte(void)
{
    uint32_t sense = any_sense();
    struct chirr_model_step step;
    enum chirr_err err = chirr_model_step_byte(model, sense, (uint8_t)below(256), &step);
    HOLD(err == (is_symbols(sense) ? CHIRR_OK : CHIRR_ERR_INVALID));
    if (err == CHIRR_OK) {
        check_step(&step);
    }
}

static void try_bytes(void)
{
    uint32_t sense = any_sense();
    uint8_t text[TEXT_MAX];
    size_t count = below(20) == 0 ? below(TEXT_MAX) : below(10);
    struct chirr_model_reading reading;
    fill_text(text, count);
    enum chirr_err err = chirr_model_step_bytes(model, sense, text, count, &reading);
    HOLD(err == (is_symbols(sense) ? CHIRR_OK : CHIRR_ERR_INVALID));
    HOLD(isfinite(reading.bits) && reading.bits >= 0);
    now += count;
}

static void try_vector(void)
{
    uint32_t sense = below(20) == 0 ? any_sense() : LOAD;
    float values[LOAD_WIDTH];
    struct chirr_model_step step;
    fill_numbers(values, LOAD_WIDTH);
    enum chirr_err err = chirr_model_step_vector(model, sense, values, &step);
    HOLD(sense == LOAD || err == CHIRR_ERR_INVALID);
    HOLD(sense != LOAD ||
         err == (has_infinity(values, LOAD_WIDTH) ? CHIRR_ERR_NOTFINITE : CHIRR_OK));
    if (err == CHIRR_OK) {
        check_step(&step);
    }
}

static void try_outcome(void)
{
    uint32_t sense = below(20) == 0 ? any_sense() : COST;
    float features[COST_WIDTH];
    const struct chirr_model_outcome outcome = {hostile_number(), below(3) > 0};
    struct chirr_model_step step;
    fill_numbers(features, COST_WIDTH);
    enum chirr_err err = chirr_model_step_outcome(model, sense, features, &outcome, &step);
    bool fits =
        !has_infinity(features, COST_WIDTH) && (!outcome.success || isfinite(outcome.target));
    HOLD(sense == COST || err == CHIRR_ERR_INVALID);
    HOLD(sense != COST || err == (fits ? CHIRR_OK : CHIRR_ERR_NOTFINITE));
    if (err == CHIRR_OK) {
        check_step(&step);
    }
}

static void check_interval(const struct chirr_model_forecast *forecast)
{
    double coverage = below(2) == 0 ? 0.9 : (double)hostile_number();
    struct chirr_model_interval interval;
    enum chirr_err err = chirr_model_interval(model, COST, forecast, coverage, &interval);
    HOLD(err == (coverage > 0 && coverage < 1 ? CHIRR_OK : CHIRR_ERR_RANGE));
    if (err == CHIRR_OK) {
        HOLD(isfinite(interval.low) && isfinite(interval.high));
        HOLD(interval.low <= interval.high);
    }
}

static void try_peek(void)
{
    static float features[NUMBERS];
    struct chirr_model_forecast forecasts[CANDIDATES_MAX];
    size_t count = below(CANDIDATES_MAX + 1);
    fill_numbers(features, count * COST_WIDTH);
    enum chirr_err err = chirr_model_peek(model, COST, features, count, forecasts);
    HOLD(err == (has_infinity(features, count * COST_WIDTH) ? CHIRR_ERR_NOTFINITE : CHIRR_OK));
    for (size_t i = 0; err == CHIRR_OK && i < count; i++) {
        HOLD(isfinite(forecasts[i].mean));
        HOLD(isfinite(forecasts[i].deviation) && forecasts[i].deviation > 0);
        HOLD(forecasts[i].success >= 0 && forecasts[i].success <= 1);
        check_interval(&forecasts[i]);
    }
}

static void try_forecast_vector(void)
{
    struct chirr_model_component forecast[LOAD_WIDTH];
    double coverage = below(2) == 0 ? 0.8 : (double)hostile_number();
    enum chirr_err err = chirr_model_forecast_vector(model, LOAD, coverage, forecast);
    HOLD(err == (coverage > 0 && coverage < 1 ? CHIRR_OK : CHIRR_ERR_RANGE));
    for (int i = 0; err == CHIRR_OK && i < LOAD_WIDTH; i++) {
        bool came = model->senses[LOAD].normaliser.count[i] > 0 ||
                    model->senses[LOAD].normaliser.run[i] > 0;
        HOLD(came == (bool)isfinite(forecast[i].mean));
        HOLD(!came || forecast[i].deviation > 0);
        HOLD(!came || (isfinite(forecast[i].deviation) && forecast[i].low <= forecast[i].high));
    }
}

static void try_generate(void)
{
    static const float temperatures[] = {0, 1, NAN, -1, INFINITY, -INFINITY, 1e-45f, 1e-3f, 3e38f};
    uint32_t sense = any_sense();
    uint8_t text[16];
    float temperature = temperatures[below(sizeof temperatures / sizeof *temperatures)];
    enum chirr_err err =
        chirr_model_generate(model, sense, temperature, &dice, text, below(sizeof text + 1));
    HOLD(err == (!is_symbols(sense)      ? CHIRR_ERR_INVALID
                 : isfinite(temperature) ? CHIRR_OK
                                         : CHIRR_ERR_NOTFINITE));
}

static void try_evaluate(void)
{
    uint32_t sense = any_sense();
    uint8_t text[TEXT_MAX];
    size_t count = below(3) == 0 ? below(3) : below(TEXT_MAX);
    double bits = 0;
    fill_text(text, count);
    enum chirr_err err = chirr_model_evaluate(model, sense, text, count, below(2) == 0, &bits);
    HOLD(err == (!is_symbols(sense) ? CHIRR_ERR_INVALID : count < 2 ? CHIRR_ERR_RANGE : CHIRR_OK));
    HOLD(isfinite(bits));
}

static void try_begin(void)
{
    uint32_t sense = any_sense();
    HOLD(chirr_model_begin(model, sense) == (is_symbols(sense) ? CHIRR_OK : CHIRR_ERR_INVALID));
}

/* A delta of the peer's, now and then damaged, or nothing but noise. */
static size_t any_delta(uint32_t partition, uint8_t bytes[CHIRR_DELTA_BYTES_MAX])
{
    uint8_t text[32];
    size_t count = 0;
    struct chirr_model_reading reading;
    fill_text(text, sizeof text);
    HOLD(chirr_model_step_bytes(peer, TEXT, text, sizeof text, &reading) == CHIRR_OK);
    if (below(4) > 0) {
        enum chirr_err err =
            chirr_delta_extract(peer, partition, bytes, CHIRR_DELTA_BYTES_MAX, &count);
        HOLD(err == CHIRR_OK || err == CHIRR_ERR_INVALID);
    }
    if (count == 0) {
        count = below(100);
        for (size_t i = 0; i < count; i++) {
            bytes[i] = (uint8_t)below(256);
        }
    }
    for (uint32_t flips = below(2) * below(9); flips > 0 && count > 0; flips--) {
        bytes[below((uint32_t)count)] ^= (uint8_t)(1 << below(8));
    }
    if (below(4) == 0 && count > 6) { /* the first block's scale: format, count, gap before it */
        bytes[4] = (uint8_t)below(256);
        bytes[5] = (uint8_t)below(256);
    }
    return below(8) == 0 ? count / 2 : count;
}

static void try_delta(void)
{
    uint8_t bytes[CHIRR_DELTA_BYTES_MAX];
    uint32_t partition = below(6);
    const struct chirr_delta_source source = {below(8), below(3), now + below(50), partition};
    size_t count = any_delta(partition, bytes);
    enum chirr_err err = chirr_delta_apply(model, &source, bytes, count);
    HOLD(err == CHIRR_OK || source.origin != 0 || err == CHIRR_ERR_INVALID ||
         err == CHIRR_ERR_MALFORMED || err == CHIRR_ERR_NOTFINITE);
    float g = below(2) == 0 ? 1 : hostile_number();
    err = chirr_delta_weigh(model, below(8), g);
    HOLD(err != CHIRR_OK || (g >= 0 && g <= 1));
    if (below(4) == 0) {
        chirr_delta_revoke(model, below(8));
    }
    uint8_t own[CHIRR_DELTA_BYTES_MAX];
    err = chirr_delta_extract(model, below(6), own, below(sizeof own + 1), &count);
    HOLD(err == CHIRR_OK || err == CHIRR_ERR_INVALID || err == CHIRR_ERR_RANGE);
    HOLD(isfinite(chirr_delta_drift(model, below(7))));
}

/* ---- What must hold -------------------------------------------------------------------------- */

static bool all_finite(const chirr_real *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!chirr_is_finite((double)values[i])) {
            return false;
        }
    }
    return true;
}

static void check_stream(const struct chirr_stream *s, const struct chirr_layout *layout)
{
    HOLD(all_finite(s->traces, chirr_stream_trace_count(layout)));
    HOLD(all_finite(s->traces_start, chirr_stream_trace_count(layout)));
    HOLD(all_finite(s->powers, 2 * (size_t)layout->rates));
    HOLD(all_finite(s->input, (size_t)s->filled * s->inputs));
    HOLD(all_finite(s->d_output, (size_t)s->filled * s->outputs));
    HOLD(chirr_is_finite((double)s->noise));
}

static void check_model(void)
{
    const size_t total = model->body.layout.total;
    chirr_model_settle(model);
    HOLD(all_finite(model->own, total));
    HOLD(all_finite(model->average, total));
    HOLD(all_finite(model->base, total));
    HOLD(all_finite(model->weights, total));
    HOLD(all_finite(model->moment, total));
    HOLD(all_finite(model->gram_squares, model->body.layout.gram_rows));
    HOLD(all_finite(model->selector.bias, model->selector.count));
    HOLD(all_finite(model->selector.load, model->selector.count));
    for (uint32_t i = 0; i < SENSES; i++) {
        const struct chirr_sense_state *state = &model->senses[i];
        HOLD(isfinite(state->bits_mean));
        HOLD(isfinite(state->drift.state.mean) && isfinite(state->drift.state.sum));
        check_stream(&state->stream, &model->body.layout);
        if (state->rehearses) {
            HOLD(
                all_finite(state->rehearsal.traces, chirr_stream_trace_count(&model->body.layout)));
        }
    }
    const struct chirr_sense_state *load = &model->senses[LOAD];
    HOLD(all_finite(load->last, LOAD_WIDTH));
    for (uint32_t i = 0; i < LOAD_WIDTH; i++) {
        HOLD(isfinite(load->normaliser.mean[i]) && isfinite(load->normaliser.variance[i]));
        HOLD(isfinite(chirr_calibration_quantile(&load->calibrations[i], 0.01)));
    }
    const struct chirr_outcomes *outcomes = &model->senses[COST].outcomes;
    HOLD(all_finite(outcomes->readouts, (size_t)outcomes->count * outcomes->body_width));
    HOLD(isfinite(outcomes->noise) && outcomes->noise >= 0);
    struct chirr_model_statistics statistics;
    chirr_model_statistics(model, &statistics);
    HOLD(isfinite(statistics.own_norm) && isfinite(statistics.foreign_norm));
}

static void act(void)
{
    static void (*const often[])(void) = {try_bytes, try_byte, try_vector};
    static void (*const seldom[])(void) = {try_outcome,  try_peek,  try_forecast_vector,
                                           try_generate, try_begin, try_evaluate,
                                           try_delta};
    if (below(9) > 0) {
        often[below(sizeof often / sizeof *often)]();
    } else {
        seldom[below(sizeof seldom / sizeof *seldom)]();
    }
    if (below(300) == 0) {
        chirr_model_freeze(model, below(3) == 0);
    }
    now++;
}

static double read_pattern(size_t bytes)
{
    static const uint8_t pattern[] = "the model still learns; ";
    struct chirr_model_reading reading;
    double bits = 0;
    for (size_t i = 0; i < bytes; i += sizeof pattern - 1) {
        HOLD(chirr_model_step_bytes(model, TEXT, pattern, sizeof pattern - 1, &reading) ==
             CHIRR_OK);
        bits += reading.bits;
    }
    return bits / (double)bytes;
}

static void storm(int which, uint64_t steps)
{
    struct chirr_model_config config = shape(which);
    struct chirr_model_config peer_config = config;
    peer_config.hosted = 0xF;
    model = make_model(&arena, &config);
    peer = make_model(&peer_arena, &peer_config);
    seed = from_environment("CHIRR_SEED", 20261122);
    chirr_random_init(&dice, seed, (uint64_t)which);
    for (now = 0; now < steps;) {
        for (uint64_t batch = now + BATCH; now < batch;) {
            act();
        }
        check_model();
    }
    chirr_model_freeze(model, false);
    for (uint64_t origin = 1; origin < 8; origin++) {
        chirr_delta_revoke(model, origin);
    }
    read_pattern(24 * 200);
    double bits = read_pattern(24 * 20);
    HOLD(config.learning_rate == 0.1f || bits < 4);
    check_model();
    chirr_arena_finish(&peer_arena);
    chirr_arena_finish(&arena);
}

#define STORM(which) storm(which, from_environment("CHIRR_STEPS", STEPS_DEFAULT) / SHAPES)

Test(hostile, a_small_model_stays_finite_and_still_learns)
{
    STORM(0);
}

Test(hostile, a_model_that_learns_too_fast_stays_finite)
{
    STORM(1);
}

Test(hostile, a_part_of_a_gated_model_stays_finite_and_still_learns)
{
    STORM(2);
}

Test(hostile, a_model_with_the_rates_of_the_paper_stays_finite_and_still_learns)
{
    STORM(3);
}

Test(hostile, steps_that_are_refused_are_counted_and_change_nothing)
{
    struct chirr_model_config config = shape(0);
    model = make_model(&arena, &config);
    struct chirr_model_step step;
    struct chirr_model_statistics before;
    struct chirr_model_statistics after;
    const float infinite[COST_WIDTH] = {1, -INFINITY, 1, 1};
    const struct chirr_model_outcome outcome = {.target = 1, .success = true};
    HOLD(chirr_model_step_vector(model, LOAD, (float[LOAD_WIDTH]){1, 2, 3}, &step) == CHIRR_OK);
    chirr_model_statistics(model, &before);
    uint8_t trace_before[64];
    memcpy(trace_before, model->senses[LOAD].stream.traces, sizeof trace_before);
    HOLD(chirr_model_step_vector(model, LOAD, infinite, &step) == CHIRR_ERR_NOTFINITE);
    HOLD(chirr_model_step_outcome(model, COST, infinite, &outcome, &step) == CHIRR_ERR_NOTFINITE);
    chirr_model_statistics(model, &after);
    HOLD(after.steps_refused == before.steps_refused + 2);
    HOLD(after.steps == before.steps && after.updates == before.updates);
    HOLD(memcmp(trace_before, model->senses[LOAD].stream.traces, sizeof trace_before) == 0);
    chirr_arena_finish(&arena);
}
