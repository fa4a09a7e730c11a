/* Own change out, foreign change in. The layout of a delta is drawn in delta.h. */
#include "model/delta.h"

#include <math.h>
#include <string.h>

#include "base/wire.h"
#include "model/internal.h"

_Static_assert(CHIRR_DELTA_BLOCK == CHIRR_LAYOUT_BLOCK, "registers are delta blocks");
_Static_assert(CHIRR_DELTA_BLOCK == CHIRR_QUANTISED_COUNT, "and quantised as one");

#define FORMAT 1
#define HEADER_BYTES 3
#define GAP_BYTES_MAX 3 /* LEB128 of up to 2^21 − 1 */

/* A unit's blocks among the shared ones. */
struct unit_blocks {
    uint32_t unit;
    size_t first;
    size_t count;
};

static bool find_unit(const struct chirr_model *model, uint32_t partition, struct unit_blocks *out)
{
    const struct chirr_layout *l = &model->body.layout;
    if (partition > model->config.partitions || l->unit_of[partition] < 0) {
        return false;
    }
    out->unit = (uint32_t)l->unit_of[partition];
    size_t stride = out->unit < l->hosted_count ? l->partition_stride : l->trunk_stride;
    out->first = chirr_layout_unit(l, out->unit) / CHIRR_DELTA_BLOCK;
    out->count = stride / CHIRR_DELTA_BLOCK;
    return true;
}

uint32_t chirr_delta_block_count(const struct chirr_model_config *config, uint32_t partition)
{
    struct chirr_layout layout;
    chirr_layout_init(&layout, config);
    size_t stride = partition < config->partitions ? layout.partition_stride : layout.trunk_stride;
    return (uint32_t)(stride / CHIRR_DELTA_BLOCK);
}

/* Squared norm of what was not published of a block, beyond what rounding alone leaves. */
static double unpublished(const struct chirr_model *model, size_t block)
{
    const struct chirr_quantised *published = &model->registers.published[block];
    chirr_real rest[CHIRR_DELTA_BLOCK];
    memcpy(rest, model->own + block * CHIRR_DELTA_BLOCK, sizeof rest);
    chirr_quantised_add(model->body.kernels, published, -1, rest);
    double squares = model->body.kernels->sum_squares(CHIRR_DELTA_BLOCK, rest);
    double noise = chirr_quantised_noise(published);
    return squares > noise ? squares - noise : 0;
}

double chirr_delta_drift(const struct chirr_model *model, uint32_t partition)
{
    struct unit_blocks blocks = {0};
    if (!find_unit(model, partition, &blocks)) {
        return 0;
    }
    double squares = 0;
    for (size_t b = 0; b < blocks.count; b++) {
        squares += unpublished(model, blocks.first + b);
    }
    return sqrt(squares);
}

#define CHOSEN_MAX 64

struct choice {
    size_t block; /* of the unit */
    double change;
};

/* The blocks that changed most, at most `most`, by falling change; returns how many. */
static size_t choose_blocks(const struct chirr_model *model, const struct unit_blocks *blocks,
                            struct choice *chosen, size_t most)
{
    size_t count = 0;
    for (size_t b = 0; b < blocks->count; b++) {
        double change = unpublished(model, blocks->first + b);
        if (change <= 0 || (count == most && change <= chosen[count - 1].change)) {
            continue;
        }
        size_t at = count < most ? count++ : count - 1;
        for (; at > 0 && chosen[at - 1].change < change; at--) {
            chosen[at] = chosen[at - 1];
        }
        chosen[at] = (struct choice){b, change};
    }
    return count;
}

static void sort_by_block(struct choice *chosen, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct choice moved = chosen[i];
        size_t at = i;
        for (; at > 0 && chosen[at - 1].block > moved.block; at--) {
            chosen[at] = chosen[at - 1];
        }
        chosen[at] = moved;
    }
}

static bool is_chosen(const struct choice *chosen, size_t count, size_t block)
{
    for (size_t i = 0; i < count; i++) {
        if (chosen[i].block == block) {
            return true;
        }
    }
    return false;
}

/* Fills up with blocks in turn, which heal what was lost and serve late joiners. */
static size_t add_refresh(struct chirr_model *model, const struct unit_blocks *blocks,
                          struct choice *chosen, size_t count, size_t most)
{
    uint32_t *turn = &model->registers.refresh[blocks->unit];
    for (size_t tried = 0; tried < blocks->count && count < most; tried++) {
        if (!is_chosen(chosen, count, *turn)) {
            chosen[count++] = (struct choice){*turn, 0};
        }
        *turn = (*turn + 1) % (uint32_t)blocks->count;
    }
    return count;
}

