/* Where every parameter lies: one array, cut into exchange units and private parts.
 *
 *   [ hosted partition 0 | hosted partition 1 | … | trunk | n-grams | sense 0 | sense 1 | … ]
 *     each the same stride                          gains,  private tables, encoders, tags, heads
 *                                                   byte codec, selector,
 *                                                   input gates
 *
 * A partition holds, layer by layer, with D = width, e = E/P channels of each section and f = F/P
 * hidden units:
 *
 *   history [D][2e]   W_V then W_E, columns grouped by rate: slope 0…K−1, decay 0…K−1
 *   present [D][2e]   W_U then W_F, columns as above
 *   output  [2e][D]   W_O
 *   gate    [D][2f]   the MLP's gate, then its value
 *   down    [f][D]    the MLP's output
 *
 * Every unit starts at a multiple of CHIRR_LAYOUT_BLOCK; the coordinates between its size and its
 * stride are always zero. Thread-safe: a layout is plain data. */
#ifndef CHIRR_MODEL_LAYOUT_H
#define CHIRR_MODEL_LAYOUT_H

#include "model/model.h"

#define CHIRR_LAYOUT_BLOCK 64
#define CHIRR_BYTE_VALUES 256
#define CHIRR_BYTE_SYMBOLS 257 /* the byte values, and the start of a stream */
#define CHIRR_PIXEL_INPUTS 6   /* position and neighbours of a pixel, see image.h */

struct chirr_layout_codec { /* of symbols: in the trunk for bytes, else in the sense's own part */
    size_t embedding;       /* [CHIRR_BYTE_SYMBOLS][D] */
    size_t head;            /* [D][CHIRR_BYTE_VALUES] */
    size_t head_bias;       /* [CHIRR_BYTE_VALUES] */
};

/* Hashed n-grams: rows that are added to the encoded input by what came last: two bytes, three, and
 * the word so far. */
#define CHIRR_GRAM_TABLES 3
#define CHIRR_GRAM_COLUMNS_MAX 16
struct chirr_layout_table {
    size_t offset;   /* [rows][gram_columns] */
    uint32_t rows;   /* a power of two */
    uint32_t order;  /* how many bytes, the present one with them; 0: the word so far */
    uint32_t column; /* of the encoded input, where its first column is added */
};

struct chirr_layout_sense { /* all offsets into the parameter array */
    size_t begin;
    size_t encoder;     /* [inputs][D] */
    size_t tag;         /* [D], added to every encoded input: which sense this is */
    size_t head;        /* [D][outputs]; vectors only */
    size_t head_bias;   /* [outputs] */
    size_t persistence; /* [width]: weight of the last value in the predicted mean */
    size_t end;
    struct chirr_layout_codec codec; /* senses of symbols */
    uint32_t symbols; /* rows of tables that a step adds up: 1 for a symbol, more with n-grams */
    uint32_t inputs;  /* numbers that it reads behind them */
    uint32_t outputs;
};

struct chirr_layout {
    uint32_t width;      /* D */
    uint32_t layers;     /* L */
    uint32_t rates;      /* K */
    uint32_t channels;   /* e, of each section in one partition */
    uint32_t group;      /* e / K, channels of one rate */
    uint32_t hidden;     /* f */
    uint32_t partitions; /* P */
    uint32_t slots;      /* S, units that answer at one step: k with a selector, else all hosted */
    bool selects;        /* a selector chooses them */
    bool gates_input;    /* what is written to the traces goes through a gate */
    uint32_t hosted_count;
    uint8_t hosted[CHIRR_MODEL_PARTITIONS_MAX];     /* [hosted_count] -> partition */
    int8_t unit_of[CHIRR_MODEL_PARTITIONS_MAX + 1]; /* partition -> unit, −1: not hosted */

    size_t history, present, output, gate, down; /* offsets in a partition's layer */
    size_t layer_size;
    size_t partition_size, partition_stride;

    size_t trunk;      /* offset of the trunk */
    size_t gains;      /* [L][2][D]: before the sections, before the MLP */
    size_t gain_final; /* [D] */
    struct chirr_layout_codec bytes;
    size_t selector;   /* [L][D][P], where there is one */
    size_t input_gate; /* [L][D][D], likewise */
    struct chirr_layout_table grams[CHIRR_GRAM_TABLES];
    uint32_t gram_tables;  /* CHIRR_GRAM_TABLES, or 0 */
    uint32_t gram_columns; /* min(D / 4, CHIRR_GRAM_COLUMNS_MAX) */
    size_t gram_rows;      /* of all tables, which lie behind each other from grams[0] on */
    size_t trunk_size, trunk_stride;
    size_t shared_end; /* a multiple of CHIRR_LAYOUT_BLOCK: what follows is private */

    struct chirr_layout_sense senses[CHIRR_MODEL_SENSES_MAX];
    size_t total;      /* length of the parameter array */
    size_t parameters; /* without padding */
};

void chirr_layout_init(struct chirr_layout *layout, const struct chirr_model_config *config);

/* Of genesis and layout; another one is another lineage. Format 1 had no selector, input gate or
 * n-grams, and decays over 6…512 steps: where a shape asks for just that, it still is format 1. */
uint32_t chirr_lineage_format(const struct chirr_model_config *config);

/* Senses whose steps are symbols: a byte each. */
static inline bool chirr_sense_is_symbols(enum chirr_sense_kind kind)
{
    return kind == CHIRR_SENSE_BYTES || kind == CHIRR_SENSE_AUDIO || kind == CHIRR_SENSE_IMAGE;
}

/* Where the n-gram tables end, which begin at `shared_end`. */
static inline size_t chirr_layout_grams_end(const struct chirr_layout *layout)
{
    return layout->shared_end + layout->gram_rows * layout->gram_columns;
}

/* Units are the hosted partitions in order, then the trunk. */
static inline size_t chirr_layout_unit(const struct chirr_layout *layout, uint32_t unit)
{
    return (size_t)unit * layout->partition_stride;
}

static inline size_t chirr_layout_unit_size(const struct chirr_layout *layout, uint32_t unit)
{
    return unit < layout->hosted_count ? layout->partition_size : layout->trunk_size;
}

static inline size_t chirr_layout_layer(const struct chirr_layout *layout, uint32_t unit,
                                        uint32_t layer)
{
    return chirr_layout_unit(layout, unit) + layer * layout->layer_size;
}

#endif
