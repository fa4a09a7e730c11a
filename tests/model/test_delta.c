#include "model/delta.h"

#include <math.h>
#include <string.h>

#include "base/wire.h"
#include "model/internal.h"
#include "tests/model/support.h"

#define MESSAGES 24
#define ORIGINS 3

static struct chirr_arena arenas[3];
static struct chirr_model_config config;
static struct chirr_random random_stream;

struct message {
    struct chirr_delta_source source;
    uint8_t bytes[CHIRR_DELTA_BYTES_MAX];
    size_t count;
};

static struct message messages[MESSAGES];

static void setup(void)
{
    config = small_config();
    chirr_random_init(&random_stream, 11, 1);
}

static void teardown(void)
{
    for (size_t i = 0; i < 3; i++) {
        chirr_arena_finish(&arenas[i]);
    }
}

TestSuite(delta, .init = setup, .fini = teardown);

static void learn_random(struct chirr_model *model, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        uint8_t byte = (uint8_t)('a' + chirr_random_below(&random_stream, 6));
        learn_text(model, SMALL_TEXT, &byte, 1);
    }
}

static void publish(struct chirr_model *model, struct message *message,
                    struct chirr_delta_source source)
{
    message->source = source;
    cr_assert_eq(chirr_delta_extract(model, source.partition, message->bytes, sizeof message->bytes,
                                     &message->count),
                 CHIRR_OK);
    cr_assert_gt(message->count, 0);
}

static enum chirr_err apply(struct chirr_model *model, const struct message *message)
{
    return chirr_delta_apply(model, &message->source, message->bytes, message->count);
}

/* Messages of three origins about every unit, as their models learn. */
static void make_messages(void)
{
    for (uint32_t origin = 0; origin < ORIGINS; origin++) {
        struct chirr_model *model = make_model(&arenas[2], &config);
        for (uint32_t i = origin; i < MESSAGES; i += ORIGINS) {
            learn_random(model, 60);
            publish(model, &messages[i],
                    (struct chirr_delta_source){.origin = 100 + origin,
                                                .incarnation = 1 + i / 12,
                                                .version = 1 + i,
                                                .partition = (i / ORIGINS) % 5});
        }
        chirr_arena_finish(&arenas[2]);
    }
}

static void weigh_all(struct chirr_model *model)
{
    for (uint64_t origin = 100; origin < 100 + ORIGINS; origin++) {
        cr_assert_eq(chirr_delta_weigh(model, origin, 0.2f + 0.1f * (float)(origin - 100)),
                     CHIRR_OK);
    }
}

static bool same_weights(struct chirr_model *a, struct chirr_model *b)
{
    chirr_model_settle(a);
    chirr_model_settle(b);
    return memcmp(a->weights, b->weights, a->body.layout.total * sizeof(chirr_real)) == 0;
}

/* ---- What arrives ---------------------------------------------------------------------------- */

Test(delta, a_receiver_holds_what_the_sender_changed_within_the_quantisation)
{
    struct chirr_model *from = make_model(&arenas[0], &config);
    struct chirr_model *to = make_model(&arenas[1], &config);
    learn_random(from, 400);
    struct message message;
    for (uint32_t unit = 0; unit <= config.partitions; unit++) {
        uint64_t version = 1;
        do { /* until everything was told at least once, by the refresh in turn */
            publish(from, &message, (struct chirr_delta_source){100, 1, version, unit});
            cr_assert_eq(apply(to, &message), CHIRR_OK);
        } while (++version <= chirr_delta_block_count(&config, unit));
    }
    cr_assert_eq(chirr_delta_weigh(to, 100, 1), CHIRR_OK);
    chirr_model_settle(to);
    double difference = 0;
    double size = 0;
    for (size_t i = 0; i < from->body.layout.shared_end; i++) {
        /* the receiver has learned nothing itself: what is not genesis is foreign */
        difference += pow((double)(from->own[i] - (to->base[i] - from->base[i])), 2);
        size += pow((double)from->own[i], 2);
    }
    cr_expect_lt(sqrt(difference / size), 0.15, "%g", sqrt(difference / size));
}

