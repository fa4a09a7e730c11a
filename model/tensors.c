#include "model/tensors.h"

#include <stdio.h>
#include <string.h>

#include "model/internal.h"

/* Walks over all tensors in order and keeps the one that is wanted. */
struct walk {
    size_t wanted;
    size_t passed;
    struct chirr_tensor *found;
};

/* Nothing at all where `rows` or `columns` is 0. */
#define VECTOR SIZE_MAX /* as columns: of rank 1 */
struct place {
    size_t offset;
    size_t rows, columns;
};

static bool meet(struct walk *walk, const struct place *place)
{
    if (place->rows == 0 || place->columns == 0) {
        return false;
    }
    bool wanted = walk->passed == walk->wanted;
    walk->passed++;
    if (!wanted || walk->found == NULL) {
        return false;
    }
    struct chirr_tensor *tensor = walk->found;
    tensor->rank = place->columns == VECTOR ? 1 : 2;
    tensor->shape[0] = place->rows;
    tensor->shape[1] = place->columns == VECTOR ? 1 : place->columns;
    tensor->count = tensor->shape[0] * tensor->shape[1];
    tensor->offset = place->offset;
    return true;
}

static void walk_partition_layer(struct walk *walk, const struct chirr_layout *l, uint32_t unit,
                                 uint32_t layer)
{
    size_t base = chirr_layout_layer(l, unit, layer);
    size_t d = l->width, sections = 2 * l->channels;
    const struct {
        const char *name;
        struct place place;
    } parts[] = {
        {"history", {base + l->history, d, sections}},
        {"present", {base + l->present, d, sections}},
        {"output", {base + l->output, sections, d}},
        {"gate", {base + l->gate, d, 2 * l->hidden}},
        {"down", {base + l->down, l->hidden, d}},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (meet(walk, &parts[i].place)) {
            snprintf(walk->found->name, sizeof walk->found->name, "layers.%u.partition.%u.%s",
                     layer, l->hosted[unit], parts[i].name);
        }
    }
}

static void walk_trunk(struct walk *walk, const struct chirr_layout *l)
{
    size_t d = l->width;
    for (uint32_t i = 0; i < 2 * l->layers; i++) {
        if (meet(walk, &(struct place){l->gains + i * d, d, VECTOR})) {
            snprintf(walk->found->name, sizeof walk->found->name, "layers.%u.gain_%s", i / 2,
                     i % 2 == 0 ? "sections" : "mlp");
        }
    }
    const struct {
        const char *name;
        struct place place;
    } parts[] = {
        {"gain_final", {l->gain_final, d, VECTOR}},
        {"embedding", {l->bytes.embedding, CHIRR_BYTE_SYMBOLS, d}},
        {"head", {l->bytes.head, d, CHIRR_BYTE_VALUES}},
        {"head_bias", {l->bytes.head_bias, CHIRR_BYTE_VALUES, VECTOR}},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (meet(walk, &parts[i].place)) {
            strcpy(walk->found->name, parts[i].name);
        }
    }
    for (uint32_t layer = 0; layer < l->layers && l->selects; layer++) {
        size_t size = d * l->partitions;
        if (meet(walk, &(struct place){l->selector + layer * size, d, l->partitions})) {
            snprintf(walk->found->name, sizeof walk->found->name, "layers.%u.selector", layer);
        }
    }
    for (uint32_t layer = 0; layer < l->layers && l->gates_input; layer++) {
        if (meet(walk, &(struct place){l->input_gate + layer * d * d, d, d})) {
            snprintf(walk->found->name, sizeof walk->found->name, "layers.%u.input_gate", layer);
        }
    }
}

static void walk_grams(struct walk *walk, const struct chirr_layout *l)
{
    for (uint32_t i = 0; i < l->gram_tables; i++) {
        if (meet(walk, &(struct place){l->grams[i].offset, l->grams[i].rows, l->gram_columns})) {
            snprintf(walk->found->name, sizeof walk->found->name,
                     l->grams[i].order > 0 ? "grams.%u" : "grams.word", l->grams[i].order);
        }
    }
}

static void walk_sense(struct walk *walk, const struct chirr_layout *l, uint32_t index,
                       const struct chirr_model_sense *sense)
{
    const struct chirr_layout_sense *s = &l->senses[index];
    size_t d = l->width;
    bool own_codec = sense->kind == CHIRR_SENSE_AUDIO || sense->kind == CHIRR_SENSE_IMAGE;
    const struct {
        const char *name;
        struct place place;
    } parts[] = {
        {"encoder", {s->encoder, s->inputs, d}},
        {"tag", {s->tag, d, VECTOR}},
        {"head", {s->head, s->outputs > 0 ? d : 0, s->outputs}},
        {"head_bias", {s->head_bias, s->outputs, VECTOR}},
        {"persistence", {s->persistence, s->outputs / 2, VECTOR}},
        {"embedding", {s->codec.embedding, own_codec ? CHIRR_BYTE_SYMBOLS : 0, d}},
        {"head", {s->codec.head, own_codec ? d : 0, CHIRR_BYTE_VALUES}},
        {"head_bias", {s->codec.head_bias, own_codec ? CHIRR_BYTE_VALUES : 0, VECTOR}},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (meet(walk, &parts[i].place)) {
            snprintf(walk->found->name, sizeof walk->found->name, "senses.%s.%s", sense->name,
                     parts[i].name);
        }
    }
}

static void walk_all(struct walk *walk, const struct chirr_model *model)
{
    const struct chirr_layout *l = &model->body.layout;
    for (uint32_t unit = 0; unit < l->hosted_count; unit++) {
        for (uint32_t layer = 0; layer < l->layers; layer++) {
            walk_partition_layer(walk, l, unit, layer);
        }
    }
    walk_trunk(walk, l);
    walk_grams(walk, l);
    for (uint32_t i = 0; i < model->config.sense_count; i++) {
        walk_sense(walk, l, i, &model->config.senses[i]);
    }
}

size_t chirr_tensor_count(const struct chirr_model *model)
{
    struct walk walk = {0};
    walk_all(&walk, model);
    return walk.passed;
}

bool chirr_tensor_describe(const struct chirr_model *model, size_t index,
                           struct chirr_tensor *tensor)
{
    struct walk walk = {.wanted = index, .found = tensor};
    walk_all(&walk, model);
    return index < walk.passed;
}

void chirr_tensor_read(struct chirr_model *model, const struct chirr_tensor *tensor, bool averaged,
                       float *values)
{
    CHIRR_ASSERT(tensor->offset + tensor->count <= model->body.layout.total);
    const chirr_real *own = averaged ? model->average : model->own;
    chirr_model_settle(model);
    for (size_t i = 0; i < tensor->count; i++) {
        values[i] = (float)(model->base[tensor->offset + i] + own[tensor->offset + i]);
    }
}
