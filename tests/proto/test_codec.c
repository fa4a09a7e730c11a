#include "proto/codec.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"
#include "tests/support/generate.h"

#define ROUNDS 400

static struct chirr_arena arena;   /* of generated messages */
static struct chirr_arena scratch; /* of decoded ones */
static uint8_t wire[CHIRR_FRAME_BYTES_MAX];
static uint8_t again[CHIRR_FRAME_BYTES_MAX];
static struct chirr_random random_stream;
static struct chirr_identity author;
static uint64_t seed;

/* CHIRR_SEED replays a failure, whose message names the seed. */
static void setup(void)
{
    const char *given = getenv("CHIRR_SEED");
    seed = given == NULL ? 20260101 : strtoull(given, NULL, 10);
    chirr_random_init(&random_stream, seed, 0);
    cr_assert_eq(chirr_arena_init(&arena, GENERATE_ARENA_BYTES), CHIRR_OK);
    cr_assert_eq(chirr_arena_init(&scratch, CHIRR_CODEC_SCRATCH_BYTES), CHIRR_OK);
    author = generate_identity(&random_stream);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
    chirr_arena_finish(&scratch);
}

TestSuite(codec, .init = setup, .fini = teardown);

/* Each in turn. */
static enum chirr_message_kind any_kind(int round)
{
    return (enum chirr_message_kind)(CHIRR_MESSAGE_PING + round % (CHIRR_MESSAGE_KINDS - 1));
}

static size_t encode(const struct chirr_message *message, uint8_t *out)
{
    size_t bytes;
    cr_assert_eq(chirr_codec_encode_message(message, out, CHIRR_FRAME_BYTES_MAX, &bytes), CHIRR_OK,
                 "seed %lu", seed);
    return bytes;
}

static void assert_same(const void *a, const void *b, size_t bytes)
{
    cr_assert(bytes == 0 || memcmp(a, b, bytes) == 0, "seed %lu", seed);
}

/* What both borrow, then the messages themselves without the pointers. */
static void assert_equal(const struct chirr_message *a, const struct chirr_message *b)
{
    struct chirr_message plain_a = *a;
    struct chirr_message plain_b = *b;
    cr_assert_eq(a->kind, b->kind);
    if (a->kind == CHIRR_MESSAGE_RECORDS) {
        cr_assert_eq(a->records.count, b->records.count);
        cr_assert_eq(a->records.covered_count, b->records.covered_count);
        assert_same(a->records.records, b->records.records,
                    a->records.count * sizeof(struct chirr_record));
        assert_same(a->records.covered, b->records.covered,
                    a->records.covered_count * sizeof(struct chirr_digest_entry));
        plain_a.records.records = plain_b.records.records = NULL;
        plain_a.records.covered = plain_b.records.covered = NULL;
    } else if (a->kind == CHIRR_MESSAGE_DIGEST) {
        cr_assert_eq(a->digest.count, b->digest.count);
        assert_same(a->digest.entries, b->digest.entries,
                    a->digest.count * sizeof(struct chirr_digest_entry));
        plain_a.digest.entries = plain_b.digest.entries = NULL;
    } else if (a->kind == CHIRR_MESSAGE_DELTA) {
        cr_assert_eq(a->delta.payload_bytes, b->delta.payload_bytes);
        assert_same(a->delta.payload, b->delta.payload, a->delta.payload_bytes);
        plain_a.delta.payload = plain_b.delta.payload = NULL;
    } else if (a->kind == CHIRR_MESSAGE_VIEW) {
        cr_assert_eq(a->view.count, b->view.count);
        assert_same(a->view.cards, b->view.cards, a->view.count * sizeof(struct chirr_record));
        plain_a.view.cards = plain_b.view.cards = NULL;
    } else if (a->kind == CHIRR_MESSAGE_HAVE || a->kind == CHIRR_MESSAGE_GRAFT) {
        cr_assert_eq(a->have.count, b->have.count);
        assert_same(a->have.entries, b->have.entries,
                    a->have.count * sizeof(struct chirr_digest_entry));
        plain_a.have.entries = plain_b.have.entries = NULL;
    }
    assert_same(&plain_a, &plain_b, sizeof plain_a);
}

Test(codec, every_valid_message_survives_a_round_trip)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct chirr_message message;
        struct chirr_message decoded;
        generate_message(&random_stream, &arena, &author, any_kind(round), &message);
        size_t bytes = encode(&message, wire);
        cr_assert_eq(bytes, chirr_codec_message_bytes(&message));
        cr_assert_eq(chirr_codec_decode_message(wire, bytes, &scratch, &decoded), CHIRR_OK,
                     "seed %lu round %d", seed, round);
        assert_equal(&message, &decoded);
    }
}

