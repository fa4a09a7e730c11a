/* Cards to say with a beacon. */
#include "tests/agent/beacon_sample.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct datagram beacon_of(const struct chirr_record *card)
{
    struct datagram datagram = {0};
    cr_assert_eq(
        chirr_beacon_encode(chirr_beacon_swarm(BEACON_SWARM), card, datagram.data, &datagram.bytes),
        CHIRR_OK);
    return datagram;
}

struct chirr_record beacon_card(const struct chirr_identity *author, uint64_t incarnation)
{
    struct chirr_record record = {
        .kind = CHIRR_RECORD_CARD, .author = author->id, .stamp = {incarnation, 1}};
    struct chirr_card *card = &record.card;
    memcpy(card->public_key, author->first_key, CHIRR_KEY_BYTES);
    memset(card->name, 'n', sizeof card->name - 1);
    memset(card->device, 'd', sizeof card->device - 1);
    snprintf(card->publish_endpoint, sizeof card->publish_endpoint, "tcp://127.0.0.1:%047d", 1);
    snprintf(card->unicast_endpoint, sizeof card->unicast_endpoint, "tcp://127.0.0.1:%047d", 2);
    card->lineage = UINT64_MAX;
    card->hosted = UINT64_MAX;
    card->cpu_permille = 64000;
    card->slots = 256;
    card->provides.count = CHIRR_TAGS_MAX;
    for (int i = 0; i < CHIRR_TAGS_MAX; i++) {
        memset(card->provides.names[i], 'a' + i, CHIRR_TAG_BYTES_MAX - 1);
    }
    cr_assert_eq(chirr_record_sign(&record, author), CHIRR_OK);
    return record;
}
