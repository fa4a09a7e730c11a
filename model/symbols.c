#include "model/symbols.h"

#include "model/codec.h"

/* Multiplication by 2^64 / golden ratio, and folding. */
static uint64_t hash_byte(uint64_t hash, uint8_t byte)
{
    hash = (hash ^ byte) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

/* Of ASCII, or a byte of UTF-8 beyond it. */
static bool is_letter(uint8_t byte)
{
    return byte >= 0x80 || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

void chirr_symbols_begin(struct chirr_symbols *symbols)
{
    symbols->last = CHIRR_BYTE_SYMBOLS - 1;
    symbols->recent = 0;
    symbols->word = 0;
    if (symbols->image.width > 0) {
        chirr_image_begin(&symbols->image);
    }
}

void chirr_symbols_take(struct chirr_symbols *symbols, uint8_t byte)
{
    symbols->last = byte;
    symbols->recent = symbols->recent << 8 | byte;
    symbols->word = hash_byte(is_letter(byte) ? symbols->word : 0, byte);
    if (symbols->image.width > 0) {
        chirr_image_take(&symbols->image, byte);
    }
}

/* The row of what came last in a table, byte by byte from the newest on. */
static uint32_t gram_row(const struct chirr_symbols *symbols,
                         const struct chirr_layout_table *table)
{
    uint64_t hash = table->order == 0 ? symbols->word : table->order;
    for (uint32_t i = 0; i < table->order; i++) {
        hash = hash_byte(hash, (uint8_t)(symbols->recent >> 8 * i));
    }
    return (uint32_t)(hash >> 8) & (table->rows - 1);
}

/* What the step before the next symbol reads. Row numbers are exact as floats. */
static void put_input(const struct chirr_symbol_reader *reader, uint32_t t)
{
    const struct chirr_symbols *symbols = reader->symbols;
    const struct chirr_layout *l = &reader->body->layout;
    chirr_real *input = reader->stream->input + (size_t)t * reader->stream->inputs;
    *input++ = (chirr_real)symbols->last;
    for (uint32_t i = 1; i < reader->layout->symbols; i++) {
        *input++ = (chirr_real)gram_row(symbols, &l->grams[i - 1]);
    }
    if (reader->layout->inputs > 0) {
        chirr_image_inputs(&symbols->image, input);
    }
}

/* The outputs of a span whose inputs are in place, [steps][256]. */
static chirr_real *predict(const struct chirr_symbol_reader *reader, uint32_t steps)
{
    struct chirr_stream *stream = reader->stream;
    const struct chirr_span span = {.stream = stream, .first = stream->filled, .steps = steps};
    chirr_real *x = reader->body->scratch.d_x;
    chirr_codec_encode(reader->body, &reader->weights, reader->layout, &span, x);
    chirr_body_forward(reader->body, &reader->weights, &span, x);
    chirr_codec_predict_symbols(reader->body, &reader->weights, reader->layout, &span);
    stream->filled += steps;
    stream->position += steps;
    return stream->d_output + (size_t)span.first * CHIRR_BYTE_VALUES;
}

void chirr_symbols_read(const struct chirr_symbol_reader *reader, const uint8_t *bytes,
                        uint32_t count, double *nats)
{
    uint32_t first = reader->stream->filled;
    for (uint32_t t = 0; t < count; t++) {
        put_input(reader, first + t);
        chirr_symbols_take(reader->symbols, bytes[t]);
    }
    chirr_real *outputs = predict(reader, count);
    for (uint32_t t = 0; t < count; t++) {
        nats[t] = chirr_codec_score_byte(bytes[t], outputs + (size_t)t * CHIRR_BYTE_VALUES);
    }
}

chirr_real *chirr_symbols_predict(const struct chirr_symbol_reader *reader)
{
    put_input(reader, reader->stream->filled);
    return predict(reader, 1);
}
