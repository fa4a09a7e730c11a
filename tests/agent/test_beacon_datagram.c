#include <criterion/criterion.h>
#include <string.h>

#include "base/wire.h"
#include "tests/agent/beacon_sample.h"
#include "tests/support/generate.h"

#define SEED 20261122

static struct chirr_random stream;

static void setup(void)
{
    chirr_random_init(&stream, SEED, 0);
}

TestSuite(beacon_datagram, .init = setup, .timeout = 120);

static enum chirr_err read_back(const struct datagram *datagram, struct chirr_record *card)
{
    return chirr_beacon_decode(chirr_beacon_swarm(BEACON_SWARM), datagram->data, datagram->bytes,
                               card);
}

Test(beacon_datagram, what_one_says_another_reads)
{
    for (int i = 0; i < 200; i++) {
        struct chirr_identity author = generate_identity(&stream);
        struct chirr_record card, read;
        generate_record(&stream, &author, CHIRR_RECORD_CARD, &card);
        struct datagram said = beacon_of(&card);
        cr_assert_eq(read_back(&said, &read), CHIRR_OK, "card %d of seed %d", i, SEED);
        cr_assert_eq(read.author, author.id);
        cr_assert_eq(chirr_record_verify(&read, author.public_key), CHIRR_OK);
        struct datagram again = beacon_of(&read);
        cr_assert_eq(again.bytes, said.bytes);
        cr_assert_arr_eq(again.data, said.data, said.bytes);
    }
}

Test(beacon_datagram, the_longest_card_fits)
{
    struct chirr_identity first = generate_identity(&stream);
    struct chirr_identity author = generate_identity(&stream);
    chirr_identity_succeed(&author, first.public_key);
    struct chirr_record card = beacon_card(&author, UINT64_MAX);
    card.stamp.version = UINT64_MAX;
    memcpy(card.card.current_key, author.public_key, CHIRR_KEY_BYTES);
    cr_assert_eq(chirr_record_sign(&card, &author), CHIRR_OK);
    struct datagram datagram = beacon_of(&card);
    cr_assert_leq(datagram.bytes, CHIRR_BEACON_BYTES_MAX);
}

static bool is_refused(const struct datagram *datagram, const struct chirr_identity *author)
{
    struct chirr_record card;
    return read_back(datagram, &card) != CHIRR_OK ||
           chirr_record_verify(&card, author->public_key) != CHIRR_OK;
}

Test(beacon_datagram, cut_short_or_drawn_out_it_is_refused)
{
    struct chirr_identity author = generate_identity(&stream);
    struct chirr_record card = beacon_card(&author, 1);
    struct datagram whole = beacon_of(&card);
    cr_assert_not(is_refused(&whole, &author));
    for (size_t bytes = 0; bytes < sizeof whole.data; bytes++) {
        struct datagram other = whole;
        other.bytes = bytes;
        cr_assert(bytes == whole.bytes || is_refused(&other, &author), "%zu bytes", bytes);
    }
}

Test(beacon_datagram, with_any_bit_turned_it_is_refused)
{
    struct chirr_identity author = generate_identity(&stream);
    struct chirr_record card = beacon_card(&author, 1);
    struct datagram whole = beacon_of(&card);
    for (size_t bit = 0; bit < 8 * whole.bytes; bit++) {
        struct datagram other = whole;
        other.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert(is_refused(&other, &author), "bit %zu", bit);
    }
}

Test(beacon_datagram, noise_behind_a_good_header_is_refused)
{
    struct chirr_identity author = generate_identity(&stream);
    struct chirr_record card = beacon_card(&author, 1);
    struct datagram datagram = beacon_of(&card);
    for (int i = 0; i < 20000; i++) {
        datagram.bytes =
            generate_between(&stream, CHIRR_BEACON_HEADER_BYTES, CHIRR_BEACON_BYTES_MAX);
        generate_bytes(&stream, datagram.data + CHIRR_BEACON_HEADER_BYTES,
                       datagram.bytes - CHIRR_BEACON_HEADER_BYTES);
        cr_assert(is_refused(&datagram, &author), "datagram %d of seed %d", i, SEED);
    }
}

Test(beacon_datagram, each_mistake_has_its_error)
{
    struct chirr_identity author = generate_identity(&stream);
    struct chirr_record card = beacon_card(&author, 1);
    struct chirr_record read;
    const struct datagram whole = beacon_of(&card);
    struct datagram other = whole;
    other.data[0] = 'X';
    cr_assert_eq(read_back(&other, &read), CHIRR_ERR_MALFORMED);
    other = whole;
    chirr_wire_put_u16(other.data + 4, CHIRR_BEACON_VERSION + 1);
    cr_assert_eq(read_back(&other, &read), CHIRR_ERR_VERSION);
    other = whole;
    other.data[6] = 1;
    cr_assert_eq(read_back(&other, &read), CHIRR_ERR_MALFORMED);
    cr_assert_eq(chirr_beacon_decode(chirr_beacon_swarm("forest"), whole.data, whole.bytes, &read),
                 CHIRR_ERR_NOTFOUND);
    struct chirr_record claims = {
        .kind = CHIRR_RECORD_CLAIMS, .author = author.id, .stamp = {1, 1}};
    cr_assert_eq(chirr_record_sign(&claims, &author), CHIRR_OK);
    cr_assert_eq(chirr_beacon_encode(1, &claims, other.data, &other.bytes), CHIRR_ERR_INVALID);
    other = whole;
    cr_assert_eq(chirr_codec_encode_record(&claims, other.data + CHIRR_BEACON_HEADER_BYTES,
                                           CHIRR_BEACON_BYTES_MAX - CHIRR_BEACON_HEADER_BYTES,
                                           &other.bytes),
                 CHIRR_OK);
    other.bytes += CHIRR_BEACON_HEADER_BYTES;
    cr_assert_eq(read_back(&other, &read), CHIRR_ERR_MALFORMED);
}
