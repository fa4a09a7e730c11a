#include "model/selector.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "model/elementary.h"

/* Loads are exponential averages over about so many steps. */
#define LOAD_STEPS CHIRR_REAL(2048)
/* What a step of too much or too little load moves the bias by. */
#define BIAS_RATE (CHIRR_REAL(0.1) / LOAD_STEPS)
#define BIAS_MAX CHIRR_REAL(2)
/* How much a sense's own habit weighs against the gradient's choice. */
#define HABIT CHIRR_REAL(0.5)
#define NOISE_AT_FIRST CHIRR_REAL(0.1)

chirr_real chirr_selector_partition_rate(const struct chirr_layout *layout)
{
    double share = (double)layout->slots / layout->hosted_count;
    return layout->selects ? (chirr_real)sqrt(sqrt(share)) : 1;
}

static size_t answer_count(const struct chirr_layout *layout)
{
    return layout->selects ? (size_t)layout->layers * layout->hosted_count : 0;
}

size_t chirr_selector_bytes(const struct chirr_layout *layout, uint32_t sense_count)
{
    return (2 + sense_count) * chirr_arena_round(answer_count(layout) * sizeof(chirr_real));
}

bool chirr_selector_init(struct chirr_selector *selector, struct chirr_arena *arena,
                         const struct chirr_layout *layout, uint32_t sense_count)
{
    size_t count = answer_count(layout);
    selector->count = count;
    selector->bias = chirr_arena_take(arena, count, sizeof(chirr_real));
    selector->load = chirr_arena_take(arena, count, sizeof(chirr_real));
    bool taken = selector->bias != NULL && selector->load != NULL;
    for (uint32_t i = 0; i < sense_count; i++) {
        selector->loads[i] = chirr_arena_take(arena, count, sizeof(chirr_real));
        taken = taken && selector->loads[i] != NULL;
    }
    return taken;
}

/* Uniform in −noise…noise, a function of layer, unit and the stream's place in time. */
static chirr_real noise_at(const struct chirr_stream *stream, uint32_t layer, uint32_t t,
                           uint32_t unit)
{
    const uint64_t step = stream->position + t - stream->filled;
    const uint32_t counter[4] = {(uint32_t)step, (uint32_t)(step >> 32), layer, unit / 4};
    const uint32_t key[2] = {0, 0};
    uint32_t words[4];
    chirr_philox(counter, key, words);
    chirr_real uniform = (chirr_real)(words[unit % 4] >> 8) * CHIRR_REAL(0x1p-24);
    return stream->noise * (2 * uniform - 1);
}

chirr_real chirr_selector_noise(const struct chirr_layout *layout, uint64_t updates)
{
    chirr_real rest = 1 - (chirr_real)updates / CHIRR_SELECTOR_NOISE_UPDATES;
    return layout->selects && rest > 0 ? NOISE_AT_FIRST * rest : 0;
}

void chirr_selector_choose(const struct chirr_layout *layout, const struct chirr_stream *stream,
                           uint32_t layer, uint32_t t, const chirr_real *logits,
                           const struct chirr_choice *choice)
{
    chirr_real opened[CHIRR_MODEL_PARTITIONS_MAX];
    chirr_real scores[CHIRR_MODEL_PARTITIONS_MAX];
    const chirr_real *offsets = stream->offsets + (size_t)layer * layout->hosted_count;
    for (uint32_t unit = 0; unit < layout->hosted_count; unit++) {
        opened[unit] = chirr_sigmoid(logits[layout->hosted[unit]]);
        scores[unit] = opened[unit] + offsets[unit];
        scores[unit] += stream->noise > 0 ? noise_at(stream, layer, t, unit) : 0;
    }
    bool taken[CHIRR_MODEL_PARTITIONS_MAX] = {false};
    for (uint32_t slot = 0; slot < layout->slots; slot++) {
        uint32_t best = layout->hosted_count;
        for (uint32_t unit = 0; unit < layout->hosted_count; unit++) {
            bool better = best == layout->hosted_count || scores[unit] > scores[best];
            best = !taken[unit] && better ? unit : best;
        }
        taken[best] = true;
    }
    uint32_t slot = 0;
    for (uint32_t unit = 0; unit < layout->hosted_count; unit++) {
        if (taken[unit]) {
            choice->units[slot] = (uint8_t)unit;
            choice->opened[slot++] = opened[unit];
        }
    }
}

/* Adds what the open chunk counted to an average of shares. */
static void follow_load(chirr_real *load, const uint32_t *counts, size_t units, uint32_t steps)
{
    chirr_real rate = (chirr_real)steps / LOAD_STEPS;
    for (size_t i = 0; i < units; i++) {
        load[i] += rate * ((chirr_real)counts[i] / (chirr_real)steps - load[i]);
    }
}

static void follow_layer(struct chirr_selector *selector, const struct chirr_layout *layout,
                         uint32_t sense, uint32_t layer, const struct chirr_stream *stream)
{
    size_t units = layout->hosted_count;
    uint32_t counts[CHIRR_MODEL_PARTITIONS_MAX] = {0};
    for (uint32_t t = 0; t < stream->filled; t++) {
        const uint8_t *chosen = chirr_stream_chosen(stream, layout, layer, t);
        for (uint32_t slot = 0; slot < layout->slots; slot++) {
            counts[chosen[slot]]++;
        }
    }
    chirr_real *bias = selector->bias + layer * units;
    chirr_real *load = selector->load + layer * units;
    chirr_real *own = selector->loads[sense] + layer * units;
    follow_load(load, counts, units, stream->filled);
    follow_load(own, counts, units, stream->filled);
    chirr_real share = (chirr_real)layout->slots / (chirr_real)units;
    for (size_t i = 0; i < units; i++) {
        bias[i] += BIAS_RATE * (chirr_real)stream->filled * (share - load[i]);
        bias[i] = bias[i] < BIAS_MAX ? bias[i] : BIAS_MAX;
        bias[i] = bias[i] > -BIAS_MAX ? bias[i] : -BIAS_MAX;
        stream->offsets[layer * units + i] = bias[i] + HABIT * (own[i] - load[i]);
    }
}

void chirr_selector_follow(struct chirr_selector *selector, const struct chirr_layout *layout,
                           uint32_t sense, struct chirr_stream *stream, uint64_t updates)
{
    if (!layout->selects || stream->filled == 0) {
        return;
    }
    for (uint32_t layer = 0; layer < layout->layers; layer++) {
        follow_layer(selector, layout, sense, layer, stream);
    }
    stream->noise = chirr_selector_noise(layout, updates);
}