static size_t put_gap(uint8_t *out, size_t gap)
{
    size_t bytes = 0;
    for (; gap >= 0x80; gap >>= 7) {
        out[bytes++] = (uint8_t)(gap | 0x80);
    }
    out[bytes++] = (uint8_t)gap;
    return bytes;
}

/* Writes the blocks and marks them published; returns the bytes. */
static size_t write_blocks(struct chirr_model *model, const struct unit_blocks *blocks,
                           const struct choice *chosen, size_t count, uint8_t *out)
{
    out[0] = FORMAT;
    chirr_wire_put_u16(out + 1, (uint16_t)count);
    size_t at = HEADER_BYTES;
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        size_t block = blocks->first + chosen[i].block;
        struct chirr_quantised *published = &model->registers.published[block];
        chirr_quantise(model->own + block * CHIRR_DELTA_BLOCK, published);
        at += put_gap(out + at, chosen[i].block - next);
        next = chosen[i].block + 1;
        chirr_quantised_put(published, out + at);
        at += CHIRR_QUANTISED_BYTES;
    }
    return at;
}

/* Bytes that a gap between blocks of this unit can take. */
static size_t gap_bytes_max(const struct unit_blocks *blocks)
{
    return blocks->count <= 1 << 7 ? 1 : blocks->count <= 1 << 14 ? 2 : GAP_BYTES_MAX;
}

enum chirr_err chirr_delta_extract(struct chirr_model *model, uint32_t partition, uint8_t *out,
                                   size_t capacity, size_t *bytes)
{
    struct unit_blocks blocks = {0};
    if (!find_unit(model, partition, &blocks)) {
        return CHIRR_ERR_INVALID;
    }
    *bytes = 0;
    const size_t block_bytes = gap_bytes_max(&blocks) + CHIRR_QUANTISED_BYTES;
    if (capacity < HEADER_BYTES + block_bytes) {
        return CHIRR_ERR_RANGE;
    }
    size_t most = (capacity - HEADER_BYTES) / block_bytes;
    most = most < CHOSEN_MAX ? most : CHOSEN_MAX;
    struct choice chosen[CHOSEN_MAX];
    /* the last place is the refresh's, where there is more than one */
    size_t count = choose_blocks(model, &blocks, chosen, most > 1 ? most - 1 : 1);
    if (count == 0) {
        return CHIRR_OK;
    }
    count = add_refresh(model, &blocks, chosen, count, most);
    sort_by_block(chosen, count);
    *bytes = write_blocks(model, &blocks, chosen, count, out);
    return CHIRR_OK;
}

/* Reads a delta block by block. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
    size_t next; /* least index that the next block can have */
};

struct block_view {
    size_t block; /* of the unit */
    struct chirr_quantised change;
};

/* False where the gap is cut off, overlong, or not the shortest form. */
static bool read_gap(struct reader *reader, size_t *gap)
{
    *gap = 0;
    for (int shift = 0; shift < 7 * GAP_BYTES_MAX && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        *gap |= (size_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            return byte != 0 || shift == 0;
        }
    }
    return false;
}

static enum chirr_err read_block(struct reader *reader, struct block_view *view)
{
    size_t gap;
    if (!read_gap(reader, &gap) || (size_t)(reader->end - reader->at) < CHIRR_QUANTISED_BYTES) {
        return CHIRR_ERR_MALFORMED;
    }
    view->block = reader->next + gap;
    reader->next = view->block + 1;
    reader->at += CHIRR_QUANTISED_BYTES;
    return chirr_quantised_get(reader->at - CHIRR_QUANTISED_BYTES, CHIRR_OWN_CHANGE_MAX,
                               &view->change);
}

/* Nothing is said of coordinates behind the unit's last. */
static bool padding_is_zero(const struct block_view *view, size_t unit_size)
{
    for (size_t i = 0; i < CHIRR_DELTA_BLOCK; i++) {
        bool padding = view->block * CHIRR_DELTA_BLOCK + i >= unit_size;
        if (padding && chirr_quantised_at(&view->change, i) != 0) {
            return false;
        }
    }
    return true;
}

static enum chirr_err check_delta(const struct chirr_model *model, const struct unit_blocks *blocks,
                                  const uint8_t *delta, size_t bytes)
{
    if (bytes < HEADER_BYTES || delta[0] != FORMAT || chirr_wire_get_u16(delta + 1) == 0) {
        return CHIRR_ERR_MALFORMED;
    }
    size_t unit_size = chirr_layout_unit_size(&model->body.layout, blocks->unit);
    struct reader reader = {delta + HEADER_BYTES, delta + bytes, 0};
    for (size_t i = chirr_wire_get_u16(delta + 1); i > 0; i--) {
        struct block_view view = {0};
        enum chirr_err err = read_block(&reader, &view);
        if (err != CHIRR_OK) {
            return err;
        }
        if (view.block >= blocks->count || !padding_is_zero(&view, unit_size)) {
            return CHIRR_ERR_MALFORMED;
        }
    }
    return reader.at == reader.end ? CHIRR_OK : CHIRR_ERR_MALFORMED;
}

