/* Fuzz target: whatever a datagram to the beacon's group may hold.
 *
 * The first byte chooses the entrance, since no fuzzer finds the digest of a swarm or a signature
 * by chance: a datagram as it is; one whose header is repaired, so that the card is reached; a good
 * beacon with some bytes changed, cut short or drawn out. What is accepted must be a valid card and
 * encode to the very bytes it came from; only the good beacon itself is verified. */
#include <string.h>

#include "agent/beacon.h"
#include "base/wire.h"
#include "tests/fuzz/target.h"
#include "tests/support/generate.h"

#define SEED 20261122 /* not the corpus's: those cards are of others */
#define EDITS 8       /* fewer than that */

/* Past the end of the longest one: what is too long must be seen to be. */
static uint8_t datagram[CHIRR_BEACON_BYTES_MAX + 256];

struct beacon {
    uint64_t swarm;
    struct chirr_identity author;
    uint8_t data[CHIRR_BEACON_BYTES_MAX];
    size_t bytes;
};

static const struct beacon *good_beacon(void)
{
    static struct beacon beacon;
    if (beacon.bytes == 0) {
        struct chirr_random random;
        struct chirr_record card;
        chirr_random_init(&random, SEED, 0);
        beacon.swarm = chirr_beacon_swarm("meadow");
        beacon.author = generate_identity(&random);
        generate_record(&random, &beacon.author, CHIRR_RECORD_CARD, &card);
        must(chirr_beacon_encode(beacon.swarm, &card, beacon.data, &beacon.bytes) == CHIRR_OK);
    }
    return &beacon;
}

static void try_datagram(const uint8_t *data, size_t bytes)
{
    const struct beacon *good = good_beacon();
    struct chirr_record card;
    uint8_t again[CHIRR_BEACON_BYTES_MAX];
    size_t bytes_again;
    if (chirr_beacon_decode(good->swarm, data, bytes, &card) != CHIRR_OK) {
        return;
    }
    must(card.kind == CHIRR_RECORD_CARD && chirr_record_validate(&card) == CHIRR_OK);
    must(chirr_beacon_encode(good->swarm, &card, again, &bytes_again) == CHIRR_OK);
    must(bytes == bytes_again && memcmp(data, again, bytes) == 0);
    bool is_good = bytes == good->bytes && memcmp(data, good->data, bytes) == 0;
    must((chirr_record_verify(&card, good->author.public_key) == CHIRR_OK) == is_good);
}

/* From a block of its own, so that a sanitizer sees one byte too far. */
static void try_changed(size_t bytes)
{
    uint8_t *exact = malloc(bytes + (bytes == 0));
    must(exact != NULL);
    memcpy(exact, datagram, bytes);
    try_datagram(exact, bytes);
    free(exact);
}

static void try_repaired(const uint8_t *data, size_t bytes)
{
    if (bytes > sizeof datagram - CHIRR_BEACON_HEADER_BYTES) {
        return;
    }
    memcpy(datagram, good_beacon()->data, CHIRR_BEACON_HEADER_BYTES);
    memcpy(datagram + CHIRR_BEACON_HEADER_BYTES, data, bytes);
    try_changed(CHIRR_BEACON_HEADER_BYTES + bytes);
}

/* Of the input: how much longer or shorter, how many bytes to change; of each where, and which
 * bits. */
static void try_edited(const uint8_t *data, size_t bytes)
{
    const struct beacon *good = good_beacon();
    if (bytes < 2) {
        return;
    }
    size_t length = good->bytes;
    size_t difference = data[0] / 4U;
    length += data[0] % 4 == 0 ? difference : 0;
    length -= data[0] % 4 == 1 ? difference : 0;
    size_t edit_count = data[1] % EDITS;
    memset(datagram, 0, sizeof datagram);
    memcpy(datagram, good->data, good->bytes);
    for (size_t edit = 0; edit < edit_count && 2 + 3 * (edit + 1) <= bytes; edit++) {
        const uint8_t *at = data + 2 + 3 * edit;
        datagram[chirr_wire_get_u16(at) % length] ^= at[2];
    }
    try_changed(length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0) {
        return 0;
    }
    switch (data[0] % 3) {
    case 0:
        try_datagram(data + 1, bytes - 1);
        break;
    case 1:
        try_repaired(data + 1, bytes - 1);
        break;
    default:
        try_edited(data + 1, bytes - 1);
        break;
    }
    return 0;
}