Test(delta, any_order_with_any_repeats_gives_the_same_bits)
{
    make_messages();
    struct chirr_model *orderly = make_model(&arenas[0], &config);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        cr_assert_eq(apply(orderly, &messages[i]), CHIRR_OK);
    }
    weigh_all(orderly);
    for (int trial = 0; trial < 20; trial++) {
        struct chirr_model *other = make_model(&arenas[1], &config);
        uint32_t order[MESSAGES];
        for (uint32_t i = 0; i < MESSAGES; i++) { /* Fisher-Yates, inside out */
            uint32_t at = (uint32_t)chirr_random_below(&random_stream, i + 1);
            order[i] = order[at];
            order[at] = i;
        }
        for (uint32_t i = 0; i < MESSAGES; i++) {
            enum chirr_err err = apply(other, &messages[order[i]]);
            cr_assert(err == CHIRR_OK || err == CHIRR_ERR_STALE);
            uint32_t again = order[chirr_random_below(&random_stream, i + 1)];
            cr_assert_eq(apply(other, &messages[again]), CHIRR_ERR_STALE);
        }
        weigh_all(other);
        cr_assert(same_weights(orderly, other), "trial %d", trial);
        chirr_arena_finish(&arenas[1]);
    }
}

Test(delta, weighing_before_or_after_arrival_gives_the_same_bits)
{
    make_messages();
    struct chirr_model *after = make_model(&arenas[0], &config);
    struct chirr_model *before = make_model(&arenas[1], &config);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        cr_assert_eq(apply(after, &messages[i]), CHIRR_OK);
        cr_assert_eq(apply(before, &messages[i]), CHIRR_OK);
        if (i == ORIGINS - 1) {
            weigh_all(before);
        }
    }
    weigh_all(after);
    cr_expect(same_weights(after, before));
}

Test(delta, a_lost_message_is_healed_by_later_ones)
{
    struct chirr_model *from = make_model(&arenas[0], &config);
    struct chirr_model *to = make_model(&arenas[1], &config);
    struct message message;
    learn_random(from, 200);
    publish(from, &message, (struct chirr_delta_source){100, 1, 1, 0}); /* lost */
    for (uint64_t version = 2; version < 2 + chirr_delta_block_count(&config, 0); version++) {
        learn_random(from, 10);
        publish(from, &message, (struct chirr_delta_source){100, 1, version, 0});
        cr_assert_eq(apply(to, &message), CHIRR_OK);
    }
    const struct chirr_registers *r = &to->registers;
    int32_t place = chirr_registers_find(r, 100);
    cr_assert_geq(place, 0);
    for (size_t block = 0; block < chirr_delta_block_count(&config, 0); block++) {
        cr_expect_eq(memcmp(chirr_registers_value(r, (uint32_t)place, block),
                            &from->registers.published[block], sizeof(struct chirr_quantised)),
                     0, "block %zu", block);
    }
}

/* ---- Taking out ------------------------------------------------------------------------------ */

Test(delta, g_0_and_revocation_take_an_origin_out_to_the_last_bit)
{
    make_messages();
    struct chirr_model *model = make_model(&arenas[0], &config);
    struct chirr_model *without = make_model(&arenas[1], &config); /* learns the same, alone */
    for (int i = 0; i < 64; i++) {
        uint8_t byte = (uint8_t)('a' + i % 6);
        learn_text(model, SMALL_TEXT, &byte, 1);
        learn_text(without, SMALL_TEXT, &byte, 1);
    }
    for (uint32_t i = 0; i < MESSAGES; i++) {
        cr_assert_eq(apply(model, &messages[i]), CHIRR_OK);
    }
    cr_expect(same_weights(model, without), "a new origin weighs nothing");
    weigh_all(model);
    cr_expect_not(same_weights(model, without));
    cr_assert_eq(chirr_delta_weigh(model, 101, 0), CHIRR_OK);
    chirr_delta_revoke(model, 100);
    chirr_delta_revoke(model, 102);
    cr_expect(same_weights(model, without));
    cr_expect_eq(chirr_delta_weigh(model, 100, 1), CHIRR_ERR_NOTFOUND);
    chirr_delta_revoke(model, 100);
    cr_expect_eq(model->registers.origin_count, 1);
}

Test(delta, a_full_table_refuses_until_a_place_is_freed)
{
    config.origins_max = 2;
    struct chirr_model *from = make_model(&arenas[0], &config);
    struct chirr_model *to = make_model(&arenas[1], &config);
    struct message message;
    learn_random(from, 40);
    publish(from, &message, (struct chirr_delta_source){1, 1, 1, 2});
    cr_expect_eq(apply(to, &message), CHIRR_OK);
    message.source.origin = 2;
    cr_expect_eq(apply(to, &message), CHIRR_OK);
    message.source.origin = 3;
    cr_expect_eq(apply(to, &message), CHIRR_ERR_FULL);
    chirr_delta_revoke(to, 1);
    cr_expect_eq(apply(to, &message), CHIRR_OK);
    cr_expect_eq(chirr_delta_weigh(to, 3, 0.5f), CHIRR_OK);
}