Test(codec, a_flattened_copy_equals_its_original)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct chirr_message message;
        generate_message(&random_stream, &arena, &author, any_kind(round), &message);
        void *memory = aligned_alloc(16, chirr_message_copy_bytes(&message));
        struct chirr_message *copy = chirr_message_copy(memory, &message);
        assert_equal(&message, copy);
        cr_assert_eq(chirr_message_validate(copy), CHIRR_OK);
        free(memory);
    }
}

Test(codec, a_decoded_record_encodes_to_the_same_bytes_and_stays_signed)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct chirr_record record;
        struct chirr_record decoded;
        size_t bytes;
        size_t bytes_again;
        generate_record(&random_stream, &author, 0, &record);
        cr_assert_eq(chirr_codec_encode_record(&record, wire, sizeof wire, &bytes), CHIRR_OK);
        cr_assert_leq(bytes, CHIRR_CODEC_RECORD_BYTES_MAX);
        cr_assert_eq(chirr_codec_decode_record(wire, bytes, &decoded), CHIRR_OK, "seed %lu", seed);
        cr_assert_arr_eq(&record, &decoded, sizeof record, "seed %lu", seed);
        cr_assert_eq(chirr_codec_encode_record(&decoded, again, sizeof again, &bytes_again),
                     CHIRR_OK);
        cr_assert_eq(bytes, bytes_again);
        cr_assert_arr_eq(wire, again, bytes);
        cr_assert_eq(chirr_record_verify(&decoded, author.public_key), CHIRR_OK);
    }
}

Test(codec, the_statement_is_the_record_before_its_signature)
{
    struct chirr_record record;
    size_t bytes;
    size_t statement_bytes;
    generate_record(&random_stream, &author, CHIRR_RECORD_TASK, &record);
    cr_assert_eq(chirr_codec_encode_record(&record, wire, sizeof wire, &bytes), CHIRR_OK);
    cr_assert_eq(chirr_codec_encode_statement(&record, again, sizeof again, &statement_bytes),
                 CHIRR_OK);
    cr_assert_eq(statement_bytes + 2 + CHIRR_SIGNATURE_BYTES, bytes);
    cr_assert_arr_eq(wire, again, statement_bytes);
}

Test(codec, the_statement_of_a_delta_is_the_delta_before_its_signature)
{
    struct chirr_message message;
    size_t statement_bytes;
    generate_message(&random_stream, &arena, &author, CHIRR_MESSAGE_DELTA, &message);
    size_t bytes = encode(&message, wire);
    cr_assert_eq(chirr_codec_encode_delta_statement(&message.delta, again,
                                                    CHIRR_CODEC_DELTA_BYTES_MAX, &statement_bytes),
                 CHIRR_OK);
    uint8_t *statement = wire + bytes - statement_bytes - 2 - CHIRR_SIGNATURE_BYTES;
    cr_assert_arr_eq(statement, again, statement_bytes);
    cr_assert_arr_eq(wire + bytes - CHIRR_SIGNATURE_BYTES, message.delta.signature,
                     CHIRR_SIGNATURE_BYTES);
    size_t none;
    cr_assert_eq(
        chirr_codec_encode_delta_statement(&message.delta, again, statement_bytes - 1, &none),
        CHIRR_ERR_FULL);
}

/* All lists at their limits, all texts and outputs full. */
static void largest_message(struct chirr_message *message)
{
    static struct chirr_record records[CHIRR_RECORDS_MAX];
    static struct chirr_digest_entry covered[CHIRR_DIGEST_ENTRIES_MAX];
    memset(records, 0, sizeof records);
    struct chirr_task *task = &records[0].task;
    records[0].kind = CHIRR_RECORD_TASK;
    records[0].author = UINT64_MAX;
    records[0].stamp = (struct chirr_stamp){UINT64_MAX, UINT64_MAX};
    memset(task->spec.kind, 'k', sizeof task->spec.kind - 1);
    task->spec.size_bytes = UINT64_MAX;
    task->spec.time_limit_ms = 86400000;
    task->spec.priority = 9;
    task->spec.requires.count = CHIRR_TAGS_MAX;
    for (int i = 0; i < CHIRR_TAGS_MAX; i++) {
        memset(task->spec.requires.names[i], 'a' + i, CHIRR_TAG_BYTES_MAX - 1);
    }
    task->spec.argument_count = 1;
    task->spec.command_bytes = CHIRR_COMMAND_BYTES_MAX;
    memset(task->spec.command, 'c', CHIRR_COMMAND_BYTES_MAX - 1);
    task->submitter = UINT64_MAX;
    task->nonce = UINT64_MAX;
    task->id = chirr_task_id_of(task->submitter, task->nonce, &task->spec);
    task->epoch = UINT32_MAX;
    task->phase = CHIRR_TASK_DONE;
    task->owner = UINT64_MAX;
    task->owner_incarnation = UINT64_MAX;
    task->result = (struct chirr_task_result){
        CHIRR_TASK_END_SIGNALLED,      INT32_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
        CHIRR_RESULT_OUTPUT_BYTES_MAX, {0}};
    for (int i = 1; i < CHIRR_RECORDS_MAX; i++) {
        records[i] = records[0];
    }
    for (uint32_t i = 0; i < CHIRR_DIGEST_ENTRIES_MAX; i++) {
        covered[i] = (struct chirr_digest_entry){i + 1, {UINT64_MAX, UINT64_MAX}};
    }
    memset(message, 0, sizeof *message);
    message->kind = CHIRR_MESSAGE_RECORDS;
    message->records =
        (struct chirr_records){CHIRR_RECORDS_MAX, records, CHIRR_DIGEST_ENTRIES_MAX, covered};
}