static bool is_newer(const struct chirr_delta_source *source, const struct chirr_stamp *held)
{
    return source->incarnation != held->incarnation ? source->incarnation > held->incarnation
                                                    : source->version > held->version;
}

static void mark_stale(struct chirr_model *model, size_t block)
{
    model->stale[block] = true;
    model->any_stale = true;
}

/* Takes the newer blocks of a checked delta into the registers; returns how many there were. */
static size_t replace_blocks(struct chirr_model *model, const struct unit_blocks *blocks,
                             const struct chirr_delta_source *source, uint32_t place,
                             struct reader reader)
{
    struct chirr_registers *r = &model->registers;
    size_t replaced = 0;
    while (reader.at < reader.end) {
        struct block_view view = {0};
        (void)read_block(&reader, &view); /* checked before */
        size_t block = blocks->first + view.block;
        struct chirr_stamp *stamp = &r->stamps[place * r->blocks + block];
        if (!is_newer(source, stamp)) {
            continue;
        }
        *stamp = (struct chirr_stamp){source->incarnation, source->version};
        *chirr_registers_value(r, place, block) = view.change;
        if (r->origins[place].g != 0) {
            mark_stale(model, block);
        }
        replaced++;
    }
    return replaced;
}

enum chirr_err chirr_delta_apply(struct chirr_model *model, const struct chirr_delta_source *source,
                                 const uint8_t *delta, size_t bytes)
{
    struct unit_blocks blocks = {0};
    if (source->origin == 0 || !find_unit(model, source->partition, &blocks)) {
        return CHIRR_ERR_INVALID;
    }
    if (bytes > CHIRR_DELTA_BYTES_MAX) {
        return CHIRR_ERR_MALFORMED;
    }
    enum chirr_err err = check_delta(model, &blocks, delta, bytes);
    if (err != CHIRR_OK) {
        return err;
    }
    if (source->incarnation == 0 && source->version == 0) {
        return CHIRR_ERR_STALE; /* what an empty register holds */
    }
    int32_t place = chirr_registers_find(&model->registers, source->origin);
    if (place < 0) {
        place = chirr_registers_add(&model->registers, source->origin);
    }
    if (place < 0) {
        return CHIRR_ERR_FULL;
    }
    const struct reader reader = {delta + HEADER_BYTES, delta + bytes, 0};
    size_t replaced = replace_blocks(model, &blocks, source, (uint32_t)place, reader);
    return replaced > 0 ? CHIRR_OK : CHIRR_ERR_STALE;
}

/* Blocks of which something came from this origin. */
static void mark_origin_stale(struct chirr_model *model, uint32_t place)
{
    const struct chirr_registers *r = &model->registers;
    for (size_t block = 0; block < r->blocks; block++) {
        if (chirr_registers_value(r, place, block)->scale != 0) {
            mark_stale(model, block);
        }
    }
}

enum chirr_err chirr_delta_weigh(struct chirr_model *model, uint64_t origin, float g)
{
    int32_t place = origin == 0 ? -1 : chirr_registers_find(&model->registers, origin);
    if (place < 0) {
        return CHIRR_ERR_NOTFOUND;
    }
    if (!(g >= 0 && g <= 1)) {
        return CHIRR_ERR_RANGE;
    }
    if (model->registers.origins[place].g != g) {
        model->registers.origins[place].g = g;
        mark_origin_stale(model, (uint32_t)place);
    }
    return CHIRR_OK;
}

void chirr_delta_revoke(struct chirr_model *model, uint64_t origin)
{
    if (chirr_delta_weigh(model, origin, 0) == CHIRR_OK) {
        int32_t place = chirr_registers_find(&model->registers, origin);
        chirr_registers_remove(&model->registers, (uint32_t)place);
    }
}

uint64_t chirr_delta_weakest(const struct chirr_model *model)
{
    const struct chirr_registers *r = &model->registers;
    struct chirr_origin weakest = {0};
    for (uint32_t i = 0; i < r->origin_count; i++) {
        const struct chirr_origin *origin = &r->origins[r->order[i]];
        if (weakest.id == 0 || origin->g < weakest.g) {
            weakest = *origin;
        }
    }
    return weakest.id;
}

void chirr_delta_silence(struct chirr_model *model)
{
    struct chirr_registers *r = &model->registers;
    for (uint32_t i = 0; i < r->origin_count; i++) {
        r->origins[r->order[i]].g = 0;
        mark_origin_stale(model, r->order[i]);
    }
}
