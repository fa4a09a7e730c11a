#include "proto/sign.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "proto/codec.h"
#include "tests/support/generate.h"

static struct chirr_random random_stream;
static struct chirr_identity identity;

static void setup(void)
{
    chirr_random_init(&random_stream, 31, 0);
    identity = generate_identity(&random_stream);
}

TestSuite(sign, .init = setup);

Test(sign, one_seed_makes_one_identity)
{
    static const uint8_t seed[CHIRR_KEY_BYTES] = {1, 2, 3};
    struct chirr_identity a;
    struct chirr_identity b;
    cr_assert_eq(chirr_identity_from_seed(&a, seed), CHIRR_OK);
    cr_assert_eq(chirr_identity_from_seed(&b, seed), CHIRR_OK);
    cr_assert_arr_eq(&a, &b, sizeof a);
    cr_assert_eq(a.id, chirr_agent_id_of(a.public_key));
    cr_assert_neq(a.id, identity.id);
}

Test(sign, the_curve_pair_belongs_together)
{
    uint8_t derived[CHIRR_KEY_BYTES];
    crypto_scalarmult_base(derived, identity.curve_secret);
    cr_assert_arr_eq(derived, identity.curve_public, CHIRR_KEY_BYTES);
    cr_assert_eq(chirr_curve_key_of(identity.public_key, derived), CHIRR_OK);
    cr_assert_arr_eq(derived, identity.curve_public, CHIRR_KEY_BYTES);
}

Test(sign, refuses_keys_that_are_no_points)
{
    uint8_t zero[CHIRR_KEY_BYTES] = {0}; /* of small order */
    uint8_t curve[CHIRR_KEY_BYTES];
    cr_assert_eq(chirr_curve_key_of(zero, curve), CHIRR_ERR_INVALID);
}

Test(sign, wiping_leaves_nothing)
{
    static const struct chirr_identity nobody;
    chirr_identity_wipe(&identity);
    cr_assert_arr_eq(&identity, &nobody, sizeof identity);
}

Test(sign, keys_read_as_they_are_written)
{
    char text[CHIRR_KEY_TEXT_BYTES];
    uint8_t key[CHIRR_KEY_BYTES];
    chirr_key_format(identity.public_key, text);
    cr_assert_eq(strlen(text), 64);
    cr_assert_eq(chirr_key_parse(text, key), CHIRR_OK);
    cr_assert_arr_eq(key, identity.public_key, sizeof key);
}

Test(sign, refuses_key_texts_that_are_not_64_lower_case_digits)
{
    char text[CHIRR_KEY_TEXT_BYTES + 1];
    uint8_t key[CHIRR_KEY_BYTES];
    chirr_key_format(identity.public_key, text);
    text[5] = 'A';
    cr_assert_eq(chirr_key_parse(text, key), CHIRR_ERR_MALFORMED);
    text[5] = 'g';
    cr_assert_eq(chirr_key_parse(text, key), CHIRR_ERR_MALFORMED);
    text[5] = '0';
    cr_assert_eq(chirr_key_parse(text, key), CHIRR_OK);
    strcat(text, "0");
    cr_assert_eq(chirr_key_parse(text, key), CHIRR_ERR_MALFORMED);
    text[63] = '\0';
    cr_assert_eq(chirr_key_parse(text, key), CHIRR_ERR_MALFORMED);
    cr_assert_eq(chirr_key_parse("", key), CHIRR_ERR_MALFORMED);
}

Test(sign, only_the_author_signs_a_record)
{
    struct chirr_record record;
    struct chirr_identity other = generate_identity(&random_stream);
    generate_record(&random_stream, &identity, CHIRR_RECORD_CLAIMS, &record);
    cr_assert_eq(chirr_record_verify(&record, identity.public_key), CHIRR_OK);
    cr_assert_eq(chirr_record_verify(&record, other.public_key), CHIRR_ERR_SIGNATURE);
    cr_assert_eq(chirr_record_sign(&record, &other), CHIRR_ERR_INVALID);
    record.author = other.id; /* claims the signature of the first for the second */
    cr_assert_eq(chirr_record_verify(&record, other.public_key), CHIRR_ERR_SIGNATURE);
}

