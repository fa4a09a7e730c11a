/* Senses of symbols, many steps at once, and the selector. */
#include <math.h>
#include <string.h>

#include "model/internal.h"
#include "tests/model/support.h"

enum { TEXT, TONE, EYE };
#define ROW_BYTES 12

static struct chirr_arena arenas[2];
static struct chirr_model_config config;

static void setup(void)
{
    config = small_config();
    config.senses[TONE] = (struct chirr_model_sense){.name = "tone", .kind = CHIRR_SENSE_AUDIO};
    config.senses[EYE] = (struct chirr_model_sense){
        .name = "eye", .kind = CHIRR_SENSE_IMAGE, .width = ROW_BYTES, .channels = 3};
}

static void teardown(void)
{
    chirr_arena_finish(&arenas[0]);
    chirr_arena_finish(&arenas[1]);
}

TestSuite(symbols, .init = setup, .fini = teardown);
TestSuite(selector, .init = setup, .fini = teardown);

/* Something to read that is neither constant nor noise. */
static uint8_t byte_at(uint32_t sense, size_t i)
{
    static const char phrase[] = "a small agent hears what the others say; ";
    if (sense == TEXT) {
        return (uint8_t)phrase[i % (sizeof phrase - 1)];
    }
    return sense == TONE ? (uint8_t)(128 + 100 * sin(0.3 * (double)i))
                         : (uint8_t)(10 * (i % ROW_BYTES) + i / ROW_BYTES % 50);
}

static void expect_equal_in_any_pieces(void)
{
    enum { BYTES = 1000 };
    struct chirr_model *one_by_one = make_model(&arenas[0], &config);
    struct chirr_model *in_pieces = make_model(&arenas[1], &config);
    for (uint32_t sense = 0; sense < config.sense_count; sense++) {
        uint8_t text[BYTES];
        double bits = 0, sum = 0;
        uint64_t updates = 0, closed = 0;
        for (size_t i = 0; i < BYTES; i++) {
            struct chirr_model_step step;
            text[i] = byte_at(sense, i);
            cr_assert_eq(chirr_model_step_byte(one_by_one, sense, text[i], &step), CHIRR_OK);
            bits += (double)step.bits;
            closed += step.updated;
        }
        for (size_t at = 0, piece = 1; at < BYTES; at += piece, piece = (3 * piece) % 71) {
            struct chirr_model_reading reading;
            size_t count = BYTES - at < piece ? BYTES - at : piece;
            cr_assert_eq(chirr_model_step_bytes(in_pieces, sense, text + at, count, &reading),
                         CHIRR_OK);
            sum += reading.bits;
            updates += reading.updates;
        }
        cr_expect_float_eq(sum, bits, 1e-6 * bits);
        cr_expect_eq(updates, closed);
        cr_expect_eq(chirr_model_state_hash(one_by_one), chirr_model_state_hash(in_pieces),
                     "sense %u", sense);
    }
}

Test(symbols, taken_in_any_pieces_give_the_same_bits)
{
    expect_equal_in_any_pieces();
}

Test(symbols, taken_in_any_pieces_give_the_same_bits_where_a_selector_chooses)
{
    config.active = 2;
    expect_equal_in_any_pieces();
}

Test(symbols, taken_in_any_pieces_give_the_same_bits_with_n_grams_and_input_gates)
{
    config.gram_rows = 32;
    config.input_gate = true;
    expect_equal_in_any_pieces();
}

Test(symbols, taken_in_any_pieces_give_the_same_bits_on_a_part_of_the_partitions)
{
    config.active = 2;
    config.hosted = 0xD;
    expect_equal_in_any_pieces();
}

Test(symbols, of_each_sense_are_learned_in_one_body)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    for (uint32_t sense = 0; sense < config.sense_count; sense++) {
        for (int round = 0; round < 2; round++) {
            cr_assert_eq(chirr_model_begin(model, sense), CHIRR_OK);
        }
    }
    double first[3], last[3];
    for (int round = 0; round < 40; round++) {
        for (uint32_t sense = 0; sense < config.sense_count; sense++) {
            uint8_t text[240];
            struct chirr_model_reading reading;
            for (size_t i = 0; i < sizeof text; i++) {
                text[i] = byte_at(sense, i);
            }
            cr_assert_eq(chirr_model_step_bytes(model, sense, text, sizeof text, &reading),
                         CHIRR_OK);
            cr_assert_eq(chirr_model_begin(model, sense), CHIRR_OK);
            *(round == 0 ? &first[sense] : &last[sense]) = reading.bits / sizeof text;
        }
    }
    for (uint32_t sense = 0; sense < config.sense_count; sense++) {
        cr_expect_lt(last[sense], 0.5 * first[sense], "sense %u: %g, then %g", sense, first[sense],
                     last[sense]);
    }
}