Test(codec, the_largest_message_fits_into_the_scratch_and_a_frame)
{
    struct chirr_message message;
    struct chirr_message decoded;
    size_t bytes;
    largest_message(&message);
    cr_assert_eq(chirr_frame_seal(&message, &author, true, again, sizeof again, &bytes), CHIRR_OK);
    bytes = encode(&message, wire);
    cr_assert_eq(chirr_codec_decode_message(wire, bytes, &scratch, &decoded), CHIRR_OK);
    assert_equal(&message, &decoded);
    size_t record_bytes;
    cr_assert_eq(chirr_codec_encode_record(message.records.records, again,
                                           CHIRR_CODEC_RECORD_BYTES_MAX, &record_bytes),
                 CHIRR_OK);
    struct chirr_record record;
    cr_assert_eq(chirr_codec_decode_record(again, record_bytes, &record), CHIRR_OK);
}

Test(codec, the_largest_deltas_and_changes_of_trust_fit_into_their_limits)
{
    static uint8_t payload[CHIRR_DELTA_PAYLOAD_BYTES_MAX];
    struct chirr_delta_message delta = {.origin = UINT64_MAX,
                                        .stamp = {UINT64_MAX, UINT64_MAX},
                                        .lineage = UINT64_MAX,
                                        .partition = 63,
                                        .payload_bytes = sizeof payload,
                                        .payload = payload};
    struct chirr_record record = {.kind = CHIRR_RECORD_TRUST,
                                  .author = UINT64_MAX,
                                  .stamp = {UINT64_MAX, UINT64_MAX},
                                  .trust.count = CHIRR_TRUST_CHANGES_MAX};
    for (uint32_t i = 0; i < CHIRR_TRUST_CHANGES_MAX; i++) {
        record.trust.changes[i] = (struct chirr_trust_change){{1, (uint8_t)i}, UINT64_MAX, true};
    }
    struct chirr_record decoded;
    size_t bytes;
    cr_assert_eq(
        chirr_codec_encode_delta_statement(&delta, again, CHIRR_CODEC_DELTA_BYTES_MAX, &bytes),
        CHIRR_OK);
    cr_assert_eq(chirr_codec_encode_record(&record, again, CHIRR_CODEC_RECORD_BYTES_MAX, &bytes),
                 CHIRR_OK);
    cr_assert_eq(chirr_codec_decode_record(again, bytes, &decoded), CHIRR_OK);
    cr_assert_arr_eq(&record.trust, &decoded.trust, sizeof record.trust);
    static struct chirr_record many[CHIRR_RECORDS_MAX];
    for (int i = 0; i < CHIRR_RECORDS_MAX; i++) {
        many[i] = record;
    }
    struct chirr_message message = {.kind = CHIRR_MESSAGE_RECORDS,
                                    .records = {.count = CHIRR_RECORDS_MAX, .records = many}};
    bytes = encode(&message, wire);
    cr_assert_eq(chirr_codec_decode_message(wire, bytes, &scratch, &message), CHIRR_OK);
}

Test(codec, encoding_refuses_what_is_invalid_or_too_large_for_the_buffer)
{
    struct chirr_message message;
    size_t bytes;
    generate_message(&random_stream, &arena, &author, CHIRR_MESSAGE_DELTA, &message);
    bytes = encode(&message, wire);
    cr_assert_eq(chirr_codec_encode_message(&message, wire, bytes - 1, &bytes), CHIRR_ERR_FULL);
    message.delta.partition = 64;
    cr_assert_eq(chirr_codec_encode_message(&message, wire, sizeof wire, &bytes), CHIRR_ERR_RANGE);
    cr_assert_eq(bytes, 0);
}

Test(codec, a_scratch_that_is_too_small_is_an_error_and_not_a_crash)
{
    struct chirr_message message;
    struct chirr_message decoded;
    largest_message(&message);
    size_t bytes = encode(&message, wire);
    for (size_t capacity = 64; capacity < 320 * 1024; capacity = capacity * 3 / 2) {
        struct chirr_arena small = {.base = scratch.base, .capacity = capacity / 64 * 64};
        cr_assert_eq(chirr_codec_decode_message(wire, bytes, &small, &decoded), CHIRR_ERR_FULL);
    }
}