Test(delta, what_came_from_others_is_never_published_as_own)
{
    make_messages();
    struct chirr_model *model = make_model(&arenas[0], &config);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        cr_assert_eq(apply(model, &messages[i]), CHIRR_OK);
    }
    weigh_all(model);
    struct chirr_model_statistics statistics;
    chirr_model_statistics(model, &statistics);
    cr_expect_gt(statistics.foreign_norm, 0);
    cr_expect_eq(statistics.own_norm, 0);
    for (uint32_t unit = 0; unit <= config.partitions; unit++) {
        uint8_t out[CHIRR_DELTA_BYTES_MAX];
        size_t bytes = 1;
        cr_expect_eq(chirr_delta_drift(model, unit), 0);
        cr_expect_eq(chirr_delta_extract(model, unit, out, sizeof out, &bytes), CHIRR_OK);
        cr_expect_eq(bytes, 0);
    }
}

/* ---- What leaves ----------------------------------------------------------------------------- */

Test(delta, drift_falls_as_change_is_published)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    cr_expect_eq(chirr_delta_drift(model, 0), 0);
    learn_random(model, 80);
    double before = chirr_delta_drift(model, 0);
    struct message message;
    publish(model, &message, (struct chirr_delta_source){1, 1, 1, 0});
    double after = chirr_delta_drift(model, 0);
    cr_expect_gt(before, 0);
    cr_expect_lt(after, before);
}

Test(delta, never_exceeds_its_capacity)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    uint8_t out[CHIRR_DELTA_BYTES_MAX + 1];
    for (size_t capacity = 0; capacity <= CHIRR_DELTA_BYTES_MAX; capacity += 7) {
        learn_random(model, 8);
        size_t bytes = 0;
        memset(out, 0xEE, sizeof out);
        enum chirr_err err = chirr_delta_extract(model, config.partitions, out, capacity, &bytes);
        cr_assert(err == CHIRR_OK || (err == CHIRR_ERR_RANGE && capacity < 40));
        cr_assert_leq(bytes, capacity);
        cr_assert_eq(out[capacity], 0xEE);
    }
}

Test(delta, of_a_partition_that_is_not_hosted_is_refused_both_ways)
{
    struct chirr_model *from = make_model(&arenas[0], &config);
    config.hosted = 0x3;
    struct chirr_model *to = make_model(&arenas[1], &config);
    struct message message;
    uint8_t out[CHIRR_DELTA_BYTES_MAX];
    size_t bytes;
    learn_random(from, 40);
    publish(from, &message, (struct chirr_delta_source){1, 1, 1, 2});
    cr_expect_eq(apply(to, &message), CHIRR_ERR_INVALID);
    cr_expect_eq(chirr_delta_extract(to, 2, out, sizeof out, &bytes), CHIRR_ERR_INVALID);
    cr_expect_eq(chirr_delta_extract(to, 5, out, sizeof out, &bytes), CHIRR_ERR_INVALID);
    cr_expect_eq(chirr_delta_drift(to, 2), 0);
    publish(from, &message, (struct chirr_delta_source){1, 1, 1, 4});
    cr_expect_eq(apply(to, &message), CHIRR_OK, "the trunk is common to all");
}

/* ---- What is malformed ------------------------------------------------------------------------
 */

static struct chirr_model *receiver;
static struct message valid;
static uint64_t untouched;

static void expect_refused(const struct message *message, enum chirr_err err, const char *why)
{
    cr_expect_eq(apply(receiver, message), err, "%s", why);
    cr_expect_eq(chirr_model_state_hash(receiver), untouched, "%s", why);
}

static void prepare_refusals(void)
{
    struct chirr_model *from = make_model(&arenas[0], &config);
    receiver = make_model(&arenas[1], &config);
    learn_random(from, 100);
    publish(from, &valid, (struct chirr_delta_source){7, 1, 1, 1});
    untouched = chirr_model_state_hash(receiver);
}

/* Layout of the first block: [gap][scale: 2][values]. */
enum { COUNT = 1, GAP = 3, SCALE = 4, VALUES = 6 };

static void put_scale(struct message *message, float scale)
{
    *message = valid;
    uint8_t bytes[4];
    chirr_wire_put_f32(bytes, scale);
    memcpy(message->bytes + SCALE, bytes + 2, 2);
}

