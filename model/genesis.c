#include "model/genesis.h"

#include <math.h>
#include <string.h>

#include "base/digest.h"
#include "base/random.h"

/* Streams of the genesis seed: partitions by number, the trunk after the last possible one, and
 * senses by the digest of their name, whose top bit keeps them apart from the others. */
#define TRUNK_STREAM CHIRR_MODEL_PARTITIONS_MAX
#define SENSE_STREAM_BIT (UINT64_C(1) << 63)
#define TAG_DEVIATION 0.3

/* Neighbouring coordinates that are drawn alike. */
struct piece {
    size_t end;
    double deviation; /* 0: all are `constant` */
    chirr_real constant;
    uint64_t stream;
    size_t first; /* the coordinate of the stream's first draw */
};

static struct piece partition_piece(const struct chirr_model_config *config,
                                    const struct chirr_layout *l, size_t at)
{
    size_t unit = at / l->partition_stride;
    size_t begin = unit * l->partition_stride;
    size_t layer = (at - begin) / l->layer_size;
    if (at - begin >= l->partition_size) {
        return (struct piece){.end = begin + l->partition_stride};
    }
    /* Fan-ins count the whole body, not what is hosted: every device makes the same bits. */
    double residual = 1 / sqrt(2.0 * config->layers);
    double from_width = 1 / sqrt((double)config->width);
    const struct {
        size_t end;
        double deviation;
    } matrices[] = {
        {l->output, from_width},
        {l->gate, residual / sqrt(2.0 * config->section_width)},
        {l->down, from_width},
        {l->layer_size, config->mlp_width > 0 ? residual / sqrt((double)config->mlp_width) : 0},
    };
    size_t origin = begin + layer * l->layer_size;
    size_t m = 0;
    while (at - origin >= matrices[m].end) {
        m++;
    }
    return (struct piece){.end = origin + matrices[m].end,
                          .deviation = matrices[m].deviation,
                          .stream = l->hosted[unit],
                          .first = begin};
}

/* Of a head of symbols. */
static double head_deviation(const struct chirr_model_config *config)
{
    return chirr_lineage_format(config) == 1 ? 0.02 : 0.1;
}

static struct piece trunk_piece(const struct chirr_model_config *config,
                                const struct chirr_layout *l, size_t at)
{
    const struct piece pieces[] = {
        {.end = l->bytes.embedding, .constant = 1},
        {.end = l->bytes.head, .deviation = 1},
        {.end = l->bytes.head_bias, .deviation = head_deviation(config)},
        {.end = l->selector},
        {.end = l->input_gate, .deviation = 1 / sqrt((double)config->width)},
        {.end = l->shared_end}, /* input gates half open */
    };
    size_t i = 0;
    while (at >= pieces[i].end) {
        i++;
    }
    struct piece piece = pieces[i];
    piece.stream = TRUNK_STREAM;
    piece.first = l->bytes.embedding;
    return piece;
}

static struct piece sense_piece(const struct chirr_model_config *config,
                                const struct chirr_layout *l, size_t at)
{
    uint32_t i = 0;
    while (at >= l->senses[i].end) {
        i++;
    }
    const struct chirr_layout_sense *s = &l->senses[i];
    bool bytes = config->senses[i].kind == CHIRR_SENSE_BYTES;
    bool own_codec = !bytes && chirr_sense_is_symbols(config->senses[i].kind);
    double from_inputs = s->inputs > 0 ? 1 / sqrt((double)s->inputs) : 0;
    const struct piece pieces[] = {
        {.end = s->tag, .deviation = from_inputs},
        {.end = s->head, .deviation = bytes ? 0 : TAG_DEVIATION},
        {.end = s->head_bias, .deviation = 0.02},
        {.end = s->persistence},
        {.end = own_codec ? s->codec.embedding : s->end, .constant = CHIRR_REAL(0.5)},
        {.end = s->codec.head, .deviation = 1},
        {.end = s->codec.head_bias, .deviation = head_deviation(config)},
        {.end = s->end},
    };
    size_t p = 0;
    while (at >= pieces[p].end) {
        p++;
    }
    struct piece piece = pieces[p];
    const char *name = config->senses[i].name;
    piece.stream = chirr_digest(name, strlen(name)) | SENSE_STREAM_BIT;
    piece.first = s->begin;
    return piece;
}

static struct piece piece_at(const struct chirr_model_config *config, const struct chirr_layout *l,
                             size_t at)
{
    if (at < l->trunk) {
        return partition_piece(config, l, at);
    }
    if (at < l->shared_end) {
        return trunk_piece(config, l, at);
    }
    size_t grams_end = chirr_layout_grams_end(l);
    return at < grams_end ? (struct piece){.end = grams_end} : sense_piece(config, l, at);
}

void chirr_genesis_fill(const struct chirr_model_config *config, const struct chirr_layout *layout,
                        size_t begin, size_t count, chirr_real *out)
{
    const size_t end = begin + count;
    for (size_t at = begin; at < end;) {
        const struct piece piece = piece_at(config, layout, at);
        size_t until = piece.end < end ? piece.end : end;
        struct chirr_random random;
        chirr_random_init(&random, config->genesis_seed, piece.stream);
        chirr_random_seek(&random, at - piece.first); /* a draw takes a block */
        for (; at < until; at++) {
            *out++ = piece.deviation > 0
                         ? (chirr_real)(chirr_random_normal(&random) * piece.deviation)
                         : piece.constant;
        }
    }
}