/* Flipping a bit of an encoded record either breaks the record or its signature. */
Test(sign, no_flipped_bit_goes_unnoticed)
{
    static uint8_t wire[CHIRR_CODEC_RECORD_BYTES_MAX];
    for (int kind = CHIRR_RECORD_CARD; kind <= CHIRR_RECORD_TRUST; kind++) {
        struct chirr_record record;
        size_t bytes;
        generate_record(&random_stream, &identity, kind, &record);
        cr_assert_eq(chirr_codec_encode_record(&record, wire, sizeof wire, &bytes), CHIRR_OK);
        for (size_t bit = 0; bit < 8 * bytes; bit++) {
            wire[bit / 8] ^= (uint8_t)(1U << bit % 8);
            if (chirr_codec_decode_record(wire, bytes, &record) == CHIRR_OK) {
                cr_assert_eq(chirr_record_verify(&record, identity.public_key), CHIRR_ERR_SIGNATURE,
                             "kind %d bit %zu", kind, bit);
            }
            wire[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
    }
}

static struct chirr_delta_message delta_of(const struct chirr_identity *origin)
{
    struct chirr_delta_message delta = {.origin = origin->id,
                                        .stamp = {3, 4},
                                        .lineage = 5,
                                        .partition = 6,
                                        .payload_bytes = 5,
                                        .payload = (const uint8_t *)"delta"};
    cr_assert_eq(chirr_delta_sign(&delta, origin), CHIRR_OK);
    return delta;
}

Test(sign, only_the_origin_signs_a_delta)
{
    struct chirr_identity other = generate_identity(&random_stream);
    struct chirr_delta_message delta = delta_of(&identity);
    cr_assert_eq(chirr_delta_verify(&delta, identity.public_key), CHIRR_OK);
    cr_assert_eq(chirr_delta_verify(&delta, other.public_key), CHIRR_ERR_SIGNATURE);
    cr_assert_eq(chirr_delta_sign(&delta, &other), CHIRR_ERR_INVALID);
    delta.origin = other.id; /* claims the signature of the first for the second */
    cr_assert_eq(chirr_delta_verify(&delta, other.public_key), CHIRR_ERR_SIGNATURE);
}

Test(sign, refuses_to_sign_a_delta_that_is_none)
{
    struct chirr_delta_message delta = delta_of(&identity);
    delta.partition = 64;
    cr_assert_eq(chirr_delta_sign(&delta, &identity), CHIRR_ERR_RANGE);
    cr_assert_eq(chirr_delta_verify(&delta, identity.public_key), CHIRR_ERR_SIGNATURE);
}

#define CHANGES_OF_A_DELTA(X)                                                                      \
    X(stamp.incarnation++)                                                                         \
    X(stamp.version++)                                                                             \
    X(lineage++)                                                                                   \
    X(partition++)                                                                                 \
    X(payload_bytes--)                                                                             \
    X(payload = (const uint8_t *)"Delta")                                                          \
    X(signature[0] ^= 1)

Test(sign, the_signature_of_a_delta_covers_all_of_it){
#define CHECK_CHANGE(change)                                                                       \
    {                                                                                              \
        struct chirr_delta_message delta = delta_of(&identity);                                    \
        (void)(delta.change);                                                                      \
        cr_expect_eq(chirr_delta_verify(&delta, identity.public_key), CHIRR_ERR_SIGNATURE,         \
                     #change);                                                                     \
    }
    CHANGES_OF_A_DELTA(CHECK_CHANGE)}

/* The same bytes under the domain of records are no signature of a delta. */
Test(sign, a_signature_of_a_record_is_none_of_a_delta)
{
    uint8_t statement[CHIRR_CODEC_DELTA_BYTES_MAX];
    size_t bytes;
    struct chirr_delta_message delta = delta_of(&identity);
    cr_assert_eq(chirr_codec_encode_delta_statement(&delta, statement, sizeof statement, &bytes),
                 CHIRR_OK);
    chirr_sign(&identity, "chirr record", (struct chirr_span){statement, bytes},
               (struct chirr_span){NULL, 0}, delta.signature);
    cr_assert_eq(chirr_delta_verify(&delta, identity.public_key), CHIRR_ERR_SIGNATURE);
    chirr_sign(&identity, "chirr delta", (struct chirr_span){statement, bytes},
               (struct chirr_span){NULL, 0}, delta.signature);
    cr_assert_eq(chirr_delta_verify(&delta, identity.public_key), CHIRR_OK);
}

Test(sign, a_signature_holds_for_one_domain_only)
{
    uint8_t signature[CHIRR_SIGNATURE_BYTES];
    struct chirr_span head = {"head", 4};
    struct chirr_span body = {"body", 4};
    chirr_sign(&identity, "one", head, body, signature);
    cr_assert(chirr_signature_holds(identity.public_key, "one", head, body, signature));
    cr_assert_not(chirr_signature_holds(identity.public_key, "two", head, body, signature));
    cr_assert_not(chirr_signature_holds(identity.public_key, "one", body, head, signature));
}
