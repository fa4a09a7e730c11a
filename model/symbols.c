#include "model/symbols.h"

#include "model/codec.h"

void chirr_symbols_begin(struct chirr_symbols *symbols)
{
    symbols->last = CHIRR_BYTE_SYMBOLS - 1;
    if (symbols->image.width > 0) {
        chirr_image_begin(&symbols->image);
    }
}

void chirr_symbols_take(struct chirr_symbols *symbols, uint8_t byte)
{
    symbols->last = byte;
    if (symbols->image.width > 0) {
        chirr_image_take(&symbols->image, byte);
    }
}

/* What the step before the next symbol reads. */
static void put_input(const struct chirr_symbols *symbols, struct chirr_stream *stream, uint32_t t)
{
    chirr_real *input = stream->input + (size_t)t * stream->inputs;
    input[0] = (chirr_real)symbols->last;
    if (symbols->image.width > 0) {
        chirr_image_inputs(&symbols->image, input + 1);
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
        put_input(reader->symbols, reader->stream, first + t);
        chirr_symbols_take(reader->symbols, bytes[t]);
    }
    chirr_real *outputs = predict(reader, count);
    for (uint32_t t = 0; t < count; t++) {
        nats[t] = chirr_codec_score_byte(bytes[t], outputs + (size_t)t * CHIRR_BYTE_VALUES);
    }
}

chirr_real *chirr_symbols_predict(const struct chirr_symbol_reader *reader)
{
    put_input(reader->symbols, reader->stream, reader->stream->filled);
    return predict(reader, 1);
}