Test(delta, malformed_in_any_way_is_refused_and_changes_nothing)
{
    prepare_refusals();
    struct message bad = valid;
    bad.bytes[0] = 99;
    expect_refused(&bad, CHIRR_ERR_MALFORMED, "format");
    bad = valid;
    chirr_wire_put_u16(bad.bytes + COUNT, 0);
    expect_refused(&bad, CHIRR_ERR_MALFORMED, "no blocks");
    bad = valid;
    bad.bytes[COUNT]++;
    expect_refused(&bad, CHIRR_ERR_MALFORMED, "more blocks than bytes");
    bad = valid;
    bad.bytes[COUNT]--;
    expect_refused(&bad, CHIRR_ERR_MALFORMED, "bytes behind the last block");
    bad = valid;
    bad.bytes[GAP] = 0x7F;
    expect_refused(&bad, CHIRR_ERR_MALFORMED, "a block beyond the unit");
    bad = valid;
    memset(bad.bytes + GAP, 0x80, 4);
    expect_refused(&bad, CHIRR_ERR_MALFORMED, "an endless gap");
    put_scale(&bad, NAN);
    expect_refused(&bad, CHIRR_ERR_NOTFINITE, "scale NaN");
    put_scale(&bad, INFINITY);
    expect_refused(&bad, CHIRR_ERR_NOTFINITE, "scale infinite");
    put_scale(&bad, -1);
    expect_refused(&bad, CHIRR_ERR_MALFORMED, "scale negative");
    put_scale(&bad, 1e6f);
    expect_refused(&bad, CHIRR_ERR_MALFORMED, "scale beyond what learning reaches");
    bad = valid;
    bad.bytes[VALUES] &= 0xF0;
    expect_refused(&bad, CHIRR_ERR_MALFORMED, "value -8");
    bad = valid;
    bad.source.origin = 0;
    expect_refused(&bad, CHIRR_ERR_INVALID, "origin 0");
    bad = valid;
    bad.source.incarnation = 0;
    bad.source.version = 0;
    expect_refused(&bad, CHIRR_ERR_STALE, "version 0");
    for (size_t cut = 0; cut < valid.count; cut++) {
        bad = valid;
        bad.count = cut;
        expect_refused(&bad, CHIRR_ERR_MALFORMED, "cut off");
    }
    cr_expect_eq(apply(receiver, &valid), CHIRR_OK);
}

Test(delta, random_bytes_never_break_a_receiver)
{
    const uint64_t seed = 5;
    prepare_refusals();
    chirr_random_init(&random_stream, seed, 9);
    for (int i = 0; i < 20000; i++) {
        struct message noise = valid;
        noise.source.version = (uint64_t)i + 2;
        noise.source.partition = (uint32_t)chirr_random_below(&random_stream, 6);
        uint64_t flips = chirr_random_below(&random_stream, 4);
        for (uint64_t f = 0; f < flips; f++) {
            noise.bytes[chirr_random_below(&random_stream, noise.count)] =
                (uint8_t)chirr_random_u32(&random_stream);
        }
        if (i % 3 == 0) {
            noise.count = chirr_random_below(&random_stream, sizeof noise.bytes + 1);
            for (size_t b = 3; b < noise.count; b++) {
                noise.bytes[b] = (uint8_t)chirr_random_u32(&random_stream);
            }
        }
        enum chirr_err err = apply(receiver, &noise);
        if (err == CHIRR_OK) {
            cr_assert_eq(chirr_delta_weigh(receiver, 7, 1), CHIRR_OK);
        }
    }
    for (size_t i = 0; i < receiver->body.layout.total; i++) {
        cr_assert(isfinite(receiver->weights[i]), "seed %lu", (unsigned long)seed);
    }
}

Test(delta, g_outside_its_range_is_refused)
{
    prepare_refusals();
    cr_assert_eq(apply(receiver, &valid), CHIRR_OK);
    cr_expect_eq(chirr_delta_weigh(receiver, 7, -0.1f), CHIRR_ERR_RANGE);
    cr_expect_eq(chirr_delta_weigh(receiver, 7, 1.1f), CHIRR_ERR_RANGE);
    cr_expect_eq(chirr_delta_weigh(receiver, 7, NAN), CHIRR_ERR_RANGE);
    cr_expect_eq(chirr_delta_weigh(receiver, 8, 1), CHIRR_ERR_NOTFOUND);
    cr_expect_eq(chirr_delta_weigh(receiver, 0, 1), CHIRR_ERR_NOTFOUND);
}