Test(symbols, begin_empties_the_past_and_learns_what_was_open)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    learn_text(model, TEXT, "one two three", 13);
    uint64_t updates = model->updates;
    cr_assert_eq(chirr_model_begin(model, TEXT), CHIRR_OK);
    cr_expect_eq(model->updates, updates + 1);
    const struct chirr_stream *stream = &model->senses[TEXT].stream;
    for (size_t i = 0; i < chirr_stream_trace_count(&model->body.layout); i++) {
        cr_assert_eq(stream->traces[i], 0);
    }
    cr_expect_eq(model->senses[TEXT].symbols.last, CHIRR_BYTE_SYMBOLS - 1);
    cr_assert_eq(chirr_model_begin(model, TEXT), CHIRR_OK);
    cr_expect_eq(model->updates, updates + 1, "nothing was open");
}

Test(symbols, sampling_goes_on_from_all_that_was_read)
{
    config.gram_rows = 32;
    config.width = 32;
    struct chirr_model *model = make_model(&arenas[0], &config);
    for (int i = 0; i < 100; i++) { /* what comes behind x depends on what came before it */
        learn_text(model, TEXT, "axb cxd ", 8);
    }
    struct chirr_random random;
    chirr_random_init(&random, 1, 1);
    for (int i = 0; i < 2; i++) {
        uint8_t next;
        learn_text(model, TEXT, i == 0 ? " ax" : "b cx", i == 0 ? 3 : 4);
        cr_assert_eq(chirr_model_generate(model, TEXT, 0, &random, &next, 1), CHIRR_OK);
        cr_expect_eq(next, i == 0 ? 'b' : 'd', "%c", next);
    }
}

Test(symbols, a_pixel_sees_its_place_and_its_neighbours)
{
    enum { WIDTH = 6, CHANNELS = 2 };
    struct chirr_arena arena;
    struct chirr_image image;
    cr_assert_eq(chirr_arena_init(&arena, chirr_image_bytes(WIDTH)), CHIRR_OK);
    cr_assert(chirr_image_init(&image, &arena, WIDTH, CHANNELS));
    for (uint32_t i = 0; i < 3 * WIDTH; i++) {
        chirr_real inputs[CHIRR_PIXEL_INPUTS];
        uint32_t column = i % WIDTH;
        uint32_t row = i / WIDTH;
        chirr_image_inputs(&image, inputs);
        cr_expect_float_eq(inputs[0], 2.0 * column / (WIDTH - 1) - 1, 1e-6);
        cr_expect_float_eq(inputs[1], 2.0 * row / 1024 - 1, 1e-6);
        cr_expect_float_eq(inputs[2], column % 2 == 0 ? -1 : 1, 1e-6);
        for (uint32_t n = 0; n < 3; n++) { /* the byte at i came as 10 i */
            bool inside = column + n * CHANNELS >= CHANNELS && column + n * CHANNELS < WIDTH + 2;
            double above = row > 0 && inside ? 10.0 * (i + n * CHANNELS - CHANNELS - WIDTH) : 0;
            cr_expect_float_eq(inputs[3 + n], 2 * above / 255 - 1, 1e-6, "byte %u, input %u: %g", i,
                               3 + n, (double)inputs[3 + n]);
        }
        chirr_image_take(&image, (uint8_t)(10 * i));
    }
    chirr_arena_finish(&arena);
}

/* ---- The selector ---------------------------------------------------------------------------- */

static struct chirr_model *learn_with_selector(uint32_t rounds)
{
    config.active = 2;
    struct chirr_model *model = make_model(&arenas[0], &config);
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t sense = 0; sense < config.sense_count; sense++) {
            uint8_t text[64];
            struct chirr_model_reading reading;
            for (size_t i = 0; i < sizeof text; i++) {
                text[i] = byte_at(sense, round * sizeof text + i);
            }
            cr_assert_eq(chirr_model_step_bytes(model, sense, text, sizeof text, &reading),
                         CHIRR_OK);
        }
    }
    return model;
}

Test(selector, k_partitions_answer_at_every_step_in_ascending_order)
{
    struct chirr_model *model = learn_with_selector(20);
    const struct chirr_layout *l = &model->body.layout;
    cr_assert_eq(l->slots, 2);
    const struct chirr_stream *stream = &model->senses[TEXT].stream;
    for (uint32_t layer = 0; layer < l->layers; layer++) {
        float sum = 0;
        for (uint32_t t = 0; t < stream->chunk; t++) {
            const uint8_t *chosen = chirr_stream_chosen(stream, l, layer, t);
            cr_expect_lt(chosen[0], chosen[1]);
            cr_expect_lt(chosen[1], l->hosted_count);
        }
        for (uint32_t p = 0; p < config.partitions; p++) {
            sum += chirr_model_activation(model, TEXT, layer, p);
        }
        double memory = pow(1 - (double)config.chunk / 2048, 20.0 * 64 / config.chunk);
        cr_expect_float_eq(sum, 2 * (1 - memory), 1e-3, "layer %u: %g", layer, (double)sum);
    }
}

