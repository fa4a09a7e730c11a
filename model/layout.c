#include "model/layout.h"

static size_t round_to_block(size_t count)
{
    return (count + CHIRR_LAYOUT_BLOCK - 1) / CHIRR_LAYOUT_BLOCK * CHIRR_LAYOUT_BLOCK;
}

static void place_partitions(struct chirr_layout *l, const struct chirr_model_config *config)
{
    size_t d = l->width;
    size_t sections = d * 2 * l->channels;
    l->history = 0;
    l->present = sections;
    l->output = 2 * sections;
    l->gate = 3 * sections;
    l->down = l->gate + d * 2 * l->hidden;
    l->layer_size = l->down + l->hidden * d;
    l->partition_size = l->layer_size * l->layers;
    l->partition_stride = round_to_block(l->partition_size);

    for (uint32_t p = 0; p < config->partitions; p++) {
        bool hosted = (config->hosted >> p & 1) != 0;
        l->unit_of[p] = hosted ? (int8_t)l->hosted_count : (int8_t)-1;
        if (hosted) {
            l->hosted[l->hosted_count++] = (uint8_t)p;
        }
    }
    l->unit_of[config->partitions] = (int8_t)l->hosted_count;
}

/* Returns where what follows begins. */
static size_t place_codec(struct chirr_layout_codec *codec, size_t width, size_t begin)
{
    codec->embedding = begin;
    codec->head = codec->embedding + CHIRR_BYTE_SYMBOLS * width;
    codec->head_bias = codec->head + CHIRR_BYTE_VALUES * width;
    return codec->head_bias + CHIRR_BYTE_VALUES;
}

/* Returns where what follows begins. */
static size_t place_grams(struct chirr_layout *l, uint32_t rows, size_t begin)
{
    static const struct {
        uint32_t order, share;
    } tables[CHIRR_GRAM_TABLES] = {{2, 1}, {3, 2}, {0, 1}}; /* measured: docs/ablation.md */
    l->gram_columns = l->width / 4 < CHIRR_GRAM_COLUMNS_MAX ? l->width / 4 : CHIRR_GRAM_COLUMNS_MAX;
    l->gram_tables = rows > 0 ? CHIRR_GRAM_TABLES : 0;
    for (uint32_t i = 0; i < l->gram_tables; i++) {
        l->grams[i] = (struct chirr_layout_table){.offset = begin,
                                                  .rows = tables[i].share * rows,
                                                  .order = tables[i].order,
                                                  .column = i * l->gram_columns};
        l->gram_rows += l->grams[i].rows;
        begin += (size_t)l->grams[i].rows * l->gram_columns;
    }
    return begin;
}

static void place_trunk(struct chirr_layout *l, uint32_t partitions)
{
    size_t d = l->width;
    l->trunk = l->hosted_count * l->partition_stride;
    l->gains = l->trunk;
    l->gain_final = l->gains + 2 * d * l->layers;
    l->selector = place_codec(&l->bytes, d, l->gain_final + d);
    l->input_gate = l->selector + (l->selects ? d * l->layers * partitions : 0);
    l->trunk_size = l->input_gate + (l->gates_input ? d * d * l->layers : 0) - l->trunk;
    l->trunk_stride = round_to_block(l->trunk_size);
    l->shared_end = l->trunk + l->trunk_stride;
}

/* Numbers that the encoder of a sense reads besides a symbol. */
static uint32_t input_count(const struct chirr_model_sense *sense)
{
    switch (sense->kind) {
    case CHIRR_SENSE_VECTOR:
    case CHIRR_SENSE_OUTCOME:
        return sense->width;
    case CHIRR_SENSE_IMAGE:
        return CHIRR_PIXEL_INPUTS;
    case CHIRR_SENSE_BYTES:
    case CHIRR_SENSE_AUDIO:
        break;
    }
    return 0;
}

/* Returns where the next sense begins. */
static size_t place_sense(struct chirr_layout *l, uint32_t index,
                          const struct chirr_model_sense *sense, size_t begin)
{
    struct chirr_layout_sense *s = &l->senses[index];
    size_t d = l->width;
    bool vector = sense->kind == CHIRR_SENSE_VECTOR;
    s->symbols = chirr_sense_is_symbols(sense->kind) ? 1 : 0;
    s->symbols += sense->kind == CHIRR_SENSE_BYTES ? l->gram_tables : 0;
    s->inputs = input_count(sense);
    s->outputs = vector ? 2 * sense->width : 0;
    s->begin = begin;
    s->encoder = begin;
    s->tag = s->encoder + s->inputs * d;
    s->head = s->tag + d;
    s->head_bias = s->head + s->outputs * d;
    s->persistence = s->head_bias + s->outputs;
    s->end = s->persistence + (vector ? sense->width : 0);
    if (sense->kind == CHIRR_SENSE_BYTES) {
        s->codec = l->bytes;
    } else if (chirr_sense_is_symbols(sense->kind)) {
        s->end = place_codec(&s->codec, d, s->end);
    }
    return s->end;
}

void chirr_layout_init(struct chirr_layout *layout, const struct chirr_model_config *config)
{
    *layout = (struct chirr_layout){
        .width = config->width,
        .layers = config->layers,
        .rates = config->rates,
        .channels = config->section_width / config->partitions,
        .group = config->section_width / config->partitions / config->rates,
        .hidden = config->mlp_width / config->partitions,
        .partitions = config->partitions,
    };
    place_partitions(layout, config);
    layout->gates_input = config->input_gate;
    layout->selects = config->active > 0;
    layout->slots = layout->hosted_count;
    if (layout->selects && config->active < layout->slots) {
        layout->slots = config->active;
    }
    place_trunk(layout, config->partitions);
    size_t end = place_grams(layout, config->gram_rows, layout->shared_end);
    for (uint32_t i = 0; i < config->sense_count; i++) {
        end = place_sense(layout, i, &config->senses[i], end);
    }
    layout->total = end;
    layout->parameters = layout->hosted_count * layout->partition_size + layout->trunk_size +
                         (end - layout->shared_end);
}

uint32_t chirr_lineage_format(const struct chirr_model_config *config)
{
    bool first = config->active == 0 && config->decay_min == 6 && config->decay_max == 512 &&
                 !config->input_gate && config->gram_rows == 0;
    return first ? 1 : 2;
}
