#include "sim/parcel.h"

#include <criterion/criterion.h>
#include <string.h>

static struct chirr_arena arena;

static struct chirr_sim_post *make(size_t copies_bytes_max)
{
    cr_assert_eq(chirr_arena_init(&arena, chirr_sim_post_bytes(copies_bytes_max)), CHIRR_OK);
    struct chirr_sim_post *post = chirr_sim_post_create(&arena, copies_bytes_max);
    cr_assert_not_null(post);
    return post;
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(parcel, .fini = teardown);

static struct chirr_message delta_of(const uint8_t *payload, uint32_t bytes)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_DELTA};
    message.delta = (struct chirr_delta_message){.origin = 1,
                                                 .stamp = {.incarnation = 1, .version = 1},
                                                 .lineage = 2,
                                                 .payload_bytes = bytes,
                                                 .payload = payload};
    return message;
}

Test(parcel, a_copy_borrows_nothing_from_the_sender)
{
    struct chirr_sim_post *post = make(1 << 16);
    uint8_t payload[100];
    memset(payload, 7, sizeof payload);
    struct chirr_message message = delta_of(payload, sizeof payload);
    struct chirr_sim_parcel *parcel = chirr_sim_post_wrap(post, &message);
    memset(payload, 0, sizeof payload);
    memset(&message, 0, sizeof message);
    cr_assert_eq(parcel->message->kind, CHIRR_MESSAGE_DELTA);
    cr_assert_eq(parcel->message->delta.payload[99], 7);
    cr_assert_geq(parcel->wire_bytes, 100);
}

Test(parcel, memory_comes_back_with_the_last_reference)
{
    struct chirr_sim_post *post = make(4096);
    struct chirr_message message = {.kind = CHIRR_MESSAGE_HEARTBEAT};
    message.heartbeat.incarnation = 1;
    for (int i = 0; i < 1000; i++) {
        struct chirr_sim_parcel *parcel = chirr_sim_post_wrap(post, &message);
        cr_assert_not_null(parcel, "round %d", i);
        chirr_sim_post_hold(parcel);
        chirr_sim_post_release(post, parcel);
        cr_assert_eq(chirr_sim_post_count(post)->alive, 1);
        chirr_sim_post_release(post, parcel);
        cr_assert_eq(chirr_sim_post_count(post)->alive, 0);
    }
}

Test(parcel, a_copy_that_finds_no_memory_is_refused_and_counted)
{
    struct chirr_sim_post *post = make(2048);
    struct chirr_message message = {.kind = CHIRR_MESSAGE_HEARTBEAT};
    message.heartbeat.incarnation = 1;
    uint32_t made = 0;
    while (chirr_sim_post_wrap(post, &message) != NULL) {
        made++;
        cr_assert_leq(made, 4);
    }
    cr_assert_geq(made, 1);
    cr_assert_eq(chirr_sim_post_count(post)->refused, 1);
    cr_assert_eq(chirr_sim_post_count(post)->alive, made);
}