Test(selector, what_does_not_answer_is_not_touched)
{
    struct chirr_model *model = learn_with_selector(1);
    const struct chirr_layout *l = &model->body.layout;
    chirr_real before[4096];
    cr_assert_leq(l->partition_size, sizeof before / sizeof *before);
    for (size_t unit = 0; unit < l->hosted_count; unit++) {
        /* only the first two are let in */
        for (uint32_t layer = 0; layer < l->layers; layer++) {
            model->senses[TEXT].stream.offsets[layer * l->hosted_count + unit] = unit < 2 ? 9 : -9;
        }
    }
    size_t asleep = chirr_layout_unit(l, 2);
    memcpy(before, model->weights + asleep, l->partition_size * sizeof *before);
    float awake = model->weights[0];
    struct chirr_model_reading reading;
    cr_assert_eq(chirr_model_step_bytes(model, TEXT, (const uint8_t *)"abcdefgh", 8, &reading),
                 CHIRR_OK);
    cr_assert_eq(reading.updates, 1);
    cr_expect_eq(memcmp(before, model->weights + asleep, l->partition_size * sizeof *before), 0);
    cr_expect_neq(model->weights[0], awake);
    /* nor read: hostile weights asleep do no harm */
    for (uint32_t layer = 0; layer < l->layers; layer++) {
        for (size_t unit = 0; unit < l->hosted_count; unit++) {
            model->senses[TEXT].stream.offsets[layer * l->hosted_count + unit] = unit < 2 ? 9 : -9;
        }
    }
    for (size_t i = 0; i < l->partition_size; i++) {
        model->weights[asleep + i] = NAN;
    }
    struct chirr_model_step step;
    cr_assert_eq(chirr_model_step_byte(model, TEXT, 'x', &step), CHIRR_OK);
    cr_expect(isfinite(step.bits));
}

Test(selector, spreads_the_load_over_all_partitions)
{
    struct chirr_model *model = learn_with_selector(600);
    for (uint32_t layer = 0; layer < config.layers; layer++) {
        for (uint32_t p = 0; p < config.partitions; p++) {
            float share = 0;
            for (uint32_t sense = 0; sense < config.sense_count; sense++) {
                share += chirr_model_activation(model, sense, layer, p) / 3;
            }
            cr_expect(share > 0.25f && share < 0.75f, "layer %u, partition %u: %g", layer, p,
                      (double)share);
        }
    }
}

Test(selector, lets_senses_part_company)
{
    struct chirr_model *model = learn_with_selector(600);
    double apart = 0; /* total variation between the senses' use of partitions */
    for (uint32_t layer = 0; layer < config.layers; layer++) {
        for (uint32_t p = 0; p < config.partitions; p++) {
            apart += fabs((double)(chirr_model_activation(model, TEXT, layer, p) -
                                   chirr_model_activation(model, TONE, layer, p)));
        }
    }
    cr_expect_gt(apart / (2 * 2 * config.layers), 0.3, "%g", apart / (2 * 2 * config.layers));
}

/* Root mean square of what the first update changed at `offset`. The moments are young, so that
 * the step is clipped: its length is the rate of that matrix. */
static double first_step(struct chirr_model *model, size_t offset, size_t count)
{
    struct chirr_model_reading reading;
    double squares = 0;
    cr_assert_eq(chirr_model_step_bytes(model, TEXT, (const uint8_t *)"a reader", 8, &reading),
                 CHIRR_OK);
    cr_assert_eq(reading.updates, 1);
    for (size_t i = 0; i < count; i++) {
        squares += (double)model->own[offset + i] * (double)model->own[offset + i];
    }
    return sqrt(squares / (double)count);
}

/* With k of H answering; of the output matrix of the first unit. */
static double first_step_of_a_partition(uint32_t active, uint32_t width)
{
    config.active = active;
    config.width = width;
    struct chirr_model *model = make_model(&arenas[0], &config);
    const struct chirr_layout *l = &model->body.layout;
    for (size_t i = 0; active > 0 && i < (size_t)l->layers * l->hosted_count; i++) {
        bool let_in = i % l->hosted_count < active;
        model->senses[TEXT].stream.offsets[i] = let_in ? 9 : -9;
    }
    double step = first_step(model, l->output, l->gate - l->output);
    chirr_arena_finish(&arenas[0]);
    return step;
}

Test(selector, slows_partitions_by_the_fourth_root_of_the_share_at_which_they_answer)
{
    double always = first_step_of_a_partition(0, 16);
    cr_assert_gt(always, 0);
    cr_expect_float_eq(first_step_of_a_partition(1, 16) / always, sqrt(0.5), 1e-3);
    cr_expect_float_eq(first_step_of_a_partition(2, 16) / always, pow(0.5, 0.25), 1e-3);
}

Test(symbols, move_wide_bodies_by_smaller_steps)
{
    double at_64 = first_step_of_a_partition(0, 64);
    cr_assert_gt(at_64, 0);
    cr_expect_float_eq(first_step_of_a_partition(0, 32) / at_64, 1, 1e-3);
    cr_expect_float_eq(first_step_of_a_partition(0, 256) / at_64, 0.25, 1e-3);
}

Test(selector, of_fewer_hosted_than_active_takes_them_all)
{
    config.active = 3;
    config.hosted = 0x3;
    struct chirr_model *model = make_model(&arenas[0], &config);
    cr_expect_eq(model->body.layout.slots, 2);
    learn_text(model, TEXT, "either way, it learns", 21);
}