Test(codec, noise_never_decodes_and_never_crashes)
{
    static uint8_t noise[2048];
    struct chirr_message decoded;
    struct chirr_record record;
    for (int round = 0; round < 20000; round++) {
        size_t bytes = generate_between(&random_stream, 1, sizeof noise);
        generate_bytes(&random_stream, noise, bytes);
        cr_assert_neq(chirr_codec_decode_message(noise, bytes, &scratch, &decoded), CHIRR_OK,
                      "seed %lu round %d", seed, round);
        cr_assert_neq(chirr_codec_decode_record(noise, bytes, &record), CHIRR_OK,
                      "seed %lu round %d", seed, round);
    }
    cr_assert_eq(chirr_codec_decode_message(noise, 0, &scratch, &decoded), CHIRR_ERR_MALFORMED);
    cr_assert_eq(chirr_codec_decode_record(noise, 0, &record), CHIRR_ERR_VERSION);
}

/* Short enough to be tried at every byte. */
static size_t encode_short(enum chirr_message_kind kind)
{
    struct chirr_message message;
    size_t bytes;
    do {
        generate_message(&random_stream, &arena, &author, kind, &message);
        bytes = encode(&message, wire);
    } while (bytes > 3000);
    return bytes;
}

/* A message is one field whose length comes first, so that none is the beginning of another. */
Test(codec, refuses_a_message_that_was_cut_off_at_any_byte)
{
    for (int round = 0; round < 4 * (CHIRR_MESSAGE_KINDS - 1); round++) {
        size_t bytes = encode_short(any_kind(round));
        for (size_t cut = 0; cut < bytes; cut++) {
            /* Exactly as long as what is read, so that a sanitizer sees one byte too far. */
            uint8_t *beginning = malloc(cut + (cut == 0));
            memcpy(beginning, wire, cut);
            struct chirr_message decoded;
            cr_assert_neq(chirr_codec_decode_message(beginning, cut, &scratch, &decoded), CHIRR_OK,
                          "seed %lu round %d cut %zu", seed, round, cut);
            free(beginning);
        }
    }
}

Test(codec, whatever_a_flipped_bit_decodes_to_is_valid_and_encodes_to_the_same_bytes)
{
    size_t accepted = 0;
    for (int round = 0; round < CHIRR_MESSAGE_KINDS - 1; round++) {
        size_t bytes = encode_short(any_kind(round));
        for (size_t bit = 0; bit < 8 * bytes; bit++) {
            struct chirr_message decoded;
            wire[bit / 8] ^= (uint8_t)(1U << bit % 8);
            if (chirr_codec_decode_message(wire, bytes, &scratch, &decoded) == CHIRR_OK) {
                accepted++;
                cr_assert_eq(chirr_message_validate(&decoded), CHIRR_OK);
                cr_assert_eq(encode(&decoded, again), bytes, "seed %lu bit %zu", seed, bit);
                cr_assert_arr_eq(wire, again, bytes);
            }
            wire[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
    }
    cr_assert_gt(accepted, 0);
}

/* Changes, removes or repeats a few bytes; returns the new length. */
static size_t mutate(uint8_t *bytes, size_t count)
{
    size_t at = chirr_random_below(&random_stream, count);
    size_t span = chirr_random_below(&random_stream, count - at < 16 ? count - at : 16) + 1;
    switch (chirr_random_below(&random_stream, 3)) {
    case 0:
        bytes[at] ^= (uint8_t)(1U << chirr_random_below(&random_stream, 8));
        return count;
    case 1:
        memmove(bytes + at, bytes + at + span, count - at - span);
        return count - span;
    default:
        memmove(bytes + at + span, bytes + at, count - at);
        return count + span;
    }
}

Test(codec, whatever_a_mutation_decodes_to_is_valid_and_encodes_to_the_same_bytes)
{
    size_t accepted = 0;
    for (int round = 0; round < 6000; round++) {
        struct chirr_message message;
        struct chirr_message decoded;
        generate_message(&random_stream, &arena, &author, any_kind(round), &message);
        size_t bytes = mutate(wire, encode(&message, wire));
        if (bytes == 0 || chirr_codec_decode_message(wire, bytes, &scratch, &decoded) != CHIRR_OK) {
            continue;
        }
        accepted++;
        cr_assert_eq(chirr_message_validate(&decoded), CHIRR_OK);
        cr_assert_eq(encode(&decoded, again), bytes, "seed %lu round %d", seed, round);
        cr_assert_arr_eq(wire, again, bytes);
    }
    cr_assert_gt(accepted, 0);
}
