#include "model/explain.h"

#include <string.h>

#include "model/elementary.h"
#include "model/internal.h"

/* What the partition writes into the residual stream, in every layer. */
static void silence(struct chirr_model *model, uint32_t unit)
{
    const struct chirr_layout *l = &model->body.layout;
    for (uint32_t layer = 0; layer < l->layers; layer++) {
        size_t base = chirr_layout_layer(l, unit, layer);
        const struct {
            size_t offset, count;
        } writers[] = {{base + l->output, 2 * (size_t)l->channels * l->width},
                       {base + l->down, (size_t)l->hidden * l->width}};
        for (size_t i = 0; i < 2; i++) {
            memset(model->weights + writers[i].offset, 0,
                   writers[i].count * sizeof *model->weights);
            if (model->narrow != NULL) {
                memset(model->narrow + writers[i].offset, 0,
                       writers[i].count * sizeof *model->narrow);
            }
        }
    }
}

static void silence_all(struct chirr_model *model, uint64_t silenced)
{
    const struct chirr_layout *l = &model->body.layout;
    for (uint32_t unit = 0; unit < l->hosted_count; unit++) {
        if ((silenced >> l->hosted[unit] & 1) != 0) {
            silence(model, unit);
        }
    }
}

static void put_back(struct chirr_model *model, bool averaged, uint64_t silenced)
{
    const struct chirr_layout *l = &model->body.layout;
    if (averaged) {
        chirr_model_weigh(model, model->own, 0, l->total);
    }
    for (uint32_t unit = 0; unit < l->hosted_count && !averaged; unit++) {
        if ((silenced >> l->hosted[unit] & 1) != 0) {
            size_t begin = chirr_layout_unit(l, unit);
            chirr_model_weigh(model, model->own, begin, begin + l->partition_size);
        }
    }
}

static void count_answers(const struct chirr_layout *l, const struct chirr_stream *stream,
                          uint32_t steps, uint64_t *answers)
{
    for (uint32_t layer = 0; layer < l->layers; layer++) {
        for (uint32_t t = 0; t < steps; t++) {
            const uint8_t *units = chirr_stream_chosen(stream, l, layer, t);
            for (uint32_t slot = 0; slot < l->slots; slot++) {
                answers[(size_t)layer * l->partitions + l->hosted[units[slot]]]++;
            }
        }
    }
}

static void read_all(const struct chirr_symbol_reader *reader, const uint8_t *text, size_t bytes,
                     struct chirr_explanation *out)
{
    double nats[CHIRR_MODEL_CHUNK_MAX];
    for (size_t at = 0; at < bytes; at += reader->stream->chunk) {
        size_t rest = bytes - at;
        uint32_t steps = rest < reader->stream->chunk ? (uint32_t)rest : reader->stream->chunk;
        reader->stream->filled = 0;
        chirr_symbols_read(reader, text + at, steps, nats);
        for (uint32_t t = 0; t < steps; t++) {
            out->bits += nats[t] / CHIRR_LN2;
            if (out->each != NULL) {
                out->each[at + t] = (float)(nats[t] / CHIRR_LN2);
            }
        }
        if (out->answers != NULL) {
            count_answers(&reader->body->layout, reader->stream, steps, out->answers);
        }
    }
}

enum chirr_err chirr_model_explain(struct chirr_model *model, uint32_t sense, const uint8_t *text,
                                   size_t bytes, struct chirr_explanation *explanation)
{
    const struct chirr_layout *l = &model->body.layout;
    if (!chirr_model_has_symbols(model, sense)) {
        return CHIRR_ERR_INVALID;
    }
    explanation->bits = 0;
    if (explanation->answers != NULL) {
        memset(explanation->answers, 0,
               (size_t)l->layers * l->partitions * sizeof *explanation->answers);
    }
    chirr_model_settle(model);
    if (explanation->averaged) {
        chirr_model_weigh(model, model->average, 0, l->total);
    }
    silence_all(model, explanation->silenced);
    const struct chirr_symbol_reader reader = {
        .body = &model->body,
        .layout = &l->senses[sense],
        .weights = chirr_model_weights(model),
        .stream =
            explanation->continues ? &model->scratch : chirr_scratch_begin(model, sense, true),
        .symbols = &model->scratch_symbols,
    };
    read_all(&reader, text, bytes, explanation);
    put_back(model, explanation->averaged, explanation->silenced);
    return CHIRR_OK;
}
