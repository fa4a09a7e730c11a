#include "model/stream.h"

#include <string.h>

void chirr_row_layout_init(struct chirr_row_layout *r, const struct chirr_layout *layout)
{
    size_t d = layout->width;
    size_t second = layout->hidden > 0 ? d : 0; /* the norm before the MLP */
    size_t sections = (size_t)layout->slots * 2 * layout->channels;
    r->hat1 = 0;
    r->n1 = r->hat1 + d;
    r->gate = r->n1 + d;
    r->history = r->gate + (layout->gates_input ? d : 0);
    r->present = r->history + sections;
    r->hat2 = r->present + sections;
    r->n2 = r->hat2 + second;
    r->hidden = r->n2 + second;
    r->scales = r->hidden + (size_t)layout->slots * 2 * layout->hidden;
    r->opened = r->scales + 2;
    r->stride = r->opened + layout->slots;
}

/* The arrays of a stream, in one place for both counting and taking. */
struct demand {
    chirr_real **array;
    size_t count;
};

#define DEMANDS 9

static void list_demands(struct chirr_stream *s, const struct chirr_layout *layout,
                         const struct chirr_stream_shape *shape, struct demand demands[DEMANDS])
{
    struct chirr_row_layout rows;
    chirr_row_layout_init(&rows, layout);
    size_t traces = chirr_stream_trace_count(layout);
    size_t rates = 2 * layout->rates;
    size_t steps = shape->chunk;
    const struct demand list[DEMANDS] = {
        {&s->traces, traces},
        {&s->traces_start, traces},
        {&s->powers, rates},
        {&s->powers_start, rates},
        {&s->rows, layout->layers * steps * rows.stride},
        {&s->offsets, layout->selects ? (size_t)layout->layers * layout->hosted_count : 0},
        {&s->finals, steps * (2 * layout->width + 1)},
        {&s->input, steps * shape->inputs},
        {&s->d_output, steps * shape->outputs},
    };
    memcpy(demands, list, sizeof list);
}

static size_t chosen_count(const struct chirr_layout *layout, uint32_t chunk)
{
    return (size_t)layout->layers * chunk * layout->slots;
}

static uint32_t symbol_inputs(const struct chirr_model_config *config, enum chirr_sense_kind kind)
{
    bool grams = kind == CHIRR_SENSE_BYTES && config->gram_rows > 0;
    return 1 + (grams ? CHIRR_GRAM_TABLES : 0) +
           (kind == CHIRR_SENSE_IMAGE ? CHIRR_PIXEL_INPUTS : 0);
}

struct chirr_stream_shape chirr_stream_shape_of(const struct chirr_model_config *config,
                                                uint32_t sense)
{
    const struct chirr_model_sense *s = &config->senses[sense];
    uint32_t brief =
        config->chunk < CHIRR_MODEL_VECTOR_CHUNK ? config->chunk : CHIRR_MODEL_VECTOR_CHUNK;
    switch (s->kind) {
    case CHIRR_SENSE_OUTCOME:
        return (struct chirr_stream_shape){.chunk = 1, .inputs = s->width};
    case CHIRR_SENSE_VECTOR:
        return (struct chirr_stream_shape){
            .chunk = s->chunk > 0 ? s->chunk : brief, .inputs = s->width, .outputs = 2 * s->width};
    case CHIRR_SENSE_BYTES:
    case CHIRR_SENSE_AUDIO:
    case CHIRR_SENSE_IMAGE:
        break;
    }
    return (struct chirr_stream_shape){
        .chunk = s->chunk > 0 ? s->chunk : config->chunk,
        .inputs = symbol_inputs(config, s->kind),
        .outputs = CHIRR_BYTE_VALUES,
    };
}

size_t chirr_stream_bytes(const struct chirr_layout *layout, const struct chirr_stream_shape *shape)
{
    struct chirr_stream stream;
    struct demand demands[DEMANDS];
    list_demands(&stream, layout, shape, demands);
    size_t bytes = chirr_arena_round(chosen_count(layout, shape->chunk));
    for (size_t i = 0; i < DEMANDS; i++) {
        bytes += chirr_arena_round(demands[i].count * sizeof(chirr_real));
    }
    return bytes;
}

bool chirr_stream_init(struct chirr_stream *stream, struct chirr_arena *arena,
                       const struct chirr_layout *layout, const struct chirr_stream_shape *shape)
{
    *stream = (struct chirr_stream){
        .chunk = shape->chunk, .inputs = shape->inputs, .outputs = shape->outputs};
    struct demand demands[DEMANDS];
    list_demands(stream, layout, shape, demands);
    for (size_t i = 0; i < DEMANDS; i++) {
        *demands[i].array = chirr_arena_take(arena, demands[i].count, sizeof(chirr_real));
        if (*demands[i].array == NULL) {
            return false;
        }
    }
    stream->chosen = chirr_arena_take(arena, chosen_count(layout, shape->chunk), 1);
    if (stream->chosen == NULL) {
        return false;
    }
    if (!layout->selects) { /* all of them, always */
        for (size_t i = 0; i < chosen_count(layout, shape->chunk); i++) {
            stream->chosen[i] = (uint8_t)(i % layout->slots);
        }
    }
    chirr_stream_reset(stream, layout);
    return true;
}

void chirr_stream_reset(struct chirr_stream *stream, const struct chirr_layout *layout)
{
    memset(stream->traces, 0, chirr_stream_trace_count(layout) * sizeof(chirr_real));
    for (uint32_t k = 0; k < 2 * layout->rates; k++) {
        stream->powers[k] = 1;
    }
    chirr_stream_begin_chunk(stream, layout);
}

void chirr_stream_copy_state(struct chirr_stream *to, const struct chirr_stream *from,
                             const struct chirr_layout *layout)
{
    memcpy(to->traces, from->traces, chirr_stream_trace_count(layout) * sizeof(chirr_real));
    memcpy(to->powers, from->powers, 2 * layout->rates * sizeof(chirr_real));
    chirr_stream_copy_offsets(to, from, layout);
    to->filled = 0;
}

void chirr_stream_copy_offsets(struct chirr_stream *to, const struct chirr_stream *from,
                               const struct chirr_layout *layout)
{
    if (layout->selects) {
        memcpy(to->offsets, from->offsets,
               (size_t)layout->layers * layout->hosted_count * sizeof(chirr_real));
    }
}

void chirr_stream_begin_chunk(struct chirr_stream *stream, const struct chirr_layout *layout)
{
    memcpy(stream->traces_start, stream->traces,
           chirr_stream_trace_count(layout) * sizeof(chirr_real));
    memcpy(stream->powers_start, stream->powers, 2 * layout->rates * sizeof(chirr_real));
    stream->filled = 0;
}
